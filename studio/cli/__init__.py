"""Run the studio's jobs from a terminal. Each command has one file.

Results go to standard output, with --json as one object a line. Progress and messages go to standard error. Exit
status: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

import argparse
import errno
import os
from collections.abc import Sequence

from studio import __version__, streams
from studio.cli import (
    alphabet,
    bench,
    blend,
    command,
    complete,
    continue_sound,
    doctor,
    evaluate,
    grow,
    invert,
    models,
    nearest,
    pyramid,
    runs,
    sample,
    score,
    train,
)
from studio.library import storage
from studio.library.models import BadModel
from studio.library.work import BadWork
from studio.media import names
from studio.media.pictures import image

COMMANDS = (
    models, sample, alphabet, invert, complete, grow, continue_sound, score, blend, train, pyramid, runs, evaluate,
    nearest, bench, doctor,
)  # fmt: skip
"""All commands, in the order of the help."""


def main(argv: Sequence[str]) -> int:
    """Run one command and return the exit status."""
    status = _run(argv)
    fault = streams.stream_fault()
    if fault is None:
        return status
    if fault.errno != errno.EPIPE:  # the reader may leave, as `| head` does
        command.print_message(f"The results could not be printed: {_error_reason(fault)}.")
    return status or 1


def _run(argv: Sequence[str]) -> int:
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        return status
    except SystemExit as end:  # argparse: 0 after --help, 2 after wrong use
        return int(end.code or 0)
    except (command.WrongUse, argparse.ArgumentTypeError) as error:
        command.print_message(str(error))
        return 2
    except KeyboardInterrupt as stop:
        command.print_message(str(stop) or "Stopped. What was finished is kept.")
        return 130
    except command.OutputClosed:
        return 1
    except Exception as error:
        command.print_message(_error_sentence(error))
        return 1


def _error_sentence(error: Exception) -> str:
    """Return an error in words. Ours are sentences already. For the system's, name the file and the reason."""
    if isinstance(error, (command.JobFailed, BadModel, BadWork, image.FileRefused, storage.NotSaved)):
        return getattr(error, "sentence", None) or str(error)
    if isinstance(error, OSError) and error.strerror:
        name = error.filename
        what = "The system refused" if name is None else f'"{names.display_name(os.fsdecode(name))}" could not be used'
        return f"{what}: {_error_reason(error)}."
    return command.explain_and_log(error, "command")


def _error_reason(error: OSError) -> str:
    reason = error.strerror or "no reason given"
    return reason[:1].lower() + reason[1:]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio", description="Pictures and sounds from generative models that you own."
    )
    parser.add_argument("--version", action="version", version=f"Latent Studio {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for each in COMMANDS:
        each.add(commands)
    commands.add_parser("engine", help="the window's child process", add_help=False)
    return parser
