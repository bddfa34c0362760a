"""Compute steps of Glow as matrix products over pixels. On a processor they are faster than convolutions.

A 3×3 convolution of few channels to many is one product of the window around each pixel with the weights. One of many
channels to few is one product of each pixel with the weights, whose nine results are then added in their places. Only
few channels are gathered and added in both, forwards and backwards.
"""

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

PIXELS_AT_ONCE = 1024
"""Number of pixels that a thread takes through all layers of a packed net before the next ones.

Their features then stay in the cache: of 16 pictures of 32 × 32, all at once took 1.05 times as long.
"""


@functools.cache
def edge_windows(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """Return `(H · W, 9)`: 1 if a pixel's window reaches over the edge of the picture there, else 0."""
    return _around(pad(torch.zeros(1, height, width, 1, dtype=dtype), (0, 0, 1, 1, 1, 1), value=1.0)).reshape(-1, 9)


def _around(frame: Tensor) -> Tensor:
    """Return the 3×3 window around each pixel as a view. It maps `(B, H + 2, W + 2, C)` to `(B, H, W, 3, 3 · C)`."""
    count, height, width, channels = frame.shape
    picture, row, pixel, _ = frame.stride()
    return frame.as_strided((count, height - 2, width - 2, 3, 3 * channels), (picture, row, pixel, row, 1))


def pad_to_eight(x: Tensor, dim: int) -> Tensor:
    """Return x padded with zeros to a multiple of 8 entries.

    Products of 112 entries are a quarter faster than those of 108.
    """
    return pad(x, (0, 0) * (x.dim() - 1 - dim) + (0, -x.shape[dim] % 8))


def add_windows(parts: Tensor, size: tuple[int, int, int, int]) -> Tensor:
    """Add each pixel's nine results to the pixels around it: the transpose of `_around`.

    `(B · H · W, 9 · C or more)` → `size`, (B, H, W, C); it works in `parts`, and the result is a view of them.
    """
    moves, sums = _moves(parts, size)
    for to, of in moves:
        to.add_(of)
    return sums


def _moves(parts: Tensor, size: tuple[int, int, int, int]) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Return views of `parts` to be added to each other in turn, and the sums."""
    moves = []
    parts = parts.narrow(1, 0, 9 * size[3])
    for way, most in ((1, size[1] - 1), (2, size[2] - 1)):  # up and down, then left and right
        before, here, after = parts.view(*size[:3], 3, -1).unbind(3)
        moves.append((here.narrow(way, 0, most), before.narrow(way, 1, most)))
        moves.append((here.narrow(way, 1, most), after.narrow(way, 0, most)))
        parts = here
    return moves, parts


def apply_learning_steps(x: Tensor, *stacks: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Apply LearningSteps to these arguments."""
    result: tuple[Tensor, Tensor] = LearningSteps.apply(floor, x, *stacks)  # type: ignore[no-untyped-call]
    return result


class LearningSteps(torch.autograd.Function):
    """Runs K steps of flow in a row, with their gradients.

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
        v3, s3, a3: `(K, 9 · channels of r, width)`, its 3×3 kernels turned by half, as what a pixel gives to those
            around it; what that is to be multiplied by, `(K, channels of r)`; and what is then added at each place,
            `(K, H · W, channels of r)`

    Result: z `(B, H, W, C)` and Σ log σ `(B,)`.
    """

    @staticmethod
    def forward(ctx: Any, floor: float, x: Tensor, *stacks: Tensor) -> tuple[Tensor, Tensor]:
        (count, height, width, channels) = x.shape
        half = x.shape[3] // 2
        rows = x.reshape(-1, channels)
        kept = []
        scales = x.new_ones(len(stacks[0]), len(rows), half)
        frame, inside = _frame(x, half)
        for scale, mix, shift, v1, a1, v2, a2, v3, s3, a3 in zip(scales, *stacks, strict=True):
            h = torch.addmm(shift, rows, mix)  # (B · H · W, C)
            inside.copy_(h.view(x.shape).narrow(3, 0, half))
            seen = _around(frame).clone(memory_format=torch.contiguous_format).view(len(h), -1)  # 9 · C/2 of each pixel
            h1 = (seen @ v1.narrow(1, 0, seen.shape[1]).t()).view(count, -1, len(a2)).add_(a1).relu_().flatten(0, 1)
            h2 = (h1 @ v2.t()).add_(a2).relu_()  # (B · H · W, width)
            plain = add_windows(h2 @ v3.t(), (count, height, width, a3.shape[1])).contiguous().flatten(1, 2)
            r = torch.addcmul(a3, plain, s3).flatten(0, 1)  # (B · H · W, its channels)
            moved = h.narrow(1, half, half).add_(r.narrow(1, r.shape[1] - half, half))
            if r.shape[1] > half:
                scale.copy_(r.sigmoid_().clamp_min_(floor).narrow(1, 0, half))
                moved.mul_(scale)
            kept += [rows, seen, h1, h2, plain, h]
            rows = h
        ctx.floor = floor
        ctx.save_for_backward(scales, *stacks, *kept)
        return rows.view(x.shape), scales.log().view(len(scales), count, -1).sum((0, 2))

    @staticmethod
    def backward(ctx: Any, dz: Tensor, dladj: Tensor) -> tuple[Tensor | None, ...]:
        scales = ctx.saved_tensors[0]
        stacks = ctx.saved_tensors[1:10]
        kept = ctx.saved_tensors[10:]
        grads = [torch.zeros_like(stack, memory_format=torch.contiguous_format) for stack in stacks]
        (count, height, width, channels) = dz.shape
        half = dz.shape[3] // 2
        given = stacks[8].shape[2]
        d = dz.reshape(-1, channels).clone()
        dladj = dladj[:, None].expand(-1, height * width).reshape(-1, 1)
        frame, inside = _frame(dz, given)
        parts = d.new_zeros(len(d), stacks[6].shape[1])
        each = list(zip(scales, *stacks, *grads, strict=True))
        for k in reversed(range(len(each))):
            scale, mix, _, v1, _, v2, _, v3, s3, _, dmix, dshift, dv1, da1, dv2, da2, dv3, ds3, da3 = each[k]
            rows, seen, h1, h2, plain, z = kept[6 * k : 6 * k + 6]
            moved = d.narrow(1, half, half)
            dr = d.new_empty(len(d), given)
            if given > half:
                dlog = torch.addcmul(dladj, moved, z.narrow(1, half, half))  # of log σ
                torch.mul(_where_above(dlog, scale, ctx.floor), 1 - scale, out=dr.narrow(1, 0, half))
                moved.mul_(scale)
            dr.narrow(1, given - half, half).copy_(moved)
            dr = dr.view(count, -1, given)
            torch.sum(dr, 0, out=da3)
            torch.sum((dr * plain).flatten(0, 1), 0, out=ds3)
            torch.mul(dr.view(inside.shape), s3, out=inside)
            around = _around(frame)
            parts.narrow(1, 0, 9 * given).view(around.shape).copy_(around)
            torch.mm(parts.t(), h2, out=dv3)
            dh = _where_above(parts @ v3, h2)
            torch.mm(dh.t(), h1, out=dv2)
            torch.sum(dh, 0, out=da2)
            dh = _where_above(dh @ v2, h1)
            torch.mm(dh.t(), seen, out=dv1.narrow(1, 0, 9 * half))
            torch.sum(dh.view(count, height * width, -1), 0, out=da1)
            d.view(dz.shape).narrow(3, 0, half).add_(add_windows(dh @ v1, (count, height, width, half)))
            torch.sum(d, 0, out=dshift)
            torch.mm(rows.t(), d, out=dmix)
            d = d @ mix.t()
        return None, d.view(dz.shape), *grads


class PackedStep:
    """Runs a step of flow for inference in as few calls as possible. The arithmetic is the same.

    A small picture waits for calls as long as for products, so values that depend only on weights and sizes are
    computed once. Every picture is multiplied in as many products as there are threads, and is the same bit for bit in
    any batch: the rounding of a product depends on its size, and that of a single one on how threads share it. The
    first layer sees one more channel of ones, by which it knows the edge and adds its b. The second adds none: relu(h +
    b) = max(h, -b) + b, and the last + b is a part of what the third adds.

    Arguments
        there, back: W and b of a step's channels, and of its inverse's: `(C, C)` and `(C,)` each
        v1: `(9 · (C/2 + 1), width)`
        v2, b2: `(width, width)` and `(width,)`
        v3, edge3, b3: `(width, 9 · channels of r)`, turned; `(channels of r, 9)`, and `(channels of r,)`
        floor: of σ
        slope: log |det W|
        desk: working memory that the steps of a level share
    """

    def __init__(
        self,
        there: tuple[Tensor, Tensor],
        back: tuple[Tensor, Tensor],
        layers: tuple[Tensor, ...],
        *,
        floor: float,
        slope: float,
        desk: "WorkBuffers",
    ) -> None:
        self.there = there
        self.back = back
        self.floor = floor
        self.slope = slope
        self.desk = desk
        v1, v2, b2, v3, self.edge3, self.b3 = layers
        self.weights = [v1[None], v2[None], pad_to_eight(v3, 1)[None]]
        self.least = -b2
        self.half = len(there[1]) // 2
        self.given = len(self.b3)
        self.fits: torch.Size | None = None

    def _fit(self, size: torch.Size) -> None:
        """Compute what the third layer adds at each place of a picture of that size."""
        height, width = size
        with torch.inference_mode(False), torch.no_grad():  # otherwise it could only be used in inference mode
            constant = (-self.least @ self.weights[2][0]).expand(height * width, -1).contiguous()
            inside = add_windows(constant, (1, height, width, self.given))
            at_edge = (edge_windows(height, width, self.b3.dtype) @ self.edge3.t()).view(inside.shape)
            a3 = inside + at_edge + self.b3  # (1, H, W, channels of r)
            self.a3 = (a3[..., : self.half].contiguous(), a3[..., -self.half :].contiguous())  # of σ and of t
        self.fits = size

    def _net(self, rows: Tensor, size: torch.Size) -> Tensor:
        """Return r `(B, H, W, channels of r)` of pixels in the form of `_rows`, without what is added at each place."""
        desk = self.desk
        desk.resize(rows, size, self.given, len(self.least))
        desk.inside.copy_(rows.narrow(2, 0, self.half).view(desk.inside.shape))
        for around, windows, seen, h1, h2, parts in desk.pieces:
            v1, v2, v3 = (weight.expand(len(seen), -1, -1) for weight in self.weights)
            windows.copy_(around)
            torch.relu_(torch.bmm(seen, v1, out=h1))
            torch.clamp_min_(torch.bmm(h1, v2, out=h2), self.least)
            torch.bmm(h2, v3, out=parts)
        for to, of in desk.moves:
            to.add_(of)
        return desk.sums

    def _moves(self, rows: Tensor, size: torch.Size) -> tuple[Tensor | None, Tensor]:
        """Return σ and t. Each has memory of its own: a logarithm of every other half takes five times as long."""
        if size != self.fits:
            self._fit(size)
        r = self._net(rows, size)
        half = self.half
        of_scale, of_shift = self.a3
        t = (r.narrow(3, self.given - half, half) + of_shift).view(len(rows), -1, half)
        if self.given == half:
            return None, t
        scale = torch.sigmoid_(r.narrow(3, 0, half) + of_scale).clamp_min_(self.floor)
        return scale.view(t.shape), t

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return z, of x's shape, and ladj."""
        size = x.shape[2:]
        half = self.half
        h = _mixed(_rows(x), *self.there)
        scale, t = self._moves(h, size)
        ladj = x.new_full((len(x),), self.slope * size[0] * size[1])
        moved = h.narrow(2, half, half) + t
        if scale is not None:
            moved.mul_(scale)
            ladj += scale.log().view(len(x), -1).sum(1)
        return _pictures(torch.cat((h.narrow(2, 0, half), moved), 2), size), ladj

    def inverse(self, z: Tensor) -> Tensor:
        """Return x, of z's shape."""
        size = z.shape[2:]
        half = self.half
        rows = _rows(z)
        scale, t = self._moves(rows, size)
        moved = rows.narrow(2, half, half)
        moved = moved - t if scale is None else (moved / scale).sub_(t)
        return _pictures(_mixed(torch.cat((rows.narrow(2, 0, half), moved), 2), *self.back), size)


def _rows(x: Tensor) -> Tensor:
    """Return pictures `(B, C, H, W)` as pixels: `(B · parts, H · W / parts, C)`."""
    parts = product_count(x.shape[2] * x.shape[3])
    return x.permute(0, 2, 3, 1).reshape(len(x) * parts, -1, x.shape[1])


def _pictures(rows: Tensor, size: torch.Size) -> Tensor:
    return rows.view(-1, *size, rows.shape[2]).permute(0, 3, 1, 2)


def product_count(pixels: int) -> int:
    """Return in how many products a picture's pixels are multiplied.

    It is one for each thread, if the pixels can be divided so.
    """
    threads = torch.get_num_threads()
    return next((parts for parts in range(threads, pixels) if pixels % parts == 0), pixels)


def _mixed(rows: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    return torch.baddbmm(shift, rows, weight.expand(len(rows), -1, -1))


class WorkBuffers:
    """Holds memory for packed steps: for so many pictures of one size, reused by every step."""

    def __init__(self) -> None:
        self.fits: tuple[object, ...] = ()

    def resize(self, rows: Tensor, size: torch.Size, given: int, features: int) -> None:
        """Make room for the pixels of pictures of a size, and for a net's layers."""
        if self.fits == (rows.shape, size):
            return
        (height, width) = size
        half = rows.shape[2] // 2
        count = rows.shape[0] * rows.shape[1] // (height * width)
        with torch.inference_mode(False):  # otherwise it could only be filled in inference mode
            frame = torch.zeros(count, height + 2, width + 2, half + 1)
            frame[:, 1:-1, 1:-1, half] = 1
            self.inside = frame[:, 1:-1, 1:-1, :half]
            parts = pad_to_eight(torch.zeros(*rows.shape[:2], 9 * given), 2)
            pictures = min(count, max(1, PIXELS_AT_ONCE * torch.get_num_threads() // (height * width)))
            seen = torch.empty(pictures * len(rows) // count, rows.shape[1], 9 * (half + 1))
            h1, h2 = torch.empty(2, *seen.shape[:2], features)
        self.moves, self.sums = _moves(parts.flatten(0, 1), (count, height, width, given))
        self.pieces = []  # the pictures that are taken through all layers at once, and the memory of each layer
        for around, piece in zip(torch.split(_around(frame), pictures), torch.split(parts, len(seen)), strict=True):
            some, first, second = (layer[: len(piece)] for layer in (seen, h1, h2))
            self.pieces.append((around, some.view(around.shape), some, first, second, piece))
        self.fits = (rows.shape, size)


def _frame(x: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return zeros for pictures like x with a margin, and a view without the margin. They have so many channels."""
    count, height, width, _ = x.shape
    frame = x.new_zeros(count, height + 2, width + 2, channels)
    return frame, frame[:, 1:-1, 1:-1]


def _where_above(d: Tensor, h: Tensor, floor: float = 0.0) -> Tensor:
    """Set d to 0 in place if h was limited by a floor."""
    torch.ops.aten.threshold_backward.grad_input(d, h, floor, grad_input=d)
    return d
