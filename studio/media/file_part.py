"""Name a part of a file, such as a file inside a tar archive, so that it is read without being unpacked."""

import msgspec


class FilePart(msgspec.Struct, frozen=True):
    """Names bytes of a file."""

    file: bytes
    """The path of the file, as the system has it."""
    begin: int
    """Its first byte."""
    size: int
