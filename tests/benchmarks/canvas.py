"""Measure how fast a model without borders draws a canvas, beside the studio's aims.

    python tests/benchmarks/canvas.py MODEL [SIDE]      256 × 256 pixels, unless another side is given
    python tests/benchmarks/canvas.py --preset [SIDE]   an untrained model of 0.6 M parameters and 48 levels

How busy the machine is stands at the head: the aims are for two processors that nobody else wants, so seconds of a
processor stand beside.
"""

import os
import sys
import time

import torch

from studio import zoo
from studio.density.autoregressive import Autoregressive
from studio.density.canvas import Canvas
from studio.engine.device import choose_device, keep_freed_memory
from studio.engine.generation.sampling import load_model
from studio.library import models

RECIPE = zoo.gated_pixelcnn.GatedPixelCNN(width=48, layers=12, size=3, head=64, classes=13, borderless=True)
ALL = 60.0
"""Seconds of a canvas of 256 × 256, at most."""
FIRST_ROW = 1.0
"""Seconds until it is there, at most."""


def untrained() -> Autoregressive:
    """Return a model ready to sample, with weights as after some training."""
    torch.manual_seed(0)
    model = RECIPE.build((1, 64, 64), 48)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    zoo.fold(model.eval().requires_grad_(False))
    zoo.channels_last(model)
    zoo.pack(model)
    return model


def trained(name: str) -> Autoregressive:
    model = load_model(models.find_model(name), torch.device("cpu")).model
    assert isinstance(model, Autoregressive), "only such models are without borders"
    return model


@torch.inference_mode()
def measure(model: Autoregressive, side: int) -> None:
    """Draw a canvas once and print its times."""
    for _ in Canvas(model, 1, side).sample_steps([0]):  # compiles the loop and touches its memory
        continue
    first = None
    start = time.perf_counter()
    work = time.process_time()
    for step in Canvas(model, side, side).sample_steps([1]):
        if step.done and first is None:
            first = time.perf_counter() - start
    took = time.perf_counter() - start
    assert first is not None, "a canvas has a first row"
    print(
        f"{side} × {side}, {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters: first row {first:.2f} s"
        f" (aim {FIRST_ROW:g}), all {took:.1f} s (aim {ALL:g} at 256 × 256),"
        f" {time.process_time() - work:.1f} s of a processor"
    )


if __name__ == "__main__":
    keep_freed_memory()
    print(f"{choose_device('cpu').description}, load {os.getloadavg()[0]:.1f}")
    name, *rest = sys.argv[1:]
    measure(untrained() if name == "--preset" else trained(name), int(rest[0]) if rest else 256)
