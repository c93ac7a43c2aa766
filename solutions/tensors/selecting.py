# %% [markdown] lesson=4
# # Pairs, picks and masks
#
# Networks work on whole rectangles of numbers, but what we ask about is rarely a rectangle: one entry of each row, the
# part of each row that is real data and not padding, every pairing of two sets of rows. A Python loop says such things
# plainly and runs slowly. Here you say them in a few tensor operations, and watch three places where the values come
# out right in the example and wrong in the next case.

# %%
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

# %% [markdown]
# ## One pick from each row
#
# A classifier turns N samples into `lp`, one row of C log-probabilities per sample. The loss looks at one entry of each
# row only: the log-probability of that sample's true class.
#
# ```
#        lp (N=3, C=4)             y (3,)      result (3,)
#   -2.0  [-0.4]  -3.1  -1.9         1            -0.4
#   [-0.1] -5.0   -4.2  -3.8         0            -0.1
#   -1.2   -2.2   -3.0  [-0.7]       3            -0.7
# ```
#
# `lp[:, y]` reads as if it did this. It doesn't: `:` means *all rows*, so every row is read at all N labels, and the
# result is an (N, N) grid without any error. A `.mean()` right after it returns one believable number, and the network
# trains on the wrong one. What you want is rows and labels *in pairs*.
#
# A pick copies numbers and computes nothing, so the result is exact. That matters, because a log-probability may be
# `-inf` (a class ruled out), and arithmetic on an entry that you do *not* pick can spoil the one that you do.

# %% pick_log_probs points=2 level="core" minutes=10 needs=[]
def pick_log_probs(lp: Float[Tensor, "N C"], y: Int64[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Take from each row of `lp` the entry at that row's label.

    Args:
        lp: (N, C), any floating dtype, any memory layout. Entries may be -inf. C is at least 1; N may be 0 or 1.
        y: (N,), int64, labels from 0 to C-1.

    Returns: (N,), dtype of `lp`, a new tensor: element i is exactly `lp[i, y[i]]`. One dimension even if N is 0 or 1.
        Gradients flow back to the picked entries, and all others get 0. `lp` and `y` stay as they are.

    >>> lp = torch.tensor([[-2.0, -0.5, -3.0], [-0.25, -4.0, -1.5]])
    >>> pick_log_probs(lp, torch.tensor([1, 2]))
    tensor([-0.5000, -1.5000])
    >>> pick_log_probs(lp[:1], torch.tensor([2]))
    tensor([-3.])
    """
    ### BEGIN SOLUTION
    # Hint: Write down the N pairs (row, column) that you want. The columns are `y`; what are the rows?
    # Hint: Two index tensors of the same shape are read in pairs, where a slice beside a tensor makes a grid.
    # Hint: The rows are 0, 1, ..., N-1: see `torch.arange`. (Or `gather` along dim 1, with `y` as an (N, 1) column.)
    # Hint: lp[torch.arange(len(y)), y]
    rows = torch.arange(lp.shape[0])
    return lp[rows, y]
    ### END SOLUTION


# %% [markdown]
# ## The mean of what is really there
#
# Sentences, visits and sensor logs differ in length. To stack them into one (N, T) tensor, short ones are padded, and a
# mask of the same shape says which positions are real:
#
# ```
#   x     1.0  3.0  nan        mask  1 1 0     mean of 1 and 3  ->  2.0
#         5.0  6.0  7.0              1 1 1     mean of all      ->  6.0
#         8.0  inf  9.0              0 0 0     nothing to mean  ->  0.0, by our convention
# ```
#
# What lies outside the mask is not data. It may be 0, left-over memory, `nan` or `inf`, and must not leak into the mean
# or into the gradient. Multiplying by the mask doesn't remove it, because `nan * 0` and `inf * 0` are `nan`. Inside the
# mask the opposite holds: a `nan` there is real bad news, and must show as `nan` in that row's mean.
#
# Masks are `bool` today, but files and older code still bring them as `uint8` zeros and ones. Beware: on `bool`, `~`
# means *not*; on `uint8` it flips all eight bits, so `~1` is 254, which counts as true again.

# %% masked_mean points=2 level="core" minutes=15 needs=["relu", "normalize_rows"]
def masked_mean(
    x: Float[Tensor, "N T"], mask: Bool[Tensor, "N T"] | UInt8[Tensor, "N T"]
) -> Float[Tensor, "N"]:
    """Average each row of `x` over the positions where `mask` is true.

    Args:
        x: (N, T), float32 or float64, any memory layout. May hold nan or inf anywhere. N and T may be 0.
        mask: (N, T), bool, or uint8 with values 0 and 1. True (or 1) marks the positions that count.

    Returns: (N,), dtype of `x`, a new tensor: the sum of a row's marked values divided by how many they are. A row
        without any marked position gives 0. What `x` holds outside the mask has no effect on the result, and its
        gradient is 0, even if it is nan or inf and even in a row with nothing marked. A marked nan makes the mean of
        its row nan, a marked inf makes it inf. `x` and `mask` stay as they are.

    >>> x = torch.tensor([[1.0, 3.0, float("nan")], [5.0, 6.0, 7.0], [8.0, float("inf"), 9.0]])
    >>> mask = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 0, 0]], dtype=torch.uint8)
    >>> masked_mean(x, mask)
    tensor([2., 6., 0.])
    >>> masked_mean(x, mask.bool())
    tensor([2., 6., 0.])
    """
    ### BEGIN SOLUTION
    # Hint: A mean is a sum divided by a count, and the mask has a part in both.
    # Hint: Select rather than multiply: `torch.where` never computes with the value that it leaves out.
    # Hint: The sum of an empty row is 0 already. Which count makes 0 / count a 0 as well?
    # Hint: keep = mask.bool(); then torch.where(keep, x, 0).sum(dim=1) / keep.sum(dim=1).clamp(min=1)
    keep = mask.bool()  # from here on, uint8 and bool are the same
    total = torch.where(keep, x, 0).sum(dim=1)
    # An empty row: 0 / 1 instead of 0 / 0. Rows with something marked have a count of at least 1 anyway.
    return total / keep.sum(dim=1).clamp(min=1)
    ### END SOLUTION


# %% [markdown]
# ## All distances between two sets
#
# Nearest neighbours, clustering and retrieval all begin with the same table: N points against M points, and at [i, j]
# the Euclidean distance between row i of `a` and row j of `b`. Broadcasting makes the pairs: two dimensions of size 1,
# put in the right places, turn (N, D) and (M, D) into all N x M differences.
#
# Then come two traps, both at points that lie close together:
#
# - The shortcut |a|² + |b|² - 2 a·b needs only a matrix product, but it takes the difference of large, nearly equal
#   numbers. Far from the origin most digits cancel, and what is left may even be negative, with `nan` for a root. We
#   ask for accurate distances. (`torch.cdist` is allowed. From 26 rows on it, too, takes this shortcut by default; in
#   your own work remember its `compute_mode`, here the accuracy of larger tables is not looked at.)
# - The square root has an infinite slope at 0. For two equal rows, backward computes infinity times 0, which is `nan`,
#   and after one step with it so are the parameters. A distance has a kink there; the usual choice for its gradient is
#   0. A `torch.where` around the *root* is too late: the infinite slope still gets multiplied by 0.

# %% pairwise_distance points=2 level="core" minutes=20 needs=["normalize_rows", "weighted_gray", "masked_mean"]
def pairwise_distance(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> Float[Tensor, "N M"]:
    """Euclidean distance from every row of `a` to every row of `b`.

    Args:
        a: (N, D), float32 or float64, any memory layout. N may be 0.
        b: (M, D), dtype of `a`. M may be 0. D is at least 1, the same for both. `b` may be `a` itself.

    Returns: (N, M), dtype of `a`, a new tensor: the distance of `a[i]` and `b[j]` at [i, j]. Equal rows have a distance
        of exactly 0. Every other distance is right to a relative error of 1e-5 (float32) or 1e-12 (float64), also for
        rows that lie close together and far from the origin (at 100, and 0.01 apart). Both hold for N and M up to 25.
        Gradients flow to `a` and `b`; a pair of equal rows contributes a gradient of 0. `a` and `b` stay as they are.

    >>> a = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
    >>> b = torch.tensor([[3.0, 4.0], [0.0, 8.0], [6.0, 8.0]])
    >>> pairwise_distance(a, b)
    tensor([[ 5.,  8., 10.],
            [ 0.,  5.,  5.]])
    """
    ### BEGIN SOLUTION
    # Hint: Which shapes must `a` and `b` have for their difference to have shape (N, M, D)?
    # Hint: Subtract before you square: the difference of equal rows is exactly 0, and that of close rows is accurate.
    # Hint: Keep 0 away from the root: put 1 in its place before `sqrt`, and 0 back afterwards, both by one mask.
    # Hint: squared = (a[:, None] - b[None]).square().sum(-1); squared.masked_fill(same, 1).sqrt().masked_fill(same, 0)
    squared = (a[:, None, :] - b[None, :, :]).square().sum(dim=-1)
    same = squared == 0
    # The first fill gives the root a harmless slope; the second sets the distance, and cuts its gradient to 0.
    return squared.masked_fill(same, 1.0).sqrt().masked_fill(same, 0.0)
    ### END SOLUTION


# %% [markdown]
# All distances along a spiral: dark bands beside the diagonal are turns that pass close by one another.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# angle = torch.linspace(0, 6 * torch.pi, 150)
# spiral = torch.stack([angle * angle.cos(), angle * angle.sin()], dim=1)
# figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
# left.scatter(*spiral.T, c=range(150), s=8)
# left.set(aspect="equal", title="150 points")
# right.imshow(pairwise_distance(spiral, spiral))
# right.set(title="distance of point i and point j");
