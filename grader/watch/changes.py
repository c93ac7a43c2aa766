"""Which exercises a change to a lesson's file can have made right or wrong."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from grader.course import Lesson
from grader.learner.stubs import cells


@dataclass(frozen=True)
class Touched:
    """Names of exercises in a lesson: those that were `changed`, and others that use what was (`using`)."""

    changed: tuple[str, ...] = ()
    using: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Statement:
    names: frozenset[str]
    uses: frozenset[str]
    form: str


def touched(before: str, after: str, lesson: Lesson) -> Touched:
    """Compare two texts of a lesson. Comments and blank lines do not count, unless Python cannot read a text."""
    old, new = _statements(before), _statements(after)
    if old is None or new is None:
        return Touched(tuple(exercise.name for exercise in lesson.exercises if exercise.name in _cells(before, after)))
    forms = {statement.form for statement in old} ^ {statement.form for statement in new}
    different = [statement for statement in [*old, *new] if statement.form in forms]
    names = {name for statement in different for name in statement.names}
    # A statement that binds no name, as a call, may have changed anything.
    everything = any(not statement.names for statement in different)
    reached = _reached(names, new)
    changed, using = [], []
    for exercise in lesson.exercises:
        if names & set(exercise.defines):
            changed.append(exercise.name)
        elif everything or reached & set(exercise.defines):
            using.append(exercise.name)
    return Touched(tuple(changed), tuple(using))


def _cells(before: str, after: str) -> set[str]:
    """Titles of the cells that are not the same in both texts."""
    content = (before.encode(), after.encode())
    both = [{title: text[cell.start : cell.end] for title, cell in cells(text)} for text in content]
    return {title for title in {**both[0], **both[1]} if both[0].get(title) != both[1].get(title)}


def _statements(text: str) -> list[_Statement] | None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return [_Statement(frozenset(_bound(node)), frozenset(_used(node)), ast.dump(node)) for node in tree.body]


def _bound(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    for each in ast.walk(node):
        if isinstance(each, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in each.names}
        elif isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(each.name)
    return names


def _used(node: ast.stmt) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def _reached(names: set[str], statements: list[_Statement]) -> set[str]:
    """`names`, and those of everything that uses one of them, directly or not."""
    reached = set(names)
    while True:
        more = {name for statement in statements if statement.uses & reached for name in statement.names} - reached
        if not more:
            return reached
        reached |= more
