"""The picture of Explore: asked for one question at a time, with all it was made from."""

import itertools
from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject

from studio.app.states.messages import Messages
from studio.app.states.saving import Piece
from studio.app.states.scene import Scene
from studio.app.states.shelf import in_shape
from studio.app.states.value import Engine, State, Value
from studio.wire.messages import AnyCommand, AnyEvent, Array, Ending, Failed, Shown, Stopped


class Stage(State):
    """While a hand drags, one question is open and only the newest wish is kept. `wanted` gives what is set now."""

    def __init__(
        self, engine: Engine, messages: Messages, wanted: Callable[[], Scene | None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine, self._messages, self._wanted = engine, messages, wanted
        self.picture: Value[Array | None] = Value(None, self)
        self.busy: Value[bool] = Value(False, self)
        """Whether a question is open."""
        self._shown: Scene | None = None
        """What the picture was made with; the sliders may be further by now."""
        self._open: tuple[str, Scene] | None = None
        self._wish = False
        self._resume = False
        """Whether the engine is still to be asked for the picture that was here before a restart."""
        self._status = "Starting"
        self._jobs = itertools.count(1)

    @property
    def piece(self) -> Piece | None:
        """The picture with all it takes to make it again, None while there is none."""
        picture, scene = self.picture.get(), self._shown
        return Piece(picture, scene.work(), scene.name()) if picture is not None and scene is not None else None

    @property
    def shown(self) -> Scene | None:
        """What the picture was made with."""
        return self._shown

    def ask(self) -> None:
        """Ask for the picture of what is set, now or when the open question has its answer."""
        scene = self._wanted()
        self._wish = self._open is not None
        if scene is not None and not self._wish:
            self._open = (f"explore-{next(self._jobs)}", scene)
            self._engine.send(scene.question(self._open[0]))
        self.busy.set(self._open is not None)

    def put(self, picture: Array) -> None:
        """Show a picture of what is set that is known already; the engine's answer replaces it in place."""
        scene = self._wanted()
        if scene is not None:
            self._shown = scene
            self.picture.set(in_shape(picture, scene.trained))

    def resume(self) -> None:
        """Ask as soon as there is an engine that can hear."""
        self._resume = True

    def heed(self, status: str) -> None:
        """The engine's state in a word."""
        self._status = status
        if self._resume and status != "Stopped":
            self._resume = False
            self.ask()

    def take(self, event: AnyEvent) -> None:
        if self._open is None or getattr(event, "job", None) != self._open[0]:
            return
        if isinstance(event, Shown):
            # The next question need not wait for the ending that only confirms this.
            self._shown = self._open[1]
            self._next()
            self.picture.set(event.picture)
            self.busy.set(self._open is not None)
        elif isinstance(event, Ending):
            self._wish = self._wish and not isinstance(event, Stopped)
            self._next()
            self.busy.set(self._open is not None)
            if isinstance(event, Failed):
                self._fail(f"{event.why} {event.hint}", "Try again")

    def lost(self, commands: Sequence[AnyCommand], why: str) -> None:
        """The engine died with the question open: the picture stays, drawing it again is offered."""
        if self._open is not None and self._open[0] in {command.job for command in commands}:
            self._open = None
            self.busy.set(False)
            self._fail(f"{why} The picture on the stage may be older than the sliders.", "Draw it again")

    def _fail(self, said: str, button: str) -> None:
        """Show a message until another picture is requested."""
        self._messages.say(said.strip(), "failed", (button, self._again), until=(self.busy.changed,))

    def _next(self) -> None:
        self._open = None
        if self._wish:
            self.ask()

    def _again(self) -> None:
        if self._status == "Stopped":  # after too many crashes it waits for a person, who has just asked
            self._engine.start()
        self.ask()
