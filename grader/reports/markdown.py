"""Markdown, as for a job summary or an issue."""

from __future__ import annotations

import re

from grader.reports.details import details
from grader.reports.wording import PUBLIC_ONLY, STATUS, number, plain, sentence
from grader.result import Result


def to_markdown(result: Result) -> str:
    """A line with the score, a table of exercises, and a sentence for each that did not pass."""
    lines = [
        f"**{number(result.points)} of {number(result.max_points)} points** ({number(result.percent)} %), "
        f"submission {_escape(result.submission)}, isolation {result.isolation}, seed {result.seed}",
        *(["", PUBLIC_ONLY] if result.checks == "public" else []),
        "",
        "| Exercise | Outcome | Points |",
        "|---|---|---:|",
    ]
    for exercise in result.exercises:
        points = f"{number(exercise.points)} / {number(exercise.max_points)}"
        lines.append(f"| {_escape(exercise.id)} | {STATUS[exercise.status]} | {points} |")
    troubled = [e for e in result.exercises if e.decisive and e.status != "not_attempted"]
    if troubled:
        lines.append("")
    for exercise in troubled:
        test = exercise.decisive
        if test:
            said = " ".join(sentence(text) for text in (exercise.misconception, test.message) if text)
            lines.append(f"- **{_escape(exercise.id)}**, {_escape(test.name)}: {_escape(said)}")
            if test.comparison and (compared := details(test.comparison)):
                lines += ["", *(f"      {line}" for line in compared), ""]
    if result.not_assessed_points:
        reasons = {t.message for e in result.exercises for t in e.tests if t.status == "not_assessed" and t.message}
        points = number(result.not_assessed_points)
        lines += ["", f"Not assessed: {points} points ({_escape('; '.join(sorted(reasons)))})."]
    lines += [f"\n{_escape(remark)}" for remark in result.remarks]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text that stays text: no markup, links, mentions, HTML or table cells come of it."""
    escaped = re.sub(r"([\\`*_{}\[\]()#+!|~^$-])", r"\\\1", plain(text).replace("&", "&amp;").replace("<", "&lt;"))
    return escaped.replace(">", "&gt;").replace("@", "@\N{ZERO WIDTH SPACE}").replace("://", ":\N{ZERO WIDTH SPACE}//")
