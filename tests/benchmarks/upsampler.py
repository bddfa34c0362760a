"""Measure the processor time of the details from 32 × 32 to 128 × 128 pixels, on one core.

    python tests/benchmarks/upsampler.py

For 16 greys and the widths and passes of an upsampler it prints the milliseconds that a picture takes in a batch of
eight: to draw, to encode and to price. Then it prints how many pictures a training learns from in a second, with a
square of 64 × 64 at each doubling.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from studio import zoo  # noqa: E402
from studio.engine.device import keep_freed_memory  # noqa: E402
from studio.zoo.upsampler import Upsampler  # noqa: E402

PICTURES = 8
TURNS = 5


def seconds_of(work: Callable[[], object]) -> float:
    """Return the least processor seconds of several turns, because other programs can only lengthen them."""
    found = []
    for _ in range(TURNS):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return min(found)


def measure(recipe: Upsampler) -> str:
    """Return the figures of an upsampler in words."""
    torch.manual_seed(0)
    model = recipe.build((1, 128, 128), 16)
    zoo.channels_last(model)
    x = torch.randint(0, 16, (2 * PICTURES, *model.shape), dtype=torch.uint8)
    model.train()
    learning = seconds_of(lambda: torch.autograd.backward(model.loss(x))) / len(x)
    zoo.fold(model.eval())
    zoo.pack(model)
    x = x[:PICTURES]
    coarse, z = model.coarse(x), model.noise(range(PICTURES))
    with torch.inference_mode():
        works = {
            "draw": lambda: model.decode(z, coarse),
            "encode": lambda: model.encode(x),
            "price": lambda: model.log_prob(x),
        }
        each = [f"{name} {1000 * seconds_of(work) / PICTURES:.0f} ms" for name, work in works.items()]
    return f"width {recipe.width}, {recipe.passes} passes: {', '.join(each)}; learn {1 / learning:.0f} a second"


if __name__ == "__main__":
    keep_freed_memory()
    for width, passes in ((48, 1), (48, 2), (48, 4), (32, 1)):
        print(measure(Upsampler(width=width, passes=passes)), flush=True)  # type: ignore[arg-type]
