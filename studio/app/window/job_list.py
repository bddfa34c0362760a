"""Shows the running job, and the jobs that wait."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QGridLayout, QProgressBar, QVBoxLayout, QWidget

from studio.app.core.guard import guarded
from studio.app.core.jobs import JobStatus
from studio.app.core.text import time_left
from studio.app.widgets.controls import Button, ElidedLabel, Label, make_row
from studio.app.widgets.theme import Theme

RIGHT = Qt.TextElideMode.ElideRight


def progress_text(status: JobStatus) -> str:
    """Return `12 of 24 finished · about 9 s left`, `38 % done · about 9 s left`, `0:18.7 made · 2.6 × real time`."""
    if status.progress_text:
        return status.progress_text
    if status.started is None:
        return "waits for the engine"
    left = f" · {time_left(status.seconds_left)} left" if status.seconds_left is not None else ""
    if not status.counts_pictures:
        return f"{status.share:.0%} done{left}".replace("%", " %") if status.share else "at work"
    return f"{status.done:,} of {status.total:,} finished{left}"


class JobRow(QWidget):
    """Shows one job with its progress and its Stop."""

    stop_requested = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._job = ""
        self.title = ElidedLabel("", "strong")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.progress_label = ElidedLabel("", "note", RIGHT)
        self.stop = Button(theme, "", "square", "stop", "Stop", "Stop now and keep what is drawn", "Shift+Esc")
        self.stop.clicked.connect(lambda: self.stop_requested.emit(self._job))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        grid.addWidget(self.title, 0, 0)
        grid.addWidget(self.bar, 1, 0)
        grid.addWidget(self.progress_label, 2, 0)
        grid.addWidget(self.stop, 0, 1, 3, 1, Qt.AlignmentFlag.AlignVCenter)
        grid.setColumnStretch(0, 1)

    def show_job(self, entry: JobStatus) -> None:
        self._job = entry.job
        self.title.show_text(entry.title)
        self.bar.setVisible(entry.total > 0)
        self.bar.setValue(round(entry.share * 1000))
        self.bar.setAccessibleName(f"Progress of {entry.title}")
        self.progress_label.show_text(progress_text(entry))
        self.stop.setAccessibleName(f"Stop {entry.title}")


class JobBox(QWidget):
    """Shows the first job and how many wait; a click opens the list."""

    stop_requested = Signal(str)
    opened = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._compact = False
        self._count = 0
        self.setProperty("ground", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName("Queue")
        self._waiting = Label("", "note")
        self._job = JobRow(theme)
        self._job.stop_requested.connect(self.stop_requested)
        self._next = ElidedLabel("Long work lines up here.", "note", RIGHT)
        self._column = QVBoxLayout(self)
        self._head = make_row(Label("Queue", "heading"), 0, self._waiting)
        self._column.addWidget(self._head)
        self._column.addWidget(self._job)
        self._column.addWidget(self._next)
        self._column.addStretch(1)
        theme.changed.connect(self._lay_out)
        self._lay_out()
        self.show_jobs(())

    def show_jobs(self, entries: Sequence[JobStatus]) -> None:
        waiting = max(0, len(entries) - 1)
        self._waiting.setText(f"{waiting} waiting" if waiting else "")
        self._job.setVisible(bool(entries))
        if entries:
            self._job.show_job(entries[0])
        self._count = len(entries)
        self._show_next()
        self._next.show_text(f"Next: {entries[1].title}" if waiting else "Long work lines up here.")

    def set_compact(self, compact: bool) -> None:
        """Show only the running job if the window is low."""
        self._compact = compact
        self._head.setVisible(not compact)
        self._show_next()

    def _show_next(self) -> None:
        self._next.setVisible(self._count != 1 and not (self._compact and self._count > 1))

    @property
    def first_job(self) -> JobRow:
        return self._job

    @guarded(QSize(200, 60))
    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.scaled(200), self._theme.scaled(60))

    @guarded(None)
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.opened.emit()

    def _lay_out(self) -> None:
        px = self._theme.scaled
        self._column.setContentsMargins(px(16), px(8), px(16), px(8))
        self._column.setSpacing(px(6))


class JobsPage(QWidget):
    """Lists every job in the inspector."""

    stop_requested = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(12)
        self._empty = Label("Nothing is at work. Long work lines up here.", "note", wrap=True)
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        self.jobs: list[JobRow] = []

    def show_jobs(self, entries: Sequence[JobStatus]) -> None:
        self._empty.setVisible(not entries)
        while len(self.jobs) < len(entries):
            job = JobRow(self._theme)
            job.stop_requested.connect(self.stop_requested)
            self._column.insertWidget(len(self.jobs), job)
            self.jobs.append(job)
        while len(self.jobs) > len(entries):
            gone = self.jobs.pop()
            gone.setParent(None)
            gone.deleteLater()
        for job, entry in zip(self.jobs, entries, strict=True):
            job.show_job(entry)
