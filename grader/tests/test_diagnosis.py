"""Known wrong answers are recognised however they are written, and no answer gets a message that is not its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch

from grader import diagnosis, workers
from grader.comparing import Mismatch
from grader.course import Course, KnownAnswer, read_bank, with_answer
from grader.desk import DeskSettings
from grader.diagnosis import Diagnostician, Trail, common, same
from grader.judge import judge, prepare_diagnosis
from grader.known_answers import KnownAnswers
from grader.observing import Asked, Unanswered, interpret
from grader.percent import read_cells
from grader.result import Comparison, ExerciseResult
from grader.trials import Trial, run_trials
from grader.watch.grading import end_worker
from grader.worker import codec, inputs
from grader.workers import WorkerObserver, WorkerPool

FOLDER = Path(__file__).parent / "diagnosis"
LEAST_REWRITTEN, LEAST_UNKNOWN, LEAST_RIGHT = 60, 40, 0.95
T = torch.tensor


class Written(NamedTuple):
    """An answer of this folder, and the known wrong one that it behaves like; None for those like none."""

    answer: KnownAnswer
    like: KnownAnswer | None


def written(course: Course, kind: str) -> list[Written]:
    """The answers of grader/tests/diagnosis/`kind`_TOPIC.py."""
    found = []
    for path in sorted(FOLDER.glob(f"{kind}_*.py")):
        topic = path.stem.removeprefix(f"{kind}_")
        banks = {
            exercise.name: (exercise.id, read_bank(lesson))
            for lesson in course.lessons
            if lesson.topic == topic
            for exercise in lesson.exercises
        }
        for cell in read_cells(path.read_text(encoding="utf-8")):
            if not cell.title:
                continue
            assert cell.title in banks, f"{path.name}:{cell.line}: {topic} has no exercise {cell.title}"
            exercise_id, bank = banks[cell.title]
            label = cell.metadata[kind]
            like = next((a for a in bank if a.message and (a.exercise, a.label) == (exercise_id, label)), None)
            assert like or kind == "unknown", (
                f"{path.name}:{cell.line}: the bank has no wrong answer {label!r} any more"
            )
            found.append(Written(KnownAnswer(exercise_id, label, None, cell.source, cell.line), like))
    return found


@pytest.fixture(scope="module")
def diagnosed(course: Course) -> list[tuple[Written, ExerciseResult]]:
    """All answers of the folder, with what they were told."""
    answers = written(course, "rewritten") + written(course, "unknown")
    # Those of one exercise stand together, so that a process meets its known answers once.
    answers.sort(key=lambda one: one.answer.exercise)
    trials = []
    for answer, _ in answers:
        lesson = course.lesson(answer.exercise.rsplit("/", 1)[0])
        trials.append(Trial(answer.label, {lesson.id: with_answer(lesson, answer)}, (answer.exercise,)))
    names = tuple(dict.fromkeys(one.answer.exercise for one in answers))
    settings = DeskSettings(names, seed=5, gpu="off", seconds=10.0, diagnosis_seconds=60.0)
    return [(answers[place], results[0]) for place, results in run_trials(trials, settings)]


def test_there_are_enough_of_them_in_every_topic(course: Course) -> None:
    for kind, least in (("rewritten", LEAST_REWRITTEN), ("unknown", LEAST_UNKNOWN)):
        answers = written(course, kind)
        assert len({one.answer for one in answers}) >= least
        assert {one.answer.exercise.split("/")[0] for one in answers} == {lesson.topic for lesson in course.lessons}
    for one in written(course, "rewritten"):
        assert one.like
        assert one.answer.source.strip() not in one.like.source, f"{one.answer.label!r} is not rewritten"


@pytest.mark.timeout(600)
def test_each_of_them_fails(diagnosed: list[tuple[Written, ExerciseResult]]) -> None:
    passed = [f"{one.answer.exercise}: {one.answer.label}" for one, result in diagnosed if result.status == "passed"]
    assert not passed


@pytest.mark.timeout(600)
def test_rewritten_wrong_answers_get_the_message_of_the_one_they_behave_like(
    diagnosed: list[tuple[Written, ExerciseResult]],
) -> None:
    rewritten = [(one, result.misconception) for one, result in diagnosed if one.like]
    missed = [
        f"{one.answer.exercise}: {one.answer.label!r} got {said!r}"
        for one, said in rewritten
        if one.like and said != one.like.message
    ]
    assert len(missed) <= (1 - LEAST_RIGHT) * len(rewritten), "\n".join(missed)


@pytest.mark.timeout(600)
def test_rewritten_wrong_answers_get_no_other_message(diagnosed: list[tuple[Written, ExerciseResult]]) -> None:
    for one, result in diagnosed:
        if one.like:
            said = result.misconception
            assert said is None or (one.like.message or "").startswith(said), f"{one.answer.label!r} got {said!r}"


@pytest.mark.timeout(600)
def test_answers_that_nobody_knows_get_no_message(diagnosed: list[tuple[Written, ExerciseResult]]) -> None:
    said = [f"{one.answer.exercise}: {one.answer.label!r} got {result.misconception!r}"
            for one, result in diagnosed if one.like is None and result.misconception]  # fmt: skip
    assert not said, "\n".join(said)


# What counts as the same


NAN = float("nan")


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (T([1.0, 2.0]), T([1.0, 2.0 + 2e-6])),
        (T([NAN]), T([NAN])),
        (torch.empty(0), torch.empty(0)),
        (torch.empty(2, device="meta"), torch.empty(2, device="meta")),
        (0.1 + 0.2, 0.3),
        (NAN, NAN),
        ([1, {"a": T([3])}], [1, {"a": T([3])}]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (SimpleNamespace(x=(1, 2)), SimpleNamespace(x=(1, 2))),
        (np.float32([1, 2]).repeat(2), np.float32([1, 2]).repeat(2)),
        (Unanswered("error", "it raised KeyError: 'a'", 3, "KeyError"), Unanswered("error", "?", 9, "KeyError")),
        (Unanswered("timeout", "10 seconds"), Unanswered("timeout", "1 second")),
        (
            {"type": "ValueError", "bases": ["ValueError"], "message": "a"},
            {"type": "ValueError", "bases": ["ValueError", "Exception"], "message": "b"},
        ),
    ],
)
def test_what_differs_by_rounding_and_wording_alone_is_the_same(mine: object, other: object) -> None:
    assert same(mine, other)
    assert same(other, mine)


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (T([1.0, 2.0]), T([1.0, 2.001])),
        (T([1.0]), T([NAN])),
        (T([1.0]), T([1.0]).double()),
        (T([1.0]), T([[1.0]])),
        (T([1]), T([2])),
        (T([1.0]), T([1.0]).requires_grad_()),
        (torch.empty(2), torch.empty(2, device="meta")),
        (T([1e-9, 1e-9]), T([1e-9, 2e-9])),
        (1, True),
        (1, 1.0),
        (1.0, 1.001),
        ("a", "b"),
        ([1], (1,)),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        (None, 0),
        (np.zeros(2), T([0.0, 0.0]).double()),
        (Unanswered("error", "", kind="KeyError"), Unanswered("error", "", kind="IndexError")),
        (Unanswered("error", "", kind="KeyError"), None),
        (Unanswered("timeout", ""), Unanswered("crashed", "")),
        ({"type": "A", "bases": [], "message": ""}, {"type": "B", "bases": [], "message": ""}),
        ({"type": "A", "bases": [], "message": ""}, None),
    ],
)
def test_what_another_behaviour_brings_back_is_not(mine: object, other: object) -> None:
    assert not same(mine, other)
    assert not same(other, mine)


def test_the_message_of_an_exception_counts_where_the_test_looked_into_it() -> None:
    mine = {"type": "ValueError", "bases": ["ValueError"], "message": "wrong"}
    failed = Mismatch("its message should speak of 'size'", Comparison("error", ""), mine, "size")
    assert same([mine], [{**mine, "message": "no good"}], failed)
    assert not same([mine], [{**mine, "message": "the Size is wrong"}], failed)
    assert same([{**mine, "message": "no"}], [{**mine, "message": "the Size is wrong"}], failed)


def test_several_that_fit_say_what_their_messages_begin_with_or_nothing() -> None:
    assert common(["One. Two."]) == "One. Two."
    assert common(["One. Two.", "One. Two."]) == "One. Two."
    assert common(["One. Two.", "One. Three."]) == "One."
    assert common(["One two.", "One three."]) is None


# In the course


def test_observations_are_kept_as_they_came_whatever_the_test_does_with_them(course: Course, pool: WorkerPool) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    lesson = course.lesson(exercise.lesson_id)
    observer = WorkerObserver(pool, Trial("", {lesson.id: lesson.text}, ()).submission.lessons, 10)
    try:
        seen = observer.observe(exercise, lambda m: {"a": [1, 2], "b": torch.zeros(2)})
        seen.a.clear()
        seen.b.fill_(7)
        with pytest.raises(Unanswered):
            observer.observe(exercise, lambda m: 1 / 0)
    finally:
        observer.close()
    first, second = (one.seen for one in observer.asked)
    assert same(first, SimpleNamespace(a=[1, 2], b=torch.zeros(2)))
    assert same(second, Unanswered("error", "", kind="ZeroDivisionError"))


def test_what_is_kept_for_a_diagnosis_is_bounded(
    course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    lesson = course.lesson(exercise.lesson_id)
    monkeypatch.setattr(workers, "MOST_KEPT_BYTES", 2000)
    observer = WorkerObserver(pool, Trial("", {lesson.id: lesson.text}, ()).submission.lessons, 10)
    try:
        assert observer.observe(exercise, lambda m: torch.zeros(1000)).shape == (1000,)  # type: ignore[attr-defined]
    finally:
        observer.close()
    (one,) = observer.asked
    assert one.size < 2000
    assert not same(one.seen, torch.zeros(1000))


def test_a_diagnosis_that_was_prepared_asks_no_known_answer_again(course: Course, pool: WorkerPool) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    lesson = course.lesson(exercise.lesson_id)
    wrong = next(answer for answer in read_bank(lesson) if answer.exercise == exercise.id and answer.message)
    diagnostician = Diagnostician(course, pool, seconds=60)
    prepare_diagnosis(exercise, course, pool, diagnostician, seed=3)
    prepared = len(diagnostician.replies)
    assert prepared
    diagnostician.seconds = 0  # Whoever has to ask finds the time up.
    trial = Trial("mine", {lesson.id: with_answer(lesson, wrong)}, (exercise.id,))
    for seed, message in ((3, wrong.message), (4, None)):
        result = judge(trial.submission, [exercise], pool, seed=seed, gpu="off", diagnostician=diagnostician)
        assert result.exercises[0].misconception == message
    assert len(diagnostician.replies) == prepared


def test_what_takes_long_is_asked_last_when_few_answers_are_left(
    course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    trails = [
        Trail(name, (Asked(name.encode(), False, codec.encode({"value": name}), seconds),), error)
        for name, seconds, error in (
            ("slow", 2.0, AssertionError()),
            ("slower", 3.0, AssertionError()),
            ("passing", 0.1, None),
            ("failing", 0.2, AssertionError()),
            ("slow passing", 1.5, None),
        )
    ]
    asked = []

    def row(table: object, labels: Sequence[str], one: Asked) -> dict[str, bytes | Unanswered]:
        asked.append((one.probe.decode(), len(labels)))
        return {label: one.reply if label < "m" else Unanswered("error", "") for label in labels}

    monkeypatch.setattr(diagnosis._Table, "row", row)
    Diagnostician(course, pool).alike(exercise, trails)
    assert [name for name, _ in asked] == ["failing", "passing", "slow", "slower", "slow passing"]
    assert asked[0][1] > asked[1][1] > 0


def test_a_worker_that_was_ended_meanwhile_is_replaced(course: Course, pool: WorkerPool) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    answers = KnownAnswers(course, pool)
    probe = inputs.pack(lambda m: {"name": m.shares_storage.__name__})
    labels = list(answers.of(exercise))[:3]
    first = answers.ask_together(exercise, labels, probe, 5.0, 30.0)
    assert [interpret(codec.decode(said), exercise, answers.source(exercise, labels[0])).name for said in first] == [
        "shares_storage"
    ] * 3
    assert answers._helper
    worker = answers._helper.worker
    end_worker(pool, worker.number)
    assert pool.await_exit(worker)
    assert answers.ask_together(exercise, labels, probe, 5.0, 30.0) == first
    answers.close()


def test_a_known_answer_whose_worker_was_killed_is_not_remembered_as_one_that_crashes(
    course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exercise = course.exercise("tensors/storage/shares_storage")
    asked = (Asked(b"probe", False, codec.encode({"value": 1}), 0.1),)
    monkeypatch.setattr(KnownAnswers, "ask_together", lambda *_: [])
    for kind, kept in (("killed", False), ("Python was ended by SIGSEGV", True)):
        monkeypatch.setattr(KnownAnswers, "ask_alone", lambda *_, kind=kind: Unanswered("crashed", "", kind=kind))
        diagnostician = Diagnostician(course, pool)
        assert diagnostician.alike(exercise, [Trail("a test", asked, AssertionError())]) == []
        assert bool(len(diagnostician.replies)) is kept


def test_an_answer_that_never_ends_is_not_waited_for(course: Course, pool: WorkerPool) -> None:
    lesson = course.lesson("tensors/storage")
    name = "tensors/storage/shares_storage"
    endless = KnownAnswer(name, "never ends", "It never ends.", "def shares_storage(a, b):\n    while True: pass\n", 1)
    crash = replace(endless, label="ends Python", source="import os\ndef shares_storage(a, b):\n    os._exit(3)\n")
    wrong = next(answer for answer in read_bank(lesson) if answer.exercise == name and answer.message)

    def told(source: str) -> tuple[str | None, int]:
        diagnostician = Diagnostician(course, pool, seconds=30)
        diagnostician.answers.banks[lesson.id] = [endless, crash, wrong]
        trial = Trial("mine", {lesson.id: with_answer(lesson, replace(wrong, source=source))}, (name,))
        result = judge(
            trial.submission,
            [course.exercise(name)],
            pool,
            seed=1,
            seconds=1.0,
            gpu="off",
            diagnostician=diagnostician,
        )
        return result.exercises[0].misconception, len(diagnostician.replies)

    assert told(wrong.source)[0] == wrong.message
    assert told(endless.source)[0] == "It never ends."
    assert told(crash.source)[0] == "It never ends."  # the message of both
    assert told("def shares_storage(a, b):\n    return None\n")[0] is None
