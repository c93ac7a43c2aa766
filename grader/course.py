"""The course: topics, lessons, exercises and the bank of known answers, read from solutions/ and tests/."""

from __future__ import annotations

import ast
import difflib
import doctest
import fnmatch
import functools
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.errors import CourseError, UnknownExercise
from grader.hidden import CATALOGUE, ROOT, FolderFiles, HiddenFiles, hidden_files
from grader.percent import Cell, read_cells

TOPICS = ("pretrained", "tensors", "data_loading", "autograd")
LEVELS = ("warm-up", "core", "hard", "capstone")
# A class of a suite that is marked with an exercise, up to the next line that is not indented.
_TESTS_OF_EXERCISE = re.compile(
    r"""^@exercise\((["'])(?P<name>\w+)\1\)\n(?:@.*\n)*class .*\n(?P<body>(?:(?:[ \t]+.*)?\n)*)""", re.MULTILINE
)


@dataclass(frozen=True)
class Exercise:
    """One exercise, as its cell declares it. `id` is `topic/lesson/name`; `defines` are the names it writes.

    `examples` are the interactive sessions in the docstrings of these, one text for each docstring that has some.
    """

    topic: str
    lesson: str
    name: str
    title: str
    points: float
    level: str
    minutes: int
    needs: tuple[str, ...]
    hints: tuple[str, ...]
    defines: tuple[str, ...]
    tests: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.topic}/{self.lesson}/{self.name}"

    @property
    def lesson_id(self) -> str:
        return f"{self.topic}/{self.lesson}"


@dataclass(frozen=True)
class Lesson:
    """One lesson: `text` is the whole file, solutions included; empty where there are none (student version).

    `imports` is what it imports, by full name (torchvision.transforms.v2), `data` the files of data/ that it reads.
    """

    topic: str
    name: str
    title: str
    order: int
    exercises: tuple[Exercise, ...]
    text: str = ""
    imports: tuple[str, ...] = ()
    data: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.topic}/{self.name}"


@dataclass(frozen=True)
class KnownAnswer:
    """An answer in the bank. `message` is what a wrong one means, for the learner; None for a right one."""

    exercise: str
    label: str
    message: str | None
    source: str
    line: int


@dataclass(frozen=True)
class Course:
    """Lessons in the order in which they are taught."""

    lessons: tuple[Lesson, ...]

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        return tuple(exercise for lesson in self.lessons for exercise in lesson.exercises)

    def lesson(self, lesson_id: str) -> Lesson:
        return next(lesson for lesson in self.lessons if lesson.id == lesson_id)

    def exercise(self, exercise_id: str) -> Exercise:
        return next(exercise for exercise in self.exercises if exercise.id == exercise_id)

    def select(self, patterns: Iterable[str] = (), topics: Iterable[str] = ()) -> tuple[Exercise, ...]:
        """The exercises that fit any of `patterns` (ids, unambiguous tails of ids, globs) within `topics`.

        Raises:
            UnknownExercise: a pattern or topic fits nothing, or a tail is ambiguous.
        """
        topics, patterns = list(topics), list(patterns)
        known = {exercise.topic for exercise in self.exercises}
        for topic in topics:
            if topic not in known:
                raise UnknownExercise(f"no topic {topic!r}; there are: {', '.join(sorted(known))}")
        pool = [exercise for exercise in self.exercises if not topics or exercise.topic in topics]
        if not patterns:
            return tuple(pool)
        chosen = {exercise.id for pattern in patterns for exercise in self._matching(pattern, pool)}
        return tuple(exercise for exercise in pool if exercise.id in chosen)

    def _matching(self, pattern: str, pool: Sequence[Exercise]) -> list[Exercise]:
        pattern = pattern.strip("/")
        glob = any(character in pattern for character in "*?[")
        whole = [e for e in pool if pattern in (e.topic, e.lesson_id, e.lesson)]
        found = whole or [e for e in pool if fnmatch.fnmatchcase(e.id, pattern)]
        found = found or [e for e in pool if fnmatch.fnmatchcase("/" + e.id, "*/" + pattern)]
        if not found:
            names = [tail for e in pool for tail in (e.id, f"{e.lesson}/{e.name}", e.name)]
            near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnknownExercise(f"no exercise {pattern!r}{hint} (`python -m grader list` shows all)")
        if len(found) > 1 and not glob and not whole:
            ids = ", ".join(e.id for e in found)
            raise UnknownExercise(f"{pattern!r} could be any of {ids}: give more of the id")
        return found


@functools.cache
def load_course(root: Path = ROOT) -> Course:
    """The course below `root`: from its hidden files where they are to be had, else from exercises/catalogue.json.

    Raises:
        CourseError: a lesson or the catalogue cannot be read; the text names file and line.
        SealError: the hidden files are sealed, and the key does not open them.
    """
    files = hidden_files(root)
    return read_solutions(files) if files else read_catalogue(root / CATALOGUE)


def require_solutions(course: Course, what: str) -> None:
    """Make sure that this is the author's repository, for `what` needs it.

    Raises:
        CourseError: it is a student version.
    """
    if not all(lesson.text for lesson in course.lessons):
        raise CourseError(f"{what} needs solutions/ and tests/, which a student version does not have")


def read_solutions(files: HiddenFiles | Path) -> Course:
    """Read all lessons of solutions/, in `files` or below this folder.

    Raises:
        CourseError: one of them cannot be read.
    """
    if isinstance(files, Path):
        files = FolderFiles(files)
    lessons = []
    for place in files.lessons():
        topic, name = Path(place).parts[1], Path(place).stem
        lessons.append(_lesson(place, _read(files, place), _suite_tests(files, f"{topic}/{name}")))
    for lesson in lessons:
        if lesson.topic not in TOPICS:
            raise CourseError(f"solutions/{lesson.id}.py: no topic {lesson.topic!r}; topics are {', '.join(TOPICS)}")
    return Course(tuple(sorted(lessons, key=lambda lesson: (TOPICS.index(lesson.topic), lesson.order))))


def read_lesson(path: Path, tests: dict[str, tuple[str, ...]] | None = None) -> Lesson:
    """Read one file of solutions/: prose, and one cell for each exercise.

    Args:
        tests: the names of the hidden tests of each exercise, as from `suite_tests`.

    Raises:
        CourseError: no title, no order, or an exercise whose declaration is incomplete.
    """
    return _lesson(f"solutions/{path.parent.name}/{path.name}", path.read_text(encoding="utf-8"), tests or {})


def _lesson(place: str, text: str, tests: dict[str, tuple[str, ...]]) -> Lesson:
    topic, name = Path(place).parts[1], Path(place).stem
    try:
        cells = read_cells(text)
    except ValueError as error:
        raise CourseError(f"{place}: {error}") from None
    first = next((cell for cell in cells if cell.markdown), None)
    title = _heading(first.source, "# ") if first else None
    if not first or not title or not isinstance(first.metadata.get("lesson"), int):
        raise CourseError(f"{place}: begin with a cell `# %% [markdown] lesson=N` that holds the title as `# Title`")
    exercises, heading = [], ""
    for cell in cells:
        if cell.markdown:
            heading = _heading(cell.source, "## ") or heading
        elif "points" in cell.metadata:
            names = tests.get(cell.title, ())
            exercises.append(_read_exercise(topic, name, heading, cell, names, f"{place}:{cell.line}"))
    return Lesson(topic, name, title, first.metadata["lesson"], tuple(exercises), text, _imports(text), _data(text))


def _imports(text: str) -> tuple[str, ...]:
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            found += [package + each.name for each in node.names]
    return tuple(dict.fromkeys([*found, *(["torch.optim"] if re.search(r"\boptim\b", text) else [])]))


def _data(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"""data_file\(["']([^"']+)["']\)""", text)))


def _heading(markdown: str, marker: str) -> str | None:
    return next((line.removeprefix(marker).strip() for line in markdown.splitlines() if line.startswith(marker)), None)


def _read_exercise(topic: str, lesson: str, title: str, cell: Cell, tests: tuple[str, ...], place: str) -> Exercise:
    options = cell.metadata
    missing = [name for name in ("points", "level", "minutes", "needs") if name not in options]
    if missing or not cell.title or not title:
        lacks = missing + ([] if cell.title else ["a name"]) + ([] if title else ["a `## Title` before it"])
        raise CourseError(f"{place}: the exercise lacks {', '.join(lacks)}")
    if options["level"] not in LEVELS:
        raise CourseError(f"{place}: level {options['level']!r} is none of {', '.join(LEVELS)}")
    if not cell.title.isidentifier():
        raise CourseError(f"{place}: {cell.title!r} is no Python name")
    return Exercise(
        topic=topic,
        lesson=lesson,
        name=cell.title,
        title=title,
        points=float(options["points"]),
        level=options["level"],
        minutes=int(options["minutes"]),
        needs=tuple(options["needs"]),
        hints=tuple(re.findall(r"^\s*# Hint: (.+)$", cell.source, re.MULTILINE)),
        defines=defined_names(cell.source, place),
        tests=tests,
        examples=_examples(cell.source),
    )


def _examples(source: str) -> tuple[str, ...]:
    """The interactive sessions in the docstrings of a cell's public functions and classes."""
    nodes = [node for node in ast.parse(source).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    nodes = [node for node in nodes if not node.name.startswith("_")]
    texts = []
    for node in nodes:
        examples = doctest.DocTestParser().get_examples(ast.get_docstring(node) or "")
        texts.append("".join(_session(example) for example in examples))
    return tuple(text for text in texts if text)


def _session(example: doctest.Example) -> str:
    first, *others = example.source.splitlines()
    return "\n".join([f">>> {first}", *(f"... {line}".rstrip() for line in others), example.want])


def defined_names(source: str, place: str) -> tuple[str, ...]:
    """The public functions and classes that a cell defines at its top level."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise CourseError(f"{place}: {error.msg} (line {error.lineno} of the cell)") from None
    kinds = (ast.FunctionDef, ast.ClassDef)
    return tuple(node.name for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_"))


def read_catalogue(path: Path) -> Course:
    """Read what `catalogue` wrote.

    Raises:
        CourseError: it is not there or not as `catalogue` writes it.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        lessons = []
        for entry in data["lessons"]:
            exercises = tuple(_from_entry(exercise) for exercise in entry["exercises"])
            lessons.append(
                Lesson(
                    entry["topic"],
                    entry["name"],
                    entry["title"],
                    entry["order"],
                    exercises,
                    imports=tuple(entry["imports"]),
                    data=tuple(entry["data"]),
                )
            )
        return Course(tuple(lessons))
    except OSError:
        raise CourseError(f"{path} is missing: restore it (`git checkout {path.name}` in its folder)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(f"{path} cannot be read ({str(error)[:200]}): restore it from version control") from None


def _from_entry(entry: dict[str, Any]) -> Exercise:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in entry.items() if name != "id"
    }
    return Exercise(**fields)


def catalogue(course: Course) -> dict[str, Any]:
    """What is public about a course, as JSON: no solutions, no tests but their names."""

    def entry(exercise: Exercise) -> dict[str, Any]:
        fields = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(exercise).items()}
        return {"id": exercise.id, **fields}

    return {
        "schema": "grader/catalogue/v1",
        "lessons": [
            {
                "topic": lesson.topic,
                "name": lesson.name,
                "title": lesson.title,
                "order": lesson.order,
                "imports": list(lesson.imports),
                "data": list(lesson.data),
                "exercises": [entry(exercise) for exercise in lesson.exercises],
            }
            for lesson in course.lessons
        ],
    }


def suite_name(lesson_id: str) -> str:
    """The path of a lesson's hidden tests from the course's root, in whatever form the hidden files are there."""
    topic, name = lesson_id.split("/")
    return f"tests/{topic}/test_{name}.py"


def suite_path(lesson_id: str, root: Path = ROOT) -> Path:
    """Where the hidden tests of a lesson are; a file, where they are not sealed."""
    return root / suite_name(lesson_id)


def _read(files: HiddenFiles, name: str) -> str:
    """A text of the hidden files; empty if it is not there."""
    try:
        return (files.read(name) or b"").decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise CourseError(f"{name} is not UTF-8 text") from None


def suite_tests(path: Path) -> dict[str, tuple[str, ...]]:
    """The names of the hidden tests of each exercise in a suite, in words; read, not run."""
    lesson_id = f"{path.parent.name}/{path.stem.removeprefix('test_')}"
    return _suite_tests(FolderFiles(path.parents[2]), lesson_id) if path.is_file() else {}


def _suite_tests(files: HiddenFiles, lesson_id: str) -> dict[str, tuple[str, ...]]:
    # Not by its syntax tree: for all suites that takes half a second, and each command waits for it.
    tests: dict[str, tuple[str, ...]] = {}
    for found in _TESTS_OF_EXERCISE.finditer(_read(files, suite_name(lesson_id)) + "\n"):
        names = re.findall(r"^    def (test_\w+)\(", found["body"], re.MULTILINE)
        tests[found["name"]] = tests.get(found["name"], ()) + tuple(map(in_words, names))
    return tests


def marked_exercise(node: ast.ClassDef) -> str | None:
    """The exercise that a suite's class judges, by its marker; None if it has none."""
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "exercise":
            return ast.literal_eval(decorator.args[0])
    return None


def in_words(test_name: str) -> str:
    """A test's name as a learner reads it: `test_keeps_the_offset[2]` is "keeps the offset [2]"."""
    name, bracket, rest = test_name.removeprefix("test_").partition("[")
    return name.replace("_", " ") + (f" {bracket}{rest}" if bracket else "")


def read_bank(lesson: Lesson, root: Path = ROOT) -> list[KnownAnswer]:
    """The known answers of a lesson: cells `# %% name wrong="label"` and `# %% name right="label"`.

    The comment at the head of a wrong answer's cell is its message.

    Raises:
        CourseError: a cell names no exercise of the lesson, has no label, or a wrong answer has no message.
    """
    place = f"tests/{lesson.topic}/answers_{lesson.name}.py"
    files = hidden_files(root)
    if files is None:
        return []
    ids = {exercise.name: exercise.id for exercise in lesson.exercises}
    answers = []
    try:
        cells = read_cells(_read(files, place))
    except ValueError as error:
        raise CourseError(f"{place}: {error}") from None
    for cell in cells:
        if cell.markdown or not cell.title:
            continue
        if cell.title not in ids or not ({"wrong", "right"} & set(cell.metadata)):
            raise CourseError(f'{place}:{cell.line}: a known answer begins with `# %% NAME wrong="..."` or right="..."')
        wrong = "wrong" in cell.metadata
        comment = re.match(r"(?:#.*(?:\n|$))+", cell.source)
        if wrong and not comment:
            raise CourseError(f"{place}:{cell.line}: a wrong answer says in a comment at its head what went wrong")
        message = " ".join(line.lstrip("# ").strip() for line in comment[0].splitlines()) if wrong and comment else None
        label = cell.metadata["wrong" if wrong else "right"]
        answers.append(KnownAnswer(ids[cell.title], label, message, cell.source, cell.line))
    return answers


def with_answer(lesson: Lesson, answer: KnownAnswer) -> str:
    """The lesson's file with one exercise's cell replaced by a known answer."""
    name = answer.exercise.rsplit("/", 1)[1]
    cell = next(cell for cell in read_cells(lesson.text) if cell.title == name and "points" in cell.metadata)
    lines = lesson.text.splitlines()
    lines[cell.line - 1 : cell.line - 1 + len(cell.source.splitlines())] = answer.source.splitlines()
    return "\n".join(lines) + "\n"
