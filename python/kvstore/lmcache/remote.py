"""A remote storage plugin for LMCache inside an engine.

    remote_storage_plugins: ["kvstore"]
    extra_config:
      remote_storage_plugin.kvstore.module_path: kvstore.lmcache.remote
      remote_storage_plugin.kvstore.class_name: KvstoreConnectorAdapter
      kvstore.master: "127.0.0.1:50051"

Bytes go between LMCache's own CPU memory and the store, without a copy in between. Objects are as
LMCache's Mooncake connector has them, keys included, in both `save_chunk_meta` modes: workers of
both kinds share them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from lmcache.logging import init_logger  # type: ignore[import-not-found]
from lmcache.v1.exceptions import IrrecoverableException  # type: ignore[import-not-found]
from lmcache.v1.storage_backend.connector import (  # type: ignore[import-not-found]
    ConnectorAdapter,
    ConnectorContext,
    extract_plugin_type,
)
from lmcache.v1.storage_backend.connector.base_connector import (  # type: ignore[import-not-found]
    RemoteConnector,
)

import kvstore

from ..plugins.settings import Settings, WrongSetting, settings_of
from .chunks import Chunks, give_back

logger = init_logger("kvstore.lmcache.remote")

_T = TypeVar("_T")

PLUGIN = "kvstore"
_SCHEME = "kvstore://"


class KvstoreConnectorAdapter(ConnectorAdapter):  # type: ignore[misc]
    """Makes connectors of "plugin://kvstore", "plugin://kvstore.INSTANCE" and
    "kvstore://HOST:PORT"."""

    def __init__(self) -> None:
        super().__init__(_SCHEME)

    def can_parse(self, url: str) -> bool:
        if url.startswith("plugin://"):
            return bool(extract_plugin_type(url.removeprefix("plugin://")) == PLUGIN)
        return url.startswith(_SCHEME)

    def create_connector(self, context: ConnectorContext) -> KvstoreConnector:
        """Raises IrrecoverableException: the settings can never do. A master that does not answer
        is no reason: it is looked for on and on."""
        return KvstoreConnector(
            context.loop,
            context.local_cpu_backend,
            context.config,
            metadata=context.metadata,
            plugin_name=context.plugin_name or PLUGIN,
            url=context.url,
        )


class KvstoreConnector(RemoteConnector):  # type: ignore[misc]
    """One worker's way to the pool.

    What goes wrong is a miss, or a put that is not done, and is said aloud once a minute; nothing
    is raised. Every call ends in its time. LMCache's memory stays taken as long as a call reads or
    writes it, also where LMCache has stopped waiting for that call: so no byte of another chunk
    gets under a key, or into a chunk.

    Coroutines run on LMCache's loop and wait there for threads of this connector; the other methods
    may be called by any thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        local_cpu_backend: Any,
        config: Any,
        metadata: Any = None,
        plugin_name: str = PLUGIN,
        url: str = "",
    ) -> None:
        super().__init__(config, metadata or getattr(local_cpu_backend, "metadata", None))
        try:
            self.settings = _settings(config, plugin_name, url)
            self._chunks = Chunks(self.settings, logger, self, local_cpu_backend)
        except (WrongSetting, kvstore.InvalidArgument, kvstore.FailedPrecondition) as error:
            logger.error("kvstore: LMCache can't use the pool as it is configured: %s", error)
            raise IrrecoverableException(f"kvstore: {error}") from error
        self._threads = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="kvstore")
        # Looks never wait behind bytes, nor bytes behind looks that await a put.
        self._looks = ThreadPoolExecutor(
            self.settings.look_threads, thread_name_prefix="kvstore-look"
        )
        self._closed = False

    # ---- look ------------------------------------------------------------------------------------

    async def exists(self, key: Any) -> bool:
        return await self._run(self._looks, self.exists_sync, key, closed=False)

    def exists_sync(self, key: Any) -> bool:
        return self._chunks.look(key)

    def support_batched_contains(self) -> bool:
        return True

    def batched_contains(self, keys: list[Any]) -> int:
        """How many of them are there, up to the first that is not: one question to the master."""
        return self._chunks.look_prefix(keys)

    def support_batched_async_contains(self) -> bool:
        return True

    async def batched_async_contains(
        self, lookup_id: str, keys: list[Any], pin: bool = False, **_: Any
    ) -> int:
        """As batched_contains. What was found keeps its lease, which is the pin."""
        return await self._run(self._looks, self.batched_contains, keys, closed=0)

    # ---- get -------------------------------------------------------------------------------------

    async def get(self, key: Any) -> Any:
        return (await self.batched_get([key]))[0]

    def support_batched_get(self) -> bool:
        return True

    async def batched_get(self, keys: list[Any]) -> list[Any]:
        """Each one's chunk, or None."""
        return await self._run(
            self._threads, self._chunks.get, keys, closed=[None] * len(keys), unwanted=give_back
        )

    def support_batched_get_non_blocking(self) -> bool:
        return True

    async def batched_get_non_blocking(
        self, lookup_id: str, keys: list[Any], **_: Any
    ) -> list[Any]:
        """The chunks up to the first that could not be read."""
        chunks = await self.batched_get(keys)
        length = next((i for i, chunk in enumerate(chunks) if chunk is None), len(chunks))
        give_back(chunks[length:])
        return chunks[:length]

    # ---- put -------------------------------------------------------------------------------------

    async def put(self, key: Any, memory_obj: Any) -> None:
        await self.batched_put([key], [memory_obj])

    def support_batched_put(self) -> bool:
        return True

    async def batched_put(self, keys: list[Any], memory_objs: list[Any]) -> None:
        # LMCache gives its references back when this ends, be it that it was cancelled.
        chunks = [*memory_objs]  # the caller may change its own meanwhile
        for chunk in chunks:
            chunk.ref_count_up()
        try:
            future = self._threads.submit(self._chunks.put, [*keys], chunks)
        except RuntimeError:  # closed
            give_back(chunks)
            return
        future.add_done_callback(lambda _: give_back(chunks))
        await asyncio.wrap_future(future)

    # ---- the rest --------------------------------------------------------------------------------

    def remove_sync(self, key: Any) -> bool:
        return self._chunks.remove(key)

    def support_ping(self) -> bool:
        return True

    async def ping(self) -> int:
        """0, or the code of what keeps the master from answering."""
        return await self._run(self._looks, self._chunks.ping, closed=int(kvstore.Code.UNAVAILABLE))

    async def close(self) -> None:
        """Waits for calls that are under way; they end in their time."""
        if self._closed:
            return
        self._closed = True
        await asyncio.to_thread(self._close)

    def __repr__(self) -> str:
        return f"KvstoreConnector({self.settings.master})"

    # ---- in threads of its own -------------------------------------------------------------------

    async def _run(
        self,
        threads: ThreadPoolExecutor,
        call: Callable[..., _T],
        *arguments: Any,
        closed: _T,
        unwanted: Callable[[_T], None] | None = None,
    ) -> _T:
        """The call's result, from a thread; after close `closed`. Where nobody waits for it any
        more it is `unwanted`."""
        try:
            future = threads.submit(call, *arguments)
        except RuntimeError:
            return closed
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if unwanted is not None:
                future.add_done_callback(lambda done: _result_to(done, unwanted))
            raise

    def _close(self) -> None:
        self._looks.shutdown(wait=True)
        self._threads.shutdown(wait=True)
        self._chunks.close()

    # Last: below it `list` is this.
    async def list(self) -> list[str]:
        """All keys under this prefix, which may take long."""
        return await self._run(self._threads, self._chunks.names, closed=[])


def _settings(config: Any, plugin_name: str, url: str) -> Settings:
    """From extra_config: "kvstore.NAME", and for an instance "kvstore.INSTANCE.NAME", which
    counts more. Raises WrongSetting."""
    extra = config.extra_config or {}
    own = f"{plugin_name}."
    others = tuple(
        f"{plugin}."
        for plugin in config.remote_storage_plugins or ()
        if plugin.startswith(f"{PLUGIN}.") and plugin != plugin_name
    )
    shared: dict[str, object] = {}
    of_instance: dict[str, object] = {}
    for name, value in extra.items():
        if plugin_name != PLUGIN and name.startswith(own):
            of_instance[name.removeprefix(own)] = value
        elif name.startswith(f"{PLUGIN}.") and not name.startswith(others):
            shared[name.removeprefix(f"{PLUGIN}.")] = value
    if url.startswith(_SCHEME):
        shared.setdefault("master", url.removeprefix(_SCHEME).rstrip("/"))
    settings_of(of_instance, f"extra_config: {own}")
    return settings_of({**shared, **of_instance}, f"extra_config: {PLUGIN}.")


def _result_to(future: Future[_T], take: Callable[[_T], None]) -> None:
    if not future.cancelled() and future.exception() is None:
        take(future.result())
