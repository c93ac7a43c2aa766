"""Runs the examples of a docstring beside the submission, and brings back what they print."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback
from collections.abc import Sequence
from typing import Any

from grader.worker.lesson import Names
from grader.worker.probes import is_stub_error

PRINTED_CHARACTERS = 20_000
_STATE = "__examples__"


def run_example(names: Names, exercise: str, docstring: int, statements: Sequence[str], raises: bool) -> Any:
    """Run an example, after those before it in its docstring.

    Args:
        exercise: a name that the lesson has to define.
        docstring: the number of the docstring, each of which begins with fresh variables.
        statements: as in an interactive session, without their prompts.
        raises: whether the last one should raise; otherwise an exception is the outcome.

    Returns: what the last statement printed, as text; or for an exception that was to come, a dict with the line
        that Python ends a traceback with as `raised`.
    Raises:
        Exception: whatever a statement raises that should not.
    """
    getattr(names, exercise)
    module = vars(names._module)
    if docstring != module.get(_STATE, (None, {}))[0]:
        module[_STATE] = docstring, dict(module)
    try:
        return _run(statements, module[_STATE][1])[:PRINTED_CHARACTERS]
    except Exception as error:
        if not raises or is_stub_error(error):
            raise
        return {"raised": traceback.format_exception_only(error)[-1][:PRINTED_CHARACTERS]}


def _run(statements: Sequence[str], variables: dict[str, Any]) -> str:
    """What the last of these statements prints."""
    output = io.StringIO()
    for statement in statements:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            before, sys.displayhook = sys.displayhook, sys.__displayhook__
            try:
                exec(compile(statement, "<example>", "single", dont_inherit=True), variables)
            finally:
                sys.displayhook = before
    return output.getvalue()
