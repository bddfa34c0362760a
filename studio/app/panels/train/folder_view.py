"""Shows the report on a folder: counts, sentences, thumbnails, and the outcome of every file."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QFrame, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from studio.app.panels.train.files_view import FilesView
from studio.app.panels.train.folder import FILTERS, FolderScan
from studio.app.panels.train.state import TrainState
from studio.app.panels.train.thumbnails_view import ThumbnailsView
from studio.app.panels.train.wording import folder_title
from studio.app.widgets.binding import bind_all
from studio.app.widgets.controls import Button, ElidedLabel, Label, SegmentedControl, clear_layout, make_row
from studio.app.widgets.theme import Theme
from studio.wire.messages import Finding

REFRESH_INTERVAL = 100
"""Milliseconds between two updates while files are examined."""
FILTER_TEXTS = {
    "all": "Thumbnails", "alike": "Look alike", "odd": "Odd ones", "unused": "Not used", "list": "Table",
}  # fmt: skip
LISTS = ("unused", "list")
"""The filters whose files are listed by name."""


class FolderPage(QScrollArea):
    """Shows the report on a folder. In a low window the whole page scrolls."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__()
        self._theme = theme
        self._state = state
        self._folder: FolderScan = state.folder
        self._shown_findings: tuple[Finding, ...] = ()
        self.title = ElidedLabel("", "title", Qt.TextElideMode.ElideRight)
        self.again = Button(theme, "Look again", "link")
        self.note = Label("", "soft", wrap=True)
        self.findings = QVBoxLayout()
        self.findings.setSpacing(4)
        self.shortage = Label("", "danger", wrap=True)
        choices = [(key, FILTER_TEXTS[key]) for key in FILTERS]
        self.filter = SegmentedControl(theme, "Files", choices, tooltip="Choose which files are shown", tight=True)
        self.hint = ElidedLabel("Click a file to leave it out.", "note", Qt.TextElideMode.ElideRight)
        self.keep_one = Button(
            theme, "Keep one of each", "link", tooltip="Leave out all but the first of those that look alike"
        )
        self.save = Button(
            theme, "Save as CSV…", "link", tooltip="Save the outcome of every file, and the reason, as a table"
        )
        self.thumbnails = ThumbnailsView(theme, state.folder)
        self.files = FilesView(theme, state.folder)
        self._lists = QStackedWidget()
        self._lists.addWidget(self.thumbnails)
        self._lists.addWidget(self.files)
        page = QWidget()
        page.setProperty("ground", "none")
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._column = QVBoxLayout(page)
        head = make_row(self.title, self.again, spacing=16)
        head.layout().setStretch(0, 1)  # type: ignore[union-attr]
        self._column.addWidget(head)
        self._column.addWidget(self.note)
        self._column.addLayout(self.findings)
        self._column.addWidget(self.shortage)
        self._column.addWidget(make_row(self.filter, 0))
        self._column.addWidget(make_row(self.hint, 0, self.keep_one, self.save, spacing=16))
        self._column.addWidget(self._lists, 1)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REFRESH_INTERVAL)
        self._timer.timeout.connect(self._refresh)
        self._connect()
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _connect(self) -> None:
        state = self._state
        self.again.clicked.connect(self._look_again_or_stop)
        self.filter.chosen.connect(self._folder.filter.set)
        self.keep_one.clicked.connect(state.exclude_look_alikes)
        self.save.clicked.connect(state.file_report.ask_path)
        self.thumbnails.toggled.connect(state.exclude_file)
        self._folder.grew.connect(self._refresh_soon)
        bind_all(
            self,
            (self._folder.report, self._folder.fault, self._folder.excluded, self._folder.source, self._folder.busy),
            lambda _: self._refresh_soon(),
        )
        self._folder.filter.changed.connect(lambda _: self._refresh())

    def _look_again_or_stop(self) -> None:
        if self._folder.busy.get():
            self._folder.cancel()
        else:
            self._folder.examine_again()

    def _refresh_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _refresh(self) -> None:
        """Show the present report on the folder."""
        folder = self._folder
        report = folder.report.get()
        busy = folder.busy.get()
        self.title.show_text(folder_title(folder))
        self.note.setText(folder.fault.get() or folder.source.get())
        self.again.set_text("Stop looking" if busy else "Look again")
        self.again.set_tooltip("Stop examining the folder" if busy else "See what is in the folder now")
        self._show_findings(report.findings if report is not None else ())
        self.shortage.setText(folder.shortage)
        self.shortage.setVisible(bool(folder.shortage))
        alike = [number for group in report.alike for number in group] if report is not None else []
        odd = list(report.odd) if report is not None else []
        everything = [number for number in sorted(folder.thumbnails) if number < len(folder.files)]
        numbers = {
            "all": everything, "alike": alike, "odd": odd, "unused": folder.unused,
            "list": list(range(len(folder.files))),
        }  # fmt: skip
        for key in FILTERS:
            self.filter.button_of(key).setVisible(key == "all" or bool(numbers[key]))
        chosen = folder.filter.get()
        if not numbers[chosen] and chosen != "all":
            folder.filter.set("all")  # shows the page again
            return
        self.filter.show_choice(chosen)
        is_list = chosen in LISTS
        (self.files if is_list else self.thumbnails).show_files(numbers[chosen])
        self._lists.setCurrentWidget(self.files if is_list else self.thumbnails)
        self.filter.setVisible(bool(folder.files))
        self.hint.setVisible(not is_list and bool(numbers[chosen]))
        self.keep_one.setVisible(chosen == "alike")
        self.save.setVisible(is_list)

    def _show_findings(self, findings: tuple[Finding, ...]) -> None:
        """Show all sentences of the same weight as one text, so that a low window has space for files."""
        if findings == self._shown_findings:
            return
        self._shown_findings = findings
        clear_layout(self.findings)
        for weight, role in (("stop", "danger"), ("warning", "warn"), ("note", "soft")):
            sentences = [finding.sentence for finding in findings if finding.weight == weight]
            if sentences:
                self.findings.addWidget(Label(" ".join(sentences), role, wrap=True))

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._column.setContentsMargins(px(24), px(20), px(24), px(12))
        self._column.setSpacing(px(12))
