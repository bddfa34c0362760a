"""Choose the examples of each step of a training, and vary them."""

import msgspec
import torch
from torch import Tensor

from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine.levels import TrainingExamples
from studio.engine.training.augmentation import NOT_VARIED, Augmentation, SoundVariation, seeded, vary_pictures
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan
from studio.engine.training.recordings import TrainingRecordings


def batch_of_step(
    examples: TrainingExamples, step: int, plan: TrainingPlan, levels: int = 256, how: Augmentation = NOT_VARIED
) -> TrainingExamples:
    """Return the batch of a step, augmented as `how` says.

    Every epoch is a permutation of its own, so a resumed run continues in order. If mirrored, a picture is flipped left
    to right, and a cycle of sound backwards and upside down, so that it still begins where it rises through zero.
    """
    each = max(len(examples) // plan.batch, 1)
    epoch, place = divmod(step, each)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(plan.seed * 1_000_003 + epoch))
    part = examples.select(order[place * plan.batch : (place + 1) * plan.batch])
    return _vary(part, step, plan, levels, how)


def batch_of_block(
    examples: TrainingExamples,
    block: int,
    number: int,
    step: int,
    plan: TrainingPlan,
    levels: int = 256,
    how: Augmentation = NOT_VARIED,
) -> TrainingExamples:
    """Return the batch with a number in a block of a stream, which a step learns, augmented as `how` says."""
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(_seed_of_block(plan.seed, block)))
    part = examples.select(order[number * plan.batch : (number + 1) * plan.batch])
    return _vary(part, step, plan, levels, how)


def cuts_of_block(
    sounds: TrainingRecordings,
    block: int,
    number: int,
    plan: TrainingPlan,
    model: Model,
    variation: SoundVariation | None = None,
) -> TrainingExamples:
    """Return the cuts of the batch with a number in a block of a stream, varied if `variation` says so."""
    return cuts_of_step(
        sounds, number, msgspec.structs.replace(plan, seed=_seed_of_block(plan.seed, block)), model, variation
    )


def batches_in_block(examples: TrainingExamples | TrainingRecordings, plan: TrainingPlan) -> int:
    """Return the number of whole batches in a block of a stream."""
    if isinstance(examples, TrainingRecordings):
        return sum(len(x) // plan.cut_samples + 1 for x in examples.x) // plan.batch
    return len(examples) // plan.batch


def _seed_of_block(seed: int, block: int) -> int:
    return (seed * 1_000_003 + block * 7919 + 104_729) % 2**31


def _vary(part: TrainingExamples, step: int, plan: TrainingPlan, levels: int, how: Augmentation) -> TrainingExamples:
    """Return the examples of a step augmented."""
    x = part.x
    if plan.mirror:
        x = mirror_some(x, levels, torch.rand(len(part)) < 0.5)
    if x.dim() == 4:
        x = vary_pictures(x, how, levels, seeded(plan.seed, step))
    return part if x is part.x else TrainingExamples(x, part.c)


def mirror_some(x: Tensor, levels: int, mirrored: Tensor) -> Tensor:
    """Return pictures or cycles in levels. Those for which `mirrored` (n,) is true are mirrored."""
    other = x.flip(-1) if x.dim() == 4 else levels - 1 - x.flip(-1).roll(1, -1)
    return torch.where(mirrored.view(-1, *[1] * (x.dim() - 1)), other, x)


def cuts_of_step(
    sounds: TrainingRecordings, step: int, plan: TrainingPlan, model: Model, variation: SoundVariation | None = None
) -> TrainingExamples:
    """Return the cuts of a step, for a model of recordings, varied if `variation` says so."""
    if not isinstance(model, AutoregressiveSound):
        raise BadTrainingConfig("Only a WaveNet learns from recordings. Choose it, or single cycles of sound.")
    return sounds.cuts_of_step(
        step, plan.batch, plan.cut_samples, model.receptive_field, model.silence_level, plan.seed, variation
    )


def variation_of(config: TrainingConfig) -> SoundVariation | None:
    """Return how the recordings of a config are varied; None if they are not."""
    how = config.augmentation
    return SoundVariation(how, config.sample_rate, config.levels) if how.varies_sounds else None


def first_examples(
    learn: TrainingExamples | TrainingRecordings, plan: TrainingPlan, model: Model, count: int
) -> TrainingExamples:
    """Return some examples as a model learns from them."""
    if isinstance(learn, TrainingRecordings):
        return cuts_of_step(learn, 0, msgspec.structs.replace(plan, batch=count), model)
    return learn.select(slice(count))
