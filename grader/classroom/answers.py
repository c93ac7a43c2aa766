"""Knows answers that are the same text in several submissions: one is judged, and the others get what came of it.

An answer to an exercise is all that can have a say in its result: the lesson's file and its modules, without functions,
classes, imports and constants that this exercise never mentions, and that do nothing before somebody mentions them.
"""

from __future__ import annotations

import ast
import bisect
import functools
import hashlib
import pickle
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from grader.course import Course, Exercise, Lesson, suite_name
from grader.hidden import hidden_file
from grader.result import ExerciseResult, Result, TestResult
from grader.submission import LessonSource, Segment, Submission, place_in, statements_of

MOST_CHARACTERS = 2**17  # of a lesson; the answers of a longer one are not compared
_WORD = re.compile(r"\w+")
# What chance, a busy machine or another submission could have brought about is not passed on.
_PASSED_ON = frozenset(["passed", "failed", "error", "not_attempted", "not_assessed"])
_BY_CHANCE = re.compile(r"memory|DataLoader worker")
# Importing these does nothing but give names: workers have them, or nothing comes of it.
_QUIET_MODULES = frozenset(
    (
        "PIL PIL.Image bisect collections collections.abc contextlib copy csv dataclasses datetime decimal enum "
        "fractions functools grader grader.data hashlib heapq inspect io itertools jaxtyping json math multiprocessing "
        "numbers numpy operator os os.path pandas pathlib pickle random re shutil statistics string struct sys "
        "tempfile textwrap time torch torch.autograd torch.autograd.function torch.func torch.nn torch.nn.functional "
        "torch.nn.utils torch.nn.utils.rnn torch.optim torch.optim.lr_scheduler torch.utils.data torchvision "
        "torchvision.models torchvision.transforms torchvision.transforms.functional torchvision.transforms.v2 types "
        "typing uuid warnings"
    ).split()
)
# Deriving from these runs nothing of the class that derives, as an Enum would.
_QUIET_BASES = frozenset(
    (
        "Exception IndexError RuntimeError TypeError ValueError dict list object torch.autograd.Function "
        "torch.nn.Conv2d torch.nn.Linear torch.nn.Module torch.nn.Sequential torch.optim.Adam torch.optim.AdamW "
        "torch.optim.Optimizer torch.optim.SGD torch.optim.lr_scheduler.LRScheduler torch.utils.data.Dataset "
        "torch.utils.data.IterableDataset torch.utils.data.Sampler torch.utils.data.Subset "
        "torch.utils.data.WeightedRandomSampler typing.NamedTuple"
    ).split()
)
# What these do, they do with what they decorate alone.
_QUIET_DECORATORS = frozenset(
    (
        "contextlib.contextmanager functools.cache functools.lru_cache property staticmethod "
        "torch.autograd.function.once_differentiable torch.enable_grad torch.inference_mode torch.no_grad"
    ).split()
)
_CALLING = (ast.Call, ast.Await, ast.NamedExpr, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Starred)
# With these, code can find or run what it does not mention: as a name, after a dot, or in a text that it may run.
_LOOKS_AROUND = re.compile(
    r"\b(?:globals|locals|vars|exec|getattr|attrgetter|methodcaller|inspect|linecache|importlib|sys|gc|traceback|ctypes"
    r"|builtins|__builtins__|__dict__|__globals__|__code__|__doc__|__import__|__getattribute__|__subclasses__"
    r"|f_back|f_globals|gi_frame|tb_frame)\b"
    r"|(?<![.\w])eval\b"
)


@dataclass(frozen=True)
class Answer:
    """One exercise as one submission answers it: the digest of its text and of the run, and where that text stands.

    `lines` are the first lines of the statements that have a say in it, in order; `filename` and `cells` are those of
    its LessonSource.
    """

    key: str
    lines: tuple[int, ...]
    filename: str = ""
    cells: tuple[tuple[int, int], ...] = ()

    def place(self, line: int) -> str:
        """A line as messages name it."""
        return place_in(self.filename, self.cells, line)

    def has(self, line: int) -> bool:
        """Whether a line may be one of this answer."""
        return bool(self.lines) and line >= self.lines[0]

    def line_in(self, other: Answer, line: int) -> int:
        """Where a line of this answer stands in another submission that has the same."""
        statement = bisect.bisect_right(self.lines, line) - 1
        return other.lines[statement] + line - self.lines[statement]


@dataclass(frozen=True)
class _Part:
    """A statement of a lesson: the words in it, the names that it gives, and whether that is all that it does.

    `looks_around` says that it may find or run what it does not mention.
    """

    line: int
    text: str
    words: frozenset[str]
    gives: frozenset[str]
    quiet: bool
    looks_around: bool


def answers_in(submission: Submission, course: Course, exercises: Sequence[Exercise], run: str) -> dict[str, Answer]:
    """The answers of a submission, by exercise id; those that cannot be compared with others are left out.

    Args:
        course: with its solutions.
        run: digest of everything else that results depend on; see grader.classroom.fingerprint.run_fingerprint.
    """
    found: dict[str, Answer] = {}
    for lesson in course.lessons:
        source = submission.lessons.get(lesson.id)
        if source and not source.problem and sum(map(len, _texts(source))) <= MOST_CHARACTERS:
            mine = [exercise for exercise in exercises if exercise.lesson_id == lesson.id]
            found |= _answers_in_lesson(source, mine, asked_for(lesson), run)
    return found


@functools.lru_cache
def asked_for(lesson: Lesson) -> frozenset[str]:
    """What a lesson defines for its exercises and its hidden tests ask for, beside an exercise's own names."""
    nodes = [node for node in ast.parse(lesson.text).body if not _imported(node)]
    names = {name for node in nodes for name in _names_given(node)}
    tests = hidden_file(suite_name(lesson.id)).decode()
    return frozenset(names.intersection(_WORD.findall(tests)).difference(*(e.defines for e in lesson.exercises)))


def _texts(source: LessonSource) -> Iterator[str]:
    yield from (segment.source for segment in source.segments)
    yield from (module.source for module in source.modules)


def _answers_in_lesson(
    source: LessonSource, exercises: Sequence[Exercise], asked: frozenset[str], run: str
) -> dict[str, Answer]:
    parts = _parts(source)
    modules = [[module.name, module.source] for module in source.modules]
    found = {}
    for exercise in exercises:
        if any(exercise.name in part.gives for part in parts):
            needed = _needed(asked.union(exercise.defines), parts)
            if modules or any(part.looks_around for part in needed):
                needed = parts
            texts = [part.text for part in needed]
            digest = hashlib.sha256(repr([run, exercise.id, modules, texts]).encode("utf-8", "surrogatepass"))
            lines = tuple(part.line for part in needed)
            found[exercise.id] = Answer(digest.hexdigest(), lines, source.filename, tuple(source.cells))
    return found


def _needed(names: frozenset[str], parts: Sequence[_Part]) -> list[_Part]:
    """What has a say in what these names do: statements that do more than give a name, and those whose name is used."""
    needed: dict[int, _Part] = {}
    mentioned = names
    while True:
        for place, part in enumerate(parts):
            if not (part.quiet and part.gives.isdisjoint(mentioned)):
                needed[place] = part
        more = mentioned.union(*(part.words for part in needed.values()))
        if more == mentioned:
            return [needed[place] for place in sorted(needed)]
        mentioned = more


def _parts(source: LessonSource) -> list[_Part]:
    statements = [(segment, *each) for segment in source.segments for each in _statements(segment)]
    origins = _origins([node for _, node, _, _ in statements if node])
    given = Counter(name for _, node, _, _ in statements if node for name in _names_given(node))
    parts = []
    for segment, node, line, text in statements:
        parts.append(_part(segment, node, line, text, origins))
        if isinstance(node, ast.ClassDef) and parts[-1].quiet and given[node.name] == 1:
            origins[node.name] = "object"  # Deriving from it runs no more than that.
    return parts


def _statements(segment: Segment) -> list[tuple[ast.stmt | None, int, str]]:
    try:
        return list(statements_of(ast.parse(segment.source), segment.source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # It is not required, or the file does not run.
        return [(None, 1, segment.source)]


def _origins(nodes: Sequence[ast.stmt]) -> dict[str, str | None]:
    """What the names that a lesson imports stand for, like torch.nn for nn; None where that is not clear."""
    found: dict[str, set[str | None]] = {}
    for node in nodes:
        imported = _imported(node)
        for name in _names_given(node):
            found.setdefault(name, set()).add(imported.get(name))
    return {name: origins.pop() if len(origins) == 1 else None for name, origins in found.items()}


def _names_given(node: ast.stmt) -> list[str]:
    """The names that a definition, an import or an assignment gives."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    return [*_imported(node), *(target.id for target in _targets(node) if isinstance(target, ast.Name))]


def _imported(node: ast.stmt) -> dict[str, str]:
    """What an import gives, by the name that it has from then on."""
    if isinstance(node, ast.Import):
        roots = [(each, each.name.split(".")[0]) for each in node.names]
        return {each.asname or root: each.name if each.asname else root for each, root in roots}
    if isinstance(node, ast.ImportFrom):
        return {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return {}


def _targets(node: ast.stmt) -> list[ast.expr]:
    """What is assigned to; the names in `a, b = 1, 2` one by one."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [each for target in targets for each in (target.elts if isinstance(target, ast.Tuple) else [target])]


def _part(segment: Segment, node: ast.stmt | None, line: int, text: str, origins: Mapping[str, str | None]) -> _Part:
    first, said = segment.first_line + line - 1, f"{segment.required} {text}"
    if node is None:
        return _Part(first, said, frozenset(_WORD.findall(text)), frozenset(), quiet=False, looks_around=True)
    words, names = _WORD.findall(_without_docstrings(node, line, text)), _names_given(node)
    return _Part(first, said, frozenset(words), frozenset(names), _is_quiet(node, origins), _looks_around(node, text))


def _looks_around(node: ast.stmt, text: str) -> bool:
    """Whether code may find or run what it does not mention; what nobody runs, as docstrings, does not count."""
    if text.isascii() and "\\" not in text and not _LOOKS_AROUND.search(text):
        return False  # As most: nothing in it can be another spelling of what is looked for.
    every = list(ast.walk(node))
    harmless = {id(each.value) for each in every if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)}
    harmless |= {id(each.func) for each in every if isinstance(each, ast.Call) and _asks_for_one_attribute(each)}
    return any(_LOOKS_AROUND.search(said) for each in every if id(each) not in harmless for said in _said(each))


def _asks_for_one_attribute(call: ast.Call) -> bool:
    """Whether it is getattr(..., "name"): no more than a dot does, and the name is looked at by itself."""
    named = call.args[1:2]
    return _said(call.func) == ["getattr"] and bool(named) and isinstance(named[0], ast.Constant)


def _said(node: ast.AST) -> list[str]:
    """What one node names, without those in it."""
    match node:
        case (
            ast.Name(id=name) | ast.alias(name=name) | ast.ImportFrom(module=str(name)) | ast.Constant(value=str(name))
        ):
            return [name]
        case ast.Attribute(attr=name):
            return [f".{name}"]
    return []


def _without_docstrings(node: ast.stmt, line: int, text: str) -> str:
    """A definition's text without the docstrings that fill whole lines: a name that they mention is not used.

    Args:
        line: number of the first line of `text`.
    """
    lines = text.split("\n")
    methods = node.body if isinstance(node, ast.ClassDef) else []
    for each in (node, *methods):
        if isinstance(each, (ast.FunctionDef, ast.ClassDef)):
            first, *others = each.body
            start, end = first.lineno - line, (first.end_lineno or first.lineno) - line
            alone = not lines[start][: first.col_offset].strip() and all(o.lineno - line > end for o in others[:1])
            if alone and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines[start : end + 1] = [""] * (end + 1 - start)
    return "\n".join(lines)


def _is_quiet(node: ast.stmt, origins: Mapping[str, str | None]) -> bool:
    """Whether all that a statement does is to give names, which mean nothing to Python itself as __builtins__ does."""
    if any(name.startswith("__") for name in _names_given(node)):
        return False
    if isinstance(node, ast.FunctionDef):
        return _has_quiet_decorators(node, origins) and _has_quiet_head(node)
    if isinstance(node, ast.ClassDef):
        known = all(_origin(base, origins) in _QUIET_BASES for base in node.bases)
        # What the class itself gives is nearer to its decorators than what the names stand for elsewhere.
        nearer = {**origins, **dict.fromkeys(name for each in node.body for name in _names_given(each))}
        inside = all(_is_quiet_in_class(each, nearer) for each in node.body)
        return known and inside and not node.decorator_list and not node.keywords
    if isinstance(node, ast.Import):
        return all(each.name in _QUIET_MODULES for each in node.names)
    if isinstance(node, ast.ImportFrom):
        # What begins with an underscore may be a module that is imported by this.
        plain = not any(each.name[0] in "*_" for each in node.names)
        return plain and not node.level and node.module in _QUIET_MODULES
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        return all(isinstance(target, ast.Name) for target in _targets(node)) and _calls_nothing(node)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_quiet_in_class(node: ast.stmt, origins: Mapping[str, str | None]) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return not isinstance(node, ast.ClassDef) and _is_quiet(node, origins)
    # Python calls these two for a class, the others for its instances.
    for_instances = node.name not in ("__init_subclass__", "__class_getitem__")
    return for_instances and _has_quiet_decorators(node, origins) and _has_quiet_head(node)


def _has_quiet_decorators(node: ast.FunctionDef, origins: Mapping[str, str | None]) -> bool:
    return all(_origin(decorator, origins) in _QUIET_DECORATORS for decorator in node.decorator_list)


def _has_quiet_head(node: ast.FunctionDef) -> bool:
    arguments = node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return all(map(_calls_nothing, [*every, *arguments.defaults, *arguments.kw_defaults, node.returns]))


def _origin(node: ast.expr, origins: Mapping[str, str | None]) -> str | None:
    """What a base or a decorator is called where it comes from, without arguments: torch.no_grad for `no_grad()`."""
    if isinstance(node, ast.Call) and not node.args and not node.keywords:
        return _origin(node.func, origins)
    if isinstance(node, ast.Subscript) and _calls_nothing(node.slice):
        return _origin(node.value, origins)
    if isinstance(node, ast.Attribute):
        above = _origin(node.value, origins)
        return above and f"{above}.{node.attr}"
    return origins.get(node.id, node.id) if isinstance(node, ast.Name) else None


def _calls_nothing(node: ast.AST | None) -> bool:
    return node is None or not any(isinstance(each, _CALLING) for each in ast.walk(node))


class JudgedAnswers:
    """What came of answers that were judged."""

    def __init__(self) -> None:
        self._results: dict[str, tuple[Answer, bytes]] = {}  # packed: a class has thousands

    def learn(self, result: Result, answers: Mapping[str, Answer]) -> None:
        """Keep what came of a submission's answers, as far as it would come of the same answers again."""
        for exercise in result.exercises:
            answer = answers.get(exercise.id)
            if answer and answer.key not in self._results and _can_be_passed_on(exercise, answer):
                self._results[answer.key] = answer, zlib.compress(pickle.dumps(exercise), 1)

    def known(self, answers: Mapping[str, Answer]) -> dict[str, ExerciseResult]:
        """What comes of these answers if their files run, by exercise id, as far as it is known."""
        return {name: self._result(answer) for name, answer in answers.items() if answer.key in self._results}

    def _result(self, answer: Answer) -> ExerciseResult:
        judged, packed = self._results[answer.key]
        exercise: ExerciseResult = pickle.loads(zlib.decompress(packed))
        return replace(exercise, tests=tuple(_moved(test, judged, answer) for test in exercise.tests))


def _can_be_passed_on(exercise: ExerciseResult, answer: Answer) -> bool:
    return all(test.status in _PASSED_ON and _stands_in(test, answer) for test in exercise.tests)


def _stands_in(test: TestResult, answer: Answer) -> bool:
    """Whether what a test says of this submission's lines can be said of another's."""
    if test.status == "error":
        message = test.message or ""
        known = test.line is not None and answer.has(test.line) and f"({answer.place(test.line)})" in message
        return known and not _BY_CHANCE.search(message)
    return test.line is None or (test.status == "not_attempted" and answer.has(test.line))


def _moved(test: TestResult, judged: Answer, answer: Answer) -> TestResult:
    """What a test of one answer says of the same one in another submission."""
    if test.line is None:
        return test
    line = judged.line_in(answer, test.line)
    old, new = f"({judged.place(test.line)})", f"({answer.place(line)})"
    message = test.message and test.message.replace(old, new)
    comparison = test.comparison and replace(test.comparison, brief=test.comparison.brief.replace(old, new))
    return replace(test, line=line, message=message, comparison=comparison)
