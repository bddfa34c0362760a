"""Replaces the engine: lists the sent commands, and emits the events of a test."""

from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import Receiver
from studio.wire import frames
from studio.wire.messages import AnyCommand, AnyEvent, Ending, Heartbeat

DIED = "The engine stopped unexpectedly. Another one is starting. Your takes are safe."


class FakeEngine(QObject):
    """Has the signals and methods of studio.app.engine.client.EngineClient."""

    command_sent = Signal(object)
    event_received = Signal(object)
    announced = Signal(object)
    status_changed = Signal(str)
    lost = Signal(object)
    message_raised = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[AnyCommand] = []
        self.stopped: list[str] = []
        self.abandoned: list[str] = []
        self.starts = 0
        self.hosts: list[str] = []
        self.now = "Starting"
        self.receivers: dict[str, Receiver] = {}
        self.unseen: list[AnyEvent] | None = None
        """Events that the window has not handled yet, while a test blocks it."""
        self.status_changed.connect(self._note_status)

    def start(self) -> None:
        self.starts += 1

    def use_computer(self, host: str) -> None:
        self.hosts.append(host)

    def send(self, command: AnyCommand, receiver: Receiver | None = None) -> None:
        body = frames.encode(command)[4:]
        self.sent.append(frames.decode(body, AnyCommand))  # refuses what the real one would refuse
        if receiver is not None:
            self.receivers[command.job] = receiver
        self.command_sent.emit(command)

    def stop(self, job: str) -> None:
        self.stopped.append(job)

    def abandon(self, job: str) -> None:
        self.receivers.pop(job, None)
        self.abandoned.append(job)

    def emit_events(self, *events: AnyEvent) -> None:
        """Emit these events, in this order."""
        for event in events:
            receiver = self.receivers.get(_command_of(event))
            if receiver is not None:
                receiver.receive_at_once(event)
            if self.unseen is None:
                self._deliver(event)
            else:
                self.unseen.append(event)

    def stand_still(self) -> None:
        """Let only the thread that reads the engine work from now on."""
        self.unseen = []

    def go_on(self) -> None:
        """Let the window handle the events of the meantime."""
        unseen = self.unseen or []
        self.unseen = None
        for event in unseen:
            self._deliver(event)

    def _deliver(self, event: AnyEvent) -> None:
        job = _command_of(event)
        receiver = self.receivers.get(job)
        if isinstance(event, Ending):
            self.receivers.pop(job, None)
        self.event_received.emit(event)
        if receiver is not None:
            receiver.receive(job, event)
        elif not job:
            self.announced.emit(event)

    def die(self, sentence: str = DIED) -> None:
        """Die like the real engine.

        All unanswered commands with a receiver are lost, or the newest command if none has one.
        """
        self.message_raised.emit(sentence)
        receivers = self.receivers
        self.receivers = {}
        lost = [command for command in self.sent if command.job in receivers]
        self.lost.emit(tuple(lost or self.sent[-1:]))
        for job, receiver in receivers.items():
            receiver.lose(job, sentence)
        self.status_changed.emit("Starting")

    def _note_status(self, status: str) -> None:
        self.now = status


def _command_of(event: AnyEvent) -> str:
    return "" if isinstance(event, Heartbeat) else getattr(event, "job", "")
