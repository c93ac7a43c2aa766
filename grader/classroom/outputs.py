"""Writes what comes of grading a class: grades.csv, class.json, and each student's reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.classroom.grades import ClassGrades, StudentGrade
from grader.classroom.records import MARK, write_whole
from grader.classroom.spreadsheet import to_csv
from grader.course import Course
from grader.reports import render

REPORTS = "students"


def write_reports(student: StudentGrade, course: Course, out: Path, feedback: str) -> None:
    """Write one student's reports: out/students/FILE.json.

    Raises:
        GraderError: they cannot be written.
    """
    if student.result is None:
        return
    write_whole(out / REPORTS / f"{student.file}.json", render("json", student.result))


def write_outputs(grades: ClassGrades, course: Course, out: Path) -> None:
    """Write what is about the whole class.

    Raises:
        GraderError: it cannot be written.
    """
    write_whole(out / "grades.csv", to_csv(grades))
    write_whole(out / MARK, json.dumps(_summary(grades), indent=1) + "\n")


def _summary(grades: ClassGrades) -> dict[str, Any]:
    return {
        "schema": "grader/class/v1",
        "folder": grades.folder,
        "seed": grades.seed,
        "isolation": grades.isolation,
        "complete": grades.complete,
        "seconds": grades.seconds,
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
            }
            for student in grades.students
        ],
    }
