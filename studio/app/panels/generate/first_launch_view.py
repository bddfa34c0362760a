"""Shows the models in an empty Generate, so that the first picture is two clicks away."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from studio.app.files.dialogs_view import WORKS, FileDialogs
from studio.app.model_browser.cards_view import CardList
from studio.app.panels.generate.state import GenerateState
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Button, Label, make_row
from studio.app.widgets.theme import Theme

CENTRE = Qt.AlignmentFlag.AlignHCenter


class FirstLaunchPage(QScrollArea):
    """Shows cards to choose from, and ways to begin from the user's own file."""

    def __init__(self, theme: Theme, state: GenerateState, dialogs: FileDialogs) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        inside = QWidget()
        inside.setProperty("ground", "none")
        self._title = Label("What shall we make?", "title")
        self._under = Label("", "soft", wrap=True)
        self.cards = CardList(theme, state.models, big=True)
        self._own = Label("Or start from something of your own", "soft")
        self.open = Button(
            theme, "Open a picture…", "", "folder", tooltip="Bring in a picture, crop it, and start from it"
        )
        self.add = Button(theme, "Add a model…", "", "plus", tooltip="Copy a .safetensors file to your models")
        self._drop = Label("or drop a file anywhere on this window", "note")
        self._column = QVBoxLayout(inside)
        self._column.addStretch(3)
        for label in (self._title, self._under):
            label.setAlignment(CENTRE)
            self._column.addWidget(label)
        self._column.addSpacing(10)
        self._column.addWidget(self.cards)
        self._own.setAlignment(CENTRE)
        self._column.addWidget(self._own)
        self._column.addWidget(make_row(0, self.open, self.add, 0, spacing=16))
        self._drop.setAlignment(CENTRE)
        self._column.addWidget(self._drop)
        self._column.addStretch(2)
        self.setWidget(inside)
        self.open.clicked.connect(lambda: dialogs.ask_file(WORKS, state.file_chosen.emit))
        self.add.clicked.connect(lambda: dialogs.ask_file("Models (*.safetensors)", state.models.add_model))
        bind(self, state.models.cards, self._show_cards)
        bind(self, state.model, self.cards.show_model, self.cards.model_chosen, state.choose_model)
        self.cards.model_opened.connect(lambda name: state.start_batch())
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def set_compact(self, compact: bool) -> None:
        """Hide the lines that explain if the window is low."""
        for label in (self._own, self._drop):
            label.setVisible(not compact)
        self._lay_out(compact)

    def _show_cards(self, cards: tuple[object, ...]) -> None:
        self.cards.setVisible(bool(cards))
        self.open.setVisible(bool(cards))
        self._under.setText(
            "Pick one and press Generate. Everything happens on your own computers."
            if cards
            else "No trained model is here yet. Add one, or train one on a folder of yours."
        )
        self.cards.show_model(self._state.model.get())

    def _lay_out(self, compact: bool = False) -> None:
        px = self._theme.scaled
        self._column.setSpacing(px(8 if compact else 14))
        self._column.setContentsMargins(px(16), px(8), px(16), px(8))
