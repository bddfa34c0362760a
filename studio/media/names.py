"""Display names of files as plain text, whatever characters they contain."""

import unicodedata

_LONGEST = 200
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
_JOINERS = "\u200c\u200d"  # Persian words and joined emoji need them, and they reverse nothing


def display_name(name: str) -> str:
    """Return a name with control, bidirectional and unreadable characters made visible.

    It has 200 characters at most.
    """
    seen = "".join("\ufffd" if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in name)
    return seen if len(seen) <= _LONGEST else seen[:120] + "…" + seen[-79:]
