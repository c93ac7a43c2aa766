"""Writes the grades of a class into nbgrader's gradebook, so that formgrader and `nbgrader export` show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from grader.classroom.grades import ClassGrades, StudentGrade
from grader.course import Course, Exercise, Lesson
from grader.gradebook.naming import assignment_name, notebook_name, solution_cell, test_cell
from grader.gradebook.opening import open_gradebook, without_password
from grader.gradebook.scores import auto_score, set_score
from grader.progress import Show
from grader.result import ExerciseResult

if TYPE_CHECKING:
    from nbgrader.api import Gradebook

ABSENT = "the submission has no "  # how an exercise's message begins where the lesson's file was not handed in


@dataclass(frozen=True)
class Written:
    """What is now in the gradebook: `by_hand` counts the scores that are left to a person."""

    gradebook: str
    assignments: int
    students: int
    scores: int
    by_hand: int

    def __str__(self) -> str:
        text = f"Gradebook {self.gradebook}: {self.scores} scores of {self.students} students"
        text += f" in {self.assignments} assignment{'s' * (self.assignments != 1)}"
        return text + (f", {self.by_hand} of them left for grading by hand" if self.by_hand else "")


def write_grades(
    grades: ClassGrades,
    course: Course,
    url: str,
    *,
    due: float | None = None,
    show: Show = lambda what, done, total: None,
) -> Written:
    """Write all of a class, student by student; a second time changes only what is different.

    An assignment is a lesson, with a score for each exercise, as in the course of `build nbgrader`. What could not be
    assessed or graded is marked for grading by hand. A student without a submission has none in the gradebook either.
    Scores that a person gave stay.

    Args:
        url: of the database, as SQLAlchemy writes them; a plain path is an SQLite file.
        due: the deadline of all the assignments, in seconds since 1970.
        show: is told of the progress.

    Raises:
        GraderError: the gradebook cannot be opened or written; what was written of earlier students stays.
    """
    scores = by_hand = 0
    with open_gradebook(url) as gradebook:
        places = [
            _write_assignment(gradebook, course.lesson(lesson_id), list(exercises), due)
            for lesson_id, exercises in groupby(grades.exercises, key=lambda exercise: exercise.lesson_id)
        ]
        gradebook.db.commit()
        for number, student in enumerate(grades.students):
            show(f"gradebook: {student.student}", number, len(grades.students))
            _write_student(gradebook, student)
            for written in _write_submissions(gradebook, places, student):
                scores += 1
                by_hand += written.needs_manual_grade
            # One for each student: nbgrader's own functions commit, and wait for the disk, at every step.
            gradebook.db.commit()
    return Written(without_password(url), len(places), len(grades.students), scores, by_hand)


@dataclass(frozen=True)
class _Place:
    """Where a lesson's scores go: ids in the gradebook, those of grade cells by exercise id."""

    assignment: str
    notebook: str
    grades: dict[str, str]
    comments: tuple[str, ...]


def _write_assignment(gradebook: Gradebook, lesson: Lesson, exercises: Sequence[Exercise], due: float | None) -> _Place:
    from nbgrader.api import Assignment, GradeCell, Notebook, SolutionCell, new_uuid

    session, name = gradebook.db, assignment_name(lesson)
    assignment = session.query(Assignment).filter_by(name=name).one_or_none()
    if assignment is None:
        assignment = Assignment(name=name, course_id=gradebook.course_id)
        session.add(assignment)
        session.flush()
    if due is not None:
        assignment.duedate = _utc(due)
    keys = {"name": notebook_name(lesson), "assignment_id": assignment.id}
    notebook = session.query(Notebook).filter_by(**keys).one_or_none()
    if notebook is None:
        notebook = Notebook(id=new_uuid(), **keys)
        session.add(notebook)
        session.flush()
    graded = {cell.name: cell for cell in session.query(GradeCell).filter_by(notebook_id=notebook.id)}
    solved = {cell.name: cell for cell in session.query(SolutionCell).filter_by(notebook_id=notebook.id)}
    for exercise in exercises:
        keys = {"name": test_cell(exercise), "notebook_id": notebook.id}
        cell = graded.get(test_cell(exercise))
        if cell is None:
            cell = GradeCell(id=new_uuid(), **keys, cell_type="code", max_score=exercise.points)
            session.add(cell)
            graded[cell.name] = cell
        elif cell.max_score != exercise.points:
            cell.max_score = exercise.points
        if solution_cell(exercise) not in solved:
            answer = SolutionCell(id=new_uuid(), name=solution_cell(exercise), notebook_id=notebook.id)
            session.add(answer)
            solved[answer.name] = answer
    session.flush()
    ids = {exercise.id: graded[test_cell(exercise)].id for exercise in exercises}
    return _Place(assignment.id, notebook.id, ids, tuple(cell.id for cell in solved.values()))


def _utc(time: float) -> datetime:
    """Seconds since 1970 as nbgrader keeps times: in UTC, without saying so."""
    return datetime.fromtimestamp(round(time), UTC).replace(tzinfo=None)


def _write_student(gradebook: Gradebook, student: StudentGrade) -> None:
    from nbgrader.api import Student

    entry = gradebook.db.get(Student, student.student)
    if entry is None:
        entry = Student(id=student.student)
        gradebook.db.add(entry)
    first, _, last = student.name.rpartition(" ")
    if student.name and (entry.first_name, entry.last_name) != (first or None, last):
        entry.first_name, entry.last_name = first or None, last
    if student.email and entry.email != student.email:
        entry.email = student.email
    gradebook.db.flush()


def _write_submissions(gradebook: Gradebook, places: Sequence[_Place], student: StudentGrade) -> Iterator[Any]:
    """Write a student's scores; gives nbgrader's grade of each."""
    from nbgrader.api import Comment, Grade, SubmittedAssignment, SubmittedNotebook, new_uuid
    from sqlalchemy.orm import load_only

    session = gradebook.db
    results = {exercise.id: exercise for exercise in student.result.exercises} if student.result else {}
    submissions = session.query(SubmittedAssignment).filter_by(student_id=student.student).all()
    arrived = _utc(student.arrived.time) if student.arrived else None
    for submission in submissions:
        submission.timestamp = arrived or submission.timestamp
    present = {submission.assignment_id: submission.id for submission in submissions}
    of_student = session.query(SubmittedNotebook).filter(SubmittedNotebook.assignment_id.in_(present.values())).all()
    notebooks = {(notebook.assignment_id, notebook.notebook_id): notebook for notebook in of_student}
    grades: dict[str, dict[str, Any]] = {notebook.id: {} for notebook in of_student}
    columns = (Grade.notebook_id, Grade.cell_id, Grade.auto_score, Grade.manual_score, Grade.extra_credit)
    loaded = load_only(*columns, Grade.needs_manual_grade)
    for grade in session.query(Grade).options(loaded).filter(Grade.notebook_id.in_(grades)):
        grades[grade.notebook_id][grade.cell_id] = grade
    for place in places:
        of_lesson = {cell: results.get(exercise) for exercise, cell in place.grades.items()}
        if place.assignment not in present:
            if not student.submission or all(result and _absent(result) for result in of_lesson.values()):
                continue
            present[place.assignment] = new_uuid()
            session.add(
                SubmittedAssignment(
                    id=present[place.assignment],
                    assignment_id=place.assignment,
                    student_id=student.student,
                    timestamp=arrived,
                )
            )
        key = (present[place.assignment], place.notebook)
        if key not in notebooks:
            notebooks[key] = SubmittedNotebook(id=new_uuid(), assignment_id=key[0], notebook_id=key[1])
            grades[notebooks[key].id] = {}
            session.add(notebooks[key])
            session.add_all(Comment(cell_id=cell, notebook_id=notebooks[key].id) for cell in place.comments)
        yield from _write_scores(session, notebooks[key], grades[notebooks[key].id], of_lesson, student.penalty)


def _write_scores(
    session: Any, notebook: Any, present: dict[str, Any], results: dict[str, ExerciseResult | None], penalty: float
) -> list[Any]:
    from nbgrader.api import Grade

    for cell, result in results.items():
        grade = present.get(cell)
        if grade is None:
            grade = present[cell] = Grade(cell_id=cell, notebook_id=notebook.id, needs_manual_grade=True)
            session.add(grade)
        elif grade.manual_score is not None and grade.auto_score == auto_score(result):
            continue  # Someone has seen to this one.
        set_score(grade, result)
    total = 0.0
    for grade in present.values():
        score = grade.auto_score if grade.manual_score is None else grade.manual_score
        total += (score or 0.0) + (grade.extra_credit or 0.0)
    late = round(penalty * total, 4)
    if (notebook.late_submission_penalty or 0.0) != late:
        notebook.late_submission_penalty = late
    return [present[cell] for cell in results]


def _absent(result: ExerciseResult) -> bool:
    return result.status == "not_attempted" and all((test.message or "").startswith(ABSENT) for test in result.tests)
