"""One name, three doors: the window, the engine, the terminal. Only the door that is opened is imported."""

import sys
from collections.abc import Sequence

from studio import streams


def main(argv: Sequence[str] | None = None) -> int:
    """Opens the window without words or with `--device` alone, the engine at `engine`, the terminal otherwise.

    Returns the exit status.
    """
    streams.prepare()
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0].startswith("--device"):
        from studio.app.main import main as window

        return window(words)
    if words[0] == "engine":
        from studio.engine.__main__ import main as engine

        return engine(words[1:])
    from studio.cli import main as terminal

    return terminal(words)


if __name__ == "__main__":
    sys.exit(main())
