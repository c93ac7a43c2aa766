"""GitHub Classroom: the step output that its reporter reads, a job summary, annotations at the learner's lines.

The reporter hands on the sum of the tests' scores, and prints (passed tests / all tests) x max_score. Both agree here:
there is one test for each half point, and all have the same score.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

from grader.errors import CourseError, GraderError
from grader.platforms.units import Units, in_units
from grader.reports import render
from grader.reports.wording import plain, sentence
from grader.result import ExerciseResult, Result
from grader.submission import MAX_FILE_BYTES, read_bytes

PER_POINT = (2.0, 1.0, 0.5)  # tests for each point; as fine as fits
MOST_BYTES = 100_000  # an environment variable, which the reporter is given this in, ends at 131,072
MOST_ANNOTATIONS = 10  # GitHub shows no more of one step
SUMMARY_BYTES = 900_000  # of the 1 MiB that a step may write
MESSAGE_CHARACTERS = 300


def hand_over(result: Result, submission: Path) -> None:
    """Write the step output and the job summary, and print annotations.

    Raises:
        GraderError: this is no step of a workflow, or its files cannot be written.
    """
    _write_output(to_classroom(result))
    _append("GITHUB_STEP_SUMMARY", "## Exercises\n\n" + _cut(render("markdown", result)))
    for command in annotate(result, submission):
        sys.stdout.write(command + "\n")


def tell_failure(error: GraderError) -> None:
    """Report that grading was not possible: no points, and why. Nothing is written outside of a workflow."""
    if os.environ.get("GITHUB_OUTPUT"):
        _write_output(failure(str(error)))
        sys.stdout.write(f"::error title=Not graded::{_in_message(plain(str(error)))}\n")


def to_classroom(result: Result) -> dict[str, Any]:
    """The object that the reporter reads."""
    for per_point in PER_POINT:
        units = in_units(result.exercises, per_point)
        tests = [test for row in units for test in _tests(row, 1 / per_point)]
        content = _content(tests, sum(row.most for row in units) / per_point)
        if len(encode(content)) <= MOST_BYTES:
            break
    return content


def failure(why: str) -> dict[str, Any]:
    """The object for a submission that could not be graded."""
    from grader.course import read_catalogue
    from grader.hidden import CATALOGUE, ROOT

    try:
        points = sum(exercise.points for exercise in read_catalogue(ROOT / CATALOGUE).exercises)
    except CourseError:
        points = 1.0
    return _content([_test("grading", "error", 0.0, why)], points) | {"status": "error"}


def encode(content: dict[str, Any]) -> str:
    """The object as the step output holds it: no character of it means anything to anyone."""
    return base64.b64encode(json.dumps(content, separators=(",", ":")).encode()).decode()


def _content(tests: list[dict[str, Any]], max_score: float) -> dict[str, Any]:
    tests = tests or [_test("nothing could be assessed", "error", 0.0, "")]
    status = "pass" if all(test["status"] == "pass" for test in tests) else "fail"
    return {"version": 1, "status": status, "max_score": max_score, "tests": tests}


def _tests(row: Units, score: float) -> list[dict[str, Any]]:
    said = row.exercise.misconception or (row.exercise.decisive.message if row.exercise.decisive else "") or ""
    tests = []
    for number in range(row.most):
        name = row.exercise.id if row.most == 1 else f"{row.exercise.id} ({number + 1} of {row.most})"
        if number < row.got:
            tests.append(_test(name, "pass", score, ""))
        else:
            tests.append(_test(name, "fail", 0.0, sentence(said) if number == row.got else ""))
    return tests


def _test(name: str, status: str, score: float, message: str) -> dict[str, Any]:
    return {
        "name": _harmless(name),
        "status": status,
        "score": score,
        "message": _harmless(message),
        "test_code": "",
        "filename": "",
        "line_no": 0,
        "duration": 0,
    }


def _harmless(text: str) -> str:
    """Text that the reporter can print: one line, and nothing in it that GitHub's runner would obey."""
    line = re.sub(":(?=:)", ": ", plain(text)).replace("##[", "## [")
    return line if len(line) <= MESSAGE_CHARACTERS else line[: MESSAGE_CHARACTERS - 3] + "..."


def annotate(result: Result, submission: Path) -> list[str]:
    """A workflow command for each exercise that was tried and does not pass, up to as many as GitHub shows."""
    commands = []
    for exercise in result.exercises:
        test = exercise.decisive
        if test is None or exercise.status in ("not_attempted", "not_assessed"):
            continue
        said = sentence(exercise.misconception or test.message or "")[:1000]
        place = [f"{name}={_in_property(value)}" for name, value in _place(exercise, test.line, submission)]
        options = ",".join([*place, f"title={_in_property(plain(exercise.id))}"])
        commands.append(f"::error {options}::{_in_message(said)}")
    return commands[:MOST_ANNOTATIONS]


def _place(exercise: ExerciseResult, line: int | None, submission: Path) -> list[tuple[str, str]]:
    """The learner's file, as GitHub calls it, and the line to look at; nothing if it lies elsewhere."""
    lesson = exercise.lesson_id
    candidates = [submission] if submission.suffix else []
    candidates += [
        base / f"{lesson}{end}" for base in (submission, submission / "exercises") for end in (".py", ".ipynb")
    ]
    path = next((path for path in candidates if path.is_file()), None)
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()
    if path is None or not path.resolve().is_relative_to(workspace):
        return []
    name = path.resolve().relative_to(workspace).as_posix()
    if path.suffix != ".py":
        return [("file", name)]
    return [("file", name), ("line", str(line or _defined_at(path, exercise.id.rsplit("/", 1)[1])))]


def _defined_at(path: Path, name: str) -> int:
    """The line in which a file defines `name`; 1 if it does not."""
    try:
        text = read_bytes(path, MAX_FILE_BYTES).decode("utf-8", "replace")
    except (OSError, ValueError):
        return 1
    found = re.search(rf"^(?:def|class)\s+{re.escape(name)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _in_message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _in_property(text: str) -> str:
    return _in_message(text).replace(":", "%3A").replace(",", "%2C")


def _write_output(content: dict[str, Any]) -> None:
    if not os.environ.get("GITHUB_OUTPUT"):
        raise GraderError("--github-classroom is for a step of a GitHub workflow: GITHUB_OUTPUT is not set here")
    _append("GITHUB_OUTPUT", f"result={encode(content)}\n")


def _append(variable: str, text: str) -> None:
    """Add to the file that an environment variable names; GitHub reads it when the step is over."""
    name = os.environ.get(variable)
    if name:
        try:
            with open(name, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise GraderError(f"{variable} names {name}, which cannot be written: {error.strerror}") from None


def _cut(text: str) -> str:
    lines: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        size += len(line.encode("utf-8", "replace"))
        if size > SUMMARY_BYTES:
            return "".join(lines) + "\nThe rest is too long for a summary.\n"
        lines.append(line)
    return text
