"""Shows the bar of a panel: its model, how pictures are shown, undo and redo."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.app_state import AppState
from studio.app.core.guard import guarded
from studio.app.maps.legend_view import ColourLegend
from studio.app.model_browser.picker_view import ModelPicker
from studio.app.panels.panel_view import PanelEntry, PanelView
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ElidedLabel, SegmentedControl, set_style
from studio.app.widgets.theme import Theme
from studio.library.models import InstalledModel

UNCERTAINTY_HELP = "Show how uncertain the model was about each pixel, in exact bits"


class TopBar(QWidget):
    """Shows the bar of one panel."""

    def __init__(
        self, theme: Theme, state: AppState, entry: PanelEntry, panel: PanelView, add_model: Callable[[], object]
    ) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._entry = entry
        self._panel = panel
        self._narrow = False
        self._pictures = True
        """Whether the panel shows pictures, or will once a model is there."""
        self._row_by_row = False
        """Whether the model draws pixel by pixel, in a panel that shows it."""
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.picker = ModelPicker(theme, state.models, add_model, entry.model_filter, panel.remark)
        self.facts = ElidedLabel("", "note", Qt.TextElideMode.ElideRight)
        self.surprisal_legend = ColourLegend(theme)
        self.uncertainty_legend = ColourLegend(theme, "Uncertainty")
        self.surprisal = self._make_toggle("Surprise", "Show how unexpected each pixel is to this model", "U")
        self.uncertainty = self._make_toggle("Uncertainty", UNCERTAINTY_HELP, "V")
        self.smooth_field = SegmentedControl(
            theme,
            "Pixels",
            (("crisp", "Crisp"), ("smooth", "Smooth")),
            tooltip="Show pixels as squares or blended",
            keys="X",
        )
        self.undo = Button(theme, "", "icon", "undo", "Undo")
        self.redo = Button(theme, "", "icon", "redo", "Redo")
        self.inspector_button = Button(
            theme, "", "icon", "inspector", "Inspector", "Show or hide the inspector", "Ctrl+I"
        )
        self._fill_line()
        self._bind_model()
        self._bind_maps()
        self._bind_history()
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _make_toggle(self, text: str, tooltip: str, keys: str) -> Button:
        button = Button(self._theme, text, "toggle", tooltip=tooltip, keys=keys)
        button.setCheckable(True)
        return button

    def _fill_line(self) -> None:
        self._line = QHBoxLayout(self)
        if self._panel.bar is not None:
            self._line.addWidget(self._panel.bar, 1)
        self._line.addWidget(self.picker)
        self._line.addWidget(self.facts, 1)
        self._line.addStretch(0)
        maps = (self.surprisal_legend, self.uncertainty_legend, self.surprisal, self.uncertainty)
        others = (*maps, self.smooth_field, self.undo, self.redo, self.inspector_button)
        for widget in others:
            self._line.addWidget(widget)
        self._in_line: tuple[QWidget, ...] = (self.picker, *others)

    def _bind_model(self) -> None:
        smoothing = self._state.smoothing
        bind(self, self._panel.model, self._show_model, self.picker.model_chosen, self._panel.choose_model)
        bind(self, smoothing.smooth, self._show_smooth, self.smooth_field.chosen, self._choose_smooth)

    def _bind_maps(self) -> None:
        surprisal = self._state.surprisal
        self.surprisal_legend.bind_state(surprisal)
        bind(self, surprisal.on, self._show_surprisal, self.surprisal.toggled, surprisal.set_on)
        batch = self._panel.batch
        if batch is not None:
            shown = batch.uncertainty.on
            self.uncertainty_legend.bind_state(batch.uncertainty)
            bind(self, shown, self._show_uncertainty, self.uncertainty.toggled, batch.show_uncertainty)

    def _bind_history(self) -> None:
        history = self._panel.undo_history
        self.undo.clicked.connect(history.undo)
        self.redo.clicked.connect(history.redo)
        bind(self, history.can_undo, self.undo.setEnabled)
        bind(self, history.can_redo, self.redo.setEnabled)
        bind(self, history.undo_name, lambda name: self.undo.set_tooltip(f"Undo {name}".strip(), "Ctrl+Z"))
        bind(self, history.redo_name, lambda name: self.redo.set_tooltip(f"Redo {name}".strip(), "Ctrl+Shift+Z"))

    def show_inspector_button(self, shown: bool) -> None:
        """The button that opens the inspector; visible if the inspector is closed or a drawer."""
        self.inspector_button.setVisible(shown)

    def set_narrow(self, narrow: bool) -> None:
        """Hide the facts if there is no room for them."""
        self._narrow = narrow
        self.facts.setVisible(not narrow)
        for legend in (self.surprisal_legend, self.uncertainty_legend):
            legend.set_narrow(narrow)
        self._line.setStretch(self._line.count() - len(self._in_line), 1 if narrow else 0)
        self._update_facts()

    def _show_model(self, trained: InstalledModel | None) -> None:
        self.picker.show_model(trained)
        self._pictures = trained.card.medium == "picture" if trained is not None else self._entry.key != "sound"
        shows = self._pictures and self._panel.batch is not None
        self._row_by_row = shows and trained is not None and trained.card.draws_by_rows
        self._update_facts()
        card = trained.card if trained is not None else None
        self.facts.show_text(
            f"{card.family_title} · {card.size_text} · {card.short_held_out_text}" if card is not None else ""
        )

    def _show_surprisal(self, on: bool) -> None:
        self.surprisal.setChecked(on)
        self._update_facts()

    def _show_uncertainty(self, on: bool) -> None:
        self.uncertainty.setChecked(on)
        self._update_facts()

    def _update_facts(self) -> None:
        """Show as much of the model's facts as fits."""
        crowded = self._narrow and self._theme.scale > 1.2
        self.picker.set_narrow(crowded)
        for widget in (self.smooth_field, self.surprisal, self.uncertainty):
            set_style(widget, tight=self._narrow and (crowded or self._row_by_row))
        self.smooth_field.setVisible(self._pictures and not (crowded and self._row_by_row))  # a wave has none
        self.surprisal.setVisible(self._pictures)
        self.uncertainty.setVisible(self._row_by_row)
        self.surprisal_legend.setVisible(self.surprisal.isChecked() and self._pictures and not crowded)
        self.uncertainty_legend.setVisible(self.uncertainty.isChecked() and self._row_by_row and not crowded)
        if self._panel.bar is not None:
            for part in (self.picker, self.facts, *self._in_line):
                part.setVisible(part is self.inspector_button and part.isVisibleTo(self))
        self.undo.setVisible(True)
        self.redo.setVisible(True)
        # Undo and redo also have keys, so they give way last.
        for part in (self.uncertainty_legend, self.surprisal_legend, self.smooth_field, self.redo, self.undo):
            part.setVisible(not part.isHidden() and self._needed_width() <= self.width())

    def _needed_width(self) -> int:
        """Return the width in pixels of everything that is shown except the facts, which may be cut."""
        shown = [each for each in self._in_line if not each.isHidden()]
        margins = self._line.contentsMargins()
        gaps = self._line.spacing() * (len(shown) + 1)
        return margins.left() + margins.right() + gaps + sum(each.sizeHint().width() for each in shown)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._update_facts()

    def _show_smooth(self, smooth: bool) -> None:
        self.smooth_field.show_choice("smooth" if smooth else "crisp")

    def _choose_smooth(self, key: str) -> None:
        self._state.smoothing.choose_smooth(key == "smooth")

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._line.setContentsMargins(px(8), 0, px(16), 0)
        self._line.setSpacing(px(8))
