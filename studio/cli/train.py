"""A model from a folder."""

import argparse
import contextlib
from typing import TYPE_CHECKING

from studio.cli import ground
from studio.library import models, storage
from studio.wire import messages as wire

if TYPE_CHECKING:
    from studio.engine.study import Study

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
    sub.add_argument("source", type=ground.path, metavar="FOLDER|PACK.npz")
    sub.add_argument(
        "--recipe", type=ground.path, metavar="FILE", help="a recipe as in models/recipes; replaces the rest"
    )
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
    sub.add_argument("--out", type=ground.path, metavar="DIR", help="where the model goes (your own models)")


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
    _run_training(args, study, ask)
    _report_model(args, study)
    return 0


def _run_training(args: argparse.Namespace, study: "Study", ask: wire.Train) -> None:
    """Run the training and print its progress. If the user stops it, raises KeyboardInterrupt with what was kept."""
    begun = False
    objects = ground.Interval()
    with contextlib.closing(ground.events(args, ask, compile_first=True)) as events:
        try:
            for event in events:
                if not isinstance(event, wire.Learned):
                    continue
                if not begun:
                    ground.say(f'Training "{study.title}" for {event.steps:,} steps. Ctrl+C keeps what it learned.')
                begun = True
                _report_step(args, study, event, objects)
        except KeyboardInterrupt:
            events.close()  # save first, then tell the user
            kept = "What it learned is saved. The same command with --resume continues."
            raise KeyboardInterrupt(f"Stopped. {kept}" if begun else "Stopped before it began to learn.") from None


def _report_step(args: argparse.Namespace, study: "Study", event: wire.Learned, objects: ground.Interval) -> None:
    """Print the progress: as a result if the model was just measured, otherwise as progress."""
    measured = event.held_out is not None
    line = {
        "step": event.step,
        "steps": event.steps,
        "loss": event.loss,
        "held_out": event.held_out,
        "rate": event.rate,
        "seconds_left": event.seconds_left,
    }
    words = _words(study, event)
    if measured or (args.json and objects.due()):
        ground.tell(args, line, words)
    else:
        ground.progress(words)
    if event.step == event.steps:
        ground.say("All steps are done. Measuring and saving the model.")


def _words(study: "Study", event: wire.Learned) -> str:
    """`step 1,200 of 34,400: 1.21 bits per dimension, 214 pictures a second, about 4 min left`."""
    things = "seconds of sound" if study.rate else "waves" if len(study.shape) == 1 else "pictures"
    rate = f"{event.rate:,.0f}" if event.rate >= 10 else f"{event.rate:.1f}"
    price, held_out = (event.loss, "") if event.held_out is None else (event.held_out, " held out")
    how = f"step {event.step:,} of {event.steps:,}: {price:.3f} bits per dimension{held_out}"
    left = f", {ground.about(event.seconds_left)} left" if event.step < event.steps else ""
    return f"{how}, {rate} {things} a second{left}"


def _report_model(args: argparse.Namespace, study: "Study") -> None:
    """Print where the model is and what to do with it."""
    path = (args.out or storage.home("models")) / f"{study.name}.safetensors"
    card = models.find(str(path)).card
    known = args.out is None
    line = {"file": str(path), "name": card.name, "steps": card.steps, "metric": card.metric, "value": card.value}
    ground.tell(args, {**line, "exact": card.exact}, str(path))
    sheet = () if card.rate else ("--sheet",)
    sample = ("sample", card.name if known else str(path), "-n", "16", *sheet, "--out", f"{card.name}-samples")
    choose = f'and choose "{card.title}"' if known else "and drop the file on the window"
    ground.say(f"Sample it:\n\n  {ground.shell(*sample)}\n\nOpen the window {choose}:\n\n  {ground.shell()}\n")


def _form(args: argparse.Namespace) -> tuple[tuple[int, ...], int]:
    """The shape of what is to be learned, and the rate of recordings, else 0."""
    rate = args.rate or (RECORDED if args.family == "wavenet" else 0)
    if rate:
        return (2 * rate,), rate
    return ((CYCLE,) if args.sound else (1 if args.grey else 3, args.size, args.size)), 0
