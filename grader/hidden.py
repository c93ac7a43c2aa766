"""Where solutions/ and tests/ are read from: their folders, or in a student version, with its key, a sealed file.

What a sealed file holds stays in this process's memory: modules of it are imported, and suites collected, from there.
"""

from __future__ import annotations

import functools
import linecache
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Protocol

from grader.errors import CourseError, SealError
from grader.sealing import KEY_VARIABLE, keep_memory_private, take_key, unseal

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("solutions", "tests")
SEALED = "grader/hidden.sealed"
CATALOGUE = "exercises/catalogue.json"


class HiddenFiles(Protocol):
    """The files below solutions/ and tests/, by their paths from the course's root, such as "tests/tensors/x.py"."""

    def lessons(self) -> list[str]:
        """The paths of the lessons, solutions/TOPIC/LESSON.py, sorted."""

    def read(self, name: str) -> bytes | None:
        """The content of one file; None if there is none of this name."""


class FolderFiles:
    """Hidden files that lie in their folders, as authors have them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def lessons(self) -> list[str]:
        """See HiddenFiles."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.glob("solutions/*/*.py"))

    def read(self, name: str) -> bytes | None:
        """See HiddenFiles."""
        path = self.root / name
        return path.read_bytes() if path.is_file() else None


class SealedFiles:
    """Hidden files out of a sealed file: `contents` is the content of each, by its path; `path` is the sealed file."""

    def __init__(self, path: Path, contents: dict[str, bytes]) -> None:
        self.path = path
        self.contents = contents

    def lessons(self) -> list[str]:
        """See HiddenFiles."""
        return sorted(n for n in self.contents if PurePosixPath(n).match("solutions/*/*.py"))

    def read(self, name: str) -> bytes | None:
        """See HiddenFiles."""
        return self.contents.get(name)


def hidden_files(root: Path = ROOT) -> HiddenFiles | None:
    """The hidden files of the course at `root`; None where only the public part is to be had.

    Raises:
        SealError: there is a key, but it does not open the sealed file; the text says why.
    """
    # A sealed file goes first: where there is one, folders of these names are not the author's.
    if (root / "solutions").is_dir() and not (root / SEALED).is_file():
        return FolderFiles(root)
    return _sealed_files(root)


@functools.cache
def _sealed_files(root: Path) -> SealedFiles | None:
    """Opened once: the key is gone from the environment afterwards."""
    key = take_key()
    if key is None:
        return None
    path = root / SEALED
    if not path.is_file():
        raise SealError(f"{KEY_VARIABLE} is set, but {SEALED} is missing: restore it (`git checkout -- {SEALED}`)")
    keep_memory_private()
    files = SealedFiles(path, unseal(path, root / CATALOGUE, key))
    sys.meta_path.insert(0, _Finder(files))
    return files


def hidden_file(name: str) -> bytes:
    """The content of a file that hidden tests need, such as "tests/pretrained/photos/camera.png".

    Raises:
        CourseError: there is none of this name.
    """
    files = hidden_files()
    content = files.read(name) if files else None
    if content is None:
        raise CourseError(f"{name} is missing: restore it from version control")
    return content


class _Finder(MetaPathFinder, InspectLoader):
    """Imports `solutions`, `tests` and what is below them out of sealed files, before any folder is asked."""

    def __init__(self, files: SealedFiles) -> None:
        self.files = files
        self.root = files.path.parent.parent
        self.packages = {
            ".".join(parent.parts) for name in files.contents for parent in PurePosixPath(name).parents if parent.name
        }

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.split(".")[0] not in FOLDERS:
            return None
        if not self.is_package(fullname) and self._path(fullname) not in self.files.contents:
            return None
        return spec_from_loader(fullname, self, origin=self._path(fullname))

    def is_package(self, fullname: str) -> bool:
        return fullname in self.packages

    def get_source(self, fullname: str) -> str:
        return self.files.contents.get(self._path(fullname), b"").decode("utf-8")

    def get_code(self, fullname: str) -> CodeType:
        # As if it came from a file: what looks up the source of a frame or function finds it.
        source, filename = self.get_source(fullname), str(self.root / self._path(fullname))
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        return self.source_to_code(source, filename)

    @staticmethod
    def _path(fullname: str) -> str:
        return fullname.replace(".", "/") + ".py"
