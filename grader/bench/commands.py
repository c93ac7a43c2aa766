"""Runs a command to its end and times it, and takes it along when this process is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from grader.course import ROOT
from grader.errors import GraderError

STOP_SECONDS = 5


def time_python(
    arguments: Sequence[str],
    scratch: Path,
    *,
    accepted: Sequence[int] = (0,),
    on_line: Callable[[str], None] | None = None,
) -> float:
    """Run this Python with `arguments` in the project's folder.

    Args:
        scratch: where it may leave files; it finds no GPU and none of the user's settings.
        accepted: exit statuses that are no failure.
        on_line: called with each line that it prints.

    Returns: seconds from its start to its end.
    Raises:
        GraderError: it ended with another status; the text has its last words.
    """
    last_lines: deque[str] = deque(maxlen=5)
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=_environment(scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            last_lines.append(line.strip())
            if on_line:
                on_line(line)
        status = process.wait()
    except BaseException:
        _stop(process)
        raise
    seconds = time.perf_counter() - started
    if status not in accepted:
        raise GraderError(f"`python {' '.join(arguments)[:200]}` ended with status {status}: {' | '.join(last_lines)}")
    return seconds


def _environment(scratch: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "JUPYTER_"))}
    names = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
    folders = {name: str(scratch / name.lower()) for name in names}
    # The GPU stays out: not every way has it, and CUDA's start would be timed instead of ours.
    mine = {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "TMPDIR": str(scratch)}
    # nbgrader starts `alembic`, which lies beside this Python.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return kept | folders | mine | {"PATH": path}


def _stop(process: subprocess.Popen[str]) -> None:
    """End it so that it can clear up behind itself; after a while, without."""
    for number in (signal.SIGINT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
    if process.stdout:
        process.stdout.close()
