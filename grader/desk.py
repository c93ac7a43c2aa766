"""Judges many submissions: in processes of their own, each with warm workers beside it, as many as there are cores."""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from grader.course import ROOT
from grader.errors import GraderError, GraderFailed
from grader.submission import Submission

if TYPE_CHECKING:
    from grader.result import ExerciseResult, Result

STOP_SECONDS = 3.0
EXERCISE_MOST_SECONDS = 60.0  # far above what the judge itself allows: a judge that takes longer hangs
START_SECONDS = 300
FORKS = sys.platform == "linux"  # elsewhere a process that has imported torch had better not be forked
COPY = "copy"  # instead of a task
_START = "import sys; sys.path.insert(0, {root!r}); from grader.at_desk import main; main()"


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
    diagnosis_seconds: float = 3.0


@dataclass(frozen=True)
class Task:
    """One submission, and the ids of the exercises to judge in it; the rest as for grader.judge.judge."""

    submission: Submission
    exercises: tuple[str, ...]
    until_failure: bool = False
    publicly: bool = False
    known: Mapping[str, ExerciseResult] = field(default_factory=dict)


@dataclass
class _Ends:
    """What one has of a desk: ways to and from it, and the file with its own words, the last of which explain its end.

    `channel` is what both ways go by where there are sockets that a process can start with; elsewhere they are pipes.
    """

    said: IO[bytes]
    channel: socket.socket | None = None
    requests: IO[bytes] | None = None
    replies: IO[bytes] | None = None

    @classmethod
    def pair(cls) -> tuple[_Ends, socket.socket | None]:
        """Ours, and theirs to give away and close."""
        ends = cls(tempfile.TemporaryFile())  # noqa: SIM115
        if not FORKS:
            return ends, None
        ends.channel, theirs = socket.socketpair()
        ends.requests, ends.replies = ends.channel.makefile("wb"), ends.channel.makefile("rb")
        return ends, theirs

    def close(self) -> None:
        """Close them all."""
        for stream in (self.requests, self.replies, self.channel, self.said):
            try:
                if stream:
                    stream.close()
            except OSError:
                pass  # What was still to be sent has nobody to go to.


class Desk:
    """A process that judges one task after another.

    The judge's side is trusted, so tasks and results travel as pickles; what a submission says never does.
    """

    def __init__(self, settings: DeskSettings, process: subprocess.Popen[bytes] | Forked, ends: _Ends) -> None:
        self.settings = settings
        self.process = process
        self.ready = False
        self._ends = ends

    @classmethod
    def start(cls, settings: DeskSettings) -> Desk:
        """Start one; it gets ready while the caller goes on.

        Raises:
            GraderError: no process can be started.
        """
        ends, theirs = _Ends.pair()
        end = theirs.fileno() if theirs else subprocess.PIPE
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _START.format(root=str(ROOT))],
                stdin=end,
                stdout=end,
                stderr=ends.said,
                # Ctrl-C is the parent's to hear.
                start_new_session=True,
            )
        except OSError as error:
            raise GraderError(f"no process for judging can be started: {error.strerror}") from None
        finally:
            if theirs:
                theirs.close()
        ends.requests, ends.replies = ends.requests or process.stdin, ends.replies or process.stdout
        desk = cls(settings, process, ends)
        try:
            desk._send(settings)
        except GraderFailed:
            pass  # Said when it is asked for something.
        return desk

    def copy(self) -> Desk:
        """Another one, forked from this one, which must have had no task yet: torch is imported, and in memory, once.

        Raises:
            GraderFailed: this one, or the process that starts its workers, has ended.
            GraderError: nothing can be judged here at all.
        """
        self.wait_until_ready()
        self._send(COPY)
        self._receive(START_SECONDS)  # It has read that, and nothing of what follows.
        ends, theirs = _Ends.pair()
        assert theirs
        assert self._ends.channel
        try:
            socket.send_fds(self._ends.channel, [b"-"], [theirs.fileno(), ends.said.fileno()])
            desk = Desk(self.settings, Forked(self._receive(START_SECONDS)), ends)
        except OSError:
            raise GraderFailed(self._ended()) from None
        finally:
            theirs.close()
        desk._receive(START_SECONDS)
        desk.ready = True
        return desk

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
                self._receive(START_SECONDS)
            except GraderFailed as error:
                # What fails before any submission is there fails for all of them.
                raise GraderError(str(error)) from None
            self.ready = True

    def _send(self, value: object) -> None:
        assert self._ends.requests
        try:
            pickle.dump(value, self._ends.requests)
            self._ends.requests.flush()
        except OSError:
            raise GraderFailed(self._ended()) from None

    def _receive(self, seconds: float) -> Any:
        assert self._ends.replies
        alarm = threading.Timer(seconds, self.process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            value = pickle.load(self._ends.replies)
        except (EOFError, OSError, ValueError, pickle.UnpicklingError):
            raise GraderFailed(self._ended()) from None
        finally:
            alarm.cancel()
        if isinstance(value, BaseException):
            raise value
        return value

    def _ended(self) -> str:
        try:
            self._ends.said.seek(0)
            lines = self._ends.said.read().decode(errors="replace").strip().splitlines()
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
        self._ends.close()


class Forked:
    """A process that another one has forked for this one: what is needed of a subprocess.Popen."""

    def __init__(self, pid: int) -> None:
        """Take hold of it.

        Raises:
            OSError: it has ended, and is forgotten.
        """
        self.pid = pid
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Not None once it has ended."""
        return 0 if self._ends_within(0.0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended.

        Raises:
            subprocess.TimeoutExpired: it has not, after this many seconds.
        """
        if not self._ends_within(timeout):
            raise subprocess.TimeoutExpired("a forked process", timeout or 0.0)
        return 0

    def _ends_within(self, seconds: float | None) -> bool:
        waiting = select.poll()
        waiting.register(self._handle, select.POLLIN)
        return bool(waiting.poll(None if seconds is None else 1000 * seconds))

    def terminate(self) -> None:
        """Send it SIGTERM."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        try:
            signal.pidfd_send_signal(self._handle, number)
        except ProcessLookupError:
            pass

    def __del__(self) -> None:
        if handle := getattr(self, "_handle", None):
            os.close(handle)


class Desks:
    """Gives out desks. Where processes can be forked, all are copies of one, which has no work itself."""

    def __init__(self, settings: DeskSettings) -> None:
        self.settings = settings
        self._first: Desk | None = None
        self._lock = threading.Lock()
        self._stopped = False

    def take(self) -> Desk:
        """A fresh one. The first takes seconds, the others none, from whatever thread.

        Raises:
            GraderFailed: processes that were just started have ended.
            GraderError: nothing can be judged here at all, or it was stopped.
        """
        if not FORKS:
            return Desk.start(self.settings)
        with self._lock:
            try:
                return self._copy()
            except GraderFailed:
                self._let_go()
                return self._copy()

    def _copy(self) -> Desk:
        self._first = self._first or Desk.start(self.settings)
        if self._stopped:
            raise GraderError("stopped")
        return self._first.copy()

    def _let_go(self) -> None:
        first, self._first = self._first, None
        if first:
            first.close()

    def stop(self) -> None:
        """End the one that desks are copied from, from any thread; none is given out any more."""
        self._stopped = True
        if first := self._first:
            first.stop()

    def close(self) -> None:
        """End it and wait for that; desks that were given out are their takers' to close, before."""
        self.stop()
        with self._lock:
            self._let_go()


class OneDesk:
    """A desk that is taken when it is needed, and replaced when it fails."""

    def __init__(self, desks: Desks) -> None:
        self._desks = desks
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
            try:
                return self._take().judge(task)
            except GraderFailed as error:
                failure = error
                self._let_go()
        assert failure is not None
        return failure

    def _take(self) -> Desk:
        with self._lock:
            if self._desk:
                return self._desk
        desk = self._desks.take()
        with self._lock:
            if not self._stopped:
                self._desk = desk
                return desk
        desk.close()
        raise GraderError("stopped")

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

    Tasks are taken from the iterable only one ahead: a large class need not fit into memory, and each task may build on
    what came of those before.

    Raises:
        GraderError: nothing can be judged at all.
    """
    room = Desks(settings)
    desks = [OneDesk(room) for _ in range(jobs)]
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
            while more and len(running) <= jobs:
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
        room.stop()
        for desk in desks:
            desk.stop()
        executor.shutdown(wait=True)
        for desk in desks:
            desk.close()
        room.close()
