"""Memory with an address."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from mooncake.store import MooncakeDistributedStore


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


@contextmanager
def registered(store: MooncakeDistributedStore, size: int) -> Iterator[Memory]:
    """Memory that the store knows of."""
    made = Memory(size)
    assert store.register_buffer(made.address, size) == 0
    yield made
    assert store.unregister_buffer(made.address) == 0
