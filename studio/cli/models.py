"""List the trained models."""

import argparse
from collections.abc import Sequence

from studio.cli import command
from studio.library import models
from studio.library.card import Card


def add(commands: command.Commands) -> None:
    """Add `studio models`."""
    sub = command.add_command(commands, "models", run, "list the trained models", engine=False)
    sub.add_argument("--markdown", action="store_true", help="the table of models/README.md")


def run(args: argparse.Namespace) -> int:
    found, refused = models.list_models()
    if args.markdown:
        print(models_table([trained.card for trained in found if trained.path.parent == models.shipped_folder()]))
        return 0
    for trained in found:
        card = trained.card
        line = {
            "name": card.name,
            "family": card.family,
            "makes": card.subject,
            "shape": card.shape,
            "metric": card.metric,
            "value": card.value,
            "exact": card.exact,
        }
        if card.noise:
            line |= {"noise": card.noise}
        what = f"{card.subject}, {card.size_text}"
        command.print_result(args, line, f"{card.name:28} {card.family_title:16} {what:44} {card.held_out_text}")
    for sentence in refused:
        command.print_message(sentence)
    return 1 if refused else 0


def models_table(cards: Sequence[Card]) -> str:
    """Return cards as a Markdown table, with the paper's own figure beside ours."""
    rows = [
        "| model | family | makes | learned from | licence of the data | parameters | steps | held out | the paper |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for card in cards:
        made = f"{card.subject}, {card.size_text}"
        size = f"{card.parameters / 1e6:.2f} M"
        fields = (card.name, card.family_title, made, card.training_data, card.licence, size, f"{card.steps:,}")
        rows.append(f"| {' | '.join(fields)} | {_figures(card)} | {card.paper_figure} |")
    return "\n".join(rows)


def _figures(card: Card) -> str:
    """Return every held-out figure of a card, its main one first."""
    return "; ".join([card.held_out_text, *(card.figure_text(*figure) for figure in card.figures[1:])])
