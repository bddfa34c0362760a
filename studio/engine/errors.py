"""Why a job failed, in words: what happened, and what to do."""

import msgspec

SHORTAGES = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "cannot allocate memory")
RETRY_HINT = "The engine starts again by itself; then try again."
LOG_HINT = "The engine goes on. The log has the details."


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less work at a time would have gone through; torch says so in several ways, known by their words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SHORTAGES)


def is_device_lost(error: BaseException) -> bool:
    """Whether the graphics device is of no more use to this process: after any other fault of CUDA all calls fail."""
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not is_out_of_memory(error)


def explain_error(error: BaseException) -> tuple[str, str]:
    """What happened, and what to do. Faults of our own kinds are sentences already."""
    text = strip_control_characters(str(error))
    if is_out_of_memory(error):
        return "There was not enough memory.", "Ask for fewer pictures at a time, or close other programs."
    if is_device_lost(error):
        return f"The graphics device failed: {first_line(text)}.", RETRY_HINT
    if isinstance(error, msgspec.ValidationError):
        return f"A setting is not usable: {first_line(text)}.", ""
    if type(error).__module__.startswith("studio."):
        return as_sentence(text), ""
    return f"The engine met a fault of its own: {error_text(error)}.", LOG_HINT


def error_text(error: BaseException) -> str:
    """The kind of a fault with the first line of its message."""
    text = strip_control_characters(str(error))
    return f"{type(error).__name__}: {first_line(text)}" if text else type(error).__name__


def as_sentence(text: str) -> str:
    """Words of our own as a sentence, which they need not be where they are raised."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def first_line(text: str) -> str:
    """The first line of a foreign message, without its full stop, short enough to stand in a sentence."""
    return text.strip().partition("\n")[0].rstrip(". ")[:300]


def strip_control_characters(text: str) -> str:
    """Text that can be sent: at most 2,000 characters; parts of file names that are no text become `?`."""
    return text[:2000].encode("utf-8", "replace").decode()
