"""mooncake.async_store: the store's calls, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from deployment import Master
from mooncake.async_store import MooncakeDistributedStoreAsync
from mooncake.store import MooncakeDistributedStore, ReplicateConfig

MIB = 1 << 20


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 60))


def test_calls_are_awaited(master: Master, key: str) -> None:
    async def calls() -> None:
        store = MooncakeDistributedStoreAsync()
        arguments = ("127.0.0.1", "P2PHANDSHAKE", 64 * MIB, 16 * MIB, "tcp", "", master.address)
        assert await store.async_setup(*arguments) == 0
        assert await store.async_put(key, b"value") == 0
        assert await store.async_get(key) == b"value"
        assert store.get(key) == b"value"
        assert await store.async_put(key=f"{key}k", value=b"1", config=ReplicateConfig()) == 0
        assert await store.async_batch_is_exist([key, f"{key}k", "none"]) == [1, 1, 0]
        keys = [f"{key}{number}" for number in range(20)]
        assert (
            await asyncio.gather(*(store.async_put(one, b"x" * 1000) for one in keys)) == [0] * 20
        )
        values = await asyncio.gather(*(store.async_get(one) for one in keys))
        assert values == [b"x" * 1000] * 20
        assert await store.async_close() == 0

    run(calls())


def test_it_is_a_store() -> None:
    store = MooncakeDistributedStoreAsync()
    assert isinstance(store, MooncakeDistributedStore)
    assert store.async_get.__name__ == "get"
    for name in ("async_none", "async_", "none"):
        assert not hasattr(store, name)
        with pytest.raises(AttributeError, match=name):
            getattr(store, name)


def test_errors_are_raised_where_they_are_awaited() -> None:
    async def calls() -> None:
        with pytest.raises(TypeError):
            await MooncakeDistributedStoreAsync().async_put(name="key", value=b"value")

    run(calls())
