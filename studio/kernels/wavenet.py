"""The loop of a WaveNet, sample by sample: a chain of small products that waits for its weights and for nothing else.

    x_l = W_l [h_l of d_l samples ago, h_l] + base,  z_l = tanh(a) σ(b),  [h_{l+1}, skips] += [U_l; S_l] z_l

Each layer's past is a ring, so a sample costs each layer once (Paine et al., Fast Wavenet Generation Algorithm, 2016,
arXiv:1611.09482). Weights lie as they are read, and all voices go through a layer before the next one, so that its
weights come from afar once. What a layer's past adds is known early: of few voices it is found for four samples at
once, wherever d_l is no less, and these weights come once for the four. A voice's numbers are added in the order of
inputs, with as many voices as there may be, and so are the same bit for bit. Where weights are halves as a model's file
has them, they stay so, and half as many bytes are read.

All numbers are float32 but those that a level is drawn with.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.kernels import compiler
from studio.kernels.vectors import ROWS, add_products, laid, widens_halves

Array = NDArray[Any]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_MOST = np.float32(9)
_BLOCK = 16
_LINE = 64
"""Bytes that a processor reads at once."""
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
    return compiler.compiled(function, {"contract", "nsz"}, error_model="numpy")


class Weights(NamedTuple):
    """A network as the loop reads it: L layers of R channels, S skip channels, Q numbers for a sample."""

    first: Array
    """`(levels, R)`, or `(1, R)` where a level counts by its height."""
    layers: Array
    """`(L · (4 R² + R (R + S)),)`: of each layer W_l `(2 R, 2 R)`, the half for the past first, then [U_l; S_l]
    `(R, R + S)`; rows are inputs. Each of the three is laid for as many rows as it is multiplied with."""
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
    """`(sum of d, voices, R)`, each layer's past: the input of sample t is at t % d of its part."""
    levels: Array
    """`(voices,)`, the last level of each."""


class Room(NamedTuple):
    """To work in: rows beyond the voices stay zero."""

    h: Array
    """`(rows, R + S)`, streams and skips."""
    x: Array
    z: Array
    """Both `(rows, R)`."""
    far: Array
    """`(samples · rows, R)`, the pasts of one layer."""
    g: Array
    """`(L · samples · rows, 2 R)`, of each layer what its filters add up to so far."""
    sums: Array
    y: Array
    """Both `(rows, S)`."""
    numbers: Array
    """`(rows, Q)`."""
    slots: Array
    """`(L,)`, where in its ring the next sample's past is."""
    e: Array
    """Of all levels, in float32."""
    bits: Array
    powers: Array
    """The same bytes as int32 and as float32."""
    blocks: Array
    """Sums of 16 of e each."""


def _room(net: Weights, voices: int, start: int) -> Room:
    channels, skip, count, _, _ = net.sizes
    rows, samples = _rows(voices), _samples(voices)
    widths = {"h": channels + skip, "x": channels, "z": channels, "sums": skip, "y": skip}
    bits, numbers = np.zeros(count, np.int32), len(net.biases) - 2 * skip
    return Room(
        **{name: np.zeros((rows, width), np.float32) for name, width in widths.items()},
        far=np.zeros((samples * rows, channels), np.float32),
        g=np.zeros((len(net.dilations) * samples * rows, 2 * channels), np.float32),
        numbers=np.zeros((rows, numbers), np.float32),
        slots=start % net.dilations,
        e=np.zeros(count, np.float32),
        bits=bits,
        powers=bits.view(np.float32),
        blocks=np.zeros(-(-count // _BLOCK)),
    )


def _rows(voices: int) -> int:
    """Of the products of so many voices: few are taken one by one, more by four, filled up."""
    return voices if voices < ROWS else -(-voices // ROWS) * ROWS


def _samples(voices: int) -> int:
    """Whose pasts are multiplied together."""
    return ROWS if voices < ROWS else 1


@compiled
def _tanh(x: Any) -> Any:
    """Numerator and denominator."""
    x = min(max(x, -_MOST), _MOST)
    y = x * x
    p, q = _ODD[0], _EVEN[0]
    for c in _ODD[1:]:
        p = p * y + c
    for c in _EVEN[1:]:
        q = q * y + c
    return x * p, q


@partial(compiler.compiled, quick=True, error_model="numpy")
def _highest(v: Array, row: int, count: int) -> Any:
    """The largest number, which is the same in any order."""
    most = v[row, 0]
    for k in range(count):
        most = max(most, v[row, k])
    return most


@compiled
def _exponentials(v: Array, row: int, heat: float, room: Room) -> None:
    """exp((v - max v) / heat) into e: 2^m · exp(r), a few instructions for eight numbers."""
    e, bits, powers, count = room.e, room.bits, room.powers, len(room.e)
    most, cold = _highest(v, row, count), np.float32(1 / heat)
    for k in range(count):
        t = max((v[row, k] - most) * cold, _LOWEST)
        m = np.floor(t * _PER_LN2 + _HALF)
        r = t - m * _LN2_HIGH - m * _LN2_LOW
        p = _TAYLOR[0]
        for factor in _TAYLOR[1:]:
            p = p * r + factor
        e[k] = p * r * r + r + _ONE
        bits[k] = (np.int32(m) + np.int32(127)) << np.int32(23)
    for k in range(count):
        e[k] *= powers[k]


@compiled
def _added(room: Room) -> float:
    """The sum of e: of 16 each, which do not wait for one another, and then of these."""
    total = 0.0
    for block in range(len(room.blocks)):
        part = 0.0
        for k in range(_BLOCK * block, min(_BLOCK * (block + 1), len(room.e))):
            part += room.e[k]
        room.blocks[block] = part
        total += part
    return total


@compiled
def _of_levels(v: Array, row: int, heat: float, least: float, u: float, level: int, room: Room) -> tuple[int, float]:
    """The level that u draws, or `level` where that is not negative; and the middle of its share of [0, 1]."""
    e, blocks, count = room.e, room.blocks, len(room.e)
    _exponentials(v, row, heat, room)
    total = _added(room)
    scale, block, before, k = (1.0 - count * least) / total, 0, 0.0, 0
    while k + _BLOCK < count:
        end = k + _BLOCK
        if (scale * (before + blocks[block]) + least * end > u) if level < 0 else end > level:
            break
        before, block, k = before + blocks[block], block + 1, end
    below, part = scale * before + least * k, e[k] * 1.0
    up_to = scale * (before + part) + least * (k + 1)
    while k < count - 1 and (up_to <= u if level < 0 else k < level):
        k += 1
        part += e[k]
        below, up_to = up_to, scale * (before + part) + least * (k + 1)
    return k, 0.5 * (below + up_to)


@compiled
def _mixed(v: Array, row: int, count: int, heat: float, least: float, levels: int, x: int) -> float:
    """F of level x of a mixture of so many logistics."""
    if x < 0:
        return 0.0
    most = -math.inf
    for k in range(count):
        most = max(most, v[row, k] / heat)
    total, below = 0.0, 0.0
    edge = (2.0 * x + 1.0) / (levels - 1) - 1.0
    for k in range(count):
        share = math.exp(v[row, k] / heat - most)
        s = math.exp(min(max(v[row, 2 * count + k], -16.0), 7.0)) * heat
        total += share
        below += share / (1.0 + math.exp(-(edge - v[row, count + k]) / s))
    whole = below / total if x < levels - 1 else 1.0
    return (1.0 - levels * least) * whole + least * (x + 1)


@compiled
def _of_logistics(
    v: Array, row: int, count: int, heat: float, least: float, levels: int, u: float, level: int
) -> tuple[int, float]:
    """As `_of_levels`, by halving."""
    if level < 0:
        low, level = -1, levels - 1
        while level - low > 1:
            middle = (low + level) // 2
            if _mixed(v, row, count, heat, least, levels, middle) > u:
                level = middle
            else:
                low = middle
    below = _mixed(v, row, count, heat, least, levels, level - 1)
    return level, 0.5 * (below + _mixed(v, row, count, heat, least, levels, level))


@compiled
def _begin(first: Array, level: int, levels: int, biases: Array, h: Array, v: int) -> None:
    channels = first.shape[1]
    for i in range(channels):
        if len(first) > 1:
            h[v, i] = first[level, i]
        else:
            h[v, i] = first[0, i] * np.float32(2.0 * level / (levels - 1) - 1.0)
    for j in range(h.shape[1] - channels):
        h[v, channels + j] = biases[j]


@compiled
def _foreseen(net: Weights, base: Array, number: int, hop: int, rings: Array, room: Room) -> None:
    """What the filters of the next samples, from `number` on, add up to so far: their base, and all that the past adds
    where it is known for each of them."""
    far, g, slots, (_, voices, channels) = room.far, room.g, room.slots, rings.shape
    rows, one, size = len(far), len(room.h), len(net.layers) // len(slots)
    place, samples = 0, rows // one
    for layer in range(len(slots)):
        reach = net.dilations[layer]
        for t in range(samples):
            past, frame = place + (slots[layer] + t) % reach, min((number + t) // hop, len(base) - 1)
            for v in range(voices):
                for i in range(channels):
                    far[t * one + v, i] = rings[past, v, i]
                for i in range(2 * channels):
                    g[layer * rows + t * one + v, i] = base[frame, layer, v, i]
        if reach >= samples:
            add_products(g, layer * rows, far, 0, rows, net.layers, layer * size, channels, 2 * channels)
        place += reach


@compiled
def _gated(g: Array, row: int, z: Array, voices: int) -> None:
    """tanh(a) σ(b) with one division: σ(b) is half of 1 + tanh(b / 2)."""
    channels = z.shape[1]
    for v in range(voices):
        for i in range(channels):
            p, q = _tanh(g[row + v, i])
            r, s = _tanh(_HALF * g[row + v, channels + i])
            z[v, i] = _HALF * p * (r + s) / (q * s)


@compiled
def _through(net: Weights, rings: Array, t: int, room: Room) -> None:
    """One sample through all layers, number t of those whose past was foreseen."""
    (h, x, z, far, g), w, slots, (_, voices, channels) = room[:5], net.layers, room.slots, rings.shape
    rows, place, square = len(h), 0, channels * channels
    for layer in range(len(slots)):
        at, row, past = layer * (len(w) // len(slots)), layer * len(far) + t * rows, place + slots[layer]
        if net.dilations[layer] * rows < len(far):
            for v in range(voices):
                for i in range(channels):
                    x[v, i] = rings[past, v, i]
            add_products(g, row, x, 0, rows, w, at, channels, 2 * channels)
        for v in range(voices):
            for i in range(channels):
                rings[past, v, i] = h[v, i]
        add_products(g, row, h, 0, rows, w, at + 2 * square, channels, 2 * channels)
        _gated(g, row, z, voices)
        for v in range(voices):
            for i in range(channels):
                h[v, i] += net.shift[layer, i]
        add_products(h, 0, z, 0, rows, w, at + 4 * square, channels, h.shape[1])
        place += net.dilations[layer]
        slots[layer] = slots[layer] + 1 if slots[layer] + 1 < net.dilations[layer] else 0


@compiled
def _head(w: Array, biases: Array, voices: int, room: Room) -> None:
    """Numbers of the sums of skips."""
    h, sums, y, numbers = room.h, room.sums, room.y, room.numbers
    (rows, skip), count = sums.shape, numbers.shape[1]
    for v in range(voices):
        for j in range(skip):
            sums[v, j], y[v, j] = max(h[v, h.shape[1] - skip + j], np.float32(0)), biases[skip + j]
    add_products(y, 0, sums, 0, rows, w, 0, skip, skip)
    for v in range(voices):
        for j in range(skip):
            y[v, j] = max(y[v, j], np.float32(0))
        for j in range(count):
            numbers[v, j] = biases[2 * skip + j]
    add_products(numbers, 0, y, 0, rows, w, skip * skip, skip, count)


@compiled
def _price(net: Weights, v: int, level: int, least: float, room: Room) -> float:
    """ln p of a level, from the numbers of voice v."""
    _, _, count, levels, mixture = net.sizes
    if mixture:
        up_to = _mixed(room.numbers, v, mixture, 1.0, least, levels, level)
        return math.log(up_to - _mixed(room.numbers, v, mixture, 1.0, least, levels, level - 1))
    _exponentials(room.numbers, v, 1.0, room)
    return math.log((1.0 - count * least) * room.e[level] / _added(room) + least)


@compiled
def _play(
    net: Weights, base: Array, hop: int, state: State, start: int, u: Array, heat: Array, least: float,
    levels: Array, middles: Array, prices: Array, room: Room,
) -> None:  # fmt: skip
    _, _, _, graded, mixture = net.sizes
    (voices, samples), together = levels.shape, len(room.far) // len(room.h)
    for t in range(samples):
        if t % together == 0:
            _foreseen(net, base, start + t, hop, state.rings, room)
        for v in range(voices):
            _begin(net.first, state.levels[v], graded, net.biases, room.h, v)
        _through(net, state.rings, t % together, room)
        _head(net.head, net.biases, voices, room)
        for v in range(voices):
            hot, floor = max(heat[v, t], 1e-3), least * min(heat[v, t], 1.0)
            if mixture:
                found = _of_logistics(room.numbers, v, mixture, hot, floor, graded, u[v, t], levels[v, t])
            else:
                found = _of_levels(room.numbers, v, hot, floor, u[v, t], levels[v, t], room)
            levels[v, t], middles[v, t] = found
            prices[v, t] = _price(net, v, found[0], least, room)
            state.levels[v] = found[0]


def stacked(filters: Array, out: Array, dilations: Array, voices: int) -> Array:
    """Weights of layers, from W `(L, 2 R, 2 R)` and [U; S] `(L, R, R + S)`, as so many voices read them."""
    rows, samples, channels = _rows(voices), _samples(voices), out.shape[1]
    parts = []
    for w, u, reach in zip(filters, out, dilations, strict=True):
        known = rows * samples if reach >= samples else rows
        parts += [laid(w[:channels], known), laid(w[channels:], rows), laid(u, rows)]
    return packed(np.concatenate(parts))


def topped(a: Array, b: Array, voices: int) -> Array:
    """Weights of the head, from A `(S, S)` and B `(S, Q)`, as so many voices read them."""
    rows = _rows(voices)
    return packed(np.concatenate((laid(a, rows), laid(b, rows))))


def packed(weights: Array) -> Array:
    """Weights as halves where each of them is one and the processor can widen them, else as they are; at the beginning
    of a line of the cache, since what lies across two lines is read twice."""
    if widens_halves():
        with np.errstate(over="ignore"):
            halves = weights.astype(np.float16)
        if np.array_equal(halves.astype(np.float32), weights):
            weights = halves.view(np.uint16)
    room = np.empty(weights.nbytes + _LINE, np.uint8)
    begin = -room.ctypes.data % _LINE
    own = room[begin : begin + weights.nbytes].view(weights.dtype)
    own[:] = weights
    return own


def play(
    net: Weights, base: Array, hop: int, state: State, start: int, u: Array, heat: Array, least: float, levels: Array
) -> tuple[Array, Array]:
    """The next samples of all voices, from number `start` of their sounds on.

    Arguments
        base: `(frames, L, voices, 2 R)`, what the filters of each frame of `hop` samples add to
        u, heat: from 0 to 1, and temperatures, `(voices, n)` in float64
        least: the probability that every level has at least
        levels: `(voices, n)` int64; where negative, it is drawn and filled in

    Result: the middle of each level's share of [0, 1], and its ln p at a temperature of 1, both `(voices, n)`.
    """
    middles, prices = np.empty(levels.shape), np.empty(levels.shape)
    room = _room(net, len(levels), start)
    _play(net, base, hop, state, start, u, heat, least, levels, middles, prices, room)
    return middles, prices


class Side(NamedTuple):
    """One of two networks that make one voice together."""

    net: Weights
    base: Array
    hop: int
    state: State


@compiled
def _look(side: Side, number: int, t: int, room: Room) -> None:
    """The numbers of the next sample, number t since the loop began."""
    net, base, hop, state = side
    together = len(room.far) // len(room.h)
    if t % together == 0:
        _foreseen(net, base, number, hop, state.rings, room)
    _begin(net.first, state.levels[0], net.sizes[3], net.biases, room.h, 0)
    _through(net, state.rings, t % together, room)
    _head(net.head, net.biases, 1, room)


@compiled
def _drawn(net: Weights, room: Room, heat: float, least: float, u: float) -> int:
    hot, floor, mixture = max(heat, 1e-3), least * min(heat, 1.0), net.sizes[4]
    if mixture:
        return int(_of_logistics(room.numbers, 0, mixture, hot, floor, net.sizes[3], u, -1)[0])
    return int(_of_levels(room.numbers, 0, hot, floor, u, -1, room)[0])


@compiled
def _play_two(
    a: Side, b: Side, start: int, u: Array, heat: Array, least: float, second: Array, levels: Array,
    prices: Array, of_a: Room, of_b: Room,
) -> None:  # fmt: skip
    for t in range(len(levels)):
        _look(a, start + t, t, of_a)
        _look(b, start + t, t, of_b)
        level = _drawn(b.net, of_b, heat[t], least, u[t]) if second[t] else _drawn(a.net, of_a, heat[t], least, u[t])
        levels[t] = a.state.levels[0] = b.state.levels[0] = level
        prices[0, t] = _price(a.net, 0, level, least, of_a)
        prices[1, t] = _price(b.net, 0, level, least, of_b)


def play_two(a: Side, b: Side, start: int, u: Array, heat: Array, least: float, second: Array) -> tuple[Array, Array]:
    """The next samples `(n,)` of one voice that two networks make, of which `second` says where the second one draws;
    and their ln p under each of the two at a temperature of 1, `(2, n)`.

    Arguments
        u, heat, second: `(n,)`; as of `play`
    """
    levels, prices = np.empty(len(u), np.int64), np.empty((2, len(u)))
    rooms = _room(a.net, 1, start), _room(b.net, 1, start)
    _play_two(a, b, start, u, heat, least, second, levels, prices, *rooms)
    return levels, prices


def prepare() -> None:
    """Compiles the loop of one network, for weights as this processor reads those of a model's file."""
    net, base, state = _smallest()
    half = np.full((1, 1), 0.5)
    play(net, base, 1, state, 0, half, half, 0.0, np.zeros((1, 1), np.int64))


def prepare_two() -> None:
    """Compiles the loop of two."""
    sides = [Side(net, base, 1, state) for net, base, state in (_smallest(), _smallest())]
    half = np.full(1, 0.5)
    play_two(sides[0], sides[1], 0, half, half, 0.0, np.zeros(1, np.bool_))


def _smallest() -> tuple[Weights, Array, State]:
    """A network of one layer and eight channels, and a voice of it."""
    n, dilations = 8, np.ones(1, np.int64)
    layers = stacked(np.zeros((1, 2 * n, 2 * n), np.float32), np.zeros((1, n, 2 * n), np.float32), dilations, 1)
    head = topped(np.zeros((n, n), np.float32), np.zeros((n, n), np.float32), 1)
    first, shift, biases = (np.zeros(shape, np.float32) for shape in ((1, n), (1, n), 3 * n))
    net = Weights(first, layers, shift, head, biases, dilations, (n, n, n, n, 0))
    rings, levels = np.zeros((1, 1, n), np.float32), np.zeros(1, np.int64)
    return net, np.zeros((1, 1, 1, 2 * n), np.float32), State(rings, levels)
