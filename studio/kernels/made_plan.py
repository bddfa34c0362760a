"""Says where the weights of a masked network lie, and in which order its units are computed.

A sum runs over weights that lie side by side, for `LANES` artworks at once.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.kernels import compiler

Array = NDArray[Any]
LANES = 4


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that may reorder and fuse sums, but never assumes that a number is finite."""
    return compiler.compile_function(function, {"reassoc", "contract", "nsz", "arcp"})


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
