"""Compute a packed step of Glow so that gradients of its input exist. Its weights are constant.

The arithmetic is that of `PackedStep`. Every picture is multiplied in a product of its own, forwards and backwards, so
it is the same bit for bit in any batch.
"""

from typing import Any

import torch
from torch import Tensor

from studio.nets.glow_steps import add_windows, edge_windows


class GradientStep:
    """Runs a step of flow forwards: z and log |det ∂z/∂x| from x, differentiable in x alone.

    Arguments
        there: W and b of the step's channels, `(C, C)` and `(C,)`
        layers: those of the network, as `PackedStep` takes them
        of_class: what each class adds to the first layer, `(classes, width)`; None for nothing
        floor: of σ
        slope: log |det W|
    """

    def __init__(
        self,
        there: tuple[Tensor, Tensor],
        layers: tuple[Tensor, ...],
        of_class: Tensor | None,
        *,
        floor: float,
        slope: float,
    ) -> None:
        self.mix, self.shift = there
        self.v1, self.v2, b2, self.v3, self.edge3, self.b3 = layers
        self.least = -b2
        self.of_class = of_class
        self.floor = floor
        self.slope = slope
        self.half = len(self.shift) // 2
        self.given = len(self.b3)
        width = self.v1.shape[1]
        self.v1_seen = self.v1.view(9, self.half + 1, width)[:, : self.half].reshape(-1, width)  # without the ones
        self.a3: dict[tuple[int, int], Tensor] = {}

    def forward(self, x: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return z, of x's shape `(B, C, H, W)`, and ladj `(B,)`."""
        result: tuple[Tensor, Tensor] = _Step.apply(x, self, c)  # type: ignore[no-untyped-call]
        return result

    def added_last(self, height: int, width: int) -> Tensor:
        """Return what the third layer adds at each place, `(1, H, W, channels of r)`."""
        size = (height, width)
        if size not in self.a3:
            constant = (-self.least @ self.v3).expand(height * width, -1).contiguous()
            inside = add_windows(constant, (1, height, width, self.given))
            at_edge = (edge_windows(height, width, self.b3.dtype) @ self.edge3.t()).view(inside.shape)
            self.a3[size] = inside + at_edge + self.b3
        return self.a3[size]


class _Step(torch.autograd.Function):
    """Computes what LearningSteps computes, for one step and without gradients of weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: GradientStep, c: Tensor | None) -> tuple[Tensor, Tensor]:
        (count, _, height, width) = x.shape
        half = step.half
        h = torch.baddbmm(step.shift, _rows(x), step.mix.expand(count, -1, -1))  # (B, H · W, C)
        frame = x.new_zeros(count, height + 2, width + 2, half + 1)
        frame[:, 1:-1, 1:-1, :half] = h[:, :, :half].view(count, height, width, half)
        frame[:, 1:-1, 1:-1, half] = 1
        seen = _windows(frame).reshape(count, height * width, -1)  # (B, H · W, 9 · (C/2 + 1))
        h1 = torch.bmm(seen, step.v1.expand(count, -1, -1))
        if step.of_class is not None and c is not None:
            h1 += step.of_class[c][:, None]
        h1 = torch.relu_(h1)
        h2 = torch.maximum(torch.bmm(h1, step.v2.expand(count, -1, -1)), step.least)
        parts = torch.bmm(h2, step.v3.expand(count, -1, -1)).flatten(0, 1)
        r = add_windows(parts, (count, height, width, step.given)) + step.added_last(height, width)
        r = r.view(count, height * width, step.given)
        moved = h[:, :, half:] + r[:, :, step.given - half :]
        ladj = x.new_full((count,), step.slope * height * width)
        scale = None
        if step.given > half:
            scale = torch.sigmoid(r[:, :, :half]).clamp_min_(step.floor)
            moved = moved * scale
            ladj += scale.log().flatten(1).sum(1)
        ctx.step = step
        ctx.save_for_backward(h1, h2, moved, scale)
        return _pictures(torch.cat((h[:, :, :half], moved), 2), height, width), ladj

    @staticmethod
    def backward(ctx: Any, dz: Tensor, dladj: Tensor) -> tuple[Tensor, None, None]:
        h1, h2, moved, scale = ctx.saved_tensors
        step: GradientStep = ctx.step
        (count, _, height, width) = dz.shape
        half = step.half
        d = _rows(dz)
        dr = dt = d[:, :, half:]
        if scale is not None:
            of_log = torch.where(scale > step.floor, dt * moved + dladj[:, None, None], 0)  # of log σ
            dt = dt * scale
            dr = torch.cat((of_log * (1 - scale), dt), 2)
        frame = dz.new_zeros(count, height + 2, width + 2, step.given)
        frame[:, 1:-1, 1:-1] = dr.view(count, height, width, step.given)
        around = _windows(frame).reshape(count, height * width, -1)
        dh = torch.bmm(around, step.v3.t().expand(count, -1, -1)) * (h2 > step.least)
        dh = torch.bmm(dh, step.v2.t().expand(count, -1, -1)) * (h1 > 0)
        seen = torch.bmm(dh, step.v1_seen.t().expand(count, -1, -1)).flatten(0, 1)
        kept = d[:, :, :half] + add_windows(seen, (count, height, width, half)).reshape(count, height * width, half)
        dx = torch.bmm(torch.cat((kept, dt), 2), step.mix.t().expand(count, -1, -1))
        return _pictures(dx, height, width), None, None


def _windows(frame: Tensor) -> Tensor:
    """Return the 3×3 window around each pixel: `(B, H + 2, W + 2, C)` → `(B, H, W, 3, 3 · C)`, as a view."""
    count, height, width, channels = frame.shape
    picture, row, pixel, _ = frame.stride()
    return frame.as_strided((count, height - 2, width - 2, 3, 3 * channels), (picture, row, pixel, row, 1))


def _rows(x: Tensor) -> Tensor:
    """Return pictures `(B, C, H, W)` as pixels `(B, H · W, C)`."""
    return x.permute(0, 2, 3, 1).reshape(len(x), -1, x.shape[1])


def _pictures(rows: Tensor, height: int, width: int) -> Tensor:
    return rows.view(len(rows), height, width, -1).permute(0, 3, 1, 2)
