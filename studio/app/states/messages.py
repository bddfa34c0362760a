"""What the window says to the person: one message at a time, the last fifty kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal, SignalInstance

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
    panel: str = ""
    """The panel that it is about: it goes when that panel is left. Empty: it is about the whole window."""


class _Ground(QObject):
    """Lets a message go at the first of the signals that say that it does not hold any more."""

    def __init__(self, messages: "Messages", said: Said, until: Sequence[SignalInstance]) -> None:
        super().__init__(messages)
        self._messages, self._said = messages, said
        for signal in until:
            signal.connect(self._give_way)

    def _give_way(self, *_: object) -> None:
        self._messages.let_go(self._said)


class Messages(State):
    """The message line, for the whole window or as one panel uses it.

    Its signals ask the window for what only a window can: a place on the disk, a file, a look."""

    where = Signal(str, object)
    """A suggested file name, and a callable that takes the Path which the person chose."""
    where_folder = Signal(object)
    """A callable that takes the Path of the folder which the person chose."""
    which = Signal(str, object)
    """Asks for a file that is there: an ending such as `.safetensors`, and a callable that takes its Path."""
    reveal = Signal(object)
    """Asks the window to show the folder of a Path."""

    copy = Signal(object, object)
    """Asks for a picture (height, width, channels), or a sound (samples,), on the clipboard, with its work or None."""
    paste = Signal()
    """Asks for the picture that is on the clipboard, to be opened as if it had been dropped."""

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
        """Show a message in place of the present one; the same words again only change its buttons.

        The message goes at the first signal of `until`: then what it says does not hold any more.
        """
        said, before = Said(text, kind, actions[:2], self._panel), self.history.get()
        if before and before[-1].text == text:
            before = before[:-1]
        self.history.set((*before, said)[-KEPT:])
        self.current.set(said)
        if self._ground is not None:
            self._ground.deleteLater()
        self._ground = _Ground(self, said, until) if until else None

    def let_go(self, said: Said) -> None:
        """Let a message go, if it is still the present one."""
        if self.current.get() is said:
            self.current.set(None)

    def leave(self, panel: str) -> None:
        """Another panel is in front now: what is about this one goes."""
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
        """Let the present message go; it stays among the last fifty."""
        self.current.set(None)
