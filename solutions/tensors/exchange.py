# %% [markdown] lesson=5
# # In and out: NumPy, disk, devices, dtypes
#
# Numbers come into tensors from somewhere, go out again, and move about in between: from a NumPy array, to a file and
# back, from the CPU to a GPU, from integers to floats. Each crossing is one short call, and each has a way to go
# wrong without a word: memory that is still shared, a file a thousand times too large, a batch half of which stayed
# behind, a number that is no longer the same number. Four exercises, one for each crossing.

# %%
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

# %% [markdown]
# ## A copy out of NumPy
# `torch.from_numpy` copies nothing. Array and tensor are then two names for one block of memory, so an in-place
# operation on the tensor also changes the array, which some other part of the program may still be reading:
#
#     torch.from_numpy(array)         array ---> [ 3 1 4 1 5 ] <--- tensor
#     from_numpy_safe(array)          array ---> [ 3 1 4 1 5 ]      tensor ---> [ 3 1 4 1 5 ]
#
# NumPy can also describe memory in ways that torch cannot. A flipped image, `image[::-1]`, has a negative stride, and
# a tensor never has one. Scientific files often hold numbers with the bytes of each in the other order (`">f4"`). Torch
# refuses both. A read-only array it does take, with no more than a warning, and lets you write into what is read-only.
# One copy, made on the right side, settles all of these.
#
# Values and dtypes stay as they are. Old material sends 16-bit images through `int16`, where 40000 turns into -25536,
# because `from_numpy` once refused `uint16`; today it takes `uint16`, `uint32` and `uint64` as they are (few operations
# compute on them, though: cast the tensor before you calculate).

# %% from_numpy_safe points=2 level="core" minutes=10 needs=["shares_storage"]
def from_numpy_safe(array: Shaped[np.ndarray, "*dims"]) -> Shaped[Tensor, "*dims"]:
    """Copy a NumPy array into a tensor with memory of its own.

    Args:
        array: any shape, also () and empty; any strides, also negative; writable or read-only; its numbers in either
            byte order. Its dtype is bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, float32,
            float64, complex64 or complex128. It is not changed.

    Returns:
        A tensor with the shape and the values of `array` and the torch dtype of the same name (uint16 gives
        torch.uint16, ">f4" is float32 and gives torch.float32). A copy: writing into one leaves the other alone.

    Raises:
        TypeError: the dtype is another one (text, objects, dates, records).

    >>> from_numpy_safe(np.array([1.5, 2.5, 4.0])[::-1])
    tensor([4.0000, 2.5000, 1.5000], dtype=torch.float64)
    >>> from_numpy_safe(np.array([[40000], [65535]], dtype=np.uint16))
    tensor([[40000],
            [65535]], dtype=torch.uint16)
    """
    ### BEGIN SOLUTION
    # Hint: Make the copy while it is still an array: NumPy understands its own strides and byte orders.
    # Hint: `array.copy()` has positive strides and is writable, but keeps the byte order.
    # Hint: `array.dtype.newbyteorder("=")` is the same dtype in this machine's byte order; `astype` converts to it.
    # Hint: torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))
    # astype copies even if the dtype stays (copy=True is its default), so sharing *this* array with torch is safe.
    own = array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(own)
    ### END SOLUTION


# %% [markdown]
# ## To disk and back
# Hours of training end in a few tensors. `torch.save` writes them to disk, and `torch.load` loads them back.
# The file is a zip archive: the raw bytes of each storage, and a pickle that says how the tensors lie in them.
#
#     buffer = torch.zeros(1000, 1000)           # 4 MB
#     torch.save({"row": buffer[0]}, path)       # 4 kB of numbers, yet the file has 4 MB
#
# Storages are written *whole*: a small view takes its large buffer along to disk. And that view is already contiguous.
#
# A pickle can also hold code that runs when it is read, so a file from a stranger could do anything to your machine.
# `torch.load(..., weights_only=True)` reads tensors and plain containers and stops at anything else. It is the default
# today; in material from before torch 2.6 a bare `torch.load(path)` runs whatever is inside, so spell it out.
#
# Last, the file remembers where its tensors were. One saved from a GPU cannot be read on a machine without that GPU,
# unless you tell `load` where they should go instead.

# %% save_tensors points=2 level="core" minutes=15 needs=["shares_storage"]
def save_tensors(tensors: dict[str, Shaped[Tensor, "..."]], path: str | Path) -> None:
    """Write named tensors to a file that `torch.load(path, weights_only=True)` reads as a dict of these tensors.

    The file holds the elements of each tensor, whatever the size of the storage that it views, plus at most 16 KiB, and
    1 KiB more for each tensor. Each tensor in it has a storage of its own: if two shared one before, they do not after
    loading.

    Args:
        tensors: name -> tensor. Tensors of any shape, also () and empty, any dtype and any strides, with or without
            requires_grad. Neither the dict nor the tensors are changed.
        path: the file, written under exactly this name; one that is already there is replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors({"few": torch.arange(1_000_000)[:3]}, f"{folder}/few.pt")
    ...     print(load_tensors(f"{folder}/few.pt"), Path(f"{folder}/few.pt").stat().st_size < 16_000)
    {'few': tensor([0, 1, 2])} True
    """
    ### BEGIN SOLUTION
    # Hint: Which tensor method gives a tensor a storage of its own, no larger than it needs, even if it is contiguous?
    # Hint: Put a `clone()` of each tensor into a *new* dict, and save that.
    # Hint: If you detach, put the flag back: `.requires_grad_(tensor.requires_grad)`.
    # Under no_grad a clone alone would lose requires_grad, so the flag is copied openly.
    own = {name: t.detach().clone().requires_grad_(t.requires_grad) for name, t in tensors.items()}
    torch.save(own, path)
    ### END SOLUTION


def load_tensors(path: str | Path) -> dict[str, Shaped[Tensor, "..."]]:
    """Read what `save_tensors` wrote, or another file in which `torch.save` put a dict of tensors.

    Args:
        path: the file. It may come from a stranger.

    Returns:
        name -> tensor, the names in the order of the file. Every tensor is a leaf on the CPU, also if it was saved
        from another device, with the shape, dtype, values and requires_grad that it had.

    Raises:
        pickle.UnpicklingError: the file holds an object that is neither a tensor nor plain data (numbers, text, and
            containers of these). None of its code has run.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_tensors({"w": torch.ones(2, requires_grad=True)}, f"{folder}/w.pt")
    ...     load_tensors(f"{folder}/w.pt")
    {'w': tensor([1., 1.], requires_grad=True)}
    """
    ### BEGIN SOLUTION
    # Hint: One call of torch.load does it all; two of its arguments matter.
    # Hint: `weights_only=True` keeps strangers' code from running; `map_location` says where the tensors go.
    # Hint: torch.load(path, map_location="cpu", weights_only=True)
    return torch.load(path, map_location="cpu", weights_only=True)
    ### END SOLUTION


# %% [markdown]
# ## Everything to the device
# Operations run on the CPU and on the GPU alike: the same line computes wherever its tensors are, and what decides is a
# `.to(device)` beforehand. Tensors on two different devices do not mix, so a whole batch has to move, and a batch is
# rarely just one tensor:
#
#     batch = {"image": tensor, "boxes": [tensor, tensor], "target": Target(tensor, None), "file": "cat.png"}
#     batch = move_to(batch, device)
#     scores = batch["image"] @ weights.to(device)         # runs on `device`
#
# `x.to(device)` does not move `x`: it returns another tensor, which is lost unless it gets a name or a place. That is
# unlike `model.to(device)`, which changes the model. And `device` is an argument: a function with `.cuda()` in its body
# works on one kind of machine only.
#
# To check such code without a GPU, move things to the device `"meta"`. Its tensors have shape, dtype and device but no
# numbers, and whatever stayed behind or was made afresh on the CPU shows at once.

# %% move_to points=2 level="core" minutes=15 needs=[]
def move_to(nested: Any, device: torch.device | str) -> Any:
    """Copy nested containers, with every tensor in them moved to `device`.

    Args:
        nested: a tensor, or a dict, list, tuple or namedtuple of such things to any depth, or any other object.
            Dicts and lists are plain ones (no OrderedDict). Neither the containers nor the tensors are changed.
        device: where to, such as "cpu", "cuda" or torch.device("meta").

    Returns:
        For a tensor, `tensor.to(device)`: shape, dtype and requires_grad as before, still part of the autograd graph
        (a tensor that is there already may come back itself). For a container, a new one of the same type, a namedtuple
        included, with its items moved and keys, order and field names kept; every dict and list is a new object,
        whether or not there are tensors in it. Anything else (None, text, numbers, a module, ...) comes back as it is,
        the same object.

    >>> batch = {"x": torch.ones(2, 3), "rest": [torch.zeros(4), None], "file": "cat.png"}
    >>> move_to(batch, "meta")["rest"]
    [tensor(..., device='meta', size=(4,)), None]
    >>> batch["x"].device
    device(type='cpu')
    """
    ### BEGIN SOLUTION
    # Hint: Tensors and leaves are simple. For a container, build a new one from `move_to` of each item.
    # Hint: Ask what `nested` is, the known kinds first, and let everything else through at the end.
    # Hint: A namedtuple is a tuple with `_fields`; its type wants one argument for each field.
    # Hint: `type(nested)._make(items)` builds a namedtuple from an iterable; `type(nested)(items)` a list or tuple.
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        build = getattr(type(nested), "_make", type(nested))  # only namedtuples have _make
        return build(items)
    return nested
    ### END SOLUTION


# %% [markdown]
# ## A cast that loses nothing
# Networks compute on floats; labels, pixels and row numbers arrive as integers. So dtypes change all the time, and
# `.to(dtype)` never complains:
#
#     torch.tensor([2.7, 3.0]).to(torch.int64)             # 2, 3                 the fraction is gone
#     torch.tensor([44, 300]).to(torch.uint8)              # 44, 44               wrapped round
#     torch.tensor([2**24 + 1]).to(torch.float32)          # 16777216             rounded
#
# A float has a fixed number of binary digits: 24 in float32, 53 in float64, 11 in float16, 8 in bfloat16. Up to 2**24
# float32 has every whole number (the others up to 2**53, 2**11 and 2**8); above that, only some.
#
# The cast is easy, noticing is not. `before == after` with two dtypes makes torch cast one side to the other's dtype
# first: the same rounding happens again and hides what you look for. Casting back to compare forgives too. A float
# outside an integer's range becomes *some* integer, which one depends on the machine, and that may lead straight back
# to the start. (2.0**63 is just outside int64, and 2**63 - 1, its largest, has no float of its own.)

# %% cast_exact points=2 level="core" minutes=20 needs=[]
def cast_exact(x: Shaped[Tensor, "*dims"], dtype: torch.dtype) -> Shaped[Tensor, "*dims"]:
    """Cast `x` to `dtype` if every element stays exactly the same number; refuse otherwise.

    As numbers, False is 0, True is 1, and -0.0 is 0. An infinity is the same only as itself. NaN counts as the same as
    NaN. So NaN and infinities go from any float dtype to any other, but never to an integer dtype or bool; bool takes
    0 and 1 only; and a float that would be rounded, even to infinity or to zero, is refused.

    Args:
        x: any shape, also () and empty, any strides; bool, uint8, int8, int16, int32, int64, float16, bfloat16,
            float32 or float64. It is not changed.
        dtype: one of these.

    Returns:
        A tensor with the shape of `x`, its numbers, and dtype `dtype`. It may be `x` itself if that has the dtype
        already. An empty `x` fits any dtype.

    Raises:
        ValueError: at least one element would become another number.

    >>> cast_exact(torch.tensor([3.0, -7.0]), torch.int8)
    tensor([ 3, -7], dtype=torch.int8)
    >>> cast_exact(torch.tensor([2**24 + 2]), torch.float32)
    tensor([16777218.])
    >>> cast_exact(torch.tensor([2**24 + 1]), torch.float32)
    Traceback (most recent call last):
    ValueError: 1 of 1 elements would change in torch.float32
    """
    ### BEGIN SOLUTION
    # Hint: Cast, then compare before and after in a dtype that rounds neither: what can hold any float, any integer?
    # Hint: All floats here fit float64, all integers and bool fit int64. Two floats or two integers are then easy.
    # Hint: A float equals an integer if it lies in [-2**63, 2**63), is whole, and agrees with it as int64.
    # Hint: `real.trunc() == real` finds the whole ones; `before.isnan()` finds NaN.
    out = x.to(dtype)
    before, after = (t.double() if t.is_floating_point() else t.long() for t in (x, out))
    if before.dtype == after.dtype:
        same = (before == after) | before.isnan()  # NaN stays NaN in every float dtype
    else:
        real, whole = (before, after) if before.is_floating_point() else (after, before)
        # Outside this range `real.long()` may be anything, so its answer must not count.
        inside = (real >= -(2.0**63)) & (real < 2.0**63)
        same = inside & (real.trunc() == real) & (real.long() == whole)
    if not same.all():
        raise ValueError(f"{int((~same).sum())} of {x.numel()} elements would change in {dtype}")
    return out
    ### END SOLUTION


# %% [markdown]
# How many whole numbers of each size a dtype holds: all up to a point, then half of them, a quarter, and so on.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
#
# def fits(number, dtype):
#     try:
#         return cast_exact(number, dtype) is not None
#     except ValueError:
#         return False
#
#
# for dtype in (torch.bfloat16, torch.float16, torch.float32):
#     generator = torch.Generator().manual_seed(1)
#     shares = []
#     for power in range(1, 31):
#         numbers = torch.randint(2 ** (power - 1), 2**power, (200,), generator=generator)
#         shares.append(sum(fits(number, dtype) for number in numbers) / 200)
#     plt.plot(range(1, 31), shares, label=str(dtype))
# plt.gca().set(xlabel="binary digits of the number", ylabel="share that stays exact")
# plt.legend();
