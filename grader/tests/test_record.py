"""The learner's record: a text file that survives editing, sharing and places where it cannot be written."""

import os
from threading import Thread

import pytest

from grader.course import load_course
from grader.learner.record import (
    EXERCISES,
    Record,
    as_text,
    change_record,
    current_exercise,
    next_exercise,
    note_grades,
    read_record,
)
from grader.result import Result, score_exercise

A, B, C = "tensors/storage/shares_storage", "tensors/storage/contiguous_strides", "autograd/capstone/train"


def graded(exercise_id, status):
    return score_exercise(exercise_id, "A title", 1.0, [("a test", status, 1.0, "why", None)], 0.0)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "deeper" / "progress.txt"


def test_what_is_written_is_read_again(file):
    def change(record):
        record.current = B
        record.note([graded(A, "passed"), graded(B, "failed")])
        record.hints[B] = 2

    written = change_record(change, file)
    read = read_record(file)
    assert (read.current, list(read.solved), read.tried, read.hints) == (B, [A], [B], {B: 2})
    assert as_text(read) == as_text(written) == file.read_text()


def test_a_person_can_read_it_and_change_it(file):
    change_record(lambda record: record.note([graded(A, "passed")]), file)
    text = file.read_text()
    assert text.startswith("# ")
    assert f"solved   {A}  20" in text
    file.write_text(text.replace("solved ", "  solved\t") + "\n\nnote to myself: views!\nhints " + A + " three\n")
    record = change_record(lambda record: record.hints.update({A: 1}), file)
    assert A in record.solved
    assert file.read_text().endswith("note to myself: views!\nhints " + A + " three\n")


def test_an_exercise_that_no_longer_passes_is_not_solved():
    record = Record()
    record.note([graded(A, "passed")])
    assert record.status(A) == "solved"
    record.note([graded(A, "timeout")])
    assert record.status(A) == "begun"
    record.note([graded(A, "not_attempted")])
    assert record.status(A) == "new"
    record.note([graded(A, "passed"), graded(A, "not_assessed")])
    assert record.status(A) == "solved"


def test_solving_it_again_keeps_the_first_day():
    record = Record(solved={A: "2026-01-01"})
    record.note([graded(A, "passed")])
    assert record.solved == {A: "2026-01-01"}


def test_commands_at_the_same_time_lose_nothing(file):
    names = [f"tensors/storage/f{number}" for number in range(12)]
    threads = [
        Thread(target=change_record, args=(lambda r, name=name: r.hints.update({name: 1}), file)) for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(read_record(file).hints) == set(names)


def test_where_it_cannot_be_written_one_can_go_on(tmp_path):
    (tmp_path / "taken").write_text("a file, no folder")
    record = change_record(lambda record: record.hints.update({A: 1}), tmp_path / "taken" / "progress.txt")
    assert record.hints == {A: 1}
    assert "cannot be written" in record.problem


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00nonsense\n", b"solved\ncurrent\nhints x y\n"])
def test_a_file_that_makes_no_sense_is_an_empty_record(tmp_path, content):
    (tmp_path / "progress.txt").write_bytes(content)
    record = read_record(tmp_path / "progress.txt")
    assert (record.current, record.solved, record.tried, record.hints) == (None, {}, [], {})


def result(*exercises):
    return Result("exercises", "sandbox", 1, "2", None, exercises)


def test_only_grades_of_the_learners_own_files_count(file, tmp_path):
    assert note_grades(result(graded(A, "passed")), tmp_path, file) is None
    assert not file.exists()
    assert A in note_grades(result(graded(A, "passed")), EXERCISES, file).solved


def test_a_part_of_the_exercises_says_nothing_about_the_others(file):
    change_record(lambda record: record.note([graded(C, "passed")]), file)
    both = result(graded(A, "passed"), graded(C, "not_attempted"))
    assert list(note_grades(both, EXERCISES / "tensors", file).solved) == [C, A]
    assert list(note_grades(both, EXERCISES / "tensors" / "storage.py", file).solved) == [C, A]
    assert list(note_grades(both, EXERCISES, file).solved) == [A]


def test_next_and_current():
    course = load_course()
    first, second, *_, last = course.exercises
    assert current_exercise(course, Record()) == first
    assert current_exercise(course, Record(current=second.id)) == second
    assert current_exercise(course, Record(current="no/such/exercise")) == first
    assert next_exercise(course, Record(solved={second.id: ""}), first.id) == course.exercises[2]
    assert next_exercise(course, Record(), last.id) == first
    everything = Record(solved={exercise.id: "" for exercise in course.exercises})
    assert next_exercise(course, everything) is None
    assert current_exercise(course, everything) is None


@pytest.mark.skipif(os.name != "posix", reason="rights as POSIX has them")
def test_its_rights_are_those_of_an_ordinary_file(file):
    change_record(lambda record: record.hints.update({A: 1}), file)
    assert file.stat().st_mode & 0o777 == 0o644
