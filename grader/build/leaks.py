"""Looks for anything of solutions/ and tests/ in a folder that is to be handed out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

LEAST_CHARACTERS = 24  # shorter lines are anybody's
LEAST_IN_CODE = 50  # in the grader's own code, which has `except OSError as error:` as tests do
FORBIDDEN_FOLDERS = frozenset(["solutions", "tests", "__pycache__", ".git", ".grader", ".venv", ".ipynb_checkpoints"])
FORBIDDEN_ENDINGS = (".pyc", ".pyo", ".ipynb", ".zip", ".orig", ".rej", ".new", ".swp", "~")


def distinctive_lines(hidden: Mapping[str, bytes], public: Iterable[str]) -> dict[str, str]:
    """Lines of hidden files that stand in none of the public texts, without indentation, and the file of each.

    Args:
        hidden: content of each hidden file, by its name.
        public: texts that are meant to be handed out, with hints and docstrings.
    """
    known = {line for text in public for line in _lines(text)}
    found = {}
    for name, content in hidden.items():
        for line in _lines(content.decode("utf-8", "replace")) if name.endswith(".py") else ():
            if len(line) >= LEAST_CHARACTERS and line not in known and not line.startswith(("import ", "from ")):
                found[line] = name
    return found


def find_leaks(folder: Path, hidden: Mapping[str, bytes], public: Iterable[str]) -> list[str]:
    """What in `folder` gives away hidden files: one sentence each.

    Looked for are folders and endings that have no place there, copies of whole files, and distinctive lines, also
    in the strings of JSON files.
    """
    lines = distinctive_lines(hidden, public)
    digests = {hashlib.sha256(content).hexdigest(): name for name, content in hidden.items() if content}
    leaks = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            leaks.append(f"{name} is a link")
        elif path.is_dir():
            if path.name in FORBIDDEN_FOLDERS:
                leaks.append(f"{name}/ has no place here")
        else:
            if path.name.endswith(FORBIDDEN_ENDINGS):
                leaks.append(f"{name} has no place here")
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            if digest in digests:
                leaks.append(f"{name} is a copy of {digests[digest]}")
            least = LEAST_IN_CODE if path.suffix == ".py" and not name.startswith("exercises/") else LEAST_CHARACTERS
            for line in _texts(path, content):
                if len(line) >= least and line in lines:
                    leaks.append(f"{name} holds a line of {lines[line]}: {line[:80]}")
    return leaks


def _texts(path: Path, content: bytes) -> Iterator[str]:
    """The lines of a file; of JSON, also those of the strings in it."""
    text = content.decode("utf-8", "replace")
    yield from _lines(text)
    if path.suffix in (".json", ".ipynb"):
        try:
            yield from _lines("\n".join(_strings(json.loads(text))))
        except ValueError:
            return


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _lines(text: str) -> Iterator[str]:
    return (line.strip() for line in text.splitlines())
