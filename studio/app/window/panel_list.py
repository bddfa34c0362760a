"""Lists the panels of the window."""

from functools import partial

from studio.app.app_state import AppState
from studio.app.files.dialogs_view import FileDialogs
from studio.app.panels.complete import view as complete
from studio.app.panels.explore import view as explore
from studio.app.panels.generate import view as generate
from studio.app.panels.panel_view import PanelEntry
from studio.app.panels.sound import view as sound
from studio.app.panels.train import view as train
from studio.app.widgets.theme import Theme


def list_panels(theme: Theme, state: AppState, dialogs: FileDialogs) -> tuple[PanelEntry, ...]:
    """Return the panels in the order of the rail. To add one, add its entry here."""
    return (
        PanelEntry(
            "generate",
            "Generate",
            "Make pictures from a trained model",
            partial(generate.make_panel, theme, state.generate, dialogs),
        ),
        PanelEntry(
            "explore",
            "Explore",
            "Move one picture along the model's directions",
            partial(explore.make_panel, theme, state.explore, dialogs),
        ),
        PanelEntry(
            "complete",
            "Complete",
            "Paint a hole into a picture and have it filled",
            partial(complete.make_panel, theme, state.complete, dialogs),
            model_filter=lambda trained: trained.card.can_inpaint,
        ),
        PanelEntry(
            "sound",
            "Sound",
            "Hear a model while it makes sound, and continue recordings",
            partial(sound.make_panel, theme, state.sound, dialogs),
            model_filter=lambda trained: bool(trained.card.sample_rate),
        ),
        PanelEntry(
            "train",
            "Train",
            "Train a model on a folder of your own",
            partial(train.make_panel, theme, state.train, dialogs),
            model_filter=lambda trained: False,
        ),
    )
