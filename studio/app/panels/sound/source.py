"""What is on the stage of Sound: the take that a sound is or goes on from, and the take that it is kept as."""

from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject

from studio.app.core.observable import Record, State, Value
from studio.app.core.text import duration
from studio.app.generation.parameters import Parameters
from studio.app.panels.sound.analysis import Pricing
from studio.app.panels.sound.live_settings import Making
from studio.app.panels.sound.player import Player
from studio.app.takes.selection import TakeSelection
from studio.app.takes.store import Take, TakeStore
from studio.library.models import InstalledModel
from studio.library.work import Work
from studio.media.sounds.audio_file import resample_recording
from studio.wire.messages import Array


@dataclass(frozen=True)
class Source:
    """The recording that a sound goes on from."""

    name: str
    words: str
    """`1 min 58 s, used as 16 kHz mono`."""


class SoundStage(State):
    """As plain data it is {"take": its name, "cut": second that it goes on from, None where it is the take}."""

    def __init__(
        self,
        takes: TakeStore,
        strip: TakeSelection,
        player: Player,
        dials: Parameters,
        making: Making,
        pricing: Pricing,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._takes, self._strip, self._player = takes, strip, player
        self._dials, self._making, self._pricing = dials, making, pricing
        self.recording: Value[Source | None] = Value(None, self)
        """The file that this sound goes on from."""
        self._ground: Take | None = None
        """What the sound goes on from, up to the cut; or the take that it is."""
        self._left: Record = {}
        """What was here before a restart, until the takes are read."""
        self._loaded = "", ""
        """Which recording is there to be cut, and the model that it was brought in for."""
        self._kept: tuple[int, str] | None = None
        """How many samples were kept last as they are now, and as which take."""
        making.turned.connect(self._forget)
        takes.loaded.connect(self._come_back)

    @property
    def came_from(self) -> str:
        """Name of the take that it goes on from; empty where it comes from none."""
        return self._ground.name if self._ground is not None and self._making.cut.get() else ""

    @property
    def line(self) -> tuple[str, ...]:
        """Keys of the works that it comes from, the nearest first."""
        return self._takes.lineage(self._ground.key) if self._ground is not None else ()

    # ── what there is ────────────────────────────────────────────────────────────────────────────

    def keep(self) -> str | None:
        """Name of the take that is the sound as it is now; its file is written where there is none yet."""
        samples = self._player.samples
        if self._making.fresh and self._ground is not None:
            return self._ground.name
        work = self.work()
        if work is None:
            return None
        if self._kept is None or self._kept[0] != len(samples):
            self._kept = len(samples), self._takes.add_take(samples, work)
        return self._kept[1]

    def work(self) -> Work | None:
        """The making of what there is; None where there is nothing."""
        trained, ground = self._dials.model.get(), self._ground
        if trained is None or not len(self._player.samples):
            return None
        if self._making.fresh and ground is not None:
            return ground.work
        return self._making.work(trained, ground.work.source if ground is not None else "", self.line)

    def beginning(self) -> Record:
        """With nothing made on it yet."""
        cut = self._making.cut.get()
        return {"take": self._ground.name, "cut": cut} if self._ground is not None and cut else {}

    def cut_at(self, seconds: float) -> Record:
        """Going on from another moment of what was there; nothing where nothing was."""
        if self._ground is None:
            return {}
        end = len(self._ground.picture) / self._ground.work.rate
        return {"take": self._ground.name, "cut": min(max(seconds, 0.0), end)}

    def plain(self) -> Record:
        """What undo brings back: the sound as it is now, whose file is written where there is none yet."""
        name = None if self._making.fresh else self.keep()
        return {"take": name, "cut": None} if name is not None else self._base()

    def stored(self) -> Record:
        """What a restart brings back: the sound as far as its file is written."""
        return self._left or ({"take": self._kept[1], "cut": None} if self._kept is not None else self._base())

    def restore_later(self, plain: Record) -> None:
        """Put it there once the takes are read."""
        self._left = dict(plain)

    def _base(self) -> Record:
        if self._ground is None:
            return {}
        return {"take": self._ground.name, "cut": self._making.cut.get() if self._making.fresh else None}

    def _forget(self) -> None:
        self._kept = None

    # ── what is put there ────────────────────────────────────────────────────────────────────────

    def put(self, plain: Record) -> None:
        """A sound of which nothing is made yet from the cut on; as it is where there is no cut."""
        self._left = {}
        trained, take, cut = self._dials.model.get(), self._takes.get_take(str(plain.get("take", ""))), plain.get("cut")
        here = take is not None and self._kept is not None and self._kept[1] == take.name
        if here and plain.get("live") and self._player.making.get():
            self._ground = take
            self._strip.select_take(None)
            self._making.branch()
            return
        if take is None or trained is None:
            self._clear(trained)
        elif cut is None:
            self._put_whole(take, trained)
        else:
            self._put_cut(take, trained, float(cut), here)
        own = take is not None and _there_before(take)
        self._strip.select_take(take.name if take is not None and (cut is None or own) else None)
        name = take.work.source if take is not None else ""
        words = f"{duration(self._player.made)}, used as {self._player.rate / 1000:g} kHz mono" if own else ""
        self.recording.set(Source(name, words) if name else None)

    def _clear(self, trained: InstalledModel | None) -> None:
        """Nothing is there."""
        self._player.load(trained.card.rate if trained is not None else self._player.rate, np.zeros(0, np.int16))
        self._ground, self._kept, self._loaded = None, None, ("", "")
        self._making.clear()

    def _put_whole(self, take: Take, trained: InstalledModel) -> None:
        """A take as it was made."""
        self._player.load(trained.card.rate, _samples(take, trained.card.rate))
        self._ground, self._kept = take, (len(self._player.samples), take.name)
        self._making.show(take.work)
        self._pricing.begin(trained, self._dials.label.get(), take.work.mix is not None)

    def _put_cut(self, take: Take, trained: InstalledModel, cut: float, here: bool) -> None:
        """A take that is to be gone on from; of a recording all is there still, to choose the cut on. `here`: the take
        is what the player holds."""
        own, rate = _there_before(take), trained.card.rate
        same = own and self._making.fresh and self._loaded == (take.name, trained.card.name)
        if not same and (own or not here):
            self._player.load(rate, _samples(take, rate))
            self._pricing.begin(trained, self._dials.label.get(), take.work.mix is not None)
        if not own:
            self._player.performing.cut(round(cut * rate))
        self._ground, self._kept, self._loaded = take, None, (take.name, trained.card.name)
        self._making.clear(min(cut, len(take.picture) / take.work.rate))

    def _come_back(self) -> None:
        """What was on the stage before a restart is so again."""
        left, loop = self._left, self._player.loop.get()
        if left:
            self.put(left)
            self._player.set_loop(loop)


def _there_before(take: Take) -> bool:
    """Whether no model made any of it."""
    return take.work.heard >= len(take.picture)


def _samples(take: Take, rate: int) -> Array:
    return resample_recording(take.picture, take.work.rate, rate)
