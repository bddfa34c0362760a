"""Sounds that are drawn sample by sample, chunk by chunk: new ones, or what follows a sound that is there."""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.density.sound import CHUNK, SEGMENT, AutoregressiveSound
from studio.engine import sampling
from studio.engine.artworks import Misfit, heard
from studio.engine.sampling import Loaded
from studio.wire.messages import Array


@dataclass(frozen=True)
class Chunk:
    """The next samples of all voices `(voices, n)` int16, the first of which is number `first` of what is made.

    `log_prob`, with no sample more: nats of all that was made, given what it goes on from."""

    first: int
    sounds: Array
    log_prob: tuple[float, ...] | None = None


@torch.inference_mode()
def played(
    loaded: Loaded,
    seeds: Sequence[int],
    samples: int,
    temperature: Sequence[float],
    label: int | None = None,
    begin: Array | None = None,
) -> Iterator[Chunk | None]:
    """So many samples for each seed: None after each step with nothing to hear, chunks, and last their price.

    begin: `(samples,)` int16 that all of them go on from; of the kind under which it is likeliest, where none is given
    Raises Misfit where the model makes no recordings, or where the beginning is none.
    """
    model = _sound(loaded)
    x = _beginning(model, begin)
    c = yield from _classes(loaded, x, seeds, label)
    heat = sampling.temperature_of(model, temperature)
    player, made = model.player(c, len(seeds)), [x.expand(len(seeds), -1).long()]
    for part in torch.split(made[0], SEGMENT, 1):
        if part.shape[1]:
            player.hear(part)
            yield None
    z = model.noise(seeds, samples)
    for first in range(0, samples, CHUNK):
        part = z[:, first : first + CHUNK]
        made.append(player.play(part, heat.expand(part.shape)))
        yield Chunk(first, heard(made[-1], model.levels))
    nats = torch.zeros(0)
    for bits in model.surprisal_steps(torch.cat(made, 1), c):
        yield None
        nats = nats if bits is None else -math.log(2) * bits[:, x.shape[1] :].double().sum(1)
    yield Chunk(samples, heard(made[0][:, :0], model.levels), tuple(float(price) for price in nats))


def _sound(loaded: Loaded) -> AutoregressiveSound:
    if not isinstance(loaded.model, AutoregressiveSound):
        raise Misfit(f'"{loaded.card.title}" makes no recordings; take a model that draws sample by sample')
    return loaded.model


def _beginning(model: AutoregressiveSound, begin: Array | None) -> Tensor:
    """Levels `(1, samples)` of what is gone on from; none of nothing."""
    if begin is None:
        return torch.zeros(1, 0, dtype=torch.long, device=model.scale_of.device)
    return sampling.recording_levels(model, begin[None])


def _classes(
    loaded: Loaded, x: Tensor, seeds: Sequence[int], label: int | None
) -> Generator[None, None, Tensor | None]:
    if not x.shape[1] or label is not None:
        return sampling.classes_for(loaded, seeds, label)
    c = yield from sampling.class_of(loaded, x, None)
    return None if c is None else c.expand(len(seeds))
