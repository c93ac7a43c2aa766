# %% [markdown] lesson=3
# # Elementwise work and broadcasting
#
# Most of what a network does is arithmetic on every element at once, written without a loop. Two questions decide
# whether such a line is right: *whose memory does it write to*, and *which elements meet*? The first exercise is about
# the first question, the other two about the second.

# %%
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

# %% [markdown]
# ## The trailing underscore
# ReLU sits between the layers of most networks: what is negative becomes 0, the rest stays. Like most elementwise
# functions in torch it comes in two forms, and the trailing underscore means **in place**:
#
#     y = x.abs()     y is new, x is as it was
#     x.abs_()        the numbers in x's own memory are overwritten, and the result is x itself
#
# In place needs no new memory, but whoever else looks at that memory sees the change: here a view changes its base.
#
#     base               -1.   2.  -3.   4.  -5.   6.
#     view = base[::2]   -1.       -3.       -5.
#     relu_(view)
#     base                0.   2.   0.   4.   0.   6.
#
# So ask of each expression on the way: is it `x`, a view of `x`, or a copy? (Reading `x[mask]` gives a copy.)
# Autograd watches too. It refuses to overwrite a leaf that requires grad, such as a parameter, unless the caller says
# `with torch.no_grad():`; and a step that needs its input again for the gradient must find it unchanged later. Old code
# gets round both through `x.data`; this still runs, but gradients can come out wrong without a word.

# %% relu points=1 level="warm-up" minutes=10 needs=[]
def relu(x: Shaped[Tensor, "*dims"]) -> Shaped[Tensor, "*dims"]:
    """Replace what is negative by 0, in a new tensor.

    Args:
        x: any shape, any strides; a floating or a signed integer dtype. It stays as it is.

    Returns: A tensor of x's shape and dtype that shares no memory with `x`, even if nothing in `x` is negative.
        -inf becomes 0; NaN stays NaN, so that a broken number is not hidden. Gradients flow back to `x`.

    >>> x = torch.tensor([-1.5, 0.0, 2.0])
    >>> relu(x)
    tensor([0., 0., 2.])
    >>> x
    tensor([-1.5000,  0.0000,  2.0000])
    """
    ### BEGIN SOLUTION
    # Hint: Seen elementwise, ReLU is a lower bound: no result lies below 0.
    # Hint: `clamp` bounds every element and leaves its input alone; `clamp_` is the same in place.
    # Hint: Here: return x.clamp(min=0). And relu_ is one character away from it.
    return x.clamp(min=0)
    ### END SOLUTION


def relu_(x: Shaped[Tensor, "*dims"]) -> Shaped[Tensor, "*dims"]:
    """Replace what is negative by 0, in place.

    Args:
        x: as for `relu`; it may be a view with any strides (but no two of its elements share memory, as in an
            expanded tensor).

    Returns: `x` itself, the same tensor object, overwritten in its own memory. -inf becomes 0, NaN stays NaN.
        Autograd sees the change: if `x` is the result of earlier steps, gradients flow through to them.

    Raises:
        RuntimeError: `x` is a leaf that requires grad, and autograd is on. Torch raises this by itself: neither catch
            it nor switch autograd off here. Where the caller did so (`with torch.no_grad():`), a leaf is overwritten.

    >>> base = torch.tensor([-1.0, 2.0, -3.0, 4.0])
    >>> view = base[::2]
    >>> relu_(view) is view
    True
    >>> base
    tensor([0., 2., 0., 4.])
    """
    ### BEGIN SOLUTION
    # No `torch.no_grad()` and no `x.data`: autograd is to see the change, or to refuse it.
    return x.clamp_(min=0)
    ### END SOLUTION


# %% [markdown]
# ## Rows of length one
# To compare vectors by direction alone (words, faces, search results), one first gives each of them length 1. With one
# vector per row, that is a matrix divided by one number per row. Between shapes that differ, torch **broadcasts**:
#
# - it lines the shapes up at their *last* dimension,
# - each pair of sizes must be equal, or one of them 1 or missing; that one is repeated, without a copy.
#
# What does that mean for one length per row?
#
#     x         (4, 3)          x         (3, 3)
#     lengths      (4,)         lengths      (3,)
#     4 meets 3: an error       3 meets 3: runs, but column j is divided by the length of row j
#
# The error is the lucky case. Do not trust such a line before you have seen it work on a square matrix.
#
# A row of zeros has no direction, and 0 / 0 is NaN. So a length counts as no less than `eps`:
#
#     result[i] = x[i] / max(length of x[i], eps)

# %% normalize_rows points=1 level="warm-up" minutes=10 needs=[]
def normalize_rows(x: Shaped[Tensor, "N D"], eps: float) -> Float[Tensor, "N D"]:
    """Divide each row by the larger of its length and `eps`.

    The length is the Euclidean norm, sqrt(sum of squares). A row shorter than `eps` is divided by `eps`, so it comes
    out shorter than 1, and a row of zeros stays zero.

    Args:
        x: one vector per row; any strides; a floating or an integer dtype. N may be 0, and N may equal D. It stays
            as it is.
        eps: a positive number.

    Returns: A new tensor, (N, D). A floating dtype stays; integers of any width are converted to float32 before any
        arithmetic. Gradients flow back to `x`, through the length too, and are finite even in a row of zeros.

    >>> normalize_rows(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 1e-6)
    tensor([[0.6000, 0.8000],
            [0.0000, 0.0000]])
    >>> normalize_rows(torch.tensor([[3, 4]]), 10.0)
    tensor([[0.3000, 0.4000]])
    """
    ### BEGIN SOLUTION
    # Hint: Which shape must the lengths have so that length i meets row i, whatever N and D are?
    # Hint: Reductions take `keepdim=True`: the dimension stays, with size 1. Give the lengths the shape (N, 1).
    # Hint: `torch.linalg.vector_norm(x, dim=1, keepdim=True)` are the lengths; `clamp(min=...)` bounds them from below.
    # Hint: The norm refuses integers, and squares of small integer dtypes overflow: convert those to float32 first.
    if not x.is_floating_point():
        x = x.to(torch.float32)
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / length.clamp(min=eps)
    ### END SOLUTION


# %% [markdown]
# ## Grey out of three channels
# A colour image becomes grey when its red, green and blue planes are added, each times its own weight: the eye is more
# sensitive to green than to blue, so a plain mean looks wrong. Torch keeps the channels *before* height and width, and
# a batch, or a batch of video clips, puts further dimensions before those:
#
#     img       (..., 3, H, W)
#     weights              (3,)     lined up at the end: the weights meet W
#     wanted         (3, ?, ?)
#
# For most images that is an error. For one that is 3 pixels wide it runs, and weighs columns instead of colours.
#
# Two habits make such code safe. Count dimensions from the end if new ones may appear in front: -1 is W in every case
# above. And give dimensions names. Torch once had named tensors for that; torch 2.14 no longer does. Today names stand
# in the annotation (`"*batch 3 H W"`, jaxtyping), and `torch.einsum` computes with them: in
# `einsum("...ij,j->...i", A, v)` each letter is a dimension, `...` stands for any in front, and a letter missing on the
# right is summed over.

# %% weighted_gray points=2 level="core" minutes=10 needs=["normalize_rows"]
def weighted_gray(img: Shaped[Tensor, "*batch 3 H W"], weights: Float[Tensor, "3"]) -> Float[Tensor, "*batch H W"]:
    """Add up the three channels of one image or many, each times its weight.

    Args:
        img: images with the channel dimension third from the end, and any number of dimensions before it (none, or
            even one of size 0); H and W are at least 1. dtype torch.uint8 or the dtype of `weights`; any strides. It
            stays as it is.
        weights: one floating-point weight for each channel, used as they are: they need not add up to 1, and some may
            be negative.

    Returns: A new tensor, (..., H, W), with the dtype of `weights`; not rounded or clipped. Gradients flow back to
        `weights`, and to `img` if it is floating-point.

    >>> img = torch.tensor([1.0, 2.0, 3.0])[:, None, None].expand(3, 2, 4)
    >>> weighted_gray(img, torch.tensor([0.5, 0.25, 1.0]))
    tensor([[4., 4., 4., 4.],
            [4., 4., 4., 4.]])
    >>> weighted_gray(torch.zeros(8, 3, 5, 7, dtype=torch.uint8), torch.tensor([0.3, 0.6, 0.1])).shape
    torch.Size([8, 5, 7])
    """
    ### BEGIN SOLUTION
    # Hint: Write the shapes below each other, lined up at the end. Which dimensions do the weights lack?
    # Hint: An index of `None` adds a dimension of size 1; after the product, one dimension is to be summed away.
    # Hint: Weights of shape (3, 1, 1) meet the channels, which are dimension -3, whatever stands before them.
    # Hint: (img * weights[:, None, None]).sum(dim=-3)
    return (img * weights[:, None, None]).sum(dim=-3)
    ### END SOLUTION


# %% [markdown]
# The weights that television uses, next to one channel alone: what is red is bright there, and not to the eye.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
# import numpy as np
# from PIL import Image
#
# from grader.data import data_file
#
# image = torch.from_numpy(np.array(Image.open(data_file("photos/astronaut.png")).convert("RGB"))).permute(2, 0, 1)
# figure, panels = plt.subplots(1, 3, figsize=(11, 4))
# panels[0].imshow(image.permute(1, 2, 0))
# panels[1].imshow(weighted_gray(image, torch.tensor([0.299, 0.587, 0.114])), cmap="gray")
# panels[2].imshow(weighted_gray(image, torch.tensor([1.0, 0.0, 0.0])), cmap="gray")
# for panel, name in zip(panels, ("in colour", "0.299, 0.587, 0.114", "1, 0, 0")):
#     panel.set(title=name, xticks=[], yticks=[])
