"""Measure the cost of a training on this computer, by a few steps on random artworks."""

import copy
import functools
import time
from collections.abc import Generator
from pathlib import Path

import msgspec
import torch

from studio import zoo
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.engine.device import ComputeDevice, free_memory, release_memory, used_memory
from studio.engine.events import EventSteps
from studio.engine.levels import TrainingExamples
from studio.engine.training import config as configs
from studio.engine.training.checkpoint import KEPT_CHECKPOINTS
from studio.engine.training.config import TrainingConfig, TrainingPlan, config_to_dict
from studio.engine.training.gradients import note_sizes
from studio.engine.training.loop import train_step
from studio.engine.training.recordings import CutExamples
from studio.engine.training.training_run import TrainingRun
from studio.library import models
from studio.media import dataset
from studio.wire import messages as wire

BYTES_EACH = 4
"""Bytes of a weight, which is a float32."""
FEW = 2
"""Artworks of the first trial step."""
GROWTH = 4
"""The factor by which the number of artworks grows from one trial step to the next."""
MAX_STEP_SECONDS = 2.0
"""If a trial step takes so many seconds, no larger one follows. Larger batches are then estimated in proportion."""
WEIGHT_COPIES = 5
"""The copies of the weights in a training: the weights, their average, their gradients, two of the optimiser."""
FIRST_STEP_MEMORY = 130_000_000
"""Bytes that the first step of any model takes on a processor. By the peak of the process, a tiny Glow takes 125 MB
more than its weights and gradients, a small one 144 MB, and a tiny RealNVP 195 MB."""
SAMPLES = 16
"""The number of samples that are drawn together while a model learns."""
CHECKPOINT_COPIES = 4
"""The copies of the weights in a checkpoint: the model, its average and two of the optimiser."""


def prepare_training(command: wire.PrepareTraining, device: ComputeDevice) -> EventSteps:
    """Return the config of a training and measure its cost if that is asked. Raises BadTrainingConfig."""
    config = yield from _make_config(command)
    yield wire.TrainingPrepared(
        job=command.job,
        config=config_to_dict(config),
        recipe_schema=msgspec.json.schema(type(config.recipe)),
        plan_schema=msgspec.json.schema(TrainingPlan),
    )
    if command.measures:
        yield from _measure_cost(command.job, config, device)


def measure_training(command: wire.MeasureTraining, device: ComputeDevice) -> EventSteps:
    """Measure the cost of a training of which another computer has the artworks."""
    yield from _measure_cost(command.job, msgspec.convert(command.config, TrainingConfig), device)


def _measure_cost(job: str, config: TrainingConfig, device: ComputeDevice) -> EventSteps:
    weights = measure_weights(config)
    free = free_memory(device.torch_device)
    cost = wire.TrainingCost(
        job=job,
        step_seconds=0.0,
        memory=WEIGHT_COPIES * weights + (FIRST_STEP_MEMORY if device.torch_device.type == "cpu" else 0),
        disk=weights * (CHECKPOINT_COPIES * (KEPT_CHECKPOINTS + 1) + 2),  # the best average, and the model
        parameters=weights // BYTES_EACH,
        free_memory=free,
    )
    if cost.memory <= free:
        seconds, measured, kept = yield from _try_steps(config, device)
        memory = cost.memory + kept if measured is None else max(cost.memory, measured)
        cost = msgspec.structs.replace(cost, step_seconds=seconds, memory=memory)
    yield cost


def measure_weights(config: TrainingConfig) -> int:
    """Return the bytes of a model's weights; 0 if it cannot be built. It is built without memory to find out."""
    try:
        with torch.device("meta"):
            model = zoo.build_model(config.recipe, config.shape, config.levels, indexed=config.indexed)
    except ValueError:  # the run itself reports the reason
        return 0
    return sum(p.numel() * BYTES_EACH for p in model.parameters())


def _make_config(command: wire.PrepareTraining) -> Generator[None, None, TrainingConfig]:
    source = Path(command.source)
    if command.start_model:
        config = configs.config_from_model("model", source, models.find_model(command.start_model).card)
    else:
        config = configs.config_for_data(
            "model", source, command.family, command.preset, command.shape, command.sample_rate
        )
        if command.palette_size:
            config = configs.with_palette_size(config, command.palette_size)
    config = configs.with_changes(config, command.recipe, command.plan, command.preparation, command.augmentation)
    if config.preparation.folders_as_classes:
        classes = yield from dataset.find_classes(source)
        config = configs.with_classes(config, len(classes))
    configs.check_palette(config)
    return config


def _try_steps(config: TrainingConfig, device: ComputeDevice) -> Generator[None, None, tuple[float, int | None, int]]:
    """Take a few steps; return the seconds of a step, and the bytes of a training.

    These are the bytes that the process takes, None if the system does not say, and those that a step keeps for its
    gradients. Both are given for a whole batch.
    """
    release_memory(device.torch_device)
    idle = _idle_memory(device.torch_device)
    run = TrainingRun(config, Path(), device.torch_device, resumes=False)
    batch = run.config.plan.batch
    counts = [min(FEW, batch)]
    while counts[-1] < batch:
        counts.append(min(counts[-1] * GROWTH, batch))
    taken = seconds = 0.0
    kept: dict[int, int] = {}
    grown: dict[int, int] = {}
    for number, count in enumerate((counts[0], *counts, counts[-1])):
        # The first step also initialises. On a busy computer it took 11 times as long, so it is never the measure.
        # The second size is always tried, to tell what grows with the batch. A step of the training takes longer.
        if number > 2 and taken > MAX_STEP_SECONDS:
            break
        taken, kept[count] = _try_step(run, count, device)
        grown[count] = (used_memory(device.torch_device) or 0) - (idle or 0)
        seconds = taken * batch / count
        yield None
    _draw_first_step(run)
    count = max(kept)
    missing = (batch - count) * _growth(kept)
    if idle is None:
        return seconds, None, kept[count] + missing
    drawn = (used_memory(device.torch_device) or 0) - idle
    return seconds, drawn + max(missing, (batch - count) * _growth(grown)), kept[count] + missing


def _growth(measured: dict[int, int]) -> int:
    """Return the bytes by which the largest of some batches grows with each artwork."""
    if len(measured) == 1:
        return 0
    (before, less), (count, more) = list(measured.items())[-2:]
    return (more - less) // (count - before)


def _try_step(run: TrainingRun, count: int, device: ComputeDevice) -> tuple[float, int]:
    """Take a step on random artworks; return its seconds, and the bytes that it keeps for its gradients."""
    examples = _random_batch(run, count)
    tensors: dict[int, int] = {}
    with torch.autograd.graph.saved_tensors_hooks(note_sizes(tensors), lambda tensor: tensor):
        began = time.perf_counter()
        train_step(run, examples, bf16=device.has_bf16)
        taken = time.perf_counter() - began
    own = {parameter.untyped_storage().data_ptr() for parameter in run.model.parameters()}
    return taken, sum(size for place, size in tensors.items() if place not in own)


@torch.inference_mode()
def _draw_first_step(run: TrainingRun) -> None:
    """Begin to draw samples, as a training does, because that also takes memory."""
    model = copy.deepcopy(run.average).eval()
    if not isinstance(model, AutoregressiveSound) and not run.config.is_upsampler:
        zoo.fold(model)
        next(model.sample_steps(range(1, SAMPLES + 1)))


@functools.cache
def _idle_memory(device: torch.device) -> int | None:
    """Return the bytes that this process used before it tried any step."""
    return used_memory(device)


def _random_batch(run: TrainingRun, count: int) -> TrainingExamples:
    model = run.model
    generator = torch.Generator().manual_seed(0)
    c = torch.randint(model.classes, (count,), generator=generator) if model.classes else None
    if isinstance(model, AutoregressiveSound):
        samples = model.receptive_field + run.config.plan.cut_samples
        x = torch.randint(model.levels, (count, samples), generator=generator, dtype=torch.int32)
        frames = model.net.context_frames + -(-run.config.plan.cut_samples // model.net.hop)
        c = model.condition(c, torch.zeros(model.net.local, frames), count)
        return CutExamples(x, c).to(run.device)
    x = torch.randint(model.levels, (count, *model.shape), generator=generator, dtype=torch.int32)
    return TrainingExamples(x, c).to(run.device)
