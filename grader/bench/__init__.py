"""How long people wait, next to what they would use instead: `python -m grader bench`.

Imports nothing at once: pytest and notebook kernels load parts of this package while they are being timed.
"""

from __future__ import annotations


def run_bench(submissions: int, nbgrader: bool) -> None:
    """Measure every way of grading on the same submissions and print the table; see grader.bench.measuring.

    Args:
        submissions: how many, 2 or more: the solutions, the stubs, and mixtures.
        nbgrader: run `nbgrader autograde` on them too.

    Raises:
        GraderError: something that is to be measured does not run.
        SystemExit: 1, after the table, if the ways disagree about points.
    """
    from grader.bench.measuring import measure
    from grader.bench.table import show

    report = measure(submissions, nbgrader)
    show(report)
    if report.disagreements:
        raise SystemExit(1)


def run_saves() -> None:
    """Measure only how long it takes from a saved file to the verdict, and print it.

    Raises:
        GraderError: something that is to be measured does not run.
    """
    from grader.bench.measuring import measure_saves
    from grader.bench.table import show_saves

    show_saves(*measure_saves())


def run_class(sample: int, sizes: list[int], nbgrader: bool) -> None:
    """Measure grading a class, next to what else grades one, and print it; see grader.bench.classes.

    Args:
        sample: how many submissions all ways grade.
        sizes: of classes that only we grade, to see whether time grows with them.

    Raises:
        GraderError: something that is to be measured does not run.
        SystemExit: 1, after the tables, if the ways disagree about points.
    """
    from grader.bench.classes import measure_class, show_class_report

    report = measure_class(sample, sizes, nbgrader)
    show_class_report(report)
    if report.disagreements:
        raise SystemExit(1)
