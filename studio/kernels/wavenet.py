"""Runs a WaveNet sample by sample: a chain of small products whose speed depends only on reading the weights.

    x_l = W_l [h_l of d_l samples ago, h_l] + base,  z_l = tanh(a) σ(b),  [h_{l+1}, skips] += [U_l; S_l] z_l

Each layer's past is stored in a ring buffer, so a sample runs each layer once (Paine et al., Fast Wavenet Generation
Algorithm, 2016, arXiv:1611.09482). Weights are stored in the order in which they are read. All voices pass a layer
before the next layer begins, so its weights are read from memory once. What a layer's past adds is known early: for
few voices it is computed for four samples at once if d_l is at least 4, and its weights are read once for the four. A
voice's numbers are added in the order of inputs for any number of voices, so they are the same bit for bit. Weights
that a model's file stores as float16 stay float16, which halves the bytes to read.

All numbers are float32, except those with which a level is drawn.
"""

from typing import Any, NamedTuple

import numpy as np

from studio.kernels.dot_products import ROWS, add_products, lay_out_weights, widens_halves
from studio.kernels.level_sampling import (
    Array,
    Exponentials,
    allocate_exponentials,
    compiled,
    draw_level,
    log_prob_of_level,
)

_ONE = np.float32(1)
_HALF = np.float32(0.5)
_TANH_LIMIT = np.float32(9)
_CACHE_LINE = 64
"""Number of bytes that a processor reads at once."""
_TANH_NUMERATOR = tuple(
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
_TANH_DENOMINATOR = tuple(
    np.float32(c) for c in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
)
"""tanh x = x · odd(x²) / even(x²) for |x| ≤ 9, the fraction that Eigen and XLA use."""


class WaveNetWeights(NamedTuple):
    """Holds a network of L layers, R channels, S skip channels and Q numbers for a sample, as the loop reads it.

    `layers` and `head` are float32 or, as uint16, the bits of float16. They are laid out for `add_products`.
    """

    first: Array
    """The first layer: `(levels, R)`, or `(1, R)` if the height of a level is its input."""
    layers: Array
    """The weights of all layers, `(L · (4 R² + R (R + S)),)`.

    Each layer has W_l `(2 R, 2 R)`, the half for the past first, then [U_l; S_l] `(R, R + S)`; rows are inputs.
    """
    shift: Array
    """The bias `(L, R)` that each layer adds to h."""
    head: Array
    """The weights of the head: A `(S, S)`, then B `(S, Q)`; rows are inputs."""
    biases: Array
    """The biases of the skips `(S,)`, of A `(S,)` and of B `(Q,)`. Q is rounded up to a multiple of 8, as in B."""
    dilations: Array
    """The dilation of each layer, in samples, `(L,)`."""
    sizes: tuple[int, int, int, int, int]
    """R, S, Q, the number of levels, and the number of logistics in a mixture or 0."""


class WaveNetState(NamedTuple):
    """Holds the past of several voices. The loop changes it in place."""

    rings: Array
    """The ring buffers of all layers, `(sum of (d + undo_samples), voices, R)`.

    The input of sample t is at place t % (d + undo_samples) of its layer's part.
    """
    levels: Array
    """The last level of each voice, `(voices,)`."""
    undo_samples: int
    """The number of samples that can be undone."""


class RunningNetwork(NamedTuple):
    """Holds a network and its voices. Two of them can make one voice together."""

    net: WaveNetWeights
    base: Array
    """What is added to the filters of each frame, `(frames, L, voices, 2 R)`. After the last, the first follows."""
    hop: int
    """The length of a frame in samples."""
    state: WaveNetState


class Workspace(NamedTuple):
    """Holds the working memory of the loop. Rows beyond the voices stay zero."""

    h: Array
    """The inputs of a layer and the sums of skips, `(rows, R + S)`."""
    x: Array
    """The past of a layer for one sample, `(rows, R)`."""
    z: Array
    """The output of a layer's gate, `(rows, R)`."""
    far: Array
    """The past of a layer for several samples, `(samples · rows, R)`."""
    g: Array
    """The sums of all layers' filters so far, `(L · samples · rows, 2 R)`."""
    sums: Array
    """The head's input, `(rows, S)`."""
    y: Array
    """The output of the head's first layer, `(rows, S)`."""
    numbers: Array
    """The network's numbers for a sample, `(rows, Q)`."""
    slots: Array
    """The place in each layer's ring for the next sample's input, `(L,)`."""
    softmax: Exponentials
    """Working memory for drawing a level."""


def _allocate_workspace(net: WaveNetWeights, state: WaveNetState, start: int) -> Workspace:
    """Return working memory for a loop that begins at sample number `start`."""
    voices = len(state.levels)
    channels, skip, count, _, _ = net.sizes
    rows, samples = _padded_rows(voices), _samples_at_once(voices)
    widths = {"h": channels + skip, "x": channels, "z": channels, "sums": skip, "y": skip}
    numbers = len(net.biases) - 2 * skip
    return Workspace(
        **{name: np.zeros((rows, width), np.float32) for name, width in widths.items()},
        far=np.zeros((samples * rows, channels), np.float32),
        g=np.zeros((len(net.dilations) * samples * rows, 2 * channels), np.float32),
        numbers=np.zeros((rows, numbers), np.float32),
        slots=start % (net.dilations + state.undo_samples),
        softmax=allocate_exponentials(count),
    )


def _padded_rows(voices: int) -> int:
    """Return the rows of a product of so many voices: 4 or more are rounded up to a multiple of 4."""
    return voices if voices < ROWS else -(-voices // ROWS) * ROWS


def _samples_at_once(voices: int) -> int:
    """Return the number of samples whose pasts are multiplied together: 4 for fewer than four voices, else 1."""
    return ROWS if voices < ROWS else 1


@compiled
def _tanh_fraction(x: Any) -> Any:
    """Return the numerator and the denominator of tanh x."""
    x = min(max(x, -_TANH_LIMIT), _TANH_LIMIT)
    y = x * x
    p, q = _TANH_NUMERATOR[0], _TANH_DENOMINATOR[0]
    for c in _TANH_NUMERATOR[1:]:
        p = p * y + c
    for c in _TANH_DENOMINATOR[1:]:
        q = q * y + c
    return x * p, q


@compiled
def _start_sample(first: Array, level: int, levels: int, biases: Array, h: Array, v: int) -> None:
    """Fill row v of h with the first layer's output for a level, and with the biases of the skips."""
    channels = first.shape[1]
    for i in range(channels):
        if len(first) > 1:
            h[v, i] = first[level, i]
        else:
            h[v, i] = first[0, i] * np.float32(2.0 * level / (levels - 1) - 1.0)
    for j in range(h.shape[1] - channels):
        h[v, channels + j] = biases[j]


@compiled
def _add_past(net: WaveNetWeights, base: Array, number: int, hop: int, state: WaveNetState, room: Workspace) -> None:
    """Start the sums of all filters for the next samples, from sample `number` on.

    They begin with the base. The past is added in layers whose past is already known for all these samples.
    """
    far, g, slots, rings, spare = room.far, room.g, room.slots, state.rings, state.undo_samples
    _, voices, channels = rings.shape
    rows = len(far)
    one = len(room.h)
    size = len(net.layers) // len(slots)
    place = 0
    samples = rows // one
    for layer in range(len(slots)):
        reach = net.dilations[layer]
        for t in range(samples):
            past = place + (slots[layer] + t + spare) % (reach + spare)
            frame = (number + t) // hop % len(base)
            for v in range(voices):
                for i in range(channels):
                    far[t * one + v, i] = rings[past, v, i]
                for i in range(2 * channels):
                    g[layer * rows + t * one + v, i] = base[frame, layer, v, i]
        if reach >= samples:
            add_products(g, layer * rows, far, 0, rows, net.layers, layer * size, channels, 2 * channels)
        place += reach + spare


@compiled
def _apply_gate(g: Array, row: int, z: Array, voices: int) -> None:
    """Write tanh(a) σ(b) into z with one division: σ(b) is half of 1 + tanh(b / 2)."""
    channels = z.shape[1]
    for v in range(voices):
        for i in range(channels):
            p, q = _tanh_fraction(g[row + v, i])
            r, s = _tanh_fraction(_HALF * g[row + v, channels + i])
            z[v, i] = _HALF * p * (r + s) / (q * s)


@compiled
def _run_layers(net: WaveNetWeights, state: WaveNetState, t: int, room: Workspace) -> None:
    """Run one sample through all layers. It is number t of those that `_add_past` has prepared."""
    h, x, z, far, g = room[:5]
    w = net.layers
    slots = room.slots
    rings = state.rings
    spare = state.undo_samples
    _, voices, channels = rings.shape
    rows = len(h)
    place = 0
    square = channels * channels
    for layer in range(len(slots)):
        at = layer * (len(w) // len(slots))
        row = layer * len(far) + t * rows
        size = net.dilations[layer] + spare
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
        _apply_gate(g, row, z, voices)
        for v in range(voices):
            for i in range(channels):
                h[v, i] += net.shift[layer, i]
        add_products(h, 0, z, 0, rows, w, at + 4 * square, channels, h.shape[1])
        place += size
        slots[layer] = slots[layer] + 1 if slots[layer] + 1 < size else 0


@compiled
def _run_head(w: Array, biases: Array, voices: int, room: Workspace) -> None:
    """Run the head, from the sums of skips to the network's numbers."""
    h, sums, y, numbers = room.h, room.sums, room.y, room.numbers
    rows, skip = sums.shape
    count = numbers.shape[1]
    for v in range(voices):
        for j in range(skip):
            sums[v, j] = max(h[v, h.shape[1] - skip + j], np.float32(0))
            y[v, j] = biases[skip + j]
    add_products(y, 0, sums, 0, rows, w, 0, skip, skip)
    for v in range(voices):
        for j in range(skip):
            y[v, j] = max(y[v, j], np.float32(0))
        for j in range(count):
            numbers[v, j] = biases[2 * skip + j]
    add_products(numbers, 0, y, 0, rows, w, skip * skip, skip, count)


@compiled
def _compute_numbers(side: RunningNetwork, number: int, t: int, room: Workspace) -> None:
    """Compute the network's numbers for sample `number` of all voices, which is the loop's sample t."""
    net, base, hop, state = side
    voices = len(state.levels)
    together = len(room.far) // len(room.h)
    if t % together == 0:
        _add_past(net, base, number, hop, state, room)
    for v in range(voices):
        _start_sample(net.first, state.levels[v], net.sizes[3], net.biases, room.h, v)
    _run_layers(net, state, t % together, room)
    _run_head(net.head, net.biases, voices, room)


@compiled
def _sample(
    side: RunningNetwork, start: int, u: Array, temperature: Array, least: float,
    levels: Array, middles: Array, prices: Array, room: Workspace,
) -> None:  # fmt: skip
    """Fill levels, middles and log-probabilities `(voices, n)` sample by sample."""
    _, _, _, graded, mixture = side.net.sizes
    voices, samples = levels.shape
    for t in range(samples):
        _compute_numbers(side, start + t, t, room)
        for v in range(voices):
            found = draw_level(
                room.numbers, v, graded, mixture, temperature[v, t], least, u[v, t], levels[v, t], room.softmax
            )
            levels[v, t], middles[v, t] = found
            prices[v, t] = log_prob_of_level(room.numbers, v, graded, mixture, found[0], least, room.softmax)
            side.state.levels[v] = found[0]


def stack_filters(filters: Array, out: Array, dilations: Array, voices: int) -> Array:
    """Return the weights of all layers in the order in which so many voices read them.

    Arguments
        filters: W `(L, 2 R, 2 R)`
        out: [U; S] `(L, R, R + S)`
    """
    rows = _padded_rows(voices)
    samples = _samples_at_once(voices)
    channels = out.shape[1]
    parts = []
    for w, u, reach in zip(filters, out, dilations, strict=True):
        known = rows * samples if reach >= samples else rows
        parts += [lay_out_weights(w[:channels], known), lay_out_weights(w[channels:], rows), lay_out_weights(u, rows)]
    return pack_weights(np.concatenate(parts))


def stack_head(a: Array, b: Array, voices: int) -> Array:
    """Return the head's weights A `(S, S)` and B `(S, Q)` in the order in which so many voices read them."""
    rows = _padded_rows(voices)
    return pack_weights(np.concatenate((lay_out_weights(a, rows), lay_out_weights(b, rows))))


def pack_weights(weights: Array) -> Array:
    """Return the weights as float16 if that changes none and the processor can widen them, else unchanged.

    They begin at a line of the cache, because numbers that lie across two lines are read twice.
    """
    if widens_halves():
        with np.errstate(over="ignore"):
            halves = weights.astype(np.float16)
        if np.array_equal(halves.astype(np.float32), weights):
            weights = halves.view(np.uint16)
    room = np.empty(weights.nbytes + _CACHE_LINE, np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
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
    temperature: Array,
    least: float,
    levels: Array,
) -> tuple[Array, Array]:
    """Draw the next samples of all voices, from sample number `start` on.

    Arguments
        base: what is added to the filters of each frame, `(frames, L, voices, 2 R)`
        hop: length of a frame in samples
        u: numbers from 0 to 1 that draw the levels, `(voices, n)` in float64
        temperature: `(voices, n)` in float64
        least: the smallest probability of a level
        levels: `(voices, n)` int64; a negative one is drawn and filled in

    Return the middle of each level's interval of [0, 1], and its ln p at a temperature of 1, both `(voices, n)`.
    """
    middles, prices = np.empty(levels.shape), np.empty(levels.shape)
    room = _allocate_workspace(net, state, start)
    _sample(RunningNetwork(net, base, hop, state), start, u, temperature, least, levels, middles, prices, room)
    return middles, prices


@compiled
def _sample_two(
    a: RunningNetwork, b: RunningNetwork, start: int, u: Array, temperature: Array, least: float, second: Array,
    levels: Array, prices: Array, of_a: Workspace, of_b: Workspace,
) -> None:  # fmt: skip
    """Fill levels `(n,)` and the log-probabilities `(2, n)` under both networks, sample by sample."""
    _, _, _, graded, of_one = a.net.sizes
    _, _, _, _, of_other = b.net.sizes
    for t in range(len(levels)):
        _compute_numbers(a, start + t, t, of_a)
        _compute_numbers(b, start + t, t, of_b)
        if second[t]:
            level, _ = draw_level(of_b.numbers, 0, graded, of_other, temperature[t], least, u[t], -1, of_b.softmax)
        else:
            level, _ = draw_level(of_a.numbers, 0, graded, of_one, temperature[t], least, u[t], -1, of_a.softmax)
        levels[t] = a.state.levels[0] = b.state.levels[0] = level
        prices[0, t] = log_prob_of_level(of_a.numbers, 0, graded, of_one, level, least, of_a.softmax)
        prices[1, t] = log_prob_of_level(of_b.numbers, 0, graded, of_other, level, least, of_b.softmax)


def sample_mixture(
    a: RunningNetwork, b: RunningNetwork, start: int, u: Array, temperature: Array, least: float, second: Array
) -> tuple[Array, Array]:
    """Draw the next samples of one voice that two networks make together.

    Arguments
        u, temperature: `(n,)`, as in `sample`
        second: `(n,)`, true for each sample that b draws

    Return the levels `(n,)`, and their ln p under each network at a temperature of 1, `(2, n)`.
    """
    levels = np.empty(len(u), np.int64)
    prices = np.empty((2, len(u)))
    rooms = _allocate_workspace(a.net, a.state, start), _allocate_workspace(b.net, b.state, start)
    _sample_two(a, b, start, u, temperature, least, second, levels, prices, *rooms)
    return levels, prices


def prepare() -> None:
    """Compile the loop of one network, for the type of weights that this processor reads from a model's file."""
    net, base, state = _smallest()
    half = np.full((1, 1), 0.5)
    sample(net, base, 1, state, 0, half, half, 0.0, np.zeros((1, 1), np.int64))


def prepare_two() -> None:
    """Compile the loop of two networks."""
    sides = [RunningNetwork(net, base, 1, state) for net, base, state in (_smallest(), _smallest())]
    half = np.full(1, 0.5)
    sample_mixture(sides[0], sides[1], 0, half, half, 0.0, np.zeros(1, np.bool_))


def _smallest() -> tuple[WaveNetWeights, Array, WaveNetState]:
    """Return a network of one layer and eight channels, its base and a voice of it."""
    n = 8
    dilations = np.ones(1, np.int64)
    layers = stack_filters(np.zeros((1, 2 * n, 2 * n), np.float32), np.zeros((1, n, 2 * n), np.float32), dilations, 1)
    head = stack_head(np.zeros((n, n), np.float32), np.zeros((n, n), np.float32), 1)
    first, shift, biases = (np.zeros(shape, np.float32) for shape in ((1, n), (1, n), 3 * n))
    net = WaveNetWeights(first, layers, shift, head, biases, dilations, (n, n, n, n, 0))
    rings = np.zeros((1, 1, n), np.float32)
    levels = np.zeros(1, np.int64)
    return net, np.zeros((1, 1, 1, 2 * n), np.float32), WaveNetState(rings, levels, 0)
