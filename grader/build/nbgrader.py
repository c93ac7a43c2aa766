"""Makes a course folder for nbgrader: one assignment for each lesson, graded by our judge.

An assignment is what nbgrader sets a due date for, collects and takes late penalties from; a lesson, an hour or two of
work, is what one gives out at a time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from grader import data, examples
from grader.course import ROOT, Course, Lesson
from grader.errors import CourseError, GraderError, MissingData
from grader.gradebook.naming import COURSE, assignment_name, for_notebook, notebook_name, solution_cell, test_cell
from grader.progress import Show

RECORD = ".grader-build.json"
CONFIG = "nbgrader_config.py"
STUB = 'raise NotImplementedError("this exercise is not written yet")'
BUNDLE = '"""What this notebook needs of its course: the data, and the examples that anyone may run."""\n'

_CONFIG = '''\
"""nbgrader's settings for this course, made by `python -m grader build nbgrader`. Change what you like.

nbgrader must find this file: run its commands, and Jupyter with formgrader, in this folder.
"""

import os
import sys

# nbgrader calls alembic by its name.
os.environ["PATH"] += os.pathsep + os.path.dirname(sys.executable)

# The grader, the hidden tests and the solutions: where students cannot read.
sys.path.insert(0, {root!r})

c = get_config()  # noqa: F821
c.CourseDirectory.course_id = {course!r}
# c.CourseDirectory.db_url = "postgresql://USER@HOST/DATABASE"   # in place of gradebook.db in this folder

c.ClearSolutions.code_stub = {{"python": {stub!r}}}

# No kernel runs a submission: its text is judged in the grader's sandbox, and the judge's points are saved.
# Without these lines nbgrader would run it, and believe the score that it prints.
c.Autograde.sanitize_preprocessors = [
    "grader.gradebook.preprocessors.RestoreNotebook",
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Autograde.autograde_preprocessors = [
    "grader.gradebook.preprocessors.JudgeNotebook",
    "nbgrader.preprocessors.LimitOutput",
    "grader.gradebook.preprocessors.SaveGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.JudgeNotebook.python = {python!r}  # has torch and the grader's other packages
# c.JudgeNotebook.isolation = "process"   # only for submissions that you trust, where there is no sandbox
# c.JudgeNotebook.gpu = "require"         # auto: GPU tests run where there is a GPU, else are left to you
# c.JudgeNotebook.seed = 1                # the same random inputs for everyone
# c.LateSubmissionPlugin.penalty_method = "zero"
'''

_TEST = """\
# {name}: {points} point{s}, given by hidden tests when this notebook is graded, outside of it. The examples run here.
import os

if os.environ.get("NBGRADER_EXECUTION") == "autograde":
    raise RuntimeError("not graded: nbgrader must run in the course's folder, where its nbgrader_config.py is")
try:
    from grader.examples import run_examples
except ImportError:
    print("The folder `grader`, which was handed out with this notebook, is missing: nothing can be tried out here.")
else:
    run_examples("{name}", globals())"""


@dataclass(frozen=True)
class Built:
    """What a build did: `lines` to tell, and the assignments that are now there."""

    folder: Path
    assignments: tuple[str, ...]
    lines: tuple[str, ...]


def build_course(
    course: Course, lessons: Sequence[Lesson], folder: Path, show: Show, *, force: bool = False, release: bool = True
) -> Built:
    """Write a course folder, or bring one up to date, and have nbgrader make the version for students.

    A file that was changed since the last build stays as it is.

    Args:
        show: is told of the progress.
        force: replace changed files too, after copying them to `folder`/backup/.
        release: run `nbgrader generate_assignment` on each assignment.

    Raises:
        GraderError: the folder holds something else, or nbgrader does not take an assignment.
        MissingData: a file of data/ is not there.
    """
    if not all(lesson.text for lesson in lessons):
        raise CourseError("there are no solutions here: nbgrader's course is built from the full repository")
    folder = folder.resolve()
    recorded = _recorded(folder)
    files = {CONFIG: _CONFIG.format(course=COURSE, root=str(ROOT), stub=STUB, python=sys.executable).encode()}
    for lesson in lessons:
        place = f"source/{assignment_name(lesson)}"
        files |= {f"{place}/{name}": content for name, content in assignment_files(lesson).items()}
    lines = _write(folder, files, recorded, force)
    assignments = tuple(assignment_name(lesson) for lesson in lessons)
    if release:
        for number, lesson in enumerate(lessons):
            show(f"releasing {assignment_name(lesson)}", number, len(lessons))
            if _release(folder, lesson):
                lines.append(f"released   {assignment_name(lesson)}")
    return Built(folder, assignments, tuple(lines) or (f"{folder} is up to date",))


def assignment_files(lesson: Lesson) -> dict[str, bytes]:
    """The files of a lesson's assignment, solutions included: the notebook, its data, and what finds them.

    Raises:
        MissingData: a file of data/ is not there.
    """
    import nbformat

    files = {f"{notebook_name(lesson)}.ipynb": nbformat.writes(source_notebook(lesson)).encode()}
    files["grader/__init__.py"] = BUNDLE.encode()
    files["grader/data.py"] = Path(data.__file__).read_bytes()
    files["grader/examples.py"] = Path(examples.__file__).read_bytes()
    named = re.findall(r"""data_file\(["']([^"']+)["']\)|\]\((?:\.\./)+data/([^)\s]+)\)""", lesson.text)
    for name in sorted({one or other for one, other in named}):
        path = data.FOLDER / name
        if not path.exists():
            raise MissingData(data.missing(name))
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                files[f"data/{file.relative_to(data.FOLDER).as_posix()}"] = file.read_bytes()
    return files


def source_notebook(lesson: Lesson) -> Any:
    """A lesson as nbgrader's source: solution cells, each followed by the cell that carries its points."""
    import jupytext
    from nbformat.v4 import new_code_cell, new_notebook

    exercises = {exercise.name: exercise for exercise in lesson.exercises}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    for cell in jupytext.reads(lesson.text, fmt="py:percent").cells:
        exercise = exercises.get(cell.metadata.get("title", "")) if "points" in cell.metadata else None
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "markdown":
            cell.source = for_notebook(cell.source)
        notebook.cells.append(cell)
        if exercise:
            cell.metadata["nbgrader"] = _metadata(solution_cell(exercise), solution=True)
            points = f"{exercise.points:g}"
            test = new_code_cell(_TEST.format(name=exercise.name, points=points, s="s" * (points != "1")))
            test.metadata["nbgrader"] = _metadata(test_cell(exercise), points=exercise.points)
            notebook.cells.append(test)
    for place, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{place}"
    return notebook


def _metadata(grade_id: str, *, solution: bool = False, points: float | None = None) -> dict[str, object]:
    grade = points is not None
    metadata: dict[str, object] = {"grade_id": grade_id, "schema_version": 3, "task": False, "cell_type": "code"}
    metadata |= {"solution": solution, "grade": grade, "locked": grade}
    return metadata | ({"points": points} if grade else {})


def _recorded(folder: Path) -> dict[str, str]:
    """Digests of the files as the last build left them.

    Raises:
        GraderError: the folder was not made by a build.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return {}
    try:
        recorded = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {str(name): str(digest) for name, digest in recorded["files"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise GraderError(
            f"{folder} is not empty, and no course made by this command: name a new folder with --out"
        ) from None


def _write(folder: Path, files: dict[str, bytes], recorded: dict[str, str], force: bool) -> list[str]:
    lines = []
    backup = folder / "backup" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S-%f")
    for name, content in files.items():
        path = folder / name
        present = path.read_bytes() if path.is_file() else None
        if present == content:
            recorded[name] = _digest(content)
            continue
        if present is not None and recorded.get(name) != _digest(present):
            if not force:
                lines.append(f"kept       {name}, which was changed here (--force replaces it)")
                continue
            (backup / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, backup / name)
            lines.append(f"copied     {name} to {(backup / name).relative_to(folder)}")
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, content)
        recorded[name] = _digest(content)
        if not name.startswith("source/") or name.endswith(".ipynb"):
            lines.append(f"wrote      {name}")
    _replace(folder / RECORD, json.dumps({"files": recorded}, indent=1).encode())
    return lines


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(path.name + ".new")
    draft.write_bytes(content)
    os.replace(draft, path)


def _release(folder: Path, lesson: Lesson) -> bool:
    """Have nbgrader make the version for students, unless it is there and newer than its source.

    Raises:
        GraderError: nbgrader does not take it, or something of the solution is left in it.
    """
    name = assignment_name(lesson)
    source = folder / "source" / name / f"{notebook_name(lesson)}.ipynb"
    released = folder / "release" / name / source.name
    if released.exists() and released.stat().st_mtime >= source.stat().st_mtime:
        return False
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader(CONFIG, path=str(folder)).load_config()
    config.CourseDirectory.root = str(folder)
    config.Application.log_level = "CRITICAL"
    outcome = NbGraderAPI(config=config).generate_assignment(name)
    if not outcome["success"]:
        said = [line for line in outcome.get("log", "").splitlines() if line.startswith("[ERROR]")]
        reason = (said or outcome.get("error", "").strip().splitlines() or ["no reason given"])[0]
        reason = next((line for line in reversed(said) if "Error:" in line or "Cannot" in line), reason)
        raise GraderError(
            f"nbgrader does not take {name}: {reason.removeprefix('[ERROR] ').split(' Cell contents')[0]}"
        )
    leaks = leaked_lines(lesson, released.read_text(encoding="utf-8"))
    if leaks:
        shutil.rmtree(released.parent)
        raise CourseError(f"solutions/{lesson.id}.py: this of its solution was left for students: {leaks[0]!r}")
    return True


def leaked_lines(lesson: Lesson, released: str) -> list[str]:
    """Lines of a lesson's solutions, hints included, that a released notebook (its JSON) still holds."""
    from grader.build.exercises import stub_text

    # Prose stands behind a `#` in the lesson, and without it in a notebook.
    public = {form.strip() for line in stub_text(lesson).splitlines() for form in (line, line.removeprefix("# "))}
    hidden = {line.strip() for line in lesson.text.splitlines()} - public
    # Test cells are our own, and hold common words such as `else:`.
    cells = [c for c in json.loads(released)["cells"] if not c["metadata"].get("nbgrader", {}).get("grade")]
    shown = {line.strip() for cell in cells for line in "".join(cell["source"]).splitlines()}
    # A header of jupytext is in no notebook, so what is left are lines of solutions.
    return sorted(line for line in hidden & shown if line)
