"""Hidden suite of autograd/by_hand."""

from __future__ import annotations

import math

import numpy as np
import torch

from grader.testing import assert_equal, assert_error, assert_no_error, assert_tensor, error_of, exercise, short

DOUBLE = torch.float64


@exercise("linear_model")
class TestLinearModel:
    def test_says_what_the_line_says(self, observe, rng):
        cases = []
        for dtype in (torch.float32, DOUBLE):
            size = rng.integer(3, 9)
            w, b = rng.tensor((), dtype, 1.0, 3.0), rng.tensor((), dtype, -7.0, -4.0)
            cases += [(rng.strided((size,), dtype), w, b), (rng.tensor((1,), dtype), w, b)]
        seen = observe(lambda m: [m.linear_model(*case) for case in cases])
        for (t_u, w, b), out in zip(cases, seen, strict=True):
            expected = torch.tensor([w.item() * value + b.item() for value in t_u.tolist()], dtype=t_u.dtype)
            assert_tensor(out, expected, f"`linear_model` of {len(t_u)} numbers with w={w:.3g}, b={b:.3g}")

    def test_takes_no_measurements_at_all(self, observe, rng):
        w, b = rng.tensor((), DOUBLE), rng.tensor((), DOUBLE)
        seen = observe(lambda m: [m.linear_model(torch.empty(0, dtype=DOUBLE), w, b), m.linear_model(w[None], b, w)])
        assert_tensor(seen[0], torch.empty(0, dtype=DOUBLE), "`linear_model` of no numbers")
        assert_tensor(seen[1], (b * w + w)[None], "`linear_model` of one number")

    def test_loss_is_the_mean_of_the_squares(self, observe, rng):
        cases = []
        for dtype, size in ((torch.float32, rng.integer(3, 9)), (DOUBLE, rng.integer(10, 20)), (DOUBLE, 1)):
            cases.append((rng.strided((size,), dtype), rng.strided((size,), dtype, 3.0, 5.0)))
        cases.append((cases[0][1], cases[0][1].clone()))
        seen = observe(lambda m: [m.mse(p, c) for p, c in cases])
        for (t_p, t_c), out in zip(cases, seen, strict=True):
            squares = [(p - c) ** 2 for p, c in zip(t_p.tolist(), t_c.tolist(), strict=True)]
            expected = torch.tensor(sum(squares) / len(squares), dtype=t_p.dtype)
            assert_tensor(out, expected, f"`mse` of {len(t_p)} predictions", note="It is the mean of the squares.")

    def test_column_against_row_is_refused(self, observe, rng):
        size = rng.integer(3, 8)
        t_p, t_c = rng.tensor((size,), DOUBLE), rng.tensor((size,), DOUBLE)

        def probe(m):
            shapes = [(t_p[:, None], t_c), (t_p, t_c[:, None]), (t_p[:1], t_c), (t_p, t_c[0])]
            return {"errors": [error_of(lambda a=a, b=b: m.mse(a, b)) for a, b in shapes], "good": m.mse(t_p, t_c)}

        seen = observe(probe)
        assert_tensor(seen.good, ((t_p - t_c) ** 2).mean(), "`mse` of equal shapes")
        shapes_given = ("(N, 1) and (N,)", "(N,) and (N, 1)", "(1,) and (N,)", "(N,) and ()")
        for error, shapes in zip(seen.errors, shapes_given, strict=True):
            assert_error(error, ValueError, "as nothing is to be broadcast", f"`mse` of shapes {shapes}")

    def test_gradients_reach_w_and_b(self, observe, rng):
        size = rng.integer(4, 9)
        t_u, t_c = rng.strided((size,), DOUBLE), rng.strided((size,), DOUBLE)
        w, b = rng.tensor((), DOUBLE, 1.0, 2.0), rng.tensor((), DOUBLE, 2.0, 3.0)
        upstream = rng.strided((size,), DOUBLE)

        def probe(m):
            p, q = w.clone().requires_grad_(), b.clone().requires_grad_()
            out = m.linear_model(t_u, p, q)
            (out * upstream).sum().backward()
            model = [p.grad, q.grad]
            p.grad = q.grad = None
            loss = m.mse(m.linear_model(t_u, p, q), t_c)
            loss.backward()
            alone = []
            for which in (0, 1):
                pair = [w.clone(), b.clone()]
                pair[which].requires_grad_()
                out = m.linear_model(t_u, *pair)
                if out.requires_grad:
                    (out * upstream).sum().backward()
                alone.append(pair[which].grad)
            return {"model": model, "loss": [p.grad, q.grad], "alone": alone}

        seen = observe(probe)
        through = ((upstream * t_u).sum(), upstream.sum())
        for got, expected, name in zip(seen.model, through, "wb", strict=True):
            assert_tensor(got, expected, f"the gradient that reaches {name} through `linear_model`")
        for got, expected, name in zip(seen.alone, through, "wb", strict=True):
            assert_tensor(got, expected, f"the gradient that reaches {name} if {name} alone requires one")
        miss = 2 * (w * t_u + b - t_c)
        for got, expected, name in zip(seen.loss, ((miss * t_u).mean(), miss.mean()), "wb", strict=True):
            assert_tensor(got, expected, f"the gradient of the loss in {name}")

    def test_inputs_are_not_changed(self, observe, rng):
        size = rng.integer(3, 7)
        t_u, t_c = rng.tensor((size,), DOUBLE), rng.tensor((size,), DOUBLE)
        w, b = rng.tensor((), DOUBLE), rng.tensor((), DOUBLE)

        def probe(m):
            out = m.linear_model(t_u, w, b)
            kept = out.clone()
            return {"loss": m.mse(out, t_c), "inputs": [t_u, w, b, t_c, out], "kept": kept}

        seen = observe(probe)
        assert_tensor(seen.loss, ((w * t_u + b - t_c) ** 2).mean(), "the loss")
        names = ("t_u", "w", "b", "t_c", "the prediction")
        for got, expected, name in zip(seen.inputs, (t_u, w, b, t_c, seen.kept), names, strict=True):
            assert_tensor(got, expected, f"{name} afterwards", rtol=0, atol=0)


def least_squares(x, y):
    """By NumPy's SVD in float64: the best fit with the smallest norm."""
    wide = np.concatenate([x.double().numpy(), np.ones((len(x), 1))], axis=1)
    return torch.from_numpy(np.linalg.lstsq(wide, y.double().numpy(), rcond=None)[0])


@exercise("closed_form_fit")
class TestClosedFormFit:
    def check(self, observe, cases, close=None, note=""):
        seen = observe(lambda m: [m.closed_form_fit(x, y) for x, y in cases])
        for (x, y), out in zip(cases, seen, strict=True):
            what = f"`closed_form_fit` of x {tuple(x.shape)}, {str(x.dtype).removeprefix('torch.')},"
            # A result that went through float32 is off by some 1e-8.
            near = close or (1e-9 if x.dtype == DOUBLE else 1e-5)
            assert_tensor(out, least_squares(x, y).to(x.dtype), what, rtol=near, atol=near, note=note)

    def test_fits_noisy_lines(self, observe, rng):
        cases = []
        for dtype in (DOUBLE, DOUBLE, torch.float32):
            n, d = rng.integer(9, 20), rng.integer(2, 5)
            x = rng.strided((n, d), dtype)
            y = x @ rng.tensor((d,), dtype) + 3 + 0.3 * rng.tensor((n,), dtype)
            cases.append((x, y))
        n = rng.integer(5, 9)
        cases.append((rng.tensor((n, 1), DOUBLE), rng.strided((n,), DOUBLE)))
        self.check(observe, cases)

    def test_columns_far_from_zero(self, observe, rng):
        cases = []
        for _ in range(3):
            n = rng.integer(12, 20)
            year = torch.tensor(rng.shuffled(range(2001, 2001 + n)), dtype=torch.float32)
            x = torch.stack([year, rng.tensor((n,))], dim=1)
            y = 0.25 * (year - 2000) + 2 * x[:, 1] + 0.3 * rng.tensor((n,))
            cases.append((x, y))
        note = "With a column around 2000, float32 (or X^T X in it) has too few digits."
        self.check(observe, cases, close=1e-4, note=note)

    def test_repeated_and_constant_columns_share_the_weight(self, observe, rng):
        n, d = rng.integer(9, 15), rng.integer(2, 3)
        x = rng.tensor((n, d), DOUBLE)
        y = rng.tensor((n,), DOUBLE, 2.0, 4.0)
        cases = [
            (torch.cat([x, x[:, :1]], dim=1), y),
            (torch.cat([x, torch.full((n, 1), 2.0, dtype=DOUBLE)], dim=1), y),
            (torch.cat([x, torch.zeros(n, 1, dtype=DOUBLE)], dim=1), y),
            (torch.cat([x, 2 * x[:, :1] - x[:, 1:2]], dim=1), y),
        ]
        note = "Where many weights fit equally well, those with the smallest norm are wanted."
        self.check(observe, cases, close=1e-6, note=note)

    def test_fewer_rows_than_weights(self, observe, rng):
        shapes = ((2, 4), (1, 3), (1, 1), (3, 3))
        cases = [(rng.tensor((n, d), DOUBLE), rng.tensor((n,), DOUBLE, 2.0, 5.0)) for n, d in shapes]
        self.check(observe, cases, close=1e-6, note="The weights with the smallest norm are wanted.")

    def test_inputs_are_not_changed(self, observe, rng):
        x, y = rng.strided((8, 3), DOUBLE), rng.strided((8,), DOUBLE)
        seen = observe(lambda m: {"out": m.closed_form_fit(x, y), "x": x, "y": y})
        assert_tensor(seen.out, least_squares(x, y), "`closed_form_fit` of x (8, 3)", rtol=1e-6, atol=1e-7)
        assert_tensor(seen.x, x, "x afterwards", rtol=0, atol=0)
        assert_tensor(seen.y, y, "y afterwards", rtol=0, atol=0)


@exercise("numeric_grad")
class TestNumericGrad:
    @staticmethod
    def cubic(coefficients):
        """A function whose slope in one parameter depends on all the others, and its central differences by formula."""
        a, b, c = coefficients

        def f(p):
            return (a * p**3).sum() + (b * p).sum() * (c * p).sum()

        def slopes(p, eps):
            # The cubic term adds a * eps**2 to its slope; the product of two sums adds nothing.
            return a * (3 * p**2 + eps**2) + b * (c * p).sum() + c * (b * p).sum()

        return f, slopes

    def drawn(self, rng, size, dtype=DOUBLE):
        return self.cubic([rng.tensor((size,), DOUBLE, 1.0, 2.0) for _ in range(3)]), rng.strided((size,), dtype)

    def test_is_the_central_difference(self, observe, rng):
        # With the larger eps, rounding in float64 is far below 1e-10: a result that went through float32 shows.
        for eps, close in ((1e-3, 1e-6), (0.3, 1e-10)):
            (f, slopes), p = self.drawn(rng, rng.integer(3, 6))
            seen = observe(lambda m: m.numeric_grad(f, p, eps))
            note = "The formula takes f to both sides of p, and divides by the distance between the two."
            what = f"`numeric_grad` of a cubic with eps={eps}"
            assert_tensor(seen, slopes(p, eps), what, rtol=close, atol=close, note=note)

    def test_every_other_parameter_stays_where_it_was(self, observe, rng):
        (f, slopes), p = self.drawn(rng, rng.integer(3, 5))

        def probe(m):
            points = []

            def remember(point):
                points.append((point, point.detach().clone()))
                return f(point)

            grad = m.numeric_grad(remember, p, 0.25)
            return {"grad": grad, "points": [(point.detach().clone(), then) for point, then in points], "p": p}

        seen = observe(probe)
        assert_tensor(seen.grad, slopes(p, 0.25), "the gradient", rtol=1e-6, atol=1e-6)
        for point, then in seen.points:
            assert_equal(then.dtype, DOUBLE, "the dtype of the points that f is given")
            assert_tensor(point, then, "a point that f was given, looked at later,", rtol=0, atol=0)
            moved = ((point - p).abs() > 1e-9).sum().item()
            assert moved <= 1, (
                f"f was given a point at which {moved} parameters differ from `params`: {short(point)}. Each is to be "
                "nudged alone."
            )
        assert_tensor(seen.p, p, "`params` afterwards", rtol=0, atol=0)

    def test_params_do_not_move_while_it_measures(self, observe, rng):
        (f, slopes), p = self.drawn(rng, rng.integer(2, 4))

        def probe(m):
            watched = []

            def look(point):
                watched.append(p.clone())
                return f(point)

            return {"grad": m.numeric_grad(look, p, 0.1), "watched": watched}

        seen = observe(probe)
        assert_tensor(seen.grad, slopes(p, 0.1), "the gradient", rtol=1e-6, atol=1e-6)
        for state in seen.watched:
            assert_tensor(state, p, "`params` while f is called", rtol=0, atol=0)

    def test_works_in_float64_on_float32_parameters(self, observe, rng):
        (f, slopes), p = self.drawn(rng, rng.integer(2, 4), torch.float32)
        seen = observe(lambda m: {"grad": m.numeric_grad(f, p, 1e-4), "p": p})
        note = "Nudges of 1e-4 drown in the rounding of float32."
        assert_tensor(seen.grad, slopes(p.double(), 1e-4), "`numeric_grad` of float32", rtol=1e-6, atol=1e-6, note=note)
        assert_tensor(seen.p, p, "`params` afterwards", rtol=0, atol=0)

    def test_takes_python_numbers_and_requires_grad(self, observe, rng):
        (f, slopes), p = self.drawn(rng, rng.integer(2, 4))

        def probe(m):
            leaf = p.clone().requires_grad_()
            asked = []

            def number(point):
                asked.append(point.requires_grad)
                return f(point).item()

            grad = m.numeric_grad(number, leaf, 0.05)
            again = m.numeric_grad(f, leaf, 0.05)
            one = torch.ones((), dtype=DOUBLE, requires_grad=True)
            with_graph = m.numeric_grad(lambda point: f(point) * one, leaf, 0.05)
            grads = [grad, again, with_graph]
            wants = [result.requires_grad for result in grads]
            return {"grads": grads, "wants": wants, "grad": leaf.grad, "asked": asked}

        seen = observe(probe)
        for grad in seen.grads:
            assert_tensor(grad, slopes(p, 0.05), "`numeric_grad` of a leaf", rtol=1e-6, atol=1e-6)
        what = "`requires_grad` of the result, for f giving a float, a tensor, and a tensor that requires gradients"
        assert_equal(seen.wants, [False] * 3, what)
        assert not any(seen.asked), "the points that f is given require gradients, so all it does is recorded: detach."
        assert seen.grad is None, "the `.grad` of `params` was filled: this gradient is measured, not computed."

    def test_one_parameter_and_none(self, observe, rng):
        (f, slopes), p = self.drawn(rng, 1)
        empty = torch.empty(0, dtype=DOUBLE)
        seen = observe(lambda m: [m.numeric_grad(f, p, 0.2), m.numeric_grad(lambda point: 3.0, empty, 0.2)])
        assert_tensor(seen[0], slopes(p, 0.2), "`numeric_grad` with one parameter", rtol=1e-6, atol=1e-6)
        assert_tensor(seen[1], empty, "`numeric_grad` with no parameter")


def descend(t_u, t_c, params, lr, n):
    """Gradient descent in plain Python floats: the parameters and the losses before each step."""
    (w, b), xs, ys, losses = params.tolist(), t_u.tolist(), t_c.tolist(), []
    for _ in range(n):
        misses = [w * x + b - y for x, y in zip(xs, ys, strict=True)]
        losses.append(sum(miss * miss for miss in misses) / len(misses))
        slope_w = sum(2 * miss * x for miss, x in zip(misses, xs, strict=True)) / len(xs)
        slope_b = sum(2 * miss for miss in misses) / len(xs)
        w, b = w - lr * slope_w, b - lr * slope_b
    return torch.tensor([w, b], dtype=params.dtype), losses


@exercise("fit_by_hand")
class TestFitByHand:
    def drawn(self, rng, dtype=DOUBLE, size=None):
        t_u = rng.strided((size or rng.integer(5, 12),), dtype, 1.0, 4.0)
        t_c = rng.uniform(2, 3) * t_u - 5 + 0.3 * rng.tensor((len(t_u),), dtype)
        return t_u, t_c, rng.tensor((2,), dtype, 1.0, 2.0)

    def test_each_step_goes_down_the_analytic_gradient(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)
        lr = rng.uniform(0.01, 0.03)
        seen = observe(lambda m: [m.fit_by_hand(t_u, t_c, start, lr, n) for n in (1, 2, 7)])
        for n, result in zip((1, 2, 7), seen, strict=True):
            expected, losses = descend(t_u, t_c, start, lr, n)
            assert_equal(type(result), tuple, "what `fit_by_hand` returns, by type,")
            params, noted = result
            note = "Both slopes are means over all N, with the 2 that the square leaves, taken at the same parameters."
            # Parameters that went through float32 are off by some 1e-8.
            after = f"the parameters after {n} step{'s' * (n > 1)}"
            assert_tensor(params, expected, after, rtol=1e-10, atol=1e-10, note=note)
            assert len(noted) == n, f"after {n} steps there should be {n} losses, but there are {len(noted)}."
            noted, losses = torch.tensor(noted, dtype=DOUBLE), torch.tensor(losses, dtype=DOUBLE)
            assert_tensor(noted, losses, "the losses", rtol=1e-10, atol=1e-10)

    def test_losses_are_floats_noted_before_each_step(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)
        _, losses = observe(lambda m: m.fit_by_hand(t_u, t_c, start, 0.02, 3))
        assert_equal([type(loss) for loss in losses], [float] * 3, "the types of the losses")
        first = ((start[0] * t_u + start[1] - t_c) ** 2).mean().item()
        assert math.isclose(losses[0], first, rel_tol=1e-6), (
            f"the first loss should be {first:.6g}, that of the parameters at the start, but is {losses[0]:.6g}."
        )

    def test_converges_to_the_best_line(self, observe, rng):
        _, _, start = self.drawn(rng, torch.float32)
        # Spread evenly, so that neither direction is too steep for this learning rate or too flat for these steps.
        count = rng.integer(5, 12)
        t_u = torch.linspace(1, 4, count) + 0.05 * rng.tensor((count,))
        t_c = rng.uniform(2, 3) * t_u - 5 + 0.3 * rng.tensor((count,))
        best = least_squares(t_u[:, None], t_c)
        params, losses = observe(lambda m: m.fit_by_hand(t_u, t_c, start, 0.1, 800))
        assert_tensor(params, best.float(), "the parameters after 800 steps", rtol=2e-2, atol=2e-2)
        assert len(losses) == 800, f"there should be 800 losses, but there are {len(losses)}."

    def test_stops_where_it_diverges(self, observe, rng):
        t_u, t_c, start = self.drawn(rng, torch.float32)
        t_u = t_u * 20

        def probe(m):
            params, losses = m.fit_by_hand(t_u, t_c, start, 1.0, 500)
            return {"params": params, "losses": losses, "inputs": [t_u, t_c, start]}

        seen = observe(probe)
        params, losses = seen.params, seen.losses
        assert len(losses) < 40, f"the loss is infinite after a few steps, but {len(losses)} losses were noted."
        assert all(map(math.isfinite, losses[:-1])), f"all losses but the last should be finite: {short(losses[-5:])}."
        assert not math.isfinite(losses[-1]), "the loss that is not finite should be noted too, as the last one."
        assert torch.isfinite(params).all(), f"the step from an infinite loss should not be made: params are {params}."
        expected, _ = descend(t_u, t_c, start, 1.0, 2)
        two_steps, _ = observe(lambda m: m.fit_by_hand(t_u, t_c, start, 1.0, 2))
        assert_tensor(two_steps, expected, "the parameters after two steps", rtol=1e-4, atol=1e-4)
        for got, expected, name in zip(seen.inputs, (t_u, t_c, start), ("t_u", "t_c", "`params`"), strict=True):
            assert_tensor(got, expected, f"{name}, after a fit that ended early,", rtol=0, atol=0)

    def test_a_large_loss_is_not_infinite(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)
        far = start * 1e25
        params, noted = observe(lambda m: m.fit_by_hand(t_u, t_c, far, 0.02, 3))
        expected, losses = descend(t_u, t_c, far, 0.02, 3)
        assert len(noted) == 3, (
            f"from parameters near 1e25, in float64, 3 steps should note 3 losses, but there are {len(noted)}: "
            f"{short(noted)}. Large as they are, they are finite."
        )
        assert_tensor(torch.tensor(noted, dtype=DOUBLE), torch.tensor(losses, dtype=DOUBLE), "the losses")
        assert_tensor(params, expected, "the parameters, 3 steps after some near 1e25,")

    def test_stops_at_nan(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)
        broken = t_c.clone()
        broken[1] = math.nan

        seen = observe(
            lambda m: {
                "broken": m.fit_by_hand(t_u, broken, start, 0.02, 5),
                "good": m.fit_by_hand(t_u, t_c, start, 0.02, 5),
            }
        )
        assert_tensor(seen.good[0], descend(t_u, t_c, start, 0.02, 5)[0], "the parameters after 5 steps")
        params, losses = seen.broken
        assert len(losses) == 1, f"with a NaN among the targets there should be one loss, but there are {len(losses)}."
        assert math.isnan(losses[0]), f"the loss with a NaN among the targets should be NaN, but is {losses[0]}."
        assert_tensor(params, start, "the parameters, with a NaN among the targets,")

    def test_the_callers_tensors_stay_as_they_were(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)

        def probe(m):
            moved = m.fit_by_hand(t_u, t_c, start, 0.02, 3)[0]
            unmoved, losses = m.fit_by_hand(t_u, t_c, start, 0.02, 0)
            unmoved += 5
            return {"moved": moved, "unmoved": unmoved, "losses": losses, "inputs": [t_u, t_c, start]}

        seen = observe(probe)
        assert_tensor(seen.moved, descend(t_u, t_c, start, 0.02, 3)[0], "the parameters after 3 steps")
        assert_tensor(seen.unmoved, start + 5, "the parameters after 0 steps, with 5 added by the caller,")
        assert_equal(seen.losses, [], "the losses of 0 steps")
        for got, expected, name in zip(seen.inputs, (t_u, t_c, start), ("t_u", "t_c", "`params`"), strict=True):
            assert_tensor(got, expected, f"{name} afterwards", rtol=0, atol=0, note="Is a `-=` at work?")

    def test_works_while_autograd_is_switched_off(self, observe, rng):
        t_u, t_c, start = self.drawn(rng)

        def probe(m):
            with torch.no_grad():
                error = error_of(lambda: m.fit_by_hand(t_u, t_c, start, 0.02, 2))
            return {"error": error, "params": m.fit_by_hand(t_u, t_c, start, 0.02, 2)[0]}

        seen = observe(probe)
        assert_tensor(seen.params, descend(t_u, t_c, start, 0.02, 2)[0], "the parameters after 2 steps")
        assert_no_error(seen.error, "`fit_by_hand` inside `torch.no_grad()`", "as its gradient is a formula")
