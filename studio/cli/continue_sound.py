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

CONTEXT_SECONDS = 2.0
"""Seconds of the sound that are heard before its continuation."""


def add(commands: command.Commands) -> None:
    """Add `studio continue`."""
    sub = command.add_command(commands, "continue", run, "continue a sound; the file holds both")
    sub.add_argument("model", metavar="MODEL", help="one that makes recordings")
    sub.add_argument(
        "file", type=command.read_path, metavar="FILE", help="a sound; it is resampled to the model's rate"
    )
    sub.add_argument("--seconds", type=command.seconds, default=5.0, help="how long to continue (5)")
    arguments.add_drawing(sub, seed="of what follows (random)", label="the one that its last second is most like")
    sub.add_argument(
        "--play",
        action="store_true",
        help=f"play the last {CONTEXT_SECONDS:.0f} s of the sound, then what follows",
    )
    sub.add_argument("--out", type=command.read_path, metavar="FILE.wav", help="with --play it may be left out")
    sub.set_defaults(n=1)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    card = trained.card
    temperature = arguments.temperature_of(args, card)
    if not card.sample_rate:
        raise command.WrongUse(f'"{card.title}" makes no recordings and cannot continue one. Choose a WaveNet.')
    if args.out is None and not args.play:
        raise command.WrongUse(command.NO_OUT_HINT)
    (seed,) = arguments.seeds_of(args)
    label = arguments.class_of(card, args.label)
    begin = arguments.open_artwork(args.file, card)
    target = args.out and command.free_output_file(args.out, ".wav")
    end = begin[-round(CONTEXT_SECONDS * card.sample_rate) :]
    with live_playback.LivePlayback(card.sample_rate, len(end) / card.sample_rate + args.seconds, on=args.play) as ear:
        if ear.failed and args.out is None:
            live_playback.print_nothing_made("FILE.wav")
            return 1
        jobs = command.make_jobs(args)
        if label is None and card.classes:
            label = _likeliest_class(jobs, args, card, begin)
        ask = wire.StreamSound(
            job="continue",
            model=args.model,
            seed=seed,
            seconds=args.seconds,
            temperature=temperature[0],
            label=label,
            sound_to_continue=begin,
        )
        ear.start_recording(f'the end of "{names.display_name(args.file.name)}" and what follows, seed {seed}', end)
        made = ear.stream_sound(jobs, ask)
        work = arguments.make_work(trained, seed, temperature, label)
        work = msgspec.structs.replace(work, continued_samples=len(begin), source=names.display_name(args.file.name))
        whole = made._replace(samples=np.concatenate((begin, made.samples)))
        live_playback.save_recording(args, target, whole, work)
        ear.wait_until_heard()
        return 1 if ear.failed else 0


def _likeliest_class(jobs: Any, args: argparse.Namespace, card: Card, begin: wire.Array) -> int:
    """Return the class under which the last second of a sound is likeliest."""
    command.show_progress(f"finding which of {len(card.class_names)} classes it is")
    ask = wire.ComputeBits(job="kind", model=args.model, sound=begin, first_sample=len(begin))
    found = command.run_job_for(jobs, ask, wire.BitsChunk)
    assert found.label is not None, "a model with classes assigns one to a sound"
    command.print_message(f"Its class is {card.class_names[found.label]}. Use --label to choose another.")
    return found.label
