"""The HiCache backend, as SGLang's factory makes it, over SGLang's own host pools."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sglang")

import torch
from pool import PATIENCE, Pool
from ports import free_port
from sglang.srt.mem_cache.device_pool_info import KVBufferLayout, KVBuffers, MHABufferInfo
from sglang.srt.mem_cache.hicache_storage import (
    HiCacheStorageConfig,
    HiCacheStorageExtraInfo,
    PoolHitPolicy,
    PoolName,
    PoolTransfer,
)
from sglang.srt.mem_cache.pool_host.mha import MHATokenToKVPoolHost
from sglang.srt.mem_cache.storage import StorageBackendFactory

import kvstore
from kvstore.sglang.hicache import KvstoreHiCache

READY_FILE = Path(os.environ["KVSTORE_TREE"]) / "examples/engines/sglang-hicache.json"
LAYERS, HEADS, HEAD, PAGE = 3, 2, 64, 16
PAGE_BYTES = 2 * LAYERS * PAGE * HEADS * HEAD * 2


def host_pool(layout: str, dtype: Any = torch.bfloat16, heads: int = HEADS) -> Any:
    """SGLang's own, in CPU memory, of some 60 pages, filled with noise."""
    layers = [torch.zeros(PAGE, heads, HEAD, dtype=dtype) for _ in range(LAYERS)]
    addresses = torch.tensor([layer.data_ptr() for layer in layers], dtype=torch.uint64)
    info = MHABufferInfo(
        buffers=KVBuffers(
            k=tuple(layers),
            v=tuple(layers),
            k_data_ptrs=addresses,
            v_data_ptrs=addresses,
            layout=KVBufferLayout.NHD,
        ),
        page_size=PAGE,
        head_num=heads,
        head_dim=HEAD,
        v_head_dim=HEAD,
        dtype=dtype,
        device=torch.device("cpu"),
    )
    pool = MHATokenToKVPoolHost(
        info,
        host_to_device_ratio=60.0,
        host_size=0,
        page_size=PAGE,
        layout=layout,
        pin_memory=False,
        device_capacity_tokens=PAGE,
        start_layer=0,
        end_layer=LAYERS,
    )
    for buffer in pool.get_hybrid_pool_buffer():
        buffer.copy_(torch.randn(buffer.shape))
    return pool


def configured(master: str, **changes: Any) -> Any:
    """What SGLang makes of the ready file, with the patience that a busy machine takes."""
    extra = json.loads(READY_FILE.read_text()) | {
        "kvstore.master": master,
        "kvstore.look_seconds": 5,
        "kvstore.get_seconds": 20,
        "kvstore.put_seconds": 20,
    }
    extra |= changes.pop("extra", {})
    fields: dict[str, Any] = {
        "tp_rank": 0,
        "tp_size": 1,
        "pp_rank": 0,
        "pp_size": 1,
        "attn_cp_rank": 0,
        "attn_cp_size": 1,
        "is_mla_model": False,
        "enable_storage_metrics": False,
        "is_page_first_layout": True,
        "model_name": "models/tiny",
        "extra_config": extra,
    }
    return HiCacheStorageConfig(**{**fields, **changes})


@contextmanager
def backend(master: str, pool: Any, **changes: Any) -> Iterator[Any]:
    """As SGLang's controller makes it."""
    made = StorageBackendFactory.create_backend("dynamic", configured(master, **changes), pool)
    made.register_mem_pool_host(pool)
    made.on_host_pools_registered()
    try:
        yield made
    finally:
        made.close()


def hashes(number: int, count: int) -> list[str]:
    return [f"{1000 * number + i:064x}" for i in range(count)]


def tokens(first_page: int, pages: int) -> Any:
    return torch.arange(first_page * PAGE, (first_page + pages) * PAGE)


def page(pool: Any, number: int) -> Any:
    return pool.get_data_page(number * PAGE, flat=True).clone()


@pytest.fixture(params=["page_first", "page_first_direct", "layer_first"])
def host(request: Any) -> Any:
    return host_pool(request.param)


def test_pages_come_back_as_they_were(pool: Pool, host: Any, number: int) -> None:
    with backend(pool.address, host) as storage:
        assert isinstance(storage, KvstoreHiCache)
        keys = hashes(number, 13)
        assert storage.batch_exists(keys) == 0
        assert storage.batch_get_v1(keys, tokens(20, 13)) == [False] * 13
        assert storage.batch_set_v1(keys, tokens(0, 13)) == [True] * 13
        assert storage.batch_exists(keys) == 13
        assert storage.exists(keys[3])
        # Elsewhere in the pool, and not in the order in which they were put.
        assert storage.batch_get_v1(keys[::-1], tokens(20, 13)) == [True] * 13
        for i in range(13):
            assert torch.equal(page(host, 20 + i), page(host, 12 - i))
        # One object for K and V of all layers.
        with kvstore.Client(pool.address) as client:
            sizes = {listed.size for listed in client.list_objects("sglang@")}
        assert sizes == {PAGE_BYTES}


def test_a_miss_ends_the_prefix_and_spares_the_rest(pool: Pool, host: Any, number: int) -> None:
    with backend(pool.address, host) as storage:
        keys = hashes(number, 4)
        have = [0, 1, 3]
        indices = torch.cat([tokens(i, 1) for i in have])
        assert storage.batch_set_v1([keys[i] for i in have], indices) == [True] * 3
        assert storage.batch_exists(keys) == 2
        assert storage.batch_get_v1(keys, tokens(20, 4)) == [True, True, False, True]
        assert torch.equal(page(host, 23), page(host, 3))


def test_backing_up_again_is_no_failure(pool: Pool, host: Any, number: int) -> None:
    with backend(pool.address, host) as storage:
        keys = hashes(number, 2)
        assert storage.batch_set_v1(keys[:1], tokens(0, 1)) == [True]
        assert storage.batch_set_v1(keys, tokens(0, 2)) == [True, True]


def test_a_look_for_many_pages_is_one_question(pool: Pool, number: int) -> None:
    """And what it has found is read without another."""
    host = host_pool("page_first")
    with backend(pool.address, host) as storage:
        client = storage._link.client
        keys = hashes(number, 32)
        before = client.counters.master_requests
        assert storage.batch_exists(keys) == 0
        assert client.counters.master_requests == before + 1
        storage.batch_set_v1(keys, tokens(0, 32))
        assert storage.batch_exists(keys) == 32
        before = client.counters.master_requests
        assert storage.batch_get_v1(keys, tokens(0, 32)) == [True] * 32
        assert client.counters.master_requests == before


OTHERS = {
    "model": ({"model_name": "models/other"}, {}),
    "rank": ({"tp_rank": 1, "tp_size": 2}, {}),
    "size": ({"tp_rank": 0, "tp_size": 2}, {}),
    "stage": ({"pp_rank": 1, "pp_size": 2}, {}),
    "dtype": ({}, {"dtype": torch.float16}),
    "heads": ({}, {"heads": 4}),
    "layout": ({}, {"layout": "page_first_direct"}),
    "flat": ({"extra": {"interface_v1": 0}}, {}),
    "prefix": ({"extra": {"kvstore.key_prefix": "blue/"}}, {}),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_another_layout_is_another_key(pool: Pool, number: int, other: str) -> None:
    config, shape = OTHERS[other]
    keys = hashes(number, 2)
    with backend(pool.address, host_pool("page_first")) as storage:
        storage.batch_set_v1(keys, tokens(0, 2))
    with backend(pool.address, host_pool(**{"layout": "page_first", **shape}), **config) as storage:
        assert storage.batch_exists(keys) == 0
    with backend(pool.address, host_pool("page_first")) as storage:
        assert storage.batch_exists(keys) == 2


def test_ranks_share_what_is_the_same_on_all(pool: Pool, number: int) -> None:
    keys = hashes(number, 1)
    one = {"is_mla_model": True, "tp_size": 2}
    with backend(pool.address, host_pool("page_first"), tp_rank=0, **one) as storage:
        storage.batch_set_v1(keys, tokens(0, 1))
    with backend(pool.address, host_pool("page_first"), tp_rank=1, **one) as storage:
        assert storage.batch_exists(keys) == 1


def test_pages_as_tensors(pool: Pool, host: Any, number: int) -> None:
    """Without interface_v1 SGLang copies each page, and asks for fewer methods."""
    with backend(pool.address, host, extra={"interface_v1": 0}) as storage:
        keys = hashes(number, 3)
        assert storage.batch_set(keys[:2], [page(host, 0), page(host, 1)])
        assert storage.set(keys[2], page(host, 2))
        assert storage.batch_exists(keys) == 3 and storage.exists(keys[2])
        wanted = [*keys, hashes(number + 1, 1)[0]]
        got = storage.batch_get(wanted, [host.get_dummy_flat_data_page() for _ in wanted])
        assert [target is not None for target in got] == [True, True, True, False]
        for i in range(3):
            assert torch.equal(got[i], page(host, i))
        target = host.get_dummy_flat_data_page()
        assert storage.get(keys[1], target) is target
        assert torch.equal(target, page(host, 1))
        assert storage.get(keys[1], torch.zeros(10)) is None


@pytest.mark.parametrize("prefix", ["", "blue/"])
def test_pools_beside_kv(pool: Pool, number: int, prefix: str) -> None:
    host, side = host_pool("page_first"), host_pool("page_first", heads=1)
    keys = hashes(number, 6)
    with backend(pool.address, host, extra={"kvstore.key_prefix": prefix}) as storage:
        storage.register_mem_host_pool_v2(side, PoolName.SWA)
        storage.batch_set_v1(keys, tokens(0, 6))

        def transfer(pages: list[int], at: int, policy: Any = PoolHitPolicy.ALL_PAGES) -> Any:
            return PoolTransfer(
                name=PoolName.SWA,
                keys=[keys[i] for i in pages],
                host_indices=torch.cat([tokens(at + i, 1) for i in pages]),
                hit_policy=policy,
            )

        have = [0, 1, 3, 4]
        assert storage.batch_set_v2([transfer(have, 0)]) == {PoolName.SWA: [True] * 4}
        got = storage.batch_get_v2([transfer([0, 2, 3], 20)])
        assert got == {PoolName.SWA: [True, False, True]}
        assert torch.equal(page(side, 23), page(side, 3))

        everything = storage.batch_exists_v2(keys, [transfer([0], 0)])
        assert everything.kv_hit_pages == 2
        assert everything.restorable_prefix_pages == [1, 2]
        assert everything.extra_pool_hit_pages == {PoolName.KV: 6, PoolName.SWA: 2}
        window = transfer([0, 1], 0, PoolHitPolicy.TRAILING_PAGES)
        trailing = storage.batch_exists_v2(keys, [window])
        assert trailing.kv_hit_pages == 5
        assert trailing.restorable_prefix_pages == [1, 2, 5]
        nothing = storage.batch_exists_v2(hashes(number + 1, 2), [window])
        assert nothing.kv_hit_pages == 0 and nothing.restorable_prefix_pages == []


def test_nothing_is_ever_raised(pool: Pool, number: int) -> None:
    """An exception would end SGLang's threads."""
    host = host_pool("page_first")
    keys = hashes(number, 2)
    with backend(pool.address, host) as storage:
        assert storage.batch_get_v1(keys, tokens(0, 1)[:3]) == [False, False]
        assert storage.batch_set_v1(keys, tokens(0, 1)) == [False, False]
        assert storage.batch_exists([None]) == 0
        unknown = PoolTransfer(name=PoolName.MAMBA, keys=keys, host_indices=tokens(0, 2))
        assert storage.batch_get_v2([unknown]) == {PoolName.MAMBA: [False, False]}
        assert storage.batch_set_v2([unknown]) == {PoolName.MAMBA: [False, False]}
        assert storage.batch_exists_v2(keys, [unknown]).kv_hit_pages == 0
        assert storage.batch_set(keys, [object(), object()]) is False
        storage.close()
        assert storage.batch_exists(keys) == 0
        assert storage.batch_get_v1(keys, tokens(0, 2)) == [False, False]
        assert storage.batch_set_v1(keys, tokens(0, 2)) == [False, False]


def test_a_dead_master_and_a_killed_holder_are_misses(pool: Pool, host: Any, number: int) -> None:
    keys = hashes(number, 2)
    with backend(pool.address, host) as storage:
        storage.batch_set_v1(keys, tokens(0, 2))
        pool.nodes[0].kill()
        assert storage.batch_get_v1(keys, tokens(20, 2)) == [False, False]
        assert storage.batch_set_v1(hashes(number + 1, 1), tokens(0, 1)) == [False]
        pool.master.kill()
        assert storage.batch_exists(keys) == 0
        assert storage.batch_set_v1(hashes(number + 2, 1), tokens(0, 1)) == [False]


def test_a_master_that_comes_later_is_joined(number: int) -> None:
    address = f"127.0.0.1:{free_port()}"
    keys = hashes(number, 1)
    host = host_pool("page_first")
    with backend(address, host, extra={"kvstore.connect_seconds": 0.2}) as storage:
        assert storage.batch_exists(keys) == 0
        assert storage.batch_set_v1(keys, tokens(0, 1)) == [False]
        with Pool(address=address):
            until = time.monotonic() + PATIENCE
            while storage.batch_set_v1(keys, tokens(0, 1)) != [True]:
                assert time.monotonic() < until
                time.sleep(0.1)
            assert storage.batch_exists(keys) == 1


def test_a_pool_that_comes_while_the_master_does_is_registered(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_port()}"
    host, side = host_pool("page_first"), host_pool("page_first", heads=1)
    registered: list[int] = []
    joins, go_on = threading.Event(), threading.Event()
    register = kvstore.Client.register_memory

    def slow(client: kvstore.Client, at: int, size: int) -> None:
        joins.set()
        assert go_on.wait(PATIENCE)
        register(client, at, size)
        registered.append(at)

    monkeypatch.setattr(kvstore.Client, "register_memory", slow)
    with backend(address, host, extra={"kvstore.connect_seconds": 2}) as storage:
        with Pool(address=address):
            assert joins.wait(PATIENCE)
            adding = threading.Thread(
                target=lambda: storage.register_mem_host_pool_v2(side, PoolName.SWA)
            )
            adding.start()
            adding.join(1.0)  # it may wait for the join
            go_on.set()
            adding.join(PATIENCE)
            until = time.monotonic() + PATIENCE
            while storage._link.client is None:
                assert time.monotonic() < until
                time.sleep(0.01)
        buffers = [*host.get_hybrid_pool_buffer(), *side.get_hybrid_pool_buffer()]
        assert sorted(registered) == sorted(buffer.data_ptr() for buffer in buffers)


def test_clear_removes_this_models_pages_alone(pool: Pool, number: int) -> None:
    keys = hashes(number, 2)
    host = host_pool("page_first")
    with (
        backend(pool.address, host) as storage,
        backend(pool.address, host_pool("page_first"), model_name="models/tiny2") as other,
        kvstore.Client(pool.address) as client,
    ):
        client.put("somebody's", b"x")
        storage.batch_set_v1(keys, tokens(0, 2))
        other.batch_set_v1(keys, tokens(0, 2))
        storage.clear()
        assert storage.batch_exists(keys) == 0
        assert other.batch_exists(keys) == 2
        assert client.exists("somebody's")


def test_the_tail_of_a_chain_goes_first(pool: Pool, number: int) -> None:
    host = host_pool("page_first")
    with backend(pool.address, host) as storage, kvstore.Client(pool.address) as client:
        keys = hashes(number, 4)
        storage.batch_set_v1(keys[:2], tokens(0, 2), HiCacheStorageExtraInfo(prefix_keys=[]))
        storage.batch_set_v1(keys[2:], tokens(2, 2), HiCacheStorageExtraInfo(prefix_keys=keys[:2]))
        listed = {one.key.decode()[-64:]: one.key for one in client.list_objects("sglang@")}
        assert [client.stat(listed[key]).position for key in keys] == [0, 1, 2, 3]


def test_metrics_are_told_once(pool: Pool, number: int) -> None:
    host = host_pool("page_first")
    with backend(pool.address, host, enable_storage_metrics=True) as storage:
        storage.batch_set_v1(hashes(number, 3), tokens(0, 3))
        storage.batch_get_v1(hashes(number, 3), tokens(10, 3))
        told = storage.get_stats()
        assert told.backup_pgs == [3] and told.prefetch_pgs == [3]
        assert told.backup_bandwidth[0] > 0 and told.prefetch_bandwidth[0] > 0
        assert storage.get_stats().backup_pgs == []
    with backend(pool.address, host_pool("page_first")) as storage:
        assert storage.get_stats() is None


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"extra": {"kvstore.mastr": "x"}}, "did you mean extra config: kvstore.master"),
        ({"extra": {"kvstore.get_seconds": "soon"}}, "get_seconds is 'soon'"),
        ({"should_split_heads": True, "tp_lcm_size": 4}, "tp_lcm_size is not offered"),
    ],
)
def test_what_can_never_do_is_named(pool: Pool, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as raised:
        StorageBackendFactory.create_backend("dynamic", configured(pool.address, **changes), None)
    assert said in str(raised.value)
