"""The networks of Glow (Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039, section 3.3 and the authors' code).

Every layer is y = (w * x + b) · exp(3 · logs) by channel. In hidden layers b and logs are an actnorm: they
start so that the first training batch leaves with mean 0 and variance 1. In last layers w, b and logs start
at zero. Convolutions of 3×3 see one channel more, which is 0 on the picture and 1 in the margin around it, so
that they know its edge.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

GAIN = 3.0
"""The factor before logs, which lets them learn faster."""
SPREAD = 0.05
"""Standard deviation of hidden weights at the start."""


class ScaledConv(nn.Module):
    """y = (w * x + e * edge + b) · exp(3 · logs), `(B, channels_in, H, W)` → `(B, channels_out, H, W)`.

    `zero`: a last layer, which starts by giving zeros. Otherwise b and logs start from the first training batch.
    """

    started: Tensor

    def __init__(self, channels_in: int, channels_out: int, size: int, *, zero: bool = False) -> None:
        super().__init__()
        spread = 0.0 if zero else SPREAD
        self.size, self.known = size, zero
        self.weight = nn.Parameter(spread * torch.randn(channels_out, channels_in, size, size))
        self.edge = nn.Parameter(spread * torch.randn(channels_out, 1, size, size)) if size > 1 else None
        self.b = nn.Parameter(torch.zeros(channels_out))
        self.logs = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("started", torch.tensor(zero))

    def forward(self, x: Tensor) -> Tensor:
        if self.training and not self.known:
            self._start(x)
        scale = (GAIN * self.logs).exp()
        weight, bias = self.weight * scale[:, None, None, None], self.b * scale
        if self.edge is None:
            return conv2d(x, weight, bias)
        edge = self.edge * scale[:, None, None, None]
        return _with_edge(x, weight, edge, bias)

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Once: the flag is saved with the weights, and read again only where it may be new."""
        if not self.started:
            h = (conv2d(x, self.weight) if self.edge is None else _with_edge(x, self.weight, self.edge)).float()
            var, mean = torch.var_mean(h, (0, 2, 3), correction=0)
            self.b.copy_(-mean)
            self.logs.copy_(-torch.log(var.sqrt() + 1e-6) / GAIN)
            self.started.fill_(True)
        self.known = True


def _with_edge(x: Tensor, weight: Tensor, edge: Tensor, bias: Tensor | None = None) -> Tensor:
    """w * x + e * edge + b, with the edge's share added where there are fewer channels: at the end or the start.

    The edge is 1 minus a channel of ones with zeros around it, so e * edge = Σe - e * ones.
    """
    channels_out, channels_in = weight.shape[:2]
    if channels_out <= channels_in:
        return conv2d(x, weight, bias, padding=1) + edge_map(edge, x.shape[2], x.shape[3])
    ones = x.new_ones(1, 1, 1, 1).expand(len(x), 1, *x.shape[2:])
    constant = edge.sum((1, 2, 3))
    bias = constant if bias is None else bias + constant
    together = torch.cat((x, ones), 1).contiguous(memory_format=torch.channels_last)
    return conv2d(together, torch.cat((weight, -edge), 1), bias, padding=1)


def edge_map(edge: Tensor, height: int, width: int) -> Tensor:
    """e * edge `(1, channels, H, W)`: what the margin adds to each place of a picture of that size."""
    margin = pad(edge.new_zeros(1, 1, height, width), (1, 1, 1, 1), value=1.0)
    return conv2d(margin, edge)


class CouplingNet(nn.Sequential):
    """3×3 → relu → 1×1 → relu → 3×3 from zero, of `width` hidden channels."""

    def __init__(self, channels_in: int, width: int, channels_out: int) -> None:
        super().__init__(
            ScaledConv(channels_in, width, 3),
            nn.ReLU(inplace=True),
            ScaledConv(width, width, 1),
            nn.ReLU(inplace=True),
            ScaledConv(width, channels_out, 3, zero=True),
        )


class EdgeMap(nn.Module):
    """A last layer that looks at zeros alone: what remains is its bias and the edge, `(1, channels, H, W)`.

    So a learned prior may differ at the border of the picture, as in the authors' code.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        self.edge = nn.Parameter(torch.zeros(channels, 1, 3, 3))
        self.b = nn.Parameter(torch.zeros(channels))
        self.logs = nn.Parameter(torch.zeros(channels))

    def forward(self) -> Tensor:
        scale = (GAIN * self.logs).exp()[:, None, None]
        return (edge_map(self.edge, self.height, self.width) + self.b[:, None, None]) * scale
