"""Hidden suite of pretrained/predictions."""

from __future__ import annotations

import io
import math

import pytest
import torch
from PIL import Image
from torch import nn

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, short

SYLLABLES = ("ba", "do", "ki", "lu", "me", "no", "pi", "ra", "su", "ty", "va", "ze")


def names(rng, count):
    """Class names, all different, in no order."""
    pairs = [first + second for first in SYLLABLES for second in SYLLABLES]
    return rng.python.sample(pairs, count)


def scores(rng, shape, dtype=torch.float32, gap=0.25):
    """Logits with steps of at least `gap` between any two of a row, and the places of each row, largest first.

    Rows lie at different heights: the first is all negative, the second all positive, the largest of the next one is
    not the largest by size. Only the comparison within a row names its winner.
    """
    rows, columns = shape
    heights = [-1.0, 1.0 + columns * 2 * gap, columns * gap]
    logits, orders = [], []
    for row in range(rows):
        ladder = [heights[row % 3] - (2 * step + rng.uniform(0, 1)) * gap for step in range(columns)]
        order = rng.shuffled(range(columns))
        if row and columns > 1 and order[0] == orders[row - 1][0]:
            order = order[1:] + order[:1]
        values = [0.0] * columns
        for place, value in zip(order, ladder, strict=True):
            values[place] = value
        logits.append(values)
        orders.append(order)
    return torch.tensor(logits, dtype=dtype).reshape(shape), orders


def close_scores(rng, shape):
    """float64 logits near 5000 that differ in a row by some 0.0001: less than the steps of float32 there."""
    logits, orders = scores(rng, shape, torch.float64, gap=1e-5)
    return logits + 5000.0, orders


def strided(t):
    """The same numbers in a view with an offset, whose rows and columns are swapped in memory."""
    rows, columns = t.shape
    wide = torch.full((columns, 2 * rows + 1), 1e6, dtype=t.dtype)
    wide[:, 1::2] = t.T
    return wide[:, 1::2].T


@exercise("top1_labels")
class TestTop1Labels:
    @pytest.mark.weight(2)
    def test_names_the_largest_logit_of_each_row(self, observe, rng):
        rows, columns = rng.sizes(2, 4, 9)
        cases = []
        for shape in ((rows, columns), (columns, rows), (2, 11), (3, 1)):
            logits, orders = scores(rng, shape)
            cases.append((logits, names(rng, shape[1]), orders))
        seen = observe(lambda m: [m.top1_labels(logits, labels) for logits, labels, _ in cases])
        for got, (logits, labels, orders) in zip(seen, cases, strict=True):
            expected = [labels[order[0]] for order in orders]
            assert_equal(got, expected, f"`top1_labels` of logits of shape {tuple(logits.shape)}")

    def test_one_image_gives_a_list_with_one_name(self, observe, rng):
        logits, orders = scores(rng, (3, rng.integer(4, 7)))
        labels = names(rng, logits.shape[1])
        seen = observe(lambda m: [m.top1_labels(logits[row : row + 1], labels) for row in range(3)])
        for got, order in zip(seen, orders, strict=True):
            assert_equal(got, [labels[order[0]]], "`top1_labels` of a batch of one")

    def test_no_image_gives_no_name(self, observe, rng):
        logits, orders = scores(rng, (2, 4))
        labels = names(rng, 4)
        seen = observe(lambda m: {"none": m.top1_labels(logits[:0], labels), "two": m.top1_labels(logits, labels)})
        assert_equal(seen.none, [], "`top1_labels` of logits of shape (0, 4)")
        assert_equal(seen.two, [labels[order[0]] for order in orders], "`top1_labels` of logits of shape (2, 4)")

    def test_large_logits_compare_as_well(self, observe, rng):
        labels = names(rng, 6)
        cases = []
        for gap, shift in ((600.0, 0.0), (0.25, -5000.0), (1e6, -3e9)):  # scores have no lower end either
            logits, orders = scores(rng, (4, 6), gap=gap)
            cases.append((logits + shift, orders))
        seen = observe(lambda m: [m.top1_labels(logits, labels) for logits, _ in cases])
        for got, (logits, orders) in zip(seen, cases, strict=True):
            note = f"The logits lie between {logits.min():.0f} and {logits.max():.0f}."
            assert_equal(got, [labels[order[0]] for order in orders], "`top1_labels` of large logits", note=note)

    def test_any_layout_and_dtype_and_requires_grad(self, observe, rng):
        forms = {
            "transposed logits with an offset": (torch.float32, strided),
            "float64 logits": (torch.float64, torch.clone),
            "float16 logits": (torch.float16, torch.clone),
            "bfloat16 logits": (torch.bfloat16, torch.clone),
            "logits that require grad": (torch.float32, lambda t: t.requires_grad_()),
        }
        cases = {}
        for form, (dtype, change) in forms.items():
            shape = tuple(rng.sizes(2, 3, 7))
            logits, orders = scores(rng, shape, dtype)
            cases[form] = (change(logits), names(rng, shape[1]), orders)
        logits, orders = close_scores(rng, (4, 6))
        cases["float64 logits that are equal in float32"] = (logits, names(rng, 6), orders)
        seen = observe(lambda m: {form: m.top1_labels(case[0], case[1]) for form, case in cases.items()})
        for form, (_, labels, orders) in cases.items():
            assert_equal(seen[form], [labels[order[0]] for order in orders], f"`top1_labels` of {form}")

    def test_two_classes_may_share_a_name(self, observe, rng):
        first, second, twin = names(rng, 3)
        labels = [twin, second, twin, first, second]
        logits = torch.full((5, 5), -1.0) + rng.tensor((5, 5), high=-1.5)
        winners = rng.shuffled(range(5))
        for row, winner in enumerate(winners):
            logits[row, winner] = 0.5
        expected = [labels[winner] for winner in winners]
        seen = observe(lambda m: {"out": m.top1_labels(logits, labels), "tuple": m.top1_labels(logits, tuple(labels))})
        assert_equal(seen.out, expected, f"`top1_labels` with the labels {labels}")
        assert_equal(seen.tuple, expected, "`top1_labels` with the labels in a tuple")

    def test_leaves_its_inputs_alone(self, observe, rng):
        logits, orders = scores(rng, (3, 5))
        labels = names(rng, 5)
        seen = observe(lambda m: {"out": m.top1_labels(logits, labels), "logits": logits, "labels": labels})
        assert_equal(seen.out, [labels[order[0]] for order in orders], "`top1_labels` of logits of shape (3, 5)")
        assert_tensor(seen.logits, logits, "`logits` afterwards", rtol=0, atol=0)
        assert_equal(seen.labels, labels, "`labels` afterwards")


def assert_predictions(got, logits, labels, orders, k, what, rtol=1e-4):
    """`got` lists the `k` best of each row; probabilities by Python's own exp, over all classes."""
    assert type(got) is list, f"{what} should be a list of lists, but it is {short(got)}."
    assert len(got) == len(orders), f"{what} should hold one list for each of {len(orders)} images, not {short(got)}."
    for row, (guesses, order) in enumerate(zip(got, orders, strict=True)):
        place = f"{what}, for image {row},"
        values = logits[row].tolist()
        exps = [math.exp(value - max(values)) for value in values]
        assert type(guesses) is list, f"{place} should be a list of tuples, but it is {short(guesses)}."
        count = min(k, len(order))
        assert len(guesses) == count, f"{place} should list {count} classes, but lists {len(guesses)}: {short(guesses)}"
        for rank, (guess, column) in enumerate(zip(guesses, order, strict=False)):
            expected = exps[column] / math.fsum(exps)
            spot = f"{place} at rank {rank},"
            pair = type(guess) is tuple and [type(part) for part in guess] == [str, float]
            assert pair, f"{spot} should be a tuple of a str and a float, but is {short(guess)}."
            label, probability = guess
            assert label == labels[column], f"{spot} should name {labels[column]!r}, but names {label!r}."
            close = abs(probability - expected) <= 1e-6 + rtol * expected
            assert close, f"{spot} should have the probability {expected:.6g}, but has {probability:.6g}."


@exercise("topk_predictions")
class TestTopkPredictions:
    @pytest.mark.weight(2)
    def test_lists_the_k_best_and_their_share_of_all_classes(self, observe, rng):
        cases = []
        for _ in range(3):
            k, rows, columns = sorted(rng.sizes(3, 2, 9))
            shape = (rows, columns) if len(cases) else (columns, rows)
            logits, orders = scores(rng, shape)
            cases.append((logits, names(rng, shape[1]), k, orders))
        seen = observe(lambda m: [m.topk_predictions(logits, labels, k) for logits, labels, k, _ in cases])
        for got, (logits, labels, k, orders) in zip(seen, cases, strict=True):
            what = f"`topk_predictions` of logits of shape {tuple(logits.shape)} with k={k}"
            assert_predictions(got, logits, labels, orders, k, what)

    def test_k_may_be_one_or_all_classes(self, observe, rng):
        columns = rng.integer(4, 7)
        logits, orders = scores(rng, (3, columns))
        labels = names(rng, columns)
        seen = observe(lambda m: [m.topk_predictions(logits, labels, k) for k in (1, columns)])
        for got, k in zip(seen, (1, columns), strict=True):
            what = f"`topk_predictions` of {columns} classes with k={k}"
            assert_predictions(got, logits, labels, orders, k, what)

    def test_a_k_above_the_number_of_classes_lists_all(self, observe, rng):
        columns = rng.integer(3, 6)
        more = columns + rng.integer(1, 4)
        cases = [scores(rng, (7, columns)), scores(rng, (3, 1))]  # more images than k, and a single class
        labels = names(rng, columns)
        seen = observe(lambda m: [m.topk_predictions(logits, labels[: logits.shape[1]], more) for logits, _ in cases])
        for got, (logits, orders) in zip(seen, cases, strict=True):
            what = f"`topk_predictions` of logits of shape {tuple(logits.shape)} with k={more}"
            assert_predictions(got, logits, labels, orders, more, what)

    def test_classes_with_hardly_any_share_are_listed_too(self, observe, rng):
        columns = rng.integer(4, 7)
        winner = rng.integer(0, columns - 1)
        # In float32 the probabilities of all others are 0, so they may come in any order: one name for all of them.
        sure, other = names(rng, 2)
        labels = [sure if column == winner else other for column in range(columns)]
        logits = rng.tensor((3, columns), low=-900.0, high=-300.0)
        logits[:, winner] = torch.tensor([1.0, 20.0, -2.0])
        orders = [[winner, *(column for column in range(columns) if column != winner)]] * 3
        ks = (columns - 1, columns + 2)
        seen = observe(lambda m: [m.topk_predictions(logits, labels, k) for k in ks])
        for got, k in zip(seen, ks, strict=True):
            what = f"`topk_predictions` of {columns} classes, one of which has nearly everything, with k={k}"
            assert_predictions(got, logits, labels, orders, k, what)

    def test_batches_of_one_and_of_none(self, observe, rng):
        logits, orders = scores(rng, (2, 5))
        labels = names(rng, 5)
        batches = (logits[:1], logits[1:], logits[:0])
        seen = observe(lambda m: [m.topk_predictions(batch, labels, 3) for batch in batches])
        for got, batch, places in zip(seen, batches, (orders[:1], orders[1:], []), strict=True):
            what = f"`topk_predictions` of logits of shape {tuple(batch.shape)}"
            assert_predictions(got, batch, labels, places, 3, what)

    def test_large_logits_give_probabilities_too(self, observe, rng):
        logits, orders = scores(rng, (3, 6))
        logits = logits + torch.tensor([[5000.0], [-3000.0], [200.0]])
        labels = names(rng, 6)
        seen = observe(lambda m: {"out": m.topk_predictions(logits, labels, 4)})
        what = "`topk_predictions` of logits near 5000, -3000 and 200"
        # float32 has steps of 0.0005 near 5000: whoever subtracts the logarithm of a sum there loses digits.
        assert_predictions(seen.out, logits, labels, orders, 4, what, rtol=2e-3)

    def test_two_classes_may_share_a_name(self, observe, rng):
        twin, other, third = names(rng, 3)
        labels = [twin, other, twin, third, other]
        logits, orders = scores(rng, (4, 5))
        seen = observe(
            lambda m: {
                "out": m.topk_predictions(logits, labels, 4),
                "tuple": m.topk_predictions(logits, tuple(labels), 4),
            }
        )
        assert_predictions(seen.out, logits, labels, orders, 4, f"`topk_predictions` with the labels {labels}")
        what = "`topk_predictions` with the labels in a tuple"
        assert_predictions(seen.tuple, logits, labels, orders, 4, what)

    def test_any_layout_and_requires_grad_and_inputs_unchanged(self, observe, rng):
        labels = names(rng, 6)
        cases = {"close": close_scores(rng, (4, 6))}
        for form, dtype in (("transposed", torch.float32), ("float64", torch.float64), ("leaf", torch.float32)):
            logits, orders = scores(rng, (4, 6), dtype)
            cases[form] = (strided(logits) if form == "transposed" else logits.requires_grad_(form == "leaf"), orders)

        def probe(m):
            return {
                "out": {form: m.topk_predictions(logits, labels, 3) for form, (logits, _) in cases.items()},
                "logits": {form: logits for form, (logits, _) in cases.items()},
                "labels": labels,
            }

        seen = observe(probe)
        kinds = {"transposed": "transposed logits", "float64": "float64 logits", "leaf": "logits that require grad"}
        kinds["close"] = "float64 logits that are equal in float32"
        for form, (logits, orders) in cases.items():
            assert_predictions(seen.out[form], logits, labels, orders, 3, f"`topk_predictions` of {kinds[form]}")
            assert_tensor(seen.logits[form], logits, "`logits` afterwards", rtol=0, atol=0)
        assert_equal(seen.labels, labels, "`labels` afterwards")


LEVEL = 1 / 255


def constants(rng):
    """Mean and standard deviation of three channels, all different."""
    mean = [value + rng.uniform(-0.02, 0.02) for value in rng.shuffled([0.31, 0.42, 0.58])]
    std = [value + rng.uniform(-0.01, 0.01) for value in rng.shuffled([0.19, 0.23, 0.28])]
    return mean, std


def noise(rng, height, width, channels=3):
    """Random pixels, (H, W, channels) uint8, none of them black or white."""
    return rng.tensor((height, width, channels), torch.uint8, 3, 241)


def slope(rng, height, width, steepness):
    """A smooth picture, (H, W, 3) uint8: from pixel to pixel, a channel changes by up to `steepness` levels."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    planes = []
    for across, down in rng.shuffled([(1.0, 0.5), (-0.9, 0.7), (0.7, -1.0)]):
        plane = steepness * (across * columns + down * rows)
        planes.append(plane - plane.min() + rng.uniform(4, 20))
    pixels = torch.stack(planes, dim=2)
    assert pixels.max() < 255, "this test made a picture that is too steep"
    return pixels.round().to(torch.uint8)


def png(pixels, mode="RGB", palette=None):
    """(H, W, ...) uint8 values as the bytes of a PNG file."""
    height, width = pixels.shape[:2]
    image = Image.frombytes(mode, (width, height), bytes(pixels.flatten().tolist()))
    if palette is not None:
        image.putpalette(palette.flatten().tolist())
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()


def prepared(pixels, size, mean, std):
    """What (H, W, 3) values should become: torch's antialiased resizing in float64, nothing of Pillow."""
    planes = pixels.permute(2, 0, 1).double()[None]
    height, width = (side * size // min(planes.shape[2:]) for side in planes.shape[2:])
    planes = nn.functional.interpolate(planes, size=(height, width), mode="bilinear", antialias=True)[0]
    top, left = (height - size) // 2, (width - size) // 2
    planes = planes[:, top : top + size, left : left + size]
    channels = [(plane / 255 - m) / s for plane, m, s in zip(planes, mean, std, strict=True)]
    return torch.stack(channels).float()


def plain(t):
    """torchvision's Image is a tensor as well; what comes back from a probe is a tensor and nothing more."""
    return t.as_subclass(torch.Tensor) if isinstance(t, torch.Tensor) else t


def run(files, sizes, mean, std):
    """A probe: preprocess each of these PNG files to its size."""
    jobs = list(zip(files, sizes, strict=True))
    return lambda m: [plain(m.preprocess(Image.open(io.BytesIO(file)), size, mean, std)) for file, size in jobs]


def assert_prepared(out, pixels, size, mean, std, what, levels, note=""):
    """`out` is what `prepared` says, to within so many of the 255 levels."""
    assert_tensor(out, prepared(pixels, size, mean, std), what, rtol=0, atol=levels * LEVEL / min(std), note=note)


@exercise("preprocess")
class TestPreprocess:
    @pytest.mark.weight(2)
    def test_scales_and_then_normalises_each_channel(self, observe, rng):
        mean, std = constants(rng)
        sizes = rng.sizes(3, 5, 12)
        pictures = [noise(rng, size, size) for size in sizes]
        files = [png(picture) for picture in pictures]
        seen = observe(
            lambda m: {
                "lists": run(files, sizes, mean, std)(m),
                "tuples": run(files, sizes, tuple(mean), tuple(std))(m),
            }
        )
        for form, outs in (("lists", seen.lists), ("tuples", seen.tuples)):
            for out, pixels, size in zip(outs, pictures, sizes, strict=True):
                what = f"the tensor of a {size} x {size} image with size={size} (mean and std as {form})"
                note = "Nothing has to be resized or cut off here."
                assert_prepared(out, pixels, size, mean, std, what, 0.02, note)

    def test_cuts_out_the_middle(self, observe, rng):
        mean, std = constants(rng)
        size = rng.integer(6, 9)
        more, most = sorted(rng.sizes(2, 1, 5))
        pictures = [noise(rng, size, size + 2 * more), noise(rng, size + 2 * most, size)]
        seen = observe(run([png(picture) for picture in pictures], [size, size], mean, std))
        for out, pixels in zip(seen, pictures, strict=True):
            what = f"the tensor of an image {pixels.shape[1]} wide and {pixels.shape[0]} high with size={size}"
            note = "The shorter side has the right size already: the longer one is cut, by as much at both ends."
            assert_prepared(out, pixels, size, mean, std, what, 0.02, note)

    @pytest.mark.weight(2)
    def test_resizes_the_shorter_side_and_keeps_the_proportions(self, observe, rng):
        mean, std = constants(rng)
        sizes = [rng.integer(7, 10), rng.integer(7, 10), 2 * rng.integer(4, 6), 2 * rng.integer(4, 6), 40]
        wide, tall, small_wide, small_tall, _ = sizes
        near, far = rng.shuffled([2, 3])
        pictures = [
            slope(rng, near * wide, near * (wide + 6), 2.5),
            slope(rng, far * (tall + 4), far * tall, 2.5),
            slope(rng, small_wide // 2, small_wide // 2 + 12, 4.0),  # three times as wide as high, or more
            slope(rng, small_tall // 2 + 4, small_tall // 2, 4.0),
            slope(rng, *rng.shuffled([80, 84]), 1.6),  # 5 % count, too
        ]
        seen = observe(run([png(picture) for picture in pictures], sizes, mean, std))
        for out, pixels, size in zip(seen, pictures, sizes, strict=True):
            what = f"the tensor of an image {pixels.shape[1]} wide and {pixels.shape[0]} high with size={size}"
            note = "Its colours rise evenly, so a difference means that it was stretched, or cut in another place."
            assert_prepared(out, pixels, size, mean, std, what, 2, note)

    def test_resizes_bilinear_with_antialiasing(self, observe, rng):
        mean, std = constants(rng)
        sizes = [rng.integer(6, 8), 2 * rng.integer(4, 6), 2 * rng.integer(3, 5)]
        sides = [3 * sizes[0], 5 * sizes[1] // 2, sizes[2] // 2]
        pictures = [noise(rng, side, side) for side in sides]
        seen = observe(run([png(picture) for picture in pictures], sizes, mean, std))
        for out, pixels, size, side in zip(seen, pictures, sizes, sides, strict=True):
            what = f"the tensor of a {side} x {side} image of random pixels with size={size}"
            note = "Another filter gives other values. Pillow's own choice, if none is named, is bicubic."
            assert_prepared(out, pixels, size, mean, std, what, 2, note)

    def test_grey_palettes_and_transparency_become_rgb(self, observe, rng):
        mean, std = constants(rng)
        size = rng.integer(5, 8)
        grey, veiled = noise(rng, size, size, 1), noise(rng, size, size, 2)
        indices, palette = rng.tensor((2 * size, 2 * size), torch.uint8, 0, 64), noise(rng, 64, 1)[:, 0]
        glass = noise(rng, 2 * size, 2 * size, 4)
        glass[..., 3] = rng.tensor((2 * size, 2 * size), torch.uint8, 0, 3) * 127
        cases = {
            "the tensor of a grey image (L)": (png(grey, "L"), grey[..., [0, 0, 0]]),
            "the tensor of a grey image with transparency (LA)": (png(veiled, "LA"), veiled[..., [0, 0, 0]]),
            "the tensor of an image with a palette (P)": (png(indices, "P", palette), palette[indices.long()]),
            "the tensor of an image with transparency (RGBA)": (png(glass, "RGBA"), glass[..., :3]),
        }
        seen = observe(run([file for file, _ in cases.values()], [size] * len(cases), mean, std))
        for out, (what, (_, pixels)) in zip(seen, cases.items(), strict=True):
            assert_prepared(out, pixels, size, mean, std, what, 2, "It should be converted to RGB before all else.")

    def test_sides_that_do_not_divide(self, observe, rng):
        mean, std = constants(rng)
        # For some pairs, `int(short * (size / short))` is one less than `size`.
        pairs = [(size, side) for size in range(13, 16) for side in range(22, 47)]
        tricky = [(size, side) for size, side in pairs if int(side * (size / side)) < size]
        cases = [rng.choice(tricky), rng.choice(tricky), rng.choice(pairs)]
        sizes = [size for size, _ in cases]
        pictures = []
        for index, (_, side) in enumerate(cases):
            sides = side, side + rng.integer(side // 2, side // 2 + 3)
            pictures.append(slope(rng, *(sides if index else sides[::-1]), 1.5))
        seen = observe(run([png(picture) for picture in pictures], sizes, mean, std))
        for out, pixels, size in zip(seen, pictures, sizes, strict=True):
            what = f"the tensor of an image {pixels.shape[1]} wide and {pixels.shape[0]} high with size={size}"
            # Whichever way sides and borders are rounded: a pixel more or less of the result is some three here.
            note = "Dark rows at the edge mean that the resized image was smaller than the square."
            assert_prepared(out, pixels, size, mean, std, what, 7, note)

    def test_leaves_the_image_alone(self, observe, rng):
        mean, std = constants(rng)
        size = rng.integer(5, 7)
        pixels = noise(rng, 3 * size, 3 * size)
        content = bytes(pixels.flatten().tolist())

        def probe(m):
            image = Image.frombytes("RGB", (3 * size, 3 * size), content)
            out = m.preprocess(image, size, mean, std)
            return {"out": plain(out), "size": list(image.size), "mode": image.mode, "content": image.tobytes()}

        seen = observe(probe)
        what = f"the tensor of an image of {3 * size} x {3 * size} pixels with size={size}"
        assert_prepared(seen.out, pixels, size, mean, std, what, 2)
        assert_equal(seen.size, [3 * size, 3 * size], "the size of the image afterwards")
        assert_equal(seen.mode, "RGB", "the mode of the image afterwards")
        assert seen.content == content, "The image should stay as it was, but its pixels are other ones afterwards."


def block(images):
    """The images one after another in a new dimension, by way of Python numbers."""
    numbers = torch.tensor([image.detach().tolist() for image in images], dtype=torch.float32)
    return numbers.reshape(len(images), *images[0].shape)


def refusal(m, images):
    """The error of `make_batch`, and what came out if there was none, which tells one mistake from another."""
    came = []
    error = error_of(lambda: came.append(m.make_batch(images)))
    return error, came


@exercise("make_batch")
class TestMakeBatch:
    @pytest.mark.weight(2)
    def test_each_image_gets_its_place(self, observe, rng):
        height, width = rng.sizes(2, 4, 7)
        plain_images = [rng.tensor((3, height, width)) for _ in range(rng.integer(4, 6))]
        views = [rng.strided((3, width, height)) for _ in range(2)]
        views.append(rng.tensor((height, width, 3)).permute(2, 1, 0))

        def probe(m):
            lists = [list(plain_images), list(views)]
            before = [[id(image) for image in images] for images in lists]
            plain, other = (m.make_batch(images) for images in lists)
            same = before == [[id(image) for image in images] for images in lists]
            return {"plain": plain, "views": other, "same": same}

        seen = observe(probe)
        assert_tensor(seen.plain, block(plain_images), f"the batch of {len(plain_images)} images", rtol=0, atol=0)
        assert_tensor(seen.views, block(views), "the batch of 3 images with other strides", rtol=0, atol=0)
        assert seen.same, "the caller's list should hold the same tensors afterwards, but it holds others."

    def test_batch_owns_its_memory(self, observe, rng):
        one = [rng.tensor((3, *rng.sizes(2, 3, 6)))]
        four = [rng.tensor((3, 4, 5)) for _ in range(4)]

        def probe(m):
            batches = [m.make_batch(one), m.make_batch(four)]
            kept = [batch.clone() for batch in batches]
            for batch in batches:
                batch.fill_(7.0)
            return {"batches": kept, "one": one, "four": four}

        seen = observe(probe)
        for batch, before, after in zip(seen.batches, (one, four), (seen.one, seen.four), strict=True):
            count = "one image" if len(before) == 1 else f"{len(before)} images"
            assert_tensor(batch, block(before), f"the batch of {count}", rtol=0, atol=0)
            assert_equal(len(after), len(before), "the length of the list of images afterwards")
            for image, was in zip(after, before, strict=True):
                what = f"an image, once the batch of {count} is overwritten,"
                assert_tensor(image, was, what, rtol=0, atol=0, note="The two share memory.")

    def test_takes_a_tuple_and_extreme_values(self, observe, rng):
        images = [rng.tensor((3, 2, 4)) for _ in range(3)]
        images[1][0, 0] = torch.tensor([float("inf"), -float("inf"), 1e-40, 3e38])
        seen = observe(lambda m: {"tuple": m.make_batch(tuple(images)), "list": m.make_batch(images)})
        assert_tensor(seen.tuple, block(images), "the batch of a tuple of 3 images", rtol=0, atol=0)
        assert_tensor(seen.list, block(images), "the batch of a list of 3 images", rtol=0, atol=0)

    def test_refuses_images_of_another_size(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        good = [rng.tensor((3, height, width)) for _ in range(3)]
        others = {
            "one image is larger": rng.tensor((3, height + 1, width)),
            "one image is smaller": rng.tensor((3, height, width - 1)),
            "height and width of one image are swapped": rng.tensor((3, width, height)),
            "one image has a single column, and would broadcast": rng.tensor((3, height, 1)),
            "one image has a single channel, and would broadcast": rng.tensor((1, height, width)),
            "one image lacks its channels, and would broadcast": rng.tensor((height, width)),
        }

        def probe(m):
            tries = []
            for kind, other in others.items():
                for place in (0, 1, 3):
                    tries.append((kind, place, *refusal(m, [*good[:place], other, *good[place:]])))
            return {"tries": tries, "good": m.make_batch(good)}

        seen = observe(probe)
        assert_tensor(seen.good, block(good), "the batch of three images of one size", rtol=0, atol=0)
        for kind, place, error, _ in seen.tries:
            assert_error(error, ValueError, f"when {kind} (here images[{place}])", "`make_batch`")

    def test_refuses_other_dtypes(self, observe, rng):
        shape = (3, *rng.sizes(2, 2, 6))
        good = [rng.tensor(shape) for _ in range(2)]
        others = {
            "a uint8 image": rng.tensor(shape, torch.uint8, 0, 255),
            "a float64 image": rng.tensor(shape, torch.float64),
            "a float16 image": rng.tensor(shape, torch.float16),
        }

        def probe(m):
            tries = []
            for kind, other in others.items():
                tries.append((f"{kind} before float32 ones", *refusal(m, [other, *good])))
                tries.append((f"{kind} after float32 ones", *refusal(m, [*good, other])))
                tries.append((f"{kind} alone", *refusal(m, [other])))
            return {"tries": tries, "good": m.make_batch(good)}

        seen = observe(probe)
        assert_tensor(seen.good, block(good), "the batch of two float32 images", rtol=0, atol=0)
        for kind, error, _ in seen.tries:
            assert_error(error, ValueError, f"for {kind}", "`make_batch`")

    def test_refuses_an_empty_list(self, observe, rng):
        good = [rng.tensor((3, 4, 2))]
        seen = observe(
            lambda m: {
                "list": refusal(m, []),
                "tuple": refusal(m, ()),
                "good": m.make_batch(good),
            }
        )
        assert_error(seen.list[0], ValueError, "without any image", "`make_batch([])`")
        assert_error(seen.tuple[0], ValueError, "without any image", "`make_batch(())`")
        assert_tensor(seen.good, block(good), "the batch of one image", rtol=0, atol=0)

    def test_a_network_with_loaded_parameters_takes_the_batch(self, observe, rng):
        count, height, width, classes = rng.sizes(4, 4, 9)
        images = [rng.tensor((3, height, width)) for _ in range(count)]
        parameters = {
            "1.weight": rng.tensor((5, 3 * height * width)),
            "1.bias": rng.tensor((5,)),
            "3.weight": rng.tensor((classes, 5)),
            "3.bias": rng.tensor((classes,)),
        }

        def probe(m):
            hidden = (nn.Flatten(), nn.Linear(3 * height * width, 5))
            network = nn.Sequential(*hidden, nn.ReLU(), nn.Linear(5, classes))
            network.load_state_dict(parameters)  # from here on, it is of use
            with torch.no_grad():
                return {"logits": network(m.make_batch(images))}

        seen = observe(probe)
        rows = []
        for image in images:
            hidden = (parameters["1.weight"] @ image.flatten() + parameters["1.bias"]).clamp(min=0)
            rows.append(parameters["3.weight"] @ hidden + parameters["3.bias"])
        note = "Row i should be what the network says about images[i] alone."
        assert_tensor(seen.logits, torch.stack(rows), "the logits of the batch", rtol=1e-4, atol=1e-3, note=note)
