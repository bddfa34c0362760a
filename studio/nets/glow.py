"""The networks of Glow (Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039).

They follow section 3.3 and the authors' code. Every layer is y = (w * x + b) · exp(3 · logs) by channel. In hidden
layers b and logs are an actnorm: they are initialised so that the first training batch has mean 0 and variance 1
afterwards. In last layers w, b and logs start at zero. Convolutions of 3×3 see one more channel, which is 0 on the
picture and 1 in the margin around it, so that they know its edge.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from studio.nets.convolution import PackedConv
from studio.nets.glow_steps import edge_windows, pad_to_eight

GAIN = 3.0
"""The factor before logs, which lets them learn faster."""
START_DEVIATION = 0.05
"""Standard deviation of hidden weights at the start."""


class ScaledConv(nn.Module):
    """Computes y = (w * x + e * edge + b) · exp(3 · logs), `(B, channels_in, H, W)` → `(B, channels_out, H, W)`.

    `zero`: a last layer, which returns zeros at first. Otherwise it is a hidden layer: b and logs are initialised by
    the first training batch, and a relu is applied to y. With `takes_more`, something may be added before the relu.
    """

    started: Tensor

    def __init__(
        self, channels_in: int, channels_out: int, size: int, *, zero: bool = False, takes_more: bool = False
    ) -> None:
        super().__init__()
        self.takes_more = takes_more
        spread = 0.0 if zero else START_DEVIATION
        self.hidden = not zero
        self.known = zero
        self.weight = nn.Parameter(spread * torch.randn(channels_out, channels_in, size, size))
        self.edge = nn.Parameter(spread * torch.randn(channels_out, 1, size, size)) if size > 1 else None
        self.b = nn.Parameter(torch.zeros(channels_out))
        self.logs = nn.Parameter(torch.zeros(channels_out))
        self.register_buffer("started", torch.tensor(zero))
        # With fewer channels in than out, the edge is one more input channel; otherwise it is added to the output.
        self.ones = size > 1 and channels_in < channels_out
        self.folded: nn.Module | None = None

    def forward(self, x: Tensor, more: Tensor | None = None) -> Tensor:
        if self.folded is not None:
            y: Tensor = self.folded(x)
            return torch.relu_(y if more is None else y + more) if self.takes_more else y
        if self.ones:
            x = _with_ones(x)
        if self.training and not self.known:
            self._start(x)
        y = self._conv(x, (GAIN * self.logs).exp(), self.b)
        if more is not None:
            y = y + more
        return torch.relu_(y) if self.hidden else y

    def _conv(self, x: Tensor, scale: Tensor, b: Tensor) -> Tensor:
        """Convolve with scaled weights and bias, which is less work than scaling the output."""
        weight, bias, edge = self._scaled(scale, b)
        y = _in_any_batch(lambda x: conv2d(x, weight, bias, padding=weight.shape[2] // 2), x)
        return y if edge is None else y + edge_sums(edge, x.shape[2], x.shape[3])

    def _scaled(self, scale: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return weights and bias of one convolution, and of the edge if it is added to the output.

        The edge is 1 minus a channel of ones with zeros around it, so e * edge = Σe - e * ones.
        """
        weight = self.weight * scale[:, None, None, None]
        bias = b * scale
        if self.edge is None:
            return weight, bias, None
        edge = self.edge * scale[:, None, None, None]
        if self.ones:
            return torch.cat((weight, -edge), 1), bias + edge.sum((1, 2, 3)), None
        return weight, bias, edge

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        """Initialise once. The flag is saved with the weights, and read again only if it may have changed."""
        if not self.started:
            h = self._conv(x, torch.ones_like(self.logs), torch.zeros_like(self.b)).float()
            var, mean = torch.var_mean(h, (0, 2, 3), correction=0)
            self.b.copy_(-mean)
            self.logs.copy_(-torch.log(var.sqrt() + 1e-6) / GAIN)
            self.started.fill_(True)
        self.known = True

    @torch.no_grad()
    def fold(self) -> None:
        """Store a plain convolution of the scaled weights, for inference."""
        relu = self.hidden and not self.takes_more
        self.folded = FoldedConv(*self._scaled((GAIN * self.logs).exp(), self.b), ones=self.ones, relu=relu)


class FoldedConv(nn.Module):
    """Runs a ScaledConv for inference, its scales multiplied out.

    What depends only on the size of x is cached.
    """

    ones: Tensor | None
    edge: Tensor | None
    edges: Tensor | None

    def __init__(self, weight: Tensor, bias: Tensor, edge: Tensor | None, *, ones: bool, relu: bool) -> None:
        super().__init__()
        self.conv: nn.Module = _plain_conv(weight, bias)
        self.relu = relu
        self.with_ones = ones
        self.register_buffer("edge", edge, persistent=False)
        self.register_buffer("edges", None, persistent=False)
        self.register_buffer("ones", None, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.with_ones:
            if self.ones is None or self.ones.shape[::2] != x.shape[::2] or self.ones.shape[3] != x.shape[3]:
                self.ones = x.new_ones(len(x), 1, *x.shape[2:])
            x = torch.cat((x, self.ones), 1)
        y: Tensor = self.conv(x) if isinstance(self.conv, PackedConv) else _in_any_batch(self.conv, x)
        if self.edge is not None:
            if self.edges is None or self.edges.shape[2:] != x.shape[2:]:
                self.edges = edge_sums(self.edge, x.shape[2], x.shape[3])
            return y.add_(self.edges)
        return torch.relu_(y) if self.relu else y

    def pack(self) -> None:
        """Lay the weights out for this processor, and apply the relu in the same pass."""
        if isinstance(self.conv, nn.Conv2d) and self.conv.weight.dtype == torch.float32:
            self.conv = PackedConv(self.conv, relu=self.relu)
            self.relu = False


def _plain_conv(weight: Tensor, bias: Tensor) -> nn.Conv2d:
    channels_out, channels_in, size, _ = weight.shape
    conv = nn.Conv2d(channels_in, channels_out, size, padding=size // 2, device=weight.device, dtype=weight.dtype)
    conv.requires_grad_(False)
    assert conv.bias is not None
    conv.weight.copy_(weight)
    conv.bias.copy_(bias)
    return conv


def _in_any_batch(conv: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return conv(x), in which a picture is the same bit for bit in any batch.

    Torch computes a single small picture in float32 in another way, which rounds differently. So it is computed in a
    batch of two.
    """
    if len(x) > 1 or x.dtype != torch.float32:
        return conv(x)
    return conv(x.expand(2, -1, -1, -1))[:1]


def _with_ones(x: Tensor) -> Tensor:
    """Return x with a channel of ones, channels innermost in memory."""
    ones = x.new_ones(1, 1, 1, 1).expand(len(x), 1, *x.shape[2:])
    return torch.cat((x, ones), 1).contiguous(memory_format=torch.channels_last)


def edge_sums(edge: Tensor, height: int, width: int) -> Tensor:
    """Return e * edge `(1, channels, H, W)`: what the margin adds to each place of a picture of that size."""
    margin = pad(edge.new_zeros(1, 1, height, width), (1, 1, 1, 1), value=1.0)
    return conv2d(margin, edge)


class CouplingNet(nn.Sequential):
    """Runs 3×3 → relu → 1×1 → relu → 3×3 from zero. It has `width` hidden channels.

    With `classes`, each adds its own numbers to the first layer's channels, zeros at first.
    """

    def __init__(self, channels_in: int, width: int, channels_out: int, classes: int = 0) -> None:
        super().__init__(
            ScaledConv(channels_in, width, 3, takes_more=classes > 0),
            ScaledConv(width, width, 1),
            ScaledConv(width, channels_out, 3, zero=True),
        )
        self.of_class = nn.Parameter(torch.zeros(classes, width)) if classes else None

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        more = None if self.of_class is None else self.of_class[c][:, :, None, None]
        first, second, last = self
        result: Tensor = last(second(first(x, more)))
        return result


def stack_networks(
    nets: Sequence[CouplingNet], height: int, width: int, offset: Tensor, c: Tensor | None = None
) -> tuple[Tensor, ...]:
    """Stack the scaled weights of nets for pictures of a size and their classes, as `LearningSteps` takes them.

    All nets are handled at once, because many small tensors take longer to handle than to compute. `offset` is added to
    the output.
    """
    w1, e1, b1, s1, w2, b2, s2, w3, e3, b3, s3 = _stacks(nets)
    margin = edge_windows(height, width, w1.dtype)
    a1, a3 = (
        margin @ (edge.flatten(2) * scale[:, :, None]).transpose(1, 2) + (b * scale)[:, None]  # (K, H · W, channels)
        for edge, b, scale in ((e1, b1, s1), (e3, b3, s3))
    )
    v1 = (w1 * s1[:, :, None, None, None]).flatten(2)  # (K, channels_out, …)
    v2 = w2.flatten(2) * s2[:, :, None]
    v3 = w3.permute(0, 2, 3, 1, 4).flip(1, 2).flatten(1, 3)  # (K, 9 · channels_out, channels_in)
    of_class = [net.of_class[c] if net.of_class is not None else b2.new_zeros(0) for net in nets]
    return pad_to_eight(v1, 2), a1, torch.stack(of_class), v2, b2 * s2, pad_to_eight(v3, 1), s3, a3 + offset


def _stacks(nets: Sequence[CouplingNet]) -> Iterator[Tensor]:
    """Return the stacked parameters of each layer of all nets.

    They are weights `(K, channels_out, size, size, channels_in)`, edge, b and scale.
    """
    for layers in zip(*nets, strict=True):
        yield torch.stack([layer.weight.permute(0, 2, 3, 1) for layer in layers])
        if layers[0].edge is not None:
            yield torch.stack([layer.edge for layer in layers])
        yield torch.stack([layer.b for layer in layers])
        yield (GAIN * torch.stack([layer.logs for layer in layers])).exp()


@torch.no_grad()
def packed_layers(net: CouplingNet, offset: Tensor) -> tuple[Tensor, ...]:
    """Return the scaled weights of a net as `PackedStep` takes them. `offset` is added to the output."""
    w1, e1, b1, s1, w2, b2, s2, w3, e3, b3, s3 = (stack[0] for stack in _stacks([net]))
    ones = -e1[:, 0, :, :, None]  # 1 minus the edge: e * edge = Σe - e * ones
    ones[:, 1, 1, 0] += b1 + e1.sum((1, 2, 3))
    v1 = torch.cat((w1, ones), 3).flatten(1) * s1[:, None]
    v2 = w2.flatten(1) * s2[:, None]
    v3 = w3.permute(1, 2, 0, 3).flip(0, 1) * s3[:, None]
    edge3 = e3.flatten(1) * s3[:, None]
    return v1.t().contiguous(), v2.t().contiguous(), b2 * s2, v3.flatten(0, 2).t().contiguous(), edge3, b3 * s3 + offset


class EdgeLayer(nn.Module):
    """Is a last layer with an input of zeros only. Its bias and the edge remain, `(1, channels, H, W)`.

    So a learned prior may differ at the border of the picture, as in the authors' code.
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.height = height
        self.width = width
        self.edge = nn.Parameter(torch.zeros(channels, 1, 3, 3))
        self.b = nn.Parameter(torch.zeros(channels))
        self.logs = nn.Parameter(torch.zeros(channels))

    def forward(self) -> Tensor:
        scale = (GAIN * self.logs).exp()[:, None, None]
        return (edge_sums(self.edge, self.height, self.width) + self.b[:, None, None]) * scale
