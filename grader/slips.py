"""Slips that everyone makes at first, told from what they bring about: one sentence for each, or None."""

from __future__ import annotations

import ast
import re

from grader.course import Exercise, load_course
from grader.result import Comparison
from grader.submission import LessonSource


def raised_in_the_test(kind: str, message: str, exercise: Exercise) -> str | None:
    """What an exception means that came up where the test calls the learner's function or goes on with its result.

    Args:
        kind: the exception's type; none of its traceback lies in the learner's own file.
    """
    called = re.match(r"(?:\w+\.)*?(\w+)(?:\.__init__)?\(\) (takes|missing|got)", message)
    if kind == "TypeError" and called and called[1] in exercise.defines:
        return (
            f"`{called[1]}` is called with other arguments than it takes ({kind}: {message}): "
            "keep the parameters that the exercise gives it, in their order"
        )
    if "'NoneType' object" in message or message.startswith("cannot unpack non-iterable NoneType"):
        return (
            f"the test cannot go on with what came back ({kind}: {message}): "
            f"if `{exercise.name}` returned None, is there a `return`?"
        )
    return None


def reading(message: str) -> str | None:
    """What to do about a file that Python cannot read, where Python's own words do not say it."""
    if "inconsistent use of tabs and spaces" in message:
        return "tabs and spaces are mixed: use four spaces for each level (editors can convert tabs to spaces)"
    return None


def printed_instead(exercise: Exercise, comparison: Comparison | None, output: str) -> str | None:
    """For a function that printed and gave None where a value was expected."""
    if comparison is None or comparison.got is None or comparison.got.kind != "NoneType" or not output.strip():
        return None
    if comparison.difference != "kind" or (comparison.expected and comparison.expected.kind == "NoneType"):
        return None
    return (
        f"The code printed something, and `{exercise.name}` returned None: `print` shows a value to you, "
        "only `return` hands it to whoever called."
    )


def order_of_parameters(exercise: Exercise, lesson: LessonSource | None) -> str | None:
    """For a function whose parameters have the exercise's names in another order, or others in number."""
    expected = _parameters(exercise.name, [load_course().lesson(exercise.lesson_id).text])
    mine = _parameters(exercise.name, [segment.source for segment in lesson.segments] if lesson else [])
    if mine is None or expected is None or mine == expected or sorted(mine) != sorted(expected):
        return None
    call = f"{exercise.name}({', '.join(expected)})"
    return f"The parameters stand in another order than in the exercise, which is `{call}`."


def _parameters(name: str, sources: list[str]) -> list[str] | None:
    for source in sources:
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                return [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
    return None
