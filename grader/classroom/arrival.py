"""When a submission came, and what coming late costs."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.errors import GraderError
from grader.submission import read_bytes

DAY = 86400.0


@dataclass(frozen=True)
class LatePolicy:
    """`due` in seconds since 1970; each day begun after it costs `per_day` (0 to 1) of the points, `most` in all."""

    due: float
    per_day: float = 0.0
    most: float = 1.0

    def seconds_late(self, arrived: float | None, extension_days: float = 0.0) -> float:
        """How long after the deadline, which an extension moves; 0 if in time, or if nobody knows."""
        return 0.0 if arrived is None else max(0.0, arrived - self.due - extension_days * DAY)

    def penalty(self, seconds_late: float) -> float:
        """The part of the points that it costs."""
        days = -(-seconds_late // DAY)
        return min(self.most, days * self.per_day)


def read_policy(due: str, per_day: str = "0%", most: str = "100%") -> LatePolicy:
    """A policy from what people write: "2026-11-24T23:59+01:00" (local time without the offset), "10%", "50%".

    Raises:
        GraderError: it is no such text.
    """
    try:
        # A day alone would mean its first second, which nobody means.
        if not re.search(r"\d[T ]\d", due):
            raise ValueError
        when = datetime.fromisoformat(due)
    except ValueError:
        raise GraderError(f"--due {due!r} is no time: write it like 2026-11-24T23:59+01:00") from None
    return LatePolicy(when.timestamp(), _percent("--late-penalty", per_day), _percent("--late-most", most))


def _percent(option: str, text: str) -> float:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*(?:/\s*day)?\s*", text)
    if not match or float(match[1]) > 100:
        raise GraderError(f"{option} {text!r} is no share: write it like 10%")
    return float(match[1]) / 100


@dataclass(frozen=True)
class Arrival:
    """When a submission came, in seconds since 1970, and who says so."""

    time: float
    source: str

    @property
    def text(self) -> str:
        """The time in UTC, to the second: 2026-11-24T21:30:00Z."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def arrival_of(path: Path, modified: Sequence[float]) -> Arrival | None:
    """When a submission was made: nbgrader's timestamp, the last commit, or the newest of its files.

    All of these can be set by the student, and a file's time is often that of its last copy. What a platform noted
    itself is better.

    Args:
        modified: when the files that may be lessons were changed last.
    """
    if path.is_dir():
        stamps = [stamp for stamp in map(_timestamp, sorted(path.glob("*/timestamp.txt"))) if stamp is not None]
        if stamps:
            return _arrival(max(stamps), "nbgrader")
        committed = commit_time(path)
        if committed is not None:
            return _arrival(committed, "commit")
    return _arrival(max(modified), "file") if modified else None


def _arrival(time: float, source: str) -> Arrival | None:
    arrival = Arrival(time, source)
    try:
        return arrival if arrival.text else None
    except (ValueError, OverflowError, OSError):
        return None  # a year that no calendar has


def _timestamp(path: Path) -> float | None:
    """nbgrader's timestamp.txt: "2026-11-24 21:30:00.123456 UTC"."""
    try:
        text = read_bytes(path, 1000).decode().strip()
        return datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", text)).timestamp()
    except (OSError, ValueError, OverflowError):
        return None


def commit_time(folder: Path) -> float | None:
    """The time of a clone's last commit, without letting the clone's own settings or hooks do anything.

    Git reads the clone's objects into a fresh repository: a submission's .git/config could name programs to run.
    """
    git = folder / ".git"
    if not git.is_dir() or git.is_symlink():
        return None
    commit = _head(git)
    if commit is None:
        return None
    with tempfile.TemporaryDirectory() as clean:
        clear = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        own = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_NO_LAZY_FETCH": "1"}
        try:
            subprocess.run(["git", "init", "-q", "--bare", clean], check=True, env=clear | own, capture_output=True)
            objects = {"GIT_DIR": clean, "GIT_OBJECT_DIRECTORY": str((git / "objects").resolve())}
            command = ["git", "cat-file", "commit", commit]
            found = subprocess.run(command, check=True, env=clear | own | objects, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return None
    match = re.search(rb"^committer .* (\d{1,12}) [+-]\d{4}$", found.stdout, re.MULTILINE)
    return float(match[1]) if match else None


def _head(git: Path) -> str | None:
    """The id of the commit that HEAD stands for."""
    try:
        text = read_bytes(git / "HEAD", 1000).decode("ascii").strip()
        if text.startswith("ref: "):
            name = text.removeprefix("ref: ")
            if not re.fullmatch(r"refs/heads/[\w./-]+", name) or ".." in name:
                return None
            loose, packed = git / name, git / "packed-refs"
            if loose.is_file():
                text = read_bytes(loose, 1000).decode("ascii").strip()
            else:
                lines = read_bytes(packed, 10 * 2**20).decode().splitlines()
                text = next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
    except (OSError, ValueError):
        return None
    return text if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", text) else None
