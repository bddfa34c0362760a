"""Kill a training again and again at random moments, look at what it left each time, and let it end.

    python -m tests.engine.training.killed_runs FOLDER COUNT SEED

It prints one JSON object with what happened. Every training is a fork of this process, so that a kill takes
milliseconds and not the time of an import.
"""

import json
import os
import random
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any

import torch

from studio.engine.levels import TrainingExamples
from studio.engine.training import checkpoint, run_lock
from studio.engine.training.config import TrainingConfig
from studio.library import runs
from tests.engine.training.tiny_run import make_config, make_pictures, new_run, training_steps, weights

SAVE_SECONDS = 0.02
"""Seconds between two checkpoints, so that many kills come while one is written."""
STEPS_EACH = 6
"""Steps of the run for each kill. A kill comes within the time of so many."""
_MESSAGE = struct.Struct("qd")


def kill_and_resume(folder: Path, count: int, seed: int) -> dict[str, Any]:
    """Kill a training `count` times, then let it end; return what was seen."""
    config = make_config(steps=STEPS_EACH * count, save_every_seconds=SAVE_SECONDS, evaluate_every=STEPS_EACH)
    x = make_pictures()
    undisturbed = new_run(folder / "undisturbed", config)
    began = time.monotonic()
    for _ in training_steps(undisturbed, x):
        continue
    longest = STEPS_EACH * (time.monotonic() - began) / config.plan.steps
    home = folder / "killed"
    stream = random.Random(seed)
    seen = {"unreadable": 0, "doubled_lines": 0, "ended_early": 0}
    lost = [0.0]
    has_learned = False
    for _ in range(count):
        steps, killed = _kill_once(home, config, x, stream.uniform(0, longest))
        found = _load(home)
        has_learned = has_learned or any(step > 0 for step, _ in steps)
        if has_learned and (found is None or runs.read_run(home) is None):
            seen["unreadable"] += 1
        kept = found or 0
        since = [result for step, result in steps if step >= kept]
        lost.append(killed - since[0] if since else 0.0)
        logged = [one["step"] for one in map(json.loads, _log_lines(home))]
        seen["doubled_lines"] += len(logged) - len(set(logged))
        seen["ended_early"] += kept == config.plan.steps
    run = new_run(home, config)
    resumed_at = run.progress.step
    for _ in training_steps(run, x):
        continue
    ours, others = ([list(point) for point in one.progress.loss_curve if point[2]] for one in (run, undisturbed))
    return {
        **seen,
        "kills": count,
        "resumed_at": resumed_at,
        "same_weights": torch.equal(weights(run), weights(undisturbed)),
        "same_curve": ours == others and len(ours) == count,
        "most_seconds_lost": round(max(lost), 3),
        "leftovers": sum(name.startswith(".studio-") for name in os.listdir(home / "checkpoints")),
    }


def _kill_once(
    home: Path, config: TrainingConfig, x: TrainingExamples, seconds: float
) -> tuple[list[tuple[int, float]], float]:
    """Train in a fork and kill it after some seconds of learning. Return its steps with their times, and its end."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _train_and_report(home, config, x, writer)
    os.close(writer)
    data = os.read(reader, _MESSAGE.size)  # it learns, or has ended
    time.sleep(seconds)
    killed = time.monotonic()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with open(reader, "rb") as rest:
        data += rest.read()
    return list(_MESSAGE.iter_unpack(data[: len(data) // _MESSAGE.size * _MESSAGE.size])), killed


def _train_and_report(home: Path, config: TrainingConfig, x: TrainingExamples, writer: int) -> None:
    """Train in this process until it ends, and report each step."""
    status = 1
    try:
        with run_lock.hold_run(home):
            run = new_run(home, config)
            os.write(writer, _MESSAGE.pack(run.progress.step, time.monotonic()))
            for _ in training_steps(run, x):
                os.write(writer, _MESSAGE.pack(run.progress.step, time.monotonic()))
        status = 0
    finally:
        os._exit(status)


def _load(home: Path) -> int | None:
    """Return the step from which the run can be resumed; None if it cannot."""
    try:
        found = checkpoint.load_newest(home)
    except checkpoint.DamagedRun:
        return None
    return None if found is None else int(found[1]["step"])


def _log_lines(home: Path) -> list[bytes]:
    path = home / runs.LOG_FILE
    return path.read_bytes().splitlines() if path.exists() else []


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(kill_and_resume(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
