"""Hold whole sounds: train on random cuts, evaluate from the first sample to the last."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.followed_signal import FollowedSignal
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
        assert isinstance(model, AutoregressiveSound), "only a model of recordings learns from cuts"
        return model.loss_of_cuts(self.x, self.c)

    def weight(self, model: Model) -> float:
        """Return the number of samples that are predicted."""
        assert isinstance(model, AutoregressiveSound), "only a model of recordings learns from cuts"
        return int((self.x[:, model.receptive_field :] >= 0).sum())


@dataclass(frozen=True)
class TrainingRecordings:
    """Holds sounds in levels, each `(samples,)`, and their classes c `(n,)` if known.

    Attributes
        waves: the same sounds, each `(samples,)` int16, if they are to be varied; otherwise empty
        signals: the signal of each, `(numbers, frames)`, if the model follows one; otherwise empty
        follow: what is followed
    """

    x: tuple[Tensor, ...]
    c: Tensor | None = None
    waves: tuple[Tensor, ...] = ()
    signals: tuple[Tensor, ...] = ()
    follow: FollowedSignal | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def sample_count(self) -> int:
        """Return the number of samples of all sounds together."""
        return sum(len(x) for x in self.x)

    def select(self, index: Tensor | slice) -> "TrainingRecordings":
        """Return some of the sounds."""
        some = torch.arange(len(self.x))[index]
        each = some.tolist()
        return TrainingRecordings(
            tuple(self.x[i] for i in each),
            None if self.c is None else self.c[some],
            tuple(self.waves[i] for i in each) if self.waves else (),
            tuple(self.signals[i] for i in each) if self.signals else (),
            self.follow,
        )

    def to(self, device: torch.device) -> "TrainingRecordings":
        """Return the same sounds on a device."""
        classes = None if self.c is None else self.c.to(device)
        x, signals = (tuple(each.to(device) for each in many) for many in (self.x, self.signals))
        return TrainingRecordings(x, classes, self.waves, signals, self.follow)

    def one_by_one(self) -> Iterator[TrainingExamples]:
        """Yield one sound after the other, as a batch of one, with its condition."""
        for i, x in enumerate(self.x):
            classes = None if self.c is None else self.c[i : i + 1]
            yield TrainingExamples(x[None], _condition(classes, self.signals[i][None] if self.signals else None))

    def cut_into_pieces(self, samples: int) -> "TrainingRecordings":
        """Cut every sound into pieces of so many samples.

        A shorter sound stays whole; a shorter rest is left out. If a signal is followed, a piece begins with a frame.
        """
        starts = [
            (i, at - at % self.hop)
            for i, x in enumerate(self.x)
            for at in range(0, max(len(x) - samples, 0) + 1, samples)
        ]
        classes = None if self.c is None else self.c[torch.tensor([i for i, _ in starts], device=self.c.device)]
        return TrainingRecordings(
            tuple(self.x[i][at : at + samples] for i, at in starts),
            classes,
            signals=tuple(self.signals[i][:, at // self.hop :] for i, at in starts) if self.signals else (),
            follow=self.follow,
        )

    def usual_signal(self, frames: int) -> Tensor:
        """Return the signal `(numbers, frames)` of the first sound that is long enough.

        If there is none, the longest is repeated.
        """
        long = next((each for each in self.signals if each.shape[1] >= frames), None)
        longest = max(self.signals, key=lambda each: each.shape[1]) if long is None else long
        return longest[:, torch.arange(frames) % longest.shape[1]]

    @property
    def hop(self) -> int:
        """Return the samples of a frame of the followed signal; 1 if none is followed."""
        return self.follow.hop if self.follow is not None else 1

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
        rows, signals = [], []
        for sound, cut in zip(of.tolist(), (order - first[of]).tolist(), strict=True):
            long = len(self.x[sound]) > CUTS_OF_LONG_SOUND * samples
            begin = cut * samples - (int(shifts[sound]) if long else 0)
            begin -= begin % self.hop
            if begin + samples <= 0:
                begin += self.hop
            where = CutPlace(begin, samples, field, -1 if long else silence)
            if variation is not None:
                row, signal = _varied_cut(self.waves[sound], where, variation, random, self.follow)
            else:
                row = where.row(self.x[sound][where.context : where.end])
                signal = _cut_signal(self.signals[sound], where, self.follow) if self.follow is not None else None
            rows.append(row)
            signals += [signal] if signal is not None else []
        classes = None if self.c is None else self.c[of]
        return CutExamples(torch.stack(rows), _condition(classes, torch.stack(signals) if signals else None))


class CutPlace(NamedTuple):
    """States where a cut of a sound lies.

    Attributes
        begin: the first sample that is predicted. It may lie before the sound, and begins a frame if a signal is
            followed
        samples: the number of samples that are predicted
        field: the number of samples before them that they are predicted from
        after: the level after the end of the sound; -1 if nothing is predicted there
    """

    begin: int
    samples: int
    field: int
    after: int

    @property
    def context(self) -> int:
        """Return the first sample of the sound that is seen."""
        return max(self.begin - self.field, 0)

    @property
    def end(self) -> int:
        """Return the sample of the sound after the last one that is predicted."""
        return self.begin + self.samples

    def row(self, levels: Tensor) -> Tensor:
        """Return `(field + samples,)` with the levels from `context` on. Entries before the sound are -1."""
        row = torch.full((self.field + self.samples,), -1, dtype=torch.int32)
        place = self.context - (self.begin - self.field)
        levels = levels[: len(row) - place]
        row[place : place + len(levels)] = levels
        row[place + len(levels) :] = self.after
        return row

    def first_frame(self, hop: int) -> int:
        """Return the first frame of the context. Negative ones lie before the sound."""
        return self.begin // hop - -(-(self.field - 1) // hop)

    def frame_count(self, hop: int) -> int:
        """Return the number of frames of the cut and its context."""
        return (self.end - 1) // hop + 1 - self.first_frame(hop)


def _condition(classes: Tensor | None, signals: Tensor | None) -> Tensor | None:
    """Return the condition of sounds of classes `(n,)` with signals `(n, numbers, frames)`, as a WaveNet needs it."""
    if signals is None or classes is None:
        return classes if signals is None else signals
    kinds = classes.to(signals).view(-1, 1, 1).expand(-1, 1, signals.shape[2])
    return torch.cat((kinds, signals), 1)


def _cut_signal(signal: Tensor, place: CutPlace, follow: FollowedSignal, first: int = 0) -> Tensor:
    """Return the signal of a cut and its context, `(numbers, frames)`.

    Before and after the sound it is that of silence. The given signal begins with frame `first` of the sound.
    """
    begin = place.first_frame(follow.hop) - first
    wanted = torch.arange(begin, begin + place.frame_count(follow.hop))
    frames = signal[:, wanted.clamp(0, signal.shape[1] - 1)]
    is_known = (wanted >= 0) & (wanted < signal.shape[1])
    return torch.where(is_known, frames, follow.of_sound(torch.zeros(follow.hop)))


def varied_cut(
    wave: Tensor, begin: int, samples: int, field: int, after: int, variation: SoundVariation, random: torch.Generator
) -> Tensor:
    """Return a cut of a sound (n,) int16 that is varied together with its context, `(field + samples,)`.

    The numbers are those of `CutPlace`.
    """
    return _varied_cut(wave, CutPlace(begin, samples, field, after), variation, random, None)[0]


def _varied_cut(
    wave: Tensor, place: CutPlace, variation: SoundVariation, random: torch.Generator, follow: FollowedSignal | None
) -> tuple[Tensor, Tensor | None]:
    """Return a varied cut, and the signal of what is then heard; None if none is followed."""
    first = max(place.first_frame(follow.hop), 0) * follow.hop if follow is not None else place.context
    wanted = place.end - first
    speed = draw_speed(variation.how, random)
    piece = wave[first : first + source_length(wanted, speed)].float() / 32_768
    varied = vary_sound(piece, speed, variation.rate, variation.how, random)[:wanted]
    heights = (varied * 32_768).round().clamp(-32_768, 32_767).to(torch.int16).numpy()
    row = place.row(levels_of_sound(heights, variation.levels).int()[place.context - first :])
    if follow is None:
        return row, None
    return row, _cut_signal(follow.of_samples(heights), place, follow, first // follow.hop)


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
    classes = [None if c is None else torch.from_numpy(c) for c in (data.train_labels, data.test_labels)]
    learn = recordings_in_levels(data.train, classes[0], model.levels, varied=varied)
    return learn, recordings_in_levels(data.test, classes[1], model.levels)


def recordings_in_levels(
    waves: Sequence[np.ndarray], classes: Tensor | None, levels: int, *, varied: bool = False
) -> TrainingRecordings:
    """Return sounds (samples,) int16 of classes (n,) in levels. `varied`: whether they will be varied."""
    x = tuple(levels_of_sound(np.asarray(wave), levels) for wave in waves)
    kept = tuple(torch.from_numpy(np.array(wave)) for wave in waves) if varied else ()
    return TrainingRecordings(x, classes, kept)


def with_signals(sounds: TrainingRecordings, follow: FollowedSignal) -> Generator[None, None, TrainingRecordings]:
    """Return recordings with the signal of each, in small steps."""
    signals = []
    for x in sounds.x:
        signals.append((yield from follow.in_steps(follow.heights(x))))
    return replace(sounds, signals=tuple(signals), follow=follow)


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
