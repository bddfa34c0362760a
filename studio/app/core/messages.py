"""Holds the messages to the user. One is shown at a time, and the last fifty are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QObject, Signal, SignalInstance

from studio.app.core.observable import State, Value

MAX_HISTORY = 50
Severity = Literal["info", "warn", "failed"]
MessageButton = tuple[str, Callable[[], object]]


@dataclass(frozen=True, eq=False)
class UserMessage:
    """Holds one message: what happened, what was kept, what to do; at most two buttons."""

    text: str
    severity: Severity = "info"
    buttons: tuple[MessageButton, ...] = ()
    panel: str = ""
    """The panel of the message, which is removed when the user leaves the panel. Empty: it belongs to the whole
    window."""


class _Expiry(QObject):
    """Removes a message at the first signal that makes it untrue."""

    def __init__(self, messages: "Messages", message: UserMessage, until: Sequence[SignalInstance]) -> None:
        super().__init__(messages)
        self._messages = messages
        self._message = message
        for signal in until:
            signal.connect(self._remove_message)

    def _remove_message(self, *_: object) -> None:
        self._messages.remove_message(self._message)


class Messages(State):
    """Shows messages of the whole window or of one panel.

    Its signals ask the window for what needs a view: a file dialog, the clipboard, the system's file manager.
    """

    file_requested = Signal(str, object)
    """Asks where to save a file. Carries a suggested name, and a callable that receives the chosen Path."""
    folder_requested = Signal(object)
    """Asks for a folder. Carries a callable that receives the chosen Path."""
    open_requested = Signal(str, object)
    """Asks for an existing file. Carries an ending such as `.safetensors`, and a callable that receives the Path."""
    reveal_requested = Signal(object)
    """Asks the window to show the folder of a Path."""

    copy_requested = Signal(object, object)
    """Asks the window to copy a picture or a sound. Carries it and its artwork, or None.

    A picture is (height, width, channels), a sound (samples,)."""
    paste_requested = Signal()
    """Asks the window to open the picture on the clipboard like a dropped file."""

    def __init__(self, whole: "Messages | None" = None, panel: str = "") -> None:
        super().__init__(whole)
        self._panel = panel
        self._expiry: _Expiry | None = None
        self.current: Value[UserMessage | None] = whole.current if whole is not None else Value(None, self)
        self.history: Value[tuple[UserMessage, ...]] = whole.history if whole is not None else Value((), self)
        """The last fifty messages, newest last."""
        if whole is not None:
            self.file_requested.connect(whole.file_requested)
            self.folder_requested.connect(whole.folder_requested)
            self.open_requested.connect(whole.open_requested)
            self.reveal_requested.connect(whole.reveal_requested)
            self.copy_requested.connect(whole.copy_requested)
            self.paste_requested.connect(whole.paste_requested)

    def for_panel(self, panel: str) -> "Messages":
        """Return the same message line for one panel. Its messages go when the user leaves the panel."""
        return Messages(self, panel)

    def show_message(
        self, text: str, severity: Severity = "info", *buttons: MessageButton, until: Sequence[SignalInstance] = ()
    ) -> None:
        """Show a message in place of the present one.

        A message with the same text only changes its buttons. The message is removed at the first signal of `until`,
        because it is then no longer true.
        """
        message = UserMessage(text, severity, buttons[:2], self._panel)
        before = self.history.get()
        if before and before[-1].text == text:
            before = before[:-1]
        self.history.set((*before, message)[-MAX_HISTORY:])
        self.current.set(message)
        if self._expiry is not None:
            self._expiry.deleteLater()
        self._expiry = _Expiry(self, message, until) if until else None

    def remove_message(self, message: UserMessage) -> None:
        """Remove a message if it is still shown."""
        if self.current.get() is message:
            self.current.set(None)

    def open_panel(self, panel: str) -> None:
        """Remove the message of any other panel, even one that arrived after its own panel was left."""
        message = self.current.get()
        if message is not None and message.panel not in ("", panel):
            self.current.set(None)

    def press_button(self, index: int) -> None:
        """Call the function of a button, and remove the message."""
        message = self.current.get()
        if message is not None and index < len(message.buttons):
            self.current.set(None)
            message.buttons[index][1]()

    def dismiss(self) -> None:
        """Remove the present message; it stays among the last fifty."""
        self.current.set(None)
