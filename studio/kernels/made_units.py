"""Add up units of a masked network: their values from the states, and the gradients of the states.

In the loops: w weights, s states, g their gradients, b an artwork, d an entry's place in the order, u a unit.
"""

import math

from studio.kernels.made_plan import LANES, Array, MadePlan, compiled

MAX_SHORT_SUM = 8
"""The largest number of weights that are added one by one, which costs less than to begin a longer sum."""


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
    w: Array,
    units: tuple[int, int, int, int],
    n: int,
    s: Array,
    low: int,
    high: int,
    c: int,
    to: tuple[int, int, int, int],
) -> None:
    """Add the sums of four units that read the same columns to four columns, for artworks low … high - 1.

    Their weights begin at `units`. Sums of eight need no more registers than processors without AVX-512 have.
    """
    row0 = w[units[0] : units[0] + n]
    row1 = w[units[1] : units[1] + n]
    row2 = w[units[2] : units[2] + n]
    row3 = w[units[3] : units[3] + n]
    for b in range(low, high, 2):
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
        _add_four_units(w, units, p.reach[u], s, low, high, p.source[u], (t, t + 1, t + 2, t + 3))
        early = p.reach[u]
    if p.reach[u] - early > MAX_SHORT_SUM:
        for b in range(low, high, LANES):
            add_unit(w, p.start[u] + early, p.reach[u] - early, s, b, p.source[u] + early, t)
        early = p.reach[u]
    first, last, shift = p.source[u] + early, p.source[u] + p.reach[u], p.start[u] - p.source[u]
    for b in range(low, high):
        h = s[b, t]
        for k in range(first, last):
            h += w[shift + k] * s[b, k]
        s[b, t] = math.tanh(h) if tanh else max(h, w.dtype.type(0))


@compiled
def add_outputs(p: MadePlan, d: int, w: Array, s: Array, low: int, high: int) -> None:
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
        _add_four_units(w, units, n, s, low, high, p.source[m], to)
        return
    first, second, c = p.start[m] + known, p.start[m + entries] + known, p.source[m] + known
    if n - known <= MAX_SHORT_SUM:
        for b in range(low, high):
            shift, scale = s[b, entries + m], s[b, 2 * entries + m]
            for k in range(n - known):
                shift += w[first + k] * s[b, c + k]
                scale += w[second + k] * s[b, c + k]
            s[b, entries + m] = shift
            s[b, 2 * entries + m] = scale
        return
    for b in range(low, high, LANES):
        _add_two_units(w, first, second, n - known, s, b, c, entries + m, 2 * entries + m)


@compiled
def push_gradient(w: Array, u: int, n: int, g: Array, b: int, c: int, by: Array) -> None:
    """Add one unit's weights, times an artwork's number `by`, to n columns from c on, for four artworks."""
    row = w[u : u + n]
    for i in range(LANES):
        into = g[b + i, c : c + n]
        times = by[b + i]
        for k in range(n):
            into[k] += times * row[k]


@compiled
def push_two_gradients(w: Array, u: int, v: int, n: int, g: Array, b: int, c: int, by: Array, other_by: Array) -> None:
    """Do what `push_gradient` does for two units that read the same columns."""
    row, other = w[u : u + n], w[v : v + n]
    for i in range(LANES):
        into = g[b + i, c : c + n]
        times = by[b + i]
        other_times = other_by[b + i]
        for k in range(n):
            into[k] += times * row[k] + other_times * other[k]
