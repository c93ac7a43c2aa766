"""Gradescope: results.json by its rules, and the zip, unpacked and run as Gradescope would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from grader.build.gradescope import write_bundle
from grader.course import ROOT, Course
from grader.errors import GraderError, UnreadableSubmission
from grader.platforms import Handover, hand_over, tell_failure
from grader.platforms.gradescope import VISIBILITIES, to_gradescope
from grader.result import STATUSES, ExerciseResult, Result, TestResult

VISIBILITY = {"enum": ["hidden", "after_due_date", "after_published", "visible"]}
FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
RESULTS = {
    "type": "object",
    "additionalProperties": False,
    "anyOf": [{"required": ["score"]}, {"required": ["tests"], "properties": {"tests": {"minItems": 1}}}],
    "properties": {
        "score": {"type": "number"},
        "execution_time": {"type": "number"},
        "output": {"type": "string"},
        "output_format": FORMAT,
        "test_output_format": FORMAT,
        "test_name_format": FORMAT,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "leaderboard": {"type": "array"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "score": {"type": "number"},
                    "max_score": {"type": "number"},
                    "status": {"enum": ["passed", "failed"]},
                    "name": {"type": "string"},
                    "name_format": FORMAT,
                    "number": {"type": "string"},
                    "output": {"type": "string"},
                    "output_format": FORMAT,
                    "tags": {"type": "array", "items": {"type": "string"}},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}
VALIDATOR = Draft202012Validator(RESULTS)
HOSTILE = "x\n<script>alert(1)</script> **b** ![i](http://example.org/x) \x1b[2J \u202e \ud800 " + "word " * 5000


def result_of(text: str = "wrong") -> Result:
    exercises = []
    for number, status in enumerate(STATUSES):
        points, most = (2.0, 2.0) if status == "passed" else (0.5, 2.0) if status == "failed" else (0.0, 1.5)
        most, left = (0.0, 1.5) if status == "not_assessed" else (most, 0.0)
        tests = (TestResult(text, status, points, most, text),)
        exercises.append(ExerciseResult(f"t/l/e{number}", text, status, points, most, left, 0.5, tests, None, text))
    return Result(text, "process", 7, "2", None, tuple(exercises), (text,), "no namespaces")


@pytest.mark.parametrize("text", ["wrong", HOSTILE, ""])
@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_results_follow_the_rules(visibility: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    hand_over(result_of(text), tmp_path, Handover(gradescope=str(path), visibility=visibility))
    content = json.loads(path.read_text(encoding="utf-8"))
    VALIDATOR.validate(content)
    assert {test["visibility"] for test in content["tests"]} == {visibility} == {content["visibility"]}
    assert sum(test["score"] for test in content["tests"]) == result_of().points
    assert sum(test["max_score"] for test in content["tests"]) == result_of().max_points
    assert content["stdout_visibility"] == "hidden"
    for test in content["tests"]:
        assert len(test["output"]) <= 4000
        assert test["output_format"] == "text"
        assert all(line.isprintable() for line in test["output"].split("\n"))
    for forbidden in ("<script", "](http", "\x1b", "\u202e"):
        assert forbidden not in content["output"]


def test_what_was_not_assessed_is_neither_passed_nor_failed() -> None:
    test = to_gradescope(result_of())["tests"][STATUSES.index("not_assessed")]
    assert "status" not in test
    assert test["max_score"] == 0
    assert "1.5 points could not be assessed" in test["output"]


def test_a_submission_that_cannot_be_read_gets_a_word_and_no_points(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    tell_failure(GraderError("no isolation"), {"gradescope": str(path)})
    assert not path.exists(), "that is the autograder's failure, and Gradescope says so"
    tell_failure(UnreadableSubmission("it holds no lesson"), {"gradescope": str(path)})
    content = json.loads(path.read_text())
    VALIDATOR.validate(content)
    assert content["score"] == 0
    assert content["output"] == "It holds no lesson."


def test_the_zip_runs_as_gradescope_runs_it(course: Course, tmp_path: Path) -> None:
    chosen = course.select(["tensors/storage"])
    bundle = tmp_path / "bundle.zip"
    written = write_bundle(course, ROOT, bundle, chosen, visibility="after_published")
    assert written.points == sum(exercise.points for exercise in chosen)
    assert bundle.stat().st_mode & 0o077 == 0, "others on the instructor's machine can read the hidden tests"
    home = tmp_path / "autograder"
    source = home / "source"
    with zipfile.ZipFile(bundle) as packed:
        names = set(packed.namelist())
        assert len(names) == written.files
        assert {"setup.sh", "run_autograder", "tests/pretrained/photos/camera.png"} <= names
        assert all(packed.getinfo(name).external_attr >> 16 & 0o111 for name in ("setup.sh", "run_autograder"))
        assert not [
            name for name in names if name.endswith(".pyc") or name.startswith(("grader/tests", "grader/bench"))
        ]
        packed.extractall(source)
    (home / "submission").mkdir()
    (home / "results").mkdir()
    # Handed in loose, as by hand.
    shutil.copy(ROOT / "solutions" / "tensors" / "storage.py", home / "submission" / "storage.py")
    (source / ".venv" / "bin").mkdir(parents=True)
    (source / ".venv" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (source / ".venv" / "bin" / "python").chmod(0o755)
    script = (source / "run_autograder").read_text().replace("/autograder/", f"{home}/")
    run = subprocess.run(["bash", "-c", script], env={**os.environ, "HOME": "/"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    content = json.loads((home / "results" / "results.json").read_text())
    VALIDATOR.validate(content)
    assert [test["status"] for test in content["tests"]] == ["passed"] * len(chosen)
    assert sum(test["score"] for test in content["tests"]) == written.points
    assert content["visibility"] == "after_published"
    (home / "submission" / "storage.py").unlink()
    again = subprocess.run(["bash", "-c", script], env={**os.environ, "HOME": "/"}, capture_output=True, text=True)
    assert again.returncode == 0
    assert json.loads((home / "results" / "results.json").read_text())["score"] == 0


def test_the_programs_are_shell_scripts_without_mistakes(course: Course, tmp_path: Path) -> None:
    write_bundle(course, ROOT, tmp_path / "b.zip", course.exercises)
    with zipfile.ZipFile(tmp_path / "b.zip") as packed:
        for name in ("setup.sh", "run_autograder"):
            text = packed.read(name).decode()
            assert "{" not in text.replace("${", ""), "everything is filled in"
            assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0
            assert text.startswith("#!/usr/bin/env bash\n")
        assert "-e " not in packed.read("run_autograder").decode(), "all exercises: no need to name them"


@pytest.mark.parametrize("name", ["bundle.tar", "folder.zip"])
def test_other_names_are_refused(course: Course, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(GraderError, match="choose one that ends in"):
        write_bundle(course, ROOT, tmp_path / name, course.exercises)
