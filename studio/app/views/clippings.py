"""The system's clipboard: pictures are put on it, and taken from it as if they had been dropped."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QObject
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter

from studio.app.states.window import Window

PNG = "image/png"


class Clippings(QObject):
    """Ties the state to the clipboard."""

    def __init__(self, state: Window, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        state.clipboard.copied.connect(self._put)
        state.messages.paste.connect(self.paste)

    def paste(self) -> None:
        """Bring in what is on the clipboard: files, or a picture."""
        data = QGuiApplication.clipboard().mimeData() or QMimeData()  # Qt gives none for an empty clipboard
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if files:
            self._state.drop(files)
        elif data.hasFormat(PNG):  # it may carry a recipe, which an image of Qt would lose
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
        data.setImageData(QImage.fromData(png))  # for programs that take no PNG
        QGuiApplication.clipboard().setMimeData(data)


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, b"PNG").write(image)
    return bytes(buffer.data().data())
