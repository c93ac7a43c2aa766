"""Judges many made-up submissions, for authors' checks: on all cores, each process with workers of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

from grader.course import Course, Exercise, load_course
from grader.grading import worker_pool
from grader.judge import EXERCISE_SECONDS, judge
from grader.result import ExerciseResult
from grader.submission import LessonSource, Segment, Submission
from grader.workers import WorkerPool

WORTH_A_PROCESS = 20  # trials: with fewer, starting another process takes longer than it saves


@dataclass(frozen=True)
class Trial:
    """One made-up submission: the text of each lesson by its id, and the ids of the exercises judged in it."""

    what: str
    texts: dict[str, str]
    exercises: tuple[str, ...]


@dataclass(frozen=True)
class TrialSettings:
    """How the trials of a run are judged; see grader.judge.judge. `names` are the exercises to prepare for."""

    names: tuple[str, ...]
    seed: int
    isolation: str = "auto"
    seconds: float = EXERCISE_SECONDS
    until_failure: bool = False


def run_trials(
    trials: Sequence[Trial], settings: TrialSettings, course: Course
) -> Iterator[tuple[int, tuple[ExerciseResult, ...]]]:
    """Judge `trials`; give the place of each and its results, as they come.

    Raises:
        GraderError: the course cannot be judged at all.
    """
    jobs = min(os.cpu_count() or 1, max(1, len(trials) // WORTH_A_PROCESS))
    if jobs == 1:
        chosen = [course.exercise(name) for name in settings.names]
        with worker_pool(chosen, course, settings.isolation, "off") as pool:
            for place, trial in enumerate(trials):
                yield place, _judge(trial, settings, course, pool)
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _start, (settings,)) as executor:
        try:
            places = {executor.submit(_judge_here, trial): place for place, trial in enumerate(trials)}
            for future in as_completed(places):
                yield places[future], future.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _judge(trial: Trial, settings: TrialSettings, course: Course, pool: WorkerPool) -> tuple[ExerciseResult, ...]:
    sources = {name: LessonSource(name, f"{name}.py", (Segment(text),)) for name, text in trial.texts.items()}
    exercises: list[Exercise] = [course.exercise(name) for name in trial.exercises]
    return judge(
        Submission(trial.what, sources),
        exercises,
        pool,
        seed=settings.seed,
        seconds=settings.seconds,
        gpu="off",
        until_failure=settings.until_failure,
    ).exercises


# What a process of the pool keeps between trials.
_here: dict[str, Any] = {}


def _start(settings: TrialSettings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent hears Ctrl-C, and ends us.
    course = load_course()
    stack = ExitStack()
    chosen = [course.exercise(name) for name in settings.names]
    pool = stack.enter_context(worker_pool(chosen, course, settings.isolation, "off"))
    _here.update(settings=settings, course=course, pool=pool, stack=stack)


def _judge_here(trial: Trial) -> tuple[ExerciseResult, ...]:
    return _judge(trial, _here["settings"], _here["course"], _here["pool"])
