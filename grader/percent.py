"""Reads Python files in jupytext's percent format: cells that begin with a `# %%` line.

Format: https://jupytext.readthedocs.io, "The percent format". Grading must not need jupytext itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_HEADER = re.compile(r"# %%(?!\S)(?P<rest>.*)")
_OPTION = re.compile(r"\s*([A-Za-z_]\w*)=")


@dataclass(frozen=True)
class Cell:
    """One cell: `line` is the 1-based line of its source's first line (its header is the line before)."""

    title: str
    markdown: bool
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    line: int = 1


def read_cells(text: str) -> list[Cell]:
    """Split a percent-format file into its cells; what stands before the first header is a cell of its own.

    Raises:
        ValueError: a header's options are not `name=JSON`; the text says in which line.
    """
    cells: list[Cell] = []
    header: tuple[str, bool, dict[str, Any]] = ("", False, {})
    lines: list[str] = []
    start = 1
    for number, line in enumerate([*text.splitlines(), "# %%"], start=1):
        match = _HEADER.fullmatch(line)
        if not match:
            lines.append(line)
            continue
        source = "\n".join(lines).strip("\n")
        if source or start > 1:
            skipped = next((i for i, text_line in enumerate(lines) if text_line), 0)
            cells.append(Cell(*header, _uncommented(source) if header[1] else source, start + skipped))
        header, lines, start = _read_header(match["rest"], number), [], number + 1
    return cells


def _read_header(rest: str, line: int) -> tuple[str, bool, dict[str, Any]]:
    option = re.search(r"(?:^|\s)[A-Za-z_]\w*=", rest)
    title = (rest[: option.start()] if option else rest).strip()
    metadata: dict[str, Any] = {}
    at = option.start() if option else len(rest)
    while at < len(rest.rstrip()):
        name = _OPTION.match(rest, at)
        try:
            if not name:
                raise ValueError
            metadata[name[1]], at = json.JSONDecoder().raw_decode(rest, name.end())
        except ValueError:
            raise ValueError(
                f"line {line}: a cell header takes options as name=JSON, not {rest[at:].strip()!r}"
            ) from None
    markdown = title.endswith("[markdown]")
    return title.removesuffix("[markdown]").strip(), markdown, metadata


def _uncommented(source: str) -> str:
    return "\n".join(re.sub(r"^# ?", "", line) for line in source.splitlines())
