"""Runs every way of grading on the same submissions, one after another, and collects times and points."""

from __future__ import annotations

import ast
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from grader.bench.commands import time_python
from grader.bench.saving import SaveTimes, medians, small, time_saves
from grader.bench.steps import Steps, show_steps
from grader.bench.submissions import MadeSubmission, make_submissions
from grader.bench.table import Report, Way, disagreements
from grader.bench.tally import points_of
from grader.course import ROOT, Course, Exercise, load_course, marked_exercise, suite_path
from grader.grading import worker_pool
from grader.judge import judge
from grader.result import Result
from grader.submission import Submission, read_submission
from grader.workers import WorkerPool

SEED = 7  # Of the random inputs: the same for every way, so that the points can be compared.
ROUNDS = 3
SAVED_EXERCISES, SAVES = 10, 5
TESTS_RAN = (0, 1)  # pytest's exit status when all passed, and when some failed.


def measure(count: int, nbgrader: bool) -> Report:
    """Make `count` submissions, grade them in every way, and compare.

    Raises:
        GraderError: one of the ways does not run.
    """
    course = load_course()
    exercises = [exercise for exercise in course.exercises if exercise.tests]
    saved = min(SAVED_EXERCISES, len(exercises))
    total = 2 * count + 2 * count * ROUNDS + count * nbgrader + 2 * saved
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as scratch, show_steps(total) as steps:
        bench = _Bench(course, exercises, count, Path(scratch), steps)
        return bench.run(nbgrader)


def measure_saves() -> tuple[list[SaveTimes], str]:
    """Only the saves, and a line on what they are; see grader.bench.saving.

    Raises:
        GraderError: something that is to be measured does not run.
    """
    course = load_course()
    exercises = [exercise for exercise in course.exercises if exercise.tests]
    total = 2 * min(SAVED_EXERCISES, len(exercises))
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as scratch, show_steps(total) as steps:
        bench = _Bench(course, exercises, 2, Path(scratch), steps)
        classes = {name: found for lesson_id in bench.lesson_ids for name, found in classes_of(lesson_id).items()}
        with worker_pool(exercises, course, gpu="off") as pool:
            steps.say("f  how long each exercise's tests take")
            solved = bench.judged(bench.read(bench.made[0]), pool)
        saves = bench.saves({exercise.id: exercise.seconds for exercise in solved.exercises}, classes)
    return saves, saves_note(len(saves))


def classes_of(lesson_id: str) -> dict[str, str]:
    """pytest's name for the test class of each exercise of a lesson, by the exercise's id."""
    path = suite_path(lesson_id)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    marked = {name: node.name for node in classes if (name := marked_exercise(node))}
    return {f"{lesson_id}/{name}": f"{path.relative_to(ROOT)}::{found}" for name, found in marked.items()}


def saves_note(exercises: int) -> str:
    """What the line about saves rests on."""
    return (
        f"f: median of {exercises} exercises x {SAVES} saves, of that half of the course whose tests take the least "
        "time; plain pytest of the same, once each, by turns with them."
    )


class _Bench:
    """What all ways share: the course, the submissions and where they lie."""

    def __init__(self, course: Course, exercises: Sequence[Exercise], count: int, scratch: Path, steps: Steps) -> None:
        self.course = course
        self.exercises = exercises
        self.scratch = scratch
        self.steps = steps
        self.made = make_submissions(course, exercises, count)
        self.solutions: dict[str, float] = {}
        self.folders = {made.name: made.write(scratch / "submissions") for made in self.made}

    def run(self, nbgrader: bool) -> Report:
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        cold, plain, classes = self.cold_and_plain()
        started = time.perf_counter()
        with worker_pool(self.exercises, self.course, gpu="off") as pool:
            self.steps.say("b  starting the pool")
            solved = self.judged(self.read(self.made[0]), pool)
            started = time.perf_counter() - started
            warm, floor, spread_text = self.warm_and_floor(pool)
            isolation = pool.isolation
        saves = self.saves({exercise.id: exercise.seconds for exercise in solved.exercises}, classes)
        save_seconds, plain_save_seconds = medians(saves)
        ways = [cold, warm, plain, floor]
        if nbgrader:
            ways.insert(3, self.nbgrader({exercise.id: exercise.max_points for exercise in solved.exercises}))
        facts = (
            f"{len(self.made)} submissions of {len(self.exercises)} exercises, seed {SEED}. {_cores()} cores, load "
            f"{load:.1f} at the start, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
            f"torch {torch.__version__}, isolation {isolation.level}.",
        )
        notes = (
            f"g: a once, b and e the fastest of {ROUNDS} rounds.",
            f"b and e: median of {ROUNDS} rounds by turns ({spread_text}); b without starting the pool and a first "
            f"judging, which took {started:.2f} s, once.",
            saves_note(len(saves)),
        )
        return Report(
            ways=tuple(ways),
            save_seconds=save_seconds,
            plain_save_seconds=plain_save_seconds,
            solution_seconds=self.solutions,
            facts=facts,
            notes=notes,
            disagreements=disagreements([warm, *(way for way in ways if way is not warm)]),
        )

    def read(self, made: MadeSubmission) -> Submission:
        return read_submission(self.folders[made.name], self.course)

    def judged(self, submission: Submission, pool: WorkerPool | None) -> Result:
        return judge(submission, self.exercises, pool, seed=SEED, gpu="off")

    def cold_and_plain(self) -> tuple[Way, Way, dict[str, str]]:
        """Our `grade` and plain pytest, by turns, a fresh process each; and the test class of each exercise."""
        seconds = {"a": 0.0, "c": 0.0}
        points: dict[str, dict[str, dict[str, float]]] = {"a": {}, "c": {}}
        classes: dict[str, str] = {}
        suites = [str(suite_path(lesson_id).relative_to(ROOT)) for lesson_id in self.lesson_ids]
        file = self.scratch / "result.json"
        for made in self.made:
            folder = str(self.folders[made.name])
            self.steps.take(f"a  grade {made.name}, cold")
            options = ["--seed", str(SEED), "--gpu", "off", "--json", str(file)]
            taken = time_python(["-m", "grader", "grade", folder, *options], self.scratch)
            seconds["a"] += taken
            self.solutions.setdefault("a", taken)  # The solutions are the first of all.
            graded = json.loads(file.read_text(encoding="utf-8"))["exercises"]
            points["a"][made.name] = {exercise["id"]: exercise["points"] for exercise in graded}
            self.steps.take(f"c  pytest {made.name}")
            seconds["c"] += self.pytest(suites, folder, file)
            notes = json.loads(file.read_text(encoding="utf-8"))
            points["c"][made.name] = {exercise.id: points_of(exercise, notes) for exercise in self.exercises}
            classes |= {note["exercise"]: nodeid.rsplit("::", 1)[0] for nodeid, note in notes.items()}
        cold = Way("a", "grader grade, cold start each", seconds["a"], points["a"])
        plain = Way("c", "plain pytest, fresh process each", seconds["c"], points["c"])
        return cold, plain, classes

    @property
    def lesson_ids(self) -> list[str]:
        return list(dict.fromkeys(exercise.lesson_id for exercise in self.exercises))

    def pytest(self, what: list[str], submission: str, file: Path) -> float:
        arguments = ["-m", "pytest", *what, "--submission", submission, "--seed", str(SEED)]
        arguments += ["-q", "-p", "no:cacheprovider", "-p", "grader.bench.tally", "--tally", str(file)]
        return time_python(arguments, self.scratch, accepted=TESTS_RAN)

    def warm_and_floor(self, pool: WorkerPool) -> tuple[Way, Way, str]:
        """Our judging with a warm pool and without any isolation, in this process, by turns."""
        submissions = {made.name: self.read(made) for made in self.made}
        for submission in submissions.values():
            self.judged(submission, None)
        rounds: dict[str, list[float]] = {"b": [], "e": []}
        points: dict[str, dict[str, dict[str, float]]] = {"b": {}, "e": {}}
        for turn in range(1, ROUNDS + 1):
            for key, where in (("b", pool), ("e", None)):
                rounds[key].append(0.0)
                for name, submission in submissions.items():
                    self.steps.take(f"{key}  {name}, round {turn} of {ROUNDS}")
                    started = time.perf_counter()
                    result = self.judged(submission, where)
                    taken = time.perf_counter() - started
                    rounds[key][-1] += taken
                    if name == self.made[0].name:
                        self.solutions[key] = min(taken, self.solutions.get(key, taken))
                    points[key][name] = {exercise.id: exercise.points for exercise in result.exercises}
        texts = [f"{key} {min(times):.2f} to {max(times):.2f} s" for key, times in rounds.items()]
        warm = Way("b", "grader, warm pool", statistics.median(rounds["b"]), points["b"])
        floor = Way("e", "one warm process, no isolation", statistics.median(rounds["e"]), points["e"])
        return warm, floor, ", ".join(texts)

    def saves(self, seconds: dict[str, float], classes: dict[str, str]) -> list[SaveTimes]:
        """Saves in `watch`, of exercises whose own tests take little time, and plain pytest of the same."""
        chosen = small(seconds, self.exercises, SAVED_EXERCISES)
        solutions, file = str(self.folders[self.made[0].name]), self.scratch / "result.json"

        def plain(exercise: Exercise) -> float:
            return self.pytest([classes[exercise.id]], solutions, file)

        return time_saves(self.course, chosen, self.scratch / "watched", SAVES, plain, self.steps.take)

    def nbgrader(self, max_points: dict[str, float]) -> Way:
        """One `nbgrader autograde` of everything."""
        from grader.bench.notebooks import NbgraderCourse

        course = NbgraderCourse(self.scratch / "nbgrader", self.course, self.exercises, max_points, SEED)
        self.steps.say("d  making the nbgrader assignment")
        course.prepare(self.made)
        seconds = course.autograde(lambda name: self.steps.take(f"d  nbgrader autograde {name}"))
        points = {made.name: course.points(made) for made in self.made}
        return Way("d", "nbgrader autograde, one command", seconds, points)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
