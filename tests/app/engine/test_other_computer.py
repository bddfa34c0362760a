"""The engine runs on another computer, behind a fake `ssh` with folders of its own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from studio.app.engine.client import EngineClient
from studio.app.engine.computers import Computers
from studio.wire.messages import Command, Event, Failed, Finished, PicturesPreview, Sample, Stopped, StoreFile
from tests import fake_ssh
from tests.limits import LIMIT

LIGHT = Path(__file__).parents[2] / "engine" / "light.py"
"""An engine without torch."""
LONG = round(10_000 * LIMIT)
"""Milliseconds: torch is loaded on a busy machine."""


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a fake ssh first in the path, and return the home of the studio on the other computer."""
    home = tmp_path / "garden"
    for name, value in fake_ssh.install(tmp_path / "bin", home).items():
        monkeypatch.setenv(name, value)
    return home


class Watcher:
    """Notes what is sent, what is answered and what the user is told."""

    def __init__(self, engine: EngineClient, qtbot: QtBot) -> None:
        self.engine = engine
        self.qtbot = qtbot
        self.sent: list[Command] = []
        self.events: list[Event] = []
        self.messages: list[str] = []
        engine.command_sent.connect(self.sent.append)
        engine.event_received.connect(self.events.append)
        engine.message_raised.connect(self.messages.append)

    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=LONG)

    def ending(self, job: str) -> Event | None:
        endings = (e for e in self.events if isinstance(e, Finished | Stopped | Failed) and e.job == job)
        return next(endings, None)

    def draw(self, job: str, model: str) -> np.ndarray:
        """Draw pictures and return them."""
        self.engine.send(Sample(job=job, model=model, seeds=(1, 2)))
        self.wait(lambda: self.ending(job))
        assert isinstance(self.ending(job), Finished), self.ending(job)
        found = [e for e in self.events if isinstance(e, PicturesPreview) and e.job == job and e.done == e.total]
        return np.concatenate([each.pictures for each in found])

    @property
    def pieces(self) -> list[StoreFile]:
        return [command for command in self.sent if isinstance(command, StoreFile)]


@pytest.fixture
def watcher(qtbot: QtBot) -> Iterator[Watcher]:
    engine = EngineClient()
    yield Watcher(engine, qtbot)
    engine.close()


def connections(garden: Path) -> list[int]:
    """Return the process of each connection that was made so far."""
    try:
        return [int(line.split()[0]) for line in (garden / "connections.txt").read_text().splitlines()]
    except OSError:
        return []


@pytest.mark.timeout(1200)
def test_a_model_of_this_computer_draws_the_same_pictures_there_and_is_sent_once(
    watcher: Watcher, garden: Path, tiny: str, studio_home: Path
) -> None:
    watcher.engine.start()
    here = watcher.draw("here", tiny)
    assert not watcher.pieces
    watcher.engine.use_computer("garden")
    there = watcher.draw("there", tiny)
    assert np.array_equal(here, there)
    assert len(watcher.pieces) == 1 and len(connections(garden)) == 1
    assert list((garden / "cache" / "received").glob(f"*/{tiny}.safetensors"))

    os.kill(connections(garden)[0], signal.SIGKILL)  # the connection is lost
    watcher.wait(lambda: watcher.messages)
    assert watcher.messages == ['The connection to "garden" was lost. It is being restored. Your takes are safe.']
    assert np.array_equal(here, watcher.draw("again", tiny))
    assert len(connections(garden)) == 2
    assert len(watcher.pieces) == 1, "the model is there already"

    check_refusals(watcher, studio_home / "models" / f"{tiny}.safetensors")


def check_refusals(watcher: Watcher, model: Path) -> None:
    """Check that what cannot be sent is refused in words, and that a waiting job can be stopped."""
    before = list(watcher.messages)
    watcher.engine.send(Sample(job="none", model="no-such-model", seeds=(1,)))
    watcher.wait(lambda: watcher.ending("none"))
    failure = watcher.ending("none")
    assert isinstance(failure, Failed) and failure.reason.startswith('There is no model named "no-such-model".')

    model.touch()  # as if it had been trained again, so that it is looked for again
    watcher.engine.send(Sample(job="stopped", model=model.stem, seeds=(1,)))
    watcher.engine.stop("stopped")
    watcher.wait(lambda: watcher.ending("stopped"))
    assert isinstance(watcher.ending("stopped"), Stopped)
    model.write_bytes(b"damaged")
    watcher.engine.send(Sample(job="damaged", model=model.stem, seeds=(1,)))
    watcher.wait(lambda: watcher.ending("damaged"))
    failure = watcher.ending("damaged")
    assert isinstance(failure, Failed) and model.stem in failure.reason
    assert watcher.engine.now == "Ready" and watcher.messages == before


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("nowhere", '"nowhere" was not found. Check its name and your network.'),
        ("locked", '"locked" did not accept your key. Add your public key there: ssh-copy-id locked'),
        ("bare", 'Latent Studio was not found on "bare".'),
        ("older", '"older" has version 0.1, and this computer'),
    ],
)
def test_a_computer_without_an_engine_is_explained_and_not_tried_again(
    watcher: Watcher, garden: Path, host: str, words: str
) -> None:
    watcher.engine.use_computer(host)
    watcher.engine.start()
    watcher.engine.send(Sample(job="a", model="m", seeds=(1,)))
    watcher.wait(lambda: watcher.engine.now == "Stopped")
    (message,) = watcher.messages
    assert message.startswith(words) and message.endswith("Your takes are safe.")


@pytest.mark.parametrize(
    ("host", "words", "works"),
    [
        ("garden", "Latent Studio ", True),
        ("nowhere", '"nowhere" was not found.', False),
        ("locked", '"locked" did not accept your key.', False),
        ("bare", 'Latent Studio was not found on "bare".', False),
        ("older", '"older" has version 0.1, and this computer', False),
    ],
)
def test_a_test_says_what_is_there(
    qtbot: QtBot, garden: Path, host: str, words: str, works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SSH_ENGINE", str(LIGHT))
    computers = Computers()
    assert computers.add(host) == ""
    assert computers.is_tested(host)
    qtbot.waitUntil(lambda: not computers.is_tested(host), timeout=LONG)
    text, can_run = computers.results.get()[host]
    assert text.startswith(words) and can_run == works
    if works:
        assert text.endswith("Paper.")
    computers.close()


def test_computers_are_checked_kept_and_removed(qtbot: QtBot, garden: Path) -> None:
    computers = Computers()
    assert "name of a computer" in computers.add("-oProxyCommand=touch x")
    assert computers.add("nowhere") == "" and computers.add(" nowhere ") == '"nowhere" is in the list already.'
    computers.choose("unknown")
    assert computers.generating.get() == ""
    computers.choose("nowhere")
    again = Computers()
    again.restore(computers.snapshot())
    assert (again.hosts.get(), again.generating.get()) == (("nowhere",), "nowhere")
    with pytest.raises(ValueError):
        again.restore({"hosts": ["-v"]})
    assert again.hosts.get() == ("nowhere",)
    again.remove("nowhere")
    assert (again.hosts.get(), again.generating.get()) == ((), "")
    computers.close()


def test_without_ssh_the_test_says_so(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    computers = Computers()
    computers.add("garden")
    qtbot.waitUntil(lambda: not computers.is_tested("garden"))
    assert computers.results.get()["garden"][0].startswith("ssh could not be started here")
    computers.close()
