"""The parts of `watch`: what a change touches, how saved files are noticed, what a session does, what is shown."""

import asyncio
import io
import json
import os
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grader.course import ROOT, Course, read_catalogue
from grader.learner.record import read_record
from grader.result import Result, score_exercise, to_json
from grader.watch import files as watched_files
from grader.watch import view
from grader.watch.changes import touched
from grader.watch.files import LessonFiles, code_of, is_whole, moments_to_look
from grader.watch.session import Session

ALL = read_catalogue(ROOT / "exercises" / "catalogue.json")
COURSE = Course(tuple(lesson for lesson in ALL.lessons if lesson.id in ("tensors/storage", "tensors/broadcasting")))
STORAGE, BROADCASTING = COURSE.lessons
SHARES, STRIDES, OFFSET = (exercise.id for exercise in STORAGE.exercises)
ROWS = "tensors/broadcasting/normalize_rows"
TEXT = """# %%
import torch

LIMIT = 3

# %% shares_storage points=2
def shares_storage(a, b):
    return _same(a) == _same(b)

# %% contiguous_strides points=2
def contiguous_strides(shape):
    return LIMIT

# %% element_offset points=2
def element_offset(t, index):
    return contiguous_strides(index)

# %%
def _same(t):
    return t.data_ptr()
"""


def run_alone(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: a browser of other tests may keep this one's event loop busy."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


class TestChanges:
    @pytest.mark.parametrize(
        ("old", "new", "changed", "using"),
        [
            ("return LIMIT", "return 4", ["contiguous_strides"], ["element_offset"]),
            ("t.data_ptr()", "t.storage()", [], ["shares_storage"]),
            ("LIMIT = 3", "LIMIT = 4", [], ["contiguous_strides", "element_offset"]),
            ("import torch", "import torch\ntorch.manual_seed(1)", [], [e.name for e in STORAGE.exercises]),
            ("return LIMIT", "return LIMIT  # a comment", [], []),
            ("return LIMIT", "return (((", ["contiguous_strides"], []),
            ("def element_offset", "def element_ofset", ["element_offset"], []),
            ("import torch", "import torch\nimport math", [], []),
        ],
    )
    def test_what_a_change_touches(self, old, new, changed, using):
        assert TEXT.count(old) == 1
        found = touched(TEXT, TEXT.replace(old, new), STORAGE)
        assert (list(found.changed), list(found.using)) == (changed, using)

    def test_out_of_a_syntax_error_it_is_the_cell_that_differs(self):
        broken = TEXT.replace("return LIMIT", "return (((")
        assert touched(broken, TEXT, STORAGE).changed == ("contiguous_strides",)
        assert touched(broken, broken, STORAGE).changed == ()

    def test_a_new_file_touches_everything_in_it(self):
        assert touched("", TEXT, STORAGE).changed == tuple(exercise.name for exercise in STORAGE.exercises)


@pytest.fixture
def folder(tmp_path):
    for lesson in COURSE.lessons:
        path = tmp_path / "exercises" / f"{lesson.id}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(TEXT)
    return tmp_path / "exercises"


def look(found):
    return run_alone(found.changed())


class TestFiles:
    def test_nothing_changed(self, folder):
        files = LessonFiles(folder, COURSE)
        assert look(files) == {}
        os.utime(folder / "tensors/storage.py", (1, 1))  # Touched, or saved as it was.
        assert look(files) == {}

    @pytest.mark.parametrize("by_renaming", [False, True])
    def test_saved(self, folder, by_renaming):
        files = LessonFiles(folder, COURSE)
        path = folder / "tensors/storage.py"
        draft = folder / "tensors/.storage.py.swp" if by_renaming else path
        draft.write_text(TEXT + "x = 1\n")
        draft.replace(path)
        assert look(files) == {STORAGE.id: TEXT}
        assert files.text(STORAGE.id) == TEXT + "x = 1\n"
        assert look(files) == {}

    def test_gone_and_back(self, folder):
        files = LessonFiles(folder, COURSE)
        path = folder / "tensors/storage.py"
        path.unlink()
        assert look(files) == {STORAGE.id: TEXT}
        assert files.text(STORAGE.id) is None
        path.write_text(TEXT)
        assert look(files) == {STORAGE.id: None}

    def test_the_whole_folder_gone(self, folder):
        files = LessonFiles(folder, COURSE)
        folder.rename(folder.with_name("moved"))
        assert set(look(files)) == {lesson.id for lesson in COURSE.lessons}

    def test_a_file_that_is_still_being_written_is_waited_for(self, folder, monkeypatch):
        files = LessonFiles(folder, COURSE)
        path = folder / "tensors/storage.py"
        pauses = []

        async def pause(seconds):  # While we wait, the editor goes on writing.
            pauses.append(seconds)
            path.write_text(TEXT[: len(TEXT) // 2] + "x = (" if len(pauses) == 1 else TEXT + "y = 2\n")

        monkeypatch.setattr(watched_files.asyncio, "sleep", pause)
        path.write_text("")
        assert look(files) == {STORAGE.id: TEXT}
        assert files.text(STORAGE.id) == TEXT + "y = 2\n"
        assert len(pauses) == 2

    def test_a_file_that_is_only_being_replaced_is_never_shown_as_missing(self, folder, monkeypatch):
        files = LessonFiles(folder, COURSE)
        path = folder / "tensors/storage.py"
        seen = []

        async def pause(seconds):
            seen.append(files.text(STORAGE.id))
            path.write_text(TEXT)

        monkeypatch.setattr(watched_files.asyncio, "sleep", pause)
        path.unlink()
        assert look(files) == {}
        assert seen == [TEXT]

    def test_a_syntax_error_that_stays_is_reported(self, folder):
        files = LessonFiles(folder, COURSE)
        (folder / "tensors/storage.py").write_text(TEXT + "x = (\n")
        assert look(files) == {STORAGE.id: TEXT}

    def test_a_notebook_where_there_is_no_py_file(self, folder):
        path = folder / "tensors/storage.py"
        cells = [{"cell_type": "markdown", "source": "words"}, {"cell_type": "code", "source": ["x = 1\n", "y = 2"]}]
        path.with_suffix(".ipynb").write_text(json.dumps({"cells": cells}))
        path.unlink()
        files = LessonFiles(folder, COURSE)
        assert files.path(STORAGE) == path.with_suffix(".ipynb")
        assert files.text(STORAGE.id) == "x = 1\ny = 2"

    @pytest.mark.parametrize("content", [b"", b"\n", b"x = (", b"\xff\xfe", b"# only words", b"{"])
    def test_not_whole(self, content):
        assert not is_whole(content)

    def test_code_of_what_is_no_notebook(self):
        assert code_of(b"{1: 2}") == "{1: 2}"
        assert code_of(b"\xef\xbb\xbfx = 1\r\n") == "x = 1\n"


class TestMoments:
    @pytest.mark.parametrize("poll", [False, True])
    def test_one_comes_after_a_save(self, folder, poll):
        async def run():
            moments = moments_to_look(folder, poll)
            files = LessonFiles(folder, COURSE)
            (folder / "tensors/storage.py").write_text(TEXT + "x = 1\n")
            deadline = time.monotonic() + 60
            async for _ in moments:
                assert time.monotonic() < deadline
                if await files.changed():
                    break
            await moments.aclose()

        run_alone(run())

    def test_without_file_events_it_looks_often(self, folder, monkeypatch):
        async def no_events(folder, bell):
            return

        monkeypatch.setattr(watched_files, "_ring_on_events", no_events)
        monkeypatch.setattr(watched_files, "LOOK_SECONDS", 0.01)

        async def run():
            moments = moments_to_look(folder, poll=False)
            assert await anext(moments) == "time"
            monkeypatch.setattr(watched_files, "LOOK_SECONDS", 10_000)  # By now it is known that there are none.
            assert await anext(moments) == "time"
            await moments.aclose()

        run_alone(run())


class Orders:
    """In place of the grading process: notes what it is sent."""

    def __init__(self):
        self.sent = []

    def grade(self, number, exercises):
        self.sent.append((number, list(exercises)))

    def send(self, **order):
        self.sent.append(order)


def result_of(exercise_id, status, message="it is wrong"):
    tests = [("one thing", "passed", 1.0, None, None), ("another", status, 1.0, message, None)]
    exercise = score_exercise(exercise_id, "A title", 1.0, tests if status != "not_attempted" else tests[1:], 0.1)
    return to_json(Result("exercises", "sandbox", 1, "2", None, (exercise,)))


@pytest.fixture
def session(folder, tmp_path):
    session = Session(COURSE, LessonFiles(folder, COURSE), None, lambda: None, tmp_path / "progress.txt")
    session.grading = Orders()
    session.hear({"ready": "sandbox", "note": None})
    return session


def told(session, exercise_id, status, **more):
    """The grading process does its next order's next exercise."""
    number = session.order.number
    session.hear({"order": number, "exercise": exercise_id})
    session.hear({"order": number, "result": result_of(exercise_id, status), "output": "", **more})


def save(session, lesson, old, new):
    path = session.files.path(lesson)
    path.write_text(path.read_text().replace(old, new))
    session.looked(look(session.files))


class TestSession:
    def test_begins_at_the_first_and_remembers_it(self, session):
        assert session.current.id == SHARES
        assert read_record(session.record_file).current == SHARES

    def test_orders_wait_until_the_grader_is_ready(self, folder, tmp_path):
        session = Session(COURSE, LessonFiles(folder, COURSE), None, lambda: None, tmp_path / "progress.txt")
        session.grading = Orders()
        session.grade([SHARES], "")
        assert session.grading.sent == []
        session.hear({"ready": "sandbox", "note": None})
        assert session.grading.sent == [(1, [SHARES])]

    def test_what_is_saved_is_graded_and_becomes_the_one_at_hand(self, session):
        save(session, BROADCASTING, "import torch", "import torch\n\ndef normalize_rows(x):\n    return x\n")
        assert session.current.id == ROWS
        assert session.grading.sent == [(1, [ROWS])]
        told(session, ROWS, "failed")
        session.hear({"done": 1})
        assert session.order is None
        assert read_record(session.record_file).tried == [ROWS]

    def test_one_that_uses_what_changed_is_graded_if_it_was_attempted(self, session):
        save(session, STORAGE, "return LIMIT", "return 5")
        assert session.grading.sent[-1] == (1, [STRIDES])
        session.grade([OFFSET], "")
        told(session, STRIDES, "passed")
        session.hear({"done": 1})
        told(session, OFFSET, "passed")
        session.hear({"done": 2})
        save(session, STORAGE, "return 5", "return 6")
        assert session.grading.sent[-1] == (3, [STRIDES, OFFSET])

    def test_a_comment_grades_the_one_at_hand_again(self, session):
        save(session, STORAGE, "LIMIT = 3", "LIMIT = 3  # three")
        assert session.grading.sent == [(1, [SHARES])]

    def test_saving_again_calls_off_what_is_being_graded(self, session):
        save(session, STORAGE, "return LIMIT", "return 5")
        session.hear({"order": 1, "exercise": STRIDES})
        save(session, STORAGE, "return 5", "return 6")
        assert session.grading.sent == [(1, [STRIDES]), {"cancel": 1}, (2, [STRIDES])]
        session.hear({"order": 1, "result": result_of(STRIDES, "passed"), "output": ""})  # Came too late.
        assert STRIDES not in session.verdicts

    def test_others_of_an_order_that_is_called_off_are_still_graded(self, session):
        session.grade([SHARES, STRIDES, OFFSET], "")
        told(session, SHARES, "passed")
        session.hear({"order": 1, "exercise": STRIDES})
        session.grade([STRIDES], "")
        assert session.grading.sent[-1] == (2, [STRIDES, OFFSET])

    def test_a_closer_verdict_takes_the_place_of_the_first(self, session):
        session.grade([SHARES], "")
        told(session, SHARES, "failed")
        seen = []
        session.on_verdict = lambda exercise_id, verdict: seen.append(exercise_id)
        closer = result_of(SHARES, "failed")
        closer["exercises"][0]["misconception"] = "This is a known mistake."
        session.hear({"order": 1, "result": closer, "output": "", "closer": True})
        assert session.verdicts[SHARES].result.misconception == "This is a known mistake."
        assert seen == []

    def test_going_on_skips_what_is_solved_and_back_does_not(self, session):
        session.grade([STRIDES], "")
        told(session, STRIDES, "passed")
        session.go_on()
        assert session.current.id == OFFSET
        session.go_back()
        assert session.current.id == STRIDES
        session.go_back()
        session.go_back()
        assert session.current.id == SHARES
        assert "first" in session.notice

    def test_hints_are_taken_one_by_one(self, session):
        count = len(session.current.hints)
        assert [session.hint() for _ in range(count + 1)] == [True] * count + [False]
        assert read_record(session.record_file).hints == {SHARES: count}
        assert "all the hints" in session.notice

    def test_a_lesson_that_is_gone(self, session):
        session.grade([SHARES], "")
        told(session, SHARES, "failed")
        session.files.path(STORAGE).unlink()
        session.looked(look(session.files))
        assert SHARES not in session.verdicts
        assert "git checkout" in session.missing(session.current)

    def test_the_end_of_the_grading_process(self, session):
        session.hear({"failed": "the grading process has ended (status 1)"})
        assert session.state == "failed"
        session.grade([SHARES], "")
        session.restarted()
        session.hear({"ready": "sandbox", "note": None})
        assert session.grading.sent == [(1, [SHARES])]

    def test_where_nothing_can_be_kept_it_goes_on_and_says_so(self, folder, tmp_path):
        (tmp_path / "file").write_text("")
        session = Session(COURSE, LessonFiles(folder, COURSE), None, lambda: None, tmp_path / "file" / "progress.txt")
        assert "cannot be written" in session.notice


def shown(session, width=80):
    screen = Console(file=io.StringIO(), width=width)
    lines = [view.header(session, screen), *view.exercise_lines(session, screen), view.status_line(session, screen)]
    text = [line.plain for line in view.as_lines(lines, screen)]
    assert max(map(len, text)) <= width
    return "\n".join(text)


class TestView:
    @pytest.mark.parametrize("width", [80, 40])
    @pytest.mark.parametrize(
        "status", ["passed", "failed", "error", "timeout", "crashed", "not_attempted", "not_assessed"]
    )
    def test_every_outcome_fits(self, session, status, width):
        session.grade([SHARES], "")
        told(session, SHARES, status)
        session.hear({"done": 1})
        text = shown(session, width)
        assert {"not_attempted": "Not written yet"}.get(status, view.STATUS[status]) in text

    def test_printing_in_place_of_returning(self, session):
        session.grade([SHARES], "")
        session.hear({"order": 1, "exercise": SHARES})
        result = result_of(SHARES, "failed", "it should be True, but is None. Is there a `return`?")
        session.hear({"order": 1, "result": result, "output": "True\n"})
        assert "`return` hands it back" in shown(session)

    def test_public_checks_are_called_by_their_name(self, session):
        session.grade([SHARES], "")
        session.hear({"order": 1, "exercise": SHARES})
        session.hear({"order": 1, "result": result_of(SHARES, "passed") | {"checks": "public"}, "output": ""})
        assert "all 2 examples of the docstring" in shown(session)
        assert "hidden tests, which decide" in shown(session)

    def test_what_is_going_on(self, session):
        session.grade([SHARES, STRIDES], "")
        told(session, SHARES, "failed")
        session.hear({"order": 1, "exercise": STRIDES})
        assert "Grading contiguous_strides (2 of 2)" in shown(session)
        session.hear({"order": 1, "result": result_of(STRIDES, "failed"), "output": ""})
        assert "Looking whether this is a mistake" in shown(session)
        session.hear({"done": 1})
        assert "Watching exercises/" in shown(session)
        session.hear({"failed": "it stopped"})
        assert "It stopped. `r` starts it again." in shown(session)

    def test_escape_sequences_of_a_submission_do_not_reach_the_terminal(self, session):
        session.grade([SHARES], "")
        result = result_of(SHARES, "failed", "it is \x1b[2J\x07wrong")
        session.hear({"order": 1, "exercise": SHARES})
        session.hear({"order": 1, "result": result, "output": "\x1b]0;title\x07 printed\n"})
        assert "\x1b" not in shown(session)
        assert "printed" in shown(session)

    def test_the_line_of_an_exercise(self, session):
        assert view.line_of(session, COURSE.exercise(STRIDES)) == 11
        save(session, STORAGE, "def contiguous_strides", "def strides")
        assert view.line_of(session, COURSE.exercise(STRIDES)) is None


class TestEditor:
    @pytest.mark.parametrize(
        ("editor", "expected"),
        [
            ("vim", ["vim", "+7", "x.py"]),
            ("emacs -nw", ["emacs", "-nw", "+7", "x.py"]),
            ("code --wait", ["code", "--wait", "--goto", "x.py:7"]),
            ("/opt/subl", ["/opt/subl", "x.py:7"]),
        ],
    )
    def test_it_opens_at_the_line(self, monkeypatch, editor, expected):
        from grader.watch.screen import editor_command

        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setenv("EDITOR", editor)
        assert editor_command(Path("x.py"), 7) == expected
        monkeypatch.setenv("VISUAL", "nano")
        assert editor_command(Path("x.py"), None) == ["nano", "x.py"]

    def test_none_to_be_found(self, monkeypatch, tmp_path):
        from grader.watch.screen import editor_command

        for name in ("VISUAL", "EDITOR"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
        assert editor_command(Path("x.py"), 7) is None
