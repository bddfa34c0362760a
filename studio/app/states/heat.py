"""Temperature over time: points (second, temperature), joined by straight lines; two of one second are a step."""

from collections.abc import Sequence

import numpy as np

from studio.wire.messages import Array

Points = tuple[tuple[float, float], ...]
HOTTEST = 4.0
MOST = 10_000
"""Points of one sound."""


def sane(points: Sequence[Sequence[float]]) -> Points:
    """Points as they may be: in order, from 0 to HOTTEST. Raises ValueError where there are none, or no numbers."""
    found = tuple((max(float(at), 0.0), min(max(float(heat), 0.0), HOTTEST)) for at, heat in points)
    if not 1 <= len(found) <= MOST or not np.isfinite(found).all():
        raise ValueError("temperature over time has 1 to 10,000 points of two numbers")
    return tuple(sorted(found, key=lambda point: point[0]))


def at(points: Points, seconds: float) -> float:
    """The temperature of a moment; of a step the later one."""
    before = [point for point in points if point[0] <= seconds]
    after = points[len(before) :]
    if not before or not after:
        return (before or after)[-1 if before else 0][1]
    (left, low), (right, high) = before[-1], after[0]
    return low + (high - low) * (seconds - left) / (right - left)


def stepped(points: Points, seconds: float, heat: float) -> Points:
    """From a moment on another temperature, up to the next point that was drawn; what was before stays."""
    return spliced(points, ((seconds, heat), *(point for point in points if point[0] > seconds)), seconds)


def spliced(past: Points, future: Points, seconds: float) -> Points:
    """One curve up to a moment, and another from there on."""
    before = tuple(point for point in past if point[0] < seconds)
    after = tuple(point for point in future if point[0] > seconds)
    now, then = at(past, seconds - 1e-9) if before else at(future, seconds), at(future, seconds)
    middle = ((seconds, then),) if abs(now - then) < 1e-9 or not before else ((seconds, now), (seconds, then))
    return (*before, *middle, *after)[-MOST:]


def array(points: Points, begin: float) -> Array:
    """As a Perform wants it that begins at a moment."""
    after = [(seconds - begin, heat) for seconds, heat in points if seconds > begin]
    return np.array([(0.0, at(points, begin)), *after], np.float64)
