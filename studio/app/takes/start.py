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
    """How a picture came back: `differing` of `total` values, by `largest` at most; its price in bits."""

    differing: int
    total: int
    largest: int
    bits: float
    is_bound: bool


@dataclass(frozen=True, eq=False)
class Start:
    """A picture of the artist's own as the latent from which sliders begin."""

    key: str
    """Of its latent: the name of its file without the ending."""
    latent: StoredArray
    source: str
    note: str
    round_trip: RoundTrip | None
    """None where it came with a work, which does not say."""
    kind: Literal["picture", "sound"] = "picture"

    @classmethod
    def from_encoded(cls, event: Encoded, preview: CropPreview, trained: InstalledModel) -> "Start":
        """The start that an engine made of a picture."""
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
        """The start that a work brings along, None where it began from a seed."""
        if work.latent is None:
            return None
        what = "wave" if work.medium == "sound" else "picture"
        note = f"Started from {work.source or f'a {what}'}"
        return cls(storage.hash_bytes(work.latent.data), work.latent, work.source, note, None, work.medium)

    def to_record(self) -> Record:
        """What its file, a work, does not say."""
        figures = self.round_trip
        said = [figures.differing, figures.total, figures.largest, figures.bits, figures.is_bound] if figures else None
        return {"note": self.note, "round_trip": said}

    @classmethod
    def from_record(cls, work: Work, plain: Record) -> "Start | None":
        """The start as it was kept: a work, and what `plain` gave."""
        start = cls.from_work(work)
        said = plain.get("round_trip")
        if start is None or said is None:
            return start
        differing, total, largest, bits, bound = said
        figures = RoundTrip(int(differing), int(total), int(largest), float(bits), bool(bound))
        return cls(start.key, start.latent, start.source, str(plain["note"]), figures, work.medium)
