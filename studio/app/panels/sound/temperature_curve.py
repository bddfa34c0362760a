"""Computes temperature over time: points (second, temperature), joined by lines; two at one second are a step."""

import bisect
from collections.abc import Sequence

import numpy as np

from studio.app.generation.parameters import MAX_TEMPERATURE, SLIDER_MAX_TEMPERATURE
from studio.wire.messages import Array

Points = tuple[tuple[float, float], ...]

MAX_POINTS = 10_000
"""Points of one sound."""


def valid_points(points: Sequence[Sequence[float]]) -> Points:
    """Return points in order, from 0 to MAX_TEMPERATURE. It raises ValueError for others."""
    found = tuple(
        (max(float(at), 0.0), min(max(float(temperature), 0.0), MAX_TEMPERATURE)) for at, temperature in points
    )
    if not 1 <= len(found) <= MAX_POINTS or not np.isfinite(found).all():
        raise ValueError("temperature over time has 1 to 10,000 points of two numbers")
    return tuple(sorted(found, key=lambda point: point[0]))


def temperature_at(points: Points, seconds: float, before: bool = False) -> float:
    """Return the temperature of a moment; at a step the later one, or the one `before`."""
    place = bisect.bisect_left(points, seconds, key=_seconds_of) if before else _index_after(points, seconds)
    if not 0 < place < len(points):
        return points[-1 if place else 0][1]
    (left, low) = points[place - 1]
    (right, high) = points[place]
    return low + (high - low) * (seconds - left) / (right - left)


def curve_from(points: Points, seconds: float) -> Points:
    """Return the part of a curve from a moment on."""
    return ((seconds, temperature_at(points, seconds)), *points[_index_after(points, seconds) :])


def curve_with_step(points: Points, seconds: float, temperature: float) -> Points:
    """Return a curve with another temperature from a moment up to the next drawn point."""
    return splice_curves(points, ((seconds, temperature), *points[_index_after(points, seconds) :]), seconds)


def splice_curves(past: Points, future: Points, seconds: float) -> Points:
    """Return one curve up to a moment, and another from there on."""
    before = past[: bisect.bisect_left(past, seconds, key=_seconds_of)]
    then = temperature_at(future, seconds)
    now = temperature_at(past, seconds, before=True) if before else then
    middle = ((seconds, then),) if abs(now - then) < 1e-9 or not before else ((seconds, now), (seconds, then))
    return (*before, *middle, *future[_index_after(future, seconds) :])[-MAX_POINTS:]


def curve_array(points: Points, begin: float) -> Array:
    """Return the curve from a moment on as StreamSound expects it."""
    return np.array(curve_from(points, begin), np.float64) - (begin, 0.0)


def _seconds_of(point: tuple[float, float]) -> float:
    return point[0]


def _index_after(points: Points, seconds: float) -> int:
    """Return the index of the first point after a moment."""
    return bisect.bisect_right(points, seconds, key=_seconds_of)


def add_knot(knots: Points, seconds: float, temperature: float) -> Points:
    """Return the points with one more."""
    place = bisect.bisect_right([at for at, _ in knots], seconds)
    return (*knots[:place], (seconds, temperature), *knots[place:])


def remove_knot(knots: Points, row: int) -> Points:
    return (*knots[:row], *knots[row + 1 :])


def move_knot(knots: Points, row: int, seconds: float, temperature: float, least: float) -> Points:
    """Return the points with one moved, between its neighbours and not before a moment."""
    least = max(knots[row - 1][0] if row else 0.0, least)
    most = knots[row + 1][0] if row + 1 < len(knots) else max(seconds, least)
    now = min(max(seconds, least), most), min(max(temperature, 0.0), SLIDER_MAX_TEMPERATURE)
    return (*knots[:row], now, *knots[row + 1 :])
