"""The network of a WaveNet (van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, arXiv:1609.03499).

    x_l[t] = W_l [h_l[t - d_l], h_l[t]] + V_l c                   a causal convolution of two samples, d_l apart
    z_l = tanh(first half of x_l) ⊙ σ(second half of x_l)
    h_{l+1} = h_l + U_l z_l,   numbers = B relu(A relu(Σ_l S_l z_l))

from h_0[t], which is the sample *before* t: one of 256 levels as a vector of its own, a finer one by its height.
Before the first sample there is silence, and before that nothing: every layer's past is zero, as queues of zeros are.
The condition c is a kind for the whole sound, a signal at a lower rate, or both; each of its frames stands for `hop`
samples, and sample t is *predicted* from frame t // hop (section 2.5, where such a signal is repeated). A signal that
is shorter than the sound begins again.

Layers are products of matrices with time innermost, `(B, channels, T)`: a processor takes a 1-d convolution of few
channels a third slower. Since tanh(x) = 2 σ(2 x) - 1 and torch's σ is four times as fast as its tanh, both halves of a
layer go through σ, as z_l / 2 = (σ(2 a) - 1/2) ⊙ σ(b).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

Queues = list[Tensor]
"""The past of each layer: its last d inputs, `(B, channels, d)`."""


class LayerSpan(NamedTuple):
    """States what the layers are run over.

    Attributes
        dilations: d of each layer
        nothing: for each sound, how many of the first places are before its beginning, where every layer's input is
            zero; None if there are none
        frames: for each place the frame of the condition that it is predicted from; None if one frame serves all
    """

    dilations: tuple[int, ...]
    nothing: tuple[int, ...] | None = None
    frames: Tensor | None = None


class WaveNetNetwork(nn.Module):
    """Computes numbers for every sample of sounds, from the samples before it.

    Arguments
        levels: of a sample; up to 256 each has a vector of its own
        dilations: d of each layer
        channels, skip: of the residual stream and of the sum that the numbers come from
        numbers: for each sample
        classes: how many classes of each group c may name, for example (10, 6) for digits and speakers; a class's
            number counts through the last group first
        local: how many numbers a frame of a signal has; 0 if there is no signal
        hop: samples that a frame stands for
        frames: the length of the signal that is followed if no other is given
    """

    def __init__(
        self,
        levels: int,
        dilations: Sequence[int],
        channels: int,
        skip: int,
        numbers: int,
        classes: Sequence[int] = (),
        local: int = 0,
        hop: int = 1,
        frames: int = 1,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.dilations = tuple(dilations)
        self.channels = channels
        self.classes = tuple(classes)
        self.local = local
        self.hop = hop
        self.field = sum(self.dilations) + 1
        """The number of samples before it that a sample is predicted from."""
        layers = len(self.dilations)
        self.first = nn.Parameter(_waves(levels, channels)) if levels <= 256 else _normal(1, channels, fan=1)
        self.filters = _normal(layers, 2 * channels, 2 * channels, fan=2 * channels)
        """`(layers, 2 · channels, 2 · channels)`: for the halves tanh and σ, from the past and from now."""
        self.bias = nn.Parameter(torch.zeros(layers, 2 * channels))
        self.residual = _normal(layers - 1, channels, channels, fan=channels)
        self.shift = nn.Parameter(torch.zeros(layers - 1, channels))
        self.skip = _normal(skip, layers * channels, fan=layers * channels)
        self.skip_bias = nn.Parameter(torch.zeros(skip))
        self.a = _normal(skip, skip, fan=skip)
        self.a_bias = nn.Parameter(torch.zeros(skip))
        self.b = nn.Parameter(_waves(numbers, skip) / skip)
        self.b_bias = nn.Parameter(torch.zeros(numbers))
        self.kinds = nn.ParameterList(torch.zeros(count, layers, 2 * channels) for count in self.classes)
        self.follow = _normal(layers, 2 * channels, local, fan=local) if local else None
        if local:
            self.register_buffer("usual_signal", torch.zeros(local, frames))

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return numbers `(B, numbers, T)` of the samples of whole sounds, levels `(B, T)`."""
        before = self.previous_levels(x)
        if not torch.is_grad_enabled():
            return self.continue_numbers(before, self.queues(len(x)), c)
        with torch.autocast(x.device.type, enabled=False):
            h = self._first(before)
            base = self.base(c, len(x))
            nothing = self.field - 1
            h = torch.cat((h.new_zeros(*h.shape[:2], nothing), h), 2)
            span = LayerSpan(self.dilations, (nothing,) * len(x), self._frames(base, 0, x.shape[1]))
            return self._numbers(h, base, span)

    def numbers_after_context(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return numbers `(B, numbers, n)` of the last n samples of parts of sounds. The levels are `(B, field + n)`.

        Negative samples at the beginning are before that of their sound. If c is a signal, the first of the n samples
        begins a frame, and `context_frames` come before it.
        """
        nothing = (x < 0).cumprod(1).sum(1)
        inside = x.clamp(min=0)
        at = torch.arange(1, x.shape[1], device=x.device)
        seen = torch.where(at == nothing[:, None], self.levels // 2, inside[:, :-1])
        empty = tuple((nothing - 1).clamp(min=0).tolist())
        with torch.autocast(x.device.type, enabled=False):
            h = self._first(seen)
            if any(empty):
                h = h * (at >= nothing[:, None])[:, None]
            base = self.base(c, len(x))
            frames = self._frames(base, self.context_frames * self.hop, x.shape[1] - self.field)
            return self._numbers(h, base, LayerSpan(self.dilations, empty if any(empty) else None, frames))

    @torch.no_grad()
    def continue_numbers(self, before: Tensor, queues: Queues, c: Tensor | None = None, start: int = 0) -> Tensor:
        """Return numbers `(B, numbers, T)` of the next T samples. The first is number `start` of its sound.

        Arguments
            before: the level before each of them, `(B, T)`
            queues: the past of the layers, without gradients; these samples are then added to it
        """
        with torch.autocast(before.device.type, enabled=False):
            h = self._first(before)
            base = self.base(c, len(before))
            span = LayerSpan(self.dilations, None, self._frames(base, start, before.shape[1]))
            return self._numbers(h, base, span, queues)

    def steps(self, queues: Queues, c: Tensor | None, start: int, count: int) -> "WaveNetSteps":
        """Return steps sample by sample, from number `start` of so many sounds on."""
        return WaveNetSteps(self, queues, self.base(c, count), start)

    def queues(self, count: int) -> Queues:
        """Return the past of the layers at the beginning of so many sounds."""
        return [self.first.new_zeros(count, self.channels, d) for d in self.dilations]

    def previous_levels(self, x: Tensor, last: Tensor | None = None) -> Tensor:
        """Return the level before each sample of `(B, T)`.

        Before the first it is `last`, `(B, 1)`, or silence.
        """
        first = torch.full_like(x[:, :1], self.levels // 2) if last is None else last
        return torch.cat((first, x[:, :-1]), 1)

    def base(self, c: Tensor | None, count: int) -> Tensor:
        """Return what each layer's filters add to, `(B, layers, 2 · channels, frames)`.

        Without a signal there is one frame. c: classes `(B,)`; a signal `(B, local, frames)`; or both, with the class's
        number in each frame before the signal.
        """
        base = self.bias.expand(count, *self.bias.shape)[..., None]
        if c is None or not (self.classes or self.local):
            return base
        signal = c[:, -self.local :] if self.local else None
        kind = c[:, None] if signal is None else c[:, 0].round().long()  # (B, frames)
        for sort, table in reversed(list(zip(self.classes, self.kinds, strict=True))):
            own = kind % sort
            kind = kind.div(sort, rounding_mode="floor")
            base = base + table[own].permute(0, 2, 3, 1)
        if signal is not None and self.follow is not None:
            base = base + torch.einsum("lkf,bft->blkt", self.follow, signal.to(self.follow.dtype))
        return base

    @property
    def context_frames(self) -> int:
        """Return how many frames the context of a sample reaches back if the sample begins a frame."""
        return -(-(self.field - 1) // self.hop)

    def _frames(self, base: Tensor, start: int, samples: int) -> Tensor | None:
        """Return the frame of so many samples from number `start` on, including their context.

        A signal that has ended begins again.
        """
        if base.shape[3] == 1:
            return None
        at = torch.arange(start - self.field + 1, start + samples, device=base.device)
        return at.clamp(min=0).div(self.hop, rounding_mode="floor") % base.shape[3]

    def _first(self, levels: Tensor) -> Tensor:
        """Return h_0 `(B, channels, T)`."""
        if self.levels <= 256:
            return self.first.t()[:, levels.long()].transpose(0, 1)
        height = 2 * levels.to(self.first.dtype) / (self.levels - 1) - 1
        return height[:, None] * self.first.t()

    def _numbers(self, h: Tensor, base: Tensor, span: LayerSpan, queues: Queues | None = None) -> Tensor:
        twice = self.tanh_factors()
        weights = self.filters * twice, 2 * self.residual, self.shift
        z: Tensor = WaveNetLayers.apply(h, base * twice, *weights, span, queues)  # type: ignore[no-untyped-call]
        sums = torch.relu(_product(2 * self.skip, z, self.skip_bias))
        return _product(self.b, torch.relu(_product(self.a, sums, self.a_bias)), self.b_bias)

    def tanh_factors(self) -> Tensor:
        """Return the factors `(2 · channels, 1)` of the filters.

        They compute the tanh half by σ, and leave the other half unchanged.
        """
        ones = torch.ones_like(self.bias[0])
        ones[: self.channels] = 2
        return ones[:, None]


class WaveNetSteps:
    """Runs the network sample by sample: from levels `(B,)` it returns the next sample's numbers `(B, numbers)`.

    Each sound has products of its own, because the rounding of a product depends on its size. Queues are rings; the
    oldest is at the number of samples so far, modulo d.
    """

    def __init__(self, net: WaveNetNetwork, queues: Queues, base: Tensor, start: int) -> None:
        self.net = net
        self.rings = queues
        self.start = start
        self.passed = 0
        count = len(base)
        twice = net.tanh_factors()
        self.base = (base * twice).permute(1, 3, 0, 2)[:, :, :, None]  # (layers, frames, B, 1, 2 · channels)
        self.filters = _each(net.filters * twice, count)
        self.residual = _each(2 * net.residual, count)
        self.skip = _each(2 * net.skip, count)
        self.a = _each(net.a, count)
        self.b = _each(net.b, count)
        self.silence = torch.full((count,), net.levels // 2, device=base.device)

    def queues(self) -> Queues:
        """Return the past of the layers, the oldest first."""
        return [ring.roll(-(self.passed % d), 2) for ring, d in zip(self.rings, self.net.dilations, strict=True)]

    def __call__(self, before: Tensor) -> Tensor:
        net = self.net  # (B, 1, channels)
        h = self.net._first(before[:, None]).transpose(1, 2)
        frame = (self.start + self.passed) // net.hop % self.base.shape[1]
        gated = []
        for layer, (ring, d) in enumerate(zip(self.rings, net.dilations, strict=True)):
            at = self.passed % d
            seen = torch.cat((ring[:, None, :, at], h), 2)
            ring[:, :, at] = h[:, 0]
            low, high = torch.baddbmm(self.base[layer, frame], seen, self.filters[layer]).sigmoid_().chunk(2, 2)
            gated.append((low - 0.5) * high)
            if layer < len(net.residual):
                h = torch.baddbmm(h + net.shift[layer], gated[-1], self.residual[layer])
        self.passed += 1
        sums = torch.relu(torch.baddbmm(net.skip_bias.expand(len(h), 1, -1), torch.cat(gated, 2), self.skip))
        sums = torch.relu(torch.baddbmm(net.a_bias.expand(len(h), 1, -1), sums, self.a))
        return torch.baddbmm(net.b_bias.expand(len(h), 1, -1), sums, self.b)[:, 0]


def _each(weight: Tensor, count: int) -> Tensor:
    """Return `(…, out, in)` → `(…, B, in, out)`, the same for every sound."""
    return weight.transpose(-1, -2)[..., None, :, :].expand(*weight.shape[:-2], count, -1, -1)


def _waves(levels: int, channels: int) -> Tensor:
    """Return a vector for each level, `(levels, channels)`. It changes slowly from one to the next.

    They are waves over all levels, of up to four periods, so that neighbouring levels start with similar vectors.
    """
    periods = 4 * torch.rand(channels)
    phases = 2 * math.pi * torch.rand(channels)
    return 2**0.5 * torch.sin(2 * math.pi * torch.linspace(0, 1, levels)[:, None] * periods + phases)


def _normal(*shape: int, fan: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) / max(fan, 1) ** 0.5)


def _product(weight: Tensor, x: Tensor, bias: Tensor) -> Tensor:
    """Compute a 1×1 convolution: `(out, in)`, `(B, in, T)` → `(B, out, T)`."""
    return torch.baddbmm(bias[:, None], weight.expand(len(x), *weight.shape), x)


class WaveNetLayers(torch.autograd.Function):
    """Runs all layers one after the other, with their gradients.

    Arguments
        h: `(B, channels, T + field - 1)`, or `(B, channels, T)` if there are queues, which precede it
        base: `(B, layers, 2 · channels, frames)`
        filters, residual, shift: of `WaveNetNetwork`, made for z / 2 and for σ(2 a) in place of tanh(a)
        span: what they are run over
        queues: the past of the layers; changed, and without gradient

    Result: z / 2 of all layers, `(B, layers · channels, T)`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        h: Tensor,
        base: Tensor,
        filters: Tensor,
        residual: Tensor,
        shift: Tensor,
        span: LayerSpan,
        queues: Queues | None,
    ) -> Tensor:
        count, channels = h.shape[:2]
        length = h.shape[2] - (0 if queues is not None else sum(span.dilations))
        found = h.new_empty(count, len(span.dilations), channels, length)
        kept = []
        dropped = 0
        for layer, d in enumerate(span.dilations):
            if queues is not None:
                h = torch.cat((queues[layer], h), 2)
                queues[layer] = h[..., -d:].clone()
            seen = torch.cat((h[..., :-d], h[..., d:]), 1)  # (B, 2 · channels, T_l)
            product = filters[layer].expand(count, -1, -1)
            if span.frames is None:
                s = torch.baddbmm(base[:, layer], product, seen)
            else:
                s = torch.bmm(product, seen).add_(base[:, layer][..., span.frames[-seen.shape[2] :]])
            low, high = s.sigmoid_().chunk(2, 1)
            z = (low - 0.5).mul_(high)
            found[:, layer] = z[..., -length:]
            kept += [seen, s, z]
            if layer < len(residual):
                h = (h[..., d:] + shift[layer][:, None]).baddbmm_(residual[layer].expand(count, -1, -1), z)
                dropped += d
                _empty(h, span.nothing, dropped)
        if any(ctx.needs_input_grad):
            ctx.span = span
            ctx.save_for_backward(base, filters, residual, *kept)
        return found.flatten(1, 2)

    @staticmethod
    def backward(ctx: Any, dfound: Tensor) -> tuple[Tensor | None, ...]:
        base, filters, residual, *kept = ctx.saved_tensors
        span = ctx.span
        dz_of = dfound.reshape(len(dfound), len(filters), -1, dfound.shape[2])
        count, _, channels, length = dz_of.shape
        dbase, dfilters, dresidual = (torch.zeros_like(t) for t in (base, filters, residual))
        dshift = residual.new_zeros(len(residual), channels)
        dh = dfound.new_zeros(0)
        dropped = sum(span.dilations)
        for layer in reversed(range(len(filters))):
            d = span.dilations[layer]
            (seen, s, z) = kept[3 * layer : 3 * layer + 3]
            dz = z.new_zeros(z.shape)
            dz[..., -length:] = dz_of[:, layer]
            if layer < len(residual):
                _empty(dh, span.nothing, dropped)
                dresidual[layer] = torch.bmm(dh, z.transpose(1, 2)).sum(0)
                dshift[layer] = dh.sum((0, 2))
                dz.baddbmm_(residual[layer].t().expand(count, -1, -1), dh)
            low, high = s.chunk(2, 1)
            dx = torch.empty_like(s)
            dlow, dhigh = dx.chunk(2, 1)
            torch.ops.aten.sigmoid_backward.grad_input(dz * high, low, grad_input=dlow)
            torch.ops.aten.sigmoid_backward.grad_input((low - 0.5).mul_(dz), high, grad_input=dhigh)
            if span.frames is None:
                dbase[:, layer] = dx.sum(2, keepdim=True)
            else:
                dbase[:, layer].index_add_(2, span.frames[-dx.shape[2] :], dx)
            dfilters[layer] = torch.bmm(dx, seen.transpose(1, 2)).sum(0)
            before, now = torch.bmm(filters[layer].t().expand(count, -1, -1), dx).chunk(2, 1)
            deeper = dh
            dh = z.new_zeros(count, channels, z.shape[2] + d)
            dh[..., d:] = now + deeper if layer < len(residual) else now
            dh[..., :-d] += before
            dropped -= d
        return dh, dbase, dfilters, dresidual, dshift, None, None


def _empty(h: Tensor, nothing: tuple[int, ...] | None, dropped: int) -> None:
    """Set places before a sound's beginning to zero; `dropped` of them are already dropped."""
    for sound, places in enumerate(nothing or ()):
        if places > dropped:
            h[sound, :, : places - dropped] = 0
