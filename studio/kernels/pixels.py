"""Runs the schedule of a network that draws pixel by pixel: a list of small operations on stored rows.

An operation is a row of a table of integers. It works on one flat array, the state, which holds picture after picture.
An operation that runs once a row has the columns of each picture as its lanes. One that runs once a pixel has the
pictures as its lanes. A sum runs over weights that lie side by side, for four lanes at once. So a picture's numbers are
added in the same order in any batch, and the results are the same bit for bit. All numbers are float32.
"""

import math
from typing import NamedTuple

import numpy as np

from studio.kernels.made_plan import LANES, Array, compiled, share_rows

OPERATION_NAMES = ("dot", "same", "relu", "concat_elu", "gate", "tanh_gate", "cell")
DOT, SAME, RELU, CONCAT_ELU, GATE, TANH_GATE, CELL = range(len(OPERATION_NAMES))
OPERATION = ("kind", "every", "later", "outputs", "inputs", "weights", "adds")
"""Columns of a table of operations.

`kind` is one of the numbers above. `every` is the distance in rows and columns at which it runs. `later` leaves out
the first row. It computes `outputs` numbers from `inputs` numbers. `weights` says where its weights
`(outputs, inputs)` begin, and `adds` whether `start` is added to the result. Each operation has four windows into the
state: out, second out, start and x.
"""
WINDOW = ("base", "rows", "row_size", "down", "step", "column_size")
"""Columns of a table of windows.

A window at (I, J) begins at base + ((step · I + down) mod rows) · row_size + step · J · column_size.
"""
OUT, SECOND, START, X = range(4)
BLOCK = 16_384
"""Number of weights that all lanes use before the next ones are read: 64 KiB, which stay in a core's second cache."""
_ONE = np.float32(1)
_TWO = np.float32(2)
_HALF = np.float32(0.5)
_LOWEST = np.float32(-87)
_PER_LN2 = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / f) for f in (5040, 720, 120, 24, 6, 2))


Ops = tuple[Array, Array]
"""A table of operations `(n, 7)`, and their windows `(n, 4, 6)`."""
Shared = tuple[Array, Array, int, int]
"""All weights, the state of all pictures, the size of one picture's state, and the size of the widest operation."""


class CompiledSchedule(NamedTuple):
    """Holds a schedule in the form that the loops read."""

    backwards: Ops
    """Operations that run before those of a row, pixel by pixel from the right. The first row has none."""
    rows: Ops
    """Operations that run once for each row."""
    columns: Ops
    """Operations that run once for each pixel."""
    weights: Array
    size: int
    """How many numbers a picture's state has."""
    widest: int
    """The largest number of inputs or outputs of an operation."""


@compiled
def _add_two_sums(
    w: Array, u: int, n: int, s: Array, x: int, by: int, start: int, start_by: int, out: int, out_by: int
) -> None:
    """Compute two outputs, each a sum over n inputs, for each of four lanes.

    Inputs begin at x in the state s, start values at `start`, outputs at `out`. From one lane to the next they lie
    `by`, `start_by` and `out_by` numbers apart. The weights begin at u in w.
    """
    p = w[u : u + n]
    q = w[u + n : u + 2 * n]
    x1 = x + by
    x2 = x + 2 * by
    x3 = x + 3 * by
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
    out += out_by
    start += start_by
    s[out], s[out + 1] = s[start] + a1, s[start + 1] + b1
    out += out_by
    start += start_by
    s[out], s[out + 1] = s[start] + a2, s[start + 1] + b2
    out += out_by
    start += start_by
    s[out], s[out + 1] = s[start] + a3, s[start + 1] + b3


@compiled
def _add_one_sum(w: Array, u: int, n: int, s: Array, x: int, start: int, out: int) -> None:
    """Compute one output, a sum over n inputs."""
    p, h = w[u : u + n], s[x : x + n]
    a = w.dtype.type(0)
    for k in range(n):
        a += p[k] * h[k]
    s[out] = s[start] + a


@compiled
def _run_products(op: Array, w: Array, s: Array, at: Array, by: Array, lanes: int, pictures: int, size: int) -> None:
    """Run a matrix product on all lanes of all pictures, block after block of its weights."""
    outputs, n, first = op[3], op[4], op[5]
    fours = lanes // LANES * LANES
    pairs = outputs // 2 * 2
    block = max(BLOCK // n // 2 * 2, 2)
    for begin in range(0, pairs, block):
        for picture in range(pictures):
            for lane in range(0, fours, LANES):
                x, start, out = (at[X] + lane * by[X], at[START] + lane * by[START], at[OUT] + lane * by[OUT])
                for u in range(begin, min(begin + block, pairs), 2):
                    p = picture * size
                    _add_two_sums(w, first + u * n, n, s, p + x, by[X], p + start + u, by[START], p + out + u, by[OUT])
    for picture in range(pictures):
        for lane in range(lanes):
            x, start, out = (at[X] + lane * by[X], at[START] + lane * by[START], at[OUT] + lane * by[OUT])
            for u in range(pairs if lane < fours else 0, outputs):
                p = picture * size
                _add_one_sum(w, first + u * n, n, s, p + x, p + start + u, p + out + u)


@compiled
def _activate(kind: int, v: Array, low: int, high: int, e: Array, bits: Array) -> None:
    """Apply an activation to the numbers v, and write the results into e.

    The activation is tanh from index `low` to `high` - 1. Elsewhere it is σ, or exp(-|v|) - 1 for a concatenated ELU.

    All of them come from exp(-|v|) or exp(-2 · |v|), computed as 2^m · exp(r) with |r| ≤ ln 2 / 2. This takes a few
    instructions for eight numbers, while the library's exp takes one number at a time.
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
def _run_function(
    op: Array, s: Array, out: int, second: int, start: int, x: int, e: Array, y: Array, bits: Array
) -> None:
    """Run an operation that is no matrix product at one lane.

    Its windows begin at `out`, `second`, `start` and x. e, y and bits are working memory.
    """
    kind, outputs, inputs = op[0], op[3], op[4]
    v = s[x : x + inputs]
    n = outputs
    if kind == CELL:
        _activate(kind, v, 3 * n, 4 * n, e, bits)
        c = s[second : second + n]
        for k in range(n):
            c[k] = e[n + k] * s[start + k] + e[2 * n + k] * e[3 * n + k]
        _activate(kind, c, 0, n, y, bits)
        for k in range(n):
            s[out + k] = e[k] * y[k]
        return
    if kind >= CONCAT_ELU:
        _activate(kind, v, 0, n if kind == TANH_GATE else 0, e, bits)
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
def _run_operation(
    op: Array, w: Array, s: Array, at: Array, by: Array, lanes: int, pictures: int, size: int, y: Array, bits: Array
) -> None:
    """Run one operation on all lanes of so many pictures.

    The windows of the first lane begin at `at`. Those of the next lane lie `by` numbers further on.
    """
    if op[0] == DOT:
        _run_products(op, w, s, at, by, lanes, pictures, size)
        return
    for picture in range(pictures):
        for lane in range(lanes):
            place = at + picture * size + lane * by
            _run_function(op, s, place[OUT], place[SECOND], place[START], place[X], y[0], y[1], bits)


@compiled
def _place_windows(windows: Array, every: int, i: int, j: int, at: Array) -> None:
    """Write into `at` where an operation's windows begin in the state of the first picture."""
    for v in range(len(windows)):
        base, rows, row_size, down, step, column_size = windows[v]
        at[v] = base + (step * (i // every) + down) % rows * row_size + step * (j // every) * column_size


@compiled
def _run_schedule(
    tape: Ops, shared: Shared, i: int, j: int, step: int, count: int, row: int, low: int, high: int
) -> None:
    """Run operations on pictures low … high - 1.

    They run on a whole row of `count` columns if `row` is not 0, else at `count` pixels from column j on, one after
    another in steps of `step`.
    """
    (ops, windows), (w, s, size, widest) = tape, shared
    at = np.empty(4, np.int64)
    by = np.full(4, size)
    y = np.empty((2, widest), np.float32)
    bits = np.empty(widest, np.int32)
    for column in range(j, j + step * (1 if row else count), step):
        for o in range(len(ops)):
            every = ops[o, 1]
            if i % every or column % every or (ops[o, 2] and i == 0):
                continue
            _place_windows(windows[o], every, i, column, at)
            at += low * size
            if row:
                by = windows[o, :, 4] * windows[o, :, 5]
            lanes, pictures = (count // every, high - low) if row else (high - low, 1)
            _run_operation(ops[o], w, s, at, by, lanes, pictures, size, y, bits)


def run_row(tape: CompiledSchedule, state: Array, pictures: int, i: int, width: int, threads: int) -> None:
    """Run all operations that run once before the pixels of row i.

    Arguments
        state: `(padded_count(pictures), size)`, changed in place
        width: number of columns
    """
    shared = tape.weights, state.reshape(-1), tape.size, tape.widest

    def work(low: int, high: int) -> None:
        if i and len(tape.backwards[0]):
            _run_schedule(tape.backwards, shared, i, width - 1, -1, width, 0, low, high)
        _run_schedule(tape.rows, shared, i, 0, 1, width, 1, low, min(high, pictures))

    share_rows(work, len(state), threads)


def run_column(tape: CompiledSchedule, state: Array, i: int, j: int) -> None:
    """Run all operations of the pixel in row i and column j for all pictures.

    One thread does this: two would wait just as long for the weights, and also for a core that torch's own threads
    still occupy.
    """
    shared = tape.weights, state.reshape(-1), tape.size, tape.widest
    _run_schedule(tape.columns, shared, i, j, 1, 1, 0, 0, len(state))


def prepare() -> None:
    """Compile the loops by running an empty schedule."""
    nothing = np.zeros((0, len(OPERATION)), np.int64), np.zeros((0, 4, len(WINDOW)), np.int64)
    tape = CompiledSchedule(nothing, nothing, nothing, np.zeros(1, np.float32), 1, 1)
    run_row(tape, np.zeros((LANES, 1), np.float32), 1, 0, 1, 1)
