"""Tensors to and from files in the format of safetensors.

Eight bytes, little-endian: the length of the header; the header, a JSON object of names to type,
shape and where the data lie; the data.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import struct
from typing import Any, BinaryIO

from .._store import codes
from .form import NoTensor, describe
from .parallel import ParallelTensors

_FILE_NOT_FOUND = -1100
_MAX_HEADER = 100 << 20
_LENGTH = struct.Struct("<Q")

_DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


class TensorFiles(ParallelTensors):
    """Files of one tensor, or of several of which one is taken."""

    def save_tensor_to_safetensor(self, key: str, file_name: str | None = None) -> int:
        """Writes it to `file_name`, or to a file that is called as its key. FILE_NOT_FOUND: there
        is no such tensor; INVALID_PARAMS: the file can't be written."""
        tensor = self.get_tensor(key)
        if tensor is None:
            return _FILE_NOT_FOUND
        try:
            write(file_name or key, key, tensor)
        except OSError as error:
            self._complain(1, f"save of the tensor {key!r}: {error}")
            return codes.INVALID_PARAMS
        return codes.OK

    def load_tensor_from_safetensor(self, key: str | None = None, file_name: str = "") -> Any:
        """Reads the tensor of that key, or the file's first one, and puts it under the key, or the
        file's name. Returns it; None: the file can't be read, or the tensor not be put."""
        try:
            tensor = read(file_name, key)
        except (OSError, ValueError, NoTensor) as error:
            self._complain(1, f"load of the tensor {key!r}: {error}")
            return None
        return tensor if self.put_tensor(key or file_name, tensor) == codes.OK else None


def write(path: str, name: str, tensor: Any) -> None:
    """Replaces the file in one step. Raises OSError."""
    described = describe(tensor)
    size = described.form.data_size
    about = {
        "dtype": _NAMES[str(tensor.dtype).removeprefix("torch.")],
        "shape": list(tensor.shape),
        "data_offsets": [0, size],
    }
    header = json.dumps({name: about}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    partial = f"{path}.{os.getpid()}.part"
    try:
        with open(partial, "wb") as file:
            file.write(_LENGTH.pack(len(header)) + header)
            if size:
                file.write(memoryview(_bytes_of(described.tensor)))
        os.replace(partial, path)
    except OSError:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def read(path: str, name: str | None) -> Any:
    """Raises OSError, ValueError."""
    with open(path, "rb") as file:
        try:
            return _read(file, path, name)
        except (KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
            raise ValueError(f"{path} is no file of safetensors: {error!r}") from None


def _read(file: BinaryIO, path: str, name: str | None) -> Any:
    """Raises ValueError, and what comes of a header that is JSON of another shape."""
    import torch

    prefix = file.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size or _LENGTH.unpack(prefix)[0] > _MAX_HEADER:
        raise ValueError(f"{path} is no file of safetensors")
    (length,) = _LENGTH.unpack(prefix)
    header = json.loads(file.read(length))
    tensors = {key: about for key, about in header.items() if key != "__metadata__"}
    if not tensors:
        raise ValueError(f"{path} has no tensors")
    about = tensors[name if name in tensors else next(iter(tensors))]
    begin, end = about["data_offsets"]
    dtype = getattr(torch, _DTYPES.get(about["dtype"], ""), None)
    if dtype is None:
        raise ValueError(f"{path}: tensors of {about['dtype']} are unknown")
    if not 0 <= begin <= end <= os.fstat(file.fileno()).st_size - _LENGTH.size - length:
        raise ValueError(f"{path} ends too early")
    file.seek(_LENGTH.size + length + begin)
    data = bytearray(file.read(end - begin))
    shape = about["shape"]
    tensor = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    if tensor.numel() != math.prod(shape):
        raise ValueError(f"{path}: the shape of a tensor is not that of its data")
    return tensor.reshape(shape)


def _bytes_of(tensor: Any) -> Any:
    size = tensor.numel() * tensor.element_size()
    return (ctypes.c_char * size).from_address(tensor.data_ptr())
