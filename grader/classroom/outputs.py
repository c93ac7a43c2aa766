"""Writes what comes of grading a class: grades.csv, the class page, class.json, and each student's reports."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader import reports
from grader.classroom.grades import ClassGrades, StudentGrade
from grader.classroom.page import to_class_page
from grader.classroom.records import MARK, SCHEMA, write_whole
from grader.classroom.spreadsheet import to_csv
from grader.course import Course
from grader.reports import render
from grader.result import for_learners

REPORTS, PAGE = "students", "index.html"
KINDS = ("json", "html")


def reports_fingerprint(student: StudentGrade, key: str, feedback: str) -> str:
    """Digest of what a student's reports depend on, `key` being that of the result."""
    return hashlib.sha256(json.dumps([key, student.submission, feedback, _makers()]).encode()).hexdigest()


@functools.cache
def _makers() -> str:
    """Digest of the code that makes reports."""
    digest = hashlib.sha256()
    for path in sorted(Path(reports.__file__).parent.rglob("*.*")):
        if path.suffix in (".py", ".html", ".css"):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def have_reports(student: StudentGrade, out: Path) -> bool:
    """Whether a student's reports are there."""
    return all((out / REPORTS / f"{student.file}.{kind}").is_file() for kind in KINDS)


def write_reports(student: StudentGrade, course: Course, out: Path, feedback: str) -> None:
    """Write one student's reports, out/students/FILE.json and FILE.html.

    Args:
        feedback: "learner" leaves out what hidden tests are made of; see grader.result.for_learners.

    Raises:
        GraderError: they cannot be written.
    """
    if student.result is None:
        return
    result = for_learners(student.result) if feedback == "learner" else student.result
    for kind in KINDS:
        write_whole(out / REPORTS / f"{student.file}.{kind}", render(kind, result, course))


def write_outputs(grades: ClassGrades, made: Mapping[str, str], out: Path) -> None:
    """Write what is about the whole class.

    Args:
        made: of each student, the `reports_fingerprint` of the reports that are there.

    Raises:
        GraderError: it cannot be written.
    """
    write_whole(out / "grades.csv", to_csv(grades))
    write_whole(out / PAGE, to_class_page(grades))
    write_whole(out / MARK, json.dumps(_summary(grades, made), indent=1) + "\n")


def _summary(grades: ClassGrades, made: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "folder": grades.folder,
        "seed": grades.seed,
        "isolation": grades.isolation,
        "complete": grades.complete,
        "seconds": grades.seconds,
        "answers_judged": grades.answers_judged,
        "answers_passed_on": grades.answers_passed_on,
        "exercises": [exercise.id for exercise in grades.exercises],
        "students": [
            {
                "student": student.student,
                "name": student.name,
                "email": student.email,
                "submission": student.submission,
                "problem": student.problem,
                "points": student.points,
                "percent": student.percent,
                "max_points": student.result.max_points if student.result else None,
                "not_assessed_points": student.result.not_assessed_points if student.result else None,
                "late_seconds": student.late_seconds,
                "penalty": student.penalty,
                "report": f"{REPORTS}/{student.file}.json" if student.result else None,
                "report_fingerprint": made.get(student.student),
            }
            for student in grades.students
        ],
    }
