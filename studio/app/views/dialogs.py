"""The system's own dialogs for files, the only modal ones; they never hold up the window's thread."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.app.states.window import Window

_PICTURES = "*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.gif"
PICTURES = f"Pictures ({_PICTURES});;All files (*)"
WORKS = f"Pictures and waves ({_PICTURES} *.wav);;Pictures ({_PICTURES});;Waves (*.wav);;All files (*)"
SOUNDS = "Sounds (*.wav *.flac *.mp3 *.ogg *.opus *.aif *.aiff *.caf);;All files (*)"
_KINDS = {"png": "PNG (*.png)", "wav": "WAV (*.wav)", "flac": "FLAC (*.flac)"}
Then = Callable[[Path], object]


class Dialogs(QObject):
    """Asks for places and files, and remembers the folder."""

    def __init__(self, state: Window, over: QWidget) -> None:
        super().__init__(over)
        self._state, self._over = state, over
        state.messages.where.connect(self.save)
        state.messages.where_folder.connect(self.folder)
        state.messages.which.connect(lambda ending, then: self.open(f"Models (*{ending})", then))
        state.messages.reveal.connect(self.reveal)

    def open(self, kinds: str, then: Then) -> QFileDialog:
        return self._ask("Open", then, kinds, QFileDialog.FileMode.ExistingFile)

    def save(self, name: str, then: Then) -> QFileDialog:
        ending = Path(name).suffix[1:]
        dialog = self._ask("Save", then, _KINDS.get(ending, "All files (*)"), QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(ending)
        dialog.selectFile(name)
        return dialog

    def folder(self, then: Then) -> QFileDialog:
        return self._ask("Choose a folder", then, "", QFileDialog.FileMode.Directory)

    def reveal(self, path: Path) -> None:
        """Show the folder of a file."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))

    def _ask(self, title: str, then: Then, kinds: str, mode: QFileDialog.FileMode) -> QFileDialog:
        last = str(self._state.layout.get().get("folder", ""))
        dialog = QFileDialog(self._over, title, last, kinds)
        dialog.setFileMode(mode)
        dialog.fileSelected.connect(lambda name: self._chosen(Path(name), then))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def _chosen(self, path: Path, then: Then) -> None:
        folder = str(path if path.is_dir() else path.parent)
        self._state.layout.set({**self._state.layout.get(), "folder": folder})
        then(path)
