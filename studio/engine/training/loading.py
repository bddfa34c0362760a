"""Load the artworks of a folder or a pack in steps, as a training and an evaluation need them."""

from collections.abc import Generator
from pathlib import Path

from studio.engine.training import packed_artworks
from studio.engine.training.artwork_cache import ArtworkCache
from studio.media import dataset
from studio.media.folder_scan import FileReport
from studio.media.preparation import AS_USUAL, Preparation
from studio.media.sounds import audio_dataset

TrainingData = dataset.Dataset | audio_dataset.RecordingDataset


def load_data(
    source: Path,
    shape: tuple[int, ...],
    rate: int,
    labels: tuple[str, ...] = (),
    preparation: Preparation = AS_USUAL,
    store: ArtworkCache | None = None,
) -> Generator[FileReport | None, None, TrainingData]:
    """Load artworks of a shape. If there is a rate, load recordings. Those of a packed file are prepared already.

    Columns of their index give the classes.
    """
    if packed_artworks.is_packed(source):
        yield None
        return packed_artworks.unpack_artworks(source)
    if rate:
        return (yield from audio_dataset.load_recordings_in_steps(source, rate, labels, preparation, store))
    return (yield from dataset.load_dataset_in_steps(source, shape, preparation, store))


def without_reports(steps: Generator[FileReport | None, None, TrainingData]) -> Generator[None, None, TrainingData]:
    """Take steps without their reports, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: TrainingData = end.value
            return found
        yield None
