"""Hold whole sounds: train on random cuts, evaluate from the first sample to the last."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.levels import DoesNotFit, TrainingExamples, levels_of_sound
from studio.engine.training.augmentation import SoundVariation, draw_speed, seeded, source_length, vary_sound
from studio.media.sounds import audio_dataset as files

CUTS_OF_LONG_SOUND = 4
"""The number of cuts from which on a sound counts as long.

Cuts of a long sound begin at another place in every epoch. Cuts of a shorter sound begin at its beginning, and the
model also learns the silence after its end.
"""


@dataclass(frozen=True)
class CutExamples(TrainingExamples):
    """Holds parts of sounds `(n, field + samples)` with their context. Entries without sound are -1."""

    def loss(self, model: Model) -> Tensor:
        assert isinstance(model, AutoregressiveSound), "only what is drawn sample by sample learns from cuts"
        return model.loss_of_cuts(self.x, self.c)

    def weight(self, model: Model) -> float:
        """Return the number of samples that are predicted."""
        assert isinstance(model, AutoregressiveSound), "only what is drawn sample by sample learns from cuts"
        return int((self.x[:, model.receptive_field :] >= 0).sum())


@dataclass(frozen=True)
class TrainingRecordings:
    """Holds sounds in levels, each `(samples,)`, and their classes c `(n,)` if known.

    Attributes
        waves: the same sounds, each `(samples,)` int16, if they are to be varied; otherwise empty
    """

    x: tuple[Tensor, ...]
    c: Tensor | None = None
    waves: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sample_count(self) -> int:
        """Return the number of samples of all sounds together."""
        return sum(len(x) for x in self.x)

    def select(self, index: Tensor | slice) -> "TrainingRecordings":
        """Return some of the sounds."""
        some = torch.arange(len(self.x))[index]
        waves = tuple(self.waves[i] for i in some.tolist()) if self.waves else ()
        classes = None if self.c is None else self.c[some]
        return TrainingRecordings(tuple(self.x[i] for i in some.tolist()), classes, waves)

    def to(self, device: torch.device) -> "TrainingRecordings":
        """Return the same sounds on a device."""
        classes = None if self.c is None else self.c.to(device)
        return TrainingRecordings(tuple(x.to(device) for x in self.x), classes, self.waves)

    def one_by_one(self) -> Iterator[TrainingExamples]:
        """Yield one sound after the other, as a batch of one."""
        for i, x in enumerate(self.x):
            yield TrainingExamples(x[None], None if self.c is None else self.c[i : i + 1])

    def cut_into_pieces(self, samples: int) -> "TrainingRecordings":
        """Cut every sound into pieces of so many samples.

        A shorter sound stays whole; a shorter rest is left out.
        """
        starts = [(i, at) for i, x in enumerate(self.x) for at in range(0, max(len(x) - samples, 0) + 1, samples)]
        classes = None if self.c is None else self.c[torch.tensor([i for i, _ in starts], device=self.c.device)]
        return TrainingRecordings(tuple(self.x[i][at : at + samples] for i, at in starts), classes)

    def cuts_of_step(
        self,
        step: int,
        batch: int,
        samples: int,
        field: int,
        silence: int,
        seed: int,
        variation: SoundVariation | None = None,
    ) -> CutExamples:
        """Return the cuts of a training step. Every epoch visits all sounds in an order of its own.

        Arguments
            samples: the number of samples of a cut that are predicted
            field: how many samples before them they are predicted from
            silence: the level of silence
            variation: how the sounds are varied, for which `waves` is needed
        """
        random = seeded(seed, step)
        counts = torch.tensor([len(x) // samples + 1 for x in self.x])
        each = max(int(counts.sum()) // batch, 1)
        epoch, place = divmod(step, each)
        stream = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        order = torch.randperm(int(counts.sum()), generator=stream)[place * batch : (place + 1) * batch]
        shifts = torch.randint(samples, (len(self.x),), generator=stream)
        first = counts.cumsum(0) - counts
        of = torch.searchsorted(first, order, right=True) - 1
        rows = []
        for sound, cut in zip(of.tolist(), (order - first[of]).tolist(), strict=True):
            long = len(self.x[sound]) > CUTS_OF_LONG_SOUND * samples
            begin = cut * samples - (int(shifts[sound]) if long else 0)
            after = -1 if long else silence
            if variation is None:
                rows.append(_cut(self.x[sound], begin, samples, field, after))
            else:
                rows.append(varied_cut(self.waves[sound], begin, samples, field, after, variation, random))
        return CutExamples(torch.stack(rows), None if self.c is None else self.c[of])


def _cut(x: Tensor, begin: int, samples: int, field: int, after: int) -> Tensor:
    """Return `(field + samples,)`: the cut from `begin` on, with its context before it.

    Entries before the sound are -1, entries after it are `after`.
    """
    row = torch.full((field + samples,), -1, dtype=torch.int32)
    start = max(begin - field, 0)
    end = min(begin + samples, len(x))
    place = start - (begin - field)
    row[place : place + end - start] = x[start:end]
    row[place + end - start :] = after
    return row


def varied_cut(
    wave: Tensor, begin: int, samples: int, field: int, after: int, variation: SoundVariation, random: torch.Generator
) -> Tensor:
    """Return `(field + samples,)` as `_cut` does, of a sound (n,) int16 that is varied together with its context."""
    start = max(begin - field, 0)
    wanted = begin + samples - start
    speed = draw_speed(variation.how, random)
    piece = wave[start : start + source_length(wanted, speed)].float() / 32_768
    varied = vary_sound(piece, speed, variation.rate, variation.how, random)[:wanted]
    heights = (varied * 32_768).round().clamp(-32_768, 32_767).to(torch.int16)
    row = torch.full((field + samples,), -1, dtype=torch.int32)
    place = start - (begin - field)
    row[place : place + len(heights)] = levels_of_sound(heights.numpy(), variation.levels).int()
    row[place + len(heights) :] = after
    return row


def to_training_recordings(
    data: files.RecordingDataset, model: AutoregressiveSound, *, varied: bool = False
) -> tuple[TrainingRecordings, TrainingRecordings]:
    """Return training and held-out recordings in a model's levels.

    Raises DoesNotFit if the classes do not fit the model. `varied`: whether the training recordings will be varied.
    """
    known = tuple(len(sort) for sort in data.class_groups)
    wanted = tuple(model.net.classes)
    if known != wanted:
        raise DoesNotFit(
            f'the recipe needs {_class_counts_text(wanted)}, but "{data.name}" has {_class_counts_text(known)}'
        )
    sides = ((data.train, data.train_labels), (data.test, data.test_labels))
    learn, test = (
        TrainingRecordings(
            tuple(levels_of_sound(np.asarray(x), model.levels) for x in waves),
            None if c is None else torch.from_numpy(c),
        )
        for waves, c in sides
    )
    if varied:
        learn = replace(learn, waves=tuple(torch.from_numpy(np.array(wave)) for wave in data.train))
    return learn, test


def _class_counts_text(counts: tuple[int, ...]) -> str:
    return f"{' × '.join(str(count) for count in counts)} classes" if counts else "no classes"


@torch.no_grad()
def bits_per_sample(model: Model, sounds: TrainingRecordings) -> float:
    """Return the mean bits of every sample of whole sounds, each given its class."""
    total = sum(float(bits) for bits in bits_of_sounds(model, sounds))
    return total / sounds.sample_count


@torch.no_grad()
def bits_of_sounds(model: Model, sounds: TrainingRecordings) -> Iterator[float]:
    """Return the bits of each sound, given its class."""
    for one in sounds.one_by_one():
        yield -float(model.log_prob(one.x, one.c)[0]) / math.log(2)
