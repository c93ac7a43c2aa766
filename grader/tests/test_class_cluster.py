"""Tests of grading a class on a Dask cluster: the same grades, and nothing lost with a worker."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader.classroom import cluster
from grader.classroom.grading import ClassOptions, grade_class
from grader.course import ROOT, Course, Exercise
from grader.desk import DeskSettings
from grader.errors import GraderError
from grader.workers import WorkerPool

IDS = ("tensors/storage/shares_storage", "tensors/storage/element_offset")
SEED = 7


@pytest.fixture(scope="module")
def exercises(course: Course) -> tuple[Exercise, ...]:
    return course.select(["tensors/storage"])[:2]


@pytest.fixture(scope="module")
def two_workers(pool: WorkerPool) -> Iterator[Any]:
    """A scheduler with two worker processes of one thread each."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as started:
        yield started


def no_show(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def hand_in(folder: Path) -> Path:
    folder.mkdir()
    solutions = (ROOT / "solutions/tensors/storage.py").read_text(encoding="utf-8")
    for number in range(3):
        (folder / f"right-{number}.py").write_text(f"{solutions}\n# {number}\n")
        (folder / f"wrong-{number}.py").write_text(f"def shares_storage(a, b):\n    return {number}\n")
    (folder / "slow.py").write_text("import time\ndef shares_storage(a, b):\n    time.sleep(0.5)\n    return True\n")
    (folder / "exits.py").write_text("import os\ndef shares_storage(a, b):\n    os._exit(1)\n")
    return folder


def test_a_killed_worker_loses_nothing_and_grades_are_those_of_one_machine(
    two_workers: Any, tmp_path: Path, exercises: tuple[Exercise, ...], course: Course
) -> None:
    folder = hand_in(tmp_path / "class")
    here, there = (
        ClassOptions(tmp_path / "here", SEED, gpu="off", jobs=1, diagnosis=False),
        ClassOptions(tmp_path / "there", SEED, gpu="off", diagnosis=False, scheduler=two_workers.scheduler_address),
    )
    victims: list[int] = []

    def kill_one(what: str, done: int, total: int) -> None:
        if what == "grading" and done == 2:
            victim = next(iter(two_workers.workers.values())).pid
            victims.append(victim)
            os.kill(victim, signal.SIGKILL)

    grades = grade_class(folder, course, exercises, there, kill_one)
    assert victims
    assert not Path(f"/proc/{victims[0]}/exe").exists()
    assert all(student.result for student in grades.students)
    assert {student.points for student in grades.students} == {0.0, sum(exercise.points for exercise in exercises)}
    grade_class(folder, course, exercises, here, no_show)
    assert (tmp_path / "there/grades.csv").read_bytes() == (tmp_path / "here/grades.csv").read_bytes()


def test_a_worker_with_another_version_grades_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    order = cluster._Order("run", DeskSettings(IDS, SEED), "another fingerprint")
    with pytest.raises(GraderError, match=f"the worker on {socket.gethostname()} has another version"):
        cluster._desk(order)


def test_where_no_scheduler_is_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GraderError, match="no Dask scheduler answers at tcp"):
            list(cluster.judge_on_cluster([], DeskSettings(IDS, SEED), address))
    with pytest.raises(GraderError, match="no Dask scheduler answers at nonsense"):
        list(cluster.judge_on_cluster([], DeskSettings(IDS, SEED), "nonsense"))
