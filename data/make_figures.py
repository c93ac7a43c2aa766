"""Draws the figures of the lessons into data/figures/: needs matplotlib, reads tables/ and scans/.

    python data/make_figures.py                  draw all figures again
    python data/make_figures.py --out FOLDER     draw them somewhere else

The same matplotlib draws the same bytes: sizes and fonts are fixed (DejaVu Sans comes with matplotlib), and nothing is
drawn at random.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import json
import statistics
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from PIL import Image

FOLDER = Path(__file__).resolve().parent
DPI = 100
INK, SOFT, PALE = "#1f2933", "#5b6773", "#dfe4e9"
BLUE, GREEN, ORANGE, PURPLE = "#2f6db5", "#2e8b67", "#c9701d", "#7a4fb0"
SANS, MONO = "DejaVu Sans", "DejaVu Sans Mono"

# Three rows of penguins.csv, and the tags that these birds have in the study's full table (190 different ones).
ROWS = (0, 330, 203)
TAGS = {"N1A1": 1, "N93A1": 177, "N13A2": 26}  # numbered by their first appearance
# The weather of bikes.csv, from good to bad, and three hours of it: no column of the penguins is ordinal.
LEVELS = ("clear", "cloudy/misty", "light rain/snow", "heavy rain/snow")
WEATHER = ("clear", "light rain/snow", "cloudy/misty")
# What an embedding table holds is learned; these numbers only stand for it. Row 0 is for unknown tags.
TABLE = {0: (0.0, 0.0, 0.0), 1: (0.8, -1.3, 0.2), 26: (-0.6, 0.4, 1.1), 177: (1.5, 0.9, -0.7)}


class Canvas:
    """A white sheet measured in pixels, y pointing down, with the few shapes that the figures are made of."""

    def __init__(self, width: int, height: int) -> None:
        self.figure = plt.figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="white")
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(height, 0))
        self.axes.axis("off")

    def text(
        self, x: float, y: float, text: str, size: float = 17, color: str = INK, font: str = SANS, **options: object
    ) -> None:
        """Write `text` around (x, y); `size` in pixels."""
        options = {"ha": "center", "va": "center", "linespacing": 1.35, **options}
        self.axes.text(x, y, text, fontsize=size * 72 / DPI, color=color, family=font, **options)

    def box(self, x: float, y: float, width: float, height: float, fill: str, edge: str, radius: float = 10) -> None:
        """A rounded box with its top left corner at (x, y)."""
        style = f"round,pad=0,rounding_size={radius}"
        self.axes.add_patch(
            FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=fill, edgecolor=edge, linewidth=1.6)
        )

    def arrow(self, start: tuple[float, float], end: tuple[float, float], color: str = SOFT, bend: float = 0) -> None:
        """An arrow from `start` to `end`."""
        style = f"arc3,rad={bend}"
        self.axes.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>",
                mutation_scale=17,
                linewidth=1.8,
                color=color,
                connectionstyle=style,
                shrinkA=0,
                shrinkB=0,
            )
        )

    def cells(
        self,
        x: float,
        y: float,
        rows: list[list[str]],
        width: float,
        color: str,
        strong: set[tuple[int, int]] | None,
        height: float = 34,
        font: str = MONO,
    ) -> None:
        """A grid of cells, top left corner at (x, y); those in `strong` (row, column) are filled; None fills all."""
        for row, items in enumerate(rows):
            for column, item in enumerate(items):
                filled = strong is None or (row, column) in strong
                left, top = x + column * width, y + row * height
                self.axes.add_patch(
                    Rectangle(
                        (left, top),
                        width,
                        height,
                        facecolor=tint(color, 0.24) if filled else "white",
                        edgecolor=tint(color, 0.75),
                        linewidth=1.2,
                    )
                )
                shade = INK if filled else SOFT
                self.text(left + width / 2, top + height / 2, item, 16.5, shade, font)

    def save(self, path: Path) -> None:
        """Write a small PNG (of 128 colours), without a date or a version in it."""
        drawn = io.BytesIO()
        self.figure.savefig(drawn, dpi=DPI)
        plt.close(self.figure)
        Image.open(drawn).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


def tint(color: str, strength: float) -> str:
    """`color` on white paper: 1 is the colour itself, 0 is white."""
    channels = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in channels)


def read_penguins() -> list[dict[str, str]]:
    """The rows of penguins.csv, as text."""
    with (FOLDER / "tables/penguins.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def signed(number: float) -> str:
    """Two digits after the point, with a real minus sign."""
    return f"{number:.2f}".replace("-", "\N{MINUS SIGN}")


def number_text(number: float) -> str:
    """One digit after the point, with a real minus sign."""
    return f"{number:.1f}".replace("-", "\N{MINUS SIGN}")


def draw_encodings(path: Path) -> None:
    """How a column of a table becomes numbers: four kinds of columns, and the questions that tell them apart."""
    penguins = read_penguins()
    shown = [penguins[row] for row in ROWS]
    masses = [float(penguin["body_mass_g"]) for penguin in penguins if penguin["body_mass_g"]]
    mean, spread = statistics.fmean(masses), statistics.pstdev(masses)
    islands = sorted({penguin["island"] for penguin in penguins})

    sheet = Canvas(1400, 1128)
    tops, tall = (74, 314, 554, 794), (220, 220, 220, 306)
    colors = (BLUE, GREEN, ORANGE, PURPLE)
    for x, title in ((167, "ask of a column"), (608, "what the table holds"), (1100, "what the network gets")):
        sheet.text(x, 38, title, 18, SOFT, style="italic")

    # The questions, one below the other.
    questions = (
        "Do differences\nbetween its values\nmean something?",
        "Do its values\nhave an order?",
        "Are there only\na few of them?",
    )
    middles = [top + height / 2 for top, height in zip(tops, tall, strict=True)]
    for question, color, middle in zip(questions, colors, middles, strict=False):
        sheet.box(30, middle - 58, 274, 116, "white", SOFT)
        sheet.text(167, middle, question, 19, INK)
        sheet.arrow((304, middle), (352, middle), color)
        sheet.text(327, middle - 17, "yes", 16, color, weight="bold")
    for above, below in itertools.pairwise(middles[:3]):
        sheet.arrow((167, above + 58), (167, below - 60))
        sheet.text(187, (above + below) / 2, "no", 16, SOFT, ha="left", weight="bold")
    turn = middles[3]
    sheet.axes.plot([167, 167], [middles[2] + 58, turn], color=SOFT, linewidth=1.8, solid_capstyle="butt")
    sheet.arrow((166, turn), (352, turn))
    sheet.text(187, (middles[2] + 58 + turn) / 2, "no", 16, SOFT, ha="left", weight="bold")

    # The bands: one for each kind of column.
    kinds = (
        ("interval", "values directly", "temperature, date, price"),
        ("ordinal", "rank in the order", "school grade, size S to XL"),
        ("categorical, few values", "one-hot", "colour, weekday"),
        ("categorical, many values", "embedding", "word, postcode, customer"),
    )
    for (kind, answer, others), color, top, height in zip(kinds, colors, tops, tall, strict=True):
        sheet.box(354, top, 1020, height, tint(color, 0.07), tint(color, 0.45), 14)
        sheet.text(376, top + 28, kind, 20, color, ha="left", weight="bold")
        sheet.text(700, top + 28, answer, 20, INK, ha="left", weight="bold")
        sheet.text(1356, top + 28, f"also: {others}", 16, SOFT, ha="right", style="italic")
    labels = ("body_mass_g", "weathersit", "island", "tag")
    values = [[row["body_mass_g"] for row in shown], list(WEATHER), [row["island"] for row in shown], list(TAGS)]
    for label, column, color, top in zip(labels, values, colors, tops, strict=True):
        sheet.text(466, top + 68, label, 16.5, SOFT, MONO)
        sheet.cells(386, top + 86, [[value] for value in column], 160, color, set())

    # Interval: standardised.
    y = tops[0] + 86
    sheet.arrow((556, y + 51), (690, y + 51), BLUE)
    sheet.cells(700, y, [[signed((float(value) - mean) / spread)] for value in values[0]], 110, BLUE, None)
    sheet.text(
        840, y + 51, "subtract the mean,\ndivide by the standard deviation\n(both of the training data)", 17, ha="left"
    )
    sheet.text(755, y - 18, "(N, 1)", 16, SOFT, MONO)

    # Ordinal: its rank, or a thermometer.
    y = tops[1] + 86
    ranks = [LEVELS.index(value) for value in WEATHER]
    sheet.arrow((556, y + 51), (690, y + 51), GREEN)
    sheet.cells(700, y, [[str(rank)] for rank in ranks], 110, GREEN, None)
    sheet.text(755, y - 18, "(N, 1)", 16, SOFT, MONO)
    sheet.text(
        840,
        y + 51,
        "its place in the list of levels,\nfrom 0; or a thermometer,\nif the steps differ a lot:",
        17,
        ha="left",
    )
    steps = range(1, len(LEVELS))
    thermometer = [[str(int(rank >= step)) for step in steps] for rank in ranks]
    full = {(row, column) for row, cells in enumerate(thermometer) for column, cell in enumerate(cells) if cell == "1"}
    sheet.cells(1110, y, thermometer, 82, GREEN, full)
    for column, step in enumerate(steps):
        word = LEVELS[step].split("/")[0].split()[0]
        sheet.text(1151 + 82 * column, y - 18, f"\N{GREATER-THAN OR EQUAL TO}{word}", 15, SOFT, MONO)
    sheet.text(1233, y + 120, "(N, levels \N{MINUS SIGN} 1)", 15, SOFT, MONO)

    # Few categories: one-hot.
    y = tops[2] + 86
    sheet.arrow((556, y + 51), (690, y + 51), ORANGE)
    one_hot = [[str(int(value == island)) for island in islands] for value in values[2]]
    hot = {(row, islands.index(value)) for row, value in enumerate(values[2])}
    sheet.cells(700, y, one_hot, 120, ORANGE, hot)
    for column, island in enumerate(islands):
        sheet.text(760 + 120 * column, y - 18, island, 15, SOFT, MONO)
    sheet.text(880, y + 120, "(N, 3)", 15, SOFT, MONO)
    sheet.text(
        1088,
        y + 51,
        "one column for each value;\nno order, no distances;\nan unknown value is all zeros",
        17,
        ha="left",
    )

    # Many categories: rows of a table, gathered by number.
    y, middle = tops[3] + 86, tops[3] + 86 + 96
    sheet.arrow((556, y + 51), (690, y + 51), PURPLE)
    sheet.text(735, y - 18, "id", 16, SOFT, MONO)
    sheet.cells(700, y, [[str(number)] for number in TAGS.values()], 70, PURPLE, set())
    sheet.text(960, y - 18, "weight (191, E)", 16, SOFT, MONO)
    sheet.text(1271, y - 18, "(N, E)", 16, SOFT, MONO)
    lines = {0: 0, 1: 1, 26: 3, 177: 5}  # where each row of the table is drawn, with gaps between
    for row, line in lines.items():
        place = y + 32 * line
        sheet.text(846, place + 16, str(row), 15, SOFT, MONO, ha="right")
        strong = set() if row == 0 else None
        sheet.cells(855, place, [[number_text(number) for number in TABLE[row]]], 70, PURPLE, strong, 32)
    for line in (2, 4):
        sheet.text(960, y + 32 * line + 15, "\N{VERTICAL ELLIPSIS}", 20, SOFT)
    for place, row in enumerate(TAGS.values()):
        gathered = [[number_text(number) for number in TABLE[row]]]
        sheet.cells(1180, y + 34 * place + 24, gathered, 61, PURPLE, None)
        sheet.arrow((1069, y + 32 * lines[row] + 16), (1176, y + 34 * place + 41), PURPLE)
    sheet.text(
        386, middle + 72, "each id gathers its row;\nthe rows are learned;\n0 is for what is unknown", 17, ha="left"
    )

    sheet.save(path)


def draw_brain(path: Path) -> None:
    """The slices of scans/brain: by file name and as stored above, by position and in units below."""
    slices = []
    for picture in sorted((FOLDER / "scans/brain").glob("*.png")):
        about = json.loads(picture.with_suffix(".json").read_text(encoding="utf-8"))
        slices.append((about["position_mm"], about["slope"], np.asarray(Image.open(picture)).astype(np.float32)))
    as_stored = small_row([stored for _, _, stored in slices], 65535)
    in_order = small_row([stored * slope for _, slope, stored in sorted(slices, key=lambda entry: entry[0])], 255)
    between = np.full((8, as_stored.shape[1]), 255, np.uint8)
    Image.fromarray(np.vstack([as_stored, between, in_order])).save(path, optimize=True)


def small_row(pictures: list[np.ndarray], white: float) -> np.ndarray:
    """Pictures side by side, 78 x 92 pixels each, grey from 0 to `white`."""
    grey = [np.clip(picture / white * 255, 0, 255).astype(np.uint8) for picture in pictures]
    return np.hstack([np.asarray(Image.fromarray(picture).resize((78, 92))) for picture in grey])


FIGURES = {"encodings.png": draw_encodings, "brain.png": draw_brain}


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER / "figures", help="where to (default: data/figures)")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        draw(options.out / name)
        print(f"drew {options.out / name}")


if __name__ == "__main__":
    main()
