"""Measure how near drawn recordings are to held-out ones, by the Fréchet distance of their log-mel frames.

    d² = |μ_a - μ_b|² + tr(Σ_a + Σ_b - 2 (Σ_a Σ_b)^½)

with the means μ and covariances Σ of the logarithms of the power in mel bands (Dowson and Landau, The Fréchet distance
between multivariate normal distributions, 1982; Kilgour et al., Fréchet Audio Distance, 2019, arXiv:1812.08466, of the
features of a network). It is a proxy: it compares which colours of sound occur, and not in which order. Recordings that
were learned from have a distance, too, which no model is expected to beat.
"""

import math
from collections.abc import Generator

import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine.audio import import_torchaudio
from studio.engine.generation.sampling import recording_temperatures
from studio.engine.levels import sound_of_levels
from studio.engine.training.recordings import TrainingRecordings

COMPARED_SECONDS = 30.0
"""Seconds of recordings on each side."""
FRAME_SECONDS = 0.064
"""The shortest length of a frame in seconds."""
MEL_BANDS = 40
"""The number of bands of a frame."""
LEAST_POWER = 1e-6
"""The power that is added to each band, so that silence has a logarithm."""

Distances = tuple[float, float]
"""The distances to held-out recordings: that of drawn ones, and that of training recordings."""


@torch.no_grad()
def measure_distances(
    model: AutoregressiveSound,
    learned: TrainingRecordings,
    held_out: TrainingRecordings,
    rate: int,
    temperatures: tuple[float, float],
) -> Generator[None, None, Distances | None]:
    """Return the distances to held-out recordings, in small steps; None if these are too short.

    For each held-out piece one is drawn that is as long, has the same class and follows the same signal.

    Arguments
        rate: of the recordings in Hz
        temperatures: that of recordings, and the lowest one at their beginning
    """
    count = max(1, round(COMPARED_SECONDS * rate / model.shape[0]))
    wanted = _some_pieces(held_out, model.shape[0], count)
    drawn = []
    for seed, one in enumerate(wanted.one_by_one(), 1):
        z = model.noise([seed], one.x.shape[1])
        of_samples = recording_temperatures(model, z.shape[1], rate, *temperatures).expand_as(z)
        x = one.x
        for step in model.decode_steps(z, one.c, of_samples):
            x = step.x
            yield
        drawn.append(x[0])
    there = _statistics(wanted.x, model.levels, rate)
    sides = (drawn, _some_pieces(learned, model.shape[0], count).x)
    from_drawn, from_learned = (_distance(_statistics(side, model.levels, rate), there) for side in sides)
    return (from_drawn, from_learned) if math.isfinite(from_drawn + from_learned) else None


def _some_pieces(sounds: TrainingRecordings, samples: int, count: int) -> TrainingRecordings:
    """Return at most `count` pieces of recordings, at equal distances."""
    pieces = sounds.cut_into_pieces(samples)
    return pieces.select(torch.linspace(0, len(pieces) - 1, min(count, len(pieces))).long())


def _statistics(sounds: tuple[Tensor, ...] | list[Tensor], levels: int, rate: int) -> tuple[Tensor, Tensor]:
    """Return the mean `(bands,)` and the covariance `(bands, bands)` of all frames of sounds in levels."""
    size = 2 ** math.ceil(math.log2(FRAME_SECONDS * rate))
    mel = import_torchaudio().transforms.MelSpectrogram(
        rate, size, hop_length=size // 4, n_mels=MEL_BANDS, normalized=True, pad_mode="constant"
    )
    heights = (torch.from_numpy(sound_of_levels(x, levels)).float() / 32_768 for x in sounds)
    frames = torch.cat([(mel(wave) + LEAST_POWER).log().t() for wave in heights]).double()
    centred = frames - frames.mean(0)
    return frames.mean(0), centred.t() @ centred / (len(frames) - 1)


def _distance(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    if not all(bool(part.isfinite().all()) for part in (*a, *b)):
        return math.nan
    return max(float(import_torchaudio().functional.frechet_distance(*a, *b)), 0.0)
