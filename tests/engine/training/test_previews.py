"""Tests that samples of a training are compared with what it learns from, and that copies are noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from studio import zoo
from studio.density.flow import Flow
from studio.density.model import DecodingStep
from studio.engine.device import ComputeDevice
from studio.engine.jobs import JobStarter
from studio.engine.training.config import TrainingConfig, TrainingPlan, config_to_dict
from studio.library import runs
from studio.library.runs import ComparedSamples
from studio.wire import messages as wire

CPU = ComputeDevice(torch.device("cpu"), "Processor", 1, has_bf16=False)
SEEDS = tuple(range(1, 11))


@pytest.fixture
def folder(tmp_path: Path, rings: np.ndarray) -> Path:
    source = tmp_path / "rings"
    source.mkdir()
    for number, ring in enumerate(rings[:24]):
        Image.fromarray(ring).save(source / f"{number}.png")
    return source


def train(source: Path, run_folder: Path) -> list[wire.AnyEvent]:
    config = TrainingConfig(
        name="rings", title="Rings", subject="Rings", training_data="rings", licence="CC0 1.0", shape=(3, 8, 8),
        recipe=zoo.glow.Glow(depth=1, width=8), plan=TrainingPlan(steps=3, batch=8, evaluate_every=3),
    )  # fmt: skip
    command = wire.Train(
        job="t", source=str(source), run_folder=str(run_folder), config=config_to_dict(config), sample_seeds=SEEDS
    )
    return [event for event in JobStarter(CPU).start(command) if isinstance(event, wire.Answer)]  # type: ignore[misc]


def copied(events: list[wire.AnyEvent]) -> list[bool]:
    """Return for the newest samples whether each is a copy."""
    newest = [event for event in events if isinstance(event, wire.SamplesCompared)][-1]
    return list(ComparedSamples(newest.step, newest.samples, newest.nearest, newest.distances).copied)


def test_a_model_that_draws_what_it_learned_is_noticed(
    folder: Path, studio_home: Path, rings: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw_learned(model: Flow, seeds: Any, *_: object, **__: object) -> Iterator[DecodingStep]:
        x = torch.from_numpy(rings[: len(seeds)].copy()).permute(0, 3, 1, 2)
        yield DecodingStep(x, len(seeds), len(seeds))

    monkeypatch.setattr(Flow, "sample_steps", draw_learned)
    events = train(folder, studio_home / "runs" / "rings")
    found = copied(events)
    assert len(found) == 10 and sum(found) >= 8, "those of the ten that are not held out"


def test_an_honest_model_copies_nothing_and_its_samples_are_kept(folder: Path, studio_home: Path) -> None:
    run_folder = studio_home / "runs" / "rings"
    events = train(folder, run_folder)
    assert not any(copied(events))
    newest = [event for event in events if isinstance(event, wire.SamplesCompared)][-1]
    drawn = [event for event in events if isinstance(event, wire.TrainingSamples)]
    assert [len(event.artworks) for event in drawn] == [3] * len(drawn), "the timeline keeps three"
    assert len(newest.samples) == len(newest.nearest) == 10
    np.testing.assert_array_equal(newest.samples[:3], drawn[-1].artworks)
    kept = runs.read_compared(run_folder)
    assert kept is not None and kept.step == newest.step == 3 and kept.distances == newest.distances
    np.testing.assert_array_equal(kept.nearest, newest.nearest)
    files = {Image.open(path).tobytes() for path in folder.iterdir()}
    assert {picture.tobytes() for picture in newest.nearest} <= files
