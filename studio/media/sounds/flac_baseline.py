"""Compute the bits of sounds without a trained model.

One figure is FLAC's, the other that of a linear prediction from the two samples before.
"""

import io
from collections.abc import Sequence

import numpy as np


def flac_bits(sounds: Sequence[np.ndarray], levels: int) -> float:
    """Return the bits of a FLAC of all sounds (samples,) in whole levels.

    They follow each other and are packed as small as FLAC can. 256 levels are samples of 8 bits, any others of 16.
    """
    import soundfile

    whole = np.concatenate(sounds).astype(np.int32) - levels // 2
    small = levels <= 256
    samples = (whole << 8 if small else whole).astype(np.int16)
    buffer = io.BytesIO()
    form = "PCM_S8" if small else "PCM_16"
    soundfile.write(buffer, samples, 16_000, format="FLAC", subtype=form, compression_level=1.0)
    return 8.0 * len(buffer.getvalue())


def predicted_bits(sounds: Sequence[np.ndarray]) -> float:
    """Return the bits of all sounds (samples,) in whole levels by a linear prediction.

    The rest x_t - round(a x_{t-1} + b x_{t-2}) is coded with its own entropy, and a and b are those that fit best. The
    mean precedes a sound.
    """
    mean = round(float(np.concatenate(sounds).mean()))
    now, one, two = (
        np.concatenate([np.concatenate((np.full(by, mean), x))[: len(x)] for x in sounds]).astype(np.int64) - mean
        for by in (0, 1, 2)
    )
    weights, *_ = np.linalg.lstsq(np.stack((one, two), 1).astype(float), now.astype(float), rcond=None)
    left = now - np.rint(weights[0] * one + weights[1] * two).astype(np.int64)
    counts = np.unique(left, return_counts=True)[1]
    return float(-(counts * np.log2(counts / len(left))).sum())
