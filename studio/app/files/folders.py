"""Remembers the folders for opening and for saving, and proposes free file names."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths

from studio.app.core.observable import Field, State, Value
from studio.library import file_names, storage
from studio.library.obstacles import MAX_NAME_BYTES
from studio.library.storage import NotSaved


class Folders(State):
    """Knows the folders in which file dialogs begin."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._opening: Value[str] = Value("", self)
        self._saving: Value[str] = Value("", self)
        self.fields = (Field.of("opening", self._opening, str), Field.of("saving", self._saving, str))
        self._created: Path | None = None
        """A folder that was created for a dialog."""
        self._proposed: dict[str, str] = {}
        """The key of the artwork that each name was proposed for."""

    def for_opening(self) -> Path:
        """Return the folder from which a file was opened last. At first it is the user's pictures."""
        last = Path(self._opening.get())
        if self._opening.get() and last.is_dir():
            return last
        pictures = Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.PicturesLocation))
        return pictures if pictures.is_dir() else Path.home()

    def for_saving(self) -> Path:
        """Return the folder used last for saving.

        At first it is `Pictures/Latent Studio`, which may not exist yet.
        """
        last = Path(self._saving.get())
        return last if self._saving.get() and last.is_dir() else storage.home_folder("works")

    def remember_opening(self, folder: Path) -> None:
        self._opening.set(str(folder))

    def create_for_saving(self) -> Path:
        """Return the folder for a dialog, and create it. A dialog only shows existing folders."""
        folder = self.for_saving()
        if not folder.is_dir():
            try:
                storage.create_folder(folder)
            except NotSaved:
                return Path.home()
            self._created = folder
        return folder

    def end_saving(self, folder: Path | None) -> None:
        """Remember the chosen folder; None if the dialog was cancelled.

        A folder that was created for nothing is removed.
        """
        if self._created is not None and self._created != folder:
            storage.remove_if_empty(self._created)
        self._created = None
        if folder is not None:
            self._saving.set(str(folder))

    def propose_name(self, name: str, key: str) -> str:
        """Propose a file name that is free and was not proposed for another artwork.

        Arguments
            key: identifies the artwork
        """
        folder = self.for_saving()
        own = (each for each in numbered_names(name) if self._proposed.get(each.casefold(), key) == key)
        proposed = next(each for each in own if not os.path.lexists(folder / each))
        self._proposed[proposed.casefold()] = key
        return proposed


def numbered_names(name: str) -> Iterator[str]:
    """Yield a name that is allowed, then the same with numbers: `rose.png`, `rose-0001.png` …"""
    wanted = Path(file_names.clean_name(name))
    yield wanted.name
    stem = file_names.clean_name(wanted.stem, MAX_NAME_BYTES - len(f"-000000{wanted.suffix}".encode()))
    for number in itertools.count(1):
        yield f"{stem}-{number:04d}{wanted.suffix}"
