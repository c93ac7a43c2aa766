"""What a person sees in a terminal: 80 columns are enough, colour is never needed to understand."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.cells import set_cell_size
from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.course import Course
from grader.reports.details import details as comparison_lines
from grader.reports.wording import PUBLIC_ONLY, STATUS, number, plain, printed_instead, sentence

if TYPE_CHECKING:
    from grader.checking import CheckReport
    from grader.mutants import MutantReport
    from grader.result import ExerciseResult, Result

# Colours of the basic eight, which every terminal theme keeps readable on its own background.
STYLE = {"passed": "green", "not_attempted": "dim", "not_assessed": "dim"}
# Together 79: one short of 80, so that no terminal wraps.
NAME_CELLS, OUTCOME_CELLS, POINT_CELLS, BAR_CELLS = 34, 17, 14, 12
MOST_MESSAGES = 8
FEW_TROUBLES = 3  # with more, the table would scroll away
MOST_OUTPUT_LINES = 5


class _Screen(Console):
    """A console that leaves it to the command line what happens when nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Rich would end the program with a status that means something else here."""
        raise BrokenPipeError


def console() -> Console:
    """Standard output; plain text where it is no terminal, 80 to 100 columns wide."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character shows a question mark instead of ending the program.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    screen = _Screen(highlight=False, soft_wrap=False)
    screen.width = max(60, min(screen.width, 100))
    return screen


def show(result: Result, course: Course, details: bool = False) -> None:
    """The whole report: table, what went wrong, what was not assessed, score, what to do next.

    Args:
        details: show what each failed test compared, however many there are (at most MOST_MESSAGES); else only where
            few exercises fail.
    """
    screen = console()
    signs = signs_of(screen)
    _show_table(screen, result, course, signs)
    _show_troubles(screen, result, details)
    _show_notes(screen, result)
    bar = share_bar(result.percent, signs)
    score = f"{number(result.points)} of {number(result.max_points)} points ({number(result.percent)} %)"
    screen.print(Text.assemble("\n", ("Score  ", "bold"), bar, "  ", (score, "bold")))
    if result.checks == "public":
        screen.print(Text(PUBLIC_ONLY, style="bold"))
    screen.print(Text(f"Isolation {result.isolation}, seed {result.seed}, torch {result.torch}", style="dim"))
    _show_next(screen, result, course)


def signs_of(screen: Console) -> dict[str, str]:
    """The sign of each status, and "full" and "empty" of a bar, as this terminal can show them."""
    fancy = (screen.encoding or "").lower().startswith("utf")
    passed, wrong, full, empty = ("✓", "✗", "━", "·") if fancy else ("+", "x", "#", ".")
    marks = dict.fromkeys(STATUS, wrong) | {"passed": passed, "not_attempted": " ", "not_assessed": "-"}
    return marks | {"full": full, "empty": empty}


def share_bar(percent: float, signs: dict[str, str]) -> Text:
    """A bar of BAR_CELLS cells."""
    # Only a full score fills the bar, and only none leaves it empty.
    cells = round(percent / 100 * BAR_CELLS)
    cells = min(max(cells, 1), BAR_CELLS - 1) if 0 < percent < 100 else cells
    return Text.assemble((signs["full"] * cells, "green"), (signs["empty"] * (BAR_CELLS - cells), "dim"))


def _show_table(screen: Console, result: Result, course: Course, signs: dict[str, str]) -> None:
    screen.print(_row("Exercise", Text("Outcome"), "Points", style="bold"))
    for topic, in_topic in groupby(result.exercises, key=lambda e: e.topic):
        of_topic = list(in_topic)
        screen.print(_heading(topic, of_topic, signs, "bold"))
        for lesson_id, in_lesson in groupby(of_topic, key=lambda e: e.lesson_id):
            of_lesson = list(in_lesson)
            name, title = lesson_id.split("/")[1], course.lesson(lesson_id).title
            shown = title if title.lower().startswith(name) else f"{name}: {title}"
            screen.print(_heading(f"  {shown}", of_lesson, signs, ""))
            for exercise in of_lesson:
                status = Text(f"{signs[exercise.status]} {STATUS[exercise.status]}")
                status.stylize(STYLE.get(exercise.status, "red"))
                name = exercise.id.rsplit("/", 1)[1]
                screen.print(_row(f"    {name}", status, _points(exercise.points, exercise.max_points)))


def _row(name: str, outcome: Text, points: str, style: str = "") -> Text:
    outcome.pad_right(max(0, OUTCOME_CELLS - outcome.cell_len))
    return Text.assemble(set_cell_size(name, NAME_CELLS), outcome, f"{points:>{POINT_CELLS}}", style=style)


def _heading(name: str, exercises: Sequence[ExerciseResult], signs: dict[str, str], style: str) -> Text:
    points = sum(exercise.points for exercise in exercises)
    most = sum(exercise.max_points for exercise in exercises)
    width = NAME_CELLS + OUTCOME_CELLS
    if len(name) > width - 1:
        name = name[: width - 4] + "..."
    total = f"{_points(points, most):>{POINT_CELLS}}  "
    return Text.assemble(
        (set_cell_size(name, width), style), total, share_bar(100 * points / most if most else 0, signs)
    )


def _points(points: float, most: float) -> str:
    return f"{number(points)} / {number(most)}"


def _show_troubles(screen: Console, result: Result, details: bool) -> None:
    # What is wrong with a whole file is said once, not for each of its exercises.
    troubles: dict[tuple[str, str], list[ExerciseResult]] = {}
    for exercise in result.exercises:
        test = exercise.decisive
        if test and exercise.status != "not_attempted":
            message = sentence(exercise.misconception or test.message or "")
            troubles.setdefault((exercise.lesson_id, message), []).append(exercise)
    for (lesson_id, message), exercises in list(troubles.items())[:MOST_MESSAGES]:
        names = ", ".join(exercise.id.rsplit("/", 1)[1] for exercise in exercises)
        name = exercises[0].decisive.name if len(exercises) == 1 and exercises[0].decisive else ""
        screen.print(Text.assemble("\n", (f"{lesson_id}/{names}", "bold red"), f"  {name}"))
        _print_indented(screen, message)
        if len(exercises) == 1 and (printed := printed_instead(message, exercises[0].output)):
            _print_indented(screen, printed)
        if len(exercises) == 1 and (details or len(troubles) <= FEW_TROUBLES):
            show_details(screen, exercises[0])
        others = sum(t.status not in ("passed", "not_assessed") for t in exercises[0].tests) - 1
        if others and len(exercises) == 1:
            tests = "test does" if others == 1 else "tests do"
            screen.print(Text(f"  {others} more {tests} not pass.", style="dim"))
        if len(exercises) == 1:
            _show_output(screen, exercises[0].output)
    if len(troubles) > MOST_MESSAGES:
        left = len(troubles) - MOST_MESSAGES
        screen.print(f"\n{left} more: `-e ID` shows one exercise, `--json -` all there is.", style="dim")


def show_details(screen: Console, exercise: ExerciseResult) -> None:
    """What the test that decides about an exercise compared; first its message, if a misconception was said before."""
    test = exercise.decisive
    if test is None:
        return
    if exercise.misconception:
        screen.print(Text("  What showed it:", style="dim"))
        _print_indented(screen, sentence(test.message or ""))
    for line in comparison_lines(test.comparison, screen.width - 2) if test.comparison else ():
        screen.print(Text(f"  {line}", style="dim"))


def _show_output(screen: Console, output: str) -> None:
    """The first lines of what the learner's own code printed."""
    lines = [plain(line) for line in output.splitlines() if line.strip()]
    for line in lines[:MOST_OUTPUT_LINES]:
        shown = Text(f"  | {line}", style="dim")
        shown.truncate(screen.width)
        screen.print(shown)
    if len(lines) > MOST_OUTPUT_LINES:
        screen.print(Text(f"  | ... and {len(lines) - MOST_OUTPUT_LINES} more lines printed", style="dim"))


def _print_indented(screen: Console, text: str) -> None:
    for line in textwrap.wrap(text, screen.width - 2):
        screen.print(Text(f"  {line}"))


def _show_notes(screen: Console, result: Result) -> None:
    reasons: dict[str, list[ExerciseResult]] = {}
    for exercise in result.exercises:
        for test in exercise.tests:
            if test.status == "not_assessed" and exercise not in reasons.setdefault(test.message or "", []):
                reasons[test.message or ""].append(exercise)
    for reason, exercises in reasons.items():
        names = ", ".join(exercise.id for exercise in exercises)
        points = number(sum(exercise.not_assessed_points for exercise in exercises))
        screen.print(Text(f"\nNot assessed, {points} points out of the maximum: {names}. {sentence(reason)}"))
    for remark in result.remarks:
        screen.print(Text(f"\nLeft out: {plain(remark)}."))
    if result.isolation_note:
        screen.print(
            Text(f"\nNo sandbox here: {sentence(result.isolation_note)} Grade only submissions that you trust.")
        )


def _show_next(screen: Console, result: Result, course: Course) -> None:
    if not result.exercises:
        return
    todo = [e for e in result.exercises if e.status not in ("passed", "not_assessed")]
    if not todo:
        done = "All done." if result.checks == "hidden" else "All public checks pass."
        screen.print(Text(f"\n{done}", style="bold green"))
        return
    first = next((e for e in todo if e.status != "not_attempted"), todo[0])
    screen.print(Text.assemble("\n", ("Next   ", "bold"), f'{first.id}, "{plain(first.title)}"'))
    screen.print(f"       in exercises/{first.lesson_id}.py")
    screen.print(f"       make grade EXERCISE={first.id.rsplit('/', 1)[1]}")


def show_check(report: CheckReport, verbose: bool = False) -> None:
    """A table of what became of the known answers, then the findings."""
    screen = console()
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("Exercise", no_wrap=True)
    table.add_column("Wrong answers caught", justify="right")
    table.add_column("Alternatives accepted", justify="right")
    for row in report.rows:
        wrong, right = f"{row.wrong_caught} / {row.wrong}", f"{row.right_accepted} / {row.right}"
        good = row.wrong_caught == row.wrong and row.right_accepted == row.right
        table.add_row(row.exercise.id, wrong, right, style=None if good else "red")
        if verbose:
            for label, tests in row.caught_by.items():
                table.add_row(Text(f"    {label}: {', '.join(tests) or 'not caught'}", style="dim", overflow="fold"))
    caught, wrong_total = sum(row.wrong_caught for row in report.rows), sum(row.wrong for row in report.rows)
    taken, right_total = sum(row.right_accepted for row in report.rows), sum(row.right for row in report.rows)
    table.add_row(Text("all", style="bold"), f"{caught} / {wrong_total}", f"{taken} / {right_total}")
    screen.print(table)
    for finding in report.findings:
        screen.print(Text.assemble("\n", (plain(finding.place), "bold red")))
        _print_indented(screen, plain(finding.text))
    count = len(report.findings)
    screen.print(f"\n{count} finding{'s' * (count != 1)}" if count else "\nNo findings: the course is in order.")


def show_mutants(report: MutantReport) -> None:
    """A table of mutants killed by topic, then the survivors with their reasons, then what is to be done."""
    screen = console()
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("Topic", no_wrap=True)
    for column in ("Mutants", "Killed", "Score"):
        table.add_column(column, justify="right")
    alive = [mutant.exercise for mutant in report.survived]
    for topic in [*dict.fromkeys(name.split("/")[0] for name in report.killed), ""]:
        killed = sum(count for name, count in report.killed.items() if name.startswith(topic))
        total = killed + sum(name.startswith(topic) for name in alive)
        score = f"{100 * killed / total:.1f} %" if total else "-"
        table.add_row(Text(topic or "all", style="" if topic else "bold"), str(total), str(killed), score)
    screen.print(table)
    for name, survivors in groupby(report.survived, key=lambda mutant: mutant.exercise):
        screen.print(Text(f"\nsurvived in {name}", style="bold"))
        for mutant in survivors:
            reason = report.reason(mutant)
            _print_indented(screen, f"{mutant.change}: {reason}" if reason else f"{mutant.change} (no test notices)")
    for name, change in report.outdated:
        screen.print(Text.assemble("\n", (name, "bold red")))
        _print_indented(screen, f"recorded as equivalent, but did not survive: {change}")
    count = len(report.unexplained)
    if count:
        screen.print(
            f"\n{count} survive{'s' * (count == 1)} without a reason: a stronger test, or a line in equivalent.toml."
        )
