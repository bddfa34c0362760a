"""Report what this computer has."""

import argparse

from studio.cli import command
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio doctor`."""
    command.add_command(commands, "doctor", run, "what this computer has: devices, sound, libraries, models, space")


def run(args: argparse.Namespace) -> int:
    fine = True
    for event in command.run_command(args, wire.Doctor(job="doctor")):
        if isinstance(event, wire.Diagnosis):
            for what, good, finding in event.findings:
                fine &= good or what == "Sound"
                command.print_result(
                    args,
                    {"what": what, "fine": good, "finding": finding},
                    f"{'✓' if good else '!'} {what:20} {finding}",
                )
    return 0 if fine else 1
