"""Encode and decode files, and report whether they come back exactly."""

import argparse
import sys
from pathlib import Path
from typing import Any

from studio.cli import arguments, command
from studio.library import file_names, models, storage
from studio.library.work import StoredArray, Work, encode_png, encode_wav, is_beyond_precision
from studio.media import names
from studio.media.pictures import image
from studio.media.pictures.enlarging import Enlargement
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio invert`."""
    sub = command.add_command(
        commands,
        "invert",
        run,
        "encode and decode files, and check that they come back exactly",
        only_prints=lambda args: args.out is None,
    )
    arguments.add_files(sub, "pictures or single cycles, or folders of them")
    sub.add_argument("--out", type=command.read_path, metavar="DIR", help="save the decoded artworks")
    arguments.add_size(sub)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    size = arguments.enlargement_of(args, trained.card)
    folder = storage.create_folder(args.out) if args.out else None
    named = arguments.expand_folders(args.files)
    exact = 0
    unusable = 0
    jobs = command.make_jobs(args)
    for path in named:
        command.show_progress(f"{path.name}")
        try:
            picture = arguments.open_artwork(path, trained.card)
        except image.FileRefused as refused:
            unusable += 1
            line = {"file": str(path), "exact": False, "differing": None, "reason": refused.reason}
            command.print_result(args, line, str(refused))
            continue
        ask = wire.Encode(job="invert", model=args.model, picture=picture)
        found = command.run_job_for(jobs, ask, wire.Encoded)
        exact += found.exact
        difference = (
            f"{found.differing:,} of {found.total:,} values differ by {found.largest_difference} at most{_why(found)}"
        )
        reason = "" if found.exact else difference
        words = reason or "exact"
        if folder is not None:
            words = f"{words}, {_report_round_trip(jobs, args.model, trained, found, path, folder, size)}"
        command.print_result(
            args,
            {"file": str(path), "exact": found.exact, "differing": found.differing, "reason": reason},
            f"{path}: {words}",
        )
    usable = len(named) - unusable
    summary = f"{exact} of {usable} {arguments.artworks_word(trained.card)} came back {trained.card.round_trip_text}."
    left_out = f"{unusable} of {len(named)} files could not be used."
    print(f"{summary} {left_out}", file=sys.stderr if args.json else sys.stdout)
    return 1 if unusable or exact < usable else 0


def _why(found: wire.Encoded) -> str:
    """Return why an artwork did not decode back, if its latent shows it."""
    if is_beyond_precision(found.latent):
        return " (it is too unlike the training data: its latent exceeds the precision of the model)"
    return ""


def _report_round_trip(
    jobs: Any,
    model: str,
    trained: models.InstalledModel,
    found: wire.Encoded,
    path: Path,
    folder: Path,
    size: Enlargement,
) -> str:
    """Save the decoded picture with its latent inside; return the name of its file."""
    ask = wire.DecodeLatent(job="back", model=model, latent=found.latent, label=found.label)
    shown = command.run_job_for(jobs, ask, wire.Decoded)
    work = Work(
        medium=trained.card.medium,
        sample_rate=trained.card.sample_rate,
        model=trained.card.name,
        model_hash=trained.file_hash,
        seed=0,
        label=found.label,
        palette=trained.card.palette,
        latent=StoredArray.from_array(found.latent),
        source=names.display_name(path.name),
        created=arguments.time_stamp(),
    )
    sound = trained.card.medium == "sound"
    target = file_names.next_free_path(folder, path.stem, ".wav" if sound else ".png")
    storage.write_file(target, encode_wav(shown.picture, work) if sound else encode_png(shown.picture, work, size))
    return target.name
