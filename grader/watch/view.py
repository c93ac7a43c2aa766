"""Turns a session into lines of text: what is said about the exercise at hand, and the line at the top."""

from __future__ import annotations

import ast
import textwrap
import time
from collections.abc import Iterable
from itertools import groupby

from rich.console import Console, Group
from rich.text import Text

from grader.course import Exercise
from grader.learner.help import as_code, hint_lines
from grader.learner.overview import marks
from grader.reports.details import details
from grader.reports.terminal import STYLE, signs_of
from grader.reports.wording import STATUS, number, plain, printed_instead, sentence
from grader.result import ExerciseResult
from grader.watch.session import Session, Verdict

MOST_OUTPUT_LINES = 5
SHORT_KEYS = "? keys  q quit"
KEYS = {
    "n": "next",
    "p": "previous",
    "h": "hint",
    "r": "run",
    "e": "edit",
    "s": "solution",
    "l": "list",
    "?": "keys",
    "q": "quit",
}
EXPLAINED = {
    "n": "the next exercise that is not solved",
    "p": "the exercise before this one",
    "h": "one more hint, from a nudge to nearly the answer",
    "r": "grade this exercise again (and start the grader again, if it has ended)",
    "e": "open the file in $VISUAL or $EDITOR, at this exercise",
    "s": "the solution, once you have solved it",
    "l": "all exercises; Enter goes to one",
    "Up Down PgUp PgDn": "move in what does not fit the screen",
    "Esc": "back to the exercise",
    "q or Ctrl-C": "quit; the next `watch` goes on from here",
}


def header(session: Session, screen: Console) -> Text:
    """One line: how much of the course is solved."""
    signs = signs_of(screen)
    total = len(session.course.exercises)
    share = f"{session.solved} of {total} solved"
    title = "PyTorch exercises" if screen.width >= 50 else ""
    cells = max(8, min(40, screen.width - len(title) - len(share) - 6))
    full = session.solved * cells // total if total else 0
    full = max(full, 1) if session.solved else 0
    bar = Text.assemble((signs["full"] * full, "green"), (signs["empty"] * (cells - full), "dim"))
    return Text.assemble((f"{title}  " if title else "", "bold"), bar, "  ", share)


def status_line(session: Session, screen: Console) -> Text:
    """One line: what is going on now."""
    if session.notice:
        return Text(session.notice, style="yellow")
    if session.state == "failed":
        return Text(f"{sentence(session.why or '')} `r` starts it again.", style="red")
    if session.state == "starting":
        seconds = int(time.monotonic() - session.started)
        what = "Warming up: importing torch, reading the tests"
        return Text(f"{what} ({seconds} s). You can go on meanwhile.", style="dim")
    order = session.order
    if order and order.told == order.begun > 0 and order.begun == len(order.exercises):
        return Text("Looking whether this is a mistake that is known ...", style="yellow")
    if order:
        name = order.exercises[max(order.begun, 1) - 1].rsplit("/", 1)[1]
        many = f" ({max(order.begun, 1)} of {len(order.exercises)})" if len(order.exercises) > 1 else ""
        waited = int(time.monotonic() - order.since)
        long = f", {waited} s" if waited else ""
        return Text(f"Grading {name}{many}{long} ...", style="yellow")
    return Text("Watching exercises/: save a file and it is graded.", style="dim")


def keys_line(screen: Console) -> Text:
    """One line: the keys, as far as they fit."""
    line = "  ".join(f"{key} {name}" for key, name in KEYS.items())
    return Text(line if len(line) < screen.width else SHORT_KEYS, style="bold")


def key_help() -> list[Text]:
    """What each key does."""
    width = max(map(len, EXPLAINED)) + 2
    lines = [Text("Keys", style="bold"), Text()]
    return lines + [Text.assemble((f"{key:{width}}", "bold"), what) for key, what in EXPLAINED.items()]


def exercise_lines(session: Session, screen: Console) -> list[Text]:
    """The exercise at hand, its verdict, and the hints taken."""
    exercise = session.current
    lines = [
        Text.assemble((exercise.name, "bold"), f"  {exercise.title}"),
        Text(_where(session, exercise), style="dim"),
        Text(),
    ]
    missing = session.missing(exercise)
    if missing:
        lines.append(Text(sentence(missing), style="red"))
    else:
        lines += _verdict_lines(session, exercise, screen)
    taken = session.record.hints.get(exercise.id, 0)
    if taken:
        lines += [Text(), *hint_lines(exercise, range(min(taken, len(exercise.hints))))]
    return lines


def _where(session: Session, exercise: Exercise) -> str:
    place = session.course.exercises.index(exercise) + 1
    path = session.files.path(session.course.lesson(exercise.lesson_id))
    file = f"exercises/{exercise.lesson_id}{path.suffix if path else '.py'}"
    line = line_of(session, exercise)
    facts = f"{exercise.level}, {number(exercise.points)} point{'s' * (exercise.points != 1)}, {exercise.minutes} min"
    return f"{file}{f', line {line}' if line else ''}  ({place} of {len(session.course.exercises)}: {facts})"


def line_of(session: Session, exercise: Exercise) -> int | None:
    """The line in which an exercise begins in the learner's .py file; None if it cannot be told."""
    path = session.files.path(session.course.lesson(exercise.lesson_id))
    text = session.files.text(exercise.lesson_id)
    if not text or not path or path.suffix != ".py":
        return None
    heads = tuple(f"{kind} {name}" for name in exercise.defines for kind in ("def", "class"))
    for number_, line in enumerate(text.split("\n"), start=1):
        if line.startswith(heads) and line[len(next(h for h in heads if line.startswith(h)))] in "(:[ ":
            return number_
    return None


def _verdict_lines(session: Session, exercise: Exercise, screen: Console) -> list[Text]:
    verdict = session.verdicts.get(exercise.id)
    status = session.record.status(exercise.id)
    if verdict is None:
        if status == "solved":
            day = session.record.solved[exercise.id]
            return [Text(f"Solved{f' on {day}' if day else ''}. n is the next exercise that is not.", style="green")]
        return _task(session, exercise)
    if verdict.result is None:
        return [Text(sentence(verdict.problem or ""), style="red")]
    if verdict.result.status == "not_attempted":
        return [*_task(session, exercise), Text(), Text("Not written yet: the stub is still there.", style="dim")]
    outcome, *lines = result_lines(verdict, screen)
    return [Text.assemble(outcome, (f"  at {verdict.at}", "dim")), *lines, *_after(session, exercise, verdict)]


def _task(session: Session, exercise: Exercise) -> list[Text]:
    """What the exercise asks for: its signature and the first paragraph of its docstring."""
    text = session.files.text(exercise.lesson_id) or ""
    try:
        nodes = {node.name: node for node in ast.parse(text).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    node = nodes.get(exercise.defines[0]) if exercise.defines else None
    if node is None:
        return []
    head = f"def {node.name}({ast.unparse(node.args)})" if isinstance(node, ast.FunctionDef) else f"class {node.name}"
    summary = (ast.get_docstring(node) or "").split("\n\n")[0].replace("\n", " ")
    return [Text(head, style="cyan"), Text(f"    {summary}")]


def result_lines(verdict: Verdict, screen: Console) -> list[Text]:
    """A verdict with a result: the outcome, what says most, what was compared, and what the code printed."""
    result = verdict.result
    assert result is not None
    what = "examples of the docstring" if verdict.public else "tests"
    count, passed = len(result.tests), sum(test.status == "passed" for test in result.tests)
    style = STYLE.get(result.status, "red")
    outcome = f"{signs_of(screen)[result.status]} {STATUS[result.status]}"
    test = result.decisive
    if result.status == "passed":
        left_out = sum(test.status == "not_assessed" for test in result.tests)
        note = f"; {left_out} not assessed" if left_out else ""
        lines = [Text.assemble((outcome, f"bold {style}"), f"  all {passed} {what}{note}")]
        if left_out:
            lines += _indented(sentence(_not_assessed(result)), screen)
    elif test is None:
        return [Text.assemble((outcome, style)), *_indented(sentence(_not_assessed(result)), screen)]
    else:
        lines = [Text.assemble((outcome, f"bold {style}"), f"  {plain(test.name)}")]
        message = sentence(result.misconception or test.message or "")
        lines += _indented(message, screen)
        lines += _indented(printed_instead(message, result.output) or "", screen)
        if result.misconception:
            lines += [Text("  What showed it:", style="dim"), *_indented(sentence(test.message or ""), screen)]
        if test.comparison:
            lines += [Text(f"  {line}", style="dim") for line in details(test.comparison, screen.width - 2)]
        if passed:
            lines.append(Text(f"  {passed} of {count} {what} pass.", style="dim"))
    return lines + _printed_lines(result)


def _printed_lines(result: ExerciseResult) -> list[Text]:
    """The beginning of what the learner's own code printed."""
    printed = [plain(line) for line in result.output.splitlines() if line.strip()]
    lines = [
        Text(f"  | {line}", style="dim", no_wrap=True, overflow="ellipsis") for line in printed[:MOST_OUTPUT_LINES]
    ]
    if len(printed) > MOST_OUTPUT_LINES:
        lines.append(Text(f"  | ... and {len(printed) - MOST_OUTPUT_LINES} more lines printed", style="dim"))
    return lines


def _indented(text: str, screen: Console) -> list[Text]:
    return [Text(f"  {line}") for line in textwrap.wrap(text, screen.width - 3)]


def _not_assessed(result: ExerciseResult) -> str:
    return next((test.message or "" for test in result.tests if test.status == "not_assessed"), "")


def _after(session: Session, exercise: Exercise, verdict: Verdict) -> list[Text]:
    if verdict.result and verdict.result.status == "passed":
        if session.solved == len(session.course.exercises):
            return [Text(), Text("That was the last one: every exercise is solved.", style="bold green")]
        if verdict.public:
            rest = "The hidden tests, which decide, are not in this version and try much more. n is the next exercise."
            return [Text(), Text(rest, style="green")]
        return [Text(), Text("Solved. n is the next exercise, s shows our solution to compare with.", style="green")]
    left = len(exercise.hints) - session.record.hints.get(exercise.id, 0)
    return [Text(), Text(f"h gives a hint ({left} left).", style="dim")] if left > 0 else []


def list_lines(session: Session, screen: Console, chosen: int) -> tuple[list[Text], int]:
    """All exercises with their marks, and the line of the chosen one."""
    sign = marks(screen)
    lines: list[Text] = []
    at = 0
    places = {exercise.id: place for place, exercise in enumerate(session.course.exercises)}
    for lesson_id, in_lesson in groupby(session.course.exercises, key=lambda exercise: exercise.lesson_id):
        lines.append(Text(f"{lesson_id}: {session.course.lesson(lesson_id).title}", style="bold"))
        for exercise in in_lesson:
            status = session.record.status(exercise.id)
            pointer = ">" if places[exercise.id] == chosen else " "
            text = f"{pointer} {sign[status]} {exercise.name:30} {exercise.level:9} {exercise.minutes:>3} min"
            style = {"solved": "green", "begun": "yellow"}.get(status, "")
            if places[exercise.id] == chosen:
                at, style = len(lines), f"{style} reverse".strip()
            lines.append(Text(text, style=style))
    return lines, at


def code_lines(title: str, code: str, screen: Console) -> list[Text]:
    """Code under a heading, as lines."""
    return [Text(title, style="bold"), Text(), *as_lines([as_code(code, screen)], screen)]


def as_lines(parts: Iterable[object], screen: Console) -> list[Text]:
    """Anything that rich can show, as lines of text with their styles, no wider than the screen."""
    lines = screen.render_lines(Group(*parts), screen.options, pad=False)  # type: ignore[arg-type]
    return [
        Text.assemble(*((segment.text, segment.style or "") for segment in line if not segment.control))
        for line in lines
    ]
