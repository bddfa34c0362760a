"""Puts the pictures of a folder on one sheet, `sheet.png` beside them: what a first run without a display shows."""

import sys
from pathlib import Path

import numpy as np

from studio.library import storage
from studio.media import export, image


def main(folder: Path) -> int:
    """Four pictures a row in the order of their names, each at eight times its size."""
    sheet = folder / "sheet.png"
    pictures = [image.open_picture(path).array for path in sorted(folder.glob("*.png")) if path != sheet]
    storage.write(sheet, export.png(export.sheet(np.stack(pictures), columns=4), scale=8))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
