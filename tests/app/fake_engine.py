"""An engine that keeps a list of what was sent, and says what a test tells it to."""

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from studio.wire import frames
from studio.wire.messages import AnyCommand, AnyEvent

DIED = "The engine stopped unexpectedly. Another one is starting. Your takes are safe."


class FakeEngine(QObject):
    """Has the signals and verbs of studio.app.engine.Engine."""

    asked = Signal(object)
    happened = Signal(object)
    status = Signal(str)
    lost = Signal(object)
    said = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[AnyCommand] = []
        self.stopped: list[str] = []
        self.starts = 0
        self.at_once: Callable[[AnyEvent], object] = lambda event: None

    def start(self) -> None:
        self.starts += 1

    def send(self, command: AnyCommand) -> None:
        body = frames.encode(command)[4:]
        self.sent.append(frames.decode(body, AnyCommand))  # the real one would refuse what this refuses
        self.asked.emit(command)

    def stop(self, job: str) -> None:
        self.stopped.append(job)

    def say(self, *events: AnyEvent) -> None:
        """Let these events happen, in this order."""
        for event in events:
            self.at_once(event)
            self.happened.emit(event)

    def die(self, sentence: str = DIED) -> None:
        """Die with the newest command unanswered, as the real one tells it."""
        self.said.emit(sentence)
        self.lost.emit(tuple(self.sent[-1:]))
        self.status.emit("Starting")
