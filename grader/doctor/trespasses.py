"""What a hostile submission would try, one function for each protection. Sent to a worker as the text of a lesson.

Each returns what it got at; nothing (an empty list, 0) if it got nowhere. None of them does harm where it succeeds.
"""

import ctypes
import mmap
import os
import socket
import time
from typing import Any


def reach(port: int, abstract: str) -> list[str]:
    """Connect to listeners of the grader's own, by TCP and by an abstract name; find another way out."""
    targets: list[tuple[int, Any, str]] = [
        (socket.AF_INET, ("127.0.0.1", port), "a TCP port of this machine"),
        (socket.AF_UNIX, "\0" + abstract, "an abstract socket of this machine"),
    ]
    reached = []
    for family, address, what in targets:
        try:
            with socket.socket(family) as probe:
                probe.settimeout(1)
                probe.connect(address)
            reached.append(what)
        except OSError:
            pass
    try:
        socket.socket(getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM).close()
        reached.append("the way from a virtual machine to its host")
    except OSError:
        pass
    interfaces = [name for _, name in socket.if_nameindex() if name != "lo"]
    return reached + [f"the interface {name}" for name in interfaces]


def read(paths: list[str]) -> list[str]:
    """Open files and folders."""
    found = []
    for path in paths:
        try:
            if os.path.isdir(path):
                found += [path] if os.listdir(path) else []
            else:
                with open(path, "rb") as file:
                    file.read(1)
                found.append(path)
        except OSError:
            pass
    return found


def write(paths: list[str]) -> list[str]:
    """Open files for writing, and make new ones in folders; they are left as they were."""
    found = []
    for path in paths:
        try:
            if os.path.isdir(path):
                name = os.path.join(path, f"grader-doctor-{os.getpid()}")
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                os.unlink(name)
            else:
                os.close(os.open(path, os.O_WRONLY | os.O_APPEND))
            found.append(path)
        except OSError:
            pass
    return found


def see(process: int, secret: str) -> list[str]:
    """Signal, read and trace the process of the grader; find a word of its environment in one's own."""
    found = []
    try:
        os.kill(process, 0)
        found.append("signals reach the grader")
    except OSError:
        pass
    for name in ("environ", "cmdline"):
        try:
            with open(f"/proc/{process}/{name}", "rb") as file:
                found += [f"the grader's {name}"] if file.read(1) else []
        except OSError:
            pass
    if any(secret in value for value in os.environ.values()):
        found.append("the grader's environment")
    try:
        others = [name for name in os.listdir("/proc") if name.isdigit() and name != str(os.getpid())]
    except OSError:
        others = []
    return found + [f"{len(others)} other processes"] * bool(others)


def fork(most: int) -> int:
    """Start processes until the system refuses; how many it let start, at most `most`."""
    children: list[int] = []
    try:
        while len(children) < most:
            child = os.fork()
            if child == 0:
                time.sleep(20)
                os._exit(0)
            children.append(child)
    except OSError:
        pass
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)
    return len(children)


def take_memory(size: int) -> int:
    """Ask for `size` bytes of memory, and touch none of them; the bytes that were given."""
    try:
        return len(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    except (OSError, ValueError, OverflowError, MemoryError):
        return 0


def hide_memory(size: int) -> int:
    """Ask for memory that no process is charged for; the bytes that were given."""
    try:
        return len(mmap.mmap(-1, size))
    except OSError:
        return 0


def fill_disk(size: int, piece: int) -> int:
    """Reserve `size` bytes in files of `piece`; the bytes that could be had. The files are removed."""
    folder = os.environ.get("TMPDIR", "/tmp")
    got = 0
    names: list[str] = []
    try:
        while got < size:
            names.append(os.path.join(folder, f"grader-doctor-{len(names)}"))
            handle = os.open(names[-1], os.O_CREAT | os.O_WRONLY)
            try:
                os.posix_fallocate(handle, 0, piece)
            finally:
                os.close(handle)
            got += piece
    except OSError:
        pass
    for name in names:
        try:
            os.unlink(name)
        except OSError:
            pass
    return got


def become_powerful() -> list[str]:
    """Get namespaces, mounts or the identity of root."""
    library = ctypes.CDLL(None, use_errno=True)
    got = []
    for name, flag in (("user", 0x10000000), ("mount", 0x00020000), ("network", 0x40000000)):
        child = os.fork()
        if child == 0:
            os._exit(0 if library.unshare(flag) == 0 else 1)
        if os.waitpid(child, 0)[1] == 0:
            got.append(f"a {name} namespace of its own")
    return got + ["the identity of root"] * (os.geteuid() == 0)


def loop() -> None:
    """Never return."""
    while True:
        pass


def stay_behind() -> bool:
    """Leave a process in a session of its own, that only being killed ends."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    return True
