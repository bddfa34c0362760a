"""A coupling net of Glow as matrix products over pixels, which a processor is faster with than with convolutions.

A 3×3 convolution of few channels to many is one product of the window around each pixel with the weights; one of
many channels to few is one product of each pixel with the weights, whose nine results are then added where they
belong. Few channels are gathered and added in both, and forwards and backwards alike.
"""

import functools
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


@functools.cache
def margins(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """`(H · W, 9)`: 1 where a pixel's window reaches over the edge of the picture, else 0."""
    frame = pad(torch.zeros(1, height, width, 1, dtype=dtype), (0, 0, 1, 1, 1, 1), value=1.0)
    return _around(frame)


def windows(x: Tensor) -> Tensor:
    """The 3×3 window around each pixel, `(B, H, W, C)` → `(B · H · W, 9 · C)`; over the edge it sees zeros."""
    return _around(pad(x, (0, 0, 1, 1, 1, 1)))


def _around(frame: Tensor) -> Tensor:
    count, height, width, channels = frame.shape
    picture, row, pixel, _ = frame.stride()
    view = frame.as_strided((count, height - 2, width - 2, 3, 3 * channels), (picture, row, pixel, row, 1))
    return view.reshape(-1, 9 * channels)


def added(parts: Tensor, size: tuple[int, int, int]) -> Tensor:
    """What each pixel gives to the nine around it, added where it belongs: the transpose of `windows`.

    `(B · H · W, 9 · C)` → `(B, H, W, C)` for `size` (B, H, W); it works in `parts`, and the result is a view of them.
    """
    rows = parts.view(*size, 3, -1)
    rows[:, 1:, :, 1] += rows[:, :-1, :, 2]
    rows[:, :-1, :, 1] += rows[:, 1:, :, 0]
    pixels = rows[:, :, :, 1].view(*size, 3, -1)
    pixels[:, :, 1:, 1] += pixels[:, :, :-1, 2]
    pixels[:, :, :-1, 1] += pixels[:, :, 1:, 0]
    return pixels[:, :, :, 1]


def learning(gain: float, x: Tensor, layers: Iterable[Tensor]) -> Tensor:
    """LearningNet of these layers."""
    y: Tensor = LearningNet.apply(gain, x, *layers)  # type: ignore[no-untyped-call]
    return y


class LearningNet(torch.autograd.Function):
    """Three scaled convolutions, 3×3 → relu → 1×1 → relu → 3×3, with their gradients.

    Of each layer it takes weight, edge (but of the second), b and logs, as `ScaledConv` has them; their gradients
    follow from those of the scaled weights: with v = w · exp(g · logs), dw = dv · exp(g · logs), dlogs = g Σ dw · w.
    """

    @staticmethod
    def forward(ctx: Any, gain: float, x: Tensor, *layers: Tensor) -> Tensor:
        w1, e1, b1, logs1, w2, b2, logs2, w3, e3, b3, logs3 = layers
        size = (len(x), *x.shape[2:])
        margin = margins(*size[1:], x.dtype)
        s1, s2, s3 = ((gain * logs).exp_() for logs in (logs1, logs2, logs3))
        v1 = (w1 * s1[:, None, None, None]).permute(0, 2, 3, 1).flatten(1)  # (width, 9 · channels_in)
        v2 = w2.flatten(1) * s2[:, None]  # (width, width)
        v3 = _turned((w3 * s3[:, None, None, None]).permute(2, 3, 0, 1))  # (9 · channels_out, width)
        seen = windows(x.permute(0, 2, 3, 1))
        edges = _edges(margin, e1, b1, s1)
        h1 = edges.repeat(len(x), 1).addmm_(seen, v1.t()).relu_()  # (B · H · W, width)
        h2 = torch.addmm(b2 * s2, h1, v2.t()).relu_()
        y = added(h2 @ v3.t(), size) + _edges(margin, e3, b3, s3).view(1, *size[1:], -1)
        ctx.gain, ctx.size = gain, size
        ctx.save_for_backward(seen, h1, h2, v1, v2, v3, s1, s2, s3, *layers)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        seen, h1, h2, v1, v2, v3, s1, s2, s3, *layers = ctx.saved_tensors
        w1, e1, b1, _, w2, b2, _, w3, e3, b3, _ = layers
        margin = margins(*ctx.size[1:], dy.dtype)
        dy = dy.permute(0, 2, 3, 1)
        parts = windows(dy)
        dw3 = _turned_back(parts.t() @ h2, w3)
        last = _scaled_back(ctx.gain, s3, (dw3, w3), *_edges_back(margin, dy.sum(0).flatten(0, 1), e3, b3))
        d = _through_relu(parts @ v3, h2)
        middle = _scaled_back(ctx.gain, s2, ((d.t() @ h1).view_as(w2), w2), (d.sum(0), b2))
        d = _through_relu(d @ v2, h1)
        dw1 = (d.t() @ seen).view(len(w1), 3, 3, -1).permute(0, 3, 1, 2)
        edges = _edges_back(margin, d.view(ctx.size[0], -1, len(w1)).sum(0), e1, b1)
        first = _scaled_back(ctx.gain, s1, (dw1, w1), *edges)
        dx = added(d @ v1, ctx.size).permute(0, 3, 1, 2) if ctx.needs_input_grad[1] else None
        return None, dx, *first, *middle, *last


def _turned(kernel: Tensor) -> Tensor:
    """`(3, 3, channels_out, channels_in)` → `(9 · channels_out, channels_in)`, upside down and left to right.

    A convolution looks at what is around a pixel; as what a pixel gives to those around it, it is turned.
    """
    return kernel.flip(0, 1).reshape(-1, kernel.shape[3])


def _turned_back(rows: Tensor, like: Tensor) -> Tensor:
    return rows.view(3, 3, *like.shape[:2]).flip(0, 1).permute(2, 3, 0, 1)


def _edges(margin: Tensor, edge: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    """b and what the edge adds at each place, scaled, `(H · W, channels)`."""
    return torch.addmm(b * scale, margin, (edge.flatten(1) * scale[:, None]).t())


def _edges_back(margin: Tensor, d: Tensor, edge: Tensor, b: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    return ((d.t() @ margin).view_as(edge), edge), (d.sum(0), b)


def _scaled_back(gain: float, scale: Tensor, *pairs: tuple[Tensor, Tensor]) -> tuple[Tensor, ...]:
    """From gradients of scaled values, each beside its plain value, those of the plain values and of logs."""
    found = [d * scale.view(-1, *[1] * (d.dim() - 1)) for d, _ in pairs]
    shares = [_by_first(d * of) for d, (_, of) in zip(found, pairs, strict=True)]
    return *found, gain * functools.reduce(torch.add, shares)


def _by_first(x: Tensor) -> Tensor:
    return x.sum(tuple(range(1, x.dim()))) if x.dim() > 1 else x


def _through_relu(d: Tensor, h: Tensor) -> Tensor:
    """d where h, which a relu gave, is above 0; in place."""
    torch.ops.aten.threshold_backward.grad_input(d, h, 0, grad_input=d)
    return d
