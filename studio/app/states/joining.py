"""The best join of a loop: asked for, and what is said of it."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from studio.app.core.request import Request
from studio.app.states.messages import Messages
from studio.app.states.player import Player
from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyEvent, Failed, Join, Joined


class Joining(State):
    """Moves the ends of the player's loop to where the model finds the join likeliest."""

    def __init__(self, engine: Engine, player: Player, messages: Messages, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._player, self._messages = player, messages
        self._request = Request(engine, "join", "single", self)
        self._request.answered.connect(self._use_answer)
        self._request.failed.connect(self._show_failure)
        for signal in (self._request.stopped, self._request.lost, player.loop.changed):
            signal.connect(self._forget)
        self.busy: Value[bool] = self._request.running
        self.said: Value[str] = Value("", self)
        """What the join of the loop costs: `The join costs 3.4 bits, least of 400 tried`; empty where nobody looked."""
        self._then: Callable[[tuple[float, float]], object] = lambda loop: None

    def ask(self, model: str, seed: int, label: int | None, then: Callable[[tuple[float, float]], object]) -> None:
        """Look for the best join near the ends of the loop; `then` gets the loop that has it."""
        player, loop = self._player, self._player.loop.get()
        if loop is None or self.busy.get():
            return
        self._then = then
        self.said.set("Looking for the best join…")
        begin, end = (round(seconds * player.rate) for seconds in loop)
        end = min(end, len(player.samples))
        sound = player.samples.copy()
        self._request.ask(
            lambda job: Join(
                job=job, model=model, sound=sound, begin=begin, end=end, seed=seed, label=label, hand="join"
            )
        )

    def _use_answer(self, event: AnyEvent) -> None:
        if not isinstance(event, Joined):
            self.said.set("")
            return
        self._then((event.begin / self._player.rate, event.end / self._player.rate))
        least = "least" if event.bits < event.before else "as wanted, the least"
        self.said.set(f"The join costs {event.bits:.1f} bits, {least} of {event.tried:,} tried")

    def _show_failure(self, event: Failed) -> None:
        self.said.set("")
        said = f"{event.why} The loop stays as it is. {event.hint}".strip()
        self._messages.say(said, "failed", until=(self.busy.changed, self._player.loop.changed))

    def _forget(self) -> None:
        """Another loop, or no answer: nothing is known of the join."""
        self._request.cancel()
        self.said.set("")
