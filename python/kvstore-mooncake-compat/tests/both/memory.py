"""Memory with an address."""

from __future__ import annotations

import ctypes


class Memory:
    """Bytes that stay where they are."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.bytes))

    def write(self, offset: int, content: bytes) -> int:
        """Returns the content's address."""
        self.bytes[offset : offset + len(content)] = content
        return self.address + offset

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self.bytes[offset : offset + size])
