"""Imports torch undisturbed: Ctrl-C waits, for it would do harm, and nobody looks for garbage."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait for the end of this, and leave all garbage where it is until then.

    For importing torch: where an exception comes in the middle of that, pybind11 ends Python with SIGABRT; and looking
    for garbage takes a tenth of the time and finds none.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with _signals_put_off():
            yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def _signals_put_off() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Signals are the main thread's.
        return
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    for heard in came:
        signal.raise_signal(heard)
