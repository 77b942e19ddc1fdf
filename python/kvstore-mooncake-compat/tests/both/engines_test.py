"""The calls of each engine, in its order and with its shapes, as they were recorded at work.

A prefill and a decode worker are a store each. docs/mooncake.md says which releases these are.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import StoreFactory
from deployment import PATIENCE, SHORT_LEASE, Master
from memory import Memory
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

Store = MooncakeDistributedStore
MIB = 1 << 20
CHUNK = 512 << 10


def content(name: str, size: int) -> bytes:
    """Bytes that follow from a name."""
    block = hashlib.sha256(name.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def workers() -> Iterator[tuple[Callable[..., Store], list[Store]]]:
    made: list[Store] = []

    def make(*arguments: Any, **keywords: Any) -> Store:
        store = MooncakeDistributedStore()
        made.append(store)
        assert store.setup(*arguments, **keywords) == 0
        return store

    yield make, made
    for store in made:
        assert store.close() == 0


def lmcache_config(master: Master) -> dict[str, str]:
    """All values are text, and both spellings are there."""
    return {
        "local_hostname": "127.0.0.1",
        "metadata_server": "P2PHANDSHAKE",
        "protocol": "tcp",
        "device_name": "",
        "master_server_address": master.address,
        "global_segment_size": str(64 * MIB),
        "local_buffer_size": str(64 * MIB),
        "master_server_addr": master.address,
        "rdma_devices": "",
    }


def lmcache_keys(prompt: str, chunks: int) -> list[str]:
    """{model}@{world size}@{worker}@{hash, signed}@{type}"""
    hashes = (hashlib.sha256(f"{prompt}{i}".encode()).digest()[:8] for i in range(chunks))
    numbers = (int.from_bytes(one, "little", signed=True) for one in hashes)
    return [f"engines/model@1@0@{number:x}@float" for number in numbers]


def test_lmcache(master: Master, workers: Any) -> None:
    """Chunks by address. exists on the event loop, one key a call; puts and gets in threads."""
    make, _ = workers
    prefiller, decoder = (make(lmcache_config(master)) for _ in range(2))
    keys = lmcache_keys("lmcache", 3)
    sizes = [CHUNK] * 3

    def place(memory: Memory) -> list[int]:
        return [memory.address + i * CHUNK for i in range(3)]

    async def prefill(memory: Memory) -> None:
        assert prefiller.is_exist(keys[0]) == 0
        put = asyncio.to_thread(
            prefiller.batch_put_from, keys, place(memory), sizes, ReplicateConfig()
        )
        assert await asyncio.wait_for(put, PATIENCE) == [0, 0, 0]

    async def load(store: Store, memory: Memory) -> None:
        found = [store.is_exist(key) for key in (*keys, *lmcache_keys("other", 1))]
        assert found == [1, 1, 1, 0]
        got = asyncio.to_thread(store.batch_get_into, keys, place(memory), sizes)
        assert await asyncio.wait_for(got, PATIENCE) == sizes

    source = Memory(4 * MIB)
    target = Memory(4 * MIB)
    for key, address in zip(keys, place(source), strict=True):
        source.write(address - source.address, content(key, CHUNK))
    assert prefiller.register_buffer(source.address, 4 * MIB) == 0
    assert decoder.register_buffer(target.address, 4 * MIB) == 0
    asyncio.run(prefill(source))
    asyncio.run(load(decoder, target))
    for key, address in zip(keys, place(target), strict=True):
        assert target.read(address - target.address, CHUNK) == content(key, CHUNK)
    asyncio.run(load(prefiller, source))  # the same prompt again
    assert prefiller.unregister_buffer(source.address) == 0
    assert decoder.unregister_buffer(target.address) == 0


def test_lmcache_with_metadata_per_chunk(master: Master, workers: Any) -> None:
    make, _ = workers
    prefiller, decoder = (make(lmcache_config(master)) for _ in range(2))
    keys = lmcache_keys("metadata", 3)
    header = bytes(range(28))
    with ThreadPoolExecutor(4) as threads:

        def put(key: str) -> int:
            payload = memoryview(bytearray(content(key, CHUNK)))
            return prefiller.put_parts(key, header, payload)

        assert list(threads.map(put, keys)) == [0, 0, 0]
        assert [decoder.is_exist(key) for key in keys] == [1, 1, 1]
        buffers = threads.submit(decoder.batch_get_buffer, [*keys, "none"]).result(PATIENCE)
    assert buffers[3] is None
    for key, buffer in zip(keys, buffers, strict=False):
        view = memoryview(buffer)
        assert (len(buffer), view.nbytes) == (28 + CHUNK, 28 + CHUNK)
        assert bytes(view[:28]) == header
        assert bytes(view[28:]) == content(key, CHUNK)


def test_lmcache_falls_back_to_positions(master: Master, workers: Any) -> None:
    make, _ = workers
    store = make("127.0.0.1", "P2PHANDSHAKE", 16 * MIB, 16 * MIB, "tcp", "", master.address)
    config = ReplicateConfig()
    config.preferred_segment = store.get_hostname()
    assert store.put("lmcache-preferred", b"x", config) == 0


def test_lmcache_lookup_client(master: Master, workers: Any) -> None:
    """1 is found, all else is not."""
    make, _ = workers
    store = make({**lmcache_config(master), "global_segment_size": "0"})
    keys = lmcache_keys("lookup", 64)
    assert store.batch_is_exist(keys) == [0] * 64


def test_vllm(master: Master, workers: Any) -> None:
    """A block of all layers is one object, gathered from and scattered to the layers."""
    make, _ = workers
    prefill, decode = (
        make("127.0.0.1", "P2PHANDSHAKE", 64 * MIB, 64 * MIB, "tcp", "", master.address)
        for _ in range(2)
    )
    block, layers, blocks = 32 << 10, 2, 24
    prefix = "model@tp_rank:0@pcp0@dcp0@pp_rank:0@group:0@"
    keys = [f"{prefix}{hashlib.sha256(bytes([i])).hexdigest()}" for i in range(blocks + 1)]
    config = ReplicateConfig()
    assert hasattr(config, "group_ids")

    def lists(memory: Memory) -> list[list[int]]:
        halves = (memory.address, memory.address + 2 * MIB)
        return [[half + i * block for half in halves] for i in range(blocks)]

    sizes = [[block] * layers] * blocks
    source = Memory(4 * MIB)
    target = Memory(4 * MIB)
    for key, places in zip(keys, lists(source), strict=False):
        for layer, address in enumerate(places):
            source.write(address - source.address, content(f"{key}/{layer}", block))
    assert prefill.register_buffer(source.address, 4 * MIB) == 0
    assert decode.register_buffer(target.address, 4 * MIB) == 0
    assert prefill.batch_is_exist(keys) == [0] * (blocks + 1)
    codes = prefill.batch_put_from_multi_buffers(keys[:blocks], lists(source), sizes, config)
    assert codes == [0] * blocks
    assert decode.batch_is_exist(keys) == [1] * blocks + [0]
    read = decode.batch_get_into_multi_buffers(keys[:blocks], lists(target), sizes)
    assert read == [block * layers] * blocks
    for key, places in zip(keys, lists(target), strict=False):
        for layer, address in enumerate(places):
            assert target.read(address - target.address, block) == content(f"{key}/{layer}", block)
    missing = decode.batch_get_into_multi_buffers(
        [keys[0], keys[blocks]], lists(target)[:2], sizes[:2]
    )
    assert missing[0] == block * layers
    assert missing[1] < 0
    described = decode.batch_get_replica_desc(keys[:2])  # the log of tiers
    assert described[keys[0]][0].is_memory_replica()


def test_vllm_resets_the_cache(workers: Any) -> None:
    make, _ = workers
    with Master() as own:
        store = make("127.0.0.1", "P2PHANDSHAKE", 64 * MIB, 16 * MIB, "tcp", "", own.address)
        keys = [f"reset{i}" for i in range(10)]
        for key in keys:
            assert store.put(key, b"value") == 0
        assert store.batch_is_exist(keys) == [1] * 10  # each has a lease now
        assert store.remove_all(force=True) == 10
        assert store.batch_is_exist(keys) == [0] * 10


@pytest.mark.parametrize("suffixes", [("_0_k", "_0_v"), ("_0__k",)], ids=["mha", "mla"])
def test_sglang(master: Master, workers: Any, suffixes: tuple[str, ...]) -> None:
    """HiCache: a warm-up in the constructor, then pages in batches without a configuration."""
    make, made = workers
    store = make("127.0.0.1", "P2PHANDSHAKE", 64 * MIB, 16 * MIB, "tcp", "", master.address, None)
    warm = f"sglang_mooncake_store_warmup_key{suffixes[0]}{time.monotonic_ns():x}"
    value = bytes(4096)
    assert store.put(warm, value) == 0
    assert store.is_exist(warm) == 1
    assert store.get(warm) == value
    page, pages = 4096, 13
    keys = [f"{warm}-{i}{end}" for i in range(pages) for end in suffixes]
    count = len(keys)
    half = page * count
    host = Memory(2 * half)
    assert store.register_buffer(host.address, 2 * half) == 0
    sources = [host.address + i * page for i in range(count)]
    targets = [address + half for address in sources]
    for key, address in zip(keys, sources, strict=True):
        host.write(address - host.address, content(key, page))
    assert store.batch_is_exist(keys) == [0] * count
    assert store.batch_put_from(keys, sources, [page] * count) == [0] * count
    assert store.batch_is_exist(keys) == [1] * count
    assert store.batch_put_from(keys, sources, [page] * count) == [0] * count  # backed up twice
    assert store.batch_get_into(keys, targets, [page] * count) == [page] * count
    assert host.read(0, half) == host.read(half, half)
    pairs = [[a, b] for a, b in zip(sources[:2], targets[:2], strict=True)]
    joined = [f"{key}-joined" for key in keys[: len(pairs)]]
    shapes = [[page, page]] * len(pairs)
    assert store.batch_put_from_multi_buffers(joined, pairs, shapes) == [0] * len(pairs)
    read = store.batch_get_into_multi_buffers(joined, pairs, shapes)
    assert read == [2 * page] * len(pairs)
    assert store.unregister_buffer(host.address) == 0


def test_sglang_relies_on_the_destructor(key: str) -> None:
    with Master() as master:  # so that nobody else lends memory
        store = MooncakeDistributedStore()
        arguments = ("127.0.0.1", "P2PHANDSHAKE", 64 * MIB, 16 * MIB, "tcp", "", master.address)
        assert store.setup(*arguments) == 0
        assert store.put(key, b"value") == 0
        del store
        other = MooncakeDistributedStore()
        assert other.setup(*arguments) == 0
        until = time.monotonic() + PATIENCE
        while other.get(key) == b"value":  # what it lent went with it
            assert time.monotonic() < until
            time.sleep(0.05)
        assert other.close() == 0


def test_workers_at_once(store_factory: StoreFactory, key: str) -> None:
    """Eight threads on one object, each putting and getting megabytes."""
    store = store_factory(lent=256 * MIB, local=128 * MIB)
    failures: list[str] = []

    def work(thread: int) -> None:
        for number in range(4):
            name = f"{key}-{thread}-{number}"
            value = content(name, MIB)
            if store.put(name, value) != 0 or store.get(name) != value:
                failures.append(name)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not failures


def test_who_waits_for_the_lease_may_remove(
    briefly_leased: MooncakeDistributedStore, key: str
) -> None:
    store = briefly_leased
    assert store.put(key, b"value") == 0
    assert store.is_exist(key) == 1
    assert store.remove(key) == -706
    time.sleep(SHORT_LEASE)
    assert store.remove(key) == 0
