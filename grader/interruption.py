"""Keeps Ctrl-C from where it would do harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def put_off() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait for the end of this.

    For importing torch: where an exception comes in the middle of that, pybind11 ends Python with SIGABRT.
    """
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
