"""Trains the CycleGAN pair of the lesson pretrained/translation: brick to grass, and grass to brick.

    python data/train_cyclegan.py                              the committed pair: 40 minutes on two CPU cores
    python data/train_cyclegan.py --steps 300 --out /tmp/try   a look at how it begins
    python data/train_cyclegan.py --evaluate                   train nothing: measure the pair that is there (seconds)

Two photographs are all it learns from: textures/brick.png and textures/grass.png, their right quarter held out.
Each step draws patches from random places of the two; no patch of one belongs to a patch of the other.
It writes weights/brick_to_grass.pt, weights/grass_to_brick.pt and figures/cyclegan.png below --out (by default this
folder), and prints how well held-out patches come back after there and back. Ctrl-C ends the training early and keeps
what was learned. A run with the same arguments on the same machine gives the same weights (nearly so on a GPU).
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent
PATCH = 96  # height and width of a patch to learn from
BATCH = 2  # patches of each texture in a step
SIDE = 256  # the photographs, 512 x 512, are halved in size: a patch shows more bricks, and each step is cheaper
HELD_OUT = 64  # width of the part that is held out, and size of the patches that it is cut into
CYCLE_WEIGHT = 5.0  # of the cycle loss, against 1 for fooling the discriminator
GENERATOR_RATE, DISCRIMINATOR_RATE = 4e-4, 2e-4  # a discriminator that learns faster than its generator beats it
AVERAGE = 0.995  # what is saved is a running average of the weights, steadier than any single step


class ResNetBlock(nn.Module):
    """Adds to its input what two convolutions make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect", bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + F.instance_norm(self.conv2(F.relu(F.instance_norm(self.conv1(x)))))


class Generator(nn.Module):
    """Images (N, 3, H, W) in [-1, 1] to images of the same shape; H and W are multiples of 4.

    The keys of its state_dict are those of `Generator` in the lesson.
    """

    def __init__(self, width: int = 16, blocks: int = 4) -> None:
        super().__init__()
        reflect = {"padding_mode": "reflect", "bias": False}
        self.enter = nn.Conv2d(3, width, 7, padding=3, **reflect)
        self.down1 = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, **reflect)
        self.down2 = nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1, **reflect)
        self.blocks = nn.Sequential(*[ResNetBlock(4 * width) for _ in range(blocks)])
        self.up1 = nn.Conv2d(4 * width, 2 * width, 3, padding=1, **reflect)
        self.up2 = nn.Conv2d(2 * width, width, 3, padding=1, **reflect)
        self.leave = nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.enter, self.down1, self.down2):
            x = F.relu(F.instance_norm(conv(x)))
        x = self.blocks(x)
        for conv in (self.up1, self.up2):
            x = F.relu(F.instance_norm(conv(F.interpolate(x, scale_factor=2, mode="nearest"))))
        return torch.tanh(self.leave(x))


def discriminator(width: int = 32) -> nn.Sequential:
    """Images (N, 3, H, W) to one score for each place (N, 1, h, w): 1 for real, 0 for made up.

    Each score sees 70 by 70 pixels: enough for a brick and its joints.
    """
    layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
    for wider, stride in ((2, 2), (4, 2), (8, 1)):
        convolution = nn.Conv2d(wider * width // 2, wider * width, 4, stride=stride, padding=1)
        layers += [convolution, nn.InstanceNorm2d(wider * width), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, padding=1))


def read_texture(name: str) -> tuple[Tensor, Tensor]:
    """The part to train on (3, 256, 192), in [-1, 1], and the held-out part in four patches (4, 3, 64, 64)."""
    with Image.open(FOLDER / "textures" / f"{name}.png") as image:
        small = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
    pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1) / 127.5 - 1
    held_out = pixels[:, :, -HELD_OUT:].split(HELD_OUT, dim=1)
    return pixels[:, :, :-HELD_OUT].contiguous(), torch.stack(held_out)


def draw_patches(texture: Tensor, draws: torch.Generator) -> Tensor:
    """(BATCH, 3, PATCH, PATCH) from random places, each mirrored or not."""
    patches = []
    for _ in range(BATCH):
        top = int(torch.randint(texture.shape[1] - PATCH + 1, (), generator=draws))
        left = int(torch.randint(texture.shape[2] - PATCH + 1, (), generator=draws))
        patch = texture[:, top : top + PATCH, left : left + PATCH]
        patches.append(patch.flip(2) if torch.rand((), generator=draws) < 0.5 else patch)
    return torch.stack(patches)


class History:
    """Up to 50 earlier fakes. Half of those that a discriminator sees come from here: it should not forget them."""

    def __init__(self, draws: torch.Generator) -> None:
        self.kept: list[Tensor] = []
        self.draws = draws

    def exchange(self, fakes: Tensor) -> Tensor:
        """Some of `fakes` kept for later, earlier ones in their place."""
        shown = []
        for fake in fakes.detach():
            if len(self.kept) < 50:
                self.kept.append(fake)
            elif torch.rand((), generator=self.draws) < 0.5:
                place = int(torch.randint(50, (), generator=self.draws))
                fake, self.kept[place] = self.kept[place], fake
            shown.append(fake)
        return torch.stack(shown)


def verdict(scores: Tensor, real: bool) -> Tensor:
    """The least-squares GAN loss: how far the scores are from 1 (real) or 0 (made up)."""
    return F.mse_loss(scores, torch.full_like(scores, float(real)))


def train(steps: int, seed: int, device: torch.device, folder: Path) -> tuple[Generator, Generator]:
    """The two generators: from brick to grass, from grass to brick. Saved every 500 steps and at the end."""
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    brick, grass = read_texture("brick")[0], read_texture("grass")[0]
    to_grass, to_brick = Generator().to(device), Generator().to(device)
    judge_grass, judge_brick = discriminator().to(device), discriminator().to(device)
    for weight in itertools.chain(*(net.parameters() for net in (to_grass, to_brick, judge_grass, judge_brick))):
        nn.init.normal_(weight, std=0.02) if weight.ndim > 1 else nn.init.zeros_(weight)
    averages = [torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=average()) for net in (to_grass, to_brick)]
    history_grass, history_brick = History(draws), History(draws)

    betas = (0.5, 0.999)
    makers = torch.optim.Adam([*to_grass.parameters(), *to_brick.parameters()], GENERATOR_RATE, betas)
    judges = torch.optim.Adam([*judge_grass.parameters(), *judge_brick.parameters()], DISCRIMINATOR_RATE, betas)
    # The full learning rate for the first half, then down to nothing.
    schedules = [torch.optim.lr_scheduler.LambdaLR(o, lambda s: min(1.0, 2 - 2 * s / steps)) for o in (makers, judges)]

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}")) as progress:
        task = progress.add_task("training", total=steps, losses="")
        try:
            for step in range(1, steps + 1):
                real_brick = draw_patches(brick, draws).to(device)
                real_grass = draw_patches(grass, draws).to(device)
                fake_grass, fake_brick = to_grass(real_brick), to_brick(real_grass)

                for judge in (judge_grass, judge_brick):
                    judge.requires_grad_(False)
                fooling = verdict(judge_grass(fake_grass), True) + verdict(judge_brick(fake_brick), True)
                cycle = F.l1_loss(to_brick(fake_grass), real_brick) + F.l1_loss(to_grass(fake_brick), real_grass)
                makers.zero_grad()
                (fooling + CYCLE_WEIGHT * cycle).backward()
                makers.step()

                for judge in (judge_grass, judge_brick):
                    judge.requires_grad_(True)
                caught = torch.zeros((), device=device)
                for judge, real, fake, history in (
                    (judge_grass, real_grass, fake_grass, history_grass),
                    (judge_brick, real_brick, fake_brick, history_brick),
                ):
                    caught = caught + (verdict(judge(real), True) + verdict(judge(history.exchange(fake)), False)) / 2
                judges.zero_grad()
                caught.backward()
                judges.step()

                for schedule in schedules:
                    schedule.step()
                for mean, net in zip(averages, (to_grass, to_brick), strict=True):
                    mean.update_parameters(net)
                losses = f"fooling {fooling.item():.2f}  cycle {cycle.item():.3f}  caught {caught.item():.2f}"
                progress.update(task, advance=1, losses=losses)
                if step % 500 == 0:
                    save(folder, averages[0].module, averages[1].module)
                    progress.console.print(f"step {step}: {losses}")
        except KeyboardInterrupt:
            progress.console.print(f"stopped at step {step}")
    save(folder, averages[0].module, averages[1].module)
    return averages[0].module, averages[1].module


def average():
    """How AveragedModel mixes the new weights into the old ones."""
    return torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)


def save(folder: Path, to_grass: Generator, to_brick: Generator) -> None:
    """Two files, each a state_dict on the CPU."""
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for name, net in (("brick_to_grass", to_grass), ("grass_to_brick", to_brick)):
        state = {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}
        torch.save(state, folder / "weights" / f"{name}.pt")


@torch.no_grad()
def there_and_back(there: Generator, back: Generator, patches: Tensor) -> tuple[Tensor, Tensor, float]:
    """The patches translated, translated back, and the mean absolute difference of these from the patches."""
    translated = there(patches)
    returned = back(translated)
    return translated, returned, F.l1_loss(returned, patches).item()


def report(to_grass: Generator, to_brick: Generator) -> None:
    """Print the cycle loss on held-out patches, of the trained pair and of a pair that has learned nothing."""
    torch.manual_seed(0)
    for kind, grass_maker, brick_maker in (("trained", to_grass, to_brick), ("untrained", Generator(), Generator())):
        brick, grass = (read_texture(name)[1] for name in ("brick", "grass"))
        brick_loss = there_and_back(grass_maker, brick_maker, brick)[2]
        grass_loss = there_and_back(brick_maker, grass_maker, grass)[2]
        print(f"{kind:9}  brick-grass-brick {brick_loss:.3f}  grass-brick-grass {grass_loss:.3f}  (held out, L1)")


def load(folder: Path) -> tuple[Generator, Generator]:
    """The pair that `save` wrote, in evaluation mode."""
    pair = Generator().eval(), Generator().eval()
    for name, net in zip(("brick_to_grass", "grass_to_brick"), pair, strict=True):
        net.load_state_dict(torch.load(folder / "weights" / f"{name}.pt", weights_only=True))
    return pair


def draw_strip(to_grass: Generator, to_brick: Generator, path: Path) -> None:
    """Four held-out patches of each texture (columns), twice as large: real, translated, translated back (rows)."""
    side, gap, margin = 2 * HELD_OUT, 6, 24
    half = 4 * (side + gap) + margin
    strip = Image.new("RGB", (2 * half + gap, 3 * (side + margin) + gap), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(15)
    for left, name, other, there, back in (
        (gap, "brick", "grass", to_grass, to_brick),
        (gap + half + margin // 2, "grass", "brick", to_brick, to_grass),
    ):
        patches = read_texture(name)[1]
        translated, returned, _ = there_and_back(there, back, patches)
        labels = (f"{name}, real (held out)", f"translated into {other}", f"translated back into {name}")
        for row, (label, images) in enumerate(zip(labels, (patches, translated, returned), strict=True)):
            top = row * (side + margin) + margin
            pen.text((left, top - 20), label, fill="black", font=font)
            for column, image in enumerate(images):
                pixels = ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
                picture = Image.fromarray(pixels.numpy()).resize((side, side), Image.Resampling.BICUBIC)
                strip.paste(picture, (left + column * (side + gap), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.save(path, optimize=True)


def main() -> None:
    """Train, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="how many updates (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the draws (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for weights/ and figures/ (default: data/)")
    parser.add_argument("--evaluate", action="store_true", help="measure the pair below --out and draw it; no training")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if arguments.evaluate:
        pair = load(arguments.out)
    else:
        pair = train(arguments.steps, arguments.seed, device, arguments.out)
    to_grass, to_brick = (net.cpu().eval() for net in pair)
    report(to_grass, to_brick)
    draw_strip(to_grass, to_brick, arguments.out / "figures" / "cyclegan.png")


if __name__ == "__main__":
    main()
