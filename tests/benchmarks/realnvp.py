"""Compare RealNVP with normflows at equal size, and bf16 with float32. Run: python tests/benchmarks/realnvp.py

Prints medians of pairs measured in turn and their ratios; machines are noisy, ratios hold.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import normflows as nf
import torch
from torch import Tensor, nn

from studio import zoo
from studio.engine.device import keep_freed_memory

SHAPE = (3, 32, 32)
BATCH = 16
ROUNDS = 9


def peer(recipe: zoo.realnvp.RealNVP) -> nn.Module:
    """Return normflows' RealNVP of the same widths, blocks, couplings and scales."""
    channels, height, width = SHAPE
    flows: list[list[nn.Module]] = []
    shapes = []
    maps = recipe.width
    for scale in range(recipe.scales):
        last = scale == recipe.scales - 1
        parts: list[nn.Module] = []
        for i in range(4 if last else 3):
            parts += coupling(channels, maps, recipe.blocks, board(channels, height, width, i % 2))
        if not last:
            parts_in = 4 * channels
            inner: list[nn.Module] = []
            for i in range(3):
                mask = torch.zeros(parts_in, 1, 1)
                mask[: parts_in // 2] = 1
                inner += coupling(parts_in, 2 * maps, recipe.blocks, 1 - mask if i % 2 else mask)
            parts = [*inner, nf.flows.Squeeze(), *parts]  # its forward runs from noise to picture
            shapes.append((2 * channels, height // 2, width // 2))
            channels = 2 * channels
            height = height // 2
            width = width // 2
            maps = 2 * maps
        else:
            shapes.append((channels, height, width))
        flows.insert(0, parts)
    q0 = [nf.distributions.DiagGaussian(shape, trainable=False) for shape in reversed(shapes)]
    merges = [nf.flows.Merge() for _ in range(recipe.scales - 1)]
    return nf.MultiscaleFlow(q0, flows, merges, class_cond=False)


def board(channels: int, height: int, width: int, flip: int) -> Tensor:
    squares = (torch.arange(height)[:, None] + torch.arange(width)[None] + flip) % 2
    return squares.float().expand(channels, height, width)


def coupling(channels: int, maps: int, blocks: int, mask: Tensor) -> list[nn.Module]:
    """Return one coupling of normflows. It needs a network each for s and t; each has half the maps of ours
    over √2, so that both together have our parameters."""
    half = round(maps / 2**0.5)
    nets = [nf.nets.ConvResidualNet(channels, channels, half, num_blocks=blocks, use_batch_norm=True) for _ in "st"]
    return [nf.flows.MaskedAffineFlow(mask, nets[1], nets[0])]


def medians(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """Return the median seconds of each, measured in turn after a warm-up."""
    times: tuple[list[float], list[float]] = ([], [])
    for round_ in range(ROUNDS + 2):
        for run, found in zip((first, second), times, strict=True):
            began = time.perf_counter()
            run()
            if round_ >= 2:
                found.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def size(model: nn.Module) -> str:
    return f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters"


def log_prob(recipe: zoo.realnvp.RealNVP) -> None:
    ours = recipe.build(SHAPE).eval()
    theirs = peer(recipe).eval()
    x = torch.randint(0, 256, (BATCH, *SHAPE), dtype=torch.uint8)
    y = torch.logit(0.05 + 0.9 * (x.float() + 0.5) / 256)
    zoo.fold(ours)
    zoo.channels_last(ours)
    with torch.inference_mode():
        a, b = medians(lambda: ours.log_prob(x), lambda: theirs.log_prob(y, None))
    print(f"log_prob of {BATCH}: ours {a * 1e3:.1f} ms, {size(recipe.build(SHAPE))}")
    print(f"                normflows {b * 1e3:.1f} ms, {size(theirs)}")
    print(f"                ratio {b / a:.2f} × (aim ≥ 1)")


def twin(preset: str, ours: bool, tuned: bool) -> None:
    """Start a process that takes a training step of 16 pictures for every line it reads, and prints its seconds."""
    if tuned:
        keep_freed_memory()
    torch.manual_seed(0)
    model = zoo.realnvp.PRESETS[preset].build(SHAPE)
    if ours:
        zoo.channels_last(model)
    optimiser = torch.optim.AdamW(model.parameters(), 1e-4)
    x = torch.randint(0, 256, (BATCH, *SHAPE), dtype=torch.uint8)
    for _ in sys.stdin:
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=ours):
            loss = model.loss(x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(time.perf_counter() - began, flush=True)


def training_step(preset: str) -> None:
    """Let three processes take steps in turn: ours, the same network in plain torch, and that with our allocator."""
    names = {"ours": (True, True), "plain": (False, False), "plain, our allocator": (False, True)}
    twins = {
        name: subprocess.Popen(
            [sys.executable, __file__, preset, str(int(ours)), str(int(tuned))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name, (ours, tuned) in names.items()
    }
    found: dict[str, list[float]] = {name: [] for name in twins}
    for _ in range(ROUNDS + 2):
        for name, process in twins.items():
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("step\n")
            process.stdin.flush()
            found[name].append(float(process.stdout.readline()))
    for process in twins.values():
        process.communicate()
    middle = {name: statistics.median(times[2:]) for name, times in found.items()}
    for name, seconds in middle.items():
        print(
            f"training step of {BATCH}, {preset}, {name}: {seconds * 1e3:.0f} ms, {seconds / middle['ours']:.2f} × ours"
        )
    print("                aim: plain ≥ 2 × ours")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        twin(sys.argv[1], sys.argv[2] == "1", sys.argv[3] == "1")
        sys.exit()
    keep_freed_memory()
    print(f"{torch.get_num_threads()} threads")
    log_prob(zoo.realnvp.PRESETS["small"])
    for size_ in ("small", "paper"):
        training_step(size_)
