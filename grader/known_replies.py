"""Keeps what known answers said to probes, in a file without a name that forked processes have in common."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterator

from grader.observing import Unanswered

try:
    import fcntl
except ImportError:  # Where no process is forked.
    fcntl = None  # type: ignore[assignment]

MOST_BYTES = 256 * 2**20  # of the whole file; once it is full, nothing more is kept
MOST_REPLY_BYTES = 8 * 2**20
_RECORD = struct.Struct("<32s?Q")  # what it is kept under, whether it is a reply, how many bytes follow


class KnownReplies:
    """Replies by what was asked, for this process and all that are forked from it: what one learns, all know.

    The file is a row of records, each with the reply as it came, or JSON for the Unanswered that came instead.
    """

    def __init__(self) -> None:
        self._most_bytes = MOST_BYTES
        try:
            self._file = tempfile.TemporaryFile(prefix="grader-", buffering=0)  # noqa: SIM115
        except OSError:  # Nowhere is room for one: nothing is kept, and known answers are asked again and again.
            self._file = open(os.devnull, "r+b", buffering=0)  # noqa: SIM115
            self._most_bytes = 0
        self._places: dict[bytes, tuple[int, bool, int]] = {}
        self._end = 0

    def __len__(self) -> int:
        with self._catching_up():
            return len(self._places)

    def get(self, *key: str) -> bytes | Unanswered | None:
        """What was kept under `key`, by whichever process; None if nothing was."""
        with self._catching_up():
            place = self._places.get(_digest(key))
            if place is None:
                return None
            start, replied, length = place
            body = self._read(start, length)
        if replied:
            return body
        told = json.loads(body)
        return Unanswered(told["status"], told["sentence"], kind=told["kind"])

    def keep(self, came: bytes | Unanswered, *key: str) -> None:
        """Remember `came` under `key`, if there is room for it."""
        replied = isinstance(came, bytes)
        if isinstance(came, Unanswered):
            body = json.dumps({"status": came.status, "sentence": str(came), "kind": came.kind}).encode()
        else:
            body = came
        record = _RECORD.pack(_digest(key), replied, len(body)) + body
        if len(record) > MOST_REPLY_BYTES:
            return
        with self._catching_up():
            if self._end + len(record) > self._most_bytes:
                return
            try:
                self._file.seek(self._end)
                written = self._file.write(record)
            except OSError:
                written = 0
            if written == len(record):
                self._places[_digest(key)] = self._end + _RECORD.size, replied, len(body)
                self._end += len(record)
            else:  # The disk is full.
                self._file.truncate(self._end)

    @contextlib.contextmanager
    def _catching_up(self) -> Iterator[None]:
        """Hold the file, whose position is common to all, once this process knows what others have written."""
        if fcntl:
            fcntl.lockf(self._file, fcntl.LOCK_EX)  # The process's own; with flock all would hold it at once.
        try:
            self._learn()
            yield
        finally:
            if fcntl:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _learn(self) -> None:
        end = os.fstat(self._file.fileno()).st_size
        while (start := self._end + _RECORD.size) <= end:
            digest, replied, length = _RECORD.unpack(self._read(self._end, _RECORD.size))
            if start + length > end:
                break
            self._places[digest] = start, replied, length
            self._end = start + length
        if self._end < end:  # Whoever wrote this was killed at it.
            self._file.truncate(self._end)

    def _read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        body = b""
        while len(body) < length and (more := self._file.read(length - len(body))):
            body += more
        return body


def _digest(key: tuple[str, ...]) -> bytes:
    return hashlib.sha256("\0".join(key).encode()).digest()
