"""Makes the student version: a repository with exercises, data and grader; hidden files go along sealed or not at all.

What goes along is listed here; everything else stays. At the end the folder is searched for what must not be in it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.build.exercises import generated_files
from grader.build.leaks import find_leaks
from grader.build.locking import cut_lock
from grader.course import Course, require_solutions
from grader.errors import GraderError
from grader.hidden import CATALOGUE, FOLDERS, SEALED
from grader.sealing import new_key, seal

TEMPLATES = Path(__file__).with_name("templates") / "student"
AS_IT_IS = ("LICENSE", ".gitignore")
TARGETS = "help setup grade watch list hint reset progress notebooks clean".split()
AUTHORS_PARTS = (
    "tests",
    "bench",
    "build/templates",
    "build/nbgrader",
    "build/nbgrader.py",
    "build/student.py",
    "build/gradescope.py",
    "build/leaks.py",
    "build/locking.py",
)
TOPIC_NOTES = (".md", ".json", ".csv", ".png", ".jpg", ".pt", ".txt")
UNSEALED = (".toml", ".pyc")  # of tests/: what only authors' checks read
EXTRAS = (
    "jupytext",
    "jinja2",
    "cryptography",
    "ipykernel",
    "jupyterlab",
)  # beside the grader's own: notebooks, pages, seal


class NotBuilt(GraderError):
    """The student version cannot be made; the text says why and what to do."""


@dataclass(frozen=True)
class Built:
    """A student version: its folder, how many files it has, and the key of the sealed file."""

    folder: Path
    files: int
    key: str


def build_student(course: Course, root: Path, out: Path, key: str | None = None) -> Built:
    """Make the student version in `out`: a new or empty folder, or one with an earlier version (its .git stays).

    Args:
        root: the author's repository.
        key: seals the hidden files; a new one is made if None.

    Raises:
        CourseError: there are no solutions here.
        NotBuilt: `out` holds something else, or something hidden would leak.
        SealError: `key` is no key.
    """
    require_solutions(course, "the student version")
    _require_room(out, root)
    key = key or new_key()
    hidden = hidden_contents(root)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as name:
        draft = Path(name) / "student"
        public = generated_files(course)
        for path, content in _contents(course, root, public):
            (draft / path).parent.mkdir(parents=True, exist_ok=True)
            (draft / path).write_bytes(content)
        (draft / SEALED).write_bytes(seal(hidden, (draft / CATALOGUE).read_bytes(), key))
        require_no_leaks(draft, hidden, public.values())
        _move_in(draft, out)
    return Built(out, sum(path.is_file() for path in out.rglob("*") if ".git" not in path.parts), key)


def hidden_contents(root: Path) -> dict[str, bytes]:
    """All that is to be sealed: content of each file of solutions/ and tests/, by its path from `root`."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*"))
        if path.is_file() and path.suffix not in UNSEALED and "__pycache__" not in path.parts
    }


def require_no_leaks(folder: Path, hidden: dict[str, bytes], public: Iterable[str]) -> None:
    """Search a folder that is to be handed out.

    Args:
        hidden: what must not be in it.
        public: texts that may be.

    Raises:
        NotBuilt: something hidden is in it.
    """
    hints = [hint for text in public if text.startswith("{") for hint in _strings_of(text)]
    leaks = find_leaks(folder, hidden, [*public, *hints])
    if leaks:
        more = f", and {len(leaks) - 1} more" if len(leaks) > 1 else ""
        raise NotBuilt(f"nothing was built, as hidden files would leak: {leaks[0]}{more}")


def _strings_of(catalogue: str) -> Iterator[str]:
    for lesson in json.loads(catalogue)["lessons"]:
        for exercise in lesson["exercises"]:
            yield from exercise["hints"]


def _require_room(out: Path, root: Path) -> None:
    if root.is_relative_to(out):
        raise NotBuilt(f"{out} holds this repository: choose a folder of its own with --out")
    if out.exists() and not out.is_dir():
        raise NotBuilt(f"{out} is a file: choose a folder with --out")
    present = {path.name for path in out.iterdir()} - {".git"} if out.is_dir() else set()
    earlier = (out / CATALOGUE).is_file() and not any((out / name).exists() for name in FOLDERS)
    if present and not earlier:
        raise NotBuilt(f"{out} holds something else than a student version: empty it, or choose another with --out")


def _contents(course: Course, root: Path, public: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Path and content of every file of the student version but the sealed one."""
    for name, text in public.items():
        yield f"exercises/{name}", text.encode()
    yield from course_files(root)
    for name in AS_IT_IS:
        yield name, (root / name).read_bytes()
    yield "Makefile", _makefile((root / "Makefile").read_text(encoding="utf-8")).encode()
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    yield "pyproject.toml", _project(project).encode()
    yield "requirements.lock", student_lock(root).encode()
    for path in _files(TEMPLATES):
        name = path.relative_to(TEMPLATES).as_posix()
        yield (
            name,
            _filled(path.read_text(encoding="utf-8"), course).encode() if name == "README.md" else path.read_bytes(),
        )
    yield ".github/classroom/autograding.json", legacy_autograding(course).encode()


def course_files(root: Path) -> Iterator[tuple[str, bytes]]:
    """Path and content of what any copy of the course needs: data/ and grader/, without what only authors use."""
    for path in _files(root / "data"):
        # The scripts that made the data show networks that learners are to write.
        if path.suffix in TOPIC_NOTES and path.name != "requirements.txt":
            yield path.relative_to(root).as_posix(), path.read_bytes()
    for path in _files(root / "grader"):
        name = path.relative_to(root / "grader").as_posix()
        if not any(name == part or name.startswith(f"{part}/") for part in AUTHORS_PARTS) and name != Path(SEALED).name:
            yield f"grader/{name}", path.read_bytes()


def _files(folder: Path) -> list[Path]:
    skipped = {"__pycache__", ".ipynb_checkpoints"}
    return sorted(p for p in folder.rglob("*") if p.is_file() and not skipped & set(p.parts) and p.suffix != ".pyc")


def _makefile(text: str) -> str:
    """Without the targets that need solutions/ or the grader's own tests."""
    blocks = []
    for block in text.split("\n\n"):
        target = re.search(r"^([a-z]+):", block, re.MULTILINE)
        if target is None or target[1] in TARGETS:
            blocks.append(re.sub(r"^\.PHONY:.*$", f".PHONY: {' '.join(TARGETS)}", block, flags=re.MULTILINE))
    return "\n\n".join(blocks).rstrip("\n") + "\n"


def _project(text: str) -> str:
    """Without the settings of tools that only authors run."""
    sections = re.split(r"^(?=\[)", text, flags=re.MULTILINE)
    kept = [s for s in sections if not re.match(r"\[+(tool\.(?!pytest)|project\.optional)", s)]
    return re.sub(r"^testpaths.*\n", "", "".join(kept), flags=re.MULTILINE).rstrip("\n") + "\n"


def student_lock(root: Path) -> str:
    """requirements.lock without what only authors and instructors need."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    lock = (root / "requirements.lock").read_text(encoding="utf-8")
    return cut_lock(lock, [*project["project"]["dependencies"], *EXTRAS])


def _filled(text: str, course: Course) -> str:
    first = course.exercises[0]
    facts = {
        "exercises": len(course.exercises),
        "lessons": len(course.lessons),
        "first_lesson": first.lesson_id,
        "first_exercise": first.name,
    }
    for name, value in facts.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def legacy_autograding(course: Course) -> str:
    """GitHub Classroom's older form: one command for each exercise, all or nothing."""
    tests = [
        {
            "name": exercise.id,
            "setup": "make setup",
            "run": f"make grade EXERCISE={exercise.id} OPTIONS='--fail-under 100'",
            "input": "",
            "output": "",
            "comparison": "included",
            "timeout": 10,
            "points": exercise.points if exercise.points % 1 else int(exercise.points),
        }
        for exercise in course.exercises
    ]
    return json.dumps({"tests": tests}, indent=1) + "\n"


def _move_in(draft: Path, out: Path) -> None:
    """Put the new version into `out`, in place of the old one."""
    out.mkdir(exist_ok=True)
    for path in out.iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path in sorted(draft.iterdir()):
        os.replace(path, out / path.name)
