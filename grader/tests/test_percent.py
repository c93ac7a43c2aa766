"""Tests of the percent-format reader, against jupytext, which defines the format."""

from __future__ import annotations

import json
from typing import Any

import jupytext
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.course import ROOT
from grader.percent import Cell, read_cells

LESSONS = sorted((ROOT / "solutions").glob("*/*.py"))
# What jupytext notes for itself: how many blank lines to write after a cell.
ITS_OWN = "lines_to_next_cell"


def by_jupytext(text: str) -> list[tuple[str, bool, dict[str, Any], str]]:
    cells = []
    for cell in jupytext.reads(text, fmt="py:percent").cells:
        metadata = {name: value for name, value in cell.metadata.items() if name != ITS_OWN}
        title = metadata.pop("title", "")
        cells.append((title, cell.cell_type == "markdown", metadata, cell.source.strip("\n")))
    return cells


def by_us(text: str) -> list[tuple[str, bool, dict[str, Any], str]]:
    return [(cell.title, cell.markdown, cell.metadata, shown(cell)) for cell in read_cells(text)]


def shown(cell: Cell) -> str:
    """The source as it stands in a notebook: there, code for notebooks only is no longer a comment."""
    if "active-ipynb" not in cell.metadata.get("tags", ()):
        return cell.source
    return "\n".join(line.removeprefix("#").removeprefix(" ") for line in cell.source.splitlines())


def assert_lines(text: str, cells: list[Cell]) -> None:
    """Each cell's source stands in the file where the cell says."""
    lines = text.split("\n")
    for cell in cells:
        there = lines[cell.line - 1 : cell.line + cell.source.count("\n")]
        if cell.markdown:
            there = [line.removeprefix("#").removeprefix(" ") for line in there]
        assert "\n".join(there) == cell.source


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_lessons_read_as_by_jupytext(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert by_us(text) == by_jupytext(text)
    assert_lines(text, read_cells(text))


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(" abc=%#\"'é\\[]{}", max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=2),
    max_leaves=4,
)
names = st.from_regex(r"[a-z][a-z_0-9]{0,6}", fullmatch=True)
options = st.dictionaries(
    names.filter(lambda name: name not in ("title", "cell_type", "active")), json_values, max_size=3
)
code = st.lists(st.sampled_from(["x = 1", "def f():", "    return 2", "", "# a comment", "print('%')"]), max_size=5)
prose = st.lists(st.sampled_from(["# Title", "## Part", "text, with *stars*", "", "    code", "- item"]), max_size=5)


@st.composite
def lessons(draw: st.DrawFn) -> str:
    text = ""
    for _ in range(draw(st.integers(1, 4))):
        markdown = draw(st.booleans())
        title = "" if markdown else draw(st.one_of(st.just(""), names))
        words = ["# %%", title, "[markdown]" if markdown else ""]
        words += [f"{name}={json.dumps(value)}" for name, value in draw(options).items()]
        body = draw(prose if markdown else code)
        body = (
            ["# one", *body, "# two"] if not markdown else ["# one", *(f"# {line}".rstrip() for line in body), "# two"]
        )
        text += " ".join(word for word in words if word) + "\n" + "\n".join(body) + "\n\n"
    return text


@settings(derandomize=True, database=None, deadline=None, max_examples=40)
@given(lessons())
def test_drawn_cells_read_as_by_jupytext(text: str) -> None:
    assert by_us(text) == by_jupytext(text)
    assert_lines(text, read_cells(text))


@pytest.mark.parametrize("text", ["", "x = 1\n", "# %% a\nx = 1", '# %% a\nx = "\x0c"\ny = 1\n', "# %% a\r\nx = 1\r\n"])
def test_odd_files_read_as_by_jupytext(text: str) -> None:
    assert by_us(text) == by_jupytext(text)


def test_what_stands_before_the_first_header_is_a_cell() -> None:
    assert read_cells("import torch\n\n# %% a points=1\nx = 1\n") == [
        Cell("", False, source="import torch"),
        Cell("a", False, {"points": 1}, "x = 1", 4),
    ]


def test_blank_lines_around_a_cell_do_not_belong_to_it() -> None:
    (cell,) = read_cells("# %% a\n\n\nx = 1\n\ny = 2\n\n\n")
    assert (cell.source, cell.line) == ("x = 1\n\ny = 2", 4)


def test_indented_and_longer_marks_are_no_headers() -> None:
    (cell,) = read_cells("# %% a\nif x:\n    # %% b\n    pass\n# %%%\n# %%time\n")
    assert cell.source.count("%%") == 3


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("a points=", "points="),
        ("a points=two", "points=two"),
        ("a points='2'", "points='2'"),
        ("a points=2 hard", "hard"),
        ("a points=2, level=3", ", level=3"),
        ("a needs=[1, 2", "needs=[1, 2"),
        ('a level="core', 'level="core'),
    ],
)
def test_options_that_are_not_json_are_an_error_with_its_line(header: str, said: str) -> None:
    with pytest.raises(ValueError) as error:
        read_cells(f"# %% fine points=1\nx = 1\n# %% {header}\n")
    text = str(error.value)
    assert text.startswith("line 3: a cell header takes options as name=JSON, not ")
    assert said in text
    assert "\n" not in text
