"""What a job says between its steps."""

from collections.abc import Iterator
from typing import NamedTuple

from studio.wire.messages import AnyEvent


class Pause(NamedTuple):
    """Said by a job in place of an event: its next step is not wanted before so many seconds are over."""

    seconds: float


EventSteps = Iterator[AnyEvent | Pause | None]
"""None is a step with nothing to say."""
