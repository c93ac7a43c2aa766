"""Asks the process that judges notebooks, starts it when it is needed, and gives up on it in time."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from grader.course import ROOT, Lesson
from grader.errors import GraderError, GraderFailed
from grader.result import Result, from_json

START_SECONDS = 180
EXERCISE_SECONDS = 60  # several times what the judge itself allows


class JudgeProcess:
    """One judging process, kept for the next notebook.

    Args:
        python: the interpreter that has torch and the grader's other packages.
        isolation: see grader.isolation.
        gpu: see grader.judge.
    """

    def __init__(self, python: str, isolation: str, gpu: str) -> None:
        self.settings = (python, isolation, gpu)
        self.replies: queue.Queue[str] = queue.Queue()
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115
        environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            self.process = subprocess.Popen(
                [python, "-m", "grader.gradebook.judge_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                cwd=tempfile.gettempdir(),
                env=environment,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is for nbgrader, which then ends this
            )
        except OSError as error:
            raise GraderError(
                f"{python} cannot be started ({error.strerror}): c.JudgeNotebook.python in nbgrader_config.py names "
                "the Python that the grader is installed for"
            ) from None
        threading.Thread(target=self._listen, args=(self.process.stdout,), daemon=True).start()

    def _listen(self, stream: IO[str]) -> None:
        with contextlib.suppress(ValueError):  # closed under our hands
            for line in stream:
                self.replies.put(line)
        self.replies.put("")

    def ask(self, path: Path, lesson: Lesson, seed: int) -> Result:
        """Judge the notebook at `path` as an answer to all of a lesson.

        Raises:
            GraderFailed: the grader itself failed; nothing is to be concluded about the notebook.
            GraderError: something is to be put right first, such as the sandbox; the text says what.
        """
        _, isolation, gpu = self.settings
        request = {"path": str(path), "lesson": lesson.id, "seed": seed, "isolation": isolation, "gpu": gpu}
        try:
            assert self.process.stdin
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.replies.get(timeout=START_SECONDS + EXERCISE_SECONDS * len(lesson.exercises))
        except queue.Empty:
            raise GraderFailed("the grader gave no answer in time") from None
        except OSError:
            line = ""
        if not line:
            raise GraderFailed(f"the grader ended without an answer{self._last_words()}")
        reply = json.loads(line)
        if "wrong" in reply:
            raise GraderError(reply["wrong"])
        if "failed" in reply:
            raise GraderFailed(reply["failed"])
        return from_json(reply["result"])

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""

    def close(self) -> None:
        """End the process, and with it the sandbox."""
        with contextlib.suppress(OSError):
            if self.process.stdin:
                self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()


_process: JudgeProcess | None = None


def judge_notebook(
    notebook: bytes, lesson: Lesson, *, seed: int, python: str = sys.executable, isolation: str = "sandbox", gpu: str
) -> Result:
    """Judge a notebook by a lesson's hidden tests, in another process; once more if the grader itself fails.

    Raises:
        GraderFailed: it failed again.
        GraderError: something is to be put right first; the text says what.
    """
    with _as_file(notebook, lesson) as path:
        for last in (False, True):
            try:
                return _running(python, isolation, gpu).ask(path, lesson, seed)
            except GraderFailed:
                end_process()
                if last:
                    raise
            except BaseException:
                # What it would still say would be taken for the answer about the next notebook.
                end_process()
                raise
    raise AssertionError("unreachable")


@contextlib.contextmanager
def _as_file(notebook: bytes, lesson: Lesson) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="grader-") as name:
        path = Path(name) / lesson.topic / f"{lesson.name}.ipynb"
        path.parent.mkdir()
        path.write_bytes(notebook)
        yield path


def _running(python: str, isolation: str, gpu: str) -> JudgeProcess:
    global _process
    if _process and (_process.settings != (python, isolation, gpu) or _process.process.poll() is not None):
        end_process()
    if _process is None:
        _process = JudgeProcess(python, isolation, gpu)
    return _process


@atexit.register
def end_process() -> None:
    """End the judging process, if there is one."""
    global _process
    if _process:
        process, _process = _process, None
        process.close()
