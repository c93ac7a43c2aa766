"""What goes on at a desk, in the process that grader.desk starts: it judges, or is there for copies that judge."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from grader.course import Course, load_course
from grader.desk import COPY, FORKS, DeskSettings, Task
from grader.errors import GraderError
from grader.importing import undisturbed

if TYPE_CHECKING:
    from grader.isolation import Isolation
    from grader.known_replies import KnownReplies
    from grader.result import Result
    from grader.suites import RunSuites


class _Caller:
    """Whom this process works for. `channel` is None where there are only pipes."""

    def __init__(self, channel: socket.socket | None, requests: IO[bytes], replies: IO[bytes]) -> None:
        self.channel = channel
        self.requests = requests
        self.replies = replies

    def hear(self) -> Any:
        """What it wants next."""
        return pickle.load(self.requests)

    def tell(self, value: object) -> None:
        """Answer it."""
        pickle.dump(value, self.replies)
        self.replies.flush()

    def close(self) -> None:
        """Leave it to another process: as long as one has this open, the caller does not see that the other ended."""
        for each in (self.requests, self.replies, self.channel):
            if each:
                each.close()


def _by_socket(descriptor: int) -> _Caller:
    channel = socket.socket(fileno=descriptor)
    return _Caller(channel, channel.makefile("rb"), channel.makefile("wb"))


class _AtDesk:
    """Judges for one caller, with workers of its own."""

    def __init__(
        self,
        settings: DeskSettings,
        course: Course,
        level: Isolation,
        run_suites: RunSuites,
        caller: _Caller,
        replies: KnownReplies,
    ) -> None:
        from grader.diagnosis import Diagnostician
        from grader.workers import WorkerPool

        self.settings, self.course, self.level, self.replies = settings, course, level, replies
        self.run_suites, self.caller = run_suites, caller
        self.pool = WorkerPool(level)
        self.diagnostician = None
        if settings.diagnosis_seconds:
            self.diagnostician = Diagnostician(course, self.pool, settings.diagnosis_seconds, replies)
        self.copies: list[int] = []

    def work(self) -> None:
        """Do what the caller says until it is gone.

        Raises:
            GraderError, EOFError, OSError: nothing can be judged any more, or nobody wants to know.
        """
        try:
            self.caller.tell("ready")
            while True:
                order = self.caller.hear()
                if order == COPY:
                    self._copy()
                else:
                    self.caller.tell(self._judge(order))
        finally:
            self.pool.close()
            self._forget_copies()

    def _judge(self, task: Task) -> Result:
        from grader.judge import judge

        return judge(
            task.submission,
            [self.course.exercise(name) for name in task.exercises],
            self.pool,
            seed=self.settings.seed,
            seconds=self.settings.seconds,
            gpu=self.settings.gpu,
            until_failure=task.until_failure,
            publicly=task.publicly,
            run_suites=self.run_suites,
            diagnostician=self.diagnostician,
            known=task.known,
        )

    def _copy(self) -> None:
        """Fork a process that works at a desk of its own, by the socket that the caller sends."""
        assert self.caller.channel is not None
        self.caller.tell("where to?")
        _, (channel, said), _, _ = socket.recv_fds(self.caller.channel, 1, 2)
        self._forget_copies()
        if not self.copies:
            gc.collect()
            gc.freeze()  # What a collection touches is copied for each process.
        level = self.level.copy()
        pid = os.fork()
        if pid == 0:
            try:
                os.setsid()
                os.dup2(said, 1)
                os.dup2(said, 2)
                assert self.level.zygote is not None
                self.level.zygote.control.close()
                self.caller.close()
                caller = _by_socket(channel)
                copy = _AtDesk(self.settings, self.course, level, self.run_suites, caller, self.replies)
                _until_the_end(copy.work, caller)
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                level.close()
                os._exit(0)
        self.copies.append(pid)
        level.close()
        os.close(channel)
        os.close(said)
        self.caller.tell(pid)

    def _forget_copies(self) -> None:
        """Let those that have ended go from the list of processes."""
        self.copies = [pid for pid in self.copies if os.waitpid(pid, os.WNOHANG) == (0, 0)]


def _until_the_end(work: Callable[[], None], caller: _Caller) -> None:
    try:
        work()
    except GraderError as error:
        caller.tell(error)
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        pass  # Nobody wants to know any more.


def _serve(caller: _Caller) -> None:
    from grader.grading import isolated

    settings: DeskSettings = caller.hear()
    course = load_course()
    prepared = [course.exercise(name) for name in settings.exercises]
    with isolated(prepared, course, settings.isolation, settings.gpu) as level:
        # Torch takes seconds to import; the zygote is doing the same beside us.
        with undisturbed():
            import grader.judge  # noqa: F401
            from grader.known_replies import KnownReplies
            from grader.suites import keep_suites

        gc.set_threshold(20_000)  # Each test makes thousands of objects, and next to none in cycles.
        replies = KnownReplies()
        keep_suites(
            list(dict.fromkeys(exercise.lesson_id for exercise in prepared)),
            lambda run_suites: _AtDesk(settings, course, level, run_suites, caller, replies).work(),
        )


def main() -> None:
    """Be a desk: settings, then tasks on standard input, results on standard output."""
    # As Ctrl-C, which ends a judge in good order; another exception would pass for a test's own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if FORKS:
        caller = _by_socket(os.dup(0))
    else:
        caller = _Caller(None, os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    _until_the_end(lambda: _serve(caller), caller)
