"""Answers the questions of the window for a place to save in."""

from collections.abc import Callable
from pathlib import Path

from studio.app.app_state import AppState


def save_to(window: AppState, path: Path, save: Callable[[], object]) -> list[str]:
    """Save, and choose a path where the window asks for a file or a folder; return the names that it proposed."""
    proposed: list[str] = []

    def choose_file(name: str, then: Callable[[Path], object]) -> None:
        proposed.append(name)
        then(path)

    def choose_folder(then: Callable[[Path], object]) -> None:
        then(path)

    window.messages.file_requested.connect(choose_file)
    window.messages.folder_requested.connect(choose_folder)
    save()
    window.messages.file_requested.disconnect(choose_file)
    window.messages.folder_requested.disconnect(choose_folder)
    return proposed
