"""Objects as bytes: put, get, look."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import kvstore

from .._types.replicate import ReplicateConfig
from . import codes
from .buffer import BufferHandle
from .patience import Deadline
from .putting import Putting

# Of more keys in one call kvstore leases nothing, and callers read what they were told of.
_LEASED_AT_ONCE = 1024


class Values(Putting):
    """Values are anything with the buffer protocol."""

    # ---- put -------------------------------------------------------------------------------------

    def put(self, key: str, value: Any, config: ReplicateConfig | None = None) -> int:
        """0, also when the key is taken: then what is there stays. An empty value is refused."""
        return self._put_values([key], [_value(value)], config, replace=False)[0]

    def put_parts(self, key: str, *parts: Any, config: ReplicateConfig | None = None) -> int:
        """put of the parts, joined; without any bytes nothing is stored, and it is 0."""
        return self._put_parts(key, parts, config, replace=False)

    def put_batch(
        self, keys: Sequence[str], values: Sequence[Any], config: ReplicateConfig | None = None
    ) -> int:
        """put of many: 0, or the first failure's code. Nothing is put if one of them can't be."""
        return self._put_many(keys, values, config, replace=False)

    def upsert(self, key: str, value: Any, config: ReplicateConfig | None = None) -> int:
        """put, in place of what is there."""
        return self._put_values([key], [_value(value)], config, replace=True)[0]

    def upsert_parts(self, key: str, *parts: Any, config: ReplicateConfig | None = None) -> int:
        return self._put_parts(key, parts, config, replace=True)

    def upsert_batch(
        self, keys: Sequence[str], values: Sequence[Any], config: ReplicateConfig | None = None
    ) -> int:
        return self._put_many(keys, values, config, replace=True)

    # ---- get -------------------------------------------------------------------------------------

    def get(self, key: str) -> bytes:
        """The object's bytes; none of it: no such object, or it could not be read."""
        client = self._client
        if client is None:
            return b""
        try:
            return client.get(key, timeout=self._within())
        except kvstore.Error as error:
            self._complain_of_reads([error])
            return b""

    def get_batch(self, keys: Sequence[str]) -> list[bytes]:
        client = self._client
        if client is None:
            return [b""] * len(keys)
        try:
            values = client.get_batch(keys, timeout=self._within())
        except kvstore.Error as error:
            values = [error] * len(keys)
        self._complain_of_reads(values)
        return [value if isinstance(value, bytes) else b"" for value in values]

    def get_buffer(self, key: str) -> BufferHandle | None:
        return self.batch_get_buffer([key])[0]

    def batch_get_buffer(self, keys: Sequence[str]) -> list[BufferHandle | None]:
        """The objects' bytes, to be changed at will; None where there are none."""
        buffers: list[BufferHandle | None] = [None] * len(keys)
        client = self._client
        if client is None or not buffers:
            return buffers
        deadline = self._deadline()
        try:
            with client.read_session(keys, timeout=deadline.left) as session:
                sizes = [(i, s) for i, s in enumerate(session.sizes) if isinstance(s, int)]
                found = [i for i, _ in sizes]
                made = [BufferHandle(self._buffers, size) for _, size in sizes]
                read = session.read_batch(found, made, timeout=deadline.left)
                self._complain_of_reads([*session.sizes, *read])
        except kvstore.Error as error:
            self._complain_of_reads([error])
            return buffers
        for i, buffer, result in zip(found, made, read, strict=True):
            if isinstance(result, int):
                buffers[i] = buffer
        return buffers

    # ---- look ------------------------------------------------------------------------------------

    def is_exist(self, key: str) -> int:
        """1 or 0; 0 also when the master does not answer, since callers take every other number for
        a yes. A hit grants a lease."""
        client = self._client
        if client is None:
            return self._absent()
        await_puts = self._awaiting.within(self._patience.silent)
        try:
            found = client.exists(
                key,
                await_puts=await_puts,
                after=self._awaiting.before(),
                timeout=self._patience.of_looks + await_puts,
            )
            self._patience.note(client, [found])
            self._awaiting.note(key, found)
            return int(found)
        except kvstore.Error as error:
            self._patience.note(client, [error])
            self._complain_of_reads([error])
            return 0

    def batch_is_exist(self, keys: Sequence[str]) -> list[int]:
        client = self._client
        if client is None:
            return [self._absent()] * len(keys)
        found: list[bool | kvstore.Error] = []
        deadline = Deadline(self._patience.longest)
        try:
            for begin in range(0, len(keys), _LEASED_AT_ONCE):
                some = keys[begin : begin + _LEASED_AT_ONCE]
                await_puts = self._awaiting.within(self._patience.silent)
                answers = client.exists_batch(
                    some,
                    await_puts=await_puts,
                    after=keys[begin - 1] if begin else None,
                    timeout=min(deadline.left, self._patience.of_looks + await_puts),
                )
                found += answers
                if self._patience.note(client, answers):
                    raise next(one for one in answers if isinstance(one, kvstore.Error))
        except kvstore.Error as error:
            found += [error] * (len(keys) - len(found))
        if not {*found} <= {True, False}:
            self._complain_of_reads(found)
        return [1 if exists is True else 0 for exists in found]

    def get_size(self, key: str) -> int:
        """In bytes, or a code."""
        client = self._client
        if client is None:
            return codes.INVALID_PARAMS
        try:
            with client.read_session([key], timeout=self._within()) as session:
                size = session.sizes[0]
        except kvstore.Error as error:
            size = error
        # What can't be a key has no object.
        if isinstance(size, kvstore.InvalidArgument):
            return codes.OBJECT_NOT_FOUND
        return self._codes_of_reads([size])[0]

    # ---- how -------------------------------------------------------------------------------------

    def _put_values(
        self,
        keys: Sequence[str],
        values: Sequence[Any],
        config: ReplicateConfig | None,
        *,
        replace: bool,
    ) -> list[int]:
        if not self._stages or not all(map(len, values)):
            return [codes.INVALID_PARAMS] * len(keys)
        return self._put_all(_put_pairs, (keys, values), config, replace=replace)

    def _put_parts(
        self, key: str, parts: Sequence[Any], config: ReplicateConfig | None, *, replace: bool
    ) -> int:
        views = [_part(part) for part in parts]
        if self._client is not None and self._stages and not any(map(len, views)):
            return codes.OK
        return self._put_values([key], [views], config, replace=replace)[0]

    def _put_many(
        self,
        keys: Sequence[str],
        values: Sequence[Any],
        config: ReplicateConfig | None,
        *,
        replace: bool,
    ) -> int:
        views = [_value(value) for value in values]
        if len(keys) != len(views) or self._client is None:
            return codes.INVALID_PARAMS
        results = self._put_values(keys, views, config, replace=replace)
        return next((code for code in results if code != codes.OK), codes.OK)

    def _absent(self) -> int:
        """What looking says without a pool. After a setup that failed callers go on: for them there
        is nothing."""
        return 0 if self._failed else codes.INVALID_PARAMS


def _put_pairs(
    client: kvstore.Client,
    keys: Sequence[str],
    values: Sequence[Any],
    options: kvstore.PutOptions,
    timeout: float,
) -> list[kvstore.Error | None]:
    return client.put_batch(list(zip(keys, values, strict=True)), options, timeout=timeout)


def _value(value: Any) -> memoryview:
    """Its bytes, contiguous."""
    view = memoryview(value)
    if view.nbytes == 0:
        return memoryview(b"")
    return view.cast("B") if view.c_contiguous else memoryview(bytes(view))


def _part(part: Any) -> memoryview:
    view = memoryview(part)
    if view.ndim != 1 or view.itemsize != 1:
        raise RuntimeError("parts must be 1-D bytes-like")
    return _value(view)
