"""A storage backend for SGLang's hierarchical cache.

    --enable-hierarchical-cache --hicache-storage-backend dynamic
    --hicache-storage-backend-extra-config '{"backend_name": "kvstore",
        "module_path": "kvstore.sglang.hicache", "class_name": "KvstoreHiCache", "interface_v1": 1,
        "kvstore.master": "127.0.0.1:50051"}'

Bytes go between SGLang's host pools and the store, without a copy in between (pages.py).
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sglang.srt.mem_cache.hicache_storage import (  # type: ignore[import-not-found]
    HiCacheStorage,
    PoolHitPolicy,
    PoolName,
    PoolTransferResult,
)

import kvstore

from ..plugins.link import Link
from ..plugins.settings import put_options, settings_of
from .pages import Pages, ranks

logger = logging.getLogger("kvstore.sglang")

_F = TypeVar("_F", bound=Callable[..., Any])
_PREFIX = "kvstore."


def _never_raises(nothing: Callable[..., Any]) -> Callable[[_F], _F]:
    """What a call is answered with when it fails: an exception would end SGLang's thread, and with
    it the cache. `nothing` is called with the call's arguments."""

    def decorate(call: _F) -> _F:
        @functools.wraps(call)
        def guarded(self: KvstoreHiCache, *arguments: Any, **named: Any) -> Any:
            try:
                return call(self, *arguments, **named)
            except Exception as error:
                logger.exception("kvstore: %s failed", call.__name__)
                self._link.complaints.add(f"calls of {call.__name__} failed", error)
                return nothing(*arguments, **named)

        return guarded  # type: ignore[return-value]

    return decorate


def _none_done(keys: Sequence[str], *_: Any, **__: Any) -> list[bool]:
    return [False] * len(keys)


def _no_transfer_done(transfers: Sequence[Any], *_: Any, **__: Any) -> dict[Any, list[bool]]:
    return {transfer.name: [False] * len(transfer.keys or []) for transfer in transfers}


class KvstoreHiCache(HiCacheStorage):  # type: ignore[misc]
    """One rank's way to the pool.

    What goes wrong is a miss, or a page that is not put, and is said aloud once a minute; nothing
    is raised but by the constructor and by registration, for what can never do. Every call ends in
    its time. Used by SGLang's prefetch and backup threads at once.

    Raises ValueError: a setting that is none, or tp_lcm_size, which is not offered.
    """

    def __init__(self, storage_config: Any, _: Any = None) -> None:
        extra = storage_config.extra_config or {}
        given = {
            name.removeprefix(_PREFIX): value
            for name, value in extra.items()
            if name.startswith(_PREFIX)
        }
        self.settings = settings_of(given, f"extra config: {_PREFIX}")
        if storage_config.should_split_heads:
            raise ValueError(
                "tp_lcm_size is not offered: pages are kept as each rank has them. Leave it out"
            )
        self._config = storage_config
        self._by_address = bool(extra.get("interface_v1", 0))
        self._pools: dict[str, Pages] = {}
        self._logical = False  # the KV pool has no memory of its own; others carry the bytes
        # Pools come while a thread of the link may be joining.
        self._mutex = threading.Lock()
        self._registered: dict[int, int] = {}
        self._client: kvstore.Client | None = None  # with which they are registered
        self._measured: dict[str, list[tuple[int, float]]] = {"prefetch": [], "backup": []}
        self._put_options = put_options(self.settings)
        try:
            self._link = Link(self.settings, logger, self._joined)
        except (kvstore.InvalidArgument, kvstore.FailedPrecondition) as error:
            raise ValueError(f"kvstore: {error}") from error

    # ---- pools -----------------------------------------------------------------------------------

    def register_mem_pool_host(self, mem_pool_host: Any) -> None:
        """Raises ValueError: pages of that pool have no addresses, and interface_v1 is set."""
        super().register_mem_pool_host(mem_pool_host)
        if getattr(mem_pool_host, "kv_buffer", None) is None:
            self._logical = True
            return
        if self._by_address:
            self._add_pool(PoolName.KV.value, mem_pool_host)

    def register_mem_host_pool_v2(self, host_pool: Any, host_pool_name: Any) -> None:
        """As register_mem_pool_host, for what goes beside KV."""
        super().register_mem_host_pool_v2(host_pool, host_pool_name)
        name = str(host_pool_name)
        if name != PoolName.KV.value:
            self._add_pool(name, host_pool)

    def _add_pool(self, name: str, pool: Any) -> None:
        self._pools[name] = Pages(pool, self._config, name)
        buffers = getattr(pool, "get_hybrid_pool_buffer", None)
        for buffer in buffers() if buffers else [getattr(pool, "kv_buffer", None)]:
            if buffer is not None and hasattr(buffer, "data_ptr"):
                size = buffer.numel() * buffer.element_size()
                if size:
                    with self._mutex:
                        self._registered[buffer.data_ptr()] = size
                        if self._client is not None:
                            self._register(self._client, buffer.data_ptr(), size)

    def _joined(self, client: kvstore.Client) -> None:
        with self._mutex:
            self._client = client
            for address, size in self._registered.items():
                self._register(client, address, size)

    def _register(self, client: kvstore.Client, address: int, size: int) -> None:
        try:
            client.register_memory(address, size)
        except kvstore.Error as error:
            logger.warning("kvstore: a host pool is not registered, and slower: %s", error)

    # ---- pages by address ------------------------------------------------------------------------

    @_never_raises(lambda *_, **__: 0)
    def batch_exists(self, keys: list[str], extra_info: Any = None) -> int:
        return self._link.look_prefix(self._kv_keys(keys))

    @_never_raises(_none_done)
    def batch_get_v1(
        self, keys: list[str], host_indices: Any, extra_info: Any = None
    ) -> list[bool]:
        if self._logical:
            return [True] * len(keys)
        return self._get(self._pools[PoolName.KV.value], keys, host_indices)

    @_never_raises(_none_done)
    def batch_set_v1(
        self, keys: list[str], host_indices: Any, extra_info: Any = None
    ) -> list[bool]:
        if self._logical:
            return [True] * len(keys)
        return self._put(self._pools[PoolName.KV.value], keys, host_indices, _position(extra_info))

    # ---- more pools than one ---------------------------------------------------------------------

    @_never_raises(lambda *_, **__: PoolTransferResult(0, {}, []))
    def batch_exists_v2(
        self, keys: list[str], pool_transfers: Any = None, extra_info: Any = None
    ) -> Any:
        """Where the prefix may end: after any page for which each pool has what its policy asks."""
        pages = len(keys) if self._logical else self._link.look_prefix(self._kv_keys(keys))
        hits: dict[Any, int] = {PoolName.KV: pages} if pages else {}
        ends = list(range(1, pages + 1))
        for transfer in pool_transfers or []:
            pool = self._pools[str(transfer.name)]
            there = self._link.look([self._link.key(pool.key(key)) for key in keys[:pages]])
            if transfer.hit_policy == PoolHitPolicy.ALL_PAGES:
                window = pages
            elif transfer.hit_policy == PoolHitPolicy.TRAILING_PAGES:
                window = max(1, len(transfer.keys or ()))
            else:
                # Groups of blocks are another form of the same pages, which ends nothing. They are
                # not offered: that none is there is always true enough.
                continue
            fits = [end for end in range(1, pages + 1) if all(there[max(0, end - window) : end])]
            if fits:
                hits[transfer.name] = fits[-1]
            ends = [end for end in ends if end in set(fits)]
        return PoolTransferResult(ends[-1] if ends else 0, hits, ends)

    @_never_raises(_no_transfer_done)
    def batch_get_v2(self, transfers: Any, extra_info: Any = None) -> dict[Any, list[bool]]:
        return {
            transfer.name: self._get(
                self._pools[str(transfer.name)], transfer.keys, transfer.host_indices
            )
            for transfer in transfers
        }

    @_never_raises(_no_transfer_done)
    def batch_set_v2(self, transfers: Any, extra_info: Any = None) -> dict[Any, list[bool]]:
        return {
            transfer.name: self._put(
                self._pools[str(transfer.name)],
                transfer.keys,
                transfer.host_indices,
                _position(extra_info),
            )
            for transfer in transfers
        }

    # ---- pages as tensors, without interface_v1 --------------------------------------------------

    @_never_raises(lambda *_, **__: None)
    def get(self, key: str, target_location: Any = None, target_sizes: Any = None) -> Any:
        got = self.batch_get([key], None if target_location is None else [target_location])
        return got[0]

    @_never_raises(lambda keys, *_, **__: [None] * len(keys))
    def batch_get(
        self, keys: list[str], target_locations: Any = None, target_sizes: Any = None
    ) -> list[Any]:
        """The targets that were filled, and None for the others."""
        client = self._link.client
        if client is None or target_locations is None:
            return [None] * len(keys)
        results = client.get_into_batch(
            zip(self._flat_keys(keys), target_locations, strict=True),
            timeout=self._link.seconds_of(self.settings.get_seconds),
        )
        sizes = [target.numel() * target.element_size() for target in target_locations]
        return [
            target if done else None
            for target, done in zip(target_locations, self._got(results, sizes), strict=True)
        ]

    @_never_raises(lambda *_, **__: False)
    def set(
        self, key: str, value: Any = None, target_location: Any = None, target_sizes: Any = None
    ) -> bool:
        return self.batch_set([key], [value])

    @_never_raises(lambda *_, **__: False)
    def batch_set(
        self,
        keys: list[str],
        values: Any = None,
        target_locations: Any = None,
        target_sizes: Any = None,
    ) -> bool:
        client = self._link.client
        if client is None or values is None:
            return False
        results = client.put_batch(
            zip(self._flat_keys(keys), (value.contiguous() for value in values), strict=True),
            self._put_options,
            positions=range(len(keys)),
            timeout=self._link.seconds_of(self.settings.put_seconds),
        )
        return all(self._are_put(results))

    @_never_raises(lambda *_, **__: False)
    def exists(self, key: str) -> bool:
        return self._link.look(self._kv_keys([key]))[0]

    # ---- the rest --------------------------------------------------------------------------------

    @_never_raises(lambda *_, **__: None)
    def clear(self) -> None:
        """Removes this model's pages, of all ranks; what others have in the pool stays."""
        client = self._link.client
        if client is not None:
            client.remove_matching(self._link.key(f"sglang@{self._config.model_name or ''}@"))

    @_never_raises(lambda *_, **__: None)
    def get_stats(self) -> Any:
        """What was moved since the last call, where SGLang wants to know."""
        if not self._config.enable_storage_metrics:
            return None
        from sglang.srt.observability.metrics_collector import (  # type: ignore[import-not-found]
            StorageMetrics,
        )

        metrics = StorageMetrics()
        for name, pages, bandwidth in (
            ("prefetch", metrics.prefetch_pgs, metrics.prefetch_bandwidth),
            ("backup", metrics.backup_pgs, metrics.backup_bandwidth),
        ):
            measured, self._measured[name] = self._measured[name], []
            pages.extend(count for count, _ in measured)
            bandwidth.extend(speed for _, speed in measured)
        return metrics

    def close(self) -> None:
        """After SGLang's threads have ended. A second one does nothing."""
        with self._mutex:
            client, self._client = self._client, None
            registered = list(self._registered)
        if client is not None:
            for address in registered:
                try:
                    client.unregister_memory(address)
                except kvstore.Error as error:
                    logger.warning("kvstore: a host pool could not be unregistered: %s", error)
        self._link.close()

    # ---- the calls -------------------------------------------------------------------------------

    def _get(self, pool: Pages, keys: Sequence[str], indices: Any) -> list[bool]:
        client = self._link.client
        if client is None or not keys:
            return [False] * len(keys)
        addresses, sizes = pool.memory(indices)
        began = time.monotonic()
        results = client.get_addresses(
            [self._link.key(pool.key(key)) for key in keys],
            addresses,
            sizes,
            timeout=self._link.seconds_of(self.settings.get_seconds),
        )
        done = self._got(results, [pool.bytes] * len(keys))
        self._measure("prefetch", sum(done), pool.bytes, time.monotonic() - began)
        return done

    def _put(self, pool: Pages, keys: Sequence[str], indices: Any, position: int) -> list[bool]:
        client = self._link.client
        if client is None or not keys:
            return [False] * len(keys)
        names = [self._link.key(pool.key(key)) for key in keys]
        addresses, sizes = pool.memory(indices)
        began = time.monotonic()
        results = client.put_addresses(
            names,
            addresses,
            sizes,
            self._put_options,
            positions=range(position, position + len(names)),
            timeout=self._link.seconds_of(self.settings.put_seconds),
        )
        new = sum(result is None for result in results)
        self._measure("backup", new, pool.bytes, time.monotonic() - began)
        return self._are_put(results)

    def _got(self, results: Sequence[int | kvstore.Error], sizes: Sequence[int]) -> list[bool]:
        done = []
        for result, size in zip(results, sizes, strict=True):
            # A shorter one leaves other bytes behind its end.
            done.append(result == size)
            if isinstance(result, kvstore.Error):
                if not isinstance(result, kvstore.NotFound):
                    self._link.complaints.add("gets failed, and count as misses", result)
            elif result != size:
                self._link.complaints.add(
                    "pages are of another size, and count as misses", f"{result} bytes, not {size}"
                )
        return done

    def _are_put(self, results: Sequence[kvstore.Error | None]) -> list[bool]:
        done = []
        for result in results:
            # The same page, put by another worker: keys are hashes of what they stand for.
            done.append(result is None or isinstance(result, kvstore.AlreadyExists))
            if not done[-1]:
                self._link.complaints.add("puts failed", result)
        return done

    def _measure(self, name: str, pages: int, page_bytes: int, seconds: float) -> None:
        if self._config.enable_storage_metrics and pages:
            speed = pages * page_bytes / max(seconds, 1e-9) / (1 << 30)  # GiB/s
            self._measured[name].append((pages, speed))

    def _kv_keys(self, keys: Sequence[str]) -> list[str]:
        if not self._by_address:
            return self._flat_keys(keys)
        pool = self._pools[PoolName.KV.value]
        return [self._link.key(pool.key(key)) for key in keys]

    def _flat_keys(self, keys: Sequence[str]) -> list[str]:
        """Of pages as tensors, which are in another order than in any pool."""
        pool = getattr(self, "mem_pool_host", None)
        dtype = str(getattr(pool, "dtype", "")).removeprefix("torch.")
        size = getattr(pool, "page_size", None) or 1
        share = ranks(self._config, bool(self._config.is_mla_model))
        model = self._config.model_name or ""
        kind = type(pool).__name__
        prefix = f"sglang@{model}@{dtype}@flat-{kind}@p{size}@{share}@kv@"
        return [self._link.key(prefix + key) for key in keys]


def _position(extra_info: Any) -> int:
    """Of the first page, in the chain of prefixes."""
    return len(getattr(extra_info, "prefix_keys", None) or ())
