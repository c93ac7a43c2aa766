"""Sealed hidden files: what opens them and what does not, that they stay in memory, and that the key does not stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from grader.course import ROOT, read_bank, read_solutions
from grader.errors import SealError
from grader.hidden import FolderFiles, SealedFiles, hidden_files
from grader.isolation import _open_to_others, _other_user
from grader.sealing import key_bytes, new_key, seal, take_key, unseal

CATALOGUE = b'{"schema": "grader/catalogue/v1", "lessons": []}'
FILES = {"tests/tensors/test_views.py": b"secret = 1\n" * 40, "tests/photos/a.png": bytes(range(256))}


@pytest.fixture
def sealed(tmp_path: Path) -> tuple[Path, Path, str]:
    """The sealed file, its catalogue and the key."""
    key = new_key()
    file, catalogue = tmp_path / "grader" / "hidden.sealed", tmp_path / "catalogue.json"
    file.parent.mkdir()
    catalogue.write_bytes(CATALOGUE)
    file.write_bytes(seal(FILES, CATALOGUE, key))
    return file, catalogue, key


def test_the_key_opens_what_it_sealed(sealed: tuple[Path, Path, str]) -> None:
    file, catalogue, key = sealed
    assert unseal(file, catalogue, key) == FILES
    assert unseal(file, catalogue, f"  {key}\n") == FILES
    assert b"secret" not in file.read_bytes()
    assert b"test_views" not in file.read_bytes()


def test_keys_differ_and_are_safe_in_a_shell() -> None:
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    assert all(len(key) == 43 and key.replace("-", "").replace("_", "").isalnum() for key in keys)


@pytest.mark.parametrize("key", ["x", "a" * 42, "ä" * 43, "!" * 43, "a" * 300, "a" * 44])
def test_what_is_no_key_is_said(key: str) -> None:
    with pytest.raises(SealError, match="GRADER_KEY is no key"):
        key_bytes(key)


def test_another_key_is_said(sealed: tuple[Path, Path, str]) -> None:
    with pytest.raises(SealError, match="the key of another build"):
        unseal(sealed[0], sealed[1], new_key())


def test_every_damage_is_noticed(sealed: tuple[Path, Path, str]) -> None:
    file, catalogue, key = sealed
    whole = file.read_bytes()
    for at in (0, 5, 20, 40, 90, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(SealError) as error:
            unseal(file, catalogue, key)
        assert "\n" not in str(error.value)
    for cut in (b"", whole[:10], whole[:150], whole[:-1], whole + b"x"):
        file.write_bytes(cut)
        with pytest.raises(SealError, match=r"is damaged|another version"):
            unseal(file, catalogue, key)


def test_only_the_catalogue_of_the_same_build_belongs_to_it(sealed: tuple[Path, Path, str]) -> None:
    file, catalogue, key = sealed
    catalogue.write_bytes(CATALOGUE.replace(b" ", b"\r\n"))
    assert unseal(file, catalogue, key) == FILES, "line ends do not matter"
    for other in (CATALOGUE.replace(b"[]", b"[1]"), b"", b"{"):
        catalogue.write_bytes(other)
        with pytest.raises(SealError, match="different builds"):
            unseal(file, catalogue, key)


def test_the_key_leaves_the_environment() -> None:
    code = (
        "import json, os, pathlib; from grader.sealing import take_key; key = take_key();"
        "shown = pathlib.Path('/proc/self/environ'); shown = shown.read_bytes() if shown.exists() else b'';"
        "print(json.dumps([key, key.encode() in shown, 'GRADER_KEY' in os.environ, os.popen('env').read(),"
        "take_key()]))"
    )
    key = new_key()
    run = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "GRADER_KEY": key}, cwd=ROOT, capture_output=True, text=True
    )
    taken, visible, in_environment, inherited, again = json.loads(run.stdout)
    assert taken == key
    assert not visible
    assert not in_environment
    assert key not in inherited
    assert again is None


def test_a_secret_that_is_not_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_KEY", "")
    assert take_key() is None


def test_a_course_reads_the_same_from_folders_and_from_memory(tmp_path: Path) -> None:
    if not (ROOT / "solutions").is_dir():
        pytest.skip("there are no solutions here")
    folder = FolderFiles(ROOT)
    names = [p.relative_to(ROOT).as_posix() for f in ("solutions", "tests") for p in (ROOT / f).glob("*/*.py")]
    memory = SealedFiles(tmp_path / "x", {name: (ROOT / name).read_bytes() for name in names})
    assert memory.lessons() == folder.lessons()
    assert read_solutions(memory) == read_solutions(folder)
    assert isinstance(hidden_files(), FolderFiles)
    assert hidden_files(tmp_path) is None
    assert read_bank(read_solutions(folder).lessons[0], tmp_path) == []


def test_root_gives_its_files_up_only_where_others_can_still_read_the_course(tmp_path: Path) -> None:
    if os.name != "posix":
        pytest.skip("permissions are POSIX's")
    mine = tmp_path / "mine"
    mine.write_text("x")
    mine.chmod(0o600)
    assert not _open_to_others(mine)
    assert not _open_to_others(tmp_path / "none")
    assert _open_to_others(Path("/usr"))
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "file").write_text("x")
    assert not _open_to_others(closed / "file"), "nobody gets through the folder"


def test_who_is_not_root_stays_who_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert _other_user(tmp_path) is None
    assert tmp_path.stat().st_uid == os.getuid()
