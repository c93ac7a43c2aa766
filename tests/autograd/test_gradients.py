"""Hidden suite of autograd/gradients."""

from __future__ import annotations

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, short

DOUBLE = torch.float64


def assert_number(got, expected, what, rtol=1e-6, note=""):
    """A Python float, close to `expected`."""
    tail = f" {note}" if note else ""
    assert type(got) is float, f"{what} should be a Python float, but it is {short(got)}.{tail}"
    assert math.isclose(got, expected, rel_tol=rtol, abs_tol=1e-9), (
        f"{what} should be {expected:.6g}, but is {got:.6g}.{tail}"
    )


def line_loss(x, y, bend=0.0):
    """The squared error of a line, plus `bend` times the sum of the fourth powers of its parameters."""

    def loss_fn(p):
        return ((p[0] * x + p[1] - y) ** 2).mean() + bend * (p**4).sum()

    return loss_fn


def descend(x, y, bend, start, lr, steps):
    """By hand, in Python floats: the places, before the first step and after each, the losses and the gradients."""
    xs, ys, (w, b) = x.tolist(), y.tolist(), start.tolist()
    places, losses, grads = [(w, b)], [], []
    for _ in range(steps):
        misses = [w * x + b - y for x, y in zip(xs, ys, strict=True)]
        losses.append(sum(miss * miss for miss in misses) / len(misses) + bend * (w**4 + b**4))
        slope_w = sum(2 * miss * x for miss, x in zip(misses, xs, strict=True)) / len(xs) + 4 * bend * w**3
        slope_b = sum(2 * miss for miss in misses) / len(xs) + 4 * bend * b**3
        grads.append((slope_w, slope_b))
        w, b = w - lr * slope_w, b - lr * slope_b
        places.append((w, b))
    as_tensors = [torch.tensor(pairs, dtype=start.dtype) for pairs in (places, grads)]
    return as_tensors[0], losses, as_tensors[1]


@exercise("autograd_step")
class TestAutogradStep:
    def drawn(self, rng, dtype=DOUBLE):
        size = rng.integer(5, 10)
        x = rng.strided((size,), dtype, 0.5, 2.5)
        y = rng.uniform(2, 3) * x - 4 + 0.3 * rng.tensor((size,), dtype)
        return x, y, rng.uniform(0.02, 0.05), rng.tensor((2,), dtype, 0.5, 1.5)

    @pytest.mark.weight(2)
    def test_goes_down_the_slope_of_the_loss(self, observe, rng):
        cases = [(*self.drawn(rng, dtype), lr) for dtype, lr in ((DOUBLE, 0.03), (DOUBLE, 0.2), (torch.float32, 0.01))]

        def probe(m):
            seen = []
            for x, y, bend, start, lr in cases:
                params = start.clone().requires_grad_()
                m.autograd_step(params, line_loss(x, y, bend), lr)
                seen.append(params.detach())
            return seen

        for (x, y, bend, start, lr), got in zip(cases, observe(probe), strict=True):
            places, _, _ = descend(x, y, bend, start, lr, 1)
            note = f"They were {short(start.tolist())} before it."
            close = 1e-11 if x.dtype == DOUBLE else 1e-5
            assert_tensor(got, places[1], f"`params` after a step with lr={lr}", rtol=close, atol=close, note=note)

    def test_gradients_of_earlier_steps_do_not_count(self, observe, rng):
        x, y, bend, start = self.drawn(rng)
        # What a step that diverged leaves: no product with 0 makes it a number again.
        broken = torch.tensor(rng.shuffled([math.nan, math.inf]), dtype=DOUBLE)
        stale = {"a gradient": rng.tensor((2,), DOUBLE, 1.0, 2.0), "NaN and inf": broken}

        def probe(m):
            seen = []
            for before in stale.values():
                params, row = start.clone().requires_grad_(), []
                params.grad = before.clone()
                for _ in range(4):
                    m.autograd_step(params, line_loss(x, y, bend), 0.05)
                    row.append(params.detach().clone())
                seen.append(row)
            return seen

        places, _, _ = descend(x, y, bend, start, 0.05, 4)
        for row, before in zip(observe(probe), stale, strict=True):
            for number, (got, expected) in enumerate(zip(row, places[1:], strict=True), 1):
                when = f"with {before} in `.grad` from before" if number == 1 else "one after the other"
                assert_tensor(got, expected, f"`params` after {number} step{'s' * (number > 1)}, {when},")

    def test_params_stay_the_same_leaf_in_the_same_place(self, observe, rng):
        x, y, bend, start = self.drawn(rng)

        def probe(m):
            wide = torch.zeros(5, dtype=DOUBLE)
            wide[1::2] = start
            params = wide[1::2].requires_grad_()
            m.autograd_step(params, line_loss(x, y, bend), 0.05)
            flags = {"is_leaf": params.is_leaf, "requires_grad": params.requires_grad}
            return {"params": params.detach().clone(), "wide": wide.detach().clone(), "flags": flags}

        seen = observe(probe)
        places, _, _ = descend(x, y, bend, start, 0.05, 1)
        wide = torch.zeros(5, dtype=DOUBLE)
        wide[1::2] = places[1]
        assert_tensor(seen.params, places[1], "`params` after a step")
        note = "The step is made in place, so another view of the same storage should show it."
        assert_tensor(seen.wide, wide, "the tensor of which `params` is a view, after a step,", note=note)
        assert_equal(seen.flags, {"is_leaf": True, "requires_grad": True}, "what `params` is after a step")

    def test_leaves_the_gradient_of_this_step(self, observe, rng):
        x, y, bend, start = self.drawn(rng)

        def probe(m):
            params, grads = start.clone().requires_grad_(), []
            for _ in range(2):
                m.autograd_step(params, line_loss(x, y, bend), 0.05)
                grads.append(None if params.grad is None else params.grad.clone())
            return grads

        _, _, grads = descend(x, y, bend, start, 0.05, 2)
        for number, (got, expected) in enumerate(zip(observe(probe), grads, strict=True), 1):
            assert_tensor(got, expected, f"`params.grad` after step {number}")

    def test_returns_the_loss_from_before_the_step(self, observe, rng):
        x, y, bend, start = self.drawn(rng)

        def probe(m):
            params, calls, loss_fn = start.clone().requires_grad_(), [], line_loss(x, y, bend)

            def counting(p):
                calls.append(None)
                return loss_fn(p)

            losses = [m.autograd_step(params, counting, 0.05) for _ in range(3)]
            return {"losses": losses, "calls": len(calls)}

        seen = observe(probe)
        for number, (got, expected) in enumerate(zip(seen.losses, descend(x, y, bend, start, 0.05, 3)[1], strict=True)):
            assert_number(got, expected, f"the loss that step {number + 1} returns")
        assert seen.calls == 3, f"in 3 steps `loss_fn` should be called 3 times, but it was called {seen.calls} times."

    def test_grad_mode_is_as_before(self, observe, rng):
        x, y, bend, start = self.drawn(rng)

        def probe(m):
            # It switches autograd on for itself, so that there is a gradient in whatever mode the caller is.
            loss_fn = torch.enable_grad()(line_loss(x, y, bend))
            seen = []
            for enabled in (True, False):
                params = start.clone().requires_grad_()
                with torch.set_grad_enabled(enabled):
                    m.autograd_step(params, loss_fn, 0.05)
                    seen.append((params.detach(), torch.is_grad_enabled()))
            return seen

        (params, switched_on), (params_too, still_on) = observe(probe)
        place = descend(x, y, bend, start, 0.05, 1)[0][1]
        assert_tensor(params, place, "`params` after a step")
        assert switched_on, "after the step, autograd stays switched off (`torch.is_grad_enabled()` is False)."
        assert_tensor(params_too, place, "`params` after a step for a caller who has autograd switched off")
        assert not still_on, (
            "the caller had autograd switched off, and after the step it is on (`torch.is_grad_enabled()` is True)."
        )

    def test_many_steps_find_the_lowest_loss(self, observe, rng):
        x = torch.tensor([-1.5, -1.0, -0.5, 0.5, 1.0, 1.5], dtype=DOUBLE)
        w, b = rng.uniform(2, 3), rng.uniform(-4, -3)
        y = w * x + b
        start = rng.tensor((2,), DOUBLE)

        def probe(m):
            params, loss_fn = start.clone().requires_grad_(), line_loss(x, y)
            losses = [m.autograd_step(params, loss_fn, 0.2) for _ in range(40)]
            return {"params": params.detach(), "losses": losses}

        seen = observe(probe)
        best = torch.tensor([w, b], dtype=DOUBLE)
        assert_tensor(seen.params, best, "`params` after 40 steps", rtol=1e-4, atol=1e-4)
        assert seen.losses == sorted(seen.losses, reverse=True), f"the losses should fall: {short(seen.losses)}."


class Descent:
    """Gradient descent with momentum and the interface of torch.optim, without what that imports."""

    def __init__(self, params, lr, momentum=0.0, groups=1):
        params = list(params)
        parts = [params[start::groups] for start in range(groups)]
        self.param_groups = [{"params": part, "lr": lr, "momentum": momentum} for part in parts]
        self.state = {}
        self.steps = 0

    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else torch.zeros_like(p)

    def step(self, closure=None):
        self.steps += 1
        with torch.no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.state[p] = group["momentum"] * self.state.get(p, 0.0) + p.grad
                        p -= group["lr"] * self.state[p]


def regressor(rng, features, outputs):
    """Linear, tanh, linear in float64, with parameters drawn from rng."""
    model = nn.Sequential(nn.Linear(features, 4), nn.Tanh(), nn.Linear(4, outputs)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(rng.tensor(parameter.shape, DOUBLE, -1.0, 1.0))
    return model


def whole_steps(model, loss_fn, batches, lr, momentum=0.0):
    """Steps with whole batches, on a copy: the losses before them, the gradients of the last, the parameters after."""
    model = copy.deepcopy(model)
    params = [p for p in model.parameters() if p.requires_grad]
    velocities, losses, grads = [0.0] * len(params), [], []
    for x, y in batches:
        loss = loss_fn(model(x), y)
        grads = torch.autograd.grad(loss, params)
        losses.append(loss.item())
        with torch.no_grad():
            velocities = [momentum * v + g for v, g in zip(velocities, grads, strict=True)]
            for p, v in zip(params, velocities, strict=True):
                p -= lr * v
    return losses, list(grads), [p.detach() for p in model.parameters()]


@exercise("accumulate_step")
class TestAccumulateStep:
    def drawn(self, rng, sizes, labels=False):
        features, outputs = rng.sizes(2, 2, 5)
        rows = sum(sizes)
        x = rng.strided((rows, features), DOUBLE)
        y = rng.tensor((rows,), torch.int64, 0, outputs) if labels else rng.tensor((rows, outputs), DOUBLE, 1.0, 3.0)
        # The last rows are unlike the others, so that losing or overrating a piece shows.
        x[-1] *= 2
        pieces = list(zip(x.split(sizes), y.split(sizes), strict=True))
        return regressor(rng, features, outputs), pieces, (x, y), F.cross_entropy if labels else F.mse_loss

    def check(self, observe, cases, note="", groups=1):
        def probe(m):
            seen = []
            for model, pieces, _, loss_fn in cases:
                optimizer = Descent(model.parameters(), 0.1, groups=groups)
                loss = m.accumulate_step(model, optimizer, loss_fn, pieces)
                state = [p.detach() for p in model.parameters()], [p.grad for p in model.parameters()]
                seen.append((loss, optimizer.steps, *state))
            return seen

        for (model, pieces, whole, loss_fn), (loss, steps, params, grads) in zip(cases, observe(probe), strict=True):
            what = f"micro-batches of {', '.join(str(len(x)) for x, _ in pieces)}"
            losses, wanted, moved = whole_steps(model, loss_fn, [whole], 0.1)
            assert steps == 1, f"`optimizer.step()` should be called once for {what}, but it was called {steps} times."
            for got, expected, (name, _) in zip(grads, wanted, model.named_parameters(), strict=True):
                assert_tensor(got, expected, f"with {what}, the gradient of {name} afterwards", note=note)
            for got, expected, (name, _) in zip(params, moved, model.named_parameters(), strict=True):
                assert_tensor(got, expected, f"with {what}, {name} after the step", note=note)
            assert_number(loss, losses[0], f"the loss returned for {what}")

    @pytest.mark.weight(2)
    def test_pieces_of_different_sizes_make_the_step_of_the_whole_batch(self, observe, rng):
        cases = [self.drawn(rng, rng.shuffled([1, 3, 6]), labels) for labels in (False, True)]
        cases.append(self.drawn(rng, rng.shuffled([2, 4, 5, 1, 3])))
        self.check(observe, cases, "Each sample counts the same, in whichever piece it is.")

    def test_pieces_whose_samples_are_longer_count_no_more(self, observe, rng):
        features, outputs = rng.sizes(2, 2, 5)
        # As sentences: each piece is as wide as its longest, and the model takes the mean over it.
        model = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), regressor(rng, features, outputs))
        pieces = []
        for rows, length in zip(rng.shuffled([1, 3, 4]), rng.sizes(3, 2, 9), strict=True):
            x, y = rng.strided((rows, features, length), DOUBLE), rng.tensor((rows, outputs), DOUBLE, 1.0, 3.0)
            pieces.append((x, y))
        whole = torch.cat([x.mean(2, keepdim=True) for x, _ in pieces]), torch.cat([y for _, y in pieces])
        note = "One sample is one row of x and y, however many numbers it has."
        self.check(observe, [(model, pieces, whole, F.mse_loss)], note)

    def test_optimiser_with_two_groups(self, observe, rng):
        note = "The optimiser has its parameters in two groups."
        self.check(observe, [self.drawn(rng, rng.shuffled([2, 1, 4]))], note, groups=2)

    def test_equal_pieces_and_a_single_one(self, observe, rng):
        size = rng.integer(2, 3)
        self.check(observe, [self.drawn(rng, [size] * count, labels=count == 3) for count in (1, 2, 3, 5)])

    def test_no_piece_is_lost_however_many_there_are(self, observe, rng):
        self.check(observe, [self.drawn(rng, [2] * count + [1]) for count in (1, 3, 4, 6)])

    def test_a_parameter_that_two_layers_share(self, observe, rng):
        features, outputs = rng.sizes(2, 2, 5)
        first, second, last = (nn.Linear(features, wide) for wide in (features, features, outputs))
        second.weight = first.weight
        model = nn.Sequential(first, nn.Tanh(), second, last).double()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(rng.tensor(parameter.shape, DOUBLE, -1.0, 1.0))
        x, y = rng.tensor((6, features), DOUBLE), rng.tensor((6, outputs), DOUBLE, 1.0, 3.0)
        sizes = rng.shuffled([1, 2, 3])
        pieces = list(zip(x.split(sizes), y.split(sizes), strict=True))
        note = "Two layers of the model have one weight between them."
        self.check(observe, [(model, pieces, (x, y), F.mse_loss)], note)

    def test_gradients_from_before_do_not_count(self, observe, rng):
        model, first, _, loss_fn = self.drawn(rng, [3, 1, 4])
        second = [(x + 1, y - 2) for x, y in first[::-1]]
        both = [tuple(torch.cat(parts) for parts in zip(*pieces, strict=True)) for pieces in (first, second)]
        stale = [rng.tensor(p.shape, DOUBLE, 1.0, 2.0) for p in model.parameters()]
        stale[-1][0] = math.nan

        def probe(m):
            optimizer = Descent(model.parameters(), 0.05, momentum=0.7)
            for p, grad in zip(model.parameters(), stale, strict=True):
                p.grad = grad
            losses = [m.accumulate_step(model, optimizer, loss_fn, pieces) for pieces in (first, second)]
            return {"losses": losses, "params": [p.detach() for p in model.parameters()]}

        seen = observe(probe)
        losses, _, moved = whole_steps(model, loss_fn, both, 0.05, momentum=0.7)
        note = "There was something in `.grad` before (one NaN too), and the optimiser has momentum."
        for got, expected, (name, _) in zip(seen.params, moved, model.named_parameters(), strict=True):
            assert_tensor(got, expected, f"{name} after two calls", note=note)
        for got, expected in zip(seen.losses, losses, strict=True):
            assert_number(got, expected, "the loss returned by one of two calls")

    def test_reads_a_generator_once(self, observe, rng):
        model, pieces, whole, loss_fn = self.drawn(rng, [2, 1, 3])

        def probe(m):
            loss = m.accumulate_step(model, Descent(model.parameters(), 0.1), loss_fn, (piece for piece in pieces))
            return {"loss": loss, "params": [p.detach() for p in model.parameters()]}

        seen = observe(probe)
        losses, _, moved = whole_steps(model, loss_fn, [whole], 0.1)
        for got, expected, (name, _) in zip(seen.params, moved, model.named_parameters(), strict=True):
            assert_tensor(got, expected, f"with a generator of micro-batches, {name} after the step")
        assert_number(seen.loss, losses[0], "the loss returned for a generator")

    def test_one_graph_at_a_time(self, observe, rng):
        sizes = rng.shuffled([2, 1, 4])
        model, pieces, whole, loss_fn = self.drawn(rng, sizes)

        def probe(m):
            events = []

            def watch(module, inputs, output):
                events.append(f"forward of {len(output)}")
                output.register_hook(lambda grad: events.append("backward"))

            model.register_forward_hook(watch)
            optimizer = Descent(model.parameters(), 0.1)
            loss = m.accumulate_step(model, optimizer, loss_fn, pieces)
            return {"events": events, "loss": loss}

        seen = observe(probe)
        assert_number(seen.loss, whole_steps(model, loss_fn, [whole], 0.1)[0][0], "the loss returned")
        wanted = [event for size in sizes for event in (f"forward of {size}", "backward")]
        assert seen.events == wanted, (
            f"forward and backward of each piece should be done before the next: {', '.join(wanted)}. "
            f"What happened was: {', '.join(seen.events)}."
        )

    def test_no_micro_batches_make_no_step(self, observe, rng):
        model, pieces, whole, loss_fn = self.drawn(rng, [2, 3])

        def probe(m):
            optimizer = Descent(model.parameters(), 0.1)
            errors = [
                error_of(lambda: m.accumulate_step(model, optimizer, loss_fn, none)) for none in ([], iter(()), ())
            ]
            before = [p.detach().clone() for p in model.parameters()], optimizer.steps
            return {"errors": errors, "before": before, "loss": m.accumulate_step(model, optimizer, loss_fn, pieces)}

        seen = observe(probe)
        assert_number(seen.loss, whole_steps(model, loss_fn, [whole], 0.1)[0][0], "the loss of two micro-batches")
        for error, what in zip(seen.errors, ("an empty list", "an empty iterator", "an empty tuple"), strict=True):
            assert_error(error, ValueError, "as there is nothing to learn from", f"`accumulate_step` with {what}")
        params, steps = seen.before
        assert steps == 0, f"without micro-batches no step should be made, but `step()` was called {steps} times."
        for got, p in zip(params, model.parameters(), strict=True):
            assert_tensor(got, p.detach(), "a parameter after a call without micro-batches", rtol=0, atol=0)

    def test_frozen_and_unused_parameters(self, observe, rng):
        model, pieces, whole, loss_fn = self.drawn(rng, [1, 4])
        model[0].bias.requires_grad_(False)
        unused = rng.tensor((3,), DOUBLE)
        stale = rng.tensor(model[0].bias.shape, DOUBLE, 1.0, 2.0)

        def probe(m):
            model.unused = nn.Parameter(unused.clone())
            start = {name: p.detach().clone() for name, p in model.named_parameters()}
            seen = []
            for before in (False, True):
                with torch.no_grad():
                    for name, p in model.named_parameters():
                        p.copy_(start[name])
                        p.grad = None
                if before:
                    model[0].bias.grad, model.unused.grad = stale.clone(), torch.ones_like(unused)
                loss = m.accumulate_step(model, Descent(model.parameters(), 0.1), loss_fn, pieces)
                seen.append((loss, [(name, p.detach().clone()) for name, p in model.named_parameters()]))
            return seen

        losses, _, moved = whole_steps(model, loss_fn, [whole], 0.1)
        expected = dict(zip([name for name, _ in model.named_parameters()], moved, strict=True), unused=unused)
        names = {"unused": "a parameter without a part in the loss", "0.bias": "a frozen parameter"}
        for (loss, params), before in zip(observe(probe), (False, True), strict=True):
            for name, got in params:
                what = names.get(name, name)
                if before and what != name:
                    what += ", with a gradient from before the call in `.grad`"
                assert_tensor(got, expected[name], f"{what}, after the step,")
            assert_number(loss, losses[0], "the loss returned")


class Pretend(TorchFunctionMode):
    """While this is on, numbers of "meta" tensors can be asked for; each of them is 1."""

    ASKING = ("item", "tolist", "__float__", "__int__", "__bool__", "__index__", "__format__", "cpu", "to", "numpy")

    def __torch_function__(self, func, types, args=(), kwargs=None):
        try:
            return func(*args, **(kwargs or {}))
        except (RuntimeError, TypeError):
            if getattr(func, "__name__", "") not in self.ASKING or not args[0].is_meta:
                raise
            ones = torch.ones(args[0].shape, dtype=args[0].dtype)
            return func(ones, *args[1:], **(kwargs or {}))


def classifier(rng, features, classes):
    """Linear, batch norm, dropout, linear in float64: its running averages are far from those of any batch."""
    model = nn.Sequential(
        nn.Linear(features, 6),
        nn.BatchNorm1d(6),
        nn.Sequential(nn.Tanh(), nn.Dropout(0.4)),
        nn.Linear(6, classes),
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(rng.tensor(parameter.shape, DOUBLE, -1.0, 1.0))
        model[1].running_mean.copy_(rng.tensor((6,), DOUBLE, -0.5, 0.5))
        model[1].running_var.copy_(rng.tensor((6,), DOUBLE, 0.3, 3.0))
    return model


def in_eval(model, x):
    """The logits, from a copy."""
    with torch.no_grad():
        return copy.deepcopy(model).eval()(x)


@exercise("evaluate")
class TestEvaluate:
    def drawn(self, rng, sizes=(7, 7, 2)):
        """A model, batches and (loss, accuracy): in the last batch all labels are wrong, before it most are right."""
        features, classes = rng.sizes(2, 3, 6)
        model = classifier(rng, features, classes)
        x = rng.strided((sum(sizes), features), DOUBLE)
        logits = in_eval(model, x)
        y = logits.argmax(1)
        wrong = [0, *range(sum(sizes[:-1]), sum(sizes))] if len(sizes) > 1 else [0]
        y[wrong] = logits.topk(2).indices[wrong, 1]  # the runner-up: near misses are misses
        rows = logits.log_softmax(1).tolist()
        loss = -sum(row[label] for row, label in zip(rows, y.tolist(), strict=True)) / len(y)
        batches = list(zip(x.split(sizes), y.split(sizes), strict=True))
        return model, batches, (loss, 1 - len(wrong) / len(y))

    def check(self, got, expected, what, note=""):
        pair = isinstance(got, tuple) and len(got) == 2
        assert pair, f"{what} should be a tuple of loss and accuracy, but it is {short(got)}."
        assert_number(got[0], expected[0], f"the loss of {what}", note=note)
        assert_number(got[1], expected[1], f"the accuracy of {what}", note=note)

    @pytest.mark.weight(2)
    def test_every_sample_counts_the_same(self, observe, rng):
        cases = [self.drawn(rng, sizes) for sizes in ((7, 7, 2), (1, 5, 4, 3), (6,), (9, 1))]
        seen = observe(lambda m: [m.evaluate(model.eval(), batches, F.cross_entropy) for model, batches, _ in cases])
        for out, (_, batches, expected) in zip(seen, cases, strict=True):
            sizes = ", ".join(str(len(x)) for x, _ in batches)
            note = "They are means over all samples, not over the batches."
            self.check(out, expected, f"a set with batches of {sizes}", note=note)

    def test_dropout_and_batch_norm_are_in_eval_mode(self, observe, rng):
        model, batches, expected = self.drawn(rng)

        def probe(m):
            during = []
            model.register_forward_pre_hook(
                lambda net, inputs: during.append([part.training for part in net.modules()])
            )
            out = m.evaluate(model.train(), batches, F.cross_entropy)
            return {"out": out, "state": dict(model.state_dict()), "during": during}

        seen = observe(probe)
        note = "The model came in training mode."
        self.check(seen.out, expected, "a model with dropout and batch norm", note=note)
        names = [name or "the model itself" for name, _ in model.named_modules()]
        training = [name for name, *modes in zip(names, *seen.during, strict=True) if any(modes)]
        assert not training, f"while batches go through it, these modules are in training mode: {', '.join(training)}."
        for name, tensor in model.state_dict().items():
            assert_tensor(seen.state[name], tensor, f"`{name}` of the model, after evaluate,", rtol=0, atol=0)

    def test_every_module_gets_its_mode_back(self, observe, rng):
        model, batches, expected = self.drawn(rng)
        some = [True, True, False, True, *rng.shuffled([True, False]), True]  # batch norm frozen, the model trains
        parts = [False, True, False, True, True, False, False]  # only some parts train
        patterns = [[True] * 7, [False] * 7, some, parts]

        def probe(m):
            seen = []
            for pattern in patterns:
                for module, mode in zip(model.modules(), pattern, strict=True):
                    module.training = mode
                out = m.evaluate(model, batches, F.cross_entropy)
                seen.append((out, [module.training for module in model.modules()]))
            return seen

        names = [name or "the model" for name, _ in model.named_modules()]
        for (out, modes), pattern in zip(observe(probe), patterns, strict=True):
            self.check(out, expected, "a model with a mix of modes")
            wrong = [name for name, mode, before in zip(names, modes, pattern, strict=True) if mode is not before]
            training = [name for name, before in zip(names, pattern, strict=True) if before]
            assert not wrong, (
                f"these modules are in another mode after `evaluate`: {', '.join(wrong)}. "
                f"Before it, in training mode were: {', '.join(training) or 'none'}."
            )

    def test_modes_come_back_after_an_error(self, observe, rng):
        model, batches, expected = self.drawn(rng)
        pattern = [True, True, False, True, True, False, True]

        def probe(m):
            def fail(*args):
                raise KeyError("on purpose")

            def stopping():
                yield batches[0]
                fail()

            bad = [(stopping(), F.cross_entropy), (map(fail, [1]), F.cross_entropy), (batches, fail)]
            bad.append(([(batches[0][0][:, :1], batches[0][1])], fail))
            seen = []
            for loader, loss_fn in bad:
                for module, mode in zip(model.modules(), pattern, strict=True):
                    module.training = mode
                error = error_of(lambda a=loader, b=loss_fn: m.evaluate(model, a, b))
                seen.append((error, [module.training for module in model.modules()], torch.is_grad_enabled()))
                torch.set_grad_enabled(True)
            return {"seen": seen, "good": m.evaluate(model, batches, F.cross_entropy)}

        seen = observe(probe)
        self.check(seen.good, expected, "a good set, after errors,")
        cases = (("loader", KeyError), ("loader, for its first batch", KeyError), ("loss", KeyError))
        cases += (("model", RuntimeError),)
        for (error, modes, grad), (who, kind) in zip(seen.seen, cases, strict=True):
            assert_error(error, kind, f"from the {who}", "`evaluate`")
            assert_equal(modes, pattern, f"`training` of each module, after the {who} raised,")
            assert grad, f"after the {who} raised, autograd stays switched off (`torch.is_grad_enabled()` is False)."

    def test_builds_no_graph(self, observe, rng):
        model, batches, expected = self.drawn(rng)
        grad = rng.tensor((6, batches[0][0].shape[1]), DOUBLE)

        def probe(m):
            recorded = []
            model.register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
            model[0].weight.grad = grad.clone()
            outs, modes = [], []
            for enabled in (True, False):
                with torch.set_grad_enabled(enabled):
                    outs.append(m.evaluate(model, batches, F.cross_entropy))
                    modes.append(torch.is_grad_enabled())
            flags = [p.requires_grad for p in model.parameters()]
            return {"outs": outs, "modes": modes, "recorded": recorded, "flags": flags, "grad": model[0].weight.grad}

        seen = observe(probe)
        for out in seen.outs:
            self.check(out, expected, "three batches")
        assert not any(seen.recorded), "the model's logits require gradients: its forward pass recorded a graph."
        note = "Whether gradients are recorded after the call is the caller's affair."
        assert_equal(seen.modes, [True, False], "`torch.is_grad_enabled()` after evaluate", note=note)
        assert_equal(seen.flags, [True] * len(seen.flags), "`requires_grad` of the parameters, after evaluate,")
        assert_tensor(seen.grad, grad, "the gradient that was there before evaluate", rtol=0, atol=0)

    def test_a_loader_that_can_only_be_gone_through_once(self, observe, rng):
        model, batches, expected = self.drawn(rng)
        lists = [list(batch) for batch in batches]
        seen = observe(lambda m: m.evaluate(model, (batch for batch in lists), F.cross_entropy))
        self.check(seen, expected, "a generator of batches")

    def test_nothing_to_evaluate(self, observe, rng):
        model, batches, expected = self.drawn(rng)

        def probe(m):
            model.train()
            errors = [error_of(lambda: m.evaluate(model, empty, F.cross_entropy)) for empty in ([], iter(()))]
            modes = [module.training for module in model.modules()]
            return {"errors": errors, "modes": modes, "good": m.evaluate(model, batches, F.cross_entropy)}

        seen = observe(probe)
        self.check(seen.good, expected, "three batches")
        for error in seen.errors:
            assert_error(error, ValueError, "as there is no sample to take a mean over", "`evaluate` of no batches")
        assert_equal(seen.modes, [True] * 7, "`training` of each module, after no batches,")

    def test_batches_go_to_the_device_of_the_model(self, observe, rng):
        classes = rng.integer(3, 5)
        weight, x = rng.tensor((classes,), DOUBLE, 1.0, 2.0), rng.tensor((5, classes), DOUBLE)
        y = (x * weight).argmax(1)
        y[0] = (x * weight).argmin(1)[0]
        batches = [(x[:3], y[:3]), (x[3:], y[3:])]

        def probe(m):
            places = {"x": set(), "logits": set(), "y": set()}

            class Scores(nn.Module):
                def __init__(self, weight):
                    super().__init__()
                    self.weight = nn.Parameter(weight)

                def forward(self, x):
                    places["x"].add(x.device.type)
                    return x * self.weight

            def loss_fn(logits, y):
                places["logits"].add(logits.device.type)
                places["y"].add(y.device.type)
                return F.cross_entropy(logits, y)

            here = m.evaluate(Scores(weight), batches, loss_fn)
            for seen in places.values():
                seen.clear()
            model = Scores(weight.to("meta"))
            with Pretend():  # "meta" tensors have no numbers, so that places are all there is to see
                m.evaluate(model, batches, loss_fn)
            return {"here": here, "model": model.weight.device.type, **places}

        seen = observe(probe)
        self.check(seen.here, (F.cross_entropy(x * weight, y).item(), 0.8), "a model on the CPU")
        assert_equal(seen.model, "meta", "the device of a model that was on 'meta'")
        assert_equal(seen.x, {"meta"}, "the devices of the x that a model on 'meta' was given")
        assert_equal(seen.logits, {"meta"}, "the devices of the logits in `loss_fn`, with a model on 'meta',")
        assert_equal(seen.y, {"meta"}, "the devices of the y in `loss_fn`, with a model on 'meta',")

    @pytest.mark.gpu
    def test_works_on_the_gpu(self, observe, rng):
        model, batches, expected = self.drawn(rng)

        def probe(m):
            there = copy.deepcopy(model).to("cuda")
            outs = [m.evaluate(there, batches, F.cross_entropy)]
            outs.append(m.evaluate(there, [(x.cuda(), y.cuda()) for x, y in batches], F.cross_entropy))
            return {"outs": outs, "devices": {p.device.type for p in there.parameters()}}

        seen = observe(probe)
        assert_equal(seen.devices, {"cuda"}, "the devices of the parameters, after evaluate,")
        for out, where in zip(seen.outs, ("CPU", "GPU"), strict=True):
            self.check(out, expected, f"a model on the GPU, with batches on the {where},")


@exercise("forward_mode")
class TestForwardMode:
    def drawn(self, rng):
        features, outputs, rows = rng.sizes(3, 2, 6)
        return regressor(rng, features, outputs), rng.strided((rows, features), DOUBLE), (rows, outputs)

    @pytest.mark.weight(2)
    def test_records_a_graph_for_training_only(self, observe, rng):
        model, x, shape = self.drawn(rng)
        upstream = rng.strided(shape, DOUBLE)

        def probe(m):
            recorded = []
            model[0].register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
            trained, asked = m.forward_mode(model, x, True), m.forward_mode(model, x, False)
            (trained * upstream).sum().backward()
            grads = [p.grad for p in model.parameters()]
            flags = {"with True": trained.requires_grad, "with False": asked.requires_grad}
            outs = [trained.detach(), asked.detach()]
            return {"outs": outs, "flags": flags, "recorded": recorded, "grads": grads}

        seen = observe(probe)
        for out, flag in zip(seen.outs, (True, False), strict=True):
            assert_tensor(out, model(x).detach(), f"`forward_mode(model, x, {flag})`")
        assert_equal(seen.flags, {"with True": True, "with False": False}, "`requires_grad` of the output")
        assert_equal(seen.recorded, [True, False], "whether the model recorded a graph, with True and with False,")
        params = list(model.parameters())
        for got, expected in zip(seen.grads, torch.autograd.grad((model(x) * upstream).sum(), params), strict=True):
            assert_tensor(got, expected, "a gradient through `forward_mode(model, x, True)`")

    def test_only_the_flag_decides_and_the_callers_mode_comes_back(self, observe, rng):
        model, x, _ = self.drawn(rng)

        def probe(m):
            seen = []
            for caller in (True, False):
                for flag in (True, False):
                    with torch.set_grad_enabled(caller):
                        out = m.forward_mode(model, x, flag)
                        seen.append((caller, flag, out.requires_grad, torch.is_grad_enabled(), out.detach()))
            return seen

        for caller, flag, requires_grad, after, out in observe(probe):
            what = f"`forward_mode(model, x, {flag})`, called with grad mode {caller},"
            assert_tensor(out, model(x).detach(), what)
            assert requires_grad is flag, f"{what} should give requires_grad={flag}, but gives {requires_grad}."
            assert after is caller, f"{what} leaves grad mode {after}, so it changes what comes after it."

    def test_grad_mode_comes_back_when_the_model_raises(self, observe, rng):
        model, x, _ = self.drawn(rng)

        def probe(m):
            seen = []
            for caller in (True, False):
                for flag in (True, False):
                    with torch.set_grad_enabled(caller):
                        error = error_of(lambda flag=flag: m.forward_mode(model, x[:, :1], flag))
                        seen.append((caller, flag, error, torch.is_grad_enabled()))
            return {"seen": seen, "good": m.forward_mode(model, x, False)}

        seen = observe(probe)
        assert_tensor(seen.good, model(x).detach(), "`forward_mode` of a good x")
        for caller, flag, error, after in seen.seen:
            what = f"`forward_mode(model, x, {flag})`, called with grad mode {caller},"
            assert_error(error, RuntimeError, "for an x with too few features", what)
            assert after is caller, f"{what} leaves grad mode {after} when the model raises."

    def test_train_and_eval_mode_are_left_alone(self, observe, rng):
        model, x, _ = self.drawn(rng)
        pattern = rng.choice([[True, False, True, False], [False, True, False, True]])

        def probe(m):
            seen = []
            model.register_forward_pre_hook(lambda module, inputs: seen.append([m.training for m in model.modules()]))
            for module, mode in zip(model.modules(), pattern, strict=True):
                module.training = mode
            outs = [m.forward_mode(model, x, flag).detach() for flag in (True, False)]
            return {"outs": outs, "during": seen, "after": [module.training for module in model.modules()], "x": x}

        seen = observe(probe)
        for out in seen.outs:
            assert_tensor(out, model(x).detach(), "`forward_mode`")
        note = "`is_train` is about autograd here, not about how layers compute."
        assert_equal(seen.during, [pattern] * 2, "`training` of each module while the model runs", note=note)
        assert_equal(seen.after, pattern, "`training` of each module afterwards", note=note)
        assert_tensor(seen.x, x, "x afterwards", rtol=0, atol=0)

    def test_output_without_a_graph_serves_as_a_factor_later(self, observe, rng):
        model, x, shape = self.drawn(rng)
        factor = rng.tensor(shape, DOUBLE)

        def probe(m):
            leaf = factor.clone().requires_grad_()
            (leaf * m.forward_mode(model, x, False)).sum().backward()
            return leaf.grad

        note = "The gradient of a product in one factor is the other, so torch saves it."
        assert_tensor(observe(probe), model(x).detach(), "the gradient of leaf * output in the leaf", note=note)

    def test_loss_is_the_mean_of_the_squares(self, observe, rng):
        cases = []
        for dtype, dims in ((torch.float32, 2), (DOUBLE, 1), (DOUBLE, 3)):
            shape = rng.sizes(dims, 2, 5)
            cases.append((rng.strided(shape, dtype), rng.strided(shape, dtype, 1.0, 4.0)))
        cases.append((rng.tensor((), DOUBLE), rng.tensor((), DOUBLE)))
        near = rng.tensor((4, 3), DOUBLE, 1e3, 2e3)  # In float32, numbers of this size are not to be had so exactly.
        cases.append((near + rng.tensor((4, 3), DOUBLE, 0.01, 0.02), near))
        seen = observe(lambda m: [m.consistency_loss(out, target) for out, target in cases])
        for (out, target), loss in zip(cases, seen, strict=True):
            pairs = zip(out.flatten().tolist(), target.flatten().tolist(), strict=True)
            expected = torch.tensor(sum((a - b) ** 2 for a, b in pairs) / out.numel(), dtype=out.dtype)
            assert_tensor(loss, expected, f"`consistency_loss` of two tensors {tuple(out.shape)}")

    @pytest.mark.weight(2)
    def test_gradients_flow_through_out_only(self, observe, rng):
        model, clean, _ = self.drawn(rng)
        noisy = clean + rng.strided(clean.shape, DOUBLE)
        scale = rng.uniform(0.4, 0.8)

        def probe(m):
            leaf = clean.clone().requires_grad_()
            loss = m.consistency_loss(model(noisy), model(leaf))
            (scale * loss).backward()
            return {"params": [p.grad for p in model.parameters()], "clean": leaf.grad, "loss": loss.detach()}

        seen = observe(probe)
        aim = model(clean).detach()
        loss = F.mse_loss(model(noisy), aim)
        assert_tensor(seen.loss, loss.detach(), "the loss")
        expected = torch.autograd.grad(scale * loss, list(model.parameters()))
        for got, wanted, (name, _) in zip(seen.params, expected, model.named_parameters(), strict=True):
            note = "One model gave both: its gradient comes from `out` alone."
            assert_tensor(got, wanted, f"the gradient of {name}", note=note)
        assert seen.clean is None, "a gradient came back to the input from which `target` was computed."

    def test_target_is_left_as_it_was(self, observe, rng):
        shape = rng.sizes(2, 2, 5)
        start, out = rng.tensor(shape, DOUBLE), rng.tensor(shape, DOUBLE, 3.0, 5.0)
        upstream = rng.strided(shape, DOUBLE)

        def probe(m):
            leaf, other = start.clone().requires_grad_(), out.clone().requires_grad_()
            target = leaf * 3
            m.consistency_loss(other, target).backward()
            flags = {"of a computed target": target.requires_grad}
            error = error_of(lambda: (target * upstream).sum().backward())
            fresh = start.clone().requires_grad_()
            m.consistency_loss(other, fresh)
            flags["of a leaf"] = fresh.requires_grad
            return {"grad": other.grad, "values": target.detach(), "flags": flags, "error": error, "through": leaf.grad}

        seen = observe(probe)
        assert_tensor(seen.grad, 2 * (out - 3 * start) / out.numel(), "the gradient of `out`")
        note = "The caller's tensor should keep its graph."
        flags = {"of a computed target": True, "of a leaf": True}
        assert_equal(seen.flags, flags, "`requires_grad` of `target` afterwards", note=note)
        assert seen.error is None, "`backward` through `target` fails after `consistency_loss`: its graph is cut."
        assert_tensor(seen.through, 3 * upstream, "the caller's own gradient through `target`")
        assert_tensor(seen.values, 3 * start, "`target` afterwards", rtol=0, atol=0)

    def test_overwriting_the_target_never_gives_a_wrong_gradient(self, observe, rng):
        shape = rng.sizes(2, 2, 5)
        out, target, other = (rng.tensor(shape, DOUBLE) for _ in range(3))

        def probe(m):
            grads, errors = [], []
            for overwrite in (False, True):
                leaf, aim = out.clone().requires_grad_(), target.clone()
                loss = m.consistency_loss(leaf, aim)
                if overwrite:
                    aim.copy_(other)
                errors.append(error_of(loss.backward))
                grads.append(leaf.grad)
            return {"grads": grads, "errors": errors}

        seen = observe(probe)
        expected = 2 * (out - target) / out.numel()
        assert seen.errors[0] is None, f"`backward` should work, but it raised {seen.errors[0]}."
        assert_tensor(seen.grads[0], expected, "the gradient of `out`")
        if seen.errors[1] is not None:
            assert_error(seen.errors[1], RuntimeError, "after target was overwritten", "`backward`")
        else:
            note = "`target` was overwritten before `backward`, and nobody noticed."
            assert_tensor(seen.grads[1], expected, "the gradient of `out`", note=note)


def silu_parts(x, beta, upstream):
    """x * sigmoid(beta * x) and the two gradients by their formulas, from Python's exp; beta's in its own shape."""
    wide = beta.expand(x.shape)
    s = torch.tensor([1 / (1 + math.exp(-z)) for z in (wide * x).flatten().tolist()], dtype=x.dtype).reshape(x.shape)
    grad_x = upstream * (s + wide * x * s * (1 - s))
    grad_beta = upstream * x * x * s * (1 - s)
    return x * s, grad_x, grad_beta.sum_to_size(beta.shape)


@exercise("LearnedSiLU")
class TestLearnedSiLU:
    def drawn(self, rng, dtype=DOUBLE):
        """x, beta and an upstream gradient, for several ways of broadcasting."""
        n, d, k = rng.sizes(3, 2, 5)
        shapes = [((n, d), ()), ((n, d), (d,)), ((n, d), (n, 1)), ((n, d), (n, d)), ((k, n, d), (n, 1)), ((n,), (1,))]
        shapes += [((0, d), (d,)), ((), ()), ((n, d), (1, d))]
        return [(rng.strided(a, dtype), rng.strided(b, dtype, -2.0, 2.0), rng.strided(a, dtype)) for a, b in shapes]

    def test_is_x_times_sigmoid_of_beta_x(self, observe, rng):
        cases = self.drawn(rng) + self.drawn(rng, torch.float32)
        x = rng.tensor((4,), DOUBLE)
        cases.append((x, torch.zeros((), dtype=DOUBLE), x))

        def probe(m):
            outs = [m.LearnedSiLU.apply(x, beta) for x, beta, _ in cases]
            return {"outs": outs, "inputs": [case[:2] for case in cases]}

        seen = observe(probe)
        for (x, beta, upstream), out, inputs in zip(cases, seen.outs, seen.inputs, strict=True):
            what = f"`LearnedSiLU.apply` of x {tuple(x.shape)} and beta {tuple(beta.shape)}"
            assert_tensor(out, silu_parts(x, beta, upstream)[0], what)
            for got, expected, name in zip(inputs, (x, beta), ("x", "beta"), strict=True):
                assert_tensor(got, expected, f"{name} afterwards", rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_gradients_are_grad_output_times_the_derivative(self, observe, rng):
        cases = self.drawn(rng)

        def probe(m):
            seen = []
            for x, beta, upstream in cases:
                leaves = x.clone().requires_grad_(), beta.clone().requires_grad_()
                (m.LearnedSiLU.apply(*leaves) * upstream).sum().backward()
                seen.append([leaf.grad for leaf in leaves])
            return seen

        for (x, beta, upstream), grads in zip(cases, observe(probe), strict=True):
            _, *expected = silu_parts(x, beta, upstream)
            for got, wanted, name in zip(grads, expected, ("x", "beta"), strict=True):
                what = f"the gradient of {name}, with x {tuple(x.shape)} and beta {tuple(beta.shape)},"
                assert_tensor(got, wanted, what, note="Each part of the output came with its own grad_output.")

    def test_backward_itself_returns_a_gradient_in_the_shape_of_each_input(self, observe, rng):
        cases = self.drawn(rng)

        def probe(m):
            seen = []
            for x, beta, upstream in cases:
                out = m.LearnedSiLU.apply(x.clone().requires_grad_(), beta.clone().requires_grad_())
                with torch.no_grad():
                    seen.append((list(m.LearnedSiLU.backward(out.grad_fn, upstream)), upstream))
            return {"seen": seen, "function": issubclass(m.LearnedSiLU, torch.autograd.Function)}

        seen = observe(probe)
        for (x, beta, upstream), (grads, given) in zip(cases, seen.seen, strict=True):
            _, *expected = silu_parts(x, beta, upstream)
            assert len(grads) == 2, f"`backward` should return 2 gradients, but it returned {len(grads)}."
            for got, wanted, name in zip(grads, expected, ("x", "beta"), strict=True):
                what = f"with x {tuple(x.shape)} and beta {tuple(beta.shape)}, what `backward` returns for {name}"
                assert_tensor(got, wanted, what)
            assert_tensor(given, upstream, "grad_output afterwards", rtol=0, atol=0)
        assert seen.function, "`LearnedSiLU` should be a subclass of torch.autograd.Function."

    def test_only_one_input_requires_a_gradient(self, observe, rng):
        cases = self.drawn(rng)[:4]

        def probe(m):
            seen = []
            for x, beta, upstream in cases:
                row = []
                for which in (0, 1):
                    inputs = [x.clone(), beta.clone()]
                    inputs[which].requires_grad_()
                    (m.LearnedSiLU.apply(*inputs) * upstream).sum().backward()
                    row.append([t.grad for t in inputs])
                seen.append(row)
            return seen

        for (x, beta, upstream), row in zip(cases, observe(probe), strict=True):
            _, *expected = silu_parts(x, beta, upstream)
            for which, name in enumerate(("x", "beta")):
                assert_tensor(row[which][which], expected[which], f"the gradient of {name}, which alone requires one,")
                assert row[which][1 - which] is None, f"only {name} requires a gradient, but the other input got one."

    def test_stays_finite_for_large_numbers(self, observe, rng):
        big = rng.uniform(800, 1000)
        cases = []
        for dtype in (torch.float32, DOUBLE):
            x = torch.tensor([big, -big, 30.0, -30.0, 0.0, 2.0], dtype=dtype)
            cases.append((x, torch.tensor(rng.choice([-1.0, 1.0]), dtype=dtype)))

        def probe(m):
            seen = []
            for x, beta in cases:
                leaves = x.clone().requires_grad_(), beta.clone().requires_grad_()
                out = m.LearnedSiLU.apply(*leaves)
                out.sum().backward()
                seen.append([out.detach(), *(leaf.grad for leaf in leaves)])
            return seen

        for (x, beta), got in zip(cases, observe(probe), strict=True):
            positive = (x * beta).clamp(min=0)
            near = silu_parts(x[2:].double(), beta.double(), torch.ones(4, dtype=DOUBLE))
            wide = torch.cat([positive[:2].double() * beta.double(), near[0]]).to(x.dtype)
            slope = torch.cat([(positive[:2] > 0).double(), near[1]]).to(x.dtype)
            names = ("the output for", "the gradient in x, for", "the gradient in beta, for")
            for tensor, expected, name in zip(got, (wide, slope, near[2].to(x.dtype)), names, strict=True):
                assert_tensor(tensor, expected, f"{name} x up to {big:.0f}", rtol=1e-4, atol=1e-5)

    def test_overwriting_an_input_never_gives_a_wrong_gradient(self, observe, rng):
        x, beta, upstream = self.drawn(rng)[1]

        def probe(m):
            seen = []
            for overwritten in (None, 0, 1):
                leaves = x.clone().requires_grad_(), beta.clone().requires_grad_()
                loss = (m.LearnedSiLU.apply(*leaves) * upstream).sum()
                if overwritten is not None:
                    with torch.no_grad():
                        leaves[overwritten].add_(0.7)
                error = error_of(loss.backward)
                seen.append((error, [leaf.grad for leaf in leaves]))
            return seen

        _, *expected = silu_parts(x, beta, upstream)
        for (error, grads), what in zip(observe(probe), ("nothing", "x", "beta"), strict=True):
            if error is not None:
                assert what != "nothing", f"`backward` should work, but it raised {error['type']}: {error['message']}."
                about = f"or give the right gradient, after {what} was overwritten"
                assert_error(error, RuntimeError, about, "`backward`")
                continue
            for got, wanted, name in zip(grads, expected, ("x", "beta"), strict=True):
                note = f"Between forward and backward, {what} was overwritten in place."
                assert_tensor(got, wanted, f"the gradient of {name}", note=note)

    def test_sign_is_one_or_minus_one(self, observe, rng):
        cases = []
        for dtype in (torch.float32, DOUBLE):
            n, d = rng.sizes(2, 2, 5)
            x = rng.strided((n, d), dtype)
            x[0, 0], x[-1, -1] = 0.0, -3.0
            cases += [x, torch.tensor([0.0, -0.0, 1e-30, -1e-30, 500.0, -500.0], dtype=dtype)]
        cases += [torch.empty(0, 3), torch.tensor(-2.5)]
        seen = observe(lambda m: {"outs": [m.StraightThroughSign.apply(x) for x in cases], "inputs": cases})
        for x, out, after in zip(cases, seen.outs, seen.inputs, strict=True):
            signs = [1.0 if value >= 0 else -1.0 for value in x.flatten().tolist()]
            expected = torch.tensor(signs, dtype=x.dtype).reshape(x.shape)
            assert_tensor(out, expected, f"`StraightThroughSign.apply` of a tensor {tuple(x.shape)}")
            assert_tensor(after, x, "x afterwards", rtol=0, atol=0)

    def test_sign_passes_the_gradient_straight_through(self, observe, rng):
        n, d = rng.sizes(2, 3, 6)
        x, upstream = rng.strided((n, d), DOUBLE), rng.strided((n, d), DOUBLE)
        weight = rng.tensor((d,), DOUBLE, 1.0, 9.0)
        x[0] = 0.0

        def probe(m):
            leaf, factor = x.clone().requires_grad_(), weight.clone().requires_grad_()
            (m.StraightThroughSign.apply(leaf * factor) * upstream).sum().backward()
            direct = m.StraightThroughSign.apply(x.clone().requires_grad_())
            grad = m.StraightThroughSign.backward(direct.grad_fn, upstream)
            return {"x": leaf.grad, "weight": factor.grad, "direct": grad, "upstream": upstream}

        seen = observe(probe)
        note = "Backwards, the sign counts as the identity."
        assert_tensor(seen.x, upstream * weight, "the gradient of x in sign(x * weight)", note=note)
        assert_tensor(seen.weight, (upstream * x).sum(0), "the gradient of weight in sign(x * weight)", note=note)
        assert_tensor(seen.direct, upstream, "what `StraightThroughSign.backward` returns", note=note)
        assert_tensor(seen.upstream, upstream, "grad_output afterwards", rtol=0, atol=0)
