"""Train in a process other than the first one of a group."""

import contextlib
from pathlib import Path

from studio.engine.device import ComputeDevice
from studio.engine.training import loop
from studio.engine.training.config import config_from_json
from studio.engine.training.distributed import ProcessGroup, TrainingEnded
from studio.engine.training.training_run import TrainingRun


def join_training(group: ProcessGroup, device: ComputeDevice) -> None:
    """Take the same steps as the first process, until it ends the training. No file is read or written.

    Raises ProcessLost if another process is gone.
    """
    config, learn = group.broadcast_examples()
    run = TrainingRun(config_from_json(config), Path(), device.torch_device)
    with contextlib.suppress(TrainingEnded):
        for _ in loop.train_run(run, learn, learn, bf16=device.has_bf16):
            pass
