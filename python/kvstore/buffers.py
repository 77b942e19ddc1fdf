"""Memory that is used again."""

from __future__ import annotations

from . import _native


class BufferPool(_native.BufferPool):
    """Memory for objects that are got, kept for the next ones. The kernel's fresh pages cost more
    time than reading an object into them.

    At most `limit` bytes that nobody uses are kept, until the pool and its buffers are gone. Blocks
    are powers of two, of which only what was used has pages. May be used by many threads.
    """

    __slots__ = ()

    def __init__(self, limit: int) -> None:
        super().__init__(limit)

    @property
    def kept_bytes(self) -> int:
        """How much is kept that nobody uses."""
        return self.kept()


class Buffer(_native.Buffer):
    """So many bytes of a pool's, to be written and read by the buffer protocol, as bytearray. Their
    contents at first are undefined. They go back to the pool with the last reference to this and
    the last memoryview or array of it.

    Raises:
        MemoryError: there is no such memory.
    """

    __slots__ = ()

    def __init__(self, pool: BufferPool, size: int) -> None:
        super().__init__(pool, size)
