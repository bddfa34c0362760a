"""Plays the schedule of a network that draws pixel by pixel: a list of small operations on remembered rows.

An operation is a row of a table of whole numbers, and works on one flat state, picture after picture. Once a row its
lanes are the columns of each picture, once a pixel they are the pictures. A sum runs over weights that lie side by
side, for four lanes at once, so that a picture's numbers are added in the same order in any batch, and are the same
bit for bit. All numbers are float32.
"""

import math
from typing import NamedTuple

import numpy as np

from studio.kernels.made import LANES, Array, compiled, share_rows

OPERATION_NAMES = ("dot", "same", "relu", "concat_elu", "gate", "tanh_gate", "cell")
DOT, SAME, RELU, CONCAT_ELU, GATE, TANH_GATE, CELL = range(len(OPERATION_NAMES))
OPERATION = ("kind", "every", "later", "outputs", "inputs", "weights", "adds")
"""Columns of a table of operations: `outputs` numbers from `inputs`; where their weights `(outputs, inputs)` begin;
whether start is added. Each has four windows: out, second out, start and x."""
WINDOW = ("base", "rows", "row_size", "down", "step", "column_size")
"""A window at (I, J) begins at base + ((step · I + down) mod rows) · row_size + step · J · column_size."""
OUT, SECOND, START, X = range(4)
BLOCK = 16_384
"""Weights that all lanes go through together: 64 KiB, which stay in a core's second cache."""
_ONE, _TWO, _HALF = np.float32(1), np.float32(2), np.float32(0.5)
_LOWEST, _PER_LN2 = np.float32(-87), np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / f) for f in (5040, 720, 120, 24, 6, 2))


Ops = tuple[Array, Array]
"""A table of operations `(n, 7)`, and their windows `(n, 4, 6)`."""
Shared = tuple[Array, Array, int, int]
"""Weights, the state of all pictures, how many numbers one has, and the most that an operation works on."""


class CompiledSchedule(NamedTuple):
    """A schedule as loops read it."""

    backwards: Ops
    rows: Ops
    columns: Ops
    weights: Array
    size: int
    """Numbers of a picture's state."""
    widest: int
    """Most numbers that an operation takes or gives."""


@compiled
def _two(w: Array, u: int, n: int, s: Array, x: int, by: int, start: int, start_by: int, out: int, out_by: int) -> None:
    """Two sums over n inputs for each of four lanes."""
    p, q = w[u : u + n], w[u + n : u + 2 * n]
    x1, x2, x3 = x + by, x + 2 * by, x + 3 * by
    h0, h1, h2, h3 = s[x : x + n], s[x1 : x1 + n], s[x2 : x2 + n], s[x3 : x3 + n]
    a0 = a1 = a2 = a3 = w.dtype.type(0)
    b0 = b1 = b2 = b3 = w.dtype.type(0)
    for k in range(n):
        v, r = p[k], q[k]
        a0 += v * h0[k]
        a1 += v * h1[k]
        a2 += v * h2[k]
        a3 += v * h3[k]
        b0 += r * h0[k]
        b1 += r * h1[k]
        b2 += r * h2[k]
        b3 += r * h3[k]
    s[out], s[out + 1] = s[start] + a0, s[start + 1] + b0
    out, start = out + out_by, start + start_by
    s[out], s[out + 1] = s[start] + a1, s[start + 1] + b1
    out, start = out + out_by, start + start_by
    s[out], s[out + 1] = s[start] + a2, s[start + 1] + b2
    out, start = out + out_by, start + start_by
    s[out], s[out + 1] = s[start] + a3, s[start + 1] + b3


@compiled
def _one(w: Array, u: int, n: int, s: Array, x: int, start: int, out: int) -> None:
    """One sum over n inputs."""
    p, h = w[u : u + n], s[x : x + n]
    a = w.dtype.type(0)
    for k in range(n):
        a += p[k] * h[k]
    s[out] = s[start] + a


@compiled
def _dot(op: Array, w: Array, s: Array, at: Array, by: Array, lanes: int, pictures: int, size: int) -> None:
    outputs, n, first = op[3], op[4], op[5]
    fours, pairs = lanes // LANES * LANES, outputs // 2 * 2
    block = max(BLOCK // n // 2 * 2, 2)
    for begin in range(0, pairs, block):
        for picture in range(pictures):
            for lane in range(0, fours, LANES):
                x, start, out = (at[X] + lane * by[X], at[START] + lane * by[START], at[OUT] + lane * by[OUT])
                for u in range(begin, min(begin + block, pairs), 2):
                    p = picture * size
                    _two(w, first + u * n, n, s, p + x, by[X], p + start + u, by[START], p + out + u, by[OUT])
    for picture in range(pictures):
        for lane in range(lanes):
            x, start, out = (at[X] + lane * by[X], at[START] + lane * by[START], at[OUT] + lane * by[OUT])
            for u in range(pairs if lane < fours else 0, outputs):
                p = picture * size
                _one(w, first + u * n, n, s, p + x, p + start + u, p + out + u)


@compiled
def _bend(kind: int, v: Array, low: int, high: int, e: Array, bits: Array) -> None:
    """What numbers v become in an operation, into e: tanh from `low` to `high` - 1, elsewhere σ, or elu(-|v|).

    All of them come from exp(-|v|), or exp(-2 · |v|), as 2^m · exp(r) with |r| ≤ ln 2 / 2: a few instructions for
    eight numbers, where the library's exp takes one number at a time.
    """
    n = len(v)
    for k in range(n):
        t = max((_TWO if low <= k < high else _ONE) * -abs(v[k]), _LOWEST)
        m = np.floor(t * _PER_LN2 + _HALF)
        r = t - m * _LN2_HIGH - m * _LN2_LOW
        p = _TAYLOR[0]
        for factor in _TAYLOR[1:]:
            p = p * r + factor
        e[k] = p * r * r + r + _ONE
        bits[k] = (np.int32(m) + np.int32(127)) << np.int32(23)
    powers = bits.view(np.float32)
    for k in range(n):
        e[k] *= powers[k]
        if kind == CONCAT_ELU:
            e[k] -= _ONE
        elif low <= k < high:
            e[k] = math.copysign((_ONE - e[k]) / (_ONE + e[k]), v[k])
        else:
            e[k] = (_ONE if v[k] > 0 else e[k]) / (_ONE + e[k])


@compiled
def _apply(op: Array, s: Array, out: int, second: int, start: int, x: int, e: Array, y: Array, bits: Array) -> None:
    """One operation other than a product at one lane; its windows begin at `out` to `x`."""
    kind, outputs, inputs = op[0], op[3], op[4]
    v, n = s[x : x + inputs], outputs
    if kind == CELL:
        _bend(kind, v, 3 * n, 4 * n, e, bits)
        c = s[second : second + n]
        for k in range(n):
            c[k] = e[n + k] * s[start + k] + e[2 * n + k] * e[3 * n + k]
        _bend(kind, c, 0, n, y, bits)
        for k in range(n):
            s[out + k] = e[k] * y[k]
        return
    if kind >= CONCAT_ELU:
        _bend(kind, v, 0, n if kind == TANH_GATE else 0, e, bits)
    for k in range(inputs if kind < GATE else n):
        if kind == SAME:
            y[k] = v[k]
        elif kind == RELU:
            y[k] = max(v[k], np.float32(0))
        elif kind == CONCAT_ELU:
            y[k] = v[k] if v[k] > 0 else e[k]
            y[inputs + k] = e[k] if v[k] > 0 else -v[k]
        else:
            y[k] = (e[k] if kind == TANH_GATE else v[k]) * e[n + k]
    for k in range(n):
        s[out + k] = y[k] + s[start + k] if op[6] else y[k]


@compiled
def _run(
    op: Array, w: Array, s: Array, at: Array, by: Array, lanes: int, pictures: int, size: int, y: Array, bits: Array
) -> None:
    """One operation on the lanes of so many pictures; windows begin at `at` and lie `by` numbers apart."""
    if op[0] == DOT:
        _dot(op, w, s, at, by, lanes, pictures, size)
        return
    for picture in range(pictures):
        for lane in range(lanes):
            place = at + picture * size + lane * by
            _apply(op, s, place[OUT], place[SECOND], place[START], place[X], y[0], y[1], bits)


@compiled
def _place(windows: Array, every: int, i: int, j: int, at: Array) -> None:
    """Where an operation's windows begin in the state of the first picture."""
    for v in range(len(windows)):
        base, rows, row_size, down, step, column_size = windows[v]
        at[v] = base + (step * (i // every) + down) % rows * row_size + step * (j // every) * column_size


@compiled
def _play(tape: Ops, shared: Shared, i: int, j: int, step: int, count: int, row: int, low: int, high: int) -> None:
    """Operations on pictures low … high - 1: on a `row` of so many places, or at so many pixels from column j on."""
    (ops, windows), (w, s, size, widest) = tape, shared
    at, by = np.empty(4, np.int64), np.full(4, size)
    y, bits = np.empty((2, widest), np.float32), np.empty(widest, np.int32)
    for column in range(j, j + step * (1 if row else count), step):
        for o in range(len(ops)):
            every = ops[o, 1]
            if i % every or column % every or (ops[o, 2] and i == 0):
                continue
            _place(windows[o], every, i, column, at)
            at += low * size
            if row:
                by = windows[o, :, 4] * windows[o, :, 5]
            lanes, pictures = (count // every, high - low) if row else (high - low, 1)
            _run(ops[o], w, s, at, by, lanes, pictures, size, y, bits)


def run_row(tape: CompiledSchedule, state: Array, pictures: int, i: int, width: int, threads: int) -> None:
    """What is found once for row i of pictures; state `(padded(pictures), size)`."""
    shared = tape.weights, state.reshape(-1), tape.size, tape.widest

    def work(low: int, high: int) -> None:
        if i and len(tape.backwards[0]):
            _play(tape.backwards, shared, i, width - 1, -1, width, 0, low, high)
        _play(tape.rows, shared, i, 0, 1, width, 1, low, min(high, pictures))

    share_rows(work, len(state), threads)


def run_column(tape: CompiledSchedule, state: Array, i: int, j: int) -> None:
    """What is found at the pixel in row i and column j of all pictures.

    By one thread: two wait as long for weights as one does, and for a processor where torch's own do not sleep yet.
    """
    shared = tape.weights, state.reshape(-1), tape.size, tape.widest
    _play(tape.columns, shared, i, j, 1, 1, 0, 0, len(state))


def prepare() -> None:
    """Compiles all of it, by a schedule of nothing."""
    nothing = np.zeros((0, len(OPERATION)), np.int64), np.zeros((0, 4, len(WINDOW)), np.int64)
    tape = CompiledSchedule(nothing, nothing, nothing, np.zeros(1, np.float32), 1, 1)
    run_row(tape, np.zeros((LANES, 1), np.float32), 1, 0, 1, 1)
