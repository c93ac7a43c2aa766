"""Shuts a freshly forked worker in: Linux namespaces, mounts, capabilities and resource limits.

See namespaces(7), user_namespaces(7), capabilities(7), setrlimit(2).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import resource
import struct
import sys
from dataclasses import dataclass

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, _SECCOMP_ALLOW, _SECCOMP_ERRNO = 22, 2, 0x7FFF0000, 0x00050000
_MAP_SHARED, _MAP_ANONYMOUS = 0x01, 0x20
# Local ones, the two internets (there is no network), and what glibc asks for the names of interfaces. Others lie
# in no network namespace, as the one from a virtual machine to its host, or are much kernel of no use here.
_SOCKET_FAMILIES = (1, 2, 10, 16)


@dataclass(frozen=True)
class _Calls:
    """Numbers of system calls on one kind of processor, which has this number itself in linux/audit.h."""

    architecture: int
    mmap: int
    sockets: tuple[int, int]  # socket, socketpair
    clone3: int
    refused: tuple[int, ...]


# Refused, in this order. Memory that no limit counts: memfd_create, memfd_secret, shmget, semget, msgget, mq_open,
# io_setup. Other processes: ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, kcmp. Other namespaces and file
# systems: unshare, setns, mount, umount2, pivot_root, chroot, open_tree, move_mount, fsopen, mount_setattr,
# name_to_handle_at, open_by_handle_at. Much kernel, no use here: io_uring_setup, bpf, perf_event_open, userfaultfd,
# add_key, request_key, keyctl, fanotify_init, syslog.
_CALLS = {
    "x86_64": _Calls(
        0xC000003E, 9, (41, 53), 435,
        (319, 447, 29, 64, 68, 240, 206, 101, 310, 311, 438, 312, 272, 308, 165, 166, 155, 161, 428, 429, 430, 442,
         303, 304, 425, 321, 298, 323, 248, 249, 250, 300, 103),
    ),
    "aarch64": _Calls(
        0xC00000B7, 222, (198, 199), 435,
        (279, 447, 194, 190, 186, 180, 0, 117, 270, 271, 438, 272, 97, 268, 40, 39, 41, 51, 428, 429, 430, 442,
         264, 265, 425, 280, 241, 282, 217, 218, 219, 262, 116),
    ),
}  # fmt: skip
_CAPABILITY_VERSION_3 = 0x20080522
NOBODY = 65534
_FREE_USERS = ((2**30, 2**31 - 2), (30_000, 60_000))  # the second where the first are not to be had, as in containers

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Limits:
    """What one worker may use. `memory` bounds each process's growth, and all its processes together."""

    memory: int = 4 * 2**30
    processes: int = 64
    open_files: int = 512
    file_bytes: int = 256 * 2**20
    disk_bytes: int = 512 * 2**20
    shared_memory_bytes: int = 512 * 2**20


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones.

    Raises:
        OSError: the kernel does not let this process.
    """
    _check(_libc.unshare(flags), "unshare")


def return_to_pid_namespace(descriptor: int) -> None:
    """Have the next fork land in the PID namespace that `descriptor` (of /proc/self/ns/pid) stands for."""
    _check(_libc.setns(descriptor, CLONE_NEWPID), "setns")


def end_with_parent() -> None:
    """Be killed when the parent process ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def be_the_first_to_go() -> None:
    """Have the kernel choose this process and what it starts when the machine runs out of memory."""
    _try_write("/proc/self/oom_score_adj", "1000")


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has ended."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _mount(kind: str, target: str, options: str | None, flags: int = _MS_NOSUID | _MS_NODEV) -> None:
    data = options.encode() if options else None
    _check(_libc.mount(kind.encode(), target.encode(), kind.encode(), flags, data), f"mount {target}")


def enter_namespaces(limits: Limits) -> None:
    """Own mounts, IPC, network, users, scratch folder, /dev/shm and /proc; no capabilities and no way to get any.

    The process must be the first of a new PID namespace, and able to mount.

    Raises:
        OSError: one of the steps is not permitted here; nothing weaker is put in its place.
    """
    # The zygote has no network either; one for each, as abstract sockets would join those that share it.
    unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWNET)
    _mount("tmpfs", os.environ["TMPDIR"], f"size={limits.disk_bytes},nr_inodes=20000,mode=1777")
    _mount("tmpfs", "/dev/shm", f"size={limits.shared_memory_bytes},nr_inodes=20000,mode=1777")
    _mount("proc", "/proc", None, _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    if _kernel_version() >= (6, 14):
        # Each PID namespace has its own from there on; before, this would be the whole machine's.
        _try_write("/proc/sys/kernel/pid_max", str(max(301, limits.processes + 10)))
    if os.getuid() == 0:
        # The root user is exempt from the limit on processes, and owns too much.
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        _become_a_user_of_ones_own()
        _libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    user, group = os.getuid(), os.getgid()
    # Set before the user namespace is made: it counts its own processes against this.
    resource.setrlimit(resource.RLIMIT_NPROC, (limits.processes, limits.processes))
    unshare(CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{user} {user} 1")
    _write("/proc/self/gid_map", f"{group} {group} 1")
    # Without further user namespaces nobody in here gets a capability back.
    _try_write("/proc/sys/user/max_user_namespaces", "0")
    drop_capabilities()
    refuse_system_calls()


def drop_capabilities() -> None:
    """Give up every capability, for this process and all it starts.

    Raises:
        OSError: the kernel refused.
    """
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def _become_a_user_of_ones_own() -> None:
    """Stop being root. Workers that were the same user would share that user's limit on processes."""
    for first, last in _FREE_USERS:
        user = first + int.from_bytes(os.urandom(4), "little") % (last - first)
        try:
            return os.setresuid(user, user, user)
        except OSError:
            pass
    os.setresuid(NOBODY, NOBODY, NOBODY)


def refuse_system_calls() -> None:
    """Have the kernel refuse calls that get around the limits or that no exercise needs; see seccomp(2).

    Raises:
        OSError: the kernel has no seccomp filters.
    """
    calls = _CALLS.get(platform.machine())
    if calls is None:
        return
    # Instructions of classic BPF: (code, jump if true, jump if false, operand); see linux/filter.h. The first
    # argument of a call lies at byte 16 of what a filter is shown, the fourth at byte 40.
    load, equal, at_least, both, give = 0x20, 0x15, 0x35, 0x54, 0x06
    refuse = _SECCOMP_ERRNO | errno.EPERM
    program = [(load, 0, 0, 4), (equal, 1, 0, calls.architecture), (give, 0, 0, refuse), (load, 0, 0, 0)]
    # From this number on, x86-64 has the same calls once more, for the x32 ABI.
    program += [(at_least, 0, 1, 0x40000000), (give, 0, 0, refuse)]
    for number in calls.refused:
        program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    # Its flags are out of a filter's sight; glibc does without where there seems to be none.
    program += [(equal, 0, 1, calls.clone3), (give, 0, 0, _SECCOMP_ERRNO | errno.ENOSYS)]
    # Shared memory without a file belongs to no process once it is not mapped: nothing would count it.
    shared = _MAP_SHARED | _MAP_ANONYMOUS
    program += [(equal, 0, 5, calls.mmap), (load, 0, 0, 40), (both, 0, 0, shared), (equal, 0, 1, shared)]
    program += [(give, 0, 0, refuse), (give, 0, 0, _SECCOMP_ALLOW)]
    families = len(_SOCKET_FAMILIES)
    for number in calls.sockets:
        program += [(equal, 0, families + 3, number), (load, 0, 0, 16)]
        program += [(equal, families - place, 0, family) for place, family in enumerate(_SOCKET_FAMILIES)]
        program += [(give, 0, 0, _SECCOMP_ERRNO | errno.EAFNOSUPPORT), (give, 0, 0, _SECCOMP_ALLOW)]
    program.append((give, 0, 0, _SECCOMP_ALLOW))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    memory = ctypes.create_string_buffer(code)
    filter_ = _Filter(len(program), ctypes.cast(memory, ctypes.c_void_p))
    _check(_libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filter_), 0, 0), "seccomp")


class _Filter(ctypes.Structure):
    """struct sock_fprog of linux/filter.h."""

    _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))


def limit_resources(limits: Limits, address_space: bool) -> None:
    """Set resource limits; `address_space` is off for CUDA, which maps far more than it uses."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    if sys.platform == "linux":
        # A share of the machine's time or of its unswappable memory that its user may have, and no submission.
        for which in (resource.RLIMIT_RTPRIO, resource.RLIMIT_NICE, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_MEMLOCK):
            _lower(which, 0)
    if address_space and os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        _lower(resource.RLIMIT_AS, now + limits.memory)


def _lower(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))


def _kernel_version() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", os.uname().release)[:2])


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _try_write(path: str, text: str) -> None:
    try:
        _write(path, text)
    except OSError:
        pass
