"""Seeds as people roll and type them."""

import secrets

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
