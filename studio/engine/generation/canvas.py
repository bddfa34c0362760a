"""Draw with a model on a canvas: pictures of another size than its own."""

import math
from dataclasses import replace

import torch

from studio.density.autoregressive import Autoregressive
from studio.density.canvas import Canvas
from studio.density.seams import BAND
from studio.engine.generation.sampling import LoadedModel
from studio.engine.levels import DoesNotFit
from studio.wire.messages import MAX_CANVAS_SIDE, Array


def on_canvas(
    loaded: LoadedModel, size: tuple[int, int], *, seamless: bool = False, priced_by: LoadedModel | None = None
) -> LoadedModel:
    """Return the model for pictures of a size (height, width). Raises DoesNotFit if it draws only its own size.

    `priced_by` is the model that computes bits, if `loaded` is sharpened.
    """
    model = loaded.model
    if not isinstance(model, Autoregressive) or not model.margin:
        mixed = " in a mixture" if loaded.parts is not None else ""
        raise DoesNotFit(
            f'"{loaded.card.title}" draws only pictures of {loaded.card.size_text}{mixed}. '
            "Choose a model without borders, or its own size"
        )
    try:
        pricing = priced_by.model if priced_by is not None else None
        assert pricing is None or isinstance(pricing, Autoregressive), "the sharpened one is"
        canvas = Canvas(model, *size, seamless=seamless, priced_by=pricing)
    except ValueError as error:
        raise DoesNotFit(str(error)) from None
    return replace(loaded, model=canvas, bytes_each=_estimate_bytes(canvas))


def suited_to(loaded: LoadedModel, picture: Array) -> LoadedModel:
    """Return the model for pictures of the size of `picture`, if it draws any size; otherwise as it is."""
    model = loaded.model
    is_other = picture.ndim == 3 and picture.shape[:2] != model.shape[1:]
    if not is_other or not isinstance(model, Autoregressive) or not model.margin:
        return loaded
    height, width = picture.shape[:2]
    if max(height, width) > MAX_CANVAS_SIDE:
        raise DoesNotFit(f"the picture is {width} × {height}, but a side has at most {MAX_CANVAS_SIDE:,} pixels")
    return on_canvas(loaded, (height, width))


def _estimate_bytes(canvas: Canvas) -> int:
    """Estimate the bytes of one canvas: some tensors of a band in the widest layer, and of the whole picture."""
    widest = max(parameter.shape[0] for parameter in canvas.parameters() if parameter.dim() == 4)
    height, width = canvas.shape[1:]
    band = 4 * widest * min(BAND + canvas.reach, height) * width
    return (band + 16 * math.prod(canvas.shape)) * torch.float32.itemsize
