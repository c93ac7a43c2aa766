"""Makes one notebook of each lesson, with its figures inside, and a cell after each exercise that checks it."""

from __future__ import annotations

import base64
import hashlib
import json
import mimetypes
import re
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from grader.course import Course, Lesson
from grader.errors import CourseError

FOLDER = Path("exercises") / "notebooks"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
# jupytext's tag for cells that a .py file holds as comments, and that grading passes over.
NOTEBOOK_ONLY = {"tags": ["active-ipynb"]}

# `cwd` is where Jupyter or VS Code was started, the course's folder or one below it; on Colab it lies above the clone.
FIRST_CELL = """\
# Finds the course's folder, and the check that the cells after each exercise call.
import sys
from pathlib import Path

for folder in (Path.cwd(), *Path.cwd().parents, *Path.cwd().glob("*/")):
    if (folder / "grader" / "notebook").is_dir():
        sys.path.append(str(folder))
        break

from grader import check"""

_IMAGE = re.compile(r"!\[(?P<words>[^\]]*)\]\((?P<path>[^)\s:]+)\)")


def lesson_notebook(lesson: Lesson, text: str, root: Path) -> Any:
    """The notebook of a lesson, as an nbformat.NotebookNode without outputs.

    Args:
        text: the lesson's file in the percent format.
        root: the course's folder; figures that the text names relative to its file are found from there.

    Raises:
        CourseError: a figure is missing.
    """
    import jupytext
    from nbformat.v4 import new_code_cell, new_notebook

    exercises = {exercise.name for exercise in lesson.exercises}
    cells = [new_code_cell(FIRST_CELL, metadata=NOTEBOOK_ONLY)]
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        cell.metadata.pop("lines_to_next_cell", None)
        if cell.cell_type == "markdown":
            _attach_figures(cell, root / "exercises" / lesson.topic)
        cells.append(cell)
        name = cell.metadata.get("title")
        if cell.cell_type == "code" and name in exercises and "points" in cell.metadata:
            cells.append(new_code_cell(f"check({name})", metadata=NOTEBOOK_ONLY))
    for number, cell in enumerate(cells):
        # The same each time: jupytext draws them.
        cell.id = f"cell-{number}"
    # Back to a .py file jupytext shall write the options of the course's lessons, and no header.
    options = "title,points,level,minutes,needs,lesson,tags,-all"
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    metadata["jupytext"] = {"notebook_metadata_filter": "-all", "cell_metadata_filter": options}
    metadata["course"] = {"lesson": lesson.id, "built": _digest(cells)}
    return new_notebook(cells=cells, metadata=metadata)


def _attach_figures(cell: Any, folder: Path) -> None:
    """Put the figures of a cell into it, so that the notebook shows them wherever it lies."""

    def attached(match: re.Match[str]) -> str:
        path = (folder / match["path"]).resolve()
        kind = mimetypes.guess_type(path.name)[0] or "image/png"
        try:
            content = base64.b64encode(path.read_bytes()).decode()
        except OSError:
            raise CourseError(f"the figure {match['path']} is missing: `git checkout -- data` brings it back") from None
        cell.setdefault("attachments", {})[path.name] = {kind: content}
        return f"![{match['words']}](attachment:{path.name})"

    cell.source = _IMAGE.sub(attached, cell.source)


def write_notebooks(
    course: Course, root: Path, folder: Path | None = None, *, solutions: bool = False, force: bool = False
) -> list[str]:
    """Write one notebook for each lesson, TOPIC/LESSON.ipynb below `folder`, and say what was done, a line each.

    They are made from exercises/, with what the learner has written there. A notebook whose cells were edited since
    it was built is a learner's work, and stays.

    Args:
        folder: exercises/notebooks if left out.
        solutions: make them from solutions/ instead.
        force: replace edited notebooks too, after copying them to .grader/backup/.

    Raises:
        CourseError: notebooks were edited and `force` is off (nothing is written then), or a lesson is missing.
    """
    import nbformat

    folder = root / FOLDER if folder is None else folder
    texts = {}
    for lesson in course.lessons:
        path = root / ("solutions" if solutions else "exercises") / f"{lesson.id}.py"
        try:
            texts[f"{lesson.id}.ipynb"] = path.read_text(encoding="utf-8")
        except OSError:
            hint = "there are none in a student version" if solutions else f"`git checkout -- {_named(path, root)}`"
            raise CourseError(f"{_named(path, root)} is missing: {hint}") from None
        except UnicodeDecodeError:
            raise CourseError(f"{_named(path, root)} is not UTF-8 text: save it as UTF-8") from None
    edited = [name for name in texts if is_edited(folder / name)]
    if edited and not force:
        names = ", ".join(_named(folder / name, root) for name in edited)
        raise CourseError(
            f"these notebooks hold work that a build would overwrite: {names}. "
            "`--force` replaces them and keeps copies in .grader/backup/"
        )
    lines = _keep_copies(edited, folder, root)
    for lesson in course.lessons:
        path = folder / f"{lesson.id}.ipynb"
        notebook = lesson_notebook(lesson, texts[f"{lesson.id}.ipynb"], root)
        if _built(path) == notebook.metadata["course"]["built"] and not is_edited(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".new")
        draft.write_text(nbformat.writes(notebook), encoding="utf-8")
        draft.replace(path)
        lines.append(f"wrote      {_named(path, root)}")
    return lines or [f"{_named(folder, root)} is up to date"]


def _keep_copies(names: Iterable[str], folder: Path, root: Path) -> list[str]:
    backup = root / ".grader" / "backup" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    lines = []
    for name in names:
        copy = backup / "notebooks" / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(folder / name, copy)
        lines.append(f"kept       {_named(folder / name, root)} as {copy.relative_to(root)}")
    return lines


def is_edited(path: Path) -> bool:
    """Whether the file holds anything but cells as they were built; outputs do not count."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return notebook["metadata"]["course"]["built"] != _digest(notebook["cells"])
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError):
        return True


def _built(path: Path) -> str | None:
    try:
        return json.loads(path.read_text(encoding="utf-8"))["metadata"]["course"]["built"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest(cells: Iterable[Any]) -> str:
    """Of kinds and sources of cells: what a person may have written."""
    texts = []
    for cell in cells:
        source = cell["source"]
        texts.append([cell["cell_type"], source if isinstance(source, str) else "".join(source)])
    # As Jupyter saves them: without empty lines at the end.
    written = json.dumps([[kind, text.rstrip("\n")] for kind, text in texts])
    return hashlib.sha256(written.encode()).hexdigest()


def _named(path: Path, root: Path) -> str:
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
