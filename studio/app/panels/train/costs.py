"""Formats the cost of a training for the user."""

from studio.app.core.text import time_left


def size_text(count: int) -> str:
    """Return a number of bytes: `310 MB`, `2.1 GB`."""
    if count < 999_500_000:
        return f"{max(1, round(count / 1e6)):,} MB"
    return f"{count / 1e9:,.1f} GB"


def cost_text(seconds: float, memory: int, disk: int) -> str:
    """Return `about 2 h · 2.1 GB memory · 310 MB disk`."""
    return f"{time_left(seconds)} · {size_text(memory)} memory · {size_text(disk)} disk"


def span_text(seconds: float) -> str:
    """Return a span of time: `48 s`, `41 min`, `2 h 5 min`."""
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
