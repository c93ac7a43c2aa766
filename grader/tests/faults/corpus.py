"""What all faults share: a submission to be graded by a `grade` of its own, and what may come of that."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.course import ROOT
from grader.worker.processes import parents

LESSON = "tensors/broadcasting"
EXERCISE = f"{LESSON}/relu"
LONGEST = 200  # seconds; machines on which tests run are busy
WAITS = "import time\ntime.sleep(3)\n"  # keeps the judge waiting, so that there is something to interrupt


@dataclass(frozen=True)
class Ending:
    """How a `grade` ended."""

    status: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The JSON report that it wrote to standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Scene:
    """A folder of one fault's own: `submission` has all answers to one lesson, of which one exercise is graded."""

    folder: Path
    root: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def submission(self) -> Path:
        return self.folder / "submission"

    @property
    def lesson(self) -> Path:
        return self.submission / f"{LESSON}.py"

    def __post_init__(self) -> None:
        self.lesson.parent.mkdir(parents=True)
        shutil.copy(ROOT / "solutions" / f"{LESSON}.py", self.lesson)

    def slow_down(self) -> None:
        """Have the submission take a while."""
        self.lesson.write_text(WAITS + self.lesson.read_text(encoding="utf-8"), encoding="utf-8")

    def start(self, *arguments: Any, **options: Any) -> subprocess.Popen[str]:
        """Start `grade`, of the submission and with a JSON report on standard output if nothing else is said."""
        words = [str(word) for word in arguments or (self.submission, "--json", "-")]
        command = [sys.executable, "-m", "grader", "grade", "-e", EXERCISE, "--seed", "3", *words]
        environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", **self.environment}
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": environment,
            "cwd": self.root,
            **options,
        }
        return subprocess.Popen(command, text=True, errors="replace", stdin=subprocess.DEVNULL, **options)

    def grade(self, *arguments: Any, **options: Any) -> Ending:
        """Run `grade` to its end."""
        return ending(self.start(*arguments, **options))

    def grade_and(self, act: Callable[[subprocess.Popen[str]], None], *arguments: Any, **options: Any) -> Ending:
        """Run `grade` on a slow submission, and do something once a worker has been given it."""
        self.slow_down()
        process = self.start(*arguments, **options)
        await_workers(process)
        act(process)
        return ending(process)


def ending(process: subprocess.Popen[str]) -> Ending:
    """Wait for the end.

    Raises:
        AssertionError: there is none.
    """
    try:
        out, err = process.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("it hangs") from None
    return Ending(process.returncode, out or "", err or "")


def family(process: int) -> dict[int, str]:
    """All descendants of a process, by number, with their command lines."""
    above = parents()
    found, generation = [], [process]
    while generation:
        generation = [child for child, parent in above.items() if parent in generation]
        found += generation
    lines = {}
    for child in found:
        try:
            lines[child] = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass
    return lines


def await_workers(process: subprocess.Popen[str]) -> dict[int, str]:
    """The descendants of a `grade`, once the zygote has forked workers and one of them is at work."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline and process.poll() is None:
        found = family(process.pid)
        # bubblewrap twice, the zygote, the worker in use and two spares.
        if len(found) >= 6:
            time.sleep(0.5)
            return family(process.pid)
        time.sleep(0.02)
    raise AssertionError(f"no workers: {process.poll()}")


def assert_gone(processes: dict[int, str]) -> None:
    """None of these processes is there any more, within a while."""
    deadline = time.monotonic() + 30
    left = dict(processes)
    while left and time.monotonic() < deadline:
        left = {number: line for number, line in left.items() if _command(number) == line != ""}
        time.sleep(0.02)
    assert not left, left


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def assert_one_line(ended: Ending, *words: str) -> None:
    """Status 2, no result, one line that says why."""
    assert ended.status == 2, ended
    assert ended.out == "", ended
    assert ended.err.startswith("grader: "), ended
    assert ended.err.count("\n") == 1, ended
    for word in words:
        assert word in ended.err, ended


def assert_full(ended: Ending) -> None:
    """Status 0 and all points."""
    assert ended.status == 0, ended
    score = ended.result["score"]
    assert score["points"] == score["max_points"] > 0, ended.out


def kill(process: int) -> None:
    """As somebody else would, or the kernel when it is out of memory."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
