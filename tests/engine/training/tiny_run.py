"""Make small runs and train them, for tests of the training loop."""

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from studio import zoo
from studio.engine.events import Pause
from studio.engine.levels import TrainingExamples
from studio.engine.training import loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.loop import ProgressReport
from studio.engine.training.training_run import TrainingRun

SIMPLE = zoo.nice.NICE(depth=2, width=8)
"""A model that computes every picture by itself, so that parts of a batch give what the whole gives."""
WITH_STATISTICS = zoo.realnvp.RealNVP(scales=1, width=4, blocks=1)
"""A model with statistics of its batches."""


def make_config(recipe: zoo.Recipe = SIMPLE, **plan: Any) -> TrainingConfig:
    """Return the config of a run on pictures of 8 × 8."""
    fields = {"steps": 24, "batch": 16, "evaluate_every": 8, "warm_up": 4, "mirror": True} | plan
    return TrainingConfig(
        name="rings",
        title="Rings",
        subject="Rings",
        training_data="rings",
        licence="CC0 1.0",
        shape=(3, 8, 8),
        recipe=recipe,
        plan=msgspec.convert(fields, TrainingPlan),
    )


def make_pictures(count: int = 160) -> TrainingExamples:
    """Return random ramps, which a model can learn."""
    stream = torch.Generator().manual_seed(0)
    ramp = torch.arange(8.0).view(1, 1, 8, 1) * torch.rand(count, 3, 1, 1, generator=stream) * 30
    return TrainingExamples((ramp + torch.rand(count, 3, 8, 8, generator=stream) * 10).to(torch.uint8))


def training_steps(run: TrainingRun, x: TrainingExamples) -> Any:
    """Return the training of a run as a generator."""
    return loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False)


def train(run: TrainingRun, x: TrainingExamples) -> tuple[list[ProgressReport], list[str]]:
    """Train a run to its end. Return its reports, and all its sentences for the user."""
    reports: list[ProgressReport] = []
    sentences: list[str] = []
    for result in training_steps(run, x):
        if isinstance(result, str):
            sentences.append(result)
        elif result is not None and not isinstance(result, Pause):
            reports.append(result)
            sentences += [result.notice] if result.notice else []
    return reports, sentences


def new_run(folder: Path, config: TrainingConfig | None = None) -> TrainingRun:
    """Return a run on the processor."""
    return TrainingRun(config or make_config(), folder, torch.device("cpu"))


def weights(run: TrainingRun) -> Tensor:
    """Return all weights of a run, and of its average."""
    return torch.cat([p.detach().flatten() for p in [*run.model.parameters(), *run.average.parameters()]])
