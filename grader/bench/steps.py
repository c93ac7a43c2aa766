"""Says on standard error what is being measured: a bar in a terminal, lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from grader.progress import Show, progress_bar


class Steps:
    """Counts steps; `show` takes what is done, how much of it, and how much there is."""

    def __init__(self, show: Show, total: int) -> None:
        self.show = show
        self.total = total
        self.begun = 0

    def take(self, what: str) -> None:
        """Begin the next step."""
        self.say(what)
        self.begun += 1

    def say(self, what: str) -> None:
        """Say what is done now, without counting it."""
        self.show(what, self.begun, self.total)


@contextmanager
def show_steps(total: int) -> Iterator[Steps]:
    """Give something that shows `total` steps."""
    terminal = sys.stderr.isatty()
    with progress_bar(terminal) as bar:
        yield Steps(bar if terminal else _print_line, total)


def _print_line(what: str, done: int, total: int) -> None:
    print(f"[{done}/{total}] {what}", file=sys.stderr, flush=True)
