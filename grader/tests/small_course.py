"""A copy of the course with two lessons, which starts faster and may be written into; for tests of the command line."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from grader.course import ROOT

LESSONS = ("tensors/storage", "tensors/broadcasting")


def make_small_course(root: Path) -> Path:
    """Copy the grader, and of the course two lessons, to `root`."""
    shutil.copytree(ROOT / "grader", root / "grader", ignore=shutil.ignore_patterns("tests", "__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "data").symlink_to(ROOT / "data")
    for folder, pattern in (("exercises", "{}.py"), ("solutions", "{}.py"), ("tests", "test_{}.py")):
        for lesson in LESSONS:
            topic, name = lesson.split("/")
            file = Path(folder) / topic / pattern.format(name)
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, root / file)
    for file in [*(ROOT / "tests").glob("*.py"), *(ROOT / "tests/tensors").glob("*.py")]:
        if not file.name.startswith(("test_", "answers_")):
            shutil.copy(file, root / file.relative_to(ROOT))
    catalogue = json.loads((ROOT / "exercises/catalogue.json").read_text(encoding="utf-8"))
    catalogue["lessons"] = [each for each in catalogue["lessons"] if f"{each['topic']}/{each['name']}" in LESSONS]
    (root / "exercises/catalogue.json").write_text(json.dumps(catalogue), encoding="utf-8")
    return root


def grader(
    root: Path, *arguments: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the copy's command line, by default in its folder."""
    places = {"COLUMNS": "80", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(root)}
    return subprocess.run(
        [sys.executable, "-m", "grader", *arguments],
        cwd=cwd or root,
        env={**os.environ, **places, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )


def answer(root: Path, lesson: str, name: str, *lines: str) -> None:
    """Write a body for a function whose stub is still there, in place."""
    path = root / "exercises" / f"{lesson}.py"
    text = path.read_text(encoding="utf-8")
    stub = f'    raise NotImplementedError("{name} is not written yet")'
    assert stub in text, name
    path.write_text(text.replace(stub, "\n".join(f"    {line}" for line in lines)), encoding="utf-8")
