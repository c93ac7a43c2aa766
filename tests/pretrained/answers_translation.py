# %% generator_to_image wrong="no shift"
# The pixels run from -1 to 1, and multiplying by 255 leaves the negative half below 0: everything darker than middle grey
# has turned black.
def generator_to_image(out):
    pixels = out.detach()[0].float() * 255
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="no clamp"
# A pixel a little beyond 1 becomes 256 or more, and an 8-bit integer has no room for it: it wraps round, so the brightest
# places turn black.
def generator_to_image(out):
    pixels = (out.detach()[0].float() + 1) / 2 * 255
    return pixels.round().to(torch.int64).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="clamps at one end only"
# Values above 1 are held at white, but values below -1 go on below 0, where an 8-bit integer wraps round.
def generator_to_image(out):
    pixels = (out.detach()[0].float() + 1) / 2 * 255
    return pixels.round().clamp(max=255).to(torch.int64).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="squeeze() drops too much"
# `squeeze()` drops every dimension of size 1. For an image of one row or one column, that is more than the batch
# dimension.
def generator_to_image(out):
    pixels = ((out.detach().float() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8).squeeze()
    return pixels.permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="reshaped, not permuted"
# The shape is (H, W, 3), but `reshape` reads the numbers in their old order: first all of red, then all of green. Nothing
# has moved to the end; the colours are now neighbouring pixels of one channel.
def generator_to_image(out):
    pixels = ((out.detach()[0].float() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8)
    channels, height, width = pixels.shape
    return pixels.reshape(height, width, channels).cpu().numpy()


# %% generator_to_image wrong="height and width swapped"
# The channels are last, but the order of all the axes was reversed: rows have become columns, and the image lies on its side.
def generator_to_image(out):
    pixels = ((out.detach()[0].float() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(2, 1, 0).cpu().numpy()


# %% generator_to_image wrong="not detached"
# What a generator computes requires grad, and such a tensor has no `.numpy()`. Take it out of the graph first.
def generator_to_image(out):
    pixels = (out[0].float() + 1) / 2
    return (pixels.permute(1, 2, 0).cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)


# %% generator_to_image wrong="cut off, not rounded"
# A cast to an integer cuts the fraction off. 152.99 becomes 152, so the image is half a level too dark on average, and
# there and back again loses a level.
def generator_to_image(out):
    pixels = (out.detach()[0].float() + 1) / 2 * 255
    return pixels.clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="calculates in place"
# The image is right, but `out` no longer is: an operation with a trailing underscore has overwritten it.
def generator_to_image(out):
    pixels = out.detach()[0].clamp_(-1, 1).float()
    return ((pixels + 1) / 2 * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="calculates in bfloat16"
# bfloat16 has 8 binary digits. Adding 1 and multiplying by 255 in it rounds twice, and some pixels are off by a level or
# more.
def generator_to_image(out):
    pixels = ((out.detach()[0] + 1) / 2 * 255).round().clamp(0, 255)
    return pixels.to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="channels stay first"
# The array is still (3, H, W). An image in NumPy or PIL has its channels last.
def generator_to_image(out):
    return ((out.detach()[0].float() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


# %% generator_to_image wrong="a tensor, not an array"
# The numbers are right, but this is a torch tensor. PIL's `Image.fromarray` takes a NumPy array.
def generator_to_image(out):
    return ((out.detach()[0].float() + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)


# %% generator_to_image wrong="floats from 0 to 255"
# The values are right, but they are floats. An 8-bit image is uint8.
def generator_to_image(out):
    return ((out.detach()[0].float() + 1) / 2 * 255).round().clamp(0, 255).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="times 256"
# There are 256 levels, but the largest is 255: white is 1, and 1 should become 255. With 256 the bright half is up to a
# level too high.
def generator_to_image(out):
    pixels = (out.detach()[0].float() + 1) / 2 * 256
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image wrong="stretches to the full range"
# The darkest pixel came out black and the brightest white, whatever they were. A dull image should stay dull: -1 is black
# and 1 is white.
def generator_to_image(out):
    pixels = out.detach()[0].float()
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min()).clamp(min=1e-6) * 255
    return pixels.round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


# %% generator_to_image right="in NumPy"
def generator_to_image(out):
    array = out.detach().cpu().to(torch.float64).numpy()
    array = np.moveaxis(array[0], 0, -1)
    array = np.clip(np.rint(127.5 * array + 127.5), 0, 255)
    print("darkest", array.min(), "brightest", array.max())
    return array.astype("uint8")


# %% generator_to_image right="clamp first, add a half"
def generator_to_image(batch):
    with torch.no_grad():
        image = batch.squeeze(0).to(torch.float32).clamp(-1, 1).add(1).mul(127.5).add(0.5).floor().clamp(max=255)
        return np.array(image.byte().movedim(0, -1).cpu().tolist(), dtype=np.uint8)


# %% generator_to_image right="einsum, contiguous"
def generator_to_image(out):
    pixels = torch.einsum("bchw->hwc", out.data.double().clip(min=-1.0, max=1.0))
    return np.ascontiguousarray(torch.round(torch.lerp(torch.zeros_like(pixels), torch.tensor(255.0).double(), (pixels + 1) / 2)).cpu().numpy().astype(np.uint8))


# %% generator_to_image right="channel by channel"
def generator_to_image(out):
    with torch.inference_mode():
        planes = [((plane.float() + 1) * 127.5).round().clamp(0, 255) for plane in out.clone()[0]]
        return np.dstack([plane.cpu().numpy().astype(np.uint8) for plane in planes])


# %% ResNetBlock wrong="no residual"
# The weights load, but the block returns only what its convolutions compute. What comes in should be added to that.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="no padding in the block"
# Without padding, each 3x3 convolution takes a frame of one pixel off, so what the block computes is smaller than its input
# and the two cannot be added.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="pads with zeros"
# The shapes fit and the weights load, but `padding` alone pads with zeros: a black frame that was not there in training. Only
# the pixels near the edges show it, and through the normalisation all the others.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3)

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="pads by repeating the edge"
# `padding_mode="replicate"` repeats the outermost pixel. Reflection mirrors the image about it, without repeating it.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "replicate", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="replicate")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="the norm is left out"
# A norm without weights has no keys, so the file loads without a complaint, and nothing tells you that it is missing except
# the image.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(conv(x))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(conv(F.interpolate(x, scale_factor=2)))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="no second norm in the block"
# In the block, the second convolution has a norm after it too, before the sum.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.conv2(F.relu(F.instance_norm(self.conv1(x))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="batch normalisation"
# BatchNorm2d brings statistics of its own, so the keys no longer fit the file. It also makes each image depend on the others
# in its batch. The norm here is one for each image.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.norm(self.conv2(F.relu(self.norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="normalises over the batch"
# The keys fit, but mean and variance were taken over the whole batch. One image alone gives what it should; beside others it
# comes out differently.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.batch_norm(self.conv2(F.relu(F.batch_norm(self.conv1(x), None, None, training=True))), None, None, training=True)


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.batch_norm(conv(x), None, None, training=True))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.batch_norm(conv(F.interpolate(x, scale_factor=2)), None, None, training=True))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="norm with weights"
# With `affine=True` the norms have a weight and a bias of their own, and keys that the file does not have.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm1, self.norm2 = (nn.InstanceNorm2d(channels, affine=True) for _ in range(2))
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="every convolution has a bias"
# The file has one bias, that of `leave`. The other convolutions come before a norm, which would take a bias away again: they
# need `bias=False`.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect"}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="leave has no bias"
# `leave` has no norm after it, so its bias counts, and the file holds one: `leave.bias`.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, **like)

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="numbered layers"
# In an `nn.Sequential` the keys are the numbers of its layers, `body.0.weight` and so on. The names come from the attributes
# that the layers are assigned to: the file says `enter.weight`, `down1.weight` ...
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")
        self.body = nn.Sequential(self.enter, self.down1, self.down2)
        del self.enter, self.down1, self.down2

    def forward(self, x):
        for conv in self.body:
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="one block, repeated"
# `[block] * blocks` holds one and the same block several times. The keys look right, but all of them lead to the same weights:
# the last ones loaded.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width)] * blocks)
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="a fixed number of blocks"
# There are four blocks whatever `blocks` says. It works for the file in data/ and for no other.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(4)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="a fixed width"
# The layers have 16, 32 and 64 channels whatever `width` says. It works for the file in data/ and for no other.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        width = 16
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="ReLU after the sum"
# The block ends with the sum. A ReLU after it, as classifiers have it, cuts off everything negative that should pass through.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return F.relu(x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x))))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="no ReLU in the block"
# Between the two convolutions of the block there is a ReLU. Without it they are one linear map, apart from the norm.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.instance_norm(self.conv1(x))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="adds in place"
# `x += ...` writes the sum into the block's input, which belongs to the caller: what came in is no longer what it was.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        x += F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))
        return x


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="ReLU before the norm"
# The ReLU came before the norm. In each layer the norm comes right after the convolution, and the ReLU after that.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.instance_norm(F.relu(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.instance_norm(F.relu(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.instance_norm(F.relu(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="sigmoid at the end"
# A sigmoid gives values from 0 to 1. Images here lie between -1 and 1: the last step is a tanh.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.sigmoid(self.leave(x))


# %% ResNetBlock wrong="no tanh"
# The output of `leave` is not bounded. The tanh brings it into [-1, 1].
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return self.leave(x)


# %% ResNetBlock wrong="smooth upsampling"
# Each pixel should become 2x2 equal ones. Bilinear interpolation mixes it with its neighbours.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2, mode="bilinear"))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="enlarges after the convolution"
# The pixels become 2x2 before the convolution, which then smooths the squares. Here the squares came last.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.interpolate(F.relu(F.instance_norm(conv(x))), scale_factor=2)
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="transposed convolutions"
# A transposed convolution doubles the size too, but its weight is (channels in, channels out, k, k), the other way round than
# in the file. Here each pixel becomes 2x2, and a plain convolution follows.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.ConvTranspose2d(4 * width, 2 * width, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.up2 = nn.ConvTranspose2d(2 * width, width, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(x)))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="pools in place of strides"
# The size is halved by pooling after a full convolution. That takes the largest or the mean of four results; a stride of 2
# takes every second one.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        x = F.relu(F.instance_norm(self.enter(x)))
        for conv in (self.down1, self.down2):
            x = F.relu(F.instance_norm(F.avg_pool2d(conv(x), 2)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="adds the image at the end"
# The generator adds its input to what it makes. Only the blocks inside do that.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        image = x
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x) + image)


# %% ResNetBlock wrong="kept statistics"
# With `track_running_stats=True` the norm keeps statistics: buffers with keys that the file does not have, and in evaluation
# mode other numbers than in training.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.InstanceNorm2d(channels, track_running_stats=True)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + self.norm(self.conv2(F.relu(self.norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock wrong="switches the graph off"
# The images are right, but they were made under `no_grad`: such a network can translate, but never be trained.
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x):
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        like = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **like)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **like)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **like)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **like)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **like)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    @torch.no_grad()
    def forward(self, x):
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.leave(x))


# %% ResNetBlock right="modules for everything"
class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, bias=False)
        self.pad = nn.ReflectionPad2d(1)
        self.norm = nn.InstanceNorm2d(channels)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        h = self.act(self.norm(self.conv1(self.pad(x))))
        h = self.norm(self.conv2(self.pad(h)))
        print("block", tuple(h.shape))
        return h + x


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        w = width
        self.pad3, self.pad1 = nn.ReflectionPad2d(3), nn.ReflectionPad2d(1)
        self.leave = nn.Conv2d(w, 3, 7)
        self.enter = nn.Conv2d(3, w, 7, bias=False)
        self.up2, self.up1 = nn.Conv2d(2 * w, w, 3, bias=False), nn.Conv2d(4 * w, 2 * w, 3, bias=False)
        self.down1, self.down2 = nn.Conv2d(w, 2 * w, 3, 2, bias=False), nn.Conv2d(2 * w, 4 * w, 3, 2, bias=False)
        self.blocks = nn.ModuleList(ResNetBlock(4 * w) for _ in range(blocks))
        self.larger = nn.Upsample(scale_factor=2)
        self.norm, self.act = nn.InstanceNorm2d(w), nn.ReLU()

    def forward(self, x):
        x = self.act(nn.InstanceNorm2d(self.enter.out_channels)(self.enter(self.pad3(x))))
        x = self.act(nn.InstanceNorm2d(self.down1.out_channels)(self.down1(self.pad1(x))))
        x = self.act(nn.InstanceNorm2d(self.down2.out_channels)(self.down2(self.pad1(x))))
        for block in self.blocks:
            x = block(x)
        x = self.act(nn.InstanceNorm2d(self.up1.out_channels)(self.up1(self.pad1(self.larger(x)))))
        x = self.act(self.norm(self.up2(self.pad1(self.larger(x)))))
        return nn.Tanh()(self.leave(self.pad3(x)))


# %% ResNetBlock right="one named Sequential"
from collections import OrderedDict


def _conv(inputs, outputs, size, stride=1, bias=False):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=bias, padding_mode="reflect")


class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.add_module("conv1", _conv(channels, channels, 3))
        self.add_module("conv2", _conv(channels, channels, 3))

    def forward(self, x):
        norm = torch.nn.functional.instance_norm
        return torch.add(norm(self.conv2(norm(self.conv1(x)).relu())), x)


class Generator(nn.Sequential):
    def __init__(self, width=16, blocks=4):
        w, n = width, [0]

        def after():
            n[0] += 1
            return [(f"norm{n[0]}", nn.InstanceNorm2d(1, affine=False)), (f"relu{n[0]}", nn.ReLU())]

        def larger():
            return [(f"larger{n[0]}", nn.UpsamplingNearest2d(scale_factor=2))]

        layers = [("enter", _conv(3, w, 7)), *after(), ("down1", _conv(w, 2 * w, 3, 2)), *after()]
        layers += [("down2", _conv(2 * w, 4 * w, 3, 2)), *after()]
        layers += [("blocks", nn.Sequential(*(ResNetBlock(4 * w) for _ in range(blocks)))), *larger()]
        layers += [("up1", _conv(4 * w, 2 * w, 3)), *after(), *larger(), ("up2", _conv(2 * w, w, 3)), *after()]
        layers += [("leave", _conv(w, 3, 7, bias=True)), ("tanh", nn.Tanh())]
        super().__init__(OrderedDict(layers))


# %% ResNetBlock right="bare parameters, own arithmetic"
class _Weights(nn.Module):
    def __init__(self, outputs, inputs, size, bias=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size) / (inputs * size * size) ** 0.5)
        if bias:
            self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x, stride=1):
        edge = self.weight.shape[-1] // 2
        rows = [*range(edge, 0, -1), *range(x.shape[2]), *range(x.shape[2] - 2, x.shape[2] - 2 - edge, -1)]
        columns = [*range(edge, 0, -1), *range(x.shape[3]), *range(x.shape[3] - 2, x.shape[3] - 2 - edge, -1)]
        return F.conv2d(x[:, :, rows][:, :, :, columns], self.weight, getattr(self, "bias", None), stride)


def _norm(x):
    variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


class ResNetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = _Weights(channels, channels, 3)
        self.conv2 = _Weights(channels, channels, 3)

    def forward(self, x):
        out = x.clone()
        out += _norm(self.conv2(_norm(self.conv1(x)).clamp(min=0)))
        return out


class Generator(nn.Module):
    def __init__(self, width=16, blocks=4):
        super().__init__()
        sizes = {"enter": (1, 3 / width, 7), "down1": (2, 1, 3), "down2": (4, 2, 3), "up1": (2, 4, 3), "up2": (1, 2, 3)}
        for name, (outputs, inputs, size) in sizes.items():
            setattr(self, name, _Weights(outputs * width, round(inputs * width), size))
        self.leave = _Weights(3, width, 7, bias=True)
        self.blocks = nn.ModuleDict({str(number): ResNetBlock(4 * width) for number in range(blocks)})

    def forward(self, images):
        x = torch.relu(_norm(self.enter(images)))
        x = torch.relu(_norm(self.down1(x, 2)))
        x = torch.relu(_norm(self.down2(x, 2)))
        for block in self.blocks.values():
            x = block(x)
        for layer in (self.up1, self.up2):
            x = torch.kron(x, torch.ones(1, 1, 2, 2, dtype=x.dtype))
            x = torch.relu(_norm(layer(x)))
        return 2 * torch.sigmoid(2 * self.leave(x)) - 1


# %% cycle_loss wrong="the wrong generator first"
# Images of class a went through `g_ba` first, and images of class b through `g_ab`. `g_ab` takes images of class a: it has
# to begin the cycle of `real_a`.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ba, g_ab, real_a)
    _, returned_b = translate_and_back(g_ab, g_ba, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="squares, not absolute values"
# This is the mean of the squared differences (L2). The cycle loss takes absolute ones (L1): squares forgive many small
# differences, and the images come back blurred.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.mse_loss(returned_a, real_a) + F.mse_loss(returned_b, real_b)


# %% cycle_loss wrong="detached in the middle"
# The numbers are right, but the image in the middle was cut off from its graph. The first generator of each cycle learns
# nothing from it: it need not leave anything that the second could undo.
def translate_and_back(there, back, images):
    translated = there(images).detach()
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="only the way back sees the cut"
# `translated` still has its graph, but what came back was made from a detached copy: the gradient of the cycle ends at the
# second generator.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated.detach())


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="no graph at all"
# Under `no_grad` the images are right and no graph is kept, so `backward` has nowhere to go. That is for using generators;
# this is for training them.
def translate_and_back(there, back, images):
    with torch.no_grad():
        translated = there(images)
        return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="one cycle only"
# Only images of class a go there and back. Those of class b make a cycle too, in the other order, and its loss belongs to
# the sum.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    return F.l1_loss(returned_a, real_a)


# %% cycle_loss wrong="compares with the other class"
# A translated image was compared with the real ones of the other class, pixel by pixel. They do not show the same scene, and
# nothing says that they should. Compare what came back with what went in.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    translated_b, _ = translate_and_back(g_ab, g_ba, real_a)
    translated_a, _ = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(translated_b, real_b) + F.l1_loss(translated_a, real_a)


# %% cycle_loss wrong="compares the translation with its source"
# The translated image was compared with its own source, which asks the generators to change nothing. The one to compare is
# the image that came back.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    translated_a, _ = translate_and_back(g_ab, g_ba, real_a)
    translated_b, _ = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(translated_a, real_a) + F.l1_loss(translated_b, real_b)


# %% cycle_loss wrong="the identity loss"
# Here each generator was given images of the class that it makes. That is another loss, the identity loss, which some
# add. The cycle loss goes there and back.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    return F.l1_loss(g_ba(real_a), real_a) + F.l1_loss(g_ab(real_b), real_b)


# %% cycle_loss wrong="returned comes first"
# The pair came back in the other order. `translated` is first, then `returned`.
def translate_and_back(there, back, images):
    translated = there(images)
    return back(translated), translated


def cycle_loss(g_ab, g_ba, real_a, real_b):
    returned_a, _ = translate_and_back(g_ab, g_ba, real_a)
    returned_b, _ = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="back from the original"
# Both generators were given the same images. `back` should get what `there` has made.
def translate_and_back(there, back, images):
    return there(images), back(images)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="a sum over all pixels"
# The differences were added up over all pixels. With a mean, the loss does not depend on how many images there are, and how
# large.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return (returned_a - real_a).abs().sum() + (returned_b - real_b).abs().sum()


# %% cycle_loss wrong="the mean of the two cycles"
# The two cycles were averaged. The loss is their sum.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return (F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)) / 2


# %% cycle_loss wrong="signs cancel"
# Without `abs()`, a pixel that came back too bright makes up for one that came back too dark.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return (returned_a - real_a).mean() + (returned_b - real_b).mean()


# %% cycle_loss wrong="one mean over both batches"
# All differences were put into one mean, so the larger batch counts for more. Each cycle has its own mean, and the two are
# added.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    gaps = torch.cat([(returned_a - real_a).flatten(), (returned_b - real_b).flatten()])
    return 2 * gaps.abs().mean()


# %% cycle_loss wrong="the two differences in one"
# The differences of the two cycles were added pixel by pixel before `abs`, so they can cancel, and both batches must have
# the same size. Take the mean of each, then add.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return ((returned_a - real_a) + (returned_b - real_b)).abs().mean()


# %% cycle_loss wrong="a Python number"
# `.item()` takes the number out of the graph: nothing can be trained with it. Return the tensor.
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a).item() + F.l1_loss(returned_b, real_b).item()


# %% cycle_loss wrong="translates a second time"
# `there` runs twice, and the way back starts from its second answer. With dropout in the generator that is another image than the
# one returned as `translated`. And it is twice the work: what have you got already?
def translate_and_back(there, back, images):
    return there(images), back(there(images))


def cycle_loss(g_ab, g_ba, real_a, real_b):
    _, returned_a = translate_and_back(g_ab, g_ba, real_a)
    _, returned_b = translate_and_back(g_ba, g_ab, real_b)
    return F.l1_loss(returned_a, real_a) + F.l1_loss(returned_b, real_b)


# %% cycle_loss wrong="subtracts in place"
# Where there is no graph, the difference was written over what came back. A generator may return the very batch that it got, and
# then the caller's images are gone. Does the difference need the old memory?
def translate_and_back(there, back, images):
    translated = there(images)
    return translated, back(translated)


def cycle_loss(g_ab, g_ba, real_a, real_b):
    loss = 0
    for there, back, real in ((g_ab, g_ba, real_a), (g_ba, g_ab, real_b)):
        _, returned = translate_and_back(there, back, real)
        gap = returned - real if returned.requires_grad else returned.sub_(real)
        loss = loss + gap.abs().mean()
    return loss



# %% cycle_loss right="one line each"
def translate_and_back(f, g, x):
    return (y := f(x)), g(y)


def cycle_loss(f, g, x, y):
    return (g(f(x)) - x).abs().mean() + (f(g(y)) - y).abs().mean()


# %% cycle_loss right="torch's L1Loss in a loop"
def translate_and_back(there, back, images):
    stations = [images]
    for generator in (there, back):
        stations.append(generator(stations[-1]))
    return tuple(stations[1:])


def cycle_loss(g_ab, g_ba, real_a, real_b):
    criterion = nn.L1Loss()
    loss = real_a.new_zeros(())
    for real, route in ((real_a, (g_ab, g_ba)), (real_b, (g_ba, g_ab))):
        _, returned = translate_and_back(*route, real)
        loss = loss + criterion(returned, real)
        print("cycle", float(loss))
    return loss


# %% cycle_loss right="norms"
def translate_and_back(there, back, images):
    middle = there(images.clone())
    return (middle, back(middle))


def cycle_loss(g_ab, g_ba, real_a, real_b):
    def distance(x, y):
        return torch.linalg.vector_norm(x - y, ord=1) / x.numel()

    return sum(
        distance(real, translate_and_back(there, back, real)[-1])
        for there, back, real in [(g_ba, g_ab, real_b), (g_ab, g_ba, real_a)]
    )


# %% cycle_loss right="maximum minus minimum"
def translate_and_back(there, back, images):
    translated = there(images)
    returned = back(translated)
    return translated, returned


def cycle_loss(g_ab, g_ba, real_a, real_b):
    back_a = translate_and_back(g_ab, g_ba, real_a)[1]
    back_b = translate_and_back(g_ba, g_ab, real_b)[1]
    per_image_a = (torch.maximum(back_a, real_a) - torch.minimum(back_a, real_a)).flatten(1).mean(1)
    per_image_b = (torch.maximum(back_b, real_b) - torch.minimum(back_b, real_b)).flatten(1).mean(1)
    return per_image_a.mean() + per_image_b.mean()


# %% gan_losses wrong="fake not detached for d_loss"
# The numbers are right, but `d_loss` goes back through `fake` into the generator, and would train it to be caught. For the
# discriminator, the fakes are given images.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    return loss(discriminator(real), 1.0) + loss(discriminator(fake), 0.0), loss(discriminator(fake), 1.0)


# %% gan_losses wrong="detached for g_loss too"
# The numbers are right, but nothing of `g_loss` reaches the generator: `fake` was cut off from its graph here as well. No
# error comes; it just never learns.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    fake = fake.detach()
    return loss(discriminator(real), 1.0) + loss(discriminator(fake), 0.0), loss(discriminator(fake), 1.0)


# %% gan_losses wrong="no_grad for the generator's scores"
# The scores in `g_loss` were computed under `no_grad`, to spare the discriminator. But the gradient has to pass *through* the
# discriminator to come to the generator.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    with torch.no_grad():
        scores = discriminator(fake)
    return d_loss, loss(scores, 1.0)


# %% gan_losses wrong="scores detached, not images"
# In `d_loss` the *scores* of the fakes were detached. That keeps the generator out, but the discriminator too: it learns
# nothing from the fakes. Cut before the discriminator, not after it.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    scores = discriminator(fake)
    return loss(discriminator(real), 1.0) + loss(scores.detach(), 0.0), loss(scores, 1.0)


# %% gan_losses wrong="targets swapped"
# In `d_loss` the targets were 0 for real images and 1 for fakes. Here 1 means real.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 0.0) + loss(discriminator(fake.detach()), 1.0)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="the generator wants 0"
# With the target 0, `g_loss` is smallest when the fakes are caught. The generator wants them taken for real.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 0.0)


# %% gan_losses wrong="minus the discriminator's loss"
# This is minus the discriminator's own loss, as the first GAN paper writes the game down. Its gradient vanishes just when
# every fake is caught. Use the cross entropy with the target 1.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, -loss(discriminator(fake), 0.0)


# %% gan_losses wrong="sigmoid twice"
# `binary_cross_entropy_with_logits` has the sigmoid inside. Scores that were through one before all lie between 0 and 1, and
# no score is a confident one any more.
def gan_losses(discriminator, real, fake):
    def loss(images, target):
        scores = torch.sigmoid(discriminator(images))
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    return loss(real, 1.0) + loss(fake.detach(), 0.0), loss(fake, 1.0)


# %% gan_losses wrong="sigmoid, then the logarithm"
# For moderate scores this is right. For a large one the sigmoid rounds to 0 or 1, and what the logarithm makes of that is
# cut off at 100, with no gradient left. Stay with the logits.
def gan_losses(discriminator, real, fake):
    def loss(images, target):
        p = torch.sigmoid(discriminator(images))
        return F.binary_cross_entropy(p, torch.full_like(p, target))

    return loss(real, 1.0) + loss(fake.detach(), 0.0), loss(fake, 1.0)


# %% gan_losses wrong="no sigmoid at all"
# `binary_cross_entropy` takes probabilities, and the scores are logits. It refuses anything outside [0, 1].
def gan_losses(discriminator, real, fake):
    def loss(images, target):
        scores = discriminator(images)
        return F.binary_cross_entropy(scores, torch.full_like(scores, target))

    return loss(real, 1.0) + loss(fake.detach(), 0.0), loss(fake, 1.0)


# %% gan_losses wrong="d_loss halved"
# `d_loss` is the mean of its two terms. Many do it that way; here it is their sum.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = (loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)) / 2
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="sums over the scores"
# The cross entropy was added up over all scores. With a mean, it does not depend on how many images and patches there are.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target), reduction="sum")

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="only real images for d_loss"
# `d_loss` has only the real images in it. A discriminator that has never seen a fake calls everything real.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    return loss(discriminator(real), 1.0), loss(discriminator(fake), 1.0)


# %% gan_losses wrong="the least-squares loss"
# This is the loss of another kind of GAN: squared differences of the scores from 1 and 0. Here the scores are logits, and
# the loss is binary cross entropy.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.mse_loss(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="smoothed targets"
# The target for real images was 0.9. That is a trick that some use; here it is 1.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 0.9) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="real and fake in one batch"
# Real and fake images went through the discriminator together. One that normalises over its batch then sees a mixture, and
# scores both differently.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    if real.shape[1:] == fake.shape[1:]:
        scores = discriminator(torch.cat([real, fake.detach()])).split([len(real), len(fake)])
    else:
        scores = discriminator(real), discriminator(fake.detach())
    return loss(scores[0], 1.0) + loss(scores[1], 0.0), loss(discriminator(fake), 1.0)


# %% gan_losses wrong="calls backward itself"
# The losses are right, but `backward` was called on the way and left its gradients everywhere. The caller does that, each
# loss at its time.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    if d_loss.requires_grad:
        d_loss.backward(retain_graph=True)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="freezes the discriminator and leaves it so"
# The discriminator's weights were frozen for `g_loss` and never set free again: its own loss cannot train them any more.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    if isinstance(discriminator, nn.Module):
        discriminator.requires_grad_(False)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="the other way round"
# The two losses came back in the other order: d_loss is first, then g_loss.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return loss(discriminator(fake), 1.0), d_loss


# %% gan_losses wrong="one score for each image"
# The scores of an image were averaged before the loss. Each score counts by itself: a patch that is caught is caught,
# whatever the others look like.
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        scores = scores.flatten(1).mean(1) if scores.ndim > 1 else scores
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 1.0)


# %% gan_losses wrong="the exponential in float64"
# float64 puts the end off, but its `exp` is infinite as well, from 710 on. Then the loss is infinite, and the gradient NaN. Torch
# has log(1 + exp(x)) ready, in a form that never computes a large exponential.
def gan_losses(discriminator, real, fake):
    def loss(scores):
        return torch.log1p(torch.exp(scores.double())).mean().to(scores.dtype)

    return loss(-discriminator(real)) + loss(discriminator(fake.detach())), loss(-discriminator(fake))


# %% gan_losses right="relu, abs and log1p"
def gan_losses(discriminator, real, fake):
    def loss(scores, target):
        return (F.relu(scores) - scores * target + torch.log1p(torch.exp(-scores.abs()))).mean()

    d_loss = loss(discriminator(real), 1.0) + loss(discriminator(fake.detach()), 0.0)
    return d_loss, loss(discriminator(fake), 1.0)



# %% gan_losses right="softplus"
def gan_losses(critic, x, y):
    d_loss = F.softplus(-critic(x)).mean() + F.softplus(critic(y.detach())).mean()
    print("d_loss", float(d_loss))
    return d_loss, F.softplus(critic(y).neg()).mean()


# %% gan_losses right="log-sigmoid, one forward pass of its own for each term"
def gan_losses(discriminator, real, fake):
    own_copy = fake.detach().clone()
    caught = -F.logsigmoid(-discriminator(own_copy))
    passed = -F.logsigmoid(discriminator(real.clone()))
    fooled = -nn.LogSigmoid()(discriminator(fake))
    return (passed.sum() / passed.numel() + caught.sum() / caught.numel(), fooled.sum() / fooled.numel())


# %% gan_losses right="BCEWithLogitsLoss, the generator first"
def gan_losses(discriminator, real, fake):
    criterion = nn.BCEWithLogitsLoss()
    losses = {}
    for name, images, label in (("g", fake, 1), ("real", real, 1), ("fake", fake.data, 0)):
        logits = discriminator(images)
        labels = torch.ones_like(logits) if label else torch.zeros_like(logits)
        losses[name] = criterion(logits, labels)
    return losses["real"] + losses["fake"], losses["g"]


# %% gan_losses right="logaddexp, the discriminator frozen for a moment"
def gan_losses(discriminator, real, fake):
    parameters = list(discriminator.parameters()) if isinstance(discriminator, nn.Module) else []
    flags = [p.requires_grad for p in parameters]
    for p in parameters:
        p.requires_grad_(False)
    scores = discriminator(fake)
    g_loss = torch.logaddexp(torch.zeros_like(scores), -scores).mean()
    for p, flag in zip(parameters, flags):
        p.requires_grad_(flag)
    real_scores, fake_scores = discriminator(real), discriminator(fake.detach())
    d_loss = torch.logaddexp(torch.zeros_like(real_scores), -real_scores).mean()
    return d_loss + torch.logaddexp(torch.zeros_like(fake_scores), fake_scores).mean(), g_loss
