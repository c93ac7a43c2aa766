"""From a saved file to the verdict: what a learner waits for after each change."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from grader.bench.submissions import with_answers
from grader.course import Course, Exercise, KnownAnswer, read_bank
from grader.judge import judge
from grader.submission import read_submission
from grader.workers import WorkerPool

PAUSE_SECONDS = 0.3  # Far less than lies between two saves, and enough for workers to be made ahead.


def spread(exercises: Sequence[Exercise], count: int) -> list[Exercise]:
    """`count` of the exercises (all, if there are fewer), from all over the course."""
    count = min(count, len(exercises))
    return [exercises[place * len(exercises) // count] for place in range(count)]


def time_saves(
    course: Course, exercise: Exercise, pool: WorkerPool, folder: Path, repetitions: int, seed: int
) -> list[float]:
    """Change one exercise of a solved lesson, by turns to wrong and right answers of the bank; seconds of each."""
    lesson = course.lesson(exercise.lesson_id)
    path = folder / f"{lesson.id}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    answers = [answer for answer in read_bank(lesson) if answer.exercise == exercise.id]
    times = []
    for repetition in range(repetitions):
        answer: KnownAnswer = answers[repetition * (len(answers) - 1) // max(1, repetitions - 1)]
        text = with_answers(lesson, [answer])
        time.sleep(PAUSE_SECONDS)
        path.write_text(text, encoding="utf-8")
        times.append(_seconds(lambda: judge(read_submission(path, course), [exercise], pool, seed=seed, gpu="off")))
    return times


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
