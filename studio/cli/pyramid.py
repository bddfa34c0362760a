"""Make a pyramid: larger pictures with a trained model and an upsampler."""

import argparse
from pathlib import Path

import msgspec

from studio.cli import command
from studio.library import model_names, models, storage
from studio.media import names
from studio.media.pictures import image
from studio.wire import messages as wire

MAX_RECIPE_BYTES = 2**16


class PyramidRecipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Describes a pyramid, as in `models/recipes/pyramids`."""

    name: str
    title: str = ""
    """Empty: the base's."""
    base: str
    upsampler: str
    data: str = ""
    """The pictures on which it is measured, for those who read the recipe."""
    only: str = ""
    """The class of the data whose pictures are measured; empty for all."""


def add(commands: command.Commands) -> None:
    """Add `studio pyramid`."""
    sub = command.add_command(commands, "pyramid", run, "make larger pictures with a model and an upsampler")
    sub.add_argument(
        "source",
        type=command.read_path,
        metavar="FOLDER|PACK.npz",
        help="pictures of the full size; those held out are measured",
    )
    sub.add_argument(
        "--recipe",
        type=command.read_path,
        metavar="FILE",
        help="a recipe as in models/recipes/pyramids; replaces all but --name and --out",
    )
    sub.add_argument("--base", metavar="MODEL", help="the model that draws the coarse pictures")
    sub.add_argument("--upsampler", metavar="MODEL", help="the upsampler that draws the details")
    sub.add_argument("--name", help="of the new model")
    sub.add_argument("--title", default="", help="of the new model (that of the base)")
    sub.add_argument("--only", default="", metavar="CLASS", help="measure pictures of this class of the data alone")
    sub.add_argument("--out", type=command.read_path, metavar="DIR", help="where the model goes (your own models)")


def run(args: argparse.Namespace) -> int:
    recipe = _recipe_of(args)
    if fault := model_names.name_fault(recipe.name, args.out):
        free = model_names.free_model_name(recipe.name, args.out)
        raise command.WrongUse(f'"{names.display_name(recipe.name)}" {fault}. This one is free: --name {free}')
    ask = wire.MakePyramid(
        job="pyramid",
        base=recipe.base,
        upsampler=recipe.upsampler,
        source=str(args.source),
        name=recipe.name,
        title=recipe.title,
        label=recipe.only,
        output_folder=str(storage.create_folder(args.out)) if args.out else "",
    )
    for event in command.run_command(args, ask):
        if isinstance(event, wire.EvaluationProgress):
            command.show_progress(f"{event.done} of {event.total} measured")
    path = (args.out or storage.home_folder("models")) / f"{recipe.name}.safetensors"
    card = models.find_model(str(path)).card
    line = {"file": str(path), "name": card.name, "metric": card.metric, "value": card.value, "exact": card.exact}
    command.print_result(args, line, f"{path}: {card.held_out_text}")
    return 0


def _recipe_of(args: argparse.Namespace) -> PyramidRecipe:
    """Return the pyramid in a file, or that of the options. Raises WrongUse or FileRefused."""
    if args.recipe is not None:
        recipe = _read_recipe(args.recipe)
        return msgspec.structs.replace(recipe, name=args.name) if args.name else recipe
    for option in ("base", "upsampler", "name"):
        if not getattr(args, option):
            raise command.WrongUse(f"Add --{option}, or give a recipe.")
    return PyramidRecipe(name=args.name, title=args.title, base=args.base, upsampler=args.upsampler, only=args.only)


def _read_recipe(path: Path) -> PyramidRecipe:
    name = names.display_name(path.name)
    with image.decode_opened(path, name, MAX_RECIPE_BYTES) as file:
        data = file.read()
    try:
        return msgspec.json.decode(data, type=PyramidRecipe)
    except msgspec.MsgspecError as error:
        raise command.WrongUse(f'"{name}" is no recipe of a pyramid: {error}.') from None
