"""Model a sound as a chain of conditionals: each sample is given all samples before it.

    ln p(x) = Σ_t ln p(x_t | x_1 … x_{t-1}, c)
    x_t = F_t⁻¹(Φ(z_t)),  z_t ~ N(0, 1),  F_t the sum of p(· | x_1 … x_{t-1}, c) up to a level

(van den Oord et al., WaveNet, 2016, arXiv:1609.03499, section 2). A sound may have any length; `shape` is the usual
one. A longer sound of a seed begins like the shorter one.

A network must offer
    net(x, c) → numbers `(B, conditional.numbers, T)` for every sample of levels `(B, T)`. Those of a sample depend
        only on the samples before it.
    net.numbers_after_context(x, c) → the numbers of the last n samples of `(B, net.field + n)`. Negative levels lie
        before the sound.
    net.continue_numbers(before, queues, c, start), net.queues(count), net.previous_levels(x, last): the same in parts,
        each of which continues the one before it
    net.steps(queues, c, start, count) → an object that is called with the levels `(B,)` before a sample and returns
        the sample's numbers `(B, conditional.numbers)`, sample after sample. It can return its queues. Sounds of a
        batch must not change each other's rounding.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from studio.density.conditional import Conditional, to_float64
from studio.density.model import DecodingStep, Model
from studio.density.sound_stream import MakeFastSampler, StreamSampler, TorchSampler

SAMPLES_PER_STEP = 320
"""Number of samples in one step of decoding, after which other jobs may run: 20 ms at 16 kHz."""
SEGMENT_SAMPLES = 16_384
"""Number of samples that are priced or appended together."""
SHORT_SEGMENT_SAMPLES = 1024
"""Number of samples that are priced in one step of a job.

A step takes 25 ms of one core with the largest shipped model, so that other jobs get their turn.
"""
NOISE_BLOCK_SAMPLES = 1024
"""Number of noise samples that are drawn together. So the first ones are the same for any length."""


class AutoregressiveSound(Model):
    """Computes log p(x) of sounds of any length, exactly, by the chain rule.

    Arguments
        shape: (samples,), the usual length
        net: computes the numbers of every sample, as the head of this file describes
        conditional: turns the numbers into probabilities
        classes: number of classes that the network knows. Without a class, log p(x) is that of the even mixture of all
        follows_signal: whether the condition c is a signal instead of a class
        make_fast_sampler: makes a sampler that is faster than `TorchSampler`, if it can
    """

    scales_noise = False
    can_inpaint = True

    def __init__(
        self,
        shape: Sequence[int],
        levels: int,
        net: nn.Module,
        conditional: Conditional,
        *,
        classes: int = 0,
        follows_signal: bool = False,
        make_fast_sampler: MakeFastSampler | None = None,
    ) -> None:
        super().__init__(shape, levels, shape, exact=True, classes=classes)
        self.net: Any = net
        self.conditional = conditional
        self.follows_signal = follows_signal
        self._make_fast_sampler = make_fast_sampler

    @property
    def receptive_field(self) -> int:
        """Return the number of samples from which the next one is predicted."""
        return int(self.net.field)

    @property
    def silence_level(self) -> int:
        """Return the level of silence."""
        return self.levels // 2

    def make_sampler(self, c: Tensor | None, count: int, undo_samples: int = 0) -> StreamSampler:
        """Return a sampler of `count` voices at their beginning.

        If a compiled loop samples, up to `undo_samples` samples can be undone.
        """
        self._check_condition(c)
        swift = (
            self._make_fast_sampler(self.net, self.conditional, c, count, undo_samples)
            if self._make_fast_sampler
            else None
        )
        return swift or TorchSampler(self.net, self.conditional, c, count)

    def condition(self, classes: Tensor | None, signal: Tensor | None = None, count: int = 1) -> Tensor | None:
        """Return the condition of `count` sounds with classes `(B,)`, if there are any, that follow a signal.

        The signal is `(numbers, frames)` for all of them, or `(B, numbers, frames)`. Without one, a model that follows
        signals follows its usual one.
        """
        if not self.follows_signal:
            return classes
        followed: Tensor = self.net.usual_signal if signal is None else signal
        every = followed.to(self.scale_of.device, self.dtype).expand(count, *followed.shape[-2:])
        if classes is None:
            return every
        kinds = classes.to(every).view(-1, 1, 1).expand(count, 1, every.shape[2])
        return torch.cat((kinds, every), 1)

    # ── prices ──────────────────────────────────────────────────────────────────────────────────

    def _check_condition(self, c: Tensor | None) -> None:
        if c is None and self.follows_signal:
            raise ValueError("this model follows a signal, and none was given")
        if c is None and self.classes:
            raise ValueError(f"this model has {self.classes} classes, and none was given")

    def log_prob_of_samples(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Return ln p of each sample in nats, `(B, T)`; in training without the floor."""
        price = self.conditional.log_prob(x[:, None], numbers.to(self.dtype), floor=not self.training)
        return price[:, 0]

    def _segments(self, x: Tensor, c: Tensor | None, size: int = SHORT_SEGMENT_SAMPLES) -> Iterator[Tensor]:
        """Yield ln p of samples in nats, segment after segment."""
        self._check_condition(c)
        prices = StreamingLogProb(self, c, len(x))
        for part in torch.split(x, size, 1):
            yield prices.log_prob(part)

    def _log_probs(self, x: Tensor, c: Tensor | None) -> Tensor:
        if torch.is_grad_enabled():
            self._check_condition(c)
            return self.log_prob_of_samples(x, self.net(x, c))
        return torch.cat(list(self._segments(x, c, SEGMENT_SAMPLES)), 1)

    def surprisal(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return -self._log_probs(x, c) / math.log(2)

    @torch.no_grad()
    def surprisal_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        found = []
        for part in self._segments(x, c):
            found.append(-part / math.log(2))
            yield None
        yield torch.cat(found, 1)

    def log_prob(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        if c is None and self.classes and not self.follows_signal:
            return torch.logsumexp(self.log_prob_of_classes(x), 1) - math.log(self.classes)
        return to_float64(self._log_probs(x, c)).sum(1).to(x.device, self.dtype)

    @torch.no_grad()
    def log_prob_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        kinds = [c] if c is not None or not self.classes else torch.arange(self.classes, device=x.device)
        found = []
        for kind in kinds:
            total = to_float64(torch.zeros(len(x), device=x.device))
            for part in self._segments(x, kind.expand(len(x)) if c is None and kind is not None else kind):
                total += to_float64(part).sum(1)
                yield None
            found.append(total)
        yield (torch.logsumexp(torch.stack(found), 0) - math.log(len(found))).to(x.device, self.dtype)

    def loss(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        return -self.log_prob(x, c).mean() / (x.shape[1] * math.log(2))

    def loss_of_cuts(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """Return the mean bits of the last n samples of parts of sounds `(B, field + n)`.

        The first `field` samples are only context. Negative ones among them lie before the sound, and negative ones
        among the last n are left out.
        """
        self._check_condition(c)
        wanted = x[:, self.receptive_field :]
        prices = self.log_prob_of_samples(wanted.clamp(min=0), self.net.numbers_after_context(x, c))
        counted = wanted >= 0
        return -(prices * counted).sum() / counted.sum().clamp(min=1) / math.log(2)

    # ── latents ─────────────────────────────────────────────────────────────────────────────────

    def noise(self, seeds: Sequence[int], samples: int | None = None) -> Tensor:
        """Return standard noise `(len(seeds), samples)`. A longer one begins like a shorter one."""
        wanted = samples or self.shape[0]
        count = -(-wanted // NOISE_BLOCK_SAMPLES)
        rows = [torch.cat(list(itertools.islice(self.noise_blocks(seed), count)))[:wanted] for seed in seeds]
        return torch.stack(rows)

    def noise_blocks(self, seed: int) -> Iterator[Tensor]:
        """Yield the noise of a seed in blocks `(n,)`, without an end."""
        stream = torch.Generator().manual_seed(seed)
        while True:
            yield torch.randn(NOISE_BLOCK_SAMPLES, generator=stream).to(self.scale_of.device, self.dtype)

    def sample_steps(
        self,
        seeds: Sequence[int],
        c: Tensor | None = None,
        temperature: float | Tensor = 1.0,
        samples: int | None = None,
    ) -> Iterator[DecodingStep]:
        """Make a new sound for each seed, step by step.

        Without c, each seed also draws a class, and the usual signal is followed.
        """
        if c is None:
            c = self.condition(self.draw_classes(seeds), count=len(seeds))
        return self.decode_steps(self.noise(seeds, samples), c, temperature)

    def temperature_by_scale(self, temperatures: Sequence[float]) -> Tensor:
        """Return the temperature as a tensor of one number, which fits sounds of any length."""
        return super().temperature_by_scale(temperatures)[:1]

    def encode(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        *_, z = self.encode_steps(x, c)
        assert z is not None, "the last step is the latent"
        return z

    @torch.no_grad()
    def encode_steps(self, x: Tensor, c: Tensor | None = None) -> Iterator[Tensor | None]:
        """Encode sample by sample in the same way as decoding, so that decoding restores every bit of the sound."""
        sampler = self.make_sampler(c, len(x))
        found = []
        # All sounds share one draw of the places in their levels, so that similar sounds have similar latents.
        stream = torch.Generator().manual_seed(0)
        for part in torch.split(x, SAMPLES_PER_STEP, 1):
            u = torch.rand(part.shape[1], generator=stream, dtype=torch.float64)
            found.append(sampler.noise_of_levels(part, u))
            yield None
        yield torch.cat(found, 1)

    @torch.no_grad()
    def decode_steps(
        self, z: Tensor, c: Tensor | None = None, temperature: float | Tensor = 1.0, keep: Tensor | None = None
    ) -> Iterator[DecodingStep]:
        """Decode as every model does. A kept beginning is appended at once.

        All steps yield the same tensor. It is filled step by step, and silent after the samples drawn so far.
        """
        temperature = torch.as_tensor(temperature, device=z.device, dtype=self.dtype).expand(z.shape)
        heard = self._known_count(z, keep)
        form = torch.uint8 if self.levels <= 256 else torch.int32
        x = torch.full(z.shape, self.silence_level, dtype=form, device=z.device)
        sampler = self.make_sampler(c, len(z))
        ends = [*range(SEGMENT_SAMPLES, heard, SEGMENT_SAMPLES), heard] if heard else []
        ends += (
            [*range(heard + SAMPLES_PER_STEP, z.shape[1], SAMPLES_PER_STEP), z.shape[1]] if heard < z.shape[1] else []
        )
        begin = 0
        for done, end in enumerate(ends, 1):
            part = slice(begin, end)
            known = None if keep is None else keep[:, part].long()
            if known is not None and end <= heard:
                sampler.append(known)
                x[:, part] = known.to(form)
            else:
                x[:, part] = sampler.sample(z[:, part], temperature[:, part], known).to(form)
            begin = end
            yield DecodingStep(x, done, len(ends))

    def _known_count(self, z: Tensor, keep: Tensor | None) -> int:
        """Return the number of samples that are kept at the beginning of all sounds."""
        if keep is None:
            return 0
        if keep.shape != z.shape:
            raise ValueError(f"what is to be kept is {tuple(keep.shape)}, but the sounds are {tuple(z.shape)}")
        if int(keep.max()) >= self.levels:
            raise ValueError(f"a level of {int(keep.max())} is to be kept, but there are {self.levels}")
        return int((keep >= 0).all(0).cumprod(0).sum())


class StreamingLogProb:
    """Computes the log-probability of sounds in parts, each of which continues the one before it."""

    def __init__(self, model: AutoregressiveSound, c: Tensor | None, count: int) -> None:
        self._model = model
        self._c = c
        self._queues = model.net.queues(count)
        self._last: Tensor | None = None
        self._at = 0

    def log_prob(self, x: Tensor) -> Tensor:
        """Return ln p in nats of the next levels `(B, n)`."""
        net = self._model.net
        numbers = net.continue_numbers(net.previous_levels(x, self._last), self._queues, self._c, self._at)
        self._last = x[:, -1:]
        self._at = self._at + x.shape[1]
        return self._model.log_prob_of_samples(x, numbers)

    def bits(self, x: Tensor) -> Tensor:
        """Return -log2 p of the next levels `(B, n)`, in bits."""
        return -self.log_prob(x) / math.log(2)

    def set_condition(self, c: Tensor | None) -> None:
        """Use another condition from the next sample on."""
        self._c = c

    def bits_of_continuations(self, x: Tensor) -> Tensor:
        """Return -log2 p of n possible continuations `(n, m)` of one sound, without appending any."""
        count = len(x)
        last = self._last
        queues = [queue.expand(count, -1, -1).clone() for queue in self._queues]
        before = self._model.net.previous_levels(x, None if last is None else last.expand(count, 1))
        c = None if self._c is None else self._c.expand(count, *self._c.shape[1:])
        return -self._model.log_prob_of_samples(
            x, self._model.net.continue_numbers(before, queues, c, self._at)
        ) / math.log(2)
