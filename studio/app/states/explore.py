"""Explore: one picture, sliders on its latent, pictures of one's own, takes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from studio.app.states.history import History
from studio.app.states.messages import Messages
from studio.app.states.models import Models
from studio.app.states.value import Engine, State, Value
from studio.library.models import Trained
from studio.library.work import Work
from studio.media.image import Picture
from studio.wire.messages import AnyCommand, AnyEvent, Array

How = Literal["crop", "fit", "pad"]


@dataclass(frozen=True)
class Badge:
    """Whether the artist's own picture comes back. kind None: there is none of their own."""

    kind: Literal["exact", "differs", "approximate", "working"] | None = None
    words: str = ""
    """`Exact`, `12 of 12,288 values differ by 1`, `Approximate`, `Looking`."""
    detail: str = ""
    """What follows in plain type: `with every slider at home, x.jpg comes back byte for byte`."""
    note: str = ""
    """A second line: `Your picture is x.jpg, cropped to the middle and scaled to 32 × 32`."""


@dataclass(frozen=True, eq=False)
class Photo:
    """The crop preview: the whole picture, how it is cut, and what the model will see of it."""

    picture: Picture
    how: How
    box: tuple[float, float, float, float] | None
    """(left, top, right, bottom) as fractions of the picture; None leaves it to `how`."""
    seen: Array
    """(height, width, channels) uint8 in the model's shape."""


@dataclass(frozen=True, eq=False)
class Take:
    """A picture that was kept, with its making."""

    picture: Array
    work: Work
    name: str


class Explore(State):
    """The panel Explore."""

    def __init__(self, engine: Engine, models: Models, messages: Messages) -> None:
        super().__init__()
        self._engine, self._models, self._messages = engine, models, messages
        self.model: Value[Trained | None] = Value(None, self)
        self.seed: Value[int] = Value(0, self)
        self.locked: Value[bool] = Value(False, self)
        self.error: Value[str] = Value("", self)
        """What is wrong with the seed that was typed, as a sentence; empty when nothing is."""
        self.sliders: Value[tuple[float, ...]] = Value((), self)
        """One for each direction of the model, -4.0 to 4.0, home is 0."""
        self.names: Value[tuple[str, ...]] = Value((), self)
        """Name of each direction."""
        self.temperatures: Value[tuple[float, ...]] = Value((1.0,), self)
        """One for each scale, 0.0 to 2.0."""
        self.homes: Value[tuple[float, ...]] = Value((1.0,), self)
        """Home of each temperature: the model's own, or 1 where a picture was opened."""
        self.scales: Value[tuple[str, ...]] = Value(("Temperature",), self)
        """Name of each scale, coarse to fine."""
        self.picture: Value[Array | None] = Value(None, self)
        """(height, width, channels) uint8, the newest answer."""
        self.badge: Value[Badge] = Value(Badge(), self)
        self.takes: Value[tuple[Take, ...]] = Value((), self)
        self.current: Value[int | None] = Value(None, self)
        """Index of the take that the stage shows, None where it shows something newer."""
        self.source: Value[str] = Value("", self)
        """Name of the artist's own picture, empty where the start is a seed."""
        self.photo: Value[Photo | None] = Value(None, self)
        """The crop preview, while a picture is being brought in."""
        self.busy: Value[bool] = Value(False, self)
        """Whether a picture is being opened or encoded."""
        self.history = History(self._apply, self)

    def choose_model(self, name: str) -> None: ...
    def begin_move(self, index: int) -> None:
        """A hand takes a slider: until `end_move` every move is one step."""

    def move(self, index: int, value: float) -> None: ...
    def end_move(self) -> None: ...
    def home(self, index: int) -> None: ...
    def home_all(self) -> None:
        """Every slider back to the start."""

    def set_temperature(self, index: int, value: float, gesture: str | None = None) -> None: ...
    def home_temperatures(self) -> None: ...
    def lock(self, on: bool) -> None: ...
    def new_start(self, seed: int | str | None = None) -> None:
        """Begin from a seed, another one where none is given; a locked seed stays unless one is given."""

    def open(self, path: Path) -> None:
        """Bring in a picture of the artist's own: it is decoded beside the window and shown for cropping."""

    def set_crop(self, how: How, box: tuple[float, float, float, float] | None = None) -> None: ...
    def use_photo(self) -> None:
        """Start from the picture in the crop preview."""

    def cancel_photo(self) -> None: ...
    def keep_take(self) -> None: ...
    def choose_take(self, index: int) -> None: ...
    def drop_take(self, index: int) -> None:
        """Take a take off the strip; undo brings it back."""

    def rename(self, index: int, label: str) -> None:
        """Name a direction."""

    def name_of(self) -> str:
        """A file name to suggest for the picture on the stage."""
        return ""

    def export(self, path: Path) -> bool:
        """Save the picture as PNG with its making inside; whether it was saved. Says the outcome."""
        return False

    def restore_work(self, work: Work, picture: Array | None = None) -> bool:
        """Bring back model, start, temperatures and sliders of a work; whether its model is here."""
        return False

    def take(self, event: AnyEvent) -> None: ...
    def lost(self, commands: list[AnyCommand]) -> None:
        """The engine died with these commands unanswered: the picture stays, drawing it again is offered."""

    def _apply(self, record: dict[str, object]) -> None: ...
