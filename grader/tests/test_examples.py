"""Public checks: what an example shows, whatever its answer prints, and whether that is what the docstring says."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from grader.course import Course
from grader.examples import agrees, raised_by, run_examples, shown_by
from grader.public import judge_publicly
from grader.submission import LessonSource, Segment
from grader.workers import WorkerObserver, WorkerPool

LESSON = '''
class Refused(ValueError):
    pass


def double(x):
    """Twice as much.

    >>> double(4)
    8
    >>> print(double(1), end=" and ")
    2 and
    >>> for n in (1, 2):
    ...     print(double(n))
    2
    4
    >>> double(0)
    >>> double(-1)
    Traceback (most recent call last):
        ...
    ValueError: -1 is below 0
    """
    print("double was called")
    if x < 0:
        raise Refused("in other words")
    return 2 * x or None
'''


def lesson(text: str = LESSON) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "lesson"}
    exec(text, namespace)
    return namespace


def test_what_an_answer_prints_and_how_it_words_errors_is_its_own_affair(capsys: pytest.CaptureFixture[str]) -> None:
    run_examples("double", lesson())
    assert capsys.readouterr().out.endswith("double: the docstring's 5 examples come out as they should. "
                                            "The hidden tests run when this notebook is graded.\n")  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("return 2 * x or None", "print(2 * x)", ["double(4)", "Expected:\n    8", "Got:"]),
        ("return 2 * x or None", "return 3 * x or None", ["double(4)", "Expected:\n    8", "Got:\n    12"]),
        (
            "class Refused(ValueError)",
            "class Refused(KeyError)",
            ["double(-1)", "below 0", "Refused: 'in other words'"],
        ),
        ('raise Refused("in other words")', "return 0", ["double(-1)", "ValueError: -1 is below 0", "Got:\n    0"]),
        ("return 2 * x or None", "return 2 / x", ["double(4)", "Got:\n    0.5"]),
        ("if x < 0:", "if x < 1:", ["double(0)", "Expected:\n    nothing", "Refused: in other words"]),
    ],
)
def test_a_wrong_answer_fails_an_example(old: str, new: str, said: list[str]) -> None:
    assert old in LESSON
    namespace = lesson(LESSON.replace(old, new))
    before = set(namespace)
    with pytest.raises(AssertionError) as raised:
        run_examples("double", namespace)
    text = str(raised.value)
    places = [text.find(part) for part in said]
    assert -1 not in places, text
    assert places == sorted(places)
    assert "examples.py" not in text, "a learner's traceback begins with the example"
    assert set(namespace) == before, "the notebook's own variables"


def test_only_the_last_statement_shows_something() -> None:
    variables: dict[str, Any] = {}
    assert shown_by(["x = 3\n", "print(x)\n", "x\n", "x + 1\n"], variables) == "4\n"
    assert shown_by(["None\n"], variables) == ""
    assert shown_by(["def f():\n    print(x)\n", "f()\n"], variables) == "3\n", "a function of the example itself"
    with pytest.raises(ZeroDivisionError):
        shown_by(["1 / 0\n"], variables)


def test_spaces_make_no_difference_and_values_do() -> None:
    example = doctest.Example("x\n", "tensor([1.,  2.,\n        3.])\n")
    assert agrees(example, "tensor([1., 2., 3.])\n", ())
    assert not agrees(example, "tensor([1., 2., 4.])\n", ())
    assert not agrees(example, None, ["ValueError", "Exception"])


def test_an_exception_is_told_by_its_class_or_one_that_it_derives_from() -> None:
    example = doctest.Example("x\n", "Traceback (most recent call last):\n", exc_msg="json.JSONDecodeError: no\n")
    assert raised_by(KeyError("a")) == {
        "raised": "KeyError: 'a'\n",
        "kinds": ["KeyError", "LookupError", "Exception", "BaseException", "object"],
    }
    assert agrees(example, None, ["Own", "JSONDecodeError", "ValueError"])
    assert not agrees(example, None, ["ValueError"])
    assert not agrees(example, "json.JSONDecodeError: no\n", ())


def test_in_a_worker_it_is_the_same(course: Course, pool: WorkerPool) -> None:
    exercise = course.exercise("tensors/storage/contiguous_strides")
    bodies = {
        "print('called')\n    return [3, 3, 1] if 0 in shape else (12, 4, 1)": ["passed", "passed"],
        "print(12, 4, 1)\n    return (3, 3, 1)": ["failed", "passed"],
        "raise SystemExit": ["error", "error"],
        "raise NotImplementedError": ["not_attempted", "not_attempted"],
        "import sys; sys.displayhook = print; return (12, 4, 1)": ["passed", "failed"],
    }
    for body, statuses in bodies.items():
        source = LessonSource(
            "tensors/storage", "storage.py", (Segment(f"def contiguous_strides(shape):\n    {body}\n"),)
        )
        observer = WorkerObserver(pool, {source.lesson_id: source}, 5.0)
        (result,) = judge_publicly([exercise], observer, lambda name: "")
        assert [test.status for test in result.tests] == statuses, body
