"""What lessons and exercises are called in nbgrader, and how prose reads there, the same wherever we write."""

from __future__ import annotations

import re

from grader.course import Course, Exercise, Lesson

COURSE = "pytorch"  # nbgrader's course_id


def assignment_name(lesson: Lesson) -> str:
    """The assignment of a lesson, such as `tensors-views`: nbgrader allows no slash."""
    return f"{lesson.topic}-{lesson.name}"


def notebook_name(lesson: Lesson) -> str:
    """The one notebook of a lesson's assignment, without its suffix."""
    return lesson.name


def test_cell(exercise: Exercise) -> str:
    """The id of the cell that carries an exercise's points."""
    return exercise.name


def solution_cell(exercise: Exercise) -> str:
    """The id of the cell in which an exercise is solved."""
    return f"{exercise.name}-answer"


def lesson_of(course: Course, assignment: str) -> Lesson | None:
    """The lesson that an assignment is made of; None if it is none of ours."""
    return next((lesson for lesson in course.lessons if assignment_name(lesson) == assignment), None)


def for_notebook(prose: str) -> str:
    """A lesson's Markdown as its assignment has it, whose data lies beside the notebook."""
    return re.sub(r"\]\((?:\.\./)+data/", "](data/", prose)
