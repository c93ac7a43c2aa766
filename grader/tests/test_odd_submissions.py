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
    "imports on one line, semicolons, star": lambda text: (
        "import os, sys; import json; from math import *; from typing import *\n" + text
    ).encode(),
    "a main guard and an argument parser": lambda text: (
        text + "\n\ndef main():\n    import argparse\n    argparse.ArgumentParser().parse_args()\n"
        "\n\nif __name__ == '__main__':\n    main()\n"
    ).encode(),
    "decorators of one's own": lambda text: (
        "import functools, time\n\ndef timed(f):\n    @functools.wraps(f)\n    def g(*a, **k):\n"
        "        t = time.time()\n"
        "        r = f(*a, **k)\n        print(time.time() - t)\n        return r\n    return g\n\n"
        + text.replace("\ndef ", "\n@timed\ndef ")
    ).encode(),
    "lru_cache, global state and a counter": lambda text: (
        "from functools import lru_cache\nCALLS = 0\nSEEN = {}\n\n"
        "@lru_cache(maxsize=None)\ndef square(n):\n    return n * n\n"
        + text.replace(
            "    ### BEGIN SOLUTION",
            "    global CALLS\n    CALLS += 1\n    SEEN[CALLS] = square(CALLS)\n    ### BEGIN SOLUTION",
        )
    ).encode(),
    "type: ignore, noqa and fmt comments": lambda text: (
        "# mypy: ignore-errors\n# fmt: off\n# pylint: disable=all\n"
        + text.replace("    ### BEGIN SOLUTION", "    x = None  # type: ignore  # noqa\n    ### BEGIN SOLUTION")
    ).encode(),
    "walrus, match and f-strings": lambda text: (
        "if (n := len('abc')) > 2:\n    print(f'{n=} {\"x\":>3}')\nmatch n:\n    case 3:\n        kind = 'three'\n"
        "    case _:\n        kind = 'other'\n" + text
    ).encode(),
    "nested functions and classes": lambda text: text.replace(
        "    ### BEGIN SOLUTION",
        "    class Holder:\n        def __init__(self, value):\n            self.value = value\n\n    def inner(x):\n"
        "        return Holder(x).value\n\n    assert inner(3) == 3\n    ### BEGIN SOLUTION",
    ).encode(),
    "tests and asserts of one's own": lambda text: (
        text + "\n\ndef test_it():\n    assert shares_storage(torch.zeros(2), torch.zeros(2)) is False\n\ntest_it()\n"
        "assert contiguous_strides((2, 3)) == (3, 1)\n"
    ).encode(),
    "another copy of each function first": lambda text: (
        "import torch\n\ndef contiguous_strides(shape):\n    return 'first try'\n\n" + text
    ).encode(),
    "settings of torch and NumPy": lambda text: (
        "import torch, numpy as np\ntorch.set_printoptions(precision=2)\nnp.set_printoptions(suppress=True)\n"
        "torch.manual_seed(0)\nnp.random.seed(0)\nimport random\nrandom.seed(0)\n" + text
    ).encode(),
    "a device of one's own choice": lambda text: (
        "import torch\ndevice = 'cuda' if torch.cuda.is_available() else 'cpu'\n" + text
    ).encode(),
    "plots that nobody sees": lambda text: (
        text + "\ntry:\n    import matplotlib.pyplot as plt\n    plt.plot([1, 2])\n"
        "    plt.show()\nexcept ImportError:\n    pass\n"
    ).encode(),
    "files of one's own": lambda text: (
        text + "\nwith open('notes.txt', 'w') as file:\n    file.write('x')\nprint(open('notes.txt').read())\n"
        "import tempfile\nwith tempfile.TemporaryFile() as file:\n    file.write(b'x')\n"
    ).encode(),
    "threads and processes": lambda text: (
        text + "\nimport threading\nthreads = [threading.Thread(target=print) for _ in range(4)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
        "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(2).map(str, range(4)))\n"
    ).encode(),
    "slow at import, and in each call": lambda text: (
        "import time\ntime.sleep(1.5)\n"
        + text.replace("    ### BEGIN SOLUTION", "    import time; time.sleep(0.02)\n    ### BEGIN SOLUTION")
    ).encode(),
    "a warning that is an exception elsewhere": lambda text: (
        "import warnings\nwarnings.simplefilter('always')\nwarnings.warn('deprecated', DeprecationWarning)\n" + text
    ).encode(),
    "a name in another script, and emoji": lambda text: (
        "größe = 3\nприклад = '🙂 ∑ 漢字'\nprint(größe, приклад)\n" + text
    ).encode(),
    "cp1252, declared": lambda text: ("# -*- coding: cp1252 -*-\n# \x80 caf\xe9\n" + text).encode("cp1252", "replace"),
    "spaces at the ends of lines and many empty lines": lambda text: text.replace("\n\n", "   \n\n\n\n").encode(),
    "an IPython prompt left in a comment": lambda text: (
        text + "\n# In [3]: shares_storage?\n# Out[3]: True\n"
    ).encode(),
    "async code": lambda text: (
        text + "\nimport asyncio\nasync def wait():\n    await asyncio.sleep(0)\nasyncio.run(wait())\n"
    ).encode(),
    "signals and exit handlers": lambda text: (
        "import atexit, signal\natexit.register(print, 'bye')\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)\n" + text
    ).encode(),
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


HELPERS: dict[str, tuple[dict[str, str], str]] = {
    "a module beside the lesson": ({"my_tools.py": "def same(x):\n    return x\n"}, "from my_tools import same\n"),
    "a module by a relative import": ({"my_tools.py": "def same(x):\n    return x\n"}, "from .my_tools import same\n"),
    "a module by the package": ({"my_tools.py": "same = str\n"}, "import tensors.my_tools as m\nsame = m.same\n"),
    "several in one import": (
        {"my_a.py": "from .my_b import same\n", "my_b.py": "def same(x):\n    return x\n"},
        "from . import (\n    my_a,\n    my_b,\n)\nsame = my_a.same\n",
    ),
    "another lesson of one's own": ({}, "from .views import transpose_view as same\n"),
    "another lesson by its bare name": ({}, "from views import transpose_view as same\n"),
    "a module that has the name of an installed one": (
        {"random.py": "raise SystemExit\n", "math.py": "raise SystemExit\n"},
        "import math, random\nsame = random.random\n",
    ),
    "an unused module that is broken": (
        {"my_draft.py": "def (\n"},
        "try:\n    import my_draft\nexcept SyntaxError:\n    same = 1\n",
    ),
}


@pytest.mark.parametrize("case", HELPERS)
def test_modules_beside_a_lesson_may_be_imported(case: str, folder: Path, course: Course, pool: WorkerPool) -> None:
    files, imports = HELPERS[case]
    path = folder / f"{LESSON}.py"
    for name, text in files.items():
        (path.parent / name).write_text(text)
    path.write_text(f"{imports}assert same\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    assert_full(grade(folder, course, pool))


def test_a_module_beside_a_lesson_is_read_as_carefully_as_a_lesson(
    folder: Path, course: Course, pool: WorkerPool
) -> None:
    path = folder / f"{LESSON}.py"
    (path.parent / "my_secret.py").symlink_to("/etc/passwd")
    os.mkfifo(path.parent / "my_pipe.py")
    path.write_text(f"import my_secret, my_pipe\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
    submission = read_submission(folder, course)
    assert submission.lessons[LESSON].modules == ()
    assert [remark for remark in submission.remarks if "my_secret.py is a link" in remark]
    assert [remark for remark in submission.remarks if "my_pipe.py is not a file" in remark]
    assert_nothing(grade(folder, course, pool), "error", "No module named 'my_secret'")


def test_a_notebook_out_of_order_and_with_future_imports(folder: Path, course: Course, pool: WorkerPool) -> None:
    text = (folder / f"{LESSON}.py").read_text(encoding="utf-8")
    (folder / f"{LESSON}.py").unlink()
    (folder / "tensors" / "my_tools.py").write_text("def same(x: int) -> int:\n    return x\n")
    cells = [
        "contiguous_strides((2, 3))",
        "later = 1\nprint(later)",
        "from __future__ import annotations\nfrom my_tools import same",
        "def annotated(x: NeverDefined) -> NotEither:\n    return same(x)",
        text,
        "annotated(3)\ndel later",
    ]
    (folder / f"{LESSON}.ipynb").write_text(notebook(*cells))
    assert_full(grade(folder, course, pool))


def test_a_renamed_function_is_named(folder: Path, course: Course, pool: WorkerPool) -> None:
    path = folder / f"{LESSON}.py"
    path.write_text(path.read_text(encoding="utf-8").replace("def shares_storage(", "def share_storage("))
    results = grade(folder, course, pool)
    missing = {"shares_storage": results.pop("shares_storage")}
    said = "`shares_storage` is not in tensors/storage.py, but `share_storage` is"
    assert_nothing(missing, "error", said)
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
