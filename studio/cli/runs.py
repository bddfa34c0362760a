"""List the trainings of this computer, and show the curve of one."""

import argparse
import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from studio.cli import command, tensorboard_export
from studio.library import runs, storage
from studio.library.runs import RunSummary
from studio.media import names

MOST_ROWS = 20
"""The largest number of figures of a curve that are printed. With --json all are."""
State = Literal["training", "finished", "paused"]


def add(commands: command.Commands) -> None:
    """Add `studio runs`."""
    sub = command.add_command(
        commands, "runs", run, "list the trainings of this computer, or show the curve of one", engine=False
    )
    sub.add_argument("name", nargs="?", metavar="NAME", help="show the curve of this run (a list of all)")
    sub.add_argument(
        "--tensorboard",
        type=command.read_path,
        metavar="FOLDER",
        help="write the log of this run, or of all, into a folder that TensorBoard reads",
    )


def run(args: argparse.Namespace) -> int:
    found = [_find_run(args.name)] if args.name is not None else runs.list_runs()
    if args.tensorboard is not None:
        return _export(args, found)
    if args.name is not None:
        _print_curve(args, found[0])
        return 0
    for each in found:
        _print_run(args, each)
    damaged = _damaged_runs({each.folder.name for each in found})
    for name in damaged:
        command.print_message(f'"{names.display_name(name)}" cannot be read: its settings or checkpoints are damaged.')
    if not found and not damaged:
        command.print_message("There are no trainings yet. Begin one with: studio train FOLDER --name NAME")
    return 1 if damaged else 0


def _find_run(name: str) -> RunSummary:
    """Return the run of a name, or of a folder that was copied here. Raises WrongUse."""
    path = Path(name)
    folder = path if path.name != name or path.is_dir() else storage.home_folder("runs") / name
    found = runs.read_run(folder)
    if found is None:
        raise command.WrongUse(
            f'There is no run "{names.display_name(name)}" that can be read. List all with: studio runs'
        )
    return found


def _damaged_runs(known: set[str]) -> list[str]:
    """Return the names of runs that have checkpoints, but cannot be read."""
    home = storage.home_folder("runs")
    return sorted(
        path.parent.parent.name
        for path in home.glob("*/checkpoints/manifest.json")
        if path.parent.parent.name not in known
    )


def _state(run: RunSummary) -> State:
    """Return whether a process is training a run, or how it stands."""
    from studio.engine.training import run_lock

    with contextlib.suppress(storage.NotSaved):  # nobody trains in a folder that takes no files
        try:
            run_lock.check_run(run.folder)
        except run_lock.RunLocked:
            return "training"
    return "finished" if run.outcome is not None else "paused"


def _best(run: RunSummary) -> float | None:
    """Return the best bits per dimension of held-out artworks so far."""
    return min((held_out for _, _, held_out in run.curve if held_out is not None), default=None)


def _fields(run: RunSummary) -> dict[str, object]:
    return {
        "name": run.folder.name,
        "model": run.config.recipe.get("family", ""),
        "step": run.step,
        "steps": run.config.plan.get("steps", 0),
        "seconds": run.seconds,
        "held_out": _best(run),
        "state": _state(run),
        "saved": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(run.changed)),
        "source": run.source,
        "folder": str(run.folder),
    }


def _print_run(args: argparse.Namespace, run: RunSummary) -> None:
    fields = _fields(run)
    best = fields["held_out"]
    bits = "not measured yet" if best is None else f"{best:.3f} bits held out"
    steps = f"step {run.step:,} of {fields['steps']:,}"
    saved = time.strftime("%Y-%m-%d %H:%M", time.localtime(run.changed))
    columns = (f"{fields['name']:28}", f"{fields['model']:15}", f"{steps:26}", f"{bits:20}", f"{fields['state']:9}")
    command.print_result(args, fields, " ".join((*columns, saved, names.display_name(str(run.folder)))))


def _print_curve(args: argparse.Namespace, run: RunSummary) -> None:
    """Print a run and the figures of its curve: the measured ones, or those of batches if none was measured."""
    _print_run(args, run)
    measured = [point for point in run.curve if point[2] is not None]
    if args.json:
        for step, bits, held_out in run.curve:
            command.print_result(args, {"step": step, "training": bits, "held_out": held_out}, "")
        return
    best = _best(run)
    for step, bits, held_out in _points_that_fit(measured or run.curve, best):
        figure = "" if held_out is None else f"  {held_out:8.3f} held out"
        mark = "  best" if held_out is not None and held_out == best else ""
        command.print_result(args, {}, f"step {step:>9,}  {bits:8.3f} training{figure}{mark}")


def _points_that_fit(points: Sequence[runs.CurvePoint], best: float | None) -> list[runs.CurvePoint]:
    """Return points that fit on a screen. The first, the last and the best are among them."""
    last = len(points) - 1
    chosen = {round(place * last / (MOST_ROWS - 1)) for place in range(MOST_ROWS)} if last >= MOST_ROWS else None
    return [
        point
        for place, point in enumerate(points)
        if chosen is None or place in chosen or (best is not None and point[2] == best)
    ]


def _export(args: argparse.Namespace, found: Sequence[RunSummary]) -> int:
    try:
        for each in found:
            path = tensorboard_export.export_run(each, args.tensorboard)
            command.print_result(args, {"name": each.folder.name, "file": str(path)}, str(path))
    except tensorboard_export.NoTensorBoard as error:
        command.print_message(str(error))
        return 1
    return 0
