"""Make standard streams that never fail. Output that cannot be written is dropped, and the work continues.

A command may be started with closed streams (`>&-`), with an encoding without most characters (`LANG=C`), into a full
disk, or into a pipe whose reader leaves (`| head -1`). It still makes all results.
"""

import codecs
import contextlib
import errno
import io
import os
import sys
from typing import Any, TextIO, cast

MARKS = {
    "×": "x",
    "✓": "+",
    "…": "...",
    "–": "-",
    "—": "-",
    "−": "-",
    "·": "-",
    "±": "+-",
    "“": '"',
    "”": '"',
    "’": "'",
}
"""Replacements for characters that an encoding lacks. All others become `?`."""
_HANDLER = "studio.marks"


class CheckedOutput(io.RawIOBase):
    """Writes to a stream until that fails, then drops everything. `fault` is the error, or None."""

    def __init__(self, number: int, stream: TextIO | None) -> None:
        super().__init__()
        self._number = number
        self._raw: Any = None
        self.fault: OSError | None = None
        if stream is not None:
            self._raw = getattr(stream.buffer, "raw", stream.buffer)  # unbuffered, the stream is its own raw one

    def write(self, data: Any, /) -> int:
        """Write data, or drop what cannot be written. Return how many bytes are done."""
        size = memoryview(data).nbytes
        if self._raw is None:
            self.fault = OSError(errno.EBADF, "standard output is closed")
        if self._raw is None or self.fault is not None:
            return size
        try:
            written = self._raw.write(data)
            if written is None:  # another program made the stream non-blocking
                os.set_blocking(self._number, True)
                written = self._raw.write(data)
        except OSError as fault:
            self.fault = fault
            return size
        return int(written)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def isatty(self) -> bool:
        return self._raw is not None and bool(self._raw.isatty())


def prepare_streams() -> None:
    """Replace the standard streams of this process. Call it once, before anything else opens a file."""
    _occupy()
    codecs.register_error(_HANDLER, _replace)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115  it lasts as long as the process
    sys.stdout = _unclosable_stream(1, sys.stdout)
    sys.stderr = _unclosable_stream(2, sys.stderr)


def stream_fault() -> OSError | None:
    """Return why results can no longer be printed, or None if all were printed."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return raw.fault if isinstance(raw, CheckedOutput) else None


def _occupy() -> None:
    """Open the null device as every closed standard stream.

    Otherwise the next file that is opened would take its number, and all that is printed would be written into it.
    """
    with contextlib.suppress(OSError):  # a program without a console may have none of them
        while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(number, True)
        os.close(number)


def _unclosable_stream(number: int, stream: TextIO | None) -> TextIO:
    """Return a stream to replace a standard one. If that is closed, the encoding is UTF-8."""
    text = cast("io.TextIOWrapper | None", stream)
    return io.TextIOWrapper(
        io.BufferedWriter(CheckedOutput(number, stream)),
        encoding=text.encoding if text else "utf-8",
        errors=_HANDLER,
        line_buffering=text.line_buffering if text else False,
        write_through=text.write_through if text else False,
    )


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Handle characters that an encoding lacks, as `codecs.register_error` asks."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(MARKS.get(mark, "?") for mark in error.object[error.start : error.end]), error.end
