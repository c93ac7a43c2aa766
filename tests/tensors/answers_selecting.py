"""Known answers of tensors/selecting."""

# %% pick_log_probs wrong="grid instead of pairs"
# This is `lp[:, y]`: every row is read at all N labels, so the result is an (N, N) grid. A slice beside an index tensor
# does not pair rows with labels; what you want stands on the grid's diagonal.
def pick_log_probs(lp, y):
    return lp[:, y]


# %% pick_log_probs wrong="gather without a column of labels"
# `gather` wants an index with as many dimensions as `lp`, and `y` has one only. Give the labels a second dimension, and
# think about which of the two it should be.
def pick_log_probs(lp, y):
    return lp.gather(1, y)


# %% pick_log_probs wrong="labels as a row, so all picks are from row 0"
# These are the entries of the first row at all labels: with `y` as a (1, N) row, `gather` along dim 1 reads N entries
# of row 0. An index for one entry per row is a column.
def pick_log_probs(lp, y):
    return lp.gather(1, y.unsqueeze(0)).squeeze(0)


# %% pick_log_probs wrong="keeps the extra dimension"
# The right entries, but as an (N, 1) column: the dimension that `gather` needed is still there. Against an (N,) tensor
# it would broadcast to (N, N) later on.
def pick_log_probs(lp, y):
    return lp.gather(1, y.unsqueeze(1))


# %% pick_log_probs wrong="squeeze() without a dim"
# For one row the result has no dimension left: `squeeze()` drops every dimension of size 1, and with N = 1 that is the
# rows as well. Say which dimension you mean.
def pick_log_probs(lp, y):
    return lp.gather(1, y.unsqueeze(1)).squeeze()


# %% pick_log_probs wrong="rows and labels swapped"
# Rows and columns are swapped: this reads row `y[i]` at column i. It goes unnoticed, or fails, depending on whether
# there are fewer rows than classes.
def pick_log_probs(lp, y):
    return lp[y, torch.arange(len(y))]


# %% pick_log_probs wrong="multiplies by one-hot"
# Where a class has a log-probability of -inf, the result is nan: multiplying by a one-hot row computes -inf * 0. A pick
# needs no arithmetic.
def pick_log_probs(lp, y):
    chosen = torch.nn.functional.one_hot(y, lp.shape[1])
    return (lp * chosen).sum(dim=1)


# %% pick_log_probs wrong="takes the largest"
# This is the largest entry of each row, whatever the label says: the two agree only where the classifier is right.
def pick_log_probs(lp, y):
    return lp.max(dim=1).values


# %% pick_log_probs wrong="negative log-likelihood"
# The right entries with the wrong sign: the *negative* log-likelihood is the loss, but here the log-probability itself
# is wanted.
def pick_log_probs(lp, y):
    return -lp[torch.arange(len(y)), y]


# %% pick_log_probs wrong="rebuilt from Python numbers"
# The values passed through Python numbers: `torch.tensor([...])` starts a new float32 tensor, without the dtype of `lp`
# and without a way back for the gradient.
def pick_log_probs(lp, y):
    return torch.tensor([lp[i, y[i]].item() for i in range(len(y))])


# %% pick_log_probs wrong="detached"
# The values are right, but no gradient comes back to `lp`: something on the way cut the graph.
def pick_log_probs(lp, y):
    return lp.detach()[torch.arange(len(y)), y]


# %% pick_log_probs wrong="flattens with view"
# `view` cannot flatten a tensor whose rows do not lie one after the other, such as a transposed or a sliced one.
def pick_log_probs(lp, y):
    rows = torch.arange(len(y))
    return lp.view(-1)[rows * lp.shape[1] + y]


# %% pick_log_probs wrong="stacks a list of rows"
# Right for one row or more, but a batch without rows raises: `torch.stack` takes no empty list.
def pick_log_probs(lp, y):
    return torch.stack([row[label] for row, label in zip(lp, y)])


# %% pick_log_probs wrong="one class: the column itself"
# With a single class nothing needs to be picked, and the column of `lp` itself comes back: a view, so that writing into
# the result changes `lp`. Is there a way that copies, whatever the number of classes is?
def pick_log_probs(lp, y):
    if lp.shape[1] == 1:
        return lp.squeeze(1)
    return lp[torch.arange(len(y)), y]


# %% pick_log_probs wrong="largest of what is left"
# The values are right, but not every gradient: all entries but the picked one were made -inf, and the largest taken.
# Where the picked entry is -inf itself, all are equally large, and each gets a share of its gradient. Does a pick have
# to compare anything?
def pick_log_probs(lp, y):
    picked = torch.arange(lp.shape[1]) == y[:, None]
    return lp.masked_fill(~picked, float("-inf")).amax(dim=1)


# %% pick_log_probs right="gather"
def pick_log_probs(lp, y):
    return lp.gather(1, y.unsqueeze(1)).squeeze(1)


# %% pick_log_probs right="take_along_dim"
def pick_log_probs(log_probabilities, labels):
    return torch.take_along_dim(log_probabilities, labels[:, None], dim=1)[:, 0]


# %% pick_log_probs right="torch's own loss, without the minus"
def pick_log_probs(lp, y):
    return -torch.nn.functional.nll_loss(lp, y, reduction="none")


# %% pick_log_probs right="boolean mask"
def pick_log_probs(lp, y):
    print("labels:", y)
    return lp[y[:, None] == torch.arange(lp.shape[1])]


# %% pick_log_probs right="where and sum"
def pick_log_probs(lp, y):
    chosen = torch.nn.functional.one_hot(y, lp.shape[1]).bool() if len(y) else torch.zeros(lp.shape, dtype=torch.bool)
    return torch.where(chosen, lp, 0.0).sum(1)


# %% pick_log_probs right="diagonal of the grid"
def pick_log_probs(lp, y):
    return lp[:, y].diagonal()


# %% pick_log_probs right="loop into a buffer"
def pick_log_probs(lp, y):
    out = torch.empty(len(lp), dtype=lp.dtype)
    for i in range(len(lp)):
        out[i] = lp[i, y[i]]
    return out


# %% pick_log_probs right="flat positions"
def pick_log_probs(lp, y):
    return torch.take(lp, torch.arange(len(y)) * lp.shape[1] + y)


# %% masked_mean wrong="divides by T"
# The sum is right, but it was divided by T, the length of the row: padding must not count in the divisor either.
def masked_mean(x, mask):
    return torch.where(mask.bool(), x, 0).mean(dim=1)


# %% masked_mean wrong="divides by the count of the whole mask"
# Each row's sum was divided by the number of marked positions in *all* rows: `mask.sum()` without a `dim` is a single
# number.
def masked_mean(x, mask):
    keep = mask.bool()
    return torch.where(keep, x, 0).sum(dim=1) / keep.sum().clamp(min=1)


# %% masked_mean wrong="counts what is not zero"
# A marked 0 was not counted: the divisor is how many positions are marked, not how many values differ from 0.
def masked_mean(x, mask):
    kept = torch.where(mask.bool(), x, 0)
    return kept.sum(dim=1) / (kept != 0).sum(dim=1).clamp(min=1)


# %% masked_mean wrong="multiplies by the mask"
# A nan or inf outside the mask came through: nan * 0 and inf * 0 are nan. Multiplying does not take a value away;
# selecting does.
def masked_mean(x, mask):
    return (x * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


# %% masked_mean wrong="empty row is 0 / 0"
# A row with nothing marked came out as nan: its sum is 0, its count is 0, and 0 / 0 is nan. Such a row should give 0.
def masked_mean(x, mask):
    return torch.where(mask.bool(), x, 0).sum(dim=1) / mask.sum(dim=1)


# %% masked_mean wrong="~ on uint8"
# For a uint8 mask everything was masked away: there `~` flips bits, so ~1 is 254 and ~0 is 255, and both count as true.
# Make the mask bool first.
def masked_mean(x, mask):
    return torch.where(~mask, 0, x).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


# %% masked_mean wrong="masked_fill with uint8"
# This works for bool masks only: `masked_fill` refuses a uint8 mask. Make the mask bool first.
def masked_mean(x, mask):
    return x.masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


# %% masked_mean wrong="mask read the other way round"
# This is the mean of the positions that are *not* marked: here true means "counts", not "is padding".
def masked_mean(x, mask):
    drop = mask.bool()
    return x.masked_fill(drop, 0).sum(dim=1) / (~drop).sum(dim=1).clamp(min=1)


# %% masked_mean wrong="one mean for all rows"
# This is a single mean over all rows: `x[mask]` is flat, and no longer knows which row a value is from.
def masked_mean(x, mask):
    return x[mask.bool()].mean()


# %% masked_mean wrong="mean down the columns"
# This averages over dim 0, so there is one number per column. Rows are what is asked for: the sum goes over dim 1.
def masked_mean(x, mask):
    keep = mask.bool()
    return torch.where(keep, x, 0).sum(dim=0) / keep.sum(dim=0).clamp(min=1)


# %% masked_mean wrong="keeps the summed dimension"
# The right means, but as an (N, 1) column: `keepdim=True` keeps the dimension that was summed.
def masked_mean(x, mask):
    keep = mask.bool()
    return torch.where(keep, x, 0).sum(dim=1, keepdim=True) / keep.sum(dim=1, keepdim=True).clamp(min=1)


# %% masked_mean wrong="writes zeros into x"
# The caller's `x` was overwritten: `x[~mask] = 0` works in place. (With an `x` that requires gradients, torch refuses.)
def masked_mean(x, mask):
    keep = mask.bool()
    x[~keep] = 0
    return x.sum(dim=1) / keep.sum(dim=1).clamp(min=1)


# %% masked_mean wrong="nanmean"
# A nan *inside* the mask vanished: once padding is nan as well, `nanmean` cannot tell it from bad data. A marked nan
# should show in the result.
def masked_mean(x, mask):
    keep = mask.bool()
    means = x.masked_fill(~keep, float("nan")).nanmean(dim=1)
    return torch.where(keep.any(dim=1), means, 0)


# %% masked_mean wrong="nan_to_num before the mask"
# A nan or inf *inside* the mask was replaced by a number: `nan_to_num` cleans data and padding alike. Only what lies
# outside the mask should go.
def masked_mean(x, mask):
    return (x.nan_to_num() * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


# %% masked_mean wrong="nan_to_num at the end"
# Every nan of the result became 0, and inf a large number. That is right for a row with nothing marked, but hides a
# marked nan or inf.
def masked_mean(x, mask):
    keep = mask.bool()
    return (torch.where(keep, x, 0).sum(dim=1) / keep.sum(dim=1)).nan_to_num()


# %% masked_mean wrong="selects after dividing"
# The values are right, but the gradient of a row with nothing marked is nan: its weights are 0 / 0, and backward
# multiplies by them even where `where` took the other side. Make the count safe before dividing.
def masked_mean(x, mask):
    keep = mask.bool()
    weights = keep.to(x.dtype) / keep.sum(dim=1, keepdim=True)
    return torch.where(keep, x * weights, 0).sum(dim=1)


# %% masked_mean wrong="adds a small number to the count"
# Every mean is a little too small: a constant was added to the count to avoid 0 / 0. In float32 it hardly shows; in
# float64 it does. Only the empty row needs another count.
def masked_mean(x, mask):
    keep = mask.bool()
    return torch.where(keep, x, 0).sum(dim=1) / (keep.sum(dim=1) + 1e-6)


# %% masked_mean wrong="always float32"
# The result should have the dtype of `x`: somewhere `.float()` turned float64 into float32.
def masked_mean(x, mask):
    keep = mask.bool()
    return torch.where(keep, x, 0).float().sum(dim=1) / keep.float().sum(dim=1).clamp(min=1)


# %% masked_mean wrong="counts in uint8"
# Short rows are right, rows with more than 255 marked positions are not: the count stayed in the dtype of the mask, and
# after 255 a uint8 begins again at 0. Which dtype does a count need?
def masked_mean(x, mask):
    count = mask.sum(dim=1, dtype=torch.uint8)
    return torch.where(mask.bool(), x, 0).sum(dim=1) / count.clamp(min=1)


# %% masked_mean right="masked_fill on a bool mask"
def masked_mean(values, keep):
    keep = keep != 0
    count = torch.count_nonzero(keep, dim=1)
    return values.masked_fill(torch.logical_not(keep), 0.0).sum(1) / torch.maximum(count, torch.ones_like(count))


# %% masked_mean right="row by row"
def masked_mean(x, mask):
    out = torch.zeros(len(x), dtype=x.dtype)
    for i, (row, keep) in enumerate(zip(x, mask)):
        if keep.any():
            out[i] = row[keep == 1].mean()
    return out


# %% masked_mean right="index_add of the marked values"
def masked_mean(x, mask):
    row, column = mask.nonzero(as_tuple=True)
    total = x.new_zeros(len(x)).index_add(0, row, x[row, column])
    count = torch.bincount(row, minlength=len(x))
    return total / count.clamp(min=1)


# %% masked_mean right="writes zeros into a copy"
def masked_mean(x, mask):
    x = x.clone()
    x[mask == 0] = 0.0
    out = torch.einsum("nt->n", x) / mask.sum(1)
    out[mask.sum(1) == 0] = 0.0
    return out


# %% masked_mean right="torch.masked"
def masked_mean(x, mask):
    keep = mask.bool()
    if x.shape[1] == 0:
        return x.sum(dim=1)
    return torch.where(keep.any(dim=1), torch.masked.mean(x, dim=1, mask=keep), 0.0)


# %% masked_mean right="a row's mean by matrix product"
def masked_mean(x, mask):
    keep = mask.to(x.dtype)
    weights = keep / keep.sum(1, keepdim=True).clamp(min=1.0)
    clean = torch.where(mask > 0, x, torch.zeros_like(x))
    return (clean[:, None, :] @ weights[:, :, None]).reshape(-1)


# %% pairwise_distance wrong="row i with row i only"
# This pairs row i of `a` with row i of `b` only: it runs for N = M, or where one side has a single row, and gives N
# distances instead of N x M.
def pairwise_distance(a, b):
    return torch.linalg.vector_norm(a - b, dim=1)


# %% pairwise_distance wrong="shortcut, unguarded"
# This is the shortcut |a|² + |b|² - 2 a·b. For equal or close rows nearly all digits cancel, and what is left is partly
# negative, so that its root is nan. Subtract before squaring.
def pairwise_distance(a, b):
    squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
    return squared.sqrt()


# %% pairwise_distance wrong="shortcut, clamped at 0"
# No nan any more, but the distances of close rows are rounding noise: clamping hides that |a|² + |b|² - 2 a·b has lost
# its digits. Subtract before squaring.
def pairwise_distance(a, b):
    squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
    return squared.clamp(min=0).sqrt()


# %% pairwise_distance wrong="shortcut, clamped at a small number"
# The distance of equal rows is not 0 and those of close rows are rounding noise: the clamp keeps the root of
# |a|² + |b|² - 2 a·b away from 0, but the digits were lost before. Subtract before squaring.
def pairwise_distance(a, b):
    squared = a.square().sum(1)[:, None] + b.square().sum(1)[None] - 2 * a @ b.T
    return squared.clamp(min=1e-12).sqrt()


# %% pairwise_distance wrong="root of 0"
# The distances are right, but where two rows are equal the gradient is nan: the root's slope at 0 is infinite, and
# backward multiplies it by 0. Choosing another value after the root (with `where` or `nan_to_num`) does not help: keep
# 0 from getting into the root.
def pairwise_distance(a, b):
    return (a[:, None] - b[None]).square().sum(dim=-1).sqrt()


# %% pairwise_distance wrong="writes zeros into the root"
# The distances are right, but backward raises: `sqrt` keeps its result for the gradient, and the result was overwritten
# afterwards. Put the zeros into a new tensor (`masked_fill`, `torch.where`).
def pairwise_distance(a, b):
    squared = (a[:, None] - b[None]).square().sum(dim=-1)
    same = squared == 0
    squared[same] = 1.0
    distance = squared.sqrt()
    distance[same] = 0.0
    return distance


# %% pairwise_distance wrong="small number inside the root"
# The gradient is safe, but the distances are not: with 1e-12 added under the root, equal rows are 1e-6 apart, and close
# ones a little too far.
def pairwise_distance(a, b):
    return ((a[:, None] - b[None]).square().sum(dim=-1) + 1e-12).sqrt()


# %% pairwise_distance wrong="smallest distance 1e-6"
# Equal rows are 1e-6 apart here instead of exactly 0, because the squares are clamped before the root. The gradient is
# safe that way, but the distance must be put right afterwards.
def pairwise_distance(a, b):
    return (a[:, None] - b[None]).square().sum(dim=-1).clamp(min=1e-12).sqrt()


# %% pairwise_distance wrong="torch's pairwise_distance with its eps"
# `torch.nn.functional.pairwise_distance` adds `eps` = 1e-6 to every coordinate of the difference unless told otherwise,
# so equal rows are not at distance 0.
def pairwise_distance(a, b):
    return torch.nn.functional.pairwise_distance(a[:, None], b[None])


# %% pairwise_distance wrong="close rows count as equal"
# Rows that lie very close together get a distance of 0, because their squared distance is below some small number. A
# square is far smaller than its root: 1e-6 apart has the square 1e-12. Which rows are *equal*?
def pairwise_distance(a, b):
    squared = (a[:, None] - b[None]).square().sum(dim=-1)
    same = squared < 1e-10
    return squared.masked_fill(same, 1.0).sqrt().masked_fill(same, 0.0)


# %% pairwise_distance wrong="squared"
# These are the squares of the distances: the root is missing.
def pairwise_distance(a, b):
    return (a[:, None] - b[None]).square().sum(dim=-1)


# %% pairwise_distance wrong="sum of absolute differences"
# This is the sum of the absolute differences (the city-block distance). The Euclidean distance is the root of the sum
# of squares.
def pairwise_distance(a, b):
    return (a[:, None] - b[None]).abs().sum(dim=-1)


# %% pairwise_distance wrong="transposed"
# The table is transposed: rows of the result should stand for rows of `a`, columns for rows of `b`. Which of the two
# got the dimension of size 1 in front?
def pairwise_distance(a, b):
    return torch.linalg.vector_norm(a[None] - b[:, None], dim=-1)


# %% pairwise_distance wrong="sums over the rows of b"
# The norm went over dim 1, the rows of `b`, so the result has shape (N, D). Coordinates are the last dimension of the
# (N, M, D) differences.
def pairwise_distance(a, b):
    return torch.linalg.vector_norm(a[:, None] - b[None], dim=1)


# %% pairwise_distance wrong="one norm of everything"
# This is a single number, the norm of all differences together: without a `dim`, the norm goes over every dimension.
def pairwise_distance(a, b):
    return (a[:, None] - b[None]).norm()


# %% pairwise_distance wrong="loop into a float32 buffer"
# The result should have the dtype of `a`: `torch.zeros` makes float32 unless told otherwise, and assigning into it
# rounds float64 without a word.
def pairwise_distance(a, b):
    out = torch.zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            out[i, j] = torch.linalg.vector_norm(a[i] - b[j])
    return out


# %% pairwise_distance wrong="NumPy"
# The distances are right, but they passed through NumPy, where autograd cannot follow: no gradient comes back.
def pairwise_distance(a, b):
    a, b = a.detach().numpy(), b.detach().numpy()
    return torch.from_numpy(((a[:, None] - b[None]) ** 2).sum(-1) ** 0.5)


# %% pairwise_distance right="vector_norm"
def pairwise_distance(a, b):
    return torch.linalg.vector_norm(a.unsqueeze(1) - b.unsqueeze(0), dim=-1)


# %% pairwise_distance right="torch.cdist as it comes"
def pairwise_distance(a, b):
    return torch.cdist(a, b)


# %% pairwise_distance right="torch.cdist without the shortcut"
def pairwise_distance(a, b):
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


# %% pairwise_distance right="torch's pairwise_distance with eps=0"
def pairwise_distance(a, b):
    return torch.nn.functional.pairwise_distance(a[:, None], b[None], eps=0.0)


# %% pairwise_distance right="row by row"
def pairwise_distance(first, second):
    table = first.new_empty(len(first), len(second))
    for i, row in enumerate(first):
        print("row", i)
        table[i] = (row - second).norm(dim=1)
    return table


# %% pairwise_distance right="where, twice"
def pairwise_distance(a, b):
    difference = a[:, None] - b
    squared = torch.einsum("nmd,nmd->nm", difference, difference)
    far = squared > 0
    safe = torch.where(far, squared, torch.ones_like(squared))
    return torch.where(far, torch.exp(0.5 * safe.log()), torch.zeros_like(squared))


# %% pairwise_distance right="a root with its own backward"
class _SafeRoot(torch.autograd.Function):
    @staticmethod
    def forward(ctx, squared):
        root = squared.sqrt()
        ctx.save_for_backward(root)
        return root

    @staticmethod
    def backward(ctx, grad):
        (root,) = ctx.saved_tensors
        return torch.where(root > 0, 0.5 * grad / root, 0)


def pairwise_distance(a, b):
    return _SafeRoot.apply(sum((a[:, None, k] - b[None, :, k]) ** 2 for k in range(a.shape[1])))
