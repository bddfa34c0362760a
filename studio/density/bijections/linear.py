"""Define maps that scale, mix or move entries: normalisations, 1×1 convolutions, squeezes."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, cast

import torch
from torch import Tensor, nn

from studio.density.bijections.bijection import Bijection
from studio.density.conditional import to_float64


class Squeeze(Bijection):
    """Moves each 2×2 block into four channels: `(C, H, W)` ↔ `(4C, H/2, W/2)`. ladj = 0.

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
    """Computes y = (x - m) / √(v + ε) · exp(γ) + β by channel, on the entries where `moved` is 1 (all, if None).

    x is `(B, channels, …)`: for a picture the channels of its pixels, for a vector its entries. γ and β
    are learned where `affine`, else 0. In training m and v are the batch's own, over exactly the moved
    entries (Dinh, Sohl-Dickstein and Bengio, 2016, arXiv:1605.08803, section 3.7). Appendix E of that paper
    normalises by running averages even in training; its released code does not (its `DEFAULT_BN_LAG` is 0), nor
    does this. Outside training m and v are running averages, so that the likelihood of one artwork does not
    depend on the others.
    ladj = Σ γ - ½ log(v + ε) over the moved entries.
    """

    mean: Tensor
    var: Tensor
    batches: Tensor
    moved: Tensor | None
    pool_moments: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    """If several processes share a batch: returns mean and variance of the whole batch from those of this part."""

    def __init__(
        self,
        channels: int,
        moved: Tensor | None = None,
        momentum: float = 0.05,
        eps: float = 1e-4,
        *,
        affine: bool = False,
    ) -> None:
        super().__init__()
        self.momentum: float | None = momentum
        self.eps = eps
        self.gamma = nn.Parameter(torch.zeros(channels)) if affine else None
        self.beta = nn.Parameter(torch.zeros(channels)) if affine else None
        self.register_buffer("moved", moved, persistent=False)
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))
        self.register_buffer("batches", torch.tensor(0))

    def _moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        over = (0, *range(2, x.dim()))
        if self.moved is None:
            var, mean = torch.var_mean(x, over, correction=0)
        else:
            moved = self.moved.expand(x.shape[1:]).expand(x.shape)
            count = moved.sum(over).clamp(min=1)
            mean = (x * moved).sum(over) / count
            var = ((x - _by_channel(mean, x)).square() * moved).sum(over) / count
        return (mean, var) if self.pool_moments is None else self.pool_moments(mean, var)

    def _follow(self, mean: Tensor, var: Tensor) -> None:
        self.batches += 1
        rate = 1 / float(self.batches) if self.momentum is None else self.momentum
        self.mean.lerp_(mean.detach(), rate)
        self.var.lerp_(var.detach(), rate)

    def _log_scale(self, var: Tensor) -> Tensor:
        log_scale = -0.5 * torch.log(var + self.eps)
        return log_scale if self.gamma is None else log_scale + self.gamma

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, var = self._moments(x) if self.training else (self.mean, self.var)
        if self.training:
            self._follow(mean, var)
        log_scale = self._log_scale(var)
        z = (x - _by_channel(mean, x)) * _by_channel(log_scale.exp(), x)
        if self.beta is not None:
            z = z + _by_channel(self.beta, x)
        if self.moved is None:
            return z, (log_scale.sum() * math.prod(x.shape[2:])).expand(len(x))
        z = torch.where(self.moved.bool(), z, x)
        ladj = (_by_channel(log_scale, x)[0] * self.moved.expand(x.shape[1:])).sum()
        return z, ladj.expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        x = z if self.beta is None else z - _by_channel(self.beta, z)
        x = x * _by_channel((-self._log_scale(self.var)).exp(), z) + _by_channel(self.mean, z)
        return x if self.moved is None else torch.where(self.moved.bool(), x, z)


def _by_channel(values: Tensor, x: Tensor) -> Tensor:
    """Return values `(channels,)` in a shape that broadcasts against x `(B, channels, …)`."""
    return values.view(1, -1, *[1] * (x.dim() - 2))


class ActNorm(Bijection):
    """Computes y = (x + b) · exp(3 · logs) by channel.

    The first training batch initialises b and logs, so that it has mean 0 and variance 1 afterwards. They are saved
    with the model. (Kingma and Dhariwal, Glow, 2018, arXiv:1807.03039, section 3.1; the factor 3 is that of the
    authors' code.)
    """

    started: Tensor

    def __init__(self, channels: int, factor: float = 3.0) -> None:
        super().__init__()
        self.factor = factor
        self.known = False
        self.b = nn.Parameter(torch.zeros(channels))
        self.logs = nn.Parameter(torch.zeros(channels))
        self.register_buffer("started", torch.tensor(False))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Initialise b and logs from a training batch, once. The flag is read again only if it may have changed."""
        if self.known or not self.training:
            return
        if not self.started:
            var, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            self.b.copy_(-mean)
            self.logs.copy_(-torch.log(var.sqrt() + 1e-6) / self.factor)
            self.started.fill_(True)
        self.known = True

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self.initialise(x)
        logs = self.factor * self.logs
        z = (x + self.b[:, None, None]) * logs.exp()[:, None, None]
        return z, (logs.sum() * math.prod(x.shape[2:])).expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return z * (-self.factor * self.logs).exp()[:, None, None] - self.b[:, None, None]


class InvertibleConv(Bijection):
    """Computes y = W x at every pixel, with W of size channels × channels; ladj = H · W · log |det W|.

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
        self.lower = nn.Parameter(lower.tril(-1))
        self.upper = nn.Parameter(upper.triu(1))
        self.log_s = nn.Parameter(diagonal.abs().log())
        self.register_buffer("p", p)
        self.register_buffer("sign", diagonal.sign())

    def weight(self) -> Tensor:
        """W, `(channels, channels)`."""
        if not self.plu:
            return self.w
        return _assembled(self.p, self.lower, self.upper, self.sign, self.log_s)

    def log_det(self) -> Tensor:
        """Return log |det W|, a number."""
        if self.plu:
            return self.log_s.sum()
        return cast(Tensor, torch.linalg.slogdet(to_float64(self.w))[1]).to(self.w)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with _full_precision(x):
            z = multiply_every_pixel(x, self.weight(), x.new_zeros(1))
        return z, (self.log_det() * math.prod(x.shape[2:])).expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return multiply_every_pixel(z, _inverse(self.weight()), z.new_zeros(1))


def _assembled(p: Tensor, lower: Tensor, upper: Tensor, sign: Tensor, log_s: Tensor) -> Tensor:
    """Return W = P (L + I) (U + diag(sign · exp(log_s))), for one convolution or several."""
    eye = torch.eye(p.shape[-1], dtype=p.dtype, device=p.device)
    return p @ (lower.tril(-1) + eye) @ (upper.triu(1) + torch.diag_embed(sign * log_s.exp()))


class ChannelMixing(Bijection):
    """Runs an actnorm and an invertible 1×1 convolution as one map: z = W S (x + b) with S = diag(exp(3 · logs)).

    It keeps the precision of x even if a training step otherwise uses half of it, because rounding errors of these
    channels would change the likelihood itself.
    """

    there: Tensor
    back: Tensor
    shift: Tensor
    shift_back: Tensor

    def __init__(self, norm: ActNorm, conv: InvertibleConv) -> None:
        super().__init__()
        self.norm = norm
        self.conv = conv
        self.folded = False
        self.slope = 0.0

    def _scaled(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return W S, its product with b, and its log-determinant."""
        logs = self.norm.factor * self.norm.logs
        weight = self.conv.weight() * logs.exp()
        return weight, weight @ self.norm.b, self.conv.log_det() + logs.sum()

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        pixels = math.prod(x.shape[2:])
        self.norm.initialise(x)
        with _full_precision(x):
            if self.folded:
                return multiply_every_pixel(x, self.there, self.shift), x.new_full((len(x),), self.slope * pixels)
            weight, shift, log_det = self._scaled()
            return multiply_every_pixel(x, weight, shift), (log_det * pixels).expand(len(x))

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        with _full_precision(z):
            if self.folded:
                return multiply_every_pixel(z, self.back, self.shift_back)
            return multiply_every_pixel(z, _inverse(self._scaled()[0]), -self.norm.b)

    @torch.no_grad()
    def fold(self) -> None:
        """Store both directions and the log-determinant, for inference."""
        weight, shift, log_det = self._scaled()
        self.register_buffer("there", weight.t().contiguous().t(), persistent=False)
        self.register_buffer("back", _inverse(weight).t().contiguous().t(), persistent=False)
        self.register_buffer("shift", shift, persistent=False)
        self.register_buffer("shift_back", -self.norm.b, persistent=False)
        self.slope = float(log_det)
        self.folded = True


def stack_mixings(mixings: Sequence[ChannelMixing]) -> tuple[Tensor, Tensor, Tensor]:
    """Return (W S)ᵀ `(K, C, C)` and W S b `(K, C)` of all maps, and the sum of their log-determinants.

    All are computed at once, because many small tensors take longer to handle than to compute.
    """
    convs = [mixing.conv for mixing in mixings]
    logs = mixings[0].norm.factor * torch.stack([mixing.norm.logs for mixing in mixings])
    b = torch.stack([mixing.norm.b for mixing in mixings])
    weight = _stacked_weights(convs) * logs.exp()[:, None]
    log_det = torch.stack([conv.log_det() for conv in convs]).sum() + logs.sum()
    return weight.transpose(1, 2), (weight @ b[:, :, None])[:, :, 0], log_det


def _stacked_weights(convs: Sequence[InvertibleConv]) -> Tensor:
    if not convs[0].plu:
        return torch.stack([conv.w for conv in convs])
    names = ("p", "lower", "upper", "sign", "log_s")
    p, lower, upper, sign, log_s = (torch.stack([getattr(conv, name) for conv in convs]) for name in names)
    return _assembled(p, lower, upper, sign, log_s)


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Compute matrix products in the precision of x inside this context, even if half of it is allowed."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if torch.is_autocast_enabled(kind) else nullcontext()


def _inverse(weight: Tensor) -> Tensor:
    return cast(Tensor, torch.linalg.inv(to_float64(weight))).to(weight)


def multiply_every_pixel(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """Return W x + shift at every pixel of x `(B, C, H, W)`, with channels innermost in memory.

    Every picture is multiplied in as many products as there are threads. A product rounds by its size, and a single
    product by how threads share it. So a picture's result is the same bit for bit in any batch.
    """
    count, channels, height, width = x.shape
    parts = _parts(height * width)
    rows = x.permute(0, 2, 3, 1).reshape(count * parts, -1, channels)
    z = torch.baddbmm(shift, rows, weight.t().expand(count * parts, channels, channels))
    return z.view(count, height, width, channels).permute(0, 3, 1, 2)


def _parts(pixels: int) -> int:
    threads = torch.get_num_threads()
    return next((parts for parts in range(threads, pixels) if pixels % parts == 0), pixels)
