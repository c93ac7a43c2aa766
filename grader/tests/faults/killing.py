"""Faults: a process of the grader's is killed, stopped or told to end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time

from grader.judge import EXERCISE_SECONDS
from grader.tests.faults.corpus import (
    Scene,
    assert_full,
    assert_gone,
    assert_one_line,
    await_workers,
    ending,
    family,
    kill,
)


def killed_zygote(scene: Scene) -> None:
    """The process that starts submissions is killed."""

    def act(process: subprocess.Popen[str]) -> None:
        kill(list(family(process.pid))[2])

    assert_one_line(scene.grade_and(act), "the process that starts submissions has ended: run it again")


def killed_sandbox(scene: Scene) -> None:
    """bubblewrap is killed, and everything in it."""
    before: dict[int, str] = {}

    def act(process: subprocess.Popen[str]) -> None:
        before.update(family(process.pid))
        kill(next(iter(before)))

    assert_one_line(scene.grade_and(act), "run it again")
    assert_gone(before)


def killed_worker(scene: Scene) -> None:
    """The process in which an honest submission runs is killed: it is run again, and costs no point."""

    def act(process: subprocess.Popen[str]) -> None:
        for worker in list(family(process.pid))[3:4]:
            kill(worker)

    assert_full(scene.grade_and(act))


def killed_spare_workers(scene: Scene) -> None:
    """Processes that wait for a submission are killed."""

    def act(process: subprocess.Popen[str]) -> None:
        for worker in list(family(process.pid))[4:]:
            kill(worker)

    assert_full(scene.grade_and(act))


def killed_judge(scene: Scene) -> None:
    """The grader itself is killed: nothing of it stays."""
    before: dict[int, str] = {}

    def act(process: subprocess.Popen[str]) -> None:
        before.update(family(process.pid))
        process.kill()

    ended = scene.grade_and(act)
    assert ended.status == -signal.SIGKILL
    assert ended.out == ""
    assert len(before) >= 6
    assert_gone(before)


def _told_to_end(scene: Scene, number: int) -> None:
    before: dict[int, str] = {}

    def act(process: subprocess.Popen[str]) -> None:
        before.update(family(process.pid))
        process.send_signal(number)

    assert_one_line(scene.grade_and(act), "stopped before the end; there is no result")
    assert_gone(before)


def interrupted(scene: Scene) -> None:
    """Ctrl-C while a submission runs."""
    _told_to_end(scene, signal.SIGINT)


def terminated(scene: Scene) -> None:
    """SIGTERM while a submission runs, as from a batch system."""
    _told_to_end(scene, signal.SIGTERM)


def hung_up(scene: Scene) -> None:
    """SIGHUP while a submission runs."""
    _told_to_end(scene, signal.SIGHUP)


def interrupted_at_the_start(scene: Scene) -> None:
    """Ctrl-C while the sandbox is starting and torch is imported."""
    process = scene.start()
    while process.poll() is None and not family(process.pid):
        time.sleep(0.01)
    before = family(process.pid)
    process.send_signal(signal.SIGINT)
    assert_one_line(ending(process), "stopped before the end")
    assert_gone(before)


def interrupted_twice(scene: Scene) -> None:
    """Ctrl-C by somebody who has no patience."""

    def act(process: subprocess.Popen[str]) -> None:
        for _ in range(3):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)

    ended = scene.grade_and(act)
    assert ended.status in (2, -signal.SIGINT), ended
    assert ended.out == "", ended
    assert "Traceback" not in ended.err, ended


def stopped_for_longer_than_the_limit(scene: Scene) -> None:
    """Ctrl-Z, a coffee, and `fg`: the answer has come in the meantime, and counts."""

    def act(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGSTOP)
        time.sleep(EXERCISE_SECONDS + 2)
        process.send_signal(signal.SIGCONT)

    assert_full(scene.grade_and(act))


def closed_terminal(scene: Scene) -> None:
    """The window in which it runs is closed."""
    scene.slow_down()
    ours, theirs = pty.openpty()
    process = scene.start(scene.submission, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    before = await_workers(process)
    os.close(ours)
    process.send_signal(signal.SIGHUP)
    assert ending(process).status in (2, -signal.SIGHUP)
    assert_gone(before)
