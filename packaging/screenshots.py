"""Pictures of the real window on the real engine, for the README: `run.py screenshots [FOLDER] [--models FOLDER]`."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
from PySide6.QtCore import QObject, QPoint, QTimer  # noqa: E402  (the platform is chosen first)
from PySide6.QtGui import QCursor, QFontDatabase, QImage  # noqa: E402
from PySide6.QtWidgets import QApplication  # noqa: E402

from studio.app.main import OpenWindow, assemble  # noqa: E402
from studio.library import storage  # noqa: E402
from studio.media import export  # noqa: E402
from studio.media.sounds.speaker import SampleSource  # noqa: E402

SIZE = (1440, 900)
PATIENCE = 300.0
"""Seconds until something that should happen counts as not happening."""
MOVES = ((0, 1.24), (1, -0.62), (3, 0.86), (4, -1.4))
"""Sliders of the pictures of Explore: which, and how far."""


CARD = 48_000
"""Samples a second of a sound card."""
HEARD = 8.0
"""Seconds of the sound of Sound that were heard."""


class Silence(QObject):
    """A sound card that nobody hears: it takes what it is given, in as much time as a real one."""

    device = "Built-in speakers"
    delay = 0.1
    still = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._source: SampleSource | None = None
        self._since = 0.0
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._pull)
        self._timer.start(10)

    def outputs(self) -> tuple[str, ...]:
        return (self.device,)

    def open(self, source: SampleSource, device: str = "", latency: float = 0.0) -> None:
        source.set_card_rate(CARD)
        self._source, self._since = source, time.monotonic()

    def close(self) -> None:
        self._source = None

    def fault(self) -> str:
        return ""

    def _pull(self) -> None:
        now = time.monotonic()
        if self._source is not None:
            self._source.fill(np.zeros(int((now - self._since) * CARD), np.float32))
        self._since = now


class Session:
    """A window, driven through its states as a hand would."""

    def __init__(self, application: QApplication, studio: OpenWindow, out: Path) -> None:
        self.application, self.studio, self.out = application, studio, out
        self.state = studio.state

    def until(self, true: Callable[[], object], what: str) -> None:
        """Let the window live until something is so. Raises TimeoutError."""
        end = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > end:
                said = self.state.messages.current.get()
                raise TimeoutError(f"{what} did not happen. {said.text if said is not None else ''}")
            self.application.processEvents()
            time.sleep(0.005)
        self.rest(0.1)

    def rest(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.application.processEvents()
            time.sleep(0.005)

    def take(self, name: str, theme: str) -> None:
        """One picture of the window, as it stands."""
        self.state.theme.set("light" if theme == "light" else "dark")
        self.state.messages.dismiss()
        self.rest(0.2)
        picture = self.studio.window.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
        path = self.out / f"{name}-{theme}.png"
        if not picture.save(str(path)):
            raise OSError(f"{path} could not be written")
        print(path)


def model_of(session: Session, kind: str) -> str | None:
    """The first model that makes pictures or sounds."""
    cards = [trained.card for trained in session.state.models.cards.get() if not trained.card.sample_rate]
    return next((card.name for card in cards if card.medium == kind), None)


def first_launch(session: Session) -> None:
    session.until(lambda: session.state.engine_status.get() == "Ready", "The engine")
    session.take("first-launch", "dark")


def generate(session: Session, seed: int) -> None:
    state = session.state.generate
    state.choose_model(model_of(session, "picture") or "")
    state.parameters.set_seed(seed)
    state.parameters.set_number(24)
    state.start_batch()
    session.until(
        lambda: not state.batch.running.get() and all(cell.finished for cell in state.batch.cells.get()), "The grid"
    )
    state.choose_cell(6)
    for theme in ("dark", "light"):
        session.take("generate", theme)


def explore(session: Session, seed: int) -> None:
    """A few takes on the strip, then a picture of one's own with sliders moved."""
    window, state = session.state, session.state.explore
    window.show_panel("explore")
    state.choose_model(model_of(session, "picture") or "")
    for number in range(4):
        state.parameters.new_start(seed + number)
        settle(session)
        state.keep_take()
    trained = state.model.get()
    cover = window.models.read_cover(trained.card.name) if trained is not None else None
    if cover is not None:
        path = storage.home_folder("data") / "my-picture.png"
        storage.write_file(path, export.encode_png_bytes(cover[0]))
        state.open_file(path)
        session.until(lambda: state.importing.preview.get() is not None, "The crop preview")
        state.importing.encode_preview()
        session.until(lambda: state.badge.get().kind not in (None, "working"), "The badge")
    for index, value in MOVES:
        if index < len(state.parameters.sliders.get()):
            state.parameters.set_slider(index, value)
            settle(session)
            state.parameters.end_gesture()
    state.keep_take()
    for theme in ("dark", "light"):
        session.take("explore", theme)


def complete(session: Session, seed: int) -> None:
    """The lower half of a picture filled nine times, where there is a model that can keep a part."""
    window, state = session.state, session.state.complete
    trained = next((one for one in window.models.cards.get() if one.card.can_inpaint and one.card.shape[0] == 3), None)
    cover = window.models.read_cover(trained.card.name) if trained is not None else None
    if trained is None or cover is None:
        return
    path = storage.home_folder("data") / "my-picture.png"
    storage.write_file(path, export.encode_png_bytes(cover[0]))
    window.show_panel("complete")
    state.choose_model(trained.card.name)
    state.canvas.open_file(path)
    session.until(lambda: state.canvas.picture.get() is not None, "The picture")
    height = state.canvas.brush.picture_shape[0]
    state.canvas.brush.choose_tool("rows")
    state.canvas.brush.start_stroke((1.0, height // 2 + 1.0))
    state.canvas.brush.end_stroke()
    state.parameters.set_seed(seed)
    state.parameters.set_number(9)
    state.start_batch()
    session.until(lambda: not state.batch.running.get(), "The completions")
    state.choose_completions(state.ranking.ranked_cells()[3:4])
    for theme in ("dark", "light"):
        session.take("complete", theme)


def wave(session: Session, seed: int) -> None:
    """A wave while a slider is held, where there is a model of waves."""
    state, model = session.state.explore, model_of(session, "sound")
    if model is None:
        return
    session.state.show_panel("explore")
    state.choose_model(model)
    for number in range(3):
        state.parameters.new_start(seed + number)
        settle(session)
        state.keep_take()
    for index, value in MOVES[:2]:
        state.parameters.grab_slider(index)
        state.parameters.set_slider(index, value)
        settle(session)
    for theme in ("dark", "light"):
        session.take("wave", theme)
    state.parameters.end_gesture()


def sound(session: Session, seed: int) -> None:
    """A sound with its temperature drawn, while it plays; where there is a model of recordings."""
    window, state = session.state, session.state.sound
    if state.model.get() is None:
        return
    window.show_panel("sound")
    state.parameters.set_seed(seed)
    state.set_temperature_curve(((0.0, 0.9), (3.0, 0.9), (6.0, 1.05), (8.0, 1.05), (11.0, 0.8)))
    state.play()
    session.until(lambda: state.player.position >= HEARD, "The sound")
    for theme in ("dark", "light"):
        session.take("sound", theme)
    state.player.stop()


def settle(session: Session) -> None:
    """Until the picture is that of the sliders."""
    session.rest(0.1)
    session.until(lambda: session.state.engine_status.get() == "Ready", "The picture")
    session.until(lambda: session.state.explore.render.picture.get() is not None, "The picture")


@contextmanager
def nobodys_home(models: Path | None) -> Iterator[None]:
    """A home of its own, so that nothing of the person's is seen or touched."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["STUDIO_HOME"] = home
        if models is not None:
            (Path(home) / "models").mkdir()
            for path in sorted(models.glob("*.safetensors")):
                shutil.copy(path, Path(home) / "models")
        yield


def main(words: list[str]) -> int:
    """Takes all pictures; returns the exit status."""
    parser = argparse.ArgumentParser(prog="run.py screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "resources" / "screenshots")
    parser.add_argument("--models", type=Path, help="a folder of trained models to use besides the shipped ones")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    options.folder.mkdir(parents=True, exist_ok=True)
    with nobodys_home(options.models):
        application = QApplication(["studio"])
        if "Inter" in QFontDatabase.families():
            font = application.font()
            font.setFamilies(["Inter"])
            application.setFont(font)
        studio = assemble(application, output=Silence())
        session = Session(application, studio, options.folder)
        try:
            if not studio.state.models.cards.get():
                print("There is no trained model to show. Give a folder of them with --models.", file=sys.stderr)
                return 1
            studio.window.resize(*SIZE)
            QCursor.setPos(QPoint(SIZE[0] // 2, SIZE[1] + 50))  # nothing is under the pointer
            studio.window.show()
            first_launch(session)
            generate(session, options.seed)
            explore(session, options.seed)
            complete(session, options.seed)
            wave(session, options.seed)
            sound(session, options.seed)
        except (TimeoutError, OSError) as fault:
            print(fault, file=sys.stderr)
            return 1
        finally:
            studio.close_window()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
