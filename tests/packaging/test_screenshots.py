"""One command takes the README's pictures from the real window with the real engine."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[2]
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT / "packaging")!r})
import screenshots
screenshots.HEARD = 0.5  # seconds of sound, where the README shows eight
sys.exit(screenshots.main(sys.argv[1:]))
"""


def test_one_command_takes_all_pictures(trained_file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "out"), "--models", str(trained_file.parent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    names = {"first-launch-dark", "generate-dark", "generate-light", "explore-dark", "explore-light"}
    others = {f"{kind}-{theme}" for kind in ("wave", "complete", "sound") for theme in ("dark", "light")}
    assert {path.stem for path in (tmp_path / "out").iterdir()} - others == names
    for name in names:
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert picture.size == (1440, 900)
            assert len(picture.getcolors(2**20) or []) > 30, name
