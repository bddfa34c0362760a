"""Train in a process other than the first one of a group."""

import contextlib
import time
from pathlib import Path

import msgspec

from studio.engine.device import ComputeDevice
from studio.engine.events import Pause
from studio.engine.training import loop
from studio.engine.training.config import config_from_json
from studio.engine.training.distributed import ProcessGroup, TrainingEnded
from studio.engine.training.shard_blocks import ShardBlocks, ShardSource
from studio.engine.training.training_run import TrainingRun


def join_training(group: ProcessGroup, device: ComputeDevice) -> None:
    """Take the same steps as the first process, until it ends the training.

    No file is written, and none is read but shards.     Raises ProcessLost if another process is gone.
    """
    data, learn = group.broadcast_examples()
    source = group.broadcast_bytes(b"")
    config = config_from_json(data)
    run = TrainingRun(config, Path(), device.torch_device)
    stream = ShardBlocks(msgspec.json.decode(source, type=ShardSource), config, run.model, group) if source else None
    with contextlib.suppress(TrainingEnded):
        for result in loop.train_run(run, learn, learn, bf16=device.has_bf16, stream=stream):
            if isinstance(result, Pause):
                time.sleep(result.seconds)
