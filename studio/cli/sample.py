"""Pictures and sounds from seeds."""

import argparse
from pathlib import Path

import msgspec
import numpy as np

from studio.cli import artworks, ground, hearing
from studio.library import models, storage
from studio.library.work import to_png, to_wav
from studio.media import export, waveform
from studio.wire import messages as wire


def add(commands: ground.Commands) -> None:
    """Adds `studio sample`."""
    sub = ground.command(commands, "sample", run, "make pictures or sounds, one for each seed")
    sub.add_argument("model", metavar="MODEL", help="a name from `studio models`, or a .safetensors file")
    sub.add_argument("-n", type=ground.positive, default=1, help="how many (1)")
    sub.add_argument("--seed", type=ground.seed, help="of the first picture; the next count up (random)")
    sub.add_argument("--temperature", type=ground.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument("--label", help="the kind, by name or number (each seed draws its own)")
    artworks.add_mix(sub)
    sub.add_argument("--seconds", type=ground.seconds, help="how long, of recordings (the model's own)")
    sub.add_argument("--play", action="store_true", help="hear recordings while they are made, one after the other")
    sub.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder for PNGs or WAVs; with --play it may be left out"
    )
    sub.add_argument("--sheet", action="store_true", help="also all pictures, or drawings of all waves, on one sheet")


def run(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    seeds, temperature = artworks.seeds(args), artworks.heat(args, trained.card)
    label = artworks.label(trained.card, args.label)
    sound = trained.card.kind == "sound"
    if trained.card.rate and args.sheet:
        raise ground.WrongUse(f'"{trained.card.title}" makes recordings, which fit on no sheet; leave --sheet out.')
    if trained.card.rate:
        return _recordings(args, trained)
    if args.seconds is not None:
        raise ground.WrongUse(f'"{trained.card.title}" makes no recordings; leave --seconds out.')
    if args.play:
        unheard = "single cycles, which the window plays as tones" if sound else "pictures, which nobody can hear"
        raise ground.WrongUse(f'"{trained.card.title}" makes {unheard}; leave --play out.')
    if args.out is None:
        raise ground.WrongUse(ground.NOWHERE)
    folder = storage.folder(args.out)
    mix = artworks.mix(args)
    ask = wire.Sample(
        job="sample",
        model=args.model,
        seeds=seeds,
        temperature=temperature,
        label=label,
        mix=args.mix or "",
        share=args.share,
    )
    made = []
    for event in ground.events(args, ask):
        if not isinstance(event, wire.Drawn):
            continue
        if event.done < event.total:
            ground.progress(f"{event.first} of {args.n} finished")
            continue
        for index, (picture, log_prob) in enumerate(zip(event.pictures, event.log_prob or (), strict=True)):
            seed = seeds[event.first + index]
            work = msgspec.structs.replace(artworks.work(trained, seed, temperature, label), mix=mix)
            path = folder / f"{trained.card.name}-{seed}{'.wav' if sound else '.png'}"
            storage.write(path, to_wav(picture, work) if sound else to_png(picture, work))
            made.append(picture)
            ground.tell(args, {"file": str(path), "seed": seed, "log_prob": log_prob}, str(path))
    if args.sheet:
        path = folder / f"{trained.card.name}-{seeds[0]}-sheet.png"
        storage.write(path, export.png(_sheet(made, sound)))
        ground.tell(args, {"file": str(path), "seed": seeds[0], "sheet": True}, str(path))
    return 0


def _sheet(made: list[np.ndarray], sound: bool) -> np.ndarray:
    """Put pictures, or drawings of waves, together on about as many rows as columns."""
    columns = max(1, round(len(made) ** 0.5))
    if sound:
        return export.sheet([waveform.picture(cycle) for cycle in made], columns=columns, over=waveform.MIDDLE)
    return export.sheet(made, columns=columns, scale=4)


def _recordings(args: argparse.Namespace, trained: models.Trained) -> int:
    """One after the other: together they would be made no faster, and be heard later."""
    if args.out is None and not args.play:
        raise ground.WrongUse(ground.NOWHERE)
    card, seeds, folder = trained.card, artworks.seeds(args), storage.folder(args.out) if args.out else None
    temperature, label, mix = artworks.heat(args, card), artworks.label(card, args.label), artworks.mix(args)
    seconds = args.seconds if args.seconds is not None else card.shape[0] / card.rate
    with hearing.Hearing(card.rate, seconds, len(seeds), args.play) as ear:
        if ear.failed and folder is None:
            return 1
        jobs = ground.jobs(args)
        for seed in seeds:
            ask = wire.Perform(
                job="sample",
                model=args.model,
                seed=seed,
                seconds=seconds,
                temperature=temperature[0],
                label=label,
                mix=args.mix or "",
                share=args.share,
            )
            ear.begin(f'"{card.title}", seed {seed}')
            made = ear.performed(jobs, ask)
            work = msgspec.structs.replace(artworks.work(trained, seed, temperature, label), mix=mix)
            hearing.keep(args, folder / f"{card.name}-{seed}.wav" if folder else None, made, work)
        ear.listen()
        return 1 if ear.failed else 0
