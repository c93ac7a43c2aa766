"""Measures the memory of a process and all that it started, while it runs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from grader.worker import processes

EVERY_SECONDS = 0.5
MOST_SHARE = 0.03  # of the time: looking takes a processor from what is looked at, and keeps it from forking
PROC = Path("/proc")


def tree_bytes(root: int) -> int:
    """What a process and its descendants take of the machine's memory: pages that several share count once.

    0 where the system does not tell (only Linux does).
    """
    try:
        parents = processes.parents()
    except OSError:
        return 0
    return sum(map(_proportional, processes.family(root, parents)))


def _proportional(process: int) -> int:
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    except (OSError, StopIteration, ValueError):
        return 0


class MemoryWatch:
    """Notes the most that this process's descendants take together, from entering to leaving, every few seconds."""

    def __init__(self) -> None:
        self.most = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        own, pause = os.getpid(), EVERY_SECONDS
        while not self._over.wait(pause):
            started = time.perf_counter()
            self.most = max(self.most, tree_bytes(own) - _proportional(own))
            pause = max(EVERY_SECONDS, (time.perf_counter() - started) / MOST_SHARE)

    def __enter__(self) -> MemoryWatch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()
