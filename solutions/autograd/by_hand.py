# %% [markdown] lesson=1
# # A line, fitted by hand
#
# A thermometer from a flea market shows numbers without a unit. Eleven times you note what it shows, `T_U`, and beside
# it what a good one says in degrees Celsius, `T_C`. Which rule turns one into the other?
#
#     T_C |                            *        Looks like a line: t_c = w * t_u + b. That is a *model*, two numbers
#      20 |                     *  *            w and b are its *parameters*, and learning means to choose them so that
#         |              * * *                  what the model says is close to what was measured.
#       0 |        *  *
#         +----*-------------------- T_U        "Close" needs a number as well: the *loss*. Small loss, good line.
#             20    40    60    80
#
# In this lesson you do by hand what torch later does for you: the model, the loss, its slope, and the steps downhill.
# After that, nothing about training is magic.

# %%
import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

T_C = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])
T_U = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])

# %% [markdown]
# ## A model and its loss
# The model is one line of tensor arithmetic, and so is the loss: the *mean squared error*, the average of the squared
# differences. Squares make every miss positive, and a large miss much worse than a small one.
#
#     prediction   w * t_u + b                  (N,)      one for each measurement
#     loss         mean((prediction - t_c)**2)  ()        one number for all of them
#
# The mean, rather than the sum, keeps the loss comparable when N changes. Two things go wrong here without an error. If
# the predictions have shape (N, 1) and the targets (N,), the difference broadcasts to (N, N): every prediction is
# compared with every target, and the fit ends up flat. And a loss that became a Python number on the way (`float(w)`,
# `.item()`) has lost its connection to w and b, which autograd will need.

# %% linear_model points=1 level="warm-up" minutes=10 needs=[]
def linear_model(t_u: Float[Tensor, "N"], w: Float[Tensor, ""], b: Float[Tensor, ""]) -> Float[Tensor, "N"]:
    """What the line with slope `w` and intercept `b` says for each element of `t_u`.

    Args:
        t_u: N >= 0 numbers, float32 or float64. It is not changed.
        w, b: tensors without dimensions, of the same dtype, with or without requires_grad.

    Returns:
        A tensor (N,) of that dtype. If `w` or `b` requires a gradient, it is part of their graph.

    >>> linear_model(torch.tensor([0.0, 10.0, 20.0]), torch.tensor(0.5), torch.tensor(-3.0))
    tensor([-3.,  2.,  7.])
    """
    ### BEGIN SOLUTION
    # Hint: Slope times input, plus intercept. A tensor without dimensions meets every element of another.
    # Hint: Use `w` and `b` as they are, tensors: `float(w)` would cut them off from autograd.
    # Hint: w * t_u + b
    return w * t_u + b
    ### END SOLUTION


def mse(t_p: Float[Tensor, "N"], t_c: Float[Tensor, "N"]) -> Float[Tensor, ""]:
    """The mean squared error: the average over all elements of (t_p - t_c)**2.

    Args:
        t_p: predictions, N >= 1, float32 or float64, with or without requires_grad. It is not changed.
        t_c: targets, of the same dtype. It is not changed.

    Returns:
        A tensor without dimensions, of that dtype, and part of the graph of `t_p` if that has one.

    Raises:
        ValueError: the two shapes are not exactly equal; nothing is broadcast.

    >>> mse(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([1.0, 4.0, 5.0]))
    tensor(1.6667)
    >>> mse(torch.zeros(3, 1), torch.zeros(3))
    Traceback (most recent call last):
    ValueError: predictions of shape (3, 1) and targets of shape (3,)
    """
    ### BEGIN SOLUTION
    # Hint: First compare `t_p.shape` with `t_c.shape`, and raise ValueError if they differ.
    # Hint: Then difference, square, mean.
    # Hint: ((t_p - t_c) ** 2).mean()
    if t_p.shape != t_c.shape:
        raise ValueError(f"predictions of shape {tuple(t_p.shape)} and targets of shape {tuple(t_c.shape)}")
    return ((t_p - t_c) ** 2).mean()
    ### END SOLUTION


# %% [markdown]
# ## The best line, all at once
# For a linear model the smallest squared error can be computed directly, with no search: *linear least squares*. Put
# a 1 beside every input, and the intercept becomes one more weight:
#
#     [ x00 x01 1 ]   [ w0 ]     [ y0 ]
#     [ x10 x11 1 ] . [ w1 ]  ~  [ y1 ]          X  (N, D+1)    weights  (D+1,)    y  (N,)
#     [ x20 x21 1 ]   [ b  ]     [ y2 ]
#
# Textbooks solve it as `inverse(X^T X) X^T y`. On paper that is right. In a computer, X^T X squares how sensitive the
# problem is to rounding: for a year column around 2020, float32 has no correct digit left. And if two columns say the
# same (or there are fewer rows than weights), many lines fit equally well, X^T X has no inverse, and the formula gives
# an error or nonsense. Solvers for least squares work on X itself and choose, among all that fit best, the weights with
# the smallest norm.
#
# So why learn step by step at all? Because such methods end here: a network is not linear in its parameters, and no
# formula gives its best ones. Steps downhill are what is left, and they turn out to generalise well.

# %% closed_form_fit points=2 level="core" minutes=15 needs=["linear_model"]
def closed_form_fit(x: Float[Tensor, "N D"], y: Float[Tensor, "N"]) -> Float[Tensor, "D+1"]:
    """The weights with the smallest mean squared error of `x @ weights[:-1] + weights[-1]` against `y`.

    Computed in float64, whatever the dtype of `x`.

    Args:
        x: N >= 1 rows of D >= 1 inputs, float32 or float64, any strides. Columns may repeat each other, be constant,
            or be far from zero (around 2000, say); N may be smaller than D + 1. It is not changed.
        y: N targets of the same dtype. It is not changed.

    Returns:
        A tensor (D + 1,) of the dtype of `x`: a weight for each column, then the intercept. If several fit equally
        well, the one for which the sum of the squares of all D + 1 numbers is smallest.

    >>> x = torch.tensor([[0.0, 1.0], [1.0, 1.0], [2.0, 0.0], [3.0, 5.0]])
    >>> closed_form_fit(x, 2 * x[:, 0] - x[:, 1] + 7).round(decimals=4)
    tensor([ 2., -1.,  7.])
    """
    ### BEGIN SOLUTION
    # Hint: Build X: the columns of x in float64, and a column of ones after them (`torch.cat`, or `F.pad`).
    # Hint: Never invert X^T X. `torch.linalg.lstsq` solves least squares, but take care when columns repeat each other.
    # Hint: `torch.linalg.pinv(X)` is the pseudo-inverse: times y it gives the best fit with the smallest norm.
    # Hint: torch.linalg.pinv(X) @ y.double(), cast back to the dtype of x
    wide = torch.nn.functional.pad(x.double(), (0, 1), value=1.0)  # a column of ones at the right
    return (torch.linalg.pinv(wide) @ y.double()).to(x.dtype)
    ### END SOLUTION


# %% [markdown]
# ## Which way is down?
# Steps downhill need the slope of the loss in each parameter, its *rate of change*: if I nudge w a little, how much
# does the loss move? One can find out by trying. Nudge to both sides and divide by the distance:
#
#             f(p + eps e_i) - f(p - eps e_i)
#     g_i  =  -------------------------------        e_i: 1 at place i, 0 elsewhere
#                         2 eps
#
# Nudging to one side only costs half as much and is far less exact: its error shrinks with eps, here with eps squared.
# Each parameter is nudged *alone*: the others stay exactly where they were, or you measure something else. And in
# float32, with about 7 digits, the difference of two nearly equal losses is mostly rounding; so this is for float64.
#
# For two parameters that is four evaluations. For a million it is two million, for each step: the reason for autograd.
# As a check on gradients that come from elsewhere, this is still the best there is.

# %% numeric_grad points=2 level="core" minutes=15 needs=["linear_model"]
def numeric_grad(
    f: Callable[[Float[Tensor, "P"]], Float[Tensor, ""]], params: Float[Tensor, "P"], eps: float
) -> Float[Tensor, "P"]:
    """The slope of `f` in each parameter, by central differences: (f(p + eps e_i) - f(p - eps e_i)) / (2 eps).

    Args:
        f: takes a float64 tensor (P,) and returns a tensor without dimensions, or a Python float. It may remember the
            tensors that it was given, so each call gets one of its own, which does not change later and does not
            require gradients.
        params: where to measure; float32 or float64, P >= 0, with or without requires_grad. It is not changed, not even
            for a moment.
        eps: the size of a nudge, above 0.

    Returns:
        A float64 tensor (P,), without requires_grad.

    >>> numeric_grad(lambda p: p[0] ** 2 + 5 * p[1], torch.tensor([3.0, 1.0]), 1e-3).round(decimals=6)
    tensor([6., 5.], dtype=torch.float64)
    """
    ### BEGIN SOLUTION
    # Hint: For each place i make two points, copies of `params` in float64 that differ from it at i alone.
    # Hint: `params.detach().double()` may be `params` itself, so `.clone()` before you write into it.
    # Hint: Collect Python floats, `float(f(point))`, and make a float64 tensor of the quotients at the end.
    center = params.detach()
    slopes = []
    for nudge in eps * torch.eye(len(center), dtype=torch.float64):  # float32 + float64 is float64
        slopes.append((float(f(center + nudge)) - float(f(center - nudge))) / (2 * eps))
    return torch.tensor(slopes, dtype=torch.float64)
    ### END SOLUTION


# %% [markdown]
# ## Steps downhill
# With the chain rule the slopes of our loss can be written down once and for all, p being the prediction w * t_u + b:
#
#     loss = mean((p - t_c)**2)      d loss / d w = mean(2 (p - t_c) * t_u)      d loss / d b = mean(2 (p - t_c))
#
# A *step* moves the parameters against the slope, by the *learning rate* lr times the slope:
#
#     params = params - lr * gradient
#
# How large should lr be? On the thermometer's raw numbers, lr = 0.01 looks harmless, and this happens:
#
#     step     0       1         2         3              10
#     loss   1764   5.8e+06   1.9e+10   6.5e+13    ...    inf      it *diverges*: every step overshoots, further
#
# The slope in w is some fifty times that in b, because t_u is large, so no lr suits both. With `0.1 * T_U` as input
# the same lr converges, to a loss of 2.93. This is why inputs are brought to a common scale before training.

# %% fit_by_hand points=2 level="core" minutes=20 needs=["numeric_grad"]
def fit_by_hand(
    t_u: Float[Tensor, "N"], t_c: Float[Tensor, "N"], params: Float[Tensor, "2"], lr: float, n: int
) -> tuple[Float[Tensor, "2"], list[float]]:
    """Fit `params` = (w, b) by `n` steps of gradient descent on the mean squared error, with the gradient above.

    A step computes the loss, notes it, and moves w and b together, both by the gradient at the same place. If a loss is
    infinite or NaN, it is noted too, and the fit ends there, without that step.

    Args:
        t_u, t_c: N >= 1 inputs and targets of one dtype, float32 or float64. They are not changed.
        params: where to start, of that dtype. It is not changed, requires no gradients, and no autograd is needed.
        lr: the learning rate.
        n: how many steps, 0 or more.

    Returns:
        (params, losses): the parameters after the last step, (2,), a tensor of its own; and the loss before each
        step, a list of at most n Python floats.

    >>> start = torch.tensor([1.0, 0.0])
    >>> params, losses = fit_by_hand(0.1 * T_U, T_C, start, 1e-2, 3000)
    >>> [round(number, 1) for number in (losses[0], losses[-1], *params.tolist())]
    [80.4, 2.9, 5.3, -17.2]
    >>> fit_by_hand(T_U, T_C, start, 1e-2, 3000)[1][-1]
    inf
    """
    ### BEGIN SOLUTION
    # Hint: In each step: prediction, difference, loss; is it finite?; gradient; new params.
    # Hint: The gradient is two means: of `2 * difference * t_u` for w, of `2 * difference` for b. Stack them.
    # Hint: `params = params - lr * gradient` makes a new tensor; `params -= ...` would write into the caller's.
    # Hint: Start with `params.clone()`, so that n = 0 returns a tensor of its own too.
    params, losses = params.clone(), []
    for _ in range(n):
        difference = params[0] * t_u + params[1] - t_c
        losses.append((difference**2).mean().item())
        if not math.isfinite(losses[-1]):
            break
        params = params - lr * torch.stack([(2 * difference * t_u).mean(), (2 * difference).mean()])
    return params, losses
    ### END SOLUTION


# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.5))
# for scale, lr in ((1.0, 1e-2), (1.0, 1e-4), (0.1, 1e-2)):
#     params, losses = fit_by_hand(scale * T_U, T_C, torch.tensor([1.0, 0.0]), lr, 500)
#     left.plot(losses, label=f"{scale} * T_U, lr {lr}")
# left.set(yscale="log", ylim=(1, 1e6), xlabel="step", ylabel="loss")
# left.legend()
# right.plot(T_U, T_C, "o")
# right.plot(T_U, linear_model(0.1 * T_U, *params))
# right.set(xlabel="t_u", ylabel="t_c");
