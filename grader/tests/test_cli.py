"""The command line as a person uses it, by its output and exit status.

What a process of its own makes no difference to is run in this one, beside a zygote that is there already: half of the
time that it takes to start a grader goes into importing torch, twice.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from grader import grading
from grader.cli import app
from grader.course import ROOT, load_course, read_bank, with_answer
from grader.errors import NoIsolation

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def grader(*arguments, root=ROOT, **options):
    environment = {**os.environ, "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, **options)


@pytest.fixture(scope="module")
def sandbox(course):
    """The sandbox that all graders in this process share; each has workers of its own."""
    try:
        with grading.isolated(course.exercises, course, "sandbox", "off") as level:
            yield level
    except NoIsolation as error:
        pytest.skip(str(error))


@contextmanager
def sharing(sandbox):
    """`grader(...)` in this process."""
    start = grading.isolated

    def isolated(exercises, course, wanted, gpu):
        return start(exercises, course, wanted, gpu) if wanted == "process" else closing(sandbox.copy())

    def run(*arguments):
        words = [str(argument) for argument in arguments]
        ended = CliRunner().invoke(app, words, env={"COLUMNS": "80"}, prog_name="grader")
        assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
        return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "isolated", isolated)
        patch.chdir(ROOT)
        yield run


@pytest.fixture
def grader_here(sandbox):
    with sharing(sandbox) as run:
        yield run


def assert_one_line(run, *fragments):
    """Exit status 2, nothing on standard output, one line on standard error that holds the fragments."""
    assert run.returncode == 2, run.stderr
    assert run.stdout == ""
    assert run.stderr.startswith("grader: ")
    assert run.stderr.count("\n") == 1, run.stderr
    for fragment in fragments:
        assert fragment in run.stderr


@pytest.fixture(scope="module")
def graded_solutions(sandbox):
    with sharing(sandbox) as run:
        return run("grade", "solutions", "--json", "-", "--seed", 7)


class TestGrade:
    def test_a_known_mistake_is_told_unless_that_is_switched_off_and_brief_feedback_leaves_values_out(
        self, tmp_path, grader_here
    ):
        lesson = load_course().lesson("tensors/views")
        wrong = next(answer for answer in read_bank(lesson) if "hwc_to_chw" in answer.exercise and answer.message)
        (tmp_path / "views.py").write_text(with_answer(lesson, wrong), encoding="utf-8")
        command = ("grade", tmp_path / "views.py", "-e", "hwc_to_chw", "--seed", 3, "--json", "-")
        full, brief = grader_here(*command), grader_here(*command, "--no-diagnosis", "--feedback", "brief")
        told, untold = (json.loads(run.stdout)["exercises"][0] for run in (full, brief))
        # None where this machine is too busy to find out in time; test_diagnosis.py asks for the message.
        assert told["misconception"] in (wrong.message, None)
        assert untold["misconception"] is None
        tests = [next(test for test in each["tests"] if test["status"] == "failed") for each in (told, untold)]
        assert tests[0]["comparison"]["inputs"]
        assert tests[0]["comparison"]["got"]["picture"]
        assert tests[1]["comparison"]["inputs"] == {}
        assert tests[1]["comparison"]["got"]["picture"] == tests[1]["comparison"]["got"]["near"] == []
        assert "should be" in tests[0]["message"]
        assert "should be" not in tests[1]["message"]

    def test_solutions_get_everything(self, graded_solutions):
        assert graded_solutions.returncode == 0, graded_solutions.stderr
        result = json.loads(graded_solutions.stdout)
        assert result["schema"] == "grader/result/v1"
        assert result["score"]["percent"] == 100
        assert sum(e["topic"] == "tensors" for e in result["exercises"]) == 16
        assert result["seed"] == 7

    def test_stubs_get_nothing_and_the_table_of_80_columns_says_what_to_do_next(self, grader_here, tmp_path):
        run = grader_here("grade", "exercises", "--json", tmp_path / "result.json")
        assert run.returncode == 0
        result = json.loads((tmp_path / "result.json").read_text())
        assert result["score"]["points"] == 0
        assert {e["status"] for e in result["exercises"]} == {"not_attempted"}
        assert max(map(len, run.stdout.splitlines())) <= 80
        assert run.stdout.count("not attempted") == len(result["exercises"])
        assert "0 of" in run.stdout
        first = load_course().exercises[0].id
        assert re.search(rf"Next\s+{first}", run.stdout)
        assert "Isolation" in run.stdout
        assert "\x1b" not in run.stdout

    def test_processes_without_a_sandbox_give_the_same_scores(self, graded_solutions, grader_here):
        run = grader_here("grade", "solutions", "--json", "-", "--seed", 7, "--isolation", "process", "-t", "tensors")
        result = json.loads(run.stdout)
        assert result["isolation"] == "process"
        both = json.loads(graded_solutions.stdout)["exercises"]
        points = {exercise["id"]: exercise["points"] for exercise in both if exercise["topic"] == "tensors"}
        assert {exercise["id"]: exercise["points"] for exercise in result["exercises"]} == points

    @needs_no_gpu
    def test_gpu_tests_are_not_assessed_without_a_gpu(self, graded_solutions):
        result = json.loads(graded_solutions.stdout)
        tests = [t for e in result["exercises"] for t in e["tests"] if t["status"] == "not_assessed"]
        assert tests
        assert all(t["max_points"] == 0 and "GPU" in t["message"] for t in tests)
        most = sum(e.points for e in load_course().exercises)
        assert result["score"]["max_points"] == pytest.approx(most - result["score"]["not_assessed_points"])

    @needs_no_gpu
    def test_a_required_gpu_that_is_not_there_ends_the_run(self, grader_here):
        assert_one_line(grader_here("grade", "solutions", "--gpu", "require", "-e", "move_to"), "--gpu require")

    def test_reports_to_files_and_the_same_result_for_the_same_seed(self, tmp_path, grader_here):
        text = (ROOT / "solutions/tensors/storage.py").read_text().replace("a.untyped_storage()", "a.clone()")
        (tmp_path / "storage.py").write_text(text)
        command = ("grade", tmp_path / "storage.py", "-e", "shares_storage", "--seed", 3)
        files = {kind: tmp_path / f"result.{kind}" for kind in ("json", "junit", "markdown")}
        options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
        to_files = grader(*command, *options, "--fail-under", "50")
        assert to_files.returncode == 1
        assert "shares_storage" in to_files.stdout
        assert ET.fromstring(files["junit"].read_bytes()).find("testsuite").get("failures") != "0"
        assert "tensors/storage/shares" in files["markdown"].read_text().replace("\\", "")
        assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*(f.name for f in files.values()), "storage.py"])
        to_output = grader_here(*command, "--json", "-")
        assert to_output.returncode == 0
        first, second = (json.loads(text)["exercises"] for text in (files["json"].read_text(), to_output.stdout))
        for exercise in (*first, *second):
            exercise.pop("seconds")
        assert first == second
        assert first[0]["status"] != "passed"

    def test_one_file_leaves_the_other_lessons_not_attempted(self, grader_here):
        result = json.loads(
            grader_here("grade", "solutions/tensors/views.py", "--json", "-", "-e", "views", "-e", "relu").stdout
        )
        statuses = {e["id"]: e["status"] for e in result["exercises"]}
        assert statuses.pop("tensors/broadcasting/relu") == "not_attempted"
        assert set(statuses.values()) == {"passed"}

    def test_a_notebook_with_magics(self, tmp_path, grader_here):
        from jupytext import read, write
        from nbformat.v4 import new_code_cell

        notebook = read(ROOT / "solutions/tensors/views.py")
        notebook.cells.insert(1, new_code_cell("%matplotlib inline\n!pip list\nimport math"))
        write(notebook, tmp_path / "views.ipynb")
        run = grader_here("grade", tmp_path / "views.ipynb", "-e", "views")
        assert run.returncode == 0, run.stderr
        assert "7 of 7 points" in run.stdout
        assert "2 shell or magic lines left out" in " ".join(run.stdout.split())

    def test_a_file_that_cannot_be_read_costs_its_own_lesson_alone(self, tmp_path, grader_here):
        shutil.copytree(ROOT / "solutions", tmp_path / "answers")
        lessons = tmp_path / "answers/tensors"
        (lessons / "storage.py").write_text("def shares_storage(a, b:\n")
        (lessons / "broadcasting.py").write_bytes("# é\n".encode("latin-1"))
        (lessons / "selecting.py").unlink()
        (lessons / "selecting.ipynb").write_text('{"cells": [')
        names = ("storage", "broadcasting", "selecting", "views")
        run = grader_here(
            "grade", tmp_path / "answers", "--json", "-", *(word for name in names for word in ("-e", name))
        )
        result = json.loads(run.stdout)
        assert run.returncode == 0
        said = {"storage": "line 1", "broadcasting": "is not UTF-8 text", "selecting": "notebook"}
        assert {exercise["id"].split("/")[1] for exercise in result["exercises"]} == set(names)
        for exercise in result["exercises"]:
            lesson = exercise["id"].split("/")[1]
            if lesson in said:
                assert exercise["status"] == "error"
                assert said[lesson] in exercise["tests"][0]["message"]
            else:
                assert exercise["status"] == "passed"


class TestWhatCannotBeGraded:
    def test_unknown_exercise_suggests_the_nearest(self, grader_here):
        assert_one_line(grader_here("grade", "-e", "share_storage"), "share_storage", "did you mean 'shares_storage'?")

    def test_unknown_topic(self, grader_here):
        assert_one_line(grader_here("grade", "-t", "tensor"), "'tensor'", "tensors")

    def test_missing_folder(self, grader_here):
        assert_one_line(grader_here("grade", "nowhere"), "nowhere", "does not exist")

    def test_a_path_that_a_terminal_would_obey_is_shown_as_text(self, tmp_path, grader_here):
        assert_one_line(grader_here("grade", tmp_path / "a\nb\x1b[31m"), r"a\nb\x1b[31m does not exist")

    def test_empty_folder(self, tmp_path, grader_here):
        assert_one_line(grader_here("grade", tmp_path), str(tmp_path), "holds no lesson")

    def test_another_kind_of_file(self, grader_here):
        assert_one_line(grader_here("grade", "README.md"), "README.md")

    def test_two_reports_to_standard_output(self, grader_here):
        assert_one_line(grader_here("grade", "--json", "-", "--junit", "-"), "standard output")

    def test_a_report_that_cannot_be_written_is_told_before_anything_is_graded(
        self, tmp_path, grader_here, monkeypatch
    ):
        monkeypatch.setattr(grading, "grade_submission", lambda *_, **__: pytest.fail("it was graded"))
        for target in (tmp_path / "no" / "result.json", tmp_path):
            run = grader_here("grade", "exercises", "-e", "relu", "--json", target)
            assert_one_line(run, str(target), "cannot be written")

    def test_an_option_that_does_not_exist(self, grader_here):
        run = grader_here("grade", "--frobnicate")
        assert run.returncode == 2
        assert "--frobnicate" in run.stderr
        assert "Traceback" not in run.stderr

    @pytest.mark.parametrize(
        ("moment", "number"),
        [
            ("starting", signal.SIGINT),
            ("starting", signal.SIGTERM),
            ("importing torch", signal.SIGINT),
            ("judging", signal.SIGINT),
            ("judging", signal.SIGTERM),
        ],
    )
    def test_interrupted(self, number, moment, tmp_path):
        text = "import time\ntime.sleep(9)\n"
        (tmp_path / "storage.py").write_text(text)
        command = [sys.executable, "-m", "grader", "grade", str(tmp_path / "storage.py"), "-e", "storage"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        # Interrupted where a person would be waiting: once the submission's processes have been started.
        while process.poll() is None and children.exists() and not children.read_text():
            time.sleep(0.02)
        if moment == "judging":
            time.sleep(5)
        elif moment == "importing torch":
            while "libtorch_cpu" not in Path(f"/proc/{process.pid}/maps").read_text():
                time.sleep(0.02)
        process.send_signal(number)
        said, complained = process.communicate(timeout=60)
        assert process.returncode == 2
        assert said == ""
        assert complained.startswith("grader: stopped")
        assert complained.count("\n") == 1

    def test_interrupted_while_python_executes_a_text(self, tmp_path):
        # As while a data class is made, in which Python's own exit status would hide ours.
        (tmp_path / "interrupted.py").write_text(
            "import sys\n"
            "from grader import cli\n"
            "from grader.cli import learning\n"
            "def interrupt(): raise KeyboardInterrupt\n"
            "learning.load_course = lambda: exec('interrupt()', globals())\n"
            "sys.argv = ['grader', 'list']\n"
            "cli.main()\n"
        )
        environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
        command = [sys.executable, "-m", "interrupted"]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert_one_line(run, "stopped before the end")


class TestOtherCommands:
    def test_list_names_every_exercise(self, grader_here):
        run = grader_here("list")
        assert run.returncode == 0
        for exercise in load_course().exercises:
            assert exercise.name in run.stdout

    def test_help_of_each_command(self, grader_here):
        for command in ([], ["grade"], ["list"], ["check"], ["bench"], ["build"], ["build", "exercises"]):
            run = grader_here(*command, "--help")
            assert run.returncode == 0
            assert "Usage" in run.stdout

    def test_build_refuses_to_overwrite_a_learner(self, course_copy):
        file = course_copy / "exercises/tensors/storage.py"
        file.write_text(file.read_text() + "# my notes\n")
        assert_one_line(grader("build", "exercises", root=course_copy), "exercises/tensors/storage.py", "--force")
        assert file.read_text().endswith("# my notes\n")
        run = grader("build", "exercises", "--force", root=course_copy)
        assert run.returncode == 0
        assert not file.read_text().endswith("# my notes\n")
        (kept,) = (course_copy / ".grader/backup").glob("*/tensors/storage.py")
        assert kept.read_text().endswith("# my notes\n")


def copy_course(folder: Path) -> Path:
    """The whole course in another folder, to be spoilt."""
    for name in ("grader", "solutions", "tests", "exercises", "data"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("attacks", "odd", "corpus"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture
def course_copy(tmp_path):
    return copy_course(tmp_path)


def test_a_missing_data_file_is_said_before_anything_is_graded(course_copy):
    (course_copy / "data/tables/wine.csv").unlink()
    run = grader("grade", "-e", "read_wine", root=course_copy)
    assert_one_line(run, "data/tables/wine.csv is missing", "git checkout -- data/tables/wine.csv")


def replace(file: Path, old: str, new: str):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    root = copy_course(tmp_path_factory.mktemp("spoilt"))
    replace(root / "solutions/tensors/views.py", "x.movedim(-1, -3)", "x.movedim(-1, 0)")
    suite = root / "tests/tensors/test_views.py"
    name = re.search(r"    def (test_\w+)\(", suite.read_text())[1]
    replace(suite, f"def {name}(", f"def no_{name}(")
    replace(root / "exercises/tensors/views.py", "Channels first", "Channels last")
    bank = root / "tests/tensors/answers_views.py"
    answer = '\n# %% hwc_to_chw wrong="is right"\n# No mistake.\ndef hwc_to_chw(x):\n    return x.movedim(-1, -3)\n'
    answer += '\n# %% hwc_to_chw right="is wrong"\ndef hwc_to_chw(x):\n    return x\n'
    bank.write_text(bank.read_text() + answer)
    run = grader("check", "-e", "hwc_to_chw", root=root)
    assert run.returncode == 1, run.stdout + run.stderr
    return " ".join(run.stdout.split())


class TestCheckFindsWhatIsWrong:
    """`grader check` on a course with faults: exit status 1, and the place of each."""

    def test_nothing_is_wrong(self, grader_here):
        run = grader_here("check", "--quick", "-e", "hwc_to_chw")
        assert run.returncode == 0, run.stdout
        assert "No findings" in run.stdout

    @pytest.mark.parametrize(
        ("place", "finding"),
        [
            pytest.param("tensors/views/hwc_to_chw", "the solution fails test", id="a bug in a solution"),
            pytest.param("solutions/tensors/views.py, hwc_to_chw", "a docstring example gives", id="and its example"),
            pytest.param("exercises/catalogue.json", "differs from what", id="a deleted test"),
            pytest.param("exercises/tensors/views.py", "differs from what", id="an edited stub"),
            pytest.param("tensors/answers_views.py", "'is right' is not caught", id="a wrong answer that is right"),
            pytest.param("tensors/answers_views.py", "'is wrong' is rejected by", id="a right answer that is wrong"),
            pytest.param(
                "tensors/answers_views.py", "an example rejects right answer 'is wrong'", id="and by examples"
            ),
        ],
    )
    def test_each_is_found(self, findings, place, finding):
        assert finding in findings.partition(place)[2]
