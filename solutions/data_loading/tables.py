# %% [markdown] lesson=1
# # Tables
#
# A network takes numbers, in tensors of a few dimensions, nearly always float32. A spreadsheet is almost that already:
# one row for each sample, one column for each thing that was noted about it, shape (N, F). What is left to decide is
# what each column *means*. A price, a school grade and a colour can all be stored as the number 3, and should still
# reach the network in three different ways. The last three exercises are about that choice.

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int, Real
from torch import Tensor, nn

from grader.data import data_file  # noqa: F401 (the examples read files of data/ with it)

# %% [markdown]
# ## A spreadsheet as tensors
# `data/tables/wine.csv` holds 178 Italian wines: 13 measurements of each, and its cultivar (the kind of grape).
#
#     alcohol;malic_acid;ash; ... ;proline;cultivar
#     14.23;1.71;2.43; ... ;1065;0
#     13.2;1.78;2.14; ... ;1050;0
#
# Three things come out of it. The measurements are the input, x: float32, because layers compute in it (NumPy and
# pandas read float64, twice as large, which a float32 layer refuses). The cultivar is the target, y: a class is a
# *name*, not an amount, so it is an int64, as `cross_entropy` and indexing want it. And the names of the columns,
# which a tensor cannot hold, go into a list beside it.
#
# Look at a file before you load it. Is there a header? What separates the cells? Which column is the target? If that
# one stays among the inputs, training looks wonderful, and nothing has been learned.
# Numbers of classes should not pass through float32 on their way: it has whole numbers only up to 2**24 without gaps.

# %% read_wine points=1 level="warm-up" minutes=8 needs=[]
def read_wine(path: str | Path) -> tuple[Float[Tensor, "N F"], Int[Tensor, "N"], list[str]]:
    """Read a table of measurements with a class in its last column.

    Args:
        path: a UTF-8 text file. The first line is the header, one name for each column, all of them different. Each
            line after it is one sample (the last one may lack its newline). Cells are separated by ";", and nothing is
            quoted. Every cell below the header is a number, with a point if it has decimals; those of the last column
            are classes, whole numbers of at most nine digits. There are one or more samples and one or more
            measurements: other tables than wine.csv have other sizes, names and classes.

    Returns:
        x: the measurements, in the order of the file; all columns but the last, (N, F), float32.
        y: the classes, exactly as in the file, (N,), int64.
        names: the names of the F columns of `x`, as the header has them.

    >>> x, y, names = read_wine(data_file("tables/wine.csv"))
    >>> x.shape, x.dtype, y.bincount()
    (torch.Size([178, 13]), torch.float32, tensor([59, 71, 48]))
    >>> names[0], x[0, 0], names[-1], x[0, -1]
    ('alcohol', tensor(14.2300), 'proline', tensor(1065.))
    """
    ### BEGIN SOLUTION
    # Hint: pandas reads header and numbers in one call, once it knows what separates the cells.
    # Hint: After `frame = pd.read_csv(path, sep=";")`, `frame.iloc[:, :-1]` is all columns but the last.
    # Hint: `torch.tensor(part.to_numpy(), dtype=...)` copies a part into a tensor of the dtype that you name.
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    y = torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64)
    return x, y, list(frame.columns[:-1])
    ### END SOLUTION


# %% [markdown]
# ## One-hot
# Class 2 is not twice class 1, and class 1 does not lie between 0 and 2. A network that gets the number itself has to
# believe both. One-hot gives each class a column of its own instead, with a single 1 in each row:
#
#     y = [2, 0, 2], 4 classes         0. 0. 1. 0.
#                                      1. 0. 0. 0.
#                                      0. 0. 1. 0.
#
# `scatter_` writes such patterns without a loop. It is `gather` backwards: it puts values *into* places that an index
# tensor names. With dim=1:
#
#     out.scatter_(1, index, value)            out[i, index[i, j]] = value      for all i, j
#
# So `index` has as many dimensions as `out`: row i of it lists which columns of row i to write. And the trailing
# underscore says that `out` itself is changed.
#
# How many classes there are is an argument, since the data cannot tell: a batch without the last class would come out
# narrower than the others. (`torch.nn.functional.one_hot` exists, too, but its result is int64, which no layer takes.)

# %% one_hot points=1 level="warm-up" minutes=8 needs=["pick_log_probs"]
def one_hot(y: Int[Tensor, "N"], num_classes: int) -> Float[Tensor, "N C"]:
    """Write each class as a row with a single 1.

    Args:
        y: classes from 0 to num_classes - 1, int64, any strides; N may be 0. It stays as it is.
        num_classes: C, the number of columns, whichever classes occur in `y`.

    Returns: float32, (N, C): 1 at [i, y[i]] and 0 elsewhere.

    Raises:
        RuntimeError: a class is negative or not below num_classes (`scatter_` raises this by itself).

    >>> one_hot(torch.tensor([2, 0, 2]), 4)
    tensor([[0., 0., 1., 0.],
            [1., 0., 0., 0.],
            [0., 0., 1., 0.]])
    """
    ### BEGIN SOLUTION
    # Hint: Begin with zeros of the shape of the result. In which column does each row get its 1?
    # Hint: The index must have two dimensions: y as a column, (N, 1), so that row i of it names one place in row i.
    # Hint: torch.zeros(len(y), num_classes).scatter_(1, y.unsqueeze(1), 1.0)
    return torch.zeros(len(y), num_classes).scatter_(1, y.unsqueeze(1), 1.0)
    ### END SOLUTION


# %% [markdown]
# ## On one scale
# Proline runs from 278 to 1680, hue from 0.5 to 1.7. Through the same layer, proline shouts and hue whispers: the
# gradients of their weights differ a thousandfold, and no single learning rate suits both. So each column is
# **standardised**, minus its mean, divided by its standard deviation, and all of them speak equally loud.
#
# The mean of *which* data? New data comes later, one wine at a time, and one wine has no deviation. So both numbers are
# parameters, too: they are learned from the training data once, then kept, and applied to everything that follows.
#
#     training data    --- fit -----> mean, deviation
#                                         |
#     any data         ------------- transform -----> standardised
#
# If validation data takes part in `fit`, the model has seen a little of what it is examined on, and if each part is
# standardised by itself, the same wine means different numbers in each. Neither shows in any shape or dtype.
#
# A column that never changes has deviation 0, and 0 / 0 is NaN; such a column is divided by 1. A table may also hold
# seconds since 1970, some 1.7e9, where neighbouring float32 numbers are 128 apart: so subtract first, and round after.

# %% Standardizer points=2 level="core" minutes=15 needs=["read_wine"]
class Standardizer:
    """Standardises columns, with the mean and the deviation of the data that it was fitted on.

    >>> train = torch.tensor([[1.0, 10.0], [3.0, 10.0]])
    >>> scaler = Standardizer().fit(train)
    >>> scaler.transform(torch.tensor([[1.0, 10.0], [2.0, 10.0], [6.0, 12.5]]))
    tensor([[-1.0000,  0.0000],
            [ 0.0000,  0.0000],
            [ 4.0000,  2.5000]])
    """

    def fit(self, x: Real[Tensor, "N F"]) -> "Standardizer":
        """Take the mean and the standard deviation of each column of `x`.

        The deviation is the population's: the square root of the *mean* squared difference (correction=0, N and not
        N - 1 in the denominator). Where it comes out as 0, as in a column of equal whole numbers or of a single row,
        1 is taken instead. Nothing else is added or bounded, however small a deviation may be.

        Args:
            x: N samples in rows, one or more; float32, float64 or an integer dtype. It stays as it is, and what
                happens to it later has no effect here.

        Returns: this object itself. Earlier fits are forgotten; other Standardizers are not touched.
        """
        ### BEGIN SOLUTION
        # Hint: Which dimension disappears when each column gets one mean? It is the one that counts the samples.
        # Hint: Integers have no mean, and float32 is short of digits: go to float64 with `x.double()` first.
        # Hint: `x.std(0, correction=0)` is the deviation; torch.where puts a 1 where it is 0.
        # Hint: `fit` stores two tensors in `self` and returns `self`; `transform` only reads them.
        x = x.double()
        self.mean = x.mean(0)
        deviation = x.std(0, correction=0)
        self.deviation = torch.where(deviation == 0, 1.0, deviation)
        return self
        ### END SOLUTION

    def transform(self, x: Real[Tensor, "M F"]) -> Float[Tensor, "M F"]:
        """Standardise `x` with what `fit` found: (x - mean) / deviation, column by column.

        Args:
            x: any number of rows, also 1 or 0; float32, float64 or an integer dtype, which need not be that of the
                fitted data. It stays as it is.

        Returns: float32, (M, F), a new tensor. Rounded to float32 only after the subtraction, so that large numbers
            (float64 or int64) keep their small differences. Nothing of `x` is kept for later calls.
        """
        ### BEGIN SOLUTION
        return ((x - self.mean) / self.deviation).float()  # self.mean is float64
        ### END SOLUTION


def standardize_split(
    train: Real[Tensor, "N F"], validation: Real[Tensor, "M F"]
) -> tuple[Float[Tensor, "N F"], Float[Tensor, "M F"]]:
    """Standardise training and validation data, both with what the training data alone says.

    Args:
        train, validation: as for Standardizer; N is at least 1, M may be 0.

    Returns: the two of them, standardised, float32.

    >>> train, validation = standardize_split(torch.tensor([[1], [3]]), torch.tensor([[2], [8]]))
    >>> train.tolist(), validation.tolist()
    ([[-1.0], [1.0]], [[0.0], [6.0]])
    """
    ### BEGIN SOLUTION
    scaler = Standardizer().fit(train)
    return scaler.transform(train), scaler.transform(validation)
    ### END SOLUTION


# %% [markdown]
# ## Three kinds of columns
# ![Interval columns go in directly, ordinal ones as ranks, categorical ones as one-hot or as rows of an embedding
# ](../../data/figures/encodings.png)
#
# - **Interval**: differences mean something (grams, degrees, dates). The *values go in directly*, standardised.
# - **Ordinal**: only the order does. From clear to cloudy may be a smaller step than from rain to storm. The *rank* of
#   a value, its place in the list of levels, keeps the order (and claims equal steps; a thermometer does not).
# - **Categorical**: not even an order. *One-hot* for up to a dozen or so values, an *embedding* for more.
#
# No dtype tells you which is which: years and postcodes are both integers, and the alphabet puts "high" before "low".
# So the caller says it, in a `spec`:
#
#     {"body_mass_g": "interval", "sky": ["clear", "cloudy", "rain"], "island": {"Biscoe", "Dream", "Torgersen"}}
#
# A list has an order, so it means levels, from low to high. A set has none, so it means categories. Mind that a loop
# over a set of text takes another order in each run of Python: columns would move about between training and use.
#
# Sooner or later there is a value that nobody expected, or none. One-hot has an honest answer, "none of these", all
# zeros. A rank or a number has not: any one would be made up, so that is an error.

# %% encode_columns points=3 level="hard" minutes=25 needs=["one_hot"]
def encode_columns(frame: pd.DataFrame, spec: dict[str, str | list | set]) -> Float[Tensor, "N F"]:
    """Encode columns of a table as one float32 tensor.

    Args:
        frame: N rows, as `pd.read_csv` reads them or a selection of those: N may be 0, row labels may be in any order
            and have gaps. A missing value is NaN, and integers beside one are read as floats (30.0 is category 30).
            Columns that `spec` does not name are ignored, whatever they hold. The frame stays as it is.
        spec: column name -> its kind, at least one. The kinds, and what a column becomes:
            "interval"     1 column: the number itself.
            a list         1 column: the rank of the value in this list of levels, 0 for the first. Levels are text
                           or integers, all different.
            a set          one column for each category in it, sorted: 1 where the row has that category, else 0.
                           Categories are all text or all integers, and sorted as such. One that does not occur in
                           `frame` has its column, too; a value not in the set, or a missing one, gives zeros.

    Returns: float32, (N, F), rows in the order of the frame, columns in the order of `spec`.

    Raises:
        ValueError: a number is missing, or a value is missing or not among the levels of a list. The message has the
            name of the column in it.

    >>> text = {"size": ["S", "L", "M"], "id": ["a", "b", "c"], "colour": ["red", "blue", None]}
    >>> frame = pd.DataFrame({**text, "price": [9.5, 20, 12]})
    >>> encode_columns(frame, {"price": "interval", "colour": {"red", "blue", "green"}, "size": ["S", "M", "L"]})
    tensor([[ 9.5000,  0.0000,  0.0000,  1.0000,  0.0000],
            [20.0000,  1.0000,  0.0000,  0.0000,  2.0000],
            [12.0000,  0.0000,  0.0000,  0.0000,  1.0000]])
    >>> penguins = pd.read_csv(data_file("tables/penguins.csv"))
    >>> encode_columns(penguins[:4], {"body_mass_g": "interval"})
    Traceback (most recent call last):
    ValueError: body_mass_g: a value is missing or unknown
    """
    ### BEGIN SOLUTION
    # Hint: Go through `spec`, ask what each kind is, and collect arrays of length N; put them side by side at the end.
    # Hint: `values.map({level: rank, ...})` gives ranks, and NaN for what is missing or unknown: look for NaN after it.
    # Hint: `sorted(kind)` gives a set an order, and `values.isin([category])` is True or False, also for NaN.
    # Hint: `column.to_numpy(np.float32)` forgets the row labels; np.stack(arrays, axis=1) puts arrays side by side.
    columns = []
    for name, kind in spec.items():
        values = frame[name]
        if isinstance(kind, set):
            columns += [values.isin([category]) for category in sorted(kind)]
            continue
        if isinstance(kind, list):
            values = values.map({level: rank for rank, level in enumerate(kind)})
        if values.isna().any():
            raise ValueError(f"{name}: a value is missing or unknown")
        columns.append(values)
    return torch.from_numpy(np.stack([column.to_numpy(np.float32) for column in columns], axis=1))
    ### END SOLUTION


# %% [markdown]
# ## A table to look things up in
# One-hot does not scale: 190 tagged penguins are 190 columns with a single 1, 50 000 words are 50 000. After it comes
# a layer, and one-hot times a matrix just picks a row of that matrix, at the price of many products with 0:
#
#     [0. 0. 1. 0.] @ weight  ==  weight[2]
#
# An **embedding** skips the zeros and gathers the row. Its table is a parameter, so each category gets a place among
# E numbers, and training moves alike ones together. Ids are positions, hence integers; nothing is calculated with them.
#
#     ids (N, 2)         sizes [3, 190], dims [2, 4]                 result (N, 2 + 4)
#     [[2, 177],         tables (4, 2) and (191, 4)                  row 2 of table 0 | row 177 of table 1
#      [1,   0]]                                                     row 1 of table 0 | 0. 0. 0. 0.
#
# Each column has its own table, since id 2 of one has nothing to do with id 2 of another. Row 0 is kept for what is
# unknown: always zeros, whatever is learned (as for one-hot, "none of these"). Ids that come up later and were never
# given a row belong there, too. Torch would raise an IndexError for them, and on a GPU end the whole program.

# %% CategoryEmbedding points=2 level="core" minutes=15 needs=["one_hot"]
class CategoryEmbedding(nn.Module):
    """One embedding table for each of K categorical columns; their rows, side by side.

    >>> embedding = CategoryEmbedding([3, 190], [2, 4])
    >>> out = embedding(torch.tensor([[2, 177], [1, 0], [2, 500]]))
    >>> out.shape
    torch.Size([3, 6])
    >>> torch.equal(out[0, :2], out[2, :2]), out[1:, 2:].eq(0).tolist()
    (True, [[True, True, True, True], [True, True, True, True]])
    """

    def __init__(self, sizes: list[int], dims: list[int]) -> None:
        """Make the tables.

        Args:
            sizes: K numbers, one or more: column k has the categories 1 to sizes[k].
            dims: K numbers: a category of column k becomes dims[k] numbers.

        All parameters together hold (sizes[0] + 1) * dims[0] + ... + (sizes[K-1] + 1) * dims[K-1] numbers: one row
        for each category and row 0. They are registered with the module, as `parameters()`, `state_dict()` and `to()`
        expect, and float32. The rows of categories start as independent random numbers; those of nn.Embedding will do.
        """
        ### BEGIN SOLUTION
        # Hint: torch.nn has a layer that is one such table; one argument keeps a row at zero, and out of training.
        # Hint: nn.Embedding(size + 1, dim, padding_idx=0), for each column; a plain list hides them from the module.
        # Hint: In `forward`, turn what is not from 1 to sizes[k] into 0 with torch.where, which leaves `ids` as it is.
        # Hint: table(column) is (N, dim) for a column (N,); torch.cat(parts, dim=1) puts the parts side by side.
        super().__init__()
        pairs = zip(sizes, dims, strict=True)
        self.tables = nn.ModuleList(nn.Embedding(size + 1, dim, padding_idx=0) for size, dim in pairs)
        ### END SOLUTION

    def forward(self, ids: Int[Tensor, "N K"]) -> Float[Tensor, "N E"]:
        """Look up each id in the table of its column.

        Args:
            ids: int64, (N, K), any strides; N may be 0. An id from 1 to sizes[k] is a category of column k. Every
                other one (0, larger ones, negative ones) is unknown. `ids` stays as it is.

        Returns: (N, sum of dims), in the dtype of the parameters: the rows of column 0, then those of column 1, and
            so on. Equal ids in a column give equal numbers. Unknown ones give zeros, before and after training.
            A row's gradient is the sum over the places where it was looked up; none comes from unknown ids.
        """
        ### BEGIN SOLUTION
        parts = []
        for table, column in zip(self.tables, ids.unbind(1), strict=True):
            known = (column > 0) & (column < table.num_embeddings)
            parts.append(table(torch.where(known, column, 0)))  # row 0 is for what is unknown
        return torch.cat(parts, dim=1)
        ### END SOLUTION
