"""`reset`: one function is its stub again, every other byte stays, and nothing that was written is lost."""

import os
import shutil

import pytest

from grader.course import ROOT, load_course, read_catalogue
from grader.learner.stubs import NoStub, cells, read_stub, reset, undo

COURSE = read_catalogue(ROOT / "exercises" / "catalogue.json")
STRIDES = COURSE.exercise("tensors/storage/contiguous_strides")
SHARES = COURSE.exercise("tensors/storage/shares_storage")
OFFSET = COURSE.exercise("tensors/storage/element_offset")
STUB = b'    raise NotImplementedError("contiguous_strides is not written yet")'
MINE = b"    strides = []  # mine\n    return tuple(strides)"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "exercises/tensors").mkdir(parents=True)
    shutil.copy(ROOT / "exercises/catalogue.json", tmp_path / "exercises")
    (tmp_path / "exercises/tensors/storage.py").write_bytes(stubs())
    return tmp_path


def stubs():
    lines = ["# %% [markdown] lesson=1\n# # A lesson\n\n# %%\nimport torch\n\n"]
    for exercise in (SHARES, STRIDES, OFFSET):
        lines.append(f"# %% [markdown]\n# ## {exercise.title}\n\n{read_stub(exercise)}\n\n\n")
    return "".join(lines).rstrip("\n").encode() + b"\n"


def file(root):
    return root / "exercises/tensors/storage.py"


def write(root, content):
    file(root).write_bytes(content)


@pytest.mark.parametrize(
    "around",
    [
        lambda content: content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.rstrip(b"\n"),
        lambda content: content.replace(b"import torch", b"import torch\nif (  # half of a line\n\tdef x("),
        lambda content: content.replace(b"import torch", b'x = "\xe9\xff"  # not UTF-8'),
        lambda content: content + b"\n\n# %%\nprint(contiguous_strides((2, 3)))  # tried out\n\n\n\n",
    ],
    ids=["plain", "CRLF", "BOM", "no last newline", "syntax error elsewhere", "not UTF-8", "cells of my own"],
)
def test_only_this_function_changes_and_undo_brings_it_back(root, around):
    before, mine = around(stubs()), around(stubs().replace(STUB, MINE))
    assert before != mine
    write(root, mine)
    line = reset(STRIDES, root)
    assert file(root).read_bytes() == before
    assert "reset --undo" in line
    assert undo(None, COURSE.exercises, root)[0] == STRIDES
    assert file(root).read_bytes() == mine


def test_a_function_that_python_cannot_read(root):
    write(root, stubs().replace(STUB, b"    return (((\n\n\tx = '"))
    reset(STRIDES, root)
    assert file(root).read_bytes() == stubs()


def test_a_stub_stays_as_it_is(root):
    assert "already" in reset(STRIDES, root)
    assert not (root / ".grader").exists()
    with pytest.raises(NoStub, match="nothing to undo"):
        undo(None, COURSE.exercises, root)


def test_without_the_cells_first_line_the_function_is_found_by_its_name(root):
    header = next(line for line in stubs().splitlines() if line.startswith(b"# %% contiguous_strides"))
    mine = stubs().replace(STUB, MINE).replace(header + b"\n", b"@staticmethod\n")
    write(root, mine)
    reset(STRIDES, root)
    assert file(root).read_bytes() == stubs()
    undo(STRIDES, COURSE.exercises, root)
    assert MINE in file(root).read_bytes()


def test_a_function_that_was_deleted_comes_at_the_end(root):
    content = stubs()
    where = dict(cells(content))["contiguous_strides"]
    write(root, content[: where.start] + content[where.end :])
    assert "no longer" in reset(STRIDES, root)
    after = file(root).read_bytes()
    assert after.startswith(content[: where.start] + content[where.end :])
    assert after.endswith(b"\n\n" + content[where.start : where.end])


def test_undo_goes_back_step_by_step_and_keeps_what_was_written_since(root):
    for body in (b"    return 'first'", b"    return 'second'"):
        write(root, stubs().replace(STUB, body))
        reset(STRIDES, root)
    write(root, file(root).read_bytes().replace(STUB, b"    return 'third'"))
    _, line = undo(STRIDES, COURSE.exercises, root)
    assert b"'second'" in file(root).read_bytes()
    assert "what you wrote since" in line
    assert any(b"'third'" in kept.read_bytes() for kept in (root / ".grader/backup/undone").rglob("*.py"))
    undo(STRIDES, COURSE.exercises, root)
    assert b"'first'" in file(root).read_bytes()
    with pytest.raises(NoStub):
        undo(STRIDES, COURSE.exercises, root)


def test_undo_of_one_exercise_leaves_the_other_resets_alone(root):
    other = b'    raise NotImplementedError("shares_storage is not written yet")'
    write(root, stubs().replace(STUB, MINE).replace(other, b"    return 'shared'"))
    reset(STRIDES, root)
    reset(SHARES, root)
    undo(STRIDES, COURSE.exercises, root)
    assert MINE in file(root).read_bytes()
    assert b"'shared'" not in file(root).read_bytes()
    assert undo(None, COURSE.exercises, root)[0] == SHARES
    assert b"'shared'" in file(root).read_bytes()


def test_what_cannot_be_done_is_said_and_nothing_changes(root):
    twice = stubs() + b"\n\n# %% contiguous_strides\ndef contiguous_strides(shape):\n    return 2\n"
    write(root, twice)
    with pytest.raises(NoStub, match="remove one"):
        reset(STRIDES, root)
    assert file(root).read_bytes() == twice
    file(root).rename(file(root).with_suffix(".ipynb"))
    with pytest.raises(NoStub, match="notebook"):
        reset(STRIDES, root)
    file(root).with_suffix(".ipynb").unlink()
    with pytest.raises(NoStub, match=r"git checkout -- exercises/tensors/storage\.py"):
        reset(STRIDES, root)
    (root / "exercises/catalogue.json").unlink()
    write(root, twice)
    with pytest.raises(NoStub, match="catalogue"):
        reset(OFFSET, root)


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_rights_and_links_stay(root):
    write(root, stubs().replace(STUB, MINE))
    file(root).chmod(0o640)
    file(root).rename(root / "elsewhere.py")
    file(root).symlink_to(root / "elsewhere.py")
    reset(STRIDES, root)
    assert file(root).is_symlink()
    assert (root / "elsewhere.py").stat().st_mode & 0o777 == 0o640
    assert file(root).read_bytes() == stubs()


@pytest.mark.parametrize("lesson", [lesson.id for lesson in COURSE.lessons])
def test_every_stub_is_the_cell_of_its_file(lesson):
    content = (ROOT / "exercises" / f"{lesson}.py").read_text(encoding="utf-8")
    for exercise in load_course().lesson(lesson).exercises:
        stub = read_stub(exercise)
        assert stub.startswith(f"# %% {exercise.name} points=")
        assert "NotImplementedError" in stub
        assert stub in content
