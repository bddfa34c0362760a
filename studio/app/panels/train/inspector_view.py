"""Shows the settings of the next training or the actions of a run, and the past runs."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLineEdit, QWidget

from studio.app.engine.computers import computer_name
from studio.app.panels.train import costs, wording
from studio.app.panels.train.form_view import make_form
from studio.app.panels.train.preparation_view import PreparationSection
from studio.app.panels.train.recipe_view import RecipeSection
from studio.app.panels.train.runs_view import RunsSection
from studio.app.panels.train.settings import PRESETS
from studio.app.panels.train.state import TrainState
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    ElidedLabel,
    Label,
    SegmentedControl,
    clear_layout,
    make_row,
    set_tooltip,
)
from studio.app.widgets.theme import Theme


class AtWorkSection(Column):
    """Leads back to the run at work while the next one is prepared."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 6)
        self._state = state
        self.show_run = Button(theme, "Show it", "link", tooltip="Show the curve and the samples of this training")
        self.title = ElidedLabel("", "strong")
        self.progress = ElidedLabel("", "note")
        self.add_widgets(make_row(Label("Training", "heading"), 0, self.show_run), self.title, self.progress)
        self.show_run.clicked.connect(state.show_run_at_work)
        bind_all(self, (state.page, state.run.shown, state.run.phase, state.run.progress), self._show)

    def _show(self, _: object) -> None:
        run = self._state.run
        shown = run.shown.get()
        self.setVisible(shown is not None and self._state.page.get() != "run")
        if shown is not None:
            self.title.show_text(shown.title)
            self.progress.show_text(wording.progress_text(run))


class FolderSection(Column):
    """Shows the folder and how many of its files are used."""

    choose_requested = Signal()

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 6)
        self._state = state
        self.files = Button(theme, "Show files", "link", tooltip="Show every file, used or skipped, and why")
        self.choose = Button(
            theme, "", "small", "folder", "Choose a folder…", "Choose the folder to learn from", "Ctrl+O"
        )
        self.name = ElidedLabel("", "strong")
        field = QFrame()
        field.setProperty("role", "field")
        line = QHBoxLayout(field)
        line.setContentsMargins(8, 0, 2, 0)
        line.addWidget(self.name, 1)
        line.addWidget(self.choose)
        self._counts = QGridLayout()
        self._counts.setHorizontalSpacing(10)
        self._counts.setVerticalSpacing(4)
        self._counts.setColumnStretch(1, 1)
        self.add_widgets(make_row(Label("Folder", "heading"), 0, self.files), field)
        self.rows.addLayout(self._counts)
        self._shown: list[tuple[int, str, bool]] = []
        self.choose.clicked.connect(self.choose_requested)
        self.files.clicked.connect(state.show_files)
        state.folder.grew.connect(self._show)
        bind_all(self, (state.folder.source, state.folder.report, state.folder.excluded), lambda _: self._show())

    def _show(self) -> None:
        folder = self._state.folder
        self.name.show_text(folder.name or "None yet")
        self.files.setEnabled(bool(folder.files))
        rows = wording.folder_counts(folder)
        if rows == self._shown:
            return
        self._shown = rows
        clear_layout(self._counts)
        for place, (count, words, look) in enumerate(rows):
            self._counts.addWidget(Label(f"{count:,}", "warn" if look else "strong"), place, 0)
            self._counts.addWidget(Label(words, "note", wrap=True), place, 1)


class ModelSection(Column):
    """Shows the settings of the next training."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 10)
        self._state = state
        settings = state.settings
        self.name = QLineEdit()
        self.name.setAccessibleName("Name")
        set_tooltip(self.name, "Choose a name for the model")
        self.family = ChoiceField(theme, "Family", "Choose what you want to do with the model")
        self.start = ChoiceField(theme, "Start from", "Begin from a trained model instead of from nothing")
        self.computer = ChoiceField(theme, "Where", "Choose the computer that learns. The files stay here")
        self.preset = SegmentedControl(
            theme,
            "Size of the model",
            [(key, key.capitalize()) for key in PRESETS],
            tooltip="Choose how large the model is. Larger ones learn more and take longer",
            tight=True,
        )
        for field in (self.family, self.start, self.computer):
            field.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            field.setMinimumContentsLength(8)
        self.cost = Label("", "strong", wrap=True)
        self.measured = Label("", "note", wrap=True)
        self.recipe = RecipeSection(theme, settings)
        self.ending = SegmentedControl(
            theme,
            "When to stop",
            (("early", "By itself"), ("steps", "After all steps")),
            tooltip="Stop once it gets no better, or learn for all steps",
            tight=True,
        )
        self.ending_note = Label("", "note", wrap=True)
        self.add_section("Model")
        self.rows.addLayout(make_form(theme, [("Name", self.name), ("Family", self.family), ("Start", self.start)]))
        self._where = QWidget()
        where = make_form(theme, [("Where", self.computer)])
        where.setContentsMargins(0, 0, 0, 0)
        self._where.setLayout(where)
        self.add_widgets(self._where, self.preset, self.cost, self.measured, self.recipe)
        self.add_section("When to stop")
        self.add_widgets(self.ending, self.ending_note)
        bind(self, settings.title, self._show_name)
        bind(self, state.folder.source, self._show_name)
        self.name.editingFinished.connect(lambda: settings.set_title(self.name.text()))
        bind(self, settings.family, self._show_family, self.family.activated, self._choose_family)
        bind(self, state.folder.report, self._show_family)
        bind(self, state.preparation.has_classes, self._show_start)
        bind(self, settings.start_model, self._show_start, self.start.activated, self._choose_start)
        bind(self, state.folder.report, self._show_start)
        bind(self, state.models.cards, self._show_start)
        bind(self, settings.preset, self.preset.show_choice, self.preset.chosen, settings.choose_preset)
        bind(self, settings.presets, self._show_presets)
        bind_all(self, (settings.cost, settings.prepared, settings.fault), self._show_cost)
        self.computer.activated.connect(lambda place: settings.choose_computer(self.computer.itemData(place)))
        bind_all(self, (state.computers.hosts, settings.computer), self._show_computers)
        bind(self, settings.stops_early, self._show_ending, self.ending.chosen, self._choose_ending)

    def _show_name(self, _: object) -> None:
        if not (self.name.hasFocus() and self.name.isModified()):
            self.name.setText(self._state.settings.title.get())
        self.name.setPlaceholderText(self._state.settings.shown_title)

    def _show_family(self, _: object) -> None:
        settings = self._state.settings
        family_uses = settings.family_uses()
        self.family.clear()
        for family_use in family_uses:
            self.family.addItem(f"{family_use.use}: {family_use.title}", family_use.family)
        self.family.setCurrentIndex(self.family.findData(settings.family.get()))

    def _show_presets(self, presets: tuple[str, ...]) -> None:
        for preset in PRESETS:
            self.preset.button_of(preset).setVisible(preset in presets)

    def _choose_family(self, place: int) -> None:
        self._state.settings.choose_family(self.family.itemData(place))

    def _show_start(self, _: object) -> None:
        settings = self._state.settings
        now = settings.start_model.get()
        self.start.clear()
        self.start.addItem("From nothing", "")
        for trained in settings.start_models():
            self.start.addItem(f"{trained.card.title} · {trained.card.size_text}", trained.card.name)
        self.start.setCurrentIndex(max(0, self.start.findData(now.card.name if now is not None else "")))
        self.preset.setVisible(now is None)
        self.family.setEnabled(now is None)

    def _choose_start(self, place: int) -> None:
        self._state.settings.choose_start(self.start.itemData(place))

    def _show_computers(self, _: object) -> None:
        hosts = self._state.computers.hosts.get()
        self._where.setVisible(bool(hosts))
        self.computer.clear()
        for host in ("", *hosts):
            self.computer.addItem(computer_name(host), host)
        self.computer.setCurrentIndex(max(0, self.computer.findData(self._state.settings.computer.get())))

    def _show_cost(self, _: object) -> None:
        settings = self._state.settings
        cost = settings.cost.get()
        host = settings.computer.get()
        fault = settings.fault.get()
        self.cost.setVisible(cost is not None)
        words = ""
        if fault:
            words = fault
        elif cost is None:
            place = f" on {host}" if host else ""
            words = f"Trying a few steps{place} …" if self._state.folder.report.get() is not None else ""
        elif cost.memory > cost.free_memory:
            self.cost.setText(f"{costs.size_text(cost.memory)} memory")
            words = f"{costs.size_text(cost.free_memory)} are free. Choose a smaller size."
        else:
            self.cost.setText(costs.cost_text(settings.seconds, cost.memory, cost.disk))
            place = f"on {host}" if host else "here"
            words = f"For {settings.steps:,} steps, as measured {place} · {cost.parameters:,} weights"
        self.measured.setText(words)
        self.measured.setVisible(bool(words))

    def _show_ending(self, early: bool) -> None:
        self.ending.show_choice("early" if early else "steps")
        self.ending_note.setText(
            "It stops once it gets no better at unseen files."
            if early
            else "It learns for all steps. The best model is kept."
        )

    def _choose_ending(self, choice: str) -> None:
        self._state.settings.set_stops_early(choice == "early")


class RunSection(Column):
    """Shows the actions of the visible run."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme, 10)
        self._state = state
        self.facts = Label("", "note", wrap=True)
        self.source = ElidedLabel("", "note")
        self.sample = Button(theme, "Sample now", tooltip="Make samples at this moment", keys="Ctrl+Shift+G")
        self.play = Button(theme, "Open in Explore", tooltip="Play with the newest weights while it learns")
        self.generate = Button(theme, "Open in Generate", tooltip="Make pictures with the newest weights")
        self.leave = Button(theme, "New training", "link", tooltip="Show the folder again, to train another model")
        self.add_widgets(
            make_row(Label("This run", "heading"), 0, self.leave),
            self.facts,
            self.source,
            self.sample,
            self.play,
            self.generate,
        )
        self.leave.clicked.connect(state.leave_run)
        self.sample.clicked.connect(state.run.sample_now)
        self.play.clicked.connect(lambda: state.play(self.target))
        self.generate.clicked.connect(lambda: state.play("generate"))
        bind_all(self, (state.run.phase, state.run.shown, state.run.sampling, state.run.publishing), self._show)

    @property
    def target(self) -> str:
        """Return the panel in which the model is best played with."""
        shown = self._state.run.shown.get()
        return shown.play_panel if shown is not None else "explore"

    def _show(self, _: object) -> None:
        run = self._state.run
        shown = run.shown.get()
        phase = run.phase.get()
        if shown is None:
            return
        self.facts.setText(wording.run_facts(shown))
        self.source.show_text(f"Learns from {shown.source}" if shown.source else "Its folder is not known.")
        self.leave.setVisible(phase != "finished")
        running = phase == "running"
        self.sample.setEnabled(running and not run.sampling.get())
        self.sample.set_text("Drawing …" if run.sampling.get() else "Sample now")
        able = (running and not run.publishing.get()) or phase == "finished"
        self.play.set_text(f"Open in {self.target.capitalize()}")
        self.play.setEnabled(able)
        self.generate.setEnabled(able)
        self.generate.setVisible(self.target != "sound")


class TrainInspector(Column):
    """Shows the folder, the settings or the run, and the past runs."""

    def __init__(self, theme: Theme, state: TrainState) -> None:
        super().__init__(theme)
        self.folder = FolderSection(theme, state)
        self.preparation = PreparationSection(theme, state)
        self.model = ModelSection(theme, state)
        self.run = RunSection(theme, state)
        self.past = RunsSection(theme, state)
        self.at_work = AtWorkSection(theme, state)
        self.add_widgets(self.at_work, self.folder, self.preparation, self.model, self.run, self.past)
        self.add_stretch()
        self._state = state
        bind_all(self, (state.page, state.folder.report), self._show)

    def _show(self, _: object) -> None:
        page = self._state.page.get()
        self.folder.setVisible(page != "run")
        self.preparation.setVisible(page == "folder" and self._state.folder.report.get() is not None)
        self.model.setVisible(page == "folder")
        self.run.setVisible(page == "run")
