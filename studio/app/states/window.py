"""The window as a whole: its panels, the engine's state, drops, and how it comes back as it was left."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from studio.app.states.explore import Explore
from studio.app.states.generate import Generate
from studio.app.states.messages import Messages
from studio.app.states.models import Models
from studio.app.states.queue import Queue
from studio.app.states.value import Engine, Plain, State, Value

PANELS = ("generate", "explore", "complete", "sound", "train", "library")
Theme = Literal["system", "light", "dark"]
Contrast = Literal["system", "normal", "high"]


class Settings(Protocol):
    """Where the window's state is kept (studio.app.settings)."""

    def read(self) -> tuple[Plain, str]: ...
    def write(self, plain: Plain) -> None: ...


class Window(State):
    """The root of all states; its parts are `models`, `messages`, `queue`, `generate`, `explore`."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__()
        self.engine = engine
        self._settings = settings
        self.models = Models()
        self.messages = Messages()
        self.queue = Queue(engine)
        self.generate = Generate(engine, self.models, self.messages, self.queue)
        self.explore = Explore(engine, self.models, self.messages)
        self.panel: Value[str] = Value("generate", self)
        """One of PANELS."""
        self.status: Value[str] = Value("Starting", self)
        """The engine in a word: `Starting`, `Ready`, `Working`, `Stopped`."""
        self.device: Value[str] = Value("", self)
        """What the engine works on, for people: `Processor, 2 threads`."""
        self.theme: Value[Theme] = Value("system", self)
        self.contrast: Value[Contrast] = Value("system", self)
        self.smooth: Value[bool] = Value(False, self)
        """Whether pictures are blended instead of shown as squares."""
        self.geometry: Value[bytes] = Value(b"", self)
        """QWidget.saveGeometry."""
        self.layout: Value[dict[str, Any]] = Value({}, self)
        """Sizes that views keep: inspector width and the like; plain data."""

    def show_panel(self, name: str) -> None: ...
    def begin(self) -> None:
        """Look for models, come back as left, and listen to the engine. Call once, before the window shows."""

    def would(self, paths: Sequence[Path]) -> str:
        """What a drop of these files would do: `Open in Explore`, `Restore this work`, `Add this model`, or
        a sentence that says why nothing would happen."""
        return ""

    def drop(self, paths: Sequence[Path]) -> None:
        """Do it."""

    def undo(self) -> None:
        """Take back the last step of the panel that is open."""

    def redo(self) -> None: ...
    def save(self) -> None:
        """Write the state down now."""

    def close(self) -> None:
        """Write the state down for the last time."""
