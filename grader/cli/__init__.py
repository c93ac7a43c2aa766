"""The command line. A thin layer: it reads options, calls the library and turns what goes wrong into one line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import typer

from grader.cli.authoring import bench, check, doctor
from grader.cli.building import build
from grader.cli.classes import grade_a_class
from grader.cli.grading import grade
from grader.cli.learning import hint, list_exercises, progress, reset, solution, watch

app = typer.Typer(
    help="Grades PyTorch exercises: runs hidden tests against a submission that it never trusts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "grade": grade,
    "watch": watch,
    "list": list_exercises,
    "progress": progress,
    "hint": hint,
    "reset": reset,
    "solution": solution,
    "check": check,
    "class": grade_a_class,
    "doctor": doctor,
    "bench": bench,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
app.add_typer(build, name="build")


def _open_standard_streams() -> None:
    """Give closed standard streams a place that takes everything: else a socket would get the number of one."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)


def main() -> None:
    """Run the command line."""
    _open_standard_streams()
    # As Ctrl-C: what was started is ended, and nothing is left behind. Another exception would pass for a test's own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        app()
    finally:
        # Python remembers an interrupt that came while a text was executed, as where a data class is made, and would
        # end by that signal although it was dealt with. The next text makes it forget.
        eval("None")
