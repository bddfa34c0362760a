"""Define what all messages share: the types of their fields, their urgencies and their base classes."""

from typing import Annotated, Any, ClassVar

import numpy as np
from msgspec import Meta, Struct

PROTOCOL_VERSION = 1

Array = np.ndarray[Any, Any]
JobId = Annotated[str, Meta(min_length=1, max_length=64)]
ModelName = Annotated[str, Meta(min_length=1, max_length=200)]
Text = Annotated[str, Meta(max_length=20_000)]
Seed = Annotated[int, Meta(ge=0, lt=2**53)]
Count = Annotated[int, Meta(ge=0)]
Temperature = Annotated[float, Meta(ge=0.0, le=4.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
MAX_GUIDANCE = 3.0
"""The strongest guidance towards a class."""
Guidance = Annotated[float, Meta(ge=0.0, le=MAX_GUIDANCE)]
SliderValue = Annotated[float, Meta(ge=-16.0, le=16.0)]
MAX_CANVAS_SIDE = 1024
"""The most rows or columns of a picture that is drawn in another size than its model's own."""
CanvasSide = Annotated[int, Meta(ge=1, le=MAX_CANVAS_SIDE)]

URGENCY_ADJUST, URGENCY_PLAYBACK, URGENCY_CONTROL, URGENCY_ADDITION, URGENCY_REQUEST, URGENCY_QUEUED = range(6)
"""Urgencies of commands, most urgent first: changes of a running job, sound that plays, a control being dragged,
additions such as the surprise of a picture or the preview of a training, single requests, the queue."""

CHUNK_SECONDS = 0.02
"""Seconds of sound in one SoundChunk."""

CONTEXT_SAMPLES = 8 * 2**14
"""The number of samples before a stretch of sound that may influence its bits.

It is the receptive field of the WaveNet with the most layers.
"""


class Message(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="is"):
    """Is the base of every message."""


class Command(Message, frozen=True, kw_only=True):
    """Asks something of the engine; `job` identifies it in every answer.

    `control` names the control that asks. A newer command with the same `control` replaces the older one, which then
    ends as `Stopped`. A command with an empty `control` replaces none.
    """

    urgency: ClassVar[int] = URGENCY_REQUEST
    job: JobId
    control: Annotated[str, Meta(max_length=64)] = ""


class Event(Message, frozen=True, kw_only=True):
    """Reports something from the engine."""


class Answer(Event, frozen=True, kw_only=True):
    """Reports something about a job."""

    job: JobId
