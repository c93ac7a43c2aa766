"""Known answers of pretrained/networks."""


# %% count_parameters wrong="counts tensors"
# These are the numbers of tensors, not of elements: a Linear layer has two parameter tensors, and as many parameters as
# these two have elements.
def count_parameters(model):
    parameters = list(model.parameters())
    return len(parameters), sum(p.requires_grad for p in parameters), len(list(model.buffers()))


# %% count_parameters wrong="tied weights twice"
# A parameter that stands in two places was counted in both. It exists once and is trained once.
def count_parameters(model):
    parameters = [p for _, p in model.named_parameters(remove_duplicate=False)]
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), trainable, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="adds up module by module"
# Each module was asked for all its parameters, its inner modules' included, and then the inner modules were asked again:
# what is nested deep is counted several times.
def count_parameters(model):
    parameters = [p for module in model.modules() for p in module.parameters()]
    buffers = [b for module in model.modules() for b in module.buffers()]
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), trainable, sum(b.numel() for b in buffers)


# %% count_parameters wrong="buffers as parameters"
# A state_dict holds parameters and buffers alike, so the total has the buffers in it. Batch norm's running averages are
# state, not parameters.
def count_parameters(model):
    total = sum(t.numel() for t in model.state_dict(keep_vars=True).values())
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return total, trainable, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="buffers from the state_dict"
# A state_dict holds what is saved to disk. Buffers registered with `persistent=False` are not in it, but they are
# buffers all the same.
def count_parameters(model):
    own = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    buffers = {id(t): t.numel() for name, t in model.state_dict(keep_vars=True).items() if name not in own}
    parameters = list(model.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), trainable, sum(buffers.values())


# %% count_parameters wrong="frozen counted as trainable"
# Trainable equals total even where parameters are frozen. Each parameter says in `requires_grad` whether it is to be
# trained.
def count_parameters(model):
    total = sum(p.numel() for p in model.parameters())
    return total, total, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="total without the frozen"
# The total lacks the frozen parameters. They are not trained, but they are parameters of the model.
def count_parameters(model):
    total = sum(p.numel() for p in model.parameters() if p.requires_grad)
    return total, total, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="only weight and bias"
# It looks for attributes called weight and bias. A module may call its parameters anything, and hold them in lists.
def count_parameters(model):
    found = {}
    for module in model.modules():
        for name in ("weight", "bias"):
            tensor = getattr(module, name, None)
            if isinstance(tensor, nn.Parameter):
                found[id(tensor)] = tensor
    trainable = sum(p.numel() for p in found.values() if p.requires_grad)
    return sum(p.numel() for p in found.values()), trainable, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="bytes"
# These are bytes: each number is multiplied by the size of an element. The elements themselves were asked for.
def count_parameters(model):
    parameters = list(model.parameters())
    trainable = sum(p.nbytes for p in parameters if p.requires_grad)
    return sum(p.nbytes for p in parameters), trainable, sum(b.nbytes for b in model.buffers())


# %% count_parameters wrong="tied by value"
# Parameters were taken for the same one where their values are equal, and two that were only initialised alike count
# once. Tied means one and the same object.
def count_parameters(model):
    parameters = []
    for p in model.parameters():
        if not any(p.shape == q.shape and (p.is_meta or torch.equal(p, q)) for q in parameters):
            parameters.append(p)
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), trainable, sum(b.numel() for b in model.buffers())


# %% count_parameters wrong="a shared buffer twice"
# `parameters()` gives each parameter once, but the buffers were gathered from module to module, and one that two modules
# share was counted in both. How do you know that you have met an object before?
def count_parameters(model):
    parameters = list(model.parameters())
    buffers = [b for module in model.modules() for b in module._buffers.values() if b is not None]
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return sum(p.numel() for p in parameters), trainable, sum(b.numel() for b in buffers)



# %% count_parameters right="math.prod of shapes"
import math


def count_parameters(net):
    sizes = [(math.prod(p.shape), p.requires_grad) for p in net.parameters(recurse=True)]
    print(len(sizes), "tensors")
    trainable = frozen = 0
    for size, trains in sizes:
        if trains:
            trainable += size
        else:
            frozen += size
    return trainable + frozen, trainable, sum(math.prod(b.shape) for b in net.buffers())


# %% count_parameters right="by id over all modules"
def count_parameters(model):
    parameters, buffers = {}, {}
    for module in model.modules():
        parameters.update({id(p): p for p in module.parameters(recurse=False)})
        buffers.update({id(b): b for _, b in module.named_buffers(recurse=False)})
    trainable = sum([p.nelement() for p in parameters.values() if p.requires_grad])
    return sum(p.nelement() for p in parameters.values()), trainable, sum(b.nelement() for b in buffers.values())


# %% count_parameters right="recursion"
def count_parameters(model):
    seen = set()

    def visit(module):
        counts = [0, 0, 0]
        for p in module._parameters.values():
            if p is not None and p not in seen:
                seen.add(p)
                counts[0] += p.numel()
                counts[1] += p.numel() * p.requires_grad
        for b in module._buffers.values():
            if b is not None and b not in seen:
                seen.add(b)
                counts[2] += b.numel()
        for child in module.children():
            counts = [a + b for a, b in zip(counts, visit(child))]
        return counts

    return tuple(visit(model))


# %% predict_proba wrong="no_grad without eval"
# No graph is recorded, but the model is still in training mode: dropout zeroes elements at random, and batch norm goes by
# the batch at hand. `no_grad` has nothing to do with the mode.
def predict_proba(model, x):
    with torch.no_grad():
        return model(x).softmax(dim=1)


# %% predict_proba wrong="leaves the model in eval mode"
# The probabilities are right, but the model stays in eval mode. If it was being trained, dropout and batch norm are off
# for the rest of the training.
def predict_proba(model, x):
    model.eval()
    with torch.no_grad():
        return model(x).softmax(dim=1)


# %% predict_proba wrong="always back to training"
# `model.train()` at the end puts every module into training mode, also those that were in eval mode before.
def predict_proba(model, x):
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        model.train()


# %% predict_proba wrong="remembers one mode for all"
# Only the mode of the outermost module was noted, and `model.train(mode)` gives it to all modules. A batch norm that was
# frozen inside a model in training does not stay so.
def predict_proba(model, x):
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        model.train(training)


# %% predict_proba wrong="modes lost if the model raises"
# If the model raises, the lines that put the modes back never run, and the model stays in eval mode.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    with torch.no_grad():
        probabilities = model(x).softmax(dim=1)
    for module, mode in modes:
        module.training = mode
    return probabilities


# %% predict_proba wrong="softmax twice"
# The probabilities went through softmax a second time, which makes them nearly equal. They still sum to 1, so it is easy
# to miss.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="softmax over the batch"
# Softmax went along dimension 0: each column sums to 1, over images that have nothing to do with each other. Each row
# should sum to 1.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=0)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="squeezed"
# `squeeze()` drops every dimension of size 1, and for a batch of one that is the batch. The result should be (N, C) for
# every N.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).squeeze().softmax(dim=-1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="eval without no_grad"
# The probabilities are right, but they hang on a graph: eval mode does not switch gradients off.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        return model(x).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="detaches at the end"
# The result carries no graph, but the forward pass recorded one and kept all its intermediate results until then. Switch
# gradients off before the model runs.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        return model(x).softmax(dim=1).detach()
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="freezes the parameters"
# `requires_grad_(False)` does avoid a graph, but it stays: nothing in the model would be trained from then on.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval().requires_grad_(False)
    try:
        return model(x.detach()).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="gradients stay off"
# `torch.set_grad_enabled(False)` as a plain call holds until somebody undoes it: the caller cannot train any more.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    torch.set_grad_enabled(False)
    try:
        return model(x).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="gradients switched on afterwards"
# After the call gradients are always on, also where the caller had switched them off. `with torch.no_grad():` brings back
# what was there.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    torch.set_grad_enabled(False)
    try:
        return model(x).softmax(dim=1)
    finally:
        torch.set_grad_enabled(True)
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="brings the result to the CPU"
# `.cpu()` in the body: the result leaves the device of the model, and what comes next on that device fails.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).cpu().softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="asks the parameters for the device"
# `next(model.parameters())` raises StopIteration for a model without parameters. Nothing has to be moved here.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    x = x.to(next(model.parameters()).device)
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="only known layers to eval"
# Only the layers named here went to eval mode. The model itself and all its other modules stayed in training mode, and
# so did every kind of dropout or batch norm that is not in the list.
def predict_proba(model, x):
    quiet = [module for module in model.modules() if isinstance(module, (nn.BatchNorm2d, nn.Dropout))]
    modes = [module.training for module in quiet]
    for module in quiet:
        module.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        for module, mode in zip(quiet, modes):
            module.training = mode


# %% predict_proba wrong="the exponential by hand"
# exp of a logit above 88 is infinite in float32, and infinity divided by infinity is NaN: a network that is very sure of
# itself gets no probabilities. torch.softmax subtracts the largest logit of the row first.
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            exponentials = model(x).exp()
            return exponentials / exponentials.sum(dim=1, keepdim=True)
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="torch's own layers only"
# Dropout and batch norm of torch's went to eval mode, and all other modules stayed as they were. But any module may look at
# its own `training`, such as one that calls `F.dropout(x, 0.5, self.training)`. What does `model.eval()` do?
def predict_proba(model, x):
    kinds = nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd
    awake = [module for module in model.modules() if isinstance(module, kinds) and module.training]
    for module in awake:
        module.training = False
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        for module in awake:
            module.training = True


# %% predict_proba wrong="an error of its own"
# Whatever the model raises comes out as a RuntimeError, so a caller who waits for the model's own kind of error never gets
# it. To clean up, you need not catch anything: which block runs on every way out?
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    except Exception as error:
        raise RuntimeError(f"the model failed: {error}") from error
    finally:
        for module, mode in modes:
            module.training = mode


# %% predict_proba wrong="cleans up after an Exception only"
# The stop button of a notebook raises KeyboardInterrupt, which is no Exception: after it, the model stays in eval mode.
# Which block runs on every way out, whatever was raised?
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]

    def put_back():
        for module, mode in modes:
            module.training = mode

    model.eval()
    try:
        with torch.no_grad():
            probabilities = model(x).softmax(dim=1)
    except Exception:
        put_back()
        raise
    put_back()
    return probabilities



# %% predict_proba right="a copy of the model"
import copy


def predict_proba(network, batch):
    quiet = copy.deepcopy(network).eval()
    with torch.no_grad():
        logits = quiet(batch)
    print("asked for", len(batch))
    return F.softmax(logits, dim=-1)


# %% predict_proba right="modes put back by train(), parents first"
def predict_proba(model, x):
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            return model(x).softmax(dim=1)
    finally:
        for module, mode in modes:
            module.train(mode)


# %% predict_proba right="inference mode and a context manager"
from contextlib import contextmanager


@contextmanager
def _quiet(model):
    training = {name: module.training for name, module in model.named_modules()}
    try:
        yield model.eval()
    finally:
        for name, module in model.named_modules():
            module.training = training[name]


def predict_proba(model, x):
    with _quiet(model) as quiet, torch.inference_mode():
        return torch.softmax(quiet(x), 1)


# %% predict_proba right="decorator and exponentials"
@torch.no_grad()
def predict_proba(model, x):
    awake = [module for module in model.modules() if module.training]
    for module in awake:
        module.training = False
    try:
        logits = model(x)
    finally:
        for module in awake:
            module.training = True
    return torch.exp(logits - torch.logsumexp(logits, dim=1, keepdim=True))


# %% predict_proba right="each module sleeps while the rest is asked"
def predict_proba(model, x):
    def ask(modules):
        if not modules:
            with torch.no_grad():
                return model(x)
        first, *rest = modules
        mode, first.training = first.training, False
        try:
            return ask(rest)
        finally:
            first.training = mode

    return ask(list(model.modules())).softmax(dim=-1)



# %% predict_proba right="functional call on detached tensors"
from torch.func import functional_call


def predict_proba(model, x):
    modes = {module: module.training for module in model.modules()}
    tensors = {name: t.detach() for name, t in [*model.named_parameters(), *model.named_buffers()]}
    model.eval()
    try:
        with torch.set_grad_enabled(False):
            return functional_call(model, tensors, (x.detach(),)).log_softmax(dim=1).exp()
    finally:
        for module, mode in modes.items():
            module.training = mode


# %% classify_image wrong="no eval mode"
# The network is still in training mode: batch norm goes by the statistics of this one image, and dropout takes a part
# away at random. Its running averages change, too, so each further answer is worse than the one before.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    with torch.no_grad():
        top = imagenet_network()(x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="eval mode only once"
# The network is put into eval mode when it is asked for the first time. If somebody trains it in between, the next
# answer comes from training mode.
_asked = []


def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    if not _asked:
        _asked.append(imagenet_network().eval())
    with torch.no_grad():
        top = _asked[0](x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="eval mode if the network itself trains"
# Whether the network trains was asked of the network alone. Each of its parts has a mode of its own, and somebody may have
# put only those into training mode; then nothing is done about it.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    network = imagenet_network()
    if network.training:
        network.eval()
    with torch.no_grad():
        top = network(x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="small images framed in black"
# An image smaller than 224 x 224 is not enlarged, and the crop fills the missing pixels with black. The shorter side is to
# have 256 pixels whatever it had before.
def classify_image(path, k=5):
    with Image.open(path) as image:
        image = image.convert("RGB")
    if min(image.size) > RESIZE:
        image = v2.functional.resize(image, RESIZE)
    steps = [v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    x = v2.Compose(steps)(image)
    with torch.no_grad():
        top = imagenet_network().eval()(x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="read by torchvision"
# torchvision reads PNG, JPEG and a few others, but not every file that Pillow can open: here it meets a BMP and raises.
# Pillow opens files of many more formats.
def classify_image(path, k=5):
    from torchvision.io import ImageReadMode, decode_image

    image = decode_image(str(path), ImageReadMode.RGB)
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToDtype(torch.float32, scale=True)]
    x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image)
    with torch.no_grad():
        top = imagenet_network().eval()(x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="no normalisation"
# The pixels lie in [0, 1], but the network was trained on pixels from which MEAN was subtracted, divided by STD. It still
# answers, and often nearly right, which makes this hard to see.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose(steps)(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="the usual mean and std"
# This subtracts 0.485, 0.456, 0.406, as many networks want it. This network was trained with other numbers: MEAN and STD
# in the lesson.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    usual = v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with Image.open(path) as image:
        x = v2.Compose([*steps, usual])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="not divided by 255"
# The pixels still run from 0 to 255 when MEAN is subtracted, so the network sees numbers some 255 times too large. MEAN
# and STD belong to the scale from 0 to 1.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="BGR"
# Red and blue are swapped. OpenCV reads images in that order; Pillow and this network have red first. A grey image comes
# out right all the same.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB")).flip(0)
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="softmax over the batch"
# The logits are (1, 1000), and softmax over dimension 0 has one number to divide by itself: every category gets the
# probability 1.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    with torch.no_grad():
        top = imagenet_network().eval()(x[None]).softmax(dim=0)[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="squashed"
# A pair of sizes makes every image square: a wide photograph is squeezed. A single number sets the shorter side and keeps
# the aspect ratio.
def classify_image(path, k=5):
    steps = [v2.Resize((RESIZE, RESIZE)), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="resized to 224 at once"
# The shorter side became 224, so that nothing is left to crop from it, and things look smaller than the network is used
# to. First 256, then the middle 224.
def classify_image(path, k=5):
    steps = [v2.Resize(CROP), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="crops the corner"
# The crop starts at the upper left corner. What a photograph shows is mostly in the middle.
def classify_image(path, k=5):
    with Image.open(path) as image:
        x = v2.functional.to_dtype(v2.functional.to_image(v2.Resize(RESIZE)(image.convert("RGB"))), scale=True)
    x = v2.Normalize(MEAN, STD)(x[:, :CROP, :CROP])
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="reshaped instead of permuted"
# The array (224, 224, 3) was reshaped to (3, 224, 224): the numbers stay in their order and the picture is torn to
# stripes. The channels have to be moved to the front.
def classify_image(path, k=5):
    with Image.open(path) as image:
        small = v2.CenterCrop(CROP)(v2.Resize(RESIZE)(image.convert("RGB")))
    x = torch.tensor(list(small.tobytes())).reshape(3, CROP, CROP) / 255
    top = predict_proba(imagenet_network(), v2.Normalize(MEAN, STD)(x)[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="image not converted to RGB"
# Without `convert("RGB")` a transparent image has four channels and a grey one has one, and the network wants three.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image)
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="converted after resizing"
# The image was resized before it was converted. In a palette image the numbers are names of colours, which no filter can
# mix, so Pillow takes the nearest pixel instead.
def classify_image(path, k=5):
    with Image.open(path) as image:
        small = v2.CenterCrop(CROP)(v2.Resize(RESIZE)(image)).convert("RGB")
    x = v2.Normalize(MEAN, STD)(v2.functional.to_dtype(v2.functional.to_image(small), scale=True))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="transparency laid on white"
# The transparent image was laid on white paper first. `convert("RGB")` drops transparency: the colours below it count as
# they are.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image)
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="no smoothing"
# `F.interpolate` looks at the nearest pixels only, unless it is told `antialias=True`: when a large image shrinks, fine
# patterns turn into noise.
def classify_image(path, k=5):
    with Image.open(path) as image:
        x = v2.functional.to_dtype(v2.functional.to_image(image.convert("RGB")), scale=True)
    scale = RESIZE / min(x.shape[1:])
    size = [round(side * scale) for side in x.shape[1:]]
    x = v2.CenterCrop(CROP)(F.interpolate(x[None], size=size, mode="bilinear"))
    top = predict_proba(imagenet_network(), v2.Normalize(MEAN, STD)(x))[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="logits instead of probabilities"
# The labels are right, but what stands beside them are the logits: numbers of any size, which sum to nothing in
# particular.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    with torch.no_grad():
        top = imagenet_network().eval()(x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="softmax after top-k"
# Softmax came after top-k, so the k numbers sum to 1 among themselves, as if there were no other categories.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    with torch.no_grad():
        top = imagenet_network().eval()(x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.softmax(dim=0).tolist(), top.indices.tolist())]


# %% classify_image wrong="always five"
# There are always five categories, whatever `k` says.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(5)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="records a graph"
# The answer is right, but the forward pass recorded a graph and kept every intermediate result for a backward pass that
# never comes.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = imagenet_network().eval()(x[None])[0].softmax(dim=0).topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image wrong="tensors instead of floats"
# The probabilities are 0-d tensors. `.item()` or `.tolist()` makes Python floats of them.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return [(CATEGORIES[i], p) for p, i in zip(top.values, top.indices)]


# %% classify_image wrong="indices instead of labels"
# These are positions among the logits. CATEGORIES knows their names, in the same order.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    return list(zip(top.indices.tolist(), top.values.tolist()))


# %% classify_image wrong="labels sorted by name first"
# The labels were sorted before they were matched with the indices, so the probabilities are right and stand beside
# somebody else's name. The order of CATEGORIES is the order of the logits.
def classify_image(path, k=5):
    steps = [v2.Resize(RESIZE), v2.CenterCrop(CROP), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    with Image.open(path) as image:
        x = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image.convert("RGB"))
    top = predict_proba(imagenet_network(), x[None])[0].topk(k)
    names = sorted(CATEGORIES)
    return [(names[i], p) for p, i in zip(top.values.tolist(), top.indices.tolist())]


# %% classify_image right="Pillow and NumPy"
import numpy as np


def classify_image(path, k=5):
    image = Image.open(path).convert("RGB")
    width, height = image.size
    if width < height:
        size = RESIZE, int(RESIZE * height / width)
    else:
        size = int(RESIZE * width / height), RESIZE
    image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (size[0] - CROP) // 2, (size[1] - CROP) // 2
    pixels = np.asarray(image.crop((left, top, left + CROP, top + CROP))) / 255.0
    pixels = ((pixels - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)
    network = imagenet_network()
    network.eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(np.ascontiguousarray(pixels)).float().unsqueeze(0)).squeeze(0).numpy()
    odds = np.exp(logits - logits.max())
    order = np.argsort(-odds)[:k]
    print("most likely", CATEGORIES[order[0]])
    return [(CATEGORIES[i], float(odds[i] / odds.sum())) for i in order]


# %% classify_image right="tensors all the way"
def classify_image(path, k=5):
    with Image.open(path) as image:
        x = v2.functional.pil_to_tensor(image.convert("RGB")).float().div(255).unsqueeze(0)
    scale = RESIZE / min(x.shape[2:])
    size = [round(side * scale) for side in x.shape[2:]]
    x = F.interpolate(x, size=size, mode="bilinear", antialias=True)
    top, left = [(side - CROP) // 2 for side in x.shape[2:]]
    x = x[:, :, top : top + CROP, left : left + CROP]
    x = (x - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    network = imagenet_network().eval()
    with torch.no_grad():
        probabilities = torch.softmax(network(x), dim=1).flatten().tolist()
    ranking = sorted(range(1000), key=lambda index: probabilities[index], reverse=True)
    return [(CATEGORIES[index], probabilities[index]) for index in ranking[:k]]


# %% classify_image right="the transforms of a Weights enum"
import copy


def classify_image(path, k=5):
    prepare = MobileNet_V2_Weights.IMAGENET1K_V1.transforms(crop_size=CROP, resize_size=RESIZE, mean=MEAN, std=STD)
    network = copy.deepcopy(imagenet_network()).eval().requires_grad_(False)
    values, indices = network(prepare(Image.open(path).convert("RGB")).unsqueeze(0)).softmax(-1).sort(descending=True)
    return [(CATEGORIES[int(index)], float(value)) for value, index in zip(values[0, :k], indices[0, :k])]


# %% classify_image right="one crop and resize"
def classify_image(path, k=5):
    with Image.open(path) as image:
        image = image.convert("RGB")
        (width, height), side = image.size, min(image.size) * CROP / RESIZE
        box = ((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        image = image.resize((CROP, CROP), Image.Resampling.BILINEAR, box=box)
    x = v2.Compose([v2.PILToTensor(), v2.ToDtype(torch.float64, scale=True), v2.Normalize(MEAN, STD)])(image)
    network = imagenet_network()
    was = network.training
    with torch.no_grad():
        best = network.train(False)(x.float().reshape(1, 3, CROP, CROP)).double().softmax(1).topk(k)
    network.train(was)
    return [(CATEGORIES[i], p) for i, p in zip(best.indices[0].tolist(), best.values[0].tolist())]


# %% extract_features wrong="handle never removed"
# The hook stays on the layer: every later forward pass calls it, and keeps one more copy of the features alive.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    model.get_submodule(layer).register_forward_hook(keep)
    with torch.no_grad():
        model(x)
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="handle not removed on an error"
# The handle is removed only if the model returns. If it raises, the line that removes it is jumped over, and the hook
# stays.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    with torch.no_grad():
        model(x)
    handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="clears all hooks"
# The hook is gone, and so are the hooks that others had put on this layer. A handle removes its own hook only.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    module = model.get_submodule(layer)
    module.register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        module._forward_hooks.clear()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="not detached"
# The features still hang on the graph of the whole model: they require gradients, keep every intermediate result alive,
# and training a head on them would train the model, too.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="input instead of output"
# These are the numbers that went into the layer. A hook gets the module, its inputs and its output, in this order.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(inputs[0].clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="no copy"
# What the hook kept is the very tensor that the network goes on with. The layer behind works in place, so it has been
# overwritten by the time you look. `detach` does not copy.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.detach())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="copies too late"
# The copy is made after the forward pass, when the layers behind have already worked in place on that tensor. It has
# memory of its own, but the wrong numbers.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output)

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].detach().clone().flatten(1)


# %% extract_features wrong="inference mode"
# Tensors made in inference mode stay apart from autograd for ever: a new head cannot be trained on them. `no_grad` makes
# ordinary tensors.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.inference_mode():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="gradients stay off"
# `torch.set_grad_enabled(False)` as a plain call holds until somebody undoes it: after this, the caller cannot train any
# more. Is there a form of it that ends with a block?
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    torch.set_grad_enabled(False)
    try:
        model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="not flattened"
# The features have the shape in which the layer gave them. One row for each item of the batch was asked for: (N, F).
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1]


# %% extract_features wrong="mean over positions"
# The features were averaged over height and width: (N, C) instead of (N, C * H * W). That is often a good idea, but here
# the layer's output was to come as it is, flattened.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    out = kept[-1]
    return out.mean(dim=tuple(range(2, out.ndim))) if out.ndim > 2 else out


# %% extract_features wrong="squeezed"
# `squeeze()` drops every dimension of size 1, and for a batch of one that is the batch. `flatten(1)` leaves it alone.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1).squeeze()


# %% extract_features wrong="first of several outputs"
# The layer runs twice in this forward pass, and these are the features of its first run. The last was asked for.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[0].flatten(1)


# %% extract_features wrong="switches to eval"
# It puts the model into eval mode and leaves it there. The modes were to stay as the caller chose them.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    model.eval()
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="unused layer not noticed"
# Where the forward pass never runs the layer, nothing was kept, and taking the last of nothing raises an IndexError that
# says little. A RuntimeError was promised.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    return kept[-1].flatten(1)


# %% extract_features wrong="children only"
# It looks among the direct children of the model, and does not find a layer inside a block. A name with dots leads
# through several modules.
def extract_features(model, layer, x):
    kept = []

    def keep(module, inputs, output):
        kept.append(output.clone())

    handle = getattr(model, layer).register_forward_hook(keep)
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)


# %% extract_features wrong="any layer whose name ends like this"
# A layer deeper inside the model whose name ends in the same way ("body.fc" for "fc") comes first and is taken. Names
# are whole: `model.get_submodule(layer)` looks for exactly this one.
def extract_features(model, layer, x):
    found = [module for name, module in model.named_modules() if name.endswith(layer)]
    if not found:
        raise AttributeError(f"no layer {layer!r}")
    kept = []
    handle = found[0].register_forward_hook(lambda module, inputs, output: kept.append(output.detach().clone()))
    try:
        model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError(f"the forward pass never ran {layer!r}")
    return kept[-1].flatten(1)


# %% extract_features wrong="view of a permuted output"
# A layer may give a view with its dimensions in another order, and `clone` keeps that order in memory. `view` refuses to
# flatten such a tensor; which functions flatten any?
def extract_features(model, layer, x):
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].view(len(x), -1)


# %% extract_features wrong="flattened as it lies in memory"
# The numbers come in the order in which the layer's output lies in memory, and that need not be the order of its dimensions:
# a layer may give a permuted view. What do `flatten` and `reshape` do with one?
def extract_features(model, layer, x):
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    try:
        with torch.no_grad():
            model(x)
    finally:
        handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    out = kept[-1]
    return out.as_strided((len(out), out[0].numel()), (out[0].numel(), 1))


# %% extract_features wrong="blames the layer for any error"
# Whatever the model raises comes out as "the layer did not run", and hides what really happened. A RuntimeError was asked for
# only when the forward pass got to its end without the layer.
def extract_features(model, layer, x):
    module = model.get_submodule(layer)
    kept = []
    handle = module.register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    try:
        with torch.no_grad():
            model(x)
        return kept[-1].flatten(1)
    except Exception as error:
        raise RuntimeError("the layer did not run") from error
    finally:
        handle.remove()


# %% extract_features wrong="hook removed after an Exception only"
# The stop button of a notebook raises KeyboardInterrupt, which is no Exception: after it, the hook is still there. Which block
# runs on every way out, whatever was raised?
def extract_features(model, layer, x):
    kept = []
    handle = model.get_submodule(layer).register_forward_hook(lambda module, inputs, output: kept.append(output.clone()))
    try:
        with torch.no_grad():
            model(x)
    except Exception:
        handle.remove()
        raise
    handle.remove()
    if not kept:
        raise RuntimeError("the layer did not run")
    return kept[-1].flatten(1)



# %% extract_features right="detach in the hook, a dict"
def extract_features(model, layer, x):
    found = {}
    target = dict(model.named_modules()).get(layer)
    if target is None:
        raise AttributeError(f"{type(model).__name__} has no layer {layer}")

    def hook(_, __, output):
        found["it"] = torch.flatten(output.detach(), 1).clone()

    with torch.nn.modules.module.register_module_forward_hook(lambda module, i, o: None):
        handle = target.register_forward_hook(hook)
        try:
            model(x)
        finally:
            handle.remove()
    try:
        return found["it"]
    except KeyError:
        raise RuntimeError("not run") from None


# %% extract_features right="the handle as a context manager"
@torch.no_grad()
def extract_features(net, name, batch):
    outputs = []
    with net.get_submodule(name).register_forward_hook(
        lambda module, args, out: outputs.append(torch.tensor(out.tolist(), dtype=out.dtype))
    ):
        net(batch)
    if len(outputs) == 0:
        raise RuntimeError(name)
    print(len(outputs), "outputs")
    return outputs[-1].reshape(len(batch), -1)


# %% extract_features right="one hook for all modules"
from torch.nn.modules.module import register_module_forward_hook


def extract_features(model, layer, x):
    target = model.get_submodule(layer)
    box = [None]

    def hook(module, inputs, output):
        if module is target:
            box[0] = output.detach().clone()

    handle = register_module_forward_hook(hook, always_call=False)
    try:
        model(x)
    except Exception:
        raise
    finally:
        handle.remove()
    if box[0] is None:
        raise RuntimeError("the layer did not run")
    return box[0].flatten(1)


# %% extract_features right="a hook object"
from contextlib import ExitStack


class _Keeper:
    def __init__(self):
        self.last = None

    def __call__(self, module, inputs, output):
        with torch.no_grad():
            self.last = output.clone(memory_format=torch.contiguous_format)


def extract_features(model, layer, x):
    module = model
    for name in layer.split("."):
        module = getattr(module, name)
    keeper = _Keeper()
    with ExitStack() as stack:
        stack.callback(module.register_forward_hook(keeper).remove)
        stack.enter_context(torch.set_grad_enabled(False))
        model(x)
    if keeper.last is None:
        raise RuntimeError("never called")
    return keeper.last.view(keeper.last.size(0), -1)
