"""Describes the pictures of one run, and stores them in a file."""

import contextlib
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from studio.app.files.exporting import ExportItem
from studio.library import storage
from studio.library.storage import NotSaved
from studio.library.work import ModelMixture, StoredArray, Work
from studio.media import export
from studio.media.pictures.image import FileRefused, open_picture, read_bytes
from studio.wire.messages import Array, PicturesPreview

ArtworkKind = Literal["picture", "sound"]
KEY = "studio_grid"
"""The name of the PNG text that describes the pictures of a stored grid."""
_DIGEST = 32
"""The length of a digest in characters."""
MAX_BYTES = 16 * 2**20
"""The most bytes of pictures that are kept over a restart. Reading more would delay the start."""


class DrawnWith(msgspec.Struct, frozen=True, kw_only=True):
    """Describes how a picture was drawn, if the user changed a setting on the way.

    The engine reports it in `PicturesPreview`.
    """

    temperature: float | None = None
    temperature_map: StoredArray | None = msgspec.field(default=None, name="heat")  # its stored name
    share: float | None = None
    shares: StoredArray | None = None

    @classmethod
    def from_event(cls, event: PicturesPreview) -> "DrawnWith | None":
        """Return the settings in an event; None if nothing was changed."""
        values = (event.temperature, event.temperature_map, event.share, event.share_map)
        if all(each is None for each in values):
            return None
        painted = event.temperature_map
        return cls(
            temperature=event.temperature[0] if event.temperature is not None else None,
            temperature_map=StoredArray.from_array(painted) if painted is not None else None,
            share=event.share,
            shares=StoredArray.from_array(event.share_map) if event.share_map is not None else None,
        )


@dataclass(frozen=True, eq=False)
class Cell:
    """Holds one cell of the grid: the seed, and the drawn part of the picture.

    It is finished when done == total > 0.
    """

    seed: int
    picture: Array | None = None
    """(height, width, channels) uint8, or (samples,) int16."""
    done: int = 0
    total: int = 0
    log_prob: float | None = None
    """Nats of the finished picture."""
    label: int | None = None
    """The class of a finished picture, if its model knows classes."""
    following_log_prob: float | None = None
    """Nats of what follows the hole of a completion, if anything does."""
    drawn_with: DrawnWith | None = None
    """The changed settings of the picture; None if it was drawn as its run says."""

    @property
    def finished(self) -> bool:
        return self.picture is not None and self.done == self.total

    def rows_drawn(self, rows: int) -> int:
        """Return how many of its rows are drawn, from the top.

        The likelihood, which is computed after the last row, is none of them.
        """
        return min(self.done, rows) if self.total != self.done else rows


@dataclass(frozen=True)
class BatchRun:
    """Holds the settings of a run, whatever the user sets later."""

    model: str
    model_hash: str
    temperature: float
    label: int | None
    artwork_kind: ArtworkKind = "picture"
    mix: ModelMixture | None = None

    def with_settings(self, temperature: float, share: float | None) -> "BatchRun":
        """Return the same run with other settings."""
        mix = self.mix
        if mix is not None and share is not None:
            mix = msgspec.structs.replace(mix, share=share)
        return replace(self, temperature=temperature, mix=mix)

    def command_fields(self) -> dict[str, Any]:
        """Return the fields of a command that draws by this run."""
        mix = {"second_model": self.mix.model, "share": self.mix.share} if self.mix is not None else {}
        return {"model": self.model, "temperature": (self.temperature,), "label": self.label, **mix}

    def work_of(self, cell: Cell) -> Work:
        """Return the recipe of a picture.

        The recipe of a half-drawn picture is that of the whole one.
        """
        by = cell.drawn_with or DrawnWith()
        mix = self.mix
        if mix is not None:
            share = mix.share if by.share is None else by.share
            mix = msgspec.structs.replace(mix, share=share, shares=by.shares)
        return Work(
            kind=self.artwork_kind,
            model=self.model,
            model_hash=self.model_hash,
            seed=cell.seed,
            temperature=(self.temperature if by.temperature is None else by.temperature,),
            label=self.label if cell.label is None else cell.label,
            heat=by.temperature_map,
            mix=mix,
            made=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def export_item(self, cell: Cell) -> ExportItem | None:
        """Return a finished picture with its recipe; None until it is finished."""
        if cell.picture is None or not cell.finished:
            return None
        work = self.work_of(cell)
        return ExportItem(cell.picture, work, storage.clean_name(f"{self.model}-{cell.seed}{work.file_suffix}"))


# ── files ────────────────────────────────────────────────────────────────────────────────────────


def write_run(run: BatchRun, cells: Sequence[Cell], name: str = "grid") -> None:
    """Write a grid as one tall PNG that also contains its description.

    No separate index can then disagree with it. A wave is a row of it, with two grey pixels a sample. A digest follows
    the end of the PNG; `read_run` checks it.
    """
    done = [cell for cell in cells if cell.picture is not None and cell.finished]
    stack = [_row(cell.picture) for cell in done if cell.picture is not None]
    if not stack or sum(picture.nbytes for picture in stack) > MAX_BYTES:
        return
    description = {
        "run": [run.model, run.model_hash, run.temperature, run.label, run.artwork_kind],
        "seeds": [cell.seed for cell in cells],
        "drawn": {str(cell.seed): cell.log_prob for cell in done},
        "kinds": {str(cell.seed): cell.label for cell in done if cell.label is not None},
        "following": {str(cell.seed): cell.following_log_prob for cell in done if cell.following_log_prob is not None},
        "channels": stack[0].shape[2],
        "mix": msgspec.to_builtins(run.mix),
        "by": _drawn_with_records(done),
    }
    with contextlib.suppress(NotSaved):  # every picture can be made again from its seed
        data = export.encode_png_bytes(np.concatenate(stack), {KEY: json.dumps(description)})
        storage.write_file(_path(name), data + storage.hash_bytes(data).encode())


def read_run(name: str = "grid") -> tuple[BatchRun, tuple[Cell, ...]] | None:
    """Read the stored grid; None if there is none or it cannot be read."""
    try:
        data = read_bytes(_path(name), name)
        if storage.hash_bytes(data[:-_DIGEST]).encode() != data[-_DIGEST:]:
            return None
        array = open_picture(_path(name)).array  # in this process, because every byte is as it was written
        description = json.loads(export.png_texts(data)[KEY])
        model, digest, temperature, label, *kind = description["run"]
        drawn = description["drawn"]
        sound = kind == ["sound"]
        stack = np.split(array[..., : int(description["channels"])], len(drawn))
        stack = [np.ascontiguousarray(row).reshape(-1).view("<i2") for row in stack] if sound else stack
        parts = dict(zip(drawn, map(np.ascontiguousarray, stack), strict=True))
        kinds = description.get("kinds", {})
        following = description.get("following", {})
        bys = {str(seed): msgspec.convert(by, DrawnWith) for by, seeds in description.get("by", ()) for seed in seeds}
        cells = tuple(
            Cell(int(seed), parts[seed], 1, 1, drawn[seed], kinds.get(seed), following.get(seed), bys.get(seed))
            if seed in parts
            else Cell(int(seed))
            for seed in map(str, description["seeds"])
        )
        mix = msgspec.convert(description.get("mix"), ModelMixture | None)
        return BatchRun(str(model), str(digest), float(temperature), label, "sound" if sound else "picture", mix), cells
    except (FileRefused, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError):
        return None  # only a convenience was lost: every picture can be made again from its seed


def _row(picture: Array) -> Array:
    return picture if picture.ndim == 3 else picture.astype("<i2").view(np.uint8).reshape(1, -1, 1)


def _path(name: str) -> Path:
    return storage.home_folder("data") / f"{name}.png"


def _drawn_with_records(cells: Sequence[Cell]) -> list[list[Any]]:
    """Return the changed settings of pictures, each once, with the seeds that they apply to."""
    records: dict[int, list[Any]] = {}
    for cell in cells:
        if cell.drawn_with is not None:
            records.setdefault(id(cell.drawn_with), [msgspec.to_builtins(cell.drawn_with), []])[1].append(cell.seed)
    return list(records.values())
