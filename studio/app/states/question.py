"""The one question that is open while a hand drags: only the newest wish is kept."""

import itertools
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal

from studio.app.states.scene import Scene
from studio.app.states.value import Engine, State
from studio.wire.messages import AnyCommand, AnyEvent, Ending, Failed, Shown


class Question(State):
    """Asks the engine for pictures of scenes, one at a time."""

    answered = Signal(object, object)
    """The scene that was asked for, and its picture."""
    failed = Signal(str)
    """Why there is no picture, and what to do."""

    def __init__(self, engine: Engine, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._open: tuple[str, Scene] | None = None
        self._wish: Scene | None = None
        self._jobs = itertools.count(1)

    @property
    def is_open(self) -> bool:
        return self._open is not None

    def ask(self, scene: Scene) -> None:
        """Ask for the picture of a scene, now or when the open question has its answer."""
        if self._open is not None:
            self._wish = scene
            return
        self._wish, self._open = None, (f"explore-{next(self._jobs)}", scene)
        self._engine.send(scene.question(self._open[0]))

    def take(self, event: AnyEvent) -> None:
        if self._open is None or getattr(event, "job", None) != self._open[0]:
            return
        if isinstance(event, Shown):
            # The next question need not wait for the ending that only confirms this.
            scene = self._open[1]
            self._next()
            self.answered.emit(scene, event.picture)
        elif isinstance(event, Ending):
            self._next()
            if isinstance(event, Failed):
                self.failed.emit(f"{event.why} {event.hint}".strip())

    def lost(self, commands: Sequence[AnyCommand]) -> bool:
        """Whether the open question was among these, which have no answer any more."""
        if self._open is None or self._open[0] not in {command.job for command in commands}:
            return False
        self._open = self._wish = None
        return True

    def _next(self) -> None:
        self._open = None
        if self._wish is not None:
            self.ask(self._wish)
