"""The key of a student version, from an instructor's point of view: kept in a file, or shown once."""

from __future__ import annotations

import os
from pathlib import Path

from grader.sealing import KEY_VARIABLE, key_bytes, new_key


def kept_key(path: Path) -> str:
    """The key in a file; where there is no file yet, a new key that is written to it, readable for its owner alone.

    Raises:
        SealError: the file holds no key.
        OSError: it cannot be read or written.
    """
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(new_key() + "\n")
    key = path.read_text(encoding="utf-8", errors="replace").strip()
    key_bytes(key)
    return key


def how_to_use(key: str, path: Path | None) -> str:
    """What to do with a key, and the key itself unless it is in a file."""
    if path:
        shown, given = f"The key is in {path}: keep it out of version control.", f" < {path}"
    else:
        shown, given = f"{KEY_VARIABLE} (shown this once, keep it safe): {key}", ""
    return (
        f"{shown}\n"
        "Set it as a secret of your organisation:  "
        f"gh secret set {KEY_VARIABLE} --org YOUR-ORG --visibility all{given}\n"
        f"Try it:  cd the student version && {KEY_VARIABLE}=... make grade"
    )
