"""What Explore shows: where its sliders begin, what a picture is made from, and whether one's own comes back."""

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from studio.app.states.models import hash_of
from studio.app.states.value import Plain
from studio.library import storage
from studio.library.card import Card
from studio.library.models import Trained
from studio.library.work import Latent, Work
from studio.media.image import Box, Picture
from studio.media.sound import Wave
from studio.wire.messages import Array, Encoded, Explore

DRAWN = frozenset({"model", "seed", "start", "sliders", "temperatures", "label"})
"""What of a record a picture depends on."""
How = Literal["crop", "fit", "pad"]
_CUT = {"crop": "cropped to the middle and scaled", "fit": "squeezed", "pad": "scaled with margins"}


@dataclass(frozen=True)
class Badge:
    """Whether the artist's own picture comes back. kind None: nothing is known, or there is none of their own."""

    kind: Literal["exact", "differs", "approximate", "working"] | None = None
    words: str = ""
    """`Exact`, `12 of 12,288 values differ by 1`, `Approximate`, `Looking`."""
    detail: str = ""
    """What follows in plain type: `with every slider at home, x.jpg comes back byte for byte`."""
    note: str = ""
    """A second line: `Your picture is x.jpg, cropped to the middle and scaled to 32 × 32`."""


@dataclass(frozen=True, eq=False)
class Photo:
    """The crop preview: the whole picture, how it is cut, and what the model will see of it; or a wave, as it is."""

    picture: Picture | Wave
    how: How
    box: Box | None
    """(left, top, right, bottom) as fractions of the picture; None leaves it to `how`."""
    seen: Array
    """(height, width, channels) uint8, or (samples,) int16, in the model's shape."""
    made: bool = False
    """Whether its own model made it, so that nothing had to be cut."""


@dataclass(frozen=True)
class Figures:
    """How a picture came back: `differing` of `total` values, by `largest` at most; its price in bits."""

    differing: int
    total: int
    largest: int
    bits: float
    bound: bool


@dataclass(frozen=True, eq=False)
class Start:
    """A picture of the artist's own as the latent from which sliders begin."""

    key: str
    """Of its latent: the name of its file without the ending."""
    latent: Latent
    source: str
    note: str
    figures: Figures | None
    """None where it came with a work, which does not say."""
    kind: Literal["picture", "sound"] = "picture"

    @classmethod
    def of(cls, event: Encoded, photo: Photo, trained: Trained) -> "Start":
        """The start that an engine made of a picture."""
        latent = Latent.of(np.asarray(event.latent))
        name, notes = photo.picture.name, "".join(f"; {note}" for note in photo.picture.notes)
        if photo.made:
            note = f"Begun from {name}"
        elif trained.card.kind == "sound":
            note = f"Your wave is {name}{notes}"
        else:
            _, height, width = trained.card.shape
            cut = _CUT[photo.how] if photo.box is None else "cut out and scaled"
            note = f"Your picture is {name}, {cut} to {width} × {height}{notes}"
        figures = Figures(event.differing, event.total, event.largest, event.bits, event.bound)
        return cls(storage.digest(latent.data), latent, name, note, figures, trained.card.kind)

    @classmethod
    def of_work(cls, work: Work) -> "Start | None":
        """The start that a work brings along, None where it began from a seed."""
        if work.latent is None:
            return None
        what = "wave" if work.kind == "sound" else "picture"
        note = f"Started from {work.source or f'a {what}'}"
        return cls(storage.digest(work.latent.data), work.latent, work.source, note, None, work.kind)

    def plain(self) -> Plain:
        """What its file, a work, does not say."""
        figures = self.figures
        said = [figures.differing, figures.total, figures.largest, figures.bits, figures.bound] if figures else None
        return {"note": self.note, "figures": said}

    @classmethod
    def of_plain(cls, work: Work, plain: Plain) -> "Start | None":
        """The start as it was kept: a work, and what `plain` gave."""
        start = cls.of_work(work)
        said = plain.get("figures")
        if start is None or said is None:
            return start
        differing, total, largest, bits, bound = said
        figures = Figures(int(differing), int(total), int(largest), float(bits), bool(bound))
        return cls(start.key, start.latent, start.source, str(plain["note"]), figures, work.kind)


@dataclass(frozen=True, eq=False)
class Scene:
    """All that a picture is made from."""

    trained: Trained
    seed: int
    start: Start | None
    sliders: tuple[float, ...]
    temperatures: tuple[float, ...]
    label: int | None

    def question(self, job: str) -> Explore:
        """What the engine is asked."""
        return Explore(
            job=job,
            hand="explore",
            model=self.trained.card.name,
            seed=self.seed,
            latent=self.start.latent.array() if self.start is not None else None,
            sliders=self.sliders,
            temperature=self.temperatures,
            label=self.label,
        )

    def work(self) -> Work:
        """All it takes to make the picture again, made now."""
        return Work(
            kind=self.trained.card.kind,
            model=self.trained.card.name,
            model_hash=hash_of(self.trained),
            seed=self.seed,
            temperature=self.temperatures,
            sliders=self.sliders,
            label=self.label,
            latent=self.start.latent if self.start is not None else None,
            source=self.start.source if self.start is not None else "",
            made=datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        )

    def name(self) -> str:
        """A file name to suggest."""
        stem = Path(self.start.source).stem if self.start is not None else str(self.seed)
        return storage.clean(f"{self.trained.card.name}-{stem}.{'wav' if self.trained.card.kind == 'sound' else 'png'}")


def badge(start: Start | None, looking: str, card: Card) -> Badge:
    """What is honestly said of a start.

    Arguments
        looking: the name of a picture that is being encoded
        card: of the model that has it
    """
    if looking:
        return Badge("working", "Looking", f"how {looking} comes back")
    if start is None:
        return Badge()
    figures = start.figures
    if figures is None:
        return Badge(note=start.note)
    still = "with every slider at home" if card.directions else ""
    if figures.differing == 0:
        detail = ", ".join(filter(None, (still, f"{start.source} comes back {card.alike}")))
        return Badge("exact", "Exact", detail, start.note)
    what = "wave" if start.kind == "sound" else "picture"
    count = f"{figures.differing:,} of {figures.total:,} values differ"
    if figures.bound:
        return Badge("approximate", "Approximate", f"this model keeps the gist of a {what}: {count}", start.note)
    by = "by 1" if figures.largest == 1 else f"by up to {figures.largest}"
    return Badge("differs", f"{count} {by}", ". ".join(filter(None, (still, "Your file is untouched"))), start.note)
