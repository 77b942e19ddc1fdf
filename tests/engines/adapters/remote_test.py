"""The remote storage plugin, as LMCache loads and calls it."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from lmcache.v1.exceptions import IrrecoverableException
from pool import PATIENCE, Pool
from ports import free_port

import kvstore
from kvstore.lmcache.remote import KvstoreConnector
from worker import CHUNK, Worker, config, key, values, worker


def keys(number: int, count: int) -> list[Any]:
    return [key(1000 * number + i) for i in range(count)]


@pytest.fixture(params=[False, True], ids=["plain", "save_chunk_meta"])
def plugged(request: Any, tmp_path: Path, pool: Pool) -> Iterator[Worker]:
    with worker(tmp_path, pool.address, save_chunk_meta=request.param) as started:
        yield started


def test_lmcache_loads_it_from_the_ready_file(plugged: Worker) -> None:
    connector = plugged.connector
    assert isinstance(connector, KvstoreConnector)
    assert plugged.run(connector.ping()) == 0


def test_chunks_come_back_as_they_were(plugged: Worker, number: int) -> None:
    free = plugged.free_bytes()
    names, seeds = keys(number, 5), range(5)
    assert plugged.backend.batched_contains(names) == 0
    plugged.put(names, [plugged.chunk(seed) for seed in seeds])
    assert plugged.free_bytes() == free
    plugged.forget_bytes()
    assert plugged.backend.batched_contains(names) == 5
    assert plugged.backend.contains(names[3])
    got = plugged.backend.batched_get_blocking(names)
    for seed, chunk in zip(seeds, got, strict=True):
        assert torch.equal(chunk.tensor, values(seed))
        chunk.ref_count_down()
    assert plugged.free_bytes() == free


def test_a_partial_last_chunk_keeps_its_size(plugged: Worker, number: int) -> None:
    names = keys(number, 2)
    plugged.put(names, [plugged.chunk(1), plugged.chunk(2, tokens=100)])
    full, partial = plugged.backend.batched_get_blocking(names)
    assert full.get_size() == CHUNK
    assert partial.get_size() == CHUNK * 100 // 256
    assert torch.equal(partial.tensor, values(2, tokens=100))
    assert partial.get_num_tokens() == 100


def test_a_miss_in_the_middle_ends_the_prefix(plugged: Worker, number: int) -> None:
    names = keys(number, 4)
    have = [0, 1, 3]
    plugged.put([names[i] for i in have], [plugged.chunk(i) for i in have])
    assert plugged.backend.batched_contains(names) == 2
    assert plugged.run(plugged.backend.batched_async_contains("id", names)) == 2
    got = plugged.backend.batched_get_blocking(names)
    assert [chunk is not None for chunk in got] == [True, True, False, True]
    free = plugged.free_bytes()
    prefix = plugged.run(plugged.backend.batched_get_non_blocking("id", names))
    assert len(prefix) == 2
    assert plugged.free_bytes() == free - 2 * CHUNK
    assert plugged.backend.get_blocking(names[2]) is None


def test_one_question_for_many_chunks(plugged: Worker, number: int) -> None:
    names = keys(number, 50)
    plugged.put(names, [plugged.chunk(i) for i in range(50)])
    client = plugged.connector._chunks._link.client
    before = client.counters.master_requests
    assert plugged.backend.batched_contains(names) == 50
    assert client.counters.master_requests == before + 1
    got = plugged.backend.batched_get_blocking(names)
    assert None not in got
    # What a look has found is read where it lies.
    assert client.counters.master_requests == before + 1


def test_remove_and_list(plugged: Worker, number: int) -> None:
    names = keys(number, 3)
    plugged.put(names, [plugged.chunk(i) for i in range(3)])
    assert set(plugged.run(plugged.connector.list())) >= {name.to_string() for name in names}
    assert plugged.backend.remove(names[1])
    assert not plugged.backend.remove(names[1])
    assert plugged.backend.batched_contains(names) == 1


def test_a_chunk_of_another_model_is_a_miss(tmp_path: Path, pool: Pool, number: int) -> None:
    with (
        worker(tmp_path, pool.address) as plugged,
        kvstore.Client(pool.address) as client,
    ):
        odd, large = keys(number, 2)
        free = plugged.free_bytes()
        client.put(odd.to_string(), b"x" * 1001)
        client.put(large.to_string(), b"x" * (CHUNK + 1))
        assert plugged.backend.batched_get_blocking([odd, large]) == [None, None]
        assert plugged.free_bytes() == free


def test_what_another_header_says_is_believed(tmp_path: Path, pool: Pool, number: int) -> None:
    """A chunk with a header that is no header, or that says more than there is, is a miss."""
    with (
        worker(tmp_path, pool.address, save_chunk_meta=True) as plugged,
        kvstore.Client(pool.address) as client,
    ):
        good, cut, short, garbage = keys(number, 4)
        plugged.put([good], [plugged.chunk(1)])
        whole = client.get(good.to_string())
        client.put(cut.to_string(), whole[:-4])
        client.put(short.to_string(), whole[:3])
        client.put(garbage.to_string(), bytes([255]) * 1000)
        free = plugged.free_bytes()
        got = plugged.backend.batched_get_blocking([good, cut, short, garbage])
        assert [chunk is not None for chunk in got] == [True, False, False, False]
        assert plugged.free_bytes() == free - CHUNK


def test_putting_again_is_no_failure(plugged: Worker, number: int, caplog: Any) -> None:
    names = keys(number, 1)
    plugged.put(names, [plugged.chunk(1)])
    plugged.put(names, [plugged.chunk(1)])
    assert "puts failed" not in caplog.text
    assert torch.equal(plugged.backend.get_blocking(names[0]).tensor, values(1))


def test_a_full_pool_evicts(tmp_path: Path, pool: Pool, number: int) -> None:
    """64 MiB hold 128 chunks of 512 KiB."""
    with worker(tmp_path, pool.address) as plugged:
        for i in range(200):
            plugged.put([key(1000 * number + i)], [plugged.chunk(i)])
        assert plugged.backend.batched_contains([key(1000 * number + 199)]) == 1
        assert plugged.backend.batched_contains([key(1000 * number)]) == 0
        last = plugged.backend.get_blocking(key(1000 * number + 199))
        assert torch.equal(last.tensor, values(199))


def test_a_dead_master_is_a_miss_and_is_found_again(
    tmp_path: Path, pool: Pool, number: int
) -> None:
    with worker(tmp_path, pool.address) as plugged:
        names = keys(number, 2)
        plugged.put(names, [plugged.chunk(1), plugged.chunk(2)])
        pool.master.kill()
        free = plugged.free_bytes()
        began = time.monotonic()
        for _ in range(20):
            assert plugged.backend.batched_contains(keys(number + 1, 3)) == 0
            assert not plugged.backend.contains(key(number + 2))
        # The first may wait for a second, the others 50 ms each.
        assert time.monotonic() - began < PATIENCE / 2
        plugged.put(keys(number + 3, 1), [plugged.chunk(3)])
        assert plugged.run(plugged.connector.ping()) != 0
        assert plugged.free_bytes() <= free
        pool.start_master(pool.address)
        # Another pool: what was is forgotten, and what is put from now on is found.
        until = time.monotonic() + PATIENCE
        found = 0
        while found != 1 and time.monotonic() < until:
            plugged.put([key(77)], [plugged.chunk(77)])
            found = plugged.backend.batched_contains([key(77)])
        assert found == 1
        assert torch.equal(plugged.backend.get_blocking(key(77)).tensor, values(77))


def test_a_hanging_master_costs_an_engine_little(tmp_path: Path, pool: Pool, number: int) -> None:
    with worker(tmp_path, pool.address) as plugged:
        plugged.put([key(number)], [plugged.chunk(1)])
        pool.master.hang()
        try:
            assert plugged.backend.batched_contains(keys(number, 1)) == 0
            began = time.monotonic()
            for _ in range(10):
                assert plugged.backend.batched_contains(keys(number, 1)) == 0
            silent = time.monotonic() - began
        finally:
            pool.master.resume()
        # 50 ms each; five seconds each is what a look may take.
        assert silent < 25
        until = time.monotonic() + PATIENCE
        while plugged.backend.batched_contains([key(number)]) != 1:
            assert time.monotonic() < until


def test_a_killed_holder_is_a_miss(tmp_path: Path, pool: Pool, number: int) -> None:
    with worker(tmp_path, pool.address) as plugged:
        names = keys(number, 3)
        plugged.put(names, [plugged.chunk(i) for i in range(3)])
        pool.nodes[0].kill()
        free = plugged.free_bytes()
        assert plugged.backend.batched_get_blocking(names) == [None] * 3
        assert plugged.free_bytes() == free
        # Nowhere to put it: said aloud, not raised.
        plugged.put(keys(number + 1, 1), [plugged.chunk(9)])
        pool.add_node("shelf-1", "64MiB")
        plugged.put(keys(number + 2, 1), [plugged.chunk(9)])
        assert plugged.backend.batched_contains(keys(number + 2, 1)) == 1


def test_a_second_replica_outlives_a_killed_holder(tmp_path: Path, number: int) -> None:
    with (
        Pool(nodes=2) as pool,
        worker(tmp_path, pool.address, kvstore__replicas=2, kvstore__ways="tcp") as plugged,
    ):
        names = keys(number, 4)
        plugged.put(names, [plugged.chunk(i) for i in range(4)])
        client = plugged.connector._chunks._link.client
        assert plugged.backend.batched_contains(names) == 4
        first = plugged.backend.batched_get_blocking(names)
        assert client.way_counters["tcp"].bytes_read >= 4 * CHUNK
        assert client.way_counters["shm"].bytes_read == 0
        pool.nodes[0].kill()
        again = plugged.backend.batched_get_blocking(names)
        for i in range(4):
            assert torch.equal(first[i].tensor, values(i))
            assert torch.equal(again[i].tensor, values(i))


def test_a_master_that_comes_later_is_joined(tmp_path: Path, number: int) -> None:
    address = f"127.0.0.1:{free_port()}"
    with worker(tmp_path, address, kvstore__connect_seconds=0.2) as plugged:
        assert plugged.backend.batched_contains([key(number)]) == 0
        plugged.put([key(number)], [plugged.chunk(1)])
        assert plugged.backend.get_blocking(key(number)) is None
        assert plugged.run(plugged.connector.ping()) == kvstore.Code.UNAVAILABLE
        with Pool(address=address):
            until = time.monotonic() + PATIENCE
            while plugged.run(plugged.connector.ping()) != 0:
                assert time.monotonic() < until
            plugged.put([key(number)], [plugged.chunk(1)])
            assert torch.equal(plugged.backend.get_blocking(key(number)).tensor, values(1))


def test_memory_stays_taken_until_the_call_has_ended(
    tmp_path: Path, pool: Pool, number: int
) -> None:
    """LMCache gives a call up and its chunk back, while a thread still reads the chunk."""
    with worker(tmp_path, pool.address, kvstore__put_seconds=5) as plugged:
        connector = plugged.connector
        chunk = plugged.chunk(1)
        given = [chunk]
        pool.nodes[0].hang()
        try:

            async def give_up() -> None:
                task = asyncio.ensure_future(connector.batched_put([key(number)], given))
                while chunk.get_ref_count() < 2:
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

            plugged.run(give_up())
            chunk.ref_count_down()  # LMCache's own
            given.clear()
            assert chunk.is_valid() and chunk.get_ref_count() == 1
        finally:
            pool.nodes[0].resume()
        until = time.monotonic() + PATIENCE
        while chunk.is_valid() and chunk.get_ref_count() > 0:
            assert time.monotonic() < until
        # What is there is what it held.
        got = plugged.backend.get_blocking(key(number))
        assert got is None or torch.equal(got.tensor, values(1))


def test_a_get_that_nobody_waits_for_gives_its_memory_back(
    tmp_path: Path, pool: Pool, number: int
) -> None:
    with worker(tmp_path, pool.address) as plugged:
        names = keys(number, 4)
        plugged.put(names, [plugged.chunk(i) for i in range(4)])
        free = plugged.free_bytes()
        connector = plugged.connector
        entered, leave = threading.Event(), threading.Event()
        read = connector._chunks.get
        kept = []  # lest LMCache's last resort for chunks that nobody refers to does it

        def slow(*arguments: Any) -> Any:
            got = read(*arguments)
            kept.extend(got)
            entered.set()
            assert leave.wait(PATIENCE)
            return got

        connector._chunks.get = slow

        async def give_up() -> None:
            task = asyncio.ensure_future(connector.batched_get(names))
            await asyncio.to_thread(entered.wait, PATIENCE)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        plugged.run(give_up())
        assert plugged.free_bytes() == free - 4 * CHUNK
        leave.set()
        until = time.monotonic() + PATIENCE
        while plugged.free_bytes() != free:
            assert time.monotonic() < until


def test_calls_after_close_are_misses(tmp_path: Path, pool: Pool, number: int) -> None:
    with worker(tmp_path, pool.address) as plugged:
        names = keys(number, 2)
        connector = plugged.connector
        chunk = plugged.chunk(1)
        plugged.run(connector.close())
        assert not plugged.run(connector.exists(names[0]))
        assert not connector.exists_sync(names[0])
        assert plugged.run(connector.batched_async_contains("id", names)) == 0
        assert plugged.run(connector.batched_get(names)) == [None, None]
        assert plugged.run(connector.batched_put(names[:1], [chunk])) is None
        assert plugged.run(connector.ping()) == kvstore.Code.UNAVAILABLE
        assert plugged.run(connector.list()) == []
        assert chunk.get_ref_count() == 1
        chunk.ref_count_down()


def test_no_room_in_lmcaches_memory_is_a_miss(tmp_path: Path, pool: Pool, number: int) -> None:
    """LMCache's own waiting would have no end."""
    with worker(tmp_path, pool.address) as plugged:
        names = keys(number, 2)
        plugged.put(names, [plugged.chunk(1), plugged.chunk(2)])
        taken = []
        while plugged.free_bytes() >= CHUNK:
            taken.append(plugged.chunk(0))
        assert plugged.backend.batched_get_blocking(names) == [None, None]


def test_layers_are_chunks_of_their_own(tmp_path: Path, pool: Pool, number: int) -> None:
    """With use_layerwise every chunk has a header, and forms differ."""
    read = config(tmp_path, pool.address)
    read.use_layerwise = True
    plugged = Worker(read)
    try:
        layers = key(number).split_layers(2)
        chunk = plugged.memory.allocate(torch.Size([256, 2, 128]), torch.float32)
        chunk.tensor.normal_()
        wanted = chunk.tensor.clone()
        plugged.put([layers[0]], [chunk])
        got = plugged.run(plugged.backend.batched_get_non_blocking("id", layers[:1]))
        assert torch.equal(got[0].tensor, wanted)
        assert got[0].get_memory_format() == chunk.get_memory_format()
    finally:
        plugged.close()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"kvstore__lend_byte": 1}, "did you mean extra_config: kvstore.lend_bytes"),
        ({"kvstore__lend_bytes": "lots"}, "kvstore.lend_bytes is 'lots'"),
        ({"kvstore__put_seconds": 0}, "kvstore.put_seconds is 0"),
        ({"kvstore__replicas": 9}, "kvstore.replicas is 9"),
        ({"kvstore__ways": "carrier-pigeon"}, "carrier-pigeon"),
        (
            {"kvstore__listen": "0.0.0.0:0", "kvstore__lend_bytes": "1MiB"},
            "allow_remote",
        ),
    ],
)
def test_a_wrong_setting_is_named(
    tmp_path: Path, pool: Pool, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(IrrecoverableException) as raised:
        Worker(config(tmp_path, pool.address, **changes))
    assert said in str(raised.value)


def test_instances_have_settings_of_their_own(tmp_path: Path, pool: Pool, number: int) -> None:
    read = config(tmp_path, "127.0.0.1:1", **{"kvstore.b.master": pool.address})
    for name in ("module_path", "class_name"):
        read.extra_config[f"remote_storage_plugin.kvstore.b.{name}"] = read.extra_config[
            f"remote_storage_plugin.kvstore.{name}"
        ]
    read.remote_storage_plugins = ["kvstore.b"]
    plugged = Worker(read, plugin="kvstore.b")
    try:
        assert plugged.run(plugged.connector.ping()) == 0
        assert plugged.connector.settings.master == pool.address
    finally:
        plugged.close()


def test_a_url_names_the_master(tmp_path: Path, pool: Pool) -> None:
    read = config(tmp_path, pool.address)
    del read.extra_config["kvstore.master"]
    read.remote_url = f"kvstore://{pool.address}"
    plugged = Worker(read, plugin=None)
    try:
        assert plugged.run(plugged.connector.ping()) == 0
    finally:
        plugged.close()


def test_what_it_lends_is_part_of_the_pool(tmp_path: Path, number: int) -> None:
    with (
        Pool(nodes=0) as pool,
        worker(tmp_path, pool.address, kvstore__lend_bytes="16MiB") as plugged,
    ):
        plugged.put([key(number)], [plugged.chunk(5)])
        assert torch.equal(plugged.backend.get_blocking(key(number)).tensor, values(5))


def test_a_decode_workers_look_waits_for_prefill(tmp_path: Path, pool: Pool, number: int) -> None:
    (tmp_path / "b").mkdir()
    with (
        worker(tmp_path, pool.address) as prefill,
        worker(tmp_path / "b", pool.address, kvstore__await_puts_ms=60_000) as decode,
    ):
        names = keys(number, 3)
        assert prefill.backend.batched_contains(names) == 0
        with ThreadPoolExecutor() as threads:
            looking = threads.submit(decode.backend.batched_contains, names)
            pool.wait_for_a_wait()
            prefill.put(names, [prefill.chunk(i) for i in range(3)])
            assert looking.result(PATIENCE) == 3
        assert decode.backend.batched_contains(keys(number + 1, 3)) == 0


def test_two_workers_share_chunks(tmp_path: Path, pool: Pool, number: int) -> None:
    (tmp_path / "b").mkdir()
    with (
        worker(tmp_path, pool.address) as prefill,
        worker(tmp_path / "b", pool.address) as decode,
    ):
        prefill.put([key(number)], [prefill.chunk(8)])
        assert decode.backend.batched_contains([key(number)]) == 1
        assert torch.equal(decode.backend.get_blocking(key(number)).tensor, values(8))


@pytest.mark.parametrize("save_chunk_meta", [False, True])
def test_workers_that_use_the_drop_in_share_chunks(
    tmp_path: Path, pool: Pool, number: int, save_chunk_meta: bool
) -> None:
    """LMCache's own Mooncake connector, on kvstore's drop-in."""
    store = pytest.importorskip("mooncake.store")
    if not store.MooncakeDistributedStore.__module__.startswith("mooncake._store"):
        pytest.skip("the package mooncake here is Mooncake's own")
    (tmp_path / "b").mkdir()
    drop_in = config(
        tmp_path / "b",
        pool.address,
        save_chunk_meta=save_chunk_meta,
        local_hostname="localhost",
        metadata_server="P2PHANDSHAKE",
        protocol="tcp",
        device_name="",
        master_server_address=pool.address,
        global_segment_size=0,
        local_buffer_size=1 << 20,
    )
    drop_in.remote_storage_plugins = None
    drop_in.remote_url = "mooncakestore://localhost:1/"
    theirs = Worker(drop_in, plugin=None)
    try:
        with worker(tmp_path, pool.address, save_chunk_meta=save_chunk_meta) as ours:
            assert type(theirs.connector).__name__ == "MooncakestoreConnector"
            first, second, partial = keys(number, 3)
            ours.put([first, partial], [ours.chunk(1), ours.chunk(3, tokens=40)])
            theirs.put([second], [theirs.chunk(2)])
            assert theirs.backend.batched_contains([first, second, partial]) == 3
            for reader in (ours, theirs):
                got = reader.backend.batched_get_blocking([first, second, partial])
                assert torch.equal(got[0].tensor, values(1))
                assert torch.equal(got[1].tensor, values(2))
                assert torch.equal(got[2].tensor, values(3, tokens=40))
    finally:
        theirs.close()


def test_no_chunk_is_ever_anothers(tmp_path: Path, pool: Pool, number: int) -> None:
    """Threads put and get more than the pool holds, give calls up, and remove."""
    count, rounds = 300, 300
    wanted = {seed: values(seed) for seed in range(count)}
    counted = {"right": 0, "missed": 0}
    mutex = threading.Lock()

    def at_work(plugged: Worker, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(rounds):
            some = chance.sample(range(count), 4)
            names = [key(1000 * number + i) for i in some]
            dice = chance.random()
            if dice < 0.5:
                chunks = [plugged.chunk(i) for i in some]
                # LMCache goes on at once; the last reference is the store's.
                plugged.backend.batched_submit_put_task(names, chunks)
                for chunk in chunks:
                    chunk.ref_count_down()
            elif dice < 0.6:
                plugged.backend.remove(names[0])
            else:
                call = asyncio.run_coroutine_threadsafe(
                    plugged.connector.batched_get(names), plugged.loop
                )
                if dice > 0.9:
                    call.cancel()
                    continue
                for i, chunk in zip(some, call.result(PATIENCE), strict=True):
                    if chunk is not None:
                        assert torch.equal(chunk.tensor, wanted[i])
                        chunk.ref_count_down()
                    with mutex:
                        counted["missed" if chunk is None else "right"] += 1

    with worker(tmp_path, pool.address, kvstore__threads=8) as plugged:
        with ThreadPoolExecutor(4) as threads:
            for done in [threads.submit(at_work, plugged, seed) for seed in range(4)]:
                done.result(PATIENCE * 3)
        until = time.monotonic() + PATIENCE
        while plugged.free_bytes() != plugged.memory.memory_allocator.size:
            assert time.monotonic() < until, plugged.free_bytes()
    assert counted["right"] > 50 and counted["missed"] > 0, counted


def test_prefixes_keep_chunks_apart(tmp_path: Path, pool: Pool, number: int) -> None:
    (tmp_path / "b").mkdir()
    with (
        worker(tmp_path, pool.address, kvstore__key_prefix="blue/") as blue,
        worker(tmp_path / "b", pool.address, kvstore__key_prefix="red/") as red,
    ):
        blue.put([key(number)], [blue.chunk(8)])
        assert red.backend.batched_contains([key(number)]) == 0
        assert blue.run(blue.connector.list()) == [key(number).to_string()]
