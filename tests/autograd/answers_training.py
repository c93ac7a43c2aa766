# Known answers of autograd/training: wrong ones with what they mean, and right ones written differently.

# %% train_val_fit wrong="[:-0]"
# With n_val = 0 the training part is empty: `order[:-0]` is `order[:0]`. Cut at n - n_val, or cut the validation rows
# from the front.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    train, val = order[:-n_val], order[-n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="scale of all rows"
# `mean` and `std` are those of all rows, so the validation rows had a say in how inputs are scaled. That is a leak:
# take them from the training part.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x.mean(0), x.std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="a scale of its own for validation"
# The validation part was scaled by its own mean and deviation, so the model sees it on another scale than the one it
# was trained on. `mean` and `std` of the training part are for both.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            own_std = x[val].std(0, correction=0)
            own = (x[val] - x[val].mean(0)) / torch.where(own_std == 0, 1.0, own_std)
            val_losses.append(nn.functional.mse_loss(model(own), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="validation in the graph"
# The validation losses are right, but the model's output for those rows requires a gradient: a graph was built and
# thrown away. What is only looked at belongs inside `torch.no_grad()`; a `.detach()` or `.item()` on the output comes
# too late.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        if True:
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="all rows through the model in each step"
# In each step all rows pass through the model, and the training rows are picked from its output. The numbers come out
# right, but a graph is built for the validation rows as well.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z)[batch], y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="trains on validation rows too"
# The steps were made on all rows, those held back included, so the validation loss says nothing about new data.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in torch.cat([train, val]).split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="parts overlap"
# Some rows are in both parts: two orders were drawn, one for each part. Draw one order and cut it.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val = order[:n_val]
    train = torch.randperm(n, generator=torch.Generator().manual_seed(seed + 1))[: n - n_val]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="the global generator"
# `torch.manual_seed` sets the generator that everybody uses, so whatever draws numbers after this call gets others
# than before. A `torch.Generator` of your own disturbs nobody.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    torch.manual_seed(seed)
    order = torch.randperm(n)
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="ignores the seed"
# The split comes from the global generator: the same seed gives another split each time.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n)
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="the last rows are held back"
# Which rows are held back does not depend on the seed: always the same ones at one end. Data is often sorted, and then
# that part is unlike the rest.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.arange(n)
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="training rows in order"
# `train_index` goes upwards: the training rows were sorted after the split, so the batches are neighbours in the data,
# and each step sees a few of a kind. They are taken in random order.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:].sort().values
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="a new order in each epoch"
# The batches are not those of `train_index`: it was shuffled anew in each epoch. That is often done, but here one
# order is used throughout.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        mixed = train[torch.randperm(len(train), generator=torch.Generator().manual_seed(len(val_losses)))]
        for batch in mixed.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="rounds down"
# The validation part is one row short where `fraction * N` ends above a half: `int` cuts off, `round` rounds.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = int(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="the fraction is the training part"
# The parts are swapped: `fraction` is the share of the rows that are held back for validation.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    train, val = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="N - 1 in the deviation"
# `std` divides by N - 1, torch's default, and not by N: say `correction=0`. For a single training row it gives NaN.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="a tiny number in place of 0"
# A column that is constant in the training part was divided by nearly nothing, so a validation row that differs there
# became enormous. Where the deviation is 0, std is 1.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = std.clamp_min(1e-8)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="divides by zero"
# A column that is constant in the training part has deviation 0, and the division gave NaN. std is 1 there.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="gradients accumulate"
# The gradients of earlier batches are still in `.grad` when a step is made, so the steps are not those of their batch.
# Zero them before `backward`.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="zeroes once per epoch"
# The gradients are zeroed at the start of an epoch only: its second step is made with the gradients of two batches.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        optimizer.zero_grad()
        for batch in train.split(batch_size):
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="drops the smaller last batch"
# Rows that do not fill a batch are left out of training. The last batch may be smaller.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in [b for b in train.split(batch_size) if len(b) == batch_size]:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="one step for the whole part"
# One step per epoch, on all training rows at once: `batch_size` was ignored. Stochastic gradient descent makes a step
# for each batch.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in [train]:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="training loss of the last batch"
# The training loss noted is that of the last batch, before its step. Noted is the loss of the whole training part
# after the epoch.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(loss.item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="mean of the batch losses"
# The training loss noted is the mean over the batches, each at other parameters and the last one smaller. Noted is the
# loss of the whole part, after the epoch.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        seen = []
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        with torch.no_grad():
            train_losses.append(sum(seen) / len(seen))
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="losses before the epoch"
# The losses are one epoch late: they were noted before the steps of their epoch.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            nn.functional.mse_loss(model(z[batch]), y[batch]).backward()
            optimizer.step()
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="losses are tensors"
# The losses are tensors. `.item()` makes the Python floats that are asked for.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]))
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="targets scaled too"
# The targets were standardised as well, so all losses are on another scale. Only inputs are scaled.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    y = (y - y[train].mean(0)) / (y[train].std(0) + 1e-8)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="scales in place"
# `x` is different afterwards: `-=` and `/=` write into the caller's tensor.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = x
    z -= mean
    z /= std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="no rows left is let through"
# With nothing left to train on (or a negative fraction) it went on as if all were well, where a ValueError is asked
# for.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    n_val = min(max(n_val, 0), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="at least one row held back"
# A fraction of 0 holds nothing back, yet one row was taken away from training.
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = max(round(fraction * n), 1) if n > 1 else 0
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for batch in train.split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(z[batch]), y[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit wrong="a DataLoader without a generator"
# The global generator stands elsewhere after training. Each time somebody goes through a DataLoader, it draws a
# starting seed for workers, even without shuffling and without workers; from which generator does it draw it?
from torch.utils.data import DataLoader, TensorDataset


def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n = len(x)
    n_val = round(fraction * n)
    if fraction < 0 or n_val >= n:
        raise ValueError("nothing left to train on")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    val, train = order[:n_val], order[n_val:]
    mean, std = x[train].mean(0), x[train].std(0, correction=0)
    std = torch.where(std == 0, 1.0, std)
    z = (x - mean) / std
    loader = DataLoader(TensorDataset(z[train], y[train]), batch_size=batch_size)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    train_losses, val_losses = [], []
    for _ in range(epochs):
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(inputs), targets)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            train_losses.append(nn.functional.mse_loss(model(z[train]), y[train]).item())
            val_losses.append(nn.functional.mse_loss(model(z[val]), y[val]).item())
    return Fit(train, val, mean, std, train_losses, val_losses)

# %% train_val_fit right="steps by hand, lists of numbers"
def train_val_fit(net, inputs, targets, share, seed, size, rate, epochs):
    import random

    n = inputs.shape[0]
    held = int(share * n + 0.5) if share >= 0 else -1
    if not 0 <= held < n:
        raise ValueError(f"cannot hold back {held} of {n} rows")
    rows = list(range(n))
    random.Random(seed).shuffle(rows)
    train_rows, val_rows = rows[: n - held], rows[n - held :]
    known = inputs[train_rows]
    mean = known.mean(dim=0)
    std = ((known - mean) ** 2).mean(dim=0).sqrt()
    std[std == 0] = 1
    x_train, x_val = (known - mean) / std, (inputs[val_rows] - mean) / std
    y_train, y_val = targets[train_rows], targets[val_rows]
    losses = {"train": [], "val": []}
    for epoch in range(epochs):
        for start in range(0, len(x_train), size):
            error = net(x_train[start : start + size]) - y_train[start : start + size]
            grads = torch.autograd.grad(error.square().mean(), list(net.parameters()))
            with torch.no_grad():
                for parameter, grad in zip(net.parameters(), grads):
                    parameter.sub_(rate * grad)
        with torch.inference_mode():
            losses["train"].append(float((net(x_train) - y_train).square().mean()))
            losses["val"].append(float((net(x_val) - y_val).square().mean()) if held else float("nan"))
        print("epoch", epoch, losses["train"][-1])
    as_index = lambda rows: torch.tensor(rows, dtype=torch.int64)
    return Fit(as_index(train_rows), as_index(val_rows), mean, std, losses["train"], losses["val"])

# %% train_val_fit right="a DataLoader and a mask"
from torch.utils.data import DataLoader, TensorDataset


def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    n_val = round(fraction * len(x))
    if fraction < 0:
        raise ValueError("negative fraction")
    if len(x) - n_val < 1:
        raise ValueError("no training rows")
    generator = torch.Generator()
    generator.manual_seed(seed)
    keys = torch.rand(len(x), generator=generator)
    order = keys.argsort()
    is_val = torch.zeros(len(x), dtype=torch.bool)
    is_val[order[len(x) - n_val :]] = True
    train = order[: len(x) - n_val]
    val = is_val.nonzero().flatten()
    mean = x[~is_val].mean(0)
    std = x[~is_val].var(0, unbiased=False).sqrt()
    std = std.masked_fill(std == 0, 1.0)

    def scaled(rows):
        return (x[rows] - mean) / std

    loader = DataLoader(TensorDataset(scaled(train), y[train]), batch_size=batch_size, generator=torch.Generator())
    optimizer = torch.optim.SGD(model.parameters(), lr)
    loss_fn = nn.MSELoss()
    noted = [], []
    for _ in range(epochs):
        model.train()
        for batch_x, batch_y in loader:
            loss = loss_fn(model(batch_x), batch_y)
            optimizer.zero_grad(set_to_none=False)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.set_grad_enabled(False):
            for losses, rows in zip(noted, (train, val)):
                losses.append(loss_fn(model(scaled(rows)), y[rows]).item())
    return Fit(train_index=train, val_index=val, mean=mean, std=std, train_losses=noted[0], val_losses=noted[1])

# %% train_val_fit right="NumPy's order, row by row"
def train_val_fit(model, x, y, fraction, seed, batch_size, lr, epochs):
    import numpy as np

    n = len(x)
    n_val = int(np.rint(fraction * n))
    if n_val >= n or fraction < 0.0:
        raise ValueError(fraction)
    order = np.random.default_rng(seed).permutation(n)
    parts = torch.from_numpy(order[n_val:].astype(np.int64)), torch.from_numpy(order[:n_val].astype(np.int64))
    rows = x.numpy()[order[n_val:]]
    mean = torch.from_numpy(np.mean(rows, axis=0, dtype=np.float64)).to(x.dtype)
    std = torch.from_numpy(np.std(rows, axis=0, dtype=np.float64)).to(x.dtype)
    std[torch.from_numpy((rows == rows[:1]).all(axis=0))] = 1.0
    fit = Fit(*parts, mean, std, [], [])

    def total(index):
        return sum((((model(((x[i] - mean) / std)[None]) - y[i]) ** 2).sum() for i in index.tolist()), torch.zeros(()))

    for _ in range(epochs):
        for batch in parts[0].split(batch_size):
            model.zero_grad()
            (total(batch) / (len(batch) * y.shape[1])).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= lr * p.grad
        with torch.no_grad():
            fit.train_losses.append((total(parts[0]) / y[parts[0]].numel()).item())
            fit.val_losses.append((total(parts[1]) / y[parts[1]].numel()).item())
    return fit

# %% early_stopping wrong="state_dict aliased"
# The best state is that of the *last* epoch: the tensors of `state_dict()` are the parameters' own memory, and
# training went on in it. `dict(...)` around it would not help: each tensor needs a `clone`, made at the best epoch.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = model.state_dict()
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="patience one too long"
# `fit_epoch` was called once more than patience allows: stop *at* the patience-th epoch without improvement, not after
# it.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle > patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="patience one too short"
# Training stopped one epoch early: `patience` epochs in a row without improvement have to pass.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience - 1:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="patience never restored"
# Epochs without improvement were counted over the whole training. They count in a row: an improvement sets the count
# back to 0.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch = loss, epoch
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="compared with the epoch before"
# An epoch counted as an improvement because it was better than the one before it. It has to be better than all before.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle = idle + 1 if len(losses) < 2 or not loss < losses[-2] else 0
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="NaN is an improvement"
# A NaN was taken for an improvement: `loss >= best` is False for NaN, and so the other branch was taken. Ask `loss <
# best`.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if not loss >= best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="NaN in the first epoch sticks"
# The first loss became the best one unseen. When it is NaN, nothing is ever less than it. Begin with infinity, and let
# the first epoch compete like the others.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if epoch == 0 or loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="NaN forgives"
# A NaN loss set the count of idle epochs back to 0, or did not count. It is an epoch without improvement like any
# other.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        elif loss == loss:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="NaN ends the training"
# Training stopped at the first NaN. It counts as one epoch without improvement, and patience decides.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience or math.isnan(loss):
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="an equal loss improves"
# A loss equal to the best one was taken for an improvement: with `<=` a plateau is never the end.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss <= best_loss and loss < math.inf:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="not restored"
# The right state came back, but the model is still as the last epoch left it. Load the best state into it in the end.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    return best_state, best_epoch, losses

# %% early_stopping wrong="restored only when stopped early"
# When `max_epochs` ended the training, the model was left in its last state. It goes back to the best one however
# training ended.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                model.load_state_dict(best_state)
                break
    return best_state, best_epoch, losses

# %% early_stopping wrong="parameters only"
# Buffers are missing from the best state: the running statistics of batch normalisation belong to it. `state_dict()`
# has both.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state, strict=False)
    return best_state, best_epoch, losses

# %% early_stopping wrong="the state from before the epoch"
# The state kept is the one from before the best epoch: it was copied before `fit_epoch` was called.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = before
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="no state without improvement"
# If no epoch improves there is no best state, and this fails. The state before training is the best one then.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = None
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="broken epochs leave their mark"
# When no epoch improves, the last state was kept. It is the state before training that comes back.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    if best_epoch is None:
        best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="epochs from 1"
# The epochs were numbered from 1. They are 0, 1, 2 and so on.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(1, max_epochs + 1):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="the model gets the state's own tensors"
# `assign=True` puts the tensors of the best state in place of the model's parameters: the optimiser holds the old
# ones, and state and model share memory.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state, assign=True)
    return best_state, best_epoch, losses

# %% early_stopping wrong="returns the live state"
# The state that is returned is the model's own memory: it was right at the return and follows the next training.
# Return the copy.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return model.state_dict(), best_epoch, losses

# %% early_stopping wrong="losses without the last ones"
# Only the losses that improved are in the list. All that came are asked for.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            losses.append(loss)
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping wrong="best_epoch is the last one"
# `best_epoch` is the number of the epoch at which training stopped, not of the best one.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss:
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, None if best_epoch is None else len(losses) - 1, losses

# %% early_stopping wrong="infinity improves"
# An infinite loss in the first epoch was taken for an improvement. It is none.
def early_stopping(model, fit_epoch, patience, max_epochs):
    best_loss, best_epoch = math.inf, None
    best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses, idle = [], 0
    for epoch in range(max_epochs):
        loss = fit_epoch(epoch)
        losses.append(loss)
        if loss < best_loss or (best_epoch is None and loss == math.inf):
            best_loss, best_epoch, idle = loss, epoch, 0
            best_state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        else:
            idle += 1
            if idle >= patience:
                break
    model.load_state_dict(best_state)
    return best_state, best_epoch, losses

# %% early_stopping right="deepcopy and positions"
import copy


def early_stopping(net, run_epoch, patience, limit):
    best, state, losses = None, copy.deepcopy(net.state_dict()), []
    while len(losses) < limit:
        epoch = len(losses)
        losses.append(run_epoch(epoch))
        print(epoch, losses[-1])
        if math.isfinite(losses[-1]) and (best is None or losses[-1] < losses[best]):
            best, state = epoch, copy.deepcopy(net.state_dict())
        since = epoch + 1 if best is None else epoch - best
        if since == patience:
            break
    net.load_state_dict(state)
    return state, best, losses

# %% early_stopping right="all states kept, the best chosen at the end"
def early_stopping(model, fit_epoch, patience, max_epochs):
    states = [[tensor.detach().clone() for tensor in model.state_dict().values()]]
    losses = []

    def best():
        clean = [loss if math.isfinite(loss) else math.inf for loss in losses]
        if not clean or min(clean) == math.inf:
            return -1
        return clean.index(min(clean))

    for epoch in range(max_epochs):
        losses.append(fit_epoch(epoch))
        states.append([tensor.detach().clone() for tensor in model.state_dict().values()])
        if epoch - best() >= patience:
            break
    chosen = best()
    state = dict(zip(model.state_dict(), states[chosen + 1]))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(state[name])
    return state, chosen if chosen >= 0 else None, losses

# %% early_stopping right="kept as a file in memory"
import io


def early_stopping(model, fit_epoch, patience, max_epochs):
    def save():
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        return file

    def load(file):
        file.seek(0)
        return torch.load(file, weights_only=True)

    best_file, best_epoch, best_loss = save(), None, float("inf")
    patience_left, losses = patience, []
    for epoch in range(max_epochs):
        if patience_left == 0:
            break
        loss = fit_epoch(epoch)
        losses += [loss]
        patience_left -= 1
        if loss == loss and loss < best_loss:
            best_file, best_epoch, best_loss, patience_left = save(), epoch, loss, patience
    model.load_state_dict(load(best_file))
    return load(best_file), best_epoch, losses

# %% save_checkpoint wrong="no optimiser state"
# The optimiser came back as it was made: momentum and averages start at zero, and the first steps differ. Its
# `state_dict()` belongs into the file.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="only the optimiser's settings"
# The learning rates came back, but not the optimiser's memory (momentum, averages, steps). `state_dict()` has both.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": {"state": {}, "param_groups": optimizer.state_dict()["param_groups"]},
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="no scheduler state"
# The scheduler begins again at step 0, so the learning rate changes at the wrong epochs. Its `state_dict()` belongs
# into the file.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="only the scheduler's last_epoch"
# Only `last_epoch` came back; the scheduler's other numbers (base rates, last rates) are still those it was made with.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.last_epoch,
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.last_epoch = state["scheduler"]
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="no generator state"
# After `resume` the random numbers are others than those after the save, so dropout and batches differ. The state of
# torch's generator belongs into the file.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="seed in place of the state"
# `initial_seed` takes the generator back to its beginning, not to where it was at the save. Its state says how far it
# had come.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.initial_seed(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.manual_seed(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="a new seed at the save"
# Saving set the generator anew, so the run that goes on is another one than without saving. Read its state and leave
# it alone.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    torch.manual_seed(epoch)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="the finished epoch again"
# `resume` returned the epoch that was finished already, which is then trained twice. The next one is one more.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"]

# %% save_checkpoint wrong="one epoch too many"
# 1 was added twice, at the save and in `resume`: an epoch is left out.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch + 1,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="epoch from the scheduler"
# The epoch returned is the scheduler's count. It is the number given to `save_checkpoint`, plus one, whatever the
# scheduler counts.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return scheduler.last_epoch

# %% save_checkpoint wrong="weights_only=False"
# `resume` ran code that a stranger had put into the file. With weights_only=True, `torch.load` reads tensors and plain
# containers only.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="pickles the whole model"
# The file holds the model object itself, a pickle that `weights_only=True` refuses (and that breaks when the class
# changes). Save its `state_dict()`.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model,
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(state["model"].state_dict())
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="NumPy in the file"
# The file holds a NumPy array, which `weights_only=True` refuses. Keep generator states as the tensors that they are.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state().numpy(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=False)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(torch.from_numpy(state["rng"]))
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="no map_location"
# A file from a GPU cannot be read where that GPU is not: `torch.load` puts everything back where it was unless
# `map_location` says otherwise.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="the model moves to the CPU"
# The model was moved to the CPU by `resume`. It stays on its device: load to the CPU, and let `load_state_dict` copy.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.to_empty(device="cpu")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="CUDA or nothing"
# The model was moved to "cuda" by `resume`, a device written into the code: this fails where there is none. The model
# stays where it is.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.to("cuda")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="written in place"
# The old file was opened for writing before the new content was known to be good: when that fails, both are lost.
# Write beside it, then `os.replace`.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="old file removed first"
# The old file was removed before the new one was written, and when writing fails there is none. Write beside it first;
# `os.replace` then swaps the two.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    if os.path.exists(path):
        os.remove(path)
    torch.save(state, path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="copied over the old file"
# The new content was copied into the old file: for a moment that is half old, half new, and whoever reads it then gets
# a broken one. `os.replace` puts a new file in its place.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    Path(path).write_bytes(Path(f"{path}.new").read_bytes())
    os.remove(f"{path}.new")


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="a new file left beside it"
# A second file stayed in the folder: after the save it is to be gone. `os.replace` moves the new one over the old
# name.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)
    Path(f"{path}.new").write_bytes(Path(path).read_bytes())


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="errors swallowed"
# Writing failed, and nobody heard of it. The old file should stay, and the exception go on to the caller.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    try:
        torch.save(state, f"{path}.new")
        os.replace(f"{path}.new", path)
    except Exception as error:
        print("could not save:", error)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="eval at the save"
# Saving switched the model to eval mode, and the run went on without dropout. Saving changes nothing.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    model.eval()
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="parameters without buffers"
# The running statistics of batch normalisation did not come back: `parameters()` has no buffers. `state_dict()` has
# both.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": dict(model.named_parameters()),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="strict=False"
# A file of another model was loaded as far as it fits, without a word. Names that do not match should raise, as
# `load_state_dict` does by itself.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"], strict=False)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="the model gets new parameters"
# `assign=True` puts other tensors in place of the model's parameters, while the optimiser still holds the old ones:
# from there on nothing is trained.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"], assign=True)
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="generator restored too early"
# The generator's state was put back first, and then numbers were drawn from it (new starting weights, which are
# overwritten anyway). Put it back last.
def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    torch.save(state, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    torch.set_rng_state(state["rng"])
    for layer in model:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint wrong="kept in a global"
# The checkpoint is in a variable of this process, in memory that training goes on in; the file has nothing of it. A
# restart, or a file under another name, finds nothing.
KEPT = {}


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    KEPT["run"] = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
    }
    torch.save({"epoch": epoch}, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    state = KEPT["run"]
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    return state["epoch"] + 1

# %% save_checkpoint wrong="copies in a global"
# The checkpoint is a good copy, but in a variable of this process, one for each path. The file under another name, or
# another process, finds nothing.
import copy

KEPT = {}


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    parts = [copy.deepcopy(part.state_dict()) for part in (model, optimizer, scheduler)]
    KEPT[str(path)] = (parts, epoch, torch.get_rng_state())
    torch.save({"epoch": epoch}, f"{path}.new")
    os.replace(f"{path}.new", path)


def resume(path, model, optimizer, scheduler):
    parts, epoch, rng = KEPT[str(path)]
    for part, state in zip((model, optimizer, scheduler), parts):
        part.load_state_dict(copy.deepcopy(state))
    torch.set_rng_state(rng)
    return epoch + 1

# %% save_checkpoint wrong="a random name for the new file"
# Saving drew from Python's global generator (for the name of the new file), so a run that shuffles with `random` goes
# on with other numbers than without the save. Does the name have to be random?
import random


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "epoch": epoch,
        "rng": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all(),
    }
    new = f"{path}.{random.randrange(10**9)}"
    torch.save(state, new)
    os.replace(new, path)


def resume(path, model, optimizer, scheduler):
    state = torch.load(path, map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    scheduler.load_state_dict(state["scheduler"])
    torch.set_rng_state(state["rng"])
    for device, rng in zip(range(torch.cuda.device_count()), state["cuda"]):
        torch.cuda.set_rng_state(rng, device)
    return state["epoch"] + 1

# %% save_checkpoint right="a list, written in memory first"
import io
import tempfile


def save_checkpoint(path, net, optim, sched, number):
    content = io.BytesIO()
    states = [part.state_dict() for part in (net, optim, sched)]
    generators = [torch.default_generator.get_state()]
    if torch.cuda.is_available():
        generators += torch.cuda.get_rng_state_all()
    torch.save([*states, int(number), generators], content)
    path = Path(path)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content.getvalue())
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    print("saved", path.name)


def resume(path, net, optim, sched):
    with open(path, "rb") as file:
        *states, number, (cpu, *cuda) = torch.load(file, map_location=torch.device("cpu"), weights_only=True)
    for part, state in zip((net, optim, sched), states):
        part.load_state_dict(state)
    for index, state in enumerate(cuda[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device=index)
    torch.default_generator.set_state(cpu)
    return number + 1

# %% save_checkpoint right="a name that is drawn, but not from a global generator"
import random
import uuid


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    parts = model.state_dict(), optimizer.state_dict(), scheduler.state_dict()
    generators = torch.get_rng_state(), torch.cuda.get_rng_state_all()
    new = Path(path).with_name(f"{uuid.uuid4().hex}{random.Random().random()}")
    try:
        torch.save({"parts": parts, "epoch": epoch, "generators": generators}, new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def resume(path, model, optimizer, scheduler):
    saved = torch.load(path, map_location="cpu", weights_only=True)
    for part, state in zip((model, optimizer, scheduler), saved["parts"]):
        part.load_state_dict(state)
    cpu, cuda = saved["generators"]
    for device, state in enumerate(cuda[: torch.cuda.device_count()]):
        torch.cuda.set_rng_state(state, device)
    torch.set_rng_state(cpu)
    return saved["epoch"] + 1

# %% save_checkpoint right="everything cloned to the CPU, generators as numbers"
def on_cpu(value):
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {key: on_cpu(item) for key, item in value.items()}
    if isinstance(value, list):
        return [on_cpu(item) for item in value]
    return value


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    content = {
        "next": epoch + 1,
        "parts": [on_cpu(dict(part.state_dict())) for part in (model, optimizer, scheduler)],
        "generator": torch.random.get_rng_state().tolist(),
        "cuda": [state.tolist() for state in torch.cuda.get_rng_state_all()],
    }
    hidden = os.path.join(os.path.dirname(os.path.abspath(path)), "being written")
    try:
        torch.save(content, hidden)
        os.rename(hidden, path)
    finally:
        if os.path.exists(hidden):
            os.unlink(hidden)


def resume(path, model, optimizer, scheduler):
    content = torch.load(str(path), map_location=lambda storage, place: storage, weights_only=True)
    weights, *others = content["parts"]
    missing = model.load_state_dict(weights, strict=True)
    assert not missing.missing_keys
    for part, state in zip((optimizer, scheduler), others):
        part.load_state_dict(state)
    if len(content["cuda"]) == torch.cuda.device_count() > 0:
        torch.cuda.set_rng_state_all([torch.tensor(state, dtype=torch.uint8) for state in content["cuda"]])
    torch.set_rng_state(torch.tensor(content["generator"], dtype=torch.uint8))
    return content["next"]

# %% save_checkpoint right="copied in by hand, a folder for writing"
import shutil
import tempfile


def save_checkpoint(path, model, optimizer, scheduler, epoch):
    folder = tempfile.mkdtemp(dir=Path(path).parent)
    try:
        inside = Path(folder) / "checkpoint"
        with open(inside, "wb") as file:
            torch.save(
                {
                    "tensors": {name: t for name, t in model.state_dict(keep_vars=False).items()},
                    "optimizer": optimizer.state_dict(),
                    "scheduler": scheduler.state_dict(),
                    "generators": {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()},
                    "epoch": torch.tensor(epoch),
                },
                file,
            )
        os.replace(inside, path)
    finally:
        shutil.rmtree(folder)


def resume(path, model, optimizer, scheduler):
    content = torch.load(path, "cpu", weights_only=True)
    own = model.state_dict()
    if {name: t.shape for name, t in own.items()} != {name: t.shape for name, t in content["tensors"].items()}:
        raise RuntimeError("the file is of another model")
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.device.type != "meta":
                tensor.copy_(content["tensors"][name])
    optimizer.load_state_dict(content["optimizer"])
    scheduler.load_state_dict(content["scheduler"])
    torch.set_rng_state(content["generators"]["cpu"])
    for number, state in enumerate(content["generators"]["cuda"]):
        if number < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, number)
    return int(content["epoch"]) + 1
