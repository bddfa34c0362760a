"""One name, four doors: the window, the engine, the reader of files, the terminal. Only an opened door is imported."""

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from studio import streams


def main(argv: Sequence[str] | None = None) -> int:
    """Opens the window without words or with `--device` alone, the terminal with any others.

    `engine` and `decode` are the window's child processes.

    Returns the exit status.
    """
    streams.prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0].startswith("--device"):
        from studio.app.main import main as window

        return window(words)
    if words[0] == "engine":
        from studio.engine.__main__ import main as engine

        return engine(words[1:])
    if words[0] == "decode":
        from studio.media.decoder_process import main as decode

        return decode()
    return _terminal(words)


def _terminal(words: Sequence[str]) -> int:
    """Run a command. The first Ctrl+C stops it in order; a second one, or one before it is loaded, ends it at once.

    SIGTERM always ends it at once. Files are written whole or not at all, so nothing is left half-done.
    """
    orderly = False

    def come(number: int, frame: FrameType | None) -> None:
        nonlocal orderly
        if not orderly or number != signal.SIGINT:
            os._exit(128 + number)
        orderly = False
        raise KeyboardInterrupt

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # a shell may ignore them for good
            signal.signal(number, come)
    from studio.cli import main as terminal

    orderly = True
    return terminal(words)


if __name__ == "__main__":
    sys.exit(main())
