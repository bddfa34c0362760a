"""Encode pictures that follow each other as an animated GIF."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

LEAST_HEIGHT = 256
"""Pixels of a frame's height, at least. Smaller ones are enlarged by a whole number."""
LAST_SECONDS = 2.0
"""Seconds for which the last frame stays before the film begins again."""
GAP = 4
"""Pixels between two pictures of a frame, before it is enlarged."""
_LONGEST = 655.35
"""Seconds of the longest frame that a GIF can hold."""


def encode_gif_bytes(frames: Sequence[np.ndarray], seconds_each: float) -> bytes:
    """Encode frames as a GIF that plays again and again.

    Arguments
        frames: the pictures of each, side by side: (n, height, width, 1 | 3) uint8, all of one shape
        seconds_each: for how long each but the last is shown
    """
    if not frames:
        raise ValueError("a film has one frame at least")
    times = max(1, -(-LEAST_HEIGHT // frames[0].shape[1]))
    first, *rest = (_join(frame, times) for frame in frames)
    durations = [1000 * seconds_each] * len(rest) + [1000 * min(max(seconds_each, LAST_SECONDS), _LONGEST)]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=durations, loop=0, disposal=1)
    return buffer.getvalue()


def _join(pictures: np.ndarray, times: int) -> Image.Image:
    """Return pictures side by side as one, enlarged by a whole number."""
    count, high, wide, channels = pictures.shape
    joined = np.full((high, count * (wide + GAP) - GAP, channels), 255, np.uint8)
    for place, picture in enumerate(pictures):
        left = place * (wide + GAP)
        joined[:, left : left + wide] = picture
    if channels == 1:
        joined = joined.repeat(3, 2)
    return Image.fromarray(joined.repeat(times, 0).repeat(times, 1)).quantize(256)
