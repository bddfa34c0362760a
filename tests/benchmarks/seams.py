"""Measure how surprising the seams of seamless pictures are, beside the rest of each picture.

    python tests/benchmarks/seams.py MODEL [TILES] [SIDE]     a model without borders; 16 tiles of 128 × 128 pixels

Each picture is priced as if it were laid side by side with its copies. Opposite edges meet at the first row and the
first column. The cut itself runs through the first OVERLAP rows and columns, so these are counted, too. All other
pixels are the inside. The aim is at most 1.05 times its bits a pixel.
"""

import sys

import numpy as np
import torch

from studio.density.autoregressive import Autoregressive
from studio.density.canvas import Canvas
from studio.density.seams import OVERLAP, wrapped_surprisal
from studio.engine.device import keep_freed_memory
from studio.engine.generation.sampling import load_model
from studio.library import models

AIM = 1.05


@torch.inference_mode()
def mean_bits(model: Autoregressive, seed: int, side: int) -> tuple[float, float, float]:
    """Return the mean bits a pixel of the inside, of the edges, and of the overlaps."""
    canvas = Canvas(model, side, side, seamless=True)
    c = canvas.draw_classes([seed])
    bits = wrapped_surprisal(canvas, canvas.reach, canvas.sample([seed], c), c)[0].sum(0)
    inside = float(bits[OVERLAP:, OVERLAP:].mean())
    edges = torch.cat((bits[0], bits[1:, 0])).mean()
    overlaps = torch.cat((bits[:OVERLAP].flatten(), bits[OVERLAP:, :OVERLAP].flatten())).mean()
    return inside, float(edges), float(overlaps)


def main(name: str, tiles: int = 16, side: int = 128) -> None:
    model = load_model(models.find_model(name), torch.device("cpu")).model
    assert isinstance(model, Autoregressive), "only such models are without borders"
    found = np.array([mean_bits(model, seed, side) for seed in range(tiles)])
    inside, edges, overlaps = found.mean(0)
    for what, bits in (("where edges meet", edges), ("in the overlaps", overlaps)):
        kept = "kept" if bits <= AIM * inside else "missed"
        print(f"{what}: {bits / inside:.3f} times the {inside:.3f} bits a pixel inside (aim {AIM}, {kept})")


if __name__ == "__main__":
    keep_freed_memory()
    main(sys.argv[1], *map(int, sys.argv[2:]))
