"""Replaces a file by a new one, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

DRAFT = ".draft-"  # how the name of a file begins that is not whole yet; one may be left where a process was killed


def replace_file(path: Path, text: str, *, errors: str = "strict", newline: str | None = None) -> None:
    """Write a UTF-8 text so that whoever looks sees the old content or the new, never half of it.

    Args:
        errors, newline: as for `open`.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=DRAFT)
    try:
        with open(handle, "w", encoding="utf-8", errors=errors, newline=newline) as file:
            file.write(text)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
