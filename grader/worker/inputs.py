"""What the judge sends down: a probe with the inputs it closes over, by cloudpickle.

Only ever unpacked in the submission's process (or in this one, on what this one packed). Tensors keep their
strides and offset, and tensors over one storage still share it afterwards.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Iterable
from types import CodeType, FunctionType, ModuleType
from typing import Any

import cloudpickle
import torch

SECRET_MODULES = ("solutions", "tests", "grader.checking", "grader.judge")


def pack(value: Any) -> bytes:
    """Pickle a probe.

    Raises:
        ValueError: it refers to the reference solutions or to the tests, which must stay on this side.
    """
    file = io.BytesIO()
    _Packer(file).dump(value)
    return file.getvalue()


def unpack(data: bytes) -> Any:
    """Rebuild what `pack` wrote. Runs code: never call it on bytes from a submission."""
    return pickle.loads(data)


def _imported_submodules(code: CodeType, used: Iterable[Any]) -> list[ModuleType]:
    """The modules that a function reaches by attributes of the packages it uses, as `torch.nn` by `torch`.

    cloudpickle's own compares every name in sys.modules with every package: with torch that took half of all packing.
    """
    found: dict[str, ModuleType] = {}
    packages = [each.__name__ for each in used if isinstance(each, ModuleType) and each.__package__]
    while packages:
        package = packages.pop()
        for name in code.co_names:
            below = f"{package}.{name}"
            if below not in found and (module := sys.modules.get(below)) is not None:
                found[below] = module
                packages.append(below)
    return list(found.values())


cloudpickle.cloudpickle._find_imported_submodules = _imported_submodules


class _Packer(cloudpickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self.storages: dict[int, _Storage] = {}

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (ModuleType, FunctionType, type)) and _is_secret(module := _module_of(obj)):
            raise ValueError(f"a probe refers to {module}: work out expected values outside the probe")
        # The path of the tests is of no use over there: neither in the code nor as `__file__` of its module.
        if type(obj) is CodeType:
            return cloudpickle.cloudpickle._code_reduce(obj.replace(co_filename="<probe>"))
        if type(obj) is FunctionType:
            self.globals_ref.setdefault(id(obj.__globals__), {"__name__": "probe"})
        if type(obj) is torch.Tensor and _is_plain(obj):
            storage = obj.untyped_storage()
            held = self.storages.setdefault(storage.data_ptr(), _Storage(storage))
            arguments = (held, obj.dtype, tuple(obj.shape), obj.stride(), obj.storage_offset(), obj.requires_grad)
            return rebuild_tensor, arguments
        return super().reducer_override(obj)


def _module_of(obj: Any) -> str:
    """The name of a module, or of the one that a function or class comes from."""
    if isinstance(obj, ModuleType):
        return obj.__name__
    module = str(getattr(obj, "__module__", ""))
    # Probes themselves are functions of the tests: they go down by value.
    return "" if module.startswith("tests.") else module


def _is_plain(tensor: torch.Tensor) -> bool:
    """Whether storage and geometry say all there is about a tensor."""
    lazy = tensor.is_conj() or tensor.is_neg()
    return tensor.layout is torch.strided and tensor.device.type == "cpu" and tensor.is_leaf and not lazy


def _is_secret(module: str) -> bool:
    return any(module == name or module.startswith(name + ".") for name in SECRET_MODULES)


class _Storage:
    """One storage, pickled once however many tensors lie in it."""

    def __init__(self, storage: torch.UntypedStorage) -> None:
        self.storage = storage

    def __reduce__(self) -> Any:
        content = torch.empty(0, dtype=torch.uint8)
        content.set_(self.storage, 0, (self.storage.nbytes(),), (1,))
        return rebuild_storage, (content.numpy().tobytes(),)


def rebuild_storage(content: bytes) -> torch.UntypedStorage:
    """A storage of its own with these bytes."""
    fresh = torch.empty(len(content), dtype=torch.uint8)
    if content:
        fresh.copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
    return fresh.untyped_storage()


def rebuild_tensor(
    storage: torch.UntypedStorage,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int,
    requires_grad: bool,
) -> torch.Tensor:
    """A leaf over `storage` with this geometry (stride and offset in elements)."""
    tensor = torch.empty(0, dtype=dtype)
    tensor.set_(storage, offset, shape, stride)
    return tensor.requires_grad_(requires_grad)
