"""Gradescope: results.json, one test for each exercise, with the visibility that the instructor chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.errors import GraderError
from grader.reports import write_text
from grader.reports.markdown import to_markdown
from grader.reports.wording import STATUS, number, plain, sentence
from grader.result import ExerciseResult, Result

VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
OUTPUT_CHARACTERS = 4000


def hand_over(result: Result, path: Path, visibility: str = "visible") -> None:
    """Write results.json to `path`.

    Raises:
        GraderError: it cannot be written.
    """
    write_text(str(path), json.dumps(to_gradescope(result, visibility), indent=2) + "\n")


def tell_failure(error: GraderError, path: Path) -> None:
    """Write a result of no points that says why a submission could not be read."""
    told = {"score": 0, "output": sentence(str(error)), "output_format": "text", "stdout_visibility": "hidden"}
    write_text(str(path), json.dumps(told, indent=2) + "\n")


def to_gradescope(result: Result, visibility: str = "visible") -> dict[str, Any]:
    """The result as Gradescope reads it; the score is the tests' sum, which Gradescope forms itself.

    Args:
        visibility: of every test and of the summary: one of VISIBILITIES. With hidden tests, learners see no total.
    """
    return {
        "execution_time": round(sum(exercise.seconds for exercise in result.exercises), 3),
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "output": to_markdown(result),
        "output_format": "md",
        "tests": [_test(exercise, place, visibility) for place, exercise in enumerate(result.exercises, start=1)],
        "extra_data": {
            "isolation": result.isolation,
            "seed": result.seed,
            "checks": result.checks,
            "not_assessed_points": result.not_assessed_points,
        },
    }


def _test(exercise: ExerciseResult, place: int, visibility: str) -> dict[str, Any]:
    lines = []
    if exercise.misconception:
        lines.append(sentence(exercise.misconception))
    for tried in exercise.tests:
        if tried.status != "passed":
            said = f": {sentence(tried.message)}" if tried.message else ""
            lines.append(f"{plain(tried.name)} - {STATUS[tried.status]}{said}")
    if exercise.not_assessed_points:
        lines.append(f"{number(exercise.not_assessed_points)} points could not be assessed and are out of the maximum.")
    test: dict[str, Any] = {
        "name": plain(exercise.id),
        "number": str(place),
        "score": exercise.points,
        "max_score": exercise.max_points,
        "output": "\n".join(lines)[:OUTPUT_CHARACTERS],
        "output_format": "text",
        "tags": [plain(exercise.topic)],
        "visibility": visibility,
    }
    if exercise.status != "not_assessed":
        test["status"] = "passed" if exercise.status == "passed" else "failed"
    return test
