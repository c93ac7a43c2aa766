"""What newcomers trip over is told in a sentence that says what to do."""

from __future__ import annotations

import pytest

from grader.course import Course, KnownAnswer, with_answer
from grader.judge import judge
from grader.result import ExerciseResult
from grader.trials import Trial
from grader.workers import WorkerPool

NAME = "tensors/views/transpose_view"
SLIPS = {
    "return forgotten": (
        "def transpose_view(t, dim0, dim1):\n    out = t.transpose(dim0, dim1)\n",
        ["None", "Is there a `return`?"],
    ),
    "printed instead": (
        "def transpose_view(t, dim0, dim1):\n    print(t.transpose(dim0, dim1).shape)\n",
        ["printed something", "returned None", "only `return` hands it"],
    ),
    "renamed": (
        "def transposed_view(t, dim0, dim1):\n    return t.transpose(dim0, dim1)\n",
        ["`transpose_view` is not in", "`transposed_view` is", "rename it back"],
    ),
    "deleted": ("x = 1\n", ["`transpose_view` is not in", "was it renamed or deleted?", "grader reset"]),
    "one parameter too few": (
        "def transpose_view(t, dim0):\n    return t.transpose(dim0, -1)\n",
        ["called with other arguments than it takes", "keep the parameters"],
    ),
    "parameters in another order": (
        "def transpose_view(dim0, dim1, t):\n    return t.transpose(dim0, dim1)\n",
        ["in another order", "`transpose_view(t, dim0, dim1)`"],
    ),
    "tabs and spaces": (
        "def transpose_view(t, dim0, dim1):\n    if dim0:\n\treturn t\n    return t\n",
        ["tabs and spaces are mixed", "four spaces", "line"],
    ),
    "a method that does not exist": (
        "def transpose_view(t, dim0, dim1):\n    return t.transposed(dim0, dim1)\n",
        ["AttributeError", "transposed", "line"],
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told(slip: str, course: Course, pool: WorkerPool) -> None:
    source, facts = SLIPS[slip]
    message = told(source, course, pool).decisive
    assert message
    assert message.message
    for fact in facts:
        assert fact in message.message, message.message
    assert message.comparison is None or slip == "deleted" or message.comparison.brief


def test_a_none_that_the_test_stumbles_over_is_asked_for_its_return(course: Course, pool: WorkerPool) -> None:
    name = "tensors/views/hwc_to_chw"
    result = told("def hwc_to_chw(x):\n    pass\n", course, pool, name)
    messages = [test.message or "" for test in result.tests]
    assert all("`return`" in message or "None" in message for message in messages), messages


def told(source: str, course: Course, pool: WorkerPool, name: str = NAME) -> ExerciseResult:
    lesson = course.lesson(name.rsplit("/", 1)[0])
    trial = Trial("slip", {lesson.id: with_answer(lesson, KnownAnswer(name, "", None, source, 1))}, (name,))
    return judge(trial.submission, [course.exercise(name)], pool, seed=1, gpu="off").exercises[0]
