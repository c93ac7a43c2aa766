"""What the grader's own tests share: the course, and one pool of sandboxed workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from grader.course import Course, load_course
from grader.errors import NoIsolation
from grader.grading import worker_pool
from grader.workers import WorkerPool

# Submissions that are there to be judged: one of them is a conftest.py in all but name.
collect_ignore = ["attacks", "odd"]


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
