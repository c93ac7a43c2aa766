"""Turns the text of a learner's lesson into a module whose names a probe can ask for."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Any

from grader.worker.probes import MissingName


class Names:
    """What a probe calls `m`: the names that the lesson defines, and nothing else."""

    def __init__(self, module: ModuleType) -> None:
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self._module)[name]
        except KeyError:
            raise MissingName(name) from None


def load_lesson(name: str, filename: str, segments: Sequence[tuple[str, int, bool]]) -> Names:
    """Run a lesson as a module.

    Args:
        name: what the module is called.
        filename: what tracebacks call its file.
        segments: stretches of the source, run in turn: text, number of its first line, and whether the lesson
            needs it. One that is not needed and raises is passed over.

    Raises:
        Exception: whatever a required segment raises, SyntaxError included.
    """
    module = ModuleType(name)
    module.__dict__.update(__file__=filename, __lesson__=True)
    sys.modules[name] = module
    text = ""
    for source, first_line, _ in segments:
        text += "\n" * (first_line - 1 - text.count("\n")) + source + "\n"
    # So that inspect.getsource and tracebacks find the text, which is in no file here.
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    for source, first_line, required in segments:
        try:
            exec(_compiled("\n" * (first_line - 1) + source, filename), vars(module))
        except Exception:
            if required:
                raise
    return Names(module)


def _compiled(source: str, filename: str) -> CodeType:
    try:
        return compile(source, filename, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        raise SyntaxError("the code is nested too deep") from None


def own_frames(error: BaseException, filename: str) -> list[tuple[int, str]]:
    """Line number and function of each step of a traceback that lies in the learner's own file, outermost first."""
    frames = [
        (frame.f_lineno if line is None else line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == filename
    ]
    if isinstance(error, SyntaxError) and error.filename == filename and error.lineno:
        frames.append((error.lineno, ""))
    return frames[-20:]
