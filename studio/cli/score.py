"""Compute the bits of artworks under a model, and show where they are."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.cli import arguments, command
from studio.library import file_names, models, storage
from studio.library.card import Card
from studio.media import export
from studio.media.pictures import image
from studio.media.pictures.surprisal_map import ColourScale, draw_plate
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio score`."""
    sub = command.add_command(
        commands,
        "score",
        run,
        "compute the bits of pictures or sounds under a model",
        only_prints=lambda args: args.map is None,
    )
    arguments.add_files(sub, "or folders of them")
    sub.add_argument(
        "--label",
        help="given this class, by name or number (the even mixture of all classes)",
    )
    sub.add_argument(
        "--map", type=command.read_path, metavar="DIR", help="save each with the map of its bits, all on one scale"
    )


@dataclass(frozen=True)
class ScoredFile:
    """Holds a file and its bits."""

    path: Path
    picture: wire.Array
    found: wire.Scored


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    card = trained.card
    label = arguments.class_of(card, args.label)
    if args.map is not None and card.medium == "sound":
        raise command.WrongUse("Sounds have no map. Leave --map out.")
    folder = storage.create_folder(args.map) if args.map else None
    jobs = command.make_jobs(args)
    unusable = 0
    mapped: list[ScoredFile] = []
    try:
        for path in arguments.expand_folders(args.files):
            command.show_progress(path.name)
            try:
                picture = arguments.open_artwork(path, card)
                ask = wire.Score(job="score", model=args.model, picture=picture, label=label)
            except image.FileRefused as refused:
                unusable += 1
                command.print_message(str(refused))
                continue
            found = command.run_job_for(jobs, ask, wire.Scored)
            scored = ScoredFile(path, picture, found)
            if folder is None:
                _print_score(args, card, scored, {})
            else:
                mapped.append(scored)
    finally:  # all maps share one scale, so they are saved at the end, also after Ctrl+C
        if folder is not None and mapped:
            maps = [scored.found.bits for scored in mapped]
            scale = ColourScale.of_maps(maps, mapped[0].found.is_bound, card.noise > 0)
            for scored in mapped:
                _print_score(args, card, scored, _save_map(scored, folder, scale))
    return 1 if unusable else 0


def _print_score(args: argparse.Namespace, card: Card, scored: ScoredFile, more: dict[str, Any]) -> None:
    found = scored.found
    entries, unit = (len(scored.picture), "sample") if card.sample_rate else (math.prod(card.shape), "dimension")

    def per_entry(nats: float) -> float:
        return -nats / math.log(2) / entries

    bits = per_entry(found.log_prob)
    given = bits if found.log_prob_given_class is None else per_entry(found.log_prob_given_class)
    percentile = card.strangeness_percentile(given if card.sample_rate else bits)  # like the spread on the card
    line = {
        "file": str(scored.path),
        "model": card.name,
        f"bits_per_{unit}": bits,
        "exact": not found.is_bound,
        "percentile": percentile,
    }
    sort = card.noise_text or ("bound" if found.is_bound else "exact")
    kind = "" if found.label is None else card.class_names[found.label]
    if kind and args.label is not None:
        words = f"{scored.path}: {bits:.4f} bits per {unit} given {kind}, {sort}"
    else:
        words = f"{scored.path}: {bits:.4f} bits per {unit}, {sort}"
    if kind and args.label is None:
        words = f"{words}; {given:.4f} given {kind}, its likeliest class"
    if percentile is not None:
        words = f"{words}; more typical than {percentile:.0f} of 100 held-out {arguments.artworks_word(card)}"
    if card.noise:
        line |= {"noise": card.noise}
    if found.label is not None:
        line |= {"label": card.classes[found.label], f"bits_per_{unit}_given_label": given}
    if more:
        words = f"{words}; {more['map']}"
    command.print_result(args, line | more, words)


def _save_map(scored: ScoredFile, folder: Path, scale: ColourScale) -> dict[str, Any]:
    """Save a picture and its map side by side, with a legend. Return the file and the ends of the scale."""
    target = file_names.next_free_path(folder, f"{scored.path.stem}-bits", ".png")
    storage.write_file(target, export.encode_png_bytes(draw_plate(scored.picture, scored.found.bits, scale)))
    return {"map": str(target), "low": scale.low, "high": scale.high, "unit": scale.description[0].split(" ", 1)[1]}
