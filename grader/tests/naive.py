"""A grader that runs submissions in its own process, as most do: it shows that the attacks are real ones.

Run as `python naive.py SUITE NAME FILE...`: grades each FILE by the hidden tests of the exercise NAME, in a process
forked for it, and prints a line of JSON: how each of these processes ended (as from os.waitpid).
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 20


def grade(suite: str, name: str, file: str) -> int:
    """Run the tests with pytest, all in this process; 0 if pytest finds that nothing failed."""
    import pytest

    from grader import plugin
    from grader.observing import _namespace
    from grader.submission import LessonSource, Segment
    from grader.worker.lesson import load_lesson

    source = LessonSource("lesson", file, (Segment(Path(file).read_text(encoding="utf-8")),))

    class Observer:
        """Calls a probe where the tests are, and takes what it returns as it is."""

        def observe(self, exercise, probe, gpu=False):
            self.names = getattr(self, "names", None) or load_lesson("lesson", file, source.segments)
            return _namespace(probe(self.names))

        def close(self):
            pass

    class Naive:
        def pytest_configure(self, config):
            config.stash[plugin.OBSERVER] = Observer()

        def pytest_collection_modifyitems(self, items):
            items[:] = [item for item in items if item.get_closest_marker("exercise").args[0] == name]

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    arguments = [suite, "-q", "-p", "grader.plugin", "-p", "pytest_timeout", "--assert=plain", "-o", "addopts=", "-c"]
    arguments += [str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    return int(pytest.main(arguments, plugins=[Naive()]))


def main(suite: str, name: str, files: list[str]) -> None:
    """Grade each file in a process of its own."""
    import torch  # imported once, for all that are forked from here

    import grader.plugin
    import grader.testing

    grader.plugin.load_course()

    torch.set_num_threads(1)
    endings = {}
    for file in files:
        process = os.fork()
        if process == 0:
            os.setsid()
            signal.alarm(SECONDS)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            nothing = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nothing, descriptor)
            status = 3
            try:
                status = grade(suite, name, file)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
            finally:
                sys.exit(status)
        endings[file] = os.waitpid(process, 0)[1]
    print(json.dumps(endings))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
