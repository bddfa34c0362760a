"""The system's own dialogs for files, the only modal ones; they never hold up the window's thread."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.app.core.messages import Messages
from studio.app.files.folders import Folders

_PICTURES = "*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.gif"
PICTURES = f"Pictures ({_PICTURES});;All files (*)"
_WAVES = "*.wav *.flac *.aif *.aiff *.caf"
WORKS = f"Pictures and waves ({_PICTURES} {_WAVES});;Pictures ({_PICTURES});;Waves ({_WAVES});;All files (*)"
SOUNDS = "Sounds (*.wav *.flac *.mp3 *.ogg *.opus *.aif *.aiff *.caf);;All files (*)"
_KINDS = {"png": "PNG (*.png)", "wav": "WAV (*.wav)", "flac": "FLAC (*.flac)", "gif": "GIF (*.gif)"}
OnPath = Callable[[Path], object]


class FileDialogs(QObject):
    """Asks for files and folders. The folders for opening and for saving are remembered separately."""

    def __init__(self, messages: Messages, folders: Folders, over: QWidget) -> None:
        super().__init__(over)
        self._folders = folders
        self._over = over
        messages.file_requested.connect(self.ask_save_path)
        messages.folder_requested.connect(self.ask_folder)
        messages.open_requested.connect(lambda ending, then: self.ask_file(f"Models (*{ending})", then))
        messages.reveal_requested.connect(self.show_in_folder)

    def ask_file(self, kinds: str, on_path: OnPath) -> QFileDialog:
        def opened(path: Path) -> None:
            self._folders.remember_opening(path.parent)
            on_path(path)

        dialog = self._dialog("Open", self._folders.for_opening(), kinds, QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: opened(Path(name)))
        dialog.open()
        return dialog

    def ask_save_path(self, name: str, on_path: OnPath) -> QFileDialog:
        ending = Path(name).suffix[1:]
        kinds = _KINDS.get(ending, "All files (*)")
        dialog = self._dialog("Save", self._folders.create_for_saving(), kinds, QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(ending)
        dialog.selectFile(name)
        self._save_where_chosen(dialog, on_path)
        return dialog

    def ask_folder(self, on_path: OnPath) -> QFileDialog:
        """Ask for the folder in which files are saved."""
        dialog = self._dialog(
            "Save into a folder", self._folders.create_for_saving(), "", QFileDialog.FileMode.Directory
        )
        self._save_where_chosen(dialog, on_path)
        return dialog

    def ask_source_folder(self, on_path: OnPath) -> QFileDialog:
        """Ask for a folder of the user's files, to learn from."""

        def opened(path: Path) -> None:
            self._folders.remember_opening(path)
            on_path(path)

        dialog = self._dialog("Choose a folder", self._folders.for_opening(), "", QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda name: opened(Path(name)))
        dialog.open()
        return dialog

    def show_in_folder(self, path: Path) -> None:
        """Show the folder of a file."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path if path.is_dir() else path.parent)))

    def _save_where_chosen(self, dialog: QFileDialog, then: OnPath) -> None:
        def chosen(path: Path) -> None:
            self._folders.end_saving(path if path.is_dir() else path.parent)
            then(path)

        dialog.fileSelected.connect(lambda name: chosen(Path(name)))
        dialog.rejected.connect(lambda: self._folders.end_saving(None))
        dialog.open()

    def _dialog(self, title: str, begin: Path, kinds: str, mode: QFileDialog.FileMode) -> QFileDialog:
        dialog = QFileDialog(self._over, title, str(begin), kinds)
        dialog.setFileMode(mode)
        dialog.finished.connect(dialog.deleteLater)
        return dialog
