# Known wrong answers of tests/autograd written in another way. The label names the one that each behaves like.


# %% linear_model rewritten="the sum for the mean"
def mse(predicted, wanted):
    if wanted.shape != predicted.shape:
        raise ValueError(f"{tuple(predicted.shape)} against {tuple(wanted.shape)}")
    return torch.sum((predicted - wanted).square())


def linear_model(x, slope, intercept):
    return intercept + slope * x


# %% linear_model rewritten="absolute differences"
def mse(t_p, t_c):
    if not t_p.shape == t_c.shape:
        raise ValueError("of two shapes")
    return torch.mean(torch.abs(t_c - t_p))


def linear_model(t_u, w, b):
    return t_u * w + b


# %% linear_model rewritten="w and b swapped"
def linear_model(t_u, b, w):
    return t_u * w + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("of two shapes")
    return torch.mean((t_p - t_c) * (t_p - t_c))


# %% linear_model rewritten="half the squared error"
def linear_model(t_u, w, b):
    return torch.add(w * t_u, b)


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("of two shapes")
    return (t_c - t_p).square().mean() / 2


# %% closed_form_fit rewritten="the intercept comes first"
def closed_form_fit(x, y):
    ones = x.new_ones((x.shape[0], 1)).double()
    wide = torch.hstack((ones, x.double()))
    return torch.linalg.pinv(wide).mv(y.double()).to(x.dtype)


# %% closed_form_fit rewritten="no intercept"
def closed_form_fit(features, target):
    solution = torch.linalg.pinv(features.double()).mv(target.double())
    return solution.to(features.dtype)


# %% closed_form_fit rewritten="comes back as float64"
def closed_form_fit(x, y):
    wide = torch.column_stack((x.double(), x.new_ones(len(x)).double()))
    return torch.mv(torch.linalg.pinv(wide), y.to(torch.float64))


# %% numeric_grad rewritten="divides by eps"
def numeric_grad(f, params, eps):
    start = params.detach().to(torch.float64)
    found = torch.zeros_like(start)
    for place in range(start.numel()):
        up, down = start.clone(), start.clone()
        up[place] += eps
        down[place] -= eps
        found[place] = (float(f(up)) - float(f(down))) / eps
    return found


# %% numeric_grad rewritten="one-sided"
def numeric_grad(function, point, eps):
    start = point.detach().to(torch.float64)
    here = float(function(start.clone()))
    slopes = []
    for place in range(start.numel()):
        there = start.clone()
        there[place] += eps
        slopes.append((float(function(there)) - here) / eps)
    return torch.tensor(slopes, dtype=torch.float64)


# %% numeric_grad rewritten="the result is float32"
def numeric_grad(f, params, eps):
    start = params.detach().to(torch.float64)
    slopes = torch.zeros(start.numel())
    for place in range(start.numel()):
        step = torch.zeros_like(start)
        step[place] = eps
        slopes[place] = (float(f(start + step)) - float(f(start - step))) / (2 * eps)
    return slopes


# %% fit_by_hand rewritten="no 2"
import math


def fit_by_hand(t_u, t_c, params, lr, n):
    w, b = params.clone()
    losses = []
    for _ in range(n):
        error = w * t_u + b - t_c
        losses.append(float((error * error).mean()))
        if not math.isfinite(losses[-1]):
            break
        w, b = w - lr * (error * t_u).mean(), b - lr * error.mean()
    return torch.stack([w, b]), losses


# %% fit_by_hand rewritten="uphill"
import math


def fit_by_hand(t_u, t_c, params, lr, n):
    w, b = params.clone()
    losses = []
    while len(losses) < n:
        error = w * t_u + b - t_c
        losses.append(float(error.square().mean()))
        if math.isnan(losses[-1]) or math.isinf(losses[-1]):
            break
        w, b = w + lr * (2 * error * t_u).mean(), b + lr * (2 * error).mean()
    return torch.stack([w, b]), losses


# %% autograd_step rewritten="the old gradient is not cleared"
def autograd_step(parameters, objective, rate):
    value = objective(parameters)
    value.backward()
    with torch.no_grad():
        parameters.sub_(rate * parameters.grad)
    return float(value)


# %% autograd_step rewritten="returns the loss as a tensor"
def autograd_step(params, loss_fn, lr):
    params.grad = None
    result = loss_fn(params)
    torch.autograd.backward(result)
    with torch.no_grad():
        params.add_(params.grad, alpha=-lr)
    return result


# %% autograd_step rewritten="uphill"
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params.add_(params.grad, alpha=lr)
    return loss.detach().item()


# %% forward_mode rewritten="the flag upside down"
def consistency_loss(out, target):
    return torch.square(out - target.detach()).mean()


def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(False if is_train else True):
        out = model(x)
    return out


# %% forward_mode rewritten="the flag is ignored"
@torch.no_grad()
def forward_mode(network, x, is_train):
    return network(x)


def consistency_loss(out, target):
    return torch.mean((out - target.detach()) ** 2)
