"""Hidden suite of data_loading/images."""

from __future__ import annotations

import io
import json
import re

import numpy as np
import pytest
import torch
from PIL import Image

from grader.testing import assert_error, assert_tensor, error_of, exercise, folder_of


def encoded(picture, kind="PNG", **options):
    """The bytes of a file with this picture, an array or a Pillow image."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def attempt(call):
    """The error of a call that should raise one; what it returned in its place tells one mistake from another."""
    returned = []
    return {"error": error_of(lambda: returned.append(call())), "returned": returned}


def noise(rng, height, width, channels=3):
    """A picture of which no part looks like another: (height, width, channels), uint8."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return rng.numpy.integers(0, 256, shape).astype(np.uint8)


def channels_first(*pictures):
    return torch.stack([torch.tensor(picture.transpose(2, 0, 1).tolist(), dtype=torch.uint8) for picture in pictures])


def stretched(picture, size):
    """The picture (height, width, 3) at its new size, in float64: (3, size, size)."""
    planes = torch.tensor(picture.transpose(2, 0, 1).tolist(), dtype=torch.float64)
    options = {"mode": "bilinear", "antialias": True, "align_corners": False}
    return torch.nn.functional.interpolate(planes[None], (size, size), **options)[0]


def assert_pictures(got, expected, what, off=2.0, note=""):
    """A uint8 batch with the values of `expected` (float64), up to `off`."""
    comparable = isinstance(got, torch.Tensor) and got.dtype == torch.uint8
    got, wanted = (got.double(), expected) if comparable else (got, expected.to(torch.uint8))
    assert_tensor(got, wanted, what, rtol=0, atol=off, note=note)


@exercise("load_images")
class TestLoadImages:
    @pytest.mark.weight(2)
    def test_the_order_is_that_of_the_file_names(self, observe, rng):
        size = rng.integer(3, 6)
        # Upper case before lower, digit by digit. A file system that lists in the order of writing, or backwards,
        # gives one of the two folders in the wrong order.
        first = ["Z.png", "a.png", "a10.png", "a2.png", "b.png", "k-1.png", "k1.png"]
        second = ["B-9.png", "B.png", "C10.png", "C9.png", "_d.png", "e.png", "f f.png"]
        first, second = ({name: noise(rng, size, size) for name in names} for names in (first, second))
        files = [{name: encoded(picture) for name, picture in pictures.items()} for pictures in (first, second)]
        writing = [dict(files[0]), dict(reversed(files[1].items()))]

        def probe(m):
            seen = []
            for files in writing:
                with folder_of(files) as folder:
                    seen.append(m.load_images(folder, size))
            return seen

        for out, pictures in zip(observe(probe), (first, second), strict=True):
            note = f"The file names in their order: {', '.join(pictures)}."
            assert_tensor(out, channels_first(*pictures.values()), "the batch", rtol=0, atol=0, note=note)

    def test_names_that_end_in_png_jpg_or_jpeg_count(self, observe, rng):
        size = rng.integer(4, 8)
        colours = [rng.shuffled([20, 120, 220]) for _ in range(5)]
        plain = [np.full((size, size, 3), colour, np.uint8) for colour in colours]
        hidden = noise(rng, size, size)
        files = {
            "labels.csv": b"picture,label\na,1\n",
            "b.JPG": encoded(plain[1], "JPEG", quality=95),
            "d.PnG": encoded(plain[3]),
            "a.jpeg": encoded(plain[0], "JPEG", quality=95),
            "notes": b"no suffix at all",
            "e.jpg": encoded(plain[4], "JPEG", quality=95),
            "a.gif": encoded(hidden, "GIF"),
            "b.bmp": encoded(hidden, "BMP"),
            "c.png.part": encoded(hidden),
            "c.1.png": encoded(plain[2]),
            "more/b.png": encoded(hidden),
        }

        def probe(m):
            with folder_of(files) as folder:
                return m.load_images(folder, size)

        expected = torch.tensor(colours).double()[:, :, None, None].expand(5, 3, size, size)
        note = "The folder holds a.jpeg, b.JPG, c.1.png, d.PnG, e.jpg, besides other files and a folder."
        assert_pictures(observe(probe), expected, "the batch", off=5.0, note=note)

    def test_a_file_that_is_no_picture_is_named(self, observe, rng):
        size = rng.integer(3, 6)
        good = {"a.png": noise(rng, size, size), "b.png": noise(rng, size, size), "m.png": noise(rng, size, size)}
        files = {name: encoded(picture) for name, picture in good.items()}
        large = encoded(noise(rng, 40, 30))
        number = rng.integer(100, 999)
        broken = {
            f"cat{number}.png": ("text", b"this is no picture\n"),
            f"dog{number}.png": ("nothing", b""),
            f"emu{number}.png": ("half of a picture", large[: len(large) // 2]),
        }

        def probe(m):
            errors = {}
            for name, (_, content) in broken.items():
                with folder_of({**files, name: content}) as folder:
                    errors[name] = attempt(lambda: m.load_images(folder, size))
            with folder_of(files) as folder:
                return {"errors": errors, "good": m.load_images(folder, size)}

        seen = observe(probe)
        for name, (content, _) in broken.items():
            what = f"`load_images` of a folder where {name} holds {content}"
            assert_error(seen.errors[name]["error"], ValueError, what=what, match=re.escape(name))
        assert_tensor(seen.good, channels_first(*good.values()), "the batch without that file", rtol=0, atol=0)

    def test_alpha_grey_and_palettes_become_rgb(self, observe, rng):
        height, width, size = rng.sizes(3, 7, 15)
        rgba = noise(rng, height, width, 4)
        rgba[0, :3, 3] = 0, 255, 128
        grey = noise(rng, height, width, 1)
        veiled = noise(rng, height, width, 2)
        table = noise(rng, 256, 1)[:, 0]
        indices = noise(rng, height, width, 1)
        palette = Image.fromarray(indices)
        palette.putpalette(table.tobytes())
        kinds = {
            "a picture with alpha": (encoded(rgba), rgba[..., :3]),
            "a grey picture": (encoded(grey), np.stack([grey] * 3, axis=-1)),
            "a grey picture with alpha": (encoded(veiled), np.stack([veiled[..., 0]] * 3, axis=-1)),
            "a picture with a palette": (encoded(palette), table[indices]),
            "a picture with a palette and alpha": (encoded(palette, transparency=bytes(range(256))), table[indices]),
        }
        contents = {kind: content for kind, (content, _) in kinds.items()}

        def probe(m):
            seen = {}
            for kind, content in contents.items():
                with folder_of({"some.png": content}) as folder:
                    seen[kind] = m.load_images(folder, size)
            return seen

        seen = observe(probe)
        for kind, (_, picture) in kinds.items():
            note = "First it becomes RGB, then it is resized (bilinear, with antialiasing)."
            assert_pictures(seen[kind], stretched(picture, size)[None], f"the batch of {kind}", note=note)

    @pytest.mark.weight(2)
    def test_resizes_by_bilinear_interpolation_with_antialiasing(self, observe, rng):
        size = rng.integer(6, 9)
        shapes = [(33 + rng.integer(0, 6), 21 + rng.integer(0, 6)), (3, 2), (5, 29), (26, 4)]
        pictures = [noise(rng, height, width) for height, width in shapes]
        for picture in pictures:
            picture[:, -1] //= 8  # left and right, top and bottom tell apart
            picture[-1] = 255 - picture[-1] // 8
        files = {f"{index}.png": encoded(picture) for index, picture in enumerate(pictures)}

        def probe(m):
            with folder_of(files) as folder:
                return {"out": m.load_images(folder, size), "one": m.load_images(folder, 1)}

        seen = observe(probe)
        for out, side in ((seen.out, size), (seen.one, 1)):
            expected = torch.stack([stretched(picture, side) for picture in pictures])
            whole = ", ".join(f"{width}x{height}" for height, width in shapes)
            note = f"Pictures of {whole} pixels (width x height) were stretched to {side}x{side}."
            assert_pictures(out, expected, f"`load_images(folder, {side})`", note=note)

    def test_pictures_of_that_size_keep_every_value(self, observe, rng):
        size = rng.integer(16, 20)
        every = rng.numpy.permutation(np.resize(np.arange(256), size * size * 3)).astype(np.uint8)
        pictures = [every.reshape(size, size, 3), noise(rng, size, size)]
        files = {f"{index}.png": encoded(picture) for index, picture in enumerate(pictures)}

        def probe(m):
            with folder_of(files) as folder:
                return m.load_images(folder, size)

        note = f"The pictures had {size}x{size} pixels before."
        assert_tensor(observe(probe), channels_first(*pictures), "the batch", rtol=0, atol=0, note=note)

    def test_folders_without_pictures_and_no_folder(self, observe, rng):
        size = rng.integer(3, 6)
        picture = noise(rng, size, size)
        files = {"only.png": encoded(picture), "none/readme.txt": b"nothing here"}

        def probe(m):
            with folder_of(files) as folder:
                return {
                    "one": m.load_images(str(folder), size),
                    "none": m.load_images(str(folder / "none"), size),
                    "missing": attempt(lambda: m.load_images(folder / "nowhere", size)),
                }

        seen = observe(probe)
        assert_tensor(seen.one, channels_first(picture), "the batch of one picture", rtol=0, atol=0)
        nothing = torch.empty(0, 3, size, size, dtype=torch.uint8)
        assert_tensor(seen.none, nothing, "the batch of a folder without pictures", rtol=0, atol=0)
        assert_error(seen.missing["error"], FileNotFoundError, "for a folder that does not exist", "`load_images`")


def pixels_of(batches):
    """All pixels of all batches: (3, pixels), float64, by NumPy."""
    parts = [batch.to(torch.float64).numpy().transpose(1, 0, 2, 3).reshape(3, -1) for batch in batches]
    return np.concatenate(parts, axis=1)


def assert_stats(seen, batches, about, rtol=2e-6, atol=2e-6, note=""):
    """`seen` is (mean, std) of the batches, computed here from all pixels at once, in two passes."""
    pixels = pixels_of(batches)
    mean = torch.tensor(pixels.mean(axis=1).tolist(), dtype=torch.float32)
    std = torch.tensor(pixels.std(axis=1).tolist(), dtype=torch.float32)
    assert_tensor(seen[0], mean, f"the mean of {about}", rtol=rtol, atol=atol, note=note)
    assert_tensor(seen[1], std, f"the standard deviation of {about}", rtol=rtol, atol=atol, note=note)


def pictures_of(rng, shape, dtype=torch.float32):
    """A strided batch whose three channels differ in mean and spread."""
    level = torch.tensor(rng.shuffled([-3.0, 0.5, 6.0]), dtype=torch.float64)[:, None, None]
    spread = torch.tensor(rng.shuffled([0.5, 1.5, 4.0]), dtype=torch.float64)[:, None, None]
    return (rng.strided(shape, torch.float64, -1, 1) * spread + level).to(dtype)


@exercise("channel_stats")
class TestChannelStats:
    def test_mean_and_standard_deviation_of_each_channel(self, observe, rng):
        count, height, width = rng.sizes(3, 2, 5)
        first = pictures_of(rng, (count, 3, height, width))
        single = pictures_of(rng, (1, 3, 1, 2), torch.float64)

        def probe(m):
            (mean, std), (mean1, std1) = m.channel_stats([first]), m.channel_stats([single])
            return {"first": (mean, std), "single": (mean1, std1)}

        seen = observe(probe)
        assert_stats(seen.first, [first], "one batch")
        note = "Divide by the number of pixels, not by one less."
        assert_stats(seen.single, [single], "two pixels", note=note)

    @pytest.mark.weight(2)
    def test_every_pixel_counts_the_same(self, observe, rng):
        height, width, more = rng.sizes(3, 2, 6)
        full = rng.integer(3, 5)
        shapes = [(full, height, width), (full, height, width), (1, height, width)]
        ragged = [pictures_of(rng, (count, 3, *rest)) + 2 * index for index, (count, *rest) in enumerate(shapes)]
        shapes = [(2, height, width), (3, width, more), (1, more + 3, height)]
        mixed = [pictures_of(rng, (count, 3, *rest)) - 2 * index for index, (count, *rest) in enumerate(shapes)]

        def probe(m):
            mean, std = m.channel_stats(ragged)
            mean1, std1 = m.channel_stats(mixed)
            return {"ragged": (mean, std), "mixed": (mean1, std1)}

        seen = observe(probe)
        assert_stats(seen.ragged, ragged, f"batches of {full}, {full} and 1")
        assert_stats(seen.mixed, mixed, "batches of different height and width")

    def test_eight_bit_values_are_taken_as_they_are(self, observe, rng):
        batches = [rng.strided((count, 3, 5, 4), torch.uint8, 0, 256) for count in (4, 2)]
        batches[0][:, 1] = batches[0][:, 1] // 4
        batches[1][:, 2] = 255 - batches[1][:, 2] // 8

        def probe(m):
            mean, std = m.channel_stats(batches)
            return mean, std

        assert_stats(observe(probe), batches, "uint8 batches")

    @pytest.mark.weight(2)
    def test_a_generator_is_read_once_batch_by_batch(self, observe, rng):
        height, width = rng.sizes(2, 2, 5)
        batches = [pictures_of(rng, (count, 3, height, width)) + 3 * index for index, count in enumerate((4, 3, 2))]

        def probe(m):
            def fresh():
                yield from batches

            def reused():
                memory = torch.empty(4, 3, height, width)
                for batch in batches:
                    memory.fill_(1e6)
                    memory[: len(batch)] = batch
                    yield memory[: len(batch)]
                memory.fill_(1e6)

            mean, std = m.channel_stats(fresh())
            mean1, std1 = m.channel_stats(reused())
            return {"fresh": (mean, std), "reused": (mean1, std1)}

        seen = observe(probe)
        assert_stats(seen.fresh, batches, "a generator's batches")
        note = "The generator puts each batch into the memory of the one before."
        assert_stats(seen.reused, batches, "a generator's batches in one memory", note=note)

    def test_sums_are_as_good_as_float64(self, observe, rng):
        level = torch.tensor(rng.shuffled([1000.0, -700.0, 400.0]))[:, None, None]
        narrow = [rng.tensor((count, 3, 7, 5), low=-0.2, high=0.2) + level for count in (5, 6, 2)]
        half = [rng.tensor((count, 3, 9, 8), torch.float16, 150, 900) for count in (3, 5)]

        def probe(m):
            mean, std = m.channel_stats(narrow)
            mean1, std1 = m.channel_stats(half)
            return {"narrow": (mean, std), "half": (mean1, std1)}

        seen = observe(probe)
        note = "The mean is large beside the standard deviation."
        assert_stats(seen.narrow, narrow, "float32 batches", rtol=1e-5, atol=0, note=note)
        assert_stats(seen.half, half, "float16 batches", rtol=1e-5, atol=0)

    def test_equal_values_have_no_spread(self, observe, rng):
        values = [(index * 7 % 41 + rng.uniform(0.01, 0.99)) / 41 for index in range(40)]
        shapes = [(rng.integer(1, 4), 3, rng.integer(1, 5), rng.integer(1, 5)) for _ in values]
        pairs = list(zip(values, shapes, strict=True))
        varied = pictures_of(rng, (2, 3, 3, 4))

        def probe(m):
            outs = []
            for value, shape in pairs:
                flat = torch.full(shape, value, dtype=torch.float64)
                mean, std = m.channel_stats([flat, flat[:1]])
                outs.append((mean, std))
            mean, std = m.channel_stats([varied])
            return {"flat": outs, "varied": (mean, std)}

        seen = observe(probe)
        for (mean, std), value in zip(seen.flat, values, strict=True):
            assert_tensor(mean, torch.full((3,), value), "the mean of equal values", rtol=2e-6, atol=0)
            note = "Rounding can push the variance a little below zero."
            what = "the standard deviation of equal values"
            assert_tensor(std, torch.zeros(3), what, rtol=0, atol=1e-6 * value, note=note)
        assert_stats(seen.varied, [varied], "a batch of different values")

    def test_empty_batches_and_none_at_all(self, observe, rng):
        height, width = rng.sizes(2, 2, 5)
        some = [pictures_of(rng, (count, 3, height, width)) for count in (2, 1)]
        empty = torch.empty(0, 3, height, width)

        def probe(m):
            mean, std = m.channel_stats([empty, some[0], empty, some[1], empty])
            errors = [attempt(lambda: m.channel_stats(iter(batches))) for batches in ([], [empty, empty])]
            return {"some": (mean, std), "errors": errors}

        seen = observe(probe)
        assert_stats(seen.some, some, "batches with empty ones between")
        for tried, about in zip(seen.errors, ("when there is no batch", "when all batches are empty"), strict=True):
            assert_error(tried["error"], ValueError, about, "`channel_stats`")

    def test_any_strides_and_the_batches_stay(self, observe, rng):
        count, height, width = rng.sizes(3, 2, 5)
        plain = pictures_of(rng, (count, 3, height, width))
        batches = [
            plain,
            plain.contiguous(memory_format=torch.channels_last) * 2,
            pictures_of(rng, (width, 3, count, height)).flip(3).transpose(0, 3),
            rng.tensor((3, 1, 1)).expand(2, 3, height, width),
            rng.strided((2, 3, width, height), torch.uint8, 0, 200),
            pictures_of(rng, (1, 3, width, count), torch.float64),
        ]

        def probe(m):
            mean, std = m.channel_stats(batches)
            return {"stats": (mean, std), "after": batches}

        seen = observe(probe)
        assert_stats(seen.stats, batches, "batches with unusual strides")
        for after, batch in zip(seen.after, batches, strict=True):
            assert_tensor(after, batch, "a batch afterwards", rtol=0, atol=0)


def greys(rng, height, width, low, high):
    """A grey picture with values from low to high, both included: uint16."""
    return rng.numpy.integers(low, high + 1, (height, width)).astype(np.uint16)


def scaled(stored, white):
    """What a grey picture should become, from Python's own division."""
    return torch.tensor([[[value / white for value in row] for row in stored.tolist()]], dtype=torch.float32)


# Correct to a few of float32's steps; 65536 in place of 65535 is a relative 1.5e-5.
CLOSE = {"rtol": 4e-7, "atol": 0.0}


@exercise("load_gray16")
class TestLoadGray16:
    @pytest.mark.weight(2)
    def test_sixteen_bits_end_at_65535(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        stored = greys(rng, height, width, 300, 65000)
        stored[1, :3] = 40000, 65535, 0
        files = {"scan.png": encoded(stored)}

        def probe(m):
            with folder_of(files) as folder:
                return m.load_gray16(folder / "scan.png", 16)

        note = "40000 was stored at [0, 1, 0], 65535 (white) at [0, 1, 1] and 0 (black) at [0, 1, 2]."
        assert_tensor(observe(probe), scaled(stored, 65535), "`load_gray16(path, 16)`", **CLOSE, note=note)

    @pytest.mark.weight(2)
    def test_twelve_bits_end_at_4095(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        stored = greys(rng, height, width, 1, 4094)
        stored[0, 1:3] = 4095, 0
        files = {"scan.png": encoded(stored)}

        def probe(m):
            with folder_of(files) as folder:
                return m.load_gray16(str(folder / "scan.png"), 12)

        note = "4095 (white) was stored at [0, 0, 1] and 0 (black) at [0, 0, 2]."
        assert_tensor(observe(probe), scaled(stored, 4095), "`load_gray16(path, 12)`", **CLOSE, note=note)

    def test_all_65536_levels_stay_different(self, observe, rng):
        stored = rng.numpy.permutation(65536).astype(np.uint16).reshape(128, 512)
        files = {"scan.png": encoded(stored, compress_level=1)}

        def probe(m):
            with folder_of(files) as folder:
                return m.load_gray16(folder / "scan.png", 16)

        out = observe(probe)
        expected = torch.from_numpy(stored.astype(np.float32) / np.float32(65535))[None]
        assert_tensor(out, expected, "`load_gray16` of a picture with all 65536 levels", **CLOSE)
        levels = out.unique().numel()
        assert levels == 65536, f"of 65536 stored levels, only {levels} different ones are left."

    def test_a_dim_picture_stays_dim(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        dim = greys(rng, height, width, 500, 1900)
        flat = np.full((width, height), rng.integer(600, 3000), np.uint16)
        files = {"dim.png": encoded(dim), "flat.png": encoded(flat)}
        cases = [("dim.png", 12, dim), ("dim.png", 16, dim), ("flat.png", 12, flat), ("flat.png", 16, flat)]

        def probe(m):
            with folder_of(files) as folder:
                return [m.load_gray16(folder / name, bits) for name, bits, _ in cases]

        for out, (name, bits, stored) in zip(observe(probe), cases, strict=True):
            note = f"Its stored values go from {stored.min()} to {stored.max()}."
            what = f'`load_gray16("{name}", {bits})`'
            assert_tensor(out, scaled(stored, 2**bits - 1), what, **CLOSE, note=note)

    def test_one_channel_in_front_and_float32(self, observe, rng):
        sizes = [(2, 9), (7, 3), (1, 4), (5, 1), (1, 1)]
        pictures = [greys(rng, height, width, 5, 4000) for height, width in rng.shuffled(sizes)]
        contents = [encoded(stored) for stored in pictures]

        def probe(m):
            seen = []
            for content in contents:
                with folder_of({"one.png": content}) as folder:
                    seen.append(m.load_gray16(folder / "one.png", 12))
            return seen

        for out, stored in zip(observe(probe), pictures, strict=True):
            what = f"`load_gray16` of a picture of height {stored.shape[0]} and width {stored.shape[1]}"
            assert_tensor(out, scaled(stored, 4095), what, **CLOSE)

    def test_modes_and_byte_orders(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        stored = greys(rng, height, width, 1, 65534)
        stored[0, :2] = 258, 40000
        swapped = Image.frombytes("I;16B", (width, height), stored.astype(">u2").tobytes())
        kinds = {
            'a TIFF of mode "I;16"': ("a.tif", encoded(stored, "TIFF")),
            'a TIFF of mode "I;16B"': ("b.tif", encoded(swapped, "TIFF")),
            'a TIFF of mode "I"': ("c.tiff", encoded(stored.astype(np.int32), "TIFF")),
            'a PGM of mode "I"': ("d.pgm", encoded(stored, "PPM")),
            'a PNG of mode "I;16"': ("e.png", encoded(stored)),
        }
        files = dict(kinds.values())

        def probe(m):
            with folder_of(files) as folder:
                return {name: m.load_gray16(folder / name, 16) for name in files}

        seen = observe(probe)
        for kind, (name, _) in kinds.items():
            assert_tensor(seen[name], scaled(stored, 65535), f"`load_gray16` of {kind}", **CLOSE)

    def test_other_pictures_are_refused(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        stored = greys(rng, height, width, 1, 4095)
        kinds = {
            "8-bit grey": ("a.png", encoded(noise(rng, height, width, 1))),
            "colour": ("b.png", encoded(noise(rng, height, width))),
            "grey with alpha": ("c.png", encoded(noise(rng, height, width, 2))),
            "8-bit TIFF": ("d.tif", encoded(noise(rng, height, width, 1), "TIFF")),
            "floating-point grey": ("e.tif", encoded(stored.astype(np.float32), "TIFF")),
            "a palette": ("f.png", encoded(Image.fromarray(noise(rng, height, width, 1)).convert("P"))),
            "black and white": ("g.png", encoded(Image.fromarray(noise(rng, height, width, 1) > 99))),
        }
        files = {**dict(kinds.values()), "good.png": encoded(stored)}
        names = [name for name, _ in kinds.values()]

        def probe(m):
            with folder_of(files) as folder:
                errors = {name: attempt(lambda: m.load_gray16(folder / name, 12)) for name in names}
                more = {name: attempt(lambda: m.load_gray16(folder / name, 16)) for name in names}
                return {"errors": (errors, more), "good": m.load_gray16(folder / "good.png", 12)}

        seen = observe(probe)
        assert_tensor(seen.good, scaled(stored, 4095), "`load_gray16` of a 16-bit grey", **CLOSE)
        for errors in seen.errors:
            for kind, (name, _) in kinds.items():
                what = f"`load_gray16` of a file with {kind} pixels"
                assert_error(errors[name]["error"], ValueError, "as it is not 16-bit grey", what)

    def test_values_beyond_the_bits_are_refused(self, observe, rng):
        height, width = rng.sizes(2, 3, 9)
        stored = greys(rng, height, width, 1, 4095)
        at = rng.integer(0, height - 1), rng.integer(0, width - 1)

        def changed(value):
            other = stored.astype(np.int32)
            other[at] = value
            return other

        cases = [("a.png", 12, 4096), ("b.png", 12, 4097 + rng.integer(0, 60000)), ("c.tif", 12, -1)]
        cases += [("d.tif", 16, 65536), ("e.tif", 16, -rng.integer(2, 900))]
        files = {"good.png": encoded(stored), "white.png": encoded(changed(4095).astype(np.uint16))}
        for name, _, value in cases:
            png = name.endswith("png")
            files[name] = encoded(changed(value).astype(np.uint16)) if png else encoded(changed(value), "TIFF")

        def probe(m):
            with folder_of(files) as folder:
                return {
                    "errors": [attempt(lambda: m.load_gray16(folder / name, bits)) for name, bits, _ in cases],
                    "good": m.load_gray16(folder / "good.png", 12),
                    "white": m.load_gray16(folder / "white.png", 12),
                    "more": m.load_gray16(folder / "a.png", 16),
                }

        seen = observe(probe)
        for tried, (_, bits, value) in zip(seen.errors, cases, strict=True):
            assert_error(tried["error"], ValueError, f"if a pixel holds {value}", f"`load_gray16(path, {bits})`")
        assert_tensor(seen.good, scaled(stored, 4095), "`load_gray16(path, 12)`", **CLOSE)
        assert_tensor(seen.white, scaled(changed(4095), 4095), "`load_gray16(path, 12)` with a white pixel", **CLOSE)
        assert_tensor(seen.more, scaled(changed(4096), 65535), "`load_gray16(path, 16)` with a 4096", **CLOSE)


WIDE = (-1e7, 1e7)


def slices_of(rng, count, height, width, top=65535, slope=None, intercept=None):
    """Slices in the order of their position, which their names are not in: (name, stored, metadata)."""
    names = rng.shuffled(["2", "10", "07", "1", "b", "a", "A3", "00"][:count])
    in_order = sorted(names)
    if count > 2 and names in (in_order, in_order[::-1]):
        names[0], names[1] = names[1], names[0]
    position, slices = rng.uniform(-120, -20), []
    for index, name in enumerate(names):
        metadata = {
            "modality": "CT",
            "slope": rng.uniform(0.2, 3.0) if slope is None else slope,
            "intercept": rng.uniform(-1200, 300) if intercept is None else intercept,
            "position_mm": round(position, 2),
        }
        slices.append((name, greys(rng, height, width, 0, top), metadata))
        position += 0.25 if index == 0 else rng.uniform(3, 40)  # below 0 and above it, two of them close together
    return slices


def files_of(rng, slices):
    """The files of a folder, written in no order."""
    files = {}
    for name, stored, metadata in rng.shuffled(slices):
        files[f"{name}.png"] = encoded(stored)
        files[f"{name}.json"] = json.dumps(metadata).encode()
    return files


def volume_of(slices, window=WIDE):
    """The volume and how far off it may be: computed in float64."""
    products = [stored.astype(np.float64) * about["slope"] for _, stored, about in slices]
    planes = [product + about["intercept"] for product, (_, _, about) in zip(products, slices, strict=True)]
    largest = max(
        product.max() + abs(about["intercept"]) for product, (_, _, about) in zip(products, slices, strict=True)
    )
    volume = np.clip(np.stack(planes), *window)[None]
    return torch.from_numpy(volume).float(), {"rtol": 0.0, "atol": 1e-6 * float(largest)}


@exercise("build_volume")
class TestBuildVolume:
    @pytest.mark.weight(2)
    def test_slices_lie_in_the_order_of_their_position(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        one = slices_of(rng, 8, height, width, 3000, slope=1.5, intercept=-20.0)
        two = slices_of(rng, 5, width, height, 3000, slope=0.5, intercept=8.0)
        folders = [files_of(rng, one), files_of(rng, two)]

        def probe(m):
            seen = []
            for files in folders:
                with folder_of(files) as folder:
                    seen.append(m.build_volume(folder, WIDE))
            return seen

        for out, slices in zip(observe(probe), (one, two), strict=True):
            expected, close = volume_of(slices)
            note = f"From the lowest to the highest: {', '.join(f'{name}.png' for name, *_ in slices)}."
            assert_tensor(out, expected, "the volume", **close, note=note)

    @pytest.mark.weight(2)
    def test_each_slice_has_its_own_slope_and_intercept(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        slices = slices_of(rng, 4, height, width, 4095)
        for index, factor in enumerate(rng.shuffled([0.25, 0.6, 1.4, 3.0])):
            slices[index][2]["slope"] = factor * rng.uniform(0.9, 1.1)
        files = files_of(rng, slices)

        def probe(m):
            with folder_of(files) as folder:
                return m.build_volume(folder, WIDE)

        expected, close = volume_of(slices)
        note = "Slope and intercept differ from slice to slice."
        assert_tensor(observe(probe), expected, "the volume", **close, note=note)

    def test_the_window_cuts_values_not_stored_numbers(self, observe, rng):
        height, width = rng.sizes(2, 5, 8)
        slices = slices_of(rng, 5, height, width, 4095)
        for _, stored, _ in slices:
            stored[0, :3] = 0, 1500, 4095
        slices[0][2]["intercept"], slices[1][2]["intercept"] = -rng.uniform(300, 900), rng.uniform(50, 200)
        files = files_of(rng, slices)
        windows = [(rng.uniform(-300, -100), rng.uniform(200, 500)), (rng.uniform(20, 60), rng.uniform(900, 1400))]
        windows += [(-2000.0, rng.uniform(100, 200)), (-30, 70), (0.0, rng.uniform(200, 400)), (-90, 0)]

        def probe(m):
            with folder_of(files) as folder:
                return [m.build_volume(folder, window) for window in windows]

        for out, window in zip(observe(probe), windows, strict=True):
            expected, close = volume_of(slices, window)
            low, high = window
            what = f"the volume with the window ({low:.6g}, {high:.6g})"
            note = "The window is given in the unit of stored * slope + intercept."
            assert_tensor(out, expected, what, **close, note=note)

    def test_channel_and_depth_in_front(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        one, two, tiny = (
            slices_of(rng, 1, height, width, 4095),
            slices_of(rng, 2, width, height, 4095),
            slices_of(rng, 1, 1, 1, 4095),
        )
        folders = [files_of(rng, slices) for slices in (one, two, tiny)]

        def probe(m):
            seen = []
            for files in folders:
                with folder_of(files) as folder:
                    seen.append(m.build_volume(str(folder), WIDE))
            return seen

        for out, slices in zip(observe(probe), (one, two, tiny), strict=True):
            expected, close = volume_of(slices)
            deep, high, wide = expected.shape[1:]
            what = f"the volume of {deep} slice{'s' * (deep > 1)} of height {high} and width {wide}"
            assert_tensor(out, expected, what, **close)

    def test_all_sixteen_bits_and_whole_numbers_in_the_metadata(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        slices = slices_of(rng, 4, height, width)
        for index, (_, stored, about) in enumerate(slices):
            stored[1, :3] = 40000, 65535, 0
            about["intercept"] = rng.choice([-1024, -1000, 12])
            about["slope"] = rng.choice([1, 2, 3])
            about["position_mm"] = -10 + 7 * index
        slices[0][2]["slope"] = slices[-1][2]["slope"] = 2
        slices[-1][2]["intercept"] = -1024
        files = files_of(rng, slices)

        def probe(m):
            with folder_of(files) as folder:
                return m.build_volume(folder, WIDE)

        expected, close = volume_of(slices)
        note = "40000, 65535 and 0 were stored in row 1 of each slice; slope and intercept are whole numbers here."
        assert_tensor(observe(probe), expected, "the volume", **close, note=note)

    def test_two_slices_in_one_place_are_refused(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        slices = slices_of(rng, 4, height, width, 4095)
        good = files_of(rng, slices)
        name, stored, about = slices[3]
        double = [*slices[:3], (name, stored, {**about, "position_mm": slices[1][2]["position_mm"]})]
        twice = [*slices, ("copy", slices[2][1], slices[2][2])]
        whole = rng.integer(30, 90)  # once with a decimal point, once without
        alike = [*slices[:2], *((name, stored, {**about, "position_mm": whole}) for name, stored, about in slices[2:])]
        alike[2][2]["position_mm"] = float(whole)
        bad = [files_of(rng, double), files_of(rng, twice), files_of(rng, alike)]

        def probe(m):
            errors = []
            for files in bad:
                with folder_of(files) as folder:
                    errors.append(attempt(lambda: m.build_volume(folder, WIDE)))
            with folder_of(good) as folder:
                return {"errors": errors, "good": m.build_volume(folder, WIDE)}

        seen = observe(probe)
        ends = ("", "", f" (here {whole}.0 and {whole})")
        for tried, end in zip(seen.errors, ends, strict=True):
            assert_error(tried["error"], ValueError, f"if two slices have the same position{end}", "`build_volume`")
        expected, close = volume_of(slices)
        assert_tensor(seen.good, expected, "the volume of slices at four positions", **close)

    def test_metadata_has_all_of_the_name_of_its_slice(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        slices = slices_of(rng, 4, height, width, 4095)
        names = rng.shuffled(["scan.1", "scan.1.5", "scan.2", "png-7"])
        slices = [(name, *rest) for name, (_, *rest) in zip(names, slices, strict=True)]
        files = files_of(rng, slices)

        def probe(m):
            with folder_of(files) as folder:
                return m.build_volume(folder, WIDE)

        expected, close = volume_of(slices)
        what = f"the volume of {', '.join(f'{name}.png' for name in names)}"
        assert_tensor(observe(probe), expected, what, **close)

    def test_a_slice_without_metadata_is_an_error_other_files_are_not(self, observe, rng):
        height, width = rng.sizes(2, 3, 7)
        slices = slices_of(rng, 4, height, width, 4095)
        good = files_of(rng, slices)
        good["series.json"] = b'{"patient": "unknown"}'
        good["readme.txt"] = b"nothing"
        good["old/x.png"] = good["2.png"]
        bare = {path: content for path, content in good.items() if path != f"{slices[2][0]}.json"}

        def probe(m):
            with folder_of(bare) as folder:
                bare_folder = attempt(lambda: m.build_volume(folder, WIDE))
            with folder_of(good) as folder:
                return {"bare": bare_folder, "good": m.build_volume(folder, WIDE)}

        seen = observe(probe)
        expected, close = volume_of(slices)
        assert_tensor(seen.good, expected, "the volume, with other files beside the slices,", **close)
        about = "if a slice has no .json beside it"
        assert_error(seen.bare["error"], FileNotFoundError, about, "`build_volume`")
