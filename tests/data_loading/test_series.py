"""Hidden suite of data_loading/series."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from grader.testing import (
    assert_equal,
    assert_error,
    assert_no_error,
    assert_tensor,
    error_of,
    exercise,
    shares_storage,
    short,
)

FLOATS = (torch.float16, torch.float32, torch.float64)


def calendar(hours, values):
    """(D, F, 24), filled row by row; NaN where no row is."""
    days = max(hours.tolist(), default=-1) // 24 + 1
    out = torch.full((days, values.shape[1], 24), math.nan, dtype=values.dtype)
    for hour, row in zip(hours.tolist(), values, strict=True):
        out[hour // 24, :, hour % 24] = row
    return out


def without(hours, missing):
    return torch.tensor([hour for hour in hours if hour not in set(missing)])


@exercise("daily_tensor")
class TestDailyTensor:
    def test_a_complete_series_becomes_days(self, observe, rng):
        days, features = rng.sizes(2, 2, 5)
        cases = [(torch.arange(24 * days), rng.tensor((24 * days, features))), (torch.arange(24), rng.tensor((24, 3)))]
        for out, case in zip(observe(lambda m: [m.daily_tensor(*c) for c in cases]), cases, strict=True):
            what = f"`daily_tensor(hours, values)` of {len(case[0])} hours without a gap"
            assert_tensor(out, calendar(*case), what, rtol=0, atol=0)

    @pytest.mark.weight(2)
    def test_missing_hours_leave_gaps_and_shift_nothing(self, observe, rng):
        days, features = rng.sizes(2, 3, 6)
        every = range(24 * days)
        inner = rng.shuffled(every[2:-1])
        lost = rng.integer(1, days - 2)
        cases = {
            "single hours missing": without(every, inner[:7]),
            "as many hours missing as a day has": without(every, inner[:24]),
            "the first hour missing": without(every, [0, *inner[:2]]),
            "a whole day missing": without(every, every[24 * lost : 24 * lost + 24]),
            "the first day missing": torch.arange(24 + rng.integer(1, 20), 24 * days),
        }
        sent = {name: (hours, rng.tensor((len(hours), features))) for name, hours in cases.items()}
        for _, values in sent.values():
            values[:2] = 0.0  # measured, like any other number
            values[2], values[3, 0] = -1.0, 0.0
        seen = observe(lambda m: {"outs": {name: m.daily_tensor(*case) for name, case in sent.items()}})
        for name, case in sent.items():
            what = f"`daily_tensor(hours, values)` with {name}"
            assert_tensor(seen.outs[name], calendar(*case), what, rtol=0, atol=0)

    def test_the_last_day_may_be_incomplete(self, observe, rng):
        days, features = rng.sizes(2, 2, 5)
        ends = [24 * days + rng.integer(2, 22), 24 * days + 1, 24 * days + 23]
        sent = [(torch.arange(end), rng.tensor((end, features))) for end in ends]
        for out, case in zip(observe(lambda m: [m.daily_tensor(*c) for c in sent]), sent, strict=True):
            what = f"`daily_tensor(hours, values)` of {len(case[0])} hours without a gap"
            assert_tensor(out, calendar(*case), what, rtol=0, atol=0)

    def test_rows_may_come_in_any_order(self, observe, rng):
        days, features = rng.sizes(2, 2, 5)
        end = 24 * days + rng.integer(2, 22)
        # The row of the last hour stands first, the row of the first hour somewhere inside.
        hours = torch.tensor([end, *rng.shuffled(range(1, end))[: end - 9]])
        hours[5] = 0
        values = rng.tensor((len(hours), features))
        seen = observe(lambda m: {"out": m.daily_tensor(hours, values)})
        assert_tensor(seen.out, calendar(hours, values), "`daily_tensor` of shuffled rows", rtol=0, atol=0)

    def test_a_later_view_works(self, observe, rng):
        days, features = rng.sizes(2, 2, 5)
        hours = without(range(24 * days), [rng.integer(1, 20)])
        sent = [(hours, rng.tensor((len(hours), features))) for hours in (hours, torch.arange(24 * days))]

        def probe(m):
            seen = []
            for case in sent:
                out, box = m.daily_tensor(*case), []
                seen.append((error_of(lambda: box.append(out.view(days, features * 24))), box))
            return seen

        for (error, box), case in zip(observe(probe), sent, strict=True):
            about = "because the result should be contiguous"
            assert_no_error(error, f"`.view({days}, {features * 24})` of the result", about)
            what = "the result, seen as (D, F * 24),"
            assert_tensor(box[0], calendar(*case).view(days, -1), what, rtol=0, atol=0)

    def test_keeps_the_dtype_and_its_arguments(self, observe, rng):
        rows, features = rng.integer(30, 60), rng.integer(2, 5)
        hours = torch.tensor([[hour, -1] for hour in rng.shuffled(range(2 * rows))[:rows]])[:, 0]
        sent = [(hours, rng.strided((rows, features), dtype)) for dtype in FLOATS]
        sent += [(torch.arange(48), rng.tensor((48, count))) for count in (features, 1)]

        def probe(m):
            outs, later = [], []
            for hours, values in sent:
                out = m.daily_tensor(hours, values)
                outs.append(out.clone())
                out.fill_(7)
                later.append((hours, values))
            return {"outs": outs, "later": later}

        before = [(hours.clone(), values.clone()) for hours, values in sent]
        seen = observe(probe)
        for out, later, case in zip(seen.outs, seen.later, before, strict=True):
            assert_tensor(out, calendar(*case), f"the result for {case[1].dtype} values", rtol=0, atol=0)
            assert_tensor(later[0], case[0], "`hours` afterwards", rtol=0, atol=0)
            assert_tensor(later[1], case[1], "`values`, once the result is overwritten,", rtol=0, atol=0)

    def test_any_number_of_rows_and_features(self, observe, rng):
        none = torch.zeros(0, dtype=torch.int64)
        one = torch.tensor([24 * rng.integer(1, 3) + rng.integer(3, 20)])
        gaps = without(range(70), [rng.integer(1, 60)])
        sent = [(none, torch.zeros(0, 3, dtype=dtype)) for dtype in FLOATS]
        sent += [(one, rng.tensor((1, 2))), (gaps, rng.tensor((69, 24)))]
        sent += [(gaps, rng.tensor((69, 1))), (torch.tensor([0]), rng.tensor((1, 5)))]
        for out, case in zip(observe(lambda m: [m.daily_tensor(*c) for c in sent]), sent, strict=True):
            what = f"`daily_tensor` of {case[1].dtype} values with shape {tuple(case[1].shape)}"
            assert_tensor(out, calendar(*case), what, rtol=0, atol=0)


def appended(x, column, K):
    """(D, F + K, T), filled hour by hour."""
    days, features, times = x.shape
    out = torch.zeros(days, features + K, times, dtype=x.dtype)
    out[:, :features] = x
    codes = x[:, column].tolist()
    for day, time in itertools.product(range(days), range(times)):
        if codes[day][time] == codes[day][time]:
            out[day, features + int(codes[day][time]) - 1, time] = 1
    return out


def with_codes(rng, shape, column, K, dtype=torch.float32):
    """A strided (D, F, T) whose feature `column` holds numbers from 1 to K, each of them at least once if they fit."""
    x = rng.strided(shape, dtype)
    codes = rng.tensor((shape[0] * shape[2],), torch.int64, 1, K + 1)
    codes[:K] = torch.arange(1, K + 1)[: len(codes)]
    x[:, column] = torch.tensor(rng.shuffled(codes.tolist())).view(shape[0], shape[2]).to(dtype)
    return x


def with_gaps(rng, x, column):
    """The same, NaN in all features at some hours, and NaN or infinity in one other feature at others."""
    x = x.clone()
    places = rng.shuffled(list(itertools.product(range(x.shape[0]), range(x.shape[2]))))
    for day, time in places[:3]:
        x[day, :, time] = math.nan
    for (day, time), number in zip(places[3:6], (math.nan, math.inf, -math.inf), strict=True):
        x[day, (column + 1) % x.shape[1], time] = number
    return x


@exercise("add_one_hot")
class TestAddOneHot:
    @pytest.mark.weight(2)
    def test_every_category_gets_a_channel(self, observe, rng):
        cases = []
        for _ in range(3):
            days, features, times, K = rng.sizes(4, 2, 7)
            column = rng.integer(0, features - 1)
            cases.append((with_codes(rng, (days, features, times), column, K), column, K))
        for out, case in zip(observe(lambda m: [m.add_one_hot(*c) for c in cases]), cases, strict=True):
            x, column, K = case
            what = f"`add_one_hot(x, {column}, {K})` for x of shape {tuple(x.shape)}"
            assert_tensor(out, appended(*case), what, rtol=0, atol=0)

    def test_a_category_that_does_not_occur_has_a_channel_too(self, observe, rng):
        days, features, times = rng.sizes(3, 2, 5)
        low, high = with_codes(rng, (days, features, times), 0, 2), with_codes(rng, (days, features, times), 1, 3)
        high[:, 1] += 4
        cases = [(low, 0, 6), (high, 1, 7), (high, 1, 9)]
        for out, case in zip(observe(lambda m: [m.add_one_hot(*c) for c in cases]), cases, strict=True):
            codes = sorted({int(code) for code in case[0][:, case[1]].flatten()})
            what = f"`add_one_hot(x, {case[1]}, {case[2]})` where only the categories {codes} occur"
            assert_tensor(out, appended(*case), what, rtol=0, atol=0)

    def test_no_category_is_on_where_nothing_was_recorded(self, observe, rng):
        days, features, times, K = rng.sizes(4, 3, 6)
        column = rng.integer(0, features - 1)
        gaps = with_gaps(rng, with_codes(rng, (days, features, times), column, K), column)
        nothing = gaps.clone()
        nothing[:, column] = math.nan
        seen = observe(lambda m: [m.add_one_hot(gaps, column, K), m.add_one_hot(nothing, column, K)])
        what = f"`add_one_hot(x, {column}, {K})` of an x with NaN in some hours, and infinity in another feature,"
        assert_tensor(seen[0], appended(gaps, column, K), what, rtol=0, atol=0)
        what = f"`add_one_hot(x, {column}, {K})` where feature {column} is NaN everywhere"
        assert_tensor(seen[1], appended(nothing, column, K), what, rtol=0, atol=0)

    def test_keeps_the_dtype(self, observe, rng):
        days, features, times, K = rng.sizes(4, 2, 6)
        cases = [(with_codes(rng, (days, features, times), 1, K, dtype), 1, K) for dtype in FLOATS]
        for out, case in zip(observe(lambda m: [m.add_one_hot(*c) for c in cases]), cases, strict=True):
            assert_tensor(out, appended(*case), f"the result for {case[0].dtype}", rtol=0, atol=0)

    def test_does_not_edit_its_input(self, observe, rng):
        days, features, times, K = rng.sizes(4, 3, 6)
        strided = with_codes(rng, (days, features, times), 0, K)
        gaps = with_gaps(rng, with_codes(rng, (days, features, times), 2, K), 2)
        sent = [(strided, 0), (strided.clone(), 0), (gaps, 2)]

        def probe(m):
            outs = [m.add_one_hot(x, column, K) for x, column in sent]
            after = [x.clone() for x, _ in sent]
            for out in outs:
                out += 5
            return {"outs": outs, "after": after, "later": [x for x, _ in sent]}

        seen = observe(probe)
        for out, after, later, (x, column) in zip(seen.outs, seen.after, seen.later, sent, strict=True):
            assert_tensor(out, appended(x, column, K) + 5, "the result, with 5 added in place,", rtol=0, atol=0)
            note = "Was something written through a view of it?"
            assert_tensor(after, x, "`x` afterwards", rtol=0, atol=0, note=note)
            assert_tensor(later, x, "`x`, once the result is written into,", rtol=0, atol=0)

    def test_any_column_also_counted_from_the_end(self, observe, rng):
        days, features, times, K = rng.sizes(4, 2, 6)
        cases = []
        for column in (*range(features), -1, -features):
            cases.append((with_codes(rng, (days, features, times), column, K), column, K))
        for out, case in zip(observe(lambda m: [m.add_one_hot(*c) for c in cases]), cases, strict=True):
            what = f"`add_one_hot(x, {case[1]}, {case[2]})` for x of shape {tuple(case[0].shape)}"
            assert_tensor(out, appended(*case), what, rtol=0, atol=0)

    def test_other_numbers_are_refused(self, observe, rng):
        days, features, times, K = rng.sizes(4, 3, 6)
        column = rng.integer(0, features - 1)
        good = with_codes(rng, (days, features, times), column, K)
        gaps = with_gaps(rng, good, column)
        bad = (0.0, K + 1.0, -1.0, rng.integer(1, K - 1) + 0.5, 0.75, K + 0.25, math.inf, -math.inf)
        places = rng.shuffled(list(itertools.product(range(days), range(times))))[: len(bad)]

        def probe(m):
            errors = {}
            for number, (day, time) in zip(bad, places, strict=True):
                for x in (good, gaps):
                    broken = x.clone()
                    broken[day, column, time] = number
                    errors[f"{number:g}, NaN elsewhere" if x is gaps else f"{number:g}"] = error_of(
                        lambda: m.add_one_hot(broken, column, K)
                    )
            return {"errors": errors, "out": m.add_one_hot(good, column, K), "gaps": m.add_one_hot(gaps, column, K)}

        seen = observe(probe)
        for number, error in seen.errors.items():
            what = f"`add_one_hot(x, {column}, {K})` with {number}, in that feature"
            assert_error(error, ValueError, "because that is no category", what.replace(", in", " in"))
        what = f"`add_one_hot(x, {column}, {K})` with the numbers 1 to {K} in that feature"
        assert_tensor(seen.out, appended(good, column, K), what, rtol=0, atol=0)
        assert_tensor(seen.gaps, appended(gaps, column, K), f"{what} and NaN", rtol=0, atol=0)

    def test_small_and_empty(self, observe, rng):
        a, b, c = rng.sizes(3, 2, 5)
        shapes = [(0, a, b), (a, b, 0), (1, 1, 1), (1, a, b), (a, 1, c), (a, b, 1)]
        cases = [(with_codes(rng, shape, 0, K), 0, K) for shape in shapes for K in (1, 6)]
        for out, case in zip(observe(lambda m: [m.add_one_hot(*c) for c in cases]), cases, strict=True):
            what = f"`add_one_hot(x, 0, {case[2]})` for x of shape {tuple(case[0].shape)}"
            assert_tensor(out, appended(*case), what, rtol=0, atol=0)


WORDS = "single fortune daughters neighbourhood ball carriage letter regiment shade park music aunt bonnet walk".split()
OTHERS = "lighthouse harpoon sailor ocean whale anchor".split()


def tokens_of(text):
    """The tokens, character by character."""
    tokens, word = [], ""
    for character in [*text.lower(), " "]:
        if character.isalnum() or character == "_":
            word += character
            continue
        tokens += [word] if word else []
        word = ""
        tokens += [] if character.isspace() else [character]
    return tokens


def fitted(texts):
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for text in texts:
        for token in tokens_of(text):
            if token not in vocabulary:
                vocabulary[token] = len(vocabulary)
    return vocabulary


def encoded(texts, vocabulary):
    rows = [[vocabulary.get(token, 1) for token in tokens_of(text)] for text in texts]
    longest = max(map(len, rows), default=0)
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows], dtype=torch.int64).reshape(
        len(rows), longest
    )


def phrases(rng, words, count, low, high):
    """`count` texts of different numbers of words, set apart by white space and punctuation, some capitalised."""
    lengths = rng.sizes(count, low, high)
    texts = []
    for length in lengths:
        chosen = [rng.choice(words) for _ in range(length)]
        chosen = [word.capitalize() if rng.integer(0, 2) == 0 else word for word in chosen]
        texts.append("".join(word + rng.choice([" ", " ", ", ", "; ", ". "]) for word in chosen).strip())
    return texts


def judge_vocabulary(got, expected, what, note=""):
    """Judge a vocabulary; a token that it lacks, or should not have, is named."""
    if isinstance(got, dict):
        for token in expected:
            assert token in got, f"{what} should have the token {token!r}, but it does not. {note}".strip()
        for token in got:
            assert token in expected, f"{what} has the token {short(token)}, which it should not have. {note}".strip()
    assert_equal(got, expected, what, note=note)


def judge_ids(seen, texts, vocabulary, what):
    """Judge (ids, vocabulary) against those by hand: the vocabulary first, for the ids follow from it."""
    judge_vocabulary(seen[1], vocabulary, f"the vocabulary of {what}")
    expected = encoded(texts, vocabulary)
    if not isinstance(seen[0], torch.Tensor) or seen[0].shape != expected.shape or seen[0].dtype != expected.dtype:
        assert_tensor(seen[0], expected, f"the ids of {what}")
    for row, wanted, text in zip(seen[0].tolist(), expected.tolist(), texts, strict=True):
        assert_equal(row, wanted, f"the row of {text!r} in the ids of {what}")


def encoding(texts, vocabulary=None):
    """A probe that calls `encode_text`, with the vocabulary only if there is one."""

    def probe(m):
        ids, used = m.encode_text(texts) if vocabulary is None else m.encode_text(texts, vocabulary)
        return [ids, dict(used)]

    return probe


@exercise("encode_text")
class TestEncodeText:
    def test_numbers_follow_the_order_of_first_appearance(self, observe, rng):
        texts = ["zeal zeal yes", *(" ".join(rng.shuffled(WORDS)[:n]) for n in rng.sizes(3, 4, 9)), "an apple"]
        judge_ids(observe(encoding(texts)), texts, fitted(texts), "`encode_text(texts)`")

    def test_case_and_punctuation_make_no_new_words(self, observe, rng):
        a, b, c = rng.shuffled(WORDS)[:3]
        texts = [
            f"{a}, {b}!",
            f"{a.capitalize()}: {b}; {c}.",
            f'"{c.upper()}" ({a})',
            f"--{b}'s {c}?",
            f"{a}-{b}...{c}",
        ]
        judge_ids(observe(encoding(texts)), texts, fitted(texts), "`encode_text(texts)`")

    @pytest.mark.weight(2)
    def test_new_text_is_read_with_the_old_vocabulary(self, observe, rng):
        known, unknown = rng.shuffled(WORDS), rng.shuffled(OTHERS)
        train = phrases(rng, known, 4, 5, 12)
        mixed = [f"{unknown[0]} {w}" for w in rng.shuffled(tokens_of(" ".join(train)))[:2]]
        new = [*mixed, *phrases(rng, known[:6] + unknown, 3, 3, 9), f"{unknown[1]}! {unknown[0].upper()}", train[0]]

        def probe(m):
            ids, vocabulary = m.encode_text(train)
            before = dict(vocabulary)
            again, used = m.encode_text(new, vocabulary)
            return {"ids": ids, "before": before, "again": again, "used": dict(used), "after": dict(vocabulary)}

        seen = observe(probe)
        vocabulary = fitted(train)
        judge_ids((seen.ids, seen.before), train, vocabulary, "`encode_text(train)`")
        note = "Reading new text should not change it."
        judge_vocabulary(seen.after, vocabulary, "the given vocabulary, afterwards,", note)
        judge_ids((seen.again, seen.used), new, vocabulary, "`encode_text(new, vocabulary)`")

    def test_short_texts_are_filled_up_on_the_right(self, observe, rng):
        first, *rest = rng.shuffled(WORDS)
        texts = [first, " ".join(rest[:4]), " ".join([rest[0], first]), " ".join(rng.shuffled(rest)[:7])]
        texts = [*texts, "", " ".join(rest[2:5])]
        judge_ids(observe(encoding(texts)), texts, fitted(texts), "`encode_text(texts)`")

    def test_text_cannot_forge_the_special_tokens(self, observe, rng):
        a, b = rng.shuffled(WORDS)[:2]
        texts = [f"{a} <pad> {b}", "<unk>", f"pad {a} unk < >"]

        def probe(m):
            ids, vocabulary = m.encode_text(texts)
            return [ids, dict(vocabulary), m.encode_text([f"{b} <pad> <UNK> <{a}"], vocabulary)[0]]

        ids, vocabulary, again = observe(probe)
        judge_ids((ids, vocabulary), texts, fitted(texts), "`encode_text(texts)`")
        expected = encoded([f"{b} <pad> <UNK> <{a}"], fitted(texts))
        assert_tensor(again, expected, f"the ids of '{b} <pad> <UNK> <{a}'", rtol=0, atol=0)

    def test_every_call_without_a_vocabulary_starts_afresh(self, observe, rng):
        first, second = phrases(rng, WORDS, 2, 4, 9), phrases(rng, OTHERS, 2, 4, 9)
        third = phrases(rng, OTHERS + WORDS, 2, 4, 9)

        def probe(m):
            vocabulary = m.encode_text(first)[1]
            m.encode_text(second, vocabulary)
            fresh = [encoding(texts)(m) for texts in (second, third)]
            return {"fresh": fresh, "first": dict(vocabulary)}

        seen = observe(probe)
        judge_vocabulary(seen.first, fitted(first), "the vocabulary of the first call, after three more,")
        for one, texts in zip(seen.fresh, (second, third), strict=True):
            judge_ids(one, texts, fitted(texts), "a later `encode_text(texts)` without a vocabulary")

    def test_the_given_numbers_count_not_their_order(self, observe, rng):
        known = rng.shuffled(WORDS)[:6]
        numbers = rng.shuffled(range(2, 40))
        items = [*zip(known, numbers, strict=False), (",", numbers[-1]), ("<pad>", 0), ("<unk>", 1)]
        vocabulary = dict(rng.shuffled(items))
        texts = [f"{OTHERS[0]}, {known[0]}", *phrases(rng, known + OTHERS[:2], 3, 3, 8), known[5]]
        judge_ids(observe(encoding(texts, vocabulary)), texts, vocabulary, "`encode_text(texts, vocabulary)`")

    def test_letters_of_any_alphabet_and_any_white_space(self, observe, rng):
        year = str(rng.integer(1700, 1999))
        texts = [
            "café\tnaïve\n\nCAFÉ",
            f"in {year}, {year}",
            "x_1 _ x 1 x_1",
            "Straße STRASSE",
            "Ölberg\u00a0ÖLBERG — ölberg",
            "Лес лес",
            "İzmir zmir",  # in lower case, this İ is two characters: an i, and a dot that is no letter
            " don't  ",
        ]
        texts = rng.shuffled(texts)
        judge_ids(observe(encoding(texts)), texts, fitted(texts), "`encode_text(texts)`")

    def test_no_text_and_empty_texts(self, observe, rng):
        word, other = rng.shuffled(WORDS)[:2]
        sent = [[], ["", " \n"], ["", f"{word}.", ""], [word]]
        given = fitted([f"{other} {word}"])

        def probe(m):
            fresh = [encoding(texts)(m) for texts in sent]
            return {"fresh": fresh, "read": [encoding(texts, given)(m) for texts in sent]}

        seen = observe(probe)
        for one, read, texts in zip(seen.fresh, seen.read, sent, strict=True):
            judge_ids(one, texts, fitted(texts), f"`encode_text({texts})`")
            judge_ids(read, texts, given, f"`encode_text({texts}, vocabulary)`")


def pairs_of(series, context, horizon):
    """All (x, y), step by step."""
    steps = list(series.clone())
    count = len(steps) - context - horizon + 1
    return [
        (torch.stack(steps[at : at + context]), torch.stack(steps[at + context : at + context + horizon]))
        for at in range(count)
    ]


def judge_pairs(seen, expected, what):
    """Judge a list of (x, y); the first one that differs is named."""
    assert_equal(len(seen), len(expected), f"the number of items of {what}")
    for index, ((x, y), (context, horizon)) in enumerate(zip(seen, expected, strict=True)):
        assert_tensor(x, context, f"x of item {index} of {what}", rtol=0, atol=0)
        assert_tensor(y, horizon, f"y of item {index} of {what}", rtol=0, atol=0)


@exercise("WindowDataset")
class TestWindowDataset:
    @pytest.mark.weight(2)
    def test_y_is_what_follows_x(self, observe, rng):
        cases = []
        for _ in range(3):
            context, horizon, features = rng.sizes(3, 1, 5)
            cases.append((rng.tensor((context + horizon + rng.integer(3, 6), features)), context, horizon))

        def probe(m):
            seen = []
            for series, context, horizon in cases:
                dataset = m.WindowDataset(series, context, horizon)
                indices = range(len(series) - context - horizon)  # one less than there are
                seen.append([tuple(dataset[index]) for index in indices])
            return seen

        for one, case in zip(observe(probe), cases, strict=True):
            what = f"`WindowDataset(series, {case[1]}, {case[2]})` of {len(case[0])} steps"
            judge_pairs(one, pairs_of(*case)[:-1], what)

    def test_the_last_window_that_fits_counts(self, observe, rng):
        context, horizon = rng.sizes(2, 1, 5)
        series = rng.tensor((context + horizon + 9, 2))
        lengths = [context + horizon + more for more in (0, 1, 2, rng.integer(4, 9))]

        def probe(m):
            seen = []
            for length in lengths:
                dataset = m.WindowDataset(series[:length], context, horizon)
                seen.append((len(dataset), tuple(dataset[length - context - horizon])))
            return seen

        for (count, last), length in zip(observe(probe), lengths, strict=True):
            what = f"`WindowDataset(series, {context}, {horizon})` of {length} steps"
            expected = pairs_of(series[:length], context, horizon)
            assert_equal(count, len(expected), f"`len` of {what}")
            judge_pairs([last], expected[-1:], f"the last one of {what}")

    def test_a_series_too_short_has_no_items(self, observe, rng):
        context, horizon = rng.sizes(2, 2, 6)
        series = rng.tensor((context + horizon, 3))
        lengths = [context + horizon - 1, max(context, horizon), 1, 0]

        def probe(m):
            seen = []
            for length in [context + horizon, *lengths]:
                dataset = m.WindowDataset(series[:length], context, horizon)
                box = []
                error = error_of(lambda: box.append(len(dataset)))
                items = [tuple(pair) for pair in itertools.islice(dataset, 4)]
                errors = [error_of(lambda: dataset[index]) for index in (0, -1)]
                seen.append({"error": error, "count": box, "items": items, "errors": errors})
            return seen

        fits, *short = observe(probe)
        judge_pairs(fits["items"], pairs_of(series, context, horizon), "a series that is just long enough")
        assert_equal(fits["count"], [1], "`[len(dataset)]` of a series that is just long enough")
        for one, length in zip(short, lengths, strict=True):
            what = f"`WindowDataset(series, {context}, {horizon})` of {length} steps"
            assert_no_error(one["error"], f"`len` of {what}")
            assert_equal(one["count"], [0], f"`[len(dataset)]` of {what}")
            assert_equal(len(one["items"]), 0, f"the number of items that a loop over {what} meets")
            for index, error in zip((0, -1), one["errors"], strict=True):
                assert_error(error, IndexError, "as it has no items", f"`dataset[{index}]` of {what}")

    def test_negative_numbers_count_from_the_end(self, observe, rng):
        context, horizon = rng.sizes(2, 2, 5)
        series = rng.tensor((context + horizon + rng.integer(3, 5), 2))
        expected = pairs_of(series, context, horizon)
        count = len(expected)

        def probe(m):
            dataset = m.WindowDataset(series, context, horizon)
            items = [tuple(dataset[index]) for index in range(-count, 0)]
            return {"items": items, "errors": [error_of(lambda: dataset[-count - beyond]) for beyond in (1, 2, 40)]}

        seen = observe(probe)
        for index, pair in zip(range(-count, 0), seen.items, strict=True):
            judge_pairs([pair], [expected[index]], f"`[dataset[{index}]]`, where len is {count},")
        for beyond, error in zip((1, 2, 40), seen.errors, strict=True):
            what = f"`dataset[{-count - beyond}]`, where len is {count},"
            assert_error(error, IndexError, "for an item that does not exist", what)

    def test_a_loop_comes_to_its_end(self, observe, rng):
        context, horizon = rng.sizes(2, 2, 5)
        series = rng.tensor((context + horizon + rng.integer(2, 5), 2))
        expected = pairs_of(series, context, horizon)
        count = len(expected)
        beyond = [count, count + 1, count + horizon, len(series), len(series) + 30]

        def probe(m):
            dataset = m.WindowDataset(series, context, horizon)
            items = [tuple(pair) for pair in itertools.islice(dataset, count + 9)]  # it might never end
            return {"items": items, "errors": [error_of(lambda: dataset[index]) for index in beyond]}

        seen = observe(probe)
        assert_equal(len(seen.items), count, "the number of items that a `for` loop over the dataset meets")
        judge_pairs(seen.items, expected, "a `for` loop over the dataset")
        for index, error in zip(beyond, seen.errors, strict=True):
            what = f"`dataset[{index}]`, where len is {count},"
            assert_error(error, IndexError, "for an item that does not exist", what)

    def test_items_are_views_of_the_series(self, observe, rng):
        context, horizon = rng.sizes(2, 2, 4)
        length = context + horizon + 3
        series, past, future = rng.tensor((length, 2)), rng.tensor((context, 2)), rng.tensor((horizon, 2))
        at = rng.integer(0, 3)

        def probe(m):
            live = series.repeat_interleave(2, dim=1)[:, 1::2]
            dataset = m.WindowDataset(live, context, horizon)
            shares = [shares_storage(part, live) for pair in (dataset[at], dataset[-1]) for part in pair]
            unchanged = live.clone()
            x, y = dataset[at]
            x.copy_(past)
            y.copy_(future)
            return {"shares": shares, "unchanged": unchanged, "live": live, "again": tuple(dataset[at])}

        seen = observe(probe)
        assert_tensor(seen.unchanged, series, "the series, when items have been made of it,", rtol=0, atol=0)
        for name, shares in zip(("x", "y", "x of the last item", "y of the last item"), seen.shares, strict=True):
            assert shares, f"{name} should be a view of the series, but it is a copy: it has another storage."
        written = series.clone()
        written[at : at + context], written[at + context : at + context + horizon] = past, future
        what = f"the series, once x and y of item {at} are written into,"
        assert_tensor(seen.live, written, what, rtol=0, atol=0)
        judge_pairs([seen.again], [(past, future)], f"`[dataset[{at}]]`, once it was written into,")

    def test_any_dtype_and_layout(self, observe, rng):
        context, horizon, features = rng.sizes(3, 1, 4)
        length = context + horizon + 3
        dtypes = (torch.float64, torch.int64, torch.float16)
        sent = [rng.strided((length, features), dtype, -90, 90) for dtype in dtypes]
        sent += [rng.tensor((length, 1)), rng.tensor((1, 3)).expand(length, 3)]

        def probe(m):
            sets = [m.WindowDataset(series, context, horizon) for series in sent]
            return [[tuple(dataset[index]) for index in range(len(dataset))] for dataset in sets]

        for one, series in zip(observe(probe), sent, strict=True):
            what = f"a series of {series.dtype}, strides {series.stride()}"
            judge_pairs(one, pairs_of(series, context, horizon), what)

    def test_a_loader_makes_batches_of_it(self, observe, rng):
        context, horizon, size = rng.sizes(3, 2, 5)
        count = 2 * size + 1
        series = rng.tensor((count + context + horizon - 1, 3))
        other = rng.tensor((context + horizon + 1, 3))

        def probe(m):
            first, second = m.WindowDataset(series, context, horizon), m.WindowDataset(other, context, horizon)
            batches = [tuple(batch) for batch in torch.utils.data.DataLoader(first, batch_size=size)]
            return {"batches": batches, "second": [tuple(pair) for pair in itertools.islice(second, 9)]}

        seen = observe(probe)
        expected = pairs_of(series, context, horizon)
        groups = [expected[at : at + size] for at in range(0, count, size)]
        batches = [tuple(torch.stack(part) for part in zip(*group, strict=True)) for group in groups]
        judge_pairs(seen.batches, batches, f"`DataLoader(dataset, batch_size={size})`")
        judge_pairs(seen.second, pairs_of(other, context, horizon), "a second dataset, made of another series,")


def padded(sequences):
    """(x, lengths, mask), step by step."""
    longest = max(map(len, sequences))
    x = torch.zeros(len(sequences), longest, sequences[0].shape[1], dtype=sequences[0].dtype)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        for step in range(len(sequence)):
            x[row, step], mask[row, step] = sequence[step], True
    return x, torch.tensor([sequence.shape[0] for sequence in sequences]), mask


def judge_batch(seen, sequences, what="`pad_collate(sequences)`"):
    x, lengths, mask = padded(sequences)
    called = f"{what} for lengths {lengths.tolist()}"
    assert_equal(len(seen), 3, f"the number of things in {called}")
    assert_tensor(seen[1], lengths, f"`lengths` of {called}", rtol=0, atol=0)
    assert_tensor(seen[0], x, f"`x` of {called}", rtol=0, atol=0)
    assert_tensor(seen[2], mask, f"`mask` of {called}", rtol=0, atol=0)


def ragged(rng, lengths, features, dtype=torch.float32):
    return [rng.tensor((length, features), dtype, 1, 90) for length in lengths]


@exercise("pad_collate")
class TestPadCollate:
    @pytest.mark.weight(2)
    def test_short_sequences_are_filled_up_with_zeros(self, observe, rng):
        lengths = rng.sizes(4, 1, 8)
        cases = [ragged(rng, lengths, 9), ragged(rng, sorted(lengths), 3), ragged(rng, [5, 2, 5, 2, 3], 4)]
        cases.append(ragged(rng, lengths, 1))
        for seen, sequences in zip(observe(lambda m: [tuple(m.pad_collate(c)) for c in cases]), cases, strict=True):
            judge_batch(seen, sequences)

    def test_the_mask_is_true_where_data_is_even_if_it_is_zero(self, observe, rng):
        lengths = rng.sizes(3, 2, 6)
        sequences = ragged(rng, [*lengths, 7], 2)
        for sequence in sequences:
            sequence[rng.integer(0, len(sequence) - 2)] = 0
            sequence[-1] = 0
        sequences[0][0, 0] = math.nan
        sequences.append(torch.zeros(4, 2))
        judge_batch(observe(lambda m: tuple(m.pad_collate(sequences))), sequences)

    def test_the_order_stays(self, observe, rng):
        first, second, third, fourth = sorted(rng.sizes(4, 1, 8))
        cases = [ragged(rng, [second, first, fourth, third, first], 3), ragged(rng, [first, second, third, fourth], 3)]
        for seen, sequences in zip(observe(lambda m: [tuple(m.pad_collate(c)) for c in cases]), cases, strict=True):
            judge_batch(seen, sequences)

    def test_sequences_of_length_zero(self, observe, rng):
        a, b, features = rng.sizes(3, 2, 6)
        cases = [ragged(rng, lengths, features) for lengths in ([a, 0, b], [0, a], [0, 0, 0], [0])]
        for seen, sequences in zip(observe(lambda m: [tuple(m.pad_collate(c)) for c in cases]), cases, strict=True):
            judge_batch(seen, sequences)

    def test_keeps_the_dtype(self, observe, rng):
        dtypes = (torch.float64, torch.int64, torch.float16, torch.uint8, torch.bfloat16, torch.int32)
        lengths, features = rng.sizes(3, 1, 6), rng.integer(2, 5)
        cases = [ragged(rng, lengths, features, dtype) for dtype in dtypes]
        cases[1][0][0, 0] = 2**53 + 1
        seen = observe(lambda m: [tuple(m.pad_collate(c)) for c in cases])
        for one, sequences in zip(seen, cases, strict=True):
            judge_batch(one, sequences, f"`pad_collate` of {sequences[0].dtype} sequences")

    def test_sequences_stay_as_they_are(self, observe, rng):
        lengths, features = rng.sizes(3, 2, 6), rng.integer(2, 5)
        views = [rng.strided((length, features), low=1) for length in lengths]
        alone = [rng.tensor((lengths[0], features), low=1)]
        same = [rng.tensor((lengths[1], features), low=1) for _ in range(3)]

        def probe(m):
            seen = []
            for sequences in (views, alone, same):
                given = list(sequences)
                out = tuple(m.pad_collate(given))
                kept = tuple(part.clone() for part in out)
                out[0].fill_(-5)
                seen.append({"out": kept, "given": given})
            return seen

        for one, sequences in zip(observe(probe), (views, alone, same), strict=True):
            judge_batch(one["out"], sequences)
            assert_equal(len(one["given"]), len(sequences), "the number of sequences in the list, afterwards,")
            for after, sequence in zip(one["given"], sequences, strict=True):
                note = "It should be neither changed nor shared with the batch."
                assert_tensor(after, sequence, "a sequence, once `x` is overwritten,", rtol=0, atol=0, note=note)

    def test_each_batch_is_as_long_as_its_own_longest(self, observe, rng):
        lengths = [8, *rng.sizes(3, 1, 5)]
        sequences = ragged(rng, [*lengths, 3, 6, 2], 3)
        # The last one has the shape of the first: whoever keeps a batch must find it as it was.
        groups = [sequences[:3], sequences[3:5], sequences[5:], ragged(rng, [lengths[2], 8, 1], 3)]
        for seen, group in zip(observe(lambda m: [tuple(m.pad_collate(g)) for g in groups]), groups, strict=True):
            judge_batch(seen, group)

    def test_works_in_a_loader_with_workers(self, observe, rng):
        lengths, size = rng.sizes(7, 0, 9), rng.choice([3, 5])
        sequences = ragged(rng, lengths, 2)

        def probe(m):
            here = tuple(m.pad_collate(sequences[:size]))
            loader = torch.utils.data.DataLoader(sequences, batch_size=size, collate_fn=m.pad_collate, num_workers=2)
            return {"here": here, "batches": [tuple(part.clone() for part in batch) for batch in loader]}

        groups = [sequences[at : at + size] for at in range(0, 7, size)]
        seen = observe(probe)
        judge_batch(seen.here, groups[0])
        what = "the number of batches of a DataLoader with `collate_fn=pad_collate`"
        assert_equal(len(seen.batches), len(groups), what)
        for one, group in zip(seen.batches, groups, strict=True):
            judge_batch(one, group, "a DataLoader with two workers and `collate_fn=pad_collate`,")
