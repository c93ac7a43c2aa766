"""Hidden suite of autograd/optimisers."""

from __future__ import annotations

import math

import pytest
import torch

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, short

DOUBLE = torch.float64
BOTH = ("Adam", "AdamW")


def sgd(start, grads, options):
    """One parameter's values after each step, by SGD's formula. A gradient may be None; options are those of a step."""
    p, buffer, path = start.double(), None, []
    for grad, option in zip(grads, options, strict=True):
        if grad is not None:
            d = grad.double() + option["weight_decay"] * p
            buffer = d if buffer is None else option["momentum"] * buffer + d
            p = p - option["lr"] * buffer
        path.append(p.to(start.dtype))
    return path


def adam(start, grads, options, decoupled):
    """The same for Adam, or for AdamW if `decoupled`."""
    p, path, t = start.double(), [], 0
    mean = square = torch.zeros_like(p)
    for grad, option in zip(grads, options, strict=True):
        if grad is not None:
            t, (beta1, beta2) = t + 1, option["betas"]
            shrunk = p * (1 - option["lr"] * option["weight_decay"])
            g = grad.double() if decoupled else grad.double() + option["weight_decay"] * p
            mean = beta1 * mean + (1 - beta1) * g
            square = beta2 * square + (1 - beta2) * g * g
            root = (square / (1 - beta2**t)).sqrt()
            p = (shrunk if decoupled else p) - option["lr"] * mean / (1 - beta1**t) / (root + option["eps"])
        path.append(p.to(start.dtype))
    return path


def paths(name, starts, grads, options):
    """The values of all parameters after each step: [step][parameter]. `options` has a list of steps for each one."""
    by_parameter = []
    for index, start in enumerate(starts):
        row = [step[index] for step in grads]
        if name == "SGD":
            by_parameter.append(sgd(start, row, options[index]))
        else:
            by_parameter.append(adam(start, row, options[index], name == "AdamW"))
    return [list(step) for step in zip(*by_parameter, strict=True)]


def walk(make, starts, grads, before=None, reuse=False):
    """In a probe: parameters in the memory of `starts`, an optimiser from `make`, one step for each row of gradients.

    With `reuse`, the gradient tensors of the first row stay in place and are overwritten, as accumulation does.
    """
    params = [torch.nn.Parameter(start) for start in starts]
    optimizer = make(params)
    path, left = [], []
    for number, row in enumerate(grads):
        if before is not None:
            before(optimizer.param_groups, number)
        for p, grad in zip(params, row, strict=True):
            if reuse and p.grad is not None:
                p.grad.copy_(grad)
            else:
                p.grad = None if grad is None else (grad.clone() if reuse else grad)
        optimizer.step()
        path.append([p.detach().clone() for p in params])
        left.append([None if p.grad is None else p.grad.clone() for p in params])
    listed = [p for group in optimizer.param_groups for p in group["params"]]
    return {
        "path": path,
        "left": left,
        "starts": starts,
        "leaves": [p.is_leaf and p.requires_grad for p in params],
        "same": len(listed) == len(params) and all(a is b for a, b in zip(listed, params, strict=True)),
    }


def check_path(path, expected, what, note="", rtol=None, atol=None):
    """Both as from `paths`. In float64 they agree so far that no float32 can have been in between."""
    assert len(path) == len(expected), f"{what}: {len(expected)} steps were made, but {len(path)} were seen."
    if rtol is None and expected[0][0].dtype is DOUBLE:
        rtol = atol = 1e-10
    for number, (row, wanted) in enumerate(zip(path, expected, strict=True), 1):
        for index, (p, value) in enumerate(zip(row, wanted, strict=True)):
            which = f"parameter {index} " if len(wanted) > 1 else "the parameter "
            assert_tensor(p, value, f"{what}: {which}after step {number}", note=note, rtol=rtol, atol=atol)


def drawn(rng, steps, shapes=None, dtype=DOUBLE, strided=False):
    """Parameters and gradients for some steps, all away from 0: [parameter], [step][parameter].

    Contiguous unless `strided`: torch's own fused kernels for the CPU go wrong otherwise, and need not fail every test.
    """
    shapes = shapes or ((), tuple(rng.sizes(2)), (rng.integer(2, 5),))

    def away(shape):
        signs = rng.tensor(shape, torch.bool).to(dtype) * 2 - 1
        return (rng.strided if strided else rng.tensor)(shape, dtype, 0.5, 2.0).mul_(signs)

    return [away(shape) for shape in shapes], [[away(shape) for shape in shapes] for _ in range(steps)]


def sgd_options(rng, **fixed):
    return {
        "lr": rng.uniform(0.05, 0.2),
        "momentum": rng.uniform(0.5, 0.8),
        "weight_decay": rng.uniform(0.2, 0.5),
        **fixed,
    }


def adam_options(rng, **fixed):
    return {
        "lr": rng.uniform(0.1, 0.3),
        "betas": (rng.uniform(0.5, 0.65), rng.uniform(0.7, 0.85)),
        "eps": rng.uniform(0.2, 0.5),
        "weight_decay": rng.uniform(0.3, 0.6),
        **fixed,
    }


def written(options):
    """Options as a learner would write them in a call."""
    return ", ".join(f"{name}={short(value, 40)}" for name, value in options.items())


def parts(options):
    """lr, which goes in by position, and the rest, by name."""
    return options["lr"], {name: value for name, value in options.items() if name != "lr"}


def options_of(name, rng):
    return sgd_options(rng) if name == "SGD" else adam_options(rng)


def check_groups(observe, rng, name):
    starts, grads = drawn(rng, 3, ((2, 3), (), (4,), (3,), (2,)))
    base, first = options_of(name, rng), options_of(name, rng)
    second, third = {"lr": base["lr"] * 3}, {"weight_decay": base["weight_decay"] * 2}
    # 0.0 is an option like any other, though Python takes it for False.
    fourth = {option: 0.0 for option in base if option not in ("lr", "betas")}
    lr, rest = parts(base)

    def probe(m):
        groups = []

        def make(params):
            dicts = [
                {"params": (p for p in params[:2]), **first},
                {"params": [params[2]], **second},
                {"params": iter(params[3:4]), **third},
                {"params": params[4:], **fourth},
            ]
            optimizer = getattr(m, name)((group for group in dicts), lr, **rest)
            groups.extend({k: v for k, v in group.items() if k in base} for group in optimizer.param_groups)
            return optimizer

        return {**walk(make, starts, grads), "groups": groups}

    seen = observe(probe)
    by_group = [first, {**base, **second}, {**base, **third}, {**base, **fourth}]
    count = len(seen.groups)
    assert count == 4, f"`{name}` was given four groups, but its `param_groups` has {count}."
    for number, (group, wanted) in enumerate(zip(seen.groups, by_group, strict=True)):
        assert_equal(group, wanted, f"the options in `param_groups[{number}]` of `{name}`")
    options = [[by_group[number]] * 3 for number in (0, 0, 1, 2, 3)]
    note = "Parameters 0 and 1 are in the first group, 2, 3 and 4 in one each; their options differ."
    check_path(seen.path, paths(name, starts, grads, options), f"`{name}` with four groups", note)
    assert seen.same, "the tensors in `param_groups` should be those that were given, in the same order."


def check_options_at_every_step(observe, rng, name):
    starts, grads = drawn(rng, 4, ((3,), (2,)))
    base = options_of(name, rng)
    lr, rest = parts(base)
    factors = [(1.0, 1.0), (0.25, 0.0), (0.25, 3.0), (2.0, 0.5)]
    others = [{}, *(options_of(name, rng) for _ in range(3))]

    def at(number, place):
        """The options of group `place` in a step: lr goes by its own factor, decay by that of the other group.

        Of the first group only these two change, of the second all.
        """
        decay = rest["weight_decay"] * factors[number][1 - place]
        now = {**base, **(others[number] if place else {})}
        return {**now, "lr": lr * factors[number][place], "weight_decay": decay}

    def before(groups, number):
        for place in (0, 1):
            groups[place].update(at(number, place))

    def probe(m):
        def make(params):
            return getattr(m, name)([{"params": [p]} for p in params], lr, **rest)

        return walk(make, starts, grads, before)

    options = [[at(number, place) for number in range(4)] for place in (0, 1)]
    note = (
        'Between the steps, "lr" and "weight_decay" were changed in `param_groups`, to 0 as well, '
        "and in the second group the other options too."
    )
    check_path(observe(probe).path, paths(name, starts, grads, options), f"`{name}`", note)


def check_no_gradient(observe, rng, name):
    starts, grads = drawn(rng, 5, ((3,), (2, 2), (2,), (3, 2)))
    # The first always has one, zero once; the second gets one late, the third pauses, the fourth is frozen for 4 steps.
    grads[3][0] = torch.zeros(3, dtype=DOUBLE)
    for number, index in ((0, 1), (1, 1), (1, 2), (2, 2)):
        grads[number][index] = None
    for row in grads[:4]:
        row[3] = None
    options = options_of(name, rng)
    lr, rest = parts(options)

    def probe(m):
        held, flags = [], []

        def make(params):
            params[3].requires_grad_(False)
            held.extend(params)
            return getattr(m, name)(params, lr, **rest)

        def before(_groups, number):
            if number in (0, 4):
                flags.append([p.requires_grad for p in held])
            if number == 4:
                held[3].requires_grad_(True)

        seen = walk(make, starts, grads, before)
        stale = torch.nn.Parameter(torch.ones(2), requires_grad=False)  # frozen only now, so it has a gradient
        stale.grad = torch.ones(2)
        getattr(m, name)([stale], lr, **rest).step()
        return {**seen, "flags": flags, "stale": stale.requires_grad}

    seen = observe(probe)
    what = f"`{name}`: the `requires_grad` of a frozen parameter that has a gradient from before, after a step"
    assert_equal(seen.stale, False, what)
    for flags, when in zip(seen.flags, ("once the optimiser is made", "after four steps"), strict=True):
        what = f"`{name}`: the `requires_grad` of the parameters, of which the last is frozen, {when}"
        assert_equal(flags, [True, True, True, False], what)
    note = (
        "Parameter 1 has no gradient in steps 1 and 2, parameter 2 none in steps 2 and 3, parameter 3 is frozen until "
        "step 5; that of parameter 0 is all zeros in step 4, and zero is not None."
    )
    check_path(seen.path, paths(name, starts, grads, [[options] * 5] * 4), f"`{name}`", note)


def check_what_is_written(observe, rng, name):
    for decay in (options_of(name, rng)["weight_decay"], 0.0):
        starts, grads = drawn(rng, 3, strided=True)
        options = {**options_of(name, rng), "weight_decay": decay}
        lr, rest = parts(options)

        def probe(m):
            return walk(lambda params: getattr(m, name)(params, lr, **rest), starts, grads, reuse=True)

        seen = observe(probe)
        what = f"`{name}` with weight_decay={decay:.3g}"
        for number, (row, wanted) in enumerate(zip(seen.left, grads, strict=True), 1):
            for index, (grad, value) in enumerate(zip(row, wanted, strict=True)):
                whose = f"{what}: the `.grad` of parameter {index} after step {number}"
                assert_tensor(grad, value, whose, rtol=0, atol=0, note="`step` should only read it.")
        note = "New gradients are written into the tensors that lie in `.grad`, and parameters may have any strides."
        expected = paths(name, starts, grads, [[options] * 3] * 3)
        check_path(seen.path, expected, what, note)
        for index, (memory, value) in enumerate(zip(seen.starts, expected[-1], strict=True)):
            whose = f"{what}: the memory in which parameter {index} lay at the beginning"
            assert_tensor(memory, value, whose, note="A parameter is changed in place, not replaced.")
        assert_equal(seen.leaves, [True] * 3, f"{what}: whether each is still a leaf that requires a gradient")
        assert seen.same, f"{what}: `param_groups` no longer holds the tensors that were given."


def check_training_loop(observe, rng, name):
    w, b = rng.tensor((3,), DOUBLE, 0.5, 2.0), rng.tensor((), DOUBLE, 0.5, 2.0)
    xs = [rng.tensor((3,), DOUBLE, 0.5, 2.0) for _ in range(3)]
    options = options_of(name, rng)
    lr, rest = parts(options)

    def probe(m):
        params = [torch.nn.Parameter(w.clone()), torch.nn.Parameter(b.clone())]
        optimizer = getattr(m, name)([{"params": params[:1]}, {"params": params[1:]}], lr, **rest)
        path, cleared = [], []
        for x in xs:
            optimizer.zero_grad()
            cleared.append([p.grad is None for p in params])
            # w is used twice, as a shared weight is.
            ((params[0] * x).sum() + (params[0] ** 2).sum() + params[1] * x[0]).backward()
            optimizer.step()
            path.append([p.detach().clone() for p in params])
        optimizer.zero_grad()
        optimizer.step()
        path.append([p.detach().clone() for p in params])
        return {"path": path, "cleared": cleared}

    seen = observe(probe)
    at, grads = w, []
    for x in xs:
        grads.append([x + 2 * at, x[0]])
        at = paths(name, [w, b], grads, [[options] * len(grads)] * 2)[-1][0]
    grads.append([None, None])
    assert_equal(seen.cleared, [[True, True]] * 3, f"`{name}`: whether each `.grad` is None after `zero_grad`")
    note = "The loop is zero_grad, backward, step; after the third there is one more zero_grad and step."
    check_path(seen.path, paths(name, [w, b], grads, [[options] * 4] * 2), f"`{name}`", note)


def check_generator(observe, rng, name):
    starts, grads = drawn(rng, 2)
    options = options_of(name, rng)
    lr, rest = parts(options)

    def probe(m):
        make = getattr(m, name)
        return {
            **walk(lambda params: make((p for p in params), lr, **rest), starts, grads),
            "errors": [error_of(lambda: make([], lr)), error_of(lambda: make(iter(()), lr, **rest))],
        }

    seen = observe(probe)
    expected = paths(name, starts, grads, [[options] * 2] * 3)
    check_path(seen.path, expected, f"`{name}` of a generator of parameters")
    assert seen.same, f"`param_groups` of `{name}` should list the tensors of the generator."
    assert_error(seen.errors[0], ValueError, "as there is nothing to optimise", f"`{name}([], ...)`")
    assert_error(seen.errors[1], ValueError, "as it is empty", f"`{name}` of a used-up generator")


def check_new_optimiser(observe, rng, name):
    starts, grads = drawn(rng, 4, ((3,), (2,)))
    options = options_of(name, rng)
    lr, rest = parts(options)

    def probe(m):
        make = getattr(m, name)
        params = [torch.nn.Parameter(start.clone()) for start in starts]
        old, other = make(params[:1], lr, **rest), make(params[1:], lr, **rest)
        path = []
        for number, row in enumerate(grads):
            for p, grad in zip(params, row, strict=True):
                p.grad = grad.clone()
            if number == 2:
                old = make(params[:1], lr, **rest)
            old.step()
            other.step()
            path.append([p.detach().clone() for p in params])
        return path

    expected = paths(name, starts, grads, [[options] * 4] * 2)
    again = paths(name, [expected[1][0]], [row[:1] for row in grads[2:]], [[options] * 2])
    firsts = [row[0] for row in expected[:2]] + [row[0] for row in again]
    wanted = [[first, row[1]] for first, row in zip(firsts, expected, strict=True)]
    note = (
        "After step 2, with the next gradient in its `.grad` already, parameter 0 got a new optimiser; "
        "parameter 1 kept its own all the time."
    )
    check_path(observe(probe), wanted, f"`{name}`", note)


@exercise("SGD")
class TestSGD:
    def test_goes_down_the_gradient(self, observe, rng):
        plain = {"momentum": 0.0, "weight_decay": 0.0}
        lr = rng.uniform(0.1, 0.4)
        starts, grads = drawn(rng, 3)
        small, small_grads = drawn(rng, 3, dtype=torch.float32)
        again = [start.clone() for start in starts], [[grad.clone() for grad in row] for row in grads]
        seen = observe(
            lambda m: [
                walk(lambda params: m.SGD(params, lr), starts, grads)["path"],
                walk(lambda params: m.SGD(params), *again)["path"],
                walk(lambda params: m.SGD(params, lr), small, small_grads)["path"],
            ]
        )
        options = [[{"lr": lr, **plain}] * 3] * 3
        check_path(seen[0], paths("SGD", starts, grads, options), f"`SGD(params, {lr:.3f})`")
        defaults = paths("SGD", starts, grads, [[{"lr": 1e-3, **plain}] * 3] * 3)
        check_path(seen[1], defaults, "`SGD(params)`", "The default of lr is 1e-3.")
        expected = paths("SGD", small, small_grads, options)
        check_path(seen[2], expected, "`SGD` in float32", rtol=1e-5, atol=1e-5)

    @pytest.mark.weight(2)
    def test_momentum_sums_up_the_gradients(self, observe, rng):
        starts, grads = drawn(rng, 4)
        options = sgd_options(rng, weight_decay=0.0)
        lr, rest = parts(options)
        seen = observe(lambda m: walk(lambda params: m.SGD(params, lr, **rest), starts, grads))
        note = "The buffer begins as the first gradient; from then on it is momentum * buffer + gradient."
        check_path(seen.path, paths("SGD", starts, grads, [[options] * 4] * 3), f"`SGD` with {written(options)}", note)

    def test_weight_decay_goes_through_the_buffer(self, observe, rng):
        starts, grads = drawn(rng, 4)
        for options in (sgd_options(rng), sgd_options(rng, momentum=0.0)):
            lr, rest = parts(options)

            def make(m, params):
                return m.SGD(params, lr, **rest)

            seen = observe(lambda m: walk(lambda params: make(m, params), starts, grads))
            expected = paths("SGD", starts, grads, [[options] * 4] * 3)
            note = "Decay is added to the gradient before the gradient enters the buffer."
            check_path(seen.path, expected, f"`SGD` with {written(options)}", note)

    def test_each_group_has_its_own_options(self, observe, rng):
        check_groups(observe, rng, "SGD")

    def test_options_are_read_at_every_step(self, observe, rng):
        check_options_at_every_step(observe, rng, "SGD")

    def test_no_gradient_means_no_step(self, observe, rng):
        check_no_gradient(observe, rng, "SGD")

    def test_writes_into_parameters_and_not_into_gradients(self, observe, rng):
        check_what_is_written(observe, rng, "SGD")

    def test_works_in_a_training_loop(self, observe, rng):
        check_training_loop(observe, rng, "SGD")

    def test_takes_a_generator_and_refuses_an_empty_one(self, observe, rng):
        check_generator(observe, rng, "SGD")

    def test_a_new_optimiser_starts_afresh(self, observe, rng):
        check_new_optimiser(observe, rng, "SGD")


@exercise("Adam")
class TestAdam:
    @pytest.mark.weight(2)
    def test_follows_the_formula(self, observe, rng):
        starts, grads = drawn(rng, 4)
        options = adam_options(rng, weight_decay=0.0)
        lr, rest = parts(options)
        for name in BOTH:

            def make(m, params):
                return getattr(m, name)(params, lr, **rest)

            seen = observe(lambda m: walk(lambda params: make(m, params), starts, grads))
            note = "Both averages are corrected by 1 - beta**t, t from 1; the root comes first and eps after it."
            expected = paths(name, starts, grads, [[options] * 4] * 3)
            check_path(seen.path, expected, f"`{name}` with {written(options)}", note)

    def test_the_first_step_has_the_size_of_lr(self, observe, rng):
        (start,), _ = drawn(rng, 1, ((4,),))
        signs = torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=DOUBLE)
        grad = signs * torch.tensor([1e-3, 1e3, 1.0, 1e-5], dtype=DOUBLE) * rng.uniform(1, 3)
        lr = rng.uniform(0.1, 0.3)

        def probe(m):
            options = {"eps": 1e-12, "weight_decay": 0.0}
            return [walk(lambda p: getattr(m, name)(p, lr, **options), [start.clone()], [[grad]]) for name in BOTH]

        for name, seen in zip(BOTH, observe(probe), strict=True):
            note = "In the first step m is the gradient and sqrt(s) its absolute value, whatever the betas are."
            what = f"`{name}` with lr={lr:.3f}"
            check_path(seen["path"], [[start - lr * signs]], what, note, rtol=1e-5, atol=1e-5)

    def test_adam_adds_decay_to_the_gradient(self, observe, rng):
        starts, grads = drawn(rng, 3)
        options = adam_options(rng)
        lr, rest = parts(options)
        seen = observe(lambda m: walk(lambda params: m.Adam(params, lr, **rest), starts, grads))
        note = "In Adam, g = p.grad + weight_decay * p goes into both averages."
        expected = paths("Adam", starts, grads, [[options] * 3] * 3)
        check_path(seen.path, expected, f"`Adam` with {written(options)}", note)

    @pytest.mark.weight(2)
    def test_adamw_shrinks_the_parameters_themselves(self, observe, rng):
        starts, grads = drawn(rng, 3)
        options = adam_options(rng)
        lr, rest = parts(options)
        seen = observe(lambda m: walk(lambda params: m.AdamW(params, lr, **rest), starts, grads))
        note = "In AdamW the parameter is multiplied by 1 - lr * weight_decay, and the gradient is left alone."
        expected = paths("AdamW", starts, grads, [[options] * 3] * 3)
        check_path(seen.path, expected, f"`AdamW` with {written(options)}", note)

    def test_has_the_defaults_of_torch(self, observe, rng):
        starts, grads = drawn(rng, 3, ((3,), (2,)))
        starts[1] = starts[1] * 100
        # Next to gradients as small as this, eps counts.
        grads = [[row[0] * 1e-8, row[1]] for row in grads]
        small, small_grads = drawn(rng, 3, dtype=torch.float32)
        for name in BOTH:
            decay = 0.01 if name == "AdamW" else 0.0
            options = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": decay}

            def probe(m):
                make = getattr(m, name)
                return [walk(make, starts, grads)["path"], walk(make, small, small_grads)["path"]]

            seen = observe(probe)
            what = f"`{name}(params)`"
            note = f"The defaults are {written(options)}."
            check_path(seen[0], paths(name, starts, grads, [[options] * 3] * 2), what, note, rtol=1e-9, atol=1e-9)
            expected = paths(name, small, small_grads, [[options] * 3] * 3)
            check_path(seen[1], expected, f"{what} in float32", note, rtol=1e-5, atol=1e-5)

    def test_each_group_has_its_own_options(self, observe, rng):
        for name in BOTH:
            check_groups(observe, rng, name)

    def test_options_are_read_at_every_step(self, observe, rng):
        for name in BOTH:
            check_options_at_every_step(observe, rng, name)

    def test_no_gradient_means_no_step(self, observe, rng):
        for name in BOTH:
            check_no_gradient(observe, rng, name)

    def test_writes_into_parameters_and_not_into_gradients(self, observe, rng):
        for name in BOTH:
            check_what_is_written(observe, rng, name)

    def test_works_in_a_training_loop(self, observe, rng):
        for name in BOTH:
            check_training_loop(observe, rng, name)

    def test_takes_a_generator_and_refuses_an_empty_one(self, observe, rng):
        for name in BOTH:
            check_generator(observe, rng, name)

    def test_a_new_optimiser_starts_afresh(self, observe, rng):
        for name in BOTH:
            check_new_optimiser(observe, rng, name)


def with_gradients(starts, grads):
    """In a probe: leaves with these gradients (or None)."""
    leaves = [torch.nn.Parameter(start) for start in starts]
    for leaf, grad in zip(leaves, grads, strict=True):
        leaf.grad = grad
    return leaves


def clipped(m, starts, grads, max_norm, **options):
    """In a probe: what clipping these gradients returns, and the gradients afterwards."""
    leaves = with_gradients(starts, grads)
    total = m.clip_grad_norm_(leaves, max_norm, **options)
    return {"total": total, "grads": [leaf.grad for leaf in leaves]}


def norm_of(grads):
    """The norm of all elements of all gradients, by Python floats."""
    return math.sqrt(sum(number * number for grad in grads if grad is not None for number in grad.flatten().tolist()))


def total_as(grads, dtype=DOUBLE):
    return torch.tensor(norm_of(grads), dtype=dtype)


@exercise("clip_grad_norm_")
class TestClipGradNorm:
    def drawn(self, rng, dtype=DOUBLE):
        starts, (grads,) = drawn(rng, 1, ((), (2, 3), (4,), (0,)), dtype, strided=True)
        return starts, grads

    @pytest.mark.weight(2)
    def test_scales_long_gradients_to_max_norm(self, observe, rng):
        for dtype in (DOUBLE, torch.float32):
            starts, grads = self.drawn(rng, dtype)
            total = norm_of(grads)
            max_norm = total * rng.uniform(0.2, 0.7)
            seen = observe(lambda m: clipped(m, starts, grads, max_norm))
            what = f"the total norm, for {str(dtype).removeprefix('torch.')} gradients,"
            assert_tensor(seen.total, total_as(grads, dtype), what, note="It is the norm before clipping.")
            for index, (got, grad) in enumerate(zip(seen.grads, grads, strict=True)):
                expected = (grad.double() * (max_norm / (total + 1e-6))).to(dtype)
                what = f"gradient {index}, with max_norm={max_norm:.3f} and a total of {total:.3f},"
                assert_tensor(got, expected, what, note="All are scaled by the same factor.")

    def test_one_norm_for_all_gradients_together(self, observe, rng):
        count = rng.integer(5, 8)
        starts = [rng.tensor((n,), DOUBLE) for n in range(1, count + 1)]
        # Each alone has norm 1, and stays below max_norm.
        grads = [torch.full((n,), n**-0.5, dtype=DOUBLE) for n in range(1, count + 1)]
        max_norm = rng.uniform(1.2, 1.8)
        seen = observe(lambda m: clipped(m, starts, grads, max_norm))
        assert_tensor(seen.total, torch.tensor(count**0.5, dtype=DOUBLE), f"the total of {count} gradients of norm 1")
        for got, grad in zip(seen.grads, grads, strict=True):
            expected = grad * (max_norm / (count**0.5 + 1e-6))
            assert_tensor(got, expected, f"a gradient of norm 1, one of {count}, with max_norm={max_norm:.3f},")

    def test_short_gradients_stay_as_they_are(self, observe, rng):
        starts, grads = self.drawn(rng)
        total = norm_of(grads)
        bounds = [total * 1.01, total * rng.uniform(2, 50), math.inf]

        def probe(m):
            leaves = with_gradients(starts, grads)
            return [[m.clip_grad_norm_(leaves, bound), *map(torch.clone, grads)] for bound in bounds]

        for bound, (got, *after) in zip(bounds, observe(probe), strict=True):
            assert_tensor(got, total_as(grads), f"the total norm, with max_norm={bound:.3f},")
            for grad, wanted in zip(after, grads, strict=True):
                what = f"a gradient, with max_norm={bound:.3f} and a total of {total:.3f},"
                assert_tensor(grad, wanted, what, rtol=0, atol=0, note="It is short enough, so it is not scaled.")

    def test_at_the_limit_and_at_zero(self, observe, rng):
        starts, grads = self.drawn(rng)
        total = norm_of(grads)

        def probe(m):
            copies = [grad.clone() for grad in grads]
            return [clipped(m, starts, copies, total), clipped(m, starts, grads, 0.0)]

        limit, zero = observe(probe)
        for seen, bound in ((limit, "the total"), (zero, "0")):
            what = f"the total norm, with a max_norm of {bound},"
            assert_tensor(seen["total"], total_as(grads), what, rtol=1e-5, atol=1e-5)
        for got, zeros, grad in zip(limit["grads"], zero["grads"], grads, strict=True):
            assert_tensor(got, grad, "a gradient, with a max_norm of exactly the total,", rtol=1e-5, atol=1e-5)
            assert_tensor(zeros, torch.zeros_like(grad), "a gradient, with a max_norm of 0,", rtol=0, atol=0)

    def test_tiny_gradients(self, observe, rng):
        starts, grads = self.drawn(rng)
        scale = 4e-6 / norm_of(grads)
        grads = [grad * scale for grad in grads]
        seen = observe(lambda m: clipped(m, starts, grads, 2e-6))
        assert_tensor(seen.total, total_as(grads), "a total norm of 4e-6", rtol=1e-6, atol=0.0)
        for got, grad in zip(seen.grads, grads, strict=True):
            note = "The factor is max_norm / (total + 1e-6), here 2e-6 / 5e-6."
            assert_tensor(got, grad * 0.4, "a gradient, with max_norm=2e-6,", rtol=1e-6, atol=0.0, note=note)

    def test_passes_over_parameters_without_a_gradient(self, observe, rng):
        starts, grads = self.drawn(rng)
        grads[1] = None
        total = norm_of(grads)
        max_norm = total / 2

        def probe(m):
            bare = with_gradients([start.clone() for start in starts], [None] * 4)
            return {
                **clipped(m, starts, grads, max_norm),
                "nothing": [m.clip_grad_norm_(bare, max_norm), m.clip_grad_norm_([], max_norm)],
                "bare": [leaf.grad for leaf in bare],
            }

        seen = observe(probe)
        assert_tensor(seen.total, total_as(grads), "the total norm, where one parameter has no gradient,")
        assert seen.grads[1] is None, "the parameter without a gradient has one afterwards."
        for index in (0, 2, 3):
            expected = grads[index] * (max_norm / (total + 1e-6))
            assert_tensor(seen.grads[index], expected, f"gradient {index}, where parameter 1 has none,")
        for got, what in zip(seen.nothing, ("where no parameter has a gradient", "of no parameters"), strict=True):
            assert_tensor(got, torch.tensor(0.0), f"the total {what}")
        assert_equal(seen.bare, [None] * 4, "the gradients, where there were none,")

    def test_takes_a_generator_and_a_single_tensor(self, observe, rng):
        starts, grads = self.drawn(rng)
        alone = rng.strided((3, 2), DOUBLE, 1.0, 2.0)
        total, single = norm_of(grads), norm_of([alone])
        max_norm = min(total, single) / 3

        def probe(m):
            leaves = with_gradients(starts, grads)
            totals = [m.clip_grad_norm_((leaf for leaf in leaves), max_norm)]
            (single,) = with_gradients([torch.zeros(3, 2, dtype=DOUBLE)], [alone])
            totals.append(m.clip_grad_norm_(single, max_norm))
            return {"totals": totals, "grads": [leaf.grad for leaf in leaves], "alone": single.grad}

        seen = observe(probe)
        assert_tensor(seen.totals[0], total_as(grads), "the total norm, for a generator of parameters,")
        for got, grad in zip(seen.grads, grads, strict=True):
            note = "A generator can be gone through only once."
            assert_tensor(got, grad * (max_norm / (total + 1e-6)), "a gradient, for a generator,", note=note)
        assert_tensor(seen.totals[1], total_as([alone]), "the total norm, for a single tensor,")
        assert_tensor(seen.alone, alone * (max_norm / (single + 1e-6)), "the gradient, for a single tensor,")

    def test_changes_gradients_in_place_and_nothing_else(self, observe, rng):
        starts, grads = self.drawn(rng)
        total = norm_of(grads)

        def probe(m):
            leaves = with_gradients(starts, grads)
            held = [leaf.grad for leaf in leaves]
            m.clip_grad_norm_(leaves, total / 4)
            same = [leaf.grad is grad for leaf, grad in zip(leaves, held, strict=True)]
            return {"held": held, "grads": [leaf.grad for leaf in leaves], "same": same, "starts": starts}

        seen = observe(probe)
        for before, after, grad in zip(seen.held, seen.grads, grads, strict=True):
            expected = grad * (total / 4 / (total + 1e-6))
            assert_tensor(before, expected, "a tensor that lay in `.grad` before the call")
            assert_tensor(after, expected, "`.grad` after the call")
        assert_equal(seen.same, [True] * 4, "whether each `.grad` is still the same tensor")
        for got, start in zip(seen.starts, starts, strict=True):
            assert_tensor(got, start, "a parameter afterwards", rtol=0, atol=0)

    def test_gradients_that_are_not_finite(self, observe, rng):
        starts, grads = self.drawn(rng)
        total = norm_of(grads)
        max_norm = total / 2
        bad = []
        for value in (math.inf, -math.inf, math.nan):
            spoilt = [grad.clone() for grad in grads]
            spoilt[1][1, 2] = value
            bad.append(spoilt)

        def probe(m):
            errors, totals = [], []
            for spoilt in bad:
                copies = [grad.clone() for grad in spoilt]
                leaves = with_gradients(starts, spoilt)
                errors.append(error_of(lambda: m.clip_grad_norm_(leaves, max_norm, error_if_nonfinite=True)))
                totals.append(m.clip_grad_norm_(with_gradients(starts, copies), max_norm))
            finite = clipped(m, starts, grads, max_norm, error_if_nonfinite=True)
            return {"errors": errors, "totals": totals, "after": bad, "good": finite["grads"]}

        seen = observe(probe)
        for error, got, after, spoilt in zip(seen.errors, seen.totals, seen.after, bad, strict=True):
            value = spoilt[1][1, 2].item()
            call = "`clip_grad_norm_(..., error_if_nonfinite=True)`"
            assert_error(error, RuntimeError, f"for a gradient with {value} in it", call)
            wanted = torch.tensor(abs(value), dtype=DOUBLE)
            assert_tensor(got, wanted, f"the total norm without `error_if_nonfinite`, with {value} in a gradient,")
            for grad, before in zip(after, spoilt, strict=True):
                assert_tensor(grad, before, "a gradient after the error", rtol=0, atol=0, note="Check before scaling.")
        for got, grad in zip(seen.good, grads, strict=True):
            assert_tensor(got, grad * (max_norm / (total + 1e-6)), "a gradient, with error_if_nonfinite=True,")


class Counter(torch.optim.Optimizer):
    """In a probe: an optimiser of torch's kind that notes the rates with which its steps were made."""

    def __init__(self, rates):
        # Not the constructor of Optimizer, which imports a thousand modules.
        self.param_groups = [{"params": [], "lr": rate, "momentum": 0.3, "name": f"group {i}"} for i, rate in rates]
        self.used = []

    def step(self):
        self.used.append(self.rates())

    def rates(self):
        return [group["lr"] for group in self.param_groups]

    def others(self):
        return [[group["params"], group["momentum"], group["name"]] for group in self.param_groups]


def counter(rates):
    return Counter(list(enumerate(rates)))


def rate_at(step, warmup, total, lr_max, lr_min):
    """The schedule, as a table says it: by the half-angle form of the cosine's fall."""
    if step >= total and step >= warmup:
        return lr_min
    if step < warmup:
        return (step + 1) * lr_max / warmup
    down = math.sin(0.5 * math.pi * (step - warmup) / (total - warmup)) ** 2
    return lr_max - (lr_max - lr_min) * down


def check_rate(got, expected, what, note=""):
    tail = f" {note}" if note else ""
    assert type(got) is float, f"{what} should be a float, but is {short(got)}, of type {type(got).__name__}.{tail}"
    close = math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12)
    assert close, f"{what} should be {expected:.6g}, but is {got:.6g}.{tail}"


@exercise("warmup_cosine")
class TestWarmupCosine:
    def drawn(self, rng):
        warmup = rng.integer(4, 7)
        total = warmup + rng.integer(6, 11)
        return warmup, total, rng.uniform(0.5, 2.0), rng.uniform(0.05, 0.2)

    def check(self, observe, cases, note=""):
        """Cases are the arguments of one call each."""
        seen = observe(lambda m: [m.warmup_cosine(*case) for case in cases])
        for case, got in zip(cases, seen, strict=True):
            step, warmup, total, lr_max, lr_min = (*case, 0.0)[:5]
            shown = f"`warmup_cosine({step}, {warmup}, {total}, {', '.join(f'{rate:.3g}' for rate in case[3:])})`"
            check_rate(got, rate_at(step, warmup, total, lr_max, lr_min), shown, note)

    def test_climbs_along_a_line(self, observe, rng):
        warmup, total, lr_max, lr_min = self.drawn(rng)
        cases = [(step, warmup, total, lr_max, lr_min) for step in range(warmup)]
        cases += [(step, 3, 8, lr_max) for step in range(3)] + [(0, warmup, total, lr_max, 0.6 * lr_max)]
        self.check(observe, cases, "In the warm-up, the rate is lr_max * (step + 1) / warmup.")

    def test_falls_along_half_a_cosine(self, observe, rng):
        warmup, total, lr_max, lr_min = self.drawn(rng)
        cases = [(step, warmup, total, lr_max, lr_min) for step in range(warmup, total)]
        cases += [(step, warmup, total, lr_max) for step in range(warmup, total)]
        note = f"The fall takes {total - warmup} steps, from lr_max at step {warmup} towards lr_min."
        self.check(observe, cases, note)

    def test_stays_at_the_lowest_rate_after_the_end(self, observe, rng):
        warmup, total, lr_max, lr_min = self.drawn(rng)
        steps = [total - 1, total, total + 1, total + rng.integer(3, 9), 2 * total - warmup, 10 * total]
        cases = [(step, warmup, total, lr_max, lr_min) for step in steps] + [(total + 2, warmup, total, lr_max)]
        self.check(observe, cases, "From the step `total` on, the rate is lr_min.")

    def test_without_a_warm_up_and_without_a_fall(self, observe, rng):
        _, _, lr_max, lr_min = self.drawn(rng)
        lengths = [(0, 5), (4, 4), (1, 1), (1, 2), (3, 4), (0, 1), (0, 0)]
        cases = [(step, warmup, total, lr_max, lr_min) for warmup, total in lengths for step in range(0, total + 3)]
        self.check(observe, cases)

    @pytest.mark.weight(2)
    def test_every_group_keeps_its_own_peak(self, observe, rng):
        warmup, total, lr_max, lr_min = self.drawn(rng)
        peaks = [lr_max, lr_max * 2.5, lr_max * 0.4]

        def probe(m):
            optimizer = counter(peaks)
            scheduler = m.WarmupCosine(optimizer, warmup, total, lr_min)
            for _ in range(total + 3):
                optimizer.step()
                scheduler.step()
            return optimizer.used

        for step, rates in enumerate(observe(probe)):
            for index, (rate, peak) in enumerate(zip(rates, peaks, strict=True)):
                what = f"the rate of group {index}, which had {peak:.3g}, in step {step}"
                note = f"`WarmupCosine(optimizer, {warmup}, {total}, {lr_min:.3g})` was made at the beginning."
                check_rate(rate, rate_at(step, warmup, total, peak, lr_min), what, note)

    def test_the_first_step_has_the_first_rate(self, observe, rng):
        warmup, total, lr_max, _ = self.drawn(rng)

        def probe(m):
            optimizer = counter([lr_max])
            scheduler = m.WarmupCosine(optimizer, warmup, total)
            made = [*optimizer.rates(), len(optimizer.used)]
            optimizer.step()
            scheduler.step()
            once = [*optimizer.rates(), len(optimizer.used)]
            optimizer.step()
            scheduler.step()
            return [made, once, [*optimizer.rates(), len(optimizer.used)]]

        whens = ("when the scheduler was made", "after one `scheduler.step()`", "after two `scheduler.step()`")
        for step, (when, (rate, calls)) in enumerate(zip(whens, observe(probe), strict=True)):
            note = "The constructor sets the rate for step 0, each `step` that for the next one."
            check_rate(rate, rate_at(step, warmup, total, lr_max, 0.0), f"the rate {when}", note)
            assert calls == step, (
                f"the optimiser has made {calls} steps {when}, not {step}: the scheduler should not call its `step`."
            )

    def test_edges_of_the_schedule_in_the_scheduler(self, observe, rng):
        _, _, lr_max, lr_min = self.drawn(rng)
        # At a lowest rate of 0, nothing can be had from the rate before.
        cases = [(*length, low) for length in [(0, 3), (2, 2), (1, 2), (0, 0)] for low in (lr_min, 0.0)]

        def probe(m):
            runs = []
            for warmup, total, low in cases:
                optimizer = counter([lr_max, lr_max * 2])
                scheduler = m.WarmupCosine(optimizer, warmup, total, low)
                for _ in range(5):
                    optimizer.step()
                    scheduler.step()
                runs.append(optimizer.used)
            return runs

        for (warmup, total, low), run in zip(cases, observe(probe), strict=True):
            for step, rates in enumerate(run):
                for rate, peak in zip(rates, (lr_max, lr_max * 2), strict=True):
                    what = f"the rate in step {step}, with warmup={warmup}, total={total} and lr_min={low:.3g},"
                    check_rate(rate, rate_at(step, warmup, total, peak, low), what)

    def test_schedulers_leave_everything_else_alone(self, observe, rng):
        warmup, total, lr_max, lr_min = self.drawn(rng)

        def probe(m):
            first, second = counter([lr_max, lr_max]), counter([lr_max * 3])
            one = m.WarmupCosine(first, warmup, total, lr_min)
            first.step()
            one.step()
            two = m.WarmupCosine(second, warmup + 1, total, lr_min)
            for _ in range(2):
                first.step()
                one.step()
            second.step()
            two.step()
            return {"rates": [*first.rates(), *second.rates()], "others": [*first.others(), *second.others()]}

        seen = observe(probe)
        expected = [rate_at(3, warmup, total, lr_max, lr_min)] * 2
        expected.append(rate_at(1, warmup + 1, total, lr_max * 3, lr_min))
        names = ("the first group of one optimiser", "its second group", "the group of another optimiser")
        for got, wanted, name in zip(seen.rates, expected, names, strict=True):
            note = "Three steps were made with one optimiser, one step with the other; each has its own scheduler."
            check_rate(got, wanted, f"the rate in {name}", note)
        others = [[[], 0.3, name] for name in ("group 0", "group 1", "group 0")]
        assert_equal(seen.others, others, "what the groups hold besides the rate")
