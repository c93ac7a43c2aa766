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


# Relative and absolute, as torch.testing.assert_close documents them.
TOLERANCES = {
    torch.float16: (1e-3, 1e-5),
    torch.bfloat16: (1.6e-2, 1e-5),
    torch.float32: (1.3e-6, 1e-5),
    torch.float64: (1e-7, 1e-7),
    torch.complex32: (1e-3, 1e-5),
    torch.complex64: (1.3e-6, 1e-5),
    torch.complex128: (1e-7, 1e-7),
}


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
        raise AssertionError(f"{what} should be a tensor, but it is {_a(got)}.{_none_hint(got, what)}{tail}")
    if got.shape != expected.shape:
        raise AssertionError(f"{what} should have shape {tuple(expected.shape)}, but has {tuple(got.shape)}.{tail}")
    if got.dtype != expected.dtype:
        raise AssertionError(f"{what} should have dtype {expected.dtype}, but has {got.dtype}.{tail}")
    if got.device.type != expected.device.type:
        raise AssertionError(f"{what} should be on {expected.device.type!r}, but is on {got.device.type!r}.{tail}")
    if got.device.type == "meta":
        return
    same = _same(got.detach(), expected.detach(), rtol, atol)
    if not bool(same.all()):
        raise AssertionError(f"{what} {_difference(got.detach(), expected.detach(), same)}{tail}")


def _same(got: torch.Tensor, expected: torch.Tensor, rtol: float | None, atol: float | None) -> torch.Tensor:
    """Where two tensors of one shape and dtype agree; a bool tensor.

    Not torch.testing.assert_close, whose first call takes a second to import what it needs.
    """
    if not (got.dtype.is_floating_point or got.dtype.is_complex):
        # Unsigned types lack comparisons; as int64 they keep their differences.
        return got.to(torch.int64) == expected.to(torch.int64)
    if rtol is None or atol is None:
        rtol, atol = TOLERANCES.get(got.dtype, (0.0, 0.0))
    wide = torch.complex128 if got.dtype.is_complex else torch.float64
    return torch.isclose(got.to(wide), expected.to(wide), rtol=rtol, atol=atol, equal_nan=True)


def _difference(got: torch.Tensor, expected: torch.Tensor, same: torch.Tensor) -> str:
    if not got.ndim:
        wanted, came = _numbers(expected, got)
        return f"should be {wanted}, but is {came}."
    gap = (got.to(torch.complex128) - expected.to(torch.complex128)).abs().nan_to_num(nan=float("inf"))
    worst = tuple(int(i) for i in np.unravel_index(int(gap.masked_fill(same, -1.0).argmax()), tuple(got.shape)))
    at = ", ".join(map(str, worst))
    wanted, came = _numbers(expected[worst], got[worst])
    wrong = int((~same).sum())
    count = f"{wrong} of {got.numel()} elements differ"
    return f"has wrong values: at [{at}] it should be {wanted}, but is {came} ({count})."


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
    if type(got) is not type(expected):
        wanted = _a(expected) if isinstance(expected, (list, tuple, dict)) else f"{_a(expected)}, {short(expected)}"
        sentence = f"{subject} should be {wanted}, but it is {_a(got)}, {short(got)}."
        raise AssertionError(f"{sentence}{_none_hint(got, what)}{tail}")
    if isinstance(expected, np.ndarray):
        assert_tensor(torch.from_numpy(got.copy()), torch.from_numpy(expected.copy()), subject, note=note)
    elif isinstance(expected, (list, tuple)):
        if len(got) != len(expected):
            sentence = f"{subject} should have {len(expected)} items, but has {len(got)}: {short(got)}."
            raise AssertionError(sentence + tail)
        if _is_plain(expected) and got != expected:
            raise AssertionError(f"{subject} should be {short(expected)}, but is {short(got)}.{tail}")
        for index, (item, wanted) in enumerate(zip(got, expected, strict=True)):
            _assert_equal(item, wanted, what, f"{place}[{index}]", note)
    elif isinstance(expected, dict):
        if sorted(map(repr, got)) != sorted(map(repr, expected)):
            sentence = f"{subject} should have the keys {short(list(expected))}, but has {short(list(got))}."
            raise AssertionError(sentence + tail)
        for key, wanted in expected.items():
            _assert_equal(got[key], wanted, what, f"{place}[{short(key)}]", note)
    elif isinstance(expected, set):
        if sorted(map(repr, got)) != sorted(map(repr, expected)):
            raise AssertionError(f"{subject} should be {short(expected)}, but is {short(got)}.{tail}")
    elif got != expected and not (got != got and expected != expected):
        raise AssertionError(f"{subject} should be {short(expected)}, but is {short(got)}.{tail}")


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
        raise AssertionError(f"{what} should raise {kind.__name__}{why}, but it raised nothing.")
    if kind.__name__ not in seen["bases"]:
        text = f"{seen['type']}: {short(seen['message'])}"
        raise AssertionError(f"{what} should raise {kind.__name__}{why}, but it raised {text}.")
    if match and not re.search(match, seen["message"], re.IGNORECASE):
        raise AssertionError(
            f"{what} rightly raises {seen['type']}{why}, but its message should speak of {match!r}: "
            f"{short(seen['message'])}."
        )


def assert_no_error(seen: Any, what: str = "this call", about: str = "") -> None:
    """What `error_of` brought back is None.

    Raises:
        AssertionError: something was raised.
    """
    if seen is None:
        return
    if not _is_error(seen):
        raise AssertionError(f"{what} should raise nothing, and {short(seen)} came in place of that.")
    why = f" {about}" if about else ""
    raise AssertionError(f"{what} should raise nothing{why}, but it raised {seen['type']}: {short(seen['message'])}.")


def _is_error(seen: Any) -> bool:
    return isinstance(seen, dict) and set(seen) == {"type", "bases", "message"}


def short(value: Any, limit: int = 100) -> str:
    """`value` as text of at most `limit` characters, on one line; tensors by shape and dtype."""
    if isinstance(value, torch.Tensor):
        few = value.numel() <= 8 and value.device.type != "meta"
        numbers = f"{value.tolist()}, " if few else ""
        text = f"tensor({numbers}shape={tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')})"
    elif isinstance(value, np.ndarray):
        text = f"array(shape={value.shape}, {value.dtype})"
    else:
        try:
            text = repr(value)
        except ValueError:
            text = "a very large number"  # Python refuses to write an int of thousands of digits.
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _a(value: Any) -> str:
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def _none_hint(value: Any, what: str) -> str:
    called = what == "the result" or what.startswith("`")
    return " Is there a `return`?" if value is None and called else ""
