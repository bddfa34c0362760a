"""A Glow with classes works beyond the contract's tiny preset."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from studio import zoo
from studio.engine.levels import TrainingExamples
from studio.engine.training import loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.training_run import TrainingRun

KINDS = zoo.glow.Glow(scales=2, depth=2, width=16, classes=2)


def test_a_glow_with_classes_is_trained_saved_and_resumed(tmp_path: Path, rings: np.ndarray) -> None:
    x = torch.from_numpy(rings).permute(0, 3, 1, 2)
    known = TrainingExamples(x, torch.arange(len(x)) % 2)
    config = TrainingConfig(
        name="kinds",
        title="Kinds",
        subject="Rings",
        training_data="160 rings",
        licence="CC0 1.0",
        shape=(3, 8, 8),
        recipe=KINDS,
        plan=TrainingPlan(steps=4, batch=16, evaluate_every=2),
    )
    run = TrainingRun(config, tmp_path, torch.device("cpu"))
    moments = [
        moment
        for moment in loop.train_run(run, known.select(slice(128)), known.select(slice(128, None)), bf16=False)
        if moment
    ]
    assert moments[-1].step == 4
    longer = msgspec.structs.replace(config, plan=msgspec.structs.replace(config.plan, steps=6))
    again = TrainingRun(longer, tmp_path, torch.device("cpu"))
    assert again.progress.step == 4
    for name, tensor in again.model.state_dict().items():
        assert torch.equal(tensor, run.model.state_dict()[name]), name


@torch.no_grad()
@pytest.mark.parametrize(("coupling", "log_det"), [("additive", 0.0), ("affine", 2 * math.log(1 / (1 + math.exp(-2))))])
def test_an_affine_coupling_scales_and_an_additive_one_only_shifts(coupling: str, log_det: float) -> None:
    """Before it learns, an affine coupling multiplies two of the four channels by sigmoid(0 + 2)."""
    recipe = msgspec.convert({"scales": 1, "depth": 1, "width": 4, "coupling": coupling}, zoo.glow.Glow)
    model = recipe.build((1, 2, 2)).double().eval()
    found = model.bijection(torch.tensor([[[[0.1, 0.2], [0.3, 0.4]]]], dtype=torch.float64), None)[1]
    assert float(found[0]) == pytest.approx(log_det, abs=1e-6)
