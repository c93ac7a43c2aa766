"""Tests of how the course is read: lessons, suites, the bank of known answers, the catalogue, and choosing by name."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from grader.course import (
    Course,
    KnownAnswer,
    catalogue,
    defined_names,
    in_words,
    load_course,
    marked_exercise,
    read_bank,
    read_catalogue,
    read_lesson,
    read_solutions,
    suite_path,
    suite_tests,
    with_answer,
)
from grader.errors import CourseError, GraderError, UnknownExercise

VIEWS = '''# %% [markdown] lesson=2
# # Views of things

# %%
import torch

# %% [markdown]
# ## Turning
# Text.

# %% turn points=2 level="core" minutes=10 needs=["add"]
def turn(x):
    """Turn x."""
    ### BEGIN SOLUTION
    # Hint: Look at it.
    # Hint: Turn it.
    return x.T
    ### END SOLUTION


class Turner:
    def turn(self): ...


def _private(): ...

# %% [markdown]
# ## Adding

# %% add points=1.5 level="warm-up" minutes=5 needs=[]
def add(x, y):
    return x + y
'''
GRAPHS = """# %% [markdown] lesson=1
# # Graphs

# %% [markdown]
# ## Adding in graphs

# %% add points=1 level="hard" minutes=5 needs=[]
def add(x):
    return x
"""
SUITE = """
from grader.testing import exercise

@exercise("turn")
class TestTurn:
    LIMIT = 3
    def test_turns_it_over(self, observe): ...
    def test_twice(self, observe): ...
    def not_a_test(self): ...

@exercise("add")
class TestAdd:
    def test_adds(self, observe): ...

@exercise("turn")
class TestMore:
    def test_more(self, observe): ...

class Helper:
    def test_nothing(self): ...
"""
BANK = '''"""Known answers."""

# %% turn wrong="does nothing"
# It comes back as it was.
# Turn it.
def turn(x):
    return x


# %% turn right="permutes"
# This comment is no message.
def turn(x):
    return x.permute(1, 0)
'''


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write(
        tmp_path,
        {
            "solutions/tensors/views.py": VIEWS,
            "solutions/autograd/graphs.py": GRAPHS,
            "tests/tensors/test_views.py": SUITE,
            "tests/tensors/answers_views.py": BANK,
        },
    )


@pytest.fixture
def course(root: Path) -> Course:
    return read_solutions(root)


# Lessons


def test_exercises_are_read_as_declared(course: Course) -> None:
    assert [e.id for e in course.exercises] == ["tensors/views/turn", "tensors/views/add", "autograd/graphs/add"]
    turn, add, _ = course.exercises
    assert (turn.title, turn.points, turn.level, turn.minutes, turn.needs) == ("Turning", 2.0, "core", 10, ("add",))
    assert turn.hints == ("Look at it.", "Turn it.")
    assert turn.defines == ("turn", "Turner")
    assert turn.tests == ("turns it over", "twice", "more")
    assert (add.title, add.points, add.tests, add.hints) == ("Adding", 1.5, ("adds",), ())
    assert course.lesson("tensors/views").title == "Views of things"
    assert course.exercise("tensors/views/turn") is turn


def test_lessons_stand_in_the_order_of_topics_and_then_of_their_numbers(root: Path) -> None:
    write(root, {"solutions/tensors/aaa.py": GRAPHS.replace("lesson=1", "lesson=7")})
    write(root, {"solutions/tensors/zzz.py": GRAPHS.replace("lesson=1", "lesson=1")})
    ids = [lesson.id for lesson in read_solutions(root).lessons]
    assert ids == ["tensors/zzz", "tensors/views", "tensors/aaa", "autograd/graphs"]


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("# %% [markdown] lesson=2", "# %% [markdown]", None, "lesson=N"),
        ("# # Views of things", "# Views of things", None, "# Title"),
        ('lesson=2', 'lesson="two"', None, "lesson=N"),
        ('points=2 level="core"', 'points=2', 12, "lacks level"),
        (' minutes=10 needs=["add"]', "", 12, "lacks minutes, needs"),
        ("# %% turn points", "# %% points", 12, "lacks a name"),
        ("# ## Turning", "# Turning", 12, "`## Title`"),
        ('level="core"', 'level="easy"', 12, "level 'easy' is none of warm-up, core"),
        ("# %% turn points", "# %% turn-it points", 12, "'turn-it' is no Python name"),
        ("# %% turn points=2", "# %% turn points=two", 11, "points=two"),
        ("def turn(x):", "def turn(x)", 12, "line 1 of the cell"),
    ],
)  # fmt: skip
def test_an_error_in_a_lesson_names_file_and_line(root: Path, old: str, new: str, line: int | None, said: str) -> None:
    assert old in VIEWS
    write(root, {"solutions/tensors/views.py": VIEWS.replace(old, new, 1)})
    with pytest.raises(CourseError) as error:
        read_solutions(root)
    text = str(error.value)
    assert text.startswith("solutions/tensors/views.py:")
    assert line is None or f"line {line}" in text or f"views.py:{line}:" in text
    assert said in text
    assert "\n" not in text


def test_a_folder_that_is_no_topic_is_an_error(root: Path) -> None:
    write(root, {"solutions/tensor/views.py": VIEWS})
    with pytest.raises(CourseError, match="no topic 'tensor'; topics are pretrained, tensors"):
        read_solutions(root)


def test_defined_names_are_the_public_ones_at_the_top() -> None:
    source = "import torch\nX = 1\ndef f():\n    def g(): ...\nclass A: ...\ndef _h(): ...\nif X:\n    def i(): ...\n"
    assert defined_names(source, "here") == ("f", "A")


# Choosing


def ids(course: Course, *patterns: str, topics: tuple[str, ...] = ()) -> list[str]:
    return [exercise.id.replace("tensors/views", "v").replace("autograd/graphs", "g") for exercise in
            course.select(patterns, topics)]  # fmt: skip


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ((), ["v/turn", "v/add", "g/add"]),
        (("tensors/views/add",), ["v/add"]),
        (("views/add",), ["v/add"]),
        (("turn",), ["v/turn"]),
        (("/turn/",), ["v/turn"]),
        (("tensors",), ["v/turn", "v/add"]),
        (("views",), ["v/turn", "v/add"]),
        (("tensors/views",), ["v/turn", "v/add"]),
        (("*add",), ["v/add", "g/add"]),
        (("a*",), ["g/add"]),
        (("graphs/*",), ["g/add"]),
        (("*/views/t?rn",), ["v/turn"]),
        (("t[uo]rn",), ["v/turn"]),
        (("graphs/add", "turn", "turn"), ["v/turn", "g/add"]),
    ],
)
def test_exercises_are_chosen_by_id_tail_and_glob(
    course: Course, patterns: tuple[str, ...], expected: list[str]
) -> None:
    assert ids(course, *patterns) == expected


def test_topics_narrow_the_choice(course: Course) -> None:
    assert ids(course, topics=("autograd",)) == ["g/add"]
    assert ids(course, "add", topics=("autograd",)) == ["g/add"]
    assert ids(course, "*", topics=("tensors", "autograd")) == ["v/turn", "v/add", "g/add"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("add", "'add' could be any of tensors/views/add, autograd/graphs/add"),
        ("trun", "no exercise 'trun'; did you mean 'turn'?"),
        ("view/turn", "did you mean 'views/turn'?"),
        ("tensors/views/tur", "did you mean 'tensors/views/turn'?"),
        ("urn", "no exercise 'urn'"),
        ("xyzzy", "no exercise 'xyzzy'"),
        ("", "no exercise ''"),
        ("*/none", "no exercise '*/none'"),
    ],
)
def test_what_fits_nothing_or_too_much_is_said_with_a_suggestion(course: Course, pattern: str, said: str) -> None:
    with pytest.raises(UnknownExercise) as error:
        course.select([pattern])
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_topic_is_said_with_those_there_are(course: Course) -> None:
    with pytest.raises(UnknownExercise, match="no topic 'tensor'; there are: autograd, tensors"):
        course.select(topics=["tensor"])


# The catalogue


def test_the_catalogue_brings_the_same_exercises_back(course: Course, tmp_path: Path) -> None:
    path = tmp_path / "catalogue.json"
    path.write_text(json.dumps(catalogue(course)), encoding="utf-8")
    back = read_catalogue(path)
    assert back.exercises == course.exercises
    assert [(x.id, x.title, x.order) for x in back.lessons] == [(x.id, x.title, x.order) for x in course.lessons]
    assert all(not lesson.text for lesson in back.lessons)


def test_the_real_catalogue_holds_no_solution(tmp_path: Path) -> None:
    course = load_course()
    text = json.dumps(catalogue(course))
    assert "SOLUTION" not in text
    path = tmp_path / "catalogue.json"
    path.write_text(text, encoding="utf-8")
    assert read_catalogue(path).exercises == course.exercises


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"lessons": [{}]}', '{"lessons": 3}', "null", "\udcff"])
def test_a_catalogue_that_cannot_be_read_is_said_in_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "catalogue.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CourseError, match="restore it"):
        read_catalogue(path)


def test_a_catalogue_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match="is missing"):
        load_course(tmp_path)


# Suites and the bank


def test_the_tests_of_a_suite_are_read_without_running_it(root: Path) -> None:
    write(root, {"tests/tensors/test_views.py": SUITE + "\nraise SystemExit"})
    tests = suite_tests(root / "tests" / "tensors" / "test_views.py")
    assert tests == {"turn": ("turns it over", "twice", "more"), "add": ("adds",)}
    assert suite_tests(root / "tests" / "none.py") == {}


def test_each_suite_of_the_course_is_read_as_python_reads_it() -> None:
    for lesson in load_course().lessons:
        tests: dict[str, tuple[str, ...]] = {}
        for node in ast.parse(suite_path(lesson.id).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and (name := marked_exercise(node)):
                names = [item.name for item in node.body if isinstance(item, ast.FunctionDef)]
                tests[name] = tests.get(name, ()) + tuple(in_words(name) for name in names if name.startswith("test_"))
        assert {exercise.name: exercise.tests for exercise in lesson.exercises} == tests


def test_names_of_tests_in_words() -> None:
    assert in_words("test_keeps_the_offset") == "keeps the offset"
    assert in_words("test_keeps_the_offset[a_b-2]") == "keeps the offset [a_b-2]"


def test_the_bank_is_read(root: Path, course: Course) -> None:
    wrong, right = read_bank(course.lesson("tensors/views"), root)
    assert (wrong.exercise, wrong.label) == ("tensors/views/turn", "does nothing")
    assert wrong.message == "It comes back as it was. Turn it."
    assert (right.label, right.message) == ("permutes", None)
    assert BANK.splitlines()[right.line - 1] == "# This comment is no message."
    assert right.source.endswith("return x.permute(1, 0)")
    assert read_bank(course.lesson("autograd/graphs"), root) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('turn wrong="does nothing"', 'turm wrong="does nothing"', 4),
        ('turn wrong="does nothing"', "turn", 4),
        ('turn wrong="does nothing"', "turn wrong=nothing", 3),
        ("# It comes back as it was.\n# Turn it.\n", "", 4),
    ],
)
def test_an_error_in_the_bank_names_file_and_line(root: Path, course: Course, old: str, new: str, line: int) -> None:
    write(root, {"tests/tensors/answers_views.py": BANK.replace(old, new, 1)})
    with pytest.raises(CourseError) as error:
        read_bank(course.lesson("tensors/views"), root)
    text = str(error.value)
    assert text.startswith("tests/tensors/answers_views.py:")
    assert f":{line}:" in text or f"line {line}" in text


def test_an_answer_replaces_one_cell_and_nothing_else(root: Path, course: Course) -> None:
    lesson = course.lesson("tensors/views")
    answer = KnownAnswer("tensors/views/turn", "x", None, "def turn(x):\n    return 'other'", 1)
    text = with_answer(lesson, answer)
    before, after = VIEWS.split("def turn(x):")[0], VIEWS.split("def _private(): ...\n")[1]
    assert text == f"{before}def turn(x):\n    return 'other'\n{after}"


def test_every_known_answer_of_the_course_fits_its_lesson() -> None:
    for lesson in load_course().lessons:
        for answer in read_bank(lesson):
            text = with_answer(lesson, answer)
            compile(text, lesson.id, "exec")
            assert answer.source.strip() in text


def test_errors_of_the_course_are_errors_of_the_grader() -> None:
    assert issubclass(CourseError, GraderError)
    assert issubclass(UnknownExercise, GraderError)


def test_a_lesson_can_be_read_without_its_suite(root: Path) -> None:
    lesson = read_lesson(root / "solutions" / "tensors" / "views.py")
    assert [exercise.tests for exercise in lesson.exercises] == [(), ()]
    assert lesson.text == VIEWS
