"""Give a training its batches from shards that are read as a stream while it learns.

Two blocks are in memory: the one that is learned, in an order of its own, and the next one, which a thread reads. What
is left of a block after its last whole batch is learned in the next epoch, whose blocks are others. Several processes
read lanes of their own and send each other what they read, so all have the same blocks as a single one would.
"""

import itertools
import math
import os
import threading
from collections.abc import Generator, Mapping
from concurrent.futures import Future, wait
from typing import Any

import msgspec
import numpy as np
import torch

from studio.density.model import Model
from studio.engine.events import Pause
from studio.engine.followed_signal import followed_signal
from studio.engine.levels import TrainingExamples, examples_in_levels
from studio.engine.training.batches import batch_of_block, batches_in_block, cuts_of_block, variation_of
from studio.engine.training.config import TrainingConfig
from studio.engine.training.distributed import ProcessGroup
from studio.engine.training.recordings import TrainingRecordings, recordings_in_levels, with_signals
from studio.engine.training.waiting import WaitReport
from studio.media.folder_scan import STEP_SECONDS
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparing import FilePreparer
from studio.media.shard_stream import RETRY_SECONDS, FileOutcomeLine, LanePlace, PieceReader, StreamPiece
from studio.media.shards import ShardList

GONE = WaitReport(
    "folder",
    "The shards are gone, so the training waits. Nothing is lost. Bring them back, and it continues by itself.",
)
BACK = WaitReport("", "The shards are back. The training continues.")
SMALLEST_BLOCK = 4
"""The batches that a block must have room for."""
FIRST_SEED = 2
"""The seed of the random levels of the first block; 0 and 1 are those of training and test artworks."""
USED = ("used", "damaged")


class ShardSource(msgspec.Struct, frozen=True):
    """Describes a stream, as it is sent to other processes."""

    folder: str
    paths: tuple[str, ...]
    classes: tuple[str, ...]
    """The names of the classes, if the model has any."""
    left_out: tuple[bytes, ...]
    """The hashes of the artworks that watch over the training or test it."""


class StreamPlace(msgspec.Struct, frozen=True):
    """Names the place of a run in its stream, as a checkpoint holds it."""

    block: int = 0
    """The number of the block that is learned."""
    first_step: int = 0
    """The step that learned its first batch."""
    lanes: tuple[LanePlace, ...] = ()
    """The places at which it begins; none: the beginning."""
    used: int = 0
    unused: int = 0
    """Files that were used or not used before it, in the first epoch."""


class ShardBlocks:
    """Holds the present block of a stream, and reads the next one.

    Arguments
        source: the shards
        config: of the training
        model: that learns
        group: the processes that train it
    """

    def __init__(self, source: ShardSource, config: TrainingConfig, model: Model, group: ProcessGroup) -> None:
        self._config = config
        self._model = model
        self._group = group
        self.source = source
        self._classes = {name: number for number, name in enumerate(source.classes)}
        preparer = FilePreparer(config.shown_shape, config.sample_rate, config.preparation)
        self._reader = PieceReader(
            ShardList(source.folder, source.paths),
            preparer,
            config.plan.seed,
            frozenset(source.left_out),
            SMALLEST_BLOCK * config.plan.batch,
            SMALLEST_BLOCK * config.plan.batch * _example_bytes(config),
        )
        self._name = display_name(os.path.basename(source.folder))
        self._place: StreamPlace | None = None
        self._examples: TrainingExamples | TrainingRecordings | None = None
        """The present block."""
        self._batches = 0
        self._end = StreamPlace()
        """Where the present block ends."""
        self._reading: Future[list[StreamPiece]] | None = None
        self._read_from: tuple[LanePlace, ...] = ()
        """The places from which it reads."""
        self._files: list[FileOutcomeLine] = []

    def make_ready(
        self, place: Mapping[str, Any] | None, step: int
    ) -> Generator[Pause | WaitReport | str | None, None, dict[str, Any]]:
        """Have the block with the batch of a step ready; return the place that a checkpoint must hold.

        Yields Pauses while it is read, why it waits, and sentences for the user. Raises FileRefused if there is
        nothing to learn.

        Arguments
            place: of the run, as its checkpoint holds it; None for a new run
        """
        wanted = StreamPlace(first_step=step) if place is None else msgspec.convert(place, StreamPlace)
        if self._place is None or wanted != self._place:  # a run that begins, is resumed or rolled back
            yield from self._load(wanted)
        assert self._place is not None
        if step - self._place.first_step >= self._batches:
            yield from self._load(msgspec.structs.replace(self._end, first_step=step))
        found: dict[str, Any] = msgspec.to_builtins(self._place)
        return found

    @property
    def is_waiting(self) -> bool:
        """Return whether all shards are gone, so that it waits for them."""
        return self._reader.is_waiting

    def refuse_missing(self) -> FileRefused:
        """Return the refusal if the user does not wait for shards that are gone."""
        return FileRefused(
            self._name, "has no shards any more", "What was learned is saved. Restore them, then resume."
        )

    def batch(self, step: int) -> TrainingExamples:
        """Return the batch of a step for which `make_ready` has run."""
        assert self._place is not None and self._examples is not None
        number = step - self._place.first_step
        plan, block = self._config.plan, self._place.block
        if isinstance(self._examples, TrainingRecordings):
            return cuts_of_block(self._examples, block, number, plan, self._model, variation_of(self._config))
        return batch_of_block(self._examples, block, number, step, plan, self._config.levels, self._config.augmentation)

    def take_files(self) -> list[FileOutcomeLine]:
        """Return the outcomes of files since the last call. There are some in the first epoch alone."""
        found, self._files = self._files, []
        return found

    def close(self) -> None:
        """End the reading."""
        self._reader.close()

    # ── blocks ──────────────────────────────────────────────────────────────────────────────────

    def _load(self, place: StreamPlace) -> Generator[Pause | WaitReport | str | None, None, None]:
        """Load the block at a place, and begin to read the next one. A block has at least one whole batch."""
        begin = ends = place.lanes or (LanePlace(),) * self._reader.lanes
        self._examples = None  # before there is room for the next ones
        self._place = place
        self._end = msgspec.structs.replace(place, block=place.block + 1)
        self._batches = 0
        pieces: list[StreamPiece] = []
        while not self._batches:
            if self._reading is None or self._read_from != ends:
                self._begin_reading(ends)
            assert self._reading is not None
            yield from self._wait_for_pieces(self._reading)
            more = self._exchange(self._reading.result())
            pieces += more
            before, ends = ends, tuple(piece.end for piece in more)
            self._begin_reading(ends)
            yield from self._note_files(more, before, ends)
            self._examples = yield from self._to_examples(pieces, place.block)
            if self._examples is not None:
                self._batches = batches_in_block(self._examples, self._config.plan)
            elif self._have_passed_all(begin, ends):
                hint = "What was learned is saved. Restore the shards."
                raise FileRefused(self._name, "has nothing to learn from any more", hint)

    def _have_passed_all(self, begin: tuple[LanePlace, ...], end: tuple[LanePlace, ...]) -> bool:
        """Return whether every shard lies between some places of all lanes."""
        epochs = self._reader.epoch_of
        return min(epochs(lane, end[lane]) - epochs(lane, begin[lane]) for lane in range(len(end))) > 1

    def _begin_reading(self, lanes: tuple[LanePlace, ...]) -> None:
        """Read the pieces of this process from these places on, in the thread."""
        reading = Future[list[StreamPiece]]()
        self._reading, self._read_from = reading, lanes
        threading.Thread(target=self._read, args=(lanes, reading), name="shards", daemon=True).start()

    def _read(self, lanes: tuple[LanePlace, ...], reading: Future[list[StreamPiece]]) -> None:
        mine = range(self._group.rank, len(lanes), self._group.world_size)
        try:
            reading.set_result([self._reader.read_piece(lane, lanes[lane]) for lane in mine])
        except BaseException as error:
            reading.set_exception(error)

    def _wait_for_pieces(self, reading: Future[list[StreamPiece]]) -> Generator[Pause | WaitReport | None, None, None]:
        is_waiting = False
        while not wait([reading], STEP_SECONDS).done:
            if self._reader.is_waiting != is_waiting:
                is_waiting = not is_waiting
                yield GONE if is_waiting else BACK
            yield Pause(RETRY_SECONDS / 2) if is_waiting else None
        if is_waiting:
            yield BACK

    def _exchange(self, mine: list[StreamPiece]) -> list[StreamPiece]:
        """Return the pieces of all processes, in the order of their lanes."""
        if self._group.world_size > 1:
            parts = self._group.exchange_bytes(msgspec.msgpack.encode(mine))
            mine = [piece for part in parts for piece in msgspec.msgpack.decode(part, type=list[StreamPiece])]
        return sorted(mine, key=lambda piece: piece.lane)

    def _to_examples(
        self, pieces: list[StreamPiece], number: int
    ) -> Generator[None, None, TrainingExamples | TrainingRecordings | None]:
        """Return the artworks of pieces in the model's levels; None if there are none."""
        artworks = [artwork for piece in pieces for artwork in piece.artworks]
        classes = None
        if self._classes:
            artworks = [artwork for artwork in artworks if artwork.label in self._classes]
            classes = torch.tensor([self._classes[artwork.label] for artwork in artworks])
        if not artworks:
            return None
        arrays = [artwork.array for artwork in artworks]
        if not self._config.sample_rate:
            return examples_in_levels(np.stack(arrays), self._model, classes, FIRST_SEED + number, self._config.palette)
        varied = self._config.augmentation.varies_sounds
        sounds = recordings_in_levels(arrays, classes, self._model.levels, varied=varied)
        follow = followed_signal(self._config.recipe, self._config.sample_rate, self._config.levels)
        return sounds if follow is None else (yield from with_signals(sounds, follow))

    def _note_files(
        self, pieces: list[StreamPiece], begin: tuple[LanePlace, ...], end: tuple[LanePlace, ...]
    ) -> Generator[str, None, None]:
        """Keep the outcomes of files, count them, and yield sentences for the user."""
        files = [file for piece in pieces for file in piece.files]
        self._files += files
        used = self._end.used + sum(file.outcome in USED for file in files)
        unused = self._end.unused + sum(file.outcome not in USED for file in files)
        self._end = msgspec.structs.replace(self._end, lanes=end, used=used, unused=unused)
        for piece in pieces:
            yield from piece.notices
        epochs = [min(itertools.starmap(self._reader.epoch_of, enumerate(places))) for places in (begin, end)]
        if epochs[0] == 0 < epochs[1]:
            yield f"All shards were read once: {used:,} files are used, {unused:,} are not."


def _example_bytes(config: TrainingConfig) -> int:
    """Return the bytes of an example before it is in levels."""
    if config.sample_rate:
        return 2 * config.plan.cut_samples
    return math.prod(config.shown_shape) * (2 if len(config.shape) == 1 else 1)
