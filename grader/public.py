"""Judges by the public checks alone: the examples in the docstrings, for a student version without its key.

The examples come from the catalogue, never from the submission's file. They run in the submission's process, as
hidden tests' probes do, and what they show is compared here.
"""

from __future__ import annotations

import doctest
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from grader.course import Exercise
from grader.examples import agrees
from grader.observing import Observer, Probe, Unanswered
from grader.result import ExerciseResult, score_exercise
from grader.worker.examples import run_example

Outcome = tuple[str, str, float, str | None, int | None]
SHOWN = 200  # characters


@dataclass(frozen=True)
class PublicCheck:
    """One example that says what comes out of it; `statements` are those that lead up to it, and its own."""

    name: str
    docstring: int
    statements: tuple[str, ...]
    example: doctest.Example


def public_checks(exercise: Exercise) -> Iterator[PublicCheck]:
    """The checks in the docstrings of an exercise, in their order."""
    number = 0
    for place, text in enumerate(exercise.examples):
        statements: list[str] = []
        for example in doctest.DocTestParser().get_examples(text):
            statements.append(example.source)
            if example.want:
                number += 1
                yield PublicCheck(f"example {number}: {_line(example.source)}", place, tuple(statements), example)
                statements = []


def judge_publicly(
    exercises: Sequence[Exercise],
    observer: Observer,
    printed: Callable[[str], str],
    on_exercise: Callable[[Exercise], None] | None = None,
) -> tuple[ExerciseResult, ...]:
    """Run the public checks of `exercises`.

    Args:
        printed: gives what the code of an exercise printed, by the exercise's id.
        on_exercise: called before each exercise's first check.

    Raises:
        GraderFailed: the grader's own processes are gone.
    """
    outcomes: dict[str, list[Outcome]] = {}
    seconds: dict[str, float] = {}
    for exercise in exercises:
        if on_exercise:
            on_exercise(exercise)
        started = time.perf_counter()
        outcomes[exercise.id] = list(_outcomes(exercise, observer))
        seconds[exercise.id] = time.perf_counter() - started
    observer.close()  # Only now is all that was printed there.
    return tuple(
        score_exercise(e.id, e.title, e.points, outcomes[e.id], seconds[e.id], printed(e.id)) for e in exercises
    )


def _outcomes(exercise: Exercise, observer: Observer) -> Iterator[Outcome]:
    ended: dict[int, Unanswered] = {}
    for check in public_checks(exercise):
        # An example builds on those before it: what ended one of them ends the others of its docstring.
        error = ended.get(check.docstring)
        if error is None:
            try:
                seen = observer.observe(exercise, _probe(exercise, check))
                message = _difference(check.example, seen)
                yield check.name, "failed" if message else "passed", 1.0, message, None
                continue
            except Unanswered as unanswered:
                error = ended[check.docstring] = unanswered
        yield check.name, error.status, 1.0, str(error), error.line


def _probe(exercise: Exercise, check: PublicCheck) -> Probe:
    name, docstring, statements = exercise.name, check.docstring, check.statements
    raises = check.example.exc_msg is not None
    return lambda m: run_example(m, name, docstring, statements, raises)


def _difference(example: doctest.Example, seen: object) -> str | None:
    """What is wrong with what an example brought back, in one sentence; None if nothing is."""
    source = _line(example.source)
    raised, kinds = getattr(seen, "raised", None), getattr(seen, "kinds", None)
    if isinstance(raised, str) and isinstance(kinds, list) and example.exc_msg is not None:
        if agrees(example, None, kinds):
            return None
        return f"`{source}` raised {_line(raised)}; the docstring says {_line(example.exc_msg)}"
    if not isinstance(seen, str):
        return f"`{source}` gave something that is no text"
    if example.exc_msg is not None:
        return f"`{source}` raised nothing; the docstring says {_line(example.exc_msg)}"
    if agrees(example, seen, ()):
        return None
    got = f"gives `{_line(seen)}`" if seen.strip() else "gives nothing"
    return f"`{source}` {got}; the docstring says `{_line(example.want)}`"


def _line(text: str) -> str:
    line = " ".join(text.partition("# doctest:")[0].split())
    return line if len(line) <= SHOWN else line[: SHOWN - 3] + "..."
