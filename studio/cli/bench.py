"""Measure how fast every trained model is, compared with its naive decoding."""

import argparse
from typing import Any

from studio.cli import command
from studio.library import models
from studio.library.card import Card

BATCH_SIZE = 16
"""The number of artworks that are made together. Recordings are made one by one, as if the user listened."""


def add(commands: command.Commands) -> None:
    """Add `studio bench`."""
    sub = command.add_command(
        commands,
        "bench",
        run,
        "measure the speed of every model on this computer",
        only_prints=lambda args: True,
    )
    sub.add_argument("models", nargs="*", metavar="MODEL", help="only these (all there are)")


def run(args: argparse.Namespace) -> int:
    """Print a line for each model and number of artworks, once it is measured."""
    named = [models.find_model(name) for name in args.models] if args.models else models.list_models()[0]
    jobs = command.make_jobs(args, compile_first=True)
    from studio.engine import benchmark

    command.print_message(
        f"Measured now on: {jobs.device.description}. Other running programs make these figures worse."
    )
    unusable = 0
    for trained, name in zip(named, args.models or [trained.card.name for trained in named], strict=True):
        card = trained.card
        for count in (1,) if card.sample_rate else (1, BATCH_SIZE):
            command.show_progress(f"{card.name}, {count} at once")
            try:
                found = benchmark.measure_speed(jobs.model_cache.get_model(name).model, count, card.sample_rate)
            except models.BadModel as fault:
                unusable += 1
                command.print_message(str(fault))
                break
            times = None if found.naive_seconds is None else found.naive_seconds / found.total_seconds
            line = {
                "name": card.name,
                "count": count,
                "seconds": found.total_seconds,
                "first_row_seconds": found.first_seconds,
            }
            command.print_result(
                args, {**line, "naive_seconds": found.naive_seconds, "times": times}, speed_text(card, found)
            )
    return 1 if unusable else 0


def speed_text(card: Card, found: Any) -> str:
    """Return a measurement in words.

    `pixelcnn-tiles-32, 16 at once: 19 s, the first row after 0.6 s; the naive way about 500 s, 26 × as long`.
    """
    text = f"{card.name}, {found.count} at once: {_seconds(found.total_seconds)}"
    if card.sample_rate:
        text = f"{text} for a second of sound, {1 / found.total_seconds:.3g} × real time"
    if found.first_seconds is not None:
        text = f"{text}, the first row after {_seconds(found.first_seconds)}"
    if found.naive_seconds is None:
        return f"{text}; one pass makes it, so there is no naive way"
    times = found.naive_seconds / found.total_seconds
    return f"{text}; the naive way about {_seconds(found.naive_seconds)}, {times:,.0f} × as long"


def _seconds(number: float) -> str:
    if number < 0.1:
        return f"{1000 * number:.3g} ms"
    return f"{number:,.0f} s" if number >= 10 else f"{number:.2g} s"
