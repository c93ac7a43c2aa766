"""Known answers of data_loading/images."""

# %% load_images wrong="listing order"
# The pictures come in the order in which the file system lists them, which is another one on another machine. Labels in
# a list beside them would belong to the wrong pictures.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="ignores case when it sorts"
# The names are sorted as if all were in lower case. Python sorts text by its characters' numbers, upper case first, and
# that is the order the labels were promised.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name.lower())
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="skips what it cannot read"
# A damaged file is left out without a word: the batch is one picture shorter, and every label after it belongs to the
# picture before. Better to stop and say which file it is.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    Path(folder).stat()
    images = []
    for path in sorted(Path(folder).glob("*"), key=lambda path: path.name):
        if path.suffix.lower() not in suffixes:
            continue
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError:
            continue
        images.append(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return torch.stack(images) if images else torch.empty(0, 3, size, size, dtype=torch.uint8)


# %% load_images wrong="a black picture for a damaged file"
# In place of a damaged file comes a black picture. The labels still fit, but the network learns from a picture that
# nobody took, and nobody hears of it.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.zeros(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError:
            continue
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="Pillow's own error"
# A damaged file does stop it, but with Pillow's own error: not a ValueError, and for a file that is cut off it does not
# even say which file. Catch it where you know the path.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.zeros(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="alpha stays"
# A picture with alpha has four channels and a grey one has none, so neither fits among pictures of three. `Image.open`
# keeps the mode of the file; convert it.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="converts after resizing"
# The picture was resized before it became RGB. Pillow does not average row numbers of a palette, it picks single pixels;
# and where there is alpha, transparent pixels count less than others. Convert first.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).resize((size, size), Image.Resampling.BILINEAR).convert("RGB")
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="blends alpha with white"
# Transparent pixels were painted over white paper. That is what a screen shows, but here alpha was to be dropped, which
# leaves the stored colours as they are.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGBA")
        except OSError as error:
            raise ValueError(path.name) from error
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        image = image.resize((size, size), Image.Resampling.BILINEAR)
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="floats into a uint8 buffer"
# The pixels became fractions from 0 to 1 and were then stored in a uint8 tensor, which keeps whole numbers only: nearly
# everything is 0. Leave the values as they are in the file.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255)
    return batch


# %% load_images wrong="floats from 0 to 1"
# The batch is float32 from 0 to 1, four times as large as it needs to be. uint8 was asked for; scaling comes later,
# batch by batch.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255)
    return batch


# %% load_images wrong="reshape in place of permute"
# `reshape` only cuts the row of numbers anew: R, G, B, R, G, B, ... end up side by side in each "channel". The channel
# dimension has to move to the front.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).reshape(3, size, size))
    return batch


# %% load_images wrong="transposed pictures"
# Rows and columns are swapped: `.T` of (H, W, 3) is (3, W, H), so every picture lies on its side, mirrored.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image).T.copy()))
    return batch


# %% load_images wrong="no antialiasing"
# `interpolate` in its default form looks at the few pixels around each place and at none between, so a shrunken picture
# is made of samples, not of averages. It takes an argument against that.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1).float()
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.nn.functional.interpolate(image[None], (size, size), mode="bilinear")[0].round())
    return batch


# %% load_images wrong="Pillow's default filter"
# `resize` without a filter is bicubic in Pillow: sharper, with values beyond those around it at edges. Bilinear was
# asked for, so name it.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size))
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="crops the middle"
# The proportions were kept and what stood out was cut off, as is usual before classifying. Here the whole picture was to
# be stretched to the square, nothing cut.
def load_images(folder, size):
    from PIL import ImageOps

    suffixes = (".png", ".jpg", ".jpeg")
    paths = [path for path in Path(folder).iterdir() if path.suffix.lower() in suffixes]
    paths.sort(key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = ImageOps.fit(Image.open(path).convert("RGB"), (size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="PNG in lower case only"
# Only names that end in .png, in lower case, were found. Cameras write .JPG; a picture that is not found shifts the
# labels just as a skipped one does.
def load_images(folder, size):
    Path(folder).stat()
    paths = sorted(Path(folder).glob("*.png"), key=lambda path: path.name)
    batch = torch.empty(len(paths), 3, size, size, dtype=torch.uint8)
    for picture, path in zip(batch, paths, strict=True):
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        picture.copy_(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return batch


# %% load_images wrong="no picture, no batch"
# `torch.stack` of no pictures raises an error. A folder without pictures should give a batch of length 0, of the right
# shape otherwise.
def load_images(folder, size):
    suffixes = (".png", ".jpg", ".jpeg")
    images = []
    for path in sorted(Path(folder).iterdir(), key=lambda path: path.name):
        if path.suffix.lower() not in suffixes:
            continue
        try:
            image = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        except OSError as error:
            raise ValueError(path.name) from error
        images.append(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    return torch.stack(images)


# %% load_images right="os.listdir and a list of tensors"
def load_images(root, side):
    import os

    names = sorted(name for name in os.listdir(root) if name.lower().endswith((".png", ".jpg", ".jpeg")))
    print(len(names), "pictures")
    images = [torch.empty(0, 3, side, side, dtype=torch.uint8)]
    for name in names:
        try:
            image = Image.open(os.path.join(root, name)).convert("RGB")
        except Exception as error:
            raise ValueError(f"not a picture: {os.path.join(root, name)}") from error
        image = image.resize((side, side), resample=Image.BILINEAR)
        images.append(torch.tensor(np.asarray(image)).movedim(-1, 0)[None])
    return torch.cat(images)


# %% load_images right="torch's interpolate"
def load_images(folder, size):
    import torch.nn.functional as F

    def read(path):
        with open(path, "rb") as file:
            try:
                image = Image.open(file)
                image.load()
            except Exception as error:
                raise ValueError(f"{path.name}: {error}") from None
        return torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8).view(
            image.height, image.width, 3
        )

    found = {path.name: path for path in Path(folder).iterdir() if path.suffix.casefold() in {".png", ".jpg", ".jpeg"}}
    batch = torch.zeros((len(found), 3, size, size), dtype=torch.uint8)
    for row, name in enumerate(sorted(found)):
        image = torch.einsum("hwc->chw", read(found[name])).float()[None]
        small = F.interpolate(image, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        batch[row] = small.round().clamp(0, 255)[0].byte()
    return batch


# %% load_images right="torchvision"
def load_images(folder, size):
    from torchvision.transforms.v2 import functional as F

    batch = []
    for path in sorted(Path(folder).iterdir()):
        if path.name.lower().rpartition(".")[2] in ("png", "jpg", "jpeg") and path.is_file():
            try:
                image = Image.open(path).convert("RGB")
            except (OSError, SyntaxError) as error:
                raise ValueError(str(path)) from error
            batch.append(F.resize(F.pil_to_tensor(image), [size, size], antialias=True))
    return torch.stack(batch) if batch else torch.zeros(0, 3, size, size, dtype=torch.uint8)


# %% load_images right="channel by channel"
def load_images(folder, size):
    paths = sorted((p for p in Path(folder).iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg")), key=str)
    batch = torch.zeros(3, len(paths), size, size, dtype=torch.uint8)
    for index, path in enumerate(paths):
        try:
            planes = Image.open(path).convert("RGB").split()
        except OSError:
            raise ValueError(f"{path.name} is damaged") from None
        for channel, plane in enumerate(planes):
            plane = plane.resize((size, size), Image.Resampling.BILINEAR)
            batch[channel, index] = torch.tensor(list(plane.tobytes()), dtype=torch.uint8).view(size, size)
    return batch.transpose(0, 1)


# %% channel_stats wrong="mean of the batches' means"
# The means and standard deviations of the batches were averaged. A small last batch then weighs as much as a full one,
# and how far the batches lie apart is in none of their standard deviations.
def channel_stats(batches):
    means, stds = [], []
    for batch in batches:
        if batch.numel():
            pixels = batch.double().transpose(0, 1).flatten(1)
            means.append(pixels.mean(1))
            stds.append(pixels.std(1, correction=0))
    if not means:
        raise ValueError("no pixels")
    return torch.stack(means).mean(0).float(), torch.stack(stds).mean(0).float()


# %% channel_stats wrong="weighted mean of the stds"
# The mean is right, but standard deviations do not average, weighted or not: batches of equal values, each of another
# one, have a spread together that none of them has alone.
def channel_stats(batches):
    count, mean, std = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        if pixels.shape[1]:
            count += pixels.shape[1]
            mean = mean + pixels.mean(1) * pixels.shape[1]
            std = std + pixels.std(1, correction=0) * pixels.shape[1]
    if not count:
        raise ValueError("no pixels")
    return (mean / count).float(), (std / count).float()


# %% channel_stats wrong="weighted mean of the variances"
# Averaging the batches' variances leaves out how far the means of the batches lie from the common mean. It is right only
# if all batches have the same mean.
def channel_stats(batches):
    count, mean, variance = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        if pixels.shape[1]:
            count += pixels.shape[1]
            mean = mean + pixels.mean(1) * pixels.shape[1]
            variance = variance + pixels.var(1, correction=0) * pixels.shape[1]
    if not count:
        raise ValueError("no pixels")
    return (mean / count).float(), (variance / count).sqrt().float()


# %% channel_stats wrong="every batch weighs the same"
# The means of x and of x * x were averaged over the batches, so a pixel of the small last batch counts for more than
# others. Add up sums, and divide by the number of all pixels at the end.
def channel_stats(batches):
    count, mean, square = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        if pixels.shape[1]:
            count += 1
            mean = mean + pixels.mean(1)
            square = square + pixels.square().mean(1)
    if not count:
        raise ValueError("no pixels")
    mean, square = mean / count, square / count
    return mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="every picture weighs the same"
# Each picture counts the same here, whatever its size. Every pixel should: a batch of larger pictures has more of them.
def channel_stats(batches):
    count, mean, square = 0, 0, 0
    for batch in batches:
        if batch.numel():
            count += len(batch)
            mean = mean + batch.double().mean((2, 3)).sum(0)
            square = square + batch.double().square().mean((2, 3)).sum(0)
    if not count:
        raise ValueError("no pixels")
    mean, square = mean / count, square / count
    return mean.float(), (square - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="squares in uint8"
# The squares were computed in uint8, which ends at 255: 16 * 16 is 0 there. Make the batch float64 before you square it.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.transpose(0, 1).flatten(1)
        count += pixels.shape[1]
        total = total + pixels.sum(1, dtype=torch.float64)
        squares = squares + (pixels * pixels if pixels.dtype == torch.uint8 else pixels.double() ** 2).sum(1).double()
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="float32 sums"
# The sums are float32. Where the mean is large beside the spread, the two numbers to be subtracted agree in almost all
# of their 7 digits, and the difference is made of rounding errors.
def channel_stats(batches):
    count, total, squares = 0, torch.zeros(3), torch.zeros(3)
    for batch in batches:
        pixels = batch.float().transpose(0, 1).flatten(1)
        count += pixels.shape[1]
        total += pixels.sum(1)
        squares += pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean, (squares / count - mean.square()).clamp(min=0).sqrt()


# %% channel_stats wrong="float64 after squaring"
# The sums are float64, but each batch was squared in its own dtype, and the digits were lost there already. In float16
# a square above 65504 is infinity.
def channel_stats(batches):
    count, total, squares = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for batch in batches:
        pixels = batch.transpose(0, 1).flatten(1)
        pixels = pixels.int() if pixels.dtype == torch.uint8 else pixels
        count += pixels.shape[1]
        total += pixels.sum(1, dtype=torch.float64)
        squares += (pixels * pixels).sum(1, dtype=torch.float64)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="divides by one less"
# The variance was divided by the number of pixels less one, the estimate from a sample. What was asked for is the spread
# of these pixels themselves, and of a single pixel it is 0.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        count += pixels.shape[1]
        total = total + pixels.sum(1)
        squares = squares + pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), ((squares - count * mean.square()).clamp(min=0) / max(count - 1, 1)).sqrt().float()


# %% channel_stats wrong="NaN for equal values"
# The standard deviation of equal values came out as NaN: rounding made the variance a tiny negative number, and that has
# no root.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        count += pixels.shape[1]
        total = total + pixels.sum(1)
        squares = squares + pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).sqrt().float()


# %% channel_stats wrong="goes through the batches twice"
# Once for the mean, once more for the distances from it: but a generator is used up after the first time, and the second
# loop finds nothing.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        count += batch.numel() // 3
        total = total + batch.double().sum((0, 2, 3))
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    for batch in batches:
        squares = squares + (batch.double() - mean[:, None, None]).square().sum((0, 2, 3))
    return mean.float(), (squares / count).sqrt().float() if isinstance(squares, Tensor) else torch.zeros(3)


# %% channel_stats wrong="keeps all batches"
# All batches were collected before anything was computed. They may not fit into memory, and this generator wrote each
# into the place of the one before, so that only the last was left.
def channel_stats(batches):
    kept = [batch.transpose(0, 1).flatten(1) for batch in list(batches)]
    if not sum(part.shape[1] for part in kept):
        raise ValueError("no pixels")
    pixels = torch.cat([part.double() for part in kept], dim=1)
    return pixels.mean(1).float(), pixels.std(1, correction=0).float()


# %% channel_stats wrong="divides by 255"
# uint8 values were divided by 255. They were to be taken as they are: whoever calls this may scale them before, or the
# result after.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        pixels = pixels / 255 if batch.dtype == torch.uint8 else pixels
        count += pixels.shape[1]
        total = total + pixels.sum(1)
        squares = squares + pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="one number for all channels"
# All channels were put together into one mean and one standard deviation. A picture of the sky has more blue than red;
# each channel needs numbers of its own.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        count += batch.numel()
        total = total + batch.double().sum()
        squares = squares + batch.double().square().sum()
    if not count:
        raise ValueError("no pixels")
    mean = (total / count).expand(3)
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="reshape mixes the channels"
# `reshape(3, -1)` of a batch does not bring the channels to the front: its first row holds the first pictures, all
# channels of them. Swap the dimensions first.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.double().reshape(3, -1)
        count += pixels.shape[1]
        total = total + pixels.sum(1)
        squares = squares + pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).sqrt().float()


# %% channel_stats wrong="variance in place of its root"
# This is the variance: its root is missing.
def channel_stats(batches):
    count, total, squares = 0, 0, 0
    for batch in batches:
        pixels = batch.double().transpose(0, 1).flatten(1)
        count += pixels.shape[1]
        total = total + pixels.sum(1)
        squares = squares + pixels.square().sum(1)
    if not count:
        raise ValueError("no pixels")
    mean = total / count
    return mean.float(), (squares / count - mean.square()).clamp(min=0).float()


# %% channel_stats right="merging mean and squared distance"
def channel_stats(stream):
    n, mean, distance = 0, torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for batch in stream:
        x = torch.einsum("bchw->cbhw", batch.to(torch.float64)).reshape(3, -1)
        k = x.shape[1]
        if k == 0:
            continue
        here = x.mean(dim=1)
        gap = here - mean
        distance = distance + ((x - here[:, None]) ** 2).sum(dim=1) + gap**2 * (n * k / (n + k))
        mean = mean + gap * (k / (n + k))
        n += k
    if n == 0:
        raise ValueError("nothing to measure")
    print(n, "pixels")
    return mean.to(torch.float32), (distance / n).sqrt().to(torch.float32)


# %% channel_stats right="NumPy in float64"
def channel_stats(batches):
    sums = np.zeros((2, 3))
    pixels = 0
    for batch in batches:
        array = batch.numpy().astype(np.float64)
        sums += array.sum(axis=(0, 2, 3)), (array**2).sum(axis=(0, 2, 3))
        pixels += array[:, 0].size
    if pixels < 1:
        raise ValueError("no pixels")
    mean, square = sums / pixels
    std = np.sqrt(np.maximum(square - mean * mean, 0))
    return torch.tensor(mean, dtype=torch.float32), torch.tensor(std, dtype=torch.float32)


# %% channel_stats right="distances from the first pixel"
def channel_stats(batches):
    start, count, near, square = None, 0, 0, 0
    for batch in batches:
        channels = [channel.double() for channel in batch.unbind(1)]
        if channels[0].numel() == 0:
            continue
        if start is None:
            start = [float(channel.flatten()[0]) for channel in channels]
            near, square = [0.0] * 3, [0.0] * 3
        count += channels[0].numel()
        for c in range(3):
            away = channels[c] - start[c]
            near[c] += away.sum().item()
            square[c] += (away * away).sum().item()
    if start is None:
        raise ValueError("no pixels")
    mean = [start[c] + near[c] / count for c in range(3)]
    std = [max(square[c] / count - (near[c] / count) ** 2, 0.0) ** 0.5 for c in range(3)]
    return torch.tensor(mean), torch.tensor(std)


# %% load_gray16 wrong="through int16"
# The values went through int16, which ends at 32767, as in torchvision's ToTensor: 40000 became -25536.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored.astype(np.int16)).float()[None] / (2**bits - 1)


# %% load_gray16 wrong="ToTensor"
# ToTensor takes such a picture to int16, where 40000 is -25536, and scales nothing. It is made for 8 bits.
def load_gray16(path, bits):
    from torchvision.transforms.functional import to_tensor

    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    if np.array(image).min() < 0 or np.array(image).max() > 2**bits - 1:
        raise ValueError("bits")
    return to_tensor(image).float()


# %% load_gray16 wrong="convert to L"
# `convert("L")` does not scale 16 bits down to 8: everything above 255 becomes 255, so the picture is nearly all white.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    if np.array(image).min() < 0 or np.array(image).max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(np.array(image.convert("L"))).float()[None] / 255


# %% load_gray16 wrong="divided by 255"
# Divided by 255, as for 8 bits, the values reach up to 257. White is 2**bits - 1 here.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / 255


# %% load_gray16 wrong="always 65535"
# Everything was divided by 65535. A 12-bit picture uses a sixteenth of that range, so its white comes out as 0.06: the
# file has 16 bits for each pixel, but only `bits` of them are used.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / 65535


# %% load_gray16 wrong="divided by 2**bits"
# There are 2**bits levels, but the first is 0, so the last is one less: divided by 2**bits, white never reaches 1.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / 2**bits


# %% load_gray16 wrong="divided by its own maximum"
# Each picture was divided by its own largest value. The brightest pixel of a dim picture then is as white as that of a
# bright one, and the same tissue has another number in each picture.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / float(stored.max())


# %% load_gray16 wrong="12 bits in the upper ones"
# The 12-bit values were shifted right by 4, as if they filled the upper bits. They lie in the lower ones: 4095 is white,
# and the shift throws away 4 of their bits.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.int32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored >> (16 - bits)).float()[None] / (2**bits - 1)


# %% load_gray16 wrong="sixteen bits made eight"
# 16 bits were cut down to 8 first. The picture looks the same on a screen, but of 65536 levels 256 are left.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.int32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy((stored >> (bits - 8)).astype(np.uint8)).float()[None] / 255


# %% load_gray16 wrong="through float16"
# float16 has 11 binary digits and ends at 65504: neighbouring levels fall together. float32 has room for all of them.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float64)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored / (2**bits - 1)).half().float()[None]


# %% load_gray16 wrong="no channel dimension"
# The values are right, but the shape is (H, W). Networks want the channel in front even if there is only one.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored) / (2**bits - 1)


# %% load_gray16 wrong="width before height"
# Height and width are swapped: a Pillow image's `size` is (width, height), a tensor's shape (height, width).
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored).reshape(1, *image.size) / (2**bits - 1)


# %% load_gray16 wrong="float64"
# The values are right, in float64: dividing a NumPy array of integers gives float64. Twice the memory, and a network's
# float32 weights refuse it.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored / (2**bits - 1))[None]


# %% load_gray16 wrong="only mode I;16"
# Only mode "I;16" was accepted. A TIFF with its bytes in the other order opens as "I;16B", and some 16-bit files open
# as "I".
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode != "I;16":
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / (2**bits - 1)


# %% load_gray16 wrong="scale=True"
# `ToDtype(float32, scale=True)` divides by the largest number of the tensor's dtype: 65535 for uint16, whatever part of
# it is used, and 2**31 - 1 for pictures of mode "I".
def load_gray16(path, bits):
    from torchvision.transforms.v2 import functional as F

    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    stored = np.array(image)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    stored = torch.from_numpy(stored.astype(stored.dtype.newbyteorder("=")))
    return F.to_dtype(stored[None], torch.float32, scale=True)


# %% load_gray16 wrong="takes any picture"
# 8-bit greys and colours were accepted, too, and came out almost black (or with three channels). A file of the wrong
# kind should be refused.
def load_gray16(path, bits):
    stored = np.array(Image.open(path)).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / (2**bits - 1)


# %% load_gray16 wrong="refuses colour and 8 bits only"
# Colours and 8-bit greys were refused, but a grey picture of floating-point numbers was read as if it had been stored in
# 16 bits. Which modes may pass?
def load_gray16(path, bits):
    stored = np.array(Image.open(path))
    if stored.ndim != 2 or stored.dtype.itemsize < 2:
        raise ValueError("colour or 8 bits")
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored.astype(np.float32))[None] / (2**bits - 1)


# %% load_gray16 wrong="refuses a list of modes that is too short"
# L, LA, RGB and RGBA were refused. Pillow knows other modes with 8 bits or one: palettes, black and white. Is it not easier
# to say which ones may pass?
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode in ("L", "LA", "RGB", "RGBA", "F"):
        raise ValueError(image.mode)
    stored = np.array(image).astype(np.float32)
    if stored.min() < 0 or stored.max() > 2**bits - 1:
        raise ValueError("bits")
    return torch.from_numpy(stored)[None] / (2**bits - 1)


# %% load_gray16 wrong="does not check the range"
# A value above 2**bits - 1 means that the file has more bits than was said; it came out above 1 without a word.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    return torch.from_numpy(np.array(image).astype(np.float32))[None] / (2**bits - 1)


# %% load_gray16 wrong="clamps what is out of range"
# Values out of range were cut to white or black. They show that `bits` is wrong for this file, and this hides it.
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode not in ("I;16", "I;16B", "I"):
        raise ValueError(image.mode)
    return torch.from_numpy(np.array(image).astype(np.float32))[None].div(2**bits - 1).clamp(0, 1)


# %% load_gray16 right="the bytes of the image"
def load_gray16(file, used):
    with Image.open(file) as image:
        image.load()
        forms = {"I;16": "<u2", "I;16B": ">u2", "I": "=i4"}
        if image.mode not in forms:
            raise ValueError(f"a picture of mode {image.mode}")
        numbers = np.frombuffer(image.tobytes(), forms[image.mode]).reshape(1, image.height, image.width)
    white = (1 << used) - 1
    if not ((numbers >= 0) & (numbers <= white)).all():
        raise ValueError("values out of range")
    print("read", numbers.shape)
    return torch.tensor((numbers / white).tolist(), dtype=torch.float32)


# %% load_gray16 right="through mode I and int32"
def load_gray16(path, bits):
    image = Image.open(path)
    if not image.mode.startswith("I"):
        raise ValueError("not 16-bit grey")
    x = torch.from_numpy(np.array(image.convert("I"))).unsqueeze(0)
    limit = 65535 if bits == 16 else 4095
    if torch.any(x < 0) or torch.any(x > limit):
        raise ValueError("out of range")
    return (x.to(torch.float64) / limit).to(torch.float32)


# %% load_gray16 right="multiplies, in float32"
def load_gray16(path, bits):
    image = Image.open(path)
    if image.mode in ("L", "LA", "P", "RGB", "RGBA", "F", "1", "CMYK"):
        raise ValueError("not what it should be")
    array = np.array(image, dtype=np.float32)
    if not 0 <= array.min() <= array.max() < 2**bits:
        raise ValueError("not so many bits")
    array *= np.float32(1 / (2**bits - 1))
    return torch.from_numpy(array).view(1, image.height, image.width)


# %% load_gray16 right="uint16 tensors"
def load_gray16(path, bits):
    array = np.array(Image.open(path))
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.dtype.itemsize < 2:
        raise ValueError("not 16-bit grey")
    top = 2**bits - 1
    if (array > top).any() or (array.astype(np.int64) < 0).any():
        raise ValueError("too many bits")
    return torch.stack([torch.from_numpy(array.astype(np.uint16)).float() / top])


# %% build_volume wrong="file-name order"
# The slices are in the order of their file names. Where a slice lies is in its metadata; names tell the order of
# writing, at best.
def build_volume(folder, window):
    slices, seen = [], set()
    for path in sorted(Path(folder).glob("*.png")):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in seen:
            raise ValueError("two slices in one place")
        seen.add(about["position_mm"])
        slices.append(torch.from_numpy(np.array(Image.open(path)).astype(np.float32)) * about["slope"] + about["intercept"])
    return torch.stack(slices).clamp(*window)[None]


# %% build_volume wrong="from the top down"
# The slices run from the highest position to the lowest: the volume stands on its head.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices, reverse=True)]).clamp(*window)[None]


# %% build_volume wrong="positions sorted as text"
# The positions were sorted as text, where "-10.5" comes before "-20.5" and "100" before "20". Sort numbers.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if str(about["position_mm"]) in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[str(about["position_mm"])] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="sorted by distance from 0"
# The slices were sorted by the distance of their position from 0, so those from below and from above alternate.
# Positions below 0 come first.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices, key=abs)]).clamp(*window)[None]


# %% build_volume wrong="sorts the metadata alone"
# The metadata was sorted by position, but the pictures stayed in the order of their names: each slice got the numbers of
# another, and a place that is not its own. What belongs together has to move together.
def build_volume(folder, window):
    paths = sorted(Path(folder).glob("*.png"))
    abouts = sorted((json.loads(p.with_suffix(".json").read_text()) for p in paths), key=lambda a: a["position_mm"])
    if len({about["position_mm"] for about in abouts}) < len(abouts):
        raise ValueError("two slices in one place")
    slices = [
        torch.from_numpy(np.array(Image.open(path)).astype(np.float32)) * about["slope"] + about["intercept"]
        for path, about in zip(paths, abouts, strict=True)
    ]
    return torch.stack(slices).clamp(*window)[None]


# %% build_volume wrong="no slope, no intercept"
# These are the stored numbers. Each slice has a slope and an intercept that turn them into values which can be compared,
# with other slices and with the window.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        slices[about["position_mm"]] = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="one slope for all"
# The slope and intercept of the lowest slice were used for all. Each slice comes with its own.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored, about
    about = slices[min(slices)][1]
    volume = torch.stack([slices[at][0] for at in sorted(slices)]) * about["slope"] + about["intercept"]
    return volume.clamp(*window)[None]


# %% build_volume wrong="intercept before slope"
# The intercept was added first, so that the slope multiplied it, too: (stored + intercept) * slope. It is
# stored * slope + intercept.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = (stored + about["intercept"]) * about["slope"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="clips first"
# The window cut the stored numbers, before slope and intercept. It is given in the unit of the rescaled values, so it
# cut something else, and the values may even lie outside of it.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32)).clamp(*window)
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)])[None]


# %% build_volume wrong="no window"
# The values were not limited to the window.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)])[None]


# %% build_volume wrong="an end of 0 is no end"
# Where an end of the window is 0, nothing is cut there. Python takes 0 for false, so `if low` asks for more than whether
# there is a lower end.
def build_volume(folder, window):
    low, high = window
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    volume = torch.stack([slices[at] for at in sorted(slices)])[None]
    if low:
        volume = volume.clamp(min=low)
    if high:
        volume = volume.clamp(max=high)
    return volume


# %% build_volume wrong="window stretched to 0 and 1"
# After clipping, the window was stretched to 0 and 1. That is often done next, but here the values keep their unit.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    low, high = window
    return (torch.stack([slices[at] for at in sorted(slices)]).clamp(low, high)[None] - low) / (high - low)


# %% build_volume wrong="no channel dimension"
# The volume is (D, H, W). A network for volumes takes (1, D, H, W): the channel in front, even if there is only one.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)


# %% build_volume wrong="the channel behind the depth"
# This is (D, 1, H, W), a batch of D flat pictures with one channel each. A volume has its one channel in front of the
# depth.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))[None]
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)


# %% build_volume wrong="depth behind"
# The slices were stacked along the last dimension, (1, H, W, D), as some file formats do. In torch, depth comes before
# height and width.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)], dim=-1).clamp(*window)[None]


# %% build_volume wrong="through int16"
# The stored numbers went through int16, so those above 32767 became negative: 40000 is -25536 there.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.int16)).float()
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="computes in uint16"
# The array was still uint16 when slope and intercept came. With whole numbers NumPy stays in uint16, where 3 * 40000
# wraps round and -1024 does not exist. Make it float first.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        value = np.array(Image.open(path)) * about["slope"] + about["intercept"]
        slices[about["position_mm"]] = torch.from_numpy(value.astype(np.float32))
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="starts from scaled greys"
# The pixels were divided by 65535 first, as in the exercise before. Slope and intercept belong to the stored numbers.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        scaled = torch.from_numpy(np.array(Image.open(path)).astype(np.float32)) / 65535
        slices[about["position_mm"]] = scaled * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="one slice overwrites another"
# Of two slices at the same position, only one was left, and the volume was a slice short without a word. Two slices in
# one place mean that two series are mixed in the folder.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="positions compared as text"
# Positions were compared as text, where 40 and 40.0 are two. As numbers they are one, so these two slices lie in the same
# place.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads(path.with_suffix(".json").read_text())
        position = str(about["position_mm"])
        if position in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[position] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices, key=float)]).clamp(*window)[None]


# %% build_volume wrong="cuts the name at its first dot"
# The metadata of `scan.1.png` was looked for in `scan.json`. A name may hold more than one dot: where does its suffix
# begin?
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads((Path(folder) / (path.name.split(".")[0] + ".json")).read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="replaces png wherever it is"
# In the name `png-7.png` both `png` became `json`, and there is no such file. Only the end of the name differs.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        about = json.loads((Path(folder) / path.name.replace("png", "json")).read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume wrong="skips slices without metadata"
# A slice without metadata was left out, so the volume has a hole that nobody sees: its neighbours now touch.
def build_volume(folder, window):
    slices = {}
    for path in Path(folder).glob("*.png"):
        if not path.with_suffix(".json").exists():
            continue
        about = json.loads(path.with_suffix(".json").read_text())
        if about["position_mm"] in slices:
            raise ValueError("two slices in one place")
        stored = torch.from_numpy(np.array(Image.open(path)).astype(np.float32))
        slices[about["position_mm"]] = stored * about["slope"] + about["intercept"]
    return torch.stack([slices[at] for at in sorted(slices)]).clamp(*window)[None]


# %% build_volume right="a list of tuples, clipped slice by slice"
def build_volume(root, limits):
    import os

    low, high = limits
    found = []
    for name in os.listdir(root):
        if not name.endswith(".png"):
            continue
        with open(os.path.join(root, name[:-4] + ".json"), encoding="utf-8") as file:
            about = json.load(file)
        stored = np.asarray(Image.open(os.path.join(root, name))).astype(np.float64)
        plane = np.clip(stored * about["slope"] + about["intercept"], low, high)
        found.append((about["position_mm"], torch.tensor(plane, dtype=torch.float32)))
    found.sort(key=lambda pair: pair[0])
    if any(a[0] == b[0] for a, b in zip(found, found[1:], strict=False)):
        raise ValueError("doubled position")
    print(len(found), "slices")
    return torch.stack([plane for _, plane in found]).unsqueeze(0)


# %% build_volume right="broadcasts slopes over all slices"
def build_volume(folder, window):
    paths = [str(path) for path in Path(folder).iterdir() if path.suffix == ".png"]
    about = [json.loads(Path(path[:-3] + "json").read_bytes()) for path in paths]
    position, slope, intercept = (
        torch.tensor([float(entry[key]) for entry in about], dtype=torch.float64)
        for key in ("position_mm", "slope", "intercept")
    )
    if position.unique().numel() != len(paths):
        raise ValueError("positions are not unique")
    order = position.argsort()
    stored = torch.tensor(np.stack([np.array(Image.open(path), dtype=np.int64) for path in paths]))
    values = stored * slope[:, None, None] + intercept[:, None, None]
    values = values[order].float()
    return values.maximum(torch.tensor(float(window[0]))).minimum(torch.tensor(float(window[1])))[None]


# %% build_volume right="a data frame sorts, a buffer is filled"
def build_volume(folder, window):
    import pandas as pd

    records = []
    for path in Path(folder).glob("*.png"):
        records.append({**json.loads(path.with_suffix(".json").read_text()), "path": path})
    table = pd.DataFrame(records).sort_values("position_mm")
    if table["position_mm"].duplicated().any():
        raise ValueError("two slices in one place")
    first = Image.open(table["path"].iloc[0])
    volume = torch.empty(1, len(table), first.height, first.width)
    for depth, row in enumerate(table.itertuples()):
        stored = torch.from_numpy(np.array(Image.open(row.path)).astype(np.int32))
        volume[0, depth] = torch.add(stored.double() * row.slope, row.intercept)
    return volume.clip_(min=window[0], max=window[1])
