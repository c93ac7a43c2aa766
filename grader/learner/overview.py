"""Shows the exercises with where the learner is in them: `list` and `progress`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from grader.course import Course, Exercise
from grader.learner.record import Record, current_exercise
from grader.reports.terminal import console, share_bar, signs_of
from grader.reports.wording import number

STATUSES = ("solved", "begun", "new")
_STYLE = {"solved": "green", "begun": "yellow", "new": ""}


def matching(exercises: Iterable[Exercise], course: Course, text: str) -> list[Exercise]:
    """The exercises in whose id, title, lesson's title, hints or tests all words of `text` occur."""
    words = text.lower().split()
    found = []
    for exercise in exercises:
        parts = [exercise.id, exercise.title, course.lesson(exercise.lesson_id).title]
        whole = "\n".join([*parts, *exercise.hints, *exercise.tests]).lower()
        if all(word in whole for word in words):
            found.append(exercise)
    return found


def marks(screen: Console) -> dict[str, str]:
    """The sign of each status of the record."""
    signs = signs_of(screen)
    return {"solved": signs["passed"], "begun": "~", "new": " "}


def show_list(exercises: Sequence[Exercise], course: Course, record: Record) -> None:
    """A table of exercises by lesson: what is solved, level, points, minutes."""
    screen = console()
    sign = marks(screen)
    if not exercises:
        screen.print("No exercise is like that.")
        return
    screen.print(f"{'  Exercise':40}{'Level':10}{'Points':>7}{'Minutes':>9}", style="bold")
    for lesson_id, in_lesson in groupby(exercises, key=lambda exercise: exercise.lesson_id):
        screen.print(Text(f"{lesson_id}: {course.lesson(lesson_id).title}", style="bold"))
        for exercise in in_lesson:
            status = record.status(exercise.id)
            name = f"{sign[status]} {exercise.name}"
            line = f"{name:40}{exercise.level:10}{number(exercise.points):>7}{exercise.minutes:>9}"
            screen.print(Text(line, style=_STYLE[status]))
    points, minutes = sum(e.points for e in exercises), sum(e.minutes for e in exercises)
    solved = sum(exercise.id in record.solved for exercise in exercises)
    screen.print(f"\n{len(exercises)} exercises, {number(points)} points, about {minutes / 60:.1f} hours")
    screen.print(f"{sign['solved']} solved: {solved}   {sign['begun']} begun: {_count(exercises, record, 'begun')}")


def _count(exercises: Iterable[Exercise], record: Record, status: str) -> int:
    return sum(record.status(exercise.id) == status for exercise in exercises)


def show_progress(course: Course, record: Record) -> None:
    """A bar for each topic and for all, hints taken, and what is next."""
    screen = console()
    signs = signs_of(screen)
    screen.print(f"{'Topic':16}{'Solved':>9}  {'':14}{'Begun':>6}{'Points':>13}{'Minutes left':>15}", style="bold")
    for topic, in_topic in groupby(course.exercises, key=lambda exercise: exercise.topic):
        screen.print(_line(topic, list(in_topic), record, signs))
    screen.print(_line("all", course.exercises, record, signs))
    taken = sum(record.hints.values())
    if taken:
        exercises = sum(count > 0 for count in record.hints.values())
        screen.print(f"\n{taken} hint{'s' * (taken != 1)} taken, in {exercises} exercise{'s' * (exercises != 1)}.")
    current = current_exercise(course, record)
    if current is None:
        screen.print(Text("\nAll done.", style="bold green"))
        return
    screen.print(Text.assemble("\n", ("Now at ", "bold"), f'{current.id}, "{current.title}"'))
    screen.print(f"       in exercises/{current.lesson_id}.py")
    screen.print("       make watch   grades it whenever you save")


def _line(name: str, exercises: Sequence[Exercise], record: Record, signs: dict[str, str]) -> Text:
    solved = [exercise for exercise in exercises if exercise.id in record.solved]
    left = sum(exercise.minutes for exercise in exercises if exercise.id not in record.solved)
    points = f"{number(sum(e.points for e in solved))} / {number(sum(e.points for e in exercises))}"
    bar = share_bar(100 * len(solved) / len(exercises), signs)
    share = f"{len(solved)} / {len(exercises)}"
    rest = f"{_count(exercises, record, 'begun'):>6}{points:>13}{left:>15}"
    return Text.assemble(f"{name:16}{share:>9}  ", bar, "  ", rest)
