"""No test depends on an idle machine: all of them wait with the shared limit."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
OWN_LIMIT = re.compile(
    r"\btimeout=[0-9_.]+|\.(join|communicate)\([0-9_.]+\)|monotonic\(\) \+ [0-9.]+$"
    r"|(process|thread|window|owner|event|may_go|is_in|waits)\.wait\([0-9_.]+\)"
)
WAITED = "with pytest.raises(subprocess.TimeoutExpired):"
"""What follows shall not happen, and is waited for in vain."""


def test_every_wait_has_the_shared_limit() -> None:
    """Of `tests/limits.py`; `qtbot.waitUntil` has it by itself."""
    faults = []
    for path in sorted(TESTS.rglob("*.py")):
        if path.is_relative_to(TESTS / "benchmarks"):
            continue
        before = ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if OWN_LIMIT.search(line) and WAITED not in before and "OWN_LIMIT" not in line:
                faults.append(f"{path.relative_to(TESTS)}:{number}: {line.strip()}")
            before = line
    assert faults == []
