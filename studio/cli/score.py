"""What artworks cost under a model, and where."""

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from studio.cli import artworks, ground
from studio.library import models, storage
from studio.media import export, image
from studio.wire import messages as wire


def add(commands: ground.Commands) -> None:
    """Adds `studio score`."""
    sub = ground.command(commands, "score", run, "what pictures or sounds cost under a model, in bits")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("files", nargs="+", type=Path, metavar="FILE", help="or folders of them")
    sub.add_argument("--label", help="the kind, by name or number (the one under which each is likeliest)")
    sub.add_argument("--map", type=Path, metavar="DIR", help="save where the bits are, white where most")


def run(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    card, label = trained.card, artworks.label(trained.card, args.label)
    if args.map is not None and card.kind == "sound":
        raise ground.WrongUse("A map is made of pictures, and these are sounds; leave --map out.")
    folder, jobs = storage.folder(args.map) if args.map else None, ground.jobs(args)
    unusable = 0
    for path in artworks.named(args.files):
        ground.progress(path.name)
        try:
            ask = wire.Score(job="score", model=args.model, picture=artworks.opened(path, card), label=label)
        except image.Refused as refused:
            unusable += 1
            ground.say(str(refused))
            continue
        (found,) = (event for event in ground.answers(jobs, ask) if isinstance(event, wire.Scored))
        bits = -found.log_prob / math.log(2) / math.prod(card.shape)
        line = {"file": str(path), "model": card.name, "bits_per_dimension": bits, "exact": not found.bound}
        words = f"{path}: {bits:.4f} bits per dimension, {'bound' if found.bound else 'exact'}"
        if found.label is not None:
            line["label"], words = card.classes[found.label], f"{words}, as {card.classes[found.label]}"
        if folder is not None:
            line |= _map(found.bits, folder, path.stem)
            words = f"{words}; {line['map']}, white is {line['most']:.1f} bits"
        ground.tell(args, line, words)
    return 1 if unusable else 0


def _map(bits: wire.Array, folder: Path, stem: str) -> dict[str, Any]:
    """Saves the bits of each pixel as greys, the most as white; its file, and how many those are."""
    target, most = storage.free_name(folder, f"{stem}-bits", ".png"), max(float(bits.max()), 1e-9)
    storage.write(target, export.png((bits.clip(0) / most * 255).round().astype(np.uint8)[..., None]))
    return {"map": str(target), "most": most}
