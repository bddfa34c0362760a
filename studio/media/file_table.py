"""Write a table of files, with the outcome of each and the reason, that spreadsheets read."""

import csv
import io
from collections.abc import Iterable

FORMULA_CHARACTERS = tuple("=+-@＝＋－＠")
"""Characters with which a formula begins in a spreadsheet."""
TABLE_HEAD = '"file","outcome","reason"\r\n'.encode("utf-8-sig")


def make_file_table(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """Return rows of a file's name, its outcome and the reason as CSV that spreadsheets read as text.

    A text that begins like a formula gets an apostrophe, which marks text.
    """
    return TABLE_HEAD + encode_rows(rows)


def encode_rows(rows: Iterable[tuple[str, str, str]]) -> bytes:
    """Return rows of a table without its head."""
    table = io.StringIO()
    writer = csv.writer(table, quoting=csv.QUOTE_ALL)
    for name, outcome, reason in rows:
        row = (name, outcome.replace("_", " "), reason)
        writer.writerow([f"'{text}" if text.lstrip()[:1] in FORMULA_CHARACTERS else text for text in row])
    return table.getvalue().encode("utf-8", "replace")
