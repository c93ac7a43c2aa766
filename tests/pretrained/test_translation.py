"""Hidden suite of pretrained/translation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from grader.testing import assert_equal, assert_tensor, exercise


def as_output(levels, rng, dtype, slack=0.25):
    """What a generator would give for the grey levels (H, W, 3), each up to `slack` of a level off: (1, 3, H, W)."""
    values = levels.astype(np.float64) + rng.array(levels.shape, np.float64, -slack, slack)
    return torch.from_numpy(values / 127.5 - 1).permute(2, 0, 1)[None].to(dtype)


@exercise("generator_to_image")
class TestGeneratorToImage:
    @pytest.mark.weight(2)
    def test_minus_one_is_black_and_one_is_white(self, observe, rng):
        height, width = rng.sizes(2, 4, 9)
        levels = rng.array((height, width, 3), np.uint8, 1, 255)
        levels[1, 2], levels[3, 0] = (0, 128, 255), (255, 64, 0)
        out = as_output(levels, rng, torch.float32).clamp(-1, 1)
        seen = observe(lambda m: m.generator_to_image(out))
        assert_equal(seen, levels, "the image of pixels in [-1, 1]")

    def test_values_beyond_the_range_become_black_or_white(self, observe, rng):
        levels = rng.array((5, 4, 3), np.uint8, 20, 230)
        out = as_output(levels, rng, torch.float32)
        beyond = torch.tensor([1.02, 1.3, 2.5, 40.0, -1.02, -1.3, -2.5, -40.0])
        places = rng.shuffled([(row, column) for row in range(5) for column in range(4)])[: len(beyond)]
        for value, (row, column) in zip(beyond, places, strict=True):
            channel = rng.integer(0, 2)
            out[0, channel, row, column] = value
            levels[row, column, channel] = 255 if value > 0 else 0
        seen = observe(lambda m: m.generator_to_image(out))
        note = "Some values of `out` lie below -1 or above 1."
        assert_equal(seen, levels, "the image of pixels of which some lie beyond [-1, 1]", note=note)

    def test_fractions_are_rounded_to_the_nearest_level(self, observe, rng):
        levels = np.arange(256, dtype=np.uint8)
        levels = rng.numpy.permutation(np.repeat(levels, 3)).reshape(16, 16, 3)
        off = np.where(rng.numpy.random(levels.shape) < 0.5, -0.42, 0.42)
        off[levels == 0], off[levels == 255] = 0.42, -0.42
        out = torch.from_numpy((levels + off) / 127.5 - 1).permute(2, 0, 1)[None].float()
        seen = observe(lambda m: m.generator_to_image(out))
        assert_equal(seen, levels, "the image of pixels 0.42 of a level beside a whole number")

    def test_an_image_of_one_row_or_column_keeps_its_shape(self, observe, rng):
        shapes = [(1, rng.integer(2, 7), 3), (rng.integer(2, 7), 1, 3), (1, 1, 3), (3, 1, 3), (1, 3, 3)]
        images = [rng.array(shape, np.uint8, 1, 255) for shape in shapes]
        outs = [as_output(levels, rng, torch.float32) for levels in images]
        seen = observe(lambda m: [m.generator_to_image(out) for out in outs])
        for got, levels in zip(seen, images, strict=True):
            height, width, _ = levels.shape
            assert_equal(got, levels, f"the image of an output with H={height}, W={width}")

    def test_takes_an_output_with_its_graph_and_leaves_it_alone(self, observe, rng):
        levels = rng.array((4, 6, 3), np.uint8, 1, 255)
        source = as_output(levels, rng, torch.float32)
        source[0, 1, 2, 3], levels[2, 3, 1] = 1.5, 255

        def probe(m):
            leaf = source.clone().requires_grad_()
            out = leaf * 1.0
            kept = m.generator_to_image(leaf)
            image = m.generator_to_image(out)
            out.sum().backward()
            plain = source.clone()
            m.generator_to_image(plain)
            return {
                "image": image,
                "of the leaf": kept,
                "out": out.detach(),
                "plain": plain,
                "gradient": leaf.grad,
                "needs": (out.requires_grad, leaf.requires_grad),
            }

        seen = observe(probe)
        assert_equal(seen["image"], levels, "the image of an output that has a graph")
        assert_equal(seen["of the leaf"], levels, "the image of a leaf with requires_grad")
        for name in ("out", "plain"):
            assert_tensor(seen[name], source, "`out` afterwards", rtol=0, atol=0)
        assert_tensor(seen["gradient"], torch.ones_like(source), "the gradient that `out` passes on afterwards")
        assert_equal(seen["needs"], (True, True), "requires_grad of `out` and of the leaf afterwards")

    def test_takes_every_float_dtype_and_any_strides(self, observe, rng):
        height, width = rng.sizes(2, 3, 8)
        levels = rng.array((height, width, 3), np.uint8, 1, 255)
        outs = {str(dtype): as_output(levels, rng, dtype) for dtype in (torch.float16, torch.float64)}
        outs["channels last"] = as_output(levels, rng, torch.float32).to(memory_format=torch.channels_last)
        turned = as_output(levels, rng, torch.float32).transpose(2, 3).contiguous().transpose(2, 3)
        outs["transposed"] = turned
        batch = torch.cat([-turned, turned])
        outs["one of a batch"] = batch[1:]
        seen = observe(lambda m: [m.generator_to_image(out) for out in outs.values()])
        for got, name in zip(seen, outs, strict=True):
            assert_equal(got, levels, f"the image of an output that is {name}")

    def test_bfloat16_is_not_calculated_with(self, observe, rng):
        out = rng.tensor((1, 3, 7, 11), torch.bfloat16, -1.0, 1.0)
        # Halfway between two levels, either is right: move such values to the next one.
        exact = (out.double() + 1) * 127.5
        out = torch.where(((exact % 1) - 0.5).abs() < 0.02, torch.tensor(-0.25, dtype=torch.bfloat16), out)
        expected = ((out.double() + 1) * 127.5).round()[0].permute(1, 2, 0).numpy().astype(np.uint8)
        seen = observe(lambda m: m.generator_to_image(out))
        assert_equal(seen, expected, "the image of a bfloat16 output", note="It has too few digits to calculate in.")


def shapes_of(width, blocks):
    """The keys of a Generator's state_dict, with the shapes that the lesson states."""
    shapes = {
        "enter.weight": (width, 3, 7, 7),
        "down1.weight": (2 * width, width, 3, 3),
        "down2.weight": (4 * width, 2 * width, 3, 3),
        "up1.weight": (2 * width, 4 * width, 3, 3),
        "up2.weight": (width, 2 * width, 3, 3),
        "leave.weight": (3, width, 7, 7),
        "leave.bias": (3,),
    }
    for number in range(blocks):
        for name in ("conv1", "conv2"):
            shapes[f"blocks.{number}.{name}.weight"] = (4 * width,) * 2 + (3, 3)
    return shapes


def random_state(shapes, rng, dtype=torch.float64):
    """Weights that keep the size of what they are applied to, more or less; a bias that shows."""
    state = {}
    for key in rng.shuffled(list(shapes)):
        fan = math.prod(shapes[key][1:])
        reach = (3 / fan) ** 0.5 if fan > 1 else 0.5
        state[key] = rng.tensor(shapes[key], dtype, -reach, reach)
    return state


def convolve(x, weight, bias=None, stride=1):
    edge = weight.shape[-1] // 2
    return F.conv2d(F.pad(x, (edge,) * 4, mode="reflect"), weight, bias, stride)


def normalise(x):
    centred = x - x.mean((2, 3), keepdim=True)
    return centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt()


def block_of(x, first, second):
    return x + normalise(convolve(normalise(convolve(x, first)).clamp_min(0), second))


def generated(x, state):
    """What the generator with the weights `state` makes of x, written out without a single layer of torch.nn."""
    x = normalise(convolve(x, state["enter.weight"])).clamp_min(0)
    for name in ("down1", "down2"):
        x = normalise(convolve(x, state[f"{name}.weight"], stride=2)).clamp_min(0)
    for number in range(sum(key.endswith("conv1.weight") for key in state)):
        x = block_of(x, state[f"blocks.{number}.conv1.weight"], state[f"blocks.{number}.conv2.weight"])
    for name in ("up1", "up2"):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = normalise(convolve(x, state[f"{name}.weight"])).clamp_min(0)
    return torch.tanh(convolve(x, state["leave.weight"], state["leave.bias"]))


def loaded(module, state):
    """`module` in float64 with the weights `state`; raises if the keys do not fit."""
    module.to(torch.float64).load_state_dict(state)
    return module


def block_state(channels, rng):
    return random_state({f"conv{n}.weight": (channels, channels, 3, 3) for n in (1, 2)}, rng)


@exercise("ResNetBlock")
class TestResNetBlock:
    def test_the_weights_have_the_stated_names_and_shapes(self, observe, rng):
        channels, (width, blocks) = rng.integer(2, 7), rng.sizes(2, 1, 3)

        def describe(module):
            keys = {key: tuple(value.shape) for key, value in module.state_dict().items()}
            kinds = {str(value.dtype) for value in module.state_dict().values()}
            trainable = {key for key, value in module.named_parameters() if value.requires_grad}
            return {"keys": keys, "dtypes": kinds, "trainable": trainable}

        def probe(m):
            made = m.ResNetBlock(channels), m.Generator(width, blocks), m.Generator(), m.Generator(5)
            return [describe(module) for module in made]

        names = f"ResNetBlock({channels})", f"Generator({width}, {blocks})", "Generator()", "Generator(5)"
        expected = [
            {f"conv{n}.weight": (channels, channels, 3, 3) for n in (1, 2)},
            shapes_of(width, blocks),
            shapes_of(16, 4),
            shapes_of(5, 4),
        ]
        for name, seen, keys in zip(names, observe(probe), expected, strict=True):
            missing, unexpected = sorted(keys.keys() - seen["keys"]), sorted(seen["keys"].keys() - keys)
            assert not missing, f"the state_dict of `{name}` lacks {', '.join(missing)}"
            assert not unexpected, f"the state_dict of `{name}` has {', '.join(unexpected)}, which should not be there"
            assert_equal(seen["keys"], keys, f"the shapes in the state_dict of `{name}`")
            assert_equal(seen["dtypes"], {"torch.float32"}, f"the dtypes in the state_dict of `{name}`")
            assert_equal(seen["trainable"], set(keys), f"the trainable parameters of `{name}`")

    def test_a_block_adds_to_its_input_what_it_computes(self, observe, rng):
        channels, height, width = rng.sizes(3, 3, 8)
        images = rng.strided((2, channels, height, width), torch.float64)
        small = rng.tensor((1, channels, 2, 3), torch.float64)
        state = block_state(channels, rng)
        idle = {key: torch.zeros_like(value) for key, value in state.items()}

        def probe(m):
            idle_block, block = loaded(m.ResNetBlock(channels), idle), loaded(m.ResNetBlock(channels), state)
            with torch.no_grad():
                return {"idle": idle_block(images), "out": block(images), "small": block(small), "images": images}

        seen = observe(probe)
        assert_tensor(seen.idle, images, "what a block with all weights 0 makes of its input", rtol=0, atol=1e-9)
        weights = state["conv1.weight"], state["conv2.weight"]
        assert_tensor(seen.out, block_of(images, *weights), "what a block makes of its input")
        assert_tensor(seen.small, block_of(small, *weights), "what a block makes of 2 by 3 pixels")
        assert_tensor(seen.images, images, "the block's input afterwards", rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_with_loaded_weights_it_translates_as_stated(self, observe, rng):
        cases = []
        for width, blocks in ((rng.integer(2, 3), 3), (1, 1), (4, 2), (1, 5)):
            height, length = (4 * size for size in rng.sizes(2, 2, 5))
            images = rng.tensor((rng.integer(1, 3), 3, height, length), torch.float64, -1.0, 1.0)
            cases.append((width, blocks, random_state(shapes_of(width, blocks), rng), images))

        def probe(m):
            with torch.no_grad():
                outs = [loaded(m.Generator(width, blocks), state)(images) for width, blocks, state, images in cases]
            return {"outs": outs, "inputs": [images for *_, images in cases]}

        seen = observe(probe)
        for (width, blocks, state, images), out in zip(cases, seen.outs, strict=True):
            what = f"what `Generator({width}, {blocks})` with given weights makes of {tuple(images.shape)}"
            assert_tensor(out, generated(images, state), what)
        for (*_, images), after in zip(cases, seen.inputs, strict=True):
            assert_tensor(after, images, "the generator's input afterwards", rtol=0, atol=0)

    def test_each_image_is_translated_by_itself(self, observe, rng):
        state = random_state(shapes_of(2, 2), rng)
        bright = torch.tensor([0.1, 0.9, 0.4], dtype=torch.float64).reshape(3, 1, 1, 1)
        images = rng.tensor((3, 3, 12, 8), torch.float64, -1.0, 1.0) * bright - bright / 5

        def probe(m):
            net = loaded(m.Generator(2, 2), state)
            with torch.no_grad():
                together = net(images)
                apart = torch.cat([net(image[None]) for image in images])
                judged = net.eval()(images)
                alone = net(images[2:])
            return {"together": together, "apart": apart, "judged": judged, "alone": alone}

        seen = observe(probe)
        expected = generated(images, state)
        assert_tensor(seen.together, expected, "what three images in one batch become")
        assert_tensor(seen.apart, expected, "what three images become one by one")
        note = "Nothing in this network depends on the mode."
        assert_tensor(seen.judged, expected, "what three images become after `eval()`", note=note)
        assert_tensor(seen.alone, expected[2:], "what the last image becomes after `eval()`", note=note)

    def test_gradients_reach_the_image_and_every_weight(self, observe, rng):
        state = random_state(shapes_of(2, 2), rng)
        images = rng.tensor((2, 3, 8, 12), torch.float64, -1.0, 1.0)
        upstream = rng.tensor((2, 3, 12, 8), torch.float64).transpose(2, 3)

        def probe(m):
            net = loaded(m.Generator(2, 2), state)
            pixels = images.clone().requires_grad_()
            (net(pixels) * upstream).sum().backward()
            gradients = {key: value.grad for key, value in net.named_parameters()}
            return {"pixels": pixels.grad, "weights": gradients}

        seen = observe(probe)
        leaves = {key: value.clone().requires_grad_() for key, value in state.items()}
        pixels = images.clone().requires_grad_()
        (generated(pixels, leaves) * upstream).sum().backward()
        assert_tensor(seen.pixels, pixels.grad, "the gradient of the input image")
        for key in shapes_of(2, 2):
            assert_tensor(seen.weights.get(key), leaves[key].grad, f"the gradient of {key}")

    def test_gradients_pass_through_a_block(self, observe, rng):
        state = block_state(4, rng)
        images = rng.tensor((2, 4, 5, 3), torch.float64)
        # Not `rng.strided`: torch's own norm returns wrong gradients for some upstream strides.
        upstream = rng.tensor((2, 4, 3, 5), torch.float64).transpose(2, 3)

        def probe(m):
            block = loaded(m.ResNetBlock(4), state)
            pixels = images.clone().requires_grad_()
            (block(pixels * 1.0) * upstream).sum().backward()
            return {"pixels": pixels.grad, "weights": {key: value.grad for key, value in block.named_parameters()}}

        seen = observe(probe)
        leaves = {key: value.clone().requires_grad_() for key, value in state.items()}
        pixels = images.clone().requires_grad_()
        (block_of(pixels, leaves["conv1.weight"], leaves["conv2.weight"]) * upstream).sum().backward()
        assert_tensor(seen.pixels, pixels.grad, "the gradient of a block's input")
        for key in state:
            assert_tensor(seen.weights.get(key), leaves[key].grad, f"the gradient of a block's {key}")


def painter(weight, bias):
    """A tiny generator: 1x1 convolution and tanh, in float64."""
    net = nn.Sequential(nn.Conv2d(weight.shape[1], weight.shape[0], 1), nn.Tanh()).to(torch.float64)
    net.load_state_dict({"0.weight": weight, "0.bias": bias})
    return net


def painted(images, weight, bias):
    """What `painter` makes of images, without torch.nn."""
    return torch.tanh(torch.einsum("nchw,dc->ndhw", images, weight[:, :, 0, 0]) + bias[:, None, None])


def painters(rng):
    """The weights of two painters that are nothing like each other's inverse."""
    return [(rng.tensor((3, 3, 1, 1), torch.float64), rng.tensor((3,), torch.float64)) for _ in range(2)]


@exercise("cycle_loss")
class TestCycleLoss:
    def test_translate_and_back_gives_both_images(self, observe, rng):
        first, second = painters(rng)
        images = rng.strided((2, 3, 4, 5), torch.float64, -1.0, 1.0)

        def probe(m):
            translated, returned = m.translate_and_back(painter(*first), painter(*second), images)
            plain = m.translate_and_back(lambda x: 300 * x, lambda x: x - 0.5, images)
            calls = []

            def restless(x):
                calls.append("call")
                return x + len(calls)

            changing = m.translate_and_back(restless, lambda x: 2 * x, images)
            return {"translated": translated, "returned": returned, "plain": plain, "again": changing, "images": images}

        seen = observe(probe)
        translated = painted(images, *first)
        assert_tensor(seen.translated, translated, "`translated`")
        assert_tensor(seen.returned, painted(translated, *second), "`returned`")
        assert_equal(seen.plain, (300 * images, 300 * images - 0.5), "`translate_and_back` with two plain functions")
        what = "`translate_and_back` with a generator that, as with dropout, gives another image each time"
        note = "What comes back should be made of the very image that is returned as `translated`."
        assert_equal(seen.again, (images + 1, 2 * images + 2), what, note=note)
        assert_tensor(seen.images, images, "`images` afterwards", rtol=0, atol=0)

    def test_translate_and_back_keeps_the_graph(self, observe, rng):
        first, second = painters(rng)
        images = rng.tensor((2, 3, 4, 5), torch.float64, -1.0, 1.0)
        upstream = [rng.strided((2, 3, 4, 5), torch.float64) for _ in range(2)]

        def probe(m):
            there, back = painter(*first), painter(*second)
            gradients = []
            for place in (0, 1):
                pixels = images.clone().requires_grad_()
                (m.translate_and_back(there, back, pixels)[place] * upstream[place]).sum().backward()
                gradients.append([pixels.grad, *(p.grad for p in (*there.parameters(), *back.parameters()))])
                there.zero_grad(), back.zero_grad()
            return gradients

        seen = observe(probe)
        weights = [f"the {part} of `{net}`" for net in ("there", "back") for part in ("weight", "bias")]
        for place, name in enumerate(("translated", "returned")):
            leaves = [t.clone().requires_grad_() for t in (images, *first, *second)]
            translated = painted(leaves[0], leaves[1], leaves[2])
            out = painted(translated, leaves[3], leaves[4]) if place else translated
            (out * upstream[place]).sum().backward()
            for part, got, leaf in zip(["the images", *weights], seen[place], leaves, strict=True):
                if leaf.grad is not None:
                    assert_tensor(got, leaf.grad, f"the gradient that reaches {part} from `{name}`")

    @pytest.mark.weight(2)
    def test_both_cycles_are_compared_with_where_they_began(self, observe, rng):
        ab, ba = painters(rng)
        real_a = rng.tensor((2, 3, 4, 5), torch.float64, -1.0, 1.0)
        real_b = rng.tensor((2, 3, 4, 5), torch.float64, -0.5, 2.0)

        def probe(m):
            g_ab, g_ba = painter(*ab), painter(*ba)
            loss = m.cycle_loss(g_ab, g_ba, real_a, real_b)
            other_way = m.cycle_loss(g_ba, g_ab, real_a, real_b)
            return {"loss": loss, "other way": other_way, "inputs": [real_a, real_b]}

        seen = observe(probe)

        def loss(ab, ba):
            gap_a = painted(painted(real_a, *ab), *ba) - real_a
            gap_b = painted(painted(real_b, *ba), *ab) - real_b
            return gap_a.abs().mean() + gap_b.abs().mean()

        assert_tensor(seen["loss"], loss(ab, ba), "`cycle_loss(g_ab, g_ba, real_a, real_b)`")
        assert_tensor(seen["other way"], loss(ba, ab), "`cycle_loss(g_ba, g_ab, real_a, real_b)`")
        for name, got, kept in zip(("real_a", "real_b"), seen["inputs"], (real_a, real_b), strict=True):
            assert_tensor(got, kept, f"`{name}` afterwards", rtol=0, atol=0)

    def test_only_what_comes_back_is_compared(self, observe, rng):
        real_a, real_b = rng.tensor((2, 3, 4, 5)), rng.tensor((2, 3, 4, 5), low=3.0, high=5.0)
        far = rng.uniform(3, 6)

        def probe(m):
            inverse = m.cycle_loss(lambda x: far * x, lambda x: x / far, real_a, real_b)
            half = m.cycle_loss(lambda x: x + far, lambda x: x - far + 0.25, real_a, real_b)
            still = m.cycle_loss(lambda x: x, lambda x: x, real_a, real_b)
            return {"inverse": inverse, "half": half, "still": still, "inputs": [real_a, real_b]}

        seen = observe(probe)
        note = "Every image comes back as it was, however far it went."
        assert_tensor(seen.inverse, torch.tensor(0.0), "the loss of two generators that undo each other", note=note)
        what = "the loss where every pixel comes back 0.25 brighter, in both cycles,"
        assert_tensor(seen.half, torch.tensor(0.5), what)
        assert_tensor(seen.still, torch.tensor(0.0), "the loss of two generators that return the very batch they get")
        for name, got, kept in zip(("real_a", "real_b"), seen.inputs, (real_a, real_b), strict=True):
            what = f"`{name}`, after a cycle of generators that return the very batch they get,"
            assert_tensor(got, kept, what, rtol=0, atol=0)

    def test_the_two_batches_may_have_different_sizes(self, observe, rng):
        ab, ba = painters(rng)
        height, width, other_height, other_width = rng.sizes(4, 2, 7)
        real_a = rng.tensor((rng.integer(3, 4), 3, height, width), torch.float64, -1.0, 1.0)
        real_b = rng.strided((rng.integer(1, 2), 3, other_height, other_width), torch.float64, -1.0, 1.0)
        seen = observe(lambda m: m.cycle_loss(painter(*ab), painter(*ba), real_a, real_b))
        expected = 0.0
        for real, there, back in ((real_a, ab, ba), (real_b, ba, ab)):
            expected = expected + (painted(painted(real, *there), *back) - real).abs().sum() / real.numel()
        assert_tensor(seen, expected, f"the loss of {tuple(real_a.shape)} and {tuple(real_b.shape)}")

    def test_the_gradient_reaches_both_generators_through_both_cycles(self, observe, rng):
        ab, ba = painters(rng)
        real_a = rng.tensor((3, 3, 4, 2), torch.float64, -1.0, 1.0)
        real_b = rng.tensor((2, 3, 3, 5), torch.float64, -1.0, 1.0)
        upstream = rng.uniform(1.5, 3.0)

        def probe(m):
            g_ab, g_ba = painter(*ab), painter(*ba)
            (m.cycle_loss(g_ab, g_ba, real_a, real_b) * upstream).backward()
            return [p.grad for p in (*g_ab.parameters(), *g_ba.parameters())]

        seen = observe(probe)
        leaves = [t.clone().requires_grad_() for t in (*ab, *ba)]
        loss = (painted(painted(real_a, *leaves[:2]), *leaves[2:]) - real_a).abs().mean()
        loss = loss + (painted(painted(real_b, *leaves[2:]), *leaves[:2]) - real_b).abs().mean()
        (loss * upstream).backward()
        parts = ("the weight of g_ab", "the bias of g_ab", "the weight of g_ba", "the bias of g_ba")
        for part, got, leaf in zip(parts, seen, leaves, strict=True):
            assert_tensor(got, leaf.grad, f"the gradient that reaches {part}")


def critic(weights):
    """A tiny discriminator: one score for each 2 by 2 patch, in float64."""
    net = nn.Sequential(nn.Conv2d(3, 4, 2, stride=2), nn.LeakyReLU(0.3), nn.Conv2d(4, 1, 1)).to(torch.float64)
    net.load_state_dict(weights)
    return net


def critic_weights(rng):
    shapes = {"0.weight": (4, 3, 2, 2), "0.bias": (4,), "2.weight": (1, 4, 1, 1), "2.bias": (1,)}
    return {key: rng.tensor(shape, torch.float64, -1.0, 1.0) for key, shape in shapes.items()}


def scores_of(images, weights):
    """What `critic` says, by torch.nn.functional."""
    hidden = F.leaky_relu(F.conv2d(images, weights["0.weight"], weights["0.bias"], stride=2), 0.3)
    return F.conv2d(hidden, weights["2.weight"], weights["2.bias"])


def cross_entropy(scores, target):
    """Mean binary cross entropy of logits: log(1 + exp(-s)) for the target 1, log(1 + exp(s)) for 0."""
    return torch.logaddexp(torch.zeros_like(scores), -scores if target else scores).mean()


def expected_losses(real_scores, fake_scores):
    return cross_entropy(real_scores, 1) + cross_entropy(fake_scores, 0), cross_entropy(fake_scores, 1)


def batches(rng):
    """A batch of real and one of fake images, of different sizes, and an image that the fakes are made of."""
    real = rng.strided((4, 3, 4, 6), torch.float64)
    noise = rng.tensor((3, 3, 2, 4), torch.float64)
    return real, noise


@exercise("gan_losses")
class TestGanLosses:
    def test_the_losses_are_those_of_the_stated_targets(self, observe, rng):
        weights, (real, fake) = critic_weights(rng), batches(rng)
        row = rng.tensor((2, 1, 1, 1), torch.float64, -3.0, 3.0)
        other = rng.tensor((5, 1, 1, 1), torch.float64, 1.0, 4.0)

        def probe(m):
            d_loss, g_loss = m.gan_losses(critic(weights), real, fake)
            flat = m.gan_losses(lambda images: images.flatten(), row, other)
            return {"d": d_loss, "g": g_loss, "flat": flat, "inputs": [real, fake]}

        seen = observe(probe)
        d_loss, g_loss = expected_losses(scores_of(real, weights), scores_of(fake, weights))
        assert_tensor(seen.d, d_loss, "`d_loss`")
        assert_tensor(seen.g, g_loss, "`g_loss`")
        assert_equal(seen.flat, expected_losses(row, other), "(d_loss, g_loss) for one score an image")
        for name, got, kept in zip(("real", "fake"), seen.inputs, (real, fake), strict=True):
            assert_tensor(got, kept, f"`{name}` afterwards", rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_d_loss_trains_the_discriminator_and_not_the_generator(self, observe, rng):
        weights, maker, (real, noise) = critic_weights(rng), painters(rng)[0], batches(rng)
        upstream = rng.uniform(1.5, 3.0)

        def probe(m):
            discriminator, generator = critic(weights), painter(*maker)
            fake = generator(noise)
            fake.retain_grad()
            d_loss, _ = m.gan_losses(discriminator, real, fake)
            (d_loss * upstream).backward()
            return {
                "discriminator": {key: p.grad for key, p in discriminator.named_parameters()},
                "generator": [fake.grad, *(p.grad for p in generator.parameters())],
            }

        seen = observe(probe)
        leaves = {key: value.clone().requires_grad_() for key, value in weights.items()}
        fake = painted(noise, *maker)
        (expected_losses(scores_of(real, leaves), scores_of(fake, leaves))[0] * upstream).backward()
        for key in weights:
            what = f"the gradient of d_loss for the discriminator's {key}"
            assert_tensor(seen.discriminator[key], leaves[key].grad, what)
        parts = ("`fake`", "the generator's weight", "the generator's bias")
        for part, grad in zip(parts, seen.generator, strict=True):
            nothing = grad is None or not bool(grad.any())
            assert nothing, f"d_loss leaves a gradient in {part}: it would train the generator to be caught"

    @pytest.mark.weight(2)
    def test_g_loss_trains_the_generator(self, observe, rng):
        weights, maker, (real, noise) = critic_weights(rng), painters(rng)[0], batches(rng)
        upstream = rng.uniform(1.5, 3.0)

        def probe(m):
            generator = painter(*maker)
            _, g_loss = m.gan_losses(critic(weights), real, generator(noise))
            (g_loss * upstream).backward()
            return [p.grad for p in generator.parameters()]

        seen = observe(probe)
        leaves = [t.clone().requires_grad_() for t in maker]
        (cross_entropy(scores_of(painted(noise, *leaves), weights), 1) * upstream).backward()
        for part, got, leaf in zip(("weight", "bias"), seen, leaves, strict=True):
            note = "It should come to the generator through the discriminator." if got is None else ""
            assert_tensor(got, leaf.grad, f"the gradient of g_loss for the generator's {part}", note=note)

    def test_backward_works_in_either_order(self, observe, rng):
        weights, maker, (real, noise) = critic_weights(rng), painters(rng)[0], batches(rng)

        def probe(m):
            seen = []
            for first in (0, 1):
                discriminator, generator = critic(weights), painter(*maker)
                losses = m.gan_losses(discriminator, real, generator(noise))
                gradients = [None, None]
                for turn in (first, 1 - first):
                    discriminator.zero_grad(), generator.zero_grad()
                    losses[turn].backward()
                    net = (discriminator, generator)[turn]
                    gradients[turn] = [p.grad for p in net.parameters()]
                seen.append(gradients)
            return seen

        seen = observe(probe)
        d_leaves = {key: value.clone().requires_grad_() for key, value in weights.items()}
        expected_losses(scores_of(real, d_leaves), scores_of(painted(noise, *maker), d_leaves))[0].backward()
        g_leaves = [t.clone().requires_grad_() for t in maker]
        cross_entropy(scores_of(painted(noise, *g_leaves), weights), 1).backward()
        for order, (of_d, of_g) in zip(("d_loss first", "g_loss first"), seen, strict=True):
            for got, leaf in zip(of_d, d_leaves.values(), strict=True):
                assert_tensor(got, leaf.grad, f"the gradient of d_loss for the discriminator, with {order},")
            for got, leaf in zip(of_g, g_leaves, strict=True):
                assert_tensor(got, leaf.grad, f"the gradient of g_loss for the generator, with {order},")

    def test_confident_scores_stay_exact(self, observe, rng):
        size = rng.uniform(750, 900)  # exp of it is infinite in float64, too
        real = torch.tensor([size, -size, 40.0, 1.5, -0.5, -25.0]).reshape(6, 1, 1, 1)
        fake = torch.tensor([-size, size, -60.0, 30.0]).reshape(4, 1, 1, 1)

        def probe(m):
            slope, pixels = torch.ones((), requires_grad=True), fake.clone().requires_grad_()
            d_loss, _ = m.gan_losses(lambda images: images * slope, real, pixels)
            d_loss.backward()
            leaf = fake.clone().requires_grad_()
            _, g_loss = m.gan_losses(lambda images: images * 1.0, real, leaf)
            g_loss.backward()
            return {"d": d_loss, "g": g_loss, "slope": slope.grad, "fake": leaf.grad}

        seen = observe(probe)
        slope, leaf = torch.ones((), dtype=torch.float64, requires_grad=True), fake.double().requires_grad_()
        d_loss, _ = expected_losses(real.double() * slope, fake.double() * slope)
        g_loss = cross_entropy(leaf, 1)
        (d_loss + g_loss).backward()
        logits = "for logits from -200 to 200 and beyond"
        assert_tensor(seen.d, d_loss.detach().float(), f"`d_loss` {logits}", rtol=1e-5, atol=1e-5)
        assert_tensor(seen.g, g_loss.detach().float(), f"`g_loss` {logits}", rtol=1e-5, atol=1e-5)
        assert_tensor(seen.slope, slope.grad.float(), f"the gradient of d_loss {logits}", rtol=1e-5, atol=1e-4)
        assert_tensor(seen.fake, leaf.grad.float(), f"the gradient of g_loss {logits}", rtol=1e-5, atol=1e-6)

    def test_real_and_fake_images_are_judged_apart(self, observe, rng):
        real, fake = rng.tensor((3, 2, 2, 3), torch.float64), rng.tensor((3, 2, 2, 3), torch.float64, 0.5, 3.0)
        seen = observe(lambda m: m.gan_losses(lambda images: images - images.mean() + 0.3, real, fake))
        expected = expected_losses(real - real.mean() + 0.3, fake - fake.mean() + 0.3)
        note = "Are real and fake images in one batch?"
        assert_equal(seen, expected, "(d_loss, g_loss) by a discriminator that looks at the whole batch", note=note)

    def test_nothing_but_the_losses_is_computed(self, observe, rng):
        weights, maker, (real, noise) = critic_weights(rng), painters(rng)[0], batches(rng)

        def probe(m):
            discriminator, generator = critic(weights), painter(*maker)
            discriminator[0].bias.requires_grad_(False)
            discriminator[2].bias.grad = torch.full((1,), 3.0, dtype=torch.float64)
            discriminator[1].eval()
            losses = m.gan_losses(discriminator, real, generator(noise))
            both = (*discriminator.parameters(), *generator.parameters())
            return {
                "losses": losses,
                "gradients": [p.grad for p in both],
                "flags": [p.requires_grad for p in both],
                "modes": [part.training for part in discriminator.modules()],
                "weights": list(discriminator.state_dict().values()),
            }

        seen = observe(probe)
        expected = expected_losses(scores_of(real, weights), scores_of(painted(noise, *maker), weights))
        assert_equal(seen.losses, expected, "(d_loss, g_loss)")
        kept = [None, None, None, torch.full((1,), 3.0, dtype=torch.float64), None, None]
        assert_equal(seen.gradients, kept, "the `.grad` of all parameters afterwards")
        assert_equal(seen.flags, [True, False, True, True, True, True], "the requires_grad flags afterwards")
        modes = [True, True, False, True]
        assert_equal(seen.modes, modes, "`training` of the discriminator and of its layers afterwards")
        assert_equal(seen.weights, list(weights.values()), "the weights of the discriminator afterwards")
