"""Puts into plain data how two values differ: short prints, the elements around the worst, what they hint at."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from grader.result import Comparison, Shown

NEAR_CELLS, PICTURE_CELLS = 8, 32
MOST_ELEMENTS = 2**20  # of tensors that are looked at for a pattern

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

_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}")}


class Mismatch(AssertionError):
    """What the assertions of grader.testing raise: a sentence for the learner, and the comparison behind it.

    Where the message of an exception was at fault, `seen` is what `error_of` brought back and `pattern` what it lacks.
    """

    def __init__(self, message: str, comparison: Comparison, seen: Any = None, pattern: str = "") -> None:
        super().__init__(message)
        self.comparison = comparison
        self.seen = seen
        self.pattern = pattern


def same_elements(
    got: torch.Tensor, expected: torch.Tensor, rtol: float | None = None, atol: float | None = None
) -> torch.Tensor:
    """Where two tensors of one shape and dtype agree; a bool tensor. NaN equals NaN.

    Not torch.testing.assert_close, whose first call takes a second to import what it needs.
    """
    if not (got.dtype.is_floating_point or got.dtype.is_complex):
        # Unsigned types lack comparisons; as int64 they keep their differences.
        return got.to(torch.int64) == expected.to(torch.int64)
    if rtol is None or atol is None:
        rtol, atol = TOLERANCES.get(got.dtype, (0.0, 0.0))
    wide = torch.complex128 if got.dtype.is_complex else torch.float64
    return torch.isclose(got.to(wide), expected.to(wide), rtol=rtol, atol=atol, equal_nan=True)


def worst_index(got: torch.Tensor, expected: torch.Tensor, same: torch.Tensor) -> tuple[int, ...]:
    """The index of the element that is furthest off among those that are not the `same`."""
    gap = (got.to(torch.complex128) - expected.to(torch.complex128)).abs().nan_to_num(nan=float("inf"))
    return tuple(int(i) for i in np.unravel_index(int(gap.masked_fill(same, -1.0).argmax()), tuple(got.shape)))


def compare_values(got: torch.Tensor, expected: torch.Tensor, same: torch.Tensor, brief: str) -> Comparison:
    """The comparison of two tensors of one shape and dtype that differ where `same` (bool) is False."""
    worst = worst_index(got, expected, same)
    start = tuple(_window(size, at, NEAR_CELLS)[0] for size, at in zip(got.shape[-2:], worst[-2:], strict=True))
    return Comparison(
        difference="values",
        brief=brief,
        got=shown(got, worst),
        expected=shown(expected, worst),
        worst=worst,
        near_start=(*worst[:-2], *start),
        differing=int((~same).sum()),
        elements=got.numel(),
        advice=value_advice(got, expected, same),
    )


def shown(value: Any, at: tuple[int, ...] | None = None) -> Shown:
    """A value as small plain data; of a tensor or an array, the elements around the index `at` (default: the first)."""
    kind = type(value).__name__
    if isinstance(value, np.ndarray):
        tensor = _as_tensor(value)
        dtype, device = str(value.dtype), None
    elif isinstance(value, torch.Tensor):
        tensor = value.detach()
        dtype, device = str(value.dtype).removeprefix("torch."), value.device.type
    else:
        return Shown(kind, short(value, 300))
    text, shape = short(value), tuple(value.shape)
    if tensor is None or device == "meta" or not tensor.ndim or not tensor.numel():
        return Shown(kind, text, shape, dtype, device)
    at = at or (0,) * tensor.ndim
    plane = tensor[at[:-2]].cpu()
    rows, columns = (plane.shape if plane.ndim == 2 else (1, *plane.shape))[-2:]
    plane = plane.reshape(rows, columns)
    row, column = (0, *at)[-2:]
    near = _crop(plane, _window(rows, row, NEAR_CELLS), _window(columns, column, NEAR_CELLS))
    picture = plane[_thinned(rows, row)][:, _thinned(columns, column)]
    return Shown(kind, text, shape, dtype, device, near, _numbers(picture))


def _as_tensor(array: np.ndarray) -> torch.Tensor | None:
    try:
        return torch.from_numpy(array.copy())
    except TypeError:
        return None  # A dtype that torch lacks, such as text.


def _window(size: int, at: int, cells: int) -> tuple[int, int]:
    """Beginning and end of a stretch of at most `cells`, with `at` near its middle."""
    start = max(0, min(at - cells // 2, size - cells))
    return start, min(size, start + cells)


def _crop(plane: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[tuple[str, ...], ...]:
    part = plane[rows[0] : rows[1], columns[0] : columns[1]]
    return tuple(tuple(element(value) for value in row) for row in part.tolist())


def _thinned(size: int, at: int) -> list[int]:
    """At most PICTURE_CELLS indices below `size`, evenly spread, `at` among them."""
    if size <= PICTURE_CELLS:
        return list(range(size))
    indices = [round(step * (size - 1) / (PICTURE_CELLS - 1)) for step in range(PICTURE_CELLS)]
    nearest = min(range(PICTURE_CELLS), key=lambda place: abs(indices[place] - at))
    indices[nearest] = at
    return indices


def _numbers(plane: torch.Tensor) -> tuple[tuple[float | None, ...], ...]:
    wide = plane.abs() if plane.dtype.is_complex else plane
    return tuple(
        tuple(float(f"{value:.4g}") if math.isfinite(value) else None for value in row)
        for row in wide.to(torch.float64).tolist()
    )


def element(value: Any) -> str:
    """One element of a tensor as text: at most four significant digits of a float."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, complex):
        return f"{value.real:.3g}{value.imag:+.3g}j"
    return str(value)


def short(value: Any, limit: int = 100) -> str:
    """`value` as text of at most `limit` characters, on one line; tensors by shape and dtype.

    Writes no more of a large value than that takes: it may be a stranger's.
    """
    pieces: list[str] = []
    left = 4 * limit
    for piece in _pieces(value, limit):
        pieces.append(piece)
        left -= len(piece)
        if left < 0:
            break
    text = " ".join("".join(pieces).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _pieces(value: Any, limit: int) -> Iterator[str]:
    """The text of a value, bit by bit."""
    if isinstance(value, torch.Tensor):
        few = value.numel() <= 8 and value.device.type != "meta"
        numbers = f"{value.tolist()}, " if few else ""
        yield f"tensor({numbers}shape={tuple(value.shape)}, {str(value.dtype).removeprefix('torch.')})"
    elif isinstance(value, np.ndarray):
        yield f"array(shape={value.shape}, {value.dtype})"
    elif type(value) in _BRACKETS and value:
        opened, closed = _BRACKETS[type(value)]
        yield opened
        for place, item in enumerate(value):
            yield ", " if place else ""
            yield from _pieces(item, limit)
            if isinstance(value, dict):
                yield ": "
                yield from _pieces(value[item], limit)
        yield "," + closed if isinstance(value, tuple) and len(value) == 1 else closed
    elif type(value) in (str, bytes):
        yield repr(value[: 4 * limit + 1])
    else:
        try:
            yield repr(value)
        except ValueError:
            yield "a very large number"  # Python refuses to write an int of thousands of digits.


def named(value: Any) -> str:
    """The type of a value with its article: "a list", "an int"; "None" for None."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def kind_advice(got: Any) -> str | None:
    """What to look at when something else came in place of a tensor."""
    if got is None:
        return "A function without `return` gives None. So do methods that change a list in place, such as `append`."
    if isinstance(got, np.ndarray):
        return "`torch.from_numpy` makes a tensor of an array, without copying."
    if isinstance(got, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in got):
        return "`torch.stack` makes one tensor of several of one shape, `torch.cat` joins them along a dimension."
    if isinstance(got, (bool, int, float, complex)):
        return "`.item()` and Python's own arithmetic give Python numbers; torch's functions give tensors."
    return None


def shape_advice(got: tuple[int, ...], expected: tuple[int, ...]) -> str | None:
    """What two shapes that differ hint at; only what is certain of them."""
    if len(got) == len(expected):
        if sorted(got) == sorted(expected):
            return "The sizes are the right ones in another order: look at what swaps or permutes dimensions."
        wrong = [dim for dim in range(len(got)) if got[dim] != expected[dim]]
        if len(wrong) == 1 and abs(got[wrong[0]] - expected[wrong[0]]) == 1:
            more = "more" if got[wrong[0]] > expected[wrong[0]] else "less"
            return f"Dimension {wrong[0]} has one element {more} than it should: look at where a range begins and ends."
        if len(wrong) == 1:
            return f"Only dimension {wrong[0]} differs: look at what decides its size."
        return None
    if [size for size in got if size != 1] == [size for size in expected if size != 1]:
        if len(got) > len(expected):
            return "There are dimensions of size 1 too many: look at `squeeze`, `unsqueeze` and `keepdim`."
        return "A dimension of size 1 is missing: look at `keepdim=True`, `unsqueeze` and `squeeze`."
    if math.prod(got) == math.prod(expected):
        return "The number of elements is right, the dimensions are not: look at `reshape`, `flatten` and the like."
    if len(got) < len(expected) and (not got or got == expected[-len(got) :] or got == expected[: len(got)]):
        return "Whole dimensions are missing: is something reduced (sum, mean, an index) that should stay?"
    if len(got) > len(expected) and (not expected or expected in (got[-len(expected) :], got[: len(expected)])):
        return "There are dimensions too many: is something not reduced (sum, mean, an index) that should be?"
    return None


def dtype_advice(got: torch.dtype, expected: torch.dtype) -> str | None:
    """What two dtypes that differ hint at."""
    if expected.is_floating_point and got is torch.float32:
        return "float32 is torch's default: a fresh tensor has it unless it is told `dtype=`."
    if expected.is_floating_point and got is torch.float64:
        return "float64 is what NumPy and pandas compute in, and Python's floats: look at where such numbers come in."
    if got is torch.int64:
        return "int64 is what whole numbers in Python become: look at where they come in, and at `dtype=`."
    if got is torch.bool:
        return "A comparison gives bool: look at what turns it into numbers."
    if expected is torch.bool:
        return "A comparison gives bool; arithmetic turns it into numbers."
    return None


DEVICE_ADVICE = "Something names a device, or makes a tensor without saying where: give `device=` that of the input."


def value_advice(got: torch.Tensor, expected: torch.Tensor, same: torch.Tensor) -> str | None:
    """What the wrong values of a tensor of the right shape and dtype hint at; only what is certain of them."""
    count = got.numel()
    if count < 3 or count > MOST_ELEMENTS:
        return None
    wide = torch.complex128 if got.dtype.is_complex else torch.float64
    came, wanted = got.to(wide), expected.to(wide)
    if bool(((came != came) & (wanted == wanted)).any()):
        where = "every element" if bool((came != came).all()) else "some elements"
        return f"NaN in {where}: it comes of 0 / 0, inf - inf, the logarithm of a negative number, or a NaN read in."
    if not bool(came.isfinite().all() and wanted.isfinite().all()):
        return None
    if not bool(came.any()):
        return "Every element is 0: is what is worked out ever written into the result?"
    return _whole_pattern(came, wanted) or _partial_pattern(same)


def _whole_pattern(came: torch.Tensor, wanted: torch.Tensor) -> str | None:
    """A simple relation that holds between all elements of two float64 tensors."""

    def equal(a: torch.Tensor, b: torch.Tensor) -> bool:
        return torch.allclose(a, b, rtol=1e-4, atol=1e-7)

    if equal(came, wanted):
        return None  # Too close to each other for such a relation to say anything.
    flat, target = came.flatten(), wanted.flatten()
    varied = not came.dtype.is_complex and len(target.unique()) >= 3
    if equal(flat, -target):
        return "Every element has the opposite sign."
    place = int(target.abs().argmax())
    if varied and bool(target[place] != 0):
        factor = float(flat[place] / target[place])
        if equal(flat, target * factor):
            return f"Every element is {factor:.4g} times what it should be: look for a factor, or a sum for a mean."
    if varied and equal(flat - target, (flat - target).mean().expand_as(flat)):
        return f"Every element is off by the same {float((flat - target).mean()):.4g}: look at what is added to all."
    for dim in range(came.ndim):
        if came.shape[dim] > 1 and equal(came.flip(dim), wanted):
            return f"The elements are right, but run backwards along dimension {dim}."
    for dim in range(came.ndim - 1):
        if came.shape[dim] == came.shape[dim + 1] and equal(came.transpose(dim, dim + 1), wanted):
            return f"The elements are right, with dimensions {dim} and {dim + 1} swapped."
    for dim in range(came.ndim):
        for step in (1, -1) if came.shape[dim] > 2 else ():
            if equal(came.roll(step, dim), wanted):
                return f"The elements are right, but one place {'early' if step > 0 else 'late'} along dimension {dim}."
    if varied and equal(flat.sort().values, target.sort().values):
        return "The elements are the right ones in another order: look at indices, dimensions and sorting."
    return None


def _partial_pattern(same: torch.Tensor) -> str | None:
    """Where the wrong elements lie, if that is in one slice along a dimension."""
    wrong = (~same).nonzero()
    for dim in range(same.ndim):
        size = same.shape[dim]
        places = wrong[:, dim].unique()
        if len(places) == 1 and size >= 3:
            place = int(places[0])
            if place in (0, size - 1):
                which = "first" if place == 0 else "last"
                return f"Only elements at the {which} index of dimension {dim} are wrong: look at that end of it."
            return f"Only elements at index {place} of dimension {dim} are wrong."
    return None
