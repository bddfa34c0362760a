"""The panel Generate: choose a model, set what to make, watch it form, keep it."""

from dataclasses import replace

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from studio.app.states.generate import MOST, Generate
from studio.app.states.queue import about
from studio.app.states.said import Words
from studio.app.states.window import Window
from studio.app.views.acts import Act
from studio.app.views.bind import bind
from studio.app.views.caption import MainButton
from studio.app.views.controls import Button, Label
from studio.app.views.dial_rows import DialRows, made_by
from studio.app.views.dialogs import Dialogs
from studio.app.views.export_section import ExportSection
from studio.app.views.generate_stage import GenerateStage
from studio.app.views.model_card import ModelCard
from studio.app.views.pages import Column
from studio.app.views.panel import Panel
from studio.app.views.theme import Look


class GenerateInspector(Column):
    """The card of the model, and what to make."""

    def __init__(self, look: Look, state: Window) -> None:
        super().__init__(look)
        generate = state.generate
        self.card = ModelCard(look, state.models)
        self.dials = DialRows(look, generate.dials, generate.history, MOST)
        self.section("Model", first=True)
        self.add(self.card)
        self.section("What to make")
        self.export = ExportSection(look, state.exporting, generate.model, several=True)
        self.add(self.dials, self.export)
        self.end()
        bind(self, generate.model, self.card.show_model)


class GenerateFoot(QWidget):
    """The main button, and Save all."""

    def __init__(self, look: Look, state: Window, dialogs: Dialogs) -> None:
        super().__init__()
        self._generate: Generate = state.generate
        generate = self._generate
        self._dialogs = dialogs
        self._exporting = state.exporting
        self.time = Label("", "note", wrap=True)
        self.save_all = Button(look, "Save all…", help="Save every picture that is kept", keys="Ctrl+Shift+S")
        self.main = MainButton(look, "Generate", "Make the pictures")
        line = QHBoxLayout()
        line.setSpacing(12)
        line.addWidget(self.save_all, 2)
        line.addWidget(self.main, 3)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.time)
        column.addLayout(line)
        self.main.clicked.connect(self.press)
        self.save_all.clicked.connect(self.ask_where)
        bind(self, generate.grid.main, self._show_main)
        bind(self, generate.can_start, self._show_main)
        bind(self, generate.can_save, self.save_all.setVisible)
        bind(self, generate.dials.number, self._show_time)
        bind(self, generate.model, self._show_time)
        bind(self, generate.cells, self._show_time)
        bind(self, generate.grid.compiling, self._show_time)

    def press(self) -> None:
        if self._generate.grid.running.get():
            self._generate.grid.stop()
        else:
            self._generate.generate()

    def ask_where(self) -> None:
        """Ask for the folder of all pictures, or for the name of their sheet."""
        on_sheet = self._exporting.on_sheet.get() and self._generate.name_of_sheet()
        if on_sheet:
            self._dialogs.save(self._generate.name_of_sheet(), self._generate.save_sheet)
        elif self._generate.can_save.get():
            self._dialogs.folder(self._generate.save_all)

    def _show_main(self, _: object) -> None:
        words = self._generate.grid.main.get()
        self.main.show_words(words)
        self.main.setEnabled(words == "Stop" or (words == "Generate" and self._generate.can_start.get()))

    def _show_time(self, _: object) -> None:
        trained, number = self._generate.model.get(), self._generate.dials.number.get()
        seconds = trained.card.seconds_each * number if trained is not None else 0.0
        told = seconds > 0 and not self._generate.cells.get()
        many = Words(made_by(trained)).count(number)
        first = trained is not None and trained.card.keeps and self._generate.grid.compiling.get()
        longer = ". The first run on this computer takes longer." if first else ""
        self.time.setText(f"{many} in {about(seconds)}{longer}" if told else "")
        self.time.setVisible(told)


def panel(look: Look, state: Window, dialogs: Dialogs) -> Panel:
    """Generate, ready for the frame."""
    generate = state.generate
    stage = GenerateStage(look, state, dialogs)
    foot = GenerateFoot(look, state, dialogs)
    acts = (
        Act("Generate", ("Ctrl+Return", "Ctrl+Enter"), generate.generate),
        Act("Save all…", ("Ctrl+Shift+S",), foot.ask_where, can=generate.can_save),
        Act("Save this picture…", ("Ctrl+E",), lambda: stage.act("save")),
        Act("Copy this picture", ("Ctrl+C",), generate.copy),
        Act("Open in Explore", ("Ctrl+Shift+X",), lambda: stage.act("explore")),
        Act("Open in Complete", ("Ctrl+Shift+C",), lambda: stage.act("complete")),
        Act("New seed", ("R",), generate.dials.new_seed, "stage"),
        Act("Lock seed", ("L",), lambda: generate.dials.lock(not generate.dials.locked.get()), "stage"),
        Act("Next picture", (), lambda: stage.step(1)),
        Act("Previous picture", (), lambda: stage.step(-1)),
        Act("Go on", (), generate.grid.go_on, can=generate.grid.can_go_on),
        Act("Doubt", ("V",), lambda: generate.grid.watch(not generate.doubt.on.get()), "stage"),
        Act("Row marker", ("W",), stage.focus_marker, "stage"),
        Act("Pick the colour of a pixel", ("O",), stage.pick_colour, "stage"),
        Act("Branch here", ("K",), stage.branch, "stage"),
    )

    def smooth(on: bool) -> None:
        stage.grid.show_smooth(on)
        stage.page.view.show_smooth(on)

    return Panel(
        key="generate",
        title="Generate",
        drawing="generate",
        help="Make pictures from a trained model",
        stage=stage,
        inspector=GenerateInspector(look, state),
        foot=foot,
        model=generate.model,
        choose_model=generate.choose_model,
        history=generate.history,
        keep=lambda: stage.act("keep"),
        acts=tuple(replace(act, panel="generate") for act in acts),
        close=stage.close_large,
        zoom=stage.page.view.zoom,
        show_smooth=smooth,
        set_compact=stage.set_compact,
        strip=generate.strip,
        cells=generate.grid,
        show_take=generate.closeup.show_take,
        branch=stage.ready,
    )
