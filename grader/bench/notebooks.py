"""Grades the same submissions with `nbgrader autograde`: makes an nbgrader course of them and reads its gradebook."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grader.bench.commands import time_python
from grader.bench.submissions import MadeSubmission
from grader.course import Course, Exercise
from grader.percent import read_cells
from grader.result import Result

ASSIGNMENT = "exercises"
CELL_SECONDS = 300


class NbgraderCourse:
    """A folder with one assignment of one notebook, handed in once for each submission."""

    def __init__(
        self, folder: Path, course: Course, exercises: Sequence[Exercise], max_points: dict[str, float], seed: int
    ) -> None:
        self.folder = folder
        self.course = course
        self.exercises = exercises
        self.max_points = max_points
        self.seed = seed

    def prepare(self, submissions: Sequence[MadeSubmission]) -> None:
        """Write the source, have nbgrader generate the assignment, and hand everything in.

        Raises:
            GraderError: nbgrader does not take it.
        """
        solutions = {lesson.id: lesson.text for lesson in self.course.lessons}
        self._write("source", solutions)
        self._run("generate_assignment", None)
        for submission in submissions:
            self._write(f"submitted/{submission.name}", submission.texts)

    def autograde(self, on_submission: Callable[[str], None]) -> float:
        """Grade everything that was handed in, with one command.

        Args:
            on_submission: called with the name of each submission when its turn comes.

        Returns: seconds.
        Raises:
            GraderError: nbgrader failed on one of them.
        """

        def tell(line: str) -> None:
            if match := re.search(r"Converting notebook .*[\\/]submitted[\\/]([^\\/]+)[\\/]", line):
                on_submission(match[1])

        return self._run("autograde", tell)

    def points(self, submission: MadeSubmission) -> dict[str, float]:
        """What nbgrader's gradebook says of one submission: exercise id to points."""
        from nbgrader.api import Gradebook

        names = {_grade_id(exercise): exercise.id for exercise in self.exercises}
        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}") as gradebook:
            notebook = gradebook.find_submission_notebook("lessons", ASSIGNMENT, submission.name)
            return {names[grade.name]: round(grade.score, 4) for grade in notebook.grades}

    def _run(self, command: str, on_line: Callable[[str], None] | None) -> float:
        options = [f"--CourseDirectory.root={self.folder}", f"--CourseDirectory.course_id={ASSIGNMENT}"]
        options += [f"--Execute.timeout={CELL_SECONDS}", f"--assignment={ASSIGNMENT}"]
        return time_python(["-m", "nbgrader", command, *options], self.folder, on_line=on_line)

    def _write(self, place: str, texts: dict[str, str]) -> None:
        import nbformat

        folder = self.folder / place / ASSIGNMENT
        folder.mkdir(parents=True)
        nbformat.write(self._notebook(texts), folder / "lessons.ipynb")

    def _notebook(self, texts: dict[str, str]) -> Any:
        """All lessons' code, each followed by one test cell for each of its exercises."""
        from nbformat.v4 import new_code_cell, new_notebook

        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
        # What tells a stub's error from a library's; the grader's own loader of lessons sets it too.
        notebook.cells.append(new_code_cell("__lesson__ = True"))
        for lesson in self.course.lessons:
            exercises = {exercise.name: exercise for exercise in self.exercises if exercise.lesson_id == lesson.id}
            for cell in read_cells(texts[lesson.id]):
                if cell.markdown:
                    continue
                written = new_code_cell(cell.source)
                if cell.title in exercises and "points" in cell.metadata:
                    name = _grade_id(exercises[cell.title]) + "-answer"
                    written.metadata["nbgrader"] = _metadata(name, solution=True)
                notebook.cells.append(written)
            for exercise in exercises.values():
                call = f"notebook_points({exercise.id!r}, {self.seed})"
                test = new_code_cell(f"from grader.bench.kernel import notebook_points\n\n{call}")
                test.metadata["nbgrader"] = _metadata(_grade_id(exercise), points=self.max_points[exercise.id])
                notebook.cells.append(test)
        for number, cell in enumerate(notebook.cells):
            cell.id = f"cell-{number}"
        return notebook


def _grade_id(exercise: Exercise) -> str:
    return exercise.id.replace("/", "-")


def _metadata(grade_id: str, *, solution: bool = False, points: float | None = None) -> dict[str, object]:
    grade = points is not None
    metadata: dict[str, object] = {"grade_id": grade_id, "schema_version": 3, "task": False}
    metadata |= {"solution": solution, "grade": grade, "locked": grade}
    return metadata | ({"points": points} if grade else {})


def max_points(result: Result) -> dict[str, float]:
    """What each exercise is worth here, without what is not assessed."""
    return {exercise.id: exercise.max_points for exercise in result.exercises}
