"""The ground that commands stand on: the engine's jobs, what is said, and numbers that make sense."""

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

from studio.library import models, storage
from studio.media import image
from studio.media.enlarging import LARGEST
from studio.wire import messages as wire

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command puts its parser."""


MOST_TIMES = 64
"""The largest factor for saving a picture."""
NOWHERE = "Say where it is to be saved: --out."
FIRST_RUN = "First run on this computer: preparing the fast version. Until it is ready, this takes longer."
STARTED_BY = "STUDIO_STARTED_BY"
"""The environment variable in which `packaging/run.py` stores the command that started it."""
LINE_EVERY = 30.0
"""Seconds between two lines of progress if the output is no terminal, for example a log file."""


class WrongUse(ValueError):
    """Arguments that make no sense together; a sentence."""


def command(commands: Commands, name: str, run: Any, help: str, engine: bool = True) -> argparse.ArgumentParser:
    """A parser for one command, with the options that all have; `engine` where a device can be chosen."""
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    if engine:
        parser.add_argument("--device", help="cpu, cuda or mps (the best there is)")
    return parser


def jobs(args: argparse.Namespace, *, compile_first: bool = False) -> Any:
    """Create the engine's jobs in this process; torch is loaded here and not before.

    Missing loops are compiled by a child process, and torch is used until they are ready. With `compile_first` they
    are compiled before anything else: for a command that measures speed or runs for hours.
    """
    from studio.engine import ahead, device, jobs

    device.steady_allocator()
    try:
        found = jobs.Jobs(device.choose(args.device))
    except device.NoDevice as error:
        raise WrongUse(str(error)) from None
    if not compile_first:
        ahead.compile_meanwhile(found.device.torch_device.type, lambda: say(FIRST_RUN))
    return found


def events(
    args: argparse.Namespace, command: wire.AnyCommand, *, compile_first: bool = False
) -> Generator[wire.AnyEvent, None, None]:
    return answers(jobs(args, compile_first=compile_first), command)


def answers(jobs: Any, command: wire.AnyCommand) -> Generator[wire.AnyEvent, None, None]:
    """What jobs say to a command, but notices, which are for people."""
    from studio.engine.events import Rest
    from studio.engine.failure import explain

    events = jobs.start(command)
    try:
        for event in events:
            if isinstance(event, wire.Notice):
                say(event.text)
            elif isinstance(event, Rest):
                time.sleep(event.seconds)
            elif event is not None:
                yield event
    except (KeyboardInterrupt, GeneratorExit, BrokenPipeError, storage.NotSaved, models.BadModel, image.Refused):
        raise
    except Exception as error:
        why, hint = explain(error)
        raise OSError(f"{why} {hint}".strip()) from error
    finally:
        events.close()


def tell(args: argparse.Namespace, fields: dict[str, Any], words: str) -> None:
    progress("")
    line = json.dumps(fields) if args.json else words
    print(line.encode("utf-8", "replace").decode(), flush=True)


def say(words: str) -> None:
    progress("")
    print(words.encode("utf-8", "replace").decode(), file=sys.stderr, flush=True)


def progress(words: str) -> None:
    """Show the progress of a command: on a terminal in one line that is replaced, elsewhere in a line now and then."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)
    elif words and _lines.due():
        print(words, file=sys.stderr, flush=True)


class Interval:
    """Tells when `LINE_EVERY` seconds have passed; the first interval begins with the program."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def due(self) -> bool:
        """Return whether the interval is over; if it is, begin the next one."""
        now = time.monotonic()
        if now - self._last < LINE_EVERY:
            return False
        self._last = now
        return True


_lines = Interval()


def about(seconds: float) -> str:
    """Return a remaining time in words: `about 9 s`, `about 4 min`, `about 2 h 10 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"


def shell(*words: str) -> str:
    """Return a command of the studio that the user can copy into a shell.

    In a clone there is no program `studio` on the path, so the command begins as `packaging/run.py` was started.
    """
    installed = "studio" if Path(sys.argv[0]).stem == "studio" else f"{shlex.quote(sys.executable)} -m studio"
    return f"{os.environ.get(STARTED_BY, installed)} {shlex.join(words)}".rstrip()


def within(kind: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    """Reads a number between two others, both of them allowed."""

    def number(text: str) -> Any:
        found = kind(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return found

    return number


positive = within(int, 1, 4096)
steps = within(int, 1, 10**9)
frames = within(int, 2, 256)
seconds = within(float, 0.001, 3600)
seed = within(int, 0, 2**53 - 1)
temperature = within(float, 0, 4)
share = within(float, 0, 1)


def scale(text: str) -> tuple[int, int]:
    """Read `8`, `8x` or `512px`; return the factor and the pixels of the longer side (0 if not given)."""
    pixels = text.endswith("px")
    number = text.removesuffix("px") if pixels else text.removesuffix("x").removesuffix("×")
    if not number.isdecimal() or not 1 <= int(number) <= (LARGEST if pixels else MOST_TIMES):
        raise argparse.ArgumentTypeError(
            f"{text} is no size: give 1 to {MOST_TIMES} times, or 1px to {LARGEST}px for the longer side"
        )
    return (1, int(number)) if pixels else (int(number), 0)
