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

from typing import Any, NamedTuple

import numpy as np

from studio.kernels.dot_products import ROWS, add_products, lay_out_weights, widens_halves
from studio.kernels.level_sampling import Array, Exponentials, compiled, draw_level, exponentials, log_prob_of_level

_ONE, _HALF = np.float32(1), np.float32(0.5)
_MOST = np.float32(9)
_LINE = 64
"""Bytes that a processor reads at once."""
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


class WaveNetWeights(NamedTuple):
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


class WaveNetState(NamedTuple):
    """Voices on their way; changed as they go."""

    rings: Array
    """`(sum of d + spare, voices, R)`, each layer's past: the input of sample t is at t % (d + spare) of its part."""
    levels: Array
    """`(voices,)`, the last level of each."""
    undo_samples: int
    """Samples that can be gone back."""


class RunningNetwork(NamedTuple):
    """A network at work; two of them can make one voice together."""

    net: WaveNetWeights
    base: Array
    hop: int
    state: WaveNetState


class Workspace(NamedTuple):
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
    """`(L,)`, where in its ring the next sample's input will be."""
    softmax: Exponentials


def _room(net: WaveNetWeights, state: WaveNetState, start: int) -> Workspace:
    voices = len(state.levels)
    channels, skip, count, _, _ = net.sizes
    rows, samples = _rows(voices), _samples(voices)
    widths = {"h": channels + skip, "x": channels, "z": channels, "sums": skip, "y": skip}
    numbers = len(net.biases) - 2 * skip
    return Workspace(
        **{name: np.zeros((rows, width), np.float32) for name, width in widths.items()},
        far=np.zeros((samples * rows, channels), np.float32),
        g=np.zeros((len(net.dilations) * samples * rows, 2 * channels), np.float32),
        numbers=np.zeros((rows, numbers), np.float32),
        slots=start % (net.dilations + state.undo_samples),
        softmax=exponentials(count),
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
def _foreseen(net: WaveNetWeights, base: Array, number: int, hop: int, state: WaveNetState, room: Workspace) -> None:
    """What the filters of the next samples, from `number` on, add up to so far: their base, and all that the past adds
    where it is known for each of them."""
    far, g, slots, rings, spare = room.far, room.g, room.slots, state.rings, state.undo_samples
    _, voices, channels = rings.shape
    rows, one, size = len(far), len(room.h), len(net.layers) // len(slots)
    place, samples = 0, rows // one
    for layer in range(len(slots)):
        reach = net.dilations[layer]
        for t in range(samples):
            past = place + (slots[layer] + t + spare) % (reach + spare)
            frame = min((number + t) // hop, len(base) - 1)
            for v in range(voices):
                for i in range(channels):
                    far[t * one + v, i] = rings[past, v, i]
                for i in range(2 * channels):
                    g[layer * rows + t * one + v, i] = base[frame, layer, v, i]
        if reach >= samples:
            add_products(g, layer * rows, far, 0, rows, net.layers, layer * size, channels, 2 * channels)
        place += reach + spare


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
def _through(net: WaveNetWeights, state: WaveNetState, t: int, room: Workspace) -> None:
    """One sample through all layers, number t of those whose past was foreseen."""
    (h, x, z, far, g), w, slots, rings, spare = room[:5], net.layers, room.slots, state.rings, state.undo_samples
    _, voices, channels = rings.shape
    rows, place, square = len(h), 0, channels * channels
    for layer in range(len(slots)):
        at, row, size = layer * (len(w) // len(slots)), layer * len(far) + t * rows, net.dilations[layer] + spare
        if net.dilations[layer] * rows < len(far):
            past = place + (slots[layer] + spare) % size
            for v in range(voices):
                for i in range(channels):
                    x[v, i] = rings[past, v, i]
            add_products(g, row, x, 0, rows, w, at, channels, 2 * channels)
        for v in range(voices):
            for i in range(channels):
                rings[place + slots[layer], v, i] = h[v, i]
        add_products(g, row, h, 0, rows, w, at + 2 * square, channels, 2 * channels)
        _gated(g, row, z, voices)
        for v in range(voices):
            for i in range(channels):
                h[v, i] += net.shift[layer, i]
        add_products(h, 0, z, 0, rows, w, at + 4 * square, channels, h.shape[1])
        place += size
        slots[layer] = slots[layer] + 1 if slots[layer] + 1 < size else 0


@compiled
def _head(w: Array, biases: Array, voices: int, room: Workspace) -> None:
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
def _look(side: RunningNetwork, number: int, t: int, room: Workspace) -> None:
    """The numbers of the next sample of all voices, number t since the loop began."""
    net, base, hop, state = side
    voices, together = len(state.levels), len(room.far) // len(room.h)
    if t % together == 0:
        _foreseen(net, base, number, hop, state, room)
    for v in range(voices):
        _begin(net.first, state.levels[v], net.sizes[3], net.biases, room.h, v)
    _through(net, state, t % together, room)
    _head(net.head, net.biases, voices, room)


@compiled
def _play(
    side: RunningNetwork, start: int, u: Array, heat: Array, least: float,
    levels: Array, middles: Array, prices: Array, room: Workspace,
) -> None:  # fmt: skip
    _, _, _, graded, mixture = side.net.sizes
    voices, samples = levels.shape
    for t in range(samples):
        _look(side, start + t, t, room)
        for v in range(voices):
            found = draw_level(room.numbers, v, graded, mixture, heat[v, t], least, u[v, t], levels[v, t], room.softmax)
            levels[v, t], middles[v, t] = found
            prices[v, t] = log_prob_of_level(room.numbers, v, graded, mixture, found[0], least, room.softmax)
            side.state.levels[v] = found[0]


def stack_filters(filters: Array, out: Array, dilations: Array, voices: int) -> Array:
    """Weights of layers, from W `(L, 2 R, 2 R)` and [U; S] `(L, R, R + S)`, as so many voices read them."""
    rows, samples, channels = _rows(voices), _samples(voices), out.shape[1]
    parts = []
    for w, u, reach in zip(filters, out, dilations, strict=True):
        known = rows * samples if reach >= samples else rows
        parts += [lay_out_weights(w[:channels], known), lay_out_weights(w[channels:], rows), lay_out_weights(u, rows)]
    return pack_weights(np.concatenate(parts))


def stack_head(a: Array, b: Array, voices: int) -> Array:
    """Weights of the head, from A `(S, S)` and B `(S, Q)`, as so many voices read them."""
    rows = _rows(voices)
    return pack_weights(np.concatenate((lay_out_weights(a, rows), lay_out_weights(b, rows))))


def pack_weights(weights: Array) -> Array:
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


def sample(
    net: WaveNetWeights,
    base: Array,
    hop: int,
    state: WaveNetState,
    start: int,
    u: Array,
    heat: Array,
    least: float,
    levels: Array,
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
    room = _room(net, state, start)
    _play(RunningNetwork(net, base, hop, state), start, u, heat, least, levels, middles, prices, room)
    return middles, prices


@compiled
def _play_two(
    a: RunningNetwork, b: RunningNetwork, start: int, u: Array, heat: Array, least: float, second: Array, levels: Array,
    prices: Array, of_a: Workspace, of_b: Workspace,
) -> None:  # fmt: skip
    (_, _, _, graded, of_one), (_, _, _, _, of_other) = a.net.sizes, b.net.sizes
    for t in range(len(levels)):
        _look(a, start + t, t, of_a)
        _look(b, start + t, t, of_b)
        if second[t]:
            level, _ = draw_level(of_b.numbers, 0, graded, of_other, heat[t], least, u[t], -1, of_b.softmax)
        else:
            level, _ = draw_level(of_a.numbers, 0, graded, of_one, heat[t], least, u[t], -1, of_a.softmax)
        levels[t] = a.state.levels[0] = b.state.levels[0] = level
        prices[0, t] = log_prob_of_level(of_a.numbers, 0, graded, of_one, level, least, of_a.softmax)
        prices[1, t] = log_prob_of_level(of_b.numbers, 0, graded, of_other, level, least, of_b.softmax)


def sample_mixture(
    a: RunningNetwork, b: RunningNetwork, start: int, u: Array, heat: Array, least: float, second: Array
) -> tuple[Array, Array]:
    """The next samples `(n,)` of one voice that two networks make, of which `second` says where the second one draws;
    and their ln p under each of the two at a temperature of 1, `(2, n)`.

    Arguments
        u, heat, second: `(n,)`; as of `play`
    """
    levels, prices = np.empty(len(u), np.int64), np.empty((2, len(u)))
    rooms = _room(a.net, a.state, start), _room(b.net, b.state, start)
    _play_two(a, b, start, u, heat, least, second, levels, prices, *rooms)
    return levels, prices


def prepare() -> None:
    """Compiles the loop of one network, for weights as this processor reads those of a model's file."""
    net, base, state = _smallest()
    half = np.full((1, 1), 0.5)
    sample(net, base, 1, state, 0, half, half, 0.0, np.zeros((1, 1), np.int64))


def prepare_two() -> None:
    """Compiles the loop of two."""
    sides = [RunningNetwork(net, base, 1, state) for net, base, state in (_smallest(), _smallest())]
    half = np.full(1, 0.5)
    sample_mixture(sides[0], sides[1], 0, half, half, 0.0, np.zeros(1, np.bool_))


def _smallest() -> tuple[WaveNetWeights, Array, WaveNetState]:
    """A network of one layer and eight channels, and a voice of it."""
    n, dilations = 8, np.ones(1, np.int64)
    layers = stack_filters(np.zeros((1, 2 * n, 2 * n), np.float32), np.zeros((1, n, 2 * n), np.float32), dilations, 1)
    head = stack_head(np.zeros((n, n), np.float32), np.zeros((n, n), np.float32), 1)
    first, shift, biases = (np.zeros(shape, np.float32) for shape in ((1, n), (1, n), 3 * n))
    net = WaveNetWeights(first, layers, shift, head, biases, dilations, (n, n, n, n, 0))
    rings, levels = np.zeros((1, 1, n), np.float32), np.zeros(1, np.int64)
    return net, np.zeros((1, 1, 1, 2 * n), np.float32), WaveNetState(rings, levels, 0)
