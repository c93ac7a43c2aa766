"""A progress bar on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Show = Callable[[str, int, int], None]


@contextmanager
def progress_bar(visible: bool, remaining: bool = False) -> Iterator[Show]:
    """Give a function that shows what is being done, and how much of how much is done, if `visible`.

    Args:
        remaining: show numbers, and how much time the rest will take; each change of what is done starts anew.
    """
    if not visible:
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24)]
    columns += [MofNCompleteColumn()] if remaining else []
    columns += [TimeElapsedColumn()]
    columns += [TextColumn("left"), TimeRemainingColumn()] if remaining else []
    # This very stream: while suites run, sys.stderr is another.
    screen = Console(file=sys.stderr)
    # What is counted takes seconds, so that the speed of the last half minute would say little about the rest.
    options: dict[str, Any] = {"console": screen, "transient": True, "speed_estimate_period": 600}
    with Progress(*columns, redirect_stdout=False, redirect_stderr=False, **options) as bar:
        task = bar.add_task("")
        last = ""

        def show(what: str, done: int, total: int) -> None:
            nonlocal last
            if remaining and what != last:
                bar.reset(task, total=total)
            last = what
            bar.update(task, description=what, completed=done, total=total)

        yield show
