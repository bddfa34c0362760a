"""Holds the recording whose pitch or loudness the model follows."""

from pathlib import Path

from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.core.messages import Messages
from studio.app.core.observable import State, Value
from studio.app.files.opening import OpenedSound, read_sound
from studio.library.models import InstalledModel
from studio.media.sounds.audio_file import resample_recording
from studio.wire.messages import Array

MAX_SECONDS = 120
"""The most seconds of a recording that an engine follows."""


class FollowedSound(State):
    """Holds a recording of the user. Without it, a model follows one that it learned from."""

    def __init__(self, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._messages = messages
        self.opened: Value[OpenedSound | None] = Value(None, self)
        self._opening = BackgroundTask(self)

    def open_file(self, path: Path, rate: int) -> None:
        """Read a recording in another thread. The model follows it as soon as it is read."""
        self._opening.run(lambda: read_sound(path, rate), self._show)

    def clear(self) -> None:
        """Let the model follow a recording that it learned from again."""
        self.opened.set(None)

    def samples_for(self, trained: InstalledModel) -> Array | None:
        """Return the recording (n,) int16 at a model's rate; None if there is none, or if the model follows none."""
        opened = self.opened.get()
        if opened is None or not trained.card.followed_text:
            return None
        rate = trained.card.sample_rate
        samples: Array = resample_recording(opened.samples, opened.rate, rate)[: MAX_SECONDS * rate]
        return samples

    def _show(self, outcome: OpenedSound | Exception) -> None:
        if isinstance(outcome, ValueError):  # its text is a sentence for the user
            self._messages.show_message(str(outcome), "failed", until=(self.opened.changed,))
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            self.opened.set(outcome)
            if len(outcome.samples) > MAX_SECONDS * outcome.rate:
                self._messages.show_message(f"The first {MAX_SECONDS // 60} minutes are followed.")

    def close(self) -> None:
        """Wait until a file is read."""
        self._opening.wait()
