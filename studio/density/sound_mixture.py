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
from studio.density.sound_stream import StreamSampler, TorchSampler

ClassOfEachModel = tuple[Tensor | None, ...]
JointSampler = Callable[[StreamSampler, StreamSampler, Tensor, Tensor, Tensor], Tensor | None]
"""Two players, noise, temperatures and where the second draws, all `(1, n)`, to levels; None where nothing faster can
play them together."""


class MixtureSampler:
    """Plays one voice with one model, or with two; the condition is a tuple with one for each.

    Arguments
        models: one or two, of the same levels
        plain: whether it is to play with torch alone, though there were something faster
        spare: samples that it can forget again, where it is not plain
    """

    def __init__(
        self,
        models: tuple[AutoregressiveSound, ...],
        c: ClassOfEachModel,
        sample_jointly: JointSampler,
        *,
        torch_only: bool = False,
        undo_samples: int = 0,
    ) -> None:
        self.models = models
        self._sample_jointly = sample_jointly
        self.samplers: list[StreamSampler] = [
            TorchSampler(model.net, model.conditional, own, 1)
            if torch_only
            else model.make_sampler(own, 1, undo_samples)
            for model, own in zip(models, c, strict=True)
        ]

    @property
    def uses_torch(self) -> bool:
        """Whether it plays with torch alone."""
        return any(isinstance(player, TorchSampler) for player in self.samplers)

    def append(self, x: Tensor) -> None:
        """The next samples are these levels `(1, n)`."""
        for player in self.samplers:
            player.append(x)

    def sample(self, z: Tensor, temperature: Tensor, choice_numbers: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """The next levels and their bits, both `(1, n)`.

        Arguments
            z, heat: noise and temperatures, `(1, n)`
            dice: numbers from 0 to 1 `(1, n)`: where they are below the share, the second one draws
        """
        if len(self.samplers) == 1:
            x = self.samplers[0].sample(z, temperature)
            return x, -self.samplers[0].log_prob / math.log(2)
        a, b = self.samplers
        second = choice_numbers < share
        found = self._sample_jointly(a, b, z, temperature, second)
        if found is None:
            found, prices = self._sample_one_by_one(z, temperature, second)
        else:
            prices = torch.stack((a.log_prob, b.log_prob))
        shares = torch.tensor([1 - share, share], dtype=torch.float64, device=found.device).log()
        return found, -torch.logsumexp(prices.double() + shares[:, None, None], 0) / math.log(2)

    def _sample_one_by_one(self, z: Tensor, heat: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Levels `(1, n)`, and ln p under each of the two `(2, 1, n)`."""
        found, prices = [], []
        for t in range(z.shape[1]):
            part = slice(t, t + 1)
            one, other = reversed(self.samplers) if second[0, t] else self.samplers
            found.append(one.sample(z[:, part], heat[:, part]))
            other.sample(z[:, part], heat[:, part], found[-1].long())
            prices.append(torch.stack([player.log_prob for player in self.samplers]))
        return torch.cat(found, 1), torch.cat(prices, 2)

    def set_condition(self, c: ClassOfEachModel) -> None:
        """From the next sample on they follow another condition."""
        for player, own in zip(self.samplers, c, strict=True):
            player.set_condition(own)

    def undo(self, count: int, last: Tensor | None) -> bool:
        """As a Player does. Where it cannot, it is of no use any more."""
        return all(player.undo(count, last) for player in self.samplers)

    def redo(self) -> bool:
        """As a Player does. Where it cannot, it is of no use any more."""
        return all(player.redo() for player in self.samplers)
