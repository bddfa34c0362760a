"""Pictures pixel by pixel: cached steps beside a whole network for every pixel. Run: python tests/benchmarks/pixels.py

Both have the same weights, in the same run. The whole network costs the same at every pixel, so it is measured a few
times, after a warm-up, and counted once for each pixel. Cached pictures are drawn from the first pixel to the last,
with all that drawing takes. With words, only models whose names begin so: python tests/benchmarks/pixels.py pixelrnn
"""

import statistics
import sys
import time
from collections.abc import Iterator

import torch

from studio import zoo
from studio.density.autoregressive import Autoregressive
from studio.engine.device import steady_allocator

Case = tuple[str, zoo.Recipe, tuple[int, int, int], int]
CASES: list[Case] = [
    ("pixelcnn_pp 5 × 160", zoo.pixelcnn_pp.PixelCNNPP(filters=160, resnets=5), (3, 32, 32), 256),
    ("pixelcnn_pp small", zoo.pixelcnn_pp.PRESETS["small"], (3, 32, 32), 256),
    ("pixelrnn row", zoo.pixelrnn.PixelRNN(cells="row", width=16, layers=7, head=32), (1, 28, 28), 2),
    ("pixelrnn diagonal", zoo.pixelrnn.PRESETS["paper"], (1, 28, 28), 2),
    ("pixelcnn small", zoo.pixelcnn.PRESETS["small"], (1, 28, 28), 2),
    ("gated_pixelcnn small", zoo.gated_pixelcnn.PRESETS["small"], (1, 28, 28), 16),
]
PICTURES = 16
FORWARDS = 3


def made(recipe: zoo.Recipe, shape: tuple[int, int, int], levels: int) -> Autoregressive:
    """The model as it is when it is at work, with weights as after some training."""
    torch.manual_seed(0)
    model = recipe.build(shape, levels)
    assert isinstance(model, Autoregressive)
    model.train().loss(torch.randint(0, levels, (8, *shape), dtype=torch.uint8))
    zoo.fold(model.requires_grad_(False))
    zoo.channels_last(model)
    zoo.pack(model)
    return model


def drawn(model: Autoregressive, count: int) -> tuple[float, float]:
    """Seconds until the first row is there, and until the last."""
    began = time.perf_counter()
    steps: Iterator[object] = model.sample_steps(range(count))
    next(steps)
    first = time.perf_counter() - began
    for _ in steps:
        continue
    return first, time.perf_counter() - began


def whole(model: Autoregressive, count: int) -> float:
    """Seconds of the whole network for so many pictures."""
    seen, times = torch.zeros(count, *model.shape), []
    for _ in range(FORWARDS + 1):
        began = time.perf_counter()
        model.net(seen, None)
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def measured(name: str, recipe: zoo.Recipe, shape: tuple[int, int, int], levels: int) -> None:
    model = made(recipe, shape, levels)
    pixels = shape[1] * shape[2]
    steps = pixels * (shape[0] if model.conditional.colours_by_net else 1)
    print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {steps} steps a picture")
    seen = torch.zeros(1, *shape)
    for _ in range(2):  # compiled, and its memory touched
        model.stepper(seen, None)(0, 0)
    for count in (1, PICTURES):
        first, cached = drawn(model, count)
        naive = steps * whole(model, count)
        print(
            f"{count:4} at once: first row {first:.2f} s, all {cached:.2f} s; the whole network {naive / steps:.3f} s, "
            f"for every step {naive:.0f} s: {naive / cached:.0f} ×"
        )


if __name__ == "__main__":
    steady_allocator()
    print(f"{torch.get_num_threads()} threads")
    with torch.inference_mode():
        for case in CASES:
            if case[0].startswith(tuple(sys.argv[1:]) or ""):
                measured(*case)
