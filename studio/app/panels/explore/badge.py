"""Says whether the user's own picture comes back exactly."""

from dataclasses import dataclass
from typing import Literal

from studio.app.takes.start import Start
from studio.library.card import Card
from studio.library.work import is_beyond_precision


@dataclass(frozen=True)
class Badge:
    """Says whether the user's own picture comes back. If `kind` is None, nothing is known, or there is no picture."""

    kind: Literal["exact", "differs", "approximate", "working"] | None = None
    text: str = ""
    """`Exact`, `12 of 12,288 values differ by 1`, `Approximate`, `Checking`."""
    detail: str = ""
    """The text beside it: `with every slider at home, x.jpg comes back byte for byte`."""
    note: str = ""
    """A second line: `Your picture is x.jpg, cropped to the middle and scaled to 32 × 32`."""


def badge_of(start: Start | None, waiting: str, card: Card) -> Badge:
    """Return the badge of a start.

    Arguments
        waiting: the name of a picture that is being encoded
        card: of the model that encoded it
    """
    if waiting:
        return Badge("working", "Checking", f"how exactly {waiting} comes back")
    if start is None:
        return Badge()
    figures = start.round_trip
    if figures is None:
        return Badge(note=start.note)
    still = "with every slider at home" if card.directions else ""
    if figures.differing == 0:
        detail = ", ".join(filter(None, (still, f"{start.source} comes back {card.round_trip_text}")))
        return Badge("exact", "Exact", detail, start.note)
    what = "wave" if start.kind == "sound" else "picture"
    count = f"{figures.differing:,} of {figures.total:,} values differ"
    if figures.is_bound:
        return Badge("approximate", "Approximate", f"this model keeps the gist of a {what}: {count}", start.note)
    by = "by 1" if figures.largest == 1 else f"by up to {figures.largest}"
    if is_beyond_precision(start.latent.to_array()):
        still = f"because this {what} is too unlike the training data"
    detail = ". ".join(filter(None, (still, "Your file is untouched")))
    return Badge("differs", f"{count} {by}", detail, start.note)
