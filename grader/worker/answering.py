"""Runs one probe on a lesson and puts what came of it into data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grader.worker import codec
from grader.worker.lesson import own_frames
from grader.worker.probes import MissingName, describe_error, is_stub_error


def answer(probe: Callable[[], Any], filename: str, max_bytes: int = codec.MAX_BYTES) -> bytes:
    """Call `probe` and encode the outcome, one of

    - ``{"outcome": "returned", "value": ...}``
    - ``{"outcome": "refused", "reason": "a generator"}``: what came back is not data
    - ``{"outcome": "raised", "error": {type, bases, message}, "frames": [(line, function)], "stub": bool,
      "missing": name or None}``
    """
    try:
        return codec.encode({"outcome": "returned", "value": probe()}, max_bytes)
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
