"""Hidden suite of autograd/training."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import random
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from grader.testing import (
    assert_equal,
    assert_error,
    assert_no_error,
    assert_tensor,
    error_of,
    exercise,
    folder_of,
    short,
)

DOUBLE = torch.float64


def drawn_network(rng, inputs, outputs, dtype=DOUBLE, hidden=4):
    network = nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs)).to(dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(rng.tensor(parameter.shape, dtype, -1.0, 1.0))
    return network


def parameters_of(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def fit_data(fit):
    """What a Fit holds, as a dict."""
    names = ("train_index", "val_index", "mean", "std", "train_losses", "val_losses")
    return {name: getattr(fit, name) for name in names}


def check_split(fit, n, n_val, what):
    """Each of the n rows is in exactly one part; from here on the numbers can be used."""
    for name, size, index in (("train", n - n_val, fit["train_index"]), ("val", n_val, fit["val_index"])):
        good = isinstance(index, torch.Tensor) and index.dtype == torch.int64
        assert good, f"{what}: `{name}_index` should be an int64 tensor, but it is {short(index)}."
        note = "`fraction * N`, rounded to the nearest whole number, is the size of the validation part."
        sizes = f"should have shape ({size},), but has {tuple(index.shape)}"
        assert tuple(index.shape) == (size,), f"{what}: `{name}_index` {sizes}. {note}"
    together = sorted(fit["train_index"].tolist() + fit["val_index"].tolist())
    assert together == list(range(n)), (
        f"{what}: each of the {n} rows should be in exactly one of the two parts, but together they hold "
        f"{short(together)}."
    )


def scale_of(x, fit):
    """Mean and deviation of the training part, by NumPy in float64."""
    rows = x.numpy().astype(np.float64)[fit["train_index"].numpy()]
    std = rows.std(axis=0)
    std[(rows == rows[0]).all(axis=0)] = 1.0
    return torch.from_numpy(rows.mean(axis=0)).to(x.dtype), torch.from_numpy(std).to(x.dtype)


def squared_error(model, z, y):
    return ((model(z) - y) ** 2).mean()


def replay(model, x, y, fit, batch_size, lr, epochs):
    """The run that the exercise describes, on the split that the learner drew: losses of both parts; trains `model`."""
    mean, std = scale_of(x, fit)
    z = (x - mean) / std
    train, val = fit["train_index"].tolist(), fit["val_index"].tolist()
    losses = [], []
    for _ in range(epochs):
        for start in range(0, len(train), batch_size):
            batch = train[start : start + batch_size]
            grads = torch.autograd.grad(squared_error(model, z[batch], y[batch]), list(model.parameters()))
            with torch.no_grad():
                for parameter, grad in zip(model.parameters(), grads, strict=True):
                    parameter -= lr * grad
        for noted, part in zip(losses, (train, val), strict=True):
            noted.append(squared_error(model, z[part], y[part]).item() if part else math.nan)
    return losses


def check_losses(fit, expected, what, rtol=1e-6):
    for name, wanted in zip(("train_losses", "val_losses"), expected, strict=True):
        noted = fit[name]
        good = type(noted) is list and all(type(loss) is float for loss in noted)
        assert good, f"{what}: `{name}` should be a list of Python floats, but it is {short(noted)}."
        assert len(noted) == len(wanted), (
            f"{what}: `{name}` should have {len(wanted)} losses, one for each epoch, but has {len(noted)}."
        )
        got, right = torch.tensor(noted, dtype=DOUBLE), torch.tensor(wanted, dtype=DOUBLE)
        note = "It is the mean squared error of the whole part, scaled by the training part, after each epoch."
        assert_tensor(got, right, f"{what}: `{name}`", rtol=rtol, atol=1e-7, note=note)


def check_parameters(got, model, what, rtol=1e-6, note=""):
    for number, (parameter, expected) in enumerate(zip(got, parameters_of(model), strict=True)):
        assert_tensor(parameter, expected, f"{what}: parameter {number}", rtol=rtol, atol=1e-7, note=note)


def check_run(seen, model, case, what, n_val, rtol=1e-6):
    """Everything that came back from a run is what `replay` gives."""
    x, y, _, _, batch_size, lr, epochs = case
    check_split(seen["fit"], len(x), n_val, what)
    mean, std = scale_of(x, seen["fit"])
    note = "Only the training part has a say in it."
    assert_tensor(seen["fit"]["mean"], mean, f"{what}: `mean`", rtol=rtol, atol=1e-7, note=note)
    assert_tensor(seen["fit"]["std"], std, f"{what}: `std`", rtol=rtol, atol=1e-7, note=note)
    losses = replay(model, x, y, seen["fit"], batch_size, lr, epochs)
    check_losses(seen["fit"], losses, what, rtol)
    note = "Replayed with your split, the steps lead elsewhere."
    check_parameters(seen["parameters"], model, f"{what}: after training", rtol, note)


def fitted(m, model, case):
    """Run an exercise and say what came of it; the arguments are all but the model."""
    fit = m.train_val_fit(model, *case)
    return {"fit": fit_data(fit), "parameters": parameters_of(model)}


def share(n_val, n, rng):
    """A fraction that is rounded to n_val of n rows, up or down."""
    return (n_val + rng.choice((-0.35, 0.35))) / n if n_val else 0.35 / n


def watched(inner):
    """A model that notes what passed through it, and whether the output had a graph."""

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            out = self.inner(x)
            Watched.seen.append((x.detach().clone(), out.requires_grad))
            return out

    Watched.seen = []
    return Watched()


@contextlib.contextmanager
def others_kept():
    """In a probe: the global generators of Python and NumPy are afterwards as they were."""
    before = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])


@exercise("train_val_fit")
class TestTrainValFit:
    def test_every_row_is_in_exactly_one_part(self, observe, rng):
        sizes = []
        for n in (rng.integer(10, 14), rng.integer(60, 90)):
            sizes += [(n, rng.integer(1, 4)), (n, rng.integer(5, n - 2)), (n, n - 1)]
        up, down = sizes[0][0], sizes[3][0]
        cases = [(rng.tensor((n, 2)), rng.tensor((n, 1)), share(k, n, rng), 3 * n, 5, 0.1, 0) for n, k in sizes]
        # One that only rounding up gets right, one that only rounding down does.
        cases.append((rng.tensor((up, 2)), rng.tensor((up, 1)), 2.7 / up, 1, 5, 0.1, 0))
        cases.append((rng.tensor((down, 2)), rng.tensor((down, 1)), 4.3 / down, 1, 5, 0.1, 0))
        sizes += [(up, 3), (down, 4)]
        model = drawn_network(rng, 2, 1, torch.float32)
        seen = observe(lambda m: [fitted(m, model, case) for case in cases])
        for one, (n, n_val), case in zip(seen, sizes, cases, strict=True):
            what = f"{n} rows with fraction={case[2]:.4f}"
            check_split(one["fit"], n, n_val, what)
            check_losses(one["fit"], ([], []), f"{what} and no epochs")
            check_parameters(one["parameters"], model, f"{what} and no epochs", 0.0)

    def test_split_comes_from_the_seed_alone(self, observe, rng):
        n, seed = rng.integer(40, 50), rng.integer(1000, 9000)
        y, xs = rng.tensor((n, 1)), [rng.tensor((n, 2)), rng.tensor((n, 2))]
        model = drawn_network(rng, 2, 1, torch.float32)
        seeds = [seed, seed, seed + 1]
        few_x, few_y = rng.tensor((3, 1)), rng.tensor((3, 1))
        line = nn.Linear(1, 1)

        def probe(m):
            with torch.random.fork_rng(devices=[]), others_kept():
                splits, states = [], []
                for one, x, world in zip(seeds, (*xs, xs[0]), (1, 2, 2), strict=True):
                    torch.manual_seed(world), random.seed(world), np.random.seed(world)
                    splits.append(fit_data(m.train_val_fit(model, x, y, 0.3, one, 8, 0.1, 2)))
                    states.append([torch.rand(2), random.random(), float(np.random.random())])
                fresh = []
                for world in (1, 2, 2):
                    torch.manual_seed(world), random.seed(world), np.random.seed(world)
                    fresh.append([torch.rand(2), random.random(), float(np.random.random())])
                held = [m.train_val_fit(line, few_x, few_y, 0.3, s, 8, 0.1, 0).val_index for s in range(30)]
            return {"splits": splits, "states": states, "fresh": fresh, "held": held}

        seen = observe(probe)
        for split in seen.splits:
            check_split(split, n, round(0.3 * n), f"{n} rows with fraction=0.3")
        first, again, other = seen.splits
        note = "It depends on N, fraction and seed alone, not on global generators or on the numbers in x."
        for name in ("train_index", "val_index"):
            assert_tensor(again[name], first[name], f"`{name}` of the same seed, the second time,", note=note)
        assert first["val_index"].tolist() != other["val_index"].tolist(), (
            f"seed {seed} and seed {seed + 1} give the same validation rows."
        )
        train = first["train_index"].tolist()
        assert train != sorted(train), "`train_index` should be in random order, but it goes upwards."
        note = "A global random generator was used or set anew."
        assert_equal(seen.states, seen.fresh, "what the global generators give after `train_val_fit`", note=note)
        turns = {row for index in seen.held for row in index.tolist()}
        assert turns == set(range(3)), (
            f"with 3 rows and 30 seeds, every row should be held back some time, but only {short(turns)} were."
        )

    @pytest.mark.weight(2)
    def test_nothing_leaks_into_the_scale(self, observe, rng):
        n, n_val = rng.integer(8, 11), rng.integer(3, 4)
        # In column i, row i is the only one that differs: if it is held back, training sees a constant column.
        x = torch.cat([3.0 * torch.eye(n, dtype=DOUBLE) + 2.0, rng.strided((n, 2), DOUBLE, 5.0, 9.0)], dim=1)
        y = rng.strided((n, 1), DOUBLE, 1.0, 3.0)
        model = drawn_network(rng, n + 2, 1)
        case = (x, y, n_val / n, rng.integer(0, 99), 3, 0.02, 2)
        seen = observe(lambda m: fitted(m, model, case))
        check_run(vars(seen), model, case, f"{n} rows, of which {n_val} are held back", n_val)

    @pytest.mark.weight(2)
    def test_takes_the_steps_that_are_described(self, observe, rng):
        cases, models, held = [], [], []
        for dtype, remainder in ((DOUBLE, 2), (torch.float32, 0)):
            inputs, outputs, batch_size = rng.sizes(3, 2, 5)
            batch_size = max(batch_size, 3)
            n_val = rng.integer(2, 6)
            n = n_val + 2 * batch_size + remainder
            x, y = rng.strided((n, inputs), dtype, 1.0, 9.0), rng.strided((n, outputs), dtype, 2.0, 5.0)
            lr, epochs = rng.uniform(0.05, 0.1), rng.integer(2, 3)
            cases.append((x, y, share(n_val, n, rng), rng.integer(0, 99), batch_size, lr, epochs))
            models.append(drawn_network(rng, inputs, outputs, dtype))
            held.append(n_val)

        def probe(m):
            seen = []
            for model, case in zip(models, cases, strict=True):
                for parameter in model.parameters():
                    parameter.grad = torch.ones_like(parameter)  # left by somebody else
                seen.append(fitted(m, model, case))
            return seen

        for seen, model, case, n_val in zip(observe(probe), models, cases, held, strict=True):
            what = f"{len(case[0]) - n_val} training rows, batch_size={case[4]}, {case[6]} epochs"
            check_run(seen, model, case, what, n_val, 1e-6 if case[0].dtype == DOUBLE else 1e-4)

    def test_validation_builds_no_graph(self, observe, rng):
        n, n_val, epochs = rng.integer(11, 14), 4, 3
        model = drawn_network(rng, 2, 1)
        case = (rng.tensor((n, 2), DOUBLE), rng.tensor((n, 1), DOUBLE), n_val / n, 5, 3, 0.05, epochs)

        def probe(m):
            spy = watched(model)
            seen = fitted(m, spy, case)
            return {**seen, "passes": type(spy).seen}

        seen = vars(observe(probe))
        check_split(seen["fit"], n, n_val, f"{n} rows with fraction={n_val / n:.3f}")
        mean, std = scale_of(case[0], seen["fit"])
        held = ((case[0] - mean) / std)[seen["fit"]["val_index"]]
        looked = 0
        for rows, graph in seen["passes"]:
            holds = any(((held - row).abs().amax(1) < 1e-6).any() for row in rows.reshape(-1, 2))
            assert not (holds and graph), (
                f"{len(rows)} rows with validation rows among them passed through the model, and the output requires a "
                "gradient: a graph was built for them."
            )
            looked += holds
        assert looked >= epochs, f"in {epochs} epochs, validation rows passed through the model {looked} times."
        check_run(seen, model, case, "a run that was watched", n_val)

    def test_fraction_zero_holds_nothing_back(self, observe, rng):
        n = rng.integer(5, 9)
        x, y = rng.tensor((n, 2), DOUBLE, 1.0, 4.0), rng.tensor((n, 1), DOUBLE)
        cases = [(x, y, 0.0, 4, 3, 0.05, 2), (x, y, 0.4 / n, 5, n + 3, 0.05, 3), (x, y, 0, 6, n, 0.05, 1)]
        # A single row: its deviation is 0.
        cases.append((x[:1], y[:1], 0.3, 7, 2, 0.05, 2))
        # All but one: the training part is a single row.
        cases.append((x, y, (n - 1) / n, 8, 2, 0.05, 2))
        models = [drawn_network(rng, 2, 1) for _ in cases]
        pairs = list(zip(models, cases, strict=True))
        seen = observe(lambda m: [fitted(m, model, (case[0].clone(), *case[1:])) for model, case in pairs])
        for one, model, case, n_val in zip(seen, models, cases, (0, 0, 0, 0, n - 1), strict=True):
            check_run(one, model, case, f"{len(case[0])} rows with fraction={case[2]:.3f}", n_val)

    def test_refuses_when_nothing_is_left(self, observe, rng):
        n = rng.integer(5, 9)
        x, y = rng.tensor((n, 2), DOUBLE), rng.tensor((n, 1), DOUBLE)
        model = drawn_network(rng, 2, 1)
        fractions = (1.0, (n - 0.3) / n, 1.5, -0.5, -0.1 / n)
        case = (x, y, 2 / n, 1, 2, 0.05, 1)

        def probe(m):
            before = torch.get_rng_state()
            errors = [error_of(lambda f=f: m.train_val_fit(model, x, y, f, 1, 2, 0.05, 1)) for f in fractions]
            errors.append(error_of(lambda: m.train_val_fit(model, x[:1], y[:1], 0.9, 1, 2, 0.05, 1)))
            kept = torch.equal(before, torch.get_rng_state())
            return {"errors": errors, "kept": kept, **fitted(m, model, case)}

        seen = vars(observe(probe))
        assert seen["kept"], "after a ValueError, torch's global random generator is not where it was before."
        for error, fraction in zip(seen["errors"], (*fractions, 0.9), strict=True):
            rows = 1 if fraction == 0.9 else n
            why = "as it is negative" if fraction < 0 else "as no row is left to train on"
            assert_error(error, ValueError, why, f"fraction={fraction:.3f} with {rows} rows")
        check_run(seen, model, case, "after the refusals, a good fraction", 2)

    def test_a_line_ends_at_the_formula_and_a_network_adapts(self, observe, rng):
        n, n_val = rng.integer(30, 36), 10
        x = torch.linspace(-2, 2, n, dtype=DOUBLE)[rng.shuffled(range(n))][:, None]
        y = x.abs() + 0.01 * rng.tensor((n, 1), DOUBLE)
        line = nn.Linear(1, 1).double()
        network = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)).double()
        start = [[1.0], [-1.0]], [0.1, 0.1], [[0.7, 0.7]], [0.1]
        with torch.no_grad():
            for parameter, numbers in zip(network.parameters(), start, strict=True):
                parameter.copy_(torch.tensor(numbers, dtype=DOUBLE))
        case = x, y, n_val / n, rng.integer(0, 99), n, 0.4, 10

        def probe(m):
            return {"line": fitted(m, line, case), "network": fitted(m, network, case)}

        seen = observe(probe)
        fit = seen.line["fit"]
        check_split(fit, n, n_val, f"{n} rows")
        mean, std = scale_of(x, fit)
        wide = torch.cat([(x - mean) / std, torch.ones_like(x)], dim=1)[fit["train_index"]]
        best = torch.linalg.lstsq(wide, y[fit["train_index"]]).solution
        for got, wanted, name in zip(seen.line["parameters"], best, ("weight", "bias"), strict=True):
            what = f"the {name} of a line after training, beside the closed form,"
            assert_tensor(got.reshape(1), wanted, what, rtol=1e-4, atol=1e-4)
        bent, straight = seen.network["fit"]["val_losses"][-1], fit["val_losses"][-1]
        assert bent < 0.3 * straight, (
            "on bent data, the validation loss of a network should end far below that of a line, "
            f"{straight:.3g}, but it is {bent:.3g}."
        )

    def test_inputs_are_not_changed(self, observe, rng):
        n = rng.integer(8, 12)
        x, y = rng.strided((n, 3), DOUBLE, 4.0, 9.0), rng.strided((n, 2), DOUBLE, 4.0, 9.0)
        model, case = drawn_network(rng, 3, 2), (x, y, 3 / n, 2, 4, 0.05, 2)
        seen = vars(observe(lambda m: {**fitted(m, model, case), "x": x, "y": y}))
        check_run(seen, model, case, f"{n} rows", 3)
        assert_tensor(seen["x"], x, "x afterwards", rtol=0, atol=0)
        assert_tensor(seen["y"], y, "y afterwards", rtol=0, atol=0)


def base_state(rng):
    """Numbers for a layer with parameters and buffers; `shifted` makes the state of an epoch of them."""
    layer = nn.BatchNorm1d(2)
    return {
        name: rng.tensor(tensor.shape, tensor.dtype, 1.0, 90.0) if tensor.ndim else torch.tensor(rng.integer(7, 99))
        for name, tensor in layer.state_dict().items()
    }


def shifted(base, epoch):
    """The state after `epoch`; -1 is before training. Whole numbers, so that float32 holds the sums of all sizes."""
    return {name: tensor + 100 * (epoch + 2) for name, tensor in base.items()}


def put(model, state):
    """Write numbers into the model's own tensors, as an optimiser does."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[name])


def numbers_of(model):
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def follow(losses, patience):
    """What should happen, in plain Python: (best epoch or None, how many epochs are run)."""
    best, idle = None, 0
    for epoch, loss in enumerate(losses):
        earlier = [losses[e] for e in range(epoch) if math.isfinite(losses[e])]
        if math.isfinite(loss) and all(loss < other for other in earlier):
            best, idle = epoch, 0
        else:
            idle += 1
        if idle >= patience:
            return best, epoch + 1
    return best, len(losses)


def stop_early(m, base, losses, patience, max_epochs):
    """Run an exercise on a script of losses."""
    model, calls = nn.BatchNorm1d(2), []
    put(model, shifted(base, -1))
    before = [*model.parameters(), *model.buffers()]

    def fit_epoch(epoch):
        calls.append(epoch)
        put(model, shifted(base, epoch))
        return losses[epoch]

    best_state, best_epoch, noted = m.early_stopping(model, fit_epoch, patience, max_epochs)
    seen = {
        "best_state": {name: tensor.detach().clone() for name, tensor in best_state.items()},
        "wants": [tensor.requires_grad for tensor in best_state.values()],
        "best_epoch": best_epoch,
        "losses": noted,
        "calls": calls,
        "model": numbers_of(model),
    }
    after = [*model.parameters(), *model.buffers()]
    seen["same"] = len(before) == len(after) and all(a is b for a, b in zip(before, after, strict=True))
    put(model, shifted(base, 50))
    seen["later"] = {name: tensor.detach().clone() for name, tensor in best_state.items()}
    for tensor in best_state.values():
        tensor.detach().fill_(5)
    seen["model_later"] = numbers_of(model)
    return seen


def check_state(got, expected, what, note=""):
    missing = [name for name in expected if name not in got]
    assert not missing, f"{what} lacks {', '.join(missing)}. Parameters and buffers belong to it."
    assert len(got) == len(expected), f"{what} should have the names {short(list(expected))}, not {short(list(got))}."
    for name, tensor in expected.items():
        assert_tensor(got[name], tensor, f"{what}: `{name}`", rtol=0, atol=0, note=note)


def check_stop(seen, base, losses, patience, max_epochs):
    best, count = follow(losses[:max_epochs], patience)
    rounded = [round(loss, 2) for loss in losses[:max_epochs]]
    what = f"losses {short(rounded, 200)}, patience={patience}"
    assert_equal(seen["calls"], list(range(count)), f"{what}: the epochs that `fit_epoch` is called for")
    assert_equal(seen["losses"], losses[:count], f"{what}: the losses returned")
    assert_equal(seen["best_epoch"], best, f"{what}: `best_epoch`")
    wanted = shifted(base, -1 if best is None else best)
    which = "before training" if best is None else f"after epoch {best}"
    check_state(seen["best_state"], wanted, f"{what}: `best_state`", f"It is the state {which}, copied then.")
    check_state(seen["model"], wanted, f"{what}: the model in the end", f"It goes back to the state {which}.")


@exercise("early_stopping")
class TestEarlyStopping:
    def check(self, observe, rng, scripts):
        """Run scripts of (losses, patience[, max_epochs]); everything that comes back has to be right."""
        base = base_state(rng)
        scripts = [(losses, patience, *(limit or [len(losses)])) for losses, patience, *limit in scripts]
        seen = observe(lambda m: [stop_early(m, base, *script) for script in scripts])
        for one, script in zip(seen, scripts, strict=True):
            check_stop(one, base, *script)
        return seen, base

    def falling(self, rng, count, high=9.0, low=8.0):
        return sorted((rng.uniform(low, high) for _ in range(count)), reverse=True)

    @pytest.mark.weight(2)
    def test_goes_back_to_the_best_epoch(self, observe, rng):
        scripts = []
        for patience in rng.sizes(2, 2, 4):
            down = self.falling(rng, rng.integer(2, 5))
            up = [down[-1] + 0.1 * step for step in range(1, patience + 3)]
            scripts.append((down + up, patience))
        scripts.append(([rng.uniform(1, 9) for _ in range(8)], 3))
        self.check(observe, rng, scripts)

    def test_stops_after_exactly_patience_epochs(self, observe, rng):
        scripts = []
        for patience in (1, 3):
            down = self.falling(rng, rng.integer(1, 3))
            # The epoch that would have come next is better than all.
            scripts.append(([*down, *[9.5 + i for i in range(patience)], 0.1, 0.05], patience))
            # One epoch before patience runs out, it improves.
            scripts.append(([*down, *[9.5 + i for i in range(patience - 1)], 0.1, 12.0, 13.0, 14.0, 15.0], patience))
        self.check(observe, rng, scripts)

    def test_an_improvement_restores_patience(self, observe, rng):
        a, b, c = self.falling(rng, 3)
        losses = [a, 9.1, 9.2, b, 9.3, 9.4, c, 9.5, 9.6, 9.7, 1.0]
        # Falling from the epoch before is not enough: it has to be lower than all before.
        waves = [a, 9.9, 9.8, 9.7, 9.6, 1.0]
        self.check(observe, rng, [(losses, 3), (waves, 3), (waves, 4)])

    def test_an_equal_loss_is_no_improvement(self, observe, rng):
        a, b = self.falling(rng, 2)
        scripts = [([a, b, b, b, b, 0.5], 3), ([a, a, b, 9.5, b, 9.5, 9.5], 3), ([0.0, 0.0, -1.0, 0.0, 0.0, -2.0], 2)]
        self.check(observe, rng, scripts)

    def test_nan_is_no_improvement(self, observe, rng):
        nan, inf = math.nan, math.inf
        a, b, c = self.falling(rng, 3)
        scripts = [
            ([nan, a, nan, b, 9.5, 9.6, 1.0], 2),
            ([a, nan, nan, 0.5], 2),
            ([a, nan, b, nan, nan, nan, c], 3),
            ([inf, inf, c, inf, b, a, 0.1], 3),
            ([a, nan, a + 1, 9.7, b], 3),
        ]
        self.check(observe, rng, scripts)

    def test_without_improvement_the_model_is_as_before(self, observe, rng):
        nan, inf = math.nan, math.inf
        a = rng.uniform(1, 2)
        scripts = [([nan, nan, nan, a], 3), ([inf, nan, inf, nan], 9), ([a, a], 2, 0), ([a, a + 1], 1)]
        self.check(observe, rng, scripts)

    def test_goes_back_when_max_epochs_ends_it(self, observe, rng):
        a, b, c = self.falling(rng, 3)
        scripts = [([a, c, b, b, 0.1], 5, 4), ([a, b, c], 2), ([a], 3), ([a, b, c, 0.1, 0.05], 3, 2)]
        self.check(observe, rng, scripts)

    def test_best_state_is_a_copy(self, observe, rng):
        a, b = self.falling(rng, 2)
        seen, base = self.check(observe, rng, [([a, b, 9.5, 9.5], 2), ([a, b], 2), ([math.nan] * 2, 2)])
        for one, epoch in zip(seen, (1, 1, -1), strict=True):
            what = "`best_state`, once the model is trained on,"
            check_state(one["later"], shifted(base, epoch), what, "The two share memory.")
            what = "the model, once something is written into `best_state`,"
            check_state(one["model_later"], shifted(base, 50), what, "The two share memory.")
            assert_equal(one["wants"], [False] * len(one["wants"]), "`requires_grad` of the tensors in `best_state`")

    def test_parameters_stay_the_same_objects(self, observe, rng):
        a, b = self.falling(rng, 2)
        seen, _ = self.check(observe, rng, [([a, b, 9.5, 9.5], 2), ([a, 9.2], 4), ([math.nan] * 2, 2)])
        for one in seen:
            assert one["same"], (
                "in the end the model has other parameters or buffers than before. The optimiser still holds the old "
                "ones, so it would train nothing."
            )


class Run:
    """A model with dropout and batch normalisation, an optimiser with state, and a scheduler."""

    def __init__(self, kind, state, lr, device="cpu"):
        layers = nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout(0.3)
        self.model = nn.Sequential(*layers).to(device)
        if device != "meta":
            put(self.model, state)
        groups = [{"params": list(layer.parameters())} for layer in layers[:2]]
        groups[0]["lr"] = lr / 3
        if kind == "adam":
            self.optimizer = torch.optim.Adam(groups, lr=lr, betas=(0.6, 0.8))
        else:
            self.optimizer = torch.optim.SGD(groups, lr=lr, momentum=0.7)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=3, gamma=0.4)
        self.parts = self.model, self.optimizer, self.scheduler

    def train(self, epochs):
        """The losses of all epochs. Inputs and dropout come from torch's global generator, and depend on the epoch."""
        losses = []
        for epoch in epochs:
            x, y = torch.randn(6, 3) * (1 + epoch / 10), torch.randn(6, 2)
            self.optimizer.zero_grad()
            loss = ((self.model(x) - y) ** 2).mean()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
            self.scheduler.step()
        return losses

    def snapshot(self):
        """All of its state, as data of its own."""
        optimizer = self.optimizer.state_dict()
        return {
            "model": numbers_of(self.model),
            "optimizer": {
                str(number): {name: torch.as_tensor(value).detach().clone() for name, value in entry.items()}
                for number, entry in optimizer["state"].items()
            },
            "rates": [group["lr"] for group in self.optimizer.param_groups],
            "decay": [list(group.get("betas", [group.get("momentum")])) for group in self.optimizer.param_groups],
            "scheduler": [self.scheduler.last_epoch, *self.scheduler.get_last_lr(), *self.scheduler.base_lrs],
        }


def run_model_state(rng):
    state = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).state_dict()
    return {
        name: rng.tensor(t.shape, t.dtype, 0.1, 1.0) if t.ndim else torch.tensor(rng.integer(3, 99))
        for name, t in state.items()
    }


def seeded(function):
    """Call it, and leave torch's global generator as it was."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function()


def check_snapshot(got, expected, what):
    parts = {
        "model": "the model's parameters and buffers",
        "optimizer": "the optimiser's state",
        "rates": "the learning rates",
        "decay": "the optimiser's settings",
        "scheduler": "the scheduler's state",
    }
    for key, name in parts.items():
        if isinstance(expected[key], dict) and key == "model":
            check_state(got[key], expected[key], f"{what}: {name}")
        else:
            assert_equal(got[key], expected[key], f"{what}: {name}")


FILE = "run.pt"


@exercise("save_checkpoint")
class TestSaveCheckpoint:
    def drawn(self, rng):
        """What a test of a run needs: states to start from, seeds, learning rates."""
        return {
            "kind": rng.choice(("adam", "sgd")),
            "states": [run_model_state(rng) for _ in range(2)],
            "seeds": rng.python.sample(range(1, 10_000), 3),
            "rates": [rng.uniform(0.02, 0.04), rng.uniform(0.05, 0.08)],
        }

    @pytest.mark.weight(3)
    def test_goes_on_bit_for_bit(self, observe, rng):
        cases = [{**self.drawn(rng), "kind": kind, "done": done} for kind, done in (("adam", 2), ("sgd", 4))]
        total = 6

        def probe(m):
            seen = []
            for case in cases:
                states, seeds, rates, done = case["states"], case["seeds"], case["rates"], case["done"]
                with folder_of({}) as folder:
                    torch.manual_seed(seeds[0])
                    run = Run(case["kind"], states[0], rates[0])
                    run.train(range(done))
                    m.save_checkpoint(folder / FILE, *run.parts, done - 1)
                    straight = run.train(range(done, total))
                    torch.manual_seed(seeds[1])  # another day, another process
                    again = Run(case["kind"], states[1], rates[1])
                    epoch = m.resume(folder / FILE, *again.parts)
                    resumed = again.train(range(epoch if type(epoch) is int else done, total))
                seen.append((epoch, straight, run.snapshot(), resumed, again.snapshot()))
            return seen

        seen = observe(lambda m: seeded(lambda: probe(m)))
        for case, (epoch, straight, end, resumed, resumed_end) in zip(cases, seen, strict=True):
            done = case["done"]
            what = f"resumed after epoch {done - 1}"
            assert_equal(epoch, done, f"what `resume` returns for a checkpoint of epoch {done - 1}")

            def uninterrupted(case=case):
                torch.manual_seed(case["seeds"][0])
                return Run(case["kind"], case["states"][0], case["rates"][0]).train(range(total))

            expected = torch.tensor(seeded(uninterrupted)[done:], dtype=DOUBLE)
            assert_tensor(
                torch.tensor(straight, dtype=DOUBLE),
                expected,
                "the losses of the run that was saved and went on",
                rtol=1e-3,
                atol=1e-4,
                note="Saving has disturbed it.",
            )
            note = "The resumed run should have the very numbers of the run that was not interrupted."
            assert_tensor(
                torch.tensor(resumed, dtype=DOUBLE),
                torch.tensor(straight, dtype=DOUBLE),
                f"the losses, {what},",
                rtol=0,
                atol=0,
                note=note,
            )
            check_snapshot(resumed_end, end, f"at the end of a run that was {what}")

    def test_brings_back_every_part(self, observe, rng):
        case = self.drawn(rng)
        done = 4

        def probe(m):
            states, seeds, rates = case["states"], case["seeds"], case["rates"]
            with folder_of({}) as folder:
                torch.manual_seed(seeds[0])
                run = Run(case["kind"], states[0], rates[0])
                run.train(range(done))
                then = run.snapshot()
                m.save_checkpoint(str(folder / FILE), *run.parts, 40 + done)
                drawn = torch.rand(5)
                torch.manual_seed(seeds[1])
                other = Run(case["kind"], states[1], rates[1])
                other.train(range(2))  # it has a state already, another one
                before = list(other.model.parameters())
                epoch = m.resume(str(folder / FILE), *other.parts)
                rng_after = torch.rand(5)
                same = all(a is b for a, b in zip(before, other.model.parameters(), strict=True))
            return {"then": then, "now": other.snapshot(), "drawn": [drawn, rng_after], "epoch": epoch, "same": same}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        check_snapshot(seen.now, seen.then, "after `resume`")
        assert_tensor(seen.drawn[1], seen.drawn[0], "what `torch.rand` gives after `resume`", rtol=0, atol=0)
        assert_equal(seen.epoch, 41 + done, f"what `resume` returns for a checkpoint of epoch {40 + done}")
        assert seen.same, "`resume` gave the model other parameters; the optimiser still holds the old ones."

    def test_saving_disturbs_nothing(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            out, drawn = [], []
            with folder_of({}) as folder, others_kept():
                for saves in (False, True):
                    torch.manual_seed(case["seeds"][0]), random.seed(1), np.random.seed(1)
                    run = Run(case["kind"], case["states"][0], case["rates"][0])
                    losses = []
                    for epoch in range(3):
                        losses += run.train([epoch])
                        if saves:
                            m.save_checkpoint(folder / FILE, *run.parts, epoch)
                    flags = [run.model.training, *[p.requires_grad for p in run.model.parameters()]]
                    out.append((losses, run.snapshot(), flags))
                    drawn.append([random.random(), float(np.random.random())])
                epoch = m.resume(folder / FILE, *run.parts)
            return {"out": out, "drawn": drawn, "epoch": epoch, "model": numbers_of(run.model)}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        (plain, end, flags), (saved, saved_end, saved_flags) = seen.out
        note = "Saving should change neither the run nor the generators."
        assert_equal(saved, plain, "the losses of a run that is saved after each epoch", note=note)
        names = "what the generators of Python and NumPy give after a run that was saved"
        assert_equal(seen.drawn[1], seen.drawn[0], names, note=note)
        check_snapshot(saved_end, end, "a run that is saved after each epoch")
        assert_equal(saved_flags, flags, "`training` and the parameters' `requires_grad` after saving", note=note)
        assert_equal(seen.epoch, 3, "what `resume` returns for a checkpoint of epoch 2")
        check_state(seen.model, end["model"], "the model after `resume`")

    def test_everything_is_in_the_file(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder:
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                then = []
                for epoch in range(2):
                    run.train([epoch])
                    m.save_checkpoint(folder / FILE, *run.parts, epoch)
                    os.rename(folder / FILE, folder / f"{epoch} moved")
                    then.append((epoch + 1, run.snapshot(), torch.rand(2)))
                run.train(range(2, 4))
                now = []
                for epoch in (0, 1):
                    fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                    epoch_after = m.resume(folder / f"{epoch} moved", *fresh.parts)
                    now.append((epoch_after, fresh.snapshot(), torch.rand(2)))
                    fresh.train([7])  # which changes nothing in the file
                fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                epoch_after = m.resume(folder / "0 moved", *fresh.parts)
                now.append((epoch_after, fresh.snapshot(), torch.rand(2)))
            return {"then": then, "now": now}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        for at, now in zip((0, 1, 0), seen.now, strict=True):
            epoch, snapshot, drawn = seen.then[at]
            what = f"after `resume` from the file of epoch {at}"
            assert_equal(now[0], epoch, f"what `resume` returns for a checkpoint of epoch {at}")
            check_snapshot(now[1], snapshot, what)
            assert_tensor(now[2], drawn, f"what `torch.rand` gives {what}", rtol=0, atol=0)

    def test_code_in_a_file_does_not_run(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder:
                trace = str(folder / "trace")

                class Stranger:
                    def __reduce__(self):
                        return os.mkdir, (trace,)

                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(2))
                then = run.snapshot()
                m.save_checkpoint(folder / FILE, *run.parts, 5)
                content = []
                loads = error_of(lambda: content.append(torch.load(folder / FILE, weights_only=True)))
                inside = content[0] if content and isinstance(content[0], dict) else {"content": content}
                torch.save({**inside, "stranger": Stranger()}, folder / "stranger.pt")
                fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                error = error_of(lambda: m.resume(folder / "stranger.pt", *fresh.parts))
                ran = os.path.exists(trace)
                epoch = m.resume(folder / FILE, *fresh.parts)
            return {"loads": loads, "error": error, "ran": ran, "epoch": epoch, "then": then, "now": fresh.snapshot()}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_no_error(seen.loads, "`torch.load(path, weights_only=True)` on the checkpoint")
        assert_equal(seen.epoch, 6, "what `resume` returns for a checkpoint of epoch 5")
        check_snapshot(seen.now, seen.then, "after `resume` from an honest file")
        assert not seen.ran, "`resume` ran the code that a stranger had put into the file."
        assert_error(seen.error, pickle.UnpicklingError, "for a file with code in it", "`resume`")

    def test_refuses_a_file_of_another_model(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder:
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(1))
                m.save_checkpoint(folder / FILE, *run.parts, 0)
                errors = []
                wider = Run(case["kind"], case["states"][1], case["rates"][0])
                named = nn.ModuleDict({str(number): layer for number, layer in enumerate(wider.model)})
                named["extra"] = nn.Linear(1, 1)
                errors.append(error_of(lambda: m.resume(folder / FILE, named, *wider.parts[1:])))
                del named["extra"], named["1"]
                errors.append(error_of(lambda: m.resume(folder / FILE, named, *wider.parts[1:])))
                named["1"] = nn.BatchNorm1d(3)
                errors.append(error_of(lambda: m.resume(folder / FILE, named, *wider.parts[1:])))
                fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                epoch = m.resume(folder / FILE, *fresh.parts)
            return {"errors": errors, "epoch": epoch, "now": fresh.snapshot(), "then": run.snapshot()}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        models = ("a model with one more layer", "a model with one layer fewer", "a model with a wider layer")
        for error, model in zip(seen.errors, models, strict=True):
            assert_error(error, RuntimeError, "as the file does not fit it", f"`resume` into {model}")
        assert_equal(seen.epoch, 1, "what `resume` returns for a checkpoint of epoch 0")
        check_snapshot(seen.now, seen.then, "after `resume` into a model that fits")

    @pytest.mark.weight(2)
    def test_a_failed_save_leaves_the_old_file(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            class Unwritable:
                def __reduce__(self):
                    raise OSError("no space left on device")

            with folder_of({}) as folder:
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(2))
                m.save_checkpoint(folder / FILE, *run.parts, 1)
                then = run.snapshot()
                run.train(range(2, 4))
                run.optimizer.param_groups[1]["note"] = Unwritable()
                failed = error_of(lambda: m.save_checkpoint(folder / FILE, *run.parts, 3))
                del run.optimizer.param_groups[1]["note"]
                kept = Run(case["kind"], case["states"][1], case["rates"][1])
                epochs = []
                lost = error_of(lambda: epochs.append(m.resume(folder / FILE, *kept.parts)))
                old = kept.snapshot()
                m.save_checkpoint(folder / FILE, *run.parts, 3)
                fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                epochs.append(m.resume(folder / FILE, *fresh.parts))
            shots = {"then": then, "old": old, "new": run.snapshot(), "now": fresh.snapshot()}
            return {"failed": failed, "lost": lost, "epochs": epochs, **shots}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_error(seen.failed, Exception, "when the file cannot be written", "`save_checkpoint`")
        assert_no_error(seen.lost, "`resume` from the file that was there before a save that failed")
        assert_equal(seen.epochs, [2, 4], "what `resume` returns after a save that failed, and after the next one")
        check_snapshot(seen.old, seen.then, "after a save that failed, `resume` from the file that was there before")
        check_snapshot(seen.now, seen.new, "after `resume` from the new file")

    def test_the_new_file_replaces_the_old_one(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({"notes.txt": b"mine"}) as folder:
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(2))
                m.save_checkpoint(folder / FILE, *run.parts, 1)
                then = run.snapshot()
                size = os.path.getsize(folder / FILE)
                with open(folder / FILE, "rb", buffering=0) as reader:
                    run.train(range(2, 4))
                    m.save_checkpoint(folder / FILE, *run.parts, 3)
                    content = reader.read()
                listing = sorted(os.listdir(folder))
                whole = len(content) == size
                Path(folder / "old.pt").write_bytes(content)
                snapshots, epochs = [], []
                for name in (FILE, "old.pt"):
                    fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                    broken = error_of(lambda: epochs.append(m.resume(folder / name, *fresh.parts)))
                    snapshots.append(fresh.snapshot())
            shots = {"then": then, "new": run.snapshot(), "seen": snapshots}
            return {"listing": listing, "whole": whole, "broken": broken, "epochs": epochs, **shots}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_equal(seen.listing, ["notes.txt", FILE], "the files in the folder after two saves")
        whole = seen.whole and seen.broken is None and seen.epochs[1:] == [2]
        assert whole, (
            "who opened the old file before the second save should read it whole, but the file itself was rewritten. "
            "Put a new file in its place."
        )
        assert_equal(seen.epochs, [4, 2], "what `resume` returns for the new file, and for the old one")
        check_snapshot(seen.seen[0], seen.new, "after `resume` from the new file")
        check_snapshot(seen.seen[1], seen.then, "after `resume` from the old file")

    def test_a_file_from_a_gpu_loads_without_one(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder:
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(2))
                # As if its tensors were on a GPU: all that differs is where the file says they were.
                with mock.patch.object(torch.serialization, "location_tag", return_value="cuda:31"):
                    m.save_checkpoint(folder / FILE, *run.parts, 1)
                drawn = torch.rand(3)
                fresh = Run(case["kind"], case["states"][1], case["rates"][1])
                epoch = m.resume(folder / FILE, *fresh.parts)
                drawn_again = torch.rand(3)
            return {"epoch": epoch, "then": run.snapshot(), "now": fresh.snapshot(), "drawn": [drawn, drawn_again]}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_equal(seen.epoch, 2, "what `resume` returns for a checkpoint of epoch 1 from a GPU")
        check_snapshot(seen.now, seen.then, "after `resume` from a file from a GPU")
        assert_tensor(seen.drawn[1], seen.drawn[0], "what `torch.rand` gives after `resume`", rtol=0, atol=0)

    def test_the_model_stays_on_its_device(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder:
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0])
                run.train(range(2))
                m.save_checkpoint(folder / FILE, *run.parts, 1)
                drawn = torch.rand(3)
                there = Run(case["kind"], None, case["rates"][1], device="meta")
                epoch = m.resume(folder / FILE, *there.parts)
                drawn_again = torch.rand(3)
            tensors = [t for entry in there.optimizer.state.values() for t in entry.values() if torch.is_tensor(t)]
            return {
                "epoch": epoch,
                "model": sorted({t.device.type for t in there.model.state_dict().values()}),
                "optimizer": sorted({t.device.type for t in tensors if t.ndim}),
                "rates": [run.snapshot()["rates"], [group["lr"] for group in there.optimizer.param_groups]],
                "drawn": [drawn, drawn_again],
            }

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_equal(seen.epoch, 2, "what `resume` returns for a checkpoint of epoch 1")
        assert_equal(seen.model, ["meta"], "the devices of a model that was on meta, after `resume`,")
        assert_equal(seen.optimizer, ["meta"], "the devices of its optimiser's averages or momentum, after `resume`,")
        assert_equal(seen.rates[1], seen.rates[0], "the learning rates after `resume`")
        assert_tensor(seen.drawn[1], seen.drawn[0], "what `torch.rand` gives after `resume`", rtol=0, atol=0)

    @pytest.mark.gpu
    def test_goes_on_bit_for_bit_on_the_gpu(self, observe, rng):
        case = self.drawn(rng)

        def probe(m):
            with folder_of({}) as folder, torch.random.fork_rng(devices=[0]):
                torch.manual_seed(case["seeds"][0])
                run = Run(case["kind"], case["states"][0], case["rates"][0], "cuda")

                def train(one, steps):
                    losses = []
                    for _ in range(steps):
                        one.optimizer.zero_grad()
                        loss = (one.model(torch.randn(6, 3, device="cuda")) - torch.randn(2).cuda()).square().mean()
                        loss.backward()
                        one.optimizer.step()
                        one.scheduler.step()
                        losses.append(loss.item())
                    return losses

                train(run, 4)
                then = run.snapshot()["model"]
                m.save_checkpoint(folder / FILE, *run.parts, 3)
                straight = train(run, 4)
                torch.manual_seed(case["seeds"][1])
                there = Run(case["kind"], case["states"][1], case["rates"][1], "cuda")
                epochs = [m.resume(folder / FILE, *there.parts)]
                devices = sorted({t.device.type for t in there.model.state_dict().values()})
                resumed = train(there, 4)
                here = Run(case["kind"], case["states"][1], case["rates"][1])
                epochs.append(m.resume(folder / FILE, *here.parts))
                then = {name: tensor.cpu() for name, tensor in then.items()}
                losses = {"straight": straight, "resumed": resumed}
                return {"epochs": epochs, "devices": devices, "then": then, "here": numbers_of(here.model), **losses}

        seen = observe(lambda m: seeded(lambda: probe(m)))
        assert_equal(seen.epochs, [4, 4], "what `resume` returns for epoch 3, on the GPU and on the CPU")
        assert_equal(seen.devices, ["cuda"], "the devices of a model on the GPU, after `resume`,")
        note = "Dropout and inputs on a GPU come from the GPU's own generator."
        assert_equal(seen.resumed, seen.straight, "the losses on the GPU, resumed,", note=note)
        check_state(seen.here, seen.then, "the model on the CPU after `resume` from a file from the GPU")
