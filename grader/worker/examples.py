"""Runs the examples of a docstring beside the submission, and brings back what they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grader.examples import raised_by, shown_by
from grader.worker.lesson import Names
from grader.worker.probes import is_stub_error

SHOWN_CHARACTERS = 20_000
_STATE = "__examples__"


def run_example(names: Names, exercise: str, docstring: int, statements: Sequence[str], raises: bool) -> Any:
    """Run an example, after those before it in its docstring.

    Args:
        exercise: a name that the lesson has to define.
        docstring: the number of the docstring, each of which begins with fresh variables.
        statements: as in an interactive session, without their prompts.
        raises: whether the last one should raise; otherwise an exception is the outcome.

    Returns: what the last statement showed, as text; or for an exception that was to come, what
        grader.examples.raised_by says of it.
    Raises:
        Exception: whatever a statement raises that should not.
    """
    getattr(names, exercise)
    module = vars(names._module)
    if docstring != module.get(_STATE, (None, {}))[0]:
        module[_STATE] = docstring, dict(module)
    try:
        return shown_by(statements, module[_STATE][1])[:SHOWN_CHARACTERS]
    except Exception as error:
        if not raises or is_stub_error(error):
            raise
        return raised_by(error)
