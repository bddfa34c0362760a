"""Numbers that are not finite cost a step, or the steps since the last save. They are never saved."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from studio.engine.training.training_run import TrainingRun
from tests.engine.training.tiny_run import (
    WITH_STATISTICS,
    make_config,
    make_pictures,
    new_run,
    train,
    training_steps,
    weights,
)

NAN = float("nan")
Plant = Callable[[TrainingRun], None]


def next_loss(run: TrainingRun, change: Callable[[Callable[..., Tensor], Tensor], Tensor]) -> None:
    """Let the next loss be computed in another way, and all after it as before."""
    loss = run.model.loss

    def once(x: Tensor, c: Tensor | None = None) -> Tensor:
        run.model.loss = loss  # type: ignore[method-assign]
        return change(loss, x)

    run.model.loss = once  # type: ignore[method-assign]


def plant_in_loss(run: TrainingRun) -> None:
    next_loss(run, lambda loss, x: loss(x) * NAN)


def plant_in_gradient(run: TrainingRun) -> None:
    weight = next(run.model.parameters())
    handle = weight.register_hook(lambda gradient: (handle.remove(), gradient * NAN)[1])


def plant_in_batch(run: TrainingRun) -> None:
    next_loss(run, lambda loss, x: loss(x * NAN))


def plant_in_weight(run: TrainingRun) -> None:
    next(run.model.parameters()).data.view(-1)[0] = NAN


def plant_in_average(run: TrainingRun) -> None:
    next(run.average.parameters()).data.view(-1)[0] = float("inf")


def plant_in_optimiser(run: TrainingRun) -> None:
    next(iter(run.optimiser.state.values()))["exp_avg"].view(-1)[0] = NAN


PLANTS = (plant_in_loss, plant_in_gradient, plant_in_batch, plant_in_weight, plant_in_average, plant_in_optimiser)


@pytest.mark.parametrize("plant", PLANTS)
def test_a_run_recovers_from_a_number_that_is_not_finite(plant: Plant, tmp_path: Path) -> None:
    run = new_run(tmp_path, make_config(WITH_STATISTICS, steps=12, evaluate_every=4, save_every_seconds=1e-9))
    step_of_fault = random.Random(plant.__name__).randrange(2, 11)
    is_planted = False
    notices = []
    files: dict[str, bytes] = {}
    for result in training_steps(run, make_pictures()):
        if not is_planted and run.progress.step == step_of_fault:
            plant(run)
            is_planted = True
        for path in (tmp_path / "checkpoints").glob("*.safetensors"):
            files.setdefault(path.name, path.read_bytes())
        notices += [result.notice] if getattr(result, "notice", "") else []
    assert run.progress.step == 12 and bool(weights(run).isfinite().all())
    assert all(bool(buffer.isfinite().all()) for buffer in run.model.buffers() if buffer.is_floating_point())
    assert notices, "the user is notified"
    assert run.progress.loss_curve[-1][2] is not None, "the last figure is finite"
    for name, data in files.items():
        assert all(bool(t.isfinite().all()) for t in load(data).values() if t.is_floating_point()), name


def test_a_batch_of_broken_numbers_leaves_the_statistics_of_batch_norm_alone(tmp_path: Path) -> None:
    x = make_pictures()
    run = new_run(tmp_path, make_config(WITH_STATISTICS, steps=4, evaluate_every=4))
    steps = training_steps(run, x)
    next(steps)
    before = [buffer.clone() for buffer in run.model.buffers()]
    plant_in_batch(run)
    next(steps)
    assert all(torch.equal(a, b) for a, b in zip(before, run.model.buffers(), strict=True))
    steps.close()


def test_a_run_whose_weights_break_while_it_is_closed_keeps_its_last_save(tmp_path: Path) -> None:
    x = make_pictures()
    run = new_run(tmp_path, make_config(steps=20, save_every_seconds=1e9))
    steps = training_steps(run, x)
    for _ in range(3):
        next(steps)
    plant_in_weight(run)
    steps.close()
    again = new_run(tmp_path, make_config(steps=20))
    assert again.resumed and bool(weights(again).isfinite().all())
    assert train(again, x)[0][-1].step == 20
