"""Formats times, sizes and numbers for the user."""

import datetime
import math


def time_left(seconds: float) -> str:
    """Return the time left, for the user.

    Examples: `about 9 s`, `about 4 min`, `about 2 h`.
    """
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {round(seconds / 3600)} h"


def duration(seconds: float) -> str:
    """Return a duration, for the user: `4.2 s`, `1 min 58 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def timecode(seconds: float) -> str:
    """Return a position in a sound, for the user: `0:14.6`, `12:05.0`."""
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def timestamp() -> str:
    """Return the present date and time as artworks store it."""
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")


FIGURE_SPACE = "\N{FIGURE SPACE}"


def format_bits(nats: float) -> str:
    """Return information in bits, for the user. `nats` is a log-likelihood."""
    return f"{-nats / math.log(2):,.0f} bits"


def group_digits(seed: int) -> str:
    """Return a seed with its digits in groups: `4 112`."""
    return f"{seed:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
