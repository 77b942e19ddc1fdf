"""Puts a tensor, or a part of it, together from the parts that lie in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .form import Axis, Form, NoTensor
from .splitting import bounds

GetMany = Callable[[Sequence[str]], Sequence[Any]]
"""The tensors under these keys; None for what is not there."""


@dataclass(frozen=True)
class Parts:
    """Where the parts of a tensor lie, in order, and along which dimension they follow."""

    keys: Sequence[str]
    split_dim: int
    whole: tuple[int, ...]


def parts_of(form: Form, place: Axis, key_of: Callable[[int], str]) -> Parts:
    """All parts, from the header of one of them."""
    return Parts([key_of(rank) for rank in range(place.size)], place.split_dim, form.whole)


def whole(parts: Parts, get: GetMany) -> Any:
    """Raises NoTensor: some are missing."""
    return _joined(parts, 0, len(parts.keys), get)


def part(parts: Parts, wanted: Axis, get: GetMany) -> Any:
    """Reads no more parts than it needs. Raises NoTensor: some are missing, or the whole can't be
    split so."""
    begin, length = bounds(parts.whole, wanted.rank, wanted.size, wanted.split_dim)
    if wanted.split_dim != parts.split_dim or not length:
        joined = whole(parts, get)
        return joined.narrow(wanted.split_dim, begin, length).contiguous()
    each = parts.whole[parts.split_dim] // len(parts.keys)
    first, last = begin // each, (begin + length - 1) // each
    joined = _joined(parts, first, last + 1, get)
    return joined.narrow(wanted.split_dim, begin - first * each, length).contiguous()


def _joined(parts: Parts, first: int, end: int, get: GetMany) -> Any:
    import torch

    keys = parts.keys[first:end]
    tensors = get(keys)
    for key, tensor in zip(keys, tensors, strict=True):
        if tensor is None:
            raise NoTensor(f"the part {key!r} is not there")
    joined = tensors[0] if len(tensors) == 1 else torch.cat(list(tensors), dim=parts.split_dim)
    expected = list(parts.whole)
    if len(keys) < len(parts.keys):
        expected[parts.split_dim] = expected[parts.split_dim] // len(parts.keys) * len(keys)
    if list(joined.shape) != expected:
        raise NoTensor(f"the parts of {parts.keys[0]!r} don't fit together")
    return joined
