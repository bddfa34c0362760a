"""Prepares the artworks of a folder here and sends them to the computer that learns from them."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.app.core.observable import EngineProtocol
from studio.app.core.request import Request
from studio.app.engine.file_sender import FileSender, FileToSend
from studio.wire.messages import AnyEvent, ArtworksPacked, Failed, PackArtworks


class ArtworkSender(QObject):
    """Makes one file of the artworks of a training, and sends it unless it is there already.

    Signals: `progressed` an event of the engine that reads the files; `sending` the bytes that have arrived, and all
    bytes; `sent` the file's path there; `failed` the event with the reason; `stopped` nothing; `lost` a sentence.

    Arguments
        engine: the engine on this computer, which can read the folder
        remote_engine: the engine on the other computer
    """

    progressed = Signal(object)
    sending = Signal(int, int)
    sent = Signal(str)
    failed = Signal(object)
    stopped = Signal()
    lost = Signal(str)

    def __init__(self, engine: EngineProtocol, remote_engine: EngineProtocol, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._remote_engine = remote_engine
        self._name = ""
        self._sender = FileSender(remote_engine, "artworks")
        self._request = Request(engine, "packing", "single", self)
        self._request.progressed.connect(self._receive)
        self._request.stopped.connect(self.stopped)
        self._request.failed.connect(self.failed)
        self._request.lost.connect(self.lost)

    def send(self, source: str, config: dict[str, Any]) -> None:
        """Prepare and send the artworks of a training."""
        self._name = f"{config['name']}.safetensors"
        self._request.ask(lambda job: PackArtworks(job=job, source=source, config=config))

    def cancel(self) -> None:
        """Stop preparing and sending. Nothing more is reported."""
        self._request.cancel()
        self._sender.cancel()

    def _receive(self, event: AnyEvent) -> None:
        self.progressed.emit(event)
        if isinstance(event, ArtworksPacked):
            if self._remote_engine.now == "Stopped":
                self._remote_engine.start()
            file = FileToSend(
                Path(event.path), self._name, event.file_hash, self.sent.emit, self._fail, self.sending.emit
            )
            self._sender.send_file(file)

    def _fail(self, why: str) -> None:
        self.failed.emit(Failed(job="packing", reason=why))
