"""Where files are opened from and saved to, remembered apart, and which names are proposed there."""

from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths

from studio.app.states.value import Plain, State, Value
from studio.library import storage
from studio.library.storage import NotSaved


class Folders(State):
    """The folders that file dialogs begin in."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening: Value[str] = Value("", self)
        self._saving: Value[str] = Value("", self)
        self._made: Path | None = None
        """A folder that was made for a dialog."""
        self._proposed: dict[str, str] = {}
        """What each name was proposed for, by its key."""

    def for_opening(self) -> Path:
        """Where files were opened last; the user's pictures at first."""
        last = Path(self._opening.get())
        if self._opening.get() and last.is_dir():
            return last
        pictures = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation))
        return pictures if pictures.is_dir() else Path.home()

    def for_saving(self) -> Path:
        """Where files were saved last; `Pictures/Latent Studio` at first, which may not be there yet."""
        last = Path(self._saving.get())
        return last if self._saving.get() and last.is_dir() else storage.home("works")

    def remember_opening(self, folder: Path) -> None:
        self._opening.set(str(folder))

    def begin_saving(self) -> Path:
        """The folder that a dialog is about to show. A dialog can only show one that is there, so it is made."""
        folder = self.for_saving()
        if not folder.is_dir():
            try:
                storage.folder(folder)
            except NotSaved:
                return Path.home()
            self._made = folder
        return folder

    def end_saving(self, folder: Path | None) -> None:
        """Remember the folder that was chosen; None if none was. One that was made for nothing goes again."""
        if self._made is not None and self._made != folder:
            storage.leave_empty(self._made)
        self._made = None
        if folder is not None:
            self._saving.set(str(folder))

    def propose(self, name: str, key: str) -> str:
        """A name for a file: none in the folder has it, and it was proposed for nothing else.

        Arguments
            key: tells apart what is saved
        """
        folder, wanted = self.for_saving(), Path(storage.clean(name))
        number, proposed = 0, wanted.name
        while self._proposed.get(proposed.casefold(), key) != key or (folder / proposed).exists():
            number += 1
            proposed = f"{wanted.stem}-{number:04d}{wanted.suffix}"
        self._proposed[proposed.casefold()] = key
        return proposed

    def snapshot(self) -> Plain:
        return {"opening": self._opening.get(), "saving": self._saving.get()}

    def restore(self, plain: Plain) -> None:
        self._opening.set(str(plain.get("opening", "")))
        self._saving.set(str(plain.get("saving", "")))
