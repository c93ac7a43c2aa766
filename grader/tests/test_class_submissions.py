"""Tests of finding and reading what a class handed in: layouts of the usual systems, and archives made to do harm."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import zipfile
from pathlib import Path

import pytest

from grader.classroom import archives
from grader.classroom.arrival import Arrival, arrival_of, commit_time, read_policy
from grader.classroom.roster import Member, member_of, read_roster
from grader.classroom.submissions import Entry, HandedIn, find_entries, read_entry
from grader.course import Course
from grader.errors import GraderError, UnreadableSubmission

STORAGE = "def shares_storage(a, b):\n    return True\n"
VIEWS = "def transpose_view(t, dim0, dim1):\n    return t\n"


def write(path: Path, text: str | bytes = STORAGE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def zipped(path: Path, files: dict[str, str | bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def notebook(text: str) -> str:
    return json.dumps({"cells": [{"cell_type": "code", "source": text}], "nbformat": 4})


def read_all(folder: Path, course: Course) -> dict[str, HandedIn]:
    return {entry.student: read_entry(entry, course) for entry in find_entries(folder)}


def lessons(handed_in: HandedIn) -> dict[str, str]:
    assert handed_in.submission is not None, handed_in.problem
    return {name: source.filename for name, source in handed_in.submission.lessons.items()}


def read_one(path: Path, course: Course) -> HandedIn:
    return read_entry(Entry("someone", path), course)


# Layouts


def test_one_folder_file_or_archive_for_each_student(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "ann/tensors/storage.py")
    write(tmp_path / "ben/exercises/tensors/storage.py")
    write(tmp_path / "cem/some where/storage.py")
    write(tmp_path / "dee.py")
    write(tmp_path / "eli.ipynb", notebook(STORAGE))
    zipped(tmp_path / "fay.zip", {"tensors/storage.py": STORAGE, "tensors/views.py": VIEWS})
    zipped(tmp_path / "gus.zip", {"gus\\exercises\\tensors\\storage.py": STORAGE, "__MACOSX/._storage.py": "x"})
    write(tmp_path / "README.txt", "no submission")
    write(tmp_path / ".DS_Store", "no submission")
    handed_in = read_all(tmp_path, course)
    assert list(handed_in) == ["ann", "ben", "cem", "dee", "eli", "fay", "gus"]
    found = {student: lessons(each) for student, each in handed_in.items()}
    assert found["fay"] == {"tensors/storage": "tensors/storage.py", "tensors/views": "tensors/views.py"}
    assert all(next(iter(each)) == "tensors/storage" for each in found.values())


def test_github_classroom_clones_lose_the_assignments_name(tmp_path: Path) -> None:
    for login in ("ann", "b-en"):
        write(tmp_path / "week-1-submissions" / f"week-1-{login}" / "exercises/tensors/storage.py")
    assert [entry.student for entry in find_entries(tmp_path / "week-1-submissions")] == ["ann", "b-en"]


def test_of_several_files_of_one_name_the_one_in_exercises_counts(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "backup/tensors/storage.py", "x = 1")
    write(tmp_path / "storage.py", "x = 1")
    write(tmp_path / "exercises/tensors/storage.py")
    write(tmp_path / ".grader/backup/exercises/tensors/storage.py", "x = 1")
    handed_in = read_one(tmp_path, course)
    assert lessons(handed_in) == {"tensors/storage": "exercises/tensors/storage.py"}
    assert handed_in.submission
    assert any("backup/tensors" in remark for remark in handed_in.submission.remarks)


def test_files_of_other_names_are_known_by_what_they_define(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "homework (1).py")
    write(tmp_path / "deep/second.ipynb", notebook(VIEWS))
    assert lessons(read_one(tmp_path, course)) == {
        "tensors/storage": "homework (1).py",
        "tensors/views": "deep/second.ipynb",
    }


def test_nbgraders_folder_submitted(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "source/ps1/storage.ipynb", notebook(VIEWS))
    write(tmp_path / "submitted/ann/ps1/storage.ipynb", notebook(STORAGE))
    write(tmp_path / "submitted/ann/ps2/views.ipynb", notebook(VIEWS))
    write(tmp_path / "submitted/ann/ps1/timestamp.txt", "2026-11-20 10:00:00.123456 UTC")
    write(tmp_path / "submitted/ann/ps2/timestamp.txt", "2026-11-24 21:30:00 UTC")
    (entry,) = find_entries(tmp_path)
    handed_in = read_entry(entry, course, with_arrival=True)
    assert set(lessons(handed_in)) == {"tensors/storage", "tensors/views"}
    assert handed_in.arrived
    assert (handed_in.arrived.source, handed_in.arrived.text) == (
        "nbgrader",
        "2026-11-24T21:30:00Z",
    )


def test_gradescopes_export_names_people_and_times(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "submission_1/storage.py")
    write(tmp_path / "submission_2/storage.py")
    write(
        tmp_path / "submission_metadata.yml",
        "---\nsubmission_1:\n  :submitters:\n  - :name: Ann Öz\n    :sid: '11'\n    :email: ann@example.org\n"
        "  - :name: Ben\n    :sid:\n    :email: ben@example.org\n  :created_at: 2026-11-24 21:30:00.000000000 Z\n"
        "submission_2: nonsense\n",
    )
    entries = find_entries(tmp_path)
    assert [entry.student for entry in entries] == ["11", "ben@example.org", "submission_2"]
    assert (entries[0].name, entries[0].email, entries[1].name) == ("Ann Öz", "ann@example.org", "Ben")
    assert entries[0].arrived
    assert entries[0].arrived.text == "2026-11-24T21:30:00Z"
    assert all(lessons(read_entry(entry, course)) for entry in entries)


MOODLE = "Ann Öz_12_assignsubmission_file_"


@pytest.mark.parametrize("layout", ["folders", "files", "archive of folders", "archive of files"])
def test_moodles_ways_of_packing(tmp_path: Path, course: Course, layout: str) -> None:
    between = "/" if "folders" in layout else ""
    files: dict[str, str | bytes] = {
        f"{MOODLE}{between}storage.py": STORAGE,
        f"{MOODLE}{between}views.py": VIEWS,
        f"Ann Öz_12_assignsubmission_onlinetext_{between}onlinetext.html": "see my files",
        f"Ben_13_assignsubmission_file_{between}storage.py": STORAGE,
    }
    folder = tmp_path / "in"
    if "archive" in layout:
        zipped(folder / "course-assignment-1.zip", files)
    else:
        for name, text in files.items():
            write(folder / name, text)
    entries = find_entries(folder)
    assert [(entry.student, entry.name) for entry in entries] == [("Ann Öz_12", "Ann Öz"), ("Ben_13", "Ben")]
    assert lessons(read_entry(entries[0], course)) == {"tensors/storage": "storage.py", "tensors/views": "views.py"}
    assert lessons(read_entry(entries[1], course)) == {"tensors/storage": "storage.py"}


def test_a_students_archive_cannot_speak_for_another(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "Ann_12_assignsubmission_file_/storage.py")
    zipped(tmp_path / "ben.zip", {"Ann_12_assignsubmission_file_/storage.py": "x = 1"})
    assert [entry.student for entry in find_entries(tmp_path)] == ["Ann_12", "ben"]


def test_who_handed_in_twice_is_a_row_with_that_problem(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "ann/storage.py")
    write(tmp_path / "ann.py")
    write(tmp_path / "ben.py")
    handed_in = read_all(tmp_path, course)
    assert "more than one submission: ann and ann.py" in (handed_in["ann"].problem or "")
    assert handed_in["ben"].submission


def test_our_own_results_are_no_submission(tmp_path: Path) -> None:
    write(tmp_path / "ann.py")
    write(tmp_path / "grades/grades.csv")
    assert [e.student for e in find_entries(tmp_path, leave_out=tmp_path / "grades")] == ["ann"]


def test_a_name_that_is_no_utf8_can_be_written(tmp_path: Path, course: Course) -> None:
    try:
        os.mkdir(os.fsencode(tmp_path) + b"/\xff\xfe")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    (entry,) = find_entries(tmp_path)
    assert entry.student == r"\xff\xfe"
    assert (read_entry(entry, course).problem or "").encode()


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "holds no submissions"),
        (["notes.txt"], "holds no submissions"),
        (["tensors/storage.py", "autograd/graphs.py"], "looks like one submission"),
        (None, "is no folder"),
    ],
)
def test_where_there_is_no_class_is_said(tmp_path: Path, names: list[str] | None, said: str) -> None:
    for name in names or ():
        write(tmp_path / name)
    with pytest.raises(UnreadableSubmission, match=said):
        find_entries(tmp_path if names is not None else tmp_path / "nothing")


# What cannot be read


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.zip", b"PK but no archive", "is no .zip archive"),
        ("a.zip", b"", "is no .zip archive"),
        ("a.tar.gz", b"\x1f\x8b", "only folders, .py, .ipynb and .zip are read"),
        ("a.rar", b"Rar!", "only folders, .py, .ipynb and .zip are read"),
        ("a.py", "def other(): ...", "is no lesson of this course"),
        ("a.ipynb", b"\xff\xff", "is no lesson of this course"),
        ("a/notes.txt", "", "holds no lesson of this course"),
    ],
)
def test_a_submission_that_cannot_be_read_has_a_problem(
    tmp_path: Path, course: Course, name: str, content: str | bytes, said: str
) -> None:
    write(tmp_path / name, content)
    (problem,) = [each.problem for each in read_all(tmp_path, course).values()]
    assert problem is not None
    assert said in problem
    assert str(tmp_path) not in problem
    assert "\n" not in problem


def test_links_are_not_followed(tmp_path: Path, course: Course) -> None:
    secret = write(tmp_path / "secret/tensors/storage.py")
    submissions = tmp_path / "in"
    write(submissions / "ann/tensors/views.py", VIEWS)
    (submissions / "ann/tensors/storage.py").symlink_to(secret)
    (submissions / "ann/linked").symlink_to(secret.parent)
    (submissions / "ben").symlink_to(secret.parent.parent)
    (submissions / "cem.py").symlink_to(secret)
    zipped(tmp_path / "real.zip", {"storage.py": STORAGE})
    (submissions / "dee.zip").symlink_to(tmp_path / "real.zip")
    handed_in = read_all(submissions, course)
    ann = handed_in["ann"].submission
    assert ann
    assert "is a link" in (ann.lessons["tensors/storage"].problem or "")
    assert not ann.lessons["tensors/storage"].segments
    for student in ("ben", "cem", "dee"):
        assert "is a link" in (handed_in[student].problem or "")


def test_a_pipe_does_not_keep_anyone_waiting(tmp_path: Path, course: Course) -> None:
    write(tmp_path / "ann/tensors/views.py", VIEWS)
    os.mkfifo(tmp_path / "ann/tensors/storage.py")
    ann = read_one(tmp_path / "ann", course).submission
    assert ann
    assert "is not a file" in (ann.lessons["tensors/storage"].problem or "")


# Archives made to do harm


def test_paths_that_lead_outside_and_links_in_archives_are_left_out(tmp_path: Path, course: Course) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../tensors/storage.py", STORAGE)
        archive.writestr("/tensors/storage.py", STORAGE)
        archive.writestr("C:\\tensors\\storage.py", STORAGE)
        link = zipfile.ZipInfo("tensors/storage.py")
        link.external_attr, link.create_system = 0o120777 << 16, 3
        archive.writestr(link, "/etc/passwd")
        archive.writestr("tensors/views.py", VIEWS)
    handed_in = read_one(path, course)
    assert lessons(handed_in) == {"tensors/views": "tensors/views.py"}
    assert handed_in.submission
    assert "../tensors/storage.py and others" in handed_in.submission.remarks[-1]
    assert list(tmp_path.iterdir()) == [path], "something was unpacked"


def problem_of_storage(path: Path, course: Course) -> str:
    submission = read_one(path, course).submission
    assert submission
    return submission.lessons["tensors/storage"].problem or ""


def test_an_encrypted_member_is_named(tmp_path: Path, course: Course) -> None:
    path = zipped(tmp_path / "a.zip", {"storage.py": STORAGE})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "storage.py is encrypted" in problem_of_storage(path, course)


def test_a_bomb_is_not_unpacked(tmp_path: Path, course: Course) -> None:
    path = zipped(tmp_path / "a.zip", {"storage.py": b"#" * 2**25})
    assert path.stat().st_size < 2**17
    assert "is larger than 2 MB" in problem_of_storage(path, course)


def test_a_lie_about_the_size_does_not_help_a_bomb(tmp_path: Path, course: Course) -> None:
    path = zipped(tmp_path / "a.zip", {"storage.py": b"#" * 2**25})
    content = bytearray(path.read_bytes())
    struct.pack_into("<L", content, content.index(b"PK\x01\x02") + 24, 100)
    path.write_bytes(content)
    assert problem_of_storage(path, course)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused_as_it_may_take_any_memory(tmp_path: Path, course: Course, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("storage.py", STORAGE)
    assert "unusual way" in problem_of_storage(tmp_path / "a.zip", course)


def test_a_damaged_member_is_named(tmp_path: Path, course: Course) -> None:
    path = zipped(tmp_path / "a.zip", {"storage.py": STORAGE * 50})
    content = bytearray(path.read_bytes())
    content[50:60] = b"\xff" * 10
    path.write_bytes(content)
    assert "storage.py is damaged" in problem_of_storage(path, course)


def test_more_files_than_anyone_hands_in_are_refused(
    tmp_path: Path, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path / "a.zip", {f"{number}.txt": "" for number in range(30)})
    monkeypatch.setattr(archives, "MAX_ENTRIES", 29)
    assert "holds more than 29 files" in (read_one(path, course).problem or "")
    monkeypatch.setattr(archives, "MAX_ENTRIES", 30)
    monkeypatch.setattr(archives, "MAX_DIRECTORY_BYTES", 1000)
    assert "holds more than 30 files" in (read_one(path, course).problem or "")


def test_the_table_of_contents_is_measured_as_zipfile_finds_it(tmp_path: Path) -> None:
    for comment in (b"", b"a comment", b"PK\x05\x06" + b"\0" * 30):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("storage.py", STORAGE)
            archive.comment = comment
        content = buffer.getvalue()
        try:
            expected = len(zipfile.ZipFile(io.BytesIO(content)).namelist())
        except zipfile.BadZipFile:
            expected = -1
        try:
            found = len(archives.open_archive(io.BytesIO(content)).namelist())
        except ValueError:
            found = -1
        assert found == expected


def test_a_64_bit_table_of_contents_is_measured_too(tmp_path: Path) -> None:
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 10**12, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with pytest.raises(ValueError, match="holds more than"):
        archives.open_archive(io.BytesIO(b"\0" * 100 + end64 + locator + end))


def test_archives_within_archives_have_a_budget(
    tmp_path: Path, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("tensors/storage.py", STORAGE)
    packed = inner.getvalue()
    path = zipped(tmp_path / "a.zip", {"first.zip": packed, "second.zip": packed, "broken.zip": b"no archive"})
    handed_in = read_one(path, course)
    assert lessons(handed_in) == {"tensors/storage": "first.zip/tensors/storage.py"}
    assert handed_in.submission
    assert "broken.zip, which is no .zip archive" in handed_in.submission.remarks[-1]
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("third.zip", packed)
    assert "no lesson" in (read_one(zipped(tmp_path / "b.zip", {"x.zip": twice.getvalue()}), course).problem or "")
    budget = archives.Budget(bytes=len(packed) + 10, archives=5)
    outer = archives.open_archive(path.open("rb"))
    first, second, _ = archives.members(outer)
    archives.inner_archive(first, budget).close()
    with pytest.raises(ValueError, match="is larger than"):
        archives.inner_archive(second, budget)
    with pytest.raises(ValueError, match="one archive too many"):
        archives.inner_archive(second, archives.Budget(archives=0))
    outer.close()


# Arrival, lateness, roster


def test_the_commits_time_is_read_and_nothing_of_the_clone_is_run(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    date = {"GIT_AUTHOR_DATE": "1700000000 +0000", "GIT_COMMITTER_DATE": "1700000000 +0000"}
    git = ["git", "-C", str(clone), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    try:
        subprocess.run(["git", "init", "-q", str(clone)], check=True)
    except OSError:
        pytest.skip("git is not installed")
    write(clone / "tensors/storage.py")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "x"], check=True, env=os.environ | date)
    ran = tmp_path / "ran"
    with (clone / ".git/config").open("a") as config:
        config.write(f'[core]\n\tfsmonitor = "touch {ran}"\n\tpager = "touch {ran}"\n[include]\n\tpath = /nothing\n')
    assert commit_time(clone) == 1700000000.0
    assert arrival_of(clone, [5.0]) == Arrival(1700000000.0, "commit")
    assert not ran.exists()
    subprocess.run([*git, "pack-refs", "--all"], check=True, env=os.environ | {"GIT_CONFIG_COUNT": "0"})
    assert commit_time(clone) == 1700000000.0
    (clone / ".git/HEAD").write_text("ref: refs/heads/../../../x")
    assert commit_time(clone) is None


def test_without_a_better_source_the_newest_file_tells(tmp_path: Path, course: Course) -> None:
    os.utime(write(tmp_path / "ann/storage.py"), (1000, 1000))
    os.utime(write(tmp_path / "ann/views.py", VIEWS), (2000, 2000))
    write(tmp_path / "ann/other.txt")
    handed_in = read_entry(Entry("ann", tmp_path / "ann"), course, with_arrival=True)
    assert handed_in.arrived == Arrival(2000, "file")
    assert arrival_of(tmp_path / "ann", []) is None
    assert arrival_of(tmp_path / "ann", [1e300]) is None


def test_each_day_begun_costs_up_to_the_most() -> None:
    policy = read_policy("2026-11-24T12:00+00:00", "10%", "25 %")
    due = 1795521600.0
    assert policy.due == due
    assert policy.seconds_late(due - 5) == policy.seconds_late(None) == 0
    assert [round(policy.penalty(policy.seconds_late(due + s)), 3) for s in (0, 1, 86400, 86401, 10**7)] == [
        0,
        0.1,
        0.1,
        0.2,
        0.25,
    ]
    assert policy.seconds_late(due + 90000, extension_days=1) == 3600


@pytest.mark.parametrize(
    "arguments", [("tomorrow",), ("2026-11-24",), ("2026-11-24T12:00", "much"), ("2026-11-24T12:00", "101%")]
)
def test_what_is_no_policy_is_said(arguments: tuple[str, ...]) -> None:
    with pytest.raises(GraderError, match="write it like"):
        read_policy(*arguments)


def test_a_roster_is_read_as_spreadsheets_write_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "roster.csv", '\ufeffName;ID;E-Mail;extension_days\r\n"Öz; Ann";ann;a@example.org;2\r\nBen;ben\r\n'
    )
    assert read_roster(path) == {"ann": Member("ann", "Öz; Ann", "", 2.0), "ben": Member("ben", "Ben")}
    path = write(tmp_path / "roster.csv", "id,email\nann,a@example.org\n")
    assert read_roster(path) == {"ann": Member("ann", "", "a@example.org")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\nann\n", "id,name,email"),
        ("", "id,name,email"),
        ("id\n \n", "line 2: no id"),
        ("id\nann\nann\n", "line 3: 'ann' for the second time"),
        ("id,extension_days\nann,soon\n", "line 2: extension_days"),
        ("id,extension_days\nann,nan\n", "line 2: extension_days"),
        (b"id\n\xff\n", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_roster_is_said_with_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(GraderError, match=said):
        read_roster(write(tmp_path / "roster.csv", text))


def test_students_are_found_by_id_address_or_a_name_that_only_one_has() -> None:
    roster = {
        "1": Member("1", "Ann", "ann@example.org"),
        "2": Member("2", "Ben", "ben@example.org"),
        "3": Member("3", "Ben"),
    }
    assert member_of(roster, "2", "Ann", "") == roster["2"]
    assert member_of(roster, "x", "", "ANN@example.org") == roster["1"]
    assert member_of(roster, "ben@example.org", "", "") == roster["2"]
    assert member_of(roster, "x", "ann", "") == roster["1"]
    assert member_of(roster, "x", "Ben", "") is None
    assert member_of(roster, "x", "", "") is None
