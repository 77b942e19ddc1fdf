"""Memory that get_buffer hands out."""

from __future__ import annotations

import ctypes


class BufferHandle(bytearray):
    """An object's bytes, in memory of their own that is freed with its last user."""

    def ptr(self) -> int:
        """Its address, as long as it is not resized."""
        return ctypes.addressof(ctypes.c_char.from_buffer(self)) if self else 0

    def size(self) -> int:
        """In bytes."""
        return len(self)
