"""Trains the CycleGAN pair of the lesson pretrained/translation: gravel to grass, and grass to gravel.

    python data/train_cyclegan.py                              the committed pair: half an hour on two CPU cores
    python data/train_cyclegan.py --steps 300 --out /tmp/try   a look at how it begins
    python data/train_cyclegan.py --evaluate                   train nothing: measure the pair that is there (seconds)

Two photographs are all it learns from: textures/gravel.png and textures/grass.png, their right quarter held out.
Each step draws patches from random places of the two; no patch of one belongs to a patch of the other.
The first steps teach each generator to draw its own texture again (the identity loss of the CycleGAN paper, Zhu et al.
2017, arXiv:1703.10593), and the discriminators to tell the two textures apart; only then does one translate.
It writes weights/gravel_to_grass.pt, weights/grass_to_gravel.pt and figures/cyclegan.png below --out (by default this
folder), and prints how well held-out patches come back after there and back. Ctrl-C ends the training early and keeps
what was learned. A run with the same arguments on the same machine gives the same weights (nearly so on a GPU).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent
PATCH = 96  # height and width of a patch to learn from: four stones across
HELD_OUT = 128  # width of the part that is held out, and size of the patches that it is cut into
CYCLE_WEIGHT = 3.0  # of the cycle loss, against 1 for fooling the discriminators
IDENTITY_STEPS, IDENTITY_RATE = 250, 1e-3  # drawing only, before anything is translated
GENERATOR_RATE, DISCRIMINATOR_RATE = 4e-4, 8e-4
DISCRIMINATOR_UPDATES = 2  # in each step: a discriminator that lags behind teaches nothing
AVERAGE = 0.99  # what is saved is a running average of the weights, steadier than any single step


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


class Discriminator(nn.Module):
    """Images (N, 3, H, W) to the scores of three networks, each (N, 1, h, w): 1 for real, 0 for made up.

    `fine` sees 9 by 9 pixels for a score: noise. `near` sees 33 by 33: a stone, or a few blades. `far` looks at the
    image halved, 66 by 66 pixels for a score: how they lie. All look at the mean of the three channels.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            *(nn.Conv2d(1, width, 3, padding=1), nn.LeakyReLU(0.2)),
            *self.halving(width, width),
            *self.halving(width, 2 * width),
            nn.Conv2d(2 * width, 1, 1),
        )
        self.near, self.far = self.scores(width), self.scores(width)

    @staticmethod
    def halving(channels: int, out: int) -> tuple[nn.Module, ...]:
        return nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.InstanceNorm2d(out), nn.LeakyReLU(0.2)

    def scores(self, width: int) -> nn.Sequential:
        return nn.Sequential(
            *(nn.Conv2d(1, width, 5, stride=2, padding=2), nn.LeakyReLU(0.2)),
            *self.halving(width, 2 * width),
            *self.halving(2 * width, 4 * width),
            *(nn.Conv2d(4 * width, 4 * width, 3, padding=1), nn.LeakyReLU(0.2)),
            nn.Conv2d(4 * width, 1, 1),
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        x = x.mean(1, keepdim=True)
        return [self.fine(x), self.near(x), self.far(F.avg_pool2d(x, 2))]


def read_texture(name: str) -> tuple[Tensor, Tensor]:
    """The part to train on (3, 512, 384), in [-1, 1], and the held-out part in four patches (4, 3, 128, 128)."""
    with Image.open(FOLDER / "textures" / f"{name}.png") as image:
        pixels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1) / 127.5 - 1
    held_out = pixels[:, :, -HELD_OUT:].split(HELD_OUT, dim=1)
    return pixels[:, :, :-HELD_OUT].contiguous(), torch.stack(held_out)


def draw_patch(texture: Tensor, draws: torch.Generator) -> Tensor:
    """(1, 3, PATCH, PATCH) from a random place, mirrored or not."""
    top = int(torch.randint(texture.shape[1] - PATCH + 1, (), generator=draws))
    left = int(torch.randint(texture.shape[2] - PATCH + 1, (), generator=draws))
    patch = texture[None, :, top : top + PATCH, left : left + PATCH]
    return patch.flip(3) if torch.rand((), generator=draws) < 0.5 else patch


def grey(images: Tensor) -> Tensor:
    """The mean of the three channels, in all three: else generators learn to hide in colours what they should keep."""
    return images.mean(1, keepdim=True).expand(-1, 3, -1, -1)


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


def verdict(scores: list[Tensor], real: bool) -> Tensor:
    """The least-squares GAN loss: how far the scores are from 1 (real) or 0 (made up); all networks count alike."""
    return torch.stack([F.mse_loss(score, torch.full_like(score, float(real))) for score in scores]).mean()


class Side:
    """What belongs to one texture: its pixels, the generator that makes it, and the discriminator that knows it."""

    def __init__(self, name: str, device: torch.device, draws: torch.Generator) -> None:
        self.texture, self.draws, self.device = read_texture(name)[0], draws, device
        self.maker, self.judge, self.history = Generator().to(device), Discriminator().to(device), History(draws)
        # Grey from the start. No loss looks at colour, so the three channels stay equal.
        with torch.no_grad():
            self.maker.leave.weight[:] = self.maker.leave.weight.mean(0)
            self.maker.leave.bias.zero_()

    def draw(self) -> Tensor:
        """One real patch (1, 3, PATCH, PATCH)."""
        return draw_patch(self.texture, self.draws).to(self.device)

    def make(self, images: Tensor) -> Tensor:
        """Images (N, 3, H, W) of the other texture, translated into this one."""
        return grey(self.maker(images))

    def caught(self, real: Tensor, fake: Tensor) -> Tensor:
        """The discriminator's loss."""
        return (verdict(self.judge(real), True) + verdict(self.judge(fake), False)) / 2


def train(steps: int, seed: int, device: torch.device, folder: Path) -> tuple[Generator, Generator]:
    """The two generators: from gravel to grass, from grass to gravel. Saved every 200 steps and at the end."""
    torch.manual_seed(seed)
    draws = torch.Generator().manual_seed(seed)
    grass, gravel = sides = Side("grass", device, draws), Side("gravel", device, draws)
    averages = [torch.optim.swa_utils.AveragedModel(side.maker, multi_avg_fn=average()) for side in sides]
    betas = (0.5, 0.999)
    makers = torch.optim.Adam([w for side in sides for w in side.maker.parameters()], IDENTITY_RATE, betas)
    judges = torch.optim.Adam([w for side in sides for w in side.judge.parameters()], DISCRIMINATOR_RATE, betas)
    first = min(IDENTITY_STEPS, steps // 2)

    def share(step: int) -> float:
        """Of the learning rates: all of it for half of the way, then down to nothing."""
        return min(1.0, 2 - 2 * max(0, step - first) / (steps - first))

    def update(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def draw_again() -> str:
        real = [side.draw() for side in sides]
        same = sum(F.l1_loss(side.make(image), image) for side, image in zip(sides, real, strict=True))
        update(makers, same)
        with torch.no_grad():
            fake = grass.make(real[1]), gravel.make(real[0])
        caught = sum(side.caught(*pair) for side, *pair in zip(sides, real, fake, strict=True))
        update(judges, caught)
        return f"identity {same.item():.2f}  caught {caught.item():.2f}"

    def translate() -> str:
        real = [side.draw() for side in sides]
        fake = grass.make(real[1]), gravel.make(real[0])
        back = grass.make(fake[1]), gravel.make(fake[0])
        cycle = sum(F.l1_loss(*pair) for pair in zip(back, real, strict=True))
        for side in sides:
            side.judge.requires_grad_(False)
        fooling = sum(verdict(side.judge(image), True) for side, image in zip(sides, fake, strict=True))
        update(makers, fooling + CYCLE_WEIGHT * cycle)
        for side in sides:
            side.judge.requires_grad_(True)
        for turn in range(DISCRIMINATOR_UPDATES):
            seen = [
                image.detach() if turn else side.history.exchange(image)
                for side, image in zip(sides, fake, strict=True)
            ]
            shown = [side.draw() for side in sides] if turn else real
            caught = sum(side.caught(*pair) for side, *pair in zip(sides, shown, seen, strict=True))
            update(judges, caught)
        return f"fooling {fooling.item():.2f}  cycle {cycle.item():.2f}  caught {caught.item():.2f}"

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[losses]}")) as progress:
        task = progress.add_task("training", total=steps, losses="")
        try:
            for step in range(1, steps + 1):
                makers.param_groups[0]["lr"] = IDENTITY_RATE if step <= first else share(step) * GENERATOR_RATE
                judges.param_groups[0]["lr"] = share(step) * DISCRIMINATOR_RATE
                losses = draw_again() if step <= first else translate()
                for mean, side in zip(averages, sides, strict=True):
                    mean.update_parameters(side.maker)
                progress.update(task, advance=1, losses=losses)
                if step % 200 == 0:
                    save(folder, averages[0].module, averages[1].module)
                    progress.console.print(f"step {step}: {losses}")
        except KeyboardInterrupt:
            progress.console.print(f"stopped at step {step}")
    save(folder, averages[0].module, averages[1].module)
    return averages[0].module, averages[1].module


def average():
    """How AveragedModel mixes the new weights into the old ones."""
    return torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)


def save(folder: Path, to_grass: Generator, to_gravel: Generator) -> None:
    """Two files, each a state_dict on the CPU."""
    (folder / "weights").mkdir(parents=True, exist_ok=True)
    for name, net in (("gravel_to_grass", to_grass), ("grass_to_gravel", to_gravel)):
        state = {key: value.detach().cpu().clone() for key, value in net.state_dict().items()}
        torch.save(state, folder / "weights" / f"{name}.pt")


@torch.no_grad()
def there_and_back(there: Generator, back: Generator, patches: Tensor) -> tuple[Tensor, Tensor, float]:
    """The patches translated, translated back, and the mean absolute difference of these from the patches."""
    translated = there(patches)
    returned = back(translated)
    return translated, returned, F.l1_loss(returned, patches).item()


def report(to_grass: Generator, to_gravel: Generator) -> None:
    """Print the cycle loss on held-out patches, of the trained pair and of a pair that has learned nothing."""
    torch.manual_seed(0)
    for kind, grass_maker, gravel_maker in (("trained", to_grass, to_gravel), ("untrained", Generator(), Generator())):
        gravel, grass = (read_texture(name)[1] for name in ("gravel", "grass"))
        gravel_loss = there_and_back(grass_maker, gravel_maker, gravel)[2]
        grass_loss = there_and_back(gravel_maker, grass_maker, grass)[2]
        print(f"{kind:9}  gravel-grass-gravel {gravel_loss:.3f}  grass-gravel-grass {grass_loss:.3f}  (held out, L1)")


def load(folder: Path) -> tuple[Generator, Generator]:
    """The pair that `save` wrote, in evaluation mode."""
    pair = Generator().eval(), Generator().eval()
    for name, net in zip(("gravel_to_grass", "grass_to_gravel"), pair, strict=True):
        net.load_state_dict(torch.load(folder / "weights" / f"{name}.pt", weights_only=True))
    return pair


def draw_strip(to_grass: Generator, to_gravel: Generator, path: Path) -> None:
    """Four held-out patches of each texture (columns), real, translated, translated back (rows)."""
    side, gap, margin = HELD_OUT, 6, 24
    half = 4 * (side + gap) + margin
    strip = Image.new("RGB", (2 * half + gap, 3 * (side + margin) + gap), "white")
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default(15)
    for left, name, other, there, back in (
        (gap, "gravel", "grass", to_grass, to_gravel),
        (gap + half + margin // 2, "grass", "gravel", to_gravel, to_grass),
    ):
        patches = read_texture(name)[1]
        translated, returned, _ = there_and_back(there, back, patches)
        labels = (f"{name}, real (held out)", f"translated into {other}", f"translated back into {name}")
        for row, (label, images) in enumerate(zip(labels, (patches, translated, returned), strict=True)):
            top = row * (side + margin) + margin
            pen.text((left, top - 20), label, fill="black", font=font)
            for column, image in enumerate(images):
                pixels = ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0)
                strip.paste(Image.fromarray(pixels.numpy()), (left + column * (side + gap), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    strip.save(path, optimize=True)


def main() -> None:
    """Train, report, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="how many updates (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the draws (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for weights/ and figures/ (default: data/)")
    parser.add_argument("--evaluate", action="store_true", help="measure the pair below --out and draw it; no training")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if arguments.evaluate:
        pair = load(arguments.out)
    else:
        pair = train(arguments.steps, arguments.seed, device, arguments.out)
    to_grass, to_gravel = (net.cpu().eval() for net in pair)
    report(to_grass, to_gravel)
    draw_strip(to_grass, to_gravel, arguments.out / "figures" / "cyclegan.png")


if __name__ == "__main__":
    main()
