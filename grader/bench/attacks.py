"""Attacks on this and on other graders: `python -m grader bench attacks`.

Each attack is handed in to all of them, as what it is for them: a lesson, a module beside a pytest file, a notebook of
nbgrader's, a notebook of otter's. The others run it in their own process: here that is a sandbox, so that it can spoil
no more than the grader it is handed in to. They test by one line each, which is right for the right answer.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.bench.steps import Steps, show_steps
from grader.bench.submissions import attacks_here
from grader.course import Course, load_course
from grader.isolation import bubblewrap

if TYPE_CHECKING:
    from grader.tests.corpus import Attack

CHECKS = {
    "contiguous_strides": "[contiguous_strides(s) for s in ((2, 3), (4, 1, 5), (7,))] == [(3, 1), (5, 5, 1), (1,)]",
    "element_offset": "element_offset(torch.zeros(2, 3, 4).transpose(0, 2)[1:], (1, 2, 1)) == 22",
    "hwc_to_chw": "torch.equal(hwc_to_chw(torch.arange(24.).reshape(2, 4, 3)), "
    "torch.arange(24.).reshape(2, 4, 3).permute(2, 0, 1))",
    "masked_mean": "torch.equal(masked_mean(torch.ones(2, 3), torch.ones(2, 3).bool()), torch.ones(2))",
}
# What would only show that a machine can be used up says nothing about who gives the points.
LEFT_OUT = frozenset(["eat the machine", "attack neighbours", "stay behind", "phone out", "GPU tricks", "never finish"])
OTTER = "otter-grader==7.0.0"
# What otter-grader imports and this project has not; without the rest of what it names, or pip would replace ours.
OTTER_NEEDS = ("python-frontmatter", "fica", "python-on-whales", "ipylab", "ipywidgets", "wrapt", "dill", "pypdf")
SECONDS = 240
FULL, NONE, DOWN = "full marks", "no points", "no result"
HONEST, WRONG = "(the right answer)", "(a wrong answer)"


@dataclass(frozen=True)
class Entry:
    """What is handed in: the text of one exercise, and files beside it."""

    name: str
    kind: str
    exercise: str
    text: str
    files: dict[str, str]

    @property
    def check(self) -> str:
        """An expression that is true if the answer is right."""
        return CHECKS[self.exercise]


Grade = Callable[[Entry, Path], str]


def run_attacks(most: int | None = None) -> None:
    """Grade every attack in every way, and print a table.

    Args:
        most: take only so many.

    Raises:
        GraderError: there is no corpus, or no sandbox to keep the other graders in.
        SystemExit: 1, after the table, if an attack earned a point here, or a way does not tell right from wrong.
    """
    course = load_course()
    entries = attack_entries(course)[: most and most + 2]
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as name:
        folder = Path(name)
        others: dict[str, Grade | str] = {"pytest": by_pytest}
        with show_steps(len(entries) * 4) as steps:
            steps.say("setting up nbgrader and otter-grader")
            others |= {"nbgrader": _nbgrader(folder / "nbgrader"), "otter": _otter(folder / "otter")}
            outcomes = _grade(entries, course, others, folder, steps)
    show(entries, outcomes, others)


def attack_entries(course: Course) -> list[Entry]:
    """A right answer, a wrong one, and the attacks that could earn points elsewhere.

    Raises:
        CourseError: the attacks are not here.
    """
    header = "import math\n\nimport torch\n\n\n"
    right = header + "def contiguous_strides(shape):\n    sizes = [max(size, 1) for size in shape]\n"
    right += "    return tuple(math.prod(sizes[place + 1 :]) for place in range(len(sizes)))\n"
    wrong = header + "def contiguous_strides(shape):\n    return tuple(shape)\n"
    chosen: list[Attack] = [
        attack
        for attack in attacks_here()
        if attack.fields["Class"] not in LEFT_OUT
        and attack.exercise in CHECKS
        and "timeout" not in attack.fields["Must"]
    ]
    # Those that a grader without a process of its own is known to fall to come first.
    chosen.sort(key=lambda attack: "Naive" not in attack.fields)
    entries = [Entry(HONEST, "", "contiguous_strides", right, {}), Entry(WRONG, "", "contiguous_strides", wrong, {})]
    return entries + [Entry(a.name, a.fields["Class"], a.exercise, a.text, a.files) for a in chosen]


def _grade(
    entries: Sequence[Entry], course: Course, others: dict[str, Grade | str], folder: Path, steps: Steps
) -> dict[str, dict[str, str]]:
    """Outcomes by the name of the entry and that of the way."""
    outcomes: dict[str, dict[str, str]] = {entry.name: {} for entry in entries}
    with ThreadPoolExecutor(os.cpu_count() or 1) as executor:
        running: list[tuple[str, str, Future[str]]] = []
        for way, grade in others.items():
            for entry in entries:
                place = folder / "work" / way / entry.name
                if callable(grade):
                    running.append((entry.name, way, executor.submit(grade, entry, place)))
                else:
                    outcomes[entry.name][way] = "not run"
        try:
            for entry, outcome in zip(entries, _ours(entries, course, folder, steps), strict=True):
                outcomes[entry.name]["ours"] = outcome
            for name, way, future in running:
                steps.take(f"{way}: {name}")
                outcomes[name][way] = future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
    return outcomes


def _ours(entries: Sequence[Entry], course: Course, folder: Path, steps: Steps) -> list[str]:
    from grader.grading import worker_pool
    from grader.judge import judge
    from grader.tests.corpus import Attack, hand_in

    outcomes = []
    exercises = course.select([entry.exercise for entry in entries])
    with worker_pool(exercises, course, gpu="off") as pool:
        for entry in entries:
            steps.take(f"ours: {entry.name}")
            place = folder / "ours" / entry.name
            submission = hand_in(Attack(entry.name, {"For": entry.exercise}, entry.text, entry.files), course, place)
            (result,) = judge(submission, course.select([entry.exercise]), pool, seed=7, gpu="off").exercises
            full = result.points == result.max_points
            outcomes.append(FULL if full else f"some points ({result.points:g})" if result.points else NONE)
    return outcomes


def contained(command: Sequence[object], place: Path, paths: Sequence[Path] = ()) -> int | None:
    """Run a command where it sees all files and can write below `place` alone, with processes and network of its own.

    Returns: its exit status, None if it took too long.
    """
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        **dict.fromkeys(("HOME", "TMPDIR", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"), str(place)),
        "JUPYTER_DATA_DIR": str(place / "jupyter"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
    }
    options = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--die-with-parent", "--new-session"]
    options += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--bind", str(place), str(place)]
    try:
        return subprocess.run(
            [bubblewrap(), *options, "--chdir", str(place), "--", *map(str, command)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def _hand_in_files(entry: Entry, place: Path) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, text in entry.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")


def by_pytest(entry: Entry, place: Path) -> str:
    """A test file beside the submission, as most workflows have it: full marks are exit status 0."""
    _hand_in_files(entry, place)
    (place / "submission.py").write_text(entry.text, encoding="utf-8")
    test = f"import torch\nfrom submission import *\n\n\ndef test_answer():\n    assert {entry.check}\n"
    (place / "test_submission.py").write_text(test, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_submission.py"]
    status = contained(command, place)
    return FULL if status == 0 else NONE if status == 1 else DOWN


def _nbgrader(folder: Path) -> Grade | str:
    """Makes the assignments, one for each exercise, and gives what grades by them."""
    try:
        importlib.metadata.version("nbgrader")
        import nbformat
        from nbformat.v4 import new_code_cell, new_notebook
    except ImportError:
        return "nbgrader is not installed"

    def notebook(exercise: str, text: str) -> Any:
        answer = new_code_cell(text, id="answer", metadata={"nbgrader": _cell("answer", solution=True)})
        check = new_code_cell(f"import torch\nassert {CHECKS[exercise]}", id="check")
        check.metadata["nbgrader"] = _cell("check", points=1)
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        return new_notebook(cells=[answer, check], metadata={"kernelspec": kernel, "language_info": {"name": "python"}})

    def command(what: str, course: Path, exercise: str, *options: str) -> list[object]:
        words = [sys.executable, "-m", "nbgrader", what, f"--assignment={exercise}", f"--CourseDirectory.root={course}"]
        return [*words, "--CourseDirectory.course_id=attacks", f"--Execute.timeout={SECONDS // 2}", *options]

    for exercise in CHECKS:
        source = folder / "source" / exercise
        source.mkdir(parents=True)
        nbformat.write(notebook(exercise, "raise NotImplementedError"), source / "answers.ipynb")
        if contained(command("generate_assignment", folder, exercise), folder) != 0:
            return "nbgrader does not make the assignment"

    def grade(entry: Entry, place: Path) -> str:
        shutil.copytree(folder, place)
        submitted = place / "submitted" / "student" / entry.exercise
        _hand_in_files(entry, submitted)
        nbformat.write(notebook(entry.exercise, entry.text), submitted / "answers.ipynb")
        status = contained(command("autograde", place, entry.exercise, "--student=student"), place)
        try:
            with sqlite3.connect(f"file:{place / 'gradebook.db'}?mode=ro", uri=True) as gradebook:
                query = "select auto_score from grade where auto_score is not null"
                scores = [float(score) for (score,) in gradebook.execute(query).fetchmany(10)]
        except (sqlite3.Error, TypeError, ValueError):
            return DOWN
        if status != 0 or not scores:
            return DOWN
        return FULL if sum(scores) >= 1 else NONE

    return grade


def _cell(name: str, *, solution: bool = False, points: float | None = None) -> dict[str, object]:
    graded = points is not None
    kind: dict[str, object] = {"grade_id": name, "schema_version": 3, "task": False, "locked": graded}
    return kind | {"solution": solution, "grade": graded} | ({"points": points} if graded else {})


def _otter(folder: Path) -> Grade | str:
    """Installs otter-grader for this run, makes its autograders, and gives what grades by them."""
    packages = folder / "packages"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    installed = subprocess.run(
        [*command, "--target", str(packages), OTTER, *OTTER_NEEDS], capture_output=True, timeout=600, check=False
    )
    if installed.returncode:
        return "otter-grader cannot be installed here"
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    for exercise, check in CHECKS.items():
        tests = folder / exercise / "tests"
        tests.mkdir(parents=True)
        case = {"code": f">>> import torch\n>>> bool({check})\nTrue", "hidden": False, "locked": False}
        suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
        test = {"name": "q1", "points": 1, "suites": [suite]}
        (tests / "q1.py").write_text(f"OK_FORMAT = True\n\ntest = {test!r}\n", encoding="utf-8")
        words = [
            "-m",
            "otter",
            "generate",
            "-t",
            "tests",
            "-o",
            "autograder.zip",
            "--no-environment",
            "--no-requirements",
        ]
        if contained([sys.executable, *words], folder / exercise, [packages]) != 0:
            return "otter-grader does not make the autograder"

    def grade(entry: Entry, place: Path) -> str:
        _hand_in_files(entry, place)
        shutil.copy(folder / entry.exercise / "autograder.zip", place)
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cells = [new_code_cell(entry.text, id="answer")]
        nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), place / "answers.ipynb")
        status = contained([sys.executable, "-c", _RUN_OTTER], place, [packages])
        try:
            score = json.loads((place / "score.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return DOWN
        return DOWN if status != 0 else FULL if score >= 1 else NONE

    return grade


_RUN_OTTER = """
import json
from otter.api import grade_submission
results = grade_submission("answers.ipynb", "autograder.zip", quiet=True)
with open("score.json", "w") as file:
    json.dump(results.total, file)
"""


def show(entries: Sequence[Entry], outcomes: dict[str, dict[str, str]], others: dict[str, Grade | str]) -> None:
    """Print the table.

    Raises:
        SystemExit: 1 if an attack earned a point here, or a way does not tell right from wrong.
    """
    from rich.table import Table
    from rich.text import Text

    from grader.reports.terminal import console

    screen = console()
    ways = ["ours", *others]
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("Attack", overflow="fold")
    table.add_column("Class", overflow="fold")
    for way in ways:
        table.add_column(way, no_wrap=True)
    for entry in entries:
        row = [outcomes[entry.name][way] for way in ways]
        good = FULL if entry.name == HONEST else NONE
        cells = [Text(outcome, "" if outcome in (good, "not run") else "red") for outcome in row]
        table.add_row(entry.name, entry.kind, *cells)
    screen.print(table)
    attacks = [entry.name for entry in entries if entry.name not in (HONEST, WRONG)]
    screen.print()
    for way in ways:
        row = [outcomes[name][way] for name in attacks]
        screen.print(
            f"{_version(way)}: {len(attacks)} attacks, {row.count(NONE)} earn nothing, "
            f"{sum(outcome == FULL or outcome.startswith('some') for outcome in row)} earn points, "
            f"{row.count(DOWN)} leave no result"
        )
        if isinstance(others.get(way), str):
            screen.print(f"  not run: {others[way]}")
    blind = [
        way
        for way in ways
        if outcomes[HONEST][way] not in (FULL, "not run") or outcomes[WRONG][way] not in (NONE, "not run")
    ]
    for way in blind:
        screen.print(Text(f"{way} does not tell a right answer from a wrong one here: its column says nothing.", "red"))
    if blind or any(outcomes[name]["ours"] != NONE for name in attacks):
        raise SystemExit(1)


def _version(way: str) -> str:
    package = {"ours": "", "otter": "otter-grader"}.get(way, way)
    if way == "otter":
        return OTTER.replace("==", " ")
    try:
        return f"{package} {importlib.metadata.version(package)}" if package else "this grader"
    except importlib.metadata.PackageNotFoundError:
        return package
