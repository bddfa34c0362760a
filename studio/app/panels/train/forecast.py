"""Predicts held-out bits: the step at which a run stops by itself, and the bits if it continues like this.

The bits of a MAF that learned letters were predicted at twice the step within 0.006; they fell by 0.04 to 0.05 until
then. Those of a Glow that learned 120 flowers were predicted up to 0.07 too low, because it began to memorise.
"""

from typing import NamedTuple

import numpy as np

from studio.wire.messages import Array

LEAST_POINTS = 6
"""The number of held-out figures below which nothing is predicted."""
MOST_POINTS = 60
"""The most held-out figures to which a line is fitted, the newest ones."""
HORIZON = 2.0
"""The prediction ends at this multiple of the present step."""
SHOWN_POINTS = 24
EXPONENTS = np.linspace(0.1, 2.0, 20)


class StopRule(NamedTuple):
    """Holds the settings by which a run ends."""

    steps: int
    evaluate_every: int
    """Steps between two held-out figures; 0 if unknown."""
    patience: int
    """Held-out figures in a row without a better one after which it stops; 0: it never does."""


def stop_step(held_out: Array, rule: StopRule) -> int | None:
    """Return the step at which a run stops by itself unless a better figure comes.

    Returns None before the first figure, and if the last step of the plan comes first.

    Arguments
        held_out: step and bits per dimension of each figure, (n, 2)
    """
    if not len(held_out) or not rule.patience or not rule.evaluate_every:
        return None
    best = int(held_out[:, 1].argmin())
    left = max(1, rule.patience - (len(held_out) - 1 - best))
    newest = int(held_out[-1, 0])
    step = (newest // rule.evaluate_every + left) * rule.evaluate_every
    return step if step < rule.steps else None


def forecast(held_out: Array, end: int) -> Array:
    """Return predicted steps and bits, (n, 2), if the bits fall as before: a + b · step^-c with b ≥ 0.

    The result is empty if there are too few figures, or if they do not fall.
    """
    nothing = np.empty((0, 2))
    points = held_out[len(held_out) // 3 :][-MOST_POINTS:]
    last = float(held_out[-1, 0]) if len(held_out) else 0.0
    end = min(end, round(HORIZON * last))
    if len(held_out) < LEAST_POINTS or end <= last:
        return nothing
    steps = points[:, 0] / last
    fits = [_fit(steps**-exponent, points[:, 1]) for exponent in EXPONENTS]
    best = int(np.argmin([error for _, _, error in fits]))
    floor, height, _ = fits[best]
    if height <= 0:
        return nothing
    shown = np.linspace(last, end, SHOWN_POINTS)
    return np.stack((shown, floor + height * (shown / last) ** -EXPONENTS[best]), 1)


def _fit(x: Array, y: Array) -> tuple[float, float, float]:
    """Return floor and height of the straight line through points, and the sum of its squared errors."""
    middle = x - x.mean()
    height = float(middle @ (y - y.mean()) / max(float(middle @ middle), 1e-12))
    floor = float(y.mean() - height * x.mean())
    return floor, height, float(((floor + height * x - y) ** 2).sum())
