"""The ground that commands stand on: the engine's jobs, what is said, and numbers that make sense."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from studio.library import models, storage
from studio.media import image
from studio.media.enlarging import LARGEST
from studio.wire import messages as wire

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command puts its parser."""


MOST_TIMES = 64
"""How many times as large a picture is saved at most."""
NOWHERE = "Say where it is to be saved: --out."


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


def jobs(args: argparse.Namespace) -> Any:
    """The engine's jobs, in this process; torch is loaded here and not before."""
    from studio.engine import device, jobs

    device.steady_allocator()
    try:
        return jobs.Jobs(device.choose(args.device))
    except device.NoDevice as error:
        raise WrongUse(str(error)) from None


def events(args: argparse.Namespace, command: wire.AnyCommand) -> Iterator[wire.AnyEvent]:
    return answers(jobs(args), command)


def answers(jobs: Any, command: wire.AnyCommand) -> Iterator[wire.AnyEvent]:
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
    """One line that replaces itself, where somebody watches."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)


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
    """Reads `8`, `8x` or `512px`: how many times as large, and how many pixels instead, 0 if not said."""
    pixels = text.endswith("px")
    number = text.removesuffix("px") if pixels else text.removesuffix("x").removesuffix("×")
    if not number.isdecimal() or not 1 <= int(number) <= (LARGEST if pixels else MOST_TIMES):
        raise argparse.ArgumentTypeError(
            f"{text} is no size: say 1 to {MOST_TIMES} times, or 1px to {LARGEST}px for the longer side"
        )
    return (1, int(number)) if pixels else (int(number), 0)
