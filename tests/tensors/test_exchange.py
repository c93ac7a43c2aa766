"""Hidden suite of tensors/exchange."""

from __future__ import annotations

import collections
import io
import math
import os
import pickle
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from grader.testing import (
    assert_equal,
    assert_error,
    assert_no_error,
    assert_tensor,
    error_of,
    exercise,
    layout_of,
    shares_storage,
    short,
)

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


def as_tensor(array):
    """What an array should become, by way of Python numbers: nothing of torch's NumPy bridge is trusted here."""
    numbers = torch.tensor(array.tolist(), dtype=getattr(torch, array.dtype.newbyteorder("=").name))
    return numbers.reshape(array.shape)


@exercise("from_numpy_safe")
class TestFromNumpySafe:
    @pytest.mark.weight(2)
    def test_owns_its_memory(self, observe, rng):
        rows, columns = rng.sizes(2, 3, 7)
        numbers, others = rng.array((rows, columns)), rng.array((rows, columns), low=3, high=9)

        def probe(m):
            forms = {
                "an array": lambda: numbers.copy(),
                "an array in Fortran order": lambda: np.asfortranarray(numbers.copy()),
                "a slice of a larger array": lambda: np.pad(numbers, 2)[2:-2, 2:-2],
                "a 0-d array": lambda: np.array(numbers[0, 1]),
            }
            seen = {}
            for form, make in forms.items():
                source, target = make(), make()
                new = others[0, 1] if source.ndim == 0 else others
                kept = m.from_numpy_safe(source)
                source[...] = new
                m.from_numpy_safe(target).copy_(torch.tensor(new.tolist()))
                seen[form] = (kept, target.copy())
            return seen

        for form, (kept, target) in observe(probe).items():
            expected = numbers[0, 1].reshape(()) if form == "a 0-d array" else numbers
            note = "The two share memory."
            assert_tensor(kept, as_tensor(expected), f"the tensor of {form}, once the array is overwritten,", note=note)
            assert_equal(target, np.array(expected), f"{form}, once the tensor is overwritten,", note=note)

    def test_flipped_arrays_keep_their_order(self, observe, rng):
        rows, columns, depth = rng.sizes(3, 3, 6)
        image, line = rng.array((rows, columns, depth)), rng.array((columns,), np.int64, -90, 90)
        line[:2] = 91, -91
        flips = [
            (image, (slice(None, None, -1),)),
            (image, (slice(None), slice(None, None, -2))),
            (image, (slice(None, None, -1), slice(None), slice(None, 0, -1))),
            (line, (slice(-2, None, -1),)),
        ]
        seen = observe(lambda m: [m.from_numpy_safe(base[cut]) for base, cut in flips])
        names = ("a[::-1]", "a[:, ::-2]", "a[::-1, :, :0:-1]", "a[-2::-1]")
        for out, name, (base, cut) in zip(seen, names, flips, strict=True):
            assert_tensor(out, as_tensor(base[cut]), f"`from_numpy_safe({name})`", rtol=0, atol=0)

    def test_read_only_arrays_stay_as_they_are(self, observe, rng):
        numbers, raw = rng.array((5,), low=0.5), rng.array((7,), np.uint8, 1, 250).tobytes()

        def probe(m):
            frozen = numbers.copy()
            frozen.flags.writeable = False
            sources = [frozen, np.frombuffer(raw, np.uint8), np.broadcast_to(numbers.copy(), (3, 5))]
            outs = [m.from_numpy_safe(source) for source in sources]
            for source in sources:
                m.from_numpy_safe(source).zero_()
            return {
                "outs": outs,
                "sources": [source.copy() for source in sources],
                "writeable": [source.flags.writeable for source in sources],
            }

        seen = observe(probe)
        expected = [numbers, np.array(list(raw), dtype=np.uint8), np.array([numbers] * 3)]
        names = ("a frozen array", "an array over bytes", "a broadcast array")
        for name, out, source, wanted in zip(names, seen.outs, seen.sources, expected, strict=True):
            assert_tensor(out, as_tensor(wanted), f"the tensor of {name}", rtol=0, atol=0)
            note = "It is read-only: nothing may write into it."
            assert_equal(source, wanted, f"{name}, after zero_() on its tensor,", note=note)
        assert_equal(seen.writeable, [False] * 3, "whether the read-only arrays can be written afterwards")

    def test_sixteen_bit_values_above_32767_stay_right(self, observe, rng):
        image = rng.numpy.integers(0, 65536, (4, 5)).astype(np.uint16)
        image[1, 2:4] = 40000, 65535
        seen = observe(lambda m: {"image": m.from_numpy_safe(image), "flipped": m.from_numpy_safe(image[:, ::-1])})
        assert_tensor(seen.image, as_tensor(image), "the tensor of a uint16 image", rtol=0, atol=0)
        assert_tensor(seen.flipped, as_tensor(image[:, ::-1]), "the tensor of a flipped uint16 image", rtol=0, atol=0)

    def test_the_dtype_of_the_same_name_comes_out(self, observe, rng):
        arrays = [rng.array((6,), np.bool_)]
        for name in INTEGERS:
            info = np.iinfo(name)
            array = rng.numpy.integers(info.min, info.max, 6, dtype=name, endpoint=True)
            array[2:4] = info.min, info.max
            arrays.append(array)
        arrays += [rng.array((6,), name) for name in ("float16", "float32", "float64")]
        arrays += [(rng.array((6,)) + 1j * rng.array((6,))).astype(name) for name in ("complex64", "complex128")]
        arrays = rng.shuffled(arrays)
        seen = observe(lambda m: [m.from_numpy_safe(array) for array in arrays])
        for out, array in zip(seen, arrays, strict=True):
            assert_tensor(out, as_tensor(array), f"the tensor of a {array.dtype.name} array", rtol=0, atol=0)

    def test_reads_numbers_in_the_other_byte_order(self, observe, rng):
        arrays = [rng.array((2, 3), np.float32), rng.array((4,), np.int16, 300, 9000), rng.array((3,), np.float64)]
        arrays.append(rng.array((5,), np.uint16, 33000, 65000))
        names = ("int32", "int64", "uint32", "uint64", "float16", "complex64", "complex128")
        arrays += [rng.array((3,), name, 300, 9000) for name in names]

        def probe(m):
            swapped = [array.astype(array.dtype.newbyteorder("S")) for array in arrays]
            outs = [m.from_numpy_safe(array) for array in swapped]
            return {"outs": outs, "after": [array.tolist() for array in swapped]}

        seen = observe(probe)
        for out, after, array in zip(seen.outs, seen.after, arrays, strict=True):
            name = f"a {array.dtype.name} array in the other byte order"
            assert_tensor(out, as_tensor(array), f"the tensor of {name}", rtol=0, atol=0)
            assert_equal(after, array.tolist(), f"{name}, afterwards,")

    def test_any_shape(self, observe, rng):
        value = rng.uniform(1, 9)
        plain = [np.array(value), rng.array((1,)), rng.array((0, 3)), rng.array((2, 0, 4), np.int32)]
        plain.append(rng.array((1, 2, 1, 3)))
        weights = rng.array((4,), np.float64)

        def probe(m):
            record = np.zeros(4, dtype=[("id", np.int16), ("weight", np.float64)])  # 10 bytes from one to the next
            record["weight"] = weights
            return [m.from_numpy_safe(array) for array in (*plain, record["weight"])]

        for out, array in zip(observe(probe), (*plain, weights), strict=True):
            assert_tensor(out, as_tensor(array), f"the tensor of an array of shape {array.shape}", rtol=0, atol=0)

    def test_refuses_what_holds_no_numbers(self, observe, rng):
        numbers = rng.array((3,))

        def probe(m):
            arrays = {
                "text": np.array(["1.5", "2.5"]),
                "objects": np.array([1, None], dtype=object),
                "dates": np.array(["2024-02-29"], dtype="datetime64[D]"),
                "records": np.zeros(2, dtype=[("a", np.int32), ("b", np.int32)]),
            }
            errors = {kind: error_of(lambda: m.from_numpy_safe(array)) for kind, array in arrays.items()}
            return {"errors": errors, "good": m.from_numpy_safe(numbers)}

        seen = observe(probe)
        for kind, error in seen.errors.items():
            assert_error(error, TypeError, what=f"`from_numpy_safe` of an array of {kind}")
        assert_tensor(seen.good, as_tensor(numbers), "the tensor of a float32 array", rtol=0, atol=0)


@exercise("save_tensors")
class TestSaveTensors:
    def test_what_was_saved_comes_back(self, observe, rng):
        a, b, c = rng.sizes(3)
        tensors = {
            "weight": rng.strided((a, b)),
            "scale": rng.tensor(()),
            "nothing": rng.tensor((0, c)),
            "row": rng.tensor((1, c)),
            "wide": rng.tensor((b, 1)).expand(b, c),
        }
        names = rng.shuffled(list(tensors))
        if names == sorted(names):
            names.reverse()
        sent = {name: tensors[name] for name in names}

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                m.save_tensors(sent, f"{folder}/some.pt")
                sent["row"].zero_()  # the file keeps what was
                sent["weight"].zero_()
                back = m.load_tensors(f"{folder}/some.pt")
                return {"names": list(back), "back": dict(back)}

        seen = observe(probe)
        assert_equal(seen.names, list(sent), "the names that come back")
        for name, tensor in sent.items():
            assert_tensor(seen.back[name], tensor, f"`{name}`, saved and loaded,", rtol=0, atol=0)

    def test_dtypes_come_back(self, observe, rng):
        names = "float16 bfloat16 float32 float64 complex64 bool uint8 int8 int16 int32 int64".split()
        sent = {name: rng.tensor((2, 3), torch.float32, 1, 90).to(getattr(torch, name)) for name in names}
        sent["int64"][0, 0] = 2**53 + 1
        sent["float64"][0, 0] = 1 + 2.0**-40

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                m.save_tensors(sent, f"{folder}/dtypes.pt")
                return {"back": dict(m.load_tensors(f"{folder}/dtypes.pt"))}

        back = observe(probe).back
        for name, tensor in sent.items():
            assert_tensor(back.get(name), tensor, f"the {name} tensor, saved and loaded,", rtol=0, atol=0)

    def test_requires_grad_comes_back(self, observe, rng):
        trained, frozen, counts = rng.tensor((3,)), rng.tensor((2,)), rng.tensor((4,), torch.int64, 0, 9)
        wide = rng.tensor((2, 3))

        def probe(m):
            leaf = trained.clone().requires_grad_()
            sent = {"leaf": leaf, "frozen": frozen, "doubled": leaf * 2, "counts": counts}
            with tempfile.TemporaryDirectory() as folder:
                m.save_tensors(sent, f"{folder}/g.pt")
                back = dict(m.load_tensors(f"{folder}/g.pt"))
                # A file of somebody else's: its tensor is transposed in memory, whatever save_tensors would make of it.
                torch.save({"turned": wide.clone().requires_grad_().T}, f"{folder}/turned.pt")
                back["turned"] = m.load_tensors(f"{folder}/turned.pt")["turned"]
            return {
                "flags": {name: tensor.requires_grad for name, tensor in back.items()},
                "leaves": {name: tensor.is_leaf for name, tensor in back.items()},
                "doubled": back["doubled"].detach(),
                "turned": back["turned"].detach(),
            }

        seen = observe(probe)
        flags = {"leaf": True, "frozen": False, "doubled": True, "counts": False, "turned": True}
        assert_equal(seen.flags, flags, "`requires_grad` after loading")
        note = "What is computed from a leaf that requires grad is no leaf."
        assert_equal(seen.leaves, dict.fromkeys(flags, True), "`is_leaf` after loading", note=note)
        assert_tensor(seen.doubled, trained * 2, "a saved result of a computation", rtol=0, atol=0)
        assert_tensor(seen.turned, wide.T, "a transposed tensor, saved by torch.save and loaded,", rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_a_small_view_makes_a_small_file(self, observe, rng):
        buffer, at = rng.tensor((128, 128)), rng.integer(1, 120)

        def probe(m):
            views = {"a row": buffer[at], "a column": buffer[:, at], "a block": buffer[at : at + 3, 2:7]}
            seen = {}
            with tempfile.TemporaryDirectory() as folder:
                for name, view in views.items():
                    path = f"{folder}/{name}.pt"
                    m.save_tensors({"view": view}, path)
                    back = m.load_tensors(path)["view"]
                    seen[name] = (os.path.getsize(path), layout_of(back)["storage_bytes"], back)
            return seen

        expected = {"a row": buffer[at], "a column": buffer[:, at], "a block": buffer[at : at + 3, 2:7]}
        for name, (size, storage_bytes, back) in observe(probe).items():
            own = expected[name].numel() * 4
            about = f"{name} of a (128, 128) float32 tensor has {own} bytes of numbers"
            assert size <= own + (16 + 1) * 1024, f"{about}, but its file has {size:,} bytes."
            assert storage_bytes <= own, f"{about}, but it comes back as a view of {storage_bytes:,} bytes."
            assert_tensor(back, expected[name], f"{name}, saved and loaded,", rtol=0, atol=0)

    def test_loaded_tensors_share_nothing(self, observe, rng):
        whole = rng.tensor((6,))

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                m.save_tensors({"whole": whole, "again": whole, "middle": whole[2:4]}, f"{folder}/tied.pt")
                back = m.load_tensors(f"{folder}/tied.pt")
            back["whole"].fill_(7.0)
            return {"again": back["again"], "middle": back["middle"]}

        seen = observe(probe)
        note = "Each saved tensor should have a storage of its own."
        assert_tensor(seen.again, whole, "`again`, after writing into `whole`,", rtol=0, atol=0, note=note)
        assert_tensor(seen.middle, whole[2:4], "`middle`, after writing into `whole`,", rtol=0, atol=0, note=note)

    def test_the_file_is_one_that_torch_reads(self, observe, rng):
        first, second = rng.tensor((2, 5)), rng.tensor((3,))

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "weights of today"
                m.save_tensors({"first": second, "old": second}, path)
                m.save_tensors({"first": first, "second": second}, path)
                listing = os.listdir(folder)
                boxes = []
                error = error_of(lambda: boxes.append(torch.load(str(path), weights_only=True)))
                read = boxes[0] if boxes else None
                return {"listing": listing, "error": error, "read": dict(read) if isinstance(read, dict) else read}

        seen = observe(probe)
        assert_equal(seen.listing, ["weights of today"], "the files after saving to `weights of today`, twice,")
        assert_no_error(seen.error, "`torch.load(path, weights_only=True)` on the saved file")
        assert_equal(seen.read, {"first": first, "second": second}, "what torch.load reads in the saved file")

    @pytest.mark.weight(2)
    def test_refuses_a_file_that_carries_code(self, observe, rng):
        honest = rng.tensor((3,))

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                trace = f"{folder}/trace"

                class Stranger:
                    def __reduce__(self):
                        return os.mkdir, (trace,)

                torch.save({"weight": honest}, f"{folder}/honest.pt")
                torch.save({"weight": honest, "extra": Stranger()}, f"{folder}/stranger.pt")
                error = error_of(lambda: m.load_tensors(f"{folder}/stranger.pt"))
                good = m.load_tensors(f"{folder}/honest.pt")
                return {"ran": os.path.exists(trace), "error": error, "honest": dict(good)}

        seen = observe(probe)
        assert_equal(seen.honest, {"weight": honest}, "what comes from an honest file")
        assert not seen.ran, (
            "`load_tensors` ran the code that a stranger had put into the file. "
            "It only made a folder, but it might have done anything."
        )
        assert_error(seen.error, pickle.UnpicklingError, "when the file holds an object with code", "`load_tensors`")

    def test_tensors_from_a_gpu_come_back_on_the_cpu(self, observe, rng):
        weight, bias = rng.tensor((2, 3)), rng.tensor((3,), torch.float16)
        file = io.BytesIO()
        # The file that a machine with a GPU would have written: all that differs is where it says its storages were.
        with mock.patch.object(torch.serialization, "location_tag", return_value="cuda:0"):
            torch.save({"weight": weight, "bias": bias}, file)
        content = file.getvalue()

        def probe(m):
            with tempfile.TemporaryDirectory() as folder:
                Path(f"{folder}/gpu.pt").write_bytes(content)
                return dict(m.load_tensors(f"{folder}/gpu.pt"))

        seen = observe(probe)
        assert_tensor(seen.weight, weight, "`weight`, saved from a GPU,", rtol=0, atol=0)
        assert_tensor(seen.bias, bias, "`bias`, saved from a GPU,", rtol=0, atol=0)

    def test_leaves_the_dict_and_its_tensors_alone(self, observe, rng):
        buffer, other = rng.tensor((4, 5)), rng.tensor((2,))

        def probe(m):
            trained = other.clone().requires_grad_()
            row = buffer[2]
            sent = {"row": row, "trained": trained}
            with tempfile.TemporaryDirectory() as folder:
                m.save_tensors(sent, f"{folder}/kept.pt")
                back = m.load_tensors(f"{folder}/kept.pt")
            return {
                "names": list(sent),
                "same": [sent["row"] is row, sent["trained"] is trained],
                "view": shares_storage(row, buffer),
                "flags": [row.requires_grad, trained.requires_grad],
                "row": row,
                "back": back["row"],
            }

        seen = observe(probe)
        assert_equal(seen.names, ["row", "trained"], "the names in the dict after saving")
        for name, same in zip(("row", "trained"), seen.same, strict=True):
            assert same, f"after saving, `tensors[{name!r}]` should be the same tensor as before, but it is another."
        assert seen.view, "after saving, the row should still be a view of its buffer, but it is not any more."
        assert_equal(seen.flags, [False, True], "`requires_grad` of the caller's tensors after saving")
        assert_tensor(seen.row, buffer[2], "the caller's tensor after saving", rtol=0, atol=0)
        assert_tensor(seen.back, buffer[2], "the tensor that comes back", rtol=0, atol=0)


def on_meta(shape, dtype=torch.float32):
    return torch.empty(tuple(shape), dtype=dtype, device="meta")


def named_tuples():
    """A namedtuple type, and a function that lists the types of nested containers, and their leaves.

    Made afresh by a call, so that they travel with a probe instead of being looked up in this module.
    """
    target_type = collections.namedtuple("Target", ["label", "mask"])

    def kinds(value):
        if not isinstance(value, (dict, list, tuple)):
            return []
        items = value.values() if isinstance(value, dict) else value
        return [type(value).__name__, *(kind for item in items for kind in kinds(item))]

    def leaves(value):
        if not isinstance(value, (dict, list, tuple)):
            return [value]
        items = value.values() if isinstance(value, dict) else value
        return [leaf for item in items for leaf in leaves(item)]

    return target_type, lambda value: (kinds(value), leaves(value))


@exercise("move_to")
class TestMoveTo:
    def test_moves_a_tensor(self, observe, rng):
        shape = rng.sizes(2)
        x, ids, half = rng.strided(shape), rng.tensor((4,), torch.int64), rng.tensor((), torch.float16)

        def probe(m):
            return {
                "by_name": m.move_to(x, "meta"),
                "by_device": m.move_to(ids, torch.device("meta")),
                "scalar": m.move_to(half, "meta"),
                "stays": m.move_to(x, "cpu"),
            }

        seen = observe(probe)
        assert_tensor(seen.by_name, on_meta(shape), '`move_to(tensor, "meta")`')
        assert_tensor(seen.by_device, on_meta((4,), torch.int64), '`move_to(tensor, torch.device("meta"))`')
        assert_tensor(seen.scalar, on_meta((), torch.float16), '`move_to(tensor, "meta")` of a float16 scalar')
        assert_tensor(seen.stays, x, '`move_to(tensor, "cpu")`', rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_moves_tensors_at_every_depth(self, observe, rng):
        a, b, c = rng.sizes(3)
        x, y, z = rng.tensor((a, b)), rng.tensor((c,), torch.int64), rng.tensor((b, c), torch.float64)
        nested = {"z": z, "parts": [x, (y, [z, {"deep": (x,)}])], 7: (y, x)}
        nested["empty"] = {"list": [], "tuple": (), "dict": {}}

        def probe(m):
            stays, moved = m.move_to(nested, "cpu"), m.move_to(nested, "meta")
            return {
                "stays": stays,
                "moved": moved,
                "order": list(moved),
                "list": m.move_to([x, [y]], "meta"),
                "tuple": m.move_to((x, (y,)), "meta"),
            }

        seen = observe(probe)
        mx, my, mz = on_meta((a, b)), on_meta((c,), torch.int64), on_meta((b, c), torch.float64)
        expected = {"z": mz, "parts": [mx, (my, [mz, {"deep": (mx,)}])], 7: (my, mx), "empty": nested["empty"]}
        assert_equal(seen.list, [mx, [my]], '`move_to([x, [y]], "meta")`')
        assert_equal(seen.tuple, (mx, (my,)), '`move_to((x, (y,)), "meta")`')
        assert_equal(seen.moved, expected, '`move_to(nested, "meta")`')
        assert_equal(seen.order, list(nested), "the order of the keys")
        assert_equal(seen.stays, nested, '`move_to(nested, "cpu")`')

    def test_namedtuples_stay_namedtuples(self, observe, rng):
        target_type, spell = named_tuples()
        label, mask = rng.tensor((2,), torch.int64), rng.tensor((3, 4))

        def probe(m):
            return [
                spell(m.move_to(target_type(label, mask), "meta")),
                spell(m.move_to({"targets": [target_type(mask, (label, target_type(label, "t")))]}, "meta")),
                spell(m.move_to(target_type(label, None), "cpu")),
            ]

        ml, mm = on_meta((2,), torch.int64), on_meta((3, 4))
        expected = {
            "Target(label, mask)": (["Target"], [ml, mm]),
            '{"targets": [Target(mask, (label, Target(label, "t")))]}': (
                ["dict", "list", "Target", "tuple", "Target"],
                [mm, ml, ml, "t"],
            ),
            "Target(label, None)": (["Target"], [label, None]),
        }
        for (call, (kinds, leaves)), (got_kinds, got_leaves) in zip(expected.items(), observe(probe), strict=True):
            assert_equal(got_kinds, kinds, f"the types of the containers that come back for {call}, from outside in,")
            assert_equal(got_leaves, leaves, f"what is inside the containers that come back for {call}")

    def test_everything_else_comes_back_as_it_is(self, observe, rng):
        x, number = rng.tensor((2, 3)), rng.integer(1000, 9999)
        leaves = ["cat.png", "", number, rng.uniform(1, 2), True, None, b"raw", 3 - 2j]

        def probe(m):
            # A module has a `to` as well, one that moves the module itself.
            layer = torch.nn.Linear(2, 1)
            others = [object(), range(3), Path("file"), {1, 2}, layer]
            batch = {"x": x, "rest": [*leaves, *others], "missing": None}
            moved = m.move_to(batch, "meta")
            return {
                "x": moved["x"],
                "names": list(moved),
                "kinds": [type(leaf).__name__ for leaf in moved["rest"]],
                "same": [a is b for a, b in zip(moved["rest"], batch["rest"], strict=False)],
                "layer": layer.weight.device.type,
                "alone": [m.move_to("text", "meta"), m.move_to(None, "meta")],
            }

        seen = observe(probe)
        assert_tensor(seen.x, on_meta((2, 3)), "the tensor beside them")
        assert_equal(seen.names, ["x", "rest", "missing"], "the keys")
        kinds = [type(leaf).__name__ for leaf in leaves] + ["object", "range", type(Path()).__name__, "set", "Linear"]
        assert_equal(len(seen.kinds), len(kinds), "the number of leaves in the list beside the tensor")
        for got, kind, same in zip(seen.kinds, kinds, seen.same, strict=True):
            assert got == kind, f"a leaf of type {kind} should come back as it is, but a {got} came back."
            assert same, f"a leaf of type {kind} should come back as the very same object, but another one came back."
        note = "Modules come back as they are too: only tensors move. Not all that can be moved is a tensor."
        assert_equal(seen.layer, "cpu", "the device of a module in the batch, afterwards,", note=note)
        assert_equal(seen.alone, ["text", None], '`move_to("text", ...)` and `move_to(None, ...)`')

    def test_does_not_edit_its_input(self, observe, rng):
        x, y = rng.tensor((2, 3)), rng.tensor((4,))
        rest = {"names": {"one": 1}, "plain": [1, 2.5, None], "bare": [], "void": {}}

        def probe(m):
            inner, names = [y, "y"], rest["names"]
            batch = {"x": x, "inner": inner, "pair": (y, [x]), **rest}
            again, moved = m.move_to(batch, "cpu"), m.move_to(batch, "meta")
            return {
                "moved": moved,
                "batch": batch,
                "kept": {"x": batch["x"] is x, "inner": batch["inner"] is inner, "names": batch["names"] is names},
                "reused": {
                    where: [out is batch, *(out[key] is batch[key] for key in ["inner", *rest])]
                    for where, out in {"meta": moved, "cpu": again}.items()
                },
            }

        seen = observe(probe)
        mx, my = on_meta((2, 3)), on_meta((4,))
        assert_equal(seen.moved, {"x": mx, "inner": [my, "y"], "pair": (my, [mx]), **rest}, "what comes back")
        assert_equal(seen.batch, {"x": x, "inner": [y, "y"], "pair": (y, [x]), **rest}, "the input afterwards")
        for key, kept in seen.kept.items():
            assert kept, f"afterwards, the input should hold the same object at [{key!r}] as before, but it does not."
        for where, flags in seen.reused.items():
            kinds = ["dict", "list inside it", "dict without tensors inside it", "list without tensors inside it"]
            kinds += ["empty list inside it", "empty dict inside it"]
            for what, reused in zip(kinds, flags, strict=True):
                assert not reused, f"moved to {where!r}, the {what} should be a new one, but it is the caller's own."

    def test_what_was_moved_takes_part_in_the_computation(self, observe, rng):
        rows, inner, columns = rng.sizes(3)
        x, weight = rng.tensor((rows, inner), torch.float64), rng.tensor((inner, columns), torch.float64)
        upstream = rng.strided((rows, columns), torch.float64)

        def probe(m):
            leaf = weight.clone().requires_grad_()
            batch = {"x": x, "layers": [leaf, leaf * 3, None]}
            here, there = m.move_to(batch, "cpu"), m.move_to(batch, "meta")
            out = here["x"] @ here["layers"][1]
            graph = (out * upstream).sum()
            gradient = torch.autograd.grad(graph, leaf)[0] if graph.requires_grad else None
            moved = [there["x"], *there["layers"][:2]]
            flags = [tensor.requires_grad for tensor in moved]
            leaves = [tensor.grad_fn is None for tensor in moved[::2]]
            return {"out": out.detach(), "gradient": gradient, "flags": flags, "leaves": leaves}

        seen = observe(probe)
        assert_tensor(seen.out, x @ (weight * 3), "`x @ weight`, both moved to cpu,")
        assert_tensor(seen.gradient, 3 * x.T @ upstream, "the gradient that flows back through a moved tensor")
        kinds = ("plain tensor", "leaf that requires a gradient", "result that requires a gradient")
        for kind, flag, wanted in zip(kinds, seen.flags, (False, True, True), strict=True):
            assert_equal(flag, wanted, f"`requires_grad` of a {kind}, moved to meta,")
        note = "Its graph should come along, so that gradients find the way back."
        what = "whether a plain tensor and a result, both moved to meta, are without a `grad_fn`,"
        assert_equal(seen.leaves, [True, False], what, note=note)

    @pytest.mark.gpu
    def test_what_was_moved_computes_on_the_gpu(self, observe, rng):
        rows, inner, columns = rng.sizes(3)
        x, weight = rng.tensor((rows, inner), torch.float64), rng.tensor((inner, columns), torch.float64)

        def probe(m):
            batch = m.move_to({"x": x, "layers": [weight, None]}, "cuda")
            out = batch["x"] @ batch["layers"][0]
            return {"device": out.device.type, "back": m.move_to([out], "cpu")[0], "x": x}

        seen = observe(probe)
        assert_equal(seen.device, "cuda", "the device of `x @ weight`, both moved to cuda,")
        assert_tensor(seen.back, x @ weight, "`x @ weight`, computed on the GPU and moved back,")
        assert_tensor(seen.x, x, "the input afterwards", rtol=0, atol=0)


def casting(cases):
    """A probe that calls `cast_exact(x, dtype)` for each case and says what came of it."""

    def probe(m):
        seen = []
        for x, dtype in cases:
            box = []
            error = error_of(lambda: box.append(m.cast_exact(x, dtype)))
            seen.append({"error": error, "out": box[0] if box else None})
        return seen

    return probe


def judge_casts(seen, cases, about):
    """Judge what `casting` saw. What is right follows from Python's numbers: it compares int and float exactly."""
    assert len(seen) == len(cases), "the probe did not bring back every case."
    for one, (x, dtype) in zip(seen, cases, strict=True):
        expected = x.to(dtype)
        call = f"`cast_exact(x, {dtype})` with x = {short(x)}"
        if fits(x, expected):
            assert_no_error(one["error"], call, "as every element keeps its value")
            assert_tensor(one["out"], expected, call, rtol=0, atol=0)
        else:
            assert_error(one["error"], ValueError, about, call)


def fits(x, cast):
    pairs = zip(x.flatten().tolist(), cast.flatten().tolist(), strict=True)
    return all(a == b or (a != a and b != b) for a, b in pairs)


NUMBERS = [
    *(0, 1, -1, 2, -2, 0.5, -0.25, 100, 127, 128, -128, -129, 255, 256, 257, -300, 2048, 2049, 32767, 32768, 65504),
    *(65520, 2**24, 2**24 + 1, -(2**24) - 1, 2**24 + 2, 2**31 - 1, 2**31, -(2**31), 2**53, 2**53 + 1, 2**62, 2**63 - 1),
    *(-(2**63), 2**63 - 1024, 2**63, 0.1, 1e-8, 1e-50, 1e30, -1e30, 1e300, math.inf, -math.inf, math.nan),
]
DTYPES = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
DTYPES += [torch.float16, torch.bfloat16, torch.float32, torch.float64]
FLOATS = [dtype for dtype in DTYPES if dtype.is_floating_point]
INTS = [dtype for dtype in DTYPES if not dtype.is_floating_point and dtype is not torch.bool]


def numbers_of(dtype):
    """Those of NUMBERS that `dtype` has, as Python numbers; some floats rounded to it besides."""
    if dtype.is_floating_point:
        return torch.tensor([float(number) for number in NUMBERS], dtype=torch.float64).to(dtype).tolist()
    if dtype is torch.bool:
        return [0, 1]
    info = torch.iinfo(dtype)
    return [number for number in NUMBERS if isinstance(number, int) and info.min <= number <= info.max]


@exercise("cast_exact")
class TestCastExact:
    def test_fractions_do_not_become_integers(self, observe, rng):
        whole = rng.tensor((6,), torch.int64, 3, 90).double()
        at, part = rng.integer(0, 5), rng.choice([0.25, 0.5, -0.75])
        broken = whole.clone()
        broken[at] += part
        pairs = [(FLOATS[index % 4], dtype) for index, dtype in enumerate(rng.shuffled(INTS))]
        cases = [(whole.to(source), dtype) for source, dtype in pairs]
        cases += [(broken.to(source), dtype) for source, dtype in pairs]
        cases += [(torch.tensor([-0.0, -3.0]), torch.int16), (torch.tensor([-0.5]), torch.int64)]
        cases += [(torch.tensor([1e-30]), torch.int32)]
        judge_casts(observe(casting(cases)), cases, "because of the fraction")

    @pytest.mark.weight(2)
    def test_large_integers_fit_into_floats_only_without_rounding(self, observe, rng):
        cases = []
        for dtype, digits in ((torch.float16, 11), (torch.bfloat16, 8), (torch.float32, 24), (torch.float64, 53)):
            small = rng.integer(-(2 ** (digits - 1)), 2 ** (digits - 1))
            edge = 2**digits * rng.choice([1, -1])
            cases.append((torch.tensor([small, edge, 2 * edge]), dtype))
            cases.append((torch.tensor([small, edge + (1 if edge > 0 else -1)]), dtype))
            cases.append((torch.tensor([edge + (2 if edge > 0 else -2), small]), dtype))
        cases += [(torch.tensor([2**24 + 1, 7], dtype=torch.int32), dtype) for dtype in (torch.float32, torch.float64)]
        odd = 2 * rng.integer(2**54, 2**60) + 1
        cases += [(torch.tensor([odd, 5]), dtype) for dtype in (torch.float32, torch.float64)]
        judge_casts(observe(casting(cases)), cases, "because a float of that dtype has too few digits for it")

    def test_values_out_of_range_are_refused(self, observe, rng):
        inside = rng.integer(1, 99)
        tensor = torch.tensor
        cases = [
            (tensor([inside, 300]), torch.uint8),
            (tensor([inside, 255]), torch.uint8),
            (tensor([inside, -1]), torch.uint8),
            (tensor([inside, -1], dtype=torch.int8), torch.uint8),
            (tensor([inside, 200], dtype=torch.uint8), torch.int8),
            (tensor([-128, inside]), torch.int8),
            (tensor([2**31 + inside, 0]), torch.int32),
            (tensor([-(2**31), 2**31 - 1]), torch.int32),
            (tensor([256.0, 1.0]), torch.uint8),
            (tensor([255.0, 0.0]), torch.uint8),
            (tensor([-1.0, 1.0]), torch.uint8),
            (tensor([2.0**31, 1.0]), torch.int32),
            (tensor([1e30, 1.0]), torch.int64),
        ]
        judge_casts(observe(casting(cases)), cases, "because a value is out of range")

    def test_floats_that_would_be_rounded_are_refused(self, observe, rng):
        step = rng.choice([0.5, 0.375, 1.25])
        tensor = torch.tensor
        cases = [
            (tensor([step, 2.0**100], dtype=torch.float64), torch.float32),
            (tensor([step, 1.0 + 2.0**-30], dtype=torch.float64), torch.float32),
            (tensor([step, 1e300], dtype=torch.float64), torch.float32),
            (tensor([step, 1e-60], dtype=torch.float64), torch.float32),
            (tensor([step, 65504.0]), torch.float16),
            (tensor([step, 70000.0]), torch.float16),
            (tensor([step, 0.1]), torch.float16),
            (tensor([step, 1.0 + 2.0**-9]), torch.bfloat16),
            (tensor([step, 2.0**-9], dtype=torch.float16), torch.bfloat16),
            (tensor([step, 2.0**120], dtype=torch.bfloat16), torch.float16),
            (tensor([step, 0.1]), torch.float64),
            (tensor([100_000, 3]), torch.float16),
            (tensor([100_000, 3]), torch.bfloat16),
        ]
        judge_casts(observe(casting(cases)), cases, "because a value would be rounded, to infinity or to zero even")

    def test_the_ends_of_int64(self, observe, rng):
        tensor, part = torch.tensor, rng.integer(1, 500)
        cases = [
            (tensor([2.0**63, 5.0], dtype=torch.float64), torch.int64),
            (tensor([2.0**63 - 1024, 5.0], dtype=torch.float64), torch.int64),
            (tensor([-(2.0**63), 5.0]), torch.int64),
            (tensor([-(2.0**63) - 2048, 5.0], dtype=torch.float64), torch.int64),
            (tensor([2**63 - 1, 5]), torch.float64),
            (tensor([2**63 - part, 5]), torch.float32),
            (tensor([2**62, 5]), torch.float32),
            (tensor([-(2**63), 5]), torch.float32),
            (tensor([-(2**63), 5]), torch.float64),
            (tensor([-(2**63) + part, 5]), torch.float64),
            (tensor([-(2**63), 5]), torch.float16),
            (tensor([-(2**31), 5], dtype=torch.int32), torch.float16),
        ]
        judge_casts(observe(casting(cases)), cases, "because its new dtype does not have that number")

    def test_nan_and_infinity_fit_into_floats_only(self, observe, rng):
        special = [math.nan, math.inf, -math.inf]
        number = float(rng.integer(-9, 9))
        cases = [
            (torch.tensor([number, *special], dtype=source), dtype)
            for source, dtype in zip(FLOATS, [*FLOATS[1:], FLOATS[0]], strict=True)
        ]
        cases += [
            (torch.tensor([1.0, value], dtype=source), dtype)
            for value in special
            for source in FLOATS
            for dtype in (torch.int64, rng.choice(INTS), torch.bool)
        ]
        cases += [(torch.tensor([1.0, -math.inf], dtype=torch.float16), torch.int32)]
        cases += [(torch.tensor([1.0, number], dtype=source), torch.int64) for source in FLOATS]
        judge_casts(observe(casting(cases)), cases, "because no integer and no bool is NaN or infinite")

    def test_bool_takes_zero_and_one(self, observe, rng):
        coins = rng.tensor((7,), torch.bool)
        coins[2:4] = torch.tensor([True, False])
        cases = [(coins, dtype) for dtype in DTYPES] + [(coins.to(dtype), torch.bool) for dtype in DTYPES]
        for bad in (2, -1, rng.integer(3, 99), 256):
            cases += [(torch.tensor([1, 0, bad], dtype=dtype), torch.bool) for dtype in (torch.int16, torch.float32)]
        cases += [(torch.tensor([0.0, bad]), torch.bool) for bad in (0.5, 1e-9)] + [(torch.tensor([-0.0]), torch.bool)]
        judge_casts(observe(casting(cases)), cases, "because True is 1, and nothing else")

    def test_any_shape_and_layout_and_the_input_stays(self, observe, rng):
        shape = rng.sizes(3, 2, 5)
        whole = rng.strided(shape, torch.int64, 5, 90)
        real = whole.double().transpose(0, 2)
        broken = real.clone()
        broken[tuple(rng.integer(0, size - 1) for size in broken.shape)] += 0.5
        expanded = torch.tensor([[4.0], [9.0]]).expand(2, 5)
        cases = [
            (whole, torch.float32),
            (whole, torch.int64),
            (real, torch.uint8),
            (broken, torch.int32),
            (expanded, torch.int16),
            (torch.tensor(3.0), torch.int32),
            (torch.tensor(3.5), torch.int32),
            (torch.empty(0, 4), torch.bool),
            (torch.empty(2, 0, dtype=torch.int64), torch.float16),
        ]
        # Nothing in it would change, so it fits everywhere; and it has no smallest element to look at.
        kinds = (torch.bool, rng.choice(INTS), rng.choice(FLOATS))
        cases += [(torch.empty(0, dtype=source), dtype) for source in DTYPES for dtype in kinds]

        def probe(m):
            return {"casts": casting_here(m), "after": [x for x, _ in cases]}

        casting_here = casting(cases)
        seen = observe(probe)
        judge_casts(seen.casts, cases, "because one element has a fraction")
        for (x, _), after in zip(cases, seen.after, strict=True):
            assert_tensor(after, x, "the input afterwards", rtol=0, atol=0)

    def test_agrees_with_exact_arithmetic_for_every_pair_of_dtypes(self, observe, rng):
        cases = []
        for source in DTYPES:
            numbers = numbers_of(source)
            cases += [(torch.tensor([rng.choice(numbers)], dtype=source), dtype) for dtype in DTYPES]
        judge_casts(observe(casting(cases)), cases, "because its value would change")
