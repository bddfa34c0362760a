"""Define the messages by which files travel between the window and an engine on another computer.

A file is named by the hash of its bytes, so each is sent once. For a training, an engine beside the window first makes
one file of all prepared artworks, and the model comes back in pieces.
"""

from typing import Annotated, Any, ClassVar

from msgspec import Meta

from studio.wire.records import (
    URGENCY_ADDITION,
    URGENCY_QUEUED,
    Answer,
    Array,
    Command,
    Count,
    Text,
)

FileHash = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}$")]
"""The BLAKE2b hash (16 bytes) of a file in hexadecimal."""
FileName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}\.safetensors$")]
MAX_PIECE_BYTES = 2**20
"""Bytes of the largest piece of a file. A slow connection then still carries other messages between two pieces."""


class FindFile(Command, frozen=True, kw_only=True, tag="find_file"):
    """Look for a file that the window would otherwise send. Answers: FileFound if it is there, then one ending."""

    urgency: ClassVar[int] = URGENCY_ADDITION
    name: FileName
    file_hash: FileHash


class StoreFile(Command, frozen=True, kw_only=True, tag="store_file"):
    """Store the next piece of a file. Answers: FileFound after the last piece, then one ending.

    The pieces of a file arrive in order, from its first byte on.
    """

    urgency: ClassVar[int] = URGENCY_ADDITION
    name: FileName
    file_hash: FileHash
    first_byte: Count
    """The place of the piece in the file."""
    size: Annotated[int, Meta(ge=1)]
    """The bytes of the whole file."""
    data: Array
    """The bytes of the piece, (n,) uint8."""


class PackArtworks(Command, frozen=True, kw_only=True, tag="pack_artworks"):
    """Make one file of the artworks of a training, to be sent to another computer.

    Answers: FilesExamined …, DatasetLoaded, ArtworksPacked, then one ending.
    """

    urgency: ClassVar[int] = URGENCY_QUEUED
    source: Text
    config: dict[str, Any]
    """The training config, as in Train."""


class MeasureTraining(Command, frozen=True, kw_only=True, tag="measure_training"):
    """Measure the cost of a training where the engine runs. Answers: TrainingCost, then one ending."""

    urgency: ClassVar[int] = URGENCY_ADDITION
    config: dict[str, Any]
    """The training config, as in Train."""


class KeepAlive(Command, frozen=True, kw_only=True, tag="keep_alive"):
    """Tell an engine on another computer that the window is still there. It has no answer."""


class FileFound(Answer, frozen=True, kw_only=True, tag="file_found"):
    """Reports that a file is stored where the engine runs."""

    path: Text
    """Its path there. Commands may name a model by it."""


class ArtworksPacked(Answer, frozen=True, kw_only=True, tag="artworks_packed"):
    """Reports the file that a PackArtworks made."""

    path: Text
    file_hash: FileHash
    size: Count
    """Its bytes."""


class ModelPiece(Answer, frozen=True, kw_only=True, tag="model_piece"):
    """Carries the next piece of the file of a model that a remote training made. ModelWritten follows the last one."""

    file_hash: FileHash
    first_byte: Count
    """The place of the piece in the file."""
    size: Annotated[int, Meta(ge=1)]
    """The bytes of the whole file."""
    data: Array
    """The bytes of the piece, (n,) uint8."""
