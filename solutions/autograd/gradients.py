# %% [markdown] lesson=2
# # From the gradient by hand to autograd
#
# Learning is minimising a loss, and the loss's rate of change in each parameter says how to update it. By hand, you
# wrote that gradient down as a formula, for two parameters and one particular loss. Change the model, and the formula
# is wrong. *Autograd* finds it for any computation: while a loss is computed, torch records a graph of the operations
# on tensors with `requires_grad=True`, and `loss.backward()` walks it backwards by the chain rule.
#
#     params --> prediction --> difference --> square --> mean --> loss
#       .grad <------------------------------------------------- loss.backward()
#
# The rest of this lesson is what goes wrong around that one call: gradients that add up, batches that come in pieces,
# graphs that nobody wanted, and, at the end, an operation whose gradient you write yourself.

# %%
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

T_C = torch.tensor([0.5, 14.0, 15.0, 28.0, 11.0, 8.0, 3.0, -4.0, 6.0, 13.0, 21.0])
T_U = torch.tensor([35.7, 55.9, 58.2, 81.9, 56.3, 48.9, 33.9, 21.8, 48.4, 60.4, 68.4])

# %% [markdown]
# ## A step with autograd
# A *leaf* is a tensor that you made, not one that an operation computed. `backward` leaves the gradient of the loss in
# the `.grad` of each leaf that requires it. It does not store it there: it *adds* it to what is there already. Three
# times `backward` at the thermometer's starting point (w, b) = (1, 0), with `0.1 * T_U` as input:
#
#     params.grad     [-77.6, -10.6]     [-155.2, -21.3]     [-232.8, -31.9]      the same slope, once, twice, 3 times
#
# So gradients accumulate, and must be cleared before the next `backward`. If nobody does, there is no error, just this:
#
#     step                 0     1     2     3     4     5     6          499
#     cleared           80.4  37.6  30.9  29.8  29.5  29.4  29.3   ...    7.9
#     never cleared     80.4  37.6  39.9  82.2  76.8  34.1  41.0   ...   45.7     it swings, and never settles
#
# The update itself must not be recorded: on a leaf, `params -= ...` raises an error while autograd watches, and
# `params = params - ...` makes another tensor, which is no leaf and of which the caller knows nothing. Inside a
# `with torch.no_grad():` block autograd does not watch.

# %% autograd_step points=2 level="core" minutes=10 needs=["fit_by_hand"]
def autograd_step(params: Float[Tensor, "2"], loss_fn: Callable[[Tensor], Float[Tensor, ""]], lr: float) -> float:
    """One step of gradient descent, `params - lr * gradient`, made in place, with the gradient from autograd.

    Afterwards `params` is still a leaf that requires gradients, in the same storage: whoever holds it or a view of it
    sees the new numbers. Its `.grad` holds the gradient of this loss, at the place where `params` was before the step,
    not multiplied by `lr`. Grad mode (`torch.is_grad_enabled()`) is as before.

    Args:
        params: a leaf, (2,), float32 or float64, any strides, that requires gradients. Its `.grad` may be None or
            hold what earlier steps left there, which must not count.
        loss_fn: takes `params` and returns the loss, a tensor without dimensions. It is called once.
        lr: the learning rate.

    Returns:
        The loss before the step, a Python float.

    >>> params = torch.tensor([1.0, 0.0], requires_grad=True)
    >>> def loss_fn(p):
    ...     return ((p[0] * 0.1 * T_U + p[1] - T_C) ** 2).mean()
    >>> [round(autograd_step(params, loss_fn, 1e-2), 1) for step in range(3)]
    [80.4, 37.6, 30.9]
    >>> params.is_leaf, params.requires_grad
    (True, True)
    """
    ### BEGIN SOLUTION
    # Hint: Four things, in this order: clear the old gradient, compute the loss, `backward`, move `params`.
    # Hint: `params.grad = None` clears it; do that before `backward`, so that the gradient is still there afterwards.
    # Hint: Move inside `with torch.no_grad():`, by an operation that writes into `params`.
    # Hint: `params -= lr * params.grad` there, and `loss.item()` for the number.
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad
    return loss.item()
    ### END SOLUTION


# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
#
# def loss_fn(p):
#     return ((p[0] * 0.1 * T_U + p[1] - T_C) ** 2).mean()
#
#
# params = torch.tensor([1.0, 0.0], requires_grad=True)
# plt.plot([autograd_step(params, loss_fn, 1e-2) for _ in range(300)], label="cleared before each backward")
# params = torch.tensor([1.0, 0.0], requires_grad=True)
# losses = []
# for _ in range(300):
#     loss = loss_fn(params)
#     loss.backward()  # adds to what is in params.grad
#     with torch.no_grad():
#         params -= 1e-2 * params.grad
#     losses.append(loss.item())
# plt.plot(losses, label="never cleared")
# plt.xlabel("step")
# plt.ylabel("loss")
# plt.legend();

# %% [markdown]
# ## One step from many pieces
# With more than two parameters, an *optimiser* makes the step. The loop is the one you know:
#
#     optimizer.zero_grad()                   clears the .grad of its parameters (to None; before torch 2.0, to zeros)
#     loss_fn(model(x), y).backward()         fills them
#     optimizer.step()                        reads them and updates the parameters
#
# The optimiser never sees the loss. It uses the gradients that autograd leaves, whatever they are. So what was a trap
# becomes a tool: if a batch is too large for memory, do forward and backward for one *micro-batch* after another, let
# the gradients accumulate, and step once. Each `backward` frees its graph, so only one piece is in memory at a time.
#
# The step should be that of the whole batch, whose loss is a mean over all samples. Pieces are rarely equally large:
#
#     sizes          4, 4, 1          whole mean = (4 * mean_1 + 4 * mean_2 + 1 * mean_3) / 9
#     plain average of the means:     the single sample of the last piece counts four times as much as any other
#
# (For layers that mix the samples of a batch, as batch norm does in training mode, pieces are never quite the whole.)

# %% accumulate_step points=3 level="hard" minutes=20 needs=["autograd_step"]
def accumulate_step(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss_fn: Callable[[Tensor, Tensor], Float[Tensor, ""]],
    micro_batches: Iterable[tuple[Shaped[Tensor, "B ..."], Shaped[Tensor, "B ..."]]],
) -> float:
    """Make one optimiser step with the gradient of a whole batch that comes in pieces.

    The model sees one piece at a time, as it came, and `backward` has run for it before the model sees the next one.
    `optimizer.step()` is called once, after the last piece. Gradients from before the call do not count. After it, the
    `.grad` of each parameter that has a part in the loss is the gradient of the whole batch's loss.

    Args:
        model: `model(x)` gives the predictions. Some parameters may be frozen (requires_grad=False) or have no part in
            the loss; they too may hold a gradient from before.
        optimizer: one of torch.optim, or an object with `zero_grad()`, `step()` and `param_groups` like theirs. It
            holds the model's parameters.
        loss_fn: `loss_fn(predictions, y)` is the mean over the samples given to it.
        micro_batches: pairs (x, y) of the same length B >= 1, the number of samples, which may differ from pair to
            pair, as may the other dimensions of x (how long its sentences are, say); there may be one pair only. Any
            iterable, such as a list or a generator: it can be gone through only once.

    Returns:
        The loss of the whole batch (the mean over all its samples), before the step, a Python float.

    Raises:
        ValueError: there are no micro-batches. Then no step is made.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(model.weight)
    >>> x, y = torch.tensor([[1.0], [1.0], [2.0]]), torch.tensor([[3.0], [3.0], [9.0]])
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    >>> accumulate_step(model, optimizer, nn.functional.mse_loss, [(x[:2], y[:2]), (x[2:], y[2:])])
    33.0
    >>> model.weight  # 0.5 * (2*3 + 2*3 + 2*18) / 3
    Parameter containing:
    tensor([[8.]], requires_grad=True)
    """
    ### BEGIN SOLUTION
    # Hint: What share of the whole batch's loss is that of one piece? Its samples divided by all samples.
    # Hint: To know how many there are in all, make a list of the pieces first: the graphs are what takes the memory.
    # Hint: Multiply each piece's loss by its share, then `backward`: gradients and losses add up to the whole.
    # Hint: `zero_grad()` once before the loop, `step()` once after it; ValueError before either if the list is empty.
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    samples = sum(len(x) for x, _ in pieces)
    whole = 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / samples)
        loss.backward()
        whole += loss.item()  # a number: a sum of tensors would keep every graph
    optimizer.step()
    return whole
    ### END SOLUTION


# %% [markdown]
# ## Validation builds no graph
# Data that the model does not learn from tells how good it is. No gradient is needed there, so no graph should be
# built: it would cost time, and memory for every intermediate result. Two switches, which have nothing to do with each
# other, and validation wants both:
#
#     model.eval()          how layers compute: dropout passes everything, batch norm uses (and keeps) its averages
#     torch.no_grad()       whether autograd records: nothing is, and results do not require gradients
#
# Without the second, `total += loss` is a well-known leak: the sum is a tensor, whose graph holds the graphs of all
# batches. Take a number out of each batch instead.
#
# What comes back should be the mean over the *data set*: if the last batch holds 2 samples and the others 64, then the
# mean of the batches' means counts each of those two 32 times. And whoever called was perhaps in the middle of
# training, with some layers deliberately in eval mode: put every module back into *its* mode, also after an error.

# %% evaluate points=2 level="core" minutes=20 needs=["accumulate_step"]
def evaluate(
    model: nn.Module,
    loader: Iterable[tuple[Shaped[Tensor, "B ..."], Int[Tensor, "B"]]],
    loss_fn: Callable[[Float[Tensor, "B C"], Int[Tensor, "B"]], Float[Tensor, ""]],
) -> tuple[float, float]:
    """The mean loss and the accuracy of a classifier over all samples, in eval mode and without any graph.

    When this returns, and also when the model, the loader or the loss raises (the error goes through), the mode of
    every module is as before, and so is grad mode. Parameters, their `.grad` and buffers do not change.

    Args:
        model: gives logits, (B, C). Its modules may be in any mix of modes. It has at least one parameter, and all of
            it is on one device. It stays there.
        loader: gives batches (x, y), tuples or lists, with B >= 1 samples, which may differ from batch to batch; y
            holds the class of each, int64. Any iterable, such as a DataLoader or a generator: it may have no length,
            and can be gone through only once. Batches may be on another device than the model; both x and y are moved
            to the model's.
        loss_fn: `loss_fn(logits, y)`, with both on the model's device, is the mean over the samples given to it.

    Returns:
        (loss, accuracy), two Python floats: the mean of the loss over all samples, and the fraction of all samples,
        from 0 to 1, whose largest logit is that of their class.

    Raises:
        ValueError: the loader gives no batch.

    >>> model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Dropout(0.9))
    >>> _ = nn.init.eye_(model[0].weight)
    >>> x, y = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0]]), torch.tensor([0, 1, 0])
    >>> loss, accuracy = evaluate(model, [(x[:2], y[:2]), (x[2:], y[2:])], nn.functional.cross_entropy)
    >>> round(loss, 4), round(accuracy, 4), model.training
    (0.4963, 0.6667, True)
    """
    ### BEGIN SOLUTION
    # Hint: Three running numbers: the sum of the losses (each mean times its B), the correct ones, the samples.
    # Hint: `next(model.parameters()).device` is where the batches go.
    # Hint: Note `.training` of each of `model.modules()` first; put the notes back in a `finally:`.
    # Hint: Inside `try:` come `model.eval()` and `with torch.no_grad():` around the loop; `.item()` in each batch.
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y).item() * len(y)
                correct += (logits.argmax(dim=1) == y).sum().item()
                samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples
    ### END SOLUTION


# %% [markdown]
# ## To record or not to record
# Training and validation run the same forward pass, once with a graph and once without. `torch.set_grad_enabled(flag)`
# switches by a flag. Called as a plain function it stays switched, for everything that comes after, in the whole
# thread; in a `with` block it ends with the block, also when an error leaves it.
#
# Sometimes a graph exists and must not be *followed*. Say a network's answer for a clean image is to be the target for
# its answer for a noisy copy:
#
#     noisy --> model --> out    ----.
#                                     >-- loss          gradients flow back through `out` only
#     clean --> model --> target --||'                  || the target is a number to aim at
#
# If they flowed into both, the network could reduce the loss by spoiling its good answers. `target.detach()` is a
# tensor with the same numbers and storage, but outside the graph; a `clone()` is a new storage, but still in the graph.
# The older `.data` looks like `detach()`, with one difference: autograd no longer learns when its numbers are
# overwritten, and where `detach()` gives an error, `.data` gives a wrong gradient.

# %% forward_mode points=2 level="core" minutes=15 needs=["evaluate"]
def forward_mode(model: nn.Module, x: Float[Tensor, "..."], is_train: bool) -> Float[Tensor, "..."]:
    """Run `model(x)`, recording a graph if `is_train` is true, and none at all if it is false.

    Only `is_train` decides, whatever grad mode the caller is in. When this returns, and also when the model raises (the
    error goes through), grad mode is as before. The model's train/eval mode is another switch, and stays as it is.

    Args:
        model: any module. It is called once.
        x: its input. It is not changed.
        is_train: True or False.

    Returns:
        The model's output. With False, what the model computes does not require gradients, but is an ordinary tensor
        that may have a part in later computations with gradients. (A tensor that it only hands on, as nn.Identity does
        with `x`, is not computed: if it required gradients before, it may still do so.)

    >>> model = nn.Linear(3, 2)
    >>> [forward_mode(model, torch.ones(4, 3), is_train).requires_grad for is_train in (True, False)]
    [True, False]
    """
    ### BEGIN SOLUTION
    # Hint: Not `train()`, not `eval()`: only grad mode is meant here.
    # Hint: `torch.set_grad_enabled(...)` takes the flag, and works in a `with` statement.
    # Hint: with torch.set_grad_enabled(is_train): return model(x)
    with torch.set_grad_enabled(is_train):
        return model(x)
    ### END SOLUTION


def consistency_loss(out: Float[Tensor, "*dims"], target: Float[Tensor, "*dims"]) -> Float[Tensor, ""]:
    """The mean over all elements of (out - target)**2, in which `target` counts as fixed.

    Gradients reach `out` and what it was computed from, but nothing through `target`. `target` itself stays as it is:
    its numbers, its requires_grad, and its graph, through which the caller may still call `backward`.

    Args:
        out, target: same shape and dtype, at least one element, each with or without requires_grad; they may come from
            the same model.

    Returns:
        A tensor without dimensions, in the graph of `out`. If somebody overwrites `target` in place before
        `backward`, then `backward` either gives the gradient for the numbers that were there, or raises RuntimeError;
        it gives no wrong gradient.

    >>> out, target = (torch.tensor([[1.0, 5.0]], requires_grad=True) for _ in range(2))
    >>> consistency_loss(out * 2, target + 1).backward()  # out * 2 is [2, 10], the target is [2, 6]
    >>> out.grad, target.grad
    (tensor([[0., 8.]]), None)
    """
    ### BEGIN SOLUTION
    # Hint: Which of the two is to be adjusted? The other one is detached.
    # Hint: `detach()` returns another tensor; with an underscore it would cut the caller's own.
    # Hint: ((out - target.detach()) ** 2).mean()
    return ((out - target.detach()) ** 2).mean()
    ### END SOLUTION


# %% [markdown]
# ## Your own gradient
# Autograd knows the derivatives of torch's operations. For one of your own, give both directions: `forward` computes,
# and keeps what `backward` needs; `backward` gets the gradient of the loss in the output, `grad_output`, and returns
# that of each input: *grad_output times the derivative*, one for each argument of `forward` after `ctx`. With a slope
# that can be learned, and s for sigmoid(beta * x):
#
#     silu = x * s          d silu / d x = s + beta * x * s * (1 - s)          d silu / d beta = x**2 * s * (1 - s)
#
# Where beta was broadcast to the shape of x, each of its elements had a part in several outputs, and its gradient is
# the sum over them. (Autograd today adds up one of the larger shape by itself, but whoever calls `backward` directly
# gets what you return.) Tensors go onto `ctx` by `save_for_backward`, which notices if they were overwritten meanwhile;
# `ctx.x = x` does not, and the gradient is silently wrong.
#
# Is the formula right? `torch.autograd.gradcheck(LearnedSiLU.apply, (x, beta))` nudges each input, as `numeric_grad`
# did, and compares. Give it float64. One kind of function fails it on purpose: a sign has slope 0 wherever it has one,
# so nothing before it would ever learn. The *straight-through* trick pretends, backwards only, that it is the identity.

# %% LearnedSiLU points=3 level="hard" minutes=25 needs=["numeric_grad", "autograd_step"]
class LearnedSiLU(torch.autograd.Function):
    """x * sigmoid(beta * x), called as `LearnedSiLU.apply(x, beta)`; a subclass of torch.autograd.Function.

    >>> x, beta = torch.tensor([[-1.0, 2.0], [3.0, 0.5]], requires_grad=True), torch.tensor(0.0, requires_grad=True)
    >>> out = LearnedSiLU.apply(x, beta)
    >>> out.tolist()
    [[-0.5, 1.0], [1.5, 0.25]]
    >>> (out * torch.tensor([[1.0, 2.0], [0.0, 4.0]])).sum().backward()
    >>> x.grad.tolist(), beta.grad.item()
    ([[0.5, 1.0], [0.0, 2.0]], 2.5)
    """

    @staticmethod
    def forward(ctx, x: Float[Tensor, "*dims"], beta: Float[Tensor, "..."]) -> Float[Tensor, "*dims"]:
        """Compute, and keep for `backward` what it needs.

        Args:
            ctx: goes to `backward` later; `ctx.save_for_backward(...)` takes tensors.
            x: any shape and strides, also empty; float32 or float64. Numbers may be as large as 1000 either way, beta
                times x too: results and gradients are finite.
            beta: the same dtype, a shape that broadcasts to that of x, such as () or (D,) or (N, 1) for an x of
                (N, D). It may hold negative numbers and 0.

        Returns:
            A new tensor with the shape and dtype of x. x and beta are not changed.
        """
        ### BEGIN SOLUTION
        # Hint: Save the two inputs and return the formula; `torch.sigmoid` stays finite.
        # Hint: In backward, `x, beta = ctx.saved_tensors`, then s again, and the two derivatives times grad_output.
        # Hint: `t.sum_to_size(beta.shape)` adds up exactly the dimensions along which beta was broadcast.
        # Hint: In the sign, compare `x >= 0`, turn that into x's dtype (0 or 1), and stretch it to -1 or 1.
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad_output: Float[Tensor, "*dims"]) -> tuple[Tensor | None, Tensor | None]:
        """From the gradient in the output to those in the inputs.

        Args:
            ctx: the one that `forward` had; `ctx.saved_tensors` are the tensors.
            grad_output: the gradient of the loss in the output, in its shape, any strides. It is not changed.

        Returns:
            (gradient in x, gradient in beta), in the shapes and dtype of x and beta. For an input that requires no
            gradient, its place may hold None. If x or beta was overwritten in place since `forward`, these are the
            gradients for the numbers that were there, or RuntimeError is raised; they are not wrong.
        """
        ### BEGIN SOLUTION
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        grad_x = grad_output * (s + beta * x * slope)
        grad_beta = grad_output * x**2 * slope
        return grad_x, grad_beta.sum_to_size(beta.shape)
        ### END SOLUTION


class StraightThroughSign(torch.autograd.Function):
    """1 where x >= 0 and -1 elsewhere; its gradient is passed on as if it were the identity.

    >>> x = torch.tensor([-0.3, 0.0, 2.0], requires_grad=True)
    >>> out = StraightThroughSign.apply(x)
    >>> (out * torch.tensor([5.0, 6.0, 7.0])).sum().backward()
    >>> out.tolist(), x.grad.tolist()
    ([-1.0, 1.0, 1.0], [5.0, 6.0, 7.0])
    """

    @staticmethod
    def forward(ctx, x: Float[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
        """A new tensor with the shape and dtype of x (any shape and strides; float32 or float64), x is not changed."""
        ### BEGIN SOLUTION
        return (x >= 0).to(x.dtype) * 2 - 1
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad_output: Float[Tensor, "*dims"]) -> Float[Tensor, "*dims"]:
        """The gradient in x, which is the gradient in the output, for all x, small or large."""
        ### BEGIN SOLUTION
        return grad_output
        ### END SOLUTION
