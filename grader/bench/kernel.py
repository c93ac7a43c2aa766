"""What a test cell of the nbgrader notebooks calls: an exercise's hidden tests on the notebook's own functions."""

from __future__ import annotations

import sys

import pytest

from grader import plugin
from grader.bench.tally import Tally, points_of
from grader.course import load_course
from grader.observing import InProcessObserver
from grader.submission import LessonSource
from grader.suites import run_pytest
from grader.worker.lesson import Names


class _NotebookTally(Tally):
    """Notes of a run whose probes find the notebook's names; `failure` is what `run_pytest` asks for."""

    failure: BaseException | None = None

    def __init__(self, exercise_id: str) -> None:
        super().__init__(only=exercise_id)
        lesson_id = exercise_id.rsplit("/", 1)[0]
        self.observer = InProcessObserver({lesson_id: LessonSource(lesson_id, "notebook")})
        self.observer.loaded[lesson_id] = Names(sys.modules["__main__"])

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.OBSERVER] = self.observer


def notebook_points(exercise_id: str, seed: int) -> float:
    """The points of one exercise, which nbgrader takes from a test cell's last value."""
    exercise = load_course().exercise(exercise_id)
    tally = _NotebookTally(exercise_id)
    run_pytest([exercise.lesson_id], tally, seed)
    return points_of(exercise, tally.tests)
