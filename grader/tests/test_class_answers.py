"""Tests of answers that are the same in several submissions: what makes them the same, and what is passed on."""

from __future__ import annotations

import builtins
import pkgutil
from abc import ABCMeta
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Generic

import pytest
from torch.autograd.function import FunctionMeta

from grader.classroom import grading
from grader.classroom.answers import _QUIET_BASES, Answer, JudgedAnswers, answers_in, asked_for
from grader.classroom.grading import ClassOptions, grade_class
from grader.course import ROOT, Course, Exercise
from grader.desk import DeskSettings, Task
from grader.judge import judge
from grader.result import Comparison, ExerciseResult, Result, score_exercise
from grader.submission import LessonSource, Module, Segment, Submission, read_submission
from grader.suites import RunSuites, keep_suites
from grader.tests.test_class_grading import no_show
from grader.worker.lesson import Names
from grader.workers import WorkerObserver, WorkerPool

SEED = 7
LESSON = "tensors/storage"
SHARES = f"{LESSON}/shares_storage"
TEXT = '''"""A lesson."""
import torch
from math import prod

RATE = 0.1


def pointer(t, rate=RATE):
    return t.untyped_storage().data_ptr()


def shares_storage(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two share; not `element_offset`."""
    return pointer(a) == pointer(b)


class Table:
    """Nobody uses it."""

    width = 3

    def __init__(self):
        self.rows = prod([1, 2])


def element_offset(t, index):
    return 0
'''


def submission(text: str, **fields: object) -> Submission:
    source = LessonSource(LESSON, "storage.py", (Segment(text),))
    return Submission("someone", {LESSON: replace(source, **fields)})  # type: ignore[arg-type]


def answer(course: Course, text: str, name: str = SHARES, run: str = "run", **fields: object) -> Answer:
    return answers_in(submission(text, **fields), course, course.exercises, run)[name]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A lesson."""', "# A comment\n\n"),
        ("    return 0\n", "    return t.stride(0) * index[0]\n"),
        ("def element_offset(t, index):\n    return 0\n", ""),
        (
            "from math import prod",
            "from math import prod, sqrt\nimport numpy as np\nfrom torch.nn import functional as F",
        ),
        ("self.rows = prod([1, 2])", "self.rows = print('now')"),
        ("\nclass Table", "\ndef strange(x=3):\n    return exec(x)\n\n\nclass Table"),
        ("    return 0\n", "    return shares_storage(t, t)\n"),
        ("class Table:", "class Table(torch.nn.Module):"),
        ("class Table:", "class Base:\n    pass\n\nclass Table(Base):"),
        ("class Table:", "class Table(torch.utils.data.Sampler[int]):"),
        ("\nclass Table", "\nunused, another = 3, 4\n\n\nclass Table"),
        ("    width = 3", "    @property\n    def wide(self):\n        return 3"),
        ("    width = 3", "    @staticmethod\n    @torch.no_grad()\n    def wide():\n        return 3"),
        ("class Table:", "from torch.utils.data import Dataset as Rows\nclass Table(Rows):"),
        ("\nclass Table", "\nunused = [1, 2] + [3]\n\n\nclass Table"),
        ("Nobody uses it.", "It stands beside `shares_storage`."),
        ("class Table:", "class Table(torch.optim.lr_scheduler.LRScheduler):"),
        ("\nclass Table", "\nclass Missing(IndexError):\n    pass\n\n\nclass Table"),
        ("import torch\n", "import torch\nimport inspect, sys\nimport uuid\n"),
        ("def element_offset", "@torch.no_grad()\ndef element_offset"),
        ("def element_offset", "from contextlib import contextmanager\n\n@contextmanager\ndef element_offset"),
    ],
)
def test_what_an_answer_does_not_mention_makes_no_difference(course: Course, old: str, new: str) -> None:
    assert old in TEXT
    assert answer(course, TEXT.replace(old, new)).key == answer(course, TEXT).key


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return pointer(a) == pointer(b)", "return True"),
        ("Whether two share", "Tells whether two share"),
        ("t.untyped_storage().data_ptr()", "t.data_ptr()"),
        ("RATE = 0.1", "RATE = 0.2"),
        ("import torch\n", "import torch\nfrom torch import *\n"),
        ("import torch\n", "import torch\nimport torch.testing._internal.common_utils\n"),
        ("import torch\n", "import torch\nfrom torch import _dynamo\n"),
        ("import torch\n", "import torch\ntorch.manual_seed(0)\n"),
        ("import torch\n", "import torch\ntorch.softmax = None\n"),
        ("import torch\n", "import torch\nfrom numpy import prod as torch\n"),
        ("import torch\n", "import torch\n__builtins__ = {}\n"),
        ("import torch\n", "import torch\nseeded = torch.manual_seed(0)\n"),
        ("import torch\n", "import torch\nif RATE: torch = None\n"),
        ("    width = 3", "    torch.softmax = None"),
        ("    width = 3", "    width = torch.manual_seed(0)"),
        ("    width = 3", "    def __init_subclass__(cls):\n        torch.softmax = None"),
        ("    width = 3", "    property = pointer\n    @property\n    def wide(self):\n        return 3"),
        ("    width = 3", "    import enum\n    object = enum.Enum\n    class Inner(object):\n        pass"),
        ("    width = 3", "    @torch.compile\n    def call(self):\n        pass"),
        ("    width = 3", "    @classmethod\n    @property\n    def call(cls):\n        pass"),
        ("    width = 3", "    @property\n    def call(cls):\n        pass\n\ndef property(f):\n    pass"),
        ("class Table:", "class Table(metaclass=Other):"),
        ("class Table:", "@print\nclass Table:"),
        ("class Table:", "from enum import Enum\nclass Table(Enum):"),
        ("class Table:", "from enum import Enum as Dataset\nclass Table(Dataset):"),
        ("class Table:", "import enum\nnn = enum\nclass Table(nn.Enum):"),
        ("class Table:", "import enum\nobject = enum.Enum\nclass Table(object):"),
        ("class Table:", "class Base:\n    def __init_subclass__(cls):\n        pass\n\nclass Table(Base):"),
        ("class Table:", "class Base:\n    pass\n\nfrom enum import Enum as Base\n\nclass Table(Base):"),
        ("class Table:", "class Table(Base):\n    pass\n\nclass Base:"),
        ("def element_offset(t, index):", "@print\ndef element_offset(t, index):"),
        ("def element_offset(t, index):", "def element_offset(t, index=print()):"),
        ("def element_offset(t, index):", "def element_offset(t, index: [print(x) for x in 'ab']):"),
        ("def element_offset(t, index):", "def pointer(t, rate=0):"),
        ("\nclass Table", "\npointer = element_offset\n\n\nclass Table"),
        ("== pointer(b)", "== element_offset(b, 0)"),
        ("== pointer(b)", "== globals()['pointer'](b)"),
        ("def element_offset", "@torch.compile\ndef element_offset"),
        ("def element_offset", "contextmanager = torch.compile\n\n@contextmanager\ndef element_offset"),
        ("class Table:", "IndexError = print\n\nclass Table(IndexError):"),
    ],
)
def test_what_has_a_say_in_an_answer_makes_a_difference(course: Course, old: str, new: str) -> None:
    assert old in TEXT
    assert answer(course, TEXT.replace(old, new)).key != answer(course, TEXT).key


@pytest.mark.parametrize(
    "looking",
    [
        "globals()['point' + 'er'](b)",
        "getattr(torch, 'sys').modules['x'].f(b)",
        "getattr(a, 'point' + 'er')",
        "map(getattr, [a], ['x'])",
        "a.f.__globals__['x'](b)",
        "eval('poin' 'ter')(b)",
        "run('exec(b)')",
        "'{0.__globals__}'.format(a)",
        "run('\\x67lobals()')",
        "ｇlobals()['x']",
    ],
)
def test_an_answer_that_can_look_around_is_the_same_only_in_the_same_file(course: Course, looking: str) -> None:
    text = TEXT.replace("pointer(b)", looking)
    assert answer(course, text).key == answer(course, text).key
    assert answer(course, text).key != answer(course, text.replace("return 0", "return 1")).key


@pytest.mark.parametrize(
    "harmless",
    ["a.eval()", "getattr(a, 'device', None)", "a  # eval or exec, vars", "Path(__file__)", "run('model.eval()')"],
)
def test_an_answer_that_only_seems_to_look_around_is_the_same_in_other_files(course: Course, harmless: str) -> None:
    text = TEXT.replace("pointer(b)", harmless).replace(
        "Whether two", "In eval mode or not, `globals` or vars, whether"
    )
    assert answer(course, text).key == answer(course, text.replace("return 0", "return 1")).key


def test_deriving_from_what_is_known_runs_nothing_of_the_class_that_derives() -> None:
    metaclasses = (type, FunctionMeta, ABCMeta)
    for name in _QUIET_BASES - {"typing.NamedTuple"}:  # Its metaclass reads annotations.
        base = vars(builtins).get(name) or pkgutil.resolve_name(name)
        own = {each for each in base.__mro__ if "__init_subclass__" in vars(each)}
        assert type(base) in metaclasses, name
        assert own <= {object, Generic}, name


def test_an_answer_that_does_more_than_define_is_one_too(course: Course) -> None:
    decorated = TEXT.replace("def shares_storage", "@print\ndef shares_storage")
    found = answer(course, decorated)
    assert found.key != answer(course, TEXT).key
    assert TEXT[: TEXT.index("def shares_storage")].count("\n") + 1 in found.lines


def test_an_answer_depends_on_the_run_the_exercise_and_modules_beside_it(course: Course) -> None:
    first = answer(course, TEXT)
    assert answer(course, TEXT, run="another").key != first.key
    assert answer(course, TEXT, name=f"{LESSON}/element_offset").key != first.key
    modules = [(Module("own", "own.py", text),) for text in ("A = 1\n", "A = 2\n")]
    keys = {answer(course, TEXT, modules=each).key for each in modules}
    assert len({first.key, *keys}) == 3
    optional = (Segment(TEXT, required=False),)
    assert answer(course, TEXT, segments=optional).key != first.key


def test_what_cannot_be_compared_has_no_answer(course: Course) -> None:
    for text in (
        "def shares_storage(a, b:\n",
        TEXT + "# " + "x" * 2**17,
    ):
        assert SHARES not in answers_in(submission(text), course, course.exercises, "run"), text[:30]
    assert not answers_in(submission(TEXT, problem="is no text"), course, course.exercises, "run")
    assert not answers_in(Submission("nobody", {}), course, course.exercises, "run")


def test_a_notebook_gives_the_same_answers_as_a_file(course: Course) -> None:
    cells = TEXT.split("\n\n\n")
    segments = tuple(Segment(cell, first_line=100 * number + 1) for number, cell in enumerate(cells))
    found = answer(course, TEXT, segments=segments)
    assert found.key == answer(course, TEXT).key
    assert found.lines == (2, 5, 101, 201)


# What is passed on


def scored(*tests: tuple[str, int | None]) -> ExerciseResult:
    outcomes = [("a test", status, 1.0, f"it {status}", line) for status, line in tests]
    return score_exercise(SHARES, "Sharing", 2.0, outcomes, 0.1, "printed")


def raised(message: str, line: int | None) -> ExerciseResult:
    outcomes = [("a test", "passed", 1.0, None, None), ("another", "error", 1.0, message, line)]
    comparisons = [None, Comparison("other", message, called="shares_storage(a, b)")]
    return score_exercise(SHARES, "Sharing", 2.0, outcomes, 0.1, "printed", comparisons=comparisons)


def made_up(exercise: ExerciseResult) -> Result:
    return Result("someone", "sandbox", SEED, "2", None, (exercise,))


HERE = Answer("key", (3, 10, 40), "storage.py")
THERE = Answer("key", (4, 30, 50), "storage.ipynb", ((1, 2), (28, 5), (45, 7)))


@pytest.mark.parametrize(
    ("exercise", "passed_on"),
    [
        (scored(("passed", None), ("passed", None)), True),
        (scored(("passed", None), ("failed", None)), True),
        (scored(("passed", None), ("not_assessed", None)), True),
        (scored(("not_attempted", 12)), True),
        (scored(("failed", 12)), False),
        (scored(("passed", None), ("timeout", None)), False),
        (scored(("crashed", None)), False),
        (raised("it raised KeyError: 'a' (storage.py, line 12)", 12), True),
        (raised("it raised KeyError: 'a' (storage.py, line 2)", 2), False),
        (raised("it raised KeyError: 'a' (views.py, line 12)", 12), False),
        (raised("it raised KeyError: 'a'", None), False),
        (raised("`pointer` is not in storage.py, but `painter` is", None), False),
        (raised("the code asked for more memory than it may have (storage.py, line 12)", 12), False),
    ],
)
def test_only_what_the_text_alone_brought_about_is_passed_on(exercise: ExerciseResult, passed_on: bool) -> None:
    judged = JudgedAnswers()
    judged.learn(made_up(exercise), {SHARES: HERE})
    assert set(judged.known({SHARES: THERE, "another": replace(THERE, key="other key")})) == (
        {SHARES} if passed_on else set()
    )


def test_lines_are_those_of_the_submission_that_it_is_passed_on_to() -> None:
    judged = JudgedAnswers()
    result = scored(("not_attempted", 12), ("passed", None))
    judged.learn(made_up(result), {SHARES: HERE})
    found = judged.known({SHARES: THERE})[SHARES]
    assert [test.line for test in found.tests] == [32, None]
    assert replace(found, tests=()) == replace(result, tests=())


def test_messages_name_the_lines_of_the_submission_that_they_are_passed_on_to() -> None:
    for line, there, place in ((12, 32, "cell 5, line 5"), (41, 51, "cell 7, line 7"), (3, 4, "cell 2, line 4")):
        judged = JudgedAnswers()
        judged.learn(made_up(raised(f"it raised KeyError (storage.py, line {line})", line)), {SHARES: HERE})
        test = judged.known({SHARES: THERE})[SHARES].tests[1]
        assert test.line == there
        assert test.message == f"it raised KeyError (storage.ipynb, {place})"
        assert test.comparison == Comparison("other", test.message, called="shares_storage(a, b)")
        back = judged.known({SHARES: HERE})[SHARES].tests[1]
        assert (back.line, back.message) == (line, f"it raised KeyError (storage.py, line {line})")


def right_and_wrong(folder: Path) -> Path:
    """Right answers beside others, a file that does not run, stubs, and answers that raise at other lines."""
    solution = (ROOT / "solutions" / f"{LESSON}.py").read_text(encoding="utf-8")
    stub = (ROOT / "exercises" / f"{LESSON}.py").read_text(encoding="utf-8")
    texts = {
        "1-ann": solution,
        "2-bob": solution.replace("import torch\n", "import torch\n\nUNUSED = 3\n", 1),
        "3-cat": solution.replace("import torch\n", "import torch\nfrom torch import no_such_thing\n", 1),
        "4-dan": stub,
        "5-eve": stub.replace("import torch\n", "import torch\n\n\n# Not yet.\n", 1),
    }
    raising = solution.replace("    ### BEGIN SOLUTION\n", "    raise KeyError(0)\n")
    texts["6-fay"] = raising
    texts["7-guy"] = raising.replace("import torch\n", "import torch\n\nUNUSED = 3\n", 1)
    for name, text in texts.items():
        (folder / name / "tensors").mkdir(parents=True)
        (folder / name / f"{LESSON}.py").write_text(text, encoding="utf-8")
    assert len(set(texts.values())) == len(texts)
    return folder


def test_in_a_class_the_same_answers_are_judged_once_and_each_result_is_that_of_judging_alone(
    tmp_path: Path, course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = right_and_wrong(tmp_path / "class")
    exercises = course.select([LESSON])
    every = {exercise.id for exercise in exercises}
    options = ClassOptions(tmp_path / "grades", seed=SEED, gpu="off", diagnosis=False)
    asked: dict[str, set[str]] = {}

    def look(run_suites: RunSuites) -> None:
        def alone(submission: Submission, known: Mapping[str, ExerciseResult]) -> Result:
            return judge(submission, exercises, pool, seed=SEED, gpu="off", run_suites=run_suites, known=known)

        def judging(
            tasks: Iterable[Task], settings: DeskSettings, jobs: int
        ) -> Generator[tuple[int, Result], None, None]:
            for place, task in enumerate(tasks):
                asked[task.submission.name] = every - set(task.known)
                yield place, alone(task.submission, task.known)

        monkeypatch.setattr(grading, "judge_all", judging)
        grades = grade_class(folder, course, exercises, options, no_show)
        judged = {"1-ann": every, "4-dan": every, "6-fay": every}
        assert asked == {student: judged.get(student, set()) for student in asked}
        assert len(asked) == 7
        for student in grades.students:
            assert student.result
            expected = alone(read_submission(folder / student.submission, course), {})
            for mine, other in zip(student.result.exercises, expected.exercises, strict=True):
                assert [(t.status, t.points, t.message, t.line) for t in mine.tests] == [
                    (t.status, t.points, t.message, t.line) for t in other.tests
                ], student.student
        assert [student.percent for student in grades.students] == [100, 100, 0, 0, 0, 0, 0]

        # A second run knows what the first one judged, also where the submission has changed.
        asked.clear()
        path = folder / "1-ann" / f"{LESSON}.py"
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("def shares_storage(", "def shares_storage( "), encoding="utf-8")
        grade_class(folder, course, exercises, options, no_show)
        assert asked == {"1-ann": {SHARES}}
        asked.clear()
        grade_class(folder, course, exercises, replace(options, again=True), no_show)
        assert asked == dict.fromkeys(("1-ann", "2-bob", "3-cat", "4-dan", "5-eve", "6-fay", "7-guy"), every)

    keep_suites([LESSON], look)


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos._exit(0)\n",
        "while True: pass\n",
        "raise SystemExit\n",
        "import sys\nsys.modules['grader.worker.codec'].encode = None\n",
    ],
)
def test_a_lesson_that_stops_the_process_is_the_only_one_that_does_not_run(pool: WorkerPool, text: str) -> None:
    fine = LessonSource("tensors/views", "views.py", (Segment("def f():\n    return 1\n"),))
    stopping = LessonSource(LESSON, "storage.py", (Segment(text),))
    observer = WorkerObserver(pool, {}, seconds=1.0)
    assert observer.which_run([fine]) == {fine.lesson_id}
    assert observer.which_run([stopping, fine]) == {fine.lesson_id}


def test_suites_ask_a_lesson_for_nothing_but_the_exercise_and_what_the_lesson_gives(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, set[str]] = defaultdict(set)
    current: list[Exercise] = []
    get = Names.__getattr__

    def noting(self: Names, name: str) -> object:
        asked[current[-1].id].add(name)
        return get(self, name)

    monkeypatch.setattr(Names, "__getattr__", noting)
    solutions = read_submission(ROOT / "solutions", course)
    judge(solutions, course.exercises, None, seed=SEED, gpu="off", on_exercise=current.append)
    for exercise in course.exercises:
        allowed = asked_for(course.lesson(exercise.lesson_id)).union(exercise.defines)
        assert asked[exercise.id], exercise.id
        assert asked[exercise.id] <= allowed, f"{exercise.id}: an answer would depend on more than its text"
