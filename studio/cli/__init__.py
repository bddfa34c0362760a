"""The same jobs from a terminal: one command, one file.

Results go to standard output, with --json as one object a line; progress and messages go to standard
error. Exit status: 0 done, 1 failed, 2 wrong use, 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from studio import __version__
from studio.cli import bench, blend, complete, doctor, evaluate, go_on, ground, invert, models, sample, score, train
from studio.library import storage
from studio.library.models import BadModel
from studio.library.work import BadWork
from studio.media import image, names

COMMANDS = (models, sample, invert, complete, go_on, score, blend, train, evaluate, bench, doctor)
"""In the order of the help."""


def main(argv: Sequence[str]) -> int:
    """Runs one command and returns the exit status."""
    try:
        args = _parser().parse_args(argv)
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except SystemExit as end:  # argparse: 0 after --help, 2 after wrong use
        return int(end.code or 0)
    except (ground.WrongUse, argparse.ArgumentTypeError) as error:
        ground.say(str(error))
        return 2
    except KeyboardInterrupt as stop:
        ground.say(str(stop) or "Stopped. What was finished is kept.")
        return 130
    except BrokenPipeError:  # whoever read the output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (BadModel, BadWork, image.Refused, storage.NotSaved, OSError) as error:
        ground.say(_sentence(error))
        return 1


def _sentence(error: Exception) -> str:
    """Our own faults are sentences already; the system's name the file and the fault."""
    if isinstance(error, OSError) and error.filename and not isinstance(error, storage.NotSaved):
        return f'"{names.shown(str(error.filename))}" could not be read: {(error.strerror or "a fault").lower()}.'
    return getattr(error, "sentence", None) or str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="studio", description="Pictures and sounds from generative models that you own."
    )
    parser.add_argument("--version", action="version", version=f"Latent Studio {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for each in COMMANDS:
        each.add(commands)
    commands.add_parser("engine", help="the child process that the window talks to", add_help=False)
    return parser
