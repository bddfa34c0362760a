"""Print the time of a training step beside the time of its matrix products and convolutions alone, on one core.

Run: python tests/benchmarks/training.py [model …]. Times are processor seconds, which a busy machine lengthens less
than seconds of a clock. The limit is the step's arithmetic at the rate of a large product, measured in turn with it.
With `--before FOLDER`, the same steps of another checkout are measured in turn, and compared.
"""

import argparse
import importlib
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
Step = Callable[[], None]
STEPS: dict[str, tuple[str, dict[str, Any], int]] = {
    "WaveNet 32/64": ("wavenet.WaveNet", {}, 8192),
    "WaveNet 48/128": ("wavenet.WaveNet", {"channels": 48, "skip": 128}, 16384),
    "WaveNet 128/256": ("wavenet.WaveNet", {"channels": 128, "skip": 256}, 8192),
    "Glow": ("glow.Glow", {"depth": 16, "width": 192}, 16),
    "RealNVP": ("realnvp.RealNVP", {}, 16),
    "PixelCNN++": ("pixelcnn_pp.PixelCNNPP", {}, 8),
    "MAF": ("maf.MAF", {}, 64),
}
"""For each model its class, its hyperparameters, and the batch: samples of two sounds, or pictures of 32 × 32."""


def load_zoo(root: Path) -> ModuleType:
    """Import the models of a checkout, beside those of another one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "studio"]:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    importlib.import_module("studio.engine.device").keep_freed_memory()
    zoo = importlib.import_module("studio.zoo")
    sys.path.pop(0)
    return zoo


def training_step(zoo: ModuleType, name: str) -> Step:
    """Return a function that computes the loss and its gradients."""
    path, fields, batch = STEPS[name]
    module, kind = path.split(".")
    recipe = getattr(importlib.import_module(f"{zoo.__name__}.{module}"), kind)(**fields)
    torch.manual_seed(0)
    if module == "wavenet":
        model = recipe.build((16_000,)).train()
        x = torch.randint(256, (2, model.receptive_field + batch))
        return _step(model, lambda: model.loss_of_cuts(x))
    model = recipe.build((3, 32, 32)).train()
    x = torch.randint(256, (batch, 3, 32, 32), dtype=torch.uint8)
    zoo.channels_last(model)
    with torch.no_grad():
        model.loss(x)  # which initialises from the batch
    return _step(model, lambda: model.loss(x))


def _step(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    def run() -> None:
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(loss())

    return run


def arithmetic(step: Step) -> int:
    """Return the floating-point operations of matrix products and convolutions."""

    def of_product(into: torch.Size, a: torch.Size, b: torch.Size, **_: object) -> int:
        return 2 * math.prod(a) * b[-1]

    in_place = {torch.ops.aten.addmm_: of_product, torch.ops.aten.baddbmm_: of_product}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter:
        step()
    return int(counter.get_total_flops())


def seconds(runs: list[Callable[[], object]]) -> list[float]:
    """Return the median processor seconds of each, measured in turn after a warm-up."""
    times: list[list[float]] = [[] for _ in runs]
    for round_ in range(ROUNDS + 1):
        for run, found in zip(runs, times, strict=True):
            began = time.process_time()
            run()
            if round_:
                found.append(time.process_time() - began)
    return [statistics.median(found) for found in times]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=list(STEPS))
    parser.add_argument("--before", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    roots = [ROOT, *([asked.before] if asked.before else [])]
    square = torch.randn(1024, 1024)
    for name in asked.models:
        steps = [training_step(load_zoo(root), name) for root in roots]
        work = arithmetic(steps[0])
        product, now, *before = seconds([lambda: square @ square, *steps])
        limit = work / (2 * 1024**3 / product)
        line = f"{name:16} {now * 1e3:8.0f} ms, {work / 1e9:6.1f} GFLOP take {limit * 1e3:6.0f} ms: {limit / now:4.0%}"
        print(line + "".join(f"; before {t * 1e3:.0f} ms, {t / now:.2f} ×" for t in before), flush=True)


if __name__ == "__main__":
    main()
