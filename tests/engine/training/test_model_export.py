"""A run is exported with its figure, directions, and statistics of its weights."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load

from studio import zoo
from studio.density.model import Model
from studio.engine.generation import latent_directions, sampling
from studio.engine.generation.sampling import ModelCache
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, evaluation, model_export
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.training_run import TrainingRun
from studio.library import models
from studio.nets.made import MADE
from tests.trained_file import write_trained_model


@pytest.fixture
def x(rings: np.ndarray) -> TrainingExamples:
    return TrainingExamples(torch.from_numpy(rings).permute(0, 3, 1, 2))


def test_the_figure_on_the_card_is_the_figure_of_the_file(tiny: str, x: TrainingExamples) -> None:
    loaded = ModelCache(torch.device("cpu")).get_model(tiny)
    measured = evaluation.bits_per_dimension(loaded.model, x.select(slice(144, None)), draws=4)
    assert loaded.card.value == pytest.approx(measured, abs=2e-3)
    assert loaded.card.parameters == sum(p.numel() for p in _whole(loaded).parameters())


def _whole(loaded: sampling.LoadedModel) -> torch.nn.Module:
    return zoo.recipe_from_fields(loaded.card.recipe).build(loaded.card.shape)


def test_the_card_says_how_long_each_of_sixteen_artworks_took(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(perf_counter=iter((1000.0, 1008.0)).__next__)
    monkeypatch.setattr(model_export, "time", clock)
    config = TrainingConfig(
        name="timed", title="Timed", subject="Noise", training_data="noise", licence="CC0 1.0", shape=(1, 4, 4),
        recipe=zoo.nice.NICE(depth=1, width=8), plan=TrainingPlan(steps=1),
    )  # fmt: skip
    cover, seconds = model_export.draw_cover(config.recipe.build(config.shape).eval(), config.temperature, ())
    assert cover.shape == (9, 4, 4, 1)
    assert seconds == 0.5


def test_convolutions_take_half_the_bytes_and_statistics_do_not(trained_file: Path) -> None:
    tensors = load(trained_file.read_bytes())
    kinds = {t.dtype for k, t in tensors.items() if k.startswith("weights.") and t.dim() == 4}
    assert kinds == {torch.float16}
    assert {t.dtype for k, t in tensors.items() if k.endswith(".var")} == {torch.float32}
    weights, found = checkpoint.open_model(trained_file.read_bytes())
    assert {t.dtype for t in weights.values() if t.is_floating_point()} == {torch.float32}
    assert found.dtype == torch.float32


def test_an_exported_file_passes_the_check_of_imported_files(trained_file: Path) -> None:
    assert models.read_model(trained_file) == trained_file.read_bytes()
    assert models.read_cover(trained_file).shape == (9, 8, 8, 3)


def test_a_direction_moves_the_artwork_along_its_principal_component(x: TrainingExamples) -> None:
    model = zoo.nice.NICE(depth=1, width=8, prior="normal").build((3, 8, 8)).double()  # linear until it has learned
    model.train()
    with torch.no_grad():
        model.loss(x.x)
        found = latent_directions.principal_directions(model.eval(), x)
        y = x.x.flatten(1).double() / 256
        _, spread, components = torch.linalg.svd(y - y.mean(0), full_matrices=False)
        z = model.encode(x.x[:1])
        moved = (model.bijection.inverse(z + found) - model.bijection.inverse(z)).flatten(1)
    lengths = spread[: len(found)] / len(x) ** 0.5
    assert torch.allclose(moved.norm(dim=1), lengths, rtol=1e-2), "1 is a standard deviation, and the strongest first"
    cosines = (moved[:3] * components[:3]).sum(1) / moved[:3].norm(dim=1)
    assert float(cosines.abs().min()) > 0.99


def test_directions_are_the_same_each_time(tiny: str, x: TrainingExamples) -> None:
    model = ModelCache(torch.device("cpu")).get_model(tiny).model
    torch.manual_seed(1)
    first = latent_directions.principal_directions(model, x)
    torch.manual_seed(2)
    assert torch.equal(latent_directions.principal_directions(model, x), first)


def test_updated_batch_norms_have_the_weights_own_statistics(x: TrainingExamples) -> None:
    torch.manual_seed(0)
    model = zoo.realnvp.RealNVP(scales=2, width=4, blocks=1).build((3, 8, 8))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    model.eval()
    before = evaluation.bits_per_dimension(model, x)
    evaluation.update_batch_norm(model, x)
    after = evaluation.bits_per_dimension(model, x)
    model.train()
    with torch.no_grad():
        in_training = float(-model.log_prob(x.x).mean() / (math.log(2) * 192))
    assert abs(after - in_training) < abs(before - in_training) / 5


def test_scores_are_means_over_draws_and_repeatable(tiny: str, x: TrainingExamples) -> None:
    model = ModelCache(torch.device("cpu")).get_model(tiny).model
    once = evaluation.bits_of_each(model, x.select(slice(8)), draws=4)
    assert torch.equal(once, evaluation.bits_of_each(model, x.select(slice(8)), draws=4))
    assert once.shape == (8,)
    assert not torch.equal(once, evaluation.bits_of_each(model, x.select(slice(8)), draws=1))


def large(model: Model, kind: int) -> None:
    """Give the outputs of one class numbers that half floats cannot tell apart."""
    with torch.no_grad():
        for part in model.modules():
            if isinstance(part, MADE):
                assert part.kinds is not None
                part.kinds[kind] = 20_010.0  # halves have steps of 16 there
                part.weights[-part.counts[-1] :] = 0.01


class Halves(NamedTuple):
    """Holds a run of a model with two classes, and artworks of them."""

    run: TrainingRun
    x: torch.Tensor
    """(40, 1, 4, 4)."""
    learn: TrainingExamples
    path: Path
    """The path of the exported model."""


@pytest.fixture
def halves(tmp_path: Path) -> Halves:
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (40, 1, 4, 4)).astype(np.uint8))
    config = TrainingConfig(
        name="halves",
        title="Halves",
        subject="Noise",
        training_data="noise",
        licence="CC0 1.0",
        shape=(1, 4, 4),
        recipe=zoo.maf.MAF(layers=1, hidden=(8,), classes=2, batch_norm=False, alpha=0.05),
        plan=TrainingPlan(steps=1),
    )
    run = TrainingRun(config, tmp_path / "run", torch.device("cpu"))
    return Halves(run, x, TrainingExamples(x, torch.arange(40) % 2), tmp_path / "halves.safetensors")


@pytest.mark.parametrize("spoiled", [0, 1])
def test_validation_artworks_decide_about_half_floats(spoiled: int, halves: Halves) -> None:
    """Half floats change the prices of one class. Watched artworks have class 0, those of the test have class 1."""
    large(halves.run.average, spoiled)
    watch = TrainingExamples(halves.x[:8], torch.zeros(8, dtype=torch.long))
    test = TrainingExamples(halves.x[8:16], torch.ones(8, dtype=torch.long))
    write_trained_model(halves.path, halves.run, halves.learn, watch, test, ("0", "1"))
    tensors = load(halves.path.read_bytes())
    kinds = {tensor.dtype for name, tensor in tensors.items() if name.endswith(".kinds")}
    assert kinds == {torch.float32 if spoiled == 0 else torch.float16}


def test_weights_beyond_half_floats_stay_floats(halves: Halves) -> None:
    """Half floats end at 65,504. A file with infinite weights could not be opened."""
    with torch.no_grad():
        for part in halves.run.average.modules():
            if isinstance(part, MADE) and part.kinds is not None:
                part.kinds[1] = -1e6  # no watched artwork has this class; its units are off
    seen = TrainingExamples(halves.x[:8], torch.zeros(8, dtype=torch.long))
    write_trained_model(halves.path, halves.run, halves.learn, seen, seen, ("0", "1"))
    assert models.read_model(halves.path)
    assert sampling.load_model(models.find_model(str(halves.path)), torch.device("cpu")).card.name == "halves"


def test_a_model_with_figures_that_are_not_finite_is_not_exported(tmp_path: Path, x: TrainingExamples) -> None:
    config = TrainingConfig(
        name="wild", title="Wild", subject="Noise", training_data="noise", licence="CC0 1.0", shape=(3, 8, 8),
        recipe=zoo.nice.NICE(depth=1, width=8), plan=TrainingPlan(steps=1),
    )  # fmt: skip
    run = TrainingRun(config, tmp_path / "run", torch.device("cpu"))
    with torch.no_grad():
        for parameter in run.average.parameters():
            parameter.fill_(1e30)
    with pytest.raises(model_export.FiguresNotFinite, match="no finite bits"):
        write_trained_model(tmp_path / "wild.safetensors", run, x, x, x)
    assert not (tmp_path / "wild.safetensors").exists()
