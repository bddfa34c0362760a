"""Find the training artwork nearest to each sample of a model, and judge whether the model copies."""

import argparse

import msgspec
import numpy as np

from studio.cli import arguments, command
from studio.cli.sample import SHEET_TIMES
from studio.library import models, runs, storage
from studio.library.card import Card, CopyCheck
from studio.library.work import fit_enlargement
from studio.media import export
from studio.wire import messages as wire

COUNT = 64
"""The number of samples if none is given."""
COLUMNS = 4
"""Pairs of a sample and its nearest artwork beside each other on a sheet."""


def add(commands: command.Commands) -> None:
    """Add `studio nearest`."""
    sub = command.add_command(commands, "nearest", run, "the training artworks nearest to a model's samples")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("source", type=command.read_path, metavar="FOLDER|PACK.npz", help="what the model learned from")
    sub.add_argument("-n", type=command.positive, default=COUNT, help=f"how many samples ({COUNT})")
    sub.add_argument("--seed", type=command.seed, default=1, help="of the first sample; the next count up (1)")
    sub.add_argument("--temperature", type=command.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument(
        "--sheet",
        type=command.read_path,
        metavar="FILE.png",
        help="also save each picture beside the training picture nearest to it, the nearest pairs first",
    )
    sub.add_argument("--card", action="store_true", help="write the result into the model's card")
    arguments.add_size(sub)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    card = trained.card
    arguments.enlargement_of(args, card)
    if card.medium == "sound" and args.sheet:
        raise command.WrongUse(f'"{card.title}" makes sounds, which have no sheet. Leave --sheet out.')
    ask = wire.CompareSamples(
        job="nearest",
        model=args.model,
        source=str(args.source),
        seeds=arguments.seeds_of(args),
        temperature=arguments.temperature_of(args, card)[0],
    )
    for event in command.run_command(args, ask):
        if isinstance(event, wire.EvaluationProgress):
            command.show_progress(f"{event.done} of {event.total} drawn")
        elif isinstance(event, wire.SamplesCompared):
            _report(args, trained, ask.seeds, event)
    return 0


def _report(
    args: argparse.Namespace, trained: models.InstalledModel, seeds: tuple[int, ...], event: wire.SamplesCompared
) -> None:
    distances = np.array(event.distances)
    order = np.argsort(distances, kind="stable")
    for place in order:
        copied = bool(distances[place] < runs.COPIED_DISTANCE)
        line = {"seed": seeds[place], "distance": float(distances[place]), "copied": copied}
        remark = "  a copy" if copied else ""
        command.print_result(args, line, f"{distances[place]:8.3f} of the usual distance, seed {seeds[place]}{remark}")
    check = CopyCheck(
        samples=len(distances),
        copied=int((distances < runs.COPIED_DISTANCE).sum()),
        least=round(float(distances.min()), 3),
        median=round(float(np.median(distances)), 3),
    )
    command.print_result(args, msgspec.to_builtins(check), f"{trained.card.name}: {check.text}")
    if args.sheet:
        path = command.free_output_file(args.sheet, ".png")
        storage.write_file(path, _encode_sheet(args, trained.card, event, order))
        command.print_result(args, {"file": str(path), "sheet": True}, str(path))
    if args.card:
        models.write_card(trained, msgspec.structs.replace(trained.card, copy_check=check))


def _encode_sheet(args: argparse.Namespace, card: Card, event: wire.SamplesCompared, order: np.ndarray) -> bytes:
    """Return a PNG with each sample left of the training picture nearest to it, in the given order."""
    pairs = np.concatenate([event.samples, event.nearest], axis=2)[order]
    places = -(-len(pairs) // COLUMNS) * COLUMNS
    size = fit_enlargement(arguments.enlargement_of(args, card, SHEET_TIMES), places, pairs.shape[1:3])
    return export.encode_png_bytes(export.arrange_sheet([size.enlarge(pair) for pair in pairs], COLUMNS))
