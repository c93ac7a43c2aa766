"""Turns the text of a learner's lesson into a module whose names a probe can ask for."""

from __future__ import annotations
import __future__

import linecache
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

from grader.worker.probes import MissingName

_FUTURE_FLAGS = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names})


class Names:
    """What a probe calls `m`: the names that the lesson defines, and nothing else."""

    def __init__(self, module: ModuleType) -> None:
        object.__setattr__(self, "_module", module)

    def __getattr__(self, name: str) -> Any:
        try:
            return vars(self._module)[name]
        except KeyError:
            raise MissingName(name) from None


class _OwnModules(MetaPathFinder, Loader):
    """Finds modules of the learner's own beside the lesson, when no installed one has their name.

    They go by their bare name and as part of the packages `TOPIC` and `exercises.TOPIC`.
    """

    def __init__(self, package: str, modules: Sequence[tuple[str, str, str]]) -> None:
        self.packages = {package, "exercises", f"exercises.{package}"}
        self.sources = {
            prefix + name: (filename, source)
            for name, filename, source in modules
            for prefix in ("", f"{package}.", f"exercises.{package}.")
        }

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname in self.sources:
            return ModuleSpec(fullname, self, origin=self.sources[fullname][0])
        return ModuleSpec(fullname, self, is_package=True) if fullname in self.packages else None

    def exec_module(self, module: ModuleType) -> None:
        filename, source = self.sources.get(module.__name__, ("", ""))
        module.__file__ = filename
        _show_source(filename, source)
        exec(_compiled(source, filename)[0], vars(module))


def load_lesson(
    name: str,
    filename: str,
    segments: Sequence[tuple[str, int, bool]],
    package: str = "",
    modules: Sequence[tuple[str, str, str]] = (),
) -> Names:
    """Run a lesson as a module.

    Args:
        name: what the module is called.
        filename: what tracebacks call its file.
        segments: stretches of the source, run in turn: text, number of its first line, and whether the lesson
            needs it. One that is not needed and raises is passed over.
        package: what `from .` means in it: the topic.
        modules: the learner's own beside it, that may be imported: name, file name and text of each.

    Raises:
        Exception: whatever a required segment raises, SyntaxError included.
    """
    for finder in [finder for finder in sys.meta_path if isinstance(finder, _OwnModules)]:
        # Of another lesson, in a process that loads several.
        sys.meta_path.remove(finder)
        for found in [*finder.sources, *finder.packages]:
            sys.modules.pop(found, None)
    if package:
        sys.meta_path.append(_OwnModules(package, modules))  # Behind all others: what is installed is not shadowed.
    module = ModuleType(name)
    module.__dict__.update(__file__=filename, __lesson__=True)
    if package:
        module.__package__ = package
    sys.modules[name] = module
    text = ""
    for source, first_line, _ in segments:
        text += "\n" * (first_line - 1 - text.count("\n")) + source + "\n"
    _show_source(filename, text)
    flags = 0
    for source, first_line, required in segments:
        try:
            # As in a notebook, what one segment imports from __future__ holds for those after it.
            code, flags = _compiled("\n" * (first_line - 1) + source, filename, flags)
            exec(code, vars(module))
        except Exception:
            if required:
                raise
    return Names(module)


def which_run(lessons: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Which of some lessons run without raising, one after another in this process; each as `load_lesson` takes it."""
    return [_runs(lesson) for lesson in lessons]


def _runs(lesson: Mapping[str, Any]) -> bool:
    try:
        load_lesson(**lesson)
    except BaseException:
        return False
    return True


def _show_source(filename: str, text: str) -> None:
    """Have inspect.getsource and tracebacks find a text that is in no file here."""
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)


def _compiled(source: str, filename: str, flags: int = 0) -> tuple[CodeType, int]:
    """The code of a source, and the flags of `flags` and of its own imports from __future__."""
    try:
        code = compile(source, filename, "exec", flags, dont_inherit=True)
    except (RecursionError, MemoryError):
        raise SyntaxError("the code is nested too deep") from None
    return code, flags | code.co_flags & _FUTURE_FLAGS


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
