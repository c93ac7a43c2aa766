"""Runs `watch`: brings screen, files and grading process together, and ends them together."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import Protocol

from grader.course import ROOT, Course, load_course, read_catalogue
from grader.errors import CourseError, GraderError
from grader.learner.help import one_exercise
from grader.learner.record import EXERCISES, read_record
from grader.watch.client import GradingProcess
from grader.watch.files import LessonFiles, moments_to_look
from grader.watch.session import Session

# What a terminal may call itself that cannot move its cursor.
PLAIN_TERMINALS = ("", "dumb", "unknown")


class View(Protocol):
    """Something that shows a session until one quits."""

    async def run(self) -> None: ...

    def quit(self) -> None: ...

    def show_exercise(self) -> None: ...


def watch(exercise: str | None, *, isolation: str, gpu: str, poll: bool) -> None:
    """Show the exercise at hand and grade what is saved, until the learner quits.

    Args:
        exercise: where to begin; None goes on where the learner was.
        isolation, gpu: see grader.grading.grade_submission.
        poll: look for changes without the system's file events.

    Raises:
        GraderError: there are no exercises here, or none of this name.
    """
    course = public_course()
    if not EXERCISES.is_dir():
        raise GraderError("exercises/ is missing: `git checkout -- exercises` brings it back")
    first = one_exercise(course, exercise, read_record()) if exercise else None
    session = Session(course, LessonFiles(EXERCISES, course), first, lambda: None)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(session, isolation, gpu, poll))


def public_course() -> Course:
    """The course as its catalogue has it, which is read in no time; where there is none, from its lessons."""
    try:
        return read_catalogue(ROOT / "exercises" / "catalogue.json")
    except CourseError:
        return load_course()


def why_no_screen() -> str | None:
    """Why there can be no screen with keys; None if there can."""
    if not sys.stdin.isatty():
        return "standard input is not a terminal"
    if not sys.stdout.isatty():
        return "standard output is not a terminal"
    if os.name == "posix" and os.environ.get("TERM", "") in PLAIN_TERMINALS:
        return "this terminal cannot show a screen (see its TERM)"
    return None


async def _run(session: Session, isolation: str, gpu: str, poll: bool) -> None:
    tasks: set[asyncio.Task[None]] = set()
    grading = GradingProcess(session.hear, isolation, gpu, session.files.folder)

    async def start_again() -> None:
        await grading.end()
        await grading.start()

    def restart() -> None:
        session.restarted()
        task = asyncio.create_task(start_again())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    why = why_no_screen()
    view: View
    if why:
        from grader.reports.terminal import console
        from grader.watch.plain import PlainView

        view = PlainView(session, console(), why)
    else:
        from grader.watch.screen import Screen

        view = Screen(session, restart)
    loop = asyncio.get_running_loop()
    for name in ("SIGTERM", "SIGHUP", *(["SIGINT"] if why else [])):
        # Windows has not all of them, and its event loop takes none.
        with contextlib.suppress(AttributeError, NotImplementedError):
            loop.add_signal_handler(getattr(signal, name), view.quit)
    session.grading = grading
    session.grade([session.current.id], "")
    await grading.start()
    looking = asyncio.create_task(look(session, view, poll))
    tasks.add(looking)
    try:
        await view.run()
    finally:
        for task in list(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await grading.end()


async def look(session: Session, view: View, poll: bool) -> None:
    """Tell the session of files that changed."""
    async for _ in moments_to_look(session.files.folder, poll):
        changed = await session.files.changed()
        if changed:
            view.show_exercise()
            session.looked(changed)
