"""Capture what a decoder's library prints to standard error.

Some libraries continue after damage and report it nowhere else.
"""

import contextlib
import os
from collections.abc import Iterator


@contextlib.contextmanager
def capture_printed_errors() -> Iterator[list[bytes]]:
    """Capture what is printed to standard error. The list is filled when the context ends.

    Use it in one thread at a time. The list stays empty without a standard error, and on Windows before Python 3.12.
    """
    printed: list[bytes] = []
    try:
        before = os.dup(2)
    except OSError:
        yield printed
        return
    reading, writing = os.pipe()
    if hasattr(os, "set_blocking"):  # Windows before Python 3.12 has no such pipe, so nothing is captured
        os.set_blocking(writing, False)  # what does not fit is dropped; otherwise the library would wait for ever
        os.dup2(writing, 2)
    os.close(writing)
    try:
        yield printed
    finally:
        os.dup2(before, 2)
        os.close(before)
        with open(reading, "rb", buffering=0) as file:
            printed += [part for part in iter(lambda: file.read(65_536), b"") if part]
