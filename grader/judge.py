"""Judges one submission: runs the hidden suites in this process, their probes in the submission's, and scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch

from grader import plugin, slips
from grader.calls import describe_call
from grader.comparing import Mismatch
from grader.course import Course, Exercise, in_words
from grader.diagnosis import Diagnostician, Trail
from grader.errors import GraderFailed, NoGpu
from grader.hidden import hidden_files
from grader.observing import Asked, InProcessObserver, Unanswered
from grader.public import judge_publicly
from grader.reports.wording import sentence
from grader.result import Comparison, ExerciseResult, Result, score_exercise
from grader.submission import LessonSource, Segment, Submission
from grader.suites import RunSuites, run_pytest
from grader.workers import WorkerObserver, WorkerPool

EXERCISE_SECONDS = 10.0
MESSAGE_CHARACTERS = 2000
LONGEST = pytest.StashKey[float]()  # seconds that a test has taken in one run
MOST_KEPT_BYTES = 256 * 2**20  # of what failing exercises were asked and said, for their diagnosis


@dataclass
class _Outcome:
    exercise: Exercise
    name: str
    weight: float
    # The closed world: until a test says otherwise, it did not pass.
    status: str = "error"
    message: str | None = "this test did not run to its end"
    line: int | None = None
    comparison: Comparison | None = None
    seconds: float = 0.0
    error: BaseException | None = None
    asked: tuple[Asked, ...] = ()


@dataclass(eq=False)  # pytest keeps its plugins in a set
class _Session:
    """The pytest plugin of one run: fixes the set of tests, then notes what becomes of each."""

    observer: WorkerObserver | InProcessObserver
    wanted: frozenset[str]
    no_gpu: str | None
    on_exercise: Callable[[Exercise], None] | None = None
    until_failure: bool = False
    keep_trails: bool = False
    outcomes: dict[str, _Outcome] = field(default_factory=dict)
    failure: BaseException | None = None
    _announced: str = ""
    _current: str = ""
    _kept_bytes: int = 0
    _too_large: set[str] = field(default_factory=set)
    _failed: set[str] = field(default_factory=set)

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[plugin.OBSERVER] = self.observer
        config.stash[plugin.NO_GPU] = self.no_gpu

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        items[:] = [
            item for item in items if plugin.EXERCISE in item.stash and item.stash[plugin.EXERCISE].id in self.wanted
        ]
        for item in items:
            marker = item.get_closest_marker("weight")
            weight = float(marker.args[0]) if marker else 1.0
            self.outcomes[item.nodeid] = _Outcome(item.stash[plugin.EXERCISE], in_words(item.name), weight)
        if self.until_failure:
            # The one that takes long comes last: most wrong answers fail before. sort() keeps exercises together.
            first = {item.stash[plugin.EXERCISE].id: place for place, item in reversed(list(enumerate(items)))}
            items.sort(key=lambda item: (first[item.stash[plugin.EXERCISE].id], item.stash.get(LONGEST, 0.0)))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        # pytest's own interruptions, as after an error in collection, derive from KeyboardInterrupt.
        if excinfo.type is KeyboardInterrupt:
            self.failure = excinfo.value

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        exercise = self.outcomes[nodeid].exercise
        if self.on_exercise and exercise.id != self._announced:
            self._announced = exercise.id
            self.on_exercise(exercise)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._forget_passed(self.outcomes[item.nodeid].exercise.id)
        self.observer.asked.clear()
        item.stash[plugin.PROBE] = None
        if self.until_failure and self.outcomes[item.nodeid].exercise.id in self._failed:
            raise AssertionError("left out: a test of this exercise failed before")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
        """Note the outcome, and give pytest a report without the traceback that it would format for nobody."""
        outcome = self.outcomes[item.nodeid]
        outcome.seconds += call.duration
        item.stash[LONGEST] = max(item.stash.get(LONGEST, 0.0), outcome.seconds)
        error = call.excinfo.value if call.excinfo else None
        if plugin.NOT_ASSESSED in item.stash:
            outcome.status, outcome.message = "not_assessed", item.stash[plugin.NOT_ASSESSED]
        elif error is not None:
            if isinstance(error, GraderFailed):
                self.failure = error
                item.session.shouldstop = "the grader's own process ended"
            outcome.status, outcome.message, outcome.line = _explain(error, outcome.exercise)
            outcome.comparison = self._compare(error, item, outcome)
            outcome.error = error
            self._failed.add(outcome.exercise.id)
        elif call.when == "call":
            outcome.status, outcome.message = "passed", None
        if self.keep_trails and call.when == "call":
            self._keep_trail(outcome)
        result: Any = "failed" if error else "passed"
        return pytest.TestReport(item.nodeid, item.location, {}, result, None, call.when, duration=call.duration)  # type: ignore[arg-type]

    def _keep_trail(self, outcome: _Outcome) -> None:
        size = sum(one.size for one in self.observer.asked)
        if self._kept_bytes + size <= MOST_KEPT_BYTES:
            self._kept_bytes += size
            outcome.asked = tuple(self.observer.asked)
        else:
            self._too_large.add(outcome.exercise.id)

    def _forget_passed(self, beginning: str) -> None:
        """Drop what was asked in the exercise before this one, if all of that passed: there is nothing to diagnose."""
        if beginning == self._current:
            return
        for outcome in self.outcomes.values():
            if outcome.exercise.id == self._current and self._current not in self._failed:
                self._kept_bytes -= sum(one.size for one in outcome.asked)
                outcome.asked = ()
        self._current = beginning

    def _compare(self, error: BaseException, item: pytest.Item, outcome: _Outcome) -> Comparison | None:
        """What was called, came and was expected. Pictures are kept for an exercise's first failure only."""
        if outcome.status not in ("failed", "error", "timeout", "crashed") or outcome.message is None:
            return None
        found = error.comparison if isinstance(error, Mismatch) else Comparison("other", outcome.message)
        if outcome.exercise.id in self._failed and found.got and found.expected:
            found = replace(found, got=replace(found.got, picture=()), expected=replace(found.expected, picture=()))
        called, inputs = describe_call(error, str(item.path), outcome.exercise, item.stash[plugin.PROBE])
        return replace(found, called=called, inputs=inputs)


def _explain(error: BaseException, exercise: Exercise) -> tuple[str, str, int | None]:
    """Status, one sentence and the learner's line for what stopped a test."""
    if isinstance(error, Unanswered):
        return error.status, str(error), error.line
    text = str(error).strip()
    if isinstance(error, AssertionError) and text:
        return "failed", " ".join(text.split())[:MESSAGE_CHARACTERS], None
    return (
        "failed",
        f"`{exercise.name}` gave something the test cannot work with ({type(error).__name__}: {text[:200]})",
        None,
    )


def judge(
    submission: Submission,
    exercises: Sequence[Exercise],
    pool: WorkerPool | None,
    *,
    seed: int,
    seconds: float = EXERCISE_SECONDS,
    gpu: str = "auto",
    on_exercise: Callable[[Exercise], None] | None = None,
    until_failure: bool = False,
    run_suites: RunSuites = run_pytest,
    diagnostician: Diagnostician | None = None,
    known: Mapping[str, ExerciseResult] | None = None,
    publicly: bool = False,
) -> Result:
    """Run the hidden suites of `exercises` on a submission; where they are not to be had, the public checks.

    Args:
        pool: where the submission's processes come from; None runs it in this process (no isolation at all).
        seed: of the random inputs; the same seed gives the same inputs.
        seconds: how long an exercise may keep the judge waiting in all.
        gpu: "off" leaves gpu tests out even where there is a GPU.
        on_exercise: called before each exercise's first test.
        until_failure: leave out what remains of an exercise once a test of it failed.
        run_suites: how; see grader.suites.
        diagnostician: finds out what misconception a failing exercise shows; None leaves that out.
        known: results, by exercise id, that hold for this submission too if only the lesson's file runs: then these
            exercises are not judged. Without a pool they are.
        publicly: run the public checks even where the hidden suites are to be had.

    Raises:
        GraderFailed: the grader's own processes are gone; nothing is to be concluded about the submission.
        CourseError: a suite cannot be collected.
        NoGpu: `gpu` is "require" and there is none.
        KeyboardInterrupt: someone pressed Ctrl-C.
    """
    observer = WorkerObserver(pool, submission.lessons, seconds) if pool else InProcessObserver(submission.lessons)
    if gpu == "require" and (reason := plugin.no_gpu()):
        raise NoGpu(f"--gpu require: {reason}. Run it where there is one, or leave the option out")
    no_gpu = "GPU tests are switched off (--gpu off)" if gpu == "off" else plugin.no_gpu()
    torch.set_num_threads(1)  # What is compared here is small: more threads only wait for each other.
    known = _still_known(known or {}, observer)
    unknown = [exercise for exercise in exercises if exercise.id not in known]
    session = _Session(observer, frozenset(e.id for e in unknown), no_gpu, on_exercise, until_failure)
    session.keep_trails = diagnostician is not None
    hidden = hidden_files() is not None and not publicly
    try:
        if not hidden:
            public = judge_publicly(exercises, observer, lambda name: _printed(observer, name), on_exercise)
        elif unknown:
            run_suites(list(dict.fromkeys(exercise.lesson_id for exercise in unknown)), session, seed)
    finally:
        observer.close()
    if session.failure:
        raise session.failure
    found = {e.id: _diagnose(e, session, diagnostician) for e in unknown} if diagnostician else {}
    return Result(
        submission=submission.name,
        isolation=pool.isolation.level if pool else "none",
        isolation_note=pool.isolation.why if pool else None,
        seed=seed,
        torch=torch.__version__,
        gpu=None if no_gpu else torch.cuda.get_device_name(),
        remarks=submission.remarks,
        exercises=tuple(known.get(e.id) or _score(e, session, observer, found.get(e.id)) for e in exercises)
        if hidden
        else public,
        checks="hidden" if hidden else "public",
    )


def _still_known(
    known: Mapping[str, ExerciseResult], observer: WorkerObserver | InProcessObserver
) -> Mapping[str, ExerciseResult]:
    """Those of the known results whose lesson's file runs; without isolation none."""
    if not known or isinstance(observer, InProcessObserver):
        return {}
    lessons = {exercise.lesson_id: observer.lessons[exercise.lesson_id] for exercise in known.values()}
    running = observer.which_run(list(lessons.values()))
    return {name: exercise for name, exercise in known.items() if exercise.lesson_id in running}


def _diagnose(exercise: Exercise, session: _Session, diagnostician: Diagnostician) -> str | None:
    mine = [outcome for outcome in session.outcomes.values() if outcome.exercise.id == exercise.id]
    statuses = {outcome.status for outcome in mine} - {"passed", "not_assessed"}
    if not statuses or statuses == {"not_attempted"} or exercise.id in session._too_large:
        return None
    trails = [Trail(outcome.name, outcome.asked, outcome.error) for outcome in mine]
    try:
        return diagnostician.misconception(exercise, trails)
    except Exception:
        # What was observed is a stranger's data: whatever it does to the comparison, the verdict stands.
        return None


def prepare_diagnosis(
    exercise: Exercise,
    course: Course,
    pool: WorkerPool,
    diagnostician: Diagnostician,
    seed: int,
    run_suites: RunSuites = run_pytest,
) -> None:
    """Have an exercise's known answers asked what `seed` asks, so that the next diagnosis of it takes no time.

    For when nobody waits: it takes as long as some hundred probes do.

    Raises:
        GraderFailed, CourseError: as for `judge`.
    """
    lesson = course.lesson(exercise.lesson_id)
    if not lesson.text or hidden_files() is None:
        return
    source = LessonSource(lesson.id, f"{lesson.id}.py", (Segment(lesson.text),))
    observer = WorkerObserver(pool, {lesson.id: source}, EXERCISE_SECONDS)
    session = _Session(observer, frozenset([exercise.id]), "GPU tests are left out", keep_trails=True)
    try:
        run_suites([lesson.id], session, seed)
    finally:
        observer.close()
    if session.failure:
        raise session.failure
    trails = [Trail(outcome.name, outcome.asked, outcome.error) for outcome in session.outcomes.values()]
    diagnostician.prepare(exercise, trails)


def _score(
    exercise: Exercise,
    session: _Session,
    observer: WorkerObserver | InProcessObserver,
    misconception: str | None = None,
) -> ExerciseResult:
    mine = [outcome for outcome in session.outcomes.values() if outcome.exercise.id == exercise.id]
    _add_slips(exercise, mine, observer)
    return score_exercise(
        exercise.id,
        exercise.title,
        exercise.points,
        [(o.name, o.status, o.weight, o.message, o.line) for o in mine],
        sum(outcome.seconds for outcome in mine),
        _printed(observer, exercise.id),
        comparisons=[outcome.comparison for outcome in mine],
        misconception=misconception,
    )


def _add_slips(exercise: Exercise, mine: list[_Outcome], observer: WorkerObserver | InProcessObserver) -> None:
    """Put what newcomers trip over before the message of the test that decides."""
    first = next((outcome for outcome in mine if outcome.status not in ("passed", "not_assessed")), None)
    if first is None or first.status not in ("failed", "error") or first.message is None:
        return
    slip = slips.printed_instead(exercise, first.comparison, _printed(observer, exercise.id))
    slip = slip or slips.order_of_parameters(exercise, observer.lessons.get(exercise.lesson_id))
    if slip:
        first.message = f"{slip} {sentence(first.message)}"
        if first.comparison:
            first.comparison = replace(first.comparison, brief=f"{slip} {sentence(first.comparison.brief)}")


def _printed(observer: WorkerObserver | InProcessObserver, exercise_id: str) -> str:
    return observer.printed.get(exercise_id, "") if isinstance(observer, WorkerObserver) else ""
