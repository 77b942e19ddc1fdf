"""Mooncake's Python names, over kvstore. docs/mooncake.md says what is offered, and what is not."""

from ._absent import explain_imports
from ._memory.pool import BufferPool

RegisteredBufferPool = BufferPool

explain_imports()

__all__ = ["BufferPool", "RegisteredBufferPool"]
