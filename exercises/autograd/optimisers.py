# %% [markdown] lesson=3
# # Optimisers
#
# You moved parameters against a gradient that you derived yourself, then against one that autograd left in `.grad`.
# What a step does with that gradient is a matter of its own, and torch keeps it apart: `torch.optim` has the
# *optimisers*. Each is given the parameters once, when it is made, and from then on works in the same loop:
#
#     optimiser.zero_grad()       # forget: gradients accumulate, so those of the last batch must go
#     loss = ...                  # look: the model's prediction against the targets
#     loss.backward()             # blame: autograd leaves a gradient in every p.grad
#     optimiser.step()            # move: reads p.grad, changes p
#
# Note what `step()` does not get: neither loss nor model. It sees the parameters and what lies in their `.grad`, and
# should the gradients of two batches lie there, it takes them for one. In this lesson you write the well-known
# optimisers yourself, together with the two things that nearly every training loop adds: a bound on the gradient, and
# a learning rate that changes on the way. All of it does exactly what torch's own does.

# %%
import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

# %% [markdown]
# ## SGD with momentum
# Think of a long narrow valley. The slope across it is steep and changes sign all the time, the slope along it is
# gentle and always the same. Plain steps bounce from wall to wall. *Momentum* keeps a running sum of the gradients, the
# *buffer*, in which what points to and fro cancels and what always points one way adds up. For each parameter p:
#
#     d      = p.grad + weight_decay * p               weight decay: a pull towards 0
#     buffer = d                  in its first step    each parameter has a buffer of its own;
#              momentum * buffer + d    after that     momentum = 0 is plain descent
#     p      = p - lr * buffer
#
# Parts of a model often want different treatment, say no weight decay for biases. So an optimiser keeps *groups*:
#
#     SGD([{"params": weights}, {"params": biases, "weight_decay": 0.0, "lr": 0.1}], lr=0.01, weight_decay=1e-4)
#     .param_groups   ->  [{"params": [...], "lr": 0.01, "momentum": 0.0, "weight_decay": 1e-4}, {...}]
#
# Others (a scheduler, you) write into these dicts while training goes on. And `p.grad` belongs to autograd: `step`
# reads it and leaves it alone. `None` there does not mean 0, it means that this batch said nothing about p.

# %% SGD points=2 level="core" minutes=25 needs=["autograd_step"]
class SGD:
    """Stochastic gradient descent with momentum and weight decay, as above; the same numbers as torch.optim.SGD.

    It need not derive from torch.optim.Optimizer, but it may. What it has to offer:

    param_groups: a list of dicts, one for each group, with "params" (a list of the parameters), "lr", "momentum" and
        "weight_decay".

    >>> w = torch.tensor([1.0, -2.0], requires_grad=True)
    >>> optimiser = SGD([w], lr=0.5, momentum=0.5)
    >>> for _ in range(2):
    ...     optimiser.zero_grad()
    ...     (w * torch.tensor([1.0, 2.0])).sum().backward()
    ...     optimiser.step()
    ...     print(w.tolist())
    [0.5, -3.0]
    [-0.25, -4.5]
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
    ) -> None:
        """Take the parameters that `step` is to move. Nothing is changed yet.

        Args:
            params: either leaf tensors (float32 or float64, any shape and strides), which make one group, or dicts, one
                for each group: "params" holds the tensors, and any of the options below may be there for this group
                alone. Both this and "params" may be any iterable, also a generator, such as `model.parameters()`, which
                can be gone through only once. No tensor occurs twice.
            lr, momentum, weight_decay: the options of groups that do not name their own.

        Raises:
            ValueError: `params` is empty. (A generator that was used up before would train nothing, silently.)
        """
        raise NotImplementedError("SGD is not written yet")

    def step(self) -> None:
        """Move every parameter once, by what lies in its `.grad`, with the options that its group has now.

        Each is changed in place: the same tensor, in the same memory, still a leaf with the requires_grad it had. Its
        `.grad` stays as it is, and may later be overwritten in place without an effect on the buffer. A parameter whose
        `.grad` is None (frozen, or not used in this loss) is passed over: no decay, no change of its buffer.
        """
        raise NotImplementedError("SGD is not written yet")

    def zero_grad(self) -> None:
        """Set the `.grad` of every parameter, in every group, to None."""
        raise NotImplementedError("SGD is not written yet")


# %% [markdown]
# ## Adam, and decay that is not a gradient
# One learning rate for all cannot suit a parameter with slopes around 1000 and one with slopes around 0.001. *Adam*
# divides each element's step by the size that its gradients have had lately, so that all move by about lr. It keeps two
# running averages for each parameter, of the gradient g and of its square, and counts t, the steps of *this* parameter:
#
#     mean   = beta1 * mean   + (1 - beta1) * g              both start at 0 ...
#     square = beta2 * square + (1 - beta2) * g**2
#     m      = mean   / (1 - beta1**t)                       ... and therefore begin far too small:
#     s      = square / (1 - beta2**t)                       this corrects it, t = 1 in the first step
#     p      = p - lr * m / (sqrt(s) + eps)                  eps: no division by 0
#
# Where does weight decay go? **Adam** adds it to the gradient, g = p.grad + weight_decay * p. Then it is divided
# by sqrt(s) like the rest: the elements with the largest gradients decay least, which nobody intended. **AdamW** leaves
# g alone and shrinks the parameter itself, before the line with eps:
#
#     p = p * (1 - lr * weight_decay)                        "decoupled": every element by the same factor
#
# For training from scratch AdamW is the common choice today. The rest of the optimiser, groups and all, is as in SGD.

# %% Adam points=3 level="hard" minutes=30 needs=["SGD"]
class Adam:
    """Adam, with weight decay as a part of the gradient; the same numbers as torch.optim.Adam.

    It need not derive from torch.optim.Optimizer, but it may. What it has to offer:

    param_groups: a list of dicts, one for each group, with "params" (a list of the parameters), "lr", "betas" (a pair),
        "eps" and "weight_decay".

    >>> w = torch.tensor([1000.0, 0.001], requires_grad=True)
    >>> optimiser = Adam([w], lr=0.5)
    >>> w.square().sum().backward()
    >>> optimiser.step()
    >>> [round(element, 3) for element in w.tolist()]
    [999.5, -0.499]
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        """Take the parameters that `step` is to move. Nothing is changed yet.

        Args:
            params: leaf tensors, or dicts with "params" and options of that group, any iterables, as for SGD.
            lr, betas, eps, weight_decay: the options of groups that do not name their own.

        Raises:
            ValueError: `params` is empty.
        """
        raise NotImplementedError("Adam is not written yet")

    def step(self) -> None:
        """Move every parameter once, by what lies in its `.grad`, with the options that its group has now.

        As in SGD, each is changed in place and stays a leaf, its `.grad` stays as it is, and one whose `.grad` is None
        is passed over: no decay, and neither its averages nor its count of steps change. So one that gets its first
        gradient late begins at t = 1. The corrections take the options of now as well: `beta1**t` is today's beta1 to
        the power of t, as in torch, not the product of those that it was before.
        """
        raise NotImplementedError("Adam is not written yet")

    def zero_grad(self) -> None:
        """Set the `.grad` of every parameter, in every group, to None."""
        raise NotImplementedError("Adam is not written yet")


class AdamW(Adam):
    """Adam with decoupled weight decay; the same numbers as torch.optim.AdamW. All else is as in Adam.

    >>> w = torch.tensor([4.0, -2.0], requires_grad=True)
    >>> optimiser = AdamW([w], lr=0.5, weight_decay=0.1)
    >>> (w * torch.tensor([0.01, 100.0])).sum().backward()
    >>> optimiser.step()
    >>> w.detach()
    tensor([ 3.3000, -2.4000])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        """As for Adam; only the default of `weight_decay` is another."""
        raise NotImplementedError("Adam is not written yet")


# %% [markdown]
# The cell below lets three of them loose in a narrow valley, 50 times as steep across as along. Plain SGD zigzags and
# crawls, momentum swings and gets there, Adam goes for both directions alike. Then double the learning rates: plain
# SGD leaves the picture.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# figure, (left, right) = plt.subplots(1, 2, figsize=(12, 3.5))
# for name, make in {
#     "SGD, lr 0.035": lambda p: SGD(p, lr=0.035),
#     "SGD, lr 0.005, momentum 0.9": lambda p: SGD(p, lr=0.005, momentum=0.9),
#     "Adam, lr 0.15": lambda p: Adam(p, lr=0.15),
# }.items():
#     place = torch.tensor([-4.0, 1.0], requires_grad=True)
#     optimiser, path, losses = make([place]), [], []
#     for _ in range(60):
#         optimiser.zero_grad()
#         loss = (place[0] ** 2 + 50 * place[1] ** 2) / 2
#         loss.backward()
#         path.append(place.tolist())
#         losses.append(loss.item())
#         optimiser.step()
#     left.plot(*zip(*path), ".-", label=name)
#     right.plot(losses, label=name)
# x, y = torch.meshgrid(torch.linspace(-4.5, 2, 80), torch.linspace(-1.2, 1.2, 80), indexing="xy")
# left.contour(x, y, (x**2 + 50 * y**2) / 2, levels=[0.1, 1, 4, 10, 20], colors="lightgrey")
# left.set(xlim=(-4.5, 2), ylim=(-1.2, 1.2), xlabel="along the valley", ylabel="across")
# right.set(yscale="log", xlabel="step", ylabel="loss")
# right.legend();

# %% [markdown]
# ## A bound on the gradient
# One strange batch, or a loss with a cliff in it, can give a gradient a thousand times its usual size, and a single
# step throws away what hours have learned. *Clipping* bounds the length of the step's direction, between `backward()`
# and `step()`:
#
#     total  = sqrt(sum of the squares of all elements of all gradients)     one number for the whole model
#     factor = min(1, max_norm / (total + 1e-6))                             never above 1
#     grad   = factor * grad                                                 for each gradient, in place
#
#     max_norm 1     a.grad [3.0]  b.grad [4.0]      total 5  ->  [0.6]  [0.8]     the direction stays
#
# All gradients are scaled by the same factor. Were each parameter clipped on its own, a would get [1.0] and b
# [1.0]: another direction, no longer downhill. And a gradient that is short enough stays as it is; clipping is a bound,
# not a normalisation. The number that comes back is worth a plot: it says how wild the training is.
#
# A gradient with NaN or infinity in it cannot be repaired by scaling. The caller may ask for an error then.

# %% clip_grad_norm_ points=2 level="core" minutes=15 needs=["autograd_step"]
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, *, error_if_nonfinite: bool = False
) -> Float[Tensor, ""]:
    """Scale all gradients in place by `min(1, max_norm / (total + 1e-6))`; does what the one in torch.nn.utils does.

    Args:
        parameters: tensors with or without a `.grad`, in any iterable, also a generator, which can be gone through only
            once; or a single tensor. Those whose `.grad` is None are passed over. Gradients are float32 or float64, all
            of one dtype, of any shape and strides. The tensors themselves are not changed.
        max_norm: 0 or more; `math.inf` clips nothing. A total of max_norm or less may also be left as it is, though the
            factor is below 1 where the two are closer than 1e-6.
        error_if_nonfinite: whether a total that is NaN or infinite is an error. If not, it is returned like any other,
            and what then is in the gradients is left open.

    Returns:
        The total norm *before* clipping: a tensor without dimensions, of the dtype of the gradients. If there are no
        gradients, `torch.tensor(0.0)`. Each `.grad` is the same tensor as before, with new numbers.

    Raises:
        RuntimeError: the total is not finite, and `error_if_nonfinite` is True. No gradient has been changed.

    >>> a, b = torch.zeros(1, requires_grad=True), torch.zeros(2, requires_grad=True)
    >>> a.grad, b.grad = torch.tensor([3.0]), torch.tensor([0.0, 4.0])
    >>> clip_grad_norm_([a, b], 1.0)
    tensor(5.)
    >>> a.grad, b.grad
    (tensor([0.6000]), tensor([0.0000, 0.8000]))
    >>> round(clip_grad_norm_([a, b], 10.0).item(), 4), a.grad
    (1.0, tensor([0.6000]))
    """
    raise NotImplementedError("clip_grad_norm_ is not written yet")


# %% [markdown]
# ## A learning rate that warms up and cools down
# At first the gradients are wild (and Adam's averages know little), so small steps are safer; at the end, small steps
# settle what large ones only circle around. A common schedule climbs along a line, then falls along half a cosine. For
# warmup = 4 and total = 10, with lr_max = 1 and lr_min = 0:
#
#     step    0     1     2     3  |  4     5     6     7     8     9  |  10    11   ...
#     rate   0.25  0.5   0.75   1  |  1    0.93  0.75  0.5   0.25  0.07|   0     0
#            (step + 1) / warmup   |  (1 + cos(pi * progress)) / 2     |  lr_min
#                                     progress from 0 to 1
#
# Steps are counted from 0, and the first makes progress too: a rate of 0 there would waste it. A cosine that is not
# stopped at `total` rises again: training that goes on a little longer would find the rate climbing.
#
# A *scheduler* object does this to an optimiser. When it is made, it reads each group's rate: that is the group's
# lr_max. From then on it writes each group's "lr". One group may have 0.1 and another 0.001, and both keep it so.
#
# Order matters: `optimiser.step()` first, then `scheduler.step()`. The constructor has already set the rate for step 0;
# the other way round, this rate would never be used. (Before torch 1.1 it was the other way; old material still is.)

# %% warmup_cosine points=2 level="core" minutes=20 needs=["SGD"]
def warmup_cosine(step: int, warmup: int, total: int, lr_max: float, lr_min: float = 0.0) -> float:
    """The learning rate of the step number `step`.

    step < warmup             lr_max * (step + 1) / warmup
    warmup <= step < total    lr_min + (lr_max - lr_min) * (1 + cos(pi * progress)) / 2, where progress is
                              (step - warmup) / (total - warmup)
    total <= step             lr_min

    Args:
        step: 0 for the first one; may be at or beyond `total`.
        warmup: the number of steps that climb, 0 or more. They start near 0, whatever `lr_min` is.
        total: the number of steps of the whole schedule, `warmup` or more. If it is `warmup`, nothing falls: from the
            last step of the climb, at lr_max, the rate goes to lr_min at once.
        lr_max, lr_min: 0 <= lr_min <= lr_max.

    Returns: a Python float.

    >>> [round(warmup_cosine(step, 4, 10, 1.0), 2) for step in range(12)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07, 0.0, 0.0]
    """
    raise NotImplementedError("warmup_cosine is not written yet")


class WarmupCosine:
    """Sets the learning rate of an optimiser's groups to `warmup_cosine`, step by step.

    It may derive from a scheduler of torch, but it need not.

    >>> first, second = torch.zeros(2, requires_grad=True), torch.zeros(3, requires_grad=True)
    >>> optimiser = torch.optim.SGD([{"params": [first]}, {"params": [second], "lr": 8.0}], lr=1.0)
    >>> scheduler = WarmupCosine(optimiser, 4, 10)
    >>> for _ in range(3):
    ...     print([group["lr"] for group in optimiser.param_groups])
    ...     optimiser.step()
    ...     scheduler.step()
    [0.25, 2.0]
    [0.5, 4.0]
    [0.75, 6.0]
    """

    def __init__(self, optimizer: Any, warmup: int, total: int, lr_min: float = 0.0) -> None:
        """Note each group's "lr" as its lr_max, and set it to the rate of step 0.

        Args:
            optimizer: an optimiser, torch's (that is what the tests use) or one like those above: its `param_groups` is
                a list of dicts with "lr", and that is all a scheduler needs. No other scheduler has worked on it, and
                nobody else writes "lr" meanwhile. Of the dicts, "lr" is changed and nothing that is there besides. Its
                `step` is not called.
            warmup, total, lr_min: as for `warmup_cosine`, the same for all groups. lr_min is at most the lowest "lr".
        """
        raise NotImplementedError("warmup_cosine is not written yet")

    def step(self) -> None:
        """Set the rate for the next step of the optimiser: after k calls, every group's "lr" is that of step k."""
        raise NotImplementedError("warmup_cosine is not written yet")
