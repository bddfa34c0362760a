"""Sample sounds one sample after another: the interface of all samplers, and the one that uses torch.

The head of `autoregressive_sound.py` describes what a network must offer for it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from studio.density.conditional import Conditional


class StreamSampler(Protocol):
    """Samples several voices together. Each call of `append`, `sample` or `noise_of_levels` continues all voices."""

    log_prob: Tensor
    """ln p in nats `(B, n)` of the levels of the last `sample` or `noise_of_levels`, at a temperature of 1."""

    def append(self, x: Tensor) -> None:
        """Append levels `(B, n)` as the next samples, all at once."""

    def sample(self, z: Tensor, temperature: Tensor, given: Tensor | None = None) -> Tensor:
        """Draw the next levels `(B, n)` from noise z at temperatures, both `(B, n)`.

        Levels in `given` `(B, n)` that are not negative are used instead.
        """

    def noise_of_levels(self, x: Tensor, u: Tensor) -> Tensor:
        """Append levels x `(B, n)`, and return the noise `(B, n)` that draws them.

        It lies at the shares u `(n,)` of their intervals.
        """

    def set_condition(self, c: Tensor | None) -> None:
        """Use another condition from the next sample on."""

    def undo(self, count: int, last: Tensor | None) -> bool:
        """Remove the last `count` samples. `last` `(B,)` holds the levels before them; None if there are none.

        Return False if that is impossible. Then nothing has changed.
        """

    def redo(self) -> bool:
        """Restore the samples that `undo` removed, and drop those that came since. Return False if it is impossible."""


class TorchSampler:
    """Samples with torch. Faster samplers must draw the same levels."""

    def __init__(self, net: Any, conditional: Conditional, c: Tensor | None, count: int) -> None:
        self.net = net
        self.conditional = conditional
        self.c = c
        self.last: Tensor | None = None
        self.log_prob = torch.zeros(count, 0)
        self.at = 0
        self.steps = net.steps(net.queues(count), c, 0, count)

    def append(self, x: Tensor) -> None:
        queues = self.steps.queues()
        self.net.continue_numbers(self.net.previous_levels(x, self.last), queues, self.c, self.at)
        self.last = x[:, -1:]
        self.at = self.at + x.shape[1]
        self.steps = self.net.steps(queues, self.c, self.at, len(x))

    def sample(self, z: Tensor, temperature: Tensor, given: Tensor | None = None) -> Tensor:
        def drawn(numbers: Tensor, i: int) -> Tensor:
            new = self.conditional.draw_level(numbers, numbers[:, :0], z[:, i], temperature[:, i])
            return new if given is None else torch.where(given[:, i] < 0, new, given[:, i])

        return self._choose_levels(drawn, z.shape[1])

    def noise_of_levels(self, x: Tensor, u: Tensor) -> Tensor:
        found = []

        def known(numbers: Tensor, i: int) -> Tensor:
            found.append(self.conditional.noise_of_level(numbers, numbers[:, :0], x[:, i], u[i].expand(len(x))))
            return x[:, i]

        self._choose_levels(known, x.shape[1])
        return torch.stack(found, 1)

    def set_condition(self, c: Tensor | None) -> None:
        self.c = c
        self.steps = self.net.steps(self.steps.queues(), c, self.at, len(self.steps.silence))

    def undo(self, count: int, last: Tensor | None) -> bool:
        return False

    def redo(self) -> bool:
        return False

    def _choose_levels(self, choose: Callable[[Tensor, int], Tensor], count: int) -> Tensor:
        """Return levels `(B, count)`. `choose` returns each from the numbers and the index of its sample."""
        levels, numbers = [], []
        for i in range(count):
            numbers.append(self.steps(self.steps.silence if self.last is None else self.last[:, 0]))
            levels.append(choose(numbers[-1], i))
            self.last = levels[-1][:, None]
            self.at = self.at + 1
        x = torch.stack(levels, 1)
        self.log_prob = self.conditional.log_prob(x[:, None], torch.stack(numbers, 2))[:, 0]
        return x


MakeFastSampler = Callable[[Any, Conditional, Tensor | None, int, int], StreamSampler | None]
"""Makes a faster sampler; returns None if it cannot sample from this network.

The arguments are network, conditional, condition, number of voices, and number of samples that can be undone.
"""
