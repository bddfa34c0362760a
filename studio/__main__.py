"""One name, four doors: the window, the engine, the reader of files, the terminal. Only an opened door is imported."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Opens the window without words or with `--device` alone, the terminal with any others.

    `engine` and `decode` are the window's child processes.

    Returns the exit status.
    """
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
    from studio.cli import main as terminal

    return terminal(words)


if __name__ == "__main__":
    sys.exit(main())
