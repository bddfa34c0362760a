"""The real window as a process, from outside: started, asked, touched by the pointer and by keys."""

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
"""Seconds within which the window answers, whatever was touched."""
STARTS = 300.0
"""Seconds until the window counts as not coming up: on a crowded machine, torch alone was seen to take 64."""
COMPILES = 240.0
"""Seconds until work counts as never ending, which may have to compile its loops first."""
SPOTS = (0.5, 0.3, 0.7, 0.1, 0.9)
"""Of the width and height of a part: where it is touched, the first that nothing covers."""
CROWDED = 2.0
"""Times as long, at least, where more programs want to run than there are processors, which share caches and clock: the
same change of the looks was measured to take 0.19 s of a processor's time, and 0.28 s on a crowded machine. With nine
programs for each processor, the first look at the panel Sound took 0.87 s, so the limit grows with their number."""
SHIFTED = '_:?!"'
"""Letters of paths that take the key Shift, too."""
APART, BETWEEN = 0.45, 0.06
"""Seconds: from a click to one that is not its second half (Qt's limit is 0.4), and between the halves of a double."""
GONE = 2.0
"""Seconds after which a release counts as lost, if what lies open has changed since the pointer came; five times as
long if something may have opened and closed. The window answers all the while, so it has long seen what there was."""
Part = dict[str, Any]
Spot = tuple[float, float]


class DesktopWindow:
    """One running studio. Every touch waits until the window has received it and has done what follows at once."""

    def __init__(self, screen: Screen, home: Path, size: tuple[int, int], settings: Part | None = None) -> None:
        self.screen, self.home, self.size = screen, home, size
        self.text: int = (settings or {}).get("layout", {}).get("text", 100)
        """The size of the text, in percent."""
        self.log = home / "window.log"
        file = home / "config" / "settings.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings or {}))
        self.start()

    def start(self) -> None:
        """Open the window and wait until its engine is there, at work or not, and the keys are its own."""
        environment = {**self.screen.environment, "STUDIO_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        environment["QT_NO_GLIB"] = "1"  # GLib's loop does not say each time that it has woken up
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                PROGRAM, cwd=self.home, env=environment, bufsize=0,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._patience = STARTS
        """Seconds within which it answers: all of Qt is loaded before it does so for the first time."""
        self._released = 0
        self._clicked = ((0, 0), 0, 0.0)
        """Where, with which button and when the last click was."""
        self._opened = ""
        """What lay open when the pointer came to where it is."""
        try:
            until(lambda: self.value("status") in ("Ready", "Working"), "The start of the engine", STARTS)
            self.ask("place", width=self.size[0], height=self.size[1])
            until(lambda: self.ask("placed", width=self.size[0], height=self.size[1]), "The window's place")
            self._wait_for_focus()
            self.settle()
            self._patience = PATIENCE
        except BaseException:
            self.kill()
            raise

    def close(self) -> int:
        """End it in good order; returns its exit status."""
        return end(self._process)

    def kill(self) -> None:
        """End it as a failure of power does."""
        self._process.kill()
        end(self._process)

    # ── questions ────────────────────────────────────────────────────────────────────────────────

    def ask(self, what: str, **words: Any) -> Any:
        """Ask the window; its answer comes through its event loop."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"ask": what, **words}).encode() + b"\n")
        answer = json.loads(read_line(self._process, "The window", self._patience))
        if isinstance(answer, dict) and "refused" in answer:
            raise LookupError(f"{what} {words}: {answer['refused']}")
        return answer

    def value(self, of: str) -> Any:
        """What the window's state holds under a dotted name."""
        return self.ask("value", of=of)

    def until(self, true: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
        """Wait until a question is answered with yes. Raises TimeoutError, and says what the window said last."""
        try:
            until(true, what, patience)
        except TimeoutError as late:
            raise TimeoutError(f"{late}. The window says: {self.value('messages.current')}") from None

    def parts(self, kind: str = "") -> list[Part]:
        """All that can be used by the pointer now."""
        return [part for part in self.ask("parts") if not kind or part["kind"] == kind]

    def find(self, name: str, kind: str = "", among: str = "") -> Part:
        """What is seen and carries this name, or begins with it; `among`: the class of the widget.

        Raises LookupError.
        """
        seen = [part for part in self.parts(kind) if part["place"] and among in ("", part["class"])]
        found = [p for p in seen if p["name"] == name] or [p for p in seen if p["name"].startswith(name)]
        if not found:
            raise LookupError(f'"{name}" is not to be seen among {sorted({part["name"] for part in seen})}')
        return found[0]

    def sees(self, name: str, kind: str = "", among: str = "") -> bool:
        """Whether something of this name is to be seen."""
        try:
            return bool(self.find(name, kind, among))
        except LookupError:
            return False

    def spot(self, part: Part) -> Spot:
        """A place of the screen where the pointer meets this part and nothing that covers it. Raises LookupError."""
        left, top, width, height = part["place"]
        own = part["address"].partition("#")[0]
        for down in SPOTS:
            for across in SPOTS:
                at = (left + int(across * width), top + int(down * height))
                met = self.ask("at", x=at[0], y=at[1])
                if met == own or met.startswith(own + "/"):
                    return at
        raise LookupError(f'"{part["name"]}" ({part["address"]}) is covered by {met}')

    # ── the hand ─────────────────────────────────────────────────────────────────────────────────

    def click(self, what: Part | str | Spot, button: int = 1, times: int = 1) -> None:
        """Press and release over a part, over what carries a name, or at a place of the screen."""
        self.move(what)
        self._keep_apart(button)
        for number in range(times):
            if number:
                time.sleep(BETWEEN)
            self.press(button)
            self.release(button)
        self.settle()

    def _keep_apart(self, button: int) -> None:
        """Two clicks at one place are not meant as a double click."""
        if self._clicked[:2] == (self.screen.at, button):
            time.sleep(max(0.0, self._clicked[2] + APART - time.monotonic()))
        self._clicked = (self.screen.at, button, time.monotonic())

    def drag(self, begin: Part | Spot, *way: Spot, button: int = 1) -> None:
        """Press, move from place to place, release."""
        self.move(begin)
        self.press(button)
        for at in way:
            self.screen.move(*at)
            self.ask("ping")
        self.release(button)
        self.settle()

    def move(self, to: Part | str | Spot) -> None:
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
        """Turn the wheel towards the hand; away from it where it is negative."""
        for _ in range(abs(turns)):
            self.screen.do(f"click {5 if turns > 0 else 4}")
        self.settle()

    def key(self, *keys: str) -> None:
        """Press and release keys, each as xdotool calls it: `ctrl+z`, `Return`."""
        self._wait_for_focus()
        for key in keys:
            self._strike(f"key {key}", key.count("+") + 1)
        self.settle()

    def type(self, text: str) -> None:
        """Write a text without spaces, letter after letter."""
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
        """Wait until the window was told of so many keys."""
        before = self._count("key")
        self.screen.do(words)
        until(lambda: self._count("key") >= before + count, f"What comes of {words}")

    def settle(self) -> None:
        """Wait until the window has received all that was done, and has answered twice since."""
        began = time.monotonic()
        until(lambda: self._received() or self._went_elsewhere(began), "A release of the mouse")
        self._released = self._count("release")
        self.ask("ping")
        self.ask("ping")

    def _received(self) -> bool:
        return self._count("release") >= self._released

    def _went_elsewhere(self, began: float) -> bool:
        """A window over which a dialog has opened, or a list that has closed, is not told that the mouse was let go."""
        changed = self.ask("open") != self._opened
        return time.monotonic() - began > (GONE if changed else 5 * GONE)

    def _count(self, what: str) -> int:
        return int(self.ask("counts").get(what, 0))

    # ── ways of a user ───────────────────────────────────────────────────────────────────────────

    def open_panel(self, title: str) -> None:
        """By its button in the rail."""
        self.click(self.find(title, "button", "RailButton"))
        self.until(lambda: self.value("panel") == title.lower(), f"The panel {title}")

    def choose_model(self, title: str) -> None:
        """Out of the list of the picker, which is scrolled where that takes it."""
        self.click(self.find("Model", "button", "Picker"))
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
        """By writing it."""
        self.click(self.find("Number", "number"))
        self.key("ctrl+a")
        self.type(str(number))
        self.key("Tab")

    def press_main(self) -> None:
        """Generate, or Complete."""
        self.click(self.find("", "button", "MainButton"))

    def finished(self, cells: str) -> int:
        """How many pictures of a grid are finished."""
        return sum(cell["picture"] is not None and cell["done"] == cell["total"] > 0 for cell in self.value(cells))

    def choose_entry(self, words: str) -> None:
        """Of the menu that is open."""
        self.until(lambda: self.sees(words, "entry"), f"The menu with {words}")
        self.click(self.find(words, "entry"))

    def answer_dialog(self, path: Path) -> None:
        """Write a path into the dialog for files that is open, and confirm."""
        self.until(lambda: "QFileDialog" in self.ask("focus"), "The dialog for files")
        self.key("ctrl+a")
        self.type(str(path))
        for _ in range(3):  # the first Return may go to the list of names that the field proposes
            if self.ask("open"):
                self.key("Return")

    def rest(self) -> None:
        """Close what is open and stop what is at work, so that a test begins as after a moment of rest."""
        for _ in range(8):
            if not self.ask("open"):
                break
            self.key("Escape")
        self.until(lambda: self.value("status") == "Ready" or self._stop(), "The end of all work", COMPILES)

    def _stop(self) -> None:
        """What stands in the queue, or is being played."""
        if self.value("queue.entries") or self.value("sound.player.making"):
            self.key("shift+Escape")

    # ── what became of it ────────────────────────────────────────────────────────────────────────

    def check(self, after: str) -> Part:
        """What happened since the last check: nothing that went wrong, and no wait. Returns the report."""
        report: Part = self.ask("report")
        assert not report["faults"], f"after {after}:\n" + "\n".join(report["faults"])
        limit = may_take()
        took = report["busy" if limit == MAY_TAKE else "worked"]
        assert took <= limit, f"after {after} the window took {1000 * took:.0f} ms, not {1000 * limit:.0f}"
        return report


def may_take() -> float:
    """Seconds within which the window answers on this machine, as many as share its processors now."""
    running = int(Path("/proc/loadavg").read_text().split()[3].partition("/")[0])
    share = max(os.getloadavg()[0], running) / (os.cpu_count() or 1)
    return MAY_TAKE if share <= 1.0 else max(CROWDED, share) * MAY_TAKE
