# %% [markdown] lesson=4
# # Translation: gravel into grass, and back
#
# A classifier learns from labels. But what is the right answer to "this gravel, as a meadow"? No single image is; many
# would pass. A **generative adversarial network** (GAN) learns what passes from a second network. The *generator* makes
# images. The *discriminator* is shown real images and made-up ones and says which are which. The two work against each
# other: what the discriminator notices, the generator learns to avoid, and then the discriminator has to look closer.
#
# **CycleGAN** uses this to turn images of one class into another, and back, without a single pair of the same scene. It
# is made of two generators, one for each way, each with a discriminator of its own, and asks for one thing more: there
# and back again should be where you started.
#
# ![Patches of gravel and grass: real, translated, and translated back](../../data/figures/cyclegan.png)
#
# The pair behind this figure was trained for this lesson by `data/train_cyclegan.py`, on random patches of two
# photographs, `data/textures/gravel.png` and `data/textures/grass.png`. The patches in the figure come from the right
# quarter of each, which was held out. Once trained, the discriminators are thrown away; what is kept is in
# `data/weights/gravel_to_grass.pt` and `data/weights/grass_to_gravel.pt`. You build the network that these weights fit,
# turn what it makes into an image, and then write the losses that trained it.

# %%
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from grader.data import data_file  # noqa: F401 (the examples use it)

# %% [markdown]
# ## From the generator to an image
# The last layer of a generator is a `tanh`, so its pixels lie between -1 and 1, as do the images that it is fed. An
# image file wants something else: whole numbers from 0 to 255, with the channels last, in NumPy.
#
#     out, (1, 3, H, W), -1 ... 1        --->        image, (H, W, 3), 0 ... 255
#
#     -1 is black, 0 ("zero") a middle grey, 1 is white; anything beyond counts as black or white
#
# Images are also how one finds mistakes in a network, so the way there had better add none. Each of these gives an
# image of *something* and no error: an 8-bit integer that overflows and wraps round, channels that were reshaped where
# they should have been moved, a fraction cut off where it should have been rounded. And what a network has just
# computed is part of the autograd graph, which NumPy knows nothing of.
#
# Under autocast the output may be bfloat16. That has 8 binary digits: just enough to write 255 down, but not to
# calculate on the way there. So calculate in float32.

# %% generator_to_image points=2 level="core" minutes=10 needs=[]
def generator_to_image(out: Float[Tensor, "1 3 H W"]) -> UInt8[np.ndarray, "H W 3"]:
    """The image that a generator made, as PIL's `Image.fromarray` takes it.

    Args:
        out: (1, 3, H, W), any H and W from 1 up; float16, bfloat16, float32 or float64; any strides; on any device;
            with or without a graph behind it. -1 is black and 1 is white. It is not changed.

    Returns:
        A NumPy array (H, W, 3), uint8. A value v becomes (v + 1) / 2 * 255, rounded to the nearest whole number (either
        one if it lies halfway between two); whatever is below -1 becomes 0, and whatever is above 1 becomes 255.

    >>> out = torch.tensor([-1.0, 0.2, 1.01]).reshape(1, 3, 1, 1).requires_grad_()
    >>> generator_to_image(out)
    array([[[  0, 153, 255]]], dtype=uint8)
    """
    raise NotImplementedError("generator_to_image is not written yet")


# %% [markdown]
# ## A generator that the weights fit
# A file of weights is a dict from names to tensors. `load_state_dict` fills a network of yours with them if your layers
# have the same names and shapes. It cannot see the rest: a ReLU, a normalisation without weights, the padding, a sum
# leave no trace in the file. Leave one out and the weights load without a complaint, and the images are wrong.
#
# This generator first makes the image smaller, changes it there, and makes it large again. With `w = width`:
#
#     layer    what it does                                            comes out
#     enter    convolution 7x7, norm, ReLU                             (N,  w, H,   W)
#     down1    convolution 3x3 with stride 2, norm, ReLU               (N, 2w, H/2, W/2)
#     down2    convolution 3x3 with stride 2, norm, ReLU               (N, 4w, H/4, W/4)
#     blocks   ResNetBlocks, one after the other                       (N, 4w, H/4, W/4)
#     up1      each pixel becomes 2x2; convolution 3x3, norm, ReLU     (N, 2w, H/2, W/2)
#     up2      each pixel becomes 2x2; convolution 3x3, norm, ReLU     (N,  w, H,   W)
#     leave    convolution 7x7, tanh                                   (N,  3, H,   W)
#
# A **residual block** adds to its input what two convolutions make of it: `x + norm(conv2(relu(norm(conv1(x)))))`, both
# 3x3. What is already good passes through, and the block learns only what should change.
#
# *norm* is `InstanceNorm2d` as it comes: every channel of every image gets mean 0 and variance 1 by itself, no weights,
# no statistics kept. It takes any mean away again, so the convolutions before it have **no bias**; `leave` has one.
# Every convolution pads by *reflection*, so that it loses no pixels and no black frame creeps in from the edges. Today
# that is an argument of `Conv2d`; older code has separate padding layers.

# %% ResNetBlock points=3 level="hard" minutes=25 needs=[]
class ResNetBlock(nn.Module):
    """`x + norm(conv2(relu(norm(conv1(x)))))`, as above. Keys of the state_dict, both (channels, channels, 3, 3):

        conv1.weight  conv2.weight

    >>> block = ResNetBlock(6)
    >>> block(torch.rand(2, 6, 5, 4)).shape
    torch.Size([2, 6, 5, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        raise NotImplementedError("ResNetBlock is not written yet")

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C H W"]:
        """(N, channels, H, W) to the same shape, H and W from 2 up. `x` is not changed."""
        raise NotImplementedError("ResNetBlock is not written yet")


class Generator(nn.Module):
    """The network above. Its state_dict has these keys and no others, `blocks.N` for N = 0 ... blocks - 1:

        enter.weight  down1.weight  down2.weight  blocks.N.conv1.weight  blocks.N.conv2.weight
        up1.weight    up2.weight    leave.weight  leave.bias

    All weights are those of `nn.Conv2d`, (channels out, channels in, k, k), all float32 and trainable. As with any
    module, `.to(torch.float64)` makes it calculate in float64.

    Args:
        width: channels after `enter`.
        blocks: how many ResNetBlocks, from 1 up, each with weights of its own.

    >>> generator = Generator()
    >>> generator.load_state_dict(torch.load(data_file("weights/gravel_to_grass.pt"), weights_only=True))
    <All keys matched successfully>
    """

    def __init__(self, width: int = 16, blocks: int = 4) -> None:
        super().__init__()
        raise NotImplementedError("ResNetBlock is not written yet")

    def forward(self, x: Float[Tensor, "N 3 H W"]) -> Float[Tensor, "N 3 H W"]:
        """(N, 3, H, W), H and W multiples of 4 from 8 up, to the same shape, in [-1, 1]. `x` is not changed.

        The same in training and in evaluation mode, and for each image the same whatever else is in the batch.
        """
        raise NotImplementedError("ResNetBlock is not written yet")


# %% [markdown]
# With the weights in it, your generator translates the whole photograph. In a notebook the next cell shows it.

# %% tags=["active-ipynb"]
# from PIL import Image
#
# generator = Generator()
# generator.load_state_dict(torch.load(data_file("weights/gravel_to_grass.pt"), weights_only=True))
# gravel = Image.open(data_file("textures/gravel.png")).convert("RGB")
# pixels = torch.from_numpy(np.array(gravel)).permute(2, 0, 1)[None] / 127.5 - 1
# with torch.no_grad():
#     grass = generator(pixels)
# Image.fromarray(np.hstack([np.array(gravel), generator_to_image(grass)]))

# %% [markdown]
# ## There and back again
# A discriminator for grass only asks whether an image looks like grass. A generator could please it with the same
# meadow for every heap of stones. CycleGAN therefore asks that the stones can be found again in the meadow: gravel to
# grass and back to gravel should give the gravel that went in, and grass to gravel and back the grass.
#
#     real_a --- g_ab --> translated --- g_ba --> returned        returned - real_a
#     real_b --- g_ba --> translated --- g_ab --> returned        returned - real_b
#
# The **cycle loss** is the mean of the absolute differences (L1) on the first line, plus that on the second. The square
# would forgive many small differences and make the images blurred. Nothing compares an image with one of the *other*
# class: there are no pairs, and the two batches need not even have the same size.
#
# Each line trains both generators: the second to undo, the first to leave something that can be undone. For that the
# gradient has to find its way through the image in the middle.

# %% cycle_loss points=2 level="core" minutes=10 needs=[]
def translate_and_back(
    there: Callable[[Tensor], Tensor], back: Callable[[Tensor], Tensor], images: Float[Tensor, "N C H W"]
) -> tuple[Float[Tensor, "N C H W"], Float[Tensor, "N C H W"]]:
    """Translate images into the other class, and what came out back again.

    Args:
        there, back: the two generators, or any other functions from images to images.
        images: (N, C, H, W), floating point. Not changed.

    Returns:
        (translated, returned): what `there` makes of `images`, and what `back` makes of that. Both with their graph:
        gradients flow from `returned` through `translated` to both generators.

    >>> translate_and_back(lambda x: 2 * x, lambda x: x - 1, torch.full((1, 1, 1, 1), 3.0))
    (tensor([[[[6.]]]]), tensor([[[[5.]]]]))
    """
    raise NotImplementedError("cycle_loss is not written yet")


def cycle_loss(
    g_ab: Callable[[Tensor], Tensor],
    g_ba: Callable[[Tensor], Tensor],
    real_a: Float[Tensor, "N C H W"],
    real_b: Float[Tensor, "M C K L"],
) -> Float[Tensor, ""]:
    """How far images of both classes are from themselves after there and back.

    Args:
        g_ab, g_ba: generators (or other functions) from class a to b, and from b to a.
        real_a: (N, C, H, W), images of class a; floating point. Not changed.
        real_b: (M, C, K, L), images of class b, as many and as large as they happen to be. Not changed.

    Returns:
        A scalar: the mean absolute difference between `real_a` and a-to-b-to-a, plus that between `real_b` and
        b-to-a-to-b. No weights. Its gradient reaches both generators, through both cycles.

    >>> a, b = torch.full((1, 1, 1, 2), 0.5), torch.full((2, 1, 1, 1), -0.5)
    >>> cycle_loss(lambda x: 2 * x, lambda x: x - 1, a, b)      # a: 0.5 -> 1 -> 0;  b: -0.5 -> -1.5 -> -3
    tensor(3.)
    """
    raise NotImplementedError("cycle_loss is not written yet")


# %% [markdown]
# ## Two losses that pull against each other
# A discriminator gives scores: *logits*, large for "real", far below zero for "made up". It has one score for each
# image or, as here, one for each patch of it. Its loss is binary cross entropy with the target 1 for real images and 0
# for fakes. The generator looks at the same scores of the same fakes and wants 1:
#
#                                  target in d_loss     target in g_loss     gradient of d_loss   of g_loss
#     discriminator(real)                 1                    -                  into D              -
#     discriminator(fake)                 0                    1                  into D         through D, into G
#
# Both want the scores of `fake` to move, one down and the other up, so each loss must move its own network. Without a
# cut, `d_loss` would also teach the generator to be caught. A cut in the wrong place is as bad: if `g_loss` loses the
# graph of `fake`, no error comes, and the generator never learns.
#
# Why not minimise the discriminator's success, `log(1 - p)`, as the first GAN paper writes it down? While a young
# generator is caught every time, that is flat. With the target 1 its gradient is largest just then.
#
# Work on logits. A sigmoid followed by a logarithm rounds a confident score to 0 or 1, and its gradient to 0.

# %% gan_losses points=3 level="hard" minutes=15 needs=[]
def gan_losses(
    discriminator: Callable[[Tensor], Tensor], real: Float[Tensor, "N C H W"], fake: Float[Tensor, "M C K L"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The losses of the discriminator and of the generator on one batch of real and one of made-up images.

    Only the losses are computed: no backward pass, and the discriminator keeps its weights, mode,
    `requires_grad` flags and whatever is in `.grad`.

    Args:
        discriminator: a module (or other function) from images to logits of any shape. It is called on real and on
            fake images apart, never on a batch that mixes them: what it makes of an image may depend on the batch.
        real: (N, C, H, W), floating point. Not changed.
        fake: (M, C, K, L), the output of a generator, with its graph. Not changed.

    Returns:
        (d_loss, g_loss), two scalars; the caller may call `backward` on them in either order.
        d_loss: the mean binary cross entropy of all scores of `real` with the target 1, plus that of all scores of
        `fake` with the target 0 (a sum of two means, not halved). Its gradient reaches the discriminator through both
        terms, and nothing of it reaches `fake` or the generator.
        g_loss: the mean binary cross entropy of all scores of `fake` with the target 1. Its gradient reaches the
        generator through `fake`. Whether it reaches the discriminator's weights as well is left to you: the caller
        clears them.
        Both stay exact and finite for logits of 200 and more on either side, and so do their gradients.

    >>> scores = torch.tensor([0.0, 200.0]).reshape(2, 1, 1, 1)
    >>> gan_losses(lambda images: images, -scores, scores)           # log 2 is 0.6931
    (tensor(200.6931), tensor(0.3466))
    """
    raise NotImplementedError("gan_losses is not written yet")
