"""Shows the model picker of the top bar, and the list that it opens."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QIcon, QKeyEvent, QPaintEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.model_browser.cards_view import CardList
from studio.app.model_browser.model_list import ModelList
from studio.app.model_browser.model_rows import ModelFilter, ModelRemark, makes_no_recordings, no_remark
from studio.app.widgets.controls import Button, Label, announce, paint_arrow
from studio.app.widgets.styling import when_visible
from studio.app.widgets.theme import Theme
from studio.app.widgets.thumbnail import picture_thumbnail
from studio.library.models import InstalledModel


class ModelPicker(Button):
    """Shows the panel's model. A click opens the list."""

    model_chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        models: ModelList,
        add: Callable[[], object],
        offers: ModelFilter = makes_no_recordings,
        remark: ModelRemark = no_remark,
    ) -> None:
        super().__init__(
            theme, "", "picker", accessible_name="Model", tooltip="Choose the trained model to work with", keys="Ctrl+L"
        )
        self._models = models
        self._theme = theme
        self._add = add
        self._filter = offers
        self._remark = remark
        self._trained: InstalledModel | None = None
        self._narrow = False
        self._popup: ModelPopup | None = None
        self.clicked.connect(self.open_list)
        when_visible(theme, self, self._update_text)

    def set_narrow(self, narrow: bool) -> None:
        """Hide the cover if the top bar is narrow."""
        if narrow != self._narrow:
            self._narrow = narrow
            self._update_text()

    def show_model(self, trained: InstalledModel | None) -> None:
        self._trained = trained
        self._update_text()

    def open_list(self) -> None:
        """Open the list of models below the picker."""
        popup = self._popup = ModelPopup(self._theme, self._models, self._filter, self._remark, self.window())
        popup.cards.show_model(self._trained)
        popup.cards.model_chosen.connect(self.model_chosen)
        popup.add.clicked.connect(self._add)
        popup.open_at(self.mapToGlobal(QPoint(0, self.height() + 4)))

    @guarded(None)
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_arrow(self, self._theme, 10, lower=1)

    @property
    def model_popup(self) -> "ModelPopup | None":
        return self._popup

    def _update_text(self) -> None:
        if self._trained is None:
            self.set_text("No model")
            self.setIcon(QIcon())
            return
        card = self._trained.card
        self.setText(f" {card.title}".replace("&", "&&"))
        self.setAccessibleName(f"Model, {card.title}")
        cover = self._models.read_cover(card.name)
        side = self._theme.scaled(28)
        if cover is None or self._narrow:
            self.setIcon(QIcon())
        else:
            pixmap = picture_thumbnail(cover[0], side, self.devicePixelRatioF(), self._theme)
            self.setIcon(QIcon(pixmap))
            self.setIconSize(pixmap.deviceIndependentSize().toSize())


class ModelPopup(QFrame):
    """Shows the models in groups, with a field that searches their cards."""

    def __init__(
        self, theme: Theme, models: ModelList, offers: ModelFilter, remark: ModelRemark, parent: QWidget
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._theme = theme
        self._none = "No model here can do this." if models.cards.get() else "No model is here yet."
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("role", "popup")
        self.setAccessibleName("Models")
        self.field = QLineEdit()
        self.field.setAcceptDrops(False)
        self.field.setPlaceholderText("Find a model")
        self.field.setAccessibleName("Find a model by a word of its card")
        self.cards = CardList(theme, models, big=False, model_filter=offers, remark=remark)
        self.note = Label("", "note", wrap=True)
        self.add = Button(theme, "Add a model…", "fold", "plus", tooltip="Copy a .safetensors file to your models")
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.field)
        column.addWidget(self.note)
        column.addWidget(self.cards, 1)
        column.addWidget(self.add)
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(lambda: self.cards.open_model(self.cards.currentIndex()))
        self.field.installEventFilter(self)
        self.cards.model_opened.connect(self.close)
        self.add.clicked.connect(self.close)
        self._show_note("")

    def open_at(self, corner: QPoint) -> None:
        """Open the list below this corner, as high as the screen allows."""
        available = self.screen().availableGeometry()
        size = self.sizeHint()
        width = min(size.width(), available.width())
        self.resize(width, min(size.height(), available.bottom() - corner.y()))
        self.move(min(corner.x(), available.right() + 1 - width), corner.y())
        self.show()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def _search(self, typed: str) -> None:
        self.cards.search_models(typed)
        self._show_note(typed)

    def _show_note(self, typed: str) -> None:
        """Say why the list is empty, if it is."""
        self.note.setText(f'No model here has "{typed.strip()}" on its card.' if typed.strip() else self._none)
        self.note.setVisible(not self.cards.cards)
        if self.note.isVisible():
            announce(self.field, self.note.text())

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            by = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if by is not None:
                self.cards.choose_next(by)
                return True
        return False
