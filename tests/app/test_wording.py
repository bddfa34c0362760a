"""Every word that the user sees is plain: short sentences, no private words, tooltips that begin with a verb."""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget

from tests.app.window_fixtures import OpenedWindow, settle

ROOT = Path(__file__).parents[2]
APP = ROOT / "studio" / "app"
HELP = ROOT / "resources" / "help"
MAX_WORDS = 12
PRIVATE_WORDS = (
    "anew", "dial", "dials", "doubt", "error", "go on", "goes on", "going on", "went on", "hand", "heat", "kind",
    "landing", "let go", "let it go", "please", "prune", "reel", "said", "taping", "this machine", "told", "wish",
)  # fmt: skip
VERBS = {
    "Add", "Ask", "Begin", "Blend", "Bring", "Change", "Choose", "Click", "Close", "Complete", "Compute",
    "Continue", "Copy", "Cut", "Drag", "Draw", "Erase", "Explore", "Fill", "Find", "Go", "Hear", "Hold", "Keep",
    "Leave", "Let", "Limit", "Make", "Mark", "Move", "Open", "Paint", "Pause", "Play", "Press", "Put", "Record",
    "Redo", "Redraw", "Repeat", "Roll", "Save", "See", "Set", "Show", "Start", "Stop", "Swap", "Undo", "Use",
}  # fmt: skip
"""The verbs with which a tooltip may begin."""


def sentences_of(text: str) -> list[str]:
    """Return the sentences and paragraphs of a text."""
    return [part for part in re.split(r"(?<=[.!?])\s+|\n\n", text) if part.strip()]


def faults_of(text: str) -> list[str]:
    """Return what is wrong with a text that the user reads."""
    found = []
    for sentence in sentences_of(text):
        words = [word for word in sentence.split() if re.search(r"\w", word)]
        if len(words) > MAX_WORDS:
            found.append(f"{len(words)} words: {sentence}")
        plain = " ".join(re.findall(r"[\w']+", sentence.lower()))
        found += [f"{word!r}: {sentence}" for word in PRIVATE_WORDS if re.search(rf"\b{word}\b", plain)]
        if sentence.endswith("!"):
            found.append(f"exclamation mark: {sentence}")
    return found


def text_of(node: ast.AST) -> str | None:
    """Return the text of a string. Each computed part of it counts as one word."""
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "N" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def texts_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of all strings that a user may read: no docstrings, no faults for developers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Raise | ast.Assert):
            continue
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        text = text_of(child)
        if text is None:
            yield from texts_in(child)
        elif not isinstance(child, ast.JoinedStr):
            yield child.lineno, text  # type: ignore[attr-defined]
        else:
            yield child.lineno, text
            for part in child.values:
                if isinstance(part, ast.FormattedValue):
                    yield from texts_in(part)


def is_prose(text: str) -> bool:
    """Return whether a string is text for people instead of a key, a pattern or a style sheet."""
    return " " in text.strip() and "{" not in text and bool(re.match(r"\W*[A-Za-z]", text))


def test_texts_in_the_code_are_short_and_plain() -> None:
    found = []
    for path in sorted(APP.rglob("*.py")):
        for line, text in texts_in(ast.parse(path.read_text("utf-8"))):
            if is_prose(text):
                found += [f"{path.relative_to(APP)}:{line}: {fault}" for fault in faults_of(text)]
    assert found == []


@pytest.mark.parametrize("page", sorted(HELP.glob("*.md")), ids=lambda path: path.stem)
def test_help_pages_are_short_and_plain(page: Path) -> None:
    assert faults_of(page.read_text("utf-8").replace("**", "").replace("*", "")) == []


def visible_texts(window: QWidget) -> set[str]:
    """Return the texts of labels and buttons, and what screen readers say of all widgets."""
    found = set()
    for widget in window.findChildren(QWidget):
        found |= {widget.accessibleName(), widget.accessibleDescription()}
        if isinstance(widget, QLabel | QAbstractButton):
            found.add(widget.text().replace("&&", "&"))
    return found


def tooltips_of(window: QWidget) -> set[str]:
    """Return the tooltips that explain a widget. Those that repeat a shortened text are none of these."""
    found = set()
    for widget in window.findChildren(QWidget):
        shown = widget.text() if isinstance(widget, QLabel) else widget.accessibleName()
        tooltip = html.unescape(re.sub(r"</?qt>", "", widget.toolTip()))
        if not isinstance(widget, QLabel) and tooltip and not tooltip.startswith(shown or "\n"):
            found.add(re.sub(r" \([^()]+\)$", "", tooltip))
    return found


@pytest.mark.parametrize("panel", ["generate", "explore", "complete", "sound", "train"])
def test_texts_of_each_panel_are_short_and_plain(studio: OpenedWindow, panel: str) -> None:
    studio.start_engine()
    studio.state.show_panel(panel)
    settle()
    texts = visible_texts(studio.window)
    assert len(texts) > 40
    assert "\n".join(fault for text in sorted(texts) for fault in faults_of(text)) == ""


@pytest.mark.parametrize("panel", ["generate", "explore", "complete", "sound", "train"])
def test_tooltips_of_each_panel_begin_with_a_verb(studio: OpenedWindow, panel: str) -> None:
    studio.start_engine()
    studio.state.show_panel(panel)
    settle()
    tooltips = tooltips_of(studio.window)
    assert len(tooltips) > 20
    assert "\n".join(sorted(text for text in tooltips if text.split()[0].rstrip(".,") not in VERBS)) == ""
    assert "\n".join(fault for text in sorted(tooltips) for fault in faults_of(text)) == ""


def test_the_rules_find_what_they_forbid() -> None:
    assert faults_of("Doubt is told while pictures are drawn, so it shows with the next ones.") != []
    assert faults_of("Go on") == ["'go on': Go on"]
    assert faults_of("Uncertainty is recorded while drawing. It appears with the next pictures.") == []
    assert [text for _, text in texts_in(ast.parse('"""Docstring."""\nshow(f"{name} went on", "Go on")'))] == [
        "N went on",
        "Go on",
    ]
