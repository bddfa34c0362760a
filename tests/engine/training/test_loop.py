"""The loop trains, resumes as if nothing had happened, and never saves broken numbers."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor

from studio import zoo
from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, loop
from studio.engine.training.config import BadTrainingConfig, TrainingConfig, TrainingPlan, config_for_data
from studio.engine.training.loop import ProgressReport
from studio.engine.training.training_run import TrainingDiverged, TrainingRun
from tests.engine.training import tiny_run

make_config = partial(tiny_run.make_config, tiny_run.WITH_STATISTICS)


@pytest.fixture
def x(rings: np.ndarray) -> TrainingExamples:
    return TrainingExamples(torch.from_numpy(rings).permute(0, 3, 1, 2))


def learn(
    folder: Path, x: TrainingExamples, what: TrainingConfig, stop_at: int | None = None
) -> tuple[TrainingRun, list[ProgressReport]]:
    run = TrainingRun(what, folder, torch.device("cpu"))
    reports = []
    steps = loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False)
    for result in steps:
        if result is None:
            continue
        reports.append(result)
        if stop_at is not None and result.step >= stop_at:
            steps.close()
    return run, reports


def weights(run: TrainingRun) -> Tensor:
    return torch.cat([p.detach().flatten() for p in [*run.model.parameters(), *run.average.parameters()]])


def test_other_jobs_run_between_two_batches(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=5), tmp_path, torch.device("cpu"))
    steps = loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False)
    assert [run.progress.step for _ in steps] == [1, 2, 3, 4, 5]


def test_held_out_pictures_cost_fewer_bits_after_training(tmp_path: Path, x: TrainingExamples) -> None:
    run, reports = learn(tmp_path, x, make_config(steps=60, evaluate_every=20, learning_rate=0.01))
    measured = [m.held_out for m in reports if m.held_out is not None]
    assert len(measured) == 3
    assert measured[-1] < measured[0] - 0.1
    assert run.progress.best_held_out == min(measured)
    assert reports[-1].step == 60


def test_a_stopped_run_continues_bit_for_bit(
    tmp_path: Path, x: TrainingExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = learn(tmp_path / "whole", x, make_config())
    monkeypatch.setattr(loop.time, "monotonic", _clock())  # so that closing finds something to save
    learn(tmp_path / "parts", x, make_config(), stop_at=8)
    resumed, _ = learn(tmp_path / "parts", x, make_config())
    assert resumed.resumed
    assert torch.equal(weights(whole), weights(resumed))
    assert _measured(resumed) == _measured(whole)


def test_a_run_begun_with_earlier_keys_continues_bit_for_bit(
    tmp_path: Path, x: TrainingExamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = learn(tmp_path / "whole", x, make_config())
    monkeypatch.setattr(loop.time, "monotonic", _clock())
    learn(tmp_path / "parts", x, make_config(), stop_at=8)
    found = checkpoint.load_newest(tmp_path / "parts")
    assert found is not None
    tensors, state = found
    config, progress = state.pop("config"), state.pop("progress")
    for present, earlier in (("subject", "makes"), ("training_data", "learned_from"), ("sample_rate", "rate")):
        config[earlier] = config.pop(present)
    progress["best"] = progress.pop("best_held_out")
    progress["bad_in_a_row"] = progress.pop("failures_in_a_row")
    progress["data"] = progress.pop("data_fingerprint")
    progress["curve"] = progress.pop("loss_curve")
    checkpoint.add_checkpoint(tmp_path / "parts", tensors, {**state, "study": config, "progress": progress})
    resumed, _ = learn(tmp_path / "parts", x, make_config())
    assert resumed.resumed
    assert torch.equal(weights(whole), weights(resumed))
    assert _measured(resumed) == _measured(whole)


def _measured(run: TrainingRun) -> list[list[float]]:
    return [[step, loss, held_out] for step, loss, held_out in run.progress.loss_curve if held_out is not None]


def _clock() -> Callable[[], float]:
    now = iter(range(0, 10**6, 2))
    return lambda: float(next(now))


def test_a_run_stops_by_itself_if_it_gets_no_better_at_unseen_pictures(tmp_path: Path, x: TrainingExamples) -> None:
    hopeless = make_config(steps=400, evaluate_every=2, patience=3, learning_rate=1e-9, average_decay=0, mirror=False)
    run = TrainingRun(hopeless, tmp_path, torch.device("cpu"))
    figures = iter([5.0, 4.0, 4.5, 4.25, 4.125, 3.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.evaluation, "bits_per_dimension", lambda *_, **__: next(figures))
        steps = list(loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False))
    last = steps[-1]
    assert last is not None and last.step == run.progress.step == 10
    why = "It stopped by itself: 3 held-out figures in a row were no better."
    assert last.notice == f"{why} The best model is kept."
    assert last.seconds_left == 0
    assert [e.step for e in checkpoint.list_checkpoints(tmp_path) if e.best] == [4]


def test_a_run_without_patience_learns_to_its_last_step(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=12, evaluate_every=1), tmp_path, torch.device("cpu"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.evaluation, "bits_per_dimension", lambda *_, **__: 4.0)
        steps = list(loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False))
    assert len(steps) == 12


def test_the_users_own_artworks_are_learned_with_patience(tmp_path: Path) -> None:
    for shape, family, rate in (((3, 8, 8), "glow", 0), ((16_000,), "wavenet", 8000)):
        assert config_for_data("mine", tmp_path, family, "tiny", shape, rate).plan.patience > 0
    assert TrainingPlan().patience == 0, "the recipes of shipped models state their steps"


def test_a_run_that_is_asked_to_end_takes_one_more_step_and_saves(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=400), tmp_path, torch.device("cpu"))
    steps = []
    for result in loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False):
        steps.append(result)
        run.ends_early = len(steps) == 3
    assert run.progress.step == 4
    assert steps[-1] is not None and steps[-1].held_out is not None and steps[-1].seconds_left == 0
    assert checkpoint.list_checkpoints(tmp_path)[-1].step == 4


def test_a_run_is_not_resumed_with_other_settings(tmp_path: Path, x: TrainingExamples) -> None:
    learn(tmp_path, x, make_config(steps=2))
    other = msgspec.structs.replace(make_config(), recipe=zoo.realnvp.RealNVP(scales=1, width=8, blocks=1))
    with pytest.raises(BadTrainingConfig, match="started with other settings"):
        TrainingRun(other, tmp_path, torch.device("cpu"))


def test_a_batch_without_a_finite_loss_changes_nothing(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=2), tmp_path, torch.device("cpu"))
    before = weights(run)
    loss = run.model.loss
    run.model.loss = lambda *a: loss(*a) * float("nan")  # type: ignore[method-assign]
    reports = [
        result for result in loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False) if result
    ]
    assert torch.equal(weights(run), before)
    assert "was skipped" in reports[0].notice
    assert all(math.isfinite(m.loss) for m in reports), "every reported loss is finite"


def test_three_bad_steps_roll_back_to_the_last_save_with_half_the_rate(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=30), tmp_path, torch.device("cpu"))
    loss = run.model.loss
    calls = iter(range(1000))
    run.model.loss = lambda *a: loss(*a) * (float("nan") if next(calls) in (20, 21, 22) else 1)  # type: ignore[method-assign]
    reports = [
        result for result in loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False) if result
    ]
    assert run.progress.rate_scale == 0.5
    assert any("from the last save" in m.notice for m in reports)
    assert bool(torch.isfinite(weights(run)).all())


def test_a_run_that_never_has_a_finite_loss_fails_with_a_reason(tmp_path: Path, x: TrainingExamples) -> None:
    run = TrainingRun(make_config(steps=60), tmp_path, torch.device("cpu"))
    run.model.loss = lambda *a: torch.tensor(float("nan"), requires_grad=True)  # type: ignore[method-assign]
    with pytest.raises(TrainingDiverged, match="three rollbacks"):
        list(loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=False))
    assert checkpoint.load_newest(tmp_path) is not None


def test_a_flipped_bit_is_noticed_and_the_save_before_is_used(tmp_path: Path, x: TrainingExamples) -> None:
    run, _ = learn(tmp_path, x, make_config(steps=4))
    run.progress.step = 5
    run.save_checkpoint()
    listed = [e for e in checkpoint.list_checkpoints(tmp_path) if not e.best]
    newest = tmp_path / "checkpoints" / listed[-1].file
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    found = checkpoint.load_newest(tmp_path)
    assert found is not None
    assert found[1]["step"] == 4
    for entry in listed:
        (tmp_path / "checkpoints" / entry.file).write_bytes(b"")
    with pytest.raises(checkpoint.DamagedRun, match="None of the"):
        checkpoint.load_newest(tmp_path)


def test_three_checkpoints_and_the_best_are_kept(tmp_path: Path, x: TrainingExamples) -> None:
    run, _ = learn(tmp_path, x, make_config(steps=8))
    for step in range(9, 15):
        run.progress.step = step
        run.save_checkpoint()
    steps = [(e.step, e.best) for e in checkpoint.list_checkpoints(tmp_path)]
    assert steps == [(8, True), (12, False), (13, False), (14, False)]
    files = {p.name for p in (tmp_path / "checkpoints").iterdir()}
    assert files == {"manifest.json", *(e.file for e in checkpoint.list_checkpoints(tmp_path))}


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path, x: TrainingExamples) -> None:
    run, _ = learn(tmp_path, x, make_config(steps=2))
    next(run.model.parameters()).data[0] = float("inf")
    before = checkpoint.list_checkpoints(tmp_path)
    with pytest.raises(checkpoint.NotFiniteWeights, match="not finite"):
        run.save_checkpoint()
    assert checkpoint.list_checkpoints(tmp_path) == before


def test_every_epoch_sees_every_picture_once_in_an_order_of_its_own(x: TrainingExamples) -> None:
    numbered = TrainingExamples(torch.arange(128).view(-1, 1, 1, 1), torch.arange(128))
    plan = TrainingPlan(batch=16)
    batches = [[loop.batch_of_step(numbered, e * 8 + i, plan) for i in range(8)] for e in range(2)]
    assert all(torch.equal(batch.x.flatten(), batch.c) for epoch in batches for batch in epoch)
    epochs = [torch.cat([batch.x for batch in epoch]).flatten() for epoch in batches]
    assert sorted(epochs[0].tolist()) == list(range(128))
    assert sorted(epochs[1].tolist()) == list(range(128))
    assert not torch.equal(epochs[0], epochs[1])


def test_the_rate_warms_up_and_falls() -> None:
    plan = TrainingPlan(steps=1000, learning_rate=0.01, final_rate=0.1, warm_up=100)
    rates = [loop.learning_rate_at(step, plan, 1.0) for step in (0, 50, 100, 500, 999)]
    assert rates[0] == pytest.approx(0.0001)
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > rates[3] > rates[4]
    assert rates[4] == pytest.approx(0.001, rel=0.01)


def test_a_model_that_does_not_fit_its_artworks_is_refused(tmp_path: Path) -> None:
    odd = config_for_data("roses", tmp_path, "realnvp", "tiny", (3, 31, 31))
    with pytest.raises(BadTrainingConfig, match="cannot be halved"):
        TrainingRun(odd, tmp_path, torch.device("cpu"))
