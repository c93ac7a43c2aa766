"""The judge's side of workers: gets them ahead of time, asks them, and gives up on them in time."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from grader.course import ROOT, Exercise
from grader.errors import GraderFailed
from grader.isolation import Isolation, Zygote
from grader.observing import (
    NOT_OF_THIS_FORM,
    Asked,
    Probe,
    Unanswered,
    describe_raised,
    interpret,
    no_answer,
    readable_lesson,
)
from grader.submission import LessonSource
from grader.worker import codec, inputs
from grader.worker.frames import HEADER
from grader.worker.serve import NONCE_BYTES, READY

SPARES = 2
EXIT_SECONDS = 3
OUTPUT_BYTES = 64 * 1024
START_SECONDS = 60


@dataclass(frozen=True)
class Exit:
    """How a worker ended: `code` as from os.waitpid; `reason` is "memory" if it was ended for what it took."""

    code: int
    reason: str | None = None

    @property
    def sentence(self) -> str:
        """What happened, in the learner's terms."""
        if self.reason == "memory":
            return "the code took more memory than it may have"
        if os.WIFSIGNALED(self.code):
            number = os.WTERMSIG(self.code)
            try:
                name = signal.Signals(number).name
            except ValueError:
                name = f"signal {number}"
            meaning = {
                "SIGSEGV": "a crash in native code",
                "SIGABRT": "an abort in native code",
                "SIGXFSZ": "a file grew too large",
            }.get(name)
            return f"Python was ended by {name}" + (f" ({meaning})" if meaning else "")
        return f"the code ended Python itself (exit status {os.WEXITSTATUS(self.code)}) instead of returning"


@dataclass
class Worker:
    """One process that runs one exercise. `loaded` tells whether it has been given its lesson."""

    number: int
    channel: socket.socket
    output: int
    said: bytearray = field(default_factory=bytearray)
    exit: Exit | None = None
    loaded: bool = False
    process: subprocess.Popen[bytes] | None = None

    def drain(self) -> bool:
        """Take what the submission printed, keep the beginning, drop the rest; False at its end."""
        try:
            piece = os.read(self.output, 2**18)
        except BlockingIOError:
            return True
        self.said += piece[: max(0, OUTPUT_BYTES - len(self.said))]
        return bool(piece)


class WorkerPool:
    """Gives out workers, each used for one exercise; keeps a few ready so that nobody waits for a fork."""

    def __init__(self, isolation: Isolation, spares: int = SPARES) -> None:
        self.isolation = isolation
        self.spares = spares
        self.ready: deque[Worker] = deque()
        self.alive: dict[int, Worker] = {}
        self.count = 0

    @property
    def zygote(self) -> Zygote | None:
        return self.isolation.zygote

    def take(self, gpu: bool = False) -> Worker:
        """A fresh worker.

        Raises:
            GraderFailed: the process that makes them is gone.
        """
        worker = self._start(gpu=True) if gpu else self.ready.popleft() if self.ready else self._start()
        self.prepare()
        return worker

    def prepare(self) -> None:
        """Start workers ahead, up to the number of spares."""
        while len(self.ready) < self.spares:
            self.ready.append(self._start())

    def _start(self, gpu: bool = False) -> Worker:
        self.count += 1
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        os.set_blocking(read, False)
        worker = Worker(self.count, ours, read)
        try:
            if self.zygote:
                order = json.dumps({"spawn": self.count, "gpu": gpu}).encode()
                socket.send_fds(self.zygote.control, [order], [theirs.fileno(), write])
            else:
                worker.process = _spawn(theirs, write, self.isolation.environment)
        except OSError as error:
            raise GraderFailed(
                f"no process for the submission can be started ({error.strerror}): run it again"
            ) from None
        finally:
            theirs.close()
            os.close(write)
        ours.setblocking(False)
        self.alive[worker.number] = worker
        return worker

    def note_exits(self) -> None:
        """Take in what the zygote says about workers that ended.

        Raises:
            GraderFailed: the zygote is gone.
        """
        if self.zygote:
            try:
                message = self.zygote.control.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                raise GraderFailed("the process that starts submissions has ended: run it again")
            told = json.loads(message)
            worker = self.alive.pop(told["exited"], None)
            if worker:
                worker.exit = Exit(told["code"], told["reason"])
        else:
            for worker in list(self.alive.values()):
                code = worker.process.poll() if worker.process else None
                if code is not None:
                    del self.alive[worker.number]
                    worker.exit = Exit(-code if code < 0 else code << 8)

    def await_exit(self, worker: Worker) -> Exit | None:
        """How a worker ended, once it has; None if it goes on for longer than it should."""
        deadline = time.monotonic() + EXIT_SECONDS
        while worker.exit is None and (left := deadline - time.monotonic()) > 0:
            if self.zygote:
                with selectors.DefaultSelector() as selector:
                    selector.register(self.zygote.control, selectors.EVENT_READ)
                    selector.select(left)
            else:
                time.sleep(0.01)
            self.note_exits()
        return worker.exit

    def discard(self, worker: Worker) -> None:
        """End a worker and everything it started."""
        if worker.exit is None:
            if self.zygote:
                try:
                    self.zygote.control.send(json.dumps({"kill": worker.number}).encode())
                except OSError:
                    pass  # The zygote is gone, and its workers with it.
            elif worker.process:
                _kill_group(worker.process)
        worker.channel.close()
        if worker.output >= 0:
            os.close(worker.output)
            worker.output = -1

    def close(self) -> None:
        """End every worker that is left; the isolation stays up."""
        while self.ready:
            self.discard(self.ready.popleft())


def _spawn(channel: socket.socket, output: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start a worker without fork: a new Python, for systems that have neither namespaces nor a safe fork."""
    start = f"import sys; sys.path.append({str(ROOT)!r}); from grader.worker.serve import main; main(sys.argv[1:])"
    channel.set_inheritable(True)
    return subprocess.Popen(
        [sys.executable, "-I", "-B", "-X", "utf8", "-c", start, str(channel.fileno())],
        close_fds=os.name != "nt",
        pass_fds=[channel.fileno()] if os.name != "nt" else (),
        env=environment or None,
        cwd=environment.get("TMPDIR"),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL) if os.name != "nt" else process.kill()
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


class WorkerObserver:
    """Runs probes in workers: one worker for each exercise, another one when that has ended.

    An exercise has `seconds` of waiting in all, however many tests and workers that is; once they are used up,
    its other tests time out at once.
    """

    def __init__(
        self, pool: WorkerPool, lessons: dict[str, LessonSource], seconds: float, max_bytes: int = codec.MAX_BYTES
    ) -> None:
        self.pool = pool
        self.lessons = lessons
        self.seconds = seconds
        self.max_bytes = max_bytes
        self.current: tuple[str, bool, Worker] | None = None
        self.spent: dict[str, float] = {}
        self.broken: dict[str, Unanswered] = {}
        self.printed: dict[str, str] = {}
        self.asked: list[Asked] = []

    def observe(self, exercise: Exercise, probe: Probe, gpu: bool = False) -> object:
        """See grader.observing.Observer.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        lesson = readable_lesson(self.lessons, exercise)
        if lesson.lesson_id in self.broken:
            raise self.broken[lesson.lesson_id]
        allowed = self.seconds - self.spent.get(exercise.id, 0.0)
        if allowed <= 0:
            raise _too_slow(self.seconds)
        packed = inputs.pack(probe)
        seconds = 0.0
        try:
            worker = self._loaded_worker(exercise, lesson, gpu)
            started = time.monotonic()
            try:
                reply = self._ask(worker, packed, allowed)
            finally:
                seconds = time.monotonic() - started
                self.spent[exercise.id] = self.spent.get(exercise.id, 0.0) + seconds
            seen = interpret(reply, exercise, lesson)
        except Unanswered as unanswered:
            self.asked.append(Asked(packed, gpu, unanswered, seconds))
            raise
        self.asked.append(Asked(packed, gpu, seen, seconds))
        return seen

    def ask_again(self, exercise: Exercise, packed: bytes, seconds: float) -> Any:
        """What a packed probe brings back from this observer's lessons: data, or the Unanswered that came instead.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        lesson = readable_lesson(self.lessons, exercise)
        try:
            reply = self._ask(self._loaded_worker(exercise, lesson, False), packed, seconds)
            return interpret(reply, exercise, lesson)
        except Unanswered as unanswered:
            return unanswered

    def _loaded_worker(self, exercise: Exercise, lesson: LessonSource, gpu: bool) -> Worker:
        worker = self._worker_for(exercise, gpu)
        if not worker.loaded:
            self._load(worker, exercise, lesson)
        return worker

    def _worker_for(self, exercise: Exercise, gpu: bool) -> Worker:
        if self.current and self.current[:2] == (exercise.id, gpu):
            return self.current[2]
        self.close()
        worker = self.pool.take(gpu)
        self.current = (exercise.id, gpu, worker)
        return worker

    def _load(self, worker: Worker, exercise: Exercise, lesson: LessonSource) -> None:
        """Have the worker run the lesson's file. What goes wrong with that goes wrong for the whole lesson.

        The file may take as long as an exercise, and that is not taken off the exercise's own time.

        Raises:
            Unanswered: the file does not run.
        """
        body = codec.encode(
            {
                "name": exercise.lesson,
                "filename": lesson.filename,
                "segments": [tuple(segment) for segment in lesson.segments],
                "max_bytes": self.max_bytes,
            }
        )
        self._await_ready(worker)
        try:
            reply = self._ask(worker, body, self.seconds)
            worker.loaded = True
            if reply["outcome"] == "raised":
                frames = reply["frames"]
                line = int(frames[-1][0]) if frames else None
                sentence = describe_raised(reply["error"], line, lesson)
                raise Unanswered("error", f"the file does not run: {sentence}", line)
        except NOT_OF_THIS_FORM:
            raise no_answer() from None
        except Unanswered as unanswered:
            self.close()
            if not str(unanswered).startswith("the file"):
                unanswered = Unanswered(unanswered.status, f"while the file was read, {unanswered}")
            self.broken[lesson.lesson_id] = unanswered
            raise unanswered from None

    def _await_ready(self, worker: Worker) -> None:
        """Wait until a worker has started; this time is not the learner's.

        Raises:
            GraderFailed: it does not start.
        """
        try:
            if _exchange(self.pool, worker, None, START_SECONDS, len(READY)) == READY:
                return
        except (TimeoutError, EOFError, codec.Malformed):
            pass
        reason = worker.said.decode(errors="replace").strip().splitlines()
        self.close()
        raise GraderFailed(f"a process for the submission did not start{': ' + reason[-1] if reason else ''}")

    def _ask(self, worker: Worker, body: bytes, seconds: float) -> Any:
        """Send one request and wait for its reply.

        Raises:
            Unanswered: there was none in time, or none at all, or one that is not data.
        """
        nonce = os.urandom(NONCE_BYTES)
        try:
            reply = _exchange(self.pool, worker, nonce + body, seconds, self.max_bytes)
            if reply[:NONCE_BYTES] != nonce:
                raise codec.Malformed("a reply out of turn")
            return codec.decode(reply[NONCE_BYTES:])
        except TimeoutError:
            self.close()
            raise _too_slow(self.seconds) from None
        except EOFError:
            ended = self.pool.await_exit(worker)
            self.close()
            sentence = ended.sentence if ended else "the code closed the way back to the grader"
            raise Unanswered("crashed", sentence, kind=sentence) from None
        except codec.Malformed:
            self.close()
            raise no_answer() from None

    def close(self) -> None:
        """End the current worker and keep what it printed."""
        if self.current:
            exercise_id, _, worker = self.current
            self.current = None
            if worker.said:
                self.printed[exercise_id] = self.printed.get(exercise_id, "") + worker.said.decode(errors="replace")
            self.pool.discard(worker)


def _too_slow(seconds: float) -> Unanswered:
    return Unanswered("timeout", f"no answer within {seconds:g} seconds: is there a loop that never ends?")


def _exchange(pool: WorkerPool, worker: Worker, request: bytes | None, seconds: float, max_bytes: int) -> bytes:
    """Send a frame (unless `request` is None) and receive one, while taking what the submission prints.

    Raises:
        TimeoutError: `seconds` are over.
        EOFError: the worker has ended, or has closed its channel.
        codec.Malformed: the reply is larger than it may be.
    """
    deadline = time.monotonic() + seconds
    outgoing = memoryview(b"" if request is None else HEADER.pack(len(request)) + request)
    incoming = bytearray()
    expected: int | None = None
    with selectors.DefaultSelector() as selector:
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        selector.register(worker.channel, both if outgoing else selectors.EVENT_READ)
        selector.register(worker.output, selectors.EVENT_READ)
        if pool.zygote:
            selector.register(pool.zygote.control, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            for key, events in selector.select(left if pool.zygote else min(left, 0.05)):
                if key.fileobj == worker.output:
                    if not worker.drain():
                        selector.unregister(worker.output)
                elif key.fileobj is not worker.channel:
                    pool.note_exits()
                else:
                    if events & selectors.EVENT_WRITE and outgoing:
                        outgoing = outgoing[_send(worker.channel, outgoing) :]
                        if not outgoing:
                            selector.modify(worker.channel, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        incoming += _receive(worker.channel)
                        if expected is None and len(incoming) >= HEADER.size:
                            expected = HEADER.unpack(incoming[: HEADER.size])[0]
                            if expected > max_bytes + 2**16:
                                raise codec.Malformed("too large")
                        if expected is not None and len(incoming) >= HEADER.size + expected:
                            if len(incoming) > HEADER.size + expected:
                                raise codec.Malformed("more than one reply")
                            return bytes(incoming[HEADER.size :])
            if not pool.zygote:
                pool.note_exits()
            if worker.exit is not None:
                raise EOFError


def _send(channel: socket.socket, data: memoryview) -> int:
    try:
        return channel.send(data)
    except BlockingIOError:
        return 0
    except OSError:
        raise EOFError from None


def _receive(channel: socket.socket) -> bytes:
    try:
        piece = channel.recv(2**20)
    except BlockingIOError:
        return b""
    except OSError:
        raise EOFError from None
    if not piece:
        raise EOFError
    return piece
