"""Tests of the class page and of what it says: analysis of exercises, escaping, and use in a real browser."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from grader.classroom.analysis import analyse, correlation, distribution
from grader.classroom.grades import NOTHING_HANDED_IN, ClassGrades, StudentGrade
from grader.classroom.outputs import have_reports, reports_fingerprint, write_reports
from grader.classroom.page import to_class_page
from grader.course import Course, Exercise
from grader.result import Result, score_exercise

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "</style><style>*{display:none}",
    "a\n::error::b\x1b[31m\u202e",
    "=1+1",
]


def result_of(exercises: Sequence[Exercise], statuses: Sequence[str], message: str = "wrong") -> Result:
    made = []
    for exercise, status in zip(exercises, statuses, strict=True):
        test = ("a test", status, 1.0, None if status == "passed" else message, None)
        made.append(score_exercise(exercise.id, exercise.title, exercise.points, [test], 0.5))
    return Result("x", "sandbox", 7, "2.14", None, tuple(made))


def class_of(exercises: Sequence[Exercise], *rows: Sequence[str], message: str = "wrong") -> ClassGrades:
    students = tuple(
        StudentGrade(f"s{number}", f"s{number}", result_of(exercises, row, message), file=f"s{number}")
        for number, row in enumerate(rows)
    )
    return ClassGrades("/in/algebra", tuple(exercises), students, "sandbox", 7, 12.0)


# What the figures mean


def test_difficulty_and_discrimination_are_the_mean_share_and_the_correlation_with_the_rest(course: Course) -> None:
    exercises = [replace(exercise, points=2.0) for exercise in course.exercises[:3]]
    p, f, n = "passed", "failed", "not_attempted"
    grades = class_of(exercises, (p, p, p), (p, p, f), (p, f, n), (f, f, p), (f, f, n))
    first, second, third = analyse(grades).items
    assert first.difficulty == pytest.approx(3 / 5)
    assert first.outcomes == {"passed": 3, "failed": 2}
    assert (third.difficulty, third.tried) == (pytest.approx(2 / 5), pytest.approx(2 / 3))
    # Shares 1 1 1 0 0 against 1, 0.5, 0, 0.5, 0 of the rest: covariance and variances by hand.
    assert first.discrimination == pytest.approx(0.06 / (0.24 * 0.14) ** 0.5)
    # Shares 1 1 0 0 0 against 1, 0.5, 0.5, 0.5, 0.
    assert second.discrimination == pytest.approx(0.1 / (0.24 * 0.1) ** 0.5)
    assert first.seconds == 0.5


def test_a_correlation_needs_students_who_differ() -> None:
    assert correlation([1, 0, 1, 0], [1, 0, 1, 0]) is None, "too few"
    assert correlation([1, 1, 1, 1, 1], [0, 1, 0, 1, 0]) is None
    assert correlation([0, 1, 0, 1, 0], [1, 1, 1, 1, 1]) is None
    assert correlation([0, 1, 0, 1, 0], [1, 0, 1, 0, 1]) == pytest.approx(-1)


def test_what_was_not_assessed_counts_neither_way(course: Course) -> None:
    exercises = course.exercises[:2]
    grades = class_of(exercises, ("passed", "not_assessed"), ("failed", "passed"))
    _, second = analyse(grades).items
    assert second.difficulty == 1.0
    assert second.outcomes == {"passed": 1, "not_assessed": 1}


def test_the_distribution_has_100_per_cent_in_its_last_tenth() -> None:
    assert distribution([0, 9.99, 10, 95, 100]) == (2, 1, 0, 0, 0, 0, 0, 0, 0, 2)
    assert distribution([]) == (0,) * 10


def test_troubles_are_counted_by_student_and_a_broken_file_once_for_its_lesson(course: Course) -> None:
    lesson = course.lessons[0]
    exercises = lesson.exercises
    broken = result_of(exercises, ["error"] * len(exercises), "the file does not run: x")
    wrong = result_of(exercises, ["failed"] + ["not_attempted"] * (len(exercises) - 1), "wrong shape")
    named = replace(wrong, exercises=(replace(wrong.exercises[0], misconception="you forgot it"), *wrong.exercises[1:]))
    results = [broken, broken, wrong, wrong, wrong, named]
    students = tuple(StudentGrade(f"s{n}", "", result) for n, result in enumerate(results))
    found = analyse(ClassGrades("in", exercises, students, "sandbox", 7, 1.0)).troubles
    assert [(t.count, t.where, t.text, t.known) for t in found] == [
        (3, exercises[0].id, "Wrong shape.", False),
        (2, lesson.id, "The file does not run: x.", False),
        (1, exercises[0].id, "You forgot it.", True),
    ]


def test_a_class_without_any_result_has_a_page(course: Course) -> None:
    students = (StudentGrade("ann", "ann", None, "ann.zip is no .zip archive"), StudentGrade("b", "", None, "x"))
    page = to_class_page(ClassGrades("in", course.exercises, students, "process", 7, 1.0))
    assert "ann.zip is no .zip archive" in page.lower()
    assert "not in a sandbox" in page


# Escaping


def test_nothing_that_comes_from_outside_becomes_markup(course: Course) -> None:
    exercises = course.exercises[:1]
    students = []
    for number, text in enumerate(HOSTILE):
        result = result_of(exercises, ["failed"], text)
        students.append(StudentGrade(text, text, result, None, text, text, file=f"s{number}"))
        students.append(StudentGrade(f"x{text}", text, None, text, text))
    page = to_class_page(ClassGrades(f"/in/{HOSTILE[1]}", exercises, tuple(students), "sandbox", 7, 1.0))
    assert page.count("<script>") == page.count("<style>") == 1
    assert "<img" not in page
    assert not re.search(r"<[^>]*onerror", page)
    assert "49" not in re.sub(r"sha256-\S+", "", page.split("</style>")[1])
    assert "\x1b" not in page
    assert "\u202e" not in page


# Reports


def test_reports_for_learners_leave_out_what_the_code_printed_and_are_known_to_be_others(
    tmp_path: Path, course: Course
) -> None:
    result = result_of(course.exercises[:1], ["failed"])
    result = replace(result, exercises=(replace(result.exercises[0], output="SAID BY THE CODE"),))
    student = StudentGrade("ann", "ann", result, file="ann")
    assert not have_reports(student, tmp_path)
    for feedback, there in (("instructor", True), ("learner", False)):
        write_reports(student, course, tmp_path, feedback)
        assert ("SAID BY THE CODE" in (tmp_path / "students/ann.html").read_text()) is there
    assert have_reports(student, tmp_path)
    prints = {
        reports_fingerprint(each, key, feedback)
        for each, key, feedback in (
            (student, "key", "learner"),
            (student, "key", "instructor"),
            (student, "other", "learner"),
            (replace(student, submission="moved"), "key", "learner"),
        )
    }
    assert len(prints) == 4


# In a browser


def large_class(course: Course, size: int = 300) -> ClassGrades:
    draw = random.Random(3)
    students = []
    for number in range(size):
        student = f"s{number:03}"
        name = f"{draw.choice(['Ann', 'Ben', 'Zoë'])} {HOSTILE[number % len(HOSTILE)]} {number}"
        if number % 60 == 7:
            students.append(StudentGrade(student, f"{student}.zip", None, f"{student}.zip is no .zip archive", name))
        elif number % 60 == 8:
            students.append(StudentGrade(student, "", None, NOTHING_HANDED_IN, name))
        else:
            skill, late = draw.random(), number % 10 == 0
            statuses = [
                "passed" if draw.random() < skill else draw.choice(["failed", "error", "timeout", "not_attempted"])
                for _ in course.exercises
            ]
            result = result_of(course.exercises, statuses, f"it is wrong in way {number % 3}")
            students.append(
                StudentGrade(
                    student, student, result, None, name, late_seconds=7200.0 * late, penalty=0.1 * late, file=student
                )
            )
    return ClassGrades("/in/algebra", course.exercises, tuple(students), "sandbox", 7, 300.0)


@pytest.fixture(scope="module")
def page_file(course: Course, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(to_class_page(large_class(course)), encoding="utf-8")
    return path


def shown_students(page: Any) -> list[str]:
    return page.locator("#table tbody tr:visible th").all_text_contents()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_300_students_load_sort_and_filter_without_any_network(browser: Any, page_file: Path, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    session = page.context.new_cdp_session(page)
    # The browser's own work, not what else this machine has to do meanwhile.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(page_file.as_uri())
    took = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < took["TaskDuration"] < 1
    assert asked == [page_file.as_uri()]
    assert len(shown_students(page)) == 300

    def points() -> list[float]:
        values = page.locator("#table tbody tr td:nth-child(4)[data-value]").evaluate_all(
            "cells => cells.map(cell => Number(cell.dataset.value))"
        )
        return [float(value) for value in values]

    students = page.locator("#table")
    students.get_by_role("button", name="Score").click()
    assert points() == sorted(points(), reverse=True)
    assert shown_students(page)[-1] in {f"s{number:03}" for number in range(300) if number % 60 in (7, 8)}
    assert students.locator("thead th[aria-sort=descending]").all_text_contents() == ["Score"]
    students.get_by_role("button", name="Score").press("Enter")
    assert points() == sorted(points())
    students.get_by_role("button", name="Student").click()
    assert shown_students(page) == [f"s{number:03}" for number in range(300)]
    page.get_by_label("Find").fill("ZOË")
    assert 0 < len(shown_students(page)) < 300
    assert page.get_by_role("status").text_content() == f"{len(shown_students(page))} of 300 students"
    page.get_by_label("Find").fill("s007")
    assert shown_students(page) == ["s007"]
    page.get_by_label("Find").fill("")
    page.get_by_label("Show").select_option("late")
    assert shown_students(page) == [f"s{number:03}" for number in range(0, 300, 10)]
    page.get_by_label("Show").select_option("problem")
    assert shown_students(page) == [f"s{number:03}" for number in range(7, 300, 60)]
    page.get_by_label("Show").select_option("")
    exercises = page.locator("#exercise-table")
    exercises.get_by_role("button", name="Discrimination").click()
    values = exercises.locator("tbody td:nth-child(4)").evaluate_all("cells => cells.map(c => Number(c.dataset.value))")
    assert values == sorted(values, reverse=True)
    assert (said, len(asked)) == ([], 1)
    page.close()


def accessibility_findings(page: Any, **options: object) -> list[tuple[str, str, str]]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page, options=options).response["violations"]
    return [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in found]


def test_300_students_have_no_accessibility_findings(browser: Any, page_file: Path) -> None:
    page = browser.new_page()
    page.goto(page_file.as_uri())
    page.locator("details summary").click()
    # Contrast takes as long as all else together; rows of one kind have the same, and a few are looked at below.
    assert accessibility_findings(page, rules={"color-contrast": {"enabled": False}}) == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast_enough(browser: Any, course: Course, tmp_path: Path, scheme: str) -> None:
    grades = large_class(course, 12)
    (tmp_path / "index.html").write_text(to_class_page(replace(grades, complete=False)), encoding="utf-8")
    page = browser.new_page(color_scheme=scheme)
    page.goto((tmp_path / "index.html").as_uri())
    page.locator("details summary").click()
    assert accessibility_findings(page, runOnly=["color-contrast"]) == []
    page.close()


def test_on_a_phone_only_tables_scroll_sideways(browser: Any, page_file: Path) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 700})
    page.goto(page_file.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.close()
