"""What a failed test compared: nothing but what is so is said about it, and it fits where it is shown."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.calls import describe_call, describe_input
from grader.comparing import Mismatch, shown
from grader.course import Course, Exercise
from grader.reports.details import details
from grader.result import Comparison
from grader.testing import assert_equal, assert_error, assert_tensor

T = torch.tensor
COUNT = torch.arange(1.0, 13.0).reshape(3, 4) ** 2


def compared(check: Any, *arguments: Any, **options: Any) -> Comparison:
    with pytest.raises(Mismatch) as error:
        check(*arguments, **options)
    return error.value.comparison


# Advice


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (-COUNT, "opposite sign"),
        (COUNT * 3, "3 times"),
        (COUNT / 12, "0.08333 times"),
        (COUNT + 5, "off by the same 5"),
        (COUNT.flip(1), "backwards along dimension 1"),
        (COUNT.roll(1, 0), "one place late along dimension 0"),
        (COUNT.roll(-1, 1), "one place early along dimension 1"),
        (COUNT[[1, 0, 2]], "another order"),
        (torch.zeros(3, 4), "Every element is 0"),
        (COUNT * float("nan"), "NaN in every element"),
        (COUNT.masked_fill(COUNT > 9, float("nan")), "NaN in some elements"),
        (COUNT.index_fill(0, T([2]), -7.0), "last index of dimension 0"),
        (COUNT.index_fill(1, T([0]), -7.0), "first index of dimension 1"),
        (COUNT.index_fill(1, T([2]), -7.0), "index 2 of dimension 1"),
    ],
)
def test_values_that_are_wrong_in_a_simple_way_are_seen_to_be(got: torch.Tensor, words: str) -> None:
    assert words in (compared(assert_tensor, got, COUNT).advice or "")


def test_a_square_that_is_transposed_is_seen_to_be() -> None:
    square = torch.arange(9.0).reshape(3, 3) ** 2
    assert "0 and 1 swapped" in (compared(assert_tensor, square.T, square).advice or "")


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (T([1.0, 2.0, 3.5]), T([1.0, 2.0, 3.0])),
        (torch.ones(4) + 1e-3, torch.ones(4)),
        (torch.ones(4) * 2, torch.ones(4)),  # a factor or an amount: who knows
        (T([1.0, 5.0]), T([5.0, 1.0])),
        (T([1 + 2j, 2, 3, 4]), T([1 - 2j, 2, 3, 4])),
        (T([2**62 + 1, 1, 2]), T([2**62, 1, 2])),
    ],
)
def test_no_pattern_is_claimed_where_there_may_be_none(got: torch.Tensor, expected: torch.Tensor) -> None:
    advice = compared(assert_tensor, got, expected, rtol=0, atol=0).advice or ""
    assert "index" in advice or not advice


@pytest.mark.parametrize(
    ("got", "expected", "words"),
    [
        ((3, 2), (2, 3), "another order"),
        ((2, 3, 1), (2, 3), "size 1 too many"),
        ((2, 3), (2, 1, 3), "size 1 is missing"),
        ((6,), (2, 3), "reshape"),
        ((2, 4), (2, 3), "one element more"),
        ((2, 2), (2, 3), "one element less"),
        ((5, 9), (5, 2), "Only dimension 1"),
        ((), (4,), "Whole dimensions are missing"),
        ((4, 7), (4,), "dimensions too many"),
        ((5, 9), (6, 2), ""),
    ],
)
def test_shapes_hint_at_what_was_forgotten(got: tuple[int, ...], expected: tuple[int, ...], words: str) -> None:
    assert words in (compared(assert_tensor, torch.zeros(got), torch.zeros(expected)).advice or "")


# Without values


@pytest.mark.parametrize(
    "comparison",
    [
        lambda: compared(assert_tensor, T([4711.0, 1.0]), T([1.0, 1147.0])),
        lambda: compared(assert_tensor, T(4711.0), T(1147.0)),
        lambda: compared(assert_equal, 4711, 1147),
        lambda: compared(assert_equal, "4711", 1147),
        lambda: compared(assert_equal, [4711], [1147, 1]),
        lambda: compared(assert_equal, {"4711": 1}, {"1147": 1}),
        lambda: compared(assert_equal, {4711}, {1147}),
        lambda: compared(assert_equal, [[4711.0]], [[1147.0]]),
        lambda: compared(
            assert_error, {"type": "KeyError", "bases": ["KeyError"], "message": "4711"}, ValueError
        ),
    ],
)  # fmt: skip
def test_the_brief_message_holds_no_value(comparison: Any) -> None:
    made = comparison()
    assert made.brief
    assert "4711" not in made.brief
    assert "1147" not in made.brief


# Small plain data


values = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=300),
    st.lists(st.floats(), max_size=40),
    st.builds(
        lambda shape, dtype: torch.zeros(shape, dtype=dtype),
        st.lists(st.integers(0, 40), max_size=3),
        st.sampled_from([torch.float32, torch.bool, torch.int64, torch.complex64, torch.bfloat16, torch.uint16]),
    ),
    st.builds(lambda shape: np.full(shape, np.nan), st.lists(st.integers(0, 40), max_size=2)),
)


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(values)
def test_any_value_is_shown_small(value: Any) -> None:
    side = shown(value)
    assert len(side.text or "") <= 300
    assert len(side.near) <= 8
    assert all(len(row) <= 8 for row in side.near)
    assert len(side.picture) <= 32
    assert all(len(row) <= 32 for row in side.picture)
    json.dumps(side.picture, allow_nan=False)
    assert len(describe_input(value) or "") <= 160


def test_the_neighbourhood_and_the_picture_hold_the_worst_element() -> None:
    expected = torch.zeros(2, 100, 90)
    for place in ((0, 0, 0), (1, 99, 89), (0, 50, 3), (1, 7, 61)):
        got = expected.clone()
        got[place] = 5.0
        made = compared(assert_tensor, got, expected)
        assert made.worst == place
        assert made.got
        assert made.near_start
        assert made.got.near[place[1] - made.near_start[1]][place[2] - made.near_start[2]] == "5"
        assert sum(row.count(5.0) for row in made.got.picture) == 1
        assert (len(made.got.picture), len(made.got.picture[0])) == (32, 32)


# What is shown


@pytest.mark.parametrize("width", [60, 78, 98])
@pytest.mark.parametrize("shape", [(3,), (12,), (1, 1), (7, 6, 4), (2, 50, 60)])
def test_details_fit_the_width_and_bracket_the_worst(shape: tuple[int, ...], width: int) -> None:
    got = torch.arange(float(torch.Size(shape).numel())).reshape(shape) * -1234.5678
    made = compared(assert_tensor, got - 99, torch.zeros(shape))
    lines = details(made, width)
    assert all(len(line) <= width for line in lines), lines
    assert sum("[" in line and "|" in line and "got" not in line for line in lines) == 1
    assert [line.split()[0] for line in lines if not line.startswith(" ")][:3] == ["got", "expected", "at"]


def test_details_are_one_printable_line_each() -> None:
    made = Comparison("other", "x", called="f(x)\n\x1b[31m", inputs={"x": "a\nb" * 200, "y": "\u202e"})
    lines = details(made)
    assert all(line.isprintable() and len(line) <= 78 for line in lines)
    assert len(lines) <= 8
    assert details(Comparison("other", "x")) == []


# What was called


def test_the_inputs_are_those_of_the_case_that_went_wrong(course: Course) -> None:
    exercise = course.exercise("tensors/views/transpose_view")

    def test(cases: list[torch.Tensor]) -> None:
        probe = lambda m: [m.transpose_view(t, 0, 1) for t in cases]  # noqa: E731
        for t in cases:
            try:
                assert_tensor(t, torch.zeros(2, 2), "`transpose_view(t, 0, 1)`")
            except Mismatch as error:
                found.append(describe_call(error, __file__, exercise, probe))
                return

    found: list[Any] = []
    test([torch.zeros(2, 2), torch.ones(2, 3).T])
    assert found == [("transpose_view(t, 0, 1)", {"t": describe_input(torch.ones(2, 3).T)})]
    assert "(3, 2), float32, stride (1, 3)" in found[0][1]["t"]


def test_without_a_call_in_the_message_the_probe_tells(course: Course) -> None:
    exercise: Exercise = course.exercise("tensors/views/hwc_to_chw")
    pictures, scale = torch.zeros(2, 3), 0.5
    probe = lambda m: m.hwc_to_chw(pictures * scale)  # noqa: E731
    called, inputs = describe_call(ValueError("no"), "nowhere.py", exercise, probe)
    assert called == "hwc_to_chw(pictures * scale)"
    assert inputs == {"pictures": describe_input(pictures), "scale": "0.5"}
    assert describe_call(ValueError("no"), "nowhere.py", exercise, None) == (None, {})
