"""Holds what an engine's client knows about the present process."""

from studio.app.engine.model_sender import ModelSender
from studio.app.engine.process import EnginePipe


class ProcessState:
    """Holds one process and its state. Events of an older process are ignored."""

    def __init__(self, pipe: EnginePipe, host: str, sender: ModelSender | None) -> None:
        self.pipe = pipe
        self.sender = sender
        """Sends models to another computer; None if the engine runs on this one."""
        self.ready = False
        self.steps = -1
        self.open_commands: str | None = None
        self.has_begun = False
        """Whether it has sent an event, so that a computer was reached and has the studio."""
        self.log: list[str] = []
        """The lines of its log until then."""
        self.silent = 0.0
        """Seconds since its last event."""
        self.stuck = 0.0
        """Seconds since the running job took a step."""
        self.verdict = f'The connection to "{host}" was lost.' if host else "The engine stopped unexpectedly."
        self.hopeless = False
        """Whether a new process would fail in the same way."""
