"""For authors: `check` and `bench`; and `doctor`, for whoever runs strangers' code."""

from __future__ import annotations

import sys
from enum import Enum
from typing import Annotated

import typer

from grader.cli.guarding import BELOW, one_line_errors
from grader.cli.options import ExerciseOption, IsolationChoice, IsolationOption, SeedOption, TopicOption
from grader.course import load_course, require_solutions


class BenchChoice(str, Enum):
    """What `bench` measures."""

    time = "time"
    attacks = "attacks"


@one_line_errors
def check(
    exercise: ExerciseOption = None,
    topic: TopicOption = None,
    seed: SeedOption = 1,
    isolation: IsolationOption = IsolationChoice.auto,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Name the tests that caught each wrong answer.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Ask a wrong answer nothing more once it has failed a test, and fewer that do nothing; not with -v.",
        ),
    ] = False,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Change the solutions a little, in every way: does a test notice?")
    ] = False,
) -> None:
    """For authors: are the tests good, and does everything fit together?

    Every stub scores 0, the solution everything, every known wrong answer fails, every right alternative passes,
    generated files are up to date, docstring examples run. Exit status 1 if there is a finding.

    With --mutants, in place of all that: each solution with one operator, constant, argument or statement changed
    must fail, unless tests/TOPIC/equivalent.toml says why it does the same as the solution. Takes some minutes;
    -e and -t limit it.
    """
    course = load_course()
    require_solutions(course, "check")
    from grader.checking import check_course
    from grader.progress import progress_bar
    from grader.reports import terminal

    chosen = course.select(exercise or (), topic or ())
    if mutants:
        from grader.mutants import check_mutants

        with progress_bar(sys.stderr.isatty()) as progress:
            found = check_mutants(course, chosen, seed=seed or 0, isolation=isolation.value, progress=progress)
        terminal.show_mutants(found)
        raise SystemExit(BELOW if found.unexplained or found.outdated else 0)
    with progress_bar(sys.stderr.isatty()) as progress:
        report = check_course(
            course, chosen, seed=seed or 0, isolation=isolation.value, quick=quick and not verbose, progress=progress
        )
    terminal.show_check(report, verbose)
    if report.findings:
        raise SystemExit(BELOW)


@one_line_errors
def doctor() -> None:
    """Which protections hold on this machine? Proves each by trying to get past it, and says what to do.

    Exit status: 0 if all hold, 1 if one does not.
    """
    from grader.doctor.examination import examine
    from grader.doctor.table import show
    from grader.progress import progress_bar

    with progress_bar(sys.stderr.isatty()) as progress:
        found = examine(progress)
    show(found)
    if not found.all_hold:
        raise SystemExit(BELOW)


@one_line_errors
def bench(
    what: Annotated[
        BenchChoice, typer.Argument(help="time: how long people wait; attacks: who gives points for an attack.")
    ] = BenchChoice.time,
    submissions: Annotated[int, typer.Option("--submissions", help="How many submissions to grade.")] = 12,
    nbgrader: Annotated[
        bool, typer.Option("--nbgrader/--no-nbgrader", help="Compare with nbgrader autograde too.")
    ] = True,
    sample: Annotated[
        int, typer.Option("--class", min=0, metavar="N", help="Only grading a class: all ways grade these N.")
    ] = 0,
    size: Annotated[
        list[int] | None,
        typer.Option("--size", min=2, help="With --class: a class of this size too, graded by us alone. Repeatable."),
    ] = None,
    saves: Annotated[
        bool, typer.Option("--saves", help="Only from a saved file to its verdict in watch: a minute or two.")
    ] = False,
) -> None:
    """Measure how long people wait, next to what they would use instead, in one run.

    With --class, grading a class: `bench --class 4 --size 10 --size 200` compares on 4 submissions and looks at
    classes of 10 and of 200, which takes most of an hour.

    `bench attacks` hands the attacks of grader/tests/attacks/ in to this grader, to pytest, nbgrader and otter-grader.
    """
    require_solutions(load_course(), "bench")
    from grader.bench import run_bench, run_class, run_saves

    if what is BenchChoice.attacks:
        from grader.bench.attacks import run_attacks

        run_attacks()
        return
    if saves:
        run_saves()
        return
    if sample:
        run_class(sample, size or [], nbgrader)
        return
    run_bench(submissions, nbgrader)
