"""The benchmark's arithmetic and its table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table
from rich.text import Text

from grader.bench.saving import SaveTimes, medians
from grader.reports.terminal import console
from grader.reports.wording import number

# Points may be sums of thirds, rounded to four places.
SAME_POINTS = 0.001
FULL_GRADE = (
    ("g  all solutions, from a cold start", "a", 60.0),
    ("   all solutions, warm pool", "b", 25.0),
    ("   all solutions, warm, no isolation", "e", 8.0),
)


@dataclass(frozen=True)
class Way:
    """One way to grade the submissions: `seconds` for all of them, and what it says each exercise is worth.

    `points` is by submission and exercise.
    """

    key: str
    name: str
    seconds: float
    points: dict[str, dict[str, float]]

    @property
    def each(self) -> float:
        """Seconds per submission."""
        return self.seconds / len(self.points)


@dataclass(frozen=True)
class Aim:
    """Something measured that should be at most `limit`; `unit` is "s", or nothing for a ratio."""

    name: str
    value: float
    limit: float
    limit_text: str
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value <= self.limit

    @property
    def text(self) -> str:
        """The value as a person reads it: 1/12.3 where less than one is aimed at."""
        if self.unit:
            return f"{self.value:.3f} {self.unit}"
        return f"1/{1 / self.value:.1f}" if self.limit < 1 else f"{self.value:.2f}"


@dataclass(frozen=True)
class Report:
    """Everything that one run found. `facts` and `notes` are lines for the reader.

    `solution_seconds` is, by the key of a way, how long it takes for the solutions alone.
    """

    ways: tuple[Way, ...]
    save_seconds: float
    plain_save_seconds: float
    solution_seconds: dict[str, float] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    disagreements: tuple[str, ...] = field(default=())


def aims(report: Report) -> list[Aim]:
    """What was aimed at, of what was measured."""
    seconds = {way.key: way.seconds for way in report.ways}
    wanted = [
        ("b/c  our warm path to plain pytest", "b", "c", 1 / 10, "1/10"),
        ("b/d  our warm path to nbgrader", "b", "d", 1 / 15, "1/15"),
        ("b/e  our warm path to no isolation", "b", "e", 3.0, "3"),
    ]
    found = [
        Aim(name, seconds[ours] / seconds[theirs], limit, text)
        for name, ours, theirs, limit, text in wanted
        if theirs in seconds
    ]
    found += saving_aims(report.save_seconds, report.plain_save_seconds)
    return found + [
        Aim(name, report.solution_seconds[key], limit, f"{limit:g} s", "s")
        for name, key, limit in FULL_GRADE
        if key in report.solution_seconds
    ]


def saving_aims(save_seconds: float, plain_seconds: float) -> list[Aim]:
    """What was aimed at for a save, in `watch` and with plain pytest."""
    share = save_seconds / plain_seconds
    return [
        Aim("f  save to verdict in watch", save_seconds, 0.15, "0.15 s", "s"),
        Aim("f  save to verdict to plain pytest", share, 1 / 30, "1/30"),
    ]


def disagreements(ways: Sequence[Way]) -> tuple[str, ...]:
    """Where ways give an exercise other points than the first of them does, or none."""
    first, *others = ways
    lines = []
    for way in others:
        for submission, points in first.points.items():
            theirs = way.points.get(submission, {})
            for exercise_id, ours in points.items():
                other = theirs.get(exercise_id)
                if other is None or abs(other - ours) > SAME_POINTS:
                    told = "nothing" if other is None else number(other)
                    lines.append(f"{submission}, {exercise_id}: {number(ours)} by {first.key}, {told} by {way.key}")
    return tuple(lines)


def show(report: Report) -> None:
    """Print it all."""
    screen = console()
    for fact in report.facts:
        screen.print(Text(fact))
    screen.print()
    times = table_of("Way", "Total", "Each", "Of c")
    plain = next((way.seconds for way in report.ways if way.key == "c"), None)
    for way in report.ways:
        share = f"{100 * way.seconds / plain:.1f} %" if plain else ""
        times.add_row(f"{way.key}  {way.name}", f"{way.seconds:.2f} s", f"{way.each:.3f} s", share)
    screen.print(times)
    screen.print()
    saves = table_of("One exercise changed", "Median")
    saves.add_row("f  from saved file to verdict, in watch", f"{report.save_seconds:.3f} s")
    saves.add_row("   plain pytest of its tests, fresh process", f"{report.plain_save_seconds:.3f} s")
    screen.print(saves)
    screen.print()
    show_aims(screen, aims(report))
    screen.print()
    for note in report.notes:
        screen.print(Text(note, "dim"))
    show_agreement(screen, report.ways, report.disagreements)


def show_aims(screen: Console, found: Sequence[Aim]) -> None:
    """Print what was aimed at, what was measured, and whether that is met."""
    goals = table_of("Aim", "Measured", "At most", "")
    for aim in found:
        state = Text("met", "green") if aim.met else Text(f"missed, {aim.value / aim.limit:.2f} x", "red")
        goals.add_row(aim.name, aim.text, aim.limit_text, state)
    screen.print(goals)


def show_saves(saves: Sequence[SaveTimes], note: str) -> None:
    """Print how long saves took, exercise by exercise."""
    screen = console()
    table = table_of("One exercise changed", "Watch, median", "Slowest", "Plain pytest")
    for each in saves:
        times = (statistics.median(each.watch), max(each.watch), each.plain)
        table.add_row(each.exercise.id, *(f"{seconds:.3f} s" for seconds in times))
    screen.print(table)
    screen.print()
    show_aims(screen, saving_aims(*medians(saves)))
    screen.print()
    screen.print(Text(note, "dim"))


def show_agreement(screen: Console, ways: Sequence[Way], disagreements: Sequence[str]) -> None:
    """Say whether the ways gave the same points; where not, the times compare unlike work."""
    keys = ", ".join(way.key for way in ways)
    if not disagreements:
        screen.print(Text(f"All points of all submissions agree between {keys}.", "bold green"))
        return
    screen.print(
        Text(f"POINTS DO NOT AGREE in {len(disagreements)} places: the times compare unlike work.", "bold red")
    )
    for line in disagreements:
        screen.print(Text(f"  {line}", "red"))


def table_of(first: str, *others: str) -> Table:
    """An empty table: words in the first column, figures in the others."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(first, min_width=43)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table
