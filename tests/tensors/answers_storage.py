"""Known answers of tensors/storage."""

# %% shares_storage wrong="equal data_ptr of the tensors"
# A tensor's `data_ptr()` is the address of its first element, so two views that begin at different elements look like
# strangers. Ask for something that belongs to the storage as a whole.
def shares_storage(a, b):
    return a.data_ptr() == b.data_ptr()


# %% shares_storage wrong="id of the storage wrappers"
# `t.storage()` makes a new Python object at each call. The first is gone before the second is made, and the second may
# get the same `id` again, whatever it wraps: so this says True for tensors that share nothing. An `id` names a Python
# object, and only as long as it lives.
def shares_storage(a, b):
    return id(a.storage()) == id(b.storage())


# %% shares_storage wrong="`is` on the storage wrappers"
# This says False even for a tensor and itself: `t.storage()` makes a new Python wrapper at each call, and two wrappers
# are never the same object, even around one storage.
def shares_storage(a, b):
    return a.storage() is b.storage()


# %% shares_storage wrong="the same tensor object"
# This asks whether both names mean one Python object. A view is a new tensor object over an old storage.
def shares_storage(a, b):
    return a is b


# %% shares_storage wrong="equal values"
# This compares what the tensors hold. A copy holds the same numbers in a storage of its own, and two views of one
# storage can hold different numbers.
def shares_storage(a, b):
    return a.shape == b.shape and bool((a == b).all())


# %% shares_storage wrong="equal bytes in the storages"
# This compares what lies in the two storages. A `clone` fills a second storage with the same bytes: equal, but not
# the same.
def shares_storage(a, b):
    return a.untyped_storage().tolist() == b.untyped_storage().tolist()


# %% shares_storage wrong="equal sizes of the storages"
# Two storages of the same length are not yet the same storage.
def shares_storage(a, b):
    return a.untyped_storage().nbytes() == b.untyped_storage().nbytes()


# %% shares_storage wrong="overlapping addresses"
# This asks whether the stretches of memory that the two tensors walk over overlap. Two views can lie in different
# parts of one storage, and they share it all the same.
def shares_storage(a, b):
    def ends(t):
        if t.numel() == 0:
            return t.data_ptr(), t.data_ptr()
        last = sum((size - 1) * stride for size, stride in zip(t.shape, t.stride()))
        return t.data_ptr(), t.data_ptr() + (last + 1) * t.element_size()

    (begin_a, end_a), (begin_b, end_b) = ends(a), ends(b)
    return begin_a < end_b and begin_b < end_a


# %% shares_storage wrong="NumPy's shares_memory"
# NumPy's `shares_memory` asks whether the two have an *element* in common, so it says False for two halves of one
# storage. NumPy also knows no bfloat16, so not every tensor can go there.
import numpy as np


def shares_storage(a, b):
    return bool(np.shares_memory(a.detach().numpy(), b.detach().numpy()))


# %% shares_storage wrong="writes and looks"
# This writes into `a` to see whether `b` changes. That finds common elements only, not a common storage, and asking a
# question should not write into anybody's tensor.
def shares_storage(a, b):
    a, b = a.detach(), b.detach()
    before, saved = b.clone(), a.clone()
    a.zero_()
    changed = not torch.equal(before, b)
    a.copy_(saved)
    return changed


# %% shares_storage wrong="the same base tensor"
# `_base` is autograd's note of which tensor a view was made from. `detach()` leaves no such note, although its result
# lies in the same storage.
def shares_storage(a, b):
    first = a if a._base is None else a._base
    second = b if b._base is None else b._base
    return first is second


# %% shares_storage wrong="one is the base of the other"
# This finds a view and the tensor that it was made from, but not two views of one tensor: there, neither is the base
# of the other.
def shares_storage(a, b):
    return a is b or a._base is b or b._base is a


# %% shares_storage wrong="subtracts the offset as bytes"
# `data_ptr()` is an address in bytes, and `storage_offset()` counts elements. Subtracting one from the other mixes
# two units.
def shares_storage(a, b):
    return a.data_ptr() - a.storage_offset() == b.data_ptr() - b.storage_offset()


# %% shares_storage wrong="computes the address back from the first element"
# Going back from the first element to where the storage begins works only where there is a first element. For a
# tensor without elements `data_ptr()` is 0.
def shares_storage(a, b):
    begin_a = a.data_ptr() - a.storage_offset() * a.element_size()
    begin_b = b.data_ptr() - b.storage_offset() * b.element_size()
    return begin_a == begin_b


# %% shares_storage wrong="wants the same dtype too"
# The storage holds bytes, and tensors of different dtypes can be views over the same ones: `x.view(torch.int32)` lies
# where the float32 tensor `x` lies.
def shares_storage(a, b):
    return a.dtype == b.dtype and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


# %% shares_storage right="through a view at offset 0"
def shares_storage(first, second):
    def beginning(t):
        return t.detach().as_strided((1,), (1,), 0).data_ptr()

    return beginning(first) == beginning(second)


# %% shares_storage right="a byte tensor set over each storage"
def shares_storage(x, y):
    print("comparing", tuple(x.shape), tuple(y.shape))
    rows = [torch.empty(0, dtype=torch.uint8).set_(t.untyped_storage()) for t in (x, y)]
    return rows[0].is_set_to(rows[1])


# %% shares_storage right="overlapping byte ranges of the storages"
def shares_storage(a, b):
    ranges = []
    for t in [a, b]:
        storage = t.untyped_storage()
        ranges.append(range(storage.data_ptr(), storage.data_ptr() + storage.nbytes()))
    return max(r.start for r in ranges) < min(r.stop for r in ranges)


# %% shares_storage right="a set of addresses"
def shares_storage(*tensors):
    return len({t.untyped_storage().data_ptr() for t in tensors}) == 1


# %% contiguous_strides wrong="column by column"
# These are the strides of a tensor whose *first* index runs fastest. In torch the last one does: its stride is 1.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in shape:
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides)


# %% contiguous_strides wrong="collected from the end, not turned round"
# The right numbers in the wrong order: collected from the last dimension to the first. The last dimension's stride
# should come last.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides)


# %% contiguous_strides wrong="counted in bytes"
# These are bytes of float32, four for each element, as NumPy would count. Torch counts strides in elements: the last
# one is 1.
def contiguous_strides(shape):
    strides, step = [], 4
    for size in reversed(shape):
        strides.insert(0, step)
        step *= max(size, 1)
    return tuple(strides)


# %% contiguous_strides wrong="its own size in the product"
# Each stride has its own dimension's size in it, one factor too many. A step along a dimension jumps over what lies in
# the dimensions *after* it.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        step *= max(size, 1)
        strides.insert(0, step)
    return tuple(strides)


# %% contiguous_strides wrong="only the next size"
# Each stride is the size of the next dimension only. With three dimensions or more, one step along the first jumps
# over everything in *all* the later ones.
def contiguous_strides(shape):
    return tuple(max(size, 1) for size in shape[1:]) + (1,) * (len(shape) > 0)


# %% contiguous_strides wrong="a stride for the tensor without dimensions"
# The shape () has no dimensions, so there is no stride to give: one stride for each dimension is () here.
def contiguous_strides(shape):
    strides = [1]
    for size in reversed(shape[1:]):
        strides.insert(0, strides[0] * max(size, 1))
    return tuple(strides)


# %% contiguous_strides wrong="zero in the product"
# A size of 0 makes every stride before it 0 here. Torch counts it as 1 when it multiplies.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return tuple(strides)


# %% contiguous_strides wrong="zero starts the product again"
# A product that has become 0 is set back to 1 here, and the sizes after the zero are lost. It is the *size* of 0 that
# counts as 1: the rest of the product stays.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step = max(step * size, 1)
    return tuple(strides)


# %% contiguous_strides wrong="stride 0 for a size of 1"
# A dimension of size 1 gets stride 0 here. That is what `expand` does; a new tensor's strides follow the same rule for
# a size of 1 as for any other.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, 0 if size == 1 else step)
        step *= max(size, 1)
    return tuple(strides)


# %% contiguous_strides wrong="makes the tensor and asks it"
# This makes a tensor of the shape to look at its strides, and a big shape does not fit into memory. The strides follow
# from the sizes alone.
def contiguous_strides(shape):
    return torch.empty(shape).stride()


# %% contiguous_strides wrong="asks a meta tensor"
# A tensor on the meta device needs no memory, so it knows the strides of large shapes too. But torch counts the bytes of
# its storage all the same, and gives up where their number does not fit into 64 bits. Can it be done without a tensor?
def contiguous_strides(shape):
    return torch.empty(shape, device="meta").stride()


# %% contiguous_strides wrong="multiplies in int64"
# Strides beyond 2**63 come out wrong, perhaps even negative: NumPy and torch multiply in 64 bits, and what does not fit
# into them is cut off without a word. Which whole numbers have no such limit?
import numpy as np


def contiguous_strides(shape):
    sizes = np.maximum(np.array([*shape, 1], dtype=np.int64)[::-1], 1)
    return tuple(np.cumprod(sizes)[: len(shape)][::-1].tolist())


# %% contiguous_strides wrong="computed in float32"
# The product was computed in floating point, and a float32 holds whole numbers exactly only up to 2**24. Large strides
# come out a little off; Python's ints stay exact.
def contiguous_strides(shape):
    sizes = torch.tensor([1.0, *(float(max(size, 1)) for size in reversed(shape))])
    return tuple(int(step) for step in sizes.cumprod(0)[: len(shape)].flip(0))


# %% contiguous_strides wrong="divides the number of elements in floating point"
# `/` divides in floating point, which holds whole numbers exactly only up to 2**53. Very large strides come out a
# little off. `//` divides whole numbers exactly.
def contiguous_strides(shape):
    strides, rest = [], 1
    for size in shape:
        rest *= max(size, 1)
    for size in shape:
        rest = int(rest / max(size, 1))
        strides.append(rest)
    return tuple(strides)


# %% contiguous_strides wrong="returns a list"
# The numbers are right, but they come in a list. `stride()` gives a tuple, and `(1,) == [1]` is False.
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= max(size, 1)
    return strides


# %% contiguous_strides wrong="three dimensions only"
# This is written for exactly three dimensions. The rule is the same for any number of them: a loop covers them all.
def contiguous_strides(shape):
    _, height, width = shape
    return (max(height, 1) * max(width, 1), max(width, 1), 1)


# %% contiguous_strides right="a product for each dimension"
import math


def contiguous_strides(sizes):
    return tuple(math.prod(max(1, n) for n in sizes[dim + 1 :]) for dim in range(len(sizes)))


# %% contiguous_strides right="itertools.accumulate"
from itertools import accumulate
from operator import mul


def contiguous_strides(shape):
    steps = list(accumulate([size or 1 for size in shape[:0:-1]], mul, initial=1))
    return tuple(steps[::-1]) if shape else ()


# %% contiguous_strides right="recursive"
def contiguous_strides(shape):
    if len(shape) <= 1:
        return (1,) * len(shape)
    rest = contiguous_strides(tuple(shape[1:]))
    return (rest[0] * (shape[1] if shape[1] > 0 else 1), *rest)


# %% contiguous_strides right="NumPy's cumprod of Python's numbers"
import numpy as np


def contiguous_strides(shape):
    sizes = np.array([max(size, 1) for size in (*shape, 1)], dtype=object)[::-1]
    return tuple(np.cumprod(sizes)[: len(shape)][::-1].tolist())


# %% contiguous_strides right="a torch.Size as long as one can hold the numbers"
def contiguous_strides(shape):
    strides, step = [], 1
    for size in tuple(shape)[::-1]:
        strides = [step, *strides]
        step = step * size if size else step
    return torch.Size(strides) if step < 2**63 else tuple(strides)


# %% contiguous_strides right="divides the number of elements"
def contiguous_strides(shape):
    rest = 1
    for size in shape:
        rest *= max(size, 1)
    out = ()
    for size in shape:
        rest //= max(size, 1)
        out += (rest,)
    return out


# %% element_offset wrong="forgets the storage offset"
# This counts from the tensor's own first element. A slice like `x[2:]` begins later in the storage:
# `t.storage_offset()` says where.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = 0
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i % size * stride
    return place


# %% element_offset wrong="takes the tensor for contiguous"
# These are the strides that a *new* tensor of this shape would have. A transposed or stepped view has others: ask it.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place, step = t.storage_offset(), 1
    for i, size in reversed(list(zip(index, t.shape))):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i % size * step
        step *= size
    return place


# %% element_offset wrong="looks at a contiguous copy"
# `contiguous()` copies a tensor whose elements don't lie in order, and then this is a place in the copy's storage,
# which starts at 0. The question is about the storage of `t` itself.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    t = t.contiguous()
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i % size * stride
    return place


# %% element_offset wrong="negative index not turned round"
# A negative index steps backwards from the first element here, out of the view. -1 means the last element: turn it into
# the index from the front before you multiply.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i * stride
    return place


# %% element_offset wrong="negative index off by one"
# -1 becomes the last but one here. -1 is the last element, `size - 1`, and `-size` is the first.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += (size - 1 + i if i < 0 else i) * stride
    return place


# %% element_offset wrong="negative indices refused"
# Negative indices are allowed: they count from the end, from -1 for the last to `-size` for the first.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not 0 <= i < size:
            raise IndexError("out of range")
        place += i * stride
    return place


# %% element_offset wrong="indices that are too large wrap round"
# `%` turns every index into a valid one, so an index that is out of range silently gives some other element's place.
# Check the range before you turn negative indices round.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        place += i % size * stride
    return place


# %% element_offset wrong="no check of the range"
# An index beyond the end gives a place that belongs to another element, or lies outside the storage. It should be an
# IndexError.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        place += (i + size if i < 0 else i) * stride
    return place


# %% element_offset wrong="range too wide by one"
# The index `size` slips through: the last valid one is `size - 1`.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i <= size:
            raise IndexError("out of range")
        place += (i + size if i < 0 else i) * stride
    return place


# %% element_offset wrong="range too narrow at the negative end"
# The index `-size` is refused, but it is valid: it means the first element.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if abs(i) >= size:
            raise IndexError("out of range")
        place += (i + size if i < 0 else i) * stride
    return place


# %% element_offset wrong="no check of the number of indices"
# `zip` stops quietly at the shorter of its arguments, so missing indices count as 0 and extra ones are dropped. Either
# should be an IndexError.
def element_offset(t, index):
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i % size * stride
    return place


# %% element_offset wrong="fewer indices are accepted"
# Torch allows fewer indices than dimensions and gives back a row or a plane. Here the place of *one* element is asked
# for, so too few indices are an IndexError.
def element_offset(t, index):
    return t[index].storage_offset()


# %% element_offset wrong="another kind of error"
# The right calls are refused, but with a ValueError. A wrong index is an IndexError, in Python's lists as in torch.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise ValueError("wrong number of indices")
    place = t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise ValueError("out of range")
        place += i % size * stride
    return place


# %% element_offset wrong="counted in bytes"
# This is a distance in bytes. Divide by `t.element_size()`, or count in elements from the start, as strides and offset
# do.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    return t[index].data_ptr() - t.untyped_storage().data_ptr()


# %% element_offset wrong="four bytes for every element"
# An element is taken to have four bytes here. That is true of float32 and int32 only; `t.element_size()` says how many
# it is.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    return (t[index].data_ptr() - t.untyped_storage().data_ptr()) // 4


# %% element_offset wrong="looks for the value"
# This looks for the first place that holds the same value. Where values repeat, it finds somebody else's place.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    count = t.untyped_storage().nbytes() // t.element_size()
    return t.detach().as_strided((count,), (1,), 0).tolist().index(t[index].item())


# %% element_offset wrong="0 for a tensor without dimensions"
# A tensor without dimensions can lie anywhere in a storage: `x[2]` of a one-dimensional `x` lies at place 2.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    if t.ndim == 0:
        return 0
    return t[index].storage_offset()


# %% element_offset wrong="a tensor for an int"
# The number is right, but it comes as a tensor. `.item()` makes it a plain int.
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    for i, size in zip(index, t.shape):
        if not -size <= i < size:
            raise IndexError("out of range")
    steps = torch.tensor([i % size for i, size in zip(index, t.shape)], dtype=torch.int64)
    return t.storage_offset() + (steps * torch.tensor(t.stride(), dtype=torch.int64)).sum()


# %% element_offset right="asks torch for the one-element view"
def element_offset(tensor, where):
    if len(where) != tensor.dim():
        raise IndexError(f"{tensor.dim()} indices, please")
    return tensor[where].storage_offset()


# %% element_offset right="from the addresses"
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError
    distance = t[index].data_ptr() - t.untyped_storage().data_ptr()
    print("bytes from the beginning:", distance)
    return distance // t.element_size()


# %% element_offset right="a storage of 0, 1, 2, ... seen through the same view"
def element_offset(t, index):
    if len(index) < t.ndim:
        raise IndexError("too few")
    count = t.untyped_storage().nbytes() // t.element_size()
    return int(torch.arange(count).as_strided(t.size(), t.stride(), t.storage_offset())[index])


# %% element_offset right="range does the bookkeeping"
def element_offset(t, index):
    if not len(index) == len(t.shape):
        raise IndexError("number of indices")
    return t.storage_offset() + sum(t.stride(d) * range(t.size(d))[i] for d, i in enumerate(index))


# %% element_offset right="one dimension after the other, with a LookupError of its own"
class NoSuchElement(IndexError):
    pass


def element_offset(t, index):
    view = t.detach()
    try:
        for i in index:
            view = view.select(0, i)
    except (IndexError, RuntimeError) as error:
        raise NoSuchElement(str(error)) from error
    if view.ndim:
        raise NoSuchElement("too few indices")
    return view.storage_offset()
