"""What known answers said is kept, shared by forked processes, and survives what may go wrong with a file."""

import errno
import os

import pytest

from grader import known_replies
from grader.known_replies import KnownReplies
from grader.observing import Unanswered

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")


def in_a_fork(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_what_is_kept_comes_back():
    replies = KnownReplies()
    assert replies.get("exercise", "label", "probe") is None
    replies.keep(b"\n\0 a reply", "exercise", "label", "probe")
    replies.keep(b"", "exercise", "label", "another")
    replies.keep(Unanswered("error", "it raised \u00e9", 3, "ValueError"), "exercise", "other", "probe")
    assert replies.get("exercise", "label", "probe") == b"\n\0 a reply"
    assert replies.get("exercise", "label", "another") == b""
    came = replies.get("exercise", "other", "probe")
    assert (came.status, str(came), came.kind) == ("error", "it raised \u00e9", "ValueError")
    assert replies.get("exercise", "label", "") is None
    assert len(replies) == 3


def test_two_are_apart():
    one, other = KnownReplies(), KnownReplies()
    one.keep(b"a", "key")
    assert other.get("key") is None


@needs_fork
def test_forked_processes_learn_from_each_other():
    replies = KnownReplies()
    replies.keep(b"before", "first")

    def work():
        assert replies.get("first") == b"before"
        replies.keep(b"from a fork", "second")

    in_a_fork(work)
    assert replies.get("second") == b"from a fork"
    assert replies.get("first") == b"before"


@needs_fork
def test_many_write_at_once():
    replies = KnownReplies()
    children = []
    for number in range(4):
        pid = os.fork()
        if pid == 0:
            try:
                for turn in range(200):
                    replies.keep(bytes([number]) * (turn * 7), str(number), str(turn))
                os._exit(0)
            finally:
                os._exit(1)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(replies) == 800
    for number in range(4):
        for turn in range(200):
            assert replies.get(str(number), str(turn)) == bytes([number]) * (turn * 7)


def test_it_does_not_grow_without_end(monkeypatch):
    monkeypatch.setattr(known_replies, "MOST_BYTES", 1000)
    replies = KnownReplies()
    for number in range(50):
        replies.keep(b"x" * 100, str(number))
    assert 5 <= len(replies) <= 9
    assert replies.get("0") == b"x" * 100
    monkeypatch.setattr(known_replies, "MOST_REPLY_BYTES", 50)
    another = KnownReplies()
    another.keep(b"x" * 100, "too long")
    assert len(another) == 0


@pytest.mark.parametrize("left", [1, 20, 45, 140])
def test_a_record_that_was_not_written_to_its_end_is_dropped(left):
    replies = KnownReplies()
    replies.keep(b"whole", "first")
    size = os.fstat(replies._file.fileno()).st_size
    other = KnownReplies()
    other.keep(b"y" * 100, "cut")
    other._file.seek(0)
    record = other._file.read()
    assert len(record) > left
    replies._file.seek(size)
    replies._file.write(record[:left])  # As by a process that was killed.
    assert replies.get("cut") is None
    replies.keep(b"next", "second")
    assert replies.get("first") == b"whole"
    assert replies.get("second") == b"next"
    assert len(replies) == 2


def test_a_full_disk_is_no_reason_to_fail():
    replies = KnownReplies()
    replies.keep(b"whole", "first")

    class Disk:
        room = 0

        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data[: self.room])

    disk = replies._file = Disk(replies._file)
    for disk.room in (0, 10):
        replies.keep(b"lost", "second")
        assert replies.get("second") is None
    disk.room = 10000
    replies.keep(b"kept", "second")
    assert replies.get("second") == b"kept"
    assert replies.get("first") == b"whole"


def test_without_a_temporary_folder_nothing_is_kept(monkeypatch):
    def refuse(**options):
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(known_replies.tempfile, "TemporaryFile", refuse)
    replies = KnownReplies()
    replies.keep(b"lost", "first")
    assert replies.get("first") is None
    assert len(replies) == 0
