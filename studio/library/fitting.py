"""Bring pictures into the size and the colours of a model. Every picture of the user comes to a model through here."""

from typing import Literal, NamedTuple

import numpy as np

from studio.library.card import Card
from studio.media.pictures.image import Box, fit_to_shape
from studio.media.pictures.palette import changed_pixels, snap_to_palette


class FittedPicture(NamedTuple):
    """Holds a picture (height, width, 1 | 3) uint8 as a model sees it.

    `note` says how many pixels took another colour of the model's palette; empty if none did.
    """

    array: np.ndarray
    note: str


def fit_to_card(
    picture: np.ndarray,
    card: Card,
    how: Literal["crop", "fit", "pad"] = "crop",
    box: Box | None = None,
    size: tuple[int, int] | None = None,
) -> FittedPicture:
    """Fit a picture to a model of pictures, as `fit_to_shape` does, in the nearest colours of its palette.

    Arguments
        size: (height, width) if it is not the model's own
    """
    channels, *own_size = card.shown_shape
    height, width = size or own_size
    fitted = fit_to_shape(picture, (channels, height, width), how, box)
    if not card.palette:
        return FittedPicture(fitted, "")
    array = snap_to_palette(fitted, card.palette)
    changed = changed_pixels(fitted, array)
    took = f"{changed:,} of {height * width:,} pixels took the nearest of {len(card.palette)} colours"
    return FittedPicture(array, took if changed else "")
