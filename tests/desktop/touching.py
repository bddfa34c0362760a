"""Touches every visible control once in each way: drags it, right-clicks it, clicks it."""

from collections.abc import Callable

from tests.desktop.screen import SIZE
from tests.desktop.window import DesktopWindow, Part, Spot

NEAR = 24
"""Largest distance in pixels between the pointer and the menu that it opens."""
OPENS = 20.0
"""Seconds to wait for a menu."""
MOST = 250
"""The most parts to touch in one scene; more would mean that it never ends."""


class Touching:
    """Remembers which controls were touched, so that a control of several scenes is touched once."""

    def __init__(self, window: DesktopWindow) -> None:
        self.window = window
        self._done: set[str] = set()
        self._entries: set[str] = set()
        self._ground = self._panel = ""
        self.touched: list[str] = []
        self.touches = 0
        self.problems: list[str] = []

    def scene(self, build: Callable[[], object]) -> None:
        """Touch everything in the scene that `build` prepares; `build` is called again if the scene was left."""
        self._build(build)
        for _ in range(MOST):
            part = self._next() if self._as_built() else None
            if part is None:
                self._build(build)
                part = self._next()
            if part is None:
                return
            self._done.add(part["address"])
            self.touched.append(f"{part['kind']} {part['name'] or part['class']}")
            for way in (self._drag, self._press_right, self._click):
                if not self._as_built() or self._again(part) is None:
                    self._build(build)
                self._try(way, part)
        self.problems.append(f"The scene does not come to an end: {self.touched[-20:]}")

    def _build(self, build: Callable[[], object]) -> None:
        build()
        self._ground = self.window.ask("open")
        self._panel = self.window.value("panel")

    def _as_built(self) -> bool:
        """Return whether the panel and the size of the text are those of the scene."""
        window = self.window
        return window.value("panel") == self._panel and window.value("preferences.text_size") == window.text

    def _try(self, way: Callable[[Part], object], part: Part) -> None:
        """Touch a part, and note any problem with a screenshot."""
        try:
            if (now := self._again(part)) is not None:
                self.touches += 1
                way(now)
        except (AssertionError, LookupError, TimeoutError) as fault:
            picture = self.window.screen.screenshot(f"problem-{len(self.problems) + 1}")
            self.problems.append(f"{fault}\n  {picture}")
        finally:
            self.close()

    def close(self) -> None:
        """Close menus, lists and dialogs that the scene itself did not open."""
        for _ in range(4):
            if self.window.ask("open") in ("", self._ground):
                return
            self.window.key("Escape")

    # ── what there is ────────────────────────────────────────────────────────────────────────────

    def _next(self) -> Part | None:
        """Return a part that can be touched and was not yet."""
        return next((part for part in self.window.parts() if self._new(part) and self._again(part)), None)

    def _new(self, part: Part) -> bool:
        return part["address"] not in self._done and part["enabled"] and part["kind"] != "list"

    def _again(self, part: Part) -> Part | None:
        """Return the same part as it is now, scrolled into sight; None if it is gone, covered or out of reach."""
        now = self._now(part)
        if now is not None and not now["whole"]:
            self.window.ask("reveal", part=part["address"])
            now = self._now(part)
        if now is None or now["place"] is None or not now["enabled"]:
            return None
        try:
            self.window.spot(now)
        except LookupError:
            return None
        return now

    def _now(self, part: Part) -> Part | None:
        return next((one for one in self.window.parts() if one["address"] == part["address"]), None)

    def _value(self, part: Part) -> object:
        now = self._now(part)
        return now["value"] if now is not None else None

    # ── ways to touch ────────────────────────────────────────────────────────────────────────────

    def _drag(self, part: Part) -> None:
        """Drag from a part: a slider follows, and a button that the pointer leaves before the release does nothing."""
        window = self.window
        begin = self.window.spot(part)
        if part["kind"] == "slider" and part["class"] not in ("RowMarker", "QScrollBar"):
            self._drag_slider(part)
            return
        window.drag(begin, (begin[0] + 6, begin[1] - 4), (begin[0] + 50, begin[1] - 70))
        report = self._check("a drag from", part)
        if part["kind"] == "button":
            assert part["address"] not in report["acts"], f"{part['name']} was dragged, not clicked"

    def _drag_slider(self, part: Part) -> None:
        left, top, width, height = part["place"]
        upright = height > width

        def at(share: float) -> Spot:
            return (left + width / 2, top + share * height) if upright else (left + share * width, top + height / 2)

        values = []
        for begin, end in ((0.2, 0.45), (0.8, 0.6)):
            self.window.drag(at(begin), at((begin + end) / 2), at(end))
            values.append(self._value(part))
            self._check("a drag of", part)
        assert values[0] != values[1], f"{part['name']} did not follow the pointer"

    def _press_right(self, part: Part) -> None:
        """Right-click a part: this changes nothing, and opens its menu at the pointer."""
        window = self.window
        before = self._value(part)
        window.click(part, button=3)
        report = self._check("the right button on", part)
        assert part["address"] not in report["acts"], f"the right button clicked {part['name']}"
        if part["kind"] == "row" and part["menu"]:
            window.until(lambda: window.ask("open"), f"The menu of {part['name']}", OPENS)
        entries = window.parts("entry")
        if entries and part["kind"] == "row":
            self._choose_entries(part, entries)
        elif part["kind"] not in ("row", "area"):
            self.close()
            if not window.value("sound.player.making"):  # then the temperature follows its curve
                assert self._value(part) == before, f"the right button changed {part['name']}"

    def _choose_entries(self, part: Part, entries: list[Part]) -> None:
        """Choose each entry of a menu, once for each list."""
        window = self.window
        at = self.window.screen.at
        left, top, width, height = entries[0]["place"]
        beside = abs(left - at[0]) <= NEAR or left < at[0] <= left + width <= SIZE[0] <= left + width + NEAR
        bottom = entries[-1]["place"][1] + entries[-1]["place"][3]
        close = beside and min(abs(top - at[1]), abs(bottom - at[1])) <= NEAR
        assert close, f"the menu of {part['name']} opened at {left, top}, the pointer is at {at}"
        for entry in entries:
            name = f"{part['class']}: {entry['name']}"
            if name in self._entries or not entry["enabled"]:
                continue
            self._entries.add(name)
            self.touched.append(f"entry {name}")
            if not window.ask("open"):
                now = self._again(part)
                if now is None:
                    return
                window.click(now, button=3)
                window.until(lambda: window.ask("open"), f"The menu of {part['name']}", OPENS)
            window.click(window.find(entry["name"], "entry"))
            window.wait_for_files()  # Paste has the picture read by another process, and then opens it
            self._check("the entry of", entry)
            self.close()
            window.key("Escape")
            if window.value("panel") != self._panel:
                return

    def _click(self, part: Part) -> None:
        window = self.window
        window.click(part)
        report = self._check("a click on", part)
        if part["kind"] == "button":
            assert part["address"] in report["acts"], f"{part['name']} was not clicked: {report['receiver']}"
        elif part["kind"] == "choice":
            self._choose_each(part)
        elif part["kind"] in ("field", "number"):
            assert window.ask("focus").startswith(part["address"]), f"{part['name']} has not the focus"
        elif part["kind"] == "row":
            now = self._value(part)
            assert now in (True, None), f"the row {part['name']} was clicked and another is chosen"

    def _choose_each(self, part: Part) -> None:
        """Choose every entry of the list that a part opens."""
        window = self.window
        chosen = set[int]()
        while True:
            window.until(lambda: window.ask("open"), f"The list of {part['name']}")
            rows = {int(row["address"].partition("#")[2]): row for row in window.parts("row") if row["enabled"]}
            number = next((number for number in rows if number not in chosen), None)
            row = self._again(rows[number]) if number is not None else None
            if number is None or row is None:
                return
            chosen.add(number)
            window.click(row)
            self._check("an entry of", part)
            now = self._again(part)
            assert now is None or now["value"] == number, f"{part['name']} has {now['value']} and not {number}"
            if now is None:
                return
            window.click(now)

    def _check(self, how: str, part: Part) -> Part:
        """Check that there was no fault and no long wait, and that the right widget received the press."""
        report = self.window.check(f'{how} the {part["kind"]} "{part["name"]}" ({part["address"]})')
        own = part["address"].partition("#")[0]
        got = report["receiver"].get("press", "")
        assert got == own or got.startswith(own + "/"), f"{how} {part['name']}: {got} got the press"
        return report
