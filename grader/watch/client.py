"""The screen's side of the grading process: starts it, sends orders, hands on what it says, and ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from grader.course import ROOT

MESSAGE_BYTES = 64 * 2**20
END_SECONDS = 2.0

Hear = Callable[[dict[str, Any]], None]


class GradingProcess:
    """The running process. `hear` is called with each of its messages, and with `failed` when it ends unasked."""

    def __init__(self, hear: Hear, isolation: str, gpu: str, folder: Path) -> None:
        self.hear = hear
        self.options = [isolation, gpu, str(folder.resolve())]
        self.process: asyncio.subprocess.Process | None = None
        self.said: IO[bytes] | None = None
        self.listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, in a session of its own: Ctrl-C in the terminal is not for it."""
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "grader.watch.grading",
            *self.options,
            cwd=ROOT,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self.said,
            limit=MESSAGE_BYTES,
            start_new_session=True,
        )
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            with contextlib.suppress(ValueError):
                self.hear(json.loads(line))
        status = await self.process.wait()
        self.hear({"failed": f"the grading process has ended (status {status}{self._last_words()})"})

    def _last_words(self) -> str:
        if not self.said:
            return ""
        self.said.seek(0)
        lines = self.said.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def send(self, **order: Any) -> None:
        """Send one message."""
        if self.process and self.process.stdin and self.process.returncode is None:
            with contextlib.suppress(OSError, RuntimeError):
                self.process.stdin.write(json.dumps(order).encode() + b"\n")

    def grade(self, number: int, exercises: Sequence[str]) -> None:
        """Have these exercises graded, in this order."""
        self.send(order=number, exercises=list(exercises))

    async def end(self) -> None:
        """End it, and with it everything that it started; by force if it takes long."""
        if self.listening:
            self.listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self.listening
        if self.process and self.process.returncode is None:
            if self.process.stdin:
                self.process.stdin.close()
            try:
                await asyncio.wait_for(self.process.wait(), END_SECONDS)
            except TimeoutError:
                self._kill()
                await self.process.wait()
        if self.said:
            self.said.close()

    def _kill(self) -> None:
        assert self.process
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
