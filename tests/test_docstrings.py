"""Docstrings outside the window begin with a verb and use plain words. tests/app/test_wording.py reads the window's."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("studio", "packaging", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if not path.is_relative_to(ROOT / "studio" / "app") and not path.is_relative_to(ROOT / "tests" / "app")
)
NO_VERBS = {
    "A", "All", "An", "As", "At", "Between", "By", "Each", "Every", "Everything", "For", "From", "How", "If", "In",
    "No", "Of", "One", "Such", "The", "True", "Two", "What", "When", "Where", "Whether", "Whose", "Why", "With",
}  # fmt: skip
"""First words with which a docstring of a function or class describes a thing instead of what that does."""
PRIVATE_WORDS = (
    "afresh", "anew", "artist", "dearer", "dial", "dials", "doubt", "go on", "goes on", "going on", "gone on", "heat",
    "heats", "landing", "prune", "reel", "taping", "the person", "this machine", "went on", "whoever",
)  # fmt: skip
NODES_WITH_DOCSTRING = ast.FunctionDef | ast.ClassDef


def texts_of(source: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line and text of every docstring, and whether it must begin with a verb."""
    for node in ast.walk(ast.parse(source)):
        body = getattr(node, "body", None)
        for place, line in enumerate(body if isinstance(body, list) else []):
            value = line.value if isinstance(line, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                describes = place == 0 and isinstance(node, NODES_WITH_DOCSTRING)
                is_test = describes and node.name.startswith("test_")
                yield line.lineno, value.value.strip(), describes and not is_test


def faults_of(source: str) -> list[str]:
    """Return what is wrong with the docstrings of a file."""
    found = []
    for line, text, begins_with_verb in texts_of(source):
        first = text.split()[0]
        if begins_with_verb and (first in NO_VERBS or not first[0].isupper()):
            found.append(f"{line}: begins with {first!r} and not with a verb")
        plain = " ".join(re.findall(r"[\w']+", text.lower()))
        found += [f"{line}: {word!r}" for word in PRIVATE_WORDS if re.search(rf"\b{word}\b", plain)]
    return found


def test_docstrings_begin_with_a_verb_and_use_plain_words() -> None:
    found = {str(path.relative_to(ROOT)): faults_of(path.read_text("utf-8")) for path in SOURCES}
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    ("docstring", "fault"),
    [("The height of a picture.", "'The'"), ("z and its price.", "'z'"), ("Draw a picture anew.", "'anew'")],
)
def test_a_planted_docstring_is_found(docstring: str, fault: str) -> None:
    (found,) = faults_of(f'def f():\n    """{docstring}"""\n')
    assert fault in found
