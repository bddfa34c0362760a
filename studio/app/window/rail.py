"""Shows the rail: panels, help, settings, and the engine's state in a word."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QButtonGroup, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.panels.panel_view import PanelEntry
from studio.app.widgets.controls import set_tooltip
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.theme import Theme

WIDTH = 76
NARROW_WIDTH = 48
_DOTS = {"Ready": "accent", "Working": "accent", "Starting": "faint", "Stopped": "danger"}


class RailButton(QToolButton):
    """Shows an icon above a word; the word moves into the tooltip if the rail is narrow."""

    def __init__(
        self, theme: Theme, text: str, icon_name: str, tooltip: str, keys: str, show_name: bool = True
    ) -> None:
        super().__init__()
        self._theme = theme
        self._text = text
        self._icon_name = icon_name
        self._show_name = show_name
        self._narrow = False
        self.setCheckable(show_name)
        self.setAccessibleName(text)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        set_tooltip(self, tooltip, keys)

    def set_narrow(self, narrow: bool) -> None:
        self._narrow = narrow
        self.updateGeometry()
        self.update()

    @guarded(QSize(64, 58))
    def sizeHint(self) -> QSize:
        px = self._theme.scaled
        return QSize(px(40), px(58) if self._show_name and not self._narrow else px(40))

    @guarded(QSize(28, 28))
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        px = self._theme.scaled
        chosen = self.isChecked()
        words = self._show_name and not self._narrow
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if chosen or self.underMouse():
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour("tint" if chosen else "hover"))
                painter.drawRoundedRect(QRectF(self.rect()), px(8), px(8))
            side = px(20)
            drawing = icon_pixmap(
                self._icon_name, theme.colour("accent" if chosen else "soft"), side, self.devicePixelRatioF()
            )
            top = px(11) if words else (self.height() - side) // 2
            painter.drawPixmap((self.width() - side) // 2, top, drawing)
            if words:
                font = theme.font(12, 600 if chosen else 500)
                painter.setFont(font)
                painter.setPen(theme.colour("text" if chosen else "soft"))
                place = self.rect().adjusted(0, px(34), 0, -px(5))
                painter.drawText(place, Qt.AlignmentFlag.AlignCenter, self._text)


class EngineButton(QToolButton):
    """Shows the engine's state as a dot and a word. A press opens Doctor."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._status = "Starting"
        self._narrow = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.show_status("Starting")

    def show_status(self, status: str) -> None:
        self._status = status
        self.setAccessibleName(f"Engine, {status}")
        set_tooltip(self, f"Show what this computer has. The engine is {status.lower()}")
        self.update()

    def set_narrow(self, narrow: bool) -> None:
        self._narrow = narrow
        self.update()

    @guarded(QSize(64, 32))
    def sizeHint(self) -> QSize:
        return QSize(self._theme.scaled(40), self._theme.scaled(32))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        theme = self._theme
        px = self._theme.scaled
        font = theme.font(12)
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            if self.underMouse():
                painter.setBrush(theme.colour("hover"))
                painter.drawRoundedRect(QRectF(self.rect()), px(8), px(8))
            painter.setFont(font)
            words = 0 if self._narrow else painter.fontMetrics().horizontalAdvance(self._status) + px(6)
            left = (self.width() - words - px(8)) / 2
            painter.setBrush(theme.colour(_DOTS.get(self._status, "faint")))
            painter.drawEllipse(QRectF(left, (self.height() - px(8)) / 2, px(8), px(8)))
            if words:
                painter.setPen(theme.colour("danger" if self._status == "Stopped" else "soft"))
                place = QRectF(left + px(14), 0, self.width(), self.height())
                painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, self._status)


class Rail(QWidget):
    """Shows the rail. `panel_chosen` carries the key of a panel; `help`, `settings` and `status` open a page."""

    panel_chosen = Signal(str)

    def __init__(self, theme: Theme, panels: Sequence[PanelEntry]) -> None:
        """Create a button for each panel."""
        super().__init__()
        self._theme = theme
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Panels")
        self.buttons: dict[str, RailButton] = {}
        self._column = QVBoxLayout(self)
        group = QButtonGroup(self)
        for number, panel in enumerate(panels, 1):
            button = RailButton(theme, panel.title, panel.key, panel.tooltip, f"Ctrl+{number}")
            self.buttons[panel.key] = button
            button.clicked.connect(lambda checked=False, key=panel.key: self.panel_chosen.emit(key))
            group.addButton(button)
            self._column.addWidget(button)
        self.help = RailButton(theme, "Help", "help", "Show help for this panel", "F1", show_name=False)
        self.settings = RailButton(
            theme, "Settings", "settings", "Change the theme, the text size or the device", "Ctrl+,", show_name=False
        )
        self.engine_button = EngineButton(theme)
        self._column.addStretch(1)
        for button in (self.help, self.settings):
            self._column.addWidget(button)
        self._column.addWidget(self.engine_button)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def show_panel(self, key: str) -> None:
        if key in self.buttons:
            self.buttons[key].setChecked(True)
            self.update()

    def set_narrow(self, narrow: bool) -> None:
        for button in (*self.buttons.values(), self.help, self.settings):
            button.set_narrow(narrow)
        self.engine_button.set_narrow(narrow)
        self._lay_out()

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        """Mark the open panel at the edge, for users who don't see the tint."""
        theme = self._theme
        px = self._theme.scaled
        with QPainter(self) as painter:
            painter.fillRect(self.rect(), theme.colour("panel"))
            painter.fillRect(self.width() - 1, 0, 1, self.height(), theme.colour("line"))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent"))
            for button in self.buttons.values():
                if button.isChecked():
                    place = button.geometry().adjusted(0, px(12), 0, -px(12))
                    painter.drawRoundedRect(QRectF(0, place.y(), px(3), place.height()), 1.5, 1.5)

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._column.setContentsMargins(px(6), px(8), px(6), px(12))
        self._column.setSpacing(px(6))
        self.updateGeometry()
        self.update()
