"""Silence at the end of a sound: how long nothing has been heard."""

import numpy as np

STEPS = 18
"""Of 32,768: from the lowest to the highest of the four quietest levels of the µ-law, among which a WaveNet that has
fallen silent still changes. They are 71 dB below the loudest."""
FEW = 1024
"""Samples that are looked at first."""
LONG = 8.0
"""Seconds of silence after which a model is taken to stay silent: twice the longest rest measured in three minutes of
the music box at its own temperature, which was 4.0 s."""


def silent_end(samples: np.ndarray) -> int:
    """How many samples at the end of (n,) int16 stay so near to each other that nothing is heard."""
    for count in (FEW, len(samples)):  # a few samples usually decide
        back = samples[max(len(samples) - count, 0) :][::-1].astype(np.int32)
        moved = np.maximum.accumulate(back) - np.minimum.accumulate(back) > STEPS
        if moved.any():
            return int(moved.argmax())
    return len(samples)
