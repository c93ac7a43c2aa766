# %% split_with_transforms wrong="transform set on the shared dataset"
# Both parts read from the same dataset object, so a transform set on it holds for both: the one that was set last. The
# dataset itself was changed as well. The transform has to belong to the part.
def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    generator = torch.Generator().manual_seed(seed)
    train, val = torch.utils.data.random_split(dataset, [n - held_back, held_back], generator=generator)
    train.dataset.transform = train_transform
    val.dataset.transform = val_transform
    return train, val


# %% split_with_transforms wrong="train_transform for both"
# The validation part went through `train_transform` too. What is distorted at random does not measure how good the
# network is.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], train_transform)


# %% split_with_transforms wrong="an empty validation part"
# `int(fraction * n)` cuts off, and for a small dataset it gives 0: a validation part without items. It also loses one
# where floats fall short, as in 0.29 * 100 = 28.999999999999996.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = int(fraction * n)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="an empty training part"
# Rounded up to at least one item, but nothing keeps one for training: with 9 items and a fraction of 0.99 the validation
# part takes them all.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = max(round(fraction * n), 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="global generator"
# `torch.manual_seed` sets the generator that the whole program draws from: after each split, initial weights and dropout
# begin with the same numbers again.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    torch.manual_seed(seed)
    order = torch.randperm(n).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="no seed"
# The split is another one each time, whatever the seed: what was validation yesterday is trained on today, and then
# nothing is held back any more. Who draws the order here?
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="seed 0 is no seed"
# With seed 0 the split is another one each time. Python takes 0 for false, so `seed or None` makes no seed of it.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    k = min(max(round(fraction * n), 1), n - 1)
    order = np.random.default_rng(seed or None).permutation(n).tolist()
    return Part(dataset, order[k:], train_transform), Part(dataset, order[:k], val_transform)


# %% split_with_transforms wrong="two orders"
# Each part took its items from a random order of its own. Some items are in both parts (the network is tested on what it
# was trained on), others in none. One order, cut in two, cannot overlap.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    generator = torch.Generator().manual_seed(seed)
    train = torch.randperm(n, generator=generator)[held_back:].tolist()
    val = torch.randperm(n, generator=generator)[:held_back].tolist()
    return Part(dataset, train, train_transform), Part(dataset, val, val_transform)


# %% split_with_transforms wrong="the last items"
# The validation part is the end of the dataset, whatever the seed. In a dataset sorted by class these are all of one
# class. Which items are held back should be drawn at random.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    return Part(dataset, range(n - held_back), train_transform), Part(dataset, range(n - held_back, n), val_transform)


# %% split_with_transforms wrong="fraction for training"
# The sizes are the other way round: `fraction` is the share of the validation part.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    count = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[:count], train_transform), Part(dataset, order[count:], val_transform)


# %% split_with_transforms wrong="everything read and transformed at once"
# All items were read and transformed during the split. That may fill the memory, and a random transform draws only once:
# every epoch sees the same distortion.
def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    same = lambda item: item
    train = [(train_transform or same)(dataset[i]) for i in order[held_back:]]
    val = [(val_transform or same)(dataset[i]) for i in order[:held_back]]
    return train, val


# %% split_with_transforms wrong="keeps what was read once"
# An item is transformed when it is first read, and then kept. A random transform gets no second chance: every epoch sees
# the same distortion.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform, self.kept = dataset, indices, transform, {}

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        if index not in self.kept:
            item = self.dataset[self.indices[index]]
            self.kept[index] = item if self.transform is None else self.transform(item)
        return self.kept[index]


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="tensors as indices"
# The dataset is asked for item `tensor(3)`. Lists put up with that, but a dict has no such key, and a file name made from
# it does not exist. Make plain ints of the drawn order.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="a DataLoader goes past the transform"
# With `[i]` the items are transformed, but not in a DataLoader: it calls `__getitems__` where there is one, and this
# `Subset` still has the inherited one, which knows nothing of the transform.
class Part(torch.utils.data.Subset):
    def __init__(self, dataset, indices, transform=None):
        super().__init__(dataset, indices)
        self.transform = transform

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)

    def __getitems__(self, indices):
        return super().__getitems__(indices)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="takes any fraction"
# It splits whatever comes: for a fraction of 1.4 or a dataset of one item there is no split with two parts, and the caller
# was promised a ValueError.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    held_back = min(max(round(fraction * n), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).tolist()
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms wrong="a block at a random place"
# The validation part is one stretch of neighbours, and the seed only moves it. Neighbours in a dataset are often alike: of
# one class, from one patient. Draw each item at random.
class Part(Dataset):
    def __init__(self, dataset, indices, transform=None):
        self.dataset, self.indices, self.transform = dataset, indices, transform

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        item = self.dataset[self.indices[index]]
        return item if self.transform is None else self.transform(item)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if n < 2 or not 0 < fraction < 1:
        raise ValueError("cannot split")
    held_back = min(max(round(fraction * n), 1), n - 1)
    start = int(torch.randint(n, (), generator=torch.Generator().manual_seed(seed)))
    order = [(start + i) % n for i in range(n)]
    return Part(dataset, order[held_back:], train_transform), Part(dataset, order[:held_back], val_transform)


# %% split_with_transforms right="random_split and a wrapper"
class _Transformed(Dataset):
    def __init__(self, subset, function):
        self.subset = subset
        self.function = function or (lambda item: item)

    def __len__(self):
        return len(self.subset)

    def __getitem__(self, i):
        return self.function(self.subset[i])


def split_with_transforms(data, share, seed, first=None, second=None):
    n = len(data)
    if n < 2:
        raise ValueError("fewer than two items")
    if share <= 0 or share >= 1:
        raise ValueError("no such fraction")
    count = int(np.clip(np.rint(share * n), 1, n - 1))
    print("holding back", count)
    parts = torch.utils.data.random_split(data, [n - count, count], generator=torch.Generator().manual_seed(seed))
    return tuple(_Transformed(part, function) for part, function in zip(parts, (first, second)))


# %% split_with_transforms right="Python's random, parts sorted"
import random


class _View:
    def __init__(self, dataset, numbers, transform):
        self.read = lambda i: dataset[numbers[i]] if transform is None else transform(dataset[numbers[i]])
        self.numbers = numbers

    def __len__(self):
        return len(self.numbers)

    def __getitem__(self, i):
        return self.read(i)


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    n = len(dataset)
    if not (n >= 2 and 0 < fraction < 1):
        raise ValueError(f"{n} items, fraction {fraction}")
    val = set(random.Random(seed).sample(range(n), max(1, min(n - 1, int(fraction * n + 0.5)))))
    return [
        _View(dataset, [i for i in range(n) if i not in val], train_transform),
        _View(dataset, sorted(val), val_transform),
    ]


# %% split_with_transforms right="Subset with both methods"
class Part(torch.utils.data.Subset):
    def __init__(self, dataset, indices, transform=None):
        super().__init__(dataset, indices)
        self.transform = transform

    def __getitem__(self, index):
        item = super().__getitem__(index)
        return item if self.transform is None else self.transform(item)

    def __getitems__(self, indices):
        return [self[index] for index in indices]


def split_with_transforms(dataset, fraction, seed, train_transform=None, val_transform=None):
    if len(dataset) < 2 or not 0.0 < fraction < 1.0:
        raise ValueError("cannot split")
    order = [int(i) for i in np.random.default_rng(seed).permutation(len(dataset))]
    k = round(fraction * len(dataset))
    k += (k == 0) - (k == len(dataset))
    return Part(dataset, order[:-k], train_transform), Part(dataset, order[-k:], val_transform)


# %% BalancedSampler wrong="weights per class"
# The weights handed over are those of the classes, one for each. But it is items that are drawn, so only the first few
# items ever come: as many as there are classes.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        counts = torch.as_tensor(labels).unique(return_counts=True)[1]
        self.size, self.weights = len(labels), 1 / counts
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, self.size, True, generator=self.generator).tolist())

    def __len__(self):
        return self.size


# %% BalancedSampler wrong="weights by frequency"
# An item is more likely the more of its class there are: what was frequent became more frequent, and rare classes all but
# vanish. It should be the other way round.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = counts[inverse].float()
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True, generator=self.generator).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="uniform"
# Each *item* is equally likely here, so a class comes as often as it has items: rare ones hardly ever. Each *class* should
# be equally likely.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        self.size = len(labels)
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.randint(self.size, (self.size,), generator=self.generator).tolist())

    def __len__(self):
        return self.size


# %% BalancedSampler wrong="without replacement"
# Drawn without replacement, N of N items are each item once: the weights only change the order, rare classes first. To
# come often, a rare item has to come more than once.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), False, generator=self.generator).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="the same epoch each time"
# The generator is seeded anew in `__iter__`, so each epoch draws the same items in the same order, and those that were not
# drawn never come. Seed it once.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights, self.seed = 1 / counts[inverse], seed

    def __iter__(self):
        generator = torch.Generator().manual_seed(self.seed)
        return iter(torch.multinomial(self.weights, len(self), True, generator=generator).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="drawn once, then shuffled"
# The items are drawn once, in the constructor; each epoch only shuffles them. Whatever was not drawn then never comes.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.generator = torch.Generator().manual_seed(seed)
        self.drawn = torch.multinomial(1 / counts[inverse], len(labels), True, generator=self.generator)

    def __iter__(self):
        return iter(self.drawn[torch.randperm(len(self), generator=self.generator)].tolist())

    def __len__(self):
        return len(self.drawn)


# %% BalancedSampler wrong="global generator"
# It draws from the global generator: the seed has no effect, a second sampler with the same seed gives other epochs, and
# all that draws after it gets other numbers.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="seed 0 is no seed"
# With seed 0 a second sampler gives other epochs. Python takes 0 for false, so `seed or None` makes no seed of it.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        weights = (1 / counts[inverse].double()).numpy()
        self.shares = weights / weights.sum()
        self.random = np.random.default_rng(seed or None)

    def __iter__(self):
        return iter(self.random.choice(len(self), len(self), p=self.shares).tolist())

    def __len__(self):
        return len(self.shares)


# %% BalancedSampler wrong="seeds the global generator"
# The epochs can be repeated, but `torch.manual_seed` sets the generator that the whole program draws from, and the next
# epoch depends on what else was drawn meanwhile.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]
        torch.manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="as short as the rarest class allows"
# An epoch has as many of each class as the rarest one has items, and `len` says so too. It should have as many indices as
# there are labels, with rare items more than once.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, self.inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.size, self.classes = int(counts.min()), len(counts)
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        chosen = []
        for k in range(self.classes):
            own = (self.inverse == k).nonzero().flatten()
            chosen.append(own[torch.randperm(len(own), generator=self.generator)[: self.size]])
        chosen = torch.cat(chosen)
        return iter(chosen[torch.randperm(len(chosen), generator=self.generator)].tolist())

    def __len__(self):
        return self.size * self.classes


# %% BalancedSampler wrong="class after class"
# The epoch is balanced as a whole, but it comes class by class: for a while the network sees one class only. Shuffle
# before you hand out.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.inverse, self.weights = inverse, 1 / counts[inverse]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        drawn = torch.multinomial(self.weights, len(self), True, generator=self.generator)
        return iter(drawn[self.inverse[drawn].argsort()].tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="classes in turn"
# Classes take turns: 0, 1, 2, 0, 1, 2, ... With a batch size that shares a factor with the number of classes, a place in
# the batch always holds the same class. At each place any class should be equally likely.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        labels = torch.as_tensor(labels)
        self.size = len(labels)
        self.own = [(labels == c).nonzero().flatten() for c in labels.unique()]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        chosen = []
        for place in range(self.size):
            own = self.own[place % len(self.own)]
            chosen.append(int(own[torch.randint(len(own), (), generator=self.generator)]))
        return iter(chosen)

    def __len__(self):
        return self.size


# %% BalancedSampler wrong="drawn one by one"
# Each index is drawn when it is asked for. An epoch left after one batch then takes less from the generator than a whole
# one, and all epochs that follow are different ones.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        for _ in range(len(self)):
            yield int(torch.multinomial(self.weights, 1, generator=self.generator))

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="labels taken for 0, 1, 2, ..."
# `bincount` counts the numbers from 0 up, so a negative label stops it. Classes may be any whole numbers.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        labels = torch.as_tensor(labels)
        self.weights = 1 / torch.bincount(labels)[labels]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True, generator=self.generator).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="gives tensors"
# The indices that come are tensors. The dataset is then asked for item `tensor(3)`, which a dict or a file name does not
# put up with.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = 1 / counts[inverse]
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True, generator=self.generator))

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler wrong="softened weights"
# With the inverse of the *square root* of a class's size, rare classes come more often than before, but not as often as
# the others.
class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        _, inverse, counts = torch.as_tensor(labels).unique(return_inverse=True, return_counts=True)
        self.weights = counts[inverse].rsqrt()
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        return iter(torch.multinomial(self.weights, len(self), True, generator=self.generator).tolist())

    def __len__(self):
        return len(self.weights)


# %% BalancedSampler right="around WeightedRandomSampler"
from collections import Counter

from torch.utils.data import WeightedRandomSampler


class BalancedSampler(WeightedRandomSampler):
    def __init__(self, labels, seed):
        labels = [int(label) for label in labels]
        counts = Counter(labels)
        generator = torch.Generator()
        generator.manual_seed(seed)
        super().__init__([1 / counts[label] for label in labels], len(labels), generator=generator)


# %% BalancedSampler right="first a class, then an item, in NumPy"
class BalancedSampler(Sampler):
    def __init__(self, targets, seed):
        targets = np.asarray(targets)
        self.members = [np.flatnonzero(targets == value) for value in np.unique(targets)]
        self.size = targets.size
        self.seed, self.epoch = seed, 0

    def __iter__(self):
        random = np.random.default_rng([self.seed, self.epoch])
        self.epoch += 1
        which = random.integers(len(self.members), size=self.size)
        return iter([int(random.choice(self.members[k])) for k in which])

    def __len__(self):
        return self.size


# %% BalancedSampler right="equal shares, shuffled"
import random


class BalancedSampler(Sampler):
    def __init__(self, labels, seed):
        labels = labels.tolist() if isinstance(labels, Tensor) else list(labels)
        self.groups = {}
        for index, label in enumerate(labels):
            self.groups.setdefault(label, []).append(index)
        self.n = len(labels)
        self.random = random.Random(seed)

    def _epoch(self):
        groups = list(self.groups.values())
        self.random.shuffle(groups)
        indices = [self.random.choice(groups[k % len(groups)]) for k in range(self.n)]
        self.random.shuffle(indices)
        return indices

    def __iter__(self):
        return iter(self._epoch())

    def __len__(self):
        return self.n


# %% BalancedSampler right="a generator function that draws first"
class BalancedSampler(Sampler[int]):
    def __init__(self, labels, seed):
        labels = torch.as_tensor(labels, dtype=torch.int64)
        same = labels[:, None] == labels
        self.cumulative = (1 / same.sum(1).double()).cumsum(0)
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self):
        size = len(self.cumulative)
        points = torch.rand(size, dtype=torch.float64, generator=self.generator) * self.cumulative[-1]
        for index in torch.searchsorted(self.cumulative, points, right=True).clamp(max=size - 1):
            yield index.item()

    def __len__(self):
        return self.cumulative.numel()


# %% AugmentedDataset wrong="one generator, copied to the workers"
# One generator is kept and drawn from at each read. Each worker gets a copy in the same state and none gives back what it
# drew: workers repeat each other and every epoch repeats the first. In one process, an item depends on what was read before.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment = dataset, augment
        self.generator = torch.Generator().manual_seed(seed)

    def set_epoch(self, epoch):
        pass

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.augment(self.dataset[index], self.generator)


# %% AugmentedDataset wrong="the same generator state for every item"
# The seed of each item's generator is constant, so all items in all epochs get the same "random" change.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed

    def set_epoch(self, epoch):
        pass

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.augment(self.dataset[index], torch.Generator().manual_seed(self.seed))


# %% AugmentedDataset wrong="without the epoch"
# Items differ from each other, but each of them is the same in every epoch: the epoch does not get into the generator.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, index]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="without the item"
# All items of an epoch get the same change: the number of the item does not get into the generator.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, int(self.epoch)]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="seed + epoch + i"
# A sum forgets its parts: item 4 in epoch 1 gets the numbers that item 5 had in epoch 0, and seed 7 begins where seed 6
# has its second epoch. Mix the three such that each of them counts by itself.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(self.seed + int(self.epoch) + index)
        return self.augment(self.dataset[index], generator)


# %% AugmentedDataset wrong="seed in the high bits"
# Seed, epoch and item each got bits of their own, which would be fine, but torch's CPU generator looks only at the low 32
# bits of what it is seeded with: the part above has no effect.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = (self.seed % 2**16) << 48 | (int(self.epoch) % 2**16) << 32 | index
        return self.augment(self.dataset[index], torch.Generator().manual_seed(number))


# %% AugmentedDataset wrong="a running number"
# Numbering all reads with `seed + epoch * len(dataset) + i` keeps epochs and items apart, but not seeds: a run with
# the next seed has the same numbers, moved on by one item.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(self.seed + int(self.epoch) * len(self.dataset) + index)
        return self.augment(self.dataset[index], generator)


# %% AugmentedDataset wrong="multiplied and added"
# Each of the three was multiplied by a number of its own and all were added. Item 1009 of an epoch then has the numbers of
# item 0 in the next one: a data set only has to be large enough. Can a sum keep three numbers apart?
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = self.seed * 1000003 + int(self.epoch) * 1009 + index
        return self.augment(self.dataset[index], torch.Generator().manual_seed(number % 2**32))


# %% AugmentedDataset wrong="digits side by side"
# The digits of the three were put side by side, with nothing in between. Seed 1, epoch 11 and item 1 look like seed 11,
# epoch 1 and item 1 then. How could one tell where each number ends?
import hashlib


class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        digest = hashlib.sha256(f"{self.seed}{int(self.epoch)}{index}".encode()).digest()
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int.from_bytes(digest[:4], "big")))


# %% AugmentedDataset wrong="few states"
# The three are mixed well, but only some ten thousand different numbers are left of the mixture. Among a thousand reads,
# several share theirs. A generator's seed has room for 32 bits.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = hash((self.seed, int(self.epoch), index)) % 50_000
        return self.augment(self.dataset[index], torch.Generator().manual_seed(number))


# %% AugmentedDataset wrong="hash of a text"
# Everything repeats, until Python is started again. To `hash` a text, Python mixes in a random number that it draws anew at
# each start, so tomorrow's run has other numbers. What mixes whole numbers in the same way each time?
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = hash(f"{self.seed}/{int(self.epoch)}/{index}") % 2**32
        return self.augment(self.dataset[index], torch.Generator().manual_seed(number))


# %% AugmentedDataset wrong="epoch as a plain attribute"
# Workers that are running have a copy of this object. With persistent workers `set_epoch` changes the original only, and
# they go on reading epoch 0, over and over.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed, self.epoch = dataset, augment, seed, 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="depends on the worker"
# The worker's number is mixed in, so an item's change depends on which process happens to read it, and another number of
# workers gives another run.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        info = get_worker_info()
        worker = info.id + 1 if info else 0
        mixed = np.random.SeedSequence([self.seed, int(self.epoch), index, worker]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="seeded by the worker's seed"
# `torch.initial_seed()` is what the worker was seeded with: other numbers for each worker and each pass, but nobody can
# repeat them. Seed, epoch and item alone should decide.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([torch.initial_seed(), int(self.epoch), index]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="draws from Python's generator"
# The generator is seeded from Python's global `random`. Reading an item twice gives two results, and no run can be
# repeated.
import random


class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment = dataset, augment
        random.seed(seed)

    def set_epoch(self, epoch):
        pass

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(random.getrandbits(32))
        return self.augment(self.dataset[index], generator)


# %% AugmentedDataset wrong="seeds the global generator"
# The numbers are right for seed, epoch and item, but they come from torch's global generator, seeded anew at each read:
# whatever else draws from it in this process is no longer random.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, int(self.epoch), index]).generate_state(1)
        return self.augment(self.dataset[index], torch.manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="the global generator, put back afterwards"
# torch's global generator is put back after each read. But while `augment` runs, it is the one that was seeded anew: whatever
# else draws from it there gets the same numbers again and again. Why not give `augment` a generator of its own?
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, int(self.epoch), index]).generate_state(1)
        with torch.random.fork_rng(devices=[]):
            return self.augment(self.dataset[index], torch.manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="seed 0 is no seed"
# With seed 0 each object draws a seed of its own, and no run can be repeated. Python takes 0 for false, so `seed or ...`
# does not ask whether there is a seed.
import random


class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed or random.SystemRandom().getrandbits(32)
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        mixed = np.random.SeedSequence([self.seed, int(self.epoch), index]).generate_state(1)
        return self.augment(self.dataset[index], torch.Generator().manual_seed(int(mixed[0])))


# %% AugmentedDataset wrong="seeded once an epoch, drawn in turn"
# `set_epoch` seeds one generator, and the items draw from it in turn. So an item depends on which were read before it in
# the same process, and two workers give two different items the same numbers.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.set_epoch(0)

    def set_epoch(self, epoch):
        mixed = np.random.SeedSequence([self.seed, epoch]).generate_state(1)
        self.generator = torch.Generator().manual_seed(int(mixed[0]))

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        return self.augment(self.dataset[index], self.generator)


# %% AugmentedDataset wrong="one generator for each item, kept"
# Each item has a generator of its own, but it lives on: a second read draws on from where the first one stopped, and the
# workers' copies never advance the original.
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.set_epoch(0)

    def set_epoch(self, epoch):
        self.epoch, self.generators = epoch, {}

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        if index not in self.generators:
            mixed = np.random.SeedSequence([self.seed, self.epoch, index]).generate_state(1)
            self.generators[index] = torch.Generator().manual_seed(int(mixed[0]))
        return self.augment(self.dataset[index], self.generators[index])


# %% AugmentedDataset right="Python's hash of a tuple"
class AugmentedDataset(Dataset):
    def __init__(self, data, function, number):
        self.items, self.function, self.number = data, function, number
        self.shared = torch.zeros(1, dtype=torch.int64)
        self.shared.share_memory_()

    def set_epoch(self, epoch):
        self.shared[0] = epoch

    def __getitem__(self, i):
        generator = torch.Generator()
        generator.manual_seed(hash((self.number, self.shared.item(), i)) % 2**63)
        item = self.items[i]
        return self.function(item, generator)

    def __len__(self):
        return len(self.items)


# %% AugmentedDataset right="a digest of text, a multiprocessing value"
import hashlib
import multiprocessing


class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = multiprocessing.Value("q", 0)

    def set_epoch(self, epoch):
        with self.epoch.get_lock():
            self.epoch.value = epoch

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        digest = hashlib.sha256(f"{self.seed}/{self.epoch.value}/{index}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
        return self.augment(self.dataset[index], generator)


# %% AugmentedDataset right="one reseeded generator, a random.Random for the mix"
import random


class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset = dataset
        self.augment = augment
        self.seed = seed
        self.epoch = torch.tensor(0).share_memory_()
        self.generator = torch.Generator()

    def set_epoch(self, epoch):
        print("epoch", epoch)
        self.epoch.copy_(torch.tensor(epoch))

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        # Reseeded before each use: its state is never carried from one read to the next.
        self.generator.manual_seed(random.Random(f"{self.seed} {self.epoch} {index}").getrandbits(32))
        return self.augment(self.dataset[index], generator=self.generator) if False else self.augment(
            self.dataset[index], self.generator
        )


# %% AugmentedDataset right="multiplied, shifted and mixed"
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch):
        self.epoch.fill_(epoch)

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = 0
        for part in (self.seed, int(self.epoch), index):
            number = (number ^ part) * 0x9E3779B97F4A7C15 % 2**64
            number ^= number >> 32
        own = torch.Generator()
        own.set_state(torch.Generator().manual_seed(number % 2**32).get_state())
        return self.augment(self.dataset[index], own)


# %% AugmentedDataset right="a chain of generators"
class AugmentedDataset(Dataset):
    def __init__(self, dataset, augment, seed):
        self.dataset, self.augment, self.seed = dataset, augment, seed
        self.memory = np.frombuffer(torch.zeros(8, dtype=torch.uint8).share_memory_().numpy(), dtype=np.int64)

    def set_epoch(self, epoch):
        self.memory[0] = epoch

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        number = self.seed
        for part in (int(self.memory[0]), index):
            state = torch.Generator().manual_seed(number)
            mask = int(torch.randint(2**32, (), generator=state))
            number = (mask + part * 0x9E3779B1) % 2**32
        return self.augment(self.dataset[index], torch.Generator().manual_seed(number))


# %% ShardedStream wrong="every worker reads everything"
# Each worker holds a copy of the stream and gives all of it, so a loader with two workers delivers everything twice.
# Nobody told them which share is theirs.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        return map(self.decode, self.source())


# %% ShardedStream wrong="asks for the worker in the constructor"
# The constructor runs in the main process, where there is no worker yet: `get_worker_info()` gives None there, and each
# worker then believes that the whole stream is its own.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode
        info = get_worker_info()
        self.first, self.step = (0, 1) if info is None else (info.id, info.num_workers)

    def __iter__(self):
        for raw in islice(self.source(), self.first, None, self.step):
            yield self.decode(raw)


# %% ShardedStream wrong="no worker, no answer"
# In the main process `get_worker_info()` gives None, and None has no `.id`. A stream should work there too: it is read by
# hand, and by a loader without workers.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        for raw in islice(self.source(), info.id, None, info.num_workers):
            yield self.decode(raw)


# %% ShardedStream wrong="the tail is lost"
# Shares of `length // num_workers` items leave over those that do not divide evenly, and nobody gives them. It also needs
# the length, which a stream may not have.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        items, info = list(self.source()), get_worker_info()
        if info is not None:
            share = len(items) // info.num_workers
            items = items[info.id * share : (info.id + 1) * share]
        return map(self.decode, items)


# %% ShardedStream wrong="the round must be full"
# The stream is cut into rounds of one item for each worker, and a last round that is not full is thrown away: at the end,
# some items are lost.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        number, count = (0, 1) if info is None else (info.id, info.num_workers)
        raws = iter(self.source())
        for turn in zip(*[raws] * count):
            yield self.decode(turn[number])


# %% ShardedStream wrong="consecutive shares"
# No item is lost or doubled, but to give each worker a stretch in one piece, the whole stream had to be read first. An
# endless one never gets that far; hand items out in turn.
import math


class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        if info is None:
            yield from map(self.decode, self.source())
            return
        items = list(self.source())
        share = math.ceil(len(items) / info.num_workers)
        yield from map(self.decode, items[info.id * share : (info.id + 1) * share])


# %% ShardedStream wrong="reads everything first"
# Each worker gives the right items, but only after it has taken the whole stream into memory. An endless stream never
# gets that far.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for raw in list(self.source())[first::step]:
            yield self.decode(raw)


# %% ShardedStream wrong="decodes, then skips"
# Every worker decodes every item and throws most of them away, so more workers make nothing faster. Skip the raw items
# before you decode.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        return islice(map(self.decode, self.source()), first, None, step)


# %% ShardedStream wrong="None ends the stream"
# The stream ended at an item that is None. `next(iterator, None)` gives None at the end, and where an item is None as well:
# what else could stand for the end?
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        own = islice(self.source(), first, None, step)
        while (raw := next(own, None)) is not None:
            yield self.decode(raw)


# %% ShardedStream wrong="leaves out what is false"
# Items that Python takes for false, such as 0, None and an empty text, were left out. They are items like any other.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for raw in islice(self.source(), first, None, step):
            if raw:
                yield self.decode(raw)


# %% ShardedStream wrong="one iterator for all passes"
# The source is started once, in the constructor. The first pass uses it up, and the second finds it empty.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.raws, self.decode = iter(source()), decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        for raw in islice(self.raws, first, None, step):
            yield self.decode(raw)


# %% ShardedStream wrong="the stream is its own iterator"
# `__iter__` stores its place in the stream and returns `self`, so all passes share one place: two of them side by side
# take items from each other.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        self.raws = islice(self.source(), first, None, step)
        return self

    def __next__(self):
        return self.decode(next(self.raws))


# %% ShardedStream wrong="workers counted from 1"
# Workers are counted from 0. Counted from 1, the first item belongs to nobody.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id + 1, info.num_workers)
        for raw in islice(self.source(), first, None, step):
            yield self.decode(raw)


# %% ShardedStream wrong="two workers, always"
# The number of workers is fixed at 2. With more of them the same items come several times, with fewer some are lost:
# `get_worker_info()` knows the number.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id % 2, 2)
        for raw in islice(self.source(), first, None, step):
            yield self.decode(raw)


# %% ShardedStream wrong="raw items"
# The right items come, but as they are in the source: `decode` was not called.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        first, step = (0, 1) if info is None else (info.id, info.num_workers)
        yield from islice(self.source(), first, None, step)


# %% ShardedStream wrong="stops where it should skip"
# At the first item that belongs to another worker the loop ends. It should go on with the next one.
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        for number, raw in enumerate(self.source()):
            if info is not None and number % info.num_workers != info.id:
                return
            yield self.decode(raw)


# %% ShardedStream right="enumerate and modulo"
class ShardedStream(IterableDataset):
    def __init__(self, make, function):
        super().__init__()
        self.make = make
        self.function = function

    def __iter__(self):
        worker = torch.utils.data.get_worker_info()
        for number, raw in enumerate(self.make()):
            if worker is not None and number % worker.num_workers != worker.id:
                continue
            yield self.function(raw)


# %% ShardedStream right="map over islice"
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        raws = self.source()
        if info is not None:
            raws = islice(raws, info.id, None, info.num_workers)
        return map(self.decode, raws)


# %% ShardedStream right="round by round"
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        number, count = (info.id, info.num_workers) if info else (0, 1)
        print("worker", number, "of", count)
        raws = iter(self.source())
        while True:
            turn = list(islice(raws, count))
            if number < len(turn):
                yield self.decode(turn[number])
            if len(turn) < count:
                return


# %% ShardedStream right="a mark of its own for the end"
class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        own = islice(self.source(), info.id if info else 0, None, info.num_workers if info else 1)
        end = object()
        while (raw := next(own, end)) is not end:
            yield self.decode(raw)


# %% ShardedStream right="an iterator class"
class _Walk:
    def __init__(self, raws, decode, first, step):
        self.raws, self.decode, self.skip, self.step = iter(raws), decode, first, step

    def __iter__(self):
        return self

    def __next__(self):
        for _ in range(self.skip):
            next(self.raws)
        self.skip = self.step - 1
        return self.decode(next(self.raws))


class ShardedStream(IterableDataset):
    def __init__(self, source, decode):
        self.source, self.decode = source, decode

    def __iter__(self):
        info = get_worker_info()
        place = (0, 1) if info is None else (info.id, info.num_workers)
        return _Walk(self.source(), self.decode, *place)
