"""The form of stored tensors, for whoever moves them by himself."""

from __future__ import annotations

from typing import Any

from .form import HEADER_SIZE, NoTensor, describe, tensor_in


def serialize_tensor(tensor: Any) -> tuple[bytes, int, int, Any]:
    """The header, where the data are, how long they are, and the tensor that keeps them there: a
    copy where `tensor` is not contiguous. Raises ValueError: it can't be stored."""
    try:
        described = describe(tensor)
    except NoTensor as error:
        raise ValueError(f"unsupported tensor for Mooncake tensor serialization: {error}") from None
    form = described.form
    address = described.tensor.data_ptr() if form.data_size else 0
    return form.packed(), address, form.data_size, described.tensor


def deserialize_tensor(serialized: bytes) -> Any:
    """The tensor of a header and its data; a copy. Raises ValueError."""
    try:
        return tensor_in(bytearray(serialized))
    except NoTensor as error:
        raise ValueError(f"invalid serialized Mooncake tensor payload: {error}") from None


def tensor_metadata_size() -> int:
    """Of the header, in bytes."""
    return HEADER_SIZE
