"""The learner's record, `.grader/progress.txt`: what is solved, which hints were taken, where they are.

A text file that a person can read and change: one line for each fact, `solved tensors/storage/shares_storage
2026-11-25`. Commands that run at the same time, as `watch` in one terminal and `hint` in another, share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from grader.course import ROOT, Course, Exercise
from grader.replacing import replace_file

if TYPE_CHECKING:
    from grader.result import ExerciseResult, Result

FILE = ROOT / ".grader" / "progress.txt"
EXERCISES = ROOT / "exercises"
LOCK_SECONDS = 5
HEAD = (
    "# Where you are in the exercises. `python -m grader` keeps this file, and reads it again each time:\n"
    "# lines may be changed or removed; without the file, you begin anew.\n"
)


@dataclass
class Record:
    """What is kept about a learner's exercises, by their ids.

    `solved` holds the day on which each was solved, `tried` those that were graded and did not pass, `hints` how
    many were taken. `others` are lines of the file that mean nothing to us and are left as they are. `problem`
    says why the file could not be written, if so.
    """

    current: str | None = None
    solved: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    hints: dict[str, int] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    problem: str | None = None

    def status(self, exercise_id: str) -> str:
        """ "solved", "begun" (tried, or a hint was taken) or "new"."""
        if exercise_id in self.solved:
            return "solved"
        return "begun" if exercise_id in self.tried or self.hints.get(exercise_id) else "new"

    def note(self, results: Iterable[ExerciseResult]) -> None:
        """Take in what became of exercises."""
        for exercise in results:
            if exercise.status == "not_assessed":
                continue
            self.tried = [name for name in self.tried if name != exercise.id]
            if exercise.status == "passed":
                self.solved.setdefault(exercise.id, date.today().isoformat())
            else:
                self.solved.pop(exercise.id, None)
                if exercise.status != "not_attempted":
                    self.tried.append(exercise.id)

    def begin(self, exercise_id: str) -> None:
        """An exercise was tried; whether it is solved is for the next grade to say."""
        if exercise_id not in self.tried and exercise_id not in self.solved:
            self.tried.append(exercise_id)

    def forget(self, exercise_id: str) -> None:
        """An exercise is as it was before anyone tried it; the hints stay taken."""
        self.solved.pop(exercise_id, None)
        self.tried = [name for name in self.tried if name != exercise_id]


def read_record(path: Path | None = None) -> Record:
    """The record; an empty one where there is no file, or one that cannot be read."""
    record = Record()
    try:
        text = (path or FILE).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return record
    for line in text.splitlines():
        if line.strip() and not line.startswith("#") and not _understood(line.split(), record):
            record.others.append(line)
    return record


def _understood(words: list[str], record: Record) -> bool:
    match words:
        case ["current", name]:
            record.current = name
        case ["solved", name, *day] if len(day) <= 1:
            record.solved[name] = day[0] if day else ""
        case ["tried", name]:
            record.tried.append(name)
        case ["hints", name, count] if count.isdecimal():
            record.hints[name] = int(count)
        case _:
            return False
    return True


def as_text(record: Record) -> str:
    """The file's content for a record."""
    width = max(map(len, [*record.solved, *record.hints]), default=0)
    lines = [f"solved   {name:{width}}  {day}".rstrip() for name, day in record.solved.items()]
    lines += [f"tried    {name}" for name in record.tried]
    lines += [f"hints    {name:{width}}  {count}" for name, count in record.hints.items()]
    first = [f"current  {record.current}"] if record.current else []
    return HEAD + "".join(line + "\n" for line in [*first, *lines, *record.others])


def change_record(change: Callable[[Record], None], path: Path | None = None) -> Record:
    """Read the record, change it and write it back, while no other command does.

    Returns: the record as it is now. Where it cannot be written its `problem` says why; whatever one was
        doing can go on, but is not remembered.
    """
    from filelock import FileLock, Timeout

    path = path or FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock"), timeout=LOCK_SECONDS):
            record = read_record(path)
            before = as_text(record)
            change(record)
            if as_text(record) != before:
                replace_file(path, as_text(record))
            return record
    except (OSError, Timeout, NotImplementedError) as error:
        record = read_record(path)
        change(record)
        why = "another command holds it" if isinstance(error, Timeout) else getattr(error, "strerror", None) or error
        record.problem = f"{path.parent.name}/{path.name} cannot be written ({why}): nothing of this is remembered"
        return record


def note_grades(result: Result, submission: Path, path: Path | None = None) -> Record | None:
    """Take a grade into the record, if what was graded is the learner's own exercises/ or a part of it."""
    place = submission.resolve()
    if not place.is_relative_to(EXERCISES):
        return None
    graded = [
        exercise
        for exercise in result.exercises
        if any((EXERCISES / f"{exercise.lesson_id}{end}").is_relative_to(place) for end in (".py", ".ipynb"))
    ]
    return change_record(lambda record: record.note(graded), path)


def next_exercise(course: Course, record: Record, after: str | None = None) -> Exercise | None:
    """The first exercise behind `after` (or from the beginning) that is not solved, then from the start again."""
    exercises = course.exercises
    places = [place for place, exercise in enumerate(exercises) if exercise.id == after]
    start = places[0] + 1 if places else 0
    for exercise in [*exercises[start:], *exercises[:start]]:
        if exercise.id not in record.solved and exercise.id != after:
            return exercise
    return None


def current_exercise(course: Course, record: Record) -> Exercise | None:
    """The exercise that a learner is at: the one they were at last, or the first that is not solved."""
    here = next((exercise for exercise in course.exercises if exercise.id == record.current), None)
    return here or next_exercise(course, record)
