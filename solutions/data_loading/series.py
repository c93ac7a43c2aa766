# %% [markdown] lesson=3
# # Time series and text
#
# A table has one row for each thing it measures, and the rows know nothing of each other. In a time series and in a
# text they do: what matters is what came before. So one dimension of the tensor becomes *time* (or the place in the
# text), and the order along it means something. Networks still want a numeric tensor, every item of a batch as long as
# all others, and real data is neither: hours are missing, texts have words and no numbers, and no two sequences are
# equally long. This lesson brings hourly bike hire and the first chapter of a novel into tensors, and series of any
# length into batches.

# %%
import re

import pandas as pd  # noqa: F401 (the examples use it)
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from grader.data import data_file  # noqa: F401 (the examples use it)

# %% [markdown]
# ## Hours into days
# `tables/bikes.csv` has one row for each hour of 2011. A network that looks at whole days wants a tensor (D, F, 24):
# day, feature, hour of the day. Two things stand between the rows and that tensor.
#
# *The order in memory.* Rows come hour by hour, the features of an hour side by side. Cutting that into days gives
# (D, 24, F), and the last two dimensions still have to change places. `view(-1, F, 24)` has the shape at once, and
# wrong numbers in it: a view never moves an element. A transpose does change places, but leaves a tensor that is not
# contiguous, on which a later `.view` fails.
#
# *The missing hours.* 2011 had 8760 hours, and the file has 8645 rows. From the first gap on, row number and hour
# differ:
#
#     row     0  1  2  3  4  5        (here a day has 4 hours, for brevity)
#     hour    0  1  3  4  6  7        hour 2 and hour 5 were not recorded
#
#     by row  [ 0  1  3  4 ] [ 6  7 ]               by hour  [ 0  1  .  3 ] [ 4  .  6  7 ]
#
# So each row has to go where its *hour* says. NaN marks the gaps: unlike 0, which is a number of bikes, it cannot be
# mistaken for a measurement. What to put there is decided later, with the whole series in view.

# %% daily_tensor points=2 level="core" minutes=15 needs=[]
def daily_tensor(hours: Int[Tensor, "rows"], values: Float[Tensor, "rows F"]) -> Float[Tensor, "D F 24"]:
    """Lay hourly rows out as days, with NaN for every hour that has no row.

    Args:
        hours: (T,) int64, the hour in which each row was measured, counted from midnight at the start of day 0, so
            that hour 25 is 01:00 of day 1. No hour comes twice and none is negative, but rows may come in any order,
            and any hour may be missing: single ones, whole days, the first ones.
        values: (T, F) float16, float32 or float64, any strides. F is at least 1, T may be 0.

    Returns:
        (D, F, 24) of the dtype of `values`; [d, f, h] is feature f at hour h of day d. D counts all days from day 0 to
        the day of the latest row, which may be incomplete. With no rows, D is 0. The result is a contiguous tensor of
        its own, so that `.view` works on it; the arguments are not changed.

    >>> daily_tensor(torch.tensor([0, 1, 26]), torch.tensor([[5.0], [6.0], [7.0]]))[:, 0, :4]
    tensor([[5., 6., nan, nan],
            [nan, nan, 7., nan]])
    >>> bikes = pd.read_csv(data_file("tables/bikes.csv"))
    >>> hours = torch.tensor(((bikes["day"] - 1) * 24 + bikes["hr"]).to_numpy())
    >>> daily = daily_tensor(hours, torch.tensor(bikes[["temp", "bikers"]].to_numpy(), dtype=torch.float32))
    >>> daily.shape, int(daily[:, 1].isnan().sum())
    (torch.Size([365, 2, 24]), 115)
    """
    ### BEGIN SOLUTION
    # Hint: Begin with a tensor that has a place for every hour and NaN in each, then put the rows where they belong.
    # Hint: How many days? The latest hour decides, not the number of rows: `int(hours.max()) // 24 + 1`.
    # Hint: On a calendar of shape (D * 24, F), `calendar[hours] = values` places all rows at once, in whatever order.
    # Hint: Then calendar.view(D, 24, F).transpose(1, 2).contiguous()
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()
    ### END SOLUTION


# %% [markdown]
# A year of bike hire at a glance: one column for each day, hour 0 at the top. The two bands are the way to work and the
# way back, at weekends there is one broad hump, and white is missing.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# bikes = pd.read_csv(data_file("tables/bikes.csv"))
# hours = torch.tensor(((bikes["day"] - 1) * 24 + bikes["hr"]).to_numpy())
# daily = daily_tensor(hours, torch.tensor(bikes[["bikers"]].to_numpy(), dtype=torch.float32))
# plt.figure(figsize=(12, 3))
# plt.imshow(daily[:, 0].T, aspect="auto")
# plt.xlabel("day of 2011"), plt.ylabel("hour"), plt.colorbar(label="bikes hired");

# %% [markdown]
# ## One channel for each category
# `season` is a number in the table, 1 for winter to 4 for autumn, and sits in the daily tensor as one feature among
# others. As a number it claims that autumn is four times winter, and as far from it as can be, though winter comes
# right after. It is a category, so the network gets a channel for each season: 1 while it is that season, 0 otherwise.
#
#     x[d, column]     1  1  1  2  2            channel F        1  1  1  0  0        season 1
#     (hours of                            ->   channel F + 1    0  0  0  1  1        season 2
#      one day)                                 channel F + 2    0  0  0  0  0        season 3: absent, but there
#                                               channel F + 3    0  0  0  0  0        season 4
#
# In a table the new columns stand last. Here the features are dimension 1, between day and hour, and that is where the
# channels grow. Mind where the codes come from: inside a float tensor they are floats, while an index must be an
# integer; people count from 1, and torch from 0; and `x[:, column]` is a *view*, so adjusting the codes in place would
# adjust the data. In hours that were not recorded, the season is NaN: there, no category is on.

# %% add_one_hot points=2 level="core" minutes=15 needs=["one_hot", "daily_tensor"]
def add_one_hot(x: Float[Tensor, "D F T"], column: int, K: int) -> Float[Tensor, "D F+K T"]:
    """Append a one-hot encoding of the feature `column` of `x` along the feature dimension.

    Args:
        x: (D, F, T) float16, float32 or float64, any strides; D and T may be 0. Feature `column` holds categories as
            the numbers 1, 2, ..., K, or NaN where nothing was recorded. Other features hold anything, NaN included. It
            is not changed.
        column: 0 <= column < F, or negative to count from the end (-1 is the last feature).
        K: the number of categories, at least 1, and at most 2048 in float16, which has no 2049. Some of them may not
            occur in `x`.

    Returns:
        (D, F + K, T), a new tensor of the dtype of `x`. Channels 0 to F - 1 are those of `x`, `column` included;
        channel F + k - 1 is 1 where feature `column` is k, and 0 elsewhere. Where it is NaN, all K new channels are 0.

    Raises:
        ValueError: feature `column` holds something else than 1, 2, ..., K or NaN, such as 0, K + 1, 1.5 or infinity.

    >>> x = torch.tensor([[[0.5, 0.6, 0.7], [1.0, 3.0, 1.0]]])
    >>> add_one_hot(x, 1, 3)
    tensor([[[0.5000, 0.6000, 0.7000],
             [1.0000, 3.0000, 1.0000],
             [1.0000, 0.0000, 1.0000],
             [0.0000, 0.0000, 0.0000],
             [0.0000, 1.0000, 0.0000]]])
    """
    ### BEGIN SOLUTION
    # Hint: The new channels are a tensor (D, K, T) of zeros and ones; `torch.cat` along dimension 1 appends it.
    # Hint: Ask of each number at once whether it is 1, 2, ...: let the codes be (D, 1, T) and the K numbers (K, 1).
    # Hint: `hot = x[:, column].unsqueeze(1) == x.new_tensor(range(1, K + 1)).unsqueeze(1)`; NaN equals nothing.
    # Hint: Where no channel of `hot` is on and the code is not NaN either, there is a number that is no category.
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError(f"feature {column} holds other numbers than 1 to {K}")
    return torch.cat([x, hot], dim=1)  # bool beside floats becomes 0.0 and 1.0
    ### END SOLUTION


# %% [markdown]
# ## Words as numbers
# A network takes in text as integers, one for each *token* (here: word or punctuation mark), and looks up a learned
# vector for each of them. The *vocabulary* says which token has which number. Two numbers stand for no word:
#
#     <pad>  0      fills short texts up, so that a batch is one rectangular tensor
#     <unk>  1      every token that the vocabulary does not have
#
# The vocabulary is *fitted* on the training text, once, and belongs to the model from then on, like a mean that was
# subtracted. New text is only read with it. Were it fitted again, number 7 would be another word than the one whose
# vector was trained; were it extended, there would be numbers that have no vector. A novel's next chapter always has
# words that the first one lacks. They all become `<unk>`.
#
# The numbers must also be the same tomorrow. Python's sets have no fixed order (for strings it changes with every
# start), so numbers follow the order in which tokens first appear. And what is a token? `"wife.".split()` says `wife.`,
# a word of its own. Here, `"His wife's nerves, Mr. Bennet!"` has ten tokens:
#
#     his   wife   '   s   nerves   ,   mr   .   bennet   !

# %% encode_text points=2 level="core" minutes=20 needs=[]
def encode_text(
    texts: list[str], vocabulary: dict[str, int] | None = None
) -> tuple[Int[Tensor, "B T"], dict[str, int]]:
    r"""Turn texts into rows of token numbers, with a new vocabulary or with a given one.

    Tokens: a text is put in lower case (`str.lower`). Its tokens are then, from left to right, each run of word
    characters, as long as possible (a word character is a letter of any alphabet, a digit or an underscore: what `\w`
    matches in Python's `re`), and each other character by itself, white space (`\s`) left out.

    Args:
        texts: any number of texts, also none, also empty ones.
        vocabulary: token -> number, to read the texts with. It has "<pad>": 0 and "<unk>": 1 and any other tokens with
            any other numbers, in any order. It is not changed. If None, a new one is made from these texts alone, with
            "<pad>": 0, "<unk>": 1, and then 2, 3, ... for the tokens in the order in which they first appear, text
            after text.

    Returns:
        A tuple of two. `ids` is (B, T) int64, one row for each text in the given order, where T is the number of tokens
        of the longest text (0 if there is none): first the numbers of the text's tokens, 1 for a token that the
        vocabulary does not have, then 0 up to T. The other is the dict token -> number that was used, with exactly the
        items of `vocabulary` if that was given.

    >>> ids, vocabulary = encode_text(["Is he married?", "Is he married or single?"])
    >>> ids
    tensor([[2, 3, 4, 5, 0, 0],
            [2, 3, 4, 6, 7, 5]])
    >>> encode_text(["He is tiresome!"], vocabulary)[0]
    tensor([[3, 2, 1, 1]])
    >>> text = data_file("text/pride.txt").read_text(encoding="utf-8")
    >>> ids, vocabulary = encode_text(text.split("\n\n"))
    >>> ids.shape, len(vocabulary), vocabulary["wife"]
    (torch.Size([34, 91]), 329, 20)
    """
    ### BEGIN SOLUTION
    # Hint: Three steps: split every text into tokens, make the vocabulary if there is none, fill a tensor of zeros.
    # Hint: `re.findall(r"\w+|[^\w\s]", text.lower())` gives the tokens of a text.
    # Hint: `vocabulary.setdefault(token, len(vocabulary))` numbers a token when it is first seen. Only to fit!
    # Hint: `vocabulary.get(token, 1)` reads; `ids[row, : len(tokens)] = torch.tensor(...)` fills a row from the left.
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in (token for words in tokens for token in words):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens, strict=True):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary
    ### END SOLUTION


# %% [markdown]
# ## Past and future
# To learn to forecast, a network needs examples: a stretch of the series, and what came right after it. One long series
# has many of them, since the next example may begin one step later:
#
#     series     0  1  2  3  4  5  6  7         T = 8, context = 3, horizon = 2
#     item 0     x  x  x  y  y
#     item 1        x  x  x  y  y
#     item 2           x  x  x  y  y
#     item 3              x  x  x  y  y         the last that fits
#
# A `Dataset` is an object with two methods: `len(dataset)` says how many items there are, `dataset[i]` makes item i.
# `DataLoader` needs no more for shuffling and batching. The windows overlap, so copying them all would take `context`
# times the memory of the series; slices are views and take none.
#
# Slices are also what makes such a class go wrong in silence. `series[6:9]` of 8 steps is no error but one step
# short; `series[-1:2]` is empty. And a `for` loop over a dataset counts 0, 1, 2, ... until an IndexError tells it to
# stop: a dataset that never raises one never ends.

# %% WindowDataset points=2 level="core" minutes=15 needs=[]
class WindowDataset(Dataset):
    """All pairs of `context` steps of a series and the `horizon` steps that follow them.

    It is indexed like a list: from 0 to len - 1, or from -1 (the last item) back to -len.

    >>> dataset = WindowDataset(torch.arange(16.0).reshape(8, 2), 3, 2)
    >>> len(dataset)
    4
    >>> x, y = dataset[-1]
    >>> x.tolist(), y.tolist()
    ([[6.0, 7.0], [8.0, 9.0], [10.0, 11.0]], [[12.0, 13.0], [14.0, 15.0]])
    """

    def __init__(self, series: Shaped[Tensor, "T F"], context: int, horizon: int) -> None:
        """Keep what the items are made of.

        Args:
            series: (T, F), any dtype and strides, also shorter than one pair needs. It is neither changed nor copied.
            context: the number of steps of x, at least 1.
            horizon: the number of steps of y, at least 1.
        """
        ### BEGIN SOLUTION
        # Hint: Item i begins at step i. At which step does its y begin, and where does it end?
        # Hint: The last item ends where the series ends: count the steps at which an item may begin. Never below 0.
        # Hint: `range(len(self))` is indexed as the dataset should be: try `range(4)[-1]` and `range(4)[4]`.
        # Hint: start = range(len(self))[index]; x is series[start : start + context], and y starts where x ends.
        self.series, self.context, self.horizon = series, context, horizon
        ### END SOLUTION

    def __len__(self) -> int:
        """Return the number of pairs that fit into the series; 0 if it is too short for one."""
        ### BEGIN SOLUTION
        return max(0, len(self.series) - self.context - self.horizon + 1)
        ### END SOLUTION

    def __getitem__(self, index: int) -> tuple[Shaped[Tensor, "context F"], Shaped[Tensor, "horizon F"]]:
        """Make one pair.

        Args:
            index: -len <= index < len; negative ones count from the end.

        Returns:
            A tuple (x, y). For index i >= 0, x is (context, F), the steps i to i + context - 1, and y is (horizon, F),
            the `horizon` steps after that. Both are views of the series: they share its storage.

        Raises:
            IndexError: there is no such item.
        """
        ### BEGIN SOLUTION
        start = range(len(self))[index]  # knows negative numbers, and raises IndexError
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]
        ### END SOLUTION


# %% [markdown]
# ## Batches of unequal lengths
# A `DataLoader` makes a batch by stacking items, and stacking wants equal shapes. Sequences rarely have them: texts,
# heartbeats, journeys. The loader's `collate_fn` is the function that makes a batch out of a list of items, and it can
# be your own:
#
#     lengths   x                    mask
#     2         [ a0 a1 0  0  ]      [ True  True  False False ]
#     4         [ b0 b1 b2 b3 ]      [ True  True  True  True  ]        DataLoader(items, batch_size=3,
#     1         [ c0 0  0  0  ]      [ True  False False False ]                   collate_fn=pad_collate)
#
# Short sequences are filled up with zeros, no further than the longest *of this batch*. The zeros must not count, in a
# mean or in a loss, and they cannot be told from data, where 0 is a number like others. Hence the mask: here True means
# *data*. (Conventions differ: `key_padding_mask` of `torch.nn.MultiheadAttention` wants True for *padding*. Whoever
# writes a mask says which.) Items stay in the order in which they came; sorting them by length, as old recurrent code
# asked for, separates them from the labels that are collected elsewhere. `pack_padded_sequence` has
# `enforce_sorted=False` today.

# %% pad_collate points=2 level="core" minutes=15 needs=[]
def pad_collate(
    sequences: list[Shaped[Tensor, "_ F"]],
) -> tuple[Shaped[Tensor, "B T F"], Int[Tensor, "B"], Bool[Tensor, "B T"]]:
    """Make one batch of sequences of different lengths.

    Args:
        sequences: one or more tensors, (T_0, F), (T_1, F), ..., all of one dtype (any float dtype, uint8 or any signed
            integer dtype). Lengths may be 0, even all of them. They are not changed.

    Returns:
        A tuple of three, with the sequences in the given order. `x` is (B, T, F) with the dtype of the sequences, a new
        tensor, where T is the greatest length: sequence b from [b, 0] on, and 0 after its end. `lengths` is (B,) int64.
        `mask` is (B, T) bool, True where `x` holds data and False where it is filled up.

    >>> x, lengths, mask = pad_collate([torch.ones(1, 2), torch.tensor([[2.0, 0.0], [0.0, 0.0], [3.0, 4.0]])])
    >>> x.shape, lengths, x[0].tolist()
    (torch.Size([2, 3, 2]), tensor([1, 3]), [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
    >>> mask
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    ### BEGIN SOLUTION
    # Hint: Get the lengths first. They alone say where data is; the numbers in `x` do not.
    # Hint: Fill a zero tensor row by row, or let `torch.nn.utils.rnn.pad_sequence` do it (mind `batch_first`).
    # Hint: Step t of sequence b is data if t < lengths[b]: compare (T,) with (B, 1).
    # Hint: mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
    return x, lengths, mask
    ### END SOLUTION
