"""Tests of the mutants: what is changed, what is left alone, and what survives."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from grader.course import Course, Lesson, load_course, read_lesson
from grader.errors import CourseError
from grader.mutants import check_mutants, mutants, read_equivalent

CELL = '''# %% [markdown] lesson=1
# # Lesson
# ## Part

# %% {name} points=1 level="core" minutes=5 needs=[]
def {name}(x, flag=1):
    """Says 3 + 4."""
    ### BEGIN SOLUTION
    # Hint: none
{solution}
    ### END SOLUTION
'''


def changes(tmp_path: Path, *lines: str) -> list[str]:
    lesson = a_lesson(tmp_path, *lines)
    return [mutant.change for mutant in mutants(lesson, lesson.exercises[0])]


def a_lesson(tmp_path: Path, *lines: str) -> Lesson:
    path = tmp_path / "tensors" / "part.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(CELL.format(name="part", solution="\n".join("    " + line for line in lines)))
    return read_lesson(path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return x + flag", ["+ becomes -"]),
        ("return x < flag", ["< becomes <="]),
        ("return not x", ["not is dropped"]),
        ("return x and flag", ["and becomes or"]),
        ("return True", ["True becomes False"]),
        ("return 5", ["5 becomes 6", "5 becomes 4"]),
        ("return 0.5", ["0.5 becomes 1.0"]),
        ("return 'dim'", ["'dim' becomes 'dimx'"]),
        ("return x.sum(dim=flag)", ["dim= is dropped", ".sum() is dropped"]),
        ("return torch.dot(x, flag)", ["the first two arguments are swapped"]),
        ("return max(x, flag)", []),
        ("x += flag", ["+ becomes -", "the statement is dropped"]),
        ("return x if flag else None", ["the condition is negated"]),
        ("raise ValueError(f'{x} is not {flag + 1}')", ["the statement is dropped"]),
    ],
)
def test_each_operator_has_its_mutants(tmp_path: Path, line: str, expected: list[str]) -> None:
    assert changes(tmp_path, line) == [f"{change} in `{line}`" for change in expected]


def test_only_the_solution_is_changed(tmp_path: Path) -> None:
    lesson = a_lesson(tmp_path, "return x * flag")
    (mutant,) = mutants(lesson, lesson.exercises[0])
    assert '"""Says 3 + 4."""' in mutant.source
    assert "flag=1" in mutant.source
    assert "x / flag" in mutant.source
    ast.parse(mutant.source)


def test_two_changes_of_a_line_that_are_said_alike_are_told_apart(tmp_path: Path) -> None:
    assert changes(tmp_path, "return x + flag + x") == [
        "+ becomes - in `return x + flag + x`",
        "+ becomes - in `return x + flag + x` (2)",
    ]


def test_with_and_decorators_are_dropped(tmp_path: Path) -> None:
    found = changes(tmp_path, "with torch.no_grad():", "    return x")
    assert "the with is dropped in `with torch.no_grad():`" in found


def test_a_record_that_is_no_toml_is_named(tmp_path: Path, course: Course) -> None:
    path = tmp_path / "tests" / "tensors" / "equivalent.toml"
    path.parent.mkdir(parents=True)
    path.write_text("not = = toml")
    with pytest.raises(CourseError, match=r"tests/tensors/equivalent\.toml"):
        read_equivalent(course, tmp_path)


def test_mutants_of_a_solution_are_killed_or_explained() -> None:
    course = load_course()
    exercises = course.select(["masked_mean"])
    report = check_mutants(course, exercises, seed=3)
    assert sum(report.killed.values()) > 5
    assert not report.unexplained
    assert not report.outdated
    assert {mutant.exercise for mutant in report.survived} == {"tensors/selecting/masked_mean"}
