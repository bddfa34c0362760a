"""Turns a network's numbers for a sample into its level, drawn by a u from 0 to 1, and the level's log-probability.

    x = min {x : u < F(x)},   F(x) = (1 - levels · least) Q(x) + least · (x + 1)

with Q the cumulative sums of a softmax (van den Oord et al., WaveNet, 2016, arXiv:1609.03499, section 2.2), or the
distribution function of a mixture of logistics (van den Oord et al., Parallel WaveNet, 2017, arXiv:1711.10433,
section 2.1), whose numbers are π, μ and ln s of each logistic. Numbers are float32. Sums are float64, and so is
everything in a mixture.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.kernels import compiler

Array = NDArray[Any]
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_BLOCK = 16
_LOWEST = np.float32(-87)
_PER_LN2 = np.float32(1.44269504)
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_TAYLOR = tuple(np.float32(1 / f) for f in (5040, 720, 120, 24, 6, 2))


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that may fuse products with sums, but never changes the order of a sum.

    Another order would make a voice's numbers depend on how many voices are computed beside it.
    """
    return compiler.compile_function(function, {"contract", "nsz"}, error_model="numpy")


class Exponentials(NamedTuple):
    """Holds the working memory of a softmax."""

    e: Array
    """exp of each level's number, in float32."""
    bits: Array
    """Powers of two as the bits of float32, in int32."""
    powers: Array
    """The memory of `bits`, read as float32."""
    blocks: Array
    """The sum of each 16 numbers of e."""


def allocate_exponentials(count: int) -> Exponentials:
    """Return working memory for a softmax of so many levels."""
    bits = np.zeros(count, np.int32)
    return Exponentials(np.zeros(count, np.float32), bits, bits.view(np.float32), np.zeros(-(-count // _BLOCK)))


@partial(compiler.compile_function, quick=True, error_model="numpy")
def _maximum(v: Array, row: int, count: int) -> Any:
    """Return the largest of `count` numbers in a row. It may be compiled freely: it is the same in any order."""
    most = v[row, 0]
    for k in range(count):
        most = max(most, v[row, k])
    return most


@compiled
def _compute_exponentials(v: Array, row: int, temperature: float, parts: Exponentials) -> None:
    """Write exp((v - max v) / temperature) into e as 2^m · exp(r): a few instructions for eight numbers."""
    e = parts.e
    bits = parts.bits
    powers = parts.powers
    count = len(parts.e)
    most = _maximum(v, row, count)
    cold = np.float32(1 / temperature)
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
def _sum_exponentials(parts: Exponentials) -> float:
    """Return the sum of e: first of blocks of 16, which the processor sums side by side, then of the blocks."""
    total = 0.0
    for block in range(len(parts.blocks)):
        part = 0.0
        for k in range(_BLOCK * block, min(_BLOCK * (block + 1), len(parts.e))):
            part += parts.e[k]
        parts.blocks[block] = part
        total += part
    return total


@compiled
def _draw_from_softmax(
    v: Array, row: int, temperature: float, least: float, u: float, level: int, parts: Exponentials
) -> tuple[int, float]:
    """Return the level that u draws, and the middle of its interval of [0, 1].

    A `level` of 0 or more is kept instead of drawing.
    """
    e = parts.e
    blocks = parts.blocks
    count = len(parts.e)
    _compute_exponentials(v, row, temperature, parts)
    total = _sum_exponentials(parts)
    scale = (1.0 - count * least) / total
    block = 0
    before = 0.0
    k = 0
    while k + _BLOCK < count:
        end = k + _BLOCK
        if (scale * (before + blocks[block]) + least * end > u) if level < 0 else end > level:
            break
        before = before + blocks[block]
        block = block + 1
        k = end
    below = scale * before + least * k
    part = e[k] * 1.0
    up_to = scale * (before + part) + least * (k + 1)
    while k < count - 1 and (up_to <= u if level < 0 else k < level):
        k += 1
        part += e[k]
        below = up_to
        up_to = scale * (before + part) + least * (k + 1)
    return k, 0.5 * (below + up_to)


@compiled
def _mixture_cdf(v: Array, row: int, count: int, temperature: float, least: float, levels: int, x: int) -> float:
    """Return F(x) for a mixture of `count` logistics."""
    if x < 0:
        return 0.0
    most = -math.inf
    for k in range(count):
        most = max(most, v[row, k] / temperature)
    total, below = 0.0, 0.0
    edge = (2.0 * x + 1.0) / (levels - 1) - 1.0
    for k in range(count):
        share = math.exp(v[row, k] / temperature - most)
        s = math.exp(min(max(v[row, 2 * count + k], -16.0), 7.0)) * temperature
        total += share
        below += share / (1.0 + math.exp(-(edge - v[row, count + k]) / s))
    whole = below / total if x < levels - 1 else 1.0
    return (1.0 - levels * least) * whole + least * (x + 1)


@compiled
def _draw_from_mixture(
    v: Array, row: int, count: int, temperature: float, least: float, levels: int, u: float, level: int
) -> tuple[int, float]:
    """Do what `_draw_from_softmax` does, for a mixture of logistics. Bisection finds the level."""
    if level < 0:
        low = -1
        level = levels - 1
        while level - low > 1:
            middle = (low + level) // 2
            if _mixture_cdf(v, row, count, temperature, least, levels, middle) > u:
                level = middle
            else:
                low = middle
    below = _mixture_cdf(v, row, count, temperature, least, levels, level - 1)
    return level, 0.5 * (below + _mixture_cdf(v, row, count, temperature, least, levels, level))


@compiled
def draw_level(
    v: Array,
    row: int,
    levels: int,
    mixture: int,
    temperature: float,
    least: float,
    u: float,
    level: int,
    parts: Exponentials,
) -> tuple[int, float]:
    """Return the level that u draws from a row of numbers, and the middle of its interval of [0, 1].

    Arguments
        v, row: a network's numbers, and the row to draw from
        levels: number of levels
        mixture: number of logistics, or 0 for a softmax
        temperature: less than 0.001 counts as 0.001
        least: the smallest probability of a level
        level: kept instead of drawing if it is 0 or more
        parts: working memory
    """
    safe_temperature = max(temperature, 1e-3)
    floor = least * min(temperature, 1.0)
    if mixture:
        level, middle = _draw_from_mixture(v, row, mixture, safe_temperature, floor, levels, u, level)
    else:
        level, middle = _draw_from_softmax(v, row, safe_temperature, floor, u, level, parts)
    return level, middle


@compiled
def log_prob_of_level(
    v: Array, row: int, levels: int, mixture: int, level: int, least: float, parts: Exponentials
) -> float:
    """Return ln p of a level at a temperature of 1."""
    if mixture:
        up_to = _mixture_cdf(v, row, mixture, 1.0, least, levels, level)
        return math.log(up_to - _mixture_cdf(v, row, mixture, 1.0, least, levels, level - 1))
    _compute_exponentials(v, row, 1.0, parts)
    return math.log((1.0 - len(parts.e) * least) * parts.e[level] / _sum_exponentials(parts) + least)
