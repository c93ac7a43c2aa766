"""The zygote: a process that has imported torch and forks workers, so that nobody waits for that import again.

It runs no code of a submission. It starts, kills and watches workers as the judge says, over one socket of
JSON datagrams:

- to the zygote: ``{"spawn": id, "gpu": bool}`` with two descriptors (the worker's channel, its output),
  ``{"kill": id}``, ``{"delay": id}``, ``{"copy": true}`` with the descriptor of the socket by which a copy of the
  zygote, with workers of its own, will be told what to do
- from the zygote: ``{"ready": level}`` (of a copy, "copy") or ``{"failed": why}`` once, ``{"exited": id, "code": wait
  status, "reason": null or "memory"}``, ``{"delayed": id, "seconds": how long it stood ready to run and had no
  processor}``
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from grader.worker import confine, processes
from grader.worker.confine import Limits

WATCH_SECONDS = 0.1
WORTH_GATHERING = 20  # forks: with fewer, gathering memory takes longer than it saves
CHANNEL_DESCRIPTOR = 3


@dataclass
class _Child:
    number: int
    pid: int
    handle: int
    reason: str | None = None


class Zygote:
    """Forks workers in namespaces of their own (`sandbox`) or as plain processes."""

    def __init__(self, control: socket.socket, sandbox: bool, limits: Limits) -> None:
        self.control = control
        self.sandbox = sandbox
        self.limits = limits
        self.children: dict[int, _Child] = {}
        self.copies: dict[int, int] = {}
        self.selector = selectors.DefaultSelector()
        self.own_memory = 0
        self.forks_until_gathered = WORTH_GATHERING
        self.own_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if sandbox else -1

    def run(self, preload: list[str]) -> None:
        """Try the confinement, say how it went, import what lessons use, and serve until the judge is gone."""
        try:
            self._rehearse(preload)
        except OSError as error:
            self._tell({"failed": str(error)})
            return
        self._tell({"ready": "sandbox" if self.sandbox else "process"})
        warm_up(preload)
        self.serve()

    def serve(self) -> None:
        """Do as the judge says until it is gone; needs a process that is warmed up."""
        self.own_memory = processes.private_memory(os.getpid())
        self.selector.register(self.control, selectors.EVENT_READ)
        watched = time.monotonic()
        while True:
            for key, _ in self.selector.select(WATCH_SECONDS if self.children else None):
                if key.fileobj is self.control:
                    if not self._obey():
                        return
                elif isinstance(key.data, _Child):
                    self._reap(key.data)
                else:
                    self._forget_copy(key.fd)
            if self.children and time.monotonic() - watched > WATCH_SECONDS:
                watched = time.monotonic()
                self._watch_memory()

    def _rehearse(self, preload: list[str]) -> None:
        """Fork once and shut the child in, to learn now whether this machine lets us."""
        end, start = os.pipe()
        pid = self._fork()
        if pid == 0:
            message = ""
            try:
                self._confine(gpu=False)
                if not os.access(os.path.dirname(os.__file__), os.R_OK | os.X_OK) or not all(map(_readable, sys.path)):
                    message = "Python's own folders are not readable by other users (umask when installing?)"
            except OSError as error:
                message = str(error)
            os.write(start, message.encode() or b"-")
            os._exit(0)
        os.close(start)
        answer = os.read(end, 1000).decode() or "the first process ended early"
        os.close(end)
        os.waitpid(pid, 0)
        if answer != "-":
            raise OSError(answer)

    def _fork(self) -> int:
        """Fork; in a sandbox the child is the first process of a PID namespace, which dies with it."""
        if not self.sandbox:
            return os.fork()
        confine.unshare(confine.CLONE_NEWPID)
        pid = os.fork()
        if pid:
            confine.return_to_pid_namespace(self.own_namespace)
        return pid

    def _confine(self, gpu: bool) -> None:
        # A process group reaches across PID namespaces: without its own, a worker could signal the others.
        os.setsid()
        # Whatever makes this machine run out of memory, a worker is what it can spare.
        confine.be_the_first_to_go()
        if self.sandbox:
            confine.enter_namespaces(self.limits)
        confine.end_with_parent()  # After becoming another user, which would undo it.
        confine.limit_resources(self.limits, address_space=not gpu)

    def _obey(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self.control, 65536, 2)
        if not message:
            return False
        order = json.loads(message)
        if "spawn" in order:
            self._spawn(order["spawn"], order["gpu"], *descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        elif "copy" in order:
            self._copy(*descriptors)
        elif "delay" in order:
            child = self.children.get(order["delay"])
            seconds = max(map(processes.run_delay, processes.family(child.pid, processes.parents()))) if child else 0.0
            self._tell({"delayed": order["delay"], "seconds": seconds})
        elif order["kill"] in self.children:
            self._kill(self.children[order["kill"]])
        return True

    def _spawn(self, number: int, gpu: bool, channel: int, output: int) -> None:
        self._gather_after(1)
        pid = self._fork()
        if pid == 0:
            try:
                _become_worker(channel, output)
                self._confine(gpu)
                os.chdir(os.environ["TMPDIR"])
                from grader.worker.serve import reseed, serve

                reseed()
                serve(socket.socket(fileno=CHANNEL_DESCRIPTOR))
            except BaseException as error:
                os.write(2, f"worker: {error}\n".encode())
            finally:
                os._exit(70)
        child = _Child(number, pid, os.pidfd_open(pid))
        self.children[number] = child
        self.selector.register(child.handle, selectors.EVENT_READ, child)

    def _gather_after(self, forks: int) -> None:
        """Take so many forks off those that are waited for before it is worth having them faster."""
        if self.forks_until_gathered > 0:
            self.forks_until_gathered -= forks
            if self.forks_until_gathered <= 0:
                processes.gather_memory()
                self.own_memory = processes.private_memory(os.getpid())

    def _copy(self, control: int) -> None:
        """Fork a zygote that serves another judge, by the socket with this descriptor; only before any worker."""
        self._gather_after(WORTH_GATHERING)  # Whoever wants copies has much to do.
        pid = os.fork()
        if pid == 0:
            try:
                self.control.close()
                self.selector.close()
                if not self.sandbox:
                    confine.end_with_parent()
                    confine.adopt_orphans()
                copy = Zygote(socket.socket(fileno=control), self.sandbox, self.limits)
                copy.forks_until_gathered = 0
                copy._tell({"ready": "copy"})
                try:
                    copy.serve()
                finally:
                    # The namespace around all copies, which would end them, stays.
                    for child in copy.children.values():
                        copy._kill(child)
            finally:
                os._exit(0)
        os.close(control)
        handle = os.pidfd_open(pid)
        self.copies[handle] = pid
        self.selector.register(handle, selectors.EVENT_READ)

    def _forget_copy(self, handle: int) -> None:
        os.waitpid(self.copies.pop(handle), 0)
        self.selector.unregister(handle)
        os.close(handle)

    def _kill(self, child: _Child) -> None:
        try:
            signal.pidfd_send_signal(child.handle, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def _reap(self, child: _Child) -> None:
        _, code = os.waitpid(child.pid, 0)
        self.selector.unregister(child.handle)
        os.close(child.handle)
        del self.children[child.number]
        if not self.sandbox:
            self._kill_orphans()
        self._tell({"exited": child.number, "code": code, "reason": child.reason})

    def _kill_orphans(self) -> None:
        """Without PID namespaces, what a worker left behind has become our child: end it."""
        own = {child.pid for child in self.children.values()} | set(self.copies.values())
        for pid, parent in processes.parents().items():
            if parent == os.getpid() and pid not in own:
                try:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                except OSError:
                    pass

    def _watch_memory(self) -> None:
        parents = processes.parents()
        for child in list(self.children.values()):
            family = processes.family(child.pid, parents)
            if sum(max(0, processes.private_memory(pid) - self.own_memory) for pid in family) > self.limits.memory:
                child.reason = "memory"
                self._kill(child)

    def _tell(self, message: dict[str, Any]) -> None:
        self.control.send(json.dumps(message).encode())


def _become_worker(channel: int, output: int) -> None:
    """Keep three descriptors and the channel, and close all others."""
    channel, output = os.dup(channel), os.dup(output)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(channel, CHANNEL_DESCRIPTOR, inheritable=False)
    os.closerange(CHANNEL_DESCRIPTOR + 1, 65536)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def _readable(path: str) -> bool:
    return not os.path.isdir(path) or os.access(path, os.R_OK | os.X_OK)


def warm_up(preload: list[str]) -> None:
    """Import what workers need and run through it once, so that forks share the memory and the work."""
    gc.disable()  # While modules are imported, looking for garbage takes a tenth of the time and finds none.
    import pkgutil

    import torch

    torch.set_num_threads(1)
    from grader.worker import answering, codec, inputs, lesson, serve  # noqa: F401

    for name in preload:
        try:
            pkgutil.resolve_name(name)
        except Exception:  # Whoever needs it will import it, and see why it fails.
            pass
    _import_what_comes_late()
    sample = torch.arange(6.0).reshape(2, 3)
    rehearsed = inputs.unpack(inputs.pack(lambda names: {"out": names.double(sample)}))
    module = lesson.load_lesson("rehearsal", "rehearsal.py", [("def double(x):\n    return x * 2\n", 1, True)])
    codec.decode(answering.answer(lambda: rehearsed(module), "rehearsal.py"))
    sys.modules.pop("rehearsal", None)
    gc.enable()
    gc.collect()
    gc.freeze()


def _import_what_comes_late() -> None:
    """What torch and Pillow import when they are first used, which would be in each worker anew."""
    import io

    import torch

    file = io.BytesIO()
    torch.save(torch.zeros(1), file)
    file.seek(0)
    torch.load(file)
    with contextlib.suppress(ImportError):  # Without semaphores there are no workers of a DataLoader.
        from multiprocessing import popen_fork, queues, synchronize  # noqa: F401
    if "PIL.Image" in sys.modules:
        sys.modules["PIL.Image"].init()


def main(arguments: list[str]) -> None:
    """Entry: `arguments` are the control socket's descriptor, the level, and modules to import."""
    control = socket.socket(fileno=int(arguments[0]))
    control.set_inheritable(False)
    sandbox = arguments[1] == "sandbox"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not sandbox:
        confine.end_with_parent()
        confine.adopt_orphans()
    Zygote(control, sandbox, Limits()).run(arguments[2:])
