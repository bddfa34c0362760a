"""Draw single cycles of a wave as small pictures, for sheets."""

import numpy as np
from PIL import Image, ImageDraw

from studio.media.sounds import wavetable

WIDTH = 192
HEIGHT = 128
"""Size of a picture in pixels, in the proportions of the window's grid."""
GROUND = 255
MIDDLE = 214
LINE = 27
"""Grey levels of the background, of the zero line and of the wave."""
ROOM = 0.88
"""Share of the height that the loudest wave takes, as in the window."""
_FINER = 4
"""The factor by which the wave is drawn larger first, so that its line has smooth edges."""
_THICKNESS = 2
"""Width of the wave's line in pixels."""


def draw_cycle(cycle: np.ndarray) -> np.ndarray:
    """Draw a cycle (samples,) int16 as a smooth line: (HEIGHT, WIDTH, 1) uint8."""
    width = WIDTH * _FINER
    height = HEIGHT * _FINER
    heights = wavetable.resample_cycle(cycle, width) / wavetable.FULL
    y = height / 2 - heights * height * ROOM / 2
    large = Image.new("L", (width, height), GROUND)
    draw = ImageDraw.Draw(large)
    draw.line([(0, height / 2), (width, height / 2)], fill=MIDDLE, width=_FINER)
    draw.line(list(zip(range(width), y.tolist(), strict=True)), fill=LINE, width=_THICKNESS * _FINER, joint="curve")
    return np.asarray(large.reduce(_FINER))[..., None]
