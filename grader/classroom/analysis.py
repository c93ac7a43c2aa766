"""What a class's grades say about its exercises: how hard each is, what it tells apart, what went wrong how often."""

from __future__ import annotations

import functools
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from grader.classroom.grades import ClassGrades
from grader.course import Exercise
from grader.reports.wording import STATUS, sentence
from grader.result import ExerciseResult, Result

BINS = 10
LEAST_STUDENTS = 5  # with fewer, a correlation says nothing


@dataclass(frozen=True)
class ItemAnalysis:
    """One exercise in the class.

    `difficulty` is the mean share (0 to 1) of its points, over all for whom it was assessed; `tried` the same over
    those who attempted it. `discrimination` is the correlation (-1 to 1) of a student's share with what they have of
    all other points. Each is None where it cannot be told. `outcomes` counts students by status.
    """

    exercise: Exercise
    difficulty: float | None
    tried: float | None
    discrimination: float | None
    outcomes: dict[str, int]
    seconds: float


@dataclass(frozen=True)
class Trouble:
    """What went wrong for `count` students in the same way. `known` tells whether it is a misconception of the bank."""

    where: str
    text: str
    count: int
    known: bool


@dataclass(frozen=True)
class ClassAnalysis:
    """A class as a whole. `distribution` counts students by tenths of the score, the last one with 100 %."""

    graded: int
    mean: float | None
    median: float | None
    distribution: tuple[int, ...]
    outcomes: dict[str, int]
    items: tuple[ItemAnalysis, ...]
    troubles: tuple[Trouble, ...]
    seconds: float


def analyse(grades: ClassGrades) -> ClassAnalysis:
    """Analyse the grades of those who have any."""
    results = [student.result for student in grades.students if student.result]
    percents = [student.percent for student in grades.students if student.percent is not None]
    found = [{exercise.id: exercise for exercise in result.exercises} for result in results]
    totals = [(result.points, result.max_points) for result in results]
    outcomes = Counter(exercise.status for result in results for exercise in result.exercises)
    return ClassAnalysis(
        graded=len(results),
        mean=statistics.fmean(percents) if percents else None,
        median=statistics.median(percents) if percents else None,
        distribution=distribution(percents),
        outcomes={status: outcomes[status] for status in STATUS if outcomes[status]},
        items=tuple(_item(exercise, totals, found) for exercise in grades.exercises),
        troubles=_troubles(results),
        seconds=sum(exercise.seconds for result in results for exercise in result.exercises),
    )


def distribution(percents: Sequence[float]) -> tuple[int, ...]:
    """How many fall into each tenth; 100 % is in the last."""
    counts = Counter(min(int(max(percent, 0.0) * BINS / 100), BINS - 1) for percent in percents)
    return tuple(counts[place] for place in range(BINS))


def _item(
    exercise: Exercise, totals: Sequence[tuple[float, float]], found: Sequence[dict[str, ExerciseResult]]
) -> ItemAnalysis:
    mine = [(of, each[exercise.id]) for of, each in zip(totals, found, strict=True) if exercise.id in each]
    assessed = [(of, one) for of, one in mine if one.max_points > 0]
    shares = [one.points / one.max_points for _, one in assessed]
    tried = [one.points / one.max_points for _, one in assessed if one.status != "not_attempted"]
    rest = [_share_of_rest(of, one) for of, one in assessed]
    counts = Counter(one.status for _, one in mine)
    return ItemAnalysis(
        exercise=exercise,
        difficulty=statistics.fmean(shares) if shares else None,
        tried=statistics.fmean(tried) if tried else None,
        discrimination=correlation(shares, rest),
        outcomes={status: counts[status] for status in STATUS if counts[status]},
        seconds=statistics.median(one.seconds for _, one in mine) if mine else 0.0,
    )


def _share_of_rest(totals: tuple[float, float], one: ExerciseResult) -> float:
    most = totals[1] - one.max_points
    return (totals[0] - one.points) / most if most > 0 else 0.0


def correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Pearson's; None for too few students, or where all have the same."""
    if len(first) < LEAST_STUDENTS or len(set(first)) < 2 or len(set(second)) < 2:
        return None
    try:
        return statistics.correlation(first, second)
    except statistics.StatisticsError:
        return None


def _troubles(results: Sequence[Result]) -> tuple[Trouble, ...]:
    """What went wrong, the most frequent first; what is wrong with a whole file counts once for its lesson."""
    counts: Counter[tuple[str, str, bool]] = Counter()
    said = functools.cache(sentence)  # many say the same
    for result in results:
        mine: set[tuple[str, str, bool]] = set()
        for exercise in result.exercises:
            test = exercise.decisive
            if test is None or exercise.status == "not_attempted":
                continue
            text = said(exercise.misconception or test.message or "")
            whole_file = exercise.misconception is None and text.startswith("The file")
            where = exercise.lesson_id if whole_file else exercise.id
            mine.add((where, text, exercise.misconception is not None))
        counts.update(mine)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], not each[0][2], each[0]))
    return tuple(Trouble(where, text, count, known) for (where, text, known), count in ordered)
