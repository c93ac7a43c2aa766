"""Puts one probe to several known answers within one worker: a fork for each would take longer than the probe.

Known answers are ours, so they may share a process; what they leave behind is put right between them as far as it is
known, and one that brings the process down is asked again in a worker of its own.
"""

from __future__ import annotations

import os
import signal
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


# The known answers that this worker has loaded, by label.
_loaded: dict[str, Names | bytes] = {}


def ask(
    lesson: str,
    filename: str,
    texts: dict[str, str],
    labels: Sequence[str],
    probe: bytes,
    seconds: float,
    warming: float,
    names: Any,
) -> list[bytes]:
    """What each of the known answers `labels` says to a packed probe: as from `answer`, or TOO_LONG.

    Args:
        lesson, filename: as for `load_lesson`.
        texts: whole lessons of the labels that are asked for the first time.
        seconds: for each answer; the first in this process has `warming` more.
    """
    extra = 0.0 if _loaded else warming  # The first one in this process pays for what torch imports late.
    came = []
    for label in labels:
        came.append(_ask(lesson, filename, texts.get(label), label, probe, seconds + extra))
        extra = 0.0
    return came


def _ask(lesson: str, filename: str, text: str | None, label: str, probe: bytes, seconds: float) -> bytes:
    def stop(number: int, frame: FrameType | None) -> None:
        raise _TimeIsUp

    before = torch.get_default_dtype(), torch.are_deterministic_algorithms_enabled(), os.getcwd(), dict(os.environ)
    signal.signal(signal.SIGALRM, stop)
    try:
        # Again and again: an answer may catch the first.
        signal.setitimer(signal.ITIMER_REAL, seconds, 0.1)
        if text is not None:

            def load() -> None:
                _loaded[label] = load_lesson(lesson, filename, [(text, 1, True)])

            came = answer(load, filename)
            if label not in _loaded:
                _loaded[label] = came
        names = _loaded[label]
        if isinstance(names, bytes):
            return names
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
