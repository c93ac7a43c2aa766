# Answers that fail and behave like none of the known ones: no message is right for them.


# %% linear_model unknown="a parabola"
def linear_model(t_u, w, b):
    return w * t_u**2 + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).mean()


# %% linear_model unknown="the largest difference"
def linear_model(t_u, w, b):
    return w * t_u + b


def mse(t_p, t_c):
    if t_p.shape != t_c.shape:
        raise ValueError("shapes differ")
    return ((t_p - t_c) ** 2).max()


# %% closed_form_fit unknown="an intercept of 0"
def closed_form_fit(x, y):
    slopes = torch.linalg.pinv(x.double()) @ y.double()
    return torch.cat([slopes, torch.zeros(1, dtype=torch.float64)]).to(x.dtype)


# %% closed_form_fit unknown="the wrong sign"
def closed_form_fit(x, y):
    wide = torch.cat([x.double(), torch.ones(len(x), 1, dtype=torch.float64)], dim=1)
    return -(torch.linalg.pinv(wide) @ y.double()).to(x.dtype)


# %% numeric_grad unknown="the wrong sign"
def numeric_grad(f, params, eps):
    center = params.detach().double()
    nudges = eps * torch.eye(len(center), dtype=torch.float64)
    return torch.tensor([(float(f(center - n)) - float(f(center + n))) / (2 * eps) for n in nudges]).double()


# %% numeric_grad unknown="zeros"
def numeric_grad(f, params, eps):
    return torch.zeros(len(params), dtype=torch.float64)


# %% fit_by_hand unknown="half the steps"
import math


def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for _ in range(n // 2):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses


# %% fit_by_hand unknown="a learning rate that decays"
import math


def fit_by_hand(t_u, t_c, params, lr, n):
    params, losses = params.clone(), []
    for step in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        rate = lr / (1 + step)
        params = params - rate * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses


# %% autograd_step unknown="ten times the step"
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= 10 * lr * params.grad
    return loss.item()


# %% autograd_step unknown="a step of fixed length"
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad / params.grad.norm()
    return loss.item()


# %% autograd_step unknown="noise on the step"
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * (params.grad + torch.randn_like(params))
    return loss.item()


# %% forward_mode unknown="twice the output"
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return 2 * model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()
