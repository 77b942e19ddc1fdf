"""An L2 adapter plugin for `lmcache server`.

    lmcache server ... --l2-adapter '{"type": "plugin", "module_path": "kvstore.lmcache.l2",
        "class_name": "KvstoreL2Adapter", "adapter_params": {"master": "127.0.0.1:50051"}}'

What a lookup finds stays locked in the store itself until it is unlocked (locks.py). Bytes go
between LMCache's L1 memory and the store, without a copy in between.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lmcache.logging import init_logger  # type: ignore[import-not-found]
from lmcache.v1.distributed.api import (  # type: ignore[import-not-found]
    KeyEntry,
    KeyListPage,
    ObjectKey,
)
from lmcache.v1.distributed.internal_api import L2StoreResult  # type: ignore[import-not-found]
from lmcache.v1.distributed.l2_adapters.base import (  # type: ignore[import-not-found]
    L2AdapterInterface,
)
from lmcache.v1.distributed.l2_adapters.config import (  # type: ignore[import-not-found]
    L2AdapterConfigBase,
)
from lmcache.v1.platform import create_event_notifier  # type: ignore[import-not-found]

try:
    from lmcache.lmcache_native import Bitmap  # type: ignore[import-not-found]
except ImportError:  # before LMCache 0.5
    from lmcache.native_storage_ops import Bitmap  # type: ignore[import-not-found]

import kvstore

from ..plugins.link import Link
from ..plugins.settings import Settings, WrongSetting, bytes_of, put_options, settings_of
from . import arena
from .locks import Locks

logger = init_logger("kvstore.lmcache.l2")

# Sizes of so many objects are remembered, to tell LMCache's eviction what it uses.
_SIZES_KEPT = 1_000_000
_PAGE = 1000  # keys that are listed in one call


class KvstoreL2AdapterConfig(L2AdapterConfigBase):  # type: ignore[misc]
    """What adapter_params may say. Raises ValueError."""

    def __init__(
        self, settings: Settings, lock_seconds: float = 300.0, max_capacity_bytes: int = 0
    ) -> None:
        self.settings = settings
        self.lock_seconds = lock_seconds
        self.max_capacity_bytes = max_capacity_bytes

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> KvstoreL2AdapterConfig:
        given = dict(d)
        where = "adapter_params: "
        lock_seconds = given.pop("lock_seconds", 300.0)
        if not isinstance(lock_seconds, int | float) or not 0 < lock_seconds <= 86400:
            raise WrongSetting(
                f"{where}lock_seconds is {lock_seconds!r}; it may be up to 86400 seconds"
            )
        capacity = bytes_of(given.pop("max_capacity_bytes", 0))
        return cls(settings_of(given, where), float(lock_seconds), capacity)

    @classmethod
    def help(cls) -> str:
        return (
            "kvstore L2 adapter, adapter_params:\n"
            '- master (str): HOST:PORT of kvstore_master (default "127.0.0.1:50051")\n'
            "- lock_seconds (float): a lock that is not given back ends then (default 300)\n"
            '- max_capacity_bytes (int, or such as "64GiB"): what LMCache\'s own eviction keeps '
            "to (default 0: the store evicts by itself)\n"
            "- all that docs/engines.md of kvstore lists for the connector: key_prefix, "
            "look_seconds, get_seconds, put_seconds, lend_bytes, ..."
        )


class KvstoreL2Adapter(L2AdapterInterface):  # type: ignore[misc]
    """The store as LMCache's second tier. Every task ends in its time; what fails is a miss, or a
    store task that failed. Thread-safe."""

    def __init__(self, config: Any, l1_memory_desc: Any = None, **_: Any) -> None:
        """Raises ValueError: the settings can never do. A master that does not answer is no reason:
        it is looked for on and on."""
        if isinstance(config, dict):
            config = KvstoreL2AdapterConfig.from_dict(config)
        super().__init__(max_capacity_bytes=config.max_capacity_bytes)
        self.settings: Settings = config.settings
        self._l1 = l1_memory_desc
        self._registered: int | None = None
        try:
            self._link = Link(self.settings, logger, self._register)
            self._put_options = put_options(self.settings)
        except (kvstore.InvalidArgument, kvstore.FailedPrecondition) as error:
            raise ValueError(f"kvstore: {error}") from error
        self._locks = Locks(self._link, config.lock_seconds)
        # Lookups never wait behind bytes.
        self._lookups = ThreadPoolExecutor(
            self.settings.look_threads, thread_name_prefix="kvstore-lookup"
        )
        self._loads = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="kvstore-load")
        self._stores = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="kvstore-store")
        self._stored_event = create_event_notifier()
        self._found_event = create_event_notifier()
        self._loaded_event = create_event_notifier()
        self._mutex = threading.Lock()
        self._last_task = 0
        self._stored: dict[int, Any] = {}
        self._found: dict[int, Any] = {}
        self._loaded: dict[int, Any] = {}
        self._sizes: OrderedDict[Any, int] = OrderedDict()
        self._closed = False

    def get_store_event_fd(self) -> int:
        return int(self._stored_event.fileno())

    def get_lookup_and_lock_event_fd(self) -> int:
        return int(self._found_event.fileno())

    def get_load_event_fd(self) -> int:
        return int(self._loaded_event.fileno())

    # ---- store -----------------------------------------------------------------------------------

    def submit_store_task(self, keys: list[Any], objects: list[Any], *_: Any, **__: Any) -> int:
        return self._submit(
            self._stores,
            lambda: self._store(keys, objects),
            L2StoreResult(False, 0),
            self._stored,
            self._stored_event,
        )

    def pop_completed_store_tasks(self) -> dict[int, Any]:
        with self._mutex:
            done = dict(self._stored)
            self._stored.clear()
        return done

    def _store(self, keys: Sequence[Any], objects: Sequence[Any]) -> Any:
        client = self._link.client
        if client is None:
            return L2StoreResult(False, 0)
        values = [arena.bytes_of(chunk) for chunk in objects]
        results = client.put_batch(
            zip(map(self._name, keys), values, strict=True),
            self._put_options,
            positions=range(len(values)),
            timeout=self._link.seconds_of(self.settings.put_seconds),
        )
        # What another server has put under the key is the same: keys are hashes.
        failed = [r for r in results if r is not None and not isinstance(r, kvstore.AlreadyExists)]
        if failed:
            self._link.complaints.add("puts failed", failed[0], len(failed))
        new = [
            (key, len(value))
            for key, value, result in zip(keys, values, results, strict=True)
            if result is None
        ]
        there = (
            [(k, 0) for k, r in zip(keys, results, strict=True) if r is not None]
            if not failed
            else []
        )
        self._count(new + there)
        return L2StoreResult(not failed, sum(size for _, size in new))

    # ---- look up, lock ---------------------------------------------------------------------------

    def submit_lookup_and_lock_task(self, keys: list[Any], *_: Any, **__: Any) -> int:
        return self._submit(
            self._lookups,
            lambda: self._look_up(keys),
            Bitmap(len(keys)),
            self._found,
            self._found_event,
        )

    def query_lookup_and_lock_result(self, task_id: int) -> Any:
        with self._mutex:
            return self._found.pop(task_id, None)

    def submit_unlock(self, keys: list[Any]) -> None:
        # Done at once, and asks nobody: the leases run out.
        self._locks.unlock(map(self._name, keys))

    def _look_up(self, keys: Sequence[Any]) -> Any:
        locked = self._locks.lock([self._name(key) for key in keys])
        self._forget(key for key, state in zip(keys, locked, strict=True) if state is None)
        return _bitmap([state is True for state in locked])

    # ---- load ------------------------------------------------------------------------------------

    def submit_load_task(self, keys: list[Any], objects: list[Any], *_: Any, **__: Any) -> int:
        return self._submit(
            self._loads,
            lambda: self._load(keys, objects),
            Bitmap(len(keys)),
            self._loaded,
            self._loaded_event,
        )

    def query_load_result(self, task_id: int) -> Any:
        with self._mutex:
            return self._loaded.pop(task_id, None)

    def _load(self, keys: Sequence[Any], objects: Sequence[Any]) -> Any:
        client = self._link.client
        if client is None:
            return Bitmap(len(keys))
        targets = [arena.bytes_of(chunk) for chunk in objects]
        results = client.get_into_batch(
            zip(map(self._name, keys), targets, strict=True),
            timeout=self._link.seconds_of(self.settings.get_seconds),
        )
        loaded = []
        for target, result in zip(targets, results, strict=True):
            # One of another size is of another layout.
            loaded.append(result == len(target))
            if isinstance(result, kvstore.Error):
                if not isinstance(result, kvstore.NotFound):
                    self._link.complaints.add("gets failed, and count as misses", result)
            elif result != len(target):
                self._link.complaints.add(
                    "objects are of another size than this model's, and count as misses",
                    f"{result} bytes, not {len(target)}",
                )
        self._notify_keys_accessed([k for k, ok in zip(keys, loaded, strict=True) if ok])
        return _bitmap(loaded)

    # ---- the rest --------------------------------------------------------------------------------

    def delete(self, keys: list[Any]) -> None:
        """All but those that are locked here. What could not be removed is said aloud, and not that
        it is gone: an exception would end the thread of LMCache's that evicts."""
        client = self._link.client
        free = [key for key in keys if not self._locks.held(self._name(key))]
        if client is None or not free:
            return
        try:
            results = client.remove_batch(
                [self._name(key) for key in free],
                timeout=self._link.seconds_of(self.settings.put_seconds),
            )
        except Exception as error:  # closed meanwhile
            self._link.complaints.add("objects could not be removed", error, len(free))
            return
        failed = [r for r in results if r is not None and not isinstance(r, kvstore.NotFound)]
        self._forget(
            key
            for key, result in zip(free, results, strict=True)
            if result is None or isinstance(result, kvstore.NotFound)
        )
        if failed:
            self._link.complaints.add("objects could not be removed", failed[0], len(failed))

    def list_l2_keys(
        self,
        model_name: str | None = None,
        page_size: int = 500,
        cursor: str | None = None,
        **_: Any,
    ) -> Any:
        """Raises ValueError for a cursor that is none; kvstore.Error where the master does not
        answer."""
        if page_size <= 0:
            raise ValueError(f"page_size is {page_size}; it must be positive")
        after = bytes.fromhex(cursor) if cursor else b""
        prefix = self.settings.key_prefix
        wanted = f"{prefix}{model_name}@" if model_name is not None else prefix
        client = self._link.client
        if client is None:
            raise kvstore.Unavailable(f"no master answers at {self.settings.master}")
        entries: list[Any] = []
        while len(entries) < page_size:
            page = client.list_objects(
                wanted,
                after=after,
                limit=min(page_size - len(entries), _PAGE),
                timeout=self.settings.get_seconds,
            )
            if not page:
                return KeyListPage(entries=tuple(entries), next_page_token=None)
            after = page[-1].key
            for listed in page:
                key = _key_of(listed.key, prefix)
                if key is not None:
                    entries.append(
                        KeyEntry(key=key.to_encoded_object_key(), size_bytes=listed.size)
                    )
        return KeyListPage(entries=tuple(entries), next_page_token=after.hex())

    def report_status(self) -> dict[str, Any]:
        client = self._link.client
        status = {
            "is_healthy": not self._closed and self._link.answers,
            "type": "kvstore",
            "master": self.settings.master,
            "locked_keys": len(self._locks),
            "locks_refused": self._locks.refused,
            "locks_lost": self._locks.lost,
            "locks_expired": self._locks.expired,
        }
        if client is not None:
            counters = client.counters
            for name in ("puts_ok", "puts_failed", "gets_ok", "gets_missed", "gets_failed"):
                status[name] = getattr(counters, name)
        return status

    def close(self) -> None:
        """Waits for tasks that are under way; they end in their time."""
        if self._closed:
            return
        self._closed = True
        for threads in (self._lookups, self._loads, self._stores):
            threads.shutdown(wait=True)
        self._locks.close()
        client = self._link.client
        if client is not None and self._registered is not None:
            try:
                client.unregister_memory(self._registered)
            except kvstore.Error as error:
                logger.warning("kvstore: LMCache's memory could not be unregistered: %s", error)
        self._link.close()
        for event in (self._stored_event, self._found_event, self._loaded_event):
            event.close()

    def _submit(
        self,
        threads: ThreadPoolExecutor,
        task: Callable[[], Any],
        failed: Any,
        results: dict[int, Any],
        event: Any,
    ) -> int:
        """A task's id. Its result is in `results` before `event` tells of it; `failed` where the
        task raises, or comes after close."""

        def run() -> None:
            try:
                result = task()
            except Exception as error:
                logger.exception("kvstore: an L2 task failed")
                self._link.complaints.add("L2 tasks failed", error)
                result = failed
            with self._mutex:
                results[task_id] = result
            event.notify()

        with self._mutex:
            self._last_task += 1
            task_id = self._last_task
        try:
            threads.submit(run)
        except RuntimeError:  # closed, and the events perhaps, too: nobody polls them any more
            with self._mutex:
                results[task_id] = failed
        return task_id

    def _register(self, client: kvstore.Client) -> None:
        """L1's memory, so that the transfer layer need not find it out at each call."""
        if self._l1 is None or not self._l1.size:
            return
        try:
            client.register_memory(self._l1.ptr, self._l1.size)
            self._registered = self._l1.ptr
        except kvstore.Error as error:
            logger.warning("kvstore: LMCache's memory is not registered, and slower: %s", error)

    def _count(self, stored: Sequence[tuple[Any, int]]) -> None:
        """Tells listeners of what was stored; a size of 0: it was there. All of it is remembered,
        so that they are told when it is gone."""
        with self._mutex:
            # Stored once more: it was gone, and nobody knew.
            gone = [(key, self._sizes[key]) for key, size in stored if size and key in self._sizes]
            for key, size in stored:
                if size:
                    self._sizes[key] = size
                else:
                    self._sizes.setdefault(key, 0)
            old = [
                self._sizes.popitem(last=False)
                for _ in range(max(len(self._sizes) - _SIZES_KEPT, 0))
            ]
        self._tell_gone(gone)
        if stored:
            self._notify_keys_stored([key for key, _ in stored], [size for _, size in stored])
        self._tell_gone(old)

    def _forget(self, keys: Iterable[Any]) -> None:
        """Tells listeners of what is gone: removed, or evicted by the store."""
        with self._mutex:
            gone = [(key, self._sizes.pop(key)) for key in keys if key in self._sizes]
        self._tell_gone(gone)

    def _tell_gone(self, gone: Sequence[tuple[Any, int]]) -> None:
        if gone:
            self._notify_keys_deleted([key for key, _ in gone], [size for _, size in gone])

    def _name(self, key: Any) -> str:
        """As LMCache's own connectors write it."""
        name = f"{key.model_name}@{key.kv_rank:08x}@{key.object_group_id:x}@{key.chunk_hash.hex()}"
        return self._link.key(f"{name}@{key.cache_salt}" if key.cache_salt else name)


def _key_of(name: bytes, prefix: str) -> Any:
    """The key that _name has written so. None: it was not written by this."""
    try:
        parts = name.decode().removeprefix(prefix).split("@")
        if len(parts) not in (4, 5):
            return None
        model, rank, group, chunk_hash, *salt = parts
        return ObjectKey(
            chunk_hash=bytes.fromhex(chunk_hash),
            model_name=model,
            kv_rank=int(rank, 16),
            object_group_id=int(group, 16),
            cache_salt=salt[0] if salt else "",
        )
    except ValueError:
        return None


def _bitmap(set_ones: Sequence[bool]) -> Any:
    bitmap = Bitmap(len(set_ones))
    for i, one in enumerate(set_ones):
        if one:
            bitmap.set(i)
    return bitmap
