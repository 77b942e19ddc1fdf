"""Objects from and to memory that is named by addresses.

Memory need not be registered, save where a call says so. Addresses are the caller's to keep valid.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence

import kvstore

from .._types.replicate import ReplicateConfig
from . import codes
from .putting import Putting, put_addresses
from .shapes import Lists, at, no_number, null_among, shaped_alike, spread


class ZeroCopy(Putting):
    """Results are lists as long as the keys: a code, or how many bytes were read."""

    # ---- registered memory -----------------------------------------------------------------------

    def register_buffer(self, buffer_ptr: int, size: int) -> int:
        """0, or INVALID_PARAMS: it is empty, or overlaps with what is registered."""
        with self._mutex:
            client = self._client
            if client is None or not buffer_ptr or not size:
                return codes.INVALID_PARAMS
            buffer_ptr, size = operator.index(buffer_ptr), operator.index(size)
            try:
                client.register_memory(buffer_ptr, size)
            except kvstore.Error as error:
                return codes.code_of(error)
            self._regions.add(buffer_ptr, size)
            return codes.OK

    def unregister_buffer(self, buffer_ptr: int) -> int:
        """0, or INVALID_PARAMS: no region begins there. Returns when no copy touches it."""
        with self._mutex:
            client = self._client
            if client is None:
                return codes.INVALID_PARAMS
            try:
                client.unregister_memory(buffer_ptr)
            except kvstore.Error:
                return codes.INVALID_PARAMS
            self._regions.remove(buffer_ptr)
            return codes.OK

    # ---- put -------------------------------------------------------------------------------------

    def put_from(
        self, key: str, buffer_ptr: int, size: int, config: ReplicateConfig | None = None
    ) -> int:
        """0, also when the key is taken, and of size 0, for which nothing is stored."""
        return self._put_one(key, [buffer_ptr], [size], config, replace=False)

    def put_from_with_metadata(
        self,
        key: str,
        buffer_ptr: int,
        metadata_buffer_ptr: int,
        size: int,
        metadata_size: int,
        config: ReplicateConfig | None = None,
    ) -> int:
        """The metadata, then the data, as one object; without data nothing is stored, and it is
        0."""
        if not size:
            return self._put_one(key, [buffer_ptr], [0], config, replace=False)
        pieces = [(metadata_buffer_ptr, metadata_size), (buffer_ptr, size)]
        pieces = [piece for piece in pieces if piece[1]]
        pointers, sizes = zip(*pieces, strict=True)
        return self._put_one(key, pointers, sizes, config, replace=False)

    def batch_put_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None = None,
    ) -> list[int]:
        """0 for each that was put, or whose key was taken. An empty one is refused."""
        return self._put_from(keys, buffer_ptrs, sizes, config, replace=False)

    def batch_put_from_multi_buffers(
        self,
        keys: Sequence[str],
        all_buffer_ptrs: Lists,
        all_sizes: Lists,
        config: ReplicateConfig | None = None,
    ) -> list[int]:
        """batch_put_from, each of several buffers, joined in order."""
        count = len(keys)
        if len(all_buffer_ptrs) != count or not shaped_alike(all_buffer_ptrs, all_sizes):
            return [codes.INVALID_PARAMS] * count
        bad = []
        if not all(map(any, all_sizes)) or "" in keys or null_among(all_buffer_ptrs):
            lists = zip(keys, all_buffer_ptrs, all_sizes, strict=True)
            bad = [i for i, (k, p, s) in enumerate(lists) if not (k and any(s) and all(p))]
        columns = (keys, all_buffer_ptrs, all_sizes)
        return self._put_all(put_addresses, columns, config, same_node=True, bad=bad)

    def upsert_from(
        self, key: str, buffer_ptr: int, size: int, config: ReplicateConfig | None = None
    ) -> int:
        """put_from, in place of what is there."""
        return self._put_one(key, [buffer_ptr], [size], config, replace=True)

    def batch_upsert_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None = None,
    ) -> list[int]:
        return self._put_from(keys, buffer_ptrs, sizes, config, replace=True)

    # ---- get -------------------------------------------------------------------------------------

    def get_into(self, key: str, buffer_ptr: int, size: int) -> int:
        """How many bytes the object has, which are now in the buffer, or a code; INVALID_PARAMS:
        the buffer is too small."""
        return self.batch_get_into([key], [buffer_ptr], [size])[0]

    def batch_get_into(
        self, keys: Sequence[str], buffer_ptrs: Sequence[int], sizes: Sequence[int]
    ) -> list[int]:
        """get_into for many keys."""
        count = len(keys)
        if len(buffer_ptrs) != count or len(sizes) != count:
            return [codes.INVALID_PARAMS] * count
        if 0 in buffer_ptrs:
            good = [i for i in range(count) if buffer_ptrs[i]]
            read = self._get_into(at(keys, good), at(buffer_ptrs, good), at(sizes, good))
            return spread(count, good, read)
        return self._get_into(keys, buffer_ptrs, sizes)

    def batch_get_into_multi_buffers(
        self,
        keys: Sequence[str],
        all_buffer_ptrs: Lists,
        all_sizes: Lists,
        prefer_alloc_in_same_node: bool = False,
    ) -> list[int]:
        """Each object into several buffers, in order: its size, which fills them all, or a code.
        TRANSFER_FAIL: it is shorter, and what they hold is undefined."""
        count = len(keys)
        if len(all_buffer_ptrs) != count or len(all_sizes) != count:
            return [codes.INVALID_PARAMS] * count
        if not shaped_alike(all_buffer_ptrs, all_sizes) or null_among(all_buffer_ptrs):
            lists = zip(all_buffer_ptrs, all_sizes, strict=True)
            good = [i for i, (p, s) in enumerate(lists) if len(p) == len(s) and all(p)]
            pointers, sizes = at(all_buffer_ptrs, good), at(all_sizes, good)
            return spread(count, good, self._scatter(at(keys, good), pointers, sizes))
        return self._scatter(keys, all_buffer_ptrs, all_sizes)

    # ---- how -------------------------------------------------------------------------------------

    def _put_one(
        self,
        key: str,
        pointers: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None,
        *,
        replace: bool,
    ) -> int:
        if self._client is None:
            return codes.INVALID_PARAMS
        if not any(sizes):
            self._complain(1, f"put of {key!r}: it is empty, and is not stored")
            return codes.OK
        if 0 in pointers:
            return codes.INVALID_PARAMS
        columns = ([key], [pointers], [sizes])
        return self._put_all(put_addresses, columns, config, replace=replace)[0]

    def _put_from(
        self,
        keys: Sequence[str],
        buffer_ptrs: Sequence[int],
        sizes: Sequence[int],
        config: ReplicateConfig | None,
        *,
        replace: bool,
    ) -> list[int]:
        count = len(keys)
        if len(buffer_ptrs) != count or len(sizes) != count:
            return [codes.INVALID_PARAMS] * count
        bad = []
        if 0 in sizes or 0 in buffer_ptrs:
            bad = [i for i in range(count) if not (sizes[i] and buffer_ptrs[i])]
        columns = (keys, buffer_ptrs, sizes)
        return self._put_all(put_addresses, columns, config, replace=replace, bad=bad)

    def _get_into(
        self,
        keys: Sequence[str],
        pointers: Sequence[int] | Lists,
        sizes: Sequence[int] | Lists,
    ) -> list[int]:
        client = self._client
        if client is None:
            return [codes.INVALID_PARAMS] * len(keys)
        try:
            results = client.get_addresses(keys, pointers, sizes, timeout=self._within())
        except kvstore.Error as error:
            results = [error] * len(keys)
        except ValueError as error:
            raise no_number(error) from None
        return self._codes_of_reads(results)

    def _scatter(self, keys: Sequence[str], pointers: Lists, sizes: Lists) -> list[int]:
        results = self._get_into(keys, pointers, sizes)
        wanted = list(map(sum, sizes))
        if results == wanted:
            return results
        return [
            codes.TRANSFER_FAIL if 0 <= result < size else result
            for result, size in zip(results, wanted, strict=True)
        ]
