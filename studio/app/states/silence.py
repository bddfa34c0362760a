"""A model that has fallen silent stops by itself, and the message line says so."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from studio.app.states import heat as heats
from studio.app.states.making import Making
from studio.app.states.messages import Messages
from studio.app.states.player import Player
from studio.app.states.value import State
from studio.library.models import Trained
from studio.media.silence import LONG, silent_end

PATIENT = 20.0
"""Seconds of silence that a model may make after a recording that is itself silent: it may yet begin."""
BEFORE = 0.5
"""Seconds at the end of a recording that decide whether it is silent."""


class Silence(State):
    """Watches what the player makes. `model` says whose sound it is; `new_seed` plays another one."""

    def __init__(
        self,
        player: Player,
        making: Making,
        messages: Messages,
        model: Callable[[], Trained | None],
        new_seed: Callable[[], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._player, self._making, self._messages = player, making, messages
        self._model, self._new_seed = model, new_seed
        player.ticked.connect(self._listen)

    def _listen(self) -> None:
        """Stop making after a long silence that nothing is going to end."""
        player, trained = self._player, self._model()
        if not player.making.get() or trained is None or not self._lasts(LONG) or self._will_be_hotter():
            return
        stretch = LONG
        if self._may_yet_begin():
            stretch = PATIENT
            if not self._lasts(PATIENT):
                return
        player.performing.halt()
        said = f'"{trained.card.title}" has been silent for {stretch:.0f} s, so making stopped.'
        what = "Try another seed, or raise the temperature earlier."
        another, until = ("Try another seed", self._new_seed), (player.making.changed, player.leaves)
        self._messages.say(f"{said} {what}", "warn", another, until=until)

    def _lasts(self, seconds: float) -> bool:
        """Whether the end was silent for so long, made all the while by what is set now."""
        player = self._player
        knots = [second for second, _ in self._making.heat.get() if second <= player.made]
        since = max(player.performing.changed, *knots, 0.0)
        count = round(seconds * player.rate)
        return player.made - since >= seconds and silent_end(player.samples[-count:]) >= count

    def _will_be_hotter(self) -> bool:
        """Whether a higher temperature is drawn ahead."""
        curve, made = self._making.heat.get(), self._player.made
        now = heats.at(curve, made)
        return any(heat > now for second, heat in curve if second > made)

    def _may_yet_begin(self) -> bool:
        """Whether it continues a recording that is silent at its end, and nothing was heard since."""
        player = self._player
        cut, before = round(self._making.cut.get() * player.rate), round(BEFORE * player.rate)
        heard = player.samples[max(cut - before, 0) :]
        return cut >= before and silent_end(heard) == len(heard)
