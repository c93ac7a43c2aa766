"""Keeps the results of a class on disk as they come, each whole or not at all, for the next run to go on from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from grader.classroom.answers import Answer
from grader.errors import GraderError
from grader.replacing import DRAFT, replace_file
from grader.result import Result, from_json, to_json

MARK, SCHEMA = "class.json", "grader/class/v1"


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever looks sees the old content or the new, never half of it.

    Raises:
        GraderError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text, errors="backslashreplace", newline="")
    except OSError as error:
        raise GraderError(f"{path} cannot be written: {error.strerror}") from None


def file_name(student: str) -> str:
    """A name for a student's reports that every file system takes, and that differs from every other student's."""
    # One that differs in nothing but case from another would be the same file on many systems.
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,59}", student) and student not in ("con", "prn", "aux", "nul"):
        return student
    digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', student)[:50].strip('_')}.{digest}"


class Records:
    """Results by the fingerprint of what was graded, in a hidden folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> Result | None:
        """The result of an earlier run; None if there is none that can be read."""
        found = _read(self._path(key))
        return found and found[0]

    def every(self) -> Iterator[tuple[Result, dict[str, Answer]]]:
        """All results of earlier runs, also of what has changed since, and the answers that each came of."""
        for path in sorted(self.folder.glob("*.json")):
            found = _read(path)
            if found:
                yield found

    def put(self, key: str, result: Result, answers: Mapping[str, Answer]) -> None:
        """Keep a result, and the answers that it came of by exercise id.

        Raises:
            GraderError: it cannot be written.
        """
        output = {exercise.id: exercise.output for exercise in result.exercises if exercise.output}
        came_of = {name: [each.key, each.lines, each.filename, each.cells] for name, each in answers.items()}
        write_whole(self._path(key), json.dumps({"result": to_json(result), "output": output, "answers": came_of}))

    def keep_only(self, keys: Collection[str]) -> None:
        """Forget all others, and drafts that a run left behind when it was killed."""
        for path in self.folder.glob("*.json") if self.folder.is_dir() else ():
            if path.stem not in keys:
                path.unlink(missing_ok=True)
        for path in (*self.folder.glob(f"{DRAFT}*"), *self.folder.parent.glob(f"{DRAFT}*")):
            path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.json"


def _read(path: Path) -> tuple[Result, dict[str, Answer]] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        result, output = from_json(data["result"]), data["output"]
        answers = {name: _answer(*kept) for name, kept in data["answers"].items()}
        exercises = tuple(replace(e, output=str(output.get(e.id, ""))) for e in result.exercises)
        return replace(result, exercises=exercises), answers
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _answer(key: str, lines: list[int], filename: str, cells: list[tuple[int, int]]) -> Answer:
    return Answer(key, tuple(map(int, lines)), filename, tuple((int(first), int(cell)) for first, cell in cells))
