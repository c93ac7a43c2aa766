# %% [markdown] lesson=4
# # Splits, samplers and workers
#
# A network wants multidimensional numeric tensors, usually float32, a batch of them at a time. A *dataset* answers for
# single items, and `DataLoader` does the rest: it asks for items in the order that a *sampler* gives, lets several
# *worker* processes fetch them, and stacks what comes into one tensor with a batch dimension in front.
#
#     sampler       6, 2, 9, 4, ...         which item next?
#     dataset[6]    (3, 32, 48) float32     one item, made in a worker process
#     batch         (B, 3, 32, 48) float32  B items, stacked
#
# Nothing in this machinery complains when it feeds the network the wrong things: a validation set that is distorted
# like the training set, rare classes that hardly ever come, the same "random" crop in every epoch, every item twice.
# Four exercises, one for each.

# %%
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Sampler, get_worker_info

# %% [markdown]
# ## Two parts, two transforms
# Part of the data is held back to see how well the network does on what it has not learned from. The training part is
# distorted at random so that there is more to learn from; the validation part must not be.
#
#     dataset       0  1  2  3  4  5  6  7  8  9        in memory or on disk, once
#     validation          2              7              val_transform
#     train         0  1     3  4  5  6     8  9        train_transform
#
# `torch.utils.data.random_split` gives two `Subset`s, but both read from the same dataset object, so its transform is
# theirs as well: whoever sets `val.dataset.transform` has changed the training set too. The transform has to belong to
# the *part*. (A subclass of `Subset` has to override `__getitems__` beside `__getitem__`: `DataLoader` prefers it. Old
# versions of torch went past your `__getitem__` without a word; today the constructor refuses.)
#
# The split is a decision that stays for the whole project: the same today, tomorrow and after a change of transforms.
# So its randomness has a seed and a generator of its own, and leaves alone the global one, on which the initial weights
# and much else depend. The data may be sorted by class, so the last tenth would not do. And a tenth of five items
# should not be none.


# %% split_with_transforms points=2 level="core" minutes=20 needs=[]
class Part(Dataset):
    """Some items of a dataset, each passed through a transform of this part's own whenever it is read.

    For your use in `split_with_transforms`. It is tested there only, so something else in its place is fine too.

    Args:
        dataset: has `len(dataset)` and `dataset[i]`.
        indices: which of its items, in order.
        transform: is called with an item and returns what stands in its place; None leaves items as they are.

    So `Part(["a", "b", "c", "d"], [3, 1], str.upper)` has two items, "D" and "B".
    """

    def __init__(self, dataset: Any, indices: Sequence[int], transform: Callable[[Any], Any] | None = None) -> None:
        self.dataset = dataset
        self.indices = indices
        self.transform = transform

    def __len__(self) -> int:
        ### BEGIN SOLUTION
        # Hint: A part holds numbers of items, not items: `Part` looks its own number i up in `indices`.
        # Hint: Draw one random order of all numbers, and cut it in two at the size of the validation set.
        # Hint: `torch.randperm(n, generator=...)` leaves the global generator alone; `.tolist()` makes plain ints.
        # Hint: The validation set has min(max(round(fraction * n), 1), n - 1) items.
        return len(self.indices)
        ### END SOLUTION

    def __getitem__(self, index: int) -> Any:
        ### BEGIN SOLUTION
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)
        ### END SOLUTION


def split_with_transforms(
    dataset: Any,
    fraction: float,
    seed: int,
    train_transform: Callable[[Any], Any] | None = None,
    val_transform: Callable[[Any], Any] | None = None,
) -> tuple[Dataset, Dataset]:
    """Split a dataset at random into a training and a validation part, each with its own transform.

    Every item is in exactly one part. Which ones are held back depends on `len(dataset)`, `fraction` and `seed` alone,
    any choice being as likely as another. The global random generators (torch, NumPy, Python) are not touched.

    Args:
        dataset: has `len(dataset)` and, for a Python int i from 0 to n - 1, `dataset[i]`. Nothing is read from it
            during the split, and it is not changed.
        fraction: share of the validation part, above 0 and below 1.
        seed: a whole number from 0 to 2**32 - 1.
        train_transform, val_transform: called with an item, anew each time one is read; None leaves items as they are.

    Returns: (train, validation). Each has `len(part)`, and `part[i]` reads the one item that it is asked for and passes
        it through the transform; an `i` of `len(part)` raises IndexError. In a DataLoader both give the same items as
        with `[i]`. The validation part has `fraction * n` items, rounded to the nearest whole number (a half either
        way), but at least 1 and at most n - 1; the training part has the rest. The order within a part is free.

    Raises:
        ValueError: the dataset has fewer than two items, or `fraction` is not between 0 and 1.

    >>> train, val = split_with_transforms(["ant", "bee", "cow", "dog"], 0.25, 3, str.upper)
    >>> len(train), len(val)
    (3, 1)
    >>> sorted(item.lower() for item in [*train, *val])
    ['ant', 'bee', 'cow', 'dog']
    """
    ### BEGIN SOLUTION
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError(f"cannot split {n} items with a fraction of {fraction}")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)
    ### END SOLUTION


# %% [markdown]
# ## Rare classes, often enough
# Of 1000 scans, 20 may show the disease. Taken in turn, most small batches hold none of them, and "healthy" is right 98
# times in 100. A sampler decides which items come, so it can even this out: draw with replacement, and draw the items
# of a rare class more often.
#
#     class       healthy   ill            one epoch of 1000 draws
#     items       980       20
#     in turn     980       20             each item once
#     balanced    ~500      ~500           a healthy item about every other epoch, an ill one about 25 times an epoch
#
# What is drawn are *items*. So each item needs a weight of its own, also if it depends only on the item's class.
#
# To `DataLoader` a sampler is an iterable of indices; each epoch calls `iter(sampler)` once. Two things should hold at
# the same time: epochs differ (else the same lucky scans would stand for all of their class), and tomorrow's run
# repeats today's, epoch by epoch. A generator seeded once, in the constructor, does both, provided that each epoch
# takes the same from it: a loop left with `break` after one batch must not shift the epochs that follow.


# %% BalancedSampler points=3 level="hard" minutes=20 needs=[]
class BalancedSampler(Sampler[int]):
    """Draws indices of items with replacement, such that all classes come equally often on average.

    An epoch is what one call of `iter(sampler)` gives: as many indices as there are labels. At every place in it each
    class is equally likely, and within the class each of its items; so any long stretch holds about as many of each
    class. Each epoch is drawn anew. The k-th epoch depends on `labels`, `seed` and k alone: two samplers made alike
    give the same epochs one after the other, also if some of them were left early; another seed gives others. (An epoch
    counts from its first index on; one of which no index is taken may count or not.) The global random generators are
    neither used nor changed.

    Args:
        labels: (N,) the class of each item, N at least 1: a list of ints or an int64 tensor, which is not changed.
            Any whole numbers may stand for classes, also negative ones; the classes are those that occur.
        seed: a whole number from 0 to 2**32 - 1.

    `iter(sampler)` gives Python ints from 0 to N - 1, and `len(sampler)` is N.

    >>> sampler = BalancedSampler([7, 7, 7, 7, 7, 7, 7, -1], seed=2)
    >>> len(sampler), len(list(sampler))
    (8, 8)
    >>> rare = [index == 7 for epoch in range(500) for index in sampler]
    >>> 0.45 < sum(rare) / len(rare) < 0.55
    True
    """

    def __init__(self, labels: Sequence[int] | Int[Tensor, "N"], seed: int) -> None:
        ### BEGIN SOLUTION
        # Hint: If the classes are to be equal, how should the weight of one item depend on the size of its class?
        # Hint: `labels.unique(return_inverse=True, return_counts=True)` counts, whatever numbers stand for classes.
        # Hint: The weight of item i is 1 / counts[inverse[i]], a tensor of N numbers.
        # Hint: Draw a whole epoch at once: torch.multinomial(weights, N, replacement=True, generator=...).tolist()
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]
        self.generator = torch.Generator().manual_seed(seed)
        ### END SOLUTION

    def __iter__(self) -> Iterator[int]:
        ### BEGIN SOLUTION
        # All at once, so that leaving an epoch early takes as much from the generator as finishing it.
        drawn = torch.multinomial(self.weights, len(self), replacement=True, generator=self.generator)
        return iter(drawn.tolist())
        ### END SOLUTION

    def __len__(self) -> int:
        ### BEGIN SOLUTION
        return len(self.weights)
        ### END SOLUTION


# %% [markdown]
# Ill items in each batch of 50, one epoch in random order and one balanced.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# labels = torch.tensor([0] * 980 + [1] * 20)
# orders = {"in random order": torch.randperm(1000), "balanced": torch.tensor(list(BalancedSampler(labels, seed=1)))}
# for name, order in orders.items():
#     plt.step(range(20), labels[order].reshape(20, 50).sum(dim=1), where="mid", label=name)
# plt.gca().set(xlabel="batch", ylabel="ill items of 50", ylim=(0, 40))
# plt.legend();

# %% [markdown]
# ## Random numbers in workers
# With `num_workers=2` each worker process has a *copy* of the dataset, made when it starts, and with it a copy of every
# generator that the dataset keeps. All copies start in the same state, and what they draw never reaches the original:
#
#     epoch 0      worker 0: .64 .27 .04      worker 1: .64 .27 .04       twins
#     epoch 1      worker 0: .64 .27 .04      worker 1: .64 .27 .04       and nothing new
#
# The global generators fare better: today every worker seeds those of torch, Python and NumPy for itself, differently
# in each epoch. (NumPy's was left out before torch 1.9; hence old advice, which still holds for a `default_rng` of your
# own.) But then what an item gets depends on the number of workers and on what was drawn before, and no run can be
# repeated item by item.
#
# A clean way out: keep no generator at all. When item i is read, make one from *seed, epoch and i*; then it does not
# matter which process reads it, or when. Beware how the three become one number: with `seed + epoch + i`, item 4 in
# epoch 1 gets what item 5 got in epoch 0. And torch's CPU generator looks only at the low 32 bits of a seed.
#
# The epoch has to reach the workers too. With `persistent_workers=True` they live on with the copy that they have, and
# an attribute set afterwards stays in the main process. A tensor in shared memory (`t.share_memory_()`) is one and the
# same for all processes.


# %% AugmentedDataset points=3 level="hard" minutes=30 needs=["split_with_transforms"]
class AugmentedDataset(Dataset):
    """A dataset with random augmentation that is the same for every number of workers, and can be repeated.

    `data[i]` is `augment(dataset[i], generator)`, called anew for each read, where `generator` is a torch.Generator on
    the CPU in a state that depends on `seed`, the epoch and `i` alone: not on what was read before, how often, or in
    which process, today's or tomorrow's. If two of these triples (seed, epoch, i) differ anywhere, so do the numbers
    that come out of their generators (but for a rare coincidence). The global random generators are neither used nor
    changed, nor given to `augment`.

    Args:
        dataset: has `len(dataset)` and `dataset[i]`; any length.
        augment: called with an item and a generator, from which it may draw as much as it likes.
        seed: a whole number from 0 to 2**32 - 1.

    `len(data)` is `len(dataset)`. The epoch is 0 at first.

    >>> def shift(x, generator):
    ...     return x + torch.rand((), generator=generator)
    >>> data = AugmentedDataset([10.0, 20.0, 30.0], shift, 5)
    >>> before = data[2]
    >>> data[2] == before
    tensor(True)
    >>> data.set_epoch(1)
    >>> data[2] == before
    tensor(False)
    """

    def __init__(self, dataset: Any, augment: Callable[[Any, torch.Generator], Any], seed: int) -> None:
        ### BEGIN SOLUTION
        # Hint: Nothing that draws numbers may live longer than one `__getitem__`. What must be kept is the epoch.
        # Hint: The epoch may be a tensor in shared memory: torch.zeros((), dtype=torch.int64).share_memory_()
        # Hint: To mix whole numbers well: np.random.SeedSequence([...]).generate_state(1) gives one of 32 bits.
        # Hint: Make `torch.Generator().manual_seed(...)` from it in `__getitem__`; `set_epoch` fills the epoch.
        self.dataset = dataset
        self.augment = augment
        self.seed = seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        ### END SOLUTION

    def set_epoch(self, epoch: int) -> None:
        """From now on, read as in this epoch (a whole number from 0 to 2**32 - 1; back to an earlier one is fine).

        Called between two passes of a DataLoader, it counts for the next one, also if its workers are running already
        (`persistent_workers=True`).
        """
        ### BEGIN SOLUTION
        self.epoch.fill_(epoch)
        ### END SOLUTION

    def __len__(self) -> int:
        ### BEGIN SOLUTION
        return len(self.dataset)
        ### END SOLUTION

    def __getitem__(self, index: int) -> Any:
        ### BEGIN SOLUTION
        mixed = np.random.SeedSequence([self.seed, int(self.epoch), index]).generate_state(1)
        generator = torch.Generator().manual_seed(int(mixed[0]))
        return self.augment(self.dataset[index], generator)
        ### END SOLUTION


# %% [markdown]
# ## A stream for several workers
# Some data cannot be asked for item i: a log that grows, a compressed archive, the answers of a server. It comes as a
# stream, from the front, perhaps without an end. `IterableDataset` is for such data: it has an `__iter__`, but no
# `__getitem__` and no sampler. And then the work has to be shared by the workers themselves, since each of them holds a
# copy of the dataset and reads *the whole stream*. Unless told otherwise, two workers deliver everything twice:
#
#     source      a b c d e f g                       source      a b c d e f g
#     worker 0    a b c d e f g                       worker 0    a   c   e   g
#     worker 1    a b c d e f g                       worker 1      b   d   f
#
# `get_worker_info()` tells the code that asks which worker it runs in: `.id`, from 0, and `.num_workers`. In the main
# process, where also a loader without workers reads, there is none, and it returns None.
#
# Handing out items in turn needs no length: it works on an endless stream, and at the end no worker has more than one
# item too many. Skipping an item is cheap; turning raw text or bytes into a tensor is not, so a worker should do this
# only for what is its own.


# %% ShardedStream points=3 level="hard" minutes=20 needs=["AugmentedDataset"]
class ShardedStream(IterableDataset):
    """A stream of decoded items that a DataLoader's workers share: each item is delivered once.

    Args:
        source: `source()` starts the stream from its beginning and returns an iterable over the raw items: the same in
            every process and every time, possibly endless. It is called once for each `iter(stream)`, at once or when
            the first item is asked for. A raw item may be anything, None too.
        decode: turns a raw item into what is delivered, such as a tensor.

    `iter(stream)` gives `decode(raw)` for each raw item in the order of the source, if it runs in the main process. In
    worker w of n it gives those of the items number w, w + n, w + 2 * n, ..., counted from 0; where no such item is
    left, it gives none. Where it runs is found out on iteration: the object itself is made in the main process.
    `decode` is called once for each item that is given, and not for items of other workers; item number k is given
    before item number k + n is taken from the source (n is 1 in the main process). A stream can be iterated over
    several times, also at the same time.

    >>> def numbers(line):
    ...     return torch.tensor([float(word) for word in line.split()])
    >>> stream = ShardedStream(lambda: ["3 1", "4 1", "5 9"], numbers)
    >>> list(stream)
    [tensor([3., 1.]), tensor([4., 1.]), tensor([5., 9.])]
    >>> next(iter(torch.utils.data.DataLoader(stream, batch_size=3))).shape
    torch.Size([3, 2])
    """

    def __init__(self, source: Callable[[], Iterable[Any]], decode: Callable[[Any], Any]) -> None:
        ### BEGIN SOLUTION
        # Hint: The constructor runs in the main process, before there are workers. So it only keeps its arguments.
        # Hint: `get_worker_info()` in `__iter__` gives the first item's number and the step: 0 and 1 where it is None.
        # Hint: `islice(source(), first, None, step)` takes every step-th item and needs no length.
        # Hint: Yield `decode(raw)` for each of these.
        self.source = source
        self.decode = decode
        ### END SOLUTION

    def __iter__(self) -> Iterator[Any]:
        ### BEGIN SOLUTION
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for raw in islice(self.source(), first, None, step):
            yield self.decode(raw)
        ### END SOLUTION
