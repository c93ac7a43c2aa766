# Known answers of autograd/by_hand: wrong ones with what they mean, and right ones written differently.

# %% linear_model wrong="the sum for the mean"
# This loss is N times too large: it is the sum of the squares. With the mean, the loss (and with it a good learning
# rate) does not depend on how many measurements there are.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).sum()

# %% linear_model wrong="broadcasts a column against a row"
# Predictions of shape (N, 1) and targets of shape (N,) were compared all with all, N * N pairs, and nothing complained.
# Compare the shapes before you subtract.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    return ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="compares the number of elements only"
# A column and a row have equally many elements and still broadcast to a square. What has to be equal is the shape.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.numel() != t_c.numel():
        raise ValueError("sizes differ")
    return ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="a Python float cuts the graph"
# No gradient arrives at w and b. `float(w)` and `.item()` give plain numbers, which autograd cannot follow.
def linear_model(t_u, w, b):
    return float(w) * t_u + float(b)


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="the loss is a new tensor"
# The loss has the right value and no graph: `torch.tensor(...)` and `.item()` make a number that nothing led to.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return torch.tensor(((t_p - t_c) ** 2).mean().item(), dtype=t_p.dtype)

# %% linear_model wrong="absolute differences"
# This is the mean of the absolute differences. The mean *squared* error weighs a large miss more.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return (t_p - t_c).abs().mean()

# %% linear_model wrong="the root of the mean"
# This is the square root of the mean squared error. Leave the root out.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean().sqrt()

# %% linear_model wrong="divides by N - 1"
# The sum of the squares was divided by N - 1, as in a sample variance. The mean divides by N.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).sum() / (len(t_p) - 1)

# %% linear_model wrong="half the squared error"
# This loss is half as large as it should be: a factor of 1/2, convenient for the derivative, is not in the definition.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return 0.5 * ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="w and b swapped"
# Slope and intercept have changed places: the slope `w` multiplies the input, the intercept `b` is added.
def linear_model(t_u, w, b):
    return b * t_u + w


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="works in place on the inputs"
# The inputs are different afterwards: `*=` and `-=` write into the tensors of the caller.
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    with torch.no_grad():
        t_c -= t_p
    return (t_c**2).mean() + 0 * t_p.sum()

# %% linear_model wrong="the result is a column"
# The prediction has shape (N, 1). It should have the shape of `t_u`, (N,).
def linear_model(t_u, w, b):
    return (w * t_u + b).unsqueeze(1)


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean()

# %% linear_model wrong="a graph only if both want one"
# With a gradient wanted in one of the two, the prediction has no graph: autograd was switched off unless both require
# gradients. How much of this does torch find out by itself?
def linear_model(t_u, w, b):
    with torch.set_grad_enabled(w.requires_grad and b.requires_grad):
        return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean()

# %% linear_model right="torch's own"
def linear_model(t_u, w, b):
    return torch.addcmul(b, t_u, w)


def mse(t_p, t_c):
    if t_p.size() != t_c.size():
        raise ValueError(f"{t_p.size()} is not {t_c.size()}")
    return torch.nn.functional.mse_loss(t_p, t_c)

# %% linear_model right="a matrix product and a dot product"
def linear_model(x, slope, intercept):
    inputs = torch.stack([x, torch.ones_like(x)], dim=1)
    return inputs @ torch.stack([slope, intercept])


def mse(prediction, target):
    if list(prediction.shape) != list(target.shape):
        raise ValueError("no broadcasting here")
    d = prediction - target
    return d.dot(d) / d.numel()

# %% linear_model right="one by one"
def linear_model(t_u, w, b):
    if len(t_u) == 0:
        return t_u.clone()
    return torch.stack([w * value + b for value in t_u])


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes")
    total = 0
    for p, c in zip(t_p, t_c):
        total = total + (p - c).square()
    return total / len(t_p)

# %% closed_form_fit wrong="inverts X^T X"
# Where columns repeat each other, the result is an error or numbers without meaning: X^T X has no inverse there. The
# pseudo-inverse of X itself gives the best fit with the smallest norm.
def closed_form_fit(x, y):
    wide = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    return (torch.linalg.inv(wide.T @ wide) @ wide.T @ y.double()).to(x.dtype)

# %% closed_form_fit wrong="no intercept"
# There is a weight for each column but none for the intercept: a column of ones beside the inputs makes room for it.
def closed_form_fit(x, y):
    return (torch.linalg.pinv(x.double()) @ y.double()).to(x.dtype)

# %% closed_form_fit wrong="the intercept comes first"
# All weights are right, in another order: the intercept comes last, after the weights of the columns.
def closed_form_fit(x, y):
    wide = torch.cat([torch.ones(len(x), 1, dtype=torch.float64), x.double()], dim=1)
    return (torch.linalg.pinv(wide) @ y.double()).to(x.dtype)

# %% closed_form_fit wrong="normal equations in float32"
# For inputs in float32 the weights have few right digits, or none. X^T X squares the sensitivity to rounding: cast to
# float64 first, and work on X itself.
def closed_form_fit(x, y):
    wide = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    return torch.linalg.pinv(wide.T @ wide) @ (wide.T @ y)

# %% closed_form_fit wrong="float32 throughout"
# With a column around 2000 the weights are off already in the third digit or so: float32 carries 7 digits, and this
# problem loses some 4 of them. Compute in float64 and cast at the end.
def closed_form_fit(x, y):
    wide = torch.cat([x.float(), torch.ones(len(x), 1)], dim=1)
    return (torch.linalg.pinv(wide) @ y.float()).to(x.dtype)

# %% closed_form_fit wrong="comes back as float64"
# The values are right, but the dtype is float64 for float32 inputs. Cast the result back to the dtype of x.
def closed_form_fit(x, y):
    wide = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    return torch.linalg.pinv(wide) @ y.double()

# %% closed_form_fit wrong="centred, with the smallest norm of the slopes alone"
# For one solution this is right. Where many fit, the intercept belongs to the norm too: subtracting the means first
# makes the weights of the columns small and leaves the intercept as large as it gets.
def closed_form_fit(x, y):
    x64, y64 = x.double(), y.double()
    slopes = torch.linalg.pinv(x64 - x64.mean(0)) @ (y64 - y64.mean())
    intercept = y64.mean() - x64.mean(0) @ slopes
    return torch.cat([slopes, intercept[None]]).to(x.dtype)

# %% closed_form_fit wrong="a little ridge"
# The weights are pulled towards zero: adding a multiple of the identity to X^T X makes an inverse possible, but it is
# another problem that is solved then.
def closed_form_fit(x, y):
    wide = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    ridge = 1e-2 * torch.eye(wide.shape[1], dtype=torch.float64)
    return torch.linalg.solve(wide.T @ wide + ridge, wide.T @ y.double()).to(x.dtype)

# %% closed_form_fit wrong="a column of weights"
# The weights have shape (D + 1, 1); asked for is (D + 1,).
def closed_form_fit(x, y):
    wide = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    return (torch.linalg.pinv(wide) @ y.double()[:, None]).to(x.dtype)

# %% closed_form_fit wrong="through float32 on the way back"
# For float64 inputs the weights have only 7 right digits, though the dtype is float64 in the end. Some step before that
# made float32 of them: which dtype does `torch.tensor` choose for Python floats?
def closed_form_fit(x, y):
    wide = torch.nn.functional.pad(x.double(), (0, 1), value=1.0)
    weights = torch.linalg.pinv(wide) @ y.double()
    return torch.tensor(weights.tolist()).to(x.dtype)

# %% closed_form_fit right="lstsq by singular values"
def closed_form_fit(x, y):
    design = torch.nn.functional.pad(x.double(), (0, 1), value=1.0)
    answer = torch.linalg.lstsq(design, y.double().unsqueeze(1), driver="gelsd").solution
    return answer.squeeze(1).type_as(x)

# %% closed_form_fit right="NumPy"
def closed_form_fit(x, y):
    import numpy as np

    a = np.column_stack([x.numpy().astype("f8"), np.ones(len(x))])
    weights, *_ = np.linalg.lstsq(a, y.numpy().astype("f8"), rcond=None)
    return torch.from_numpy(weights).to(x.dtype)

# %% closed_form_fit right="singular values by hand"
def closed_form_fit(x, y):
    a = torch.hstack([x.to(torch.float64), torch.ones((x.shape[0], 1), dtype=torch.float64)])
    u, s, vh = torch.linalg.svd(a, full_matrices=False)
    keep = s > s.max() * 1e-12
    inverse = torch.where(keep, 1 / s.clamp(min=1e-300), 0)
    return (vh.T @ (inverse * (u.T @ y.to(torch.float64)))).to(x.dtype)

# %% numeric_grad wrong="moves w before measuring b"
# Once a parameter has been nudged, it stays nudged while the next one is measured. Start every measurement from the
# original place.
def numeric_grad(f, params, eps):
    point = params.detach().double().clone()
    slopes = []
    for i in range(len(point)):
        low = point.clone()
        low[i] -= eps
        point[i] += eps
        slopes.append((float(f(point.clone())) - float(f(low))) / (2 * eps))
    return torch.tensor(slopes, dtype=torch.float64)

# %% numeric_grad wrong="one-sided"
# The difference goes to one side only. It is off by about eps times the curvature; going to both sides cancels that.
def numeric_grad(f, params, eps):
    center = params.detach().double()
    base = float(f(center.clone()))
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(float(f(center + nudge)) - base) / eps for nudge in nudges], dtype=torch.float64)

# %% numeric_grad wrong="to the other side"
# The difference goes to one side only, downwards. Take f on both sides of the point.
def numeric_grad(f, params, eps):
    center = params.detach().double()
    base = float(f(center.clone()))
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(base - float(f(center - nudge))) / eps for nudge in nudges], dtype=torch.float64)

# %% numeric_grad wrong="divides by eps"
# The result is twice too large: from p - eps to p + eps it is 2 eps.
def numeric_grad(f, params, eps):
    center = params.detach().double()
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(float(f(center + n)) - float(f(center - n))) / eps for n in nudges], dtype=torch.float64)

# %% numeric_grad wrong="works in the dtype of params"
# For float32 parameters the result is mostly rounding: a small nudge hardly changes 7 digits. Make the points float64.
def numeric_grad(f, params, eps):
    center = params.detach()
    nudges = eps * torch.eye(len(center), dtype=center.dtype)
    return torch.tensor([(float(f(center + n)) - float(f(center - n))) / (2 * eps) for n in nudges], dtype=torch.float64)

# %% numeric_grad wrong="params not restored"
# `params` is different afterwards: the nudges were made in the caller's tensor. Nudge copies.
def numeric_grad(f, params, eps):
    point = params.detach()
    slopes = []
    for i in range(len(point)):
        old = point[i].item()
        point[i] = old + eps
        high = float(f(point.double()))
        point[i] = old - eps
        slopes.append((high - float(f(point.double()))) / (2 * eps))
        point[i] = old - eps
    return torch.tensor(slopes, dtype=torch.float64)

# %% numeric_grad wrong="nudges the caller's tensor and puts it back"
# In the end `params` is as before, but f sees it move: whoever looks at it in between (a model that uses it) gets other
# numbers. Nudge a copy.
def numeric_grad(f, params, eps):
    slopes = []
    point = params.detach()
    for i in range(len(point)):
        old = point[i].clone()
        point[i] = old + eps
        high = float(f(point.double().clone()))
        point[i] = old - eps
        low = float(f(point.double().clone()))
        point[i] = old
        slopes.append((high - low) / (2 * eps))
    return torch.tensor(slopes, dtype=torch.float64)

# %% numeric_grad wrong="one point for all calls"
# f was given the same tensor each time, and its numbers changed later: a function that remembers its points finds them
# all alike. Make a new tensor for each call.
def numeric_grad(f, params, eps):
    point = params.detach().double().clone()
    slopes = []
    for i in range(len(point)):
        old = point[i].item()
        point[i] = old + eps
        high = float(f(point))
        point[i] = old - eps
        low = float(f(point))
        point[i] = old
        slopes.append((high - low) / (2 * eps))
    return torch.tensor(slopes, dtype=torch.float64)

# %% numeric_grad wrong="nudges all parameters at once"
# Every slope came out the same: all parameters were nudged together, and the change is that of all of them.
def numeric_grad(f, params, eps):
    center = params.detach().double()
    slope = (float(f(center + eps)) - float(f(center - eps))) / (2 * eps)
    return torch.full_like(center, slope)

# %% numeric_grad wrong="asks autograd"
# This is the exact gradient, by autograd. Here it is to be measured with nudges of size eps, also for functions that
# return plain numbers.
def numeric_grad(f, params, eps):
    point = params.detach().double().requires_grad_()
    loss = f(point)
    return torch.autograd.grad(loss, point)[0]

# %% numeric_grad wrong="the result is float32"
# The values were rounded to float32 at the end: `torch.tensor` of Python floats makes float32 unless you say otherwise.
def numeric_grad(f, params, eps):
    center = params.detach().double()
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(float(f(center + n)) - float(f(center - n))) / (2 * eps) for n in nudges])

# %% numeric_grad wrong="float64 too late"
# The dtype is float64, but the numbers have 7 digits: they were float32 for a moment, and `.double()` does not bring
# back what was rounded off. Which dtype does `torch.tensor` choose for Python floats?
def numeric_grad(f, params, eps):
    center = params.detach().double()
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(float(f(center + n)) - float(f(center - n))) / (2 * eps) for n in nudges]).double()

# %% numeric_grad wrong="keeps the graph of f"
# If f uses some other tensor that requires gradients (a weight of a network, say), then so does this result, and it
# carries the graphs of all calls. What is measured is a number.
def numeric_grad(f, params, eps):
    base = params.detach().double()
    grad = torch.zeros(len(base), dtype=torch.float64)
    for i in range(len(base)):
        up, down = base.clone(), base.clone()
        up[i] += eps
        down[i] -= eps
        grad[i] = (f(up) - f(down)) / (2 * eps)
    return grad

# %% numeric_grad right="points in a list"
def numeric_grad(f, params, eps):
    start = [float(value) for value in params]

    def at(i, amount):
        place = list(start)
        place[i] += amount
        return float(f(torch.tensor(place, dtype=torch.float64)))

    return torch.tensor([(at(i, eps) - at(i, -eps)) / (2 * eps) for i in range(len(start))], dtype=torch.float64)

# %% numeric_grad right="clone and index"
def numeric_grad(f, params, eps):
    result = torch.zeros(params.shape, dtype=torch.float64)
    with torch.no_grad():
        for i in range(params.numel()):
            up, down = params.double().clone(), params.double().clone()
            up[i] += eps
            down[i] -= eps
            result[i] = (torch.as_tensor(f(up), dtype=torch.float64) - f(down)) / (2 * eps)
    return result

# %% numeric_grad right="NumPy"
def numeric_grad(f, params, eps):
    import numpy as np

    origin = params.detach().numpy().astype(np.float64)
    out = np.empty(len(origin))
    for i in range(len(origin)):
        step = np.zeros(len(origin))
        step[i] = eps
        ahead, behind = torch.from_numpy(origin + step), torch.from_numpy(origin - step)
        out[i] = (float(f(ahead)) - float(f(behind))) / eps / 2
    return torch.from_numpy(out)

# %% fit_by_hand wrong="no 2"
# The steps are half as long as they should be: the derivative of a square brings a factor of 2.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(difference * t_u).mean(), difference.mean()])
    return params, losses

# %% fit_by_hand wrong="no 1/N"
# The steps are N times too long: the loss is a mean, so its slope is one too.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).sum(), (2 * difference).sum()])
    return params, losses

# %% fit_by_hand wrong="b not averaged"
# The intercept moves N times too far: its slope is the *mean* of 2 (p - t_c), as that of w is a mean.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).sum()])
    return params, losses

# %% fit_by_hand wrong="b takes the first element"
# The intercept follows a single measurement: its slope has N contributions, and all of them count.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference)[0]])
    return params, losses

# %% fit_by_hand wrong="edits the caller's params"
# The caller's `params` moved along: `-=` writes into the tensor that was passed in. Start from a clone.
def fit_by_hand(t_u, t_c, params, lr, n):
    losses = []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params -= lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="returns the caller's tensor for no steps"
# After 0 steps the result is the caller's own tensor: whoever changes one changes the other. Start from a clone.
def fit_by_hand(t_u, t_c, params, lr, n):
    losses = []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="goes on after inf"
# The loss became infinite, and the steps went on: from there on every number is inf or NaN. Stop at a loss that is not
# finite.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="stops at inf but not at nan"
# An infinite loss ends the fit, a NaN does not: `loss == inf` is False for NaN. `math.isfinite` covers both.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if losses[-1] == math.inf:
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="the bad loss is not noted"
# The fit ends where the loss stops being finite, but that loss is missing from the list, so nobody sees why it ended.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        loss = (difference**2).mean().item()
        if not math.isfinite(loss):
            break
        losses.append(loss)
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="steps before it looks"
# The step from the infinite loss was made as well, so the parameters returned are not finite. Look at the loss first.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
        if not math.isfinite(losses[-1]):
            break
    return params, losses

# %% fit_by_hand wrong="w first, then b"
# b is moved by the slope at a place where w has already moved. Both slopes belong to the same place: compute both, then
# move both.
def fit_by_hand(t_u, t_c, params, lr, n):
    w, b, losses = params[0], params[1], []
    for _ in range(n):
        losses.append(((w * t_u + b - t_c) ** 2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        w = w - lr * (2 * (w * t_u + b - t_c) * t_u).mean()
        b = b - lr * (2 * (w * t_u + b - t_c)).mean()
    return torch.stack([w, b]), losses

# %% fit_by_hand wrong="uphill"
# The loss grows from step to step: parameters move *against* the slope.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params + lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="losses after the step"
# The losses are one step late: each belongs before its step, so the first one is that of the parameters at the start.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        if not math.isfinite((difference**2).mean().item()):
            losses.append((difference**2).mean().item())
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
        losses.append(((params[0] * t_u + params[1] - t_c) ** 2).mean().item())
    return params, losses

# %% fit_by_hand wrong="losses are tensors"
# The losses are tensors. Asked for are Python floats, which `.item()` gives.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="autograd does it"
# Inside `torch.no_grad()` this fails: it lets autograd find the gradient, which here is to be computed by the formula.
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone().requires_grad_(), []
    for _ in range(n):
        loss = ((params[0] * t_u + params[1] - t_c) ** 2).mean()
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        (grad,) = torch.autograd.grad(loss, params)
        params = (params - lr * grad).detach().requires_grad_()
    return params.detach(), losses

# %% fit_by_hand wrong="infinite in float32"
# A fit in float64 ended at a loss that is large and finite. `torch.tensor(loss)` makes float32 of a Python float, and
# what is above 3e38 is infinite there. Is there a way to ask about the Python float itself?
def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not torch.isfinite(torch.tensor(losses[-1])):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses

# %% fit_by_hand wrong="params not put back after an early end"
# After a fit that ended early, the caller's `params` are others: the fit works in them, and puts them back only at its
# regular end. Does it need to work in the caller's tensor at all?
def fit_by_hand(t_u, t_c, params, lr, n):
    start, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            return params.clone(), losses
        params -= lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    result = params.clone()
    params.copy_(start)
    return result, losses

# %% fit_by_hand wrong="through float32 at the end"
# In float64 the parameters have only 7 right digits: they left the loop as Python floats, and `torch.tensor` made
# float32 of them before the dtype was set right. Where does the dtype belong?
def fit_by_hand(t_u, t_c, params, lr, n):
    (w, b), losses = params.clone(), []
    for _ in range(n):
        difference = w * t_u + b - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        w, b = w - lr * (2 * difference * t_u).mean(), b - lr * (2 * difference).mean()
    return torch.tensor([w.item(), b.item()]).to(params.dtype), losses

# %% fit_by_hand right="a matrix of inputs"
def fit_by_hand(t_u, t_c, params, lr, n):
    inputs = torch.stack([t_u, torch.ones_like(t_u)], dim=1)
    at, noted = params.detach().clone(), []
    for _ in range(n):
        miss = inputs @ at - t_c
        loss = (miss @ miss / len(miss)).item()
        noted.append(loss)
        if not math.isfinite(loss):
            return at, noted
        at = at - lr * 2 / len(miss) * (inputs.T @ miss)
    return at, noted

# %% fit_by_hand right="in place on its own copy"
def fit_by_hand(inputs, targets, start, learning_rate, steps):
    params = start.clone()
    losses = []
    while len(losses) < steps:
        error = linear_model(inputs, *params) - targets
        losses.append(float(mse(linear_model(inputs, *params), targets)))
        if math.isinf(losses[-1]) or math.isnan(losses[-1]):
            break
        grad_w = 2 * (error * inputs).mean()
        grad_b = 2 * error.mean()
        params[0] -= learning_rate * grad_w
        params[1] -= learning_rate * grad_b
    return params, losses

# %% fit_by_hand right="NumPy"
def fit_by_hand(t_u, t_c, params, lr, n):
    import numpy as np

    x, y = t_u.numpy(), t_c.numpy()
    w, b = params.numpy().copy()
    losses = []
    with np.errstate(all="ignore"):
        for _ in range(n):
            d = w * x + b - y
            losses.append(float(np.mean(d * d)))
            if not np.isfinite(losses[-1]):
                break
            w, b = w - lr * np.mean(2 * d * x), b - lr * np.mean(2 * d)
    return torch.tensor([w, b], dtype=params.dtype), losses
