"""Finds the files of data/ for lessons: beside the course, whatever folder the code runs in."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "data"


def data_file(name: str) -> Path:
    """The path of a file, or of a folder, in data/.

    Args:
        name: relative to data/, such as "photos/cat.png" or "scans/brain".

    Raises:
        FileNotFoundError: it is not there; the text says how to get it back.
    """
    path = FOLDER / name
    if not path.exists():
        raise FileNotFoundError(missing(name))
    return path


def missing(name: str) -> str:
    """One line about a data file that is not there."""
    return f"data/{name} is missing: `git checkout -- data/{name}` brings it back (data/DATA.md says what it is)"
