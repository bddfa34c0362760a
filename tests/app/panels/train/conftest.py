"""Gives the tests a panel with a false engine, a folder to learn from, and a finished run."""

import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from studio.app.app_state import AppState
from tests.app.fake_engine import FakeEngine
from tests.app.panels.train.bench import TrainBench


@pytest.fixture
def bench(window: AppState, engine: FakeEngine) -> TrainBench:
    """Return the panel's state with an engine that is ready, and that the test answers for."""
    engine.status_changed.emit("Ready")
    return TrainBench(window, engine)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder."""
    source = tmp_path / "garden"
    source.mkdir()
    return source


@pytest.fixture
def finished_run(studio_home: Path) -> Path:
    """Return the folder of a run of 30 steps, with one checkpoint and samples."""
    folder = studio_home / "runs" / "old"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "samples").mkdir()
    config = {"name": "old", "title": "Old", "shape": [3, 8, 8], "recipe": {"family": "glow"}, "plan": {"steps": 90}}
    (folder / "study.json").write_text(json.dumps(config))
    curve = [[10, 7.0, 7.5], [20, 6.0, 6.5], [30, 5.5, 6.75]]
    state = {"step": 30, "progress": {"step": 30, "seconds": 12.0, "loss_curve": curve}}
    data = safetensors.numpy.save({"a": np.zeros(2, np.float32)}, {"state": json.dumps(state)})
    (folder / "checkpoints" / "step-00000030.safetensors").write_bytes(data)
    pictures = np.full((3, 8, 8, 3), 50, np.uint8)
    (folder / "samples" / "00000010.safetensors").write_bytes(
        safetensors.numpy.save({"artworks": pictures}, {"seconds": "4.0"})
    )
    return folder
