"""Continue a sound."""

import argparse
from typing import Any

import msgspec
import numpy as np

from studio.cli import artworks, ground, hearing
from studio.library import models
from studio.library.card import Card
from studio.media import names
from studio.wire import messages as wire

LEAD = 2.0
"""Seconds of the sound that are heard before its continuation."""


def add(commands: ground.Commands) -> None:
    """Add `studio continue`."""
    sub = ground.command(commands, "continue", run, "go on from a sound; the file holds it and what follows")
    sub.add_argument("model", metavar="MODEL", help="one that makes recordings")
    sub.add_argument("file", type=ground.path, metavar="FILE", help="a sound; brought to the model's rate")
    sub.add_argument("--seconds", type=ground.seconds, default=5.0, help="how long to go on (5)")
    artworks.add_drawing(sub, seed="of what follows (random)", label="the one that its last second is most like")
    sub.add_argument(
        "--play",
        action="store_true",
        help=f"hear the last {LEAD:.0f} s of the sound, and what follows while it is made",
    )
    sub.add_argument("--out", type=ground.path, metavar="FILE.wav", help="with --play it may be left out")
    sub.set_defaults(n=1)


def run(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    card = trained.card
    heat = artworks.heat(args, card)
    if not card.rate:
        raise ground.WrongUse(f'"{card.title}" makes no recordings, so it cannot go on from one; take a WaveNet.')
    if args.out is None and not args.play:
        raise ground.WrongUse(ground.NOWHERE)
    (seed,) = artworks.seeds(args)
    label = artworks.label(card, args.label)
    begin = artworks.opened(args.file, card)
    target = args.out and ground.new_file(args.out, ".wav")
    end = begin[-round(LEAD * card.rate) :]
    with hearing.Hearing(card.rate, len(end) / card.rate + args.seconds, on=args.play) as ear:
        if ear.failed and args.out is None:
            hearing.tell_nothing_made("FILE.wav")
            return 1
        jobs = ground.jobs(args)
        if label is None and card.classes:
            label = _likeliest(jobs, args, card, begin)
        ask = wire.Perform(
            job="continue",
            model=args.model,
            seed=seed,
            seconds=args.seconds,
            temperature=heat[0],
            label=label,
            begin=begin,
        )
        ear.begin(f'the end of "{names.shown(args.file.name)}" and what follows, seed {seed}', end)
        made = ear.performed(jobs, ask)
        work = artworks.work(trained, seed, heat, label)
        work = msgspec.structs.replace(work, heard=len(begin), source=names.shown(args.file.name))
        whole = made._replace(samples=np.concatenate((begin, made.samples)))
        hearing.keep(args, target, whole, work)
        ear.listen()
        return 1 if ear.failed else 0


def _likeliest(jobs: Any, args: argparse.Namespace, card: Card, begin: wire.Array) -> int:
    """Return the class under which the last second of a sound is likeliest."""
    ground.progress(f"looking which of {len(card.kinds)} kinds it is")
    ask = wire.Price(job="kind", model=args.model, sound=begin, first=len(begin))
    found = ground.answer(jobs, ask, wire.Priced)
    assert found.label is not None, "a model that knows kinds takes a sound for one"
    ground.say(f"It is taken for {card.kinds[found.label]}; --label takes it for another.")
    return found.label
