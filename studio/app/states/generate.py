"""Generate: make pictures from seeds, watch them form, choose, keep."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal

from studio.app.states.history import History
from studio.app.states.messages import Messages
from studio.app.states.models import Models
from studio.app.states.queue import Queue
from studio.app.states.value import Engine, State, Value
from studio.library.models import Trained
from studio.wire.messages import AnyCommand, AnyEvent, Array


@dataclass(frozen=True, eq=False)
class Cell:
    """One place of the grid: the seed, and the picture as far as it is; finished when done == total > 0."""

    seed: int
    picture: Array | None = None
    """(height, width, channels) uint8."""
    done: int = 0
    total: int = 0
    log_prob: float | None = None
    """Nats, once finished."""

    @property
    def finished(self) -> bool:
        return self.picture is not None and self.done == self.total


class Generate(State):
    """The panel Generate."""

    to_explore = Signal(object, object)
    """A studio.library.work.Work and its picture, to be opened in Explore."""

    def __init__(self, engine: Engine, models: Models, messages: Messages, queue: Queue) -> None:
        super().__init__()
        self._engine, self._models, self._messages, self._queue = engine, models, messages, queue
        self.model: Value[Trained | None] = Value(None, self)
        self.number: Value[int] = Value(16, self)
        """1 to 4096 pictures."""
        self.seed: Value[int] = Value(0, self)
        """0 to 2**53 - 1: of the first picture; the next ones count up from it."""
        self.locked: Value[bool] = Value(False, self)
        """Whether the next run keeps the seed."""
        self.temperature: Value[float] = Value(1.0, self)
        """0.0 to 4.0; its home is the model's own card.temperature."""
        self.label: Value[int | None] = Value(None, self)
        """Index into card.classes, None for any."""
        self.error: Value[str] = Value("", self)
        """What is wrong with the seed that was typed, as a sentence; empty when nothing is."""
        self.cells: Value[tuple[Cell, ...]] = Value((), self)
        self.chosen: Value[int | None] = Value(None, self)
        """Index of the cell with the ring."""
        self.enlarged: Value[int | None] = Value(None, self)
        """Index of the cell shown large, None for the grid."""
        self.running: Value[bool] = Value(False, self)
        self.progress: Value[str] = Value("", self)
        """The caption below the grid."""
        self.can_start: Value[bool] = Value(False, self)
        """Whether there is a model to make pictures with and no run is under way."""
        self.can_go_on: Value[bool] = Value(False, self)
        """Whether a stopped or lost run has pictures left to make."""
        self.can_save: Value[bool] = Value(False, self)
        """Whether any picture of the grid is finished."""
        self.main: Value[str] = Value("Generate", self)
        """What the main button says: `Generate`, `Starts when ready` or `Stop`."""
        self.history = History(self._apply, self)

    def choose_model(self, name: str) -> None: ...
    def set_number(self, number: int) -> None: ...
    def set_seed(self, seed: int | str) -> None:
        """Text that is no seed leaves the last one and says so in `error`."""

    def new_seed(self) -> None:
        """Roll another seed."""

    def lock(self, on: bool) -> None: ...
    def set_temperature(self, temperature: float, gesture: str | None = None) -> None: ...
    def set_label(self, label: int | None) -> None: ...
    def generate(self) -> None:
        """Make the pictures; while a run is under way, the same again after it."""

    def stop(self) -> None:
        """Stop now and keep what is drawn."""

    def go_on(self) -> None:
        """Make the pictures that a stopped or lost run left unfinished."""

    def choose(self, index: int | None) -> None: ...
    def enlarge(self, index: int | None) -> None: ...
    def name_of(self, index: int) -> str:
        """A file name to suggest for a cell: `realnvp-emoji-32-4112.png`."""
        return ""

    def save(self, index: int, path: Path) -> bool:
        """Save a finished picture as PNG with its making inside; whether it was saved. Says the outcome."""
        return False

    def save_all(self, folder: Path) -> int:
        """Save every finished picture into a folder; how many were."""
        return 0

    def open_in_explore(self, index: int) -> None: ...
    def take(self, event: AnyEvent) -> None: ...
    def lost(self, commands: list[AnyCommand]) -> None:
        """The engine died with these commands unanswered: keep what is finished, offer the rest."""

    def _apply(self, record: dict[str, object]) -> None: ...
