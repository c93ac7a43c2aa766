"""The class page: one HTML file about a whole class, with links to each student's report; it loads nothing else."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

from grader.classroom.analysis import ClassAnalysis, analyse
from grader.classroom.grades import NOTHING_HANDED_IN, ClassGrades, StudentGrade
from grader.reports.html import ISOLATION, environment, stylesheet
from grader.reports.wording import STATUS

TEMPLATES = Path(__file__).parent / "templates"
MOST_TROUBLES = 40
WRONG = ("failed", "error", "timeout", "crashed")


def to_class_page(grades: ClassGrades) -> str:
    """The page; what comes from a submission or a roster is escaped, and no script but the page's own can run."""
    import jinja2
    from markupsafe import Markup

    ours = environment().overlay(loader=jinja2.FileSystemLoader([TEMPLATES]))
    style = stylesheet("style.css") + (TEMPLATES / "class.css").read_text(encoding="utf-8")
    script = (TEMPLATES / "class.js").read_text(encoding="utf-8")
    analysis = analyse(grades)
    first = next((student.result for student in grades.students if student.result), None)
    return ours.get_template("class.html").render(
        title=Path(grades.folder).resolve().name,
        grades=grades,
        analysis=analysis,
        bars=_bars(analysis),
        troubles=analysis.troubles[:MOST_TROUBLES],
        students=[_row(student) for student in grades.students],
        problems=sum(bool(s.problem) and s.problem != NOTHING_HANDED_IN for s in grades.students),
        missing=sum(s.problem == NOTHING_HANDED_IN for s in grades.students),
        isolation=ISOLATION.get(grades.isolation, ""),
        torch=first.torch if first else "",
        gpu=first.gpu if first else None,
        not_assessed=max((s.result.not_assessed_points for s in grades.students if s.result), default=0.0),
        wrong=WRONG,
        style=Markup(style),
        script=Markup(script),
        style_hash=_digest(style),
        script_hash=_digest(script),
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _bars(analysis: ClassAnalysis) -> list[dict[str, Any]]:
    """The bars of the distribution: each with its range, count and height in per cent of the highest."""
    most = max(analysis.distribution, default=0)
    width = 100 // len(analysis.distribution)
    return [
        {
            "range": f"{place * width} to {(place + 1) * width} %",
            "from": place * width,
            "count": count,
            "height": round(100 * count / most, 2) if most else 0,
        }
        for place, count in enumerate(analysis.distribution)
    ]


def _row(student: StudentGrade) -> dict[str, Any]:
    """What the table says about one student."""
    result = student.result
    counts = dict.fromkeys(STATUS, 0)
    for exercise in result.exercises if result else ():
        counts[exercise.status] += 1
    if result is None:
        state = "missing" if student.problem == NOTHING_HANDED_IN else "problem"
    else:
        state = "late" if student.late_seconds else "graded"
    return {
        "student": student.student,
        "name": student.name,
        "file": student.file,
        "state": state,
        "problem": student.problem,
        "points": student.points,
        "max_points": result.max_points if result else None,
        "percent": student.percent,
        "passed": counts["passed"],
        "wrong": sum(counts[status] for status in WRONG),
        "not_attempted": counts["not_attempted"],
        "not_assessed": result.not_assessed_points if result else None,
        "late_hours": student.late_seconds / 3600,
        "penalty": 100 * student.penalty,
        "seconds": sum(exercise.seconds for exercise in result.exercises) if result else None,
    }
