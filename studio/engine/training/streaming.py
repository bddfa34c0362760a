"""Open the stream of a training on shards, and report on what is read of it."""

from collections.abc import Iterator

from torch import Tensor

from studio.density.pyramid import Pyramid
from studio.engine.training.config import TrainingConfig
from studio.engine.training.loading import TrainingData
from studio.engine.training.scanning import FileMessages
from studio.engine.training.shard_blocks import ShardBlocks, ShardSource
from studio.engine.training.training_run import TrainingRun
from studio.media.folder_scan import FileReport
from studio.media.preparing import content_hash
from studio.wire import messages as wire

STREAMED = "The shards hold more than was read so far. The others are read while it learns."


def open_stream(data: TrainingData, config: TrainingConfig, run: TrainingRun, watched: Tensor) -> ShardBlocks | None:
    """Return the stream of a training; None if all artworks are loaded.

    Arguments
        data: the first artworks of the shards
        watched: the numbers of those training artworks that validate the run
    """
    if data.shards is None:
        return None
    kept = [*data.test, *(data.train[number] for number in watched.tolist())]
    has_classes = bool(run.model.classes) and not isinstance(run.model, Pyramid)
    source = ShardSource(
        data.shards.folder,
        data.shards.paths,
        data.label_names if has_classes else (),
        tuple(content_hash(artwork) for artwork in kept),
    )
    return ShardBlocks(source, config, run.model, run.process_group)


class StreamReport:
    """Reports the outcome of each file of a stream once, also of those that were read before the training.

    Arguments
        messages: gathers the reports
    """

    def __init__(self, messages: FileMessages) -> None:
        self._messages = messages
        self._known = set[str]()
        self._count = 0

    def add(self, report: FileReport, *, is_remembered: bool) -> None:
        """Add the report of a file that is read before the training."""
        self._messages.add(report)
        self._count += 1
        if is_remembered:
            self._known.add(report.name)

    def message(self, *, is_last: bool = False) -> wire.FilesExamined | None:
        """Return the next message if it is due or the last; None otherwise."""
        return self._messages.message(self._count, self._count, is_last=is_last)

    def report_files(self, stream: ShardBlocks) -> Iterator[wire.FilesExamined]:
        """Yield messages about the files that were read since the last call."""
        for file in stream.take_files():
            if file.name not in self._known:
                self.add(FileReport("", file.name, file.outcome, file.reason), is_remembered=False)
                if (message := self.message()) is not None:
                    yield message
        if (message := self.message(is_last=True)) is not None:
            yield message
