"""The inverse of a masked affine map in one pass of its network, and the adjoint of that inverse.

    x_i = z_i · exp(a_i) + m_i,  m_i and a_i from x_1 … x_{i-1} by a MADE

Hidden units are sorted by degree. A unit can be computed once the entries up to its degree are known, and it never
changes afterwards. So the inverse costs one pass, while computing the whole network for each entry costs D passes.
(Germain et al., MADE, 2015, arXiv:1502.03509; Papamakarios et al., 2017, arXiv:1705.07057.)

A sum runs over weights that lie side by side, for `LANES` artworks at once. An artwork's numbers are added in the same
order in any batch, so they are the same bit for bit.

In the loops: w weights, s states, b an artwork, e an entry, d its place in the order, u a unit, m and r the outputs
for m and for the raw log-scale of an entry.
"""

import math
from typing import Any, NamedTuple

import numpy as np

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
from studio.kernels.made_units import add_outputs, hidden_unit, push_gradient, push_two_gradients

ARTWORKS_AT_ONCE = 128
"""Number of artworks that use the weights together, which are read from memory.

Their states about fill the second cache. For 256 artworks of 784 entries, 64 took 1.05 times as long, and 256 1.14
times.
"""


class MapOptions(NamedTuple):
    """Holds the options of a map."""

    bound: float = math.inf
    """The bound of log-scales: a = r / √(1 + (r / bound)²) for the network's output r."""
    tanh: bool = False
    """Whether hidden units use tanh instead of ReLU."""
    threads: int = 1
    """How many threads share the artworks."""


DEFAULT_OPTIONS = MapOptions()


@compiled
def _inverse(
    p: MadePlan, w: Array, s: Array, z: Array, a: Array, low: int, high: int, bound: float, tanh: bool
) -> None:
    """Fill the states s and log-scales a of artworks low … high - 1 from z."""
    entries, hidden = len(p.order), len(p.ready)
    limit = w.dtype.type(bound)
    one = w.dtype.type(1)
    for begin in range(low, high, ARTWORKS_AT_ONCE):
        end = min(begin + ARTWORKS_AT_ONCE, high)
        for d in range(entries):
            e = p.order[d]
            m = hidden + e
            r = hidden + entries + e
            add_outputs(p, d, w, s, begin, end)
            for b in range(begin, end):
                raw = s[b, entries + r]
                a[b, e] = raw / math.sqrt(one + (raw / limit) * (raw / limit))
                s[b, d] = z[b, e] * math.exp(a[b, e]) + s[b, entries + m]
            for j in range(p.first[d], p.first[d + 1]):
                hidden_unit(p, p.ready[j], w, s, begin, end, tanh)


@compiled
def _forward(
    p: MadePlan, w: Array, s: Array, x: Array, a: Array, low: int, high: int, bound: float, tanh: bool
) -> None:
    """Replace x by z and fill the log-scales a, for artworks low … high - 1."""
    entries, hidden = len(p.order), len(p.ready)
    limit = w.dtype.type(bound)
    one = w.dtype.type(1)
    for begin in range(low, high, ARTWORKS_AT_ONCE):
        end = min(begin + ARTWORKS_AT_ONCE, high)
        for u in range(hidden):
            hidden_unit(p, u, w, s, begin, end, tanh)
        for d in range(entries):
            e = p.order[d]
            m = hidden + e
            r = hidden + entries + e
            add_outputs(p, d, w, s, begin, end)
            for b in range(begin, end):
                raw = s[b, entries + r]
                a[b, e] = raw / math.sqrt(one + (raw / limit) * (raw / limit))
                x[b, e] = (x[b, e] - s[b, entries + m]) * math.exp(-a[b, e])


@compiled
def _adjoint(
    p: MadePlan,
    w: Array,
    s: Array,
    z: Array,
    a: Array,
    v: Array,
    of_a: Array,
    low: int,
    high: int,
    bound: float,
    tanh: bool,
) -> None:
    """Replace v, the gradient with respect to x, by the one with respect to z, for artworks low … high - 1."""
    entries, hidden = len(p.order), len(p.ready)
    limit = w.dtype.type(bound)
    one = w.dtype.type(1)
    g = np.zeros_like(s)
    by = np.zeros_like(s[:, 0])
    other_by = np.zeros_like(s[:, 0])
    for begin in range(low, high, ARTWORKS_AT_ONCE):
        end = min(begin + ARTWORKS_AT_ONCE, high)
        for d in range(entries - 1, -1, -1):
            for j in range(p.first[d + 1] - 1, p.first[d] - 1, -1):
                u = p.ready[j]
                t = entries + u
                for b in range(begin, end):
                    h = s[b, t]
                    slope = one - h * h if tanh else w.dtype.type(h > 0)
                    by[b] = g[b, t] * slope
                for b in range(begin, end, LANES):
                    push_gradient(w, p.start[u], p.reach[u], g, b, p.source[u], by)
            e = p.order[d]
            m = hidden + e
            r = hidden + entries + e
            for b in range(begin, end):
                by[b] = v[b, e] + g[b, d]
                v[b, e] = by[b] * math.exp(a[b, e])
                left = one - (a[b, e] / limit) * (a[b, e] / limit)
                other_by[b] = (z[b, e] * v[b, e] + of_a[b, e]) * left * math.sqrt(left)
            for b in range(begin, end, LANES):
                push_two_gradients(w, p.start[m], p.start[r], p.reach[m], g, b, p.source[m], by, other_by)


class InverseSolution(NamedTuple):
    """Holds the inverse of z: x and log-scales a, both `(B, D)`, and the states that the adjoint needs."""

    x: Array
    a: Array
    state: Array


def inverse(
    p: MadePlan,
    weights: Array,
    biases: Array,
    z: Array,
    more: Array | None = None,
    form: MapOptions = DEFAULT_OPTIONS,
) -> InverseSolution:
    """Return x with (x - m(x)) · exp(-a(x)) = z.

    Arguments
        weights, biases: of all units, one after another
        z: `(B, D)`, of the same dtype
        more: `(B, units of the first layer)`, added to their biases if there is a condition such as a class
    """
    state = first_state(biases, z, more)
    wide = pad_rows(z)
    a = np.empty_like(wide)
    share_rows(lambda low, high: _inverse(p, weights, state, wide, a, low, high, *form[:2]), len(state), form.threads)
    return InverseSolution(entries_of(p, state, len(z)), a[: len(z)], state)


def forward(
    p: MadePlan, weights: Array, biases: Array, x: Array, more: Array | None = None, form: MapOptions = DEFAULT_OPTIONS
) -> Array:
    """Return z = (x - m(x)) · exp(-a(x)), `(B, D)`.

    For few artworks this is faster than torch's dense products, half of whose weights are zero. Each artwork's result
    is the same bit for bit in any batch.
    """
    state = first_state(biases, x, more)
    z = pad_rows(x)
    state[:, : x.shape[1]] = z[:, p.order]
    a = np.empty_like(z)
    share_rows(lambda low, high: _forward(p, weights, state, z, a, low, high, *form[:2]), len(state), form.threads)
    return z[: len(x)]


def adjoint(
    p: MadePlan,
    weights: Array,
    found: InverseSolution,
    z: Array,
    of_x: Array,
    of_a: Array,
    form: MapOptions = DEFAULT_OPTIONS,
) -> Array:
    """Return v, the gradient of a loss with respect to z, `(B, D)`.

    Its gradients with respect to x and a are of_x and of_a. v solves Jᵀ v = of_x + (∂a/∂x)ᵀ of_a with J = ∂z/∂x, a
    triangular system, from the last entry to the first.
    """
    v = pad_rows(of_x)
    every = (pad_rows(z), pad_rows(found.a), v, pad_rows(of_a))
    share_rows(lambda low, high: _adjoint(p, weights, found.state, *every, low, high, *form[:2]), len(v), form.threads)
    return v[: len(z)]


def prepare() -> None:
    """Compile the map in both directions for float32."""
    inverse(*_smallest(np.float32))
    forward(*_smallest(np.float32))


def prepare_adjoint() -> None:
    """Compile the adjoint, with which an inverse is trained."""
    p, weights, biases, z = _smallest(np.float32)
    adjoint(p, weights, inverse(p, weights, biases, z), z, z, z)


def prepare_double() -> None:
    """Compile both directions for float64, which is used if float32 does not restore a picture."""
    inverse(*_smallest(np.float64))
    forward(*_smallest(np.float64))


def _smallest(dtype: Any) -> tuple[MadePlan, Array, Array, Array]:
    """Return a map of two entries with one hidden unit, and one artwork."""
    p = plan_network(np.arange(2), [np.ones(1, np.int64)], 2)
    return p, np.zeros(p.reach.sum(), dtype), np.zeros(len(p.reach), dtype), np.zeros((1, 2), dtype)
