# %% [markdown] lesson=2
# # Views: one storage, many shapes
#
# A tensor is a multidimensional *view* over a storage, and the storage is one flat row of numbers. Shape, stride and
# offset say how to walk that row. Change those three and the same numbers appear in another order or another shape:
# nothing is moved, so it costs the same for ten numbers as for ten million. The price is that views share: write
# through one and every other view of that storage shows it.
#
# Tensors whose dimensions carry names no longer exist in torch 2.14. Today dimensions get their names in jaxtyping
# annotations, such as those in the signatures below (they are for the reader: nothing checks them at run time unless
# you switch a checker on), and in the letters of a `torch.einsum` equation, such as `"nhw,n->hw"`.

# %%
import torch
from jaxtyping import Shaped
from torch import Tensor

# %% [markdown]
# ## Channels first
#
# Image files and most image libraries keep the numbers of a pixel side by side: (H, W, C), height, width, channels.
# PyTorch's convolutions want one whole plane per channel: (C, H, W). For an image of 2 x 2 pixels:
#
# ```
# storage               r g b r g b r g b r g b
# (H, W, C) = (2, 2, 3)   stride (6, 3, 1)    the last index steps through r g b of one pixel
# (C, H, W) = (3, 2, 2)   stride (1, 6, 3)    the last index steps 3 on: from red to the next pixel's red
# ```
#
# Both read the same storage. Asking only for the new *shape* is not enough: a tool that keeps the numbers in their
# old order fills the first plane with r g b r, which raises no error and looks like coloured noise.
#
# Images rarely come alone. There may be a batch dimension in front, or two (videos of frames), or none; they stay
# where they are. Which way of counting dimensions gives C the same number, however many stand before it?

# %% hwc_to_chw points=1 level="warm-up" minutes=5 needs=["shares_storage"]
def hwc_to_chw(x: Shaped[Tensor, "*batch H W C"]) -> Shaped[Tensor, "*batch C H W"]:
    """Put the channels of images in front of height and width, without copying.

    Args:
        x: images, shape (..., H, W, C), with any number of leading dimensions (none, one, several), of any sizes
            (0 and 1 too), any dtype and any strides. It is left as it was.

    Returns: a view of `x`, shape (..., C, H, W), same dtype: element [..., c, h, w] is `x[..., h, w, c]`. Gradients
        flow back through it to `x`.

    >>> x = torch.arange(12).reshape(2, 2, 3)
    >>> hwc_to_chw(x).tolist()
    [[[0, 3], [6, 9]], [[1, 4], [7, 10]], [[2, 5], [8, 11]]]
    >>> hwc_to_chw(torch.zeros(8, 20, 30, 3)).shape
    torch.Size([8, 3, 20, 30])
    """
    raise NotImplementedError("hwc_to_chw is not written yet")


# %% [markdown]
# The first plane of a photograph: with its dimensions in another order, and with nothing but another shape.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
# import numpy as np
# from PIL import Image
#
# from grader.data import data_file
#
# image = torch.from_numpy(np.array(Image.open(data_file("photos/astronaut.png")).convert("RGB")))
# noise = image.reshape(3, *image.shape[:2])
# planes = {"hwc_to_chw(image)[0]": hwc_to_chw(image)[0], "image.reshape(3, H, W)[0]": noise[0]}
# figure, panels = plt.subplots(1, 2, figsize=(9, 4))
# for panel, (name, plane) in zip(panels, planes.items()):
#     panel.imshow(plane, cmap="gray")
#     panel.set(title=name, xticks=[], yticks=[])

# %% [markdown]
# ## A transpose moves nothing
#
# `t.transpose(0, 1)` returns at once, however large `t` is, because it only writes a new description of the storage.
# Here you write that description yourself. `torch.as_strided(t, size, stride, storage_offset)` builds a view of the
# storage of `t` from three things:
#
# ```
# element [i, j] lies at   offset + i * stride[0] + j * stride[1]      (counted in elements, not in bytes)
# ```
#
# So it is `element_offset` turned round: you say where each element lies. Beware: `as_strided` believes you. It
# complains only if you would leave the *storage*; a description that is wrong but stays inside shows other numbers and
# raises nothing. And `t` may itself be a view: it need not begin at the storage's first element, and its strides need
# not be those of a fresh tensor (`contiguous_strides`).
#
# As everywhere in torch, a tensor of n dimensions has dimensions 0 to n - 1, and -1 to -n are the same ones counted
# from the end. In daily work you would call `torch.transpose`; any way that gives a view is accepted here too.

# %% transpose_view points=3 level="hard" minutes=15 needs=["hwc_to_chw", "contiguous_strides", "element_offset"]
def transpose_view(t: Shaped[Tensor, "..."], dim0: int, dim1: int) -> Shaped[Tensor, "..."]:
    """Swap two dimensions of a tensor without copying.

    Args:
        t: a tensor of n >= 1 dimensions of any sizes (0 and 1 too), any dtype, strides and offset. It is left
            as it was.
        dim0, dim1: the dimensions to swap, each from -n to n - 1. If both mean the same one, nothing is swapped.

    Returns: a view of `t` in which `dim0` and `dim1` have changed places, the others stay, same dtype. Gradients flow
        back through it to `t`.

    Raises:
        IndexError: `dim0` or `dim1` is a dimension that `t` does not have.

    >>> t = torch.arange(6).reshape(2, 3)
    >>> transpose_view(t, 0, 1).tolist()
    [[0, 3], [1, 4], [2, 5]]
    >>> transpose_view(torch.zeros(2, 3, 4), 0, -1).shape
    torch.Size([4, 3, 2])
    """
    raise NotImplementedError("transpose_view is not written yet")


# %% [markdown]
# ## Overlapping windows
#
# Forecasting and audio cut a long signal into windows that overlap. As copies they would take up to `size` times the
# memory of the signal. As a view they take none, because two elements of a view may lie in the same place:
#
# ```
# x        a b c d e f g h       T = 8, size = 3, step = 2
# row 0    a b c
# row 1        c d e             c is one number in the storage, and two elements of the result
# row 2            e f g         h is left over: a window that is not complete is not given
# ```
#
# Each row begins `step` elements of x after the one before. How far that is in the storage depends on x: it may be a
# column of a table, say. Count the rows with care: one too many and the last row shows what happens to lie in the
# storage behind x. Because rows share numbers, `.clone()` the result before you write into it.

# %% sliding_windows points=3 level="hard" minutes=20 needs=["transpose_view"]
def sliding_windows(x: Shaped[Tensor, "T"], size: int, step: int) -> Shaped[Tensor, "N size"]:
    """Cut a signal into windows of `size` elements, each beginning `step` elements after the last, without copying.

    Args:
        x: a signal, shape (T,), of any dtype, stride and offset; T may be 0. It is left as it was.
        size: number of elements of a window, at least 1.
        step: from the beginning of one window to the beginning of the next, at least 1. It may be larger than `size`:
            then the elements between two windows are in none.

    Returns: a view of `x` with all complete windows as rows: shape ((T - size) // step + 1, size), same dtype, element
        [i, j] is `x[i * step + j]`. Gradients flow back through it to `x`. If T < size there is no complete window, and
        the shape is (0, size); a new empty tensor will do then.

    Raises:
        ValueError: `size` or `step` is less than 1, whatever the length of `x`.

    >>> sliding_windows(torch.arange(8), 3, 2).tolist()
    [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    >>> sliding_windows(torch.arange(2), 5, 1).shape
    torch.Size([0, 5])
    """
    raise NotImplementedError("sliding_windows is not written yet")
