"""Attacks: submissions that try to get points without an answer, or to do harm, and what must come of each.

Each file of attacks/ is the text that a student puts in place of one exercise. Its header says what must happen:

- ``Class`` and ``Tries``: which kind of attack it is, and what it hopes for
- ``For``: the exercise (contiguous_strides if left out); it earns no point
- ``Must``: the exercise's status, or several with "or" between them; ``Says``: words of its sentence
- ``Others``: the status of the lesson's other exercises, which are solved honestly ("passed" if left out)
- ``Naive``: what comes of it in a grader that runs submissions in its own process (see naive.py): "passed" or "down"
- ``Hole``: what must change in the grader before this attack can be run

Files that it hands in besides follow after lines ``# --- file: NAME``. Those of attacks/evidence/ do not want to pass
without an answer, but with a wrong one; ``honest.py`` is that answer alone.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from grader.course import ROOT, Course, Exercise, KnownAnswer, suite_path, with_answer
from grader.judge import EXERCISE_SECONDS, judge
from grader.observing import Unanswered
from grader.reports import render, terminal
from grader.result import Result
from grader.submission import LessonSource, Segment, Submission, read_submission
from grader.workers import OUTPUT_BYTES, WorkerObserver, WorkerPool

ATTACKS = Path(__file__).parent / "attacks"
MARK = "left_by_an_attack"
# For what is to time out. Anything else gets what everybody has, however busy this machine may be.
FEW_SECONDS = 2


@dataclass(frozen=True)
class Attack:
    """One file of attacks/: `text` for the exercise's cell, `files` beside it, and the header's `fields`."""

    name: str
    fields: dict[str, str]
    text: str
    files: dict[str, str]

    @property
    def exercise(self) -> str:
        return self.fields.get("For", "contiguous_strides")


def read_attack(path: Path) -> Attack:
    text, *rest = re.split(r"^# --- file: (.+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    fields = dict(re.findall(r"^# ([A-Z][a-z]+): (.+)$", text, re.MULTILINE))
    return Attack(path.stem, fields, text, dict(zip(rest[::2], rest[1::2], strict=True)))


def read_attacks(folder: Path) -> list[Attack]:
    return [read_attack(path) for path in sorted(folder.glob("*.py"))]


def attack_parameters(folder: Path = ATTACKS) -> list[ParameterSet]:
    """Attacks as parameters; those that find a hole are not run."""
    return [
        pytest.param(attack, marks=[pytest.mark.xfail(reason=hole, run=False)] if hole else [], id=attack.name)
        for attack in read_attacks(folder)
        for hole in [attack.fields.get("Hole")]
    ]


def submit(course: Course, texts: dict[str, str]) -> Submission:
    """A submission with all solutions, but these texts in place of the exercises of these names."""
    lessons = {lesson.id: lesson.text for lesson in course.lessons}
    for name, text in texts.items():
        exercise = course.select([name])[0]
        lesson = course.lesson(exercise.lesson_id)
        new = with_answer(lesson, KnownAnswer(exercise.id, "attack", None, text, 1))
        assert lessons[lesson.id] == lesson.text, "one exercise of a lesson at a time"
        lessons[lesson.id] = new
    return Submission("attack", {i: LessonSource(i, f"{i}.py", (Segment(text),)) for i, text in lessons.items()})


def grade(
    pool: WorkerPool, submission: Submission, exercises: Sequence[Exercise], statuses: Sequence[str] = ()
) -> Result:
    """Judge some exercises of a submission, of which these statuses are expected."""
    seconds = FEW_SECONDS if "timeout" in statuses else EXERCISE_SECONDS
    return judge(submission, exercises, pool, seed=5, seconds=seconds, gpu="off")


def workers_left(pool: WorkerPool) -> list[str]:
    """Processes below the zygote, by their names."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text(errors="replace")
            except OSError:
                continue
            names[int(entry)] = stat[stat.index("(") + 1 : stat.rindex(")")]
            parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    family, generation = [], [pool.zygote.process.pid]
    while generation:
        generation = [process for process, parent in parents.items() if parent in generation]
        family += generation
    # What is above the zygote is bubblewrap; the zygote itself is the first that is not.
    return [names[process] for process in family if not names[process].startswith("bwrap")][1:]


def assert_nothing_stays(pool: WorkerPool) -> None:
    """No process but the spare workers, within a while, and no file where anybody else would come across it."""
    deadline = time.monotonic() + 20
    while len(left := workers_left(pool)) > len(pool.ready) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(left) <= len(pool.ready), left
    for folder in {tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", str(Path.home()), os.getcwd(), str(ROOT)}:
        assert not [name for name in os.listdir(folder) if name.startswith(MARK)], folder


def assert_unhurt(course: Course, pool: WorkerPool, name: str) -> None:
    """Someone else's honest answer to the same exercise, right afterwards, earns everything."""
    result = grade(pool, submit(course, {}), course.select([name]))
    assert [exercise.status for exercise in result.exercises] == ["passed"]
    assert result.points == result.max_points


@pytest.mark.parametrize("attack", attack_parameters())
def test_attack_earns_nothing_and_harms_nobody(
    attack: Attack, course: Course, pool: WorkerPool, tmp_path: Path
) -> None:
    submission = submit(course, {attack.exercise: attack.text})
    if attack.files:
        lessons = {f"{i}.py": lesson.segments[0].source for i, lesson in submission.lessons.items()}
        for name, text in {**attack.files, **lessons}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        submission = read_submission(tmp_path, course)
    musts, others = attack.fields["Must"].split(" or "), attack.fields.get("Others", "passed")
    (exercise,) = course.select([attack.exercise])
    (attacked,) = grade(pool, submission, [exercise], musts).exercises
    assert attacked.points == 0
    assert attacked.status in musts, attacked.decisive
    assert attack.fields.get("Says", "") in attacked.decisive.message
    assert attacked.decisive.message and "\n" not in attacked.decisive.message
    assert len(attacked.output) <= OUTPUT_BYTES
    assert_nothing_stays(pool)
    beside = [other for other in course.lesson(exercise.lesson_id).exercises if other != exercise]
    for other in grade(pool, submission, beside, [others]).exercises:
        assert other.status == others, other.decisive
        assert other.points == (other.max_points if others == "passed" else 0)
    assert_unhurt(course, pool, attack.exercise)


def test_the_attacks_work_on_a_grader_that_runs_them_in_its_own_process(course: Course, tmp_path: Path) -> None:
    # One of each class: starting pytest takes its time.
    attacks = list({a.fields["Class"]: a for a in read_attacks(ATTACKS) if "Naive" in a.fields}.values())
    endings = {}
    for name in sorted({attack.exercise for attack in attacks}):
        exercise = course.select([name])[0]
        files = []
        for attack in (attack for attack in attacks if attack.exercise == name):
            source = submit(course, {name: attack.text}).lessons[exercise.lesson_id].segments[0].source
            files.append(tmp_path / f"{attack.name}.py")
            files[-1].write_text(source, encoding="utf-8")
        command = [sys.executable, Path(__file__).with_name("naive.py"), suite_path(exercise.lesson_id), name, *files]
        run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200)
        assert run.returncode == 0, run.stderr
        endings.update({Path(file).stem: status for file, status in json.loads(run.stdout).items()})
    for attack in attacks:
        status = endings[attack.name]
        # 0 and 2 are pytest's own: nothing failed; interrupted.
        down = os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 2
        assert down if attack.fields["Naive"] == "down" else status == 0, (attack.name, status)


@pytest.mark.parametrize("attack", attack_parameters(ATTACKS / "evidence"))
def test_evidence_can_be_forged_only_where_we_know_it(attack: Attack, course: Course, pool: WorkerPool) -> None:
    """What a probe sees, it sees in the submission's process: this says how far that can be trusted."""
    exercises = course.select([attack.exercise])
    forged = grade(pool, submit(course, {attack.exercise: attack.text}), exercises)
    honest = grade(pool, submit(course, {attack.exercise: attack.files["honest.py"]}), exercises)
    assert 0 < honest.points < honest.max_points
    if attack.fields["Outcome"].startswith("it earns more than"):
        assert honest.points < forged.points
    else:
        assert honest.points >= forged.points
    assert_unhurt(course, pool, attack.exercise)
