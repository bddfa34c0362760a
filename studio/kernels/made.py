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
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.kernels import compiler

Array = NDArray[Any]
LANES = 4
ARTWORKS_AT_ONCE = 64
"""Number of artworks that use the weights together, which are read from memory.

Their states fill about half of the second cache. For 256 artworks of 784 entries, 8 took a quarter longer.
"""


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that may reorder and fuse sums, but never assumes that a number is finite."""
    return compiler.compile_function(function, {"reassoc", "contract", "nsz", "arcp"})


class MapOptions(NamedTuple):
    """Holds the options of a map."""

    bound: float = math.inf
    """The bound of log-scales: a = r / √(1 + (r / bound)²) for the network's output r."""
    tanh: bool = False
    """Whether hidden units use tanh instead of ReLU."""
    threads: int = 1
    """How many threads share the artworks."""


DEFAULT_OPTIONS = MapOptions()


class MadePlan(NamedTuple):
    """Says where the weights of each unit lie and when the unit is computed.

    Units are numbered from the first hidden layer to the outputs. The state of an artwork is one row of numbers: the
    entries in their order, the hidden units, the outputs.
    """

    order: Array
    """The entries `(D,)` from the first to the last."""
    reach: Array
    """The number of weights of each unit."""
    start: Array
    """The place at which each unit's weights begin."""
    source: Array
    """The column of the state that each unit's first weight multiplies."""
    early: Array
    """How many of each hidden unit's weights are added together with those of an earlier unit of its layer.

    Four units then read the states once. It is 0 for the first of four, and for those left over.
    """
    first: Array
    """Places `(D + 1,)` in `ready`. Entry number d makes the units `ready[first[d] : first[d + 1]]` computable."""
    ready: Array
    """The hidden units in the order in which they are computed."""


def plan_network(order: Array, degrees: Sequence[Array], outputs: int) -> MadePlan:
    """Return the plan of a network.

    Arguments
        order: the entries `(D,)` from the first to the last
        degrees: for each hidden layer its units' degrees, ascending, from 1 to D - 1
        outputs: number of outputs for each entry. The first outputs of all entries come before all second ones.
    """
    entries = len(order)
    own = [*degrees, np.argsort(order)]
    below = [np.arange(1, entries + 1), *degrees]
    reach = [np.searchsorted(b, o, side="right") for b, o in zip(below, own, strict=True)]
    reach[-1] = np.tile(reach[-1], outputs)
    column = np.cumsum([0, *map(len, below)])
    source = [np.full(len(r), c) for r, c in zip(reach, column, strict=False)]
    total = np.concatenate(reach)
    early = [_begun_early(r) for r in reach[:-1]]
    of_all = np.concatenate(degrees)
    ready = np.argsort(of_all, kind="stable")
    whole = (order, total, np.cumsum(total) - total, np.concatenate(source), np.concatenate(early))
    first = np.searchsorted(of_all[ready], np.arange(1, entries + 2))
    return MadePlan(*(a.astype(np.int64) for a in (*whole, first, ready)))


def _begun_early(reach: Array) -> Array:
    """Return `early` of a layer's units."""
    at = np.arange(len(reach))
    together = (at % 4 > 0) & (at < len(reach) // 4 * 4)
    return np.where(together, reach[at // 4 * 4], 0)


@compiled
def add_unit(w: Array, u: int, n: int, s: Array, b: int, c: int, t: int) -> None:
    """Add one unit's sum to column t of four artworks from b on.

    The sum runs over n columns from c on, with weights from u on.
    """
    row = w[u : u + n]
    h0 = s[b, c : c + n]
    h1 = s[b + 1, c : c + n]
    h2 = s[b + 2, c : c + n]
    h3 = s[b + 3, c : c + n]
    a0 = a1 = a2 = a3 = w.dtype.type(0)
    for k in range(n):
        v = row[k]
        a0 += v * h0[k]
        a1 += v * h1[k]
        a2 += v * h2[k]
        a3 += v * h3[k]
    s[b, t] += a0
    s[b + 1, t] += a1
    s[b + 2, t] += a2
    s[b + 3, t] += a3


@compiled
def _add_two_units(w: Array, u: int, v: int, n: int, s: Array, b: int, c: int, t: int, r: int) -> None:
    """Do what `add_unit` does for two units that read the same columns. Their sums go to columns t and r."""
    row, other = w[u : u + n], w[v : v + n]
    h0 = s[b, c : c + n]
    h1 = s[b + 1, c : c + n]
    h2 = s[b + 2, c : c + n]
    h3 = s[b + 3, c : c + n]
    a0 = a1 = a2 = a3 = w.dtype.type(0)
    o0 = o1 = o2 = o3 = w.dtype.type(0)
    for k in range(n):
        p, q = row[k], other[k]
        a0 += p * h0[k]
        a1 += p * h1[k]
        a2 += p * h2[k]
        a3 += p * h3[k]
        o0 += q * h0[k]
        o1 += q * h1[k]
        o2 += q * h2[k]
        o3 += q * h3[k]
    s[b, t] += a0
    s[b + 1, t] += a1
    s[b + 2, t] += a2
    s[b + 3, t] += a3
    s[b, r] += o0
    s[b + 1, r] += o1
    s[b + 2, r] += o2
    s[b + 3, r] += o3


@compiled
def _add_four_units(
    w: Array, units: tuple[int, int, int, int], n: int, s: Array, b: int, c: int, to: tuple[int, int, int, int]
) -> None:
    """Add the sums of four units that read the same columns to four columns, for two artworks from b on.

    Their weights begin at `units`. Sums of eight need no more registers than processors without AVX-512 have.
    """
    row0 = w[units[0] : units[0] + n]
    row1 = w[units[1] : units[1] + n]
    row2 = w[units[2] : units[2] + n]
    row3 = w[units[3] : units[3] + n]
    h0 = s[b, c : c + n]
    h1 = s[b + 1, c : c + n]
    a0 = a1 = a2 = a3 = w.dtype.type(0)
    o0 = o1 = o2 = o3 = w.dtype.type(0)
    for k in range(n):
        p, q = h0[k], h1[k]
        a0 += row0[k] * p
        a1 += row1[k] * p
        a2 += row2[k] * p
        a3 += row3[k] * p
        o0 += row0[k] * q
        o1 += row1[k] * q
        o2 += row2[k] * q
        o3 += row3[k] * q
    s[b, to[0]] += a0
    s[b, to[1]] += a1
    s[b, to[2]] += a2
    s[b, to[3]] += a3
    s[b + 1, to[0]] += o0
    s[b + 1, to[1]] += o1
    s[b + 1, to[2]] += o2
    s[b + 1, to[3]] += o3


@compiled
def hidden_unit(p: MadePlan, u: int, w: Array, s: Array, low: int, high: int, tanh: bool) -> None:
    """Compute one hidden unit of artworks low … high - 1, and perhaps begin those after it.

    All that it reads must be known. The units of a layer are computed in turn.
    """
    t = len(p.order) + u
    early = p.early[u]
    if early == 0 and u + 3 < len(p.early) and p.early[u + 3] == p.reach[u] and p.source[u + 3] == p.source[u]:
        units = (p.start[u], p.start[u + 1], p.start[u + 2], p.start[u + 3])
        for b in range(low, high, 2):
            _add_four_units(w, units, p.reach[u], s, b, p.source[u], (t, t + 1, t + 2, t + 3))
    elif early < p.reach[u]:
        for b in range(low, high, LANES):
            add_unit(w, p.start[u] + early, p.reach[u] - early, s, b, p.source[u] + early, t)
    for b in range(low, high):
        s[b, t] = math.tanh(s[b, t]) if tanh else max(s[b, t], w.dtype.type(0))


@compiled
def _add_outputs(p: MadePlan, d: int, w: Array, s: Array, low: int, high: int) -> None:
    """Add the two outputs of entry number d, and begin those of the next one if d is even."""
    entries, hidden = len(p.order), len(p.ready)
    m = hidden + p.order[d]
    n = p.reach[m]
    known = 0
    if d % 2 == 1:
        known = p.reach[hidden + p.order[d - 1]]
    elif d + 1 < entries:
        v = hidden + p.order[d + 1]
        units = (p.start[m], p.start[m + entries], p.start[v], p.start[v + entries])
        to = (entries + m, 2 * entries + m, entries + v, 2 * entries + v)
        for b in range(low, high, 2):
            _add_four_units(w, units, n, s, b, p.source[m], to)
        return
    first, second, c = p.start[m] + known, p.start[m + entries] + known, p.source[m] + known
    for b in range(low, high, LANES):
        _add_two_units(w, first, second, n - known, s, b, c, entries + m, 2 * entries + m)


@compiled
def _push_gradient(w: Array, u: int, n: int, g: Array, b: int, c: int, by: Array) -> None:
    """Add one unit's weights, times an artwork's number `by`, to n columns from c on, for four artworks."""
    row = w[u : u + n]
    for i in range(LANES):
        into = g[b + i, c : c + n]
        times = by[b + i]
        for k in range(n):
            into[k] += times * row[k]


@compiled
def _push_two_gradients(w: Array, u: int, v: int, n: int, g: Array, b: int, c: int, by: Array, other_by: Array) -> None:
    """Do what `_push_gradient` does for two units that read the same columns."""
    row, other = w[u : u + n], w[v : v + n]
    for i in range(LANES):
        into = g[b + i, c : c + n]
        times = by[b + i]
        other_times = other_by[b + i]
        for k in range(n):
            into[k] += times * row[k] + other_times * other[k]


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
            _add_outputs(p, d, w, s, begin, end)
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
            _add_outputs(p, d, w, s, begin, end)
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
                    _push_gradient(w, p.start[u], p.reach[u], g, b, p.source[u], by)
            e = p.order[d]
            m = hidden + e
            r = hidden + entries + e
            for b in range(begin, end):
                by[b] = v[b, e] + g[b, d]
                v[b, e] = by[b] * math.exp(a[b, e])
                left = one - (a[b, e] / limit) * (a[b, e] / limit)
                other_by[b] = (z[b, e] * v[b, e] + of_a[b, e]) * left * math.sqrt(left)
            for b in range(begin, end, LANES):
                _push_two_gradients(w, p.start[m], p.start[r], p.reach[m], g, b, p.source[m], by, other_by)


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


def first_state(biases: Array, z: Array, more: Array | None) -> Array:
    """Return states `(padded_count(B), D + units)` in which only the biases are filled in."""
    rows, entries = z.shape
    state = np.empty((padded_count(rows), entries + len(biases)), z.dtype)
    state[:, entries:] = biases
    if more is not None:
        state[:rows, entries : entries + more.shape[1]] += more
    return state


def entries_of(p: MadePlan, state: Array, rows: int) -> Array:
    """Return the entries `(rows, D)` of states in the artwork's own order."""
    x = np.empty((rows, len(p.order)), state.dtype)
    x[:, p.order] = state[:rows, : len(p.order)]
    return x


def padded_count(rows: int) -> int:
    """Return the number of rows, rounded up to a multiple of LANES."""
    return -(-rows // LANES) * LANES


def pad_rows(x: Array) -> Array:
    """Return a copy with rows of zeros below, up to a multiple of LANES."""
    wide = np.zeros((padded_count(len(x)), x.shape[1]), x.dtype)
    wide[: len(x)] = x
    return wide


def share_rows(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Call `work(first, end)` in several threads, each with an equal share of the rows."""
    shares = min(threads, rows // LANES)
    cuts = [rows // LANES * i // shares * LANES for i in range(shares + 1)]
    others = [threading.Thread(target=work, args=cuts[i : i + 2]) for i in range(1, shares)]
    for other in others:
        other.start()
    work(cuts[0], cuts[1])
    for other in others:
        other.join()


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
