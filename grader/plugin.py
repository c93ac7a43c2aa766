"""The pytest plugin of hidden tests: markers `exercise`, `gpu`, `weight`; fixtures `observe`, `rng`.

Load it with `-p grader.plugin` (the project's pytest settings do). Run by hand, as in
`pytest tests/tensors --submission exercises`, probes run in pytest's own process, under the debugger if one is
on: for code one trusts. The judge gives it an observer that runs them in the submission's process instead.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
import torch

from grader.course import ROOT, Exercise, load_course
from grader.draws import Draws
from grader.observing import InProcessObserver, Observer, Probe, Unanswered
from grader.submission import read_submission
from grader.worker.probes import seeded

OBSERVER = pytest.StashKey[Observer]()
EXERCISE = pytest.StashKey[Exercise]()
NOT_ASSESSED = pytest.StashKey[str]()
PROBE = pytest.StashKey[Probe | None]()
NO_GPU = pytest.StashKey[str | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a run by hand."""
    group = parser.getgroup("grader", "hidden suites")
    group.addoption("--submission", default="exercises", help="what to test, in this process (default: exercises)")
    group.addoption("--seed", type=int, default=0, help="seed of the random inputs (default: 0)")
    group.addoption("--shuffle", action="store_true", help="run the tests in random order, drawn from the seed")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    config.addinivalue_line(
        "markers", "exercise(name): the tests of this class judge the exercise `name` of the lesson"
    )
    config.addinivalue_line("markers", "gpu: needs CUDA; not assessed where there is none")
    config.addinivalue_line("markers", "weight(number): this test's share of the exercise's points (default 1)")


def pytest_unconfigure(config: pytest.Config) -> None:
    """End what the observer started."""
    if OBSERVER in config.stash:
        config.stash[OBSERVER].close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Find out which exercise each test belongs to; shuffle if asked to.

    Raises:
        pytest.UsageError: a marker names no exercise of the lesson.
    """
    for item in items:
        marker = item.get_closest_marker("exercise")
        if marker is None:
            continue
        lesson_id = f"{item.path.parent.name}/{item.path.stem.removeprefix('test_')}"
        exercise_id = f"{lesson_id}/{marker.args[0]}"
        found = [exercise for exercise in load_course().exercises if exercise.id == exercise_id]
        if not found:
            raise pytest.UsageError(f"{item.nodeid} is marked for {exercise_id}, which is no exercise")
        item.stash[EXERCISE] = found[0]
        # The submission's process cannot import the suite: what a probe uses of it goes along.
        module = getattr(item, "module", None)
        if module is not None and module.__name__ not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
    if config.getoption("--shuffle"):
        random.Random(config.getoption("--seed")).shuffle(items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out gpu tests where there is no GPU, and note why."""
    if item.get_closest_marker("gpu") and EXERCISE in item.stash:
        stash = item.config.stash
        reason = stash[NO_GPU] if NO_GPU in stash else no_gpu()
        if reason:
            item.stash[NOT_ASSESSED] = reason
            pytest.skip(reason)


def no_gpu() -> str | None:
    """Why gpu-marked tests cannot run here; None if they can."""
    return None if torch.cuda.is_available() else "it needs a CUDA GPU, and this machine has none"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Draws:
    """Random inputs: a `grader.draws.Draws`, fresh for this test, repeated by the same `--seed`."""
    return Draws(request.config.getoption("--seed"), request.node.nodeid.rsplit("/", 1)[-1])


@pytest.fixture
def observe(request: pytest.FixtureRequest) -> Callable[[Callable[[Any], Any]], Any]:
    """Run a probe beside the submission and bring back data.

    The probe takes the learner's module and returns plain data (None, bool, int, float, complex, str, bytes, list,
    tuple, dict, set, tensors, arrays, dtypes, devices, sizes). A dict whose keys are names comes back with attributes.
    """
    observer = request.config.stash.get(OBSERVER, None)
    if observer is None:
        path = Path(request.config.getoption("--submission"))
        submission = read_submission(path if path.is_absolute() else ROOT / path, load_course())
        observer = request.config.stash[OBSERVER] = InProcessObserver(submission.lessons)
        torch.set_num_threads(1)  # As the judge and its workers do: what is computed here is small.
    exercise = request.node.stash[EXERCISE]
    gpu = request.node.get_closest_marker("gpu") is not None

    draws = Draws(request.config.getoption("--seed"), f"observe {request.node.nodeid.rsplit('/', 1)[-1]}")
    count = 0

    def observe_probe(probe: Callable[[Any], Any]) -> Any:
        __tracebackhide__ = True
        request.node.stash[PROBE] = probe
        nonlocal count
        count += 1
        try:
            # Global random numbers repeat too, so that one run can be compared with another.
            return observer.observe(exercise, functools.partial(seeded, probe, draws.seed + count), gpu)
        except Unanswered as unanswered:
            # pytest keeps the exception; what led here is the judge's own business.
            raise unanswered from None

    return observe_probe
