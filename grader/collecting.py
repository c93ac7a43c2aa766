"""Tells pytest where the hidden suites are: their files, or where they are sealed, modules that lie in memory alone."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from grader.course import ROOT, suite_name, suite_path
from grader.hidden import SealedFiles, hidden_files


class _SealedSuite(pytest.Module):
    """A suite without a file. Its tests have the ids that they would have with one, and so the same random inputs."""

    def _getobj(self) -> ModuleType:
        name = ".".join(self.path.relative_to(ROOT).with_suffix("").parts)
        try:
            return importlib.import_module(name)
        except Exception as error:
            raise self.CollectError(f"{name}: {type(error).__name__}: {error}") from None


class _SealedSuites(pytest.File):
    """The sealed file, as the collector of the suites in it."""

    lesson_ids: Sequence[str] = ()

    def collect(self) -> Iterator[pytest.Module]:
        for lesson_id in self.lesson_ids:
            yield _SealedSuite.from_parent(self, path=suite_path(lesson_id))


class _Opener:
    """The plugin that has pytest take the sealed file for the suites of these lessons."""

    def __init__(self, sealed: Path, lesson_ids: Sequence[str]) -> None:
        self.sealed = sealed
        self.lesson_ids = lesson_ids

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if file_path != self.sealed:
            return None
        suites = _SealedSuites.from_parent(parent, path=file_path)
        suites.lesson_ids = self.lesson_ids
        return suites


def suites_of(lesson_ids: Sequence[str]) -> tuple[list[str], list[object]]:
    """What pytest has to be given for the suites of these lessons: arguments and plugins.

    Raises:
        SealError: they are sealed and cannot be opened.
    """
    files = hidden_files()
    if not isinstance(files, SealedFiles):
        return [str(suite_path(lesson_id)) for lesson_id in lesson_ids], []
    present = [lesson_id for lesson_id in lesson_ids if files.read(suite_name(lesson_id)) is not None]
    return [str(files.path)], [_Opener(files.path, present)]
