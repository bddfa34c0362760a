"""The bar of a panel: its model, how pictures are shown, undo and redo."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.app.app_state import Window
from studio.app.core.guard import guarded
from studio.app.maps.legend_view import ColourLegend
from studio.app.model_browser.picker_view import ModelPicker
from studio.app.panels.panel_view import Panel
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, ElidedLabel, SegmentedControl, set_style
from studio.app.widgets.theme import Theme

DOUBT = "Show in exact bits how undecided the model was about each pixel just before it drew it, row by row"


class Bar(QWidget):
    """One for each panel."""

    def __init__(self, look: Theme, state: Window, panel: Panel, add_model: Callable[[], object]) -> None:
        super().__init__()
        self._look, self._state = look, state
        self._panel, self._narrow = panel, False
        self._pictures = True
        """Whether the panel shows pictures: those of its model, or of one that is still to come."""
        self._row_by_row = False
        """Whether the model draws pixel by pixel, in a panel that shows it."""
        self.setProperty("ground", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.picker = ModelPicker(look, state.models, add_model, panel.offers, panel.remark)
        self.facts = ElidedLabel("", "note", Qt.TextElideMode.ElideRight)
        self.pixels = SegmentedControl(
            look,
            "Pixels",
            (("crisp", "Crisp"), ("smooth", "Smooth")),
            tooltip="Show pixels as squares or blended",
            keys="X",
        )
        self.legend = ColourLegend(look)
        self.surprise = Button(
            look, "Surprise", "toggle", tooltip="Show how unexpected each pixel is to this model", keys="U"
        )
        self.surprise.setCheckable(True)
        self.doubt_legend = ColourLegend(look, "Doubt")
        self.doubt = Button(look, "Doubt", "toggle", tooltip=DOUBT, keys="V")
        self.doubt.setCheckable(True)
        self.undo = Button(look, "", "icon", "undo", "Undo")
        self.redo = Button(look, "", "icon", "redo", "Redo")
        self.side = Button(look, "", "icon", "inspector", "Inspector", "Show or hide the inspector", "Ctrl+I")
        self._line = QHBoxLayout(self)
        self._line.addWidget(self.picker)
        self._line.addWidget(self.facts, 1)
        self._line.addStretch(0)
        overlays = (self.legend, self.doubt_legend, self.surprise, self.doubt)
        others = (*overlays, self.pixels, self.undo, self.redo, self.side)
        for widget in others:
            self._line.addWidget(widget)
        self._in_line: tuple[QWidget, ...] = (self.picker, *others)
        history = panel.history
        self.undo.clicked.connect(history.undo)
        self.redo.clicked.connect(history.redo)
        bind(self, panel.model, self._show_model, self.picker.model_chosen, panel.choose_model)
        self.legend.bind_state(state.surprise)
        if panel.cells is not None:
            self.doubt_legend.bind_state(panel.cells.uncertainty)
            bind(self, panel.cells.uncertainty.on, self._show_doubt, self.doubt.toggled, panel.cells.show_uncertainty)
        bind(self, state.surprise.on, self._show_surprise, self.surprise.toggled, state.surprise.set_on)
        bind(self, state.smooth, self._show_smooth, self.pixels.chosen, self._choose_pixels)
        bind(self, history.can_undo, self.undo.setEnabled)
        bind(self, history.can_redo, self.redo.setEnabled)
        bind(self, history.undo_name, lambda name: self.undo.set_tooltip(f"Undo {name}".strip(), "Ctrl+Z"))
        bind(self, history.redo_name, lambda name: self.redo.set_tooltip(f"Redo {name}".strip(), "Ctrl+Shift+Z"))
        look.changed.connect(self._lay_out)
        self._lay_out()

    def show_side(self, shown: bool) -> None:
        """The button that opens the inspector; visible if the inspector is closed or a drawer."""
        self.side.setVisible(shown)

    def set_narrow(self, narrow: bool) -> None:
        """Without the facts, where there is no room for them."""
        self._narrow = narrow
        self.facts.setVisible(not narrow)
        for legend in (self.legend, self.doubt_legend):
            legend.set_narrow(narrow)
        self._line.setStretch(2, 1 if narrow else 0)
        self._fit()

    def _show_model(self, trained: Any) -> None:
        self.picker.show_model(trained)
        self._pictures = trained.card.kind == "picture" if trained is not None else self._panel.key != "sound"
        shows = self._pictures and self._panel.cells is not None
        self._row_by_row = shows and trained is not None and trained.card.keeps
        self._fit()
        card = trained.card if trained is not None else None
        self.facts.show_text(f"{card.family_title} · {card.size} · {card.figure}" if card is not None else "")

    def _show_surprise(self, on: bool) -> None:
        self.surprise.setChecked(on)
        self._fit()

    def _show_doubt(self, on: bool) -> None:
        self.doubt.setChecked(on)
        self._fit()

    def _fit(self) -> None:
        """What the model has, as far as there is room for it."""
        crowded = self._narrow and self._look.scale > 1.2
        self.picker.set_narrow(crowded)
        for widget in (self.pixels, self.surprise, self.doubt):
            set_style(widget, tight=self._narrow and (crowded or self._row_by_row))
        self.pixels.setVisible(self._pictures and not (crowded and self._row_by_row))  # a wave has none
        self.surprise.setVisible(self._pictures)
        self.doubt.setVisible(self._row_by_row)
        self.legend.setVisible(self.surprise.isChecked() and self._pictures and not crowded)
        self.doubt_legend.setVisible(self.doubt.isChecked() and self._row_by_row and not crowded)
        for part in (self.doubt_legend, self.legend, self.pixels):
            part.setVisible(not part.isHidden() and self._needed() <= self.width())

    def _needed(self) -> int:
        """Return the width in pixels of everything that is shown except the facts, which may be cut."""
        shown = [each for each in self._in_line if not each.isHidden()]
        margins = self._line.contentsMargins()
        gaps = self._line.spacing() * (len(shown) + 1)
        return margins.left() + margins.right() + gaps + sum(each.sizeHint().width() for each in shown)

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit()

    def _show_smooth(self, smooth: bool) -> None:
        self.pixels.show_choice("smooth" if smooth else "crisp")

    def _choose_pixels(self, key: str) -> None:
        self._state.smoothing.choose_smooth(key == "smooth")

    def _lay_out(self) -> None:
        px = self._look.scaled
        self._line.setContentsMargins(px(8), 0, px(16), 0)
        self._line.setSpacing(px(8))
