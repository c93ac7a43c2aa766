"""Measures grading a class: next to nbgrader and to a pytest process for each submission, and as the class grows."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from rich.text import Text

from grader.bench.commands import time_python
from grader.bench.measuring import SEED, TESTS_RAN
from grader.bench.memory import MemoryWatch
from grader.bench.notebooks import NbgraderCourse
from grader.bench.steps import Steps, show_steps
from grader.bench.submissions import MadeSubmission, make_class, make_submissions
from grader.bench.table import Aim, Way, disagreements, show_agreement, show_aims, table_of
from grader.bench.tally import points_of
from grader.classroom.records import MARK
from grader.course import ROOT, Exercise, load_course, suite_path
from grader.desk import cores
from grader.reports.terminal import console

MOST_MEMORY = 3 * 2**30


@dataclass(frozen=True)
class ClassSize:
    """A class of `count` submissions: seconds of the whole command, seconds a submission once it ran, most bytes.

    `judged` of its `answers`, one for each exercise of each submission, were judged; the others are the same text.
    """

    count: int
    seconds: float
    each: float
    memory: int
    judged: int
    answers: int


@dataclass(frozen=True)
class ClassReport:
    """What one run found; `notes` are lines for the reader."""

    ways: tuple[Way, ...]
    sizes: tuple[ClassSize, ...]
    facts: str
    notes: tuple[str, ...]
    disagreements: tuple[str, ...]


def measure_class(sample: int, sizes: Sequence[int], nbgrader: bool) -> ClassReport:
    """Grade a sample of submissions in every way, with all cores, and classes of several sizes with `class`.

    Raises:
        GraderError: one of the ways does not run.
    """
    course = load_course()
    exercises = [exercise for exercise in course.exercises if exercise.tests]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    made = make_submissions(course, exercises, sample)
    total = 4 + sample * (1 + nbgrader) + sum(sizes)
    with tempfile.TemporaryDirectory(prefix="grader-bench-") as name, show_steps(total) as steps:
        scratch = Path(name)
        folder = scratch / "class"
        folder.mkdir()
        for each in made:
            each.write(folder)
        plain = _grade(folder, scratch, steps, "class", "--no-diagnosis")
        diagnosed = _grade(folder, scratch, steps, "class with diagnosis", "--out", str(scratch / "diagnosed"))
        alone = _grade(
            folder, scratch, steps, "class --again", "--no-diagnosis", "--again", "--out", str(scratch / "alone")
        )
        points, most = _points(folder / "grades")
        ways = [
            Way("h", "class, with diagnosis", diagnosed.seconds, points),
            Way("i", "class, without", plain.seconds, points),
            _pytest(made, folder, exercises, scratch, steps),
        ]
        if nbgrader:
            ways.append(_nbgrader(made, exercises, most, scratch, steps))
        ways.append(Way("l", "class --again, without", alone.seconds, _points(scratch / "alone")[0]))
        found = [_sized(size, scratch, steps) for size in sizes]
    jobs = cores()
    return ClassReport(
        ways=tuple(ways),
        sizes=(plain, *found) if found else (plain,),
        facts=f"{sample} submissions of {len(exercises)} exercises, seed {SEED}. {jobs} cores, load {load:.1f} at the "
        f"start, {platform.system()} {platform.machine()}, Python {platform.python_version()}, torch "
        f"{version('torch')}.",
        notes=(
            f"h and i judge what is the same text once, {plain.judged} of {plain.answers} answers here; l judges each.",
            f"All ways have {jobs} cores: h, i and l by themselves; j a pytest process for each submission, {jobs} at "
            f"a time; k {jobs} nbgrader autograde commands at a time, each on its own part of the submissions.",
            "h to l from the command's start to its end, importing torch included. Each: seconds between results, from "
            "the first to the last. Memory: of all processes of the command, shared pages once, looked at for 3 % "
            "of the time.",
        ),
        disagreements=disagreements(ways[1:]),
    )


def _grade(folder: Path, scratch: Path, steps: Steps, what: str, *options: str) -> ClassSize:
    """Grade a class from nothing with our command."""
    steps.take(what)
    out = Path(options[options.index("--out") + 1]) if "--out" in options else folder / "grades"
    common = ["--seed", str(SEED), "--gpu", "off"]
    with MemoryWatch() as memory:
        seconds = time_python(["-m", "grader", "class", str(folder), *common, *options], scratch)
    came = sorted(path.stat().st_mtime for path in (out / "students").glob("*.json"))
    each = (came[-1] - came[0]) / (len(came) - 1) if len(came) > 1 else seconds
    summary = json.loads((out / MARK).read_text(encoding="utf-8"))
    judged, passed_on = summary["answers_judged"], summary["answers_passed_on"]
    return ClassSize(len(came), seconds, each, memory.most, judged, judged + passed_on)


def _points(out: Path) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Points by submission and exercise, and the most that each exercise gives."""
    points, most = {}, {}
    for path in (out / "students").glob("*.json"):
        result = json.loads(path.read_text(encoding="utf-8"))
        points[result["submission"]] = {each["id"]: each["points"] for each in result["exercises"]}
        most = {each["id"]: each["max_points"] for each in result["exercises"]}
    return points, most


def _pytest(
    made: Sequence[MadeSubmission], folder: Path, exercises: Sequence[Exercise], scratch: Path, steps: Steps
) -> Way:
    """A pytest process for each submission, as many at a time as there are cores."""
    lessons = dict.fromkeys(exercise.lesson_id for exercise in exercises)
    suites = [str(suite_path(lesson_id).relative_to(ROOT)) for lesson_id in lessons]
    turn = threading.Lock()

    def run(each: MadeSubmission) -> dict[str, float]:
        with turn:
            steps.take(f"j  pytest {each.name}")
        file = scratch / f"tally-{each.name}.json"
        arguments = ["-m", "pytest", *suites, "--submission", str(folder / each.name), "--seed", str(SEED)]
        arguments += ["-q", "-p", "no:cacheprovider", "-p", "grader.bench.tally", "--tally", str(file)]
        time_python(arguments, scratch, accepted=TESTS_RAN)
        notes = json.loads(file.read_text(encoding="utf-8"))
        return {exercise.id: points_of(exercise, notes) for exercise in exercises}

    started = time.perf_counter()
    with ThreadPoolExecutor(cores()) as executor:
        points = dict(zip([each.name for each in made], executor.map(run, made), strict=True))
    return Way("j", "a pytest process each", time.perf_counter() - started, points)


def _nbgrader(
    made: Sequence[MadeSubmission], exercises: Sequence[Exercise], most: dict[str, float], scratch: Path, steps: Steps
) -> Way:
    """As many `nbgrader autograde` at a time as there are cores, each with its part: one takes one core."""
    jobs = min(cores(), len(made))
    parts = [made[place::jobs] for place in range(jobs)]
    courses = [
        NbgraderCourse(scratch / f"nbgrader-{place}", load_course(), exercises, most, SEED) for place in range(jobs)
    ]
    for course, part in zip(courses, parts, strict=True):
        steps.say("k  making the nbgrader assignment")
        course.prepare(part)
    turn = threading.Lock()

    def tell(name: str) -> None:
        with turn:
            steps.take(f"k  nbgrader autograde {name}")

    started = time.perf_counter()
    with ThreadPoolExecutor(jobs) as executor:
        list(executor.map(lambda course: course.autograde(tell), courses))
    seconds = time.perf_counter() - started
    points = {each.name: course.points(each) for course, part in zip(courses, parts, strict=True) for each in part}
    return Way("k", "nbgrader autograde", seconds, points)


def _sized(size: int, scratch: Path, steps: Steps) -> ClassSize:
    """A class of this size, all of them different, some attacks and broken files among them, graded from nothing."""
    course = load_course()
    folder = scratch / f"class-of-{size}"
    folder.mkdir()
    for each in make_class(course, [e for e in course.exercises if e.tests], size):
        each.write(folder)
    found = _grade(folder, scratch, steps, f"class of {size}")
    for _ in range(size - 1):
        steps.take(f"class of {size}")
    return found


def show_class_report(report: ClassReport) -> None:
    """Print it all."""
    screen = console()
    screen.print(Text(report.facts))
    screen.print()
    times = table_of("Way", "Total", "Per submission")
    for way in report.ways:
        times.add_row(f"{way.key}  {way.name}", f"{way.seconds:.1f} s", f"{way.each:.2f} s")
    screen.print(times)
    screen.print()
    growth = table_of("Class of", "Total", "Each", "Judged", "Memory")
    for size in report.sizes:
        judged, memory = f"{size.judged}/{size.answers}", f"{size.memory / 2**30:.2f} GB"
        growth.add_row(str(size.count), f"{size.seconds:.1f} s", f"{size.each:.2f} s", judged, memory)
    screen.print(growth)
    screen.print()
    show_aims(screen, class_aims(report))
    screen.print()
    for note in report.notes:
        screen.print(Text(note, "dim"))
    show_agreement(screen, report.ways, report.disagreements)


def class_aims(report: ClassReport) -> list[Aim]:
    """What was aimed at, of what was measured."""
    ways = {way.key: way for way in report.ways}
    found = []
    for key, rival, limit, text in (("j", "a pytest process each", 1 / 3, "1/3"), ("k", "nbgrader", 1 / 20, "1/20")):
        if key in ways:
            found.append(Aim(f"i/{key}  class to {rival}", ways["i"].each / ways[key].each, limit, text))
            for size in report.sizes[-1:] if len(report.sizes) > 1 else ():
                name = f"class of {size.count}, with diagnosis, to {rival}: a submission"
                found.append(Aim(name, size.seconds / size.count / ways[key].each, limit, text))
    memory = max(size.memory for size in report.sizes)
    if memory:
        found.append(Aim("memory of the whole, in GB", memory / 2**30, MOST_MEMORY / 2**30, "3"))
    if len(report.sizes) > 2:
        first, last = report.sizes[1], report.sizes[-1]
        name = f"time each, class of {last.count} to class of {first.count}"
        found.append(Aim(name, last.each / first.each, 1.2, "1.2"))
    return found
