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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
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
    line_of,
    no_answer,
    readable_lesson,
)
from grader.submission import LessonSource
from grader.worker import codec, inputs
from grader.worker.frames import HEADER
from grader.worker.lesson import which_run
from grader.worker.serve import NONCE_BYTES, READY

SPARES = 2
EXIT_SECONDS = 3
MOST_KEPT_BYTES = 16 * 2**20  # of one reply, for a diagnosis
OUTPUT_BYTES = 64 * 1024
START_SECONDS = 60
DELAY_SECONDS = 5
LEAST_DELAY = 0.05
PATIENCE = 2.0  # times what an exercise has: so much more it may get on a machine that is busy with others
KILLED = "killed"  # the kind of Unanswered where somebody else ended the worker
PAUSE_SECONDS = 1.0  # a sleep that lasts this much longer than it should was a pause of the judge's


@dataclass(frozen=True)
class Exit:
    """How a worker ended: `code` as from os.waitpid; `reason` is "memory" if it was ended for what it took."""

    code: int
    reason: str | None = None

    @property
    def killed(self) -> bool:
        """Whether SIGKILL ended it and we had no part in that: in a sandbox it came from outside, or nearly so."""
        return self.reason is None and os.WIFSIGNALED(self.code) and os.WTERMSIG(self.code) == signal.SIGKILL

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
    """One process that runs one exercise. `loaded` tells whether it has been given what it runs.

    `delay` is how long it has stood ready to run on a machine that was busy with others, as far as that was made good;
    `patience` is how many seconds more may be.
    """

    number: int
    channel: socket.socket
    output: int
    said: bytearray = field(default_factory=bytearray)
    exit: Exit | None = None
    loaded: bool = False
    process: subprocess.Popen[bytes] | None = None
    delay: float = 0.0
    patience: float = 0.0

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
        self.delays: dict[int, float] = {}
        # Seconds of waiting that were not the submission's: the judge was stopped, or the machine busy with others.
        self.paused = 0.0

    @property
    def zygote(self) -> Zygote | None:
        return self.isolation.zygote

    def take(self, gpu: bool = False) -> Worker:
        """A fresh worker.

        Raises:
            GraderFailed: the process that makes them is gone.
        """
        self.note_exits()
        while self.ready and self.ready[0].exit is not None:  # It was killed while it waited.
            self.discard(self.ready.popleft())
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
            while told := self._told():
                if "delayed" in told:
                    self.delays[told["delayed"]] = told["seconds"]
                elif worker := self.alive.pop(told["exited"], None):
                    worker.exit = Exit(told["code"], told["reason"])
        else:
            for worker in list(self.alive.values()):
                code = worker.process.poll() if worker.process else None
                if code is not None:
                    del self.alive[worker.number]
                    worker.exit = Exit(-code if code < 0 else code << 8)

    def _told(self) -> dict[str, Any] | None:
        assert self.zygote
        try:
            message = self.zygote.control.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            message = b""
        if not message:
            raise GraderFailed("the process that starts submissions has ended: run it again")
        told: dict[str, Any] = json.loads(message)
        return told

    def make_good(self, worker: Worker) -> float:
        """Seconds that a worker is to be given since it stood ready to run and others had the processors, if any.

        A fair answer does not become a slow one because somebody else's submission runs beside it.

        Raises:
            GraderFailed: the zygote is gone.
        """
        if not self.zygote or worker.patience <= 0:
            return 0.0
        self.delays.pop(worker.number, None)
        deadline = time.monotonic() + DELAY_SECONDS
        try:
            self.zygote.control.send(json.dumps({"delay": worker.number}).encode())
        except OSError:
            return 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self.zygote.control, selectors.EVENT_READ)
            while worker.number not in self.delays and (left := deadline - time.monotonic()) > 0:
                selector.select(left)
                self.note_exits()
        more = min(self.delays.pop(worker.number, 0.0) - worker.delay, worker.patience)
        if more < LEAST_DELAY:
            return 0.0
        worker.delay += more
        worker.patience -= more
        self.paused += more
        return more

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
        self.ready.clear()
        for worker in list(self.alive.values()):
            self.discard(worker)


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


class _Killed(Exception):
    """The worker was killed, and not by us: who did it may have nothing to do with the submission."""


class WorkerObserver:
    """Runs probes in workers: one worker for each exercise, another one when that has ended.

    An exercise has `seconds` of waiting in all, however many tests and workers that is; once they are used up,
    its other tests time out at once. The lesson's file may take as long again, once for each exercise.

    A worker that somebody else killed is no answer: the probe is run once more, in another one.
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
        self.loads: dict[str, int] = {}
        self.patience: dict[str, float] = {}
        self.repeated: set[str] = set()
        self.broken: dict[str, Unanswered] = {}
        self.printed: dict[str, str] = {}
        self.asked: list[Asked] = []
        self.reply = b""  # the last one, as it came

    def observe(self, exercise: Exercise, probe: Probe, gpu: bool = False) -> object:
        """See grader.observing.Observer.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        lesson = readable_lesson(self.lessons, exercise)
        if lesson.lesson_id in self.broken:
            raise self.broken[lesson.lesson_id]
        if self.spent.get(exercise.id, 0.0) >= self.seconds:
            raise _too_slow(self.seconds)
        packed = inputs.pack(probe)
        before = self.spent.get(exercise.id, 0.0)
        try:
            seen = interpret(self._reply(exercise, lesson, packed, gpu), exercise, lesson)
        except Unanswered as unanswered:
            self.asked.append(Asked(packed, gpu, unanswered, self.spent.get(exercise.id, 0.0) - before))
            raise
        reply = self.reply if len(self.reply) <= MOST_KEPT_BYTES else Unanswered("failed", "", kind="too large to keep")
        self.asked.append(Asked(packed, gpu, reply, self.spent.get(exercise.id, 0.0) - before))
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
        except _Killed as killed:
            return Unanswered("crashed", str(killed), kind=KILLED)

    def which_run(self, lessons: Sequence[LessonSource]) -> frozenset[str]:
        """The ids of those lessons whose files run: one after another in one worker, for that takes no time.

        Where one of them ends the worker, each is run in one of its own. About the others nothing is known; what went
        wrong may have been another one's doing.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        wanted = [_as_data(lesson) for lesson in lessons]
        helper = Helper(self.pool, self.max_bytes)
        try:
            answered = helper.call(lambda names: which_run(wanted), self.seconds)
            return frozenset(each.lesson_id for each, runs in zip(lessons, answered, strict=True) if runs is True)
        except (Unanswered, *NOT_OF_THIS_FORM):
            pass
        finally:
            helper.close()
        alone = [self.which_run([lesson]) for lesson in lessons] if len(lessons) > 1 else []
        return frozenset().union(*alone)

    def _reply(self, exercise: Exercise, lesson: LessonSource, packed: bytes, gpu: bool) -> Any:
        """The answer to a probe; asked twice if the first worker was killed, once for an exercise."""
        while True:
            try:
                worker = self._loaded_worker(exercise, lesson, gpu)
                with self._on_the_clock(exercise) as allowed:
                    reply = self._ask(worker, packed, allowed)
                if not _lost_a_process(reply):
                    return reply
                self.close()
                raise _Killed("a process of its DataLoader was killed")
            except _Killed as killed:
                if exercise.id in self.repeated:
                    raise Unanswered("crashed", str(killed)) from None
                self.repeated.add(exercise.id)

    def _loaded_worker(self, exercise: Exercise, lesson: LessonSource, gpu: bool) -> Worker:
        worker = self._worker_for(exercise, gpu)
        if not worker.loaded:
            self._load(worker, exercise, lesson)
        return worker

    @contextmanager
    def _on_the_clock(self, exercise: Exercise) -> Iterator[float]:
        """Take the time spent inside off what the exercise has; gives what is left of that.

        Raises:
            Unanswered: there is none left.
        """
        spent = self.spent.get(exercise.id, 0.0)
        if spent >= self.seconds:
            raise _too_slow(self.seconds)
        started = time.monotonic() - self.pool.paused
        try:
            yield self.seconds - spent
        finally:
            self.spent[exercise.id] = spent + time.monotonic() - self.pool.paused - started

    def _worker_for(self, exercise: Exercise, gpu: bool) -> Worker:
        if self.current and self.current[:2] == (exercise.id, gpu):
            return self.current[2]
        self.close()
        worker = self.pool.take(gpu)
        worker.patience = self.patience.get(exercise.id, PATIENCE * self.seconds)
        self.current = (exercise.id, gpu, worker)
        return worker

    def _load(self, worker: Worker, exercise: Exercise, lesson: LessonSource) -> None:
        """Have the worker run the lesson's file. What goes wrong with that goes wrong for the whole lesson.

        The file may take as long as an exercise. Only when it runs again for the same exercise, since the first worker
        has ended, is that taken off the exercise's own time.

        Raises:
            Unanswered: the file does not run.
        """
        body = codec.encode({**_as_data(lesson), "max_bytes": self.max_bytes})
        self._await_ready(worker, exercise)
        first = not self.loads.get(exercise.id)
        self.loads[exercise.id] = self.loads.get(exercise.id, 0) + 1
        try:
            with nullcontext(self.seconds) if first else self._on_the_clock(exercise) as allowed:
                reply = self._ask(worker, body, allowed)
            worker.loaded = True
            if reply["outcome"] == "raised":
                line = line_of(reply)
                sentence = describe_raised(reply["error"], line, lesson)
                raise Unanswered("error", f"the file does not run: {sentence}", line)
        except NOT_OF_THIS_FORM:
            raise no_answer() from None
        except Unanswered as unanswered:
            self.close()
            if not first and unanswered.status == "timeout":
                raise  # It has run before: not the file took too long, but all of this exercise together.
            if not str(unanswered).startswith("the file"):
                unanswered = Unanswered(unanswered.status, f"while the file was read, {unanswered}")
            self.broken[lesson.lesson_id] = unanswered
            raise unanswered from None

    def _await_ready(self, worker: Worker, exercise: Exercise) -> None:
        """Wait until a worker has started; this time is not the learner's.

        Raises:
            GraderFailed: it does not start.
        """
        try:
            if _exchange(self.pool, worker, None, START_SECONDS, len(READY)) == READY:
                return
        except (TimeoutError, EOFError, codec.Malformed):
            pass
        if worker.exit and worker.exit.killed and exercise.id not in self.repeated:
            self.close()
            raise _Killed(worker.exit.sentence)
        reason = worker.said.decode(errors="replace").strip().splitlines()
        self.close()
        raise GraderFailed(f"a process for the submission did not start{': ' + reason[-1] if reason else ''}")

    def _ask(self, worker: Worker, body: bytes, seconds: float) -> Any:
        """Send one request and wait for its reply.

        Raises:
            Unanswered: there was none in time, or none at all, or one that is not data.
        """
        try:
            self.reply = _request(self.pool, worker, body, seconds, self.max_bytes)
            return codec.decode(self.reply)
        except TimeoutError:
            self.close()
            raise _too_slow(self.seconds) from None
        except EOFError:
            ended = self.pool.await_exit(worker)
            self.close()
            if ended and ended.killed:
                raise _Killed(ended.sentence) from None
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
            self.patience[exercise_id] = worker.patience
            worker.drain()  # What it printed last may have come together with its reply.
            if worker.said:
                before = self.printed.get(exercise_id, "")
                self.printed[exercise_id] = (before + worker.said.decode(errors="replace"))[:OUTPUT_BYTES]
            self.pool.discard(worker)


class Helper:
    """One worker that calls functions of the grader's own, whatever code of others these run; it has no lesson."""

    def __init__(self, pool: WorkerPool, max_bytes: int = codec.MAX_BYTES) -> None:
        self.pool = pool
        self.max_bytes = max_bytes
        self.worker = pool.take()
        self.started = False

    def call(self, function: Probe, seconds: float) -> Any:
        """What `function`, called with something of no use to it, returns, if that is data.

        Raises:
            Unanswered: it raised or returned something else, or there was no answer in time, or the worker is gone.
            GraderFailed: the grader's own processes are gone.
        """
        try:
            if not self.started:
                if _exchange(self.pool, self.worker, None, START_SECONDS, len(READY)) != READY:
                    raise no_answer()
                nothing = {**_as_data(LessonSource("/empty", "empty")), "max_bytes": self.max_bytes}
                _request(self.pool, self.worker, codec.encode(nothing), START_SECONDS, self.max_bytes)
                self.started = self.worker.loaded = True
            body = _request(self.pool, self.worker, inputs.pack(function), seconds, self.max_bytes)
            reply = codec.decode(body)
            if reply["outcome"] != "returned":
                raise no_answer()
            return reply["value"]
        except TimeoutError:
            raise _too_slow(seconds) from None
        except (EOFError, codec.Malformed, *NOT_OF_THIS_FORM):
            raise no_answer() from None

    def ended(self) -> bool:
        """Whether it is gone, killed by somebody else say.

        Raises:
            GraderFailed: the grader's own processes are gone.
        """
        self.pool.note_exits()
        return self.worker.exit is not None

    def close(self) -> None:
        """End it."""
        self.pool.discard(self.worker)


def _as_data(source: LessonSource) -> dict[str, Any]:
    """A lesson as a worker takes it; see grader.worker.lesson.load_lesson."""
    topic, name = source.lesson_id.split("/")
    return {
        "name": name,
        "filename": source.filename,
        "segments": [tuple(segment) for segment in source.segments],
        "package": topic,
        "modules": [tuple(module) for module in source.modules],
    }


def _lost_a_process(reply: Any) -> bool:
    """Whether an answer is the exception of torch's DataLoader about a process of its that was killed."""
    try:
        message = reply["error"]["message"] if reply["outcome"] == "raised" else ""
        return isinstance(message, str) and "DataLoader worker" in message and "Killed" in message
    except NOT_OF_THIS_FORM:
        raise no_answer() from None


def _too_slow(seconds: float) -> Unanswered:
    return Unanswered("timeout", f"no answer within {seconds:g} seconds: is there a loop that never ends?")


def _request(pool: WorkerPool, worker: Worker, body: bytes, seconds: float, max_bytes: int) -> bytes:
    """Send one request and receive its reply.

    Raises:
        TimeoutError, EOFError, codec.Malformed: see `_exchange`; the last, too, if it is the reply to something else.
    """
    nonce = os.urandom(NONCE_BYTES)
    reply = _exchange(pool, worker, nonce + body, seconds, max_bytes)
    if reply[:NONCE_BYTES] != nonce:
        raise codec.Malformed("a reply out of turn")
    return reply[NONCE_BYTES:]


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
    paused = False
    with selectors.DefaultSelector() as selector:
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        selector.register(worker.channel, both if outgoing else selectors.EVENT_READ)
        selector.register(worker.output, selectors.EVENT_READ)
        if pool.zygote:
            selector.register(pool.zygote.control, selectors.EVENT_READ)
        while True:
            started = time.monotonic()
            left = deadline - started
            if left <= 0:
                if not (more := pool.make_good(worker)):
                    raise TimeoutError
                deadline += more
                continue
            wait = left if pool.zygote else min(left, 0.05)
            ready = selector.select(wait)
            slept = time.monotonic() - started
            if slept > wait + PAUSE_SECONDS and not paused:
                # We ourselves were stopped, by Ctrl-Z say: no time of the submission's. Once: a second time may well
                # be its doing.
                paused = True
                deadline += slept
                pool.paused += slept
            for key, events in ready:
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
