"""Runs an engine on another computer by the system's `ssh`, and explains why that fails.

Keys, names and ports of computers are those of the system's own ssh: its agent, `~/.ssh/config` and `known_hosts`.
"""

import re
from collections.abc import Sequence

CONNECT_SECONDS = 10
"""Seconds after which a computer that does not answer counts as unreachable."""
NOT_FOUND_STATUS = 127
"""The exit status of a shell that does not find a command."""
_HOST = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9_.+-]*@)?[A-Za-z0-9_][A-Za-z0-9_.:-]*")
"""A name or an address, with a user if wanted. It cannot begin like an option of ssh, and holds no space."""
MAX_HOST_LENGTH = 200


class BadHost(ValueError):
    """Reports in a sentence that a text is no name of a computer."""


def check_host(text: str) -> str:
    """Return the name of a computer as `ssh` takes it: `garden`, `ada@garden`. Raises BadHost."""
    host = text.strip()
    if not host:
        raise BadHost("Type the name of a computer, such as ada@garden.")
    if len(host) > MAX_HOST_LENGTH or not _HOST.fullmatch(host):
        raise BadHost("This is not the name of a computer. Type it like ada@garden.")
    return host


def remote_program(host: str, *, background: bool = False) -> list[str]:
    """Return the command line of an engine on another computer. Raises BadHost.

    ssh never asks for a password, because nobody could answer it.
    """
    options = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
    engine = ["studio", "engine", "--remote", *(["--background"] if background else [])]
    return ["ssh", *options, "--", check_host(host), *engine]


_REASONS = (
    ("could not resolve hostname", "was not found. Check its name and your network."),
    ("connection refused", "refused the connection. Start the ssh server there."),
    ("timed out", "does not answer. Check that it is on and in your network."),
    ("no route to host", "does not answer. Check that it is on and in your network."),
    ("network is unreachable", "cannot be reached. Check your network."),
    ("identification has changed", "shows another host key than before. Ask who runs it, then update known_hosts."),
    ("host key verification failed", "is not known to ssh yet. Connect once in a terminal: ssh {host}"),
    ("permission denied", "did not accept your key. Add your public key there: ssh-copy-id {host}"),
    ("too many authentication failures", "did not accept your key. Add your public key there: ssh-copy-id {host}"),
)
"""What ssh writes, in small letters, and what it means. The first that fits counts."""


def explain_failure(host: str, lines: Sequence[str], status: int | None) -> str:
    """Return why no engine started on a computer, and what to do.

    Arguments
        lines: what ssh and the other computer wrote to the log
        status: the exit status of ssh; None if it is unknown
    """
    text = "\n".join(lines).lower()
    for words, reason in _REASONS:
        if words in text:
            return f'"{host}" {reason.format(host=host)}'
    is_missing = "not found" in text or "not recognized" in text
    if status == NOT_FOUND_STATUS or (is_missing and "studio" in text):
        return f'Latent Studio was not found on "{host}". Install it there, so that "ssh {host} studio" works.'
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    detail = f' It wrote: "{last[:200]}".' if last else ""
    return f'The engine on "{host}" did not start.{detail}'


def explain_version(host: str, version: str, own_version: str) -> str:
    """Return that another computer has another version of the studio."""
    return f'"{host}" has version {version}, and this computer {own_version}. Install the same version on both.'
