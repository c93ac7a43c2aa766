"""Tests of the arithmetic behind the bench of classes: what is aimed at, and whose memory counts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from grader.bench.classes import ClassReport, ClassSize, class_aims, show_class_report
from grader.bench.table import Way, disagreements

GB = 2**30
HUNGRY = "import sys; kept = bytearray(b'x') * (64 * 2**20); print('ready', flush=True); sys.stdin.read()"


def report(points: float = 1.0) -> ClassReport:
    ours, theirs = {"s": {"a/b/c": 1.0}}, {"s": {"a/b/c": points}}
    ways = (
        Way("h", "class, with diagnosis", 12.0, ours),
        Way("i", "class, without", 10.0, ours),
        Way("j", "a pytest process each", 40.0, ours),
        Way("k", "nbgrader autograde", 150.0, theirs),
    )
    sizes = (
        ClassSize(4, 10.0, 1.0, GB, 9, 12),
        ClassSize(10, 14.0, 1.0, 2 * GB, 20, 30),
        ClassSize(200, 230.0, 1.1, 2 * GB, 99, 600),
    )
    return ClassReport(ways, sizes, "facts", ("note",), disagreements(ways[1:]))


def test_each_aim_is_worked_out_from_its_own_figures() -> None:
    pytest_share, large_pytest_share, nbgrader_share, large_nbgrader_share, memory, growth = class_aims(report())
    assert (pytest_share.value, pytest_share.met) == (0.25, True)
    assert large_pytest_share.value == pytest.approx(230 / 200 / 40)
    assert (nbgrader_share.value, nbgrader_share.met) == (pytest.approx(1 / 15), False)
    assert (large_nbgrader_share.value, large_nbgrader_share.met) == (pytest.approx(230 / 200 / 150), True)
    assert (memory.value, memory.met) == (2.0, True)
    assert (growth.value, growth.met) == (1.1, True)
    assert not class_aims(replace(report(), sizes=(ClassSize(4, 1, 1, 4 * GB, 9, 12),)))[2].met


def test_points_that_differ_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    show_class_report(report())
    assert "agree between h, i, j, k" in capsys.readouterr().out
    show_class_report(report(0.5))
    assert "POINTS DO NOT AGREE" in capsys.readouterr().out


# Runs in an interpreter of its own, where these two are all the descendants there are.
WATCHED = """
import subprocess, sys, time
from grader.bench.memory import MemoryWatch, tree_bytes

kept = bytearray(b"x") * (256 * 2**20)
outer = [sys.executable, "-c", "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"]
with (
    MemoryWatch() as watch,
    subprocess.Popen([*outer, sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
):
    process.stdout.readline()
    print(tree_bytes(process.pid))
    time.sleep(1.2)
    process.stdin.close()
print(watch.most)
print(tree_bytes(process.pid))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_memory_of_what_a_process_started_counts_and_its_own_does_not() -> None:
    command = [sys.executable, "-c", WATCHED, HUNGRY]
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    now, most, afterwards = map(int, run.stdout.split())
    assert 64 * 2**20 < now < 160 * 2**20
    assert 64 * 2**20 < most < 160 * 2**20
    assert afterwards == 0
