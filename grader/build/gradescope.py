"""Makes the zip that Gradescope takes as an autograder: the course with its hidden tests, and what starts it there."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.build.student import course_files, hidden_contents, student_lock
from grader.course import Course, Exercise
from grader.errors import GraderError
from grader.hidden import CATALOGUE
from grader.replacing import new_file
from grader.sealing import EPOCH

TEMPLATES = Path(__file__).with_name("templates") / "gradescope"
PROGRAMS = ("setup.sh", "run_autograder")
_FILE, _PROGRAM = 0o100644, 0o100755


@dataclass(frozen=True)
class Bundle:
    """What was written: how many files, and how many points a submission can get."""

    files: int
    points: float


def write_bundle(
    course: Course,
    root: Path,
    path: Path,
    exercises: Sequence[Exercise],
    *,
    visibility: str = "visible",
    isolation: str = "auto",
) -> Bundle:
    """Write the zip to `path`, whole or not at all.

    Args:
        root: the author's repository.
        exercises: what submissions are graded on.
        visibility: of tests and summary; see grader.platforms.gradescope.
        isolation: as for `grade --isolation`.

    Raises:
        GraderError: `path` is no name of a zip, or a folder.
    """
    if path.suffix != ".zip" or path.is_dir():
        raise GraderError(f"{path} is no name for the bundle: choose one that ends in .zip with --out")
    options = ["--isolation", isolation, "--visibility", visibility]
    if len(exercises) < len(course.exercises):
        options += [word for exercise in exercises for word in ("-e", exercise.id)]
    contents = dict(_contents(root, " ".join(options)))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Its tests are not sealed: nobody else on this machine is to read them.
    with new_file(path, rights=0o600) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in contents.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = (_PROGRAM if name in PROGRAMS else _FILE) << 16
            bundle.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return Bundle(len(contents), sum(exercise.points for exercise in exercises))


def _contents(root: Path, options: str) -> Iterator[tuple[str, bytes]]:
    for name in PROGRAMS:
        yield name, (TEMPLATES / name).read_text(encoding="utf-8").replace("{options}", options).encode()
    yield from course_files(root)
    yield from hidden_contents(root).items()
    for name in ("pyproject.toml", CATALOGUE):
        yield name, (root / name).read_bytes()
    yield "requirements.lock", student_lock(root).encode()
