"""Take part in a training that another process leads."""

import contextlib
from pathlib import Path

from studio.engine.device import ComputeDevice
from studio.engine.training import loop
from studio.engine.training.config import config_from_json
from studio.engine.training.distributed import Team, TeamEnded
from studio.engine.training.training_run import TrainingRun


def follow_training(team: Team, device: ComputeDevice) -> None:
    """Take the same steps as the first process, until it ends the training. No file is read or written.

    Raises TeamLost if a process is gone.
    """
    config, learn = team.share_examples()
    run = TrainingRun(config_from_json(config), Path(), device.torch_device)
    with contextlib.suppress(TeamEnded):
        for _ in loop.train_run(run, learn, learn, bf16=device.has_bf16):
            pass
