"""Hidden suite of tensors/views."""

import numpy as np
import pytest
import torch

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, layout_of, shares_storage

TRACKED = "Autograd follows views; `.data`, `.detach()` and NumPy lose the trail."


def channels_first(x):
    """What hwc_to_chw(x) holds, put together plane by plane."""
    return torch.stack([x[..., c] for c in range(x.shape[-1])], dim=-3)


def swapped(t, dim0, dim1):
    """What transpose_view(t, dim0, dim1) holds, by index arithmetic in Python."""
    order = list(range(t.ndim))
    order[dim0], order[dim1] = order[dim1], order[dim0]
    shape = [t.shape[dim] for dim in order]
    out = torch.empty(shape, dtype=t.dtype)
    for index in np.ndindex(*shape):
        source = [0] * t.ndim
        for place, dim in zip(index, order, strict=True):
            source[dim] = place
        out[index] = t[tuple(source)]
    return out


def windows(x, size, step):
    """What sliding_windows(x, size, step) holds, slice by slice."""
    rows = [x[start : start + size] for start in range(0, x.shape[0] - size + 1, step)]
    return torch.stack(rows) if rows else torch.empty((0, size), dtype=x.dtype)


def view_probe(call, cases):
    """A probe: `call(m, x)` for each (x, new), then `new` is written into x, where the result should see it."""

    def probe(m):
        seen = []
        for x, new in cases:
            same_place = x[...]
            out = call(m, x)
            after = {"layout": layout_of(x), "x": same_place.clone()}
            same_place.copy_(new)
            seen.append({**after, "out": out})
        return seen

    return probe


def assert_view(saw, x, expected, name, call):
    """What `view_probe` saw: the input x (called `name`) as it was, and a result that shows what was written later."""
    assert_tensor(saw["x"], x, f"after {call}, the numbers in {name}", rtol=0, atol=0)
    for part in ("shape", "stride", "offset"):
        note = f"Return a new view and leave {name} as it is."
        what = f"after {call}, the {part} of {name} itself"
        assert_equal(saw["layout"][part], layout_of(x)[part], what, note=note)
    note = "A view shares its storage with the input; a copy does not notice what is written there later."
    what = f"{call}, once new numbers are written into {name},"
    assert_tensor(saw["out"], expected, what, rtol=0, atol=0, note=note)


def gradient_probe(call, x, upstream):
    """A probe: `call(m, x)` and the gradient that reaches x when `upstream` arrives at the result."""

    def probe(m):
        out = call(m, x)
        tracked = isinstance(out, torch.Tensor) and out.requires_grad
        seen = {"out": out, "tracked": tracked, "grad": None}
        if tracked and out.shape == upstream.shape:
            (seen["grad"],) = torch.autograd.grad((out * upstream).sum(), x)
        return seen

    return probe


def empty_probe(call, base, cuts):
    """A probe: is `call(m, x)` a view of x, for each x that is cut out of `base` and has no elements?"""

    def probe(m):
        seen = []
        leaf = base.clone().requires_grad_()
        for cut in cuts:
            x = cut(leaf)
            out = call(m, x)
            seen.append({"shares": shares_storage(out, x), "tracked": out.requires_grad})
        return seen

    return probe


def assert_empty_view(saw, name, call):
    """What `empty_probe` saw of one x (called `name`). No value can show here whether the result is a view."""
    note = "A view remains one where there is nothing in it; a fresh tensor has a storage of its own."
    assert_equal(saw["shares"], True, f"whether {call} shares the storage of {name}", note=note)
    assert_equal(saw["tracked"], True, f"`requires_grad` of {call} where {name} requires a gradient", note=TRACKED)


@exercise("hwc_to_chw")
class TestHwcToChw:
    @pytest.mark.weight(2)
    def test_puts_the_channels_before_height_and_width(self, observe, rng):
        x = rng.tensor(rng.sizes(3))
        out = observe(lambda m: m.hwc_to_chw(x))
        assert_tensor(
            out,
            channels_first(x),
            f"`hwc_to_chw(x)` for one image of shape (H, W, C) = {tuple(x.shape)}",
            rtol=0,
            atol=0,
            note="Element [c, h, w] of the result is `x[h, w, c]`.",
        )

    def test_leaves_any_number_of_batch_dimensions_in_front(self, observe, rng):
        sizes = rng.sizes(6)
        images = [rng.tensor(sizes[start:]) for start in (2, 1, 0)]
        seen = observe(lambda m: [m.hwc_to_chw(x) for x in images])
        for x, out in zip(images, seen, strict=True):
            count = x.ndim - 3
            what = f"`hwc_to_chw(x)` with {count} batch dimension{'s' if count > 1 else ''}, shape {tuple(x.shape)},"
            assert_tensor(out, channels_first(x), what, rtol=0, atol=0)

    def test_is_a_view_and_leaves_x_as_it_was(self, observe, rng):
        h, w, c, n, frames = rng.sizes(5)
        images = {
            "contiguous": rng.tensor((n, h, w, c)),
            "non-contiguous": rng.strided((h, w, c)),
            "strided": rng.strided((n, h, w, c)),
            # No single stride runs through both batch dimensions: they cannot be merged without a copy.
            "sliced": rng.tensor((n, frames + 2, h, w, c))[:, 1:-1],
        }
        cases = [(x, rng.tensor(x.shape, low=3, high=5)) for x in images.values()]
        seen = observe(view_probe(lambda m, x: m.hwc_to_chw(x), cases))
        for kind, (x, new), saw in zip(images, cases, seen, strict=True):
            call = f"`hwc_to_chw(x)` of a {kind} x of shape {tuple(x.shape)}"
            assert_view(saw, x, channels_first(new), "x", call)

    def test_takes_x_with_any_strides(self, observe, rng):
        h, w, c, n = rng.sizes(4)
        images = {
            "with permuted strides and an offset": rng.strided((h, w, c)),
            "cut out of a larger image": rng.tensor((h + 3, w + 2, c))[2:-1, 1:-1],
            "that was channels-first in memory": rng.tensor((c, h, w)).permute(1, 2, 0),
            "whose batch is one image expanded": rng.tensor((h, w, c)).expand(n, h, w, c),
        }
        seen = observe(lambda m: [m.hwc_to_chw(x) for x in images.values()])
        for (kind, x), out in zip(images.items(), seen, strict=True):
            what = f"`hwc_to_chw(x)` for an x {kind}, shape {tuple(x.shape)},"
            assert_tensor(out, channels_first(x), what, rtol=0, atol=0)

    def test_keeps_the_dtype(self, observe, rng):
        dtypes = (torch.uint8, torch.int16, torch.bool, torch.float16, torch.bfloat16, torch.float64, torch.complex64)
        images = [rng.tensor(rng.sizes(3, 3, 6), dtype, low=0, high=200) for dtype in dtypes]
        seen = observe(lambda m: [m.hwc_to_chw(x) for x in images])
        for x, out in zip(images, seen, strict=True):
            assert_tensor(out, channels_first(x), f"`hwc_to_chw(x)` of a {x.dtype} image", rtol=0, atol=0)

    def test_takes_sizes_of_one_and_zero(self, observe, rng):
        h, w, c = rng.sizes(3)
        shapes = [(1, h, w, c), (h, w, 1), (1, w, c), (h, 1, c), (1, 1, 1), (0, h, w, c), (h, 0, c), (2, 0, h, w, c)]
        images = [rng.tensor(shape) for shape in shapes]
        seen = observe(lambda m: [m.hwc_to_chw(x) for x in images])
        for x, out in zip(images, seen, strict=True):
            assert_tensor(out, channels_first(x), f"`hwc_to_chw(x)` of shape {tuple(x.shape)}", rtol=0, atol=0)
        cuts = {
            "base[:0]": lambda t: t[:0],
            "base[0, :, :0]": lambda t: t[0, :, :0],
            "base[..., :0]": lambda t: t[..., :0],
        }
        seen = observe(empty_probe(lambda m, x: m.hwc_to_chw(x), rng.tensor((2, h, w, c)), cuts.values()))
        for name, saw in zip(cuts, seen, strict=True):
            assert_empty_view(saw, "x", f"`hwc_to_chw(x)` of x = {name}")

    def test_lets_gradients_flow_back_to_x(self, observe, rng):
        h, w, c, n = rng.sizes(4)
        x = rng.tensor((n, h, w, c), torch.float64).requires_grad_()
        upstream = rng.strided((n, c, h, w), torch.float64)
        seen = observe(gradient_probe(lambda m, x: m.hwc_to_chw(x), x, upstream))
        assert_tensor(seen.out, channels_first(x), "`hwc_to_chw(x)` where x requires a gradient", rtol=0, atol=0)
        assert_equal(seen.tracked, True, "`requires_grad` of the result where x requires a gradient", note=TRACKED)
        expected = torch.stack([upstream[..., i, :, :] for i in range(c)], dim=-1)
        assert_tensor(seen.grad, expected, "the gradient of x", rtol=0, atol=0)


@exercise("transpose_view")
class TestTransposeView:
    @pytest.mark.weight(2)
    def test_swaps_the_two_dimensions(self, observe, rng):
        t = rng.tensor(rng.sizes(4, 2, 5))
        pairs = [(a, b) for a in range(4) for b in range(4) if a != b]
        seen = observe(lambda m: [m.transpose_view(t[...], a, b) for a, b in pairs])
        for (a, b), out in zip(pairs, seen, strict=True):
            what = f"`transpose_view(t, {a}, {b})` of shape {tuple(t.shape)}"
            assert_tensor(out, swapped(t, a, b), what, rtol=0, atol=0, note="The other dimensions stay where they are.")

    def test_counts_negative_dimensions_from_the_end(self, observe, rng):
        t = rng.tensor(rng.sizes(3, 2, 5))
        # The first ones name dimensions that exist without the minus sign too; -3 does not.
        for pairs in ([(0, -1), (-1, -2), (-2, 0), (2, -2), (-1, 1)], [(-3, 1), (-3, -1), (2, -3)]):
            seen = observe(lambda m: [m.transpose_view(t[...], a, b) for a, b in pairs])
            for (a, b), out in zip(pairs, seen, strict=True):
                what = f"`transpose_view(t, {a}, {b})` of shape {tuple(t.shape)}"
                assert_tensor(out, swapped(t, a, b), what, rtol=0, atol=0)

    def test_keeps_the_offset(self, observe, rng):
        a, b, c = rng.sizes(3, 2, 5)
        first = rng.integer(1, 3)
        t = rng.tensor((a + first, b, c))[first:]
        flat = rng.tensor((9, b * c))[4].view(b, c)
        seen = observe(lambda m: {"cut": m.transpose_view(t, 0, 2), "row": m.transpose_view(flat, 0, 1)})
        cut = f"`transpose_view(t, 0, 2)` of t = base[{first}:]"
        row = "`transpose_view(t, 0, 1)` of t = base[4].view(...)"
        note = "`t` does not begin at the first element of its storage: look at `t.storage_offset()`."
        assert_tensor(seen.cut, swapped(t, 0, 2), cut, rtol=0, atol=0, note=note)
        assert_tensor(seen.row, swapped(flat, 0, 1), row, rtol=0, atol=0, note=note)

    def test_takes_t_with_any_strides(self, observe, rng):
        a, b, c = rng.sizes(3, 2, 5)
        tensors = {
            "a transposed tensor": rng.tensor((c, b, a)).permute(2, 1, 0),
            "a tensor with every second element left out": rng.tensor((a, b, 2 * c))[:, :, ::2],
            "a slice of wider rows": rng.tensor((a, b + 2, c))[:, :b],
            # The storage has room to spare, so that wrong steps show wrong numbers instead of leaving it.
            "an expanded tensor": rng.tensor((200,))[:b].view(b, 1).expand(a, b, c),
        }
        pairs = [(0, 2), (1, 0), (1, 2)]
        seen = observe(lambda m: [[m.transpose_view(t[...], *pair) for pair in pairs] for t in tensors.values()])
        for (kind, t), outs in zip(tensors.items(), seen, strict=True):
            for (dim0, dim1), out in zip(pairs, outs, strict=True):
                what = f"`transpose_view(t, {dim0}, {dim1})` of {kind}, shape {tuple(t.shape)}, stride {t.stride()},"
                assert_tensor(out, swapped(t, dim0, dim1), what, rtol=0, atol=0)

    def test_is_a_view_and_leaves_t_as_it_was(self, observe, rng):
        shape = rng.sizes(3, 2, 5)
        tensors = {"contiguous": rng.tensor(shape), "non-contiguous": rng.strided(shape)}
        cases = [(t, rng.tensor(shape, low=3, high=5)) for t in tensors.values()]
        seen = observe(view_probe(lambda m, t: m.transpose_view(t, 2, 0), cases))
        for kind, (t, new), saw in zip(tensors, cases, seen, strict=True):
            assert_view(saw, t, swapped(new, 2, 0), "t", f"`transpose_view(t, 2, 0)` of a {kind} t")

    def test_rejects_dimensions_that_do_not_exist(self, observe, rng):
        t = rng.tensor(rng.sizes(3, 2, 5))
        absent = [(0, 3), (3, 1), (1, -4), (-4, 2), (5, 0), (-1, -6), (3, 3), (-4, -4)]
        cases = [(t, pair) for pair in absent]
        # With one dimension, or without elements, there is nothing to swap; a wrong dimension is wrong all the same.
        cases += [(t[0, 0], pair) for pair in ((0, 1), (1, 0), (-2, 0), (0, -2), (1, 1))]
        cases += [(t[:0], (0, 3)), (t[:, :0], (-4, 1)), (t[:1, :1, :1], (3, 0))]

        def probe(m):
            errors = [error_of(lambda: m.transpose_view(t, *pair)) for t, pair in cases]
            return {"errors": errors, "last": m.transpose_view(t, 1, 2)}

        seen = observe(probe)
        assert_tensor(seen.last, swapped(t, 1, 2), "`transpose_view(t, 1, 2)` of three dimensions", rtol=0, atol=0)
        for (t, (a, b)), error in zip(cases, seen.errors, strict=True):
            call = f"`transpose_view(t, {a}, {b})` of shape {tuple(t.shape)}"
            assert_error(error, IndexError, "for a dimension that does not exist", call)

    def test_takes_every_dtype_and_every_size(self, observe, rng):
        a, b, c = rng.sizes(3, 2, 5)
        cases = [
            (rng.tensor((a, b), torch.int64, low=-50, high=50), 0, 1),
            (rng.tensor((a, b, c), torch.bfloat16), 0, 2),
            (rng.tensor((a, b, c), torch.bool), 2, 1),
            (rng.tensor((b, a), torch.complex64), 1, 0),
            (rng.tensor((a,)), 0, 0),
            (rng.tensor((a, b, c)), 1, 1),
            (rng.tensor((a, 1, c)), 0, 1),
            (rng.tensor((a, 1, c)), 2, 1),
            (rng.tensor((1, b)), 0, 1),
            (rng.tensor((1, 1)), 0, 1),
            (rng.tensor((a, 0, c)), 1, 2),
            (rng.tensor((0, b)), 0, 1),
        ]
        seen = observe(lambda m: [m.transpose_view(t, x, y) for t, x, y in cases])
        for (t, x, y), out in zip(cases, seen, strict=True):
            what = f"`transpose_view(t, {x}, {y})` of a {t.dtype} tensor of shape {tuple(t.shape)}"
            assert_tensor(out, swapped(t, x, y), what, rtol=0, atol=0)
        cuts = {
            "base[:0]": lambda t: t[:0],
            "base[1:, :0]": lambda t: t[1:, :0],
            "base[0, :0, 0]": lambda t: t[0, :0, 0],
        }
        seen = observe(empty_probe(lambda m, t: m.transpose_view(t, 0, -1), rng.tensor((a, b, c)), cuts.values()))
        for name, saw in zip(cuts, seen, strict=True):
            assert_empty_view(saw, "t", f"`transpose_view(t, 0, -1)` of t = {name}")

    def test_lets_gradients_flow_back_to_t(self, observe, rng):
        t = rng.tensor(rng.sizes(3, 2, 5), torch.float64).requires_grad_()
        upstream = rng.strided([t.shape[dim] for dim in (2, 1, 0)], torch.float64)
        seen = observe(gradient_probe(lambda m, t: m.transpose_view(t, 0, 2), t, upstream))
        assert_tensor(
            seen.out, swapped(t.detach(), 0, 2), "`transpose_view(t, 0, 2)` where t requires a gradient", rtol=0, atol=0
        )
        assert_equal(seen.tracked, True, "`requires_grad` of the result where t requires a gradient", note=TRACKED)
        assert_tensor(seen.grad, swapped(upstream, 0, 2), "the gradient of t", rtol=0, atol=0)


@exercise("sliding_windows")
class TestSlidingWindows:
    @pytest.mark.weight(2)
    def test_begins_a_window_every_step_elements(self, observe, rng):
        size, extra = rng.integer(4, 6), rng.integer(1, 3)
        cases = []
        # Steps below, at and above the size; signals that fit exactly and signals with something left over.
        for step in (2, 3, size, size + 2, 1):
            for rows, left in ((4, 0), (3, min(extra, step - 1)), (5, step - 1)):
                dtype = rng.choice((torch.float32, torch.float64, torch.bfloat16, torch.int64))
                cases.append((rng.tensor((size + (rows - 1) * step + left,), dtype, low=-90, high=90), size, step))
        seen = observe(lambda m: [m.sliding_windows(x, size, step) for x, size, step in cases])
        for (x, size, step), out in zip(cases, seen, strict=True):
            what = f"`sliding_windows(x, {size}, {step})` of {x.shape[0]} elements"
            assert_tensor(out, windows(x, size, step), what, rtol=0, atol=0)

    def test_stays_inside_x(self, observe, rng):
        # x is the beginning of a longer signal, so that a window too many raises nothing.
        base = rng.tensor((60,))
        cases = [(length, size, step) for size, step in ((4, 3), (5, 2), (2, 6)) for length in range(size, size + 9)]
        seen = observe(lambda m: [m.sliding_windows(base[:length], size, step) for length, size, step in cases])
        for (length, size, step), out in zip(cases, seen, strict=True):
            what = f"`sliding_windows(base[:{length}], {size}, {step})`"
            note = "Only windows that lie wholly inside x count, and none of these may be missing."
            assert_tensor(out, windows(base[:length], size, step), what, rtol=0, atol=0, note=note)

    def test_follows_the_stride_of_x(self, observe, rng):
        rows, columns = rng.integer(11, 14), rng.integer(2, 4)
        signals = {
            "every third element": rng.tensor((40,))[::3],
            "a column of a table": rng.tensor((rows, columns))[:, 0],
            "one number expanded": rng.tensor((60,))[:1].expand(rows),
        }
        seen = observe(lambda m: [m.sliding_windows(x, 4, 3) for x in signals.values()])
        for (kind, x), out in zip(signals.items(), seen, strict=True):
            what = f"`sliding_windows(x, 4, 3)` where x is {kind} (stride {x.stride(0)})"
            assert_tensor(out, windows(x, 4, 3), what, rtol=0, atol=0)

    def test_keeps_the_offset(self, observe, rng):
        first = rng.integer(2, 5)
        x = rng.tensor((first + 12,))[first:]
        column = rng.tensor((13, 3))[1:, 2]
        seen = observe(lambda m: {"tail": m.sliding_windows(x, 5, 2), "column": m.sliding_windows(column, 5, 2)})
        note = "x does not begin at the first element of its storage."
        what = f"`sliding_windows(x, 5, 2)` of x = base[{first}:]"
        assert_tensor(seen.tail, windows(x, 5, 2), what, rtol=0, atol=0, note=note)
        what = "`sliding_windows(x, 5, 2)` of x = table[1:, 2]"
        assert_tensor(seen.column, windows(column, 5, 2), what, rtol=0, atol=0, note=note)

    def test_is_a_view_and_leaves_x_as_it_was(self, observe, rng):
        length = rng.integer(13, 17)
        signals = {"contiguous": rng.tensor((length,)), "strided": rng.strided((length,))}
        cases = [(x, rng.tensor((length,), low=3, high=5)) for x in signals.values()]
        for step in (2, 5, 6):
            seen = observe(view_probe(lambda m, x: m.sliding_windows(x, 5, step), cases))
            for kind, (x, new), saw in zip(signals, cases, seen, strict=True):
                call = f"`sliding_windows(x, 5, {step})` of a {kind} x"
                assert_view(saw, x, windows(new, 5, step), "x", call)

    def test_gives_no_rows_when_x_is_shorter_than_a_window(self, observe, rng):
        lengths = {
            "a little shorter, just long enough": [(4, 5, 2), (5, 6, 4), (5, 5, 3), (1, 1, 4), (6, 1, 2)],
            "much shorter": [(2, 9, 1), (3, 11, 2), (0, 3, 2)],
        }
        dtypes = (torch.float64, torch.int64, torch.bfloat16)
        for drawn in lengths.values():
            cases = [(rng.tensor((length,), rng.choice(dtypes)), size, step) for length, size, step in drawn]
            seen = observe(lambda m: [m.sliding_windows(x, size, step) for x, size, step in cases])
            for (x, size, step), out in zip(cases, seen, strict=True):
                what = f"`sliding_windows(x, {size}, {step})` of {x.shape[0]} elements"
                assert_tensor(out, windows(x, size, step), what, rtol=0, atol=0)

    def test_rejects_sizes_and_steps_below_one(self, observe, rng):
        x = rng.tensor((rng.integer(9, 12),))
        bad = [(x, 0, 2), (x, -1, 2), (x, 3, 0), (x, 3, -2), (x, 0, 0), (x[:2], 4, 0), (x[:0], 0, 1)]

        def probe(m):
            errors = [error_of(lambda: m.sliding_windows(*arguments)) for arguments in bad]
            return {"errors": errors, "good": m.sliding_windows(x, 3, 2)}

        seen = observe(probe)
        assert_tensor(seen.good, windows(x, 3, 2), "`sliding_windows(x, 3, 2)`", rtol=0, atol=0)
        for (signal, size, step), error in zip(bad, seen.errors, strict=True):
            call = f"`sliding_windows(x, {size}, {step})` of {signal.shape[0]} elements"
            assert_error(error, ValueError, "because size and step must be at least 1", call)

    def test_lets_gradients_flow_back_to_x(self, observe, rng):
        size, step, rows = 5, 2, rng.integer(6, 8)
        length = size + (rows - 1) * step + 1
        x = rng.tensor((length,), torch.float64).requires_grad_()
        upstream = rng.strided((rows, size), torch.float64)
        seen = observe(gradient_probe(lambda m, x: m.sliding_windows(x, size, step), x, upstream))
        what = f"`sliding_windows(x, {size}, {step})` where x requires a gradient"
        assert_tensor(seen.out, windows(x, size, step), what, rtol=0, atol=0)
        assert_equal(seen.tracked, True, "`requires_grad` of the result where x requires a gradient", note=TRACKED)
        expected = torch.zeros(length, dtype=torch.float64)
        for row in range(rows):
            expected[row * step : row * step + size] += upstream[row]
        # Up to three numbers of size 2 are added, in whatever order: a few roundings of float64.
        note = "An element gathers the gradients of all windows that hold it."
        assert_tensor(seen.grad, expected, "the gradient of x", rtol=0, atol=1e-14, note=note)
