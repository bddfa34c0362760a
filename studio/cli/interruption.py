"""End a long command on Ctrl+C or a signal: it saves, without a traceback."""

import contextlib
import os
import signal
import sys
import threading
from types import FrameType, TracebackType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))


class Interruption:
    """Ends a command on a signal. If there is something to save, it ends after a step.

    Only the first signal counts: a second Ctrl+C would interrupt the saving that the first one asked for. No exception
    is raised from a signal, because it could come anywhere, for example while a library is imported.
    """

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        """The last message to the user."""
        self.is_pending = False
        """Whether there is something to save, so that the command ends in `raise_if_pending`."""
        self.number = 0
        """The signal that came; 0 if none did."""
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # `nohup` and shells ignore some for good
                    self._before[number] = signal.signal(number, self._handle_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, before in self._before.items():
            # After a signal nothing is left to do but to end, and no second one may disturb that.
            signal.signal(number, signal.SIG_IGN if self.number else before)  # type: ignore[arg-type]

    def raise_if_pending(self) -> None:
        """Raise KeyboardInterrupt if a signal came. Call it where everything can be saved."""
        if self.number:
            raise KeyboardInterrupt

    @property
    def exit_status(self) -> int:
        """Return the exit status of a command that a signal ended, as shells count."""
        return 128 + (self.number or signal.SIGINT)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            return
        self.number = number
        if self.is_pending:
            _write("Stopping after this step and saving.")
            return
        _write(self.sentence)
        os._exit(self.exit_status)


def _write(sentence: str) -> None:
    """Write to standard error. The signal may have interrupted `print`, which is therefore not used."""
    with contextlib.suppress(OSError):
        start = "\r\x1b[K" if os.isatty(2) else ""
        os.write(2, f"{start}{sentence}\n".encode())
    with contextlib.suppress(RuntimeError):  # the signal came while standard output was being written
        sys.stdout.flush()
