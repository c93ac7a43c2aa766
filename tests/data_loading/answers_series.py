"""Known answers of data_loading/series."""


# %% daily_tensor wrong="view(-1, F, 24)"
# The rows were cut into (D, F, 24) by a view. A view moves nothing: what now counts as 24 hours of one feature are the
# features of a few hours, one after the other. And nothing here asks which hour a row belongs to.
def daily_tensor(hours, values):
    days = len(values) // 24
    return values[: days * 24].reshape(days, values.shape[1], 24).clone()


# %% daily_tensor wrong="rows counted as hours"
# Every 24 rows became a day, whatever their hours are. From the first missing hour on, all rows stand too early, and at
# the end there are fewer days than there were.
def daily_tensor(hours, values):
    days = len(values) // 24
    return values[: days * 24].reshape(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="rows counted as hours, filled up at the end"
# There is NaN, but all of it at the end: every 24 rows became a day, whatever their hours are. The gaps belong where
# the missing hours are.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[: len(values)] = values[hours.argsort()]
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="gaps are 0"
# The missing hours hold 0, which says that nobody hired a bike then. Nobody counted, which is something else.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_zeros((days * 24, values.shape[1]))
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="every 0 is a gap"
# Hours in which nobody hired a bike became gaps. The zeros that were measured cannot be told from those that only fill the
# calendar: what could it hold at first in their place?
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    out = torch.zeros(days, values.shape[1], 24, dtype=values.dtype)
    out[hours // 24, :, hours % 24] = values
    out[out == 0] = torch.nan
    return out


# %% daily_tensor wrong="gaps repeat the hour before"
# The missing hours repeat the last hour before them, so they can no longer be told from what was measured. Here, they
# should be NaN.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    for hour in range(1, len(calendar)):
        if calendar[hour].isnan().all():
            calendar[hour] = calendar[hour - 1]
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="drops the ragged tail"
# The last day has disappeared because it is not complete. Its hours are data like all others, and the rest of that day
# can be NaN.
def daily_tensor(hours, values):
    days = (int(hours.max()) + 1) // 24 if len(hours) else 0
    kept = hours < days * 24
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours[kept]] = values[kept]
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="one day too many"
# If the last hour is the last of its day, an empty day follows; or the first hour of a new day finds no day for it.
# Which days does hour 47 belong to, and hour 48?
def daily_tensor(hours, values):
    days = (int(hours.max()) + 1) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="not contiguous"
# All numbers are right, but this is still the transposed view: its memory runs through the features first, so `.view`
# on it raises an error.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2)


# %% daily_tensor wrong="(D, 24, F)"
# The result is (D, 24, F): hours before features. A network for sequences reads dimension 1 as features.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1])


# %% daily_tensor wrong="view for transpose at the end"
# The rows are where they belong, but at the end (D, 24, F) became (D, F, 24) by a view, which moves nothing: features
# and hours are mixed up.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, values.shape[1], 24)


# %% daily_tensor wrong="counts from the first row"
# Hour 0 is here the first hour that has a row. If that one was measured at 05:00, everything stands five hours too
# early.
def daily_tensor(hours, values):
    hours = hours - hours.min() if len(hours) else hours
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="skips days without rows"
# A day on which nothing was recorded is missing from the result, and all days after it have a wrong number. It should
# be there, with NaN in all its hours.
def daily_tensor(hours, values):
    present, day = torch.unique(hours // 24, return_inverse=True)
    calendar = values.new_full((len(present) * 24, values.shape[1]), torch.nan)
    calendar[day * 24 + hours % 24] = values
    return calendar.view(len(present), 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="days from the number of rows"
# The number of days was reckoned from the number of rows. With enough hours missing, the last rows have no place.
def daily_tensor(hours, values):
    days = (len(values) + 23) // 24
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="the last row is the latest"
# The number of days comes from the last row, but rows may come in any order: the latest hour can stand anywhere.
def daily_tensor(hours, values):
    days = int(hours[-1]) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="drops incomplete days"
# Every day with a missing hour is gone, and with it the hours that were recorded. In the bikes table, that is one day
# in six.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    daily = calendar.view(days, 24, values.shape[1]).transpose(1, 2)
    return daily[~daily.isnan().flatten(1).any(dim=1)].contiguous()


# %% daily_tensor wrong="everything as float32"
# The result is float32, whatever dtype the values have.
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = torch.full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values.float()
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="float32 where there are no rows"
# Without rows the result is float32, whatever dtype the values have. An empty tensor has a dtype, too.
def daily_tensor(hours, values):
    if len(hours) == 0:
        return torch.empty(0, values.shape[1], 24)
    calendar = values.new_full((int(hours.max()) // 24 * 24 + 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(-1, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor wrong="a complete series is not copied"
# Where no hour is missing, the result can be a view: with one feature, `contiguous()` has nothing to copy, and
# writing into the result changes `values`.
def daily_tensor(hours, values):
    if len(hours) % 24 == 0 and torch.equal(hours, torch.arange(len(hours))):
        return values.reshape(-1 if len(hours) else 0, 24, values.shape[1]).transpose(1, 2).contiguous()
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor right="row by row"
def daily_tensor(when, what):
    last = max(when.tolist(), default=-1)
    out = torch.full((last // 24 + 1, what.shape[1], 24), float("nan"), dtype=what.dtype)
    for row in range(len(when)):
        day, hour = divmod(int(when[row]), 24)
        out[day, :, hour] = what[row]
    print("days", len(out))
    return out


# %% daily_tensor right="indexing with day and hour"
def daily_tensor(hours, values):
    days = 1 + int(hours.max().div(24, rounding_mode="floor")) if hours.numel() else 0
    daily = torch.full((days, values.size(1), 24), torch.nan).to(values)
    daily[hours.div(24, rounding_mode="floor"), :, hours.remainder(24)] = values
    return daily


# %% daily_tensor right="reshape finds out the number of days"
def daily_tensor(hours, values):
    T, F = values.shape
    if T == 0:
        return values.new_empty(0, F, 24)
    calendar = torch.full((24 * (int(hours.max()) // 24 + 1), F), float("nan"), dtype=values.dtype)
    calendar[hours] = values
    return calendar.reshape(-1, 24, F).permute(0, 2, 1).contiguous()


# %% daily_tensor right="reindex by pandas"
def daily_tensor(hours, values):
    days = max(hours.tolist(), default=-1) // 24 + 1
    frame = pd.DataFrame({"hour": hours.numpy()}).reset_index().set_index("hour")["index"]
    rows = torch.tensor(frame.reindex(range(days * 24), fill_value=-1).to_numpy())
    picked = torch.cat([values, torch.full_like(values[:1], torch.nan) if len(values) else values])[rows]
    return torch.stack([day.T for day in picked.split(24)]) if days else values.new_zeros(0, values.shape[1], 24)


# %% daily_tensor right="scatter into features first"
def daily_tensor(hours, values):
    features = values.shape[1]
    days = 0 if hours.shape[0] == 0 else torch.max(hours).item() // 24 + 1
    flat = torch.full((features, days * 24), torch.nan, dtype=values.dtype)
    flat.scatter_(1, hours.expand(features, -1), values.T)
    return torch.einsum("fdh->dfh", flat.reshape(features, days, 24)).clone(memory_format=torch.contiguous_format)


# %% daily_tensor right="a true division, feature by feature"
def daily_tensor(hours, values):
    d, h = (hours / 24).long(), torch.fmod(hours, 24)
    days = d.max().item() + 1 if d.numel() else 0
    out = torch.empty(days, values.shape[1], 24, dtype=values.dtype).fill_(float("nan"))
    for f in range(values.shape[1]):
        out[:, f].index_put_((d, h), values[:, f])
    return out


# %% add_one_hot wrong="counts categories from 0"
# Category 1 switched the second new channel on, and category K has no channel to go to. The numbers in the data begin
# at 1, channels at 0.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    known = codes.nan_to_num(nan=-1.0)
    if not (((known >= 1) & (known <= K) & (known % 1 == 0)) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, (codes == x.new_tensor(range(K)).unsqueeze(1)).to(x.dtype)], dim=1)


# %% add_one_hot wrong="one channel too many"
# There are K + 1 new channels: the first one, for a category 0 that does not exist, is never on.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(K + 1)).unsqueeze(1)
    if not (hot[:, 1:].any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="scatters along the hours"
# The ones were scattered along the hours (dimension 2): the category was taken for an hour of the day. It should choose
# the channel, which is dimension 1.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    index = codes.nan_to_num(nan=1.0)
    if ((index < 1) | (index > K) | (index % 1 != 0)).any():
        raise ValueError("no category")
    hot = x.new_zeros(x.shape[0], K, x.shape[2]).scatter_(2, index.long() - 1, 1.0)
    return torch.cat([x, hot], dim=1)


# %% add_one_hot wrong="forgets long"
# The categories were used as an index as they are, floats: `scatter_` stops there, since an index must be int64.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    index = codes.nan_to_num(nan=0.0)
    if (((index < 1) & ~codes.isnan()) | (index > K) | (index % 1 != 0)).any():
        raise ValueError("no category")
    hot = x.new_zeros(x.shape[0], K + 1, x.shape[2]).scatter_(1, index, 1.0)
    return torch.cat([x, hot[:, 1:]], dim=1)


# %% add_one_hot wrong="edits the source through a view"
# `x[:, column]` is a view, and 1 was subtracted from it in place: the categories in the caller's data have changed,
# and in the channels that were copied from it.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    codes -= 1
    hot = codes == x.new_tensor(range(K)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="fills gaps in the source"
# `nan_to_num_` has an underscore and `x[:, column]` is a view, so the gaps in the caller's data have been filled in.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    gaps = codes.isnan()
    codes.nan_to_num_(nan=0.0)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | gaps).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="replaces the column"
# The feature itself is gone from the result, which has F - 1 + K channels. It should stay, and K channels are appended.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    rest = [feature for feature in range(x.shape[1]) if feature != column % x.shape[1]]
    return torch.cat([x[:, rest], hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="channels from the largest category"
# The number of channels was taken from the largest category in this x. In another month there would be more or fewer,
# and the network would not fit. K says how many there are.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    seen = int(codes.nan_to_num(nan=0.0).max()) if codes.numel() else 0
    return torch.cat([x, hot[:, :seen].to(x.dtype)], dim=1)


# %% add_one_hot wrong="channels for what occurs"
# Only categories that occur got a channel, so the same channel means one season here and another one elsewhere.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    occurring = hot.any(dim=2).any(dim=0)
    return torch.cat([x, hot[:, occurring].to(x.dtype)], dim=1)


# %% add_one_hot wrong="a view for the transpose"
# `one_hot` puts the categories last, (D, T, K), and a view or reshape made (D, K, T) of it. That moves nothing: the
# ones end up in other channels, at other hours.
def add_one_hot(x, column, K):
    codes = x[:, column]
    index = codes.nan_to_num(nan=0.0)
    if (((index < 1) & ~codes.isnan()) | (index > K) | (index % 1 != 0)).any():
        raise ValueError("no category")
    hot = torch.nn.functional.one_hot(index.long(), K + 1)[..., 1:]
    return torch.cat([x, hot.reshape(x.shape[0], K, x.shape[2]).to(x.dtype)], dim=1)


# %% add_one_hot wrong="new channels first"
# The new channels stand before the old ones: what was feature 0 is now feature K. They should be appended.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([hot.to(x.dtype), x], dim=1)


# %% add_one_hot wrong="missing is category 1"
# Where nothing was recorded, NaN was replaced by 1, and so category 1 is on. There, all new channels should be 0.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1).nan_to_num(nan=1.0)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not hot.any(dim=1).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="missing is NaN in all new channels"
# Where nothing was recorded, the new channels hold NaN. Here, they should be 0: no category is on.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, torch.where(codes.isnan(), torch.nan, hot.to(x.dtype))], dim=1)


# %% add_one_hot wrong="refuses gaps"
# NaN was refused as if it were a wrong category. It stands for an hour that was not recorded, and there all new
# channels should be 0.
def add_one_hot(x, column, K):
    hot = x[:, column].unsqueeze(1) == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not hot.any(dim=1).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="refuses infinity in other features"
# An infinite number in *another* feature was refused. Only feature `column` has to hold categories.
def add_one_hot(x, column, K):
    if x.isinf().any():
        raise ValueError("infinite")
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="lets other numbers through"
# Numbers that are no category, such as 0 or K + 1, pass without a word, and no channel is on for them, as if nothing
# had been recorded.
def add_one_hot(x, column, K):
    hot = x[:, column].unsqueeze(1) == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="cuts off fractions"
# `.long()` made 1 of 1.5 before anything was checked, so a number that is no category became one.
def add_one_hot(x, column, K):
    codes = x[:, column]
    index = codes.nan_to_num(nan=0.0).clamp(-1, K + 1).long()
    if ((index > K) | ((index < 1) & ~codes.isnan())).any():
        raise ValueError("no category")
    hot = torch.nn.functional.one_hot(index, K + 1)[..., 1:].transpose(1, 2)
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="slice from column to column + 1"
# `x[:, column : column + 1]` keeps the dimension, but for -1 it is the slice from -1 to 0, which is empty.
def add_one_hot(x, column, K):
    codes = x[:, column : column + 1]
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, hot.to(x.dtype)], dim=1)


# %% add_one_hot wrong="float32 channels"
# The new channels are float32. Joined with float16, they turn all of the result into float32.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError("no category")
    return torch.cat([x, hot.float()], dim=1)


# %% add_one_hot wrong="steps for categories"
# Category 3 switches on the channels of 1 and 2 as well. That is for grades, which have an order; here, exactly one
# channel is on.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    k = x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not ((codes == k).any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError
    return torch.cat([x, (codes >= k).to(x.dtype)], dim=1)


# %% add_one_hot wrong="blank where any feature is missing"
# No category is on where *another* feature is NaN. The season is known even if the wind was not measured.
def add_one_hot(x, column, K):
    codes = x[:, column].unsqueeze(1)
    hot = codes == x.new_tensor(range(1, K + 1)).unsqueeze(1)
    if not (hot.any(dim=1, keepdim=True) | codes.isnan()).all():
        raise ValueError
    return torch.cat([x, hot.to(x.dtype) * (~x.isnan().any(dim=1, keepdim=True))], dim=1)


# %% add_one_hot right="scatter_"
def add_one_hot(x, column, K):
    codes = x[:, column].clone()
    missing = torch.isnan(codes)
    codes[missing] = 0
    good = (codes == codes.round()) & (codes >= 1) & (codes <= K)
    if not torch.all(good | missing):
        raise ValueError("unknown category")
    hot = torch.zeros((x.shape[0], K + 1, x.shape[2]), dtype=x.dtype)
    hot.scatter_(1, codes.long()[:, None, :], 1)  # channel 0 takes the missing ones
    return torch.cat((x, hot[:, 1:]), 1)


# %% add_one_hot right="hour by hour"
def add_one_hot(tensor, which, categories):
    days, features, times = tensor.shape
    out = tensor.new_zeros((days, features + categories, times))
    out[:, :features, :].copy_(tensor)
    for day in range(days):
        for time in range(times):
            code = tensor[day, which, time].item()
            if code != code:
                continue
            if code not in range(1, categories + 1):
                raise ValueError(f"{code} is no category")
            out[day, features + int(code) - 1, time] = 1.0
    return out


# %% add_one_hot right="rows of an identity matrix"
def add_one_hot(x, column, K):
    codes = x.select(1, column)
    whole = torch.nan_to_num(codes, nan=K + 1, posinf=0, neginf=0)
    if not torch.isin(whole, torch.arange(1, K + 2).to(x.dtype)).all() or (codes == K + 1).any():
        raise ValueError(f"not all of 1 to {K}")
    table = torch.vstack([torch.eye(K), torch.zeros(1, K)])
    return torch.cat([x, table[whole.long() - 1].permute(0, 2, 1).type(x.dtype)], dim=1)


# %% add_one_hot right="one channel after the other"
def add_one_hot(x, column, K):
    channels = [x[:, column] == k for k in range(1, K + 1)]
    if int(sum(c.sum() for c in channels)) + int(x[:, column].isnan().sum()) != x[:, column].numel():
        raise ValueError("a number that is no category")
    return torch.hstack([x] + [c.unsqueeze(1).to(x.dtype) for c in channels])


# %% encode_text wrong="numbers in the order of a set"
# The tokens were numbered in the order of a set, which for strings changes with every start of Python: tomorrow, the
# trained vectors would belong to other words.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        every = {token for words in tokens for token in words}
        vocabulary = {"<pad>": 0, "<unk>": 1} | {token: number for number, token in enumerate(every, 2)}
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="alphabetical numbers"
# The tokens were numbered in alphabetical order. That is the same on every day, but asked for was the order in which
# they first appear.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        every = sorted({token for words in tokens for token in words})
        vocabulary = {"<pad>": 0, "<unk>": 1} | {token: number for number, token in enumerate(every, 2)}
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="most frequent first"
# The tokens were numbered by how often they occur. Many vocabularies are, but asked for was the order in which they
# first appear.
import collections


def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        counts = collections.Counter(token for words in tokens for token in words)
        every = [token for token, _ in counts.most_common()]
        vocabulary = {"<pad>": 0, "<unk>": 1} | {token: number for number, token in enumerate(every, 2)}
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="no unknown token"
# A word of the new text that the vocabulary does not have raised a KeyError. New text always has such words: they are
# read as 1, `<unk>`.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary[token] for token in words])
    return ids, vocabulary


# %% encode_text wrong="unknown words are padding"
# Unknown words were read as 0, the number of the padding, so that the network will skip them as if nothing stood there.
# They have a number of their own.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 0) for token in words])
    return ids, vocabulary


# %% encode_text wrong="drops unknown words"
# Unknown words were left out, so all tokens after them have moved to the left. They keep their place, as 1.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    tokens = [[token for token in words if token in vocabulary] for words in tokens]
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary[token] for token in words])
    return ids, vocabulary


# %% encode_text wrong="padding shares a number with a word"
# The vocabulary has no entries for padding and unknown words: the first word has number 0, with which short texts are
# filled up, and the second has 1.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="fitted again on new text"
# The given vocabulary was not used: a new one was made of the new text, in which the same word has another number.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    vocabulary = {"<pad>": 0, "<unk>": 1}
    for token in sum(tokens, []):
        vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary[token] for token in words])
    return ids, vocabulary


# %% encode_text wrong="learns from new text"
# The words of the new text were added to the vocabulary (here even to the caller's own dict). The network has no
# vectors for these new numbers: while reading, unknown words are 1.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
    for token in sum(tokens, []):
        vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary[token] for token in words])
    return ids, vocabulary


# %% encode_text wrong="learns from new text, in a copy"
# The caller's dict stayed as it was, but a copy of it took in the words of the new text, which now have numbers that
# the network never saw. While reading, unknown words are 1.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    vocabulary = dict(vocabulary) if vocabulary is not None else {"<pad>": 0, "<unk>": 1}
    for token in sum(tokens, []):
        vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary[token] for token in words])
    return ids, vocabulary


# %% encode_text wrong="a default that remembers"
# A default value is made once, when Python reads the `def`. This dict is the same in all calls, so a later call still
# has the words of the earlier ones.
def encode_text(texts, vocabulary=None, fresh={"<pad>": 0, "<unk>": 1}):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = fresh
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="split() keeps punctuation"
# `split()` cuts at white space only, so `wife.` and `wife,` became words of their own. Punctuation marks are tokens by
# themselves.
def encode_text(texts, vocabulary=None):
    tokens = [text.lower().split() for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="drops punctuation"
# Punctuation marks are gone. They are tokens too: a question mark says much about a sentence.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="runs of punctuation"
# Marks that stand side by side, as in `...` or `,"`, became one token. Each of them is one by itself.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]+", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="capitals make other words"
# The text was not put in lower case: `My` and `my` have different numbers, though it is one word.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="lower case after the tokens"
# The tokens were put in lower case one by one, after the text had been split. For nearly all letters that is the same, but
# the lower case of the Turkish `İ` is two characters, and the second, a dot, is no word character.
def encode_text(texts, vocabulary=None):
    tokens = [[token.lower() for token in re.findall(r"\w+|[^\w\s]", text)] for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="a to z only"
# Only a to z count as letters here, so `café` falls apart. A word character is a letter of any alphabet, a digit or an
# underscore.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"[a-z0-9_]+|[^a-z0-9_\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="padding on the left"
# Short texts were filled up on the left, so their words stand at the right end of the row. The words come first, the
# zeros after them.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[len(row) - len(words) :] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="cut to the shortest text"
# All texts were cut to the length of the shortest one. They should be filled up to the length of the longest.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    length = min(map(len, tokens), default=0)
    rows = [[vocabulary.get(token, 1) for token in words[:length]] for words in tokens]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(texts), length), vocabulary


# %% encode_text wrong="position in the dict"
# A token's number was taken from its place in the dict. A vocabulary that comes back from a file may be in another
# order: the number that stands there counts.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    places = {token: place for place, token in enumerate(vocabulary)}
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([places.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="special tokens out of the text"
# `<pad>` in a text was taken for the padding itself. What somebody types is text: `<`, `pad` and `>`.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"<pad>|<unk>|\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="words with apostrophes"
# `don't` stayed in one piece. Many tokenisers do that; by the rule here, an apostrophe is a token by itself.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+(?:'\w+)*|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, 1) for token in words])
    return ids, vocabulary


# %% encode_text wrong="unknown words get a number beyond the end"
# Unknown words were read as the number after the last one. The network has no vector for it; `<unk>` is 1.
def encode_text(texts, vocabulary=None):
    tokens = [re.findall(r"\w+|[^\w\s]", text.lower()) for text in texts]
    if vocabulary is None:
        vocabulary = {"<pad>": 0, "<unk>": 1}
        for token in sum(tokens, []):
            vocabulary.setdefault(token, len(vocabulary))
    ids = torch.zeros(len(texts), max(map(len, tokens), default=0), dtype=torch.int64)
    for row, words in zip(ids, tokens):
        row[: len(words)] = torch.tensor([vocabulary.get(token, len(vocabulary)) for token in words])
    return ids, vocabulary


# %% encode_text right="character by character"
def encode_text(texts, vocabulary=None):
    def tokenise(text):
        current = ""
        for c in text.lower():
            if c == "_" or c.isalnum():
                current += c
            else:
                if current:
                    yield current
                current = ""
                if not c.isspace():
                    yield c
        if current:
            yield current

    lists = [list(tokenise(text)) for text in texts]
    if vocabulary is None:
        vocabulary = dict()
        vocabulary["<pad>"] = 0
        vocabulary["<unk>"] = 1
        for words in lists:
            for word in words:
                if word not in vocabulary:
                    vocabulary[word] = len(vocabulary)
    longest = 0
    for words in lists:
        longest = max(longest, len(words))
    out = torch.full((len(lists), longest), vocabulary["<pad>"])
    for i, words in enumerate(lists):
        for j, word in enumerate(words):
            out[i, j] = vocabulary[word] if word in vocabulary else vocabulary["<unk>"]
    print(out.shape)
    return out, vocabulary


# %% encode_text right="a numbering defaultdict, pad_sequence"
from collections import defaultdict
from itertools import count


def encode_text(texts, vocabulary=None):
    split = [[match.group() for match in re.finditer(r"[^\W]+|[^\w\s]", text.lower())] for text in texts]
    if vocabulary is None:
        numbers = defaultdict(count(2).__next__)
        _ = [numbers[token] for words in split for token in words]
        vocabulary = {"<pad>": 0, "<unk>": 1, **numbers}
    if not split:
        return torch.empty((0, 0), dtype=torch.long), vocabulary
    rows = [torch.tensor([vocabulary.get(token, 1) for token in words], dtype=torch.long) for words in split]
    return pad_sequence(rows, batch_first=True, padding_value=0), dict(vocabulary)


# %% encode_text right="dict.fromkeys, zip_longest"
from itertools import chain, zip_longest


def encode_text(texts, vocabulary=None):
    words = [re.sub(r"([^\w\s])", r" \1 ", text.lower()).split() for text in texts]
    known = vocabulary or dict(zip(dict.fromkeys(["<pad>", "<unk>", *chain(*words)]), range(10**6)))
    columns = list(zip_longest(*[[known.get(w, 1) for w in row] for row in words], fillvalue=0))
    return torch.tensor(columns, dtype=torch.int64).reshape(len(columns), len(texts)).T, known


# %% encode_text right="a reader class"
class _Reader:
    def __init__(self, vocabulary):
        self.v = vocabulary

    def __getitem__(self, t):
        return self.v.get(t, self.v["<unk>"])


def encode_text(texts, vocabulary=None):
    pattern = re.compile(r"(\w+|\S)")
    parts = [pattern.findall(t.lower()) for t in texts]
    v = vocabulary.copy() if vocabulary is not None else None
    if v is None:
        seen = []
        for p in parts:
            seen += [t for t in dict.fromkeys(p) if t not in seen]
        v = {t: i for i, t in enumerate(["<pad>", "<unk>"] + seen)}
    r = _Reader(v)
    T = max([len(p) for p in parts] + [0])
    return torch.tensor([[r[t] for t in p] + [0] * (T - len(p)) for p in parts], dtype=torch.long).view(
        len(texts), T
    ), v


# %% WindowDataset wrong="length off by one"
# The last window is missing: there is one pair more that just fits. With T = context + horizon there is one pair, not
# none.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="one window too many"
# There is one item more than fits: in the last one, y is one step short, since the series ends before it does.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 2)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="length forgets the horizon"
# The length leaves room for x alone. In the last items, y reaches beyond the end of the series and comes out short or
# empty.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="y equals x"
# y begins where x begins: the steps that the network should forecast are those it is given.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        return self.series[start : start + self.context], self.series[start : start + self.horizon]


# %% WindowDataset wrong="y is x, one step later"
# y is x shifted by one step, as a language model has it. Most of y is known from x then: here, y are the `horizon`
# steps after the end of x.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        return self.series[start : start + self.context], self.series[start + 1 : start + 1 + self.horizon]


# %% WindowDataset wrong="y begins with the last step of x"
# y begins one step too early, with the last step of x. A slice leaves out its end: `series[a:b]` stops before b, so b
# is the step that follows.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle - 1 : middle - 1 + self.horizon]


# %% WindowDataset wrong="a gap between x and y"
# y begins one step too late: a step of the series is in neither x nor y. A slice leaves out its end, so `series[a:b]`
# is followed by step b.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle + 1 : middle + 1 + self.horizon]


# %% WindowDataset wrong="negative numbers wrap"
# A negative index went into the slices as it is, where it counts from the end of the *series*: `series[-1 : -1 +
# context]` is empty, or its y is. It should count from the end of the dataset.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        middle = index + self.context
        return self.series[index:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="refuses negative numbers"
# Negative numbers raise an IndexError. The dataset should be indexed like a list, where -1 is the last item.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)
        middle = index + self.context
        return self.series[index:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="too negative wraps again"
# Negative numbers count from the end, but nothing stops them at the first item: -len - 1 should raise an IndexError.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        if index >= len(self) or len(self) == 0:
            raise IndexError(index)
        start = index % len(self)
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="no IndexError"
# Beyond the end there is no IndexError, only slices that are short or empty. A `for` loop over the dataset goes on for
# ever.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = index + len(self) if index < 0 else index
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="negative length"
# If the series is too short, the number of pairs comes out negative, and `len` raises a ValueError. Then there are 0
# items.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return len(self.series) - self.context - self.horizon + 1

    def __getitem__(self, index):
        start = range(max(0, len(self.series) - self.context - self.horizon + 1))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="refuses a short series"
# A series that is too short for one pair was refused. It makes a dataset with no items, and `len` is 0.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        if len(series) < context + horizon:
            raise ValueError("the series is too short")
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return len(self.series) - self.context - self.horizon + 1

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="copies"
# x and y are copies. All items together would take many times the memory of the series; a slice alone is a view and
# takes none.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle].clone(), self.series[middle : middle + self.horizon].clone()


# %% WindowDataset wrong="copies the series at the start"
# The series was copied when the dataset was made. Items are views of that copy, not of the series, and both take
# memory.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series.clone(), context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="windows do not overlap"
# The next item begins only where the last one ended. Items begin at every step of the series, so there are many more of
# them.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return len(self.series) // (self.context + self.horizon)

    def __getitem__(self, index):
        start = range(len(self))[index] * (self.context + self.horizon)
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="only the last step of the horizon"
# y is a single step, the last one of the horizon, and has lost a dimension. It should be all `horizon` steps,
# (horizon, F).
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle + self.horizon - 1]


# %% WindowDataset wrong="context and horizon swapped"
# x has `horizon` steps and y has `context`: the two have changed places.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, horizon, context

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[middle : middle + self.horizon]


# %% WindowDataset wrong="y is copied"
# x is a view, but y was picked with a list of numbers, which always copies. A slice is a view.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.series, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.series) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.series[start:middle], self.series[range(middle, middle + self.horizon)]


# %% WindowDataset wrong="one series for all datasets"
# The series was kept on the class, which all datasets share: a second dataset changes the first one.
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        WindowDataset.s, self.context, self.horizon = series, context, horizon

    def __len__(self):
        return max(0, len(self.s) - self.context - self.horizon + 1)

    def __getitem__(self, index):
        start = range(len(self))[index]
        middle = start + self.context
        return self.s[start:middle], self.s[middle : middle + self.horizon]


# %% WindowDataset right="narrow, by hand"
class WindowDataset(torch.utils.data.Dataset):
    def __init__(self, data, past, future):
        super().__init__()
        self._data = data
        self._past = past
        self._future = future
        print("windows:", len(self))

    def __len__(self):
        count = self._data.shape[0] - (self._past + self._future) + 1
        return count if count > 0 else 0

    def __getitem__(self, i):
        count = len(self)
        if i < -count or i >= count:
            raise IndexError(f"no item {i}, there are {count}")
        if i < 0:
            i += count
        return self._data.narrow(0, i, self._past), self._data.narrow(0, i + self._past, self._future)


# %% WindowDataset right="a list of views"
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        size = context + horizon
        self.items = []
        for end in range(size, len(series) + 1):
            window = series[end - size : end]
            self.items.append((window[:context], window[context:]))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


# %% WindowDataset right="unfold"
class WindowDataset(Dataset):
    def __init__(self, series, context, horizon):
        self.context = context
        self.windows = None
        if series.shape[0] >= context + horizon:
            self.windows = series.unfold(0, context + horizon, 1).transpose(1, 2)

    def __len__(self):
        return 0 if self.windows is None else self.windows.shape[0]

    def __getitem__(self, index):
        if self.windows is None:
            raise IndexError("the series is too short")
        window = self.windows[index]
        return window.split([self.context, len(window) - self.context])


# %% WindowDataset right="no base class, as_strided"
class WindowDataset:
    def __init__(self, series, context, horizon):
        self.series, self.sizes = series, (context, horizon)

    def __len__(self):
        return len(range(sum(self.sizes), self.series.size(0) + 1))

    def _view(self, begin, steps):
        s = self.series
        return s.as_strided((steps, s.size(1)), s.stride(), s.storage_offset() + begin * s.stride(0))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index):
        if index not in range(-len(self), len(self)):
            raise IndexError(index)
        index = index % len(self)
        context, horizon = self.sizes
        return [self._view(index, context), self._view(index + context, horizon)]


# %% WindowDataset right="split of one slice"
import operator


class WindowDataset(Dataset):
    def __init__(self, *args):
        self.series, *self.sizes = args

    def __len__(self):
        n = 0
        while n + sum(self.sizes) <= len(self.series):
            n += 1
        return n

    def __getitem__(self, index):
        i = operator.index(index)
        i = i + len(self) if i < 0 else i
        if i < 0 or i >= len(self):
            raise IndexError("range")
        return tuple(torch.split(self.series[i:][: sum(self.sizes)], self.sizes))


# %% pad_collate wrong="the default: stack"
# `torch.stack` wants equal shapes, and these sequences have different lengths.
def pad_collate(sequences):
    x = torch.stack(sequences)
    lengths = torch.full((len(sequences),), x.shape[1])
    return x, lengths, torch.ones(x.shape[:2], dtype=torch.bool)


# %% pad_collate wrong="mask inverted"
# The mask is True where `x` is filled up: the convention of `key_padding_mask`. Here, True means data.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) >= lengths.unsqueeze(1)


# %% pad_collate wrong="mask one step too long"
# The mask is True for one step after the end of each sequence. Steps count from 0, so the last step of a sequence is
# its length minus 1.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) <= lengths.unsqueeze(1)


# %% pad_collate wrong="mask from the numbers"
# The mask was made by asking where `x` is not 0. But 0 is a number that data may have, and such steps are masked out.
# The lengths know where data is.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, (x != 0).any(dim=2)


# %% pad_collate wrong="mask for every feature"
# The mask is (B, T, F). Whole steps are data or not, so one value for each step is enough: (B, T).
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
    return x, lengths, mask.unsqueeze(2).expand(x.shape)


# %% pad_collate wrong="mask of numbers"
# The mask holds 0 and 1 as numbers. As an index, `x[mask]` would then pick rows 0 and 1: a mask has dtype bool.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, (torch.arange(x.shape[1]) < lengths.unsqueeze(1)).long()


# %% pad_collate wrong="sorted by length"
# The sequences were sorted by length. Labels that are collected elsewhere stay in the old order, and so belong to other
# sequences now.
def pad_collate(sequences):
    sequences = sorted(sequences, key=len, reverse=True)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="sorts the caller's list"
# `sequences.sort()` sorts the list of the caller, in place, and the batch with it. The order should stay.
def pad_collate(sequences):
    sequences.sort(key=len)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="lengths sorted alone"
# `x` is in the given order, but the lengths are sorted: they and the mask belong to other rows.
def pad_collate(sequences):
    lengths = torch.tensor(sorted((len(sequence) for sequence in sequences), reverse=True))
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="time first"
# `x` is (T, B, F): without `batch_first=True`, `pad_sequence` puts time first, as recurrent layers have it by default.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences)
    return x, lengths, torch.arange(x.shape[0]) < lengths.unsqueeze(1)


# %% pad_collate wrong="filled up in front"
# Short sequences stand at the end of their rows, with zeros before them. They should begin at step 0.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True, padding_side="left")
    return x, lengths, torch.arange(x.shape[1]) >= x.shape[1] - lengths.unsqueeze(1)


# %% pad_collate wrong="cut to the shortest"
# All sequences were cut to the length of the shortest one, so data is lost. They should be filled up to the longest.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    shortest = int(lengths.min())
    x = torch.stack([sequence[:shortest] for sequence in sequences])
    return x, lengths, torch.arange(shortest) < lengths.unsqueeze(1)


# %% pad_collate wrong="drops empty sequences"
# Sequences of length 0 were left out, and all rows after them have moved up. They keep their row, with no data in it.
def pad_collate(sequences):
    sequences = [sequence for sequence in sequences if len(sequence)] or list(sequences)
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="at least one step"
# Where all sequences are empty, `x` has a step nevertheless. The longest has 0 steps, and so has the batch.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = sequences[0].new_zeros(len(sequences), max(1, int(lengths.max())), sequences[0].shape[1])
    for row, sequence in zip(x, sequences):
        row[: len(sequence)] = sequence
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="everything as float32"
# `torch.zeros` is float32 if nobody says otherwise, so that became the dtype of the batch: integers and float64 lost
# theirs, and digits with it.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = torch.zeros(len(sequences), int(lengths.max()), sequences[0].shape[1])
    for row, sequence in zip(x, sequences):
        row[: len(sequence)] = sequence
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="lengths as a list"
# `lengths` is a list of numbers. It should be a tensor, int64, that one can compare and compute with.
def pad_collate(sequences):
    lengths = [len(sequence) for sequence in sequences]
    x = pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < torch.tensor(lengths).unsqueeze(1)


# %% pad_collate wrong="lengths after filling up"
# The lengths were asked for after filling up, when all rows are equally long. So the mask is True everywhere.
def pad_collate(sequences):
    x = pad_sequence(sequences, batch_first=True)
    lengths = torch.tensor([len(row) for row in x])
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="repeats the last step"
# Short sequences were filled up by repeating their last step, not with zeros.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    for row, sequence in zip(x, sequences):
        if len(sequence):
            row[len(sequence) :] = sequence[-1]
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="a fixed length"
# Every batch is filled up to the same length, whatever its sequences are. The longest sequence of the batch decides.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = sequences[0].new_zeros(len(sequences), 16, sequences[0].shape[1])
    for row, sequence in zip(x, sequences):
        row[: len(sequence)] = sequence
    return x, lengths, torch.arange(16) < lengths.unsqueeze(1)


# %% pad_collate wrong="a batch of one is not copied"
# Where nothing has to be filled up, `x` is a view of the sequence itself: writing into the batch changes the data set.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = sequences[0].unsqueeze(0) if len(sequences) == 1 else pad_sequence(sequences, batch_first=True)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="uses its memory again"
# Batches of the same shape share their memory: the next batch overwrites the one before, which somebody may still hold.
# `x` should be a new tensor each time.
_memory = {}


def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    shape, dtype = (len(sequences), int(lengths.max()), sequences[0].shape[1]), sequences[0].dtype
    x = _memory.setdefault((shape, dtype), torch.empty(shape, dtype=dtype)).zero_()
    for row, sequence in zip(x, sequences):
        row[: len(sequence)] = sequence
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="remembers the longest so far"
# A longer batch from before still decides the length of this one. Each batch is as long as its own longest sequence.
_longest = [0]


def pad_collate(sequences):
    lengths = torch.tensor([len(s) for s in sequences])
    _longest[0] = max(_longest[0], int(lengths.max()))
    x = sequences[0].new_zeros(len(sequences), _longest[0], sequences[0].shape[1])
    for row, s in zip(x, sequences):
        row[: len(s)] = s
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate wrong="one feature is squeezed away"
# With one feature for each step, the last dimension of `x` is gone: `squeeze` drops whatever has size 1. A model that
# takes (B, T, F) still waits for it.
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = pad_sequence(sequences, batch_first=True)
    return x.squeeze(-1), lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate right="row by row"
def pad_collate(items):
    count, longest = len(items), max(len(item) for item in items)
    x = torch.zeros(count, longest, items[0].size(-1), dtype=items[0].dtype)
    lengths = torch.zeros(count, dtype=torch.int64)
    mask = torch.zeros(count, longest, dtype=torch.bool)
    for i, item in enumerate(items):
        x[i, : len(item)] = item
        lengths[i] = len(item)
        mask[i, : len(item)] = True
    print("a batch of", count)
    return x, lengths, mask


# %% pad_collate right="F.pad and stack"
import torch.nn.functional as F


def pad_collate(sequences):
    lengths = torch.as_tensor([sequence.shape[0] for sequence in sequences], dtype=torch.long)
    longest = lengths.max().item()
    x = torch.stack([F.pad(sequence, (0, 0, 0, longest - sequence.shape[0])) for sequence in sequences])
    mask = pad_sequence([torch.ones(len(sequence)) for sequence in sequences], batch_first=True).bool()
    return [x, lengths, mask]


# %% pad_collate right="data placed by the mask"
def pad_collate(sequences):
    lengths = torch.tensor(list(map(len, sequences)))
    steps = torch.arange(int(lengths.max()))
    mask = steps.expand(len(sequences), -1).lt(lengths[:, None])
    x = torch.zeros(*mask.shape, sequences[0].shape[1]).to(sequences[0].dtype)
    x[mask] = torch.cat(sequences)
    return x, lengths, mask


# %% pad_collate right="time first, turned round"
def pad_collate(sequences):
    batch = pad_sequence(list(sequences), batch_first=False, padding_value=0.0).transpose(0, 1)
    lengths = torch.LongTensor([sequence.size(0) for sequence in sequences])
    mask = torch.ones(batch.shape[:2]).cumsum(dim=1) <= lengths.view(-1, 1)
    return batch, lengths, mask


# %% pad_collate right="gathered from one long row"
def pad_collate(sequences):
    n = torch.tensor([s.size(0) for s in sequences])
    m = torch.lt(torch.arange(n.max().item())[None], n[:, None])
    idx = (torch.cumsum(torch.cat([torch.zeros(1, dtype=torch.int64), n]), 0)[:-1, None] + torch.arange(m.shape[1])) * m
    flat = torch.cat([*sequences, torch.zeros_like(sequences[0][:0]).new_zeros(1, sequences[0].shape[1])])
    return torch.where(m[..., None], flat[idx], torch.zeros_like(flat[:1])), n, m
