"""Tests of the random inputs: the same seed gives the same, and they are as awkward as they promise to be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from grader.draws import Draws


def some_of_everything(rng: Draws) -> list[Any]:
    return [
        rng.tensor((2, 3)).tolist(),
        rng.tensor((3,), torch.int64, 0, 100).tolist(),
        rng.strided((2, 3)).tolist(),
        rng.array((2, 2)).tolist(),
        rng.integer(0, 1000),
        rng.uniform(0, 1),
        rng.sizes(3),
        rng.choice("abcdef"),
        rng.shuffled(range(5)),
        rng.numpy.random(),
        torch.rand(1, generator=rng.torch).item(),
        rng.python.random(),
    ]


def test_the_same_seed_and_name_give_the_same_draws() -> None:
    assert some_of_everything(Draws(7, "a")) == some_of_everything(Draws(7, "a"))


@pytest.mark.parametrize("other", [(8, "a"), (7, "b"), (7, "")])
def test_another_seed_or_name_gives_other_draws(other: tuple[int, str]) -> None:
    assert all(
        mine != theirs
        for mine, theirs in zip(
            [Draws(7, "a").tensor((9,)).tolist(), Draws(7, "a").python.random(), Draws(7, "a").numpy.random()],
            [Draws(*other).tensor((9,)).tolist(), Draws(*other).python.random(), Draws(*other).numpy.random()],
            strict=True,
        )
    )


def test_draws_leave_the_global_generators_alone() -> None:
    torch.manual_seed(0)
    np.random.seed(0)
    expected = torch.rand(1).item(), np.random.random()
    torch.manual_seed(0)
    np.random.seed(0)
    some_of_everything(Draws(1))
    assert (torch.rand(1).item(), np.random.random()) == expected


@pytest.mark.parametrize("dims", range(5))
@pytest.mark.parametrize("seed", range(5))
def test_strided_is_a_view_with_an_offset_and_the_right_shape(seed: int, dims: int) -> None:
    rng = Draws(seed)
    shape = rng.sizes(dims)
    tensor = rng.strided(shape)
    assert tensor.shape == tuple(shape)
    assert tensor.storage_offset() > 0
    assert dims == 0 or not tensor.is_contiguous()
    assert dims == 0 or 1 not in tensor.stride()
    assert tensor.untyped_storage().nbytes() > tensor.numel() * 4


def test_strided_permutes_dimensions_in_memory() -> None:
    orders = {tuple(np.argsort(Draws(seed).strided((2, 3, 4)).stride())) for seed in range(40)}
    assert len(orders) == 6


@pytest.mark.parametrize("shape", [(0,), (2, 0, 3), (1,), (1, 1)])
def test_strided_takes_sizes_of_zero_and_one(shape: tuple[int, ...]) -> None:
    assert Draws(0).strided(shape).shape == shape


@pytest.mark.parametrize("draw", [Draws.tensor, Draws.strided])
@pytest.mark.parametrize(
    "dtype",
    [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8, torch.bool, torch.complex64],
)
def test_dtype_and_range(draw: Any, dtype: torch.dtype) -> None:
    tensor = draw(Draws(0), (20, 30), dtype, -3, 5)
    assert tensor.dtype is dtype
    if dtype is torch.bool:
        assert 0 < tensor.sum() < tensor.numel()
    elif dtype.is_complex:
        assert tensor.real.min() >= -3
        assert tensor.imag.max() <= 5
        assert tensor.imag.abs().max() > 0
    else:
        assert tensor.min() >= -3
        assert tensor.max() <= (5 if dtype.is_floating_point else 4)
        assert tensor.min() < -2
        assert tensor.max() > 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, np.bool_])
def test_arrays(dtype: Any) -> None:
    array = Draws(0).array((20, 30), dtype, 0, 5)
    assert array.dtype == dtype
    assert array.shape == (20, 30)
    assert array.flags.c_contiguous


def test_complex_arrays_have_imaginary_parts() -> None:
    assert np.abs(Draws(0).array((20, 30), np.complex64).imag).max() > 0


def test_sizes_differ_and_lie_within_bounds() -> None:
    rng = Draws(0)
    for _ in range(50):
        sizes = rng.sizes(4, 2, 6)
        assert len(set(sizes)) == 4
        assert 2 <= min(sizes) <= max(sizes) <= 6


def test_whole_numbers_include_both_ends() -> None:
    rng = Draws(0)
    assert {rng.integer(1, 3) for _ in range(60)} == {1, 2, 3}


def test_shuffled_keeps_the_items_and_the_original() -> None:
    items = list(range(20))
    assert sorted(Draws(0).shuffled(items)) == items
    assert Draws(0).shuffled(items) != items
    assert items == list(range(20))
