"""Faults: what is to be read, or where something is to be written, is not as it should be or changes meanwhile."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from grader.course import ROOT
from grader.tests.faults.corpus import LESSON, Scene, assert_full, assert_one_line, await_workers, ending


def full_disk(scene: Scene) -> None:
    """The disk to which the report goes is full."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:
        ended = ending(scene.start(scene.submission, "--json", "-", stdout=full))
    assert_one_line(ended, "No space left")


def full_disk_under_a_report(scene: Scene) -> None:
    """A report cannot be written to its end: the one of before is still there, and no half of the new one."""
    report = scene.folder / "result.json"
    report.write_text('{"old": true}')

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    ended = scene.grade(scene.submission, "--json", report, preexec_fn=limit)
    assert_one_line(ended)
    assert json.loads(report.read_text()) == {"old": True}
    assert sorted(path.name for path in scene.folder.iterdir()) == ["result.json", "submission"]


def report_where_nobody_may_write(scene: Scene) -> None:
    """The report's folder takes no files."""
    assert_one_line(
        scene.grade(scene.submission, "--json", "/proc/result.json"), "/proc/result.json", "cannot be written"
    )


def report_in_a_missing_folder(scene: Scene) -> None:
    """The report's folder is not there."""
    target = scene.folder / "not" / "there.json"
    assert_one_line(scene.grade(scene.submission, "--json", target), "there.json", "cannot be written")


def report_onto_a_folder(scene: Scene) -> None:
    """The report's name is that of a folder."""
    (scene.folder / "report").mkdir()
    assert_one_line(scene.grade(scene.submission, "--json", scene.folder / "report"), "cannot be written")


def reader_that_leaves(scene: Scene) -> None:
    """Whoever reads the output has seen enough: `grader grade | head -0`."""
    read, write = os.pipe()
    process = scene.start(scene.submission, stdout=write)
    os.close(write)
    os.close(read)
    ended = ending(process)
    assert ended.status == 2, ended
    assert ended.err.count("\n") <= 1, ended
    assert "Traceback" not in ended.err, ended


def no_output_at_all(scene: Scene) -> None:
    """Standard output and error are closed."""
    report = scene.folder / "result.json"

    def close() -> None:
        os.close(1)
        os.close(2)

    ended = scene.grade(scene.submission, "--json", report, preexec_fn=close)
    assert ended.status in (0, 2), ended
    score = json.loads(report.read_text())["score"]
    assert score["points"] == score["max_points"] > 0


def two_graders_at_once(scene: Scene) -> None:
    """Two graders in one folder, for one report: each writes a whole one."""
    report = scene.folder / "result.json"
    both = [scene.start(scene.submission, "--json", report) for _ in range(2)]
    for process in both:
        ended = ending(process)
        assert ended.status == 0, ended
    assert json.loads(report.read_text())["score"]["percent"] == 100
    assert sorted(path.name for path in scene.folder.iterdir()) == ["result.json", "submission"]


def changed_meanwhile(scene: Scene) -> None:
    """A learner goes on writing while an answer is being graded: what was read counts."""

    def act(process: subprocess.Popen[str]) -> None:
        scene.lesson.write_text("this is no Python\n")

    assert_full(scene.grade_and(act))


def deleted_meanwhile(scene: Scene) -> None:
    """The submission is deleted while it is being graded."""
    assert_full(scene.grade_and(lambda process: shutil.rmtree(scene.submission)))


def deleted_folder_under_ones_feet(scene: Scene) -> None:
    """The folder in which the command was given is deleted."""
    here = scene.folder / "here"
    here.mkdir()
    scene.slow_down()
    process = scene.start(cwd=here, env={**os.environ, "PYTHONPATH": str(ROOT)})
    await_workers(process)
    here.rmdir()
    ended = ending(process)
    if ended.status == 2:
        assert len(ended.err.splitlines()) == 1, ended
        assert str(here) in ended.err, ended
    else:
        assert_full(ended)


def unreadable_file(scene: Scene) -> None:
    """A file that its owner may not read."""
    scene.lesson.chmod(0)

    def without_privileges() -> None:
        library = ctypes.CDLL(None)
        for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH: root reads everything
            library.prctl(24, capability, 0, 0, 0)

    ended = scene.grade(preexec_fn=without_privileges)
    assert ended.status == 0, ended
    (exercise,) = ended.result["exercises"]
    assert exercise["status"] == "error"
    assert "Permission denied" in exercise["tests"][0]["message"]


def _grade_at(scene: Scene, place: Path) -> None:
    shutil.copytree(scene.submission, place)
    assert_full(scene.grade(place, "--json", "-"))


def name_that_is_no_text(scene: Scene) -> None:
    """A folder whose name is no UTF-8; in every report."""
    place = os.fsencode(scene.folder) + b"/caf\xe9 \xff"
    shutil.copytree(os.fsencode(scene.submission), place)
    reports = [scene.folder / f"report.{kind}" for kind in ("json", "junit", "markdown")]
    options = [word for report in reports for word in (f"--{report.suffix[1:]}", report)]
    ended = scene.grade(os.fsdecode(place), *options, encoding="utf-8")
    assert ended.status == 0, ended
    assert "100 %" in ended.out
    assert json.loads(reports[0].read_text(encoding="utf-8"))["score"]["percent"] == 100
    assert all("relu" in report.read_text(encoding="utf-8") for report in reports)
    assert_one_line(scene.grade(os.fsdecode(place + b"/not there")), "does not exist")


def name_of_many_kinds(scene: Scene) -> None:
    """A path with spaces, quotes, a line end, and what a shell or a terminal would obey."""
    _grade_at(scene, scene.folder / "a b\n'c' \"d\" $(touch e) `touch f` \x1b[31m; -x *")
    assert sorted(path.name for path in scene.folder.iterdir() if path.name in "ef") == []


def name_like_an_option(scene: Scene) -> None:
    """A folder that is called like an option."""
    shutil.copytree(scene.submission, scene.folder / "--json")
    ended = scene.grade("--json", "-", "--", "--json", cwd=scene.folder, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert_full(ended)


def very_deep_path(scene: Scene) -> None:
    """A submission some hundred folders down."""
    deep = scene.folder.joinpath(*["below"] * 150)
    deep.parent.mkdir(parents=True)
    _grade_at(scene, deep)


def path_that_is_too_long(scene: Scene) -> None:
    """A path longer than the system admits."""
    assert_one_line(scene.grade(scene.folder / ("x" * 5000)))


def stale_state(scene: Scene) -> None:
    """What an earlier version, or a crash, left in .grader is of no kind that we know."""
    copy = scene.folder / "course"
    for name in ("grader", "solutions", "tests", "exercises", "data"):
        (copy / name).parent.mkdir(exist_ok=True)
        os.symlink(ROOT / name, copy / name) if name == "data" else shutil.copytree(
            ROOT / name, copy / name, ignore=shutil.ignore_patterns("attacks", "faults", "fuzz")
        )
    shutil.copy(ROOT / "pyproject.toml", copy)
    (copy / ".grader" / "progress.txt").mkdir(parents=True)
    scene.root = copy
    assert_full(scene.grade())
    shutil.rmtree(copy / ".grader")
    (copy / ".grader").write_bytes(bytes(range(256)))
    assert_full(scene.grade())


def interrupted_set_up(scene: Scene) -> None:
    """`make` was stopped while it made .venv: the next one starts that again."""
    if not shutil.which("make"):
        pytest.skip("there is no make")
    project = scene.folder / "project"
    project.mkdir()
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, project)
    python = project / "python"
    # Makes a "virtual environment" whose Python is itself, and notes what is asked of it.
    python.write_text(
        '#!/bin/sh\necho "$@" >> ' + str(project / "calls") + "\n"
        'case "$*" in\n'
        f'  "-m venv"*) for last; do :; done; mkdir -p "$last/bin"; cp {python} "$last/bin/python";;\n'
        f"  *sysconfig*) echo {project};;\n"
        "esac\n"
    )
    python.chmod(0o755)
    half = project / ".venv" / "bin" / "python"
    half.parent.mkdir(parents=True)
    half.write_text("#!/bin/sh\necho 'No module named pip' >&2\nexit 1\n")
    half.chmod(0o755)
    for _ in range(2):
        run = subprocess.run(["make", "setup", f"PYTHON={python}"], cwd=project, capture_output=True, text=True)
        assert run.returncode == 0, run
    calls = (project / "calls").read_text().splitlines()
    assert sum("venv --clear" in call for call in calls) == 1, calls
    assert sum("pip install" in call for call in calls) == 1, calls


def make_with_a_hostile_name(scene: Scene) -> None:
    """`make grade SUBMISSION=...` of a folder whose name make and the shell would take for commands."""
    if not shutil.which("make"):
        pytest.skip("there is no make")
    name = "a $(shell touch owned1) $(touch owned2) `touch owned3` ; touch owned4 # ' \" $$HOME"
    stamp = scene.folder / "stamp"
    stamp.touch()
    os.utime(stamp, (time.time() + 1000,) * 2)
    show = scene.folder / "show"
    show.write_text('#!/bin/sh\nfor word; do printf "[%s]" "$word"; done\n')
    show.chmod(0o755)
    command = ["make", "-f", str(ROOT / "Makefile"), "grade", f"RUN={show}", f"STAMP={stamp}", f"SUBMISSION={name}"]
    shutil.copy(ROOT / "requirements.lock", scene.folder)
    os.utime(scene.folder / "requirements.lock", (0, 0))
    # A make around these tests would have this one tell of its folder as well.
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    run = subprocess.run(command, cwd=scene.folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run
    assert run.stdout == f"[grade][--][{name}]", run.stdout
    assert not [path for path in scene.folder.iterdir() if path.name.startswith("owned")]


def missing_lesson(scene: Scene) -> None:
    """A lesson's file is not there: its exercises are not attempted, and the report says why."""
    scene.lesson.rename(scene.lesson.with_name("storage.py"))
    ended = scene.grade()
    assert ended.status == 0, ended
    (exercise,) = ended.result["exercises"]
    assert exercise["status"] == "not_attempted"
    assert f"has no {LESSON}.py" in exercise["tests"][0]["message"]


def broken_suite(scene: Scene) -> None:
    """A hidden suite cannot be read: no result, rather than one without its tests."""
    copy = scene.folder / "course"
    for name in ("grader", "solutions", "tests", "exercises"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("attacks", "faults", "fuzz"))
    os.symlink(ROOT / "data", copy / "data")
    shutil.copy(ROOT / "pyproject.toml", copy)
    scene.root = copy
    (copy / "tests/tensors/test_broadcasting.py").write_text("def (\n")
    ended = scene.grade()
    assert ended.status == 2, ended
    assert ended.out == "", ended
    assert "test_broadcasting.py" in ended.err, ended
    assert "Traceback" not in ended.err, ended
