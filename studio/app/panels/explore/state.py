"""Holds the state of Explore: one picture or wave, sliders on its latent, own pictures, takes."""

from dataclasses import replace
from pathlib import Path

from msgspec.structs import replace as other
from PySide6.QtCore import Signal

from studio.app.audio.wave_synth import WaveSynth
from studio.app.core.artwork import Artwork
from studio.app.core.messages import Messages
from studio.app.core.observable import EngineProtocol, Field, Record, Value, set_fields
from studio.app.files.exporting import Exporter
from studio.app.files.importing import CropPreview, Importing
from studio.app.files.opening import OpenedFile, to_model_shape
from studio.app.maps.surprisal import ShownPicture, SurprisalMaps
from studio.app.model_browser.explorable import find_replacement, first_with_sliders, no_sliders_reason
from studio.app.model_browser.model_list import ModelList
from studio.app.panels.base import PanelState
from studio.app.panels.explore.alphabet import Alphabet
from studio.app.panels.explore.badge import Badge, badge_of
from studio.app.panels.explore.parameters import ExploreParameters, default_record, record_of_work
from studio.app.panels.explore.rendering import RENDER_FIELDS, LiveRender
from studio.app.panels.explore.wavetable import WavetableExport
from studio.app.takes.selection import TakeSelection
from studio.app.takes.start import Start
from studio.app.takes.store import TakeStore
from studio.library.models import InstalledModel
from studio.media.pictures.image import OpenedPicture
from studio.media.sounds.single_cycle import OpenedWave
from studio.wire.messages import Array, Encoded


class ExploreState(PanelState):
    """Holds the state of the panel Explore."""

    picture_opened = Signal()
    """Emitted when a file was opened or a work restored, so that the panel is shown."""
    complete_requested = Signal(object)
    """Carries an Artwork to be completed."""
    generate_requested = Signal(object)
    """Carries an Artwork that was continued from a row, to be restored in Generate."""
    file_chosen = Signal(object)
    """Carries the Path of a file of the user, to be opened in the panel that can show it."""

    def __init__(
        self,
        engine: EngineProtocol,
        models: ModelList,
        messages: Messages,
        takes: TakeStore,
        exporter: Exporter,
        surprisal: SurprisalMaps,
        synth: WaveSynth,
        engine_status: Value[str],
    ) -> None:
        super().__init__()
        self.models = models
        self.messages = messages
        self.exporter = exporter
        self.surprisal = surprisal
        self.synth = synth
        self.engine_status = engine_status
        self.parameters = ExploreParameters(models, messages, takes, self.change, self)
        self.model: Value[InstalledModel | None] = self.parameters.model
        self.replacement: Value[InstalledModel | None] = Value(None, self)
        """The model that is offered instead of one without sliders; None if the model has sliders, or none has."""
        for value in (self.model, models.cards):
            value.changed.connect(self._find_replacement)
        self.parameters.gesture_started.connect(self._on_gesture_started)
        self.parameters.gesture_ended.connect(self._on_gesture_ended)
        self.render = LiveRender(engine, messages, self)
        self.picture_before: Value[Array | None] = Value(None, self)
        """The picture on the stage when the user grabbed a slider, until the slider is released."""
        self.badge: Value[Badge] = Value(Badge(), self)
        self._takes = takes
        self._takes.loaded.connect(self._show_take)
        self.selection = TakeSelection(takes, messages, self.change, self)
        self._origin = ""
        """The key of the take from which the picture on the stage came, even after changes."""
        self.importing = Importing(engine, messages, self.model, self.parameters.label, self)
        self.importing.opened.connect(self._on_opened)
        self.importing.encoded.connect(self._on_encoded)
        for shown in (self.model, self.parameters.start, self.importing.waiting):
            shown.changed.connect(self._show_badge)
        self.wavetable = WavetableExport(engine, messages, self.exporter, self.render, self.selection.takes, self)
        self.alphabet = Alphabet(engine, messages, exporter, self)
        self._awaited_take = ""
        """The key of the take whose latent is requested."""
        self._has_begun = False
        """Whether any picture was requested; before that, the stage says how to begin."""
        self._declare(
            *self.parameters.fields,
            *takes.entries,
            Field("current", lambda: self.selection.current_name, self.selection.select_take),
            Field("origin", lambda: self._origin, self._use_origin),
            Field("has_begun", lambda: self._has_begun, self._resume, undo=False),
        )

    def choose_model(self, name: str) -> None:
        trained = self.models.find_or_report(name)
        if trained is not None and trained != self.model.get():
            self.change("model", origin="", **default_record(trained))
            self.importing.reset_preview()

    def choose_replacement(self) -> None:
        """Continue with the offered model and the picture on the stage."""
        item = self.render.artwork
        other = self.replacement.get()
        if other is not None and item is not None:
            self._encode_for(other, item)
        elif other is not None:
            self.choose_model(other.card.name)

    def _find_replacement(self) -> None:
        trained = self.model.get()
        self.replacement.set(find_replacement(self.models.cards.get(), trained))

    def _on_gesture_started(self, gesture: str) -> None:
        self.history.begin_gesture(gesture)
        self.picture_before.set(self.render.picture.get())

    def _on_gesture_ended(self) -> None:
        self.history.end_gesture()
        self.picture_before.set(None)

    # ── the user's own picture ───────────────────────────────────────────────────────────────────

    def open_file(self, path: Path) -> None:
        """Open a file: show a picture for cropping, or restore a work."""
        if self.model.get() is None:
            text = "There is no trained model to open a file with. Your file is untouched."
            self.messages.show_message(text, "warn", until=(self.model.changed,))
            return
        self._awaited_take = ""
        self.importing.open_file(path)

    def _on_opened(self, opened: OpenedFile) -> None:
        if opened.fault:
            self.messages.show_message(opened.fault, "warn")
        picture = opened.picture
        artwork = opened.artwork
        if artwork is not None and artwork.work.redrawn is not None and self.models.find_or_report_maker(artwork.work):
            self.generate_requested.emit(artwork)
            return
        if artwork is not None and self.restore_work(artwork):
            end = artwork.work.end_work()
            if end is not None and isinstance(picture, OpenedWave):
                self._keep_ends(artwork, Artwork(picture.last, end))
            if len(opened.artworks) > 1:
                self._offer_sheet(opened)
            return
        trained = self.model.get()
        if trained is None or (trained.card.medium == "sound") != isinstance(picture, OpenedWave):
            self.messages.show_message(_wrong_kind_text(picture, trained), "warn", until=(self.model.changed,))
            return
        if isinstance(picture, OpenedWave):
            self.importing.encode_wave(picture)
        else:
            self.importing.show_preview(picture)
        self.picture_opened.emit()

    def _offer_sheet(self, opened: OpenedFile) -> None:
        """Show the first picture of a sheet, and offer to keep all of them as takes."""

        def keep_all() -> None:
            names = [
                self._takes.add_take(self._fit_to_maker(artwork))
                for artwork in opened.artworks
                if self._takes.find_same(artwork.work) is None
            ]
            if names:
                self.change("keep takes", takes=dict.fromkeys(names, True))

        words = f'"{opened.picture.name}" is a sheet of {len(opened.artworks):,} pictures. The first one is shown.'
        self.messages.show_message(words, "info", ("Keep all as takes", keep_all))

    def _fit_to_maker(self, artwork: Artwork) -> Artwork:
        """Return an artwork of a file as its model makes it."""
        return replace(
            artwork,
            array=to_model_shape(artwork.array, self.models.find_maker(artwork.work), artwork.work.canvas_size),
        )

    def _keep_ends(self, begin: Artwork, end: Artwork) -> None:
        """Keep both ends of an opened wavetable as takes, unless they are takes already."""
        for artwork in (replace(begin, work=other(begin.work, wavetable_end=None)), end):
            wanted = other(artwork.work, created="")
            if not any(other(take.work, created="") == wanted for take in self.selection.takes.get()):
                self.keep_work(self._fit_to_maker(artwork))

    def _on_encoded(self, event: Encoded, photo: CropPreview, trained: InstalledModel) -> None:
        start = Start.from_encoded(event, photo, trained)
        scene = self.parameters.render_input()
        if scene is not None and scene.trained == trained:
            self._takes.add_start(start, Artwork(photo.model_input, replace(scene, start=start).to_work()))
            self.change(
                f"open {photo.picture.name}",
                start=start.key,
                origin=self._awaited_take,
                sliders=[0.0] * len(self.parameters.sliders.get()),
                temperatures=[1.0] * len(self.parameters.temperatures.get()),
                label=event.label,
            )
        self._awaited_take = ""

    def _encode_work(self, trained: InstalledModel, artwork: Artwork, is_take: bool = False) -> None:
        """Begin from a picture that a seed alone does not give; request its latent."""
        self.choose_model(trained.card.name)
        if artwork.work.label != self.parameters.label.get():
            self.parameters.set_label(artwork.work.label)
        self._awaited_take = artwork.key if is_take else ""
        self._encode_picture(artwork, trained, trained)

    def _encode_for(self, other: InstalledModel, artwork: Artwork) -> None:
        """Choose `other`, which has sliders, and begin from a picture of a model without sliders."""
        self._awaited_take = ""
        self.importing.cancel_preview()
        self.choose_model(other.card.name)
        self._encode_picture(artwork, other, self.models.find_maker(artwork.work))
        self.picture_opened.emit()

    def _encode_picture(self, artwork: Artwork, trained: InstalledModel, maker: InstalledModel | None) -> None:
        """Request the latent of a picture in a model; a message calls it by its name or by its maker's title."""
        title = maker.card.title if maker is not None else artwork.work.model
        name = artwork.work.name or f"{title}, seed {artwork.work.seed}"
        self.importing.encode_picture(to_model_shape(artwork.array, trained), name)

    def _show_badge(self) -> None:
        trained = self.model.get()
        if trained is not None:
            self.badge.set(badge_of(self.parameters.start.get(), self.importing.waiting.get(), trained.card))

    # ── takes and works ──────────────────────────────────────────────────────────────────────────

    def keep_take(self) -> None:
        """Keep the picture on the stage with its recipe."""
        item = self.render.artwork
        if item is not None:
            work = other(item.work, ancestors=self._takes.lineage(self._origin))
            name = self._takes.add_take(replace(item, work=work))
            self.change("keep take", takes={name: True}, current=name, origin=work.identity_hash)

    def keep_work(self, artwork: Artwork) -> None:
        """Keep a picture of another panel; the stage stays as it is."""
        self.change("keep take", takes={self._takes.add_take(artwork): True})

    def choose_take(self, index: int) -> None:
        """Put a take on the stage, with everything it was made with."""
        take = self.selection.takes.get()[index]
        trained = self.models.find_or_report_maker(take.work)
        if trained is not None and (take.work.redrawn is not None or take.work.has_live_settings):
            self._encode_work(trained, take, is_take=True)
        elif trained is not None:
            self._apply_work(f"take {index + 1}", trained, take, is_take=True)

    def shown_pictures(self) -> tuple[ShownPicture, ...]:
        """Return the picture on the stage for its map; none if a newer one is on its way."""
        picture = self.render.picture.get()
        scene = self.render.shown_input
        if picture is None or picture.ndim != 3 or scene is None or self.render.busy.get():
            return ()
        label = scene.label if scene.start is None else None  # of an opened picture the class was only assumed
        return (ShownPicture(picture, scene.trained.card.name, label),)

    def toggle_alphabet(self) -> None:
        """Show the latent on the stage in every class, or its own picture alone again."""
        scene = self.parameters.render_input()
        if self.alphabet.shown.get():
            self.alphabet.hide()
        elif scene is not None and scene.trained.card.has_alphabet:
            if not self._has_begun:
                self._has_begun = True
                self.render.request_picture(scene)
            self.alphabet.show(scene)
        elif scene is not None:
            self.messages.show_message(f'"{scene.trained.card.title}" keeps no style from class to class.')

    def choose_letter(self, label: int) -> None:
        """Put one class of the alphabet on the stage alone."""
        self.alphabet.hide()
        self.parameters.set_label(label)

    def save_picture(self) -> None:
        """Ask where to save what is on the stage with its recipe, and save it."""
        if self.alphabet.shown.get():
            self.alphabet.export()
            return
        item = self.render.artwork
        if item is not None:
            self.exporter.ask_path(item)

    def copy_picture(self) -> None:
        """Copy the picture on the stage to the clipboard, and show the outcome."""
        item = self.render.artwork
        if item is not None:
            self.messages.copy_requested.emit(item.array, item.work)
        else:
            self.messages.show_message("There is no picture to copy yet. Begin from a seed.")

    def open_in_complete(self) -> None:
        """Open the picture on the stage in Complete."""
        item = self.render.artwork
        if item is not None and item.array.ndim == 3:
            self.complete_requested.emit(item)

    def open_work(self, messages: Messages, artwork: Artwork) -> None:
        """Open a work of another panel. If its model has no sliders, `messages` says so and offers one that has."""
        trained = self.models.find_maker(artwork.work)
        other = find_replacement(self.models.cards.get(), trained, self.model.get())
        if trained is None or other is None:
            self.restore_work(artwork)
            return
        text = f"{no_sliders_reason(trained.card)}. Your picture stays here."
        explore = (f'Explore it with "{other.card.title}"', lambda: self._encode_for(other, artwork))
        messages.show_message(text, "warn", explore)

    def restore_work(self, artwork: Artwork) -> bool:
        """Restore model, start, temperatures and sliders of a work; return whether its model exists."""
        work = artwork.work
        trained = self.models.find_or_report_maker(work)
        if trained is None:
            return False
        self.importing.cancel_preview()
        if work.redrawn is not None or work.has_live_settings:
            self._encode_work(trained, artwork)
        else:
            self._apply_work("restore the work", trained, artwork)
        self.picture_opened.emit()
        return True

    def _apply_work(self, name: str, trained: InstalledModel, artwork: Artwork, is_take: bool = False) -> None:
        start = Start.from_work(artwork.work)
        if start is not None:
            self._takes.add_start(start, artwork)
        self._has_begun = True
        shown, origin = (artwork.name, artwork.key) if is_take else (None, "")
        after = {**record_of_work(artwork.work, trained), "start": start.key if start else ""}
        self.change(name, **after, current=shown, origin=origin)
        if self.model.get() == trained:
            self.render.set_picture(artwork.array, self.parameters.render_input())

    # ── plain data: undo, restart ────────────────────────────────────────────────────────────────

    def _use_origin(self, key: str) -> None:
        self._origin = str(key)

    def _resume(self, begun: bool) -> None:
        """Request the picture that was on the stage before a restart."""
        self._has_begun = bool(begun) and self.model.get() is not None
        if self._has_begun:
            self.render.request_when_ready(self.parameters.render_input())

    def settle(self) -> None:
        """If no model is chosen yet, choose the first one with sliders, else the first of all."""
        first = first_with_sliders(self.models.cards.get()) or self.models.first_model()
        if self.model.get() is None and first is not None:
            set_fields(self.fields, default_record(first))

    def _show_take(self) -> None:
        """Show the take that was on the stage until the engine has drawn it again."""
        take = self.selection.current_take
        if take is not None and self.render.picture.get() is None:
            self.render.set_picture(take.array, self.parameters.render_input())

    def close(self) -> None:
        """Wait for background work."""
        self.importing.close()

    def change(self, name: str, gesture: str | None = None, **values: object) -> None:
        """Change fields as one step of undo.

        The stage then no longer shows the take, unless only the model changed.
        """
        if RENDER_FIELDS & values.keys():
            values.setdefault("current", None)
            self._has_begun = self._has_begun or "model" not in values
        super().change(name, gesture, **values)

    def _follow(self, record: Record) -> None:
        """Request the present picture."""
        if self._has_begun and RENDER_FIELDS & record.keys():
            self.render.request_picture(self.parameters.render_input())
            self.alphabet.request_pictures(self.parameters.render_input())


def _wrong_kind_text(picture: OpenedPicture | OpenedWave, trained: InstalledModel | None) -> str:
    what, makes = ("wave", "pictures") if isinstance(picture, OpenedWave) else ("picture", "sounds")
    title = trained.card.title if trained is not None else ""
    return f'"{picture.name}" is a {what}, and "{title}" makes {makes}. Choose a model of {what}s, then open it again.'
