"""Who draws sounds sample by sample: what a player has to do, and how the plain one does it.

What a network has to give for it stands at the head of `sound.py`.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from studio.density.conditional import Conditional


class StreamSampler(Protocol):
    """Voices that go on sample by sample, all of them together. What was said in `hear`, `play` and `read` is past."""

    log_prob: Tensor
    """ln p in nats `(B, n)` of what was played or read last, at a temperature of 1."""

    def append(self, x: Tensor) -> None:
        """The next samples are these levels `(B, n)`: all at once, as a price is found."""

    def sample(self, z: Tensor, temperature: Tensor, given: Tensor | None = None) -> Tensor:
        """The next n levels `(B, n)`, drawn by noise at temperatures, both `(B, n)`, but for what is given and not
        negative."""

    def noise_of_levels(self, x: Tensor, u: Tensor) -> Tensor:
        """The noise `(B, n)` that draws the next levels `(B, n)`, at the shares u `(n,)` of their intervals."""

    def set_condition(self, c: Tensor | None) -> None:
        """From the next sample on they follow another condition."""

    def undo(self, count: int, last: Tensor | None) -> bool:
        """So many samples are past no more, and `last` `(B,)` are the levels before them; None where there are none.
        False where they cannot, and then nothing has changed."""

    def redo(self) -> bool:
        """All is past again that was before `forget`, and nothing that came since. False where they cannot."""


class TorchSampler:
    """Plays with torch, as what is faster must play."""

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
        self.net.go_on(self.net.before(x, self.last), queues, self.c, self.at)
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
        """Levels `(B, count)`, each chosen from its numbers."""
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
"""From network, conditional, condition, number of voices and of samples that they can forget to a player; None where it
cannot play them."""
