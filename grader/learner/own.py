"""The learner's own files in exercises/: what a path on the command line means there, and what is missing."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from grader.course import ROOT, Course, Exercise
from grader.errors import UnknownExercise, UnreadableSubmission
from grader.learner.record import EXERCISES
from grader.learner.stubs import missing_lesson

DEFAULT = "exercises"


def submission_path(text: str, course: Course) -> Path:
    """The path that was meant: `exercises` is the course's own, whatever folder one is in.

    Raises:
        UnreadableSubmission: there is no such path; the text says what is near.
    """
    path = Path(text)
    if path.exists():
        return path
    if text.strip("/") == DEFAULT and EXERCISES.exists():
        return EXERCISES
    raise UnreadableSubmission(f"{text} does not exist: {_advice(text, course)}")


def _advice(text: str, course: Course) -> str:
    bare = text.strip("/").removeprefix(f"{DEFAULT}/").removesuffix(".py")
    try:
        found = course.select([bare])
    except UnknownExercise:
        found = ()
    if len(found) == 1 and bare not in (found[0].topic, found[0].lesson, found[0].lesson_id):
        return f"to grade an exercise, name it after -e: `python -m grader grade -e {found[0].name}`"
    places = [DEFAULT, *(f"{DEFAULT}/{topic}" for topic in dict.fromkeys(lesson.topic for lesson in course.lessons))]
    places += [f"{DEFAULT}/{lesson.id}.py" for lesson in course.lessons]
    tails = {place.removeprefix(f"{DEFAULT}/").removesuffix(".py"): place for place in places}
    tails |= {lesson.name: f"{DEFAULT}/{lesson.id}.py" for lesson in course.lessons}
    near = difflib.get_close_matches(bare, tails, n=1, cutoff=0.6)
    if near and (ROOT / tails[near[0]]).exists() and tails[near[0]] != text:
        return f"did you mean {tails[near[0]]}?"
    return "give a folder like exercises/, a .py file or a notebook"


def part_of(path: Path, exercises: Sequence[Exercise]) -> tuple[Exercise, ...]:
    """Those of the exercises that a path holds, if it is a part of exercises/; else all of them."""
    place = path.resolve()
    if not place.is_relative_to(EXERCISES) or place == EXERCISES:
        return tuple(exercises)
    names = {f"{e.lesson_id}{end}": e for e in exercises for end in (".py", ".ipynb")}
    held = {e.lesson_id for name, e in names.items() if (EXERCISES / name).is_relative_to(place)}
    return tuple(exercise for exercise in exercises if exercise.lesson_id in held) or tuple(exercises)


def missing_lessons(path: Path, exercises: Sequence[Exercise]) -> list[str]:
    """A line for each lesson of these exercises that exercises/ should hold and does not, if that is the path."""
    if path.resolve() != EXERCISES:
        return []
    lessons = dict.fromkeys(exercise.lesson_id for exercise in exercises)
    return [
        missing_lesson(name)
        for name in lessons
        if not any((EXERCISES / f"{name}{end}").exists() for end in (".py", ".ipynb"))
    ]
