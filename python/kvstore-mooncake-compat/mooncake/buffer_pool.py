"""mooncake.buffer_pool: buffers that are registered with a store."""

from __future__ import annotations

from ._memory.pool import BufferPool

RegisteredBufferPool = BufferPool

__all__ = ["BufferPool", "RegisteredBufferPool"]
