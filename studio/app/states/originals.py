"""Pictures that are to be completed, kept as files, so that undo and a restart find them."""

import contextlib
from collections.abc import Iterable

import numpy as np
from PySide6.QtCore import QObject

from studio.app.states.messages import Messages
from studio.app.states.value import State
from studio.library import storage
from studio.library.storage import NotSaved
from studio.media import export
from studio.media.image import Refused, open_picture, read_bytes
from studio.wire.messages import Array


class Originals(State):
    """By key; the file is the truth. One that could not be written is still held until the window closes."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self._folder = storage.home("data") / "originals"
        self._held: dict[str, Array] = {}

    def keep(self, picture: Array) -> str:
        """Keep a picture (height, width, 1 | 3) uint8; its key, which ends with the number of its channels."""
        data = export.png(picture)
        key = f"{storage.digest(data)}-{picture.shape[2]}"
        self._held[key] = np.array(picture)
        try:
            storage.write(self._folder / f"{key}.png", data)
        except NotSaved as fault:
            self._messages.say(fault.sentence, "failed")
        return key

    def get(self, key: str) -> Array | None:
        if key not in self._held:
            channels = key.rpartition("-")[2]
            if channels not in ("1", "3") or not key.replace("-", "").isalnum():
                return None
            path = self._folder / f"{key}.png"
            try:
                if storage.digest(read_bytes(path, path.name)) != key.rpartition("-")[0]:
                    return None
                array = open_picture(path).array  # in this process, because every byte is as it was written
            except Refused:
                return None
            self._held[key] = np.ascontiguousarray(array[..., : int(channels)])
        return self._held[key]

    def close(self, used: Iterable[str]) -> None:
        """What nothing leads back to goes to the bin."""
        known = {f"{key}.png" for key in used}
        for path in self._folder.glob("*.png"):
            if path.name not in known:
                with contextlib.suppress(NotSaved):  # it stays where it is, which loses nothing
                    storage.to_bin(path)
