"""Tests of how a submission is read: folders, files, notebooks, and what cannot be read."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path
from typing import Any

import pytest

from grader.course import Course, read_solutions
from grader.errors import UnreadableSubmission
from grader.submission import LessonSource, Segment, read_submission, statements_of, without_magics

CELL = '# %% {name} points=1 level="core" minutes=5 needs=[]\ndef {name}(x):\n    return x\n\n'


def lesson_text(title: str, number: int, *names: str) -> str:
    cells = "".join(CELL.format(name=name) for name in names)
    return f"# %% [markdown] lesson={number}\n# # {title}\n\n# %% [markdown]\n# ## Part\n\n{cells}"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    root = tmp_path / "course"
    for name, text in {
        "tensors/views": lesson_text("Views", 1, "turn", "flip"),
        "tensors/storage": lesson_text("Storage", 2, "element"),
        "autograd/graphs": lesson_text("Graphs", 1, "grad"),
    }.items():
        path = root / "solutions" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_solutions(root)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def notebook(*cells: str | list[str], kind: str = "code") -> str:
    return json.dumps({"cells": [{"cell_type": kind, "source": source} for source in cells], "nbformat": 4})


def only_lesson(path: Path, course: Course) -> LessonSource:
    (lesson,) = read_submission(path, course).lessons.values()
    return lesson


TURN = "def turn(x):\n    return x.T\n"


# Where lessons are found


@pytest.mark.parametrize("prefix", ["", "exercises/"])
def test_a_folder_is_read_lesson_by_lesson(tmp_path: Path, course: Course, prefix: str) -> None:
    write(tmp_path / "in" / f"{prefix}tensors/views.py", TURN)
    write(tmp_path / "in" / f"{prefix}autograd/graphs.ipynb", notebook("def grad(x): ..."))
    write(tmp_path / "in" / f"{prefix}tensors/notes.py", "no lesson")
    submission = read_submission(tmp_path / "in", course)
    assert submission.name == str(tmp_path / "in")
    assert list(submission.lessons) == ["tensors/views", "autograd/graphs"]
    views = submission.lessons["tensors/views"]
    assert (views.filename, views.segments, views.problem) == ("tensors/views.py", (Segment(TURN),), None)
    assert submission.lessons["autograd/graphs"].filename == "autograd/graphs.ipynb"
    assert submission.remarks == ()


def test_one_topics_folder_is_read(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "in" / "tensors" / "views.py", TURN)
    assert list(read_submission(tmp_path / "in" / "tensors", course).lessons) == ["tensors/views"]


@pytest.mark.parametrize("name", ["views.py", "views.ipynb"])
def test_a_single_file_is_known_by_its_name(tmp_path: Path, course: Course, name: str) -> None:
    text = "print()" if name.endswith("py") else notebook("print()")
    lesson = only_lesson(write(tmp_path / name, text), course)
    assert (lesson.lesson_id, lesson.filename) == ("tensors/views", name)


@pytest.mark.parametrize("name", ["homework (1).py", "homework.ipynb"])
def test_a_single_file_is_known_by_what_it_defines(tmp_path: Path, course: Course, name: str) -> None:
    text = "x = 1\ndef element(x): ...\n"
    path = write(tmp_path / name, text if name.endswith("py") else notebook("x = 1", text))
    assert only_lesson(path, course).lesson_id == "tensors/storage"


def test_the_folder_decides_between_lessons_of_one_name(tmp_path: Path, course: Course) -> None:
    path = write(tmp_path / "course" / "solutions" / "autograd" / "views.py", lesson_text("Views", 9, "grad_view"))
    course = read_solutions(path.parents[2])
    for topic in ("tensors", "autograd"):
        assert only_lesson(write(tmp_path / "in" / topic / "views.py", "print()"), course).lesson_id == f"{topic}/views"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing-here", "does not exist"),
        ("empty", "holds no lesson of this course"),
        ("file.txt", "neither a folder nor a .py file nor a .ipynb notebook"),
        ("other.py", "is no lesson of this course"),
        ("broken.py", "is no lesson of this course"),
        ("other.ipynb", "is no lesson of this course"),
        ("binary.ipynb", "is no lesson of this course"),
    ],
)
def test_what_holds_no_lesson_is_said_in_one_line(tmp_path: Path, course: Course, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    write(tmp_path / "file.txt", TURN)
    write(tmp_path / "other.py", "def other(): ...")
    write(tmp_path / "broken.py", "def turn(:")
    write(tmp_path / "other.ipynb", notebook("def other(): ..."))
    write(tmp_path / "binary.ipynb", b"\x80\xff")
    with pytest.raises(UnreadableSubmission) as error:
        read_submission(tmp_path / name, course)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


# Text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"x = 1\r\ny = 2\r\n", "x = 1\ny = 2\n"),
        (b"x = 1\ry = 2", "x = 1\ny = 2"),
        (b"\xef\xbb\xbfx = 1\n", "x = 1\n"),
        (b"# -*- coding: latin-1 -*-\nx = '\xe9'\n", "# -*- coding: latin-1 -*-\nx = 'é'\n"),
        ("x = 'é'\n".encode(), "x = 'é'\n"),
        (b"", ""),
        (b"def turn(:\n", "def turn(:\n"),
    ],
)
def test_text_is_read_whatever_its_encoding_and_line_ends(
    tmp_path: Path, course: Course, content: bytes, text: str
) -> None:
    lesson = only_lesson(write(tmp_path / "views.py", content), course)
    assert lesson.problem is None
    assert lesson.segments == (Segment(text),)


def problem_of(path: Path, course: Course) -> str:
    lesson = only_lesson(path, course)
    assert lesson.segments == ()
    assert lesson.problem
    assert "\n" not in lesson.problem
    assert lesson.problem.startswith(path.name)
    return lesson.problem


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = '\xff'\n", "not UTF-8"),
        (b"x = 1\0\n", "NUL"),
        (b"# coding: no-such-thing\n", "not UTF-8"),
        ("x = 1\n".encode("utf-16"), "NUL"),
        (b"#" * (2 * 2**20 + 1), "larger than 2 MB"),
    ],
)
def test_a_file_that_is_no_text_is_a_problem_of_one_line(
    tmp_path: Path, course: Course, content: bytes, said: str
) -> None:
    assert said in problem_of(write(tmp_path / "views.py", content), course)


def test_links_folders_and_pipes_are_not_read(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "elsewhere.py", TURN)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "views.py").symlink_to(tmp_path / "elsewhere.py")
    assert "is a link" in problem_of(tmp_path / "a" / "views.py", course)
    (tmp_path / "a" / "storage.py").symlink_to(tmp_path / "nowhere")
    assert "is a link" in problem_of(tmp_path / "a" / "storage.py", course)
    os.mkfifo(tmp_path / "a" / "graphs.py")
    assert "is not a file" in problem_of(tmp_path / "a" / "graphs.py", course)


def test_a_folder_with_the_name_of_a_lesson_is_said_to_be_no_file(tmp_path: Path, course: Course) -> None:
    (tmp_path / "in" / "tensors" / "views.py").mkdir(parents=True)
    lesson = read_submission(tmp_path / "in", course).lessons["tensors/views"]
    assert lesson.problem == "tensors/views.py is not a file"


def test_one_file_that_cannot_be_read_leaves_the_others(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "in" / "tensors" / "views.py", b"\xff")
    write(tmp_path / "in" / "tensors" / "storage.py", "def element(x): ...")
    lessons = read_submission(tmp_path / "in", course).lessons
    assert lessons["tensors/views"].problem
    assert not lessons["tensors/storage"].problem


# Notebooks


def test_cells_that_define_exercises_are_taken_and_of_others_what_defines(tmp_path: Path, course: Course) -> None:
    text = notebook(
        "import torch\nprint('slow')\nSCALE = 2\nfor i in range(9): pass\ndef help(x):\n    return x",
        TURN,
        "turn(torch.ones(2, 2))",
        "@staticmethod\ndef flip(x):\n    return x",
    )
    lesson = only_lesson(write(tmp_path / "views.ipynb", text), course)
    assert [(segment.source, segment.required) for segment in lesson.segments] == [
        ("import torch", False),
        ("SCALE = 2", False),
        ("def help(x):\n    return x", False),
        (TURN, True),
        ("@staticmethod\ndef flip(x):\n    return x", True),
    ]


def test_an_exercise_that_is_assigned_is_taken(tmp_path: Path, course: Course) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook("turn = lambda x: x.T")), course)
    assert lesson.segments == (Segment("turn = lambda x: x.T"),)


def test_source_may_be_a_list_of_lines(tmp_path: Path, course: Course) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook(["def turn(x):\n", "    return x.T\n"])), course)
    assert lesson.segments == (Segment(TURN),)


def test_other_kinds_of_cells_are_left_out(tmp_path: Path, course: Course) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook(TURN, kind="markdown")), course)
    assert lesson.segments == ()
    assert lesson.problem is None


def test_lines_are_reported_by_cell(tmp_path: Path, course: Course) -> None:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "source": "# Title\n\nText"},
        {"cell_type": "code", "source": "import torch\n\nX = 1"},
        {"cell_type": "code", "source": TURN},
    ]
    lesson = only_lesson(write(tmp_path / "views.ipynb", json.dumps({"cells": cells})), course)
    places = {segment.source: lesson.place(segment.first_line) for segment in lesson.segments}
    assert places == {
        "import torch": "views.ipynb, cell 2, line 1",
        "X = 1": "views.ipynb, cell 2, line 3",
        TURN: "views.ipynb, cell 3, line 1",
    }
    turn = lesson.segments[-1]
    assert lesson.place(turn.first_line + 1) == "views.ipynb, cell 3, line 2"


def test_lines_of_a_file_are_reported_as_lines(tmp_path: Path, course: Course) -> None:
    assert only_lesson(write(tmp_path / "views.py", TURN), course).place(12) == "views.py, line 12"


def test_segments_do_not_overlap(tmp_path: Path, course: Course) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook("X = 1\nY = 2\n\n", TURN, "Z = 3", TURN)), course)
    after = 0
    for segment in lesson.segments:
        assert segment.first_line > after
        after = segment.first_line + segment.source.rstrip("\n").count("\n")


def test_magic_and_shell_lines_are_left_out_and_remarked(tmp_path: Path, course: Course) -> None:
    text = notebook("%matplotlib inline\n!ls\nimport torch", "%%time\nturn(1)", "turn?", "?turn", TURN)
    submission = read_submission(write(tmp_path / "views.ipynb", text), course)
    (lesson,) = submission.lessons.values()
    assert [segment.source for segment in lesson.segments] == ["import torch", TURN]
    assert submission.remarks == ("views.ipynb: 6 shell or magic lines left out",)


def test_one_magic_line_is_remarked_as_one(tmp_path: Path, course: Course) -> None:
    submission = read_submission(write(tmp_path / "views.ipynb", notebook("%time x = 1", TURN)), course)
    assert submission.remarks == ("views.ipynb: 1 shell or magic line left out",)


@pytest.mark.parametrize(
    ("source", "kept", "dropped"),
    [
        ("x = 1", "x = 1", 0),
        ("%time x\nx = 1", "pass\nx = 1", 1),
        ("if x:\n    !ls\ny = 1", "if x:\n    pass\ny = 1", 1),
        ("%%bash\nls\nrm", "\n\n", 3),
        ("\n%%time\nx", "\n\n", 3),
        ("x = (5\n% 3)", "x = (5\n% 3)", 0),
        ('x = """\n%time\n!ls\n"""', 'x = """\n%time\n!ls\n"""', 0),
        ('!ls\nx = """\n%time\n"""', 'pass\nx = """\n%time\n"""', 1),
        ("def f():\n    '''Is it so?\n    Really?\n    '''", "def f():\n    '''Is it so?\n    Really?\n    '''", 0),
        ("x = 1  # why?", "x = 1  # why?", 0),
        ("!ls\nx = 1  # why?", "pass\nx = 1  # why?", 1),
        ("x = 5 % 3\nx != 3", "x = 5 % 3\nx != 3", 0),
    ],
)
def test_lines_of_ipython_and_lines_that_only_look_like_it(source: str, kept: str, dropped: int) -> None:
    assert without_magics(source) == (kept, dropped)


def test_a_cell_with_an_exercise_that_is_no_python_is_kept_for_python_to_say_so(tmp_path: Path, course: Course) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook("def turn(x:\n  return", "def helper(:")), course)
    assert lesson.segments == (Segment("def turn(x:\n  return"),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'{"cells": 5}',
        b'{"cells": [5]}',
        b'{"cells": [{}]}',
        b'{"cells": [{"cell_type": "code"}]}',
        b'{"cells": [{"cell_type": "code", "source": 5}]}',
        b'{"cells": [{"cell_type": "code", "source": [5]}]}',
        b'{"cells": {"cell_type": "code"}}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_is_a_problem_of_one_line(tmp_path: Path, course: Course, content: bytes) -> None:
    assert "is not a notebook" in problem_of(write(tmp_path / "views.ipynb", content), course)


@pytest.mark.parametrize(
    "source", ["x = " + "(" * 10_000, "turn = " + "-" * 100_000 + "1", "\0", "\udcff", "# %s?" * 9]
)
def test_odd_cells_are_read_without_harm(tmp_path: Path, course: Course, source: str) -> None:
    lesson = only_lesson(write(tmp_path / "views.ipynb", notebook(source, TURN)), course)
    assert lesson.problem is None
    assert lesson.segments[-1].source == TURN


def test_cells_that_only_show_something_are_left_out(tmp_path: Path, course: Course) -> None:
    cells = [
        {"cell_type": "code", "metadata": {"tags": ["active-ipynb"]}, "source": "import matplotlib"},
        {"cell_type": "code", "metadata": {}, "source": "def turn(x):\n    return x"},
    ]
    path = write(tmp_path / "views.ipynb", json.dumps({"cells": cells}))
    (segment,) = read_submission(path, course).lessons["tensors/views"].segments
    assert segment.source == "def turn(x):\n    return x"


def test_statements_that_share_lines_are_told_apart() -> None:
    source = '"""a\n%b\n"""; y = 2; z = """ä\n""" ; w = 1\nü = \'ß\'; v = 3\n'
    source += "@f\ndef g(): return 1; 2\nclass A:\n  pass\nx = [\n1]\n"
    found = [(line, text) for _, line, text in statements_of(ast.parse(source), source)]
    assert found == [
        (1, '"""a\n%b\n"""'),
        (3, "y = 2"),
        (3, 'z = """ä\n"""'),
        (4, "w = 1"),
        (5, "ü = 'ß'"),
        (5, "v = 3"),
        (6, "@f\ndef g(): return 1; 2"),
        (8, "class A:\n  pass"),
        (10, "x = [\n1]"),
    ]
