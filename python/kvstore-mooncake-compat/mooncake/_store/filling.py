"""The memory of an object that is being filled."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence

import kvstore


class Filling:
    """Stretches of memory, filled by any number of threads until it is finished. `new` is the
    object whose memory it is; None: the memory is this process's own, to be put when it is
    filled."""

    def __init__(self, size: int, new: kvstore.NewObject | None) -> None:
        self.new = new
        self._staged = bytearray() if new else bytearray(size)
        self._stretches = [_stretch(p) for p in (new.pieces if new else [memoryview(self._staged)])]
        self._size = size
        self._changed = threading.Condition()
        self._writers = 0
        self._finished = False

    def write(self, ranges: Sequence[tuple[int, int, int]]) -> int | None:
        """Copies ranges (address, size, offset); how many bytes. None: one ends beyond the object,
        or it is finished; nothing was copied."""
        if any(offset < 0 or size < 0 or offset + size > self._size for _, size, offset in ranges):
            return None
        with self._changed:
            if self._finished:
                return None
            self._writers += 1
        try:
            for address, size, offset in ranges:
                self._copy(address, size, offset)
        finally:
            with self._changed:
                self._writers -= 1
                self._changed.notify_all()
        return sum(size for _, size, _ in ranges)

    def finish(self, timeout: float) -> bool:
        """No write begins any more; whether those under way have ended in time."""
        with self._changed:
            self._finished = True
            return self._changed.wait_for(lambda: self._writers == 0, timeout)

    def staged(self) -> tuple[int, int]:
        """Address and size of what is to be put."""
        return self._stretches[0]

    def _copy(self, address: int, size: int, offset: int) -> None:
        for base, length in self._stretches:
            if size and offset < length:
                part = min(size, length - offset)
                ctypes.memmove(base + offset, address, part)
                address, size, offset = address + part, size - part, 0
            else:
                offset -= min(offset, length)


def _stretch(memory: memoryview) -> tuple[int, int]:
    """Its address and size. Nothing of it is held on to: an object is not sealed while it is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory)), len(memory)
