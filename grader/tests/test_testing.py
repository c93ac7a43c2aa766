"""Tests of the assertions that hidden tests use: they accept what is right, reject what is nearly right, and say it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch

from grader.testing import assert_equal, assert_error, assert_no_error, assert_tensor, error_of, short

NAN, INF = float("nan"), float("inf")
T = torch.tensor


def message_of(check: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(AssertionError) as error:
        check(*arguments, **options)
    text = str(error.value)
    assert "\n" not in text
    assert text.endswith((".", "?"))
    assert len(text) < 500
    return text


# Tensors


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (T([1.0, 2.0]), T([1.0, 2.0])),
        (T(3), T(3)),
        (torch.empty(0, 3), torch.empty(0, 3)),
        (T([NAN, INF, -INF]), T([NAN, INF, -INF])),
        (T([1.0 + 1e-7]), T([1.0])),
        (torch.arange(6).reshape(2, 3).T, T([[0, 3], [1, 4], [2, 5]])),
        (torch.ones(2, requires_grad=True), torch.ones(2)),
        (T([1 + 2j]).conj(), T([1 - 2j])),
        (torch.empty(3, device="meta"), torch.empty(3, device="meta")),
        (T([True, False]), T([True, False])),
        (torch.ones(3, dtype=torch.bfloat16), torch.ones(3, dtype=torch.bfloat16)),
    ],
)
def test_a_right_tensor_is_accepted(got: torch.Tensor, expected: torch.Tensor) -> None:
    assert_tensor(got, expected)


@pytest.mark.parametrize(
    ("got", "expected", "facts"),
    [
        (None, T([1.0]), ["should be a tensor", "None", "`return`"]),
        ([1.0], T([1.0]), ["should be a tensor", "a list"]),
        (np.ones(1, np.float32), T([1.0]), ["should be a tensor", "ndarray"]),
        (1.0, T(1.0), ["should be a tensor", "a float"]),
        (torch.ones(3, 1), torch.ones(3), ["shape", "(3,)", "(3, 1)"]),
        (torch.ones(1), torch.ones(()), ["shape", "()", "(1,)"]),
        (torch.ones(1, 3), torch.ones(2, 3), ["shape", "(2, 3)", "(1, 3)"]),
        (torch.empty(0, 3), torch.empty(3, 0), ["shape", "(3, 0)", "(0, 3)"]),
        (torch.ones(3, dtype=torch.float64), torch.ones(3), ["dtype", "torch.float32", "torch.float64"]),
        (T([1]), T([True]), ["dtype", "torch.bool", "torch.int64"]),
        (torch.ones(3, device="meta"), torch.ones(3), ["'cpu'", "'meta'"]),
        (torch.ones(3), torch.ones(3, device="meta"), ["'meta'", "'cpu'"]),
        (T([1.0, 5.0, 3.5]), T([1.0, 2.0, 3.0]), ["[1]", "2", "5", "2 of 3"]),
        (T([[1, 2], [3, 5]]), T([[1, 2], [3, 4]]), ["[1, 1]", "4", "5", "1 of 4"]),
        (T([NAN, 1.0]), T([0.0, 1.0]), ["[0]", "0", "nan", "1 of 2"]),
        (T([0.0, 1.0]), T([NAN, 1.0]), ["[0]", "nan"]),
        (T([INF]), T([-INF]), ["-inf", "inf"]),
        (T([INF, 3.0]), T([INF, 2.0]), ["[1]", "2", "3", "1 of 2"]),
        (T(2.0), T(1.0), ["should be 1", "is 2"]),
        (T([True]), T([False]), ["False", "True"]),
        (T([1 + 2j]), T([1 - 2j]), ["(1-2j)", "(1+2j)"]),
        (T([1.0 + 1e-4]), T([1.0]), ["1.0001"]),
        (T([2**62]), T([2**62 + 1]), [str(2**62), str(2**62 + 1)]),
    ],
)
def test_a_tensor_that_is_nearly_right_is_rejected(got: Any, expected: torch.Tensor, facts: list[str]) -> None:
    text = message_of(assert_tensor, got, expected)
    assert all(fact in text for fact in facts), text


def test_shape_is_said_before_dtype_and_dtype_before_values() -> None:
    assert "shape" in message_of(assert_tensor, torch.zeros(2, 1, dtype=torch.int64), torch.ones(2))
    assert "dtype" in message_of(assert_tensor, torch.zeros(2, dtype=torch.int64), torch.ones(2))


def test_tolerances_are_those_given() -> None:
    near = T([1.0 + 2e-7])
    assert_tensor(near, T([1.0]))
    assert "1.0000" in message_of(assert_tensor, near, T([1.0]), rtol=0, atol=0)
    assert_tensor(T([1.4]), T([1.0]), rtol=0, atol=0.5)
    message_of(assert_tensor, T([1.6]), T([1.0]), rtol=0, atol=0.5)
    assert_tensor(T([-0.0]), T([0.0]), rtol=0, atol=0)


def test_two_numbers_are_told_apart_in_words() -> None:
    got, expected = T([1 / 3 + 1e-12], dtype=torch.float64), T([1 / 3], dtype=torch.float64)
    text = message_of(assert_tensor, got, expected, rtol=0, atol=0)
    assert "0.333333333334" in text.replace("0.3333333333343", "0.333333333334")


@pytest.mark.parametrize(
    "name", ["bool", "uint8", "uint16", "uint64", "int8", "float16", "bfloat16", "complex128", "float8_e5m2"]
)
@pytest.mark.parametrize("exactly", [{}, {"rtol": 0, "atol": 0}])
def test_every_dtype_is_compared(name: str, exactly: dict[str, float]) -> None:
    dtype = getattr(torch, name)
    got, expected = T([1, 0, 1]).to(dtype), T([1, 1, 1]).to(dtype)
    assert_tensor(got, got.clone(), **exactly)
    assert "[1]" in message_of(assert_tensor, got, expected, **exactly)


def test_subject_and_note_are_in_the_sentence() -> None:
    for got in (None, torch.ones(2), torch.ones(1).double(), T([2.0])):
        text = message_of(assert_tensor, got, T([1.0]), "the loss", note="Look at the mean.")
        assert text.startswith("the loss ")
        assert text.endswith(" Look at the mean.")


# Other values


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, True, 1.5, NAN, 2j, "x", b"x", [], (), {}, set(), {1, 2}, [1, [2, (3,)]], {"a": {"b": [NAN]}}),
        *(torch.float32, torch.device("cpu"), torch.Size([2]), T([1.0]), np.ones(2), [T([NAN])], {"a": T(1)}),
        *(np.arange(6).reshape(2, 3).T, np.arange(3)[::-1]),
    ],
    ids=repr,
)
def test_what_is_equal_is_accepted(value: Any) -> None:
    assert_equal(copy.deepcopy(value), value)


def test_the_order_of_keys_does_not_matter() -> None:
    assert_equal({"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("got", "expected", "facts"),
    [
        (True, 1, ["an int, 1", "a bool, True"]),
        (1, True, ["a bool, True", "an int, 1"]),
        (1.0, 1, ["an int", "a float"]),
        (None, 1, ["an int, 1", "None", "`return`"]),
        (1, None, ["None", "an int, 1"]),
        (2, 1, ["should be 1", "is 2"]),
        (NAN, 1.0, ["1.0", "nan"]),
        ((1, 2), [1, 2], ["a list", "a tuple"]),
        ((2, 3), torch.Size([2, 3]), ["Size", "tuple"]),
        (torch.Size([2]), torch.Size([3]), ["[3]", "[2]"]),
        ([1], [1, 2], ["2 items", "has 1"]),
        ([1, 3], [1, 2], ["[1, 2]", "[1, 3]"]),
        ([1, True], [1, 1], ["at [1]", "an int", "a bool"]),
        ([1.0, 3.0], [1.0, 2.0], ["at [1]", "2.0", "3.0"]),
        ({"a": 1}, {"b": 1}, ["keys", "['b']", "['a']"]),
        ({True: 1}, {1: 1}, ["keys", "[1]", "[True]"]),
        ({"a": 2}, {"a": 1}, ["at ['a']", "should be 1", "is 2"]),
        ({"a": [1.0, (2.0,)]}, {"a": [1.0, (3.0,)]}, ["['a']", "[1]", "[0]", "3.0", "2.0"]),
        ({1}, {2}, ["{2}", "{1}"]),
        ("a", "b", ["'b'", "'a'"]),
        ("a", b"a", ["bytes", "a str"]),
        (torch.float64, torch.float32, ["torch.float32", "torch.float64"]),
        ([T([1.0])], [T([2.0])], ["at [0]", "2", "1"]),
        ([T([1.0])], [T([1])], ["dtype"]),
        (np.ones(2, "f4"), np.ones(2), ["dtype", "float64", "float32"]),
        (np.ones((2, 1)), np.ones(2), ["shape", "(2,)", "(2, 1)"]),
        (np.zeros(2), np.ones(2), ["values"]),
        (T([1.0]), np.ones(1, "f4"), ["ndarray", "Tensor"]),
        (list(range(1000)), list(range(1001)), ["1001 items", "1000"]),
        ("\udcff\n" * 500, "x", ["'x'"]),
    ],
)
def test_what_is_nearly_equal_is_rejected(got: Any, expected: Any, facts: list[str]) -> None:
    text = message_of(assert_equal, got, expected)
    assert all(fact in text for fact in facts), text


def test_a_set_of_bools_is_no_set_of_ints() -> None:
    message_of(assert_equal, {True}, {1})


def test_a_place_in_nested_data_reads_well() -> None:
    assert ",," not in message_of(assert_equal, {"a": [1.0, (2.0,)]}, {"a": [1.0, (3.0,)]})


def test_a_huge_int_is_rejected_in_words() -> None:
    message_of(assert_equal, 10**5000, 1)


# Errors


def out_of_range() -> None:
    raise IndexError("index 3 is out\nof range")


def test_the_right_error_is_accepted() -> None:
    seen = error_of(out_of_range)
    assert_error(seen, IndexError)
    assert_error(seen, LookupError)
    assert_error(seen, IndexError, match="OUT OF|range")


@pytest.mark.parametrize(
    ("seen", "kind", "match", "facts"),
    [
        (None, ValueError, "", ["flip(9) should raise ValueError for this", "raised nothing"]),
        (5, ValueError, "", ["raised nothing"]),
        (error_of(out_of_range), ValueError, "", ["raise ValueError", "IndexError", "index 3"]),
        (error_of(out_of_range), IndexError, "dimension", ["rightly raises IndexError", "'dimension'", "index 3"]),
    ],
)
def test_no_error_or_another_is_rejected(seen: Any, kind: Any, match: str, facts: list[str]) -> None:
    text = message_of(assert_error, seen, kind, "for this", "flip(9)", match=match)
    assert all(fact in text for fact in facts), text


def test_no_error_is_accepted_and_an_error_is_not() -> None:
    assert_no_error(None)
    text = message_of(assert_no_error, error_of(out_of_range), "flip(1)", "for a dimension that exists")
    assert text.startswith("flip(1) should raise nothing for a dimension that exists, but it raised IndexError: ")


@pytest.mark.parametrize("seen", [{}, {"bases": None}, {"bases": ["E"], "type": "E"}])
def test_what_only_looks_like_an_error_is_rejected_in_words(seen: Any) -> None:
    message_of(assert_error, seen, KeyError)


@pytest.mark.parametrize("seen", [{}, {"type": "E"}, 5, "x"])
def test_anything_but_none_is_rejected_in_words(seen: Any) -> None:
    message_of(assert_no_error, seen)


# Text


@pytest.mark.parametrize(
    "value",
    [T(range(1000)), T([1.5, 2.5]), np.ones(9), "x" * 1000, "\n\n", list(range(99)), torch.empty(9, device="meta")],
)
def test_short_is_short_and_on_one_line(value: Any) -> None:
    assert len(short(value)) <= 100
    assert "\n" not in short(value)
    assert len(short(value, 20)) <= 20


def test_short_says_what_matters() -> None:
    assert short(T([1.5, 2.5])) == "tensor([1.5, 2.5], shape=(2,), float32)"
    assert short(torch.zeros(3, 4)) == "tensor(shape=(3, 4), float32)"
    assert short(np.zeros((3, 4))) == "array(shape=(3, 4), float64)"
    assert short("a") == "'a'"
