"""The file in which the window keeps how it was left."""

from pathlib import Path
from typing import Any


class SettingsFile:
    """`settings.json` in the folder of settings."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def read(self) -> tuple[dict[str, Any], str]:
        """What was kept, and a sentence where the file was damaged (it is kept aside) or cannot be read."""
        return {}, ""

    def write(self, plain: dict[str, Any]) -> None:
        """Keep this. Raises NotSaved."""
