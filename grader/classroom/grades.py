"""What grading a class gave: plain data, one entry for each student."""

from __future__ import annotations

from dataclasses import dataclass

from grader.course import Exercise
from grader.result import Result


@dataclass(frozen=True)
class StudentGrade:
    """One student's submission and what came of it.

    `student` is the id that the submission's name or the roster gives; `submission` its path below the class's folder.
    Without a `result` it could not be graded, and `problem` says why in one sentence: that is for a person to look at,
    not a zero. `late_seconds` is how long after the deadline it came, `penalty` the part (0 to 1) of the points that
    this costs.
    """

    student: str
    submission: str
    result: Result | None
    problem: str | None = None
    name: str = ""
    email: str = ""
    late_seconds: float = 0.0
    penalty: float = 0.0

    @property
    def points(self) -> float | None:
        """Points after the penalty for lateness; None if it could not be graded."""
        return None if self.result is None else round(self.result.points * (1 - self.penalty), 4)


@dataclass(frozen=True)
class ClassGrades:
    """A class, in the order of the students' ids. `folder` is where the submissions were; `seconds` took all of it."""

    folder: str
    exercises: tuple[Exercise, ...]
    students: tuple[StudentGrade, ...]
    isolation: str
    seed: int
    seconds: float
