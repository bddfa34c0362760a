"""Holds the settings and the pictures of one run, and keeps them over a restart."""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from studio.app.core.artwork import Artwork
from studio.app.core.earlier_settings import GRID
from studio.app.core.text import timestamp
from studio.app.generation.sharpening import Sharpening
from studio.library import file_names, storage
from studio.library.storage import NotSaved
from studio.library.work import ModelMixture, StoredArray, Work
from studio.media import export
from studio.media.pictures.image import FileRefused, open_picture, read_bytes
from studio.media.preparation import Palette
from studio.wire.messages import Array, PicturesPreview

ArtworkKind = Literal["picture", "sound"]
KEY = "studio_grid"
"""The name of the PNG text with the recipes of a kept grid."""
_DIGEST = 32
"""Letters of a digest."""
MAX_BYTES = 16 * 2**20
"""The most bytes of a grid that is kept. Larger grids would delay the next start."""


class DrawnWith(msgspec.Struct, frozen=True, kw_only=True):
    """Holds the settings that the user changed while a picture was drawn."""

    temperature: float | None = None
    temperature_map: StoredArray | None = None
    share: float | None = None
    share_map: StoredArray | None = None

    @classmethod
    def from_event(cls, event: PicturesPreview) -> "DrawnWith | None":
        """Return the changed settings in an engine's event; None if there are none."""
        said = (event.temperature, event.temperature_map, event.share, event.share_map)
        if all(each is None for each in said):
            return None
        return cls(
            temperature=event.temperature[0] if event.temperature is not None else None,
            temperature_map=StoredArray.from_array(event.temperature_map)
            if event.temperature_map is not None
            else None,
            share=event.share,
            share_map=StoredArray.from_array(event.share_map) if event.share_map is not None else None,
        )


@dataclass(frozen=True, eq=False)
class Cell:
    """Holds one place of the grid: its seed, and its picture so far. It is finished if done == total > 0."""

    seed: int
    picture: Array | None = None
    """(height, width, channels) uint8, or (samples,) int16."""
    done: int = 0
    total: int = 0
    log_prob: float | None = None
    """In nats; None until the picture is finished."""
    label: int | None = None
    """The class of a finished picture, if the model has classes."""
    following_log_prob: float | None = None
    """For a completion, the nats of the pixels after its hole, if there are any."""
    drawn_with: DrawnWith | None = None
    """The settings in which the picture differs from its run; None if it differs in none."""

    @property
    def finished(self) -> bool:
        return self.picture is not None and self.done == self.total

    def rows_drawn(self, rows: int) -> int:
        """Return how many of `rows` rows are drawn. The last step computes the bits and is not counted."""
        return min(self.done, rows) if self.total != self.done else rows


@dataclass(frozen=True)
class BatchRun:
    """Holds the settings with which a run began, whatever the user sets later."""

    model: str
    model_hash: str
    temperature: float
    label: int | None
    sharpening: Sharpening = field(default_factory=Sharpening, kw_only=True)
    artwork_kind: ArtworkKind = "picture"
    mix: ModelMixture | None = None
    palette: Palette = ()
    """The palette of the model; empty if it has none."""
    canvas_size: tuple[int, int] | None = None
    """(height, width) of pictures that do not have the model's own size."""
    seamless: bool = False

    def with_settings(self, temperature: float, share: float | None) -> "BatchRun":
        """Return the run with another temperature and share."""
        mix = self.mix
        if mix is not None and share is not None:
            mix = msgspec.structs.replace(mix, share=share)
        return replace(self, temperature=temperature, mix=mix)

    def command_fields(self) -> dict[str, Any]:
        """Return the fields of a command that draws with these settings."""
        mix = {"second_model": self.mix.model, "share": self.mix.share} if self.mix is not None else {}
        sharpening = self.sharpening.to_record()
        return {"model": self.model, "temperature": (self.temperature,), "label": self.label, **sharpening, **mix}

    def label_of(self, cell: Cell) -> int | None:
        """Return the class of a picture: the requested one until it is finished, then its own."""
        return self.label if cell.label is None else cell.label

    def work_of(self, cell: Cell) -> Work:
        """Return the recipe of a picture. An unfinished one has the recipe of the finished picture."""
        by = cell.drawn_with or DrawnWith()
        mix = self.mix
        if mix is not None:
            share = mix.share if by.share is None else by.share
            mix = msgspec.structs.replace(mix, share=share, share_map=by.share_map)
        return Work(
            medium=self.artwork_kind,
            model=self.model,
            model_hash=self.model_hash,
            seed=cell.seed,
            temperature=(self.temperature if by.temperature is None else by.temperature,),
            label=self.label_of(cell),
            palette=self.palette,
            temperature_map=by.temperature_map,
            **self.sharpening.to_record(),
            mix=mix,
            canvas_size=self.canvas_size,
            seamless=self.seamless,
            created=timestamp(),
        )

    def artwork_of(self, cell: Cell) -> Artwork | None:
        """Return a finished picture with its recipe; None while it is unfinished."""
        if cell.picture is None or not cell.finished:
            return None
        work = self.work_of(cell)
        return Artwork(cell.picture, work, file_names.clean_name(f"{self.model}-{cell.seed}{work.file_suffix}"))


# ── kept over a restart ──────────────────────────────────────────────────────────────────────────


def write_run(run: BatchRun, cells: Sequence[Cell], name: str = "grid") -> None:
    """Write a grid as one tall PNG with all recipes in it, so that no separate index is needed.

    A wave is a row of it, two grey pixels a sample. Its digest follows, by which `read_run` recognises it.
    """
    done = [cell for cell in cells if cell.picture is not None and cell.finished]
    stack = [_row(cell.picture) for cell in done if cell.picture is not None]
    if not stack or sum(picture.nbytes for picture in stack) > MAX_BYTES:
        return
    said = {
        "run": [run.model, run.model_hash, run.temperature, run.label, run.artwork_kind],
        "sharpening": run.sharpening.to_record(),
        "seeds": [cell.seed for cell in cells],
        "drawn": {str(cell.seed): cell.log_prob for cell in done},
        "labels": {str(cell.seed): cell.label for cell in done if cell.label is not None},
        "following": {str(cell.seed): cell.following_log_prob for cell in done if cell.following_log_prob is not None},
        "channels": stack[0].shape[2],
        "mix": msgspec.to_builtins(run.mix),
        "palette": run.palette,
        "canvas": [run.canvas_size, run.seamless],
        "drawn_with": _drawn_with_records(done),
    }
    with contextlib.suppress(NotSaved):  # every picture can be made again from its seed
        data = export.encode_png_bytes(np.concatenate(stack), {KEY: json.dumps(said)})
        storage.write_file(_path(name), data + storage.hash_bytes(data).encode())


def read_run(name: str = "grid") -> tuple[BatchRun, tuple[Cell, ...]] | None:
    """Read the kept grid; None if there is none or it cannot be read."""
    try:
        data = read_bytes(_path(name), name)
        if storage.hash_bytes(data[:-_DIGEST]).encode() != data[-_DIGEST:]:
            return None
        array = open_picture(_path(name)).array  # in this process, because every byte is as it was written
        said = GRID.to_present(json.loads(export.png_texts(data)[KEY]))
        model, digest, temperature, label, kind = said["run"]
        sharpening = msgspec.convert(said.get("sharpening", {}), Sharpening)
        drawn = said["drawn"]
        sound = kind == "sound"
        stack = np.split(array[..., : int(said["channels"])], len(drawn))
        stack = [np.ascontiguousarray(row).reshape(-1).view("<i2") for row in stack] if sound else stack
        parts = dict(zip(drawn, map(np.ascontiguousarray, stack), strict=True))
        labels = said["labels"]
        following = said["following"]
        bys = {str(seed): msgspec.convert(by, DrawnWith) for by, seeds in said["drawn_with"] for seed in seeds}
        cells = tuple(
            Cell(int(seed), parts[seed], 1, 1, drawn[seed], labels.get(seed), following.get(seed), bys.get(seed))
            if seed in parts
            else Cell(int(seed))
            for seed in map(str, said["seeds"])
        )
        mix = msgspec.convert(said["mix"], ModelMixture | None)
        palette = msgspec.convert(said.get("palette", ()), Palette)
        canvas = msgspec.convert(said.get("canvas", (None, False)), tuple[tuple[int, int] | None, bool])
        artwork_kind: ArtworkKind = "sound" if sound else "picture"
        run = BatchRun(
            str(model), str(digest), float(temperature), label, artwork_kind, mix, palette, *canvas,
            sharpening=sharpening,
        )  # fmt: skip
        return run, cells
    except (FileRefused, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, ZeroDivisionError):
        return None  # only a convenience was lost: every picture can be made again from its seed


def _row(picture: Array) -> Array:
    return picture if picture.ndim == 3 else picture.astype("<i2").view(np.uint8).reshape(1, -1, 1)


def _path(name: str) -> Path:
    return storage.home_folder("data") / f"{name}.png"


def _drawn_with_records(cells: Sequence[Cell]) -> list[list[Any]]:
    """Return each set of changed settings once, with the seeds of its pictures."""
    found: dict[int, list[Any]] = {}
    for cell in cells:
        if cell.drawn_with is not None:
            found.setdefault(id(cell.drawn_with), [msgspec.to_builtins(cell.drawn_with), []])[1].append(cell.seed)
    return list(found.values())
