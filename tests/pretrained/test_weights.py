"""Hidden suite of pretrained/weights."""

from __future__ import annotations

import collections
import contextlib
import io
import os
import pickle
import sys
from pathlib import Path
from unittest import mock

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


def drawn_state(network, rng):
    """Fresh numbers for every parameter and buffer of a network, as a trained one would have them."""
    state = {}
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(rng.integer(3, 99))
        else:
            state[name] = rng.tensor(tensor.shape, low=0.5 if name.endswith("running_var") else -2.0)
    return state


def file_of(content, location=None):
    """The bytes of a file that `torch.save` writes, on a device with the name `location` if there is one."""
    file = io.BytesIO()
    # All that differs in a file from a GPU is where it says its storages were.
    tag = mock.patch.object(torch.serialization, "location_tag", return_value=location)
    with tag if location else contextlib.nullcontext():
        torch.save(content, file)
    return file.getvalue()


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


def assert_state(got, expected, what, names=None):
    """Both dicts of tensors agree exactly, at `names` (all of them if left out)."""
    for name in expected if names is None else names:
        assert_tensor(got.get(name), expected[name], f"`{name}` {what}", rtol=0, atol=0)


def small_network(inputs, hidden, classes):
    """Names that invite accidents: one ends in `module.`, one begins with letters of it."""
    layers = {
        "down": nn.Linear(inputs, hidden),
        "norm": nn.BatchNorm1d(hidden),
        "submodule": nn.Sequential(collections.OrderedDict(module=nn.Linear(hidden, hidden))),
        "act": nn.ReLU(),
        "head": nn.Linear(hidden, classes),
    }
    return nn.Sequential(collections.OrderedDict(layers))


def small(rng):
    """Sizes of a small network, and drawn numbers for it."""
    sizes = rng.sizes(3, 3, 8)
    return sizes, drawn_state(small_network(*sizes), rng)


ALL_MATCHED = ([], [])
REPORT = "what `load_weights` returns for"


@exercise("load_weights")
class TestLoadWeights:
    @pytest.mark.weight(2)
    def test_the_network_computes_what_the_trained_one_did(self, observe, rng):
        sizes, state = small(rng)
        x = rng.tensor((9, sizes[0]))
        trained = small_network(*sizes)
        trained.load_state_dict(state)
        expected = trained.eval()(x).detach()
        content = file_of(state)

        def probe(m):
            seen = []
            for kind in (str, Path):
                network = small_network(*sizes)
                with folder_of({"trained.pt": content}) as folder:
                    report = m.load_weights(network, kind(folder / "trained.pt"), "cpu")
                seen.append((report, dict(network.state_dict()), network.eval()(x).detach()))
            return seen

        for (report, loaded, out), kind in zip(observe(probe), ("text", "a Path"), strict=True):
            assert_equal(report, ALL_MATCHED, f"{REPORT} a file in which every name matches (its path is {kind})")
            assert_state(loaded, state, "after loading")
            assert_tensor(out, expected, "what the network computes after loading", rtol=1e-4, atol=1e-4)

    def test_the_parameters_stay_the_ones_they_were(self, observe, rng):
        sizes, state = small(rng)
        wide = {name: tensor.double() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
        content = file_of(wide)

        def probe(m):
            seen = []
            for mode in (True, False):
                network = small_network(*sizes).train(mode)
                network.down.requires_grad_(False)
                before = dict(network.named_parameters())
                with folder_of({"wide.pt": content}) as folder:
                    m.load_weights(network, folder / "wide.pt", "cpu")
                after = dict(network.named_parameters())
                seen.append(
                    {
                        "loaded": dict(network.state_dict()),
                        "same": {name: after[name] is before[name] for name in before},
                        "flags": {name: tensor.requires_grad for name, tensor in after.items()},
                        "modes": [layer.training for layer in network.modules()],
                    }
                )
            return seen

        flags = {name: not name.startswith("down") for name, _ in small_network(*sizes).named_parameters()}
        for seen, mode in zip(observe(probe), (True, False), strict=True):
            assert_state(seen["loaded"], state, "of a float32 model, loaded from a file of float64 numbers,")
            assert_equal(seen["flags"], flags, "`requires_grad` after loading, where `down` was frozen before,")
            note = "An optimiser that has the old ones would go on with those."
            assert_equal(seen["same"], dict.fromkeys(flags, True), "which parameters are the same objects", note=note)
            was = "train" if mode else "eval"
            assert_equal(set(seen["modes"]), {mode}, f"`training` of the layers of a model that was in {was} mode")

    @pytest.mark.weight(2)
    def test_prefixes_of_wrappers_are_taken_off(self, observe, rng):
        sizes, state = small(rng)
        prefixes = ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."]
        files = {f"{number}.pt": file_of(prefixed(state, prefix)) for number, prefix in enumerate(prefixes)}

        def probe(m):
            seen = []
            with folder_of(files) as folder:
                for file in files:
                    network = small_network(*sizes)
                    seen.append((m.load_weights(network, folder / file, "cpu"), dict(network.state_dict())))
            return seen

        for (report, loaded), prefix in zip(observe(probe), prefixes, strict=True):
            assert_equal(report, ALL_MATCHED, f"{REPORT} a file whose names all begin with `{prefix}`")
            assert_state(loaded, state, f"from a file whose names all begin with `{prefix}`")

    def test_inside_a_name_nothing_is_taken_off(self, observe, rng):
        sizes, state = small(rng)
        extra = {"aux.module._orig_mod.weight": rng.tensor((2,)), "extra_module.weight": rng.tensor((3,))}
        contents = [file_of({**state, **extra}), file_of(prefixed({**state, **extra}, "module."))]

        def probe(m):
            seen = []
            for content in contents:
                network = small_network(*sizes)
                with folder_of({"inside.pt": content}) as folder:
                    report = m.load_weights(network, folder / "inside.pt", "cpu")
                seen.append((report, dict(network.state_dict())))
            return seen

        for (report, loaded), names in zip(observe(probe), ("plain names", "the prefix `module.`"), strict=True):
            assert_equal(report, ([], list(extra)), f"{REPORT} a file with {names} and two names too many")
            assert_state(loaded, state, f"from a file with {names}")

    def test_a_checkpoint_may_hold_more_than_the_weights(self, observe, rng):
        sizes, state = small(rng)
        optimizer = {"state": {}, "param_groups": [{"lr": 0.1, "params": [0, 1]}]}
        contents = [
            file_of({"epoch": 7, "state_dict": collections.OrderedDict(state), "optimizer": optimizer}),
            file_of({"state_dict": prefixed(state, "module._orig_mod."), "best": 0.5}),
        ]

        def probe(m):
            seen = []
            for content in contents:
                network = small_network(*sizes)
                with folder_of({"checkpoint.pt": content}) as folder:
                    report = m.load_weights(network, folder / "checkpoint.pt", "cpu")
                seen.append((report, dict(network.state_dict())))
            return seen

        for report, loaded in observe(probe):
            assert_equal(report, ALL_MATCHED, f'{REPORT} a checkpoint with the weights under "state_dict"')
            assert_state(loaded, state, 'from a checkpoint with the weights under "state_dict"')

    @pytest.mark.weight(2)
    def test_tells_what_is_missing_and_what_is_left_over(self, observe, rng):
        sizes, state = small(rng)
        fresh = drawn_state(small_network(*sizes), rng)
        lost = ["down.bias", "head.bias", "head.weight"]
        extra = {"zoom.weight": rng.tensor((2, 3)), "classes.bias": rng.tensor((4,)), "mean": rng.tensor((1,))}
        given = {**extra, **{name: tensor for name, tensor in state.items() if name not in lost}}
        contents = [file_of(given), file_of({"state_dict": prefixed(given, "_orig_mod.module.")})]

        def probe(m):
            seen = []
            for content in contents:
                network = small_network(*sizes)
                network.load_state_dict(fresh)
                with folder_of({"other.pt": content}) as folder:
                    report = m.load_weights(network, folder / "other.pt", "cpu")
                seen.append((report, dict(network.state_dict())))
            return seen

        for (report, loaded), kind in zip(observe(probe), ("a file", "a checkpoint with prefixes"), strict=True):
            what = f"{REPORT} {kind} that lacks three names and has three others"
            assert_equal(report, (lost, sorted(extra)), what)
            matching = [name for name in state if name not in lost]
            assert_state(loaded, state, "(a name that matches) after loading", matching)
            assert_state(loaded, fresh, "(a name that the file lacks) after loading", lost)

    def test_refuses_other_shapes(self, observe, rng):
        (inputs, hidden, classes), state = small(rng)
        files = {
            "classes.pt": file_of({**state, "head.weight": rng.tensor((classes + 1, hidden))}),
            "turned.pt": file_of({"state_dict": {**state, "down.weight": state["down.weight"].T.contiguous()}}),
            "prefix.pt": file_of(prefixed({**state, "head.bias": rng.tensor((1,))}, "module.")),
            "good.pt": file_of(state),
        }

        def probe(m):
            with folder_of(files) as folder:
                networks = {file: small_network(inputs, hidden, classes) for file in files}
                errors = {
                    file: error_of(lambda: m.load_weights(network, folder / file, "cpu"))
                    for file, network in networks.items()
                }
            return {"errors": errors, "good": dict(networks["good.pt"].state_dict())}

        seen = observe(probe)
        assert_no_error(seen.errors.pop("good.pt"), "`load_weights` of a file in which everything fits")
        assert_state(seen.good, state, "after loading")
        for error in seen.errors.values():
            assert_error(error, RuntimeError, "when a tensor in the file has another shape", "`load_weights`")

    @pytest.mark.weight(2)
    def test_refuses_a_file_that_carries_code(self, observe, rng):
        sizes, state = small(rng)

        def probe(m):
            network = small_network(*sizes)
            with folder_of({}) as folder:
                trace = str(folder / "trace")

                class Stranger:
                    def __reduce__(self):
                        return os.mkdir, (trace,)

                torch.save(state, folder / "honest.pt")
                torch.save({"state_dict": state, "author": Stranger()}, folder / "stranger.pt")
                error = error_of(lambda: m.load_weights(small_network(*sizes), folder / "stranger.pt", "cpu"))
                report = m.load_weights(network, folder / "honest.pt", "cpu")
                return {
                    "ran": os.path.exists(trace),
                    "error": error,
                    "report": report,
                    "honest": dict(network.state_dict()),
                }

        seen = observe(probe)
        assert_equal(seen.report, ALL_MATCHED, f"{REPORT} an honest file")
        assert_state(seen.honest, state, "from an honest file")
        assert not seen.ran, (
            "`load_weights` ran the code that a stranger had put into the file. "
            "It only made a folder, but it might have done anything."
        )
        assert_error(seen.error, pickle.UnpicklingError, "when the file holds an object with code", "`load_weights`")

    def test_weights_from_a_gpu_load_on_a_machine_without_it(self, observe, rng):
        sizes, state = small(rng)
        # A machine that does have GPUs has hardly 32 of them.
        contents = [file_of(state, "cuda:31"), file_of({"state_dict": prefixed(state, "module.")}, "cuda:31")]

        def probe(m):
            seen = []
            for content in contents:
                network = small_network(*sizes)
                with folder_of({"gpu.pt": content}) as folder:
                    report = m.load_weights(network, folder / "gpu.pt", torch.device("cpu"))
                seen.append((report, dict(network.state_dict())))
            return seen

        for report, loaded in observe(probe):
            assert_equal(report, ALL_MATCHED, f"{REPORT} a file that was saved from a GPU")
            assert_state(loaded, state, "from a file that was saved from a GPU")

    def test_the_model_ends_on_the_device(self, observe, rng):
        sizes, state = small(rng)
        extra = rng.tensor((2,))
        contents = [file_of(state), file_of({**state, "extra": extra}, "cuda:31")]

        def probe(m):
            seen = []
            for content, device in zip(contents, ("meta", torch.device("meta")), strict=True):
                network = small_network(*sizes)
                with folder_of({"any.pt": content}) as folder:
                    report = m.load_weights(network, folder / "any.pt", device)
                seen.append((report, {name: tensor.device.type for name, tensor in network.state_dict().items()}))
            return seen

        for (report, devices), left_over in zip(observe(probe), ([], ["extra"]), strict=True):
            where = dict.fromkeys(state, "meta")
            assert_equal(devices, where, 'where the model is after `load_weights(model, path, "meta")`')
            assert_equal(report, ([], left_over), 'what `load_weights(model, path, "meta")` returns')

    @pytest.mark.gpu
    def test_loads_on_the_gpu_and_back(self, observe, rng):
        sizes, state = small(rng)
        x = rng.tensor((9, sizes[0]))
        trained = small_network(*sizes)
        trained.load_state_dict(state)
        expected = trained.eval()(x).detach()
        content = file_of(state)

        def probe(m):
            with folder_of({"cpu.pt": content}) as folder:
                on_gpu = small_network(*sizes)
                reports = [m.load_weights(on_gpu, folder / "cpu.pt", "cuda")]
                torch.save(on_gpu.state_dict(), folder / "gpu.pt")
                again, on_cpu = small_network(*sizes), small_network(*sizes)
                reports.append(m.load_weights(again, folder / "gpu.pt", torch.device("cuda")))
                reports.append(m.load_weights(on_cpu, folder / "gpu.pt", "cpu"))
            devices = [{t.device.type for t in net.state_dict().values()} for net in (on_gpu, again, on_cpu)]
            outs = [net.eval()(x.cuda()).detach().cpu() for net in (on_gpu, again)]
            return {"outs": [*outs, on_cpu.eval()(x).detach()], "devices": devices, "reports": reports}

        seen = observe(probe)
        assert_equal(seen.reports, [ALL_MATCHED] * 3, "what `load_weights` returns")
        assert_equal(seen.devices, [{"cuda"}, {"cuda"}, {"cpu"}], "where the three models are after loading")
        for out in seen.outs:
            assert_tensor(out, expected, "what the network computes after loading", rtol=1e-4, atol=1e-4)


def sequence(**layers):
    return nn.Sequential(collections.OrderedDict(layers))


def picture_network(inputs, width, classes):
    """As in a ResNet: the head is called `fc` and has a bias. Takes (N, inputs, 5, 4)."""
    return sequence(
        stem=nn.Conv2d(inputs, width, 3, bias=False),
        norm=nn.BatchNorm2d(width),
        act=nn.ReLU(),
        pool=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        fc=nn.Linear(width, classes),
    )


def table_network(inputs, width, classes, dropout=0.0):
    """As in a VGG: linear layers before the head, which is nested and has no bias. Takes (N, inputs)."""
    return sequence(
        fc=nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width, eps=0.1), nn.Tanh()),
        classifier=nn.Sequential(
            nn.Dropout(dropout), nn.Linear(width, width + 1), nn.ReLU(), nn.Linear(width + 1, classes, bias=False)
        ),
        scores=nn.LogSoftmax(dim=1),
    )


def volume_network(inputs, width, classes):
    """A batch norm within a block within a block. Takes (N, inputs, 2, 3, 4)."""
    block = sequence(conv=nn.Conv3d(inputs, width, 1), norm=nn.BatchNorm3d(width, momentum=0.4))
    return sequence(
        body=sequence(block=block, act=nn.ReLU(), pool=nn.AdaptiveAvgPool3d(1), flat=nn.Flatten()),
        heads=sequence(head=nn.Linear(width, classes)),
    )


def confusing_network(inputs, width, classes):
    """Other names begin like the head's, and the batch norm has no running statistics. Takes (N, inputs)."""
    return sequence(
        fc_before=nn.Linear(inputs, width),
        fc_norm=nn.BatchNorm1d(width, track_running_stats=False),
        act=nn.Tanh(),
        fc=nn.Linear(width, classes),
    )


HEADS = {picture_network: "fc", table_network: "classifier.3", volume_network: "heads.head", confusing_network: "fc"}
SHAPES = {picture_network: (5, 4), table_network: (), volume_network: (2, 3, 4), confusing_network: ()}


def cases(rng):
    """For each kind of network: its builder, sizes, numbers, a batch, and a new number of classes."""
    drawn = []
    for build, shape in SHAPES.items():
        inputs, width, classes, new = rng.sizes(4, 2, 8)
        state = drawn_state(build(inputs, width, classes), rng)
        drawn.append((build, (inputs, width, classes), state, rng.tensor((6, inputs, *shape)), new))
    return drawn


def loaded(build, sizes, state):
    network = build(*sizes)
    network.load_state_dict(state)
    return network


def assert_shapes(state, build, sizes, what):
    """A state_dict has the names and shapes of that of `build(*sizes)`."""
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    expected = {name: tuple(tensor.shape) for name, tensor in build(*sizes).state_dict().items()}
    assert_equal(sorted(shapes), sorted(expected), f"the names in the state_dict of {what}")
    for name, shape in expected.items():
        assert shapes[name] == shape, f"in {what}, `{name}` should have shape {shape}, but has {shapes[name]}."


@exercise("replace_head")
class TestReplaceHead:
    def test_gives_a_score_for_each_new_class(self, observe, rng):
        drawn = [*cases(rng), *((*case[:4], 1) for case in cases(rng)[:1])]

        def probe(m):
            seen = []
            for build, sizes, state, x, new in drawn:
                network = loaded(build, sizes, state).eval()
                m.replace_head(network, new)
                seen.append((dict(network.state_dict()), network(x).detach()))
            return seen

        for (after, out), (build, (inputs, width, _), state, x, new) in zip(observe(probe), drawn, strict=True):
            head = HEADS[build]
            what = f"a model with the head `{head}`, after `replace_head(model, {new})`"
            assert_shapes(after, build, (inputs, width, new), what)
            assert_state(after, state, f"of {what},", [name for name in state if not name.startswith(head + ".")])
            expected = loaded(build, (inputs, width, new), after).eval()(x).detach()
            assert_tensor(out, expected, f"the output of {what},", rtol=1e-4, atol=1e-4)

    @pytest.mark.weight(2)
    def test_only_the_head_is_trained(self, observe, rng):
        drawn = cases(rng)

        def probe(m):
            seen = []
            for build, sizes, state, _, new in drawn:
                network = loaded(build, sizes, state)
                returned = m.replace_head(network, new)
                kind = type(returned).__name__
                names = {id(parameter): name for name, parameter in network.named_parameters()}
                returned = [names.get(id(parameter), "a stranger") for parameter in returned]
                trainable = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
                seen.append((kind, sorted(returned), sorted(trainable)))
            return seen

        for (kind, returned, trainable), (build, *_) in zip(observe(probe), drawn, strict=True):
            head = HEADS[build]
            names = [f"{head}.weight"] if build is table_network else [f"{head}.bias", f"{head}.weight"]
            assert_equal(trainable, names, f"the parameters that require grad, where the head is `{head}`,")
            assert_equal(returned, names, f"the parameters that `replace_head` returns, where the head is `{head}`,")
            assert kind == "list", f"`replace_head` should return a list, but it returned a {kind}."

    @pytest.mark.weight(2)
    def test_batch_norms_keep_their_statistics_in_train_mode(self, observe, rng):
        drawn = cases(rng)

        def probe(m):
            seen = []
            for build, sizes, state, x, new in drawn:
                states = []
                for was in (True, False):
                    network = loaded(build, sizes, state).train(was)
                    m.replace_head(network, new)
                    network(x)
                    states.append(dict(network.state_dict()))
                network.train()
                network(x)
                network.eval()
                network(x)
                network.train()
                network(x)
                states.append(dict(network.state_dict()))
                seen.append([{name: t.clone() for name, t in state.items()} for state in states])
            return seen

        whens = ("after a forward pass in the train mode that it was given in",)
        whens += ("after a forward pass in the eval mode that it was given in",)
        whens += ("after model.train() and a forward pass",)
        for states, (build, (inputs, width, _), state, _, new) in zip(observe(probe), drawn, strict=True):
            body = [name for name in state if not name.startswith(HEADS[build] + ".")]
            for after, when in zip(states, whens, strict=True):
                assert_shapes(after, build, (inputs, width, new), f"the model {when}")
                assert_state(after, state, f"of the frozen body, {when},", body)

    @pytest.mark.weight(2)
    def test_batch_norms_use_their_statistics_in_train_mode(self, observe, rng):
        drawn = cases(rng)

        def probe(m):
            seen = []
            for build, sizes, state, x, new in drawn:
                network = loaded(build, sizes, state)
                m.replace_head(network, new)
                outs = [network(x).detach()]
                for mode in (False, True, True):
                    network.train(mode)
                    outs.append(network(x).detach())
                seen.append((dict(network.state_dict()), outs))
            return seen

        usual = "The batch norms should normalise with their running statistics, not with those of the batch."
        without = "A batch norm without running statistics has only those of the batch, in either mode."
        for (after, outs), (build, (inputs, width, _), _, x, new) in zip(observe(probe), drawn, strict=True):
            assert_shapes(after, build, (inputs, width, new), f"the model, after `replace_head(model, {new})`")
            expected = loaded(build, (inputs, width, new), after).eval()(x).detach()
            note = without if build is confusing_network else usual
            for out, mode in zip(outs, ("train", "eval", "train", "train"), strict=True):
                what = f"the output in {mode} mode of a model without dropout"
                assert_tensor(out, expected, what, rtol=1e-4, atol=1e-4, note=note)

    def test_dropout_goes_on_following_the_mode(self, observe, rng):
        inputs, width, classes, new = rng.sizes(4, 3, 8)
        x = rng.tensor((4, inputs))

        def probe(m):
            evaluated = table_network(inputs, width, classes, dropout=0.3).eval()
            network = table_network(inputs, width, classes, dropout=0.3)
            returned = m.replace_head(network, new)
            m.replace_head(evaluated, new)
            after = [net.training for net in (network, network.classifier[0], evaluated, evaluated.classifier[0])]
            modes = []
            dropout = network.classifier[0]
            dropout.register_forward_hook(lambda layer, *_: modes.append(layer.training))
            for mode in (True, False, True):
                network.train(mode)
                network(x)
            return {"after": after, "modes": modes, "shapes": [tuple(parameter.shape) for parameter in returned]}

        seen = observe(probe)
        what = "`training` of a model in train mode and its dropout, and of one in eval mode and its dropout, after"
        assert_equal(seen.after, [True, True, False, False], what)
        note = "Only the batch norms should stand still."
        what = "whether dropout drops, in train, eval and train mode,"
        assert_equal(seen.modes, [True, False, True], what, note=note)
        assert_equal(seen.shapes, [(new, width + 1)], "the shapes of the returned parameters")

    def test_training_changes_the_head_alone(self, observe, rng):
        drawn = [(*case, rng.strided((6, case[4]), low=0.5)) for case in cases(rng)]

        def probe(m):
            seen = []
            for build, sizes, state, x, new, upstream in drawn:
                network = loaded(build, sizes, state)
                parameters = m.replace_head(network, new)
                before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
                optimizer = torch.optim.SGD(parameters, lr=0.1, momentum=0.8, weight_decay=0.05)
                for _ in range(3):
                    network.train()
                    (network(x) * upstream).sum().backward()
                    optimizer.step()
                with_grad = [name for name, parameter in network.named_parameters() if parameter.grad is not None]
                seen.append((before, dict(network.state_dict()), sorted(with_grad)))
            return seen

        for (before, after, with_grad), (build, _, state, *_) in zip(observe(probe), drawn, strict=True):
            head = HEADS[build]
            names = [f"{head}.weight"] if build is table_network else [f"{head}.bias", f"{head}.weight"]
            assert_equal(with_grad, names, "the parameters that have a gradient after training")
            body = [name for name in state if not name.startswith(head + ".")]
            assert_state(after, state, "of the frozen body, after three steps of training,", body)
            for name in names:
                moved = not torch.equal(before[name], after[name])
                assert moved, f"`{name}`, in the new head, should change in training, but it stays as it was."

    def test_the_head_is_where_the_old_one_was(self, observe, rng):
        build, sizes, state, x, new = cases(rng)[0]

        def probe(m):
            double = loaded(build, sizes, state).double()
            meta = loaded(build, sizes, state).to("meta")
            heads = [m.replace_head(double, new), m.replace_head(meta, new)]
            described = [{p.ndim: (tuple(p.shape), p.dtype, p.device.type) for p in head} for head in heads]
            return {"heads": described, "out": double(x.double()).detach(), "away": meta(x.to("meta")).detach()}

        seen = observe(probe)
        for name, dimensions, shape in (("weight", 2, (new, sizes[1])), ("bias", 1, (new,))):
            what = f"shape, dtype and device of the new head's {name} in a model"
            double, meta = (head.get(dimensions) for head in seen.heads)
            assert_equal(double, (shape, torch.float64, "cpu"), f"{what} of float64")
            assert_equal(meta, (shape, torch.float32, "meta"), f'{what} on "meta"')
        assert seen.out.dtype == torch.float64, f"a float64 model gives {seen.out.dtype} after `replace_head`."
        assert_equal(tuple(seen.away.shape), (len(x), new), 'the shape of the output of a model on "meta"')

    def test_refuses_a_model_without_a_linear_layer(self, observe, rng):
        build, sizes, state, _, new = cases(rng)[1]
        channels = rng.integer(2, 4)

        def probe(m):
            without = [nn.Sequential(nn.Conv2d(channels, 3, 1), nn.BatchNorm2d(3)), nn.Sequential()]
            errors = [error_of(lambda: m.replace_head(model, new)) for model in without]
            good = m.replace_head(loaded(build, sizes, state), new)
            return {"errors": errors, "good": [tuple(parameter.shape) for parameter in good]}

        seen = observe(probe)
        for error in seen.errors:
            assert_error(error, ValueError, "for a model without an nn.Linear", "`replace_head`")
        assert_equal(seen.good, [(new, sizes[1] + 1)], "the shapes of the returned parameters of a model that has some")


NETWORK = """
import numpy as np
import torch
from torch import nn


class Digits(nn.Module):
    def __init__(self, classes=CLASSES, width=WIDTH, bias=True):
        super().__init__()
        self.inner = nn.Linear(int(np.prod((INPUTS, 1))), width)
        self.outer = nn.Linear(width, classes, bias=bias)

    def forward(self, x):
        return self.outer(torch.relu(self.inner(x)))
"""


def drawn_project(rng):
    """A fresh project: the text of its network.py, the shapes of Digits(), and drawn weights that fit it."""
    inputs, width, classes = rng.sizes(3, 3, 9)
    code = NETWORK.replace("INPUTS", str(inputs)).replace("WIDTH", str(width)).replace("CLASSES", str(classes))
    shapes = shapes_of(inputs, width, classes)
    return code, shapes, {name: rng.tensor(shape, low=3.0, high=9.0) for name, shape in shapes.items()}


def shapes_of(inputs, width, classes):
    return {
        "inner.weight": (width, inputs),
        "inner.bias": (width,),
        "outer.weight": (classes, width),
        "outer.bias": (classes,),
    }


def shapes_in(state):
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def files_of(m, code, weights=None, location=None):
    """The files of a project, in the probe: with the learner's hubconf.py."""
    text = m.hub_entrypoint()
    if type(text) is not str:
        kind = type(text).__name__
        raise TypeError(f"hub_entrypoint should return the text of hubconf.py, a str, but it returned a {kind}")
    files = {"hubconf.py": text.encode(), "network.py": code.encode()}
    if weights is not None:
        files["weights/digits.pt"] = weights if isinstance(weights, bytes) else file_of(weights, location)
    return files


def load_from(folder, *args, **options):
    """What Torch Hub loads from a folder, as name -> tensor."""
    sys.modules.pop("network", None)  # that of another project
    try:
        network = torch.hub.load(str(folder), "digits", *args, source="local", **options)
    except SyntaxError as error:
        raise RuntimeError(f"hubconf.py cannot be read: {error.msg}, in its line {error.lineno}") from None
    except FileNotFoundError as error:
        # The folder has another name each time.
        place = str(error.filename).replace(str(folder), "project")
        raise FileNotFoundError(f"there is no file {place}") from None
    finally:
        sys.modules.pop("network", None)
    if not isinstance(network, nn.Module):
        raise TypeError(f"the entry point should return a network, but it returned a {type(network).__name__}")
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


LOAD = 'torch.hub.load(project, "digits", source="local"'


@exercise("hub_entrypoint")
class TestHubEntrypoint:
    def test_torch_hub_builds_the_network_of_any_such_project(self, observe, rng):
        projects = [drawn_project(rng), drawn_project(rng)]
        code, shapes, _ = projects[0]
        classes, width = shapes["outer.weight"][0] + 5, shapes["outer.weight"][1] + 7

        def probe(m):
            seen = []
            for text, _, weights in projects:
                with folder_of(files_of(m, text, weights)) as folder:
                    seen.append(load_from(folder))
            with folder_of(files_of(m, code)) as folder:
                wide = load_from(folder, width=width, classes=classes)
                bare = load_from(folder, False, bias=False)
            return {"plain": seen, "wide": wide, "bare": bare}

        seen = observe(probe)
        for state, (_, expected, _) in zip(seen.plain, projects, strict=True):
            assert_equal(shapes_in(state), expected, f"the shapes in the network of `{LOAD})`")
        inputs = shapes["inner.weight"][1]
        wide = shapes_of(inputs, width, classes)
        what = f"the shapes in the network of `{LOAD}, width={width}, classes={classes})`"
        assert_equal(shapes_in(seen.wide), wide, what, note="Options of the network should reach it.")
        bare = {name: shape for name, shape in shapes.items() if name != "outer.bias"}
        assert_equal(shapes_in(seen.bare), bare, "the shapes in the network with pretrained=False and bias=False")

    @pytest.mark.weight(2)
    def test_pretrained_decides_whether_weights_are_loaded(self, observe, rng):
        code, shapes, weights = drawn_project(rng)
        other = {name: -tensor for name, tensor in weights.items()}

        def probe(m):
            with folder_of(files_of(m, code, weights)) as folder:
                seen = {
                    "loaded": load_from(folder, pretrained=True),
                    "by_place": load_from(folder, True),
                    "default": load_from(folder),
                    "fresh": load_from(folder, pretrained=False),
                }
                (folder / "weights/digits.pt").write_bytes(file_of(other))
                seen["newer"] = load_from(folder, pretrained=True)
            with folder_of(files_of(m, code)) as folder:
                seen["without_file"] = load_from(folder, pretrained=False)
            return seen

        seen = observe(probe)
        assert_state(seen.loaded, weights, "of a network with pretrained=True")
        assert_state(seen.by_place, weights, 'of the network of torch.hub.load(project, "digits", True, ...)')
        assert_state(seen.newer, other, "with pretrained=True, when the file holds other weights,")
        for state, call in (
            (seen.default, f"`{LOAD})`"),
            (seen.fresh, f"`{LOAD}, pretrained=False)`"),
            (seen.without_file, f"`{LOAD}, pretrained=False)` without a file of weights"),
        ):
            assert_equal(shapes_in(state), shapes, f"the shapes in the network of {call}")
            # A fresh linear layer has numbers from -1 to 1, the file from 3 to 9.
            fresh = all(float(tensor.abs().max()) < 3 for tensor in state.values())
            assert fresh, f"{call} should give a network with fresh weights, but it has those of the file."

    @pytest.mark.weight(2)
    def test_the_weights_lie_beside_hubconf_wherever_the_caller_is(self, observe, rng):
        code, _, weights = drawn_project(rng)
        decoy = {name: tensor + 20 for name, tensor in weights.items()}

        def probe(m):
            seen = {}

            def load_in(where, current, project):
                states = []
                with contextlib.chdir(current):
                    error = error_of(lambda: states.append(load_from(project, pretrained=True)))
                seen[where] = (error, states[0] if states else {})

            with folder_of(files_of(m, code, weights)) as folder, folder_of({}) as elsewhere:
                load_in("in the folder of the project", folder, folder)
                load_in("in the folder above", folder.parent, folder.name)
                load_in("in an empty folder", elsewhere, folder)
                (elsewhere / "weights").mkdir()
                for name in ("weights/digits.pt", "digits.pt"):
                    (elsewhere / name).write_bytes(file_of(decoy))
                load_in("in another project", elsewhere, folder)
            return list(seen.items())

        for where, (error, state) in observe(probe):
            assert_no_error(error, f"`{LOAD}, pretrained=True)` of a caller {where}")
            assert_state(state, weights, f"with pretrained=True, when the caller is {where},")

    @pytest.mark.weight(2)
    def test_torch_hub_lists_digits_and_nothing_else(self, observe, rng):
        code, _, weights = drawn_project(rng)

        def probe(m):
            files = {f"someone_project_main/{name}": content for name, content in files_of(m, code, weights).items()}
            before = torch.hub.get_dir()
            with folder_of(files) as folder:
                torch.hub.set_dir(str(folder))  # where Torch Hub keeps what it has fetched from GitHub
                try:
                    listed = torch.hub.list("someone/project:main", trust_repo=True, verbose=False)
                finally:
                    torch.hub.set_dir(before)
                    sys.modules.pop("network", None)
                return {"listed": list(listed), "loaded": load_from(folder / "someone_project_main", pretrained=True)}

        seen = observe(probe)
        note = "It shows every callable in hubconf.py, imported ones too, whose name has no underscore in front."
        assert_equal(seen.listed, ["digits"], "what `torch.hub.list` shows", note=note)
        assert_state(seen.loaded, weights, "with pretrained=True")

    def test_dependencies_are_named_and_checked(self, observe, rng):
        code, _, weights = drawn_project(rng)

        def probe(m):
            with folder_of(files_of(m, code, weights)) as folder:
                loaded = load_from(folder, pretrained=True)
                # As on a machine without NumPy.
                kept = sys.modules.pop("numpy", None)
                sys.modules["numpy"] = None
                try:
                    error = error_of(lambda: load_from(folder, pretrained=True))
                finally:
                    del sys.modules["numpy"]
                    if kept is not None:
                        sys.modules["numpy"] = kept
                names = {"__file__": str(folder / "hubconf.py"), "__name__": "hubconf"}
                sys.path.insert(0, str(folder))
                try:
                    exec((folder / "hubconf.py").read_text(), names)
                finally:
                    sys.path.remove(str(folder))
                    sys.modules.pop("network", None)
            return {"loaded": loaded, "error": error, "dependencies": names.get("dependencies")}

        seen = observe(probe)
        assert_state(seen.loaded, weights, "with pretrained=True")
        listed = seen.dependencies
        there = "there is none" if listed is None else f"it is {short(listed)}"
        assert type(listed) is list, f"hubconf.py should have a list `dependencies`, but {there}."
        assert_equal(sorted(map(str, listed)), ["numpy", "torch"], "`dependencies` in hubconf.py, sorted,")
        what = "`torch.hub.load` on a machine without NumPy"
        assert_error(seen.error, RuntimeError, "that names the package", what, match="numpy")

    def test_weights_from_a_gpu_load_on_a_machine_without_it(self, observe, rng):
        code, _, weights = drawn_project(rng)
        content = file_of(weights, "cuda:31")

        def probe(m):
            with folder_of(files_of(m, code, content)) as folder:
                return {"loaded": load_from(folder, pretrained=True)}

        assert_state(observe(probe).loaded, weights, "with pretrained=True, from weights that were saved on a GPU,")

    def test_refuses_weights_that_do_not_fit(self, observe, rng):
        code, shapes, weights = drawn_project(rng)
        classes, width = shapes["outer.weight"]
        bad = {
            "that lack a name": {name: tensor for name, tensor in weights.items() if name != "outer.bias"},
            "with a name too many": {**weights, "aux.weight": rng.tensor((2, 2))},
            "of other shapes": {**weights, "outer.weight": rng.tensor((classes + 1, width))},
            "with other names, in the right order": {name.replace("inner", "first"): t for name, t in weights.items()},
        }
        turned = dict(reversed(weights.items()))

        def probe(m):
            errors = {}
            for kind, content in bad.items():
                with folder_of(files_of(m, code, content)) as folder:
                    errors[kind] = error_of(lambda: load_from(folder, pretrained=True))
            with folder_of(files_of(m, code, weights)) as folder:
                errors["of other classes"] = error_of(lambda: load_from(folder, pretrained=True, classes=classes + 2))
                good = load_from(folder, pretrained=True)
            with folder_of(files_of(m, code, turned)) as folder:
                return {"errors": errors, "good": good, "turned": load_from(folder, pretrained=True)}

        seen = observe(probe)
        assert_state(seen.good, weights, "with pretrained=True")
        assert_state(seen.turned, weights, "with pretrained=True, when the names come in another order in the file,")
        for kind, error in seen.errors.items():
            assert_error(error, RuntimeError, f"for weights {kind}", f"`{LOAD}, pretrained=True)`")

    def test_refuses_weights_that_carry_code(self, observe, rng):
        code, _, weights = drawn_project(rng)

        def probe(m):
            with folder_of(files_of(m, code, weights)) as folder:
                good = load_from(folder, pretrained=True)
                trace = str(folder / "trace")

                class Stranger:
                    def __reduce__(self):
                        return os.mkdir, (trace,)

                torch.save({**weights, "outer.bias": Stranger()}, folder / "weights/digits.pt")
                error = error_of(lambda: load_from(folder, pretrained=True))
                return {"good": good, "ran": os.path.exists(trace), "error": error}

        seen = observe(probe)
        assert_state(seen.good, weights, "with pretrained=True")
        assert not seen.ran, (
            "`digits(pretrained=True)` ran code that was hidden in the file of weights. "
            "It only made a folder, but it might have done anything."
        )
        assert_error(seen.error, Exception, "when the file of weights holds code", f"`{LOAD}, pretrained=True)`")
