"""Shows how files are prepared and varied, with every option, and whether sub-folders are classes."""

from collections.abc import Callable, Iterable, Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QWidget

from studio.app.core.colours import parse_colour, to_hex
from studio.app.panels.train import preparation_wording as wording
from studio.app.panels.train.form_view import make_form
from studio.app.panels.train.preparation import (
    CLIP_SECONDS,
    COLOUR_VARIATION,
    GROUNDS,
    PEAKS,
    RATES,
    VARIATIONS,
    Variation,
)
from studio.app.panels.train.settings import CYCLE_SAMPLES, PALETTE_SIZES, SIZES, USUAL_PALETTE_SIZE
from studio.app.panels.train.state import TrainState
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    Label,
    SegmentedControl,
    make_row,
    set_style,
    set_tooltip,
)
from studio.app.widgets.theme import Theme


class ColourField(QWidget):
    """Edits a colour: swatches of the usual ones, and the figure of any other."""

    chosen = Signal(object)

    def __init__(self, theme: Theme, name: str, tooltip: str) -> None:
        super().__init__()
        self._theme = theme
        self.swatches: dict[str, Button] = {}
        self.typed = QLineEdit()
        self.typed.setAccessibleName(f"{name}, figure")
        self.typed.setMaxLength(7)
        set_tooltip(self.typed, "Set a colour such as #5FD3BC")
        self._shown: Sequence[int] = GROUNDS[0][1]
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        for title, colour in GROUNDS:
            swatch = Button(theme, "", "square", "", f"{name}: {title}", tooltip)
            swatch.setCheckable(True)
            swatch.clicked.connect(lambda _=False, colour=colour: self._choose(colour))
            self.swatches[title] = swatch
            line.addWidget(swatch)
        line.addWidget(self.typed, 1)
        self.setFocusProxy(self.swatches["White"])
        self.typed.editingFinished.connect(self._read_typed)
        theme.changed.connect(self._paint)
        self._paint()

    def show_colour(self, colour: Sequence[int]) -> None:
        self._shown = colour
        for title, known in GROUNDS:
            self.swatches[title].setChecked(known == tuple(colour))
        if not (self.typed.hasFocus() and self.typed.isModified()):
            self.typed.setText(to_hex(colour))
            set_style(self.typed, wrong=False)

    def _choose(self, colour: Sequence[int]) -> None:
        self.show_colour(self._shown)  # the state decides which swatch is down
        self.chosen.emit(colour)

    def _read_typed(self) -> None:
        colour = parse_colour(self.typed.text(), 3)
        set_style(self.typed, wrong=colour is None)
        if colour is not None and self.typed.isModified():
            self.typed.setModified(False)
            self.chosen.emit(colour)

    def _paint(self) -> None:
        side = self._theme.scaled(18)
        for title, colour in GROUNDS:
            pixmap = QPixmap(side, side)
            pixmap.fill(self._theme.colour("border"))
            with QPainter(pixmap) as painter:
                painter.fillRect(1, 1, side - 2, side - 2, QColor(*colour))
            self.swatches[title].setIcon(QIcon(pixmap))
            self.swatches[title].setIconSize(QSize(side, side))


def make_choice(
    theme: Theme, name: str, tooltip: str, choices: Iterable[tuple[float, str]], choose: Callable[[float], object]
) -> ChoiceField:
    """Return a list of values, each with its text. A choice of the user calls `choose`."""
    field = ChoiceField(theme, name, tooltip)
    field.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    field.setMinimumContentsLength(6)
    for value, text in choices:
        field.addItem(text, value)
    field.activated.connect(lambda place: choose(field.itemData(place)))
    return field


def show_choice(field: ChoiceField, value: float) -> None:
    """Show a value in a list of `make_choice`."""
    field.setCurrentIndex(field.findData(value))


class PreparationSection(Column):
    """Shows the options in a sentence, and unfolds into a form."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 6)
        self._state = state
        self.preview = Button(theme, "Preview", "link", tooltip="See how files will be cut and scaled")
        self.summary = Label("", "soft", wrap=True)
        self.varied = Label("", "note", wrap=True)
        self.classes = SegmentedControl(
            theme,
            "Sub-folders",
            (("mixed", "Mixed"), ("classes", "Classes")),
            tooltip="Use sub-folders as classes, which the model can be asked for",
            tight=True,
        )
        self.classes_note = Label("", "note", wrap=True)
        self.class_part = Column(theme, 6)
        self.class_part.rows.addLayout(make_form(theme, [("Sub-folders", self.classes)]))
        self.class_part.add_widgets(self.classes_note)
        self.fold = Button(
            theme, "How files are prepared", "fold", "right", tooltip="Show every option, and how files are varied"
        )
        self.form = Column(theme, 10)
        self.form.hide()
        self.strengths: dict[str, ChoiceField | SegmentedControl] = {}
        self._make_picture_fields(theme)
        self._make_sound_fields(theme)
        self.add_section()
        self.add_widgets(make_row(Label("Prepared as", "heading"), 0, self.preview), self.summary, self.varied)
        self.add_widgets(self.class_part, self.fold, self.form)
        self._build_form(theme)
        self._connect()

    # ── building ─────────────────────────────────────────────────────────────────────────────────

    def _make_picture_fields(self, theme: Theme) -> None:
        settings, preparation = self._state.settings, self._state.preparation
        self.fitting = SegmentedControl(
            theme, "Cut", (("crop", "Crop"), ("fit", "Fit"), ("pad", "Pad")), tight=True,
            tooltip="Cut the middle out, squeeze the whole in, or add margins",
        )  # fmt: skip
        sizes = ((side, f"{side} × {side}") for side in SIZES)
        self.picture_size = make_choice(
            theme, "Size", "Choose the size in which pictures are learned", sizes,
            lambda side: settings.choose_size(int(side)),
        )  # fmt: skip
        self.colours = SegmentedControl(
            theme, "Colours", (("colour", "Colour"), ("grey", "Grey"), ("palette", "Palette")), tight=True,
            tooltip="Choose colour, grey, or a few indexed colours",
        )  # fmt: skip
        palettes = ((size, f"{size} colours") for size in PALETTE_SIZES)
        self.palette_size = make_choice(
            theme, "Palette", "Choose how many colours are found in your pictures", palettes,
            lambda size: settings.choose_palette(int(size)),
        )  # fmt: skip
        self.ground = ColourField(theme, "Background", "Choose the colour behind transparent pictures and of margins")
        self.fitting.chosen.connect(preparation.choose_fitting)
        self.colours.chosen.connect(self._choose_colours)
        self.ground.chosen.connect(preparation.choose_ground)

    def _make_sound_fields(self, theme: Theme) -> None:
        preparation = self._state.preparation
        self.sound_form = SegmentedControl(
            theme, "Sounds", (("recordings", "Recordings"), ("cycles", "Cycles")), tight=True,
            tooltip="Choose whole recordings, or one cycle of a wave in each file",
        )  # fmt: skip
        rates = ((rate, wording.rate_text(rate)) for rate in RATES)
        self.rate = make_choice(
            theme, "Rate", "Choose the rate at which sounds are learned", rates,
            lambda rate: preparation.choose_rate(int(rate)),
        )  # fmt: skip
        self.silence = SegmentedControl(
            theme, "Silence", (("keep", "Keep"), ("trim", "Trim")), tight=True,
            tooltip="Keep or cut off the silence at both ends of a sound",
        )  # fmt: skip
        lengths = ((s, f"First {wording.seconds_text(s)}" if s else "Whole") for s in CLIP_SECONDS)
        self.clip = make_choice(
            theme, "Length", "Choose how much of each sound is learned", lengths, preparation.choose_clip_seconds
        )
        peaks = ((peak, f"Peak at {peak:.0%}" if peak else "As recorded") for peak in PEAKS)
        self.peak = make_choice(
            theme, "Loudness", "Keep sounds as loud as they are, or give all one peak", peaks, preparation.choose_peak
        )
        self.sound_form.chosen.connect(lambda choice: preparation.set_cycles(choice == "cycles"))
        self.silence.chosen.connect(lambda choice: preparation.set_trims_silence(choice == "trim"))

    def _build_form(self, theme: Theme) -> None:
        """Place the fields: those of each medium, then how it is varied."""
        pictures: list[tuple[str, QWidget]] = [
            ("Cut", self.fitting), ("Size", self.picture_size), ("Colours", self.colours),
        ]  # fmt: skip
        palettes: list[tuple[str, QWidget]] = [("Palette", self.palette_size)]
        grounds: list[tuple[str, QWidget]] = [("Background", self.ground)]
        recordings: list[tuple[str, QWidget]] = [
            ("Rate", self.rate), ("Silence", self.silence), ("Length", self.clip), ("Loudness", self.peak),
        ]  # fmt: skip
        sounds: list[tuple[str, QWidget]] = [("Sounds", self.sound_form)]
        self.parts: dict[str, QWidget] = {}
        forms = (
            ("sounds", sounds), ("pictures", pictures), ("palette", palettes), ("ground", grounds),
            ("recordings", recordings),
        )  # fmt: skip
        for name, rows in forms:
            part = Column(theme, 10)
            part.rows.addLayout(make_form(theme, rows))
            self.parts[name] = part
        self.form.add_widgets(*self.parts.values())
        self.form.add_widgets(Label("Varied at random", "heading"))
        self._variation_parts = {}
        for variation in VARIATIONS:
            field = self._make_strength(theme, variation)
            part = Column(theme, 10)
            part.rows.addLayout(make_form(theme, [(variation.title, field)]))
            self.strengths[variation.key] = field
            self._variation_parts[variation.key] = part
            self.form.add_widgets(part)

    def _make_strength(self, theme: Theme, variation: Variation) -> ChoiceField | SegmentedControl:
        key, preparation = variation.key, self._state.preparation
        if len(variation.strengths) > 2:
            return make_choice(
                theme, variation.title, variation.tooltip, variation.strengths,
                lambda strength: preparation.choose_strength(key, strength),
            )  # fmt: skip
        switch = SegmentedControl(
            theme, variation.title, (("off", "Off"), ("on", "On")), tooltip=variation.tooltip, tight=True
        )
        switch.chosen.connect(lambda choice: preparation.choose_strength(key, float(choice == "on")))
        return switch

    def _connect(self) -> None:
        state = self._state
        settings, preparation = state.settings, state.preparation
        self.preview.clicked.connect(self._toggle_preview)
        self.fold.clicked.connect(lambda: self.set_folded(not self.form.isHidden()))
        bind(self, preparation.fitting, self.fitting.show_choice)
        bind(self, settings.size, lambda size: show_choice(self.picture_size, size))
        bind(self, settings.grey, self._show_colours)
        bind(self, settings.palette_size, self._show_colours)
        bind(self, preparation.ground, self.ground.show_colour)
        bind(self, preparation.are_cycles, lambda on: self.sound_form.show_choice("cycles" if on else "recordings"))
        bind(self, preparation.rate, lambda rate: show_choice(self.rate, rate))
        bind(self, preparation.trims_silence, lambda on: self.silence.show_choice("trim" if on else "keep"))
        bind(self, preparation.clip_seconds, lambda seconds: show_choice(self.clip, seconds))
        bind(self, preparation.peak, lambda peak: show_choice(self.peak, peak))
        bind(self, preparation.strengths, self._show_strengths)
        bind(
            self, preparation.has_classes, lambda on: self.classes.show_choice("classes" if on else "mixed"),
            self.classes.chosen, lambda choice: settings.choose_classes(choice == "classes"),
        )  # fmt: skip
        values = (
            preparation.fitting, preparation.rate, preparation.trims_silence, preparation.clip_seconds,
            preparation.peak, preparation.strengths, preparation.has_classes, settings.size, settings.grey,
            settings.palette_size,
            settings.start_model, state.folder.report, state.folder.excluded,
        )  # fmt: skip
        bind_all(self, values, self._show)
        bind_all(self, (state.preview.shown, settings.prepared), self._show_preview)

    def _choose_colours(self, choice: str) -> None:
        settings = self._state.settings
        if choice == "palette":
            settings.choose_palette(USUAL_PALETTE_SIZE)
        else:
            settings.choose_grey(choice == "grey")

    # ── showing ──────────────────────────────────────────────────────────────────────────────────

    def _show_colours(self, _: object) -> None:
        settings = self._state.settings
        size = settings.palette_size.get()
        if size:
            self.colours.show_choice("palette")
            show_choice(self.palette_size, size)
        else:
            self.colours.show_choice("grey" if settings.grey.get() else "colour")

    def set_folded(self, folded: bool) -> None:
        self.form.setVisible(not folded)
        self.fold.set_icon("right" if folded else "down")

    def reveal_widget(self, part: QWidget) -> None:
        """Unfold if the user searches for an option."""
        if self.form.isAncestorOf(part):
            self.set_folded(False)

    def _toggle_preview(self) -> None:
        self._state.preview.toggle()
        if self._state.preview.shown.get():
            self.set_folded(False)

    def _show_preview(self, _: object) -> None:
        shown = self._state.preview.shown.get()
        self.preview.set_text("Close preview" if shown else "Preview")
        self.preview.set_tooltip(
            "Show the files of the folder again" if shown else "See how files will be cut and scaled"
        )
        self.preview.setEnabled(shown or self._state.settings.prepared.get() is not None)

    def _show_strengths(self, strengths: dict[str, float]) -> None:
        for key, field in self.strengths.items():
            strength = strengths.get(key, 0)
            if isinstance(field, SegmentedControl):
                field.show_choice("on" if strength else "off")
            else:
                show_choice(field, strength)

    def _show(self, _: object) -> None:
        """Show what concerns the medium of the folder, in words and as fields."""
        state = self._state
        settings, preparation = state.settings, state.preparation
        medium = settings.medium
        shape, rate = settings.trained_shape()
        if medium == "recordings":
            self.summary.setText(wording.recording_text(preparation, rate))
        elif medium == "cycles":
            self.summary.setText(f"One cycle of {CYCLE_SAMPLES} samples")
        elif len(shape) == 3:
            colours = wording.colours_text(shape[0] == 1, settings.trained_palette_size)
            self.summary.setText(wording.picture_text(preparation, (shape[2], shape[1]), colours))
        self.varied.setText(wording.variation_text(settings.variations(), preparation.strengths.get()))
        self.parts["pictures"].setVisible(medium == "pictures")
        self.parts["palette"].setVisible(medium == "pictures" and settings.trained_palette_size > 0)
        self.parts["ground"].setVisible(medium == "pictures")
        self.parts["recordings"].setVisible(medium == "recordings")
        self.parts["sounds"].setVisible(medium in ("recordings", "cycles"))
        for variation in VARIATIONS:
            is_fixed = variation.key == COLOUR_VARIATION and settings.trained_palette_size > 0
            self._variation_parts[variation.key].setVisible(medium in variation.media and not is_fixed)
        is_free = settings.start_model.get() is None
        for field in (self.picture_size, self.colours, self.palette_size, self.rate, self.sound_form):
            field.setEnabled(is_free)
        report = state.folder.report.get()
        has_classes = preparation.has_classes.get()
        self.class_part.setVisible(has_classes or (report is not None and report.sub_folders > 1))
        self.classes_note.setText(wording.classes_text(state.folder, has_classes))
