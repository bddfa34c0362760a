"""Save the way between two sounds as a wavetable."""

import argparse
from typing import Any

import msgspec
import numpy as np

from studio.cli import arguments, command
from studio.library import models, storage
from studio.library.work import StoredArray, Work, encode_wavetable, recipe_of_wav
from studio.media import names
from studio.media.pictures import image
from studio.media.sounds import wavetable
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio blend`."""
    sub = command.add_command(commands, "blend", run, "save the way between two sounds as a wavetable")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("begin", metavar="A", help="a seed, or a WAV")
    sub.add_argument("end", metavar="B", help="a seed, or a WAV")
    sub.add_argument("--frames", type=command.frames, default=wavetable.FRAME_COUNT, help="cycles on the way (64)")
    sub.add_argument("--label", help="the class, by name or number (each seed's own)")
    sub.add_argument("--out", type=command.read_path, required=True, metavar="FILE.wav")


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    if trained.card.medium != "sound":
        raise command.WrongUse(f'"{trained.card.title}" makes pictures. A wavetable needs a model of sounds.')
    label = arguments.class_of(trained.card, args.label)
    target = command.free_output_file(args.out, ".wav")
    jobs = command.make_jobs(args)
    begin, end = (_latent_point(jobs, args.model, trained, given, label) for given in (args.begin, args.end))
    ask = wire.Interpolate(
        job="blend", model=args.model, begin=_point_of_work(begin), end=_point_of_work(end), frames=args.frames
    )
    drawn = (event for event in command.run_job(jobs, ask) if isinstance(event, wire.PicturesPreview))
    made = [cycle for event in drawn for cycle in event.pictures]
    storage.write_file(target, encode_wavetable(np.stack(made), begin.wavetable_to(end)))
    command.print_result(
        args, {"file": str(target), "frames": len(made), "samples": wavetable.FRAME_SAMPLES}, str(target)
    )
    return 0


def _latent_point(jobs: Any, model: str, trained: models.InstalledModel, given: str, label: int | None) -> Work:
    """Return where the way begins or ends: a seed, our own WAV, or a cycle."""
    if given.isdecimal():
        return arguments.make_work(trained, command.seed(given), (trained.card.temperature,), label)
    path = command.read_path(given)
    work = recipe_of_wav(image.read_bytes(path, names.display_name(path.name))) if path.is_file() else None
    if work is not None and work.model == trained.card.name:
        return work
    ask = wire.Encode(job="open", model=model, picture=arguments.open_artwork(path, trained.card), label=label)
    found = command.run_job_for(jobs, ask, wire.Encoded)
    opened = arguments.make_work(trained, 0, (1.0,), found.label)
    return msgspec.structs.replace(
        opened, latent=StoredArray.from_array(found.latent), source=names.display_name(path.name)
    )


def _point_of_work(work: Work) -> wire.LatentPoint:
    return wire.LatentPoint(
        seed=work.seed,
        latent=work.latent.to_array() if work.latent else None,
        sliders=work.sliders,
        temperature=work.temperature,
        label=work.label,
    )
