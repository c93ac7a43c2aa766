"""Counts points in whole units, for platforms that take nothing else, so that the units' sum is the score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from grader.result import ExerciseResult

_TINY = 1e-6  # what adding up shares may lose


@dataclass(frozen=True)
class Units:
    """An exercise in whole units: `got` of `most`."""

    exercise: ExerciseResult
    got: int
    most: int


def in_units(exercises: Sequence[ExerciseResult], per_point: float) -> list[Units]:
    """The exercises that could be assessed, in units of 1/`per_point` points.

    Each exercise is rounded down; then units are given out where most was cut off, best where the exercise does not
    become whole by it, as long as the sum stays at or below the score: it is less than one unit away.
    """
    assessed = [exercise for exercise in exercises if exercise.max_points > 0]
    most = [max(1, round(exercise.max_points * per_point)) for exercise in assessed]
    exact = [e.points / e.max_points * units for e, units in zip(assessed, most, strict=True)]
    got = [math.floor(x + _TINY) for x in exact]
    cut = [place for place, x in enumerate(exact) if x > got[place] + _TINY]
    cut.sort(key=lambda place: (got[place] + 1 == most[place], got[place] - exact[place]))
    for place in cut[: math.floor(sum(exact) + _TINY) - sum(got)]:
        got[place] += 1
    return [Units(*row) for row in zip(assessed, got, most, strict=True)]
