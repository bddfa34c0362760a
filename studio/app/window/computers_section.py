"""Shows the computers that can generate, lets the user add and remove them, and tells what a test found there."""

from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from studio.app.engine.computers import Computers, computer_name
from studio.app.widgets.binding import bind, bind_all
from studio.app.widgets.controls import (
    Button,
    ChoiceField,
    Column,
    ElidedLabel,
    Label,
    clear_layout,
    make_row,
    set_tooltip,
)
from studio.app.widgets.theme import Theme

HOW_TO_ADD = "Its ssh server must accept your key. Latent Studio must be installed there."


class ComputerRow(QWidget):
    """Shows one other computer: its name, what the last test found, and what can be done with it."""

    def __init__(self, theme: Theme, host: str, computers: Computers) -> None:
        super().__init__()
        self._host = host
        self._computers = computers
        self.test = Button(
            theme, "Test", "link", accessible_name=f"Test {host}", tooltip="See whether Latent Studio can run there"
        )
        self.remove = Button(
            theme, "Remove", "link", accessible_name=f"Remove {host}", tooltip="Leave this computer out of the list"
        )
        self.result = Label("", "note", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.scaled(2))
        column.addWidget(ElidedLabel(host, "body"))
        column.addWidget(self.result)
        column.addWidget(make_row(self.test, 0, self.remove, spacing=16))
        self.test.clicked.connect(lambda: computers.test(host))
        self.remove.clicked.connect(lambda: computers.remove(host))
        bind(self, computers.results, self._show_result)

    def _show_result(self, results: dict[str, tuple[str, bool]]) -> None:
        words, _ = results.get(self._host, ("Not tested yet.", False))
        self.result.setText(words)
        self.test.setEnabled(not self._computers.is_tested(self._host))


class ComputersSection(Column):
    """Chooses the computer that generates, and lists the others."""

    def __init__(self, theme: Theme, computers: Computers) -> None:
        super().__init__(theme)
        self._computers = computers
        self.generating = ChoiceField(theme, "Generate on", "Choose the computer that makes pictures and sounds")
        self.generating.setSizeAdjustPolicy(ChoiceField.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.generating.setMinimumContentsLength(8)
        self.rows_by_host: dict[str, ComputerRow] = {}
        """The row of each other computer."""
        self._list = QVBoxLayout()
        self._list.setSpacing(theme.scaled(12))
        self.name = QLineEdit()
        self.name.setAccessibleName("Other computer")
        self.name.setPlaceholderText("ada@garden")
        set_tooltip(self.name, "Add a computer by its name, as ssh takes it")
        self.add = Button(theme, "Add", tooltip="Add this computer and see whether it can be used")
        self.note = Label("", "note", wrap=True)
        title = Label("Generate on", "strong")
        title.setBuddy(self.generating)
        heading = Label("Other computers", "strong")
        heading.setBuddy(self.name)
        self.add_widgets(title, self.generating, heading)
        self.rows.addLayout(self._list)
        self.add_widgets(make_row(self.name, self.add), self.note)
        self.add.clicked.connect(self._add)
        self.name.returnPressed.connect(self._add)
        self.name.textEdited.connect(lambda _: self._show_note(""))
        bind(self, computers.hosts, self._show_hosts)
        bind_all(self, (computers.hosts, computers.generating), self._show_generating)
        self.generating.activated.connect(lambda place: computers.choose(self.generating.itemData(place)))
        self._show_note("")

    def _add(self) -> None:
        fault = self._computers.add(self.name.text())
        self._show_note(fault)
        if not fault:
            self.name.clear()

    def _show_note(self, fault: str) -> None:
        self.note.setText(fault or HOW_TO_ADD)

    def _show_hosts(self, hosts: tuple[str, ...]) -> None:
        clear_layout(self._list)
        self.rows_by_host = {host: ComputerRow(self._theme, host, self._computers) for host in hosts}
        for row in self.rows_by_host.values():
            self._list.addWidget(row)

    def _show_generating(self, _: object) -> None:
        self.generating.clear()
        for host in ("", *self._computers.hosts.get()):
            self.generating.addItem(computer_name(host), host)
        self.generating.setCurrentIndex(max(0, self.generating.findData(self._computers.generating.get())))
