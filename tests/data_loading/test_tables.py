"""Hidden suite of data_loading/tables."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch

from grader.testing import (
    assert_equal,
    assert_error,
    assert_tensor,
    error_of,
    exercise,
    folder_of,
    short,
)

MEASUREMENTS = [
    "pH",
    "total phenols",
    "od280/od315",
    "sugar_g",
    "Density",
    "ash-2",
    "Iron",
    "colour (blue)",
    "K",
    "mass ",
    "Säure",
    "λ max",
]


def measured(rng, rows, features, classes, end="\n"):
    """A table like wine.csv as text, and what is in it: numbers (as Python reads them), classes, names."""
    names = rng.shuffled(MEASUREMENTS)[:features]
    cells = [[f"{rng.uniform(-9, 9):.3f}" for _ in names] for _ in range(rows)]
    for row in cells:
        row[0] = str(rng.integer(200, 2000))
    kinds = [rng.choice(classes) for _ in range(rows)]
    kinds[: len(classes)] = rng.shuffled(classes)[:rows]
    lines = [";".join([*names, "kind"])]
    lines += [";".join([*row, str(kind)]) for row, kind in zip(cells, kinds, strict=True)]
    text = "\n".join(lines) + end
    return text.encode(), [[float(cell) for cell in row] for row in cells], kinds, names


def reading(tables, as_text=False):
    """A probe that reads each of `tables` (bytes) from a file of its own and brings back what came."""

    def probe(m):
        files = {f"table {number}.csv": table for number, table in enumerate(tables)}
        with folder_of(files) as folder:
            return [m.read_wine(str(folder / name) if as_text else folder / name) for name in files]

    return probe


def judge_table(out, table, what, part=None):
    """`out`, from read_wine, is what `measured` put into `table`; `part` judges one of x, y, names alone."""
    _, numbers, kinds, names = table
    triple = isinstance(out, (tuple, list)) and len(out) == 3
    assert triple, f"`read_wine` of {what} should return three things, x, y and names, but it returned {short(out)}."
    if part in (None, "x"):
        assert_tensor(out[0], torch.tensor(numbers, dtype=torch.float32), f"x of {what}")
    if part in (None, "y"):
        assert_tensor(out[1], torch.tensor(kinds, dtype=torch.int64), f"y of {what}")
    if part in (None, "names"):
        assert_equal(out[2], names, f"the names of {what}")


@exercise("read_wine")
class TestReadWine:
    @pytest.mark.weight(2)
    def test_the_measurements_are_a_float32_matrix(self, observe, rng):
        rows, features = rng.sizes(2, 3, 9)
        table = measured(rng, rows, features, [0, 1, 2])
        out = observe(reading([table[0]]))[0]
        judge_table(out, table, f"a table of {rows} rows and {features} measurements", "x")

    def test_the_classes_are_an_int64_vector(self, observe, rng):
        rows, features = rng.sizes(2, 4, 9)
        table = measured(rng, rows, features, rng.shuffled([0, 1, 2, 7]))
        out = observe(reading([table[0]]))[0]
        judge_table(out, table, f"a table of {rows} rows and {features} measurements", "y")

    def test_the_names_are_those_of_the_measurements(self, observe, rng):
        tables = [measured(rng, 3, len(MEASUREMENTS), [1, 2]), measured(rng, 4, 2, [1, 2])]
        for out, table in zip(observe(reading([table[0] for table in tables])), tables, strict=True):
            judge_table(out, table, f"a table of {len(table[3])} measurements", "names")

    def test_large_class_numbers_stay_exact(self, observe, rng):
        classes = [2 * rng.integer(2**24, 2**27) + 1, 999_999_999, 2**24 + 1, -3]
        table = measured(rng, 6, 2, classes)
        judge_table(observe(reading([table[0]]))[0], table, "a table with classes up to nine digits", "y")

    def test_one_row_or_one_measurement(self, observe, rng):
        tables = [measured(rng, 1, 4, [5]), measured(rng, 5, 1, [5, 3]), measured(rng, 1, 1, [4])]
        shapes = ("one row", "one measurement", "one row and one measurement")
        for out, table, shape in zip(observe(reading([table[0] for table in tables])), tables, shapes, strict=True):
            judge_table(out, table, f"a table of {shape}")

    def test_the_last_line_may_end_with_the_file(self, observe, rng):
        tables = [measured(rng, 4, 3, [1, 2], end=""), measured(rng, 1, 2, [3], end="")]
        for out, table in zip(observe(reading([table[0] for table in tables])), tables, strict=True):
            judge_table(out, table, f"a table of {len(table[1])} rows, without a newline after the last,")

    def test_equal_lines_are_samples_of_their_own(self, observe, rng):
        text, numbers, kinds, names = measured(rng, 4, 3, [1, 0])
        lines = text.splitlines(keepends=True)
        table = b"".join([*lines, lines[2]]), [*numbers, numbers[1]], [*kinds, kinds[1]], names
        judge_table(observe(reading([table[0]]))[0], table, "a table in which the second line comes once more")

    def test_a_path_may_be_text(self, observe, rng):
        tables = [measured(rng, 3, 5, [1, 0]), measured(rng, 7, 3, [1, 0])]
        for out, table in zip(observe(reading([table[0] for table in tables], as_text=True)), tables, strict=True):
            judge_table(out, table, f"a table of {len(table[1])} rows, its path as a str,")


def hot(classes, count):
    """One-hot rows, written in Python."""
    rows = [[1.0 if column == one else 0.0 for column in range(count)] for one in classes]
    return torch.tensor(rows, dtype=torch.float32).reshape(len(classes), count)


@exercise("one_hot")
class TestOneHot:
    @pytest.mark.weight(2)
    def test_each_row_has_a_single_one(self, observe, rng):
        count, rows = rng.sizes(2, 3, 9)
        classes = [0, count - 1, *(rng.integer(0, count - 1) for _ in range(rows))]
        y = torch.tensor(rng.shuffled(classes))
        out = observe(lambda m: m.one_hot(y, count))
        assert_tensor(out, hot(y.tolist(), count), f"`one_hot({y.tolist()}, {count})`", rtol=0, atol=0)

    def test_classes_that_do_not_occur_have_columns(self, observe, rng):
        count = rng.integer(6, 9)
        # Two of the same size: the second result must not overwrite the first.
        batches = [torch.tensor([1, 2, 1]), torch.tensor([rng.integer(1, 3)] * 4), torch.tensor([count - 2, 0, 3])]
        for y, out in zip(batches, observe(lambda m: [m.one_hot(one, count) for one in batches]), strict=True):
            assert_tensor(out, hot(y.tolist(), count), f"`one_hot({y.tolist()}, {count})`", rtol=0, atol=0)

    def test_hundreds_of_classes(self, observe, rng):
        y = torch.tensor(rng.shuffled([0, 255, 256, 299, rng.integer(257, 298)]))
        out = observe(lambda m: m.one_hot(y, 300))
        assert_tensor(out, hot(y.tolist(), 300), f"`one_hot({y.tolist()}, 300)`", rtol=0, atol=0)

    def test_batches_of_any_size(self, observe, rng):
        count = rng.integer(3, 6)
        square = torch.tensor(rng.shuffled(range(count)))
        batches = [torch.tensor([count - 1]), square, torch.empty(0, dtype=torch.int64), torch.tensor([0, 0])]
        for y, out in zip(batches, observe(lambda m: [m.one_hot(one, count) for one in batches]), strict=True):
            assert_tensor(out, hot(y.tolist(), count), f"`one_hot({y.tolist()}, {count})`", rtol=0, atol=0)
        alone = observe(lambda m: m.one_hot(torch.zeros(3, dtype=torch.int64), 1))
        assert_tensor(alone, hot([0, 0, 0], 1), "`one_hot([0, 0, 0], 1)`", rtol=0, atol=0)

    def test_any_strides_and_the_classes_stay(self, observe, rng):
        y = rng.strided((7,), torch.int64, 0, 5)
        wide = torch.tensor([3]).expand(4)

        def probe(m):
            return {"out": m.one_hot(y, 5), "wide": m.one_hot(wide, 5), "y": y, "after": wide}

        seen = observe(probe)
        assert_tensor(seen.out, hot(y.tolist(), 5), f"`one_hot({y.tolist()}, 5)`, y not contiguous,", rtol=0, atol=0)
        assert_tensor(seen.wide, hot([3] * 4, 5), "`one_hot` of an expanded tensor", rtol=0, atol=0)
        assert_tensor(seen.y, y, "y afterwards", note="The caller still needs it as it was.")
        assert_tensor(seen.after, wide, "an expanded y afterwards")

    def test_refuses_classes_out_of_range(self, observe, rng):
        count = rng.integer(3, 6)
        bad = {f"class {one} of {count}": torch.tensor([0, one, 1]) for one in (-1, count, count + 3, -count)}
        good = torch.tensor([count - 1, 0])

        def probe(m):
            errors = {about: error_of(lambda: m.one_hot(y, count)) for about, y in bad.items()}
            return {"errors": errors, "good": m.one_hot(good, count)}

        seen = observe(probe)
        for about, error in seen.errors.items():
            assert_error(error, RuntimeError, f"for {about}", "`one_hot`")
        assert_tensor(seen.good, hot(good.tolist(), count), "`one_hot` of the last class and of 0", rtol=0, atol=0)


def standardised(x, train):
    """What is to come out, by NumPy in float64; columns of `train` that never change are divided by 1."""
    x, train = x.double().numpy(), train.double().numpy()
    deviation = np.sqrt(((train - train.mean(0)) ** 2).mean(0))
    deviation[(train == train[:1]).all(0)] = 1.0
    return torch.from_numpy((x - train.mean(0)) / deviation).to(torch.float32)


def columns(rng, rows, features, dtype=torch.float32):
    """Random columns, each with a mean and a spread of its own."""
    x = rng.tensor((rows, features), torch.float64) * torch.linspace(0.5, 30.0, features, dtype=torch.float64)
    return (x + torch.linspace(-40.0, 70.0, features, dtype=torch.float64)).to(dtype)


@exercise("Standardizer")
class TestStandardizer:
    def test_each_column_of_the_training_data_is_standardised(self, observe, rng):
        rows, features = rng.sizes(2, 3, 8)
        tables = [columns(rng, rows, features), columns(rng, 5, 5), columns(rng, 2, 3), columns(rng, 6, 1)]
        for x, out in zip(
            tables, observe(lambda m: [m.Standardizer().fit(one).transform(one) for one in tables]), strict=True
        ):
            what = f"training data of shape {tuple(x.shape)}, fitted and transformed,"
            assert_tensor(out, standardised(x, x), what, rtol=1e-4, atol=1e-4)

    @pytest.mark.weight(2)
    def test_other_data_gets_the_mean_and_deviation_of_the_training_data(self, observe, rng):
        features = rng.integer(3, 6)
        train = columns(rng, 7, features)
        others = [
            columns(rng, 4, features) * 2 + 9,
            columns(rng, 1, features),
            train[:0],
            columns(rng, 7, features) - 5,
        ]

        def probe(m):
            scaler = m.Standardizer()
            scaler.fit(train)
            return {"others": [scaler.transform(x) for x in others], "train": scaler.transform(train)}

        seen = observe(probe)
        for x, out in zip(others, seen.others, strict=True):
            what = f"`transform` of {len(x)} new rows"
            assert_tensor(out, standardised(x, train), what, rtol=1e-4, atol=1e-4)
        what = "`transform` of the training data, after that of other data,"
        assert_tensor(seen.train, standardised(train, train), what, rtol=1e-4, atol=1e-4)

    def test_a_column_that_never_changes_is_divided_by_one(self, observe, rng):
        train = columns(rng, 5, 4)
        at, value = rng.integer(0, 3), float(rng.integer(3, 9))
        train[:, at] = value
        other = columns(rng, 3, 4)
        other[:, at] = torch.tensor([value + 2.5, value, value - 7.0])

        def probe(m):
            scaler = m.Standardizer().fit(train)
            return {"train": scaler.transform(train), "other": scaler.transform(other)}

        seen = observe(probe)
        note = f"Column {at} was {value} throughout the training data."
        for name, x, out in (("the training data", train, seen.train), ("other data", other, seen.other)):
            assert_tensor(out, standardised(x, train), f"`transform` of {name}", rtol=1e-4, atol=1e-4, note=note)

    def test_a_single_training_row(self, observe, rng):
        train = rng.tensor((1, 3), torch.float32, 2, 9)
        other = rng.tensor((4, 3), torch.float32, 2, 9)
        out = observe(lambda m: m.Standardizer().fit(train).transform(other))
        what = "`transform`, fitted on a single row,"
        assert_tensor(out, other - train, what, rtol=1e-4, atol=1e-4, note="With deviation 0, the divisor is 1.")

    def test_small_deviations_count(self, observe, rng):
        small = torch.tensor([1.0, 1e-4, 1e-7, 1e3], dtype=torch.float64)[rng.shuffled(range(4))]
        train, other = ((rng.tensor((n, 4), torch.float64, 0.1, 1) * small).float() for n in (6, 3))
        out = observe(lambda m: m.Standardizer().fit(train).transform(other))
        what = f"`transform`, with columns as small as {train.abs().amax(0).min():.0e},"
        assert_tensor(out, standardised(other, train), what, rtol=1e-3, atol=1e-3)

    def test_integers_and_large_numbers_come_out_as_float32(self, observe, rng):
        seconds = 1_700_000_000 + rng.tensor((8, 2), torch.int64, 0, 90)
        seconds[:2] = torch.tensor([[1_700_000_000], [1_700_000_095]])
        real = seconds.double() + rng.tensor((8, 2), torch.float64, 0, 1)
        few = torch.tensor(rng.shuffled(range(2, 8)), dtype=torch.int32).reshape(3, 2)
        pairs = [(seconds, seconds[:3]), (real, real[2:]), (seconds, real), (few, few[:2]), (few, few.double() + 0.5)]
        outs = observe(lambda m: [m.Standardizer().fit(train).transform(x) for train, x in pairs])
        for (train, x), out in zip(pairs, outs, strict=True):
            what = f"`transform` of {x.dtype} numbers around {x.max().item():.10g}, fitted on {train.dtype},"
            assert_tensor(out, standardised(x, train), what, rtol=1e-4, atol=1e-4)

    def test_fitting_again_forgets_and_touches_no_other(self, observe, rng):
        first, second, third = columns(rng, 6, 3), columns(rng, 4, 3) * 3 + 8, columns(rng, 5, 3) - 20
        x = columns(rng, 4, 3)

        def probe(m):
            one, two = m.Standardizer().fit(first), m.Standardizer().fit(third)
            before = one.transform(x)
            same = one.fit(second) is one
            return {"before": before, "same": same, "again": one.transform(x), "two": two.transform(x)}

        seen = observe(probe)
        cases = (("before", first, "the first fit"), ("again", second, "a second fit"), ("two", third, "the other one"))
        for name, train, about in cases:
            what = f"of two Standardizers, what `transform` gives for {about},"
            assert_tensor(getattr(seen, name), standardised(x, train), what, rtol=1e-4, atol=1e-4)
        assert_equal(seen.same, True, "whether `fit` returns its own object")

    def test_inputs_stay_and_later_changes_have_no_effect(self, observe, rng):
        train, x = rng.strided((5, 3), torch.float64, -5, 5), rng.strided((4, 3), torch.float64, -5, 5)

        def probe(m):
            mine, double, single = train.clone(), x.clone(), x.float()
            scaler = m.Standardizer().fit(mine)
            fitted = mine.clone()
            mine.mul_(3).add_(50)
            outs = [scaler.transform(double), scaler.transform(single)]
            strided = m.Standardizer().fit(train).transform(x)
            return {"fitted": fitted, "outs": outs, "double": double, "single": single, "strided": strided}

        seen = observe(probe)
        assert_tensor(seen.fitted, train, "the training data after `fit`", rtol=0, atol=0)
        assert_tensor(seen.double, x, "float64 data after `transform`", rtol=0, atol=0)
        assert_tensor(seen.single, x.float(), "float32 data after `transform`", rtol=0, atol=0)
        expected = standardised(x, train)
        for out in seen.outs:
            what, note = (
                "`transform`, once the training data has been overwritten,",
                "`fit` should take numbers, not keep x.",
            )
            assert_tensor(out, expected, what, rtol=1e-4, atol=1e-4, note=note)
        assert_tensor(seen.strided, expected, "`transform` of data that is not contiguous", rtol=1e-4, atol=1e-4)

    @pytest.mark.weight(2)
    def test_the_split_is_standardised_by_its_training_part(self, observe, rng):
        train, validation = columns(rng, 7, 3), columns(rng, 4, 3) * 2 + 30
        whole = columns(rng, 4, 2, torch.float64).round().to(torch.int64)
        splits = [(train, validation), (train, validation[:1]), (train, validation[:0]), (whole, whole[1:] + 9)]
        outs = observe(lambda m: [m.standardize_split(*split) for split in splits])
        for out, (train, validation) in zip(outs, splits, strict=True):
            pair = isinstance(out, (tuple, list)) and len(out) == 2
            assert pair, f"`standardize_split` should return two tensors, but it returned {short(out)}."
            about = f"with {len(train)} and {len(validation)} rows"
            what = f"the training data that `standardize_split` returns, {about},"
            assert_tensor(out[0], standardised(train, train), what, rtol=1e-4, atol=1e-4)
            what = f"the validation data that `standardize_split` returns, {about},"
            note = "Only the training data may say what mean and deviation are."
            assert_tensor(out[1], standardised(validation, train), what, rtol=1e-4, atol=1e-4, note=note)


WORDS = ["amber", "Birch", "cedar", "date palm", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "kapok", "larch"]


def table_text(rows):
    """Rows (dicts of one set of keys) as the text of a CSV file; None is an empty field."""
    lines = [",".join(rows[0])]
    lines += [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
    return "\n".join(lines) + "\n"


def frame_of(rows, keep=None):
    """Read `rows` as pandas reads a file; then only those at the places `keep`, in that order. For probes."""
    import pandas

    frame = pandas.read_csv(io.StringIO(table_text(rows)))
    return frame if keep is None else frame.iloc[keep]


def encoded(rows, spec):
    """What `encode_columns` should return, in plain Python."""
    lines = []
    for row in rows:
        line = []
        for name, kind in spec.items():
            if kind == "interval":
                line.append(row[name])
            elif isinstance(kind, list):
                line.append(kind.index(row[name]))
            else:
                line += [float(row[name] == category) for category in sorted(kind)]
        lines.append(line)
    width = sum(len(kind) if isinstance(kind, set) else 1 for kind in spec.values())
    return torch.tensor(lines, dtype=torch.float32).reshape(len(rows), width)


def drawn_rows(rng, count):
    """Rows of a mixed table with everything in its place: `height`, `size`, `stock`, `tree`, `depot`, `note`."""
    return [
        {
            "note": rng.choice([None, "x", "y"]),
            "tree": rng.choice(WORDS[:5]),
            "height": round(rng.uniform(-9, 9), 2),
            "size": rng.choice(["small", "medium", "large", "huge"]),
            "stock": rng.integer(-50, 50),
            "depot": rng.choice([30, 4, 100]),
            "gap": rng.choice([None, 1.5]),
        }
        for _ in range(count)
    ]


KINDS = {
    "height": "interval",
    "size": ["small", "medium", "large", "huge"],
    "stock": "interval",
    "tree": set(WORDS[:5]),
    "depot": {30, 4, 100},
}


def drawn_spec(rng):
    """All of KINDS, in a random order that is not that of the columns in `drawn_rows`."""
    names = rng.shuffled(KINDS)
    if names.index("tree") < names.index("size"):
        names.reverse()
    return {name: KINDS[name] for name in names}


@exercise("encode_columns")
class TestEncodeColumns:
    def test_interval_columns_go_in_directly(self, observe, rng):
        rows = drawn_rows(rng, 6)
        spec = dict.fromkeys(("stock", "height", "depot"), "interval")
        out = observe(lambda m: m.encode_columns(frame_of(rows), spec))
        assert_tensor(out, encoded(rows, spec), "three interval columns")

    @pytest.mark.weight(2)
    def test_ordinal_columns_become_ranks_in_the_order_of_the_list(self, observe, rng):
        levels = ["small", "medium", "large", "huge"]
        numbers = [40, 7, 100, 9, 2]
        sizes, grades = rng.shuffled([*levels[1:], *levels[1:]]), rng.shuffled([7, 9, 100, 2, 2, 7])
        rows = [{"size": size, "grade": grade} for size, grade in zip(sizes, grades, strict=True)]
        spec = {"size": levels, "grade": numbers}
        turned = {"grade": numbers[::-1], "size": [levels[2], levels[0], levels[3], levels[1]]}
        outs = observe(lambda m: [m.encode_columns(frame_of(rows), one) for one in (spec, turned)])
        for out, one in zip(outs, (spec, turned), strict=True):
            assert_tensor(out, encoded(rows, one), f"the ranks in the levels {list(one.values())}")

    @pytest.mark.weight(2)
    def test_categories_have_a_column_each_in_sorted_order(self, observe, rng):
        trees = rng.shuffled(WORDS)[:9]
        depots = [30, 4, 100, 7]
        spec = {"depot": set(depots), "tree": set(trees)}
        # Two of the trees and one depot do not occur.
        rows = [{"tree": tree, "depot": rng.choice(depots[:3])} for tree in rng.shuffled(trees[:7])]
        out = observe(lambda m: m.encode_columns(frame_of(rows), spec))
        note = f"Sorted, the categories are {sorted(depots)} and {sorted(trees)}."
        assert_tensor(out, encoded(rows, spec), "two categorical columns", note=note)

    def test_a_mixed_table_in_the_order_of_the_spec(self, observe, rng):
        rows, spec = drawn_rows(rng, 8), drawn_spec(rng)
        rows[2]["note"] = rows[5]["gap"] = None
        rows[3]["note"] = "kept"
        out = observe(lambda m: m.encode_columns(frame_of(rows), spec))
        note = "The columns `note` and `gap` are not in the spec."
        assert_tensor(out, encoded(rows, spec), f"a table with the spec for {list(spec)}", note=note)

    def test_unknown_and_missing_categories_are_zeros(self, observe, rng):
        rows = drawn_rows(rng, 7)
        rows[1]["tree"], rows[4]["tree"], rows[5]["tree"] = "zelkova", None, "Amber"
        rows[2]["depot"], rows[3]["depot"], rows[6]["depot"] = 5, 31, None
        rows[0]["depot"], rows[5]["depot"] = 30, 4
        spec = {"height": "interval", "tree": KINDS["tree"], "depot": KINDS["depot"]}
        out = observe(lambda m: m.encode_columns(frame_of(rows), spec))
        note = "A category that is missing or not in the set is a row of zeros, and nothing else changes."
        assert_tensor(out, encoded(rows, spec), "a table with unknown categories", note=note)

    def test_missing_numbers_and_unknown_levels_are_refused(self, observe, rng):
        rows, at = drawn_rows(rng, 5), rng.integer(0, 4)
        rows[0]["size"] = rows[1]["size"] = "medium"
        cases = {
            "a missing number": ("height", None),
            "a missing whole number": ("stock", None),
            "a missing level": ("size", None),
            "a level not in the list": ("size", "Medium"),
        }
        broken = {about: [dict(row) for row in rows] for about in cases}
        for about, (name, value) in cases.items():
            broken[about][at][name] = value

        def probe(m):
            errors = {about: error_of(lambda: m.encode_columns(frame_of(broken[about]), KINDS)) for about in cases}
            return {"errors": errors, "good": m.encode_columns(frame_of(rows), KINDS)}

        seen = observe(probe)
        assert_tensor(seen.good, encoded(rows, KINDS), "the table before anything went missing")
        for about, error in seen.errors.items():
            name = cases[about][0]
            assert_error(error, ValueError, f"for {about} in `{name}`", "`encode_columns`", match=name)

    def test_row_labels_do_not_matter_and_the_frame_stays(self, observe, rng):
        rows, spec = drawn_rows(rng, 9), drawn_spec(rng)
        keep = rng.shuffled(range(9))[:6]
        if keep == sorted(keep) or 0 in keep[:1]:
            keep = [8, 3, 1, 5, 0, 4]

        def probe(m):
            frame = frame_of(rows, keep)
            before, kinds = frame.copy(deep=True), {k: v if isinstance(v, str) else type(v)(v) for k, v in spec.items()}
            out = m.encode_columns(frame, kinds)
            same = frame.equals(before) and list(frame.columns) == list(before.columns)
            return {"out": out, "same": bool(same), "spec": kinds == spec and list(kinds) == list(spec)}

        seen = observe(probe)
        chosen = [rows[place] for place in keep]
        assert_tensor(seen.out, encoded(chosen, spec), f"the rows {keep} of a larger table")
        assert_equal(seen.same, True, "whether the frame is the same afterwards")
        assert_equal(seen.spec, True, "whether the spec is the same afterwards")

    def test_one_row_and_no_rows(self, observe, rng):
        rows, spec = drawn_rows(rng, 4), drawn_spec(rng)
        outs = observe(lambda m: [m.encode_columns(frame_of(rows, keep), spec) for keep in ([2], [], [3, 1])])
        for out, keep in zip(outs, ([2], [], [3, 1]), strict=True):
            assert_tensor(out, encoded([rows[place] for place in keep], spec), f"a table of {len(keep)} rows")


def blocks(out, dims):
    """The part of each column in the rows that an embedding gave."""
    return out.split(dims, dim=1)


def drawn_columns(rng, count=3):
    """Sizes and dims of `count` columns, all different, and every id of each: (longest, count), 0 below the last."""
    sizes, dims = rng.sizes(count, 3, 7), rng.sizes(count, 2, 5)
    ids = torch.zeros(max(sizes), count, dtype=torch.int64)
    for column, size in enumerate(sizes):
        ids[:size, column] = torch.arange(1, size + 1)
    return sizes, dims, ids


def descend(module, loss, rate):
    """One step of gradient descent by hand: torch.optim takes a second to import. For probes."""
    module.zero_grad()
    loss.backward()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter.sub_(rate * parameter.grad)


def shaped(out, rows, width, what):
    """`out` is float32 of this shape; its values are not looked at."""
    like = out.detach() if isinstance(out, torch.Tensor) and out.shape == (rows, width) else torch.zeros(rows, width)
    assert_tensor(out, like.float(), what)
    assert bool(torch.isfinite(out).all()), f"{what} holds numbers that are not finite."


@exercise("CategoryEmbedding")
class TestCategoryEmbedding:
    @pytest.mark.weight(2)
    def test_looks_up_the_row_of_each_id(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        rows = [[rng.integer(1, size) for size in sizes] for _ in range(9)]
        ids = torch.tensor(rows)

        def probe(m):
            embedding = m.CategoryEmbedding(sizes, dims)
            return {"table": embedding(every).detach(), "out": embedding(ids).detach()}

        seen = observe(probe)
        shaped(seen.table, max(sizes), sum(dims), "what comes out for all ids")
        tables = blocks(seen.table, dims)
        expected = torch.cat([table[ids[:, k] - 1] for k, table in enumerate(tables)], dim=1)
        note = "Column by column, equal ids should give equal numbers, side by side in the order of the columns."
        assert_tensor(seen.out, expected, "what comes out for random ids", rtol=0, atol=0, note=note)
        for k, (table, size) in enumerate(zip(tables, sizes, strict=True)):
            different = len({tuple(row) for row in table[:size].tolist()})
            assert different == size, f"the {size} ids of column {k} should have rows of their own, {different} differ."

    @pytest.mark.weight(2)
    def test_unknown_ids_give_zeros(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        offsets = rng.shuffled([1, 2, rng.integer(50, 99)])
        strange = torch.stack(
            [
                torch.zeros(3, dtype=torch.int64),
                torch.tensor(sizes) + torch.tensor(offsets),
                torch.tensor(sizes) + 1,
                torch.full((3,), -1),
                -torch.tensor(sizes),
                torch.tensor([10**9, 2**32 + 1, 2**40 + 2]),
            ]
        )
        mixed = torch.tensor([[0, 1, sizes[2] + 1], [1, sizes[1] + 1, 2]])

        def probe(m):
            embedding = m.CategoryEmbedding(sizes, dims)
            table, known = embedding(every), embedding(mixed)
            return {"table": table.detach(), "strange": embedding(strange).detach(), "mixed": known.detach()}

        seen = observe(probe)
        what = "what comes out for ids 0, larger than `sizes` and negative"
        note = "They have no row of their own; all of them count as unknown."
        assert_tensor(seen.strange, torch.zeros(len(strange), sum(dims)), what, rtol=0, atol=0, note=note)
        shaped(seen.table, max(sizes), sum(dims), "what comes out for all ids")
        tables = blocks(seen.table, dims)
        zero = [torch.zeros(dim) for dim in dims]
        first = torch.cat([zero[0], tables[1][0], zero[2]])
        second = torch.cat([tables[0][0], zero[1], tables[2][1]])
        what = "a row with known and unknown ids"
        assert_tensor(seen.mixed, torch.stack([first, second]), what, rtol=0, atol=0)
        for k, (table, size) in enumerate(zip(tables, sizes, strict=True)):
            empty = int((table[:size] == 0).all(1).sum())
            assert not empty, f"known ids should not start at zero, but {empty} of the {size} in column {k} do."

    @pytest.mark.weight(2)
    def test_training_moves_the_rows_that_were_looked_up(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        ids = torch.stack([torch.tensor([rng.integer(1, size - 1) for _ in range(8)]) for size in sizes], dim=1)
        ids[1] = ids[0]
        upstream = rng.strided((8, sum(dims)))
        rate = rng.uniform(0.3, 0.7)

        def probe(m):
            embedding = m.CategoryEmbedding(sizes, dims)
            before = embedding(every).detach().clone()
            descend(embedding, (embedding(ids) * upstream).sum(), rate)
            return {"before": before, "after": embedding(every).detach()}

        seen = observe(probe)
        shaped(seen.before, max(sizes), sum(dims), "what comes out for all ids")
        expected = [table.clone() for table in blocks(seen.before, dims)]
        for k, part in enumerate(blocks(upstream, dims)):
            for row, one in enumerate(ids[:, k].tolist()):
                expected[k][one - 1] -= rate * part[row]
        note = "A row moves by the sum of the gradients of the places where it was looked up; other rows stay."
        assert_tensor(
            seen.after, torch.cat(expected, dim=1), "after a step of gradient descent, what comes out", note=note
        )

    def test_unknown_ids_stay_zero_in_training(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        ids = torch.tensor([[0, 1, sizes[2] + 5], [1, 0, 2], [sizes[0] + 1, -1, 0], [0, 0, 0]])
        upstream = rng.tensor((4, sum(dims)), low=0.5)
        unknown = torch.tensor([[0, 0, 0], [one + 1 for one in sizes], [-1, -2, -3]])

        def probe(m):
            embedding = m.CategoryEmbedding(sizes, dims)
            start = embedding(every).detach().clone()
            for _ in range(3):
                descend(embedding, (embedding(ids) * upstream).sum(), 0.5)
            end, out = embedding(every).detach(), embedding(unknown)
            embedding.zero_grad()
            if out.requires_grad:
                (out * upstream[:3]).sum().backward()
            grads = [parameter.grad for parameter in embedding.parameters() if parameter.grad is not None]
            pull = max((float(grad.abs().max()) for grad in grads), default=0.0)
            return {"start": start, "end": end, "unknown": out.detach(), "pull": pull}

        seen = observe(probe)
        note = "Row 0 is to have no gradient: setting it to zero again and again leaves the optimiser working on it."
        assert_equal(seen.pull, 0.0, "the largest gradient from a batch of unknown ids", note=note)
        what = "what comes out for unknown ids after three steps of gradient descent"
        note = "Their gradient is zero, so they learn nothing."
        assert_tensor(seen.unknown, torch.zeros(3, sum(dims)), what, rtol=0, atol=0, note=note)
        shaped(seen.start, max(sizes), sum(dims), "what comes out for all ids")
        expected = [table.clone() for table in blocks(seen.start, dims)]
        for k, part in enumerate(blocks(upstream, dims)):
            for row, one in enumerate(ids[:, k].tolist()):
                if 1 <= one <= sizes[k]:
                    expected[k][one - 1] -= 3 * 0.5 * part[row]
        what = "what comes out for known ids after three steps of gradient descent"
        note = "Gradients should reach the rows of known ids, and of those in the batch only."
        assert_tensor(seen.end, torch.cat(expected, dim=1), what, rtol=1e-5, atol=1e-5, note=note)

    def test_columns_have_tables_of_their_own(self, observe, rng):
        size, dim = rng.sizes(2, 3, 6)
        every = torch.arange(1, size + 1).unsqueeze(1).expand(size, 3)
        upstream = torch.zeros(size, 3 * dim)
        upstream[:, dim : 2 * dim] = rng.tensor((size, dim), low=0.5)

        def probe(m):
            embedding = m.CategoryEmbedding([size] * 3, [dim] * 3)
            before = embedding(every).detach().clone()
            descend(embedding, (embedding(every) * upstream).sum(), 1.0)
            return {"before": before, "after": embedding(every).detach()}

        seen = observe(probe)
        shaped(seen.before, size, 3 * dim, f"with sizes {[size] * 3} and dims {[dim] * 3}, what comes out")
        rows = [tuple(row) for table in blocks(seen.before, [dim] * 3) for row in table.tolist()]
        assert len(set(rows)) == 3 * size, "id 1 of one column should not have the row of id 1 of another column."
        note = "Only what was looked up in the middle column was trained."
        assert_tensor(seen.after, seen.before - upstream, "after a step, what comes out", note=note)

    def test_the_tables_are_parameters_of_the_module(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        ids = torch.cat([every, torch.zeros(1, 3, dtype=torch.int64)])

        def probe(m):
            first, second = m.CategoryEmbedding(sizes, dims), m.CategoryEmbedding(sizes, dims)
            numbers = sum(parameter.numel() for parameter in first.parameters())
            dtypes = [parameter.dtype for parameter in first.parameters()]
            before = [first(ids).detach(), second(ids).detach()]
            second.load_state_dict(first.state_dict())
            loaded = second(ids).detach()
            return {
                "numbers": numbers,
                "dtypes": dtypes,
                "before": before,
                "loaded": loaded,
                "double": second.double()(ids).detach(),
            }

        seen = observe(probe)
        terms = " + ".join(f"{size + 1} * {dim}" for size, dim in zip(sizes, dims, strict=True))
        wanted = sum((size + 1) * dim for size, dim in zip(sizes, dims, strict=True))
        assert_equal(seen.numbers, wanted, "the count of numbers in all parameters", note=f"It should be {terms}.")
        assert_equal(seen.dtypes, [torch.float32] * len(seen.dtypes), "the dtypes of the parameters")
        shaped(seen.before[0], len(ids), sum(dims), "what comes out")
        different = not torch.equal(seen.before[0], seen.before[1])
        assert different, "two new modules should start with different random rows, but they are the same."
        assert_tensor(
            seen.loaded, seen.before[0], "what comes out once the state dict of another is loaded", rtol=0, atol=0
        )
        assert_tensor(seen.double, seen.before[0].double(), "what comes out of `module.double()`", rtol=0, atol=0)

    def test_any_number_of_rows_and_columns(self, observe, rng):
        sizes, dims, every = drawn_columns(rng)
        wide = rng.strided((6, 3), torch.int64, -1, 9)

        def probe(m):
            embedding = m.CategoryEmbedding(sizes, dims)
            alone = m.CategoryEmbedding([1], [5])
            batches = [every, every[2:3], every[:0], wide, wide.contiguous()]
            outs = [embedding(ids).detach() for ids in batches]
            column = alone(torch.tensor([[1], [0], [1], [2]])).detach()
            return {"outs": outs, "wide": wide, "column": column}

        seen = observe(probe)
        for out, rows in zip(seen.outs, (max(sizes), 1, 0, 6, 6), strict=True):
            shaped(out, rows, sum(dims), f"what comes out for {rows} rows of ids")
        assert_tensor(seen.outs[1], seen.outs[0][2:3], "what comes out for a single row", rtol=0, atol=0)
        what = "what comes out for ids that are not contiguous"
        assert_tensor(seen.outs[3], seen.outs[4], what, rtol=0, atol=0)
        assert_tensor(seen.wide, wide, "the ids afterwards", note="The caller's tensor was written into.")
        shaped(seen.column, 4, 5, "what comes out for a single column")
        zeros = (seen.column == 0).all(1).tolist()
        assert_equal(zeros, [False, True, False, True], "for ids 1, 0, 1, 2 of one category, which rows are zeros")
        assert_tensor(seen.column[2], seen.column[0], "the second row of id 1", rtol=0, atol=0)
