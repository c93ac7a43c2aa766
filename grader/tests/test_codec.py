"""Tests of the wire format: what is data round-trips to the bit, what is not is refused, and no bytes do harm."""

from __future__ import annotations

import collections
import enum
import math
import struct
import tracemalloc
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grader.worker import codec
from grader.worker.codec import ARRAY_DTYPES, DTYPES, Malformed, NotData, decode, encode

pytestmark = pytest.mark.filterwarnings("ignore:ComplexHalf support is experimental")

quick = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def fingerprint(value: Any) -> Any:
    """Equal for two values only if they are the same to the bit and of the same types all the way down."""
    kind = type(value)
    if kind is float:
        return "float", struct.pack("<d", value)
    if kind is complex:
        return "complex", struct.pack("<dd", value.real, value.imag)
    if kind in (list, tuple):
        return kind.__name__, [fingerprint(item) for item in value]
    if kind is set:
        return "set", sorted((fingerprint(item) for item in value), key=repr)
    if kind is dict:
        return "dict", [(fingerprint(key), fingerprint(item)) for key, item in value.items()]
    if kind is torch.Tensor:
        meta = value.device.type == "meta"
        return "tensor", value.dtype, value.device, tuple(value.shape), value.requires_grad, meta or bits(value)
    if kind is np.ndarray:
        return "array", value.dtype, value.shape, b"".join(item.tobytes() for item in value.reshape(-1))
    assert kind in (type(None), bool, int, str, bytes, torch.dtype, torch.device, torch.Size), kind
    return kind.__name__, value


def bits(tensor: torch.Tensor) -> bytes:
    """The elements in row-major order, copied one by one and so without regard to strides."""
    flat = torch.empty(tensor.numel(), dtype=tensor.dtype)
    for place, index in enumerate(np.ndindex(*tensor.shape)):
        flat[place] = tensor.detach()[index]
    return flat.view(torch.uint8).numpy().tobytes()


def assert_same_after_trip(value: Any) -> None:
    assert fingerprint(decode(encode(value))) == fingerprint(value)


def tensor_of(name: str, content: bytes) -> torch.Tensor:
    """A tensor with one dimension over these bytes."""
    if name == "bool":
        return torch.tensor([bool(byte & 1) for byte in content], dtype=torch.bool)
    if not content:
        return torch.empty(0, dtype=getattr(torch, name))
    return torch.frombuffer(bytearray(content), dtype=getattr(torch, name))


# Strategies

texts = st.text(st.characters(exclude_categories=()), max_size=20)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**2000), 2**2000),
    st.binary(min_size=8, max_size=8).map(lambda content: struct.unpack("<d", content)[0]),
    st.floats(),
    st.complex_numbers(),
    texts,
    st.binary(max_size=20),
    st.sampled_from(DTYPES).map(lambda name: getattr(torch, name)),
    st.sampled_from(["cpu", "cuda", "meta", "cuda:0", "cuda:7", "cpu:0"]).map(torch.device),
    st.lists(st.integers(0, 2**40), max_size=1).map(torch.Size),
    st.lists(st.integers(0, 100), max_size=6).map(torch.Size),
)


@st.composite
def tensors(draw: st.DrawFn) -> torch.Tensor:
    name = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    wide = [2 * size + 1 for size in shape]
    count = math.prod(wide) + 2
    content = np.random.default_rng(draw(st.integers(0, 2**20))).bytes(count * getattr(torch, name).itemsize)
    flat = tensor_of(name, content)
    base = flat[2:].reshape(wide)
    tensor = base[tuple(slice(1, None, 2) for _ in shape)].permute(draw(st.permutations(range(len(shape)))))
    kind = draw(st.sampled_from(["strided", "contiguous", "expanded", "conj", "neg", "requires_grad", "meta"]))
    if kind == "contiguous":
        return tensor.clone(memory_format=torch.contiguous_format)
    if kind == "expanded":
        return tensor.expand(2, *tensor.shape)
    if kind == "conj" and tensor.is_complex():
        return tensor.conj()
    if kind == "neg" and tensor.is_complex() and name != "complex32":
        return tensor.conj().imag
    if kind == "requires_grad" and (tensor.is_floating_point() or tensor.is_complex()):
        return tensor.detach().requires_grad_()
    return tensor.to("meta") if kind == "meta" else tensor


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    name = draw(st.sampled_from(ARRAY_DTYPES))
    shape = draw(st.lists(st.integers(0, 3), max_size=3))
    array = tensor_of(name, bytes(range(256)) * 12)[: math.prod(shape)].numpy().reshape(shape)
    turned = draw(st.sampled_from(["as it is", "transposed", "reversed", "fortran", "broadcast", "read-only"]))
    if turned == "transposed":
        return array.T
    if turned == "reversed":
        return np.asarray(np.flip(array))
    if turned == "fortran":
        return np.asfortranarray(array)
    if turned == "broadcast":
        return np.broadcast_to(array, (2, *array.shape))
    if turned == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


keys = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), texts, st.binary(max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)
values = st.recursive(
    st.one_of(scalars, tensors(), arrays()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.sets(keys, max_size=4),
        st.dictionaries(keys, inner, max_size=4),
    ),
    max_leaves=8,
)


# What is data


@quick
@given(scalars)
def test_scalars_come_back_as_they_were(value: Any) -> None:
    assert_same_after_trip(value)


@settings(quick, max_examples=150)
@given(tensors())
def test_tensors_come_back_as_they_were(value: torch.Tensor) -> None:
    assert_same_after_trip(value)


@quick
@given(arrays())
def test_arrays_come_back_as_they_were(value: np.ndarray) -> None:
    assert_same_after_trip(value)


@quick
@given(values)
def test_nested_data_comes_back_as_it_was(value: Any) -> None:
    assert_same_after_trip(value)


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_in_every_shape(name: str) -> None:
    flat = tensor_of(name, bytes(range(256)))
    for tensor in (flat, flat[:0], flat[3], flat[1:2], flat[1::2], flat[:4].reshape(2, 2).T, flat[:2].expand(3, 2)):
        assert_same_after_trip(tensor)
    assert_same_after_trip(getattr(torch, name))


@pytest.mark.parametrize("name", ARRAY_DTYPES)
def test_every_array_dtype_in_every_shape(name: str) -> None:
    flat = tensor_of(name, bytes(range(256))).numpy()
    for array in (flat, flat[:0], flat[3:4].reshape(()), flat[::-1], flat[:4].reshape(2, 2).T):
        assert_same_after_trip(array)


@pytest.mark.parametrize("number", [0x7FF8000000000001, 0xFFF80000DEADBEEF, 0x7FF0000000000001, 1 << 63, 0x7FF << 52])
def test_nan_payloads_and_signs_survive(number: int) -> None:
    content = number.to_bytes(8, "little")
    assert_same_after_trip(torch.frombuffer(bytearray(content), dtype=torch.float64))
    assert_same_after_trip(np.frombuffer(content))
    if number != 0x7FF0000000000001:  # A signalling NaN is quietened by some processors on its way through a float.
        assert_same_after_trip(struct.unpack("<d", content)[0])


@pytest.mark.parametrize("index", range(3))
def test_one_element_with_a_stride(index: int) -> None:
    assert_same_after_trip(torch.arange(9.0).reshape(3, 3)[index : index + 1, ::3])
    assert_same_after_trip(torch.tensor([1 + 2j]).conj().imag)


def test_integers_at_their_limit() -> None:
    most = 2 ** (8 * codec.MAX_INT_BYTES - 1)
    for number in (most - 1, 1 - most, 255, 256, -128, -129, 2**63, -(2**63) - 1):
        assert_same_after_trip(number)
    with pytest.raises(NotData):
        encode(most)


def test_a_size_need_not_be_the_shape_of_a_tensor() -> None:
    for size in (torch.Size([2**63 - 1]), torch.Size([2**40, 2**40]), torch.Size([0, 2**62])):
        assert_same_after_trip(size)


def test_decoded_tensors_can_be_written_to_and_share_nothing() -> None:
    original = torch.zeros(3)
    first, second = decode(encode([original, original]))
    first[0] = 1
    array = decode(encode(np.zeros(3)))
    array[0] = 1
    assert original.tolist() == second.tolist() == [0, 0, 0]


def test_a_result_of_autograd_comes_back_as_a_leaf_that_requires_grad() -> None:
    result = decode(encode(torch.ones(2, requires_grad=True) * 2))
    assert result.requires_grad
    assert result.is_leaf


def test_a_meta_tensor_of_any_size_takes_no_memory() -> None:
    assert_same_after_trip(torch.empty(2**30, 2**20, device="meta"))


# What is not


class OwnInt(int):
    pass


class OwnText(str):
    pass


class OwnDict(dict):
    pass


class OwnList(list):
    pass


class OwnTensor(torch.Tensor):
    pass


class OwnArray(np.ndarray):
    pass


class Colour(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


class NamelessKind(type):
    @property
    def __name__(cls) -> str:  # type: ignore[override]
        raise SystemExit("a class whose name cannot be asked for")


class Nameless(metaclass=NamelessKind):
    pass


def escaped_from_vmap() -> torch.Tensor:
    kept: list[torch.Tensor] = []
    torch.vmap(lambda row: kept.append(row) or row)(torch.ones(3))
    return kept[0]


def within(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def doubled(times: int) -> list:
    value: list = [0]
    for _ in range(times):
        value = [value, value]
    return value


def itself() -> list:
    value: list = []
    value.append(value)
    return value


def quantised() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.qint8)


def nested() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])


def sparse_rows() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.eye(3).to_sparse_csr()


NOT_DATA = {
    "a subclass of int": lambda: OwnInt(1),
    "a subclass of str": lambda: OwnText("x"),
    "a subclass of dict": lambda: OwnDict(),
    "a subclass of list": lambda: OwnList(),
    "an OrderedDict": lambda: collections.OrderedDict(a=1),
    "an enumeration": lambda: Colour.RED,
    "a named tuple": lambda: Point(1, 2),
    "a subclass of Tensor": lambda: torch.ones(2).as_subclass(OwnTensor),
    "a subclass of ndarray": lambda: np.ones(2).view(OwnArray),
    "a masked array": lambda: np.ma.masked_array([1, 2], [True, False]),
    "a parameter": lambda: torch.nn.Parameter(torch.ones(2)),
    "a module": lambda: torch.nn.Linear(1, 1),
    "a NumPy scalar": lambda: np.float64(1),
    "a generator": lambda: (item for item in range(3)),
    "an endless generator": lambda: iter(int, 1),
    "a range": lambda: range(3),
    "a function": lambda: len,
    "a lambda": lambda: lambda: 1,
    "a class": lambda: int,
    "an object": object,
    "a frozenset": lambda: frozenset([1]),
    "a bytearray": lambda: bytearray(b"x"),
    "a memoryview": lambda: memoryview(b"x"),
    "an exception": lambda: ValueError("x"),
    "NotImplemented": lambda: NotImplemented,
    "an ellipsis": lambda: ...,
    "dict keys": lambda: {1: 2}.keys(),
    "a sparse tensor": lambda: torch.eye(3).to_sparse(),
    "a tensor of sparse rows": sparse_rows,
    "a quantised tensor": quantised,
    "a nested tensor": nested,
    "a tensor that escaped from vmap": escaped_from_vmap,
    "a dtype for quantised tensors": lambda: torch.qint8,
    "a device of another kind": lambda: torch.device("mps"),
    "a device with a long number": lambda: torch.device("cuda", 100),
    "an object array": lambda: np.array([object()], dtype=object),
    "an array of text": lambda: np.array(["x"]),
    "an array of dates": lambda: np.zeros(2, "M8[s]"),
    "a structured array": lambda: np.zeros(2, [("x", "f4")]),
    "an array of the other byte order": lambda: np.zeros(2, np.dtype(np.float32).newbyteorder()),
    "a size with a negative number": lambda: torch.Size([-1, 2]),
    "a size of many dimensions": lambda: torch.Size([1] * 65),
    "a tensor of many dimensions": lambda: torch.zeros([1] * 65),
    "a meta tensor beyond all sizes": lambda: torch.empty(2**62, dtype=torch.uint8, device="meta"),
    "an expanded tensor of 2**40 elements": lambda: torch.zeros(1).expand(2**40),
    "a broadcast array of 2**40 elements": lambda: np.broadcast_to(np.zeros(1), (2**40,)),
    "a list that contains itself": itself,
    "a list 65 deep": lambda: within(65),
    "a list 10,000 deep": lambda: within(10_000),
    "a list that is small in memory and has 2**40 items": lambda: doubled(40),
    "a list of too many items": lambda: [0] * 1_000_001,
    "lists of too many items together": lambda: [[0] * 600_000] * 2,
    "a set of too many keys": lambda: set(range(10_001)),
    "sets of too many keys together": lambda: [set(range(9_000))] * 2,
    "an int of 100,000 bits": lambda: 1 << 100_000,
    "a class without a name": Nameless,
}


@pytest.mark.parametrize("what", list(NOT_DATA))
def test_what_is_not_data_is_refused(what: str) -> None:
    value = NOT_DATA[what]()
    with pytest.raises(NotData) as refusal:
        encode(value)
    assert 0 < len(str(refusal.value)) < 200
    assert "\n" not in str(refusal.value)


def test_what_is_not_data_is_refused_inside_of_data() -> None:
    for value in ([object()], (1, [object()]), {"x": object()}, {object(): "x"}, {object()}, {"x": ({"y": object()},)}):
        with pytest.raises(NotData, match="an object"):
            encode(value)


def test_the_size_of_the_output_is_capped() -> None:
    assert len(encode(b"x" * 995, max_bytes=1000)) == 1000
    for value in (b"x" * 996, ["x" * 300] * 4, torch.zeros(251), np.zeros(126), list(range(500))):
        with pytest.raises(NotData):
            encode(value, max_bytes=1000)


# Bytes that nobody encoded


def u32(number: int) -> bytes:
    return struct.pack("<I", number)


def named(tag: bytes, *names: bytes) -> bytes:
    return tag + b"".join(u32(len(name)) + name for name in names)


def shape_of(*sizes: int) -> bytes:
    return u32(len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)


def tensor_claim(dtype: bytes, device: bytes, *sizes: int, content: bytes | None = None, flag: bytes = b"F") -> bytes:
    tail = b"" if content is None else u32(len(content)) + content
    return named(b"X", dtype, device) + flag + shape_of(*sizes) + tail


def integer(number: int) -> bytes:
    return named(b"i", number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True))


def survives(data: bytes) -> bool:
    """Decode; what comes out must be data that can be encoded again. Anything but Malformed goes through."""
    try:
        value = decode(data)
    except Malformed:
        return False
    assert fingerprint(decode(encode(value))) == fingerprint(value)
    return True


PIECES = [
    *(bytes([tag]) for tag in b"NTFifcsbltedDVSXA"),
    *(u32(number) for number in (0, 1, 2, 3, 4, 5, 8, 16, 2**32 - 1)),
    *(named(b"", name.encode()) for name in ("float32", "bool", "bfloat16", "cpu", "meta", "cuda:0", "complex128")),
    *(struct.pack("<Q", number) for number in (0, 1, 2, 2**60, 2**61, 2**64 - 1)),
    b"\0" * 8,
]


@settings(quick, max_examples=200)
@given(st.binary(max_size=60))
def test_arbitrary_bytes_are_data_or_malformed(data: bytes) -> None:
    survives(data)


@settings(quick, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))
def test_pieces_of_the_format_in_any_order_are_data_or_malformed(data: bytes) -> None:
    survives(data)


@settings(quick, max_examples=150)
@given(values, st.data())
def test_damaged_encodings_are_data_or_malformed(value: Any, data: st.DataObject) -> None:
    encoded = encode(value)
    place = data.draw(st.integers(0, len(encoded) - 1))
    assert not survives(encoded[:place]), "a value that was cut short"
    assert not survives(encoded + b"N"), "a value with bytes left over"
    piece = data.draw(st.one_of(st.binary(min_size=1, max_size=4), st.sampled_from(PIECES)))
    survives(encoded[:place] + piece + encoded[place:])
    survives(encoded[:place] + piece + encoded[place + len(piece) :])
    survives(encoded[:place] + encoded[place + 1 :])


HOSTILE = {
    "nothing": b"",
    "an unknown tag": b"?",
    "a list of 2**32 items": b"l" + u32(2**32 - 1) + b"N" * 100,
    "a tuple of 2**32 items": b"t" + u32(2**32 - 1) + b"N" * 100,
    "a set of 2**32 items": b"e" + u32(2**32 - 1) + b"N" * 100,
    "a dict of 2**32 items": b"d" + u32(2**32 - 1) + b"N" * 100,
    "a text of 4 GiB": b"s" + u32(2**32 - 1) + b"x" * 100,
    "bytes of 4 GiB": b"b" + u32(2**32 - 1) + b"x" * 100,
    "an int of 4 GiB": b"i" + u32(2**32 - 1) + b"x" * 100,
    "an int of no bytes": b"i" + u32(0),
    "an int of more bytes than allowed": named(b"i", b"\1" * 5000),
    "a text that is not UTF-8": named(b"s", b"\xff\xfe"),
    "lists 10,000 deep": (b"l" + u32(1)) * 10_000 + b"N",
    "dicts 10,000 deep": (b"d" + u32(1) + b"N") * 10_000 + b"N",
    "sets in sets": b"e" + u32(1) + b"e" + u32(0),
    "a list as key": b"d" + u32(1) + b"l" + u32(0) + b"N",
    "an array as key": b"e" + u32(1) + named(b"A", b"bool") + shape_of(0) + u32(0),
    "a tensor of 2**60 elements without any": tensor_claim(b"float32", b"cpu", 2**60, content=b""),
    "a tensor of 2**60 elements, its size cut to 32 bits": tensor_claim(b"uint8", b"cpu", 2**32, content=b""),
    "a tensor with a product beyond 64 bits": tensor_claim(b"uint8", b"cpu", 2**32, 2**32, content=b""),
    "an empty tensor with a stride beyond 64 bits": tensor_claim(b"uint8", b"cpu", 0, 2**40, 2**40, content=b""),
    "a tensor of one byte too few": tensor_claim(b"float32", b"cpu", 2, content=b"\0" * 7),
    "a tensor of one byte too many": tensor_claim(b"float32", b"cpu", 2, content=b"\0" * 9),
    "a tensor of 65 dimensions": tensor_claim(b"uint8", b"cpu", *[1] * 65, content=b"\0"),
    "a meta tensor of 2**62 elements": tensor_claim(b"uint8", b"meta", 2**62),
    "a meta tensor of 2**61 floats": tensor_claim(b"float32", b"meta", 2**60, 2),
    "a meta tensor of 2**64 - 1 elements": tensor_claim(b"uint8", b"meta", 2**64 - 1),
    "a tensor on an unknown device": tensor_claim(b"uint8", b"mps", 1, content=b"\0"),
    "a tensor of an unknown dtype": tensor_claim(b"object", b"cpu", 1, content=b"\0" * 8),
    "a tensor with a bad flag": tensor_claim(b"float32", b"cpu", 0, content=b"", flag=b"?"),
    "an int tensor that requires grad": tensor_claim(b"int64", b"cpu", 0, content=b"", flag=b"T"),
    "a bool that is neither": tensor_claim(b"bool", b"cpu", 1, content=b"\2"),
    "a bool in an array that is neither": named(b"A", b"bool") + shape_of(1) + named(b"", b"\2"),
    "an empty array of 2**61 rows": named(b"A", b"complex128") + shape_of(2**61, 0) + u32(0),
    "an array of 2**60 elements": named(b"A", b"float64") + shape_of(2**60) + u32(0),
    "an array of objects": named(b"A", b"object") + shape_of(1) + named(b"", b"\0" * 8),
    "a device with a long number": named(b"V", b"cuda:100"),
    "a device with no number": named(b"V", b"cuda:"),
    "a device with a sign": named(b"V", b"cuda:-1"),
    "a device with another digit": named(b"V", "cuda:\u0661".encode()),
    "a size beyond 64 bits": b"S" + shape_of(2**63),
    "a million and one items": b"l" + u32(1_000_001) + b"N" * 1_000_001,
    "more items than a million in two lists": b"l" + u32(2) + (b"l" + u32(600_000) + b"N" * 600_000) * 2,
    "too many keys": b"e" + u32(10_001) + b"".join(map(integer, range(10_001))),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_bytes_are_malformed_and_cost_little(what: str) -> None:
    data = HOSTILE[what]
    tracemalloc.start()
    try:
        with pytest.raises(Malformed):
            decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**20 + 64 * len(data)


def test_more_bytes_than_allowed_are_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_BYTES", 1000)
    assert decode(named(b"b", b"x" * 995)) == b"x" * 995
    with pytest.raises(Malformed):
        decode(named(b"b", b"x" * 996))


@pytest.mark.parametrize("length", [1, 98])
def test_keys_that_all_have_one_hash_are_malformed(length: int) -> None:
    # Python's hash of an int is the int modulo 2**61 - 1. Each of these keys would be compared with all before it, item
    # by item: 10,000 of them in a set take minutes.
    numbers = [integer(index * (2**61 - 1)) for index in range(1_000)]
    keys = [b"t" + u32(length) + b"N" * (length - 1) + number for number in numbers]
    with pytest.raises(Malformed):
        decode(b"e" + u32(len(keys)) + b"".join(keys))
    with pytest.raises(Malformed):
        decode(b"d" + u32(len(keys)) + b"".join(key + b"N" for key in keys))


def test_a_key_that_is_there_twice_counts_once() -> None:
    assert decode(b"d" + u32(2) + b"NT" + b"NF") == {None: False}
