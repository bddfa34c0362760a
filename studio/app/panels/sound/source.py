"""Holds the origin of the sound on the stage: its take, and the recording that it continues."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.artwork import Artwork
from studio.app.core.observable import Record, State, Value
from studio.app.core.text import duration
from studio.app.generation.parameters import Parameters
from studio.app.panels.sound.analysis import RecordingBits
from studio.app.panels.sound.live_settings import LiveSettings
from studio.app.panels.sound.player import SoundPlayer
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.library.work import Work
from studio.media.sounds.audio_file import resample_recording
from studio.wire.messages import Array


@dataclass(frozen=True)
class RecordingInfo:
    """Describes the recording that a sound continues."""

    name: str
    description: str
    """`1 min 58 s, used as 16 kHz mono`."""


class SoundSource(State):
    """Holds the source of a sound.

    As a record it is {"take": its name, "cut": the second from which it continues, None if it is the take}.
    """

    def __init__(
        self,
        takes: TakeStore,
        selection: TakeSelection,
        player: SoundPlayer,
        parameters: Parameters,
        live_settings: LiveSettings,
        recording_bits: RecordingBits,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._takes = takes
        self._selection = selection
        self._player = player
        self._parameters = parameters
        self._live_settings = live_settings
        self._recording_bits = recording_bits
        self.recording: Value[RecordingInfo | None] = Value(None, self)
        """The file that this sound continues."""
        self._ground: Artwork | None = None
        """The recording that the sound continues, up to the cut; or the take that the stage shows."""
        self._record_before_restart: Record = {}
        """The record of the stage before a restart, until the takes are read."""
        self._loaded = "", ""
        """Which recording is there to be cut, and the model that it was brought in for."""
        self._kept: tuple[int, str] | None = None
        """How many samples were kept last as they are now, and as which take."""
        live_settings.changed.connect(self._forget_kept)
        takes.loaded.connect(self._restore_sound)

    @property
    def parent_name(self) -> str:
        """Return the name of the take that it continues; empty if there is none."""
        return self._ground.name if self._ground is not None and self._live_settings.cut.get() else ""

    @property
    def lineage(self) -> tuple[str, ...]:
        """Return the keys of the works that it comes from, the nearest first."""
        return self._takes.lineage(self._ground.key) if self._ground is not None else ()

    # ── the present sound ────────────────────────────────────────────────────────────────────────

    def keep_take(self) -> str | None:
        """Return the name of the take that is the present sound; write its file if there is none yet."""
        samples = self._player.samples
        if self._live_settings.is_fresh and self._ground is not None:
            return self._ground.name
        work = self.to_work()
        if work is None:
            return None
        if self._kept is None or self._kept[0] != len(samples):
            self._kept = len(samples), self._takes.add_take(Artwork(samples, work))
        return self._kept[1]

    def to_work(self) -> Work | None:
        """Return the recipe of the present sound; None if there is no sound."""
        trained = self._parameters.model.get()
        ground = self._ground
        if trained is None or not len(self._player.samples):
            return None
        if self._live_settings.is_fresh and ground is not None:
            return ground.work
        return self._live_settings.to_work(trained, ground.work.source if ground is not None else "", self.lineage)

    def record_at_beginning(self) -> Record:
        """Return a record of the source with nothing made after it."""
        cut = self._live_settings.cut.get()
        return {"take": self._ground.name, "cut": cut} if self._ground is not None and cut else {}

    def record_cut_at(self, seconds: float) -> Record:
        """Return a record that continues from another moment of the source; empty if there is none."""
        if self._ground is None:
            return {}
        end = len(self._ground.array) / self._ground.work.sample_rate
        return {"take": self._ground.name, "cut": min(max(seconds, 0.0), end)}

    def to_record(self) -> Record:
        """Return the record for undo, after writing the file of the present sound if there is none yet."""
        name = None if self._live_settings.is_fresh else self.keep_take()
        return {"take": name, "cut": None} if name is not None else self._base_take()

    def stored(self) -> Record:
        """Return the record for a restart: the sound as far as its file is written."""
        return self._record_before_restart or (
            {"take": self._kept[1], "cut": None} if self._kept is not None else self._base_take()
        )

    def restore_later(self, plain: Record) -> None:
        """Restore the sound once the takes are read."""
        self._record_before_restart = dict(plain)

    def _base_take(self) -> Record:
        if self._ground is None:
            return {}
        return {
            "take": self._ground.name,
            "cut": self._live_settings.cut.get() if self._live_settings.is_fresh else None,
        }

    def _forget_kept(self) -> None:
        self._kept = None

    # ── loading ──────────────────────────────────────────────────────────────────────────────────

    def apply_record(self, plain: Record) -> None:
        """Load a sound up to its cut, or whole if there is no cut."""
        self._record_before_restart = {}
        trained = self._parameters.model.get()
        take = self._takes.get_take(str(plain.get("take", "")))
        cut = plain.get("cut")
        here = take is not None and self._kept is not None and self._kept[1] == take.name
        if here and plain.get("live") and self._player.making.get():
            self._ground = take
            self._selection.select_take(None)
            self._live_settings.branch_here()
            return
        if take is None or trained is None:
            self._clear_sound(trained)
        elif cut is None:
            self._load_whole(take, trained)
        else:
            self._load_cut(take, trained, float(cut), here)
        own = take is not None and _is_recording(take)
        self._selection.select_take(take.name if take is not None and (cut is None or own) else None)
        name = take.work.source if take is not None else ""
        words = f"{duration(self._player.made_seconds)}, used as {self._player.rate / 1000:g} kHz mono" if own else ""
        self.recording.set(RecordingInfo(name, words) if name else None)

    def _clear_sound(self, trained: InstalledModel | None) -> None:
        """Remove the sound."""
        self._player.load_sound(
            trained.card.sample_rate if trained is not None else self._player.rate, np.zeros(0, np.int16)
        )
        self._ground = None
        self._kept = None
        self._loaded = ("", "")
        self._live_settings.clear_from()

    def _load_whole(self, take: Artwork, trained: InstalledModel) -> None:
        """Load a take with its own settings, not as a recording to continue."""
        self._player.load_sound(trained.card.sample_rate, _samples_at_rate(take, trained.card.sample_rate))
        self._ground = take
        self._kept = (len(self._player.samples), take.name)
        self._live_settings.set_work(take.work)
        self._recording_bits.set_model(trained, self._parameters.label.get(), take.work.mix is not None)

    def _load_cut(self, take: Artwork, trained: InstalledModel, cut: float, here: bool) -> None:
        """Load a take that is to be continued.

        A recording stays whole, so that the cut can move. `here`: the player holds this take already.
        """
        own = _is_recording(take)
        rate = trained.card.sample_rate
        same = own and self._live_settings.is_fresh and self._loaded == (take.name, trained.card.name)
        if not same and (own or not here):
            self._player.load_sound(rate, _samples_at_rate(take, rate))
            self._recording_bits.set_model(trained, self._parameters.label.get(), take.work.mix is not None)
        if not own:
            self._player.live_generation.truncate(round(cut * rate))
        self._ground = take
        self._kept = None
        self._loaded = (take.name, trained.card.name)
        self._live_settings.clear_from(min(cut, len(take.array) / take.work.sample_rate))

    def _restore_sound(self) -> None:
        """Restore the stage from before a restart."""
        left = self._record_before_restart
        loop = self._player.loop.get()
        if left:
            self.apply_record(left)
            self._player.set_loop(loop)


def _is_recording(take: Artwork) -> bool:
    """Return whether no model made any of it."""
    return take.work.continued_samples >= len(take.array)


def _samples_at_rate(take: Artwork, rate: int) -> Array:
    return resample_recording(take.array, take.work.sample_rate, rate)
