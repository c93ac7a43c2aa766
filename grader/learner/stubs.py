"""Gives one exercise its stub back, or undoes that; the rest of the file stays as it is, byte for byte.

What belongs to an exercise is its cell, from its `# %%` line to the next one: so that it can be told apart even
in a file that Python cannot read.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from grader.course import ROOT, Exercise
from grader.errors import GraderError
from grader.replacing import new_file

_HEADER = re.compile(rb"(?:\xef\xbb\xbf)?# %%(?!\S)(.*)")
_OPTIONS = re.compile(rb"(?:^|\s)[A-Za-z_]\w*=.*")
RESETS, UNDONE = "reset", "undone"


class NoStub(GraderError):
    """A stub cannot be put back; the text says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """Where a cell lies in a file: bytes from its header to the end of its last line that is not blank."""

    start: int
    end: int
    line: int


def cells(content: bytes) -> Iterator[tuple[str, Cell]]:
    """The title of each cell that has a `# %%` line, and where it lies."""
    title, start, first, end, at = "", 0, 0, 0, 0
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        match = _HEADER.fullmatch(line.rstrip(b"\r\n"))
        if match:
            if first:
                yield title, Cell(start, end, first)
            title = _OPTIONS.sub(b"", match[1]).strip().decode("utf-8", "replace")
            start, first = at + (3 if line.startswith(b"\xef\xbb\xbf") else 0), number
        at += len(line)
        if line.strip():
            end = at
    if first:
        yield title, Cell(start, end, first)


def stubs_of(text: str, names: list[str]) -> dict[str, str]:
    """The cells of these exercises in a lesson's file with stubs, headers included, by the exercise's name."""
    content = text.encode()
    return {title: content[cell.start : cell.end].decode() for title, cell in cells(content) if title in names}


def read_stub(exercise: Exercise, root: Path = ROOT) -> str:
    """An exercise's cell as learners get it.

    Raises:
        NoStub: exercises/catalogue.json is missing, or knows no stubs.
    """
    path = root / "exercises" / "catalogue.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))["stubs"][exercise.id]
    except (OSError, ValueError, KeyError, TypeError):
        raise NoStub(
            "exercises/catalogue.json has no stub of it: restore it (`git checkout -- exercises/catalogue.json`)"
        ) from None


def exercise_file(exercise: Exercise, root: Path = ROOT) -> Path:
    """The learner's file that holds an exercise.

    Raises:
        NoStub: there is none, or it is a notebook.
    """
    path = root / "exercises" / f"{exercise.lesson_id}.py"
    if path.is_file():
        return path
    if path.with_suffix(".ipynb").is_file():
        raise NoStub(f"exercises/{exercise.lesson_id}.ipynb is a notebook: only a .py file's exercises can be reset")
    raise NoStub(missing_lesson(exercise.lesson_id))


def missing_lesson(lesson_id: str) -> str:
    """One line about a lesson's file that is not in exercises/."""
    name = f"exercises/{lesson_id}.py"
    return f"{name} is missing: `git checkout -- {name}` brings it back, with stubs"


def find_cell(content: bytes, exercise: Exercise) -> Cell | None:
    """Where an exercise lies in a learner's file: its cell, or its function where the `# %%` line is gone.

    Raises:
        NoStub: there are several cells of this name.
    """
    found = [cell for title, cell in cells(content) if title == exercise.name]
    if len(found) > 1:
        lines = " and ".join(str(cell.line) for cell in found)
        raise NoStub(f"exercises/{exercise.lesson_id}.py has cells `# %% {exercise.name}` in lines {lines}: remove one")
    return found[0] if found else _find_definition(content, exercise)


def _find_definition(content: bytes, exercise: Exercise) -> Cell | None:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = content.splitlines(keepends=True)
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and exercise.defines == (node.name,):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            start = sum(map(len, lines[: first - 1]))
            return Cell(start, sum(map(len, lines[: node.end_lineno])), first)
    return None


def reset(exercise: Exercise, root: Path = ROOT) -> str:
    """Put an exercise's stub back, and keep what was there below .grader/backup/.

    Returns: one line that says what was done.
    Raises:
        NoStub: it cannot be done; nothing is changed.
    """
    path = exercise_file(exercise, root)
    content = path.read_bytes()
    stub = _like(content, read_stub(exercise, root))
    cell = find_cell(content, exercise)
    name = path.relative_to(root)
    if cell is None:
        gap = b"" if not content else b"\n\n" if content.endswith(b"\n") else b"\n\n\n"
        _replace(path, content + _like(content, gap.decode()) + stub)
        return f"{exercise.name} was no longer in {name}: its stub is at the end of the file now"
    mine = content[cell.start : cell.end]
    if mine.rstrip() == stub.rstrip():
        return f"{exercise.name} in {name} is its stub already: nothing to do"
    kept = _keep(mine, exercise, RESETS, root)
    _replace(path, content[: cell.start] + _ended_as(mine, stub) + content[cell.end :])
    return (
        f"{exercise.name} in {name} is its stub again; what you had is in {kept.relative_to(root)}, "
        "and `reset --undo` brings it back"
    )


def undo(exercise: Exercise | None, exercises: tuple[Exercise, ...], root: Path = ROOT) -> tuple[Exercise, str]:
    """Bring back what the last reset (of `exercise`, if one is given) took away.

    Returns: the exercise, and one line that says what was done.
    Raises:
        NoStub: there is nothing to bring back, or no place for it.
    """
    folder = root / ".grader" / "backup" / RESETS
    by_id = {each.id: each for each in exercises}
    found = [
        (kept, by_id[name])
        for kept in sorted(folder.glob("*/*/*/*.py"), reverse=True)
        if (name := kept.relative_to(folder / kept.parts[-4]).with_suffix("").as_posix()) in by_id
        and exercise in (None, by_id[name])
    ]
    if not found:
        raise NoStub(f"nothing to undo: {exercise.name if exercise else 'no exercise'} was reset before")
    kept, exercise = found[0]
    path = exercise_file(exercise, root)
    content = path.read_bytes()
    cell = find_cell(content, exercise)
    if cell is None:
        raise NoStub(f"{exercise.name} is no longer in {path.relative_to(root)}: `reset {exercise.name}` puts it there")
    there, mine = content[cell.start : cell.end], kept.read_bytes()
    line = f"{exercise.name} in {path.relative_to(root)} is as it was before the reset"
    if there.rstrip() not in (_like(content, read_stub(exercise, root)).rstrip(), mine.rstrip()):
        line += f"; what you wrote since is in {_keep(there, exercise, UNDONE, root).relative_to(root)}"
    _replace(path, content[: cell.start] + _ended_as(there, mine) + content[cell.end :])
    shutil.rmtree(folder / kept.parts[-4])
    return exercise, line


def _like(content: bytes, text: str) -> bytes:
    """A text with the line ends of a file."""
    return text.replace("\n", "\r\n").encode() if b"\r\n" in content else text.encode()


def _ended_as(old: bytes, new: bytes) -> bytes:
    """New bytes that end in a line's end if the old ones do, and only then."""
    bare = new.rstrip(b"\r\n")
    return bare + old[len(old.rstrip(b"\r\n")) :]


def _keep(content: bytes, exercise: Exercise, kind: str, root: Path) -> Path:
    stamp = datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    kept = root / ".grader" / "backup" / kind / stamp / f"{exercise.id}.py"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(content)
    return kept


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, with the rights that it had."""
    path = path.resolve()
    with new_file(path, stat.S_IMODE(path.stat().st_mode)) as file:
        file.write(content)
