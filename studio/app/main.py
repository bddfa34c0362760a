"""Opens the window within a second. The engine starts after the first paint."""

import argparse
import contextlib
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QSocketNotifier, Qt
from PySide6.QtWidgets import QApplication

from studio.app.app_state import AppState
from studio.app.audio.sound_card import OutputProtocol
from studio.app.core.autosave import SettingsFile
from studio.app.engine.client import EngineClient, local_program
from studio.app.fault_log import FaultLog
from studio.app.widgets.theme import Theme
from studio.app.window.main_window import MainWindow
from studio.library import storage
from studio.media.sounds.speaker import Speaker


@dataclass(frozen=True)
class OpenWindow:
    """Holds everything that an open window needs."""

    engine: EngineClient
    trainer: EngineClient
    """The engine that trains, beside the one that generates. It runs only while the panel Train needs it."""
    remote_trainer: EngineClient
    """The engine that trains on another computer. It runs only while the user trains there."""
    state: AppState
    theme: Theme
    window: MainWindow

    def close_window(self) -> None:
        """Save the state, then let the engine save and end."""
        self.state.close()
        self.trainer.close()
        self.remote_trainer.close()
        self.engine.close()


def assemble(
    application: QApplication, program: Sequence[str] | None = None, output: OutputProtocol | None = None
) -> OpenWindow:
    """Create the window as it was left, without showing it.

    `program` and `output` replace this computer's engine and sound card.
    """
    application.setApplicationName("latent-studio")
    application.setApplicationDisplayName("Latent Studio")
    application.setDesktopFileName("latent-studio")
    application.setStyle("Fusion")
    engine = EngineClient(program)
    is_first = _lock_folders()
    trainer = EngineClient(program or local_program(background=True))
    remote_trainer = EngineClient(background=True)
    settings = SettingsFile(writable=is_first)
    state = AppState(engine, settings, output or Speaker(), is_first, trainer, remote_trainer)
    state.start()
    device = state.preferences.device.get()
    if device and program is None:
        engine.program = local_program(device)
        trainer.program = local_program(device, background=True)
    theme = Theme(application)
    window = MainWindow(theme, state)
    window.painted.connect(engine.start)
    gc.freeze()  # Python need not scan permanent objects for 50 ms again and again while sound plays.
    return OpenWindow(engine, trainer, remote_trainer, state, theme, window)


def _lock_folders() -> bool:
    """Return whether this is the only window with these folders. The lock is held until the process ends."""
    try:
        return storage.lock_file(storage.home_folder("data") / "window.lock") is not None
    except storage.NotSaved:  # if nothing can be written there, no other window keeps its state there either
        return True


def main(argv: Sequence[str]) -> int:
    """Open the window and return the exit status."""
    with contextlib.suppress(ValueError, AttributeError, OSError):  # a windowed build has no standard error
        faulthandler.enable()
    parser = argparse.ArgumentParser(prog="studio", description="The window. For the terminal see: studio --help")
    parser.add_argument("--device", help="cpu, cuda or mps; without it, the device from Settings")
    device = parser.parse_args(argv).device
    application = QApplication(sys.argv[:1] or ["studio"])
    faults = FaultLog()
    faults.install_hooks()
    studio = assemble(application, local_program(device) if device else None)
    # Queued, because an exception may occur while the window is being painted.
    faults.fault_logged.connect(studio.state.show_fault, Qt.ConnectionType.QueuedConnection)
    studio.window.closed.connect(application.quit)
    notifiers = _quit_on_signals(application)
    studio.window.show()
    status = application.exec()
    notifiers.clear()
    studio.close_window()
    faults.remove_hooks()
    return status


def _quit_on_signals(application: QApplication) -> list[QSocketNotifier]:
    """Close the window in good order on Ctrl+C and SIGTERM, even while Qt waits."""
    if sys.platform == "win32":  # there a wake-up needs a socket, and the console ends the process by itself
        return []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: application.quit())
    notifier = QSocketNotifier(reading, QSocketNotifier.Type.Read)
    notifier.activated.connect(lambda: os.read(reading, 64))
    return [notifier]
