"""Anonymous memory. Its pages are taken when they are touched."""

from __future__ import annotations

import contextlib
import ctypes
import mmap


class Mapped:
    """So many bytes, aligned, zero at first. They go when close() was called and the last view of
    them is gone."""

    def __init__(self, size: int, alignment: int = mmap.PAGESIZE) -> None:
        """Raises OSError."""
        self._mapping = mmap.mmap(-1, size + max(alignment - mmap.PAGESIZE, 0))
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._mapping))
        self.address = -(-base // alignment) * alignment
        self.size = size
        self._offset = self.address - base

    def view(self, size: int) -> memoryview:
        """The first bytes of it, to be written."""
        return memoryview(self._mapping)[self._offset : self._offset + size]

    def close(self) -> None:
        with contextlib.suppress(BufferError):
            self._mapping.close()
