"""Grades of a class in nbgrader's gradebook, read back through its API, from SQLite and from a real PostgreSQL."""

from __future__ import annotations

import csv
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from grader.classroom.arrival import Arrival
from grader.classroom.grades import ClassGrades, StudentGrade
from grader.cli import app
from grader.course import ROOT, Course, Exercise
from grader.errors import GraderError
from grader.gradebook.opening import open_gradebook, without_password
from grader.gradebook.writing import write_grades
from grader.judge import judge
from grader.result import ExerciseResult, Result, TestResult
from grader.submission import Submission
from grader.workers import WorkerPool

pytestmark = pytest.mark.timeout(600)  # databases and nbgrader's commands, on a machine that may be busy

PASSWORD = "pass/word@of:the'class"
DUE = 1_764_000_000.0  # 2025-11-24, 16:00:00 UTC


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL: `url` of the database NAME."""

    port: int

    def url(self, name: str, password: str = PASSWORD) -> str:
        from sqlalchemy.engine import URL

        made = URL.create("postgresql", "instructor", password, "127.0.0.1", self.port, name)
        return made.render_as_string(hide_password=False)


def programs() -> Path | None:
    """Where PostgreSQL's server programs are: Debian keeps them off the path."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    return Path(found).parent if found else next((f for f in folders if (f / "initdb").exists()), None)


def ordinary_user() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: options of subprocess that make it someone else."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    pytest.skip("running as root, and there is no ordinary user to run PostgreSQL as")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL that this run starts, with passwords, and ends."""
    bin_folder = programs()
    if bin_folder is None:
        pytest.skip("PostgreSQL's server is not installed (Debian: apt-get install postgresql)")
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    someone = ordinary_user()
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # a short path: its socket's is limited
    try:
        (folder / "password").write_text(PASSWORD)
        (folder / "log").touch()
        if someone:
            for path in (folder, folder / "password", folder / "log"):
                os.chown(path, someone["user"], someone["group"])
        data = folder / "data"

        def run(program: str, *arguments: str) -> None:
            done = subprocess.run(
                [str(bin_folder / program), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=(folder / "log").open("a"),
                cwd=folder,
                timeout=120,
                **someone,
            )
            assert done.returncode == 0, (folder / "log").read_text()

        run(
            "initdb",
            "-D",
            str(data),
            "-U",
            "instructor",
            "--pwfile",
            str(folder / "password"),
            "-A",
            "scram-sha-256",
            "-N",
        )
        options = f"-h 127.0.0.1 -p {port} -k {folder} -c fsync=off"
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), "-o", options, "-w", "-t", "100", "start")
        try:
            yield Server(port)
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook with nothing in it: to make one, nbgrader starts a program that takes seconds."""
    path = tmp_path_factory.mktemp("empty") / "gradebook.db"
    with open_gradebook(str(path)):
        pass
    return path


@pytest.fixture(scope="module")
def empty_database(server: Server) -> str:
    """The name of such a database on the server."""
    create(server, "empty_gradebook")
    with open_gradebook(server.url("empty_gradebook")):
        pass
    return "empty_gradebook"


def create(server: Server, name: str, template: str = "template1") -> None:
    import psycopg

    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty gradebook, of both kinds that instructors use."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty"), tmp_path / "grade book.db")
        return f"sqlite:///{tmp_path / 'grade book.db'}"
    server, name = request.getfixturevalue("server"), f"class {tmp_path.name}"
    create(server, name, request.getfixturevalue("empty_database"))
    return server.url(name)


@contextmanager
def gradebook(url: str) -> Iterator[Any]:
    """nbgrader's own API."""
    from nbgrader.api import Gradebook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Gradebook(url) as opened:
            yield opened


def outcome(exercise: Exercise, share: float, missing: float = 0.0) -> ExerciseResult:
    """A result with this share of the points that could be had, and a part `missing` of all that could not."""
    most = exercise.points * (1 - missing)
    status = "not_assessed" if missing == 1 else "passed" if share == 1 else "failed" if share else "not_attempted"
    tests = (TestResult("works", status, most * share, most),)
    return ExerciseResult(
        exercise.id, exercise.title, status, most * share, most, exercise.points * missing, 0.1, tests
    )


def result_of(*exercises: ExerciseResult) -> Result:
    return Result("x", "sandbox", 1, "2.14", None, exercises)


@pytest.fixture
def grades(course: Course) -> ClassGrades:
    """Two lessons, and students of every kind."""
    exercises = course.select(["views", "exchange"])

    def all_with(share: float, **special: float) -> Result:
        return result_of(*(outcome(e, share, special.get(e.name, 0.0)) for e in exercises))

    students = (
        StudentGrade("ada", "ada", all_with(1.0), name="Ada King Lovelace", email="ada@example.org"),
        StudentGrade(
            "late", "late.zip", all_with(0.5), late_seconds=90_000, penalty=0.2, arrived=Arrival(DUE + 90_000, "commit")
        ),
        StudentGrade("missing", "", None, problem="nothing was handed in"),
        StudentGrade("no-gpu", "no-gpu", all_with(1.0, hwc_to_chw=1.0, transpose_view=0.5)),
        StudentGrade("unlucky", "unlucky", None, problem="could not be graded: the grader ended"),
    )
    return ClassGrades("class", exercises, students, "sandbox", 1, 2.0)


def dump(url: str) -> dict[str, Any]:
    """All that the gradebook holds, but for its own ids."""
    with gradebook(url) as book:
        return {
            "students": {s.id: (s.first_name, s.last_name, s.email) for s in book.students},
            "assignments": {a.name: (a.max_score, str(a.duedate)) for a in book.assignments},
            "comments": sorted((n.student.id, c.name) for n in all_notebooks(book) for c in n.comments),
            "late": {(n.student.id, n.name): n.late_submission_penalty or 0.0 for n in all_notebooks(book)},
            "times": {(n.student.id, n.name): str(n.assignment.timestamp) for n in all_notebooks(book)},
            "grades": sorted(
                (n.student.id, n.name, g.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.max_score)
                for n in all_notebooks(book)
                for g in n.grades
            ),
        }


def all_notebooks(book: Any) -> list[Any]:
    return [n for a in book.assignments for s in book.assignment_submissions(a.name) for n in s.notebooks]


def points_of(url: str, student: str) -> dict[str, tuple[float | None, bool]]:
    return {name: (score, by_hand) for who, _, name, score, _, by_hand, _ in dump(url)["grades"] if who == student}


def test_scores_are_read_back_through_nbgrader(url: str, grades: ClassGrades, course: Course) -> None:
    written = write_grades(grades, course, url, due=DUE)
    assert (written.assignments, written.students, written.scores, written.by_hand) == (2, 5, 28, 9)
    assert PASSWORD not in str(written)
    points = {exercise.name: exercise.points for exercise in grades.exercises}
    assert points_of(url, "ada") == {name: (most, False) for name, most in points.items()}
    assert points_of(url, "late") == {name: (most / 2, False) for name, most in points.items()}
    assert points_of(url, "missing") == {}
    assert points_of(url, "unlucky") == dict.fromkeys(points, (None, True))
    expected = {name: (most, False) for name, most in points.items()}
    expected |= {"hwc_to_chw": (None, True), "transpose_view": (points["transpose_view"] / 2, True)}
    assert points_of(url, "no-gpu") == expected
    with gradebook(url) as book:
        submission = book.find_submission("tensors-views", "late")
        assert (submission.score, submission.max_score) == (3.5, 7)
        assert submission.late_submission_penalty == pytest.approx(0.7)
        assert submission.total_seconds_late == 90_000
        assert [student.id for student in book.students] == ["ada", "late", "missing", "no-gpu", "unlucky"] or len(
            book.students
        ) == 5
    assert dump(url)["students"]["ada"] == ("Ada King", "Lovelace", "ada@example.org")


def test_a_second_run_changes_nothing(url: str, grades: ClassGrades, course: Course) -> None:
    write_grades(grades, course, url, due=DUE)
    before = dump(url)
    assert len(before["grades"]) == 28
    assert len(before["comments"]) == 28
    write_grades(grades, course, url, due=DUE)
    assert dump(url) == before


def test_a_later_run_brings_scores_up_to_date_and_leaves_a_person_s_alone(
    url: str, grades: ClassGrades, course: Course
) -> None:
    write_grades(grades, course, url)
    with gradebook(url) as book:
        by_hand = book.find_grade("hwc_to_chw", "views", "tensors-views", "no-gpu")
        by_hand.manual_score, by_hand.needs_manual_grade = 1.0, False
        seen = book.find_grade("hwc_to_chw", "views", "tensors-views", "late")
        seen.manual_score, seen.needs_manual_grade = 0.75, False
        book.db.commit()
    better = tuple(outcome(exercise, 1.0) for exercise in grades.exercises)
    students = tuple(
        replace(s, result=result_of(*better)) if s.student in ("late", "unlucky") else s for s in grades.students
    )
    write_grades(replace(grades, students=students), course, url)
    with gradebook(url) as book:
        grade = book.find_grade("hwc_to_chw", "views", "tensors-views", "no-gpu")
        assert (grade.score, grade.manual_score, grade.needs_manual_grade) == (1.0, 1.0, False)
        # The work is another one now: what a person gave stays, and is to be looked at again.
        grade = book.find_grade("hwc_to_chw", "views", "tensors-views", "late")
        assert (grade.score, grade.auto_score, grade.needs_manual_grade) == (0.75, 1.0, True)
        assert book.find_submission("tensors-views", "late").late_submission_penalty == pytest.approx(0.2 * 6.75)
    points = {exercise.name: exercise.points for exercise in grades.exercises}
    assert points_of(url, "unlucky") == {name: (most, False) for name, most in points.items()}


def test_export_shows_them(url: str, grades: ClassGrades, course: Course, tmp_path: Path) -> None:
    write_grades(grades, course, url, due=DUE)
    arguments = ["export", "--to", str(tmp_path / "out.csv"), f"--CourseDirectory.db_url={url}"]
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["student_id"]: row for row in csv.DictReader(file) if row["assignment"] == "tensors-views"}
    assert {name: float(row["score"]) for name, row in rows.items()} == pytest.approx(
        {"ada": 7.0, "late": 2.8, "missing": 0.0, "no-gpu": 4.5, "unlucky": 0.0}
    )
    assert float(rows["late"]["late_submission_penalty"]) == pytest.approx(0.7)
    assert rows["late"]["duedate"] == "2025-11-24 16:00:00"
    assert rows["ada"]["last_name"] == "Lovelace"


def test_a_lesson_that_was_not_handed_in_is_no_submission(
    course: Course, pool: WorkerPool, empty: Path, tmp_path: Path, grades: ClassGrades
) -> None:
    """With the judge's own words for it, whatever they become."""
    exercises = grades.exercises[:1]
    nothing = judge(Submission("nobody", {}), exercises, pool, seed=1, gpu="off")
    student = StudentGrade("nobody", "nobody", nothing)
    url = str(shutil.copy(empty, tmp_path / "gradebook.db"))
    written = write_grades(replace(grades, exercises=exercises, students=(student,)), course, url)
    assert (written.students, written.scores) == (1, 0)
    assert dump(f"sqlite:///{url}")["grades"] == []


def test_other_students_scores_stay(url: str, course: Course, grades: ClassGrades) -> None:
    write_grades(replace(grades, students=grades.students[:1]), course, url)
    cells = {grade[2] for grade in dump(url)["grades"]}
    write_grades(replace(grades, students=grades.students[1:2]), course, url)
    after = dump(url)["grades"]
    assert {grade[2] for grade in after} == cells
    assert {grade[0] for grade in after} == {"ada", "late"}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is no address of a gradebook"),
        ("postgresql://u:secret@h:port/db", "is no address of a gradebook"),
        ("://u:secret@h/db", "is no address of a gradebook"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:////no/such/folder/gradebook.db", "there is no folder /no/such/folder"),
        ("oracle9://u:secret@h/db", "kind of database that is not known"),
        ("postgresql+asyncpg://u:secret@h/db", "needs the package asyncpg"),
        ("postgresql://u:secret@127.0.0.1:1/db", "cannot be opened"),
        ("postgresql://u@127.0.0.1:1/db?password=secret", "cannot be opened"),
        ("postgresql://u:se:cr@secret@127.0.0.1:1/db", "write @ as %40"),
    ],
)
def test_an_address_that_does_not_work_gets_one_line(url: str, says: str) -> None:
    with pytest.raises(GraderError, match=says) as caught, open_gradebook(url):
        pass
    text = str(caught.value)
    assert "\n" not in text
    assert "secret" not in text
    assert "se:cr" not in text
    assert len(text) < 600


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        pytest.raises(GraderError, match=r"pip install 'psycopg\[binary\]'`") as caught,
        open_gradebook("postgresql://u:secret@h/db"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_a_wrong_password_or_database_is_said_without_the_password(server: Server) -> None:
    with (
        pytest.raises(GraderError, match="check user and password") as caught,
        open_gradebook(server.url("x", "wr0ng!")),
    ):
        pass
    assert "wr0ng!" not in str(caught.value)
    with pytest.raises(GraderError, match="createdb nowhere") as caught, open_gradebook(server.url("nowhere")):
        pass
    assert PASSWORD not in str(caught.value)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("no database " * 1000)
    with (
        pytest.raises(GraderError, match=r"notes\.db cannot be opened") as caught,
        open_gradebook(str(tmp_path / "notes.db")),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_passwords_are_not_shown() -> None:
    assert without_password("postgresql://u:p@h:5/db") == "postgresql://u:***@h:5/db"
    assert without_password("postgresql://u:p@ss@h/db") == "postgresql://u:***@h/db"
    assert without_password("sqlite:///grades.db") == "sqlite:///grades.db"


def test_the_class_command_writes_it(tmp_path: Path, empty: Path, course: Course, pool: WorkerPool) -> None:
    book = shutil.copy(empty, tmp_path / "gradebook.db")
    for student, kind in (("right", "solutions"), ("stub", "exercises")):
        (tmp_path / "class" / student / "tensors").mkdir(parents=True)
        shutil.copy(ROOT / kind / "tensors" / "views.py", tmp_path / "class" / student / "tensors" / "views.py")
    options = ["-e", "views", "--gpu", "off", "--jobs", "1"]
    done = CliRunner().invoke(app, ["class", str(tmp_path / "class"), *options, "--gradebook", str(book)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert f"Gradebook {book}: 6 scores of 2 students in 1 assignment" in said
    points = {exercise.name: exercise.points for exercise in course.lesson("tensors/views").exercises}
    assert points_of(f"sqlite:///{book}", "right") == {name: (most, False) for name, most in points.items()}
    assert points_of(f"sqlite:///{book}", "stub") == dict.fromkeys(points, (0, False))


def test_an_address_that_is_wrong_is_told_before_anything_is_graded(tmp_path: Path) -> None:
    (tmp_path / "someone").mkdir()
    arguments = ["class", str(tmp_path), "--gradebook", "postgresql://u:secret@127.0.0.1:1/db"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("grader: the gradebook postgresql://u:***@127.0.0.1:1/db cannot be opened")
    assert refused.stderr.count("\n") == 1
    assert "secret" not in refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["someone"]
