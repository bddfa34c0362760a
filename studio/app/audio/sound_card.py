"""Opens the sound card for a sound, and releases it after a while without one."""

from typing import Protocol

from PySide6.QtCore import QObject, Signal

from studio.app.core.background import BackgroundTask
from studio.app.core.observable import State, Value
from studio.media.sounds.speaker import LATENCIES, NoSoundOutput, SampleSource


class OutputProtocol(Protocol):
    """Describes what a state needs of a speaker (studio.media.sounds.speaker)."""

    @property
    def device(self) -> str: ...
    @property
    def delay(self) -> float: ...
    @property
    def still(self) -> float: ...
    def outputs(self) -> tuple[str, ...]: ...
    def open(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None: ...
    def close(self) -> None: ...
    def fault(self) -> str: ...


CHECK_EVERY = 5
"""Playhead updates between two checks of the sound card."""

STALL_LIMIT = 3.0
"""Seconds. If the sound card requests nothing for so long, the user is informed. Some outputs request every 2 s."""

RELEASE_AFTER = 100
"""Playhead updates without a sound, after which the sound card is released."""


class SoundCard(State):
    """Holds one output at a time. Nothing waits for a sound server, which may never answer."""

    opening = Signal()
    """The sound card is about to open."""
    failed = Signal(str)
    """The sound card cannot be opened. Carries a sentence that says why."""

    latencies = LATENCIES

    def __init__(self, output: OutputProtocol, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._output = output
        self.device: Value[str] = Value("", self)
        """The chosen output; empty for the system's own."""
        self.latency: Value[float] = Value(0.0, self)
        """The chosen latency in seconds; 0 for what this computer needs."""
        self.devices: Value[tuple[str, ...]] = Value((), self)
        """The names of the available outputs."""
        self.open = False
        self._taken = False
        """Whether the card has confirmed that it plays."""
        self._looks = 0
        self._idle_checks = 0
        self._opening = BackgroundTask(self)
        self._looking = BackgroundTask(self)

    @property
    def delay(self) -> float:
        """Return the seconds between a sample that the card receives and its sound."""
        return self._output.delay if self.open else 0.0

    @property
    def waiting_reason(self) -> str:
        """Return why the card does not play; empty if it plays."""
        if self.open and not self._taken:
            return "The output is being opened."
        if self.open and self._output.still > STALL_LIMIT:
            return f'"{self._output.device}" takes no sound at the moment. Playing waits for it.'
        return ""

    def play_source(self, source: SampleSource) -> None:
        """Let the card read from a source, if it reads from none."""
        if not self.open:
            self.open = True
            self._taken = False
            self.opening.emit()
            device = self.device.get()
            latency = self.latency.get()
            self._opening.run(lambda: self._output.open(source, device, latency), self._on_opened)

    def release(self) -> None:
        if self.open:
            self._opening.wait()
            self._output.close()
            self.open = False

    def check_output(self, playing: bool) -> str:
        """Check the card at every playhead update. Return why it plays nothing; empty if it plays."""
        self._looks = (self._looks + 1) % CHECK_EVERY
        self._idle_checks = 0 if playing else self._idle_checks + 1
        fault = self._output.fault() if self.open and not self._looks else ""
        if fault or self._idle_checks >= RELEASE_AFTER:
            self.release()
        return fault

    def list_devices(self) -> None:
        """List the available outputs."""
        self._looking.run(self._output.outputs, self._on_listed)

    def close(self) -> None:
        self._looking.wait()
        self.release()

    def _on_opened(self, outcome: None | Exception) -> None:
        self._idle_checks = 0
        self._taken = True
        if isinstance(outcome, NoSoundOutput):
            self.open = False
            self.failed.emit(str(outcome))
        elif outcome is not None:
            raise outcome

    def _on_listed(self, outcome: tuple[str, ...] | Exception) -> None:
        if isinstance(outcome, NoSoundOutput):
            outcome = ()
        if isinstance(outcome, Exception):
            raise outcome
        self.devices.set(outcome)
