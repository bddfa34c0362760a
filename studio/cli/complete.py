"""Complete a part of a picture with a model that draws pixel by pixel."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from studio.cli import arguments, command
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import StoredArray, encode_png
from studio.media import decoder, names
from studio.media.pictures import image
from studio.wire import messages as wire

BEST_SHOWN = 9
"""Completions that are saved if they are ranked by what follows the hole: as many as the window shows."""
CANNOT_KEEP = (
    '"{}" makes the whole picture at once and cannot keep part of it. Choose a model that draws pixel by pixel.'
)


def add(commands: command.Commands) -> None:
    """Add `studio complete`."""
    sub = command.add_command(commands, "complete", run, "draw the white part of a mask again; keep the rest")
    sub.add_argument("model", metavar="MODEL", help="one that draws pixel by pixel")
    sub.add_argument("file", type=command.read_path, metavar="FILE", help="a picture")
    sub.add_argument("--mask", type=command.read_path, required=True, metavar="MASK", help="a picture of the same size")
    sub.add_argument("-n", type=command.positive, default=8, help="how many (8)")
    arguments.add_drawing(sub, seed="of the first; the next count up (random)", label="each seed draws its own")
    arguments.add_mix(sub)
    arguments.add_sharpening(sub)
    sub.add_argument(
        "--rank",
        choices=("whole", "following"),
        default="whole",
        help="rank by the likelihood of the whole picture, or of what follows the mask; only the best are saved",
    )
    sub.add_argument(
        "--best",
        type=command.positive,
        default=BEST_SHOWN,
        help=f"how many to save of those ranked by what follows ({BEST_SHOWN})",
    )
    sub.add_argument("--out", type=command.read_path, required=True, metavar="DIR", help="the folder for PNGs")
    arguments.add_size(sub)


@dataclass(frozen=True)
class RankedCompletion:
    """Holds a completion, with nats of the whole picture and of what follows the hole."""

    seed: int
    picture: wire.Array
    log_prob: float
    following_log_prob: float | None


def run(args: argparse.Namespace) -> int:
    """Save each completion, from the most typical to the strangest.

    If they are ranked by what follows the hole, save only the best.
    """
    trained = models.find_model(args.model)
    if trained.card.medium == "sound":
        raise command.WrongUse(f'"{trained.card.title}" makes sounds. A mask needs a model of pictures.')
    if not trained.card.can_inpaint:
        raise command.WrongUse(CANNOT_KEEP.format(trained.card.title))
    arguments.check_sharpening(args, trained.card)
    seeds = arguments.seeds_of(args)
    temperature = arguments.temperature_of(args, trained.card)
    label = arguments.class_of(trained.card, args.label)
    picture = _picture(args, trained.card)
    free = _read_mask(args, trained.card)
    _check_rank(args, free)
    folder = storage.create_folder(args.out)
    jobs = command.make_jobs(args)
    made: list[RankedCompletion] = []
    ask = wire.Inpaint(
        job="complete",
        model=args.model,
        picture=picture,
        mask=free,
        seeds=seeds,
        temperature=temperature,
        label=label,
        second_model=args.mix or "",
        share=args.share,
        guidance=args.guidance,
        top_p=args.top_p,
    )
    for event in command.run_job(jobs, ask):
        if isinstance(event, wire.PicturesPreview) and event.log_prob is not None:
            parts = event.following_log_prob or [None] * len(event.pictures)
            scores = zip(event.pictures, event.log_prob, parts, strict=True)
            made += [RankedCompletion(seeds[event.first + i], *each) for i, each in enumerate(scores)]
            command.show_progress(f"{len(made)} of {args.n} finished")
    if args.rank == "whole":
        made.sort(key=lambda one: -one.log_prob)
    else:
        made.sort(key=lambda one: -(one.following_log_prob or 0.0))
    best = made[: args.best] if args.rank == "following" else made
    for one in best:
        _save(args, trained, jobs, folder, one, label)
    if args.rank == "following":
        _report_left_out(args, len(made), len(best))
    return 0


def _report_left_out(args: argparse.Namespace, made: int, saved: int) -> None:
    """Print how many completions were not saved, because others fit better."""
    left = made - saved
    if args.json:
        command.print_result(args, {"made": made, "saved": saved, "left_out": left}, "")
    else:
        command.print_message(f"Made {made}, saved the {saved} that fit what follows best; {left} left out.")


def _save(
    args: argparse.Namespace,
    trained: models.InstalledModel,
    jobs: Any,
    folder: Path,
    one: RankedCompletion,
    label: int | None,
) -> None:
    path = folder / f"{args.file.stem}-{one.seed}.png"
    # Its latent makes the whole picture again: the kept part and the completed part.
    encode = wire.Encode(job="encode", model=args.model, picture=one.picture, label=label)
    found = command.run_job_for(jobs, encode, wire.Encoded)
    work = arguments.make_work(trained, one.seed, (1.0,), found.label)
    work = msgspec.structs.replace(
        work, latent=StoredArray.from_array(found.latent), source=names.display_name(args.file.name)
    )
    storage.write_file(path, encode_png(one.picture, work, arguments.enlargement_of(args, trained.card)))
    line = {"file": str(path), "seed": one.seed, "log_prob": one.log_prob, "following": one.following_log_prob}
    words = f"{path}  {one.log_prob:,.1f} nats"
    command.print_result(
        args,
        line,
        words if one.following_log_prob is None else f"{words}, {one.following_log_prob:,.1f} of what follows the hole",
    )


def _picture(args: argparse.Namespace, card: Card) -> wire.Array:
    """Return the picture in a model's size and channels. Report if its colours are lost."""
    array = arguments.open_picture(args.file)
    if array.shape[2] >= 3 and card.shown_shape[0] == 1 and np.ptp(array[..., :3], axis=2).any():
        name = names.display_name(args.file.name)
        command.print_message(f'"{name}" is in colour and "{card.title}" draws in grey, so it is brought to grey.')
    return arguments.fit_picture(array, card, args.file)


def _check_rank(args: argparse.Namespace, free: wire.Array) -> None:
    """Raise WrongUse if nothing follows the hole, but completions are ranked by it."""
    made = np.flatnonzero(free)
    if args.rank == "following" and len(made) and free.reshape(-1)[made[0] :].all():
        raise command.WrongUse(
            "No kept pixel follows the first marked one, so completions cannot be ranked. "
            "Leave --rank out, or keep something below the marked part."
        )


def _read_mask(args: argparse.Namespace, card: Card) -> wire.Array:
    """Return where a mask is white, `(height, width)` in a model's size. Raises WrongUse for another size."""
    mask = decoder.open_picture(args.mask).array
    picture = decoder.open_picture(args.file).array
    _, height, width = card.shape
    if mask.shape[:2] not in (picture.shape[:2], (height, width)):
        raise command.WrongUse(
            f'The mask "{names.display_name(args.mask.name)}" is {mask.shape[1]} × {mask.shape[0]} pixels, '
            f"but the picture is {picture.shape[1]} × {picture.shape[0]}. Save it in the size of the picture."
        )
    return (image.fit_to_shape(mask, (1, height, width))[..., 0] >= 128).astype(np.uint8)
