"""Tests of `check`: which text it takes from a notebook or a file, what it shows, and that it harms nobody."""

from __future__ import annotations

import builtins
import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import grader.notebook as notebook
from grader.course import ROOT, Course, load_course
from grader.errors import GraderFailed, UnknownExercise
from grader.judge import judge
from grader.notebook.feedback import Feedback, Trouble
from grader.notebook.source import NotFound, exercise_of, find_source
from grader.result import Result
from grader.submission import LessonSource, Segment, Submission
from grader.workers import WorkerPool

IMPORTS = "import torch\nfrom torch import Tensor\nfrom jaxtyping import Shaped"
RIGHT = "def hwc_to_chw(x):\n    return x.movedim(-1, -3)"
WRONG = "def hwc_to_chw(x):\n    return x.transpose(-1, -3)"


class Shell(SimpleNamespace):
    """As much of IPython's shell as `check` looks at, after cells ran."""

    def __init__(self, *cells: str, kernel: Any = None, run: bool = True) -> None:
        super().__init__(user_ns={"__name__": "__main__"}, kernel=kernel)
        self.history_manager = SimpleNamespace(input_hist_raw=["", *cells])
        for cell in cells if run else ():
            try:
                exec(compile(cell, "/tmp/ipykernel_1/1.py", "exec"), self.user_ns)
            except Exception:
                pass

    def __getitem__(self, name: str) -> Any:
        return self.user_ns[name]


@pytest.fixture(scope="module")
def anywhere() -> Course:
    return load_course()


def texts(shell: Shell, name: str, course: Course, asked: Any = None) -> list[str]:
    exercise = exercise_of(name, course)
    found = find_source(name if asked is None else asked, exercise, course, shell)
    return [segment.source for segment in found.source.segments]


def graded(shell: Shell, name: str, course: Course, pool: WorkerPool) -> Result:
    exercise = exercise_of(name, course)
    found = find_source(shell.user_ns.get(name, name), exercise, course, shell)
    return judge(Submission("notebook", {exercise.lesson_id: found.source}), [exercise], pool, seed=1)


# What is asked for


def test_an_exercise_is_known_by_its_function_its_class_or_its_name(anywhere: Course) -> None:
    def transpose_view() -> None: ...

    class Standardizer: ...

    for asked, expected in {
        transpose_view: "tensors/views/transpose_view",
        Standardizer: "data_loading/tables/Standardizer",
        "views/transpose_view": "tensors/views/transpose_view",
        "relu": "tensors/broadcasting/relu",
    }.items():
        assert exercise_of(asked, anywhere).id == expected


@pytest.mark.parametrize("asked", [None, 3, [1], object()])
def test_what_is_no_function_is_refused_in_words(asked: Any, anywhere: Course) -> None:
    with pytest.raises(NotFound, match="takes a function, a class or a name"):
        exercise_of(asked, anywhere)


def test_a_misspelt_or_renamed_function_is_met_with_the_name_that_was_meant(anywhere: Course) -> None:
    with pytest.raises(UnknownExercise, match="did you mean 'transpose_view'"):
        exercise_of("transpose_veiw", anywhere)


# Which text is taken


def test_the_function_and_what_it_needs_are_taken_in_the_order_in_which_they_ran(anywhere: Course) -> None:
    shell = Shell(
        IMPORTS,
        "unused = torch.zeros(10**6)\nplace = -3",
        "def moved(x, to):\n    return x.movedim(-1, to)",
        "def hwc_to_chw(x: Shaped[Tensor, '...']):\n    return moved(x, place)",
        "print(unused)",
    )
    assert texts(shell, "hwc_to_chw", anywhere) == [
        "import torch",
        "from torch import Tensor",
        "from jaxtyping import Shaped",
        "place = -3",
        "def moved(x, to):\n    return x.movedim(-1, to)",
        "def hwc_to_chw(x: Shaped[Tensor, '...']):\n    return moved(x, place)",
    ]


def test_of_a_cell_that_ran_often_the_last_text_counts(anywhere: Course) -> None:
    shell = Shell(WRONG, "def hwc_to_chw(x:\n", WRONG, RIGHT)
    assert texts(shell, "hwc_to_chw", anywhere) == [RIGHT]


@pytest.mark.parametrize(
    ("cell", "taken"),
    [
        ("a = 1; b = 2; c = a + b", ["a = 1", "b = 2", "c = a + b"]),
        ("a = {}\na['k'] = 1\na.k = 2", ["a = {}", "a['k'] = 1", "a.k = 2"]),
        ("a = 1\na += 1\na = a * 2", ["a = 1", "a += 1", "a = a * 2"]),
        ("a = 1\na = 2", ["a = 2"]),
        ("(a, [b, *c]) = 1, [2, 3]", ["(a, [b, *c]) = 1, [2, 3]"]),
        ("a: int = 1\nb: int\nc = 0", ["a: int = 1", "b: int", "c = 0"]),
        ("%matplotlib inline\n!ls\na = 1", ["a = 1"]),
        ("for a in range(3):\n    pass", []),
        (
            "@staticmethod\ndef a():\n    'text: ä'\n    return 1",
            ["@staticmethod\ndef a():\n    'text: ä'\n    return 1"],
        ),
        ("from math import *", ["from math import *"]),
        ("x = 1\nimport math as a", ["import math as a"]),
    ],
)
def test_statements_that_a_function_needs(cell: str, taken: list[str], anywhere: Course) -> None:
    answer = "def hwc_to_chw(x):\n    return a, b, c"
    assert texts(Shell(cell, answer), "hwc_to_chw", anywhere, "hwc_to_chw") == [*taken, answer]


def test_names_made_in_other_ways_are_noted(anywhere: Course) -> None:
    shell = Shell("for to in [-3]:\n    pass", "def hwc_to_chw(x):\n    n = 1\n    return x.movedim(-n, to)")
    found = find_source(shell["hwc_to_chw"], exercise_of("hwc_to_chw", anywhere), anywhere, shell)
    assert found.unseen == ("to",)


def test_a_name_that_no_cell_defines_is_said(anywhere: Course) -> None:
    with pytest.raises(NotFound, match="no cell that ran here defines hwc_to_chw"):
        texts(Shell(IMPORTS), "hwc_to_chw", anywhere)


def test_a_line_is_said_as_the_learner_finds_it(course: Course, pool: WorkerPool) -> None:
    shell = Shell("import torch\n\n", "# a comment\n\ndef hwc_to_chw(x):\n    y = x\n    return y.nothing")
    [exercise] = graded(shell, "hwc_to_chw", course, pool).exercises
    assert exercise.status == "error"
    assert "cell 2, line 5" in exercise.decisive.message


@pytest.mark.parametrize(("answer", "status"), [(RIGHT, "passed"), (WRONG, "failed")])
def test_the_text_is_judged_like_any_other(answer: str, status: str, course: Course, pool: WorkerPool) -> None:
    shell = Shell(IMPORTS, "heavy = [torch.zeros(9) for _ in range(9)]", answer)
    assert graded(shell, "hwc_to_chw", course, pool).exercises[0].status == status


def test_a_class_and_its_helper_are_judged(course: Course, pool: WorkerPool) -> None:
    from grader.percent import read_cells

    cells = [c for c in read_cells(course.lesson("data_loading/tables").text) if not c.markdown]
    shell = Shell(*(c.source.replace("### BEGIN SOLUTION", "").replace("### END SOLUTION", "") for c in cells))
    assert graded(shell, "Standardizer", course, pool).exercises[0].status == "passed"


def imported(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, path.stem, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shell", [None, Shell("from answers import hwc_to_chw", run=False)])
def test_a_function_of_a_file_is_taken_from_the_file_as_saved(
    shell: Any, tmp_path: Path, anywhere: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "answers.py"
    module = imported(path, WRONG, monkeypatch)
    path.write_text(RIGHT)
    found = find_source(module.hwc_to_chw, exercise_of("hwc_to_chw", anywhere), anywhere, shell)
    assert [segment.source for segment in found.source.segments] == [RIGHT]
    assert found.where == str(path)


def test_a_library_s_function_of_the_same_name_is_no_answer(anywhere: Course) -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(NotFound, match="no cell that ran here defines relu"):
        find_source(torch.nn.functional.relu, exercise_of("relu", anywhere), anywhere, Shell(IMPORTS))


def test_at_a_prompt_that_keeps_no_text_the_way_out_is_said(anywhere: Course) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(RIGHT, namespace)
    with pytest.raises(NotFound, match=r"write it into exercises/tensors/views\.py"):
        find_source(namespace["hwc_to_chw"], exercise_of("hwc_to_chw", anywhere), anywhere)


# What is shown


class Screen:
    """Collects what `check` shows in a made-up notebook."""

    def __init__(self) -> None:
        self.shown: list[Any] = []

    def show(self, what: Any) -> None:
        self.shown.append(what)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()
    monkeypatch.setattr(notebook._Place, "show", lambda self, what: screen.show(what))
    return screen


def use(shell: Shell, judged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "_shell", lambda: shell)
    monkeypatch.setattr(notebook._graders, "judge", judged)
    monkeypatch.setattr(notebook._graders, "is_ready", lambda exercise: True)


def test_check_shows_feedback(
    course: Course, pool: WorkerPool, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell(IMPORTS, WRONG, kernel=object())
    use(shell, lambda submission, exercise, course: judge(submission, [exercise], pool, seed=1), monkeypatch)
    notebook.check(shell["hwc_to_chw"])
    [feedback] = screen.shown
    assert isinstance(feedback, Feedback)
    text = repr(feedback)
    assert text.startswith("tensors/views/hwc_to_chw failed: 0")
    assert "tests pass. Not: " in text
    assert "python -m grader hint hwc_to_chw" in text
    assert max(map(len, text.splitlines())) <= 90
    html = feedback._repr_html_()
    assert html.count("<style>") == 1
    assert "<script" not in html
    assert 'class="grader-check failed"' in html


def test_a_stub_ends_the_run_with_a_sentence_and_no_traceback(
    course: Course, pool: WorkerPool, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = Shell("def hwc_to_chw(x):\n    raise NotImplementedError('hwc_to_chw is not written yet')", kernel=object())
    use(shell, lambda submission, exercise, course: judge(submission, [exercise], pool, seed=1), monkeypatch)
    with pytest.raises(notebook.StopHere, match="hwc_to_chw is not written yet") as stopped:
        notebook.check("hwc_to_chw")
    assert len(stopped.value._render_traceback_()) == 1
    assert "Put your answer in place of the line" in repr(screen.shown[0])
    shell.kernel = None
    notebook.check("hwc_to_chw")  # At a prompt there is no run to end.
    assert len(screen.shown) == 2


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt(), "Stopped. Run the cell again"),
        (GraderFailed("a process has ended"), "A process has ended."),
        (RuntimeError("boo"), "The check itself failed (RuntimeError: boo)."),
        (RecursionError("deep"), "The check itself failed"),
    ],
)
def test_whatever_goes_wrong_is_a_sentence(
    error: BaseException, said: str, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def judged(*_: Any) -> Any:
        raise error

    use(Shell(RIGHT, kernel=object()), judged, monkeypatch)
    notebook.check("hwc_to_chw")
    [trouble] = screen.shown
    assert isinstance(trouble, Trouble)
    assert said in repr(trouble)
    assert "<div" in trouble._repr_html_()


def test_inside_the_grader_a_check_does_nothing(screen: Screen) -> None:
    exec("check(1)", {"__lesson__": True, "check": notebook.check})
    assert screen.shown == []


def test_a_file_that_checks_itself_is_graded_like_any_other(course: Course, pool: WorkerPool) -> None:
    text = f"{RIGHT}\n\nfrom grader import check\n\ncheck(hwc_to_chw)\n"
    lesson = LessonSource("tensors/views", "views.py", (Segment(text),))
    result = judge(Submission("x", {lesson.lesson_id: lesson}), course.select(["hwc_to_chw"]), pool, seed=1)
    assert result.exercises[0].status == "passed"


def test_text_of_a_strangers_is_harmless_in_feedback(anywhere: Course) -> None:
    from grader.tests.test_html import HOSTILE, hostile

    exercise = exercise_of("hwc_to_chw", anywhere)
    for text in HOSTILE.values():
        result = hostile(text)
        mine = dataclasses.replace(result.exercises[0], id=exercise.id)
        found = SimpleNamespace(unseen=(), where=text)
        feedback = Feedback(dataclasses.replace(result, exercises=(mine,)), anywhere, found)
        html = feedback._repr_html_().split("</style>")[1]
        assert not set("<script <img <h1 <b ".split()) & {f"<{word.split()[0]}" for word in html.split("<")[1:] if word}
        assert all(character.isprintable() or character == "\n" for character in repr(feedback))


# What it costs


def test_importing_check_brings_in_neither_torch_nor_pytest() -> None:
    heavy = {"torch", "pytest", "jinja2", "IPython"}
    code = f"import sys; from grader import check; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_grader_has_no_other_names_made_up(anywhere: Course) -> None:
    import grader

    assert grader.check is notebook.check
    with pytest.raises(AttributeError):
        grader.nothing  # noqa: B018
    assert not hasattr(builtins, "check")
