"""What grading one submission gave: plain data, and its JSON form `grader/result/v1`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from typing import Any

SCHEMA = "grader/result/v1"
STATUSES = ("passed", "failed", "error", "timeout", "crashed", "not_attempted", "not_assessed")


@dataclass(frozen=True)
class Shown:
    """One value, got or expected, as small plain data.

    `kind` is the name of its type; `text` a short print on one line. `shape`, `dtype` and `device` are a tensor's or
    an array's (None for anything else). `near` are the elements around the worst index as text, up to 8 x 8 of its
    last two dimensions; `picture` is that plane as numbers for a heat map, thinned out to at most 32 x 32, with None
    for what is no finite number. Both are empty where there is nothing to show.
    """

    kind: str
    text: str | None = None
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    device: str | None = None
    near: tuple[tuple[str, ...], ...] = ()
    picture: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What a test that did not pass had called, what came, what was expected, and where the two differ.

    `difference` is in what: "kind", "shape", "dtype", "device", "values", "items", "error", or "other" for what the
    test itself says in its message. `brief` is that message without any value of input, answer or expectation.
    `called` is the call as the learner would write it, `inputs` short prints of what went in, by name.
    `worst` is the index of the element that is furthest off, `near_start` that of the first element of `near`;
    `differing` of `elements` elements differ. `advice` is what to look at next, where the values tell.
    """

    difference: str
    brief: str
    called: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    got: Shown | None = None
    expected: Shown | None = None
    worst: tuple[int, ...] | None = None
    near_start: tuple[int, ...] | None = None
    differing: int | None = None
    elements: int | None = None
    advice: str | None = None


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
    comparison: Comparison | None = None


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
    """One submission. `isolation_note` says why the level is no higher; `remarks` what was left out of the files.

    `checks` is "hidden", or "public" where only the examples of the docstrings were to be had.
    """

    submission: str
    isolation: str
    seed: int
    torch: str
    gpu: str | None
    exercises: tuple[ExerciseResult, ...]
    remarks: tuple[str, ...] = ()
    isolation_note: str | None = None
    checks: str = "hidden"

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
    *,
    comparisons: Sequence[Comparison | None] = (),
    misconception: str | None = None,
) -> ExerciseResult:
    """Turn outcomes into points.

    Args:
        points: of the whole exercise; each test has a share by its weight.
        tests: name, status, weight, message and line of each.
        comparisons: of each test, in the same order; none at all if left out.
    """
    total = sum(weight for _, _, weight, _, _ in tests)
    results = []
    for (name, status, weight, message, line), comparison in zip_longest(tests, comparisons):
        share = points * weight / total if total else 0.0
        most = 0.0 if status == "not_assessed" else share
        results.append(TestResult(name, status, most if status == "passed" else 0.0, most, message, line, comparison))
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
        misconception=misconception,
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
        "checks": result.checks,
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
                        # Left out where there is none: a reader of the first version need not know it.
                        **({"comparison": _as_json(asdict(test.comparison))} if test.comparison else {}),
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
            tests = tuple(_test_from_json(test) for test in entry["tests"])
            fields = {name: value for name, value in entry.items() if name not in ("topic", "tests")}
            exercises.append(ExerciseResult(**fields, tests=tests))
        kept = {name: data[name] for name in ("submission", "isolation", "isolation_note", "seed", "torch", "gpu")}
        checks = data.get("checks", "hidden")
        return Result(**kept, remarks=tuple(data["remarks"]), exercises=tuple(exercises), checks=checks)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a {SCHEMA}: {error}") from None


def _test_from_json(entry: dict[str, Any]) -> TestResult:
    comparison = entry.get("comparison")
    if comparison is not None:
        fields = {name: _as_tuple(value) for name, value in comparison.items()}
        for side in ("got", "expected"):
            if fields[side] is not None:
                fields[side] = Shown(**{name: _as_tuple(value) for name, value in fields[side].items()})
        comparison = Comparison(**fields)
    return TestResult(**{**entry, "comparison": comparison})


def _as_json(value: Any) -> Any:
    """Tuples as lists, all the way down."""
    if isinstance(value, dict):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, (tuple, list)) else value


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value


def for_learners(result: Result) -> Result:
    """The result as a class may see it while the tests are hidden.

    Outcomes, points, lines and messages stay. Gone are the inputs of hidden tests, what was expected, what came (an
    answer that hands its input back would show that) and what the code printed; of the values compared, kind, shape,
    dtype and device stay. Messages are those without values.
    """
    return replace(result, exercises=tuple(_exercise_for_learners(exercise) for exercise in result.exercises))


def _exercise_for_learners(exercise: ExerciseResult) -> ExerciseResult:
    return replace(exercise, output="", tests=tuple(_test_for_learners(test) for test in exercise.tests))


def _test_for_learners(test: TestResult) -> TestResult:
    if test.comparison is None:
        return test
    kept = replace(
        test.comparison,
        called=None,
        inputs={},
        got=_without_values(test.comparison.got),
        expected=_without_values(test.comparison.expected),
        advice=None,
    )
    return replace(test, message=kept.brief, comparison=kept)


def _without_values(shown: Shown | None) -> Shown | None:
    return None if shown is None else replace(shown, text=None, near=(), picture=())


def _rounded(value: float) -> float:
    return round(value + 0.0, 4)
