"""Hidden suite of autograd/capstone."""

from __future__ import annotations

import io
import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from grader.testing import assert_equal, assert_no_error, assert_tensor, error_of, exercise, short

STEPS = 300
ROWS = 500
SHARE = 0.7  # of the best line's error on new rows: what a trained model may have at most


def hours(seed, count, dtype=torch.float32):
    """A table by a law of the kind that bikes.csv follows, with numbers of its own: x (count, 5) and y (count,).

    Two peaks on a working day, one on a day off, more of both when it is warm, less in the wind. The columns stand in
    some order, each in its own unit, and one of them is constant.
    """
    g = torch.Generator().manual_seed(seed)
    rush, noon, *parts = torch.rand(2 + 4 * count, generator=g, dtype=torch.float64).split([1, 1, *[count] * 4])
    hour, free, warm, wind = (24 * parts[0]).floor(), (parts[1] < 0.4).double(), parts[2], parts[3]
    peaks = torch.where(free == 1, wave(hour - 13 - 2 * noon, 24), wave(hour - 7 - 2 * rush, 12))
    busy = peaks * (0.5 + warm) * (1 - 0.2 * wind) + 0.1 * torch.randn(count, generator=g, dtype=torch.float64)
    x = torch.stack([hour, free, 270 + 30 * warm, 0.01 * wind, torch.full_like(hour, 2011.0)], dim=1)
    return x[:, torch.randperm(5, generator=g)].to(dtype), (100 * busy + 200).to(dtype)


def wave(t, period):
    return 1 + torch.cos(2 * math.pi * t / period)


def line_error(x, y, new_x, new_y):
    """The mean squared error on new rows of the best line through x and y."""
    mean, std = x.double().mean(dim=0), x.double().std(dim=0).clamp(min=1e-9)
    wide, new = (torch.nn.functional.pad((t.double() - mean) / std, (0, 1), value=1.0) for t in (x, new_x))
    return error(new @ torch.linalg.pinv(wide) @ y.double(), new_y)


def error(out, y):
    """The mean squared error, in float64."""
    return ((out.double() - y.double()) ** 2).mean().item()


def strided(t):
    """The same numbers in a view with an offset and a step in every dimension."""
    wide = torch.full([2 * size + 1 for size in t.shape], 7.0, dtype=t.dtype)
    view = wide[tuple(slice(1, None, 2) for _ in t.shape)]
    return view.copy_(t)


def through_file(state):
    """What another process would read."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, map_location="cpu", weights_only=True)


def world():
    """What is global and could be left changed, as data that can be compared."""
    numpy = np.random.get_state()
    return {
        "torch's random generator": torch.get_rng_state().tolist(),
        "NumPy's random generator": (numpy[1].tolist(), *numpy[2:]),
        "Python's random generator": random.getstate(),
        "grad mode": torch.is_grad_enabled(),
        "the default dtype": torch.get_default_dtype(),
    }


def entry(state, key):
    return state.get(key) if isinstance(state, dict) else None


def look(m, state, x):
    """What tells one state from another: what it says of x, and its two public entries."""
    rows = entry(state, "val_rows")
    rows = rows.cpu() if isinstance(rows, torch.Tensor) else rows
    return {"out": m.predict(state, x), "rows": rows, "loss": entry(state, "val_loss")}


def judge_out(out, x, what):
    """`out` is a prediction for each row of x, whatever its values."""
    blank = torch.zeros_like(out) if isinstance(out, torch.Tensor) else out
    assert_tensor(blank, torch.zeros(len(x), dtype=x.dtype), what)
    assert bool(out.isfinite().all()), f"{what} should be finite numbers, but NaN or infinity is among them."


def judge_rows(rows, count, what="state['val_rows']"):
    """`rows` are a fifth of the numbers below `count`, each once."""
    blank = torch.zeros_like(rows) if isinstance(rows, torch.Tensor) else rows
    assert_tensor(blank, torch.zeros(count // 5, dtype=torch.int64), f"{what} for {count} rows")
    numbers = rows.tolist()
    good = len(set(numbers)) == len(numbers) and min(numbers) >= 0 and max(numbers) < count
    assert good, f"{what} should be different row numbers from 0 to {count - 1}, but are {short(sorted(numbers))}."


def judge_state(seen, x, y, what):
    """`seen`, from `look` with the training data, fits together: split, predictions, and the loss on held-out rows."""
    judge_rows(seen["rows"], len(x))
    judge_out(seen["out"], x, f"`predict` after {what}")
    wanted, loss = error(seen["out"][seen["rows"]], y[seen["rows"]]), seen["loss"]
    assert type(loss) is float, f"state['val_loss'] should be a Python float after {what}, but is {short(loss)}."
    assert abs(loss - wanted) <= 1e-3 * wanted, (
        f"state['val_loss'] is {loss:.6g} after {what}, but the mean of (predict(state, x) - y)**2 over the rows in "
        f"state['val_rows'] is {wanted:.6g}. Is it in the unit of y, over all rows alike, and of this very state?"
    )


def judge_same(got, wanted, what, note=""):
    """Two looks agree to the last bit."""
    assert_tensor(got["out"], wanted["out"], f"what `predict` says {what}", rtol=0, atol=0, note=note)
    assert_equal(got["rows"], wanted["rows"], f"state['val_rows'] {what}", note=note)
    assert_equal(got["loss"], wanted["loss"], f"state['val_loss'] {what}", note=note)


def judge_score(out, data, what):
    """On new rows, `out` is better by far than the best line."""
    new_x, new_y = data[2:]
    judge_out(out, new_x, f"`predict` for the new rows of {what}")
    line, mine = line_error(*data), error(out, new_y)
    assert mine <= SHARE * line, (
        f"On {len(new_y)} new rows of {what}, the mean squared error after {STEPS} steps is {mine:.0f}; that of the "
        f"best line is {line:.0f}, and at most {SHARE} times that, {SHARE * line:.0f}, was asked for. Are inputs and "
        "targets scaled, do shapes agree in the loss, do x and y stay together?"
    )


def table(number):
    """A table on which everyone is graded: rows to train on, and new ones."""
    x, y = hours(number, ROWS + 1000)
    return x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:]


@exercise("train")
class TestTrain:
    @pytest.mark.weight(3)
    def test_beats_the_best_line_on_new_rows(self, observe):
        data = table(2)
        x, y, new_x, _ = data
        out = observe(lambda m: m.predict(through_file(m.train(x, y, seed=3, steps=STEPS)), new_x))
        judge_score(out, data, "a table like bikes.csv")

    def test_holds_out_a_random_fifth_by_seed(self, observe, rng):
        seed = rng.integer(1, 1000)
        (x, y), (other_x, other_y) = hours(seed, 83), hours(seed + 1, 83)

        def probe(m):
            states = [
                m.train(x, y, seed=seed, steps=1),
                m.train(other_x, other_y, seed=seed, steps=2),
                m.train(x, y, seed=seed + 1, steps=1),
                m.train(x[:14], y[:14], seed=seed, steps=1),
            ]
            return [look(m, state, x) for state in states]

        first, same, other, short_one = observe(probe)
        judge_state(first, x, y, "a step with 83 rows")
        for seen, count in ((same, 83), (other, 83), (short_one, 14)):
            judge_rows(seen["rows"], count)
        assert_equal(same["rows"], first["rows"], "state['val_rows'] with the same seed and other data")
        chosen = sorted(first["rows"].tolist())
        assert chosen != sorted(other["rows"].tolist()), (
            "state['val_rows'] should be other rows with another seed, but are the same."
        )
        steps = {b - a for a, b in pairwise(chosen)}
        assert len(steps) > 1, f"state['val_rows'] should be drawn at random, but are {short(chosen)}: in even steps."

    @pytest.mark.weight(2)
    def test_held_out_rows_teach_nothing(self, observe, rng):
        seed, steps = rng.integer(1, 1000), 24
        (x, new_x), (y, _) = (part.split([120, 30]) for part in hours(seed, 150))
        spread = x.std(dim=0)
        spread[spread == 0] = 1  # What is constant in the other rows need not be so here.
        strange_x = x + 3 * spread * rng.tensor(x.shape, low=1)
        # Whoever chooses what suits these rows best chooses late for one of the two, and early for the other.
        away, turned = (y.mean() + factor * (y - y.mean()) + 3 * y.std() * rng.tensor(y.shape, low=1)
                        for factor in (30, -30))  # fmt: skip
        others = {"other x": (strange_x, y), "other y": (x, away), "y turned round": (x, turned)}

        def probe(m):
            first = m.train(x, y, seed=seed, steps=steps)
            rows = entry(first, "val_rows")
            news, olds = {}, {}
            for name, (other_x, other_y) in others.items():
                x2, y2 = x.clone(), y.clone()
                x2[rows], y2[rows] = other_x[rows], other_y[rows]
                state = m.train(x2, y2, seed=seed, steps=steps)
                news[name], olds[name] = look(m, state, new_x), m.predict(state, x2)
            return {"first": look(m, first, new_x), "all": m.predict(first, x), "news": news, "olds": olds}

        seen = observe(probe)
        judge_state({**seen.first, "out": seen.all}, x, y, f"{steps} steps")
        rows = seen.first["rows"]
        for name, got in seen.news.items():
            what = f"of new rows, when there is {name} in the held-out rows and all else is equal,"
            note = "Scaling and weights, and the choice of when to stop, come from the other rows alone."
            assert_tensor(got["out"], seen.first["out"], f"what `predict` says {what}", rtol=1e-4, atol=0, note=note)
            at_x, at_y = x.clone(), y.clone()
            at_x[rows], at_y[rows] = (other[rows] for other in others[name])
            judge_state({**got, "out": seen.olds[name]}, at_x, at_y, f"{steps} steps with {name} in the held-out rows")

    def test_takes_any_number_of_rows(self, observe, rng):
        counts = [10, 21, 41, 81, 161, rng.integer(100, 200)]
        tables = [hours(rng.integer(1, 1000), count) for count in counts]

        def probe(m):
            return [look(m, m.train(x, y, seed=1, steps=9), x) for x, y in tables]

        for (x, y), seen in zip(tables, observe(probe), strict=True):
            judge_state(seen, x, y, f"9 steps with {len(x)} rows")

    def test_any_number_of_columns_of_any_scale(self, observe, rng):
        x, y = hours(rng.integer(1, 1000), 60)
        hot = (rng.tensor((60, 1)) > 0).float()
        tables = [
            (torch.cat([x, 1e5 * rng.tensor((60, 1)), hot, 0.1 * torch.ones(60, 2)], dim=1), 1e4 * y),
            (1e-4 * rng.tensor((60, 1)) + 3, y / 1000 - 50),
        ]

        def probe(m):
            return [look(m, m.train(x, y, seed=1, steps=9), x) for x, y in tables]

        for (x, y), seen in zip(tables, observe(probe), strict=True):
            judge_state(seen, x, y, f"9 steps with {x.shape[1]} columns")

    @pytest.mark.weight(2)
    def test_a_resumed_run_is_the_uninterrupted_run(self, observe, rng):
        seed, steps = rng.integer(1, 1000), rng.integer(24, 30)
        first, second = rng.integer(3, 8), rng.integer(13, 21)
        (x, y), (other_x, other_y) = hours(seed, 140), hours(seed + 1, 90)

        def probe(m):
            whole = look(m, m.train(x, y, seed=seed, steps=steps), x)
            part = through_file(m.train(x, y, seed=seed, steps=steps, stop=first))
            m.train(other_x, other_y, seed=seed + 7, steps=5)  # the world goes on
            once = look(m, m.resume(part, x, y), x)
            middle = through_file(m.resume(through_file(part), x, y, stop=second))
            ended = m.resume(middle, x, y)
            return {
                "whole": whole,
                "once": once,
                "still": look(m, m.resume(part, x, y, stop=first), x),
                "parts": [look(m, part, x), look(m, middle, x)],
                "twice": look(m, ended, x),
                "again": look(m, m.resume(through_file(ended), x, y), x),
            }

        seen = observe(probe)
        judge_state(seen.whole, x, y, f"{steps} steps")
        for at, part in zip((first, second), seen.parts, strict=True):
            judge_state(part, x, y, f"a run that stopped at step {at} of {steps}")
        note = "A state needs whatever decides what happens next: weights, optimiser, order of the rows, schedule."
        judge_same(seen.once, seen.whole, f"after a stop at step {first} of {steps}, compared with no stop,", note)
        judge_same(seen.twice, seen.whole, f"after stops at {first} and {second} of {steps}, compared with none,", note)
        judge_same(seen.again, seen.whole, "when a run that is at its end is resumed", "There is nothing left to do.")
        what = f"when a run that stopped at {first} is resumed with stop={first}"
        judge_same(seen.still, seen.parts[0], what, "All the steps up to there are done.")

    def test_resume_leaves_the_state_alone(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 70)

        def probe(m):
            part = m.train(x, y, seed=seed, steps=11, stop=4)
            before = look(m, part, x)
            first = m.resume(part, x, y)
            result = look(m, first, x)
            after, second = look(m, part, x), look(m, m.resume(part, x, y), x)
            third = look(m, m.resume(through_file(part), x, y), x)
            return {"looks": [before, after], "ends": [result, second, third, look(m, first, x)]}

        seen = observe(probe)
        judge_state(seen.ends[0], x, y, "a run that was resumed")
        judge_same(seen.looks[1], seen.looks[0], "of a state from which a run has been resumed")
        note = "Does `resume` write into the state that it was given, or share tensors with it?"
        for again in seen.ends[1:]:
            judge_same(again, seen.ends[0], "when the same state is resumed a second time", note)

    def test_the_same_seed_gives_the_same_bits(self, observe, rng):
        seed = rng.integer(1, 1000)
        (x, y), (other_x, other_y) = hours(seed, 130), hours(seed + 1, 60)

        def probe(m):
            keep = torch.get_rng_state(), np.random.get_state(), random.getstate()
            looks = []
            for start in (5, 6):
                torch.manual_seed(start)
                np.random.seed(start)
                random.seed(start)
                looks.append(look(m, m.train(x, y, seed=seed, steps=14), x))
                m.train(other_x, other_y, seed=seed + start, steps=3)
            torch.set_rng_state(keep[0])
            np.random.set_state(keep[1])
            random.setstate(keep[2])
            return looks

        first, second = observe(probe)
        judge_state(first, x, y, "14 steps")
        judge_same(second, first, "with the same seed, when a global random generator stands elsewhere,")

    def test_leaves_the_world_as_it_was(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 70)

        def probe(m):
            worlds = [world()]
            part = m.train(x, y, seed=seed, steps=6, stop=2)
            worlds.append(world())
            whole = m.resume(part, x, y)
            worlds.append(world())
            seen = look(m, whole, x)
            worlds.append(world())
            moved = [[name for name in old if old[name] != new[name]] for old, new in pairwise(worlds)]
            return {"seen": seen, "moved": moved}

        seen = observe(probe)
        judge_state(seen.seen, x, y, "6 steps")
        for name, moved in zip(("train", "resume", "predict"), seen.moved, strict=True):
            assert moved == [], f"After `{name}`, something global is not as it was before: {', '.join(moved)}."

    def test_inputs_of_any_strides_stay_as_they_are(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 70)
        wide_x, wide_y, tall_x = strided(x), strided(y), x.T.contiguous().T

        def probe(m):
            plain = m.train(x, y, seed=seed, steps=8)
            part = m.train(wide_x, wide_y, seed=seed, steps=8, stop=3)
            loose = m.resume(part, wide_x, wide_y)
            outs = [m.predict(plain, x), m.predict(plain, wide_x), m.predict(plain, tall_x), m.predict(loose, x)]
            return {"plain": look(m, plain, x), "outs": outs, "x": [x, wide_x, tall_x], "y": [y, wide_y]}

        seen = observe(probe)
        for after in seen.x:
            assert_tensor(after, x, "x afterwards", rtol=0, atol=0)
        for after in seen.y:
            assert_tensor(after, y, "y afterwards", rtol=0, atol=0)
        judge_state(seen.plain, x, y, "8 steps")
        scale = y.std().item()
        for out in seen.outs:
            note = "The same numbers, in other strides, should give the same."
            assert_tensor(out, seen.outs[0], "what `predict` says", rtol=1e-3, atol=1e-2 * scale, note=note)

    def test_each_row_is_predicted_by_itself(self, observe, rng):
        seed = rng.integer(1, 1000)
        (x, new_x), (y, _) = (part.split([90, 37]) for part in hours(seed, 127))
        order = torch.tensor(rng.shuffled(range(37)))

        def probe(m):
            state = m.train(x, y, seed=seed, steps=13)
            before = look(m, state, x)
            out = m.predict(state, new_x)
            alone = torch.cat([m.predict(state, row[None]) for row in new_x])
            return {
                "state": before,
                "out": out,
                "again": m.predict(state, new_x),
                "alone": alone,
                "mixed": m.predict(state, new_x[order]),
                "none": m.predict(state, new_x[:0]),
                "last": look(m, state, x),
                "new_x": new_x,
            }

        seen = observe(probe)
        judge_state(seen.state, x, y, "13 steps")
        judge_out(seen.out, new_x, "`predict` for 37 rows")
        judge_out(seen.none, new_x[:0], "`predict` for no rows")
        close = {"rtol": 1e-4, "atol": 1e-3 * y.std().item()}
        assert_tensor(seen.again, seen.out, "what `predict` says a second time", rtol=0, atol=0)
        note = "Is dropout or batch norm still in training mode, or something measured on the rows to predict?"
        assert_tensor(seen.alone, seen.out, "what `predict` says of each row alone", **close, note=note)
        assert_tensor(
            seen.mixed, seen.out[order], "what `predict` says of the rows in another order", **close, note=note
        )
        judge_same(seen.last, seen.state, "of the rows of training after many other calls of `predict`")
        assert_tensor(seen.new_x, new_x, "x afterwards", rtol=0, atol=0)
        assert not seen.out.requires_grad, (
            "What `predict` returns should not require gradients: nobody will train on it."
        )

    def test_works_in_float32_and_float64(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 90, torch.float64)

        def probe(m):
            looks = []
            for dtype in (torch.float32, torch.float64):
                part = m.train(x.to(dtype), y.to(dtype), seed=seed, steps=9, stop=4)
                state = m.resume(through_file(part), x.to(dtype), y.to(dtype))
                looks.append([look(m, state, x.float()), look(m, state, x.double())])
            return looks

        for dtype, (single, double) in zip(("float32", "float64"), observe(probe), strict=True):
            judge_state(single, x.float(), y.float(), f"9 steps in {dtype}")
            judge_state(double, x, y, f"9 steps in {dtype}")

    def test_keeps_to_the_budget_of_steps(self, observe, rng):
        seed, steps, stop = rng.integer(1, 1000), rng.integer(11, 15), rng.integer(4, 7)
        x, y = hours(seed, 300)

        def probe(m):
            # Counts the updates by torch's optimisers; others cannot be seen.
            counts = [0]
            hook = register_optimizer_step_post_hook(lambda *_: counts.append(counts.pop() + 1))
            try:
                whole = m.train(x, y, seed=seed, steps=steps)
                counts.append(0)
                part = m.train(x, y, seed=seed, steps=steps, stop=stop)
                counts.append(0)
                m.resume(part, x, y)
            finally:
                hook.remove()
            return {"counts": counts, "whole": look(m, whole, x)}

        seen = observe(probe)
        judge_state(seen.whole, x, y, f"{steps} steps")
        calls = [f"`train(x, y, seed={seed}, steps={steps})`", f"`train(..., steps={steps}, stop={stop})`"]
        calls += [f"`resume` of a run that stopped at {stop} of {steps}"]
        for call, count, most in zip(calls, seen.counts, (steps, stop, steps - stop), strict=True):
            assert count <= most, f"{call} may call `optimizer.step()` {most} times, but did it {count} times."

    def test_the_state_is_plain_data(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 60)

        def probe(m):
            state = m.train(x, y, seed=seed, steps=7, stop=5)
            seen = {"kind": type(state).__name__, "error": error_of(lambda: through_file(state))}
            if seen["error"] is None:
                seen["looks"] = [look(m, state, x), look(m, through_file(state), x)]
            return seen

        seen = observe(probe)
        assert seen.kind == "dict", f"The state should be a dict, but is {short(seen.kind)}."
        what = "reading a saved state with `torch.load(path, weights_only=True)`"
        assert_no_error(seen.error, what, "as only plain data and tensors are in it")
        judge_state(seen.looks[0], x, y, "5 steps")
        judge_same(seen.looks[1], seen.looks[0], "of a state that was written and read back")

    def test_predicts_where_x_is(self, observe, rng):
        seed = rng.integer(1, 1000)
        x, y = hours(seed, 60)
        away = torch.empty(9, 5, dtype=torch.float64, device="meta")

        def probe(m):
            states = [m.train(x, y, seed=seed, steps=5)]
            states.append(through_file(states[0]))
            before = look(m, states[0], x)
            outs = [m.predict(state, away) for state in states]
            return {"before": before, "outs": outs, "after": [look(m, state, x) for state in states]}

        seen = observe(probe)
        for out in seen.outs:
            wanted = torch.empty(9, dtype=torch.float64, device="meta")
            note = "Everything that meets x has to go to the device of x first."
            assert_tensor(out, wanted, '`predict` for 9 rows on the device "meta"', note=note)
        judge_state(seen.before, x, y, "5 steps")
        for after in seen.after:
            judge_same(after, seen.before, 'of the rows on the CPU, after a call with rows on "meta",')

    @pytest.mark.gpu
    def test_trains_on_the_gpu(self, observe):
        data = table(2)
        x, y, new_x, _ = data

        def probe(m):
            x_gpu, y_gpu = x.cuda(), y.cuda()
            part = through_file(m.train(x_gpu, y_gpu, seed=3, steps=STEPS, stop=STEPS // 2))
            state = m.resume(part, x_gpu, y_gpu)
            outs = [m.predict(state, new_x.cuda()), m.predict(through_file(state), new_x.cuda())]
            devices = [out.device.type for out in outs]
            outs = [out.cpu() for out in outs] + [m.predict(state, new_x), m.predict(through_file(state), new_x)]
            return {"devices": devices, "outs": outs, "state": look(m, through_file(state), x)}

        seen = observe(probe)
        assert_equal(seen.devices, ["cuda", "cuda"], "where the predictions for rows on the GPU are")
        for out in seen.outs:
            judge_score(out, data, "a table on the GPU")
        judge_state(seen.state, x, y, "a run on the GPU")
