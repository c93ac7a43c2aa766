"""Steps of `nbgrader autograde` that put our judge in the place of running the notebook.

nbgrader runs a submission in a kernel that can read and write the gradebook, and takes the score from what that
kernel printed. Here no kernel is started: the notebook's text is judged in the sandbox, and the points go from the
judge to the gradebook by a way that nothing in the notebook is part of.
"""

from __future__ import annotations

import re
import secrets
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Enum, Integer, Unicode

from grader.course import Course, Lesson, load_course
from grader.errors import GraderError, GraderFailed
from grader.gradebook.judging import judge_notebook
from grader.gradebook.naming import for_notebook, lesson_of, test_cell
from grader.gradebook.scores import feedback, set_score
from grader.percent import read_cells
from grader.reports.wording import plain
from grader.result import ExerciseResult, Result, for_learners

MAX_CELLS = 10_000
Resources = dict[str, Any]


class RestoreNotebook(NbGraderPreprocessor):
    """Keeps a submission's text and nothing else: which cells carry points is what the gradebook says.

    Copied cells, changed points and cells that only call themselves test cells come to nothing; test cells that are
    missing come back. Outputs, attachments and metadata are dropped, and prose that is not the lesson's is shown as
    plain text.
    """

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Make the notebook anew.

        Raises:
            GraderError: the file is a link: what it leads to would come back as this student's feedback.
        """
        _refuse_links(resources)
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            released = gradebook.find_notebook(names["notebook"], names["assignment"])
            points = {cell.name: cell.max_score for cell in released.grade_cells}
            solutions = {cell.name for cell in released.solution_cells}
            known = {cell.name: _released(cell, points, solutions) for cell in released.source_cells}
        lesson = lesson_of(load_course(), names["assignment"])
        prose = {for_notebook(cell.source) for cell in read_cells(lesson.text) if cell.markdown} if lesson else set()
        # Of several cells with one id the last is taken, as nbgrader does.
        last = {_grade_id(cell): cell for cell in nb.cells}
        cells = []
        for cell in nb.cells[:MAX_CELLS]:
            name = _grade_id(cell)
            if name in known and last[name] is cell:
                restored = known.pop(name)
                if name in solutions:
                    restored.source = cell.source
            else:
                text = cell.source if cell.source in prose else _as_text(cell.source)
                restored = new_code_cell(cell.source) if cell.cell_type == "code" else new_markdown_cell(text)
            cells.append(restored)
        # A missing solution cell stays away: its stub would undo an answer that stands in a cell of the student's own.
        cells += [cell for name, cell in known.items() if name not in solutions]
        for place, cell in enumerate(cells):
            cell["id"] = f"cell-{place}"
        return new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), resources


def _as_text(markdown: str) -> str:
    """Text in a code block: formgrader shows it to someone who may change all grades, and Markdown may hold scripts."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", markdown)), default=0))
    return f"{fence}text\n{markdown}\n{fence}"


def _refuse_links(resources: Resources) -> None:
    where = resources.get("metadata", {})
    path = Path(where.get("path") or ".") / f"{where.get('name', '')}.ipynb"
    # submitted/STUDENT/ASSIGNMENT/NOTEBOOK.ipynb: all but the course's own folder are the student's.
    if any(part.is_symlink() for part in (path, *list(path.parents)[:2])):
        raise GraderError(f"{path} is a link, or in a folder that is one: the notebook itself is to be handed in")


def _grade_id(cell: NotebookNode) -> str | None:
    metadata = cell.metadata.get("nbgrader")
    name = metadata.get("grade_id") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else None


def _released(source: Any, points: dict[str, float], solutions: set[str]) -> NotebookNode:
    """A cell as `nbgrader generate_assignment` saved it."""
    make = new_code_cell if source.cell_type == "code" else new_markdown_cell
    metadata = {
        "grade_id": source.name,
        "grade": source.name in points,
        "solution": source.name in solutions,
        "locked": source.locked,
        "task": False,
        "schema_version": 3,
        "checksum": source.checksum,
        "cell_type": source.cell_type,
    }
    if source.name in points:
        metadata["points"] = points[source.name]
    return make(source.source, metadata={"nbgrader": metadata})


class JudgeNotebook(NbGraderPreprocessor):
    """Takes the place of `Execute`: judges the notebook outside, and shows in each test cell what came of it."""

    python = Unicode(sys.executable, help="The Python that has torch and the grader's other packages.").tag(config=True)
    isolation = Enum(
        ("sandbox", "auto", "process"), "sandbox", help="See `python -m grader grade --help`; sandbox, or nothing."
    ).tag(config=True)
    gpu = Enum(("auto", "require", "off"), "auto", help="Whether GPU tests run.").tag(config=True)
    seed = Integer(None, allow_none=True, help="Of the tests' random inputs; fresh for each submission if None.").tag(
        config=True
    )

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Judge, and put the outcome into the test cells and into `resources`.

        Raises:
            GraderError: it cannot be judged before something is put right, which the text names.
        """
        course = load_course()
        lesson = _lesson(course, resources)
        seed = secrets.randbelow(2**31) if self.seed is None else self.seed
        result: Result | None = None
        problem = ""
        try:
            answers = new_notebook(cells=[cell for cell in nb.cells if not _is_test(cell)])
            text = nbformat.writes(answers, version=4).encode("utf-8", "replace")
            result = judge_notebook(text, lesson, seed=seed, python=self.python, isolation=self.isolation, gpu=self.gpu)
        except GraderFailed as error:
            problem = plain(str(error))
            self.log.error("The grader failed, so this is left for grading by hand: %s", problem)
        except GraderError as error:
            self.log.error("grader: %s", error)
            raise
        # What is shown becomes the student's feedback, and others hand in later.
        shown = for_learners(result).exercises if result else ()
        exercises = {exercise.id.rsplit("/", 1)[1]: exercise for exercise in shown}
        resources["grader"] = {test_cell(e): exercises.get(e.name) for e in lesson.exercises}
        for cell in nb.cells:
            if _is_test(cell):
                cell.execution_count = None
                cell.outputs = _outputs(resources["grader"].get(_grade_id(cell)), problem)
        return nb, resources


def _lesson(course: Course, resources: Resources) -> Lesson:
    assignment = resources["nbgrader"]["assignment"]
    lesson = lesson_of(course, assignment)
    if lesson is None or resources["nbgrader"]["notebook"] != lesson.name:
        raise GraderError(
            f"{assignment}/{resources['nbgrader']['notebook']} is no lesson of this course: "
            "grade other assignments in a course folder of their own"
        )
    return lesson


def _is_test(cell: NotebookNode) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


def _outputs(exercise: ExerciseResult | None, problem: str) -> list[NotebookNode]:
    """What a test cell shows: sentences, and the points as its value, which nbgrader reads as partial credit."""
    if exercise is None:
        text = f"Not graded yet: {problem or 'the grader gave no result'}. Someone will look at it.\n"
        return [new_output("stream", name="stdout", text=text)]
    value = new_output("execute_result", data={"text/plain": repr(exercise.points)}, execution_count=None)
    return [new_output("stream", name="stdout", text=feedback(exercise)), value]


class SaveGrades(SaveAutoGrades):
    """Saves what the judge said, not what a cell shows; what it could not say is marked for grading by hand."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        """Save the score of each exercise, whatever cells there are, and nbgrader's comments on empty answers."""
        nb, resources = super().preprocess(nb, resources)
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            for cell, exercise in resources["grader"].items():
                try:
                    grade = gradebook.find_grade(cell, names["notebook"], names["assignment"], names["student"])
                except MissingEntry:
                    raise GraderError(
                        f"the gradebook has no cell {cell!r} in {names['assignment']}: "
                        "run `nbgrader generate_assignment` again after building the course"
                    ) from None
                set_score(grade, exercise)
            gradebook.db.commit()
        return nb, resources

    def _add_score(self, cell: NotebookNode, resources: Resources) -> None:
        """Nothing: scores are not in cells."""
