"""Deliver the model of a training: write its file here, or send it to the window on another computer."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from studio.engine.events import EventSteps, Pause
from studio.engine.training.waiting import WaitReport, keep_trying
from studio.library import storage
from studio.wire import messages as wire


def delivery_of(command: wire.Train, name: str) -> Callable[[bytes], EventSteps]:
    """Return what delivers the file of a training's model, which has this name."""
    if command.is_remote:
        return partial(_send_model, command.job)
    output = Path(command.output_folder) if command.output_folder else storage.home_folder("models")
    return partial(_write_model, command.job, output / f"{name}.safetensors")


def _send_model(job: str, file: bytes) -> EventSteps:
    """Send the file of a model in pieces."""
    file_hash = storage.hash_bytes(file)
    for first in range(0, len(file), wire.MAX_PIECE_BYTES):
        data = np.frombuffer(file[first : first + wire.MAX_PIECE_BYTES], np.uint8)
        yield wire.ModelPiece(job=job, file_hash=file_hash, first_byte=first, size=len(file), data=data)


def _write_model(job: str, path: Path, file: bytes) -> EventSteps:
    """Write the file of a model as soon as the disk takes it."""
    yield from keep_saving(job, lambda: storage.write_file(path, file))


def keep_saving(job: str, save: Callable[[], object]) -> EventSteps:
    """Call `save` until the disk takes its files, and tell the user why it waits."""
    for waiting in keep_trying(save):
        yield waiting if isinstance(waiting, Pause) else describe_wait(job, waiting)


def describe_wait(job: str, report: WaitReport) -> wire.TrainingWaits:
    """Return a report of waiting as a message."""
    return wire.TrainingWaits(job=job, reason=report.reason, text=report.text)
