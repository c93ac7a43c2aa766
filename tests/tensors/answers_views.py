"""Known answers of tensors/views."""

# %% hwc_to_chw wrong="reshapes instead of moving dimensions"
# This is what comes out of a reshape: the shape is right, but the numbers stay in their old order, so the first plane
# holds red, green and blue of the first pixels. The order of the dimensions has to change, not only their sizes.
def hwc_to_chw(x):
    *batch, h, w, c = x.shape
    return x.reshape(*batch, c, h, w)


# %% hwc_to_chw wrong="calls view with the new shape"
# `view` only cuts the same row of numbers into another shape, so pixels land in the wrong planes; and it refuses
# tensors that are not contiguous. The dimensions have to change places.
def hwc_to_chw(x):
    return x.view(*x.shape[:-3], x.shape[-1], x.shape[-3], x.shape[-2])


# %% hwc_to_chw wrong="swaps dimensions 0 and 2"
# Swapping C with H gives (C, W, H): every image lies on its side. A swap moves two dimensions, but here three change
# places; and dimension 0 is no longer H once there is a batch.
def hwc_to_chw(x):
    return x.transpose(0, 2)


# %% hwc_to_chw wrong="swaps the first and last of the three"
# This gives (..., C, W, H): the channels are in front, but height and width have changed places, and every image lies
# on its side. Look at an image that is not square.
def hwc_to_chw(x):
    return x.transpose(-1, -3)


# %% hwc_to_chw wrong="swaps only the last two dimensions"
# This gives (..., H, C, W): the channels moved past the width but not past the height.
def hwc_to_chw(x):
    return x.transpose(-1, -2)


# %% hwc_to_chw wrong="works on a single image only"
# The order is right for one image, but it is written for exactly three dimensions. With a batch dimension in front
# there are four: count those you mean from the end.
def hwc_to_chw(x):
    return x.permute(2, 0, 1)


# %% hwc_to_chw wrong="works on a batch only"
# The order is right for (N, H, W, C), but it is written for exactly four dimensions. An image may also come alone, or
# with two batch dimensions in front.
def hwc_to_chw(x):
    return x.permute(0, 3, 1, 2)


# %% hwc_to_chw wrong="knows one image or one batch, no more"
# One image and one batch come out right, but two or more leading dimensions do not. Counting dimensions from the end
# covers all of these without an `if`.
def hwc_to_chw(x):
    return x.permute(2, 0, 1) if x.ndim == 3 else x.permute(0, 3, 1, 2)


# %% hwc_to_chw wrong="puts the channels before the batch"
# The channels went to the very front, before the batch dimensions. They belong directly in front of height and width.
def hwc_to_chw(x):
    return x.movedim(-1, 0)


# %% hwc_to_chw wrong="goes the other way"
# This moves the third-last dimension to the end: it is the way back, from (C, H, W) to (H, W, C). Here the last
# dimension has to move forward.
def hwc_to_chw(x):
    return x.movedim(-3, -1)


# %% hwc_to_chw wrong="returns a contiguous copy"
# The numbers are right, but they were copied into a storage of their own: a change in `x` no longer shows in the
# result. Leave out whatever copies (`contiguous`, `clone`, `stack`).
def hwc_to_chw(x):
    return x.movedim(-1, -3).contiguous()


# %% hwc_to_chw wrong="flattens the batch dimensions first"
# Merging all batch dimensions into one needs a copy as soon as they do not lie evenly in the storage (a slice of a
# batch of videos), and cannot work at all for an empty batch. There is no need to touch them.
def hwc_to_chw(x):
    *batch, h, w, c = x.shape
    return x.reshape(-1, h, w, c).permute(0, 3, 1, 2).reshape(*batch, c, h, w)


# %% hwc_to_chw wrong="changes x itself"
# The trailing underscore means in place: `x` itself has its dimensions swapped afterwards, and whoever passed it gets a
# surprise. Return a new view and leave `x` as it is.
def hwc_to_chw(x):
    return x.transpose_(-1, -2).transpose_(-2, -3)


# %% hwc_to_chw wrong="converts to float32"
# The dimensions are right, but the numbers were converted to float32 on the way. Moving dimensions keeps the dtype (and
# a conversion copies).
def hwc_to_chw(x):
    return x.float().movedim(-1, -3)


# %% hwc_to_chw wrong="cuts the gradient off"
# `.data` (like `.detach()`) is a view that autograd does not follow: the numbers are right, but no gradient comes back
# to `x`. An ordinary view of `x` is all that is needed.
def hwc_to_chw(x):
    return x.data.movedim(-1, -3)


# %% hwc_to_chw wrong="goes through NumPy"
# NumPy arrays share memory too, but they know neither bfloat16 nor gradients, so some tensors cannot pass. Torch can
# move the dimension itself.
import numpy as np


def hwc_to_chw(x):
    return torch.from_numpy(np.moveaxis(x.numpy(), -1, -3))


# %% hwc_to_chw wrong="a fresh tensor for images without elements"
# Where there is nothing in `x`, a fresh tensor comes back. Its shape is right, but it has a storage of its own, and no
# gradient leads back to `x`. Is there anything that has to be different without elements?
def hwc_to_chw(x):
    *batch, h, w, c = x.shape
    if x.numel() == 0:
        return x.new_empty((*batch, c, h, w))
    return x.movedim(-1, -3)


# %% hwc_to_chw wrong="mH for the second swap"
# Real images come out right, but complex numbers are conjugated: `mH` swaps the last two dimensions and turns the sign
# of every imaginary part round besides. Which of its relatives only swaps?
def hwc_to_chw(x):
    return x.transpose(-3, -1).mH


# %% hwc_to_chw right="einsum with letters for the dimensions"
def hwc_to_chw(images):
    return torch.einsum("...hwc->...chw", images)


# %% hwc_to_chw right="permute with the batch dimensions listed"
def hwc_to_chw(x):
    n = x.dim() - 3
    print("batch dimensions:", n)
    return x.permute(*range(n), n + 2, n, n + 1)


# %% hwc_to_chw right="two swaps"
def hwc_to_chw(x):
    return x.transpose(-1, -2).transpose(-2, -3)


# %% hwc_to_chw right="as_strided"
def hwc_to_chw(x):
    *batch, h, w, c = x.shape
    *outer, sh, sw, sc = x.stride()
    return torch.as_strided(x, [*batch, c, h, w], [*outer, sc, sh, sw], x.storage_offset())


# %% hwc_to_chw right="the last dimension by mT twice"
def hwc_to_chw(x):
    return x.mT.swapaxes(-3, -2)


# %% transpose_view wrong="copies"
# The numbers are right, but they were copied into a storage of their own: a change in `t` no longer shows in the
# result. Leave out whatever copies (`contiguous`, `clone`, a fresh tensor).
def transpose_view(t, dim0, dim1):
    return torch.transpose(t, dim0, dim1).contiguous()


# %% transpose_view wrong="makes t contiguous first"
# `contiguous()` returns `t` itself as long as it is contiguous, and a copy otherwise: for a slice or a transposed tensor
# the result shares nothing with `t`. Use the strides that `t` has.
def transpose_view(t, dim0, dim1):
    t = t.contiguous()
    size, stride = list(t.shape), list(t.stride())
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t, size, stride)


# %% transpose_view wrong="begins at the storage's first element"
# This is what comes out when the offset is dropped: the walk begins at element 0 of the storage, but `t` may be a
# slice that begins further on.
def transpose_view(t, dim0, dim1):
    size, stride = list(t.size()), list(t.stride())
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t, size, stride, 0)


# %% transpose_view wrong="swaps the sizes only"
# The sizes are swapped, but each dimension kept its old stride: the walk takes the wrong steps, shows wrong numbers or
# leaves the storage. A dimension takes its stride along when it moves.
def transpose_view(t, dim0, dim1):
    size = list(t.shape)
    size[dim0], size[dim1] = size[dim1], size[dim0]
    return torch.as_strided(t, size, t.stride(), t.storage_offset())


# %% transpose_view wrong="swaps the strides only"
# The strides are swapped, but the sizes are still those of `t`. A dimension takes both along when it moves.
def transpose_view(t, dim0, dim1):
    stride = list(t.stride())
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t, t.shape, stride, t.storage_offset())


# %% transpose_view wrong="reshapes to the swapped sizes"
# A reshape cuts the same row of numbers into another shape: the shape is right, but no number has changed its place
# in the order. In a transpose, the order in which the storage is walked changes.
def transpose_view(t, dim0, dim1):
    size = list(t.shape)
    size[dim0], size[dim1] = size[dim1], size[dim0]
    return t.reshape(size)


# %% transpose_view wrong="assumes that t is contiguous"
# The strides were worked out from the shape, as for a fresh tensor. That is right only as long as `t` is contiguous: a
# slice, a transposed or an expanded tensor has other strides, and `t.stride()` knows them.
def transpose_view(t, dim0, dim1):
    size, stride = list(t.shape), [1] * t.ndim
    for dim in range(t.ndim - 2, -1, -1):
        stride[dim] = stride[dim + 1] * size[dim + 1]
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t, size, stride, t.storage_offset())


# %% transpose_view wrong="refuses negative dimensions"
# Negative dimensions are valid in torch: -1 is the last, -n the first. Here they raise an error.
def transpose_view(t, dim0, dim1):
    for dim in (dim0, dim1):
        if not 0 <= dim < t.ndim:
            raise IndexError(f"no dimension {dim}")
    return t.transpose(dim0, dim1)


# %% transpose_view wrong="takes the remainder of every dimension"
# `dim % n` makes -1 the last dimension, but it also turns a dimension that does not exist into one that does: with
# three dimensions, 3 silently becomes 0. Those should raise IndexError.
def transpose_view(t, dim0, dim1):
    return t.transpose(dim0 % t.ndim, dim1 % t.ndim)


# %% transpose_view wrong="drops the sign of negative dimensions"
# The sign was dropped: -1 became dimension 1, but it means the last one.
def transpose_view(t, dim0, dim1):
    return t.transpose(abs(dim0), abs(dim1))


# %% transpose_view wrong="checks only that dimensions are not too large"
# Dimensions that are too large are refused, but below -n there are none either: such a dimension is still negative
# after n is added once.
def transpose_view(t, dim0, dim1):
    n = t.ndim
    if dim0 >= n or dim1 >= n:
        raise IndexError("no such dimension")
    dim0 = dim0 + n if dim0 < 0 else dim0
    dim1 = dim1 + n if dim1 < 0 else dim1
    return t.transpose(max(dim0, 0), max(dim1, 0))


# %% transpose_view wrong="raises ValueError for a missing dimension"
# A dimension that does not exist is refused, but with ValueError. Like an index that does not exist, it should be an
# IndexError, as from torch itself.
def transpose_view(t, dim0, dim1):
    if not all(-t.ndim <= dim < t.ndim for dim in (dim0, dim1)):
        raise ValueError("no such dimension")
    return t.transpose(dim0, dim1)


# %% transpose_view wrong="moves one dimension instead of swapping two"
# `movedim` takes one dimension out and shifts all those between: for neighbours that is a swap, for dimensions further
# apart it is not. Try dimensions 0 and 2.
def transpose_view(t, dim0, dim1):
    return t.movedim(dim0, dim1)


# %% transpose_view wrong="reverses all dimensions"
# All dimensions are in reverse order, whatever `dim0` and `dim1` say. With two dimensions that is the same, with more
# only the two named ones should change places.
def transpose_view(t, dim0, dim1):
    return t.permute(*reversed(range(t.ndim)))


# %% transpose_view wrong="swaps the last two dimensions only"
# `mT` swaps the last two dimensions, whatever `dim0` and `dim1` say.
def transpose_view(t, dim0, dim1):
    return t.mT


# %% transpose_view wrong="transposes t itself"
# The trailing underscore means in place: `t` itself has its dimensions swapped afterwards. Return a new view and leave
# `t` as it is.
def transpose_view(t, dim0, dim1):
    return t.transpose_(dim0, dim1)


# %% transpose_view wrong="counts strides in bytes"
# The strides were multiplied by the size of an element. NumPy counts strides in bytes, but torch counts them in
# elements.
def transpose_view(t, dim0, dim1):
    size = list(t.shape)
    stride = [step * t.element_size() for step in t.stride()]
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t, size, stride, t.storage_offset())


# %% transpose_view wrong="cuts the gradient off"
# The numbers lie in the same storage, but autograd does not know where they come from: after `.data` or `.detach()` (or
# a tensor built with `set_`) no gradient comes back to `t`.
def transpose_view(t, dim0, dim1):
    size, stride = list(t.shape), list(t.stride())
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    return torch.as_strided(t.data, size, stride, t.storage_offset())


# %% transpose_view wrong="one dimension: nothing to check"
# A tensor with one dimension comes back at once, since there is nothing to swap, and `dim0` and `dim1` are not looked
# at: 1 and -2 pass, though it has no such dimensions. Which dimensions does a tensor with n = 1 have?
def transpose_view(t, dim0, dim1):
    if t.ndim == 1:
        return t
    return t.transpose(dim0, dim1)


# %% transpose_view wrong="a fresh tensor where there are no elements"
# Where there is nothing in `t`, a fresh tensor comes back. Its shape is right, but it has a storage of its own, and no
# gradient leads back to `t`. Is there anything that has to be different without elements?
def transpose_view(t, dim0, dim1):
    size, stride = list(t.shape), list(t.stride())
    size[dim0], size[dim1] = size[dim1], size[dim0]
    stride[dim0], stride[dim1] = stride[dim1], stride[dim0]
    if t.numel() == 0:
        return t.new_empty(size)
    return t.as_strided(size, stride)


# %% transpose_view wrong="swaps strides of large dimensions only"
# The strides stayed where they were because one of the two dimensions has size 1. Its own stride means nothing there,
# but the other dimension moves to its place and has to bring its stride along.
def transpose_view(t, dim0, dim1):
    sizes, strides = list(t.shape), list(t.stride())
    if sizes[dim0] > 1 and sizes[dim1] > 1:
        strides[dim0], strides[dim1] = strides[dim1], strides[dim0]
    sizes[dim0], sizes[dim1] = sizes[dim1], sizes[dim0]
    return t.as_strided(sizes, strides)


# %% transpose_view right="torch.transpose"
def transpose_view(t, dim0, dim1):
    return torch.transpose(t, dim0, dim1)


# %% transpose_view right="as_strided, dimensions checked by hand, offset left to torch"
def _dimension(dim, n):
    if dim < -n or dim >= n:
        raise IndexError(f"dimension {dim} of a tensor with {n} dimensions")
    return dim + n if dim < 0 else dim


def transpose_view(tensor, first, second):
    first, second = (_dimension(dim, tensor.ndim) for dim in (first, second))
    order = {first: second, second: first}
    dims = [order.get(dim, dim) for dim in range(tensor.ndim)]
    return tensor.as_strided([tensor.shape[dim] for dim in dims], [tensor.stride(dim) for dim in dims])


# %% transpose_view right="permute, with an error of its own kind"
class NoSuchDimension(IndexError):
    pass


def transpose_view(t, dim0, dim1):
    dims = list(range(t.ndim))
    try:
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    except IndexError:
        raise NoSuchDimension("absent") from None
    return t.permute(dims)


# %% transpose_view right="two movedims, t itself where nothing is to be swapped"
def transpose_view(t, dim0, dim1):
    low, high = sorted(range(t.ndim)[dim] for dim in (dim0, dim1))
    return t if low == high else t.movedim(low, high).movedim(high - 1, low)


# %% sliding_windows wrong="copies the windows"
# The windows are right, but stacking copies each of them: a change in `x` no longer shows. Rows that overlap can lie in
# the same storage: describe them by strides.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows = [x[i : i + size] for i in range(0, len(x) - size + 1, step)]
    return torch.stack(rows) if rows else x.new_empty(0, size)


# %% sliding_windows wrong="makes x contiguous first"
# `contiguous()` returns `x` itself as long as it is contiguous, and a copy otherwise: for a strided signal the windows
# share nothing with `x`. Use the stride that `x` has.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    x = x.contiguous()
    return torch.as_strided(x, (max(0, (len(x) - size) // step + 1), size), (step, 1))


# %% sliding_windows wrong="one window too few"
# The last window is missing. Between the first window and the last there are (T - size) // step steps, and there is
# one window more than there are steps.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = max(0, (len(x) - size) // step), x.stride(0)
    return torch.as_strided(x, (rows, size), (step * s, s), x.storage_offset())


# %% sliding_windows wrong="lets the last windows run beyond x"
# This gives a window for every `step` elements, so the last ones end behind the end of `x`: they show other numbers
# of the storage, or leave it. The last window must still have `size` elements of `x` before it ends.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = len(x) // step if len(x) >= size else 0, x.stride(0)
    return torch.as_strided(x, (rows, size), (step * s, s), x.storage_offset())


# %% sliding_windows wrong="rounds the number of windows up"
# The number of windows was rounded up: if something is left over at the end, the last window is not complete and shows
# numbers from behind `x`, or leaves the storage.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = max(0, -(-(len(x) - size) // step) + 1), x.stride(0)
    return torch.as_strided(x, (rows, size), (step * s, s), x.storage_offset())


# %% sliding_windows wrong="ignores the stride of x"
# This takes neighbours in the storage for neighbours in `x`. If `x` is every third element, or a column of a table, its
# elements lie `x.stride(0)` apart, and both strides of the result contain that.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows = max(0, (len(x) - size) // step + 1)
    return torch.as_strided(x, (rows, size), (step, 1), x.storage_offset())


# %% sliding_windows wrong="forgets the stride of x between rows"
# Inside a row the steps are right, but from one row to the next it is `step` elements of `x`, and each of them is
# `x.stride(0)` long.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows = max(0, (len(x) - size) // step + 1)
    return torch.as_strided(x, (rows, size), (step, x.stride(0)), x.storage_offset())


# %% sliding_windows wrong="begins at the storage's first element"
# This is what comes out when the offset is dropped: the first window begins at element 0 of the storage, but `x` may be
# a slice that begins further on.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = max(0, (len(x) - size) // step + 1), x.stride(0)
    return torch.as_strided(x, (rows, size), (step * s, s), 0)


# %% sliding_windows wrong="exchanges the two strides"
# The two strides are exchanged: along a row the walk takes steps of `step`, and from row to row steps of one. The shape
# is right, but it needs the windows as rows.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = max(0, (len(x) - size) // step + 1), x.stride(0)
    return torch.as_strided(x, (rows, size), (s, step * s), x.storage_offset())


# %% sliding_windows wrong="ignores step"
# A window begins at every element: `step` was not used. Windows should begin `step` elements apart.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, 1) if len(x) >= size else x[:0].reshape(0, size)


# %% sliding_windows wrong="takes size and step for each other"
# Here `size` and `step` have exchanged their roles: windows should be `size` long and begin `step` apart. Look at the
# order in which they are passed on.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, step, size) if len(x) >= step else x[:0].reshape(0, step)


# %% sliding_windows wrong="windows side by side"
# The windows do not overlap, nor do they leave gaps: each begins where the last one ends, as if `step` were `size`.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows = len(x) // size
    return x[: rows * size].unflatten(0, (rows, size))


# %% sliding_windows wrong="a column for each window"
# Each window is a column of the result, but it should be a row: the shape is (number of windows, size).
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, step).t() if len(x) >= size else x[:0].reshape(size, 0)


# %% sliding_windows wrong="raises for a short signal"
# `unfold` refuses a signal that is shorter than one window. That is no mistake of the caller: there are simply no
# windows, and the result has shape (0, size).
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, step)


# %% sliding_windows wrong="a negative number of windows"
# For a signal much shorter than a window, (T - size) // step + 1 is negative, and no tensor has a negative number of
# rows. There are no windows then: 0 rows.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows, s = (len(x) - size) // step + 1, x.stride(0)
    return torch.as_strided(x, (rows, size), (step * s, s), x.storage_offset())


# %% sliding_windows wrong="an empty result without the window size"
# With no complete window the result is empty, but it should still have two dimensions, (0, size), so that the code that
# works with it finds the rows it expects.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, step) if len(x) >= size else x[:0]


# %% sliding_windows wrong="an empty result of the default dtype"
# With no complete window the result is empty, but it should still have the dtype of `x`. A fresh tensor has the default
# dtype, float32, unless it is told otherwise.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, step) if len(x) >= size else torch.empty(0, size)


# %% sliding_windows wrong="does not check size and step"
# A size of 0 gives windows without elements, a negative one or a step of 0 raises whatever error turns up further
# down. Both should be refused with ValueError before anything else.
def sliding_windows(x, size, step):
    if len(x) < size:
        return x[:0].reshape(0, size)
    return x.unfold(0, size, step)


# %% sliding_windows wrong="refuses only negative numbers"
# Negative numbers are refused, but 0 is not: a window of 0 elements and a step of 0 have no meaning either.
def sliding_windows(x, size, step):
    if size < 0 or step < 0:
        raise ValueError("size and step must not be negative")
    rows = max(0, (len(x) - size) // max(step, 1) + 1)
    return torch.as_strided(x, (rows, size), (step * x.stride(0), x.stride(0)), x.storage_offset())


# %% sliding_windows wrong="looks at the length before it checks"
# A short signal is answered before `size` and `step` are checked, so a wrong step passes as long as the signal is
# short, and shows up only with the first long one.
def sliding_windows(x, size, step):
    if len(x) < size:
        return x[:0].reshape(0, size)
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    return x.unfold(0, size, step)


# %% sliding_windows wrong="asserts instead of raising ValueError"
# `assert` raises AssertionError, and nothing at all when Python runs with -O. Callers who pass a wrong value should get
# a ValueError.
def sliding_windows(x, size, step):
    assert size >= 1 and step >= 1
    return x.unfold(0, size, step) if len(x) >= size else x[:0].reshape(0, size)


# %% sliding_windows wrong="refuses a step larger than the window"
# A step larger than the window is allowed: the elements between two windows are then in none of them.
def sliding_windows(x, size, step):
    if size < 1 or not 1 <= step <= size:
        raise ValueError("step must be from 1 to size")
    return x.unfold(0, size, step) if len(x) >= size else x[:0].reshape(0, size)


# %% sliding_windows wrong="cuts the gradient off"
# The windows are a view, but one that autograd does not follow: after `.detach()` or `.data` no gradient comes back
# to `x`.
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    x = x.detach()
    return x.unfold(0, size, step) if len(x) >= size else x[:0].reshape(0, size)


# %% sliding_windows right="unfold, with an empty slice reshaped for a short signal"
def sliding_windows(x, size, step):
    if min(size, step) < 1:
        raise ValueError("too small")
    if x.numel() < size:
        return x[:0].reshape(0, size)
    return x.unfold(0, size, step)


# %% sliding_windows right="unfold, with a fresh empty tensor for a short signal"
def sliding_windows(x, size, step):
    if min(size, step) < 1:
        raise ValueError("too small")
    if x.numel() < size:
        return torch.empty((0, size), dtype=x.dtype, device=x.device)
    return x.unfold(0, size, step)


# %% sliding_windows right="unfold, with an expanded empty slice for a short signal"
def sliding_windows(x, size, step):
    if min(size, step) < 1:
        raise ValueError("too small")
    if x.numel() < size:
        return x[len(x) :, None].expand(-1, size)
    return x.unfold(0, size, step)


# %% sliding_windows right="every step-th row of all windows"
def sliding_windows(signal, length, hop):
    if length <= 0 or hop <= 0:
        raise ValueError(f"{length=}, {hop=}")
    count = max(signal.shape[0] - length + 1, 0)
    (s,) = signal.stride()
    return signal.as_strided((count, length), (s, s))[::hop]


# %% sliding_windows right="counts the rows in a loop"
def sliding_windows(x, size, step):
    for name, value in (("size", size), ("step", step)):
        if value < 1:
            raise ValueError(name + " must be at least 1")
    rows = 0
    while rows * step + size <= len(x):
        rows += 1
    print(rows, "windows")
    return x.as_strided((rows, size), (step * x.stride(0), x.stride(0)), x.storage_offset())


# %% sliding_windows right="with len(range), offset left to torch"
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    rows = len(range(0, len(x) - size + 1, step))
    return x.as_strided((rows, size), (step * x.stride(0), x.stride(0)))
