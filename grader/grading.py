"""From a path to a result: reads the submission, starts the isolation, judges, shows progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from grader import data
from grader.course import Course, Exercise, Lesson
from grader.errors import MissingData
from grader.hidden import SealedFiles, hidden_files
from grader.importing import undisturbed
from grader.isolation import Isolation, start_isolation
from grader.progress import progress_bar
from grader.submission import read_submission

if TYPE_CHECKING:
    from grader.result import Result
    from grader.workers import WorkerPool

# What lessons may have imported ahead of time; anything else a submission imports for itself.
PRELOADABLE = frozenset(["numpy", "jaxtyping", "torchvision", "PIL", "pandas"])
BEHIND_OPTIM = "torch._dynamo"  # 900 modules, a second or more, which a process's first optimiser imports


def grade_submission(
    path: Path,
    course: Course,
    exercises: Sequence[Exercise],
    *,
    seed: int,
    isolation: str = "auto",
    gpu: str = "auto",
    progress: bool = False,
    diagnosis: bool = True,
) -> Result:
    """Grade one submission from a cold start.

    Args:
        path: a folder, a .py file or a notebook; see grader.submission.
        isolation: "auto", "sandbox" or "process"; see grader.isolation.
        gpu: "auto", "require" or "off"; see grader.judge.
        progress: show a progress bar on standard error, if that is a terminal.
        diagnosis: find out which known wrong answers the failing ones behave like.

    Raises:
        GraderError: it cannot be graded; the text says why and what to do.
    """
    submission = read_submission(path, course)
    require_data(exercises, course)
    with isolated(exercises, course, isolation, gpu) as level, progress_bar(progress and sys.stderr.isatty()) as show:
        show("starting: importing torch", 0, len(exercises))
        # Torch takes seconds to import; the zygote is doing the same beside us.
        with undisturbed():
            from grader.diagnosis import Diagnostician
            from grader.judge import judge
            from grader.workers import WorkerPool

        places = {exercise.id: place for place, exercise in enumerate(exercises)}
        pool = WorkerPool(level)
        try:
            return judge(
                submission,
                exercises,
                pool,
                seed=seed,
                gpu=gpu,
                diagnostician=Diagnostician(course, pool) if diagnosis else None,
                on_exercise=lambda exercise: show(exercise.id, places[exercise.id], len(exercises)),
            )
        finally:
            pool.close()


@contextmanager
def isolated(exercises: Sequence[Exercise], course: Course, wanted: str, gpu: str) -> Iterator[Isolation]:
    """The isolation that is to be had, ended at the end; see grader.isolation.start_isolation.

    Beside sealed tests, "auto" is the sandbox or nothing: without it, a submission could look for the key in the
    processes that started this one.
    """
    wanted = "sandbox" if wanted == "auto" and isinstance(hidden_files(), SealedFiles) else wanted
    with_gpu = gpu != "off" and Path("/dev/nvidia0").exists()
    level = start_isolation(wanted, with_gpu, imported_modules(exercises, course))
    try:
        yield level
    finally:
        level.close()


@contextmanager
def worker_pool(
    exercises: Sequence[Exercise], course: Course, wanted: str = "auto", gpu: str = "auto"
) -> Iterator[WorkerPool]:
    """A pool of workers for these exercises, kept warm for many submissions."""
    with isolated(exercises, course, wanted, gpu) as level:
        with undisturbed():
            from grader.workers import WorkerPool

        pool = WorkerPool(level)
        try:
            yield pool
        finally:
            pool.close()


def require_data(exercises: Sequence[Exercise], course: Course) -> None:
    """Make sure that the files of data/ which the lessons of these exercises name are there.

    Raises:
        MissingData: one is not; the learner's answer would be blamed for it.
    """
    for lesson in _lessons(exercises, course):
        for name in lesson.data:
            if not (data.FOLDER / name).exists():
                raise MissingData(data.missing(name))


def imported_modules(exercises: Sequence[Exercise], course: Course) -> tuple[str, ...]:
    """What the lessons of these exercises import, by full name, as far as it is worth importing ahead."""
    found: dict[str, None] = {}
    for lesson in _lessons(exercises, course):
        for name in lesson.imports:
            if name.split(".")[0] in PRELOADABLE or name.startswith("grader.data."):
                found[name] = None
            elif name == "torch.optim":
                found[BEHIND_OPTIM] = None
    return tuple(found)


def _lessons(exercises: Sequence[Exercise], course: Course) -> list[Lesson]:
    return [course.lesson(name) for name in dict.fromkeys(exercise.lesson_id for exercise in exercises)]
