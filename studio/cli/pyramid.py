"""Make a pyramid: larger pictures with a trained model and an upsampler."""

import argparse

from studio.cli import command
from studio.library import model_names, models, storage
from studio.media import names
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio pyramid`."""
    sub = command.add_command(commands, "pyramid", run, "make larger pictures with a model and an upsampler")
    sub.add_argument("base", metavar="MODEL", help="the model that draws the coarse pictures")
    sub.add_argument("upsampler", metavar="UPSAMPLER", help="the upsampler that draws the details")
    sub.add_argument(
        "source",
        type=command.read_path,
        metavar="FOLDER|PACK.npz",
        help="pictures of the full size; those held out are measured",
    )
    sub.add_argument("--name", required=True, help="of the new model")
    sub.add_argument("--title", default="", help="of the new model (that of MODEL)")
    sub.add_argument("--only", default="", metavar="CLASS", help="measure pictures of this class of the data alone")
    sub.add_argument("--out", type=command.read_path, metavar="DIR", help="where the model goes (your own models)")


def run(args: argparse.Namespace) -> int:
    if fault := model_names.name_fault(args.name, args.out):
        free = model_names.free_model_name(args.name, args.out)
        raise command.WrongUse(f'"{names.display_name(args.name)}" {fault}. This one is free: --name {free}')
    ask = wire.MakePyramid(
        job="pyramid",
        base=args.base,
        upsampler=args.upsampler,
        source=str(args.source),
        name=args.name,
        title=args.title,
        label=args.only,
        output_folder=str(storage.create_folder(args.out)) if args.out else "",
    )
    for event in command.run_command(args, ask):
        if isinstance(event, wire.EvaluationProgress):
            command.show_progress(f"{event.done} of {event.total} measured")
    path = (args.out or storage.home_folder("models")) / f"{args.name}.safetensors"
    card = models.find_model(str(path)).card
    line = {"file": str(path), "name": card.name, "metric": card.metric, "value": card.value, "exact": card.exact}
    command.print_result(args, line, f"{path}: {card.held_out_text}")
    return 0
