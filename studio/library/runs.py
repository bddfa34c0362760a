"""Read the folders of training runs: config, progress, curve and samples.

A run's folder holds `study.json` (its config), `source.json` (what it learns from), `checkpoints/` (see
`studio/engine/training/checkpoint.py`), `log.jsonl`, `samples/`, `nearest.safetensors` and, once it has ended,
`outcome.json`. It can be copied. The folder of a run that another computer trains has `place.json` and `progress.json`
in place of checkpoints. Everything is read as plain data, and a damaged run is left out.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from studio.library import earlier_keys, storage

SAMPLES_FOLDER = "samples"
OUTCOME_FILE = "outcome.json"
PLACE_FILE = "place.json"
PROGRESS_FILE = "progress.json"
SOURCE_FILE = "source.json"
LOCK_FILE = "lock"
"""A training holds a lock on it (studio/engine/training/run_lock.py)."""
LOG_FILE = "log.jsonl"
NEAREST_FILE = "nearest.safetensors"
COPIED_DISTANCE = 0.5
"""The distance below which a sample is a copy (studio/engine/training/nearest.py says what was measured)."""
MAX_HEADER_BYTES = 64 * 2**20
"""The largest header of a checkpoint that is read. It holds the whole curve."""
_ROLLING = re.compile(r"step-(\d{8})\.safetensors")
_SAMPLES = re.compile(r"(\d{8})\.safetensors")

CurvePoint = tuple[int, float, float | None]
"""The step, the bits per dimension of a training batch, and those of held-out artworks if they were measured."""


class RunOutcome(msgspec.Struct, frozen=True):
    """Describes the end of a run whose model is among the trained models."""

    step: int
    value: float
    """The held-out figure on its card."""
    exact: bool


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """Holds one line of a run's log."""

    time: float
    """Seconds since 1970, by the clock of the computer."""
    step: int
    seconds: float
    """Seconds of training so far, in all sessions."""
    training_bits: float
    """Bits per dimension of a training batch."""
    held_out_bits: float | None = None
    """Bits per dimension of held-out artworks, if they were measured at this step."""
    learning_rate: float
    rate: float
    """Pictures, or seconds of sound, learned from in a second."""
    memory: int | None = None
    """Bytes of memory in use: of the graphics device if there is one. None if unknown."""
    notices: tuple[str, ...] = ()
    """Sentences for the user at this step."""


class RunConfig(msgspec.Struct, frozen=True):
    """Holds the part of a run's config that the window shows."""

    name: str
    title: str
    shape: tuple[int, ...]
    recipe: dict[str, Any]
    plan: dict[str, Any]
    training_data: str = ""
    sample_rate: int = 0
    levels: int = 256
    indexed: bool = False

    @property
    def palette_size(self) -> int:
        """Return the number of indexed colours; 0 if there is no palette."""
        return self.levels if self.indexed else 0


class RunPlace(msgspec.Struct, frozen=True):
    """Names the other computer that trains a run, and the run's folder there."""

    computer: str
    """Its name as `ssh` takes it."""
    folder: str
    """The name of the folder among the runs there."""


class RunProgress(msgspec.Struct, frozen=True):
    """Holds the progress of a run on another computer, whose checkpoints are there."""

    step: int
    seconds: float
    curve: tuple[CurvePoint, ...]


class ComparedSamples(msgspec.Struct, frozen=True, eq=False):
    """Holds the newest samples of a run, each with its nearest training artwork.

    Each equals only itself, because the comparison of arrays is an array.
    """

    step: int
    samples: np.ndarray
    """(n, height, width, channels) uint8, or (n, samples) int16."""
    nearest: np.ndarray
    """As `samples`."""
    distances: tuple[float, ...]
    """The distance of both, in shares of the usual distance of held-out artworks to training artworks."""

    @property
    def copied(self) -> tuple[bool, ...]:
        """Return whether each sample is a copy of what the model learned from."""
        return tuple(distance < COPIED_DISTANCE for distance in self.distances)


class RunSamples(msgspec.Struct, frozen=True, eq=False):
    """Holds what a model drew after some steps: (n, height, width, channels) uint8, or (n, samples) int16.

    Each equals only itself, because the comparison of arrays is an array.
    """

    step: int
    seconds: float
    artworks: np.ndarray


class RunSummary(msgspec.Struct, frozen=True):
    """Describes a run: its config, its progress, and its end if it has ended."""

    folder: Path
    config: RunConfig
    step: int
    seconds: float
    curve: tuple[CurvePoint, ...]
    outcome: RunOutcome | None
    changed: float
    """When it was saved last, in seconds since 1970."""
    source: str = ""
    """The folder or pack that it learns from; empty if unknown."""
    newest: RunSamples | None = None
    """The samples that were drawn last."""
    place: RunPlace | None = None
    """The other computer that trains it; None for this one."""


class RunInUse(ValueError):
    """Reports in a sentence that a program trains a run."""


def list_runs() -> list[RunSummary]:
    """List the runs of this computer, the one that was saved last first. Damaged ones are left out."""
    home = storage.home_folder("runs")
    try:
        names = sorted(os.listdir(home))
    except OSError:
        return []
    found = [run for name in names if (run := read_run(home / name)) is not None]
    return sorted(found, key=lambda run: -run.changed)


def read_run(folder: Path) -> RunSummary | None:
    """Read one run; None if it has learned nothing yet, or cannot be read."""
    try:
        config = msgspec.convert(read_config(folder), RunConfig)
    except (OSError, ValueError):
        return None
    for path in _newest_checkpoints(folder):  # a damaged one is skipped, as in resuming
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            progress = _read_progress(path)
            curve = tuple((int(step), float(loss), held_out) for step, loss, held_out in progress["loss_curve"])
            step, seconds, changed = int(progress["step"]), float(progress["seconds"]), path.stat().st_mtime
            outcome, source = read_outcome(folder), read_source(folder)
            return RunSummary(folder, config, step, seconds, curve, outcome, changed, source, _read_newest(folder))
    return _read_remote(folder, config)


def _read_remote(folder: Path, config: RunConfig) -> RunSummary | None:
    """Read a run whose checkpoints are on another computer; None if it is none."""
    path = folder / PROGRESS_FILE
    place = read_place(folder)
    try:
        progress = msgspec.json.decode(path.read_bytes(), type=RunProgress)
        changed = path.stat().st_mtime
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if place is None:
        return None
    return RunSummary(
        folder,
        config,
        progress.step,
        progress.seconds,
        progress.curve,
        read_outcome(folder),
        changed,
        read_source(folder),
        _read_newest(folder),
        place,
    )


def read_place(folder: Path) -> RunPlace | None:
    """Return the other computer that trains a run; None if this one does."""
    try:
        return msgspec.json.decode((folder / PLACE_FILE).read_bytes(), type=RunPlace)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write_place(folder: Path, place: RunPlace, config: dict[str, Any], source: str) -> None:
    """Begin the folder of a run that another computer trains. Raises storage.NotSaved."""
    storage.write_file(folder / "study.json", msgspec.json.encode(config))
    storage.write_file(folder / PLACE_FILE, msgspec.json.encode(place))
    write_source(folder, source)


def write_progress(folder: Path, progress: RunProgress) -> None:
    """Store the progress of a run that another computer trains. Raises storage.NotSaved."""
    storage.write_file(folder / PROGRESS_FILE, msgspec.json.encode(progress))


def write_samples(folder: Path, samples: RunSamples) -> None:
    """Store samples of a run. Raises storage.NotSaved."""
    own = storage.create_folder(folder / SAMPLES_FOLDER)
    data = safetensors.numpy.save({"artworks": samples.artworks}, {"seconds": f"{samples.seconds:.3f}"})
    storage.write_file(own / f"{samples.step:08d}.safetensors", data)


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config of a run as the engine takes it. Raises OSError or ValueError.

    If its file is damaged, the config is read from the newest checkpoint that has one.
    """
    try:
        stored = msgspec.json.decode((folder / "study.json").read_bytes(), type=dict[str, Any])
        config: dict[str, Any] = earlier_keys.TRAINING_CONFIG.to_present(stored)
        msgspec.convert(config, RunConfig)
        return config
    except (OSError, ValueError):
        for path in _newest_checkpoints(folder):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                saved: dict[str, Any] = _read_state(path)["config"]
                msgspec.convert(saved, RunConfig)
                return saved
        raise


def read_log(folder: Path) -> list[LogLine]:
    """Return the log of a run by its steps, also while it grows. Damaged lines are left out.

    If a step comes again, the run continued from an earlier checkpoint, so the lines after that one are left out.
    """
    try:
        lines = (folder / LOG_FILE).read_bytes().splitlines()
    except OSError:
        return []
    found: list[LogLine] = []
    for line in lines:
        with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
            one = msgspec.json.decode(line, type=LogLine)
            while found and found[-1].step >= one.step:
                found.pop()
            found.append(one)
    return found


def read_samples(folder: Path) -> list[RunSamples]:
    """Return all samples of a run, oldest first."""
    return list(_samples_of(sorted((folder / SAMPLES_FOLDER).glob("*.safetensors"))))


def _read_newest(folder: Path) -> RunSamples | None:
    """Return the newest samples of a run that can be read; None without any."""
    return next(_samples_of(sorted((folder / SAMPLES_FOLDER).glob("*.safetensors"), reverse=True)), None)


def _samples_of(paths: Sequence[Path]) -> Iterator[RunSamples]:
    """Yield the samples of files. Others and damaged ones are left out."""
    for path in paths:
        name = _SAMPLES.fullmatch(path.name)
        if name is None:
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, SafetensorError):
            data = path.read_bytes()
            artworks = safetensors.numpy.load(data)["artworks"]
            yield RunSamples(int(name[1]), float(_read_metadata(data)["seconds"]), artworks)


def read_compared(folder: Path) -> ComparedSamples | None:
    """Return the newest samples of a run with their nearest training artworks; None if there are none."""
    try:
        data = (folder / NEAREST_FILE).read_bytes()
        arrays = safetensors.numpy.load(data)
        metadata = _read_metadata(data)
        distances = msgspec.json.decode(metadata["distances"], type=tuple[float, ...])
        found = ComparedSamples(int(metadata["step"]), arrays["samples"], arrays["nearest"], distances)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None
    return found if len(found.samples) == len(found.nearest) == len(distances) else None


def write_compared(folder: Path, compared: ComparedSamples) -> None:
    """Store the newest samples of a run with their nearest training artworks. Raises storage.NotSaved."""
    metadata = {"step": str(compared.step), "distances": msgspec.json.encode(compared.distances).decode()}
    data = safetensors.numpy.save({"samples": compared.samples, "nearest": compared.nearest}, metadata)
    storage.write_file(folder / NEAREST_FILE, data)


def _read_metadata(data: bytes) -> dict[str, str]:
    """Return the metadata in the header of a safetensors file."""
    length = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + length])["__metadata__"]
    return metadata


def read_outcome(folder: Path) -> RunOutcome | None:
    """Return how a run ended; None if it has not ended."""
    try:
        return msgspec.json.decode((folder / OUTCOME_FILE).read_bytes(), type=RunOutcome)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def read_source(folder: Path) -> str:
    """Return the path that a run learns from; empty if unknown."""
    try:
        return msgspec.json.decode((folder / SOURCE_FILE).read_bytes(), type=str)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def move_to_bin(folder: Path) -> Path:
    """Move a run to the bin, and return its new path. Raises storage.NotSaved, or RunInUse if it is being trained."""
    lock = storage.lock_file(folder / LOCK_FILE)
    if lock is None:
        raise RunInUse(f'"{folder.name}" is being trained. Wait until it ends.')
    os.close(lock)  # Windows moves no folder with an open file
    return storage.move_to_bin(folder)


def write_source(folder: Path, source: str) -> None:
    """Store the path that a run learns from, so that it can be resumed. Raises storage.NotSaved."""
    storage.write_file(folder / SOURCE_FILE, msgspec.json.encode(source))


def write_outcome(folder: Path, outcome: RunOutcome) -> None:
    """Store the outcome of a run that has ended. Raises storage.NotSaved."""
    storage.write_file(folder / OUTCOME_FILE, msgspec.json.encode(outcome))


def forget_outcome(folder: Path) -> None:
    """Delete the outcome of a run that continues."""
    storage.delete_file(folder / OUTCOME_FILE)


def _newest_checkpoints(folder: Path) -> list[Path]:
    """Return the rolling checkpoints of a run, newest first. Never raises."""
    try:
        names = sorted(filter(_ROLLING.fullmatch, os.listdir(folder / "checkpoints")), reverse=True)
    except OSError:
        return []
    return [folder / "checkpoints" / name for name in names]


def _read_state(path: Path) -> dict[str, Any]:
    """Return the state in a checkpoint's header, without reading its tensors."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError("the header is too long")
        header = json.loads(file.read(length))
    state: dict[str, Any] = earlier_keys.CHECKPOINT.to_present(json.loads(header["__metadata__"]["state"]))
    return state


def _read_progress(path: Path) -> dict[str, Any]:
    """Return the progress in a checkpoint's header."""
    progress = _read_state(path)["progress"]
    if not isinstance(progress, dict):
        raise TypeError("no progress")
    return progress
