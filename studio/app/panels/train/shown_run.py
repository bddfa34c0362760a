"""Describes the run that the panel shows."""

from dataclasses import dataclass
from pathlib import Path

from studio.library.card import PIXEL_BY_PIXEL
from studio.library.runs import RunConfig, RunPlace


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
    palette_size: int = 0
    """The number of indexed colours; 0 if there is no palette."""

    @classmethod
    def of(cls, folder: Path, config: RunConfig, source: str, place: RunPlace | None) -> "ShownRun":
        """Describe a run by its config."""
        return cls(
            folder,
            config.title,
            config.name,
            str(config.recipe.get("family", "")),
            config.shape,
            config.sample_rate,
            int(config.plan.get("steps", 0)),
            source,
            int(config.plan.get("evaluate_every", 0)),
            int(config.plan.get("patience", 0)),
            place,
            config.palette_size,
        )

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
