"""The data-only wire format: what a submission's process may send to the judge.

One value is one tag byte followed by its content; lengths are unsigned 32-bit, little endian. The decoder
trusts nothing: every length is checked against what is left, types are exact, and the result is rebuilt
from bytes. No input makes it run code.

=========  ==========================================================================================
``N T F``  None, True, False
``i``      int: length, two's complement bytes
``f c``    float, complex: IEEE 754 doubles
``s b``    str (UTF-8, surrogates passed through), bytes: length, content
``l t e``  list, tuple, set: count, items
``d``      dict: count, key and value in turn
``D V S``  torch.dtype, torch.device, torch.Size
``X``      torch.Tensor: dtype, device, requires_grad, shape, elements in row-major order
``A``      numpy.ndarray: dtype, shape, elements in row-major order
=========  ==========================================================================================
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from typing import Any

import numpy as np
import torch

MAX_BYTES = 64 * 2**20
MAX_DEPTH = 64
MAX_ITEMS = 1_000_000
MAX_KEYS = 10_000  # of dicts and sets, all together
MAX_ONE_HASH = 100  # keys of a container that may have the same hash: each is compared with all before it
MAX_TENSORS = 10_000  # and arrays, all together
MAX_DIMS = 64
MAX_ELEMENTS = 2**58  # of a shape, sizes of 0 counted as 1: beyond it strides in bytes pass 64 bits
MAX_EMPTY = 2**26  # the same of a tensor without elements: what a sum over its size of 0 would take
MAX_INT_BYTES = 4096

DTYPES = (
    "bool uint8 int8 int16 int32 int64 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex32 complex64 complex128 float8_e4m3fn float8_e5m2"
).split()
# Those that NumPy has too.
ARRAY_DTYPES = [name for name in DTYPES if hasattr(np, name)]
DEVICES = ("cpu", "cuda", "meta")

_TORCH_DTYPE = {name: getattr(torch, name) for name in DTYPES}
_DTYPE_NAME = {dtype: name for name, dtype in _TORCH_DTYPE.items()}
_ITEMSIZE = {name: dtype.itemsize for name, dtype in _TORCH_DTYPE.items()}
_ARRAY_DTYPE = {name: np.dtype(name) for name in ARRAY_DTYPES}
_CONTAINER_TAG: dict[type, bytes] = {list: b"l", tuple: b"t", set: b"e"}
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_C128 = struct.Struct("<dd")


class NotData(TypeError):
    """A value cannot be sent because it is not data; the text says what it is."""


class Malformed(ValueError):
    """Bytes are not an encoded value."""


def encode(value: Any, max_bytes: int = MAX_BYTES) -> bytes:
    """Write `value` as bytes.

    Args:
        value: None, bool, int, float, complex, str, bytes, list, tuple, dict, set, torch.Tensor (dense),
            numpy.ndarray, torch.dtype, torch.device or torch.Size, of exactly that type, nested at will.
        max_bytes: the most bytes that may come out.

    Raises:
        NotData: the value, or one inside it, is of another type, too deep, too large or endless.
    """
    out = _Output(max_bytes)
    _encode(value, out, 0)
    return bytes(out.data)


class _Output:
    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.limit = limit
        self.items = 0
        self.keys = 0
        self.tensors = 0

    def write(self, piece: bytes) -> None:
        if len(self.data) + len(piece) > self.limit:
            raise NotData(f"more than {self.limit // 2**20} MiB of data")
        self.data += piece

    def block(self, tag: bytes, content: bytes) -> None:
        self.write(tag + _U32.pack(len(content)))
        self.write(content)

    def count_tensor(self) -> None:
        self.tensors += 1
        if self.tensors > MAX_TENSORS:
            raise NotData(f"more than {MAX_TENSORS:,} tensors")

    def count(self, tag: bytes, count: int) -> None:
        self.items += count
        self.keys += count if tag in b"ed" else 0
        if self.items > MAX_ITEMS:
            raise NotData(f"more than {MAX_ITEMS:,} items")
        if self.keys > MAX_KEYS:
            raise NotData(f"sets and dicts of more than {MAX_KEYS:,} keys")
        self.write(tag + _U32.pack(count))


def _encode(value: Any, out: _Output, depth: int) -> None:
    kind = type(value)
    if depth > MAX_DEPTH:
        raise NotData(f"data nested more than {MAX_DEPTH} deep")
    if value is None:
        out.write(b"N")
    elif kind is bool:
        out.write(b"T" if value else b"F")
    elif kind is int:
        size = value.bit_length() // 8 + 1
        if size > MAX_INT_BYTES:
            raise NotData(f"an int of more than {MAX_INT_BYTES * 8} bits")
        out.block(b"i", value.to_bytes(size, "little", signed=True))
    elif kind is float:
        out.write(b"f" + _F64.pack(value))
    elif kind is complex:
        out.write(b"c" + _C128.pack(value.real, value.imag))
    elif kind is str:
        out.block(b"s", value.encode("utf-8", "surrogatepass"))
    elif kind is bytes:
        out.block(b"b", value)
    elif kind is list or kind is tuple or kind is set:
        out.count(_CONTAINER_TAG[kind], len(value))
        for item in value:
            _encode(item, out, depth + 1)
    elif kind is dict:
        out.count(b"d", len(value))
        for key, item in value.items():
            tensors = out.tensors
            _encode(key, out, depth + 1)
            if out.tensors > tensors:
                raise NotData("a dict with tensors for keys")
            _encode(item, out, depth + 1)
    elif kind is torch.dtype:
        if value not in _DTYPE_NAME:
            raise NotData(f"the dtype {value}")
        out.block(b"D", _DTYPE_NAME[value].encode())
    elif kind is torch.device:
        if value.type not in DEVICES or (value.index or 0) > 99:
            raise NotData(f"the device {value}")
        out.block(b"V", str(value).encode())
    elif kind is torch.Size:
        out.write(b"S")
        _encode_shape(value, out)
    elif kind is torch.Tensor:
        _encode_tensor(value, out)
    elif kind is np.ndarray:
        _encode_array(value, out)
    else:
        raise NotData(_describe(kind))


def _describe(kind: type) -> str:
    name = type.__dict__["__name__"].__get__(kind)[:80]  # A metaclass may answer for `kind.__name__`.
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _encode_shape(shape: tuple[int, ...], out: _Output) -> None:
    if len(shape) > MAX_DIMS:
        raise NotData(f"a shape of more than {MAX_DIMS} dimensions")
    if any(not 0 <= size < 2**63 for size in shape):
        raise NotData(f"sizes of {tuple(shape)}")
    out.write(_U32.pack(len(shape)) + struct.pack(f"<{len(shape)}Q", *shape))


def _is_possible(shape: tuple[int, ...], has_elements: bool) -> bool:
    """Whether a tensor of this shape may be sent, and whatever the judge makes of it fits into its memory."""
    # Python integers: a product beyond 64 bits is caught here, not in torch.
    volume = math.prod(size or 1 for size in shape)
    return volume < MAX_ELEMENTS and not (has_elements and 0 in shape and volume > MAX_EMPTY)


def _encode_tensor(value: torch.Tensor, out: _Output) -> None:
    out.count_tensor()
    if value.layout is not torch.strided or value.is_quantized or value.is_nested:
        raise NotData(f"a tensor of layout {value.layout}")
    if value.dtype not in _DTYPE_NAME:
        raise NotData(f"a tensor of dtype {value.dtype}")
    if value.device.type not in DEVICES:
        raise NotData(f"a tensor on the device {value.device}")
    name = _DTYPE_NAME[value.dtype]
    if value.device.type != "meta" and value.numel() * _ITEMSIZE[name] > out.limit:
        raise NotData(f"a tensor of {value.numel():,} elements, which is more than {out.limit // 2**20} MiB")
    out.block(b"X", name.encode())
    out.block(b"", value.device.type.encode())
    out.write(b"T" if value.requires_grad else b"F")
    if not _is_possible(tuple(value.shape), value.device.type != "meta"):
        raise NotData(f"a tensor of shape {str(tuple(value.shape))[:80]}")
    _encode_shape(tuple(value.shape), out)
    if value.device.type != "meta":
        try:
            content = row_major(value)
        except RuntimeError:
            # As of a tensor that outlived the torch.func transform it belongs to.
            raise NotData("a tensor whose elements cannot be read") from None
        out.block(b"", content)


def row_major(tensor: torch.Tensor) -> bytes:
    """The elements of a dense tensor in row-major order, as raw bytes."""
    plain = tensor.detach().resolve_conj().resolve_neg().cpu()
    if not plain.numel():
        return b""
    # Copied even if it is contiguous: a single element counts as that with any stride.
    flat = torch.empty(plain.numel(), dtype=plain.dtype).copy_(plain.reshape(-1))
    return flat.view(torch.uint8).numpy().tobytes()


def _encode_array(value: np.ndarray, out: _Output) -> None:
    out.count_tensor()
    if value.dtype.name not in _ARRAY_DTYPE or not value.dtype.isnative:
        raise NotData(f"an array of dtype {str(value.dtype)[:80]}")
    if value.nbytes > out.limit:
        raise NotData(f"an array of {value.size:,} elements, which is more than {out.limit // 2**20} MiB")
    out.block(b"A", value.dtype.name.encode())
    if not _is_possible(value.shape, True):
        raise NotData(f"an array of shape {str(value.shape)[:80]}")
    _encode_shape(value.shape, out)
    out.block(b"", np.ascontiguousarray(value).tobytes())


def decode(data: bytes) -> Any:
    """Rebuild the one value that `data` holds.

    Raises:
        Malformed: `data` is anything but exactly one encoded value within the caps of this module.
    """
    if len(data) > MAX_BYTES:
        raise Malformed(f"more than {MAX_BYTES} bytes")
    reader = _Input(memoryview(data))
    value = _decode(reader, 0)
    if reader.at != len(data):
        raise Malformed("bytes left over")
    return value


class _Input:
    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0
        self.items = 0
        self.keys = 0
        self.tensors = 0

    def take(self, size: int) -> memoryview:
        if size > len(self.data) - self.at:
            raise Malformed("cut short")
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def number(self) -> int:
        return _U32.unpack(self.take(4))[0]

    def block(self) -> bytes:
        return bytes(self.take(self.number()))

    def count(self) -> int:
        """The item count of a container; every item takes at least one byte, and all count together."""
        count = self.number()
        self.items += count
        if count > len(self.data) - self.at or self.items > MAX_ITEMS:
            raise Malformed("too many items")
        return count

    def count_tensor(self) -> None:
        self.tensors += 1
        if self.tensors > MAX_TENSORS:
            raise Malformed("too many tensors")

    def key_count(self) -> int:
        count = self.count()
        self.keys += count
        if self.keys > MAX_KEYS:
            raise Malformed("too many keys")
        return count

    def name(self, known: Any) -> str:
        text = self.block().decode("ascii", "replace")
        if text not in known:
            raise Malformed("unknown name")
        return text

    def sizes(self) -> tuple[int, ...]:
        dims = self.number()
        if dims > MAX_DIMS:
            raise Malformed("too many dimensions")
        sizes = struct.unpack(f"<{dims}Q", self.take(8 * dims))
        if any(size >= 2**63 for size in sizes):
            raise Malformed("impossible size")
        return sizes

    def shape(self, has_elements: bool = True) -> tuple[int, ...]:
        """Sizes that a tensor could have."""
        shape = self.sizes()
        if not _is_possible(shape, has_elements):
            raise Malformed("impossible shape")
        return shape


def _decode(reader: _Input, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise Malformed("nested too deep")
    tag = bytes(reader.take(1))
    if tag == b"N":
        return None
    if tag in b"TF":
        return tag == b"T"
    if tag == b"i":
        content = reader.block()
        if not 0 < len(content) <= MAX_INT_BYTES:
            raise Malformed("bad int")
        return int.from_bytes(content, "little", signed=True)
    if tag == b"f":
        return _F64.unpack(reader.take(8))[0]
    if tag == b"c":
        return complex(*_C128.unpack(reader.take(16)))
    if tag == b"s":
        try:
            return reader.block().decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Malformed("bad text") from None
    if tag == b"b":
        return reader.block()
    if tag == b"l":
        return [_decode(reader, depth + 1) for _ in range(reader.count())]
    if tag == b"t":
        return tuple([_decode(reader, depth + 1) for _ in range(reader.count())])
    if tag == b"e":
        return set(_decode_keyed(reader, depth, with_items=False))
    if tag == b"d":
        return _decode_keyed(reader, depth, with_items=True)
    if tag == b"D":
        return _TORCH_DTYPE[reader.name(_TORCH_DTYPE)]
    if tag == b"V":
        return _decode_device(reader)
    if tag == b"S":
        return torch.Size(reader.sizes())
    if tag == b"X":
        return _decode_tensor(reader)
    if tag == b"A":
        reader.count_tensor()
        name = reader.name(_ARRAY_DTYPE)
        shape = reader.shape()
        elements = _content(reader, shape, name, _ARRAY_DTYPE[name].itemsize)
        return np.frombuffer(elements, _ARRAY_DTYPE[name]).reshape(shape)
    raise Malformed("unknown tag")


def _decode_keyed(reader: _Input, depth: int, with_items: bool) -> dict[Any, Any]:
    content: dict[Any, Any] = {}
    hashes: Counter[int] = Counter()
    for _ in range(reader.key_count()):
        tensors = reader.tensors
        key = _decode(reader, depth + 1)
        if with_items and reader.tensors > tensors:
            raise Malformed("a tensor for a key")
        try:
            hashes[hash(key)] += 1
        except TypeError:
            raise Malformed("unhashable key") from None
        if hashes[hash(key)] > MAX_ONE_HASH:
            raise Malformed("too many keys with one hash")
        content[key] = _decode(reader, depth + 1) if with_items else None
    return content


def _decode_device(reader: _Input) -> torch.device:
    text = reader.block().decode("ascii", "replace")
    kind, colon, index = text.partition(":")
    if kind not in DEVICES or (colon and not (index.isdecimal() and index.isascii() and len(index) <= 2)):
        raise Malformed("unknown device")
    return torch.device(kind, int(index)) if colon else torch.device(kind)


def _content(reader: _Input, shape: tuple[int, ...], name: str, itemsize: int) -> bytearray:
    size = math.prod(shape) * itemsize
    if reader.number() != size:
        raise Malformed("size and shape disagree")
    content = bytearray(reader.take(size))
    if name == "bool" and content.translate(None, b"\0\1"):
        raise Malformed("a bool that is neither true nor false")
    return content


def _decode_tensor(reader: _Input) -> torch.Tensor:
    reader.count_tensor()
    name = reader.name(_TORCH_DTYPE)
    device = reader.name(DEVICES)
    flag = bytes(reader.take(1))
    if flag not in (b"T", b"F"):
        raise Malformed("bad flag")
    shape = reader.shape(has_elements=device != "meta")
    dtype = _TORCH_DTYPE[name]
    if device == "meta":
        tensor = torch.empty(shape, dtype=dtype, device="meta")
    else:
        content = _content(reader, shape, name, _ITEMSIZE[name])
        # torch.frombuffer refuses an empty buffer; it needs a writable one, which a bytearray is.
        tensor = torch.frombuffer(content, dtype=dtype).reshape(shape) if content else torch.empty(shape, dtype=dtype)
        if device == "cuda":
            if not torch.cuda.is_available():
                raise Malformed("a CUDA tensor where there is no CUDA")
            tensor = tensor.cuda()
    if flag == b"T":
        if not (dtype.is_floating_point or dtype.is_complex):
            raise Malformed("requires_grad on integers")
        tensor.requires_grad_(True)
    return tensor
