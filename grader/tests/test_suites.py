"""Suites that pytest keeps give the verdicts of a fresh run, as often as one likes."""

import gc

import pytest

from grader.course import read_bank, with_answer
from grader.errors import CourseError, GraderFailed
from grader.judge import judge
from grader.submission import LessonSource, Segment, Submission
from grader.suites import keep_suites

EXERCISE = "tensors/storage/shares_storage"


def submission(lesson, text):
    return Submission("made up", {lesson.id: LessonSource(lesson.id, f"{lesson.id}.py", (Segment(text),))})


@pytest.fixture(scope="module")
def lesson(course):
    return course.lesson("tensors/storage")


@pytest.fixture(scope="module")
def texts(lesson):
    wrong = [answer for answer in read_bank(lesson) if answer.message and answer.exercise == EXERCISE]
    return [lesson.text, with_answer(lesson, wrong[0]), "def broken(", lesson.text]


def verdicts(result):
    return [(test.name, test.status, test.message) for exercise in result.exercises for test in exercise.tests]


def test_kept_suites_judge_as_fresh_ones_do(course, pool, lesson, texts):
    exercises = [course.exercise(EXERCISE)]
    fresh = [judge(submission(lesson, text), exercises, pool, seed=3, gpu="off") for text in texts]
    kept = []

    def work(run_suites):
        for text in texts:
            kept.append(judge(submission(lesson, text), exercises, pool, seed=3, gpu="off", run_suites=run_suites))

    keep_suites([lesson.id], work)
    assert [verdicts(result) for result in kept] == [verdicts(result) for result in fresh]
    assert [result.exercises[0].status for result in kept] == ["passed", "failed", "error", "passed"]


def test_the_seed_of_each_run_counts(course, pool, lesson):
    text = "def shares_storage(a, b):\n    raise ValueError(str(a.shape) + str(b.flatten().tolist()))\n"
    messages = []

    def work(run_suites):
        for seed in (1, 2, 1):
            result = judge(
                submission(lesson, text), [course.exercise(EXERCISE)], pool, seed=seed, gpu="off", run_suites=run_suites
            )
            messages.append(result.exercises[0].tests[0].message)

    keep_suites([lesson.id], work)
    assert messages[0] == messages[2] != messages[1]


def test_nothing_of_a_run_stays_in_memory(course, pool, lesson, texts):
    left = []

    def work(run_suites):
        exercises = [course.exercise(EXERCISE)]
        for text in (texts[1], texts[1], lesson.text):  # What failed last, Python itself holds until the next test.
            judge(submission(lesson, text), exercises, pool, seed=3, gpu="off", run_suites=run_suites)
        gc.collect()
        # Outcomes hold exceptions, and these all that was in the tests' hands.
        names = ("_Session", "_Outcome", "TestReport", "Mismatch")
        left.extend(type(each).__name__ for each in gc.get_objects() if type(each).__name__ in names)

    gc.collect()
    gc.freeze()  # What other tests have left is none of this one's.
    try:
        keep_suites([lesson.id], work)
    finally:
        gc.unfreeze()
    assert left.count("TestReport") <= 1  # the last one is in the hands of pytest's own loop
    assert [name for name in left if name != "TestReport"] == [], left


def test_it_goes_on_after_the_graders_own_failure(course, pool, lesson):
    class Gone:
        isolation = pool.isolation
        zygote = None

        def take(self, gpu=False):
            raise GraderFailed("gone")

    def work(run_suites):
        exercises = [course.exercise(EXERCISE)]
        with pytest.raises(GraderFailed):
            judge(submission(lesson, lesson.text), exercises, Gone(), seed=1, gpu="off", run_suites=run_suites)
        result = judge(submission(lesson, lesson.text), exercises, pool, seed=1, gpu="off", run_suites=run_suites)
        assert result.percent == 100

    keep_suites([lesson.id], work)


def test_what_the_work_raises_comes_out():
    def work(run_suites):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        keep_suites(["tensors/storage"], work)


def test_a_suite_that_is_not_there_is_the_courses_fault():
    with pytest.raises(CourseError, match="test_nowhere"):
        keep_suites(["tensors/nowhere"], lambda run_suites: None)
