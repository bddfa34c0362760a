"""A training can begin with a trained model: it then starts with the same map, at step 0."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio import zoo
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, loop, model_export
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_from_model
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from studio.library import models
from tests.trained_file import write_trained_model

CPU = torch.device("cpu")
PICTURES: dict[str, Any] = {
    "glow": zoo.glow.Glow(scales=2, depth=1, width=8),
    "realnvp": zoo.realnvp.RealNVP(scales=2, width=8, blocks=1),
    "pixelcnn_pp": zoo.pixelcnn_pp.PixelCNNPP(filters=8, resnets=1, mixture=2, dropout=0.0),
    "gated_pixelcnn": zoo.gated_pixelcnn.GatedPixelCNN(width=8, layers=2, size=3, head=8),
    "maf": zoo.maf.MAF(layers=2, hidden=(8,)),
}


def _config(recipe: Any, shape: tuple[int, ...] = (3, 8, 8), rate: int = 0) -> TrainingConfig:
    return TrainingConfig(
        name="first", title="First", subject="Rings", training_data="rings", licence="CC0 1.0", shape=shape,
        sample_rate=rate, recipe=recipe, plan=TrainingPlan(steps=4, batch=8, warm_up=0, cut_samples=100),
    )  # fmt: skip


def _train(folder: Path, study: TrainingConfig, data: Any, start: Any = None) -> TrainingRun:
    run = TrainingRun(study, folder, CPU, start)
    for _ in loop.train_run(run, data, data.select(slice(4)), bf16=False):
        continue
    return run


@pytest.mark.parametrize("family", PICTURES)
def test_a_new_run_begins_with_the_map_of_a_trained_model(tmp_path: Path, rings: np.ndarray, family: str) -> None:
    x = TrainingExamples(torch.from_numpy(rings[:32]).permute(0, 3, 1, 2))
    first = _train(tmp_path / "first", _config(PICTURES[family]), x)
    path = tmp_path / "first.safetensors"
    write_trained_model(path, first, x, x.select(slice(4)), x.select(slice(4)))
    weights, _ = checkpoint.open_model(models.read_model(path))

    second = TrainingRun(_config(PICTURES[family]), tmp_path / "second", CPU, weights)
    assert second.progress.step == 0
    wanted = model_export._best_model(first)
    torch.manual_seed(0)
    u = torch.rand(4, 3, 8, 8)
    extra = (None, u) if family in ("glow", "realnvp", "maf") else ()
    expected = wanted.log_prob(x.x[:4], *extra)
    found = second.model.eval().log_prob(x.x[:4], *extra)
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=0.5)  # the file has half floats

    loss = _train(tmp_path / "second", _config(PICTURES[family]), x, weights).progress.loss_curve[0][1]
    fresh = _train(tmp_path / "fresh", _config(PICTURES[family]), x).progress.loss_curve[0][1]
    assert loss != fresh, "the first batch initialised the weights again"


def test_recordings_can_start_from_a_model_too(tmp_path: Path) -> None:
    recipe = zoo.wavenet.WaveNet(cycles=1, layers=3, channels=8, skip=8)
    waves = [(torch.arange(400 + i) // 4 % 2 * 60 + 98).to(torch.uint8) for i in range(6)]
    sounds = TrainingRecordings(tuple(waves))
    first = _train(tmp_path / "first", _config(recipe, (500,), 8000), sounds)
    path = tmp_path / "first.safetensors"
    write_trained_model(path, first, sounds, sounds.select(slice(2)), sounds.select(slice(2)))
    weights, _ = checkpoint.open_model(models.read_model(path))
    second = TrainingRun(_config(recipe, (500,), 8000), tmp_path / "second", CPU, weights)
    x = waves[0][None]
    torch.testing.assert_close(
        second.model.eval().log_prob(x), model_export._best_model(first).log_prob(x), rtol=2e-3, atol=0.5
    )


def test_a_model_of_another_shape_is_refused_with_a_sentence(tmp_path: Path, trained_file: Path) -> None:
    weights, _ = checkpoint.open_model(models.read_model(trained_file))
    with pytest.raises(BadTrainingConfig, match="Choose another model"):
        TrainingRun(_config(PICTURES["realnvp"], (1, 8, 8)), tmp_path / "run", CPU, weights)


def test_the_card_tells_what_the_model_learned_before(trained_file: Path, tmp_path: Path) -> None:
    known = models.import_model(trained_file).card
    study = config_from_model("mine", tmp_path / "Sketches", known)
    assert study.training_data == f"Sketches, after {known.training_data}"
    assert study.licence == f"your own, after {known.licence}"
    assert (study.shape, zoo.recipe_from_fields(known.recipe)) == (known.shape, study.recipe)
    assert study.plan.learning_rate < TrainingPlan().learning_rate
