"""Define bijections, which are invertible maps with a known log-determinant, and combine them to new ones."""

from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn


class Bijection(nn.Module):
    """Is a map z = f(x), with x of shape `(B, …)` and z with the same number of entries.

    `forward` returns z and ladj = log |det df/dx| of shape `(B,)`. `inverse` returns x. `c` is a condition that both
    may use: the numbers of classes, `(B,)`. `steps` is how many steps `inverse_steps` takes.
    """

    steps: int = 1

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return z and ladj `(B,)`."""
        raise NotImplementedError

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """Return x with forward(x) = z."""
        raise NotImplementedError

    def inverse_steps(self, z: Tensor, c: Tensor | None = None) -> Iterator[Tensor]:
        """Compute the inverse one part at a time. The last tensor is `inverse(z)`."""
        yield self.inverse(z, c)

    def forward_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Compute the map one part at a time, with the ladj so far. The last pair is `forward(x)`."""
        yield self(x, c)


class Chain(Bijection):
    """Is the composition f = f_n ∘ … ∘ f_1."""

    def __init__(self, parts: Sequence[Bijection]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    @property
    def steps(self) -> int:  # type: ignore[override]
        return sum(cast(Bijection, part).steps for part in self.parts)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for part in self.parts:
            x, ladj = part(x, c)
            total = total + ladj
        return x, total

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        for part in reversed(self.parts):
            z = cast(Bijection, part).inverse(z, c)
        return z

    def inverse_steps(self, z: Tensor, c: Tensor | None = None) -> Iterator[Tensor]:
        for part in reversed(self.parts):
            for z in cast(Bijection, part).inverse_steps(z, c):  # noqa: B020 - each part goes on where the last ended
                yield z

    def forward_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        before = x.new_zeros(len(x))
        for part in self.parts:
            total = before
            for x, ladj in cast(Bijection, part).forward_steps(x, c):  # noqa: B020 - each goes on where the last ended
                total = before + ladj
                yield x, total
            before = total


class OnPart(Bijection):
    """Applies f between `outer` and its inverse: outer⁻¹ ∘ f ∘ outer, for an outer that only moves entries.

    With `part` < 1, only the first `part` of outer's channels pass through f. The rest is factored out: it stays
    unchanged in its place (Dinh, Sohl-Dickstein and Bengio, Density estimation using Real NVP, 2016, arXiv:1605.08803,
    section 3.6). So a latent keeps the shape of the artwork.
    """

    def __init__(self, outer: Bijection, inner: Bijection, part: float = 1.0) -> None:
        super().__init__()
        self.outer = outer
        self.inner = inner
        self.part = part

    @property
    def steps(self) -> int:  # type: ignore[override]
        return self.inner.steps

    def _open(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.outer(x)[0]
        n = int(h.shape[1] * self.part)
        return h[:, :n], h[:, n:]

    def _close(self, inside: Tensor, rest: Tensor) -> Tensor:
        return self.outer.inverse(torch.cat((inside, rest), 1) if rest.shape[1] else inside)

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        inside, rest = self._open(x)
        inside, ladj = self.inner(inside, c)
        return self._close(inside, rest), ladj

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        inside, rest = self._open(z)
        return self._close(self.inner.inverse(inside, c), rest)

    def inverse_steps(self, z: Tensor, c: Tensor | None = None) -> Iterator[Tensor]:
        inside, rest = self._open(z)
        for step in self.inner.inverse_steps(inside, c):
            yield self._close(step, rest)

    def forward_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        inside, rest = self._open(x)
        for step, ladj in self.inner.forward_steps(inside, c):
            yield self._close(step, rest), ladj

    def scale_of(self, count: Tensor, inner: Tensor) -> Tensor:
        """Return the scale of each entry of the latent, `(C, H, W)`.

        Entries that are factored out have their scale from `count` `(C, H, W)`, and the others from `inner`.
        """
        _, rest = self._open(count[None])
        return self._close(inner[None], rest)[0]


class Flattened(Bijection):
    """Applies f to the entries `(B, D)` of an artwork of any shape, in the order of its memory."""

    def __init__(self, inner: Bijection) -> None:
        super().__init__()
        self.inner = inner

    @property
    def steps(self) -> int:  # type: ignore[override]
        return self.inner.steps

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z, ladj = self.inner(x.flatten(1), c)
        return z.view(x.shape), ladj

    def inverse(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        return self.inner.inverse(z.flatten(1), c).view(z.shape)

    def inverse_steps(self, z: Tensor, c: Tensor | None = None) -> Iterator[Tensor]:
        for step in self.inner.inverse_steps(z.flatten(1), c):
            yield step.view(z.shape)

    def forward_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        for step, ladj in self.inner.forward_steps(x.flatten(1), c):
            yield step.view(x.shape), ladj


def sum_entries(x: Tensor) -> Tensor:
    """Return the sum over all dimensions but the batch: `(B, …)` → `(B,)`."""
    return x.flatten(1).sum(1)
