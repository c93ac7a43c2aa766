"""Runs one probe on a lesson and puts what came of it into data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from grader.worker import codec
from grader.worker.lesson import own_frames
from grader.worker.probes import MissingName, describe_error, is_stub_error

_grad_mode = torch.set_grad_enabled


def answer(probe: Callable[[], Any], filename: str, max_bytes: int = codec.MAX_BYTES) -> bytes:
    """Call `probe` and encode the outcome, one of

    - ``{"outcome": "returned", "value": ...}``
    - ``{"outcome": "refused", "reason": "a generator"}``: what came back is not data
    - ``{"outcome": "raised", "error": {type, bases, message}, "frames": [(line, function)], "stub": bool,
      "missing": name or None}``

    Each probe begins with autograd on, whatever an earlier one left behind.
    """
    try:
        with _grad_mode(True):
            value = probe()
        return codec.encode({"outcome": "returned", "value": value}, max_bytes)
    except codec.NotData as error:
        return codec.encode({"outcome": "refused", "reason": str(error)[:500]})
    except BaseException as error:
        return codec.encode(
            {
                "outcome": "raised",
                "error": describe_error(error),
                "frames": own_frames(error, filename),
                "stub": is_stub_error(error),
                "missing": str(error) if type(error) is MissingName else None,
            }
        )
