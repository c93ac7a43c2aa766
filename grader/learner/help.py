"""Helps on with one exercise: its next hint, or its solution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from grader.course import Course, Exercise
from grader.errors import GraderError, UnknownExercise
from grader.learner.record import Record, change_record, current_exercise
from grader.percent import read_cells

REGRET = (
    "A solution that one has only read is soon forgotten, and this was the chance to find it. "
    "Close it and write your own."
)


class NoSolution(GraderError):
    """A solution is not shown; the text says why and what to do."""


def one_exercise(course: Course, name: str | None, record: Record) -> Exercise:
    """The exercise of this name (an id or the end of one); without a name, the one the learner is at.

    Raises:
        UnknownExercise: there is none, or more than one.
    """
    if name is None:
        current = current_exercise(course, record)
        if current is None:
            raise UnknownExercise("every exercise is solved: name the one you mean (`python -m grader list`)")
        return current
    found = course.select([name])
    if len(found) > 1:
        names = ", ".join(exercise.name for exercise in found[:4])
        raise UnknownExercise(f"{name!r} is {len(found)} exercises ({names}, ...): name one of them")
    return found[0]


def take_hint(exercise: Exercise, record_file: Path | None = None) -> tuple[int, Record]:
    """Take the next hint of an exercise into the record.

    Returns: which hint it is, from 0; the number of hints if all were taken before.
    """
    place = 0

    def take(record: Record) -> None:
        nonlocal place
        place = min(record.hints.get(exercise.id, 0), len(exercise.hints))
        if place < len(exercise.hints):
            record.hints[exercise.id] = place + 1

    record = change_record(take, record_file)
    return place, record


def hint_lines(exercise: Exercise, places: Sequence[int]) -> list[Text]:
    """These hints, each with its number."""
    count = len(exercise.hints)
    return [Text.assemble((f"Hint {place + 1} of {count}  ", "bold"), exercise.hints[place]) for place in places]


def show_hint(screen: Console, exercise: Exercise, everything: bool) -> str | None:
    """Print the next hint, or all; say what comes after it.

    Returns: why it is not remembered, if it is not.
    """
    if not exercise.hints:
        screen.print(f"{exercise.id} has no hints.")
        return None
    screen.print(Text.assemble((exercise.id, "bold"), f'  "{exercise.title}"'))
    count = len(exercise.hints)
    if everything:
        for line in hint_lines(exercise, range(count)):
            screen.print(line)
        return change_record(lambda record: record.hints.update({exercise.id: count})).problem
    place, record = take_hint(exercise)
    for line in hint_lines(exercise, [min(place, count - 1)]):
        screen.print(line)
    if place < count - 1:
        left = count - 1 - place
        screen.print(f"{left} more hint{'s' * (left != 1)}: the same command again.", style="dim")
    elif place == count - 1:
        screen.print("That was the last one.", style="dim")
    else:
        screen.print(f"That is the last one, and you have it already. `hint {exercise.name} --all` shows all.")
    return record.problem


def solution_text(exercise: Exercise, course: Course) -> str:
    """The solution of an exercise, as code.

    Raises:
        NoSolution: there are no solutions here.
    """
    text = course.lesson(exercise.lesson_id).text
    cell = next((c for c in read_cells(text) if c.title == exercise.name and "points" in c.metadata), None)
    if cell is None:
        raise NoSolution(
            f"the solution of {exercise.name} is not in this version of the course: ask whoever gave it to you. "
            f"There are hints: `python -m grader hint {exercise.name}`"
        )
    return re.sub(r"^[ \t]*(?:### (?:BEGIN|END) SOLUTION|# Hint: .*)\n?", "", cell.source + "\n", flags=re.MULTILINE)


def as_code(text: str, screen: Console) -> Syntax | Text:
    """Python code, in colour where there is any."""
    if screen.is_terminal and not screen.no_color:
        return Syntax(text, "python", theme="ansi_dark", background_color="default", word_wrap=True)
    return Text(text)


def show_solution(course: Course, name: str | None, anyway: bool) -> None:
    """Print the solution of an exercise: if it is solved, by the record or by grading it now, or if told to `anyway`.

    Raises:
        NoSolution: it is not solved, or there are no solutions here.
    """
    from grader.learner.record import read_record
    from grader.reports.terminal import console

    record = read_record()
    exercise = one_exercise(course, name, record)
    text = solution_text(exercise, course)
    screen = console()
    if not anyway and exercise.id not in record.solved and not _passes(exercise, course):
        left = len(exercise.hints) - record.hints.get(exercise.id, 0)
        hints = f"there {'is' if left == 1 else 'are'} {left} more hint{'s' * (left != 1)}: `hint {exercise.name}`. "
        raise NoSolution(
            f"{exercise.name} is not solved yet, so its solution waits; {hints if left > 0 else ''}"
            "`--anyway` shows it all the same"
        )
    screen.print(Text.assemble((exercise.id, "bold"), f'  "{exercise.title}"\n'))
    screen.print(as_code(text, screen), soft_wrap=True)
    if anyway and exercise.id not in record.solved:
        screen.print(Text(REGRET, style="yellow"))


def _passes(exercise: Exercise, course: Course) -> bool:
    """Whether the learner's answer passes now; notes it in the record."""
    from grader.grading import grade_submission
    from grader.learner.record import EXERCISES, note_grades

    if not EXERCISES.is_dir():
        return False
    result = grade_submission(EXERCISES, course, [exercise], seed=0, progress=True)
    note_grades(result, EXERCISES)
    return result.exercises[0].status == "passed"
