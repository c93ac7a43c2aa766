"""Runs hidden suites under pytest, in this process: once from a cold start, or again and again on kept ones."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import pytest

from grader.collecting import suites_of
from grader.course import ROOT, suite_path
from grader.errors import CourseError
from grader.hidden import hidden_files

TEST_SECONDS = 120
# Parts of pytest that a verdict does not need; the second collects all garbage twice a run, which takes 0.3 s.
_UNUSED_PLUGINS = (
    "cacheprovider unraisableexception threadexception logging doctest junitxml pastebin stepwise setuponly "
    "setupplan debugging faulthandler warnings recwarn legacypath subtests"
).split()


class Watcher(Protocol):
    """The pytest plugin of one run. `failure` is what ended the run early, if anything did."""

    failure: BaseException | None


# Runs the suites of some lessons with a plugin and a seed.
RunSuites = Callable[[list[str], Any, int], None]


def run_pytest(lesson_ids: Sequence[str], watcher: Watcher, seed: int) -> None:
    """One pytest session over the suites of some lessons, silent, with this module's own settings alone.

    Raises:
        CourseError: pytest could not collect or run them.
    """
    arguments, opener = suites_of(lesson_ids)
    arguments += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-o", "addopts=", "-p", "grader.plugin"]
    arguments += ["-p", "pytest_timeout", "-o", f"timeout={TEST_SECONDS}", "--seed", str(seed)]
    arguments += ["-q", "--tb=no", "--assert=plain", "--capture=no", "--import-mode=importlib", "--noconftest"]
    arguments += [word for name in _UNUSED_PLUGINS for word in ("-p", f"no:{name}")]
    output = io.StringIO()
    with _own_settings(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        status = pytest.main(arguments, plugins=[watcher, *opener])
    fine = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    if status not in fine and watcher.failure is None:
        raise CourseError(f"the hidden suites cannot run:\n{output.getvalue().strip()[-2000:]}")


def keep_suites(lesson_ids: Sequence[str], work: Callable[[RunSuites], None]) -> None:
    """Have pytest collect the suites of some lessons once, and call `work` with what runs them as `run_pytest` does.

    Setting up a session of pytest and collecting take longer than the tests of a small exercise. Here they
    are done, and a run is the tests alone. What changes in the suites later is not seen.

    Raises:
        CourseError: pytest could not collect the suites.
        BaseException: whatever `work` raises.
    """
    if hidden_files() is None:
        work(run_pytest)  # There are none, and the judge asks for none.
        return
    keeper = _Keeper(work)
    run_pytest(lesson_ids, keeper, 0)
    if keeper.failure:
        raise keeper.failure


class _Keeper:
    """The pytest plugin that has its session stay between collecting and finishing for as long as `work` takes."""

    def __init__(self, work: Callable[[RunSuites], None]) -> None:
        self.work = work
        self.failure: BaseException | None = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        if session.testsfailed:
            return None  # A suite cannot be collected, and pytest's own loop says so.
        try:
            self.work(_KeptSuites(session))
        except BaseException as error:
            self.failure = error
        return True


class _KeptSuites:
    """Runs tests of a session that has collected them."""

    def __init__(self, session: pytest.Session) -> None:
        self.session = session
        self.items: dict[str, list[pytest.Item]] = {}
        for item in session.items:
            self.items.setdefault(str(item.path), []).append(item)

    def __call__(self, lesson_ids: list[str], watcher: Any, seed: int) -> None:
        config = self.session.config
        config.option.seed = seed
        items = [item for name in lesson_ids for item in self.items.get(str(suite_path(name)), [])]
        # Registering calls the plugin's pytest_configure; collecting is over, so its choice is asked for here.
        registered = getattr(config.hook.pytest_plugin_registered, "_call_history", None) or []
        before = len(registered)
        config.pluginmanager.register(watcher)
        output = io.StringIO()
        try:
            watcher.pytest_collection_modifyitems(config, items)
            with _own_settings(), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                for item, following in zip(items, [*items[1:], None], strict=True):
                    # To the last one, whatever happens: only then has pytest torn down what it set up.
                    config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        finally:
            config.pluginmanager.unregister(watcher)
            # Pytest would keep every plugin that there has been, and every report, for a summary at the end: with all
            # that a submission was asked and said, that is tens of megabytes each time.
            del registered[before:]
            if reporter := config.pluginmanager.get_plugin("terminalreporter"):
                reporter.stats.clear()


@contextlib.contextmanager
def _own_settings() -> Iterator[None]:
    """Keep the user's environment from changing what pytest does."""
    kept = {name: os.environ.pop(name, None) for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS")}
    before = os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        with warnings.catch_warnings():
            yield
    finally:
        for name, value in {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": before}.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
