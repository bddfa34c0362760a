"""Inverts masked mixtures of Gaussians in one pass of their network: like `made`, but each entry is a root to find.

    z_i with Σ_k π_ik Φ((z_i - μ_ik) / σ_ik) = Φ(ε_i),  π_i, μ_i and σ_i from z_1 … z_{i-1} by a MADE

The root lies between the Gaussians' own quantiles μ_ik + σ_ik ε_i. It is found by Newton's method on the logarithm of
the smaller tail, in float64. A step that would leave the bracket is replaced by a bisection.
"""

import math

import numpy as np

from studio.kernels.made import DEFAULT_OPTIONS, MapOptions
from studio.kernels.made_plan import (
    LANES,
    Array,
    MadePlan,
    compiled,
    entries_of,
    first_state,
    pad_rows,
    plan_network,
    share_rows,
)
from studio.kernels.made_units import add_unit, hidden_unit

_HALF = 0.5**0.5
_LOG_TAU = math.log(2 * math.pi)


@compiled
def _log_normal_cdf(u: float) -> float:
    """Return log Φ(u), with Φ the distribution function of the normal distribution."""
    if u > -30.0:
        return math.log(0.5 * math.erfc(-u * _HALF))
    return -0.5 * (u * u + _LOG_TAU) - math.log(-u) + math.log1p(-1.0 / (u * u))


@compiled
def _find_root(score: float, weights: Array, means: Array, scales: Array) -> float:
    """Return x with Σ π Φ((x - μ) / σ) = Φ(score).

    Arguments
        weights, means, scales: log π, μ and σ of each Gaussian
    """
    count = len(weights)
    side = 1.0 if score < 0.0 else -1.0
    target = _log_normal_cdf(-abs(score))
    low, high = math.inf, -math.inf
    for k in range(count):
        own = means[k] + scales[k] * score
        low, high = min(low, own), max(high, own)
    x = 0.5 * (low + high)
    for _ in range(80):
        tail, density = 0.0, 0.0
        most = -math.inf
        for k in range(count):
            most = max(most, weights[k] + _log_normal_cdf(side * (x - means[k]) / scales[k]))
        for k in range(count):
            u = (x - means[k]) / scales[k]
            tail += math.exp(weights[k] + _log_normal_cdf(side * u) - most)
            density += math.exp(weights[k] - 0.5 * (u * u + _LOG_TAU) - most) / scales[k]
        off = most + math.log(tail) - target
        if side * off < 0.0:
            low = x
        else:
            high = x
        step = x - side * off * tail / density if density > 0.0 else math.inf
        after = step if low < step < high else 0.5 * (low + high)
        if abs(after - x) <= 1e-14 * abs(x) + 1e-300:
            return after
        x = after
    return x


@compiled
def _inverse(p: MadePlan, w: Array, s: Array, z: Array, low: int, high: int, bound: float, tanh: bool) -> None:
    """Fill the states s of artworks low … high - 1 with the entries that belong to the scores z."""
    entries, units = len(p.order), len(p.ready)
    count = (len(p.reach) - units) // entries // 3
    weights, means, scales = np.empty(count), np.empty(count), np.empty(count)
    for begin in range(low, high, LANES):
        for d in range(entries):
            e = p.order[d]
            for u in range(units + e, len(p.reach), entries):
                add_unit(w, p.start[u], p.reach[u], s, begin, p.source[u], entries + u)
            for b in range(begin, begin + LANES):
                o = s[b, entries + units + e :: entries]
                most = o[:count].max()
                total = 0.0
                for k in range(count):
                    total += math.exp(o[k] - most)
                for k in range(count):
                    weights[k] = o[k] - most - math.log(total)
                    means[k] = o[count + k] + (2.0 * k / (count - 1) - 1.0)
                    raw = o[2 * count + k] / bound
                    scales[k] = math.exp(bound * raw / math.sqrt(1.0 + raw * raw))
                s[b, d] = _find_root(z[b, e], weights, means, scales)
            for j in range(p.first[d], p.first[d + 1]):
                hidden_unit(p, p.ready[j], w, s, begin, begin + LANES, tanh)


def inverse(
    p: MadePlan, weights: Array, biases: Array, z: Array, more: Array | None = None, form: MapOptions = DEFAULT_OPTIONS
) -> Array:
    """Return the entries `(B, D)` that belong to the scores z `(B, D)`.

    The network has 3 outputs for each Gaussian: log π, μ and log σ. To the μ of Gaussian k of n, 2 k / (n - 1) - 1 is
    added. log σ is bounded like the log-scales of `made`. The other arguments are those of `made.inverse`.
    """
    state = first_state(biases, z, more)
    wide = pad_rows(z)
    share_rows(lambda low, high: _inverse(p, weights, state, wide, low, high, *form[:2]), len(state), form.threads)
    return entries_of(p, state, len(z))


def prepare() -> None:
    """Compile the loop by calling it with the smallest mixture of two Gaussians."""
    p = plan_network(np.arange(2), [np.ones(1, np.int64)], 6)
    z = np.zeros((1, 2), np.float32)
    inverse(p, np.zeros(p.reach.sum(), np.float32), np.zeros(len(p.reach), np.float32), z, None, MapOptions(1.0))
