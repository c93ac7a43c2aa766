"""Tests of the lessons' notebooks: how they are made, what never gets lost, and that they run in a real kernel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from grader.build.notebooks import FIRST_CELL, is_edited, lesson_notebook, write_notebooks
from grader.course import ROOT, Course, load_course
from grader.errors import CourseError
from grader.judge import judge
from grader.submission import read_submission
from grader.tests.test_html import Visit
from grader.workers import WorkerPool

if TYPE_CHECKING:
    from playwright.sync_api import Browser

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupytext")

CELL_SECONDS = 300


@pytest.fixture(scope="module")
def anywhere() -> Course:
    return load_course()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that looks like the course's, but whose .grader and notebooks are its own."""
    (tmp_path / "course").mkdir()
    for name in ("exercises", "solutions", "data", "grader"):
        if (ROOT / name).exists():
            (tmp_path / "course" / name).symlink_to(ROOT / name)
    return tmp_path / "course"


def cells(path: Path) -> list[Any]:
    return nbformat.read(path, 4).cells


# Made


def test_each_lesson_becomes_a_valid_notebook_without_outputs_and_solutions(root: Path, anywhere: Course) -> None:
    lines = write_notebooks(anywhere, root, root / "made")
    assert len(lines) == len(anywhere.lessons)
    for lesson in anywhere.lessons:
        path = root / "made" / f"{lesson.id}.ipynb"
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        assert notebook.cells[0].source == FIRST_CELL
        assert not any(cell.get("outputs") for cell in notebook.cells)
        assert all(cell.get("execution_count") is None for cell in notebook.cells)
        assert "### BEGIN SOLUTION" not in path.read_text()
        sources = [cell.source for cell in notebook.cells]
        for exercise in lesson.exercises:
            place = sources.index(f"check({exercise.name})")
            assert f" {exercise.name}(" in sources[place - 1]
        for cell in notebook.cells:
            pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", cell.source) if cell.cell_type == "markdown" else []
            assert all(name.removeprefix("attachment:") in cell.attachments for name in pictures)


def test_cells_for_notebooks_only_are_alive_in_them(root: Path, course: Course) -> None:
    found = 0
    for lesson in course.lessons:
        for cell in lesson_notebook(lesson, lesson.text, root).cells:
            if cell.cell_type == "code" and "active-ipynb" in cell.metadata.get("tags", []):
                compile(cell.source, "cell", "exec")
                found += not all(line.startswith("#") or not line.strip() for line in cell.source.splitlines())
    assert found >= len(course.exercises) + len(course.lessons)


def test_as_a_py_file_a_notebook_is_the_lesson_again(root: Path, anywhere: Course) -> None:
    import jupytext

    lesson = anywhere.lesson("tensors/views")
    text = (ROOT / "exercises" / "tensors" / "views.py").read_text()
    again = jupytext.writes(lesson_notebook(lesson, text, root), fmt="py:percent")
    added = [line for line in again.splitlines() if line not in text.splitlines()]
    assert all(line.startswith("#") for line in added)
    assert [line for line in again.splitlines() if not line.startswith("#") and line.strip()] == [
        line for line in text.splitlines() if not line.startswith("#") and line.strip()
    ]


def test_a_missing_figure_and_a_missing_lesson_are_said(root: Path, anywhere: Course) -> None:
    with pytest.raises(CourseError, match=r"nothing\.png is missing"):
        lesson_notebook(anywhere.lessons[0], "# %% [markdown]\n# ![x](../../data/nothing.png)\n", root)
    (root / "exercises").unlink()
    with pytest.raises(CourseError, match=r"predictions\.py is missing: `git checkout"):
        write_notebooks(anywhere, root, root / "made")


# Never lost


def test_a_notebook_that_was_only_run_is_made_again_and_one_that_was_edited_stays(root: Path, anywhere: Course) -> None:
    course = Course(anywhere.lessons[:2])
    write_notebooks(course, root, root / "made")
    run, edited = (root / "made" / f"{lesson.id}.ipynb" for lesson in course.lessons)
    assert write_notebooks(course, root, root / "made") == ["made is up to date"]

    notebook = json.loads(run.read_text())
    notebook["cells"][0]["execution_count"] = 7
    notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hello"]}]
    run.write_text(json.dumps(notebook))
    assert not is_edited(run)

    notebook = json.loads(edited.read_text())
    notebook["cells"][-1]["source"] = "my work"
    edited.write_text(json.dumps(notebook))
    with pytest.raises(CourseError, match=r"hold work that a build would overwrite: made/\S+\.ipynb\. `--force`"):
        write_notebooks(course, root, root / "made")
    assert "my work" in edited.read_text()

    lines = write_notebooks(course, root, root / "made", force=True)
    assert [line.split()[0] for line in lines] == ["kept", "wrote"]
    [copy] = (root / ".grader" / "backup").rglob("*.ipynb")
    assert "my work" in copy.read_text()
    assert "my work" not in edited.read_text()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", "not json", '{"metadata": {"course": {"built": "x"}}, "cells": []}']
)
def test_what_is_no_notebook_of_ours_is_somebody_s_work(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    assert not is_edited(path)
    path.write_text(content)
    assert is_edited(path)


# Graded


def test_a_folder_of_notebooks_is_graded_like_any_other(root: Path, course: Course, pool: WorkerPool) -> None:
    write_notebooks(course, root, root / "made", solutions=True)
    submission = read_submission(root / "made", course)
    assert set(submission.lessons) == {lesson.id for lesson in course.lessons}
    chosen = [lesson.exercises[0] for lesson in course.lessons[4:8]]
    result = judge(submission, chosen, pool, seed=1, gpu="off")
    assert [(e.id, e.status) for e in result.exercises] == [(exercise.id, "passed") for exercise in chosen]
    one = read_submission(root / "made" / "tensors" / "views.ipynb", course)
    assert judge(one, course.select(["transpose_view"]), pool, seed=1).exercises[0].status == "passed"


def test_notebooks_beside_the_lessons_leave_those_as_they_are(tmp_path: Path, anywhere: Course) -> None:
    for lesson in anywhere.lessons[:2]:
        path = tmp_path / f"{lesson.id}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text("import torch")
    course = Course(anywhere.lessons[:2])
    before = read_submission(tmp_path, course)
    (tmp_path / "notebooks" / "tensors").mkdir(parents=True)
    after = read_submission(tmp_path, course)
    assert after.lessons == before.lessons
    assert [remark.split(":")[0] for remark in after.remarks] == [str(tmp_path / "notebooks")]


# Run


@pytest.mark.parametrize("where", ["exercises/tensors", ".", "above"])
def test_the_first_cell_finds_the_course(where: str, tmp_path: Path) -> None:
    folder = ROOT / where
    if where == "above":
        folder = tmp_path
        (tmp_path / "clone").symlink_to(ROOT)
    # Without the environment's own folders, one of which knows the way too.
    code = f"{FIRST_CELL}\nprint(check.__module__)"
    ran = subprocess.run([sys.executable, "-S", "-c", code], cwd=folder, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("grader.notebook\n", "")


def executed(notebook: Any, folder: Path) -> Any:
    nbclient = pytest.importorskip("nbclient")
    resources = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, allow_errors=True, resources=resources)
    return client.execute()


def outputs(cell: Any, kind: str) -> list[Any]:
    return [output for output in cell.outputs if output.output_type == kind]


@pytest.mark.timeout(900)
def test_every_notebook_runs_to_its_end_and_shows_figures(root: Path, course: Course) -> None:
    """In one kernel, wiped between lessons, because importing torch takes longer than most; without the checks."""
    from nbformat.v4 import new_code_cell, new_notebook

    every = new_notebook(cells=[new_code_cell("import torch\ntorch.set_num_threads(1)")])
    pictures = dict.fromkeys([lesson.id for lesson in course.lessons], 0)
    for lesson in course.lessons:
        every.cells.append(new_code_cell("%reset -f"))
        for cell in lesson_notebook(lesson, lesson.text, root).cells:
            pictures[lesson.id] += len(cell.get("attachments", {}))
            if cell.cell_type == "code" and not cell.source.startswith("check("):
                every.cells.append(new_code_cell(cell.source, metadata={"lesson": lesson.id}))
    for cell in executed(every, ROOT / "exercises").cells:
        errors = outputs(cell, "error")
        assert not errors, f"{cell.metadata.get('lesson')}: {cell.source[:200]}\n{errors[0].evalue}"
        if lesson_id := cell.metadata.get("lesson"):
            pictures[lesson_id] += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    assert [lesson_id for lesson_id, count in pictures.items() if not count] == []


@pytest.fixture(scope="module")
def checked(course: Course) -> dict[str, Any]:
    """A notebook in which exercises were checked: what came of each check, and the notebook."""
    from nbformat.v4 import new_code_cell, new_notebook

    from grader.course import read_bank
    from grader.percent import read_cells

    lesson = course.lesson("tensors/broadcasting")
    answers = [answer for answer in read_bank(lesson) if answer.exercise.endswith("/relu")]
    wrong = next(answer.source for answer in answers if "abs" in answer.source)
    right = next(answer.source for answer in answers if answer.message is None)
    imports = next(cell.source for cell in read_cells(lesson.text) if not cell.markdown)
    stub = "def normalize_rows(x, eps):\n    raise NotImplementedError('normalize_rows is not written yet')"
    sources = {
        "first": FIRST_CELL,
        "imports": imports,
        "wrong": wrong,
        "check wrong": "check(relu)",
        "right": right,
        "check right": "check(relu)",
        "loop": "def relu(x):\n    import os\n    os._exit(1)",
        "check crash": "check(relu)",
        "stub": stub,
        "check stub": "check(normalize_rows)",
        "check nothing": "check('rellu')",
        "after": "'the kernel lives'",
    }
    notebook = executed(new_notebook(cells=[new_code_cell(s) for s in sources.values()]), ROOT / "exercises")
    return dict(zip(sources, notebook.cells, strict=True)) | {"notebook": notebook}


def test_a_check_in_a_kernel_shows_what_is_wrong_and_then_that_it_is_right(checked: dict[str, Any]) -> None:
    [shown] = checked["check wrong"].outputs
    assert "tensors/broadcasting/relu failed" in shown.data["text/plain"]
    html = shown.data["text/html"]
    assert 'class="grader-check failed"' in html
    assert re.findall(r"<figcaption>(\w+)</figcaption>", html) == ["got", "expected", "difference"]
    [shown] = checked["check right"].outputs
    assert "tensors/broadcasting/relu passed: 1 of 1 points" in shown.data["text/plain"]


def test_a_check_in_a_kernel_ends_a_run_at_a_stub_only(checked: dict[str, Any]) -> None:
    [error] = outputs(checked["check stub"], "error")
    assert error.ename == "StopHere"
    assert error.traceback == [
        "tensors/broadcasting/normalize_rows is not written yet, so running all cells ends here."
    ]
    assert "Put your answer in place of the line" in checked["check stub"].outputs[0].data["text/plain"]
    for name in ("check wrong", "check right", "check crash", "check nothing"):
        assert not outputs(checked[name], "error")
    assert "did you mean 'relu'" in checked["check nothing"].outputs[0].data["text/plain"]
    assert "crashed" in checked["check crash"].outputs[0].data["text/plain"]
    assert checked["after"].outputs[0].data["text/plain"] == "'the kernel lives'"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_checked_notebook_in_a_browser(theme: str, checked: dict[str, Any], browser: Browser, tmp_path: Path) -> None:
    nbconvert = pytest.importorskip("nbconvert")
    without = {f"{name}_url": "" for name in ("mathjax", "require_js", "jquery", "mermaid_js")}
    exporter = nbconvert.HTMLExporter(template_name="lab", theme=theme, **without)
    path = tmp_path / "checked.html"
    path.write_text(exporter.from_notebook_node(checked["notebook"])[0], encoding="utf-8")
    context = browser.new_context(viewport={"width": 900, "height": 800}, color_scheme=theme)
    try:
        seen = Visit(context.new_page(), path)
        assert seen.complaints == []
        assert len(seen.requests) == 1
        boxes = seen.page.locator(".grader-check")
        assert boxes.count() == 5
        first = boxes.first
        assert first.locator(".heat").count() == 3
        assert first.locator(".heat td.worst").count() == 1
        assert first.locator("summary").inner_text().startswith("Tests: ")
        first.locator("summary").click()
        assert first.locator(".tests li").first.is_visible()
        # Jupyter's own styles must not squeeze the names of what was called.
        assert first.locator(".facts dt").first.evaluate("e => e.getBoundingClientRect().height") < 40
        assert seen.findings(".grader-check") == []
        assert first.evaluate("e => e.scrollWidth - e.clientWidth") <= 0
    finally:
        context.close()
