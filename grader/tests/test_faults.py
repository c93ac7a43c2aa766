"""Faults: what goes wrong without ill will. Nothing is lost, nothing hangs, and one clear line says what happened.

Each function of faults/ is one; its docstring says what goes wrong.
"""

from __future__ import annotations

import inspect
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from grader.course import Course
from grader.tests.faults import files, killing, surroundings
from grader.tests.faults.corpus import Scene, assert_gone, ending, family, kill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks for processes in /proc")

Fault = Callable[[Scene], None]
FAULTS: list[Fault] = [
    function
    for module in (killing, surroundings, files)
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and list(inspect.signature(function).parameters) == ["scene"]
]
KILLS = 6  # in the tests; more by hand
SEED = 20


def run_fault(fault: Fault, folder: Path) -> None:
    fault(Scene(folder))


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, course: Course, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict]:
    """What becomes of the faults that are to be tested: most of their time they wait, so two or more at once."""
    found: dict[str, Future[None]] = {}
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as executor:
        for item in request.session.items:
            if isinstance(item, pytest.Function) and item.module is sys.modules[__name__] and hasattr(item, "callspec"):
                parameters = item.callspec.params
                if "fault" in parameters:
                    fault = parameters["fault"]
                    found[fault.__name__] = executor.submit(run_fault, fault, tmp_path_factory.mktemp("fault"))
                elif "moment" in parameters:
                    moment = parameters["moment"]
                    found[f"kill {moment}"] = executor.submit(kill_at, moment, tmp_path_factory.mktemp("kill"))
        yield found
        executor.shutdown(cancel_futures=True)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_ends_in_a_clear_way(fault: Fault, runs: dict[str, Future[None]]) -> None:
    runs[fault.__name__].result(timeout=290)


def test_there_are_thirty_faults_and_each_says_what_goes_wrong() -> None:
    assert len(FAULTS) >= 30
    assert all(fault.__doc__ for fault in FAULTS)


def kill_at(moment: int, folder: Path) -> None:
    """`kill -9` of any one process of a `grade`, at a moment drawn from a seed."""
    rng = random.Random(SEED * 1000 + moment)
    scene = Scene(folder)
    text = scene.lesson.read_text(encoding="utf-8")
    # Long enough to be hit in the middle: at import, and in each call.
    scene.lesson.write_text("import time\ntime.sleep(1)\n" + text, encoding="utf-8")
    process = scene.start()
    seen: dict[int, str] = {}
    share = rng.random()
    victim: int | None = None
    while process.poll() is None:
        everyone = {process.pid: "grade", **family(process.pid)}
        seen |= everyone
        # At every stage one may be hit: alone at first, then with bubblewrap, the zygote, workers.
        if rng.random() < 0.004 + 0.02 * share * (len(everyone) > 1):
            victim = rng.choice(list(everyone))
            kill(victim)
            break
        time.sleep(0.02)
    ended = ending(process)
    if victim == process.pid:
        assert ended.status == -signal.SIGKILL, ended
        if ended.out:  # It had come to its end but for the exit.
            score = json.loads(ended.out)["score"]
            assert score["points"] == score["max_points"] > 0, ended
    elif ended.status == 0:
        score = json.loads(ended.out)["score"]
        assert score["points"] == score["max_points"] > 0, (victim, seen.get(victim or 0), ended.out)
    else:
        assert ended.status == 2, ended
        assert ended.out == "", ended
        assert ended.err.startswith("grader: "), ended
        assert ended.err.count("\n") == 1, ended
    seen.pop(process.pid, None)
    assert_gone(seen)


@pytest.mark.parametrize("moment", range(KILLS))
def test_a_kill_of_any_process_at_any_moment_gives_no_wrong_score(moment: int, runs: dict[str, Future[None]]) -> None:
    runs[f"kill {moment}"].result(timeout=290)


def test_nothing_is_left_in_the_temporary_folder_by_a_grade(tmp_path: Path, course: Course) -> None:
    scene = Scene(tmp_path / "scene")
    room = tmp_path / "room"
    room.mkdir()
    scene.environment["TMPDIR"] = str(room)
    for options in ((), ("--isolation", "process")):
        assert scene.grade(scene.submission, "--json", "-", *options).status == 0
        assert list(room.iterdir()) == []
    assert tempfile.gettempdir() != str(room)
