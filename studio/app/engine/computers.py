"""Holds the computers on which an engine can run, and tests whether they can be used."""

import os
from functools import partial

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from studio import __version__
from studio.app.core.observable import Field, State, Value, of_type
from studio.app.engine import ssh
from studio.app.engine.process import EnginePipe
from studio.wire.messages import PROTOCOL_VERSION, AnyEvent, Failed, Ready, Starting

THIS_COMPUTER = "This computer"
MAX_COMPUTERS = 32
TEST_SECONDS = 120.0
"""Seconds after which a test ends. Torch may come from a cold disk there."""
TESTING = "Connecting …"


class ConnectionTest(QObject):
    """Starts an engine on another computer once, and reports in words what is there.

    Signals: `ended` the result in words, and whether an engine can run there.
    """

    ended = Signal(str, bool)

    def __init__(self, host: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._host = host
        self._log: list[str] = []
        self._version = ""
        self._is_over = False
        self._pipe = EnginePipe(lambda event: None)
        for signal, slot in (
            (self._pipe.event_received, self._receive),
            (self._pipe.unreadable, self._on_unreadable),
            (self._pipe.logged, self._keep_log),
            (self._pipe.ended, self._on_ended),
        ):
            signal.connect(slot, Qt.ConnectionType.QueuedConnection)
        self._limit = QTimer(self)
        self._limit.setSingleShot(True)
        self._limit.timeout.connect(lambda: self._end(f'"{host}" did not answer within 2 minutes.', False))

    def start(self) -> None:
        self._limit.start(round(TEST_SECONDS * 1000))
        self._pipe.start(ssh.remote_program(self._host), dict(os.environ))

    def close(self) -> None:
        """End the connection and report nothing."""
        self._is_over = True
        self._limit.stop()
        self._pipe.end_input()

    @Slot(object, object)
    def _receive(self, pipe: EnginePipe, event: AnyEvent) -> None:
        match event:
            case Starting(protocol=protocol, version=version):
                self._version = version
                if (protocol, version) != (PROTOCOL_VERSION, __version__):
                    self._end(ssh.explain_version(self._host, version, __version__), False)
            case Ready(device=device):
                self._end(f"Latent Studio {self._version}. {device}.", True)
            case Failed(job="", reason=reason, hint=hint):
                self._end(f"{reason} {hint}".strip(), False)

    @Slot(object, str)
    def _keep_log(self, pipe: EnginePipe, line: str) -> None:
        self._log.append(line)

    @Slot(object, str)
    def _on_unreadable(self, pipe: EnginePipe, fault: str) -> None:
        self._end(f'"{self._host}" prints text before the engine starts. Silence its shell\'s start-up files.', False)

    @Slot(object, str)
    def _on_ended(self, pipe: EnginePipe, why: str) -> None:
        if why:
            self._end(f"ssh could not be started here: {why}. Install it first.", False)
        else:
            self._end(ssh.explain_failure(self._host, self._log, self._pipe.exit_status), False)

    def _end(self, text: str, works: bool) -> None:
        if not self._is_over:
            self.close()
            self.ended.emit(text, works)


class Computers(State):
    """Holds the computers that the user has added, and the one that generates. An empty name is this computer."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.hosts: Value[tuple[str, ...]] = Value((), self)
        """The other computers, as `ssh` takes them."""
        self.generating: Value[str] = Value("", self)
        """The computer that generates."""
        self.results: Value[dict[str, tuple[str, bool]]] = Value({}, self)
        """The result of the last test of each computer: its words, and whether an engine can run there."""
        self._tests: dict[str, ConnectionTest] = {}
        self.fields = (
            Field("hosts", lambda: list(self.hosts.get()), self._restore_hosts),
            Field("generating", self.generating.get, self._restore_generating),
        )

    def add(self, text: str) -> str:
        """Add a computer and test it. Return why it cannot be added; empty if it was."""
        try:
            host = ssh.check_host(text)
        except ssh.BadHost as fault:
            return str(fault)
        hosts = self.hosts.get()
        if host in hosts:
            return f'"{host}" is in the list already.'
        if len(hosts) >= MAX_COMPUTERS:
            return f"The list holds {MAX_COMPUTERS} computers. Remove one first."
        self.hosts.set((*hosts, host))
        self.test(host)
        return ""

    def remove(self, host: str) -> None:
        """Remove a computer. If it generates, this one does from now on."""
        self._end_test(host)
        self.hosts.set(tuple(other for other in self.hosts.get() if other != host))
        self.results.set({other: result for other, result in self.results.get().items() if other != host})
        if self.generating.get() == host:
            self.generating.set("")

    def choose(self, host: str) -> None:
        """Generate on another computer from now on; an empty name is this one."""
        if not host or host in self.hosts.get():
            self.generating.set(host)

    def return_home(self) -> None:
        """Generate on this computer from now on."""
        self.choose("")

    def test(self, host: str) -> None:
        """Look for the studio on a computer; the answer arrives in `results`."""
        self._end_test(host)
        self._show_result(host, TESTING, False)
        self._tests[host] = test = ConnectionTest(host, self)
        test.ended.connect(partial(self._show_result, host))
        test.start()

    def is_tested(self, host: str) -> bool:
        """Return whether a computer is being tested."""
        return self.results.get().get(host, ("", False))[0] == TESTING

    def close(self) -> None:
        """End all tests."""
        for host in list(self._tests):
            self._end_test(host)

    def _show_result(self, host: str, text: str, works: bool) -> None:
        if host in self.hosts.get():
            self.results.set({**self.results.get(), host: (text, works)})

    def _end_test(self, host: str) -> None:
        if (test := self._tests.pop(host, None)) is not None:
            test.close()
            test.deleteLater()

    def _restore_hosts(self, stored: object) -> None:
        hosts = [ssh.check_host(of_type(str, host)) for host in of_type(list, stored)]
        self.hosts.set(tuple(dict.fromkeys(hosts))[:MAX_COMPUTERS])

    def _restore_generating(self, stored: object) -> None:
        self.choose(of_type(str, stored))


def computer_name(host: str) -> str:
    """Return the name of a computer for the user."""
    return host or THIS_COMPUTER
