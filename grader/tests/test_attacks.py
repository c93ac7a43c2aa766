"""Attacks: submissions that try to get points without an answer, or to do harm, and what must come of each.

Each file of attacks/ is the text that a student puts in place of one exercise. Its header says what must happen:

- ``Class`` and ``Tries``: which kind of attack it is, and what it hopes for
- ``For``: the exercise (contiguous_strides if left out); it earns no point
- ``Must``: the exercise's status, or several with "or" between them; ``Says``: words of its sentence
- ``Others``: the status of the lesson's other exercises, which are solved honestly ("passed" if left out)
- ``Naive``: what comes of it in a grader that runs submissions in its own process (see naive.py): "passed" or "down"
- ``Hole``: what must change in the grader before this attack can be run

Files that it hands in besides follow after lines ``# --- file: NAME`` (such an attack is a .txt: it is no one module).
Those of attacks/evidence/ do not want to pass without an answer, but with a wrong one; ``honest.py`` is that answer
alone, and ``Outcome`` says whether the attack earns more than it.
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
    return [read_attack(path) for path in sorted(folder.glob("*.*"))]


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
    assert attacked.decisive.message
    assert "\n" not in attacked.decisive.message
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


# Four ways to go wrong, one in each of four lessons; the other exercises of the course stay right.
BAD = {
    "contiguous_strides": ("while True:\n        pass", "timeout", "no answer within"),
    "transpose_view": ("import os\n    os._exit(0)", "crashed", "exit status 0"),
    "masked_mean": ("return torch.ones(50 * 2**30, dtype=torch.uint8)", "error", "more memory than it may have"),
    "weighted_gray": ("import ctypes\n    ctypes.string_at(0)", "crashed", "SIGSEGV"),
}


def test_four_bad_exercises_cost_nothing_but_themselves(course: Course, pool: WorkerPool) -> None:
    texts = {name: f"def {name}(*inputs, **options):\n    {body}\n" for name, (body, _, _) in BAD.items()}
    submission = submit(course, texts)
    started = time.monotonic()
    result = judge(submission, course.exercises, pool, seed=5, gpu="off")
    assert time.monotonic() - started < 30
    results = {exercise.id.rsplit("/", 1)[1]: exercise for exercise in result.exercises}
    for name, (_, status, sentence) in BAD.items():
        bad = results.pop(name)
        assert (bad.status, bad.points) == (status, 0), bad.decisive
        assert sentence in bad.decisive.message
    assert len(results) >= 12
    for good in results.values():
        assert good.status == "passed", good.decisive
        assert good.points == good.max_points
    assert_nothing_stays(pool)


LOOK_AROUND = """
import os, socket, sys

def look_around(port, abstract, host_process):
    seen = {"paths": [], "environment": sorted(os.environ.items()), "modules": sorted(sys.modules)}
    folders = [*sys.path, os.getcwd(), "/", "/root", "/home", "/tmp", "/work", "/etc", "/proc/1/cwd", "/proc/self/cwd"]
    for start in [*folders, *{os.path.realpath(folder) for folder in folders}]:
        for below in ("", "..", "../..", "../../..", "../../../.."):
            try:
                folder = os.path.join(start, below)
                seen["paths"] += [os.path.realpath(os.path.join(folder, name)) for name in os.listdir(folder)]
            except OSError:
                pass
    seen["paths"] = sorted(set(seen["paths"]))[:100_000]
    seen["processes"] = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    seen["environments"] = [_read(f"/proc/{process}/environ") for process in seen["processes"]]
    seen["users"] = _read("/etc/passwd") + _read("/etc/shadow") + _read("/etc/hosts") + _read("/proc/self/mountinfo")
    seen["descriptors"] = []
    for number in range(64):
        try:
            seen["descriptors"].append((number, os.readlink(f"/proc/self/fd/{number}")))
        except OSError:
            pass
    seen["written"] = []
    for folder in {*sys.path, "/", "/usr", "/etc", "/tmp", "/dev/shm", "/var/tmp", *seen["paths"][:2000]}:
        try:
            with open(os.path.join(folder, "left_by_an_attack"), "x"):
                seen["written"].append(folder)
        except OSError:
            pass
    seen["reached"] = [
        _connects(socket.AF_INET, ("127.0.0.1", port)),
        _connects(socket.AF_UNIX, "\\0" + abstract),
        _connects(socket.AF_INET, ("192.0.2.1", 80)),
    ]
    seen["interfaces"] = [name for _, name in socket.if_nameindex()]
    try:
        socket.getaddrinfo("localhost.example.invalid", 80)
        seen["reached"].append(True)
    except OSError:
        pass
    seen["traced"] = _traces(host_process) or _traces(2)
    seen["user"] = os.getuid()
    return seen

def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read(100_000).decode(errors="replace")
    except OSError:
        return ""

def _connects(family, address):
    try:
        with socket.socket(family) as probe:
            probe.settimeout(0.5)
            probe.connect(address)
            return True
    except OSError:
        return False

def _traces(process):
    import ctypes
    return ctypes.CDLL(None, use_errno=True).ptrace(16, process, None, None) == 0

def living_things(words):
    import gc
    from types import FrameType
    found = []
    frame = sys._getframe()
    while frame:
        found += [name for name in (*frame.f_locals, *frame.f_globals) if name in words]
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            found += [key for key in list(thing) if isinstance(key, str) and key in words]
        elif getattr(thing, "__name__", None) in words:
            found.append(thing.__name__)
    return found
"""


def look(course: Course, pool: WorkerPool, text: str, call: str, *arguments: object) -> object:
    """What a function of a submission returns when the judge asks for it."""
    exercise = course.select(["contiguous_strides"])[0]
    source = LessonSource(exercise.lesson_id, "storage.py", (Segment(text),))
    observer = WorkerObserver(pool, {exercise.lesson_id: source}, 30)
    try:
        return observer.observe(exercise, lambda m: getattr(m, call)(*arguments))
    finally:
        observer.close()


def test_a_submission_sees_nothing_that_is_not_its_own(
    course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_INSTRUCTOR", "gradebook-password")
    with socket.socket() as listener, socket.socket(socket.AF_UNIX) as local:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        abstract = f"grader-test-{os.getpid()}"
        local.bind("\0" + abstract)
        local.listen()
        arguments = (listener.getsockname()[1], abstract, os.getpid())
        seen = look(course, pool, LOOK_AROUND, "look_around", *arguments)
    hidden = (
        "solutions",
        "tests/tensors",
        "exercises",
        "test_storage.py",
        "answers_storage.py",
        ".git",
        "grader/judge",
    )
    own = str(ROOT) + os.sep
    assert not [p for p in seen.paths if p.startswith(own) and p[len(own) :].startswith(hidden)]
    assert not [p for p in seen.paths if p.endswith(("solutions/tensors", "answers_storage.py", "test_storage.py"))]
    assert not [m for m in seen.modules if m.split(".")[0] in ("solutions", "tests", "pytest", "_pytest")]
    assert not {"grader.judge", "grader.testing", "grader.course", "grader.submission"} & set(seen.modules)
    assert "gradebook-password" not in str(seen.environment) + str(seen.environments)
    assert not {"GITHUB_OUTPUT", "GITHUB_ENV", "CI", "PYTEST_CURRENT_TEST"} & set(dict(seen.environment))
    assert seen.processes == [1]
    assert seen.users.count("root:") == 0
    assert [number for number, _ in seen.descriptors if number > 3] in ([], [4])  # 4: the folder while it is listed
    assert set(seen.written) <= {"/tmp", "/scratch", "/dev/shm"}, seen.written
    assert not any(seen.reached)
    assert set(seen.interfaces) <= {"lo"}
    assert not seen.traced
    assert seen.user == os.getuid() or os.getuid() == 0
    assert_nothing_stays(pool)


def test_no_expected_value_and_no_reference_is_in_a_submissions_memory(course: Course, pool: WorkerPool) -> None:
    words = ["places_of", "check_places", "TestElementOffset", "assert_equal", "assert_tensor", "Draws", "_Outcome"]
    assert look(course, pool, LOOK_AROUND, "living_things", words) == []


def test_nothing_is_handed_on_to_the_next_submission(course: Course, pool: WorkerPool) -> None:
    leave = """
import os, socket

def leave():
    for folder in ("/tmp", "/dev/shm", "/scratch", os.environ["TMPDIR"]):
        try:
            open(folder + "/left_by_an_attack", "w").close()
        except OSError:
            pass
    if os.fork() == 0:
        os.setsid()
        waiting = socket.socket(socket.AF_UNIX)
        waiting.bind("\\0left_by_an_attack")
        waiting.listen()
        while True:
            waiting.accept()
    os.environ["LEFT_BY_AN_ATTACK"] = "1"
    import torch
    torch.left_by_an_attack = True
"""
    find = """
import os, socket, torch

def find():
    found = [folder for folder in ("/tmp", "/dev/shm", "/scratch") if os.path.exists(folder + "/left_by_an_attack")]
    found += [name for name in os.environ if name.startswith("LEFT")]
    found += ["torch"] if hasattr(torch, "left_by_an_attack") else []
    try:
        socket.socket(socket.AF_UNIX).connect("\\0left_by_an_attack")
        found.append("socket")
    except OSError:
        pass
    return found
"""
    look(course, pool, leave, "leave")
    assert_nothing_stays(pool)
    assert look(course, pool, find, "find") == []


def test_reports_make_forged_output_harmless(
    course: Course, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    attack = read_attack(ATTACKS / "forges_output.py")
    result = grade(pool, submit(course, {attack.exercise: attack.text}), course.select([attack.exercise]))
    assert "16 passed" in result.exercises[0].output
    terminal.show(result, course)
    shown = capsys.readouterr().out
    for text in (shown, render("json", result), render("junit", result), render("markdown", result)):
        assert not set(text) & set("\x1b\x07\r")
        assert not re.search(r"^\s*::", text, re.MULTILINE)
    # GitHub's runner looks for this one anywhere in a line.
    assert "##[" not in shown + render("markdown", result)
    markdown = render("markdown", result)
    assert "<script" not in markdown
    assert "](https://" not in markdown
    assert "| forged |" not in markdown
    assert "<script" not in render("junit", result)


def test_a_message_never_is_pythons_own_repr_of_an_exception(course: Course, pool: WorkerPool) -> None:
    with pytest.raises(Unanswered) as unanswered:
        look(course, pool, "def f():\n    raise ValueError('\\x1b[31m' + 'x' * 10_000)\n", "f")
    assert len(str(unanswered.value)) < 500
    assert "\x1b" not in str(unanswered.value)
