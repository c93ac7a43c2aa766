"""Finds what a class handed in: one submission for each folder, file or archive, as the usual systems lay them out.

- one folder, .py, .ipynb or .zip for each student, named by the student
- GitHub Classroom: `NAME-submissions/NAME-login/`; Classroom 50: a folder for each owner
- nbgrader: `submitted/student/assignment/`, all assignments of a student being one submission
- Gradescope's export: `submission_123/` folders and `submission_metadata.yml`
- Moodle: `Some Name_123_assignsubmission_file_...`, folders, files, or one archive of either

Nothing of a submission is run, unpacked to disk or followed as a link.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from grader.classroom.archives import Budget, inner_archive, members, open_archive
from grader.classroom.arrival import Arrival, arrival_of
from grader.course import TOPICS, Course
from grader.errors import UnreadableSubmission
from grader.submission import Submission, limit_of, read_bytes, read_submission, submission_of_files

SUFFIXES = (".py", ".ipynb")
OTHER_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
# What lies about in folders and is none of the learner's own.
NOT_LOOKED_INTO = frozenset(["__MACOSX", "__pycache__", "node_modules", "venv", "env", "site-packages"])
MAX_FILES = 20_000  # looked at in one submission
MAX_DEPTH = 8
_MOODLE = re.compile(r"(?P<prefix>(?P<name>[^/]+)_\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_|$)(?P<rest>[^/]*)")


@dataclass(frozen=True)
class Entry:
    """Where one student's submission lies: what in the folder or archive `path` has a path that begins with `inside`.

    `path` may be a file too. `problem` says what is wrong with it already, `arrived` when it came, where something
    else than its files says so.
    """

    student: str
    path: Path
    inside: str = ""
    name: str = ""
    email: str = ""
    arrived: Arrival | None = None
    problem: str | None = None

    @property
    def label(self) -> str:
        """What reports call it: its path below the class's folder."""
        return printable(self.path.name if not self.inside else self.inside.rstrip("/_"))


@dataclass(frozen=True)
class HandedIn:
    """What was read of an entry: a submission, or the `problem` that kept it from being one."""

    submission: Submission | None
    problem: str | None
    arrived: Arrival | None = None


def printable(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes that are no UTF-8 are shown as such."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def find_entries(folder: Path, leave_out: Path | None = None) -> list[Entry]:
    """The submissions below a folder, in the order of the students' ids.

    Args:
        leave_out: a folder that is none, such as the one for our own results.

    Raises:
        UnreadableSubmission: there is no such folder, nothing in it, or it is a single submission.
    """
    if not folder.is_dir():
        raise UnreadableSubmission(f"{folder} is no folder: give the one in which the submissions are")
    if (folder / "submitted").is_dir():
        folder = folder / "submitted"
    ours = leave_out.resolve() if leave_out else None
    paths = [path for path in sorted(folder.iterdir()) if _may_be_a_submission(path) and path.resolve() != ours]
    if paths and all(path.is_dir() and path.name in (*TOPICS, "exercises") for path in paths):
        raise UnreadableSubmission(
            f"{folder} looks like one submission: `grade` grades it, `class` takes the one above"
        )
    entries = _gradescope(folder, paths) if (folder / "submission_metadata.yml").is_file() else _by_name(folder, paths)
    if not entries:
        raise UnreadableSubmission(f"{folder} holds no submissions: one folder, .py, .ipynb or .zip for each student")
    return sorted(_one_each(entries), key=lambda entry: entry.student)


def _one_each(entries: list[Entry]) -> Iterator[Entry]:
    """One entry for each student; who handed in twice is told so, as nobody else can choose."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.student, []).append(entry)
    for same in found.values():
        if len(same) == 1:
            yield same[0]
        else:
            labels = " and ".join(entry.label for entry in same)
            yield replace(same[0], problem=f"there is more than one submission: {labels}; keep the one that counts")


def _may_be_a_submission(path: Path) -> bool:
    if path.name.startswith(".") or path.name in ("__MACOSX", "__pycache__"):
        return False
    return path.is_symlink() or path.is_dir() or path.suffix.lower() in (*SUFFIXES, ".zip", *OTHER_ARCHIVES)


def _by_name(folder: Path, paths: list[Path]) -> list[Entry]:
    # `gh classroom clone student-repos` puts the assignment's name before each login.
    prefix = folder.name.removesuffix("-submissions") + "-" if folder.name.endswith("-submissions") else ""
    entries: dict[str, Entry] = {}
    others = []
    for path in paths:
        if match := _MOODLE.match(path.name):
            _add_moodle(entries, path if path.is_dir() else folder, match, path.is_dir())
        else:
            others.append(path)
    # Moodle's download as one archive. Among other submissions it would be a student's, who may name folders at will.
    if len(others) == 1 and not entries and (packed := list(_packed_by_moodle(others[0]))):
        return packed
    found = list(entries.values())
    for path in others:
        name = path.name if path.is_dir() else path.stem
        found.append(Entry(printable(name.removeprefix(prefix) or name), path))
    return found


def _add_moodle(entries: dict[str, Entry], path: Path, match: re.Match[str], whole: bool) -> None:
    """Note a Moodle folder (`whole`) or one of several files; what was typed into a form counts only without files."""
    inside = "" if whole else match[0].removesuffix(match["rest"])
    entry = Entry(printable(match["prefix"]), path, inside, printable(match["name"]))
    if match["kind"] == "file" or entry.student not in entries:
        entries[entry.student] = entry


def _packed_by_moodle(path: Path) -> Iterator[Entry]:
    if path.suffix.lower() != ".zip" or path.is_symlink():
        return
    try:
        with path.open("rb") as file, open_archive(file) as archive:
            names = [member.path for member in members(archive)]
    except (OSError, ValueError):
        return  # read_entry will say so
    entries: dict[str, Entry] = {}
    for name in names:
        match = _MOODLE.match(name)
        if not match:
            return
        in_folder = "/" in name
        inside = f"{name.split('/')[0]}/" if in_folder else match[0].removesuffix(match["rest"])
        entry = Entry(printable(match["prefix"]), path, inside, printable(match["name"]))
        if match["kind"] == "file" or entry.student not in entries:
            entries[entry.student] = entry
    yield from entries.values()


def _gradescope(folder: Path, paths: list[Path]) -> list[Entry]:
    """By Gradescope's own list of who handed in what; its keys are Ruby symbols, so they begin with a colon."""
    import yaml

    try:
        content = yaml.safe_load((folder / "submission_metadata.yml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UnreadableSubmission(f"{folder / 'submission_metadata.yml'} cannot be read: {reason}") from None
    known: dict[str, Any] = content if isinstance(content, dict) else {}
    entries = []
    for path in paths:
        facts = known.get(path.name)
        facts = facts if isinstance(facts, dict) else {}
        submitters = facts.get(":submitters")
        people = [person for person in submitters if isinstance(person, dict)] if isinstance(submitters, list) else []
        created = facts.get(":created_at")
        arrived = None
        if isinstance(created, datetime):
            aware = created if created.tzinfo else created.replace(tzinfo=UTC)
            arrived = Arrival(aware.timestamp(), "Gradescope")
        # A group's submission is everyone's.
        for person in people or [{}]:
            email = str(person.get(":email") or "")
            student = str(person.get(":sid") or email or printable(path.name))
            entries.append(Entry(student, path, "", str(person.get(":name") or ""), email, arrived))
    return entries


@dataclass
class _Files:
    """The files of one submission that may be lessons: how to read each, when it was changed, what was left out."""

    read: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    modified: list[float] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def add(self, path: str, read: Callable[[], bytes], modified: float | None) -> None:
        self.read[path] = read
        if modified is not None:
            self.modified.append(modified)


def read_entry(entry: Entry, course: Course, with_arrival: bool = False) -> HandedIn:
    """Read one student's submission. What is wrong with it is its `problem`, never an exception.

    Args:
        with_arrival: find out when it came, too.
    """
    if entry.problem:
        return HandedIn(None, entry.problem, entry.arrived)
    arrived = entry.arrived
    files = _Files()
    name = entry.label
    try:
        with ExitStack() as stack:
            if entry.path.is_symlink():
                raise ValueError("is a link: hand in the folder or file itself")
            suffix = entry.path.suffix.lower()
            if entry.path.is_dir():
                _look_into_folder(entry, stack, files)
            elif suffix == ".zip":
                archive = stack.enter_context(open_archive(stack.enter_context(entry.path.open("rb"))))
                _look_into_archive(archive, "", entry.inside, files, stack, Budget())
            elif suffix in SUFFIXES:
                files.add(entry.path.name, partial(read_bytes, entry.path, limit_of(name)), entry.path.stat().st_mtime)
            else:
                raise ValueError(f"is a {suffix} file: only folders, .py, .ipynb and .zip are read")
            if with_arrival and arrived is None:
                arrived = arrival_of(entry.path, files.modified)
            if suffix in SUFFIXES and not entry.path.is_dir():
                # A single file is named by its student, so what it defines says which lesson it is.
                submission = replace(read_submission(entry.path, course), name=name)
            else:
                submission = submission_of_files(name, files.read, course)
            return HandedIn(replace(submission, remarks=(*submission.remarks, *files.remarks)), None, arrived)
    except UnreadableSubmission as error:
        return HandedIn(None, printable(str(error).replace(str(entry.path), name)), arrived)
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return HandedIn(None, f"{name} {reason}" if isinstance(error, ValueError) else f"{name}: {reason}", arrived)


def _look_into_folder(entry: Entry, stack: ExitStack, files: _Files) -> None:
    """Note the files that may be lessons, those in archives included. Links are not followed."""
    folder, budget, looked_at = entry.path, Budget(), 0
    for place, folders, names in os.walk(folder):
        depth = len(Path(place).relative_to(folder).parts)
        kept = [n for n in sorted(folders) if not n.startswith(".") and n not in NOT_LOOKED_INTO]
        folders[:] = kept if depth < MAX_DEPTH and not entry.inside else []
        for name in sorted(names):
            looked_at += 1
            if looked_at > MAX_FILES:
                raise ValueError(f"holds more than {MAX_FILES} files: hand in the lessons alone")
            path = Path(place) / name
            if not name.startswith(entry.inside) or name.startswith("."):
                continue
            inside = printable(path.relative_to(folder).as_posix().removeprefix(entry.inside))
            if path.suffix in SUFFIXES:
                files.add(inside, partial(read_bytes, path, limit_of(name)), path.lstat().st_mtime)
            elif path.suffix.lower() == ".zip" and not path.is_symlink():
                try:
                    archive = stack.enter_context(open_archive(stack.enter_context(path.open("rb"))))
                    _look_into_archive(archive, f"{inside}/", "", files, stack, budget)
                except (OSError, ValueError) as error:
                    files.remarks.append(f"{inside}, which {error}")


def _look_into_archive(
    archive: Any, before: str, inside: str, files: _Files, stack: ExitStack, budget: Budget, nested: bool = True
) -> None:
    """Note the files that may be lessons among those whose path begins with `inside`; of archives in it too."""
    odd: list[str] = []
    for member in members(archive, odd):
        if not member.path.startswith(inside):
            continue
        path = PurePosixPath(member.path.removeprefix(inside))
        if any(part.startswith(".") or part in NOT_LOOKED_INTO for part in path.parts):
            continue
        if path.suffix in SUFFIXES:
            read = partial(member.read, limit_of(path.name))
            files.add(before + str(path), read, member.modified)
        elif path.suffix.lower() == ".zip" and nested:
            try:
                inner = stack.enter_context(inner_archive(member, budget))
                _look_into_archive(inner, f"{before}{path}/", "", files, stack, budget, nested=False)
            except ValueError as error:
                files.remarks.append(f"{before}{path}, which {error}")
    if odd:
        files.remarks.append(f"{before}{odd[0]}{' and others' * (len(odd) > 1)}: no ordinary files in the archive")
