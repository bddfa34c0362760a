"""The best join of a loop: asked for, and what is said of it."""

import itertools
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from studio.app.states.messages import Messages
from studio.app.states.player import Player
from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyCommand, AnyEvent, Ending, Failed, Join, Joined


class Joining(State):
    """Moves the ends of the player's loop to where the model finds the join likeliest."""

    def __init__(self, engine: Engine, player: Player, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._player, self._messages = engine, player, messages
        self.busy: Value[bool] = Value(False, self)
        self.said: Value[str] = Value("", self)
        """What the join of the loop costs: `The join costs 3.4 bits, least of 400 tried`; empty where nobody looked."""
        self._job = ""
        self._then: Callable[[tuple[float, float]], object] = lambda loop: None
        self._jobs = itertools.count(1)
        player.loop.changed.connect(self._forget)

    def ask(self, model: str, seed: int, label: int | None, then: Callable[[tuple[float, float]], object]) -> None:
        """Look for the best join near the ends of the loop; `then` gets the loop that has it."""
        player, loop = self._player, self._player.loop.get()
        if loop is None or self._job:
            return
        self._job, self._then = f"join-{next(self._jobs)}", then
        self.busy.set(True)
        self.said.set("Looking for the best join…")
        begin, end = (round(seconds * player.rate) for seconds in loop)
        end = min(end, len(player.samples))
        sound = player.samples.copy()
        self._engine.send(
            Join(job=self._job, model=model, sound=sound, begin=begin, end=end, seed=seed, label=label, hand="join")
        )

    def take(self, event: AnyEvent) -> None:
        if not self._job or getattr(event, "job", None) != self._job:
            return
        if isinstance(event, Joined):
            self._job = ""
            self.busy.set(False)
            self._then((event.begin / self._player.rate, event.end / self._player.rate))
            least = "least" if event.bits < event.before else "as wanted, the least"
            self.said.set(f"The join costs {event.bits:.1f} bits, {least} of {event.tried:,} tried")
        elif isinstance(event, Ending):
            self._end()
            if isinstance(event, Failed):
                said = f"{event.why} The loop stays as it is. {event.hint}".strip()
                self._messages.say(said, "failed", until=(self.busy.changed, self._player.loop.changed))

    def lost(self, commands: Sequence[AnyCommand]) -> None:
        """The engine died while it looked; the loop stays as it is."""
        if self._job in {command.job for command in commands}:
            self._end()

    def _forget(self) -> None:
        """Another loop: nothing is known of its join."""
        if self._job:
            self._engine.stop(self._job)
        self._end()

    def _end(self) -> None:
        self._job = ""
        self.busy.set(False)
        self.said.set("")
