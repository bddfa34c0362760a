"""Doubt: its colours over a picture."""

import numpy as np

from studio.app.states.surprise import Scale
from studio.wire.messages import Array


def lit(picture: Array, doubt: Array | None, scale: Scale | None) -> Array | None:
    """What is to be seen in place of a picture: the colours of its bits (rows drawn, width), and its own where a pixel
    has none; None where nothing is known."""
    if doubt is None or scale is None or not np.isfinite(doubt).any():
        return None
    seen = np.broadcast_to(picture, (*picture.shape[:2], 3)).copy()
    known = np.isfinite(doubt)
    seen[: len(doubt)][known] = scale.coloured(doubt)[known]
    return seen
