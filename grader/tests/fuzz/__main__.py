"""Fuzzes a target: `python -m grader.tests.fuzz TARGET --seconds N`; `make fuzz MINUTES=n` does all of them.

With atheris (pip install atheris) it is guided by coverage; without, hypothesis draws and mutates. What is found is
written to grader/tests/fuzz/findings/, and fails the run. `--keep` saves the small inputs that reached new lines in
grader/tests/fuzz/corpus/, which the tests replay.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from grader.course import ROOT

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
FINDINGS = HERE / "findings"
MEMORY_MB = 3000
LARGEST = 20_000  # bytes of one input
KEPT_BYTES, KEPT_FILES = 4096, 40
SLOW_SECONDS = 60


def corpus_of(target: str) -> list[bytes]:
    """The saved inputs of a target."""
    folder = CORPUS / target
    return [path.read_bytes() for path in sorted(folder.iterdir())] if folder.is_dir() else []


def lines_of(target: str, inputs: list[bytes]) -> tuple[list[frozenset[tuple[str, int]]], int]:
    """For each input the lines of the target's modules that it reaches, and how many lines those modules have."""
    from grader.tests.fuzz.targets import MODULES, TARGETS

    files = {str(ROOT / name) for name in MODULES[target]}
    reached: set[tuple[str, int]] = set()

    def local(frame, event, argument):  # type: ignore[no-untyped-def]
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return local

    def trace(frame, event, argument):  # type: ignore[no-untyped-def]
        return local if frame.f_code.co_filename in files else None

    found = []
    for data in inputs:
        reached = set()
        sys.settrace(trace)
        try:
            TARGETS[target](data)
        finally:
            sys.settrace(None)
        found.append(frozenset(reached))
    return found, sum(_body_lines(Path(name)) for name in files)


def _body_lines(path: Path) -> int:
    """Lines of functions: what runs when a module is imported says nothing."""
    codes = [compile(path.read_text(encoding="utf-8"), str(path), "exec")]
    lines: set[int] = set()
    while codes:
        code = codes.pop()
        codes += [constant for constant in code.co_consts if hasattr(constant, "co_lines")]
        if code.co_flags & 2:  # CO_NEWLOCALS: a function, and no module or class
            lines |= {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}
    return len(lines)


def smallest_cover(target: str, inputs: list[bytes]) -> list[bytes]:
    """Few and small inputs that together reach every line that all of them reach."""
    small = sorted({data for data in inputs if len(data) <= KEPT_BYTES}, key=len)
    covered: set[tuple[str, int]] = set()
    kept = []
    for data, lines in zip(small, lines_of(target, small)[0], strict=True):
        if lines - covered:
            covered |= lines
            kept.append(data)
    return kept[:KEPT_FILES]


def fuzz(target: str, seconds: int, keep: bool) -> int:
    """Fuzz one target; 0 if nothing was found."""
    from grader.tests.fuzz.targets import seeds

    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="grader-fuzz-") as name:
        folder = Path(name)
        for number, data in enumerate([*seeds(target), *corpus_of(target)]):
            (folder / f"seed-{number}").write_bytes(data)
        try:
            import atheris  # noqa: F401

            engine, run = "atheris", _with_atheris
        except ImportError:
            engine, run = "hypothesis", _with_hypothesis
        started = time.monotonic()
        executions, found = run(target, seconds, folder)
        taken = time.monotonic() - started
        inputs = [path.read_bytes() for path in folder.iterdir()]
        reached, lines = lines_of(target, inputs)
        memory = resource.getrusage(resource.RUSAGE_CHILDREN if engine == "atheris" else resource.RUSAGE_SELF).ru_maxrss
        covered = len(frozenset[tuple[str, int]]().union(*reached))
        print(
            f"{target}: {executions:,} executions in {taken:.0f} s by {engine}, "
            f"{covered:,} of {lines:,} lines of its modules' functions, {len(inputs)} inputs kept, "
            f"{found} finding{'s' * (found != 1)}, at most {memory // 1024} MB",
            flush=True,
        )
        if keep:
            target_folder = CORPUS / target
            target_folder.mkdir(parents=True, exist_ok=True)
            for path in target_folder.iterdir():
                path.unlink()
            for data in smallest_cover(target, inputs):
                (target_folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return found


def _with_atheris(target: str, seconds: int, folder: Path) -> tuple[int, int]:
    before = set(FINDINGS.glob(f"{target}-*"))
    options = [f"-max_total_time={seconds}", f"-max_len={LARGEST}", f"-rss_limit_mb={MEMORY_MB}", "-detect_leaks=0"]
    options += [
        f"-timeout={SLOW_SECONDS}",
        f"-artifact_prefix={FINDINGS}/{target}-",
        "-print_final_stats=1",
        "-close_fd_mask=0",
    ]
    command = [sys.executable, "-m", "grader.tests.fuzz.guided", target, *options, str(folder)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    said = process.stdout + process.stderr
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", said)
    found = set(FINDINGS.glob(f"{target}-*")) - before
    if process.returncode and not found:
        found.add(FINDINGS / "without an input")
    if found:
        print(said[-4000:], file=sys.stderr)
    return int(executions[1]) if executions else 0, len(found)


def _with_hypothesis(target: str, seconds: int, folder: Path) -> tuple[int, int]:
    """Without a coverage-guided fuzzer: mutate what there is, by draws of hypothesis."""
    from grader.tests.fuzz.targets import TARGETS

    rng = random.Random(os.urandom(8))
    pool = [path.read_bytes() for path in folder.iterdir()]
    known = set().union(*lines_of(target, pool)[0])
    deadline = time.monotonic() + seconds
    executions = found = 0
    while time.monotonic() < deadline and not found:
        data = _mutated(rng, pool)
        executions += 1
        try:
            new = (
                lines_of(target, [data])[0][0] - known if executions % 20 == 0 else TARGETS[target](data) or frozenset()
            )
        except Exception:
            name = FINDINGS / f"{target}-crash-{hashlib.sha256(data).hexdigest()[:16]}"
            name.write_bytes(data)
            traceback.print_exc()
            found += 1
            break
        if new:
            known |= new
            pool.append(data)
            (folder / f"new-{executions}").write_bytes(data)
    return executions, found


def _mutated(rng: random.Random, pool: list[bytes]) -> bytes:
    data = bytearray(rng.choice(pool))
    changes: list[Callable[[], object]] = [
        lambda: data.__setitem__(rng.randrange(len(data)), rng.randrange(256)) if data else None,
        lambda: data.insert(rng.randrange(len(data) + 1), rng.randrange(256)),
        lambda: data.__delitem__(slice(*sorted(rng.choices(range(len(data) + 1), k=2)))),
        lambda: data.extend(rng.choice(pool)),
        lambda: data.__setitem__(slice(*(2 * [rng.randrange(len(data) + 1)])), rng.choice(pool)[: rng.randrange(64)]),
        lambda: data.__setitem__(slice(0, 0), rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"l\1\0\0\0" * 9))),
    ]
    for _ in range(rng.randrange(1, 5)):
        rng.choice(changes)()
    return bytes(data[:LARGEST])


def main() -> None:
    """Entry."""
    from grader.tests.fuzz.targets import TARGETS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[[], *TARGETS], help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    parser.add_argument("--keep", action="store_true", help="save small inputs that reached new lines")
    arguments = parser.parse_args()
    found = [fuzz(target, arguments.seconds, arguments.keep) for target in arguments.targets or TARGETS]
    raise SystemExit(1 if any(found) else 0)


if __name__ == "__main__":
    main()
