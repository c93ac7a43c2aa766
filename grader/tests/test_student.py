"""The student version: what is in it, what is not, and that it grades with and without its key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.build.leaks import distinctive_lines, find_leaks
from grader.build.locking import cut_lock
from grader.build.student import NotBuilt, build_student, hidden_contents
from grader.course import ROOT, Course, read_bank, with_answer
from grader.public import public_checks
from grader.sealing import new_key, unseal

SEED = "11"
# One suite reads a photograph of the hidden files and the solutions.
LESSONS = ("tensors/storage", "pretrained/networks")


@pytest.fixture(scope="module")
def built(course: Course, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A student version in a folder of its own, and its key."""
    key = new_key()
    folder = tmp_path_factory.mktemp("class") / "template"
    assert build_student(course, ROOT, folder, key).key == key
    return folder, key


@pytest.fixture(scope="module")
def mixed(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission with right and wrong answers, one that never returns a value, and lessons left as they were."""
    folder = tmp_path_factory.mktemp("handed-in")
    shutil.copytree(ROOT / "solutions", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    for lesson_id in LESSONS:
        lesson = course.lesson(lesson_id)
        answers = [answer for answer in read_bank(lesson) if answer.message]
        text = with_answer(lesson, answers[0])
        (folder / f"{lesson_id}.py").write_text(text, encoding="utf-8")
    return folder


def grade(root: Path, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the grader of the course at `root`, there, with this Python."""
    environment = {name: value for name, value in os.environ.items() if name not in ("GRADER_KEY", "PYTHONPATH")}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"} | ({"GRADER_KEY": key} if key is not None else {})
    command = [sys.executable, "-m", "grader", "grade", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300)


def result_of(run: subprocess.CompletedProcess[str]) -> dict:
    """The JSON report, without what differs from run to run."""
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    for exercise in result["exercises"]:
        del exercise["seconds"]
    return result


CHOSEN = [word for lesson in LESSONS for word in ("-e", lesson)]


# What is in it


def test_it_holds_what_learners_need(built: tuple[Path, str], course: Course) -> None:
    folder, _ = built
    for lesson in course.lessons:
        assert "NotImplementedError" in (folder / "exercises" / f"{lesson.id}.py").read_text(encoding="utf-8")
    for name in (
        "Makefile README.md LICENSE pyproject.toml requirements.lock .gitignore .github/workflows/classroom.yml "
        ".github/classroom/autograding.json .devcontainer/devcontainer.json .classroom50/autograder.py "
        "exercises/catalogue.json grader/hidden.sealed grader/worker/serve.py data/DATA.md data/tables/wine.csv"
    ).split():
        assert (folder / name).is_file(), name
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{len(course.exercises)} of them in {len(course.lessons)} lessons" in readme
    assert "{" not in readme


def test_no_distinctive_line_of_solutions_suites_and_banks_is_anywhere_in_it(
    built: tuple[Path, str], course: Course
) -> None:
    folder, _ = built
    hidden = hidden_contents(ROOT)
    assert sum(name.startswith("solutions/") for name in hidden) == 18
    public = [path.read_text(encoding="utf-8") for path in (folder / "exercises").rglob("*") if path.is_file()]
    lines = [line for line in distinctive_lines(hidden, public) if len(line) >= 50][::4]
    assert len(lines) > 1000
    files = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    everything = b"\n".join(content for content in files.values() if b"\0" not in content)
    hints = "\n".join(hint for exercise in course.exercises for hint in exercise.hints)
    found = [line for line in lines if line.encode() in everything and line not in hints]
    assert found == []
    assert not [path for path in files if path.suffix in (".pyc", ".ipynb")]
    names = {path.name for path in folder.rglob("*")}
    assert not names & {"solutions", "tests", "__pycache__", "camera.png", "china.jpg", "flower.jpg"}


def test_the_sealed_file_holds_every_hidden_file(built: tuple[Path, str]) -> None:
    folder, key = built
    opened = unseal(folder / "grader" / "hidden.sealed", folder / "exercises" / "catalogue.json", key)
    assert opened == hidden_contents(ROOT)
    assert "tests/pretrained/photos/camera.png" in opened


@pytest.mark.parametrize(
    "place", ["data/note.txt", "exercises/tensors/views.py", "grader/course.py", "README.md", "x.json"]
)
def test_a_leak_is_found_wherever_it_is(built: tuple[Path, str], place: str, tmp_path: Path) -> None:
    hidden = {
        "solutions/tensors/views.py": b"def f(t):\n    return torch.as_strided(t, t.shape[::-1], t.stride()[::-1])\n"
    }
    line = hidden["solutions/tensors/views.py"].decode().splitlines()[1]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"a": [f"x\n{line}"]}) if place.endswith("json") else f"# nothing\n{line}\n")
    leaks = find_leaks(tmp_path, hidden, [])
    assert leaks == [f"{place} holds a line of solutions/tensors/views.py: {line.strip()[:80]}"]
    assert find_leaks(tmp_path, hidden, [line]) == [], "what is public is no leak"


def test_bytecode_copies_and_folders_are_leaks(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.png").write_bytes(b"\x89PNG\0photo")
    (tmp_path / "grader" / "__pycache__").mkdir(parents=True)
    (tmp_path / "grader" / "__pycache__" / "views.cpython-311.pyc").write_bytes(b"\0")
    (tmp_path / "solutions").mkdir()
    (tmp_path / "link").symlink_to("data")
    leaks = "\n".join(find_leaks(tmp_path, {"tests/a.png": b"\x89PNG\0photo"}, []))
    for said in (
        "data/x.png is a copy of tests/a.png",
        "__pycache__/ has",
        ".pyc has",
        "solutions/ has",
        "link is a link",
    ):
        assert said in leaks


def test_a_folder_with_something_else_in_it_is_left_alone(course: Course, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(NotBuilt, match="holds something else"):
        build_student(course, ROOT, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(NotBuilt, match="holds this repository"):
        build_student(course, ROOT, ROOT)
    with pytest.raises(NotBuilt, match="is a file"):
        build_student(course, ROOT, tmp_path / "thesis.txt")


def test_an_earlier_version_is_replaced_and_its_history_stays(
    built: tuple[Path, str], course: Course, tmp_path: Path
) -> None:
    folder = tmp_path / "template"
    shutil.copytree(built[0], folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    (folder / "exercises" / "old.py").write_text("")
    build_student(course, ROOT, folder)
    assert (folder / ".git" / "HEAD").read_text() == "ref"
    assert not (folder / "exercises" / "old.py").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["template"], "no drafts are left"


def test_the_lock_holds_what_the_grader_needs_and_no_more() -> None:
    lock = '# why\ntorch==1\nnvidia-x==1; sys_platform == "linux"\nMarkupSafe==1\njinja2==1\nnbgrader==1\n'
    assert cut_lock(lock, ["jinja2>=3", "not-installed-here"]) == "# why\nMarkupSafe==1\njinja2==1\n"


# Grading with it


@pytest.fixture(scope="module")
def in_full(mixed: Path) -> dict:
    return result_of(grade(ROOT, str(mixed), "--json", "-", "--seed", SEED, *CHOSEN))


def test_with_the_key_the_score_is_the_full_repositorys(built: tuple[Path, str], mixed: Path, in_full: dict) -> None:
    folder, key = built
    before = {path for path in folder.rglob("*") if ".grader" not in path.parts}
    sealed = result_of(grade(folder, str(mixed), "--json", "-", "--seed", SEED, *CHOSEN, key=key))
    assert sealed == in_full
    assert {e["status"] for e in sealed["exercises"]} > {"passed"}
    assert 0 < sealed["score"]["percent"] < 100
    assert {path for path in folder.rglob("*") if ".grader" not in path.parts} == before, "nothing was written"


def test_without_a_key_the_public_checks_run_and_are_called_that(
    built: tuple[Path, str], mixed: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(built[0], folder)
    shutil.copy(mixed / "tensors" / "storage.py", folder / "exercises" / "tensors" / "storage.py")
    run = grade(folder, "--json", "result.json", "-t", "tensors", key="")
    assert run.returncode == 0, run.stderr
    assert "Public checks only" in run.stdout
    result = json.loads((folder / "result.json").read_text())
    assert result["checks"] == "public"
    status = {e["id"]: e["status"] for e in result["exercises"]}
    assert {status[name] for name in status if "/storage/" not in name} == {"not_attempted"}
    assert "passed" in {status[name] for name in status if "/storage/" in name}


@pytest.mark.parametrize(
    ("key", "said"),
    [("short", "GRADER_KEY is no key"), (new_key(), "does not open grader/hidden")],
    ids=["short", "of another course"],
)
def test_a_wrong_key_is_said_in_one_line(built: tuple[Path, str], key: str, said: str) -> None:
    run = grade(built[0], key=key)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("grader: ")
    assert run.stderr.count("\n") == 1
    assert said in run.stderr
    assert key not in run.stderr


def test_a_missing_sealed_file_is_said_where_there_is_a_key(built: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(built[0], folder)
    (folder / "grader" / "hidden.sealed").unlink()
    run = grade(folder, key=built[1])
    assert run.returncode == 2
    assert "grader/hidden.sealed is missing" in run.stderr


def test_folders_of_the_authors_names_judge_nothing(built: tuple[Path, str], tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    shutil.copytree(built[0], folder)
    (folder / "solutions" / "tensors").mkdir(parents=True)
    (folder / "tests" / "tensors").mkdir(parents=True)
    (folder / "conftest.py").write_text("raise SystemExit(0)")
    result = result_of(grade(folder, "--json", "-", "-e", "shares_storage", key=built[1]))
    assert result["checks"] == "hidden"
    assert result["score"]["points"] == 0


def test_commands_for_authors_say_that_they_need_more(built: tuple[Path, str]) -> None:
    for command in (["check"], ["build", "student"]):
        run = subprocess.run([sys.executable, "-m", "grader", *command], cwd=built[0], capture_output=True, text=True)
        assert run.returncode == 2
        assert "which a student version does not have" in run.stderr
        assert run.stderr.count("\n") == 1


# Public checks


def test_every_exercise_has_a_public_check(course: Course) -> None:
    for exercise in course.exercises:
        assert list(public_checks(exercise)), exercise.id
