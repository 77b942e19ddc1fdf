"""The asyncio client."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pool import PATIENCE, Pool

import kvstore
from kvstore import aio


def test_calls_are_awaited(pool: Pool, key: str) -> None:
    async def work() -> None:
        async with aio.Client(pool.address, name="awaited", threads=4) as client:
            await client.put(key, b"value")
            assert await client.get(key) == b"value"
            values = await asyncio.gather(*(client.get(key) for _ in range(20)))
            assert values == [b"value"] * 20
            wait = asyncio.create_task(client.wait_exists(key + "x", PATIENCE))
            await client.put_batch([(key + "x", [b"a", b"b"])])
            await wait
            with pytest.raises(kvstore.AlreadyExists):
                await client.put(key, b"")
            async with asyncio.timeout(PATIENCE):
                session = await client.read_session([key])
                target = bytearray(5)
                assert await client.run(session.read, 0, target) == 5
            assert target == b"value"
            assert client.blocking.name == "awaited"
        with pytest.raises(RuntimeError):
            await client.get(key)

    asyncio.run(work())


def test_the_loop_runs_while_calls_wait(pool: Pool, key: str) -> None:
    async def work() -> None:
        async with aio.Client(pool.address, threads=2) as client:
            wait = asyncio.create_task(client.wait_exists(key, PATIENCE))
            for _ in range(10):
                await asyncio.sleep(0.01)
                assert not wait.done()
            await client.put(key, b"value")
            await wait
            with pytest.raises(kvstore.DeadlineExceeded):
                await client.wait_exists("never", 0.1)

    asyncio.run(work())


def test_a_wait_that_was_cancelled_ends_with_the_client(pool: Pool) -> None:
    """Its thread would hold up the end of the process, for as long as it was to wait."""

    async def work() -> list[threading.Thread]:
        async with aio.Client(pool.address, threads=2) as client:
            for name in ("never", "nor this"):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(client.wait_exists(name, 2 * PATIENCE), 0.2)
            plain = client.blocking
            return [t for t in threading.enumerate() if t.name.startswith("kvstore")]
        assert plain.closed

    threads = asyncio.run(work())
    assert threads
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_it_must_be_connected(pool: Pool) -> None:
    async def work() -> None:
        client = aio.Client(pool.address)
        with pytest.raises(RuntimeError, match="not connected"):
            await client.get("k")
        with pytest.raises(kvstore.Unavailable):
            await aio.Client("127.0.0.1:1", connect_timeout=0.1).open()
        await client.close()

    asyncio.run(work())


def test_every_call_has_a_twin() -> None:
    plain = {"close", "closed", "name", "incarnation", "lending", "counters", "way_counters"}
    immediate = {"register_memory", "unregister_memory", "lend"}
    names = {name for name in vars(kvstore.Client) if not name.startswith("_")}
    assert names - plain - immediate <= set(vars(aio.Client))
