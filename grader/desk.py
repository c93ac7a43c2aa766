"""Judges many submissions: in processes of their own, each with warm workers beside it, as many as there are cores."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from grader.course import ROOT, load_course
from grader.errors import GraderError, GraderFailed
from grader.submission import Submission

if TYPE_CHECKING:
    from grader.result import Result

STOP_SECONDS = 3.0
EXERCISE_MOST_SECONDS = 60.0  # far above what the judge itself allows: a judge that takes longer hangs
_START = "import sys; sys.path.insert(0, {root!r}); from grader.desk import main; main()"


@dataclass(frozen=True)
class DeskSettings:
    """How a desk judges; see grader.judge.judge. `exercises` are the ids that its workers are made ready for.

    `diagnosis_seconds` is what finding out the mistake in a failing exercise may take; 0 leaves it out.
    """

    exercises: tuple[str, ...]
    seed: int
    isolation: str = "auto"
    gpu: str = "auto"
    seconds: float = 10.0
    until_failure: bool = False
    diagnosis_seconds: float = 3.0


@dataclass(frozen=True)
class Task:
    """One submission, and the ids of the exercises to judge in it."""

    submission: Submission
    exercises: tuple[str, ...]


class Desk:
    """A process that judges one task after another.

    The judge's side is trusted, so tasks and results travel as pickles; what a submission says never does.
    """

    def __init__(self, settings: DeskSettings) -> None:
        """Start one; it gets ready while the caller goes on.

        Raises:
            GraderError: no process can be started.
        """
        self.settings = settings
        self.ready = False
        # Its own words are kept out of the progress bar; the last of them explain an early end.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _START.format(root=str(ROOT))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                # Ctrl-C is the parent's to hear.
                start_new_session=True,
            )
        except OSError as error:
            raise GraderError(f"no process for judging can be started: {error.strerror}") from None
        try:
            self._send(settings)
        except GraderFailed:
            pass  # Said when it is asked for something.

    def judge(self, task: Task) -> Result:
        """Judge one submission.

        Raises:
            GraderFailed: the process, or the one that starts its workers, has ended; a fresh desk is needed.
            GraderError: nothing can be judged here at all, such as without the isolation that is asked for.
        """
        self.wait_until_ready()
        self._send(task)
        return self._receive(EXERCISE_MOST_SECONDS * (len(task.exercises) + 2))

    def wait_until_ready(self) -> None:
        """Wait until the workers are there.

        Raises:
            GraderError: they cannot be had.
        """
        if not self.ready:
            try:
                self._receive(300)
            except GraderFailed as error:
                # What fails before any submission is there fails for all of them.
                raise GraderError(str(error)) from None
            self.ready = True

    def _send(self, value: object) -> None:
        assert self.process.stdin is not None
        try:
            pickle.dump(value, self.process.stdin)
            self.process.stdin.flush()
        except OSError:
            raise GraderFailed(self._ended()) from None

    def _receive(self, seconds: float) -> Any:
        assert self.process.stdout is not None
        alarm = threading.Timer(seconds, self.process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            value = pickle.load(self.process.stdout)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise GraderFailed(self._ended()) from None
        finally:
            alarm.cancel()
        if isinstance(value, BaseException):
            raise value
        return value

    def _ended(self) -> str:
        try:
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").strip().splitlines()
        except (OSError, ValueError):
            lines = []
        return "a process that judges submissions has ended" + (f": {lines[-1][:200]}" if lines else "")

    def stop(self) -> None:
        """Tell it to end now; may be called from any thread."""
        if self.process.poll() is None:
            self.process.terminate()

    def close(self) -> None:
        """End it, with all its workers."""
        self.stop()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                try:
                    stream.close()
                except OSError:
                    pass  # What was still to be sent has nobody to go to.
        self._said.close()


class OneDesk:
    """A desk that is started when it is needed, and replaced when it fails."""

    def __init__(self, settings: DeskSettings) -> None:
        self.settings = settings
        self._desk: Desk | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def judge(self, task: Task) -> Result | GraderFailed:
        """Judge one submission; if the grader itself fails at that twice, give the failure: it is nobody's score.

        Raises:
            GraderError: nothing can be judged here at all.
        """
        failure: GraderFailed | None = None
        for _ in range(2):
            desk = self._take()
            try:
                return desk.judge(task)
            except GraderFailed as error:
                failure = error
                self._let_go()
        assert failure is not None
        return failure

    def _take(self) -> Desk:
        with self._lock:
            if self._stopped:
                raise GraderError("stopped")
            if self._desk is None:
                self._desk = Desk(self.settings)
            return self._desk

    def _let_go(self) -> None:
        with self._lock:
            desk, self._desk = self._desk, None
        if desk:
            desk.close()

    def stop(self) -> None:
        """End what is running now, from another thread; nothing is judged here any more."""
        with self._lock:
            self._stopped = True
            if self._desk:
                self._desk.stop()

    def close(self) -> None:
        """End the process."""
        self.stop()
        self._let_go()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def judge_all(
    tasks: Iterable[Task], settings: DeskSettings, jobs: int
) -> Generator[tuple[int, Result | GraderFailed], None, None]:
    """Judge many submissions, `jobs` at a time; give the place of each and what came of it, as they come.

    Tasks are taken from the iterable only a few ahead, so that a large class need not fit into memory.

    Raises:
        GraderError: nothing can be judged at all.
    """
    desks = [OneDesk(settings) for _ in range(jobs)]
    free = list(desks)
    mine = threading.local()

    def sit_down() -> None:
        mine.desk = free.pop()

    def work(task: Task) -> Result | GraderFailed:
        return mine.desk.judge(task)

    running: dict[Future[Result | GraderFailed], int] = {}
    executor = ThreadPoolExecutor(jobs, "desk", sit_down)
    try:
        source = enumerate(tasks)
        more = True
        while more or running:
            while more and len(running) < 2 * jobs:
                place, task = next(source, (0, None))
                if task is None:
                    more = False
                else:
                    running[executor.submit(work, task)] = place
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for desk in desks:
            desk.stop()
        executor.shutdown(wait=True)
        for desk in desks:
            desk.close()


def main() -> None:
    """Be a desk: settings, then tasks on standard input, results on standard output."""
    # As Ctrl-C, which ends a judge in good order; another exception would pass for a test's own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)

    def reply(value: object) -> None:
        pickle.dump(value, replies)
        replies.flush()

    try:
        _serve(pickle.load(requests), requests, reply)
    except GraderError as error:
        reply(error)
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        pass  # Nobody wants to know any more.


def _serve(settings: DeskSettings, requests: Any, reply: Any) -> None:
    from grader.grading import worker_pool

    course = load_course()
    prepared = [course.exercise(name) for name in settings.exercises]
    with worker_pool(prepared, course, settings.isolation, settings.gpu) as pool:
        from grader.diagnosis import Diagnostician
        from grader.judge import judge
        from grader.suites import RunSuites, keep_suites

        diagnostician = None
        if settings.diagnosis_seconds:
            diagnostician = Diagnostician(course, pool, settings.diagnosis_seconds)

        def judge_each(run_suites: RunSuites) -> None:
            reply("ready")
            while True:
                task: Task = pickle.load(requests)
                chosen = [course.exercise(name) for name in task.exercises]
                result = judge(
                    task.submission,
                    chosen,
                    pool,
                    seed=settings.seed,
                    seconds=settings.seconds,
                    gpu=settings.gpu,
                    until_failure=settings.until_failure,
                    run_suites=run_suites,
                    diagnostician=diagnostician,
                )
                reply(result)

        keep_suites(list(dict.fromkeys(exercise.lesson_id for exercise in prepared)), judge_each)
