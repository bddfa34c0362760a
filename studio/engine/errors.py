"""Explain in words why a job failed: what happened, and what to do."""

import msgspec

SHORTAGES = ("out of memory", "not enough memory", "can't allocate memory", "bad_alloc", "cannot allocate memory")
RETRY_HINT = "The engine restarts by itself. Then try again."
LOG_HINT = "The engine continues. The log has the details."


class NeedsForce(ValueError):
    """Is the base of refusals after which the same command with `force` would continue."""


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out.

    Less work at a time might then succeed. torch reports it in several ways, which are recognised by their words.
    """
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in SHORTAGES)


def is_device_lost(error: BaseException) -> bool:
    """Return whether the graphics device can no longer be used by this process.

    After any other CUDA error all calls fail.
    """
    return isinstance(error, RuntimeError) and "CUDA error" in str(error) and not is_out_of_memory(error)


def explain_error(error: BaseException) -> tuple[str, str]:
    """Explain what happened, and what to do. Errors of our own types are sentences already."""
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
    """Return the type of an error with the first line of its message."""
    text = strip_control_characters(str(error))
    return f"{type(error).__name__}: {first_line(text)}" if text else type(error).__name__


def as_sentence(text: str) -> str:
    """Turn a message of our own into a sentence."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def first_line(text: str) -> str:
    """Return the first line of a library's message, short and without its full stop."""
    return text.strip().partition("\n")[0].rstrip(". ")[:300]


def strip_control_characters(text: str) -> str:
    """Return text that can be sent: at most 2,000 characters. Bytes of file names that are not text become `?`."""
    return text[:2000].encode("utf-8", "replace").decode()
