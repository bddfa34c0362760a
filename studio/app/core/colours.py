"""Names colours, converts them, and finds the common ones in a picture."""

import colorsys
from collections.abc import Sequence

import numpy as np

from studio.media.pictures.palette import nearest_indices
from studio.media.preparation import Palette
from studio.wire.messages import Array

Colour = tuple[int, ...]
"""0 to 255: grey, or red, green and blue."""
_HUES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "turquoise"), (255, "blue"),
         (290, "violet"), (345, "pink"), (361, "red"))  # fmt: skip


def colour_name(colour: Sequence[int]) -> str:
    """Return the plainest word for a colour: `blue`, `dark green`, `grey`."""
    red, green, blue = (colour[0],) * 3 if len(colour) == 1 else colour
    hue, lightness, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if lightness < 0.08 or lightness > 0.95 or saturation < 0.12:
        word = _grey_name(lightness)
    else:
        word = next(name for end, name in _HUES if hue * 360 < end)
    shade = _shade(lightness)
    return word if word in ("black", "white") else shade + word


def _grey_name(lightness: float) -> str:
    """Return the word for a colour without a hue; `light` is 0 to 1."""
    if lightness < 0.12:
        return "black"
    return "white" if lightness > 0.92 else "grey"


def _shade(lightness: float) -> str:
    """Return the word before the name of a colour; `light` is 0 to 1."""
    if lightness < 0.3:
        return "dark "
    return "light " if lightness > 0.75 else ""


def to_hex(colour: Sequence[int]) -> str:
    """Return a colour as `#5FD3BC`."""
    red, green, blue = (colour[0],) * 3 if len(colour) == 1 else colour
    return f"#{red:02X}{green:02X}{blue:02X}"


def parse_colour(text: str, channels: int) -> Colour | None:
    """Return a colour typed as `#5FD3BC`, `5fd3bc` or `fff`; None if it is none.

    The result is grey if the picture is grey (`channels` is 1).
    """
    digits = text.strip().lstrip("#")
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    if len(digits) != 6 or any(each not in "0123456789abcdefABCDEF" for each in digits):
        return None
    colour = tuple(int(digits[at : at + 2], 16) for at in (0, 2, 4))
    return colour if channels == 3 else (round(0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]),)


def nearest_model_colour(colour: Sequence[int], levels: int, palette: Palette) -> Colour:
    """Return the nearest colour that a model with so many levels, or with a palette, can draw."""
    if palette:
        return palette[int(nearest_indices(np.array(colour, np.uint8), palette))]
    return tuple(
        ((value * levels // 256) * 255 + (levels - 1) // 2) // (levels - 1) if levels < 256 else value
        for value in colour
    )


def common_colours(picture: Array, limit: int) -> list[Colour]:
    """Return the colours of a picture, the commonest first; similar colours count as one.

    The picture is (height, width, channels) uint8.
    """
    channels = picture.shape[2]
    flat = picture.reshape(-1, channels)
    coarse = flat // 32
    _, first, counts = np.unique(coarse, axis=0, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:limit]
    return [tuple(int(value) for value in flat[first[place]]) for place in order]
