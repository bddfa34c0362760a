"""Two models of sound that make one voice: which of them draws a sample is thrown anew each time.

    p(x_t | x_1 … x_{t-1}) = (1 - s_t) p_a(x_t | x_1 … x_{t-1}) + s_t p_b(x_t | x_1 … x_{t-1})

with a share s of the second that may be another one at every sample. Both hear all that is made, whoever drew it. At a
temperature T each draws as it does at T.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.sound_stream import PlainPlayer, Player

Classes = tuple[Tensor | None, ...]
Together = Callable[[Player, Player, Tensor, Tensor, Tensor], Tensor | None]
"""Two players, noise, temperatures and where the second draws, all `(1, n)`, to levels; None where nothing faster can
play them together."""


class Duet:
    """Plays one voice with one model, or with two; the condition is a tuple with one for each.

    Arguments
        models: one or two, of the same levels
        plain: whether it is to play with torch alone, though there were something faster
        spare: samples that it can forget again, where it is not plain
    """

    def __init__(
        self,
        models: tuple[AutoregressiveSound, ...],
        c: Classes,
        together: Together,
        *,
        plain: bool = False,
        spare: int = 0,
    ) -> None:
        self.models, self._together = models, together
        self.players: list[Player] = [
            PlainPlayer(model.net, model.conditional, own, 1) if plain else model.player(own, 1, spare)
            for model, own in zip(models, c, strict=True)
        ]

    @property
    def plain(self) -> bool:
        """Whether it plays with torch alone."""
        return any(isinstance(player, PlainPlayer) for player in self.players)

    def hear(self, x: Tensor) -> None:
        """The next samples are these levels `(1, n)`."""
        for player in self.players:
            player.hear(x)

    def play(self, z: Tensor, heat: Tensor, dice: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """The next levels and their bits, both `(1, n)`.

        Arguments
            z, heat: noise and temperatures, `(1, n)`
            dice: numbers from 0 to 1 `(1, n)`: where they are below the share, the second one draws
        """
        if len(self.players) == 1:
            x = self.players[0].play(z, heat)
            return x, -self.players[0].log_prob / math.log(2)
        a, b = self.players
        second = dice < share
        found = self._together(a, b, z, heat, second)
        if found is None:
            found, prices = self._one_by_one(z, heat, second)
        else:
            prices = torch.stack((a.log_prob, b.log_prob))
        shares = torch.tensor([1 - share, share], dtype=torch.float64, device=found.device).log()
        return found, -torch.logsumexp(prices.double() + shares[:, None, None], 0) / math.log(2)

    def _one_by_one(self, z: Tensor, heat: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Levels `(1, n)`, and ln p under each of the two `(2, 1, n)`."""
        found, prices = [], []
        for t in range(z.shape[1]):
            part = slice(t, t + 1)
            one, other = reversed(self.players) if second[0, t] else self.players
            found.append(one.play(z[:, part], heat[:, part]))
            other.play(z[:, part], heat[:, part], found[-1].long())
            prices.append(torch.stack([player.log_prob for player in self.players]))
        return torch.cat(found, 1), torch.cat(prices, 2)

    def turn(self, c: Classes) -> None:
        """From the next sample on they follow another condition."""
        for player, own in zip(self.players, c, strict=True):
            player.turn(own)

    def forget(self, count: int, last: Tensor | None) -> bool:
        """As a Player does. Where it cannot, it is of no use any more."""
        return all(player.forget(count, last) for player in self.players)

    def recall(self) -> bool:
        """As a Player does. Where it cannot, it is of no use any more."""
        return all(player.recall() for player in self.players)
