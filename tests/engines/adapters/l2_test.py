"""The L2 adapter plugin, as `lmcache server` loads and calls it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from lmcache.v1.distributed.internal_api import L2AdapterListener
from pool import PATIENCE, Pool
from ports import free_port

import kvstore
from kvstore.lmcache.l2 import KvstoreL2Adapter
from tier import SIZE, Tier, key, parsed, spec, tier, values


@pytest.fixture
def plugged(pool: Pool) -> Iterator[Tier]:
    with tier(pool.address) as started:
        yield started


def keys(number: int, count: int) -> list[Any]:
    return [key(1000 * number + i) for i in range(count)]


def fill(pool: Pool, mib: int = 100) -> None:
    """Puts more than the pool has room for."""
    with kvstore.Client(pool.address) as client:
        for i in range(mib):
            client.put(f"fill-{time.monotonic_ns()}-{i}", bytes(1 << 20))


def test_lmcache_loads_it_from_the_ready_file(plugged: Tier) -> None:
    adapter = plugged.adapter
    assert isinstance(adapter, KvstoreL2Adapter)
    assert adapter.report_status()["is_healthy"]
    fds = {
        adapter.get_store_event_fd(),
        adapter.get_lookup_and_lock_event_fd(),
        adapter.get_load_event_fd(),
    }
    assert len(fds) == 3


def test_chunks_come_back_as_they_were(plugged: Tier, number: int) -> None:
    names = keys(number, 5)
    stored = plugged.store(names[:4], [plugged.chunk(seed) for seed in range(4)])
    assert stored.is_successful()
    assert stored.bytes_transferred() == 4 * SIZE
    assert plugged.lock(names) == [True, True, True, True, False]
    chunks = [plugged.chunk() for _ in names]
    assert plugged.load(names, chunks) == [True, True, True, True, False]
    for seed in range(4):
        assert torch.equal(chunks[seed].tensor, values(seed))
    plugged.adapter.submit_unlock(names[:4])
    assert plugged.adapter.report_status()["locked_keys"] == 0


def test_storing_again_is_no_failure_and_counts_nothing(plugged: Tier, number: int) -> None:
    names = keys(number, 2)
    plugged.store(names[:1], [plugged.chunk(1)])
    again = plugged.store(names, [plugged.chunk(1), plugged.chunk(2)])
    assert again.is_successful()
    assert again.bytes_transferred() == SIZE
    assert plugged.adapter.get_usage().total_bytes_used == 2 * SIZE


def test_a_chunk_of_another_size_is_a_miss(plugged: Tier, number: int) -> None:
    small, large = keys(number, 2)
    shapes = [torch.Size([2, 2, 128, 128]), torch.Size([2, 2, 512, 128])]
    plugged.store([small, large], [plugged.chunk(i, shape) for i, shape in enumerate(shapes)])
    assert plugged.load([small, large], [plugged.chunk(), plugged.chunk()]) == [False, False]


def test_salts_keep_chunks_apart(plugged: Tier, number: int) -> None:
    alice, bob = key(number, "alice"), key(number, "bob")
    plugged.store([alice], [plugged.chunk(1)])
    assert plugged.lock([alice, bob, key(number)]) == [True, False, False]
    assert dict(plugged.adapter.get_usage().bytes_by_cache_salt) == {"alice": SIZE}


def test_what_is_locked_outlives_a_pool_that_fills(plugged: Tier, pool: Pool, number: int) -> None:
    kept, lost = keys(number, 2)
    plugged.store([kept, lost], [plugged.chunk(1), plugged.chunk(2)])
    assert plugged.lock([kept]) == [True]
    fill(pool)
    chunks = [plugged.chunk(), plugged.chunk()]
    assert plugged.load([kept, lost], chunks) == [True, False]
    assert torch.equal(chunks[0].tensor, values(1))
    # What the store has evicted is used no more, once a lookup has told.
    assert plugged.lock([lost]) == [False]
    assert plugged.adapter.get_usage().total_bytes_used == SIZE


def test_what_is_locked_is_there_when_it_is_loaded(pool: Pool, number: int) -> None:
    """Three servers that fill one pool with more than it holds."""
    count, rounds = 200, 100

    def at_work(seed: int) -> int:
        chance = random.Random(seed)
        loaded = 0
        with tier(pool.address) as plugged:
            for _ in range(rounds):
                some = chance.sample(range(count), 6)
                chunks = [plugged.chunk(i) for i in some[:4]]
                plugged.store([key(1000 * number + i) for i in some[:4]], chunks)
                plugged.free(chunks)
                names = [key(1000 * number + i) for i in some]
                locked = [i for i, there in enumerate(plugged.lock(names)) if there]
                held = [names[i] for i in locked]
                chunks = [plugged.chunk() for _ in held]
                assert plugged.load(held, chunks) == [True] * len(held)
                for i, chunk in zip(locked, chunks, strict=True):
                    assert torch.equal(chunk.tensor, values(some[i]))
                plugged.free(chunks)
                plugged.adapter.submit_unlock(held)
                loaded += len(held)
            status = plugged.adapter.report_status()
            assert status["locks_lost"] == 0 and status["locked_keys"] == 0
        return loaded

    with ThreadPoolExecutor(3) as threads:
        loaded = sum(threads.map(at_work, range(3)))
    assert loaded > 3 * rounds


def test_what_cannot_be_locked_is_a_miss_and_still_used(number: int) -> None:
    flags = ("--leased_share_allowed", "0.01")  # of 64 MiB: one chunk
    with Pool("64MiB", 1, "127.0.0.1:0", *flags) as pool, tier(pool.address) as plugged:
        names = keys(number, 3)
        plugged.store(names, [plugged.chunk(i) for i in range(3)])
        assert plugged.lock(names) == [True, False, False]
        assert plugged.adapter.report_status()["locks_refused"] == 2
        assert plugged.adapter.get_usage().total_bytes_used == 3 * SIZE


def test_delete_spares_what_is_locked(plugged: Tier, number: int) -> None:
    locked, free, never = keys(number, 3)
    plugged.store([locked, free], [plugged.chunk(1), plugged.chunk(2)])
    plugged.lock([locked])
    plugged.adapter.delete([locked, free, never])
    assert plugged.lock([locked, free, never]) == [True, False, False]
    plugged.adapter.submit_unlock([locked, locked])
    plugged.adapter.delete([locked])
    assert plugged.lock([locked]) == [False]
    assert plugged.adapter.get_usage().total_bytes_used == 0


def test_a_delete_that_fails_raises_nothing(plugged: Tier, pool: Pool, number: int) -> None:
    """It would end the thread of LMCache's that evicts."""
    names = keys(number, 2)
    plugged.store(names, [plugged.chunk(1), plugged.chunk(2)])
    pool.master.kill()
    plugged.adapter.delete(names)
    assert plugged.adapter.get_usage().total_bytes_used == 2 * SIZE


def test_what_is_stored_once_more_is_counted_once(plugged: Tier, pool: Pool, number: int) -> None:
    names = keys(number, 1)
    plugged.store(names, [plugged.chunk(1)])
    with kvstore.Client(pool.address) as client:
        client.remove_matching("")
    plugged.store(names, [plugged.chunk(1)])
    assert plugged.adapter.get_usage().total_bytes_used == SIZE


def test_what_nobody_answers_for_is_not_forgotten(plugged: Tier, number: int) -> None:
    names = keys(number, 2)
    plugged.store(names, [plugged.chunk(1), plugged.chunk(2)])
    link = plugged.adapter._link
    client = link.client

    class HalfSilent:
        def exists_batch(self, keys: list[str], **_: Any) -> list[Any]:
            return [False, kvstore.DeadlineExceeded("late")]

    link._client = HalfSilent()
    try:
        assert plugged.lock(names) == [False, False]
        # Nor is the master silent that answers for the other.
        assert link.answers
    finally:
        link._client = client
    assert plugged.adapter.get_usage().total_bytes_used == SIZE


def test_a_lookup_that_awaits_a_put_holds_up_no_other(pool: Pool, number: int) -> None:
    awaited, other = keys(number, 2)
    with (
        tier(pool.address) as prefill,
        tier(pool.address, threads=1, await_puts_ms=60_000) as decode,
    ):
        assert prefill.lock([awaited]) == [False]
        task = decode.adapter.submit_lookup_and_lock_task([awaited], {})
        pool.wait_for_a_wait()
        assert decode.lock([other]) == [False]
        assert decode.adapter.query_lookup_and_lock_result(task) is None
        prefill.store([awaited], [prefill.chunk(1)])
        until = time.monotonic() + PATIENCE
        while (found := decode.adapter.query_lookup_and_lock_result(task)) is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert found.test(0)


def test_tasks_after_close_fail(pool: Pool, number: int) -> None:
    names = keys(number, 1)
    with tier(pool.address) as plugged:
        adapter, chunks = plugged.adapter, [plugged.chunk(1)]
        adapter.close()
        task = adapter.submit_store_task(names, chunks)
        assert not adapter.pop_completed_store_tasks()[task].is_successful()
        task = adapter.submit_lookup_and_lock_task(names, {})
        assert not adapter.query_lookup_and_lock_result(task).test(0)
        task = adapter.submit_load_task(names, chunks)
        assert not adapter.query_load_result(task).test(0)
        adapter.delete(names)


def test_listeners_are_told(plugged: Tier, pool: Pool, number: int) -> None:
    told: list[tuple[str, list[Any]]] = []

    class Listener(L2AdapterListener):
        def on_l2_keys_stored(self, keys: list[Any], sizes: list[int]) -> None:
            told.append(("stored", keys))

        def on_l2_keys_accessed(self, keys: list[Any]) -> None:
            told.append(("accessed", keys))

        def on_l2_keys_deleted(self, keys: list[Any]) -> None:
            told.append(("deleted", keys))

    plugged.adapter.register_listener(Listener())
    here, gone = keys(number, 2)
    plugged.store([here], [plugged.chunk(1)])
    plugged.load([here, gone], [plugged.chunk(), plugged.chunk()])
    plugged.adapter.delete([here])
    assert told == [("stored", [here]), ("accessed", [here]), ("deleted", [here])]
    # Of what another server has put, too.
    told.clear()
    with kvstore.Client(pool.address) as client:
        client.put(plugged.adapter._name(gone), b"x" * SIZE)
    plugged.store([gone], [plugged.chunk(1)])
    plugged.adapter.delete([gone])
    assert told == [("stored", [gone]), ("deleted", [gone])]


def test_keys_are_listed_page_by_page(plugged: Tier, pool: Pool, number: int) -> None:
    mine = {key(1000 * number + i, salt, f"model-{number}") for i in range(5) for salt in ("", "s")}
    other = key(number, model=f"model-{number}-b")
    names = [*mine, other]
    plugged.store(names, [plugged.chunk(i) for i in range(len(names))])
    with kvstore.Client(pool.address) as client:
        client.put(f"model-{number}@strange", b"x")
    listed, cursor, pages = [], None, 0
    while True:
        page = plugged.adapter.list_l2_keys(f"model-{number}", page_size=3, cursor=cursor)
        assert len(page.entries) <= 3
        listed += page.entries
        pages += 1
        cursor = page.next_page_token
        if cursor is None:
            break
    assert pages == 4
    assert {entry.key.to_object_key() for entry in listed} == mine
    assert len(listed) == 10
    assert {entry.size_bytes for entry in listed} == {SIZE}
    everything = plugged.adapter.list_l2_keys(page_size=100)
    assert other in {entry.key.to_object_key() for entry in everything.entries}
    with pytest.raises(ValueError, match="non-hexadecimal"):
        plugged.adapter.list_l2_keys(cursor="xyz")
    with pytest.raises(ValueError, match="must be positive"):
        plugged.adapter.list_l2_keys(page_size=0)


def test_a_dead_master_is_a_miss(plugged: Tier, pool: Pool, number: int) -> None:
    names = keys(number, 1)
    plugged.store(names, [plugged.chunk(1)])
    pool.master.kill()
    assert plugged.lock(names) == [False]
    assert not plugged.store(keys(number + 1, 1), [plugged.chunk(2)]).is_successful()
    assert not plugged.adapter.report_status()["is_healthy"]
    # Nothing was heard of its being gone.
    assert plugged.adapter.get_usage().total_bytes_used == SIZE


def test_a_killed_holder_is_a_miss(plugged: Tier, pool: Pool, number: int) -> None:
    names = keys(number, 2)
    plugged.store(names, [plugged.chunk(1), plugged.chunk(2)])
    assert plugged.lock(names) == [True, True]
    pool.nodes[0].kill()
    assert plugged.load(names, [plugged.chunk(), plugged.chunk()]) == [False, False]


def test_a_store_that_does_not_fit_fails(plugged: Tier, pool: Pool, number: int) -> None:
    with kvstore.Client(pool.address) as client:
        # Half of it may be pinned, and leases bar the rest.
        for i in range(31):
            client.put(f"pin-{i}", bytes(1 << 20), kvstore.PutOptions(hard_pin=True))
        for i in range(24):
            client.put(f"lease-{i}", bytes(1 << 20))
        assert all(client.exists_batch([f"lease-{i}" for i in range(24)]))
        huge = plugged.chunk(1, torch.Size([2, 2, 8192, 128]))
        assert not plugged.store(keys(number, 1), [huge]).is_successful()
        assert plugged.store(keys(number, 1), [plugged.chunk(1)]).is_successful()


def test_a_master_that_comes_later_is_joined(number: int) -> None:
    address = f"127.0.0.1:{free_port()}"
    with tier(address, connect_seconds=0.2) as plugged:
        assert plugged.lock(keys(number, 1)) == [False]
        assert not plugged.store(keys(number, 1), [plugged.chunk(1)]).is_successful()
        assert not plugged.adapter.report_status()["is_healthy"]
        with Pool(address=address):
            until = time.monotonic() + PATIENCE
            while not plugged.adapter.report_status()["is_healthy"]:
                assert time.monotonic() < until
            assert plugged.store(keys(number, 1), [plugged.chunk(1)]).is_successful()
            assert plugged.lock(keys(number, 1)) == [True]


@pytest.mark.parametrize(
    "parameters, said",
    [
        ({"mastr": "x"}, "did you mean adapter_params: master"),
        ({"lock_seconds": 0}, "lock_seconds is 0"),
        ({"max_capacity_bytes": "much"}, "4GiB"),
        ({"get_seconds": "soon"}, "get_seconds is 'soon'"),
    ],
)
def test_a_wrong_setting_is_named(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as raised:
        Tier("127.0.0.1:1", **parameters)
    assert said in str(raised.value)


def test_signatures_of_other_releases_are_taken(plugged: Tier, number: int) -> None:
    """submit_lookup_and_lock_task had one argument less, and a constructor may get more."""
    assert plugged.adapter.submit_lookup_and_lock_task(keys(number, 1)) > 0
    plugged.adapter.submit_lookup_and_lock_task(keys(number, 1), {}, whatever=1)
    (config,) = parsed(spec("127.0.0.1:1", connect_seconds=0.1)).adapters
    params = dict(config.adapter_params)
    other = KvstoreL2Adapter(params, l1_memory_desc=None, and_more=3)
    other.close()
    other.close()
