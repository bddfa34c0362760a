"""The inverse of a masked affine map in one pass of its network, and the adjoint of that inverse.

    x_i = z_i · exp(a_i) + m_i,  m_i and a_i from x_1 … x_{i-1} by a MADE

With hidden units sorted by degree, a unit is final once the entries up to its degree are: it is computed
once, in the order of degrees, and never again. So the inverse costs one pass, where computing the whole
network for each entry costs D passes. (Germain et al., MADE, 2015, arXiv:1502.03509;
Papamakarios et al., 2017, arXiv:1705.07057.)

A sum runs over weights that lie side by side, for `LANES` artworks at once. An artwork's numbers are added
in the same order in any batch, so they are the same bit for bit.
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
ARTWORKS_AT_ONCE = 8
"""Artworks that go through all weights together: as many as the second cache holds (measured: 4 to 16 are alike)."""


def compiled(function: Callable[..., Any]) -> Any:
    # Sums may be taken in another order and fused, but no number may be assumed to be finite.
    return compiler.compile_function(function, {"reassoc", "contract", "nsz", "arcp"})


class MapOptions(NamedTuple):
    """Of the map: a = r / √(1 + (r / bound)²); the hidden units' activation; how many threads share the artworks."""

    bound: float = math.inf
    tanh: bool = False
    threads: int = 1


DEFAULT_OPTIONS = MapOptions()


class MadePlan(NamedTuple):
    """Where the weights of each unit lie and when it is computed. Units: those of hidden layers, then outputs.

    The state of an artwork is one row of numbers: the entries in their order, the hidden units, the outputs.
    """

    order: Array
    """`(D,)`, which entry comes first, second, …"""
    reach: Array
    """How many weights each unit has."""
    start: Array
    """Where they begin."""
    source: Array
    """The column of the state that the first of them multiplies."""
    first: Array
    """`(D + 1,)`; the hidden units final after the entry number d are `ready[first[d] : first[d + 1]]`."""
    ready: Array


def plan_network(order: Array, degrees: Sequence[Array], outputs: int) -> MadePlan:
    """The plan of a network.

    Arguments
        order: `(D,)`
        degrees: of the units of each hidden layer, ascending, from 1 to D - 1
        outputs: for each entry; all entries' first, then all entries' second, …
    """
    entries = len(order)
    own = [*degrees, np.argsort(order)]
    below = [np.arange(1, entries + 1), *degrees]
    reach = [np.searchsorted(b, o, side="right") for b, o in zip(below, own, strict=True)]
    reach[-1] = np.tile(reach[-1], outputs)
    column = np.cumsum([0, *map(len, below)])
    source = [np.full(len(r), c) for r, c in zip(reach, column, strict=False)]
    total = np.concatenate(reach)
    of_all = np.concatenate(degrees)
    ready = np.argsort(of_all, kind="stable")
    whole = (order, total, np.cumsum(total) - total, np.concatenate(source))
    first = np.searchsorted(of_all[ready], np.arange(1, entries + 2))
    return MadePlan(*(a.astype(np.int64) for a in (*whole, first, ready)))


@compiled
def add_unit(w: Array, u: int, n: int, s: Array, b: int, c: int, t: int) -> None:
    """Adds one unit's sum over n sources from column c on to column t, for four artworks from b on."""
    row = w[u : u + n]
    h0, h1, h2, h3 = s[b, c : c + n], s[b + 1, c : c + n], s[b + 2, c : c + n], s[b + 3, c : c + n]
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
def _add_two(w: Array, u: int, v: int, n: int, s: Array, b: int, c: int, t: int, r: int) -> None:
    """`add` for two units with the same sources, whose sums go to columns t and r."""
    row, other = w[u : u + n], w[v : v + n]
    h0, h1, h2, h3 = s[b, c : c + n], s[b + 1, c : c + n], s[b + 2, c : c + n], s[b + 3, c : c + n]
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
def hidden_unit(p: MadePlan, u: int, w: Array, s: Array, low: int, high: int, tanh: bool) -> None:
    """One hidden unit of artworks low … high - 1, all of whose sources are known."""
    t = len(p.order) + u
    for b in range(low, high, LANES):
        add_unit(w, p.start[u], p.reach[u], s, b, p.source[u], t)
        for i in range(b, b + LANES):
            s[i, t] = math.tanh(s[i, t]) if tanh else max(s[i, t], w.dtype.type(0))


@compiled
def _push(w: Array, u: int, n: int, g: Array, b: int, c: int, by: Array) -> None:
    """Adds one unit's weights, times a number for each of four artworks, to the n columns from c on."""
    row = w[u : u + n]
    for i in range(LANES):
        into, times = g[b + i, c : c + n], by[b + i]
        for k in range(n):
            into[k] += times * row[k]


@compiled
def _push_two(w: Array, u: int, v: int, n: int, g: Array, b: int, c: int, by: Array, other_by: Array) -> None:
    """`_push` for two units with the same sources."""
    row, other = w[u : u + n], w[v : v + n]
    for i in range(LANES):
        into, times, other_times = g[b + i, c : c + n], by[b + i], other_by[b + i]
        for k in range(n):
            into[k] += times * row[k] + other_times * other[k]


@compiled
def _inverse(
    p: MadePlan, w: Array, s: Array, z: Array, a: Array, low: int, high: int, bound: float, tanh: bool
) -> None:
    entries, hidden = len(p.order), len(p.ready)
    limit, one = w.dtype.type(bound), w.dtype.type(1)
    for begin in range(low, high, ARTWORKS_AT_ONCE):
        end = min(begin + ARTWORKS_AT_ONCE, high)
        for d in range(entries):
            e = p.order[d]
            m, r = hidden + e, hidden + entries + e
            for b in range(begin, end, LANES):
                _add_two(w, p.start[m], p.start[r], p.reach[m], s, b, p.source[m], entries + m, entries + r)
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
    entries, hidden = len(p.order), len(p.ready)
    limit, one = w.dtype.type(bound), w.dtype.type(1)
    for begin in range(low, high, ARTWORKS_AT_ONCE):
        end = min(begin + ARTWORKS_AT_ONCE, high)
        for u in range(hidden):
            hidden_unit(p, u, w, s, begin, end, tanh)
        for e in range(entries):
            m, r = hidden + e, hidden + entries + e
            for b in range(begin, end, LANES):
                _add_two(w, p.start[m], p.start[r], p.reach[m], s, b, p.source[m], entries + m, entries + r)
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
    entries, hidden = len(p.order), len(p.ready)
    limit, one = w.dtype.type(bound), w.dtype.type(1)
    g, by, other_by = np.zeros_like(s), np.zeros_like(s[:, 0]), np.zeros_like(s[:, 0])
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
                    _push(w, p.start[u], p.reach[u], g, b, p.source[u], by)
            e = p.order[d]
            m, r = hidden + e, hidden + entries + e
            for b in range(begin, end):
                by[b] = v[b, e] + g[b, d]
                v[b, e] = by[b] * math.exp(a[b, e])
                left = one - (a[b, e] / limit) * (a[b, e] / limit)
                other_by[b] = (z[b, e] * v[b, e] + of_a[b, e]) * left * math.sqrt(left)
            for b in range(begin, end, LANES):
                _push_two(w, p.start[m], p.start[r], p.reach[m], g, b, p.source[m], by, other_by)


class InverseSolution(NamedTuple):
    """The inverse of z: x and log-scales a, `(B, D)`, and the state that the adjoint needs."""

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
    """x with (x - m(x)) · exp(-a(x)) = z.

    Arguments
        weights, biases: of all units, one after another
        z: `(B, D)`, of the same dtype
        more: `(B, units of the first layer)`, added to their biases, for a condition
    """
    state, wide = first_state(biases, z, more), pad_rows(z)
    a = np.empty_like(wide)
    share_rows(lambda low, high: _inverse(p, weights, state, wide, a, low, high, *form[:2]), len(state), form.threads)
    return InverseSolution(entries_of(p, state, len(z)), a[: len(z)], state)


def forward(
    p: MadePlan, weights: Array, biases: Array, x: Array, more: Array | None = None, form: MapOptions = DEFAULT_OPTIONS
) -> Array:
    """z = (x - m(x)) · exp(-a(x)), `(B, D)`. Few artworks take less time than by dense products of half zeros, and each
    comes out the same, bit for bit, in any batch."""
    state, z = first_state(biases, x, more), pad_rows(x)
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
    """v, the gradient with respect to z, of a number whose gradients with respect to x and a are given, `(B, D)`.

    v solves Jᵀ v = of_x + (∂a/∂x)ᵀ of_a with J = ∂z/∂x, a triangular system, from the last entry to the first.
    """
    v = pad_rows(of_x)
    every = (pad_rows(z), pad_rows(found.a), v, pad_rows(of_a))
    share_rows(lambda low, high: _adjoint(p, weights, found.state, *every, low, high, *form[:2]), len(v), form.threads)
    return v[: len(z)]


def first_state(biases: Array, z: Array, more: Array | None) -> Array:
    """States of which nothing but the biases is known."""
    rows, entries = z.shape
    state = np.empty((padded_count(rows), entries + len(biases)), z.dtype)
    state[:, entries:] = biases
    if more is not None:
        state[:rows, entries : entries + more.shape[1]] += more
    return state


def entries_of(p: MadePlan, state: Array, rows: int) -> Array:
    """The entries `(rows, D)` as they stand, of states that hold them in their order."""
    x = np.empty((rows, len(p.order)), state.dtype)
    x[:, p.order] = state[:rows, : len(p.order)]
    return x


def padded_count(rows: int) -> int:
    return -(-rows // LANES) * LANES


def pad_rows(x: Array) -> Array:
    """A copy with rows of zeros below, up to a multiple of LANES."""
    wide = np.zeros((padded_count(len(x)), x.shape[1]), x.dtype)
    wide[: len(x)] = x
    return wide


def share_rows(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Gives each thread an even share of the rows."""
    shares = min(threads, rows // LANES)
    cuts = [rows // LANES * i // shares * LANES for i in range(shares + 1)]
    others = [threading.Thread(target=work, args=cuts[i : i + 2]) for i in range(1, shares)]
    for other in others:
        other.start()
    work(cuts[0], cuts[1])
    for other in others:
        other.join()


def prepare() -> None:
    """Compiles both ways."""
    inverse(*_smallest(np.float32))
    forward(*_smallest(np.float32))


def prepare_adjoint() -> None:
    """Compiles what an inverse learns by."""
    p, weights, biases, z = _smallest(np.float32)
    adjoint(p, weights, inverse(p, weights, biases, z), z, z, z)


def prepare_double() -> None:
    """Compiles both ways for float64, in which a picture is looked for that float32 does not bring back."""
    inverse(*_smallest(np.float64))
    forward(*_smallest(np.float64))


def _smallest(dtype: Any) -> tuple[MadePlan, Array, Array, Array]:
    """A map of two entries with one hidden unit, and one artwork."""
    p = plan_network(np.arange(2), [np.ones(1, np.int64)], 2)
    return p, np.zeros(p.reach.sum(), dtype), np.zeros(len(p.reach), dtype), np.zeros((1, 2), dtype)
