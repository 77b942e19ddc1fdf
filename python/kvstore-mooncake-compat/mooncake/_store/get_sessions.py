"""Objects that are located once and then read range by range, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

import kvstore

from . import codes
from .life import Life
from .patience import Deadline
from .shapes import Lists


class GetSessions(Life):
    """A key has one session at a time; it reads the object that was there at its start."""

    def __init__(self) -> None:
        super().__init__()
        # Per key: the session of the call that began it, and the key's place in that. A session is
        # closed with its last key.
        self._reading: dict[str, tuple[kvstore.ReadSession, int]] = {}

    def batch_get_session_start(self, keys: Sequence[str]) -> list[int]:
        """0, or a code; a session that is there already is begun anew."""
        client = self._client
        if client is None:
            return [codes.INVALID_PARAMS] * len(keys)
        try:
            session = client.read_session(keys, timeout=self._within())
        except kvstore.Error as error:
            return self._codes_of_reads([error]) * len(keys)
        results = self._codes_of_reads(session.sizes)
        begun = {key: (session, i) for i, key in enumerate(keys) if results[i] >= 0}
        with self._mutex:
            if self._client is not client:  # closed meanwhile
                return [codes.INVALID_PARAMS] * len(keys)
            self._reading.update(begun)
        return [min(result, codes.OK) for result in results]

    def batch_get_into_multi_buffer_ranges(
        self, keys: Sequence[str], all_buffer_ptrs: Lists, all_sizes: Lists, all_src_offsets: Lists
    ) -> list[int]:
        """For each key several ranges: how many bytes were read in all, or a code. INVALID_PARAMS:
        no session, or it ends beyond the object; OBJECT_NOT_FOUND: the object is gone."""
        count = len(keys)
        results = [codes.INVALID_PARAMS] * count
        if any(len(each) != count for each in (all_buffer_ptrs, all_sizes, all_src_offsets)):
            return results
        parts: dict[kvstore.ReadSession, list[tuple[int, int]]] = {}
        for i, key in enumerate(keys):
            session, place = self._reading.get(key, (None, 0))
            shape = (len(all_buffer_ptrs[i]), len(all_sizes[i]), len(all_src_offsets[i]))
            if session is not None and len(set(shape)) == 1 and all(all_buffer_ptrs[i]):
                parts.setdefault(session, []).append((i, place))
        deadline = self._deadline()
        columns = (all_buffer_ptrs, all_sizes, all_src_offsets)
        for session, some in parts.items():
            self._read_parts(session, some, columns, deadline, results)
        return results

    def batch_get_session_end(self, keys: Sequence[str]) -> int:
        """0, also for keys that have none; INVALID_PARAMS before setup."""
        with self._mutex:
            for key in keys:
                self._reading.pop(key, None)
            return codes.INVALID_PARAMS if self._client is None else codes.OK

    def _forget(self) -> None:
        super()._forget()
        self._reading = {}

    def _read_parts(
        self,
        session: kvstore.ReadSession,
        some: Sequence[tuple[int, int]],
        columns: tuple[Lists, Lists, Lists],
        deadline: Deadline,
        results: list[int],
    ) -> None:
        """All ranges of the keys with these indices and places in the session. The columns:
        addresses, sizes, offsets in the object."""
        pointers, sizes, offsets = columns
        ranges = [
            (i, place, *one)
            for i, place in some
            for one in zip(pointers[i], sizes[i], offsets[i], strict=True)
            if one[1]
        ]
        for i, _ in some:
            results[i] = 0
        if not ranges:
            return
        owners, places, addresses, lengths, starts = zip(*ranges, strict=True)
        try:
            read = session.read_addresses(
                places, addresses, lengths, offsets=starts, lengths=lengths, timeout=deadline.left
            )
        except kvstore.Error as error:
            read = [error] * len(ranges)
        unreached = self._code_of_unreached(r for r in read if isinstance(r, kvstore.Error))
        for i, result in zip(owners, read, strict=True):
            if isinstance(result, kvstore.Aborted):
                results[i] = codes.OBJECT_NOT_FOUND
            elif isinstance(result, kvstore.Error):
                results[i] = codes.read_code_of(result, unreached)
            elif results[i] >= 0:
                results[i] += result
