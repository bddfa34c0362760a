"""Steps of Glow as matrix products over pixels, which a processor learns faster with than with convolutions.

A 3×3 convolution of few channels to many is one product of the window around each pixel with the weights; one of
many channels to few is one product of each pixel with the weights, whose nine results are then added where they
belong. Few channels are gathered and added in both, and forwards and backwards alike.
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad


@functools.cache
def margins(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """`(H · W, 9)`: 1 where a pixel's window reaches over the edge of the picture, else 0."""
    return _around(pad(torch.zeros(1, height, width, 1, dtype=dtype), (0, 0, 1, 1, 1, 1), value=1.0))


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
    for way, most in ((1, size[1] - 1), (2, size[2] - 1)):  # up and down, then left and right
        before, here, after = parts.view(*size, 3, -1).unbind(3)
        here.narrow(way, 0, most).add_(before.narrow(way, 1, most))
        here.narrow(way, 1, most).add_(after.narrow(way, 0, most))
        parts = here
    return parts


def steps_of_flow(x: Tensor, *stacks: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """LearningSteps of these arguments."""
    result: tuple[Tensor, Tensor] = LearningSteps.apply(floor, x, *stacks)  # type: ignore[no-untyped-call]
    return result


class LearningSteps(torch.autograd.Function):
    """K steps of flow one after the other, with their gradients.

        h = x W + b                                       every pixel's channels mixed
        r = net of the first half of h                    3×3 → relu → 1×1 → relu → 3×3
        z = first half of h, (second half + t) · σ        σ = max(sigmoid of r's first half, floor), t its second
        z = first half of h, second half + r              where r has no more channels than that half

    Arguments
        floor: of σ
        x: `(B, H, W, C)`
        mix, shift: W `(K, C, C)` and b `(K, C)`
        v1, a1: `(K, width, 9 · C/2)` and what the first layer adds at each place, `(K, H · W, width)`
        v2, a2: `(K, width, width)` and `(K, width)`
        v3, a3: `(K, 9 · channels of r, width)`, its 3×3 kernels turned by half, as what a pixel gives to those around
            it, and `(K, H · W, channels of r)`

    Result: z `(B, H, W, C)` and Σ log σ `(B,)`.
    """

    @staticmethod
    def forward(ctx: Any, floor: float, x: Tensor, *stacks: Tensor) -> tuple[Tensor, Tensor]:
        size, half = (len(x), x.shape[1], x.shape[2]), x.shape[3] // 2
        rows, ladj, kept = x.reshape(-1, 2 * half), x.new_zeros(size[0]), []
        for mix, shift, v1, a1, v2, a2, v3, a3 in zip(*stacks, strict=True):
            h = torch.addmm(shift, rows, mix)  # (B · H · W, C)
            seen = windows(h.view(*size, -1).narrow(3, 0, half))
            h1 = a1.repeat(size[0], 1).addmm_(seen, v1.t()).relu_()  # (B · H · W, width)
            h2 = torch.addmm(a2, h1, v2.t()).relu_()
            raw = (added(h2 @ v3.t(), size) + a3.view(size[1], size[2], -1)).flatten(0, 2)
            moved, scale = h.narrow(1, half, half), None
            if raw.shape[1] == half:
                moved.add_(raw)
            else:
                scale = raw.narrow(1, 0, half).sigmoid().clamp_min_(floor)
                moved.add_(raw.narrow(1, half, half)).mul_(scale)
                ladj += scale.log().view(size[0], -1).sum(1)
            kept += [rows, seen, h1, h2, scale, h]
            rows = h
        ctx.floor, ctx.size, ctx.half = floor, size, half
        ctx.save_for_backward(*stacks, *kept)
        return rows.view(x.shape), ladj

    @staticmethod
    def backward(ctx: Any, dz: Tensor, dladj: Tensor) -> tuple[Tensor | None, ...]:
        (count, height, width), half = ctx.size, ctx.half
        stacks, kept = ctx.saved_tensors[:8], ctx.saved_tensors[8:]
        grads = [torch.empty_like(stack, memory_format=torch.contiguous_format) for stack in stacks]
        d = dz.reshape(-1, 2 * half).clone()
        dladj = dladj[:, None].expand(-1, height * width).reshape(-1, 1)
        frame = dz.new_zeros(count, height + 2, width + 2, stacks[7].shape[2])
        inside = frame[:, 1:-1, 1:-1]
        for k in reversed(range(len(grads[0]))):
            mix, _, v1, _, v2, _, v3, _ = (stack[k] for stack in stacks)
            dmix, dshift, dv1, da1, dv2, da2, dv3, da3 = (grad[k] for grad in grads)
            rows, seen, h1, h2, scale, z = kept[6 * k : 6 * k + 6]
            moved = d.narrow(1, half, half)
            if scale is not None:
                draw = torch.addcmul(dladj, moved, z.narrow(1, half, half))  # of log σ
                draw = _where_above(draw, scale, ctx.floor).mul_(1 - scale)
                inside.narrow(3, 0, half).copy_(draw.view(count, height, width, half))
                moved.mul_(scale)
            inside.narrow(3, frame.shape[3] - half, half).copy_(moved.view(count, height, width, half))
            parts = _around(frame)
            torch.sum(inside.flatten(1, 2), 0, out=da3)
            torch.mm(parts.t(), h2, out=dv3)
            dh = _where_above(parts @ v3, h2)
            torch.mm(dh.t(), h1, out=dv2)
            torch.sum(dh, 0, out=da2)
            dh = _where_above(dh @ v2, h1)
            torch.mm(dh.t(), seen, out=dv1)
            torch.sum(dh.view(count, height * width, -1), 0, out=da1)
            d.view(count, height, width, -1).narrow(3, 0, half).add_(added(dh @ v1, ctx.size))
            torch.sum(d, 0, out=dshift)
            torch.mm(rows.t(), d, out=dmix)
            d = d @ mix.t()
        return None, d.view(dz.shape), *grads


def _where_above(d: Tensor, h: Tensor, floor: float = 0.0) -> Tensor:
    """d where h is above a floor that it was held to, else 0; in place."""
    torch.ops.aten.threshold_backward.grad_input(d, h, floor, grad_input=d)
    return d


def turned(kernels: Tensor) -> Tensor:
    """`(K, channels_out, 3, 3, channels_in)` → `(K, 9 · channels_out, channels_in)`, turned by half."""
    return kernels.flip(2, 3).permute(0, 2, 3, 1, 4).flatten(1, 3)
