# Answers that fail and behave like none of the known ones: no message is right for them.


# %% one_hot unknown="twos for ones"
def one_hot(y, num_classes):
    return torch.zeros(len(y), num_classes).scatter_(1, y.unsqueeze(1), 2.0)


# %% one_hot unknown="zeros for ones"
def one_hot(y, num_classes):
    return torch.ones(len(y), num_classes).scatter_(1, y.unsqueeze(1), 0.0)


# %% one_hot unknown="counts from the end"
def one_hot(y, num_classes):
    return torch.zeros(len(y), num_classes).scatter_(1, (num_classes - 1 - y).unsqueeze(1), 1.0)


# %% read_wine unknown="sorted by class"
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    frame = frame.sort_values(frame.columns[-1])
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    return x, torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64), list(frame.columns[:-1])


# %% read_wine unknown="a row of averages in front"
def read_wine(path):
    frame = pd.read_csv(path, sep=";")
    x = torch.tensor(frame.iloc[:, :-1].to_numpy(), dtype=torch.float32)
    y = torch.tensor(frame.iloc[:, -1].to_numpy(), dtype=torch.int64)
    return torch.cat([x.mean(0, keepdim=True), x]), torch.cat([y[:1], y]), list(frame.columns[:-1])


# %% daily_tensor unknown="gaps are -1"
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), -1)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% daily_tensor unknown="the days in reverse"
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = values.new_full((days * 24, values.shape[1]), torch.nan)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).flip(0).contiguous()


# %% daily_tensor unknown="random numbers in the gaps"
def daily_tensor(hours, values):
    days = int(hours.max()) // 24 + 1 if len(hours) else 0
    calendar = torch.rand((days * 24, values.shape[1])).to(values.dtype)
    calendar[hours] = values
    return calendar.view(days, 24, values.shape[1]).transpose(1, 2).contiguous()


# %% pad_collate unknown="filled up with ones"
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=1)
    return x, lengths, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% pad_collate unknown="lengths one too large"
def pad_collate(sequences):
    lengths = torch.tensor([len(sequence) for sequence in sequences])
    x = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    return x, lengths + 1, torch.arange(x.shape[1]) < lengths.unsqueeze(1)


# %% load_gray16 unknown="a negative"
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return 1 - torch.from_numpy(stored)[None] / (2**bits - 1)
