"""Hidden suite of data_loading/loaders."""

from __future__ import annotations

import builtins
import itertools
import multiprocessing
import random
from collections import Counter
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from grader.testing import assert_equal, assert_error, assert_tensor, error_of, exercise, short


class Shelf(Dataset):
    """A dataset that notes what is read from it, and by what kind of index."""

    def __init__(self, items):
        self.items = items
        self.transform = None
        self.read = []

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        self.read.append((type(index).__name__, int(index)))
        if not 0 <= index < len(self.items):
            raise IndexError(f"no item {index}")
        item = self.items[int(index)]
        return item if self.transform is None else self.transform(item)


def with_workers(dataset, count, **options):
    """A DataLoader with forked workers; without any where there is no fork, for a probe's classes cannot be sent."""
    if "fork" in multiprocessing.get_all_start_methods():
        return DataLoader(dataset, num_workers=count, multiprocessing_context="fork", **options)
    return DataLoader(dataset, **{k: v for k, v in options.items() if k != "persistent_workers"})


def seeded(seed, call):
    """What `call` returns once the global generators are seeded, and what they draw afterwards."""
    before = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        out = call()
        return out, [torch.rand(()).item(), np.random.rand(), random.random()]
    finally:
        torch.set_rng_state(before[0])
        np.random.set_state(before[1])
        random.setstate(before[2])


def assert_untouched(draws, seed, what, meanwhile=()):
    """The global generators draw what they would have drawn without `what`, at its end and `meanwhile`."""
    fresh = torch.Generator().manual_seed(seed), np.random.RandomState(seed), random.Random(seed)
    for drawn in [*meanwhile, draws]:
        expected = [torch.rand((), generator=fresh[0]).item(), fresh[1].rand(), fresh[2].random()]
        for name, draw, wanted in zip(("torch", "NumPy", "Python"), drawn, expected, strict=True):
            assert draw == wanted, (
                f"{what} changed {name}'s global random generator: whatever draws from it next gets other numbers. "
                "A generator of your own leaves it alone."
            )


@contextmanager
def python_started_again():
    """As if Python had been started again: its `hash` salts text with another random number each time."""
    plain = builtins.hash

    def salted(value):
        if isinstance(value, (str, bytes)):
            return ("another start", value)
        return tuple(map(salted, value)) if type(value) is tuple else value

    with mock.patch("builtins.hash", lambda value: plain(salted(value))):
        yield


@contextmanager
def as_worker(number, count):
    """As if this process were worker `number` of `count` (torch has no public way to say so)."""
    info = SimpleNamespace(id=number, num_workers=count, seed=number, dataset=None)
    with mock.patch("torch.utils.data._utils.worker._worker_info", info):
        yield


def labels_with(rng, sizes):
    """Shuffled labels, `sizes[k]` of the k-th class; the classes are odd numbers, one of them negative."""
    classes = [-rng.integer(2, 9), *rng.python.sample(range(3, 90, 2), len(sizes) - 1)]
    classes = rng.shuffled(classes)
    return rng.shuffled([c for c, size in zip(classes, sizes, strict=True) for _ in range(size)])


def noise(item, generator):
    """An augmentation: the item's number, then two random numbers."""
    return torch.cat([torch.tensor([float(item)]), torch.rand(2, generator=generator)])


def assert_items(rows, items):
    """The first column, which `noise` leaves alone, holds the items."""
    assert_tensor(rows[:, 0], torch.tensor(items, dtype=torch.float32), "the first number of each item, left as it is,")


def in_parts(items, size):
    return [items[start : start + size] for start in range(0, len(items), size)]


def assert_indices(epoch, count, what):
    """`epoch` holds `count` Python ints from 0 to count - 1."""
    assert len(epoch) == count, f"{what} should hold {count} indices, one for each label, but has {len(epoch)}."
    odd = next((index for index in epoch if type(index) is not int), None)
    assert odd is None, f"{what} should hold Python ints, but has {short(odd)}."
    assert all(0 <= index < count for index in epoch), f"{what} should hold indices from 0 to {count - 1}."


def assert_distinct(draws, what):
    """No two of the random numbers drawn (key: list of floats) are the same."""
    keys = {}
    for key, drawn in draws.items():
        first = keys.setdefault(tuple(drawn), key)
        assert first == key, (
            f"{what.format(first, key)} get the same random numbers, {short(drawn)}. "
            "Every seed, epoch and item should have random numbers of its own."
        )


# As many items as the largest data sets have. Seed and epoch may be larger.
ITEMS = 2**24


def pairs_to_try(number):
    """Pairs of triples that are alike if seed, epoch and i are only multiplied by something and added.

    Args:
        number: (seed, epoch, i) -> the number that its generator was seeded with.
    """
    start = number((0, 0, 0))
    steps = sorted(((number(unit) - start) % 2**32, unit) for unit in ((1, 0, 0), (0, 1, 0), (0, 0, 1)))
    (small, third), (middle, second), (big, first) = steps
    if small == 0:
        return []

    def made(times, more):
        return tuple(times * a + more * b for a, b in zip(second, third, strict=True))

    times, rest = divmod(big, middle)
    pairs = [(second, made(0, middle // small)), (first, made(0, big // small)), (first, made(times, rest // small))]
    return [pair for pair in pairs if pair[1][2] < ITEMS]


@exercise("split_with_transforms")
class TestSplitWithTransforms:
    @pytest.mark.weight(2)
    def test_every_item_is_in_exactly_one_part(self, observe, rng):
        # No product is a half, so that rounding it is clear.
        cases = [(10, 0.2), (2, 0.5), (2, 0.9), (2, 0.1), (5, 0.02), (7, 0.3), (100, 0.29), (9, 0.99), (13, 0.64)]
        cases += [(11, 0.6), (3, 0.34), (rng.integer(20, 30) * 10, 0.17 + 0.0001 * rng.integer(1, 9))]
        drawn = [rng.python.sample(range(10**6), n) for n, _ in cases]
        seed = rng.integer(0, 9999)

        def probe(m):
            seen = []
            for (_, fraction), items in zip(cases, drawn, strict=True):
                train, val = m.split_with_transforms(Shelf(items), fraction, seed)
                seen.append([[part[i] for i in range(len(part))] for part in (train, val)])
            return seen

        for (n, fraction), items, (train, val) in zip(cases, drawn, observe(probe), strict=True):
            size = min(max(int(fraction * n + 0.5), 1), n - 1)
            about = f"with {n} items and fraction {fraction:.4g}"
            both = set(train) & set(val)
            assert not both, f"{about}, {len(both)} of the items are in both parts, such as {sorted(both)[0]}."
            missing = set(items) - set(train) - set(val)
            assert not missing, f"{about}, {len(missing)} of the items are in neither part."
            assert_equal(len(val), size, f"{about}, the size of the validation part")
            assert_equal(len(train), n - size, f"{about}, the size of the training part")

    def test_each_part_has_its_own_transform(self, observe, rng):
        items = rng.python.sample(range(1, 999), 17)
        seed = rng.integer(0, 9999)

        def probe(m):
            shelf = Shelf(items)
            add, negate = (lambda x: x + 1000), (lambda x: -x)
            pairs = [
                m.split_with_transforms(shelf, 0.3, seed, add, negate),
                m.split_with_transforms(shelf, 0.3, seed, add),
                m.split_with_transforms(shelf, 0.3, seed, None, negate),
                m.split_with_transforms(shelf, 0.3, seed),
            ]
            # One item of each in turn: what was set for one must not hold for the other.
            seen = [([], []) for _ in pairs]
            for i in range(12):
                for (train, val), (from_train, from_val) in zip(pairs, seen, strict=True):
                    from_train.append(train[i])
                    if i < 5:
                        from_val.append(val[i])
            return {"parts": seen, "shelf": shelf.transform}

        seen = observe(probe)
        names = ("both transforms", "train_transform alone", "val_transform alone", "no transform")
        wanted = (lambda x: x + 1000, lambda x: -x), (lambda x: x + 1000, int), (int, lambda x: -x), (int, int)
        plain = seen.parts[3]
        assert_equal(sorted(plain[0] + plain[1]), sorted(items), "the items of both parts without transforms")
        for name, parts, transforms in zip(names, seen.parts, wanted, strict=True):
            for part, numbers, transform, originals in zip(("train", "val"), parts, transforms, plain, strict=True):
                expected = [transform(x) for x in originals]
                note = "Each part should pass its items through its own transform, and None leaves them as they are."
                assert_equal(numbers, expected, f"with {name}, the items of `{part}`", note=note)
        assert_equal(seen.shelf, None, "`dataset.transform` afterwards", note="The dataset should not be changed.")

    def test_transforms_are_called_at_each_read(self, observe, rng):
        items = rng.python.sample(range(10**6), 9)

        def probe(m):
            count = itertools.count()
            train, val = m.split_with_transforms(items, 0.4, 3, lambda x: (x, next(count)), lambda x: (x, -next(count)))
            start = next(count)
            return {"start": start, "reads": [train[2], train[2], val[1], train[2], val[1], val[0]]}

        seen = observe(probe)
        assert_equal(seen.start, 0, "the number of calls of the transforms before anything is read")
        numbers = [item[1] for item in seen.reads]
        note = "A random transform has to give something new at each read, so it is called for each."
        assert_equal(numbers, [1, 2, -3, 4, -5, -6], "which call of a transform made each item read", note=note)
        assert len({item[0] for item in seen.reads}) == 3, "`part[i]` should be the same item at each read."

    def test_a_data_loader_gets_the_same_batches(self, observe, rng):
        height, width = rng.sizes(2, 3, 6)
        pictures = rng.numpy.integers(0, 255, (11, height, width, 3)).astype(np.uint8)
        pictures[..., 0] = np.arange(11)[:, None, None]  # says which picture it is, also when flipped

        def probe(m):
            def to_tensor(picture):
                return torch.from_numpy(picture.copy()).permute(2, 0, 1).float() / 255

            parts = m.split_with_transforms(
                Shelf(list(pictures)), 0.4, 8, lambda picture: to_tensor(picture[:, ::-1]), to_tensor
            )
            return [list(DataLoader(part, batch_size=3)) for part in parts]

        seen = observe(probe)
        found = []
        for part, batches, flip, sizes in zip(("train", "val"), seen, (-1, 1), ([3, 3, 1], [3, 1]), strict=True):
            assert_equal([len(batch) for batch in batches], sizes, f"the sizes of the batches of `{part}`")
            for picture in torch.cat(batches):
                number = round(float(picture.flatten()[0]) * 255) if picture.numel() else -1
                assert 0 <= number <= 10, f"a picture of `{part}` in a batch has values that no picture here has."
                found.append(number)
                wanted = torch.tensor(pictures[number][:, ::flip].tolist(), dtype=torch.float32).permute(2, 0, 1) / 255
                assert_tensor(picture, wanted, f"a picture of `{part}` in a batch of a DataLoader")
        assert_equal(sorted(found), list(range(11)), "the numbers of the pictures in all batches")

    def test_the_seed_alone_decides(self, observe, rng):
        numbers = rng.python.sample(range(10**6), 40)
        seed = rng.integer(0, 9999)

        def probe(m):
            def held_back(items, seed, *transforms):
                _, val = m.split_with_transforms(Shelf(items), 0.3, seed, *transforms)
                return [items.index(val[i]) for i in range(len(val))]

            def validation(items, seed, globally, *transforms):
                return seeded(globally, lambda: held_back(items, seed, *transforms))[0]

            return {
                "first": validation(numbers, seed, 1),
                "again": validation(numbers, seed, 2),
                "transforms": validation(numbers, seed, 3, float, int),
                "items": validation([-number for number in numbers], seed, 4),
                "zero": [validation(numbers, 0, globally) for globally in (5, 6)],
                "seeds": [held_back(list(range(10)), s) for s in range(80)],
            }

        seen = observe(probe)
        note = "The same seed should give the same split, each time."
        assert_equal(sorted(seen.again), sorted(seen.first), "the validation part of a second split", note=note)
        note = "Length, fraction and seed alone should decide on the split."
        assert_equal(sorted(seen.transforms), sorted(seen.first), "the validation part with transforms", note=note)
        assert_equal(sorted(seen.items), sorted(seen.first), "the validation part of other items", note=note)
        first, again = map(sorted, seen.zero)
        assert_equal(again, first, "the validation part of a second split with seed 0", note="0 is a seed like others.")
        choices = {tuple(sorted(choice)) for choice in seen.seeds}
        assert len(choices) > 25, (
            f"80 seeds gave {len(choices)} different choices of 3 items in 10, of 120 that there are. "
            "Any choice should be as likely as another."
        )
        never = set(range(10)) - set(itertools.chain(*seen.seeds))
        assert not never, f"with 80 seeds, the items {sorted(never)} were never held back; any should be as likely."

    def test_global_generators_stay_untouched(self, observe, rng):
        items, start, seed = rng.python.sample(range(10**6), 12), rng.integer(0, 9999), rng.integer(0, 9999)

        def probe(m):
            def split():
                train, val = m.split_with_transforms(Shelf(items), 0.25, seed)
                return [train[i] for i in range(len(train))] + [val[i] for i in range(len(val))]

            return seeded(start, split)

        out, draws = observe(probe)
        assert_equal(sorted(out), sorted(items), "the items of both parts")
        assert_untouched(draws, start, "`split_with_transforms`")

    def test_reads_only_what_is_asked_for(self, observe, rng):
        items = rng.python.sample(range(10**6), 13)

        def probe(m):
            shelf = Shelf(items)
            train, val = m.split_with_transforms(shelf, 0.3, 5, None, str)
            before = len(shelf.read)
            values = [train[4], val[1]]
            return {"before": before, "read": list(shelf.read), "values": values}

        seen = observe(probe)
        assert_equal(seen.before, 0, "the number of items read during the split", note="They may be large files.")
        assert len(seen.read) == 2, f"after `train[4]` and `val[1]`, {len(seen.read)} items were read instead of 2."
        kinds, indices = zip(*seen.read, strict=True)
        note = "A dataset may build a file name from the index, and then a tensor is no good."
        assert_equal(list(kinds), ["int", "int"], "the types of the indices that the dataset was asked for", note=note)
        assert_equal(seen.values, [items[indices[0]], str(items[indices[1]])], "`[train[4], val[1]]`")

    def test_ends_with_an_index_error(self, observe, rng):
        items = rng.python.sample(range(10**6), 8)

        def probe(m):
            parts = m.split_with_transforms(Shelf(items), 0.4, 6, str, float)
            return [(error_of(lambda: part[len(part)]), list(itertools.islice(part, 99))) for part in parts]

        seen = observe(probe)
        for name, size, kind, (error, every) in zip(("train", "val"), (5, 3), (str, float), seen, strict=True):
            assert_error(error, IndexError, "behind the last item", f"`{name}[{size}]`")
            assert_equal([type(item) for item in every], [kind] * size, f"the types of the items of `list({name})`")

    def test_refuses_what_cannot_be_split(self, observe, rng):
        items = rng.python.sample(range(10**6), 6)

        def probe(m):
            def split(count, fraction):
                return [len(part) for part in m.split_with_transforms(Shelf(items[:count]), fraction, 7)]

            bad = [(6, 0), (6, 1), (6, -0.3), (6, 1.4), (1, 0.5), (0, 0.5)]
            good = [(6, 0.01), (6, 0.99), (2, 0.5)]
            return {
                "errors": [(count, fraction, error_of(lambda: split(count, fraction))) for count, fraction in bad],
                "good": [split(count, fraction) for count, fraction in good],
            }

        seen = observe(probe)
        for count, fraction, error in seen.errors:
            about = "with fewer than two items" if count < 2 else "for a fraction that is not between 0 and 1"
            assert_error(error, ValueError, about, f"splitting {count} items with fraction {fraction}")
        assert_equal(seen.good, [[5, 1], [1, 5], [1, 1]], "the sizes of splits that are just possible")


@exercise("BalancedSampler")
class TestBalancedSampler:
    @pytest.mark.weight(2)
    def test_all_classes_come_equally_often(self, observe, rng):
        labels, seed = labels_with(rng, [884, 245, 59, 12]), rng.integer(0, 9999)
        forms = {"a list": labels, "a tensor": torch.tensor(labels)}

        def probe(m):
            return {form: list(m.BalancedSampler(given, seed)) for form, given in forms.items()}

        for form, epoch in observe(probe).items():
            assert_indices(epoch, 1200, f"an epoch with the labels as {form}")
            for name, stretch, margin in (("an epoch", epoch, 90), ("the first half", epoch[:600], 64)):
                # Six standard deviations of independent draws.
                counts = Counter(labels[index] for index in stretch)
                for label in sorted(set(labels)):
                    expected = len(stretch) / 4
                    size = labels.count(label)
                    assert abs(counts[label] - expected) <= margin, (
                        f"in {name} of {len(stretch)} draws, class {label} ({size} of 1200 items) came {counts[label]} "
                        f"times; about {expected:.0f} were expected, as for each of the 4 classes."
                    )

    def test_items_of_a_class_are_equally_likely(self, observe, rng):
        labels, seed = labels_with(rng, [14, 4, 2]), rng.integer(0, 9999)

        def probe(m):
            sampler = m.BalancedSampler(labels, seed)
            return [list(sampler) for _ in range(300)]

        epochs = observe(probe)
        for number, epoch in enumerate(epochs):
            assert_indices(epoch, 20, f"epoch {number}")
        counts = Counter(itertools.chain(*epochs))
        for index, label in enumerate(labels):
            share = 1 / 3 / labels.count(label)
            expected, margin = 6000 * share, 7 * (6000 * share * (1 - share)) ** 0.5
            assert abs(counts[index] - expected) <= margin, (
                f"in 6000 draws, item {index} came {counts[index]} times; about {expected:.0f} were expected, for it "
                f"is one of {labels.count(label)} items in one of 3 classes."
            )
        for place in (0, 1, 19):
            at = Counter(labels[epoch[place]] for epoch in epochs)
            rarest = min(set(labels), key=lambda label: at[label])
            assert at[rarest] >= 50, (
                f"in 300 epochs, index number {place} was of class {rarest} {at[rarest]} times; about 100 were "
                "expected. At every place of an epoch each class should be equally likely."
            )

    def test_every_epoch_is_drawn_anew(self, observe, rng):
        labels, seed = labels_with(rng, [30, 9, 4]), rng.integer(0, 9999)

        def probe(m):
            sampler = m.BalancedSampler(labels, seed)
            return [list(sampler) for _ in range(4)]

        epochs = observe(probe)
        for number, epoch in enumerate(epochs):
            assert_indices(epoch, 43, f"epoch {number}")
        for first, second in itertools.combinations(range(4), 2):
            same = "the same order" if epochs[first] == epochs[second] else "another order of the same indices"
            assert sorted(epochs[first]) != sorted(epochs[second]), (
                f"epoch {second} gives {same} as epoch {first}. Each epoch should draw anew."
            )

    def test_the_seed_repeats_the_epochs(self, observe, rng):
        labels, seed = labels_with(rng, [21, 11, 5]), rng.integer(0, 9999)

        def probe(m):
            def epochs(seed, globally):
                sampler, seen = m.BalancedSampler(labels, seed), []
                for number in range(3):
                    seen.append(seeded(globally + number, lambda: list(sampler))[0])
                return seen

            zero = epochs(0, 10)[0], epochs(0, 20)[0]
            return {"first": epochs(seed, 10), "again": epochs(seed, 20), "other": epochs(seed + 1, 10), "zero": zero}

        seen = observe(probe)
        assert_indices(seen.first[0], 37, "the first epoch")
        for number in range(3):
            same = seen.first[number] == seen.again[number]
            assert same, f"epoch {number} of a second sampler with the same seed differs: no run could be repeated."
        assert seen.other[0] != seen.first[0], "another seed gives the same first epoch."
        assert seen.zero[0] == seen.zero[1], "the first epoch differs with seed 0 each time; 0 is a seed like others."

    def test_leaving_an_epoch_early_shifts_nothing(self, observe, rng):
        labels, seed = labels_with(rng, [25, 8]), rng.integer(0, 9999)

        def probe(m):
            whole, left = m.BalancedSampler(labels, seed), m.BalancedSampler(labels, seed)
            epochs = [list(whole) for _ in range(4)]
            starts = []
            for count in (1, 5, 33):
                starts.append(list(itertools.islice(iter(left), count)))
            return {"epochs": epochs, "starts": starts, "last": list(left)}

        seen = observe(probe)
        for epoch, start, count in zip(seen.epochs, seen.starts, (1, 5, 33), strict=False):
            what = f"the first {count} indices of an epoch, where earlier ones were left early,"
            assert_equal(start, epoch[:count], what)
        note = "It should not matter how much of the epochs before was used."
        assert_equal(seen.last, seen.epochs[3], "the fourth epoch after three of which parts were used", note=note)
        assert_indices(seen.last, 33, "the fourth epoch")

    def test_fits_into_a_data_loader(self, observe, rng):
        labels, seed = labels_with(rng, [18, 7, 4]), rng.integer(0, 9999)

        def probe(m):
            sampler, twin = m.BalancedSampler(labels, seed), m.BalancedSampler(torch.tensor(labels), seed)
            shelf = Shelf([torch.full((2,), float(i)) for i in range(29)])
            loader = DataLoader(shelf, batch_size=8, sampler=sampler)
            return {
                "is_sampler": isinstance(sampler, Sampler),
                "length": len(sampler),
                "batches": len(loader),
                "loaded": list(loader),
                "kinds": {kind for kind, _ in shelf.read},
                "epoch": list(twin),
            }

        seen = observe(probe)
        assert_equal(seen.length, 29, "`len(sampler)` with 29 labels")
        assert_equal(seen.batches, 4, "the number of batches of 8 that a DataLoader announces for 29 draws")
        assert_indices(seen.epoch, 29, "an epoch")
        expected = [torch.tensor([[i, i] for i in part], dtype=torch.float32) for part in in_parts(seen.epoch, 8)]
        assert_equal(seen.loaded, expected, "the batches that a DataLoader gives with this sampler")
        assert_equal(seen.kinds, {"int"}, "the types of the indices that the dataset was asked for")
        assert seen.is_sampler is True, "a BalancedSampler should be a torch.utils.data.Sampler."

    def test_global_generators_stay_untouched(self, observe, rng):
        labels, start = labels_with(rng, [16, 5]), rng.integer(0, 9999)

        def probe(m):
            def epochs():
                sampler = m.BalancedSampler(labels, 3)
                return [list(sampler), list(sampler)]

            return seeded(start, epochs)

        epochs, draws = observe(probe)
        for epoch in epochs:
            assert_indices(epoch, 21, "an epoch")
        assert_untouched(draws, start, "a `BalancedSampler`")

    def test_works_with_few_labels_and_leaves_them_alone(self, observe, rng):
        cases = [torch.tensor([-3]), torch.tensor([5, 5]), torch.tensor([10**9, 0, 0, 0, 0, 0])[::2]]

        def probe(m):
            samplers = [m.BalancedSampler(labels, 4) for labels in cases]
            return {
                "sizes": [len(sampler) for sampler in samplers],
                "seen": [sorted(set(itertools.chain(*(list(sampler) for _ in range(60))))) for sampler in samplers],
                "labels": cases,
            }

        seen = observe(probe)
        assert_equal(seen.sizes, [1, 2, 3], "the lengths for 1, 2 and 3 labels")
        assert_equal(seen.seen, [[0], [0, 1], [0, 1, 2]], "the indices that come in 60 epochs of 1, 2 and 3 labels")
        for labels, before in zip(seen.labels, cases, strict=True):
            assert_tensor(labels, before, "the labels afterwards")


@exercise("AugmentedDataset")
class TestAugmentedDataset:
    @pytest.mark.weight(2)
    def test_workers_give_what_the_main_process_gives(self, observe, rng):
        items, seed, epoch = rng.python.sample(range(1000), 7), rng.integer(0, 9999), rng.integer(2, 99)

        def probe(m):
            def fresh():
                data = m.AugmentedDataset(Shelf(items), noise, seed)
                data.set_epoch(epoch)
                return data

            data = fresh()
            return {
                "alone": torch.stack([data[i] for i in range(7)]),
                "loader": torch.cat(list(DataLoader(fresh(), batch_size=3))),
                "workers": torch.cat(list(with_workers(fresh(), 2, batch_size=2))),
            }

        seen = observe(probe)
        assert_items(seen.alone, items)
        assert_distinct(dict(enumerate(seen.alone[:, 1:].tolist())), "items {} and {} of an epoch")
        assert_tensor(seen.loader, seen.alone, "an epoch read by a DataLoader without workers")
        note = "It should be as in the main process: seed, epoch and number decide, not who reads."
        assert_tensor(seen.workers, seen.alone, "an epoch read by a DataLoader with 2 workers", note=note)

    def test_set_epoch_reaches_running_workers(self, observe, rng):
        items, seed = rng.python.sample(range(1000), 5), rng.integer(0, 9999)
        epochs = [0, rng.integer(3, 9), rng.integer(10, 99)]

        def probe(m):
            data, twin = (m.AugmentedDataset(Shelf(items), noise, seed) for _ in range(2))
            loader = with_workers(data, 2, batch_size=2, persistent_workers=True)
            seen = []
            for epoch in epochs:
                data.set_epoch(epoch)
                twin.set_epoch(epoch)
                seen.append((torch.cat(list(loader)), torch.stack([twin[i] for i in range(5)])))
            return seen

        seen = observe(probe)
        for epoch, (loaded, alone) in zip(epochs, seen, strict=True):
            assert_items(alone, items)
            note = "Persistent workers keep the dataset that they began with: how do they get to know the epoch?"
            assert_tensor(loaded, alone, f"epoch {epoch}, read by persistent workers,", note=note)
        firsts = {epoch: alone[0, 1:].tolist() for epoch, (_, alone) in zip(epochs, seen, strict=True)}
        assert_distinct(firsts, "item 0 in the epochs {} and {}")

    def test_order_and_number_of_reads_do_not_matter(self, observe, rng):
        items, seed = rng.python.sample(range(1000), 8), rng.integer(0, 9999)
        order = rng.shuffled([*range(8), *range(0, 8, 3)])

        def probe(m):
            def greedy(item, generator):
                drawn = noise(item, generator)
                torch.rand(int(item) % 5, generator=generator)
                return drawn

            data = m.AugmentedDataset(Shelf(items), noise, seed)
            first = torch.stack([data[i] for i in range(8)])
            jumping = torch.stack([data[i] for i in order])
            other = m.AugmentedDataset(Shelf(items), greedy, seed)
            again = torch.stack([other[i] for i in reversed(range(8))])
            return {"first": first, "jumping": jumping, "again": again.flip(0)}

        seen = observe(probe)
        assert_items(seen.first, items)
        note = "What was read before, and what others drew, should not matter."
        assert_tensor(seen.again, seen.first, "the items of a second object, read backwards,", note=note)
        note = "Within an epoch, an item should be the same at each read."
        assert_tensor(seen.jumping, seen.first[order], f"the items {order}, read after the others,", note=note)

    def test_every_epoch_is_another_and_can_come_back(self, observe, rng):
        items, seed = rng.python.sample(range(1000), 6), rng.integer(0, 9999)
        epochs = [None, 1, 2, 2**32 - 1, 0, 2, 1]

        def probe(m):
            data, seen = m.AugmentedDataset(Shelf(items), noise, seed), []
            for epoch in epochs:
                if epoch is not None:
                    data.set_epoch(epoch)
                seen.append(torch.stack([data[i] for i in range(6)]))
            return seen

        seen = observe(probe)
        assert_items(seen[0], items)
        for i in range(6):
            draws = {epoch or 0: seen[number][i, 1:].tolist() for number, epoch in enumerate(epochs[:4])}
            assert_distinct(draws, f"item {i} in the epochs {{}} and {{}}")
        assert_tensor(seen[4], seen[0], "epoch 0, come back to,", note="The epoch should be 0 at first.")
        assert_tensor(seen[5], seen[2], "epoch 2, come back to,")
        assert_tensor(seen[6], seen[1], "epoch 1, come back to,")

    def test_no_two_triples_share_their_numbers(self, observe, rng):
        seed = rng.integer(1, 9999)
        triples = list(itertools.product((seed, seed + 1), (0, 1, 2), (0, 1, 2)))
        triples += [(0, 0, 0), (0, 0, 1), (0, 1, 0), (2**32 - 1, 0, 0), (2**32 - 1, 2, 1)]
        triples += [(seed, 2**31, 1), (seed, 2**24, 1), (seed, 2**24 + 1, 1)]
        for far in (31, 100, 256, 1000, 10**4, 2**16, 10**5, 10**6, 2**20):
            triples += [(seed, 0, far), (seed, far, 0)]
        triples += itertools.product((1, 11), repeat=3)  # alike where digits are put side by side
        scattered = [(seed, *pair) for pair in rng.numpy.integers(0, 2**20, (1500, 2)).tolist()]

        def probe(m):
            seen = {}

            def number(triple):
                own, epoch, index = triple

                def augment(item, generator):
                    return [item, generator.initial_seed() % 2**32, *torch.rand(2, generator=generator)]

                data = m.AugmentedDataset(range(ITEMS), augment, own)
                data.set_epoch(epoch)
                item, seeded_with, *draws = data[index]
                seen[triple] = (item, [float(draw) for draw in draws])
                return seeded_with

            # What the generators were seeded with only tells where to look: what they draw is judged.
            numbers = [number(triple) for triple in triples]
            for pair in pairs_to_try(number):
                numbers += map(number, pair)
            if max(numbers) < 2**24:
                numbers += map(number, scattered)
            return list(seen.items())

        seen = observe(probe)
        for (_, _, index), (item, _) in seen:
            assert_equal(item, index, f"the item that came as number {index}")
        draws = {triple: drawn for triple, (_, drawn) in seen}
        assert_distinct(draws, "(seed, epoch, i) = {} and {}")

    def test_augment_gets_the_item_and_a_generator(self, observe, rng):
        items = [{"picture": rng.tensor((2, 3)), "name": str(i)} for i in range(4)]

        def probe(m):
            calls = []

            def augment(item, generator):
                calls.append((item["name"], type(generator).__name__, str(getattr(generator, "device", None))))
                return item["name"], (item["picture"] * 2, None)

            shelf = Shelf(items)
            data = m.AugmentedDataset(shelf, augment, 5)
            before, length = len(calls) + len(shelf.read), len(data)
            return {"before": before, "length": length, "out": [data[i] for i in (2, 0, 2)], "calls": calls}

        seen = observe(probe)
        assert_equal(seen.before, 0, "the number of items read before any is asked for")
        assert_equal(seen.length, 4, "`len(data)` with 4 items")
        expected = [(str(i), (items[i]["picture"] * 2, None)) for i in (2, 0, 2)]
        assert_equal(seen.out, expected, "what came for the items 2, 0 and 2, which is what `augment` returned,")
        calls = [(str(i), "Generator", "cpu") for i in (2, 0, 2)]
        assert_equal(seen.calls, calls, "the calls of `augment`: which item, type and device of the generator,")

    def test_global_generators_play_no_part(self, observe, rng):
        items, start = rng.python.sample(range(1000), 5), rng.integer(0, 9999)

        def probe(m):
            def read():
                meanwhile = []

                def augment(item, generator):
                    drawn = noise(item, generator)
                    meanwhile.append([torch.rand(()).item(), np.random.rand(), random.random()])
                    return drawn

                data = m.AugmentedDataset(Shelf(items), augment, 0)  # 0 is a seed like others
                data.set_epoch(1)
                return torch.stack([data[i] for i in range(5)]), meanwhile

            return seeded(start, read), seeded(start + 1, read)[0][0]

        ((first, meanwhile), draws), second = observe(probe)
        assert_items(first, items)
        assert_tensor(second, first, "the epoch after torch.manual_seed with another number")
        assert_untouched(draws, start, "reading from an `AugmentedDataset`", meanwhile)

    def test_a_new_start_of_python_changes_nothing(self, observe, rng):
        items, seed, epoch = rng.python.sample(range(1000), 5), rng.integer(0, 9999), rng.integer(2, 99)

        def probe(m):
            def read():
                data = m.AugmentedDataset(Shelf(items), noise, seed)
                data.set_epoch(epoch)
                return torch.stack([data[i] for i in range(5)])

            first = read()
            with python_started_again():
                return first, read()

        first, again = observe(probe)
        assert_items(first, items)
        note = "Tomorrow's run should repeat today's, and `hash` gives a text another number each time Python starts."
        assert_tensor(again, first, "the epoch, read as after a new start of Python,", note=note)


@exercise("ShardedStream")
class TestShardedStream:
    def test_the_main_process_gets_everything_in_order(self, observe, rng):
        size = rng.integer(5, 9)
        rows = rng.array((size, 3), np.float64).round(3)
        lines = [" ".join(map(str, row)) for row in rows.tolist()]

        def probe(m):
            stream = m.ShardedStream(lambda: lines, lambda line: torch.tensor([float(word) for word in line.split()]))
            return {"alone": list(stream), "batches": list(DataLoader(stream, batch_size=4))}

        seen = observe(probe)
        expected = torch.tensor(rows.tolist(), dtype=torch.float32)
        assert_equal(seen.alone, list(expected), "`list(stream)` in the main process")
        batches = [expected[start : start + 4] for start in range(0, size, 4)]
        assert_equal(seen.batches, batches, "the batches of 4 of a DataLoader without workers")

    @pytest.mark.weight(2)
    def test_each_item_belongs_to_one_worker(self, observe, rng):
        cases = [(7, 2), (6, 3), (8, 3), (1, 4), (0, 2), (3, 5), (5, 1), (rng.integer(20, 40), rng.integer(6, 9))]
        drawn = [rng.python.sample(range(10**6), size) for size, _ in cases]

        def probe(m):
            seen = []
            for (_, count), items in zip(cases, drawn, strict=True):
                stream = m.ShardedStream(lambda: iter(items), str)  # made in the main process, as always
                shares = []
                for number in range(count):
                    with as_worker(number, count):
                        shares.append(list(stream))
                seen.append(shares)
            return seen

        for (size, count), items, shares in zip(cases, drawn, observe(probe), strict=True):
            about = f"of {size} items, with {count} worker{'s' * (count > 1)},"
            names = [str(item) for item in items]
            given = Counter(itertools.chain(*shares))
            twice = [name for name in names if given[name] > 1]
            assert not twice, f"{about} {len(twice)} are given more than once."
            lost = [name for name in names if not given[name]]
            assert not lost, f"{about} {len(lost)} are given by no worker; the first is number {names.index(lost[0])}."
            for number, share in enumerate(shares):
                numbers = [names.index(name) if name in names else name for name in share]
                assert_equal(
                    numbers, list(range(size))[number::count], f"{about} the numbers that worker {number} gives"
                )

    def test_none_and_zero_are_items_like_others(self, observe, rng):
        items = [None, *rng.shuffled([0, None, "", False, rng.integer(2, 99), [], None]), rng.integer(2, 99)]
        workers = [None, (0, 2), (1, 2)]

        def probe(m):
            stream, seen = m.ShardedStream(lambda: iter(items), lambda raw: raw), []
            for worker in workers:
                with as_worker(*worker) if worker else nullcontext():
                    seen.append(list(stream))
            return seen

        for worker, given in zip(workers, observe(probe), strict=True):
            number, count = worker or (0, 1)
            who = f"worker {number} of {count}" if worker else "the main process"
            note = "None is an item like any other, and not the end of the stream."
            assert_equal(given, items[number::count], f"what {who} gives of {items}", note=note)

    def test_real_workers_give_each_item_once(self, observe, rng):
        items = rng.python.sample(range(10**6), 7)

        def probe(m):
            stream = m.ShardedStream(lambda: iter(items), lambda raw: torch.tensor(float(raw)))
            loader = with_workers(stream, 2, batch_size=2, persistent_workers=True)
            return [[batch.tolist() for batch in loader] for _ in range(2)]

        expected = sorted(map(float, items))
        for name, batches in zip(("first", "second"), observe(probe), strict=True):
            what = f"the items of the {name} pass of a DataLoader with 2 workers, sorted,"
            assert_equal(sorted(itertools.chain(*batches)), expected, what)

    def test_more_workers_than_items(self, observe, rng):
        lone, two = rng.integer(1, 999), rng.python.sample(range(10**6), 2)

        def probe(m):
            stream = m.ShardedStream(lambda: [lone], lambda raw: torch.tensor(float(raw)))
            both, shares = m.ShardedStream(lambda: two, int), []
            for number in range(5):
                with as_worker(number, 5):
                    shares.append(list(both))
            return {"loaded": list(with_workers(stream, 2, batch_size=3)), "shares": shares}

        seen = observe(probe)
        assert_equal(seen.loaded, [torch.tensor([float(lone)])], "the batches of one item and two workers")
        assert_equal(seen.shares, [[two[0]], [two[1]], [], [], []], "what each of five workers gives of two items")

    def test_a_stream_can_be_read_again(self, observe, rng):
        items = rng.python.sample(range(10**6), 5)

        def probe(m):
            starts = []

            def source():
                starts.append(1)
                return iter(items)

            stream = m.ShardedStream(source, float)
            passes = [list(stream), list(itertools.islice(stream, 2)), list(stream)]
            count = len(starts)
            with as_worker(1, 2):
                passes.append(list(stream))
            return {"passes": passes, "starts": count, "together": list(zip(stream, stream))}  # noqa: B905

        seen = observe(probe)
        numbers = [float(item) for item in items]
        assert_equal(seen.passes[0], numbers, "the first pass")
        assert_equal(seen.passes[1], numbers[:2], "the second pass, left after two items,")
        assert_equal(seen.passes[2], numbers, "the third pass")
        assert_equal(seen.passes[3], numbers[1::2], "a pass in worker 1 of 2, once the main process has read,")
        assert_equal(seen.starts, 3, "the number of calls of `source` in three passes")
        note = "Each iterator should have a place of its own in the stream."
        assert_equal(seen.together, [(x, x) for x in numbers], "two passes side by side", note=note)

    def test_an_endless_stream_is_read_as_needed(self, observe, rng):
        offset = rng.integer(1, 999)
        workers = [None, (0, 2), (2, 3), (1, 4)]

        def probe(m):
            seen = []
            for worker in workers:
                taken = []

                def source():
                    for number in range(3000):  # endless enough: nobody needs as many
                        taken.append(number)
                        yield number + offset

                with as_worker(*worker) if worker else nullcontext():
                    iterator = iter(m.ShardedStream(source, lambda raw: -raw))
                    seen.append([(next(iterator), len(taken)) for _ in range(4)])
            return seen

        for worker, steps in zip(workers, observe(probe), strict=True):
            number, count = worker or (0, 1)
            who = f"worker {number} of {count}" if worker else "the main process"
            for turn, (item, taken) in enumerate(steps):
                at = number + turn * count
                assert_equal(item, -(at + offset), f"item number {turn} that {who} gives")
                assert taken <= at + count, (
                    f"when {who} gives item number {at} of the source, {taken} items were taken from it already. "
                    "A stream may be endless: take no more than is needed."
                )

    def test_decodes_only_its_own_items(self, observe, rng):
        items = rng.python.sample(range(10**6), 11)
        workers = [None, (0, 2), (1, 3), (4, 5)]

        def probe(m):
            seen = []
            for worker in workers:
                decoded = []

                def decode(raw):
                    decoded.append(raw)
                    return [raw, len(decoded)]

                stream = m.ShardedStream(lambda: iter(items), decode)
                with as_worker(*worker) if worker else nullcontext():
                    seen.append((list(stream), decoded))
            return seen

        for worker, (given, decoded) in zip(workers, observe(probe), strict=True):
            number, count = worker or (0, 1)
            own = items[number::count]
            who = f"worker {number} of {count}" if worker else "the main process"
            note = "Each worker should spend its time on its own items only, once for each."
            assert_equal(decoded, own, f"what `decode` was called with in {who}", note=note)
            assert_equal(given, [[raw, turn] for turn, raw in enumerate(own, start=1)], f"what {who} gives")
