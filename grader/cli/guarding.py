"""What every command is wrapped in: whatever goes wrong ends it with one line and a status."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar, cast

import typer

from grader.errors import GraderError

BELOW, COULD_NOT = 1, 2  # exit statuses

Command = TypeVar("Command", bound=Callable[..., None])


def one_line_errors(command: Command) -> Command:
    """Let what can foreseeably go wrong end a command with one line on standard error and status 2."""

    @functools.wraps(command)
    def guarded(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
            sys.stdout.flush()
        except GraderError as error:
            fail(str(error))
        except KeyboardInterrupt:
            fail("stopped before the end; there is no result")
        except BrokenPipeError:
            # Whoever read our output has seen enough.
            _let_go_of(sys.stdout)
            raise SystemExit(COULD_NOT) from None
        except OSError as error:
            _let_go_of(sys.stdout)
            fail(f"{error.filename or 'writing the output'}: {error.strerror or error}")
        except ImportError as error:
            fail(f"{_in_one_line(error)}: a package is missing or does not fit the others; `make setup` installs them")
        except Exception as error:
            if os.environ.get("GRADER_TRACEBACK"):
                raise
            kind = type(error).__name__
            fail(
                f"the grader itself failed, there is no result ({kind}: {_in_one_line(error)}). GRADER_TRACEBACK=1 "
                "in the environment shows where"
            )

    return cast(Command, guarded)


def fail(message: str) -> NoReturn:
    """End with one line on standard error and status 2."""
    try:
        typer.secho(f"grader: {message}", fg="red", err=True)
    except OSError:
        _let_go_of(sys.stderr)  # The terminal is closed.
    raise SystemExit(COULD_NOT)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _let_go_of(stream: Any) -> None:
    """Have Python not try to write what is left for a stream that takes nothing any more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError, AttributeError):
        pass


def told_to_platforms(command: Command) -> Command:
    """Let a platform that waits for a result hear of it when there is none."""

    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        try:
            command(**options)
        except GraderError as error:
            from grader.platforms import tell_failure

            tell_failure(error, options)
            raise

    return cast(Command, guarded)
