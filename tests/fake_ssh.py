"""Replaces `ssh` in the tests: it runs the engine as if on another computer, with folders of its own."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPT = """#!{python}
import os, sys
sys.path.insert(0, {root!r})
from tests.fake_ssh import main
main(sys.argv[1:])
"""
NO_SUCH_HOST = "ssh: Could not resolve hostname {host}: Name or service not known"


def install(folder: Path, home: Path) -> dict[str, str]:
    """Write the script, and return the variables that put it first in the path.

    Arguments
        home: the studio's folders on the other computer
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "ssh"
    script.write_text(SCRIPT.format(python=sys.executable, root=str(ROOT)))
    script.chmod(0o755)
    return {
        "PATH": os.pathsep.join([str(folder), os.environ["PATH"]]),
        "FAKE_SSH_HOME": str(home),
    }


def main(words: list[str]) -> None:
    """Run `studio engine` for the host `garden`; refuse all others as ssh does."""
    place = words.index("--")
    assert "BatchMode=yes" in words[:place], "ssh must never ask for a password"
    host, *command = words[place + 1 :]
    match host:
        case "garden" | "ada@garden":
            pass
        case "bare":
            print("sh: 1: studio: not found", file=sys.stderr)
            sys.exit(127)
        case "locked":
            print("ada@locked: Permission denied (publickey).", file=sys.stderr)
            sys.exit(255)
        case "older":
            command = ["older"]
        case _:
            print(NO_SUCH_HOST.format(host=host), file=sys.stderr)
            sys.exit(255)
    home = Path(os.environ["FAKE_SSH_HOME"])
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "connections.txt", "a") as log:
        log.write(f"{os.getpid()} {' '.join([host, *command])}\n")
    environment = {**os.environ, "STUDIO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    if command == ["older"]:
        program = "import sys; from studio.wire import frames, messages; sys.stdout.buffer.write(frames.encode("
        program += "messages.Starting(version='0.1'))); sys.stdout.flush(); sys.stdin.buffer.read()"
        os.execve(sys.executable, [sys.executable, "-c", program], environment)
    assert command[:2] == ["studio", "engine"]
    engine = os.environ.get("FAKE_SSH_ENGINE", "")
    program_words = [engine] if engine else ["-m", "studio"]
    os.execve(sys.executable, [sys.executable, *program_words, *command[1:]], environment)
