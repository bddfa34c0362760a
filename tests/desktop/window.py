"""Starts the real window as a process, asks it questions and uses it by pointer and keys."""

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.desktop.screen import PATIENCE, Screen, end, read_line, until

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-P", "-m", "tests.desktop.driver"]
MAY_TAKE = 0.25
"""Seconds within which the window must answer after any touch."""
STARTS = 300.0
"""Seconds to wait for the window: on a crowded machine, loading torch alone took 64."""
COMPILES = 240.0
"""Seconds to wait for work that may have to compile its loops first."""
SPOTS = (0.5, 0.3, 0.7, 0.1, 0.9)
"""Shares of a part's width and height at which it is touched; the first position that nothing covers is used."""
CROWDED = 2.0
"""Least factor of MAY_TAKE if more programs want to run than there are processors, because they share caches and clock:
the same change of theme took 0.19 s of processor time alone, and 0.28 s on a crowded machine. With nine programs for
each processor, opening Sound for the first time took 0.87 s, so the limit grows with their number."""
SHIFTED = '_:?!"'
"""Characters of paths that need the key Shift."""
APART, BETWEEN = 0.45, 0.06
"""Seconds between two separate clicks (Qt's limit for a double click is 0.4), and inside a double click."""
GONE = 2.0
"""Seconds after which a release counts as lost, if what lies open has changed since the pointer came; five times as
long if something may have opened and closed."""
ANSWERS = 20
"""Answers that the window must have given by then. On a busy machine the press alone can take it longer than GONE, and
the release is still to come."""
Part = dict[str, Any]
Spot = tuple[float, float]


class DesktopWindow:
    """Holds a running studio. Every touch waits until the window has received and handled it."""

    def __init__(self, screen: Screen, home: Path, size: tuple[int, int], settings: Part | None = None) -> None:
        self.screen = screen
        self.home = home
        self.size = size
        self.text: int = (settings or {}).get("preferences", {}).get("text_size", 100)
        """The size of the text, in percent."""
        self.log = home / "window.log"
        file = home / "config" / "settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings or {}))
        self.start()

    def start(self) -> None:
        """Open the window and wait until its engine is running and it has the keyboard focus."""
        environment = {**self.screen.environment, "STUDIO_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        environment["QT_NO_GLIB"] = "1"  # GLib's event loop does not report every wake-up
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                PROGRAM, cwd=self.home, env=environment, bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._patience = STARTS
        """Seconds within which it answers: all of Qt is loaded before it does so for the first time."""
        self._released = 0
        self._clicked = ((0, 0), 0, 0.0)
        """Position, button and time of the last click."""
        self._opened = ""
        """Which menu, list or dialog was open when the pointer came to its present position."""
        try:
            until(lambda: self.value("engine_status") in ("Ready", "Working"), "The start of the engine", STARTS)
            self.ask("place", width=self.size[0], height=self.size[1])
            until(lambda: self.ask("placed", width=self.size[0], height=self.size[1]), "The window's place")
            self._wait_for_focus()
            self.settle()
            self._patience = PATIENCE
        except BaseException:
            self.kill()
            raise

    def close(self) -> int:
        """Close the window normally; return its exit status."""
        return end(self._process)

    def kill(self) -> None:
        """Kill the process, like a power failure."""
        self._process.kill()
        end(self._process)

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def ask(self, what: str, **words: Any) -> Any:
        """Ask the window a question, which it answers from its event loop."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ask": what, **words}).encode() + b"\n")
        answer = json.loads(read_line(self._process, "The window", self._patience))
        if isinstance(answer, dict) and "refused" in answer:
            raise LookupError(f"{what} {words}: {answer['refused']}")
        return answer

    def value(self, of: str) -> Any:
        """Return what the window's state holds under a dotted name."""
        return self.ask("value", of=of)

    def until(self, true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait until `true` returns something true. Raises TimeoutError with the window's message."""
        try:
            until(true, what, patience)
        except TimeoutError as late:
            raise TimeoutError(f"{late}. The window says: {self.value('messages.current')}") from None

    def parts(self, kind: str = "") -> list[Part]:
        """List everything that the pointer can use now."""
        return [part for part in self.ask("parts") if not kind or part["kind"] == kind]

    def find(self, name: str, kind: str = "", among: str = "") -> Part:
        """Return a visible part with this name, or one whose name begins with it. Raises LookupError.

        `among` is the class of the widget.
        """
        seen = [part for part in self.parts(kind) if part["place"] and among in ("", part["class"])]
        found = [p for p in seen if p["name"] == name] or [p for p in seen if p["name"].startswith(name)]
        if not found:
            raise LookupError(f'"{name}" is not to be seen among {sorted({part["name"] for part in seen})}')
        return found[0]

    def sees(self, name: str, kind: str = "", among: str = "") -> bool:
        """Return whether a part with this name is visible."""
        try:
            return bool(self.find(name, kind, among))
        except LookupError:
            return False

    def spot(self, part: Part) -> Spot:
        """Return a position on the screen where nothing covers this part. Raises LookupError."""
        left, top, width, height = part["place"]
        own = part["address"].partition("#")[0]
        for down in SPOTS:
            for across in SPOTS:
                at = (left + int(across * width), top + int(down * height))
                met = self.ask("at", x=at[0], y=at[1])
                if met == own or met.startswith(own + "/"):
                    return at
        raise LookupError(f'"{part["name"]}" ({part["address"]}) is covered by {met}')

    # ── pointer and keys ─────────────────────────────────────────────────────────────────────────

    def click(self, what: Part | str | Spot, button: int = 1, times: int = 1) -> None:
        """Click a part, the part with a name, or a position on the screen."""
        self.move(what)
        self._keep_apart(button)
        for number in range(times):
            if number:
                time.sleep(BETWEEN)
            self.press(button)
            self.release(button)
        self.settle()

    def _keep_apart(self, button: int) -> None:
        """Wait so that two clicks at one position do not count as a double click."""
        if self._clicked[:2] == (self.screen.at, button):
            time.sleep(max(0.0, self._clicked[2] + APART - time.monotonic()))
        self._clicked = (self.screen.at, button, time.monotonic())

    def drag(self, begin: Part | Spot, *way: Spot, button: int = 1) -> None:
        """Press at `begin`, move along `way` and release."""
        self.move(begin)
        self.press(button)
        for at in way:
            self.screen.move(*at)
            self.ask("ping")
        self.release(button)
        self.settle()

    def move(self, to: Part | str | Spot) -> None:
        """Move the pointer to a part or a position, where a click is not too late for it."""
        until(lambda: not self.ask("ignores_clicks"), "The end of late clicks")
        if isinstance(to, str):
            to = self.find(to)
        self._opened = self.ask("open")
        self.screen.move(*(self.spot(to) if isinstance(to, dict) else to))

    def press(self, button: int = 1) -> None:
        self.screen.do(f"mousedown {button}")

    def release(self, button: int = 1) -> None:
        self._released += 1
        self.screen.do(f"mouseup {button}")

    def wheel(self, turns: int) -> None:
        """Turn the wheel towards the user; away from the user if `turns` is negative."""
        for _ in range(abs(turns)):
            self.screen.do(f"click {5 if turns > 0 else 4}")
        self.settle()

    def key(self, *keys: str) -> None:
        """Press and release keys, each with xdotool's name: `ctrl+z`, `Return`."""
        self._wait_for_focus()
        for key in keys:
            self._strike(f"key {key}", key.count("+") + 1)
        self.settle()

    def type(self, text: str) -> None:
        """Type a text without spaces."""
        self._wait_for_focus()
        shifted = sum(letter.isupper() or letter in SHIFTED for letter in text)
        self._strike(f"type --delay 4 {text}", len(text) + shifted)
        self.settle()

    def _wait_for_focus(self) -> None:
        """Wait until a key goes to some widget. Raises TimeoutError that says where it would go instead."""
        try:
            until(lambda: self.ask("focus"), "The focus")
        except TimeoutError as late:
            words = f"{self.ask('focus_in_words')}, of the screen: {self.screen.focused()}"
            raise TimeoutError(f"{late}: {words}") from None

    def _strike(self, words: str, count: int) -> None:
        """Press keys, and wait until the window has received so many."""
        before = self._count("key")
        self.screen.do(words)
        until(lambda: self._count("key") >= before + count, f"What comes of {words}")

    def settle(self) -> None:
        """Wait until the window has received all events and has answered twice since."""
        began = time.monotonic()
        answers = itertools.count(1)
        until(lambda: self._received() or self._went_elsewhere(began, next(answers)), "A release of the mouse")
        self._released = self._count("release")
        self.ask("ping")
        self.ask("ping")

    def _received(self) -> bool:
        return self._count("release") >= self._released

    def _went_elsewhere(self, began: float, answers: int) -> bool:
        """Return whether the release went elsewhere: to a dialog that has opened, or because a list has closed."""
        changed = self.ask("open") != self._opened
        return answers > ANSWERS and time.monotonic() - began > (GONE if changed else 5 * GONE)

    def _count(self, what: str) -> int:
        return int(self.ask("counts").get(what, 0))

    # ── steps of a user ──────────────────────────────────────────────────────────────────────────

    def open_panel(self, title: str) -> None:
        """Open a panel by its button in the rail."""
        self.click(self.find(title, "button", "RailButton"))
        self.until(lambda: self.value("panel") == title.lower(), f"The panel {title}")

    def choose_model(self, title: str) -> None:
        """Choose a model from the list of the picker, scrolling if necessary."""
        self.click(self.find("Model", "button", "ModelPicker"))
        self.until(lambda: self.sees("", "row", "CardList"), "The list of models")
        self.move(self.find("", "row"))
        self.wheel(-30)
        for _ in range(40):
            found = [row for row in self.parts("row") if row["name"].startswith(f"{title},") and row["whole"]]
            if found:
                break
            self.wheel(1)
        self.click(found[0])
        self.until(lambda: self.sees(f"Model, {title}"), f"The model {title}")

    def set_number(self, number: int) -> None:
        """Type the number of pictures."""
        self.click(self.find("Number", "number"))
        self.key("ctrl+a")
        self.type(str(number))
        self.key("Tab")

    def press_main(self) -> None:
        """Press the main button: Generate or Complete."""
        self.click(self.find("", "button", "MainButton"))

    def finished(self, cells: str) -> int:
        """Return how many pictures of a grid are finished."""
        return sum(cell["picture"] is not None and cell["done"] == cell["total"] > 0 for cell in self.value(cells))

    def choose_entry(self, words: str) -> None:
        """Choose an entry of the open menu."""
        self.until(lambda: self.sees(words, "entry"), f"The menu with {words}")
        self.click(self.find(words, "entry"))

    def wait_for_drawing(self) -> None:
        """Wait until Explore shows the picture of what is set now."""
        self.until(
            lambda: not self.value("explore.render.busy") and self.value("explore.render.picture") is not None,
            "The picture of Explore",
            COMPILES,
        )

    def answer_dialog(self, path: Path) -> None:
        """Type a path into the open file dialog, and confirm."""
        self.until(lambda: "QFileDialog" in self.ask("focus"), "The dialog for files")
        self.key("ctrl+a")
        self.type(str(path))
        for _ in range(3):  # the first Return may go to the list of names that the field proposes
            if self.ask("open"):
                self.key("Return")

    def rest(self) -> None:
        """Close what is open and stop running work, so that a test begins in a quiet window."""
        for _ in range(8):
            if not self.ask("open"):
                break
            self.key("Escape")
        self.wait_for_files()
        self.until(lambda: self.value("engine_status") == "Ready" or self._stop(), "The end of all work", COMPILES)

    def _stop(self) -> None:
        """Stop what is in the queue or being made."""
        if self.value("jobs.jobs") or self.value("sound.player.making"):
            self.key("shift+Escape")

    def wait_for_files(self) -> None:
        """Wait until everything that is read or written for an earlier touch has come."""
        self.until(lambda: not self.ask("reading"), "The end of reading and writing", COMPILES)

    # ── results ──────────────────────────────────────────────────────────────────────────────────

    def check(self, after: str) -> Part:
        """Check that there was no fault and no long wait since the last check; return the report."""
        report: Part = self.ask("report")
        assert not report["faults"], f"after {after}:\n" + "\n".join(report["faults"])
        limit = may_take()
        took = report["busy" if limit == MAY_TAKE else "worked"]
        assert took <= limit, f"after {after} the window took {1000 * took:.0f} ms, not {1000 * limit:.0f}"
        return report


def may_take() -> float:
    """Return the seconds within which the window answers on this computer with its present load."""
    running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    share = max(os.getloadavg()[0], running) / (os.cpu_count() or 1)
    return MAY_TAKE if share <= 1.0 else max(CROWDED, share) * MAY_TAKE
