"""Write the logs of runs as TensorBoard reads them. The only module that imports tensorboard."""

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from studio.library import runs, storage

TRAINING = "bits per dimension/training"
HELD_OUT = "bits per dimension/held out"
MISSING = (
    "TensorBoard's library is not installed. Nothing was written. Install it: pip install 'latent-studio[tensorboard]'"
)
Point = tuple[float, int, Mapping[str, float]]
"""The time of day in seconds since 1970, the step, and its figures by their names."""


class NoTensorBoard(RuntimeError):
    """Reports that TensorBoard's library is not installed, and what to do."""


def export_run(run: runs.RunSummary, folder: Path) -> Path:
    """Write the log of a run into a folder of its name, and return the file. An earlier one is replaced.

    Raises NoTensorBoard, and storage.NotSaved.
    """
    data = _encode(list(_points(run)))
    path = storage.create_folder(folder / run.folder.name) / "events.out.tfevents.latent-studio"
    storage.write_file(path, data)
    return path


def _points(run: runs.RunSummary) -> Iterator[Point]:
    """Yield what the log of a run holds. A run from before there were logs has its curve alone."""
    log = runs.read_log(run.folder)
    if not log:
        for step, bits, held_out in run.curve:
            yield run.changed, step, {TRAINING: bits} | ({} if held_out is None else {HELD_OUT: held_out})
    for line in log:
        figures = {
            TRAINING: line.training_bits,
            HELD_OUT: line.held_out_bits,
            "learning rate": line.learning_rate,
            "learned in a second": line.rate,
            "memory in GB": None if line.memory is None else line.memory / 1e9,
        }
        yield line.time, line.step, {name: value for name, value in figures.items() if value is not None}


def _encode(points: list[Point]) -> bytes:
    """Return an event file, which is a sequence of records with checksums."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter
    except ImportError:
        raise NoTensorBoard(MISSING) from None
    file = io.BytesIO()
    records = RecordWriter(file)
    began = points[0][0] if points else 0.0
    records.write(Event(wall_time=began, file_version="brain.Event:2").SerializeToString())
    for time, step, figures in points:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        records.write(Event(wall_time=time, step=step, summary=Summary(value=values)).SerializeToString())
    return file.getvalue()
