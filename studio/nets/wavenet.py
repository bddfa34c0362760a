"""The network of a WaveNet (van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, arXiv:1609.03499).

    x_l[t] = W_l [h_l[t - d_l], h_l[t]] + V_l c                   a causal convolution of two samples, d_l apart
    z_l = tanh(first half of x_l) ⊙ σ(second half of x_l)
    h_{l+1} = h_l + U_l z_l,   numbers = B relu(A relu(Σ_l S_l z_l))

from h_0[t], which is the sample *before* t: one of 256 levels as a vector of its own, a finer one by its height.
Before the first sample there is silence, and before that nothing: every layer's past is zero, as queues of zeros are.
The condition c is a class for the whole sound, a signal at a lower rate, or both; each of its frames stands for `hop`
samples, and sample t is *predicted* from frame t // hop (section 2.5, where such a signal is repeated). A signal that
is shorter than the sound begins again.

Many samples at once are run by `studio.nets.wavenet_layers`. Sample by sample, both halves of a layer go through σ in
one call, as z_l / 2 = (σ(2 a) - 1/2) ⊙ σ(b), since tanh(x) = 2 σ(2 x) - 1.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from studio.nets.wavenet_layers import LayerSpan, LayerWeights, Queues, continue_layers, run_layers


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
            h = torch.cat((h.new_zeros(len(x), nothing, self.channels), h), 1)
            span = LayerSpan(self.dilations, len(x), (nothing,) * len(x), self._frames(base, 0, x.shape[1]))
            return self._numbers(h, base, span)

    def numbers_after_context(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return numbers `(B, numbers, n)` of the last n samples of parts of sounds. The levels are `(B, field + n)`.

        Negative samples lie before the beginning of their sound. If c is a signal, the first of the n samples
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
                h = h * (at >= nothing[:, None])[..., None]
            base = self.base(c, len(x))
            frames = self._frames(base, self.context_frames * self.hop, x.shape[1] - self.field)
            return self._numbers(h, base, LayerSpan(self.dilations, len(x), empty if any(empty) else None, frames))

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
            span = LayerSpan(self.dilations, len(before), None, self._frames(base, start, before.shape[1]))
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
        """Return h_0 `(B, T, channels)`."""
        if self.levels <= 256:
            return embedding(levels.long(), self.first)
        height = 2 * levels.to(self.first.dtype) / (self.levels - 1) - 1
        return height[..., None] * self.first

    def _numbers(self, h: Tensor, base: Tensor, span: LayerSpan, queues: Queues | None = None) -> Tensor:
        """Return the numbers from h_0 and `base`."""
        sums = torch.relu_(self._sums(h, base, span, queues) + self.skip_bias)
        return _product(torch.relu_(_product(sums, self.a, self.a_bias)), self.b, self.b_bias).transpose(1, 2)

    def _sums(self, h: Tensor, base: Tensor, span: LayerSpan, queues: Queues | None) -> Tensor:
        """Return the sums over all layers, `(B, T, skip)`.

        A processor computes each sound by itself, so that it is in the cache, and is the same bit for bit in any batch.
        """
        weights = self._layer_weights()
        base = torch.unflatten(base, 2, (2, -1)).permute(1, 2, 4, 0, 3)  # (layers, 2, frames, B, channels)
        sums = []
        size = 1 if h.device.type == "cpu" else len(h)
        for i in range(0, len(h), size):
            part = slice(i, i + size)
            own = span._replace(sounds=size, nothing=span.nothing and span.nothing[part])
            rows = h[part].transpose(0, 1).flatten(0, 1)
            if queues is None:
                found = run_layers(rows, base[..., part, :], weights, own)
            else:
                found = continue_layers(rows, base[..., part, :], weights, own, [queue[part] for queue in queues])
            sums.append(found.view(-1, size, found.shape[1]).transpose(0, 1))
        return torch.cat(sums)

    def _layer_weights(self) -> LayerWeights:
        layers = len(self.dilations)
        filters = self.filters.view(layers, 2, self.channels, 2, self.channels).permute(0, 3, 1, 4, 2)
        skip = self.skip.t().view(layers, self.channels, -1)
        return LayerWeights(filters.contiguous(), self.residual.mT.contiguous(), self.shift, skip)

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
        net = self.net
        h = net._first(before[:, None])  # (B, 1, channels)
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


def _product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Multiply each sample `(B, T, in)` by `(out, in)`, in a product for each sound; return `(B, T, out)`."""
    return torch.baddbmm(bias, x, weight.t().expand(len(x), -1, -1))
