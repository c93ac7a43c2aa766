"""grades.csv: one row for each student, one column for each exercise."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from grader.classroom.grades import ClassGrades, StudentGrade
from grader.reports.wording import number

HOUR = 3600.0
COLUMNS = (
    "student name email submission problem points max_points not_assessed_points arrived arrived_by late_hours "
    "penalty_percent total percent"
).split()


def to_csv(grades: ClassGrades) -> str:
    """The table as text.

    An exercise's cell is empty where it could not be assessed, all of a student's are where there is no result: an
    empty cell is for a person to look at, and never a zero. `points` is the sum of the exercises, `total` what is
    left of it after the penalty for lateness, `percent` the total's share of `max_points`; points that could not be
    assessed are out of `max_points`, and stand apart.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*COLUMNS, *(exercise.id for exercise in grades.exercises)])
    for student in grades.students:
        writer.writerow([*_facts(student), *_exercises(student, grades)])
    return out.getvalue()


def _facts(student: StudentGrade) -> Iterator[str]:
    for text in (student.student, student.name, student.email, student.submission, student.problem or ""):
        yield disarmed(text)
    result, arrived = student.result, student.arrived
    yield from (
        (number(result.points), number(result.max_points), number(result.not_assessed_points)) if result else ("",) * 3
    )
    yield from (arrived.text, arrived.source) if arrived else ("", "")
    yield number(student.late_seconds / HOUR)
    yield number(100 * student.penalty)
    yield "" if student.points is None else number(student.points)
    yield "" if student.percent is None else number(student.percent)


def _exercises(student: StudentGrade, grades: ClassGrades) -> Iterator[str]:
    found = {exercise.id: exercise for exercise in student.result.exercises} if student.result else {}
    for exercise in grades.exercises:
        result = found.get(exercise.id)
        yield "" if result is None or result.status == "not_assessed" else number(result.points)


def disarmed(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.lstrip(" ")[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text
