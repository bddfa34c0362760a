"""Builds the window: rail, bar, stage, inspector, strip, queue and message line."""

import sys
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QStackedWidget, QWidget

from studio.app.app_state import AppState
from studio.app.core.guard import guarded
from studio.app.core.observable import Value
from studio.app.files.dialogs_view import SOUNDS, WORKS, FileDialogs
from studio.app.panels.panel_view import PanelView
from studio.app.takes.strip_view import TakeStripView
from studio.app.widgets.action import Action
from studio.app.widgets.binding import bind
from studio.app.widgets.icons import icon_pixmap
from studio.app.widgets.styling import ColouredStack, Styles
from studio.app.widgets.theme import Theme
from studio.app.window.announcer import Announcer
from studio.app.window.clipboard import ClipboardController
from studio.app.window.commands.palette import CommandPalette
from studio.app.window.commands.shortcuts import Shortcuts, focus_region, move_to_tab_end
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
from studio.app.window.geometry_keeper import GeometryKeeper
from studio.app.window.inspector import Inspector, InspectorEdge
from studio.app.window.job_list import JobBox, JobsPage
from studio.app.window.late_clicks import LateClickGuard
from studio.app.window.layout import DRAWER_ABOVE, WindowGrid, WindowParts
from studio.app.window.message_bar import MessageBar
from studio.app.window.pages import EnginePage, HelpPage, SettingsPage
from studio.app.window.panel_list import list_panels
from studio.app.window.panel_views import PanelViews
from studio.app.window.rail import Rail
from studio.app.window.take_strip import TakeStripController
from studio.app.window.top_bar import TopBar

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
        self._inspector_open = self._fits_beside(state.preferences.text_size.get())
        self._painted = False
        self._message: Any = None
        """The message that is shown."""
        self.dialogs = FileDialogs(state.messages, state.folders, self)
        self._clipboard = ClipboardController(state, self)
        self.entries = {entry.key: entry for entry in list_panels(theme, state, self.dialogs)}
        """All panels by key, in the order of the rail."""
        self.panels = PanelViews(self._build_panel)
        self._bars: dict[str, TopBar] = {}
        """The bars of the panels that were built."""
        self._choose_theme()
        self._apply_theme()
        self._build_parts()
        self._build_overlays()
        self.takes = TakeStripController(self.strip, state, lambda: self.open_panel)
        self._announcer = Announcer(self, state)
        self._window_actions = self._make_actions()
        self._shortcuts = Shortcuts(self, (self.stage, self.strip))
        self._shortcuts.add_actions(self._window_actions)
        self._connect()
        self._geometry = GeometryKeeper(self, state.geometry)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────

    def _build_parts(self) -> None:
        """Build the parts in the order of the Tab key."""
        theme = self._theme
        self.rail = Rail(theme, tuple(self.entries.values()))
        self.bars = QStackedWidget()
        self.stage = ColouredStack(theme, "canvas")
        self.inspector = Inspector(theme)
        self.strip = TakeStripView(theme)
        self.job_box = JobBox(theme)
        self.message = MessageBar(theme)
        self._regions = (
            self.rail,
            self.bars,
            self.stage,
            self.inspector,
            self.strip,
            self.job_box,
            self.message,
        )
        for part in self._regions:
            part.setParent(self)
        self.settings = SettingsPage(theme, self.state)
        self.help = HelpPage(theme)
        self.engine = EnginePage(theme, self.state)
        self.jobs_page = JobsPage(theme)
        self.inspector.add_page("settings", "Settings", self.settings)
        self.inspector.add_page("help", "Help", self.help)
        self.inspector.add_page("engine", "Engine", self.engine)
        self.inspector.add_page("queue", "Queue", self.jobs_page)

    def _build_overlays(self) -> None:
        """Build the layers over the parts, and place all of them."""
        theme = self._theme
        self.edge = InspectorEdge(self)
        self.drop_overlay = DropOverlay(theme, self)
        self._grid = WindowGrid(
            theme,
            self,
            WindowParts(*self._regions, self.edge, self.drop_overlay),
        )
        self.command_palette = CommandPalette(theme, self)
        self._focus_recovery = FocusRecovery(self, self.stage)
        self.ring = FocusRing(theme, self)
        self.late_clicks = LateClickGuard(self)
        self._styles = Styles(theme, self)
        parts = (self.rail, self.strip, self.job_box, self.message, self.drop_overlay, self.command_palette)
        for part in (*parts, *self._grid.lines, *self.inspector.styled_parts):
            self._styles.add_part(part)
        self.drop_target = DropTarget(self, self.state, self.drop_overlay)
        self.inspector.page_closed.connect(self._update_layout)

    def _build_panel(self, key: str) -> PanelView:
        """Build the widgets of a panel, which is about to be shown for the first time."""
        entry = self.entries[key]
        panel = entry.make()
        bar = TopBar(self._theme, self.state, entry, panel, self.add_model)
        bar.inspector_button.clicked.connect(self.toggle_inspector)
        self._bars[key] = bar
        self.bars.addWidget(bar)
        self.stage.addWidget(panel.stage)
        for part in (bar, panel.stage, *self.inspector.add_panel(key, panel.inspector, panel.foot)):
            self._styles.add_part(part)
            self.drop_target.refuse_drops(part)
        bind(panel.stage, self.state.smoothing.smooth, panel.show_smooth)
        self.takes.add_panel(panel)
        self._shortcuts.add_actions(panel.actions, key)
        self._order_tabs()
        return panel

    def _order_tabs(self) -> None:
        """Let Tab reach the inspector after the stage, then the strip, the queue and the message.

        Qt appends a new part of the window to the end of the order, and also a part that leaves and comes back.
        """
        focused = QApplication.focusWidget()
        self.inspector.setParent(None)
        self.inspector.setParent(self)
        self.inspector.show()
        self._grid.fill_cells()
        if focused is not None and self.inspector.isAncestorOf(focused):
            focused.setFocus(Qt.FocusReason.OtherFocusReason)
        move_to_tab_end((self.strip, self.job_box, self.message))

    def _connect(self) -> None:
        state = self.state
        preferences = state.preferences
        bind(self, state.panel, self._show_panel, self.rail.panel_chosen, state.show_panel)
        bind(self, state.engine_status, self.rail.engine_button.show_status)
        bind(self, state.messages.current, self._show_message, self.message.button_pressed, state.messages.press_button)
        bind(self, state.jobs.jobs, self.job_box.show_jobs, self.job_box.stop_requested, state.jobs.stop_job)
        bind(self, state.jobs.jobs, self.jobs_page.show_jobs, self.jobs_page.stop_requested, state.jobs.stop_job)
        self.jobs_page.start_requested.connect(state.jobs.start_requested)
        self.jobs_page.move_requested.connect(state.jobs.move_requested)
        preferences.text_size.changed.connect(self._fit_inspector)
        looks: tuple[Value[Any], ...] = (
            state.theme, state.contrast, preferences.reduced_motion, preferences.text_size,
        )  # fmt: skip
        for value in looks:
            value.changed.connect(self._restyle)
        sizes: tuple[Value[Any], ...] = (state.takes.takes, preferences.inspector_width, preferences.tree)
        for value in sizes:
            value.changed.connect(self._update_layout)
        preferences.single_keys.changed.connect(self._update_shortcuts)
        self._theme.changed.connect(self._apply_theme)
        self.message.dismissed.connect(state.messages.dismiss)
        self.job_box.opened.connect(lambda: self.toggle_page("queue"))
        self.rail.help.clicked.connect(lambda: self.toggle_page("help"))
        self.rail.settings.clicked.connect(lambda: self.toggle_page("settings"))
        self.rail.engine_button.clicked.connect(lambda: self.toggle_page("engine"))
        self.edge.dragged.connect(lambda width: preferences.set_inspector_width(width / self._theme.scale))

    @property
    def open_key(self) -> str:
        """Return the key of the open panel."""
        key = self.state.panel.get()
        return key if key in self.entries else next(iter(self.entries))

    @property
    def open_panel(self) -> PanelView:
        """Return the panel that is open."""
        return self.panels[self.open_key]

    @property
    def open_bar(self) -> TopBar:
        """Return the bar of the panel that is open."""
        return self._bars[self.open_key]

    # ── showing panels ───────────────────────────────────────────────────────────────────────────

    def _show_panel(self, _: str) -> None:
        before = QApplication.focusWidget()
        panel = self.open_panel
        self.rail.show_panel(self.open_key)
        self.bars.setCurrentWidget(self.open_bar)
        self.stage.setCurrentWidget(panel.stage)
        self.inspector.show_panel(self.open_key)
        self.takes.show_panel(panel)
        self._update_shortcuts()
        self._update_layout()
        # QStackedWidget focuses the first widget of its new page, often a button.
        self._focus_recovery.move_focus(before)

    def _show_message(self, said: Any) -> None:
        """Make room for the message; not while a mouse button is down, because widgets would move under it."""
        if said is self._message:
            return
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            QTimer.singleShot(POLL_INTERVAL, self, lambda: self._show_message(self.state.messages.current.get()))
            return
        self._message = said
        with self.late_clicks.moving_parts(self.message):
            self.message.show_message(said)
            self._update_layout()

    def toggle_page(self, key: str) -> None:
        """Open a page in the inspector, or close it if it is open."""
        if self.inspector.page == key:
            self.inspector.close_page()
            return
        if key == "help":
            self.help.show_help(self.open_key, self.current_actions)
        if key == "engine" and self.state.engine_status.get() in ("Ready", "Working"):
            self.state.run_doctor()
        self._inspector_open = True
        self.inspector.open_page(key)
        self._update_layout()

    # ── theme ────────────────────────────────────────────────────────────────────────────────────

    def _choose_theme(self) -> None:
        preferences = self.state.preferences
        scale = preferences.text_size.get() / 100
        still = preferences.reduced_motion.get()
        self._theme.choose_theme(self.state.theme.get(), self.state.contrast.get(), scale, still)

    def _apply_theme(self) -> None:
        theme = self._theme
        QApplication.setPalette(theme.palette())
        self.setFont(theme.font())
        self.setWindowIcon(QIcon(icon_pixmap("generate", theme.colour("accent"), 64)))

    def _restyle(self) -> None:
        """Apply the theme again, then place the parts, which have the new text size by then."""
        self._choose_theme()
        self._update_layout()

    # ── layout ───────────────────────────────────────────────────────────────────────────────────

    @staticmethod
    def _fits_beside(text_size: int) -> bool:
        """Return whether the inspector fits beside the stage."""
        return text_size / 100 <= DRAWER_ABOVE

    def _fit_inspector(self, text_size: int) -> None:
        """Close an inspector that would cover the stage, and open it again if there is room beside the stage."""
        self._inspector_open = self._fits_beside(text_size)

    def _update_layout(self) -> None:
        """Place every part, and let each fit itself to its room."""
        preferences = self.state.preferences
        is_open = self._inspector_open or self.inspector.page != ""
        tree = preferences.tree.get() and bool(self.state.takes.takes.get())
        self.strip.set_tree(tree)
        self.inspector.set_collapsed(not is_open)
        now = self._grid.plan(is_open, preferences.inspector_width.get(), tree)
        self.rail.set_narrow(now.narrow)
        self.strip.set_compact(now.low)
        self.job_box.set_compact(now.low)
        for panel in self.panels.values():
            panel.set_compact(now.low)
        for bar in self._bars.values():
            bar.set_narrow(now.narrow)
            bar.show_inspector_button(now.drawer or not is_open)
        self._grid.arrange(now)

    # ── actions and keys ─────────────────────────────────────────────────────────────────────────

    def _make_actions(self) -> tuple[Action, ...]:
        state = self.state
        page = self.toggle_page
        stop = ("Shift+Esc", "Ctrl+.") if sys.platform == "darwin" else ("Shift+Esc",)
        redo = ("Ctrl+Shift+Z", "Ctrl+Y") if sys.platform == "win32" else ("Ctrl+Shift+Z",)
        full = "Ctrl+Meta+F" if sys.platform == "darwin" else "F11"
        return (
            *(
                Action(entry.title, (f"Ctrl+{number}",), partial(state.show_panel, entry.key))
                for number, entry in enumerate(self.entries.values(), 1)
            ),
            Action("Stop", stop, state.stop_job),
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

    @property
    def current_actions(self) -> tuple[Action, ...]:
        """Return all actions that work in the open panel: the switches between panels, its own, the window's."""
        switches = len(self.entries)
        return (*self._window_actions[:switches], *self.open_panel.actions, *self._window_actions[switches:])

    def _update_shortcuts(self) -> None:
        self._shortcuts.enable_shortcuts(self.open_key, self.state.preferences.single_keys.get())

    def open_palette(self) -> None:
        """Open the palette with everything that can be done, set and chosen now."""
        able = [action for action in self.current_actions if action.enabled is None or action.enabled.get()]
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
            self._inspector_open = True
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
        able = (key for key in (self.open_key, *self.entries) if self.entries[key].model_filter(trained))
        if trained is not None and (key := next(able, None)) is not None:
            self.state.show_panel(key)
            self.panels[key].choose_model(name)

    def ask_file(self) -> None:
        """Ask for a file or a folder that the open panel can open."""
        if self.open_key == "train":
            self.dialogs.ask_source_folder(self.state.train.open_folder)
            return
        self.dialogs.ask_file(SOUNDS if self.open_key == "sound" else WORKS, self.state.open_file)

    def add_model(self) -> None:
        self.dialogs.ask_file("Models (*.safetensors)", self.state.models.add_model)

    def toggle_inspector(self) -> None:
        if self._inspector_open and self.inspector.page:
            self.inspector.close_page()
        self._inspector_open = not self._inspector_open
        self._update_layout()

    def toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def focus_region(self, by: int) -> None:
        """Focus the next or previous part of the window that can have the focus."""
        focus_region(self._regions, QApplication.focusWidget(), by)

    def close_or_leave(self) -> None:
        """Close what is open, else leave full screen; never a job."""
        if self.command_palette.isVisible():
            self.command_palette.close_palette()
        elif self.inspector.close_page() or self.open_panel.close_open():
            self._update_layout()
        elif self._inspector_open and not self._fits_beside(self.state.preferences.text_size.get()):
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
            self.late_clicks.watch_presses()
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
