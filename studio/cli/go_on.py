"""What follows a sound that is there."""

import argparse
from pathlib import Path

import msgspec
import numpy as np

from studio.cli import artworks, ground
from studio.library import models, storage
from studio.library.work import to_wav
from studio.wire import messages as wire


def add(commands: ground.Commands) -> None:
    """Adds `studio continue`."""
    sub = ground.command(commands, "continue", run, "go on from a sound; the file holds it and what follows")
    sub.add_argument("model", metavar="MODEL", help="one that makes recordings")
    sub.add_argument("file", type=Path, metavar="FILE", help="a sound; brought to the model's rate")
    sub.add_argument("--seconds", type=ground.seconds, default=5.0, help="how long to go on (5)")
    sub.add_argument("--seed", type=ground.seed, help="of what follows (random)")
    sub.add_argument("--temperature", type=ground.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument("--label", help="the kind, by name or number (the one under which the sound is likeliest)")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE.wav")
    sub.set_defaults(n=1)


def run(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    card, (seed,) = trained.card, artworks.seeds(args)
    samples, temperature = artworks.samples(args, card), artworks.heat(args, card)
    label, begin = artworks.label(card, args.label), artworks.opened(args.file, card)
    ask = wire.Play(
        job="continue",
        model=args.model,
        seeds=(seed,),
        samples=samples,
        temperature=temperature,
        label=label,
        begin=begin,
    )
    sounds, prices = artworks.played(ground.jobs(args), ask)
    whole = np.concatenate((begin, sounds[0]))
    work = msgspec.structs.replace(
        artworks.work(trained, seed, temperature, label),
        heard=len(begin),
        source=args.file.name,
    )
    folder = storage.folder(args.out.parent)
    target = args.out.with_suffix(".wav")
    if target.exists():
        target = storage.free_name(folder, target.stem, ".wav")
    storage.write(target, to_wav(whole, work))
    ground.tell(args, {"file": str(target), "seed": seed, "log_prob": prices[0]}, str(target))
    return 0
