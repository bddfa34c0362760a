"""Stops a model that has fallen silent, and shows a message."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from studio.app.core.messages import Messages
from studio.app.core.observable import State
from studio.app.panels.sound import temperature_curve as heats
from studio.app.panels.sound.live_settings import LiveSettings
from studio.app.panels.sound.player import SoundPlayer
from studio.library.models import InstalledModel
from studio.media.sounds.silence import LONG_SILENCE_SECONDS, silent_tail

MAX_SILENCE = 20.0
"""Seconds of silence allowed after a recording that is itself silent at its end: the model may still begin."""
SILENT_END = 0.5
"""Length in seconds of the end of a recording that decides whether it is silent."""


class SilenceWatch(State):
    """Watches the samples that the player receives and stops a silent model.

    `model` returns the model of the sound; `new_seed` plays the sound of another seed.
    """

    def __init__(
        self,
        player: SoundPlayer,
        live_settings: LiveSettings,
        messages: Messages,
        model: Callable[[], InstalledModel | None],
        new_seed: Callable[[], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._player = player
        self._live_settings = live_settings
        self._messages = messages
        self._model = model
        self._new_seed = new_seed
        player.ticked.connect(self._check_silence)

    def _check_silence(self) -> None:
        """Stop making after a long silence, unless something is expected to end it."""
        player = self._player
        trained = self._model()
        if (
            not player.making.get()
            or trained is None
            or not self._is_silent_for(LONG_SILENCE_SECONDS)
            or self._will_be_hotter()
        ):
            return
        stretch = LONG_SILENCE_SECONDS
        if self._may_yet_begin():
            stretch = MAX_SILENCE
            if not self._is_silent_for(MAX_SILENCE):
                return
        player.live_generation.stop_job()
        cause = f'"{trained.card.title}" has been silent for {stretch:.0f} s, so making stopped.'
        advice = "Try another seed, or raise the temperature earlier."
        action = ("Try another seed", self._new_seed)
        self._messages.show_message(f"{cause} {advice}", "warn", action, until=(player.making.changed, player.leaving))

    def _is_silent_for(self, seconds: float) -> bool:
        """Return whether the last `seconds` are silent and were all made with the present settings."""
        player = self._player
        knots = [second for second, _ in self._live_settings.temperature_curve.get() if second <= player.made_seconds]
        since = max(player.live_generation.settings_from, *knots, 0.0)
        count = round(seconds * player.rate)
        return player.made_seconds - since >= seconds and silent_tail(player.samples[-count:]) >= count

    def _will_be_hotter(self) -> bool:
        """Return whether the temperature curve rises later."""
        curve = self._live_settings.temperature_curve.get()
        made = self._player.made_seconds
        now = heats.temperature_at(curve, made)
        return any(temperature > now for second, temperature in curve if second > made)

    def _may_yet_begin(self) -> bool:
        """Return whether the sound continues a recording with a silent end and has been silent since."""
        player = self._player
        cut = round(self._live_settings.cut.get() * player.rate)
        before = round(SILENT_END * player.rate)
        recent = player.samples[max(cut - before, 0) :]
        return cut >= before and silent_tail(recent) == len(recent)
