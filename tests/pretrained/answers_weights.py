# Known answers of pretrained/weights.

# %% load_weights wrong="no map_location"
# Without `map_location` every tensor goes back to the device it was saved from. On a machine without that GPU the file
# cannot be read at all.
def load_weights(model, path, device):
    checkpoint = torch.load(path, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="strict=False and the report thrown away"
# The two lists are always empty, whatever did not match: a network in which nothing was loaded looks as good as one
# with all of its weights. `load_state_dict` returns what it passed over.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    model.to(device).load_state_dict(weights, strict=False)
    return [], []


# %% load_weights wrong="strict=True"
# A strict load raises as soon as a name is missing or left over. Here it should load what matches, and tell the rest.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="prefixes stay"
# No name begins with the prefix any more in your model, so nothing matches: every name is missing, and every name in
# the file is left over.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    report = model.to(device).load_state_dict(checkpoint.get("state_dict", checkpoint), strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="only module."
# `module.` is taken off, but `_orig_mod.` is not: that one comes from a model that went through `torch.compile`.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith("module."):
            name = name.removeprefix("module.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="each prefix once, in one order"
# Each prefix is taken off once, `module.` first. That leaves something behind if `_orig_mod.` stands in front of
# `module.`, or if one of them comes twice.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = checkpoint.get("state_dict", checkpoint)
    weights = {name.removeprefix("module.").removeprefix("_orig_mod."): t for name, t in weights.items()}
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="replace everywhere"
# `replace` takes the prefix out of the middle of names too: `submodule.module.weight` has become `subweight`.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = checkpoint.get("state_dict", checkpoint)
    weights = {name.replace("module.", "").replace("_orig_mod.", ""): t for name, t in weights.items()}
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="lstrip takes letters"
# `lstrip("module.")` takes off any of the letters m, o, d, u, l, e and the dot, as many as there are: `down.weight` has
# become `wn.weight`. What you want off is a prefix.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = checkpoint.get("state_dict", checkpoint)
    weights = {name.lstrip("_orig_mod.").lstrip("module."): t for name, t in weights.items()}
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="cuts seven letters off"
# The first seven letters of every name are cut off, whether or not they are `module.`: in a file without the prefix,
# nothing matches.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {name[7:].removeprefix("_orig_mod."): t for name, t in checkpoint.get("state_dict", checkpoint).items()}
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="last part of the prefix"
# Everything up to the last `module.` is cut off, and that may well be in the middle of a name:
# `submodule.module.weight` has become `weight`.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        weights[name.split("_orig_mod.")[-1].split("module.")[-1]] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="weights_only=False"
# With `weights_only=False` the file's own code runs while it is read. Whoever wrote the file decides what your machine
# does.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=False)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="the checkpoint is not unwrapped"
# A checkpoint holds more than weights: they are in it under "state_dict". Here "epoch" and "state_dict" themselves were
# taken for names of weights.
def load_weights(model, path, device):
    weights = {}
    for name, tensor in torch.load(path, map_location=device, weights_only=True).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="every file is a checkpoint"
# Not every file is a checkpoint: many hold the state_dict itself, with no key "state_dict" in it.
def load_weights(model, path, device):
    weights = {}
    for name, tensor in torch.load(path, map_location=device, weights_only=True)["state_dict"].items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="the model stays where it was"
# `map_location` decides where the tensors of the file go. The model itself has not moved: `load_state_dict` copies
# numbers into parameters, wherever those are.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="leaves other shapes out"
# Tensors of another shape were left out without a word (or told as missing). A name that both have with two different
# shapes means that this is not the model of this file: that should raise.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    own = model.state_dict()
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        if name not in own or own[name].shape == tensor.shape:
            weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="assign=True"
# With `assign=True` the file's tensors take the place of the parameters: they bring their own dtype, and an optimiser
# that was made before goes on with the old ones.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False, assign=True)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="lists swapped"
# The two lists have changed places: *missing* is what the model has and the file lacks, *unexpected* what the file has
# and the model lacks.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.unexpected_keys), sorted(report.missing_keys)


# %% load_weights wrong="not sorted"
# The names come in the order of the model and of the file. They should be sorted.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).load_state_dict(weights, strict=False)
    return list(report.missing_keys), list(report.unexpected_keys)


# %% load_weights wrong="parameters without buffers"
# Only parameters were copied. The running statistics of batch norms are buffers: without them the network normalises
# with those of a fresh one, and computes something else.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    own = dict(model.to(device).named_parameters())
    names, unexpected = set(model.state_dict()), []
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        if name not in names:
            unexpected.append(name)
        names.discard(name)
        if name in own:
            if own[name].shape != tensor.shape:
                raise RuntimeError(f"{name}: {tuple(tensor.shape)} does not fit {tuple(own[name].shape)}")
            own[name].data.copy_(tensor)
    return sorted(names), sorted(unexpected)


# %% load_weights wrong="switches to eval mode"
# The weights are loaded, but the model has also been put into eval mode. Whoever goes on training it does not expect
# that: its mode should stay as it was.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    report = model.to(device).eval().load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)


# %% load_weights wrong="names as they stand in the file"
# What is left over is told with its prefix. The names should be without it, as the model would write them.
def load_weights(model, path, device):
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights, written = {}, {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        full = name
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name], written[name] = tensor, full
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(written[name] for name in report.unexpected_keys)


# %% load_weights right="regular expression and sets"
import re


def load_weights(network, file, where):
    content = torch.load(str(file), map_location="cpu", weights_only=True)
    if "state_dict" in content:
        content = content["state_dict"]
    clean = {re.sub(r"^((module|_orig_mod)\.)+", "", name): value for name, value in content.items()}
    own = set(network.state_dict())
    network.load_state_dict(clean, strict=False)
    network.to(where)
    print(len(own & set(clean)), "names match")
    return sorted(own - set(clean)), sorted(set(clean) - own)


# %% load_weights right="torch's own consume_prefix"
from torch.nn.modules.utils import consume_prefix_in_state_dict_if_present


def load_weights(model, path, device):
    weights = torch.load(path, map_location=lambda storage, place: storage, weights_only=True)
    weights = dict(weights.get("state_dict", weights))
    while any(name.startswith(("module.", "_orig_mod.")) for name in weights):
        for prefix in ("_orig_mod.", "module."):
            consume_prefix_in_state_dict_if_present(weights, prefix)
    model.to(device)
    missing, unexpected = model.load_state_dict(weights, strict=False)
    missing.sort()
    unexpected.sort()
    return missing, unexpected


# %% load_weights right="parts of names, open file, copies by hand"
def load_weights(model, path, device):
    with open(path, "rb") as file:
        loaded = torch.load(file, map_location=torch.device(device))
    loaded = loaded["state_dict"] if "state_dict" in loaded else loaded
    model = model.to(device)
    own, unexpected = model.state_dict(), []
    left = dict(own)
    with torch.no_grad():
        for name in loaded:
            parts = name.split(".")
            while parts[0] in {"module", "_orig_mod"}:
                del parts[0]
            plain = ".".join(parts)
            if plain not in own:
                unexpected.append(plain)
                continue
            if own[plain].shape != loaded[name].shape:
                raise RuntimeError(f"{plain}: the file has {loaded[name].shape}, the model {own[plain].shape}")
            left.pop(plain).copy_(loaded[name])
    return sorted(left), sorted(unexpected)


# %% load_weights right="only a prefix that all names have"
def load_weights(model, path, device):
    weights = torch.load(path, map_location=device, weights_only=True, mmap=True)
    weights = dict(weights.get("state_dict", weights))
    changed = True
    while changed:
        changed = False
        for prefix in ("module.", "_orig_mod."):
            if all(name.startswith(prefix) for name in weights):
                weights = {name[len(prefix) :]: tensor for name, tensor in weights.items()}
                changed = True
    result = model.to(device).load_state_dict(weights, False)
    return [*sorted(result[0])], [*sorted(result[1])]


# %% replace_head wrong="in_features hard-coded"
# 512 is what the head of a ResNet-18 takes. The old head of this model takes another number: ask it for `in_features`.
def replace_head(model, num_classes):
    name, old = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train = lambda mode=True: None
            layer.training = False
    model.requires_grad_(False)
    head = nn.Linear(512, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="batch norms left alone"
# Freezing parameters does not freeze a batch norm: in train mode its running mean and variance (buffers, not
# parameters) still follow every batch that goes through.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="eval() once"
# The batch norms were put into eval mode, and the next `model.train()` put them back: it reaches every layer.
# Afterwards their statistics move again.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.eval()
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="train() without effect, but no eval()"
# `train()` no longer reaches the batch norms, so they stay in the mode they were in. If the model came in train mode,
# that is the wrong one.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.train = lambda mode=True: None
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="momentum 0"
# With momentum 0 the running mean and variance stand still, but in train mode the layer normalises with the statistics
# of the batch in their place, and still counts batches. It computes something else than in eval mode.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.momentum = 0.0
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="track_running_stats off"
# Without `track_running_stats` nothing is updated, but in train mode the layer normalises with the statistics of the
# batch, so that the frozen body computes something else than in eval mode.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.track_running_stats = False
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="only BatchNorm2d"
# The batch norms of images stand still, those of rows (1d) and volumes (3d) still move.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="the whole model in eval mode for good"
# Nothing follows the mode any more: dropout is off in train mode too. Only the batch norms should stand still.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    model.eval()
    model.train = lambda mode=True: model
    return list(head.parameters())


# %% replace_head wrong="all parameters returned"
# The optimiser gets the frozen parameters too. It carries them along for nothing, and if someone unfreezes them later,
# they are trained without anybody having asked for it. Return those of the head.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(model.parameters())


# %% replace_head wrong="the new head is frozen too"
# Everything was frozen after the new head had been put in, so that is frozen too, and there is nothing left to train.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    model.requires_grad_(False)
    return list(head.parameters())


# %% replace_head wrong="the body is not frozen"
# The body still requires gradients: backward goes through all of it, which costs time and memory. (On a layer,
# `layer.requires_grad = False` is an attribute that nobody reads: parameters have it, or call `requires_grad_(False)`.)
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        layer.requires_grad = False
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="batch norms stay trainable"
# The scale and shift of the batch norms (their weight and bias) still require gradients. They are parameters like all
# others in the body.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    model.requires_grad_(False)
    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
            layer.requires_grad_(True)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="only out_features changed"
# `out_features` is a note on the layer, used when it is printed. The weight has as many rows as before, and so has the
# output. It takes a new layer.
def replace_head(model, num_classes):
    linears = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    linears[-1].out_features = num_classes
    linears[-1].requires_grad_(True)
    return list(linears[-1].parameters())


# %% replace_head wrong="the head is always called fc"
# Only a ResNet calls its head `fc`. In other models that name is missing, or belongs to another layer.
def replace_head(model, num_classes):
    if not any(isinstance(layer, nn.Linear) for layer in model.modules()):
        raise ValueError("no nn.Linear")

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    old = model.fc
    model.fc = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    return list(model.fc.parameters())


# %% replace_head wrong="setattr with a dotted name"
# `setattr` knows no dotted names. For a head within a block it adds a new layer to the model, which is called
# "classifier.6" as a whole, and the old head stays where it was.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    setattr(model, name, head)
    return list(head.parameters())


# %% replace_head wrong="the first linear layer"
# The search stopped at the first nn.Linear. The head is the last.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[0]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="a linear layer after the head"
# The old head is still there, with a new layer behind it: that one sees scores for the old classes, not the features.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.out_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, nn.Sequential(old, head))
    return list(head.parameters())


# %% replace_head wrong="a head on the CPU, in float32"
# A new layer is made on the CPU in float32. In a model of another dtype or on another device it does not fit the
# features that reach it.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="a bias in any case"
# The new head has a bias even where the old one had none. In everything but the number of outputs it should be like the
# old.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, device=old.weight.device, dtype=old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="a generator"
# `parameters()` is a generator: it can be walked once. Count the parameters, and the optimiser afterwards gets none. A
# list was promised.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return head.parameters()


# %% replace_head wrong="only layers at the top"
# The search went through `children()`: those are the layers at the top alone. A batch norm inside a block, and a block
# inside that, are reached by `modules()`.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.children():
        for inner in (layer, *layer.children()):
            if isinstance(inner, nn.modules.batchnorm._BatchNorm):
                inner.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="batch norms taken out"
# The batch norms were replaced by layers that do nothing. That stops their statistics, but the layers behind were
# trained on normalised features.
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]
    for inner, layer in list(model.named_modules()):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            model.set_submodule(inner, nn.Identity())
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="an index error in place of a ValueError"
# A model without a linear layer ends in an IndexError from the inside. The caller was promised a ValueError that says
# what is wrong.
def replace_head(model, num_classes):
    name, old = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)][-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="statistics that are not there"
# A batch norm made with `track_running_stats=False` has no running mean and variance: it normalises with those of the batch in
# either mode. This one was told to use what it does not have. How can you see which kind it is?
import torch.nn.functional as F


def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def frozen(layer):
        return lambda x: F.batch_norm(
            x, layer.running_mean, layer.running_var, layer.weight, layer.bias, False, 0.0, layer.eps
        )

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.forward = frozen(layer)
    model.requires_grad_(False)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())


# %% replace_head wrong="all names that begin like the head's"
# Every parameter whose name begins with the name of the head stays trainable, so `fc_before.weight` does where the head is
# called `fc`. Where does the name of a layer end?
def replace_head(model, num_classes):
    linears = [(n, layer) for n, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("no nn.Linear")
    name, old = linears[-1]

    def hook(layer, inputs):
        layer.eval()

    for layer in model.modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):
            layer.register_forward_pre_hook(hook)
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, old.weight.device, old.weight.dtype)
    model.set_submodule(name, head)
    for full, parameter in model.named_parameters():
        parameter.requires_grad_(full.startswith(name))
    return list(head.parameters())



# %% replace_head right="train() of each batch norm without effect"
import types


def replace_head(network, k):
    def stay(self, mode=True):
        return self

    found = None
    for name, layer in network.named_modules():
        layer_is_norm = isinstance(layer, nn.modules.batchnorm._BatchNorm)
        if layer_is_norm:
            layer.eval()
            layer.train = types.MethodType(stay, layer)
        elif isinstance(layer, nn.Linear):
            found = name
    if found is None:
        raise ValueError("nothing to replace")
    for parameter in network.parameters():
        parameter.requires_grad = False
    *path, last = found.split(".")
    parent = network.get_submodule(".".join(path))
    old = getattr(parent, last)
    setattr(parent, last, nn.Linear(old.in_features, k, bias=old.bias is not None).to(old.weight))
    print("new head at", found)
    return [p for p in network.parameters() if p.requires_grad]


# %% replace_head right="subclasses of the batch norms"
def replace_head(model, num_classes):
    def frozen(kind):
        class Frozen(kind):
            def train(self, mode=True):
                return super().train(False)

        return Frozen

    head_name = ""
    for name, layer in model.named_modules():
        layer.requires_grad_(False)
        if isinstance(layer, nn.Linear):
            head_name = name
        for kind in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            if type(layer) is kind:
                layer.__class__ = frozen(kind)
                layer.train()
    if not head_name:
        raise ValueError("the model has no nn.Linear")
    old = model.get_submodule(head_name)
    new = nn.Linear(old.weight.shape[1], num_classes, bias=hasattr(old.bias, "shape"))
    new.to(device=old.weight.device, dtype=old.weight.dtype)
    outer, _, inner = head_name.rpartition(".")
    model.get_submodule(outer).add_module(inner, new)
    return [new.weight] if new.bias is None else [new.weight, new.bias]


# %% replace_head right="train() of the model, with more to it"
import types


def replace_head(model, num_classes):
    def hold(module):
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()

    def train(self, mode=True):
        type(self).train(self, mode)
        return self.apply(hold)

    heads = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    if heads == []:
        raise ValueError("this model has no linear layer")
    before = model.get_submodule(heads[-1])
    head = nn.Linear(before.in_features, num_classes, before.bias is not None).to(before.weight.device)
    head = head.type(before.weight.dtype)
    model.set_submodule(heads[-1], head)
    own = list(head.parameters())
    for parameter in model.parameters():
        parameter.requires_grad_(any(parameter is mine for mine in own))
    model.apply(hold)
    model.train = types.MethodType(train, model)
    return own


# %% replace_head right="a hook on the model"
def replace_head(model, num_classes):
    linears = {name: layer for name, layer in model.named_modules() if type(layer) is nn.Linear}
    if len(linears) == 0:
        raise ValueError("no linear layer in this model")
    name = list(linears)[-1]
    old = linears[name]
    norms = [layer for layer in model.modules() if "BatchNorm" in type(layer).__name__]

    def hold(_model, _inputs):
        for norm in norms:
            norm.training = False

    model.register_forward_pre_hook(hold)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with torch.device(old.weight.device):
        head = nn.Linear(old.in_features, num_classes, bias=old.bias is not None, dtype=old.weight.dtype)
    nn.init.zeros_(head.weight)
    model.set_submodule(name, head)
    return [*head.parameters()]


# %% replace_head right="eval-mode forward"
import functools

import torch.nn.functional as F


def replace_head(model, num_classes):
    last = None
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Linear):
            last = name
    if last is None:
        raise ValueError("no nn.Linear")

    def as_in_eval(layer, x):
        return F.batch_norm(x, layer.running_mean, layer.running_var, layer.weight, layer.bias, False, 0.0, layer.eps)

    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)) and layer.running_mean is not None:
            layer.forward = functools.partial(as_in_eval, layer)
    for parameter in model.parameters():
        parameter.requires_grad = False
    old = model.get_submodule(last)
    weight = nn.Parameter(old.weight.new_empty(num_classes, old.in_features).uniform_(-0.1, 0.1))
    head = nn.Linear(1, 1, bias=old.bias is not None)
    head.in_features, head.out_features, head.weight = old.in_features, num_classes, weight
    if old.bias is not None:
        head.bias = nn.Parameter(old.bias.new_zeros(num_classes))
    model.set_submodule(last, head)
    return list(head.parameters())


# %% hub_entrypoint wrong="no dependencies"
# The list `dependencies` is missing. Where a package is not installed, the project then stops in the middle with
# whatever error comes first.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="only torch as a dependency"
# `dependencies` names torch alone. The network imports one more package, and Torch Hub can only check what the list
# names.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="dependencies in one string"
# `dependencies` is one string. Torch Hub walks through it letter by letter and looks for packages called t, o, r, ...
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = "torch, numpy"

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="the network imported at the top"
# `from network import Digits` at the top makes `Digits` an entry point, too. And it runs before Torch Hub has looked at
# `dependencies`: where NumPy is missing, an ImportError from inside comes first.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch
        from network import Digits

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="the network imported at the top, hidden"
# The underscore hides `Digits` from the list, but the import still runs before Torch Hub has looked at `dependencies`:
# where NumPy is missing, an ImportError from inside comes first.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch
        from network import Digits as _Digits

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            network = _Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="Path is listed"
# `Path` is callable, and its name has no underscore in front: Torch Hub lists it as an entry point of the project.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="a helper is listed"
# The helper has no underscore in front of its name, so that Torch Hub lists it beside `digits`.
def hub_entrypoint():
    return textwrap.dedent("""
        import os
        import torch

        dependencies = ["torch", "numpy"]

        def load(network):
            path = os.path.join(os.path.dirname(__file__), "weights", "digits.pt")
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                load(network)
            return network
        """)


# %% hub_entrypoint wrong="the entry point has an underscore"
# Names with an underscore in front are hidden helpers. The entry point is asked for as `digits`, and there is none.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def _digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="path relative to the caller"
# "weights/digits.pt" begins in the folder that the caller is in: there is no such file there, or one that belongs to
# another project.
def hub_entrypoint():
    return textwrap.dedent("""
        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                network.load_state_dict(torch.load("weights/digits.pt", map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="the author's own path"
# The path was worked out when the text was made, so that it names a folder on the author's machine. `__file__` has to
# stand in the text itself: then it is that of hubconf.py.
def hub_entrypoint():
    folder = Path(__file__).resolve().parent
    return textwrap.dedent(f"""
        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = {str(folder / "weights" / "digits.pt")!r}
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="pretrained is ignored, weights always"
# The weights are loaded whether or not `pretrained` asks for them, and where the file is missing, not even a fresh
# network can be had.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            path = _Path(__file__).parent / "weights" / "digits.pt"
            network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="pretrained is ignored, weights never"
# `pretrained=True` is accepted and then ignored: the network comes with fresh, random numbers.
def hub_entrypoint():
    return textwrap.dedent("""
        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            return Digits(**options)
        """)


# %% hub_entrypoint wrong="pretrained by default"
# Without `pretrained` the weights are loaded: the default should be False.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=True, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="options are ignored"
# Options such as `classes=3` are accepted, but they do not reach the network.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits()
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="only the option classes"
# Only `classes` is passed on. A project has other options too, and any keyword should reach `Digits`.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, classes=10):
            from network import Digits
            network = Digits(classes=classes)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="no map_location"
# The weights were saved on a GPU and want to go back there: without `map_location` they cannot be read on a machine
# that has none.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="strict=False"
# With `strict=False` weights that belong to another network are passed over without a word, and the caller has a
# network that was trained only in part, or not at all.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True), strict=False)
            return network
        """)


# %% hub_entrypoint wrong="weights_only=False"
# With `weights_only=False` the file of weights may run code of its own. It often comes from another place than the
# project itself, and nobody reads it.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=False))
            return network
        """)


# %% hub_entrypoint wrong="returns the weights"
# With `pretrained=True` the entry point returns what `load_state_dict` returned, which is a report. The caller wants
# the network.
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                return network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="looks in Torch Hub's cache"
# `torch.hub.get_dir()` is where Torch Hub keeps what it has fetched. The weights of this project lie beside its
# hubconf.py, which may be anywhere.
def hub_entrypoint():
    return textwrap.dedent("""
        import os
        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = os.path.join(torch.hub.get_dir(), "weights", "digits.pt")
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        """)


# %% hub_entrypoint wrong="tensors in the order of the file"
# The tensors were copied one after another, and nobody looked at their names. A file with other names, which belongs to another
# network, is taken without a word if the shapes happen to fit. What compares the names for you?
def hub_entrypoint():
    return textwrap.dedent("""
        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]

        def digits(pretrained=False, **options):
            from network import Digits
            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                weights = torch.load(path, map_location="cpu", weights_only=True)
                own = network.state_dict()
                if [t.shape for t in own.values()] != [t.shape for t in weights.values()]:
                    raise RuntimeError("the weights do not fit")
                for mine, tensor in zip(own.values(), weights.values()):
                    mine.copy_(tensor)
            return network
        """)



# %% hub_entrypoint right="os.path and a hidden helper"
def hub_entrypoint():
    lines = [
        "import os",
        "import torch",
        "dependencies = ['numpy', 'torch']",
        "_HERE = os.path.dirname(os.path.abspath(__file__))",
        "def _weights():",
        "    print('reading the weights')",
        "    with open(os.path.join(_HERE, 'weights', 'digits.pt'), 'rb') as file:",
        "        return torch.load(file, map_location=torch.device('cpu'))",
        "def digits(pretrained=False, **kwargs):",
        "    import network",
        "    net = network.Digits(**kwargs)",
        "    if pretrained:",
        "        net.load_state_dict(_weights())",
        "    return net.eval()",
    ]
    return "\n".join(lines)


# %% hub_entrypoint right="the source of a function"
import inspect


def digits(pretrained=False, **options):
    import pathlib

    import torch
    from network import Digits

    network = Digits(**options)
    if pretrained:
        folder = pathlib.Path(__file__).resolve().parent
        state = torch.load(folder.joinpath("weights/digits.pt"), map_location="cpu", weights_only=True)
        network.load_state_dict(state, strict=True)
    return network


def hub_entrypoint():
    return 'dependencies = ["torch", "numpy"]\n\n\n' + inspect.getsource(digits)


# %% hub_entrypoint right="importlib, and the network replaced attribute by attribute"
def hub_entrypoint():
    return r'''
import importlib as _importlib, pathlib as _pathlib
dependencies = ["torch"] + ["numpy"]
__all__ = ["digits"]


def digits(pretrained: bool = False, *arguments, **options):
    """Digits, and nothing but digits."""
    import torch
    net = _importlib.import_module("network").Digits(*arguments, **options)
    if not pretrained:
        return net
    read = torch.load(_pathlib.Path(__file__).with_name("weights") / "digits.pt", "cpu", weights_only=True)
    own = net.state_dict()
    if set(own) != set(read):
        raise RuntimeError("other names: " + ", ".join(set(own) ^ set(read)))
    for name in own:
        if own[name].shape != read[name].shape:
            raise RuntimeError(f"another shape: {name}")
        own[name].copy_(read[name])
    return net
'''
