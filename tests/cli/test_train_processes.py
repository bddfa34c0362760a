"""`studio train` in several processes, as `torchrun` starts them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from studio import cli
from studio.library import models, runs, storage
from tests.limits import LIMIT

ROOT = Path(__file__).parents[2]
STEPS = 40
RECIPE = {
    "name": "rings",
    "title": "Rings",
    "subject": "Rings",
    "training_data": "rings",
    "licence": "CC0 1.0",
    "shape": [3, 8, 8],
    "recipe": {"family": "realnvp", "scales": 1, "width": 4, "blocks": 1},
    "plan": {
        "steps": STEPS,
        "batch": 15,
        "evaluate_every": 10,
        "warm_up": 4,
        "mirror": True,
        "save_every_seconds": 0.001,
    },
}
"""Small, with statistics of its batches and a batch that two cannot halve."""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals to a single process")


@pytest.fixture
def arguments(rings: np.ndarray, tmp_path: Path) -> list[str]:
    """Return the arguments of a training."""
    np.savez(tmp_path / "rings.npz", train_x=rings[:120], test_x=rings[120:])
    (tmp_path / "recipe.json").write_bytes(msgspec.json.encode(RECIPE))
    return [
        "train",
        str(tmp_path / "rings.npz"),
        "--recipe",
        str(tmp_path / "recipe.json"),
        "--json",
        "--device",
        "cpu",
    ]


def test_two_processes_follow_the_curve_of_one_even_if_one_is_killed(
    arguments: list[str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([*arguments, "--name", "alone"]) == 0
    capfd.readouterr()
    launcher = start_processes([*arguments, "--name", "shared"], tmp_path)
    folder = storage.home_folder("runs") / "shared"
    wait_for_step(folder, launcher)
    os.kill(int(json.loads((folder / "holder.json").read_bytes())["process"]), signal.SIGKILL)
    out, err = launcher.communicate(timeout=LIMIT * 5)
    assert launcher.returncode == 0, err
    assert err.count("Training ") == 2, "the training was started again"
    assert len([line for line in out.splitlines() if '"file"' in line]) == 1, "only one process prints"
    assert measured(folder) == pytest.approx(measured(folder.with_name("alone")), abs=1e-4)
    one, other = (models.find_model(name).card for name in ("alone", "shared"))
    assert (other.steps, other.value) == (STEPS, pytest.approx(one.value, abs=1e-3))


def test_the_first_process_saves_what_was_learned_if_all_are_stopped(arguments: list[str], tmp_path: Path) -> None:
    launcher = start_processes([*arguments, "--name", "shared"], tmp_path)
    folder = storage.home_folder("runs") / "shared"
    wait_for_step(folder, launcher)
    launcher.send_signal(signal.SIGINT)
    _, err = launcher.communicate(timeout=LIMIT * 5)
    assert err.count("Stopped. What it learned is saved. The same command with --resume continues.") == 1, err
    found = runs.read_run(folder)
    assert found is not None and 0 < found.step < STEPS


def start_processes(arguments: list[str], folder: Path) -> subprocess.Popen[str]:
    """Start two processes."""
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*program, "-m", "studio", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=folder,
        start_new_session=True,
    )


def wait_for_step(folder: Path, launcher: subprocess.Popen[str]) -> None:
    """Wait until a run has learned a little."""
    end = time.monotonic() + LIMIT * 2
    while (found := runs.read_run(folder)) is None or found.step < 5:
        assert launcher.poll() is None and time.monotonic() < end
        time.sleep(0.02)


def measured(folder: Path) -> list[float]:
    """Return the held-out figures of a run."""
    run = runs.read_run(folder)
    assert run is not None
    return [held_out for _, _, held_out in run.curve if held_out is not None]
