"""Writes the grades of a class into nbgrader's gradebook, so that formgrader and `nbgrader export` show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from grader.classroom.grades import ClassGrades, StudentGrade
from grader.course import Course, Exercise, Lesson
from grader.gradebook.naming import assignment_name, notebook_name, solution_cell, test_cell
from grader.gradebook.opening import open_gradebook
from grader.gradebook.scores import auto_score, set_score
from grader.progress import Show
from grader.result import ExerciseResult

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

ABSENT = "the submission has no "  # how an exercise's message begins where the lesson's file was not handed in


@dataclass(frozen=True)
class Written:
    """What is now in the gradebook: `by_hand` counts the scores that are left to a person."""

    assignments: int
    students: int
    scores: int
    by_hand: int


def write_grades(grades: ClassGrades, course: Course, url: str, show: Show = lambda what, done, total: None) -> Written:
    """Write all of a class, student by student; a second time changes only what is different.

    An assignment is a lesson, with a score for each exercise, as in the course of `build nbgrader`. What could not be
    assessed or graded is marked for grading by hand. A student without a submission has none in the gradebook either.
    Scores that a person gave stay.

    Args:
        url: of the database, as SQLAlchemy writes them; a plain path is an SQLite file.
        show: is told of the progress.

    Raises:
        GraderError: the gradebook cannot be opened or written; what was written of earlier students stays.
    """
    lessons = [
        (course.lesson(lesson_id), list(exercises))
        for lesson_id, exercises in groupby(grades.exercises, key=lambda exercise: exercise.lesson_id)
    ]
    scores = by_hand = 0
    with open_gradebook(url) as gradebook:
        for lesson, exercises in lessons:
            _write_assignment(gradebook, lesson, exercises)
        for number, student in enumerate(grades.students):
            show(f"gradebook: {student.student}", number, len(grades.students))
            _write_student(gradebook, student)
            results = {exercise.id: exercise for exercise in student.result.exercises} if student.result else {}
            for lesson, exercises in lessons:
                of_lesson = {test_cell(exercise): results.get(exercise.id) for exercise in exercises}
                submission = _submission(gradebook, lesson, student, of_lesson.values())
                if submission is not None:
                    by_hand += _write_scores(gradebook, lesson, submission, of_lesson, student.penalty)
                    scores += len(of_lesson)
            gradebook.db.commit()
    return Written(len(lessons), len(grades.students), scores, by_hand)


def _write_assignment(gradebook: Gradebook, lesson: Lesson, exercises: Sequence[Exercise]) -> None:
    assignment, notebook = assignment_name(lesson), notebook_name(lesson)
    gradebook.update_or_create_assignment(assignment)
    gradebook.update_or_create_notebook(notebook, assignment)
    for exercise in exercises:
        gradebook.update_or_create_grade_cell(
            test_cell(exercise), notebook, assignment, max_score=exercise.points, cell_type="code"
        )
        gradebook.update_or_create_solution_cell(solution_cell(exercise), notebook, assignment)


def _write_student(gradebook: Gradebook, student: StudentGrade) -> None:
    details: dict[str, Any] = {}
    first, _, last = student.name.rpartition(" ")
    if student.name:
        details |= {"first_name": first or None, "last_name": last}
    if student.email:
        details["email"] = student.email
    gradebook.update_or_create_student(student.student, **details)


def _submission(
    gradebook: Gradebook, lesson: Lesson, student: StudentGrade, results: Iterable[ExerciseResult | None]
) -> Any:
    """The student's submission of a lesson, made if there is none; None if nothing of it was handed in."""
    from nbgrader.api import MissingEntry

    assignment = assignment_name(lesson)
    try:
        return gradebook.find_submission(assignment, student.student)
    except MissingEntry:
        if not student.submission or all(result and _absent(result) for result in results):
            return None
        return gradebook.add_submission(assignment, student.student)


def _absent(result: ExerciseResult) -> bool:
    return result.status == "not_attempted" and all((t.message or "").startswith(ABSENT) for t in result.tests)


def _write_scores(
    gradebook: Gradebook, lesson: Lesson, submission: Any, results: dict[str, ExerciseResult | None], penalty: float
) -> int:
    """Write the scores of one lesson; the number of those that are left to a person."""
    from nbgrader.api import Grade

    notebook = next(notebook for notebook in submission.notebooks if notebook.name == notebook_name(lesson))
    present = {grade.name: grade for grade in notebook.grades}
    total = 0.0
    for name, result in results.items():
        grade = present.get(name)
        if grade is None:
            # The exercise is newer than the submission.
            cell = gradebook.find_grade_cell(name, notebook_name(lesson), assignment_name(lesson))
            grade = Grade(cell_id=cell.id, notebook=notebook, needs_manual_grade=True)
        if grade.manual_score is None or grade.auto_score != auto_score(result):
            set_score(grade, result)
        present[name] = grade
    for grade in present.values():
        score = grade.auto_score if grade.manual_score is None else grade.manual_score
        total += (score or 0.0) + (grade.extra_credit or 0.0)
    late = round(penalty * total, 4)
    if (notebook.late_submission_penalty or 0.0) != late:
        notebook.late_submission_penalty = late
    return sum(grade.needs_manual_grade for name, grade in present.items() if name in results)
