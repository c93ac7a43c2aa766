"""Makes exercises/ and its catalogue from solutions/, and knows what a learner has changed there."""

from __future__ import annotations

import hashlib
import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.course import Course, Lesson, catalogue
from grader.errors import CourseError
from grader.learner.stubs import stubs_of


def stub_text(lesson: Lesson) -> str:
    """The lesson as learners get it: solutions cut out by nbgrader's ClearSolutions, everything else as it was.

    Raises:
        CourseError: a solution's delimiters do not match.
    """
    import jupytext
    from nbgrader.preprocessors import ClearSolutions

    notebook = jupytext.reads(lesson.text, fmt="py:percent")
    names = {exercise.name for exercise in lesson.exercises}
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.metadata.get("title") in names:
            stub = f'raise NotImplementedError("{cell.metadata["title"]} is not written yet")'
            clear = ClearSolutions(enforce_metadata=False, code_stub={"python": stub})
            try:
                clear.preprocess_cell(cell, {"language": "python"}, 0)
            except RuntimeError as error:
                raise CourseError(f"solutions/{lesson.id}.py, {cell.metadata['title']}: {error}") from None
            if "NotImplementedError" not in cell.source:
                raise CourseError(
                    f"solutions/{lesson.id}.py, {cell.metadata['title']}: no ### BEGIN SOLUTION ... ### END SOLUTION"
                )
    # Only what the author wrote: no header of jupytext's own.
    notebook.metadata["jupytext"] = {"notebook_metadata_filter": "-all"}
    return jupytext.writes(notebook, fmt="py:percent")


def generated_files(course: Course) -> dict[str, str]:
    """Everything that belongs below exercises/: path relative to it, and content."""
    files = {f"{lesson.id}.py": stub_text(lesson) for lesson in course.lessons}
    entry: dict[str, Any] = catalogue(course)
    entry["files"] = {name: _digest(text) for name, text in files.items()}
    # What `reset` puts back, where there are no solutions to make it from.
    entry["stubs"] = {}
    for lesson in course.lessons:
        stubs = stubs_of(files[f"{lesson.id}.py"], [exercise.name for exercise in lesson.exercises])
        entry["stubs"] |= {f"{lesson.id}/{name}": stub for name, stub in stubs.items()}
    files["catalogue.json"] = json.dumps(entry, indent=1, ensure_ascii=False) + "\n"
    return files


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_exercises(course: Course, root: Path, *, force: bool = False) -> list[str]:
    """Write exercises/ and say what was done, a line each.

    A file is replaced if it is still as the last build left it. One that was edited is a learner's work.

    Args:
        force: replace edited files too, after copying them to .grader/backup/.

    Raises:
        CourseError: files were edited and `force` is off; nothing is written then.
    """
    folder = root / "exercises"
    files = generated_files(course)
    edited = edited_files(folder, files)
    if edited and not force:
        raise CourseError(
            f"these files hold work that a build would overwrite: {', '.join(f'exercises/{name}' for name in edited)}. "
            "`--force` replaces them and keeps copies in .grader/backup/"
        )
    lines = []
    if edited:
        backup = root / ".grader" / "backup" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
        for name in edited:
            (backup / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(folder / name, backup / name)
            lines.append(f"kept       exercises/{name} as {(backup / name).relative_to(root)}")
    for name, text in files.items():
        path = folder / name
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
            lines.append(f"wrote      exercises/{name}")
    return lines or ["exercises/ is up to date"]


def edited_files(folder: Path, files: dict[str, str]) -> list[str]:
    """Which of these files below `folder` are neither as given nor as the last build recorded them."""
    try:
        recorded = json.loads((folder / "catalogue.json").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError):
        recorded = {}
    edited = []
    for name, text in files.items():
        present = _read(folder / name)
        if name == "catalogue.json" or present is None or present == text:
            continue
        if not isinstance(recorded, dict) or recorded.get(name) != _digest(present):
            edited.append(name)
    return edited


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def _replace(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(text.encode())
    draft.replace(path)
