"""Tests of scoring, and of the JSON form of a result against its schema."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader import result as result_module
from grader.result import (
    STATUSES,
    Comparison,
    ExerciseResult,
    Result,
    Shown,
    for_learners,
    from_json,
    overall_status,
    score_exercise,
    to_json,
)

SCHEMA = json.loads((Path(result_module.__file__).parent / "result.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def scored(points: float, *tests: tuple[str, float], exercise_id: str = "tensors/views/turn") -> ExerciseResult:
    """An exercise of so many points whose tests had these statuses and weights."""
    outcomes = [
        (f"test {number}", status, weight, None if status == "passed" else "why", None)
        for number, (status, weight) in enumerate(tests)
    ]
    return score_exercise(exercise_id, "Turning", points, outcomes, 0.123456)


def result_of(*exercises: ExerciseResult, **fields: Any) -> Result:
    return Result(**{"submission": "in", "isolation": "sandbox", "seed": 7, "torch": "2", "gpu": None} | fields,
                  exercises=exercises)  # fmt: skip


def test_points_are_shared_by_weight() -> None:
    exercise = scored(6, ("passed", 1), ("failed", 2), ("passed", 3))
    assert [(test.points, test.max_points) for test in exercise.tests] == [(1, 1), (0, 2), (3, 3)]
    assert (exercise.points, exercise.max_points, exercise.not_assessed_points) == (4, 6, 0)
    assert exercise.status == "failed"


def test_what_is_not_assessed_is_out_of_the_maximum() -> None:
    exercise = scored(4, ("passed", 1), ("not_assessed", 3))
    assert (exercise.points, exercise.max_points, exercise.not_assessed_points) == (1, 1, 3)
    assert exercise.tests[1].max_points == 0
    assert exercise.status == "passed"


@pytest.mark.parametrize("status", [status for status in STATUSES if status not in ("passed", "not_assessed")])
def test_only_a_pass_earns_points(status: str) -> None:
    exercise = scored(2, (status, 1))
    assert (exercise.points, exercise.max_points, exercise.status) == (0, 2, status)


def test_an_exercise_without_tests_is_not_assessed() -> None:
    exercise = scored(2)
    assert (exercise.points, exercise.max_points, exercise.not_assessed_points) == (0, 0, 2)
    assert exercise.status == "not_assessed"


@pytest.mark.parametrize(
    ("statuses", "overall"),
    [
        ("passed passed", "passed"),
        ("passed not_assessed", "passed"),
        ("passed failed", "failed"),
        ("failed error", "error"),
        ("error timeout", "timeout"),
        ("timeout crashed", "crashed"),
        ("not_attempted not_attempted", "not_attempted"),
        ("not_attempted not_assessed", "not_attempted"),
        ("not_attempted passed", "failed"),
        ("not_attempted failed", "failed"),
        ("not_assessed not_assessed", "not_assessed"),
        ("", "not_assessed"),
    ],
)
def test_an_exercises_status_is_the_gravest_of_its_tests(statuses: str, overall: str) -> None:
    assert overall_status(statuses.split()) == overall
    assert overall_status(statuses.split()[::-1]) == overall


def test_the_decisive_test_is_the_first_that_went_wrong() -> None:
    exercise = scored(4, ("passed", 1), ("not_assessed", 1), ("failed", 1), ("error", 1))
    assert exercise.decisive is exercise.tests[2]
    assert scored(1, ("passed", 1), ("not_assessed", 1)).decisive is None


def test_a_result_adds_its_exercises_up() -> None:
    result = result_of(scored(4, ("passed", 1), ("failed", 1)), scored(3, ("passed", 2), ("not_assessed", 1)))
    assert (result.points, result.max_points, result.not_assessed_points, result.percent) == (4, 6, 1, 66.6667)


def test_per_cents_without_any_points_to_have_are_0() -> None:
    assert result_of().percent == 0
    assert result_of(scored(2, ("not_assessed", 1))).percent == 0


weights = st.floats(0.01, 100)
exercises = st.builds(
    lambda points, tests: scored(points, *tests),
    st.floats(0, 100),
    st.lists(st.tuples(st.sampled_from(STATUSES), weights), max_size=6),
)


@settings(derandomize=True, database=None, deadline=None, max_examples=100)
@given(st.lists(exercises, max_size=5))
def test_points_add_up_whatever_the_outcomes(exercises: list[ExerciseResult]) -> None:
    result = result_of(*exercises)
    assert 0 <= result.points <= result.max_points
    assert 0 <= result.percent <= 100
    for exercise in exercises:
        assert 0 <= exercise.points <= exercise.max_points
        assert exercise.status == overall_status([test.status for test in exercise.tests])
        assert (exercise.status == "passed") <= (exercise.points == exercise.max_points)
    VALIDATOR.validate(to_json(result))
    assert to_json(from_json(to_json(result))) == to_json(result)


def test_a_full_score_is_exactly_full() -> None:
    result = result_of(*(scored(0.1, *[("passed", 1)] * 3) for _ in range(30)))
    assert (result.points, result.max_points, result.percent) == (3, 3, 100)


# JSON


def sample() -> dict[str, Any]:
    turn = scored(2, ("passed", 1), ("not_assessed", 1))
    return to_json(result_of(turn, gpu="A GPU", remarks=("a.ipynb: 1 line",), isolation_note="no namespaces"))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_json_is_as_the_schema_says_and_survives_text() -> None:
    VALIDATOR.validate(sample())
    assert json.loads(json.dumps(sample(), allow_nan=False)) == sample()


def test_json_says_what_the_result_says() -> None:
    data = sample()
    assert data["schema"] == "grader/result/v1"
    assert data["score"] == {"points": 1, "max_points": 1, "not_assessed_points": 1, "percent": 100}
    assert data["exercises"][0] == {
        "id": "tensors/views/turn",
        "topic": "tensors",
        "title": "Turning",
        "status": "passed",
        "points": 1,
        "max_points": 1,
        "not_assessed_points": 1,
        "misconception": None,
        "seconds": 0.1235,
        "tests": [
            {"name": "test 0", "status": "passed", "points": 1, "max_points": 1, "message": None, "line": None},
            {"name": "test 1", "status": "not_assessed", "points": 0, "max_points": 0, "message": "why", "line": None},
        ],
    }


def places(data: Any, path: tuple = ()) -> Any:
    """The path of every object in some JSON."""
    if isinstance(data, dict):
        yield path
    for key, value in data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ():
        yield from places(value, (*path, key))


def at(data: Any, path: tuple) -> Any:
    for key in path:
        data = data[key]
    return data


def test_the_schema_asks_for_every_key_and_allows_no_other() -> None:
    for path in places(sample()):
        with_more = copy.deepcopy(sample())
        at(with_more, path)["another"] = 1
        assert not VALIDATOR.is_valid(with_more)
        for key in at(sample(), path):
            with_less = copy.deepcopy(sample())
            del at(with_less, path)[key]
            assert not VALIDATOR.is_valid(with_less), (path, key)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "grader/result/v2"),
        (("isolation",), "perhaps"),
        (("seed",), 1.5),
        (("score", "percent"), 101),
        (("score", "points"), -1),
        (("exercises", 0, "status"), "fine"),
        (("exercises", 0, "id"), "turn"),
        (("exercises", 0, "tests", 0, "status"), "skipped"),
        (("exercises", 0, "tests", 0, "message"), 5),
        (("exercises", 0, "tests", 0, "line"), 0),
    ],
)
def test_the_schema_refuses_what_a_result_never_is(path: tuple, value: Any) -> None:
    data = sample()
    at(data, path[:-1])[path[-1]] = value
    assert not VALIDATOR.is_valid(data)


def test_other_json_is_no_result() -> None:
    for data in ({}, {"schema": "grader/result/v1"}, {"schema": "grader/result/v2", "exercises": []}):
        with pytest.raises(ValueError, match="grader/result/v1"):
            from_json(data)


# Comparisons, and what learners may see of them


def compared() -> ExerciseResult:
    """An exercise whose second test failed, with everything that a comparison can hold; 42 is in every value."""
    side = {"shape": (1, 2), "dtype": "float32", "device": "cpu", "near": (("42", "nan"),), "picture": ((42.0, None),)}
    comparison = Comparison(
        difference="values",
        brief="the result has wrong values (1 of 2 elements differ).",
        called="turn(x, 42)",
        inputs={"x": "tensor (1, 2), float32: [[42, 0]]"},
        got=Shown("Tensor", "tensor([[42.0, nan]])", **side),
        expected=Shown("Tensor", "tensor([[42.0, 1.0]])", **side),
        worst=(0, 1),
        near_start=(0, 0),
        differing=1,
        elements=2,
        advice="Every element is 42 times what it should be.",
    )
    tests = [("shape", "passed", 1.0, None, None), ("values", "failed", 1.0, "at [0, 1] it should be 42", 3)]
    return score_exercise("tensors/views/turn", "Turning", 2, tests, 0.1, "42\n", comparisons=[None, comparison])


def test_a_comparison_survives_json_and_is_left_out_where_there_is_none() -> None:
    result = result_of(compared())
    data = json.loads(json.dumps(to_json(result), allow_nan=False))
    VALIDATOR.validate(data)
    assert "comparison" not in data["exercises"][0]["tests"][0]
    assert from_json(data).exercises[0].tests == result.exercises[0].tests
    assert to_json(from_json(data)) == data


def test_learners_see_outcome_and_message_but_no_value() -> None:
    result = result_of(compared())
    shown = for_learners(result)
    assert "42" not in repr(shown)
    VALIDATOR.validate(to_json(shown))
    test = shown.exercises[0].tests[1]
    assert (test.status, test.line, test.points) == ("failed", 3, 0)
    assert test.message == "the result has wrong values (1 of 2 elements differ)."
    assert test.comparison is not None
    assert test.comparison.got is not None
    assert (test.comparison.got.kind, test.comparison.got.shape) == ("Tensor", (1, 2))
    assert (shown.points, shown.seed, shown.exercises[0].title) == (result.points, 7, "Turning")


def test_learners_see_everything_else() -> None:
    plain = result_of(scored(2, ("passed", 1), ("error", 1)), remarks=("a remark",), isolation_note="no namespaces")
    assert for_learners(plain) == plain
