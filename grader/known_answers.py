"""Asks the bank's answers what a learner's was asked: together, in one worker that stays, or each in one of its own."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from grader.course import Course, Exercise, KnownAnswer, Lesson, read_bank, with_answer
from grader.observing import Unanswered
from grader.submission import LessonSource, Segment
from grader.worker import bank
from grader.workers import Helper, WorkerObserver, WorkerPool

SOLUTION = KnownAnswer("", "the solution", None, "", 0)
LOAD_SECONDS = 5.0
# An answer may take this much longer when it is the first in its process: torch imports some things late.
WARMING_SECONDS = 2.0
MOST_BYTES = 192 * 2**20  # by which a worker may have grown: answers keep networks


class KnownAnswers:
    """The answers of the bank, and the solution, with processes for them.

    Args:
        pool: where the processes come from.
    """

    def __init__(self, course: Course, pool: WorkerPool) -> None:
        self.course = course
        self.pool = pool
        self.banks: dict[str, list[KnownAnswer]] = {}
        self._helper: Helper | None = None
        self._sent: set[tuple[str, str]] = set()

    def of(self, exercise: Exercise) -> dict[str, KnownAnswer]:
        """The solution, then the wrong answers of an exercise, by label."""
        if exercise.lesson_id not in self.banks:
            self.banks[exercise.lesson_id] = read_bank(self.course.lesson(exercise.lesson_id))
        wrong = [a for a in self.banks[exercise.lesson_id] if a.exercise == exercise.id and a.message is not None]
        return {answer.label: answer for answer in (SOLUTION, *wrong)}

    def ask_together(
        self, exercise: Exercise, labels: Sequence[str], probe: bytes, seconds: float, left: float
    ) -> list[bytes | Unanswered]:
        """What several answers say within one worker; nothing, if one of them brings it down or takes all the time.

        Args:
            seconds: for each.
            left: for all.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        if not bank.SHARED or left <= 0:
            return []
        if self._helper and self._helper.ended():
            self.close()
        if self._helper is None:
            self._helper, self._sent = Helper(self.pool), set()
        lesson = self.course.lesson(exercise.lesson_id)
        new = [label for label in labels if (exercise.id, label) not in self._sent]
        texts = {label: self._text(exercise, lesson, label) for label in new}
        call = functools.partial(
            bank.ask, lesson.name, _file(lesson), exercise.id, texts, list(labels), probe, seconds, WARMING_SECONDS
        )
        try:
            replies, grown = self._helper.call(call, left)
        except Unanswered:
            self.close()
            return []
        self._sent.update((exercise.id, label) for label in new)
        if grown > MOST_BYTES or bank.TOO_LONG in replies:  # What was broken off may have left anything behind.
            self.close()
        return [Unanswered("timeout", "no answer in time") if reply == bank.TOO_LONG else reply for reply in replies]

    def ask_alone(self, exercise: Exercise, label: str, probe: bytes, seconds: float) -> bytes | Unanswered:
        """What one answer says in a worker of its own.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        observer = WorkerObserver(self.pool, {exercise.lesson_id: self.source(exercise, label)}, LOAD_SECONDS)
        try:
            came = observer.ask_again(exercise, probe, seconds)
            return came if isinstance(came, Unanswered) else observer.reply
        finally:
            observer.close()

    def source(self, exercise: Exercise, label: str) -> LessonSource:
        """A whole lesson with this answer in it."""
        lesson = self.course.lesson(exercise.lesson_id)
        return LessonSource(lesson.id, _file(lesson), (Segment(self._text(exercise, lesson, label)),))

    def _text(self, exercise: Exercise, lesson: Lesson, label: str) -> str:
        answer = self.of(exercise)[label]
        return lesson.text if answer is SOLUTION else with_answer(lesson, answer)

    def close(self) -> None:
        """End the worker that stays; the next question starts another one."""
        if self._helper:
            self._helper.close()
            self._helper = None


def _file(lesson: Lesson) -> str:
    return f"{lesson.id}.py"
