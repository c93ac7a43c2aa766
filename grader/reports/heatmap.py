"""Heat maps of a comparison: what came, what was expected and the difference, with every colour also in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from grader.reports.wording import number, plain
from grader.result import Comparison, Shown

STEPS = 11
SAME_SIGN = "·"
# From nearly white to a dark blue, and from blue by grey to orange: both keep their order without colour vision.
_PLAIN_RAMP = ((245, 248, 252), (158, 197, 229), (47, 116, 186), (9, 44, 94))
_SIGNED_RAMP = ((20, 80, 165), (140, 180, 225), (244, 244, 242), (240, 170, 110), (165, 70, 5))

Numbers = Sequence[Sequence[float | None]]


@dataclass(frozen=True)
class Cell:
    """One element: its text, the class of its colour, and "differs" or "worst" where it is not as expected."""

    text: str
    tone: str
    mark: str = ""


@dataclass(frozen=True)
class HeatMap:
    """One grid. `rows` has an index and cells each; `columns` are the indices above them.

    `least` and `most` are what the ends of the scale mean, empty where all is one colour; `summary` says in words what
    the eye sees. `numbers` tells whether there is room for each element's text.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    scale: str
    least: str
    most: str
    summary: str
    numbers: bool

    def runs(self) -> Iterator[tuple[int, int, int, str]]:
        """Neighbours of one colour in a row: column, row, how many, and the colour's class."""
        for y, (_, cells) in enumerate(self.rows):
            x = 0
            for tone, same in groupby(cells, key=lambda cell: cell.tone):
                count = len(list(same))
                yield x, y, count, tone
                x += count


@dataclass(frozen=True)
class Compared:
    """A comparison as a page shows it: a line for each fact, and heat maps side by side.

    `agrees` tells that the elements shown are right, and something else is not: dtype, say. There are no maps then.
    """

    called: str | None
    inputs: tuple[tuple[str, str], ...]
    sides: tuple[tuple[str, str], ...]
    agrees: bool
    place: str | None
    advice: str | None
    close: tuple[HeatMap, ...]
    whole: tuple[HeatMap, ...]


def compared(comparison: Comparison) -> Compared:
    """What a page shows of a comparison."""
    got, expected = comparison.got, comparison.expected
    came, wanted = _read(got.near if got else ()), _read(expected.near if expected else ())
    agrees = bool(came) and came == wanted
    close: tuple[HeatMap, ...] = ()
    whole: tuple[HeatMap, ...] = ()
    if not agrees:
        close = _maps(comparison, came, wanted, True)
        if _is_larger(got, expected):
            whole = _maps(comparison, got.picture if got else (), expected.picture if expected else (), False)
    sides = [(name, _in_short(side)) for name, side in (("got", got), ("expected", expected)) if side]
    place = None
    if comparison.differing and comparison.elements:
        place = f"{comparison.differing} of {comparison.elements} elements differ"
        if comparison.worst:
            place += f", most of all at [{', '.join(map(str, comparison.worst))}]"
    inputs = tuple((name, plain(text)) for name, text in comparison.inputs.items())
    return Compared(comparison.called, inputs, tuple(sides), agrees, place, comparison.advice, close, whole)


def palette() -> str:
    """The colours of all tones as CSS: `.q0` to `.q10` for values, `.d0` to `.d10` for differences."""
    rules = []
    for letter, ramp in (("q", _PLAIN_RAMP), ("d", _SIGNED_RAMP)):
        for step in range(STEPS):
            paint = _between(ramp, step / (STEPS - 1))
            ink = "#000" if _luminance(paint) > 0.18 else "#fff"
            colour = "#{:02x}{:02x}{:02x}".format(*paint)
            rules.append(f".{letter}{step} {{ background: {colour}; fill: {colour}; color: {ink}; }}")
    return "\n".join(rules)


def _between(ramp: Sequence[tuple[int, int, int]], share: float) -> tuple[int, ...]:
    place = share * (len(ramp) - 1)
    low = min(int(place), len(ramp) - 2)
    return tuple(round(a + (b - a) * (place - low)) for a, b in zip(ramp[low], ramp[low + 1], strict=True))


def _luminance(paint: Iterable[int]) -> float:
    """Relative luminance as WCAG 2 defines it; above 0.18, black is easier to read on it than white."""
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in paint]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _in_short(side: Shown) -> str:
    if side.text:
        return plain(side.text)
    facts = [side.kind]
    if side.shape is not None:
        facts.append(f"shape {tuple(side.shape)}")
    facts += [fact for fact in (side.dtype, side.device) if fact and fact != "cpu"]
    return plain(", ".join(facts))


def _is_larger(got: Shown | None, expected: Shown | None) -> bool:
    """Whether the whole plane is more than what the close view shows."""
    return any(
        side is not None and (len(side.picture) > len(side.near) or _width(side.picture) > _width(side.near))
        for side in (got, expected)
    )


def _width(rows: Sequence[Sequence[object]]) -> int:
    return max((len(row) for row in rows), default=0)


def _read(near: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[plain(text) for text in row] for row in near]


def _number(cell: object) -> float | None:
    """A cell as a number: of a complex one its magnitude, of a truth value 0 or 1; None if it is not one."""
    if cell is None or isinstance(cell, (int, float)):
        return None if cell is None else float(cell)
    text = str(cell).strip().replace(" ", "")
    if text in ("True", "False"):
        return float(text == "True")
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return abs(complex(text))
    except (ValueError, OverflowError):
        return None


def _maps(
    comparison: Comparison, got: Sequence[Sequence[object]], expected: Sequence[Sequence[object]], close: bool
) -> tuple[HeatMap, ...]:
    """Grids of both sides on one scale, and of their difference where their shapes agree."""
    if not got and not expected:
        return ()
    planes = {"got": got, "expected": expected}
    finite = [
        value
        for plane in planes.values()
        for row in plane
        for cell in row
        if (value := _number(cell)) is not None and math.isfinite(value)
    ]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    start = (comparison.near_start or ())[-2:] if close else ()
    worst = _within(comparison.worst, start) if close else None
    fits = bool(got and expected) and [len(row) for row in got] == [len(row) for row in expected]
    maps = [
        _grid(name, plane, expected if fits and name == "got" else None, (low, high), start, worst, close)
        for name, plane in planes.items()
        if plane
    ]
    if fits:
        gaps = [[_gap(a, b) for a, b in zip(*rows, strict=True)] for rows in zip(got, expected, strict=True)]
        known = [abs(gap) for row in gaps for gap in row if gap is not None and math.isfinite(gap)]
        if known:
            maps.append(_difference(gaps, max(known), start, close))
    return tuple(maps)


def _within(worst: Sequence[int] | None, start: Sequence[int]) -> tuple[int, int] | None:
    """Row and column of the worst element in a close view that begins at `start`."""
    if not worst:
        return None
    row, column = (0, 0, *worst)[-2:]
    first_row, first_column = (0, 0, *start)[-2:]
    return row - first_row, column - first_column


def _gap(got: object, expected: object) -> float | None:
    """got - expected; 0 for two that are alike, NaN included; None where one is no number."""
    a, b = _number(got), _number(expected)
    if str(got) == str(expected) or a == b:
        return 0.0
    if a is None or b is None or math.isnan(a) or math.isnan(b):
        return None
    return a - b


def _grid(
    title: str,
    plane: Sequence[Sequence[object]],
    other: Sequence[Sequence[object]] | None,
    ends: tuple[float, float],
    start: Sequence[int],
    worst: tuple[int, int] | None,
    close: bool,
) -> HeatMap:
    wrong = {
        (i, j)
        for i, row in enumerate(plane if other is not None else ())
        for j, cell in enumerate(row)
        if other is not None and _gap(cell, other[i][j]) != 0
    }
    # Where nothing is right, marks would say nothing.
    marks = dict.fromkeys(wrong, "differs") if len(wrong) < sum(map(len, plane)) else {}
    if worst in wrong:
        marks[worst] = "worst"
    rows = []
    for i, row in enumerate(plane):
        cells = []
        for j, cell in enumerate(row):
            text = "?" if cell is None else str(cell)
            cells.append(Cell(text, _tone(_number(cell), ends, "q"), marks.get((i, j), "")))
        rows.append(tuple(cells))
    low, high = ends
    odd = sum(cell.tone == "odd" for row in rows for cell in row)
    summary = f"{title}: {len(rows)} by {_width(rows)} elements from {number_of(low)} to {number_of(high)}"
    if odd:
        summary += f", {odd} not a number"
    least, most = (number_of(low), number_of(high)) if high > low else ("", "")
    return HeatMap(title, *_indexed(rows, start), "q", least, most, summary, close)


def _difference(gaps: Numbers, largest: float, start: Sequence[int], close: bool) -> HeatMap:
    rows = []
    for line in gaps:
        cells = []
        for gap in line:
            if gap is None:
                cells.append(Cell("?", "odd"))
                continue
            text = SAME_SIGN if gap == 0 else f"{gap:+.3g}"
            cells.append(Cell(text, _tone(gap, (-largest, largest), "d")))
        rows.append(tuple(cells))
    count, total = sum(gap != 0 for line in gaps for gap in line), sum(map(len, gaps))
    summary = f"difference: {count} of the {total} elements shown differ, by at most {number_of(largest)}"
    ends = (number_of(-largest), number_of(largest)) if largest else ("", "")
    return HeatMap("difference", *_indexed(rows, start), "d", *ends, summary, close)


def _tone(value: float | None, ends: tuple[float, float], letter: str) -> str:
    low, high = ends
    if value is None or math.isnan(value):
        return "odd"
    if high <= low:
        return f"{letter}{STEPS // 2 if letter == 'd' else 2}"
    # Infinite values first; halves, because the width of the whole scale may be too large for a float.
    share = 0.0 if value <= low else 1.0 if value >= high else (value / 2 - low / 2) / (high / 2 - low / 2)
    return f"{letter}{round(share * (STEPS - 1))}"


def _indexed(
    rows: Sequence[tuple[Cell, ...]], start: Sequence[int]
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[Cell, ...]], ...]]:
    """Rows with the index of each, and the indices of columns. A vector has one row, and no index for it."""
    first = (0,) * (2 - len(start)) + tuple(start)
    columns = tuple(str(first[1] + j) for j in range(_width(rows)))
    return columns, tuple((str(first[0] + i), row) for i, row in enumerate(rows))


def number_of(value: float) -> str:
    """A number of a legend: whole ones as they are, others with three digits."""
    return number(value) if value == int(value) and abs(value) < 1e6 else f"{value:.3g}"
