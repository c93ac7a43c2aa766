"""Hidden suite of pretrained/networks."""

from __future__ import annotations

import copy
import io
from collections import OrderedDict
from functools import lru_cache

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn
from torchvision.models import EfficientNet_B0_Weights

from grader.hidden import hidden_file
from grader.testing import (
    assert_equal,
    assert_error,
    assert_tensor,
    error_of,
    exercise,
    folder_of,
    shares_storage,
    short,
)
from solutions.pretrained import networks as solution

PHOTOS = "tests/pretrained/photos"
CATEGORIES = EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]


@exercise("count_parameters")
class TestCountParameters:
    def test_counts_elements(self, observe, rng):
        a, b, c, kernel = rng.sizes(4, 3, 9)
        models = [
            nn.Linear(a, b),
            nn.Linear(a, b, bias=False),
            nn.Sequential(nn.Conv2d(a, b, kernel), nn.ReLU(), nn.Sequential(nn.Linear(b, c))),
            nn.ReLU(),
        ]
        seen = observe(lambda m: [m.count_parameters(model) for model in models])
        counts = [a * b + b, a * b, a * b * kernel**2 + b + b * c + c, 0]
        names = ("Linear", "Linear without bias", "a nested Sequential", "ReLU")
        for out, count, name in zip(seen, counts, names, strict=True):
            assert_equal(out, (count, count, 0), f"`count_parameters` of {name}")

    def test_finds_parameters_of_the_model_itself(self, observe, rng):
        a, b, c = rng.sizes(3, 2, 9)

        def probe(m):
            class Own(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.scale = nn.Parameter(torch.ones(a))
                    self.offset = nn.Parameter(torch.tensor(0.5))
                    self.tables = nn.ParameterList([torch.zeros(b, c), torch.zeros(c)])
                    self.plain = torch.zeros(b)  # neither parameter nor buffer

            return {"out": m.count_parameters(Own())}

        count = a + 1 + b * c + c
        note = "It has parameters of its own, one of them a scalar, and a plain tensor that is no parameter."
        assert_equal(observe(probe).out, (count, count, 0), "`count_parameters` of a module", note=note)

    def test_frozen_parameters_are_not_trainable(self, observe, rng):
        a, b, c = rng.sizes(3, 3, 9)
        model = nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.Linear(b, c))
        model[0].requires_grad_(False)
        model[2].bias.requires_grad_(False)

        def probe(m):
            first = m.count_parameters(model)
            flags = [p.requires_grad for p in model.parameters()]
            model[0].bias.requires_grad_(True)
            return {"first": first, "flags": flags, "second": m.count_parameters(model)}

        seen = observe(probe)
        total, trainable, buffers = a * b + b + 2 * b + b * c + c, 2 * b + b * c, 2 * b + 1
        assert_equal(seen.first, (total, trainable, buffers), "`count_parameters` of a partly frozen model")
        assert_equal(
            seen.flags, [False, False, True, True, True, False], "`requires_grad` of the parameters, afterwards,"
        )
        after = (total, trainable + b, buffers)
        assert_equal(seen.second, after, "`count_parameters`, after one more bias was made trainable,")

    @pytest.mark.weight(2)
    def test_tied_weights_count_once(self, observe, rng):
        words, width, hidden = rng.sizes(3, 3, 9)

        def probe(m):
            reader, writer = nn.Embedding(words, width), nn.Linear(width, words)
            writer.weight = reader.weight
            tied = nn.Sequential(reader, nn.Linear(width, hidden), nn.Linear(hidden, width), writer)
            norm = nn.BatchNorm1d(width)
            twice = nn.Sequential(norm, nn.Linear(width, width), norm, nn.BatchNorm1d(width))
            alone = m.count_parameters(tied)
            reader.weight.requires_grad_(False)
            return {"tied": alone, "frozen": m.count_parameters(tied), "twice": m.count_parameters(twice)}

        seen = observe(probe)
        rest = width * hidden + hidden + hidden * width + width + words
        note = "The matrix that stands in two places is one parameter."
        assert_equal(
            seen.tied, (words * width + rest,) * 2 + (0,), "`count_parameters` of a model with tied weights", note=note
        )
        frozen = (words * width + rest, rest, 0)
        assert_equal(seen.frozen, frozen, "`count_parameters`, once the tied matrix is frozen,", note=note)
        twice = (4 * width + width**2 + width,) * 2 + (4 * width + 2,)
        note = "The one that runs twice counts once; the other has equal values so far, but parameters of its own."
        assert_equal(
            seen.twice, twice, "`count_parameters` of a model that has two batch norms, one used twice,", note=note
        )

    def test_buffers_are_counted_apart(self, observe, rng):
        a, b, c = rng.sizes(3, 3, 9)

        def probe(m):
            class Masked(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.inner = nn.Linear(a, b)
                    self.register_buffer("mask", torch.ones(b, c, dtype=torch.bool))
                    self.register_buffer("steps", torch.tensor(3))
                    self.register_buffer("cache", torch.zeros(2, c), persistent=False)
                    self.register_buffer("later", None)

            table = torch.zeros(a, c)
            shared = nn.Sequential(nn.Linear(a, b), nn.Linear(b, c))
            shared[0].register_buffer("table", table)
            shared[1].register_buffer("table", table)
            shared[1].register_buffer("again", table)
            shared[1].register_buffer("alike", table.clone())
            return {
                "own": m.count_parameters(Masked()),
                "norm": m.count_parameters(nn.BatchNorm2d(c, affine=False)),
                "shared": m.count_parameters(shared),
            }

        seen = observe(probe)
        note = "Its buffers: a mask, a scalar, a cache that is not persistent, and one that is None so far."
        own = (a * b + b, a * b + b, b * c + 1 + 2 * c)
        assert_equal(seen.own, own, "`count_parameters` of a module with buffers", note=note)
        note = "It has running_mean, running_var and the scalar num_batches_tracked, and no parameters."
        assert_equal(seen.norm, (0, 0, 2 * c + 1), "`count_parameters` of BatchNorm2d(affine=False)", note=note)
        note = "The table that stands in three places is one buffer; the other has equal values, but it is another."
        count = a * b + b + b * c + c
        shared = (count, count, 2 * a * c)
        assert_equal(seen.shared, shared, "`count_parameters` of two modules that share a buffer", note=note)

    def test_a_model_too_large_for_memory_on_meta(self, observe, rng):
        wide = 10**6 + rng.integer(1, 999)

        def probe(m):
            with torch.device("meta"):
                model = nn.Sequential(nn.Linear(wide, wide), nn.BatchNorm1d(wide))
            return {"out": m.count_parameters(model), "devices": {str(p.device) for p in model.parameters()}}

        seen = observe(probe)
        count = wide * wide + 3 * wide
        assert_equal(seen.out, (count, count, 2 * wide + 1), "`count_parameters` of a model on the device 'meta'")
        assert_equal(seen.devices, {"meta"}, "the devices of its parameters, afterwards,")


def small_classifier(rng, features: int, classes: int, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Linear, batch norm, dropout, linear: its running averages are far from those of any batch."""
    hidden = 9
    model = nn.Sequential(
        nn.Linear(features, hidden),
        nn.BatchNorm1d(hidden),
        nn.Sequential(nn.ReLU(), nn.Dropout(0.4)),
        nn.Linear(hidden, classes),
    ).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(rng.tensor(parameter.shape, dtype, -1, 1))
        model[1].running_mean.copy_(rng.tensor((hidden,), dtype, -0.5, 0.5))
        model[1].running_var.copy_(rng.tensor((hidden,), dtype, 0.3, 3.0))
        model[1].bias.add_(1.0)  # so that some ReLU always lets something through
        model[1].num_batches_tracked.fill_(7)
    return model


class Noisy(nn.Module):
    """Drops out by its own `training`, as many networks do; its class is none of torch's."""

    def forward(self, x):
        return F.dropout(x, 0.8, self.training)


class Raising(nn.Module):
    """Raises what it is told to."""

    def __init__(self, kind: type[BaseException], message: str) -> None:
        super().__init__()
        self.kind, self.message = kind, message

    def forward(self, x):
        raise self.kind(self.message)


def interrupted(call) -> bool:
    """Whether a KeyboardInterrupt came out, which is no Exception: the stop button of a notebook raises it."""
    try:
        call()
    except KeyboardInterrupt:
        return True
    return False


def in_eval(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The probabilities, from a copy."""
    with torch.no_grad():
        return F.softmax(copy.deepcopy(model).eval()(x), dim=1)


@exercise("predict_proba")
class TestPredictProba:
    def test_each_row_is_the_softmax_of_its_logits(self, observe, rng):
        rows, features, classes = rng.sizes(3, 3, 8)
        models = [nn.Linear(features, classes), nn.Linear(features, classes).double(), nn.Identity(), nn.Identity()]
        models = [model.eval() for model in models]
        inputs = [
            rng.strided((rows, features)),
            rng.tensor((rows, features), torch.float64),
            rng.strided((rows, features)),
            rng.tensor((rows, features), low=-900.0, high=900.0),
        ]
        inputs[2] *= 3.0
        seen = observe(lambda m: [m.predict_proba(model, x) for model, x in zip(models, inputs, strict=True)])
        names = ("a float32 model", "a float64 model", "a model without parameters", "logits in the hundreds")
        for out, model, x, name in zip(seen, models, inputs, names, strict=True):
            assert_tensor(out, in_eval(model, x), f"`predict_proba` of {name}")

    @pytest.mark.weight(2)
    def test_dropout_and_batch_norm_are_in_eval_mode(self, observe, rng):
        rows, features, classes = rng.sizes(3, 4, 8)
        model, x = small_classifier(rng, features, classes).train(), rng.tensor((rows, features))
        noisy = nn.Sequential(nn.Linear(features, classes), Noisy()).train()
        jobs = [(model, x), (model, x[2:]), (noisy, x)]
        seen = observe(lambda m: [m.predict_proba(network, batch) for network, batch in jobs])
        known = "The model came in training mode. Do dropout and batch norm know that this is inference?"
        own = "It looks at its own `training`. Every module should be in eval mode, whatever its class."
        names = ("a batch", "the end of the batch", "a model with a module that is noisy while it trains")
        for out, (network, batch), name, note in zip(seen, jobs, names, (known, known, own), strict=True):
            expected = in_eval(network, batch)
            assert_tensor(out, expected, f"`predict_proba` of {name}", rtol=1e-4, atol=1e-5, note=note)

    def test_a_batch_of_one_and_an_empty_batch(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        model, x = small_classifier(rng, features, classes).train(), rng.tensor((1, features))
        seen = observe(lambda m: [m.predict_proba(model, part) for part in (x, x[:0])])
        for out, part, name in zip(seen, (x, x[:0]), ("a batch of one", "an empty batch"), strict=True):
            assert_tensor(out, in_eval(model, part), f"`predict_proba` of {name}", rtol=1e-4, atol=1e-5)

    def test_every_module_gets_its_mode_back(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        model, x = small_classifier(rng, features, classes), rng.tensor((4, features))
        some = [True, True, False, True, *rng.shuffled([True, False]), True]  # batch norm frozen, the model trains
        parts = [False, True, False, True, True, False, False]  # only some parts train
        patterns = [[True] * 7, [False] * 7, some, parts, [not mode for mode in some]]

        def probe(m):
            seen = []
            for pattern in patterns:
                for module, mode in zip(model.modules(), pattern, strict=True):
                    module.training = mode
                out = m.predict_proba(model, x)
                seen.append((out, [module.training for module in model.modules()]))
            return seen

        names = [name or "the model" for name, _ in model.named_modules()]
        for (out, modes), pattern in zip(observe(probe), patterns, strict=True):
            assert_tensor(out, in_eval(model, x), "`predict_proba`", rtol=1e-4, atol=1e-5)
            wrong = [name for name, mode, before in zip(names, modes, pattern, strict=True) if mode is not before]
            training = [name for name, before in zip(names, pattern, strict=True) if before]
            assert not wrong, (
                f"these modules are in another mode after `predict_proba`: {', '.join(wrong)}. "
                f"Before it, in training mode were: {', '.join(training) or 'none'}."
            )

    def test_what_the_model_raises_comes_out_unchanged(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        layer, x = nn.Linear(features, classes).eval(), rng.tensor((3, features))
        raising = Raising(LookupError, "no page of that number")
        seen = observe(
            lambda m: {"good": m.predict_proba(layer, x), "error": error_of(lambda: m.predict_proba(raising, x))}
        )
        assert_tensor(seen.good, in_eval(layer, x), "`predict_proba` of a model that does not raise")
        about = "from the model, which raises one"
        assert_error(seen.error, LookupError, about, "`predict_proba`", match="no page of that number")

    def test_modes_come_back_when_the_model_raises(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        model, x, short_x = small_classifier(rng, features, classes), rng.tensor((3, features)), rng.tensor((3, 1))
        pattern = [True, True, False, True, True, False, True]
        stopped = nn.Sequential(nn.Dropout(0.4).eval(), Raising(KeyboardInterrupt, "stop"))

        def probe(m):
            for module, mode in zip(model.modules(), pattern, strict=True):
                module.training = mode
            error = error_of(lambda: m.predict_proba(model, short_x))
            modes, grad = [module.training for module in model.modules()], torch.is_grad_enabled()
            torch.set_grad_enabled(True)
            came = interrupted(lambda: m.predict_proba(stopped, x))
            stop = {"came": came, "modes": [module.training for module in stopped.modules()]}
            stop["grad"] = torch.is_grad_enabled()
            torch.set_grad_enabled(True)
            return {"error": error, "modes": modes, "grad": grad, "stop": stop, "good": m.predict_proba(model, x)}

        seen = observe(probe)
        assert_error(seen.error, RuntimeError, "from the model, for a batch with too few features", "`predict_proba`")
        assert_equal(seen.modes, pattern, "`training` of each module, after the model raised,")
        assert seen.grad, "after the model raised, gradients stay switched off (`torch.is_grad_enabled()` is False)."
        assert_tensor(seen.good, in_eval(model, x), "`predict_proba` of a good batch after that", rtol=1e-4, atol=1e-5)
        stop = "the model was stopped by a KeyboardInterrupt"
        assert seen.stop["came"], f"{stop}, and it should come out of `predict_proba`, but it did not."
        note = "It is no Exception: what is done on every way out?"
        assert_equal(seen.stop["modes"], [True, False, True], f"`training` of each module, after {stop},", note=note)
        assert seen.stop["grad"], f"{stop}, and gradients stay switched off (`torch.is_grad_enabled()` is False)."

    def test_leaves_the_model_as_it_was(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        model, x = small_classifier(rng, features, classes).train(), rng.tensor((5, features))
        model[0].weight.requires_grad_(False)
        flags = [p.requires_grad for p in model.parameters()]
        grad = rng.tensor((classes,))

        def probe(m):
            model[3].bias.grad = grad.clone()
            out = m.predict_proba(model, x)
            state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
            after = [p.requires_grad for p in model.parameters()]
            return {"out": out, "state": state, "flags": after, "grad": model[3].bias.grad, "x": x}

        seen = observe(probe)
        assert_tensor(seen.out, in_eval(model, x), "`predict_proba`", rtol=1e-4, atol=1e-5)
        for name, tensor in model.state_dict().items():
            assert_tensor(seen.state[name], tensor, f"`{name}` of the model, after predict_proba,", rtol=0, atol=0)
        assert_equal(seen.flags, flags, "`requires_grad` of the parameters, after predict_proba,")
        assert_tensor(seen.grad, grad, "the gradient that was there before predict_proba", rtol=0, atol=0)
        assert_tensor(seen.x, x, "the batch, after predict_proba,", rtol=0, atol=0)

    def test_records_no_graph(self, observe, rng):
        features, classes = rng.sizes(2, 3, 8)
        model, x = small_classifier(rng, features, classes), rng.tensor((4, features))

        def probe(m):
            recorded = []
            model.register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
            outs, modes = [], []
            for batch, enabled in ((x, True), (x.clone().requires_grad_(), True), (x, False)):
                with torch.set_grad_enabled(enabled):
                    out = m.predict_proba(model, batch)
                    modes.append(torch.is_grad_enabled())
                    outs.append((out.requires_grad, out.detach()))
            return {"outs": outs, "recorded": recorded, "modes": modes}

        seen = observe(probe)
        for requires_grad, out in seen.outs:
            assert_tensor(out, in_eval(model, x), "`predict_proba`", rtol=1e-4, atol=1e-5)
            assert not requires_grad, "the probabilities require gradients: they are part of a graph."
        assert not any(seen.recorded), "the model's logits were part of a graph: the forward pass recorded one."
        note = "Whether gradients are recorded after the call is the caller's affair."
        assert_equal(seen.modes, [True, True, False], "`torch.is_grad_enabled()` after predict_proba", note=note)

    def test_stays_on_the_device_of_the_model(self, observe, rng):
        rows, features, classes = rng.sizes(3, 3, 8)
        model, x = small_classifier(rng, features, classes), rng.tensor((rows, features))

        def probe(m):
            here = m.predict_proba(model, x)
            out = m.predict_proba(copy.deepcopy(model).to("meta"), x.to("meta"))
            return {"here": here, "meta": out, "x": x}

        seen = observe(probe)
        assert_tensor(seen.here, in_eval(model, x), "`predict_proba` on the CPU", rtol=1e-4, atol=1e-5)
        meta = torch.empty((rows, classes), device="meta")
        assert_tensor(seen.meta, meta, "`predict_proba` of a model and a batch on 'meta'")

    @pytest.mark.gpu
    def test_works_on_the_gpu(self, observe, rng):
        rows, features, classes = rng.sizes(3, 3, 8)
        model, x = small_classifier(rng, features, classes).train(), rng.tensor((rows, features))

        def probe(m):
            there = copy.deepcopy(model).to("cuda")
            out = m.predict_proba(there, x.to("cuda"))
            devices = {p.device.type for p in there.parameters()}
            return {"device": out.device.type, "out": out.cpu(), "devices": devices}

        seen = observe(probe)
        assert_equal(seen.device, "cuda", "the device of the probabilities")
        assert_equal(seen.devices, {"cuda"}, "the devices of the parameters, after predict_proba,")
        assert_tensor(seen.out, in_eval(model, x), "`predict_proba` on the GPU", rtol=1e-3, atol=1e-4)


RESIZED = 0.07  # the lesson's tolerance for an image that has to be resized; 0.02 for others


def photo(rng, name: str, left: int, top: int, width: int, height: int) -> Image.Image:
    """A part of a photograph, moved a few pixels at random. With a shorter side of 256, the longer one is even, too."""
    left, top = left + rng.integer(-6, 6), top + rng.integer(-6, 6)
    with Image.open(io.BytesIO(hidden_file(f"{PHOTOS}/{name}"))) as image:
        return image.crop((left, top, left + width, top + height))


def palace(rng) -> Image.Image:
    return photo(rng, "china.jpg", 50, 30, 380, 256)


def daisy(rng) -> Image.Image:
    return photo(rng, "flower.jpg", 50, 30, 380, 256)


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, compress_level=1)
    return buffer.getvalue()


def expected_of(image: Image.Image) -> torch.Tensor:
    """The probabilities of all 1000 categories, worked out by hand from the five rules of the lesson."""
    image = image.convert("RGB")
    return probabilities_of(image.tobytes(), image.size)


@lru_cache(maxsize=32)  # a whole class is asked about the same photographs
def probabilities_of(rgb: bytes, size: tuple[int, int]) -> torch.Tensor:
    image = Image.frombytes("RGB", size, rgb)
    width, height = image.size
    scale = 256 / min(width, height)
    image = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), dtype=np.float32)
    x = torch.from_numpy((pixels - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        return solution.imagenet_network().eval()(x)[0].softmax(dim=0)


def assert_classified(got, expected: torch.Tensor, k: int, what: str, note: str = "", tolerance: float = 0.02) -> None:
    """`got` is the top `k` of `expected`: k pairs, by falling probability, each with its own, within the tolerance."""
    tail = f" {note}" if note else ""
    assert isinstance(got, list), f"{what} should be a list, but it is {short(got)}."
    assert len(got) == k, f"{what} should have {k} pairs, but has {len(got)}: {short(got)}."
    known, used = dict(zip(CATEGORIES, expected.tolist(), strict=True)), set()
    for pair, due in zip(got, expected.topk(k).values.tolist(), strict=True):
        good = type(pair) is tuple and [type(item) for item in pair] == [str, float]
        assert good, f"{what} should consist of tuples (str, float), but one item is {short(pair)}."
        label, probability = pair
        assert label in known, f"{what} has the label {label!r}, which is none of CATEGORIES."
        assert label not in used, f"{what} has the label {label!r} more than once."
        used.add(label)
        assert abs(probability - known[label]) <= tolerance, (
            f"{what} gives {label!r} the probability {probability:.3f}, but about {known[label]:.3f} is due.{tail}"
        )
        assert abs(probability - due) <= tolerance, (
            f"{what} should go by falling probability: {label!r} has {probability:.3f} where {due:.3f} is due.{tail}"
        )


@exercise("classify_image")
class TestClassifyImage:
    @pytest.mark.weight(2)
    def test_names_what_is_in_a_photograph(self, observe, rng):
        images = {"palace": palace(rng), "daisy": daisy(rng)}
        files = [file_of(image) for image in images.values()]

        def probe(m):
            seen = []
            with folder_of({}) as folder:
                for data in files:  # One after the other in the same place, as those of a camera.
                    (folder / "latest.png").write_bytes(data)
                    seen.append(m.classify_image(folder / "latest.png"))
            return seen

        for got, (label, image) in zip(observe(probe), images.items(), strict=True):
            what = f"`classify_image` of a photograph of a {label}"
            assert_classified(got, expected_of(image), 5, what, "Compare your steps with the five rules, one by one.")
            labels = [name for name, _ in got]
            assert label in labels, f"{what} should have {label!r} in its top 5, but has {labels}."

    def test_takes_the_middle_of_wide_and_tall_photographs(self, observe, rng):
        wide, tall = photo(rng, "china.jpg", 10, 30, 460, 256), photo(rng, "flower.jpg", 100, 7, 256, 306)
        files = {"wide.png": file_of(wide), "tall.png": file_of(tall)}

        def probe(m):
            with folder_of(files) as folder:
                return [m.classify_image(str(folder / name)) for name in files]

        note = "Is the aspect ratio kept, and is it the middle that is cut out?"
        for got, image, name in zip(observe(probe), (wide, tall), ("wide", "tall"), strict=True):
            assert_classified(got, expected_of(image), 5, f"`classify_image` of a {name} photograph", note)

    def test_brings_photographs_to_one_size(self, observe, rng):
        small = photo(rng, "flower.jpg", 90, 60, 180, 120)  # so small that 224 x 224 pixels are more than it has
        fine = photo(rng, "china.jpg", 160, 60, 160, 160).resize((640, 640), Image.Resampling.NEAREST)
        checks = (np.indices((640, 640)).sum(axis=0) % 2 * 2 - 1)[:, :, None] * 80
        fine = Image.fromarray(np.clip(np.asarray(fine).astype(int) + checks, 0, 255).astype(np.uint8))
        images = {"small photograph": small, "large image of fine checks": fine}
        files = {f"{index}.png": file_of(image) for index, image in enumerate(images.values())}

        def probe(m):
            with folder_of(files) as folder:
                return [m.classify_image(folder / name) for name in files]

        for got, (name, image) in zip(observe(probe), images.items(), strict=True):
            note = f"It has {image.width} x {image.height} pixels. How is it resized?"
            assert_classified(got, expected_of(image), 5, f"`classify_image` of a {name}", note, RESIZED)

    def test_grey_transparent_and_palette_images(self, observe, rng):
        ghost, grey = palace(rng), photo(rng, "camera.png", 8, 8, 256, 256)
        ghost.putalpha(Image.fromarray(rng.array((256, 380), np.uint8, 0, 255)))
        # Resized to 384 x 256: were a side to be rounded, its grain would fall otherwise when that is rounded up.
        few = photo(rng, "china.jpg", 30, 10, 450, 300).convert("P")
        images = {"transparent": ghost, "grey": grey, "palette": few}
        kinds = {"transparent": "PNG", "grey": "BMP", "palette": "PNG"}
        files = {f"{name}.{kind.lower()}": file_of(images[name], kind) for name, kind in kinds.items()}

        def probe(m):
            with folder_of(files) as folder:
                return [m.classify_image(folder / name) for name in files]

        for got, (name, image) in zip(observe(probe), images.items(), strict=True):
            note = f"Pillow opens the {kinds[name]} file in mode {image.mode!r}."
            tolerance = RESIZED if name == "palette" else 0.02
            assert_classified(got, expected_of(image), 5, f"`classify_image` of a {name} image", note, tolerance)

    def test_gives_as_many_categories_as_asked_for(self, observe, rng):
        image = daisy(rng)
        files = {"flower.png": file_of(image)}

        def probe(m):
            with folder_of(files) as folder:
                return m.classify_image(folder / "flower.png", 1000)

        everything = observe(probe)
        assert_classified(everything, expected_of(image), 1000, "`classify_image(path, 1000)`")
        probabilities = [probability for _, probability in everything]
        assert probabilities == sorted(probabilities, reverse=True), "the 1000 probabilities should fall, but do not."
        total = sum(probabilities)
        assert abs(total - 1) < 1e-4, f"all 1000 probabilities should sum to 1, but sum to {total:.4f}."
        assert_equal(sorted(label for label, _ in everything), sorted(CATEGORIES), "the labels for k=1000, sorted,")

    def test_asks_in_eval_mode_and_changes_nothing(self, observe, rng):
        image, k = palace(rng), rng.integer(6, 40)
        files = {"palace.png": file_of(image)}

        def probe(m):
            network = m.imagenet_network()
            state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            recorded, outs = [], []
            handle = network.register_forward_hook(lambda module, inputs, output: recorded.append(output.requires_grad))
            with folder_of(files) as folder:
                for count in (k, 1):
                    network.train()
                    network.training = count == k  # The second time, only its parts say that they train.
                    outs.append(m.classify_image(folder / "palace.png", count))
            handle.remove()
            changed = [name for name, tensor in network.state_dict().items() if not torch.equal(tensor, state[name])]
            grad = torch.is_grad_enabled()
            torch.set_grad_enabled(True)
            network.load_state_dict(state)
            return {"outs": outs, "changed": changed, "recorded": recorded, "grad": grad}

        seen = observe(probe)
        expected = expected_of(image)
        for got, count, when in zip(seen.outs, (k, 1), ("the network", "every part of it"), strict=True):
            assert_classified(got, expected, count, f"`classify_image`, with {when} left in training mode,")
        some = f"{len(seen.changed)} of its tensors changed, such as `{seen.changed[0]}`" if seen.changed else ""
        assert not seen.changed, f"the network should be as before, but {some}."
        assert not any(seen.recorded), "the logits were part of a graph: inference needs none."
        assert seen.grad, "gradients stay switched off after the call (`torch.is_grad_enabled()` is False)."


class Residual(nn.Module):
    """Adds to its branch in place, behind everybody's back."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.conv(x)
        out += x
        return self.act(out)


class Turn(nn.Module):
    """Channels last: a view of its input, not contiguous."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1)


def small_network(rng, channels: int, wide: int, classes: int) -> nn.Sequential:
    """(N, channels, 4, 3) -> (N, classes). Layer "0" is a convolution, "1" in place, "2.conv" nested, "6" the last."""
    model = nn.Sequential(
        nn.Conv2d(channels, wide, 1),
        nn.ReLU(inplace=True),
        Residual(wide),
        nn.BatchNorm2d(wide),
        nn.Flatten(),
        nn.Dropout(0.4),
        nn.Linear(wide * 12, classes),
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(rng.tensor(parameter.shape, low=-0.5, high=0.5))
        model[3].running_mean.copy_(rng.tensor((wide,)))
        model[3].running_var.copy_(rng.tensor((wide,), low=0.3, high=3.0))
    return model.eval()


def outputs_of(model: nn.Sequential, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What each layer of a `small_network` in eval mode gives, without a hook and with nothing in place."""
    with torch.no_grad():
        conv, residual, norm, linear = model[0], model[2].conv, model[3], model[6]
        seen = {"0": F.conv2d(x, conv.weight, conv.bias)}
        seen["1"] = seen["0"].clamp(min=0)
        seen["2.conv"] = F.conv2d(seen["1"], residual.weight, residual.bias, padding=1)
        seen["2.act"] = seen["2"] = (seen["2.conv"] + seen["1"]).clamp(min=0)
        statistics = [t[None, :, None, None] for t in (norm.running_mean, norm.running_var, norm.weight, norm.bias)]
        mean, variance, weight, bias = statistics
        seen["3"] = (seen["2"] - mean) / (variance + norm.eps).sqrt() * weight + bias
        seen["4"] = seen["5"] = seen["3"].reshape(len(x), -1)
        seen["6"] = F.linear(seen["5"], linear.weight, linear.bias)
    return {name: tensor.reshape(len(x), -1) for name, tensor in seen.items()}


@exercise("extract_features")
class TestExtractFeatures:
    @pytest.mark.weight(2)
    def test_gives_the_output_of_the_named_layer(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 2, 7)
        model, x = small_network(rng, channels, wide, classes), rng.strided((rows, channels, 4, 3))
        layers = rng.shuffled(["2", "2.act", "3", "4", "6"])
        body = nn.Sequential(OrderedDict(fc=nn.Linear(channels, wide), act=nn.ReLU()))
        twice = nn.Sequential(OrderedDict(body=body, fc=nn.Linear(wide, classes)))  # two layers with names in "fc"
        flat = rng.tensor((rows, channels))
        turning = nn.Sequential(OrderedDict(turn=Turn(), act=nn.Tanh()))

        def probe(m):
            outs = [m.extract_features(model, layer, x) for layer in layers]
            both = [m.extract_features(twice, name, flat) for name in ("fc", "body.fc")]
            turned = [m.extract_features(turning, name, x) for name in ("turn", "act")]
            return {"outs": outs, "x": x, "twice": both, "turned": turned}

        seen = observe(probe)
        expected = outputs_of(model, x)
        for out, layer in zip(seen.outs, layers, strict=True):
            assert_tensor(out, expected[layer], f"`extract_features` at layer {layer!r}", rtol=1e-4, atol=1e-4)
        assert_tensor(seen.x, x, "the batch, afterwards,", rtol=0, atol=0)
        with torch.no_grad():
            inside = [twice(flat), body.fc(flat)]
        for out, wanted, name in zip(seen.twice, inside, ("fc", "body.fc"), strict=True):
            note = "The model has a `fc` and a `body.fc`: the whole name counts."
            assert_tensor(out, wanted, f"`extract_features` at layer {name!r}", rtol=1e-4, atol=1e-4, note=note)
        turned = x.permute(0, 2, 3, 1).flatten(1)
        for out, wanted, name in zip(seen.turned, (turned, turned.tanh()), ("turn", "act"), strict=True):
            what = f"`extract_features` at layer {name!r}, whose output is permuted,"
            assert_tensor(out, wanted, what, rtol=1e-4, atol=1e-4)

    def test_later_work_in_place_does_not_reach_the_features(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 2, 7)
        model, x = small_network(rng, channels, wide, classes), rng.tensor((rows, channels, 4, 3))
        flat, filled = rng.tensor((rows, classes)), rng.tensor((rows, classes), low=3, high=9)

        def probe(m):
            outs = {layer: m.extract_features(model, layer, x) for layer in ("0", "2.conv")}
            outs["line"] = m.extract_features(nn.Sequential(nn.Identity(), nn.ReLU(inplace=True)), "0", flat.clone())
            source = flat.clone()
            kept = m.extract_features(nn.Sequential(nn.Identity()), "0", source)
            shared = shares_storage(kept, source)
            source.copy_(filled)
            return {"outs": outs, "kept": kept, "shared": shared}

        seen = observe(probe)
        expected = outputs_of(model, x)
        note = "The layer behind it works in place, in the memory of its output."
        for layer in ("0", "2.conv"):
            what = f"`extract_features` at layer {layer!r}"
            assert_tensor(seen.outs[layer], expected[layer], what, rtol=1e-4, atol=1e-4, note=note)
        assert_tensor(seen.outs["line"], flat, "`extract_features` at a layer before an in-place ReLU", note=note)
        note = "The layer hands its input on, so features and batch may share memory."
        assert_tensor(seen.kept, flat, "the features, after the batch was overwritten,", note=note)
        assert not seen.shared, "the features lie in the memory of the batch; they should have their own."

    def test_features_carry_no_graph_and_can_train_a_new_head(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 2, 7)
        model, x = small_network(rng, channels, wide, classes), rng.tensor((rows, channels, 4, 3))
        upstream = rng.strided((rows, 2))

        def probe(m):
            flags, grads, enabled = [], [], []
            for layer, batch in (("3", x), ("6", x.clone().requires_grad_()), ("pass", x.clone().requires_grad_())):
                network = nn.Sequential()
                network.add_module("pass", nn.Identity())
                for name, module in model.named_children():
                    network.add_module(name, module)
                with torch.enable_grad():
                    features = m.extract_features(network, layer, batch)
                    enabled.append(torch.is_grad_enabled())
                flags.append(features.requires_grad)
                with torch.enable_grad():
                    head = torch.ones(2, features.shape[1], requires_grad=True)
                    (features.detach().mm(head.t()) * upstream).sum().backward()
                grads.append(head.grad)
            torch.set_grad_enabled(True)
            return {"flags": flags, "grads": grads, "enabled": enabled}

        seen = observe(probe)
        expected = outputs_of(model, x)
        for grad, features in zip(seen.grads, (expected["3"], expected["6"], x.flatten(1)), strict=True):
            what = "the gradient of a new head, trained on the features,"
            assert_tensor(grad, upstream.t() @ features, what, rtol=1e-3, atol=1e-3)
        assert not any(seen.flags), "the features require gradients: they still hang on the graph of the model."
        assert all(seen.enabled), "gradients stay switched off after the call (`torch.is_grad_enabled()` is False)."

    def test_leaves_no_hook_behind(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 2, 7)
        model, x = small_network(rng, channels, wide, classes), rng.tensor((rows, channels, 4, 3))
        wrong = rng.tensor((rows, 1, 4, 3))
        stopped = nn.Sequential(nn.Tanh(), Raising(KeyboardInterrupt, "stop"))

        def hooks(network):
            everywhere = torch.nn.modules.module
            own = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules()]
            return sum(own) + len(everywhere._global_forward_hooks) + len(everywhere._global_forward_pre_hooks)

        def probe(m):
            calls = []
            model[3].register_forward_hook(lambda module, inputs, output: calls.append("mine"))
            model[6].register_forward_pre_hook(lambda module, inputs: calls.append("before"))
            counts = [hooks(model)]
            outs = [m.extract_features(model, "3", x)]
            counts.append(hooks(model))
            error = error_of(lambda: m.extract_features(model, "3", wrong))
            counts.append(hooks(model))
            outs.append(m.extract_features(model, "6", x))
            counts.append(hooks(model))
            calls.clear()
            model(x)
            came = interrupted(lambda: m.extract_features(stopped, "0", x))
            stop = {"came": came, "hooks": hooks(stopped)}
            return {"outs": outs, "counts": counts, "error": error, "calls": list(calls), "stop": stop}

        seen = observe(probe)
        expected = outputs_of(model, x)
        for out, layer in zip(seen.outs, ("3", "6"), strict=True):
            assert_tensor(out, expected[layer], f"`extract_features` at layer {layer!r}", rtol=1e-4, atol=1e-4)
        assert_error(seen.error, RuntimeError, "from the model, for a batch with one channel", "`extract_features`")
        before, after, raised, again = seen.counts
        assert after == before, f"the model had {before} hooks before `extract_features`, and {after} after it."
        assert raised == before, (
            f"the model had {before} hooks, and {raised} after it had raised in `extract_features`."
        )
        assert again == before, f"the model had {before} hooks, and {again} after a second `extract_features`."
        assert_equal(seen.calls, ["mine", "before"], "which hooks of others still run afterwards")
        stop = "the model was stopped by a KeyboardInterrupt"
        assert seen.stop["came"], f"{stop}, and it should come out of `extract_features`, but it did not."
        note = "It is no Exception: what is done on every way out?"
        assert_equal(seen.stop["hooks"], 0, f"the number of hooks left, after {stop},", note=note)

    def test_what_the_model_raises_comes_out_unchanged(self, observe, rng):
        rows, width = rng.sizes(2, 3, 7)
        x, message = rng.tensor((rows, width)), "no page of that number"
        raising = nn.Sequential(nn.Tanh(), Raising(LookupError, message), nn.Tanh())

        def probe(m):
            errors = [error_of(lambda name=name: m.extract_features(raising, name, x)) for name in ("0", "2")]
            return {"good": m.extract_features(raising[:1], "0", x), "errors": errors}

        seen = observe(probe)
        assert_tensor(seen.good, x.tanh(), "`extract_features` of a model that does not raise", rtol=1e-4, atol=1e-5)
        for error, when in zip(seen.errors, ("after the layer has run", "before the layer runs"), strict=True):
            about = f"from the model, which raises one {when}"
            assert_error(error, LookupError, about, "`extract_features`", match=message)

    def test_the_model_runs_in_the_modes_it_is_in(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 3, 7)
        model, x = small_network(rng, channels, wide, classes), rng.tensor((rows, channels, 4, 3))
        names = [name for name, _ in model.named_modules()]
        patterns = [[name != "3" for name in names], [False] * len(names), [True] * len(names)]

        def probe(m):
            seen = []
            for pattern in patterns:
                for module, mode in zip(model.modules(), pattern, strict=True):
                    module.training = mode
                out = m.extract_features(model, "3", x)
                seen.append((out, [module.training for module in model.modules()], int(model[3].num_batches_tracked)))
            return seen

        expected = outputs_of(model, x)
        with torch.no_grad():
            batch = expected["2"].reshape(rows, wide, 4, 3)
            trained = F.batch_norm(batch, None, None, model[3].weight, model[3].bias, training=True).flatten(1)
        frozen, still, training = observe(probe)
        what = "`extract_features` at a batch norm in {} mode"
        assert_tensor(frozen[0], expected["3"], what.format("eval"), rtol=1e-4, atol=1e-4)
        assert_tensor(still[0], expected["3"], what.format("eval"), rtol=1e-4, atol=1e-4)
        note = "It uses the statistics of the batch, because the caller left it so."
        assert_tensor(training[0], trained, what.format("training"), rtol=1e-3, atol=1e-3, note=note)
        for (_, modes, _), pattern in zip((frozen, still, training), patterns, strict=True):
            assert_equal(modes, pattern, "`training` of each module, after extract_features,")
        assert_equal(
            [seen[2] for seen in (frozen, still, training)], [0, 0, 1], "how many batches the batch norm counted"
        )

    def test_unknown_and_unused_layers(self, observe, rng):
        rows, channels, wide, classes = rng.sizes(4, 2, 7)
        model, x = small_network(rng, channels, wide, classes), rng.tensor((rows, channels, 4, 3))

        def probe(m):
            class Skipping(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.used, self.spare = model, nn.Linear(2, 2)

                def forward(self, x):
                    return self.used(x)

            network = Skipping()
            unknown = error_of(lambda: m.extract_features(network, "used.9", x))
            unused = error_of(lambda: m.extract_features(network, "spare", x))
            left = sum(len(module._forward_hooks) for module in network.modules())
            return {
                "unknown": unknown,
                "unused": unused,
                "left": left,
                "good": m.extract_features(network, "used.3", x),
            }

        seen = observe(probe)
        expected = outputs_of(model, x)["3"]
        assert_tensor(seen.good, expected, "`extract_features` at layer 'used.3'", rtol=1e-4, atol=1e-4)
        assert_error(seen.unknown, AttributeError, "for a name that the model does not have", "`extract_features`")
        assert_error(seen.unused, RuntimeError, "for a layer that the forward pass leaves out", "`extract_features`")
        assert_equal(seen.left, 0, "how many hooks are left after that")

    def test_a_layer_that_runs_twice_and_a_batch_of_one(self, observe, rng):
        rows, width = rng.sizes(2, 3, 7)
        x, one = rng.tensor((rows, width)), rng.tensor((1, 1, 2, 3))
        weight = rng.tensor((width, width))

        def probe(m):
            layer = nn.Linear(width, width, bias=False)
            with torch.no_grad():
                layer.weight.copy_(weight)
            runs = []
            layer.register_forward_hook(lambda module, inputs, output: runs.append(1))
            twice = nn.Sequential(layer, nn.Tanh(), layer)
            out = m.extract_features(twice, "0", x)
            count = len(runs)
            return {"out": out, "runs": count, "one": m.extract_features(nn.Sequential(nn.Tanh()), "0", one)}

        seen = observe(probe)
        expected = (x @ weight.t()).tanh() @ weight.t()
        note = "The layer runs twice: its last output counts."
        assert_tensor(seen.out, expected, "`extract_features` at a shared layer", rtol=1e-4, atol=1e-4, note=note)
        assert_equal(seen.runs, 2, "how often a layer ran that stands twice in the model")
        assert_tensor(seen.one, one.tanh().reshape(1, 6), "`extract_features` of a batch of one", rtol=1e-4, atol=1e-5)
