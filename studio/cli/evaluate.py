"""Held-out figures."""

import argparse
from pathlib import Path

from studio.cli import ground
from studio.library import models
from studio.wire import messages as wire


def add(commands: ground.Commands) -> None:
    """Adds `studio evaluate`."""
    sub = ground.command(commands, "evaluate", run, "held-out figures, as the papers count them")
    sub.add_argument("model", metavar="MODEL")
    sub.add_argument("source", type=Path, metavar="FOLDER|PACK.npz", help="of which the test part is measured")
    sub.add_argument("-n", type=ground.positive, help="only the first so many (all)")
    sub.add_argument("--draws", type=ground.positive, default=4, help="of a flow's dequantising noise (4)")


def run(args: argparse.Namespace) -> int:
    trained = models.find(args.model)
    ask = wire.Evaluate(job="evaluate", model=args.model, source=str(args.source), draws=args.draws, most=args.n)
    for event in ground.events(args, ask):
        if not isinstance(event, wire.Measured):
            continue
        ground.progress(f"{event.done} of {event.total} measured")
        for metric, value, exact in event.figures:
            line = {"name": trained.card.name, "metric": metric, "value": value, "exact": exact, "n": event.total}
            ground.tell(args, line, f"{value:12,.4f} {metric}, {'exact' if exact else 'bound'}")
    return 0
