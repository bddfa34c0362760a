"""Records the output as a take, with every move and repeat."""

from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.core.text import duration, timestamp
from studio.app.core.undo import ChangeStep
from studio.app.files.opening import MAX_SECONDS
from studio.app.panels.sound.player import SoundPlayer
from studio.app.panels.sound.source import SoundSource
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.library.work import Work


class Recorder(State):
    """Records the output. `change` adds takes as a step of the panel's undo."""

    def __init__(
        self,
        player: SoundPlayer,
        source: SoundSource,
        takes: TakeStore,
        messages: Messages,
        change: ChangeStep,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._player = player
        self._source = source
        self._takes = takes
        self._messages = messages
        self._change = change
        self._by: tuple[InstalledModel, int] | None = None
        """The model and the seed of the sound on the stage when the recording began."""
        player.leaving.connect(self.end_recording)
        player.ticked.connect(self._check_length)

    def start_recording(self, trained: InstalledModel, seed: int) -> None:
        """Start to record the output."""
        if not self._player.recording.get():
            self._by = trained, seed
            self._player.start_recording()

    def end_recording(self) -> None:
        """End the recording and keep it as a take, which can be continued like any recording."""
        self._keep_recording("")

    def _keep_recording(self, why: str) -> None:
        if not self._player.recording.get() or self._by is None:
            return
        (trained, seed), player = self._by, self._player
        heard = player.recorded_samples()
        if not len(heard):
            nothing = "Nothing was heard while it recorded, so there is nothing to keep."
            self._messages.show_message(nothing, until=(player.recording.changed,))
            return
        work = Work(
            medium="sound",
            sample_rate=player.rate,
            model=trained.card.name,
            model_hash=trained.file_hash_if_found,
            seed=seed,
            continued_samples=len(heard),
            source="recorded here",
            ancestors=self._source.lineage,
            created=timestamp(),
        )
        self._change("recording", takes={self._takes.add_take(Artwork(heard, work)): True})
        text = f"Recorded {duration(len(heard) / player.rate)} of what was heard. It is among your takes."
        self._messages.show_message(
            f"{why} {text}".strip(), until=(player.recording.changed, self._takes.takes.changed)
        )

    def _check_length(self) -> None:
        """End a forgotten recording before it fills memory or disk."""
        if self._player.recorded_seconds >= MAX_SECONDS:
            self._keep_recording(f"A recording lasts {MAX_SECONDS // 60} minutes at most, and ended there.")
