"""Hidden suite of tensors/selecting."""

import math

import pytest
import torch

from grader.testing import assert_tensor, exercise

INF, NAN = math.inf, math.nan


def with_gradients(call, inputs, upstream):
    """A probe that brings back `call(m, *inputs)` as `out`, and `grads`: for each input its gradient, or None."""

    def probe(m):
        leaves = [t.detach().requires_grad_() for t in inputs]
        out = call(m, *leaves)
        grads = [None] * len(leaves)
        fits = isinstance(out, torch.Tensor) and out.shape == upstream.shape and out.dtype == upstream.dtype
        if fits and out.requires_grad:
            grads = list(torch.autograd.grad((out * upstream).sum(), leaves, allow_unused=True))
        return {"out": out, "grads": grads}

    return probe


def assert_gradient(got, expected, what, note=""):
    """`got` came out of `with_gradients` and is `expected`; float64 throughout."""
    hint = "Was the result made from Python numbers, or from a detached tensor?"
    assert got is not None, f"{what} is missing: autograd finds no way back from the result. {hint}"
    assert_tensor(got, expected, what, rtol=1e-9, atol=1e-9, note=note)


def draw_labels(rng, lp):
    """Random labels that are neither 0, 1, 2, ... nor everywhere the largest entry; lp has two classes or more."""
    classes = lp.shape[1]
    y = torch.tensor([rng.integer(0, classes - 1) for _ in range(len(lp))])
    y[0] = lp[0].argmin()  # not the largest
    if len(lp) > 1:
        y[1] = rng.choice([c for c in range(classes) if c != 1])  # not its row's number
    return y


def picked(lp, y):
    return torch.stack([lp[i, int(label)] for i, label in enumerate(y)]) if len(y) else lp.new_zeros(0)


@exercise("pick_log_probs")
class TestPickLogProbs:
    @pytest.mark.weight(2)
    def test_picks_the_labelled_entry_of_each_row(self, observe, rng):
        few, many = rng.integer(3, 4), rng.integer(5, 7)
        cases = []
        for shape in ((few, many), (many, few), (many, many), (few, few)):
            lp = rng.tensor(shape, low=-6.0, high=0.0)
            cases.append((lp, draw_labels(rng, lp)))
        seen = observe(lambda m: [m.pick_log_probs(lp, y) for lp, y in cases])
        for out, (lp, y) in zip(seen, cases, strict=True):
            what = f"the result for `lp` of shape {tuple(lp.shape)} and `y` = {y.tolist()}"
            assert_tensor(out, picked(lp, y), what, rtol=0, atol=0)

    def test_handles_one_row_and_no_rows(self, observe, rng):
        classes = rng.integer(3, 6)
        cases = []
        for shape in ((1, classes), (0, classes), (1, 1), (3, 1)):
            lp = rng.tensor(shape, low=-6.0, high=0.0)
            cases.append((lp, torch.tensor([rng.integer(0, shape[1] - 1) for _ in range(shape[0])], dtype=torch.int64)))
        seen = observe(lambda m: [m.pick_log_probs(lp, y) for lp, y in cases])
        for out, (lp, y) in zip(seen, cases, strict=True):
            what = f"the result for `lp` of shape {tuple(lp.shape)}"
            note = "There is one number per row, and always one dimension."
            assert_tensor(out, picked(lp, y), what, rtol=0, atol=0, note=note)

    def test_is_not_disturbed_by_minus_infinity(self, observe, rng):
        rows, classes = rng.sizes(2, 4, 7)
        lp = rng.tensor((rows, classes), low=-6.0, high=-0.5)
        y = draw_labels(rng, lp)
        for i in range(rows):
            lp[i, (int(y[i]) + rng.integer(1, classes - 1)) % classes] = -INF  # never the picked one
        lp[rows - 1, y[rows - 1]] = -INF  # in the last row the picked one, too
        out = observe(lambda m: m.pick_log_probs(lp, y))
        note = "Entries that are not picked may be -inf; no arithmetic may touch them."
        assert_tensor(out, picked(lp, y), "the result for rows that hold -inf", rtol=0, atol=0, note=note)

    def test_keeps_the_dtype_and_every_bit(self, observe, rng):
        rows, classes = rng.sizes(2, 3, 6)
        dtypes = (torch.float64, torch.float16, torch.bfloat16)
        cases = [rng.tensor((rows, classes), dtype, low=-6.0, high=0.0) for dtype in dtypes]
        y = draw_labels(rng, cases[0])
        seen = observe(lambda m: [m.pick_log_probs(lp, y) for lp in cases])
        for out, lp in zip(seen, cases, strict=True):
            assert_tensor(out, picked(lp, y), f"the result for `lp` of dtype {lp.dtype}", rtol=0, atol=0)

    def test_reads_any_layout_and_leaves_it_alone(self, observe, rng):
        rows, classes = rng.sizes(2, 4, 7)
        transposed = rng.tensor((classes, rows), low=-6.0, high=0.0).t()
        sliced = rng.strided((rows, classes), low=-6.0, high=0.0)
        expanded = rng.tensor((1, classes), low=-6.0, high=0.0).expand(rows, classes)
        wide = torch.zeros(2 * rows + 1, dtype=torch.int64)
        y = wide[1::2]
        y.copy_(draw_labels(rng, transposed))
        cases = {
            "transposed": (transposed, y),
            "a slice with steps": (sliced, y),
            "one row expanded": (expanded, y),
            # One class leaves no choice, yet the column itself would be a view.
            "a single column": (rng.tensor((rows, 1), low=-6.0, high=0.0), torch.zeros_like(y)),
            "a single row": (rng.tensor((1, classes), low=-6.0, high=0.0), y[:1]),
        }

        def probe(m):
            outs = [m.pick_log_probs(lp, labels) for lp, labels in cases.values()]
            kept = [out.clone() for out in outs]
            for out in outs:
                out.fill_(7.0)  # a new tensor: its writes reach nobody else
            return {"outs": kept, "inputs": [lp for lp, _ in cases.values()], "y": y}

        seen = observe(probe)
        for (name, (lp, labels)), out, afterwards in zip(cases.items(), seen.outs, seen.inputs, strict=True):
            assert_tensor(out, picked(lp, labels), f"the result for an `lp` that is {name}", rtol=0, atol=0)
            note = "The result should be a new tensor, and the input be left alone."
            what = f"an `lp` that is {name}, after writing into the result,"
            assert_tensor(afterwards, lp, what, rtol=0, atol=0, note=note)
        assert_tensor(seen.y, y, "`y` afterwards")

    def test_sends_gradients_to_the_picked_entries_only(self, observe, rng):
        rows, classes = rng.integer(5, 7), rng.integer(3, 4)
        lp = rng.tensor((rows, classes), torch.float64, low=-6.0, high=0.0)
        y = draw_labels(rng, lp)
        lp[rows - 1, y[rows - 1]] = lp[rows - 2, (int(y[rows - 2]) + 1) % classes] = -INF  # picked, and not picked
        upstream = rng.strided((rows,), torch.float64, low=0.5)
        seen = observe(with_gradients(lambda m, lp: m.pick_log_probs(lp, y), [lp], upstream))
        assert_tensor(seen.out, picked(lp, y), "the result for an `lp` that requires gradients", rtol=0, atol=0)
        expected = torch.zeros_like(lp)
        for i, label in enumerate(y):
            expected[i, int(label)] = upstream[i]
        note = f"In row {rows - 1} the picked entry is -inf: it gets its gradient like any other."
        assert_gradient(seen.grads[0], expected, "the gradient of `lp`", note)


def draw_masked(rng, rows, steps, dtype=torch.float32):
    """x (rows, steps) away from 0, one sign per row, and a bool mask: row 0 all true, others with some of each kind."""
    x = rng.tensor((rows, steps), dtype, low=1.0, high=3.0)
    x[rng.integer(0, rows - 1)] *= -1
    mask = torch.zeros(rows, steps, dtype=torch.bool)
    mask[0] = True
    for row in range(1, rows):
        mask[row, rng.shuffled(range(steps))[: rng.integer(1, steps - 1)]] = True
    return x, mask


def row_means(x, mask):
    """The plain loop, in float64."""
    means = []
    for row, keep in zip(x.tolist(), mask.tolist(), strict=True):
        values = [value for value, kept in zip(row, keep, strict=True) if kept]
        means.append(sum(values) / len(values) if values else 0.0)
    return torch.tensor(means, dtype=torch.float64).to(x.dtype)


def assert_means(got, x, mask, what, note=""):
    rtol = 1e-5 if x.dtype is torch.float32 else 1e-12
    assert_tensor(got, row_means(x, mask), what, rtol=rtol, atol=rtol, note=note)


@exercise("masked_mean")
class TestMaskedMean:
    @pytest.mark.weight(2)
    def test_averages_the_marked_positions_of_each_row(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 8)
        square = rng.integer(4, 6)
        cases = [draw_masked(rng, n, t) for n, t in ((rows, steps), (square, square), (1, steps), (rows, 2))]
        for x, _ in cases:
            x[0, 0] = 0.0  # marked, and a value like any other
        seen = observe(lambda m: [m.masked_mean(x, mask) for x, mask in cases])
        for out, (x, mask) in zip(seen, cases, strict=True):
            assert_means(out, x, mask, f"the result for `x` of shape {tuple(x.shape)}")

    def test_gives_float64_for_float64(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 8)
        x, mask = draw_masked(rng, rows, steps, torch.float64)
        out = observe(lambda m: m.masked_mean(x, mask))
        note = "It should be the sum divided by the count, in the dtype of `x`, with nothing added to either."
        assert_means(out, x, mask, "the result for a float64 `x`", note)

    @pytest.mark.weight(2)
    def test_ignores_nan_and_inf_outside_the_mask(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 8)
        x, mask = draw_masked(rng, rows, steps)
        for row in range(1, rows):
            outside = (~mask[row]).nonzero().flatten().tolist()
            x[row, rng.choice(outside)] = (NAN, INF, -INF)[row % 3]
        out = observe(lambda m: m.masked_mean(x, mask))
        note = "Nothing outside the mask may reach the result; nan * 0 and inf * 0 are nan."
        assert_means(out, x, mask, "the result with nan and inf outside the mask", note)

    def test_reports_nan_and_inf_inside_the_mask(self, observe, rng):
        rows, steps = rng.integer(5, 6), rng.integer(3, 4)
        x, mask = draw_masked(rng, rows, steps)
        for row, value in enumerate((NAN, INF, -INF)):  # row 0 is all marked, so there is more than the nan in it
            x[row, mask[row].nonzero().flatten()[0]] = value
        out = observe(lambda m: m.masked_mean(x, mask))
        note = "A marked nan or inf is data, and the mean of its row shows it."
        assert_means(out, x, mask, "the result with nan and inf inside the mask", note)

    def test_gives_zero_for_a_row_with_nothing_marked(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 7)
        x, mask = draw_masked(rng, rows, steps)
        mask[rng.integer(1, rows - 1)] = False
        cases = [(x, mask), (x, torch.zeros_like(mask)), (x[:, :0], mask[:, :0]), (x[:0], mask[:0])]
        seen = observe(lambda m: [m.masked_mean(x, mask) for x, mask in cases])
        names = ("one row with nothing marked", "no position marked at all", "T = 0", "N = 0")
        for name, out, (x, mask) in zip(names, seen, cases, strict=True):
            assert_means(out, x, mask, f"the result for {name}")

    def test_takes_a_uint8_mask(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 8)
        x, mask = draw_masked(rng, rows, steps)
        x[1, (~mask[1]).nonzero().flatten()[0]] = NAN
        mask[2] = False
        long = draw_masked(rng, 2, rng.integer(300, 400))  # more marked positions than uint8 can count
        cases = [(x, mask.to(torch.uint8)), (long[0], long[1].to(torch.uint8))]
        short_rows, long_rows = observe(lambda m: [m.masked_mean(x, mask) for x, mask in cases])
        assert_means(short_rows, x, mask, "the result for a uint8 mask", "It should be as for the same mask in bool.")
        note = "How far does uint8 count?"
        assert_means(long_rows, *long, f"the result for a uint8 mask of {long[0].shape[1]} columns", note)

    def test_gives_zero_gradient_outside_the_mask(self, observe, rng):
        rows, steps = rng.sizes(2, 5, 8)
        x, mask = draw_masked(rng, rows, steps, torch.float64)
        empty = rng.integer(1, rows - 1)
        mask[empty] = False
        for row in range(1, rows):
            outside = (~mask[row]).nonzero().flatten().tolist()
            x[row, rng.choice(outside)] = (NAN, INF, -INF)[row % 3]
        upstream = rng.strided((rows,), torch.float64, low=0.5)
        seen = observe(with_gradients(lambda m, x: m.masked_mean(x, mask), [x], upstream))
        assert_means(seen.out, x, mask, "the result for an `x` that requires gradients")
        expected = torch.zeros_like(x)
        for row in range(rows):
            if row != empty:
                expected[row, mask[row]] = upstream[row] / int(mask[row].sum())
        note = f"Row {empty} has nothing marked, and there are nan and inf outside the mask: the gradient there is 0."
        assert_gradient(seen.grads[0], expected, "the gradient of `x`", note)

    def test_reads_any_layout_and_leaves_it_alone(self, observe, rng):
        rows, steps = rng.sizes(2, 4, 7)
        drawn, mask = draw_masked(rng, rows, steps)
        sliced = rng.strided((rows, steps))
        sliced.copy_(drawn)
        turned = torch.empty(steps, rows, dtype=torch.bool).t()
        turned.copy_(mask)
        one_for_all = mask[1:2].expand(rows, steps)
        eight_bits = turned.to(torch.uint8)
        cases = [(sliced, turned), (sliced, one_for_all), (drawn[:1].expand(rows, steps), eight_bits)]
        seen = observe(lambda m: {"outs": [m.masked_mean(x, mask) for x, mask in cases], "inputs": cases})
        for out, (x_after, mask_after), (x, mask) in zip(seen.outs, seen.inputs, cases, strict=True):
            assert_means(out, x, mask, "the result for a non-contiguous `x` and `mask`")
            assert_tensor(x_after, x, "`x` afterwards", rtol=0, atol=0, note="The function should not write into it.")
            assert_tensor(mask_after, mask, "`mask` afterwards", note="The function should not write into it.")


def distances(a, b):
    """The plain loop, in float64; rounded to the dtype of `a` at the end."""
    table = [[math.dist(p, q) for q in b.tolist()] for p in a.tolist()]
    return torch.tensor(table, dtype=torch.float64).reshape(len(a), len(b)).to(a.dtype)


def assert_distances(got, a, b, what, note=""):
    rtol = 1e-5 if a.dtype is torch.float32 else 1e-12
    assert_tensor(got, distances(a, b), what, rtol=rtol, atol=0, note=note)


def distance_gradients(a, b, upstream):
    """The plain loop: every pair pulls its rows together along their unit difference; equal rows do not pull."""
    of_a, of_b = torch.zeros_like(a), torch.zeros_like(b)
    for i, p in enumerate(a):
        for j, q in enumerate(b):
            length = math.dist(p.tolist(), q.tolist())
            if length > 0:
                pull = upstream[i, j] * (p - q) / length
                of_a[i] += pull
                of_b[j] -= pull
    return of_a, of_b


@exercise("pairwise_distance")
class TestPairwiseDistance:
    @pytest.mark.weight(2)
    def test_measures_every_row_of_a_against_every_row_of_b(self, observe, rng):
        n, m, d = rng.sizes(3, 2, 6)
        shapes = [(n, m, d), (n, n, d), (n, m, n), (n, m, m), (n, n, n)]
        cases = [(rng.tensor((rows, d)), rng.tensor((columns, d))) for rows, columns, d in shapes]
        seen = observe(lambda m: [m.pairwise_distance(a, b) for a, b in cases])
        for out, (a, b) in zip(seen, cases, strict=True):
            assert_distances(out, a, b, f"the result for `a` of shape {tuple(a.shape)} and `b` of {tuple(b.shape)}")

    def test_handles_one_row_no_rows_and_one_coordinate(self, observe, rng):
        n, m, d = rng.sizes(3, 2, 6)
        shapes = [(1, m, d), (n, 1, d), (1, 1, d), (n, m, 1), (0, m, d), (n, 0, d)]
        cases = [(rng.tensor((rows, d)), rng.tensor((columns, d))) for rows, columns, d in shapes]
        seen = observe(lambda m: [m.pairwise_distance(a, b) for a, b in cases])
        for out, (a, b) in zip(seen, cases, strict=True):
            assert_distances(out, a, b, f"the result for `a` of shape {tuple(a.shape)} and `b` of {tuple(b.shape)}")

    def test_gives_exactly_zero_for_equal_rows(self, observe, rng):
        n, d = rng.sizes(2, 4, 7)
        few = rng.tensor((n, d))
        many = rng.tensor((25, d), torch.float64)
        cases = [(few, few[rng.shuffled(range(n))]), (few, few), (many, many.clone())]
        seen = observe(lambda m: [m.pairwise_distance(a, b) for a, b in cases])
        for out, (a, b) in zip(seen, cases, strict=True):
            what = f"the result for {len(a)} rows against themselves"
            assert_distances(out, a, b, what, "Equal rows have a distance of exactly 0.")

    @pytest.mark.weight(2)
    def test_tells_close_rows_apart_far_from_the_origin(self, observe, rng):
        n, m, d = rng.integer(6, 9), rng.integer(20, 25), rng.integer(3, 5)
        centre = rng.tensor((d,), torch.float64, low=90.0, high=110.0)
        cases = []
        for dtype, rows in ((torch.float32, n), (torch.float64, n), (torch.float32, m), (torch.float64, m)):
            pair = [centre + rng.tensor((count, d), torch.float64, low=-0.01, high=0.01) for count in (rows, m)]
            cases.append((pair[0].to(dtype), pair[1][: n - 1].to(dtype) if rows == n else pair[1].to(dtype)))
        apart = ["near 100 that lie 0.01 apart"] * len(cases)
        # Close together at the origin: nothing cancels there, and only equal rows may count as equal.
        for scale in (1e-6, 1e-12):
            for dtype in (torch.float32, torch.float64):
                a, b = (rng.tensor((rows, d), torch.float64).mul(scale).to(dtype) for rows in (n, n - 1))
                cases.append((a, b))
                apart.append(f"near 0 that lie {scale:g} apart")
        seen = observe(lambda m: [m.pairwise_distance(a, b) for a, b in cases])
        for out, (a, b), where in zip(seen, cases, apart, strict=True):
            what = f"the result for {len(a)} and {len(b)} rows {where}"
            assert_distances(out, a, b, what, f"In {a.dtype} the distances can be told far better than that.")

    def test_sends_gradients_to_both_sides(self, observe, rng):
        n, m, d = rng.sizes(3, 2, 6)
        a, b = (rng.tensor((rows, d), torch.float64) for rows in (n, m))
        upstream = rng.strided((n, m), torch.float64, low=0.5)
        seen = observe(with_gradients(lambda m, a, b: m.pairwise_distance(a, b), [a, b], upstream))
        assert_distances(seen.out, a, b, "the result for inputs that require gradients")
        for name, got, expected in zip("ab", seen.grads, distance_gradients(a, b, upstream), strict=True):
            assert_gradient(got, expected, f"the gradient of `{name}`")

    @pytest.mark.weight(2)
    def test_gives_zero_gradient_for_equal_rows(self, observe, rng):
        n, d = rng.sizes(2, 4, 6)
        a = rng.tensor((n, d), torch.float64)
        b = torch.cat([a[rng.shuffled(range(n))[:2]], rng.tensor((1, d), torch.float64)])
        upstream = rng.strided((n, 3), torch.float64, low=0.5)
        twice = torch.cat([a, a[1:2]])
        to_itself = rng.strided((n + 1, n + 1), torch.float64, low=0.5)
        both = observe(with_gradients(lambda m, a, b: m.pairwise_distance(a, b), [a, b], upstream))
        same = observe(with_gradients(lambda m, a: m.pairwise_distance(a, a), [twice], to_itself))
        note = "A pair of equal rows contributes a gradient of 0, not nan; the other pairs count as ever."
        of_a, of_b = distance_gradients(a, b, upstream)
        assert_gradient(both.grads[0], of_a, "the gradient of `a`, of which two rows are in `b` as well,", note)
        assert_gradient(both.grads[1], of_b, "the gradient of `b`, of which two rows are in `a` as well,", note)
        expected = sum(distance_gradients(twice, twice, to_itself))
        what = "the gradient of `a`, two of whose rows are equal, in `pairwise_distance(a, a)`"
        assert_gradient(same.grads[0], expected, what, note)

    def test_reads_any_layout_and_leaves_it_alone(self, observe, rng):
        n, m, d = rng.sizes(3, 3, 7)
        transposed = rng.tensor((d, n), torch.float64).t()
        cases = [
            (transposed, rng.strided((m, d), torch.float64)),
            (rng.tensor((1, d)).expand(n, d), rng.strided((m, d))),
        ]
        seen = observe(lambda m: {"outs": [m.pairwise_distance(a, b) for a, b in cases], "inputs": cases})
        for out, (a_after, b_after), (a, b) in zip(seen.outs, seen.inputs, cases, strict=True):
            assert_distances(out, a, b, "the result for a non-contiguous `a` and `b`")
            for name, after, before in (("a", a_after, a), ("b", b_after, b)):
                note = "The function should not write into it."
                assert_tensor(after, before, f"`{name}` afterwards", rtol=0, atol=0, note=note)
