"""Builds the panel Explore: one picture or wave, sliders on its latent, own pictures, takes."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QWidget

from studio.app.audio.wave_page_view import WavePage
from studio.app.core.text import group_digits
from studio.app.files.dialogs_view import WORKS, FileDialogs
from studio.app.files.import_view import CropPage, ImportSection
from studio.app.files.importing import CropPreview
from studio.app.maps.overlay_view import MapOverlay
from studio.app.model_browser.explorable import NO_SLIDERS, first_with_sliders, has_sliders, no_sliders_reason
from studio.app.panels.explore.alphabet_view import AlphabetPage
from studio.app.panels.explore.badge_view import BadgeView
from studio.app.panels.explore.inspector_view import OPEN_HELP, ParametersSection
from studio.app.panels.explore.state import ExploreState
from studio.app.panels.panel_view import PanelView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Label, make_button_pair, make_empty_page, make_row
from studio.app.widgets.menus import show_context_menu
from studio.app.widgets.picture import CaptionedPicture
from studio.app.widgets.theme import Theme
from studio.library.models import InstalledModel
from studio.wire.messages import Array

PICTURE_FOLLOWS = "The engine is starting. The picture follows by itself."


class ExploreStage(QStackedWidget):
    """Shows how to begin, the picture with its badge, the crop preview, the wave with its keys, or the alphabet."""

    def __init__(self, theme: Theme, state: ExploreState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._dialogs = dialogs
        self.badge = BadgeView(theme)
        self.page = CaptionedPicture(theme, "Picture", self.badge)
        self.overlay = MapOverlay(self.page.view, state.surprisal, keeps_entropy=True)
        self.wave_badge = BadgeView(theme)
        self.wave = WavePage(theme, state.synth, self.wave_badge)
        self.crop = CropPage(theme, state.importing)
        self.alphabet = AlphabetPage(theme, state.alphabet)
        show_context_menu(self.page.view, lambda: (
            ("Open in Complete", state.open_in_complete, True),
            ("Copy picture", state.copy_picture, True),
            ("Keep as take", state.keep_take, True),
            ("Paste", state.messages.paste_requested.emit, True),
        ))  # fmt: skip
        self.addWidget(self._build_empty_page())
        self.addWidget(self.page)
        self.addWidget(self.crop)
        self.addWidget(self.wave)
        self.addWidget(self.alphabet)
        self.page.view.zoomed.connect(self.badge.show_scale)
        bind(self, state.render.picture, self._show_picture)
        bind(self, state.importing.preview, lambda _: self._show_page())
        bind(self, state.alphabet.shown, lambda _: self._show_page())
        bind(self, state.alphabet.sheet, lambda _: self._show_page())
        self.alphabet.class_clicked.connect(state.choose_letter)
        bind(self, state.badge, self._show_badge)
        bind(self, state.parameters.sliders, self._show_badge)
        bind(self, state.parameters.seed, self._show_badge)
        bind(self, state.parameters.label, self._show_badge)
        bind(self, state.picture_before, self.wave.view.show_before)
        bind(self, state.model, self._show_model)
        bind(self, state.models.cards, self._show_first)
        bind(self, state.model, self._show_first)
        bind(self, state.engine_status, self._show_waiting)
        bind(self, state.render.busy, self._show_waiting)

    def ask_file(self) -> None:
        self._dialogs.ask_file(WORKS, self._state.file_chosen.emit)

    def show_smooth(self, smooth: bool) -> None:
        self.page.view.show_smooth(smooth)
        self.alphabet.view.show_smooth(smooth)

    def set_compact(self, compact: bool) -> None:
        self.badge.set_compact(compact)
        self.wave_badge.set_compact(compact)
        self.page.update_layout()

    def _build_empty_page(self) -> QWidget:
        self._title = Label("", "name", wrap=True)
        self._waits = Label("", "note", wrap=True)
        self._first = Label("", "note", wrap=True)
        begin = Button(self._theme, "New start", "primary", tooltip="Begin from another seed", keys="R")
        self._own = Button(self._theme, "", "", "folder", keys="Ctrl+O")
        begin.clicked.connect(lambda: self._state.parameters.new_start())
        self._own.clicked.connect(self.ask_file)
        return make_empty_page(self._title, self._first, self._waits, make_row(0, begin, self._own, 0, spacing=12))

    def _show_waiting(self, _: object) -> None:
        """Show why a requested picture has not arrived yet."""
        late = self._state.engine_status.get() == "Starting" and self._state.render.busy.get()
        self._waits.setText(PICTURE_FOLLOWS if late else "")
        self._waits.setVisible(late)

    def _show_model(self, trained: InstalledModel | None) -> None:
        what = "wave" if trained is not None and trained.card.medium == "sound" else "picture"
        self._title.setText(f"Drop a {what} here, or begin from a seed.")
        self._own.set_text(f"Open a {what}…")
        self._own.set_tooltip(OPEN_HELP[what], "Ctrl+O")

    def _show_first(self, _: object) -> None:
        """Say why Explore begins with another model than Generate: the first one has no sliders."""
        models = self._state.models
        trained = self._state.model.get()
        first = models.first_model()
        passed = first is not None and not has_sliders(first) and trained == first_with_sliders(models.cards.get())
        self._first.setVisible(passed)
        if first is not None and trained is not None:
            self._first.setText(f'Explore begins with "{trained.card.title}": {no_sliders_reason(first.card)}.')

    def _show_picture(self, picture: Array | None) -> None:
        if picture is not None and picture.ndim == 1:
            self.wave.show_wave(picture)
            self.wave.view.setAccessibleDescription(self.wave_badge.accessibleName())
        else:
            self.overlay.show_picture(picture)
            self.page.view.setAccessibleDescription(self.badge.accessibleName())
        self._show_page()

    def _show_page(self) -> None:
        photo = self._state.importing.preview.get()
        picture = self._state.render.picture.get()
        before = self.currentIndex()
        page = 0
        if photo is not None:
            page = 2
        elif self._state.alphabet.shown.get() and self._state.alphabet.sheet.get() is not None:
            page = 4
        elif picture is not None:
            page = 3 if picture.ndim == 1 else 1
        self.setCurrentIndex(page)
        if self.currentIndex() == 2 and before != 2:
            self.crop.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_badge(self, _: object) -> None:
        sliders = self._state.parameters.sliders.get()
        moved = sum(abs(value) > 5e-4 for value in sliders)
        plural = "s" if moved > 1 else ""
        where = f", {moved} slider{plural} moved" if moved else ", every slider at home"
        trained = self._state.model.get()
        label = self._state.parameters.label.get()
        class_text = f", {trained.card.class_names[label]}" if trained is not None and label is not None else ""
        words = f"Seed {group_digits(self._state.parameters.seed.get())}{class_text}{where if sliders else ''}"
        for badge in (self.badge, self.wave_badge):
            badge.show_badge(self._state.badge.get(), words)
        self.page.update_layout()


class ExploreFoot(QStackedWidget):
    """Shows Export and Keep take; during a crop, Cancel and Use this."""

    def __init__(self, theme: Theme, state: ExploreState) -> None:
        super().__init__()
        self._state = state
        self.export = Button(
            theme, "Export…", tooltip="Save what is on the stage with its recipe inside", keys="Ctrl+E"
        )
        self.keep = Button(
            theme, "Keep take", "primary", tooltip="Keep what is on the stage as a take", keys="Ctrl+Return"
        )
        self.cancel = Button(theme, "Cancel", tooltip="Leave the crop. The stage stays as it was", keys="Esc")
        self.use = Button(theme, "Use this", "primary", tooltip="Start from this picture", keys="Ctrl+Return")
        self.addWidget(make_button_pair(self.export, self.keep))
        self.addWidget(make_button_pair(self.cancel, self.use))
        self.export.clicked.connect(state.save_picture)
        self.keep.clicked.connect(state.keep_take)
        self.cancel.clicked.connect(state.importing.cancel_preview)
        self.use.clicked.connect(state.importing.encode_preview)
        bind(self, state.importing.preview, self._show_preview)
        bind(self, state.render.picture, self._show_picture)
        bind(self, state.importing.busy, self._show_busy)
        bind(self, state.engine_status, self._show_busy)

    def run_main_action(self) -> None:
        """Run the main action of this moment."""
        if self._state.importing.preview.get() is not None:
            self._state.importing.encode_preview()
        else:
            self._state.keep_take()

    def _show_preview(self, photo: CropPreview | None) -> None:
        self.setCurrentIndex(1 if photo is not None else 0)

    def _show_picture(self, picture: Array | None) -> None:
        self.export.setEnabled(picture is not None)
        self.keep.setEnabled(picture is not None)

    def _show_busy(self, _: object) -> None:
        busy = self._state.importing.busy.get()
        self.use.setEnabled(not busy)
        self.use.set_text("Checking" if busy else "Use this")


class ExploreInspector(QStackedWidget):
    """Shows the sliders; during a crop, the crop controls."""

    def __init__(self, theme: Theme, state: ExploreState, stage: ExploreStage) -> None:
        super().__init__()
        self.parameters = ParametersSection(theme, state, stage.ask_file)
        self.import_section = ImportSection(theme, state.importing)
        self.addWidget(self.parameters)
        self.addWidget(self.import_section)
        bind(self, state.importing.preview, self._show_preview)

    def _show_preview(self, photo: CropPreview | None) -> None:
        self.setCurrentIndex(1 if photo is not None else 0)


def make_panel(theme: Theme, state: ExploreState, dialogs: FileDialogs) -> PanelView:
    """Build the panel Explore."""
    stage = ExploreStage(theme, state, dialogs)
    foot = ExploreFoot(theme, state)
    inspector = ExploreInspector(theme, state, stage)
    actions = (
        Action("Keep take", ("Ctrl+Return", "Ctrl+Enter"), foot.run_main_action),
        Action("Export…", ("Ctrl+E",), state.save_picture),
        Action("Copy the picture", ("Ctrl+C",), state.copy_picture),
        Action("Open in Complete", ("Ctrl+Shift+C",), state.open_in_complete),
        Action("Play or stop", (), lambda: state.synth.hold_note(not state.synth.held.get())),
        Action("Wavetable to a take…", (), lambda: inspector.parameters.wavetable.ask_destination()),
        Action("New start", ("R",), state.parameters.new_start, "stage"),
        Action("Lock seed", ("L",), lambda: state.parameters.lock_seed(not state.parameters.locked.get()), "stage"),
        Action("Alphabet", ("A",), state.toggle_alphabet, "stage"),
        Action("All home", ("H",), state.parameters.reset_sliders, "stage"),
    )
    return PanelView(
        stage=stage,
        inspector=inspector,
        foot=foot,
        model=state.model,
        choose_model=state.choose_model,
        undo_history=state.history,
        keep_take=state.keep_take,
        actions=actions,
        close_open=state.importing.cancel_preview,
        zoom=stage.page.view.zoom,
        show_smooth=stage.show_smooth,
        set_compact=stage.set_compact,
        remark=lambda trained: "" if has_sliders(trained) else NO_SLIDERS,
        selection=state.selection,
        show_take=state.choose_take,
    )
