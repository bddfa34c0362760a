"""Shows the running job, and the jobs that wait."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

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
    if status.queue_place:
        return "waits until you start it" if status.can_start else "waits its turn"
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
        self._is_queued: bool | None = None
        self.title = ElidedLabel("", "strong")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, 1000)
        self.progress_label = ElidedLabel("", "note", RIGHT)
        self.stop = Button(theme, "", "square", "stop", "Stop")
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
        self._show_stop(is_queued=entry.queue_place > 0)
        self.stop.setAccessibleName(f"{'Remove' if entry.queue_place else 'Stop'} {entry.title}")

    def _show_stop(self, *, is_queued: bool) -> None:
        """Let the button stop a job at work, or remove one from the queue."""
        if is_queued != self._is_queued:
            self._is_queued = is_queued
            self.stop.set_icon("close" if is_queued else "stop")
            tooltip = ("Remove it from the queue", "") if is_queued else ("Stop now and keep what is made", "Shift+Esc")
            self.stop.set_tooltip(*tooltip)


class QueueRow(QWidget):
    """Shows what the user can do with a job of the queue."""

    start_requested = Signal(str)
    move_requested = Signal(str, int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._job = ""
        self.start = Button(theme, "Start", "link", tooltip="Start this one now")
        self.up = Button(theme, "Earlier", "link", tooltip="Move it up in the queue")
        self.down = Button(theme, "Later", "link", tooltip="Move it down in the queue")
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(theme.scaled(16))
        for button in (self.start, self.up, self.down):
            line.addWidget(button)
        line.addStretch(1)
        self.start.clicked.connect(lambda: self.start_requested.emit(self._job))
        self.up.clicked.connect(lambda: self.move_requested.emit(self._job, -1))
        self.down.clicked.connect(lambda: self.move_requested.emit(self._job, 1))

    def show_job(self, entry: JobStatus, length: int) -> None:
        """Show a job of a queue with this length, or nothing for a job at work."""
        self._job = entry.job
        self.setVisible(entry.queue_place > 0 and (entry.can_start or length > 1))
        self.start.setVisible(entry.can_start)
        self.up.setVisible(length > 1)
        self.down.setVisible(length > 1)
        self.up.setEnabled(entry.queue_place > 1)
        self.down.setEnabled(entry.queue_place < length)
        for button, word in ((self.start, "Start"), (self.up, "Earlier"), (self.down, "Later")):
            button.setAccessibleName(f"{word}: {entry.title}")


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
        waiting = sum(entry.started is None for entry in entries[1:])
        self._waiting.setText(f"{waiting} waiting" if waiting else "")
        self._job.setVisible(bool(entries))
        if entries:
            self._job.show_job(entries[0])
        self._count = len(entries)
        self._show_next()
        self._next.show_text(_next_text(entries))

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

    @property
    def next_text(self) -> str:
        """Return the line below the first job."""
        return self._next.text()

    @property
    def waiting_text(self) -> str:
        """Return how many jobs wait, in words."""
        return self._waiting.text()

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


def _next_text(entries: Sequence[JobStatus]) -> str:
    """Return what follows the first job, or what else is at work."""
    if len(entries) < 2:
        return "Long work lines up here."
    return f"{'Next' if entries[1].started is None else 'Also at work'}: {entries[1].title}"


class JobsPage(QWidget):
    """Lists every job in the inspector."""

    stop_requested = Signal(str)
    start_requested = Signal(str)
    move_requested = Signal(str, int)

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
        self.queue_rows: list[QueueRow] = []
        """The row below each of them."""

    def show_jobs(self, entries: Sequence[JobStatus]) -> None:
        self._empty.setVisible(not entries)
        while len(self.jobs) < len(entries):
            job = JobRow(self._theme)
            queue_row = QueueRow(self._theme)
            job.stop_requested.connect(self.stop_requested)
            queue_row.start_requested.connect(self.start_requested)
            queue_row.move_requested.connect(self.move_requested)
            self._column.insertWidget(2 * len(self.jobs), job)
            self._column.insertWidget(2 * len(self.jobs) + 1, queue_row)
            self.jobs.append(job)
            self.queue_rows.append(queue_row)
        while len(self.jobs) > len(entries):
            for gone in (self.jobs.pop(), self.queue_rows.pop()):
                gone.setParent(None)
                gone.deleteLater()
        length = sum(entry.queue_place > 0 for entry in entries)
        for job, queue_row, entry in zip(self.jobs, self.queue_rows, entries, strict=True):
            job.show_job(entry)
            queue_row.show_job(entry, length)
