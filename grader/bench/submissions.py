"""Makes the submissions that are graded: solutions, stubs, and mixtures of known answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from grader.build.exercises import stub_text
from grader.course import Course, Exercise, KnownAnswer, Lesson, read_bank, with_answer
from grader.errors import CourseError, GraderError
from grader.percent import read_cells

if TYPE_CHECKING:
    from grader.tests.corpus import Attack

MIXING_SEED = 2
SPOILT_EVERY = 10


@dataclass(frozen=True)
class MadeSubmission:
    """A submission as text: lesson id to content. The counts say how its exercises are answered."""

    name: str
    texts: dict[str, str]
    right: int
    wrong: int
    missing: int

    def write(self, folder: Path) -> Path:
        """Write it below `folder` as a learner's would lie there; returns its own folder."""
        own = folder / self.name
        for lesson_id, text in self.texts.items():
            path = own / f"{lesson_id}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return own


def make_submissions(course: Course, exercises: Sequence[Exercise], count: int) -> list[MadeSubmission]:
    """The solutions, the stubs, and `count` - 2 mixtures, the same ones each time.

    Each mixture leaves more exercises unsolved than the one before: about a third of those is missing, the others
    are wrong answers of the bank. Half of what is solved is a right alternative, half the solution.

    Args:
        exercises: those that are answered by turns; the others stay solved.

    Raises:
        GraderError: `count` is too small, or this version of the course holds no solutions.
    """
    if count < 2:
        raise GraderError("a benchmark takes 2 submissions or more: the solutions and the stubs")
    if not all(lesson.text for lesson in course.lessons):
        raise CourseError("a benchmark takes the course's solutions/ and tests/, and this version has none")
    stubs = {lesson.id: stub_text(lesson) for lesson in course.lessons}
    solutions = {lesson.id: lesson.text for lesson in course.lessons}
    made = [
        MadeSubmission("01-solutions", solutions, len(exercises), 0, 0),
        MadeSubmission("02-stubs", stubs, 0, 0, len(exercises)),
    ]
    answers = [answer for lesson in course.lessons for answer in read_bank(lesson)]
    missing = [answer for lesson in course.lessons for answer in stub_answers(lesson, stubs[lesson.id])]
    draw = random.Random(MIXING_SEED)
    for number in range(1, count - 1):
        order = draw.sample(list(exercises), len(exercises))
        unsolved = max(1, number * len(exercises) // (count - 1))
        absent = unsolved // 3
        chosen: list[KnownAnswer] = []
        for place, exercise in enumerate(order):
            mine = [answer for answer in answers if answer.exercise == exercise.id]
            if place < absent:
                chosen += [answer for answer in missing if answer.exercise == exercise.id]
            elif place < unsolved:
                chosen.append(draw.choice([answer for answer in mine if answer.message is not None]))
            elif place % 2:
                chosen.append(draw.choice([answer for answer in mine if answer.message is None]))
        texts = {lesson.id: with_answers(lesson, chosen) for lesson in course.lessons}
        name = f"{number + 2:02}-mixture"
        made.append(MadeSubmission(name, texts, len(exercises) - unsolved, unsolved - absent, absent))
    return made


def make_class(course: Course, exercises: Sequence[Exercise], count: int) -> list[MadeSubmission]:
    """As `make_submissions`, but every tenth is spoilt: an attack stands in place of an answer, or a file is cut off.

    Raises:
        GraderError: as there, or the attacks are not here.
    """
    made = make_submissions(course, exercises, count)
    attacks = [attack for attack in attacks_here() if not attack.files]
    for place in range(SPOILT_EVERY - 1, count, SPOILT_EVERY):
        texts = dict(made[place].texts)
        turn = place // SPOILT_EVERY
        if turn % 2:
            lesson_id = sorted(texts)[turn % len(texts)]
            texts[lesson_id] = texts[lesson_id][: len(texts[lesson_id]) * 2 // 3]
        else:
            attack = attacks[turn * 7 % len(attacks)]
            exercise = course.select([attack.exercise])[0]
            answer = KnownAnswer(exercise.id, attack.name, "It is an attack.", attack.text, 1)
            texts[exercise.lesson_id] = with_answers(course.lesson(exercise.lesson_id), [answer])
        made[place] = replace(made[place], name=f"{place + 1:02}-spoilt", texts=texts)
    return made


def attacks_here() -> list[Attack]:
    """The corpus of attacks.

    Raises:
        CourseError: it is not here.
    """
    try:
        from grader.tests.corpus import ATTACKS, read_attacks
    except ImportError:
        raise CourseError(
            "the attacks are not here: they are part of grader/tests, in the instructor's repository"
        ) from None
    return read_attacks(ATTACKS)


def stub_answers(lesson: Lesson, stubs: str) -> list[KnownAnswer]:
    """The stub of each exercise of a lesson, as if it were an answer of the bank."""
    ids = {exercise.name: exercise.id for exercise in lesson.exercises}
    cells = [cell for cell in read_cells(stubs) if cell.title in ids and "points" in cell.metadata]
    return [KnownAnswer(ids[c.title], "not attempted", "It is not written yet.", c.source, c.line) for c in cells]


def with_answers(lesson: Lesson, answers: Sequence[KnownAnswer]) -> str:
    """The lesson's file with several exercises' cells replaced."""
    text = lesson.text
    for answer in answers:
        if answer.exercise.rsplit("/", 1)[0] == lesson.id:
            text = with_answer(replace(lesson, text=text), answer)
    return text
