"""Keeps the user's own picture as the latent from which sliders begin."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from studio.app.core.observable import Record
from studio.app.files.importing import CropPreview
from studio.library import storage
from studio.library.models import InstalledModel
from studio.library.work import StoredArray, Work
from studio.wire.messages import Encoded

_CUT = {"crop": "cropped to the middle and scaled", "fit": "squeezed", "pad": "scaled with margins"}


@dataclass(frozen=True)
class RoundTrip:
    """Describes how exactly a picture was restored from its latent.

    `differing` of `total` values differ, by `largest` at most. `bits` is the information in the picture.
    """

    differing: int
    total: int
    largest: int
    bits: float
    is_bound: bool


@dataclass(frozen=True, eq=False)
class Start:
    """Holds the user's own picture as the latent from which sliders begin."""

    key: str
    """The key of its latent: the name of its file without the ending."""
    latent: StoredArray
    source: str
    note: str
    round_trip: RoundTrip | None
    """None if it came with an artwork, which does not record it."""
    kind: Literal["picture", "sound"] = "picture"

    @classmethod
    def from_encoded(cls, event: Encoded, preview: CropPreview, trained: InstalledModel) -> "Start":
        """Return the start that the engine encoded from a picture."""
        latent = StoredArray.from_array(np.asarray(event.latent))
        name = preview.picture.name
        notes = "".join(f"; {note}" for note in preview.picture.notes)
        if preview.is_own_work:
            note = f"Begun from {name}"
        elif trained.card.kind == "sound":
            note = f"Your wave is {name}{notes}"
        else:
            _, height, width = trained.card.shape
            cut = _CUT[preview.mode] if preview.box is None else "cut out and scaled"
            note = f"Your picture is {name}, {cut} to {width} × {height}{notes}"
        figures = RoundTrip(event.differing, event.total, event.largest_difference, event.bits, event.is_bound)
        return cls(storage.hash_bytes(latent.data), latent, name, note, figures, trained.card.kind)

    @classmethod
    def from_work(cls, work: Work) -> "Start | None":
        """Return the start in an artwork; None if the artwork began from a seed."""
        if work.latent is None:
            return None
        noun = "wave" if work.kind == "sound" else "picture"
        note = f"Started from {work.source or f'a {noun}'}"
        return cls(storage.hash_bytes(work.latent.data), work.latent, work.source, note, None, work.kind)

    def to_record(self) -> Record:
        """Return what the file of the start, an artwork, does not contain."""
        round_trip = self.round_trip
        values = None
        if round_trip is not None:
            values = [
                round_trip.differing,
                round_trip.total,
                round_trip.largest,
                round_trip.bits,
                round_trip.is_bound,
            ]
        return {"note": self.note, "figures": values}

    @classmethod
    def from_record(cls, work: Work, record: Record) -> "Start | None":
        """Return a stored start from its artwork and the record of `to_record`."""
        start = cls.from_work(work)
        values = record.get("figures")
        if start is None or values is None:
            return start
        differing, total, largest, bits, bound = values
        round_trip = RoundTrip(int(differing), int(total), int(largest), float(bits), bool(bound))
        return cls(start.key, start.latent, start.source, str(record["note"]), round_trip, work.kind)
