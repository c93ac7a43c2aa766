"""Tests of how exercises/ is made: stubs from solutions, and no learner's work is ever lost."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from grader.build.exercises import edited_files, generated_files, stub_text, write_exercises
from grader.course import Course, Lesson, load_course, read_solutions
from grader.errors import CourseError

LESSON = '''# %% [markdown] lesson=1
# # Views

# %%
import torch

LIMIT = 3  # ### not a solution

# %% [markdown]
# ## Turning
#
# Some *text*.

# %% turn points=2 level="core" minutes=10 needs=[]
def turn(x: torch.Tensor) -> torch.Tensor:
    """Turn x.

    >>> turn(torch.ones(2, 3)).shape
    torch.Size([3, 2])
    """
    ### BEGIN SOLUTION
    # Hint: Look at it.
    # Hint: Turn it.
    return x.T
    ### END SOLUTION


# %% [markdown]
# ## Last words

# %% count points=1 level="core" minutes=10 needs=[]
class Counter:
    def count(self):
        ### BEGIN SOLUTION
        return 1
        ### END SOLUTION

    def twice(self):
        ### BEGIN SOLUTION
        return 2
        ### END SOLUTION
'''
STUB = (
    LESSON.replace(LESSON[LESSON.index("    ### BEGIN") : LESSON.index("\n\n\n# %% [markdown]\n# ## Last")],
                   '    raise NotImplementedError("turn is not written yet")')
    .replace("        ### BEGIN SOLUTION\n        return 1\n        ### END SOLUTION",
             '        raise NotImplementedError("count is not written yet")')
    .replace("        ### BEGIN SOLUTION\n        return 2\n        ### END SOLUTION",
             '        raise NotImplementedError("count is not written yet")')
)  # fmt: skip
REAL = load_course().lessons


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("views", "storage"):
        path = tmp_path / "solutions" / "tensors" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(LESSON if name == "views" else LESSON.replace("lesson=1", "lesson=2"), encoding="utf-8")
    return tmp_path


@pytest.fixture
def course(root: Path) -> Course:
    return read_solutions(root)


def lesson_of(text: str, tmp_path: Path) -> Lesson:
    path = tmp_path / "solutions" / "tensors" / "views.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return read_solutions(tmp_path).lesson("tensors/views")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Stubs


def test_a_stub_is_the_lesson_without_its_solutions(course: Course) -> None:
    assert stub_text(course.lesson("tensors/views")).rstrip() == STUB.rstrip()


@pytest.mark.parametrize("lesson", [lesson for lesson in REAL if lesson.text], ids=lambda lesson: lesson.id)
def test_stubs_of_the_course(lesson: Lesson) -> None:
    text = stub_text(lesson)
    assert text == stub_text(lesson)
    assert "SOLUTION" not in text
    assert "# Hint:" not in text
    tree = ast.parse(text)
    functions = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for exercise in lesson.exercises:
        assert f'raise NotImplementedError("{exercise.name} is not written yet")' in text
        solution = next(node for node in ast.parse(lesson.text).body if getattr(node, "name", "") == exercise.name)
        assert ast.get_docstring(functions[exercise.name]) == ast.get_docstring(solution)
    outside, inside = [], False
    for line in lesson.text.splitlines():
        inside = inside or "### BEGIN SOLUTION" in line
        if not inside and line.strip():
            outside.append(line)
        inside = inside and "### END SOLUTION" not in line
    kept = [line for line in text.splitlines() if line.strip() and "is not written yet" not in line]
    assert kept == outside


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    ### BEGIN SOLUTION\n    # Hint", "    # Hint"),
        ("    return x.T\n    ### END SOLUTION\n", "    return x.T\n"),
        ("    ### BEGIN SOLUTION\n    # Hint", "    ### BEGIN SOLUTION\n    ### BEGIN SOLUTION\n    # Hint"),
    ],
)
def test_delimiters_that_do_not_match_are_an_error_that_names_the_exercise(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(CourseError, match=r"^solutions/tensors/views\.py, turn: "):
        stub_text(lesson_of(LESSON.replace(old, new, 1), tmp_path))


def test_an_exercise_without_a_solution_is_an_error(tmp_path: Path) -> None:
    lines = [line for line in LESSON.splitlines(keepends=True) if "SOLUTION" not in line]
    with pytest.raises(CourseError, match="no ### BEGIN SOLUTION"):
        stub_text(lesson_of("".join(lines), tmp_path))


# Writing


def test_a_build_writes_everything_and_the_next_one_nothing(root: Path, course: Course) -> None:
    names = ["tensors/views.py", "tensors/storage.py", "catalogue.json"]
    assert write_exercises(course, root) == [f"wrote      exercises/{name}" for name in names]
    written = snapshot(root / "exercises")
    assert sorted(written) == sorted(names)
    assert written == {name: text.encode() for name, text in generated_files(course).items()} | {}
    assert write_exercises(course, root) == ["exercises/ is up to date"]
    assert snapshot(root / "exercises") == written


def test_a_build_depends_on_nothing_but_the_course(root: Path, course: Course) -> None:
    assert generated_files(course) == generated_files(read_solutions(root))
    assert str(root) not in "".join(generated_files(course).values())


def test_the_catalogue_is_public(course: Course) -> None:
    data = json.loads(generated_files(course)["catalogue.json"])
    assert [exercise["id"] for exercise in data["lessons"][0]["exercises"]] == [
        "tensors/views/turn",
        "tensors/views/count",
    ]
    assert data["lessons"][0]["exercises"][0]["hints"] == ["Look at it.", "Turn it."]
    assert "return x.T" not in json.dumps(data)


def edit(root: Path) -> Path:
    path = root / "exercises" / "tensors" / "views.py"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace('raise NotImplementedError("turn is not written yet")', "return x.mT"), encoding="utf-8"
    )
    return path


def test_a_build_refuses_to_overwrite_a_learners_work(root: Path, course: Course) -> None:
    write_exercises(course, root)
    edit(root)
    (root / "exercises" / "tensors" / "storage.py").unlink()
    before = snapshot(root)
    with pytest.raises(CourseError) as error:
        write_exercises(course, root)
    assert "exercises/tensors/views.py" in str(error.value)
    assert "storage" not in str(error.value)
    assert "--force" in str(error.value)
    assert "\n" not in str(error.value)
    assert snapshot(root) == before


def test_force_replaces_a_learners_work_and_keeps_a_copy(root: Path, course: Course) -> None:
    write_exercises(course, root)
    path = edit(root)
    work = path.read_bytes()
    said = write_exercises(course, root, force=True)
    assert path.read_text(encoding="utf-8").rstrip() == STUB.rstrip()
    (copy,) = (root / ".grader" / "backup").rglob("views.py")
    assert copy.read_bytes() == work
    assert said == [
        f"kept       exercises/tensors/views.py as {copy.relative_to(root)}",
        "wrote      exercises/tensors/views.py",
    ]
    assert write_exercises(course, root) == ["exercises/ is up to date"]


def test_two_backups_do_not_meet(root: Path, course: Course) -> None:
    write_exercises(course, root)
    for _ in range(2):
        edit(root)
        write_exercises(course, root, force=True)
    assert len(list((root / ".grader" / "backup").rglob("views.py"))) == 2


def test_a_file_that_is_merely_outdated_is_replaced(root: Path, course: Course) -> None:
    write_exercises(course, root)
    path = root / "solutions" / "tensors" / "views.py"
    path.write_text(LESSON.replace("Some *text*.", "Other text."), encoding="utf-8")
    said = write_exercises(read_solutions(root), root)
    assert said == ["wrote      exercises/tensors/views.py", "wrote      exercises/catalogue.json"]
    assert "Other text." in (root / "exercises" / "tensors" / "views.py").read_text(encoding="utf-8")


def test_work_in_an_outdated_file_is_still_a_learners_work(root: Path, course: Course) -> None:
    write_exercises(course, root)
    edit(root)
    path = root / "solutions" / "tensors" / "views.py"
    path.write_text(LESSON.replace("Some *text*.", "Other text."), encoding="utf-8")
    with pytest.raises(CourseError, match=r"exercises/tensors/views\.py"):
        write_exercises(read_solutions(root), root)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": 5}', '{"files": {"tensors/views.py": 5}}', None])
def test_without_a_record_every_other_text_is_a_learners_work(root: Path, course: Course, damage: str | None) -> None:
    write_exercises(course, root)
    edit(root)
    path = root / "exercises" / "catalogue.json"
    path.unlink() if damage is None else path.write_text(damage)
    assert edited_files(root / "exercises", generated_files(course)) == ["tensors/views.py"]


def test_bytes_that_are_no_text_are_a_learners_work(root: Path, course: Course) -> None:
    write_exercises(course, root)
    (root / "exercises" / "tensors" / "views.py").write_bytes(b"\xff\xfe")
    assert edited_files(root / "exercises", generated_files(course)) == ["tensors/views.py"]


def test_files_that_no_build_made_are_left_alone(root: Path, course: Course) -> None:
    write_exercises(course, root)
    (root / "exercises" / "tensors" / "notes.py").write_text("mine")
    write_exercises(course, root, force=True)
    assert (root / "exercises" / "tensors" / "notes.py").read_text() == "mine"
