"""Connects the window with the system's clipboard: copies pictures and sounds to it and pastes from it."""

from pathlib import Path

from PySide6.QtCore import QBuffer, QIODevice, QMimeData, QObject, QUrl
from PySide6.QtGui import QGuiApplication, QImage, QImageWriter

from studio.app.app_state import AppState

PNG = "image/png"
WAV = "audio/wav"
_ENCODED = {
    PNG: "Pasted picture.png",  # first, because it may hold a recipe
    "image/jpeg": "Pasted picture.jpg",
    "image/webp": "Pasted picture.webp",
    "image/tiff": "Pasted picture.tif",
    "image/gif": "Pasted picture.gif",
    "image/bmp": "Pasted picture.bmp",
}
"""Forms in which other programs offer pictures. They are stored as they are, so that Qt decodes none of them here."""


class ClipboardController(QObject):
    """Puts copied pictures on the clipboard, and opens pasted ones like dropped files."""

    def __init__(self, state: AppState, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        state.clipboard.picture_encoded.connect(self._put_picture)
        state.clipboard.sound_encoded.connect(self._put_sound)
        state.messages.paste_requested.connect(self.open_clipboard)

    def open_clipboard(self) -> None:
        """Open the files, the picture or the sound on the clipboard."""
        data = QGuiApplication.clipboard().mimeData() or QMimeData()  # Qt returns None for an empty clipboard
        files = [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
        if files:
            self._state.open_dropped(files)
        elif form := next((form for form in _ENCODED if data.hasFormat(form)), ""):
            picture = bytes(data.data(form).data())
            self._state.clipboard.open_pasted(lambda: picture, _ENCODED[form])
        elif data.hasImage():
            image = QGuiApplication.clipboard().image()
            self._state.clipboard.open_pasted(lambda: _encode_png(image))
        elif data.hasFormat(WAV):
            wav = bytes(data.data(WAV).data())
            self._state.clipboard.open_pasted(lambda: wav, "Pasted sound.wav")
        else:
            text = "There is no picture or sound on the clipboard. Copy one, then paste it."
            self._state.messages.show_message(text, "warn")

    def _put_sound(self, path: Path, wav: bytes) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path))])
        data.setData(WAV, wav)
        QGuiApplication.clipboard().setMimeData(data)

    def _put_picture(self, png: bytes) -> None:
        data = QMimeData()
        data.setData(PNG, png)
        data.setImageData(QImage.fromData(png))  # for programs that do not accept PNG
        QGuiApplication.clipboard().setMimeData(data)


def _encode_png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, b"PNG").write(image)
    return bytes(buffer.data().data())
