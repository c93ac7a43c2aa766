# Known wrong answers of tests/tensors written in another way. The label names the one that each behaves like.


# %% shares_storage rewritten="equal data_ptr of the tensors"
def shares_storage(first, second):
    addresses = {tensor.data_ptr() for tensor in (first, second)}
    return len(addresses) == 1


# %% shares_storage rewritten="the same tensor object"
def shares_storage(a, b):
    return id(a) == id(b)


# %% shares_storage rewritten="equal sizes of the storages"
def shares_storage(left, right):
    sizes = [t.untyped_storage().size() for t in (left, right)]
    return not sizes[0] != sizes[1]


# %% shares_storage rewritten="equal bytes in the storages"
def shares_storage(a, b):
    mine, yours = list(a.untyped_storage()), list(b.untyped_storage())
    return mine == yours


# %% shares_storage rewritten="one is the base of the other"
def shares_storage(x, y):
    if y._base is x:
        return True
    if x._base is y:
        return True
    return x is y


# %% contiguous_strides rewritten="column by column"
import math


def contiguous_strides(shape):
    return tuple(math.prod(max(size, 1) for size in shape[:dim]) for dim in range(len(shape)))


# %% contiguous_strides rewritten="zero in the product"
import math


def contiguous_strides(sizes):
    found = [math.prod(sizes[place + 1 :]) for place, _ in enumerate(sizes)]
    return tuple(found)


# %% contiguous_strides rewritten="its own size in the product"
def contiguous_strides(shape):
    out = [0] * len(shape)
    product = 1
    for dim in range(len(shape) - 1, -1, -1):
        product = product * (shape[dim] or 1)
        out[dim] = product
    return tuple(out)


# %% contiguous_strides rewritten="counted in bytes"
def contiguous_strides(shape):
    strides = ()
    for dim in range(len(shape)):
        elements = 1
        for size in shape[dim + 1 :]:
            elements *= size if size else 1
        strides += (elements * 4,)
    return strides


# %% element_offset rewritten="forgets the storage offset"
def element_offset(t, index):
    if t.dim() != len(index):
        raise IndexError("an index for each dimension")
    if any(i >= size or i < -size for i, size in zip(index, t.size())):
        raise IndexError("no such element")
    return sum((i + size if i < 0 else i) * step for i, size, step in zip(index, t.size(), t.stride()))


# %% element_offset rewritten="negative indices refused"
def element_offset(t, index):
    if t.dim() != len(index):
        raise IndexError("an index for each dimension")
    if min(index, default=0) < 0 or any(i >= size for i, size in zip(index, t.size())):
        raise IndexError("no such element")
    return t.storage_offset() + sum(i * step for i, step in zip(index, t.stride()))


# %% hwc_to_chw rewritten="reshapes instead of moving dimensions"
def hwc_to_chw(x):
    height, width, channels = x.shape[-3:]
    return torch.reshape(x, (*x.shape[:-3], channels, height, width))


# %% hwc_to_chw rewritten="swaps the first and last of the three"
def hwc_to_chw(images):
    return torch.swapaxes(images, -3, -1)


# %% hwc_to_chw rewritten="works on a batch only"
def hwc_to_chw(x):
    return torch.permute(x, [0, 3, 1, 2])


# %% hwc_to_chw rewritten="returns a contiguous copy"
def hwc_to_chw(pixels):
    moved = pixels.moveaxis(-1, -3)
    return moved.contiguous()


# %% transpose_view rewritten="begins at the storage's first element"
def transpose_view(t, dim0, dim1):
    sizes, steps = [*t.size()], [*t.stride()]
    for values in (sizes, steps):
        values[dim0], values[dim1] = values[dim1], values[dim0]
    return t.as_strided(sizes, steps, storage_offset=0)


# %% transpose_view rewritten="moves one dimension instead of swapping two"
def transpose_view(tensor, source, destination):
    return torch.moveaxis(tensor, source, destination)


# %% transpose_view rewritten="reverses all dimensions"
def transpose_view(t, dim0, dim1):
    order = list(range(t.dim()))[::-1]
    return torch.permute(t, order)


# %% sliding_windows rewritten="does not check size and step"
def sliding_windows(signal, size, step):
    if signal.numel() >= size:
        return signal.unfold(dimension=0, size=size, step=step)
    return signal[:0].view(0, size)


# %% relu rewritten="absolute value"
def relu_(tensor):
    return torch.abs_(tensor)


def relu(tensor):
    return torch.abs(tensor)


# %% relu rewritten="relu_ returns nothing"
def relu(values):
    return torch.clamp(values, min=0)


def relu_(values):
    torch.clamp_(values, min=0)


# %% normalize_rows rewritten="columns instead of rows"
def normalize_rows(x, eps):
    values = x if x.is_floating_point() else x.to(torch.float32)
    lengths = torch.linalg.vector_norm(values, dim=0, keepdim=True)
    return values.div(lengths.clamp_min(eps))


# %% normalize_rows rewritten="adds eps to the length"
def normalize_rows(rows, eps):
    rows = rows if rows.is_floating_point() else rows.to(torch.float32)
    lengths = eps + torch.linalg.vector_norm(rows, dim=1)
    return rows / lengths[:, None]


# %% normalize_rows rewritten="sum of absolute values"
def normalize_rows(x, eps):
    values = x if x.is_floating_point() else x.float()
    lengths = torch.linalg.vector_norm(values, ord=1, dim=1, keepdim=True)
    return values / torch.clamp(lengths, min=eps)


# %% pick_log_probs rewritten="takes the largest"
def pick_log_probs(lp, labels):
    return torch.amax(lp, dim=-1)


# %% pick_log_probs rewritten="negative log-likelihood"
def pick_log_probs(scores, labels):
    rows = torch.arange(scores.size(0))
    return scores[rows, labels].neg()


# %% pick_log_probs rewritten="keeps the extra dimension"
def pick_log_probs(lp, y):
    column = y[:, None]
    return torch.gather(lp, dim=1, index=column)


# %% masked_mean rewritten="divides by T"
def masked_mean(values, keep):
    kept = values.masked_fill(keep.logical_not(), 0)
    return kept.sum(-1) / values.shape[1]


# %% masked_mean rewritten="mask read the other way round"
def masked_mean(x, mask):
    keep = torch.logical_not(mask)
    total = torch.where(keep, x, torch.zeros_like(x)).sum(1)
    return total / keep.sum(1).clamp_min(1)
