"""Lends the engine that trains on other computers, one at a time."""

from collections.abc import Callable

from studio.app.core.observable import EngineProtocol, Value


class TrainingComputers:
    """Names the other computers, and connects the remote engine with one of them.

    Arguments
        engine: the engine on another computer
        hosts: the other computers, as `ssh` takes them
        release: ends the engine's process if it has nothing to do
    """

    def __init__(self, engine: EngineProtocol, hosts: Value[tuple[str, ...]], release: Callable[[], object]) -> None:
        self.engine = engine
        self.hosts = hosts
        self.release = release
        self.busy_host: Callable[[], str] = lambda: ""
        """Returns the computer that trains now; empty if none does."""

    def connect(self, host: str) -> bool:
        """Let the engine work on a computer, and return whether it does. A training elsewhere is not disturbed."""
        if self.busy_host() not in ("", host):
            return False
        self.engine.use_computer(host)
        if self.engine.now == "Stopped":
            self.engine.start()
        return True
