"""What grading one submission gave: plain data, and its JSON form `grader/result/v1`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SCHEMA = "grader/result/v1"
STATUSES = ("passed", "failed", "error", "timeout", "crashed", "not_attempted", "not_assessed")


@dataclass(frozen=True)
class TestResult:
    """One hidden test. `name` is its name in words; `line` is a line of the learner's file, where one is to blame."""

    __test__ = False

    name: str
    status: str
    points: float
    max_points: float
    message: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise; `not_assessed_points` are already out of `max_points`. `output` is what the code printed."""

    id: str
    title: str
    status: str
    points: float
    max_points: float
    not_assessed_points: float
    seconds: float
    tests: tuple[TestResult, ...]
    misconception: str | None = None
    output: str = ""

    @property
    def topic(self) -> str:
        return self.id.split("/")[0]

    @property
    def lesson_id(self) -> str:
        return self.id.rsplit("/", 1)[0]

    @property
    def decisive(self) -> TestResult | None:
        """The test whose message says most about what to do next; None if nothing went wrong."""
        return next((test for test in self.tests if test.status not in ("passed", "not_assessed")), None)


@dataclass(frozen=True)
class Result:
    """One submission. `isolation_note` says why the level is no higher; `remarks` what was left out of the files."""

    submission: str
    isolation: str
    seed: int
    torch: str
    gpu: str | None
    exercises: tuple[ExerciseResult, ...]
    remarks: tuple[str, ...] = ()
    isolation_note: str | None = None

    @property
    def points(self) -> float:
        return _rounded(sum(exercise.points for exercise in self.exercises))

    @property
    def max_points(self) -> float:
        return _rounded(sum(exercise.max_points for exercise in self.exercises))

    @property
    def not_assessed_points(self) -> float:
        return _rounded(sum(exercise.not_assessed_points for exercise in self.exercises))

    @property
    def percent(self) -> float:
        """Points in per cent of what could be had here; 0 where nothing could."""
        return _rounded(100 * self.points / self.max_points) if self.max_points else 0.0


def score_exercise(
    exercise_id: str,
    title: str,
    points: float,
    tests: list[tuple[str, str, float, str | None, int | None]],
    seconds: float,
    output: str = "",
) -> ExerciseResult:
    """Turn outcomes into points.

    Args:
        points: of the whole exercise; each test has a share by its weight.
        tests: name, status, weight, message and line of each.
    """
    total = sum(weight for _, _, weight, _, _ in tests)
    results = []
    for name, status, weight, message, line in tests:
        share = points * weight / total if total else 0.0
        most = 0.0 if status == "not_assessed" else share
        results.append(TestResult(name, status, most if status == "passed" else 0.0, most, message, line))
    missing = points - sum(test.max_points for test in results)
    return ExerciseResult(
        id=exercise_id,
        title=title,
        status=overall_status([test.status for test in results]),
        points=_rounded(sum(test.points for test in results)),
        max_points=_rounded(points - missing),
        not_assessed_points=_rounded(missing),
        seconds=round(seconds, 4),
        tests=tuple(results),
        output=output,
    )


def overall_status(statuses: list[str]) -> str:
    """An exercise's status from its tests': passed if all that were assessed passed, else the gravest.

    A stub beside a function that works is a failure: the exercise was attempted.
    """
    assessed = [status for status in statuses if status != "not_assessed"]
    if not assessed:
        return "not_assessed"
    if all(status == "passed" for status in assessed):
        return "passed"
    if all(status == "not_attempted" for status in assessed):
        return "not_attempted"
    for status in ("crashed", "timeout", "error"):
        if status in assessed:
            return status
    return "failed"


def to_json(result: Result) -> dict[str, Any]:
    """The result as `grader/result/v1` (grader/result.schema.json)."""
    return {
        "schema": SCHEMA,
        "submission": result.submission,
        "isolation": result.isolation,
        "isolation_note": result.isolation_note,
        "seed": result.seed,
        "torch": result.torch,
        "gpu": result.gpu,
        "remarks": list(result.remarks),
        "score": {
            "points": result.points,
            "max_points": result.max_points,
            "not_assessed_points": result.not_assessed_points,
            "percent": result.percent,
        },
        "exercises": [
            {
                "id": exercise.id,
                "topic": exercise.topic,
                "title": exercise.title,
                "status": exercise.status,
                "points": exercise.points,
                "max_points": exercise.max_points,
                "not_assessed_points": exercise.not_assessed_points,
                "misconception": exercise.misconception,
                "seconds": exercise.seconds,
                "tests": [
                    {
                        "name": test.name,
                        "status": test.status,
                        "points": _rounded(test.points),
                        "max_points": _rounded(test.max_points),
                        "message": test.message,
                        "line": test.line,
                    }
                    for test in exercise.tests
                ],
            }
            for exercise in result.exercises
        ],
    }


def from_json(data: dict[str, Any]) -> Result:
    """The result that `to_json` gave, but for what the code printed, which it leaves out.

    Raises:
        ValueError: it is not of this schema.
    """
    if data.get("schema") != SCHEMA:
        raise ValueError(f"not a {SCHEMA}: {data.get('schema')!r}")
    try:
        exercises = []
        for entry in data["exercises"]:
            tests = tuple(TestResult(**test) for test in entry["tests"])
            fields = {name: value for name, value in entry.items() if name not in ("topic", "tests")}
            exercises.append(ExerciseResult(**fields, tests=tests))
        kept = {name: data[name] for name in ("submission", "isolation", "isolation_note", "seed", "torch", "gpu")}
        return Result(**kept, remarks=tuple(data["remarks"]), exercises=tuple(exercises))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a {SCHEMA}: {error}") from None


def _rounded(value: float) -> float:
    return round(value + 0.0, 4)
