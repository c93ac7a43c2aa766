"""Known answers of tensors/broadcasting."""

# %% relu wrong="relu_ returns a copy"
# `relu_` computes the right numbers but puts them into a new tensor, and `x` is as it was. Giving the name `x` to a new
# tensor does not change the old one either: look for a step that writes into x's own memory.
def relu(x):
    return torch.relu(x)


def relu_(x):
    x = torch.relu(x)
    return x


# %% relu wrong="relu writes into its input"
# After `relu(x)` the numbers in `x` have changed: this is what comes out when the function without an underscore works
# in place. On a leaf that requires grad it does not run at all. Which of your steps writes into `x`?
def relu(x):
    x[x < 0] = 0
    return x


def relu_(x):
    x[x < 0] = 0
    return x


# %% relu wrong="writes into a copy made by the mask"
# The negative numbers are still there. Reading `x[mask]` makes a new tensor, so a method called on it with an
# underscore changes only that copy, which is then forgotten.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    x[x < 0].zero_()
    return x


# %% relu wrong="pure version fills a copy made by the mask"
# The result of `relu` still holds the negative numbers. Reading `out[mask]` makes a new tensor, so filling it with
# zeros leaves `out` alone.
def relu(x):
    out = x.clone()
    out[out < 0].fill_(0)
    return out


def relu_(x):
    return x.clamp_(min=0)


# %% relu wrong="relu_ returns nothing"
# `relu_` changes `x` as it should, but returns None. Torch's own in-place functions return the tensor that they
# changed, so that calls can be chained.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    x.clamp_(min=0)


# %% relu wrong="relu_ returns a second tensor"
# `relu_` changes `x`, but hands back a copy of it. What is written into the result later does not reach `x`: return the
# tensor that was given.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    x.clamp_(min=0)
    return x.clone()


# %% relu wrong="in place through reshape"
# This works on contiguous tensors only. For most views `reshape`, `flatten` and `contiguous` return a copy, without
# saying so, and what is written there never reaches `x`.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    flat = x.reshape(-1)
    flat[flat < 0] = 0
    return x


# %% relu wrong="multiplies by the mask"
# Ordinary numbers come out right, but -inf does not: -inf * 0 is NaN. Choose or bound the elements rather than
# multiply them.
def relu(x):
    return x * (x > 0)


def relu_(x):
    return x.mul_(x > 0)


# %% relu wrong="NaN becomes 0"
# NaN comes out as 0. Every comparison with NaN is False, so a rule that keeps only what is greater than 0 throws it
# away, and nobody sees that something broke. Think of the opposite question.
def relu(x):
    return torch.where(x > 0, x, 0)


def relu_(x):
    return x.masked_fill_(~(x > 0), 0)


# %% relu wrong="behind autograd's back"
# `relu_` overwrites the numbers where autograd does not look (through `.data`, `.detach()` or its own
# `torch.no_grad()`). So it overwrites a leaf that torch would have protected, and in the middle of a computation the
# gradient passes where the number was negative, as if nothing had happened.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    x.data.clamp_(min=0)
    return x


# %% relu wrong="overwrites what autograd kept"
# The numbers are right, but no gradient can be computed: the step before keeps its input for the backward pass, and
# then finds it overwritten. A function that works in place from the start keeps what it needs.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    return x.copy_(x.clamp(min=0))


# %% relu wrong="through NumPy"
# On plain float32 numbers this works. NumPy knows nothing of autograd, so torch refuses to hand it a tensor that
# requires grad, and it has no bfloat16. Stay within torch.
import numpy as np


def relu(x):
    return torch.tensor(np.maximum(x.numpy(), 0))


def relu_(x):
    return x.copy_(relu(x))


# %% relu wrong="gives x new memory"
# `x.data = ...` makes `x` point to new memory instead of writing into the old. The tensor that `x` was a view of does
# not change, and autograd does not notice either.
def relu(x):
    return x.clamp(min=0)


def relu_(x):
    x.data = torch.relu(x.data)
    return x


# %% relu wrong="cut off from autograd"
# The numbers are right, but `relu` computes on a detached tensor: no gradient finds its way back to `x`.
def relu(x):
    return x.detach().clone().clamp_(min=0)


def relu_(x):
    return x.clamp_(min=0)


# %% relu wrong="compares with float32 zeros"
# The result has another dtype than `x`: a fresh tensor of zeros is float32 unless told otherwise, and the two dtypes
# are promoted to one. Use a plain number, or zeros that take their dtype from `x`.
def relu(x):
    return torch.maximum(x, torch.zeros(x.shape))


def relu_(x):
    return x.copy_(torch.maximum(x, torch.zeros(x.shape)))


# %% relu wrong="hands back the input if nothing is negative"
# When nothing is negative, `relu` returns `x` itself: whoever writes into the result then changes `x`. A function
# without an underscore should always return a new tensor.
def relu(x):
    return x.clamp(min=0) if (x < 0).any() else x


def relu_(x):
    return x.clamp_(min=0)


# %% relu wrong="absolute value"
# Negative numbers come out with their sign turned. ReLU makes them 0.
def relu(x):
    return x.abs()


def relu_(x):
    return x.abs_()


# %% relu right="torch's own"
def relu(tensor):
    return torch.relu(tensor)


def relu_(tensor):
    return torch.relu_(tensor)


# %% relu right="masks on the left of ="
def relu(x):
    print("relu of", x.shape)
    return relu_(x.clone())


def relu_(x):
    x[x < 0] = 0
    return x


# %% relu right="masked_fill"
def relu(x):
    return x.masked_fill(x < 0, 0)


def relu_(x):
    x.masked_fill_(x < 0, 0)
    return x


# %% relu right="where and copy_"
def relu(x):
    return torch.where(x < 0, 0, x)


def relu_(x):
    return x.copy_(relu(x))


# %% relu right="functional, with inplace"
import torch.nn.functional as F


def relu(x):
    return F.relu(x)


def relu_(x):
    return F.relu(x, inplace=True)


# %% relu right="maximum with zeros like x, assigned to all of x"
def relu(x):
    return torch.maximum(x, torch.zeros_like(x))


def relu_(x):
    x[...] = torch.relu(x)
    return x


# %% relu right="one element at a time"
import itertools


def relu(x):
    out = x.clone()
    return relu_(out)


def relu_(x):
    for index in itertools.product(*map(range, x.shape)):
        if x[index] < 0:
            x[index] = 0
    return x


# %% normalize_rows wrong="lengths without keepdim"
# Lengths of shape (N,) are lined up with the columns. For most shapes this is an error; when N equals D it runs, and
# column j is divided by the length of row j. Compare the two shapes from the right.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.norm(dim=1).clamp(min=eps)


# %% normalize_rows wrong="columns instead of rows"
# Here every *column* has length 1. Reducing over a dimension makes it vanish: which one should vanish, so that one
# number per row is left?
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.norm(dim=0, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="one length for the whole matrix"
# All rows are divided by the same number, the length of the whole matrix. Without `dim`, a norm runs over all elements.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.norm().clamp(min=eps)


# %% normalize_rows wrong="ignores eps"
# Rows of zeros come out as NaN, because 0 / 0 is NaN. `eps` is there to keep the divisor away from 0.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.norm(dim=1, keepdim=True)


# %% normalize_rows wrong="adds eps to the length"
# Every row comes out a little too short: here `eps` is added to the length. That hardly shows when eps is tiny. The
# formula takes the larger of the two.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / (x.norm(dim=1, keepdim=True) + eps)


# %% normalize_rows wrong="adds eps under the root"
# This comes out when `eps` is added to the sum of squares, under the root. The formula takes the larger of length and
# `eps`, after the root.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / (x.square().sum(dim=1, keepdim=True) + eps).sqrt()


# %% normalize_rows wrong="bounds the sum of squares by eps"
# Long rows are right, short ones are not: here `eps` bounds the sum of squares. It should bound the length, which is
# the root of that sum.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.square().sum(dim=1, keepdim=True).clamp(min=eps).sqrt()


# %% normalize_rows wrong="short rows stay as they are"
# Rows shorter than `eps` come out unchanged. By the formula they are divided by `eps`.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length > eps, x / length, x)


# %% normalize_rows wrong="short rows become zero"
# Rows shorter than `eps` come out as zeros. Only a row of zeros should; the others are divided by `eps` and keep their
# direction.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    length = x.norm(dim=1, keepdim=True)
    return torch.where(length < eps, 0, x / length)


# %% normalize_rows wrong="eps only for rows of zeros"
# Rows of zeros are right, but short rows that are not zero get length 1. `eps` is a bound for every row: what is
# shorter than `eps` is divided by `eps`.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    length = x.norm(dim=1, keepdim=True)
    return x / length.masked_fill(length == 0, eps)


# %% normalize_rows wrong="sum of absolute values"
# The absolute values of each row add up to 1, but its length is not 1. The length is the root of the sum of squares.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.abs().sum(dim=1, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="in place"
# The result is right, but `x` was overwritten: `/=` works in place, like a method with a trailing underscore. The
# caller still needs the old numbers.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    x /= x.norm(dim=1, keepdim=True).clamp(min=eps)
    return x


# %% normalize_rows wrong="integers are refused"
# This works for floating-point rows. A norm of integers raises an error: they have to be converted first.
def normalize_rows(x, eps):
    return x / torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="squares before converting"
# Small integer dtypes overflow: 20 * 20 does not fit into 8 bits. Convert to float32 before the squares, not after.
def normalize_rows(x, eps):
    length = (x * x).sum(dim=1, keepdim=True).sqrt()
    return x / length.clamp(min=eps)


# %% normalize_rows wrong="everything to float32"
# float64 comes out as float32, and digits are lost. Only integers are to be converted; a floating dtype stays.
def normalize_rows(x, eps):
    x = x.to(torch.float32)
    return x / x.norm(dim=1, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="integers to float64"
# Integers come out as float64. They should become float32, which is what most networks compute in.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.double()
    return x / x.norm(dim=1, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="overwrites what autograd kept"
# The numbers are right, but no gradient can be computed: the lengths come from a tensor that is then overwritten, and
# the backward pass needs its old numbers.
def normalize_rows(x, eps):
    out = x.clone() if x.is_floating_point() else x.float()
    out /= out.norm(dim=1, keepdim=True).clamp(min=eps)
    return out


# %% normalize_rows wrong="cut off from autograd"
# The numbers are right, but no gradient comes back to `x`: the result is computed from a detached tensor.
def normalize_rows(x, eps):
    x = x.detach()
    if not x.is_floating_point():
        x = x.float()
    return x / x.norm(dim=1, keepdim=True).clamp(min=eps)


# %% normalize_rows wrong="lengths as constants"
# The numbers are right, the gradient is not: the lengths are treated as constants, though they depend on `x`. This
# comes out when they are computed under `torch.no_grad()`, or through `.data`, `.item()` or `.detach()`.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    with torch.no_grad():
        length = x.norm(dim=1, keepdim=True).clamp(min=eps)
    return x / length


# %% normalize_rows wrong="root of 0"
# The numbers are right, but in a row of zeros the gradient is NaN: the square root has an infinite slope at 0, and
# backward multiplies that by the 0 that comes back from the bound, which is applied only after the root. Which of
# torch's functions gives the length in one step, and knows what to do at 0?
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return x / x.square().sum(dim=1, keepdim=True).sqrt().clamp(min=eps)


# %% normalize_rows wrong="hands back rows that have length 1 already"
# When all rows have length 1 already, `x` itself comes back: whoever writes into the result then changes `x`. There is
# nothing to compute in that case, but the result should be a new tensor all the same.
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    length = torch.linalg.vector_norm(x, dim=1, keepdim=True).clamp(min=eps)
    return x if (length == 1).all() else x / length


# %% normalize_rows right="torch's own"
def normalize_rows(x, eps):
    x = x if x.is_floating_point() else x.float()
    return torch.nn.functional.normalize(x, p=2, dim=-1, eps=eps)


# %% normalize_rows right="norm, unsqueeze, maximum"
def normalize_rows(matrix, smallest):
    if not torch.is_floating_point(matrix):
        matrix = matrix.to(torch.get_default_dtype())
    lengths = torch.norm(matrix, dim=1).unsqueeze(1)
    return matrix / torch.maximum(lengths, torch.tensor(smallest, dtype=matrix.dtype))


# %% normalize_rows right="transposed, so that the rows are last"
def normalize_rows(x, eps):
    if x.dtype not in (torch.float16, torch.bfloat16, torch.float32, torch.float64):
        x = x.type(torch.float32)
    n = torch.sqrt(torch.einsum("nd,nd->n", x, x).clamp(min=eps**2))
    n = torch.where(n < eps, eps, n)
    return (x.T / n).T


# %% normalize_rows right="row by row"
def normalize_rows(x, eps):
    out = torch.zeros(x.shape, dtype=x.dtype if x.is_floating_point() else torch.float32)
    for i, row in enumerate(x):
        row = row.to(out.dtype)
        length = row.norm()
        out[i] = row / (length if length > eps else eps)
    return out


# %% normalize_rows right="in place on an own copy"
def normalize_rows(x, eps):
    x = x if x.is_floating_point() else x.float()
    out = x.clone()
    return out.div_(x.norm(dim=-1, keepdim=True).clamp_min(eps).expand_as(out))


# %% normalize_rows right="bounds the sum of squares by the square of eps"
def normalize_rows(x, eps):
    x = x if x.is_floating_point() else x.float()
    return x * x.square().sum(dim=1, keepdim=True).clamp(min=eps * eps).rsqrt()


# %% normalize_rows right="product with a diagonal matrix"
def normalize_rows(x, eps):
    if not x.is_floating_point():
        x = x.float()
    return torch.diag(1 / torch.linalg.norm(x, dim=1).clamp(min=eps)) @ x


# %% weighted_gray wrong="plain mean"
# All channels count the same here: the weights are not used.
def weighted_gray(img, weights):
    return img.to(weights.dtype).mean(dim=-3)


# %% weighted_gray wrong="weights meet the width"
# Weights of shape (3,) are lined up with the last dimension, the width. For most images this is an error; for one that
# is 3 pixels wide it runs, and weighs columns instead of colours.
def weighted_gray(img, weights):
    return (img * weights).sum(dim=-3)


# %% weighted_gray wrong="weights meet the height"
# Weights of shape (3, 1) are lined up with height and width, so they meet the height. It runs only for images that
# are 3 pixels high, and weighs rows there instead of colours. Count how many dimensions lie behind the channels.
def weighted_gray(img, weights):
    return (img * weights[:, None]).sum(dim=-3)


# %% weighted_gray wrong="sums over dimension 0"
# One image is right. With dimensions in front, dimension 0 is the batch, and this adds up different images.
# Where are the channels, counted from the end?
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).sum(dim=0)


# %% weighted_gray wrong="sums over dimension 1"
# A batch of images is right; one image alone and a batch of clips are not, because their dimension 1 holds something
# else. Where are the channels, counted from the end?
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).sum(dim=1)


# %% weighted_gray wrong="weights shaped for a batch"
# With a weight shape of four dimensions, one image alone comes out with a dimension too many in front. Give the weights
# no more dimensions than the channels and what lies behind them.
def weighted_gray(img, weights):
    return (img * weights.view(1, 3, 1, 1)).sum(dim=-3)


# %% weighted_gray wrong="keeps the channel dimension"
# The channel dimension is still there, with size 1. The result should be (..., H, W).
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).sum(dim=-3, keepdim=True)


# %% weighted_gray wrong="squeezes every dimension of size 1"
# This also removes other dimensions of size 1, such as a batch of one: `squeeze` without a dimension removes all it
# finds.
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).sum(dim=-3, keepdim=True).squeeze()


# %% weighted_gray wrong="divides by the number of channels"
# Everything is a third of what it should be: `mean` divides by 3 after the weights have done their work.
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).mean(dim=-3)


# %% weighted_gray wrong="divides by the sum of the weights"
# This scales the weights until they add up to 1. They should be used as they are.
def weighted_gray(img, weights):
    return (img * (weights / weights.sum())[:, None, None]).sum(dim=-3)


# %% weighted_gray wrong="channels in the order blue, green, red"
# The first weight is used for the last channel, as if blue were stored first. Here weight i belongs to channel i.
def weighted_gray(img, weights):
    return (img * weights.flip(0)[:, None, None]).sum(dim=-3)


# %% weighted_gray wrong="channels last"
# This takes the last dimension for the channels, as in NumPy or a picture file. In torch they are third from the end,
# before height and width.
def weighted_gray(img, weights):
    return img.to(weights.dtype) @ weights


# %% weighted_gray wrong="height and width swapped"
# The images come out turned: swapping the channels with the last dimension puts the width before the height. Moving
# a dimension to the end leaves the order of the others; swapping two does not.
def weighted_gray(img, weights):
    return img.to(weights.dtype).transpose(-3, -1) @ weights


# %% weighted_gray wrong="weights cast to the image's dtype"
# With a uint8 image the weights are cast to uint8 too, and whatever lies below 1 becomes 0. Cast in the other
# direction.
def weighted_gray(img, weights):
    return (img * weights.to(img.dtype)[:, None, None]).sum(dim=-3)


# %% weighted_gray wrong="float32 always"
# float64 and float16 come out as float32. The result should have the dtype of the weights.
def weighted_gray(img, weights):
    return (img.float() * weights.float()[:, None, None]).sum(dim=-3)


# %% weighted_gray wrong="rounded back to uint8"
# A uint8 image comes out as uint8, so fractions are lost. The result should have the dtype of the weights.
def weighted_gray(img, weights):
    return (img * weights[:, None, None]).sum(dim=-3).to(img.dtype)


# %% weighted_gray wrong="clipped to the image's range"
# Results below the smallest or above the largest value of the image were cut off. With weights that do not add up to 1
# such results are right: leave them.
def weighted_gray(img, weights):
    out = (img * weights[:, None, None]).sum(dim=-3)
    return out.clamp(img.min(), img.max()) if img.numel() else out


# %% weighted_gray wrong="scales the image in place"
# The result is right, but the image was overwritten on the way: `mul_` and `*=` on a view of `img` write into `img`.
def weighted_gray(img, weights):
    img = img.to(weights.dtype)
    img *= weights[:, None, None]
    return img.sum(dim=-3)


# %% weighted_gray wrong="weights as plain numbers"
# The numbers are right, but the weights were turned into Python numbers (`.item()`, `.tolist()`, `float()`), and
# autograd cannot follow those: no gradient reaches `weights`.
def weighted_gray(img, weights):
    r, g, b = weights.tolist()
    img = img.to(weights.dtype)
    return r * img[..., 0, :, :] + g * img[..., 1, :, :] + b * img[..., 2, :, :]


# %% weighted_gray right="einsum"
def weighted_gray(img, weights):
    return torch.einsum("...chw,c->...hw", img.to(weights.dtype), weights)


# %% weighted_gray right="channels to the end, then a matrix product"
def weighted_gray(images, w):
    return images.to(w.dtype).movedim(-3, -1) @ w


# %% weighted_gray right="channel by channel"
def weighted_gray(img, weights):
    print(img.shape)
    return sum(img[..., c, :, :] * weights[c] for c in range(3))


# %% weighted_gray right="unbind"
def weighted_gray(img, weights):
    red, green, blue = img.unbind(-3)
    wr, wg, wb = weights.unbind()
    return red.mul(wr).add(green.mul(wg)).add(blue.mul(wb))


# %% weighted_gray right="tensordot"
def weighted_gray(img, weights):
    return torch.tensordot(img.type(weights.dtype), weights, dims=([-3], [0]))


# %% weighted_gray right="reshaped weights, one batch dimension"
def weighted_gray(img, weights):
    *front, channels, height, width = img.shape
    flat = img.reshape(-1, channels, height, width) if img.numel() else img.new_zeros(0, 3, height, width)
    return (flat * weights.reshape(1, 3, 1, 1)).sum(1).reshape(*front, height, width)


# %% weighted_gray right="weights expanded to the image"
def weighted_gray(img, weights):
    full = weights.unsqueeze(-1).unsqueeze(-1).expand_as(img)
    return torch.sum(full * img, -3)
