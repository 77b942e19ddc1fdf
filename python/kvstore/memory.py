"""What may stand for a key, and for memory to be read or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer

Key = str | bytes
"""1 to 1024 bytes, any values; a str stands for its UTF-8."""


class Tensor(Protocol):
    """A tensor of torch, or one like it: contiguous, and in the CPU's memory."""

    @property
    def device(self) -> Any: ...
    def data_ptr(self) -> int: ...
    def numel(self) -> int: ...
    def element_size(self) -> int: ...
    def is_contiguous(self) -> bool: ...


Piece = Union["Buffer", Tensor]
"""One stretch of memory: an object with the buffer protocol (bytes, bytearray, memoryview, mmap,
array, a C-contiguous numpy array, ...), or a tensor. Nothing is copied on the way."""

Memory = Piece | list[Piece] | tuple[Piece, ...]
"""One stretch, or a list or tuple of them, in order."""
