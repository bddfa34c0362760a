"""Shows the parameters of Complete, the chosen completion, and the ranking."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from studio.app.core.text import format_bits, group_digits
from studio.app.files.export_view import ExportSection
from studio.app.files.import_view import ImportSection
from studio.app.generation.canvas_settings_view import CanvasSizeRow
from studio.app.generation.parameters import safe_temperatures
from studio.app.generation.parameters_view import ParametersForm
from studio.app.maps.overlay_view import MapOverlay
from studio.app.panels.complete import ranking as completions
from studio.app.panels.complete.brush import MAX_FACTOR
from studio.app.panels.complete.state import MAX_COMPLETIONS, CompleteState
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ChoiceField, Column, Label, make_row
from studio.app.widgets.picture import PictureView
from studio.app.widgets.theme import Theme
from studio.app.widgets.value_slider import ValueSlider


class CompleteSettings(Column):
    """Shows the parameters, the chosen completion and the ranking."""

    def __init__(self, theme: Theme, state: CompleteState) -> None:
        super().__init__(theme)
        self._state = state
        self.parameters = ParametersForm(
            theme, state.parameters, state.history, MAX_COMPLETIONS, "completions", self._build_temperature()
        )
        self.colours = Label("", "note", wrap=True)
        self.add_section("Completions", first=True)
        self.add_widgets(self.colours, self.parameters)
        self._build_grow()
        self._build_chosen()
        self._build_ranking()
        export = ExportSection(
            theme, state.exporter.settings, state.model, several=True, canvas_size=lambda: state.canvas.canvas_size
        )
        self.add_widgets(export)
        self.add_stretch()
        bind(self, state.canvas.picture, export.update_note)
        self._connect()

    def _build_temperature(self) -> tuple[QWidget, ...]:
        """Build the controls of the brush that paints temperature."""
        theme = self._theme
        help = "Paint calm and wild regions"
        self.paint = Button(theme, "Paint temperature", "", "temperature", tooltip=help, keys="P")
        self.paint.setCheckable(True)
        self.temperature_factor = ValueSlider(
            theme,
            "Brush",
            0.0,
            MAX_FACTOR,
            1.0,
            tooltip="Set the temperature factor. Below 1 is calmer, above 1 is wilder",
        )
        self.even = Button(theme, "Clear all", "link", tooltip="Draw at the same temperature everywhere")
        self._brush = QWidget()
        column = QVBoxLayout(self._brush)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.temperature_factor)
        column.addWidget(make_row(Label("calm", "note"), 0, self.even, 0, Label("wild", "note")))
        return self.paint, self._brush

    def _build_grow(self) -> None:
        """Build the controls that continue the picture to the right and downwards."""
        state = self._state
        canvas = state.parameters.canvas
        self.grow = Button(self._theme, "Grow", tooltip="Add room at the right and below, as a hole")
        self.size_row = CanvasSizeRow(self._theme, canvas)
        self._grow_part = Column(self._theme)
        self._grow_part.add_section("Grow the picture")
        self._grow_part.add_widgets(self.size_row, make_row(0, self.grow))
        self.add_widgets(self._grow_part)
        bind(self, canvas.available, self._grow_part.setVisible)
        bind(self, state.canvas.picture, lambda picture: self.grow.setEnabled(picture is not None))
        self.grow.clicked.connect(state.grow_picture)

    def _build_chosen(self) -> None:
        self._chosen = QWidget()
        column = QVBoxLayout(self._chosen)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.rank = Label("", "heading")
        self.price = Label("", "strong", wrap=True)
        self.part = Label("", "soft", wrap=True)
        self.seen = PictureView(self._theme, "The chosen completion")
        self.seen.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.overlay = MapOverlay(self.seen, self._state.surprisal, uncertainty=self._state.batch.uncertainty)
        for widget in (self.rank, self.price, self.part, make_row(self.seen, 0)):
            column.addWidget(widget)
        self.add_section()
        self.add_widgets(self._chosen)

    def _build_ranking(self) -> None:
        self.ranked = ChoiceField(self._theme, "Ranked by", 'Choose what "typical" is measured on')
        self.ranked.addItem("The whole picture", "whole")
        self.ranked.addItem("What follows the hole", "following")
        self.counts = Label("", "note", wrap=True)
        self.every = Button(self._theme, "Show all", "link", tooltip="Show the completions that fit less well, too")
        self.add_section("Ranked by")
        self.add_widgets(self.ranked, self.counts, make_row(self.every, 0))

    def _connect(self) -> None:
        state = self._state
        painting = self._state.canvas.brush
        results = self._state.ranking
        bind(self, state.canvas.colour_note, self._show_colour_note)
        bind(self, painting.tool, self._show_tool, self.paint.toggled, self._choose_brush)
        bind(
            self,
            painting.temperature_factor,
            self.temperature_factor.show_value,
            self.temperature_factor.moved,
            painting.set_temperature_factor,
        )
        bind(self, state.parameters.model, self._show_safe)
        bind(self, state.parameters.temperature, self._show_safe)
        bind(self, painting.temperature_map, lambda heat: self.even.setEnabled(bool((heat != 100).any())))
        bind(self, state.canvas.kept_after_hole, self._show_ranking, self.ranked.activated, self._choose_ranking)
        bind(self, results.rank_by, self._show_ranking)
        bind(self, results.places, self._show_ranking)
        bind(self, results.left_out, self._show_ranking)
        bind(self, state.parameters.number, self._show_ranking)
        bind(self, state.chosen, self._show_chosen)
        bind(self, results.places, self._show_chosen)
        self.temperature_factor.home_requested.connect(lambda: painting.set_temperature_factor(1.0))
        self.even.clicked.connect(painting.clear_temperature_map)
        self.every.clicked.connect(lambda: results.set_show_all(not results.show_all.get()))

    def _show_colour_note(self, note: str) -> None:
        self.colours.setText(f"{note}. Your file is untouched." if note else "")
        self.colours.setVisible(bool(note))

    def _choose_brush(self, on: bool) -> None:
        self._state.canvas.brush.choose_tool("temperature" if on else "brush")

    def _show_tool(self, tool: str) -> None:
        self.paint.setChecked(tool == "temperature")
        self._brush.setVisible(tool == "temperature")

    def _show_safe(self, _: object) -> None:
        """Mark the brush from the value at which the temperature leaves the safe range."""
        trained = self._state.parameters.model.get()
        temperature = self._state.parameters.temperature.get()
        least, most = safe_temperatures(trained.card if trained is not None else None)
        self.temperature_factor.show_safe((least / temperature, most / temperature) if temperature else None)

    def _choose_ranking(self, place: int) -> None:
        self._state.rank_by(self.ranked.itemData(place))

    def _show_ranking(self, _: object) -> None:
        state = self._state
        results = self._state.ranking
        ranking = results.rank_by.get()
        follows = state.canvas.kept_after_hole.get() or results.has_bits_after_hole
        self.ranked.setCurrentIndex(self.ranked.findData(ranking))
        self.ranked.setEnabled(follows or ranking == "following")
        made = len(results.ranked_cells())
        left = results.left_out.get()
        words = completions.counts_text(made, left, ranking, results.show_all.get())
        if ranking == "following" and not follows and not made:
            words = "No kept pixel follows the hole. Completions are ranked by the whole picture."
        elif ranking == "following" and state.parameters.number.get() <= completions.MAX_SHOWN and not made:
            words = f"Make 64 or more. The {completions.MAX_SHOWN} that fit best are shown."
        hole = bool(state.canvas.brush.mask.get().any())
        self.counts.setText(words or ("" if follows or not hole else "No kept pixel follows the hole."))
        self.counts.setVisible(bool(self.counts.text()))
        some = left > 0 or (results.show_all.get() and made > completions.MAX_SHOWN and ranking == "following")
        self.every.set_text("Show the best" if results.show_all.get() else "Show all")
        self.every.setVisible(some)

    def _show_chosen(self, _: object) -> None:
        cell = self._state.current_completion()
        results = self._state.ranking
        if cell is None or cell.picture is None:
            self.rank.setText("The chosen one")
            self.price.setText("")
            self.part.setText("Choose a completion to see its bits.")
            self.price.hide()
            self.seen.hide()
            return
        ranked = results.ranked_cells()
        self.rank.setText(f"Number {ranked.index(self._state.chosen.get()[-1]) + 1} of {len(ranked)}")
        price = format_bits(cell.log_prob) if cell.log_prob is not None else ""
        self.price.setText(f"{price} for the whole picture, exact")
        after = (
            f"{format_bits(cell.following_log_prob)} of them for what follows the hole. "
            if cell.following_log_prob
            else ""
        )
        share = self._state.chosen_percentile()
        typical = f"More typical than {share:.0f} of 100 held-out pictures. " if share is not None else ""
        words = f"{typical}{after}Seed {group_digits(cell.seed)}"
        run = self._state.batch.run
        note = run.sharpening.density_note if run is not None else ""
        self.part.setText(f"{words}. {note}" if note else words)
        self.seen.setFixedSize(self._theme.scaled(128), self._theme.scaled(128))  # first, so that all below moves once
        self.price.show()
        self.seen.show()
        self.overlay.show_picture(cell.picture)


class CompleteInspector(QStackedWidget):
    """Shows the settings; while a picture is cropped, the crop controls."""

    def __init__(self, theme: Theme, state: CompleteState) -> None:
        super().__init__()
        self.settings = CompleteSettings(theme, state)
        self.import_section = ImportSection(theme, state.canvas.importing)
        self.addWidget(self.settings)
        self.addWidget(self.import_section)
        bind(self, state.canvas.importing.preview, lambda photo: self.setCurrentIndex(0 if photo is None else 1))
