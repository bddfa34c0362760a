"""Measure a model on held-out artworks."""

import argparse

import msgspec

from studio.cli import command
from studio.library import models
from studio.wire import messages as wire


def add(commands: command.Commands) -> None:
    """Add `studio evaluate`."""
    sub = command.add_command(commands, "evaluate", run, "held-out figures, as the papers count them")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument(
        "source", type=command.read_path, metavar="FOLDER|PACK.npz", help="artworks; those held out are measured"
    )
    sub.add_argument("-n", type=command.positive, help="only the first so many (all)")
    sub.add_argument("--draws", type=command.positive, default=4, help="of a flow's dequantising noise (4)")
    sub.add_argument(
        "--card",
        action="store_true",
        help="write the spread of bits into the model's card (for `studio score`)",
    )


def run(args: argparse.Namespace) -> int:
    trained = models.find_model(args.model)
    ask = wire.Evaluate(
        job="evaluate",
        model=args.model,
        source=str(args.source),
        draws=args.draws,
        max_artworks=args.n,
        report_spread=args.card,
    )
    for event in command.run_command(args, ask):
        if not isinstance(event, wire.EvaluationProgress):
            continue
        command.show_progress(f"{event.done} of {event.total} measured")
        for metric, value, exact in event.figures:
            sort = trained.card.noise_text or ("exact" if exact else "bound")
            line = {"name": trained.card.name, "metric": metric, "value": value, "exact": exact, "n": event.total}
            if trained.card.noise:
                line |= {"noise": trained.card.noise}
            command.print_result(args, line, f"{value:12,.4f} {metric}, {sort}")
        if event.distances is not None:
            _print_distances(args, trained, event.distances)
        if event.spread:
            _write(args, trained, event)
    return 0


def _print_distances(args: argparse.Namespace, trained: models.InstalledModel, distances: tuple[float, float]) -> None:
    for made, value in zip(("drawn", "learned"), distances, strict=True):
        metric = f"Fréchet distance of {made} recordings to held-out ones"
        line = {"name": trained.card.name, "metric": metric, "value": value, "exact": False, "proxy": True}
        command.print_result(args, line, f"{value:12,.4f} {metric}, a proxy")


def _write(args: argparse.Namespace, trained: models.InstalledModel, event: wire.EvaluationProgress) -> None:
    models.write_card(trained, msgspec.structs.replace(trained.card, bits_quantiles=event.spread))
    least = event.spread[0]
    middle = event.spread[len(event.spread) // 2]
    most = event.spread[-1]
    unit = "sample" if trained.card.sample_rate else "dimension"
    line = {"file": str(trained.path), "n": event.total, "least": least, "median": middle, "most": most}
    words = f"{trained.path}: {event.total} held-out artworks have {least:.3f} to {most:.3f} bits per {unit}"
    command.print_result(args, line, f"{words}, half of them less than {middle:.3f}")
