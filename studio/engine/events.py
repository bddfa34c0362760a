"""Define the values that a job yields besides events of the wire."""

from collections.abc import Iterator
from typing import NamedTuple

from studio.wire.messages import AnyEvent


class Pause(NamedTuple):
    """Asks the engine not to step this job for some seconds. A job yields it in place of an event."""

    seconds: float


EventSteps = Iterator[AnyEvent | Pause | None]
"""An event, a Pause, or None after a step without either."""
