"""Forms in which a result is shown or handed on: terminal, JSON, JUnit XML, Markdown, HTML."""

from __future__ import annotations

import errno
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from grader.course import Course, load_course
from grader.errors import GraderError
from grader.replacing import replace_file
from grader.reports.junit import to_junit
from grader.reports.markdown import to_markdown
from grader.result import Result, to_json


def render(
    kind: str, result: Result, course: Course | None = None, hints_taken: Mapping[str, int] | None = None
) -> str:
    """The result as text of this kind: "json", "junit", "markdown" or "html".

    To leave out what hidden tests are made of, give `grader.result.for_learners(result)`.

    Args:
        course: where HTML finds titles, levels and hints; this course if left out.
        hints_taken: how many hints the learner has seen, by exercise id, for HTML; None where that is not known.

    Raises:
        ValueError: there is no such kind.
    """
    if kind == "json":
        # GitHub's runner takes commands that begin with these three characters, wherever they stand in a line.
        return json.dumps(to_json(result), indent=2).replace("##[", "\\u0023\\u0023[") + "\n"
    if kind == "html":
        from grader.reports.html import to_html

        return to_html(result, course or load_course(), hints_taken)
    if kind not in ("junit", "markdown"):
        raise ValueError(f"no kind of report: {kind!r}")
    return to_junit(result) if kind == "junit" else to_markdown(result)


def require_place(target: str) -> None:
    """Find out whether a report can be written to a file, before anyone waits for what it will say.

    Raises:
        GraderError: it cannot, as `write_report` would say then.
    """
    path = Path(target)
    try:
        if path.is_dir():
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        if target != "-" and (path.is_file() or not path.exists()):
            tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise _unwritten(target, error) from None


def write_report(
    kind: str,
    target: str,
    result: Result,
    course: Course | None = None,
    hints_taken: Mapping[str, int] | None = None,
) -> None:
    """Write a report to a file, whole or not at all, or to standard output for "-"; see `render`.

    Raises:
        GraderError: the file cannot be written.
    """
    write_text(target, render(kind, result, course, hints_taken))


def write_text(target: str, text: str) -> None:
    """Write a file, whole or not at all, or to standard output for "-".

    Raises:
        GraderError: the file cannot be written.
    """
    if target == "-":
        # Reports are UTF-8, whatever the terminal's language is.
        getattr(sys.stdout, "reconfigure", lambda **_: None)(encoding="utf-8", errors="replace")
        sys.stdout.write(text)
        return
    path = Path(target)
    try:
        if path.exists() and not path.is_file():
            # A pipe or a device: nothing to replace.
            path.write_text(text, encoding="utf-8")
            return
        replace_file(path, text)
    except OSError as error:
        raise _unwritten(target, error) from None


def _unwritten(target: str, error: OSError) -> GraderError:
    return GraderError(f"the report {target} cannot be written: {error.strerror}")
