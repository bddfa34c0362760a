"""Holds the messages to the user: one is shown at a time, and the last fifty are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal, SignalInstance

from studio.app.core.observable import State, Value

KEPT = 50
Kind = Literal["info", "warn", "failed"]
Action = tuple[str, Callable[[], object]]


@dataclass(frozen=True, eq=False)
class Said:
    """Holds one message: what happened, what was kept, what to do, and at most two buttons."""

    text: str
    kind: Kind = "info"
    actions: tuple[Action, ...] = ()
    panel: str = ""
    """The panel it belongs to; it goes when the user leaves this panel. Empty: it belongs to the whole window."""


class _Ground(QObject):
    """Removes a message at the first of the signals which say that it is no longer true."""

    def __init__(self, messages: "Messages", said: Said, until: Sequence[SignalInstance]) -> None:
        super().__init__(messages)
        self._messages = messages
        self._said = said
        for signal in until:
            signal.connect(self._give_way)

    def _give_way(self, *_: object) -> None:
        self._messages.let_go(self._said)


class Messages(State):
    """Shows messages of the whole window or of one panel.

    Its signals ask the window for what needs a view: a file dialog, the clipboard, the system's file manager.
    """

    where = Signal(str, object)
    """Asks where to save a file: a suggested name, and a callable that receives the chosen Path."""
    where_folder = Signal(object)
    """Asks for a folder: a callable that receives the chosen Path."""
    which = Signal(str, object)
    """Asks for an existing file: an ending such as `.safetensors`, and a callable that receives its Path."""
    reveal = Signal(object)
    """Asks the window to show the folder of a Path."""

    copy = Signal(object, object)
    """Asks the window to copy a picture (height, width, channels) or a sound (samples,), with its work or None."""
    paste = Signal()
    """Asks the window to open the picture on the clipboard like a dropped file."""

    def __init__(self, whole: "Messages | None" = None, panel: str = "") -> None:
        super().__init__(whole)
        self._panel = panel
        self._ground: _Ground | None = None
        self.current: Value[Said | None] = whole.current if whole is not None else Value(None, self)
        self.history: Value[tuple[Said, ...]] = whole.history if whole is not None else Value((), self)
        """The last fifty, newest last."""
        if whole is not None:
            self.where.connect(whole.where)
            self.where_folder.connect(whole.where_folder)
            self.which.connect(whole.which)
            self.reveal.connect(whole.reveal)
            self.copy.connect(whole.copy)
            self.paste.connect(whole.paste)

    def of(self, panel: str) -> "Messages":
        """Return the same message line for one panel. Its messages go when the user leaves the panel."""
        return Messages(self, panel)

    def say(self, text: str, kind: Kind = "info", *actions: Action, until: Sequence[SignalInstance] = ()) -> None:
        """Show a message in place of the present one; a message with the same text only changes its buttons.

        The message goes at the first signal of `until`, because it is then no longer true.
        """
        said = Said(text, kind, actions[:2], self._panel)
        before = self.history.get()
        if before and before[-1].text == text:
            before = before[:-1]
        self.history.set((*before, said)[-KEPT:])
        self.current.set(said)
        if self._ground is not None:
            self._ground.deleteLater()
        self._ground = _Ground(self, said, until) if until else None

    def let_go(self, said: Said) -> None:
        """Remove a message if it is still shown."""
        if self.current.get() is said:
            self.current.set(None)

    def leave(self, panel: str) -> None:
        """Remove the message of a panel that the user leaves."""
        said = self.current.get()
        if said is not None and said.panel == panel:
            self.current.set(None)

    def act(self, index: int) -> None:
        """Press a button of the present message, which then goes."""
        said = self.current.get()
        if said is not None and index < len(said.actions):
            self.current.set(None)
            said.actions[index][1]()

    def dismiss(self) -> None:
        """Remove the present message; it stays among the last fifty."""
        self.current.set(None)
