"""Train each family's tiny preset from twenty seeds. Run: python tests/benchmarks/stability.py

Prints for each family how many runs had a loss without a number, and the largest loss that any run ended with.
The artworks are handwritten digits of 8 × 8 pixels where a pack is given, else random rings.
"""

import math
import sys

import numpy as np
import torch
from torch import Tensor

from studio import zoo

SEEDS = 20
STEPS = 60
BATCH = 32
RATE = 1e-3


def digits(path: str | None) -> Tensor:
    """Return pictures `(n, 1, 8, 8)` of 256 levels."""
    if path is not None:
        return torch.from_numpy(np.load(path)["train_x"].astype(int) * 255 // 16).permute(0, 3, 1, 2).to(torch.uint8)
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:8, :8] - 3.5
    inside = np.hypot(y, x) < generator.uniform(1, 4, (1600, 1, 1))
    ground, ink = generator.integers(0, 256, (2, 1600, 1, 1))
    return torch.from_numpy(np.where(inside, ink, ground).astype(np.uint8))[:, None]


def trained(family: str, seed: int, x: Tensor) -> float:
    """Return the last loss of a short training; NaN as soon as a loss is not finite."""
    torch.manual_seed(seed)
    model = zoo.FAMILIES[family].presets["tiny"].build(tuple(x.shape[1:]))
    optimiser = torch.optim.AdamW(model.parameters(), RATE)
    loss = torch.tensor(math.nan)
    for _ in range(STEPS):
        loss = model.loss(x[torch.randint(len(x), (BATCH,))])
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 100.0)
        if not math.isfinite(loss.item()) or not math.isfinite(norm.item()):
            return math.nan
        optimiser.step()
    return loss.item()


def main() -> None:
    x = digits(sys.argv[1] if len(sys.argv) > 1 else None)
    for family in zoo.FAMILIES:
        losses = [trained(family, seed, x) for seed in range(SEEDS)]
        bad = sum(math.isnan(loss) for loss in losses)
        print(f"{family:16} {bad} of {SEEDS} without a number, at most {max(losses):.2f} bits per dimension at the end")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
