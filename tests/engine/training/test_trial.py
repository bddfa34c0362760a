"""A training is prepared, measured here by trial steps, and steered while it learns."""

import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.levels import TrainingExamples
from studio.engine.training import trial
from studio.engine.training.config import BadTrainingConfig, TrainingConfig
from studio.engine.training.training_run import TrainingRun
from studio.library import models, runs
from studio.wire import messages as wire
from tests.limits import LIMIT

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)


@pytest.fixture
def folder(tmp_path: Path, rings: np.ndarray) -> Path:
    source = tmp_path / "rings"
    source.mkdir()
    for number, ring in enumerate(rings[:24]):
        Image.fromarray(ring).save(source / f"{number}.png")
    return source


def prepare(source: Path, **fields: object) -> list[wire.AnyEvent]:
    asked = {"family": "glow", "preset": "tiny", "shape": (3, 8, 8)} | fields
    command = wire.PrepareTraining(job="p", source=str(source), **asked)  # type: ignore[arg-type]
    return [event for event in JobStarter(CPU).start(command) if event is not None]  # type: ignore[misc]


def test_a_training_is_prepared_and_measured(folder: Path, studio_home: Path) -> None:
    prepared, cost = prepare(folder, recipe={"depth": 1}, plan={"steps": 7})
    assert isinstance(prepared, wire.TrainingPrepared) and isinstance(cost, wire.TrainingCost)
    study = msgspec.convert(prepared.config, TrainingConfig)
    assert (study.plan.steps, study.plan.patience > 0, prepared.config["recipe"]["depth"]) == (7, True, 1)
    assert "depth" in str(prepared.recipe_schema) and "steps" in str(prepared.plan_schema)
    model = study.recipe.build(study.shape, study.levels)
    count = sum(p.numel() for p in model.parameters())
    assert cost.parameters == count
    assert cost.step_seconds > 0 and trial.WEIGHT_COPIES * 4 * count < cost.memory < cost.free_memory
    assert cost.memory > 100_000_000, "even the smallest model takes that much, by the peak of the process"
    assert not (studio_home / "runs").exists(), "a trial leaves nothing"


def test_larger_models_cost_more(folder: Path, studio_home: Path) -> None:
    small, large = (prepare(folder, recipe={"width": width})[1] for width in (8, 64))
    assert isinstance(small, wire.TrainingCost) and isinstance(large, wire.TrainingCost)
    assert large.memory > small.memory and large.disk > small.disk and large.parameters > small.parameters


def test_a_model_that_does_not_fit_into_memory_is_not_tried(
    folder: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "free_memory", lambda device: 1000)
    cost = prepare(folder)[1]
    assert isinstance(cost, wire.TrainingCost) and cost.step_seconds == 0 and cost.memory > cost.free_memory


def test_the_first_step_is_not_the_measure(folder: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It initialises the model, which takes long on a busy computer."""
    now = [0.0]
    monkeypatch.setattr(trial.time, "perf_counter", lambda: now[0])

    def train_step(run: TrainingRun, examples: TrainingExamples, *, bf16: bool) -> str:
        now[0] += 0.5 * len(examples.x) if now[0] else 20.0
        return ""

    monkeypatch.setattr(trial, "train_step", train_step)
    cost = prepare(folder, plan={"batch": 16})[1]
    assert isinstance(cost, wire.TrainingCost) and cost.step_seconds == pytest.approx(8.0)


def test_a_setting_out_of_its_range_is_refused_by_name(folder: Path, studio_home: Path) -> None:
    with pytest.raises(BadTrainingConfig, match="batch"):
        prepare(folder, plan={"batch": 1})


@pytest.mark.parametrize("family", ["glow", "pixelcnn_pp"])
def test_classes_and_options_are_prepared_and_measured(folder: Path, studio_home: Path, family: str) -> None:
    for number, file in enumerate(sorted(folder.iterdir())):
        kind = folder / ("roses", "tulips", "ivy")[number % 3]
        kind.mkdir(exist_ok=True)
        file.rename(kind / file.name)
    options = {"preparation": {"folders_as_classes": True, "fitting": "pad"}, "augmentation": {"shift": 1}}
    prepared, cost = prepare(folder, family=family, **options)
    assert isinstance(prepared, wire.TrainingPrepared) and isinstance(cost, wire.TrainingCost)
    study = msgspec.convert(prepared.config, TrainingConfig)
    assert (study.preparation.fitting, study.augmentation.shift) == ("pad", 1)
    assert prepared.config["recipe"]["classes"] == 3
    assert cost.step_seconds > 0, "a step was tried with classes"
    with pytest.raises(BadTrainingConfig, match="NICE has no classes"):
        prepare(folder, family="nice", **options)
    with pytest.raises(BadTrainingConfig, match="shift"):
        prepare(folder, family=family, augmentation={"shift": 99})


def test_a_run_that_learns_can_be_asked_for_samples_its_model_and_its_end(folder: Path, studio_home: Path) -> None:
    prepared = prepare(folder, recipe={"depth": 1, "width": 8}, plan={"steps": 500, "evaluate_every": 100})[0]
    assert isinstance(prepared, wire.TrainingPrepared)
    starter = JobStarter(CPU)
    config = {**prepared.config, "name": "rings", "title": "Rings"}
    run_folder = studio_home / "runs" / "rings"
    train = wire.Train(
        job="t", source=str(folder), run_folder=str(run_folder), config=config, sample_seeds=(1, 2), output_folder=""
    )
    seen: list[wire.AnyEvent] = []
    asked = iter(("sample", "publish", "finish"))
    for event in starter.start(train):
        if event is None or not isinstance(event, msgspec.Struct):
            continue
        seen.append(event)  # type: ignore[arg-type]
        if isinstance(event, wire.TrainingSamples | wire.ModelWritten) and (action := next(asked, None)):
            list(starter.start(wire.SteerTraining(job="s", running_job="t", action=action)))  # type: ignore[arg-type]
    samples = [event for event in seen if isinstance(event, wire.TrainingSamples)]
    written = [event for event in seen if isinstance(event, wire.ModelWritten)]
    assert samples[0].step == 1 and samples[0].artworks.shape == (2, 8, 8, 3)
    assert [event.is_final for event in written] == [False, True]
    last = [event for event in seen if isinstance(event, wire.TrainingProgress)][-1]
    assert 1 < last.step < 500 and last.held_out is not None and last.seconds_left == 0

    (run,) = runs.list_runs()
    assert (run.config.title, run.step, run.source) == ("Rings", last.step, str(folder))
    assert run.outcome is not None and run.curve[-1][2] == last.held_out
    kept = runs.read_samples(run.folder)
    assert [one.step for one in kept] == sorted({event.step for event in samples})
    np.testing.assert_array_equal(kept[0].artworks, samples[0].artworks)
    assert models.find_model("rings").card.steps == last.step


def test_the_last_step_is_drawn_once(folder: Path, studio_home: Path) -> None:
    prepared = prepare(folder, recipe={"depth": 1, "width": 8}, plan={"steps": 1})[0]
    assert isinstance(prepared, wire.TrainingPrepared)
    config = {**prepared.config, "name": "rings", "title": "Rings"}
    train = wire.Train(
        job="t", source=str(folder), run_folder=str(studio_home / "runs" / "rings"), config=config, sample_seeds=(1,)
    )
    events = list(JobStarter(CPU).start(train))
    assert [event.step for event in events if isinstance(event, wire.TrainingSamples)] == [1]


def test_an_answer_to_a_training_that_ended_does_nothing() -> None:
    assert list(JobStarter(CPU).start(wire.SteerTraining(job="s", running_job="gone", action="finish"))) == []


PROGRAM = """
import sys
import torch
from studio.engine.device import ComputeDevice, keep_freed_memory, used_memory
from studio.engine.jobs import JobStarter
from studio.wire import messages as wire
from tests.limits import LIMIT

if not keep_freed_memory() or used_memory(torch.device("cpu")) is None:
    sys.exit(77)
torch.set_num_threads(1)
source, run_folder = sys.argv[1:]
jobs = JobStarter(ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False))
idle = used_memory(torch.device("cpu"))
ask = wire.PrepareTraining(
    job="p", source=source, family="glow", preset="tiny", shape=(3, 8, 8), recipe={"width": 64}, plan={"steps": 3}
)
prepared, cost = (e for e in jobs.start(ask) if isinstance(e, wire.TrainingPrepared | wire.TrainingCost))
config = {**prepared.config, "name": "rings"}
for _ in jobs.start(
    wire.Train(job="t", source=source, run_folder=run_folder, config=config, sample_seeds=tuple(range(1, 17)))
):
    pass
print(cost.memory, used_memory(torch.device("cpu")) - idle)
"""


def test_the_memory_that_is_said_is_that_of_the_training(folder: Path, studio_home: Path) -> None:
    """The process keeps what it frees, so at its end it has what it needed at most."""
    words = [sys.executable, "-c", PROGRAM, str(folder), str(studio_home / "runs" / "rings")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT * 5)
    if done.returncode == 77:
        pytest.skip("this system does not say how much memory a process uses")
    assert done.returncode == 0, done.stderr
    said, real = map(int, done.stdout.split())
    assert said == pytest.approx(real, rel=0.2)
