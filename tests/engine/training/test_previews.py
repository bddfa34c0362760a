"""Tests that samples of a training are compared with what it learns from, and that copies are noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
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
from studio.engine.training.previews import RunPreviews
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


def limit_samples(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Let memory run out in the middle of drawing more than `most` artworks at a time."""
    draw = Flow.sample_steps

    def limited(model: Flow, seeds: Any, *others: Any, **named: Any) -> Iterator[DecodingStep]:
        steps = draw(model, seeds, *others, **named)
        yield next(steps)
        if len(seeds) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        yield from steps

    monkeypatch.setattr(Flow, "sample_steps", limited)


def make_command(source: Path, run_folder: Path) -> wire.Train:
    config = TrainingConfig(
        name="rings", title="Rings", subject="Rings", training_data="rings", licence="CC0 1.0", shape=(3, 8, 8),
        recipe=zoo.glow.Glow(depth=1, width=8), plan=TrainingPlan(steps=3, batch=8, evaluate_every=3),
    )  # fmt: skip
    return wire.Train(
        job="t", source=str(source), run_folder=str(run_folder), config=config_to_dict(config), sample_seeds=SEEDS
    )


def train(source: Path, run_folder: Path) -> list[wire.AnyEvent]:
    command = make_command(source, run_folder)
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


def test_fewer_samples_are_drawn_at_a_time_if_memory_runs_out(
    folder: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(folder, studio_home / "runs" / "whole")
    limit_samples(monkeypatch, 2)
    events = train(folder, studio_home / "runs" / "rings")
    mine, others = ([e for e in each if isinstance(e, wire.SamplesCompared)][-1] for each in (events, whole))
    np.testing.assert_array_equal(mine.samples, others.samples)
    said = [event.text for event in events if isinstance(event, wire.Notice)]
    assert said.count("Memory ran out, so samples are drawn 2 at a time. They look the same.") == 1


def test_a_training_continues_without_samples_if_there_is_no_memory_for_one(
    folder: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunPreviews, "_steps", lambda *_: (_ for _ in ()).throw(MemoryError))
    events = train(folder, studio_home / "runs" / "rings")
    assert [event.is_final for event in events if isinstance(event, wire.ModelWritten)] == [True]
    drawn = [event for event in events if isinstance(event, wire.TrainingSamples)]
    assert drawn and all(len(event.artworks) == 0 for event in drawn), "the window waits for them"
    texts = [event.text for event in events if isinstance(event, wire.Notice)]
    assert "Memory ran out, so no samples were drawn this time. The training continues." in texts


def test_a_training_that_is_stopped_while_it_draws_is_saved(
    folder: Path, studio_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing: list[int] = []
    draw = Flow.sample_steps

    def noted(model: Flow, *others: Any, **named: Any) -> Iterator[DecodingStep]:
        for step in draw(model, *others, **named):
            drawing.append(step.done)
            yield step

    monkeypatch.setattr(Flow, "sample_steps", noted)
    run_folder = studio_home / "runs" / "rings"
    steps = JobStarter(CPU).start(make_command(folder, run_folder))
    assert next((True for _ in steps if drawing), False)
    steps.close()
    assert len(drawing) == 1, "it ends after the step at hand"
    run = runs.read_run(run_folder)
    assert run is not None and run.step == 1


def test_samples_can_be_drawn_once_at_the_end(folder: Path, studio_home: Path) -> None:
    command = make_command(folder, studio_home / "runs" / "rings")
    steps = JobStarter(CPU).start(msgspec.structs.replace(command, samples_at_end=True))
    compared = [(event.step, len(event.samples)) for event in steps if isinstance(event, wire.SamplesCompared)]
    assert compared == [(3, len(SEEDS))]
