"""The loop of a WaveNet, sample by sample: a chain of small products that waits for its weights and for nothing else.

    x_l = W_l [h_l of d_l samples ago, h_l] + base,  z_l = tanh(a) σ(b),  [h_{l+1}, skips] += [U_l; S_l] z_l

Each layer's past is a ring, so a sample costs each layer once (Paine et al., Fast Wavenet Generation Algorithm, 2016,
arXiv:1611.09482). Weights lie as they are read: for each input the weights to all outputs. All voices go through a
layer before the next one, so that its weights come from afar once. A voice's numbers are added in the order of inputs,
with as many voices as there may be, and so are the same bit for bit. Where weights are halves as a model's file has
them, they stay so, and half as many bytes are read.

All numbers are float32 but those that a level is drawn with.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from studio.kernels.vectors import add_products, widens_halves

Array = NDArray[Any]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_MOST = np.float32(9)
_LOWEST, _PER_LN2 = np.float32(-87), np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / f) for f in (5040, 720, 120, 24, 6, 2))
_ODD = tuple(
    np.float32(c)
    for c in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
_EVEN = tuple(
    np.float32(c) for c in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
)
"""tanh x = x · odd(x²) / even(x²) for |x| ≤ 9, the fraction that Eigen and XLA use."""


def compiled(function: Callable[..., Any]) -> Any:
    # Products may be fused with sums, but no sum may be taken in another order: voices must not depend on each other.
    quick = {"contract", "nsz"}
    try:
        return numba.njit(function, nogil=True, fastmath=quick, error_model="numpy", cache=True)
    except RuntimeError:  # no folder in which the compiled code could be kept for the next start
        return numba.njit(function, nogil=True, fastmath=quick, error_model="numpy")


class Weights(NamedTuple):
    """A network as the loop reads it: L layers of R channels, S skip channels, Q numbers for a sample."""

    first: Array
    """`(levels, R)`, or `(1, R)` where a level counts by its height."""
    layers: Array
    """`(L · (4 R² + R (R + S)),)`: of each layer W_l `(2 R, 2 R)`, then [U_l; S_l] `(R, R + S)`; rows are inputs."""
    shift: Array
    """`(L, R)`, what each layer adds to h."""
    head: Array
    """A `(S, S)`, then B `(S, Q)`, rows are inputs. Layers and head are float32 or, as uint16, the bits of halves."""
    biases: Array
    """Of the skips `(S,)`, of A `(S,)`, of B `(Q,)`; Q is filled up to a multiple of 8 here and in B."""
    dilations: Array
    """`(L,)`."""
    sizes: tuple[int, int, int, int, int]
    """R, S, Q, levels, logistics of a mixture or 0."""


class State(NamedTuple):
    """Voices on their way; changed as they go."""

    rings: Array
    """`(sum of d, voices, R)`, each layer's past."""
    levels: Array
    """`(voices,)`, the last level of each."""


@compiled
def _tanh(x: Any) -> Any:
    x = min(max(x, -_MOST), _MOST)
    y = x * x
    p, q = _ODD[0], _EVEN[0]
    for c in _ODD[1:]:
        p = p * y + c
    for c in _EVEN[1:]:
        q = q * y + c
    return x * p / q


@compiled
def _exponentials(v: Array, heat: float, e: Array, bits: Array) -> None:
    """exp((v - max v) / heat) into e: 2^m · exp(r), a few instructions for eight numbers."""
    most, cold = v[0], np.float32(1 / heat)
    for k in range(len(v)):
        most = max(most, v[k])
    for k in range(len(v)):
        t = max((v[k] - most) * cold, _LOWEST)
        m = np.floor(t * _PER_LN2 + _HALF)
        r = t - m * _LN2_HIGH - m * _LN2_LOW
        p = _TAYLOR[0]
        for factor in _TAYLOR[1:]:
            p = p * r + factor
        e[k] = p * r * r + r + _ONE
        bits[k] = (np.int32(m) + np.int32(127)) << np.int32(23)
    powers = bits.view(np.float32)
    for k in range(len(v)):
        e[k] *= powers[k]


@compiled
def _of_levels(v: Array, heat: float, least: float, u: float, level: int, e: Array, bits: Array) -> tuple[int, float]:
    """The level that u draws, or `level` where that is not negative; and the middle of its share of [0, 1]."""
    count = len(v)
    _exponentials(v, heat, e, bits)
    total = 0.0
    for k in range(count):
        total += e[k]
    scale, floor = (1.0 - count * least) / total, least
    below, up_to, reached = 0.0, 0.0, 0.0
    for k in range(count):
        reached += e[k]
        below, up_to = up_to, scale * reached + floor * (k + 1)
        if (level < 0 and up_to > u) or k == level or k == count - 1:
            return k, 0.5 * (below + up_to)
    return count - 1, 1.0


@compiled
def _mixed(v: Array, heat: float, least: float, levels: int, x: int) -> float:
    """F of level x of a mixture of logistics."""
    count = len(v) // 3
    if x < 0:
        return 0.0
    most = -math.inf
    for k in range(count):
        most = max(most, v[k] / heat)
    total, below = 0.0, 0.0
    edge = (2.0 * x + 1.0) / (levels - 1) - 1.0
    for k in range(count):
        share = math.exp(v[k] / heat - most)
        s = math.exp(min(max(v[2 * count + k], -16.0), 7.0)) * heat
        total += share
        below += share / (1.0 + math.exp(-(edge - v[count + k]) / s))
    whole = below / total if x < levels - 1 else 1.0
    return (1.0 - levels * least) * whole + least * (x + 1)


@compiled
def _of_logistics(v: Array, heat: float, least: float, levels: int, u: float, level: int) -> tuple[int, float]:
    """As `_of_levels`, by halving."""
    if level < 0:
        low, level = -1, levels - 1
        while level - low > 1:
            middle = (low + level) // 2
            if _mixed(v, heat, least, levels, middle) > u:
                level = middle
            else:
                low = middle
    below = _mixed(v, heat, least, levels, level - 1)
    return level, 0.5 * (below + _mixed(v, heat, least, levels, level))


@compiled
def _add(out: Array, x: Array, w: Array, at: int, n: int, m: int) -> None:
    """`add_products`, compiled once for all who call it."""
    add_products(out, x, w, at, n, m)


@compiled
def _begin(first: Array, level: int, levels: int, h: Array) -> None:
    if len(first) > 1:
        h[:] = first[level]
    else:
        h[:] = first[0] * np.float32(2.0 * level / (levels - 1) - 1.0)


@compiled
def _layer(w: Array, at: int, base: Array, shift: Array, past: Array, h: Array, x: Array, g: Array, z: Array) -> None:
    """One layer of all voices: h `(voices, R + S)` of streams and skips, their past `(voices, R)`, room to work in."""
    (voices, width), channels = h.shape, z.shape[1]
    for v in range(voices):
        for i in range(channels):
            x[v, i], x[v, channels + i], past[v, i] = past[v, i], h[v, i], h[v, i]
            h[v, i] += shift[i]
        for i in range(2 * channels):
            g[v, i] = base[v, i]
    _add(g, x, w, at, 2 * channels, 2 * channels)
    for v in range(voices):
        for i in range(channels):
            z[v, i] = _tanh(g[v, i]) * (_HALF + _HALF * _tanh(_HALF * g[v, channels + i]))
    _add(h, z, w, at + 4 * channels * channels, channels, width)


@compiled
def _head(w: Array, biases: Array, sums: Array, y: Array, numbers: Array) -> None:
    """Numbers `(voices, Q)` of sums of skips `(voices, S)`."""
    (voices, skip), count = sums.shape, numbers.shape[1]
    for v in range(voices):
        for j in range(skip):
            sums[v, j], y[v, j] = max(sums[v, j], np.float32(0)), biases[skip + j]
    _add(y, sums, w, 0, skip, skip)
    for v in range(voices):
        for j in range(skip):
            y[v, j] = max(y[v, j], np.float32(0))
        for j in range(count):
            numbers[v, j] = biases[2 * skip + j]
    _add(numbers, y, w, skip * skip, skip, count)


@compiled
def _play(
    net: Weights, base: Array, hop: int, state: State, start: int, u: Array, heat: Array, least: float, levels: Array
) -> Array:
    first, layers, shift, head, biases, dilations, (channels, skip, count, graded, mixture) = net
    voices, wide = len(levels), len(biases) - 2 * skip
    h, sums = np.empty((voices, channels + skip), np.float32), np.empty((voices, skip), np.float32)
    x, g = np.empty((voices, 2 * channels), np.float32), np.empty((voices, 2 * channels), np.float32)
    z, y, v = np.empty((voices, channels), np.float32), np.empty_like(sums), np.empty((voices, wide), np.float32)
    e, bits = np.empty(count, np.float32), np.empty(count, np.int32)
    middles, size = np.empty(levels.shape), len(layers) // len(dilations)
    for t in range(levels.shape[1]):
        frame = min((start + t) // hop, len(base) - 1)
        for voice in range(voices):
            _begin(first, state.levels[voice], graded, h[voice, :channels])
            h[voice, channels:] = biases[:skip]
        place = 0
        for layer in range(len(dilations)):
            at = place + (start + t) % dilations[layer]
            place += dilations[layer]
            _layer(layers, layer * size, base[frame, layer], shift[layer], state.rings[at], h, x, g, z)
        sums[:] = h[:, channels:]
        _head(head, biases, sums, y, v)
        for voice in range(voices):
            hot, wish = max(heat[voice, t], 1e-3), levels[voice, t]
            floor, own = least * min(heat[voice, t], 1.0), v[voice, :count]
            if mixture:
                found = _of_logistics(own, hot, floor, graded, u[voice, t], wish)
            else:
                found = _of_levels(own, hot, floor, u[voice, t], wish, e, bits)
            levels[voice, t], middles[voice, t] = found
            state.levels[voice] = found[0]
    return middles


def packed(weights: Array) -> Array:
    """Weights as halves where each of them is one and the processor can widen them, else as they are."""
    if not widens_halves():
        return weights
    with np.errstate(over="ignore"):
        halves = weights.astype(np.float16)
    return halves.view(np.uint16) if np.array_equal(halves.astype(np.float32), weights) else weights


def play(
    net: Weights, base: Array, hop: int, state: State, start: int, u: Array, heat: Array, least: float, levels: Array
) -> Array:
    """The next samples of all voices, from number `start` of their sounds on.

    Arguments
        base: `(frames, L, voices, 2 R)`, what the filters of each frame of `hop` samples add to
        u, heat: from 0 to 1, and temperatures, `(voices, n)` in float64
        least: the probability that every level has at least
        levels: `(voices, n)` int64; where negative, it is drawn and filled in

    Result: the middle of each level's share of [0, 1] `(voices, n)`.
    """
    middles: Array = _play(net, base, hop, state, start, u, heat, least, levels)
    return middles
