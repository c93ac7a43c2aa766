"""The corpus of attacks/: reads it, and judges one of its submissions as a class would have it judged.

Each file of attacks/ is the text that a student puts in place of one exercise. Its header says what must happen:

- ``Class`` and ``Tries``: which kind of attack it is, and what it hopes for
- ``For``: the exercise (contiguous_strides if left out); it earns no point
- ``Must``: the exercise's status, or several with "or" between them; ``Says``: words of its sentence
- ``Others``: the status of the lesson's other exercises, which are solved honestly ("passed" if left out,
  "any" for what spoils the author's own)
- ``Naive``: what comes of it in a grader that runs submissions in its own process (see naive.py): "passed" or "down"

Files that it hands in besides follow after lines ``# --- file: NAME`` (such an attack is a .txt: it is no one module).
Those of attacks/evidence/ do not want to pass without an answer, but with a wrong one; ``honest.py`` is that answer
alone, and ``Outcome`` says whether the attack earns more than it.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.course import ROOT, Course, Exercise, KnownAnswer, with_answer
from grader.judge import EXERCISE_SECONDS, judge
from grader.result import Result
from grader.submission import LessonSource, Segment, Submission, read_submission
from grader.workers import OUTPUT_BYTES, WorkerPool

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
    return [read_attack(path) for path in sorted(folder.glob("*.*"))]


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
    assert pool.zygote
    assert pool.zygote.process
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


def hand_in(attack: Attack, course: Course, folder: Path) -> Submission:
    """The attack as a submission; one that brings files lies in `folder`, and is read from there."""
    submission = submit(course, {attack.exercise: attack.text})
    if not attack.files:
        return submission
    lessons = {f"{i}.py": lesson.segments[0].source for i, lesson in submission.lessons.items()}
    for name, text in {**attack.files, **lessons}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return read_submission(folder, course)


def check_attack(attack: Attack, course: Course, pool: WorkerPool, folder: Path) -> None:
    """Judge an attack, and whoever comes after it.

    Raises:
        AssertionError: it earned something, harmed somebody, or what came of it is not what its header says.
    """
    submission = hand_in(attack, course, folder)
    musts, others = attack.fields["Must"].split(" or "), attack.fields.get("Others", "passed")
    (exercise,) = course.select([attack.exercise])
    (attacked,) = grade(pool, submission, [exercise], musts).exercises
    assert attacked.points == 0, f"it earned {attacked.points} points: {attacked}"
    assert attacked.decisive, f"nothing went wrong: {attacked}"
    assert attacked.status in musts, f"{attacked.status}: {attacked.decisive}"
    message = attacked.decisive.message or ""
    assert message, "no message"
    assert attack.fields.get("Says", "") in message, message
    assert "\n" not in message, message
    assert len(message) < 3000, message
    assert len(attacked.output) <= OUTPUT_BYTES, "too much output kept"
    assert_nothing_stays(pool)
    beside = [other for other in course.lesson(exercise.lesson_id).exercises if other != exercise]
    for other in grade(pool, submission, beside, [others]).exercises:
        assert others in ("any", other.status), f"{other.id}: {other.status}, {other.decisive}"
        assert others == "any" or other.points == (other.max_points if others == "passed" else 0), other.id
    assert_unhurt(course, pool, attack.exercise)
