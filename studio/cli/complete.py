"""A part of a picture made anew, in a model that draws pixel by pixel."""

import argparse
from pathlib import Path

import msgspec
import numpy as np

from studio.cli import artworks, ground
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import Latent, to_png
from studio.media import image, names
from studio.wire import messages as wire


def add(commands: ground.Commands) -> None:
    """Adds `studio complete`."""
    sub = ground.command(commands, "complete", run, "make the white part of a mask anew; the rest of the picture stays")
    sub.add_argument("model", metavar="MODEL", help="one that draws pixel by pixel")
    sub.add_argument("file", type=Path, metavar="FILE", help="a picture")
    sub.add_argument("--mask", type=Path, required=True, metavar="MASK", help="a picture of the same size")
    sub.add_argument("-n", type=ground.positive, default=8, help="how many (8)")
    sub.add_argument("--seed", type=ground.seed, help="of the first; the next count up (random)")
    sub.add_argument("--temperature", type=ground.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument("--label", help="the kind, by name or number (each seed draws its own)")
    sub.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder for PNGs")


def run(args: argparse.Namespace) -> int:
    """Each completion from the most typical whole picture to the strangest."""
    trained = models.find(args.model)
    if trained.card.kind == "sound":
        raise ground.WrongUse(f'"{trained.card.title}" makes sounds, which have no part that a mask could show.')
    seeds, heat = artworks.seeds(args), artworks.heat(args, trained.card)
    label = artworks.label(trained.card, args.label)
    picture, free = artworks.opened(args.file, trained.card), _mask(args, trained.card)
    folder, jobs, made = storage.folder(args.out), ground.jobs(args), list[tuple[float, int, wire.Array]]()
    ask = wire.Complete(
        job="complete", model=args.model, picture=picture, free=free, seeds=seeds, temperature=heat, label=label
    )
    for event in ground.answers(jobs, ask):
        if isinstance(event, wire.Drawn) and event.log_prob is not None:
            prices = zip(event.log_prob, event.pictures, strict=True)
            made += [(price, seeds[event.first + i], each) for i, (price, each) in enumerate(prices)]
            ground.progress(f"{len(made)} of {args.n} finished")
    for log_prob, seed, each in sorted(made, key=lambda one: -one[0]):
        path = folder / f"{args.file.stem}-{seed}.png"
        # Its latent makes the whole of it again, what was kept as well as what was made.
        encode = wire.Encode(job="encode", model=args.model, picture=each, label=label)
        (found,) = (event for event in ground.answers(jobs, encode) if isinstance(event, wire.Encoded))
        work = artworks.work(trained, seed, (1.0,), found.label)
        work = msgspec.structs.replace(work, latent=Latent.of(found.latent), source=args.file.name)
        storage.write(path, to_png(each, work))
        ground.tell(args, {"file": str(path), "seed": seed, "log_prob": log_prob}, f"{path}  {log_prob:,.1f} nats")
    return 0


def _mask(args: argparse.Namespace, card: Card) -> wire.Array:
    """Where a mask is white, `(height, width)` in a model's size. Raises WrongUse where it is of another size."""
    mask, picture = image.open_picture(args.mask).array, image.open_picture(args.file).array
    _, height, width = card.shape
    if mask.shape[:2] not in (picture.shape[:2], (height, width)):
        raise ground.WrongUse(
            f'The mask "{names.shown(args.mask.name)}" is {mask.shape[1]} × {mask.shape[0]} pixels, but the picture is '
            f"{picture.shape[1]} × {picture.shape[0]}. Save it in the size of the picture."
        )
    return (image.fit(mask, (1, height, width))[..., 0] >= 128).astype(np.uint8)
