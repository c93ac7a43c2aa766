"""Odd submissions: what cannot be read is said in one clear line, and what is merely unusual costs no points."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from grader.course import Course
from grader.errors import UnreadableSubmission
from grader.judge import judge
from grader.result import ExerciseResult
from grader.submission import read_submission
from grader.workers import WorkerPool

LESSON = "tensors/storage"
NEXT = "tensors/views"


@pytest.fixture
def folder(course: Course, tmp_path: Path) -> Path:
    """A submission with the solutions of all lessons."""
    for lesson in course.lessons:
        path = tmp_path / "submission" / f"{lesson.id}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lesson.text, encoding="utf-8")
    return tmp_path / "submission"


def grade(path: Path, course: Course, pool: WorkerPool, *lessons: str) -> dict[str, ExerciseResult]:
    """Results by the exercises' names; of LESSON if no lesson is given."""
    exercises = course.select(lessons or [LESSON])
    result = judge(read_submission(path, course), exercises, pool, seed=3, gpu="off")
    return {exercise.id.rsplit("/", 1)[1]: exercise for exercise in result.exercises}


def assert_full(results: dict[str, ExerciseResult]) -> None:
    for result in results.values():
        assert result.status == "passed", result.decisive
        assert result.points == result.max_points > 0


def assert_nothing(results: dict[str, ExerciseResult], status: str, sentence: str) -> None:
    for result in results.values():
        assert (result.status, result.points) == (status, 0), result.decisive
        message = result.decisive.message or ""
        assert sentence in message
        assert "\n" not in message
        assert "Errno" not in message


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def replace_by_folder(path: Path, content: bytes) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path, content: bytes) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_socket(path: Path, content: bytes) -> None:
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # a socket's name has to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def replace_by_link(path: Path, content: bytes) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def replace_by_link_to_a_solution(path: Path, content: bytes) -> None:
    honest = path.parent / "elsewhere.py"
    path.rename(honest)
    path.symlink_to(honest)


Change = Callable[[Path, bytes], None]

UNREADABLE: dict[str, tuple[Change, str, str]] = {
    "is not UTF-8": (lambda p, c: write(p, c + b"\n# caf\xe9\n"), "error", "is not UTF-8 text: save it as UTF-8"),
    "declares an encoding that is none": (lambda p, c: write(p, b"# coding: klingon\n" + c), "error", "is not UTF-8"),
    "declares an encoding of bytes": (lambda p, c: write(p, b"# coding: zlib\n" + c), "error", "is not UTF-8"),
    "has NUL bytes": (lambda p, c: write(p, c + b"\0\0"), "error", "contains NUL bytes: it is not a text file"),
    "is UTF-16": (lambda p, c: write(p, c.decode().encode("utf-16")), "error", "it is not a text file"),
    "has 3 MB": (lambda p, c: write(p, c + b"#" * 3 * 2**20), "error", "is larger than 2 MB"),
    "has 10,000 brackets": (
        lambda p, c: write(p, c + b"\nx = " + b"[" * 10_000 + b"]" * 10_000),
        "error",
        "the file does not run: Python cannot read the file: too many nested parentheses",
    ),
    "has 100,000 signs": (
        lambda p, c: write(p, c + b"\nx = " + b"-" * 100_000 + b"1"),
        "error",
        "the file does not run",
    ),
    "has a syntax error": (lambda p, c: write(p, c + b"\ndef f(:\n"), "error", "Python cannot read the file"),
    "is a folder": (replace_by_folder, "error", "is not a file"),
    "is a pipe": (replace_by_pipe, "error", "is not a file"),
    "is a socket": (replace_by_socket, "error", "cannot be opened"),
    "is a link to a file of the system": (replace_by_link, "error", "is a link: hand in the file itself"),
    "is a link to a solution": (replace_by_link_to_a_solution, "error", "is a link: hand in the file itself"),
    "is missing": (lambda p, c: p.unlink(), "not_attempted", "the submission has no tensors/storage.py"),
    "is empty": (lambda p, c: write(p, b""), "error", "is not in tensors/storage.py: was it renamed or deleted?"),
}


@pytest.mark.parametrize("oddity", list(UNREADABLE))
def test_a_lesson_that_cannot_be_read_costs_that_lesson_alone(
    oddity: str, folder: Path, course: Course, pool: WorkerPool
) -> None:
    change, status, sentence = UNREADABLE[oddity]
    path = folder / f"{LESSON}.py"
    change(path, path.read_bytes())
    assert_nothing(grade(folder, course, pool), status, sentence)
    assert_full(grade(folder, course, pool, NEXT))


UNUSUAL: dict[str, Callable[[str], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "Windows line ends": lambda text: text.replace("\n", "\r\n").encode(),
    "old Mac line ends": lambda text: text.replace("\n", "\r").encode(),
    "Latin-1, declared": lambda text: ("# coding: latin-1\n# café\n" + text).encode("latin-1", "replace"),
    "no line end at the end": lambda text: text.rstrip("\n").encode(),
    "tabs": lambda text: text.replace("    ", "\t").encode(),
    "a form feed": lambda text: text.replace("\n\n\n", "\n\f\n").encode(),
    "prints and warnings": lambda text: (
        "import sys, warnings, logging\nprint('hello')\nprint('hello', file=sys.stderr)\n"
        "warnings.warn('careful')\nlogging.warning('careful')\n" + text + "\nprint('x' * 200_000)\n"
    ).encode(),
    "prints in every call": lambda text: text.replace(
        "### BEGIN SOLUTION", "import sys; print('here', flush=True); print('x', file=sys.stderr)"
    ).encode(),
    "other imports, functions and classes": lambda text: (
        "from __future__ import annotations\nimport numpy as np, math, dataclasses, collections\n"
        + text
        + "\n@dataclasses.dataclass\nclass Extra:\n    x: int = 0\n\ndef extra():\n    return np.zeros(3)\n"
        + "\nif __name__ == '__main__':\n    raise SystemExit('for trying out')\n"
    ).encode(),
    "no annotations": lambda text: _without_annotations(text).encode(),
    "a module-level doctest run": lambda text: (text + "\nimport doctest\ndoctest.testmod()\n").encode(),
}


def _without_annotations(text: str) -> str:
    import ast

    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
    return ast.unparse(tree)


@pytest.mark.parametrize("oddity", UNUSUAL)
def test_what_is_unusual_costs_no_points(oddity: str, folder: Path, course: Course, pool: WorkerPool) -> None:
    path = folder / f"{LESSON}.py"
    path.write_bytes(UNUSUAL[oddity](path.read_text(encoding="utf-8")))
    assert_full(grade(folder, course, pool))


def test_a_renamed_function_is_named(folder: Path, course: Course, pool: WorkerPool) -> None:
    path = folder / f"{LESSON}.py"
    path.write_text(path.read_text(encoding="utf-8").replace("def shares_storage(", "def share_storage("))
    results = grade(folder, course, pool)
    missing = {"shares_storage": results.pop("shares_storage")}
    assert_nothing(missing, "error", "`shares_storage` is not in tensors/storage.py: was it renamed or deleted?")
    assert_full(results)


def test_ten_thousand_files_more_change_nothing(folder: Path, course: Course, pool: WorkerPool) -> None:
    for number in range(10_000):
        (folder / "tensors" / f"extra_{number}.py").touch()
    assert_full(grade(folder, course, pool))


def test_a_folder_that_is_a_link_is_not_followed(folder: Path, course: Course, pool: WorkerPool) -> None:
    real = folder.parent / "elsewhere"
    (folder / "tensors").rename(real)
    (folder / "tensors").symlink_to(real)
    assert_nothing(grade(folder, course, pool), "error", "is a link")


def notebook(*cells: str, **more: object) -> str:
    made = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": made, **more})


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"cells": 3}', '{"cells": [{}]}', "[" * 100_000, '{"cells": [' + "[" * 100_000, "NaN"],
    ids=["nothing", "cut short", "a list", "cells of no kind", "an empty cell", "nested", "nested cells", "NaN"],
)
def test_a_broken_notebook_is_said_to_be_one(content: str, folder: Path, course: Course, pool: WorkerPool) -> None:
    (folder / f"{LESSON}.py").unlink()
    (folder / f"{LESSON}.ipynb").write_text(content)
    assert_nothing(grade(folder, course, pool), "error", "is not a notebook that can be read")
    assert_full(grade(folder, course, pool, NEXT))


def test_magics_and_duplicate_cells_in_a_notebook_cost_nothing(folder: Path, course: Course, pool: WorkerPool) -> None:
    text = (folder / f"{LESSON}.py").read_text(encoding="utf-8")
    (folder / f"{LESSON}.py").unlink()
    cells = [
        "%matplotlib inline\n!pip install everything\n%load_ext nothing",
        "%%bash\nrm -rf /",
        "raise RuntimeError('an experiment')",
        "shares_storage?",
        "def contiguous_strides(shape):\n    return 'first try'",
        text,
        "def broken(:\n",
        "contiguous_strides((2, 3))\nassert False",
    ]
    (folder / f"{LESSON}.ipynb").write_text(notebook(*cells))
    assert_full(grade(folder, course, pool))
    assert any("left out" in remark for remark in read_submission(folder, course).remarks)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("nothing", lambda path: None),
        ("empty", lambda path: path.mkdir()),
        ("notes.txt", lambda path: path.write_text("hello")),
        ("unknown.py", lambda path: path.write_text("x = 1\n")),
        ("unknown.ipynb", lambda path: path.write_text("{")),
        ("pipe", os.mkfifo),
        ("pipe.py", os.mkfifo),
        ("signs.py", lambda path: path.write_text("x = " + "-" * 100_000 + "1")),
        ("deep.ipynb", lambda path: path.write_text("[" * 100_000)),
    ],
)
def test_what_is_no_submission_is_refused_in_one_line(
    name: str, make: Callable[[Path], None], course: Course, tmp_path: Path
) -> None:
    """The command line ends with exit status 2 on this exception, and prints its one line."""
    path = tmp_path / name
    make(path)
    with pytest.raises(UnreadableSubmission) as refused:
        read_submission(path, course)
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)
