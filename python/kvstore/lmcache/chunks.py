"""Chunks of LMCache's, put and got."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from lmcache.v1.protocol import RemoteMetadata  # type: ignore[import-not-found]

import kvstore

from ..plugins.link import Link
from ..plugins.settings import Settings, put_options
from .arena import arena_of, bytes_of

# How long a get waits for room in LMCache's memory, which others give back.
_SECONDS_FOR_ROOM = 1.0
_PING = "kvstore.lmcache.ping"


class Chunks:
    """What a worker's chunks are in the store. Calls take time, and end in it; what goes wrong is a
    miss, or a put that is not done, and is said aloud. Used by many threads.

    `connector` is LMCache's own base class at work, which knows the form of this model's chunks;
    `backend` the memory they lie in.

    Raises what Link does.
    """

    def __init__(
        self, settings: Settings, logger: logging.Logger, connector: Any, backend: Any
    ) -> None:
        self.settings = settings
        self._logger = logger
        self._forms = connector
        self._backend = backend
        self._registered: int | None = None
        self._put_options = put_options(settings)
        self._link = Link(settings, logger, self._register)

    def look(self, key: Any) -> bool:
        return self._link.look([self._name(key)])[0]

    def look_prefix(self, keys: Sequence[Any]) -> int:
        """How many of them are there, up to the first that is not: one question to the master."""
        return self._link.look_prefix([self._name(key) for key in keys])

    def get(self, keys: Sequence[Any]) -> list[Any]:
        """Each one's chunk, in memory of LMCache's that the caller gives back; or None."""
        client = self._link.client
        if client is None or not keys:
            return [None] * len(keys)
        names = [self._name(key) for key in keys]
        chunks: list[Any] = [None] * len(keys)
        try:
            if self._forms.save_chunk_meta:
                self._get_described(client, names, chunks)
            else:
                self._get_plain(client, names, chunks)
        except Exception as error:
            # A bug, here or there: a miss, and every chunk is given back.
            self._logger.exception("kvstore: chunks could not be read")
            self._link.complaints.add("gets failed, and count as misses", error)
            give_back(chunks)
            return [None] * len(keys)
        return chunks

    def _get_plain(self, client: kvstore.Client, names: list[str], chunks: list[Any]) -> None:
        """The values alone. Their form is the full chunk's, and a last one's is shorter."""
        forms = [(self._forms.meta_shapes, self._forms.meta_dtypes, self._forms.meta_fmt)] * len(
            names
        )
        self._allocate(forms, chunks)
        self._read(client, names, chunks, [None] * len(names))

    def _get_described(self, client: kvstore.Client, names: list[str], chunks: list[Any]) -> None:
        """The values behind a header that says their form: it is read first."""
        size = self._forms.remote_metadata_bytes
        headers: list[Any] = [bytearray(size) for _ in names]
        read = client.get_into_batch(
            zip(names, headers, strict=True),
            lengths=[size] * len(names),
            timeout=self._link.seconds_of(self.settings.get_seconds),
        )
        forms: list[Any] = [None] * len(names)
        for i, result in enumerate(read):
            if isinstance(result, kvstore.Error):
                self._missed(result)
                continue
            try:
                described = RemoteMetadata.deserialize(headers[i])
            except (KeyError, ValueError) as error:
                self._link.complaints.add(
                    "chunks have a header that is none, and count as misses", repr(error)
                )
                continue
            forms[i] = (described.shapes, described.dtypes, described.fmt)
        self._allocate(forms, chunks)
        self._read(client, names, chunks, headers)

    def _allocate(self, forms: Sequence[Any], chunks: list[Any]) -> None:
        """Memory of LMCache's for each form. Some get none where there is no room for all."""
        until = time.monotonic() + _SECONDS_FOR_ROOM
        for i, form in enumerate(forms):
            while form is not None:
                # LMCache's own waiting has no end.
                chunks[i] = self._backend.allocate(*form, busy_loop=False)
                if chunks[i] is not None:
                    break
                if time.monotonic() > until:
                    self._link.complaints.add(
                        "chunks found no room in LMCache's memory, and count as misses",
                        "raise max_local_cpu_size",
                    )
                    return
                time.sleep(0.01)

    def _read(
        self, client: kvstore.Client, names: list[str], chunks: list[Any], headers: list[Any]
    ) -> None:
        """Fills the chunks; those that can't be are given back, and None."""
        wanted = [i for i, chunk in enumerate(chunks) if chunk is not None]
        targets: list[Any] = []
        for i in wanted:
            memory = bytes_of(chunks[i])
            targets.append(memory if headers[i] is None else [bytearray(headers[i]), memory])
        results = client.get_into_batch(
            ((names[i], target) for i, target in zip(wanted, targets, strict=True)),
            timeout=self._link.seconds_of(self.settings.get_seconds),
        )
        for i, target, result in zip(wanted, targets, results, strict=True):
            chunk, chunks[i] = chunks[i], None
            if isinstance(result, kvstore.Error):
                self._missed(result)
            elif headers[i] is not None:
                # It may have been put anew in another form since its header was read.
                if target[0] == headers[i] and result == len(headers[i]) + len(target[1]):
                    chunks[i] = chunk
            else:
                try:
                    chunks[i] = self._forms.reshape_partial_chunk(chunk, result)
                except ValueError as error:
                    self._link.complaints.add(
                        "chunks are of another size than this model's, and count as misses", error
                    )
            if chunks[i] is None:
                chunk.ref_count_down()

    def _missed(self, error: kvstore.Error) -> None:
        # Evicted since it was looked for: that is what a cache does.
        if not isinstance(error, kvstore.NotFound):
            self._link.complaints.add("gets failed, and count as misses", error)

    def put(self, keys: Sequence[Any], chunks: Sequence[Any]) -> None:
        """What they hold must not change meanwhile."""
        client = self._link.client
        if client is None:
            return
        try:
            items: list[Any] = []
            for key, chunk in zip(keys, chunks, strict=True):
                value: Any = bytes_of(chunk)
                if self._forms.save_chunk_meta:
                    value = [self._header(chunk, len(value)), value]
                items.append((self._name(key), value))
            # LMCache hands over a request's chunks in order: of a chain its tail goes first.
            results = client.put_batch(
                items,
                self._put_options,
                positions=range(len(items)),
                timeout=self._link.seconds_of(self.settings.put_seconds),
            )
        except Exception as error:
            self._logger.exception("kvstore: chunks could not be put")
            self._link.complaints.add("puts failed", error, len(keys))
            return
        failed = [
            result
            for result in results
            # The same chunk, put by another worker: keys are hashes of what they stand for.
            if result is not None and not isinstance(result, kvstore.AlreadyExists)
        ]
        if failed:
            self._link.complaints.add("puts failed", failed[0], len(failed))

    def _header(self, chunk: Any, size: int) -> bytes:
        header: bytes = RemoteMetadata(
            size, chunk.get_shapes(), chunk.get_dtypes(), chunk.get_memory_format()
        ).serialize()
        if len(header) != self._forms.remote_metadata_bytes:
            raise ValueError(
                f"a chunk's header has {len(header)} bytes, not {self._forms.remote_metadata_bytes}"
            )
        return header

    def remove(self, key: Any) -> bool:
        """Whether it was there and is gone."""
        client = self._link.client
        if client is None:
            return False
        try:
            client.remove(self._name(key), timeout=self._link.seconds_of(self.settings.put_seconds))
        except kvstore.NotFound:
            return False
        except kvstore.Error as error:
            self._link.complaints.add("chunks could not be removed", error)
            return False
        return True

    def ping(self) -> int:
        """0, or the code of what keeps the master from answering."""
        if self._link.client is None:
            return int(kvstore.Code.UNAVAILABLE)
        (answer,) = self._link.look_again([_PING])
        return int(answer.code) if isinstance(answer, kvstore.Error) else 0

    def names(self) -> list[str]:
        """All keys, which may take long."""
        client = self._link.client
        names: list[str] = []
        after = b""
        prefix = self.settings.key_prefix
        while client is not None:
            try:
                page = client.list_objects(prefix, after=after, timeout=self.settings.get_seconds)
            except kvstore.Error as error:
                self._link.complaints.add("keys could not be listed", error)
                break
            if not page:
                break
            after = page[-1].key
            names += [listed.key.decode(errors="replace")[len(prefix) :] for listed in page]
        return names

    def close(self) -> None:
        """After the last call has ended."""
        client = self._link.client
        if client is not None and self._registered is not None:
            try:
                client.unregister_memory(self._registered)
            except kvstore.Error as error:
                self._logger.warning(
                    "kvstore: LMCache's memory could not be unregistered: %s", error
                )
        self._link.close()

    def _register(self, client: kvstore.Client) -> None:
        """LMCache's CPU memory, so that the transfer layer need not find it out at each call."""
        arena = arena_of(getattr(self._backend, "memory_allocator", None))
        if arena is None:
            return
        try:
            client.register_memory(*arena)
            self._registered = arena[0]
        except kvstore.Error as error:
            self._logger.warning(
                "kvstore: LMCache's memory is not registered, and slower: %s", error
            )

    def _name(self, key: Any) -> str:
        return self._link.key(key.to_string())


def give_back(chunks: Sequence[Any]) -> None:
    """One reference each; None is passed over."""
    for chunk in chunks:
        if chunk is not None:
            chunk.ref_count_down()
