"""Converts pictures and sounds for the system's clipboard. Only a view can reach the clipboard itself."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from studio.app.core.artwork import Artwork
from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.files.export_settings import ExportSettings
from studio.app.files.exporting import encode_artwork
from studio.library import file_names, storage
from studio.library.storage import NotSaved
from studio.library.work import Work, encode_png
from studio.media import export
from studio.media.names import display_name
from studio.wire.messages import Array


class Clipboard(State):
    """Encodes copied artworks and stores pasted ones.

    It does so in another thread, because large pictures take a while.
    """

    picture_encoded = Signal(object)
    """The bytes of a PNG, with the recipe of the picture if it has one."""
    sound_encoded = Signal(object, object)
    """The Path of a WAV file with its recipe, and its bytes."""
    file_pasted = Signal(object)
    """Carries the path of a file with the pasted artwork. It is opened like a dropped file."""

    def __init__(self, messages: Messages, exporting: ExportSettings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._exporting = exporting
        self._copying = BackgroundTask(self)
        self._pasting = BackgroundTask(self)
        messages.copy_requested.connect(self.copy_work)

    def copy_work(self, picture: Array, work: Work | None) -> None:
        """Copy a picture or a sound, and show a message.

        A picture has the size chosen for saving; a sound is copied as it is saved.
        """
        if picture.ndim != 3 and work is not None:
            self._copy_sound(picture, work)
            return
        size = self._exporting.chosen_enlargement

        def encode() -> bytes:
            if work is not None:
                return encode_png(picture, work, size)
            return export.encode_png_bytes(size.enlarge(picture), size.png_texts(picture))

        self._copying.run(
            encode, lambda data: self._on_copied(data, size.enlarged_size(*picture.shape[:2]), work is not None)
        )

    def _copy_sound(self, sound: Array, work: Work) -> None:
        """Copy a sound as a file, too. Some programs take no sounds from the clipboard."""
        folder = storage.home_folder("cache") / "copied"
        path = folder / file_names.clean_name(f"{work.model}-{work.seed}{work.file_suffix}")

        def store() -> bytes:
            data = encode_artwork(Artwork(sound, work))
            for old in folder.glob("*.wav"):  # only the newest is on the clipboard
                storage.delete_file(old)
            storage.write_file(path, data)
            return data

        self._copying.run(store, lambda data: self._on_sound_copied(path, data))

    def open_pasted(self, encode: Callable[[], bytes], name: str = "Pasted picture.png") -> None:
        """Open something pasted. `encode` returns the bytes of its file and runs in another thread."""
        path = storage.home_folder("cache") / "pasted" / name

        def store() -> Path:
            storage.write_file(path, encode())
            return path

        self._pasting.run(store, self._on_pasted)

    def close(self) -> None:
        """Wait for running work."""
        self._copying.wait()
        self._pasting.wait()

    def _on_copied(self, data: bytes | Exception, size: tuple[int, int], has_recipe: bool) -> None:
        if isinstance(data, Exception):
            raise data
        self.picture_encoded.emit(data)
        recipe = ", with its recipe inside" if has_recipe else ""
        self._messages.show_message(f"Copied the picture, {size[1]:,} × {size[0]:,} pixels{recipe}.")

    def _on_sound_copied(self, path: Path, data: bytes | Exception) -> None:
        if isinstance(data, NotSaved):
            self._messages.show_message(data.message, "failed")
        elif isinstance(data, Exception):
            raise data
        else:
            self.sound_encoded.emit(path, data)
            self._messages.show_message(f'Copied the sound as "{display_name(path.name)}", with its recipe inside.')

    def _on_pasted(self, path: Path | Exception) -> None:
        if isinstance(path, NotSaved):
            self._messages.show_message(path.message, "failed")
        elif isinstance(path, Exception):
            raise path
        else:
            self.file_pasted.emit(path)
