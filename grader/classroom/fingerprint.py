"""Tells whether a submission must be graded again: a digest of everything that its result depends on."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from grader.course import ROOT
from grader.submission import Submission

_JUDGING = ("grader", "tests", "solutions", "data")
_NOT_JUDGING = frozenset(["__pycache__", "bench", "build", "reports"])


def run_fingerprint(exercises: Sequence[str], seed: int, isolation: str, gpu: str, root: Path = ROOT) -> str:
    """Digest of what all submissions of a run share: the grader, suites and solutions, versions and options.

    Args:
        exercises: ids of those that are judged.
        gpu: whether gpu tests run, and on what.
    """
    digest = hashlib.sha256()
    options = [list(exercises), seed, isolation, gpu]
    versions = [version("torch"), platform.python_version(), platform.system(), platform.machine()]
    digest.update(json.dumps([options, versions]).encode())
    for path in sorted(_files(root)):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _JUDGING:
        for path in (root / name).rglob("*"):
            parts = path.relative_to(root).parts
            own_tests = parts[:2] == ("grader", "tests")
            if path.is_file() and not own_tests and not _NOT_JUDGING & set(parts):
                yield path


def submission_fingerprint(submission: Submission, lessons: Sequence[str], run: str) -> str:
    """Digest of one submission's content, whatever it is called, and of the run.

    Args:
        lessons: ids of those that are judged; changes in others do not count.
        run: what `run_fingerprint` gave.
    """
    digest = hashlib.sha256(run.encode())
    for lesson_id in lessons:
        source = submission.lessons.get(lesson_id)
        if source:
            content = [source.filename, [list(segment) for segment in source.segments], source.problem, source.cells]
            digest.update(json.dumps([lesson_id, content]).encode())
    digest.update(json.dumps(list(submission.remarks)).encode())
    return digest.hexdigest()
