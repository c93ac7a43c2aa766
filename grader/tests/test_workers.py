"""Workers and isolation: how processes are started, asked, given up on, and what is said when that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from grader import isolation
from grader.course import ROOT, Course, Exercise
from grader.errors import GraderFailed, NoIsolation
from grader.isolation import Isolation, start_isolation
from grader.observing import Unanswered
from grader.submission import LessonSource, Segment
from grader.workers import WorkerObserver, WorkerPool

LESSON = """
import os, sys, time

def double(x):
    print("doubling", x)
    return 2 * x

def end():
    os._exit(3)

def loop():
    while True:
        pass

def set_mark():
    global mark
    mark = True

def has_mark():
    return "mark" in globals()

def where():
    return os.getcwd(), sorted(os.environ)
"""


def observer_of(pool: WorkerPool, exercise: Exercise, text: str = LESSON, seconds: float = 10) -> WorkerObserver:
    source = LessonSource(exercise.lesson_id, "lesson.py", (Segment(text),))
    return WorkerObserver(pool, {exercise.lesson_id: source}, seconds)


@pytest.fixture(scope="module", params=["sandbox", "forked", "spawned"])
def any_pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    """A pool of every kind that this machine can have; "spawned" is what systems without fork get."""
    if request.param == "spawned":
        folder = str(tmp_path_factory.mktemp("scratch"))
        level = Isolation("process", None, environment=isolation._ENVIRONMENT | {"TMPDIR": folder, "HOME": folder})
    else:
        if sys.platform != "linux":
            pytest.skip("forking is for Linux")
        try:
            level = start_isolation("sandbox" if request.param == "sandbox" else "process")
        except NoIsolation as error:
            pytest.skip(str(error))
    pool = WorkerPool(level, spares=1)
    yield pool
    pool.close()
    level.close()


def test_probes_bring_back_data_and_what_was_printed(any_pool: WorkerPool, course: Course) -> None:
    exercise = course.exercises[0]
    observer = observer_of(any_pool, exercise)
    assert observer.observe(exercise, lambda m: m.double(21)) == 42
    observer.close()
    assert observer.printed[exercise.id] == "doubling 21\n"


def test_each_exercise_has_a_process_of_its_own(any_pool: WorkerPool, course: Course) -> None:
    first, second = course.exercises[:2]
    observer = observer_of(any_pool, first)
    observer.observe(first, lambda m: m.set_mark())
    assert observer.observe(first, lambda m: m.has_mark())
    assert not observer.observe(second, lambda m: m.has_mark())
    observer.close()


def test_the_environment_holds_nothing_of_ours(
    any_pool: WorkerPool, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = course.exercises[0]
    observer = observer_of(any_pool, exercise)
    folder, names = observer.observe(exercise, lambda m: m.where())  # type: ignore[misc]
    observer.close()
    assert set(names) - {"PWD", "LC_CTYPE"} <= set(isolation._ENVIRONMENT)
    assert not any(os.path.exists(os.path.join(folder, name)) for name in ("solutions", "tests"))


def test_an_ended_worker_is_replaced(any_pool: WorkerPool, course: Course) -> None:
    exercise = course.exercises[0]
    observer = observer_of(any_pool, exercise)
    with pytest.raises(Unanswered, match="exit status 3") as seen:
        observer.observe(exercise, lambda m: m.end())
    assert seen.value.status == "crashed"
    assert observer.observe(exercise, lambda m: m.double(1)) == 2
    observer.close()


def test_time_that_is_used_up_is_the_exercises_own(any_pool: WorkerPool, course: Course) -> None:
    slow, other = course.exercises[:2]
    assert slow.lesson_id == other.lesson_id
    observer = observer_of(any_pool, slow, seconds=2)
    for _ in range(3):  # Only the first has to wait.
        with pytest.raises(Unanswered, match="within 2 seconds") as seen:
            observer.observe(slow, lambda m: m.loop())
        assert seen.value.status == "timeout"
    assert observer.observe(other, lambda m: m.double(2)) == 4
    observer.close()


def test_a_file_that_does_not_run_is_run_once(any_pool: WorkerPool, course: Course) -> None:
    first, second = course.exercises[:2]
    observer = observer_of(any_pool, first, "import nothing_of_this_name")
    before = any_pool.count
    for exercise in (first, second, first):
        with pytest.raises(Unanswered, match=r"does not run.*nothing_of_this_name.*line 1") as seen:
            observer.observe(exercise, lambda m: m.double(1))
        assert seen.value.status == "error"
    assert any_pool.count <= before + 2  # the one that ran it, and a spare in its place
    observer.close()


def test_a_killed_zygote_ends_grading_and_scores_nothing(course: Course) -> None:
    exercise = course.exercises[0]
    level = start_isolation("process")
    if level.zygote is None:
        pytest.skip("there is no zygote on this system")
    observer = observer_of(WorkerPool(level), exercise)
    assert observer.observe(exercise, lambda m: m.double(1)) == 2
    os.kill(level.zygote.process.pid, signal.SIGKILL)
    with pytest.raises(GraderFailed, match="run it again"):
        observer.observe(exercise, lambda m: m.loop())
    level.close()


def test_without_a_sandbox_auto_says_why_and_sandbox_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise NoIsolation("bubblewrap is not installed")

    monkeypatch.setattr(isolation, "bubblewrap", missing)
    level = start_isolation("auto")
    assert level.level == "process"
    assert level.why == "bubblewrap is not installed"
    level.close()
    with pytest.raises(NoIsolation, match=r"bubblewrap is not installed.*--isolation process"):
        start_isolation("sandbox")


def test_a_refusing_kernel_is_no_sandbox(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As where user namespaces are switched off: bubblewrap says so and ends."""
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(isolation, "bubblewrap", lambda: str(program))
    level = start_isolation("auto")
    assert level.level == "process"
    assert "No permissions to create new namespace" in (level.why or "")
    level.close()


def test_nothing_is_left_in_the_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    level = start_isolation("process")
    assert list(tmp_path.iterdir())
    level.close()
    assert not list(tmp_path.iterdir())


LATE = """
import sys
before = set(sys.modules)
{text}
def late(names):
    import io, torch
    from PIL import Image
    file = io.BytesIO()
    torch.save({{"one": torch.ones(1)}}, file)
    torch.load(io.BytesIO(file.getvalue()))
    Image.new("L", (2, 2)).save(io.BytesIO(), "TIFF")
    list(torch.utils.data.DataLoader([1, 2], num_workers=1))
    torch.optim.SGD([torch.ones(1, requires_grad=True)], lr=0.1)
    return sorted(set(sys.modules) - before)
"""


def test_lessons_find_imported_what_they_import(pool: WorkerPool, course: Course) -> None:
    for lesson in course.lessons:
        exercise = lesson.exercises[0]
        observer = observer_of(pool, exercise, LATE.format(text=lesson.text))
        assert observer.observe(exercise, lambda m: m.late(None)) == [], lesson.id
        observer.close()


GATHER = """
from grader.worker.processes import gather_memory
kept = [bytes([number % 251]) * 1000 for number in range(50_000)]
gather_memory()
assert all(piece == bytes([number % 251]) * 1000 for number, piece in enumerate(kept))
print("whole")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it asks Linux")
def test_memory_that_is_gathered_holds_what_it_held() -> None:
    run = subprocess.run([sys.executable, "-c", GATHER], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "whole\n", run.stderr
