"""A pytest plugin that notes what became of each hidden test, for runs without the judge.

Load it with `-p grader.bench.tally --tally FILE` beside `grader.plugin`, or give an instance to `pytest.main`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from grader import plugin
from grader.course import Exercise
from grader.result import score_exercise


class Tally:
    """Notes of one run: `tests` has, by node id, the exercise, weight and status of each.

    `only`, if given, is the id of the one exercise whose tests run.
    """

    def __init__(self, only: str | None = None, target: str | None = None) -> None:
        self.only = only
        self.target = target
        self.tests: dict[str, dict[str, Any]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [
            item
            for item in items
            if plugin.EXERCISE in item.stash and self.only in (None, item.stash[plugin.EXERCISE].id)
        ]
        for item in items:
            marker = item.get_closest_marker("weight")
            weight = float(marker.args[0]) if marker else 1.0
            exercise_id = item.stash[plugin.EXERCISE].id
            self.tests[item.nodeid] = {"exercise": exercise_id, "weight": weight, "status": "failed"}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        report = yield
        if plugin.NOT_ASSESSED in item.stash:
            self.tests[item.nodeid]["status"] = "not_assessed"
        elif call.excinfo is not None:
            self.tests[item.nodeid]["status"] = "failed"
        elif call.when == "call":
            self.tests[item.nodeid]["status"] = "passed"
        return report

    def pytest_sessionfinish(self) -> None:
        if self.target:
            Path(self.target).write_text(json.dumps(self.tests), encoding="utf-8")


def points_of(exercise: Exercise, tests: dict[str, dict[str, Any]]) -> float:
    """An exercise's points from the tests that a `Tally` noted."""
    mine = [note for note in tests.values() if note["exercise"] == exercise.id]
    outcomes: list[tuple[str, str, float, str | None, int | None]]
    outcomes = [("", note["status"], note["weight"], None, None) for note in mine]
    return score_exercise(exercise.id, exercise.title, exercise.points, outcomes, 0.0).points


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of a run from the command line."""
    parser.getgroup("grader").addoption("--tally", metavar="FILE", help="write what became of each test, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Note this run, if asked to."""
    if target := config.getoption("--tally"):
        config.pluginmanager.register(Tally(target=target))
