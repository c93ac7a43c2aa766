"""Known answers of autograd/capstone."""

# %% train wrong="inputs scaled by all rows"
# The means and deviations of the inputs were taken from all rows, those that are held out included. So the held-out
# rows have a say in what the model does, and "val_loss" no longer speaks of data that it has never met.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x.double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="targets scaled by all rows"
# The inputs are scaled by the rows to learn from, but the mean and deviation of the targets come from all rows: the
# answers for the held-out ones leak into the scale of every prediction.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y.double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="trains on the held-out rows"
# The rows in "val_rows" are reported as held out, but batches are drawn from all rows, so the model learns from them.
# It is then tested on what it knows by heart.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = torch.randint(len(x), (64,), generator=generator)
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="keeps the weights that suit the held-out rows best"
# Among the weights along the way, those with the smallest error on the held-out rows are kept. They look better than
# they are there, as they were chosen for it. To choose, cut rows out of the other four fifths.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    best, kept = float("inf"), weights
    for number in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            now = (predict({**state, "weights": weights}, x[val_rows]) - y[val_rows]).square().mean().item()
        if number % 10 == 9 and now < best:
            best, kept = now, [weight.detach().clone() for weight in weights]
    state |= {"weights": [weight.detach() for weight in kept], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="raw inputs"
# The inputs reach the first layer in their own units. A column around 2000 drowns one around 0.005, the steps
# overshoot in one direction and crawl in the other, and the model ends up worse than a line.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": torch.zeros(x.shape[1]),
        "x_std": torch.ones(x.shape[1]),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="raw targets"
# The network has to climb to targets in the hundreds with weights that move by 0.01 a step: when the budget is used
# up, it is still on its way. Targets need scaling as much as inputs do, and `predict` undoes it.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": 0.0,
        "y_std": 1.0,
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="(N, 1) against (N,)"
# In the loss, predictions of shape (N, 1) meet targets of shape (N,), and the difference broadcasts to (N, N): every
# prediction is compared with every target, and the model learns to say the mean.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch])[:, None] - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="x and y drawn apart"
# The rows of x and the rows of y were drawn separately, so an input meets the target of another row. There is nothing
# to learn from such pairs but the mean.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[rows[torch.randint(len(rows), (64,), generator=generator)]]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="no bend between the layers"
# Three linear layers with nothing between them are one linear layer: this model can be no better than the line that it
# has to beat.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="one batch, one step"
# The loop leaves after its first step, so the parameters are hardly better than at random. Is the `return` (or the
# `break`) inside the loop?
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        break
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="a fresh Adam in resume"
# The weights come back, but Adam begins anew: its averages and its count of steps are gone, and the steps after the
# break are other steps. An optimiser has a state as well.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="the generator begins anew in resume"
# After the break, batches are drawn from the seed once more: the run sees the first batches a second time instead of
# the next ones. How far the generator has come belongs to the state.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="counts from the break"
# A stop is meant as a step of the whole run, and the end too. Here `resume` makes all the steps of a whole run again,
# whatever was done before.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="ignores stop"
# The run goes on to its end, whatever `stop` says: more steps are made than were allowed.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"]
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="steps are epochs"
# `steps` was taken for epochs: the model goes through all batches `steps` times, which are many more updates than the
# budget has.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        order = rows[torch.randperm(len(rows), generator=generator)]
        for batch in order.split(64):
            loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="resume writes into its state"
# `resume` trains the very tensors of the state that it was given, so this state has moved on when it is done, and a
# second attempt from it ends elsewhere. (`load_state_dict` of an optimiser also keeps tensors rather than copying
# them.)
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = dict(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="Adam shares its averages with the state"
# The weights are copied, but `optimizer.load_state_dict` keeps the tensors that it is given, and Adam writes its
# averages into them in place: the state that came in is no longer what it was.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = dict(state)
    weights = [weight.to(x.device).clone().requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="dropout while predicting"
# Dropout is at work in `predict` too: the same row gets another prediction each time. What does a network need to be
# told before it is asked rather than trained?
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.dropout(h, 0.1) if depth == 2 else h
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="scaled by the rows to predict"
# `predict` measures mean and deviation on the rows that it is given, so what it says about a row depends on the
# others, and a row alone has no deviation. The scale is part of the state, from training.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - x.double().mean(dim=0)) / x.double().std(dim=0).clamp(min=1e-9)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="seeds the global generator"
# `torch.manual_seed` makes the run repeatable, and everybody else's too: whoever draws numbers after this gets those
# that follow your seed. A `torch.Generator` of your own, or `torch.random.fork_rng`, keeps it in the family.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="weights from the global generator"
# The first weights are drawn from torch's global generator, whatever that is at: the same seed gives another model
# each time.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="gradients off for good"
# `predict` turns gradients off with a plain call of `torch.set_grad_enabled`, and off they stay, for the whole
# process. In a `with` block they come back.
def _error(state, x, y):
    with torch.enable_grad():
        h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
        for depth, weight in enumerate(state["weights"]):
            h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
        return ((h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype) - y).square().mean()


def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    torch.set_grad_enabled(False)
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    torch.set_grad_enabled(True)
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = _error({**state, "weights": weights}, x[batch], y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="scales x in place"
# The scaling is written into x itself. The caller's table is changed, and the next one who reads it scales scaled
# numbers.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    x -= 1
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="the last fifth held out"
# The split is the same for every seed: the last fifth of the rows. Tables often have an order (bikes.csv goes from
# January to December), so these rows are of another kind. Draw them.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.arange(len(x)).flip(0)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="val_loss of scaled targets"
# "val_loss" is the error in units of the targets' deviation, as in training. Asked for was the error of what `predict`
# returns, in the unit of y, squared.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item() / state["y_std"] ** 2
    return state


# %% train wrong="val_loss a mean of batches' means"
# The error on the held-out rows is the mean of the batches' means, and the last batch is smaller: each of its rows
# counts for more than the others do.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    errors = [(predict(state, x[part]) - y[part]).square().mean() for part in val_rows.split(15)]
    state["val_loss"] = torch.stack(errors).mean().item()
    return state


# %% train wrong="val_loss of the last training batch"
# "val_loss" is the loss of a batch that was learned from. It says how well the model knows what it was taught, not
# what to expect on new data.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    loss = torch.tensor(state.get("val_loss", 0.0))
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = loss.item() if end > state.get("val_step", 0) else state["val_loss"]
    return state


# %% train wrong="constant columns give NaN"
# A column that never changes has the deviation 0, and 0 / 0 is NaN: from there it spreads to every weight.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="constant columns looked for in all rows"
# Which columns are constant was asked of all rows. One that changes in the held-out rows alone has the deviation 0 in those
# to learn from, and 0 / 0 is NaN. Whatever scales the columns may look at the other rows only.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).where(x.double().std(dim=0) > 0, 1.0),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="resume makes one step at least"
# A run that stopped at step 4 and is resumed with stop=4 has nothing left to do, but here it makes one more step. How many
# steps remain may be none.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    if state["step"] < state["steps"]:
        end = max(end, state["step"] + 1)
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="an epoch without a batch"
# With fewer rows than a batch has, dropping the last batch leaves none at all. A table of 10 rows is small, but it is
# a table.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        order = torch.randperm(len(rows), generator=generator)
        batches = [part for part in rows[order].split(16) if len(part) == 16]
        batch = batches[0]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="the model itself in the state"
# There is an object of a class in the state (a generator, a network, an optimiser). A file with such things in it is
# not read back with `weights_only=True`; its `state_dict()` or `get_state()` is plain data.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state(), "optimizer": optimizer}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="stays on the CPU"
# What `predict` needs stays where the state was read to, and rows on another device do not meet it. Bring it to the
# device of x; `x.device` says which.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"]) / state["x_std"]).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="brings everything to the CPU"
# `predict` answers on the CPU, whatever device its rows are on. A device named in the code fits one kind of machine
# only.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    x = x.cpu() if x.device.type != "meta" else torch.zeros(x.shape, dtype=x.dtype)
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="always float32"
# The predictions are float32 for float64 rows as well. Compute in what you like, but answer in the dtype of x.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).float()


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="predictions of shape (M, 1)"
# The predictions have shape (M, 1), as the last layer leaves them. Compared with targets (M,), they would broadcast to
# a matrix.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch])[:, 0] - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows])[:, 0] - y[val_rows]).square().mean().item()
    return state


# %% train wrong="predictions that carry a graph"
# The predictions require gradients: the weights in the state still do, and nothing turned recording off. Whoever
# collects such predictions keeps every graph alive.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return (h[:, 0] * state["y_std"] + state["y_mean"]).to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - y[batch]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": weights, "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train wrong="predictions in units of the deviation"
# The model learned scaled targets, and its predictions come out scaled as well: around 0, where y is in the hundreds.
def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    val_rows, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known_x, known_y = x[rows].double(), y[rows].double()
    sizes = [x.shape[1], 32, 32, 1]
    weights = [torch.randn(a + 1, b, generator=generator) / a**0.5 for a, b in pairwise(sizes)]
    state = {
        "weights": weights,
        "x_mean": known_x.mean(dim=0),
        "x_std": known_x.std(dim=0).clamp(min=1e-9),
        "y_mean": known_y.mean().item(),
        "y_std": known_y.std().item(),
        "adam": None,
        "random": generator.get_state(),
        "rows": rows,
        "val_rows": val_rows,
        "step": 0,
        "steps": steps,
    }
    return resume(state, x, y, stop=stop)


def predict(state, x):
    h = ((x.double() - state["x_mean"].to(x.device)) / state["x_std"].to(x.device)).float()
    for depth, weight in enumerate(state["weights"]):
        h = nn.functional.pad(h.relu() if depth else h, (0, 1), value=1.0) @ weight.to(x.device)
    return h[:, 0].to(x.dtype)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    weights = [weight.to(x.device).requires_grad_() for weight in state["weights"]]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    if state["adam"]:
        optimizer.load_state_dict(state["adam"])
    generator = torch.Generator().set_state(state["random"])
    end = state["steps"] if stop is None else stop
    rows, val_rows = state["rows"], state["val_rows"]
    for _ in range(state["step"], end):
        batch = rows[torch.randint(len(rows), (64,), generator=generator)]
        loss = (predict({**state, "weights": weights}, x[batch]) - (y[batch] - state["y_mean"]) / state["y_std"]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    state |= {"weights": [weight.detach() for weight in weights], "adam": optimizer.state_dict(), "step": end}
    state |= {"random": generator.get_state()}
    state["val_loss"] = (predict(state, x[val_rows]) - y[val_rows]).square().mean().item()
    return state


# %% train right="layers, dropout, batch norm, DataLoader, AdamW"
from itertools import count, islice

from torch.utils.data import DataLoader, TensorDataset


def _network(columns):
    return nn.Sequential(
        nn.Linear(columns, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1), nn.Linear(64, 1)
    )


def _scaled(state, x):
    return ((x.double() - state["mean"].to(x.device)) / state["std"].to(x.device)).float()


def _batches(data, seed):
    for epoch in count():
        generator = torch.Generator().manual_seed(1000 * seed + epoch)
        for x, y in DataLoader(data, batch_size=48, shuffle=True, generator=generator):
            if len(x) > 1:  # batch norm has nothing to measure on a single row
                yield x, y


def train(x, y, *, seed, steps, stop=None):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        order = torch.randperm(len(x))
        model = _network(x.shape[1])
    rows = order[len(x) // 5 :]
    std = x[rows].double().std(dim=0)
    state = {"val_rows": order[: len(x) // 5], "rows": rows, "seed": seed, "steps": steps, "done": 0, "optimizer": None}
    state |= {"mean": x[rows].double().mean(dim=0), "std": torch.where(std < 1e-9, torch.ones_like(std), std)}
    state |= {"model": model.state_dict(), "y": (y[rows].mean().item(), y[rows].std().item())}
    return resume(state, x, y, stop=stop)


def resume(state, x, y, *, stop=None):
    state = copy.deepcopy(state)
    with torch.random.fork_rng():
        model = _network(x.shape[1]).to(x.device)
        model.load_state_dict(state["model"])
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        if state["optimizer"]:
            optimizer.load_state_dict(state["optimizer"])
        rows, (center, width) = state["rows"].to(x.device), state["y"]
        data = TensorDataset(_scaled(state, x[rows]), ((y[rows] - center) / width).float())
        stop = state["steps"] if stop is None else stop
        model.train()
        for number, (inputs, targets) in enumerate(islice(_batches(data, state["seed"]), state["done"], stop), state["done"]):
            torch.manual_seed(1000 * state["seed"] + number)  # for dropout
            optimizer.zero_grad()
            nn.functional.mse_loss(model(inputs).squeeze(1), targets).backward()
            optimizer.step()
    state |= {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "done": stop}
    held = state["val_rows"].to(x.device)
    state["val_loss"] = nn.functional.mse_loss(predict(state, x[held]), y[held]).item()
    return state


@torch.no_grad()
def predict(state, x):
    with torch.random.fork_rng():
        model = _network(x.shape[1]).to(x.device)
    model.load_state_dict(state["model"])
    model.eval()
    center, width = state["y"]
    return model(_scaled(state, x)).squeeze(1).mul(width).add(center).to(x.dtype)


# %% train right="L-BFGS on the whole table, in float64"
def _model(parameters, x):
    w1, b1, w2, b2 = parameters
    return torch.tanh(x @ w1 + b1) @ w2 + b2


def train(rows, targets, *, seed, steps, stop=None):
    draw = torch.Generator().manual_seed(seed)
    where = torch.rand(len(rows), generator=draw).argsort()
    held, known = where[: len(rows) // 5].sort().values, where[len(rows) // 5 :].sort().values
    mean, std = rows[known].double().mean(0), rows[known].double().std(0) + 1e-9
    shapes = [(rows.shape[1], 24), (24,), (24,), ()]
    parameters = [0.5 * torch.randn(shape, generator=draw, dtype=torch.float64) for shape in shapes]
    state = {"val_rows": held, "known": known, "parameters": parameters, "scale": [mean, std], "memory": None}
    state |= {"targets": [targets[known].double().mean(), targets[known].double().std()], "steps": steps, "at": 0}
    return resume(state, rows, targets, stop=stop)


def resume(state, rows, targets, *, stop=None):
    state = copy.deepcopy(state)
    known, (mean, std), (level, width) = state["known"], state["scale"], state["targets"]
    x, y = (rows[known] - mean.to(rows)) / std.to(rows), (targets[known] - level.to(targets)) / width.to(targets)
    x, y = x.double(), y.double()
    leaves = [p.to(x).requires_grad_() for p in state["parameters"]]
    optimizer = torch.optim.LBFGS(leaves, max_iter=4, line_search_fn="strong_wolfe")
    if state["memory"] is not None:
        optimizer.load_state_dict(state["memory"])

    def closure():
        optimizer.zero_grad()
        loss = (_model(leaves, x) - y).square().mean() + 1e-4 * sum(p.square().sum() for p in leaves)
        loss.backward()
        return loss

    # It needs no more than 40 steps.
    last = min(state["steps"], 40) if stop is None else min(stop, 40)
    while state["at"] < last:
        optimizer.step(closure)
        state["at"] += 1
    state["parameters"] = [p.detach() for p in leaves]
    state["memory"] = optimizer.state_dict()
    held = state["val_rows"]
    state["val_loss"] = float(((predict(state, rows[held]) - targets[held]) ** 2).mean())
    return state


def predict(state, rows):
    (mean, std), (level, width) = ([t.to(rows.device) for t in state[name]] for name in ("scale", "targets"))
    with torch.no_grad():
        out = _model([p.to(rows.device) for p in state["parameters"]], (rows.double() - mean) / std)
        return (out * width + level).to(rows.dtype)


# %% train right="random features and a formula"
import math


def _features(state, x):
    mean, std, directions, phases = (state[name].to(x.device) for name in ("mean", "std", "directions", "phases"))
    return torch.cos((x.double() - mean) / std @ directions * state["sharpness"] + phases)


def _solve(state, x, y):
    features = _features(state, x)
    eye = torch.eye(features.shape[1], dtype=torch.float64, device=x.device)
    return torch.linalg.solve(features.T @ features + 0.3 * eye, features.T @ y)


def train(x, y, *, seed, steps, stop=None):
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(x), generator=generator)
    held, rows = order[: len(x) // 5], order[len(x) // 5 :]
    known, level = x[rows].double(), y[rows].double().mean()
    targets = y[rows].double() - level
    state = {"val_rows": held, "mean": known.mean(0), "std": known.std(0).clamp(min=1e-9), "level": level}
    state["directions"] = torch.randn(x.shape[1], 250, generator=generator, dtype=torch.float64)
    state["phases"] = 6.3 * torch.rand(250, generator=generator, dtype=torch.float64)
    # The sharpness is chosen on a part of the rows that are not held out.
    part, best = len(rows) // 4, math.inf
    for sharpness in (0.3, 0.6, 1.2, 2.4):
        trial = {**state, "sharpness": sharpness}
        weights = _solve(trial, known[part:], targets[part:])
        loss = (_features(trial, known[:part]) @ weights - targets[:part]).square().mean().item()
        if loss < best:
            best, state["sharpness"] = loss, sharpness
    state["weights"] = _solve(state, known, targets)
    state["val_loss"] = (predict(state, x[held]) - y[held]).square().mean().item()
    return state


def predict(state, x):
    weights, level = state["weights"].to(x.device), state["level"].to(x.device)
    return (_features(state, x) @ weights + level).to(x.dtype)


def resume(state, x, y, *, stop=None):
    return state


# %% train right="neighbours, near ones count more"
def train(x, y, *, seed, steps, stop=None):
    order = np.random.default_rng(seed).permutation(len(x))
    held, rows = np.split(order, [len(x) // 5])
    held, rows = torch.from_numpy(held), torch.from_numpy(rows)
    low, high = x[rows].double().amin(0), x[rows].double().amax(0)
    width = torch.where(high > low, high - low, torch.ones_like(low))
    points = (x[rows].double() - low) / width
    state = {"val_rows": held, "points": points, "values": y[rows].double(), "low": low, "width": width}
    # How near is near? Try: each row is predicted from the others.
    gaps = (points[:, None] - points).square().sum(-1).fill_diagonal_(1e9)
    errors = {}
    for reach in (0.03, 0.06, 0.1, 0.2, 0.4):
        guess = torch.softmax(-gaps / reach**2, dim=1) @ state["values"]
        errors[reach] = (guess - state["values"]).square().mean().item()
    state["reach"] = min(errors, key=errors.get)
    state["val_loss"] = (predict(state, x[held]) - y[held]).square().mean().item()
    return state


def predict(state, x):
    low, width, points, values = (state[name].to(x.device) for name in ("low", "width", "points", "values"))
    gaps = (((x.double() - low) / width)[:, None] - points).square().sum(-1)
    return (torch.softmax(-gaps / state["reach"] ** 2, dim=1) @ values).to(x.dtype)


def resume(state, x, y, *, stop=None):
    return {**state}


# %% train right="boosted trees"
DEPTH = 4


def _leaves(x, columns, limits):
    """In which of the 2**DEPTH leaves of a tree each row falls."""
    bits = (x[:, columns] > limits).long()
    return (bits * 2 ** torch.arange(len(columns), device=x.device)).sum(1)


def _grow(x, residual):
    """One tree, which asks the same question everywhere on a level: the columns, the limits and the leaves' values."""
    columns, limits, leaf = [], [], np.zeros(len(x), dtype=int)
    candidates = [(c, limit) for c in range(x.shape[1]) for limit in np.unique(np.quantile(x[:, c], np.arange(1, 16) / 16))]
    for level in range(DEPTH):
        best = -1.0
        for column, limit in candidates:
            new = leaf + 2**level * (x[:, column] > limit)
            sums, counts = np.bincount(new, residual), np.bincount(new)
            score = (sums**2 / (counts + 1.0)).sum()
            if score > best:
                best, chosen, after = score, (column, limit), new
        columns.append(chosen[0])
        limits.append(chosen[1])
        leaf = after
    sums, counts = np.bincount(leaf, residual, 2**DEPTH), np.bincount(leaf, minlength=2**DEPTH)
    return torch.tensor(columns), torch.tensor(limits), torch.from_numpy(sums / (counts + 1.0))


def train(x, y, *, seed, steps, stop=None):
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    known = order[len(x) // 5 :]
    state = {"val_rows": order[: len(x) // 5], "known": known, "steps": steps, "trees": [], "start": float(y[known].mean())}
    return resume(state, x, y, stop=stop)


def resume(state, x, y, *, stop=None):
    state = {**state, "trees": list(state["trees"])}
    known, held = state["known"], state["val_rows"]
    rows, targets = x[known].cpu().double().contiguous(), y[known].cpu().double().contiguous()
    # A step is a tree; 40 are enough.
    while len(state["trees"]) < min(40, state["steps"] if stop is None else stop):
        residual = targets - predict(state, rows)
        state["trees"].append(_grow(rows.numpy(), residual.numpy()))
    state["val_loss"] = float((predict(state, x[held]) - y[held]).square().mean())
    return state


def predict(state, x):
    out = torch.full((len(x),), state["start"], dtype=torch.float64, device=x.device)
    for tree in state["trees"]:
        columns, limits, values = (part.to(x.device) for part in tree)
        out = out + 0.3 * values[_leaves(x.double(), columns, limits)]
    return out.to(x.dtype)


# %% train right="a class, SGD with momentum, a schedule, epochs"
class _Trainer:
    def __init__(self, columns, seed, steps):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.model = nn.Sequential(nn.Linear(columns, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
            self.model.register_buffer("scale", torch.ones(2, columns, dtype=torch.float64))
            self.model.register_buffer("target_scale", torch.ones(2, dtype=torch.float64))
            self.dice = torch.get_rng_state()
        self.seed, self.columns, self.steps, self.done, self.queue, self.rows = seed, columns, steps, 0, [], {}
        self._optimisers()

    def _optimisers(self):
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, T_max=self.steps)

    def prepare(self, x, y):
        order = self.draw(len(x))
        self.rows = {"held": order[: len(x) // 5], "known": order[len(x) // 5 :]}
        for buffer, data in ((self.model.scale, x), (self.model.target_scale, y)):
            known = data[self.rows["known"]].double()
            std = known.std(dim=0)
            buffer[0], buffer[1] = known.mean(dim=0), torch.where(std > 1e-9, std, 1.0)
        return self

    def draw(self, count):
        with torch.random.fork_rng():
            torch.set_rng_state(self.dice)
            order = torch.randperm(count)
            self.dice = torch.get_rng_state()
        return order.tolist()

    def fit(self, x, y, stop):
        self.model.train().to(x.device)
        while self.done < stop:
            if not self.queue:
                known = self.rows["known"]
                order = self.draw(len(known))
                self.queue = [[known[i] for i in order[at : at + 32]] for at in range(0, len(order), 32)]
            batch = self.queue.pop(0)
            mean, std = self.model.target_scale
            wanted = ((y[batch] - mean) / std).float()
            self.model.zero_grad()
            loss = ((self(x[batch]) - wanted) ** 2).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimizer.step()
            self.schedule.step()
            self.done += 1
        return self

    def __call__(self, x):
        mean, std = self.model.scale
        return self.model(((x - mean) / std).float()).flatten()

    def state(self, x, y):
        state = {name: getattr(self, name) for name in ("seed", "columns", "steps", "done", "queue", "rows", "dice")}
        state["parts"] = [part.state_dict() for part in (self.model, self.optimizer, self.schedule)]
        held = self.rows["held"]
        state |= {"val_rows": torch.tensor(held)}
        state["val_loss"] = ((predict(state, x[held]) - y[held]) ** 2).mean().item()
        return state

    @classmethod
    def of(cls, state, device):
        state = copy.deepcopy(state)
        trainer = cls(state["columns"], state["seed"], state["steps"])
        for name in ("done", "queue", "rows", "dice"):
            setattr(trainer, name, state[name])
        trainer.model.to(device)
        trainer._optimisers()
        for part, data in zip((trainer.model, trainer.optimizer, trainer.schedule), state["parts"], strict=True):
            part.load_state_dict(data)
        return trainer


def train(x, y, *, seed, steps, stop=None):
    trainer = _Trainer(x.shape[1], seed, steps)
    return trainer.prepare(x, y).fit(x, y, steps if stop is None else stop).state(x, y)


def resume(state, x, y, *, stop=None):
    trainer = _Trainer.of(state, x.device)
    print("going on at step", trainer.done)
    return trainer.fit(x, y, trainer.steps if stop is None else stop).state(x, y)


def predict(state, x):
    trainer = _Trainer.of(state, x.device)
    trainer.model.eval()
    with torch.no_grad():
        mean, std = trainer.model.target_scale
        return (trainer(x) * std + mean).to(x.dtype)
