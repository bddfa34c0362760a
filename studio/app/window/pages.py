"""Holds the pages that open in the inspector: settings, help, the engine's state, the queue."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from studio.app.app_state import AppState, window_log_path
from studio.app.core.preferences import TEXT_SIZES, Preferences
from studio.app.widgets.action import Action, native_keys
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    ElidedLabel,
    Hairline,
    Label,
    SegmentedControl,
    clear_layout,
    make_row,
)
from studio.app.widgets.icons import RESOURCES
from studio.app.widgets.theme import Theme
from studio.app.window.computers_section import ComputersSection

DEVICES = (("", "Automatic"), ("cpu", "Processor"), ("cuda", "NVIDIA graphics card"), ("mps", "Apple graphics"))


class SettingsPage(Column):
    """Shows the settings: appearance, text size, motion, device, single keys, other computers.

    `fields` lists each setting with its title.
    """

    def __init__(self, theme: Theme, state: AppState) -> None:
        super().__init__(theme)
        self.theme = SegmentedControl(theme, "Theme", (("system", "System"), ("dark", "Dark"), ("light", "Light")))
        self.contrast = SegmentedControl(
            theme, "Contrast", (("system", "System"), ("normal", "Normal"), ("high", "High"))
        )
        self.text_size = SegmentedControl(
            theme,
            "Text size in %",
            [(str(s), str(s)) for s in TEXT_SIZES],
            tooltip="Set the size of text and controls",
            tight=True,
        )
        self.motion = SegmentedControl(
            theme, "Motion", (("full", "Full"), ("less", "Reduced")), tooltip="Choose whether anything moves by itself"
        )
        self.letters = SegmentedControl(
            theme,
            "Single keys",
            (("on", "On"), ("off", "Off")),
            tooltip="Use keys such as X and R on the stage",
        )
        self.device = ChoiceField(theme, "Device", "Choose what the engine works on from the next start")
        for key, words in DEVICES:
            self.device.addItem(words, key)
        self._note = Label("", "note", wrap=True)
        self.computers = ComputersSection(theme, state.computers)
        self.fields: tuple[tuple[str, QWidget], ...] = (
            ("Theme", self.theme), ("Contrast", self.contrast), ("Text size in %", self.text_size),
            ("Motion", self.motion), ("Single keys", self.letters), ("Device", self.device),
        )  # fmt: skip
        for title, field in self.fields:
            name = Label(title, "strong")
            name.setBuddy(field)
            self.add_widgets(name, field)
        self.add_widgets(self._note)
        self.add_section("Computers")
        self.add_widgets(self.computers)
        self.add_stretch()
        self.fields += (("Generate on", self.computers.generating), ("Other computers", self.computers.name))
        bind(self, state.theme, self.theme.show_choice, self.theme.chosen, state.theme.set)
        bind(self, state.contrast, self.contrast.show_choice, self.contrast.chosen, state.contrast.set)
        self._bind_preferences(state.preferences)
        bind_all(self, (state.device, state.computers.generating), lambda _: self._show_device(state))

    def _bind_preferences(self, preferences: Preferences) -> None:
        size = preferences.text_size
        still = preferences.reduced_motion
        keys = preferences.single_keys
        bind(self, size, lambda now: self.text_size.show_choice(str(now)))
        bind(self, still, lambda less: self.motion.show_choice("less" if less else "full"))
        bind(self, keys, lambda on: self.letters.show_choice("on" if on else "off"))
        bind(self, preferences.device, lambda key: self.device.setCurrentIndex(max(0, self.device.findData(key))))
        self.text_size.chosen.connect(lambda chosen: size.set(int(chosen)))
        self.motion.chosen.connect(lambda chosen: still.set(chosen == "less"))
        self.letters.chosen.connect(lambda chosen: keys.set(chosen == "on"))
        self.device.activated.connect(lambda place: preferences.device.set(self.device.itemData(place)))

    def _show_device(self, state: AppState) -> None:
        words = state.device.get()
        now = f"It works on: {words}. " if words and not state.computers.generating.get() else ""
        self._note.setText(f"{now}A change takes effect at the next start.")


class HelpPage(Column):
    """Shows the help page of a panel, and every action with its key."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._page = QVBoxLayout()
        self._page.setSpacing(10)
        self.rows.addLayout(self._page)
        self.add_stretch()

    def show_help(self, name: str, actions: Sequence[Action]) -> None:
        """Show a help page, with the keys of its panel."""
        path = RESOURCES / "help" / f"{name}.md"
        text = path.read_text("utf-8").strip() if path.is_file() else ""
        clear_layout(self._page)
        for paragraph in text.split("\n\n"):
            title = paragraph.startswith("#")
            words = paragraph.lstrip("# ").replace("**", "")
            self._page.addWidget(Label(words, "name" if title else "soft", wrap=True))
        self._page.addWidget(Hairline())
        self._page.addWidget(Label("Keys", "heading"))
        for action in actions:
            if action.keys:
                self._page.addWidget(make_row(Label(action.title), 0, Label(native_keys(action.keys[0]), "note")))


class EnginePage(Column):
    """Shows what the engine's computer has, as Doctor found it, and the recent messages.

    Doctor takes a moment, so its findings stand below everything that can be clicked, which stays where it is.
    """

    def __init__(self, theme: Theme, state: AppState) -> None:
        super().__init__(theme, 8)
        self._state = state
        self.status_label = Label("", "name", wrap=True)
        self.look_again = Button(theme, "Look again", tooltip="Ask the engine what this computer has")
        self._findings = QVBoxLayout()
        self._messages = QVBoxLayout()
        self._filled: dict[QVBoxLayout, list[tuple[str, str]]] = {}
        self.add_widgets(self.status_label, self.look_again)
        self.add_section("Log of this window")
        self.log = ElidedLabel(str(window_log_path()), "note")
        self.show_log = Button(theme, "Show the log", "link", tooltip="Show the folder of the log")
        self.add_widgets(self.log, make_row(self.show_log, 0))
        self.add_section("What it has")
        self.rows.addLayout(self._findings)
        self.add_section("Recent messages")
        self.rows.addLayout(self._messages)
        self.add_stretch()
        self.look_again.clicked.connect(self.run_doctor)
        self.show_log.clicked.connect(state.show_log)
        bind_all(self, (state.engine_status, state.device, state.computers.generating), self._show_status)
        bind(self, state.findings, self._show_findings)
        bind(self, state.messages.history, self._show_messages)

    def run_doctor(self) -> None:
        """Start a stopped engine, or run Doctor in a running one."""
        if self._state.engine_status.get() == "Stopped":
            self._state.engine.start()
        else:
            self._state.run_doctor()

    def _show_status(self, _: str) -> None:
        status = self._state.engine_status.get()
        device = self._state.device.get()
        host = self._state.computers.generating.get()
        place = f" On {host}." if host else ""
        self.status_label.setText(f"{status}.{place} {device}".strip())
        self.look_again.set_text("Start the engine" if status == "Stopped" else "Look again")

    def _show_findings(self, findings: Sequence[tuple[str, bool, str]]) -> None:
        lines = [(f"{what}: {found}", "note" if fine else "warn") for what, fine, found in findings]
        self._fill_column(self._findings, lines or [("Nothing yet.", "note")])

    def _show_messages(self, said: Sequence[Any]) -> None:
        roles = {"info": "note", "warn": "note", "failed": "danger"}
        lines = [(one.text, roles[one.severity]) for one in reversed(said)]
        self._fill_column(self._messages, lines or [("Nothing yet.", "note")])

    def _fill_column(self, column: QVBoxLayout, lines: list[tuple[str, str]]) -> None:
        """Show lines; if they are the same as before, the labels stay, with the text that is selected in them."""
        if self._filled.get(column) == lines:
            return
        self._filled[column] = lines
        clear_layout(column)
        for text, role in lines:
            label = Label(text, role, wrap=True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(label)
