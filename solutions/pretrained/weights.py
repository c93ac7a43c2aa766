# %% [markdown] lesson=3
# # Weights: load them, reuse them, hand them on
#
# A network is a piece of code and a file of numbers. The code says what is computed, the numbers decide how well. This
# lesson is about the file: how it gets into a network on your machine, how a network that was trained for one task
# serves another, and how you hand on code and numbers together, so that somebody else needs one line to use them.

# %%
import textwrap
from pathlib import Path

import torch
from torch import nn

# %% [markdown]
# ## Weights from a file
# Fresh from its constructor a network answers at random. Nothing has to be trained, though, if somebody else has done
# it: a pretrained network is useful as soon as its parameters are loaded. What is handed on is a `state_dict`, a dict
# from names to tensors (parameters and buffers), and the names must be those of your model. Wrappers change them:
#
#     state_dict of                                       name in the file
#     net                                                 fc.weight
#     DataParallel(net), DistributedDataParallel(net)     module.fc.weight
#     torch.compile(net)                                  _orig_mod.fc.weight
#     torch.compile(DistributedDataParallel(net))         _orig_mod.module.fc.weight
#
# The usual cure, `load_state_dict(weights, strict=False)`, is worse than the disease: it takes what fits and passes
# over the rest. If no name fits, nothing is loaded, nothing is raised, and the network goes on answering at random.
# What was passed over stands in the return value, which is the very thing that such code throws away.
#
# A file also remembers the device that its tensors were on, and a stranger's file may hold code: `torch.load` has an
# argument against either (old material lacks the second: `weights_only=True` became the default with torch 2.6).
#
# Much of what you find online says `resnet18(pretrained=True)`. Today's torchvision wants `weights=`: an enum such as
# `ResNet18_Weights.DEFAULT`, which downloads the numbers and knows the right transforms and the names of the classes,
# or None for the bare network.

# %% load_weights points=2 level="core" minutes=20 needs=[]
def load_weights(model: nn.Module, path: str | Path, device: torch.device | str) -> tuple[list[str], list[str]]:
    """Load the weights in a file into `model`, move it to `device`, and say which names did not match.

    The prefixes `module.` and `_orig_mod.` are taken off at the start of each name, however often and in whatever order
    they come there; inside a name they stay. What matches is copied into the model: its parameters keep their dtype and
    requires_grad, and those that are on `device` already stay the same objects. What does not match is left out.

    Args:
        model: the network, changed in place. None of its own names begins with one of the prefixes. Its mode (train or
            eval) is left alone.
        path: a file in which `torch.save` put a state_dict, or a dict (a checkpoint: epoch, optimizer, ...) that has it
            under the key "state_dict". Its tensors may come from any device, and it may come from a stranger.
        device: where all parameters and buffers of the model are afterwards.

    Returns:
        (missing, unexpected): the names in the model that the file lacks, and the names in the file, without the
        prefixes, that the model lacks. Two sorted lists, empty if all is well. (Files from before torch 0.4.1 have no
        `num_batches_tracked`, and torch's own report may pass over that; so may yours.)

    Raises:
        RuntimeError: for a name that both have, the shapes differ.
        pickle.UnpicklingError: the file holds other objects than tensors in plain containers. None of its code has run.

    >>> import numpy as np
    >>> from grader.data import data_file
    >>> rows = torch.from_numpy(np.loadtxt(data_file("tables/digits.csv"), delimiter=",", skiprows=1, max_rows=10))
    >>> pixels = rows[:, 1:].float().reshape(10, 1, 8, 8) / 16                     # handwritten: 0, 1, 2, ... 9
    >>> network = nn.Sequential(
    ...     nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
    ...     nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 10))
    >>> load_weights(network, data_file("weights/digits.pt"), "cpu")
    ([], [])
    >>> network.eval()(pixels).argmax(dim=1)
    tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])

    The same code loads a ResNet of torchvision, here from a file with prefixes:

    >>> import tempfile
    >>> from torchvision.models import resnet18
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     wrapped = {f"module.{name}": tensor for name, tensor in resnet18(weights=None).state_dict().items()}
    ...     torch.save({"epoch": 90, "state_dict": wrapped}, f"{folder}/resnet.pt")
    ...     load_weights(resnet18(weights=None), f"{folder}/resnet.pt", "cpu")
    ([], [])
    """
    ### BEGIN SOLUTION
    # Hint: Three steps: read the file safely, make a new dict with clean names, load that and keep the report.
    # Hint: `torch.load` takes `map_location=` and `weights_only=`; `checkpoint.get("state_dict", checkpoint)` unwraps.
    # Hint: `name.removeprefix("module.")` takes a prefix off once: go on as long as the name starts with either.
    # Hint: `load_state_dict(clean, strict=False)` returns `missing_keys` and `unexpected_keys`; wrong shapes raise.
    checkpoint = torch.load(path, map_location=device, weights_only=True)
    weights = {}
    for name, tensor in checkpoint.get("state_dict", checkpoint).items():
        while name.startswith(("module.", "_orig_mod.")):
            name = name.removeprefix("module.").removeprefix("_orig_mod.")
        weights[name] = tensor
    # strict=False is fine as long as what it passed over is told.
    report = model.to(device).load_state_dict(weights, strict=False)
    return sorted(report.missing_keys), sorted(report.unexpected_keys)
    ### END SOLUTION


# %% [markdown]
# Ten handwritten digits, and what the network calls them before and after its weights are loaded.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
# import numpy as np
#
# from grader.data import data_file
#
# rows = torch.from_numpy(np.loadtxt(data_file("tables/digits.csv"), delimiter=",", skiprows=1, max_rows=10))
# pixels = rows[:, 1:].float().reshape(10, 1, 8, 8) / 16
# torch.manual_seed(1)
# network = nn.Sequential(
#     nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
#     nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.3), nn.Linear(512, 10)
# ).eval()
# before = network(pixels).argmax(dim=1)
# load_weights(network, data_file("weights/digits.pt"), "cpu")
# after = network(pixels).argmax(dim=1)
# figure, panels = plt.subplots(1, 10, figsize=(12, 1.8))
# for panel, image, old, new in zip(panels, pixels, before, after):
#     panel.imshow(image[0], cmap="gray_r")
#     panel.set(title=f"{old} → {new}", xticks=[], yticks=[])

# %% [markdown]
# ## A new head on a frozen body
# A pretrained network rarely has your classes. All its layers but the last have learnt to see, though, and only the
# last one, the *head*, turns what they saw into scores for classes. So keep the body as it is, put a fresh linear layer
# in place of the head, and train that alone: few numbers, so few pictures and little time will do.
#
#     images -> [ body: 11.2 million numbers, frozen ] -> (N, 512) -> [ head: 512 x K, trained ] -> (N, K)     resnet18
#
# The head is the last `nn.Linear` of the model. Its name differs (`fc` in a ResNet, `classifier.6` in a VGG), so look
# for it.
#
# `requires_grad = False` freezes parameters, but not a batch norm. Its running mean and variance are buffers: no
# gradient moves them, every forward pass in train mode does. The body that you froze then drifts away from what was
# pretrained, although the optimiser never touches it, and while training it normalises with the statistics of each
# batch in place of its own. `layer.eval()` stops both, but only until the next `model.train()`, which reaches every
# layer, and training loops call it once an epoch. Dropout, on the other hand, should go on following the mode.

# %% replace_head points=2 level="core" minutes=25 needs=["load_weights"]
def replace_head(model: nn.Module, num_classes: int) -> list[nn.Parameter]:
    """Give `model` a new head for `num_classes` classes, and freeze everything else.

    The head is the last nn.Linear in the order of `model.named_modules()`. A new nn.Linear takes its place under the
    same name, with `num_classes` outputs, and in everything else like the old one: as many inputs, a bias only if that
    had one, the same dtype and device.

    All other parameters stop requiring gradients. Every batch norm (nn.BatchNorm1d, 2d, 3d) that has running statistics
    normalises with these from now on and leaves them as they are, in train mode too, whenever `model.train()` or
    `model.eval()` is called: so in train mode too, `model.state_dict()` keeps its names, and its values outside the
    head. All other layers, such as dropout, follow the mode as before.

    Args:
        model: changed in place. It may be in train or in eval mode, and stays in that. It is not an nn.Linear itself.
        num_classes: at least 1.

    Returns:
        What an optimiser should get: a list of the new head's parameters, and no others.

    Raises:
        ValueError: the model has no nn.Linear.

    >>> from torchvision.models import resnet18
    >>> network = resnet18(weights=None)
    >>> [tuple(parameter.shape) for parameter in replace_head(network, 5)]
    [(5, 512), (5,)]
    >>> network.fc
    Linear(in_features=512, out_features=5, bias=True)
    >>> [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    ['fc.weight', 'fc.bias']
    """
    ### BEGIN SOLUTION
    # Hint: Freeze all of the model first, then put the new layer in: it comes with requires_grad.
    # Hint: `named_modules()` gives dotted names such as "classifier.6"; `model.set_submodule(name, layer)` takes those.
    # Hint: A batch norm stands still in eval mode. What can you attach to it that runs just before each forward pass?
    # Hint: `layer.register_forward_pre_hook(hook)` calls `hook(layer, inputs)`; let the hook call `layer.eval()`.
    linears = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.Linear)]
    if not linears:
        raise ValueError("the model has no nn.Linear that could be its head")
    name, old = linears[-1]

    def stay_in_eval_mode(layer, inputs):
        layer.eval()  # and return nothing: what a pre-hook returns would replace the inputs

    for layer in model.modules():
        if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            layer.register_forward_pre_hook(stay_in_eval_mode)

    model.requires_grad_(False)
    weight = old.weight
    head = nn.Linear(old.in_features, num_classes, old.bias is not None, device=weight.device, dtype=weight.dtype)
    model.set_submodule(name, head)
    return list(head.parameters())
    ### END SOLUTION


# %% [markdown]
# ## A project that Torch Hub can load
# Weights are of use only with the code that they fit. Torch Hub gets both: it loads *any* project that has a file
# `hubconf.py` in its top folder, from GitHub or from a disk.
#
#     network = torch.hub.load("owner/project", "digits", pretrained=True)                     # from GitHub
#     network = torch.hub.load("/home/me/project", "digits", source="local", pretrained=True)  # from a folder
#
# It runs `hubconf.py` and looks at the list `dependencies` there: packages that must be installed (it checks, and
# installs nothing). Then it calls the *entry point*, the function with the name asked for, passes on the remaining
# arguments, and returns what that returns. Every callable in the file, imported ones too, counts as an entry point
# that `torch.hub.list` shows, unless its name begins with an underscore. Here is a project that lacks only this file:
#
#     project/
#         hubconf.py            what you write
#         network.py            imports torch and numpy; defines `class Digits(nn.Module)`, all of whose options
#                               have defaults
#         weights/digits.pt     the state_dict of a trained Digits, saved on somebody's GPU
#
# While `hubconf.py` and the entry point run, `from network import Digits` finds the project's file. But relative paths
# to data start, as always, in the folder of whoever calls, and that is rarely the project's.
#
# A `hubconf.py` is a program: loading a project means trusting it, and `torch.hub.load` asks before it runs one from
# GitHub that is new to it. And `torch.hub.load_state_dict_from_url`, with which many projects get their weights, still
# has `weights_only=False` as its default today, unlike `torch.load`.

# %% hub_entrypoint points=2 level="core" minutes=20 needs=["load_weights"]
def hub_entrypoint() -> str:
    """Return the text of a `hubconf.py` for the project above: Python code, to be written into the project's folder.

    Its list `dependencies` names the two packages that the project imports. Its one entry point is
    `digits(pretrained=False, **options)`:

    - It returns `Digits(**options)`, on the CPU: every other keyword is an option of the network.
    - With `pretrained=True` the network has the weights in `weights/digits.pt` beside `hubconf.py`, wherever the
      caller is. It loads with plain tensors only (weights_only=True) and on a machine without a GPU. Names that are
      missing or unexpected, or shapes that differ, raise RuntimeError.
    - With `pretrained=False` that file is not needed.

    `torch.hub.list` shows `digits` and nothing else. If a dependency is not installed, Torch Hub's own check says so,
    with a RuntimeError that names the package. That check comes after the top-level code of `hubconf.py` and before the
    entry point, so the file itself can be run where `network.py` cannot be imported (torch is always there).

    >>> import tempfile
    >>> code = "import numpy\\nfrom torch import nn\\ndef Digits(classes=10): return nn.Linear(64, classes)"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name, text in {"hubconf.py": hub_entrypoint(), "network.py": code}.items():
    ...         _ = Path(folder, name).write_text(text)
    ...     torch.hub.load(folder, "digits", source="local", classes=3)
    Linear(in_features=64, out_features=3, bias=True)
    """
    ### BEGIN SOLUTION
    # Hint: Write it as a file of its own first, then put it into a string; `textwrap.dedent` removes the indentation.
    # Hint: Python tells every file where it lies: `__file__`. Which names that you import are callable, so listed?
    # Hint: Import `Digits` inside of `digits`, and `Path` under another name: `from pathlib import Path as _Path`.
    # Hint: In the text: torch.load(_Path(__file__).parent / "weights" / "digits.pt", map_location="cpu", ...)
    return textwrap.dedent('''\
        """What Torch Hub finds in this project."""

        from pathlib import Path as _Path

        import torch

        dependencies = ["torch", "numpy"]


        def digits(pretrained=False, **options):
            """A network that reads digits; pretrained=True gives it its trained weights."""
            from network import Digits  # not at the top: the check of `dependencies` has to come first

            network = Digits(**options)
            if pretrained:
                path = _Path(__file__).parent / "weights" / "digits.pt"
                network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
            return network
        ''')
    ### END SOLUTION
