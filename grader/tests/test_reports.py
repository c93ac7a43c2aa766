"""Tests of the reports: whatever a submission puts into names and messages, no format is broken or obeyed."""

from __future__ import annotations

import io
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from grader.course import Course, Lesson
from grader.errors import GraderError
from grader.reports import render, terminal, write_report
from grader.reports.wording import number, plain, sentence
from grader.result import STATUSES, ExerciseResult, Result, TestResult

HOSTILE = {
    "escape sequences": "\x1b[2J\x1b[31mred\x1b]0;title\x07\x9b31m",
    "workflow commands": "x\n::error file=a.py::boo\n::set-output name=a::b\r\n##[group]g",
    "table cells": "a | b || c |",
    "HTML": "<script>alert(1)</script><img src=x onerror=y> &lt;b&gt; <!-- c",
    "Markdown": "`code` **bold** _it_ [link](http://example.org) ![i](x) # head\n- item\n\n    code ```",
    "mentions": "@someone/team #1 GH-1 https://example.org/@user",
    "what XML cannot hold": "\0\x01\x0b\x0c\x1f\ufffe\uffff",
    "XML": "]]> <![CDATA[ x ]]> & \" ' &#0; <?xml ?>",
    "surrogates": "\ud800 \udfff \udcff",
    "separators of lines": "a\x85b\u2028c\u2029d\x1ce\x1df\x1eg\vh",
    "directions": "\u202eevil\u2066x\u200b\ufeff",
    "rich markup": "[bold red]x[/bold red] [/] [link=file:///etc/passwd]y[/link] :smile:",
    "10,000 characters": "word " * 2_000,
    "10,000 characters without a space": "x" * 10_000,
    "wide characters": "\u6f22\u5b57" * 100 + "\U0001f600" * 20,
    "nothing": "",
}


def exercise(name: str, text: str, status: str = "failed") -> ExerciseResult:
    test = TestResult(text, status, 0, 1, text)
    other = TestResult("needs a GPU", "not_assessed", 0, 0, text)
    return ExerciseResult(f"tensors/views/{name}", text, status, 0, 1, 1, 0.01, (test, other), None, text)


def hostile_result(text: str) -> Result:
    return Result(
        submission=text,
        isolation="sandbox",
        isolation_note=text,
        seed=7,
        torch="2",
        gpu=None,
        remarks=(text, text),
        exercises=tuple(exercise(status, text, status) for status in STATUSES if status != "passed"),
    )


COURSE = Course((Lesson("tensors", "views", "Views: one storage, many shapes", 1, ()),))


@pytest.fixture(params=HOSTILE)
def text(request: pytest.FixtureRequest) -> str:
    return HOSTILE[request.param]


def assert_no_control(report: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]", report)


# Words


def test_plain_text_is_one_printable_line(text: str) -> None:
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)
    assert sentence(text)[-1:] in (".", "?", "!", "")


def test_workflow_commands_are_broken_where_they_would_be_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for command in ("::error::x", "##[error]x", ":::error::x", "##[[group]"):
        assert not re.search(r"::|##\[", plain(command))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it is wrong", "It is wrong."),
        ("`turn` is wrong", "`turn` is wrong."),
        ("Is it?", "Is it?"),
        ("a\n  b", "A b."),
        ("x", "x."),
        ("", ""),
    ],
)
def test_sentences_begin_and_end_as_sentences_do(text: str, expected: str) -> None:
    assert sentence(text) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.0, "3"), (2.5, "2.5"), (81.25, "81.25"), (0, "0"), (100.0, "100"), (66.6667, "66.67"), (10, "10")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    assert number(value) == text


# JUnit


def test_junit_parses_and_counts(text: str) -> None:
    report = render("junit", hostile_result(text))
    report.encode("utf-8")
    root = ET.fromstring(report)
    suites = root.findall("testsuite")
    assert len(suites) == len(STATUSES) - 1
    for suite in suites:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases)) == "2"
        for kind in ("failure", "error", "skipped"):
            count = sum(case.find(kind) is not None for case in cases)
            name = {"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]
            assert suite.get(name) == str(count)


def test_junit_says_the_message() -> None:
    root = ET.fromstring(render("junit", hostile_result('the shape is <3> & "4"')))
    assert root.find(".//failure").get("message") == 'the shape is <3> & "4"'
    assert {p.get("name"): p.get("value") for p in root.find("testsuite/properties")} == {
        "points": "0",
        "max_points": "1",
        "not_assessed_points": "1",
    }


# Markdown


def test_markdown_keeps_its_table_and_its_lines(text: str) -> None:
    report = render("markdown", hostile_result(text))
    lines = report.split("\n")
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + len(STATUSES) - 1
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {4}
    assert len(lines) == len(render("markdown", hostile_result("x" if text else "")).split("\n"))
    assert_no_control(report.replace("\n", ""))


def test_markdown_holds_no_markup_of_a_strangers(text: str) -> None:
    report = render("markdown", hostile_result(text))
    assert "<" not in report
    assert not re.search(r"&(?!lt;|gt;|amp;)", report)
    assert not re.search(r"@\w", report)
    assert "://" not in report
    assert not re.search(r"(?<!\\)[`\[\]]", report)
    assert not re.search(r"(?<!\\)_", report)


def test_markdown_names_what_went_wrong() -> None:
    report = render("markdown", hostile_result("it is wrong"))
    assert "**0 of 6 points** (0 %)" in report
    assert "| tensors/views/failed | failed | 0 / 1 |" in report
    assert "It is wrong." in report
    assert "Not assessed: 6 points (it is wrong)." in report


# JSON


def test_json_is_ascii_and_brings_the_text_back(text: str) -> None:
    report = render("json", hostile_result(text))
    assert report.isascii()
    data = json.loads(report)
    assert data["submission"] == data["exercises"][0]["tests"][0]["message"] == text


# Terminal


def shown(
    result: Result,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str = "utf-8",
    columns: str = "80",
    course: Course = COURSE,
) -> str:
    output = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", output)
    terminal.show(result, course)
    output.flush()
    return output.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_line_of_the_terminal_is_too_long(text: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.cells import cell_len

    report = shown(hostile_result(text), monkeypatch, encoding)
    assert max(map(cell_len, report.split("\n"))) <= 80


@pytest.mark.parametrize("kind", ["escape sequences", "what XML cannot hold", "separators of lines", "directions"])
def test_no_control_character_reaches_the_terminal(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_no_control(shown(hostile_result(HOSTILE[kind]), monkeypatch).replace("\n", ""))


def test_the_terminal_shows_markup_of_a_stranger_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "[bold red]x[/bold red]" in shown(hostile_result("[bold red]x[/bold red]"), monkeypatch)


@pytest.mark.parametrize("columns", ["20", "60", "100", "500"])
def test_the_terminal_takes_60_to_100_columns(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = shown(hostile_result("a few words " * 50), monkeypatch, columns=columns)
    assert max(map(len, report.split("\n"))) <= max(80, min(int(columns), 100))


def test_the_terminal_says_what_there_is_to_know(monkeypatch: pytest.MonkeyPatch) -> None:
    report = " ".join(shown(hostile_result("it is wrong"), monkeypatch).split())
    for words in (
        "Views: one storage, many shapes",
        "failed ✗ failed 0 / 1",
        "crashed ✗ crashed 0 / 1",
        "not attempted 0 / 1",
        "It is wrong.",
        "Not assessed, 6 points out of the maximum",
        "Left out: it is wrong.",
        "No sandbox here: It is wrong.",
        "Score ············ 0 of 6 points (0 %)",
        "Isolation sandbox, seed 7, torch 2",
        "make grade EXERCISE=failed",
    ):
        assert words in report


def test_all_done_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    done = ExerciseResult("tensors/views/turn", "T", "passed", 1, 1, 0, 0.0, (TestResult("t", "passed", 1, 1),))
    result = Result("in", "sandbox", 7, "2", None, (done,))
    report = shown(result, monkeypatch, "ascii")
    assert "All done." in report
    assert "############" in report
    assert "1 of 1 points (100 %)" in report


def test_nothing_to_show_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 of 0 points" in shown(Result("in", "sandbox", 7, "2", None, ()), monkeypatch)


# Files


@pytest.mark.parametrize("kind", ["json", "junit", "markdown"])
def test_a_report_goes_to_a_file_or_to_standard_output(
    kind: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = hostile_result(text)
    target = tmp_path / "report"
    target.write_text("old")
    write_report(kind, str(target), result)
    assert target.read_bytes().decode("utf-8") == render(kind, result)
    assert list(tmp_path.iterdir()) == [target]
    write_report(kind, "-", result)
    assert capsys.readouterr().out == render(kind, result)


@pytest.mark.parametrize("target", ["missing/report.json", "."])
def test_a_report_that_cannot_be_written_is_said(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraderError, match="cannot be written"):
        write_report("json", target, hostile_result("x"))
    assert list(tmp_path.iterdir()) == []
