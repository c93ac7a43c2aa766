"""The full-screen form of `watch`: a line on top, what is said below it, what is going on, the keys."""

from __future__ import annotations

import asyncio
import io
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import FormattedTextControl, Layout, Window
from rich.console import Console
from rich.text import Text

from grader.course import load_course
from grader.errors import GraderError
from grader.learner.help import solution_text
from grader.watch import view
from grader.watch.session import Session

TICK_SECONDS = 0.5
# Editors that open a window and are told the line in ways of their own; others know vi's +LINE.
LINE_OPTIONS = {"code": "--goto", "codium": "--goto", "cursor": "--goto", "subl": "", "zed": ""}


class Screen:
    """Shows a session and obeys keys; `restart` starts the grading process again."""

    def __init__(self, session: Session, restart: Callable[[], None]) -> None:
        self.session = session
        self.restart = restart
        self.page = "exercise"
        self.scroll = 0
        self.height = 1
        self.chosen = 0
        self.code = ""
        self.editing: asyncio.Future[None] | None = None
        control = FormattedTextControl(self._text, focusable=True, show_cursor=False)
        self.application: Application[None] = Application(
            Layout(Window(control, wrap_lines=False, always_hide_cursor=True)),
            key_bindings=self._bindings(),
            full_screen=True,
            mouse_support=False,
        )
        session.changed = self.application.invalidate

    async def run(self) -> None:
        """Show it until the learner quits."""
        ticking = asyncio.create_task(self._tick())
        try:
            await self.application.run_async(handle_sigint=True)
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        """Count the seconds of what takes long; nothing is drawn while nothing happens."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.session.state == "starting" or self.session.order:
                self.application.invalidate()

    def quit(self) -> None:
        """End `run`."""
        if self.application.is_running and not self.application.is_done:
            self.application.exit()

    # What is on the screen

    def _console(self, columns: int) -> Console:
        plain = bool(os.environ.get("NO_COLOR"))
        file = _Encoded(getattr(sys.stdout, "encoding", None) or "utf-8")
        width = max(20, columns)
        return Console(
            file=file, width=width, force_terminal=True, color_system="standard", no_color=plain, highlight=False
        )

    def _text(self) -> ANSI:
        size = self.application.output.get_size()
        screen = self._console(size.columns)
        top = view.as_lines([view.header(self.session, screen), Text()], screen)
        below = [
            Text(),
            *view.as_lines([view.status_line(self.session, screen)], screen)[:3],
            view.keys_line(screen),
        ]
        self.height = max(1, size.rows - len(top) - len(below))
        body = view.as_lines(self._body(screen), screen)
        self.scroll = max(0, min(self.scroll, len(body) - self.height))
        shown = body[self.scroll : self.scroll + self.height]
        left = len(body) - self.scroll - len(shown)
        if left > 0 and self.page != "list":
            below[0] = Text(f"{left} more line{'s' * (left != 1)}: Down or PgDn", style="dim")
        shown += [Text()] * (self.height - len(shown))
        for line in [*top, *shown, *below][: size.rows]:
            screen.print(line, no_wrap=True, overflow="crop", crop=True)
        assert isinstance(screen.file, io.StringIO)
        return ANSI(screen.file.getvalue().removesuffix("\n"))

    def _body(self, screen: Console) -> list[Text]:
        if self.page == "list":
            lines, at = view.list_lines(self.session, screen, self.chosen)
            if not self.scroll < at < self.scroll + self.height:
                self.scroll = max(0, at - self.height // 2)
            return lines
        if self.page == "keys":
            return view.key_help()
        if self.page == "solution":
            return view.code_lines(f"Solution of {self.session.current.name}", self.code, screen)
        return view.exercise_lines(self.session, screen)

    # Keys

    def _bindings(self) -> KeyBindings:
        keys = KeyBindings()
        actions: dict[str, Callable[[], object]] = {
            "n": lambda: self._go(self.session.go_on),
            "p": lambda: self._go(self.session.go_back),
            "h": self._hint,
            "l": self._list,
            "r": self._run,
            "e": self._edit,
            "s": self._solution,
            "q": self.quit,
            "c-c": self.quit,
            "c-d": self.quit,
            "<sigint>": self.quit,
            "?": lambda: self._turn_to("keys"),
            "escape": lambda: self._turn_to("exercise"),
            "enter": self._enter,
            "up": lambda: self._move(-1),
            "down": lambda: self._move(1),
            "k": lambda: self._move(-1),
            "j": lambda: self._move(1),
            "pageup": lambda: self._move(-self.height),
            "pagedown": lambda: self._move(self.height),
            "space": lambda: self._move(self.height),
            "home": lambda: self._move(-10_000),
            "end": lambda: self._move(10_000),
        }
        for key, action in actions.items():
            keys.add(key, eager=True)(lambda event, action=action: action())
        keys.add("c-l")(lambda event: event.app.renderer.clear())
        if hasattr(os, "fork"):
            keys.add("c-z")(lambda event: event.app.suspend_to_background())
        keys.add("<any>")(lambda event: self.session.say("? shows the keys."))
        return keys

    def _turn_to(self, page: str) -> None:
        self.page, self.scroll = page, 0
        self.session.notice = ""
        self.session.changed()

    def _go(self, move: Callable[[], None]) -> None:
        self._turn_to("exercise")
        move()

    def show_exercise(self) -> None:
        """Turn to the exercise at hand, from its beginning: something was saved."""
        self.page, self.scroll = "exercise", 0

    def _hint(self) -> None:
        self._turn_to("exercise")
        self.session.hint()
        self.scroll = 10_000  # The newest hint is the last thing there.

    def _run(self) -> None:
        self._turn_to("exercise")
        if self.session.state == "failed":
            self.restart()
        self.session.grade_again()

    def _list(self) -> None:
        if self.page == "list":
            self._turn_to("exercise")
            return
        self.chosen = self.session.course.exercises.index(self.session.current)
        self._turn_to("list")

    def _enter(self) -> None:
        if self.page == "list":
            exercise = self.session.course.exercises[self.chosen]
            self._go(lambda: self.session.go_to(exercise))
        else:
            self._turn_to("exercise")

    def _move(self, lines: int) -> None:
        if self.page == "list":
            self.chosen = max(0, min(self.chosen + lines, len(self.session.course.exercises) - 1))
        else:
            self.scroll = max(0, self.scroll + lines)
        self.session.changed()

    def _solution(self) -> None:
        exercise = self.session.current
        if self.page == "solution":
            self._turn_to("exercise")
            return
        if exercise.id not in self.session.record.solved:
            self.session.say("The solution is there once you have solved it; h gives a hint.")
            return
        try:
            self.code = solution_text(exercise, load_course())
        except GraderError as error:
            self.session.say(f"{error}.")
            return
        self._turn_to("solution")

    def _edit(self) -> None:
        path = self.session.files.path(self.session.course.lesson(self.session.current.lesson_id))
        if path is None:
            self.session.say("There is no file to open.")
            return
        command = editor_command(path, view.line_of(self.session, self.session.current))
        if command is None:
            self.session.say(f"Set EDITOR to your editor's name, or open {path.name} yourself.")
            return

        def run() -> None:
            try:
                subprocess.run(command, check=False)
            except OSError as error:
                self.session.notice = f"{command[0]} cannot be started: {error.strerror}."

        self.session.notice = ""
        # Files are watched while the editor is open: the verdict is there when it is left.
        self.editing = asyncio.ensure_future(run_in_terminal(run, in_executor=True))


class _Encoded(io.StringIO):
    """Text that says which characters the terminal can show."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding


def editor_command(path: Path, line: int | None) -> list[str] | None:
    """How to open a file at a line in the learner's editor; None if there is none to be found."""
    wanted = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not wanted:
        wanted = next((name for name in ("nano", "vim", "vi", "notepad") if shutil.which(name)), None)
    if not wanted:
        return None
    words = shlex.split(wanted, posix=os.name == "posix")
    name = Path(words[0]).stem.lower()
    if line is None or name == "notepad":
        return [*words, str(path)]
    if name in LINE_OPTIONS:
        return [*words, *filter(None, [LINE_OPTIONS[name]]), f"{path}:{line}"]
    return [*words, f"+{line}", str(path)]
