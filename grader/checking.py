"""For authors: tests the tests, with stubs, solutions, constants and the bank of known answers."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from grader.build.exercises import generated_files, stub_text
from grader.course import ROOT, Course, Exercise, KnownAnswer, Lesson, read_bank, suite_path, with_answer
from grader.desk import DeskSettings
from grader.result import ExerciseResult
from grader.trials import Trial, run_trials

LEAST_WRONG, LEAST_RIGHT, LEAST_HINTS = 4, 2, 2

# What an answer that does no work returns or raises. None of these may earn a point anywhere.
CONSTANTS = (
    *(f"return {value}" for value in ("None", "True", "False", "0", "1", "0.0", "()", "[]", "{}", "torch.zeros(())")),
    *(
        f"raise {kind}('index dim dtype shape size step value range empty')"
        for kind in ("ValueError", "IndexError", "TypeError", "RuntimeError", "KeyError")
    ),
)
QUICK_SHARE = 3


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with the course: where, and what."""

    place: str
    text: str


@dataclass
class ExerciseCheck:
    """What came of one exercise's known answers. `caught_by` names the tests that failed for each wrong one."""

    exercise: Exercise
    wrong: int = 0
    wrong_caught: int = 0
    right: int = 0
    right_accepted: int = 0
    caught_by: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class CheckReport:
    """All rows, and all findings; none means that the course is in order."""

    rows: list[ExerciseCheck]
    findings: list[Finding] = field(default_factory=list)

    def add(self, place: str, text: str) -> None:
        """Note a finding."""
        self.findings.append(Finding(place, text))


def check_course(
    course: Course,
    exercises: Sequence[Exercise],
    *,
    seed: int,
    isolation: str = "auto",
    quick: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> CheckReport:
    """Check `exercises` and what belongs to them.

    Args:
        quick: ask a wrong answer nothing more once it has failed a test, and ask each of the answers that do nothing
            of a third of the exercises only; run the examples for a third of the right answers.
        progress: called with what is being done, and how much of how much is done.

    Raises:
        GraderError: the course cannot be judged at all.
    """
    report = CheckReport([ExerciseCheck(exercise) for exercise in exercises])
    lessons = [lesson for lesson in course.lessons if any(e.lesson_id == lesson.id for e in exercises)]
    banks = {lesson.id: read_bank(lesson) for lesson in lessons}
    _check_generated(course, lessons, report)
    for lesson in lessons:
        _check_docstrings(lesson, report)
        _check_suite(lesson, report)
    for row in report.rows:
        _check_declaration(row.exercise, course, banks[row.exercise.lesson_id], report)
    judged = [exercise for exercise in exercises if exercise.tests]
    checks = list(_checks(lessons, judged, banks, quick))
    ids = tuple(exercise.id for exercise in judged)
    settings = DeskSettings(ids, seed, isolation, gpu="off", diagnosis_seconds=0.0)
    came: dict[int, tuple[ExerciseResult, ...]] = {}
    for place, results in run_trials([trial for trial, _ in checks], settings):
        came[place] = results
        if progress:
            progress(checks[place][0].what, len(came), len(checks))
    for place, (_, verdict) in enumerate(checks):
        for result in came[place]:
            verdict(result, report)
    return report


Verdict = Callable[[ExerciseResult, CheckReport], None]


def _checks(
    lessons: Sequence[Lesson], exercises: Sequence[Exercise], banks: dict[str, list[KnownAnswer]], quick: bool
) -> Iterator[tuple[Trial, Verdict]]:
    """Each submission made up for the check, with what must come of each exercise judged in it."""
    chosen = tuple(exercise.id for exercise in exercises)
    yield Trial("stubs", {lesson.id: stub_text(lesson) for lesson in lessons}, chosen), _expect_not_attempted
    yield Trial("solutions", {lesson.id: lesson.text for lesson in lessons}, chosen), _expect_all
    for number, body in enumerate(CONSTANTS):
        texts = {lesson.id: _constant_lesson(lesson, body) for lesson in lessons}
        mine = chosen[number % QUICK_SHARE :: QUICK_SHARE] if quick and len(chosen) > QUICK_SHARE else chosen
        yield Trial(f"`{body}`", texts, mine), _expect_nothing(body)
    # One answer of each lesson at a time: the lesson's other functions, on which it may build, stay right.
    ids = {exercise.id for exercise in exercises}
    queues = {lesson.id: [a for a in banks[lesson.id] if a.exercise in ids] for lesson in lessons}
    for number, texts, by_exercise in _rounds(lessons, queues):
        trial = Trial(f"known answers, round {number}", texts, tuple(by_exercise), until_failure=quick)
        yield trial, _expect_as_known(by_exercise)
    share = QUICK_SHARE if quick else 1
    right = {name: [answer for answer in queue if answer.message is None][::share] for name, queue in queues.items()}
    for number, texts, by_exercise in _rounds(lessons, right):
        trial = Trial(f"examples, round {number}", texts, tuple(by_exercise), publicly=True)
        yield trial, _expect_examples(by_exercise)


def _rounds(
    lessons: Sequence[Lesson], queues: dict[str, list[KnownAnswer]]
) -> Iterator[tuple[int, dict[str, str], dict[str, KnownAnswer]]]:
    """The next answer of each lesson's queue, round by round: its number, the lessons with them, and which they are."""
    for turn in range(max(map(len, queues.values()), default=0)):
        answers = {lesson: queues[lesson.id][turn] for lesson in lessons if turn < len(queues[lesson.id])}
        texts = {lesson.id: with_answer(lesson, answer) for lesson, answer in answers.items()}
        yield turn + 1, texts, {answer.exercise: answer for answer in answers.values()}


def _constant_lesson(lesson: Lesson, body: str) -> str:
    """A lesson whose every function does the same nothing."""
    text = "import torch\n\n"
    for exercise in lesson.exercises:
        for name in exercise.defines:
            text += f"def {name}(*arguments, **options):\n    {body}\n\n"
    return text


def _expect_not_attempted(result: ExerciseResult, report: CheckReport) -> None:
    for test in result.tests:
        if test.status not in ("not_attempted", "not_assessed"):
            report.add(result.id, f"test {test.name!r} gives {test.status} for the stub: it never calls the exercise")


def _expect_all(result: ExerciseResult, report: CheckReport) -> None:
    for test in result.tests:
        if test.status not in ("passed", "not_assessed"):
            report.add(result.id, f"the solution fails test {test.name!r}: {test.message}")


def _expect_nothing(body: str) -> Verdict:
    def verdict(result: ExerciseResult, report: CheckReport) -> None:
        passed = [test.name for test in result.tests if test.status == "passed"]
        if passed:
            report.add(result.id, f"an answer that only does `{body}` passes {', '.join(map(repr, passed))}")

    return verdict


def _expect_as_known(answers: dict[str, KnownAnswer]) -> Verdict:
    def verdict(result: ExerciseResult, report: CheckReport) -> None:
        answer = answers[result.id]
        row = next(row for row in report.rows if row.exercise.id == result.id)
        failed = [test for test in result.tests if test.status not in ("passed", "not_assessed")]
        place = _place(result, answer)
        if answer.message is None:
            row.right += 1
            row.right_accepted += not failed
            if failed:
                text = f"right answer {answer.label!r} is rejected by {failed[0].name!r}: {failed[0].message}"
                report.add(place, text)
        else:
            row.wrong += 1
            row.wrong_caught += bool(failed)
            row.caught_by[answer.label] = tuple(test.name for test in failed)
            if not failed:
                report.add(place, f"wrong answer {answer.label!r} is not caught by any test")
            elif broken := [test for test in failed if test.message and "cannot work with" in test.message]:
                report.add(
                    place, f"wrong answer {answer.label!r} makes {broken[0].name!r} stumble: {broken[0].message}"
                )

    return verdict


def _expect_examples(answers: dict[str, KnownAnswer]) -> Verdict:
    def verdict(result: ExerciseResult, report: CheckReport) -> None:
        answer = answers[result.id]
        for test in result.tests:
            if test.status != "passed":
                report.add(_place(result, answer), f"an example rejects right answer {answer.label!r}: {test.message}")

    return verdict


def _place(result: ExerciseResult, answer: KnownAnswer) -> str:
    return f"{result.id} ({_bank_name(result.lesson_id)}:{answer.line})"


def _bank_name(lesson_id: str) -> str:
    topic, name = lesson_id.split("/")
    return f"tests/{topic}/answers_{name}.py"


def _check_generated(course: Course, lessons: Sequence[Lesson], report: CheckReport) -> None:
    wanted = {f"{lesson.id}.py" for lesson in lessons} | {"catalogue.json"}
    known = set()
    for name, text in generated_files(course).items():
        known.add(name)
        path = ROOT / "exercises" / name
        present = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
        if name in wanted and present != text:
            state = "is missing" if present is None else "differs from what solutions/ and tests/ give"
            report.add(
                f"exercises/{name}", f"{state}: run `python -m grader build exercises` and look at the difference"
            )
    for path in sorted((ROOT / "exercises").glob("*/*.py")):
        if f"{path.parent.name}/{path.name}" not in known:
            report.add(f"exercises/{path.parent.name}/{path.name}", "belongs to no lesson of solutions/")


def _check_docstrings(lesson: Lesson, report: CheckReport) -> None:
    place = f"solutions/{lesson.id}.py"
    try:
        module = importlib.import_module(f"solutions.{lesson.topic}.{lesson.name}")
    except Exception as error:
        report.add(place, f"cannot be imported: {type(error).__name__}: {error}")
        return
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner(verbose=False)
    for exercise in lesson.exercises:
        if not exercise.examples:
            report.add(f"{place}, {exercise.name}", "the docstring has no example")
        for name in exercise.defines:
            for test in finder.find(getattr(module, name), name, module):
                output = io.StringIO()
                if runner.run(test, out=output.write, clear_globs=False).failed:
                    said = " ".join(output.getvalue().split())
                    report.add(f"{place}, {name}", f"a docstring example gives something else: {said[-300:]}")


def _check_suite(lesson: Lesson, report: CheckReport) -> None:
    path = suite_path(lesson.id)
    place = f"tests/{lesson.topic}/{path.name}"
    if not path.is_file():
        report.add(place, "is missing")
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.msg is None:
            report.add(f"{place}:{node.lineno}", "an assert without a message would leave the learner without a word")
    for node in tree.body:
        text = ast.unparse(node) if isinstance(node, ast.ClassDef) else ""
        if "mark.gpu" in text and "meta" not in text:
            report.add(f"{place}:{node.lineno}", "this class has a gpu test, but none on the `meta` device beside it")


def _check_declaration(exercise: Exercise, course: Course, bank: list[KnownAnswer], report: CheckReport) -> None:
    place = f"solutions/{exercise.lesson_id}.py, {exercise.name}"
    names = {other.name for other in course.exercises}
    mine = [answer for answer in bank if answer.exercise == exercise.id]
    wrong = [answer for answer in mine if answer.message is not None]
    if exercise.name not in exercise.defines:
        report.add(place, f"the cell defines {', '.join(exercise.defines) or 'nothing'}, not {exercise.name}")
    if exercise.points <= 0 or exercise.minutes <= 0:
        report.add(place, "points and minutes must be above 0")
    if len(exercise.hints) < LEAST_HINTS:
        report.add(place, f"has {len(exercise.hints)} hints; at least {LEAST_HINTS} are wanted")
    for need in exercise.needs:
        if need not in names:
            report.add(place, f"needs {need!r}, which is no exercise")
    if not exercise.tests:
        report.add(place, "has no hidden test")
    if len(wrong) < LEAST_WRONG or len(mine) - len(wrong) < LEAST_RIGHT:
        report.add(
            f"{_bank_name(exercise.lesson_id)}, {exercise.name}",
            f"holds {len(wrong)} wrong and {len(mine) - len(wrong)} right answers; "
            f"at least {LEAST_WRONG} and {LEAST_RIGHT} are wanted",
        )
    if len({answer.label for answer in mine}) < len(mine):
        report.add(f"{_bank_name(exercise.lesson_id)}, {exercise.name}", "two answers have the same label")
    if [other.id for other in course.exercises].count(exercise.id) > 1:
        report.add(place, "the id is taken twice")
