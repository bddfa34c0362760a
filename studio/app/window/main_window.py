"""Builds the window: rail, bar, stage, inspector, strip, queue and message line."""

import sys
from functools import partial
from typing import Any

from PySide6.QtCore import QByteArray, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QStyle, QWidget

from studio.app.app_state import AppState
from studio.app.core.guard import guarded
from studio.app.core.observable import Value
from studio.app.files.dialogs_view import SOUNDS, WORKS, FileDialogs
from studio.app.panels.complete import view as complete
from studio.app.panels.explore import view as explore
from studio.app.panels.generate import view as generate
from studio.app.panels.panel_view import PanelView
from studio.app.panels.sound import view as sound
from studio.app.panels.train import view as train
from studio.app.takes.strip_view import TakeStripView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.controls import Hairline
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.styling import ColouredStack, Styles
from studio.app.widgets.theme import Theme
from studio.app.window.announcer import Announcer
from studio.app.window.clipboard import ClipboardController
from studio.app.window.commands.palette import CommandPalette
from studio.app.window.commands.shortcuts import Shortcuts, focus_region
from studio.app.window.commands.targets import (
    action_targets,
    control_targets,
    focus_control,
    model_targets,
    setting_targets,
)
from studio.app.window.drop_target import DropOverlay, DropTarget
from studio.app.window.focus_recovery import FocusRecovery
from studio.app.window.focus_ring import FocusRing
from studio.app.window.inspector import DEFAULT_WIDTH, MAX_WIDTH, MIN_WIDTH, Inspector, InspectorEdge
from studio.app.window.job_list import JobBox, JobsPage
from studio.app.window.layout import lay_out_window
from studio.app.window.message_bar import MessageBar
from studio.app.window.pages import EnginePage, HelpPage, SettingsPage
from studio.app.window.rail import Rail
from studio.app.window.take_strip import TakeStripController
from studio.app.window.top_bar import TopBar

DEFAULT_SIZE = (1440, 900)

DEBOUNCE = 500
"""Milliseconds from a move until it is saved."""


class GeometryKeeper(QObject):
    """Saves the window's geometry soon after each change, so that it survives a killed process."""

    def __init__(self, window: QWidget, kept: Value[bytes]) -> None:
        super().__init__(window)
        self._window = window
        self._kept = kept
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DEBOUNCE)
        self._timer.timeout.connect(self.save_geometry)
        if not kept.get() or not window.restoreGeometry(QByteArray(kept.get())):
            room = window.screen().availableGeometry()
            title = QStyle.PixelMetric.PM_TitleBarHeight
            high = room.height() - window.style().pixelMetric(title)  # the title bar is added later and needs room
            window.resize(min(DEFAULT_SIZE[0], room.width()), min(DEFAULT_SIZE[1], high))
        window.installEventFilter(self)

    def save_geometry(self) -> None:
        """Save the geometry now."""
        self._timer.stop()
        self._kept.set(bytes(self._window.saveGeometry().data()))

    @guarded(False)
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Move, QEvent.Type.Resize, QEvent.Type.WindowStateChange):
            self._timer.start()
        return False


MIN_SIZE = (1024, 700)

POLL_INTERVAL = 50
"""Milliseconds between two checks whether a mouse button is still pressed."""


class MainWindow(QWidget):
    """Is the one window. `painted`: it is on the screen; `closed`: the user closed it."""

    painted = Signal()
    closed = Signal()

    def __init__(self, theme: Theme, state: AppState) -> None:
        super().__init__()
        self._theme = theme
        self.state = state
        self.setWindowTitle("Latent Studio")
        self.setMinimumSize(*MIN_SIZE)
        self._shown = True
        self._drawer = False
        self._painted = False
        self._message: Any = None
        self.dialogs = FileDialogs(state.messages, state.folders, self)
        self._clipboard = ClipboardController(state, self)
        panels = (
            generate.make_panel(theme, state.generate, self.dialogs),
            explore.make_panel(theme, state.explore, self.dialogs),
            complete.make_panel(theme, state.complete, self.dialogs),
            sound.make_panel(theme, state.sound, self.dialogs),
            train.make_panel(theme, state.train, self.dialogs),
        )
        self.panels = {panel.key: panel for panel in panels}
        """By key, in the order of the rail."""
        self._build()
        self.takes = TakeStripController(self.strip, state, self.panels.values(), lambda: self.open_panel, self.dialogs)
        self._announcer = Announcer(self, state)
        self._connect()
        self.actions_by_name = self._make_actions()
        self._shortcuts = Shortcuts(self, (self.stage, self.strip), self.actions_by_name)
        self._update_shortcuts()
        theme.changed.connect(self._restyle)
        self._restyle()
        self._geometry = GeometryKeeper(self, state.geometry)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────

    def _build(self) -> None:
        """Build the parts in the order of the Tab key."""
        theme = self._theme
        state = self.state
        panels = self.panels.values()
        self.rail = Rail(theme, [(p.key, p.title, p.icon, p.tooltip) for p in panels])
        self.bars = QStackedWidget()
        self.stage = ColouredStack(theme, "canvas")
        self.inspector = Inspector(theme)
        for panel in panels:
            head = TopBar(theme, state, panel, self.add_model)
            head.inspector_button.clicked.connect(self.toggle_inspector)
            self.bars.addWidget(head)
            self.stage.addWidget(panel.stage)
            self.inspector.add_panel(panel.key, panel.inspector, panel.foot)
        self.settings = SettingsPage(theme, state)
        self.help = HelpPage(theme)
        self.engine = EnginePage(theme, state)
        self.jobs_page = JobsPage(theme)
        for key, title, page in (
            ("settings", "Settings", self.settings), ("help", "Help", self.help), ("engine", "Engine", self.engine),
            ("queue", "Queue", self.jobs_page),
        ):  # fmt: skip
            self.inspector.add_page(key, title, page)
        self.strip = TakeStripView(theme)
        self.job_box = JobBox(theme)
        self.message = MessageBar(theme)
        self._lines = [Hairline(), Hairline(), Hairline(), Hairline(vertical=True)]
        self._parts = (
            self.rail, self.bars, self.stage, self.inspector, self.strip, self.job_box, self.message, *self._lines
        )  # fmt: skip
        for part in self._parts:
            part.setParent(self)
        self.edge = InspectorEdge(self)
        self.drop_overlay = DropOverlay(theme, self)
        self.command_palette = CommandPalette(theme, self)
        self._focus_recovery = FocusRecovery(self, self.stage)
        self.ring = FocusRing(theme, self)
        bars = self.bars.findChildren(TopBar)
        stages = [panel.stage for panel in panels]
        parts = (
            self.rail,
            self.strip,
            self.job_box,
            self.message,
            self.drop_overlay,
            self.command_palette,
            *self._lines,
        )
        Styles(theme, self, (*parts, *bars, *stages, *self.inspector.styled_parts))
        self.drop_target = DropTarget(self, self.state, self.drop_overlay)  # last, because it examines all widgets

    def _connect(self) -> None:
        state = self.state
        bind(self, state.panel, self._show_panel, self.rail.panel_chosen, state.show_panel)
        bind(self, state.engine_status, self.rail.engine_button.show_status)
        bind(self, state.smoothing.smooth, self._show_smooth)
        bind(self, state.theme, self._choose_theme)
        bind(self, state.contrast, self._choose_theme)
        bind(self, state.layout, self._choose_theme)
        bind(self, state.messages.current, self._show_message, self.message.button_pressed, state.messages.press_button)
        bind(self, state.jobs.jobs, self.job_box.show_jobs, self.job_box.stop_requested, state.jobs.stop_job)
        bind(self, state.jobs.jobs, self.jobs_page.show_jobs, self.jobs_page.stop_requested, state.jobs.stop_job)
        bind(self, state.takes.takes, lambda _: self._update_layout())
        self.message.dismissed.connect(state.messages.dismiss)
        self.job_box.opened.connect(lambda: self.toggle_page("queue"))
        self.rail.help.clicked.connect(lambda: self.toggle_page("help"))
        self.rail.settings.clicked.connect(lambda: self.toggle_page("settings"))
        self.rail.engine_button.clicked.connect(lambda: self.toggle_page("engine"))
        self.edge.dragged.connect(self._drag_edge)

    @property
    def open_panel(self) -> PanelView:
        """Return the panel that is open."""
        return self.panels.get(self.state.panel.get(), self._first_panel)

    @property
    def _first_panel(self) -> PanelView:
        return next(iter(self.panels.values()))

    @property
    def open_bar(self) -> TopBar:
        bar = self.bars.currentWidget()
        assert isinstance(bar, TopBar)
        return bar

    # ── showing panels ───────────────────────────────────────────────────────────────────────────

    def _show_panel(self, key: str) -> None:
        place = list(self.panels).index(self.open_panel.key)
        before = QApplication.focusWidget()
        self.rail.show_panel(self.open_panel.key)
        self.bars.setCurrentIndex(place)
        self.stage.setCurrentIndex(place)
        self.inspector.show_panel(self.open_panel.key)
        self.takes.show_panel(self.open_panel)
        self._update_shortcuts()
        self._update_layout()
        self._focus_recovery.move_focus(
            before
        )  # QStackedWidget focuses the first widget of its new page, often a button

    def _show_smooth(self, smooth: bool) -> None:
        for panel in self.panels.values():
            panel.show_smooth(smooth)

    def _show_message(self, said: Any) -> None:
        """Make room for the message; not while a mouse button is down, because widgets would move under it."""
        if said is self._message:
            return
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            QTimer.singleShot(POLL_INTERVAL, self, lambda: self._show_message(self.state.messages.current.get()))
            return
        self._message = said
        self.message.show_message(said)
        self._update_layout()

    def toggle_page(self, key: str) -> None:
        """Open a page in the inspector, or close it if it is open."""
        if self.inspector.page == key:
            self.inspector.close_page()
            return
        if key == "help":
            self.help.show_help(
                self.open_panel.key,
                [action for action in self.actions_by_name if action.panel in ("", self.open_panel.key)],
            )
        if key == "engine" and self.state.engine_status.get() in ("Ready", "Working"):
            self.state.run_doctor()
        self._shown = True
        self.inspector.open_page(key)
        self._update_layout()

    # ── theme ────────────────────────────────────────────────────────────────────────────────────

    def _choose_theme(self, _: object) -> None:
        layout = self.state.layout.get()
        scale = layout.get("text", 100)
        still = bool(layout.get("still", False))
        wanted = (self.state.theme.get(), self.state.contrast.get(), scale, still, layout.get("letters", True))
        if wanted != getattr(self, "_wanted", None):
            self._wanted = wanted
            self._shown = float(scale) <= 150
            self._theme.choose_theme(self.state.theme.get(), self.state.contrast.get(), float(scale) / 100, still)
            self._update_shortcuts()
        else:
            self._update_layout()

    def _restyle(self) -> None:
        theme = self._theme
        QApplication.setPalette(theme.palette())
        self.setFont(theme.font())
        self.setWindowIcon(QIcon(icon_pixmap("generate", theme.colour("accent"), 64)))
        self._update_layout()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────

    def _update_layout(self) -> None:
        """Place every part."""
        if not hasattr(self, "ring"):
            return
        shown = self._shown or self.inspector.page != ""
        wanted = int(self.state.layout.get().get("inspector", DEFAULT_WIDTH))
        tree = bool(self.state.layout.get().get("tree", False)) and bool(self.state.takes.takes.get())
        has_message = self.message.isVisibleTo(self)
        at = lay_out_window(self._theme, self.width(), self.height(), shown, wanted, tree, has_message)
        self.strip.set_tree(tree)
        self._drawer = at.drawer
        self.rail.set_narrow(at.narrow)
        self.strip.set_compact(at.low)
        self.job_box.set_compact(at.low)
        for panel in self.panels.values():
            panel.set_compact(at.low)
        for head in self.bars.findChildren(TopBar):
            head.set_narrow(at.narrow)
            head.show_inspector_button(at.drawer or not shown)
        self.inspector.set_collapsed(not shown)
        self.job_box.setVisible(shown and not at.drawer)
        self.edge.setVisible(shown)
        lines = zip(self._lines, at.lines, strict=True)
        for part, place in (
            (self.rail, at.rail), (self.bars, at.bar), (self.stage, at.stage), (self.strip, at.strip),
            (self.job_box, at.jobs), (self.inspector, at.inspector), *lines, (self.edge, at.edge),
            (self.message, at.message),
        ):  # fmt: skip
            part.setGeometry(place)
        self.stage.setContentsMargins(0, 0, 0, at.floor)
        for part in (self.inspector, *self._lines, self.edge, self.message):
            part.raise_()
        self.drop_overlay.setGeometry(at.stage)

    def _drag_edge(self, wider: int) -> None:
        now = int(self.state.layout.get().get("inspector", DEFAULT_WIDTH))
        wanted = min(max(now + round(wider / self._theme.scale), MIN_WIDTH), MAX_WIDTH)
        self.state.layout.set({**self.state.layout.get(), "inspector": wanted})

    # ── actions and keys ─────────────────────────────────────────────────────────────────────────

    def _make_actions(self) -> tuple[Action, ...]:
        state = self.state
        page = self.toggle_page
        stop = ("Shift+Esc", "Ctrl+.") if sys.platform == "darwin" else ("Shift+Esc",)
        redo = ("Ctrl+Shift+Z", "Ctrl+Y") if sys.platform == "win32" else ("Ctrl+Shift+Z",)
        full = "Ctrl+Meta+F" if sys.platform == "darwin" else "F11"
        shown = [
            Action(panel.title, (f"Ctrl+{number}",), partial(state.show_panel, panel.key))
            for number, panel in enumerate(self.panels.values(), 1)
        ]
        return (
            *shown,
            *(action for panel in self.panels.values() for action in panel.actions),
            Action("Stop", stop, self.stop_job),
            Action("Undo", ("Ctrl+Z",), state.undo),
            Action("Redo", redo, state.redo),
            Action("Open…", ("Ctrl+O",), self.ask_file),
            Action("Paste", ("Ctrl+V",), state.messages.paste_requested.emit),
            Action("Keep as take", ("Ctrl+S",), lambda: self.open_panel.keep_take()),
            Action("Models", ("Ctrl+L",), lambda: self.open_bar.picker.open_list()),
            Action("Add a model…", (), self.add_model),
            Action("Show or hide the inspector", ("Ctrl+I",), self.toggle_inspector),
            *self.takes.make_actions,
            Action("Queue", ("Ctrl+J",), lambda: page("queue")),
            Action("Zoom in", ("Ctrl++", "Ctrl+="), lambda: self.open_panel.zoom(1)),
            Action("Zoom out", ("Ctrl+-",), lambda: self.open_panel.zoom(-1)),
            Action("Fit", ("Ctrl+0",), lambda: self.open_panel.zoom(0)),
            Action("Full screen", (full,), self.toggle_full_screen),
            Action("Help", ("F1",), lambda: page("help")),
            Action("Find…", ("Ctrl+K",), self.open_palette),
            Action("Settings", ("Ctrl+,",), lambda: page("settings")),
            Action("Engine", (), lambda: page("engine")),
            Action("Next region", ("F6",), lambda: self.focus_region(1)),
            Action("Previous region", ("Shift+F6",), lambda: self.focus_region(-1)),
            Action("Surprise", ("U",), lambda: state.surprisal.set_on(not state.surprisal.on.get()), "stage"),
            Action(
                "Crisp or smooth",
                ("X",),
                lambda: state.smoothing.choose_smooth(not state.smoothing.smooth.get()),
                "stage",
            ),
        )

    def _update_shortcuts(self) -> None:
        if hasattr(self, "_shortcuts"):
            self._shortcuts.enable_shortcuts(self.open_panel.key, bool(self.state.layout.get().get("letters", True)))

    def open_palette(self) -> None:
        """Open the palette with everything that can be done, set and chosen now."""
        able = [
            a
            for a in self.actions_by_name
            if a.panel in ("", self.open_panel.key) and (a.enabled is None or a.enabled.get())
        ]
        targets = action_targets(action for action in able if action.keys != ("Ctrl+K",))
        panel = self.open_panel
        names = {target.title for target in targets}
        controls = control_targets((self.open_bar, panel.stage, panel.inspector, panel.foot), self.focus_control)
        targets += [control for control in controls if control.title not in names]
        targets += model_targets(self.state.models.cards.get(), self.choose_model)
        self.command_palette.open_palette(targets + setting_targets(self.settings.fields, self.focus_setting))

    def focus_control(self, control: QWidget) -> None:
        """Focus a control of the open panel and bring it into view."""
        if self.open_panel.inspector.isAncestorOf(control):
            self.inspector.close_page()
            self._shown = True
            self._update_layout()
        focus_control(control)

    def focus_setting(self, dial: QWidget) -> None:
        """Open the settings and focus one of them."""
        if self.inspector.page != "settings":
            self.toggle_page("settings")
        focus_control(dial)

    def choose_model(self, name: str) -> None:
        """Choose a model in the open panel, or in the first that offers it."""
        trained = self.state.models.find_model(name)
        able = (panel for panel in (self.open_panel, *self.panels.values()) if panel.model_filter(trained))
        if trained is not None and (panel := next(able, None)) is not None:
            self.state.show_panel(panel.key)
            panel.choose_model(name)

    def ask_file(self) -> None:
        """Ask for a file or a folder that the open panel can open."""
        if self.open_panel.key == "train":
            self.dialogs.ask_source_folder(self.state.train.open_folder)
            return
        self.dialogs.ask_file(SOUNDS if self.open_panel.key == "sound" else WORKS, self.state.open_file)

    def stop_job(self) -> None:
        """Stop the job of the open panel, else the running one."""
        player = self.state.sound.player
        if self.open_panel.key == "sound" and (player.making.get() or player.playing.get()):
            self.state.sound.stop()
            return
        entries = self.state.jobs.jobs.get()
        grid = (self.state.complete if self.open_panel.key == "complete" else self.state.generate).batch
        if grid.running.get():
            grid.stop_run()
        elif entries:
            self.state.jobs.stop_job(entries[0].job)

    def add_model(self) -> None:
        self.dialogs.ask_file("Models (*.safetensors)", self.state.models.add_model)

    def toggle_inspector(self) -> None:
        if self._shown and self.inspector.page:
            self.inspector.close_page()
        self._shown = not self._shown
        self._update_layout()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def focus_region(self, by: int) -> None:
        """Focus the next or previous part of the window that can have the focus."""
        regions = (self.rail, self.bars, self.stage, self.inspector, self.strip, self.job_box, self.message)
        focus_region(regions, QApplication.focusWidget(), by)

    def close_or_leave(self) -> None:
        """Close what is open, else leave full screen; never a job."""
        if self.command_palette.isVisible():
            self.command_palette.close_palette()
        elif self.inspector.close_page() or self.open_panel.close_open():
            self._update_layout()
        elif self._drawer and self._shown:
            self.toggle_inspector()
        elif self.state.messages.current.get() is not None:
            self.state.messages.dismiss()
        elif self.isFullScreen():
            self.toggle_full_screen()

    # ── Qt events ────────────────────────────────────────────────────────────────────────────────

    @guarded(None)
    def resizeEvent(self, event: QResizeEvent) -> None:
        self._update_layout()

    @guarded(None)
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._update_layout()
        if not self._painted:
            self._painted = True
            self.ring.watch_keys()
            QTimer.singleShot(0, self.painted.emit)  # after the first paint

    @guarded(None)
    def closeEvent(self, event: QCloseEvent) -> None:
        self._geometry.save_geometry()
        event.accept()
        self.closed.emit()

    @guarded(None)
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            self.close_or_leave()
        else:
            super().keyPressEvent(event)
