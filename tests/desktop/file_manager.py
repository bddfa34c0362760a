"""Shows a small window from which files can be dragged, like a file manager: `python file_manager.py LEFT TOP FILE...`.

It offers to copy, to move and to link, as file managers do. It prints `accepted` when a window first accepts what is
dragged over it, and in the end which action was taken.
"""

import sys
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

OFFERED = Qt.DropAction.CopyAction | Qt.DropAction.MoveAction | Qt.DropAction.LinkAction


class Files(QLabel):
    """Shows the names of files and lets them be dragged."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__("\n".join(path.name for path in paths))
        self._paths = paths
        self._accepted = False
        self.setWindowFlags(Qt.WindowType.X11BypassWindowManagerHint | Qt.WindowType.FramelessWindowHint)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in self._paths])
        drag = QDrag(self)
        drag.setMimeData(data)
        drag.actionChanged.connect(self._tell)
        print(drag.exec(OFFERED, Qt.DropAction.MoveAction).name, flush=True)

    def _tell(self, action: Qt.DropAction) -> None:
        if action != Qt.DropAction.IgnoreAction and not self._accepted:
            self._accepted = True
            print("accepted", flush=True)


def main(words: list[str]) -> int:
    """Show the files at a position on the screen until the process is ended."""
    application = QApplication(["files"])
    files = Files([Path(word) for word in words[2:]])
    files.setGeometry(int(words[0]), int(words[1]), 100, 60)
    files.show()
    application.processEvents()
    print("ready", flush=True)
    return application.exec()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
