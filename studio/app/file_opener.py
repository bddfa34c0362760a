"""Opens files in the panel that can show them, and adds models."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from studio.app.core.messages import Messages
from studio.app.core.observable import Value
from studio.app.files import drops
from studio.app.model_browser.explorable import has_sliders
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.complete.state import CompleteState
from studio.app.panels.explore.state import ExploreState
from studio.app.panels.generate.state import GenerateState
from studio.app.panels.sound.state import NO_MODEL, SoundState
from studio.app.panels.train.state import TrainState
from studio.library.models import InstalledModel
from studio.media.names import display_name

PanelStates = GenerateState | ExploreState | CompleteState | SoundState | TrainState


class FileOpener:
    """Finds the panel that opens a file. It may choose a model there that can show the file."""

    def __init__(
        self,
        panel: Value[str],
        panels: Mapping[str, PanelStates],
        explore: ExploreState,
        complete: CompleteState,
        sound: SoundState,
        train: TrainState,
        models: ModelList,
        messages: Messages,
    ) -> None:
        """Create an opener for these panels.

        Arguments
            panel: the name of the open panel
            panels: all panels by name
        """
        self._panel = panel
        self._panels = panels
        self._explore = explore
        self._complete = complete
        self._sound = sound
        self._train = train
        self._models = models
        self._messages = messages
        self._chosen_model: dict[str, InstalledModel] = {}
        """The model of pictures and the model of waves that were chosen last."""

    def drop_text(self, paths: Sequence[Path]) -> str:
        """Return the effect of dropping these files, as `Open in Explore`, or the reason why there is none."""
        kind = drops.file_kind(paths)
        match self._panel_for(kind):
            case "sound" if self._sound.model.get() is None:
                return NO_MODEL
            case "sound" if kind == "wave":
                return "Continue this sound"
            case "complete":
                return "Open in Complete"
        return drops.drop_text(kind, paths)

    def _panel_for(self, kind: drops.FileKind) -> str:
        """Return the panel that opens a file; empty if none does."""
        here = self._panel.get()
        if kind in ("recording", "recorded work") or (kind == "wave" and here == "sound"):
            return "sound"
        if kind in ("picture", "work") and here == "complete":
            return "complete"
        return "explore" if kind in ("picture", "wave", "work") else ""

    def open_file(self, path: Path) -> None:
        """Open a file in the open panel, if it can show it; else in Explore, or in Sound if it is a recording."""
        kind = drops.file_kind([path])
        if kind == "unread sound":
            self._messages.show_message(drops.drop_text(kind, [path]), "warn")
        elif self._panel_for(kind) == "sound":
            self._open_in("sound", kind, path)
        else:
            self._open_in("complete" if self._panel.get() == "complete" else "explore", kind, path)

    def open_dropped(self, paths: Sequence[Path]) -> None:
        """Open the dropped files, as `drop_text` announces."""
        kind = drops.file_kind(paths)
        panel = self._panel_for(kind)
        if panel:
            self._open_in(panel, kind, paths[0])
            if len(paths) > 1:
                one = "continues one recording" if panel == "sound" else "shows one"
                name = display_name(paths[0].name)
                self._messages.show_message(f'Only "{name}" was opened. {panel.capitalize()} {one} at a time.')
        elif kind in ("folder", "shards"):
            self._train.open_folder(paths[0])
            if kind == "shards" and len(paths) > 1:
                name = display_name(paths[0].name)
                self._messages.show_message(f'Only "{name}" was opened. Drop the folder of all shards instead.')
        elif kind in ("model", "pickle"):
            self._models.add_model(paths[0], self._choose_added)
        else:
            self._messages.show_message(drops.drop_text(kind, paths), "warn")

    def _open_in(self, panel: str, kind: drops.FileKind, path: Path) -> None:
        if panel == "sound":
            self._sound.open_file(path)
        elif panel == "complete":
            self._complete.canvas.open_file(path)
        else:
            self._choose_explore_model(kind)
            self._explore.open_file(path)

    def _choose_explore_model(self, kind: drops.FileKind) -> None:
        """Give Explore a model for a picture or a wave: the open panel's model, else the one chosen last.

        A model without sliders is used only if no other can be, or if Explore is open and shows it.
        """
        makes = {"picture": "picture", "wave": "sound"}.get(kind, "")
        now = self._explore.model.get()
        in_use = {name: panel.model.get() for name, panel in self._panels.items()}
        chosen = (in_use.get(self._panel.get()), self._chosen_model.get(makes), *in_use.values())
        suitable = [
            each
            for each in (*chosen, *self._models.cards.get())
            if each is not None and each.card.medium == makes and not each.card.sample_rate
        ]
        shown = now if self._panel.get() == "explore" else None
        suitable.sort(key=lambda each: each != shown and not has_sliders(each))
        if suitable and suitable[0] != now:
            title = suitable[0].card.title
            self._explore.choose_model(suitable[0].card.name)
            if now is not None:
                self._messages.show_message(f'Explore opens it with "{title}". Undo brings "{now.card.title}" back.')

    def remember_model(self, trained: InstalledModel | None) -> None:
        """Remember a model of pictures or of waves as the one that was chosen last."""
        if trained is not None and not trained.card.sample_rate:
            self._chosen_model[trained.card.medium] = trained

    def _choose_added(self, trained: InstalledModel) -> None:
        """Choose an added model in the open panel, or open a panel that can use it."""
        panel = self._panel.get()
        if trained.card.sample_rate:
            panel = "sound"
        elif panel in ("sound", "train") or (panel == "complete" and not trained.card.can_inpaint):
            panel = "generate"
        self._panels[panel].choose_model(trained.card.name)
        self._panel.set(panel)
