"""Reads .zip archives that strangers made: nothing is unpacked to disk, and no archive can take all memory or time."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import BinaryIO

MAX_ENTRIES = 20_000
MAX_DIRECTORY_BYTES = 8 * 2**20
MAX_INNER_BYTES = 100 * 2**20  # of all archives within archives of one submission together
MAX_INNER = 50
_END, _END_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, 2**16
_LOCATOR, _LOCATOR_BYTES, _END64_BYTES = b"PK\x06\x07", 20, 56
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass
class Budget:
    """What archives within archives may still take, for one submission."""

    bytes: int = MAX_INNER_BYTES
    archives: int = MAX_INNER


@dataclass(frozen=True)
class Member:
    """A file in an archive. `path` never leads outside; `modified` is in seconds since 1970."""

    path: str
    archive: zipfile.ZipFile = field(repr=False)
    info: zipfile.ZipInfo = field(repr=False)

    @property
    def modified(self) -> float | None:
        try:
            return time.mktime((*self.info.date_time, 0, 0, -1))
        except (ValueError, OverflowError):
            return None

    def read(self, limit: int) -> bytes:
        """Its content.

        Raises:
            ValueError: it is encrypted, damaged, packed in an unusual way, or larger than `limit` bytes.
        """
        if self.info.flag_bits & 1:
            raise ValueError("is encrypted: hand in an archive without a password")
        if self.info.compress_type not in _METHODS:
            raise ValueError("is packed in an unusual way: make an ordinary .zip of it")
        try:
            # The size that an archive states may be a lie: what counts is what comes out.
            with self.archive.open(self.info) as file:
                content = file.read(limit + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, struct.error) as error:
            raise ValueError(f"is damaged: {error}") from None
        except Exception as error:  # zlib.error, which not every build of Python has to offer
            raise ValueError(f"is damaged: {error}") from None
        if len(content) > limit:
            raise ValueError(f"is larger than {limit // 2**20} MB")
        return content


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open an archive, once its table of contents is known to be of a size that can be read.

    Raises:
        ValueError: it is no .zip archive, or holds too many files.
    """
    size = _directory_bytes(file)
    if size > MAX_DIRECTORY_BYTES:
        raise ValueError(f"holds more than {MAX_ENTRIES} files")
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
        raise ValueError(f"is no .zip archive that can be read: {error}") from None
    if len(archive.infolist()) > MAX_ENTRIES:
        archive.close()
        raise ValueError(f"holds more than {MAX_ENTRIES} files")
    return archive


def _directory_bytes(file: BinaryIO) -> int:
    """How large the archive says that its table of contents is; found as zipfile finds it."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES - _MAX_COMMENT - _LOCATOR_BYTES - _END64_BYTES))
    tail = file.read()
    at = len(tail) - _END_BYTES
    if at < 0 or tail[at : at + 4] != _END or tail[-2:] != b"\0\0":
        at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        raise ValueError("is no .zip archive")
    stated: int = struct.unpack_from("<L", tail, at + 12)[0]
    end64 = at - _LOCATOR_BYTES - _END64_BYTES
    if end64 >= 0 and tail[at - _LOCATOR_BYTES :].startswith(_LOCATOR):
        stated = max(stated if stated != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, end64 + 40)[0])
    return stated


def members(archive: zipfile.ZipFile, odd: list[str] | None = None) -> Iterator[Member]:
    """The ordinary files of an archive; the paths of others (links, paths that lead outside) are added to `odd`."""
    for info in archive.infolist():
        # Some packers on Windows write backslashes.
        name = info.filename.replace("\\", "/")
        path = PurePosixPath(name)
        if name.endswith("/"):
            continue
        drive = bool(path.parts) and path.parts[0].endswith(":")
        mode = info.external_attr >> 16
        special = stat.S_IFMT(mode) not in (0, stat.S_IFREG) and info.create_system == 3
        if path.is_absolute() or drive or ".." in path.parts or special:
            if odd is not None:
                odd.append(name)
        elif path.parts:
            yield Member(str(path), archive, info)


def inner_archive(member: Member, budget: Budget) -> zipfile.ZipFile:
    """Open an archive that lies in another.

    Raises:
        ValueError: it cannot be read, or the budget is used up.
    """
    if budget.archives <= 0:
        raise ValueError("is one archive too many: hand in the files themselves")
    content = member.read(budget.bytes)
    budget.bytes -= len(content)
    budget.archives -= 1
    return open_archive(io.BytesIO(content))
