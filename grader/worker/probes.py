"""Small functions for probes: they run beside the submission and turn what is seen there into data."""

from __future__ import annotations

import dis
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

__all__ = ["error_of", "folder_of", "layout_of", "seeded", "shares_storage"]


class MissingName(AttributeError):
    """The lesson does not define the name that a probe asked for."""


# C functions, taken before a submission can put its own in their place.
_data_ptr = torch._C.TensorBase.data_ptr
_untyped_storage = torch._C.TensorBase.untyped_storage
_storage_ptr = torch._C.StorageBase.data_ptr
_stride = torch._C.TensorBase.stride
_storage_offset = torch._C.TensorBase.storage_offset


def shares_storage(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two dense tensors (any shape, dtype, offset) lie in the same storage."""
    return _storage_ptr(_untyped_storage(a)) == _storage_ptr(_untyped_storage(b))


def layout_of(t: torch.Tensor) -> dict[str, Any]:
    """How a tensor walks its storage: `shape`, `stride` (in elements), `offset`, `storage_bytes`."""
    return {
        "shape": tuple(t.shape),
        "stride": tuple(_stride(t)),
        "offset": _storage_offset(t),
        "storage_bytes": _untyped_storage(t).nbytes(),
    }


def seeded(probe: Callable[[Any], Any], seed: int, names: Any) -> Any:
    """Call a probe with Python's, NumPy's and torch's global random numbers set to `seed`, and put back afterwards."""
    kept = random.getstate(), np.random.get_state(), torch.default_generator.get_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    # Not torch.manual_seed, which also prepares seeds for devices that may never be used.
    torch.default_generator.manual_seed(seed)
    try:
        return probe(names)
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])
        torch.default_generator.set_state(kept[2])


def error_of(call: Callable[[], Any]) -> dict[str, Any] | None:
    """Call, and say which exception came out: `type`, `bases` (its classes' names), `message`. None if none did.

    A stub that is not written yet and a name that the lesson lacks go through: they are no answer.
    """
    try:
        call()
    except MissingName:
        raise
    except Exception as error:
        if is_stub_error(error):
            raise
        return describe_error(error)
    return None


@contextmanager
def folder_of(files: Mapping[str, bytes]) -> Iterator[Path]:
    """A fresh folder with these files (relative path: content), written in the order given; removed at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, content in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
        yield folder


def is_stub_error(error: BaseException) -> bool:
    """Whether `error` is a `raise NotImplementedError` in the lesson itself, rather than inside a library."""
    if type(error) is not NotImplementedError or error.__traceback__ is None:
        return False
    last = error.__traceback__
    while last.tb_next is not None:
        last = last.tb_next
    # Torch raises it too, from C code right below a line of the lesson; that line holds no `raise`.
    raises = last.tb_frame.f_code.co_code[last.tb_lasti] == dis.opmap["RAISE_VARARGS"]
    return raises and last.tb_frame.f_globals.get("__lesson__") is True


def describe_error(error: BaseException) -> dict[str, Any]:
    """An exception as data. Its own `__str__` may do anything, so it is called with care."""
    try:
        message = str(error)
        message = message[:2000] if type(message) is str else ""
    except BaseException:
        message = ""
    kinds = [kind for kind in type(error).__mro__ if kind is not object]
    return {
        "type": str(type(error).__name__)[:100],
        "bases": [str(kind.__name__)[:100] for kind in kinds[:20]],
        "message": message,
    }
