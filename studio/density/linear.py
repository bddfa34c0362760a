"""Maps that scale, mix or move entries: normalisations, 1×1 convolutions, squeezes."""

import math
from typing import Literal, cast

import torch
from torch import Tensor, nn

from studio.density.bijection import Bijection


class Squeeze(Bijection):
    """`(C, H, W)` ↔ `(4C, H/2, W/2)`: each 2×2 block becomes four channels. ladj = 0.

    order "plain": channel by channel, then row by row of the block, as torch's pixel_unshuffle.
    order "diagonal": the block's two diagonal pixels of every channel first, then the other two, so
    that halving the channels keeps a checkerboard of the picture (the released code of Dinh,
    Sohl-Dickstein and Bengio, 2016, arXiv:1605.08803, uses it before factoring out).
    """

    def __init__(self, order: Literal["plain", "diagonal"] = "plain") -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = nn.functional.pixel_unshuffle(x, 2)  # (B, C·4, H/2, W/2), block position innermost
        if self.order == "diagonal":
            blocks = z.reshape(len(z), -1, 4, *z.shape[2:])[:, :, [0, 3, 1, 2]]
            z = blocks.transpose(1, 2).flatten(1, 2)  # (B, 4·C, …), block position outermost
        return z, x.new_zeros(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        if self.order == "diagonal":
            blocks = z.reshape(len(z), 4, -1, *z.shape[2:]).transpose(1, 2)[:, :, [0, 2, 3, 1]]
            z = blocks.flatten(1, 2)
        return nn.functional.pixel_shuffle(z, 2)


class BatchNorm(Bijection):
    """y = (x - m) / √(v + ε) by channel, on the entries where `moved` is 1 (all, if None).

    In training m and v are the batch's own, over exactly the moved entries; otherwise running
    averages, so that the likelihood of one artwork does not depend on the others (Dinh,
    Sohl-Dickstein and Bengio, 2016, arXiv:1605.08803, section 3.7 and appendix E).
    ladj = -½ Σ log(v + ε) over the moved entries.
    """

    mean: Tensor
    var: Tensor
    batches: Tensor
    moved: Tensor | None

    def __init__(self, channels: int, moved: Tensor | None = None, momentum: float = 0.05, eps: float = 1e-4) -> None:
        super().__init__()
        self.momentum: float | None = momentum
        self.eps = eps
        self.register_buffer("moved", moved, persistent=False)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))
        self.register_buffer("batches", torch.tensor(0))

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if self.moved is None:
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        else:
            count = (self.moved.expand(x.shape[1:]).sum((1, 2)) * len(x)).clamp(min=1)
            mean = (x * self.moved).sum((0, 2, 3)) / count
            var = ((x - mean[:, None, None]).square() * self.moved).sum((0, 2, 3)) / count
        return mean, var

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        self.batches += 1
        rate = 1 / float(self.batches) if self.momentum is None else self.momentum
        self.mean.lerp_(mean.detach(), rate)
        self.var.lerp_(var.detach(), rate)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, var = self._moments(x) if self.training else (self.mean, self.var)
        if self.training:
            self._follow(mean, var)
        log_scale = -0.5 * torch.log(var + self.eps)
        z = (x - mean[:, None, None]) * log_scale.exp()[:, None, None]
        if self.moved is None:
            return z, (log_scale.sum() * math.prod(x.shape[2:])).expand(len(x))
        z = torch.where(self.moved.bool(), z, x)
        ladj = (log_scale[:, None, None] * self.moved.expand(x.shape[1:])).sum()
        return z, ladj.expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = z * torch.sqrt(self.var + self.eps)[:, None, None] + self.mean[:, None, None]
        return x if self.moved is None else torch.where(self.moved.bool(), x, z)


class ActNorm(Bijection):
    """y = (x + b) · exp(3 · logs) by channel; b and logs start so that the first batch has mean 0 and variance 1.

    Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039, section 3.1; the factor 3 is the authors' code's.
    The start happens once, on the first training batch, and is saved with the model.
    """

    started: Tensor

    def __init__(self, channels: int, factor: float = 3.0) -> None:
        super().__init__()
        self.factor = factor
        self.b = nn.Parameter(torch.zeros(channels))
        self.logs = nn.Parameter(torch.zeros(channels))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def _start(self, x: Tensor) -> None:
        var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        self.b.copy_(-mean)
        self.logs.copy_(-torch.log(var.sqrt() + 1e-6) / self.factor)
        self.started.fill_(True)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.training and not self.started:
            self._start(x)
        logs = self.factor * self.logs
        z = (x + self.b[:, None, None]) * logs.exp()[:, None, None]
        return z, (logs.sum() * math.prod(x.shape[2:])).expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z * (-self.factor * self.logs).exp()[:, None, None] - self.b[:, None, None]


class InvertibleConv(Bijection):
    """y = W x at every pixel, with W of size channels × channels; ladj = H · W · log |det W|.

    Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039, section 3.2. With `plu`, W is
    P (L + I) (U + diag(sign · exp(log_s))) with P and sign fixed, so that log |det W| = Σ log_s
    (equation 10); otherwise W itself is learned and its determinant is taken in float64.
    """

    p: Tensor
    sign: Tensor

    def __init__(self, channels: int, *, plu: bool = True, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.plu = plu
        q, _ = torch.linalg.qr(torch.randn(channels, channels, generator=generator))
        if not plu:
            self.w = nn.Parameter(q)
            return
        p, lower, upper = torch.linalg.lu(q)
        diagonal = upper.diagonal()
        self.lower, self.upper = nn.Parameter(lower.tril(-1)), nn.Parameter(upper.triu(1))
        self.log_s = nn.Parameter(diagonal.abs().log())
        self.register_buffer("p", p)
        self.register_buffer("sign", diagonal.sign())

    def weight(self) -> Tensor:
        """W, `(channels, channels)`."""
        if not self.plu:
            return self.w
        eye = torch.eye(len(self.sign), dtype=self.sign.dtype, device=self.sign.device)
        upper = self.upper.triu(1) + torch.diag(self.sign * self.log_s.exp())
        return self.p @ (self.lower.tril(-1) + eye) @ upper

    def _log_det(self) -> Tensor:
        if self.plu:
            return self.log_s.sum()
        return cast(Tensor, torch.linalg.slogdet(self.w.double())[1]).to(self.w.dtype)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = nn.functional.conv2d(x, self.weight()[:, :, None, None])
        return z, (self._log_det() * math.prod(x.shape[2:])).expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        w = torch.linalg.inv(self.weight().double()).to(z.dtype)
        return nn.functional.conv2d(z, w[:, :, None, None])
