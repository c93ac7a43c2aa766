"""Finds out which known wrong answer a failing one behaves like, by asking both the same.

The probes that a failing answer was asked go to the bank's wrong answers of that exercise as well, bytes for bytes,
in workers of their own. What they bring back is compared: one that differs anywhere is out. If exactly one
is left, the learner's answer cannot be told from it by this suite, and its message says what went wrong. Never a guess:
whatever was not compared (no time left, a GPU test) or fits several answers is no diagnosis.
"""

from __future__ import annotations

import functools
import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from grader.comparing import Mismatch
from grader.course import Course, Exercise, KnownAnswer, read_bank, with_answer
from grader.known_replies import KnownReplies
from grader.observing import Asked, Unanswered, interpret
from grader.submission import LessonSource, Segment
from grader.worker import bank, codec, inputs
from grader.workers import WorkerObserver, WorkerPool

BUDGET_SECONDS = 5.0  # for one failing exercise
PREPARE_SECONDS = 20.0  # for one exercise, ahead of time
LOAD_SECONDS = 5.0
# A known answer may take this much longer than the learner's did; what never ends is waited for only in company.
WARMING_SECONDS = 2.0
TOGETHER_SECONDS = 2.0  # about what several may take before what they said is noted
SLACK, LEAST_SECONDS, ENDLESS_SECONDS = 5.0, 1.0, 1.0
WORTH_OF_FAILING = 3.0  # so much longer may a failing test take than a passing one and still be asked before it

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
        replies: what was learnt before; None begins anew.
    """

    def __init__(
        self,
        course: Course,
        pool: WorkerPool,
        seconds: float = BUDGET_SECONDS,
        replies: KnownReplies | None = None,
    ) -> None:
        self.course = course
        self.pool = pool
        self.seconds = seconds
        self.replies = KnownReplies() if replies is None else replies
        self.banks: dict[str, list[KnownAnswer]] = {}

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
        asked = [(trail, one) for trail in trails for one in trail.asked if not one.gpu]
        # What takes long is asked last, when few are left; and failing tests before others, as there most differ.
        asked.sort(key=lambda pair: pair[1].seconds * (WORTH_OF_FAILING if pair[0].error is None else 1.0))
        if not any(trail.error is not None for trail, _ in asked):
            return []
        known = {answer.label: answer for answer in self._known(exercise)}
        table = _Table(self, exercise, time.monotonic() + self.seconds)
        try:
            left = list(known)
            for trail, one in asked:
                came = table.row(left, one)
                if came is None:
                    return []
                left = [label for label in left if same(one.seen, came[label], trail.error)]
                if not left:
                    return []
        finally:
            table.close()
        return [] if SOLUTION.label in left else [known[label] for label in left]

    def prepare(self, exercise: Exercise, trails: Sequence[Trail]) -> None:
        """Let the known answers of an exercise meet what the solution was asked, before a learner's answer fails.

        With the same seed a failing answer's probes are the same, and its diagnosis takes no time to speak of.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        table = _Table(self, exercise, time.monotonic() + PREPARE_SECONDS)
        try:
            labels = [answer.label for answer in self._known(exercise)]
            for one in (one for trail in trails for one in trail.asked if not one.gpu):
                if table.row(labels, one) is None:
                    return
        finally:
            table.close()

    def _known(self, exercise: Exercise) -> list[KnownAnswer]:
        """The solution, then the wrong answers of an exercise."""
        if exercise.lesson_id not in self.banks:
            self.banks[exercise.lesson_id] = read_bank(self.course.lesson(exercise.lesson_id))
        bank = self.banks[exercise.lesson_id]
        return [SOLUTION, *(a for a in bank if a.exercise == exercise.id and a.message is not None)]


SOLUTION = KnownAnswer("", "the solution", None, "", 0)


class _Table:
    """What the known answers of one exercise say to probes, within one time limit; what is known already costs none."""

    def __init__(self, diagnostician: Diagnostician, exercise: Exercise, deadline: float) -> None:
        self.course = diagnostician.course
        self.pool = diagnostician.pool
        self.replies = diagnostician.replies
        self.exercise = exercise
        self.deadline = deadline
        self.known = {answer.label: answer for answer in diagnostician._known(exercise)}
        self.lesson = self.course.lesson(exercise.lesson_id)
        self.shared: WorkerObserver | None = None
        self.sent: set[str] = set()

    def row(self, labels: Sequence[str], one: Asked) -> dict[str, Any] | None:
        """What each of these answers says to one probe; None if the time is up before all have."""
        digest = hashlib.sha256(one.probe).hexdigest()
        endless = isinstance(one.seen, Unanswered) and one.seen.status == "timeout"
        seconds = ENDLESS_SECONDS if endless else max(LEAST_SECONDS, SLACK * one.seconds)
        came = {}
        for label in labels:
            kept = self.replies.get(self.exercise.id, label, digest)
            if kept is not None and not (_late(kept) and seconds > LEAST_SECONDS):
                came[label] = kept
        missing = [label for label in labels if label not in came]
        if bank.SHARED:
            # A few at a time: should the time be up, what those before have said is there for the next diagnosis.
            few = max(1, int(TOGETHER_SECONDS / max(one.seconds, 1e-3)))
            for part in (missing[place : place + few] for place in range(0, len(missing), few)):
                came |= zip(part, self._ask_together(part, one.probe, seconds), strict=False)
        for label in missing:
            if label not in came:
                left = self.deadline - time.monotonic()
                if left <= 0:
                    break
                allowed = seconds if endless else seconds + WARMING_SECONDS
                said = self._ask_alone(label, one.probe, min(allowed, left))
                if _late(said) and left < allowed:
                    break
                came[label] = said
        may_be_slow_this_once = not endless and SLACK * one.seconds > LEAST_SECONDS / 2
        for label in missing:
            if label in came and not (may_be_slow_this_once and _late(came[label])):
                self.replies.keep(came[label], self.exercise.id, label, digest)
        return {label: self._read(came[label]) for label in labels} if len(came) == len(labels) else None

    def _ask_together(self, labels: Sequence[str], probe: bytes, seconds: float) -> list[bytes | Unanswered]:
        """What several answers say within one worker; nothing, if one of them brings it down or takes all the time."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            return []
        if self.shared is None:
            self.shared, self.sent = self._observer(SOLUTION), set()
        texts = {label: self._text(label) for label in labels if label not in self.sent}
        asked = functools.partial(
            bank.ask, self.lesson.name, f"{self.lesson.id}.py", texts, list(labels), probe, seconds, WARMING_SECONDS
        )
        replies = self.shared.ask_again(self.exercise, inputs.pack(asked), left)
        if not isinstance(replies, list) or len(replies) != len(labels):
            self.shared.close()
            self.shared = None
            return []
        self.sent |= set(labels)
        return [Unanswered("timeout", "no answer in time") if reply == bank.TOO_LONG else reply for reply in replies]

    def _ask_alone(self, label: str, probe: bytes, seconds: float) -> bytes | Unanswered:
        observer = self._observer(self.known[label])
        try:
            came = observer.ask_again(self.exercise, probe, seconds)
            return came if isinstance(came, Unanswered) else observer.reply
        finally:
            observer.close()

    def _read(self, came: bytes | Unanswered) -> Any:
        if isinstance(came, Unanswered):
            return came
        try:
            return interpret(codec.decode(came), self.exercise, self._source(SOLUTION.label))
        except Unanswered as unanswered:
            return unanswered

    def _observer(self, answer: KnownAnswer) -> WorkerObserver:
        return WorkerObserver(self.pool, {self.lesson.id: self._source(answer.label)}, LOAD_SECONDS)

    def _source(self, label: str) -> LessonSource:
        return LessonSource(self.lesson.id, f"{self.lesson.id}.py", (Segment(self._text(label)),))

    def _text(self, label: str) -> str:
        answer = self.known[label]
        return self.lesson.text if answer is SOLUTION else with_answer(self.lesson, answer)

    def close(self) -> None:
        if self.shared:
            self.shared.close()


def _late(came: bytes | Unanswered) -> bool:
    return isinstance(came, Unanswered) and came.status == "timeout"


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
    if isinstance(error, Mismatch) and error.seen == mine and error.pattern:
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
