"""Known answers of pretrained/predictions."""

# %% top1_labels wrong="argmax over dim 0"
# `argmax(dim=0)` walks down the columns: it finds, for each class, the image that has most of it. The dimension you name
# is the one that disappears, and it should be that of the classes.
def top1_labels(logits, labels):
    return [labels[place] for place in logits.argmax(dim=0).tolist()]


# %% top1_labels wrong="argmax over everything"
# `argmax()` without a dimension looks for one largest number in the whole tensor and counts its place through all rows.
# That is right for a single image only.
def top1_labels(logits, labels):
    return [labels[int(logits.argmax())]]


# %% top1_labels wrong="first image only"
# Only the first image gets a name. The logits have one row for each image of the batch.
def top1_labels(logits, labels):
    return [labels[int(row.argmax())] for row in logits[:1]]


# %% top1_labels wrong="returns the places"
# These are the numbers of the classes. Their names are in `labels`, at these places.
def top1_labels(logits, labels):
    return logits.argmax(dim=1).tolist()


# %% top1_labels wrong="squeezes a batch of one"
# For a single image the result is a bare name, because its dimension was squeezed away. A batch of one should give a list
# with one name, so that callers need not care how many images there were.
def top1_labels(logits, labels):
    places = logits.argmax(dim=1).squeeze().tolist()
    return labels[places] if isinstance(places, int) else [labels[place] for place in places]


# %% top1_labels wrong="largest by size"
# The logit that is farthest from zero won here, so -9.9 beats 0.3. Negative logits are low scores: compare them as they are.
def top1_labels(logits, labels):
    return [labels[place] for place in logits.abs().argmax(dim=1).tolist()]


# %% top1_labels wrong="softmax by hand"
# The order was right before the softmax: it changes no winner. But `exp` of a large logit is infinite and of a very low one
# zero, and then all comparisons are lost.
def top1_labels(logits, labels):
    exps = logits.exp()
    return [labels[place] for place in (exps / exps.sum(dim=1, keepdim=True)).argmax(dim=1).tolist()]


# %% top1_labels wrong="all positive classes"
# Every class with a positive logit was named. Zero is no threshold: a row may be all negative or all positive, and the
# largest of it is the answer in each case.
def top1_labels(logits, labels):
    return [labels[i] for row in logits.tolist() for i in range(len(row)) if row[i] > 0]


# %% top1_labels wrong="sorts the labels"
# The labels were sorted, or made a set, before they were looked up. Column i of the logits belongs to `labels[i]` in the order
# in which they came, and a name may occur twice.
def top1_labels(logits, labels):
    labels = sorted(set(labels))
    return [labels[place % len(labels)] for place in logits.argmax(dim=1).tolist()]


# %% top1_labels wrong="bare .numpy()"
# `.numpy()` refuses a tensor that requires grad, and NumPy has no bfloat16. Torch's own `argmax` knows both.
def top1_labels(logits, labels):
    return [labels[place] for place in logits.numpy().argmax(axis=1).tolist()]


# %% top1_labels wrong="float32 first"
# `.float()` rounds float64 logits, and two that differ by little become equal: then the first of them wins. `argmax` takes
# every dtype as it is.
def top1_labels(logits, labels):
    return [labels[place] for place in logits.float().argmax(dim=1).tolist()]


# %% top1_labels wrong="starts at -999"
# The search starts at -999, so a row with nothing above it keeps the first class. Scores have no fixed range: which of the
# row's own numbers could it start from?
def top1_labels(logits, labels):
    answers = []
    for row in logits.tolist():
        best, best_score = 0, -999.0
        for place, score in enumerate(row):
            if score > best_score:
                best, best_score = place, score
        answers.append(labels[best])
    return answers


# %% top1_labels wrong="squeezes a single class"
# `squeeze()` drops every dimension of size 1. With a single class that is the one of the classes, and `argmax` then looks for
# the best image. How many dimensions do the logits have in any case?
def top1_labels(logits, labels):
    places = logits.squeeze().argmax(dim=-1).tolist()
    return [labels[place] for place in (places if isinstance(places, list) else [places])]



# %% top1_labels right="Python's max"
def top1_labels(scores, names):
    out = []
    for row in scores.tolist():
        best = max(range(len(row)), key=row.__getitem__)
        print("best:", best)
        out.append(names[best])
    return out


# %% top1_labels right="topk of one"
def top1_labels(logits, labels):
    return [labels[int(i)] for i in torch.topk(logits.detach(), 1, -1).indices.flatten()]


# %% top1_labels right="softmax first, sorted"
def top1_labels(logits, labels):
    with torch.no_grad():
        order = torch.softmax(logits.double(), -1).sort(dim=-1, descending=True).indices
    return [labels[i] for i in order[:, 0].tolist()]


# %% top1_labels right="NumPy"
def top1_labels(logits, labels):
    places = np.argmax(logits.detach().to(torch.float64).numpy(), axis=1)
    return np.array(labels)[places].tolist() if len(places) else []


# %% topk_predictions wrong="softmax over dim 0"
# The softmax ran down the columns, so that the images share out each class among themselves: with a single image every
# probability is 1. The classes of one image should add up to 1.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=0).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="softmax after top-k"
# The probabilities of the listed classes add up to 1, as if there were no others. A probability is a share of all C classes:
# what comes first, the softmax or the choice?
def topk_predictions(logits, labels, k):
    values, places = logits.topk(min(k, logits.shape[1]), dim=1)
    values = values.softmax(dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="in the order of the labels"
# The right classes with the right probabilities, but in the order of the labels. The most probable one should come first.
def topk_predictions(logits, labels, k):
    probabilities = logits.softmax(dim=1)
    places = probabilities.topk(min(k, logits.shape[1]), dim=1).indices.sort(dim=1).values
    values = probabilities.gather(1, places)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="least probable first"
# `sort` and `argsort` put the smallest first unless told otherwise, so the list runs from the k-th best class up to the best.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).sort(dim=1)
    values, places = values[:, -k:].tolist(), places[:, -k:].tolist()
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places, values)]


# %% topk_predictions wrong="the k least probable"
# These are the classes that the network thinks least likely: `sort` puts the smallest first, and the list was cut there.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).sort(dim=1)
    values, places = values[:, :k].tolist(), places[:, :k].tolist()
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places, values)]


# %% topk_predictions wrong="tensors for floats"
# Each probability is still a tensor with one number in it, and drags torch along wherever it goes. `.item()` or `.tolist()`
# gives Python floats.
def topk_predictions(logits, labels, k):
    values, places = logits.detach().softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[int(p)], v) for p, v in zip(ps, vs)] for ps, vs in zip(places, values)]


# %% topk_predictions wrong="k beyond C raises"
# With a k above the number of classes, `topk` raises an error. There are only C classes to list, so list those.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(k, dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="k limited by N"
# k was limited by the number of images, `len(logits)`. The number of classes is the *last* dimension of the logits.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k, len(logits), logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="logits for probabilities"
# The classes are right, but these numbers are the logits themselves, which may be negative or above 1. The softmax makes
# probabilities of them.
def topk_predictions(logits, labels, k):
    values, places = logits.topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="sigmoid"
# A sigmoid looks at each class alone, so the numbers of one image do not add up to 1. That is for questions such as "is there
# a cat, and is there a cup?"; here the classes exclude each other.
def topk_predictions(logits, labels, k):
    places = logits.topk(min(k, logits.shape[1]), dim=1).indices
    values = logits.sigmoid().gather(1, places)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="softmax by hand overflows"
# `exp` of a large logit is infinite, and infinity divided by infinity is NaN (and with very low logits, 0 divided by 0).
# Torch's softmax first subtracts the largest logit of the row, which changes no probability.
def topk_predictions(logits, labels, k):
    exps = logits.exp()
    values, places = (exps / exps.sum(dim=1, keepdim=True)).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="the first k labels"
# The probabilities are sorted, but the labels are not: they are simply the first k. `topk` also says at which place each
# value was, and that place leads to its label.
def topk_predictions(logits, labels, k):
    values = logits.softmax(dim=1).topk(min(k, logits.shape[1]), dim=1).values
    return [list(zip(labels, row)) for row in values.tolist()]


# %% topk_predictions wrong="no list of lists for one image"
# For a single image the list around its guesses is missing. A batch of one should give a list with one list in it.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    out = [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]
    return out[0] if len(out) == 1 else out


# %% topk_predictions wrong="through a dict"
# In a dict from names to probabilities, two classes of the same name become one. Keep the places apart until the end.
def topk_predictions(logits, labels, k):
    out = []
    for row in logits.softmax(dim=1).tolist():
        named = dict(zip(labels, row))
        out.append(sorted(named.items(), key=lambda pair: -pair[1])[:k])
    return out


# %% topk_predictions wrong="probability first"
# The pairs are turned round: the label should come first, then the probability.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(v, labels[p]) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="rounded"
# The probabilities were rounded. That is for whoever prints them; here they should stay what the softmax says.
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], round(v, 2)) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="per cent"
# These are per cent: a hundred times as much as a probability, which lies between 0 and 1.
def topk_predictions(logits, labels, k):
    values, places = (100 * logits.softmax(dim=1)).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="float32 first"
# `.float()` rounds float64 logits. Near 5000, float32 has steps of 0.0005, and classes that differ by less become equally
# probable. Which dtypes does the softmax take as they are?
def topk_predictions(logits, labels, k):
    values, places = logits.float().softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs)] for ps, vs in zip(places.tolist(), values.tolist())]


# %% topk_predictions wrong="leaves out probability 0"
# Classes whose probability was rounded to 0 are left out, so a list is shorter than it should be. Whoever takes the k-th guess
# of each image finds none: how many were asked for?
def topk_predictions(logits, labels, k):
    values, places = logits.softmax(dim=1).topk(min(k, logits.shape[1]), dim=1)
    return [[(labels[p], v) for p, v in zip(ps, vs) if v > 0] for ps, vs in zip(places.tolist(), values.tolist())]



# %% topk_predictions right="plain Python"
import math


def topk_predictions(scores, names, count):
    out = []
    for row in scores.tolist():
        top = max(row)
        exps = [math.exp(z - top) for z in row]
        pairs = [(names[i], e / sum(exps)) for i, e in enumerate(exps)]
        print("sum", sum(p for _, p in pairs))
        out.append(sorted(pairs, key=lambda pair: pair[1], reverse=True)[:count])
    return out


# %% topk_predictions right="log_softmax and argsort"
@torch.no_grad()
def topk_predictions(logits, labels, k):
    probabilities = torch.nn.functional.log_softmax(logits, -1).exp()
    order = probabilities.argsort(dim=-1, descending=True)[:, :k]
    return [[(labels[i], row[i].item()) for i in places.tolist()] for row, places in zip(probabilities, order)]


# %% topk_predictions right="NumPy, minus the largest"
def topk_predictions(logits, labels, k):
    z = logits.detach().numpy().astype(np.float64)
    if not len(z):
        return []
    exps = np.exp(z - z.max(axis=1, keepdims=True))
    shares = exps / exps.sum(axis=1, keepdims=True)
    order = np.argsort(-shares, axis=1)[:, :k]
    return [[(str(labels[i]), float(shares[n, i])) for i in row] for n, row in enumerate(order)]


# %% topk_predictions right="row by row, heapq"
import heapq


def topk_predictions(logits, labels, k):
    return [
        [(labels[i], p) for p, i in heapq.nlargest(k, ((p, i) for i, p in enumerate(torch.softmax(row, 0).tolist())))]
        for row in logits
    ]


# %% preprocess wrong="normalises before dividing by 255"
# The mean was subtracted from values up to 255, and the division came later. Mean and standard deviation were measured on the
# scale from 0 to 1, so bring the pixels to that scale first.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std / 255


# %% preprocess wrong="never divides by 255"
# These values run into the hundreds: the pixels are still on the scale from 0 to 255, and mean and std are for 0 to 1.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="view for permute"
# The shape is right and the picture is not: `view` and `reshape` keep the numbers in their order and cut it elsewhere, so red,
# green and blue get mixed. `permute` moves a dimension together with its numbers.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).view(3, size, size) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="swaps rows and columns"
# The picture lies on its side: `transpose(0, 2)` brings the channels to the front, but swaps height and width on the way. They
# should keep their order behind the channels.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).transpose(0, 2) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="never converts"
# Only files that are RGB already work. Grey ones have no channel dimension, RGBA has a fourth channel, and the numbers in a
# palette image are no colours at all.
def preprocess(image, size, mean, std):
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="converts after resizing"
# The image is converted, but only after it was resized. Colour numbers of a palette cannot be averaged, so Pillow picks the
# nearest pixel there, and with transparency it weighs each pixel by how opaque it is. Convert first.
def preprocess(image, size, mean, std):
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR).convert("RGB")
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="transparency over white"
# Transparent pixels came out mixed with white here, as if the image lay on paper. What is asked for is `convert("RGB")` alone:
# it forgets the transparency and keeps the colours.
def preprocess(image, size, mean, std):
    rgba = image.convert("RGBA")
    image = Image.new("RGBA", image.size, "white")
    image.alpha_composite(rgba)
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="squashes to a square"
# Both sides were resized to `size`, so everything in a wide image became narrow. Resize the shorter side to `size`, let the
# longer one follow in proportion, and cut off what is too long.
def preprocess(image, size, mean, std):
    image = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="crops the top left"
# The square comes from the upper left corner. It should come from the middle, with as much cut off at one end as at the other.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    image = image.crop((0, 0, size, size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="crops without resizing"
# The middle was cut out of the image in its original size, so only a small part of a large photograph is left, and a small one
# gets a black border. Resize first.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    left, top = (image.width - size) // 2, (image.height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="longer side to size, padded"
# The *longer* side was resized to `size` and the rest filled up with black (`thumbnail` works this way, and it never enlarges).
# It is the shorter side that should have `size` pixels.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    image.thumbnail((size, size), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (size, size))
    square.paste(image, ((size - image.width) // 2, (size - image.height) // 2))
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="never enlarges"
# Large images are right, but one whose shorter side is below `size` was left as it is, and the crop filled up with black. It
# should be enlarged.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = image.size
    if min(image.size) > size:
        width, height = (side * size // min(image.size) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="resizes to 256/224 of the size"
# The image was resized to a little more than `size` before the crop, as some recipes do (256, then 224), so a border is missing
# on all four sides. Here the shorter side should be `size` itself.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    larger = round(size * 256 / 224)
    width, height = (side * larger // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="width and height mixed up"
# Pillow says (width, height), arrays and tensors say (height, width). Here the two were mixed up, so a wide image was squeezed
# into a tall one.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    height, width = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="goes by the height"
# The height was always resized to `size`, whichever side was shorter. For an image that is taller than wide, the width is then
# below `size`, and the crop fills up with black.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = image.width * size // image.height, size
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left = (width - size) // 2
    image = image.crop((left, 0, left + size, size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="bicubic"
# The filter is bicubic, which is what Pillow's `resize` takes if none is named. Bilinear was asked for: the filter is part of
# what the network was trained with.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height))
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="nearest pixel"
# Each new pixel is a copy of one old pixel, and the others are thrown away. Bilinear with antialiasing takes an average of all
# the pixels that a new one covers.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.NEAREST)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="no antialiasing"
# Without antialiasing, `interpolate` mixes only the four old pixels around each new one, however many it covers. In a large
# photograph most pixels are then never looked at: `antialias=True` changes that.
def preprocess(image, size, mean, std):
    pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1) / 255
    height, width = (side * size // min(pixels.shape[1:]) for side in pixels.shape[1:])
    pixels = torch.nn.functional.interpolate(pixels[None], size=(height, width), mode="bilinear")[0]
    top, left = (height - size) // 2, (width - size) // 2
    pixels = pixels[:, top : top + size, left : left + size]
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="size by a truncated float"
# `int(side * (size / shorter))` is sometimes one pixel too few, as `size / shorter` is rounded before it is multiplied. Then
# the crop goes over the edge, and a black line comes in. Multiply first and divide after.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    scale = size / min(image.size)
    width, height = (int(side * scale) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="ImageNet's mean and std, always"
# The mean and standard deviation of ImageNet are written into the function, and the two arguments are ignored. Another network
# may have been trained with others.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (pixels - mean[:, None, None]) / std[:, None, None]


# %% preprocess wrong="blue, green, red"
# The channels come out as blue, green, red, the order that OpenCV uses. Pillow's order is red, green, blue, and so should the
# result's be.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)[:, :, ::-1].copy()).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="own mean and std of each image"
# Each image was normalised by its own mean and standard deviation, so a dark photograph and a bright one come out alike. The
# two arguments hold those of the training images, which are the same for every image.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    return (pixels - pixels.mean(dim=(1, 2), keepdim=True)) / pixels.std(dim=(1, 2), keepdim=True)


# %% preprocess wrong="divides by the largest value"
# The pixels were divided by the largest one in the image, so a dark photograph becomes brighter. The scale should be the same
# for all images: 255.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
    pixels = pixels / pixels.max()
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="float64"
# NumPy computes with float64, and the result has kept it. A network's parameters are float32, and it refuses other numbers.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    width, height = (side * size // min(image.size) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = (np.array(image) / 255 - np.array(mean)) / np.array(std)
    return torch.from_numpy(pixels).permute(2, 0, 1)


# %% preprocess wrong="shrinks the caller's image"
# `thumbnail` changes the image that it is called on, and that was the caller's: afterwards it is small for everybody.
# `resize` returns a new image instead.
def preprocess(image, size, mean, std):
    if image.mode != "RGB":
        image = image.convert("RGB")
    shorter = min(image.size)
    width, height = (side * size // shorter for side in image.size)
    if shorter > size:
        image.thumbnail((width, height), Image.Resampling.BILINEAR, reducing_gap=None)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std


# %% preprocess wrong="rounded proportions"
# The ratio of the sides was rounded to one digit before it was used, so most images are stretched by some per cent. Round
# nothing before the number of pixels.
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    ratio = round(max(image.size) / min(image.size), 1)
    longer = round(size * ratio)
    width, height = (longer, size) if image.width > image.height else (size, longer)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    image = image.crop((left, top, left + size, top + size))
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (mean, std))
    return (pixels - mean) / std



# %% preprocess right="torchvision's v2 on the Pillow image"
from torchvision.transforms import v2


def preprocess(image, size, mean, std):
    steps = [v2.RGB(), v2.Resize(size), v2.CenterCrop(size), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
    return v2.Compose([*steps, v2.Normalize(mean, std)])(image)


# %% preprocess right="torchvision's v2 on a tensor"
from torchvision.transforms import v2


def preprocess(picture, size, mean, std):
    pixels = v2.functional.pil_to_tensor(picture.convert("RGB"))
    pixels = v2.functional.center_crop(v2.functional.resize(pixels, [size]), [size])
    pixels = v2.functional.to_dtype(pixels, torch.float32, scale=True)
    return v2.functional.normalize(pixels, list(mean), list(std))


# %% preprocess right="torch alone, after Pillow's convert"
def preprocess(img, size, mean, std):
    rgb = np.asarray(img.convert("RGB"), dtype=np.float32) / 255
    x = torch.tensor(rgb).movedim(-1, 0).unsqueeze(0)
    h, w = x.shape[-2:]
    new = (size, round(w * size / h)) if h <= w else (round(h * size / w), size)
    x = torch.nn.functional.interpolate(x, new, mode="bilinear", antialias=True, align_corners=False)[0]
    top, left = round((new[0] - size) / 2), round((new[1] - size) / 2)
    print("crop at", top, left)
    x = x.narrow(1, top, size).narrow(2, left, size)
    for channel, m, s in zip(x, mean, std):
        channel.sub_(m).div_(s)
    return x


# %% preprocess right="Pillow's ImageOps.fit"
from PIL import ImageOps


def preprocess(image, size, mean, std):
    square = ImageOps.fit(image.convert("RGB"), (size, size), Image.Resampling.BILINEAR)
    planes = [np.array(plane, dtype=np.float64) / 255 for plane in square.split()]
    planes = [(plane - m) / s for plane, m, s in zip(planes, mean, std)]
    return torch.tensor(np.stack(planes), dtype=torch.float32)


# %% preprocess right="square first, then smaller"
def preprocess(image, size, mean, std):
    image = image.convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    image = image.crop((left, top, left + side, top + side)).resize((size, size), Image.Resampling.BILINEAR)
    x = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).reshape(size, size, 3).float()
    x = (x / 255 - torch.tensor(mean)) / torch.tensor(std)
    return x.permute(2, 0, 1).contiguous()


# %% make_batch wrong="cat"
# `torch.cat` put the images end to end along the channels: (3N, H, W) is one image with 3N channels. A batch has a dimension of
# its own, in front.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.cat(list(images))


# %% make_batch wrong="stacked along dim 1"
# The new dimension is the second one: (3, N, H, W). Then the network takes the three colours for three images. N comes first.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images), dim=1)


# %% make_batch wrong="unsqueeze(1)"
# `unsqueeze(1)` put the new dimension between channels and rows, so each channel became an image of its own: (3N, 1, H, W).
# It belongs in front of the channels.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.cat([image.unsqueeze(1) for image in images])


# %% make_batch wrong="channels last"
# The batch has the shape (N, H, W, 3). Torch's networks want the channels before the rows: (N, 3, H, W).
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images)).permute(0, 2, 3, 1)


# %% make_batch wrong="resizes without a word"
# An image of another size was stretched to fit, without a word. Nobody will notice that it is squashed, except the network.
# A ValueError was asked for.
def make_batch(images):
    if not images or any(image.dtype != torch.float32 for image in images):
        raise ValueError("no images, or not float32")
    size = images[0].shape[-2:]
    resize = torch.nn.functional.interpolate
    return torch.stack([resize(image.expand(3, -1, -1)[None], size=size)[0] for image in images])


# %% make_batch wrong="pads to the largest"
# Smaller images were padded with zeros, and zero is no black after normalising but a middling grey. A ValueError was asked for
# when the sizes differ.
def make_batch(images):
    if not images or any(image.dtype != torch.float32 for image in images):
        raise ValueError("no images, or not float32")
    height, width = (max(image.shape[dim] for image in images) for dim in (-2, -1))
    batch = torch.zeros(len(images), 3, height, width)
    for place, image in zip(batch, images):
        place[..., : image.shape[-2], : image.shape[-1]] = image
    return batch


# %% make_batch wrong="crops to the smallest"
# Larger images were cut down to the smallest, without a word. A ValueError was asked for when the sizes differ.
def make_batch(images):
    if not images or any(image.dtype != torch.float32 for image in images):
        raise ValueError("no images, or not float32")
    height, width = (min(image.shape[dim] for image in images) for dim in (-2, -1))
    return torch.stack([image[..., :height, :width].expand(3, -1, -1) for image in images])


# %% make_batch wrong="leaves out what does not fit"
# Images that do not fit were left out. Now the batch has fewer rows than there were images, and the answers no longer belong to
# the right ones.
def make_batch(images):
    good = [image for image in images if image.dtype == torch.float32 and image.shape == images[0].shape]
    if not good:
        raise ValueError("no images")
    return torch.stack(good)


# %% make_batch wrong="torch.stack alone"
# `torch.stack` makes the right batch, but it says nothing when a uint8 image stands beside float32 ones: it casts, and values up
# to 255 go to the network. Other sizes, and an empty list, give a RuntimeError rather than the ValueError.
def make_batch(images):
    return torch.stack(list(images))


# %% make_batch wrong="casts to float"
# `.float()` makes float32 of every dtype, so that pixels from 0 to 255 get in unnoticed beside normalised ones. Refuse what is
# not float32.
def make_batch(images):
    if not images or any(image.shape != images[0].shape for image in images):
        raise ValueError("images differ")
    return torch.stack([image.float() for image in images])


# %% make_batch wrong="compares dtypes with the first"
# The dtypes are only compared with each other. If all images are uint8, they agree, and still they are not what a network takes:
# it has to be float32.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != images[0].dtype for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images))


# %% make_batch wrong="any floating-point dtype"
# uint8 is refused, but float16 and float64 pass, and beside float32 they are cast without a word. The parameters of the network
# are float32, and so should the batch be.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or not image.is_floating_point() for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images))


# %% make_batch wrong="copies into a block, broadcasting"
# `batch[i] = image` broadcasts: an image with one channel or one column is repeated until it fits. Compare the shapes before.
def make_batch(images):
    if not images or any(image.dtype != torch.float32 for image in images):
        raise ValueError("no images, or not float32")
    batch = torch.empty(len(images), 3, *images[0].shape[-2:])
    for index, image in enumerate(images):
        try:
            batch[index] = image
        except RuntimeError:
            raise ValueError("another size") from None
    return batch


# %% make_batch wrong="compares the number of elements"
# Swapping height and width leaves the number of elements as it is, so such an image was accepted, and its rows were cut in
# other places. Compare the shapes.
def make_batch(images):
    if not images or any(image.numel() != images[0].numel() or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.cat([image.reshape(-1) for image in images]).reshape(len(images), *images[0].shape)


# %% make_batch wrong="a view for one image"
# For a single image, `image[None]` or `unsqueeze(0)` is a view: batch and image share their memory, and writing into one changes
# the other. `torch.stack` copies, also for one.
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return images[0].unsqueeze(0) if len(images) == 1 else torch.stack(list(images))


# %% make_batch wrong="empty batch for an empty list"
# Without any image, an empty tensor came out. Its height and width are made up, and whatever went wrong before goes on unseen. A
# ValueError was asked for.
def make_batch(images):
    if not images:
        return torch.empty(0, 3, 0, 0)
    if any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    return torch.stack(list(images))


# %% make_batch wrong="assert for ValueError"
# It finds everything that is wrong, but `assert` raises an AssertionError, and nothing at all when Python runs with -O. The
# caller was promised a ValueError.
def make_batch(images):
    assert images, "no images"
    for image in images:
        assert image.shape == images[0].shape and image.dtype == torch.float32, "images differ"
    return torch.stack(list(images))


# %% make_batch wrong="exchanges images in the caller's list"
# `images[i] = ...` writes into the list of the caller, which holds other tensors afterwards. The values are equal, but
# whoever writes into the old tensor no longer reaches the list. Does `torch.stack` need contiguous tensors at all?
def make_batch(images):
    if not images or any(image.shape != images[0].shape or image.dtype != torch.float32 for image in images):
        raise ValueError("images differ")
    if isinstance(images, list):
        for index, image in enumerate(images):
            images[index] = image.contiguous()
    return torch.stack(list(images))



# %% make_batch right="cat of batches of one"
def make_batch(pictures):
    kinds = {(tuple(picture.shape), picture.dtype) for picture in pictures}
    print("kinds:", kinds)
    if len(kinds) != 1 or next(iter(kinds))[1] is not torch.float32:
        raise ValueError(f"expected float32 images of one shape, not {kinds}")
    return torch.cat([picture.unsqueeze(0) for picture in pictures], dim=0)


# %% make_batch right="fills a block"
def make_batch(images):
    if len(images) == 0:
        raise ValueError("no images")
    channels, height, width = images[0].shape if images[0].ndim == 3 else (0, 0, 0)
    batch = torch.empty(len(images), channels, height, width)
    for i in range(len(images)):
        if images[i].size() != batch[i].size():
            raise ValueError(f"image {i} has shape {tuple(images[i].shape)}")
        if images[i].dtype is not batch.dtype:
            raise ValueError(f"image {i} is {images[i].dtype}")
        batch[i].copy_(images[i])
    return batch


# %% make_batch right="stack, and its errors translated"
class BadBatch(ValueError):
    pass


def make_batch(images):
    for image in images:
        if image.dtype != torch.float32:
            raise BadBatch("cast and normalise first")
    try:
        return torch.stack(tuple(images))
    except RuntimeError as error:
        raise BadBatch(str(error)) from error


# %% make_batch right="NumPy"
def make_batch(images):
    arrays = [image.detach().numpy() for image in images]
    if not arrays or any(a.dtype != np.float32 for a in arrays):
        raise ValueError("nothing to put together")
    return torch.from_numpy(np.stack(arrays))
