"""Tests of what the judge sends down: probes arrive with their inputs as they were, and tell nothing of the tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from grader.worker.inputs import pack, unpack
from grader.worker.probes import layout_of, shares_storage

LIMIT = 3


def trip(*inputs: Any) -> Any:
    """The inputs as a probe finds them on the other side."""
    found = unpack(pack(lambda m: inputs))(None)
    return found[0] if len(inputs) == 1 else found


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24.0).reshape(2, 3, 4),
        torch.arange(24.0).reshape(2, 3, 4)[:, 1:, ::2],
        torch.arange(24).reshape(2, 3, 4).permute(2, 0, 1),
        torch.zeros(1).expand(3, 4),
        torch.tensor(7),
        torch.arange(5)[3],
        torch.empty(0),
        torch.empty(0, 3, dtype=torch.int32),
        torch.ones(3, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.tensor([1 + 2j, 3 - 4j])[1:],
        torch.tensor([float("nan"), -0.0, float("inf")]),
        torch.zeros(3, dtype=torch.uint16),
        torch.from_numpy(np.arange(6.0).reshape(2, 3)).T,
    ],
    ids=lambda tensor: f"{tuple(tensor.shape)} {tensor.dtype}",
)
def test_tensors_keep_values_and_geometry(tensor: torch.Tensor) -> None:
    arrived = trip(tensor)
    assert type(arrived) is torch.Tensor
    assert arrived.dtype is tensor.dtype
    assert layout_of(arrived) == layout_of(tensor)
    torch.testing.assert_close(arrived, tensor, rtol=0, atol=0, equal_nan=True)
    assert not tensor.numel() or not shares_storage(arrived, tensor)


@pytest.mark.parametrize("lazy", [torch.Tensor.conj, lambda t: t.conj().imag], ids=["conj", "neg"])
def test_conjugate_and_negative_views_keep_their_values(lazy: Any) -> None:
    tensor = lazy(torch.tensor([1 + 2j, 3 + 4j]))
    assert trip(tensor).tolist() == tensor.tolist()


def test_requires_grad_arrives() -> None:
    weights, plain = trip(torch.ones(2, requires_grad=True), torch.ones(2))
    assert weights.requires_grad
    assert weights.is_leaf
    assert not plain.requires_grad
    weights.sum().backward()
    assert weights.grad.tolist() == [1, 1]


def test_a_parameter_stays_a_parameter() -> None:
    arrived = trip(torch.nn.Parameter(torch.ones(2)))
    assert type(arrived) is torch.nn.Parameter
    assert arrived.tolist() == [1, 1]


def test_a_meta_tensor_arrives_without_content() -> None:
    arrived = trip(torch.empty(2**40, device="meta"))
    assert arrived.device.type == "meta"
    assert arrived.shape == (2**40,)


def test_a_module_arrives_with_its_weights() -> None:
    model = torch.nn.Linear(2, 3)
    arrived = trip(model)
    assert torch.equal(arrived.weight, model.weight)
    assert arrived.weight.requires_grad


def test_tensors_over_one_storage_still_share_it() -> None:
    whole = torch.arange(6.0)
    other = torch.arange(6.0)
    arrived, part, typed, apart = trip(whole, whole[2:4], whole.view(torch.int32), other)
    assert shares_storage(arrived, part)
    assert shares_storage(arrived, typed)
    assert not shares_storage(arrived, apart)
    part.fill_(9)
    assert arrived.tolist() == [0, 1, 9, 9, 4, 5]


def test_the_same_tensor_twice_is_one_tensor() -> None:
    tensor = torch.ones(2)
    first, second = trip(tensor, tensor)
    assert first is second


def test_changing_what_arrived_changes_nothing_here() -> None:
    tensor, array = torch.zeros(3), np.zeros(3)
    arrived_tensor, arrived_array = trip(tensor, array)
    arrived_tensor += 1
    arrived_array += 1
    assert tensor.tolist() == array.tolist() == [0, 0, 0]


@pytest.mark.parametrize("array", [np.arange(6).reshape(2, 3), np.asfortranarray(np.eye(2, 3)), np.array(1.5)])
def test_arrays_arrive_as_they_were(array: np.ndarray) -> None:
    arrived = trip(array)
    assert type(arrived) is np.ndarray
    assert arrived.dtype == array.dtype
    assert arrived.strides == array.strides
    np.testing.assert_array_equal(arrived, array)


def test_a_probe_is_called_with_what_it_is_given() -> None:
    scale = 3

    def inner(number: int) -> int:
        return number * scale

    assert unpack(pack(lambda m: inner(m)))(5) == 15


def test_a_probe_may_use_libraries() -> None:
    assert unpack(pack(lambda m: torch.ones(2).sum().item() + np.float64(m)))(1) == 3


# What must not go down


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module that stands for a reference solution."""
    module = ModuleType("solutions.topic.lesson")
    exec("def function(x):\n    return x\nclass Model:\n    pass\nnested = lambda: function\nNUMBER = 5", vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


SECRET = ["solutions.topic.lesson", "tests.topic.test_lesson", "grader.judge", "grader.checking"]


@pytest.mark.parametrize("name", SECRET)
def test_secret_modules_are_refused(name: str) -> None:
    module = ModuleType(name)
    with pytest.raises(ValueError, match=f"refers to {name}"):
        pack(lambda m: module)


@pytest.mark.parametrize("what", ["function", "Model", "nested"])
def test_functions_and_classes_of_secret_modules_are_refused(secret: ModuleType, what: str) -> None:
    reference = getattr(secret, what)
    with pytest.raises(ValueError, match=r"refers to solutions\.topic\.lesson"):
        pack(lambda m: reference)


def test_an_object_of_a_secret_class_is_refused(secret: ModuleType) -> None:
    model = secret.Model()
    with pytest.raises(ValueError, match=r"refers to solutions\.topic\.lesson"):
        pack(lambda m: [model])


def test_values_worked_out_with_a_secret_module_are_fine(secret: ModuleType) -> None:
    expected = secret.function(secret.NUMBER)
    assert unpack(pack(lambda m: expected))(None) == 5


def test_the_reference_solutions_are_refused() -> None:
    views = pytest.importorskip("solutions.tensors.views")
    with pytest.raises(ValueError, match=r"refers to solutions\.tensors\.views"):
        pack(lambda m: views.hwc_to_chw(m))


def test_modules_with_like_names_are_fine() -> None:
    module = ModuleType("solutions_of_equations")
    sys.modules[module.__name__] = module
    try:
        assert unpack(pack(lambda m: module))(None) is module
    finally:
        del sys.modules[module.__name__]


@pytest.mark.parametrize(
    "probe",
    [
        lambda m: m,
        lambda m: lambda: m,
        lambda m: LIMIT,
        (lambda own: lambda m: own)(lambda m: m),
    ],
    ids=["plain", "nested", "with a global", "with a closure"],
)
def test_the_path_of_the_tests_does_not_go_down(probe: Any) -> None:
    packed = pack(probe)
    assert str(Path(__file__).parent).encode() not in packed
    assert Path(__file__).name.encode() not in packed
