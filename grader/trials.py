"""Judges many made-up submissions, for authors' checks: on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grader.desk import DeskSettings, Task, cores, judge_all
from grader.errors import GraderFailed
from grader.result import ExerciseResult
from grader.submission import LessonSource, Segment, Submission

WORTH_A_DESK = 10  # trials: with fewer for each, another desk takes longer to get going than it saves


@dataclass(frozen=True)
class Trial:
    """One made-up submission: the text of each lesson by its id, and the ids of the exercises judged in it.

    `until_failure` leaves out what remains of an exercise once a test of it failed; `publicly` runs the public checks.
    """

    what: str
    texts: dict[str, str]
    exercises: tuple[str, ...]
    until_failure: bool = False
    publicly: bool = False

    @property
    def submission(self) -> Submission:
        sources = {name: LessonSource(name, f"{name}.py", (Segment(text),)) for name, text in self.texts.items()}
        return Submission(self.what, sources)


def run_trials(trials: Sequence[Trial], settings: DeskSettings) -> Iterator[tuple[int, tuple[ExerciseResult, ...]]]:
    """Judge `trials`; give the place of each and its results, as they come.

    Raises:
        GraderError: the course cannot be judged at all.
    """
    jobs = min(cores(), max(1, len(trials) // WORTH_A_DESK))
    tasks = (Task(trial.submission, trial.exercises, trial.until_failure, trial.publicly) for trial in trials)
    for place, came in judge_all(tasks, settings, jobs):
        if isinstance(came, GraderFailed):
            raise came
        yield place, came.exercises
