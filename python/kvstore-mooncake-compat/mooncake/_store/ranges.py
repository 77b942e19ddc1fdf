"""Parts of objects into several places of registered memory."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import kvstore

from . import codes
from .life import Life
from .shapes import Lists

RangeLists = Sequence[Sequence[Sequence[int]]]


@dataclass(frozen=True)
class _Range:
    key: str
    address: int
    offset: int
    size: int
    results: list[int]  # where its own stands
    place: int


class Ranges(Life):
    def get_into_ranges(
        self,
        buffer_ptrs: Sequence[int],
        all_keys: Sequence[Sequence[str]],
        all_dst_offsets: RangeLists,
        all_src_offsets: RangeLists,
        all_sizes: RangeLists,
    ) -> list[list[list[int]]]:
        """For each buffer, for each key, for each range: so many bytes from an offset in the object
        to an offset in the buffer. How many were read, or a code at the range's own place.

        Buffers are registered: INVALID_PARAMS where they are not, and for what ends beyond the
        buffer's region or the object.
        """
        shape = _shape(len(buffer_ptrs), all_keys, all_sizes)
        lists = (all_keys, all_dst_offsets, all_src_offsets, all_sizes)
        client = self._client
        if client is None or any(len(each) != len(buffer_ptrs) for each in lists):
            return shape
        ranges: list[_Range] = []
        for b, base in enumerate(buffer_ptrs):
            keys, *columns = (each[b] for each in lists)
            if all(len(column) == len(keys) for column in columns):
                for key, *numbers, results in zip(keys, *columns, shape[b], strict=True):
                    ranges += self._good(base, key, numbers, results)
        self._read(client, ranges)
        return shape

    def _good(self, base: int, key: str, numbers: Lists, results: list[int]) -> Iterator[_Range]:
        """Those of one key that lie in the buffer's region. The numbers: offsets in the buffer,
        offsets in the object, sizes."""
        base = operator.index(base)
        end = self._regions.end_of(base)
        if not end or len(set(map(len, numbers))) != 1:
            return
        columns = (map(operator.index, column) for column in numbers)
        for i, (target, offset, size) in enumerate(zip(*columns, strict=True)):
            if target >= 0 and base + target + size <= end:
                yield _Range(key, base + target, offset, size, results, i)

    def _read(self, client: kvstore.Client, ranges: Sequence[_Range]) -> None:
        if not ranges:
            return
        deadline = self._deadline()
        objects = {key: i for i, key in enumerate(dict.fromkeys(r.key for r in ranges))}
        try:
            with client.read_session(list(objects), timeout=deadline.left) as session:
                read = session.read_addresses(
                    [objects[r.key] for r in ranges],
                    [r.address for r in ranges],
                    [r.size for r in ranges],
                    offsets=[r.offset for r in ranges],
                    lengths=[r.size for r in ranges],
                    timeout=deadline.left,
                )
        except kvstore.Error as error:
            read = [error] * len(ranges)
        for one, result in zip(ranges, self._codes_of_reads(read), strict=True):
            one.results[one.place] = result


def _shape(
    buffers: int, all_keys: Sequence[Sequence[str]], all_sizes: RangeLists
) -> list[list[list[int]]]:
    """INVALID_PARAMS for every range; one where there is none to be found."""

    def ranges_of(b: int, k: int) -> int:
        return len(all_sizes[b][k]) if b < len(all_sizes) and k < len(all_sizes[b]) else 1

    return [
        [
            [codes.INVALID_PARAMS] * ranges_of(b, k)
            for k in range(len(all_keys[b]) if b < len(all_keys) else 1)
        ]
        for b in range(buffers)
    ]
