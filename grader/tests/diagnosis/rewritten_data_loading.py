# Known wrong answers of tests/data_loading written in another way. The label names the one that each behaves like.


# %% one_hot rewritten="int64"
def one_hot(classes, count):
    return torch.nn.functional.one_hot(classes, num_classes=count).to(torch.int64)


# %% one_hot rewritten="rows of the identity"
def one_hot(y, num_classes):
    identity = torch.eye(num_classes)
    return identity.__getitem__(y)


# %% one_hot rewritten="compares, and lets everything through"
def one_hot(y, num_classes):
    columns = torch.arange(num_classes)[None, :]
    return torch.eq(columns, y[:, None]).to(torch.float32)


# %% one_hot rewritten="transposed"
def one_hot(y, num_classes):
    rows = torch.zeros((num_classes, y.numel()))
    return rows.scatter(0, y[None, :], 1.0)


# %% read_wine rewritten="float64"
def read_wine(path):
    table = pd.read_csv(path, delimiter=";")
    names = table.columns.tolist()
    features = torch.from_numpy(table[names[:-1]].to_numpy(dtype="float64", copy=True))
    return features, torch.from_numpy(table[names[-1]].to_numpy(copy=True)), names[:-1]


# %% read_wine rewritten="loses the first wine"
def read_wine(path):
    table = pd.read_csv(path, sep=";").drop(index=0)
    features = table.drop(columns=table.columns[-1])
    classes = torch.tensor(table[table.columns[-1]].to_numpy(), dtype=torch.long)
    return torch.tensor(features.to_numpy(), dtype=torch.float), classes, features.columns.tolist()


# %% read_wine rewritten="the target's name among the names"
def read_wine(path):
    table = pd.read_csv(path, sep=";")
    numbers = table.to_numpy()
    x = torch.tensor(numbers[:, :-1], dtype=torch.float32)
    y = torch.tensor(table[table.columns[-1]].to_numpy(), dtype=torch.int64)
    return x, y, table.columns.tolist()


# %% daily_tensor rewritten="gaps are 0"
def daily_tensor(hours, values):
    days = 0 if len(hours) == 0 else hours.max().item() // 24 + 1
    table = torch.zeros((days * 24, values.shape[1]), dtype=values.dtype)
    table.index_copy_(0, hours, values)
    return table.reshape(days, 24, -1 if days else values.shape[1]).permute(0, 2, 1).contiguous()


# %% daily_tensor rewritten="(D, 24, F)"
def daily_tensor(hours, values):
    days = int(hours.max() // 24) + 1 if hours.numel() else 0
    table = torch.full((days * 24, values.shape[1]), float("nan"), dtype=values.dtype)
    table[hours] = values
    return table.unflatten(0, (days, 24))


# %% daily_tensor rewritten="one day too many"
def daily_tensor(hours, values):
    days = 0
    if hours.numel():
        days = 1 + (hours.max().item() + 1) // 24
    table = torch.full((days, 24, values.shape[1]), float("nan"), dtype=values.dtype)
    table[hours // 24, hours % 24] = values
    return table.movedim(2, 1).contiguous()


# %% pad_collate rewritten="mask inverted"
def pad_collate(batch):
    lengths = torch.tensor(list(map(len, batch)))
    padded = torch.nn.utils.rnn.pad_sequence(batch, batch_first=True)
    mask = torch.arange(padded.size(1))[None] < lengths[:, None]
    return padded, lengths, ~mask


# %% pad_collate rewritten="sorted by length"
def pad_collate(sequences):
    order = sorted(range(len(sequences)), key=lambda place: -len(sequences[place]))
    ordered = [sequences[place] for place in order]
    lengths = torch.tensor([item.shape[0] for item in ordered])
    x = torch.nn.utils.rnn.pad_sequence(ordered, batch_first=True)
    return x, lengths, lengths[:, None] > torch.arange(x.shape[1])


# %% pad_collate rewritten="time first"
def pad_collate(sequences):
    lengths = torch.tensor([item.shape[0] for item in sequences])
    x = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True).transpose(0, 1).contiguous()
    return x, lengths, lengths[:, None] > torch.arange(x.shape[0])[None]


# %% pad_collate rewritten="mask of numbers"
def pad_collate(sequences):
    lengths = torch.tensor([item.shape[0] for item in sequences])
    x = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    mask = torch.zeros(x.shape[:2], dtype=torch.int64)
    for row, length in zip(mask, lengths.tolist()):
        row[:length] = 1
    return x, lengths, mask


# %% load_gray16 rewritten="only mode I;16"
def load_gray16(path, bits):
    picture = Image.open(path)
    if not picture.mode == "I;16":
        raise ValueError("another mode")
    numbers = np.asarray(picture, dtype=np.float32)
    top = 2**bits - 1
    if (numbers < 0).any() or (numbers > top).any():
        raise ValueError("out of range")
    return torch.tensor(numbers).unsqueeze(0) / top


# %% load_gray16 rewritten="does not check the range"
def load_gray16(path, bits):
    with Image.open(path) as picture:
        if picture.mode not in {"I", "I;16", "I;16B"}:
            raise ValueError("another mode")
        numbers = np.array(picture).astype("float32")
    return torch.from_numpy(numbers[np.newaxis]).div(2**bits - 1)
