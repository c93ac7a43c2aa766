"""What hidden tests import: the exercise marker, assertions that speak plainly, and helpers for probes.

Assertions compare in a fixed order (kind, shape, dtype, device, values) and raise AssertionError with one
sentence for the learner. They compare exactly what they are told to: nothing broadcasts, no dtype is promoted.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

from grader.comparing import (
    DEVICE_ADVICE,
    Mismatch,
    compare_values,
    dtype_advice,
    kind_advice,
    named,
    same_elements,
    shape_advice,
    short,
    shown,
    worst_index,
)
from grader.result import Comparison, Shown
from grader.worker.probes import error_of, folder_of, layout_of, shares_storage

__all__ = [
    "assert_equal",
    "assert_error",
    "assert_no_error",
    "assert_tensor",
    "error_of",
    "exercise",
    "folder_of",
    "layout_of",
    "shares_storage",
    "short",
]


def exercise(name: str) -> pytest.MarkDecorator:
    """Mark a test class as the hidden tests of the exercise `name` of this file's lesson."""
    return pytest.mark.exercise(name)


def assert_tensor(
    got: Any,
    expected: torch.Tensor,
    what: str = "the result",
    *,
    rtol: float | None = None,
    atol: float | None = None,
    note: str = "",
) -> None:
    """`got` is a tensor with the shape, dtype, device and values of `expected`. NaN equals NaN.

    Args:
        what: the subject of the sentence ("the result", "the input afterwards").
        rtol, atol: tolerances, both or neither; torch.testing's for the dtype if left out. 0 and 0 mean exactly.
        note: a second sentence, for what a difference would mean.

    Raises:
        AssertionError: with one or two sentences that say where they differ.
    """
    tail = f" {note}" if note else ""
    if not isinstance(got, torch.Tensor):
        sentence = f"{what} should be a tensor, but it is {named(got)}.{_none_hint(got, what)}"
        raise _differs("kind", sentence + tail, got, expected, kind_advice(got))
    if got.shape != expected.shape:
        sentence = f"{what} should have shape {tuple(expected.shape)}, but has {tuple(got.shape)}."
        raise _differs("shape", sentence + tail, got, expected, shape_advice(tuple(got.shape), tuple(expected.shape)))
    if got.dtype != expected.dtype:
        sentence = f"{what} should have dtype {expected.dtype}, but has {got.dtype}."
        raise _differs("dtype", sentence + tail, got, expected, dtype_advice(got.dtype, expected.dtype))
    if got.device.type != expected.device.type:
        sentence = f"{what} should be on {expected.device.type!r}, but is on {got.device.type!r}."
        raise _differs("device", sentence + tail, got, expected, DEVICE_ADVICE)
    if got.device.type == "meta":
        return
    got, expected = got.detach(), expected.detach()
    same = same_elements(got, expected, rtol, atol)
    if not bool(same.all()):
        sentence, brief = _difference(got, expected, same)
        raise Mismatch(f"{what} {sentence}{tail}", compare_values(got, expected, same, f"{what} {brief}{tail}"))


def _differs(
    difference: str, message: str, got: Any, expected: Any, advice: str | None = None, brief: str | None = None
) -> Mismatch:
    """A mismatch of two whole values; `brief` is the message without them, if it holds any."""
    comparison = Comparison(difference, brief or message, got=shown(got), expected=shown(expected), advice=advice)
    return Mismatch(message, comparison)


def _difference(got: torch.Tensor, expected: torch.Tensor, same: torch.Tensor) -> tuple[str, str]:
    """Two ends of a sentence: with values, and without."""
    if not got.ndim:
        wanted, came = _numbers(expected, got)
        return f"should be {wanted}, but is {came}.", "has a wrong value."
    worst = worst_index(got, expected, same)
    at = ", ".join(map(str, worst))
    wanted, came = _numbers(expected[worst], got[worst])
    count = f"{int((~same).sum())} of {got.numel()} elements differ"
    sentence = f"has wrong values: at [{at}] it should be {wanted}, but is {came} ({count})."
    return sentence, f"has wrong values ({count})."


def _numbers(expected: torch.Tensor, got: torch.Tensor) -> tuple[str, str]:
    """Two elements as text, with as many digits as it takes to tell them apart."""
    wanted, came = expected.item(), got.item()
    if isinstance(wanted, float) and isinstance(came, float) and f"{wanted:.6g}" != f"{came:.6g}":
        return f"{wanted:.6g}", f"{came:.6g}"
    return str(wanted), str(came)


def assert_equal(got: Any, expected: Any, what: str = "the result", *, note: str = "") -> None:
    """`got` is `expected`: the same type and value, all the way down; tensors as by `assert_tensor`.

    Raises:
        AssertionError: with a sentence that names the place in nested data.
    """
    _assert_equal(got, expected, what, "", note)


def _assert_equal(got: Any, expected: Any, what: str, place: str, note: str) -> None:
    tail = f" {note}" if note else ""
    subject = f"{what}, at {place}," if place else what
    if isinstance(expected, torch.Tensor):
        assert_tensor(got, expected, subject, note=note)
        return
    unequal = f"{subject} should be {short(expected)}, but is {short(got)}.{tail}"
    if type(got) is not type(expected):
        kinds = named(expected), named(got)
        wanted = kinds[0] if isinstance(expected, (list, tuple, dict)) else f"{kinds[0]}, {short(expected)}"
        hint = f"{_none_hint(got, what)}{tail}"
        came = "None" if got is None else f"{kinds[1]}, {short(got)}"
        sentence = f"{subject} should be {wanted}, but it is {came}.{hint}"
        raise _differs(
            "kind", sentence, got, expected, brief=f"{subject} should be {kinds[0]}, but it is {kinds[1]}.{hint}"
        )
    if isinstance(expected, np.ndarray):
        assert_tensor(torch.from_numpy(got.copy()), torch.from_numpy(expected.copy()), subject, note=note)
    elif isinstance(expected, (list, tuple)):
        if len(got) != len(expected):
            sentence = f"{subject} should have {len(expected)} items, but has {len(got)}"
            raise _differs("items", f"{sentence}: {short(got)}.{tail}", got, expected, brief=f"{sentence}.{tail}")
        if _is_plain(expected) and got != expected:
            raise _differs("values", unequal, got, expected, brief=f"{subject} has a wrong value.{tail}")
        for index, (item, wanted) in enumerate(zip(got, expected, strict=True)):
            _assert_equal(item, wanted, what, f"{place}[{index}]", note)
    elif isinstance(expected, dict):
        if sorted(map(repr, got)) != sorted(map(repr, expected)):
            sentence = f"{subject} should have the keys {short(list(expected))}, but has {short(list(got))}."
            brief = f"{subject} has other keys than it should."
            raise _differs("items", sentence + tail, got, expected, brief=brief + tail)
        for key, wanted in expected.items():
            _assert_equal(got[key], wanted, what, f"{place}[{short(key)}]", note)
    elif isinstance(expected, set):
        if sorted(map(repr, got)) != sorted(map(repr, expected)):
            raise _differs("items", unequal, got, expected, brief=f"{subject} holds other elements.{tail}")
    elif got != expected and not (got != got and expected != expected):
        # That a flag is up or down says nothing of the input.
        brief = unequal if isinstance(expected, bool) else f"{subject} has a wrong value.{tail}"
        raise _differs("values", unequal, got, expected, brief=brief)


def _is_plain(items: Any) -> bool:
    return all(isinstance(item, (bool, int, str, bytes, type(None))) for item in items)


def assert_error(
    seen: Any, kind: type[Exception], about: str = "", what: str = "this call", *, match: str = ""
) -> None:
    """What `error_of` brought back is an exception of `kind` (or derived from it).

    Args:
        about: why it should be one, to end the sentence ("for a dimension that does not exist").
        match: a regular expression that its message must contain (case is ignored).

    Raises:
        AssertionError: nothing was raised, something else was, or the message does not say what it must.
    """
    why = f" {about}" if about else ""
    if not _is_error(seen):
        raise _error_differs(f"{what} should raise {kind.__name__}{why}, but it raised nothing.", None, kind.__name__)
    came, text = seen["type"], f"{seen['type']}: {short(seen['message'])}"
    if kind.__name__ not in seen["bases"]:
        start = f"{what} should raise {kind.__name__}{why}, but it raised"
        raise _error_differs(f"{start} {text}.", text, kind.__name__, f"{start} {came}.")
    if match and not re.search(match, seen["message"], re.IGNORECASE):
        start = f"{what} rightly raises {came}{why}, but its message should speak of {match!r}"
        message = f"{start}: {short(seen['message'])}."
        raise _error_differs(message, text, f"{came} with {match!r}", f"{start}.", seen, match)


def _error_differs(
    message: str, got: str | None, expected: str | None, brief: str | None = None, seen: Any = None, pattern: str = ""
) -> Mismatch:
    """A mismatch of exceptions, each named by its type and message; None stands for none."""
    sides = [Shown("exception", side) if side else Shown("NoneType", "nothing raised") for side in (got, expected)]
    comparison = Comparison("error", brief or message, got=sides[0], expected=sides[1])
    return Mismatch(message, comparison, seen, pattern)


def assert_no_error(seen: Any, what: str = "this call", about: str = "") -> None:
    """What `error_of` brought back is None.

    Raises:
        AssertionError: something was raised.
    """
    if seen is None:
        return
    if not _is_error(seen):
        raise _error_differs(
            f"{what} should raise nothing, and {short(seen)} came in place of that.",
            short(seen),
            None,
            f"{what} should raise nothing, and something else came in place of that.",
        )
    why = f" {about}" if about else ""
    start, text = f"{what} should raise nothing{why}, but it raised", f"{seen['type']}: {short(seen['message'])}"
    raise _error_differs(f"{start} {text}.", text, None, f"{start} {seen['type']}.")


def _is_error(seen: Any) -> bool:
    return isinstance(seen, dict) and set(seen) == {"type", "bases", "message"}


def _none_hint(value: Any, what: str) -> str:
    called = what == "the result" or what.startswith("`")
    return " Is there a `return`?" if value is None and called else ""
