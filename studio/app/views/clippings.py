"""Connects the window with the system's clipboard: copies pictures to it and pastes from it."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QObject
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter

from studio.app.states.window import Window

PNG = "image/png"


class Clippings(QObject):
    """Puts copied pictures on the clipboard, and opens pasted ones like dropped files."""

    def __init__(self, state: Window, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        state.clipboard.copied.connect(self._put)
        state.messages.paste.connect(self.paste)

    def paste(self) -> None:
        """Open the files or the picture on the clipboard."""
        data = QGuiApplication.clipboard().mimeData() or QMimeData()  # Qt returns None for an empty clipboard
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if files:
            self._state.drop(files)
        elif data.hasFormat(PNG):  # a PNG may hold a recipe, which a QImage would lose
            png = bytes(data.data(PNG).data())
            self._state.clipboard.paste(lambda: png)
        elif data.hasImage():
            image = QGuiApplication.clipboard().image()
            self._state.clipboard.paste(lambda: _png(image))
        else:
            self._state.messages.say("There is no picture on the clipboard. Copy one, then paste it.", "warn")

    def _put(self, png: bytes) -> None:
        data = QMimeData()
        data.setData(PNG, png)
        data.setImageData(QImage.fromData(png))  # for programs that do not accept PNG
        QGuiApplication.clipboard().setMimeData(data)


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, b"PNG").write(image)
    return bytes(buffer.data().data())
