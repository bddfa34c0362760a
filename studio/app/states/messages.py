"""What the window says to the person: one message at a time, the last fifty kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import Signal

from studio.app.states.value import State, Value

KEPT = 50
Kind = Literal["info", "warn", "failed"]
Action = tuple[str, Callable[[], object]]


@dataclass(frozen=True, eq=False)
class Said:
    """One message: what happened, what is kept, what to do; at most two buttons named by what they do."""

    text: str
    kind: Kind = "info"
    actions: tuple[Action, ...] = ()


class Messages(State):
    """The message line. Its signals ask the window for what only a window can: a place on the disk, a file, a look."""

    where = Signal(str, object)
    """A suggested file name, and a callable that takes the Path which the person chose."""
    where_folder = Signal(object)
    """A callable that takes the Path of the folder which the person chose."""
    which = Signal(str, object)
    """Asks for a file that is there: an ending such as `.safetensors`, and a callable that takes its Path."""
    reveal = Signal(object)
    """Asks the window to show the folder of a Path."""

    copy = Signal(object, object)
    """Asks for a picture (height, width, channels) on the clipboard, with its work or None."""
    paste = Signal()
    """Asks for the picture that is on the clipboard, to be opened as if it had been dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.current: Value[Said | None] = Value(None, self)
        self.history: Value[tuple[Said, ...]] = Value((), self)
        """The last fifty, newest last."""

    def say(self, text: str, kind: Kind = "info", *actions: Action) -> None:
        """Show a message in place of the present one; the same words again only change its buttons."""
        said, before = Said(text, kind, actions[:2]), self.history.get()
        if before and before[-1].text == text:
            before = before[:-1]
        self.history.set((*before, said)[-KEPT:])
        self.current.set(said)

    def act(self, index: int) -> None:
        """Press a button of the present message, which then goes."""
        said = self.current.get()
        if said is not None and index < len(said.actions):
            self.current.set(None)
            said.actions[index][1]()

    def dismiss(self) -> None:
        """Let the present message go; it stays among the last fifty."""
        self.current.set(None)
