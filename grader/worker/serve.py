"""The worker: the process in which one exercise of a submission runs.

It takes a lesson and then probes, one at a time, and answers each with data. Everything that reaches it comes
from the judge; nothing that it says is believed beyond being data.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from grader.worker import codec, inputs
from grader.worker.answering import answer
from grader.worker.frames import receive_frame, send_frame
from grader.worker.lesson import Names, load_lesson

NONCE_BYTES = 16
READY = b"ready"


def serve(channel: socket.socket) -> None:
    """Say that it is ready, answer requests until the judge closes the channel, then end the process.

    The first request is the lesson: ``{"name", "filename", "segments", "package", "modules", "max_bytes"}``, as for
    `load_lesson`.
    Every request begins with a nonce, which the reply repeats, so that no reply can stand for another.
    """
    send_frame(channel, READY)
    names: Names | None = None
    filename, max_bytes = "", codec.MAX_BYTES
    while (frame := receive_frame(channel)) is not None:
        nonce, body = frame[:NONCE_BYTES], frame[NONCE_BYTES:]
        if names is None:
            lesson = codec.decode(body)
            filename, max_bytes = lesson["filename"], lesson["max_bytes"]

            def load(lesson: dict[str, Any] = lesson) -> None:
                nonlocal names
                names = load_lesson(
                    lesson["name"], lesson["filename"], lesson["segments"], lesson["package"], lesson["modules"]
                )

            reply = answer(load, filename)
        else:

            def probe(body: bytes = body) -> Any:
                return inputs.unpack(body)(names)

            reply = answer(probe, filename, max_bytes)
        _flush()
        send_frame(channel, nonce + reply)
    os._exit(0)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass


def reseed() -> None:
    """Give a forked worker random numbers of its own."""
    import numpy as np
    import torch

    seed = int.from_bytes(os.urandom(4), "little")
    # Not torch.manual_seed, which also prepares seeds for devices that this worker may never use.
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed)


def main(arguments: list[str]) -> None:
    """Entry of a worker that was spawned, not forked: `arguments` is the descriptor of its channel."""
    channel = socket.socket(fileno=int(arguments[0]))
    channel.set_inheritable(False)
    import torch

    torch.set_num_threads(1)
    if os.name == "posix":
        from grader.worker.confine import Limits, limit_resources

        limit_resources(Limits(), address_space=True)
    serve(channel)
