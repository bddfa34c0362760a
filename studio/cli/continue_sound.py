"""Continue a sound."""

import argparse
from typing import Any

import msgspec
import numpy as np

from studio.cli import arguments, command, live_playback
from studio.library import models
from studio.library.card import Card
from studio.media import names
from studio.wire import messages as wire

LEAD = 2.0
"""Seconds of the sound that are heard before its continuation."""


def add(commands: command.Commands) -> None:
    """Add `studio continue`."""
    sub = command.command(commands, "continue", run, "go on from a sound; the file holds it and what follows")
    sub.add_argument("model", metavar="MODEL", help="one that makes recordings")
    sub.add_argument("file", type=command.path, metavar="FILE", help="a sound; brought to the model's rate")
    sub.add_argument("--seconds", type=command.seconds, default=5.0, help="how long to go on (5)")
    arguments.add_drawing(sub, seed="of what follows (random)", label="the one that its last second is most like")
    sub.add_argument(
        "--play",
        action="store_true",
        help=f"hear the last {LEAD:.0f} s of the sound, and what follows while it is made",
    )
    sub.add_argument("--out", type=command.path, metavar="FILE.wav", help="with --play it may be left out")
    sub.set_defaults(n=1)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    card = trained.card
    heat = arguments.heat(args, card)
    if not card.rate:
        raise command.WrongUse(f'"{card.title}" makes no recordings, so it cannot go on from one; take a WaveNet.')
    if args.out is None and not args.play:
        raise command.WrongUse(command.NOWHERE)
    (seed,) = arguments.seeds(args)
    label = arguments.label(card, args.label)
    begin = arguments.opened(args.file, card)
    target = args.out and command.new_file(args.out, ".wav")
    end = begin[-round(LEAD * card.rate) :]
    with live_playback.Hearing(card.rate, len(end) / card.rate + args.seconds, on=args.play) as ear:
        if ear.failed and args.out is None:
            live_playback.tell_nothing_made("FILE.wav")
            return 1
        jobs = command.jobs(args)
        if label is None and card.classes:
            label = _likeliest(jobs, args, card, begin)
        ask = wire.StreamSound(
            job="continue",
            model=args.model,
            seed=seed,
            seconds=args.seconds,
            temperature=heat[0],
            label=label,
            sound_to_continue=begin,
        )
        ear.begin(f'the end of "{names.display_name(args.file.name)}" and what follows, seed {seed}', end)
        made = ear.performed(jobs, ask)
        work = arguments.work(trained, seed, heat, label)
        work = msgspec.structs.replace(work, heard=len(begin), source=names.display_name(args.file.name))
        whole = made._replace(samples=np.concatenate((begin, made.samples)))
        live_playback.keep(args, target, whole, work)
        ear.listen()
        return 1 if ear.failed else 0


def _likeliest(jobs: Any, args: argparse.Namespace, card: Card, begin: wire.Array) -> int:
    """Return the class under which the last second of a sound is likeliest."""
    command.progress(f"looking which of {len(card.class_names)} kinds it is")
    ask = wire.ComputeBits(job="kind", model=args.model, sound=begin, first_sample=len(begin))
    found = command.answer(jobs, ask, wire.BitsChunk)
    assert found.label is not None, "a model that knows kinds takes a sound for one"
    command.say(f"It is taken for {card.class_names[found.label]}; --label takes it for another.")
    return found.label
