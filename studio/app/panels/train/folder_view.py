"""Shows the report on a folder: counts, sentences, thumbnails, and the files that are not used."""

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPlainTextEdit, QStackedWidget, QVBoxLayout, QWidget

from studio.app.panels.train.folder import FolderScan
from studio.app.panels.train.state import TrainState
from studio.app.panels.train.thumbnails_view import ThumbnailsView
from studio.app.panels.train.wording import folder_title
from studio.app.widgets.binding import bind_all
from studio.app.widgets.controls import Label, SegmentedControl, clear_layout, make_row
from studio.app.widgets.theme import Theme
from studio.wire.messages import Finding

REFRESH_INTERVAL = 100
"""Milliseconds between two updates while files are examined."""
FILTERS = (("all", "All"), ("alike", "Look alike"), ("odd", "Unlike the rest"), ("unused", "Not used"))


class FolderPage(QWidget):
    """Shows the report on a folder."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._folder: FolderScan = state.folder
        self._filter = "all"
        self._shown_findings: tuple[Finding, ...] = ()
        self.title = Label("", "title")
        self.note = Label("", "soft", wrap=True)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(4)
        self.filter = SegmentedControl(theme, "Files", FILTERS, tooltip="Choose which files are shown")
        self.filter.show_choice("all")
        self.hint = Label("Click a file to leave it out.", "note")
        self.thumbnails = ThumbnailsView(theme, state.folder)
        self.names = QPlainTextEdit()
        self.names.setReadOnly(True)
        self.names.setAccessibleName("Files that are not used, and why")
        self._lists = QStackedWidget()
        self._lists.addWidget(self.thumbnails)
        self._lists.addWidget(self.names)
        self._column = QVBoxLayout(self)
        self._column.addWidget(self.title)
        self._column.addWidget(self.note)
        self._column.addLayout(self.findings)
        self._column.addWidget(make_row(self.filter, self.hint, 0, spacing=16))
        self._column.addWidget(self._lists, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_INTERVAL)
        self._timer.timeout.connect(self._refresh)
        self.filter.chosen.connect(self._choose_filter)
        self.thumbnails.toggled.connect(state.exclude_file)
        state.folder.grew.connect(self._refresh_soon)
        bind_all(
            self,
            (state.folder.report, state.folder.fault, state.folder.excluded, state.folder.source),
            lambda _: self._refresh_soon(),
        )
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _refresh_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _choose_filter(self, key: str) -> None:
        self._filter = key
        self._refresh()

    def _refresh(self) -> None:
        """Show the present report on the folder."""
        folder = self._folder
        report = folder.report.get()
        self.title.setText(folder_title(folder))
        self.note.setText(folder.fault.get() or folder.source.get())
        self._show_findings(report.findings if report is not None else ())
        alike = [number for group in report.alike for number in group] if report is not None else []
        odd = list(report.odd) if report is not None else []
        available = {"all": True, "alike": bool(alike), "odd": bool(odd), "unused": bool(folder.unused)}
        for key, enabled in available.items():
            self.filter.button_of(key).setVisible(enabled)
        if not available[self._filter]:
            self._filter = "all"
            self.filter.show_choice("all")
        if self._filter == "unused":
            text = "\n".join(folder.unused)
            if text != self.names.toPlainText():
                self.names.setPlainText(text)
        everything = [number for number in sorted(folder.thumbnails) if number < len(folder.files)]
        self.thumbnails.show_files({"alike": alike, "odd": odd}.get(self._filter, everything))
        self._lists.setCurrentIndex(1 if self._filter == "unused" else 0)
        self.hint.setVisible(self._filter != "unused" and bool(everything))

    def _show_findings(self, findings: tuple[Finding, ...]) -> None:
        if findings == self._shown_findings:
            return
        self._shown_findings = findings
        clear_layout(self.findings)
        roles = {"note": "soft", "warning": "warn", "stop": "danger"}
        for finding in findings:
            self.findings.addWidget(Label(finding.sentence, roles[finding.weight], wrap=True))

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._column.setContentsMargins(px(24), px(20), px(24), px(12))
        self._column.setSpacing(px(12))
