"""Tests of data/: the files, their checksums and card, and what is said when one is missing."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import torch

from grader.course import ROOT
from grader.data import data_file

FIFTEEN_MEGABYTES = 15 * 2**20


def make_data(folder: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("make_data", folder / "make_data.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "data", tmp_path / "data", ignore=shutil.ignore_patterns("__pycache__")))


def test_all_files_are_as_recorded_and_on_the_card(copy: Path) -> None:
    assert make_data(copy).check() == []


def test_the_folder_stays_small() -> None:
    files = [path for path in (ROOT / "data").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < FIFTEEN_MEGABYTES


def test_a_missing_a_changed_and_an_unknown_file_are_named(copy: Path) -> None:
    (copy / "tables/wine.csv").unlink()
    (copy / "photos/cat.png").write_bytes(b"a dog")
    (copy / "tables/tea.csv").write_text("a,b\n")
    problems = make_data(copy).check()
    assert [line.split(":")[0] for line in problems] == [
        "data/tables/wine.csv is missing",
        "data/photos/cat.png is not the file it should be",
        "data/tables/tea.csv is not listed in data/checksums.json",
    ]
    assert "git checkout -- data/tables/wine.csv" in problems[0]


def test_a_file_that_the_card_leaves_out_is_named(copy: Path) -> None:
    card = copy / "DATA.md"
    card.write_text(card.read_text().replace("`tables/bikes.csv`", "bikes"))
    assert make_data(copy).check() == ["data/tables/bikes.csv is not on the card, data/DATA.md"]


def test_check_is_the_exit_status(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = make_data(copy)
    assert module.main(["--check"]) == 0
    (copy / "text/pride.txt").unlink()
    assert module.main(["--check"]) == 1
    assert "data/text/pride.txt is missing" in capsys.readouterr().out


def test_weights_load_without_running_code() -> None:
    paths = sorted((ROOT / "data/weights").glob("*.pt"))
    assert len(paths) >= 3
    for path in paths:
        assert all(isinstance(value, torch.Tensor) for value in torch.load(path, weights_only=True).values())


def test_scans_have_metadata() -> None:
    for path in sorted((ROOT / "data/scans").rglob("*.png")):
        assert json.loads(path.with_suffix(".json").read_text())["bits"] in (12, 16)


def test_a_lesson_is_told_which_file_is_missing() -> None:
    with pytest.raises(FileNotFoundError, match=r"data/photos/dog\.png is missing: `git checkout"):
        data_file("photos/dog.png")
