"""Share what commands need for artworks: files, seeds, classes, recipes and options."""

import argparse
import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from studio.cli import command
from studio.library import models
from studio.library.card import Card
from studio.library.fitting import fit_to_card
from studio.library.work import ModelMixture, Work, density_note
from studio.media import dataset, decoder, names
from studio.media.pictures.enlarging import Enlargement
from studio.media.preparing import to_int16
from studio.media.sounds import single_cycle
from studio.wire import messages as wire


def expand_folders(given: Sequence[Path]) -> list[Path]:
    """Return files, and those in folders."""
    return [path for each in given for path in (dataset.list_files(each) if each.is_dir() else [each])]


def open_artwork(path: Path, card: Card) -> wire.Array:
    """Open a user's file as an artwork in a model's size, and report conversions. Raises image.FileRefused."""
    if card.sample_rate:
        found = decoder.open_recording(path, card.sample_rate, centred=False)
        array = to_int16(found.samples)
        _say_notes(found.name, found.notes)
        return array
    if card.medium == "sound":
        wave = decoder.open_wave_file(path, card.shape[0])
        array = single_cycle.cycle_from_wave(wave.array, card.shape[0], wave.name)
        _say_notes(wave.name, wave.notes)
        return array
    return fit_picture(open_picture(path), card, path)


def open_picture(path: Path) -> wire.Array:
    """Open a picture (height, width, 3) uint8, and report conversions. Raises image.FileRefused."""
    found = decoder.open_picture(path)
    _say_notes(found.name, found.notes)
    return found.array


def fit_picture(picture: wire.Array, card: Card, path: Path) -> wire.Array:
    """Return the picture in a file in a model's size and colours. Report how many pixels took another colour."""
    fitted = fit_to_card(picture, card)
    _say_notes(names.display_name(path.name), (fitted.note,) if fitted.note else ())
    return fitted.array


def _say_notes(name: str, notes: Sequence[str]) -> None:
    if notes:
        command.print_message(f'"{name}": {"; ".join(notes)}.')


def artworks_word(card: Card) -> str:
    """Return the word for what a model makes."""
    return "sounds" if card.medium == "sound" else "pictures"


def seeds_of(args: argparse.Namespace) -> tuple[int, ...]:
    first = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "little")
    seeds = tuple(range(first, first + args.n))
    if seeds[-1] >= 2**53:
        raise command.WrongUse(
            f"The last seed would be {seeds[-1]}, but seeds end at {2**53 - 1}. Begin with a lower one."
        )
    return seeds


def temperature_of(args: argparse.Namespace, card: Card) -> tuple[float]:
    """Return the requested temperature, or the model's own. Warn if it is outside the model's range."""
    temperature = args.temperature if args.temperature is not None else card.temperature
    if beyond := card.temperature_warning(temperature):
        command.print_message(beyond)
    return (temperature,)


def class_of(card: Card, given: str | None) -> int | None:
    """Return the number of a class, from its name or number. Raises WrongUse, which lists them."""
    if given is None:
        return None
    names = [name.casefold() for name in card.class_names]
    wanted = given.replace("_", " ").casefold()
    if wanted in names:
        return names.index(wanted)
    if given.isdecimal() and int(given) < len(names):
        return int(given)
    there = f"It has: {', '.join(card.class_names)}." if names else "It has no classes. Leave --label out."
    raise command.WrongUse(f'"{card.title}" has no class "{given}". {there}')


def add_files(sub: argparse.ArgumentParser, files: str) -> None:
    """Add a model, and files or folders with a help text."""
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("files", nargs="+", type=command.read_path, metavar="FILE", help=files)


def add_drawing(sub: argparse.ArgumentParser, *, seed: str, label: str) -> None:
    """Add the options for drawing from a model, with help for seed and class."""
    sub.add_argument("--seed", type=command.seed, help=seed)
    sub.add_argument("--temperature", type=command.temperature, help="lower is calmer, higher wilder (the model's own)")
    sub.add_argument("--label", help=f"the class, by name or number ({label})")


def add_mix(sub: argparse.ArgumentParser) -> None:
    """Add the options for a second model."""
    sub.add_argument(
        "--mix",
        metavar="OTHER",
        help="a second model to mix in; both draw pixel by pixel or sample by sample",
    )
    sub.add_argument("--share", type=command.share, default=0.5, help="how much the second decides, 0 to 1 (0.5)")


def add_sharpening(sub: argparse.ArgumentParser) -> None:
    """Add the options that sharpen what is drawn."""
    sub.add_argument(
        "--guidance",
        type=command.guidance,
        default=0.0,
        help="how much to sharpen towards the class, 0 to 3, for models that learned with their class dropped (0)",
    )
    sub.add_argument(
        "--top-p",
        type=command.share,
        default=1.0,
        help="draw each pixel from its likeliest levels, whose probability is this or more, 0 to 1 (1)",
    )


def add_size(sub: argparse.ArgumentParser) -> None:
    """Add the options for the size of saved pictures."""
    sub.add_argument(
        "--scale",
        type=command.read_scale,
        metavar="TIMES",
        help="how much larger to save pictures: 4, 8, 16, or the longer side in pixels, as 512px (1)",
    )
    sub.add_argument("--smooth", action="store_true", help="blend the pixels of enlarged pictures (they are squares)")


def check_sharpening(args: argparse.Namespace, card: Card) -> None:
    """Raise WrongUse if a model has no guidance or top-p. Report what they mean for the bits."""
    if args.guidance and not card.has_guidance:
        raise command.WrongUse(f'"{card.title}" never learned without a class. Leave --guidance out.')
    if args.guidance and args.mix:
        raise command.WrongUse("A mixture of two models has no guidance. Leave --guidance or --mix out.")
    if args.top_p < 1 and not card.can_inpaint:
        raise command.WrongUse(f'"{card.title}" {card.sampling_text}, so it has no top-p. Leave --top-p out.')
    if note := density_note(args.guidance, args.top_p):
        command.print_message(note)


def check_draws_any_size(card: Card) -> None:
    """Raise WrongUse if a model draws only pictures of its own size."""
    if not card.draws_any_size:
        raise command.WrongUse(
            f'"{card.title}" draws only {card.size_text}. Choose a model without borders, or leave --size out.'
        )


def progress_text(event: wire.PicturesPreview, count: int, rows: int) -> str:
    """Return how many of `count` pictures are finished and, if they have `rows`, those of the next ones."""
    return f"{event.first} of {count} finished" + (f", row {min(event.done, rows)} of {rows}" if rows else "")


def enlargement_of(args: argparse.Namespace, card: Card, usual: int = 1) -> Enlargement:
    """Return the size for saving pictures: by default `usual` times. Raises WrongUse for sounds."""
    if card.medium == "sound" and (args.scale or args.smooth):
        raise command.WrongUse(f'"{card.title}" makes sounds, which have no size. Leave --scale and --smooth out.')
    times, pixels = args.scale or (usual, 0)
    return Enlargement(times, pixels, args.smooth)


def mixed_model_of(args: argparse.Namespace) -> ModelMixture | None:
    """Return the requested second model. Raises models.BadModel."""
    if not args.mix:
        return None
    other = models.find_model(args.mix)
    return ModelMixture(model=other.card.name, model_hash=other.file_hash, share=args.share)


def make_work(trained: models.InstalledModel, seed: int, temperature: tuple[float, ...], label: int | None) -> Work:
    return Work(
        medium=trained.card.medium,
        sample_rate=trained.card.sample_rate,
        model=trained.card.name,
        model_hash=trained.file_hash,
        seed=seed,
        temperature=temperature,
        label=label,
        palette=trained.card.palette,
        created=time_stamp(),
    )


def time_stamp() -> str:
    return datetime.datetime.now().astimezone().isoformat(timespec="seconds")
