"""Compare MAF and IAF of 5 × [1024, 1024] over 784 entries with zuko and nflows. Run: python tests/benchmarks/made.py

Prints medians of runs taken in turn and their ratios; machines are noisy, ratios hold. The peers' inverses take
seconds: each is timed once, over one of its five equal layers, and counted five times.
"""

import statistics
import sys
import time
from collections.abc import Callable

import torch
import zuko
from nflows.transforms.autoregressive import MaskedAffineAutoregressiveTransform
from nflows.transforms.base import CompositeTransform
from torch import Tensor

from studio import zoo
from studio.density.flow import Flow
from studio.engine.device import keep_freed_memory

LAYERS = 5
HIDDEN = (1024, 1024)
ENTRIES = 784
SHAPE = (1, 28, 28)
ROUNDS = 15


def flow(recipe: zoo.maf.MAF | zoo.iaf.IAF) -> Flow:
    """Return our model, with weights as after some training: nothing is zero."""
    torch.manual_seed(0)
    model = recipe.build(SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)
    zoo.fold(model)
    return model


def medians(runs: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median seconds of each, measured in turn after a warm-up."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 2):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            if round_ >= 2:
                found[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in found.items()}


def once(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def main() -> None:
    maf, iaf = (flow(kind(layers=LAYERS, hidden=HIDDEN)) for kind in (zoo.maf.MAF, zoo.iaf.IAF))
    for_zuko = zuko.flows.MAF(ENTRIES, transforms=LAYERS, hidden_features=HIDDEN).eval()
    parts = [
        MaskedAffineAutoregressiveTransform(ENTRIES, 1024, use_residual_blocks=False, num_blocks=1) for _ in range(5)
    ]
    for_nflows = CompositeTransform(parts).eval()
    for batch in (1, 16, 256):
        z = torch.randn(batch, *SHAPE)
        x = maf.decode(z)
        h = torch.randn(batch, ENTRIES)
        runs: dict[str, Callable[[], object]] = {
            "MAF sampling": lambda z=z: maf.decode(z),  # type: ignore[misc]
            "MAF log_prob": lambda x=x: maf.log_prob(x),  # type: ignore[misc]
            "IAF sampling": lambda z=z: iaf.decode(z),  # type: ignore[misc]
            "IAF log_prob": lambda x=x: iaf.log_prob(x),  # type: ignore[misc]
            "zuko log_prob": lambda h=h: for_zuko().log_prob(h),  # type: ignore[misc]
            "nflows log_prob": lambda h=h: for_nflows(h),  # type: ignore[misc]
        }
        times = medians(runs)
        for name, seconds in times.items():
            print(f"{batch:4} × {name:16} {seconds * 1e3:8.2f} ms")
        print(
            f"       sampling / its own log_prob: MAF {times['MAF sampling'] / times['MAF log_prob']:.2f} (aim ≤ 1.5)"
        )
        print(
            f"       log_prob / its own sampling: IAF {times['IAF log_prob'] / times['IAF sampling']:.2f} (aim ≤ 1.5)"
        )
        if batch == 16:
            peers(times["MAF sampling"], for_zuko, parts[0], h)


def peers(ours: float, for_zuko: zuko.flows.MAF, layer: MaskedAffineAutoregressiveTransform, h: Tensor) -> None:
    times = {"zuko": once(lambda: for_zuko.transform.transforms[0]().inv(h)), "nflows": once(lambda: layer.inverse(h))}
    for name, seconds in times.items():
        whole = LAYERS * seconds
        print(f"       {name} sampling, five times one layer's: {whole:.2f} s, {whole / ours:.0f} × ours (aim ≥ 500)")


if __name__ == "__main__":
    keep_freed_memory()
    print(f"{torch.get_num_threads()} threads, python {sys.version.split()[0]}, torch {torch.__version__}")
    with torch.inference_mode():
        main()
