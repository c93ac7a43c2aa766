"""Words that all reports share, and making a stranger's text harmless."""

from __future__ import annotations

import os
import re

STATUS = {
    "passed": "passed",
    "failed": "failed",
    "error": "raised an error",
    "timeout": "ran too long",
    "crashed": "crashed",
    "not_attempted": "not attempted",
    "not_assessed": "not assessed",
}

PUBLIC_ONLY = (
    "Public checks only: these are the examples in the docstrings. The hidden tests, which decide, try much more."
)


def plain(text: str) -> str:
    """Text on one line without control characters: no escape sequences, no line that another program would obey."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
    line = " ".join(text.split())
    if os.environ.get("GITHUB_ACTIONS"):
        # GitHub's runner takes commands from lines of a job's output.
        line = re.sub(":(?=:)", ": ", line).replace("##[", "## [")
    return line


def sentence(text: str) -> str:
    """`plain`, with a capital at the start and a full stop at the end."""
    line = plain(text)
    if re.match(r"[a-z][a-z ]", line):
        line = line[0].upper() + line[1:]
    return line if not line or line[-1] in ".?!" else line + "."


def number(value: float) -> str:
    """Points and per cents with at most two decimals: 3, 2.5, 81.25."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def printed_instead(message: str, output: str) -> str | None:
    """A sentence for someone who prints what should be returned; None if that is not what happened."""
    said = message.startswith("The code printed")  # by grader.slips, where hidden tests compared something
    if "Is there a `return`?" in message and output.strip() and not said:
        return "It printed something: `print` only shows a value, `return` hands it back."
    return None
