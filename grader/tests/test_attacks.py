"""Attacks: submissions that try to get points without an answer, or to do harm, and what must come of each.

grader/tests/corpus.py says how the files of attacks/ are read and what is checked. Those of attacks/evidence/ do not
want to pass without an answer, but with a wrong one; ``honest.py`` is that answer alone, and ``Outcome`` says whether
the attack earns more than it.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from grader.course import ROOT, Course, load_course, suite_path
from grader.grading import worker_pool
from grader.judge import judge
from grader.observing import Unanswered
from grader.reports import render, terminal
from grader.submission import LessonSource, Segment
from grader.tests.corpus import (
    ATTACKS,
    Attack,
    assert_nothing_stays,
    assert_unhurt,
    check_attack,
    grade,
    read_attack,
    read_attacks,
    submit,
)
from grader.workers import WorkerObserver, WorkerPool

ALL = read_attacks(ATTACKS)


def check_alone(attack: Attack) -> None:
    """In a process of its own: a pool for this attack and those that this process is given after it."""
    if not _here:
        course, stack = load_course(), ExitStack()
        _here[:] = course, stack.enter_context(worker_pool(course.exercises, course, "sandbox", "off")), stack
    with tempfile.TemporaryDirectory() as folder:
        check_attack(attack, _here[0], _here[1], Path(folder))


_here: list[Any] = []


@pytest.fixture(scope="module")
def checks(request: pytest.FixtureRequest, pool: WorkerPool) -> Iterator[dict[str, Future[None]]]:
    """What becomes of the attacks that are to be tested, by name: they run beside each other on all cores."""
    chosen = [
        item.callspec.params["attack"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.originalname == test_attack_earns_nothing_and_harms_nobody.__name__
    ]
    # Those that wait for a limit first: then no core waits for another at the end.
    chosen.sort(key=lambda attack: "timeout" not in attack.fields["Must"])
    with ProcessPoolExecutor(max(1, min(os.cpu_count() or 1, len(chosen) // 4)), get_context("spawn")) as executor:
        yield {attack.name: executor.submit(check_alone, attack) for attack in chosen}
        executor.shutdown(wait=True, cancel_futures=True)


@pytest.mark.parametrize("attack", ALL, ids=lambda attack: attack.name)
def test_attack_earns_nothing_and_harms_nobody(attack: Attack, checks: dict[str, Future[None]]) -> None:
    checks[attack.name].result(timeout=280)


def test_the_corpus_has_every_class_and_says_what_it_tries() -> None:
    assert len(ALL) >= 100
    classes = {attack.fields["Class"] for attack in ALL}
    assert classes == CLASSES
    for attack in ALL:
        assert set(attack.fields) <= {"Class", "Tries", "For", "Must", "Says", "Others", "Naive"}, attack.name
        assert attack.fields["Tries"].startswith("to "), attack.name
        assert attack.fields["Must"], attack.name


# One for each row of what a submission may try. Files that cannot be read are in test_odd_submissions.py.
CLASSES = {
    "end the run early",
    "turn failure into skip",
    "bring your own pytest",
    "shadow modules",
    "patch the judge",
    "patch the world",
    "objects that lie",
    "values that pass by accident",
    "read the answers",
    "write the verdict",
    "forge through output",
    "never finish",
    "eat the machine",
    "stay behind",
    "attack neighbours",
    "phone out",
    "know you are graded",
    "GPU tricks",
}


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


@pytest.mark.parametrize("attack", read_attacks(ATTACKS / "evidence"), ids=lambda attack: attack.name)
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
    result = judge(submission, course.select((), ["tensors"]), pool, seed=5, gpu="off")
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
    folders = [*sys.path, os.getcwd(), "/", "/root", "/home", "/tmp", "/srv", "/etc", "/proc/1/cwd", "/proc/self/cwd"]
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
