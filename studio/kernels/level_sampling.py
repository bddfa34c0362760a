"""From the numbers that a network gives for a sample to its level: drawn by u from 0 to 1, and priced.

    x = min {x : u < F(x)},   F(x) = (1 - levels · least) Q(x) + least · (x + 1)

with Q the sums of a softmax (van den Oord et al., WaveNet, 2016, arXiv:1609.03499, section 2.2), or of a mixture of
logistics (van den Oord et al., Parallel WaveNet, 2017, arXiv:1711.10433, section 2.1), the numbers of each π, μ and
ln s. Numbers are float32, and sums and all of a mixture float64.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.kernels import compiler

Array = NDArray[Any]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_BLOCK = 16
_LOWEST, _PER_LN2 = np.float32(-87), np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / f) for f in (5040, 720, 120, 24, 6, 2))


def compiled(function: Callable[..., Any]) -> Any:
    # Products may be fused with sums, but no sum may be taken in another order: voices must not depend on each other.
    return compiler.compile_function(function, {"contract", "nsz"}, error_model="numpy")


class Exponentials(NamedTuple):
    """To work in, of a softmax."""

    e: Array
    """Of all levels, in float32."""
    bits: Array
    powers: Array
    """The same bytes as int32 and as float32."""
    blocks: Array
    """Sums of 16 of e each."""


def exponentials(count: int) -> Exponentials:
    bits = np.zeros(count, np.int32)
    return Exponentials(np.zeros(count, np.float32), bits, bits.view(np.float32), np.zeros(-(-count // _BLOCK)))


@partial(compiler.compile_function, quick=True, error_model="numpy")
def _highest(v: Array, row: int, count: int) -> Any:
    """The largest number, which is the same in any order."""
    most = v[row, 0]
    for k in range(count):
        most = max(most, v[row, k])
    return most


@compiled
def _exponentials(v: Array, row: int, heat: float, parts: Exponentials) -> None:
    """exp((v - max v) / heat) into e: 2^m · exp(r), a few instructions for eight numbers."""
    e, bits, powers, count = parts.e, parts.bits, parts.powers, len(parts.e)
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
def _added(parts: Exponentials) -> float:
    """The sum of e: of 16 each, which do not wait for one another, and then of these."""
    total = 0.0
    for block in range(len(parts.blocks)):
        part = 0.0
        for k in range(_BLOCK * block, min(_BLOCK * (block + 1), len(parts.e))):
            part += parts.e[k]
        parts.blocks[block] = part
        total += part
    return total


@compiled
def _of_levels(
    v: Array, row: int, heat: float, least: float, u: float, level: int, parts: Exponentials
) -> tuple[int, float]:
    """The level that u draws, or `level` where that is not negative; and the middle of its share of [0, 1]."""
    e, blocks, count = parts.e, parts.blocks, len(parts.e)
    _exponentials(v, row, heat, parts)
    total = _added(parts)
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
def draw_level(
    v: Array, row: int, levels: int, mixture: int, heat: float, least: float, u: float, level: int, parts: Exponentials
) -> tuple[int, float]:
    """The level that u draws at a temperature from a row of numbers, or `level` where that is not negative; and the
    middle of its share of [0, 1]. `mixture`: of how many logistics, or 0."""
    hot, floor = max(heat, 1e-3), least * min(heat, 1.0)
    if mixture:
        level, middle = _of_logistics(v, row, mixture, hot, floor, levels, u, level)
    else:
        level, middle = _of_levels(v, row, hot, floor, u, level, parts)
    return level, middle


@compiled
def log_prob_of_level(
    v: Array, row: int, levels: int, mixture: int, level: int, least: float, parts: Exponentials
) -> float:
    """ln p of a level at a temperature of 1."""
    if mixture:
        up_to = _mixed(v, row, mixture, 1.0, least, levels, level)
        return math.log(up_to - _mixed(v, row, mixture, 1.0, least, levels, level - 1))
    _exponentials(v, row, 1.0, parts)
    return math.log((1.0 - len(parts.e) * least) * parts.e[level] / _added(parts) + least)
