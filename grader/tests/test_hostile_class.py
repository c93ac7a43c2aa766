"""A class full of attacks: five honest students among them get what they get alone, and nothing stays behind."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from grader.course import ROOT, Course
from grader.judge import judge
from grader.submission import read_submission
from grader.tests.corpus import ATTACKS, MARK, Attack, hand_in, read_attacks, submit
from grader.workers import WorkerPool

LESSON = "tensors/storage"
EXERCISES = ("contiguous_strides", "element_offset")
LEAST = 70
# Of those that are ended by the time limit, which takes its ten seconds, the ones that do most harm until then.
WORST = ("fork_bomb", "thread_bomb", "prints_for_ever", "ignores_signals")

# Not all of them are right: what an honest student gets may be half, or nothing.
HALF = "def contiguous_strides(shape):\n    return tuple(shape)\n"
HONEST = {
    "honest-ada": "",
    "honest-ben": HALF,
    "honest-cem": "def contiguous_strides(shape):\n    raise ValueError('no idea')\n",
    "honest-dee": "def contiguous_strides(shape):\n    import torch\n    print('hello')\n"
    "    return torch.empty(shape).stride()\n",
    "honest-eva": "def contiguous_strides(shape):\n    raise NotImplementedError('contiguous_strides')\n",
}


def grader(*arguments: object, room: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(room), "COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "grader", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)


def chosen_attacks() -> list[Attack]:
    attacks = [attack for attack in read_attacks(ATTACKS) if attack.exercise in EXERCISES]
    return [a for a in attacks if "timeout" not in a.fields["Must"] or a.name in WORST]


def write(folder: Path, text: str) -> None:
    path = folder / f"{LESSON}.py"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


def processes() -> set[str]:
    found = set()
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                line = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if str(ROOT).encode() in line and b"grader.worker.zygote" in line:
                found.add(entry)
    return found


@pytest.mark.alone
@pytest.mark.timeout(1000)
def test_five_honest_students_among_seventy_attacks(course: Course, pool: WorkerPool, tmp_path: Path) -> None:
    """`pool` skips where there is no sandbox."""
    folder, out, room = tmp_path / "class", tmp_path / "grades", tmp_path / "room"
    room.mkdir()
    attacks = chosen_attacks()
    assert len(attacks) >= LEAST
    for attack in attacks:
        place = folder / attack.name
        submission = hand_in(attack, course, place)
        if not attack.files:
            write(place, submission.lessons[LESSON].segments[0].source)
    for name, text in HONEST.items():
        texts = {"contiguous_strides": text} if text else {}
        write(folder / name, submit(course, texts).lessons[LESSON].segments[0].source)
    options = [word for name in EXERCISES for word in ("-e", name)]
    options += ["--seed", "7", "--isolation", "sandbox", "--gpu", "off"]

    def everything(below: Path) -> set[str]:
        return {str(path.relative_to(below)) for path in below.rglob("*")}

    handed_in, project, before = everything(folder), set(os.listdir(ROOT)), processes()
    run = grader("class", folder, "--out", out, *options, room=room)
    assert run.returncode == 0, run.stderr[-2000:]
    # Before this test's own pool is used, whose workers change.
    deadline = time.monotonic() + 20
    while processes() - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes() <= before
    with open(out / "grades.csv", encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(attacks) + len(HONEST)

    for attack in attacks:
        (exercise,) = course.select([attack.exercise])
        assert rows[attack.name][exercise.id] in ("0", ""), (attack.name, rows[attack.name])
    for name in HONEST:
        alone = judge(read_submission(folder / name, course), course.select(EXERCISES), pool, seed=7, gpu="off")
        for exercise in alone.exercises:
            assert float(rows[name][exercise.id]) == pytest.approx(exercise.points, abs=0.006), (name, rows[name])
        assert float(rows[name]["points"]) == pytest.approx(alone.points, abs=0.006)
    assert float(rows["honest-ada"]["percent"]) == 100
    assert float(rows["honest-ada"]["points"]) > float(rows["honest-ben"]["points"]) > 0

    assert everything(folder) == handed_in
    assert list(room.iterdir()) == []
    assert set(os.listdir(ROOT)) == project
    for shared in ("/tmp", "/var/tmp", "/dev/shm", str(Path.home())):
        assert not [name for name in os.listdir(shared) if name.startswith(MARK)], shared


def test_a_class_is_not_graded_without_a_sandbox_unless_told(tmp_path: Path, course: Course) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("it switches namespaces off")
    from grader.tests.faults.surroundings import without_user_namespaces

    try:
        subprocess.run(["true"], preexec_fn=without_user_namespaces, check=True)
    except subprocess.SubprocessError:
        pytest.skip("there are no user namespaces here at all")
    write(tmp_path / "class" / "ada", submit(course, {}).lessons[LESSON].segments[0].source)
    command = [sys.executable, "-m", "grader", "class", str(tmp_path / "class"), "-e", EXERCISES[0], "--gpu", "off"]
    refused = subprocess.run(
        command, cwd=ROOT, preexec_fn=without_user_namespaces, capture_output=True, text=True, timeout=250
    )
    assert refused.returncode == 2, refused
    assert "--isolation process" in refused.stderr
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert not (tmp_path / "class" / "grades" / "grades.csv").exists()
