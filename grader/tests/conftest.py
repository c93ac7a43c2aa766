"""What the grader's own tests share: the course, and one pool of sandboxed workers."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from grader.course import Course, load_course
from grader.errors import NoIsolation
from grader.grading import worker_pool
from grader.workers import WorkerPool

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Submissions that are there to be judged: one of them is a conftest.py in all but name.
collect_ignore = ["attacks", "odd"]


# Started in the background by a script, or under nohup, this process would ignore signals that end others, and so would
# every grader that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


# What takes longest comes first, so that cores which share the files end together (with --no-loadscope-reorder).
LONGEST = (
    "faults cli attacks class_grading nbgrader diagnosis doctor notebooks student class_page class_cluster gradebook "
    "odd_submissions html watch_terminal hint workers classroom_formats build gradescope"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="session")
def course() -> Course:
    """The course with its solutions and hidden tests; skips where there are none, as in a student version."""
    course = load_course()
    if not all(lesson.text for lesson in course.lessons):
        pytest.skip("there are no solutions here")
    return course


@pytest.fixture(scope="session")
def pool(course: Course) -> Iterator[WorkerPool]:
    """Sandboxed workers for all exercises; skips where the sandbox is not to be had."""
    try:
        with worker_pool(course.exercises, course, "sandbox", "off") as pool:
            yield pool
    except NoIsolation as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium that shows nothing and asks nobody; skips where there is none."""
    api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium here")
    quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"]
    quiet += ["no-sandbox", "disable-component-update", "disable-sync"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[f"--{option}" for option in quiet])
        yield browser
        browser.close()
