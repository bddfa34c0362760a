"""Show what became of the files of a training, as the user asked for it."""

import argparse
from collections import Counter
from collections.abc import Sequence

from studio.cli import command as ground
from studio.library import storage
from studio.media.file_table import TABLE_HEAD, encode_rows
from studio.wire import messages as wire

NOT_USED = ("skipped", "left_out")
"""The outcomes of files that are listed as skipped."""
Files = Sequence[wire.ExaminedFile]


class FileOutcomes:
    """Gathers the outcomes of files. Of millions in shards it keeps what the user asked for alone."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._rows = bytearray()
        self._counts: Counter[str] = Counter()
        self._listed: list[wire.ExaminedFile] = []
        """Files to be listed that were not yet."""
        self._written = 0
        self.is_shown = False
        """Whether the files that are read before the training were shown."""

    def add(self, files: Files) -> None:
        """Add files. Those that are read while the model learns are shown at once."""
        self._counts.update(file.outcome for file in files)
        if self._args.report:
            self._rows += encode_rows((file.name, file.outcome, file.reason) for file in files)
        self._listed += [file for file in files if file.outcome in (*NOT_USED, "damaged")]
        if self.is_shown:
            self._show_list({})

    def show(self) -> None:
        """Write the table, and list unused files, and damaged files that are used, if the user requested it."""
        self.is_shown = True
        self.write_table()
        used = self._counts["used"] + self._counts["damaged"]
        self._show_list({"used": used, "duplicates": self._counts["duplicate"]})

    def write_table(self) -> None:
        """Write the table if the user asked for it and there are rows to add."""
        if self._args.report and self._written < max(len(self._rows), 1):
            storage.write_file(self._args.report, TABLE_HEAD + bytes(self._rows))
            self._written = max(len(self._rows), 1)

    def _show_list(self, counts: dict[str, int]) -> None:
        files, self._listed = self._listed, []
        skipped = [file for file in files if file.outcome in NOT_USED]
        damaged = [file for file in files if file.outcome == "damaged"]
        if self._args.json and files:
            lists = {"skipped": _objects(skipped), "damaged": _objects(damaged)}
            ground.print_result(self._args, {**counts, **lists}, "")
        if self._args.list_skipped:
            for file in (*skipped, *damaged):
                ground.print_message(f'"{file.name}" {file.reason}.')


def _objects(files: Files) -> list[dict[str, str]]:
    return [{"file": file.name, "reason": file.reason} for file in files]
