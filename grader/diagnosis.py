"""Finds out which known wrong answer a failing one behaves like, by asking both the same.

The probes that a failing answer was asked go to the bank's wrong answers of that exercise as well, bytes for bytes,
in workers of their own. What they bring back is compared: one that differs anywhere is out. If exactly one
is left, the learner's answer cannot be told from it by this suite, and its message says what went wrong. Never a guess:
whatever was not compared (no time left, a GPU test) or fits several answers is no diagnosis.
"""

from __future__ import annotations

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
from grader.course import Course, Exercise, KnownAnswer
from grader.known_answers import SOLUTION, WARMING_SECONDS, KnownAnswers
from grader.known_replies import KnownReplies
from grader.observing import Asked, Unanswered, interpret
from grader.worker import codec
from grader.workers import KILLED, WorkerPool

BUDGET_SECONDS = 5.0  # for one failing exercise
PREPARE_SECONDS = 20.0  # for one exercise, ahead of time
TOGETHER_SECONDS = 2.0  # about what several may take before what they said is noted
# A known answer may take so many times as long as the learner's did; what never ends is waited for only in company.
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
        self.answers = KnownAnswers(course, pool)
        self.seconds = seconds
        self.replies = KnownReplies() if replies is None else replies

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
        known = self.answers.of(exercise)
        table = _Table(self, exercise, time.monotonic() + self.seconds)
        left = list(known)
        for trail, one in asked:
            came = table.row(left, one)
            if came is None:
                return []
            # Many say the same: each thing that was said is looked at once.
            fits = {said: said == one.reply or same(one.seen, table.read(said), trail.error) for said in came.values()}
            left = [label for label in left if fits[came[label]]]
            if not left:
                return []
        return [] if SOLUTION.label in left else [known[label] for label in left]

    def prepare(self, exercise: Exercise, trails: Sequence[Trail]) -> None:
        """Let the known answers of an exercise meet what the solution was asked, before a learner's answer fails.

        With the same seed a failing answer's probes are the same, and its diagnosis takes no time to speak of.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        table = _Table(self, exercise, time.monotonic() + PREPARE_SECONDS)
        labels = list(self.answers.of(exercise))
        for one in (one for trail in trails for one in trail.asked if not one.gpu):
            if table.row(labels, one) is None:
                return


class _Table:
    """What the known answers of one exercise say to probes, within one time limit; what is known already costs none."""

    def __init__(self, diagnostician: Diagnostician, exercise: Exercise, deadline: float) -> None:
        self.answers = diagnostician.answers
        self.replies = diagnostician.replies
        self.exercise = exercise
        self.deadline = deadline

    def row(self, labels: Sequence[str], one: Asked) -> dict[str, bytes | Unanswered] | None:
        """What each of these answers says to one probe; None if the time is up before all have."""
        digest = hashlib.sha256(one.probe).hexdigest()
        endless = isinstance(one.seen, Unanswered) and one.seen.status == "timeout"
        seconds = ENDLESS_SECONDS if endless else max(LEAST_SECONDS, SLACK * one.seconds)
        came: dict[str, bytes | Unanswered] = {}
        for label in labels:
            kept = self.replies.get(self.exercise.id, label, digest)
            if kept is not None and not (_late(kept) and seconds > LEAST_SECONDS):
                came[label] = kept
        missing = [label for label in labels if label not in came]
        # A few at a time: should the time be up, what those before have said is there for the next diagnosis.
        few = max(1, int(TOGETHER_SECONDS / max(one.seconds, 1e-3)))
        for part in (missing[place : place + few] for place in range(0, len(missing), few)):
            left = self.deadline - time.monotonic()
            said = self.answers.ask_together(self.exercise, part, one.probe, seconds, left)
            came |= zip(part, said, strict=False)
        for label in missing:
            if label not in came:
                left = self.deadline - time.monotonic()
                if left <= 0:
                    break
                allowed = seconds if endless else seconds + WARMING_SECONDS
                alone = self.answers.ask_alone(self.exercise, label, one.probe, min(allowed, left))
                if (_late(alone) and left < allowed) or _killed(alone):
                    break  # That was not the answer's doing.
                came[label] = alone
        may_be_slow_this_once = not endless and SLACK * one.seconds > LEAST_SECONDS / 2
        for label in missing:
            if label in came and not (may_be_slow_this_once and _late(came[label])):
                self.replies.keep(came[label], self.exercise.id, label, digest)
        return came if len(came) == len(labels) else None

    def read(self, came: bytes | Unanswered) -> Any:
        """What a reply means."""
        if isinstance(came, Unanswered):
            return came
        try:
            solution = self.answers.source(self.exercise, SOLUTION.label)
            return interpret(codec.decode(came), self.exercise, solution)
        except Unanswered as unanswered:
            return unanswered


def _late(came: bytes | Unanswered) -> bool:
    return isinstance(came, Unanswered) and came.status == "timeout"


def _killed(came: bytes | Unanswered) -> bool:
    return isinstance(came, Unanswered) and came.kind == KILLED


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
