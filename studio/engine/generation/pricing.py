"""Compute the bits of a stretch of a recording without reading the whole.

A model looks back no further than its receptive field.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from studio.density.autoregressive_sound import SHORT_SEGMENT_SAMPLES, AutoregressiveSound, StreamingLogProb
from studio.engine.generation.encoding import likeliest_class
from studio.engine.generation.sampling import LoadedModel, condition_of
from studio.engine.levels import DoesNotFit, levels_of_sound
from studio.wire.messages import Array

STEPS_PER_MESSAGE = 8
"""The number of steps whose bits are sent together, so that the window redraws its lane about five times a second."""


@dataclass(frozen=True)
class BitsOfPiece:
    """Holds the bits (n,) of the samples from number `first` on, and the sound's class."""

    first: int
    bits: Array
    label: int | None


@torch.inference_mode()
def bits_in_pieces(loaded: LoadedModel, sound: Array, first: int, label: int | None) -> Iterator[BitsOfPiece | None]:
    """Compute the bits of the samples from number `first` on.

    Yields None after each small step and a piece after STEPS_PER_MESSAGE steps. If `first` is the length of the sound,
    it yields one empty piece with the class. Raises DoesNotFit.
    """
    model = loaded.model
    if not isinstance(model, AutoregressiveSound) or not loaded.card.sample_rate:
        raise DoesNotFit(
            f'"{loaded.card.title}" makes no recordings, so it cannot compute their bits. Choose a WaveNet'
        )
    if sound.dtype != np.int16 or sound.ndim != 1 or not sound.size or first > sound.size:
        raise DoesNotFit(f"the sound is {sound.shape} of {sound.dtype}, but the model works on 16-bit samples")
    x = levels_of_sound(sound, model.levels)[None].to(model.scale_of.device)
    c = yield from likeliest_class(loaded, x, label)
    label = None if c is None else int(c[0])
    if first == x.shape[1]:
        yield BitsOfPiece(first, np.zeros(0, np.float32), label)
        return
    start = max(first - model.receptive_field - 1, 0)
    condition = condition_of(loaded, c, x)
    if model.follows_signal and condition is not None:
        start -= start % model.net.hop
        condition = condition[:, :, start // model.net.hop :]
    log_probs = StreamingLogProb(model, condition, 1)
    for part in torch.split(x[:, start:first], SHORT_SEGMENT_SAMPLES, 1) if first else ():
        log_probs.bits(part)
        yield None
    for begin in range(first, x.shape[1], STEPS_PER_MESSAGE * SHORT_SEGMENT_SAMPLES):
        found = []
        for part in torch.split(
            x[:, begin : begin + STEPS_PER_MESSAGE * SHORT_SEGMENT_SAMPLES], SHORT_SEGMENT_SAMPLES, 1
        ):
            found.append(log_probs.bits(part)[0])
            yield None
        yield BitsOfPiece(begin, torch.cat(found).float().cpu().numpy(), label)
