"""Sample sounds with a compiled loop.

A network on a graphics card runs on the processor, with a copy of its weights: every sample waits for the one before
it, and a card takes longer to start the steps of a sample than the processor to finish them.
"""

import copy
import math
import mmap
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from studio.density.conditional import Conditional, LogisticMixtureSample, place_in_interval
from studio.density.sound_stream import StreamSampler
from studio.density.threads import single_threaded
from studio.nets.wavenet import WaveNetNetwork
from studio.nets.wavenet_layers import Queues


def make_compiled_sampler(
    net: WaveNetNetwork, conditional: Conditional, c: Tensor | None, count: int, undo_samples: int = 0
) -> StreamSampler | None:
    """Return a compiled sampler for float32; None otherwise, or if nothing can be compiled."""
    if net.bias.dtype != torch.float32:
        return None
    try:
        from studio.kernels import wavenet  # noqa: F401  not before it is needed: the compiler takes half a second
    except ImportError:
        return None
    return _CompiledSampler(net, conditional, c, count, undo_samples)


class _CompiledSampler:
    """Samples with the compiled loop, from a copy of the weights at the beginning.

    The ring buffers hold more samples than the layers need, so undoing only moves the place of the next sample. What
    is then overwritten is saved, because `redo` may restore it.
    """

    @torch.no_grad()
    def __init__(self, net: WaveNetNetwork, conditional: Conditional, c: Tensor | None, count: int, spare: int) -> None:
        from studio.kernels import wavenet

        self.net = net
        self.conditional = conditional
        self.at = 0
        self.device = net.bias.device
        self.log_prob = torch.zeros(count, 0, device=self.device)
        self.weights = copy_weights(net if self.device.type == "cpu" else copy.deepcopy(net).cpu(), conditional, count)
        self._sizes = np.array(net.dilations) + spare
        self._begins = np.cumsum(self._sizes) - self._sizes
        rings = _zero_pages(int(self._sizes.sum()), count, net.channels)
        self.state = wavenet.WaveNetState(rings, np.full(count, net.levels // 2), spare)
        self._oldest_known = self._most = 0
        """The oldest sample back to which undo is possible, and the number of samples at most so far."""
        self._before_undo: tuple[int, Any] | None = None
        """The number of samples and the last levels before the last undo."""
        self._overwritten: list[tuple[int, Any]] = []
        self.set_condition(c)

    @torch.no_grad()
    def set_condition(self, c: Tensor | None) -> None:
        self.c = c
        base = self.net.base(c, len(self.state.levels))
        self.base = base.cpu().permute(3, 1, 0, 2).contiguous().numpy()  # (frames, layers, B, 2 · channels)

    def undo(self, count: int, last: Tensor | None) -> bool:
        at = self.at - count
        if at < max(self._oldest_known, self._most - self.state.undo_samples):
            return False
        self._before_undo = (self.at, self.state.levels.copy())
        self._overwritten = []
        self.at = at
        self.state.levels[:] = self.net.levels // 2 if last is None else last.cpu().numpy()
        return True

    def redo(self) -> bool:
        if self._before_undo is None:
            return False
        for first, rows in self._overwritten:
            self.state.rings[self._rows(first, rows.shape[1])] = rows
        (self.at, self.state.levels[:]) = self._before_undo
        self._before_undo = None
        self._overwritten = []
        return True

    def advance(self, count: int) -> None:
        """Make place for so many samples. What they overwrite is saved if `redo` may need it."""
        over = min(self._before_undo[0] - self.at, count) if self._before_undo is not None else 0
        if over > 0:
            self._overwritten.append((self.at, self.state.rings[self._rows(self.at, over)]))
        self._most = max(self._most, self.at + count)

    def _rows(self, first: int, count: int) -> Any:
        """Return the places of the inputs of `count` samples in the ring buffers, `(layers, count)`."""
        return self._begins[:, None] + (first + np.arange(count)) % self._sizes[:, None]

    @torch.no_grad()
    def append(self, x: Tensor) -> None:
        rings = torch.from_numpy(self.state.rings)
        queues: Queues = [rings[rows].permute(1, 2, 0).to(self.device) for rows in self._pasts()]
        last = torch.from_numpy(self.state.levels)[:, None].to(self.device) if self.at else None
        self.net.continue_numbers(self.net.previous_levels(x.long(), last), queues, self.c, self.at)
        self.at += x.shape[1]
        for rows, queue in zip(self._pasts(), queues, strict=True):
            rings[rows] = queue.permute(2, 0, 1).cpu()
        self.state.levels[:] = x[:, -1].cpu().numpy()
        self._oldest_known = self.at
        self._most = max(self._most, self.at)
        self._before_undo = None

    def _pasts(self) -> list[Tensor]:
        """Return for each layer the places of its past in its ring buffer, the oldest first, `(d,)`."""
        sizes = zip(self._begins.tolist(), self._sizes.tolist(), self.net.dilations, strict=True)
        return [begin + torch.arange(self.at - d, self.at) % size for begin, size, d in sizes]

    def sample(self, z: Tensor, temperature: Tensor, given: Tensor | None = None) -> Tensor:
        levels = torch.full(z.shape, -1, dtype=torch.long) if given is None else given.cpu().long().clone()
        self._run(*_uniforms_and_temperatures(z, temperature), levels)
        return levels.to(self.device)

    def noise_of_levels(self, x: Tensor, u: Tensor) -> Tensor:
        levels = x.cpu().long().clone()
        middles = self._run(torch.zeros(x.shape), torch.ones(x.shape), levels)
        half = self.log_prob.cpu().double().exp() / 2
        with single_threaded():
            z: Tensor = torch.special.ndtri(place_in_interval(middles - half, middles + half, u))
        return z.to(self.device, self.net.bias.dtype)

    def _run(self, u: Tensor, temperature: Tensor, levels: Tensor) -> Tensor:
        from studio.kernels import wavenet

        self.advance(levels.shape[1])
        parts = [t.double().contiguous().numpy() for t in (u, temperature)]
        least = self.conditional.min_probability
        filled = levels.contiguous().numpy()
        middles, prices = wavenet.sample(
            self.weights, self.base, self.net.hop, self.state, self.at, parts[0], parts[1], least, filled
        )
        self.at += levels.shape[1]
        levels.copy_(torch.from_numpy(filled))
        self.log_prob = torch.from_numpy(prices).to(self.device)
        return torch.from_numpy(middles)


def _zero_pages(*shape: int) -> Any:
    """Return an array of zeros whose memory pages are allocated when they are used.

    For so large an array NumPy would ask for pages of 2 MB. Clearing one for every layer takes a fifth of a second
    before the first sample.
    """
    return np.frombuffer(mmap.mmap(-1, 4 * math.prod(shape)), np.float32).reshape(shape)


def _uniforms_and_temperatures(z: Tensor, temperature: Tensor) -> tuple[Tensor, Tensor]:
    """Return Φ(z), or ½ if the temperature is 0, and the temperatures, in float64 on the processor."""
    with single_threaded():
        warm = temperature.cpu().double()
        return torch.special.ndtr(z.cpu().double() * (warm > 0)), warm


@torch.no_grad()
def sample_jointly(a: StreamSampler, b: StreamSampler, z: Tensor, temperature: Tensor, second: Tensor) -> Tensor | None:
    """Return the next levels `(1, n)` of one voice from two compiled samplers; None if one of them is not compiled."""
    if not isinstance(a, _CompiledSampler) or not isinstance(b, _CompiledSampler):
        return None
    from studio.kernels import wavenet

    sides = [wavenet.RunningNetwork(each.weights, each.base, each.net.hop, each.state) for each in (a, b)]
    chances, heats = (t[0].contiguous().numpy() for t in _uniforms_and_temperatures(z, temperature))
    by_b = second[0].cpu().numpy()
    for each in (a, b):
        each.advance(len(by_b))
    levels, prices = wavenet.sample_mixture(
        sides[0], sides[1], a.at, chances, heats, a.conditional.min_probability, by_b
    )
    for each, own in zip((a, b), prices, strict=True):
        each.at += len(levels)
        each.log_prob = torch.from_numpy(own)[None].to(a.device)
    return torch.from_numpy(levels)[None].to(a.device)


@torch.no_grad()
def copy_weights(net: WaveNetNetwork, conditional: Conditional, voices: int) -> Any:
    """Return the weights of a network in the form that the loop of so many voices reads."""
    from studio.kernels import wavenet

    layers = len(net.dilations)
    channels = net.channels
    spare = -len(net.b) % 8
    out = torch.zeros(layers, channels + len(net.skip), channels)
    out[:-1, :channels] = net.residual
    out[:, channels:] = net.skip.view(len(net.skip), layers, channels).transpose(0, 1)
    dilations = np.array(net.dilations)
    b = pad(net.b, (0, 0, 0, spare))
    return wavenet.WaveNetWeights(
        net.first.detach().numpy(),
        wavenet.stack_filters(net.filters.mT.numpy(), out.mT.numpy(), dilations, voices),
        pad(net.shift, (0, 0, 0, 1)).numpy(),
        wavenet.stack_head(net.a.t().numpy(), b.t().numpy(), voices),
        torch.cat((net.skip_bias, net.a_bias, pad(net.b_bias, (0, spare)))).numpy(),
        dilations,
        _sizes(net, conditional),
    )


def _sizes(net: WaveNetNetwork, conditional: Conditional) -> tuple[int, int, int, int, int]:
    mixture = conditional.mixture if isinstance(conditional, LogisticMixtureSample) else 0
    return net.channels, len(net.skip), len(net.b), net.levels, mixture
