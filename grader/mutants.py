"""For authors: small changes to the solutions, each of which some hidden test should notice.

A mutant is one solution with one operator, constant, argument or statement changed. One that every test lets through
either shows a gap in the suite or does the same as the solution. Those of the second kind are recorded, each with the
reason, in tests/<topic>/equivalent.toml.
"""

from __future__ import annotations

import ast
import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.course import ROOT, Course, Exercise, KnownAnswer, Lesson, with_answer
from grader.desk import DeskSettings
from grader.errors import CourseError
from grader.percent import read_cells
from grader.trials import Trial, run_trials

SECONDS = 4.0  # of waiting for one exercise: a changed loop may never end

_BEGIN, _END = "### BEGIN SOLUTION", "### END SOLUTION"

_MODULES = ("torch", "np", "pd", "F", "nn", "math", "json", "Image", "super()", "self")
_COMMUTATIVE = ("min", "max", "minimum", "maximum", "transpose", "swapaxes", "gcd", "mse_loss", "l1_loss")

_OTHER_OPERATOR: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Mutant:
    """One changed solution: `change` says what was changed, in which line; `source` is the exercise's whole cell."""

    exercise: str
    change: str
    source: str


@dataclass
class MutantReport:
    """What became of the mutants. `survived` holds those that no test noticed."""

    killed: dict[str, int] = field(default_factory=dict)
    survived: list[Mutant] = field(default_factory=list)
    reasons: dict[tuple[str, str], str] = field(default_factory=dict)
    outdated: list[tuple[str, str]] = field(default_factory=list)

    def reason(self, mutant: Mutant) -> str | None:
        """Why this survivor does the same as the solution; None if nobody has said so."""
        return self.reasons.get((mutant.exercise, mutant.change))

    @property
    def unexplained(self) -> list[Mutant]:
        return [mutant for mutant in self.survived if self.reason(mutant) is None]


def check_mutants(
    course: Course,
    exercises: Sequence[Exercise],
    *,
    seed: int,
    isolation: str = "auto",
    progress: Callable[[str, int, int], None] | None = None,
) -> MutantReport:
    """Judge every mutant of the solutions of `exercises`.

    Args:
        progress: called with what is being done, and how much of how much is done.

    Raises:
        GraderError: the course, or a record of equivalent mutants, cannot be read or judged.
    """
    report = MutantReport({exercise.id: 0 for exercise in exercises}, reasons=read_equivalent(course))
    queues = {
        lesson.id: [mutant for e in lesson.exercises if e in exercises for mutant in mutants(lesson, e)]
        for lesson in course.lessons
    }
    # One mutant of each lesson at a time, as different lessons do not touch each other.
    rounds = [
        {name: queue[turn] for name, queue in queues.items() if turn < len(queue)}
        for turn in range(max(map(len, queues.values()), default=0))
    ]
    trials = [_trial(course, mutated) for mutated in rounds]
    ids = tuple(exercise.id for exercise in exercises)
    settings = DeskSettings(ids, seed, isolation, gpu="off", seconds=SECONDS, diagnosis_seconds=0.0)
    came: dict[int, set[str]] = {}
    for place, results in run_trials(trials, settings):
        came[place] = {
            result.id for result in results if all(t.status in ("passed", "not_assessed") for t in result.tests)
        }
        if progress:
            progress(f"mutants, round {place + 1}", len(came), len(trials))
    for place, mutated in enumerate(rounds):
        for mutant in mutated.values():
            if mutant.exercise in came[place]:
                report.survived.append(mutant)
            else:
                report.killed[mutant.exercise] += 1
    alive = {(mutant.exercise, mutant.change) for mutant in report.survived}
    report.outdated = [key for key in report.reasons if key[0] in report.killed and key not in alive]
    return report


def _trial(course: Course, mutated: dict[str, Mutant]) -> Trial:
    texts = {}
    for lesson_id, mutant in mutated.items():
        answer = KnownAnswer(mutant.exercise, mutant.change, None, mutant.source, 0)
        texts[lesson_id] = with_answer(course.lesson(lesson_id), answer)
    return Trial("mutants", texts, tuple(mutant.exercise for mutant in mutated.values()), until_failure=True)


def mutants(lesson: Lesson, exercise: Exercise) -> list[Mutant]:
    """Every mutant of an exercise's solution, in the order of its lines; those that are spelled alike only once."""
    cell = next(cell for cell in read_cells(lesson.text) if cell.title == exercise.name and "points" in cell.metadata)
    lines = cell.source.splitlines()
    inside = _solution_lines(lines)
    tree = ast.parse(cell.source)
    found: dict[str, Mutant] = {}
    same = {ast.unparse(tree)}
    unnoticed = _unnoticed(tree)
    nodes = [node for node in ast.walk(tree) if getattr(node, "lineno", 0) in inside and node not in unnoticed]
    for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):  # type: ignore[attr-defined]
        for what, changed in _changes(tree, node):
            source = ast.unparse(ast.fix_missing_locations(changed))
            if source in same:
                continue
            same.add(source)
            # The line as it is written, so that a record says where to look and outlives moves of the line.
            change, count = f"{what} in `{lines[node.lineno - 1].strip()}`", 2  # type: ignore[attr-defined]
            while change in found:
                change = re.sub(r"( \(\d+\))?$", f" ({count})", change, count=1)
                count += 1
            found[change] = Mutant(exercise.id, change, source)
    return list(found.values())


def _solution_lines(lines: Sequence[str]) -> set[int]:
    """Numbers of the lines between the delimiters, from 1."""
    inside, numbers = False, set()
    for number, line in enumerate(lines, start=1):
        if line.strip() in (_BEGIN, _END):
            inside = line.strip() == _BEGIN
        elif inside:
            numbers.add(number)
    return numbers


def _unnoticed(tree: ast.Module) -> set[ast.AST]:
    """What no test can notice: docstrings, all that an exception says, and the guard `strict=` of `zip`."""
    found: set[ast.AST] = set()
    for node in ast.walk(tree):
        if _is_text(node):
            found |= {node, node.value}  # type: ignore[attr-defined]
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found |= {part for argument in node.exc.args for part in ast.walk(argument)} | {node.exc}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "zip":
            found |= {node, *(keyword.value for keyword in node.keywords)}
    return found


def _changes(tree: ast.Module, node: ast.AST) -> Iterator[tuple[str, ast.Module]]:
    """Each way to change one node: what it is, and the whole tree with it changed."""
    for what, replace in _replacements(node):
        changed = copy.deepcopy(tree)
        twin = _twin(tree, changed, node)
        replacement = replace(twin)
        if replacement is not twin:
            _put(changed, twin, replacement)
        yield what, changed


def _replacements(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], ast.AST]]]:
    """Descriptions and functions that change a copy of `node` in place or return what takes its place."""
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in _OTHER_OPERATOR:
        other = _OTHER_OPERATOR[type(node.op)]

        def swap(twin: ast.AST) -> ast.AST:
            twin.op = other()  # type: ignore[attr-defined]
            return twin

        yield f"{_sign(node.op)} becomes {_sign(other())}", swap
    elif isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            opposite = _OTHER_OPERATOR[type(operator)]

            def compare(twin: ast.AST, place: int = place, opposite: type[ast.AST] = opposite) -> ast.AST:
                twin.ops[place] = opposite()  # type: ignore[attr-defined]
                return twin

            yield f"{_sign(operator)} becomes {_sign(opposite())}", compare
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
        yield f"{_sign(node.op)} is dropped", lambda twin: twin.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _arguments(node)
    elif isinstance(node, (ast.If, ast.While, ast.IfExp)):

        def negate(twin: ast.AST) -> ast.AST:
            twin.test = ast.UnaryOp(ast.Not(), twin.test)  # type: ignore[attr-defined]
            return twin

        yield "the condition is negated", negate
    elif isinstance(node, (ast.Break, ast.Continue)):
        other_jump = ast.Continue() if isinstance(node, ast.Break) else ast.Break()
        yield "break and continue are swapped", lambda twin: other_jump
    if isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete)):
        yield "the statement is dropped", lambda twin: ast.Pass()
    if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name):
        yield "the statement is dropped", lambda twin: ast.Pass()
    if isinstance(node, ast.With):
        yield "the with is dropped", lambda twin: ast.If(ast.Constant(True), twin.body, [])  # type: ignore[attr-defined]
    if isinstance(node, ast.FunctionDef) and node.decorator_list:

        def undecorate(twin: ast.AST) -> ast.AST:
            twin.decorator_list = []  # type: ignore[attr-defined]
            return twin

        yield "the decorator is dropped", undecorate


def _constants(node: ast.Constant) -> Iterator[tuple[str, Callable[[ast.AST], ast.AST]]]:
    value = node.value
    if isinstance(value, bool):
        others: list[bool | int | float | str] = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1] if value else [1]
    elif isinstance(value, float):
        others = [value * 2 if value else 1.0]
    elif isinstance(value, str) and value:
        others = [value + "x"]
    else:
        others = []
    for other in others:

        def put(twin: ast.AST, other: bool | int | float | str = other) -> ast.AST:
            return ast.Constant(other)

        yield f"{value!r} becomes {other!r}", put


def _arguments(node: ast.Call) -> Iterator[tuple[str, Callable[[ast.AST], ast.AST]]]:
    for place, keyword in enumerate(node.keywords):

        def drop(twin: ast.AST, place: int = place) -> ast.AST:
            del twin.keywords[place]  # type: ignore[attr-defined]
            return twin

        yield f"{keyword.arg or '**'}= is dropped", drop
    called = node.func
    if isinstance(called, ast.Attribute) and ast.unparse(called.value) not in _MODULES:
        yield f".{called.attr}() is dropped", lambda twin: twin.func.value  # type: ignore[attr-defined]
    if len(node.args) >= 2 and ast.unparse(called).split(".")[-1] not in _COMMUTATIVE:

        def exchange(twin: ast.AST) -> ast.AST:
            arguments = twin.args  # type: ignore[attr-defined]
            arguments[0], arguments[1] = arguments[1], arguments[0]
            return twin

        yield "the first two arguments are swapped", exchange


def _twin(tree: ast.AST, changed: ast.AST, node: ast.AST) -> ast.AST:
    """The node of a deep copy that stands where `node` stands in the original."""
    return next(b for a, b in zip(ast.walk(tree), ast.walk(changed), strict=True) if a is node)


def _put(tree: ast.AST, old: ast.AST, new: ast.AST) -> None:
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
                return
            if isinstance(value, list):
                for place, item in enumerate(value):
                    if item is old:
                        value[place] = new
                        return


def _is_text(node: ast.AST) -> bool:
    """Whether a statement is only a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _sign(operator: ast.AST) -> str:
    """How Python spells an operator."""
    left, right = ast.Name("a"), ast.Name("b")
    if isinstance(operator, ast.unaryop):
        return ast.unparse(ast.UnaryOp(operator, left)).removesuffix("a").strip()
    if isinstance(operator, ast.boolop):
        return ast.unparse(ast.BoolOp(operator, [left, right]))[1:-1].strip()
    if isinstance(operator, ast.cmpop):
        return ast.unparse(ast.Compare(left, [operator], [right]))[1:-1].strip()
    assert isinstance(operator, ast.operator)
    return ast.unparse(ast.BinOp(left, operator, right))[1:-1].strip()


def read_equivalent(course: Course, root: Path = ROOT) -> dict[tuple[str, str], str]:
    """The recorded mutants that do the same as the solution: (exercise id, change) -> reason.

    A record is tests/<topic>/equivalent.toml: a table for each exercise (`["lesson/name"]`) of change = reason.

    Raises:
        CourseError: a record is no TOML of this form.
    """
    reasons: dict[tuple[str, str], str] = {}
    for topic in dict.fromkeys(lesson.topic for lesson in course.lessons):
        path = root / "tests" / topic / "equivalent.toml"
        if not path.is_file():
            continue
        try:
            for name, changes in tomllib.loads(path.read_text(encoding="utf-8")).items():
                reasons |= {(f"{topic}/{name}", change): str(reason) for change, reason in changes.items()}
        except (tomllib.TOMLDecodeError, AttributeError) as error:
            raise CourseError(f"tests/{topic}/equivalent.toml cannot be read: {error}") from None
    return reasons
