"""The header of a tensor's object: type, shape, and how it is split.

Little-endian, 304 bytes: magic, version, size of the header; type, dimensions, whether it is a
part; where the data begins and how long they are; the whole's shape and this one's, -1 beyond its
dimensions; then, of a part, its axes.
"""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

HEADER_SIZE = 304
MAX_DIMENSIONS = 8
MAX_AXES = 4

_MAGIC = b"NOOM"
_VERSION = 1
_FIXED = struct.Struct("<4sHHiiii QQ 8q8q")
_AXES = struct.Struct("<ii32i")
assert _FIXED.size + _AXES.size == HEADER_SIZE

# By the number that stands for them. A torch that lacks one can't have such tensors either.
_DTYPES = (
    *("float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64"),
    *("uint64", "bool", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"),
)
_ITEM_SIZES = (4, 8, 1, 1, 2, 2, 4, 4, 8, 8, 1, 2, 2, 1, 1)


class NoTensor(Exception):
    """What was given is none, or can't be stored."""


@dataclass(frozen=True)
class Axis:
    """A part's place along one axis; split_dim -1: it is not split along it."""

    kind: int
    rank: int
    size: int
    split_dim: int
    extra: int


@dataclass(frozen=True)
class Form:
    """What a header says."""

    dtype: int
    shape: tuple[int, ...]
    whole: tuple[int, ...]
    data_size: int
    axes: tuple[Axis, ...] = field(default=())

    @property
    def size(self) -> int:
        """Of the object, in bytes."""
        return HEADER_SIZE + self.data_size

    def packed(self) -> bytes:
        fixed = _FIXED.pack(
            *(_MAGIC, _VERSION, HEADER_SIZE, self.dtype, len(self.shape), int(bool(self.axes)), 0),
            *(HEADER_SIZE, self.data_size, *_padded(self.whole), *_padded(self.shape)),
        )
        words = [0] * 32
        for index, axis in enumerate(self.axes):
            extent = self.shape[axis.split_dim] if axis.split_dim >= 0 else 0
            words[8 * index : 8 * index + 7] = (
                *(axis.kind, 0, axis.rank, axis.size, axis.split_dim, axis.extra),
                extent,
            )
        return fixed + _AXES.pack(len(self.axes), 0, *words)


@dataclass(frozen=True)
class Described:
    """A tensor, ready to be put; keeps what its addresses name."""

    form: Form
    header: Any
    tensor: Any

    @property
    def addresses(self) -> list[int]:
        """Of its pieces: the header, and the data unless there are none."""
        header = ctypes.addressof(self.header)
        return [header, self.tensor.data_ptr()] if self.form.data_size else [header]

    @property
    def sizes(self) -> list[int]:
        return [HEADER_SIZE, self.form.data_size] if self.form.data_size else [HEADER_SIZE]


def describe(
    tensor: Any, axes: Sequence[Axis] = (), whole: tuple[int, ...] | None = None
) -> Described:
    """A tensor that is not contiguous, or not in this host's memory, is copied. Raises NoTensor."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        raise NoTensor(f"a {type(tensor).__name__} is no tensor of torch")
    name = str(tensor.dtype).removeprefix("torch.")
    if name not in _DTYPES or tensor.layout != torch.strided:
        raise NoTensor(f"tensors of {name}, {tensor.layout} can't be stored")
    if tensor.dim() > MAX_DIMENSIONS:
        raise NoTensor(f"tensors have at most {MAX_DIMENSIONS} dimensions, not {tensor.dim()}")
    try:
        _check_memory(tensor)
        kept = tensor.detach().cpu().resolve_neg().contiguous()
    except (RuntimeError, NotImplementedError) as error:  # such as those without any memory
        raise NoTensor(f"a tensor on {tensor.device} can't be read: {error}") from None
    shape = tuple(kept.shape)
    size = kept.numel() * kept.element_size()
    form = Form(_DTYPES.index(name), shape, shape if whole is None else whole, size, tuple(axes))
    return Described(form, ctypes.create_string_buffer(form.packed(), HEADER_SIZE), kept)


def _check_memory(tensor: Any) -> None:
    """torch itself reads beyond a storage that was made smaller. Raises NoTensor."""
    storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
    if not tensor.numel():
        return
    strides = zip(tensor.shape, tensor.stride(), strict=True)
    last = tensor.storage_offset() + sum((length - 1) * stride for length, stride in strides)
    if (last + 1) * tensor.element_size() > storage.nbytes():
        raise NoTensor("a tensor has no memory: its storage was made smaller")


def read(header: bytes | bytearray | memoryview) -> Form:
    """What a header says. Raises NoTensor for what is none."""
    if len(header) < HEADER_SIZE:
        raise NoTensor("too short for a tensor's header")
    magic, version, size, dtype, count, part, _, begins, data_size, *shapes = _FIXED.unpack_from(
        header
    )
    if (magic, version, size, begins) != (_MAGIC, _VERSION, HEADER_SIZE, HEADER_SIZE):
        raise NoTensor("no tensor's header")
    if not (0 <= dtype < len(_DTYPES) and 0 <= count <= MAX_DIMENSIONS):
        raise NoTensor("a tensor of unknown type or shape")
    whole, shape = tuple(shapes[:count]), tuple(shapes[8 : 8 + count])
    form = Form(dtype, shape, whole, data_size, _axes(header) if part else ())
    if min((0, *shape)) < 0 or math.prod(shape) * _ITEM_SIZES[dtype] != data_size:
        raise NoTensor("a tensor's header that contradicts itself")
    return form


def read_at(address: int, size: int) -> Form:
    """The header of an object in memory. Raises NoTensor: what is there is none, or of another
    size."""
    if size < HEADER_SIZE or not address:
        raise NoTensor("too short for a tensor's header")
    form = read(ctypes.string_at(address, HEADER_SIZE))
    if form.size != size:
        raise NoTensor(f"the header says {form.size} bytes, and there are {size}")
    return form


def tensor_in(buffer: Any) -> Any:
    """The tensor of an object, over the same memory. Raises NoTensor."""
    form = read(memoryview(buffer)[:HEADER_SIZE])
    if form.size != len(buffer):
        raise NoTensor(f"the header says {form.size} bytes, and there are {len(buffer)}")
    return _over(form, buffer, HEADER_SIZE)


def tensor_at(address: int, size: int) -> Any:
    """As tensor_in, over memory that is the caller's to keep. Raises NoTensor."""
    form = read_at(address, size)
    if not form.data_size:
        return _over(form, b"", 0)
    return _over(form, (ctypes.c_char * form.data_size).from_address(address + HEADER_SIZE), 0)


def _over(form: Form, memory: Any, offset: int) -> Any:
    import torch

    dtype = getattr(torch, _DTYPES[form.dtype], None)
    if dtype is None:
        raise NoTensor(f"this torch has no {_DTYPES[form.dtype]}")
    if not form.data_size:
        return torch.empty(form.shape, dtype=dtype)
    count = math.prod(form.shape)
    return torch.frombuffer(memory, dtype=dtype, offset=offset, count=count).reshape(form.shape)


def _padded(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape + (-1,) * (MAX_DIMENSIONS - len(shape))


def _axes(header: bytes | bytearray | memoryview) -> tuple[Axis, ...]:
    count, _, *words = _AXES.unpack_from(header, _FIXED.size)
    if not 0 <= count <= MAX_AXES:
        raise NoTensor("a part with too many axes")
    found = (words[8 * index : 8 * index + 8] for index in range(count))
    return tuple(Axis(w[0], w[2], w[3], w[4], w[5]) for w in found)
