"""Compare WaveNet's compiled loop with torch's steps and the package wavenet-vocoder, on one core.

Run: python tests/benchmarks/wavenet.py [size …]. All have the same sizes, in the same run, in seconds of this process
alone, which a busy machine still lengthens by what others take of the caches. What the weights' cache allows is found
by reading as many bytes in order, again and again, and doing nothing with them but a sum. Eight voices cannot take less
time than a core needs for eight times the products of one, found by products of four rows whose weights are at hand.
The peer is left out where wavenet-vocoder (0.1.1, PyPI) is not installed.
"""

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numba
import numpy as np
import torch

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.sound_stream import StreamSampler, TorchSampler
from studio.engine.device import keep_freed_memory
from studio.kernels.dot_products import add_products
from studio.zoo.compiled.wavenet import make_compiled_sampler
from studio.zoo.wavenet import WaveNet

SIZES = {
    "shipped": (2, 11, 32, 96),
    "32/64": (3, 10, 32, 64),
    "64/128": (3, 10, 64, 128),
}
"""Cycles, layers of each, channels, skip channels."""
RATE = 16_000
TRIES = 15


def made(cycles: int, layers: int, channels: int, skip: int, *, halves: bool) -> AutoregressiveSound:
    """Return a model ready to sample. `halves`: its weights are those of half floats, as in a file."""
    torch.manual_seed(0)
    recipe = WaveNet(cycles=cycles, layers=layers, channels=channels, skip=skip)
    model = recipe.build((RATE,)).eval().requires_grad_(False)
    return model.half().float() if halves else model


def seconds(act: Callable[[int], object], count: int) -> float:
    """Return the processor seconds for one sample: the shortest of a few tries."""
    act(2)
    times = []
    for _ in range(TRIES):
        began = time.thread_time()
        act(count)
        times.append(time.thread_time() - began)
    return min(times) / count


def playing(player: StreamSampler, voices: int) -> Callable[[int], object]:
    def act(count: int) -> object:
        z = torch.randn(voices, count)
        return player.sample(z, torch.ones_like(z))

    return act


@numba.njit(fastmath=True)
def _summed(a: Any, times: int) -> float:
    total = np.float32(0)
    for _ in range(times):
        part = np.float32(0)
        for i in range(len(a)):
            part += a[i]
        total += part
    return total


def bandwidth(size: int) -> float:
    """Return the bytes a second of reading so many bytes in order, once they are in the cache."""
    a = np.ones(size // 4, np.float32)
    times = max(1, 20_000_000 // size)
    _summed(a, 1)
    return size * times / min(_timed(lambda: _summed(a, times)) for _ in range(TRIES))


@numba.njit
def _multiplied(out: Any, x: Any, w: Any, times: int) -> None:
    for _ in range(times):
        add_products(out, 0, x, 0, 4, w, 0, 128, 16)


def arithmetic() -> float:
    """Return the multiply-adds a second of this core, with all numbers in its first cache."""
    out = np.ones((4, 16), np.float32)
    x = np.zeros((4, 128), np.float32)
    w = np.ones(2048, np.float32)
    times = 5000
    _multiplied(out, x, w, 1)
    return times * 4 * 2048 / min(_timed(lambda: _multiplied(out, x, w, times)) for _ in range(TRIES))


def _timed(act: Callable[[], object]) -> float:
    began = time.thread_time()
    act()
    return time.thread_time() - began


class Captured:
    """Samples all voices by one captured graph on a graphics card, again and again: what a card can do
    where a kernel of its own is not written for it. Levels are drawn in float32 and not priced."""

    def __init__(self, model: AutoregressiveSound, voices: int) -> None:
        net = model.net
        self.at = torch.zeros(1, dtype=torch.long, device="cuda")
        self.voices = voices
        self.levels = torch.full((voices,), net.levels // 2, device="cuda")
        self.rings = [torch.zeros(d, voices, net.channels, device="cuda") for d in net.dilations]
        base = net.base(None, 1)[0, :, :, 0] * net.tanh_factors()[:, 0]
        twice = net.tanh_factors()
        filters, residual, skip = (t.mT.contiguous() for t in (net.filters * twice, 2 * net.residual, 2 * net.skip))
        shift = torch.cat((net.shift, torch.zeros_like(net.shift[:1])))

        def sample() -> None:
            h = net.first[self.levels]
            gated = []
            for layer, ring in enumerate(self.rings):
                place = self.at % len(ring)
                seen = torch.cat((ring.index_select(0, place)[0], h), 1)
                ring.index_copy_(0, place, h[None])
                low, high = torch.addmm(base[layer], seen, filters[layer]).sigmoid_().chunk(2, 1)
                gated.append((low - 0.5) * high)
                if layer < len(residual):
                    h = torch.addmm(h + shift[layer], gated[-1], residual[layer])
            sums = torch.relu(torch.addmm(net.skip_bias, torch.cat(gated, 1), skip))
            sums = torch.relu(torch.addmm(net.a_bias, sums, net.a.t()))
            chances = torch.addmm(net.b_bias, sums, net.b.t()).softmax(1).cumsum(1)
            self.levels.copy_((chances < torch.rand(voices, 1, device="cuda")).sum(1).clamp(max=net.levels - 1))
            self.at += 1

        apart = torch.cuda.Stream()
        with torch.cuda.stream(apart):
            sample()
        apart.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            sample()

    def seconds(self, count: int = 2000) -> float:
        """Return the seconds for one sample of all voices."""
        times = []
        for _ in range(5):
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(count):
                self.graph.replay()
            torch.cuda.synchronize()
            times.append(time.perf_counter() - began)
        return min(times) / count


def peer(cycles: int, layers: int, channels: int, skip: int) -> float | None:
    """Return the seconds of a sample of wavenet-vocoder's incremental path; None if it is not installed."""
    try:
        package = import_module("wavenet_vocoder")
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = package.WaveNet(
            layers=cycles * layers, stacks=cycles, residual_channels=channels, gate_channels=2 * channels,
            skip_out_channels=skip, kernel_size=2, dropout=0.0, weight_normalization=False,
        ).eval()  # fmt: skip
        net.make_generation_fast_()
    first = torch.zeros(1, 256, 1)
    first[:, 128] = 1
    return seconds(lambda count: net.incremental_forward(first, T=count, softmax=True, quantize=True), 20)


def measured(name: str) -> None:
    size = SIZES[name]
    whole, halves = made(*size, halves=False), made(*size, halves=True)
    players = {
        words: make_compiled_sampler(model.net, model.conditional, None, 1)
        for words, model in (("float32", whole), ("halves", halves))
    }
    weights = sum(p.numel() for p in whole.net.parameters()) - whole.net.first.numel()
    print(f"{name}: {size[0] * size[1]} layers of {size[2]}/{size[3]}, {weights / 1e6:.2f} M weights a sample")
    best = np.inf
    for words, player in players.items():
        assert player is not None
        of_one = seconds(playing(player, 1), 1000)
        read = player.weights.layers.nbytes + player.weights.head.nbytes  # type: ignore[attr-defined]
        allowed = bandwidth(read)
        best = min(best, of_one)
        print(
            f"  {words:8} {1 / of_one:8,.0f} samples/s, {1 / of_one / RATE:5.2f} × real time at 16 kHz; "
            f"{read / 1e6:.2f} MB of weights a sample, {read / of_one / 1e9:.0f} of {allowed / 1e9:.0f} GB/s, "
            f"{read / of_one / allowed:.0%}"
        )
    eight = make_compiled_sampler(halves.net, halves.conditional, None, 8)
    assert eight is not None
    of_eight = seconds(playing(eight, 8), 400)
    least = 8 * weights / arithmetic()
    print(
        f"  8 voices {8 / of_eight:8,.0f} samples/s, {of_eight / best:.2f} × the time of one; "
        f"their products alone take {least / best:.2f} × at {weights * 8e-9 / least:.0f} G a second"
    )
    of_torch = seconds(playing(TorchSampler(whole.net, whole.conditional, None, 1), 1), 30)
    print(f"  torch    {1 / of_torch:8,.0f} samples/s with queues: {of_torch / best:.0f} ×")
    if torch.cuda.is_available():
        there = made(*size, halves=True).cuda()
        card = torch.cuda.get_device_name()
        for voices in (1, 8, 64):
            of_graph = Captured(there, voices).seconds()
            print(f"  graph    {voices / of_graph:8,.0f} samples/s of {voices} voices, a captured graph on {card}")
    of_peer = peer(*size)
    if of_peer is not None:
        print(f"  peer     {1 / of_peer:8,.0f} samples/s, wavenet-vocoder's incremental path: {of_peer / best:.0f} ×")


if __name__ == "__main__":
    keep_freed_memory()
    torch.set_num_threads(1)
    with torch.no_grad():
        for name in sys.argv[1:] or SIZES:
            measured(name)
