"""JUnit XML as pytest and CI servers know it (family xunit2)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from grader.reports.wording import number, plain
from grader.result import ExerciseResult, Result

# What XML 1.0 cannot hold, even escaped (https://www.w3.org/TR/xml/#charsets).
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(result: Result) -> str:
    """One test suite for each exercise, with its points as properties."""
    root = ET.Element("testsuites", name="grader")
    for exercise in result.exercises:
        _add_suite(root, exercise)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _add_suite(root: ET.Element, exercise: ExerciseResult) -> None:
    statuses = [test.status for test in exercise.tests]
    errors = sum(status in ("error", "timeout", "crashed") for status in statuses)
    skipped = sum(status in ("not_attempted", "not_assessed") for status in statuses)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=_text(exercise.id),
        tests=str(len(statuses)),
        failures=str(statuses.count("failed")),
        errors=str(errors),
        skipped=str(skipped),
        time=f"{exercise.seconds:.3f}",
    )
    properties = ET.SubElement(suite, "properties")
    for name in ("points", "max_points", "not_assessed_points"):
        ET.SubElement(properties, "property", name=name, value=number(getattr(exercise, name)))
    for test in exercise.tests:
        case = ET.SubElement(suite, "testcase", classname=_text(exercise.id), name=_text(test.name), time="0.000")
        message = _text(test.message or "")
        if test.status == "failed":
            ET.SubElement(case, "failure", message=message)
        elif test.status in ("not_attempted", "not_assessed"):
            ET.SubElement(case, "skipped", type=test.status, message=message)
        elif test.status != "passed":
            ET.SubElement(case, "error", type=test.status, message=message)


def _text(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", plain(text))
