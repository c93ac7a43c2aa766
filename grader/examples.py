"""Runs the examples of docstrings as in an interactive session, and compares what they show; needs Python alone.

An example says what a call gives or what kind of exception it raises. What the answer prints on its way and how it
words its exceptions are its own affair.

A copy of this file goes along with notebooks that are handed out: these are the public checks. The hidden tests run
elsewhere, when the work is graded.
"""

from __future__ import annotations

import doctest
import io
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from typing import Any

# Whether two spaces stand where one was written says nothing about an answer.
_OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def shown_by(statements: Sequence[str], variables: dict[str, Any]) -> str:
    """Run statements as in an interactive session, without their prompts, and give what the last one shows.

    That is the value of an expression, and what the statement itself prints.

    Args:
        variables: the global variables of these statements, which they may change.

    Raises:
        Exception: whatever a statement raises.
    """
    shown = io.StringIO()

    def show(value: object) -> None:
        if value is not None:
            shown.write(f"{value!r}\n")

    def print_here(*values: object, file: Any = None, **options: Any) -> None:
        print(*values, file=file or shown, **options)

    variables["print"] = print_here  # Not the one that answers call: those have variables of their own.
    before, sys.displayhook = sys.displayhook, show
    try:
        for statement in statements:
            shown.seek(0)
            shown.truncate()
            exec(compile(statement, "<example>", "single", dont_inherit=True), variables)
    finally:
        sys.displayhook = before
    return shown.getvalue()


def raised_by(error: BaseException) -> dict[str, Any]:
    """An exception as data: the line with which Python ends a traceback, and the names of its class and bases."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return {"raised": traceback.format_exception_only(error)[-1], "kinds": kinds}


def agrees(example: doctest.Example, shown: str | None, kinds: Sequence[str]) -> bool:
    """Whether an example came out as its docstring says.

    Args:
        shown: what it showed; None if it raised an exception, whose classes are `kinds`.
    """
    if example.exc_msg is not None:
        return shown is None and example.exc_msg.partition(":")[0].strip().rpartition(".")[2] in kinds
    options = _OPTIONS | sum(flag for flag, on in example.options.items() if on)
    return shown is not None and (
        not example.want or doctest.OutputChecker().check_output(example.want, shown, options)
    )


def run_examples(name: str, namespace: dict[str, Any]) -> None:
    """Run the docstring's examples of what `namespace` calls `name`, and print one line if all of them come out.

    Raises:
        AssertionError: one of them does not; the text shows the first, what was expected and what came.
    """
    if name not in namespace:
        raise AssertionError(f"`{name}` does not exist: run the cell above that defines it")
    count = 0
    for examples in _docstrings(name, namespace):
        variables = dict(namespace)
        for example in examples:
            count += 1
            try:
                shown, kinds = shown_by([example.source], variables), ()
                came = shown
            except Exception as error:
                told = raised_by(error)
                shown, kinds = None, told["kinds"]
                came = _traceback(error) if example.exc_msg is None else told["raised"]
            if not agrees(example, shown, kinds):
                parts = {"Failed example": example.source, "Expected": example.want or "nothing\n", "Got": came}
                text = "".join(f"{title}:\n{textwrap.indent(part, '    ')}" for title, part in parts.items())
                raise AssertionError(f"an example of `{name}` does not give what its docstring says\n{text.rstrip()}")
    right = f"the docstring's {count} examples come out as they should" if count else "the docstring holds no examples"
    print(f"{name}: {right}. The hidden tests run when this notebook is graded.")


def _traceback(error: BaseException) -> str:
    """As Python shows it, from the example's line on: what called that is nobody's business."""
    begin = error.__traceback__
    while begin and begin.tb_frame.f_code.co_filename == __file__:
        begin = begin.tb_next
    return "".join(traceback.format_exception(type(error), error, begin))


def _docstrings(name: str, namespace: dict[str, Any]) -> Iterator[list[doctest.Example]]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for found in finder.find(namespace[name], name, module=False, globs=namespace):
        yield found.examples
