"""Finds the text of a learner's function: in the cells that a notebook ran, or in the file it was imported from."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.course import ROOT, Course, Exercise
from grader.errors import GraderError
from grader.submission import LessonSource, Segment, read_lesson_file, statements_of, without_magics

NOTEBOOK_NAME = "notebook"


class NotFound(GraderError):
    """What was asked about is no exercise, or its text is nowhere to be seen; the text says what to do."""


@dataclass(frozen=True)
class Found:
    """The text to grade. `where` is how a message would call it; `unseen` are names that no statement makes."""

    source: LessonSource
    where: str
    unseen: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Statement:
    """One statement of a cell, with the names that it binds and the names that it reads."""

    cell: int
    line: int
    text: str
    binds: frozenset[str]
    reads: frozenset[str]
    # An assignment may add to what an earlier one made; an import or a definition replaces it.
    replaces: bool


def exercise_of(asked: Any, course: Course) -> Exercise:
    """The exercise that a function, a class or a name stands for.

    Raises:
        UnknownExercise: there is none of this name, or there are several.
        NotFound: this is neither a function nor a class nor a name.
    """
    name = asked if isinstance(asked, str) else getattr(asked, "__name__", None)
    if not isinstance(name, str):
        raise NotFound(f"check takes a function, a class or a name, not {type(asked).__name__}: check(transpose_view)")
    makers = [exercise for exercise in course.exercises if name in exercise.defines]
    return makers[0] if len(makers) == 1 else course.select([name])[0]


def find_source(asked: Any, exercise: Exercise, course: Course, shell: Any = None) -> Found:
    """The text in which an exercise is answered.

    Args:
        asked: the function or class, or the name of one.
        shell: IPython's shell, whose cells are looked through; None where there is none.

    Raises:
        NotFound: there is no such text.
    """
    if shell is not None and isinstance(asked, str):
        asked = shell.user_ns.get(exercise.name, asked)
    lesson = course.lesson(exercise.lesson_id)
    if path := _file_of(asked, exercise):
        return Found(read_lesson_file(path, path.name, lesson), str(path))
    if shell is not None:
        return _from_cells(exercise, asked, shell)
    if isinstance(asked, str):
        path = ROOT / "exercises" / f"{exercise.lesson_id}.py"
        if path.is_file():
            name = f"exercises/{exercise.lesson_id}.py"
            return Found(read_lesson_file(path, name, lesson), name)
    raise NotFound(
        f"the text of {exercise.name} is not to be seen from here: write it into exercises/{exercise.lesson_id}.py "
        "and import it, or use IPython or a notebook"
    )


def _file_of(asked: Any, exercise: Exercise) -> Path | None:
    """The file that defines a function or a class; None for what was typed into a cell."""
    if isinstance(asked, str):
        return None
    module = sys.modules.get(getattr(asked, "__module__", None) or "")
    code = getattr(inspect.unwrap(asked), "__code__", None)
    path = Path(str(code.co_filename if code else getattr(module, "__file__", None)))
    try:
        # ipykernel calls each cell a file too, which may even be there, for debuggers. A library's is no answer.
        strange = "ipykernel_" in path.parent.name or "site-packages" in path.parts
        if strange or path.suffix != ".py" or not path.is_file():
            return None
        tree = ast.parse(path.read_bytes())
    except SyntaxError:
        return path  # Since it was imported, it was broken: that is for the grader to say.
    except (OSError, ValueError, RecursionError, MemoryError):
        return None
    return path if any(getattr(node, "name", None) == exercise.name for node in tree.body) else None


def _from_cells(exercise: Exercise, asked: Any, shell: Any) -> Found:
    """The statements of the cells that ran which the exercise needs, in the order in which they ran."""
    statements = list(_statements(_cells(shell)))
    wanted = set(exercise.defines)
    if not any(exercise.name in statement.binds for statement in statements):
        statements += _of_its_own(exercise, asked)
        if not any(exercise.name in statement.binds for statement in statements):
            raise NotFound(
                f"no cell that ran here defines {exercise.name}: run the one in which you wrote it, then this one again"
            )
    chosen, missing = _needed(statements, wanted, _of_the_lesson(exercise))
    unseen = tuple(sorted(name for name in missing if name in shell.user_ns))
    segments: list[Segment] = []
    starts: list[tuple[int, int]] = []
    line = 1
    for number in dict.fromkeys(statement.cell for statement in chosen):
        starts.append((line, number))
        mine = [statement for statement in chosen if statement.cell == number]
        for statement in mine:
            required = bool(statement.binds & wanted)
            segments.append(Segment(statement.text, line + statement.line - 1, required))
        line += max(statement.line + statement.text.count("\n") for statement in mine) + 1
    source = LessonSource(exercise.lesson_id, NOTEBOOK_NAME, tuple(segments), cells=tuple(starts))
    return Found(source, "this notebook", unseen)


def _cells(shell: Any) -> list[tuple[int, str]]:
    """Number and text of each cell that ran, in order."""
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", None) or shell.user_ns.get("In", [])
    return [(number, text) for number, text in enumerate(history) if number and isinstance(text, str)]


def _statements(cells: Sequence[tuple[int, str]]) -> Iterator[_Statement]:
    for number, raw in cells:
        source, _ = without_magics(raw)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # It never ran either.
        for node, first, text in statements_of(tree, source):
            if found := _read(node):
                yield _Statement(number, first, text, *found)


def _read(node: ast.stmt) -> tuple[frozenset[str], frozenset[str], bool] | None:
    """What a statement binds and reads, and whether it replaces what was there; None for one that makes nothing."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        # An import is taken along with all earlier ones: each may have brought in a part of a package.
        return frozenset(alias.asname or alias.name.split(".")[0] for alias in node.names), frozenset(), False
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return frozenset([node.name]), _loaded(node), True
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        bound = frozenset(name for target in targets for name in _bound(target))
        plain = not isinstance(node, ast.AugAssign) and all(isinstance(target, ast.Name) for target in targets)
        return bound, _loaded(node), plain and not (bound & (_loaded(node.value) if node.value else frozenset()))
    return None


def _bound(target: ast.expr) -> Iterator[str]:
    """Names that an assignment to `target` makes, or changes something of."""
    while isinstance(target, (ast.Subscript, ast.Attribute, ast.Starred)):
        target = target.value
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, (ast.Tuple, ast.List)):
        for item in target.elts:
            yield from _bound(item)


def _loaded(node: ast.AST) -> frozenset[str]:
    """Names that occur anywhere inside, annotations in quotes among them: rather one too many than one too few."""
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str) and child.value.isidentifier():
            names.add(child.value)
    return frozenset(names)


def _of_its_own(exercise: Exercise, asked: Any) -> list[_Statement]:
    """The definition as Python remembers it: of a function in a `%%time` cell, say."""
    if getattr(asked, "__module__", None) != "__main__":
        return []
    try:
        text = textwrap.dedent(inspect.getsource(asked))
        node = ast.parse(text).body[0]
    except (OSError, TypeError, SyntaxError, IndexError, ValueError):
        return []
    found = _read(node)
    return [_Statement(0, 1, text, *found)] if found and exercise.name in found[0] else []


def _of_the_lesson(exercise: Exercise) -> frozenset[str]:
    """Names that the lesson's own file makes, on some of which a test may call."""
    path = ROOT / "exercises" / f"{exercise.lesson_id}.py"
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return frozenset()
    return frozenset(name for node in tree.body if (found := _read(node)) for name in found[0])


def _needed(
    statements: Sequence[_Statement], wanted: set[str], welcome: frozenset[str]
) -> tuple[list[_Statement], set[str]]:
    """The statements that make `wanted`, and `welcome` where there are any, with all that these read in turn.

    Of a name that was made several times the last counts. Also gives the names that nothing makes.
    """
    makers: dict[str, list[int]] = {}
    for place, statement in enumerate(statements):
        for name in statement.binds:
            makers[name] = [place] if statement.replaces else [*makers.get(name, []), place]
    taken: set[int] = set()
    missing: set[str] = set()
    queue = [*wanted, *(name for name in (*welcome, "*") if name in makers)]
    seen = set(queue)
    while queue:
        name = queue.pop()
        if name not in makers:
            missing.add(name)
            continue
        for place in makers[name]:
            taken.add(place)
            for read in statements[place].reads - seen:
                seen.add(read)
                queue.append(read)
    # Names of arguments and local variables are among those that are read, and so are Python's own.
    return [statements[place] for place in sorted(taken)], {n for n in missing if not hasattr(builtins, n)}
