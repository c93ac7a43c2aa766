"""Reads what a learner hands in: a folder like exercises/, one .py file or one notebook, without running any of it."""

from __future__ import annotations

import ast
import codecs
import functools
import io
import json
import os
import re
import stat
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from grader.course import Course, Lesson
from grader.errors import UnreadableSubmission

MAX_FILE_BYTES = 2 * 2**20
MAX_NOTEBOOK_BYTES = 50 * 2**20
MAX_NOTEBOOK_CELLS = 10_000
MAX_LOOSE_FILES = 10_000
MAX_GUESSED_FILES = 50  # how many files are looked into for what they define
MAX_NOTEBOOK_ITEMS = 3_000_000  # of its JSON: each takes some 60 bytes of memory or more
MAX_CODE_CHARACTERS = 2**18  # of a notebook's cells: their syntax trees take some hundred times as much
MAX_MODULES = 20
MAX_IMPORTED_NAMES = 500
_MAGIC = re.compile(r"\s*(?:[%!?]|[^#]*\?\s*$)")
_IMPORT = re.compile(r"^[ \t]*(?:from|import)[ \t]([^\n(]{1,500}(?:\([^)]{0,2000}\))?)", re.MULTILINE)
# Some of Python's other codecs take a time that grows with the square of a file's size.
ENCODINGS = frozenset("utf-8 utf-8-sig ascii iso8859-1 iso8859-15 cp1252".split())


class Segment(NamedTuple):
    """A stretch of a lesson, run in turn. If one that is not `required` raises, the lesson goes on without it."""

    source: str
    first_line: int = 1
    required: bool = True


class Module(NamedTuple):
    """A module of the learner's own beside a lesson, which that imports."""

    name: str
    filename: str
    source: str


@dataclass(frozen=True)
class LessonSource:
    """A learner's text of one lesson.

    `filename` is what reports call it; `problem`, if any, is the one sentence that says why it cannot be run.
    `cells` gives, for a notebook, the line at which each taken cell begins and its number.
    `modules` are those that it may import from beside it.
    """

    lesson_id: str
    filename: str
    segments: tuple[Segment, ...] = ()
    problem: str | None = None
    cells: tuple[tuple[int, int], ...] = ()
    modules: tuple[Module, ...] = ()

    def place(self, line: int) -> str:
        """A line of the source as messages name it; see `place_in`."""
        return place_in(self.filename, self.cells, line)

    def defined(self) -> list[str]:
        """The names of functions and classes at the top level, found by looking at the text alone."""
        kinds = r"^(?:async def|def|class)\s+(\w+)"
        return [name for segment in self.segments for name in re.findall(kinds, segment.source, re.MULTILINE)]


def place_in(filename: str, cells: Sequence[tuple[int, int]], line: int) -> str:
    """A line as the learner would find it: "views.py, line 12", or "views.ipynb, cell 3, line 2" in a notebook.

    Args:
        cells: of a notebook, first lines and numbers, as in LessonSource.
    """
    for first, cell in reversed(cells):
        if line >= first:
            return f"{filename}, cell {cell}, line {line - first + 1}"
    return f"{filename}, line {line}"


@dataclass(frozen=True)
class Submission:
    """What was handed in: the lessons found, and `remarks` on what was left out."""

    name: str
    lessons: dict[str, LessonSource]
    remarks: tuple[str, ...] = field(default=())


def read_submission(path: Path, course: Course) -> Submission:
    """Read a submission.

    Args:
        path: a folder laid out like exercises/ (or one topic's folder of it), a .py file, or an .ipynb file.

    Raises:
        UnreadableSubmission: there is no such path, it is no kind of submission, or it holds no lesson.
    """
    if not os.path.lexists(path):
        raise UnreadableSubmission(f"{path} does not exist: give a folder like exercises/, a .py file or a notebook")
    if path.is_dir():
        return _read_folder(path, course)
    if path.suffix not in (".py", ".ipynb"):
        raise UnreadableSubmission(f"{path} is neither a folder nor a .py file nor a .ipynb notebook")
    return _read_single(path, course)


def _read_folder(path: Path, course: Course) -> Submission:
    lessons: dict[str, LessonSource] = {}
    remarks: list[str] = []
    for lesson in course.lessons:
        for base in (path, path / "exercises", path.parent if path.name == lesson.topic else path):
            candidates = [base / lesson.topic / f"{lesson.name}{suffix}" for suffix in (".py", ".ipynb")]
            found = next((file for file in candidates if os.path.lexists(file)), None)
            if found:
                if found.suffix == ".py" and os.path.lexists(found.with_suffix(".ipynb")):
                    remarks.append(f"{lesson.id}.ipynb, as {lesson.id}.py is there too: name the notebook to grade it")
                filename = f"{lesson.topic}/{found.name}"
                folders = [folder for folder in found.parents if folder != path and folder.is_relative_to(path)]
                if any(folder.is_symlink() for folder in folders):
                    problem = f"{filename} lies in a folder that is a link: hand in the folder itself"
                    lessons[lesson.id] = LessonSource(lesson.id, filename, problem=problem)
                else:
                    lessons[lesson.id] = _read_path(found, filename, lesson, remarks)
                break
    if (path / "notebooks").is_dir():
        remarks.append(f"{path / 'notebooks'}: name that folder, or one of its notebooks, to grade them")
    if not lessons:
        # Files handed in by hand lie side by side.
        names = sorted(name for name in os.listdir(path)[:MAX_LOOSE_FILES] if name.endswith((".py", ".ipynb")))
        try:
            return submission_of_files(str(path), {name: _reader(path / name) for name in names}, course)
        except UnreadableSubmission:
            pass
        wanted = ", ".join(f"{lesson.id}.py" for lesson in course.lessons[:3])
        raise UnreadableSubmission(f"{path} holds no lesson of this course ({wanted}, ...): is it the right folder?")
    return Submission(str(path), lessons, tuple(remarks))


def _reader(path: Path) -> Callable[[], bytes]:
    return lambda: read_bytes(path, limit_of(path.name))


def read_lesson_file(path: Path, filename: str, lesson: Lesson) -> LessonSource:
    """Read one file as this lesson, whatever its name; `filename` is what reports call it."""
    return _read_path(path, filename, lesson, [])


def _read_single(path: Path, course: Course) -> Submission:
    remarks: list[str] = []
    lesson = _lesson_of_file(path, course)
    source = _read_path(path, path.name, lesson, remarks)
    return Submission(str(path), {lesson.id: source}, tuple(remarks))


def _lesson_of_file(path: Path, course: Course) -> Lesson:
    """Which lesson a single file is: by its folder and name, else by its name, else by what it defines."""
    named = [lesson for lesson in course.lessons if lesson.name == path.stem]
    exact = [lesson for lesson in named if lesson.topic == path.parent.name]
    if exact or len(named) == 1:
        return (exact or named)[0]
    found = _lesson_defining(_defined_by(path.name, lambda: read_bytes(path, limit_of(path.name))), course)
    if found is None:
        names = ", ".join(sorted(lesson.name for lesson in course.lessons))
        raise UnreadableSubmission(f"{path} is no lesson of this course: name it like one of {names}")
    return found


def _lesson_defining(defined: set[str], course: Course) -> Lesson | None:
    """The lesson most of whose exercises are among these names; None if there is none with any."""
    scores = {
        lesson.id: sum(bool(defined & set(exercise.defines)) for exercise in lesson.exercises)
        for lesson in course.lessons
    }
    best = max(scores, key=lambda lesson_id: scores[lesson_id], default=None)
    return course.lesson(best) if best is not None and scores[best] else None


def _defined_by(filename: str, read: Callable[[], bytes]) -> set[str]:
    """The functions and classes that a file defines at its top level; none if it cannot be read."""
    try:
        notebook = filename.endswith(".ipynb")
        sources = [source for _, source in _notebook_cells(read())] if notebook else [_decode(read())]
        nodes = [node for source in sources for node in ast.parse(source).body]
    except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
        return set()
    return {node.name for node in nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def limit_of(filename: str) -> int:
    """How many bytes a lesson's file of this name may have."""
    return MAX_NOTEBOOK_BYTES if filename.endswith(".ipynb") else MAX_FILE_BYTES


def submission_of_files(name: str, files: Mapping[str, Callable[[], bytes]], course: Course) -> Submission:
    """A submission whose files lie anywhere: in folders of their own, loose, in an archive.

    Args:
        files: path of each .py and .ipynb file, with "/" between folders, and how to read it; reading may raise OSError
            or ValueError, with the rest of a sentence that begins with the file's name.

    A lesson is the file named like it in a folder named like its topic, best in exercises/, else the file named like it
    anywhere; a .py rather than a notebook, and the one with the shortest path if there are several. Where no file is
    named like a lesson, what a file defines decides.

    Raises:
        UnreadableSubmission: none of them is a lesson.
    """
    lessons: dict[str, LessonSource] = {}
    remarks: list[str] = []

    def beside_of(filename: str) -> Beside:
        return lambda name: files.get(str(PurePosixPath(filename).with_name(name)))

    for lesson in course.lessons:
        paths = [PurePosixPath(path) for path in files if PurePosixPath(path).stem == lesson.name]
        paths.sort(key=lambda path: _distance(path, lesson))
        if not paths:
            continue
        filename = str(paths[0])
        lessons[lesson.id] = _read_file(files[filename], filename, lesson, remarks, beside_of(filename))
        remarks += [f"{path}, as {filename} is there too" for path in paths[1:]]
    if not lessons:
        for filename, read in list(files.items())[:MAX_GUESSED_FILES]:
            found = _lesson_defining(_defined_by(filename, read), course)
            if found and found.id not in lessons:
                lessons[found.id] = _read_file(read, filename, found, remarks, beside_of(filename))
    if not lessons:
        raise UnreadableSubmission(f"{name} holds no lesson of this course")
    return Submission(name, lessons, tuple(remarks))


def _distance(path: PurePosixPath, lesson: Lesson) -> tuple[bool, bool, bool, int, str]:
    """What makes a file less likely to be the lesson that was meant."""
    in_topic = path.parent.name == lesson.topic
    in_exercises = path.parent.parent.name == "exercises"
    return (not in_topic, not in_exercises, path.suffix != ".py", len(path.parts), str(path))


Read = Callable[[], bytes]
Beside = Callable[[str], Read | None]  # how to read the file of this name in the same folder; None if there is none


def _read_path(path: Path, filename: str, lesson: Lesson, remarks: list[str]) -> LessonSource:
    def beside(name: str) -> Read | None:
        file = path.with_name(name)
        return (lambda: read_bytes(file, MAX_FILE_BYTES)) if os.path.lexists(file) else None

    return _read_file(lambda: read_bytes(path, limit_of(path.name)), filename, lesson, remarks, beside)


def _read_file(read: Read, filename: str, lesson: Lesson, remarks: list[str], beside: Beside) -> LessonSource:
    try:
        if filename.endswith(".ipynb"):
            return _read_notebook(read(), filename, lesson, remarks, beside)
        text = _decode(read())
    except (OSError, ValueError) as error:
        return LessonSource(lesson.id, filename, problem=f"{filename} {error}")
    modules = _modules_beside(text, filename, remarks, beside)
    return LessonSource(lesson.id, filename, (Segment(text),), modules=modules)


def _modules_beside(text: str, filename: str, remarks: list[str], beside: Beside) -> tuple[Module, ...]:
    """The .py files in a lesson's folder that it, or one of them, seems to import. None of them is run here."""
    modules: dict[str, Module] = {}
    lesson = PurePosixPath(filename)
    left, seen, size = _imported_names(text), {lesson.stem}, 0
    while left and len(seen) < MAX_IMPORTED_NAMES:
        name = left.pop(0)
        read = None if name in seen else beside(f"{name}.py")
        seen.add(name)
        if read is None:
            continue
        file = str(lesson.with_name(f"{name}.py"))
        try:
            source = _decode(read())
            size += len(source)
            if len(modules) == MAX_MODULES or size > MAX_FILE_BYTES:
                raise ValueError(f"is one of more than {MAX_MODULES} modules, or they are too large together")
        except (OSError, ValueError) as error:
            remark = f"{file} {error}"
            if remark not in remarks:
                remarks.append(remark)
            continue
        modules[name] = Module(name, file, source)
        left += _imported_names(source)
    return tuple(modules.values())


def _imported_names(text: str) -> list[str]:
    """The names in import statements, some that are no modules among them."""
    names: dict[str, None] = {}
    for line in _IMPORT.findall(text):
        names.update(dict.fromkeys(re.findall(r"[^\W\d]\w*", line)))
    return [name for name in names if len(name) < 100][:MAX_IMPORTED_NAMES]


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file.

    Raises:
        ValueError: it is a link, a folder, a pipe or the like, or larger than `limit` bytes.
        ValueError: it cannot be opened.
    """
    try:
        # Never follows a link, never waits for a pipe's other end.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        if path.is_symlink():
            raise ValueError("is a link: hand in the file itself") from None
        raise ValueError(f"cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ValueError("is not a file")
    with open(handle, "rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"is larger than {limit // 2**20} MB")
    return content


def _decode(content: bytes) -> str:
    """Python source as text, with the encoding that it declares (UTF-8 if none) and any line ends."""
    if b"\0" in content:
        raise ValueError("contains NUL bytes: it is not a text file")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        if codecs.lookup(encoding).name not in ENCODINGS:
            raise LookupError
        text = content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        raise ValueError("is not UTF-8 text: save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read_notebook(content: bytes, filename: str, lesson: Lesson, remarks: list[str], beside: Beside) -> LessonSource:
    """The cells that define exercises, and the imports, definitions and assignments of the others, in order."""
    wanted = {name for exercise in lesson.exercises for name in exercise.defines}
    segments: list[Segment] = []
    starts: list[tuple[int, int]] = []
    line, dropped = 1, 0
    for number, raw in _notebook_cells(content):
        source, magics = without_magics(raw)
        dropped += magics
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            # Left to Python itself to report, if the cell is one that matters.
            tree = None
        names = _names_in(tree) if tree else {name for name in wanted if name in source}
        if wanted & names:
            segments.append(Segment(source, line))
        elif tree:
            segments += [Segment(text, line + at - 1, required=False) for at, text in _definitions(tree, source)]
        starts.append((line, number))
        line += source.count("\n") + 2
    modules = _modules_beside("\n".join(segment.source for segment in segments), filename, remarks, beside)
    if dropped:
        remarks.append(f"{filename}: {dropped} shell or magic line{'s' * (dropped != 1)} left out")
    return LessonSource(lesson.id, filename, tuple(segments), cells=tuple(starts), modules=modules)


def _notebook_cells(content: bytes) -> list[tuple[int, str]]:
    """Number (1-based, all cells counted) and source of each code cell.

    Raises:
        ValueError: this is not a notebook.
    """
    if sum(map(content.count, (b",", b"[", b"{"))) > MAX_NOTEBOOK_ITEMS:
        raise ValueError("holds too much data: clear its outputs and save it again")
    try:
        notebook = json.loads(content.decode("utf-8-sig"))
        cells = []
        for number, cell in enumerate(notebook["cells"][:MAX_NOTEBOOK_CELLS], start=1):
            if cell["cell_type"] == "code" and not _is_for_the_eyes(cell):
                source = cell["source"]
                text = source if isinstance(source, str) else "".join(source)
                cells.append((number, text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")))
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ValueError("is not a notebook that can be read: open it in Jupyter and save it again") from None
    if sum(len(source) for _, source in cells) > MAX_CODE_CHARACTERS:
        raise ValueError(f"holds more than {MAX_CODE_CHARACTERS // 1024} KB of code")
    return cells


def _is_for_the_eyes(cell: dict[str, Any]) -> bool:
    """Whether a cell only draws or shows something: jupytext's tag for what a .py file holds as comments."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and "active-ipynb" in tags


def without_magics(source: str) -> tuple[str, int]:
    """A cell without its IPython lines (`%magic`, `!command`, `?help`), and how many there were.

    A cell that begins with `%%` is IPython's altogether. Lines stay where they were.
    """
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        return "\n" * (len(lines) - 1), len(lines)
    suspects = [bool(_MAGIC.match(line)) for line in lines]
    if not any(suspects):
        return source, 0
    inside = _lines_inside_strings(source)
    kept, dropped = [], 0
    for number, (line, suspect) in enumerate(zip(lines, suspects, strict=True), start=1):
        if suspect and number not in inside:
            # `pass` keeps a block that held nothing else whole.
            kept.append(line[: len(line) - len(line.lstrip())] + "pass")
            dropped += 1
        else:
            kept.append(line)
    return "\n".join(kept), dropped


def _lines_inside_strings(source: str) -> set[int]:
    """Numbers of the lines that continue a string or a bracket begun on an earlier line."""
    inside: set[int] = set()
    try:
        compile(source, "cell", "exec", ast.PyCF_ONLY_AST)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    else:
        return set(range(1, source.count("\n") + 2))
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.STRING:
                inside.update(range(token.start[0] + 1, token.end[0] + 1))
    except (tokenize.TokenError, SyntaxError, IndentationError):
        pass
    return inside


def _names_in(tree: ast.Module) -> set[str]:
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def _definitions(tree: ast.Module, source: str) -> Iterator[tuple[int, str]]:
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    return ((line, text) for node, line, text in statements_of(tree, source) if isinstance(node, kinds))


def statements_of(tree: ast.Module, source: str) -> Iterator[tuple[ast.stmt, int, str]]:
    """Each statement of a module, the number of its first line, and its text: whole lines, unless it shares some."""
    lines = source.split("\n")
    as_bytes = functools.cache(lambda number: lines[number - 1].encode())  # columns of a tree count bytes
    ends = [node.end_lineno or node.lineno for node in tree.body]
    starts = [min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) for node in tree.body]
    neighbours = zip([0, *ends], [*starts[1:], len(lines) + 1], strict=False)
    for node, first, last, (before, after) in zip(tree.body, starts, ends, neighbours, strict=False):
        mine = lines[first - 1 : last]
        if before >= first or after <= last:
            start, end = node.col_offset, node.end_col_offset
            if first == last:
                mine = [as_bytes(first)[start:end].decode()]
            else:
                mine[0] = as_bytes(first)[start if first == node.lineno else 0 :].decode()
                mine[-1] = as_bytes(last)[:end].decode()
        yield node, first, "\n".join(mine)
