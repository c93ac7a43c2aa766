# %% [markdown] lesson=1
# # Storage: where the numbers lie
#
# A network cannot look at a photograph or read a sentence: it multiplies and adds floating-point numbers. So the
# photograph becomes floats first, and the weights, the results and everything in between are floats as well. What
# holds them is a **tensor**.
#
# A tensor looks like a grid with any number of dimensions, but memory is one long row. The numbers lie one after
# another in a one-dimensional **storage**, and the tensor is a **view** over it: three facts that say how to walk it.
#
# - *size*: how many elements there are along each dimension
# - *stride*: how many places to move in the storage for one step along each dimension
# - *offset*: the place of the first element
#
# ```
# place        0   1   2   3   4   5   6   7   8   9  10  11
# storage      5.  2.  8.  1.  9.  4.  7.  3.  0.  6.  2.  5.
#
# x           |--- row 0 ---| |--- row 1 ---| |--- row 2 ---|   size (3, 4)  stride (4, 1)  offset 0
# x[1:, ::2]                   9.      7.      0.      2.       size (2, 2)  stride (4, 2)  offset 4
# ```
#
# This is why a slice or a transpose costs next to nothing, however large the tensor: no number moves, only the three
# facts change. It is also why writing into one tensor can change another. These exercises look below the grid.

# %%
import torch
from jaxtyping import Shaped
from torch import Tensor

# %% [markdown]
# ## Do two tensors share a storage?
#
# Slices, transposes, `expand` and `detach` give a new tensor over the *old* storage; `clone` and arithmetic fill a
# *new* one. As soon as someone writes into a tensor, the difference matters. And some calls do either: `reshape`,
# `contiguous` and `float` hand back the old storage where they can, and copy where they must. So one has to ask.
#
# The values don't tell: a copy has the same ones. Nor does the place where a tensor begins, because two views can
# begin at different places. They may even have no element in common:
#
# ```
# storage    0  1  2  3  4  5  6  7
# x[:4]      ^  ^  ^  ^
# x[4:]                  ^  ^  ^  ^       same storage: the answer is True
# ```
#
# `t.untyped_storage()` is the storage of `t`, as bytes. (Older texts use `t.storage()`: it is deprecated today, and
# what it returns is a wrapper, a new one for each call.)

# %% shares_storage points=2 level="core" minutes=10 needs=[]
def shares_storage(a: Shaped[Tensor, "..."], b: Shaped[Tensor, "..."]) -> bool:
    """Whether two tensors lie in the same storage.

    It is the storage that counts: views that have no element in common share it too, and so does a slice
    without any elements, like `x[:0]`. Nothing is written into either tensor.

    Args:
        a: a tensor on the CPU: any shape, dtype, strides and offset, with or without `requires_grad`.
        b: another one, of the same or of another shape and dtype. Both storages hold at least one number.

    Returns:
        True if `a` and `b` have the same storage, False if each has its own. A plain `bool`.

    >>> x = torch.zeros(3, 4)
    >>> shares_storage(x, x.T)
    True
    >>> shares_storage(x[0], x[2])
    True
    >>> shares_storage(x, x.clone())
    False
    """
    ### BEGIN SOLUTION
    # Hint: Forget the tensors' shapes and values: ask each for its storage and compare the two storages.
    # Hint: Storages that hold equal bytes can still be two storages. What can only one of them have?
    # Hint: Its address in memory. A storage has a `data_ptr()` of its own, which is not the tensor's.
    # Hint: Compare `a.untyped_storage().data_ptr()` with the same of `b`.
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    ### END SOLUTION


# %% [markdown]
# ## Strides of a contiguous tensor
#
# A tensor that was just made is *contiguous*: its elements lie in the storage in reading order, the last index
# running fastest. Then the sizes alone decide the strides. Number the places of a tensor of shape (2, 3, 4):
#
# ```
# t[0] =  0  1  2  3      t[1] = 12 13 14 15       one step along the last dimension:     0 -> 1
#         4  5  6  7             16 17 18 19       one step along the middle dimension:   0 -> 4
#         8  9 10 11             20 21 22 23       one step along the first dimension:    0 -> 12
# ```
#
# One step along a dimension jumps over everything that lies in the dimensions after it. Torch counts that jump in
# elements (NumPy counts it in bytes), and the rule has no exception for a size of 1.
#
# A size of 0 leaves nothing to walk over, yet torch has to write down some strides. It multiplies as if the 0 were a
# 1: a tensor of shape (2, 0, 3) has the strides (3, 3, 1).

# %% contiguous_strides points=2 level="core" minutes=10 needs=[]
def contiguous_strides(shape: tuple[int, ...] | torch.Size) -> tuple[int, ...]:
    """The strides, in elements, of a new contiguous tensor of this shape.

    No tensor is needed for this: the shape may be one that no memory could hold, and the result is exact then too (even
    beyond 2**63).

    Args:
        shape: the sizes, each 0 or more, as a tuple; a `torch.Size` is one. It may be (), and any number of
            dimensions is allowed.

    Returns:
        A tuple of as many plain ints as there are dimensions: the same as `torch.empty(shape).stride()`. For the
        shape () it is (). A size of 0 counts as 1 in the strides of the dimensions before it.

    >>> print(*contiguous_strides((2, 3, 4)))
    12 4 1
    >>> print(*contiguous_strides((2, 0, 3)))
    3 3 1
    """
    ### BEGIN SOLUTION
    # Hint: The last stride is 1. Which sizes decide the one before it?
    # Hint: The stride of a dimension is the product of all sizes after it; its own size has no part in it.
    # Hint: Walk from the last size to the first, keep a running product, and note it *before* you multiply.
    # Hint: Multiply by `max(size, 1)`, and turn the noted numbers round at the end.
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)  # what torch does with a size of 0
    return tuple(reversed(strides))
    ### END SOLUTION


# %% [markdown]
# ## Where does an element lie?
#
# Reading `t[1, 2]` is a little arithmetic: torch turns the indices into a place in the storage and fetches what lies
# there. Do that arithmetic yourself, for any view. In the picture at the top of this lesson, `x[1:, ::2][1, 1]` lies
# at place 10.
#
# Indices work as in Python: along a dimension of size `n` they run from `-n` to `n - 1`, and negative ones count
# from the end. Anything else is an IndexError. That check matters: an index beyond the end of a row would often be a
# real place in the storage, only somebody else's.
#
# Take nothing about the view for granted. It may be sliced or transposed, so its strides don't follow from its
# shape; in an expanded tensor a stride is 0, and many indices lead to one place. To check yourself, look at the whole
# storage of `t` as one row of `n` numbers: `t.as_strided((n,), (1,), 0)`.

# %% element_offset points=2 level="core" minutes=12 needs=["contiguous_strides"]
def element_offset(t: Shaped[Tensor, "*dims"], index: tuple[int, ...]) -> int:
    """The place of the element `t[index]` in the storage of `t`.

    Args:
        t: a tensor of any shape, dtype, strides and offset. It is only looked at.
        index: one int for each dimension, as a tuple; negative ones count from the end. () for a tensor without
            dimensions.

    Returns:
        How many elements (not bytes) of t's dtype lie before this one, counted from the beginning of the storage.
        A plain int.

    Raises:
        IndexError: there are fewer or more indices than dimensions, or one is out of range for its dimension. (In a
            tensor without elements, every index is.)

    >>> x = torch.arange(12.0).reshape(3, 4)
    >>> element_offset(x, (2, -1))
    11
    >>> element_offset(x[1:, ::2], (1, 1))
    10
    """
    ### BEGIN SOLUTION
    # Hint: Three facts describe the view: `t.size()`, `t.stride()` and `t.storage_offset()`. You need all three.
    # Hint: Begin at the offset. Each index adds that many steps, and each step is as long as the stride says.
    # Hint: t.storage_offset() + i * t.stride(0) + j * t.stride(1) + ..., for indices that are not negative.
    # Hint: Check first: `len(index)` against `t.ndim`, then `-size <= i < size` for each. Then add `size` if `i < 0`.
    if len(index) != t.ndim:
        raise IndexError(f"a tensor with {t.ndim} dimensions takes {t.ndim} indices, not {len(index)}")
    place = t.storage_offset()
    for dim, (i, size, stride) in enumerate(zip(index, t.size(), t.stride(), strict=True)):
        if not -size <= i < size:
            raise IndexError(f"index {i} is out of range for dimension {dim} of size {size}")
        place += (i + size if i < 0 else i) * stride
    return place
    ### END SOLUTION


# %% [markdown]
# Where the elements of three views lie: the same storage each time, walked in another way.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# x = torch.zeros(6, 8)
# figure, panels = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
# for panel, (name, view) in zip(panels, {"x": x, "x.T": x.T, "x[1:, ::2]": x[1:, ::2]}.items()):
#     places = [[element_offset(view, (i, j)) for j in range(view.shape[1])] for i in range(view.shape[0])]
#     picture = panel.imshow(places, vmin=0, vmax=x.numel() - 1)
#     panel.set(title=f"{name}, stride {view.stride()}")
# figure.colorbar(picture, ax=panels, label="place in the storage");
