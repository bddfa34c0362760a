"""Measure how late pictures of a dragged slider appear while 64 pictures are drawn, in the real window, offscreen.

Run: python tests/benchmarks/dragging.py [MODEL]

The hand moves the first slider every 16 ms for some seconds. Of every picture that reaches the screen the time since
its own move is taken, painting included; moves that a newer one overtook are never shown and do not count. Also
printed: the time from the process's start to the window on the screen, to the first picture of a cold start, and
from Generate to 16 finished pictures on a warm engine. Nothing is written outside a temporary folder.
"""

import os
import statistics
import sys
import tempfile
import time

STARTED = time.perf_counter()
SECONDS = 12.0
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from collections.abc import Callable  # noqa: E402

from PySide6.QtCore import QEventLoop, QTimer  # noqa: E402
from PySide6.QtWidgets import QApplication, QSlider  # noqa: E402

from studio.app.main import OpenWindow, assemble  # noqa: E402
from studio.app.widgets.picture import PictureView  # noqa: E402


def until(done: Callable[[], bool], seconds: float = 60.0) -> float:
    """Run the window until something is true, and return the seconds that took."""
    loop = QEventLoop()
    began = time.perf_counter()
    timer = QTimer()
    timer.timeout.connect(lambda: loop.quit() if done() or time.perf_counter() - began > seconds else None)
    timer.start(2)
    loop.exec()
    assert done(), "this took too long"
    return time.perf_counter() - began


def finished(studio: OpenWindow) -> int:
    return sum(cell.finished for cell in studio.state.generate.batch.cells.get())


def start(studio: OpenWindow, model: str) -> None:
    """Measure a cold start, then sixteen pictures on a warm engine."""
    generate = studio.state.generate
    studio.window.show()
    until(lambda: studio.window.windowHandle() is not None and studio.window.isVisible())
    print(f"window on the screen after {time.perf_counter() - STARTED:.2f} s (aim ≤ 1.0)")
    assert "torch" not in sys.modules
    generate.choose_model(model)
    generate.parameters.set_number(1)
    generate.start_batch()
    until(lambda: finished(studio) == 1)
    print(f"first picture of a cold start after {time.perf_counter() - STARTED:.2f} s (aim ≤ 10)")
    times = []
    for _ in range(5):
        generate.parameters.set_number(16)
        generate.start_batch()
        times.append(until(lambda: finished(studio) == 16))
    print(f"16 pictures on a warm engine in {statistics.median(times):.2f} s (aim ≤ 1)")


def drag(studio: OpenWindow, model: str, behind: bool, surprise: bool = False) -> None:
    """Move the slider for a while and print how late its pictures were. With `surprise`, maps lie over them."""
    explore, generate = studio.state.explore, studio.state.generate
    studio.state.show_panel("explore")
    explore.choose_model(model)
    explore.parameters.new_start(1)
    until(lambda: explore.render.picture.get() is not None)
    view = next(v for v in studio.window.findChildren(PictureView) if v.isVisible())
    slider = next(s for s in studio.window.findChildren(QSlider) if s.isVisible() and s.maximum() > 100)
    moved: dict[float, float] = {}
    late: list[float] = []

    def shown(_: object) -> None:
        view.repaint()
        piece = explore.render.artwork
        if piece is not None and piece.work.sliders and piece.work.sliders[0] in moved:
            late.append(time.perf_counter() - moved.pop(piece.work.sliders[0]))

    def move() -> None:
        step = int(20 + (time.perf_counter() * 120) % (slider.maximum() - 40))
        slider.setValue(slider.minimum() + 20 + step % (slider.maximum() - slider.minimum() - 40))
        moved[explore.parameters.sliders.get()[0]] = time.perf_counter()

    maps = 0

    def mapped(_: object) -> None:
        nonlocal maps
        maps += 1

    studio.state.surprisal.set_on(surprise)
    studio.state.surprisal.map_arrived.connect(mapped)
    explore.render.picture.changed.connect(shown)
    hand = QTimer()
    hand.timeout.connect(move)
    explore.parameters.grab_slider(0)
    hand.start(16)
    began = time.perf_counter()
    batches = 0

    def over() -> bool:
        nonlocal batches
        if behind and not generate.batch.running.get():
            batches += 1
            generate.parameters.set_number(64)
            generate.start_batch()
        return time.perf_counter() - began > SECONDS

    until(over, SECONDS + 5)
    hand.stop()
    explore.parameters.end_gesture()
    explore.render.picture.changed.disconnect(shown)
    studio.state.surprisal.map_arrived.disconnect(mapped)
    generate.batch.stop_run()
    middle = statistics.median(late)
    tail = statistics.quantiles(late, n=20)[-1]
    what = f"with 64 pictures behind it ({batches} batches)" if behind else "alone"
    what += f" with its map over it ({maps / SECONDS:.0f} maps a second)" if surprise else ""
    print(f"slider {what}: {len(late) / SECONDS:.0f} pictures a second, median {middle * 1e3:.0f} ms, ", end="")
    print(f"95th percentile {tail * 1e3:.0f} ms (aim ≤ 50), worst {max(late) * 1e3:.0f} ms")


def main() -> None:
    model = sys.argv[1] if len(sys.argv) > 1 else "realnvp-emoji-32"
    with tempfile.TemporaryDirectory() as home:
        os.environ.setdefault("STUDIO_HOME", home)
        studio = assemble(QApplication(sys.argv[:1]))
        try:
            start(studio, model)
            drag(studio, model, behind=False)
            drag(studio, model, behind=False, surprise=True)
            drag(studio, model, behind=True)
        finally:
            studio.close_window()


if __name__ == "__main__":
    main()
