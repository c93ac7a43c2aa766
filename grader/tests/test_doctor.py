"""The doctor: right where everything holds, and where user namespaces are off or bubblewrap is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import ROOT, Course
from grader.doctor import examination
from grader.doctor.examination import Examination, Protection, examine
from grader.errors import NoIsolation
from grader.isolation import start_isolation
from grader.tests.faults.surroundings import without_user_namespaces
from grader.workers import WorkerPool

NAMES = {
    "torch and torchvision fit",
    "network",
    "home and temporary files",
    "tests and solutions",
    "nothing to write to",
    "other processes",
    "privileges",
    "fork bomb",
    "memory",
    "uncounted memory",
    "disk",
    "time",
    "nothing stays behind",
}


def test_all_protections_hold_in_the_sandbox(pool: WorkerPool, course: Course) -> None:
    """`pool` skips where there is no sandbox."""
    found = examine()
    assert found.level == "sandbox"
    assert {protection.name for protection in found.protections} == NAMES
    assert [protection for protection in found.protections if not protection.holds] == []
    assert found.all_hold
    assert not found.advice
    assert found.versions["torch"].split(".")[0].isdigit()


def test_a_protection_that_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tried for real, in processes without a sandbox: the doctor must get at what it says it cannot get at."""
    if sys.platform != "linux":
        pytest.skip("there is no zygote on this system")
    monkeypatch.setattr(examination, "start_isolation", lambda wanted: start_isolation("process"))
    found = examine()
    failed = {protection.name for protection in found.protections if not protection.holds}
    assert failed >= {
        "network",
        "home and temporary files",
        "tests and solutions",
        "other processes",
        "uncounted memory",
    }
    assert {protection.name for protection in found.protections if protection.holds} >= {"memory", "time"}
    assert not found.all_hold


def test_without_user_namespaces_it_says_so_and_ends_with_1() -> None:
    try:
        subprocess.run(["true"], preexec_fn=without_user_namespaces, check=True)
    except subprocess.SubprocessError:
        pytest.skip("there are no user namespaces here at all")
    run = subprocess.run(
        [sys.executable, "-m", "grader", "doctor"],
        preexec_fn=without_user_namespaces,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    said = " ".join(run.stdout.split())
    assert run.returncode == 1, run
    assert "Isolation process" in said
    assert "user namespaces are switched off: `sysctl user.max_user_namespaces=15000`" in said
    assert "--isolation process" in said
    assert "network FAILS" in said


def test_versions_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "2.14.1+cu130", "torchvision": "0.28.0"}
    monkeypatch.setattr(examination.importlib.metadata, "version", lambda name: versions.get(name, "1.0"))
    found = Examination()
    assert examination._look_at_packages(found)
    assert found.advice == ["torch 2.14 goes with torchvision 0.29: `make setup`"]
    assert not found.protections[0].holds
    versions["torchvision"] = "0.29.1"
    found = Examination()
    assert examination._look_at_packages(found)
    assert not found.advice


def test_no_isolation_at_all_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(wanted: str) -> None:
        raise NoIsolation("nothing works here")

    monkeypatch.setattr(examination, "start_isolation", fail)
    found = examine()
    assert found.level == "none"
    assert not found.all_hold
    assert "nothing works here" in found.advice


@pytest.mark.parametrize(("path", "value"), [(path, value) for path, (value, _) in examination.SYSCTLS.items()])
def test_the_setting_that_is_to_blame_is_named(
    path: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tmp_path / "setting"
    setting.write_text(value + "\n")
    remedy = examination.SYSCTLS[path][1]
    monkeypatch.setattr(examination, "SYSCTLS", {str(setting): (value, remedy)})
    assert remedy in examination._why_no_sandbox("the kernel refuses")
    setting.write_text("7\n")
    assert remedy not in examination._why_no_sandbox("the kernel refuses")


def test_nothing_holds_if_nothing_was_tried() -> None:
    assert not Examination().all_hold
    assert not Examination("sandbox", protections=[Protection("a", True, "x"), Protection("b", False, "x")]).all_hold
    assert Examination("sandbox", protections=[Protection("a", True, "x")]).all_hold
    assert not Examination(protections=[Protection("a", True, "x")]).all_hold
