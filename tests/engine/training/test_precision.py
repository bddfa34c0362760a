"""Training works in bfloat16, and on a device that has no float64."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from studio import zoo
from studio.engine.training import evaluation, loop
from studio.engine.training.config import TrainingConfig, TrainingPlan
from studio.engine.training.recordings import TrainingRecordings
from studio.engine.training.training_run import TrainingRun
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, train


def test_bfloat16_reaches_the_figure_of_float32_after_equal_steps(tmp_path: Path) -> None:
    x = make_pictures()
    config = make_config(zoo.glow.PRESETS["tiny"], steps=40, evaluate_every=40, learning_rate=0.002)
    found = {}
    for bf16 in (False, True):
        run = TrainingRun(config, tmp_path / str(bf16), torch.device("cpu"))
        for _ in loop.train_run(run, x.select(slice(128)), x.select(slice(128, None)), bf16=bf16):
            continue
        found[bf16] = run.progress
        assert all(weight.dtype == torch.float32 for weight in run.model.parameters())
    assert found[True].best_held_out == pytest.approx(found[False].best_held_out, abs=0.01)
    losses = [[point[1] for point in progress.loss_curve] for progress in found.values()]
    assert losses[0] != losses[1], "it was really computed in bfloat16"


class NoFloat64(TorchFunctionMode):
    """Refuses float64 as Apple's GPU does, except for tensors that were copied to the processor.

    `to_float64` copies tensors of that GPU to the processor, which it requests by the device.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        if function is Tensor.cpu:
            found = found.clone()
            found.is_on_processor = True
        is_wide = function is Tensor.double or (function is Tensor.to and args[1:] == (torch.float64,))
        if is_wide and not getattr(args[0], "is_on_processor", False):
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't support it.")
        return found


def test_pictures_are_learned_and_measured_without_float64(tmp_path: Path) -> None:
    x = make_pictures()
    expected, _ = train(new_run(tmp_path / "with", make_config(steps=4, evaluate_every=4)), x)
    run = new_run(tmp_path / "without", make_config(steps=4, evaluate_every=4))
    with NoFloat64():
        found, _ = train(run, x)
        figures = evaluation.measure_figures(run.average, x.select(slice(20)))
    assert found[-1].held_out == expected[-1].held_out and figures[0][1] > 0


def test_recordings_are_learned_and_measured_without_float64(tmp_path: Path) -> None:
    config = TrainingConfig(
        name="beeps", title="Beeps", subject="Beeps", training_data="beeps", licence="CC0 1.0", shape=(500,),
        sample_rate=8000, recipe=zoo.wavenet.WaveNet(cycles=1, layers=4, channels=8, skip=8),
        plan=TrainingPlan(steps=2, batch=2, cut_samples=200, evaluate_every=2, warm_up=0),
    )  # fmt: skip
    sounds = TrainingRecordings(tuple((torch.arange(400) % (60 + i) + 80).to(torch.uint8) for i in range(4)))
    figures = []
    for name in ("with", "without"):
        run = TrainingRun(config, tmp_path / name, torch.device("cpu"))
        with NoFloat64() if name == "without" else contextlib.nullcontext():
            for _ in loop.train_run(run, sounds, sounds.select(slice(2)), bf16=False):
                continue
        figures.append(run.progress.best_held_out)
    assert figures[0] == figures[1]
