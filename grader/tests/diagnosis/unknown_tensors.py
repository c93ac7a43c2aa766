# Answers that fail and behave like none of the known ones: no message is right for them.


# %% shares_storage unknown="the opposite answer"
def shares_storage(a, b):
    return a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr()


# %% shares_storage unknown="within a megabyte"
def shares_storage(a, b):
    return abs(a.untyped_storage().data_ptr() - b.untyped_storage().data_ptr()) < 2**40


# %% shares_storage unknown="an int"
def shares_storage(a, b):
    return int(a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr())


# %% contiguous_strides unknown="sums for products"
def contiguous_strides(shape):
    return tuple(sum(shape[dim + 1 :]) + 1 for dim in range(len(shape)))


# %% contiguous_strides unknown="one too many everywhere"
def contiguous_strides(shape):
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step + 1)
        step *= max(size, 1)
    return tuple(strides)


# %% contiguous_strides unknown="a dict"
def contiguous_strides(shape):
    return {dim: 1 for dim in range(len(shape))}


# %% element_offset unknown="twice the offset"
def element_offset(t, index):
    if len(index) != t.ndim:
        raise IndexError("wrong number of indices")
    place = 2 * t.storage_offset()
    for i, size, stride in zip(index, t.shape, t.stride()):
        if not -size <= i < size:
            raise IndexError("out of range")
        place += i % size * stride
    return place


# %% hwc_to_chw unknown="upside down"
def hwc_to_chw(x):
    return x.movedim(-1, -3).flip(-2)


# %% hwc_to_chw unknown="the channels in reverse"
def hwc_to_chw(x):
    return x.movedim(-1, -3).flip(-3)


# %% hwc_to_chw unknown="prints and returns nothing"
def hwc_to_chw(x):
    print(x.movedim(-1, -3))


# %% transpose_view unknown="one off in both dimensions"
def transpose_view(t, dim0, dim1):
    return t.transpose((dim0 + 1) % t.ndim, (dim1 + 1) % t.ndim)


# %% transpose_view unknown="a tuple"
def transpose_view(t, dim0, dim1):
    return (t.transpose(dim0, dim1),)


# %% sliding_windows unknown="windows read backwards"
def sliding_windows(x, size, step):
    if size < 1 or step < 1:
        raise ValueError("size and step must be at least 1")
    if len(x) < size:
        return x[:0].reshape(0, size)
    return x.unfold(0, size, step).flip(1)


# %% relu unknown="a leaky slope"
def relu(x):
    return torch.where(x > 0, x, 0.01 * x)


def relu_(x):
    return x.copy_(torch.where(x > 0, x, 0.01 * x))


# %% normalize_rows unknown="cubes"
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / torch.linalg.vector_norm(x, ord=3, dim=1, keepdim=True).clamp(min=eps)


# %% masked_mean unknown="the median"
def masked_mean(x, mask):
    return torch.stack([row[keep.bool()].median() if keep.any() else row.sum() * 0 for row, keep in zip(x, mask)])


# %% pick_log_probs unknown="the label before"
def pick_log_probs(lp, y):
    return lp[torch.arange(len(y)), (y - 1) % lp.shape[1]]
