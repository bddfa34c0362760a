"""Draw one latent in every class of a model: the alphabet of one style."""

import argparse
from typing import Any

import msgspec

from studio.cli import arguments, command
from studio.library import file_names, models, storage
from studio.library.work import StoredArray, Work, encode_png, encode_sheet, reduced_size_text
from studio.media import export, names
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio alphabet`."""
    sub = command.add_command(commands, "alphabet", run, "draw a seed or a picture of yours in every class of a model")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("start", metavar="START", help="a seed, or a picture in one of the classes")
    sub.add_argument("--label", help="the class of the picture, by name or number (the likeliest)")
    sub.add_argument(
        "--temperature",
        type=command.temperature,
        help="lower is calmer, higher wilder (the model's own, or 1)",
    )
    sub.add_argument("--sheet", action="store_true", help="save all on one sheet, instead of single pictures")
    sub.add_argument("--out", type=command.read_path, required=True, metavar="DIR", help="the folder for PNGs")
    arguments.add_size(sub)


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    if not trained.card.has_alphabet:
        raise command.WrongUse(
            f'"{trained.card.title}" keeps no style from class to class. Its networks do not all know the class.'
        )
    label = arguments.class_of(trained.card, args.label)
    size = arguments.enlargement_of(args, trained.card)
    folder = storage.create_folder(args.out)
    jobs = command.make_jobs(args)
    start, stem = _start(args, jobs, trained, label)
    latent = start.latent.to_array() if start.latent else None
    point = wire.LatentPoint(seed=start.seed, latent=latent, temperature=start.temperature)
    ask = wire.DecodeClasses(job="alphabet", model=args.model, point=point)
    drawn = (event for event in command.run_job(jobs, ask) if isinstance(event, wire.PicturesPreview))
    pictures = [picture for event in drawn for picture in event.pictures]
    works = [msgspec.structs.replace(start, label=number) for number in range(len(pictures))]
    if args.sheet:
        columns = export.sheet_columns(len(pictures))
        if smaller := reduced_size_text(size, columns, pictures):
            command.print_message(smaller)
        path = folder / file_names.clean_name(f"{stem}-alphabet.png")
        storage.write_file(path, encode_sheet(pictures, works, columns, size))
        command.print_result(args, {"file": str(path), "sheet": True}, str(path))
        return 0
    named = enumerate(trained.card.class_names)  # with a number, because some systems hold "a" and "A" for the same
    paths = [folder / file_names.clean_name(f"{stem}-{number:02}-{name}.png") for number, name in named]
    files = [encode_png(picture, work, size) for picture, work in zip(pictures, works, strict=True)]
    storage.write_files(list(zip(paths, files, strict=True)))
    for path, label_name in zip(paths, trained.card.classes, strict=True):
        command.print_result(args, {"file": str(path), "label": label_name}, str(path))
    return 0


def _start(args: argparse.Namespace, jobs: Any, trained: models.InstalledModel, label: int | None) -> tuple[Work, str]:
    """Return where the alphabet begins, and the beginning of its files' names: a seed, or the user's own picture."""
    if args.start.isdecimal():
        if label is not None:
            raise command.WrongUse("A seed is drawn in every class. Leave --label out.")
        seed = command.seed(args.start)
        temperature = arguments.temperature_of(args, trained.card)
        return arguments.make_work(trained, seed, temperature, None), f"{trained.card.name}-{seed}"
    path = command.read_path(args.start)
    ask = wire.Encode(job="open", model=args.model, picture=arguments.open_artwork(path, trained.card), label=label)
    found = command.run_job_for(jobs, ask, wire.Encoded)
    opened = arguments.make_work(trained, 0, (1.0 if args.temperature is None else args.temperature,), found.label)
    name = names.display_name(path.name)
    latent = StoredArray.from_array(found.latent)
    return msgspec.structs.replace(opened, latent=latent, source=name), f"{trained.card.name}-{path.stem}"
