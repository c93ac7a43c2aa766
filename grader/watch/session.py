"""What `watch` knows and does, whatever shows it: the exercise at hand, verdicts, hints, and what is being graded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from grader.course import Course, Exercise
from grader.learner.help import take_hint
from grader.learner.record import Record, change_record, current_exercise, next_exercise, read_record
from grader.learner.stubs import missing_lesson
from grader.result import ExerciseResult, from_json
from grader.watch.changes import Touched, touched
from grader.watch.files import LessonFiles


class Grading(Protocol):
    """What takes orders; see grader.watch.client.GradingProcess."""

    def grade(self, number: int, exercises: Sequence[str]) -> None: ...

    def send(self, **order: Any) -> None: ...


@dataclass
class Order:
    """Exercises that are being graded: `begun` is how many of them, `told` how many have a verdict.

    `since` is when it was given, on time.monotonic's clock.
    """

    number: int
    exercises: list[str]
    why: str
    begun: int = 0
    told: int = 0
    since: float = field(default_factory=time.monotonic)


@dataclass
class Verdict:
    """What became of an exercise when it was graded last, and `at` what time of day.

    A result, or the problem that kept it from being graded. `public` where only the docstring's examples were tried.
    """

    result: ExerciseResult | None
    problem: str | None
    at: str = ""
    public: bool = False


class Session:
    """One run of `watch`. `changed` is called whenever there is something else to show.

    `record_file` is the learner's record, by default the course's. `state` is "starting", "ready" or "failed" and
    tells of the grading process; `why` what failed, or why there is no sandbox.
    """

    def __init__(
        self,
        course: Course,
        files: LessonFiles,
        first: Exercise | None,
        changed: Callable[[], None],
        record_file: Path | None = None,
    ) -> None:
        self.course = course
        self.files = files
        self.changed = changed
        self.record_file = record_file
        self.record = read_record(record_file)
        self.current = first or current_exercise(course, self.record) or course.exercises[0]
        self.grading: Grading | None = None
        self.state = "starting"
        self.isolation = ""
        self.why: str | None = None
        self.started = time.monotonic()
        self.verdicts: dict[str, Verdict] = {}
        self.notice = ""
        self.orders: list[Order] = []
        self.count = 0
        self.on_verdict: Callable[[str, Verdict], None] = lambda exercise_id, verdict: None
        self._remember_current()

    @property
    def solved(self) -> int:
        """How many exercises of the course are solved."""
        return sum(exercise.id in self.record.solved for exercise in self.course.exercises)

    @property
    def order(self) -> Order | None:
        """What is being graded now."""
        return self.orders[0] if self.orders else None

    def missing(self, exercise: Exercise) -> str | None:
        """A line that says so if the file of an exercise is not there."""
        return missing_lesson(exercise.lesson_id) if self.files.contents[exercise.lesson_id] is None else None

    # Choosing

    def go_to(self, exercise: Exercise) -> None:
        """Make this the exercise at hand, and grade it as it is."""
        self.current = exercise
        self.notice = ""
        self._remember_current()
        if exercise.id not in self.verdicts:
            self.grade([exercise.id], "")
        self.changed()

    def go_on(self) -> None:
        """To the next exercise that is not solved."""
        following = next_exercise(self.course, self.record, self.current.id)
        if following:
            self.go_to(following)
        else:
            solved = self.current.id in self.record.solved
            self.say("Every exercise is solved." if solved else "This is the last one that is not solved.")

    def go_back(self) -> None:
        """To the exercise before this one."""
        place = self.course.exercises.index(self.current)
        if place:
            self.go_to(self.course.exercises[place - 1])
        else:
            self.say("This is the first exercise.")

    def _remember_current(self) -> None:
        name = self.current.id
        self._change(lambda record: setattr(record, "current", name))

    def _change(self, change: Callable[[Record], None]) -> None:
        self.record = change_record(change, self.record_file)
        if self.record.problem:
            self.notice = f"{self.record.problem}."

    def say(self, notice: str) -> None:
        """Show a short notice until something else happens."""
        self.notice = notice
        self.changed()

    def hint(self) -> bool:
        """Take one more hint; whether there was one."""
        if not self.current.hints:
            self.say("This exercise has no hints.")
            return False
        place, self.record = take_hint(self.current, self.record_file)
        self.notice = f"{self.record.problem}." if self.record.problem else ""
        if place == len(self.current.hints):
            self.notice = "These are all the hints there are."
        self.changed()
        return place < len(self.current.hints)

    # Grading

    def restarted(self) -> None:
        """Take in that the grading process is started again."""
        self.state, self.started, self.why = "starting", time.monotonic(), None
        self.changed()

    def grade(self, exercises: list[str], why: str) -> None:
        """Order exercises to be graded. Those that are being graded already are begun anew, with what is there now."""
        for order in list(self.orders):
            if set(order.exercises) & set(exercises):
                left = [name for name in order.exercises[max(0, order.begun - 1) :] if name not in exercises]
                self.orders.remove(order)
                if self.grading:
                    self.grading.send(cancel=order.number)
                exercises = exercises + left
        self.count += 1
        order = Order(self.count, exercises, why)
        self.orders.append(order)
        if self.grading and self.state == "ready":
            self.grading.grade(order.number, exercises)
        self.changed()

    def grade_again(self) -> None:
        """Grade the exercise at hand as it is now."""
        self.grade([self.current.id], "again")

    def looked(self, changed: dict[str, str | None]) -> None:
        """Take in that files have changed: lessons by id, with the code that each had before."""
        wanted: list[str] = []
        for lesson_id, before in changed.items():
            lesson = self.course.lesson(lesson_id)
            text = self.files.text(lesson_id)
            if text is None:
                for exercise in lesson.exercises:
                    self.verdicts.pop(exercise.id, None)
                continue
            found = touched(before or "", text, lesson)
            wanted += self._to_grade(lesson_id, found)
        self.notice = ""
        if wanted and self.current.id not in wanted:
            self.current = self.course.exercise(wanted[0])
            self._remember_current()
        elif wanted:
            # What one is at is what one waits for.
            wanted.remove(self.current.id)
            wanted.insert(0, self.current.id)
        if wanted:
            self.grade(wanted, "saved")
        self.changed()

    def _to_grade(self, lesson_id: str, found: Touched) -> list[str]:
        names = [f"{lesson_id}/{name}" for name in found.changed]
        # One that uses what was changed is only of interest once it was attempted.
        using = [f"{lesson_id}/{name}" for name in found.using]
        names += [name for name in using if name in self.record.solved or name in self.record.tried]
        if not names and self.current.lesson_id == lesson_id:
            names = [self.current.id]
        return names

    def hear(self, message: dict[str, Any]) -> None:
        """Take in a message of the grading process."""
        if "ready" in message:
            self.state, self.isolation, self.why = "ready", message["ready"], message["note"]
            for order in self.orders:
                order.begun, order.told, order.since = 0, 0, time.monotonic()
                if self.grading:
                    self.grading.grade(order.number, order.exercises)
        elif "failed" in message:
            self.state, self.why = "failed", message["failed"]
        elif "done" in message:
            self.orders = [order for order in self.orders if order.number != message["done"]]
        else:
            self._hear_of_exercise(message)
        self.changed()

    def _hear_of_exercise(self, message: dict[str, Any]) -> None:
        order = next((order for order in self.orders if order.number == message["order"]), None)
        if order is None:
            return  # Called off meanwhile.
        if "exercise" in message:
            order.begun += 1
            return
        exercise_id = order.exercises[order.begun - 1]
        verdict = Verdict(None, message.get("problem"), time.strftime("%H:%M:%S"))
        if "result" in message:
            whole = from_json(message["result"])
            verdict.result = result = replace(whole.exercises[0], output=message["output"])
            verdict.public = whole.checks == "public"
            if "closer" not in message:
                self._change(lambda record: record.note([result]))
        self.verdicts[exercise_id] = verdict
        if "closer" not in message:
            order.told += 1
            self.on_verdict(exercise_id, verdict)
