# %% [markdown] lesson=1
# # A network that already knows
#
# ![A cat looks past the camera](../../data/photos/cat.png)
#
# This picture is 405,900 numbers: 451 x 300 pixels, each with a red, a green and a blue value. Which of them make it a
# cat? Nobody has managed to write that down as a program. But it can be learned.
#
# A **neural network** is one long calculation, mostly multiplying and adding, with adjustable numbers in it: its
# **parameters**. Show it a million photographs with their names, adjust the parameters a little each time it is wrong,
# and in the end the calculation gives the right name for pictures it has never met. That takes days on costly machines.
# Then it is over, and all that was learned is a file of numbers. The network of this topic has 4.7 million of them,
# 19 MB. Load that file and the network is useful at once: no training of yours, no GPU, a thirtieth of a second for a
# photograph. Such a network is called **pretrained**. These are its own answers to three files in `data/photos`:
#
# ```
#               first guess           second                third
# cat.png       tiger cat      38 %   Egyptian cat   37 %   tabby               17 %
# coffee.png    espresso       96 %   cup             1 %   consomme             1 %
# rocket.jpg    missile        36 %   projectile     25 %   drilling platform    7 %
# ```
#
# Before this topic ends you will have made that table yourself, and another network will have turned gravel into grass.
# To a network, everything is a tensor: a grid of numbers with any number of dimensions. So someone has to turn
# photographs into tensors, and tensors into names. In this lesson that is you:
#
# ```
# photograph ---preprocess---> (3, S, S) ---make_batch---> (N, 3, S, S) ---network---> (N, C) ---top1_labels---> names
#                                                                                            topk_predictions
# ```
#
# N is the number of images, S the side of each in pixels, C the number of classes. You begin at the end, with names.

# %%
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2  # noqa: F401 (yours to use)

# %% [markdown]
# ## The best guess
#
# The network answers a batch of N images with a tensor of shape (N, C), the **logits**: a row for each image, and in it
# a score for each class. The larger the score, the more it looks like that class. Scores have no unit and no fixed
# range, and a row may well be all negative; what counts is how the scores of *one row* compare.
#
# ```
#             tabby  espresso  missile   lynx
# image 0    [  9.0      0.3     -1.2     6.8 ]    "tabby"
# image 1    [ -7.1     -2.0     -3.4    -9.9 ]    "espresso"
# ```
#
# The network itself knows no words. Column `i` means whatever class number `i` was in training, and `labels[i]` is its
# name. (Two classes may share a name: in the original list of ImageNet's 1000 classes, one *crane* is a bird and
# another lifts loads. So the place in the list tells classes apart, and the name does not.)
#
# One image is a batch too: its logits have shape (1, C), and the answer is a list with one name in it.

# %% top1_labels points=1 level="warm-up" minutes=5 needs=[]
def top1_labels(logits: Float[Tensor, "N C"], labels: Sequence[str]) -> list[str]:
    """Name the class with the largest logit, for each image.

    Args:
        logits: shape (N, C), any floating-point dtype, any strides, with or without requires_grad. N may be 0 or 1.
            Large numbers such as 5000.0 may occur, NaN does not. It is not changed.
        labels: a list or tuple with the names of the C classes; some names may occur more than once. It is not changed.

    Returns:
        A list of N strings, in the order of the rows. If two logits of a row are equally large, the name of either.

    >>> logits = torch.tensor([[9.0, 0.3, -1.2, 6.8], [-7.1, -2.0, -3.4, -9.9]])
    >>> top1_labels(logits, ["tabby", "espresso", "missile", "lynx"])
    ['tabby', 'espresso']
    >>> top1_labels(logits[:1], ["tabby", "espresso", "missile", "lynx"])
    ['tabby']
    """
    ### BEGIN SOLUTION
    # Hint: You need the *place* of the largest number in each row, rather than the number.
    # Hint: `argmax(dim=...)` gives places. The dimension you name is the one that disappears; N has to stay.
    # Hint: `.tolist()` turns the tensor of N places into a list of plain ints, which can index `labels`.
    # Hint: [labels[place] for place in logits.argmax(dim=1).tolist()]
    return [labels[place] for place in logits.argmax(dim=1).tolist()]
    ### END SOLUTION


# %% [markdown]
# ## How sure is it?
#
# A first guess alone hides a lot: for the cat, three kinds of cat compete, and for the coffee nothing else comes near.
# The **softmax** turns the logits of an image into probabilities. Every logit z becomes exp(z), which is positive, and
# is divided by the sum of these over all C classes, so that a row adds up to 1:
#
# ```
# logits           2.0     1.0     0.0
# exp             7.39    2.72    1.00      sum 11.11
# probability    0.665   0.245   0.090      sum  1
# ```
#
# A probability is a share of *all* classes, also of those that you do not list: the three guesses for the cat add up
# to 92 %, and the other 997 classes have the rest. And it is a share of the classes that the network *has*. There is
# none for astronauts, so `astronaut.png` has to be something else ("bobsled", 13 %). A low number is all the warning
# that you get.
#
# In float32, `exp(100.0)` is infinite; torch's own softmax avoids that. And `tensor(0.6652)` is awkward to compare or
# to write into a file: what leaves this function is plain Python.

# %% topk_predictions points=1 level="warm-up" minutes=10 needs=["top1_labels"]
def topk_predictions(
    logits: Float[Tensor, "N C"], labels: Sequence[str], k: int
) -> list[list[tuple[str, float]]]:
    """List the k most probable classes of each image, with their probabilities.

    Args:
        logits: shape (N, C), float32 or float64, any strides, with or without requires_grad. N may be 0 or 1. Large
            numbers such as 5000.0 may occur, NaN does not. It is not changed.
        labels: a list or tuple with the names of the C classes; some names may occur more than once. It is not changed.
        k: how many classes to list, at least 1. If there are fewer than k classes, all C are listed.

    Returns:
        A list of N lists, in the order of the rows. Each has min(k, C) tuples (label, probability), the most
        probable first; equal ones in either order. A probability is a Python float: the softmax over all C classes.

    >>> logits = torch.tensor([[1.0, 2.0, 0.0], [5.0, 1.0, 3.0]])
    >>> for guesses in topk_predictions(logits, ["cup", "espresso", "eggnog"], 2):
    ...     print([(label, round(probability, 3)) for label, probability in guesses])
    [('espresso', 0.665), ('cup', 0.245)]
    [('cup', 0.867), ('eggnog', 0.117)]
    >>> len(topk_predictions(logits, ["cup", "espresso", "eggnog"], 10)[0])
    3
    """
    ### BEGIN SOLUTION
    # Hint: Two steps: probabilities of all classes first, and only then the k largest.
    # Hint: `softmax(dim=...)` wants the dimension whose entries shall add up to 1; `topk` gives values and places.
    # Hint: `topk` refuses a k above C, so give it the smaller of the two.
    # Hint: `logits.softmax(dim=1).topk(min(k, logits.shape[1]))`, then `zip` places and values, row by row.
    values, places = logits.softmax(dim=1).topk(min(k, logits.shape[1]))
    return [
        [(labels[place], probability) for place, probability in zip(row_places, row_values, strict=True)]
        for row_places, row_values in zip(places.tolist(), values.tolist(), strict=True)
    ]
    ### END SOLUTION


# %% [markdown]
# ## From a photograph to a tensor
#
# A network expects images such as those it was trained on: one size, three channels, numbers around zero. Given others
# it does not complain, it just guesses worse. So the steps of its training are repeated, in this order:
#
# ```
# cat.png, 451 x 300 --1--> RGB --2--> 336 x 224 --3--> 224 x 224 --4--> (3, 224, 224), 0 to 1 --5--> -2.1 to 2.6
# ```
#
# 1. *Three channels.* A file may be grey (one), have transparency (four), or hold numbers of colours in a palette, of
#    which no average makes sense: colour 7 is not between 6 and 8. So before anything else, `image.convert("RGB")`.
# 2. *Resize* until the **shorter** side has `size` pixels. The longer follows in proportion: a squashed cat is no cat.
# 3. *Crop* the square in the middle.
# 4. *Channels first, and a scale from 0 to 1.* Pillow keeps the three values of a pixel side by side: (H, W, 3).
# 5. *Normalise* each channel: subtract its mean and divide by its standard deviation, as measured over the training
#    images on the scale of step 4. For ImageNet: (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225).
#
# Resizing with *antialiasing* averages over all the pixels that a new one covers; without it, stripes turn into others.
#
# Use Pillow and torch, or the ready-made steps in `torchvision.transforms.v2`. `ToTensor`, which older material has for
# step 4, is deprecated: today it is `v2.ToImage()` and `v2.ToDtype(torch.float32, scale=True)`. And `v2.Resize` now
# antialiases tensors as well as Pillow images, unless you switch it off.

# %% preprocess points=2 level="core" minutes=20 needs=[]
def preprocess(
    image: Image.Image, size: int, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "3 size size"]:
    """Turn a photograph into a square, normalised tensor, as a network takes it.

    First `image.convert("RGB")`: grey is repeated, palettes are looked up, transparency is dropped (each pixel keeps
    the colour that it would have if it were opaque). Then the image is resized, shrunk or enlarged, to a shorter side
    of `size` pixels with its proportions kept, bilinear with antialiasing (which is what Pillow's BILINEAR does), and
    the central `size` x `size` pixels are cut out. Then (value / 255 - mean) / std, channel by channel.

    Where a side or a border would not be a whole number of pixels, round either way. Resizing may be off by 2 of the
    255 levels, as libraries round differently.

    Args:
        image: a Pillow image with 8 bits for each channel, such as the modes RGB, RGBA, L, LA and P, of any size.
            It is not changed.
        size: the side S of the result in pixels, at least 1.
        mean, std: lists or tuples of three floats (red, green, blue), for values on the scale from 0 to 1.

    Returns:
        A float32 tensor of shape (3, S, S): red, green, blue; rows from the top; columns from the left.

    >>> image = Image.new("RGB", (60, 40), (255, 0, 51))              # 60 wide, 40 high, all in one colour
    >>> x = preprocess(image, 20, mean=(0.5, 0.5, 0.7), std=(0.5, 0.25, 0.25))
    >>> x.shape, x.dtype
    (torch.Size([3, 20, 20]), torch.float32)
    >>> [round(value, 3) for value in x[:, 0, 0].tolist()]
    [1.0, -2.0, -2.0]
    """
    ### BEGIN SOLUTION
    # Hint: Take the five steps one by one and print the size or shape after each. Pillow's size is (width, height).
    # Hint: Both new sides are `side * size // min(image.size)`; the crop starts at `(width - size) // 2`.
    # Hint: `np.array(image)` has shape (H, W, 3): `permute` moves the channels to the front, `view` would only rename.
    # Hint: `torch.tensor(mean)[:, None, None]` has shape (3, 1, 1), so it meets the channels and not the columns.
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    # One number for each channel, whatever the height and the width.
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std
    ### END SOLUTION


# %% [markdown]
# ## A batch of images
#
# Networks work on batches: N images in one tensor of shape (N, 3, H, W). A GPU takes hardly longer for sixteen images
# than for one, and a single image goes in as a batch of one. The batch gets a *new* dimension in front:
#
# ```
# images               (3, H, W)   (3, H, W)
# their batch          (2, 3, H, W)             batch[1] holds images[1]
# end to end instead   (6, H, W)                one image with six channels
# ```
#
# A tensor is a block without gaps, so all the images must have one height and one width. What to do with one that has
# not? Stretch it, pad it, leave it out: each of these makes a batch, and each hides that something went wrong earlier.
# The same holds for an image that somebody forgot to normalise. Beside floats, its uint8 values from 0 to 255 would
# become floats without a word, and look to the network like a light a hundred times too bright. A function that says no
# is worth more here.

# %% make_batch points=1 level="warm-up" minutes=10 needs=[]
def make_batch(images: Sequence[Float[Tensor, "3 H W"]]) -> Float[Tensor, "N 3 H W"]:
    """Put images of one size into a batch.

    Args:
        images: a list or tuple of N float32 tensors of shape (3, H, W), any strides, at least one. Neither it nor the
            tensors are changed.

    Returns:
        A float32 tensor of shape (N, 3, H, W), the images in their order. A copy: writing into the batch leaves the
        images alone, also for N = 1.

    Raises:
        ValueError: there is no image at all, an image has another shape than the first, or one is not float32
            (even if none of them is).

    >>> make_batch([torch.zeros(3, 4, 5), torch.ones(3, 4, 5)]).shape
    torch.Size([2, 3, 4, 5])
    >>> make_batch([torch.zeros(3, 4, 5), torch.ones(3, 5, 4)])  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    ValueError: images[1] is (3, 5, 4), torch.float32; expected (3, 4, 5), torch.float32
    """
    ### BEGIN SOLUTION
    # Hint: torch has a function that joins tensors along a dimension they have, and one that makes a new dimension.
    # Hint: `torch.stack` makes the new dimension, in front. Other shapes give a RuntimeError, and dtypes it mixes.
    # Hint: So look first: an empty list, then shape and dtype of each image; `raise ValueError(...)` if one is off.
    # Hint: After the checks: `return torch.stack(images)`; it takes a list or a tuple.
    if not images:
        raise ValueError("a batch needs at least one image")
    shape = tuple(images[0].shape)
    for index, image in enumerate(images):
        if image.shape != shape or image.dtype != torch.float32:
            raise ValueError(
                f"images[{index}] is {tuple(image.shape)}, {image.dtype}; expected {shape}, torch.float32"
            )
    return torch.stack(images)
    ### END SOLUTION
