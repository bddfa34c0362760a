"""A part of a picture made anew, in a model that draws pixel by pixel."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from studio.cli import artworks, ground
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import Latent, to_png
from studio.media import decoder, image, names
from studio.wire import messages as wire

BEST = 9
"""As many as the window shows of those that are ranked by what follows the hole."""
CANNOT = '"{}" makes the whole picture at once and cannot keep part of it. Take a model that draws pixel by pixel.'


def add(commands: ground.Commands) -> None:
    """Adds `studio complete`."""
    sub = ground.command(commands, "complete", run, "make the white part of a mask anew; the rest of the picture stays")
    sub.add_argument("model", metavar="MODEL", help="one that draws pixel by pixel")
    sub.add_argument("file", type=ground.path, metavar="FILE", help="a picture")
    sub.add_argument("--mask", type=ground.path, required=True, metavar="MASK", help="a picture of the same size")
    sub.add_argument("-n", type=ground.positive, default=8, help="how many (8)")
    sub.add_argument("--seed", type=ground.seed, help="of the first; the next count up (random)")
    sub.add_argument("--temperature", type=ground.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument("--label", help="the kind, by name or number (each seed draws its own)")
    artworks.add_mix(sub)
    sub.add_argument(
        "--rank",
        choices=("whole", "following"),
        default="whole",
        help="by the likelihood of the whole picture, or of what follows the hole: make many, and the best are saved",
    )
    sub.add_argument(
        "--best", type=ground.positive, default=BEST, help=f"how many to save of those ranked by what follows ({BEST})"
    )
    sub.add_argument("--out", type=ground.path, required=True, metavar="DIR", help="the folder for PNGs")
    artworks.add_size(sub)


@dataclass(frozen=True)
class Made:
    """A completion: nats of the whole picture, and of what follows the hole."""

    seed: int
    picture: wire.Array
    log_prob: float
    following: float | None


def run(args: argparse.Namespace) -> int:
    """Each completion from the most typical whole picture to the strangest, or the best by what follows the hole."""
    trained = models.find(args.model)
    if trained.card.kind == "sound":
        raise ground.WrongUse(f'"{trained.card.title}" makes sounds, which have no part that a mask could show.')
    if not trained.card.keeps:
        raise ground.WrongUse(CANNOT.format(trained.card.title))
    seeds, heat = artworks.seeds(args), artworks.heat(args, trained.card)
    label = artworks.label(trained.card, args.label)
    picture, free = _picture(args, trained.card), _mask(args, trained.card)
    _follows(args, free)
    folder, jobs, made = storage.folder(args.out), ground.jobs(args), list[Made]()
    ask = wire.Complete(
        job="complete",
        model=args.model,
        picture=picture,
        free=free,
        seeds=seeds,
        temperature=heat,
        label=label,
        mix=args.mix or "",
        share=args.share,
    )
    for event in ground.answers(jobs, ask):
        if isinstance(event, wire.Drawn) and event.log_prob is not None:
            parts = event.following or [None] * len(event.pictures)
            prices = zip(event.pictures, event.log_prob, parts, strict=True)
            made += [Made(seeds[event.first + i], *each) for i, each in enumerate(prices)]
            ground.progress(f"{len(made)} of {args.n} finished")
    if args.rank == "whole":
        made.sort(key=lambda one: -one.log_prob)
    else:
        made.sort(key=lambda one: -(one.following or 0.0))
    best = made[: args.best] if args.rank == "following" else made
    for one in best:
        _save(args, trained, jobs, folder, one, label)
    if args.rank == "following":
        left = len(made) - len(best)
        words = f"Made {len(made)}, saved the {len(best)} that fit what follows best; {left} left out."
        if args.json:
            ground.tell(args, {"made": len(made), "saved": len(best), "left_out": left}, "")
        else:
            ground.say(words)
    return 0


def _save(
    args: argparse.Namespace, trained: models.Trained, jobs: Any, folder: Path, one: Made, label: int | None
) -> None:
    path = folder / f"{args.file.stem}-{one.seed}.png"
    # Its latent makes the whole of it again, what was kept as well as what was made.
    encode = wire.Encode(job="encode", model=args.model, picture=one.picture, label=label)
    found = ground.answer(jobs, encode, wire.Encoded)
    work = artworks.work(trained, one.seed, (1.0,), found.label)
    work = msgspec.structs.replace(work, latent=Latent.of(found.latent), source=names.shown(args.file.name))
    storage.write(path, to_png(one.picture, work, artworks.enlargement(args, trained.card)))
    line = {"file": str(path), "seed": one.seed, "log_prob": one.log_prob, "following": one.following}
    words = f"{path}  {one.log_prob:,.1f} nats"
    ground.tell(
        args, line, words if one.following is None else f"{words}, {one.following:,.1f} of what follows the hole"
    )


def _picture(args: argparse.Namespace, card: Card) -> wire.Array:
    """The picture in a model's size and channels; said where its colours are not kept."""
    array = artworks.picture(args.file)
    if array.shape[2] >= 3 and card.shape[0] == 1 and np.ptp(array[..., :3], axis=2).any():
        name = names.shown(args.file.name)
        ground.say(f'"{name}" is in colour and "{card.title}" draws in grey, so it is brought to grey.')
    channels, height, width = card.shape
    return image.fit(array, (channels, height, width))


def _follows(args: argparse.Namespace, free: wire.Array) -> None:
    """Raises WrongUse where completions are to be ranked by what follows the hole, and nothing does."""
    made = np.flatnonzero(free)
    if args.rank == "following" and len(made) and free.reshape(-1)[made[0] :].all():
        raise ground.WrongUse(
            "Everything from the first marked pixel on is made anew, so nothing that is kept follows the hole. "
            "Leave --rank out, or mark a part with something kept below it."
        )


def _mask(args: argparse.Namespace, card: Card) -> wire.Array:
    """Where a mask is white, `(height, width)` in a model's size. Raises WrongUse where it is of another size."""
    mask, picture = decoder.open_picture(args.mask).array, decoder.open_picture(args.file).array
    _, height, width = card.shape
    if mask.shape[:2] not in (picture.shape[:2], (height, width)):
        raise ground.WrongUse(
            f'The mask "{names.shown(args.mask.name)}" is {mask.shape[1]} × {mask.shape[0]} pixels, but the picture is '
            f"{picture.shape[1]} × {picture.shape[0]}. Save it in the size of the picture."
        )
    return (image.fit(mask, (1, height, width))[..., 0] >= 128).astype(np.uint8)
