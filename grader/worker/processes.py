"""What the kernel says of processes, in /proc, and how it keeps the memory of this one. See proc(5), madvise(2)."""

from __future__ import annotations

import ctypes
import os
import re

_UNBACKED = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s*(\d+) kB", re.MULTILINE)
_ANONYMOUS = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(?:\[heap\])?$", re.MULTILINE)
LARGE_PAGE = 2 * 2**20  # bytes
MADV_COLLAPSE = 25


def parents() -> dict[int, int]:
    """Parent of each process that is visible here."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    found[int(entry)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
    return found


def family(pid: int, parents: dict[int, int]) -> set[int]:
    """A process and all below it."""
    found = {pid}
    while grown := {child for child, parent in parents.items() if parent in found} - found:
        found |= grown
    return found


def run_delay(pid: int) -> float:
    """Seconds in which a process could have run and others did; 0 where the kernel does not say."""
    try:
        with open(f"/proc/{pid}/schedstat", "rb") as file:
            return int(file.read().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def private_memory(pid: int) -> int:
    """Bytes of memory that a process holds and that no file on disk backs; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            return 1024 * sum(map(int, _UNBACKED.findall(file.read())))
    except OSError:
        return 0


def gather_memory() -> None:
    """Have the kernel keep this process's memory in large pages: a fork copies a table of all pages, and ends with it.

    Takes about a second, once; forks then take a third of the time. Kernels before Linux 6.1 cannot, and nothing
    changes. See MADV_COLLAPSE in madvise(2).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/maps") as maps:
        regions = _ANONYMOUS.findall(maps.read())
    for first, last in regions:
        start = -(-int(first, 16) // LARGE_PAGE) * LARGE_PAGE
        length = int(last, 16) // LARGE_PAGE * LARGE_PAGE - start
        if length > 0:
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(length), MADV_COLLAPSE)
