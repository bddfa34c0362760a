"""Seeds as people roll and type them."""

import secrets

from PySide6.QtCore import QObject

from studio.app.states.value import State, Value

BEYOND = 2**53
"""Seeds are smaller, so that JSON keeps them exact everywhere."""
ROLLED_BEYOND = 1_000_000
"""Rolled seeds have six digits at most: they can be read aloud, and there are enough of them."""


def roll(other_than: int) -> int:
    """Another seed."""
    seed = secrets.randbelow(ROLLED_BEYOND - 1)
    return seed + (seed >= other_than)


def read(typed: int | str, kept: int) -> tuple[int, str]:
    """The seed that was typed, spaces allowed; or the one kept and a sentence that says why."""
    text = "".join(str(typed).split())
    if text.isascii() and text.isdigit() and len(text) <= 16 and int(text) < BEYOND:
        return int(text), ""
    shown = text if len(text) <= 24 else text[:24] + "…"
    said = f'"{shown}" is not a seed' if text else "A seed is missing"
    return kept, f"{said}. {kept} is kept. A seed is a whole number from 0 to {BEYOND - 1:,}."


def grouped(seed: int) -> str:
    """A seed that can be read aloud: `4 112`."""
    return f"{seed:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


class SeedField(State):
    """A seed that can be seen, typed, rolled and locked."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.seed: Value[int] = Value(roll(0), self)
        self.locked: Value[bool] = Value(False, self)
        self.error: Value[str] = Value("", self)

    def typed(self, text: int | str) -> int | None:
        """The seed that was typed; None where it is none, and `error` says so."""
        found, error = read(text, self.seed.get())
        self.error.set(error)
        return None if error else found

    def put(self, seed: object) -> None:
        """Set it from a record; what is no seed changes nothing."""
        self.error.set("")
        self.seed.set(read(str(seed), self.seed.get())[0])
