"""Classroom 50: result.json, which takes whole numbers alone, and release-body.md beside it for the learner."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from grader.errors import GraderError
from grader.platforms.units import Units, in_units
from grader.reports import write_text
from grader.reports.markdown import to_markdown
from grader.reports.wording import plain
from grader.result import Result

PER_POINT = 10  # scores are tenths of a point
MOST_TESTS = 100
_FROM_ENVIRONMENT = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "assignment_type": "ASSIGNMENT_TYPE",
    "owner": "USERNAME",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}


def hand_over(result: Result, path: Path) -> None:
    """Write result.json to `path`, and release-body.md into the same folder.

    Raises:
        GraderError: this is no run of Classroom 50's, or a file cannot be written.
    """
    write_text(str(path), json.dumps(to_classroom50(result), indent=2) + "\n")
    write_text(str(path.with_name("release-body.md")), to_markdown(result))


def to_classroom50(result: Result) -> dict[str, Any]:
    """The result as `classroom50/result/v1`: one test for each exercise, or for each lesson if there are too many.

    Raises:
        GraderError: the environment does not say what was handed in.
    """
    missing = [name for name in _FROM_ENVIRONMENT.values() if name not in os.environ]
    if missing:
        raise GraderError(f"--classroom50 is for a run of Classroom 50: {', '.join(missing)} not set here")
    tests = _tests(in_units(result.exercises, PER_POINT))
    kept = {key: os.environ[name] for key, name in _FROM_ENVIRONMENT.items()}
    kept["assignment_type"] = "group" if kept["assignment_type"] == "group" else "individual"
    now = datetime.now(UTC)
    return {
        "schema": "classroom50/result/v1",
        **kept,
        "datetime": _stamp(_committed_at() or now),
        "graded_at": _stamp(now),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }


def _tests(units: list[Units]) -> list[dict[str, Any]]:
    groups = [(row.exercise.id, [row]) for row in units]
    if len(groups) > MOST_TESTS:
        groups = [(name, list(rows)) for name, rows in groupby(units, key=lambda row: row.exercise.lesson_id)]
    return [
        {
            "test-name": plain(name)[:200],
            "passed": all(row.exercise.status == "passed" for row in rows),
            "score": sum(row.got for row in rows),
            "max-score": sum(row.most for row in rows),
        }
        for name, rows in groups
    ]


def _committed_at() -> datetime | None:
    """When the commit in the workspace was made; None if git does not say."""
    folder = os.environ.get("GITHUB_WORKSPACE") or os.curdir
    try:
        run = subprocess.run(
            ["git", "-C", folder, "show", "--no-patch", "--format=%ct", "HEAD"],
            capture_output=True,
            text=True,
            timeout=20,
        )
        return datetime.fromtimestamp(int(run.stdout), UTC)
    except (OSError, ValueError, OverflowError, subprocess.SubprocessError):
        return None


def _stamp(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
