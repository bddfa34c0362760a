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
    """Holds how exactly a picture was restored: `differing` of `total` values, by `largest` at most; and its bits."""

    differing: int
    total: int
    largest: int
    bits: float
    is_bound: bool


@dataclass(frozen=True, eq=False)
class Start:
    """Holds the user's own picture or wave as the latent from which sliders begin."""

    key: str
    """The hash of the latent. It is also the name of the start's file, without the ending."""
    latent: StoredArray
    source: str
    note: str
    round_trip: RoundTrip | None
    """None if the start came from a recipe, which does not hold it."""
    kind: Literal["picture", "sound"] = "picture"

    @classmethod
    def from_encoded(cls, event: Encoded, preview: CropPreview, trained: InstalledModel) -> "Start":
        """Return the start for a picture that the engine has encoded."""
        latent = StoredArray.from_array(np.asarray(event.latent))
        name = preview.picture.name
        notes = "".join(f"; {note}" for note in preview.picture.notes)
        if preview.is_own_work:
            note = f"Begun from {name}"
        elif trained.card.medium == "sound":
            note = f"Your wave is {name}{notes}"
        else:
            _, height, width = trained.card.shape
            cut = _CUT[preview.mode] if preview.box is None else "cut out and scaled"
            note = f"Your picture is {name}, {cut} to {width} × {height}{notes}"
        figures = RoundTrip(event.differing, event.total, event.largest_difference, event.bits, event.is_bound)
        return cls(storage.hash_bytes(latent.data), latent, name, note, figures, trained.card.medium)

    @classmethod
    def from_work(cls, work: Work) -> "Start | None":
        """Return the start in a recipe; None if the work began from a seed."""
        if work.latent is None:
            return None
        what = "wave" if work.medium == "sound" else "picture"
        note = f"Started from {work.source or f'a {what}'}"
        return cls(storage.hash_bytes(work.latent.data), work.latent, work.source, note, None, work.medium)

    def to_record(self) -> Record:
        """Return the fields that the recipe in its file does not hold."""
        figures = self.round_trip
        said = [figures.differing, figures.total, figures.largest, figures.bits, figures.is_bound] if figures else None
        return {"note": self.note, "round_trip": said}

    @classmethod
    def from_record(cls, work: Work, plain: Record) -> "Start | None":
        """Return a stored start, from its recipe and the result of `to_record`."""
        start = cls.from_work(work)
        said = plain.get("round_trip")
        if start is None or said is None:
            return start
        differing, total, largest, bits, bound = said
        figures = RoundTrip(int(differing), int(total), int(largest), float(bits), bool(bound))
        return cls(start.key, start.latent, start.source, str(plain["note"]), figures, work.medium)
