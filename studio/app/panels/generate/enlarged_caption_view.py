"""Shows the description of an enlarged picture, its actions, and how it continues."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from studio.app.widgets.controls import Button, ElidedLabel
from studio.app.widgets.theme import Theme

RIGHT = Qt.TextElideMode.ElideRight
REWIND = "Drag the marker up, then continue from there as another take."


class EnlargedCaption(QWidget):
    """Shows a description and links below a large picture, and how it continues from its marker."""

    def __init__(self, theme: Theme, press: Callable[[str], None]) -> None:
        super().__init__()
        self._theme, self._compact, self._marked, self._rewind_text = theme, False, False, False
        self.words, self.said = ElidedLabel("", "soft", RIGHT), ElidedLabel("", "soft", RIGHT)
        self.note = ElidedLabel("", "note", RIGHT)
        """A sentence about the bits of a sharpened picture."""
        self.note.hide()
        self.continue_link = Button(theme, "Continue", "primary")
        self.continue_link.clicked.connect(partial(press, "continue"))
        self._links = []
        for title, what, help, keys in (
            ("Save…", "save", "Save this one with its recipe inside", "Ctrl+E"),
            ("Open in Explore", "explore", "Continue with this one in Explore", "Ctrl+Shift+X"),
            ("All of them", "back", "Go back to the grid", "Esc"),
        ):
            link = Button(theme, title, "link", tooltip=help, keys=keys)
            link.clicked.connect(partial(press, what))
            self._links.append(link)
        self._item_text = ""
        self._grid = QGridLayout(self)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def show_item(self, words: str, finished: bool, note: str = "") -> None:
        self.words.show_text(words)
        self.note.show_text(note)
        self.note.setVisible(bool(note))
        for link in self._links[:2]:  # a half-drawn picture can be neither saved nor opened
            link.setEnabled(finished)

    def show_rewind(self, marked: bool, can: bool, armed: bool, running: bool, said: str) -> None:
        """Show the marker's state.

        Arguments
            marked: there is a marker, or will be
            can: something is left to draw below the marker
            armed: the user has set the marker
        """
        self._item_text = said
        self._update_text()
        self.continue_link.setEnabled(can or running)
        self.continue_link.set_text("Stop" if running else "Continue")
        self.continue_link.set_icon("stop" if running else "")
        idle_role = "primary" if armed else ""
        self.continue_link.set_role("stop" if running else idle_role)
        if running:
            self.continue_link.set_tooltip("Stop now and keep what is drawn", "Shift+Esc")
        else:
            self.continue_link.set_tooltip("Redraw the rows below the marker as another take", "K")
        if (marked, bool(said)) != (self._marked, self._rewind_text):
            self._marked = marked
            self._rewind_text = bool(said)
            self._lay_out()

    def set_compact(self, low: bool) -> None:
        """Use one line if the window is low."""
        if low != self._compact:
            self._compact = low
            self._update_text()
            self._lay_out()

    def _update_text(self) -> None:
        """Update the text; it is shorter in one line."""
        self.said.show_text(
            (self._item_text.removeprefix("as a new take ") if self._compact else self._item_text) or REWIND
        )

    def _lay_out(self) -> None:
        px = self._theme.scaled
        grid = self._grid
        low = self._compact and self._marked
        for part in (self.words, self.said, self.note, self.continue_link, *self._links):
            grid.removeWidget(part)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(px(12))
        grid.setVerticalSpacing(px(6))
        for place, link in enumerate(self._links):
            grid.addWidget(link, 0, 3 + place)
        shown = self.said if low and self._rewind_text else self.words
        grid.addWidget(shown, 0, 0, 1, 2)
        grid.addWidget(self.continue_link, 0 if low else 1, 2 if low else 0)
        grid.addWidget(self.note, 2, 0, 1, 6)
        if not low:
            grid.addWidget(self.said, 1, 1, 1, 5)
        self.words.setVisible(shown is self.words)
        self.said.setVisible(self._marked and (not low or shown is self.said))
        self.continue_link.setVisible(self._marked)
        grid.setColumnStretch(0, 1 if low else 0)
        grid.setColumnStretch(1, 1)
