"""Put sessions whose memory is not on this host, or that want replicas."""

from __future__ import annotations

import ctypes

import pytest
from mooncake.store import MooncakeDistributedStore, ReplicateConfig
from pool import Pool

import kvstore


def filled(store: MooncakeDistributedStore, keys: list[str], config: ReplicateConfig) -> None:
    content = ctypes.create_string_buffer(b"0123456789", 10)
    address = ctypes.addressof(content)
    assert store.batch_put_session_start(keys, [10] * len(keys), config) == [0] * len(keys)
    assert store.batch_put_session_start(keys[:1], [10], config) == [-600]
    for key in keys:
        pieces = ([[address, address + 5]], [[5, 5]], [[5, 0]])
        assert store.batch_put_from_multi_buffer_ranges([key], *pieces) == [10]
    assert store.batch_is_exist(keys) == [0] * len(keys)
    assert store.batch_put_session_end(keys) == [0] * len(keys)
    assert store.get_batch(keys) == [b"5678901234"] * len(keys)
    assert store.batch_put_session_start(keys, [10] * len(keys), config) == [-705] * len(keys)


def joined(pool: Pool) -> MooncakeDistributedStore:
    store = MooncakeDistributedStore()
    assert store.setup("localhost", "none", 0, 1 << 20, "tcp", "", pool.address) == 0
    return store


def test_replicas() -> None:
    with Pool(nodes=2) as pool:
        store = joined(pool)
        two = ReplicateConfig()
        two.replica_num = 2
        filled(store, ["a", "b"], two)
        store.close()


def test_groups() -> None:
    with Pool() as pool:
        store = joined(pool)
        groups = ReplicateConfig()
        groups.group_ids = ["x", "y", "x"]
        filled(store, ["a", "b", "c"], groups)
        with kvstore.Client(pool.address) as client:
            assert [stat.group for stat in client.stat_batch(["a", "b", "c"])] == [b"x", b"y", b"x"]
        store.close()


def test_other_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the store says where only they lend memory."""

    def none_here(self: kvstore.Client, items: list[object], *_: object, **__: object) -> object:
        error = kvstore.ResourceExhausted("no live node of this host lends memory; lend some")
        return [error] * len(items)

    with Pool() as pool:
        store = joined(pool)
        monkeypatch.setattr(kvstore.Client, "create_batch", none_here)
        filled(store, ["a", "b"], ReplicateConfig())
        store.close()


def test_closing_gives_up_what_is_open() -> None:
    with Pool() as pool:
        store = joined(pool)
        assert store.batch_put_session_start(["a"], [10]) == [0]
        assert store.close() == 0
        assert store.batch_put_session_end(["a"]) == [-600]
        other = joined(pool)
        assert other.put("a", b"value") == 0
        assert other.get("a") == b"value"
        other.close()
