"""Known answers of tensors/exchange."""

# %% from_numpy_safe wrong="torch.from_numpy alone"
# This tensor lies in the array's own memory: writing into one changes the other. Flipped arrays and foreign byte orders
# are refused, too, because torch cannot describe such memory.
def from_numpy_safe(array):
    return torch.from_numpy(array)


# %% from_numpy_safe wrong="copies after the bridge"
# `torch.from_numpy(array).clone()` makes the copy too late: `from_numpy` has already refused an array with a negative
# stride or a foreign byte order. Which library can describe such an array, and so can copy it?
def from_numpy_safe(array):
    return torch.from_numpy(array).clone()


# %% from_numpy_safe wrong="ascontiguousarray"
# `np.ascontiguousarray` copies only if it has to. An array that is contiguous already comes back as it is, so the tensor
# still shares its memory (and a 0-d array comes back with one dimension).
def from_numpy_safe(array):
    return torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))


# %% from_numpy_safe wrong="copies only what torch refuses"
# The arrays that torch refuses are copied here, but all others still share their memory with the tensor.
def from_numpy_safe(array):
    awkward = any(stride < 0 or stride % array.itemsize for stride in array.strides) or not array.flags.writeable
    if awkward or not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return torch.from_numpy(array)


# %% from_numpy_safe wrong="uint16 through int16"
# The uint16 image went through int16, which ends at 32767: 40000 became -25536. Today torch has a uint16 of its own.
def from_numpy_safe(array):
    if array.dtype.newbyteorder("=") == np.uint16:
        array = array.astype(np.int16)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


# %% from_numpy_safe wrong="uint16 widened to int32"
# The values are right, but uint16 came out as int32. Every dtype should come out under its own name: torch has uint16.
def from_numpy_safe(array):
    if array.dtype.newbyteorder("=") == np.uint16:
        array = array.astype(np.int32)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


# %% from_numpy_safe wrong="everything as float32"
# This makes a float32 tensor of everything, the way torch.Tensor(...) does: integers above 2**24 and float64 are rounded,
# and the dtype of the array is lost.
def from_numpy_safe(array):
    return torch.from_numpy(array.astype(np.float32))


# %% from_numpy_safe wrong="through a Python list"
# On the way through `tolist()` the dtype is forgotten: floats come out as float32 and integers as int64, whatever they
# were, and lists of an empty array forget part of its shape.
def from_numpy_safe(array):
    if array.dtype.kind not in "biufc":
        raise TypeError("no numbers")
    return torch.tensor(array.tolist())


# %% from_numpy_safe wrong="forgets the byte order"
# `array.copy()` straightens the strides, but keeps the order of the bytes in each number, and torch refuses numbers
# whose bytes are in the other order.
def from_numpy_safe(array):
    return torch.from_numpy(array.copy())


# %% from_numpy_safe wrong="relabels the byte order"
# `view` with another byte order reads the same bytes backwards, so all numbers are different ones: it renames without
# converting. The values should stay, and the bytes should change.
def from_numpy_safe(array):
    return torch.from_numpy(array.copy().view(array.dtype.newbyteorder("=")))


# %% from_numpy_safe wrong="turns the bytes of a complex number round as one"
# Real numbers come out right, complex ones do not: the bytes of each element were turned round as if it were one number.
# A complex number is two, which lie one after the other in either byte order. Who knows that about every dtype?
def from_numpy_safe(array):
    array = array.copy()
    if not array.dtype.isnative:
        one_number = f"u{array.dtype.itemsize}" if array.dtype.itemsize <= 8 else "c16"
        array = array.view(one_number).byteswap().view(array.dtype.newbyteorder("="))
    return torch.from_numpy(array)


# %% from_numpy_safe wrong="undoes the flip"
# The negative strides are gone because the array was flipped back: the elements now stand in the order of memory, not in
# the order of the array.
def from_numpy_safe(array):
    for axis, stride in enumerate(array.strides):
        if stride < 0:
            array = np.flip(array, axis)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


# %% from_numpy_safe wrong="reads text as numbers"
# Text and objects are turned into numbers here, where a TypeError was asked for: a column that was read as text by
# mistake would go unnoticed.
def from_numpy_safe(array):
    if array.dtype.kind in "UOSM":
        return torch.zeros(array.shape)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("=")))


# %% from_numpy_safe right="np.array with copy"
def from_numpy_safe(a):
    own = np.array(a, dtype=a.dtype.newbyteorder("="), order="C", copy=True)
    print("copied", own.shape)
    return torch.from_numpy(own)


# %% from_numpy_safe right="torch.tensor of a native copy"
def from_numpy_safe(array):
    native = array.copy()
    if not native.dtype.isnative:
        native = native.byteswap().view(native.dtype.newbyteorder())
    return torch.tensor(native)


# %% from_numpy_safe right="into an empty tensor, by NumPy"
def from_numpy_safe(array):
    dtype = getattr(torch, array.dtype.name, None)
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"no tensors of {array.dtype}")
    out = torch.empty(array.shape, dtype=dtype)
    np.copyto(out.numpy(), array)
    return out


# %% from_numpy_safe right="the raw bytes"
def from_numpy_safe(array):
    import warnings

    dtypes = {np.dtype(name): getattr(torch, name) for name in (
        "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128".split()
    )}
    native = array.dtype.newbyteorder("=")
    if native not in dtypes:
        raise TypeError(array.dtype)
    raw = bytearray(np.ascontiguousarray(array, native).tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flat = torch.frombuffer(raw, dtype=dtypes[native]) if raw else torch.empty(0, dtype=dtypes[native])
    return flat.reshape(array.shape).clone()


# %% save_tensors wrong="saves the views as they are"
# `torch.save` writes the whole storage of each tensor, so one row takes its large buffer along to disk, and after
# loading it still is a view of that buffer.
def save_tensors(tensors, path):
    torch.save(tensors, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="contiguous() for a copy"
# `contiguous()` copies only what is not contiguous yet. A column got a storage of its own, but a row is contiguous
# already: it comes back as it is, still a view of the large buffer.
def save_tensors(tensors, path):
    torch.save({name: tensor.contiguous() for name, tensor in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="clones after loading"
# The copies are made when the file is read. By then the large buffer has already been written to disk.
def save_tensors(tensors, path):
    torch.save(tensors, path)


def load_tensors(path):
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    return {name: t.detach().clone().requires_grad_(t.requires_grad) for name, t in loaded.items()}


# %% save_tensors wrong="weights_only=False"
# With `weights_only=False` (as the only try, or as the second one after an error) the file's own code runs while it is
# read. Whoever wrote the file decides what your machine does.
def save_tensors(tensors, path):
    torch.save({name: t.detach().clone().requires_grad_(t.requires_grad) for name, t in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=False)


# %% save_tensors wrong="no map_location"
# Without `map_location` the tensors go back to the device they were saved from: an error on a machine that has none like
# it, and on one that has, they are not on the CPU.
def save_tensors(tensors, path):
    torch.save({name: t.detach().clone().requires_grad_(t.requires_grad) for name, t in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, weights_only=True)


# %% save_tensors wrong="detach loses requires_grad"
# `detach()` gives a tensor that does not require a gradient, and nothing sets the flag again: what was being trained
# comes back frozen.
def save_tensors(tensors, path):
    torch.save({name: tensor.detach().clone() for name, tensor in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="requires_grad for every float"
# Every float tensor comes back with requires_grad, also those that had been frozen (running means, given embeddings).
def save_tensors(tensors, path):
    torch.save({name: tensor.detach().clone() for name, tensor in tensors.items()}, path)


def load_tensors(path):
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    return {name: t.requires_grad_(t.is_floating_point() or t.is_complex()) for name, t in loaded.items()}


# %% save_tensors wrong="edits the caller's dict"
# The clones were put into the dict of the caller, whose tensors are now no longer the ones that are being trained (nor
# views of their buffer). Build a new dict.
def save_tensors(tensors, path):
    for name, tensor in tensors.items():
        tensors[name] = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    torch.save(tensors, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="everything as float32"
# Everything was cast to float32 on the way: integers, booleans and half precision do not come back with their dtype.
def save_tensors(tensors, path):
    torch.save({name: t.detach().float().clone().requires_grad_(t.requires_grad) for name, t in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="NumPy's savez"
# NumPy's files know neither bfloat16 nor requires_grad, `np.savez` appends .npz to the name, and `torch.load` cannot
# read the file.
def save_tensors(tensors, path):
    np.savez(path, **{name: tensor.detach().numpy() for name, tensor in tensors.items()})


def load_tensors(path):
    with np.load(str(path) if str(path).endswith(".npz") else f"{path}.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays}


# %% save_tensors wrong="plain pickle"
# Plain `pickle` writes a file that `torch.load` refuses, and reading it runs any code that is in it.
import pickle


def save_tensors(tensors, path):
    own = {name: t.detach().clone().requires_grad_(t.requires_grad) for name, t in tensors.items()}
    with open(path, "wb") as file:
        pickle.dump(own, file)


def load_tensors(path):
    with open(path, "rb") as file:
        return pickle.load(file)


# %% save_tensors wrong="clones only what is a part"
# Tensors that fill their storage are saved as they are, so two names for one tensor still share memory after loading.
def save_tensors(tensors, path):
    own = {}
    for name, t in tensors.items():
        if t.untyped_storage().nbytes() != t.numel() * t.element_size():
            t = t.detach().clone().requires_grad_(t.requires_grad)
        own[name] = t
    torch.save(own, path)


def load_tensors(path):
    return torch.load(path, map_location="cpu", weights_only=True)


# %% save_tensors wrong="contiguous() after loading"
# Most tensors come back as they were, but a transposed one that requires a gradient is no leaf any more: `contiguous()`
# copies it, and for autograd that copy is the result of a computation. Does what was loaded need any more work?
def save_tensors(tensors, path):
    torch.save({name: tensor.clone() for name, tensor in tensors.items()}, path)


def load_tensors(path):
    loaded = torch.load(path, map_location="cpu", weights_only=True)
    return {name: tensor.contiguous() for name, tensor in loaded.items()}


# %% save_tensors right="plain clone"
def save_tensors(tensors, path):
    torch.save({name: tensor.clone() for name, tensor in tensors.items()}, path)


def load_tensors(path):
    return torch.load(path, map_location=torch.device("cpu"), weights_only=True)


# %% save_tensors right="through bytes in memory"
import io


def _own(tensor):
    out = torch.empty(tensor.shape, dtype=tensor.dtype)
    out.copy_(tensor.detach())
    out.requires_grad = tensor.requires_grad
    return out


def save_tensors(named, file):
    buffer = io.BytesIO()
    torch.save(dict(zip(named.keys(), map(_own, named.values()))), buffer)
    print("writing", file)
    Path(file).write_bytes(buffer.getvalue())


def load_tensors(file):
    return torch.load(io.BytesIO(Path(file).read_bytes()), "cpu", weights_only=True)


# %% save_tensors right="old file format, mapped by a function"
def save_tensors(tensors, path):
    own = {}
    for name in tensors:
        own[name] = torch.empty_like(tensors[name], memory_format=torch.contiguous_format).copy_(tensors[name]).detach()
        own[name].requires_grad_(tensors[name].requires_grad)
    with open(path, "wb") as file:
        torch.save(own, file, _use_new_zipfile_serialization=False)


def load_tensors(path):
    with open(path, "rb") as file:
        loaded = torch.load(file, map_location=lambda storage, location: storage, weights_only=True)
    return {name: tensor for name, tensor in loaded.items()}


# %% save_tensors right="through lists, the default of weights_only"
def save_tensors(tensors, path):
    own = {k: torch.tensor(v.tolist(), dtype=v.dtype).reshape(v.shape).requires_grad_(v.requires_grad) for k, v in tensors.items()}
    torch.save(own, str(path))


def load_tensors(path):
    return torch.load(path, map_location="cpu")


# %% move_to wrong=".cuda() wherever there is a GPU"
# The device is chosen in the function: `.cuda()` where there is a GPU, nothing where there is none. Whoever calls it asks
# for a device, and gets another.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.cuda() if torch.cuda.is_available() else nested
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested


# %% move_to wrong="every tuple becomes a plain tuple"
# A namedtuple came out as a plain tuple: its fields have lost their names, so `batch.label` fails afterwards.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, tuple):
        return tuple(move_to(item, device) for item in nested)
    if isinstance(nested, list):
        return [move_to(item, device) for item in nested]
    return nested


# %% move_to wrong="type(nested)(items) for a namedtuple"
# `type(nested)(items)` is right for lists and plain tuples, but a namedtuple wants one argument for each field, and here
# it gets a single one that holds them all.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        return type(nested)([move_to(item, device) for item in nested])
    return nested


# %% move_to wrong="edits the containers in place"
# The tensors were put into the containers of the caller, who still needs the batch where it was (for the next epoch, or
# for a second device). New containers are asked for.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        for key in nested:
            nested[key] = move_to(nested[key], device)
    elif isinstance(nested, list):
        for index, item in enumerate(nested):
            nested[index] = move_to(item, device)
    elif isinstance(nested, tuple):
        return getattr(type(nested), "_make", type(nested))(move_to(item, device) for item in nested)
    return nested


# %% move_to wrong="the moved tensor is not kept"
# `tensor.to(device)` returns the moved tensor and leaves the old one where it is. Here what comes back for the items gets
# no name and no place, so the old container returns with everything unmoved.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        for value in nested.values():
            move_to(value, device)
    elif isinstance(nested, (list, tuple)):
        for item in nested:
            move_to(item, device)
    return nested


# %% move_to wrong=".to on every leaf"
# Every leaf is asked to move, but None, text and numbers have no `.to`. Only tensors move; the rest passes through.
def move_to(nested, device):
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested.to(device)


# %% move_to wrong="None apart, .to on every other leaf"
# None passes, but text and numbers have no `.to` either. Ask what *is* a tensor rather than what is not.
def move_to(nested, device):
    if nested is None:
        return None
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested.to(device)


# %% move_to wrong="goes into text"
# Text can be iterated over too, and each of its characters is again a text: this never ends. Name the containers that it
# should go into.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if hasattr(nested, "__iter__"):
        items = [move_to(item, device) for item in nested]
        return getattr(type(nested), "_make", type(nested))(items)
    return nested


# %% move_to wrong="one level only"
# Tensors at the top level moved; those in a list inside the dict stayed behind. The function has to call itself for
# what is inside.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {k: v.to(device) if isinstance(v, Tensor) else v for k, v in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (v.to(device) if isinstance(v, Tensor) else v for v in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested


# %% move_to wrong="only dicts and lists"
# Tuples and namedtuples are let through as they are, and the tensors inside them stayed on the old device.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, list):
        return [move_to(item, device) for item in nested]
    return nested


# %% move_to wrong="numbers become tensors"
# Numbers came back as tensors. Only what was a tensor should be one afterwards; a count or a flag is more useful as it is.
def move_to(nested, device):
    if isinstance(nested, (Tensor, int, float)):
        return torch.as_tensor(nested, device=device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested


# %% move_to wrong="cut from the autograd graph"
# With `detach()` or `.data` the tensor arrives without its history: `requires_grad` is gone, and no gradient finds its
# way back. `.to` alone can be differentiated through.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.detach().to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested


# %% move_to wrong="drops what is no tensor"
# Whatever is not a tensor or a container has disappeared from the result: None, the file name, numbers. They should stay
# in their places.
def move_to(nested, device):
    kinds = (Tensor, dict, list, tuple)
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items() if isinstance(value, kinds)}
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)._make(move_to(item, device) if isinstance(item, kinds) else item for item in nested)
    if isinstance(nested, (list, tuple)):
        return type(nested)(move_to(item, device) for item in nested if isinstance(item, kinds))
    return nested


# %% move_to wrong="tuples become lists"
# Tuples came back as lists. The type of each container should stay what it was.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if hasattr(nested, "_make"):
        return type(nested)._make(move_to(item, device) for item in nested)
    if isinstance(nested, (list, tuple)):
        return [move_to(item, device) for item in nested]
    return nested


# %% move_to wrong="lists without tensors come back themselves"
# A list without tensors in it comes back as the caller's own. Whoever appends to the result then edits the input as
# well: every list and dict should be a new one.
def move_to(nested, device):
    if isinstance(nested, torch.Tensor):
        return nested.to(device)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, tuple) and hasattr(nested, "_fields"):
        return type(nested)(*(move_to(value, device) for value in nested))
    if isinstance(nested, list) and all(isinstance(value, (int, float, str, type(None))) for value in nested):
        return nested
    if isinstance(nested, (list, tuple)):
        return type(nested)(move_to(value, device) for value in nested)
    return nested


# %% move_to wrong="empty containers come back themselves"
# An empty list or dict comes back as the caller's own, because what is empty counts as false. Whoever puts something
# into the result then edits the input as well: every list and dict should be a new one.
def move_to(nested, device):
    if isinstance(nested, Tensor):
        return nested.to(device)
    if not isinstance(nested, (dict, list, tuple)) or not nested:
        return nested
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    items = (move_to(item, device) for item in nested)
    return getattr(type(nested), "_make", type(nested))(items)


# %% move_to wrong=".to of whatever has one"
# A module in the batch was moved too, and with it the caller's own model: `module.to(device)` changes the module itself.
# That something has a `to` does not make it a tensor. What exactly should move?
def move_to(nested, device):
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = (move_to(item, device) for item in nested)
        return getattr(type(nested), "_make", type(nested))(items)
    return nested.to(device) if hasattr(nested, "to") else nested


# %% move_to wrong="cut from the graph on the way to another device"
# On another device the tensor is a leaf: it was detached and told to require gradients anew, so none find the way back
# to what it was computed from. `.to(device)` is an operation like any other, and autograd sees it.
def move_to(nested, device):
    if isinstance(nested, torch.Tensor):
        if nested.device == torch.device(device):
            return nested
        return nested.detach().to(device).requires_grad_(nested.requires_grad)
    if isinstance(nested, dict):
        return {key: move_to(value, device) for key, value in nested.items()}
    if isinstance(nested, (list, tuple)):
        items = [move_to(item, device) for item in nested]
        return type(nested)(*items) if hasattr(nested, "_fields") else type(nested)(items)
    return nested


# %% move_to right="one branch for each kind"
def move_to(thing, where):
    where = torch.device(where)
    print("moving", type(thing).__name__)
    if torch.is_tensor(thing):
        return thing.to(device=where, non_blocking=True)
    if type(thing) is dict:
        out = {}
        for key in thing:
            out[key] = move_to(thing[key], where)
        return out
    if type(thing) is list:
        out = []
        for item in thing:
            out.append(move_to(item, where))
        return out
    if isinstance(thing, tuple) and hasattr(thing, "_fields"):
        return thing._replace(**{name: move_to(getattr(thing, name), where) for name in thing._fields})
    if type(thing) is tuple:
        return tuple([move_to(item, where) for item in thing])
    return thing


# %% move_to right="pytree"
from torch.utils._pytree import tree_map


def move_to(nested, device):
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, nested)


# %% move_to right="match"
def move_to(nested, device):
    def go(item):
        match item:
            case Tensor():
                return item if item.device == torch.device(device) else item.to(device)
            case dict():
                return type(item)(zip(item.keys(), map(go, item.values())))
            case tuple() if hasattr(item, "_fields"):
                return type(item)(*map(go, item))
            case list() | tuple():
                return type(item)(map(go, item))
            case _:
                return item

    return go(nested)


# %% cast_exact wrong="no check"
# `.to(dtype)` never complains: fractions are cut off, integers wrap round or are rounded, NaN becomes some integer.
# Nothing here looks at whether the values survived.
def cast_exact(x, dtype):
    return x.to(dtype)


# %% cast_exact wrong="compares across dtypes"
# Comparing an int64 with a float32 tensor casts the integers to float32 first, so 2**24 + 1 is rounded once more and seems
# equal. Both sides have to be in a dtype that rounds neither.
def cast_exact(x, dtype):
    out = x.to(dtype)
    same = (out == x) | ((out != out) & (x != x))
    if not same.all():
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="round trip"
# Casting back and comparing forgives too much: a float out of range becomes some integer, and -2**63 comes back from the
# float16 infinity as if nothing had happened. Look at the value in the new dtype, not at the way back.
def cast_exact(x, dtype):
    out = x.to(dtype)
    back = out.to(x.dtype)
    if not ((back == x) | ((back != back) & (x != x))).all():
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="round trip, NaN unequal"
# `torch.equal` finds NaN different from NaN, so a tensor with a gap in it is refused even from float32 to float64. And
# the round trip brings some values back that were lost on the way.
def cast_exact(x, dtype):
    out = x.to(dtype)
    if not torch.equal(out.to(x.dtype), x):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="compares in float64"
# In float64 everything seems comparable, but it has 53 digits, and int64 has 63: from 2**53 on, the comparison itself
# rounds the integers.
def cast_exact(x, dtype):
    out = x.to(dtype)
    before, after = x.double(), out.double()
    if not ((before == after) | (before.isnan() & after.isnan())).all():
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="compares in int64"
# As int64, both sides lose their fractions in the same way: 2.5 and 2 compare as equal. Infinity and NaN are no int64
# either.
def cast_exact(x, dtype):
    out = x.to(dtype)
    if not torch.equal(out.long(), x.long()):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="close is enough"
# `allclose` has a tolerance: 2**24 + 1 and 2**24, or 0.1 in float32 and in float64, pass as equal. Exact means without a
# tolerance.
def cast_exact(x, dtype):
    out = x.to(dtype)
    if not torch.allclose(out.double(), x.double(), equal_nan=True):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="checks fractions only"
# Fractions are refused, but whole numbers are never compared with the range of the new dtype: 300 wraps round in uint8,
# and 2**24 + 1 is rounded in float32.
def cast_exact(x, dtype):
    if x.is_floating_point() and not dtype.is_floating_point and not (x == x.trunc()).all():
        raise ValueError("fractions")
    return x.to(dtype)


# %% cast_exact wrong="checks the range only"
# The range is checked, but nothing between its ends: 2.5 lies well inside the range of int64, and 2**24 + 1 inside that
# of float32, and neither is there.
def cast_exact(x, dtype):
    if dtype is not torch.bool and x.numel():
        info = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
        finite = [value for value in x.flatten().tolist() if value - value == 0]
        if not dtype.is_floating_point and len(finite) < x.numel():
            raise ValueError("not finite")
        if any(not info.min <= value <= info.max for value in finite):
            raise ValueError("out of range")
    return x.to(dtype)


# %% cast_exact wrong="goes by the dtypes alone"
# `torch.can_cast` looks at the two dtypes and never at the values: it refuses 2.0 as an integer, where nothing would be
# lost, and lets int64 into float32, where much may be.
def cast_exact(x, dtype):
    if not torch.can_cast(x.dtype, dtype):
        raise ValueError("cannot cast")
    return x.to(dtype)


# %% cast_exact wrong="refuses only if all change"
# It refuses only if *every* element would change. One changed element is enough.
def cast_exact(x, dtype):
    out = x.to(dtype)
    pairs = list(zip(x.flatten().tolist(), out.flatten().tolist()))
    if pairs and not any(a == b or (a != a and b != b) for a, b in pairs):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="assert instead of ValueError"
# It finds every change, but an `assert` raises AssertionError (and nothing at all when Python runs with -O). The caller
# was promised a ValueError.
def cast_exact(x, dtype):
    out = x.to(dtype)
    pairs = zip(x.flatten().tolist(), out.flatten().tolist())
    assert all(a == b or (a != a and b != b) for a, b in pairs), "values would change"
    return out


# %% cast_exact wrong="bool means not zero"
# Casting to bool asks whether a number is not zero. Here that was taken for exact: 2 and 0.5 became True, which is 1.
def cast_exact(x, dtype):
    out = x.to(dtype)
    if dtype is torch.bool:
        if (x != x).any() or (x.abs() if x.dtype is not torch.bool else x).to(torch.float64).isinf().any():
            raise ValueError("NaN or infinite")
        return out
    pairs = zip(x.flatten().tolist(), out.flatten().tolist())
    if not all(a == b or (a != a and b != b) for a, b in pairs):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="NaN is never exact"
# NaN is unlike itself, so a plain `==` calls every NaN a change. From one float dtype to another it stays NaN, which counts
# as the same.
def cast_exact(x, dtype):
    out = x.to(dtype)
    pairs = zip(x.flatten().tolist(), out.flatten().tolist())
    if not all(a == b for a, b in pairs):
        raise ValueError("values would change")
    return out


# %% cast_exact wrong="asks an empty tensor for its smallest number"
# An empty tensor of integers raises here: it has no smallest and no largest element to compare with the range. Nothing
# in it would change, so it fits any dtype. Which question about all elements has an answer even if there are none?
def cast_exact(x, dtype):
    kinds = x.is_floating_point(), dtype.is_floating_point
    if not any(kinds) and torch.bool not in (x.dtype, dtype):
        info = torch.iinfo(dtype)
        if x.min() < info.min or x.max() > info.max:
            raise ValueError("out of range")
    out = x.to(dtype)
    pairs = zip(x.flatten().tolist(), out.flatten().tolist())
    if not all(a == b or (a != a and b != b) for a, b in pairs):
        raise ValueError("values would change")
    return out


# %% cast_exact right="Python's numbers"
def cast_exact(x, dtype):
    out = x.to(dtype)
    for before, after in zip(x.flatten().tolist(), out.flatten().tolist()):
        both_nan = before != before and after != after
        if not (both_nan or before == after):
            raise ValueError(f"{before} would become {after}")
    return out


# %% cast_exact right="case by case, with the ranges"
def cast_exact(x, dtype):
    floating = x.is_floating_point(), dtype.is_floating_point
    out = x.to(dtype)
    if floating == (True, True):
        wide = torch.promote_types(x.dtype, dtype)
        good = torch.isclose(out.to(wide), x.to(wide), rtol=0, atol=0, equal_nan=True).all()
    elif floating == (False, False):
        good = torch.equal(out.to(torch.int64), x.to(torch.int64))
    elif floating == (True, False):
        low, high = (0, 1) if dtype is torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
        wide = x.double()
        good = bool(((wide >= low) & (wide < float(high) + (high < 2**53)) & (wide.frac() == 0)).all())
    else:
        good = all(int(b) == a for a, b in zip(x.flatten().tolist(), out.flatten().tolist()) if abs(b) != float("inf"))
        good = good and not out.isinf().any()
    if good:
        return out if dtype != x.dtype else x.clone()
    raise ValueError("inexact")


# %% cast_exact right="exact fractions"
from fractions import Fraction


def _exact(value):
    if value != value:
        return "nan"
    return str(value) if value in (float("inf"), float("-inf")) else Fraction(value)


def cast_exact(tensor, to):
    if tensor.dtype == to:
        return tensor
    result = tensor.type(to)
    print("checking", tensor.numel(), "numbers")
    changed = [a for a, b in zip(tensor.reshape(-1).tolist(), result.reshape(-1).tolist()) if _exact(a) != _exact(b)]
    if changed:
        raise ValueError(f"{len(changed)} numbers would change, the first is {changed[0]}")
    return result


# %% cast_exact right="NumPy arrays of Python numbers"
def cast_exact(x, dtype):
    out = x.to(dtype)
    before = np.array(x.tolist(), dtype=object)
    after = np.array(out.tolist(), dtype=object)
    same = (before == after) | ((before != before) & (after != after))
    if not np.all(same):
        raise ValueError("values would change")
    return out
