"""The benchmark's submissions and its arithmetic; what it measures is not run here."""

from __future__ import annotations

import pytest

from grader.bench.attacks import FULL, NONE, _ours, attack_entries
from grader.bench.saving import small, spread
from grader.bench.steps import show_steps
from grader.bench.submissions import make_class, make_submissions
from grader.bench.table import Aim, Report, Way, aims, disagreements, show
from grader.bench.tally import points_of
from grader.build.exercises import stub_text
from grader.course import load_course
from grader.errors import GraderError
from grader.submission import read_submission

COURSE = load_course()
EXERCISES = [exercise for exercise in COURSE.exercises if exercise.tests]


@pytest.fixture(scope="module")
def made():
    return make_submissions(COURSE, EXERCISES, 12)


class TestSubmissions:
    def test_the_same_ones_each_time(self, made):
        assert make_submissions(COURSE, EXERCISES, 12) == made

    def test_solutions_and_stubs_come_first(self, made):
        assert made[0].texts == {lesson.id: lesson.text for lesson in COURSE.lessons}
        assert made[1].texts == {lesson.id: stub_text(lesson) for lesson in COURSE.lessons}

    def test_all_differ(self, made):
        assert len(made) == len({submission.name for submission in made}) == 12
        assert len({tuple(submission.texts.values()) for submission in made}) == 12

    def test_every_exercise_is_right_wrong_or_missing(self, made):
        assert all(one.right + one.wrong + one.missing == len(EXERCISES) for one in made)

    def test_the_mixtures_lie_between_all_and_nothing(self, made):
        assert all(0 < one.right < len(EXERCISES) for one in made[2:])
        # So many different scores as there are mixtures, as far as the exercises allow.
        assert len({one.right for one in made[2:]}) == min(10, len(EXERCISES) - 1)
        assert any(one.missing and one.wrong for one in made[2:])

    def test_missing_answers_are_stubs(self, made):
        for one in made:
            text = "".join(one.texts.values())
            assert sum(f'"{exercise.name} is not written yet"' in text for exercise in EXERCISES) == one.missing

    def test_written_as_a_learner_hands_in(self, made, tmp_path):
        folder = made[-1].write(tmp_path)
        submission = read_submission(folder, COURSE)
        assert {lesson.id for lesson in COURSE.lessons} == set(submission.lessons)
        assert not any(lesson.problem for lesson in submission.lessons.values())
        assert {key: value.segments[0].source for key, value in submission.lessons.items()} == made[-1].texts

    def test_a_class_has_attacks_and_broken_files(self):
        plain, made = make_submissions(COURSE, EXERCISES, 45), make_class(COURSE, EXERCISES, 45)
        spoilt = [place for place, each in enumerate(made) if each.name.endswith("-spoilt")]
        assert spoilt == [9, 19, 29, 39]
        for place, (before, after) in enumerate(zip(plain, made, strict=True)):
            changed = [lesson for lesson, text in after.texts.items() if text != before.texts[lesson]]
            assert len(changed) == (place in spoilt), after.name
        texts = [
            next(t for t in made[place].texts.values() if t not in plain[place].texts.values()) for place in spoilt
        ]
        assert all("# Tries:" in text for text in texts[::2])
        assert not any("# Tries:" in text for text in texts[1::2])

    def test_fewer_than_two_are_refused(self):
        with pytest.raises(GraderError, match="2 submissions or more"):
            make_submissions(COURSE, EXERCISES, 1)

    @pytest.mark.parametrize("count", [2, 3, 40])
    def test_any_other_number(self, count):
        assert len({submission.name for submission in make_submissions(COURSE, EXERCISES, count)}) == count


def way(key, seconds, points=1.0):
    return Way(key, f"way {key}", seconds, {"one": {"t/l/x": points}, "two": {"t/l/x": 0.0}})


REPORT = Report(
    ways=(way("a", 40.0), way("b", 2.0), way("c", 40.0), way("d", 20.0), way("e", 1.0)),
    save_seconds=0.2,
    plain_save_seconds=3.0,
)


class TestTable:
    def test_ratios(self):
        assert [aim.value for aim in aims(REPORT)] == [1 / 20, 1 / 10, 2.0, 0.2, 0.2 / 3]
        assert [aim.met for aim in aims(REPORT)] == [True, False, True, False, False]
        assert [aim.text for aim in aims(REPORT)] == ["1/20.0", "1/10.0", "2.00", "0.200 s", "1/15.0"]

    def test_without_nbgrader(self):
        ways = tuple(one for one in REPORT.ways if one.key != "d")
        assert [aim.name[:3] for aim in aims(Report(ways, 0.1, 3.0))] == ["b/c", "b/e", "f  ", "f  "]

    def test_an_aim_is_met_at_its_limit(self):
        assert Aim("", 0.1, 1 / 10, "1/10").met
        assert not Aim("", 0.1001, 1 / 10, "1/10").met

    def test_seconds_per_submission(self):
        assert way("b", 3.0).each == 1.5

    def test_disagreements_name_submission_exercise_and_ways(self):
        assert disagreements([way("b", 1.0), way("c", 1.0, 1.0005), way("e", 1.0)]) == ()
        told = disagreements([way("b", 1.0), way("c", 1.0), way("d", 1.0, 0.5)])
        assert told == ("one, t/l/x: 1 by b, 0.5 by d",)
        assert "nothing by d" in disagreements([way("b", 1.0), Way("d", "", 1.0, {"two": {"t/l/x": 0.0}})])[0]

    def test_what_is_printed(self, capsys):
        show(REPORT)
        printed = capsys.readouterr().out
        assert "1/20.0" in printed
        assert "missed" in printed
        assert "agree between a, b, c, d, e" in printed
        assert max(map(len, printed.splitlines())) <= 80

    def test_disagreement_is_loud(self, capsys):
        show(Report(REPORT.ways, 0.1, 3.0, disagreements=("one, t/l/x: 1 by b, 0.5 by d",)))
        assert "POINTS DO NOT AGREE" in capsys.readouterr().out


def test_points_from_noted_tests():
    exercise = EXERCISES[0]
    notes = [(3, "passed"), (1, "failed"), (4, "not_assessed")]
    tests = {str(n): {"exercise": exercise.id, "weight": w, "status": s} for n, (w, s) in enumerate(notes)}
    tests["other"] = {"exercise": "t/l/other", "weight": 9, "status": "passed"}
    assert points_of(exercise, tests) == exercise.points * 3 / 8


def test_small_ones_are_those_that_take_the_least_time():
    seconds = {exercise.id: 1.0 + place for place, exercise in enumerate(EXERCISES)}
    quickest = EXERCISES[-1]
    seconds[quickest.id] = 0.1
    chosen = small(seconds, EXERCISES, len(EXERCISES))
    assert len(chosen) == len(EXERCISES) // 2
    assert quickest in chosen
    assert EXERCISES[-2] not in chosen


def test_spread_takes_from_all_over():
    assert spread(list("abcdef"), 3) == ["a", "c", "e"]
    assert spread(list("ab"), 5) == ["a", "b"]


def test_what_stands_beside_the_attacks_is_right_and_wrong(course, pool, tmp_path):
    # `pool` skips where there is no sandbox.
    with show_steps(2) as steps:
        assert _ours(attack_entries(course)[:2], course, tmp_path, steps) == [FULL, NONE]
