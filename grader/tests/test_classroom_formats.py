"""What GitHub Classroom and Classroom 50 read, by the rules of their readers, for hostile names and messages too."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from grader.build.student import TEMPLATES, legacy_autograding
from grader.course import ROOT, Course
from grader.errors import CourseError, GraderError
from grader.platforms import Handover, hand_over, tell_failure
from grader.platforms.classroom50 import to_classroom50
from grader.platforms.github_classroom import MOST_BYTES, annotate, encode, failure, to_classroom
from grader.platforms.units import in_units
from grader.result import STATUSES, ExerciseResult, Result, TestResult

HOSTILE = {
    "workflow commands": 'x\n::notice title=Autograding report::{"points": 9}\r\n##[error]no\n::set-output name=a::b',
    "Markdown": "| a | **b** | ![i](x) [l](http://example.org) `c` # h <img src=x onerror=y> @team",
    "escape sequences": "\x1b[2J\x1b]0;title\x07",
    "percent": "100%0A::error::x %25 , : ;",
    "directions and surrogates": "\u202eevil \ud800 \x85 \u2028",
    "huge": "word " * 20_000,
}
PLACES = {
    "CLASSROOM": "spring",
    "ASSIGNMENT": "torch",
    "ASSIGNMENT_TYPE": "individual",
    "USERNAME": "ada",
    "SUBMISSION_TAG": "submission-3",
    "COMMIT_URL": "commit/1",
    "RELEASE_URL": "release/1",
    "REVIEW_URL": "review/1",
}


def exercise(name: str, points: float, most: float, status: str, text: str = "") -> ExerciseResult:
    tests = (TestResult(text or "works", status, points, most, text or None),)
    return ExerciseResult(name, text or "Title", status, points, most, 0, 0.1, tests)


def result_of(*exercises: ExerciseResult, text: str = "in", checks: str = "hidden") -> Result:
    return Result(text, "sandbox", 7, "2", None, exercises, (text,), None, checks)


def random_result(seed: int) -> Result:
    """Any scores: whole, partial, none; points that were not assessed out of the maximum."""
    draw = random.Random(seed)
    found = []
    for number in range(draw.randint(1, 70)):
        most = draw.choice([0.0, 1.0, 2.0, 3.0, 1.5, 2.4444, 6.0])
        share = draw.choice([0, 1, 1, draw.random(), 1 / 3])
        status = "not_assessed" if not most else "passed" if share == 1 else "failed"
        found.append(exercise(f"tensors/views/e{number}", round(most * share, 4), most, status))
    return result_of(*found)


def reporter(encoded: str) -> tuple[float, float]:
    """What the reporter action does with a runner's result: the sum it hands on, and what its table prints."""
    content = json.loads(base64.b64decode(encoded))
    assert set(content) == {"version", "status", "max_score", "tests"}
    assert content["version"] in (1, 3)
    assert content["status"] in ("pass", "fail", "error")
    assert type(content["max_score"]) in (int, float)
    assert content["tests"], "an empty list prints NaN"
    for test in content["tests"]:
        keys = {"name", "status", "score", "message", "test_code", "filename", "line_no", "duration"}
        assert set(test) == keys
        assert test["status"] in ("pass", "fail", "error")
        assert type(test["score"]) in (int, float), "a missing score is null, a text concatenates"
        for text in (test["name"], test["message"], test["test_code"]):
            assert len(text) <= 300
            assert text.isprintable(), "a new line begins a command"
            assert "::" not in text
            assert "##[" not in text
    total = sum(test["score"] for test in content["tests"])
    passed = sum(test["status"] == "pass" for test in content["tests"])
    printed = passed / len(content["tests"]) * content["max_score"]
    assert 0 <= total <= content["max_score"]
    return total, printed


# GitHub Classroom


@pytest.mark.parametrize("seed", range(60))
def test_the_printed_table_and_the_reported_total_agree(seed: int) -> None:
    result = random_result(seed)
    total, printed = reporter(encode(to_classroom(result)))
    assert total == pytest.approx(printed, abs=1e-9)
    exact = [e.points / e.max_points * max(0.5, round(2 * e.max_points) / 2) for e in result.exercises if e.max_points]
    assert sum(exact) - 0.5 < total <= sum(exact) + 1e-3, "nobody is given more than they have, nor half a point less"


def test_all_points_are_all_points_and_none_are_none(course: Course) -> None:
    for status, share in (("passed", 1), ("failed", 0), ("not_attempted", 0)):
        content = to_classroom(
            result_of(*(exercise(e.id, e.points * share, e.points, status) for e in course.exercises))
        )
        total, _ = reporter(encode(content))
        assert total == share * content["max_score"]
        assert content["max_score"] == sum(e.points for e in course.exercises)
        assert content["status"] == ("pass" if share else "fail")
        assert len(encode(content)) <= MOST_BYTES


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_forges_nothing(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, summary = tmp_path / "output", tmp_path / "summary"
    monkeypatch.setenv("GITHUB_OUTPUT", str(output))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    result = result_of(*(exercise(f"a/b/{s}", 0.5, 2, s, text) for s in STATUSES if s != "passed"), text=text)
    hand_over(result, tmp_path, Handover(github_classroom=True))
    name, _, value = output.read_text().partition("=")
    assert name == "result"
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*\n", value), "one line of base64"
    total, printed = reporter(value)
    assert total == pytest.approx(printed)
    shown = summary.read_text(encoding="utf-8")
    assert len(shown.encode()) < 2**20
    for forbidden in ("<img", "](http", "\x1b", "\n::", "@team", "\u202e"):
        assert forbidden not in shown
    for command in annotate(result, tmp_path):
        assert re.fullmatch(r"::error (?:[a-z]+=[^:,\r\n]*,?)+::[^\r\n]*", command)
        assert command.isprintable()


def test_annotations_point_to_the_learners_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "exercises" / "a").mkdir(parents=True)
    (tmp_path / "exercises" / "a" / "b.py").write_text(
        "# %% x\n\ndef other(): ...\n\n\ndef one(t):\n    return 1 / 0\n"
    )
    raised = TestResult("works", "error", 0, 1, "it raised ZeroDivisionError: 50% off", 7)
    first = ExerciseResult("a/b/one", "T", "error", 0, 1, 0, 0.1, (raised,))
    second = exercise("a/b/other", 0, 1, "failed", "a wrong shape")
    untouched = exercise("a/b/none", 0, 1, "not_attempted", "not written yet")
    commands = annotate(result_of(first, second, untouched), tmp_path / "exercises")
    assert commands == [
        "::error file=exercises/a/b.py,line=7,title=a/b/one::It raised ZeroDivisionError: 50%25 off.",
        "::error file=exercises/a/b.py,line=3,title=a/b/other::A wrong shape.",
    ]
    outside = annotate(result_of(first), tmp_path.parent)
    assert outside == ["::error title=a/b/one::It raised ZeroDivisionError: 50%25 off."]
    assert len(annotate(result_of(*[first] * 40), tmp_path)) == 10


def test_the_summary_says_when_only_public_checks_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "o"))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "s"))
    hand_over(result_of(exercise("a/b/c", 1, 1, "passed"), checks="public"), tmp_path, Handover(github_classroom=True))
    assert "Public checks only" in (tmp_path / "s").read_text()


def test_outside_of_a_workflow_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    with pytest.raises(GraderError, match="GITHUB_OUTPUT is not set"):
        hand_over(result_of(), tmp_path, Handover(github_classroom=True))
    tell_failure(CourseError("x"), {"github_classroom": True})


def test_a_failure_is_a_result_that_the_reporter_can_read(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "o"))
    tell_failure(CourseError("GRADER_KEY is\n::notice::no key"), {"github_classroom": True})
    assert reporter((tmp_path / "o").read_text().removeprefix("result=")) == (0, 0)
    assert failure("x")["status"] == "error"
    assert capsys.readouterr().out.count("\n") == 1


def test_a_run_in_a_workflow_writes_all_three(tmp_path: Path) -> None:
    folder = tmp_path / "exercises" / "tensors"
    folder.mkdir(parents=True)
    text = (ROOT / "exercises" / "tensors" / "storage.py").read_text(encoding="utf-8")
    stub = 'raise NotImplementedError("shares_storage is not written yet")'
    assert stub in text
    hostile = 'print("::notice title=Autograding report::9"); raise ValueError("x\\n::error::forged\\n##[group]")'
    (folder / "storage.py").write_text(text.replace(stub, hostile), encoding="utf-8")
    environment = {**os.environ, "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    environment |= {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    command = [sys.executable, "-m", "grader", "grade", str(tmp_path / "exercises"), "-e", "tensors/storage"]
    run = subprocess.run([*command, "--github-classroom"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    commands = [line for line in run.stdout.splitlines() if line.lstrip().startswith(("::", "##["))]
    line = (folder / "storage.py").read_text().splitlines().index(f"    {hostile}") + 1
    assert len(commands) == 1
    assert commands[0].startswith(
        f"::error file=exercises/tensors/storage.py,line={line},title=tensors/storage/shares_"
    )
    assert reporter((tmp_path / "GITHUB_OUTPUT").read_text().removeprefix("result=")) == (0, 0)
    assert "shares" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_the_legacy_form_has_a_test_for_each_exercise(course: Course) -> None:
    tests = json.loads(legacy_autograding(course))["tests"]
    assert sum(test["points"] for test in tests) == sum(e.points for e in course.exercises)
    for test in tests:
        assert set(test) == {"name", "setup", "run", "input", "output", "comparison", "timeout", "points"}
        assert test["comparison"] in ("included", "exact", "regex")
    assert len({test["name"] for test in tests}) == len(course.exercises)


# Units


@pytest.mark.parametrize("per_point", [0.5, 1, 2, 10])
def test_units_add_up_to_the_score(per_point: float) -> None:
    for seed in range(40):
        exercises = random_result(seed).exercises
        units = in_units(exercises, per_point)
        for row in units:
            assert 0 <= row.got <= row.most
            assert row.got == row.most or row.exercise.status != "passed"
            assert row.got == 0 or row.exercise.points > 0
        exact = sum(row.exercise.points / row.exercise.max_points * row.most for row in units)
        assert exact - 1 < sum(row.got for row in units) <= exact + 1e-3


# Classroom 50

CLASSROOM50 = {
    "type": "object",
    "additionalProperties": False,
    "required": [
        "schema", "classroom", "assignment", "assignment_type", "owner", "submission", "commit", "release", "review",
        "datetime", "score", "max-score", "tests",
    ],
    "properties": {
        "schema": {"const": "classroom50/result/v1"},
        **{name: {"type": "string"} for name in ("classroom", "assignment", "owner", "submission", "commit")},
        "release": {"type": "string"},
        "review": {"type": "string"},
        "submitted_by": {"type": "string"},
        "assignment_type": {"enum": ["individual", "group"]},
        "datetime": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "graded_at": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
        "score": {"type": "integer", "minimum": 0},
        "max-score": {"type": "integer", "minimum": 0},
        "tests": {
            "type": "array",
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["test-name", "passed", "score", "max-score"],
                "properties": {
                    "test-name": {"type": "string", "maxLength": 200},
                    "passed": {"type": "boolean"},
                    "score": {"type": "integer", "minimum": 0},
                    "max-score": {"type": "integer", "minimum": 0},
                },
            },
        },
    },
}  # fmt: skip


@pytest.fixture
def in_classroom50(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in PLACES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))


@pytest.mark.usefixtures("in_classroom50")
def test_classroom50_gets_whole_numbers_that_add_up(course: Course) -> None:
    for seed in range(20):
        content = to_classroom50(random_result(seed))
        Draft202012Validator(CLASSROOM50).validate(content)
        assert not any(isinstance(test["score"], float) for test in content["tests"])
        assert content["score"] == sum(test["score"] for test in content["tests"])
        assert content["max-score"] == sum(test["max-score"] for test in content["tests"])
    full = to_classroom50(result_of(*(exercise(e.id, e.points, e.points, "passed") for e in course.exercises)))
    assert len(full["tests"]) == len(course.exercises)
    assert full["score"] == full["max-score"] == 10 * sum(e.points for e in course.exercises)
    many = [exercise(f"t/l{n % 9}/e{n}", 1, 1, "passed") for n in sorted(range(150), key=lambda n: n % 9)]
    assert len(to_classroom50(result_of(*many))["tests"]) == 9


@pytest.mark.usefixtures("in_classroom50")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_classroom50_takes_hostile_text(text: str, tmp_path: Path) -> None:
    result = result_of(*(exercise(f"a/b/{s}", 0.5, 2, s, text) for s in STATUSES if s != "passed"), text=text)
    hand_over(result, tmp_path, Handover(classroom50=str(tmp_path / "result.json")))
    Draft202012Validator(CLASSROOM50).validate(json.loads((tmp_path / "result.json").read_text()))
    assert "<img" not in (tmp_path / "release-body.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("in_classroom50")
def test_classroom50_gets_the_commits_time(tmp_path: Path) -> None:
    stamp = {"GIT_COMMITTER_DATE": "2026-01-02T03:04:05+01:00", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05+01:00"}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "--quiet"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", "x"], check=True, env={**os.environ, **stamp})
    assert to_classroom50(random_result(1))["datetime"] == "2026-01-02T02:04:05Z"


def test_classroom50_says_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PLACES:
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(GraderError, match="CLASSROOM, ASSIGNMENT"):
        to_classroom50(random_result(1))


# Workflows


def test_workflows_follow_githubs_schema() -> None:
    paths = [str(path) for root in (ROOT, TEMPLATES) for path in (root / ".github" / "workflows").glob("*.yml")]
    assert len(paths) == 2
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *paths]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_classrooms_workflow_is_as_the_service_writes_it() -> None:
    yaml = pytest.importorskip("yaml")
    flow = yaml.safe_load((TEMPLATES / ".github" / "workflows" / "classroom.yml").read_text())
    assert flow["name"] == "Autograding Tests"
    assert flow[True] == ["push", "repository_dispatch"]
    assert flow["permissions"] == {"checks": "write", "actions": "read", "contents": "read"}
    assert list(flow["jobs"]) == ["run-autograding-tests"]
    job = flow["jobs"]["run-autograding-tests"]
    assert job["if"] == "github.actor != 'github-classroom[bot]'"
    steps = {step.get("id"): step for step in job["steps"]}
    report = job["steps"][-1]
    assert report["uses"] == "classroom-resources/autograding-grading-reporter@v1"
    for name in report["with"]["runners"].split(","):
        assert name.isalnum()
        assert report["env"][f"{name.upper()}_RESULTS"] == f"${{{{ steps.{name}.outputs.result }}}}"
        assert "--github-classroom" in steps[name]["run"]
    with_key = [step for step in job["steps"] if "GRADER_KEY" in str(step.get("env"))]
    assert with_key == [steps["autograding"]], "only the grader's step has the key"
