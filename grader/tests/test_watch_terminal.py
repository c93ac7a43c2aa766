"""`watch` as a learner has it: the real program, in a terminal of 80 x 24."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from grader.tests.small_course import answer, make_small_course
from grader.tests.terminal import Terminal, wait_until_no_process_names

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")

STORAGE, BROADCASTING = "tensors/storage", "tensors/broadcasting"
SHARES = "return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()"
COLOURED = re.compile(rb"\x1b\[[0-9;]*3[1-7][0-9;]*m")
LEAVES = b"\x1b[?1049l"  # Out of the screen that programs like this one draw on.


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_small_course(tmp_path_factory.mktemp("course"))


@pytest.fixture
def started(root):
    terminals = []

    def start(*arguments, **options):
        terminals.append(Terminal(root, "watch", *arguments, **options))
        return terminals[-1]

    yield start
    for terminal in terminals:
        terminal.close()


def save(path, change, by_renaming=False):
    text = path.read_text()
    assert change(text) != text
    if by_renaming:
        draft = path.with_suffix(".swp")
        draft.write_text(change(text))
        draft.replace(path)
    else:
        path.write_text(change(text))


def test_a_learners_session(root, started):
    storage, broadcasting = (root / "exercises" / f"{name}.py" for name in (STORAGE, BROADCASTING))
    terminal = started(EDITOR=f"{sys.executable} {write_editor(root)}")
    first = terminal.wait_for("0 of 6 solved", "shares_storage", "Warming up", "q quit")
    assert "exercises/tensors/storage.py, line 51" in first
    terminal.type("h")  # Keys work while it warms up.
    terminal.wait_for("Hint 1 of 4")
    terminal.wait_for("Not written yet", "Watching exercises/")

    answer(root, STORAGE, "shares_storage", "return a.data_ptr() == b.data_ptr()")
    terminal.wait_for("✗ failed", "tests pass")
    save(storage, lambda text: text.replace("return a.data_ptr()", "return (a.data_ptr()"))
    terminal.wait_for("Python cannot read the file", "line 72")
    save(storage, lambda text: text.replace("return (a.data_ptr() == b.data_ptr()", SHARES), by_renaming=True)
    shown = terminal.wait_for("✓ passed", "1 of 6 solved", "n is the next exercise")
    assert "Hint 1 of 4" in shown
    assert max(map(len, shown.splitlines())) <= 80

    terminal.type("s")
    terminal.wait_for("Solution of shares_storage", "def shares_storage", "more line")
    terminal.type(" ")
    terminal.wait_for("return a.untyped_storage().data_ptr()")
    terminal.type("n")
    terminal.wait_for("contiguous_strides", "2 of 6:", "Not written yet")
    terminal.type("s")
    terminal.wait_for("once you have solved it")

    # An exercise of another lesson, saved out of turn.
    answer(root, BROADCASTING, "normalize_rows", "print('looking at', x.shape)", "return x")
    terminal.wait_for("normalize_rows", "exercises/tensors/broadcasting.py", "✗", "| looking at")
    gone = broadcasting.read_bytes()
    broadcasting.unlink()
    terminal.wait_for("Exercises/tensors/broadcasting.py is missing: `git checkout --")
    broadcasting.write_bytes(gone)
    terminal.wait_for("✗", "Watching exercises/", without="is missing")

    # A loop that never ends holds up neither the keys nor the next save.
    save(broadcasting, lambda text: text.replace("    return x\n", "    while True: pass\n"))
    terminal.wait_for("Grading normalize_rows")
    terminal.type("?")
    terminal.wait_for("the exercise before this one", "Grading normalize_rows")
    terminal.type("\r")
    save(broadcasting, lambda text: text.replace("    while True: pass\n", "    raise KeyError('oh')\n"))
    terminal.wait_for("raised an error", "KeyError", without="Grading")

    terminal.type("l")
    terminal.wait_for("✓ shares_storage", "~ normalize_rows", "> ")
    terminal.type("\x1b[A\x1b[A\x1b[A\r")  # Up, up, up, Enter.
    terminal.wait_for("contiguous_strides", "2 of 6:", "Not written yet")
    terminal.resize(12, 44)
    terminal.wait_for("? keys  q quit", "contiguous_strides", "1 of 6 solved")
    terminal.resize(24, 80)
    terminal.wait_for("n next  p previous", "contiguous_strides")

    # The editor opens at the exercise, and what it saves is graded when it is left.
    terminal.type("e")
    terminal.wait_for("✗", "KeyError: 'edited at +94'")
    terminal.type("q")
    assert terminal.wait_for_end() == 0
    assert LEAVES in terminal.written
    wait_until_no_process_names(root)
    record = (root / ".grader/progress.txt").read_text()
    assert "current  tensors/storage/contiguous_strides" in record
    assert "solved   tensors/storage/shares_storage" in record

    # The next start goes on from there; Ctrl-C ends it, even while it starts.
    again = started(NO_COLOR="1")
    again.wait_for("1 of 6 solved", "contiguous_strides", "Warming up")
    again.type("\x03")
    assert again.wait_for_end() == 0
    assert LEAVES in again.written
    assert COLOURED.search(terminal.written)
    assert not COLOURED.search(again.written)
    wait_until_no_process_names(root)


def write_editor(root):
    """An editor that is told a line and a file, and writes the line into the stub there."""
    editor = root / "editor.py"
    editor.write_text(
        "import sys, pathlib\n"
        "line, path = sys.argv[1], pathlib.Path(sys.argv[2])\n"
        "stub = 'raise NotImplementedError(\"contiguous_strides is not written yet\")'\n"
        "path.write_text(path.read_text().replace(stub, f\"raise KeyError('edited at {line}')\"))\n"
    )
    return editor


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_as_q_does(root, started, number):
    terminal = started()
    terminal.wait_for("Warming up")
    terminal.child.kill(number)
    assert terminal.wait_for_end() == 0
    assert LEAVES in terminal.written
    wait_until_no_process_names(root)


def test_when_the_screen_is_killed_the_grading_process_ends_too(root, started):
    terminal = started()
    terminal.wait_for("Warming up")
    terminal.child.kill(signal.SIGKILL)
    terminal.wait_for_end()
    wait_until_no_process_names(root)


def test_an_exercise_that_is_not_there(root, started):
    terminal = started("contiguous_stride")
    assert terminal.wait_for_end() == 2
    assert b"did you mean 'contiguous_strides'" in terminal.written
    assert LEAVES not in terminal.written


def test_without_a_terminal_it_says_so_and_goes_on_without_keys(root):
    command = [sys.executable, "-m", "grader", "watch", "relu", "--poll"]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    watch = subprocess.Popen(
        command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    try:
        lines = iter(watch.stdout.readline, "")
        assert "standard input is not a terminal" in next(lines)
        wait_for_line(lines, "Ready.")
        wait_for_line(lines, "not attempted")
        time.sleep(0.05)
        answer(root, BROADCASTING, "relu", "return x.clamp(0)")
        wait_for_line(lines, "tensors/broadcasting/relu")
        wait_for_line(lines, "✗ ")
        watch.send_signal(signal.SIGINT)
        rest = "".join(lines)
        assert "Traceback" not in rest
        assert watch.wait() == 0
    finally:
        watch.kill()
        watch.stdout.close()
        watch.wait()
    wait_until_no_process_names(root)


def wait_for_line(lines, text):
    for line in lines:
        assert "\x1b" not in line
        if text in line:
            return
    raise AssertionError(f"no line has {text!r}")
