"""Write weights and training state to disk, completely or not at all.

A run's folder holds `checkpoints/step-00000200.safetensors …` and `checkpoints/manifest.json`. The manifest is written
last. It lists the checkpoints that can be resumed, each with its size and BLAKE2b hash. Neither torch nor safetensors
notices a flipped bit, so the hash is checked before anything is loaded. A checkpoint also has a checksum in its own
header, which tells a damaged manifest from a damaged checkpoint.
"""

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from studio.library import storage
from studio.library.card import Card, card_to_json

KEPT_CHECKPOINTS = 3
"""The number of rolling checkpoints that are kept, besides the best."""

_META = "state"
_CHECKSUM = "checksum"
_FILE = re.compile(r"(best|step)-(\d{8})\.safetensors")


class CheckpointEntry(msgspec.Struct, frozen=True):
    """Describes one line of the manifest."""

    file: str
    size: int
    hash: str
    step: int
    best: bool = False


@dataclass(frozen=True, eq=False)
class _ReadCheckpoint:
    """Holds the contents of a checkpoint."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]
    is_intact: bool | None
    """Whether its checksum is right; None if it has none, like those of earlier versions."""


class DamagedRun(ValueError):
    """Reports in a sentence that no checkpoint of a run can be read."""


class NotFiniteWeights(ValueError):
    """Reports weights that are not finite. They are never saved."""


def list_checkpoints(run: Path) -> list[CheckpointEntry]:
    """Return the checkpoints of a run, oldest first.

    If the manifest is missing or visibly damaged, they are read from the folder.
    """
    folder = run / "checkpoints"
    try:
        listed = msgspec.json.decode((folder / "manifest.json").read_bytes(), type=list[CheckpointEntry])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return _scan_checkpoints(folder)
    named = [_FILE.fullmatch(entry.file) for entry in listed]
    if all(name is not None and entry.best == (name[1] == "best") for name, entry in zip(named, listed, strict=True)):
        return listed
    return _scan_checkpoints(folder)


def _scan_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """Return an entry for each whole checkpoint in a folder, read from the files themselves."""
    found = []
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: path.name[-20:]):
        name = _FILE.fullmatch(path.name)
        if name is None:
            continue
        data = _read_bytes(path)
        read = _parse_checkpoint(data)
        if read is None or read.is_intact is False or _broken_tensor(read.tensors):
            continue
        found.append(CheckpointEntry(path.name, len(data), storage.hash_bytes(data), int(name[2]), name[1] == "best"))
    return found


def add_checkpoint(run: Path, tensors: dict[str, Tensor], state: dict[str, Any], *, best: bool = False) -> None:
    """Add a checkpoint, then the manifest, then remove the files that it no longer lists.

    Raises NotFiniteWeights for broken numbers and storage.NotSaved if the disk refuses.
    """
    step = int(state["step"])
    if broken := _broken_tensor(tensors):
        raise NotFiniteWeights(f"{broken} holds numbers that are not finite, so step {step} was not saved")
    folder = run / "checkpoints"
    kept = {k: t.detach().cpu().contiguous() for k, t in tensors.items()}
    text = json.dumps(state)
    data = save(kept, {_META: text, _CHECKSUM: _checksum(kept, text)})
    file = f"{'best' if best else 'step'}-{step:08d}.safetensors"
    storage.write_file(folder / file, data)
    new = CheckpointEntry(file, len(data), storage.hash_bytes(data), step, best)
    old = list_checkpoints(run)
    tops = [e for e in old if e.best and not best]
    rolling = sorted((e for e in old if not e.best and (best or e.step != step)), key=lambda e: e.step)
    listed = [*tops, *(rolling if best else rolling[-(KEPT_CHECKPOINTS - 1) :]), new]
    storage.write_file(folder / "manifest.json", msgspec.json.encode(listed))
    _delete_unlisted(folder, {entry.file for entry in listed})


def _delete_unlisted(folder: Path, listed: set[str]) -> None:
    """Delete the checkpoints that the manifest does not list: old ones, and those of a save that was cut short.

    One that cannot be deleted now is deleted after the next save.
    """
    with contextlib.suppress(OSError):
        for name in set(filter(_FILE.fullmatch, os.listdir(folder))) - listed:
            storage.delete_file(folder / name)


def _broken_tensor(tensors: dict[str, Tensor]) -> str:
    """Return the name of a tensor with numbers that are not finite. It is empty if there is none."""
    broken = (name for name, t in tensors.items() if t.is_floating_point() and not bool(torch.isfinite(t).all()))
    return next(broken, "")


def load_newest(run: Path, *, best: bool = False) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Load the newest checkpoint whose hash is right, in the manifest or in its own header: tensors and state.

    Returns None if there is none yet. Raises DamagedRun if there are checkpoints and none can be read.
    """
    listed = [e for e in list_checkpoints(run) if e.best == best]
    for entry in sorted(listed, key=lambda e: -e.step):
        data = _read_bytes(run / "checkpoints" / entry.file)
        read = _parse_checkpoint(data)
        is_listed = len(data) == entry.size and storage.hash_bytes(data) == entry.hash
        if read is not None and (is_listed or read.is_intact):
            return read.tensors, read.state
    if listed:
        for entry in sorted(_scan_checkpoints(run / "checkpoints"), key=lambda e: -e.step):  # a name may be damaged
            read = _parse_checkpoint(_read_bytes(run / "checkpoints" / entry.file))
            if entry.best == best and read is not None and read.is_intact:
                return read.tensors, read.state
        raise DamagedRun(
            f'None of the {len(listed)} checkpoints in "{run.name}" is intact. Begin the run again under another name.'
        )
    return None


def _read_bytes(path: Path) -> bytes:
    """Return the contents of a file; nothing if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _parse_checkpoint(data: bytes) -> _ReadCheckpoint | None:
    """Return the contents of a checkpoint, or None if it cannot be read."""
    try:
        tensors = load(data)
        length = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        text = metadata[_META]
        stored = metadata.get(_CHECKSUM)
        state = json.loads(text)
    except (SafetensorError, KeyError, TypeError, ValueError):
        return None
    if not isinstance(state, dict):
        return None
    return _ReadCheckpoint(tensors, state, None if stored is None else stored == _checksum(tensors, text))


def _checksum(tensors: dict[str, Tensor], state: str) -> str:
    """Return a BLAKE2b hash of tensors, with their names and forms, and of the state in JSON."""
    digest = hashlib.blake2b(state.encode(errors="surrogatepass"), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def encode_model(card: Card, weights: dict[str, Tensor], directions: Tensor, cover: Tensor) -> bytes:
    """Return the file of a trained model.

    Directions `(n, *latent_shape)`; cover `(n, H, W, C)` uint8, or of sounds `(n, samples)` int16.
    """
    tensors = {f"weights.{name}": t for name, t in weights.items()} | {"directions": directions, "cover": cover}
    return save({k: t.detach().cpu().contiguous() for k, t in tensors.items()}, {"card": card_to_json(card)})


def open_model(data: bytes) -> tuple[dict[str, Tensor], Tensor | None]:
    """Read a model's file: return float32 weights, and directions if there are any."""
    tensors = {k: t.float() if t.is_floating_point() else t for k, t in load(data).items()}
    weights = {k.removeprefix("weights."): t for k, t in tensors.items() if k.startswith("weights.")}
    return weights, tensors.get("directions")
