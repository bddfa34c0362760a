"""Compute what a WaveNet follows of a sound: its pitch and its loudness, frame by frame.

A frame of `hop` samples holds a number for each note, then one for the loudness; each part only if it is followed.

The pitch comes from the autocorrelation of a windowed piece, divided by that of its window (Boersma, Accurate
short-term analysis of the fundamental frequency, 1993). It lies between two notes.
The number of each is the distance of the pitch from the other one; the numbers of all other notes are zero.

torchaudio's `detect_pitch_frequency` divides by the energy twice, so it finds the longest lag in most notes that die
away: of eight from 311 to 1,047 Hz it finds none, and this finds all.

The loudness is the sum of p^0.3 over mel bands of power p (Stevens, The measurement of loudness, 1955), as a logarithm.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.engine.audio import import_torchaudio
from studio.engine.events import result_of
from studio.engine.levels import levels_of_sound, sound_of_levels
from studio.wire.messages import Array
from studio.zoo import Recipe
from studio.zoo.wavenet import FOLLOWED_NOTES, WaveNet

WINDOW_SECONDS = 0.05
"""Seconds of sound that decide a frame: three periods of the lowest note."""
LAGS_PER_SAMPLE = 4
"""The number of lags of the autocorrelation within one sample."""
OCTAVE_COST = 0.05
"""How much weaker a pitch counts that is an octave lower. Without it, many notes are found an octave too low."""
MIN_STRENGTH = 0.45
"""The least autocorrelation of a pitch. It is 1 for a steady tone, and up to 0.2 for noise."""
MIN_POWER = 1e-5
"""The least mean square of a frame with a pitch: 50 dB below the largest."""
MEL_BANDS = 40
"""The bands whose loudness is summed."""
MIN_LOUDNESS = 2.0**-8
"""The loudness of silence."""
BLOCK_FRAMES = 256
"""Frames that are computed together, in about 20 ms."""


@dataclass(frozen=True)
class FollowedSignal:
    """States what a model follows of a sound.

    Attributes
        hop: the samples of a frame
        rate: of the sound in Hz
        levels: how many values a sample can have
    """

    pitch: bool
    loudness: bool
    hop: int
    rate: int
    levels: int = 256

    def of_sound(self, sound: Tensor) -> Tensor:
        """Return the signal `(numbers, frames)` of a sound `(samples,)` from -1 to 1."""
        return result_of(self.in_steps(sound))

    def of_samples(self, samples: Array) -> Tensor:
        """Return the signal of a sound `(samples,)` int16 in levels, whose rounding noise is also loud."""
        return self.of_levels(levels_of_sound(samples, self.levels))

    def of_levels(self, x: Tensor) -> Tensor:
        """Return the signal of a sound in levels, `(samples,)`."""
        return self.of_sound(self.heights(x))

    def heights(self, x: Tensor) -> Tensor:
        """Return the samples of a sound in levels, from -1 to 1."""
        return torch.from_numpy(sound_of_levels(x, self.levels)).float() / 32_768

    def in_steps(self, sound: Tensor) -> Generator[None, None, Tensor]:
        """Return the signal as `of_sound` does, in small steps."""
        torchaudio = import_torchaudio()
        width = round(WINDOW_SECONDS * self.rate)
        size = 2 ** math.ceil(math.log2(2 * width))
        window = torch.hann_window(width)
        spectrum = torchaudio.transforms.Spectrogram(size, width, self.hop, center=False)
        mel = torchaudio.transforms.MelScale(MEL_BANDS, self.rate, n_stft=size // 2 + 1)
        count = max(-(-len(sound) // self.hop), 1)
        before = (size - self.hop) // 2  # so that a piece lies around its frame
        after = count * self.hop - len(sound) + size - before
        padded = torch.nn.functional.pad(sound - sound.mean() if len(sound) else sound, (before, after))
        parts = []
        for first in range(0, count, BLOCK_FRAMES):
            frames = min(BLOCK_FRAMES, count - first)
            power = spectrum(padded[first * self.hop :][: (frames - 1) * self.hop + size])  # (bins, frames)
            power = power * 2 / (size * float(window.square().sum()))
            own = [self._notes(power, window)] if self.pitch else []
            own += [_loudness(mel(power))] if self.loudness else []
            parts.append(torch.cat(own))
            yield
        return torch.cat(parts, 1)

    def _notes(self, power: Tensor, window: Tensor) -> Tensor:
        """Return the numbers of the notes `(notes, frames)` from the power of each frequency, `(bins, frames)`."""
        fine = self.rate * LAGS_PER_SAMPLE
        size = 2 * (len(power) - 1)
        shortest, longest = (fine / _frequency(note) for note in (FOLLOWED_NOTES[-1] + 1, FOLLOWED_NOTES[0] - 1))
        lags = torch.arange(int(shortest), math.ceil(longest) + 1)
        own = torch.fft.irfft(torch.fft.rfft(window, size).abs().square(), size * LAGS_PER_SAMPLE)
        found = torch.fft.irfft(power.t(), size * LAGS_PER_SAMPLE)  # (frames, lags)
        strength = found[:, lags] / found[:, :1].clamp(min=1e-12) / (own[lags] / own[0])
        inner = strength[:, 1:-1]
        is_peak = (inner >= strength[:, :-2]) & (inner >= strength[:, 2:])
        rank = torch.where(is_peak, inner - OCTAVE_COST * lags[1:-1].log2(), -math.inf)
        best = rank.argmax(1)
        note = 69 + 12 * (fine / lags[1:-1][best] / 440).log2()
        is_heard = is_peak.any(1) & (inner.gather(1, best[:, None])[:, 0] >= MIN_STRENGTH)
        is_heard &= power.sum(0) >= MIN_POWER
        notes = torch.tensor(FOLLOWED_NOTES)[:, None]
        near: Tensor = (1 - (note - notes).abs()).clamp(min=0)
        return torch.where(is_heard, near, 0.0)


def _loudness(power: Tensor) -> Tensor:
    """Return the loudness `(1, frames)` of the power of each band, `(bands, frames)`: about -2 for silence, up to 1."""
    return ((power**0.3).sum(0, keepdim=True) + MIN_LOUDNESS).log2() / 4


def _frequency(note: float) -> float:
    """Return the frequency of a MIDI note in Hz."""
    return float(440 * 2 ** ((note - 69) / 12))


def followed_signal(recipe: Recipe, rate: int, levels: int) -> FollowedSignal | None:
    """Return what the model of a recipe follows of sounds; None if it follows none."""
    if not isinstance(recipe, WaveNet) or not recipe.local:
        return None
    return FollowedSignal(recipe.follows_pitch, recipe.follows_loudness, recipe.hop, rate, levels)
