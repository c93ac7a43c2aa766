"""Random inputs for tests, drawn from one seed: the `rng` fixture."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch

Item = TypeVar("Item")


class Draws:
    """A source of random inputs. The same `seed` and `name` give the same draws in the same order.

    `numpy`, `torch` and `python` are generators of the three libraries for what the methods do not cover.
    """

    def __init__(self, seed: int, name: str = "") -> None:
        digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
        self._seed = int.from_bytes(digest[:8], "little") >> 1

    @property
    def seed(self) -> int:
        """The number that seeds these draws: below 2 to the power of 63."""
        return self._seed

    def __getattr__(self, name: str) -> Any:
        # Made when first asked for: most tests use one of them.
        makers = {
            "numpy": lambda: np.random.default_rng(self._seed),
            "torch": lambda: torch.Generator().manual_seed(self._seed),
            "python": lambda: random.Random(self._seed),
        }
        if name not in makers:
            raise AttributeError(name)
        setattr(self, name, makers[name]())
        return getattr(self, name)

    def tensor(
        self, shape: Sequence[int], dtype: torch.dtype = torch.float32, low: float = -2.0, high: float = 2.0
    ) -> torch.Tensor:
        """A contiguous CPU tensor: uniform in [low, high), whole numbers for integer dtypes, coin flips for bool."""
        if dtype is torch.bool:
            return torch.rand(tuple(shape), generator=self.torch) < 0.5
        if not dtype.is_floating_point and not dtype.is_complex:
            return torch.randint(int(low), int(high), tuple(shape), generator=self.torch).to(dtype)
        uniform = torch.rand(tuple(shape), generator=self.torch, dtype=torch.float64) * (high - low) + low
        if dtype.is_complex:
            imaginary = torch.rand(tuple(shape), generator=self.torch, dtype=torch.float64) * (high - low) + low
            return torch.complex(uniform, imaginary).to(dtype)
        return uniform.to(dtype)

    def strided(
        self, shape: Sequence[int], dtype: torch.dtype = torch.float32, low: float = -2.0, high: float = 2.0
    ) -> torch.Tensor:
        """Like `tensor`, but a view: dimensions permuted in memory, a step of 2 along the last, a non-zero offset."""
        order = list(range(len(shape)))
        self.python.shuffle(order)
        in_memory = [shape[dim] for dim in order]
        if not in_memory:
            return self.tensor((3,), dtype, low, high)[2]
        wide = self.tensor([*in_memory[:-1], 2 * in_memory[-1] + 1], dtype, low, high)
        return wide[..., 1::2].permute([order.index(dim) for dim in range(len(shape))])

    def array(self, shape: Sequence[int], dtype: Any = np.float32, low: float = -2.0, high: float = 2.0) -> np.ndarray:
        """A C-contiguous NumPy array, drawn as in `tensor`."""
        dtype = np.dtype(dtype)
        if dtype == np.bool_:
            return self.numpy.random(tuple(shape)) < 0.5
        if np.issubdtype(dtype, np.integer):
            return self.numpy.integers(int(low), int(high), tuple(shape)).astype(dtype)
        drawn = self.numpy.uniform(low, high, tuple(shape))
        if np.issubdtype(dtype, np.complexfloating):
            drawn = drawn + 1j * self.numpy.uniform(low, high, tuple(shape))
        return drawn.astype(dtype)

    def integer(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return self.python.randint(low, high)

    def uniform(self, low: float, high: float) -> float:
        """A float from `low` to `high`."""
        return self.python.uniform(low, high)

    def sizes(self, count: int, low: int = 2, high: int = 7) -> list[int]:
        """`count` different sizes from `low` to `high`, in random order: no two dimensions can be mixed up unseen."""
        return self.python.sample(range(low, high + 1), count)

    def choice(self, items: Sequence[Item]) -> Item:
        """One of `items`."""
        return self.python.choice(items)

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """`items` in random order."""
        return self.python.sample(list(items), len(items))
