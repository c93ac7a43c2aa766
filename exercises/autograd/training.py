# %% [markdown] lesson=4
# # A training run to trust
#
# Model, loss, gradient, optimiser: everything that a step needs is there. A run is thousands of steps, and it raises
# questions that no step answers. Is the model good, or has it learned its data by heart? When is it time to stop? And
# if the machine goes down on the third day, is the run lost?
#
# The data of this lesson: 90 hours of the year 2011 in a city that hires out bicycles. `HOURS` says for each of them
# the hour of the day, temperature, humidity, wind, and whether it was a working day; `BIKERS`, how many hundred people
# were riding.

# %%
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from grader.data import data_file

ROWS = [line.split(",") for line in data_file("tables/bikes.csv").read_text().splitlines()[1::97]]
HOURS = torch.tensor([[float(row[column]) for column in (1, 6, 8, 9, 4)] for row in ROWS])
BIKERS = torch.tensor([[float(row[12]) / 100] for row in ROWS])


class Fit(NamedTuple):
    """What `train_val_fit` returns: who was in which part, how inputs were scaled, and how the losses went."""

    train_index: Int[Tensor, "n_train"]  # numbers of rows, int64, in the order in which they are trained on
    val_index: Int[Tensor, "n_val"]  # numbers of rows, int64
    mean: Float[Tensor, "D"]
    std: Float[Tensor, "D"]
    train_losses: list[float]  # one for each epoch
    val_losses: list[float]


# %% [markdown]
# ## Train on one part, judge on the other
# Linear models come first: `closed_form_fit` found the best line at once, because the squared error of a line is
# *convex*, a bowl with one lowest point. Such methods live on the form of their model and do not carry over to another.
# But bikers have two rush hours a day, and no line has two peaks. A network is generic: it takes on the form that the
# data has. Its loss is no bowl, so what is left is *stochastic gradient descent*: many steps, each along the gradient
# of a few samples drawn at random. An *epoch* is one pass over all of them.
#
# What adapts to anything adapts to chance as well. So a part of the data is held back, and only looked at:
#
#     after epoch                   1     11     51     71    101    201    501
#     line      training loss    1.87   1.08   1.08   1.08   1.08   1.08   1.08
#               validation loss  2.37   1.21   1.21   1.21   1.21   1.21   1.21      all that a line can say
#     network   training loss    1.84   0.95   0.51   0.35   0.18   0.03   0.00      better and better?
#               validation loss  2.29   1.30   0.89   0.86   1.05   2.06   2.38      it turns up: *overfitting*
#
# The second number is honest only if nothing leaks. Scaling the inputs learns too (a mean, a deviation), so it
# learns from the training part alone. And the validation rows pass through the model without a graph: nothing is to be
# differentiated there, and a graph costs memory. When nothing is held back, take care: `order[:-0]` is empty.

# %% train_val_fit points=2 level="core" minutes=25 needs=["closed_form_fit", "evaluate", "SGD"]
def train_val_fit(
    model: nn.Module,
    x: Float[Tensor, "N D"],
    y: Float[Tensor, "N T"],
    fraction: float,
    seed: int,
    batch_size: int,
    lr: float,
    epochs: int,
) -> Fit:
    """Split the rows at random, train `model` on one part by stochastic gradient descent, and follow both losses.

    1. The split. Validation gets `fraction * N` rows, rounded to the nearest whole number (a half either way), training
       the rest. The rows of both are drawn at random, every row being as likely as another, and `train_index` is in
       random order too. All this depends on N, `fraction` and `seed` alone: the global random generators (torch, NumPy,
       Python) are neither read nor changed, here or later.
    2. The scale. All inputs become `(x - mean) / std`, with the mean and the deviation (correction=0: N in the
       denominator, not N - 1) of each column of the training part; where that deviation is 0, std is 1. Targets stay.
    3. The epochs. Each takes the training rows in the order of `train_index`, `batch_size` at a time (the last batch
       may be smaller), and for each batch makes one plain step, p = p - lr * gradient, on the mean squared error. (One
       order for all epochs makes a run easy to check; a DataLoader would draw a new one for each.)
    4. The losses. After each epoch the mean squared error of each part, over all its elements at once, is noted.
       Validation rows pass through the model only here, and without a graph: its output does not require a gradient.

    Args:
        model: takes inputs (B, D) for any B >= 0 and returns (B, T), trained in place. It works alike in training and
            in eval mode. All its parameters take part; there may be old gradients in their `.grad`, to be ignored.
        x, y: N >= 1 samples in rows, float32 or float64 like the model. They are not changed.
        fraction: share of the validation part. 0, or so little that it is rounded to no row, holds nothing back:
            `val_index` is empty then, and every validation loss is NaN, as nothing was measured.
        seed: a whole number from 0.
        batch_size: 1 or more, possibly more than there are rows.
        lr: the learning rate.
        epochs: 0 or more.

    Returns:
        A Fit; `mean` and `std` have the dtype of `x`, the losses are lists of `epochs` Python floats.

    Raises:
        ValueError: `fraction` is negative, or no row is left to train on. The model has not changed.

    >>> fit = train_val_fit(nn.Linear(5, 1), HOURS, BIKERS, 1 / 3, 1, 16, 0.05, 20)
    >>> len(fit.train_index), len(fit.val_index), len(fit.val_losses)
    (60, 30, 20)
    >>> fit.train_losses[-1] < fit.train_losses[0]
    True
    """
    raise NotImplementedError("train_val_fit is not written yet")


# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# figure, panels = plt.subplots(1, 2, figsize=(11, 3.5), sharey=True)
# torch.manual_seed(1)
# line = nn.Linear(5, 1)
# network = nn.Sequential(nn.Linear(5, 50), nn.ReLU(), nn.Linear(50, 50), nn.ReLU(), nn.Linear(50, 1))
# for panel, (name, model) in zip(panels, {"line": line, "network": network}.items()):
#     fit = train_val_fit(model, HOURS, BIKERS, fraction=1 / 3, seed=1, batch_size=16, lr=0.05, epochs=400)
#     panel.plot(fit.train_losses, label="training")
#     panel.plot(fit.val_losses, label="validation")
#     panel.set(title=name, xlabel="epoch", ylim=(0, 3))
#     panel.legend();

# %% [markdown]
# ## Stop while it is good
# The validation loss falls, turns, and rises. The model that one wants is the one at the turn, and at the turn nobody
# knows yet that it is one: the next epoch might go deeper. So go on for a while, have patience, and keep a copy:
#
#     epoch              0     1     2     3     4     5         patience = 3
#     validation loss  2.3   1.3   0.9   1.0   0.9   1.1
#                                  ^     1     2     3  stop     0.9 again is no improvement
#                                best
#
# A copy is the point. `model.state_dict()` does not hold numbers of its own: its tensors share memory with the
# parameters, and the next step of the optimiser, in place, changes them as well. A "best state" kept like that is
# always the latest one, without any error. And buffers, such as the running statistics of batch normalisation, belong
# to the state as much as parameters do.
#
# Then there is NaN. It is neither less nor greater than any number: `nan < best` is False, but so is `nan >= best`,
# so how you ask decides what a broken epoch counts as.

# %% early_stopping points=2 level="core" minutes=15 needs=["train_val_fit"]
def early_stopping(
    model: nn.Module, fit_epoch: Callable[[int], float], patience: int, max_epochs: int
) -> tuple[dict[str, Shaped[Tensor, "..."]], int | None, list[float]]:
    """Train until the validation loss has not improved for `patience` epochs in a row, then go back to the best epoch.

    An epoch improves if its loss is lower than every loss before it; an equal one does not, and the first one does. A
    loss of NaN or inf never improves, and it has no effect on what counts as lower later.

    Args:
        model: what is trained. In the end it is in the best state, whichever of the two limits below ended the
            training: all its parameters and buffers have the values of that state, and they are the same objects as
            before (the optimiser holds them).
        fit_epoch: called with the epoch's number, 0, 1, 2 and so on. It trains `model` in place for one epoch and
            returns the validation loss after it, a Python float. (What becomes of the model if it raises is left open.)
        patience: 1 or more. After this many epochs in a row without improvement, `fit_epoch` is called no more.
        max_epochs: it is called at most this often, 0 or more.

    Returns:
        (best_state, best_epoch, losses): the model's state_dict after the best epoch, with parameters and buffers,
        whose tensors are copies, without requires_grad, that share no memory with the model; the number of that epoch;
        and all losses that came, in order. If no epoch improved, the best state is that before training, and best_epoch
        is None.

    >>> model = nn.Linear(1, 1, bias=False)
    >>> def fit_epoch(epoch):
    ...     with torch.no_grad():
    ...         model.weight.fill_(epoch)
    ...     return [2.3, 1.3, 0.9, 1.0, 0.9, 1.1, 0.5][epoch]
    >>> best_state, best_epoch, losses = early_stopping(model, fit_epoch, 3, 7)
    >>> best_state["weight"].item(), best_epoch, losses
    (2.0, 2, [2.3, 1.3, 0.9, 1.0, 0.9, 1.1])
    >>> model.weight.item()
    2.0
    """
    raise NotImplementedError("early_stopping is not written yet")


# %% [markdown]
# ## Go on as if nothing had happened
# Three days into a run the power fails. What must be on disk so that the run goes on, bit for bit, as it would have?
#
#     lost                     what happens then, without an error
#     the parameters           (everybody thinks of these, but buffers belong to them)
#     the optimiser's state    momentum and Adam's averages start at zero: the loss jumps
#     the scheduler's state    the learning rate begins its warm-up again
#     the random generators    other dropout, other batches: a run that nobody can repeat
#     the epoch                one epoch twice, or none: epoch 7 is *finished*, so 8 is next
#
# Each of them gives its state as plain data: `state_dict()`, and for torch's generators `torch.get_rng_state()` and
# `torch.cuda.get_rng_state_all()` (an empty list where there is no GPU). Plain data also loads with
# `weights_only=True`; a pickled model object would not.
#
# Two more traps. Power likes to fail *while* a file is being written, and the half-written file has just replaced the
# good one. So write to another name in the same folder, then `os.replace`, which swaps in one instant. And a file from
# a GPU has to load where there is none, so `torch.load` must be told where to put things. Generator states are always
# on the CPU; the `load_state_dict` methods bring all the rest to where the model is.

# %% save_checkpoint points=3 level="hard" minutes=30 needs=["save_tensors", "warmup_cosine", "early_stopping"]
def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    epoch: int,
) -> None:
    """Write to `path` all that `resume` needs to go on after `epoch`. What the file looks like inside is up to you.

    It holds the states of the model (with buffers), the optimizer and the scheduler, the epoch, and the states of
    torch's global generators: the CPU's and those of all CUDA devices. (The generators of Python and NumPy, and those
    that you made yourself, are not asked for.) `torch.load(path, weights_only=True)` reads it, and it may be moved or
    copied to another place and machine.

    A file that is already at `path` is replaced in one instant: whoever opened it before still reads the whole old one,
    and if writing the new one fails with an exception, the old one is still there, complete, and the exception goes on
    to the caller. After a save that succeeded, the folder has no other new file.

    Args:
        path: the file, in a folder that exists, written under exactly this name.
        model, optimizer, scheduler: the live objects of a run. They are not changed, nor are the global generators,
            Python's and NumPy's included: the run goes on as if it had not been saved, and what it does later does not
            change the file.
        epoch: the number of the epoch just finished, from 0.

    >>> import tempfile
    >>> model = nn.Linear(2, 1)
    >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    >>> scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.pt", model, optimizer, scheduler, 7)
    ...     then = torch.rand(3)
    ...     print(resume(f"{folder}/run.pt", model, optimizer, scheduler))
    8
    >>> torch.equal(torch.rand(3), then)
    True
    """
    raise NotImplementedError("save_checkpoint is not written yet")


def resume(
    path: str | Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
) -> int:
    """Bring a run back to where `save_checkpoint` left it: training goes on from there with exactly the same numbers.

    Args:
        path: what `save_checkpoint` wrote, maybe on another machine, from a model on any device. It may come from a
            stranger.
        model: a model like the one that was saved, with other numbers. It stays on its device, whichever that is; its
            parameters stay the same objects. On "meta", where tensors have no numbers, it stays as it is.
        optimizer, scheduler: objects of the same kind as those that were saved, made for this model. All their
            settings, such as learning rates and betas, come from the file; tensors in the optimizer's state that are
            like a parameter (momentum, averages) come to its device.

    Returns:
        The number of the epoch to go on with, one more than the number that was saved. The states of torch's global
        CPU generator and of the CUDA devices (as many as both machines have) are what they were at the save.

    Raises:
        RuntimeError: the names or shapes of parameters and buffers in the file are not those of `model`, as its
            `load_state_dict` sees it.
        pickle.UnpicklingError: the file holds other objects than tensors in plain containers. None of its code has run.

    >>> import tempfile
    >>> def begin():
    ...     model = nn.Linear(2, 1)
    ...     optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    ...     return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=10)
    >>> run, later = begin(), begin()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint(f"{folder}/run.pt", *run, 7)
    ...     print(resume(f"{folder}/run.pt", *later))
    8
    >>> torch.equal(later[0].weight, run[0].weight)
    True
    """
    raise NotImplementedError("save_checkpoint is not written yet")
