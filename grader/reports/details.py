"""What a failed test compared, as plain text: what was called, what came, what was expected, where they part."""

from __future__ import annotations

import textwrap

from grader.reports.wording import plain
from grader.result import Comparison, Shown

LABEL_CELLS = 10
MOST_ROWS, MOST_COLUMNS = 5, 4
INDENT = " " * LABEL_CELLS


def details(comparison: Comparison, width: int = 78) -> list[str]:
    """Lines of at most `width` characters; none if the comparison says no more than the test's message does.

    First what was called with what, then what came and what was expected, then the elements around the worst index
    side by side (the worst in brackets), last what to look at next.
    """
    lines = []
    if comparison.called:
        lines += _labelled("called", comparison.called, width)
    for place, (name, text) in enumerate(comparison.inputs.items()):
        lines += _labelled("" if place or comparison.called else "with", f"{name} = {text}", width)
    # Of an expectation that is not a value of its own, the message says all there is.
    for label, side in (("got", comparison.got), ("expected", comparison.expected)):
        if side is not None and (text := _described(side)):
            lines += _labelled(label, text, width)
    lines += _side_by_side(comparison, width)
    if comparison.advice:
        lines += _labelled("look at", comparison.advice.removeprefix("look at "), width, whole=True)
    return lines


def _labelled(label: str, text: str, width: int, whole: bool = False) -> list[str]:
    """A label and a text in a column beside it, of at most two lines unless it is to be `whole`."""
    wrapped = textwrap.wrap(plain(text), width - LABEL_CELLS, break_on_hyphens=False) or [""]
    if len(wrapped) > 2 and not whole:
        wrapped = [wrapped[0], wrapped[1][: width - LABEL_CELLS - 4] + " ..."]
    return [f"{label if not place else '':{LABEL_CELLS}}{line}" for place, line in enumerate(wrapped)]


def _described(side: Shown) -> str:
    if side.shape is None:
        if side.kind == "NoneType":
            return side.text if side.text and side.text != "None" else "None"
        return f"{side.kind} {side.text}" if side.text and side.kind != "exception" else side.text or side.kind
    kind = "array" if side.kind == "ndarray" else side.kind.lower()
    parts = [str(tuple(side.shape)), side.dtype or ""]
    if side.device and side.device != "cpu":
        parts.append(side.device)
    return f"{kind} " + ", ".join(filter(None, parts))


def _side_by_side(comparison: Comparison, width: int) -> list[str]:
    """The elements around the worst index, got at the left, expected at the right."""
    got, expected = comparison.got, comparison.expected
    worst, start = comparison.worst, comparison.near_start
    if not (got and expected and got.near and expected.near and worst and start):
        return []
    row, column = ((0, *worst)[-2] - (0, *start)[-2], worst[-1] - start[-1])
    rows = _around(row, len(got.near), MOST_ROWS)
    columns = _around(column, len(got.near[0]), MOST_COLUMNS)
    left = [[_cell(got, r, c, (row, column)) for c in columns] for r in rows]
    right = [[_cell(expected, r, c, (row, column)) for c in columns] for r in rows]
    cells = max(len(cell) for line in (*left, *right) for cell in line)
    while len(columns) > 1 and LABEL_CELLS + 2 * len(columns) * (cells + 1) + 3 > width:
        # Narrower, from the end that is further from the worst.
        drop = -1 if columns[-1] - column >= column - columns[0] else 0
        del columns[drop]
        for line in (*left, *right):
            del line[drop]
    at = ", ".join(map(str, worst))
    block = len(columns) * (cells + 1)
    lines = [f"{'at':{LABEL_CELLS}}{f'[{at}]: got':{block}} | expected"]
    for mine, theirs in zip(left, right, strict=True):
        sides = ["".join(f"{cell:>{cells + 1}}" for cell in line) for line in (mine, theirs)]
        lines.append(f"{INDENT}{sides[0]} | {sides[1]}".rstrip())
    return lines


def _around(at: int, size: int, most: int) -> list[int]:
    start = max(0, min(at - most // 2, size - most))
    return list(range(start, min(size, start + most)))


def _cell(side: Shown, row: int, column: int, worst: tuple[int, int]) -> str:
    text = plain(side.near[row][column])
    return f"[{text}]" if (row, column) == worst else f"{text} "
