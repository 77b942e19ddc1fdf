"""Mooncake's Python names, over kvstore. docs/mooncake.md says what is offered, and what is not."""

from ._memory.pool import BufferPool

RegisteredBufferPool = BufferPool

__all__ = ["BufferPool", "RegisteredBufferPool"]
