"""The form of `watch` without a screen and keys: verdicts one after another, as text. For pipes and dumb terminals."""

from __future__ import annotations

import asyncio

from rich.console import Console
from rich.text import Text

from grader.reports.wording import sentence
from grader.watch import view
from grader.watch.session import Session, Verdict


class PlainView:
    """Prints what happens, and runs until it is stopped."""

    def __init__(self, session: Session, screen: Console, why: str) -> None:
        self.session = session
        self.screen = screen
        self.state = ""
        self.missing: set[str] = set()
        self.ended = asyncio.Event()
        session.changed = self._changed
        session.on_verdict = self._verdict
        screen.print(f"Watching exercises/ without keys: {why}. Ctrl-C ends it.")
        screen.print(view.header(session, screen))
        self._changed()

    async def run(self) -> None:
        """Until `quit`."""
        await self.ended.wait()

    def quit(self) -> None:
        """End `run`."""
        self.ended.set()

    def show_exercise(self) -> None:
        """Nothing to turn to here."""

    def _changed(self) -> None:
        if self.session.state != self.state:
            self.state = self.session.state
            if self.state == "failed":
                self.screen.print(Text(sentence(self.session.why or ""), style="red"))
                self.ended.set()
            else:
                self.screen.print("Warming up ..." if self.state == "starting" else "Ready.")
        gone = {name for name, content in self.session.files.contents.items() if content is None}
        for name in sorted(gone - self.missing):
            exercise = self.session.course.lesson(name).exercises[0]
            self.screen.print(Text(sentence(self.session.missing(exercise) or ""), style="red"))
        self.missing = gone
        if self.session.notice:
            self.screen.print(self.session.notice)
            self.session.notice = ""

    def _verdict(self, exercise_id: str, verdict: Verdict) -> None:
        self.screen.print(Text(f"\n{exercise_id}", style="bold"))
        if verdict.result is None:
            self.screen.print(Text(sentence(verdict.problem or ""), style="red"))
            return
        for line in view.result_lines(verdict, self.screen):
            self.screen.print(line)
