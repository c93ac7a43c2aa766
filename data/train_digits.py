"""Trains a small network on tables/digits.csv and writes weights/digits.pt: something to load and to look into.

    python data/train_digits.py              half a minute on one CPU core
    python data/train_digits.py --evaluate   train nothing: measure the weights that are there

The network, built by `digits_network()`, takes (N, 1, 8, 8) float32 in [0, 1] (the pixels of the table are 0 to 16) and
gives (N, 10) logits, one for each digit. Its state_dict:

    0.weight  (16, 1, 3, 3)    0.bias  (16,)      convolution, batch normalisation, ReLU
    1.weight  (16,)            1.bias  (16,)      and the buffers 1.running_mean, 1.running_var, 1.num_batches_tracked
    3.weight  (32, 16, 3, 3)   3.bias  (32,)      convolution, ReLU, maximum of 2 by 2, dropout
    8.weight  (10, 512)        8.bias  (10,)      the head

Every fifth row of the table (index 4, 9, 14, ...) is held out. A run with the same arguments on the same machine gives
the same weights.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.progress import track
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent
BATCH = 32


def digits_network() -> nn.Sequential:
    """(N, 1, 8, 8) in [0, 1] to (N, 10) logits; 9962 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(32 * 4 * 4, 10),
    )


def read_digits() -> tuple[Tensor, Tensor]:
    """All pictures (1797, 1, 8, 8) float32 in [0, 1], and their digits (1797,) int64."""
    table = torch.from_numpy(np.loadtxt(FOLDER / "tables" / "digits.csv", delimiter=",", skiprows=1, dtype=np.int64))
    return table[:, 1:].reshape(-1, 1, 8, 8) / 16, table[:, 0]


def train(pictures: Tensor, digits: Tensor, epochs: int) -> nn.Sequential:
    """A network that has seen the pictures `epochs` times, in evaluation mode."""
    network = digits_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3, weight_decay=1e-4)
    batches = -(-len(pictures) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * batches)
    for _ in track(range(epochs), "training"):
        for rows in torch.randperm(len(pictures)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(network(pictures[rows]), digits[rows]).backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def main() -> None:
    """Train, report, save."""
    parser = argparse.ArgumentParser(description="Trains a small network on tables/digits.csv.")
    parser.add_argument("--epochs", type=int, default=30, help="how often it sees every picture (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the weights and the order (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for weights/ (default: data/)")
    parser.add_argument("--evaluate", action="store_true", help="measure the weights below --out; no training")
    arguments = parser.parse_args()
    path = arguments.out / "weights" / "digits.pt"

    torch.manual_seed(arguments.seed)
    pictures, digits = read_digits()
    held_out = torch.arange(len(digits)) % 5 == 4
    if arguments.evaluate:
        network = digits_network().eval()
        network.load_state_dict(torch.load(path, weights_only=True))
    else:
        network = train(pictures[~held_out], digits[~held_out], arguments.epochs)
    with torch.no_grad():
        right = network(pictures[held_out]).argmax(dim=1) == digits[held_out]
    print(f"held out: {int(right.sum())} of {len(right)} digits right ({right.double().mean():.1%})")
    if not arguments.evaluate:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(network.state_dict(), path)


if __name__ == "__main__":
    main()
