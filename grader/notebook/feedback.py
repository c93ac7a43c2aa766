"""What is shown below a cell, or at a prompt: as HTML where that can be shown, else as text."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from grader.course import Course
from grader.notebook.source import Found
from grader.reports.wording import PUBLIC_ONLY, STATUS, number, plain, sentence
from grader.result import ExerciseResult, Result

COLUMNS = 88
HOW_TO_BEGIN = "Put your answer in place of the line `raise NotImplementedError(...)`, run that cell, then this one."


@dataclass(frozen=True, repr=False)
class Feedback:
    """What the tests say about one exercise."""

    result: Result
    course: Course
    found: Found

    @property
    def exercise(self) -> ExerciseResult:
        return self.result.exercises[0]

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What else there is to know: names that could not be taken along, what was not judged, an older level."""
        notes = []
        exercise = self.exercise
        if exercise.status == "not_attempted":
            notes.append(HOW_TO_BEGIN)
        elif exercise.status == "passed":
            notes.append(self._next())
        if self.found.unseen and exercise.status not in ("passed", "not_attempted"):
            names = ", ".join(f"`{name}`" for name in self.found.unseen)
            notes.append(
                f"Not taken along: {names}. The grader takes imports, definitions and assignments of cells that ran."
            )
        if self.result.checks == "public" and exercise.status == "passed":
            notes.insert(0, PUBLIC_ONLY)
        if exercise.status not in ("passed", "not_assessed") and self.course.exercise(exercise.id).hints:
            notes.append(f"Stuck? In a terminal, `python -m grader hint {exercise.id.rsplit('/', 1)[1]}` gives a hint.")
        unjudged = [test for test in exercise.tests if test.status == "not_assessed"]
        if unjudged and exercise.status == "passed":
            notes.append(
                f"{number(exercise.not_assessed_points)} points could not be assessed here: {unjudged[0].message}"
            )
        return tuple(note for note in notes if note)

    def _next(self) -> str:
        exercises = self.course.lesson(self.exercise.lesson_id).exercises
        later = [e.name for e in exercises][[e.id for e in exercises].index(self.exercise.id) + 1 :]
        return f"Next in this lesson: `{later[0]}`." if later else "That was the last exercise of this lesson."

    def _repr_html_(self) -> str:
        from grader.reports.html import exercise_view

        known = self.course.exercise(self.exercise.id)
        return _fill("feedback.html", e=exercise_view(self.exercise, known), result=self.result, notes=self.notes)

    def __repr__(self) -> str:
        exercise = self.exercise
        points = f"{number(exercise.points)} of {number(exercise.max_points)} points"
        lines = [f"{exercise.id} {STATUS[exercise.status]}: {points}"]
        decisive = exercise.decisive
        if decisive and exercise.status != "not_attempted":
            lines += _wrapped(sentence(exercise.misconception or decisive.message or ""))
            failed = [test for test in exercise.tests if test.status not in ("passed", "not_assessed")]
            passed = sum(test.status == "passed" for test in exercise.tests)
            names = ", ".join(plain(test.name) for test in failed[:4]) + (", ..." if len(failed) > 4 else "")
            lines += _wrapped(f"{passed} of {passed + len(failed)} tests pass. Not: {names}.")
            lines += [f"  | {plain(line)}"[:COLUMNS] for line in exercise.output.splitlines()[:5] if line.strip()]
        for note in self.notes:
            lines += _wrapped(sentence(note))
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class Trouble:
    """Something that kept the check from being made; `text` says what to do."""

    text: str

    def _repr_html_(self) -> str:
        return _fill("notice.html", text=self.text, kind="timeout")

    def __repr__(self) -> str:
        return "\n".join(textwrap.wrap(sentence(self.text), COLUMNS))


@dataclass(frozen=True, repr=False)
class Waiting(Trouble):
    """Shown until there is something to say."""

    def _repr_html_(self) -> str:
        return _fill("notice.html", text=self.text, kind="not_attempted")


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent="  ", subsequent_indent="  ")


def _fill(template: str, **fields: Any) -> str:
    from markupsafe import Markup

    from grader.reports.html import environment, stylesheet

    style = Markup(stylesheet("feedback.css", "comparison.css"))
    return environment().get_template(template).render(style=style, **fields)
