"""Continue a picture to the right and downwards with a model without borders."""

import argparse

import msgspec
import numpy as np

from studio.cli import arguments, command
from studio.library import models, storage
from studio.library.card import Card
from studio.library.work import encode_png
from studio.media import names
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio grow`."""
    sub = command.add_command(commands, "grow", run, "continue a picture to the right and downwards; keep its pixels")
    sub.add_argument("model", metavar="MODEL", help="one without borders")
    sub.add_argument("file", type=command.read_path, metavar="PICTURE", help="a picture, in the size in which it stays")
    sub.add_argument(
        "--size",
        type=command.read_canvas_size,
        required=True,
        metavar="WxH",
        help="width and height of the result in pixels",
    )
    sub.add_argument("-n", type=command.positive, default=1, help="how many (1)")
    arguments.add_drawing(sub, seed="of the first; the next count up (random)", label="each seed draws its own")
    sub.add_argument("--out", type=command.read_path, required=True, metavar="DIR", help="the folder for PNGs")
    arguments.add_size(sub)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    arguments.check_draws_any_size(trained.card)
    seeds = arguments.seeds_of(args)
    temperature = arguments.temperature_of(args, trained.card)
    label = arguments.class_of(trained.card, args.label)
    own = _open_picture(args, trained.card)
    height, width, channels = own.shape
    canvas = np.zeros((*args.size, channels), np.uint8)
    free = np.ones(args.size, np.uint8)
    canvas[:height, :width] = own
    free[:height, :width] = 0
    folder = storage.create_folder(args.out)
    ask = wire.Inpaint(
        job="grow",
        model=args.model,
        seeds=seeds,
        temperature=temperature,
        label=label,
        picture=canvas,
        mask=free,
    )
    for event in command.run_command(args, ask):
        if not isinstance(event, wire.PicturesPreview):
            continue
        command.show_progress(arguments.progress_text(event, args.n, args.size[0]))
        if event.done < event.total:
            continue
        log_probs = event.log_prob or ()
        for seed, picture, log_prob in zip(seeds[event.first :], event.pictures, log_probs, strict=False):
            grown = picture.copy()
            grown[:height, :width] = own  # the model sees it in its own levels
            path = folder / f"{args.file.stem}-{seed}.png"
            work = msgspec.structs.replace(
                arguments.make_work(trained, seed, temperature, label),
                canvas_size=args.size,
                grown_from=(height, width),
                source=names.display_name(args.file.name),
            )
            storage.write_file(path, encode_png(grown, work, arguments.enlargement_of(args, trained.card)))
            command.print_result(args, {"file": str(path), "seed": seed, "log_prob": log_prob}, str(path))
    return 0


def _open_picture(args: argparse.Namespace, card: Card) -> wire.Array:
    """Return the picture in a model's channels. Raises WrongUse if it cannot grow to the requested size."""
    array = arguments.open_picture(args.file)
    height, width = array.shape[:2]
    high, wide = args.size
    if height > high or width > wide or (height, width) == (high, wide):
        raise command.WrongUse(
            f'"{names.display_name(args.file.name)}" is {width} × {height} pixels, so it cannot grow to '
            f"{wide} × {high}. Give a larger --size."
        )
    sized = msgspec.structs.replace(card, shape=(card.shown_shape[0], height, width))
    return arguments.fit_picture(array, sized, args.file)
