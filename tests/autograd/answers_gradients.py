# %% autograd_step wrong="the old gradient is not cleared"
# The steps get longer and longer: `backward` adds to what is in `.grad`, and the gradients of earlier steps are still
# there. Clear it before each `backward`.
def autograd_step(params, loss_fn, lr):
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="cleared before the step"
# Nothing moves, or it fails: the gradient was computed, and cleared before the step could use it. Look at the order of
# the four parts.
def autograd_step(params, loss_fn, lr):
    loss = loss_fn(params)
    loss.backward()
    params.grad.zero_()
    with torch.no_grad():
        params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="cleared after the step"
# The gradient is gone when the step is done, and what was in `.grad` before the first step did count. Clear it right
# before `backward`, not at the end.
def autograd_step(params, loss_fn, lr):
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad
    params.grad = None
    return loss.item()


# %% autograd_step wrong="autograd watches the update"
# Torch refuses this: a leaf that requires gradients cannot be written into while autograd watches. The update is not
# part of the loss, so switch autograd off for it.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="a new tensor under the old name"
# `params = params - ...` makes another tensor, and only this function knows of it: the caller's `params` has not moved.
# Write into the tensor that was passed in.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params = params - lr * params.grad
    return loss.item()


# %% autograd_step wrong="new storage through .data"
# `params` has the right numbers, but in a new storage: whoever holds a view of the old one does not see the step. Write
# into the storage that is there.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    params.data = params.data - lr * params.grad
    return loss.item()


# %% autograd_step wrong="requires_grad stays off"
# After this step `params` no longer requires gradients, so the next one has none: its requires_grad was switched off
# for the update, and not on again. `torch.no_grad()` leaves the tensor's own flag alone.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    params.requires_grad_(False)
    params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="autograd stays off"
# From here on nothing records a graph any more: `torch.set_grad_enabled(False)` as a plain call stays in force after
# the function. In a `with` block, it ends.
def autograd_step(params, loss_fn, lr):
    torch.set_grad_enabled(True)
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    torch.set_grad_enabled(False)
    params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="returns the loss as a tensor"
# What comes back is a tensor with its whole graph: a list of such losses keeps every graph in memory. A Python float
# was asked for.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad
    return loss


# %% autograd_step wrong="the loss after the step"
# The loss that comes back is that of the place after the step, at the price of a second call of `loss_fn`. Asked for is
# the one from before, which is already there.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss_fn(params).backward()
    with torch.no_grad():
        params -= lr * params.grad
        return loss_fn(params).item()


# %% autograd_step wrong="uphill"
# The loss grows: parameters move *against* the gradient.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params += lr * params.grad
    return loss.item()


# %% autograd_step wrong="the step is left in .grad"
# `params` moves rightly, but `.grad` holds lr times the gradient afterwards: it was multiplied in place. Whoever reads
# it expects the gradient.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= params.grad.mul_(lr)
    return loss.item()


# %% autograd_step wrong="the sign of the gradient only"
# Each parameter moves by lr, whatever the slope: the gradient's size counts too, so that steps get shorter where it is
# flat.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad.sign()
    return loss.item()


# %% autograd_step wrong="the gradient in float32"
# In float64 the step is right to 7 digits only: the gradient went through float32 on the way. It has the dtype of
# `params` already.
def autograd_step(params, loss_fn, lr):
    params.grad = None
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad.float()
    return loss.item()


# %% autograd_step wrong="cleared by a product with 0"
# After a step that diverged, `.grad` holds NaN or inf, and there it stays: 0 times NaN is NaN. So what earlier steps
# left still counts. How is a gradient cleared whatever it holds?
def autograd_step(params, loss_fn, lr):
    if params.grad is not None:
        params.grad *= 0
    loss = loss_fn(params)
    loss.backward()
    with torch.no_grad():
        params -= lr * params.grad
    return loss.item()


# %% autograd_step wrong="always on afterwards"
# For a caller who has autograd switched off, it is on after the step: `torch.set_grad_enabled(True)` as a plain call
# does not ask what was before. What ends by itself, and brings back the mode that was there?
def autograd_step(params, loss_fn, lr):
    params.grad = None
    torch.set_grad_enabled(True)
    loss = loss_fn(params)
    loss.backward()
    torch.set_grad_enabled(False)
    params -= lr * params.grad
    torch.set_grad_enabled(True)
    return loss.item()


# %% autograd_step right="torch.optim.SGD"
def autograd_step(params, loss_fn, lr):
    optimizer = torch.optim.SGD([params], lr=lr)
    optimizer.zero_grad()
    loss = loss_fn(params)
    loss.backward()
    optimizer.step()
    return loss.item()


# %% autograd_step right="torch.autograd.grad and copy_"
def autograd_step(leaf, f, rate):
    value = f(leaf)
    (slope,) = torch.autograd.grad(value, leaf)
    print("slope", slope)
    leaf.grad = slope
    with torch.no_grad():
        leaf.copy_(leaf - rate * slope)
    return float(value)


# %% autograd_step right="through .data, in place"
def autograd_step(params, loss_fn, lr):
    if params.grad is not None:
        params.grad.zero_()
    loss = loss_fn(params)
    loss.backward()
    params.data.add_(params.grad, alpha=-lr)
    return loss.detach().item()


# %% autograd_step right="set_grad_enabled, element by element"
def autograd_step(params, loss_fn, lr):
    params.grad = torch.zeros_like(params)
    loss = loss_fn(params)
    loss.backward()
    with torch.set_grad_enabled(False):
        for i in range(len(params)):
            params[i] -= lr * params.grad[i]
    return loss.tolist()


# %% autograd_step right="a leaf of its own, and NumPy"
def autograd_step(params, loss_fn, lr):
    leaf = params.detach().clone().requires_grad_()
    loss = loss_fn(leaf)
    loss.backward()
    params.detach().numpy()[:] -= lr * leaf.grad.numpy()
    params.grad = leaf.grad
    return float(loss)


# %% accumulate_step wrong="divides by the number of pieces"
# Right only for pieces of one size: here a sample of a small piece counts more than one of a large piece. What is the
# share of each piece's *samples*?
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    whole = 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) / len(pieces)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="adds up the means"
# The gradient is too large, about as many times as there are pieces: means were added, but the whole batch's loss is
# one mean over all samples.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    whole, count = 0.0, 0
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y)
        loss.backward()
        whole += loss.item() * len(x)
        count += len(x)
    if not count:
        raise ValueError("no micro-batches")
    optimizer.step()
    return whole / count


# %% accumulate_step wrong="adds up the sums"
# The gradient is as many times too large as there are samples: each loss was weighted by its size, and the sum was not
# divided by the number of all samples.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    whole, count = 0.0, 0
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * len(x)
        loss.backward()
        whole += loss.item()
        count += len(x)
    if not count:
        raise ValueError("no micro-batches")
    optimizer.step()
    return whole / count


# %% accumulate_step wrong="zero_grad inside the loop"
# Only the last piece has an effect: the gradients were cleared before each piece, so nothing accumulates.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    for x, y in pieces:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="never clears"
# The gradients that were there before the call count as well: clear them once, before the first piece.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="a step for each piece"
# The optimiser steps after every piece, so the second piece's gradient is taken at a place where the parameters have
# already moved. One step, after the last.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    for x, y in pieces:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        optimizer.step()
        whole += loss.item()
    return whole


# %% accumulate_step wrong="steps every four pieces"
# A step is made after each fourth piece. With another number of pieces the rest, or everything, has no effect: all the
# pieces given are one batch.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(pieces):
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
        if (i + 1) % 4 == 0:
            optimizer.step()
    return whole


# %% accumulate_step wrong="drops a smaller last piece"
# The last piece is smaller than the first, and has no effect at all: its samples belong to the batch too.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    if len(pieces[-1][0]) < len(pieces[0][0]):
        pieces = pieces[:-1]
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="one backward at the end"
# The step is right, but all graphs are in memory until the single `backward` at the end: that is what micro-batches are
# to avoid. Call `backward` for each piece.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total = sum(len(x) for x, _ in pieces)
    optimizer.zero_grad()
    loss = sum(loss_fn(model(x), y) * (len(x) / total) for x, y in pieces)
    loss.backward()
    optimizer.step()
    return loss.item()


# %% accumulate_step wrong="joins the pieces"
# The step is right, but the model got all samples at once: the batch came in pieces because it is too large for that.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    xs, ys = zip(*pieces)
    optimizer.zero_grad()
    loss = loss_fn(model(torch.cat(xs)), torch.cat(ys))
    loss.backward()
    optimizer.step()
    return loss.item()


# %% accumulate_step wrong="goes through the pieces twice"
# With a list this works. A generator is used up after counting the samples, and there is nothing left to learn from.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    total, whole = sum(len(x) for x, _ in micro_batches), 0.0
    if total == 0:
        raise ValueError("no micro-batches")
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="needs a list"
# A generator has no length and cannot be indexed: make a list of it first.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    if len(micro_batches) == 0:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in micro_batches), 0.0
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="returns the plain mean of the losses"
# The step is right. The loss returned is the average of the pieces' losses, in which small pieces count too much.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, losses = sum(len(x) for x, _ in pieces), []
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y)
        (loss * (len(x) / total)).backward()
        losses.append(loss.item())
    optimizer.step()
    return sum(losses) / len(losses)


# %% accumulate_step wrong="returns the loss as a tensor"
# The loss should be a Python float. This sum of tensors also keeps the graphs of all pieces.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole = whole + loss
    optimizer.step()
    return whole


# %% accumulate_step wrong="clears after the step"
# After the call the gradients are gone, and those from before the call did count. Clear them before the first piece.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    optimizer.zero_grad()
    return whole


# %% accumulate_step wrong="weights by the samples so far"
# Each piece was divided by the number of samples *until then*, so that the first piece counts in full: all shares
# should add up to 1.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    total, whole = 0, 0.0
    optimizer.zero_grad()
    for x, y in micro_batches:
        total += len(x)
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    if not total:
        raise ValueError("no micro-batches")
    optimizer.step()
    return whole


# %% accumulate_step wrong="a step with nothing"
# Without any micro-batch this makes a step all the same and returns 0. An optimiser with momentum would move the
# parameters; ValueError was asked for.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="stumbles over grad None"
# Dividing the gradients afterwards is fine, but parameters that are frozen or have no part in the loss have none: their
# `.grad` is None.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    whole, count = 0.0, 0
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * len(x)
        loss.backward()
        whole += loss.item()
        count += len(x)
    if not count:
        raise ValueError("no micro-batches")
    for p in model.parameters():
        p.grad /= count
    optimizer.step()
    return whole / count


# %% accumulate_step wrong="the step before the last backward"
# The last piece has no effect: the optimiser made its step when that piece's gradient was not there yet.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for i, (x, y) in enumerate(pieces):
        loss = loss_fn(model(x), y) * (len(x) / total)
        if i == len(pieces) - 1:
            optimizer.step()
        loss.backward()
        whole += loss.item()
    return whole


# %% accumulate_step wrong="clears only what is not frozen"
# A frozen parameter has moved. Its `.grad` held something from before, and the optimiser uses any gradient that is
# there, also that of a parameter which requires none.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(len(x) for x, _ in pieces), 0.0
    for p in model.parameters():
        if p.requires_grad:
            p.grad = None
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (len(x) / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="divides in the first group only"
# The gradients of some parameters are too large, by a factor of the number of samples: `param_groups[0]` is one group
# of the optimiser, and there may be more. Where else could one find all parameters?
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    whole, count = 0.0, 0
    optimizer.zero_grad()
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * len(x)
        loss.backward()
        whole += loss.item()
        count += len(x)
    if not count:
        raise ValueError("no micro-batches")
    for p in optimizer.param_groups[0]["params"]:
        if p.grad is not None:
            p.grad /= count
    optimizer.step()
    return whole / count


# %% accumulate_step wrong="weights by the number of elements"
# Where the samples of one piece are longer than those of another, they count more. `x.numel()` counts numbers, but the
# loss is a mean over samples: how many of those does x hold?
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    pieces = list(micro_batches)
    if not pieces:
        raise ValueError("no micro-batches")
    total, whole = sum(x.numel() for x, _ in pieces), 0.0
    optimizer.zero_grad()
    for x, y in pieces:
        loss = loss_fn(model(x), y) * (x.numel() / total)
        loss.backward()
        whole += loss.item()
    optimizer.step()
    return whole


# %% accumulate_step wrong="a shared parameter divided twice"
# Two layers have one weight between them, and its gradient was divided once for each. `model.parameters()` names it
# once; going through the modules meets it twice.
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    optimizer.zero_grad()
    total, samples = 0.0, 0
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * len(x)
        loss.backward()
        total, samples = total + loss.item(), samples + len(x)
    if not samples:
        raise ValueError("no micro-batches")
    for module in model.modules():
        for p in module.parameters(recurse=False):
            if p.grad is not None:
                p.grad /= samples
    optimizer.step()
    return total / samples


# %% accumulate_step right="divides the gradients at the end"
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    count, total = 0, 0.0
    optimizer.zero_grad(set_to_none=False)
    for p in model.parameters():
        p.grad = None
    for inputs, targets in micro_batches:
        loss = loss_fn(model(inputs), targets) * targets.shape[0]
        loss.backward()
        total += float(loss)
        count += targets.shape[0]
    if count == 0:
        raise ValueError("nothing came")
    for group in optimizer.param_groups:
        for p in group["params"]:
            if p.grad is not None:
                p.grad.div_(count)
    optimizer.step()
    return total / count


# %% accumulate_step right="a running mean, piece by piece"
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    seen, mean = 0, 0.0
    model.zero_grad()
    for x, y in micro_batches:
        share = len(x) / (seen + len(x))
        for p in model.parameters():
            if p.grad is not None:
                p.grad *= 1 - share
        loss = loss_fn(model(x), y)
        (share * loss).backward()
        mean = (1 - share) * mean + share * loss.item()
        seen += len(x)
    if not seen:
        raise ValueError
    optimizer.step()
    return mean


# %% accumulate_step right="torch.autograd.grad"
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    params = [p for p in model.parameters() if p.requires_grad]
    sums, total, count = [None] * len(params), 0.0, 0
    model.zero_grad()  # the frozen ones too
    for x, y in micro_batches:
        loss = loss_fn(model(x), y) * len(y)
        grads = torch.autograd.grad(loss, params, allow_unused=True)
        sums = [g if s is None else s if g is None else s + g for s, g in zip(sums, grads)]
        total, count = total + loss.item(), count + len(y)
    if count == 0:
        raise ValueError("no samples")
    for p, s in zip(params, sums):
        p.grad = None if s is None else s / count
    optimizer.step()
    return total / count


# %% accumulate_step right="retain nothing, recursion"
def accumulate_step(model, optimizer, loss_fn, micro_batches):
    batches = [(x, y, x.size(0)) for x, y in micro_batches]
    if len(batches) < 1:
        raise ValueError("empty")
    n = sum(size for *_, size in batches)
    optimizer.zero_grad()

    def piece(x, y, size):
        loss = size * loss_fn(model(x), y) / n
        loss.backward()
        return loss.detach()

    losses = torch.stack([piece(*batch) for batch in batches])
    optimizer.step()
    return losses.sum().item()


# %% evaluate wrong="eval mode, but autograd records"
# The numbers are right, but every batch built a graph: `eval()` changes how layers compute, not whether autograd
# records. If the losses are added up as tensors, all these graphs stay in memory.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            total += loss_fn(logits, y) * len(y)
            correct += (logits.argmax(dim=1) == y).sum().item()
            samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total.item() / samples, correct / samples


# %% evaluate wrong="no_grad, but training mode"
# Without gradients, but in the mode in which the model came: dropout drops, and batch norm uses the batch, and learns
# its statistics from data that it must not learn from.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    total, correct, samples = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            total += loss_fn(logits, y).item() * len(y)
            correct += (logits.argmax(dim=1) == y).sum().item()
            samples += len(y)
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="stays in eval mode"
# The model is left in eval mode, and from then on it trains without dropout, and with batch norm's old averages. Each
# module should get the mode that it had.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    model.eval()
    total, correct, samples = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            total += loss_fn(logits, y).item() * len(y)
            correct += (logits.argmax(dim=1) == y).sum().item()
            samples += len(y)
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="always back to training mode"
# Afterwards every module is in training mode, also those that were not: a model in use would drop at random from then
# on, and frozen batch norm would start to move.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
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
        model.train()
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="one mode for all modules"
# All modules get the mode of the outermost one: `train(mode)` goes down to every part. A part that was deliberately in
# the other mode loses it.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    was_training = model.training
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
        model.train(was_training)
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="an error leaves it in eval mode"
# When all goes well the modes come back. When the model, the loader or the loss raises, they do not: the lines after
# the loop are never reached. `finally:` is.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            logits = model(x)
            total += loss_fn(logits, y).item() * len(y)
            correct += (logits.argmax(dim=1) == y).sum().item()
            samples += len(y)
    for module, mode in modes:
        module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="means of means"
# These are averages over batches, in which a sample of a small last batch counts more than any other. Weight each batch
# by its size.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    losses, accuracies = [], []
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                losses.append(loss_fn(logits, y).item())
                accuracies.append((logits.argmax(dim=1) == y).double().mean().item())
    finally:
        for module, mode in modes:
            module.training = mode
    if not losses:
        raise ValueError("the loader gives no batch")
    return sum(losses) / len(losses), sum(accuracies) / len(accuracies)


# %% evaluate wrong="the loss is a mean of means"
# The accuracy is right. The loss is the average of the batches' means, in which a small last batch counts too much.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, batches, correct, samples = 0.0, 0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y).item()
                batches += 1
                correct += (logits.argmax(dim=1) == y).sum().item()
                samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / batches, correct / samples


# %% evaluate wrong="divides the losses by the samples"
# The loss is too small: each batch's loss is already a mean, and the sum of these means was divided by the number of
# samples.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y).item()
                correct += (logits.argmax(dim=1) == y).sum().item()
                samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="needs a data set with a length"
# `loader.dataset` is there for a DataLoader only. Any iterable of batches should do: count the samples as they come.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, sum(len(y) for _, y in loader)
    if samples == 0:
        raise ValueError("the loader gives no batch")
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y).item() * len(y)
                correct += (logits.argmax(dim=1) == y).sum().item()
    finally:
        for module, mode in modes:
            module.training = mode
    return total / samples, correct / samples


# %% evaluate wrong="batches stay where they are"
# The batch was not moved: as soon as the model is on another device than the data, they do not meet.
def evaluate(model, loader, loss_fn):
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
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


# %% evaluate wrong="the device by name"
# The device is chosen by name: a GPU if there is one, else the CPU. Where the *model* is was not asked; it may be on
# another device, and has to stay there.
def evaluate(model, loader, loss_fn):
    device = "cuda" if torch.cuda.is_available() else "cpu"
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


# %% evaluate wrong="x is moved, y is not"
# The logits are on the model's device, and y is still where the loader put it: `y.to(device)` returns a tensor, and
# that result has to be used.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                y.to(device)
                logits = model(x.to(device))
                total += loss_fn(logits, y).item() * len(y)
                correct += (logits.argmax(dim=1) == y).sum().item()
                samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="one of the two best is good enough"
# The class of a sample may be the one with the second largest logit here: accuracy counts a sample as right only if the
# very largest is that of its class.
def evaluate(model, loader, loss_fn):
    modes = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device
    total, correct, count = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y).item() * len(y)
                correct += (logits.topk(2).indices == y[:, None]).any(dim=1).sum().item()
                count += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if not count:
        raise ValueError("the loader gives no batch")
    return total / count, correct / count


# %% evaluate wrong="accuracy in percent"
# The accuracy is 100 times too large: a fraction from 0 to 1 was asked for.
def evaluate(model, loader, loss_fn):
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
    return total / samples, 100 * correct / samples


# %% evaluate wrong="tensors come back"
# The numbers are right, but they are tensors; Python floats were asked for.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        with torch.no_grad():
            for x, y in loader:
                x, y = x.to(device), y.to(device)
                logits = model(x)
                total += loss_fn(logits, y) * len(y)
                correct += (logits.argmax(dim=1) == y).sum()
                samples += len(y)
    finally:
        for module, mode in modes:
            module.training = mode
    if samples == 0:
        raise ValueError("the loader gives no batch")
    return total / samples, correct / samples


# %% evaluate wrong="autograd stays off"
# From here on nothing records a graph any more, the training that follows included: `torch.set_grad_enabled(False)` as
# a plain call stays in force after the function.
def evaluate(model, loader, loss_fn):
    torch.set_grad_enabled(False)
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
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


# %% evaluate wrong="zeros for an empty set"
# With no batch at all this returns 0 for both, as if the model were perfect and useless at once. There is no mean of
# nothing: ValueError was asked for.
def evaluate(model, loader, loss_fn):
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
    return total / max(samples, 1), correct / max(samples, 1)


# %% evaluate wrong="the parameters are frozen"
# No graph, because the parameters no longer require gradients: they stay frozen after the call, and training cannot go
# on. `torch.no_grad()` leaves their flags alone.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        model.eval()
        model.requires_grad_(False)
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


# %% evaluate wrong="the children in eval mode, the model itself not"
# Every part is in eval mode, but the model itself is not: its own forward may look at `self.training`, as
# `F.dropout(x, training=self.training)` does. `children()` are what is below it.
def evaluate(model, loader, loss_fn):
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    total, correct, samples = 0.0, 0, 0
    try:
        for child in model.children():
            child.eval()
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


# %% evaluate right="decorated, sums of tensors"
@torch.no_grad()
def evaluate(net, data, criterion):
    places = {p.device for p in net.parameters()}
    (device,) = places
    flags = {name: module.training for name, module in net.named_modules()}
    net.train(False)
    try:
        losses, hits, sizes = [], [], []
        for batch in data:
            inputs, labels = (t.to(device=device) for t in batch)
            scores = net(inputs)
            losses.append(criterion(scores, labels) * labels.numel())
            hits.append(scores.max(dim=1).indices.eq(labels).sum())
            sizes.append(labels.numel())
        if not sizes:
            raise ValueError("no data")
        return torch.stack(losses).sum().item() / sum(sizes), int(torch.stack(hits).sum()) / sum(sizes)
    finally:
        for name, module in net.named_modules():
            module.training = flags[name]


# %% evaluate right="inference mode and a context manager"
from contextlib import contextmanager


@contextmanager
def _everything_in_eval(model):
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def evaluate(model, loader, loss_fn):
    with _everything_in_eval(model), torch.inference_mode():
        weight = next(iter(model.parameters()))
        rows = []
        for x, y in loader:
            logits = model(x.to(weight.device))
            y = y.to(weight.device)
            rows.append((float(loss_fn(logits, y)), float((logits.argmax(1) == y).double().mean()), len(x)))
    if len(rows) == 0:
        raise ValueError("empty loader")
    count = sum(size for _, _, size in rows)
    return sum(loss * size for loss, _, size in rows) / count, sum(part * size for _, part, size in rows) / count


# %% evaluate right="counts on the CPU, sample by sample"
def evaluate(model, loader, loss_fn):
    modes = {module: module.training for module in model.modules()}
    grad = torch.is_grad_enabled()
    device = list(model.parameters())[0].device
    loss_sum = torch.zeros((), dtype=torch.float64)
    right = count = 0
    try:
        torch.set_grad_enabled(False)
        for module in modes:
            module.training = False
        for x, y in loader:
            logits = model(x.to(device))
            loss = loss_fn(logits, y.to(device))
            loss_sum += loss.cpu().double() * len(y)
            guesses = logits.cpu().numpy().argmax(axis=1).tolist()
            for guess, label in zip(guesses, y.tolist()):
                right += guess == label
                count += 1
            print(f"so far {right} of {count}, loss {loss:.3f}")
    finally:
        torch.set_grad_enabled(grad)
        for module, mode in modes.items():
            module.training = mode
    if not count:
        raise ValueError("no samples")
    return loss_sum.item() / count, right / count


# %% evaluate right="a copy of the model, all logits at once"
def evaluate(model, loader, loss_fn):
    import copy

    net = copy.deepcopy(model).eval()
    device = next(net.parameters()).device
    with torch.no_grad():
        parts = [(net(x.to(device)), y.to(device)) for x, y in loader]
        if not parts:
            raise ValueError("none")
        logits, y = (torch.cat(tensors) for tensors in zip(*parts))
        return float(loss_fn(logits, y)), (logits.argmax(-1) == y).double().mean().item()


# %% forward_mode wrong="stays switched"
# Grad mode is another one after the call: used as a plain function, `set_grad_enabled` stays in force. In a `with`
# block it ends with the block.
def forward_mode(model, x, is_train):
    torch.set_grad_enabled(is_train)
    return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="an error leaves it switched"
# When all goes well grad mode comes back. When the model raises, it does not: the line after the call is never reached.
def forward_mode(model, x, is_train):
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(is_train)
    out = model(x)
    torch.set_grad_enabled(before)
    return out


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="always on afterwards"
# Afterwards autograd is always on, also for a caller who had it off. It should be as it was before.
def forward_mode(model, x, is_train):
    try:
        torch.set_grad_enabled(is_train)
        return model(x)
    finally:
        torch.set_grad_enabled(True)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="switches train and eval"
# This changes how layers compute (dropout, batch norm), and leaves it so. Whether autograd records is another switch,
# and the only one meant here.
def forward_mode(model, x, is_train):
    model.train(is_train)
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="records, then detaches"
# Without training, the output requires no gradient, but a graph was built all the same, and thrown away at the end:
# time and memory for nothing.
def forward_mode(model, x, is_train):
    with torch.enable_grad():
        out = model(x)
    return out if is_train else out.detach()


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="the caller's no_grad wins"
# With is_train=True inside the caller's `torch.no_grad()`, no graph is recorded: doing nothing leaves the mode as the
# caller has it. It should be switched on.
def forward_mode(model, x, is_train):
    if is_train:
        return model(x)
    with torch.no_grad():
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="inference mode"
# Inference mode goes further than no_grad: its tensors can never have a part in a computation with gradients, and torch
# raises when one is to be saved for `backward`.
def forward_mode(model, x, is_train):
    with torch.inference_mode(not is_train), torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="the flag upside down"
# A graph is recorded for False, and none for True: `torch.no_grad()` is the mode for *not* training.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(not is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="the flag is ignored"
# A graph is never recorded, so nothing can be trained: `is_train` has to decide.
def forward_mode(model, x, is_train):
    with torch.no_grad():
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode wrong="detach on the wrong side"
# The gradient flows into the target, and not into the output: the wrong one of the two was detached. The target is what
# should stay fixed.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out.detach() - target) ** 2).mean()


# %% forward_mode wrong="nothing is detached"
# Gradients flow into both sides, so the model also learns to give worse targets. The target should count as fixed.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return nn.functional.mse_loss(out, target)


# %% forward_mode wrong="clone for detach"
# A clone has a storage of its own, but it is still part of the graph: gradients flow through it back to the target.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.clone()) ** 2).mean()


# %% forward_mode wrong=".data for detach"
# The gradient was wrong after `target` had been overwritten, and nothing said so: `.data` hides its numbers from
# autograd, which cannot notice. After `detach()` it does.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return nn.functional.mse_loss(out, target.data)


# %% forward_mode wrong="detach with an underscore"
# The caller's own target was cut off from its graph: an underscore means in place. Detach a tensor of your own.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach_()) ** 2).mean()


# %% forward_mode wrong="the whole loss without a graph"
# The loss has no graph at all, so `backward` has nowhere to go: only the target should be taken out of it.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    with torch.no_grad():
        return ((out - target) ** 2).mean()


# %% forward_mode wrong="a sum of squares"
# The loss grows with the number of elements: the mean of the squares was asked for.
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(is_train):
        return model(x)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).sum()


# %% forward_mode wrong="train and eval, and back"
# While the model ran, its parts were in train or eval mode by the flag, which changes what dropout and batch norm
# compute; afterwards all of them have one mode. Only grad mode was to be switched.
def forward_mode(model, x, is_train):
    was_training = model.training
    model.train(is_train)
    try:
        with torch.set_grad_enabled(is_train):
            return model(x)
    finally:
        model.train(was_training)


def consistency_loss(out, target):
    return ((out - target.detach()) ** 2).mean()


# %% forward_mode right="two branches"
def forward_mode(network, inputs, training):
    if training:
        with torch.enable_grad():
            return network(inputs)
    with torch.no_grad():
        return network(inputs)


def consistency_loss(prediction, aim):
    with torch.no_grad():
        fixed = aim.clone()
    return nn.functional.mse_loss(prediction, fixed)


# %% forward_mode right="by hand, with finally"
def forward_mode(model, x, is_train):
    previous = torch.is_grad_enabled()
    torch.set_grad_enabled(is_train)
    try:
        out = model(x)
    finally:
        torch.set_grad_enabled(previous)
    print("requires_grad:", out.requires_grad)
    return out


def consistency_loss(out, target):
    return nn.functional.mse_loss(out, target.detach())


# %% forward_mode right="a decorated call"
def forward_mode(model, x, is_train):
    return torch.set_grad_enabled(is_train)(lambda: model(x))()


def consistency_loss(out, target):
    difference = (out - target.detach().clone()).flatten()
    return difference.dot(difference) / len(difference)


# %% forward_mode right="target as numbers"
def forward_mode(model, x, is_train):
    with torch.enable_grad() if is_train else torch.no_grad():
        return model.forward(x) if not isinstance(model, nn.Module) else model(x)


def consistency_loss(out, target):
    fixed = torch.tensor(target.tolist(), dtype=target.dtype, device=target.device).reshape(target.shape)
    return (out - fixed).pow(2).sum() / out.numel()


# %% forward_mode right="no graph, and a detached result too"
def forward_mode(model, x, is_train):
    with torch.set_grad_enabled(bool(is_train)):
        out = model(x)
    return out if is_train else out.detach()


def consistency_loss(out, target):
    return nn.functional.mse_loss(out, target.detach(), reduction="mean")


# %% LearnedSiLU wrong="ignores grad_output"
# The gradients are those of `out.sum()`, whatever came after: multiply each derivative by `grad_output`, which is what
# the chain rule brings from there.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return s + beta * x * slope, (x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="one gradient for two inputs"
# `forward` takes two inputs besides `ctx`, so `backward` has to return two gradients; beta's is missing.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        return grad_output * (s + beta * x * s * (1 - s))


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="beta is not learned"
# beta gets no gradient, so it would stay as it is for ever: None says that an input has none. This one has.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        return grad_output * (s + beta * x * s * (1 - s)), None


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="tensors as attributes of ctx"
# An input was overwritten between forward and backward, and the gradient came out wrong without a word. With
# `save_for_backward` torch notices that.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.x, ctx.beta = x, beta
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.x, ctx.beta
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="beta's gradient is not reduced"
# `backward` returns a gradient for beta in the shape of x. Where beta was broadcast, its gradient is the sum over the
# places where it was used, in beta's own shape.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), grad_output * x**2 * slope


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="beta's gradient is one number"
# The gradient of beta was summed over everything: right for a beta without dimensions only. Sum over those dimensions
# along which beta was broadcast.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum().expand(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="a mean over the places"
# Where beta was broadcast its gradient is too small: contributions add up, they are not averaged.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        grad_beta = (grad_output * x**2 * slope).sum_to_size(beta.shape) * beta.numel() / max(x.numel(), 1)
        return grad_output * (s + beta * x * slope), grad_beta


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="only the sigmoid's derivative"
# The product rule has two parts: x changes the factor x as well as the sigmoid. The first part, s itself, is missing.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * beta * x * slope, (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="beta is forgotten inside"
# The gradient of x is that of beta = 1: the inner derivative, of beta * x in x, is beta.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="gradients in the wrong order"
# The two gradients are swapped: they go in the order of the inputs of `forward`, x first.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return (grad_output * x**2 * slope).sum_to_size(beta.shape), grad_output * (s + beta * x * slope)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="exp that overflows"
# For large numbers this gives NaN: exp overflows to infinity, and infinity divided by infinity is none. `torch.sigmoid`
# takes care of that.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * (beta * x).exp() / (1 + (beta * x).exp())

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = (beta * x).exp() / (1 + (beta * x).exp())
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="divides by beta"
# silu(beta * x) / beta is the same on paper; at beta = 0 it is 0 / 0, which is NaN, where x / 2 is right.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return nn.functional.silu(beta * x) / beta

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="torch.sign"
# torch.sign gives 0 at 0, a third value: here x >= 0 should give 1.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sign()

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="the sign's true derivative"
# The gradient before the sign is 0 everywhere, so nothing before it can learn. That is the true derivative, and the
# reason for the trick: pass the gradient straight through.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return torch.zeros_like(grad_output)


# %% LearnedSiLU wrong="ones straight through"
# The gradient before the sign is 1 everywhere: the identity's derivative is 1, and it is still multiplied by what comes
# from behind, grad_output.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return torch.ones_like(grad_output)


# %% LearnedSiLU wrong="passes only where |x| is at most 1"
# The gradient stops where x is beyond -1 and 1. That is a variant in use; the one asked for passes it on for all x.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return grad_output * (x.abs() <= 1)


# %% LearnedSiLU wrong="the sign is always float32"
# `torch.where` with two Python numbers makes float32, whatever x is: the result should have the dtype of x.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        return grad_output * (s + beta * x * slope), (grad_output * x**2 * slope).sum_to_size(beta.shape)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="writes into grad_output"
# The gradients are right, but `grad_output` was overwritten: it belongs to autograd, which may have handed the same
# tensor to others.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        grad_beta = (grad_output * x**2 * slope).sum_to_size(beta.shape)
        return grad_output.mul_(s + beta * x * slope), grad_beta


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU wrong="sums over dimension 0 only"
# This fits a beta of one number for each column. In other shapes, (N, 1) say, other dimensions were broadcast, and
# those are to be summed.
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x, beta)
        return x * torch.sigmoid(beta * x)

    @staticmethod
    def backward(ctx, grad_output):
        x, beta = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        slope = s * (1 - s)
        grad_beta = grad_output * x**2 * slope
        return grad_output * (s + beta * x * slope), grad_beta.sum(0) if beta.ndim < x.ndim else grad_beta


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return (x >= 0).to(x.dtype) * 2 - 1

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


# %% LearnedSiLU right="derivatives kept from forward"
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        s = torch.sigmoid(beta * x)
        out = x * s
        ctx.shape = beta.shape
        ctx.save_for_backward(s + beta * out * (1 - s), x * out * (1 - s))
        return out

    @staticmethod
    def backward(ctx, grad_output):
        dx, dbeta = ctx.saved_tensors
        grad_x = grad_output * dx if ctx.needs_input_grad[0] else None
        grad_beta = (grad_output * dbeta).sum_to_size(ctx.shape) if ctx.needs_input_grad[1] else None
        return grad_x, grad_beta


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.where(x < 0, -torch.ones_like(x), torch.ones_like(x))

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.clone()


# %% LearnedSiLU right="setup_context, reduced by hand"
class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(x, beta):
        return nn.functional.sigmoid(x * beta) * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx, upstream):
        x, beta, out = ctx.saved_tensors
        s = torch.sigmoid(beta * x)
        wide = upstream * out * x * (1 - s)
        while wide.ndim > beta.ndim:
            wide = wide.sum(0)
        for dim in range(beta.ndim):
            if beta.shape[dim] == 1:
                wide = wide.sum(dim, keepdim=True)
        return upstream * (s + beta * out * (1 - s)), wide


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(x):
        out = x.clone()
        out[x >= 0] = 1
        out[x < 0] = -1
        return out

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, upstream):
        return 1 * upstream


# %% LearnedSiLU right="autograd inside backward"
from torch.autograd.function import once_differentiable


class LearnedSiLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, beta):
        ctx.save_for_backward(x.clone(), beta.clone())
        return x / (1 + torch.exp(-beta * x))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        with torch.enable_grad():
            inputs = [t.detach().requires_grad_() for t in ctx.saved_tensors]
            out = inputs[0] * torch.sigmoid(inputs[0] * inputs[1])
            loss = (out * grad_output).sum()
        return torch.autograd.grad(loss, inputs)


class StraightThroughSign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 1 - 2 * (x < 0).type_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return grad_output
