"""From a probe to what was seen: the `observe` fixture's work, and the words for what may go wrong on the way."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

from grader import slips
from grader.course import Exercise, load_course
from grader.submission import LessonSource
from grader.worker import codec, inputs
from grader.worker.answering import answer
from grader.worker.lesson import Names, load_lesson

MOST_LINES = 10_000_000

Probe = Callable[[Any], Any]


class Unanswered(Exception):
    """A probe brought no data back. `status` is the test's outcome; the text is a sentence for the learner.

    `kind` tells outcomes of one status apart, whatever the sentence: the type of the exception, say.
    """

    def __init__(self, status: str, sentence: str, line: int | None = None, kind: str = "") -> None:
        super().__init__(sentence)
        self.status = status
        self.line = line
        self.kind = kind


@dataclass(frozen=True)
class Asked:
    """One probe as it went down, and what came of it. `seconds` is how long it took.

    `reply` is the data as it came, encoded (a test may change what it was given); or why there was none.
    """

    probe: bytes
    gpu: bool
    reply: bytes | Unanswered
    seconds: float

    @property
    def size(self) -> int:
        """How many bytes this keeps."""
        return len(self.probe) + (len(self.reply) if isinstance(self.reply, bytes) else 0)

    @functools.cached_property
    def seen(self) -> Any:
        """What the probe brought back, or the Unanswered that came instead."""
        if isinstance(self.reply, Unanswered):
            return self.reply
        return _namespace(codec.decode(self.reply)["value"])


# What taking data apart may raise that is not as it should be.
NOT_OF_THIS_FORM = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RuntimeError)


def no_answer() -> Unanswered:
    """For a reply that no honest submission sends."""
    return Unanswered("crashed", "the submission sent something that is not an answer")


class Observer(Protocol):
    """Something that can run probes beside a submission."""

    def observe(self, exercise: Exercise, probe: Probe, gpu: bool = False) -> Any:
        """Run `probe` (with the GPU at hand, if `gpu`) and return the data it brought back.

        Raises:
            Unanswered: it brought none.
        """

    def close(self) -> None: ...


class InProcessObserver:
    """Runs probes in this very process: for debugging one's own code, never for judging a stranger's."""

    def __init__(self, lessons: dict[str, LessonSource]) -> None:
        self.lessons = lessons
        self.loaded: dict[str, Names] = {}
        self.asked: list[Asked] = []  # Nothing is asked again of code that runs in this process.

    def observe(self, exercise: Exercise, probe: Probe, gpu: bool = False) -> Any:
        """See Observer."""
        lesson = readable_lesson(self.lessons, exercise)
        # A copy of the inputs, as another process would have.
        copy = inputs.unpack(inputs.pack(probe))

        def call() -> Any:
            if lesson.lesson_id not in self.loaded:
                self.loaded[lesson.lesson_id] = load_lesson(
                    exercise.lesson, lesson.filename, lesson.segments, exercise.topic, lesson.modules
                )
            return copy(self.loaded[lesson.lesson_id])

        return interpret(_decoded(answer(call, lesson.filename)), exercise, lesson)

    def close(self) -> None:
        self.loaded.clear()


def _decoded(data: bytes) -> Any:
    try:
        return codec.decode(data)
    except codec.Malformed as error:
        raise Unanswered("crashed", f"the answer cannot be read back: {error}") from None


def readable_lesson(lessons: dict[str, LessonSource], exercise: Exercise) -> LessonSource:
    """The lesson that holds an exercise.

    Raises:
        Unanswered: the submission has no such lesson, or its file cannot be read.
    """
    lesson = lessons.get(exercise.lesson_id)
    if lesson is None:
        raise Unanswered("not_attempted", f"the submission has no {exercise.lesson_id}.py")
    if lesson.problem:
        raise Unanswered("error", lesson.problem)
    return lesson


def interpret(reply: Any, exercise: Exercise, lesson: LessonSource) -> Any:
    """What an answer means.

    Args:
        reply: what `answer` wrote, decoded. It comes from the submission's side: nothing in it is believed
            beyond being data.

    Returns: the value that the probe returned; a dict with names for keys as a namespace.
    Raises:
        Unanswered: the probe raised, or returned something that is not data, or the reply is not of this form.
    """
    if type(reply) is not dict:
        raise no_answer()
    try:
        outcome = reply["outcome"]
        if outcome == "returned":
            return _namespace(reply["value"])
        if outcome == "refused":
            sentence = (
                f"`{exercise.name}` handed back {_text(reply['reason'])}, which is not data the tests can look at"
            )
            raise Unanswered("failed", sentence, kind=_text(reply["reason"]))
        line = line_of(reply)
        if reply["stub"]:
            raise Unanswered("not_attempted", f"`{exercise.name}` is not written yet", line)
        if reply["missing"] is not None:
            raise _missing(_text(reply["missing"]), lesson)
        kind = _text(reply["error"]["type"])
        slip = None if line else slips.raised_in_the_test(kind, _text(reply["error"]["message"]), exercise)
        raise Unanswered("error", slip or describe_raised(reply["error"], line, lesson), line, kind)
    except NOT_OF_THIS_FORM:
        raise no_answer() from None


def _missing(name: str, lesson: LessonSource) -> Unanswered:
    """For a name that the lesson should define: it names what is there in its place, if that is near."""
    sentence = f"`{name}` is not in {lesson.filename}"
    near = difflib.get_close_matches(name, _strange_names(lesson), n=1, cutoff=0.6)
    if near:
        sentence += f", but `{near[0]}` is: the tests look for the name of the exercise, so rename it back"
    else:
        sentence += ": was it renamed or deleted? `python -m grader reset` brings the function back"
    return Unanswered("error", sentence, kind=f"no {name}")


def _strange_names(lesson: LessonSource) -> list[str]:
    """What a learner's lesson defines beyond the names of its exercises."""
    known = {name for e in load_course().exercises if e.lesson_id == lesson.lesson_id for name in e.defines}
    return [name for name in lesson.defined()[:500] if name not in known and len(name) < 80]


def line_of(reply: Any) -> int | None:
    """The learner's line at which an exception came out; None if the reply names none that a file could have.

    Raises:
        LookupError, TypeError, ValueError, ...: see NOT_OF_THIS_FORM.
    """
    line = int(reply["frames"][-1][0]) if reply["frames"] else 0
    return line if 0 < line <= MOST_LINES else None


def describe_raised(error: dict[str, Any], line: int | None, lesson: LessonSource) -> str:
    """One sentence for an exception out of the learner's code."""
    kind, message = _text(error["type"]), _text(error["message"])
    place = f" ({lesson.place(line)})" if line else ""
    if kind == "SyntaxError" or "SyntaxError" in error["bases"]:
        return f"Python cannot read the file: {slips.reading(message) or message.split(' (')[0]}{place}"
    if kind == "SystemExit":
        return f"the code called exit: a function should return instead{place}"
    if "can't allocate memory" in message or "MemoryError" in error["bases"]:
        return f"the code asked for more memory than it may have{place}"
    return f"it raised {kind}: {message}{place}" if message else f"it raised {kind}{place}"


def _text(value: Any, limit: int = 300) -> str:
    if not isinstance(value, str):
        raise TypeError
    line = " ".join("".join(c if c.isprintable() or c.isspace() else "?" for c in value[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 3] + "..."


def _namespace(value: Any) -> Any:
    if type(value) is dict and value and all(type(key) is str and key.isidentifier() for key in value):
        return SimpleNamespace(**value)
    return value
