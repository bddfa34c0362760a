"""Run instead of `studio decode`, with readers that misbehave at certain names of files."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from studio.media import decoder_process


def misbehave(stem: str) -> None:
    """Do to this process what a library could do at a damaged file."""
    kept: list[Any] = []
    match stem:
        case "kills":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "aborts":
            os.abort()
        case "exits":
            os._exit(0)
        case "hangs":
            while True:
                pass
        case "sleeps":
            time.sleep(3600)
        case "grows":
            while True:  # memory that nobody touches counts, and takes no processor time
                kept.append(np.empty(2**26, np.uint8))
        case "opens":
            while True:
                kept.append(os.open(os.devnull, os.O_RDONLY))
        case "raises":
            raise KeyError("Traceback (most recent call last): 0x7fff")
        case "prints":
            ctypes.CDLL(None).puts(b"libpicture: warning")
            print("libpicture: warning", flush=True)
            sys.stderr.write("libpicture: warning\n")
        case "writes":
            Path(os.environ["PLANTED_FILE"]).write_bytes(b"x" * 100)
        case "breaks":  # this file is read well, but the next one in the same process crashes it
            decoder_process.FILE_READERS = dict.fromkeys(decoder_process.FILE_READERS, lambda *_, **__: os.abort())


def planted(reader: Callable[..., Any]) -> Callable[..., Any]:
    def read(path: Path, **words: Any) -> Any:
        found = reader(path, **words) if path.stem in ("breaks", "prints") else None
        misbehave(path.stem)
        return found if found is not None else reader(path, **words)

    return read


if __name__ == "__main__":
    decoder_process.FILE_READERS = {name: planted(reader) for name, reader in decoder_process.FILE_READERS.items()}
    sys.exit(decoder_process.main())
