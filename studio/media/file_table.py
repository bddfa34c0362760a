"""Write a table of files, with the outcome of each and the reason, that spreadsheets read."""

import csv
import io
from collections.abc import Iterable

FORMULA_CHARACTERS = tuple("=+-@＝＋－＠")
"""Characters with which a formula begins in a spreadsheet."""


def make_file_table(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """Return rows of a file's name, its outcome and the reason as CSV that spreadsheets read as text.

    A text that begins like a formula gets an apostrophe, which marks text.
    """
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    writer.writerow(("file", "outcome", "reason"))
    for name, outcome, reason in rows:
        row = (name, outcome.replace("_", " "), reason)
        writer.writerow([f"'{text}" if text.lstrip()[:1] in FORMULA_CHARACTERS else text for text in row])
    return table.getvalue().encode("utf-8-sig", "replace")
