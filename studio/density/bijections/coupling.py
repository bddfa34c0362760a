"""Define coupling layers: one part of the entries stays unchanged and decides how the other part is transformed.

    y = x               where the mask b is 1
    y = x + t           elsewhere, additive (Dinh, Krueger and Bengio, NICE, 2014, arXiv:1410.8516)
    y = x · exp(s) + t  elsewhere, affine (Dinh, Sohl-Dickstein and Bengio, Density estimation using
                        Real NVP, 2016, arXiv:1605.08803, equations 7 and 9)
    y = (x + t) · σ     elsewhere, shifted, then scaled (Kingma and Dhariwal, Glow, 2018,
                        arXiv:1807.03039, as the authors' code has it)

with s and t (or σ and t) from a network that sees only b · x, and the class if it has classes. ladj is
the sum of s or log σ. The log-scale is bounded, so that neither direction overflows.
"""

import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection, sum_entries


class Additive(nn.Module):
    """Computes y = x + t. The network returns only t."""

    per_entry = 1

    def forward(self, raw: Tensor) -> tuple[Tensor | None, Tensor]:
        """Split the network's channels into log-scale, of which there is none, and shift."""
        return None, raw


class Affine(nn.Module):
    """Computes y = x · exp(s) + t with s = a · tanh(raw), a = bound · tanh(learned / bound), so |s| < bound.

    The factor a is one learned number, as in the authors' code; near 0 it equals `learned`.
    """

    per_entry = 2

    def __init__(self, start: float, bound: float = 2.0) -> None:
        super().__init__()
        self.bound = bound
        self.learned = nn.Parameter(torch.tensor(start))

    def forward(self, raw: Tensor) -> tuple[Tensor | None, Tensor]:
        """Split the network's channels into bounded log-scale s and shift t."""
        s, t = raw.chunk(2, 1)
        return self.bound * torch.tanh(self.learned / self.bound) * torch.tanh(s), t


def _move(x: Tensor, s: Tensor | None, t: Tensor) -> Tensor:
    return x + t if s is None else x * s.exp() + t


def _move_back(y: Tensor, s: Tensor | None, t: Tensor) -> Tensor:
    return y - t if s is None else (y - t) * (-s).exp()


class MaskedCoupling(Bijection):
    """Is a coupling by a mask b of ones and zeros that broadcasts against x, for example a checkerboard.

    `net` maps `(B, C, H, W)`, the masked entries, to `(B, C · transform.per_entry, H, W)`.
    """

    mask: Tensor

    def __init__(self, mask: Tensor, net: nn.Module, transform: Additive | Affine) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.net = net
        self.transform = transform

    def _moves(self, kept: Tensor, c: Tensor | None) -> tuple[Tensor | None, Tensor]:
        s, t = self.transform(_network_output(self.net, kept, c))
        free = 1 - self.mask
        return (None if s is None else s * free), t * free

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        s, t = self._moves(x * self.mask, c)
        return _move(x, s, t), x.new_zeros(len(x)) if s is None else sum_entries(s)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        s, t = self._moves(z * self.mask, c)
        return _move_back(z, s, t)


class ChannelCoupling(Bijection):
    """Is a coupling that splits the channels in halves. The first half decides, or the second if `swap`.

    `net` maps `(B, C/2, H, W)` to `(B, C/2 · transform.per_entry, H, W)`.
    """

    def __init__(self, swap: bool, net: nn.Module, transform: Additive | Affine) -> None:
        super().__init__()
        self.swap = swap
        self.net = net
        self.transform = transform

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = x.chunk(2, 1)
        return (b, a) if self.swap else (a, b)

    def _join(self, kept: Tensor, moved: Tensor) -> Tensor:
        return torch.cat((moved, kept) if self.swap else (kept, moved), 1)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, free = self._split(x)
        s, t = self.transform(_network_output(self.net, kept, c))
        return self._join(kept, _move(free, s, t)), x.new_zeros(len(x)) if s is None else sum_entries(s)

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        kept, moved = self._split(z)
        s, t = self.transform(_network_output(self.net, kept, c))
        return self._join(kept, _move_back(moved, s, t))


class ShiftScaleCoupling(Bijection):
    """Keeps the first half of the channels, and shifts and scales the second.

    y = (x + t) · σ with σ = max(sigmoid(h + 2), FLOOR).

    `net` maps `(B, C/2, H, W)` to h and t, `(B, C, H, W)`. Glow's authors have no floor. Without one, the rounding
    errors of many couplings multiply in the inverse: with a floor of sigmoid(-4), an early Glow of emoji restored a
    checkerboard with an error of 10⁵ levels in float64; with sigmoid(-1) the error was 10⁻⁸, at the same bits per
    dimension. ladj is the sum of log σ.
    """

    OFFSET, FLOOR = 2.0, 0.27

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def _moves(self, kept: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return σ and t. σ is the first half of the channels of a larger tensor, which is faster on a processor."""
        raw = _network_output(self.net, kept, c)
        scale = (raw + self.OFFSET).sigmoid()
        t = _half(raw, 1)
        return scale.clamp(min=self.FLOOR), t

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept = _half(x, 0)
        scale, t = self._moves(kept, c)
        z = torch.cat((kept, (_half(x, 1) + t) * _half(scale, 0)), 1)
        return z, _half(scale.log(), 0).sum((1, 2, 3))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        kept = _half(z, 0)
        scale, t = self._moves(kept, c)
        return torch.cat((kept, _half(z, 1) / _half(scale, 0) - t), 1)


def _network_output(net: nn.Module, kept: Tensor, c: Tensor | None) -> Tensor:
    """Return what a network computes of kept entries, and of their class if it has learned any."""
    output: Tensor = net(kept) if getattr(net, "of_class", None) is None else net(kept, c)
    return output.to(kept.dtype)


def _half(x: Tensor, which: int) -> Tensor:
    """Return the first or the second half of the channels. `chunk` takes three times as long for both halves."""
    channels = x.shape[1] // 2
    return x.narrow(1, which * channels, channels)


def checkerboard(height: int, width: int, flip: bool = False) -> Tensor:
    """Return a mask `(1, height, width)` that is 1 if row + column is even, or odd with `flip`."""
    squares = torch.arange(height)[:, None] + torch.arange(width)[None]
    return ((squares + int(flip)) % 2 == 0).float()[None]


def channel_mask(channels: int, flip: bool = False) -> Tensor:
    """Return a mask `(channels, 1, 1)` that is 1 on the first half of the channels, or the second with `flip`."""
    first = torch.arange(channels) < channels // 2
    return (~first if flip else first).float()[:, None, None]
