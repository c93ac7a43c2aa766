"""Hidden suite of tensors/broadcasting."""

import math

import pytest
import torch

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, shares_storage


def both_signs(rng, shape, dtype=torch.float32):
    """Random numbers away from 0, as many negative as positive ones (give or take one), in random places."""
    count = math.prod(shape)
    signs = rng.shuffled([-1] * ((count + 1) // 2) + [1] * (count // 2))
    low = 1 if not dtype.is_floating_point else 0.25
    return (rng.tensor((count,), dtype, low, 9) * torch.tensor(signs, dtype=dtype)).reshape(shape)


def without_negatives(x):
    """ReLU, one number at a time."""
    values = [0 if value < 0 else value for value in x.flatten().tolist()]
    return torch.tensor(values, dtype=x.dtype).reshape(x.shape)


@exercise("relu")
class TestRelu:
    def test_relu_turns_negative_values_into_zero(self, observe, rng):
        sizes = rng.sizes(3)
        inputs = [
            both_signs(rng, sizes),
            both_signs(rng, sizes).permute(2, 0, 1)[1:, :, ::2],
            both_signs(rng, (sizes[0], 1)).expand(-1, sizes[1]),
            torch.tensor(-rng.uniform(1, 2)),
            torch.tensor(rng.uniform(1, 2)),
            torch.zeros(0, sizes[0]),
            torch.tensor([0.0, -0.5, 0.5]),
        ]
        kinds = ["", "non-contiguous ", "expanded ", "", "", "", ""]
        seen = observe(lambda m: [m.relu(x) for x in inputs])
        for out, x, kind in zip(seen, inputs, kinds, strict=True):
            what = f"`relu(x)` of {'an' if kind[:1] == 'e' else 'a'} {kind}tensor of shape {tuple(x.shape)}"
            assert_tensor(out, without_negatives(x), what, rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_relu_leaves_its_input_alone(self, observe, rng):
        x, positive = both_signs(rng, rng.sizes(2)), rng.tensor(rng.sizes(2), low=1, high=2)

        def probe(m):
            first, second = x.clone(), positive.clone()
            out, same = m.relu(first), m.relu(second)
            after = first.clone()
            values = same.clone()
            same.fill_(-7.0)
            return {"out": out, "after": after, "values": values, "positive": second}

        seen = observe(probe)
        assert_tensor(seen.out, without_negatives(x), "`relu(x)`", rtol=0, atol=0)
        note = "Without an underscore, the input stays as it was."
        assert_tensor(seen.after, x, "`x` after `relu(x)`", rtol=0, atol=0, note=note)
        assert_tensor(seen.values, positive, "`relu(x)` of positive numbers", rtol=0, atol=0)
        assert_tensor(
            seen.positive,
            positive,
            "`x`, once something is written into the result of `relu(x)`,",
            rtol=0,
            atol=0,
            note="The result shares memory with `x`: it should be a new tensor even if nothing in `x` is negative.",
        )

    @pytest.mark.weight(2)
    def test_relu_underscore_overwrites_its_input_and_returns_it(self, observe, rng):
        shapes = [rng.sizes(2), (), (rng.integer(2, 9),)]
        inputs = [both_signs(rng, shape) for shape in shapes]

        def probe(m):
            seen = []
            for start in inputs:
                x = start.clone()
                out = m.relu_(x)
                seen.append({"x": x.clone(), "out": out, "same": out is x})
            return seen

        for seen, start in zip(observe(probe), inputs, strict=True):
            expected = without_negatives(start)
            note = "The underscore promises that the numbers in x's own memory change."
            assert_tensor(seen["x"], expected, "`x` after `relu_(x)`", rtol=0, atol=0, note=note)
            assert_tensor(seen["out"], expected, "what `relu_(x)` returns", rtol=0, atol=0)
            assert seen["same"], "`relu_(x)` should return `x` itself, but it returns another tensor object."

    def test_relu_underscore_writes_through_views(self, observe, rng):
        rows, columns, depth = rng.sizes(3, 4, 7)
        base = both_signs(rng, (rows, columns, depth))
        base[1, 2, 1] = base[2, 2, 2] = -3.25
        base[0, 0, 0] = base[-1, 0, -1] = -1.5  # outside some views: these have to stay
        views = {
            "base[1:, 1:, 1:]": lambda t: t[1:, 1:, 1:],
            "base[:, ::2, 1]": lambda t: t[:, ::2, 1],
            "base.permute(2, 0, 1)[1:]": lambda t: t.permute(2, 0, 1)[1:],
            "base.transpose(0, 2)[::2]": lambda t: t.transpose(0, 2)[::2],
            "base[1, 2, 1]": lambda t: t[1, 2, 1],
        }

        def probe(m):
            bases = []
            for cut in views.values():
                own = base.clone()
                m.relu_(cut(own))
                bases.append(own)
            return bases

        for after, (name, cut) in zip(observe(probe), views.items(), strict=True):
            expected = base.clone()
            cut(expected).copy_(without_negatives(cut(base)))
            note = "Exactly the elements of the view should change. Is there a copy on the way?"
            assert_tensor(after, expected, f"`base` after `relu_({name})`", rtol=0, atol=0, note=note)

    def test_both_keep_the_dtype(self, observe, rng):
        dtypes = [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int8]
        inputs = [both_signs(rng, rng.sizes(2), dtype) for dtype in dtypes]
        seen = observe(lambda m: [(m.relu(x), m.relu_(x.clone())) for x in inputs])
        for outs, x in zip(seen, inputs, strict=True):
            for out, name in zip(outs, ["relu", "relu_"], strict=True):
                assert_tensor(out, without_negatives(x), f"`{name}(x)` of {x.dtype}", rtol=0, atol=0)

    def test_infinity_is_bounded_and_nan_stays(self, observe, rng):
        x = torch.tensor(rng.shuffled([math.nan, -math.inf, math.inf, -1.5, 2.5]))
        expected = without_negatives(x)
        seen = observe(lambda m: {"pure": m.relu(x), "inplace": m.relu_(x.clone())})
        note = "-inf becomes 0, inf stays, NaN stays NaN."
        assert_tensor(seen.pure, expected, f"`relu({x.tolist()})`", rtol=0, atol=0, note=note)
        assert_tensor(seen.inplace, expected, f"`relu_({x.tolist()})`", rtol=0, atol=0, note=note)

    def test_gradients_flow_through_both(self, observe, rng):
        shape = rng.sizes(2)
        start, factor = both_signs(rng, shape, torch.float64), both_signs(rng, shape, torch.float64)
        upstream = rng.strided(shape, torch.float64)

        def probe(m):
            x = start.clone().requires_grad_()
            out = m.relu(x)
            if out.requires_grad:
                (out * upstream).sum().backward()
            y = start.clone().requires_grad_()
            hidden = y * factor
            m.relu_(hidden)
            (hidden * upstream).sum().backward()
            return {"pure": x.grad, "inplace": y.grad}

        seen = observe(probe)
        assert seen.pure is not None, "no gradient comes back through `relu(x)`: the result is cut off from autograd."
        assert_tensor(seen.pure, torch.where(start > 0, upstream, 0.0), "the gradient of `x` through `relu(x)`")
        assert_tensor(
            seen.inplace,
            torch.where(start * factor > 0, upstream * factor, 0.0),
            "the gradient of `y` after `h = y * c; relu_(h)`",
            note="It is 0 where h was negative, if autograd sees the in-place step.",
        )

    def test_a_leaf_that_requires_grad(self, observe, rng):
        start = both_signs(rng, rng.sizes(2))

        def probe(m):
            leaf = start.clone().requires_grad_()
            out = m.relu(leaf)
            error = error_of(lambda: m.relu_(leaf))
            with torch.no_grad():
                m.relu_(leaf)
            return {"out": out.detach(), "error": error, "after": leaf.detach(), "is_leaf": leaf.is_leaf}

        seen = observe(probe)
        expected = without_negatives(start)
        assert_tensor(seen.out, expected, "`relu(w)` of a leaf that requires grad", rtol=0, atol=0)
        assert_tensor(seen.after, expected, "a leaf `w` after `with torch.no_grad(): relu_(w)`", rtol=0, atol=0)
        assert seen.is_leaf, "after `with torch.no_grad(): relu_(w)`, `w` should still be a leaf, but it is none."
        about = "for a leaf that requires grad, when autograd is on"
        assert_error(seen.error, RuntimeError, about, "`relu_(w)`")


def row_by_row(x, eps, dtype=None):
    """Each row divided by max(length, eps), one number at a time in float64."""
    rows = []
    for row in x.double().tolist():
        length = math.sqrt(sum(value * value for value in row))
        rows.append([value / max(length, eps) for value in row])
    return torch.tensor(rows, dtype=torch.float64).reshape(x.shape).to(dtype or x.dtype)


def rows_of_length(rng, lengths, width, dtype=torch.float32):
    """Rows in random directions with these lengths, none along an axis."""
    rows = both_signs(rng, (len(lengths), width), torch.float64)
    return (rows / rows.square().sum(1, keepdim=True).sqrt() * torch.tensor(lengths).double()[:, None]).to(dtype)


@exercise("normalize_rows")
class TestNormalizeRows:
    def test_every_row_gets_length_one(self, observe, rng):
        count, width = rng.sizes(2, 3, 8)
        x = rows_of_length(rng, [1.5 + 1.5 * i for i in range(count)], width)
        eps = rng.uniform(0.2, 0.6)
        seen = observe(lambda m: {"out": m.normalize_rows(x, eps)})
        what = f"`normalize_rows(x, {eps:.3g})` with {count} rows and {width} columns"
        assert_tensor(seen.out, row_by_row(x, eps), what, note="All rows are longer than eps here.")

    @pytest.mark.weight(2)
    def test_works_on_a_square_matrix(self, observe, rng):
        size = rng.integer(3, 7)
        x = rows_of_length(rng, rng.shuffled([2.0 + 1.5 * i for i in range(size)]), size)
        seen = observe(lambda m: {"out": m.normalize_rows(x, 0.25)})
        note = "When N equals D, lengths that meet the wrong dimension raise no error."
        assert_tensor(seen.out, row_by_row(x, 0.25), f"`normalize_rows(x, 0.25)` of {size} rows of {size}", note=note)

    def test_rows_shorter_than_eps_are_divided_by_eps(self, observe, rng):
        eps = rng.uniform(0.3, 0.7)
        lengths = rng.shuffled([0.3 * eps, 0.97 * eps, 1.03 * eps, 4.0 * eps, 0.6 * eps])
        x = rows_of_length(rng, lengths, rng.integer(2, 4), torch.float64)
        seen = observe(lambda m: {"out": m.normalize_rows(x, eps)})
        note = f"The rows of x have the lengths {', '.join(f'{length:.3g}' for length in lengths)}."
        assert_tensor(seen.out, row_by_row(x, eps), f"`normalize_rows(x, {eps:.3g})`", note=note)

    def test_rows_of_zeros_stay_zero(self, observe, rng):
        x = rows_of_length(rng, rng.shuffled([2.5, 0.0, 1.5, 0.0, 4.0]), 3)
        seen = observe(lambda m: {"tiny": m.normalize_rows(x, 1e-8), "large": m.normalize_rows(x, 0.5)})
        assert_tensor(seen.tiny, row_by_row(x, 1e-8), "`normalize_rows(x, 1e-8)` with rows of zeros")
        assert_tensor(seen.large, row_by_row(x, 0.5), "`normalize_rows(x, 0.5)` with rows of zeros")

    def test_one_row_one_column_and_no_rows(self, observe, rng):
        long = rng.integer(3, 7)
        inputs = [
            rows_of_length(rng, [2.5], long),
            rows_of_length(rng, [2.0 + i for i in range(long)], 1),
            rows_of_length(rng, [3.5], 1),
            torch.zeros(0, long),
        ]
        seen = observe(lambda m: [m.normalize_rows(x, 0.5) for x in inputs])
        for out, x in zip(seen, inputs, strict=True):
            assert_tensor(out, row_by_row(x, 0.5), f"`normalize_rows(x, 0.5)` with x of shape {tuple(x.shape)}")

    def test_integers_become_float32_and_floats_stay(self, observe, rng):
        count, width = rng.sizes(2, 3, 6)
        inputs = [
            rng.tensor((count, width), torch.int64, -9, 9),
            rng.tensor((count, width), torch.int8, -100, 100),
            rng.tensor((count, width), torch.uint8, 0, 255),
            rows_of_length(rng, [1.5 + i for i in range(count)], width, torch.float64),
            rows_of_length(rng, [1.5 + i for i in range(count)], width, torch.float16),
        ]
        for x in inputs[:3]:
            x[:, 0] = torch.tensor(rng.shuffled(range(20, 20 + count)))  # no short rows; squares above 255
        seen = observe(lambda m: [m.normalize_rows(x, 0.5) for x in inputs])
        for out, x in zip(seen, inputs, strict=True):
            dtype = x.dtype if x.is_floating_point() else torch.float32
            tolerance = 1e-2 if dtype is torch.float16 else None
            what = f"`normalize_rows(x, 0.5)` of {x.dtype}"
            assert_tensor(out, row_by_row(x, 0.5, dtype), what, rtol=tolerance, atol=tolerance)

    def test_leaves_its_input_alone(self, observe, rng):
        count, width = rng.sizes(2, 4, 8)
        start = both_signs(rng, (count, width))
        row = both_signs(rng, (1, width))
        # Rows along an axis: exactly 1 long, so there is nothing to do, and yet the result has to be a new tensor.
        unit = torch.eye(width)[rng.shuffled(range(width))[:count]] * rng.choice([1, -1])
        views = {
            "x": lambda t: t,
            "x.T": lambda t: t.T,
            "x[1:, ::2]": lambda t: t[1:, ::2],
        }

        def probe(m):
            outs, bases, shared = [], [], []
            for cut in views.values():
                base = start.clone()
                outs.append(m.normalize_rows(cut(base), 0.125))
                shared.append(shares_storage(outs[-1], base))
                bases.append(base)
            own = unit.clone()
            outs.append(m.normalize_rows(own, 0.125))
            return {"outs": outs[:-1], "bases": bases, "shared": shared, "unit": shares_storage(outs[-1], own)}

        seen = observe(probe)
        what = "whether the result for rows that have length 1 already shares memory with `x`"
        assert_equal(seen.unit, False, what, note="It should be a new tensor whatever the lengths are.")
        for (name, cut), out, base, shared in zip(views.items(), seen.outs, seen.bases, seen.shared, strict=True):
            assert_tensor(out, row_by_row(cut(start), 0.125), f"`normalize_rows({name}, 0.125)`")
            assert_tensor(base, start, f"`x` after `normalize_rows({name}, 0.125)`", rtol=0, atol=0)
            assert_equal(shared, False, f"whether the result of `normalize_rows({name}, 0.125)` shares memory with `x`")
        wide = observe(lambda m: m.normalize_rows(row.expand(count, -1), 0.125))
        assert_tensor(wide, row_by_row(row.expand(count, -1), 0.125), "the result for one row expanded to many")

    def test_gradients_flow_through_the_length_too(self, observe, rng):
        count, width = rng.sizes(2, 3, 6)
        eps = 0.5
        start = rows_of_length(rng, [0.2, *(1.5 + i for i in range(count - 2)), 0.0], width, torch.float64)
        upstream = rng.strided((count, width), torch.float64)

        def probe(m):
            x = start.clone().requires_grad_()
            out = m.normalize_rows(x, eps)
            if out.requires_grad:
                (out * upstream).sum().backward()
            return {"out": out.detach(), "grad": x.grad}

        seen = observe(probe)
        x = start.clone().requires_grad_()
        (torch.nn.functional.normalize(x, dim=1, eps=eps) * upstream).sum().backward()
        assert_tensor(seen.out, row_by_row(start, eps), "`normalize_rows(x, 0.5)` of a leaf that requires grad")
        assert seen.grad is not None, "no gradient comes back to `x`: the result is cut off from autograd."
        note = "The length depends on `x` as well, and autograd has to see that."
        if isinstance(seen.grad, torch.Tensor) and bool(seen.grad.isnan().any()):
            note = "The last row of `x` is zeros. What is the slope of the square root at 0?"
        assert_tensor(seen.grad, x.grad, "the gradient of `x`", note=note)


def channel_by_channel(img, weights):
    """The weighted sum, plane by plane in float64."""
    total = torch.zeros(img.shape[:-3] + img.shape[-2:], dtype=torch.float64)
    for channel, weight in enumerate(weights.tolist()):
        total += img.select(img.ndim - 3, channel).double() * weight
    return total.to(weights.dtype)


def some_weights(rng, dtype=torch.float32):
    """Three weights, well apart, that do not add up to 1, the first one not the largest or the smallest."""
    low, middle, high = rng.uniform(0.15, 0.25), rng.uniform(0.55, 0.65), rng.uniform(1.0, 1.2)
    return torch.tensor(rng.choice([[middle, low, high], [middle, high, low]]), dtype=dtype)


@exercise("weighted_gray")
class TestWeightedGray:
    def test_adds_the_channels_times_their_weights(self, observe, rng):
        img = rng.tensor((3, *rng.sizes(2, 4, 8)))
        weights = some_weights(rng)
        weights = weights / weights.sum()
        out = observe(lambda m: m.weighted_gray(img, weights))
        assert_tensor(out, channel_by_channel(img, weights), f"`weighted_gray(img, weights)` of {tuple(img.shape)}")

    @pytest.mark.weight(2)
    def test_images_that_are_three_wide(self, observe, rng):
        long, batch = rng.sizes(2, 4, 8)
        self.check(observe, rng, [(3, long, 3), (3, 3, 3), (batch, 3, long, 3)], "The width is 3 by chance")

    def test_images_that_are_three_high(self, observe, rng):
        long, batch = rng.sizes(2, 4, 8)
        self.check(observe, rng, [(3, 3, long), (3, 3, 3), (batch, 3, 3, long)], "The height is 3 by chance")

    def check(self, observe, rng, shapes, chance):
        images, weights = [rng.tensor(shape) for shape in shapes], some_weights(rng)
        seen = observe(lambda m: [m.weighted_gray(img, weights) for img in images])
        for out, img in zip(seen, images, strict=True):
            what = f"`weighted_gray(img, weights)` of {tuple(img.shape)}"
            note = f"{chance}: do the weights meet the channels?"
            assert_tensor(out, channel_by_channel(img, weights), what, note=note)

    @pytest.mark.weight(2)
    def test_any_dimensions_in_front(self, observe, rng):
        height, width, batch, clips = rng.sizes(4, 4, 9)
        fronts = [(), (batch,), (clips, batch), (2, clips, 1), (1,), (3,), (3, 3), (0,)]
        images, weights = [rng.tensor((*front, 3, height, width)) for front in fronts], some_weights(rng)
        seen = observe(lambda m: [m.weighted_gray(img, weights) for img in images])
        for out, img in zip(seen, images, strict=True):
            what = f"`weighted_gray(img, weights)` of {tuple(img.shape)}"
            assert_tensor(out, channel_by_channel(img, weights), what, note="The channels are third from the end.")

    def test_uses_the_weights_as_they_are(self, observe, rng):
        shape = (3, *rng.sizes(2, 4, 8))
        mixed = torch.tensor([rng.uniform(1, 2), -rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.2)])
        cases = [(rng.tensor(shape), mixed), (rng.tensor(shape), some_weights(rng) * 10)]
        seen = observe(lambda m: [m.weighted_gray(img, weights) for img, weights in cases])
        for out, (img, weights) in zip(seen, cases, strict=True):
            text = ", ".join(f"{weight:.3g}" for weight in weights.tolist())
            note = "Weights need not add up to 1, and results may lie outside the range of the image."
            what = f"`weighted_gray(img, weights)` with the weights {text}"
            assert_tensor(out, channel_by_channel(img, weights), what, note=note)

    def test_the_dtype_is_that_of_the_weights(self, observe, rng):
        shape = (2, 3, *rng.sizes(2, 4, 8))
        cases = [
            (rng.tensor(shape, torch.uint8, 0, 255), some_weights(rng)),
            (rng.tensor(shape, torch.uint8, 0, 255), some_weights(rng, torch.float64)),
            (rng.tensor(shape, torch.float64), some_weights(rng, torch.float64)),
            (rng.tensor(shape, torch.float16), some_weights(rng, torch.float16)),
        ]
        tolerances = [(0, 1e-3), (0, 1e-9), (0, 1e-9), (1e-2, 2e-2)]
        seen = observe(lambda m: [m.weighted_gray(img, weights) for img, weights in cases])
        for out, (img, weights), (rtol, atol) in zip(seen, cases, tolerances, strict=True):
            what = f"`weighted_gray(img, weights)` of {img.dtype} with weights of {weights.dtype}"
            assert_tensor(out, channel_by_channel(img, weights), what, rtol=rtol, atol=atol)

    def test_layouts_and_inputs_unchanged(self, observe, rng):
        height, width, batch = rng.sizes(3, 4, 8)
        img = rng.tensor((batch, 3, height, width))
        plane = rng.tensor((batch, 1, height, width))
        weights = some_weights(rng)
        layouts = {
            "an ordinary image": lambda t: t.clone(),
            "an image in channels_last": lambda t: t.clone(memory_format=torch.channels_last),
            "an image cut out of a larger one": lambda t: torch.nn.functional.pad(t, (1, 2, 2, 1))[..., 2:-1, 1:-2],
            "an image from every second channel": lambda t: t.repeat_interleave(2, dim=1)[:, ::2],
        }

        def probe(m):
            outs, after = [], []
            own = weights.repeat_interleave(2)[1::2]
            for lay in layouts.values():
                laid = lay(img)
                outs.append(m.weighted_gray(laid, own))
                after.append(laid)
            return {"outs": outs, "after": after, "weights": own}

        seen = observe(probe)
        for name, out, after in zip(layouts, seen.outs, seen.after, strict=True):
            assert_tensor(out, channel_by_channel(img, weights), f"the result for {name}")
            assert_tensor(after, img, f"`img` afterwards ({name})", rtol=0, atol=0, note="It should stay as it is.")
        assert_tensor(seen.weights, weights, "`weights` afterwards", rtol=0, atol=0)
        wide = observe(lambda m: m.weighted_gray(plane.expand(-1, 3, -1, -1), weights))
        expected = channel_by_channel(plane.expand(-1, 3, -1, -1), weights)
        assert_tensor(wide, expected, "the result for one plane expanded to three channels")

    def test_gradients_reach_image_and_weights(self, observe, rng):
        height, width, batch = rng.sizes(3, 4, 7)
        start, begin = rng.tensor((batch, 3, height, width), torch.float64), some_weights(rng, torch.float64)
        upstream = rng.strided((batch, height, width), torch.float64)

        def probe(m):
            img, weights = start.clone().requires_grad_(), begin.clone().requires_grad_()
            out = m.weighted_gray(img, weights)
            if out.requires_grad:
                (out * upstream).sum().backward()
            return {"out": out.detach(), "img": img.grad, "weights": weights.grad}

        seen = observe(probe)
        assert_tensor(seen.out, channel_by_channel(start, begin), "the result for leaves that require grad")
        for name, grad in [("img", seen.img), ("weights", seen.weights)]:
            assert grad is not None, f"no gradient comes back to `{name}`: it is cut off from autograd on the way."
        # out = sum over c of weights[c] * img[:, c], so each gradient is the upstream one times the other factor.
        planes = [upstream * weight for weight in begin.tolist()]
        sums = [(start[:, channel] * upstream).sum() for channel in range(3)]
        assert_tensor(seen.img, torch.stack(planes, dim=1), "the gradient of `img`")
        assert_tensor(seen.weights, torch.stack(sums), "the gradient of `weights`")
