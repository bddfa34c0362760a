"""A model from a folder."""

import argparse
from pathlib import Path

from studio.cli import ground
from studio.library import storage
from studio.wire import messages as wire

CYCLE = 256
"""Samples of one cycle of sound that a model learns from."""
RECORDED = 16_000
"""Hz of recordings where nobody says another rate."""


def add(commands: ground.Commands) -> None:
    """Adds `studio train`."""
    sub = ground.command(
        commands,
        "train",
        run,
        "learn a model from a folder of pictures, of recordings or of single cycles of sound, or a pack",
    )
    sub.add_argument("source", type=Path, metavar="FOLDER|PACK.npz")
    sub.add_argument("--recipe", type=Path, metavar="FILE", help="a recipe as in models/recipes; replaces the rest")
    sub.add_argument(
        "--family",
        default="realnvp",
        help="nice, realnvp, glow, maf, iaf, vae_flow, pixelcnn, gated_pixelcnn … of pictures or cycles, wavenet of "
        "recordings (realnvp)",
    )
    sub.add_argument("--preset", default="tiny", help="tiny, small or paper (tiny)")
    sub.add_argument("--name", help="of the model and its run")
    sub.add_argument("--size", type=ground.positive, default=32, help="pixels on a side (32)")
    sub.add_argument("--grey", action="store_true", help="grey instead of colour")
    sub.add_argument("--sound", action="store_true", help="single cycles of sound instead of pictures")
    sub.add_argument(
        "--rate", type=ground.within(int, 4000, 32_000), help=f"of recordings in Hz ({RECORDED} of a wavenet)"
    )
    sub.add_argument("--steps", type=ground.steps, help="how many steps (the plan's own)")
    sub.add_argument("--resume", action="store_true", help="go on where an earlier run of that name stopped")
    sub.add_argument("--out", type=Path, metavar="DIR", help="where the model goes (your own models)")


def run(args: argparse.Namespace) -> int:
    from studio.engine.device import step_back
    from studio.engine.study import BadStudy, plain, study_in, study_of, with_steps

    if not args.recipe and not args.name:
        raise ground.WrongUse("A model needs a name: add --name NAME.")
    try:
        if args.recipe:
            study = study_in(args.recipe.read_bytes())
        else:
            study = study_of(args.name, args.source, args.family, args.preset, *_form(args))
    except BadStudy as error:
        raise ground.WrongUse(str(error)) from None
    if args.steps:
        study = with_steps(study, args.steps)
    folder = storage.home("runs") / study.name
    if (folder / "study.json").exists() and not args.resume:
        raise ground.WrongUse(
            f'A run named "{study.name}" is there already. Add --resume to go on, or take another name.'
        )
    ask = wire.Train(
        job="train",
        source=str(args.source),
        run=str(folder),
        out=str(storage.folder(args.out)) if args.out else "",
        study=plain(study),
    )
    step_back()
    for event in ground.events(args, ask):
        if isinstance(event, wire.Learned):
            line = {"step": event.step, "steps": event.steps, "loss": event.loss, "held_out": event.held_out}
            if event.held_out is not None:
                words = f"step {event.step} of {event.steps}: {event.held_out:.3f} bits per dimension held out"
                ground.tell(args, line, f"{words}, about {event.seconds_left / 60:.0f} min left")
            else:
                ground.progress(
                    f"step {event.step} of {event.steps}, {event.loss:.2f} bits per dimension, {event.rate:.0f}/s"
                )
    return 0


def _form(args: argparse.Namespace) -> tuple[tuple[int, ...], int]:
    """The shape of what is to be learned, and the rate of recordings, else 0."""
    rate = args.rate or (RECORDED if args.family == "wavenet" else 0)
    if rate:
        return (2 * rate,), rate
    return ((CYCLE,) if args.sound else (1 if args.grey else 3, args.size, args.size)), 0
