"""What a hand does to a line of knots (second, temperature), in order of time; two of one second are a step."""

import bisect

from studio.app.states.heat import Points

Knots = Points
SLIDER_MAX_TEMPERATURE = 2.0
"""As far as a hand goes; works may bring more."""


def put(knots: Knots, seconds: float, heat: float) -> Knots:
    """One more."""
    place = bisect.bisect_right([at for at, _ in knots], seconds)
    return (*knots[:place], (seconds, heat), *knots[place:])


def without(knots: Knots, row: int) -> Knots:
    return (*knots[:row], *knots[row + 1 :])


def moved(knots: Knots, row: int, seconds: float, heat: float, least: float) -> Knots:
    """One elsewhere: between its neighbours, and not before a moment."""
    least = max(knots[row - 1][0] if row else 0.0, least)
    most = knots[row + 1][0] if row + 1 < len(knots) else max(seconds, least)
    now = min(max(seconds, least), most), min(max(heat, 0.0), SLIDER_MAX_TEMPERATURE)
    return (*knots[:row], now, *knots[row + 1 :])
