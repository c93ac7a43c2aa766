"""HTML: one page that needs nothing else, for a browser, a phone or a printer; no script, no network."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grader.course import Course, Exercise
from grader.reports.heatmap import compared, palette
from grader.reports.wording import PUBLIC_ONLY, STATUS, number, plain, sentence
from grader.result import ExerciseResult, Result

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
SIGNS = dict.fromkeys(STATUS, "✗") | {"passed": "✓", "not_attempted": "○", "not_assessed": "-"}
ISOLATION = {
    "sandbox": "the code ran in a sandbox, without network, home, tests or solutions.",
    "process": "the code ran in a separate process with limits, not in a sandbox.",
    "none": "the code ran in the grader's own process.",
}
MOST_OPEN = 6
MOST_OUTPUT_LINES = 30
MOST_CHARACTERS = 4000


def to_html(result: Result, course: Course, hints_taken: Mapping[str, int] | None = None) -> str:
    """The result as a page of HTML.

    Args:
        hints_taken: how many hints the learner has seen, by exercise id; None where that is not known.
    """
    from markupsafe import Markup

    known = {exercise.id: exercise for exercise in course.exercises}
    entries = [exercise_view(e, known.get(e.id), hints_taken) for e in result.exercises]
    # Of many that went wrong only the first is spread out; what is wrong with each is to be read all the same.
    troubles = [entry for entry in entries if entry["troubled"]]
    for entry in troubles[: 1 if len(troubles) > MOST_OPEN else MOST_OPEN]:
        entry["open"] = True
    by_status = Counter(e["status"] for e in entries)
    style = stylesheet("style.css", "comparison.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    page = environment().get_template("result.html")
    return page.render(
        report=result,
        style=Markup(style),
        style_hash=f"sha256-{digest}",
        exercises=entries,
        counts=[(status, by_status[status]) for status in STATUS if by_status[status]],
        next=_next(entries),
        where=_where(result),
        troubles=troubles,
        topics=_topics(entries, course),
        not_assessed=_not_assessed(result, entries),
        remarks=result.remarks,
        public_only=PUBLIC_ONLY if result.checks == "public" else "",
        isolation=ISOLATION.get(result.isolation, ""),
    )


def stylesheet(*names: str) -> str:
    """Style sheets of this folder, and the colours of heat maps."""
    return "\n".join([*((TEMPLATES / name).read_text(encoding="utf-8") for name in names), palette()])


@functools.cache
def environment() -> Environment:
    """The templates of this folder, with everything escaped, and filters for a stranger's text."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(number=number, line=_line, words=_words)
    made.globals.update(words=STATUS, signs=SIGNS)
    return made


def _line(text: str) -> str:
    return plain(text)[:MOST_CHARACTERS]


def _words(text: str) -> Any:
    """A sentence, in which what stands between backticks is code; escaped."""
    from markupsafe import Markup, escape

    pieces = re.split(r"`([^`]+)`", sentence(text)[:MOST_CHARACTERS])
    marked = (Markup("<code>{}</code>").format(p) if place % 2 else escape(p) for place, p in enumerate(pieces))
    return Markup("").join(marked)


def exercise_view(
    result: ExerciseResult, exercise: Exercise | None, hints_taken: Mapping[str, int] | None = None
) -> dict[str, Any]:
    """What a page says about one exercise, for the templates."""
    decisive = result.decisive
    troubled = decisive is not None and result.status != "not_attempted"
    said = result.misconception or (decisive.message if decisive else None) or ""
    printed = [plain(line) for line in result.output[: 10 * MOST_CHARACTERS].splitlines() if line.strip()]
    if len(printed) > MOST_OUTPUT_LINES:
        left = len(printed) - MOST_OUTPUT_LINES
        printed = [*printed[:MOST_OUTPUT_LINES], f"... and {left} more line{'s' * (left != 1)}"]
    return {
        "id": result.id,
        "anchor": "e-" + re.sub(r"[^\w-]+", "-", result.id, flags=re.ASCII),
        "name": result.id.rsplit("/", 1)[-1],
        "topic": result.topic,
        "lesson_id": result.lesson_id,
        "title": result.title,
        "status": result.status,
        "troubled": troubled,
        "open": False,
        "said": said,
        "points": result.points,
        "max_points": result.max_points,
        "not_assessed_points": result.not_assessed_points,
        "tests": result.tests,
        "passed": sum(test.status == "passed" for test in result.tests),
        "judged": sum(test.status != "not_assessed" for test in result.tests),
        "line": decisive.line if decisive and troubled else None,
        "comparison": compared(decisive.comparison) if troubled and decisive and decisive.comparison else None,
        "output": [line[:MOST_CHARACTERS] for line in printed] if troubled else [],
        "level": exercise.level if exercise else None,
        "minutes": exercise.minutes if exercise else None,
        "hints": len(exercise.hints) if exercise else None,
        "taken": None if hints_taken is None else hints_taken.get(result.id, 0),
    }


def _next(entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What to turn to: what was begun and is not right yet, else the first that was not begun."""
    todo = [e for e in entries if e["status"] not in ("passed", "not_assessed")]
    return next((e for e in todo if e["troubled"]), todo[0] if todo else None)


def _where(result: Result) -> str:
    """What comes before a lesson's name in the path to edit; empty where the submission is one file, or elsewhere."""
    return "exercises/" if Path(result.submission).name == "exercises" else ""


def _topics(entries: list[dict[str, Any]], course: Course) -> list[dict[str, Any]]:
    titles = {lesson.id: lesson.title for lesson in course.lessons}
    topics = []
    for name, in_topic in groupby(entries, key=lambda e: e["topic"]):
        mine = list(in_topic)
        points, most = sum(e["points"] for e in mine), sum(e["max_points"] for e in mine)
        lessons = [
            {"title": titles.get(lesson_id, lesson_id), "exercises": list(in_lesson)}
            for lesson_id, in_lesson in groupby(mine, key=lambda e: e["lesson_id"])
        ]
        passed = sum(e["status"] == "passed" for e in mine)
        share = 100 * points / most if most else 0.0
        topics.append(
            {"name": name, "passed": passed, "count": len(mine), "points": points, "max_points": most}
            | {"percent": share, "lessons": lessons}
        )
    return topics


def _not_assessed(result: Result, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What could not be judged, by the reason why."""
    reasons: dict[str, list[dict[str, Any]]] = {}
    for exercise, entry in zip(result.exercises, entries, strict=True):
        for test in exercise.tests:
            if test.status == "not_assessed" and entry not in reasons.setdefault(test.message or "", []):
                reasons[test.message or ""].append(entry)
    return [
        {"reason": reason, "exercises": mine, "points": sum(e["not_assessed_points"] for e in mine)}
        for reason, mine in reasons.items()
    ]
