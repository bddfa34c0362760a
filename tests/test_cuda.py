"""A graphics card gives the results of the processor. The tests are skipped without a card."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.density.autoregressive_sound import AutoregressiveSound
from studio.density.model import Model
from studio.engine import errors
from studio.engine.device import choose_device
from studio.engine.generation import sampling
from studio.engine.levels import TrainingExamples
from studio.engine.training import loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from studio.library import models
from tests.trained_file import write_trained_model

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA on this machine")

CARD = torch.device("cuda")
SHAPES = {"wavenet": (400,)}


@pytest.fixture(autouse=True, scope="module")
def chosen() -> None:
    choose_device("cuda")


def made(family: str) -> Model:
    """Return a model of the tiny preset as after some training, in float32 on the processor."""
    torch.manual_seed(1)
    shape = SHAPES.get(family, (1, 8, 8))
    model = zoo.FAMILIES[family].presets["tiny"].build(shape)
    with torch.no_grad():
        model.loss(artworks(model, 32))
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def artworks(model: Model, count: int) -> Tensor:
    stream = torch.Generator().manual_seed(0)
    return torch.randint(0, model.levels, (count, *model.shape), generator=stream, dtype=torch.uint8)


@torch.no_grad()
@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_bits_equal_those_of_the_processor_and_artworks_decode_back(family: str) -> None:
    model = made(family)
    x = artworks(model, 4)
    there = copy.deepcopy(model).to(CARD)
    assert torch.allclose(there.log_prob(x.to(CARD)).cpu(), model.log_prob(x), rtol=1e-4)
    assert torch.equal(there.noise([3, 4]).cpu(), model.noise([3, 4]))
    if model.invertible:
        assert torch.equal(there.decode(there.encode(x.to(CARD))).cpu(), x)


@torch.no_grad()
@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_a_seed_is_the_same_artwork_in_any_batch(family: str) -> None:
    there = made(family).to(CARD)
    together = there.sample(range(6))
    apart = torch.cat([there.sample([seed]) for seed in range(6)])
    assert (together.int() - apart.int()).abs().max() <= 1  # a card adds up in another order for another batch
    assert (together != apart).float().mean() < 0.01


@torch.no_grad()
def test_a_sound_equals_the_processors_to_the_last_sample() -> None:
    model = made("wavenet")
    there = copy.deepcopy(model).to(CARD)
    assert isinstance(model, AutoregressiveSound)
    assert isinstance(there, AutoregressiveSound)
    assert torch.equal(there.sample([1, 2]).cpu(), model.sample([1, 2]))
    begin = artworks(model, 1)[:, :150]
    players = [each.make_sampler(None, 1) for each in (model, there)]
    for each, device in zip(players, ("cpu", "cuda"), strict=True):
        each.append(begin.to(device))
    z = model.noise([5], 200)
    heat = torch.full((1, 200), 0.8)
    here, far = (
        each.sample(z.to(device), heat.to(device)) for each, device in zip(players, ("cpu", "cuda"), strict=True)
    )
    assert far.device.type == "cuda"
    assert (far.cpu() != here).float().mean() < 0.05  # what was heard was added up in another order


@pytest.mark.parametrize("bf16", [False, True], ids=["float32", "bf16"])
@pytest.mark.parametrize("family", zoo.FAMILIES)
def test_a_run_trains_and_is_exported(family: str, bf16: bool, tmp_path: Path) -> None:
    rate = 8000 if family == "wavenet" else 0
    config = TrainingConfig(
        name="learned", title="Learned", subject="Dots", training_data="dots", licence="CC0 1.0",
        shape=SHAPES.get(family, (1, 8, 8)), sample_rate=rate, recipe=zoo.FAMILIES[family].presets["tiny"],
        plan=TrainingPlan(steps=12, batch=16, cut_samples=128, evaluate_every=6, warm_up=2, learning_rate=0.002),
    )  # fmt: skip
    run = TrainingRun(config, tmp_path / "run", CARD)
    x = artworks(run.model, 64) // 64 * 16
    learn: TrainingExamples | TrainingRecordings = TrainingRecordings(tuple(x)) if rate else TrainingExamples(x)
    test = learn.select(slice(8))
    moments = [moment for moment in loop.train_run(run, learn, test, bf16=bf16) if moment]
    assert not any(moment.notice for moment in moments)
    losses = [held for _, _, held in run.progress.loss_curve if held is not None]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    resumed = TrainingRun(config, tmp_path / "run", CARD)
    assert resumed.progress.step == 12
    card = write_trained_model(tmp_path / "learned.safetensors", resumed, learn, test, test)
    assert np.isfinite(card.value)
    loaded = sampling.load_model(models.find_model(str(tmp_path / "learned.safetensors")), CARD)
    assert loaded.model.sample([1]).device.type == "cuda"


def test_a_full_card_is_recognised_and_can_still_be_used() -> None:
    with pytest.raises(torch.OutOfMemoryError) as caught:
        torch.empty(2**46, dtype=torch.uint8, device=CARD)
    assert errors.is_out_of_memory(caught.value)
    assert not errors.is_device_lost(caught.value)
    assert float(torch.ones(1, device=CARD) + 1) == 2
