"""Put all artworks of a training into one file and read them from there, so that another computer can learn from them.

The file is safetensors: `train` and `test`, with `train_labels` and `test_labels` if there are classes. Recordings lie
one after the other, and `train_lengths` and `test_lengths` give the samples of each. The metadata hold the rest.
"""

import contextlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from studio.library import storage
from studio.library.models import MODEL_SUFFIX
from studio.media import dataset
from studio.media.dataset import Dataset, ImportReport
from studio.media.names import display_name
from studio.media.pictures.image import FileRefused
from studio.media.preparation import Palette
from studio.media.sounds.audio_dataset import RecordingDataset

KEPT_FILES = 4
"""The packed files that stay here. A new one is made faster than it is sent."""
_KEY = "artworks"


class _Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Holds what is known of packed artworks besides their arrays."""

    name: str
    report: ImportReport
    class_groups: tuple[tuple[str, ...], ...] = ()
    licence: str = ""
    palette: Palette = ()
    are_recordings: bool = False


def pack_artworks(data: Dataset | RecordingDataset) -> bytes:
    """Return the file of the artworks. The same artworks make the same file."""
    arrays: dict[str, np.ndarray] = {}
    for side, artworks, labels in (
        ("train", data.train, data.train_labels),
        ("test", data.test, data.test_labels),
    ):
        if isinstance(data, RecordingDataset):
            arrays[f"{side}_lengths"] = np.array([len(wave) for wave in artworks], np.int64)
            arrays[side] = np.concatenate(artworks)
        else:
            arrays[side] = np.ascontiguousarray(artworks)
        if labels is not None:
            arrays[f"{side}_labels"] = labels
    are_recordings = isinstance(data, RecordingDataset)
    metadata = _Metadata(
        name=data.name,
        report=data.report,
        class_groups=data.class_groups if isinstance(data, RecordingDataset) else (data.label_names,),
        licence="" if isinstance(data, RecordingDataset) else data.licence,
        palette=() if isinstance(data, RecordingDataset) else data.palette,
        are_recordings=are_recordings,
    )
    return safetensors.numpy.save(arrays, {_KEY: msgspec.json.encode(metadata).decode()})


def unpack_artworks(path: Path) -> Dataset | RecordingDataset:
    """Return the artworks of a file. Raises FileRefused if it is missing or damaged."""
    try:
        file = path.read_bytes()
        length = int.from_bytes(file[:8], "little")
        stored = msgspec.json.decode(file[8 : 8 + length])["__metadata__"][_KEY]
        metadata = msgspec.json.decode(stored, type=_Metadata)
        arrays = safetensors.numpy.load(file)
        return _make_dataset(metadata, arrays)
    except FileNotFoundError:
        raise FileRefused(display_name(path.name), "is not there any more", "Start again to send it again.") from None
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        raise FileRefused(display_name(path.name), "does not hold packed artworks") from None


def is_packed(path: Path) -> bool:
    """Return whether a source of training artworks is such a file, by its name."""
    return path.suffix == MODEL_SUFFIX


def write_packed(file: bytes) -> Path:
    """Write a file into the cache folder, and delete older ones. Return its path. Raises storage.NotSaved."""
    path = storage.home_folder("cache") / "packed" / f"{storage.hash_bytes(file)}{MODEL_SUFFIX}"
    storage.write_file(path, file)
    with contextlib.suppress(OSError):
        others = [other for other in path.parent.iterdir() if other != path]
        for old in sorted(others, key=lambda other: other.stat().st_mtime_ns)[: -(KEPT_FILES - 1)]:
            storage.delete_file(old)
    return path


def _make_dataset(metadata: _Metadata, arrays: dict[str, Any]) -> Dataset | RecordingDataset:
    labels = arrays.get("train_labels"), arrays.get("test_labels")
    if metadata.are_recordings:
        train, test = (
            tuple(np.split(arrays[side], np.cumsum(arrays[f"{side}_lengths"])[:-1])) for side in ("train", "test")
        )
        return RecordingDataset(train, test, *labels, metadata.class_groups, metadata.report, metadata.name)
    names = metadata.class_groups[0]
    return dataset.Dataset(
        arrays["train"],
        arrays["test"],
        *labels,
        names,
        metadata.report,
        metadata.name,
        metadata.licence,
        palette=metadata.palette,
    )
