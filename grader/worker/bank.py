"""Puts one probe to several known answers within one worker: a fork for each would take longer than the probe.

Known answers are ours, so they may share a process; what they leave behind is put right between them as far as it is
known, and one that brings the process down is asked again in a worker of its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import torch

from grader.worker import inputs
from grader.worker.answering import answer
from grader.worker.lesson import Names, load_lesson

TOO_LONG = b""  # stands for the answer of one that did not end in time
SHARED = hasattr(signal, "setitimer")  # where an answer that never ends can be stopped from within


class _TimeIsUp(BaseException):
    pass


# The known answers that this worker has loaded, by exercise and label; or why one does not load.
_loaded: dict[tuple[str, str], Names | bytes] = {}
_memory_at_first = 0


def ask(
    lesson: str,
    filename: str,
    exercise: str,
    texts: dict[str, str],
    labels: Sequence[str],
    probe: bytes,
    seconds: float,
    warming: float,
    names: Any,
) -> tuple[list[bytes], int]:
    """What each of the known answers `labels` says to a packed probe: as from `answer`, or TOO_LONG.

    With it comes by how many bytes this process has grown since it was asked first.

    Args:
        lesson, filename: as for `load_lesson`.
        exercise: its id, which tells answers with the same label apart.
        texts: whole lessons of the labels that are asked for the first time.
        seconds: for each answer; the first in this process has `warming` more.
    """
    global _memory_at_first
    _memory_at_first = _memory_at_first or _most_memory()
    extra = 0.0 if _loaded else warming  # The first one in this process pays for what torch imports late.
    came = []
    for label in labels:
        came.append(_ask(lesson, filename, (exercise, label), texts.get(label), probe, seconds + extra))
        extra = 0.0
    return came, _most_memory() - _memory_at_first


def _most_memory() -> int:
    import resource  # It is not there where nothing is asked together.

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _ask(lesson: str, filename: str, key: tuple[str, str], text: str | None, probe: bytes, seconds: float) -> bytes:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), os.getcwd(), dict(os.environ)
    signal.signal(signal.SIGALRM, stop)
    try:
        # Again and again: an answer may catch the first.
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
        if text is not None:

            def load() -> None:
                _loaded[key] = load_lesson(lesson, filename, [(text, 1, True)])

            came = answer(load, filename)
            if key not in _loaded:
                _loaded[key] = came
        names = _loaded[key]
        if isinstance(names, bytes):
            return names
        sys.modules[lesson] = vars(names)["_module"]  # What is pickled is looked for there.
        came = answer(lambda: inputs.unpack(probe)(names), filename)
        return TOO_LONG if b"_TimeIsUp" in came[:4096] else came
    except _TimeIsUp:
        return TOO_LONG
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        torch.set_default_dtype(before[0])
        if torch.are_deterministic_algorithms_enabled() != before[1]:
            torch.use_deterministic_algorithms(before[1])  # Imports much when called.
        os.chdir(before[2])
        os.environ.clear()
        os.environ.update(before[3])
