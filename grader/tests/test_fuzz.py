"""Fuzzing: what was found once stays fixed, and anything at all may be sent or handed in.

`make fuzz MINUTES=n` looks for more; what it keeps in fuzz/corpus/ is replayed here.
"""

from __future__ import annotations

import io
import json
import random
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.course import Course
from grader.submission import MAX_CODE_CHARACTERS, MAX_NOTEBOOK_ITEMS, read_submission, without_magics
from grader.tests.fuzz.__main__ import FINDINGS, KEPT_BYTES, _mutated, corpus_of, smallest_cover
from grader.tests.fuzz.targets import TARGETS, seeds
from grader.worker import codec

FEW = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
QUICK = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("target", TARGETS)
def test_saved_inputs_find_nothing(target: str, course: Course) -> None:
    inputs = [*seeds(target), *corpus_of(target)]
    assert len(inputs) > 1 or target == "notebook"
    for data in inputs:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_mutations_of_saved_inputs_find_nothing(target: str, course: Course) -> None:
    rng = random.Random(target)
    inputs = [*seeds(target), *corpus_of(target)]
    for _ in range(200):
        TARGETS[target](_mutated(rng, inputs))


@given(st.binary(max_size=400))
@QUICK
def test_any_bytes_on_the_channel(data: bytes) -> None:
    TARGETS["codec"](data)
    TARGETS["reply"](data)


DATA = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.complex_numbers(),
        st.binary(),
        st.text(st.characters()),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(inner, max_size=5).map(tuple),
        st.dictionaries(st.one_of(st.text(), st.integers()), inner, max_size=5),
        st.dictionaries(
            st.sampled_from(["outcome", "value", "error", "frames", "stub", "missing", "reason", "type", "bases"]),
            inner,
        ),
    ),
    max_leaves=20,
)


@given(DATA)
@FEW
def test_any_data_as_an_answer(value: object) -> None:
    TARGETS["reply"](codec.encode(value))
    for outcome in ("returned", "refused", "raised"):
        if isinstance(value, dict):
            TARGETS["reply"](codec.encode(value | {"outcome": outcome}))


@given(st.text(st.sampled_from("%!?#'\"\\()[] \n\tabc=.:"), max_size=300))
@QUICK
def test_any_cell_keeps_its_lines(source: str) -> None:
    TARGETS["magics"](source.encode())


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda s: (
            st.lists(s)
            | st.dictionaries(st.sampled_from(["cells", "cell_type", "source", "metadata", "tags", "code"]), s)
        ),
        max_leaves=30,
    )
)
@FEW
def test_any_json_as_a_notebook(value: object) -> None:
    TARGETS["notebook"](json.dumps(value).encode())


def test_there_are_no_findings_left_open() -> None:
    assert not FINDINGS.is_dir() or not list(FINDINGS.iterdir())


def test_the_cover_is_as_good_as_the_whole() -> None:
    inputs = [*seeds("codec"), b"", b"N", bytes(KEPT_BYTES + 1)]
    kept = smallest_cover("codec", inputs)
    assert 1 < len(kept) < len(inputs)
    assert bytes(KEPT_BYTES + 1) not in kept


# What fuzzing and thought have found, each with what it did.
FOUND = {
    "a billion empty lists in a notebook": lambda: b'{"cells": [' + b"[]," * (MAX_NOTEBOOK_ITEMS // 2 + 1) + b"[]]}",
    "a cell of half a million statements": lambda: json.dumps(
        {"cells": [{"cell_type": "code", "source": "a\n" * (MAX_CODE_CHARACTERS // 2 + 1)}]}
    ).encode(),
}


@pytest.mark.parametrize("what", FOUND)
def test_what_took_gigabytes_is_refused_at_once(what: str, course: Course, tmp_path: Path) -> None:
    path = tmp_path / "storage.ipynb"
    path.write_bytes(FOUND[what]())
    tracemalloc.start()
    started = time.monotonic()
    submission = read_submission(path, course)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - started < 10
    assert most < 300 * 2**20
    (lesson,) = submission.lessons.values()
    assert lesson.problem


def test_a_tensor_without_elements_has_no_giant_sizes() -> None:
    import torch

    with pytest.raises(codec.NotData):
        codec.encode(torch.empty(0, 2**40))
    shape = b"X" + _block(b"float32") + _block(b"cpu") + b"F" + (2).to_bytes(4, "little")
    shape += (0).to_bytes(8, "little") + (2**40).to_bytes(8, "little") + _block(b"")
    with pytest.raises(codec.Malformed):
        codec.decode(shape)
    assert codec.decode(codec.encode(torch.empty(0, 3, 224, 224))).shape == (0, 3, 224, 224)


def test_a_tensor_is_no_key() -> None:
    import torch

    with pytest.raises(codec.NotData):
        codec.encode({torch.zeros(2): 1})
    tensor = codec.encode(torch.zeros(2))
    with pytest.raises(codec.Malformed):
        codec.decode(b"d" + (1).to_bytes(4, "little") + tensor + b"N")


def _block(content: bytes) -> bytes:
    return len(content).to_bytes(4, "little") + content


def test_lines_without_magics_are_left_alone() -> None:
    text = "x = 5 % 3\nprint('what?')\n# really?\n"
    assert without_magics(text) == (text, 0)
    assert without_magics("%time f()\nf?\n") == ("pass\npass\n", 2)
    assert io.StringIO(without_magics("if x:\n    !ls\n")[0]).read() == "if x:\n    pass\n"
