# %% [markdown] lesson=2
# # Pictures, scans and volumes
#
# Networks compute on tensors of floats, with the channels in front. Files hold whole numbers, in layouts of their own:
#
#     what                 channels      bits    values        as a tensor
#     photograph           3 (R, G, B)      8    0 to 255      (3, H, W)
#     magnetic resonance   1               12    0 to 4095     (1, H, W)
#     X-ray, CT, depth     1               16    0 to 65535    (1, H, W)
#     stack of slices      1       12 or 16                    (1, D, H, W)
#
# float32 has 24 binary digits, so it holds every one of these numbers exactly. float16 (11 digits) and bfloat16 (8) do
# not. The numbers are safe, then, if no step before float32 damages them, and four such steps are what follows.

# %%
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2  # noqa: F401 (yours to use)

from grader.data import data_file  # noqa: F401 (the examples read files of data/ with it)

# %% [markdown]
# ## A folder of pictures
# A batch is one tensor, so its pictures share one size and one number of channels. A folder promises neither, nor an
# order: `os.listdir` names files as the file system likes, another way on another machine. If labels lie in a list
# beside the pictures, order is meaning. So is number: leave out one damaged file, and all later labels shift by one.
#
# A Pillow image has a size (width, height) and a mode: "RGB"; "RGBA", with alpha; "L", grey with no channel dimension
# at all; "LA"; or "P", whose pixels are row numbers in a table of colours. Colour 4 is no mixture of 3 and 5, so
# such pixels must become colours *before* anything averages them; alpha, too, would weigh in. As an array, a colour
# image is (H, W, 3). The channels have to move to the front, which is not the same as a `reshape`.
#
# To shrink is to average: each new pixel from all the old ones that it covers (antialiasing). Take every tenth pixel,
# and fine patterns turn into false ones. Pillow's `resize` with `BILINEAR` averages; torch's `interpolate` does if told
# `antialias=True`. Keep the result in uint8, a quarter of the memory of float32. And beware of fractions there: 0.9
# stored in a uint8 tensor is 0.

# %% load_images points=2 level="core" minutes=20 needs=[]
def load_images(folder: str | Path, size: int) -> UInt8[Tensor, "n 3 size size"]:
    """Read the pictures in a folder into one batch.

    Pictures are the files directly in `folder` whose names end in .png, .jpg or .jpeg, in upper or lower case; other
    files are left alone, and folders are not entered. They come in the order of their file names, as Python sorts text
    ("B.png" before "a.png", "a10.png" before "a2.png").

    Each picture is first converted to RGB: alpha is dropped and changes no colour, greys become three equal channels,
    palettes are looked up. Then it is stretched to size x size pixels, proportions ignored, by bilinear interpolation
    with antialiasing. A value may be off by 2; a picture that has this size already keeps its values exactly.

    Args:
        folder: the folder. The pictures in it have 8 bits for each channel and any width and height. No folder inside
            it has a name like a picture's.
        size: the new height and width, at least 1.

    Returns:
        (n, 3, size, size), uint8, 0 to 255, for n pictures; (0, 3, size, size) if there are none.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: one of these files cannot be read as a picture (it is empty, cut off or something else); the message
            names the file.

    >>> batch = load_images(data_file("photos"), 32)                # astronaut, cat, coffee, rocket
    >>> batch.shape, batch.dtype
    (torch.Size([4, 3, 32, 32]), torch.uint8)
    >>> red, green, blue = batch[2].float().mean(dim=(1, 2))        # a cup of coffee on a wooden table
    >>> bool(red > green > blue)
    True
    """
    raise NotImplementedError("load_images is not written yet")


# %% [markdown]
# ## Mean and spread of a data set
# Networks learn best on inputs with mean 0 and standard deviation 1, so each channel of a picture is shifted and
# scaled: `(x - mean) / std`. Both come from the training pictures, all of them, which rarely fit into memory together.
# They arrive in batches, once:
#
#     batch 1: 64 pictures ---+
#     batch 2: 64 pictures ---+--> count, sum, sum of squares (for each channel) --> mean, std
#     batch 3: 17 pictures ---+
#
# The last batch is smaller, so the mean of the batches' means is not the mean. And no average of the batches' standard
# deviations knows how far apart the batches lie. Sums, in contrast, add up:
#
#     mean = sum / count             variance = sum of squares / count - mean * mean
#
# Watch the dtype. In uint8, 16 * 16 is 0. In float32, with its 7 decimal digits, that subtraction may leave nothing but
# rounding errors; in float64, with 16, enough remains. Yet if all values are equal, the variance can come out as -1e-18
# even so, and the root of that is NaN.

# %% channel_stats points=3 level="hard" minutes=20 needs=["load_images"]
def channel_stats(
    batches: Iterable[Shaped[Tensor, "batch 3 height width"]],
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Compute the mean and the standard deviation of each channel over all pixels of all batches.

    Every pixel counts the same, whichever batch it is in. The values are taken as they are: uint8 gives a mean between
    0 and 255. The standard deviation is that of the population: the root of the mean squared distance from the mean
    (divided by the number of pixels, not by one less).

    Args:
        batches: an iterable, possibly a generator: it can be gone through once, and has no length. Its tensors have
            dtype uint8, float16, float32 or float64 and any strides. Batch size, height and width may differ from
            batch to batch; a batch may be empty. A batch must not be used any more once the next is asked for: the
            generator may put the next one into the same memory. The batches are not changed.

    Returns:
        (mean, std), both of shape (3,) and dtype float32. They are computed in float64, and so right to 1 part in
        100,000 even where the mean is 10,000 times the standard deviation. The std of equal values is 0 (up to a
        millionth of their size), never NaN.

    Raises:
        ValueError: there are no pixels at all.

    >>> first = torch.tensor([200, 100, 0], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(2, 3, 1, 2)  # four pixels
    >>> second = torch.tensor([250, 100, 5], dtype=torch.uint8).reshape(1, 3, 1, 1)                    # one pixel
    >>> channel_stats(iter([first, second]))
    (tensor([210., 100.,   1.]), tensor([20.,  0.,  2.]))
    """
    raise NotImplementedError("channel_stats is not written yet")


# %% [markdown]
# ## Greys of 12 and 16 bits
# Screens show 256 greys, so most tools think in 8 bits. `data/scans/ct.png`, a vertebra in white between the black of
# the lungs, has values from 128 to 2191. What usual ways of loading make of such a file, without a word:
#
#     convert("L")      all above 255 becomes 255: white, but for the lungs
#     ToTensor()        torchvision goes through int16: 40000 becomes -25536, and nothing is scaled
#     / 255             values up to 257
#     / image.max()     a scale of its own for each file: values no longer compare
#
# Today's torchvision (0.29) still goes through int16 in `ToTensor`, which its v2 calls deprecated; `v2.ToImage()` gives
# uint16, and `v2.ToDtype(torch.float32, scale=True)` divides that by 65535. This is right for 16 bits, but the picture
# does not say how many of its 16 bits are *used*. Scanners often measure 12, stored in the lower bits, so that white is
# 4095: divided by 65535, `data/scans/mr12.png` would be almost black. Somebody has to know, hence the argument `bits`.
#
# Pillow opens 16-bit greys in mode "I;16", "I;16B" (the two bytes of each number swapped, as some microscopes write
# TIFF; NumPy copes with these, `torch.from_numpy` does not) or "I" (32 bits). None has a channel dimension.

# %% load_gray16 points=3 level="hard" minutes=20 needs=[]
def load_gray16(path: str | Path, bits: int) -> Float[Tensor, "1 height width"]:
    """Read a grey picture with 12 or 16 bits for each pixel, scaled so that black is 0 and white is 1.

    Args:
        path: a PNG, TIFF or PGM file that Pillow opens in mode "I;16", "I;16B" or "I". The numbers that Pillow gives
            count as stored values (a PGM of 9 to 15 bits it stretches to 16 by itself).
        bits: how many bits are used, 12 or 16: stored values go from 0 (black) to 2**bits - 1 (white), even if none of
            the pixels is black or white.

    Returns:
        (1, height, width), float32, from 0 to 1: the stored values divided by 2**bits - 1, right to 4 parts in ten
        million. Different stored values stay different.

    Raises:
        ValueError: Pillow opens the file in another mode (8-bit grey, colour, ...), or a stored value is below 0 or
            above 2**bits - 1.

    >>> image = load_gray16(data_file("scans/mr12.png"), 12)
    >>> image.shape, image.dtype
    (torch.Size([1, 300, 484]), torch.float32)
    >>> round(image.max().item() * 4095)            # the largest stored value: nothing here is white
    1123
    """
    raise NotImplementedError("load_gray16 is not written yet")


# %% [markdown]
# ## From slices to a volume
# A scanner measures slice after slice, and a network for volumes wants all of them in one tensor, (1, D, H, W): one
# channel, then depth. Each slice is a 16-bit picture with a text beside it, in JSON, that says what its pixels mean:
#
#     position_mm    where the slice lies. File names tell when or by whom it was written, if anything.
#     slope          value = stored * slope + intercept, in the unit of the instrument. For CT that is the Hounsfield
#     intercept      unit, where air is -1000 and water 0, so stored values need an offset to be positive.
#
# ![Fourteen slices of a brain, by file name as stored, and below by position with slope](../../data/figures/brain.png)
#
# Above, `data/scans/brain` by file name, as stored: the slices jump about, and each one fills all 16 bits by a slope of
# its own, so that the same grey means another value in each. Below, by position, in common units: from the
# cerebellum up to the crown of the head, one brain.
#
# Last comes a window, the range that matters: values below it become its lower end, values above it its upper
# end. It is given in the unit of the instrument; on stored numbers it would cut something else.

# %% build_volume points=3 level="hard" minutes=25 needs=["load_gray16"]
def build_volume(folder: str | Path, window: tuple[float, float]) -> Float[Tensor, "1 depth height width"]:
    """Stack the slices in a folder into a volume.

    The slices are the files in `folder` whose names end in .png: 16-bit grey pictures (mode "I;16") of one size. Beside
    each lies a file of the same name that ends in .json, with an object that has (at least) the numbers "slope",
    "intercept" and "position_mm"; any of them may be written without a decimal point. Other files are left alone.

    Args:
        folder: the folder, with at least one slice.
        window: (low, high), in the unit of the rescaled values.

    Returns:
        (1, depth, height, width), float32: the slices from the lowest to the highest position_mm, with
        stored * slope + intercept of each slice, then limited to low..high. It is not scaled any further. An error of
        1 part in a million of the largest number that occurs on the way is allowed.

    Raises:
        ValueError: two slices have the same position.
        FileNotFoundError: a slice has no .json beside it.

    >>> volume = build_volume(data_file("scans/brain"), (0.0, 200.0))
    >>> volume.shape, volume.dtype, volume.max().item()
    (torch.Size([1, 14, 233, 197]), torch.float32, 200.0)
    >>> (volume > 0).sum(dim=(0, 2, 3)) // 1000    # thousands of pixels of brain in each slice, from below to above
    tensor([ 4,  8, 10, 15, 19, 20, 20, 19, 18, 16, 13, 10,  6,  1])
    """
    raise NotImplementedError("build_volume is not written yet")


# %% [markdown]
# A cut from front to back through the finished volume shows whether the order is right: the outline of one head, in
# steps of 10 mm. Leave out the sorting, and it falls into stripes.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# volume = build_volume(data_file("scans/brain"), (0.0, 200.0))
# plt.imshow(volume[0, :, :, 98], origin="lower", aspect=10, cmap="gray")
# plt.axis("off");
