"""`list`, `hint`, `solution`, `progress` and the paths that `grade` takes, as a learner uses them."""

import pytest

from grader.course import ROOT, Course, load_course, read_catalogue
from grader.errors import UnknownExercise, UnreadableSubmission
from grader.learner import own
from grader.learner.help import NoSolution, hint_lines, one_exercise, solution_text
from grader.learner.overview import matching, show_list, show_progress
from grader.learner.record import EXERCISES, Record
from grader.tests.small_course import answer, grader, make_small_course

COURSE = read_catalogue(ROOT / "exercises" / "catalogue.json")
SHARES = COURSE.exercise("tensors/storage/shares_storage")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_small_course(tmp_path_factory.mktemp("course"))


def said(run):
    assert run.returncode == 0, run.stderr
    return run.stdout


class TestHint:
    def test_one_more_each_time_then_none(self, root):
        outputs = [said(grader(root, "hint", "shares_storage")) for _ in range(len(SHARES.hints) + 1)]
        for place, output in enumerate(outputs[:-1]):
            assert f"Hint {place + 1} of {len(SHARES.hints)}" in output
            assert output.count("Hint ") == 1
        assert "have it already" in outputs[-1]
        assert f"hints    {SHARES.id}  {len(SHARES.hints)}" in (root / ".grader/progress.txt").read_text()

    def test_all_at_once_and_the_one_at_hand(self, root):
        (root / ".grader").mkdir(exist_ok=True)
        (root / ".grader/progress.txt").write_text("current tensors/broadcasting/relu\n")
        output = said(grader(root, "hint", "--all"))
        relu = COURSE.exercise("tensors/broadcasting/relu")
        assert output.startswith(relu.id)
        assert output.count("Hint ") == len(relu.hints)

    def test_a_name_that_is_not_right(self, root):
        for name, advice in (("shares_storge", "did you mean 'shares_storage'"), ("storage", "name one of them")):
            run = grader(root, "hint", name)
            assert run.returncode == 2
            assert run.stderr.count("\n") == 1
            assert advice in run.stderr


def test_hints_have_no_markup_of_ours():
    for exercise in COURSE.exercises:
        assert [line.plain.split("  ", 1)[1] for line in hint_lines(exercise, range(len(exercise.hints)))] == list(
            exercise.hints
        )


class TestSolution:
    def test_it_waits_until_the_exercise_is_solved(self, root):
        run = grader(root, "solution", "shares_storage")
        assert run.returncode == 2
        assert "not solved yet" in run.stderr
        assert "untyped_storage" not in run.stdout
        answer(
            root, "tensors/storage", "shares_storage", "return a.untyped_storage()._cdata == b.untyped_storage()._cdata"
        )
        output = said(grader(root, "solution", "shares_storage"))  # Grades it now.
        assert "data_ptr" in output
        assert "SOLUTION" not in output
        assert "Hint" not in output
        assert f"solved   {SHARES.id}" in (root / ".grader/progress.txt").read_text()

    def test_anyway_comes_with_a_word_of_regret(self, root):
        output = said(grader(root, "solution", "relu", "--anyway"))
        assert "def relu(" in output
        assert "forgotten" in output

    def test_a_version_without_solutions_says_so(self):
        with pytest.raises(NoSolution, match="not in this version"):
            solution_text(SHARES, COURSE)

    def test_every_exercise_has_one_that_is_python(self):
        course = load_course()
        for exercise in course.exercises:
            if course.lesson(exercise.lesson_id).text:
                text = solution_text(exercise, course)
                compile(text, exercise.id, "exec")
                assert "# Hint:" not in text


class TestListAndProgress:
    def test_search_wants_all_words(self):
        found = matching(COURSE.exercises, COURSE, "STORAGE transpose")
        assert found
        assert len(found) < len(matching(COURSE.exercises, COURSE, "storage"))
        assert matching(COURSE.exercises, COURSE, "") == list(COURSE.exercises)
        assert matching(COURSE.exercises, COURSE, "no such words here") == []

    def test_filters(self, root):
        (root / ".grader").mkdir(exist_ok=True)
        (root / ".grader/progress.txt").write_text(
            "solved tensors/storage/shares_storage\ntried tensors/broadcasting/relu\n"
        )
        assert "relu" in said(grader(root, "list", "--status", "begun"))
        solved = said(grader(root, "list", "--status", "solved"))
        assert "shares_storage" in solved
        assert "relu" not in solved
        warm = said(grader(root, "list", "--level", "warm-up", "--status", "new", "--search", "rows"))
        assert "normalize_rows" in warm
        assert "shares_storage" not in warm
        assert "No exercise" in said(grader(root, "list", "--level", "capstone"))

    def test_they_fit_80_columns(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "80")
        record = Record(solved={e.id: "2026-01-01" for e in COURSE.exercises[:20]}, hints={SHARES.id: 2})
        show_list(COURSE.exercises, COURSE, record)
        show_progress(COURSE, record)
        printed = capsys.readouterr().out
        assert max(map(len, printed.splitlines())) <= 80
        assert "20 / 66" in printed
        assert "2 hints taken, in 1 exercise" in printed
        assert "\x1b" not in printed

    def test_the_end(self, capsys):
        show_progress(COURSE, Record(solved={e.id: "" for e in COURSE.exercises}))
        assert "All done" in capsys.readouterr().out


class TestOne:
    def test_without_a_name_it_is_the_one_at_hand(self):
        assert one_exercise(COURSE, None, Record(current=SHARES.id)) == SHARES

    def test_without_a_name_when_all_are_solved(self):
        with pytest.raises(UnknownExercise, match="every exercise is solved"):
            one_exercise(COURSE, None, Record(solved={e.id: "" for e in COURSE.exercises}))


class TestPaths:
    """What someone types who does not know the course's folders yet."""

    def test_exercises_are_the_courses_own_from_any_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert own.submission_path("exercises", COURSE) == EXERCISES
        (tmp_path / "exercises").mkdir()
        assert own.submission_path("exercises", COURSE).resolve() == tmp_path / "exercises"

    @pytest.mark.parametrize(
        ("text", "advice"),
        [
            ("shares_storage", "-e shares_storage"),
            ("exercise", "did you mean exercises?"),
            ("tensors", "did you mean exercises/tensors?"),
            ("storage.py", "did you mean exercises/tensors/storage.py?"),
            ("exercises/tensors/storage", "did you mean exercises/tensors/storage.py?"),
            ("exercises/tensor/storage.py", "did you mean exercises/tensors/storage.py?"),
            ("completely different", "give a folder like exercises/"),
        ],
    )
    def test_what_is_not_there(self, text, advice, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UnreadableSubmission) as caught:
            own.submission_path(text, COURSE)
        assert "does not exist" in str(caught.value)
        assert advice in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_a_part_of_the_exercises_is_graded_by_itself(self):
        course: Course = COURSE
        assert own.part_of(EXERCISES, course.exercises) == course.exercises
        assert {e.topic for e in own.part_of(EXERCISES / "tensors", course.exercises)} == {"tensors"}
        part = own.part_of(EXERCISES / "tensors" / "storage.py", course.exercises)
        assert {e.lesson_id for e in part} == {"tensors/storage"}
        assert own.part_of(ROOT / "solutions" / "tensors", course.exercises) == course.exercises

    def test_a_lesson_that_was_deleted(self, root):
        file = root / "exercises/tensors/broadcasting.py"
        text = file.read_bytes()
        file.unlink()
        try:
            run = grader(root, "grade", "-e", "relu")
        finally:
            file.write_bytes(text)
        assert "exercises/tensors/broadcasting.py is missing: `git checkout --" in run.stdout

    def test_the_command_works_in_another_folder(self, root, tmp_path):
        assert "shares_storage" in said(grader(root, "list", cwd=tmp_path))
