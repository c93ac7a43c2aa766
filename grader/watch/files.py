"""Notices that a lesson in exercises/ was saved, however an editor does that, and that one is gone or back.

What is believed is a look at the files: their dates and sizes, and then what is in them. The system's file events
only say when to look; where there are none, as on some network and container mounts, we look often enough by ourselves.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from grader.course import Course, Lesson

LOOK_SECONDS = 1.0  # With file events, in case that one is lost.
POLL_SECONDS = 0.2
EVENT_STEP_MILLISECONDS = 10
# An editor that empties a file before it writes it, or removes it before the new one takes its place, needs less.
SETTLE_SECONDS = 0.06
SUFFIXES = (".py", ".ipynb")

Signature = tuple[int, int, int]


class LessonFiles:
    """The learner's files: `contents` is what each lesson's file held when last looked at; None if it was missing."""

    def __init__(self, folder: Path, course: Course) -> None:
        self.folder = folder
        self.lessons = course.lessons
        self.contents: dict[str, bytes | None] = {}
        self.signatures: dict[Path, Signature | None] = {}
        for lesson in self.lessons:
            self.contents[lesson.id] = self._read(lesson)

    def path(self, lesson: Lesson) -> Path | None:
        """The file of a lesson; like the grader, a .py file before a notebook."""
        candidates = [self.folder / f"{lesson.id}{suffix}" for suffix in SUFFIXES]
        return next((path for path in candidates if path.is_file()), None)

    def text(self, lesson_id: str) -> str | None:
        """A lesson's code as it was when last looked at; None if its file was missing."""
        content = self.contents[lesson_id]
        return None if content is None else code_of(content)

    def _signs(self, lesson: Lesson) -> dict[Path, Signature | None]:
        signs: dict[Path, Signature | None] = {}
        for suffix in SUFFIXES:
            path = self.folder / f"{lesson.id}{suffix}"
            try:
                found = path.stat()
                signs[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
            except OSError:
                signs[path] = None
        return signs

    def _read(self, lesson: Lesson) -> bytes | None:
        """What a lesson's file holds now; its dates and sizes are noted first, so that no later change is missed."""
        self.signatures |= self._signs(lesson)
        path = self.path(lesson)
        try:
            return path.read_bytes() if path else None
        except OSError:
            return None

    async def changed(self) -> dict[str, str | None]:
        """The lessons whose files hold something else than when last looked at, by id, with the code they had then."""
        found: dict[str, str | None] = {}
        for lesson in self.lessons:
            if all(self.signatures[path] == sign for path, sign in self._signs(lesson).items()):
                continue
            content = self._read(lesson)
            for _ in range(10):
                if content is not None and is_whole(content):
                    break
                await asyncio.sleep(SETTLE_SECONDS)
                earlier, content = content, self._read(lesson)
                if content == earlier:
                    break
            # Only now: meanwhile the screen may be drawn, and should not tell of a file that is just being replaced.
            before, self.contents[lesson.id] = self.contents[lesson.id], content
            if content != before:
                found[lesson.id] = None if before is None else code_of(before)
        return found


def is_whole(content: bytes) -> bool:
    """Whether this is something that one would save, rather than a part of it that is still being written."""
    try:
        return bool(content.strip()) and bool(ast.parse(code_of(content)).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def code_of(content: bytes) -> str:
    """A file's code; a notebook's is that of its code cells."""
    text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if text.lstrip().startswith("{"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            cells = json.loads(text)["cells"]
            return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return text


async def moments_to_look(folder: Path, poll: bool) -> AsyncIterator[str]:
    """Say again and again that it is time to look: `event` at once when something happened, `time` now and then."""
    if poll:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            yield "time"
    async for moment in _with_events(folder):
        yield moment


async def _with_events(folder: Path) -> AsyncIterator[str]:
    bell = asyncio.Event()
    task = asyncio.create_task(_ring_on_events(folder, bell))
    try:
        while True:
            # Where events cannot be had, the task has ended, and looking often is all there is.
            seconds = POLL_SECONDS if task.done() else LOOK_SECONDS
            moment = "time"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), seconds)
                moment = "event"
            bell.clear()
            yield moment
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _ring_on_events(folder: Path, bell: asyncio.Event) -> None:
    try:
        from watchfiles import awatch

        changes = awatch(folder, step=EVENT_STEP_MILLISECONDS, debounce=50, watch_filter=None, rust_timeout=500)
        async for _ in changes:
            bell.set()
    except (ImportError, OSError, RuntimeError):
        return  # No watchfiles, no such folder, or no more inotify watches to be had.
