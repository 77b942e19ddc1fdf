"""Lists that calls are given, one entry per key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from . import codes

Lists = Sequence[Sequence[int]]
_T = TypeVar("_T")


def shaped_alike(pointers: Lists, sizes: Lists) -> bool:
    return list(map(len, pointers)) == list(map(len, sizes))


def null_among(pointers: Lists) -> bool:
    return not all(map(all, pointers))


def at(column: Sequence[_T], some: Sequence[int]) -> list[_T]:
    return [column[i] for i in some]


def spread(count: int, some: Sequence[int], results: Sequence[int]) -> list[int]:
    """The results of those with these indices; INVALID_PARAMS for the others."""
    spread = [codes.INVALID_PARAMS] * count
    for i, result in zip(some, results, strict=True):
        spread[i] = result
    return spread


def no_number(error: ValueError) -> TypeError:
    """For a number that is no address or size: Mooncake's calls take it for a wrong type."""
    return TypeError(str(error))
