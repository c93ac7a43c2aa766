"""From a saved file to the verdict: what a learner waits for after each change, in `watch` and with plain pytest."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from grader.bench.submissions import with_answers
from grader.course import Course, Exercise, read_bank
from grader.errors import GraderError
from grader.watch import view
from grader.watch.client import GradingProcess
from grader.watch.files import LessonFiles
from grader.watch.running import look
from grader.watch.session import Session, Verdict

PAUSE_SECONDS = 0.4  # Far less than lies between two saves, and enough for workers to be made ahead.
WAIT_SECONDS = 120


@dataclass(frozen=True)
class SaveTimes:
    """Seconds from saving an exercise to its verdict: each save in `watch`, and one run of plain pytest."""

    exercise: Exercise
    watch: tuple[float, ...]
    plain: float


def small(seconds: dict[str, float], exercises: Sequence[Exercise], count: int) -> list[Exercise]:
    """`count` exercises from all over that half of the course whose tests take the least time by themselves.

    Args:
        seconds: how long the tests of each exercise took, by its id, on one machine.
    """
    half = set(sorted(seconds, key=lambda name: seconds[name])[: max(1, len(seconds) // 2)])
    return spread([exercise for exercise in exercises if exercise.id in half], count)


def spread(exercises: Sequence[Exercise], count: int) -> list[Exercise]:
    """`count` of the exercises (all, if there are fewer), from all over the course."""
    count = min(count, len(exercises))
    return [exercises[place * len(exercises) // count] for place in range(count)]


def time_saves(
    course: Course,
    exercises: Sequence[Exercise],
    folder: Path,
    repetitions: int,
    plain: Callable[[Exercise], float],
    take: Callable[[str], None],
) -> list[SaveTimes]:
    """Change one exercise of a solved lesson, by turns to wrong and right answers of the bank, while `watch` watches.

    All that `watch` does is done, but for the keys: file events, finding out what changed, grading, the record, and
    the screen's lines.

    Args:
        folder: where the lessons are written; nothing else is in it.
        plain: runs pytest on an exercise's tests, in a fresh process, and says how many seconds it took.
        take: is told of each step.

    Raises:
        GraderError: no verdict comes.
    """
    return asyncio.run(_time_saves(course, exercises, folder, repetitions, plain, take))


async def _time_saves(
    course: Course,
    exercises: Sequence[Exercise],
    folder: Path,
    repetitions: int,
    plain: Callable[[Exercise], float],
    take: Callable[[str], None],
) -> list[SaveTimes]:
    lessons = {exercise.lesson_id: course.lesson(exercise.lesson_id) for exercise in exercises}
    exercises_folder = folder / "exercises"
    for lesson in lessons.values():
        path = exercises_folder / f"{lesson.id}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lesson.text, encoding="utf-8")
    watched = _Watched(Course(tuple(lessons.values())), exercises_folder, folder / "progress.txt")
    await watched.start()
    try:
        times = []
        for exercise in exercises:
            take(f"f  saving {exercise.name}")
            mine = [answer for answer in read_bank(lessons[exercise.lesson_id]) if answer.exercise == exercise.id]
            seconds = []
            for turn in range(repetitions):
                answer = mine[turn * (len(mine) - 1) // max(1, repetitions - 1)]
                text = with_answers(lessons[exercise.lesson_id], [answer])
                seconds.append(await watched.save(exercise, text))
            take(f"f  pytest of {exercise.name}")
            times.append(SaveTimes(exercise, tuple(seconds), await asyncio.to_thread(plain, exercise)))
        return times
    finally:
        await watched.stop()


class _Watched:
    """`watch` on a folder, without a terminal."""

    def __init__(self, course: Course, folder: Path, record: Path) -> None:
        self.folder = folder
        self.screen = Console(width=80, force_terminal=True, quiet=True)
        self.session = Session(course, LessonFiles(folder, course), None, lambda: None, record)
        self.session.on_verdict = self._verdict
        self.process = GradingProcess(self._hear, "auto", "off", folder)
        self.looking: asyncio.Task[None] | None = None
        self.awaited: tuple[str, asyncio.Future[float]] | None = None

    async def start(self) -> None:
        self.session.grading = self.process
        await self.process.start()
        self.looking = asyncio.create_task(look(self.session, self, poll=False))
        await self._settled()

    async def _settled(self) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while self.session.state != "ready" or self.session.orders:
            if self.session.state == "failed" or time.monotonic() > deadline:
                raise GraderError(f"watch does not grade: {self.session.why or 'no answer'}")
            await asyncio.sleep(0.02)

    async def save(self, exercise: Exercise, text: str) -> float:
        """Save a lesson and wait for the exercise's verdict; seconds from the one to the other."""
        path = self.folder / f"{exercise.lesson_id}.py"
        if path.read_text(encoding="utf-8") == text:
            text += "\n"
        await self._settled()
        await asyncio.sleep(PAUSE_SECONDS)
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.awaited = (exercise.id, future)
        started = time.perf_counter()
        path.write_text(text, encoding="utf-8")
        try:
            return await asyncio.wait_for(future, WAIT_SECONDS) - started
        except TimeoutError:
            raise GraderError(f"watch gave no verdict on {exercise.id}") from None

    def _hear(self, message: dict[str, Any]) -> None:
        self.session.hear(message)
        if "failed" in message and self.awaited and not self.awaited[1].done():
            self.awaited[1].set_exception(GraderError(f"watch does not grade: {message['failed']}"))

    def _verdict(self, exercise_id: str, verdict: Verdict) -> None:
        if self.awaited and self.awaited[0] == exercise_id and not self.awaited[1].done():
            view.as_lines(view.exercise_lines(self.session, self.screen), self.screen)
            self.awaited[1].set_result(time.perf_counter())

    async def run(self) -> None: ...

    def quit(self) -> None: ...

    def show_exercise(self) -> None: ...

    async def stop(self) -> None:
        if self.looking:
            self.looking.cancel()
        await self.process.end()


def medians(times: Sequence[SaveTimes]) -> tuple[float, float]:
    """The median of all saves in `watch`, and of all runs of plain pytest."""
    saves = [seconds for each in times for seconds in each.watch]
    return statistics.median(saves), statistics.median(each.plain for each in times)
