"""Replaces a file by a new one, whole or not at all."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

DRAFT = ".draft-"  # how the name of a file begins that is not whole yet; one may be left where a process was killed


@contextmanager
def new_file(path: Path, rights: int = 0o644) -> Iterator[IO[bytes]]:
    """What is written here becomes the file: whoever looks sees the old content or the new, never half of it.

    Raises:
        OSError: it cannot be written. Then, and when the block raises, the old file is as it was.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=DRAFT)
    try:
        with open(handle, "wb") as file:
            yield file
        os.chmod(draft, rights)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def replace_file(path: Path, text: str, *, errors: str = "strict", newline: str | None = None) -> None:
    """Write a UTF-8 text, as `new_file` does.

    Args:
        errors, newline: as for `open`.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    with new_file(path) as file, io.TextIOWrapper(file, "utf-8", errors, newline) as words:
        words.write(text)
