"""Find the ends of a loop for which a model finds the join likely. At the join, the loop begins again.

    cost(a, b) = log2 p(x_a … x_{a+n-1} | …, x_{a-1}) - log2 p(x_a … x_{a+n-1} | …, x_{b-1})

for a loop of samples x_a … x_{b-1}: how many more bits its first n samples cost after the loop's end than in their own
place. A cost of 0 is a join that the model does not notice. Of all ends and beginnings near the requested ones, those
are tried before which the wave is most similar.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound, StreamingLogProb
from studio.engine.generation.sampling import LoadedModel, classes_for
from studio.engine.levels import DoesNotFit, levels_of_sound
from studio.wire.messages import Array

SEARCH_SECONDS = 0.05
"""Seconds around a requested end in which others are searched."""
TRIED_ENDS = 20
"""Ends that are tried, and beginnings for each of them."""
SCORED_SECONDS = 0.02
"""Seconds after the join whose bits are computed."""
COMPARED_SECONDS = 0.006
"""Seconds before both ends in which the wave should be similar."""
SHORTEST_LOOP_SECONDS = 0.05
"""Seconds of the shortest loop."""
BATCH_SIZE = 5
"""Beginnings that are scored in one step."""
STEP_SAMPLES = 1024
"""The number of samples that the model processes in one step."""


@dataclass(frozen=True)
class LoopCandidate:
    """Holds the samples of a loop, its join's bits, and the requested join's bits.

    The loop lasts from `begin` up to before `end`.
    """

    begin: int
    end: int
    bits: float
    bits_before: float
    tried: int


@torch.inference_mode()
def find_best_loop(
    loaded: LoadedModel, sound: Array, begin: int, end: int, seed: int, label: int | None
) -> Iterator[LoopCandidate | None]:
    """Yield None after each step, then the best join. Raises DoesNotFit if no such loop exists."""
    model = loaded.model
    if not isinstance(model, AutoregressiveSound) or not loaded.card.sample_rate:
        raise DoesNotFit(f'"{loaded.card.title}" makes no recordings, so it cannot find loops. Choose a WaveNet')
    if model.follows_signal:
        raise DoesNotFit(f'"{loaded.card.title}" follows a recording, so it cannot find loops. Choose another WaveNet')
    if sound.dtype != np.int16 or sound.ndim != 1:
        raise DoesNotFit(f"the sound is {sound.shape} of {sound.dtype}, but the model works on 16-bit samples")
    rate = loaded.card.sample_rate
    if not 0 <= begin < end <= len(sound) or end - begin < SHORTEST_LOOP_SECONDS * rate:
        raise DoesNotFit(f"a loop has at least {SHORTEST_LOOP_SECONDS:g} seconds, and must lie within the sound")
    pairs = loop_candidates(sound, begin, end, rate)
    x = levels_of_sound(sound, model.levels)[None].long().to(model.scale_of.device)
    c = classes_for(loaded, [seed], label)
    count = min(round(SCORED_SECONDS * rate), len(sound) - max(a for a, _ in pairs))
    stands = yield from _bits_in_place(model, x, c, min(a for a, _ in pairs), max(a for a, _ in pairs) + count)
    costs: dict[tuple[int, int], float] = {}
    log_probs = StreamingLogProb(model, c, 1)
    heard = max(min(b for _, b in pairs) - model.receptive_field - 1, 0)
    for b in sorted({b for _, b in pairs}):
        for part in torch.split(x[:, heard:b], STEP_SAMPLES, 1):
            log_probs.bits(part)
            yield None
        heard = b
        of_end = [a for a, other in pairs if other == b]
        for first in range(0, len(of_end), BATCH_SIZE):
            some = of_end[first : first + BATCH_SIZE]
            after = torch.cat([x[:, a : a + count] for a in some])
            there = torch.stack([stands[a : a + count] for a in some])
            extra = (log_probs.bits_of_continuations(after) - there).sum(1)
            costs |= {(a, b): float(bits) for a, bits in zip(some, extra, strict=True)}
            yield None
    a, b = min(pairs, key=lambda pair: costs[pair])
    yield LoopCandidate(a, b, costs[a, b], costs[begin, end], len(costs))


def loop_candidates(sound: Array, begin: int, end: int, rate: int) -> list[tuple[int, int]]:
    """List possible beginnings and ends of loops, the requested ones first.

    The others are TRIED_ENDS beginnings with each of TRIED_ENDS ends, the earliest first. Of equally good loops, the
    first one is chosen.
    """
    near = round(SEARCH_SECONDS * rate)
    similar = round(COMPARED_SECONDS * rate)
    most = min(near, (end - begin) // 4)
    ends = np.arange(max(end - most, similar), min(end + most, len(sound)) + 1)
    begins = np.arange(max(begin - most, 0), min(begin + most, len(sound) - 1) + 1)
    wave = np.concatenate((np.zeros(similar, np.float32), sound.astype(np.float32)))  # silence precedes the sound
    before = sliding_window_view(wave, similar)  # of sample i, what precedes it
    found = [(begin, end)]
    power = (before[begins] ** 2).sum(1)
    distances = power - 2 * before[ends] @ before[begins].T + (before[ends] ** 2).sum(1)[:, None]  # (ends, begins)
    for part in np.array_split(np.arange(len(ends)), TRIED_ENDS):
        if not len(part):
            continue
        row = part[distances[part].min(1).argmin()]
        for some in np.array_split(np.arange(len(begins)), TRIED_ENDS):
            if len(some):
                pair = int(begins[some[distances[row, some].argmin()]]), int(ends[row])
                found += [pair] if pair not in found and pair[1] - pair[0] >= SHORTEST_LOOP_SECONDS * rate else []
    return found


def _bits_in_place(
    model: AutoregressiveSound, x: Tensor, c: Tensor | None, first: int, end: int
) -> Generator[None, None, Tensor]:
    """Compute the bits of samples in their own place, `(end,)`, known from `first` on."""
    begin = max(first - model.receptive_field - 1, 0)
    log_probs = StreamingLogProb(model, c, 1)
    found = [torch.zeros(begin, device=x.device, dtype=model.dtype)]
    for part in torch.split(x[:, begin:end], STEP_SAMPLES, 1):
        found.append(log_probs.bits(part)[0])
        yield None
    return torch.cat(found)
