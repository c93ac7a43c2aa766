"""Hidden suite of tensors/storage."""

import math
from itertools import product

import pytest
import torch

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise


def same(call):
    return f"`shares_storage(a, b)` with {call}"


@exercise("shares_storage")
class TestSharesStorage:
    @pytest.mark.weight(2)
    def test_views_may_begin_at_different_places(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 3, 7))
        seen = observe(
            lambda m: {
                "itself": m.shares_storage(x, x),
                "view": m.shares_storage(x, x[1:, ::2]),
                "turned": m.shares_storage(x[1:, ::2], x),
                "siblings": m.shares_storage(x[1:, 1:], x[:2, :2]),
                "copy": m.shares_storage(x, x[1:, ::2].clone()),
            }
        )
        assert_equal(seen.itself, True, same("a tensor and itself"))
        assert_equal(seen.view, True, same("a = x and b = x[1:, ::2]"), note="A view can begin later in the storage.")
        assert_equal(seen.turned, True, same("a = x[1:, ::2] and b = x"), note="The order should not matter.")
        assert_equal(seen.siblings, True, same("a = x[1:, 1:] and b = x[:2, :2]"), note="Both lie in x's storage.")
        assert_equal(seen.copy, False, same("a = x and b = x[1:, ::2].clone()"), note="`clone` fills a new storage.")

    def test_views_may_have_no_element_in_common(self, observe, rng):
        x = rng.tensor((rng.integer(4, 6), 2 * rng.integer(2, 4)))
        seen = observe(
            lambda m: {
                "rows": m.shares_storage(x[:2], x[2:]),
                "columns": m.shares_storage(x[:, ::2], x[:, 1::2]),
                "apart": m.shares_storage(x[-1, -1], x[0, 0]),
                "copies": m.shares_storage(x[:2].clone(), x[2:].clone()),
            }
        )
        note = "They lie in the same storage, even with no element in common."
        assert_equal(seen.rows, True, same("a = x[:2] and b = x[2:]"), note=note)
        assert_equal(seen.columns, True, same("a = x[:, ::2] and b = x[:, 1::2]"), note=note)
        assert_equal(seen.apart, True, same("a = x[-1, -1] and b = x[0, 0]"), note=note)
        assert_equal(seen.copies, False, same("a = x[:2].clone() and b = x[2:].clone()"))

    def test_equal_values_are_not_enough(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 2, 6))
        y = x.clone()
        seen = observe(
            lambda m: {
                "clone": m.shares_storage(x, y),
                "again": [m.shares_storage(x, y) for _ in range(3)],
                "zeros": m.shares_storage(torch.zeros(5), torch.zeros(5)),
                "product": m.shares_storage(x, x * 1),
                "view": m.shares_storage(x, x.view(-1)),
            }
        )
        note = "Equal values, but each has its own storage."
        assert_equal(seen.clone, False, same("a = x and b = x.clone()"), note=note)
        # Which objects Python has made for the storages by now must not matter.
        assert_equal(seen.again, [False] * 3, "the answers when asked again, of a = x and b = x.clone()", note=note)
        assert_equal(seen.zeros, False, same("two tensors made by torch.zeros(5)"), note=note)
        assert_equal(seen.product, False, same("a = x and b = x * 1"), note=note)
        assert_equal(seen.view, True, same("a = x and b = x.view(-1)"), note="The shape differs, the storage does not.")

    def test_shape_strides_and_dtype_do_not_matter(self, observe, rng):
        x = rng.tensor((3, 4, 2))
        halves = rng.tensor((4, 3), torch.bfloat16)
        seen = observe(
            lambda m: {
                "permuted": m.shares_storage(x, x.permute(2, 0, 1)),
                "expanded": m.shares_storage(x, x[:1].expand(7, 4, 2)),
                "bits": m.shares_storage(x, x.view(torch.int32)),
                "bytes": m.shares_storage(x[1:], x[0].view(torch.uint8)),
                "complex": m.shares_storage(x, torch.view_as_complex(x)),
                "bfloat16": m.shares_storage(halves, halves.T[1:]),
                "transposed_copy": m.shares_storage(x, x.permute(2, 0, 1).clone()),
                "bfloat16_copy": m.shares_storage(halves, halves.T.clone()),
            }
        )
        assert_equal(seen.permuted, True, same("a = x and b = x.permute(2, 0, 1)"))
        assert_equal(seen.expanded, True, same("a = x and b = x[:1].expand(7, 4, 2)"))
        assert_equal(seen.bits, True, same("a = x and b = x.view(torch.int32)"), note="`view` never copies.")
        assert_equal(seen.bytes, True, same("a = x[1:] and b = x[0].view(torch.uint8)"), note="`view` never copies.")
        assert_equal(seen.complex, True, same("a = x and b = torch.view_as_complex(x)"))
        assert_equal(seen.bfloat16, True, same("a = h and b = h.T[1:] (h is bfloat16)"))
        assert_equal(seen.transposed_copy, False, same("a = x and b = x.permute(2, 0, 1).clone()"))
        assert_equal(seen.bfloat16_copy, False, same("a = h and b = h.T.clone() (h is bfloat16)"))

    def test_calls_that_copy_only_if_they_must(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 2, 6))
        pixels = rng.tensor((3, 5), torch.uint8, 0, 256)
        seen = observe(
            lambda m: {
                "reshaped": m.shares_storage(x, x.reshape(-1)),
                "reshaped_transpose": m.shares_storage(x, x.T.reshape(-1)),
                "contiguous": m.shares_storage(x[1:], x[1:].contiguous()),
                "contiguous_transpose": m.shares_storage(x, x.T.contiguous()),
                "floats": m.shares_storage(x, x.float()),
                "pixels": m.shares_storage(pixels, pixels.float()),
            }
        )
        assert_equal(seen.reshaped, True, same("a = x and b = x.reshape(-1)"))
        assert_equal(seen.reshaped_transpose, False, same("a = x and b = x.T.reshape(-1)"), note="This reshape copies.")
        assert_equal(seen.contiguous, True, same("a = x[1:] and b = x[1:].contiguous()"))
        assert_equal(seen.contiguous_transpose, False, same("a = x and b = x.T.contiguous()"), note="This one copies.")
        assert_equal(seen.floats, True, same("a = x and b = x.float() (x is float32 already)"))
        assert_equal(seen.pixels, False, same("a = x and b = x.float() (x is uint8)"), note="This one copies.")

    def test_works_on_the_weights_of_a_network(self, observe, rng):
        outputs, inputs = rng.sizes(2, 2, 6)

        def probe(m):
            layer, other = torch.nn.Linear(inputs, outputs), torch.nn.Linear(inputs, outputs)
            return {
                "detached": m.shares_storage(layer.weight, layer.weight.detach()),
                "view": m.shares_storage(layer.weight.T, layer.weight[-1]),
                "bias": m.shares_storage(layer.weight, layer.bias),
                "copy": m.shares_storage(layer.weight, layer.weight.detach().clone()),
                "other": m.shares_storage(layer.weight, other.weight),
            }

        seen = observe(probe)
        assert_equal(seen.detached, True, same("a = w and b = w.detach()"), note="`detach` does not copy.")
        assert_equal(seen.view, True, same("a = w.T and b = w[-1]"))
        assert_equal(seen.bias, False, same("a layer's weight and its bias"), note="Each has its own storage.")
        assert_equal(seen.copy, False, same("a = w and b = w.detach().clone()"))
        assert_equal(seen.other, False, same("the weights of two layers"))

    def test_a_slice_without_elements_still_has_its_storage(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 2, 6))
        y = x.clone()
        seen = observe(
            lambda m: {
                "empty": m.shares_storage(x, x[1:, :0]),
                "both": m.shares_storage(x[:0], x[1:1]),
                "foreign": m.shares_storage(x, y[:0]),
                "both_foreign": m.shares_storage(x[:0], y[:0]),
            }
        )
        assert_equal(seen.empty, True, same("a = x and b = x[1:, :0]"), note="It was cut from x's storage.")
        assert_equal(seen.both, True, same("a = x[:0] and b = x[1:1]"), note="Both were cut from x's storage.")
        assert_equal(seen.foreign, False, same("a = x and b = y[:0]"), note="It was cut from another storage.")
        assert_equal(seen.both_foreign, False, same("a = x[:0] and b = y[:0]"), note="They come from two storages.")

    def test_writes_nothing(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 2, 6))
        y = rng.tensor((4,))

        def probe(m):
            before = [x._version, y._version]
            answers = [m.shares_storage(x, x[-1]), m.shares_storage(x, y)]
            writes = [x._version - before[0], y._version - before[1]]
            return {"answers": answers, "x": x, "y": y, "writes": writes}

        seen = observe(probe)
        assert_equal(seen.answers, [True, False], "`[shares_storage(x, x[-1]), shares_storage(x, y)]`")
        assert_tensor(seen.x, x, "the tensor x, afterwards,", rtol=0, atol=0)
        assert_tensor(seen.y, y, "the tensor y, afterwards,", rtol=0, atol=0)
        assert_equal(seen.writes, [0, 0], "the numbers of writes into x and y", note="Asking should write nothing.")


def strides_by_torch(shape):
    return torch.empty(shape, device="meta").stride()


def strides_by_python(shape):
    """The same for shapes that torch refuses, even on the meta device: it counts up to 2**63."""
    return tuple(math.prod(max(size, 1) for size in shape[dim + 1 :]) for dim in range(len(shape)))


def check_strides(observe, shapes, note="", expected_of=strides_by_torch):
    """The learner's strides for each shape are those of a new tensor."""

    def probe(m):
        answers = [m.contiguous_strides(shape) for shape in shapes]
        return [tuple(a) if type(a) is torch.Size else a for a in answers]  # a torch.Size is a tuple too

    for shape, got in zip(shapes, observe(probe), strict=True):
        assert_equal(got, expected_of(shape), f"`contiguous_strides({tuple(shape)})`", note=note)


@exercise("contiguous_strides")
class TestContiguousStrides:
    @pytest.mark.weight(2)
    def test_a_step_jumps_over_the_dimensions_after_it(self, observe, rng):
        check_strides(observe, [tuple(rng.sizes(3)), tuple(rng.sizes(3, 8, 30))])

    def test_any_number_of_dimensions(self, observe, rng):
        shapes = [tuple(rng.sizes(count, 2, 9)) for count in (2, 1, 4, 5, 6, 7)]
        check_strides(observe, shapes)

    def test_a_tensor_without_dimensions_has_no_strides(self, observe, rng):
        check_strides(observe, [(), (rng.integer(2, 9),), tuple(rng.sizes(2))])

    def test_a_size_of_zero_counts_as_one(self, observe, rng):
        a, b, c = rng.sizes(3)
        shapes = [(a, 0, b), (0, a, b), (a, b, 0), (0,), (a, b, 0, c), (a, 0, b, 0, c)]
        check_strides(observe, shapes, note="A size of 0 counts as 1 in the product.")

    def test_a_size_of_one_is_nothing_special(self, observe, rng):
        a, b = rng.sizes(2)
        check_strides(observe, [(1, a, b), (a, 1, b), (a, b, 1), (1,), (1, 1)], note="A 1 is no exception.")

    def test_takes_the_shape_of_a_tensor(self, observe, rng):
        x = rng.tensor(rng.sizes(3))
        check_strides(observe, [x.shape, x.transpose(0, 2).shape])

    def test_is_exact_for_a_shape_that_no_memory_could_hold(self, observe, rng):
        # Odd products beyond 2**53: neither float32 nor float64 nor int32 holds them.
        big = [2 * rng.integer(110_001, 149_999) + 1 for _ in range(3)]
        check_strides(
            observe,
            [(rng.integer(2, 6), *big), tuple(big)],
            note="Strides are whole numbers, exact at any size.",
        )
        # Beyond 2**63 as well, where int64 begins again at the other end and torch gives up.
        vast = [2 * rng.integer(1_100_001, 1_490_000) + 1 for _ in range(4)]
        check_strides(
            observe,
            [(rng.integer(2, 6), *vast), (3, *vast[:2], 0, *vast[2:])],
            note="Python's whole numbers go on beyond 2**63; those of torch and NumPy do not.",
            expected_of=strides_by_python,
        )


def places_of(t, indices):
    """Where torch itself finds these elements: the values of a storage 0, 1, 2, ... seen through the same view."""
    count = t.untyped_storage().nbytes() // t.element_size()
    twin = torch.arange(count).as_strided(t.size(), t.stride(), t.storage_offset())
    return [twin[index].item() for index in indices]


def all_indices(t, low=0):
    """Every index of `t`; from `-size` on with `low=-1`."""
    return list(product(*[range(low * size, size) for size in t.shape]))


def check_places(observe, views, indices_of, note=""):
    """The learner's places are torch's, for tensors `{label: tensor}` and their indices."""
    tensors = list(views.values())
    wanted = [indices_of(t) for t in tensors]
    seen = observe(
        lambda m: [[m.element_offset(t, index) for index in some] for t, some in zip(tensors, wanted, strict=True)]
    )
    for (label, t), indices, got in zip(views.items(), wanted, seen, strict=True):
        for index, place, expected in zip(indices, got, places_of(t, indices), strict=True):
            view = f"size {tuple(t.shape)}, stride {t.stride()}, offset {t.storage_offset()}"
            assert_equal(place, expected, f"`element_offset(t, {index})` for {label} ({view})", note=note)


@exercise("element_offset")
class TestElementOffset:
    def test_finds_every_element_of_a_new_tensor(self, observe, rng):
        views = {"a new tensor": rng.tensor(rng.sizes(3, 2, 5)), "a new row": rng.tensor((rng.integer(2, 5),))}
        check_places(observe, views, all_indices)

    def test_counts_from_the_beginning_of_the_storage(self, observe, rng):
        x = rng.tensor((5, rng.integer(3, 6)))
        number = rng.tensor((4,))[rng.integer(1, 3)]
        views = {"x[2:]": x[2:], "x[3]": x[3], "a single number": number}
        check_places(observe, views, all_indices, note="The first element of a slice need not lie at place 0.")

    @pytest.mark.weight(2)
    def test_follows_the_strides_of_any_view(self, observe, rng):
        x = rng.tensor(rng.sizes(3, 3, 5))
        views = {
            "x.transpose(0, 2)": x.transpose(0, 2),
            "x[:, ::2]": x[:, ::2],
            "x[1:, 1, ::2].T": x[1:, 1, ::2].T,
            "a sliced and permuted tensor": rng.strided(rng.sizes(3, 2, 4)),
        }
        check_places(observe, views, all_indices)

    def test_what_lies_there_is_the_element(self, observe, rng):
        storage = torch.tensor(rng.shuffled(range(60)), dtype=torch.float32)
        t = storage.reshape(3, 5, 4)[1:, ::2, 1:].permute(*rng.shuffled(range(3)))
        indices = all_indices(t)
        seen = observe(lambda m: [m.element_offset(t, index) for index in indices])
        for index, place in zip(indices, seen, strict=True):
            call = f"`element_offset(t, {index})`"
            assert type(place) is int, f"{call} should be a plain int, but it is of type {type(place).__name__}."
            assert 0 <= place < 60, f"{call} is {place}, which is no place in a storage of 60 numbers."
            assert_equal(storage[place].item(), t[index].item(), f"the number at the place {call} == {place}")

    def test_negative_indices_count_from_the_end(self, observe, rng):
        x = rng.tensor(rng.sizes(2, 3, 5))
        views = {"a new tensor": x, "x[1:].T": x[1:].T, "a strided view": rng.strided(rng.sizes(2, 2, 4))}
        check_places(observe, views, lambda t: [(-1, -1), (0, -1), (-1, 0)])
        check_places(observe, views, lambda t: all_indices(t, low=-1))

    def test_many_indices_may_lead_to_one_place(self, observe, rng):
        x = torch.zeros(4, rng.integer(2, 5))
        windows = torch.zeros(9).unfold(0, 4, 2)
        views = {"x[2:3].expand(3, -1)": x[2:3].expand(3, -1), "overlapping windows": windows, "all zeros": x[1:]}
        check_places(observe, views, all_indices, note="The values say nothing here: only the view's three facts do.")

    def test_counts_in_elements_whatever_the_dtype(self, observe, rng):
        dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int16, torch.uint8, torch.bool, torch.complex64]
        views = {f"a {str(d).removeprefix('torch.')} view": rng.strided(rng.sizes(2, 2, 4), d, 0, 2) for d in dtypes}
        views["a tensor that requires a gradient"] = rng.tensor((2, 3)).requires_grad_()
        check_places(observe, views, all_indices, note="Places are counted in elements, not in bytes.")

    def test_the_number_of_indices_must_fit(self, observe, rng):
        t = rng.strided(rng.sizes(3, 2, 4))
        number = rng.tensor((3,))[2]
        last = tuple(size - 1 for size in t.shape)
        wrong = [(0, 0), (0, 0, 0, 0), (), (1,)]
        seen = observe(
            lambda m: {
                "good": m.element_offset(t, last),
                "errors": [error_of(lambda i=i: m.element_offset(t, i)) for i in wrong],
                "number": error_of(lambda: m.element_offset(number, (0,))),
            }
        )
        assert_equal(seen.good, places_of(t, [last])[0], f"`element_offset(t, {last})` for t of shape {tuple(t.shape)}")
        for index, error in zip(wrong, seen.errors, strict=True):
            about = f"when a tensor with three dimensions gets {len(index)} {'index' if len(index) == 1 else 'indices'}"
            assert_error(error, IndexError, about, f"`element_offset(t, {index})`")
        assert_error(seen.number, IndexError, "for a tensor without dimensions", "`element_offset(t, (0,))`")

    def test_every_index_must_be_in_range(self, observe, rng):
        a, b = rng.sizes(2)
        t = rng.tensor((a + 3, b + 3))[1:-2, 2:-1]
        good = [(a - 1, b - 1), (-a, -b), (0, b - 1), (a - 1, 0)]
        wrong = [(a, 0), (0, b), (-a - 1, 0), (0, -b - 1), (0, 10 * b), (-5 * a, b - 1)]
        empty = torch.empty(3, 0)
        seen = observe(
            lambda m: {
                "good": [m.element_offset(t, i) for i in good],
                "errors": [error_of(lambda i=i: m.element_offset(t, i)) for i in wrong],
                "empty": [error_of(lambda i=i: m.element_offset(empty, i)) for i in [(0, 0), (0, -1)]],
            }
        )
        for index, place, expected in zip(good, seen.good, places_of(t, good), strict=True):
            assert_equal(place, expected, f"`element_offset(t, {index})`, in range for shape {(a, b)},")
        for index, error in zip(wrong, seen.errors, strict=True):
            assert_error(error, IndexError, f"for a tensor of shape {(a, b)}", f"`element_offset(t, {index})`")
        for index, error in zip([(0, 0), (0, -1)], seen.empty, strict=True):
            assert_error(error, IndexError, "for a tensor of shape (3, 0)", f"`element_offset(t, {index})`")
