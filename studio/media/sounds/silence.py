"""Measure how long a sound has been silent at its end."""

import numpy as np

SILENT_RANGE = 18
"""The largest range of samples (of 32,768) that counts as silence. A silent WaveNet still moves among the four quietest
levels of the µ-law, which span this range, 71 dB below the loudest."""
FIRST_SAMPLES = 1024
"""The number of samples that are examined first."""
LONG_SILENCE_SECONDS = 8.0
"""Seconds of silence after which a model is expected to stay silent. This is twice the longest rest (4.0 s) measured in
three minutes of the music box at its own temperature."""


def silent_tail(samples: np.ndarray) -> int:
    """Count the silent samples at the end of a sound (n,) int16."""
    for count in (FIRST_SAMPLES, len(samples)):  # a few samples usually decide
        backwards = samples[max(len(samples) - count, 0) :][::-1].astype(np.int32)
        is_audible = np.maximum.accumulate(backwards) - np.minimum.accumulate(backwards) > SILENT_RANGE
        if is_audible.any():
            return int(is_audible.argmax())
    return len(samples)
