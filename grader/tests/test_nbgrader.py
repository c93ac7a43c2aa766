"""The course for nbgrader: nbgrader's own commands take it, and their scores are ours, whatever a notebook tries."""

from __future__ import annotations

import copy
import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from grader.build.nbgrader import STUB, build_course, leaked_lines, source_notebook
from grader.course import ROOT, Course, load_course, read_bank
from grader.errors import CourseError, GraderError
from grader.gradebook import judging
from grader.gradebook.scores import feedback, set_score
from grader.judge import judge
from grader.percent import read_cells
from grader.result import ExerciseResult, Result, TestResult, score_exercise
from grader.submission import read_submission
from grader.workers import WorkerPool

# nbgrader's commands and a kernel, started one after the other, on a machine that may be busy.
pytestmark = pytest.mark.timeout(900)

SEED = 11
VIEWS = "tensors-views"
SILENT: Callable[[str, int, int], None] = lambda what, done, total: None  # noqa: E731

# Prints, returns and raises what it can find, and leaves full marks wherever a kernel could.
FORGER = """
import builtins, glob, os, sqlite3, sys
def search():
    found = []
    for pattern in ({tests!r}, {gradebook!r}, "/**/gradebook.db", "/proc/*/environ", "../**/gradebook.db", "/tmp/*"):
        for path in glob.glob(pattern, recursive=True)[:50]:
            try:
                found.append(path + ":" + open(path, errors="replace").read()[:2000])
            except OSError:
                pass
            if path.endswith(".db"):
                with sqlite3.connect(path) as database:
                    database.execute("UPDATE grade SET auto_score = 100, manual_score = 100")
    return found
try:
    with open({mark!r}, "w") as file:
        file.write("was here")
except OSError:
    pass
os.environ["NBGRADER_EXECUTION"] = "validate"
sys.displayhook = lambda value: print("3.0")
def run_examples(*arguments): return 3.0
print(3.0)
"""
BREAKER = """
def transpose_view(t, dim0, dim1):
    found = search()
    raise ValueError("leaked " + " ".join(found) if found else "nothing to be found")
"""


@dataclass(frozen=True)
class Graded:
    """A course folder after `nbgrader autograde`; `mark` is a file that a kernel could have written."""

    folder: Path
    mark: Path

    def points(self, student: str, assignment: str = VIEWS) -> dict[str, float | None]:
        """nbgrader's scores, by exercise."""
        return {name: grade["auto_score"] for name, grade in self.grades(student, assignment).items()}

    def grades(self, student: str, assignment: str = VIEWS) -> dict[str, dict[str, Any]]:
        """What nbgrader's API says of one notebook."""
        from nbgrader.api import Gradebook

        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}") as gradebook:
            notebook = gradebook.find_submission_notebook(assignment.split("-")[1], assignment, student)
            return {grade.name: grade.to_dict() for grade in notebook.grades}

    def notebook(self, student: str, assignment: str = VIEWS) -> Path:
        """What a student handed in."""
        return self.folder / "submitted" / student / assignment / f"{assignment.split('-')[1]}.ipynb"

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        """One of nbgrader's commands, as an instructor runs it."""
        arguments = [sys.executable, "-m", "nbgrader", command, *options]
        return subprocess.run(arguments, cwd=self.folder, capture_output=True, text=True, timeout=280)


def answered(notebook: dict[str, Any], answers: dict[str, str]) -> dict[str, Any]:
    """A released notebook with these answers, by exercise, in its solution cells."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "").removesuffix("-answer")
        if cell["metadata"].get("nbgrader", {}).get("solution") and name in answers:
            cell["source"] = answers[name]
    return notebook


def solution_alone(source: str) -> str:
    """A solution as someone would write it: without delimiters and hints."""
    return "\n".join(line for line in source.splitlines() if not line.strip().startswith(("###", "# Hint:")))


def code(source: str, **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": [], "execution_count": None}


def hostile(released: dict[str, Any], answers: dict[str, str], folder: Path, mark: Path) -> dict[str, Any]:
    """One honest answer, and every way to more that a notebook has under nbgrader."""
    forger = FORGER.format(tests=f"{ROOT}/tests/tensors/*.py", gradebook=f"{folder}/gradebook.db", mark=str(mark))
    notebook = answered(released, {"hwc_to_chw": answers["hwc_to_chw"], "transpose_view": forger + BREAKER})
    value = {"output_type": "execute_result", "data": {"text/plain": "3.0"}, "metadata": {}, "execution_count": 1}
    for cell in notebook["cells"]:
        meta = cell["metadata"].get("nbgrader", {})
        if meta.get("grade_id") == "sliding_windows":
            cell["source"], cell["outputs"] = "3.0", [value]
            meta |= {"points": 100.0, "solution": True, "locked": False}
        elif meta.get("grade_id") == "transpose_view":
            meta |= {"grade": False, "locked": False}
    # A second cell of the same name, one of a name that is not ours, and what a browser would run.
    notebook["cells"].append(
        code(
            "1000.0",
            nbgrader={"grade_id": "sliding_windows", "grade": True, "solution": False, "locked": True, "points": 1000.0}
            | {"schema_version": 3, "task": False},
        )
        | {"outputs": [value]}
    )
    notebook["cells"].append(code("1", nbgrader={"grade_id": "extra", "grade": True, "points": 50, "solution": False}))
    script = "<script>fetch('/formgrader/api/grade')</script> [here](javascript:alert(1))"
    notebook["cells"].append({"cell_type": "markdown", "metadata": {}, "source": script})
    notebook["cells"].append({"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": script})
    notebook["metadata"]["kernelspec"] = {"name": "no-such-kernel", "display_name": "x", "language": "R"}
    return notebook


def hand_in(graded: Graded, student: str, text: str) -> None:
    path = graded.notebook(student)
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory, course: Course, pool: WorkerPool) -> Iterator[Graded]:
    """A course of one lesson, built, handed out, handed in by five students and graded, with nbgrader's commands."""
    folder = tmp_path_factory.mktemp("nbgrader") / "a course"
    lesson = course.lesson("tensors/views")
    graded = Graded(folder, folder.parent / "mark")
    build_course(course, [lesson], folder, SILENT, release=False)
    with (folder / "nbgrader_config.py").open("a", encoding="utf-8") as config:
        config.write(f'c.JudgeNotebook.seed = {SEED}\nc.JudgeNotebook.gpu = "off"\n')
    done = graded.run("generate_assignment", VIEWS)
    assert done.returncode == 0, done.stderr
    released = json.loads((folder / "release" / VIEWS / "views.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in read_cells(lesson.text) if not cell.markdown]
    right = {cell.title: solution_alone(cell.source) for cell in cells if "points" in cell.metadata}
    wrong = next(answer for answer in read_bank(lesson) if answer.label == "works on a single image only")
    notebooks = {
        "right": answered(released, right),
        "partly": answered(released, right | {"hwc_to_chw": wrong.source}),
        "stub": released,
        "hostile": hostile(released, right, folder, graded.mark),
        # Someone deleted all the cells that were handed out, and wrote the answers into new ones.
        "elsewhere": released | {"cells": [code(source) for source in [cells[0].source, *right.values()]]},
    }
    for student, notebook in notebooks.items():
        hand_in(graded, student, json.dumps(notebook))
    done = graded.run("autograde", VIEWS)
    assert done.returncode == 0, done.stderr
    yield graded
    judging.end_process()


def ours(path: Path, course: Course, pool: WorkerPool, lesson: str) -> dict[str, ExerciseResult]:
    exercises = course.lesson(lesson).exercises
    result = judge(read_submission(path, course), exercises, pool, seed=SEED, gpu="off")
    return {exercise.id.rsplit("/", 1)[1]: exercise for exercise in result.exercises}


@pytest.mark.parametrize("student", ["right", "partly", "stub", "hostile", "elsewhere"])
def test_nbgrader_saves_our_points(graded: Graded, course: Course, pool: WorkerPool, student: str) -> None:
    expected = ours(graded.notebook(student), course, pool, "tensors/views")
    assert graded.points(student) == {name: exercise.points for name, exercise in expected.items()}
    assert not any(grade["needs_manual_grade"] for grade in graded.grades(student).values())


def test_points_are_all_some_none_or_what_is_honest(graded: Graded) -> None:
    assert graded.points("right") == {"hwc_to_chw": 1, "transpose_view": 3, "sliding_windows": 3}
    assert graded.points("elsewhere") == graded.points("right")
    assert 0 < (graded.points("partly")["hwc_to_chw"] or 0) < 1
    assert set(graded.points("stub").values()) == {0}
    assert graded.points("hostile") == {"hwc_to_chw": 1, "transpose_view": 0, "sliding_windows": 0}


def test_maximum_is_the_exercise_s_points_whatever_a_notebook_says(graded: Graded, course: Course) -> None:
    points = {exercise.name: exercise.points for exercise in course.lesson("tensors/views").exercises}
    for student in ("right", "hostile"):
        assert {name: grade["max_score"] for name, grade in graded.grades(student).items()} == points


def test_no_code_of_a_submission_ran_outside_the_sandbox(graded: Graded) -> None:
    assert not graded.mark.exists()
    text = (graded.folder / "autograded" / "hostile" / VIEWS / "views.ipynb").read_text(encoding="utf-8")
    assert "nothing to be found" in text.lower()


def test_feedback_has_scores_and_sentences_and_no_script(graded: Graded) -> None:
    done = graded.run("generate_feedback", VIEWS)
    assert done.returncode == 0, done.stderr
    pages = {
        student: (graded.folder / "feedback" / student / VIEWS / "views.html").read_text(encoding="utf-8")
        for student in ("right", "partly", "hostile")
    }
    assert "Score: 7.0 / 7.0" in pages["right"]
    points = graded.points("partly")
    assert f"Score: {round(sum(p or 0 for p in points.values()), 2)} / 7.0" in pages["partly"]
    assert f": {points['hwc_to_chw']:.2f} of 1 points" in pages["partly"]
    assert "Score: 1.0 / 7.0" in pages["hostile"]
    assert "nothing to be found" in pages["hostile"].lower()
    assert "<script>fetch" not in pages["hostile"]
    assert "javascript:alert(1)" in pages["hostile"]
    assert 'href="javascript' not in pages["hostile"]
    # The lesson's own prose is still prose.
    assert "<em>view</em>" in pages["hostile"]


def test_feedback_and_release_hold_nothing_hidden(graded: Graded, course: Course) -> None:
    suite = {line.strip() for line in (ROOT / "tests/tensors/test_views.py").read_text(encoding="utf-8").splitlines()}
    suite = {line for line in suite if len(line) > 30 and not line.startswith(("import", "from"))}
    released = [path for path in (graded.folder / "release").rglob("*") if path.is_file()]
    assert {path.suffix for path in released} <= {".ipynb", ".py", ".csv", ".png", ".pt", ".txt"}
    for path in [*released, *(graded.folder / "feedback").rglob("*.html"), graded.folder / "gradebook.db"]:
        content = path.read_bytes().decode("utf-8", "replace")
        assert not [line for line in suite if line in content], path
        assert "END SOLUTION" not in content, path
        assert "# Hint:" not in content, path
    lesson = course.lesson("tensors/views")
    notebook = graded.folder / "release" / VIEWS / "views.ipynb"
    assert leaked_lines(lesson, notebook.read_text(encoding="utf-8")) == []
    # The check itself sees what is there.
    assert leaked_lines(lesson, json.dumps(source_notebook(lesson)))


def test_export_gives_our_totals(graded: Graded) -> None:
    done = graded.run("export", "--to", "totals.csv")
    assert done.returncode == 0, done.stderr
    with (graded.folder / "totals.csv").open(newline="", encoding="utf-8") as file:
        totals = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == VIEWS}
    for student in ("right", "partly", "stub", "hostile", "elsewhere"):
        assert float(totals[student]["score"]) == pytest.approx(sum(p or 0 for p in graded.points(student).values()))
        assert float(totals[student]["max_score"]) == 7


@pytest.fixture
def api(graded: Graded) -> Iterator[Any]:
    """nbgrader in this process, with the course's settings, as formgrader has it."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import PyFileConfigLoader

    path, before = list(sys.path), dict(os.environ)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(graded.folder)).load_config()
    config.CourseDirectory.root = str(graded.folder)
    yield NbGraderAPI(config=config)
    # nbgrader leaves its own variable behind when a conversion fails.
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(before)


def test_a_grader_that_crashes_leaves_everything_to_a_person(graded: Graded, api: Any, tmp_path: Path) -> None:
    hand_in(graded, "unlucky", graded.notebook("right").read_text(encoding="utf-8"))
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no memory left >&2\nexit 3\n")
    broken.chmod(0o755)
    api.config.JudgeNotebook.python = str(broken)
    outcome = api.autograde(VIEWS, "unlucky")
    assert outcome["success"], outcome["error"]
    assert "no memory left" in outcome["log"]
    assert {(grade["auto_score"], grade["needs_manual_grade"]) for grade in graded.grades("unlucky").values()} == {
        (None, True)
    }
    shown = (graded.folder / "autograded" / "unlucky" / VIEWS / "views.ipynb").read_text(encoding="utf-8")
    assert "Not graded yet" in shown


def test_what_cannot_be_assessed_is_left_to_a_person(
    graded: Graded, api: Any, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grader.gradebook import preprocessors

    exercises = course.lesson("tensors/views").exercises
    statuses = (("not_assessed", "not_assessed"), ("passed", "not_assessed"), ("passed", "failed"))
    outcomes = [
        score_exercise(e.id, e.title, e.points, [(s, s, 1.0, "no GPU here", None) for s in tests], 0.1)
        for e, tests in zip(exercises, statuses, strict=True)
    ]
    result = Result("x", "sandbox", 1, "2", None, tuple(outcomes))
    monkeypatch.setattr(preprocessors, "judge_notebook", lambda *arguments, **options: result)
    hand_in(graded, "no-gpu", graded.notebook("right").read_text(encoding="utf-8"))
    outcome = api.autograde(VIEWS, "no-gpu")
    assert outcome["success"], outcome["error"]
    saved = {name: (g["auto_score"], g["needs_manual_grade"]) for name, g in graded.grades("no-gpu").items()}
    assert saved == {"hwc_to_chw": (None, True), "transpose_view": (1.5, True), "sliding_windows": (1.5, False)}
    shown = (graded.folder / "autograded" / "no-gpu" / VIEWS / "views.ipynb").read_text(encoding="utf-8")
    assert "1.5 more points could not be assessed and are graded by hand. No GPU here." in shown


def test_without_a_sandbox_nothing_is_graded(graded: Graded, api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from grader.gradebook import preprocessors

    def no_sandbox(*arguments: Any, **options: Any) -> Any:
        raise GraderError("the sandbox does not work here")

    monkeypatch.setattr(preprocessors, "judge_notebook", no_sandbox)
    hand_in(graded, "early", graded.notebook("right").read_text(encoding="utf-8"))
    outcome = api.autograde(VIEWS, "early")
    assert not outcome["success"]
    assert "grader: the sandbox does not work here" in outcome["log"]
    assert {grade["auto_score"] for grade in graded.grades("early").values()} == {None}


def test_a_notebook_that_is_none_or_a_link_gets_no_score_and_waits_for_a_person(graded: Graded, api: Any) -> None:
    hand_in(graded, "torn", "{")
    hand_in(graded, "linked", "")
    graded.notebook("linked").unlink()
    graded.notebook("linked").symlink_to(graded.folder / "source" / VIEWS / "views.ipynb")
    for student in ("torn", "linked"):
        outcome = api.autograde(VIEWS, student)
        assert not outcome["success"]
        assert {(g["auto_score"], g["needs_manual_grade"]) for g in graded.grades(student).values()} == {(None, True)}
    assert "is a link" in outcome["log"]


def test_settings_that_cannot_be_loaded_run_nothing(graded: Graded, api: Any) -> None:
    """Without our package nbgrader must fail, not fall back to a kernel."""
    hand_in(graded, "lost", graded.notebook("right").read_text(encoding="utf-8"))
    steps = [
        name.replace("grader.gradebook", "grader.moved_away") for name in api.config.Autograde.autograde_preprocessors
    ]
    assert not any("Execute" in step for step in steps)
    api.config.Autograde.autograde_preprocessors = steps
    assert not api.autograde(VIEWS, "lost")["success"]


def run_test_cell(notebook: dict[str, Any], name: str, namespace: dict[str, Any]) -> None:
    cell = next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == name)
    exec("".join(cell["source"]), namespace)


@pytest.fixture(scope="module")
def views(course: Course) -> dict[str, Any]:
    """The source notebook of the lesson on views, as JSON."""
    return json.loads(json.dumps(source_notebook(course.lesson("tensors/views"))))


@pytest.fixture(scope="module")
def solved(course: Course) -> dict[str, Any]:
    """What a kernel holds that ran all the solutions."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(course.lesson("tensors/views").text, namespace)
    return namespace


def test_a_test_cell_runs_the_public_examples(
    views: dict[str, Any], solved: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    run_test_cell(views, "hwc_to_chw", dict(solved))
    printed = capsys.readouterr()
    assert printed.out == (
        "hwc_to_chw: the docstring's 3 examples come out as they should. "
        "The hidden tests run when this notebook is graded.\n"
    )
    assert printed.err == ""


def test_a_test_cell_shows_the_example_that_is_wrong(views: dict[str, Any], solved: dict[str, Any]) -> None:
    def wrong(x: Any) -> Any:
        return x

    wrong.__doc__ = solved["hwc_to_chw"].__doc__
    with pytest.raises(AssertionError, match=r"(?s)an example of `hwc_to_chw`.*Expected:.*Got:"):
        run_test_cell(views, "hwc_to_chw", {**solved, "hwc_to_chw": wrong})
    with pytest.raises(AssertionError, match="does not exist: run the cell above"):
        run_test_cell(views, "hwc_to_chw", {})


def test_a_test_cell_without_the_grader_s_files_says_so(
    views: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "grader.examples", None)
    run_test_cell(views, "hwc_to_chw", {})
    assert "is missing: nothing can be tried out here" in capsys.readouterr().out


def test_a_test_cell_gives_nothing_where_nbgrader_would_run_it(
    views: dict[str, Any], solved: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(RuntimeError, match="nbgrader_config"):
        run_test_cell(views, "hwc_to_chw", dict(solved))


def test_validate_accepts_the_solution_in_a_kernel(graded: Graded, tmp_path: Path) -> None:
    """What a student's own "Validate" does, in a folder with what was handed out and nothing else."""
    folder = tmp_path / "work"
    folder.mkdir()
    for path in (graded.folder / "release" / VIEWS).rglob("*.py"):
        target = folder / path.relative_to(graded.folder / "release" / VIEWS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (folder / "views.ipynb").write_bytes(graded.notebook("right").read_bytes())
    arguments = [sys.executable, "-m", "nbgrader", "validate", "views.ipynb"]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, timeout=280)
    assert "Success! Your notebook passes all the tests." in done.stdout, done.stdout + done.stderr


@pytest.fixture
def small(course: Course, tmp_path: Path) -> Path:
    """A course of one lesson, without nbgrader's part."""
    build_course(course, [course.lesson("data_loading/tables")], tmp_path / "course", SILENT, release=False)
    return tmp_path / "course"


def test_an_assignment_brings_the_data_of_its_lesson(small: Path) -> None:
    place = small / "source" / "data_loading-tables"
    assert {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()} == {
        "tables.ipynb",
        "grader/__init__.py",
        "grader/data.py",
        "grader/examples.py",
        "data/tables/wine.csv",
        "data/tables/penguins.csv",
        "data/figures/encodings.png",
    }
    find = (
        "import sys; sys.path.insert(0, sys.argv[1]); from grader.data import data_file; print(data_file(sys.argv[2]))"
    )
    arguments = [sys.executable, "-I", "-c", find, str(place), "tables/wine.csv"]
    found = subprocess.run(arguments, capture_output=True, text=True).stdout
    assert Path(found.strip()) == place / "data/tables/wine.csv"
    assert "](data/figures/encodings.png)" in (place / "tables.ipynb").read_text(encoding="utf-8")


def test_a_second_build_changes_nothing_and_keeps_what_was_edited(small: Path, course: Course) -> None:
    lessons = [course.lesson("data_loading/tables")]
    assert build_course(course, lessons, small, SILENT, release=False).lines == (f"{small} is up to date",)
    config = small / "nbgrader_config.py"
    config.write_text("mine", encoding="utf-8")
    lines = build_course(course, lessons, small, SILENT, release=False).lines
    assert any(line.startswith("kept       nbgrader_config.py") for line in lines)
    assert config.read_text(encoding="utf-8") == "mine"
    build_course(course, lessons, small, SILENT, release=False, force=True)
    assert config.read_text(encoding="utf-8") != "mine"
    assert [path.read_text(encoding="utf-8") for path in small.glob("backup/*/nbgrader_config.py")] == ["mine"]


def test_a_folder_that_holds_something_else_is_left_alone(course: Course, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(GraderError, match="no course made by this command"):
        build_course(course, [course.lesson("tensors/views")], tmp_path, SILENT)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_every_lesson_makes_an_assignment_without_a_trace_of_its_solution(course: Course) -> None:
    from nbgrader.preprocessors import ClearSolutions

    for lesson in course.lessons:
        notebook = source_notebook(lesson)
        cells = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade")]
        assert {cell.metadata["nbgrader"]["grade_id"]: cell.metadata["nbgrader"]["points"] for cell in cells} == {
            exercise.name: exercise.points for exercise in lesson.exercises
        }
        assert leaked_lines(lesson, json.dumps(notebook))
        ClearSolutions(code_stub={"python": STUB}).preprocess(notebook, {})
        assert leaked_lines(lesson, json.dumps(notebook)) == []


def test_a_build_has_nbgrader_make_the_release(course: Course, tmp_path: Path) -> None:
    lesson = course.lesson("tensors/views")
    folder = tmp_path / "course"
    assert "released   tensors-views" in build_course(course, [lesson], folder, SILENT).lines
    released = folder / "release" / VIEWS / "views.ipynb"
    assert STUB in json.loads(released.read_text(encoding="utf-8"))["cells"][3]["source"][-1]
    assert build_course(course, [lesson], folder, SILENT).lines == (f"{folder} is up to date",)
    # What nbgrader says against an assignment comes in one line.
    source = folder / "source" / VIEWS / "views.ipynb"
    source.write_text(source.read_text(encoding="utf-8").replace("### END SOLUTION", ""), encoding="utf-8")
    released.unlink()
    with pytest.raises(GraderError, match=r"^nbgrader does not take tensors-views: No end solution statement found\.$"):
        build_course(course, [lesson], folder, SILENT)


def test_there_is_nothing_to_build_in_a_student_version(tmp_path: Path) -> None:
    lesson = replace(load_course().lessons[0], text="")
    with pytest.raises(CourseError, match="no solutions here"):
        build_course(load_course(), [lesson], tmp_path / "new", SILENT)


def made(*statuses: str) -> ExerciseResult:
    tests = [(f"test {n}", status, 1.0, f"reason {n}", None) for n, status in enumerate(statuses)]
    return score_exercise("a/b/c", "C", 4.0, tests, 0.1)


@pytest.mark.parametrize(
    ("result", "score", "by_hand"),
    [
        (made("passed", "passed"), 4, False),
        (made("passed", "failed"), 2, False),
        (made("crashed", "failed"), 0, False),
        (made("passed", "not_assessed"), 2, True),
        (made("not_assessed", "not_assessed"), None, True),
        (None, None, True),
    ],
)
def test_scores(result: ExerciseResult | None, score: float | None, by_hand: bool) -> None:
    grade = SimpleNamespace(auto_score=9.0, manual_score=None, needs_manual_grade=None)
    set_score(grade, result)
    assert (grade.auto_score, grade.needs_manual_grade) == (score, by_hand)
    # A score that a person gave is theirs to look at again.
    grade.manual_score = 3.0
    set_score(grade, result)
    assert (grade.manual_score, grade.needs_manual_grade) == (3.0, True)


def test_feedback_is_lines_of_text_that_stay_what_they_are() -> None:
    test = TestResult("keeps\nit", "failed", 0, 1, "got \x1b[31m'<b>'\nScore: 100")
    result = ExerciseResult("a/b/c", "C", "failed", 0.5, 1.0, 0.25, 0.1, (test, test))
    text = feedback(result)
    assert text.splitlines()[0] == "failed: 0.5 of 1 points"
    assert text.splitlines()[1].startswith("keeps it: Got ")
    assert text.splitlines()[2] == "1 more test does not pass."
    assert "0.25 more points could not be assessed" in text
    assert "\x1b" not in text
