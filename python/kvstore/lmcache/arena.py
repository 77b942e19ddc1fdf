"""LMCache's CPU memory, as the store sees it."""

from __future__ import annotations

from typing import Any

# Where the allocators of LMCache 0.5 keep their one stretch of CPU memory: the mixed and the pinned
# one, the paged one, the lazy one.
_NAMES = ("buffer", "cpu_buffer", "_buffer")


def arena_of(allocator: Any) -> tuple[int, int] | None:
    """Address and size in bytes of what `allocator` cuts chunks from. None: it can't be told, and
    chunks are used unregistered."""
    for holder in (allocator, getattr(allocator, "pin_allocator", None)):
        for name in _NAMES:
            tensor = getattr(holder, name, None)
            if tensor is None or not hasattr(tensor, "data_ptr") or tensor.device.type != "cpu":
                continue
            size = tensor.numel() * tensor.element_size()
            if size:
                return tensor.data_ptr(), size
    return None


def bytes_of(chunk: Any) -> memoryview:
    """The chunk's own bytes, without the padding behind them. Raises ValueError: they lie on a
    device, whose addresses mean nothing here."""
    tensor = getattr(chunk, "raw_tensor", None)
    if tensor is not None and tensor.device.type != "cpu":
        raise ValueError(f"the chunk lies in memory of {tensor.device}; kvstore wants the CPU's")
    view: memoryview = chunk.byte_array
    return view
