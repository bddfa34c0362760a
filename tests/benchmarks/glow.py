"""Compare the speed of Glow with normflows at equal size. Run: python tests/benchmarks/glow.py [paper]

It needs the package normflows (1.7.3), which is among the development dependencies. Prints medians of pairs
measured in turn and their ratios; machines are noisy, ratios hold. All run in one thread and in processor seconds of
this process, which other programs lengthen least. Both sides have the same allocator, and the same optimiser as in a
training of ours. A rate beside a time is that of the multiplications and additions alone, beside which stands the rate
of the largest product by itself: no step can be faster than that, whatever else it saves.
"""

import statistics
import sys
import time
import warnings
from collections.abc import Callable

import normflows as nf
import torch
from torch import Tensor, nn

from studio import zoo
from studio.engine.device import choose_device, keep_freed_memory

SHAPE = (3, 32, 32)
BATCH = 16
ROUNDS = 15
TARGET = zoo.glow.Glow(scales=3, depth=16, width=192)


def peer(recipe: zoo.glow.Glow) -> nn.Module:
    """Return normflows' Glow of the same depth, width and scales: its blocks, its squeeze, its split."""
    channels, height, width = SHAPE
    scales = recipe.scales
    q0, merges, flows = [], [], []
    for i in range(scales):  # from the coarsest to the finest
        inside = channels * 2 ** (scales + 1 - i)
        blocks: list[nn.Module] = [
            nf.flows.GlowBlock(inside, recipe.width, split_mode="channel", scale=True) for _ in range(recipe.depth)
        ]
        flows.append([*blocks, nf.flows.Squeeze()])
        size = (height // 2 ** (scales - i), width // 2 ** (scales - i))
        merges += [nf.flows.Merge()] if i > 0 else []
        q0.append(nf.distributions.DiagGaussian((inside if i == 0 else inside // 2, *size), trainable=True))
    return nf.MultiscaleFlow(q0, flows, merges, class_cond=False)


def medians(*runs: Callable[[], object]) -> list[float]:
    """Return the median seconds of each, measured in turn after a warm-up."""
    times: list[list[float]] = [[] for _ in runs]
    for round_ in range(ROUNDS + 3):
        for run, found in zip(runs, times, strict=True):
            began = time.process_time()
            run()
            if round_ >= 3:
                found.append(time.process_time() - began)
    return [statistics.median(found) for found in times]


def operations(recipe: zoo.glow.Glow) -> float:
    """Return how many multiplications and additions the log-probability of one picture takes."""
    channels, height, width = SHAPE
    count = 0
    for scale in range(recipe.scales):
        inside = channels * 2 ** (scale + 2)
        net = 9 * inside // 2 * recipe.width + recipe.width**2 + recipe.width * 9 * inside
        count += recipe.depth * (inside**2 + net) * (height * width >> 2 * (scale + 1))
    return 2.0 * count


def product_rate(width: int) -> float:
    """Return the operations a second of the products of hidden layers, by themselves."""
    x, w = torch.randn(BATCH * 256, width), torch.randn(width, width)
    result = torch.empty_like(x)
    (seconds,) = medians(lambda: torch.mm(x, w, out=result))
    return 2.0 * x.numel() * width / seconds


def size(model: nn.Module) -> str:
    return f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters"


def started(recipe: zoo.glow.Glow, x: Tensor) -> tuple[nn.Module, nn.Module]:
    """Return our model and theirs, each initialised from the same batch, so that numbers inside have the usual size."""
    torch.manual_seed(0)
    ours = recipe.build(SHAPE)
    theirs = peer(recipe)
    with torch.no_grad():
        ours.loss(x)
        theirs.log_prob(x.float() / 256 - 0.5, None)
    return ours, theirs


def at_work(recipe: zoo.glow.Glow) -> None:
    x = torch.randint(0, 256, (BATCH, *SHAPE), dtype=torch.uint8)
    y = x.float() / 256 - 0.5
    ours, theirs = started(recipe, x)
    ours.eval()
    theirs.eval()
    zoo.fold(ours)
    zoo.channels_last(ours)
    zoo.pack(ours)
    print(f"K={recipe.depth}, L={recipe.scales}, width {recipe.width}")
    print(f"ours {size(recipe.build(SHAPE))}, normflows {size(theirs)}")
    z = ours.noise([1])
    peers_z = [q.sample(1) for q in theirs.q0]

    def decode_theirs() -> Tensor:
        h = None
        for i, flows in enumerate(theirs.flows):
            h = peers_z[i] if i == 0 else theirs.merges[i - 1]([h, peers_z[i]])[0]
            for flow in flows:
                h, _ = flow(h)
        return h

    with torch.inference_mode():
        a, b = medians(lambda: ours.decode(z), decode_theirs)
        print(f"decode of one latent: ours {a * 1e3:.1f} ms, normflows {b * 1e3:.1f} ms: {b / a:.2f} × (aim 2.5)")
        a, b = medians(lambda: ours.log_prob(x), lambda: theirs.log_prob(y, None))
        print(f"log_prob of {BATCH}: ours {a * 1e3:.1f} ms, normflows {b * 1e3:.1f} ms: {b / a:.2f} × (aim 2)")
        print_rate(recipe, BATCH * operations(recipe) / a)


def print_rate(recipe: zoo.glow.Glow, rate: float) -> None:
    print(f"  ours {rate / 1e9:.0f} GFLOP/s, products alone {product_rate(recipe.width) / 1e9:.0f} GFLOP/s")


def training_step(recipe: zoo.glow.Glow) -> None:
    x = torch.randint(0, 256, (BATCH, *SHAPE), dtype=torch.uint8)
    y = x.float() / 256 - 0.5
    ours, theirs = started(recipe, x)
    zoo.channels_last(ours)
    has_bf16 = choose_device("cpu").has_bf16
    torch.set_num_threads(1)

    def step(model: nn.Module, loss: Callable[[], Tensor], *, bf16: bool) -> Callable[[], None]:
        optimiser = torch.optim.AdamW(model.parameters(), 1e-5, fused=True)

        def run() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                value = loss()
            optimiser.zero_grad()
            value.backward()
            optimiser.step()

        return run

    a, b = medians(
        step(ours, lambda: ours.loss(x), bf16=has_bf16),
        step(theirs, lambda: -theirs.log_prob(y, None).mean(), bf16=False),
    )
    print(f"training step of {BATCH}: ours {a * 1e3:.0f} ms, normflows {b * 1e3:.0f} ms: {b / a:.2f} × (aim 2)")
    print_rate(recipe, 3 * BATCH * operations(recipe) / a)


if __name__ == "__main__":
    keep_freed_memory()
    warnings.filterwarnings("ignore", "torch.lu is deprecated")  # which normflows calls
    torch.set_num_threads(1)
    at_work(TARGET)
    training_step(TARGET)
    if "paper" in sys.argv:
        at_work(zoo.glow.PRESETS["paper"])
