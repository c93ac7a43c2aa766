"""Finds out which known wrong answer a failing one behaves like, by asking both the same.

The probes that a failing answer was asked go to the bank's wrong answers of that exercise as well, bytes for bytes,
each answer in a worker of its own. What they bring back is compared: one that differs anywhere is out. If exactly one
is left, the learner's answer cannot be told from it by this suite, and its message says what went wrong. Never a guess:
whatever was not compared (no time left, a GPU test) or fits several answers is no diagnosis.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from grader.comparing import Mismatch
from grader.course import Course, Exercise, KnownAnswer, read_bank, with_answer
from grader.observing import Asked, Unanswered
from grader.submission import LessonSource, Segment
from grader.workers import WorkerObserver, WorkerPool

BUDGET_SECONDS = 2.0  # for one failing exercise
LOAD_SECONDS = 5.0
# A known answer may take this much longer than the learner's did; what never ends is waited for only in company.
SLACK, LEAST_SECONDS, ENDLESS_SECONDS = 4.0, 0.5, 1.0

# Relative, for two ways of working out the same; a part of the largest element where elements are small.
CLOSE = {torch.float16: 4e-3, torch.bfloat16: 3e-2, torch.float32: 1e-5, torch.complex64: 1e-5}
CLOSE_DOUBLE = 1e-8


@dataclass(frozen=True)
class Trail:
    """What one test asked an answer. `error` is what stopped the test; None if it passed."""

    name: str
    asked: tuple[Asked, ...]
    error: BaseException | None


class Diagnostician:
    """Keeps what known answers brought back, so that many learners' answers, or one's many versions, cost it once.

    Args:
        pool: where the known answers' processes come from.
        seconds: how long one failing exercise may take at most. What was learnt by then stays for the next.
    """

    def __init__(self, course: Course, pool: WorkerPool, seconds: float = BUDGET_SECONDS) -> None:
        self.course = course
        self.pool = pool
        self.seconds = seconds
        self.banks: dict[str, list[KnownAnswer]] = {}
        self.seen: dict[tuple[str, str, bytes], Any] = {}

    def misconception(self, exercise: Exercise, trails: Sequence[Trail]) -> str | None:
        """The message of the known wrong answer that behaves like the one that left these trails, if there is one.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        found = self.alike(exercise, trails)
        return common([answer.message for answer in found if answer.message]) if found else None

    def alike(self, exercise: Exercise, trails: Sequence[Trail]) -> list[KnownAnswer]:
        """All known wrong answers that cannot be told from the one that left these trails.

        Empty, too, if the trails say too little, if the solution is among them, or if the time is up before all is
        compared.
        """
        if not self.course.lesson(exercise.lesson_id).text:
            return []  # A student version without solutions.
        # The failing tests first: there most answers differ.
        ordered = sorted(trails, key=lambda trail: trail.error is None)
        asked = [(trail, one) for trail in ordered for one in trail.asked if not one.gpu]
        if not any(trail.error is not None for trail, _ in asked):
            return []
        deadline = time.monotonic() + self.seconds
        found = []
        for answer in self._known(exercise):
            fits = self._fits(exercise, answer, asked, deadline)
            if fits is None or (fits and answer is SOLUTION):
                return []
            if fits:
                found.append(answer)
        return found

    def _known(self, exercise: Exercise) -> list[KnownAnswer]:
        """The solution, then the wrong answers of an exercise."""
        if exercise.lesson_id not in self.banks:
            self.banks[exercise.lesson_id] = read_bank(self.course.lesson(exercise.lesson_id))
        bank = self.banks[exercise.lesson_id]
        return [SOLUTION, *(a for a in bank if a.exercise == exercise.id and a.message is not None)]

    def _fits(
        self, exercise: Exercise, answer: KnownAnswer, asked: Iterable[tuple[Trail, Asked]], deadline: float
    ) -> bool | None:
        """Whether an answer brings back the same to all that was asked; None if the time is up before that is known."""
        observer: WorkerObserver | None = None
        try:
            for trail, one in asked:
                key = (exercise.id, answer.label, hashlib.sha256(one.probe).digest())
                if key not in self.seen:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        return None
                    observer = observer or self._observer(exercise, answer)
                    endless = isinstance(one.seen, Unanswered) and one.seen.status == "timeout"
                    wanted = ENDLESS_SECONDS if endless else max(LEAST_SECONDS, SLACK * one.seconds)
                    came = observer.ask_again(exercise, one.probe, min(wanted, left))
                    if isinstance(came, Unanswered) and came.status == "timeout" and left < wanted:
                        return None
                    self.seen[key] = came
                if not same(one.seen, self.seen[key], trail.error):
                    return False
            return True
        finally:
            if observer:
                observer.close()

    def _observer(self, exercise: Exercise, answer: KnownAnswer) -> WorkerObserver:
        lesson = self.course.lesson(exercise.lesson_id)
        text = lesson.text if answer is SOLUTION else with_answer(lesson, answer)
        source = LessonSource(lesson.id, f"{lesson.id}.py", (Segment(text),))
        return WorkerObserver(self.pool, {lesson.id: source}, LOAD_SECONDS)


SOLUTION = KnownAnswer("", "the solution", None, "", 0)


def common(messages: Sequence[str]) -> str | None:
    """What messages have in common: all of it if they are the same, else the sentences that each begins with."""
    split = [re.split(r"(?<=[.?!]) ", message) for message in messages]
    shared = []
    for sentences in zip(*split, strict=False):
        if len(set(sentences)) > 1:
            break
        shared.append(sentences[0])
    return " ".join(shared) or None


def same(mine: Any, other: Any, error: BaseException | None = None) -> bool:
    """Whether two observations are of one behaviour: types, shapes, dtypes, and values up to rounding.

    Exceptions are compared by type; where the test looked into the message of one (`error`), by what it looked for.
    """
    if isinstance(mine, Unanswered) or isinstance(other, Unanswered):
        if not (isinstance(mine, Unanswered) and isinstance(other, Unanswered)):
            return False
        return (mine.status, mine.kind) == (other.status, other.kind)
    if type(mine) is not type(other):
        return False
    if isinstance(mine, torch.Tensor):
        return _same_tensors(mine, other)
    if isinstance(mine, np.ndarray):
        return mine.dtype == other.dtype and mine.shape == other.shape and _same_arrays(mine, other)
    if isinstance(mine, SimpleNamespace):
        return same(vars(mine), vars(other), error)
    if isinstance(mine, dict):
        if set(mine) == {"type", "bases", "message"} == set(other):
            return _same_errors(mine, other, error)
        return mine.keys() == other.keys() and all(same(mine[key], other[key], error) for key in mine)
    if isinstance(mine, (list, tuple)):
        return len(mine) == len(other) and all(same(a, b, error) for a, b in zip(mine, other, strict=True))
    if isinstance(mine, (float, complex)):
        return bool(abs(mine - other) <= 1e-6 * abs(mine)) or mine == other or (mine != mine and other != other)
    return bool(mine == other)


def _same_errors(mine: dict[str, Any], other: dict[str, Any], error: BaseException | None) -> bool:
    if mine["type"] != other["type"]:
        return False
    if isinstance(error, Mismatch) and error.seen is mine and error.pattern:
        return not re.search(error.pattern, other["message"], re.IGNORECASE)
    return True


def _same_tensors(mine: torch.Tensor, other: torch.Tensor) -> bool:
    alike = (mine.dtype, mine.shape, mine.device, mine.requires_grad, mine.layout)
    if alike != (other.dtype, other.shape, other.device, other.requires_grad, other.layout):
        return False
    if mine.device.type == "meta":
        return True
    mine, other = mine.detach(), other.detach()
    if not (mine.dtype.is_floating_point or mine.dtype.is_complex):
        return torch.equal(mine, other)
    wide = torch.complex128 if mine.dtype.is_complex else torch.float64
    rtol = CLOSE.get(mine.dtype, CLOSE_DOUBLE)
    a, b = mine.to(wide), other.to(wide)
    finite = a[a.isfinite()].abs()
    atol = 0.1 * rtol * float(finite.max()) if finite.numel() else 0.0
    return bool(torch.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True).all())


def _same_arrays(mine: np.ndarray, other: np.ndarray) -> bool:
    if mine.dtype.kind in "fc":
        return _same_tensors(torch.from_numpy(mine.copy()), torch.from_numpy(other.copy()))
    return bool(np.array_equal(mine, other))
