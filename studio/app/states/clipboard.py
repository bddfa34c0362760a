"""Converts pictures for the system's clipboard. Only a view can reach the clipboard itself."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.app.states.exporting import Exporting
from studio.app.states.later import Later
from studio.app.states.messages import Messages
from studio.app.states.value import State
from studio.library import storage
from studio.library.storage import NotSaved
from studio.library.work import Work, to_png
from studio.media import export
from studio.wire.messages import Array


class Clipboard(State):
    """Encodes copied pictures and stores pasted ones in another thread, because large ones take a while."""

    copied = Signal(object)
    """The bytes of a PNG, with its recipe if the picture has one."""
    pasted = Signal(object)
    """The path of a file with the pasted picture, which is opened like a dropped file."""

    def __init__(self, messages: Messages, exporting: Exporting, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._exporting = exporting
        self._copying = Later(self)
        self._pasting = Later(self)
        messages.copy.connect(self.copy)

    def copy(self, picture: Array, work: Work | None) -> None:
        """Copy a picture in the size chosen for saving, and show a message."""
        if picture.ndim != 3:
            self._messages.say("Only pictures can be copied. Save the sound, then open it elsewhere.", "warn")
            return
        size = self._exporting.enlargement

        def encode() -> bytes:
            if work is not None:
                return to_png(picture, work, size)
            return export.png(size.of(picture), size.texts(picture))

        self._copying.run(encode, lambda data: self._copied(data, size.size(*picture.shape[:2]), work is not None))

    def paste(self, encode: Callable[[], bytes]) -> None:
        """Open a pasted picture. `encode` returns its PNG and runs in another thread."""
        path = storage.home("cache") / "pasted" / "Pasted picture.png"

        def store() -> Path:
            storage.write(path, encode())
            return path

        self._pasting.run(store, self._pasted)

    def close(self) -> None:
        """Wait for running work."""
        self._copying.wait()
        self._pasting.wait()

    def _copied(self, data: bytes | Exception, size: tuple[int, int], has_recipe: bool) -> None:
        if isinstance(data, Exception):
            raise data
        self.copied.emit(data)
        recipe = ", with its recipe inside" if has_recipe else ""
        self._messages.say(f"Copied the picture, {size[1]:,} × {size[0]:,} pixels{recipe}.")

    def _pasted(self, path: Path | Exception) -> None:
        if isinstance(path, NotSaved):
            self._messages.say(path.sentence, "failed")
        elif isinstance(path, Exception):
            raise path
        else:
            self.pasted.emit(path)
