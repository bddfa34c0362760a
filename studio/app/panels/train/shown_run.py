"""Describes the run that the panel shows."""

from dataclasses import dataclass
from pathlib import Path

from studio.library.card import PIXEL_BY_PIXEL
from studio.library.runs import RunPlace


@dataclass(frozen=True)
class ShownRun:
    """Describes the run that the panel shows."""

    folder: Path
    title: str
    name: str
    family: str
    shape: tuple[int, ...]
    sample_rate: int
    steps: int
    source: str
    """The folder that it learns from; empty if unknown."""
    evaluate_every: int = 0
    patience: int = 0
    """As in the plan of the training; 0 if unknown."""
    place: RunPlace | None = None
    """The other computer that trains it; None for this one."""

    @property
    def things(self) -> str:
        """Return the word for its artworks: `pictures` or `sounds`."""
        return "pictures" if len(self.shape) == 3 else "sounds"

    @property
    def play_panel(self) -> str:
        """Return the panel in which the model is best played with."""
        if self.sample_rate:
            return "sound"
        return "complete" if self.family in PIXEL_BY_PIXEL else "explore"
