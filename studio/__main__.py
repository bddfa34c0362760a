"""One name, three doors: the window, the engine, the terminal. Only the door that is opened is imported."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Opens the window without words, the engine at `engine`, the terminal otherwise; returns the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        from studio.app.main import main as window

        return window([])
    if words[0] == "engine":
        from studio.engine.__main__ import main as engine

        return engine(words[1:])
    from studio.cli import main as terminal

    return terminal(words)


if __name__ == "__main__":
    sys.exit(main())
