"""A job that has nothing to do for a while."""

from typing import NamedTuple


class Rest(NamedTuple):
    """Said by a job in place of an event: its next step is not wanted before so many seconds are over."""

    seconds: float
