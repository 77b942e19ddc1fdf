"""Buffers that are registered with a store once, and used again."""

from __future__ import annotations

import contextlib
import mmap
import threading
import time
from types import TracebackType
from typing import Any

from .mapped import Mapped


class BufferLease:
    """A buffer, until it is released, at the latest with its last reference. A context manager."""

    def __init__(self, pool: BufferPool, buffer: Mapped, size: int) -> None:
        self._pool = pool
        self._mapped: Mapped | None = buffer
        self._view = buffer.view(size)
        self.size = size

    @property
    def ptr(self) -> int:
        """Its address. Raises RuntimeError once it is released."""
        return self._held().address

    @property
    def buffer(self) -> memoryview:
        """Its bytes, to be written. Not to be used once it is released, whoever holds it: the
        memory is somebody else's then. Raises RuntimeError."""
        self._held()
        return self._view

    def release(self) -> None:
        """Gives it back; a second time does nothing."""
        mapped, self._mapped = self._mapped, None
        if mapped is not None:
            with contextlib.suppress(BufferError):  # arrays over it are the caller's to forget
                self._view.release()
            self._pool._take_back(mapped)

    def _held(self) -> Mapped:
        if self._mapped is None:
            raise RuntimeError("buffer lease is closed")
        return self._mapped

    def __enter__(self) -> BufferLease:
        self._held()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def __del__(self) -> None:
        if getattr(self, "_mapped", None) is not None:
            self.release()


class BufferPool:
    """Registered buffers of a store that is set up. May be used by many threads.

    Sizes are rounded up to a power of two, from min_size_class on; one above max_size_class is
    refused. `max_bytes` of all buffers, 0: no limit; `max_regions`: so many buffers at most. Where
    they are used up, acquire waits for one to be released, up to its timeout or default_timeout
    (seconds; None: ever so long), or raises at once if told not to block. Buffers are made as they
    are needed; prewarm makes them before.

    Raises RuntimeError for arguments that can't be, and for a store that is not set up.
    """

    def __init__(
        self,
        store: Any,
        max_bytes: int = 0,
        min_size_class: int = 65536,
        max_size_class: int | None = None,
        alignment: int = 8 << 20,
        block_on_exhaustion: bool = True,
        default_timeout: float | None = None,
        max_regions: int | None = None,
        prewarm_size: int | None = None,
        prewarm_count: int = 0,
    ) -> None:
        if min_size_class <= 0 or alignment <= 0:
            raise RuntimeError("min_size_class and alignment must be positive")
        if alignment & (alignment - 1):
            raise RuntimeError("alignment must be a power of two")
        if max_bytes < 0:
            raise RuntimeError("max_bytes must not be negative")
        if store.health_check() == 1:
            raise RuntimeError("MooncakeDistributedStore is not initialized")
        self._store = store
        self._max_bytes = max_bytes
        self._least = min_size_class
        self._largest = max_size_class
        self._alignment = max(alignment, mmap.PAGESIZE)
        self._blocks = block_on_exhaustion
        self._timeout = default_timeout
        self._max_regions = max_regions or 0
        self._free: dict[int, list[Mapped]] = {}
        self._leased = 0
        self._regions = 0
        self._bytes = 0
        self._closed = False
        # A lease may end in any thread, at any time: when garbage is collected, also inside of a
        # call of this pool.
        self._changed = threading.Condition(threading.RLock())
        if prewarm_size is not None and prewarm_count:
            self.prewarm(prewarm_size, prewarm_count)

    def acquire(
        self, size: int, block: bool | None = None, timeout: float | None = None
    ) -> BufferLease:
        """Raises RuntimeError: they are used up, or it could never be had."""
        wait = self._timeout if timeout is None else timeout
        if wait is not None and wait < 0:
            raise RuntimeError("timeout must be non-negative")
        whole = self._class_of(size)
        until = None if wait is None else time.monotonic() + wait
        blocks = self._blocks if block is None else block
        with self._changed:
            while (buffer := self._taken(whole)) is None:
                left = None if until is None else until - time.monotonic()
                if not blocks or (left is not None and left <= 0):
                    raise RuntimeError("buffer pool is exhausted")
                self._changed.wait(left)
            self._leased += 1
        return BufferLease(self, buffer, size)

    buffer = acquire

    def prewarm(self, size: int, count: int) -> None:
        """Makes so many buffers of that size, or fewer if the limits say so."""
        whole = self._class_of(size)
        with self._changed:
            for _ in range(count):
                if not self._has_room(whole):
                    return
                self._free.setdefault(whole, []).append(self._made(whole))

    def close(self) -> None:
        """Unregisters and frees all buffers. Raises RuntimeError while some are leased."""
        with self._changed:
            if self._leased:
                raise RuntimeError("cannot close buffer pool with active leases")
            self._closed = True
            self._unmake_free()

    def __del__(self) -> None:
        if hasattr(self, "_changed"):  # its leases keep it: there are none
            self._unmake_free()

    # ---- under the lock --------------------------------------------------------------------------

    def _taken(self, whole: int) -> Mapped | None:
        if self._closed:
            raise RuntimeError("buffer pool is closed")
        free = self._free.setdefault(whole, [])
        if free:
            return free.pop()
        while not self._has_room(whole):
            other = next((buffers for buffers in self._free.values() if buffers), None)
            if other is None:
                return None
            self._unmade(other.pop())
        return self._made(whole)

    def _has_room(self, whole: int) -> bool:
        fits = not self._max_bytes or self._bytes + whole <= self._max_bytes
        return fits and (not self._max_regions or self._regions < self._max_regions)

    def _made(self, whole: int) -> Mapped:
        try:
            buffer = Mapped(whole, self._alignment)
        except OSError as error:
            raise RuntimeError(f"no memory for a buffer of {whole} bytes: {error}") from None
        code = self._store.register_buffer(buffer.address, whole)
        if code != 0:
            buffer.close()
            raise RuntimeError(f"a buffer of {whole} bytes can't be registered: {code}")
        self._regions += 1
        self._bytes += whole
        return buffer

    def _unmake_free(self) -> None:
        for buffers in self._free.values():
            while buffers:
                self._unmade(buffers.pop())

    def _unmade(self, buffer: Mapped) -> None:
        self._store.unregister_buffer(buffer.address)
        self._regions -= 1
        self._bytes -= buffer.size
        buffer.close()

    # ---- by anybody ------------------------------------------------------------------------------

    def _take_back(self, buffer: Mapped) -> None:
        with self._changed:
            self._leased -= 1
            self._free.setdefault(buffer.size, []).append(buffer)
            self._changed.notify_all()

    def _class_of(self, size: int) -> int:
        if size < 0:
            raise TypeError("size must not be negative")
        whole = self._least
        while whole < size:
            whole *= 2
        limits = (self._max_bytes, self._largest or 0)
        if any(limit and size > limit for limit in limits):
            raise RuntimeError("requested buffer size exceeds pool capacity")
        return min(whole, self._max_bytes) if self._max_bytes else whole
