"""Compare cached drawing pixel by pixel with a whole network for every step, and with the studio's aims.

    python tests/benchmarks/pixels.py [MODEL …]         trained models, by name or file; without words all that we ship
    python tests/benchmarks/pixels.py --presets [NAME]  untrained ones of some presets, whose names begin so

Both ways have the same weights, in the same run. The whole network costs the same at every pixel, so it is measured a
few times, after a warm-up, and counted once for each step (`studio.engine.benchmark`). Cached pictures are drawn from
the first pixel to the last, with all that drawing takes; of PICTURES at once nothing is left out. How busy the machine
was stands at the head: the aims are for two processors that nobody else wants, so seconds of a processor stand beside.
"""

import os
import sys
from collections.abc import Sequence

import torch

from studio import zoo
from studio.density.autoregressive import Autoregressive
from studio.engine import benchmark
from studio.engine.device import choose_device, keep_freed_memory
from studio.engine.generation.sampling import load_model
from studio.library import models

Case = tuple[str, zoo.Recipe, tuple[int, int, int], int]
PRESETS: list[Case] = [
    ("pixelcnn_pp 5 × 160", zoo.pixelcnn_pp.PixelCNNPP(filters=160, resnets=5), (3, 32, 32), 256),
    ("pixelcnn_pp small", zoo.pixelcnn_pp.PRESETS["small"], (3, 32, 32), 256),
    ("pixelrnn row", zoo.pixelrnn.PixelRNN(cells="row", width=16, layers=7, head=32), (1, 28, 28), 2),
    ("pixelrnn diagonal", zoo.pixelrnn.PRESETS["paper"], (1, 28, 28), 2),
    ("pixelcnn small", zoo.pixelcnn.PRESETS["small"], (1, 28, 28), 2),
    ("gated_pixelcnn small", zoo.gated_pixelcnn.PRESETS["small"], (1, 28, 28), 16),
]
PICTURES = 16
AIMS = {1: 5.0, PICTURES: 20.0}
"""Seconds of so many pictures of 32 × 32 at once, on two processors."""
FIRST_ROW = 1.0
"""Seconds until it is there, at most."""


def made(recipe: zoo.Recipe, shape: tuple[int, int, int], levels: int) -> Autoregressive:
    """Return a model ready to sample, with weights as after some training."""
    torch.manual_seed(0)
    model = recipe.build(shape, levels)
    assert isinstance(model, Autoregressive)
    model.train().loss(torch.randint(0, levels, (8, *shape), dtype=torch.uint8))
    zoo.fold(model.eval().requires_grad_(False))
    zoo.channels_last(model)
    zoo.pack(model)
    return model


def trained(names: Sequence[str]) -> list[tuple[str, Autoregressive]]:
    """Return models by name or file; without any, all shipped ones that draw pixel by pixel."""
    found = [models.find_model(name) for name in names] or [
        each
        for each in models.list_models()[0]
        if each.path.parent == models.shipped_folder() and each.card.can_inpaint
    ]
    device = torch.device("cpu")
    pairs = []
    for each in found:
        model = load_model(each, device).model
        if isinstance(model, Autoregressive):
            pairs.append((each.card.name, model))
        else:
            print(f"{each.card.name} does not draw pixel by pixel and is left out")
    return pairs


def tell(name: str, model: Autoregressive) -> None:
    size = " × ".join(str(side) for side in model.shape)
    print(f"{name}: {sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, {size}, {model.levels} levels")
    for count, aim in AIMS.items():
        found = benchmark.measure_speed(model, count)
        assert found.first_seconds is not None, "it draws row by row"
        assert found.naive_seconds is not None, "it has a naive way"
        times = f"naive {found.naive_seconds:.0f} s, {found.naive_seconds / found.total_seconds:.0f} ×"
        first, whole = beside(found.first_seconds, FIRST_ROW), beside(found.total_seconds, aim)
        print(f"{count:4} at once: first row {first}, all {whole}, {found.work_seconds:.2f} s of a processor; {times}")


def beside(seconds: float, aim: float) -> str:
    """Return a figure with the aim beside it."""
    return f"{seconds:.2f} s (aim {aim:g}, {'kept' if seconds <= aim else 'missed'})"


if __name__ == "__main__":
    keep_freed_memory()
    print(f"{choose_device('cpu').description}, load {os.getloadavg()[0]:.1f}")
    if sys.argv[1:2] == ["--presets"]:
        for name, recipe, shape, levels in PRESETS:
            if name.startswith(tuple(sys.argv[2:]) or ""):
                tell(name, made(recipe, shape, levels))
    else:
        for pair in trained(sys.argv[1:]):
            tell(*pair)
