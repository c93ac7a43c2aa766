"""What grading a class gave: plain data, one entry for each student."""

from __future__ import annotations

from dataclasses import dataclass

from grader.classroom.arrival import Arrival
from grader.course import Exercise
from grader.result import Result

COULD_NOT = "could not be graded"
NOTHING_HANDED_IN = "nothing was handed in"


@dataclass(frozen=True)
class StudentGrade:
    """One student's submission and what came of it.

    `student` is the id that the submission's name or the roster gives; `submission` its path below the class's folder,
    empty if there is none. Without a `result` it could not be graded, and `problem` says why in one sentence: that is
    for a person to look at, not a zero. `late_seconds` is how long after the deadline it came, `penalty` the part
    (0 to 1) of the points that this costs. `file` is the name, without suffix, of its reports.
    """

    student: str
    submission: str
    result: Result | None
    problem: str | None = None
    name: str = ""
    email: str = ""
    late_seconds: float = 0.0
    penalty: float = 0.0
    arrived: Arrival | None = None
    file: str = ""

    @property
    def failed(self) -> bool:
        """Whether the grader itself failed on it."""
        return self.result is None and (self.problem or "").startswith(COULD_NOT)

    @property
    def points(self) -> float | None:
        """Points after the penalty for lateness; None if it could not be graded."""
        return None if self.result is None else round(self.result.points * (1 - self.penalty), 4)

    @property
    def percent(self) -> float | None:
        """`points` in per cent of what could be had; None if it could not be graded."""
        if self.result is None or self.points is None:
            return None
        return round(100 * self.points / self.result.max_points, 4) if self.result.max_points else 0.0


@dataclass(frozen=True)
class ClassGrades:
    """A class, in the order of the students' ids. `folder` is where the submissions were; `seconds` took all of it.

    `not_graded_now` counts those whose results were kept from an earlier run. Of the others' answers, one for each
    exercise, `answers_judged` were judged now; `answers_passed_on` are the same text as one that was judged.
    """

    folder: str
    exercises: tuple[Exercise, ...]
    students: tuple[StudentGrade, ...]
    isolation: str
    seed: int
    seconds: float
    not_graded_now: int = 0
    answers_judged: int = 0
    answers_passed_on: int = 0
    complete: bool = True
