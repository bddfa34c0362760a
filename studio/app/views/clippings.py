"""The system's clipboard: pictures and sounds are put on it, and taken from it as if they had been dropped."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QObject, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter

from studio.app.states.window import Window

PNG, WAV = "image/png", "audio/wav"


class Clippings(QObject):
    """Ties the state to the clipboard."""

    def __init__(self, state: Window, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        state.clipboard.copied.connect(self._put)
        state.clipboard.copied_sound.connect(self._put_sound)
        state.messages.paste.connect(self.paste)

    def paste(self) -> None:
        """Bring in what is on the clipboard: files, a picture, or a sound."""
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
        elif data.hasFormat(WAV):
            wav = bytes(data.data(WAV).data())
            self._state.clipboard.paste(lambda: wav, "Pasted sound.wav")
        else:
            said = "There is no picture or sound on the clipboard. Copy one, then paste it."
            self._state.messages.say(said, "warn")

    def _put_sound(self, path: Path, wav: bytes) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        data.setData(WAV, wav)
        QGuiApplication.clipboard().setMimeData(data)

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
