"""Lets an engine on another computer use the models of this one: each is sent once, before the first command."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
from PySide6.QtCore import QObject

from studio.app.core.background import BackgroundTask
from studio.app.engine.file_sender import FileSender, FileToSend, SendingEngine
from studio.library import models
from studio.library.models import BadModel, InstalledModel
from studio.wire.messages import AnyCommand

MODEL_FIELDS = ("model", "second_model", "start_model", "base", "upsampler")
"""The fields of commands that name a model."""


@dataclass(frozen=True)
class _SentModel:
    """Remembers a model that is there."""

    installed: InstalledModel
    state: tuple[int, int]
    """Time of change and size of its file here. If they differ, it was trained again."""
    path: str
    """The path of its file there."""


class _HashedModel(NamedTuple):
    """Holds a model, the state of its file when it was hashed, and the hash."""

    installed: InstalledModel
    state: tuple[int, int]
    file_hash: str


class ModelSender(QObject):
    """Replaces the models that commands name by their files on the other computer, and sends missing ones.

    A command waits until its models are there. Commands without a model never wait.

    Arguments
        release: called with a command whose models are there
        refuse: called with a command that cannot be sent, and why
    """

    def __init__(
        self,
        engine: SendingEngine,
        prefix: str,
        release: Callable[[AnyCommand], object],
        refuse: Callable[[AnyCommand, str], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._release = release
        self._refuse = refuse
        self._sender = FileSender(engine, prefix)
        self._hashing = BackgroundTask(self)
        self._sent: dict[str, _SentModel] = {}
        self._waiting: list[AnyCommand] = []
        self._present = ""
        """The model that is being sent; empty if none is."""

    def send_command(self, command: AnyCommand) -> None:
        """Release a command once its models are there."""
        self._waiting.append(command)
        self._release_ready()

    def forget(self, job: str) -> bool:
        """Forget a waiting command, and return whether there was one of this name."""
        before = len(self._waiting)
        self._waiting = [command for command in self._waiting if command.job != job]
        return len(self._waiting) < before

    def close(self) -> None:
        """Forget all commands, and wait until no file is read."""
        self._waiting.clear()
        self._sender.cancel()
        self._hashing.wait()

    def _release_ready(self) -> None:
        """Release all commands whose models are there, and send a model that the others need."""
        waiting = self._waiting
        self._waiting = []
        for command in waiting:
            missing = [name for name in model_names(command).values() if not self._is_sent(name)]
            if missing:
                self._waiting.append(command)
                self._send_model(missing[0])
            else:
                paths = {field: self._sent[name].path for field, name in model_names(command).items()}
                self._release(msgspec.structs.replace(command, **paths))

    def _is_sent(self, name: str) -> bool:
        known = self._sent.get(name)
        return known is not None and _file_state(known.installed) == known.state

    def _send_model(self, name: str) -> None:
        """Send a model, after the one that is being sent."""
        if self._present:
            return
        self._present = name

        def hashed(outcome: "list[_HashedModel] | Exception") -> None:
            if isinstance(outcome, BadModel | OSError):
                self._fail(str(outcome))
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                self._send_files(name, outcome)

        self._hashing.run(lambda: _hash_files(name), hashed)

    def _send_files(self, name: str, files: "list[_HashedModel]") -> None:
        """Send the files of a model; the last one is its own."""
        first, *others = files

        def sent(path: str) -> None:
            if others:
                self._send_files(name, others)
                return
            self._sent[name] = _SentModel(first.installed, first.state, path)
            self._present = ""
            self._release_ready()

        installed = first.installed
        file_name = f"{installed.card.name}{models.MODEL_SUFFIX}"
        self._sender.send_file(FileToSend(installed.path, file_name, first.file_hash, sent, self._fail))

    def _fail(self, why: str) -> None:
        """Refuse all commands that need the present model."""
        name = self._present
        self._present = ""
        refused = [command for command in self._waiting if name in model_names(command).values()]
        self._waiting = [command for command in self._waiting if command not in refused]
        for command in refused:
            self._refuse(command, why)
        self._release_ready()


def model_names(command: Any) -> dict[str, str]:
    """Return the models that a command names, by its fields."""
    found = {field: getattr(command, field, "") for field in MODEL_FIELDS}
    return {field: name for field, name in found.items() if name}


def _hash_files(name: str) -> list[_HashedModel]:
    """Return the model of a name, after the upsampler that it needs. Raises BadModel. Runs in any thread."""
    installed = models.find_model(name)
    files = [installed] if installed.card.pyramid is None else [models.find_upsampler(installed.card), installed]
    return [_HashedModel(file, _file_state(file), file.file_hash) for file in files]


def _file_state(installed: InstalledModel) -> tuple[int, int]:
    """Return values that differ after a file was changed; zeros if it is missing."""
    try:
        found = os.stat(installed.path)
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
