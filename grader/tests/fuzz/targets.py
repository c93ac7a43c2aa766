"""What is fuzzed: functions of bytes that raise only if they find something.

Each takes what a stranger could send or hand in, and checks what must hold whatever that is.
"""

from __future__ import annotations

import ast
import functools
import json
import os
import select
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from grader.course import Course, Exercise, Lesson, load_course, read_catalogue
from grader.errors import CourseError, UnreadableSubmission
from grader.isolation import Isolation
from grader.observing import Unanswered, interpret
from grader.percent import read_cells
from grader.submission import LessonSource, Segment, read_submission, without_magics
from grader.worker import codec
from grader.workers import Worker, WorkerPool, _exchange

LONGEST_SENTENCE = 3000


def fuzz_codec(data: bytes) -> None:
    """What a submission's process may send: it is refused, or it is a value that can be sent again."""
    try:
        value = codec.decode(data)
    except codec.Malformed:
        return
    again = codec.encode(value, 2 * codec.MAX_BYTES)
    copy = codec.decode(again)
    assert type(copy) is type(value)
    assert len(codec.encode(copy, 2 * codec.MAX_BYTES)) == len(again)


def fuzz_reply(data: bytes) -> None:
    """An answer of any form: it is a value, or one sentence for the learner."""
    try:
        reply = codec.decode(data)
    except codec.Malformed:
        return
    exercise, lesson = _an_exercise()
    try:
        interpret(reply, exercise, lesson)
    except Unanswered as unanswered:
        sentence = str(unanswered)
        assert 0 < len(sentence) < LONGEST_SENTENCE, sentence
        assert sentence.isprintable(), ascii(sentence)
        assert unanswered.line is None or 0 < unanswered.line < 2**31  # noqa: PT017


@functools.cache
def _an_exercise() -> tuple[Exercise, LessonSource]:
    exercise = Exercise("topic", "lesson", "name", "", 1, "core", 1, (), (), ("name",))
    return exercise, LessonSource(
        "topic/lesson", "lesson.py", (Segment("def name():\n    pass\n"),), cells=((1, 2), (5, 9))
    )


def fuzz_frames(data: bytes) -> None:
    """Bytes on the judge's channel, cut up anyhow, and in its output: an answer, or one of three ends."""
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    os.set_blocking(read, False)
    ours.setblocking(False)
    worker = Worker(1, ours, read)
    pool = WorkerPool(Isolation("process", None))
    try:
        # The first byte says where it is cut, and whether what was said is cut off at the end.
        cut = data[0] if data else 0
        pieces = [data[1 : 1 + cut], data[1 + cut :]]
        theirs.settimeout(1)
        for piece in pieces:
            theirs.sendall(piece[:100_000])
            os.write(write, piece[:1000])
        if cut % 2:
            theirs.close()
        started = time.monotonic()
        try:
            answer = _exchange(pool, worker, b"question", 0.002, 2**16)
            assert len(answer) <= 2**17
        except (TimeoutError, EOFError, codec.Malformed):
            pass
        assert time.monotonic() - started < 5
        assert select.select([], [], [], 0) == ([], [], [])
    finally:
        ours.close()
        theirs.close()
        os.close(read)
        os.close(write)


def fuzz_lesson(data: bytes) -> None:
    """The bytes of a .py lesson: read as text, or refused in one line."""
    _read_as("storage.py", data)


def fuzz_notebook(data: bytes) -> None:
    """The bytes of a notebook: read as cells, or refused in one line."""
    _read_as("storage.ipynb", data)


def _read_as(name: str, data: bytes) -> None:
    folder, course = _a_folder()
    path = folder / "tensors" / name
    path.write_bytes(data)
    started = time.monotonic()
    try:
        submission = read_submission(path, course)
    except UnreadableSubmission as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    finally:
        path.unlink()
    assert time.monotonic() - started < 20, "too slow"
    for lesson in submission.lessons.values():
        if lesson.problem:
            assert "\n" not in lesson.problem
            assert len(lesson.problem) < LONGEST_SENTENCE
        for segment in lesson.segments:
            # What was taken from a cell that is not an exercise's own is whole statements.
            if not segment.required:
                ast.parse(segment.source)
        for module in lesson.modules:
            assert "/" not in module.name
    for remark in submission.remarks:
        assert "\n" not in remark


def fuzz_magics(data: bytes) -> None:
    """One cell of a notebook: as many lines as before, and none of IPython's."""
    source = data.decode("utf-8", "replace").replace("\0", "").replace("\r", "")
    kept, dropped = without_magics(source)
    assert kept.count("\n") == source.count("\n")
    assert dropped or kept == source


def fuzz_percent(data: bytes) -> None:
    """A file in the percent format: cells, or one line that says which header is wrong."""
    text = data.decode("utf-8", "replace")
    try:
        cells = read_cells(text)
    except ValueError as error:
        assert str(error).startswith("line ")  # noqa: PT017
        return
    lines = len(text.splitlines())
    assert all(1 <= cell.line <= lines + 1 for cell in cells)


def fuzz_catalogue(data: bytes) -> None:
    """exercises/catalogue.json of a student version: a course, or one line."""
    folder, _ = _a_folder()
    path = folder / "catalogue.json"
    path.write_bytes(data)
    try:
        course = read_catalogue(path)
    except CourseError as error:
        assert "\n" not in str(error)  # noqa: PT017
        return
    assert all(isinstance(exercise.id, str) for exercise in course.exercises)


@functools.cache
def _a_folder() -> tuple[Path, Course]:
    folder = Path(tempfile.mkdtemp(prefix="grader-fuzz-"))
    (folder / "tensors").mkdir()
    try:
        course = load_course()
    except CourseError:
        course = Course((Lesson("tensors", "storage", "", 1, (_an_exercise()[0],)),))
    return folder, course


TARGETS: dict[str, Callable[[bytes], Any]] = {
    "codec": fuzz_codec,
    "reply": fuzz_reply,
    "frames": fuzz_frames,
    "lesson": fuzz_lesson,
    "notebook": fuzz_notebook,
    "magics": fuzz_magics,
    "percent": fuzz_percent,
    "catalogue": fuzz_catalogue,
}
# Whose lines count as covered.
MODULES = {
    "codec": ("grader/worker/codec.py",),
    "reply": ("grader/observing.py",),
    "frames": ("grader/workers.py",),
    "lesson": ("grader/submission.py",),
    "notebook": ("grader/submission.py",),
    "magics": ("grader/submission.py",),
    "percent": ("grader/percent.py",),
    "catalogue": ("grader/course.py",),
}
EXTENSIONS = {"notebook": "ipynb", "lesson": "py", "catalogue": "json"}


def seeds(target: str) -> list[bytes]:
    """Well-formed inputs to begin with."""
    import numpy as np
    import torch

    if target in ("codec", "reply", "frames"):
        error = {"type": "ValueError", "bases": ["ValueError", "Exception"], "message": "x" * 20}
        raised = {"outcome": "raised", "error": error, "frames": [(3, "f")], "stub": False, "missing": None}
        data = {
            "none": [None, True, False, 1, -(2**70), 1.5, 1 + 2j, "text", b"bytes"],
            "nested": [(1, [2, {3, 4}], {"a": {"b": (None,)}})],
            "torch": [torch.zeros(2, 3), torch.ones(2, dtype=torch.bool), torch.empty(0, 3), torch.float16],
            "more": [
                torch.device("cpu", 1),
                torch.Size([2, 3]),
                torch.empty(2, device="meta"),
                np.arange(6).reshape(2, 3),
            ],
            "grad": [torch.zeros(1, requires_grad=True), torch.zeros(2, dtype=torch.complex64), np.float64],
        }
        values = [
            raised,
            {"outcome": "refused", "reason": "a generator"},
            {"outcome": "returned", "value": data["none"]},
        ]
        values += [raised | {"stub": True}, raised | {"missing": "name"}, *data["none"], *data["torch"], *data["more"]]
        values += [data["nested"], data["grad"][0], data["grad"][1]]
        encoded = [codec.encode(value) for value in values]
        if target == "frames":
            return [bytes([5, *len(item).to_bytes(4, "little")]) + item for item in encoded]
        return encoded
    if target == "catalogue":
        from grader.course import catalogue

        # Two exercises: small enough to be read to its end, and to be changed everywhere.
        whole = catalogue(load_course())
        short = whole["lessons"][0] | {"exercises": whole["lessons"][0]["exercises"][:2]}
        return [json.dumps(whole | {"lessons": [short]}).encode(), b"{}"]
    text = '# %% [markdown]\n# Title\n\n# %% f points=2 level="core" needs=["a"]\nimport math\n\n'
    text += "def contiguous_strides(x):\n    return (1,)\n\n"
    text += "%matplotlib inline\n!ls\nx?\n'''a\n%b\n'''\nfrom . import views\nx = 1; y = 2\n"
    if target == "notebook":
        cells = [
            {"cell_type": kind, "source": text, "metadata": {"tags": ["active-ipynb"]}} for kind in ("code", "markdown")
        ]
        cells += [{"cell_type": "code", "source": text.splitlines(keepends=True), "metadata": {}}]
        cells += [
            {"cell_type": "code", "source": "%%bash\nls", "metadata": {}},
            {"cell_type": "code", "source": "a = 1"},
        ]
        return [json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).encode()]
    return [text.encode(), b"# coding: latin-1\n" + text.encode("latin-1"), b"\xef\xbb\xbf" + text.encode()]
