"""A terminal that a test can type into and look at: pexpect's pseudo-terminal, read by pyte as a screen."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pexpect
import pyte

WAIT_SECONDS = 150  # For something that comes in a second or so, on a machine that does much else.


class Terminal:
    """`python -m grader ARGUMENTS` in a terminal of `rows` x `columns`."""

    def __init__(self, root: Path, *arguments: str, rows: int = 24, columns: int = 80, **environment: str) -> None:
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "VISUAL", "EDITOR")}
        places = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.written = bytearray()
        self.child = pexpect.spawn(
            sys.executable,
            ["-m", "grader", *arguments],
            cwd=str(root),
            env={**kept, **places, **environment},
            dimensions=(rows, columns),
            timeout=WAIT_SECONDS,
        )

    @property
    def text(self) -> str:
        """What is on the screen now, lines without the blanks at their ends."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    def read(self, seconds: float = 0.05) -> bool:
        """Take in what the program writes; False at its end."""
        try:
            piece = self.child.read_nonblocking(65536, seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += piece
        self.stream.feed(piece)
        return True

    def wait_for(self, *texts: str, without: str = "\0") -> str:
        """Wait until all these texts are on the screen, and `without` is not; the screen."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not (all(text in self.text for text in texts) and without not in self.text):
            alive = self.read()
            if not alive or time.monotonic() > deadline:
                raise AssertionError(f"waited for {texts}, {'in vain' if alive else 'and it ended'}:\n{self.text}")
        return self.text

    def type(self, keys: str) -> None:
        self.child.send(keys)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def wait_for_end(self) -> int | None:
        """Wait until the program has ended by itself; its exit status, negative for a signal's number."""
        while self.read(WAIT_SECONDS):
            pass
        self.child.close()
        status, number = self.child.exitstatus, self.child.signalstatus
        return status if number is None else -number

    def close(self) -> None:
        if self.child.isalive():
            self.child.kill(signal.SIGKILL)
        self.child.close(force=True)


def processes_that_name(path: Path) -> list[str]:
    """The command lines of running processes in which a path occurs; only where there is a /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(path) in line and int(folder.name) != os.getpid():
                found.append(line)
    return found


def wait_until_no_process_names(path: Path) -> None:
    """Fail if one is there for much longer than ending takes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while found := processes_that_name(path):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
