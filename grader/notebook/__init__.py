"""What `from grader import check` gives: feedback on one exercise, in a notebook or at a prompt.

The learner's text goes to a grader beside the kernel; nothing of it is judged in the kernel itself.
"""

from __future__ import annotations

import atexit
import secrets
import sys
import threading
from typing import TYPE_CHECKING, Any

from grader.course import Course, Exercise, load_course
from grader.errors import GraderError, GraderFailed
from grader.notebook.feedback import Feedback, Trouble, Waiting
from grader.notebook.source import exercise_of, find_source

if TYPE_CHECKING:
    from grader.desk import Desk


class StopHere(Exception):
    """Ends "Run All" at an exercise that is not written yet; IPython shows the sentence and no traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


def check(exercise: Any) -> None:
    """Show what the tests say about one exercise.

    Args:
        exercise: its function or class, or its name: `check(transpose_view)`, `check("tensors/views/transpose_view")`.
    """
    if sys._getframe(1).f_globals.get("__lesson__"):
        return  # The grader is running this very file.
    shell = _shell()
    place = _Place(shell)
    unwritten = None
    try:
        feedback = _feedback(exercise, shell, place)
        place.show(feedback)
        unwritten = feedback.exercise.id if feedback.exercise.status == "not_attempted" else None
    except KeyboardInterrupt:
        _graders.forget()
        place.show(Trouble("Stopped. Run the cell again to check once more."))
    except GraderError as error:
        place.show(Trouble(str(error)))
    except Exception as error:
        _graders.forget()
        place.show(Trouble(f"The check itself failed ({type(error).__name__}: {error}). Run the cell again."))
    if unwritten and place.in_notebook:
        raise StopHere(f"{unwritten} is not written yet, so running all cells ends here.")


def _feedback(asked: Any, shell: Any, place: _Place) -> Feedback:
    course = load_course()
    exercise = exercise_of(asked, course)
    found = find_source(asked, exercise, course, shell)
    if not _graders.is_ready(exercise):
        place.show(Waiting(f"Warming up the grader for {exercise.lesson_id}: a few seconds, once."))
    from grader.submission import Submission

    submission = Submission(found.where, {exercise.lesson_id: found.source})
    return Feedback(_graders.judge(submission, exercise, course), course, found)


def _shell() -> Any:
    """IPython's shell, if this runs in one."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


class _Place:
    """Where feedback appears: below the cell, each time in place of what was there, or as text at a prompt."""

    def __init__(self, shell: Any) -> None:
        self.in_notebook = shell is not None and getattr(shell, "kernel", None) is not None
        self._handle: Any = None

    def show(self, what: Feedback | Trouble | Waiting) -> None:
        """Show this in place of what was shown before."""
        if not self.in_notebook:
            if not isinstance(what, Waiting) or sys.stdout.isatty():
                print(repr(what), flush=True)
            return
        from IPython.display import display

        if self._handle:
            self._handle.update(what)
        else:
            self._handle = display(what, display_id=True)


class _Graders:
    """The process that judges, kept from one check to the next; another one when it ended or the lesson changed."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._lesson = ""
        self._lock = threading.Lock()

    def is_ready(self, exercise: Exercise) -> bool:
        return bool(self._desk and self._desk.ready and self._lesson == exercise.lesson_id)

    def judge(self, submission: Any, exercise: Exercise, course: Course) -> Any:
        """The result of one exercise.

        Raises:
            GraderError: it cannot be judged.
        """
        from grader.desk import Task

        with self._lock:
            for attempt in (1, 2):
                try:
                    return self._desk_for(exercise, course).judge(Task(submission, (exercise.id,)))
                except GraderFailed:
                    self.forget()
                    if attempt == 2:
                        raise
            raise AssertionError

    def _desk_for(self, exercise: Exercise, course: Course) -> Desk:
        from grader.desk import Desk, DeskSettings

        if self._desk is None or self._lesson != exercise.lesson_id or self._desk.process.poll() is not None:
            self.forget()
            ids = tuple(e.id for e in course.lesson(exercise.lesson_id).exercises)
            self._desk = Desk.start(DeskSettings(ids, seed=secrets.randbelow(2**31)))
            self._lesson = exercise.lesson_id
        return self._desk

    def forget(self) -> None:
        """End the process; the next check starts another."""
        desk, self._desk = self._desk, None
        if desk:
            desk.close()


_graders = _Graders()
atexit.register(_graders.forget)
