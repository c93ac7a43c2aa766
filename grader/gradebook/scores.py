"""An exercise's result as nbgrader's score, and as the sentences that go with it."""

from __future__ import annotations

from typing import Any

from grader.reports.wording import STATUS, number, plain, sentence
from grader.result import ExerciseResult


def auto_score(exercise: ExerciseResult | None) -> float | None:
    """The points that the judge gave; None, nbgrader's "not graded", where it could not judge."""
    return None if exercise is None or exercise.status == "not_assessed" else exercise.points


def set_score(grade: Any, exercise: ExerciseResult | None) -> None:
    """Set nbgrader's score of one exercise; `None` means that there is no result.

    What could not be assessed is left to a person, and so is a score that a person had changed before.
    """
    grade.auto_score = auto_score(exercise)
    missing = exercise is None or exercise.not_assessed_points > 0
    grade.needs_manual_grade = missing or grade.manual_score is not None


def feedback(exercise: ExerciseResult) -> str:
    """An exercise's outcome in sentences, a line each."""
    lines = [f"{STATUS[exercise.status]}: {number(exercise.points)} of {number(exercise.max_points)} points"]
    if exercise.misconception:
        lines.append(sentence(exercise.misconception))
    elif exercise.decisive and exercise.status != "not_attempted":
        lines.append(f"{plain(exercise.decisive.name)}: {sentence(exercise.decisive.message or '')}")
    others = sum(test.status not in ("passed", "not_assessed") for test in exercise.tests) - 1
    if others > 0 and exercise.status != "not_attempted":
        lines.append(f"{others} more {'test does' if others == 1 else 'tests do'} not pass.")
    if exercise.not_assessed_points:
        reasons = {sentence(t.message or "") for t in exercise.tests if t.status == "not_assessed"}
        points = number(exercise.not_assessed_points)
        lines.append(f"{points} more points could not be assessed and are graded by hand. {' '.join(sorted(reasons))}")
    return "\n".join(lines) + "\n"
