"""Share what all commands need: the engine's jobs, messages, and types of arguments."""

import argparse
import contextlib
import json
import os
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from studio import __version__, streams
from studio.library import file_names, models, storage
from studio.media import names
from studio.media.pictures import image
from studio.media.pictures.enlarging import MAX_SIDE
from studio.wire import messages as wire

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The object to which a command adds its parser."""

MAX_FACTOR = 64
"""The largest factor for saving a picture."""
NO_OUT_HINT = "Add --out to say where it is saved."
FIRST_RUN_NOTE = "First run on this computer: preparing the fast version. Until it is ready, this takes longer."
STARTED_BY_VARIABLE = "STUDIO_STARTED_BY"
"""The environment variable in which `packaging/run.py` stores the command that started it."""
PROGRESS_LINE_SECONDS = 30.0
"""Seconds between two lines of progress if the output is not a terminal, for example a log file."""
MAX_LOG_BYTES = 256 * 1024
"""Maximum size of the log in bytes. One exception takes about 2 kB."""
Answer = TypeVar("Answer", bound=wire.Event)


class WrongUse(ValueError):
    """Reports in a sentence why arguments do not fit together."""


class JobFailed(Exception):
    """Reports in sentences why a job ended without its result."""


class OutputClosed(Exception):
    """Ends a command that makes no files once its results cannot be printed."""


def add_command(
    commands: Commands,
    name: str,
    run: Any,
    help: str,
    engine: bool = True,
    only_prints: Callable[[argparse.Namespace], bool] = lambda args: False,
) -> argparse.ArgumentParser:
    """Add a parser for one command, with the options that all have.

    Arguments
        engine: whether a device can be chosen
        only_prints: returns whether the command makes no files, so that it ends if its results cannot be printed
    """
    parser = commands.add_parser(name, help=help, description=help)
    parser.set_defaults(run=run, only_prints=only_prints)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    if engine:
        parser.add_argument("--device", help="cpu, cuda or mps (the best one)")
    return parser


def make_jobs(args: argparse.Namespace, *, compile_first: bool = False) -> Any:
    """Create the engine's jobs in this process; torch is loaded here and not before.

    Missing loops are compiled by a child process, and torch is used until they are ready. With `compile_first` they
    are compiled before anything else: for a command that measures speed or runs for hours.
    """
    try:
        from studio.engine import device, jobs, precompile
    except (ImportError, OSError) as error:  # a library is missing, or one that it needs
        raise JobFailed(f"The engine could not load: {type(error).__name__}: {error}. Run the set-up again.") from error

    device.keep_freed_memory()
    try:
        found = jobs.JobStarter(device.choose_device(args.device))
    except device.NoDevice as error:
        raise WrongUse(str(error)) from None
    if not compile_first:
        precompile.compile_meanwhile(found.device.torch_device.type, lambda: print_message(FIRST_RUN_NOTE))
    return found


def run_command(
    args: argparse.Namespace, command: wire.AnyCommand, *, compile_first: bool = False
) -> Generator[wire.AnyEvent, None, None]:
    return run_job(make_jobs(args, compile_first=compile_first), command)


def run_job(jobs: Any, command: wire.AnyCommand) -> Generator[wire.AnyEvent, None, None]:
    """Yield the events of a command; print notices for the user.

    Raises JobFailed if the job fails, or ends without an event.
    """
    from studio.engine.events import Pause

    events = jobs.start(command)
    silent = True
    try:
        for event in events:
            silent = silent and event is None
            if isinstance(event, wire.Notice | wire.TrainingWaits):
                print_message(event.text)
            elif isinstance(event, Pause):
                time.sleep(event.seconds)
            elif event is not None:
                yield event
    except (KeyboardInterrupt, GeneratorExit, storage.NotSaved, models.BadModel, image.FileRefused):
        raise
    except BaseException as error:  # also SystemExit, as in the window's engine
        raise JobFailed(explain_and_log(error)) from error
    finally:
        if isinstance(events, Generator):
            events.close()
    if silent:
        raise JobFailed("The engine ended the job without a result. What was finished is kept.")


def run_job_for(jobs: Any, command: wire.AnyCommand, kind: type[Answer]) -> Answer:
    """Return the one event of a type that a command answers. Raises JobFailed as `run_job`."""
    (found,) = (event for event in run_job(jobs, command) if isinstance(event, kind))
    return found


def explain_and_log(error: BaseException, part: str = "engine") -> str:
    """Return what happened and what to do. Log the details of the program's own errors.

    Arguments
        part: the part of the program in which it happened
    """
    from studio.engine import errors

    why, hint = errors.explain_error(error)
    if hint == errors.RETRY_HINT:
        hint = "Run the command again."
    elif hint == errors.LOG_HINT:
        why = f"The {part} met a fault of its own: {errors.error_text(error)}."
        hint = f"What was finished is kept. {_log_error(error)}".strip()
    return f"{why} {hint}".strip()


def _log_error(error: BaseException) -> str:
    """Write an error to the log of the terminal. Return where that is, or nothing if that fails."""
    path = storage.home_folder("log") / "terminal.log"
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    details = "".join(traceback.format_exception(error))
    with contextlib.suppress(storage.NotSaved):
        storage.append_to_log(path, f"{now}  Latent Studio {__version__}\n{details}\n", MAX_LOG_BYTES)
        return f'The details are in "{names.display_name(str(path))}".'
    return ""


def print_result(args: argparse.Namespace, fields: dict[str, Any], words: str) -> None:
    """Print a result. Raises OutputClosed if that fails and the command makes no files."""
    show_progress("")
    print(json.dumps(fields) if args.json else words, flush=True)
    if streams.stream_fault() and args.only_prints(args):
        raise OutputClosed


def print_message(words: str) -> None:
    """Print a message."""
    show_progress("")
    print(words, file=sys.stderr, flush=True)


def show_progress(words: str) -> None:
    """Show the progress of a command.

    On a terminal one line is replaced. Elsewhere a line is printed now and then.
    """
    if sys.stderr.isatty():
        print(f"\r\x1b[K{words}", end="", file=sys.stderr, flush=True)
    elif words and _lines.is_due():
        print(words, file=sys.stderr, flush=True)


class ProgressInterval:
    """Measures intervals of PROGRESS_LINE_SECONDS; the first one begins with the program."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the interval is over; if it is, begin the next one."""
        now = time.monotonic()
        if now - self._last < PROGRESS_LINE_SECONDS:
            return False
        self._last = now
        return True


_lines = ProgressInterval()


def time_left_text(seconds: float) -> str:
    """Return a time in words: `about 9 s`, `about 4 min`, `about 2 h 10 min`."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"


def shell_command(*words: str) -> str:
    """Return a command of the studio that the user can copy into a shell.

    In a clone there is no program `studio` on the path, so the command begins as `packaging/run.py` was started.
    """
    installed = "studio" if Path(sys.argv[0]).stem == "studio" else f"{shlex.quote(sys.executable)} -m studio"
    return f"{os.environ.get(STARTED_BY_VARIABLE, installed)} {shlex.join(words)}".rstrip()


def read_path(text: str) -> Path:
    """Read the path of a file or a folder. An empty one would be the current folder, so it is refused."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty: give a file or a folder")
    return Path(text)


def free_output_file(wanted: Path, ending: str) -> Path:
    """Return a free path for a result, and create its folder, before the work. Raises NotSaved or WrongUse."""
    if wanted.name in ("", "..") or os.path.isdir(wanted):
        raise WrongUse(f'"{names.display_name(str(wanted))}" is a folder. Give the name of a file.')
    target = wanted.with_suffix(ending)
    storage.create_parent(wanted)
    folder = storage.create_parent(target)
    return file_names.next_free_path(folder, target.stem, ending) if os.path.lexists(target) else target


def number_between(kind: Callable[[str], Any], least: float, most: float) -> Callable[[str], Any]:
    """Return a parser of numbers from `least` to `most`."""

    def number(text: str) -> Any:
        found = kind(text)
        if not least <= found <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return found

    return number


positive = number_between(int, 1, 4096)
steps = number_between(int, 1, 10**9)
frames = number_between(int, 2, 256)
seconds = number_between(float, 0.001, 3600)
seed = number_between(int, 0, 2**53 - 1)
temperature = number_between(float, 0, 4)
share = number_between(float, 0, 1)
guidance = number_between(float, 0, wire.MAX_GUIDANCE)


def read_canvas_size(text: str) -> tuple[int, int]:
    """Read `256x128`, width first. Return (height, width)."""
    sides = text.replace("×", "x").split("x")
    if len(sides) != 2 or not all(s.isdecimal() and 1 <= int(s) <= wire.MAX_CANVAS_SIDE for s in sides):
        raise argparse.ArgumentTypeError(
            f"{text} is no size: give width x height, as 256x128, each up to {wire.MAX_CANVAS_SIDE}"
        )
    return int(sides[1]), int(sides[0])


def read_scale(text: str) -> tuple[int, int]:
    """Read `8`, `8x` or `512px`. Return the factor, and the pixels of the longer side (0 if not given)."""
    pixels = text.endswith("px")
    number = text.removesuffix("px") if pixels else text.removesuffix("x").removesuffix("×")
    if not number.isdecimal() or not 1 <= int(number) <= (MAX_SIDE if pixels else MAX_FACTOR):
        raise argparse.ArgumentTypeError(
            f"{text} is no size: give 1 to {MAX_FACTOR} times, or 1px to {MAX_SIDE}px for the longer side"
        )
    return (1, int(number)) if pixels else (int(number), 0)
