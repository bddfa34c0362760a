"""Mix two models of sound to one voice. At every sample, chance decides again which of them draws it.

    p(x_t | x_1 … x_{t-1}) = (1 - s_t) p_a(x_t | x_1 … x_{t-1}) + s_t p_b(x_t | x_1 … x_{t-1})

with a share s of the second model that may change at every sample. Both models continue from all samples, whichever
of them drew a sample. At a temperature T each draws as it does at T.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.conditional import to_float64
from studio.density.sound_stream import StreamSampler, TorchSampler

ClassOfEachModel = tuple[Tensor | None, ...]
JointSampler = Callable[[StreamSampler, StreamSampler, Tensor, Tensor, Tensor], Tensor | None]
"""Samples from two samplers together; returns None if no compiled loop can.

The arguments are the two samplers, then noise, temperatures, and where the second one draws, all `(1, n)`. The result
is the levels.
"""


class MixtureSampler:
    """Samples one voice from one model, or from two together. The condition is a tuple with one for each model.

    Arguments
        models: one or two, with the same levels
        torch_only: whether torch is used even if there is a compiled loop
        undo_samples: how many samples can be undone, unless `torch_only`
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
        """Return whether torch samples, and not a compiled loop."""
        return any(isinstance(sampler, TorchSampler) for sampler in self.samplers)

    def append(self, x: Tensor) -> None:
        """Append levels `(1, n)` as the next samples."""
        for sampler in self.samplers:
            sampler.append(x)

    def sample(self, z: Tensor, temperature: Tensor, choice_numbers: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """Draw the next levels, and return them with their bits, both `(1, n)`.

        Arguments
            z, temperature: `(1, n)`
            choice_numbers: numbers from 0 to 1, `(1, n)`. If one is below the share, the second model draws the sample
            share: how often the second model draws, from 0 to 1
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
        prices = to_float64(prices)
        shares = torch.tensor([1 - share, share], dtype=prices.dtype, device=prices.device).log()
        return found, -torch.logsumexp(prices + shares[:, None, None], 0) / math.log(2)

    def _sample_one_by_one(self, z: Tensor, temperature: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Return levels `(1, n)`, and ln p under each of the two models, `(2, 1, n)`."""
        found, prices = [], []
        for t in range(z.shape[1]):
            part = slice(t, t + 1)
            one, other = reversed(self.samplers) if second[0, t] else self.samplers
            found.append(one.sample(z[:, part], temperature[:, part]))
            other.sample(z[:, part], temperature[:, part], found[-1].long())
            prices.append(torch.stack([sampler.log_prob for sampler in self.samplers]))
        return torch.cat(found, 1), torch.cat(prices, 2)

    def set_condition(self, c: ClassOfEachModel) -> None:
        """Use other conditions from the next sample on."""
        for sampler, own in zip(self.samplers, c, strict=True):
            sampler.set_condition(own)

    def undo(self, count: int, last: Tensor | None) -> bool:
        """Undo samples as `StreamSampler.undo` does. If it returns False, this sampler cannot be used any more."""
        return all(sampler.undo(count, last) for sampler in self.samplers)

    def redo(self) -> bool:
        """Restore samples as `StreamSampler.redo` does. If it returns False, this sampler cannot be used any more."""
        return all(sampler.redo() for sampler in self.samplers)
